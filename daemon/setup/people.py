"""Users and groups of this machine: who the daemon runs as, and doing something as that user."""

import contextlib
import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """A user with the groups that count; `share` is the group of the folders that people see."""

    name: str
    uid: int
    gid: int
    group: str
    """The name of the user's own group."""
    groups: tuple[int, ...] = ()
    share: int | None = None

    @property
    def is_member(self) -> bool:
        """Whether the machine itself counts the user into the share's group."""
        return self.share is None or self.uid == 0 or self.share in (self.gid, *self.groups)


def who(user: str, group: str) -> Who:
    """The user of that name (empty: whoever runs this) and the share's group (empty: none of its own).

    Raises ValueError with the command that would make what is missing.
    """
    try:
        found = pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
    except KeyError:
        made = f"useradd --system --home-dir /var/lib/babeldrop --shell /usr/sbin/nologin {user or 'babeldrop'}"
        raise ValueError(f"There is no user {user or os.geteuid()}. Make one, then start again: {made}") from None
    try:
        share = grp.getgrnam(group).gr_gid if group else None
    except KeyError:
        raise ValueError(f"There is no group {group}. Make it, then start again: groupadd {group}") from None
    return _of(found, share)


def by_uid(uid: int) -> Who | None:
    """A user by number; None when the machine knows no such user."""
    try:
        return _of(pwd.getpwuid(uid), None)
    except KeyError:
        return None


def _of(found: pwd.struct_passwd, share: int | None) -> Who:
    return Who(
        name=found.pw_name,
        uid=found.pw_uid,
        gid=found.pw_gid,
        group=group_name(found.pw_gid),
        groups=tuple(os.getgrouplist(found.pw_name, found.pw_gid)),
        share=share,
    )


def group_name(gid: int) -> str:
    """The name of a group, else its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@contextlib.contextmanager
def acting_as(user: Who) -> Iterator[None]:
    """Do what follows with the rights of a user, when it is root who asks; of anybody else nothing changes."""
    if os.geteuid() != 0 or user.uid == 0:
        yield
        return
    before, group = os.getgroups(), os.getegid()
    share = () if user.share is None else (user.share,)
    os.setgroups([*user.groups, *share])
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(before)
