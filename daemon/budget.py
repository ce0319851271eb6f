"""What may be spent in a month, and what has been: holds new submissions once a provider's budget is spent.

The budget is the entry's own, also where several entries share an account. The sums are rebuilt at the start from
journal and history and follow every event since, at the same cost however many jobs there are. A document that
the service has begun goes on; so what is spent beyond the budget is at most what was under way.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum
from typing import Any

from structlog.typing import FilteringBoundLogger

from daemon import costs, history
from daemon.clock import Clock, stamp
from daemon.job import Job, PartStage
from daemon.settings import Budget

_WARN_AT = 0.8
_LEAST_WAIT_S = 1.0
"""The wall clock may show the end of a month a little later than the other one."""


class Verdict(Enum):
    """Whether a document may be handed over."""

    GO = "go"
    SOON = "soon"
    """What is being prepared right now may take the rest of the budget."""
    HELD = "held"
    """Nothing new until the month is over, or the budget larger."""


@dataclass(slots=True)
class _Tally:
    """What one provider has spent in one month; `micros` by unit, in millionths of it."""

    documents: int = 0
    in_flight: int = 0
    unknown: int = 0
    micros: Counter[str | None] = field(default_factory=Counter)

    def add(self, job: Job, booked: costs.Booking, sign: int) -> None:
        self.documents += sign * booked.documents
        if booked.open and job.alive:
            self.in_flight += sign
        elif booked.open:
            self.unknown += sign
        self.micros[booked.unit] += sign * booked.micros


Past = Callable[[str], Iterable[Job]]
"""The jobs that had ended before the start, those at least that were handed over in a month or later."""


def past_of(state: str, jobs: Sequence[Job], zone: tzinfo | None = None) -> Past:
    """What had ended before a start: of the jobs that the journal held then, and of those in the history."""

    def read(month: str) -> Iterator[Job]:
        yield from (job for job in jobs if not job.alive)
        since = f"{costs.month_start(month, zone):%Y-%m}"
        yield from history.ended(state, since, without={job.id for job in jobs})

    return read


class Budgets:
    """The budgets of all providers; used from many threads."""

    def __init__(
        self,
        limits: Mapping[str, Budget | None],
        clock: Clock,
        log: FilteringBoundLogger,
        *,
        past: Past = lambda _month: (),
        zone: tzinfo | None = None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._zone = zone
        self._lock = threading.Lock()
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._preparing: dict[str, set[str]] = {}
        self._holding: set[str] = set()
        self._payers: dict[tuple[str, str], str] = {}
        month = self._month()
        for job in past(month) if self._limits else ():
            self.changed(None, job)
        # What was true before this start has been said by then.
        self._warned = {name: month for name in self._limits if self._used(name) >= _WARN_AT}

    # -- what was spent -------------------------------------------------------------------------------------

    def changed(self, before: Job | None, after: Job) -> None:
        """Follow one event of a job; the first that is told of a job has none before it."""
        with self._lock:
            if before is not None:
                self._book(before, -1)
            if self._book(after, +1).documents:
                self._preparing.get(after.provider, set()).discard(after.id)
            self._note_payers(after)

    def _book(self, job: Job, sign: int) -> costs.Booking:
        booked = costs.booking(job, self._zone)
        self._tallies.setdefault((job.provider, booked.month), _Tally()).add(job, booked, sign)
        return booked

    def _note_payers(self, job: Job) -> None:
        for part in job.parts:
            if part.inherited and part.ref is not None:
                key = (job.provider, part.ref)
                if not job.alive:
                    if self._payers.get(key) == job.id:
                        del self._payers[key]
                elif part.borrowed and part.cost is None:
                    self._payers.setdefault(key, job.id)

    def pays(self, provider: str, ref: str, job: str) -> bool:
        """Whether a job books what an earlier job's reference costs: the first that asks for it, and no other."""
        return self._payers.setdefault((provider, ref), job) == job

    # -- what may be spent ----------------------------------------------------------------------------------

    def ask(self, provider: str, job: Job | None) -> Verdict:
        """Whether a job may be handed over now; one that was begun always may."""
        with self._lock:
            limit = self._limits.get(provider)
            if limit is None or job is None or any(part.stage is not PartStage.NEW for part in job.parts):
                return Verdict.GO
            if self._is_spent(provider, limit):
                return Verdict.HELD
            if limit.unit == costs.DOCUMENTS:
                others = len(self._preparing.get(provider, set()) - {job.id})
                if self._tally(provider).documents + others >= limit.per_month:
                    return Verdict.SOON
            return Verdict.GO

    def preparing(self, provider: str, job: str) -> None:
        """A job was chosen to be handed over: it may take one of the documents that are left."""
        with self._lock:
            if provider in self._limits:
                self._preparing.setdefault(provider, set()).add(job)

    def prepared(self, provider: str, job: str) -> None:
        """The step is over, however it went."""
        with self._lock:
            self._preparing.get(provider, set()).discard(job)

    def hold(self, provider: str) -> float:
        """Note that something is held; the monotonic moment at which the month is over."""
        with self._lock:
            begins = provider not in self._holding
            self._holding.add(provider)
            left = (self._turn() - self._clock.now()).total_seconds()
        if begins:
            self._log.warning("budget.spent", **self._facts(provider), until=stamp(self._turn()))
        return self._clock.monotonic() + max(_LEAST_WAIT_S, left)

    def goes_on(self, provider: str) -> bool:
        """Whether what is held may be handed over after all; says it, and what is nearly spent, once."""
        with self._lock:
            limit = self._limits.get(provider)
            month = self._month()
            if limit is None:
                return False
            opens = provider in self._holding and not self._is_spent(provider, limit)
            self._holding -= {provider} if opens else set()
            warns = self._warned.get(provider) != month and self._used(provider) >= _WARN_AT
            if warns:
                self._warned[provider] = month
        if warns:
            self._log.warning("budget.warning", **self._facts(provider))
        if opens:
            self._log.info("budget.open", **self._facts(provider))
        return opens

    def rows(self) -> list[dict[str, Any]]:
        """How each budget stands, for views."""
        return [self._row(name) for name in sorted(self._limits)]

    def _row(self, provider: str) -> dict[str, Any]:
        with self._lock:
            tally = self._tally(provider)
            used = self._used(provider)
            facts = self._facts(provider)
        counted = facts["unit"] == costs.DOCUMENTS
        return {
            **facts,
            "documents": tally.documents,
            "in_flight": 0 if counted else tally.in_flight,
            "unknown": 0 if counted else tally.unknown,
            "state": "spent" if used >= 1 else "warning" if used >= _WARN_AT else "ok",
            "held_until": stamp(self._turn()) if used >= 1 else None,
        }

    def _facts(self, provider: str) -> dict[str, Any]:
        limit = self._limits[provider]
        spent = costs.from_micros(self._spent(provider, limit))
        return {
            "provider": provider,
            "unit": limit.unit,
            "month": self._month(),
            "per_month": limit.per_month,
            "spent": int(spent) if spent.is_integer() else spent,
        }

    # -- sums of this month ---------------------------------------------------------------------------------

    def _month(self) -> str:
        return costs.month_of(self._clock.now(), self._zone)

    def _turn(self) -> datetime:
        return costs.month_start(costs.next_month(self._month()), self._zone)

    def _tally(self, provider: str) -> _Tally:
        return self._tallies.get((provider, self._month())) or _Tally()

    def _spent(self, provider: str, limit: Budget) -> int:
        """In millionths of the budget's unit. A journal of an older version does not say what it counts."""
        tally = self._tally(provider)
        if limit.unit == costs.DOCUMENTS:
            return costs.to_micros(tally.documents)
        return tally.micros[limit.unit] + tally.micros[None]

    def _is_spent(self, provider: str, limit: Budget) -> bool:
        return self._spent(provider, limit) >= costs.to_micros(limit.per_month)

    def _used(self, provider: str) -> float:
        """The part of the budget that is spent."""
        limit = self._limits[provider]
        return self._spent(provider, limit) / costs.to_micros(limit.per_month)
