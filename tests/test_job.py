"""The fold of a job's events: which moves are legal, and what a job shows after them."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.job import AT_THE_SERVICE, EVENTS, IllegalMoveError, Job, PartStage, State, apply
from tests import lives
from tests.lives import (
    CLOSED,
    DELIVERED,
    PUBLISHING,
    START,
    Step,
    accepted,
    banked,
    claimed,
    event,
    failed,
    inherited,
    lived,
    ready,
    refused,
    submitting,
)

_T = TypeVar("_T")

# -- every event in every state, against a table -----------------------------------------------------------------

_PART_MOVES = {
    "submitting": {"new": "submitting"},
    "accepted": {"submitting": "accepted", "ready": "accepted"},
    "refused": {"submitting": "new"},
    "ready": {"accepted": "ready", "ready": "ready"},
    # Parts whose reference comes from an earlier job.
    "inherit": {"new": "accepted"},
    "of no use": {"accepted": "new", "ready": "new"},
}
_END_MOVES = {
    "banked": {"ready": "banked"},
    "publishing": {"banked": "publishing", "publishing": "publishing"},
    "delivered": {"publishing": "delivered"},
    "failed": dict.fromkeys(["claimed", "submitting", "in_flight", "ready", "banked", "publishing"], "failed"),
    "closed": {"delivered": "closed", "failed": "closed"},
}


@dataclass(frozen=True)
class Sketch:
    """What a job's state comes to: stages, attempts and inheritance of its parts, and how it ended."""

    stages: tuple[str, ...] = ("new",)
    attempts: tuple[int, ...] = (0,)
    heirs: tuple[bool, ...] = (False,)
    end: str = ""

    @property
    def shown(self) -> str:
        if self.end:
            return self.end
        if "submitting" in self.stages:
            return "submitting"
        order = {"new": "claimed", "accepted": "in_flight", "ready": "ready"}
        return next(word for stage, word in order.items() if stage in self.stages)

    def resized(self, of: int) -> "Sketch | None":
        if of == len(self.stages):
            return self
        if of < 1 or set(self.stages) != {"new"}:
            return None
        more = of - len(self.stages)
        return Sketch(
            ("new",) * of,
            self.attempts[:of] + (0,) * more,
            self.heirs[:of] + (False,) * more,
        )


def _after(sketch: Sketch, step: Step) -> Sketch | None:
    """The sketch after an event by the tables; None for an illegal one."""
    name, data = step
    if name in _END_MOVES:
        end = _END_MOVES[name].get(sketch.shown)
        return replace(sketch, end=end) if end else None
    sized = sketch.resized(data.get("of", len(sketch.stages)))
    if name not in _PART_MOVES or sized is None or sketch.end or not 0 <= data["part"] < len(sized.stages):
        return None
    part = data["part"]
    move = "inherit" if "from" in data else name
    if name == "refused" and sized.heirs[part] and sized.stages[part] != "submitting":
        move = "of no use"
    if name == "submitting" and data["attempt"] != sized.attempts[part] + 1:
        return None
    stage = _PART_MOVES[move].get(sized.stages[part])
    if stage is None:
        return None
    return replace(
        sized,
        stages=_with(sized.stages, part, stage),
        attempts=_with(sized.attempts, part, sized.attempts[part] + (name == "submitting")),
        heirs=_with(sized.heirs, part, sized.heirs[part] or move == "inherit"),
    )


def _with(values: tuple[_T, ...], at: int, value: _T) -> tuple[_T, ...]:
    return (*values[:at], value, *values[at + 1 :])


