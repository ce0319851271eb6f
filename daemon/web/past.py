"""What ended in the last days, as far as the page shows it: today's jobs, open failures, and each day's numbers.

Filled once from journal and history, then by every job that ends. What it holds is bounded whatever the load.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar

from daemon.clock import seconds_between
from daemon.job import Job

DAYS = 14
FAILED_DAYS = 7
_MOST_JOBS = 20_000
_MOST_FAILED = 2_000
_MOST_SPANS = 1_000
_MOST_USUAL = 50
_FEWEST_USUAL = 5
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Tally:
    """What one provider ended on one day; `spans` are seconds from drop to result, at most 1,000 of them."""

    delivered: int = 0
    failed: int = 0
    costs: dict[str, float] = field(default_factory=dict)
    """By the unit that the service counts in."""
    spans: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Day:
    seen: set[str] = field(default_factory=set)
    tallies: dict[str, Tally] = field(default_factory=dict)


class Past:
    """`note` is called by whoever ends a job and only takes note; all else happens when somebody looks."""

    def __init__(self) -> None:
        self._news: deque[Job] = deque()
        self.note = self._news.append
        self._lock = threading.Lock()
        self._days: dict[date, _Day] = {}
        self._jobs: dict[str, Job] = {}
        self._failed: dict[str, Job] = {}
        self._usual: dict[str, deque[float]] = {}
        self._attempts: dict[tuple[str, str, str], str] = {}
        self._today: date | None = None

    def load(self, jobs: Iterable[Job], now: datetime) -> None:
        """Take in what ended before, the last one first; what is known already is not counted twice."""
        for job in jobs:
            if not job.alive and _day(job.last_at) > _day(now) - timedelta(days=DAYS):
                with self._lock:
                    self._add(job, now, new=False)

    def today(self, now: datetime) -> list[Job]:
        """The jobs that ended since the machine's midnight, the last one first."""
        with self._lock:
            self._catch_up(now)
            return sorted(self._jobs.values(), key=lambda job: job.last_at, reverse=True)

    def failed(self, now: datetime, alive: Iterable[Job]) -> list[Job]:
        """Failures of the last days whose file was not dropped again since, the last one first."""
        again = {_place(job) for job in alive}
        with self._lock:
            self._catch_up(now)
            found = [
                job
                for job in self._failed.values()
                if _place(job) not in again and self._attempts.get(_place(job), "") <= job.id
            ]
        return sorted(found, key=lambda job: job.last_at, reverse=True)

    def forget(self, failed: Iterable[str]) -> None:
        """These failures, by their ids, need nobody any more; they still count in their day."""
        with self._lock:
            for key in failed:
                self._failed.pop(key, None)

    def usual(self) -> dict[str, tuple[float, float]]:
        """By provider the seconds between which the middle half of its last documents took from being sent to being
        delivered; none for one that has delivered fewer than five.
        """
        with self._lock:
            known = {name: sorted(spans) for name, spans in self._usual.items() if len(spans) >= _FEWEST_USUAL}
        return {name: (spans[len(spans) // 4], spans[(3 * len(spans)) // 4]) for name, spans in known.items()}

    def days(self, now: datetime) -> dict[date, Mapping[str, Tally]]:
        """Every one of the last days, oldest first, with its tallies by provider."""
        with self._lock:
            self._catch_up(now)
            today = _day(now)
            wanted = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
            return {day: dict(self._days[day].tallies) if day in self._days else {} for day in wanted}

    # -- taking in ------------------------------------------------------------------------------------------

    def _catch_up(self, now: datetime) -> None:
        while self._news:
            self._add(self._news.popleft(), now, new=True)
        today = _day(now)
        if today == self._today:
            return
        self._today = today
        self._days = {day: one for day, one in self._days.items() if day > today - timedelta(days=DAYS)}
        self._jobs = {key: job for key, job in self._jobs.items() if _day(job.last_at) >= today}
        oldest = today - timedelta(days=FAILED_DAYS)
        self._failed = {key: job for key, job in self._failed.items() if _day(job.last_at) > oldest}

    def _add(self, job: Job, now: datetime, *, new: bool) -> None:
        on = _day(job.last_at)
        day = self._days.setdefault(on, _Day())
        if job.id in day.seen:
            return
        day.seen.add(job.id)
        place = _place(job)
        _keep(self._attempts, place, max(job.id, self._attempts.get(place, "")), _MOST_JOBS, new=new)
        if on >= _day(now):
            _keep(self._jobs, job.id, job, _MOST_JOBS, new=new)
        tally = day.tallies.setdefault(job.provider, Tally())
        if job.cost and job.unit:
            tally.costs[job.unit] = tally.costs.get(job.unit, 0.0) + job.cost
        if job.delivered_at is None:
            tally.failed += 1
            if on > _day(now) - timedelta(days=FAILED_DAYS):
                _keep(self._failed, job.id, job, _MOST_FAILED, new=new)
            return
        tally.delivered += 1
        if len(tally.spans) < _MOST_SPANS:
            tally.spans.append(seconds_between(job.dropped_at, job.delivered_at))
        if job.sent_at is not None:
            recent = self._usual.setdefault(job.provider, deque(maxlen=_MOST_USUAL))
            took = seconds_between(job.sent_at, job.delivered_at)
            if new:
                recent.append(took)
            elif len(recent) < _MOST_USUAL:
                recent.appendleft(took)


def _place(job: Job) -> tuple[str, str, str]:
    return (job.provider, job.folder, job.name)


def _day(at: datetime) -> date:
    return at.astimezone().date()


def _keep(memory: dict[_Key, _Value], key: _Key, value: _Value, most: int, *, new: bool) -> None:
    """Remember something: where there is no room, what is new drives out the oldest, and what is old is left out."""
    if len(memory) >= most and key not in memory:
        if not new:
            return
        del memory[next(iter(memory))]
    memory[key] = value
