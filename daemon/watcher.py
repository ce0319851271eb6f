"""Events from the file system, as hints: which language folder to look at now, and what was renamed in.

The only importer of watchdog. Its observer can die silently (an exception in a handler, a watched folder
moved away, no watches left), so its health is asked for, and the scan never depends on it.
"""

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver

from daemon import disk, names

_MOST_HINTS = 4096
# A modification only restarts a rest, and the next look notices that by itself; the kernel is not even asked to
# tell of it, nor of the looks that our own scans take.
_TELLING = [FileCreatedEvent, FileMovedEvent, FileClosedEvent, FileDeletedEvent, DirCreatedEvent, DirMovedEvent]


_ENDING = "called when the thread is inactive"


def _not_at_the_end(record: logging.LogRecord) -> bool:
    """An emitter that is being stopped while it looks for an event calls that an error of its own; it is none.

    One that is not alive while it should be is noticed by `Watcher.alive`.
    """
    return _ENDING not in str(record.msg)


logging.getLogger("watchdog.observers.inotify").addFilter(_not_at_the_end)


class Hints(FileSystemEventHandler):
    """Collects what events say until somebody asks. Never raises: that would kill the observer."""

    def __init__(self, root: str, wake: Callable[[], None]) -> None:
        self._inbox = os.path.join(root, "inbox") + os.sep
        self._root = root.rstrip(os.sep) + os.sep
        self._wake = wake
        self._lock = threading.Lock()
        self._folders: set[tuple[str, str]] = set()
        self._whole: set[str] = set()
        self._everything = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by the observer's thread."""
        if event.event_type == "deleted" and not names.is_sign(os.path.basename(os.fsdecode(event.src_path))):
            # Only a sign that goes (STOP, name.cancel) lets something begin.
            return
        told = False
        for raw in (event.src_path, event.dest_path):
            path = os.fsdecode(raw)
            if path.startswith(self._inbox):
                self._note(path, whole=event.event_type == "moved" and raw == event.dest_path)
                told = True
        if told:
            # What was noted stays noted; whoever is to be woken may be gone already.
            with contextlib.suppress(Exception):
                self._wake()

    def _note(self, path: str, *, whole: bool) -> None:
        steps = path[len(self._inbox) :].split(os.sep)
        with self._lock:
            if len(steps) < 3 or len(self._folders) > _MOST_HINTS:
                self._everything = True
            else:
                self._folders.add((steps[0], steps[1]))
            if whole and len(self._whole) < _MOST_HINTS:
                self._whole.add(path[len(self._root) :])

    def take(self) -> tuple[set[tuple[str, str]] | None, set[str]]:
        """(folders to look at, None for all; paths below the root that were renamed in), and forget them."""
        with self._lock:
            folders = None if self._everything else self._folders
            whole = self._whole
            self._folders, self._whole, self._everything = set(), set(), False
        return folders, whole


class Watcher:
    """One recursive inotify watch over the inboxes, or none where it cannot tell."""

    def __init__(self, hints: Hints, root: str) -> None:
        self._hints = hints
        self._inbox = os.path.join(root, "inbox")
        self._observer: InotifyObserver | None = None
        self._watched: tuple[int, int] | None = None

    def start(self) -> str | None:
        """Begin to watch; a sentence why not, if not (no watches left, folder gone)."""
        self.stop()
        self._watched = _identity(self._inbox)
        # Harmless (a new folder was met twice), and it comes with the innards of the library.
        warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)
        observer: InotifyObserver | None = None
        try:
            # Full events tell a file that was renamed in: a move with an empty source.
            observer = InotifyObserver(generate_full_events=True)
            observer.schedule(self._hints, self._inbox, recursive=True, event_filter=_TELLING)
            observer.start()
        except OSError as error:
            if observer is not None:
                # It has begun to read already.
                observer.stop()
            return f"no events for {names.shown(self._inbox)}: {error.strerror}; the regular scan goes on"
        self._observer = observer
        return None

    @property
    def alive(self) -> bool:
        """Whether all its threads live and watch the folder that is there now.

        A dead emitter or reader leaves its observer looking well, and a folder that was moved away is watched
        where it has gone.
        """
        observer = self._observer
        if observer is None:
            return False
        reader = observer._inotify_fd  # noqa: SLF001  it offers no other way to ask
        threads = (observer, reader, *observer.emitters)
        return len(threads) > 2 and all(one.is_alive() for one in threads) and _identity(self._inbox) == self._watched

    def stop(self) -> None:
        if self._observer is not None:
            observer, self._observer = self._observer, None
            observer.stop()
            observer.join(2.0)


def _identity(path: str) -> tuple[int, int] | None:
    """Which folder is at a path now; None: none that can be seen."""
    try:
        folder = disk.open_root(path)
    except OSError:
        return None
    try:
        found = disk.fstat(folder)
    finally:
        disk.close(folder)
    return found.st_dev, found.st_ino
