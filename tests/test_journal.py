"""The journal on a real disk: durable on return, shared syncs, final failures, torn tails and damage."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon import disk, journal, records
from daemon.errors import StateError
from daemon.job import IllegalMoveError, Job, PartStage, State
from daemon.journal import Identity, Journal, JournalBrokenError
from tests import lives
from tests.clocks import FakeClock
from tests.effects import Effects
from tests.lives import Step, accepted, claimed, failed, ready, submitting

IDENTITY = Identity(state="s1", root="r1")
JOB = "01hzy0000000000a"
OTHER = "01hzy0000000000b"
_SOON_S = 10.0


def opened(folder: Path, clock: FakeClock | None = None) -> Journal:
    clock = clock or FakeClock()
    if journal.exists(os.fspath(folder)):
        return journal.load(os.fspath(folder), clock)[0]
    return journal.create(os.fspath(folder), clock, IDENTITY)


def live(book: Journal, steps: list[Step], job: str = JOB) -> Job:
    """Append a life; the job after it."""
    for name, data in steps:
        after = book.append(job, name, **data)
    return after


def book_file(folder: Path) -> Path:
    return folder / journal.NAME


@contextlib.contextmanager
def patched(name: str, effect: Callable[..., Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, name, effect)
        yield


# -- what an append promises ----------------------------------------------------------------------------------------


def test_a_new_journal(tmp_path: Path) -> None:
    """It knows whose state it is, nothing else, and stands durably under its name."""
    with Effects(tmp_path) as effects:
        book = opened(tmp_path)

    assert (book.identity, book.alive(), book.rooted, book.taking_over) == (IDENTITY, [], False, False)
    assert effects.durable(journal.NAME) == book_file(tmp_path).read_bytes()
    assert book_file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_append_is_durable_on_return(tmp_path: Path) -> None:
    """When `append` and `note` return, a power loss cannot take the event any more."""
    book = opened(tmp_path)
    with Effects(tmp_path) as effects:
        for name, data in lives.DELIVERED_LIFE:
            book.append(JOB, name, **data)

            assert f'"event":"{name}"' in effects.durable(journal.NAME).decode().splitlines()[-1]
        book.note("rooted")

        assert '"event":"rooted"' in effects.durable(journal.NAME).decode()
    assert effects.done.count("sync") == len(lives.DELIVERED_LIFE) + 1


def test_what_append_returns_is_what_is_read_later(tmp_path: Path) -> None:
    """Jobs are the fold of their events: in memory and after a start they are the same, to the moment."""
    clock = FakeClock(datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC))
    book = opened(tmp_path, clock)
    after = live(book, [claimed("tëxt\udcff.txt"), submitting(0, 2), accepted(cost=0.1), submitting(1, 2)])
    known = book.get(JOB)
    book.close()

    assert known == after == opened(tmp_path, clock).get(JOB)
    assert after.name == "tëxt\udcff.txt"


def test_an_illegal_move_writes_nothing(tmp_path: Path) -> None:
    """Neither the file nor the job changes, and the next event is taken."""
    book = opened(tmp_path)
    live(book, [claimed()])
    before = book_file(tmp_path).read_bytes()
    with pytest.raises(IllegalMoveError, match="banked while claimed"):
        live(book, [lives.banked()])

    assert book_file(tmp_path).read_bytes() == before
    live(book, [submitting()])
    book.close()

    assert opened(tmp_path).alive()[0].state is State.SUBMITTING


def test_what_cannot_be_written_leaves_no_gap(tmp_path: Path) -> None:
    """An event that is no JSON is refused, and the lines behind it still follow each other."""
    book = opened(tmp_path)
    live(book, [claimed(), submitting()])
    with pytest.raises(TypeError):
        book.append(JOB, "accepted", part=0, ref="r0", when=object())
    with pytest.raises(TypeError):
        book.note("rooted", when=object())
    live(book, [accepted()])
    book.close()
    again, jobs, torn = journal.load(os.fspath(tmp_path), FakeClock())

    assert (torn, [job.state for job in jobs], again.rooted) == (0, [State.IN_FLIGHT], False)


def test_an_ended_job_stays_ended(tmp_path: Path) -> None:
    """Its id is not taken for a new claim: no journal would load with such a line."""
    book = opened(tmp_path)
    live(book, lives.DELIVERED_LIFE)
    for steps in ([claimed()], [failed()]):
        with pytest.raises(IllegalMoveError, match="for a job that has ended"):
            live(book, steps)
    book.close()

    assert (opened(tmp_path).alive(), book.get(JOB)) == ([], None)


def test_alive_oldest_first(tmp_path: Path) -> None:
    """Jobs that are not closed, by their ids; a closed one is not known any more."""
    book = opened(tmp_path)
    for job in ("0c", "0a", "0b"):
        live(book, [claimed()], job)
    live(book, lives.REJECTED_LIFE[1:], "0b")

    assert [job.id for job in book.alive()] == ["0a", "0c"]
    assert (book.get("0b"), book.ended) == (None, 1)


def test_watchers_see_every_event(tmp_path: Path) -> None:
    """Each change once, in order, with the job before and after it."""
    book = opened(tmp_path)
    seen: list[tuple[Job | None, Job]] = []
    book.watch(lambda before, after: seen.append((before, after)))
    live(book, lives.DELIVERED_LIFE)
    afters = [after for _, after in seen]

    assert [before for before, _ in seen] == [None, *afters[:-1]]
    assert [after.state.value for after in afters][-3:] == ["publishing", "delivered", "closed"]


def test_notes(tmp_path: Path) -> None:
    """What belongs to no job is known after a start: the root's marker, and a take-over that has not ended."""
    book = opened(tmp_path)
    seen = [(book.rooted, book.taking_over)]
    for note in ("rooted", "taking_over", "rooted", "took_over"):
        book.note(note)
        book.close()
        again = opened(tmp_path)
        seen.append((again.rooted, again.taking_over))

        assert (again.rooted, again.taking_over) == (book.rooted, book.taking_over)
        book = again

    assert seen == [(False, False), (True, False), (True, True), (True, True), (True, False)]


