"""How everything stands, as one object: what `status --json` prints and `status` puts into words.

    schema           1
    at               when this was put together
    running          whether a daemon holds the state's lock
    pid, started_at  of that process; null while it is not running or has not told yet
    root, state      the two folders
    noted_at         when a daemon last wrote its status; null when none ever did
    share            {there, why, since}
    providers        for each: name, configured, waiting, submitting, in_flight, ready, delivered_today,
                     failed_today; `waits`, one row for each reason why jobs do not go on:
                     {code, sentence, jobs, longest: {job, file, since}, next_try}; and `account`
    account          {door: open, closed or trial; code, sentence, since, next_try, paused_until, in_flight}
    resting          files in the inboxes that are not taken yet: {path, since, code, sentence}
    ignored          files in the inboxes that never will be: {path, why}
    resting_total, ignored_total   of more than 500 only the first are listed

`share`, `account`, `resting`, `ignored` and the reasons of `waits` are known to the living process alone and
null without one; a reason that is null is a job whose turn has not come. Times are UTC. Today is the reader's
own day.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from daemon import messages, names
from daemon.cli.reading import Scene
from daemon.clock import moment, stamp
from daemon.job import Job, State

SCHEMA = 1
_COLUMNS = {State.CLAIMED: "waiting", State.SUBMITTING: "submitting", State.IN_FLIGHT: "in_flight"}
"""What is further than these is `ready`: the service has nothing to do with it any more."""


def midnight(now: datetime) -> datetime:
    """When the reader's day began."""
    return now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def report(scene: Scene, jobs: Iterable[Job]) -> dict[str, Any]:
    """The object described above; `jobs` are those alive and those that ended today."""
    live = scene.live or {}
    mine: dict[str, list[Job]] = {name: [] for name in scene.config.providers}
    for job in jobs:
        mine.setdefault(job.provider, []).append(job)
    return {
        "schema": SCHEMA,
        "at": stamp(scene.now),
        "running": scene.running,
        "pid": live.get("pid"),
        "started_at": live.get("started_at"),
        "root": scene.root,
        "state": scene.state,
        "noted_at": stamp(scene.noted) if scene.noted else None,
        "share": {"since": None, **live["share"]} if scene.live else None,
        "providers": [_provider(scene, name, known) for name, known in mine.items()],
        "resting": [_resting(row) for row in live["resting"]] if scene.live else None,
        "resting_total": live.get("resting_total"),
        "ignored": live["ignored"] if scene.live else None,
        "ignored_total": live.get("ignored_total"),
    }


def _provider(scene: Scene, name: str, jobs: list[Job]) -> dict[str, Any]:
    today = midnight(scene.now)
    row: dict[str, Any] = {
        "name": name,
        "configured": name in scene.config.providers,
        "waiting": 0,
        "submitting": 0,
        "in_flight": 0,
        "ready": 0,
        "delivered_today": 0,
        "failed_today": 0,
    }
    for job in jobs:
        if job.alive:
            row[_COLUMNS.get(job.state, "ready")] += 1
        if job.delivered_at is not None:
            row["delivered_today"] += job.delivered_at >= today
        elif job.error is not None:
            row["failed_today"] += job.last_at >= today
    row["waits"] = list(_waits(scene, name, [job for job in jobs if job.alive]))
    row["account"] = _account(scene, name)
    return row


def _waits(scene: Scene, name: str, alive: Iterable[Job]) -> Iterator[dict[str, Any]]:
    """One row a reason; a job that waits for several things at once counts for the one that ends last."""
    reasons = reasons_of(scene.live or {})
    groups: dict[str | None, list[Job]] = {}
    for job in sorted(alive, key=lambda one: one.id):
        code = reasons[job.id]["why"] if job.id in reasons else None
        if code is not None or job.state is State.CLAIMED:
            groups.setdefault(code, []).append(job)
    for code, jobs in groups.items():
        longest = min(jobs, key=lambda one: one.dropped_at)
        tries = [reasons[job.id]["until"] for job in jobs if job.id in reasons]
        yield {
            "code": code,
            "sentence": sentence(scene, name, code) if code else None,
            "jobs": len(jobs),
            "longest": {
                "job": longest.id,
                "file": names.shown(f"{longest.folder}/{longest.name}"),
                "since": stamp(longest.dropped_at),
            },
            "next_try": min((one for one in tries if one), default=None),
        }


def reasons_of(live: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Why jobs do not go on: of each job the row of `status.json` whose moment is the latest."""
    found: dict[str, dict[str, Any]] = {}
    for row in live.get("waiting", []):
        job = row["job"].partition(".")[0]
        if job not in found or (row["until"] or "~") > (found[job]["until"] or "~"):
            found[job] = row
    return found


def _account(scene: Scene, name: str) -> dict[str, Any] | None:
    standing = scene.account(name)
    if standing is None:
        return None
    code = standing["reason"]
    return {
        "door": standing["door"],
        "code": code,
        "sentence": sentence(scene, name, code) if code else None,
        "since": standing["since"],
        "next_try": standing["next_try"],
        "paused_until": standing["paused_until"],
        "in_flight": standing["in_flight"],
    }


def sentence(scene: Scene, name: str, code: str) -> str:
    """Why something waits, and what a person has to do about it."""
    said = messages.waiting(code, {"provider": scene.title(name)})
    return " ".join(filter(None, (names.shown(said), messages.for_a_person(code))))


def _resting(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "path": row["path"],
        "since": row["since"],
        "code": row["why"],
        "sentence": messages.waiting(row["why"], {}) if row["why"] else None,
    }


def moment_or_none(text: str | None) -> datetime | None:
    return moment(text) if text else None
