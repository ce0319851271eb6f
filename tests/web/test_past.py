"""What ended in the last days: counted once, in the right day, bounded, and honest about what is usual."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.job import Job
from daemon.web import past
from daemon.web.past import DAYS, Past
from tests.web.looks import NOON, delivered, failed, job


def loaded(*jobs: Job) -> Past:
    found = Past()
    found.load(jobs, NOON)
    return found


def counts(found: Past) -> tuple[int, int]:
    """Delivered and failed in all days."""
    tallies = [one for tallies in found.days(NOON).values() for one in tallies.values()]
    return sum(one.delivered for one in tallies), sum(one.failed for one in tallies)


def test_what_is_told_twice_counts_once() -> None:
    """Journal and history overlap, and a job may end while they are read."""
    found = loaded(delivered(1), failed(2), delivered(1))
    found.note(delivered(1))
    found.note(delivered(3))
    found.load([delivered(3), failed(2)], NOON)

    assert counts(found) == (2, 1)
    assert len(found.today(NOON)) == 3


def test_a_job_that_is_alive_has_not_ended() -> None:
    """The journal holds both."""
    assert counts(loaded(job(1))) == (0, 0)


@pytest.mark.parametrize(("days", "seen"), [(0, True), (DAYS - 1, True), (DAYS, False), (400, False)])
def test_days_before_the_last_ones_are_forgotten(days: int, seen: bool) -> None:
    """Those that are shown are whole, with those on which nothing ended."""
    found = loaded(delivered(1, last_at=NOON - timedelta(days=days)))

    assert len(found.days(NOON)) == DAYS
    assert counts(found) == (int(seen), 0)


def test_at_midnight_a_day_begins_anew() -> None:
    """What was done today is yesterday's then, and still counted there."""
    found = loaded(delivered(1))
    later = NOON + timedelta(hours=12)

    assert found.today(later) == []
    assert [sum(one.delivered for one in tallies.values()) for tallies in found.days(later).values()][-2:] == [1, 0]


def test_memory_is_given_back() -> None:
    """A year of days leaves fourteen."""
    found = Past()
    for day in range(365):
        at = NOON + timedelta(days=day)
        found.note(failed(day, f"{day}", last_at=at))
        found.days(at)

    assert (len(found._days), len(found._jobs), len(found._failed)) == (DAYS, 1, past.FAILED_DAYS)


def test_failures_stay_for_a_week() -> None:
    """One of Friday is still there on Monday."""
    rows = [failed(day + 1, f"{day}", last_at=NOON - timedelta(days=day)) for day in range(10)]

    assert [one.name for one in loaded(*rows).failed(NOON, ())] == [str(day) for day in range(past.FAILED_DAYS)]


@pytest.mark.parametrize("order", [list, lambda jobs: list(reversed(jobs))], ids=["oldest first", "newest first"])
def test_a_later_attempt_ends_an_earlier_failure_in_whatever_order_they_are_read(
    order: Callable[[list[Job]], list[Job]],
) -> None:
    """Only the last attempt of a file counts, and one with the same name elsewhere is another file."""
    found = loaded(*order([failed(1), failed(2), delivered(3, "report.xyz"), failed(4, folder="de")]))

    assert [one.folder for one in found.failed(NOON, ())] == ["de"]


def test_costs_are_summed_by_unit() -> None:
    """A service may change the unit it counts in."""
    found = loaded(delivered(1, cost=1.5), delivered(2, cost=2), delivered(3, cost=7, unit="characters"))
    (tallies,) = [tallies for tallies in found.days(NOON).values() if tallies]

    assert tallies["acme"].costs == {"credits": 3.5, "characters": 7}


def test_what_is_usual_follows_the_last_ones() -> None:
    """The middle half of the last fifty; old slowness is forgotten."""
    slow = [delivered(n, f"{n}", submitted_at=NOON - timedelta(hours=3)) for n in range(60)]
    found = loaded(*slow)
    before = found.usual()["acme"][0]
    for number in range(100, 150):
        found.note(delivered(number, f"{number}", submitted_at=NOON - timedelta(minutes=2)))
    found.today(NOON)

    assert before > 10_000
    assert found.usual()["acme"] == (60.0, 60.0)


@given(st.lists(st.floats(0, 10_000), min_size=5, max_size=60))
def test_the_usual_lies_between_what_was_seen(spans: list[float]) -> None:
    """At least half of the files took so long."""
    at = NOON - timedelta(minutes=1)
    found = loaded(*(delivered(n, f"{n}", submitted_at=at - timedelta(seconds=one)) for n, one in enumerate(spans)))
    low, high = found.usual()["acme"]
    inside = [one for one in spans[:50] if low - 0.001 <= one <= high + 0.001]

    assert low <= high
    assert len(inside) * 2 >= len(spans[:50])


def test_more_than_it_can_hold_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that end now the newest stay; those of before do not drive them out."""
    monkeypatch.setattr(past, "_MOST_JOBS", 3)
    found = loaded(*(delivered(number, f"{number}") for number in range(5)))
    for number in range(10, 12):
        found.note(delivered(number, f"{number}"))

    assert {one.name for one in found.today(NOON)} == {"2", "10", "11"}
    assert counts(found) == (7, 0)
