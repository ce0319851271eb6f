"""What people and programs do to a drop while it is on its way: nothing is lost, mixed up or sent half."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import disk, kernel
from daemon.job import State
from daemon.stability import Settle
from tests.builders import Bench, in_memory
from tests.hostile.inbox import TEXT, Line, opened

OTHER = b"other text\n"
LONG = bytes(range(256)) * 4096 * 3  # three blocks of an upload


@pytest.fixture
def line(line: Line) -> Line:
    """A service that takes documents of any size."""
    line.service.take(None)
    return line


def original(line: Line) -> Path:
    """Where the only claimed file lies."""
    (path,) = line.files("processing")
    return line.root / "processing" / path


def hashes(line: Line) -> list[str]:
    """The hashes of what was about to be submitted, as the journal has them."""
    text = (line.base / "state/journal.jsonl").read_text()
    records = [json.loads(one) for one in text.splitlines()]
    return [record["sha256"] for record in records if record["event"] == "submitting"]


# -- while it is copied -----------------------------------------------------------------------------------------


def replaced(path: Path) -> bytes:
    aside = path.with_name(".aside")
    aside.write_bytes(OTHER)
    aside.rename(path)
    return OTHER


def truncated(path: Path) -> bytes:
    os.truncate(path, 4)
    return TEXT[:4]


def begun_anew(path: Path) -> bytes:
    path.write_bytes(OTHER)
    return OTHER


def grown(path: Path) -> bytes:
    with path.open("ab") as file:
        file.write(OTHER)
    return TEXT + OTHER


@pytest.mark.parametrize("change", [replaced, truncated, begun_anew, grown])
def test_changed_while_it_is_copied(line: Line, change: Callable[[Path], bytes]) -> None:
    """Every change begins the rest anew; what is sent in the end is what lies there in the end."""
    drop = line.drop("acme/fr/report.txt")
    line.scan()
    line.clock.advance(0.9)
    final = change(drop)
    assert line.scan() == 0
    line.clock.advance(0.9)
    assert line.scan() == 0
    assert [row["why"] for row in line.status["resting"]] == ["settling"]
    line.live()

    assert line.sent == line.kept == [final]
    assert line.files("outbox") == {"acme/fr/report.txt": final}


def test_deleted_while_it_is_copied(line: Line) -> None:
    """Taken back before its rest was over, it was never there."""
    drop = line.drop("acme/fr/report.txt")
    line.scan()
    drop.unlink()
    line.live()

    assert line.sent == []
    assert line.status["resting_total"] == line.status["ignored_total"] == 0
    assert line.codes == {}


@pytest.mark.parametrize("to", ["fr/renamed.txt", "de/report.txt", "fr/sub/report.txt"])
def test_renamed_or_moved_while_it_is_copied(line: Line, to: str) -> None:
    """Under its new name, or in its new language, it rests anew and comes back from there alone."""
    drop = line.drop("acme/fr/report.txt")
    line.scan()
    target = line.root / "inbox/acme" / to
    target.parent.mkdir(exist_ok=True)
    drop.rename(target)
    line.live()

    assert line.sent == [TEXT]
    assert line.files("outbox") == {f"acme/{to}": TEXT}


def test_half_a_file_under_a_name_of_its_own(line: Line) -> None:
    """Programs that copy under another name first are waited for, however long that takes."""
    half = line.drop("acme/fr/report.txt.part")
    line.live(100, 10)
    assert line.jobs == []
    half.rename(half.with_name("report.txt"))
    line.live()

    assert line.files("outbox") == {"acme/fr/report.txt": TEXT}


def test_a_whole_tree_moved_in_and_moved_on(line: Line) -> None:
    """A tree that is moved to another language while it rests comes back from there, every file once."""
    expected = {}
    for number in range(20):
        path = line.base / f"tree/{number % 3}/{number % 2}/{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text %d\n" % number)
        expected[f"acme/de/tree/{path.relative_to(line.base / 'tree')}"] = b"text %d\n" % number
    (line.base / "tree").rename(line.root / "inbox/acme/fr/tree")
    line.scan()
    (line.root / "inbox/acme/de").mkdir(exist_ok=True)
    (line.root / "inbox/acme/fr/tree").rename(line.root / "inbox/acme/de/tree")
    line.live()

    assert line.files("outbox") == expected
    assert len(line.sent) == len(expected)


# -- between claim and upload, and during it --------------------------------------------------------------------


def test_a_writer_who_still_has_it_open_after_the_claim(tmp_path: Path) -> None:
    """Where a lease proves nothing a file may be claimed while it is written to: it is sent when it is closed."""
    with Line(tmp_path, settle=Settle.on(network=True)) as line:
        line.start()
        drop = line.drop("acme/fr/report.txt")
        with drop.open("ab", buffering=0) as writer, pytest.MonkeyPatch.context() as blind:
            blind.setattr(kernel, "take_lease", lambda _descriptor: "unavailable")
            line.settle(11)
            assert line.files("processing") != {}
            blind.undo()
            for _ in range(3):
                writer.write(OTHER)
                line.live(3)
                assert line.waits == ["drop.busy"]
            assert line.sent == []
        line.live()

        assert line.sent == [TEXT + OTHER * 3]
        assert hashes(line) == [hashlib.sha256(TEXT + OTHER * 3).hexdigest()]
        assert line.files("outbox") == {"acme/fr/report.txt": TEXT + OTHER * 3}


def test_a_writer_on_another_machine_goes_on_after_the_claim(tmp_path: Path) -> None:
    """Where nothing proves that nobody writes, a file that grew since its claim rests until two looks agree."""
    with Line(tmp_path, settle=Settle.on(network=True)) as line, pytest.MonkeyPatch.context() as blind:
        blind.setattr(kernel, "take_lease", lambda _descriptor: "unavailable")
        line.start()
        line.drop("acme/fr/report.txt")
        line.settle(11)
        for _ in range(3):
            with original(line).open("ab") as writer:
                writer.write(OTHER)
            line.live(6)
            assert line.waits == ["drop.changing"]
            assert line.sent == []
        line.live(90)

        assert line.sent == line.kept == [TEXT + OTHER * 3]


@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize("keep_times", [False, True], ids=["times move", "times stay"])
def test_written_to_while_it_is_uploaded(line: Line, block: int, keep_times: bool) -> None:
    """The upload is cut before its last block, proven not accepted, and the file is taken anew, once, whole."""
    line.drop("acme/fr/report.txt", LONG)
    line.settle()
    path = original(line)
    final = LONG[:-10] + b"*" * 10
    cut: list[int] = []

    def write(number: int) -> None:
        if number == block and not cut:
            cut.append(number)
            before = path.stat()
            with path.open("r+b") as file:
                file.seek(-10, os.SEEK_END)
                file.write(b"*" * 10)
            if keep_times:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    line.service.between = write
    line.work()
    assert line.sent == []
    assert line.waits == ["drop.changing"]
    line.live(60)

    assert cut == [block]
    assert line.sent == line.kept == [final]
    assert [one == hashlib.sha256(final).hexdigest() for one in hashes(line)] == [False, True]


@pytest.mark.parametrize("change", [truncated, begun_anew, grown])
def test_written_to_between_claim_and_upload(line: Line, change: Callable[[Path], bytes]) -> None:
    """What is hashed, sent and kept is one and the same, whatever the file was at its claim."""
    line.drop("acme/fr/report.txt")
    line.settle()
    final = change(original(line))
    line.live(60)

    assert line.sent == line.kept == [final]
    assert hashes(line) == [hashlib.sha256(final).hexdigest()]


def test_emptied_between_claim_and_upload(line: Line) -> None:
    """Nothing is sent of nothing."""
    line.drop("acme/fr/report.txt")
    line.settle()
    os.truncate(original(line), 0)
    line.live(60)

    assert line.sent == []
    assert line.codes == {"fr/report.txt": "drop.empty"}


def test_taken_away_between_claim_and_upload(line: Line) -> None:
    """The reason lies in `failed/`, alone; the next drop of that name is a new one."""
    line.drop("acme/fr/report.txt")
    line.settle()
    original(line).unlink()
    line.work()
    assert line.codes == {"fr/report.txt": "drop.gone"}
    line.drop("acme/fr/report.txt")
    line.live()

    assert line.sent == [TEXT]
    assert line.codes == {}


def test_a_share_that_fails_in_the_middle_of_an_upload(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be read to its end was not accepted, and is sent again when it can be read."""
    line.drop("acme/fr/report.txt", LONG)
    line.settle()
    real, seen = disk.read, Counter[int]()

    def read(descriptor: int, length: int, offset: int) -> bytes:
        seen[offset] += 1
        if seen[offset] == 2 and offset > 0:
            raise OSError(5, "Input/output error")
        return real(descriptor, length, offset)

    with monkeypatch.context() as broken:
        broken.setattr(disk, "read", read)
        line.work()
    assert line.sent == []
    assert line.waits == ["drop.unreadable"]
    line.live(60)

    assert line.sent == [LONG]


