"""The original of a job: opened once after its claim, hashed, and uploaded from the same descriptor.

An upload *holds back the last block* until the hash of what was read and the file's stat agree with what was
hashed before. A process that knows it never gave out the last block knows that the service cannot have taken
the document.
"""

import hashlib
from collections.abc import Callable, Iterator

from daemon import disk, names
from daemon.errors import DocumentChangedError, TransferCutError


class Original:
    """An open, hashed original. Close it after use.

    Raises DocumentChangedError when it is written to while it is hashed, and TransferCutError when
    `stopping` says so meanwhile.
    """

    def __init__(self, descriptor: int, name: str, stopping: Callable[[], bool]) -> None:
        self.name = name
        self.extension = names.extension(name)
        self._descriptor = descriptor
        self._stopping = stopping
        try:
            self._shown = self._look()
            self.size = self._shown[0]
            self.sha256 = self._hash()
        except BaseException:
            self.close()
            raise

    def read(self) -> bytes:
        """The whole, for documents that are taken apart."""
        return b"".join(self.blocks())

    def blocks(self) -> Iterator[bytes]:
        """The bytes for one upload; the last block only after hash and stat agreed.

        Raises DocumentChangedError and TransferCutError (also when the file cannot be read for now); then the
        last block was never given out.
        """
        digest = hashlib.sha256()
        held = b""
        try:
            for block in self._read_on():
                if held:
                    yield held
                digest.update(block)
                held = block
        except OSError as error:
            raise TransferCutError(f"{self.name}: {error.strerror}") from error
        if digest.hexdigest() != self.sha256:
            raise DocumentChangedError(self.name)
        yield held

    def read_at(self, offset: int, length: int) -> bytes:
        """A piece, for looking at how the format begins and ends."""
        return disk.read(self._descriptor, length, offset)

    def close(self) -> None:
        disk.close(self._descriptor)

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for block in self._read_on():
            digest.update(block)
        return digest.hexdigest()

    def _read_on(self) -> Iterator[bytes]:
        """All blocks in order; an end that comes early, or another stat after the last block, is a change."""
        offset = 0
        while offset < self.size:
            if self._stopping():
                raise TransferCutError(self.name)
            block = disk.read(self._descriptor, min(disk.BLOCK, self.size - offset), offset)
            if not block:
                raise DocumentChangedError(self.name)
            offset += len(block)
            yield block
        if self._look() != self._shown:
            raise DocumentChangedError(self.name)

    def _look(self) -> tuple[int, int, int]:
        found = disk.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns
