"""What metrics and health need beside the snapshot: looked up when somebody asks, as moments, never as ages.

scan        {at, seconds} of the last full scan
jobs        {provider, folder, state, count}; a folder that is not configured is `other`
oldest      {provider, state, since} of jobs: since the drop while claimed, since the hand-over while at the
            service, since the last event afterwards
waits       {provider, why, jobs, since}: for how long one of them has given this very reason
resting     {why, files, since}: for how long one of them has not changed
unclaimed_since   when the drop that has been here longest was first seen
providers   {name, moved, deadline_s, poll_s, up, down, delivered, uncertain}
failed      {provider, code, count}
requests    {provider, verb, outcome, count}      seconds   {provider, verb, count, seconds}
rooms       {provider, verb, room}: how many requests may start now; `any` is the window of all kinds
costs       {provider, unit, sum} of jobs that ended
journal_bytes
"""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from daemon import disk, journal
from daemon.clock import stamp, utc
from daemon.desks import Desk
from daemon.intake import Intake
from daemon.job import Job, State
from daemon.workshop import Workshop

OTHER = "other"


class Measures:
    """Looks at the living daemon; `state` is its folder. Used from several threads."""

    def __init__(self, shop: Workshop, intake: Intake, state: str) -> None:
        self._shop = shop
        self._intake = intake
        self._state = state
        self._lock = threading.Lock()
        self._waits: dict[str, tuple[str, float]] = {}
        self._measured: dict[str, Any] = {}
        self._measured_at = float("-inf")

    def latest(self, most_s: float) -> dict[str, Any]:
        """The object described above, at most so many seconds old: it takes a look at every job that is alive."""
        with self._lock:
            now = self._shop.clock.monotonic()
            if now - self._measured_at >= most_s:
                self._measured, self._measured_at = self._measure(), now
            return self._measured

    def _measure(self) -> dict[str, Any]:
        shop = self._shop
        now, wall = shop.clock.monotonic(), shop.clock.now()
        alive = shop.journal.alive()
        scan = shop.tally.scan
        desks = shop.desks.values()
        return {
            "scan": {
                "at": utc(scan.ended, now, wall) if scan else None,
                "seconds": round(scan.seconds, 3) if scan else None,
            },
            "jobs": self._jobs(alive),
            "oldest": _oldest(alive),
            "waits": self._reasons(now, wall),
            "resting": self._resting(now, wall),
            "unclaimed_since": self._intake.first_seen,
            "providers": [self._provider(desk, now, wall) for desk in desks],
            "failed": [
                {"provider": provider, "code": code, "count": count}
                for (provider, code), count in sorted(shop.tally.failed.items())
            ],
            **_requests(desks),
            "rooms": [
                {"provider": desk.name, "verb": "any" if verb == "*" else verb, "room": room}
                for desk in desks
                for verb, room in sorted(desk.account.rooms().items())
            ],
            "costs": [
                {"provider": provider, "unit": unit, "sum": total}
                for (provider, unit), total in sorted(shop.tally.costs.items())
            ],
            "journal_bytes": self._journal_bytes(),
        }

    def _journal_bytes(self) -> int:
        folder = disk.open_root(self._state)
        try:
            found = disk.lstat(folder, journal.NAME)
        finally:
            disk.close(folder)
        return found.st_size if found else 0

    def _jobs(self, alive: Iterable[Job]) -> list[dict[str, Any]]:
        counts = Counter((job.provider, self._folder(job), job.state.value) for job in alive)
        return [
            {"provider": provider, "folder": folder, "state": state, "count": count}
            for (provider, folder, state), count in sorted(counts.items())
        ]

    def _folder(self, job: Job) -> str:
        """People may make any folder; only those of the configuration have a row of their own."""
        desk = self._shop.desks.get(job.provider)
        return job.folder if desk is not None and job.folder in desk.settings.languages else OTHER

    def _reasons(self, now: float, wall: datetime) -> list[dict[str, Any]]:
        before, self._waits = self._waits, {}
        jobs: dict[tuple[str, str], set[str]] = {}
        since: dict[tuple[str, str], float] = {}
        for key, waiting in self._shop.waiting.copy().items():
            job, word = self._shop.journal.get(key.partition(".")[0]), waiting.why.partition(": ")[0]
            if job is None:
                continue
            known = before.get(key)
            first = known[1] if known is not None and known[0] == word else now
            self._waits[key] = (word, first)
            row = (job.provider, word)
            jobs.setdefault(row, set()).add(job.id)
            since[row] = min(first, since.get(row, first))
        return [
            {"provider": row[0], "why": row[1], "jobs": len(ids), "since": utc(since[row], now, wall)}
            for row, ids in sorted(jobs.items())
        ]

    def _resting(self, now: float, wall: datetime) -> list[dict[str, Any]]:
        files: Counter[str] = Counter()
        since: dict[str, float] = {}
        for _, rest, why in self._intake.resting:
            word = why.partition(": ")[0]
            files[word] += 1
            since[word] = min(rest.since, since.get(word, rest.since))
        return [{"why": why, "files": files[why], "since": utc(since[why], now, wall)} for why in sorted(files)]

    def _provider(self, desk: Desk, now: float, wall: datetime) -> dict[str, Any]:
        tally, meter = self._shop.tally, desk.session.meter
        moved = [at for at in (tally.moved(desk.name), meter.moved_at) if at is not None]
        return {
            "name": desk.name,
            "moved": utc(max(moved, default=None), now, wall),
            "deadline_s": desk.settings.deadline,
            "poll_s": desk.poll_at_most_s,
            "up": meter.up,
            "down": meter.down,
            "delivered": tally.delivered.get(desk.name, 0),
            "uncertain": tally.uncertain_ones.get(desk.name, 0),
        }


def carry_over(before: Workshop, after: Workshop) -> None:
    """Have the totals of a workshop that has ended go on in the one that takes its place in the same process."""
    after.tally.go_on(before.tally)
    for name, desk in after.desks.items():
        if name in before.desks:
            desk.session.meter.go_on(before.desks[name].session.meter)


def _oldest(alive: Iterable[Job]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], datetime] = {}
    for job in alive:
        since = job.last_at
        if job.state is State.CLAIMED:
            since = job.dropped_at
        elif job.state in (State.SUBMITTING, State.IN_FLIGHT):
            since = job.sent_at or job.last_at
        key = (job.provider, job.state.value)
        found[key] = min(since, found.get(key, since))
    return [
        {"provider": provider, "state": state, "since": stamp(at)} for (provider, state), at in sorted(found.items())
    ]


def _requests(desks: Iterable[Desk]) -> dict[str, list[dict[str, Any]]]:
    requests, seconds = [], []
    for desk in desks:
        counts, spent = desk.session.meter.requests, desk.session.meter.seconds
        sums: Counter[str] = Counter()
        for (verb, outcome), count in sorted(counts.items()):
            requests.append({"provider": desk.name, "verb": verb, "outcome": outcome, "count": count})
            sums[verb] += count
        seconds += [
            {"provider": desk.name, "verb": verb, "count": sums[verb], "seconds": round(spent[verb], 3)}
            for verb in sorted(spent)
            if sums[verb]
        ]
    return {"requests": requests, "seconds": seconds}