def _all_steps(sketch: Sketch) -> list[Step]:
    """Everything that could be tried, sensible or not."""
    count = len(sketch.stages)
    steps: list[Step] = [claimed(), banked(), PUBLISHING, DELIVERED, failed(), CLOSED, ("mystery", {"part": 0})]
    for part in range(-1, count + 2):
        steps += [accepted(part, f"r{part}"), refused(part), ready(part), ready(part, ref=f"run{part}")]
        for of in range(5):
            steps += [inherited(part, of), *(submitting(part, of, attempt) for attempt in range(1, 4))]
    return steps


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_every_event_in_every_state(data: st.DataObject) -> None:
    """A walk of legal events: after each, all events are tried, and legal is exactly what the tables say."""
    sketch, job = Sketch(), lived([claimed()])
    fails_at = data.draw(st.integers(2, 60))
    for seq in range(2, 30):
        legal: dict[str, list[tuple[Step, Sketch]]] = {}
        for step in _all_steps(sketch):
            expected = _after(sketch, step)
            if expected is None:
                with pytest.raises(IllegalMoveError):
                    apply(job, event(step, seq))
            else:
                legal.setdefault(step[0], []).append((step, expected))
        if not legal:
            break
        # Failing is always possible; most walks get further than that.
        names = sorted(legal) if seq >= fails_at else sorted(legal.keys() - {"failed"})
        step, sketch = data.draw(st.sampled_from(legal[data.draw(st.sampled_from(names))]))
        job = apply(job, event(step, seq))

        _possible(job)
        assert sketch.shown == job.state.value
        assert sketch.stages == tuple(part.stage.name.lower() for part in job.parts)
        assert sketch.attempts == tuple(part.attempt for part in job.parts)
        assert sketch.heirs == tuple(part.inherited for part in job.parts)
        assert event(step, seq).at == job.last_at


def _possible(job: Job) -> None:
    """What is true of a job whatever happened to it."""
    for part in job.parts:
        known = part.stage in (PartStage.ACCEPTED, PartStage.READY)
        assert (part.accepted_at is not None) == known
        assert (part.submitted_at is not None) == (part.stage is not PartStage.NEW)
        assert known or part.ref is None
        assert part.stage is PartStage.NEW or part.attempt or part.inherited
    busy = sum(part.stage in (PartStage.SUBMITTING, PartStage.ACCEPTED) for part in job.parts)
    assert job.occupied == (busy if job.state in AT_THE_SERVICE else 0)
    assert all(part.stage is PartStage.READY for part in job.parts) or job.result is None
    assert (job.result is not None) == (job.banked_at is not None)
    assert job.result is not None or job.published is None
    assert job.published is not None or job.delivered_at is None
    assert (job.error is not None) == (State.FAILED in (job.state, job.closed_as))
    assert job.alive == (job.closed_as is None)
    assert job.closed_as in (None, State.DELIVERED, State.FAILED)
    assert job.sha256 is not None or all(part.stage is PartStage.NEW for part in job.parts)


@pytest.mark.parametrize("name", sorted(EVENTS - {"claimed"}))
def test_nothing_comes_before_the_claim(name: str) -> None:
    """Every event but the claim needs a job."""
    with pytest.raises(IllegalMoveError, match=f"^{name} for a job that was never claimed$"):
        apply(None, event((name, {})))


@pytest.mark.parametrize(
    ("before", "step", "words"),
    [
        ([claimed()], claimed(), "claimed twice"),
        ([claimed()], ("mystery", {}), "unknown event 'mystery'"),
        ([claimed()], accepted(), "accepted for part 0, which is new"),
        ([claimed()], ready(), "ready for part 0, which is new"),
        ([claimed()], refused(), "refused for part 0, which is new"),
        ([claimed()], banked(), "banked while claimed"),
        ([claimed()], CLOSED, "closed while claimed"),
        ([claimed()], submitting(attempt=2), "attempt 2 after 0"),
        ([claimed()], submitting(part=1), "submitting for part 1 of 1"),
        ([claimed()], submitting(of=0), "submitting changes the number of parts from 1 to 0"),
        ([claimed(), submitting()], submitting(attempt=2), "submitting for part 0, which is submitting"),
        ([claimed(), submitting(of=2)], submitting(1, of=3), "submitting changes the number of parts from 2 to 3"),
        ([claimed(), submitting()], inherited(), "accepted for part 0, which is submitting"),
        ([claimed(), submitting(), accepted()], refused(), "refused after it was accepted"),
        ([claimed(), submitting(), accepted()], accepted(), "accepted for part 0, which is accepted"),
        ([claimed(), submitting(), accepted()], banked(), "banked while in_flight"),
        ([claimed(), submitting(), accepted(), ready(), banked()], DELIVERED, "delivered while banked"),
        ([claimed(), submitting(), accepted(), ready(), banked()], ready(), "ready while banked"),
        (lives.DELIVERED_LIFE[:-1], failed(), "failed while delivered"),
        ([claimed(), failed()], failed(), "failed while failed"),
        ([claimed(), failed()], submitting(), "submitting while failed"),
        (lives.DELIVERED_LIFE, CLOSED, "closed while closed"),
    ],
)
def test_illegal_moves_say_why(before: list[Step], step: Step, words: str) -> None:
    """The refusal names the event and what stands against it."""
    with pytest.raises(IllegalMoveError) as caught:
        apply(lived(before), event(step))

    assert words == str(caught.value)


