"""What jobs cost: booked once, in one month, whatever happens to them; and what `history` keeps of it."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import costs, history, records
from daemon.budget import Budgets
from daemon.job import Event, IllegalMoveError, Job, State, apply
from daemon.settings import Budget
from tests.builders import in_memory
from tests.clocks import FakeClock
from tests.lives import (
    CLOSED,
    DELIVERED,
    PUBLISHING,
    Step,
    accepted,
    banked,
    claimed,
    event,
    failed,
    lived,
    ready,
    refused,
    submitting,
)
from tests.lives import inherited as from_earlier

BERLIN = ZoneInfo("Europe/Berlin")
UNIT = {"unit": "credits"}


def sent(part: int = 0, of: int = 1, attempt: int = 1) -> Step:
    name, data = submitting(part, of, attempt)
    return name, data | UNIT


def borrowed(**more: Any) -> Step:
    name, data = from_earlier()
    return name, data | UNIT | more


def uncertain() -> Step:
    return failed("submit.uncertain")


# -- months ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), "2026-10"),
        (datetime(2026, 10, 31, 23, 0, tzinfo=UTC), "2026-11"),
        (datetime(2026, 3, 31, 21, 59, tzinfo=UTC), "2026-03"),
        (datetime(2026, 3, 31, 22, 0, tzinfo=UTC), "2026-04"),
    ],
)
def test_a_month_is_that_of_the_zone_summer_and_winter(at: datetime, month: str) -> None:
    """Midnight is that of the machine's own zone, an hour apart from itself in summer and winter."""
    assert costs.month_of(at, BERLIN) == month


@given(st.integers(0, 100 * 365 * 86400))
def test_every_moment_lies_in_its_month(seconds: int) -> None:
    """A month reaches from its start to the start of the next one."""
    at = datetime(2000, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)
    month = costs.month_of(at, BERLIN)

    assert costs.month_start(month, BERLIN) <= at < costs.month_start(costs.next_month(month), BERLIN)


def test_the_machines_own_zone_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone the months are those that the machine's clock on the wall shows."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert costs.month_of(datetime(2026, 10, 31, 15, 0, tzinfo=UTC)) == "2026-11"
        assert costs.month_start("2026-11") == datetime(2026, 10, 31, 15, 0, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


# -- one job --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "documents", "cost", "open_"),
    [
        ([claimed()], 0, None, False),
        ([claimed(), failed("drop.type"), CLOSED], 0, None, False),
        ([claimed(), sent()], 1, None, True),
        ([claimed(), sent(), refused()], 0, None, False),
        ([claimed(), sent(), failed("submit.rejected"), CLOSED], 0, None, False),
        ([claimed(), sent(), uncertain(), CLOSED], 1, None, True),
        ([claimed(), sent(), accepted()], 1, None, True),
        ([claimed(), sent(), accepted(), ready(cost=0.54)], 1, 0.54, False),
        ([claimed(), sent(), accepted(), ready(cost=0.54), accepted(), ready(cost=0.54)], 1, 0.54, False),
        ([claimed(), sent(), accepted(), failed(), CLOSED], 1, None, True),
        ([claimed(), sent(), accepted(), ("failed", {**failed()[1], "part": 0, "cost": 0.0})], 1, 0.0, False),
        ([claimed(), sent(), accepted(cost=3.0), ("refused", {"part": 0, "why": {}, "billed": False})], 0, None, False),
        ([claimed(), sent(0, 2), accepted(cost=3.0), sent(1, 2), accepted(1, cost=4.0)], 1, 7.0, False),
        ([claimed(), borrowed(cost=0.0)], 0, 0.0, False),
        ([claimed(), borrowed(cost=0.0), ready(cost=0.54)], 0, 0.0, False),
        ([claimed(), borrowed()], 0, None, True),
        ([claimed(), borrowed(), ready(cost=0.54)], 0, 0.54, False),
        ([claimed(), borrowed(), ready(cost=0.54), refused(), sent(), accepted(), ready(cost=0.6)], 1, 1.14, False),
        ([claimed(), submitting(), accepted()], 1, None, False),
    ],
)
def test_what_one_job_adds(steps: list[Step], documents: int, cost: float | None, *, open_: bool) -> None:
    """A document counts from the moment in which it may have been taken; nothing that was paid before counts again."""
    booked = costs.booking(lived(steps), UTC)

    assert (booked.documents, booked.open) == (documents, open_)
    assert booked.cost == pytest.approx(cost)


def at(moment: datetime, seq: int, step: Step, job: str = "01hzy0000000000a") -> Event:
    return Event(seq=seq, at=moment, job=job, name=step[0], data=step[1])


