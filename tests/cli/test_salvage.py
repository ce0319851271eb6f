"""What is kept of a damaged journal: as much as can be read, and never a reason to pay twice."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import records
from daemon.cli.salvage import Fate, Salvage, fate, last_words, salvage
from daemon.clock import moment
from daemon.job import AT_THE_SERVICE, Event, IllegalMoveError, Job, PartStage, State, apply

AT = "2026-11-21T12:00:00.000Z"
CLAIM = {
    "provider": "gpttranslator",
    "folder": "fr",
    "name": "a.docx",
    "size": 1,
    "mtime_ns": 1,
    "inode": 1,
    "dropped_at": AT,
}
SENT = {"sha256": "ab", "route": "en-to-fr"}
ERROR = {"code": "submit.uncertain", "stage": "repair"}
ONE, TWO = "0000000000000001", "0000000000000002"


@dataclass
class Past:
    """A journal that is written event by event, and what is true of its jobs."""

    lines: list[bytes] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = {"schema": records.SCHEMA, "state": "s", "root": "r", "kept": 0}
        self.lines.append(records.encode(1, AT, None, "opened", ids, 1))

    def add(self, job: str, event: str, **data: Any) -> None:
        """One more event. Raises IllegalMoveError."""
        seq = len(self.lines) + 1
        what = Event(seq=seq, at=datetime.now(UTC), job=job, name=event, data=data)
        self.jobs[job] = apply(self.jobs.get(job), what)
        self.lines.append(records.encode(seq, AT, job, event, data, seq - 1))

    def send(self, job: str, ref: str | None = None, *, part: int = 0, of: int = 1) -> None:
        """Submitted, and accepted under `ref` if there is one."""
        self.add(job, "submitting", part=part, of=of, attempt=1, **SENT)
        if ref is not None:
            self.add(job, "accepted", part=part, ref=ref)

    def without(self, *numbers: int) -> bytes:
        """The file with these lines unreadable; the header is line 0."""
        return b"".join(
            line[:-9] + b"?" + line[-8:] if number in numbers else line for number, line in enumerate(self.lines)
        )

    def claimed(self) -> set[str]:
        return {job.id for job in self.jobs.values() if job.alive}

    def spooled(self) -> set[str]:
        """What lies in the spool: the results of parts that came with the answer, and of banked jobs."""
        found = set()
        for job in self.jobs.values():
            if job.state in (State.BANKED, State.PUBLISHING, State.DELIVERED):
                found.add(f"{job.id}.result")
            elif job.state in AT_THE_SERVICE:
                ready = (index for index, part in enumerate(job.parts) if part.stage is PartStage.READY)
                found |= {f"{job.id}.{index}" for index in ready if job.parts[index].ref is None}
        return found


def fates(past: Past, found: Salvage) -> dict[str, Fate]:
    alive = [job for job in found.jobs.values() if job.alive]
    return {job.id: fate(found, job, claimed=past.claimed(), spooled=past.spooled()) for job in alive}


def decided(*steps: Callable[[Past], object], lost: int) -> Fate | None:
    """What becomes of job ONE when line `lost` cannot be read."""
    past = Past()
    for step in steps:
        step(past)
    return fates(past, salvage(past.without(lost))).get(ONE)


def claim(past: Past) -> None:
    past.add(ONE, "claimed", **CLAIM)


def other(past: Past) -> None:
    past.add(TWO, "claimed", **CLAIM)


# -- what is kept -------------------------------------------------------------------------------------------


def test_lines_behind_the_damage_are_kept() -> None:
    """One bad line costs the job it belongs to, not all that came after it."""
    past = Past()
    claim(past)
    other(past)
    past.send(TWO, "2")
    past.send(ONE, "1")

    found = salvage(past.without(2))

    assert found.unreadable == 1
    assert [record["seq"] for record in found.kept] == [2, 6, 7]
    assert found.jobs[ONE].refs == ("1",)
    assert TWO not in found.jobs
    assert found.seq == 7


def test_an_undamaged_journal_is_kept_whole() -> None:
    """Nothing is doubted where nothing is missing."""
    past = Past()
    claim(past)
    past.send(ONE)
    other(past)

    found = salvage(past.without())

    assert (found.unreadable, found.gap, found.broken) == (0, 0, set())
    assert fates(past, found) == {ONE: Fate.GOES_ON, TWO: Fate.GOES_ON}


def test_a_torn_end_counts_as_missing() -> None:
    """Where lines are damaged, an unfinished end may once have been a whole line."""
    past = Past()
    claim(past)

    found = salvage(past.without() + b'{"seq":3,"at"')

    assert found.unreadable == 1
    assert fates(past, found) == {ONE: Fate.UNCERTAIN}


def test_a_line_that_is_gone_without_a_trace_is_a_gap() -> None:
    """The numbers say so."""
    past = Past()
    claim(past)
    past.send(ONE)

    other(past)
    short = salvage(b"".join(past.lines[:2]))
    hole = salvage(b"".join([*past.lines[:2], past.lines[3]]))

    assert (short.unreadable, short.gap) == (0, 0)
    assert (hole.unreadable, hole.gap) == (0, 1)
    assert fates(past, hole) == {ONE: Fate.UNCERTAIN, TWO: Fate.GOES_ON}


def test_lines_that_a_compaction_kept_may_jump_and_may_not_be_missing() -> None:
    """Their numbers follow no rule, their count does."""
    ids = {"schema": records.SCHEMA, "state": "s", "root": "r"}
    kept = [
        records.encode(3, AT, ONE, "claimed", CLAIM, 2),
        records.encode(9, AT, TWO, "claimed", CLAIM, 8),
    ]
    whole = salvage(records.encode(9, AT, None, "opened", {**ids, "kept": 2}, 9) + b"".join(kept))
    short = salvage(records.encode(9, AT, None, "opened", {**ids, "kept": 3}, 9) + b"".join(kept))

    assert (whole.gap, short.gap) == (0, 2)


def test_a_header_that_is_lost_loses_no_record() -> None:
    """The ids stand in the root's marker as well; only what came before the first record is not sure."""
    past = Past()
    claim(past)
    past.send(ONE, "1")

    found = salvage(past.without(0))

    assert found.header is None
    assert found.jobs[ONE].refs == ("1",)


