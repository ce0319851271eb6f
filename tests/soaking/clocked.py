"""A daemon whose wall clock is what a file says, and whose patience is short: `python -m tests.soaking.clocked`.

The first argument names a file with the seconds by which the wall clock is wrong, read anew at every look; the
rest is a command line of `babeldrop`. The machine's clock and monotonic time are left alone. APScheduler reads
the wall clock by itself, so it is given the same one.

Waits of half a minute and more are shortened, so that minutes hold what else takes hours; what is decided
after a wait stays as it is.
"""

import ctypes
import signal
import sys
from datetime import datetime, timedelta, tzinfo
from types import ModuleType
from typing import Self

from apscheduler.executors import base as executors
from apscheduler.schedulers import base as schedulers
from apscheduler.triggers import interval

from daemon import clock, policy
from daemon.cli import main
from daemon.providers import azure_recovery, doctranslate

_PR_SET_PDEATHSIG = 1
_IMPATIENCE: tuple[tuple[ModuleType, dict[str, float]], ...] = (
    (
        policy,
        {
            "FIRST_REOPEN_S": 1.0,
            "LAST_REOPEN_S": 4.0,
            "FIRST_RECONNECT_S": 0.5,
            "LAST_RECONNECT_S": 3.0,
            "FIRST_RETRY_S": 0.3,
            "LAST_RETRY_S": 4.0,
            "CAPACITY_HOLD_S": 2.0,
            "LOST_AFTER_S": 4.0,
            "SHARE_LOOK_S": 0.5,
        },
    ),
    (azure_recovery, {"_APART_S": 3.0, "_SOON_S": 1.0, "_ASK_FOR_S": 20.0}),
    (doctranslate, {"_ASK_AGAIN_S": 2.0, "_ASK_FOR_S": 10.0}),
)


def wrong_by(path: str) -> type[datetime]:
    """A `datetime` whose `now` is off by what the file says, in seconds."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            with open(path, encoding="ascii") as told:
                moved = datetime.now(tz) + timedelta(seconds=float(told.read()))
            return cls.combine(moved.date(), moved.timetz())

    return Shifted


def shift(path: str) -> None:
    """Let the daemon in this process live by the file's clock."""
    shifted = wrong_by(path)
    for module in (clock, schedulers, executors, interval):
        assert vars(module)["datetime"] is datetime, f"{module.__name__} reads its clock elsewhere"
        vars(module)["datetime"] = shifted


def die_with_parent() -> None:
    """No daemon outlives a run that was killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hurry() -> None:
    """Shorten the waits."""
    for module, waits in _IMPATIENCE:
        for name, seconds in waits.items():
            assert isinstance(vars(module)[name], float), f"{module.__name__}.{name} is no wait"
            vars(module)[name] = seconds


if __name__ == "__main__":
    die_with_parent()
    shift(sys.argv.pop(1))
    hurry()
    main()
