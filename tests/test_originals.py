"""Originals: what was hashed is what is sent, or its last block never leaves."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import disk
from daemon.errors import DocumentChangedError, TransferCutError
from daemon.originals import Original

BLOCK = 16
SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "BLOCK", BLOCK)


def contents(size: int) -> bytes:
    return bytes(number % 251 for number in range(size))


def written(folder: Path, size: int) -> Path:
    path = folder / "Report.DOCX"
    path.write_bytes(contents(size))
    return path


def opened(path: Path, stopping: Callable[[], bool] = lambda: False) -> Original:
    return Original(disk.open_own(os.fspath(path)), path.name, stopping)


def upload(original: Original) -> tuple[bytes, type[BaseException] | None]:
    """What one upload gave out, and what ended it."""
    given = b""
    try:
        for block in original.blocks():
            given += block
    except (DocumentChangedError, TransferCutError) as error:
        return given, type(error)
    return given, None


def before_the_last(size: int) -> int:
    """The bytes in front of the last block."""
    return (max(0, size - 1) // BLOCK) * BLOCK


def append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"+")


def truncate(path: Path) -> None:
    os.truncate(path, max(0, path.stat().st_size - 1))


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    """Other bytes, the same size, and the time of the last change set back."""
    found = path.stat()
    with open(path, "r+b") as file:
        file.seek(max(0, found.st_size - 1))
        file.write(b"\xff" if found.st_size else b"")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def replace_all(path: Path) -> None:
    found = path.stat()
    path.write_bytes(b"\xff" * found.st_size)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


CHANGES = [append, truncate, empty, overwrite, replace_all]
# An empty file has nothing to overwrite, and the time of its last change may have coarse steps.
SOME_CHANGE = [(change, size) for change in CHANGES for size in SIZES if size or change is append]

# -- unchanged ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_what_was_hashed_is_what_is_sent(tmp_path: Path, size: int) -> None:
    """Whole, in order, and as often as wanted."""
    original = opened(written(tmp_path, size))

    assert (original.size, original.extension, original.name) == (size, "docx", "Report.DOCX")
    assert original.sha256 == hashlib.sha256(contents(size)).hexdigest()
    assert [upload(original), upload(original)] == [(contents(size), None)] * 2
    assert original.read() == contents(size)
    assert [original.read_at(0, 4), original.read_at(max(0, size - 4), 9)] == [contents(size)[:4], contents(size)[-4:]]
    original.close()


@pytest.mark.parametrize("size", SIZES)
def test_blocks_have_their_size(tmp_path: Path, size: int) -> None:
    """Full blocks and a last one that is never empty, but for an empty file."""
    blocks = list(opened(written(tmp_path, size)).blocks())

    assert [len(block) for block in blocks[:-1]] == [BLOCK] * (before_the_last(size) // BLOCK)
    assert len(blocks[-1]) == size - before_the_last(size)


@pytest.mark.parametrize("size", SIZES)
def test_short_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A file system that reads in smaller pieces changes nothing."""
    read = disk.read
    monkeypatch.setattr(disk, "read", lambda descriptor, length, offset: read(descriptor, min(length, 5), offset))

    assert upload(opened(written(tmp_path, size))) == (contents(size), None)


# -- changed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "size"), SOME_CHANGE)
def test_changed_before_the_upload(tmp_path: Path, change: Callable[[Path], None], size: int) -> None:
    """However somebody wrote to it after it was hashed, the last block is not given out."""
    path = written(tmp_path, size)
    original = opened(path)
    change(path)
    given, ended = upload(original)

    assert ended is DocumentChangedError
    assert len(given) <= before_the_last(size)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_changed_during_the_upload(tmp_path: Path, change: Callable[[Path], None], after: int) -> None:
    """The same in the middle of it, until the last block is read."""
    size = 3 * BLOCK + 5
    path = written(tmp_path, size)
    blocks = opened(path).blocks()
    given = b"".join(next(blocks) for _ in range(after))
    change(path)
    with pytest.raises(DocumentChangedError):
        given += b"".join(blocks)

    assert len(given) <= before_the_last(size)