def test_a_cost_counts_in_the_month_in_which_the_document_was_handed_over() -> None:
    """Told in February, it belongs to January; and one that was turned back in January to February."""
    january, february = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 2, 1, 12, tzinfo=UTC)
    told_late = turned_back = apply(None, at(january, 1, claimed()))
    for moment, step in ((january, sent()), (january, accepted()), (february, ready(cost=2.0))):
        told_late = apply(told_late, at(moment, 2, step))
    for moment, step in ((january, sent()), (january, refused()), (february, sent(attempt=2)), (february, accepted())):
        turned_back = apply(turned_back, at(moment, 2, step))

    assert costs.booking(told_late, UTC).month == "2026-01"
    assert costs.booking(turned_back, UTC).month == "2026-02"


# -- many jobs: a simple model --------------------------------------------------------------------------------


@dataclass
class Model:
    """What a cashier would write down of one job, who is told of every event and knows no parts' stages."""

    months: dict[int, str] = field(default_factory=dict)
    prices: dict[int, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    sure: set[int] = field(default_factory=set)
    ended: str = ""

    def note(self, moment: datetime, name: str, data: dict[str, Any]) -> None:
        part = data.get("part", 0)
        if name == "submitting":
            self.taken.add(part)
            self.months[part] = f"{moment:%Y-%m}"
        elif name == "accepted":
            self.sure.add(part)
        elif name == "refused":
            for known in (self.taken, self.sure):
                known.discard(part)
            self.months.pop(part)
            self.prices.pop(part, None)
        elif name == "failed" and data["error"]["code"] != "submit.uncertain":
            for one in self.taken - self.sure:
                self.months.pop(one)
            self.taken &= self.sure
        if data.get("cost") is not None:
            self.prices[part] = round(data["cost"] * 1_000_000)
        if name in ("delivered", "failed"):
            self.ended = name


PRICES = st.one_of(st.none(), st.integers(0, 500).map(lambda cents: cents / 100))
PARTS = st.integers(0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), PARTS, st.none()),
        st.tuples(st.just("take"), PARTS, PRICES),
        st.tuples(st.just("refuse"), PARTS, st.none()),
        st.tuples(st.just("take back"), PARTS, st.none()),
        st.tuples(st.just("ready"), PARTS, PRICES),
        st.tuples(st.just("uncertain"), PARTS, st.none()),
        st.tuples(st.just("reject"), PARTS, st.none()),
        st.tuples(st.just("deliver"), PARTS, st.none()),
    ),
    max_size=14,
)


def step_of(job: Job, word: str, part: int, price: float | None) -> list[Step]:
    told = {} if price is None else {"cost": price}
    attempt = job.parts[part].attempt + 1 if part < len(job.parts) else 1
    return {
        "send": [sent(part, 2, attempt)],
        "take": [accepted(part, f"r{part}", **told)],
        "refuse": [refused(part)],
        "take back": [("refused", {"part": part, "why": {}, "billed": False})],
        "ready": [ready(part, **told)],
        "uncertain": [uncertain(), CLOSED],
        "reject": [failed("submit.rejected"), CLOSED],
        "deliver": [banked(), PUBLISHING, DELIVERED, CLOSED],
    }[word]


def played(
    plans: Sequence[Sequence[tuple[str, int, float | None]]],
) -> tuple[list[tuple[Job | None, Job]], list[Model]]:
    """Every move of the jobs that these plans make, and what the cashier knows of each; illegal steps are left out."""
    moves: list[tuple[Job | None, Job]] = []
    models = []
    moment, seq = datetime(2026, 1, 25, tzinfo=UTC), 0
    for number, plan in enumerate(plans):
        name, model = f"{number:016}", Model()
        job = apply(None, at(moment, seq := seq + 1, claimed(provider="acme"), name))
        moves.append((None, job))
        for word, part, price in plan:
            moment += timedelta(hours=7)
            for step in step_of(job, word, part, price):
                try:
                    after = apply(job, at(moment, seq := seq + 1, step, name))
                except IllegalMoveError:
                    break
                model.note(moment, *step)
                moves.append((job, after))
                job = after
        models.append(model)
    return moves, models


def expected(models: Sequence[Model], month: str) -> tuple[int, int, int, int]:
    mine = [model for model in models if model.taken and min(model.months.values()) == month]
    return (
        len(mine),
        sum(sum(model.prices.values()) for model in mine),
        sum(model.ended == "delivered" for model in mine),
        sum(model.ended == "failed" for model in mine),
    )


