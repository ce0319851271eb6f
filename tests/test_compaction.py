"""Compaction: ended jobs go to the history, nothing is lost at any point, and readers see every job once."""

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon import disk, journal, records
from daemon.errors import StateError
from daemon.job import Job, State
from daemon.journal import Identity, Journal, JournalBrokenError
from tests import lives
from tests.clocks import FakeClock
from tests.effects import HOWS, Crash, Effects, How
from tests.lives import CLOSED, Step, accepted, claimed, failed, submitting

IDENTITY = Identity(state="s1", root="r1")
KEY = ("5e2f", "gpttranslator", "en-to-fr")
_DAY_S = 86_400.0


def live(book: Journal, job: str, steps: list[Step]) -> None:
    for name, data in steps:
        book.append(job, name, **data)


def load(folder: Path, clock: FakeClock | None = None) -> Journal:
    return journal.load(os.fspath(folder), clock or FakeClock())[0]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> Journal:
    """Two jobs alive, one delivered, one rejected, one failed that the service still has, and a note."""
    state = tmp_path / "state"
    state.mkdir()
    book = journal.create(os.fspath(state), clock, IDENTITY)
    live(book, "0alive", [claimed(), submitting()])
    live(book, "0delivered", lives.DELIVERED_LIFE)
    book.note("rooted")
    live(book, "0paid", lives.PAID_LIFE)
    live(book, "0rejected", lives.REJECTED_LIFE)
    live(book, "0waits", [claimed()])
    return book


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def lines_in(state: Path) -> list[dict[str, Any]]:
    """Every whole record of history and journal, however often it stands there."""
    files = [*sorted(state.glob("history/*.jsonl")), state / journal.NAME]
    lines = [line for file in files for line in file.read_bytes().split(b"\n")]
    return [record for record in map(records.decode, lines) if record and record["event"] != "opened"]


def everything(state: Path) -> dict[str, Job]:
    return journal.all_jobs(os.fspath(state))


# -- what goes and what stays ---------------------------------------------------------------------------------------


def test_ended_jobs_go_to_the_history(book: Journal, state: Path) -> None:
    """What is over leaves the journal; what is alive, or was paid and may be asked for, stays."""
    before = everything(state)

    assert (book.ended, book.compact(), book.ended) == (2, 2, 0)
    kept, jobs, _ = journal.load(os.fspath(state), FakeClock())

    assert [job.id for job in kept.alive()] == [job.id for job in book.alive()] == ["0alive", "0waits"]
    assert sorted(job.id for job in jobs) == ["0alive", "0paid", "0waits"]
    assert (kept.identity, kept.rooted, kept.ended) == (IDENTITY, True, 0)
    assert everything(state) == before
    assert len(lines_in(state)) == sum(len(life) for life in (lives.DELIVERED_LIFE, lives.PAID_LIFE)) + 7
    assert [path.stat().st_mode & 0o777 for path in sorted(state.glob("history*/**"))] == [0o700]


def test_numbers_go_on(book: Journal, state: Path) -> None:
    """No seq is given twice, so that readers can tell lines apart for ever."""
    live(book, "0waits", [failed("drop.gone"), CLOSED])
    last = max(record["seq"] for record in lines_in(state))
    book.compact()
    live(book, "0alive", [accepted()])
    book.close()
    live(load(state), "0new", [claimed()])

    assert sorted(record["seq"] for record in lines_in(state))[-2:] == [last + 1, last + 2]


def test_each_month_has_its_file(book: Journal, state: Path, clock: FakeClock) -> None:
    """A job stands in the month of its last event; a second compaction adds to it."""
    clock.advance(2 * _DAY_S)
    live(book, "0waits", [failed("drop.gone"), CLOSED])
    book.compact()
    live(book, "0later", lives.DELIVERED_LIFE)
    book.compact()
    files = {path.stem: path.read_text() for path in state.glob("history/*")}

    assert sorted(files) == ["2026-01", "2026-02"]
    assert ("0delivered" in files["2026-01"], "0waits" in files["2026-02"], "0later" in files["2026-02"]) == (True,) * 3
    chosen = journal.all_jobs(os.fspath(state), lambda month: month > "2026-01")
    # The delivery of the same bytes ended the wait for what had been paid, so that job went, too.
    assert chosen.keys() == {"0alive", "0later", "0waits"}