# -- what a job shows -----------------------------------------------------------------------------------------------


def test_a_claim_is_taken_over_whole() -> None:
    """Everything that the claim recorded stands in the job."""
    job = lived([claimed("tïtel.txt", "azure")])
    shown = (job.provider, job.folder, job.name, job.size, job.mtime_ns, job.inode)

    assert shown == ("azure", "fr", "tïtel.txt", 12, 1_769_846_400_000_000_001, 4711)
    assert START + timedelta(seconds=-1.75) == job.dropped_at
    assert START + timedelta(seconds=1) == job.claimed_at == job.last_at
    assert (job.state, job.alive, job.attempts, job.refs, job.cost) == (State.CLAIMED, True, 0, (), None)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_least_advanced_part_is_shown(count: int) -> None:
    """A job with several parts goes on when its last part does."""
    job = lived([claimed()])
    shown: list[str] = []
    for make in (lambda part: submitting(part, count), accepted, ready):
        for part in range(count):
            job = apply(job, event(make(part)))
            shown.append(job.state.value)

    submitted = ["submitting"] * (2 * count - 1)
    assert [*submitted, *["in_flight"] * count, "ready"] == shown
    assert job.refs == ("r0",) * count


def test_parts_one_after_the_other() -> None:
    """While some parts are in flight and others not sent, the job waits to be submitted."""
    job = lived([claimed(), submitting(0, 3), accepted(0)])

    assert (job.state, job.occupied) == (State.CLAIMED, 1)


@pytest.mark.parametrize(
    ("steps", "places"),
    [
        ([claimed()], 0),
        ([claimed(), submitting()], 1),
        ([claimed(), submitting(), refused()], 0),
        ([claimed(), submitting(), accepted()], 1),
        ([claimed(), submitting(), accepted(), ready()], 0),
        ([claimed(), submitting(), accepted(), ready(), accepted()], 1),
        ([claimed(), submitting(), failed()], 0),
        ([claimed(), inherited(0, 3), inherited(1, 3)], 2),
        ([claimed(), submitting(0, 2), submitting(1, 2), accepted(0), ready(0)], 1),
    ],
)
def test_places_at_the_service(steps: list[Step], places: int) -> None:
    """A part takes a place from its submission until it is ready, and none once the job has failed."""
    assert places == lived(steps).occupied


def test_refused_sends_back_that_part_alone() -> None:
    """The other parts stay where they are, and the refused one is sent again as its next attempt."""
    job = lived([claimed(), submitting(0, 2), accepted(0), submitting(1, 2), refused(1)])
    again = apply(job, event(submitting(1, 2, attempt=2)))

    assert [part.stage for part in job.parts] == [PartStage.ACCEPTED, PartStage.NEW]
    assert [part.attempt for part in again.parts] == [1, 2]
    assert again.attempts == 2


def test_another_number_of_parts_keeps_the_attempts() -> None:
    """When all were refused, a document may be cut anew; no attempt's number is used twice for a part."""
    job = lived([claimed(), submitting(0, 2), submitting(1, 2), refused(0), refused(1), submitting(0, 3, attempt=2)])

    assert [part.attempt for part in job.parts] == [2, 1, 0]


def test_asked_again() -> None:
    """A result that was gone is in flight again, under a new reference, and keeps when it was submitted."""
    before = lived([claimed(), submitting(), accepted(), ready(ref="run 7")])
    after = apply(before, event(accepted(ref="r1"), 9))

    assert (after.state, after.refs) == (State.IN_FLIGHT, ("r1",))
    assert before.parts[0].submitted_at == after.parts[0].submitted_at
    assert before.parts[0].accepted_at == after.parts[0].accepted_at


