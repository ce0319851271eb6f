"""What systemd is told about the daemon: sd_notify(3), one datagram for each thing to say.

Without `$NOTIFY_SOCKET` nothing is said, and a datagram that cannot be sent disturbs nobody: a daemon that is kept
alive by something else, or by nothing, works as well.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from daemon import messages, names
from daemon.accounts import Door
from daemon.clock import Clock, stamp
from daemon.job import State
from daemon.liveness import Sign, still_owing
from daemon.workshop import Workshop

_STATUS_EVERY_S = 1.0
_SEND_WITHIN_S = 1.0
_LONGEST_STATUS = 800
_BEING_DELIVERED = (State.READY, State.BANKED, State.PUBLISHING)


class Watched(Protocol):
    """A daemon that can be asked how its helpers are, and can have them show it."""

    def signs(self) -> dict[str, Sign]: ...

    def prod(self) -> None: ...


class Supervisor:
    """The way to the supervisor that `environment` names. `WATCHDOG=1` is sent at half of the time it allows."""

    def __init__(self, clock: Clock, log: FilteringBoundLogger, environment: Mapping[str, str] = os.environ) -> None:
        self._clock = clock
        self._log = log
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._every_s = _half_of_watchdog(environment) if self._address else None
        self._fed_at = float("-inf")
        self._owing: dict[str, Sign] = {}
        self._status = ""
        self._status_at = float("-inf")
        self.stalled: list[str] = []
        """Which helpers have shown no progress when they had to."""

    @property
    def watches(self) -> bool:
        """Whether it starts the daemon anew when it hears nothing."""
        return self._every_s is not None

    def ready(self) -> None:
        """The daemon works: after a start, and after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for people, as `systemctl status` shows it; sent on change, at most once a second."""
        now = self._clock.monotonic()
        if text != self._status and now - self._status_at >= _STATUS_EVERY_S:
            self._status, self._status_at = text, now
            self._send(f"STATUS={names.shown(text)[:_LONGEST_STATUS]}")

    def watch(self, app: Watched) -> None:
        """Called at every heartbeat: say that all is well when it is time, and every helper has shown progress."""
        if self._every_s is None:
            return
        now = app.signs()
        self._owing = still_owing(self._owing, now)
        if self._clock.monotonic() - self._fed_at < self._every_s:
            return
        stalled = sorted(self._owing)
        if stalled:
            if stalled != self.stalled:
                self._log.error("watchdog.withheld", stalled=stalled)
            self.stalled = stalled
            return
        self.stalled = []
        self._send("WATCHDOG=1")
        self._fed_at = self._clock.monotonic()
        self._owing = now
        app.prod()

    def forget(self) -> None:
        """Another daemon has taken the place of the one that was watched: its helpers owe nothing yet."""
        self._owing = {}

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            # The heartbeat must not wait for a supervisor that does not listen.
            way.settimeout(_SEND_WITHIN_S)
            way.sendto(text.encode(), self._address)


def _address(text: str) -> str | None:
    """A path, or a name of the abstract kind; None for what is neither."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _half_of_watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds between two "all is well"; None when this process is not asked for any."""
    allowed, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not allowed.isdecimal() or int(allowed) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(allowed) / 2_000_000


def in_a_line(shop: Workshop, resting: int, since: str, more: str | None = None) -> str:
    """The state of the work as one line; `since` is when counting began, `more` stands in front."""
    counts, ended = shop.counts, shop.ended
    waiting = resting + counts[State.CLAIMED] + counts[State.SUBMITTING]
    coming = sum(counts[state] for state in _BEING_DELIVERED)
    parts = [more] if more else []
    parts.append(f"{waiting} waiting, {counts[State.IN_FLIGHT]} in flight, {coming} being delivered")
    parts.append(f"since {since} {ended[State.DELIVERED]} delivered, {ended[State.FAILED]} failed")
    if shop.away is not None:
        passed_s = shop.clock.monotonic() - (shop.away_since or 0.0)
        parts.append(f"share away since {to_the_minute(shop.clock, -passed_s)}: {shop.away}")
    seen = set()
    for desk in shop.desks.values():
        standing = desk.account.standing()
        if standing.door is not Door.OPEN and desk.account.name not in seen:
            seen.add(desk.account.name)
            parts.append(f"{desk.name} closed: {messages.waiting(standing.reason, {'provider': desk.title})}")
    return "; ".join(parts)


def to_the_minute(clock: Clock, shift_s: float = 0.0) -> str:
    """A moment as people read it: `2026-01-31 08:00 UTC`."""
    return stamp(clock.now() + timedelta(seconds=shift_s))[:16].replace("T", " ") + " UTC"