def test_a_job_with_an_impossible_event_keeps_what_came_before_it() -> None:
    """Its lost `accepted` makes `ready` impossible; the rest of the file is read on."""
    past = Past()
    claim(past)
    past.send(ONE, "1")
    past.add(ONE, "ready", part=0)
    other(past)

    found = salvage(past.without(3))

    assert found.broken == {ONE}
    assert found.jobs[ONE].state is State.SUBMITTING
    assert found.jobs[TWO].state is State.CLAIMED


def test_an_impossible_event_without_any_gap_makes_its_job_doubtful() -> None:
    """Somebody edited the file, or a mistake of ours: what is right of that job nobody knows."""
    past = Past()
    claim(past)
    other(past)
    odd = records.encode(4, AT, ONE, "ready", {"part": 0}, 3)

    found = salvage(past.without() + odd)

    assert found.gap == 0
    assert fates(past, found) == {ONE: Fate.UNCERTAIN, TWO: Fate.GOES_ON}


def test_a_job_that_is_known_to_be_closed_needs_nothing_more() -> None:
    """Events of its middle are lost, its end is not: there is nothing left to decide."""
    past = Past()
    claim(past)
    past.send(ONE, "1")
    past.add(ONE, "ready", part=0)
    past.add(ONE, "banked", hash="x", size=1, name="a.docx")
    past.add(ONE, "publishing", name="a.docx")
    past.add(ONE, "delivered", name="a.docx")
    past.add(ONE, "closed")

    found = salvage(past.without(3))

    assert (found.jobs, found.kept) == ({}, [])


# -- what is decided ----------------------------------------------------------------------------------------


