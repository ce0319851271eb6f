"""What a service limits and bills: request windows, jobs under way, and whether it takes submissions at all.

Providers with equal origin and key, or the same `account:` name, share one account. One uncertain or blocking
answer closes it for submissions; it reopens half-way: after a wait it is asked (at no cost) whether it would
work, then one file goes as a trial, and its success opens it. Polls and fetches go on meanwhile.
"""

import random
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon import policy
from daemon.clock import Clock
from daemon.errors import NoRoomError
from daemon.settings import Rate


class Door(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    TRIAL = "trial"
    """Half open: one submission may go."""


class SlidingWindow:
    """At most `requests` in any `per_s` seconds; a slot frees `per_s` after its answer came."""

    def __init__(self, window: Rate, now: float, *, full: bool) -> None:
        self.window = window
        self._open = 0
        self._ended: deque[float] = deque([now] * window.requests if full else [])

    def room(self, now: float) -> int:
        """How many requests may start now."""
        while self._ended and self._ended[0] + self.window.per <= now:
            self._ended.popleft()
        return max(0, self.window.requests - self._open - len(self._ended))

    def free_at(self, now: float) -> float:
        """When there is room again, as far as is known now; requests under way free theirs later."""
        if self.room(now):
            return now
        if not self._ended:
            return now + self.window.per
        return self._ended[0] + self.window.per

    def begin(self) -> None:
        self._open += 1

    def end(self, now: float) -> None:
        self._open -= 1
        self._ended.append(now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What an account's state looks like to people."""

    door: Door
    reason: str
    since: float | None
    until: float | None
    occupied: int
    paused_until: float | None


class Account:
    """One account; used from many threads."""

    def __init__(
        self,
        name: str,
        windows: Mapping[str, Rate],
        max_in_flight: int | None,
        clock: Clock,
        *,
        full: bool,
    ) -> None:
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        now = clock.monotonic()
        self._windows = {verb: SlidingWindow(window, now, full=full) for verb, window in windows.items()}
        self._max_in_flight = max_in_flight
        self._occupied = 0
        self._reserved = 0
        self._door = Door.OPEN
        self._reason = ""
        self._since: float | None = None
        self._until = 0.0
        self._asks_first = False
        self._strikes = 0
        self._trial: str | None = None
        self._paused_until = 0.0
        self._throttles = 0
        self._held_at: int | None = None
        self._held_until = 0.0

    # -- windows: every request sent with the key -----------------------------------------------------------

    def begin(self, verb: str) -> None:
        """Take a slot for one request. Raises NoRoomError with the moment to come back."""
        with self._lock:
            now = self._clock.monotonic()
            mine = self._of(verb)
            blocked = [window.free_at(now) for window in mine if not window.room(now)]
            if self._paused_until > now:
                blocked.append(self._paused_until)
            if blocked:
                raise NoRoomError(max(blocked))
            for window in mine:
                window.begin()

    def end(self, verb: str) -> None:
        """The answer of a request came, or never will."""
        with self._lock:
            now = self._clock.monotonic()
            for window in self._of(verb):
                window.end(now)

    def room(self, verb: str) -> tuple[int, float]:
        """How many requests of a kind may start now, and when to look again if none."""
        with self._lock:
            now = self._clock.monotonic()
            if self._paused_until > now:
                return 0, self._paused_until
            mine = self._of(verb)
            if not mine:
                return 1_000_000, now
            return min(one.room(now) for one in mine), max(one.free_at(now) for one in mine)

    def rooms(self) -> dict[str, int]:
        """How many requests may start now in each window, by its verb; `*` is the window of all."""
        with self._lock:
            now = self._clock.monotonic()
            return {verb: window.room(now) for verb, window in self._windows.items()}

    def _of(self, verb: str) -> list[SlidingWindow]:
        return [self._windows[key] for key in (verb, "*") if key in self._windows]

    # -- submissions ----------------------------------------------------------------------------------------

    def occupy(self, change: int) -> None:
        """The number of parts under way at the service changed."""
        with self._lock:
            self._occupied += change

    def reserve(self, job: str) -> bool:
        """Keep a place for a submission of this job; False when none may start now.

        The place is given back by `unreserve`, also when the submission itself has taken one (`occupy`).
        """
        with self._lock:
            if not self._admits(job):
                return False
            self._reserved += 1
            return True

    def unreserve(self) -> None:
        with self._lock:
            self._reserved -= 1

    def may_send(self, job: str) -> bool:
        """Whether a reserved submission may still go: the door may have closed since.

        Half open, the first that asks is the trial, and every other one waits for its end.
        """
        with self._lock:
            if self._door is Door.TRIAL and self._trial is None:
                self._trial = job
            return self._door is Door.OPEN or self._trial == job

    def next_admission(self) -> float | None:
        """When to look again after `reserve` said no; None: when something ends (a job, a check, a trial)."""
        with self._lock:
            now = self._clock.monotonic()
            if self._door is Door.CLOSED:
                # A check that is due may be under way, or not have been noticed yet.
                return self._until if self._until > now else now + policy.CHECK_LOOK_S
            return self._held_until if self._held_at is not None else None

    def _admits(self, job: str) -> bool:
        now = self._clock.monotonic()
        under_way = self._occupied + self._reserved
        if self._door is Door.CLOSED:
            return False
        if self._trial == job or not under_way:
            # Its submission is over, although nobody said how it went.
            self._trial = None
        if self._door is Door.TRIAL and (self._trial is not None or self._reserved):
            return False
        if now >= self._held_until:
            self._held_at = None
        return all(under_way < limit for limit in (self._held_at, self._max_in_flight) if limit is not None)

    def submission_ended(self, job: str, *, sane: bool) -> bool:
        """A submission got an answer about the file (`sane`), or none that says anything about the account.

        Says whether it was the trial that opens the account again.
        """
        with self._lock:
            if sane and self._door is Door.OPEN:
                self._strikes = self._throttles = 0
            if self._trial != job:
                return False
            self._trial = None
            if not sane or self._door is not Door.TRIAL:
                return False
            self._door = Door.OPEN
            self._reason, self._since, self._strikes = "", None, 0
            return True

    # -- closing and reopening ------------------------------------------------------------------------------

    def close(self, reason: str, *, ask_first: bool) -> bool:
        """Stop submissions; says whether they were open. With `ask_first` a free check comes before the trial.

        Uncertain and blocking answers ask first and wait 30 s to 30 min; an account that could not be
        reached is tried again after 2 s to 5 min, because such a try can cost nothing.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._door is not Door.CLOSED or (ask_first and not self._asks_first):
                self._strikes += 1
                first = policy.FIRST_REOPEN_S if ask_first else policy.FIRST_RECONNECT_S
                last = policy.LAST_REOPEN_S if ask_first else policy.LAST_RECONNECT_S
                self._until = now + policy.doubling(self._strikes, first, last, random.random())  # noqa: S311  spreads retries, guards nothing
                self._asks_first = ask_first
            was_open = self._since is None
            self._since = now if self._since is None else self._since
            self._door = Door.CLOSED
            self._trial = None
            if ask_first or not self._asks_first:
                self._reason = reason
            return was_open

    def check_due(self) -> bool:
        """Whether it is time to ask the service if it would work again; half-opens by itself if it need not."""
        with self._lock:
            if self._door is not Door.CLOSED or self._clock.monotonic() < self._until:
                return False
            if self._asks_first:
                return True
            self._door = Door.TRIAL
            return False

    def half_open(self) -> None:
        """The check was good: one trial may go."""
        with self._lock:
            if self._door is Door.CLOSED:
                self._door = Door.TRIAL

    def still_closed(self, reason: str) -> None:
        """The check was not good: wait longer."""
        with self._lock:
            self._strikes += 1
            self._reason = reason
            wait = policy.doubling(
                self._strikes,
                policy.FIRST_REOPEN_S,
                policy.LAST_REOPEN_S,
                random.random(),  # noqa: S311  as above
            )
            self._until = self._clock.monotonic() + wait

    def check_later(self, until: float) -> None:
        """The check itself had no room in the window."""
        with self._lock:
            self._until = max(self._until, until)

    def poke(self) -> None:
        """Somebody says that things changed: whatever is closed or paused may be tried at once."""
        with self._lock:
            self._until = self._clock.monotonic()
            self._paused_until = 0.0

    def pause(self, asked_s: float | None) -> None:
        """Send nothing with this key until a moment that the service named, or that we choose."""
        with self._lock:
            if self._paused_until <= self._clock.monotonic():
                self._throttles += 1
            wait = policy.retry_after(asked_s, self._throttles, random.random())  # noqa: S311  as above
            self._paused_until = max(self._paused_until, self._clock.monotonic() + wait)

    def hold(self) -> None:
        """As many jobs under way as the service allows: wait until one of ours ends, or a minute."""
        with self._lock:
            self._held_at = self._occupied
            self._held_until = self._clock.monotonic() + policy.CAPACITY_HOLD_S

    def answered(self) -> None:
        """A request with the key was answered as documented: the service is not throttling us now."""
        with self._lock:
            self._throttles = 0

    def standing(self) -> Standing:
        with self._lock:
            now = self._clock.monotonic()
            return Standing(
                door=self._door,
                reason=self._reason,
                since=self._since,
                until=self._until if self._door is Door.CLOSED else None,
                occupied=self._occupied,
                paused_until=self._paused_until if self._paused_until > now else None,
            )


class Reservation:
    """A place in the account, kept from the moment a job is chosen until its submission takes one."""

    def __init__(self, account: Account, job: str) -> None:
        self._account = account
        self._job = job
        self._held = True

    def renew(self) -> bool:
        """Hold a place again, for the next part; False when there is none."""
        self._held = self._held or self._account.reserve(self._job)
        return self._held

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._account.unreserve()