@settings(deadline=None)
@given(st.lists(STEPS, max_size=5))
def test_sums_are_what_a_cashier_would_write_down(plans: list[list[tuple[str, int, float | None]]]) -> None:
    """Documents, money, delivered and failed of each month agree with a model that knows events alone."""
    moves, models = played(plans)
    last = {after.id: after for _, after in moves}
    found = costs.sums(last.values(), UTC)

    for month in ("2026-01", "2026-02", "2026-03"):
        mine = found.get(costs.Key("acme", "fr", month), costs.Sum())
        # Of what was never handed over the month is that of its end: no money, no documents.
        sent_here = [job for job in last.values() if costs.booking(job, UTC).documents]
        here = [job for job in sent_here if costs.booking(job, UTC).month == month]
        ended = [(job.closed_as or job.state) for job in here]
        told = (mine.documents, sum(mine.costs.values()), ended.count(State.DELIVERED), ended.count(State.FAILED))

        assert told == expected(models, month)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=5), st.data())
def test_a_budget_that_follows_events_knows_what_a_new_start_would_read(
    plans: list[list[tuple[str, int, float | None]]], data: st.DataObject
) -> None:
    """Whenever the process is killed: what was followed, and what is rebuilt from the jobs, is the same."""
    moves, _ = played(plans)
    kill = data.draw(st.integers(0, len(moves)))
    clock = FakeClock(datetime(2026, 1, 31, 12, tzinfo=UTC))
    limits = {"acme": Budget(per_month=100, unit="credits")}
    followed = Budgets(limits, clock, structlog.get_logger(), zone=UTC)
    for before, after in moves[:kill]:
        followed.changed(before, after)
    jobs = {after.id: after for _, after in moves[:kill]}
    closed = [job for job in jobs.values() if not job.alive]
    rebuilt = Budgets(limits, clock, structlog.get_logger(), past=lambda _month: closed, zone=UTC)
    for job in jobs.values():
        if job.alive:
            rebuilt.changed(None, job)

    assert rebuilt.rows() == followed.rows()


# -- the history ----------------------------------------------------------------------------------------------


def lines_of(job: str, steps: Sequence[Step], first: int = 1) -> list[bytes]:
    told = [event(step, seq, job) for seq, step in enumerate(steps, first)]
    return [
        records.encode(one.seq, f"2026-01-31T08:00:{one.seq % 60:02}.000Z", job, one.name, one.data, 0) for one in told
    ]


LIFE = [claimed(), sent(), accepted(), ready(cost=2.0), banked(), PUBLISHING, DELIVERED, CLOSED]
JOBS = ("01hzy0000000000a", "01hzy0000000000b")


def written(state: Path, month: str, lines: Sequence[bytes]) -> None:
    folder = state / "history"
    folder.mkdir(exist_ok=True)
    with (folder / f"{month}.jsonl").open("ab") as file:
        file.writelines(lines)


@given(st.integers(0, 16), st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_repeated_tail_of_the_history_counts_once(tail: int, torn: bool) -> None:
    """A crash in a compaction leaves some lines twice, the last one perhaps half: every job is told once."""
    both = [line for pair in zip(*(lines_of(job, LIFE) for job in JOBS), strict=True) for line in pair]
    begun = both[:tail]
    if torn and begun:
        begun[-1] = begun[-1][:20] + b"\n"
    with in_memory() as state:
        written(state, "2026-01", [*begun, *both])
        told = list(history.ended(os.fspath(state)))

    assert sorted(job.id for job in told) == sorted(JOBS)
    assert [job.cost for job in told] == [2.0, 2.0]


def test_the_history_tells_only_what_was_asked_for(tmp_path: Path) -> None:
    """Months before the first, and jobs that are known already, are left out."""
    written(tmp_path, "2025-12", lines_of("01hzy0000000000c", LIFE))
    written(tmp_path, "2026-01", [line for job in JOBS for line in lines_of(job, LIFE)])

    assert [job.id for job in history.ended(os.fspath(tmp_path), "2026-01", {JOBS[0]})] == [JOBS[1]]
    assert len(list(history.ended(os.fspath(tmp_path)))) == 3


def test_a_job_without_its_beginning_is_left_out(tmp_path: Path) -> None:
    """What cannot be read hides nothing else."""
    written(tmp_path, "2026-01", [*lines_of(JOBS[0], LIFE)[1:], b"{}\n", *lines_of(JOBS[1], LIFE)])

    assert [job.id for job in history.ended(os.fspath(tmp_path))] == [JOBS[1]]


def test_a_history_without_folder_is_empty(tmp_path: Path) -> None:
    """Nothing was put away yet."""
    assert list(history.ended(os.fspath(tmp_path))) == []
