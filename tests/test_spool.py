"""The spool: a result has its name when it is whole and durable, and never before."""

import contextlib
import errno
import hashlib
import os
from pathlib import Path

import pytest

from daemon import disk
from daemon.spool import Sink, Spool, drop_unfinished
from tests.effects import HOWS, Crash, Effects, How

JOB = "01hzy0000000000a"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    folder = tmp_path / "spool"
    folder.mkdir()
    return Spool(os.fspath(folder))


def put(spool: Spool, part: int, data: bytes, job: str = JOB) -> None:
    with spool.sink(job, part) as sink:
        sink.write(data)
        sink.finish()


def files(spool: Spool) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(spool.folder).iterdir())}


def open_files() -> list[str]:
    """What the process has open, by descriptor."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return sorted(one for one in found if "/proc/" not in one)


def read(spool: Spool) -> bytes:
    with spool.result(JOB) as descriptor:
        return disk.read(descriptor, 1 << 20, 0)


# -- sinks ----------------------------------------------------------------------------------------------------------


def test_a_result_on_its_way(spool: Spool) -> None:
    """Size, hash, beginning and any piece are known while it is written; its name is not there yet."""
    data = bytes(range(256)) * 40
    with spool.sink(JOB, 0) as sink:
        for at in range(0, len(data), 1000):
            sink.write(data[at : at + 1000])

        assert (sink.size, sink.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert (sink.head, sink.read_at(9000, 100)) == (data[:4096], data[9000:9100])
        assert (spool.has(JOB, 0), files(spool)) == (False, {f"{JOB}.0.part": data})
        sink.finish()

    assert (spool.has(JOB, 0), spool.part(JOB, 0), files(spool)) == (True, data, {f"{JOB}.0": data})
    assert (Path(spool.folder) / f"{JOB}.0").stat().st_mode & 0o777 == 0o600


def test_a_new_try_forgets_the_old(spool: Spool) -> None:
    """After `restart` nothing of what came before counts, nor does a try of an earlier process."""
    (Path(spool.folder) / f"{JOB}.0.part").write_bytes(b"of a killed process")
    with spool.sink(JOB, 0) as sink:
        sink.write(b"an error page")
        sink.restart()

        assert (sink.size, sink.head, sink.sha256) == (0, b"", hashlib.sha256().hexdigest())
        sink.write(b"the result")
        sink.finish()

    assert files(spool) == {f"{JOB}.0": b"the result"}


def test_an_unfinished_try_stays_invisible(spool: Spool) -> None:
    """A sink that is closed without `finish` has no result, and an older whole one stays."""
    put(spool, 0, b"whole")
    with contextlib.suppress(KeyError), spool.sink(JOB, 0) as sink:
        sink.write(b"half")
        raise KeyError

    assert spool.part(JOB, 0) == b"whole"


@pytest.mark.parametrize("how", HOWS)
def test_durable_before_it_has_its_name(tmp_path: Path, spool: Spool, how: How) -> None:
    """Whenever the power goes, the name leads to the whole result or is not there."""
    number, stopped = 0, True
    while stopped:
        number += 1
        with Effects(tmp_path, stop_at=number, how=how) as effects:
            with contextlib.suppress(Crash):
                put(spool, 0, b"the whole result")
            stopped = effects.stopped
            left = effects.lost_power(tmp_path.with_name(f"{tmp_path.name}-{number}")) / "spool" / f"{JOB}.0"

            assert not left.exists() or left.read_bytes() == b"the whole result"
            assert stopped or left.exists()
        spool.forget(JOB, 1)

    assert number == 7


def test_a_failed_sync_gives_no_name(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result whose sync failed is none; the next try writes a new file."""

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch, spool.sink(JOB, 0) as sink:
        patch.setattr(disk, "sync", failing)
        sink.write(b"lost")
        with pytest.raises(OSError, match="Input/output error"):
            sink.finish()

    assert not spool.has(JOB, 0)
    put(spool, 0, b"whole")
    assert spool.part(JOB, 0) == b"whole"


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_no_files_open(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink that cannot be made is tried again for hours, and costs nothing."""
    before = open_files()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "create_file", _full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                Sink(spool.folder, f"{JOB}.0")

    assert open_files() == before


def test_a_failed_restart_closes_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of a closed file may be another file's by then, which must stay open."""
    with spool.sink(JOB, 0) as sink, monkeypatch.context() as patch:
        patch.setattr(disk, "create_file", _full)
        with pytest.raises(OSError, match="No space left"):
            sink.restart()
        others = [disk.open_own(os.devnull) for _ in range(3)]
    found = [os.readlink(f"/proc/self/fd/{other}") for other in others]

    assert found == [os.devnull] * 3
    for other in others:
        disk.close(other)


@pytest.mark.parametrize("finish", [True, False])
def test_descriptors_are_given_back(spool: Spool, finish: bool) -> None:
    """Sinks, banks and looks leave nothing open, however they end."""
    before = open_files()
    with contextlib.suppress(KeyError), spool.sink(JOB, 0) as sink:
        sink.write(b"x")
        sink.read_at(0, 1)
        if not finish:
            raise KeyError
        sink.finish()
    with contextlib.suppress(FileNotFoundError):
        spool.bank(JOB, None)
        read(spool)
    spool.bank(JOB, b"assembled")
    spool.forget(JOB, 1)
    spool.keep_only(set())

    assert open_files() == before


# -- the bank -------------------------------------------------------------------------------------------------------


def test_banking_the_only_part(spool: Spool) -> None:
    """Its result is the job's; saying so again changes nothing."""
    put(spool, 0, b"the result")
    expected = hashlib.sha256(b"the result").hexdigest(), 10

    assert [spool.bank(JOB, None), spool.bank(JOB, None)] == [expected] * 2
    assert (read(spool), files(spool)) == (b"the result", {f"{JOB}.result": b"the result"})


def test_banking_what_was_put_together(spool: Spool) -> None:
    """The parts stay until the job ends; a repetition replaces the result."""
    for part, data in enumerate([b"one ", b"two"]):
        put(spool, part, data)
    for assembled in (b"one two", b"one two three"):
        assert spool.bank(JOB, assembled) == (hashlib.sha256(assembled).hexdigest(), len(assembled))
        assert read(spool) == assembled

    assert [spool.part(JOB, part) for part in range(2)] == [b"one ", b"two"]


def test_banking_what_was_fetched_again(spool: Spool) -> None:
    """A crash before `banked` was durable: the part is fetched again, and the newer one counts."""
    put(spool, 0, b"older")
    spool.bank(JOB, None)
    put(spool, 0, b"newer")
    spool.bank(JOB, None)

    assert read(spool) == b"newer"


def test_large_results_are_described_whole(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash and size are those of the file, block by block."""
    monkeypatch.setattr(disk, "BLOCK", 7)
    data = bytes(range(100))
    put(spool, 0, data)

    assert spool.bank(JOB, None) == (hashlib.sha256(data).hexdigest(), 100)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("assembled", [None, b"the result"])
def test_crash_at_every_effect_of_banking(tmp_path: Path, spool: Spool, how: How, assembled: bytes | None) -> None:
    """Killed or without power at any of them: the result is there as part or as whole, and banking goes on."""
    put(spool, 0, b"the result")
    number, stopped = 0, True
    while stopped:
        number += 1
        with Effects(tmp_path, stop_at=number, how=how) as effects:
            with contextlib.suppress(Crash):
                spool.bank(JOB, assembled)
            stopped = effects.stopped
            dark = effects.lost_power(tmp_path.with_name(f"{tmp_path.name}-{number}")) / "spool"
        for folder in (spool.folder, os.fspath(dark)):
            again = Spool(folder)
            again.bank(JOB, assembled)

            assert read(again) == b"the result"
        spool.forget(JOB, 1)
        put(spool, 0, b"the result")

    assert number > 2


def test_nothing_to_bank(spool: Spool) -> None:
    """Without a result there is none to describe or to read."""
    with pytest.raises(FileNotFoundError):
        spool.bank(JOB, None)
    with pytest.raises(FileNotFoundError):
        read(spool)


# -- tidying up -----------------------------------------------------------------------------------------------------


def test_forget(spool: Spool) -> None:
    """Everything of a job goes, tries included; other jobs stay, and once more does no harm."""
    put(spool, 0, b"0")
    put(spool, 1, b"1")
    put(spool, 0, b"other", "01hzy0000000000b")
    with spool.sink(JOB, 2) as sink:
        sink.write(b"try")
    spool.bank(JOB, b"01")
    spool.forget(JOB, 3)
    spool.forget(JOB, 3)

    assert files(spool) == {"01hzy0000000000b.0": b"other"}


def test_keep_only(spool: Spool) -> None:
    """At a start everything goes that belongs to no job alive."""
    for job in ("01hzy0000000000b", JOB):
        put(spool, 0, b"0", job)
        spool.bank(job, b"0")
        with spool.sink(job, 1) as sink:
            sink.write(b"try")
    spool.keep_only({JOB})

    assert sorted(files(spool)) == [f"{JOB}.0", f"{JOB}.result"]


def test_an_unfinished_try_takes_no_room(spool: Spool) -> None:
    """What was not finished is removed at once, and what a crash left is removed before anything is written."""
    with spool.sink(JOB, 0) as sink:
        sink.write(b"half")

    assert files(spool) == {}

    (Path(spool.folder) / f"{JOB}.0.part").write_bytes(b"of a killed process")
    drop_unfinished(spool.folder)

    assert files(spool) == {}


def test_results_leave_room_for_the_journal(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that would fill the disk is refused while there is still room for everything else."""
    monkeypatch.setattr(disk, "room", lambda _folder: (1_000_000, 2_000_000_000))
    with spool.sink(JOB, 0) as sink, pytest.raises(OSError, match="too little room") as raised:
        sink.write(b"x")

    assert raised.value.errno == errno.ENOSPC
    assert files(spool) == {}