def test_closed_for_good(tmp_path: Path) -> None:
    """After `close` nothing is written; closing again does no harm, not even to another file."""
    book = opened(tmp_path)
    book.close()
    with open(os.devnull, "rb") as reused:
        book.close()

        assert os.fstat(reused.fileno())
    with pytest.raises(JournalBrokenError):
        live(book, [claimed()])
    with pytest.raises(JournalBrokenError):
        book.compact()

    assert opened(tmp_path).alive() == []


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_readable_with_jq(tmp_path: Path) -> None:
    """People build on it: one object a line, names that are no UTF-8 included."""
    book = opened(tmp_path)
    live(book, [claimed("b\udcffd.txt"), *lives.DELIVERED_LIFE[1:]])
    jq = subprocess.run(
        ["jq", "-r", "[.seq, .event, .job] | @tsv", book_file(tmp_path)], capture_output=True, text=True, check=True
    )
    rows = [line.split("\t") for line in jq.stdout.splitlines()]

    assert rows[0][1] == "opened"
    assert rows[1:] == [[str(seq), name, JOB] for seq, (name, _) in enumerate(lives.DELIVERED_LIFE, start=2)]


# -- many at once ---------------------------------------------------------------------------------------------------


class HeldSync:
    """Syncs that do not begin before `queued` events wait, and then do what `effect` says."""

    def __init__(self, queued: int, effect: Callable[[int], None] = disk.sync) -> None:
        self.syncs = 0
        self._left = queued
        self._all = threading.Event()
        self._effect = effect
        self._encode = records.encode

    def encode(self, *arguments: Any) -> bytes:
        line = self._encode(*arguments)
        self._left -= 1
        if self._left == 0:
            self._all.set()
        return line

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        assert self._all.wait(_SOON_S)
        self._effect(descriptor)

    @contextlib.contextmanager
    def held(self) -> Iterator["HeldSync"]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(records, "encode", self.encode)
            patch.setattr(disk, "sync", self.sync)
            yield self


def _at_once(calls: list[Callable[[], Job]]) -> list[Future[Job]]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [pool.submit(call) for call in calls]