def test_what_may_have_been_sent_since_is_uncertain() -> None:
    """Claimed or being sent before the gap: whatever came then may stand in the lost line."""
    assert decided(claim, other, lost=2) is Fate.UNCERTAIN
    assert decided(claim, lambda past: past.send(ONE), other, lost=3) is Fate.UNCERTAIN


def test_what_happened_behind_the_gap_is_sure() -> None:
    """The lost line cannot be the last one of a job with a later one."""
    assert decided(other, claim, lost=1) is Fate.GOES_ON
    assert decided(other, claim, lambda past: past.send(ONE), lost=1) is Fate.GOES_ON


def test_what_was_accepted_is_asked_for_again() -> None:
    """Whatever is lost, asking costs nothing and may bring what was paid for."""
    assert decided(claim, lambda past: past.send(ONE, "1"), other, lost=4) is Fate.ASKED_AGAIN


def test_a_reference_of_an_earlier_job_is_not_safe_to_go_on_with() -> None:
    """Were it of no use, the document would be sent; perhaps it has been."""

    def inherit(past: Past) -> None:
        past.add(ONE, "accepted", part=0, ref="old", **SENT, **{"from": TWO})

    assert decided(claim, inherit, other, lost=3) is Fate.UNCERTAIN


def test_each_part_has_to_be_sure() -> None:
    """A later event of one part says nothing about another one."""

    def second(past: Past) -> None:
        past.send(ONE, "2", part=1, of=2)

    def first(past: Past) -> None:
        past.send(ONE, "1", part=0, of=2)

    assert decided(claim, other, second, lost=2) is Fate.UNCERTAIN
    assert decided(claim, first, other, second, lost=4) is Fate.ASKED_AGAIN
    assert decided(other, claim, second, lost=1) is Fate.GOES_ON


def test_a_result_that_came_with_the_answer_has_to_be_in_the_spool() -> None:
    """Without a reference there is nobody to ask."""

    def blocking(past: Past) -> None:
        past.add(ONE, "submitting", part=0, of=1, attempt=1, **SENT)
        past.add(ONE, "accepted", part=0, ref=None)
        past.add(ONE, "ready", part=0)

    past = Past()
    claim(past)
    blocking(past)
    other(past)
    found = salvage(past.without(5))

    here = fate(found, found.jobs[ONE], claimed={ONE}, spooled={f"{ONE}.0"})
    gone = fate(found, found.jobs[ONE], claimed={ONE}, spooled=set())

    assert (here, gone) == (Fate.ASKED_AGAIN, Fate.UNCERTAIN)


def test_an_original_that_has_left_processing_means_the_end() -> None:
    """Only the end of a job takes it from there; nothing is delivered a second time."""
    past = Past()
    claim(past)
    past.send(ONE, "1")
    other(past)
    found = salvage(past.without(4))

    ended = fate(found, found.jobs[ONE], claimed=set(), spooled=set())

    assert ended is Fate.ENDED


def test_local_steps_go_on_where_they_can_and_end_where_they_have() -> None:
    """A banked result is delivered; one that has left the spool was; a failure whose original is gone is over."""

    def banked(past: Past) -> None:
        past.send(ONE, "1")
        past.add(ONE, "ready", part=0)
        past.add(ONE, "banked", hash="x", size=1, name="a.docx")

    past = Past()
    claim(past)
    banked(past)
    other(past)
    found = salvage(past.without(6))
    job = found.jobs[ONE]
    here = fate(found, job, claimed={ONE}, spooled={f"{ONE}.result"})
    gone = fate(found, job, claimed=set(), spooled=set())

    failing = Past()
    claim(failing)
    failing.add(ONE, "failed", error=ERROR)
    other(failing)
    lost = salvage(failing.without(3))
    waiting = fate(lost, lost.jobs[ONE], claimed={ONE}, spooled=set())
    over = fate(lost, lost.jobs[ONE], claimed=set(), spooled=set())

    assert (here, gone) == (Fate.GOES_ON, Fate.DELIVERED)
    assert (waiting, over) == (Fate.GOES_ON, Fate.ENDED)


