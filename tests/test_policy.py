"""Decisions about time: as tables, then bounded, monotone and without overflow for any numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import policy

chances = st.floats(0.0, 1.0)
counts = st.integers(-5, 10**30)
seconds = st.floats(0.0, 1e12)


@pytest.mark.parametrize(
    ("count", "first", "last", "chance", "wait"),
    [
        (1, 2.0, 300.0, 0.5, 2.0),
        (1, 2.0, 300.0, 0.0, 1.5),
        (1, 2.0, 300.0, 1.0, 2.5),
        (2, 2.0, 300.0, 0.5, 4.0),
        (5, 2.0, 300.0, 0.5, 32.0),
        (9, 2.0, 300.0, 0.5, 300.0),
        (1, 30.0, 1800.0, 0.5, 30.0),
        (6, 30.0, 1800.0, 0.5, 960.0),
        (7, 30.0, 1800.0, 0.0, 1440.0),
        (7, 30.0, 1800.0, 1.0, 1800.0),
        (0, 30.0, 1800.0, 0.5, 30.0),
        (-3, 30.0, 1800.0, 0.5, 30.0),
        (5**20, 30.0, 1800.0, 0.5, 1800.0),
    ],
)
def test_doubling(count: int, first: float, last: float, chance: float, wait: float) -> None:
    """The wait doubles with every failure in a row, spread by a quarter, up to the last."""
    assert policy.doubling(count, first, last, chance) == wait


@given(counts, st.integers(0, 10**30), st.floats(0.01, 1e6), st.floats(1.0, 1e6), chances)
@settings(max_examples=200, deadline=None)
def test_doubling_is_bounded_and_monotone(count: int, more: int, first: float, times: float, chance: float) -> None:
    """More failures never shorten the wait; it is above zero and never beyond the last."""
    last = first * times
    wait = policy.doubling(count, first, last, chance)

    assert min(last, 0.75 * first) <= wait <= last
    assert policy.doubling(count + more, first, last, chance) >= wait
    assert policy.doubling(count, first, last, 0.0) <= wait <= policy.doubling(count, first, last, 1.0)


@pytest.mark.parametrize(
    ("age", "every", "at_most", "wait"),
    [
        (0.0, 5.0, 60.0, 5.0),
        (25.0, 5.0, 60.0, 5.0),
        (50.0, 5.0, 60.0, 10.0),
        (300.0, 5.0, 60.0, 60.0),
        (86_400.0, 5.0, 60.0, 60.0),
        (10.0, 30.0, 30.0, 30.0),
        (float("inf"), 5.0, 60.0, 60.0),
    ],
)
def test_next_look(age: float, every: float, at_most: float, wait: float) -> None:
    """A fresh job is looked at as often as allowed, an old one at a fifth of its age."""
    assert policy.next_look(age, every, at_most) == wait


@given(seconds, seconds, st.floats(0.1, 1e5), st.floats(1.0, 100.0))
@settings(max_examples=200, deadline=None)
def test_looks_spread_out(age: float, more: float, every: float, times: float) -> None:
    """The older the rarer, never more often than allowed, never rarer than wanted."""
    at_most = every * times
    wait = policy.next_look(age, every, at_most)

    assert every <= wait <= at_most
    assert policy.next_look(age + more, every, at_most) >= wait


@pytest.mark.parametrize(
    ("asked", "count", "wait"),
    [
        (None, 1, 5.0),
        (None, 2, 10.0),
        (None, 50, 300.0),
        (0.0, 1, 1.0),
        (-5.0, 1, 1.0),
        (7.5, 9, 7.5),
        (3600.0, 1, 3600.0),
        (315_360_000.0, 1, 3600.0),
        (float("inf"), 1, 3600.0),
        (float("nan"), 1, 1.0),
    ],
)
def test_retry_after(asked: float | None, count: int, wait: float) -> None:
    """What the service asked for counts, between a second and an hour; else the pause doubles from 5 s."""
    assert policy.retry_after(asked, count, 0.5) == wait


@given(st.none() | st.floats(), counts, chances)
@settings(max_examples=200, deadline=None)
def test_retry_after_is_bounded(asked: float | None, count: int, chance: float) -> None:
    """Whatever a header says, the pause is between a second and an hour."""
    assert policy.LEAST_RETRY_AFTER_S <= policy.retry_after(asked, count, chance) <= policy.MOST_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("looks", "since", "lost"),
    [(0, 0.0, False), (1, 1e9, False), (2, 60.0, False), (3, 59.9, False), (3, 60.0, True), (10**9, 1e12, True)],
)
def test_lost_for_good(looks: int, since: float, lost: bool) -> None:
    """An unknown id is believed after several looks over a minute, not before."""
    assert policy.lost_for_good(looks, since) is lost


@pytest.mark.parametrize(("batch", "slack", "gather"), [(1, 0.0, 0.0), (2, 5.0, 1.0), (100, 5.0, 1.0)])
def test_batches_are_filled(batch: int, slack: float, gather: float) -> None:
    """Where one request looks at several jobs, some go along early and some wait a moment; else nobody does."""
    assert (policy.slack(batch, 10.0), policy.gather(batch)) == (slack, gather)