def test_group_commit(tmp_path: Path) -> None:
    """Everybody who appends while a sync runs shares the next one."""
    book = opened(tmp_path)
    ids = [f"{number:016d}" for number in range(12)]
    with HeldSync(len(ids)).held() as disk_seen:
        futures = _at_once([partial(live, book, [claimed()], job) for job in ids])

    assert sorted(future.result().id for future in futures) == ids
    assert disk_seen.syncs == 2
    book.close()

    assert [job.id for job in opened(tmp_path).alive()] == ids


def test_two_parts_at_once(tmp_path: Path) -> None:
    """Events of one job that share a sync build on each other, in memory as in the file."""
    book = opened(tmp_path)
    live(book, [claimed(), *(submitting(part, 3) for part in range(3)), *(accepted(part) for part in range(3))])
    seen: list[tuple[Job | None, Job]] = []
    book.watch(lambda before, after: seen.append((before, after)))
    with HeldSync(3).held():
        futures = _at_once([partial(live, book, [ready(part)]) for part in range(3)])
    states = sorted(future.result().state.value for future in futures)
    after = book.get(JOB)
    book.close()

    assert states == ["in_flight", "in_flight", "ready"]
    assert after is not None
    assert [part.stage for part in after.parts] == [PartStage.READY] * 3
    assert after == opened(tmp_path).get(JOB)
    assert [before for before, _ in seen[1:]] == [after for _, after in seen[:-1]]


