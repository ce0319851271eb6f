"""What only the live process knows, as `status.json`: replaced on change, at most once a second, read by all
views. Jobs themselves are in the journal.
"""

import os
from datetime import datetime, timedelta
from typing import Any

from daemon import __version__, disk, names
from daemon.clock import stamp
from daemon.intake import Intake
from daemon.workshop import Workshop

NAME = "status.json"
SCHEMA = 1
_MOST_ROWS = 500


class View:
    """Makes and writes the snapshot. `detector` says how drops are noticed and when they count as complete."""

    def __init__(self, shop: Workshop, intake: Intake, state: str, detector: dict[str, Any]) -> None:
        self._shop = shop
        self._intake = intake
        self._state = state
        self._started = stamp(shop.clock.now())
        self._written: dict[str, Any] = {}
        self._written_at = float("-inf")
        self.detector = detector

    def snapshot(self) -> dict[str, Any]:
        """Everything a view needs beside the journal; times as UTC."""
        shop = self._shop
        now, wall = shop.clock.monotonic(), shop.clock.now()
        resting = self._intake.resting
        waiting = sorted(shop.waiting.copy().items())
        left = sorted(self._intake.left.items())
        return {
            "schema": SCHEMA,
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started,
            "root": shop.folders.root,
            "share": {
                "there": shop.away is None,
                "why": shop.away,
                "since": _utc(shop.away_since, now, wall),
            },
            "titles": {desk.name: desk.title for desk in shop.desks.values()},
            "detector": self.detector,
            "jobs": {state.value: count for state, count in sorted(shop.counts.items()) if count},
            "ended": {state.value: count for state, count in sorted(shop.ended.items()) if count},
            "resting": [
                {
                    "path": names.shown(place.path("inbox")),
                    "since": _utc(rest.since, now, wall),
                    "why": why,
                }
                for place, rest, why in resting[:_MOST_ROWS]
            ],
            "resting_total": len(resting),
            "ignored": [{"path": names.shown(path), "why": why} for path, why in left[:_MOST_ROWS]],
            "ignored_total": len(left),
            "waiting": [
                {"job": key, "why": wait.why, "until": _utc(wait.until, now, wall)}
                for key, wait in waiting[:_MOST_ROWS]
            ],
            "waiting_total": len(waiting),
            "accounts": self._accounts(now, wall),
            "bytes": {
                "up": sum(desk.session.meter.up for desk in shop.desks.values()),
                "down": sum(desk.session.meter.down for desk in shop.desks.values()),
            },
        }

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
                    "since": _utc(standing.since, now, wall),
                    "next_try": _utc(standing.until, now, wall),
                    "paused_until": _utc(standing.paused_until, now, wall),
                    "in_flight": standing.occupied,
                },
            )
            row["providers"].append(desk.name)
        return list(rows.values())

    def write(self, *, force: bool = False) -> None:
        """Replace the file if something changed and the last time was a second ago, or in any case."""
        now = self._shop.clock.monotonic()
        if not force and now - self._written_at < 1.0:
            return
        snapshot = self.snapshot()
        if not force and snapshot == self._written:
            return
        self._written_at = now
        folder = disk.open_root(self._state)
        try:
            disk.write_json(folder, NAME, {**snapshot, "at": stamp(self._shop.clock.now())}, 0o644)
        finally:
            disk.close(folder)
        self._written = snapshot


def _utc(moment: float | None, now: float, wall: datetime) -> str | None:
    """A monotonic moment as people read it, in whole seconds; None for never."""
    if moment is None or moment == float("inf"):
        return None
    return stamp((wall + timedelta(seconds=moment - now)).replace(microsecond=0))
