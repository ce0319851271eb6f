"""What was spent: jobs folded to sums for each provider, folder and calendar month.

A document and its cost count in the month in which it was handed over (its first part that the service took, or
may have taken), whenever the cost becomes known. Months are the calendar's, in the machine's own zone.

A reference that comes from an earlier job costs nothing here, unless nobody was told its price before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from daemon.job import Job, PartStage, PartState, State

DOCUMENTS = "documents"
"""The unit that every budget may be counted in."""
_MICRO = 1_000_000


def month_of(at: datetime, zone: tzinfo | None = None) -> str:
    """The calendar month of a moment, `2026-01`; `zone` None is the machine's own."""
    return f"{at.astimezone(zone):%Y-%m}"


def month_start(month: str, zone: tzinfo | None = None) -> datetime:
    """The moment at which a month begins, in UTC. Raises ValueError when that is no month."""
    first = datetime.strptime(month, "%Y-%m")  # noqa: DTZ007  a local time until its zone is known
    return (first if zone is None else first.replace(tzinfo=zone)).astimezone(UTC)


def next_month(month: str) -> str:
    """The month after `2026-12` is `2027-01`."""
    year, number = map(int, month.split("-"))
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Booking:
    """What one job adds to its month."""

    month: str
    documents: int
    """1 once the service took it, or may have taken it; 0 for one that an older job has paid."""
    cost: float | None
    unit: str | None
    """What the cost is counted in; None when the service reports none."""
    open: bool
    """Some of its cost was not told (yet), although the service reports costs."""

    @property
    def micros(self) -> int:
        """The cost in millionths: whole numbers add up to the same sum in any order."""
        return to_micros(self.cost or 0.0)


def to_micros(cost: float) -> int:
    return round(cost * _MICRO)


def from_micros(micros: int) -> float:
    return micros / _MICRO


def booking(job: Job, zone: tzinfo | None = None) -> Booking:
    """What a job adds to which month; of one that nothing was handed over of, to the month of its last event."""
    taken = [part for part in job.parts if _taken(job, part)]
    moments = [part.submitted_at for part in taken if part.submitted_at is not None]
    at = min(moments, default=job.submitted_at if job.cost else None) or job.last_at
    return Booking(
        month=month_of(at, zone),
        documents=int(any(not part.borrowed for part in taken)),
        cost=job.cost,
        unit=job.unit,
        open=job.unit is not None and any(part.cost is None for part in taken),
    )


def _taken(job: Job, part: PartState) -> bool:
    """Whether the service has a part, or may have it: one that failed as it was handed over was turned back, unless
    nobody can say.
    """
    if part.stage is not PartStage.SUBMITTING:
        return part.stage is not PartStage.NEW
    return job.error is None or job.error.get("code") == "submit.uncertain"


@dataclass(frozen=True, order=True, slots=True)
class Key:
    """What a sum is of."""

    provider: str
    folder: str
    month: str


@dataclass(kw_only=True, slots=True)
class Sum:
    """What came of some jobs; `costs` by unit in millionths."""

    delivered: int = 0
    failed: int = 0
    documents: int = 0
    unknown: int = 0
    """Documents that ended although the service, which reports costs, told none."""
    costs: dict[str | None, int] = field(default_factory=dict)

    def add(self, job: Job, booked: Booking) -> None:
        ended = job.closed_as or job.state
        self.delivered += ended is State.DELIVERED
        self.failed += ended is State.FAILED
        self.documents += booked.documents
        self.unknown += booked.open and not job.alive
        if booked.cost is not None:
            self.costs[booked.unit] = self.costs.get(booked.unit, 0) + booked.micros

    def join(self, other: "Sum") -> None:
        """Add another sum to this one."""
        self.delivered += other.delivered
        self.failed += other.failed
        self.documents += other.documents
        self.unknown += other.unknown
        for unit, micros in other.costs.items():
            self.costs[unit] = self.costs.get(unit, 0) + micros


def sums(jobs: Iterable[Job], zone: tzinfo | None = None) -> dict[Key, Sum]:
    """The sums of jobs, each of which stands among them once."""
    found: dict[Key, Sum] = {}
    for job in jobs:
        add(found, job, zone)
    return found


def add(found: dict[Key, Sum], job: Job, zone: tzinfo | None = None) -> None:
    """Add one more job to sums."""
    booked = booking(job, zone)
    found.setdefault(Key(job.provider, job.folder, booked.month), Sum()).add(job, booked)