def test_one_job_in_three_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event builds on those that are still on their way, also when an earlier one has just become durable."""
    book = opened(tmp_path)
    live(book, [claimed(), *(submitting(part, 3) for part in range(3)), *(accepted(part) for part in range(3))])
    encode, sync = records.encode, disk.sync
    queued = [threading.Event() for _ in range(3)]
    count = itertools.count()
    syncs = itertools.count(1)

    def counted(*arguments: Any) -> bytes:
        line = encode(*arguments)
        queued[next(count)].set()
        return line

    def held(descriptor: int) -> None:
        """The first sync ends when the second event waits, the second one when the third does."""
        assert queued[min(next(syncs), 2)].wait(_SOON_S)
        sync(descriptor)

    monkeypatch.setattr(records, "encode", counted)
    monkeypatch.setattr(disk, "sync", held)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(live, book, [ready(0)])
        assert queued[0].wait(_SOON_S)
        second = pool.submit(live, book, [ready(1)])
        first.result(_SOON_S)
        third = pool.submit(live, book, [ready(2)])

        assert [part.stage.name for part in third.result(_SOON_S).parts] == ["READY"] * 3
        assert [part.stage.name for part in second.result(_SOON_S).parts] == ["READY", "READY", "ACCEPTED"]
    monkeypatch.undo()

    assert book.get(JOB) == third.result() == opened(tmp_path).get(JOB)


def test_only_one_of_two_ends(tmp_path: Path) -> None:
    """Two threads that fail the same job at once: one does, the other is told; the journal loads."""
    book = opened(tmp_path)
    live(book, [claimed(), submitting(0, 2), submitting(1, 2), accepted(0), accepted(1)])
    tried = threading.Barrier(2)
    first = threading.Event()

    def sync(descriptor: int) -> None:
        first.set()
        tried.wait(_SOON_S)
        disk_sync(descriptor)

    def second() -> Job:
        assert first.wait(_SOON_S)
        try:
            return live(book, [failed("provider.lost")])
        finally:
            tried.wait(_SOON_S)

    disk_sync = disk.sync
    with patched("sync", sync):
        ends = _at_once([lambda: live(book, [failed("deadline.passed")]), second])
    book.close()
    known = opened(tmp_path).get(JOB)

    assert isinstance(ends[1].exception(), IllegalMoveError)
    assert known is not None
    assert known.error == failed("deadline.passed")[1]["error"]


def test_nobody_sees_what_is_not_durable(tmp_path: Path) -> None:
    """While its sync is under way an event shows nowhere."""
    book = opened(tmp_path)
    live(book, [claimed()])
    shown: list[State] = []

    def sync(descriptor: int) -> None:
        shown.extend(job.state for job in book.alive())
        job = book.get(JOB)
        assert job is not None
        shown.append(job.state)
        disk_sync(descriptor)

    disk_sync = disk.sync
    with patched("sync", sync):
        live(book, [submitting()])

    assert shown == [State.CLAIMED, State.CLAIMED]
    assert [job.state for job in book.alive()] == [State.SUBMITTING]


# -- failures are final ---------------------------------------------------------------------------------------------


class _Interrupted(BaseException):
    pass


@pytest.mark.parametrize("failing", ["write", "sync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(5, "Input/output error")])
def test_a_failure_reaches_every_waiter(tmp_path: Path, failing: str, error: OSError) -> None:
    """All who wait get the error, nothing is tried again, and every later call fails too."""
    book = opened(tmp_path)
    live(book, [claimed()])
    calls: list[str] = []

    def fail(*_: object) -> None:
        calls.append(failing)
        raise error

    ids = [f"{number:016d}" for number in range(5)]
    held = HeldSync(len(ids), fail)
    with held.held(), pytest.MonkeyPatch.context() as patch:
        if failing == "write":
            patch.setattr(disk, "write", lambda descriptor, _: held.sync(descriptor))
        futures = _at_once([partial(live, book, [claimed()], job) for job in ids])
        later: list[Callable[[], object]] = [partial(live, book, [claimed()]), partial(book.note, "rooted")]
        for call in [*later, book.compact]:
            with pytest.raises(JournalBrokenError, match=str(error.strerror)):
                call()

    assert [type(future.exception()) for future in futures] == [JournalBrokenError] * 5
    assert calls == [failing]
    assert [job.id for job in book.alive()] == [JOB]
    assert not book.rooted


def test_an_interrupted_write_is_a_failure(tmp_path: Path) -> None:
    """Whatever ends the write in its middle, what it should have written does not count as durable."""
    book = opened(tmp_path)

    def interrupt(_: int) -> None:
        raise _Interrupted

    with patched("sync", interrupt), pytest.raises(_Interrupted):
        live(book, [claimed()])
    with pytest.raises(JournalBrokenError):
        live(book, [claimed()], OTHER)

    assert book.alive() == []


def test_a_short_write_is_torn_at_the_next_start(tmp_path: Path) -> None:
    """A disk that fills up in the middle of a line costs that line alone."""
    book = opened(tmp_path)
    live(book, [claimed()])

    def short(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:40])
        raise OSError(28, "No space left on device")

    with patched("write", short), pytest.raises(JournalBrokenError):
        live(book, [submitting()])
    again, jobs, torn = journal.load(os.fspath(tmp_path), FakeClock())

    assert (torn, [job.state for job in jobs]) == (40, [State.CLAIMED])
    assert live(again, [submitting()]).state is State.SUBMITTING


# -- starts ---------------------------------------------------------------------------------------------------------


def test_a_start_makes_durable_what_it_believes(tmp_path: Path) -> None:
    """A killed process leaves lines that only memory holds; they are on disk before anybody acts upon them."""
    book = opened(tmp_path)
    with Effects(tmp_path) as effects:
        line = records.encode(2, "2026-01-31T08:00:00.000Z", JOB, *claimed(), 1)
        with open(book_file(tmp_path), "ab") as file:
            file.write(line)
        before = effects.durable(journal.NAME)
        again = opened(tmp_path)

        assert line not in before
        assert [job.id for job in again.alive()] == [JOB]
        assert effects.durable(journal.NAME).endswith(line)
        assert "sync_folder" in effects.done
    book.close()


def test_torn_at_every_byte(tmp_path: Path) -> None:
    """Cut anywhere in its last three lines a journal loads, keeps the rest aside, and goes on."""
    whole = tmp_path / "whole"
    whole.mkdir()
    book = opened(whole)
    life = [claimed(), submitting(), accepted(), ready(), lives.banked()]
    live(book, life)
    book.close()
    lines = book_file(whole).read_bytes().splitlines(keepends=True)
    clock = FakeClock()
    for length in range(len(b"".join(lines[:-3])), len(b"".join(lines))):
        state = tmp_path / "state"
        state.mkdir()
        data = b"".join(lines)[:length]
        book_file(state).write_bytes(data)
        book, jobs, torn = journal.load(os.fspath(state), clock)
        events = data.count(b"\n") - 1
        rest = b"".join(path.read_bytes() for path in state.glob("*.torn-*"))

        assert [job.state for job in jobs] == [lives.lived(life[:events]).state]
        assert rest == data[len(b"".join(lines[: events + 1])) :]
        assert (torn, book_file(state).read_bytes() + rest) == (len(rest), data)
        live(book, life[events:])
        book.close()
        again, jobs, torn = journal.load(os.fspath(state), clock)
        again.close()

        assert (torn, [job.state for job in jobs]) == (0, [State.BANKED])
        assert [line.split(b",", 1)[0] for line in book_file(state).read_bytes().splitlines()] == [
            b'{"seq":%d' % seq for seq in range(1, len(lines) + 1)
        ]
        shutil.rmtree(state)


def test_the_cut_is_durable_before_anything_is_appended(tmp_path: Path) -> None:
    """The rest is safe aside before it goes, and gone for sure before the first new line."""
    book = opened(tmp_path)
    live(book, [claimed()])
    book.close()
    whole = book_file(tmp_path).read_bytes()
    book_file(tmp_path).write_bytes(whole + b'{"seq":3,"at":"2026')
    with Effects(tmp_path) as effects:
        journal.load(os.fspath(tmp_path), FakeClock())
        (aside,) = [path.name for path in tmp_path.glob("*.torn-*")]

        assert effects.durable(journal.NAME) == whole
        assert effects.durable(aside) == b'{"seq":3,"at":"2026'
    cut = effects.done.index("truncate")

    assert "sync_folder" in effects.done[:cut]
    assert "sync" in effects.done[cut:]


@pytest.mark.parametrize(
    "tail", [b"\0" * 512, b"\n", b"garbage\n", b'{"seq":99,"crc":"00000000"}\n'], ids=["zeros", "empty", "text", "json"]
)
def test_garbage_behind_the_end(tmp_path: Path, tail: bytes) -> None:
    """What is no line of ours is put aside."""
    book = opened(tmp_path)
    live(book, [claimed()])
    book.close()
    with open(book_file(tmp_path), "ab") as file:
        file.write(tail)
    again, _, torn = journal.load(os.fspath(tmp_path), FakeClock())

    assert torn == len(tail)
    assert [path.read_bytes() for path in tmp_path.glob("*.torn-*")] == [tail]
    assert live(again, [submitting()]).state is State.SUBMITTING


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_damage_stops_the_start(tmp_path: Path, number: int) -> None:
    """A flipped byte in a line that was durable: the start stops with the line's number, and changes nothing."""
    book = opened(tmp_path)
    live(book, [claimed(), submitting(), accepted(), ready()])
    book.close()
    lines = book_file(tmp_path).read_bytes().splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(b'"at":"2', b'"at":"3')
    book_file(tmp_path).write_bytes(b"".join(lines))
    with pytest.raises(StateError, match=rf"journal\.jsonl, line {number}: .*`babeldrop repair` would keep"):
        journal.load(os.fspath(tmp_path), FakeClock())

    assert [path.name for path in tmp_path.iterdir()] == [journal.NAME]
    assert book_file(tmp_path).read_bytes() == b"".join(lines)


