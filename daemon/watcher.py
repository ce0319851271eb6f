"""Events from the file system, as hints: which language folder to look at now, and what was renamed in.

The only importer of watchdog. Its observer can die silently (an exception in a handler, a watched folder
moved away, no watches left), so its health is asked for, and the scan never depends on it.
"""

import os
import threading
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver

from daemon.names import shown

_MOST_HINTS = 4096
# A modification only restarts a rest, and the next look notices that by itself; the kernel is not even asked to
# tell of it, nor of the looks that our own scans take.
_TELLING = [FileCreatedEvent, FileMovedEvent, FileClosedEvent, DirCreatedEvent, DirMovedEvent]


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
        told = False
        for raw in (event.src_path, event.dest_path):
            path = os.fsdecode(raw)
            if path.startswith(self._inbox):
                self._note(path, whole=event.event_type == "moved" and raw == event.dest_path)
                told = True
        if told:
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

    def start(self) -> str | None:
        """Begin to watch; a sentence why not, if not (no watches left, folder gone)."""
        self.stop()
        # Full events tell a file that was renamed in: a move with an empty source.
        observer = InotifyObserver(generate_full_events=True)
        try:
            observer.schedule(self._hints, self._inbox, recursive=True, event_filter=_TELLING)
            observer.start()
        except OSError as error:
            return f"no events for {shown(self._inbox)}: {error.strerror}; the regular scan goes on"
        self._observer = observer
        return None

    @property
    def alive(self) -> bool:
        """Whether observer and emitters live; a dead emitter leaves its observer looking well."""
        if self._observer is None or not self._observer.is_alive():
            return False
        emitters = self._observer.emitters
        return bool(emitters) and all(emitter.is_alive() for emitter in emitters)

    def stop(self) -> None:
        if self._observer is not None:
            observer, self._observer = self._observer, None
            observer.stop()
            observer.join(2.0)
