"""When the engine wants to be called again: nothing that waits in a lane is ever forgotten."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.engine import Engine
from tests.builders import PROVIDER, Bench, in_memory
from tests.clocks import FakeClock

_LANES = ("settle", "submit", "poll", "fetch", "finish")


class PassingClock(FakeClock):
    """Time passes with every look at it, as it does for everybody."""

    step = 0.0

    def monotonic(self) -> float:
        self.advance(self.step)
        return super().monotonic()


@pytest.mark.parametrize("lane", _LANES)
@given(step=st.floats(0.001, 0.2), after=st.floats(0.0, 2.0))
def test_what_waits_in_a_lane_is_started_or_has_its_moment(lane: str, step: float, after: float) -> None:
    """An entry that comes due while the lanes are looked at is asked for again, never left to itself."""
    clock = PassingClock()
    with in_memory() as base, Bench(base, clock) as bench:
        desk = bench.shop.desks[PROVIDER]
        engine = Engine(bench.shop, lambda _why: None)
        entries = getattr(desk.lanes, lane)
        bench.shop.put(entries, "nobody.0", after)
        clock.step = step
        moment = engine.dispatch()

        assert moment is not None or "nobody.0" not in entries


def test_an_empty_house_waits_for_a_wake(tmp_path: Path) -> None:
    """With nothing to do there is no moment to be called again."""
    with Bench(tmp_path) as bench:
        assert Engine(bench.shop, lambda _why: None).dispatch() is None
