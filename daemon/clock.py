"""Time, injected: nobody else in this package asks the machine what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Two kinds of time: `monotonic` for waits, `now` for what people and other programs read."""

    def now(self) -> datetime:
        """The wall clock, in UTC. It may jump."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def stamp(moment: datetime) -> str:
    """UTC with milliseconds, as journal, sidecars and status write it: `2026-01-31T08:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The inverse of `stamp`. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"a time without a zone: {text}")
    return parsed.astimezone(UTC)


def utc(monotonic: float | None, now: float, wall: datetime) -> str | None:
    """A monotonic moment as people read it, in whole seconds; `now` is `wall` on that clock. None for never."""
    if monotonic is None or monotonic == float("inf"):
        return None
    return stamp((wall + timedelta(seconds=monotonic - now)).replace(microsecond=0))


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Elapsed seconds, never negative: a wall clock that was set back changes no decision."""
    return max(0.0, (later - earlier).total_seconds())
