"""How commands speak of time, amounts and paths."""

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import names
from daemon.cli import words

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (0.24, "0.2 s"),
        (1, "1 s"),
        (9.97, "9 s"),
        (42.9, "42 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86400, "1 day"),
        (86400 + 7300, "1 day 2 h"),
        (30 * 86400 + 7300, "30 days"),
    ],
)
def test_an_age_has_at_most_two_units(seconds: float, expected: str) -> None:
    """Elapsed time as people say it, never negative."""
    said = words.age(seconds)

    assert said == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW - timedelta(hours=2), "today at 10:00:00"),
        (NOW + timedelta(minutes=5), "today at 12:05:00"),
        (NOW - timedelta(hours=13), "yesterday at 23:00:00"),
        (NOW - timedelta(days=20), "on 1 Nov at 12:00:00"),
        (NOW - timedelta(days=400), "on 17 Oct 2025 at 12:00:00"),
    ],
)
def test_a_moment_is_told_by_its_day(moment: datetime, expected: str) -> None:
    """Today and yesterday by name, other days by date, other years with their number."""
    said = words.when(moment, NOW)

    assert said == expected


def test_times_are_shown_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal keeps in UTC is told in the reader's zone, its day included."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    evening = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)

    said = words.when(evening, NOW, seconds=False)

    assert said == "today at 01:30"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, "1 byte"), (999, "999 bytes"), (2660, "2.66 kB"), (999_600, "1 MB"), (20 * 10**9, "20 GB")],
)
def test_sizes_count_in_powers_of_ten(number: int, expected: str) -> None:
    """The same units as in the configuration."""
    said = words.size(number)

    assert said == expected


@pytest.mark.parametrize("name", ["outbox/fr/report.docx", "failed/fr/bad~fail.txt"])
def test_plain_paths_stay_as_they_are(name: str) -> None:
    """Nothing is quoted that needs no quotes."""
    assert words.quoted(name) == name


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw))
def test_a_quoted_path_means_the_same_in_a_shell(raw: bytes) -> None:
    """Whatever bytes a name is made of: one printable line, and bash gives the same bytes back."""
    name = os.fsdecode(raw)

    quoted = words.quoted(name)

    told = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True).stdout
    assert names.shown(quoted) == quoted
    assert told == raw


@pytest.mark.parametrize(
    ("number", "expected"),
    [(3.0, "3"), (0.0, "0"), (100.0, "100"), (1234567.0, "1,234,567"), (0.0005, "0.0005")],
)
def test_an_amount_has_every_digit_that_counts(number: float, expected: str) -> None:
    """A cost is compared with a bill, so it is never rounded to a power of ten."""
    assert words.amount(number) == expected
