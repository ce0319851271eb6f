"""How the page speaks of time and numbers, in both languages."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web.words import Words, shown
from tests.web.looks import NOON

ENGLISH, GERMAN = Words("en"), Words("de")


@pytest.mark.parametrize(
    ("low", "high", "english", "german"),
    [
        (5, 59, "under a minute", "unter einer Minute"),
        (50, 60, "about 1 minute", "etwa 1 Minute"),
        (125, 179, "2 to 3 minutes", "2 bis 3 Minuten"),
        (180, 180, "about 3 minutes", "etwa 3 Minuten"),
        (3000, 9000, "1 to 3 hours", "1 bis 3 Stunden"),
        (3600, 7200, "1 to 2 hours", "1 bis 2 Stunden"),
        (7200, 7200, "about 2 hours", "etwa 2 Stunden"),
    ],
)
def test_a_span_is_rounded_outwards(low: float, high: float, english: str, german: str) -> None:
    """Nobody is promised less than it took."""
    assert (ENGLISH.span(low, high), GERMAN.span(low, high)) == (english, german)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_span_can_be_said_of_any_two_lengths(one: float, other: float) -> None:
    """In both languages, without a brace left over."""
    for words in (ENGLISH, GERMAN):
        text = words.span(min(one, other), max(one, other))

        assert text
        assert not set(text) & set("{}")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (42.4, "42 s"), (59.6, "1 min"), (150, "2 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90000, "25 h")],
)
def test_a_length_is_short(seconds: float, text: str) -> None:
    """Two units at most."""
    assert ENGLISH.length(seconds) == text


@pytest.mark.parametrize(
    ("number", "english", "german"),
    [
        (0, "0", "0"),
        (1234, "1,234", "1.234"),
        (1234.5, "1,234.5", "1.234,5"),
        (0.126, "0.13", "0,13"),
        (100, "100", "100"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(number: float, english: str, german: str) -> None:
    """Thousands, decimals, and no zeros that say nothing."""
    assert (ENGLISH.number(number), GERMAN.number(number)) == (english, german)


@pytest.mark.parametrize(
    ("days", "english", "german"),
    [
        (0, "12:00", "12:00"),
        (1, "yesterday 12:00", "gestern 12:00"),
        (2, "19 Nov 12:00", "19. Nov 12:00"),
        (-10, "1 Dec 12:00", "1. Dez 12:00"),
        (365, "21 Nov 2025 12:00", "21. Nov 2025 12:00"),
    ],
)
def test_moments_are_as_short_as_they_are_clear(days: int, english: str, german: str) -> None:
    """Also those to come."""
    at = NOON - timedelta(days=days)

    assert (ENGLISH.when(at, NOON), GERMAN.when(at, NOON)) == (english, german)


@given(st.text(max_size=400), st.integers(10, 200))
def test_a_name_is_bounded(name: str, most: int) -> None:
    """And has nothing that a page could not show."""
    text = shown(name, most)

    assert len(text) <= most
    assert text.encode().decode() == text
