"""A duty that says itself when it is next due; waking it early is cheap, and never lost."""

import threading
from collections.abc import Callable

from daemon.clock import Clock

_AFTER_BREAK_S = 5.0


class Pulse:
    """Runs `duty` whenever it is due or woken, never twice at once.

    `duty` returns the monotonic moment of its next turn, None when only a wake can tell. `arm` has `run` called
    by somebody after so many seconds; a later call replaces an earlier one.
    """

    def __init__(self, duty: Callable[[], float | None], arm: Callable[[float], None], clock: Clock) -> None:
        self._duty = duty
        self._arm_after = arm
        self._clock = clock
        self._lock = threading.Condition()
        self._again = False
        self._running = False
        self._began: float | None = None
        self.turns = 0
        """How many turns have ended, whatever their end."""
        self.thread: int | None = None
        """Which thread is in a turn now; None when none is."""
        self._due: float | None = None

    def wake(self) -> None:
        """Run now, or once more if it is running."""
        with self._lock:
            self._again = True
            if not self._running:
                self._arm(self._clock.monotonic())

    def rearm(self) -> None:
        """Say again when the duty is due: what calls `run` goes by the wall clock, and that has jumped."""
        with self._lock:
            if not self._running and self._due is not None:
                due, self._due = self._due, None
                self._arm(due)

    @property
    def began(self) -> float | None:
        """The monotonic moment when the turn that is under way began; None when none is."""
        return self._began

    def wait_idle(self, until: float) -> bool:
        """Wait until it is not running, or until a monotonic moment; says which."""
        with self._lock:
            while self._running and (left := until - self._clock.monotonic()) > 0.0:
                self._lock.wait(left)
            return not self._running

    def run(self) -> None:
        """One turn, and another for each wake that came meanwhile. Raises what the duty raises."""
        with self._lock:
            if self._running:
                self._again = True
                return
            self._running = True
            self.thread = threading.get_ident()
        due: float | None = self._clock.monotonic() + _AFTER_BREAK_S
        try:
            due = self._turns()
        finally:
            # Also after an error: the duty itself must not end with it.
            with self._lock:
                self._running = False
                self._began = self.thread = None
                self.turns += 1
                self._lock.notify_all()
                self._due = None
                if self._again:
                    due = self._clock.monotonic()
                if due is not None:
                    self._arm(due)

    def _turns(self) -> float | None:
        while True:
            with self._lock:
                self._again = False
            self._began = self._clock.monotonic()
            due = self._duty()
            with self._lock:
                if not self._again:
                    return due
                self.turns += 1

    def _arm(self, due: float) -> None:
        if self._due is None or due < self._due:
            self._due = due
            self._arm_after(max(0.0, due - self._clock.monotonic()))