# -- the same name twice ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [TEXT, OTHER], ids=["same bytes", "other bytes"])
@pytest.mark.parametrize("moment", ["before the claim", "during the upload", "in flight", "after delivery"])
def test_the_same_name_twice(line: Line, moment: str, second: bytes) -> None:
    """Before the claim the second is the one; later it is a job of its own, with a result of its own."""
    line.drop("acme/fr/report.txt")
    if moment == "before the claim":
        line.scan()
        line.clock.advance(0.5)
    elif moment == "during the upload":
        line.service.between = lambda _: line.sent or line.drop("acme/fr/report.txt", second)
        line.live(2)
        line.service.between = lambda _: None
    elif moment == "in flight":
        line.live(2)
    else:
        line.live()
    line.drop("acme/fr/report.txt", second)
    line.live(20)
    results = line.files("outbox")

    if moment == "before the claim":
        assert line.sent == line.kept == [second]
        assert results == {"acme/fr/report.txt": second}
    else:
        assert line.sent == [TEXT, second]
        assert line.kept == sorted([TEXT, second])
        assert results == {"acme/fr/report.txt": TEXT, "acme/fr/report (2).txt": second}
        assert line.files("archive") == results


def test_a_failed_file_dropped_back_with_everything_beside_it(line: Line) -> None:
    """The whole content of `failed/` moved back: originals are tried again, sidecars are not translated."""
    for name in ("a.xyz", "b.xyz", "ü" * 120 + ".xyz"):
        line.drop(f"acme/fr/{name}")
    line.live()
    assert len(line.codes) == 3
    for path in (line.root / "failed/acme/fr").iterdir():
        path.rename(line.root / "inbox/acme/fr" / path.name)
    line.live()

    assert len(line.codes) == 3
    assert line.files("inbox") == {}
    assert len(line.kept) == 3
    assert line.sent == []


