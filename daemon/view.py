"""What only the live process knows, as `status.json`: replaced on change, at most once a second, read by all
views. Jobs themselves are in the journal.
"""

import heapq
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

from daemon import __version__, disk, messages, names
from daemon.clock import stamp, utc
from daemon.intake import WANTED, Intake
from daemon.job import State
from daemon.measuring import Measures
from daemon.workshop import Waiting, Workshop

NAME = "status.json"
SCHEMA = 1
_MOST_ROWS = 500
_MEASURED_S = 15.0
_RENEWED_S = 60.0
"""The file is written at least so often, so that one that is old tells that it cannot be written."""


class View:
    """Makes and writes the snapshot. `detector` says how drops are noticed and when they count as complete."""

    def __init__(self, shop: Workshop, intake: Intake, state: str, detector: dict[str, Any]) -> None:
        self._shop = shop
        self._intake = intake
        self._state = state
        self._started = stamp(shop.clock.now())
        self._written: dict[str, Any] = {}
        self._written_at = float("-inf")
        self._measures = Measures(shop, intake, state)
        self.detector = detector
        self.notify: Callable[[], dict[str, Any] | None] = lambda: None
        """How it goes with the notifications; None where nobody is to be told."""
        self.stalled: list[str] = []
        """Which helpers make no progress, as far as the supervisor has to know."""
        self.config_problem: str | None = None
        """Why the configuration file, as it is now, is not in force; None when it is."""

    def facts(self) -> dict[str, Any]:
        """The snapshot of this moment with what metrics and health need beside it; asked from any thread."""
        measured = self._measures.latest(1.0)
        return {**self.snapshot(), "measured": measured, "at": stamp(self._shop.clock.now())}

    def snapshot(self) -> dict[str, Any]:
        """Everything a view needs beside the journal; times as UTC. Lists are bounded, their totals are not."""
        shop = self._shop
        now, wall = shop.clock.monotonic(), shop.clock.now()
        resting = self._intake.resting
        waiting = shop.waiting.copy()
        left = self._intake.left_as
        return {
            "schema": SCHEMA,
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started,
            "root": shop.folders.root,
            "config_problem": self.config_problem,
            "stalled": self.stalled,
            "share": {
                "there": shop.away is None,
                "why": shop.away,
                "since": utc(shop.away_since, now, wall),
            },
            "titles": {desk.name: desk.title for desk in shop.desks.values()},
            "detector": self.detector,
            "jobs": {state.value: count for state, count in sorted(shop.counts.copy().items()) if count},
            "ended": {state.value: count for state, count in sorted(shop.ended.copy().items()) if count},
            "resting": [
                {
                    "path": names.shown(place.path("inbox")),
                    "since": utc(rest.since, now, wall),
                    "why": why,
                }
                for place, rest, why in heapq.nsmallest(_MOST_ROWS, resting, key=lambda row: row[1].since)
            ],
            "resting_total": len(resting),
            "ignored": [
                {"path": names.shown(path), "why": names.shown(messages.left_alone(code)), "code": names.shown(code)}
                for path, code in heapq.nsmallest(_MOST_ROWS, left.items())
            ],
            "ignored_total": len(left),
            "withdrawn_total": sum(code.startswith(WANTED) for code in left.values()),
            "stopped": [
                {
                    "path": names.shown(stop.path),
                    "by": names.shown(stop.sign),
                    "since": utc(stop.since, now, wall),
                    "files": stop.files,
                }
                for stop in self._intake.stops[:_MOST_ROWS]
            ],
            "waiting": [
                {"job": key, "why": wait.why, "until": utc(wait.until, now, wall)}
                for key, wait in heapq.nsmallest(_MOST_ROWS, waiting.items(), key=itemgetter(0))
            ],
            "waiting_total": len(waiting),
            "reasons": self._reasons(waiting) if len(waiting) > _MOST_ROWS else [],
            **self._looks(now, wall),
            "notify": self.notify(),
            "accounts": self._accounts(now, wall),
            "budget": shop.budgets.rows(),
            "bytes": {
                "up": sum(desk.session.meter.up for desk in shop.desks.values()),
                "down": sum(desk.session.meter.down for desk in shop.desks.values()),
            },
        }

    def _reasons(self, waiting: Mapping[str, Waiting]) -> list[dict[str, Any]]:
        """How many jobs wait for what, where the list of them is not whole; `unsent` are not submitted yet."""
        groups: dict[tuple[str, str], dict[str, State]] = {}
        for key, wait in waiting.items():
            job = self._shop.journal.get(key.partition(".")[0])
            if job is not None:
                groups.setdefault((job.provider, wait.why), {})[job.id] = job.state
        return [
            {
                "provider": provider,
                "why": why,
                "jobs": len(states),
                "unsent": sum(state is State.CLAIMED for state in states.values()),
            }
            for (provider, why), states in sorted(groups.items())
        ]

    def _looks(self, now: float, wall: datetime) -> dict[str, Any]:
        """When the services are asked next: the first moment of each provider, and the parts that come first."""
        moments: dict[str, float] = {}
        first: dict[str, str | None] = {}
        for desk in self._shop.desks.values():
            mine = desk.lanes.poll.moments()
            room, until = desk.account.room("status")
            if not room:
                mine = {key: max(due, until) for key, due in mine.items()}
            first[desk.name] = utc(min(mine.values(), default=None), now, wall)
            moments |= mine
        soonest = heapq.nsmallest(_MOST_ROWS, moments.items(), key=itemgetter(1))
        return {"next_polls": first, "polls": [{"job": key, "at": utc(due, now, wall)} for key, due in soonest]}

    def _accounts(self, now: float, wall: datetime) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for desk in self._shop.desks.values():
            standing = desk.account.standing()
            row = rows.setdefault(
                desk.account.name,
                {
                    "providers": [],
                    "door": standing.door.value,
                    "reason": standing.reason or None,
                    "since": utc(standing.since, now, wall),
                    "next_try": utc(standing.until, now, wall),
                    "paused_until": utc(standing.paused_until, now, wall),
                    "in_flight": standing.occupied,
                },
            )
            row["providers"].append(desk.name)
        return list(rows.values())

    def write(self, *, force: bool = False) -> None:
        """Replace the file if something changed and the last time was a second ago, each minute, or in any case."""
        now = self._shop.clock.monotonic()
        if not force and now - self._written_at < 1.0:
            return
        snapshot = self.snapshot()
        # What is measured goes on changing while nothing happens, and so is no reason to write by itself.
        if not force and snapshot == self._written and now - self._written_at < _RENEWED_S:
            return
        measured = self._measures.latest(0.0 if force else _MEASURED_S)
        self._written_at = now
        folder = disk.open_root(self._state)
        try:
            told = {**snapshot, "measured": measured, "at": stamp(self._shop.clock.now())}
            disk.write_json(folder, NAME, told, 0o644)
        finally:
            disk.close(folder)
        self._written = snapshot