def test_what_was_paid_stays_90_days(book: Journal, state: Path, clock: FakeClock) -> None:
    """A failed job with references survives compactions until then, in an old process as in a new one."""
    clock.advance(89 * _DAY_S)

    assert (book.compact(), book.compact()) == (2, 0)
    for known in (book, load(state, clock)):
        paid = known.paid(*KEY)

        assert paid is not None
        assert paid.id == "0paid"
    clock.advance(2 * _DAY_S)

    assert (book.compact(), book.ended, book.paid(*KEY)) == (1, 0, None)
    assert load(state, clock).paid(*KEY) is None
    assert everything(state)["0paid"].closed_as is State.FAILED


def test_notes_stay(book: Journal, state: Path) -> None:
    """The root's marker and a take-over that has not ended are still known."""
    book.note("taking_over")
    book.compact()
    known = load(state)

    assert (known.rooted, known.taking_over) == (True, True)


def test_nothing_to_do(tmp_path: Path) -> None:
    """A journal without ended jobs makes no history."""
    book = journal.create(os.fspath(tmp_path), FakeClock(), IDENTITY)
    live(book, "0alive", [claimed()])

    assert book.compact() == 0
    assert [path.name for path in tmp_path.iterdir()] == [journal.NAME]


# -- others meanwhile -----------------------------------------------------------------------------------------------