@pytest.mark.parametrize("name", ["report.xyz.error.json", "copy of it.error.json", "sub/report.xyz.error.json"])
def test_our_own_sidecars_are_never_documents(line: Line, name: str) -> None:
    """Whatever it is called, as long as it ends like one: it stays where it is, and costs nothing."""
    line.drop("acme/fr/report.xyz")
    line.live()
    sidecar = line.root / "failed/acme/fr/report.xyz.error.json"
    target = line.root / "inbox/acme/fr" / name
    target.parent.mkdir(exist_ok=True)
    sidecar.rename(target)
    line.live(100, 5)

    assert list(line.files("inbox")) == [f"acme/fr/{name}"]
    assert line.sent == []
    assert line.codes == {}


# -- folders that go ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["inbox", "outbox", "archive"])
@pytest.mark.parametrize("depth", ["acme/fr/sub", "acme/fr", "acme"])
def test_a_folder_deleted_while_work_is_in_flight(line: Line, top: str, depth: str) -> None:
    """What is in flight is delivered and kept, in folders made anew; other languages do not notice."""
    line.drop("acme/fr/sub/report.txt")
    line.drop("acme/de/report.txt", OTHER)
    line.live(2)
    assert [job.state for job in line.jobs] == [State.IN_FLIGHT] * 2
    shutil.rmtree(line.root / top / depth, ignore_errors=True)
    line.live(10)

    assert line.files("outbox") == {"acme/fr/sub/report.txt": TEXT, "acme/de/report.txt": OTHER}
    assert line.files("archive") == line.files("outbox")
    assert line.jobs == []


