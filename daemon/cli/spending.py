"""What `history` tells: ended jobs and their sums, as rows for tables, spreadsheets and programs."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from daemon import costs, history, names
from daemon.cli import reading
from daemon.clock import seconds_between, stamp
from daemon.config import Config
from daemon.job import Job, State

Row = Mapping[str, Any]
JOB_COLUMNS = (
    *("at", "month", "provider", "folder", "file", "state", "error", "cost", "unit"),
    *("sha256", "size", "seconds", "attempts", "remote_id", "job"),
)
SUM_COLUMNS = ("month", "provider", "folder", "delivered", "failed", "documents", "unknown", "cost", "unit")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With one of these at its beginning a spreadsheet takes a text for a formula."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which jobs are meant; what is None leaves nobody out."""

    provider: str | None = None
    month: str | None = None
    """Handed over in this calendar month of the machine's own zone (`2026-01`)."""
    since: datetime | None = None
    """Ended at this moment or later."""

    def __contains__(self, job: Job) -> bool:
        return (
            (self.provider is None or job.provider == self.provider)
            and (self.since is None or job.last_at >= self.since)
            and (self.month is None or costs.booking(job).month == self.month)
        )

    @property
    def first_file(self) -> str:
        """The first of the history's files that may hold such a job: each is named by the month of the end, in UTC."""
        moments = [self.since, costs.month_start(self.month) if self.month else None]
        return max((f"{at.astimezone(UTC):%Y-%m}" for at in moments if at is not None), default="")


def month(text: str) -> str:
    """A calendar month as `Choice` wants it. Raises ValueError."""
    return f"{datetime.strptime(text, '%Y-%m'):%Y-%m}"  # noqa: DTZ007  a name, no moment


def day(text: str) -> datetime:
    """The beginning of a day (`2026-01-31`) or month (`2026-01`) in the machine's own zone. Raises ValueError."""
    whole_month = text.count("-") == 1
    return datetime.strptime(text, "%Y-%m" if whole_month else "%Y-%m-%d").astimezone(UTC)


def ended(config: Config, choice: Choice) -> Iterator[Job]:
    """The chosen jobs that have ended, of the history first; never all of them in memory. Raises StateError."""
    state = os.fspath(config.state)
    # The journal first: what is put away meanwhile is then met there, and not again.
    known = reading.jobs(state)
    for job in history.ended(state, choice.first_file, without=known):
        if job in choice:
            yield job
    yield from (job for job in known.values() if not job.alive and job in choice)


def row(job: Job) -> Row:
    """One ended job; `seconds` from the drop to the end."""
    state = job.closed_as or State.FAILED
    return {
        "at": stamp(job.last_at),
        "month": costs.booking(job).month,
        "provider": job.provider,
        "folder": job.folder,
        "file": names.shown(job.name),
        "state": state.value,
        "error": (job.error or {}).get("code"),
        "cost": number(job.cost),
        "unit": job.unit,
        "sha256": job.sha256,
        "size": job.size,
        "seconds": round(seconds_between(job.dropped_at, job.last_at), 3),
        "attempts": job.attempts,
        "remote_id": names.shown(", ".join(job.refs)) or None,
        "job": job.id,
    }


def sum_rows(sums: Mapping[costs.Key, costs.Sum]) -> Iterator[Row]:
    """One row for each month, provider and folder; one that has costs in several units has a row for each."""
    for key in sorted(sums, key=lambda key: (key.month, key.provider, key.folder)):
        found = sums[key]
        counts: dict[str, Any] = {
            "delivered": found.delivered,
            "failed": found.failed,
            "documents": found.documents,
            "unknown": found.unknown,
        }
        for unit in list(found.costs) or [None]:
            micros = found.costs.get(unit)
            cost = None if micros is None else number(costs.from_micros(micros))
            place = {"month": key.month, "provider": key.provider, "folder": key.folder}
            yield {**place, **counts, "cost": cost, "unit": unit}
            # Counted with the first.
            counts = dict.fromkeys(counts, 0)


def totals(sums: Mapping[costs.Key, costs.Sum]) -> dict[costs.Key, costs.Sum]:
    """The sums of each provider and month over all its folders."""
    found: dict[costs.Key, costs.Sum] = {}
    for key, one in sums.items():
        found.setdefault(costs.Key(key.provider, "", key.month), costs.Sum()).join(one)
    return found


def number(cost: float | None) -> float | int | None:
    """A whole number without its `.0`."""
    return int(cost) if cost is not None and float(cost).is_integer() else cost


def cells(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[list[Any]]:
    """The rows under their header, for a file that a spreadsheet will open."""
    yield list(columns)
    for one in rows:
        yield [_harmless(one[column]) for column in columns]


def _harmless(cell: Any) -> Any:
    """A text that would be a formula gets an apostrophe, which says that it is none."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
