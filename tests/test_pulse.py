"""A duty is never lost, never done twice at once, and survives its own errors."""

import threading
from collections.abc import Callable

import pytest

from daemon.clock import SystemClock
from daemon.pulse import Pulse
from tests.clocks import FakeClock


class Timetable:
    """What a scheduler does: remembers the last moment it was told."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, wait_s: float) -> None:
        self.waits.append(wait_s)


def _pulse(duty: Callable[[], float | None]) -> tuple[Pulse, Timetable, FakeClock]:
    clock, timetable = FakeClock(), Timetable()
    return Pulse(duty, timetable, clock), timetable, clock


def test_duty_is_armed_for_the_moment_it_asked_for() -> None:
    """The next turn comes when the duty said, as a wait from now."""
    clock = FakeClock()
    timetable = Timetable()
    pulse = Pulse(lambda: clock.monotonic() + 7.0, timetable, clock)

    pulse.run()

    assert timetable.waits == [7.0]


def test_wake_during_a_turn_brings_another_turn() -> None:
    """What happened while the duty was looking elsewhere is looked at before it rests."""
    turns: list[int] = []

    def duty() -> float | None:
        turns.append(len(turns))
        if len(turns) == 1:
            pulse.wake()
        return None

    pulse, timetable, _ = _pulse(duty)
    pulse.run()

    assert turns == [0, 1]
    assert timetable.waits == []


def test_overlapping_run_is_a_wake() -> None:
    """Called while it runs, it does not run twice at once, but once more."""
    turns: list[int] = []

    def duty() -> float | None:
        turns.append(len(turns))
        if len(turns) == 1:
            pulse.run()
        return None

    pulse, _, _ = _pulse(duty)
    pulse.run()

    assert turns == [0, 1]


def test_wakes_before_a_turn_arm_once() -> None:
    """Waking it a thousand times costs one call of the scheduler."""
    pulse, timetable, _ = _pulse(lambda: None)
    for _ in range(1000):
        pulse.wake()

    assert timetable.waits == [0.0]


def test_duty_that_raises_is_tried_again() -> None:
    """An error is told to the caller, and the duty has its next turn all the same."""

    def duty() -> float | None:
        raise RuntimeError("once")

    pulse, timetable, _ = _pulse(duty)
    with pytest.raises(RuntimeError):
        pulse.run()

    assert timetable.waits == [5.0]


def test_rearm_says_the_same_moment_again() -> None:
    """After a jump of the wall clock the wait is what is left of it."""
    clock = FakeClock()
    timetable = Timetable()
    pulse = Pulse(lambda: clock.monotonic() + 10.0, timetable, clock)
    pulse.run()
    clock.advance(4.0)

    pulse.rearm()

    assert timetable.waits == [10.0, 6.0]


def test_tells_since_when_it_is_at_work() -> None:
    """Each turn tells its own beginning; between turns there is none."""
    clock = FakeClock()
    told: list[float | None] = []

    def duty() -> float | None:
        told.append(pulse.began)
        clock.advance(3.0)
        if len(told) == 1:
            pulse.wake()
        return None

    pulse = Pulse(duty, Timetable(), clock)
    begin = clock.monotonic()
    pulse.run()

    assert told == [begin, begin + 3.0]
    assert pulse.began is None


def test_waits_for_the_end_of_a_turn() -> None:
    """Whoever stops it learns whether it has come to rest."""
    inside, leave = threading.Event(), threading.Event()

    def duty() -> float | None:
        inside.set()
        leave.wait(60.0)
        return None

    pulse = Pulse(duty, Timetable(), SystemClock())
    thread = threading.Thread(target=pulse.run)
    thread.start()
    inside.wait(60.0)
    hangs = pulse.wait_idle(SystemClock().monotonic() + 0.05)
    leave.set()

    assert not hangs
    assert pulse.wait_idle(SystemClock().monotonic() + 60.0)
    thread.join()
