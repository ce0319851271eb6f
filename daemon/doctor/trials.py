"""Trying a folder: a hidden file is made, written, synced, moved and removed there, as the daemon would do it.

The daemon never touches hidden names, so all this may happen beside a running one. What a killed doctor has left
behind goes with the next one.
"""

import errno
import os
import pwd
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from daemon import disk, kernel
from daemon.clock import Clock
from daemon.setup.people import group_name

PREFIX = ".babeldrop-doctor-"
_ABANDONED_S = 600.0
_TEXT = b"Made by `babeldrop doctor`, which removes it again.\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What came of it. Without `step` everything was possible; else that could not be done, and `why` says more."""

    step: str = ""
    why: str = ""
    do: str = ""
    missing: bool = False
    seconds: float = 0.0
    ahead_s: float = 0.0
    """How far the new file's time is ahead of our clock."""
    lease: str = ""
    """What an attempt to take a read lease told (`kernel.take_lease`)."""


class _Course:
    """One file on its way; `step` and `at` say how far it came."""

    def __init__(self, root: int, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self.step = "open"
        self.at = ""
        self.ahead_s = 0.0
        self.lease = ""

    def run(self, first: str, then: str) -> None:
        names = [f"{PREFIX}{secrets.token_hex(6)}" for _ in range(2)]
        with self._opened(then) as there, self._opened(first) as here:
            try:
                self._make(here, names[0])
                self.step, self.at = ("rename", first) if first == then else (f"move to {then}/", first)
                disk.rename_noreplace(here, names[0], there, names[1])
                disk.sync_folder(there)
                self.step, self.at = "delete", then
                os_error = _unlink(there, names[1])
                if os_error is not None:
                    raise os_error
            finally:
                _unlink(here, names[0])
                _unlink(there, names[1])

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        self.at = path
        with disk.folder(self._root, path) as here:
            _sweep(here, self._clock)
            yield here

    def _make(self, here: int, name: str) -> None:
        self.step = "create"
        descriptor = disk.create_file(here, name, 0o600)
        try:
            self.step = "write"
            disk.write(descriptor, _TEXT)
            disk.sync(descriptor)
            # What the share's own clock has made of it.
            self.ahead_s = disk.fstat(descriptor).st_mtime - self._clock.now().timestamp()
        finally:
            disk.close(descriptor)
        self.step = "read"
        descriptor = disk.open_file(here, name)
        try:
            self.lease = kernel.take_lease(descriptor)
            kernel.release_lease(descriptor)
        finally:
            disk.close(descriptor)


def attempt(root: int, first: str, then: str, clock: Clock) -> Trial:
    """Make a file in one folder beneath `root`, move it into another (or within the same) one, and remove it."""
    course = _Course(root, clock)
    began = clock.monotonic()
    try:
        course.run(first, then)
    except OSError as error:
        why, do = _explained(root, course.at, error)
        return Trial(step=course.step, why=why, do=do, missing=error.errno == errno.ENOENT)
    return Trial(seconds=clock.monotonic() - began, ahead_s=course.ahead_s, lease=course.lease)


def _unlink(folder: int, name: str) -> OSError | None:
    try:
        disk.unlink(folder, name)
    except OSError as error:
        return error
    return None


def _sweep(folder: int, clock: Clock) -> None:
    """Remove what a doctor who was killed long ago has left here."""
    for name in disk.names_in(folder):
        if name.startswith(PREFIX):
            found = disk.lstat(folder, name)
            if found is not None and clock.now().timestamp() - found.st_mtime > _ABANDONED_S:
                _unlink(folder, name)


_EXPLAINED = {
    errno.ENOENT: ("it is not there", "The daemon makes it at its next start; or run `babeldrop init` again."),
    errno.EROFS: ("it is read-only", "Mount it writable, and name it in ReadWritePaths= of the unit."),
    errno.ENOSPC: ("there is no room left", "Make room."),
    errno.EDQUOT: ("the quota is used up", "Make room, or raise the quota."),
    errno.EXDEV: (
        "it is another file system, or a link leads out of the root",
        "Make it a plain folder: inbox, processing, outbox and failed have to be on one file system.",
    ),
    errno.ELOOP: ("it is a link", "Put a plain folder in its place; links are never followed."),
    errno.ENOTDIR: ("it is no folder", "Put a plain folder in its place; links are never followed."),
}


def _explained(root: int, path: str, error: OSError) -> tuple[str, str]:
    """Why it could not be done, and what to do about it."""
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.EACCES, errno.EPERM):
        owner, do = _owner(root, path)
        return f"{reason}{owner}", do
    return _EXPLAINED.get(
        error.errno or 0, (reason, "The disk or the share is in trouble: see its server, and `dmesg`.")
    )


def _owner(root: int, path: str) -> tuple[str, str]:
    """Whose folder it is, and what would let us in."""
    me = user_name(os.geteuid())
    found = disk.lstat(root, path)
    if found is None:
        return "", f"Let {me} into the folders that lead to it."
    group, mode = group_name(found.st_gid), stat.S_IMODE(found.st_mode)
    whose = f"; it belongs to {user_name(found.st_uid)}, group {group}, mode {mode:04o}, and this is {me}"
    if found.st_gid in (os.getegid(), *os.getgroups()):
        return whose, "Let its group write (chmod g+rwx), or give it to the daemon's user (chown)."
    return whose, f"Give it to the daemon's user (chown {me}), or let {me} into the group {group} (usermod -aG)."


def user_name(uid: int) -> str:
    """The name of a user, else the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