def test_a_journal_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    """Whole lines that cannot follow each other are told with the number of the record."""
    opened(tmp_path).close()
    with open(book_file(tmp_path), "ab") as file:
        file.write(records.encode(2, "2026-01-31T08:00:00.000Z", JOB, *submitting(), 1))
    with pytest.raises(StateError, match=r"record 2: .*never claimed.*Nothing was started"):
        journal.load(os.fspath(tmp_path), FakeClock())


@pytest.mark.parametrize("contents", [b"", b'{"seq":1,"at"', b"something else"])
def test_no_journal_at_all(tmp_path: Path, contents: bytes) -> None:
    """A file without a header line was never one."""
    book_file(tmp_path).write_bytes(contents)
    with pytest.raises(StateError, match="never a journal"):
        journal.load(os.fspath(tmp_path), FakeClock())

    assert book_file(tmp_path).read_bytes() == contents


def test_a_journal_of_another_version(tmp_path: Path) -> None:
    """It is no damage, and the advice is to start the version that wrote it."""
    opened(tmp_path).close()
    facts = {"schema": 2, "state": "s1", "root": "r1", "kept": 0}
    line = records.encode(1, "2026-01-31T08:00:00.000Z", None, "opened", facts, 1)
    book_file(tmp_path).write_bytes(line + b'{"unknown":"form"}\n')
    with pytest.raises(StateError, match="schema 2, not 1") as caught:
        journal.load(os.fspath(tmp_path), FakeClock())

    assert "repair" not in str(caught.value)
    assert book_file(tmp_path).read_bytes().startswith(line)


