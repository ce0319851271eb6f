"""The daemon and its machine: who runs it, whether it runs, whose root it is, and the kernel's limits for events."""

import os

from daemon import disk, journal, kernel, records
from daemon.config import Config
from daemon.doctor.findings import Area, Finding, Notebook
from daemon.doctor.trials import user_name
from daemon.folders import MARKER, read_marker
from daemon.journal import Identity

_SECTION = "Daemon"
_LIMITS = "/proc/sys/fs/inotify"
_MOST_COUNTED = 100_000
_HEADER = 4096


def try_daemon(config: Config) -> list[Finding]:
    """Who the daemon is, and whether it is at work."""
    book = Notebook(Area.FOLDERS, _SECTION)
    if os.geteuid() == 0:
        what = "this is root, and nobody else owns the state; the daemon needs no more than a user of its own"
        do = "Run this as the daemon's user, such as `runuser -u babeldrop -- babeldrop doctor`."
        book.warning("user", what, do, uid=0)
    else:
        book.good("user", f"tried with the rights of {user_name(os.geteuid())}", uid=os.geteuid())
    running = kernel.is_locked(os.path.join(os.fspath(config.state), "lock"))
    book.good("process", "a daemon is at work" if running else "no daemon is at work", running=running)
    return book.findings


def try_marker(config: Config, root: int) -> tuple[list[Finding], Identity | None]:
    """Whether root and state belong together; also returns whose the root is, if it is ours."""
    book = Notebook(Area.FOLDERS, _SECTION)
    try:
        ours = _owner_of(os.fspath(config.state))
    except OSError as error:
        what = f"the journal cannot be read: {(error.strerror or '').lower()}"
        book.problem("marker", what, "Run this as the daemon's user, or as root.")
        return book.findings, None
    found = read_marker(root)
    facts = {"root_of": found.state if found else None, "state": ours.state if ours else None}
    if found is None and ours is None:
        book.warning("marker", "root and state are new", "`babeldrop init`, or the first start, joins them.", **facts)
    elif found is None:
        what = (
            f"{config.root} has no marker ({MARKER}), so this is not the root that the state knows: the share is away"
        )
        book.problem("marker", what, "Mount the share. The daemon waits for it and goes on by itself.", **facts)
    elif found != ours:
        what = f"{config.root} belongs to another state ({found.state})"
        do = "Check `root:` and `state:`. If that state is gone for good, start once with `run --take-over`."
        book.problem("marker", what, do, **facts)
    else:
        book.good("marker", "root and state belong together", **facts)
        return book.findings, found
    return book.findings, None


def _owner_of(state: str) -> Identity | None:
    """What the journal's first line says; None: there is no journal yet."""
    try:
        descriptor = disk.open_own(os.path.join(state, journal.NAME))
    except FileNotFoundError:
        return None
    try:
        header = records.decode(disk.read(descriptor, _HEADER, 0).partition(b"\n")[0])
    finally:
        disk.close(descriptor)
    if header is None or "state" not in header or "root" not in header:
        return None
    return Identity(state=header["state"], root=header["root"])


def try_limits(root: int) -> list[Finding]:
    """Whether the kernel's limits leave room for a watch on every folder of the inboxes."""
    book = Notebook(Area.FOLDERS, _SECTION)
    limits = {name: _limit(name) for name in ("max_user_watches", "max_user_instances")}
    needed = _folders_below(root, "inbox")
    watches = limits["max_user_watches"]
    facts = {**limits, "needed_watches": needed}
    if watches is None:
        book.good("event limits", f"not to be seen from here; {needed} watches are needed", **facts)
    elif needed * 2 > watches:
        what = f"{needed} folders need a watch each, and all of this user's programs together may have {watches}"
        do = f"sysctl fs.inotify.max_user_watches={max(524_288, needed * 4)}; what has no watch is found by the search."
        book.warning("event limits", what, do, **facts)
    else:
        book.good("event limits", f"{needed} of {watches} watches are needed", **facts)
    return book.findings


def _limit(name: str) -> int | None:
    """A limit; None where /proc does not show it, as in a sandboxed service."""
    try:
        return int(disk.read_own(f"{_LIMITS}/{name}"))
    except (OSError, ValueError):
        return None


def _folders_below(root: int, path: str) -> int:
    """How many folders there are, this one counted; links are not followed."""
    waiting, count = [path], 0
    while waiting and count < _MOST_COUNTED:
        here = waiting.pop()
        count += 1
        try:
            with disk.folder(root, here) as folder:
                waiting += [f"{here}/{one.name}" for one in disk.list_folder(folder) if one.kind == "folder"]
        except OSError:
            continue
    return count
