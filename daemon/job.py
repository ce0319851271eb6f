"""The life of a job: a fold of its events by one pure function, which refuses an illegal move.

    claimed ─► submitting ─► in_flight ─► ready ─► banked ─► publishing ─► delivered ─► closed
       ▲            │            ▲          │
       └─ refused ──┘            └──────────┘ result gone: ask again    failed (from any) ─► closed

Each part has a state of its own; the job shows the least advanced. A part whose result was gone is `accepted`
again; a submission known from an earlier attempt is `accepted` straight from `claimed` (`from`); one that the
service did not take after all is `refused` although it was accepted (`billed: false`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class IllegalMoveError(Exception):
    """An event that cannot follow what is known of the job: a mistake in this program or a damaged journal."""


class PartStage(IntEnum):
    """How far one billable request has come."""

    NEW = 0
    SUBMITTING = 1
    ACCEPTED = 2
    READY = 3


class State(StrEnum):
    CLAIMED = "claimed"
    SUBMITTING = "submitting"
    IN_FLIGHT = "in_flight"
    READY = "ready"
    BANKED = "banked"
    PUBLISHING = "publishing"
    DELIVERED = "delivered"
    FAILED = "failed"
    CLOSED = "closed"


_SHOWN_AS = {
    PartStage.NEW: State.CLAIMED,
    PartStage.SUBMITTING: State.SUBMITTING,
    PartStage.ACCEPTED: State.IN_FLIGHT,
    PartStage.READY: State.READY,
}
AT_THE_SERVICE = frozenset({State.CLAIMED, State.SUBMITTING, State.IN_FLIGHT, State.READY})
"""The states before `banked`: what happens next depends on the service."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of the journal, without its bookkeeping."""

    seq: int
    at: datetime
    job: str
    name: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PartState:
    """What is known of one part."""

    stage: PartStage = PartStage.NEW
    attempt: int = 0
    ref: str | None = None
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    cost: float | None = None
    inherited: bool = False
    """The reference comes from an earlier job with the same bytes; or did, and was of no use."""
    wasted: float = 0.0
    """What was paid under references that gave nothing."""

    @property
    def borrowed(self) -> bool:
        """Whether its reference is still that of an earlier job: it was not yet submitted on its own."""
        return self.inherited and not self.attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One claimed file on its way to one language.

    `name` is the path below the language folder; `size`, `mtime_ns` and `inode` are what the file showed at
    the claim; `result` holds hash, size and name of the banked result; `error` what the sidecar says; `unit` is
    what the service counts costs in, None where it tells none.
    """

    id: str
    provider: str
    folder: str
    name: str
    size: int
    mtime_ns: int
    inode: int
    dropped_at: datetime
    claimed_at: datetime
    state: State = State.CLAIMED
    parts: tuple[PartState, ...] = (PartState(),)
    sha256: str | None = None
    route: str | None = None
    unit: str | None = None
    submitted_at: datetime | None = None
    ready_at: datetime | None = None
    banked_at: datetime | None = None
    delivered_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    published: str | None = None
    error: Mapping[str, Any] | None = None
    closed_as: State | None = None
    last_at: datetime

    @property
    def alive(self) -> bool:
        return self.state is not State.CLOSED

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(part.ref for part in self.parts if part.ref is not None)

    @property
    def occupied(self) -> int:
        """Parts that take a place at the service: submitted and not known to be ready."""
        if self.state not in AT_THE_SERVICE:
            return 0
        return sum(part.stage in (PartStage.SUBMITTING, PartStage.ACCEPTED) for part in self.parts)

    @property
    def attempts(self) -> int:
        return max(part.attempt for part in self.parts)

    @property
    def cost(self) -> float | None:
        """What the service told that it costs, in its own unit (`unit`)."""
        costs = [part.cost for part in self.parts if part.cost is not None]
        costs += [part.wasted for part in self.parts if part.wasted]
        return sum(costs) if costs else None

    @property
    def sent_at(self) -> datetime | None:
        """When what the service works at was handed over; `submitted_at` is the first try, also a refused one."""
        return min((part.submitted_at for part in self.parts if part.submitted_at), default=self.submitted_at)

    @property
    def failed_there(self) -> bool:
        """The service itself called it, or one of its parts, failed."""
        return self.error is not None and self.error.get("code") == "provider.failed"

    @property
    def keeps_what_was_paid(self) -> bool:
        """A failed job whose references may still give (some of) the result that was paid for."""
        failed = (self.closed_as or self.state) is State.FAILED
        return failed and len(self.refs) > (1 if self.failed_there else 0)


def apply(job: Job | None, event: Event) -> Job:
    """The job after one more event. Raises IllegalMoveError."""
    if event.name == "claimed":
        return _claimed(job, event)
    if job is None:
        raise IllegalMoveError(f"{event.name} for a job that was never claimed")
    move = _MOVES.get(event.name)
    if move is None:
        raise IllegalMoveError(f"unknown event {event.name!r}")
    return replace(move(job, event), last_at=event.at, unit=event.data.get("unit", job.unit))


def _claimed(job: Job | None, event: Event) -> Job:
    if job is not None:
        raise IllegalMoveError("claimed twice")
    data = event.data
    return Job(
        id=event.job,
        provider=data["provider"],
        folder=data["folder"],
        name=data["name"],
        size=data["size"],
        mtime_ns=data["mtime_ns"],
        inode=data["inode"],
        dropped_at=datetime.fromisoformat(data["dropped_at"]),
        claimed_at=event.at,
        last_at=event.at,
    )


def _part(job: Job, event: Event, *allowed: PartStage) -> PartState:
    index: int = event.data.get("part", 0)
    if job.state not in AT_THE_SERVICE:
        raise IllegalMoveError(f"{event.name} while {job.state}")
    if not 0 <= index < len(job.parts):
        raise IllegalMoveError(f"{event.name} for part {index} of {len(job.parts)}")
    part = job.parts[index]
    if part.stage not in allowed:
        raise IllegalMoveError(f"{event.name} for part {index}, which is {part.stage.name.lower()}")
    return part


def _with_part(job: Job, event: Event, part: PartState) -> Job:
    index = event.data.get("part", 0)
    parts = (*job.parts[:index], part, *job.parts[index + 1 :])
    state = _SHOWN_AS[min(one.stage for one in parts)]
    if state is State.CLAIMED and any(one.stage is PartStage.SUBMITTING for one in parts):
        state = State.SUBMITTING
    return replace(job, parts=parts, state=state)


def _sized(job: Job, event: Event) -> Job:
    """The job with as many parts as the event names; the number is known from the first submission on.

    Parts keep their attempts, so that no name is sent twice.
    """
    of = event.data.get("of", len(job.parts))
    if of == len(job.parts):
        return job
    if any(part.stage is not PartStage.NEW for part in job.parts) or of < 1:
        raise IllegalMoveError(f"{event.name} changes the number of parts from {len(job.parts)} to {of}")
    return replace(job, parts=job.parts[:of] + (PartState(),) * (of - len(job.parts)))


def _submitting(job: Job, event: Event) -> Job:
    job = _sized(job, event)
    part = _part(job, event, PartStage.NEW)
    if event.data["attempt"] != part.attempt + 1:
        raise IllegalMoveError(f"attempt {event.data['attempt']} after {part.attempt}")
    moved = replace(part, stage=PartStage.SUBMITTING, attempt=event.data["attempt"], submitted_at=event.at, ref=None)
    job = replace(job, sha256=event.data["sha256"], route=event.data["route"])
    return _with_part(replace(job, submitted_at=job.submitted_at or event.at), event, moved)


def _accepted(job: Job, event: Event) -> Job:
    inherited = "from" in event.data
    job = _sized(job, event)
    if inherited:
        part = _part(job, event, PartStage.NEW)
        job = replace(
            job,
            sha256=event.data["sha256"],
            route=event.data["route"],
            submitted_at=job.submitted_at or event.at,
        )
    else:
        part = _part(job, event, PartStage.SUBMITTING, PartStage.READY)
    moved = replace(
        part,
        stage=PartStage.ACCEPTED,
        ref=event.data.get("ref"),
        accepted_at=part.accepted_at or event.at,
        submitted_at=part.submitted_at or event.at,
        cost=_cost(part, event),
        inherited=part.inherited or inherited,
    )
    return _with_part(job, event, moved)


def _refused(job: Job, event: Event) -> Job:
    """Not accepted; or, of a part that was inherited, not of any use any more.

    A part that the service has accepted goes back only where the service itself said later that it had not
    begun and bills nothing (`billed: false`).
    """
    part = _part(job, event, PartStage.SUBMITTING, PartStage.ACCEPTED, PartStage.READY)
    after_all = part.stage is PartStage.ACCEPTED and event.data.get("billed") is False
    if part.stage is not PartStage.SUBMITTING and not part.inherited and not after_all:
        raise IllegalMoveError("refused after it was accepted")
    wasted = part.wasted + (0.0 if after_all else part.cost or 0.0)
    new = replace(part, stage=PartStage.NEW, submitted_at=None, accepted_at=None, ref=None, cost=None, wasted=wasted)
    return _with_part(job, event, new)


def _cost(part: PartState, event: Event) -> float | None:
    """What a part costs after an event that may tell it; what an earlier job has paid stays paid."""
    if part.borrowed and part.cost is not None:
        return part.cost
    told: float | None = event.data.get("cost", part.cost)
    return told


def _ready(job: Job, event: Event) -> Job:
    part = _part(job, event, PartStage.ACCEPTED, PartStage.READY)
    moved = replace(
        part,
        stage=PartStage.READY,
        ref=event.data.get("ref", part.ref),
        cost=_cost(part, event),
    )
    return replace(_with_part(job, event, moved), ready_at=event.at)


def _banked(job: Job, event: Event) -> Job:
    _require(job, event, State.READY)
    data = event.data
    result = {key: data[key] for key in ("hash", "size", "name")}
    costed = job.parts
    if data.get("cost") is not None:
        costed = (replace(job.parts[0], cost=data["cost"]), *job.parts[1:])
    return replace(job, state=State.BANKED, result=result, banked_at=event.at, parts=costed)


def _publishing(job: Job, event: Event) -> Job:
    _require(job, event, State.BANKED, State.PUBLISHING)
    return replace(job, state=State.PUBLISHING, published=event.data["name"])


def _delivered(job: Job, event: Event) -> Job:
    _require(job, event, State.PUBLISHING)
    return replace(job, state=State.DELIVERED, delivered_at=event.at)


def _failed(job: Job, event: Event) -> Job:
    _require(job, event, *AT_THE_SERVICE, State.BANKED, State.PUBLISHING)
    parts = job.parts
    if "cost" in event.data:
        index = event.data["part"]
        parts = (*parts[:index], replace(parts[index], cost=_cost(parts[index], event)), *parts[index + 1 :])
    return replace(job, state=State.FAILED, error=event.data["error"], parts=parts)


def _closed(job: Job, event: Event) -> Job:
    _require(job, event, State.DELIVERED, State.FAILED)
    return replace(job, state=State.CLOSED, closed_as=job.state)


def _require(job: Job, event: Event, *states: State) -> None:
    if job.state not in states:
        raise IllegalMoveError(f"{event.name} while {job.state}")


_MOVES: Mapping[str, Callable[[Job, Event], Job]] = {
    "submitting": _submitting,
    "accepted": _accepted,
    "refused": _refused,
    "ready": _ready,
    "banked": _banked,
    "publishing": _publishing,
    "delivered": _delivered,
    "failed": _failed,
    "closed": _closed,
}
EVENTS = frozenset({"claimed", *_MOVES})