# -- what was paid --------------------------------------------------------------------------------------------------

KEY = ("5e2f", "gpttranslator", "en-to-fr")


def test_what_was_paid_is_found(tmp_path: Path) -> None:
    """A failed job with references is found by bytes, provider and route; now and after a start."""
    book = opened(tmp_path)
    live(book, lives.PAID_LIFE)
    for known in (book, opened(tmp_path)):
        job = known.paid(*KEY)

        assert job is not None
        assert (job.id, job.refs) == (JOB, ("r0",))
        for part in range(3):
            other = tuple("x" if index == part else word for index, word in enumerate(KEY))
            assert known.paid(*other) is None


def test_what_was_paid_is_found_for_90_days(tmp_path: Path) -> None:
    """Then it is forgotten, in a process that lives as long and in a new one."""
    clock = FakeClock()
    book = opened(tmp_path, clock)
    live(book, lives.PAID_LIFE)
    clock.advance(timedelta(days=89, hours=23).total_seconds())

    assert book.paid(*KEY) is not None
    assert opened(tmp_path, clock).paid(*KEY) is not None
    clock.advance(timedelta(hours=1).total_seconds())

    assert book.paid(*KEY) is None
    assert opened(tmp_path, clock).paid(*KEY) is None


@pytest.mark.parametrize(
    "life",
    [
        [claimed(), submitting(), accepted(), failed("provider.failed"), lives.CLOSED],
        [claimed(), submitting(), failed("submit.uncertain"), lives.CLOSED],
        [claimed(), submitting(), accepted(), failed()],
        lives.DELIVERED_LIFE,
    ],
)
def test_nothing_to_be_found(tmp_path: Path, life: list[Step]) -> None:
    """Called failed by the service, without a reference, not ended yet, or delivered."""
    book = opened(tmp_path)
    live(book, life)

    assert (book.paid(*KEY), opened(tmp_path).paid(*KEY)) == (None, None)


def test_the_last_to_end_decides(tmp_path: Path) -> None:
    """A delivery takes away what failed before it, and a later failure counts, whoever was claimed first."""
    book = opened(tmp_path)
    live(book, lives.DELIVERED_LIFE[:-1], JOB)
    live(book, lives.PAID_LIFE, OTHER)
    live(book, [lives.CLOSED], JOB)

    assert (book.paid(*KEY), opened(tmp_path).paid(*KEY)) == (None, None)
    live(book, lives.PAID_LIFE, "01hzy0000000000c")
    paid = book.paid(*KEY), opened(tmp_path).paid(*KEY)

    assert [job and job.id for job in paid] == ["01hzy0000000000c"] * 2


def test_a_journal_is_json_for_everybody(tmp_path: Path) -> None:
    """Any JSON reader reads it, line by line, in the order in which the fields are documented."""
    book = opened(tmp_path)
    live(book, lives.PAID_LIFE)
    rows = [json.loads(line) for line in book_file(tmp_path).read_text("ascii").splitlines()]

    assert [list(row)[:4] for row in rows] == [["seq", "at", "job", "event"]] * len(rows)
    assert [list(row)[-2:] for row in rows] == [["synced", "crc"]] * len(rows)
    assert [row["synced"] for row in rows] == [1, *range(1, len(rows))]