def test_appends_wait(book: Journal, state: Path) -> None:
    """The append lock is held at every effect of a compaction; who waited writes into the new file."""
    held: list[bool] = []
    begun = threading.Event()

    def append() -> None:
        begun.set()
        live(book, "0alive", [accepted()])

    with ThreadPoolExecutor(2) as pool, pytest.MonkeyPatch.context() as patch:
        for name in ("append_to", "write", "sync", "create_file", "replace", "sync_folder"):
            effect = getattr(disk, name)

            def watched(*arguments: Any, effect: Any = effect) -> Any:
                got = pool.submit(book._turn.acquire, blocking=False).result()
                held.append(not got)
                return effect(*arguments)

            patch.setattr(disk, name, watched)
        replace = disk.replace
        late = []

        def replacing(*arguments: Any) -> None:
            late.append(threading.Thread(target=append))
            late[0].start()
            assert begun.wait(10.0)
            replace(*arguments)

        patch.setattr(disk, "replace", replacing)
        book.compact()
        patch.undo()
        late[0].join(10.0)

    assert len(held) > 10
    assert set(held) == {True}
    assert load(state).alive()[0].state is State.IN_FLIGHT


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_view_during_a_compaction(book: Journal, state: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Who reads while jobs move from one file to the other misses none, whichever he reads first."""
    live(book, "0early", lives.REJECTED_LIFE)
    book.compact()
    live(book, "0waits", [failed("drop.gone"), CLOSED])
    before = everything(state)
    reads = [0]

    def watched(name: str) -> Any:
        effect = getattr(disk, name)

        def read(path: str) -> Any:
            reads[0] += 1
            if reads[0] == moment:
                book.compact()
            return effect(path)

        return read

    for name in ("names", "read_own", "is_there"):
        monkeypatch.setattr(disk, name, watched(name))

    assert everything(state) == before
    assert book.ended == 0


def test_damage_in_the_history_costs_its_job_alone(book: Journal, state: Path) -> None:
    """Views go on without what cannot be read."""
    before = everything(state)
    book.compact()
    (month,) = state.glob("history/*")
    data = month.read_bytes()
    month.write_bytes(data.replace(b'"job":"0rejected","event":"cl', b'"job":"0rejected","event":"CL'))

    assert everything(state) == {job: known for job, known in before.items() if job != "0rejected"}


def test_a_history_without_its_last_end_of_line(book: Journal, state: Path) -> None:
    """What a crash left of a line is ended before others follow, and stays the only thing that is not read."""
    book.compact()
    (month,) = state.glob("history/*")
    month.write_bytes(month.read_bytes() + b'{"seq":9,"at":"20')
    live(book, "0waits", [failed("drop.gone"), CLOSED])
    before = everything(state)
    book.compact()

    assert everything(state) == before
    assert before["0waits"].closed_as is State.FAILED


# -- failures and crashes -------------------------------------------------------------------------------------------


def test_what_does_not_read_back_is_not_compacted(book: Journal, state: Path) -> None:
    """A journal whose lines went bad on disk is left as it is: it is worth more than a tidy one without them."""
    file = state / journal.NAME
    data = file.read_bytes().replace(b'"ref":"r0"', b'"ref":"r1"')
    file.write_bytes(data)
    with pytest.raises(JournalBrokenError, match="does not read back"):
        book.compact()
    with pytest.raises(JournalBrokenError):
        live(book, "0alive", [accepted()])

    assert (file.read_bytes(), list(state.glob("history"))) == (data, [])


def test_a_lost_end_is_not_compacted(book: Journal, state: Path) -> None:
    """Nor is one whose last lines are gone."""
    file = state / journal.NAME
    data = file.read_bytes()
    file.write_bytes(data[: data.rindex(b'{"seq"')])
    with pytest.raises(JournalBrokenError, match="does not read back"):
        book.compact()


def _stopped(state: Path, place: Path, step: Any, number: int, how: How, *, power: bool) -> tuple[Path, bool]:
    """A copy of `state` on which `step` was stopped at an effect, and whether it was stopped at all."""
    shutil.copytree(state, place)
    with Effects(place, stop_at=number, how=how) as effects:
        try:
            step(place)
        except (Crash, JournalBrokenError, StateError):
            assert effects.stopped
        after = effects.lost_power(place.with_name(f"{place.name}-dark")) if power else place
    return after, effects.stopped


def _compact(state: Path) -> None:
    book = load(state)
    try:
        book.compact()
    finally:
        book.close()


def _complete(state: Path, wanted: list[dict[str, Any]], jobs: dict[str, Job]) -> None:
    """Every event stands there at least once, and the fold is what it was."""
    assert everything(state) == jobs
    assert {(record["job"], record["seq"]) for record in wanted} <= {
        (record["job"], record["seq"]) for record in lines_in(state)
    }


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
def test_crash_at_every_effect(book: Journal, state: Path, tmp_path: Path, how: How, *, power: bool) -> None:
    """Stopped anywhere in a start with a compaction, nothing is lost; neither when the next one is stopped too."""
    book.close()
    wanted, jobs = lines_in(state), everything(state)
    number, stopped = 0, True
    while stopped:
        number += 1
        after, stopped = _stopped(state, tmp_path / f"{number}", _compact, number, how, power=power)
        _complete(after, wanted, jobs)
        second = 1 + 5 * number % 17
        twice, _ = _stopped(after, tmp_path / f"{number}-{second}", _compact, second, how, power=power)
        _complete(twice, wanted, jobs)
        _compact(after)
        _complete(after, wanted, jobs)
        known = load(after)

        assert [job.id for job in known.alive()] == ["0alive", "0waits"]
        assert known.paid(*KEY) is not None
        known.close()

    assert number > 12


def _go_on(state: Path) -> None:
    """Start, and put down one more event."""
    book = load(state)
    try:
        live(book, "0waits", [submitting()])
    finally:
        book.close()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
def test_crash_at_every_effect_of_a_start(book: Journal, state: Path, tmp_path: Path, how: How, *, power: bool) -> None:
    """Stopped anywhere while it cuts a torn tail and appends, the next start finds what was whole."""
    book.close()
    wanted, jobs = lines_in(state), everything(state)
    with open(state / journal.NAME, "ab") as file:
        file.write(b'{"seq":99,"at":"2026')
    number, stopped = 0, True
    while stopped:
        number += 1
        after, stopped = _stopped(state, tmp_path / f"{number}", _go_on, number, how, power=power)
        known = load(after)
        waits = known.get("0waits")

        assert waits is not None
        assert waits.state in ((State.CLAIMED, State.SUBMITTING) if stopped else (State.SUBMITTING,))
        assert everything(after) == {**jobs, "0waits": waits}
        assert {record["seq"] for record in wanted} <= {record["seq"] for record in lines_in(after)}
        known.close()

    assert number > 8


def test_the_clock_of_the_90_days_is_the_wall(book: Journal, clock: FakeClock) -> None:
    """The moment of the failure counts, so a restart or a pause of the machine changes nothing."""
    clock.jump(timedelta(days=91).total_seconds())

    assert book.paid(*KEY) is None
