"""A clock for tests: both times stand still until the test moves them."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """`advance` lets time pass; `jump` moves the wall clock alone, as a person or a time server does."""

    def __init__(self, now: datetime = datetime(2026, 1, 31, 8, 0, tzinfo=UTC), monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        assert seconds >= 0
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