def test_ready_may_bring_another_reference() -> None:
    """The reference for fetching replaces the one for asking; without one it stays."""
    life = [claimed(), submitting(), accepted()]

    assert lived([*life, ready()]).refs == ("r0",)
    assert lived([*life, ready(ref="run 7")]).refs == ("run 7",)
    assert lived([*life, ready(), ready(ref="run 8")]).refs == ("run 8",)


def test_a_blocking_answer_has_no_reference() -> None:
    """Such a part is accepted and ready, and takes part in nothing that needs a reference."""
    job = lived([claimed(), submitting(), accepted(ref=None), ready()])

    assert (job.state, job.refs, job.occupied) == (State.READY, (), 0)


def test_inherited_from_an_earlier_job() -> None:
    """What was paid before is in flight straight from `claimed`; of no use, the job is sent on its own."""
    heir = lived([claimed(), inherited()])
    own = apply(apply(heir, event(refused())), event(submitting()))

    assert (heir.state, heir.refs, heir.attempts) == (State.IN_FLIGHT, ("old",), 0)
    assert (heir.sha256, heir.route) == ("5e2f", "en-to-fr")
    assert heir.submitted_at == heir.parts[0].submitted_at == START + timedelta(seconds=2)
    assert (own.state, own.refs, own.attempts) == (State.SUBMITTING, (), 1)
    assert own.parts[0].inherited


def test_times_of_a_life() -> None:
    """Each stage keeps its moment; the submission its first, the result its last."""
    job = lived(
        [
            claimed(),
            submitting(),
            refused(),
            submitting(attempt=2),
            accepted(),
            ready(),
            accepted(),
            ready(),
            *lives.DELIVERED_LIFE[4:],
        ]
    )
    moments = [job.claimed_at, job.submitted_at, job.ready_at, job.banked_at, job.delivered_at, job.last_at]

    assert [START + timedelta(seconds=after) for after in (1, 2, 8, 9, 11, 12)] == moments
    assert START + timedelta(seconds=4) == job.parts[0].submitted_at == job.sent_at


@pytest.mark.parametrize(
    ("steps", "cost"),
    [
        ([claimed(), submitting(), accepted()], None),
        ([claimed(), submitting(), accepted(cost=2.5), ready()], 2.5),
        ([claimed(), submitting(), accepted(cost=2.5), ready(cost=3.0)], 3.0),
        ([claimed(), submitting(), accepted(cost=2.5), ready(), banked(cost=4.0)], 4.0),
        ([claimed(), submitting(), accepted(), ready(), banked(cost=None)], None),
        ([claimed(), submitting(0, 2), accepted(0, cost=1.0), submitting(1, 2), accepted(1, cost=0.5)], 1.5),
    ],
)
def test_costs(steps: list[Step], cost: float | None) -> None:
    """The last that the service said of each part counts; what it never said stays unknown."""
    assert cost == lived(steps).cost


@pytest.mark.parametrize(
    ("steps", "keeps"),
    [
        (lives.PAID_LIFE, True),
        (lives.PAID_LIFE[:-1], True),
        (lives.PAID_LIFE[:-2], False),
        (lives.DELIVERED_LIFE, False),
        (lives.REJECTED_LIFE, False),
        ([claimed(), submitting(), accepted(), failed("provider.failed"), CLOSED], False),
        (
            [
                claimed(),
                submitting(0, 2),
                accepted(0),
                submitting(1, 2),
                accepted(1),
                failed("provider.failed"),
                CLOSED,
            ],
            True,
        ),
        ([claimed(), submitting(0, 2), accepted(0), submitting(1, 2), failed("provider.failed"), CLOSED], False),
        ([claimed(), submitting(), failed("submit.uncertain"), CLOSED], False),
        ([claimed(), submitting(), accepted(), ready(), banked(), failed(), CLOSED], True),
        ([claimed(), inherited(), failed(), CLOSED], True),
        ([claimed(), inherited(), refused(), failed(), CLOSED], False),
    ],
)
def test_keeps_what_was_paid(steps: list[Step], keeps: bool) -> None:
    """A failed job with references is worth asking again, unless the service called the only one of them failed."""
    assert keeps == lived(steps).keeps_what_was_paid
