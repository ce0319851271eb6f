"""One process of the daemon, single-threaded: the real App with its journal, engine, adapters and sockets.

What is replaced is who calls it and when: the scheduler names moments and lets the test come to them, pools run
a step at once, and the clock stands still between two moments. So the n-th effect of a run is the same in every
run.
"""

import random
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import app as app_module
from daemon import desks
from daemon.app import App
from daemon.config import Config
from tests.clocks import FakeClock
from tests.crash.wire import watch
from tests.effects import Crash, Effects

_MOST_TURNS = 5000


class AtOnce(Executor):
    """A pool that runs a step within `submit`."""

    def submit(self, step: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(step(*arguments, **more))
        return future


@dataclass(slots=True)
class _Duty:
    call: Callable[[], object]
    every: timedelta
    due: datetime | None


class Moments:
    """Stands where the App expects its scheduler: knows what is due when, and calls nothing by itself."""

    clock: FakeClock

    def __init__(self, **_: Any) -> None:
        self.running = False
        self._thread = self
        self._duties: dict[str, _Duty] = {}

    def is_alive(self) -> bool:
        return True

    def add_job(self, call: Callable[[], object], _trigger: str, *, seconds: float, id: str, **more: Any) -> None:  # noqa: A002  the scheduler's own word
        every = timedelta(seconds=seconds)
        due = more.get("next_run_time", self.clock.now() + every)
        self._duties[id] = _Duty(call, every, due)

    def modify_job(self, name: str, *, next_run_time: datetime) -> None:
        self._duties[name].due = next_run_time

    def start(self) -> None:
        self.running = True

    def shutdown(self, *, wait: bool) -> None:
        del wait
        self.running = False

    def turn(self) -> None:
        """Let time pass until something is due, at least a millisecond, and do it."""
        due, duty = min(
            ((duty.due, duty) for duty in self._duties.values() if duty.due is not None), key=lambda one: one[0]
        )
        self.clock.advance(max(0.001, (due - self.clock.now()).total_seconds()))
        duty.due = self.clock.now() + duty.every
        duty.call()


class World:
    """One life of the daemon. Raises what its start raises, and Crash where its effects say so."""

    def __init__(
        self, config: Config, clock: FakeClock, effects: Effects, quiet: Callable[[], None], *, take_over: bool = False
    ) -> None:
        self._effects = effects
        self.clock = clock
        Moments.clock = clock
        captured = LogCapture()
        log = structlog.wrap_logger(
            None, [structlog.processors.format_exc_info, captured], structlog.make_filtering_bound_logger(0)
        )
        self.log = captured.entries
        self.app = App(config, clock, log, take_over=take_over)
        self._moments = cast("Moments", self.app._scheduler)
        for desk in self.app.shop.desks.values():
            desk.uploads = desk.downloads = desk.controls = cast("Any", AtOnce())
            watch(desk.session, effects, quiet)

    def start(self) -> None:
        self.app.start()

    def run(self, is_done: Callable[["World"], bool], turns: int = _MOST_TURNS) -> bool:
        """Go on until there is nothing left to do; False when it has not come to an end.

        A daemon that ends itself because it cannot go on safely says so in `app.died`.
        """
        for _ in range(turns):
            if self._effects.dead:
                # Somebody caught what nobody catches.
                raise Crash("swallowed")
            if self.app.died is not None:
                return False
            if is_done(self):
                return True
            self._moments.turn()
        return False

    def stop(self) -> None:
        self.app.stop()

    def bury(self) -> None:
        """Close what a process that has died leaves open."""
        for desk in self.app.shop.desks.values():
            desk.session.close()


_certificates = cache(ssl.create_default_context)


@contextmanager
def replaced() -> Iterator[None]:
    """The scheduler that calls nothing, certificates read once, and chance that repeats itself."""
    patch = pytest.MonkeyPatch()
    patch.setattr(app_module, "BackgroundScheduler", Moments)
    patch.setattr(ssl, "create_default_context", _certificates)
    patch.setattr(desks, "ThreadPoolExecutor", lambda *_, **__: AtOnce())
    random.seed(0)
    try:
        yield
    finally:
        patch.undo()
