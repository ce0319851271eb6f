"""The agenda against a plain dictionary."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.agenda import Agenda

jobs = st.sampled_from(["0a", "0b", "0c", "0d"])
moments = st.integers(0, 12).map(float)
put = st.tuples(st.just("put"), jobs, moments)
drop = st.tuples(st.just("drop"), jobs, st.just(0.0))
take = st.tuples(st.just("take"), st.integers(0, 5), moments)


@given(st.lists(put | drop | take, max_size=60), moments)
@settings(max_examples=300, deadline=None)
def test_like_a_dictionary(operations: list[tuple[str, str | int, float]], now: float) -> None:
    """Each job stands there once, for the moment it was put last; the longest due comes first, then the oldest."""
    agenda, model = Agenda(), dict[str, float]()
    for what, one, moment in operations:
        if isinstance(one, int):
            due = sorted((at, job) for job, at in model.items() if at <= moment)
            expected = [job for _, job in due[:one]]

            assert agenda.take(moment, one) == expected
            model = {job: at for job, at in model.items() if job not in expected}
        elif what == "put":
            agenda.put(one, moment)
            model[one] = moment
        else:
            agenda.drop(one)
            model.pop(one, None)

        assert agenda.moments() == model
        assert (len(agenda), agenda.next_due()) == (len(model), min(model.values(), default=None))
        assert [job for job in ("0a", "0b", "0c", "0d") if job in agenda] == sorted(model)
        first = min(((at, job) for job, at in model.items() if at <= now), default=(0.0, None))[1]
        assert agenda.peek(now) == first


def test_never_is_a_moment() -> None:
    """What waits for ever is in the agenda, and is never due."""
    agenda = Agenda()
    agenda.put("0a", float("inf"))

    assert (agenda.take(1e300, 5), agenda.peek(1e300), "0a" in agenda) == ([], None, True)


def test_put_earlier_counts_once() -> None:
    """An earlier moment replaces a later one, and the later one gives nothing any more."""
    agenda = Agenda()
    agenda.put("0a", 10.0)
    agenda.put("0a", 5.0)

    assert (agenda.take(5.0, 9), agenda.take(20.0, 9), agenda.next_due()) == (["0a"], [], None)