def test_changed_after_the_last_look(tmp_path: Path) -> None:
    """What is given out then is what was hashed: it is in memory."""
    path = written(tmp_path, 2 * BLOCK)
    blocks = opened(path).blocks()
    given = next(blocks) + next(blocks)
    overwrite(path)

    assert given + b"".join(blocks) == contents(2 * BLOCK)


@pytest.mark.parametrize("change", [overwrite, replace_all])
@pytest.mark.parametrize("size", SIZES[1:])
def test_the_hash_sees_what_the_stat_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, change: Callable[[Path], None]
) -> None:
    """On a share whose times do not move, the bytes themselves tell."""
    path = written(tmp_path, size)
    shown = path.stat()
    monkeypatch.setattr(disk, "fstat", lambda _: shown)
    original = opened(path)
    change(path)
    given, ended = upload(original)

    assert ended is DocumentChangedError
    assert len(given) <= before_the_last(size)


@pytest.mark.parametrize(("change", "size"), [pair for pair in SOME_CHANGE if pair[0] in (append, truncate, empty)])
def test_changed_while_it_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, change: Callable[[Path], None]
) -> None:
    """Such an original is not made, and its descriptor is given back."""
    path = written(tmp_path, size)
    descriptor = disk.open_own(os.fspath(path))
    looks = [disk.fstat(descriptor)]

    def fstat(one: int) -> os.stat_result:
        if looks:
            change(path)
            return looks.pop()
        return os.fstat(one)

    monkeypatch.setattr(disk, "fstat", fstat)
    with pytest.raises(DocumentChangedError):
        Original(descriptor, path.name, lambda: False)

    assert is_closed(descriptor)


def is_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


# -- cut ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_stopping_cuts(tmp_path: Path, after: int) -> None:
    """When the daemon stops, the upload ends before its last block."""
    stops: list[bool] = []
    original = opened(written(tmp_path, 3 * BLOCK + 5), lambda: bool(stops))
    blocks = original.blocks()
    given = b"".join(next(blocks) for _ in range(after))
    stops.append(True)
    if after < 3:
        with pytest.raises(TransferCutError):
            next(blocks)
    # With three of four blocks out, the last one is read already: it may go.
    assert given == contents(after * BLOCK)


def test_stopping_cuts_the_hash(tmp_path: Path) -> None:
    """A stop does not wait for 20 GB to be hashed."""
    descriptor = disk.open_own(os.fspath(written(tmp_path, 3 * BLOCK)))
    with pytest.raises(TransferCutError):
        Original(descriptor, "x.txt", lambda: True)

    assert is_closed(descriptor)


@pytest.mark.parametrize("at", [0, BLOCK, 3 * BLOCK])
def test_a_share_that_goes_away_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """A read error in the middle of an upload is a proof, too, that the last block was not sent."""
    original = opened(written(tmp_path, 3 * BLOCK + 5))
    read = disk.read

    def failing(descriptor: int, length: int, offset: int) -> bytes:
        if offset >= at:
            raise OSError(errno.ESTALE, "Stale file handle")
        return read(descriptor, length, offset)

    monkeypatch.setattr(disk, "read", failing)
    given, ended = upload(original)

    assert ended is TransferCutError
    assert len(given) <= max(0, at - BLOCK)


def test_the_last_look_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the file cannot be looked at behind its last block, that one stays here."""
    original = opened(written(tmp_path, 2 * BLOCK))

    def failing(_: int) -> os.stat_result:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(disk, "fstat", failing)

    assert upload(original) == (contents(BLOCK), TransferCutError)


@pytest.mark.parametrize("what", ["fstat", "read"])
def test_what_cannot_be_read_gives_its_descriptor_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """An original that cannot be hashed says why, as often as it is tried, without keeping files open."""
    descriptor = disk.open_own(os.fspath(written(tmp_path, 5)))

    def failing(*_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(disk, what, failing)
    with pytest.raises(OSError, match="Input/output error"):
        Original(descriptor, "x.txt", lambda: False)

    assert is_closed(descriptor)