@pytest.mark.parametrize("depth", ["{job}", "", "..", "../.."])
def test_processing_deleted_while_work_is_in_flight(line: Line, depth: str) -> None:
    """The translation is delivered all the same, though its original is gone; nothing is sent again."""
    line.drop("acme/fr/sub/report.txt")
    line.live(2)
    (job,) = line.jobs
    shutil.rmtree(os.path.normpath(line.root / "processing/acme/fr" / depth.format(job=job.id)))
    line.live(10)

    assert line.files("outbox") == {"acme/fr/sub/report.txt": TEXT}
    assert line.sent == [TEXT]
    assert line.jobs == []
    line.drop("acme/fr/next.txt")
    line.live(10)
    assert line.files("outbox")["acme/fr/next.txt"] == TEXT


@pytest.mark.parametrize("name", ["report.txt", "sub/report.txt"])
def test_failed_deleted_while_it_fails(line: Line, name: str) -> None:
    """The folder is made anew, and what it shall say is said."""
    shutil.rmtree(line.root / "failed")
    line.drop(f"acme/fr/{name}x")
    line.live()

    assert line.codes == {f"fr/{name}x": "drop.type"}


# -- many -------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_ten_thousand_files_are_delivered_once_each() -> None:
    """One scan sees them all, another one claims them all, and each comes back where it belongs."""
    with in_memory() as base, Line(base) as line:
        line.start()
        expected = {}
        for number in range(10_000):
            path = f"acme/{('fr', 'de')[number % 2]}/{number % 97}/{number}.txt"
            expected[path] = b"text %d\n" % number
            line.drop(path, expected[path])
        assert line.scan() == 0
        assert line.status["resting_total"] == 10_000
        line.clock.advance(1)
        assert line.scan() == 10_000
        line.live(20, 5)

        assert line.files("outbox") == line.files("archive") == expected
        assert sorted(line.sent) == sorted(expected.values())
        assert line.jobs == []
        assert line.files("processing") == line.files("inbox") == {}


def test_a_scan_opens_nothing_that_still_rests(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many drops lie there: a look at a folder is a listing, and a drop is opened when its rest is over."""
    for number in range(300):
        line.drop(f"acme/fr/{number % 7}/{number}.txt", b"%d" % number)
    touched = opened(monkeypatch)
    for _ in range(5):
        line.scan()
        line.clock.advance(0.1)
    assert touched == []
    line.clock.advance(1)
    line.scan()

    assert len(touched) == len(set(touched)) == 300


def test_who_is_not_configured_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Unknown providers and languages beside each other: files of the first stay, of the second fail, at once."""
    with Bench(tmp_path) as bench:
        bench.start()
        for path in ("nobody/fr/a.txt", "ACME/fr/a.txt", "acme /fr/a.txt", "acme/xx-nowhere/a.txt", "acme/fr/a.txt"):
            bench.drop(path)
        bench.settle()
        bench.finish()

        assert [job.folder for job in bench.jobs] == ["fr"]
        assert set(bench.intake.left) == {"inbox/nobody", "inbox/ACME", "inbox/acme "}
        assert set(bench.files("inbox")) == {"nobody/fr/a.txt", "ACME/fr/a.txt", "acme /fr/a.txt"}
        assert set(bench.files("failed")) == {"acme/xx-nowhere/a.txt.error.json", "acme/xx-nowhere/a.txt"}
