"""Times as they are written and read, and waits that a wall clock cannot turn around."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import SystemClock, moment, seconds_between, stamp

moments = st.datetimes(timezones=st.just(UTC))


@given(moments)
def test_round_trip(at: datetime) -> None:
    """What is written is read again, to the millisecond, and sorts like the moments."""
    text = stamp(at)

    assert moment(text) == at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert (len(text), text[-1]) == (24, "Z")


@given(moments, moments)
def test_never_negative(one: datetime, other: datetime) -> None:
    """A clock that was set back makes no time pass, whichever way."""
    assert seconds_between(one, other) == max(0.0, (other - one).total_seconds())


def test_any_zone_is_written_as_utc() -> None:
    """People and programs compare times as texts."""
    at = datetime(2026, 1, 31, 9, 0, 0, 123999, tzinfo=timezone(timedelta(hours=1)))

    assert stamp(at) == "2026-01-31T08:00:00.123Z"
    assert moment("2026-01-31T09:00:00+01:00") == datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-01-31T08:00:00", "yesterday", ""])
def test_a_time_needs_its_zone(text: str) -> None:
    """A time that could be any is none."""
    with pytest.raises(ValueError, match=r"zone|Invalid"):
        moment(text)


def test_the_clock_of_the_machine() -> None:
    """It tells UTC, and its waits never go back."""
    clock = SystemClock()
    earlier = clock.monotonic()

    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() >= earlier
