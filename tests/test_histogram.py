"""The histogram of ages: every file in one bucket, the older ones further right."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.ages import BOUNDS_S, LABELS, STATES, bucket, histogram

found = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(STATES), st.floats(-1e6, 1e9)), max_size=60)


@given(found)
@settings(max_examples=200, deadline=None)
def test_everything_is_counted_once(rows: list[tuple[str, str, float]]) -> None:
    """Rows, their sums and the sums of the columns agree; there is no row without a file."""
    told = histogram(rows)
    if not rows:
        assert told is None
        return
    assert told is not None
    keys = [(row["provider"], row["state"]) for row in told["rows"]]

    assert set(keys) == {(provider, state) for provider, state, _ in rows}
    assert len(keys) == len(set(keys))
    assert all(row["total"] == sum(row["counts"]) > 0 for row in told["rows"])
    assert told["total"] == len(rows) == sum(told["counts"])
    assert [len(row["counts"]) for row in told["rows"]] == [len(LABELS)] * len(keys)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_what_is_older_never_stands_further_left(one: float, other: float) -> None:
    """Buckets follow the ages, and a bound belongs to the bucket that it ends."""
    younger, older = sorted((one, other))

    assert bucket(younger) <= bucket(older)
    assert [bucket(bound) for bound in BOUNDS_S] == list(range(len(BOUNDS_S)))
    assert (bucket(86400.5), LABELS[-1]) == (6, "older")


def test_rows_stand_in_the_order_of_a_life() -> None:
    """Providers as they were met, each from the inbox to what is ready."""
    told = histogram([("b", "in_flight", 400.0), ("a", "waiting", 1.0), ("b", "resting", 9e9), ("b", "waiting", 90.0)])
    assert told is not None

    assert [(row["provider"], row["state"], row["counts"]) for row in told["rows"]] == [
        ("b", "resting", [0, 0, 0, 0, 0, 0, 1]),
        ("b", "waiting", [0, 1, 0, 0, 0, 0, 0]),
        ("b", "in_flight", [0, 0, 1, 0, 0, 0, 0]),
        ("a", "waiting", [1, 0, 0, 0, 0, 0, 0]),
    ]
