"""The spool: results on local disk, whole and synced, before anything else is done with them.

`<job>.<part>` is the result of one part, `<job>.result` the banked result of the job; both get their name only
when they are whole and durable. Anything else (`.part`) is a try that may be forgotten.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator

from daemon import disk

_HEAD = 4096
# So much of the disk is left to the journal and to everybody else: 64 MB, on a small disk a tenth of it.
_RESERVE = 64_000_000
_RESERVE_SHARE = 0.1
_LOOK_EVERY = 8_000_000


class Sink:
    """Where one result goes. `head`, `size` and `sha256` describe what was written so far."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._name = name
        self._parent = disk.open_root(folder)
        self._descriptor = -1
        try:
            self.restart()
        except BaseException:
            self.close()
            raise

    def restart(self) -> None:
        """Forget what was written; a new try begins."""
        self._let_go()
        disk.unlink(self._parent, self._temporary)
        self._descriptor = disk.create_file(self._parent, self._temporary, 0o600)
        self._digest = hashlib.sha256()
        self.size = self._looked = 0
        self.head = b""

    def write(self, block: bytes) -> None:
        """Take the next bytes of the result. Raises ENOSPC while there is still room for the journal."""
        if self.size >= self._looked + _LOOK_EVERY or not self.size:
            self._looked = self.size
            room, whole = disk.room(self._parent)
            if room < min(_RESERVE, whole * _RESERVE_SHARE) + len(block):
                raise OSError(errno.ENOSPC, "too little room is left for results", self._folder)
        disk.write(self._descriptor, block)
        self._digest.update(block)
        self.size += len(block)
        if len(self.head) < _HEAD:
            self.head += block[: _HEAD - len(self.head)]

    def read_at(self, offset: int, length: int) -> bytes:
        """A piece of what was written, for looking at how the format ends."""
        descriptor = disk.open_own(os.path.join(self._folder, self._temporary))
        try:
            return disk.read(descriptor, length, offset)
        finally:
            disk.close(descriptor)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def finish(self) -> None:
        """The result is whole: make it durable and give it its name."""
        disk.sync(self._descriptor)
        disk.replace(self._parent, self._temporary, self._name)
        disk.sync_folder(self._parent)

    def close(self) -> None:
        """Give the descriptors back; an unfinished try is removed, its room may be needed."""
        self._let_go()
        with contextlib.suppress(OSError):
            disk.unlink(self._parent, self._temporary)
        disk.close(self._parent)

    def _let_go(self) -> None:
        """Close the file once: its number may be another file's soon."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            disk.close(descriptor)

    @property
    def _temporary(self) -> str:
        return f"{self._name}.part"


class Spool:
    """The folder `<state>/spool`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def sink(self, job: str, part: int) -> Iterator[Sink]:
        """A sink for the result of one part."""
        sink = Sink(self.folder, f"{job}.{part}")
        try:
            yield sink
        finally:
            sink.close()

    def has(self, job: str, part: int) -> bool:
        """Whether the result of a part is here, whole."""
        return disk.is_there(os.path.join(self.folder, f"{job}.{part}"))

    def has_result(self, job: str) -> bool:
        """Whether the result of the job itself is here, whole."""
        return disk.is_there(os.path.join(self.folder, f"{job}.result"))

    def part(self, job: str, part: int) -> bytes:
        """The result of one part, for documents that are put together."""
        return disk.read_own(os.path.join(self.folder, f"{job}.{part}"))

    def bank(self, job: str, assembled: bytes | None) -> tuple[str, int]:
        """Make the result of a job durable under its own name; returns (SHA-256, size).

        Without `assembled` the only part's result is the job's. Repeatable.
        """
        if assembled is not None:
            sink = Sink(self.folder, f"{job}.result")
            try:
                sink.write(assembled)
                sink.finish()
            finally:
                sink.close()
        elif self.has(job, 0):
            parent = disk.open_root(self.folder)
            try:
                disk.replace(parent, f"{job}.0", f"{job}.result")
                disk.sync_folder(parent)
            finally:
                disk.close(parent)
        return self._describe(job)

    @contextlib.contextmanager
    def result(self, job: str) -> Iterator[int]:
        """The banked result, open for reading. Raises FileNotFoundError."""
        descriptor = disk.open_own(os.path.join(self.folder, f"{job}.result"))
        try:
            yield descriptor
        finally:
            disk.close(descriptor)

    def forget(self, job: str, parts: int) -> None:
        """Remove everything of a job."""
        parent = disk.open_root(self.folder)
        try:
            for name in (f"{job}.result", *(f"{job}.{part}" for part in range(parts))):
                disk.unlink(parent, name)
                disk.unlink(parent, f"{name}.part")
        finally:
            disk.close(parent)

    def keep_only(self, jobs: set[str]) -> None:
        """Remove what belongs to no job that is alive."""
        parent = disk.open_root(self.folder)
        try:
            for entry in disk.list_folder(parent):
                if entry.name.split(".", 1)[0] not in jobs:
                    disk.unlink(parent, entry.name)
        finally:
            disk.close(parent)

    def _describe(self, job: str) -> tuple[str, int]:
        digest = hashlib.sha256()
        with self.result(job) as descriptor:
            size = disk.fstat(descriptor).st_size
            for offset in range(0, size, disk.BLOCK):
                digest.update(disk.read(descriptor, disk.BLOCK, offset))
        return digest.hexdigest(), size


def drop_unfinished(folder: str) -> None:
    """Remove what a crash left half-way, before anything is written: its room may be what is missing."""
    if not disk.is_there(folder):
        return
    parent = disk.open_root(folder)
    try:
        for name in disk.names_in(parent):
            if name.endswith(".part"):
                disk.unlink(parent, name)
    finally:
        disk.close(parent)
