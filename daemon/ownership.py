"""Whose state, whose root: what is checked and written before anything else happens.

The state's lock says that one process works here; the marker in the root and the journal's first line say that
state and root belong together. A known state that finds no marker has a share that is away; anything else that
does not match is refused.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from daemon import disk, journal, kernel
from daemon.clock import Clock
from daemon.config import Config
from daemon.errors import StateError
from daemon.folders import Folders, read_marker, write_marker
from daemon.job import Job
from daemon.journal import Identity, Journal
from daemon.spool import drop_unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An opened state with the root that belongs to it; `jobs` are all that the journal still holds."""

    journal: Journal
    folders: Folders
    jobs: list[Job]
    torn: int
    lock: int

    def close(self) -> None:
        self.journal.close()
        disk.close(self.lock)


def open_house(config: Config, clock: Clock, *, take_over: bool) -> House:
    """Lock the state, read its journal, and make sure that the root is its own.

    Raises StateError, with what to do, when it is not; then nothing was changed. A disk in trouble for now (full,
    read-only) is an OSError: that start may be repeated as it is.
    """
    state, root = os.fspath(config.state), os.fspath(config.root)
    if not take_over and not journal.exists(state):
        _refuse_foreign(root, _marker(root))
    lock = _lock(state)
    try:
        drop_unfinished(os.path.join(state, "spool"))
        # Looked at again under the lock: until then another process may have been at work here.
        marker = _marker(root)
        if not journal.exists(state):
            identity = Identity(state=_id(), root=marker.root if marker else _id())
            journal.create(state, clock, identity).close()
        book, jobs, torn = journal.load(state, clock)
        try:
            _join(root, book, jobs, marker, take_over=take_over)
        except BaseException:
            book.close()
            raise
    except BaseException:
        disk.close(lock)
        raise
    modes = config.outbox
    folders = Folders(root, book.identity, file_mode=modes.file_mode, folder_mode=modes.folder_mode)
    return House(journal=book, folders=folders, jobs=jobs, torn=torn, lock=lock)


def _id() -> str:
    return secrets.token_hex(8)


def _marker(root: str) -> Identity | None:
    with contextlib.suppress(OSError), _opened(root) as descriptor:
        return read_marker(descriptor)
    return None


def _refuse_foreign(root: str, marker: Identity | None) -> None:
    """A new state takes a root only when nobody else's work can be in it."""
    if marker is not None:
        raise StateError(
            f"{root} belongs to another state ({marker.state}). If that one is gone for good, start once with "
            "`run --take-over`; files under way then fail as uncertain, because the record of what was sent is gone."
        )
    processing = os.path.join(root, "processing")
    try:
        empty = not disk.is_there(processing) or not any(disk.names(processing))
    except OSError as error:
        raise StateError(f"{processing} cannot be looked into: {error.strerror}") from error
    if not empty:
        raise StateError(
            f"{processing} is not empty, but neither the root nor the state knows whose files these are. Look "
            "into it; `run --take-over` moves them to failed/ as uncertain."
        )


def _lock(state: str) -> int:
    """Make the state folder where it is missing, and lock it for as long as this process lives."""
    try:
        disk.close(_made(state, 0o700))
        kind = kernel.file_system(state)
        if kernel.is_network(kind):
            raise StateError(f"the state folder {state} is on {kind}; it has to be on a local disk")
        lock = kernel.lock(os.path.join(state, "lock"))
    except OSError as error:
        if error.errno in kernel.FOR_NOW:
            raise
        raise StateError(f"the state folder {state} cannot be made or written to: {error.strerror}") from error
    if lock is None:
        raise StateError(f"another babeldrop is at work with the state {state}. `babeldrop status` shows what it does.")
    return lock


def _join(root: str, book: Journal, jobs: list[Job], marker: Identity | None, *, take_over: bool) -> None:
    """Give the root its marker where that is ours to do; refuse a marker that is not ours."""
    if marker == book.identity:
        if not book.rooted:
            # Whoever wrote it was killed before it could say that its name is durable.
            _mark(root, book.identity)
            book.note("rooted")
        return
    fresh = not book.rooted and not jobs and marker is None
    if fresh and not take_over:
        _refuse_foreign(root, None)
    if take_over:
        book.note("taking_over", marker=marker.state if marker else None)
    elif marker is not None:
        raise StateError(
            f"{root} belongs to the state {marker.state}, but the journal is of the state {book.identity.state} "
            "with another root. Check `root:` and `state:`; `run --take-over` claims this root."
        )
    if not fresh and not take_over:
        # No marker: the share is away. The start goes on, frozen, until it is back.
        return
    _mark(root, book.identity)
    book.note("rooted")


def _mark(root: str, identity: Identity) -> None:
    try:
        descriptor = _made(root, 0o755)
        try:
            write_marker(descriptor, identity)
        finally:
            disk.close(descriptor)
    except OSError as error:
        if error.errno in kernel.FOR_NOW:
            raise
        raise StateError(f"the root {root} cannot be made or written to: {error.strerror}") from error


def _made(path: str, mode: int) -> int:
    """A folder that the administrator named, made where it is missing: it may be a link or a mount point."""
    parent, name = os.path.split(path.rstrip("/"))
    try:
        found = disk.open_root(path)
    except FileNotFoundError:
        with _opened(parent) as above:
            return disk.make_folders(above, name, mode)
    try:
        # Whoever made it may have been killed before its name was durable.
        with contextlib.suppress(PermissionError), _opened(parent) as above:
            disk.sync_folder(above)
    except BaseException:
        disk.close(found)
        raise
    return found


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = disk.open_root(path)
    try:
        yield descriptor
    finally:
        disk.close(descriptor)