# -- whatever happened, and whatever is lost ----------------------------------------------------------------


def possible(job: str, part: int, of: int) -> list[tuple[str, dict[str, Any]]]:
    """Every event that may befall a job; which of them can, its state says."""
    return [
        ("claimed", CLAIM),
        *(("submitting", {"part": part, "of": of, "attempt": attempt, **SENT}) for attempt in (1, 2, 3)),
        ("accepted", {"part": part, "ref": f"{job}-{part}"}),
        ("accepted", {"part": part, "of": of, "ref": "old", **SENT, "from": "earlier"}),
        ("refused", {"part": part, "why": {}}),
        ("ready", {"part": part}),
        ("banked", {"hash": "x", "size": 1, "name": "a.docx"}),
        ("publishing", {"name": "a.docx"}),
        ("delivered", {"name": "a.docx"}),
        ("failed", {"error": ERROR}),
        ("closed", {}),
    ]


@st.composite
def pasts(draw: st.DrawFn) -> tuple[Past, set[int]]:
    """A legal life of several jobs, some of several parts, and the lines of it that are lost."""
    past = Past()
    names = [f"{number:016}" for number in range(1, draw(st.integers(1, 3)) + 1)]
    sizes = {name: draw(st.integers(1, 2)) for name in names}
    for _ in range(draw(st.integers(1, 25))):
        name = draw(st.sampled_from(names))
        part = draw(st.integers(0, sizes[name] - 1))
        legal = []
        for event, data in possible(name, part, sizes[name]):
            trial = Event(seq=1, at=moment(AT), job=name, name=event, data=data)
            try:
                apply(past.jobs.get(name), trial)
            except (IllegalMoveError, IndexError):
                continue
            legal.append((event, data))
        if legal:
            event, data = draw(st.sampled_from(legal))
            past.add(name, event, **data)
    lost = draw(st.sets(st.integers(0, len(past.lines) - 1), max_size=4))
    return past, lost


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pasts())
def test_nothing_is_ever_sent_twice_after_a_repair(drawn: tuple[Past, set[int]]) -> None:
    """Whatever happened and whatever is lost: what may be sent afterwards was truly never taken."""
    past, lost = drawn
    found = salvage(past.without(*lost))

    for name, one in fates(past, found).items():
        job = found.jobs[name]
        for seq, (event, data) in enumerate(last_words(job, one, ERROR), 1000):
            job = apply(job, Event(seq=seq, at=moment(AT), job=name, name=event, data=data))
        truth = past.jobs[name]
        if job.state not in AT_THE_SERVICE:
            continue
        for index, part in enumerate(job.parts):
            true = truth.parts[index] if index < len(truth.parts) else None
            if part.stage is PartStage.NEW:
                assert true is not None or len(truth.parts) == 1
                assert truth.state in AT_THE_SERVICE
                assert true is None or true.stage is PartStage.NEW
            elif part.stage is PartStage.SUBMITTING:
                assert true is not None
                assert (true.stage, true.attempt) == (PartStage.SUBMITTING, part.attempt)
            elif part.inherited:
                assert true is not None
                assert true.inherited
                assert true.stage >= PartStage.ACCEPTED


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pasts())
def test_jobs_that_lost_nothing_and_are_surely_known_stay_as_they_are(drawn: tuple[Past, set[int]]) -> None:
    """A repair of an undamaged journal decides nothing, and sure jobs of a damaged one go on unchanged."""
    past, lost = drawn
    whole = salvage(past.without())
    found = salvage(past.without(*lost))

    assert set(fates(past, whole).values()) <= {Fate.GOES_ON}
    for name, one in fates(past, found).items():
        if found.is_sure(found.jobs[name]) and len(found.jobs[name].parts) == 1:
            assert one in (Fate.GOES_ON, Fate.DELIVERED)
            assert found.jobs[name].state is past.jobs[name].state
