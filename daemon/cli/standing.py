"""How everything stands, as one object: what `status --json` prints, `status` puts into words, and pages show.

    schema           1
    at               when this was put together
    running          whether a daemon holds the state's lock
    pid, started_at  of that process; null while it is not running or has not told yet
    root, state      the two folders
    noted_at         when a daemon last wrote its status; null when none ever did
    config_problem   sentences: why the daemon goes on with an older configuration than the file's; [] if not
    share            {there, why, since}
    stopped          folders that a file called STOP pauses: {path, by, since, files}; so many
                     `files` wait there for `by` to be removed
    notify           as in `status.json`: {failing_since, why, …}; null when nobody is to be told of anything
    detector         how drops are noticed: {events, scan_s, settle, why}
    providers        for each: name, title, configured, waiting, submitting, in_flight, ready, delivered_today,
                     failed_today; `oldest`, the job before its submission that was dropped first: {job, file,
                     since, code, sentence, next_try}; `waits`, one row for each reason why jobs do not go on:
                     {code, sentence, jobs, longest: {job, file, since}, next_try}; `next_poll`, when the service
                     is asked about its jobs next; `budget`; and `account`
    account          {door: open, closed or trial; code, sentence, since, next_try, paused_until, in_flight}
    budget           as in `status.json`: {provider, unit, per_month, spent, in_flight, held_until, …}; null where
                     none is set
    ages             how long things have been where they are (`daemon.ages`): {labels, bounds_s, rows: [{provider,
                     state, total, counts}], total, counts}; resting and waiting since the drop, submitting and
                     in flight since the submission, ready since it was; null when there is nothing
    resting          files in the inboxes that are not taken yet, oldest first: {path, since, code, sentence}
    ignored          files in the inboxes that never will be: {path, code, why}; code is null for
                     what has only words
    resting_total, ignored_total   of more than 500 only the first are listed
    last_told        of a daemon that is not running, what it said last: {at, share, accounts: [{provider, door,
                     code, sentence, since}], budgets}; null while one runs, or when none ever told

`share`, `account`, `next_poll`, `budget`, `stopped`, `notify`, `detector`, `resting`, `ignored` and the reasons
of `waits` are known to the living process alone and null without one; a reason that is null is a job whose turn
has not come. Times are UTC. Today is the reader's own day.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from daemon import ages, messages, names
from daemon.cli import reasons
from daemon.cli.reading import Scene
from daemon.clock import moment, seconds_between, stamp
from daemon.job import Job, State

SCHEMA = 1
_COLUMNS = {State.CLAIMED: "waiting", State.SUBMITTING: "submitting", State.IN_FLIGHT: "in_flight"}
"""What is further than these is `ready`: the service has nothing to do with it any more."""


def midnight(now: datetime) -> datetime:
    """When the reader's day began."""
    return now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def column(job: Job) -> str:
    """Under which of the four states a job that is alive is counted."""
    return _COLUMNS.get(job.state, "ready")


def report(scene: Scene, jobs: Iterable[Job]) -> dict[str, Any]:
    """The object described above; `jobs` are those alive and those that ended today."""
    live = scene.live or {}
    mine: dict[str, list[Job]] = {name: [] for name in scene.config.providers}
    for job in jobs:
        mine.setdefault(job.provider, []).append(job)
    rows = reasons.rows_of(live)
    resting = [_resting(row) for row in live["resting"]] if scene.live else None
    return {
        "schema": SCHEMA,
        "at": stamp(scene.now),
        "running": scene.running,
        "pid": live.get("pid"),
        "started_at": live.get("started_at"),
        "root": scene.root,
        "state": scene.state,
        "noted_at": stamp(scene.noted) if scene.noted else None,
        "config_problem": _texts(live.get("config_problem") or scene.mistakes),
        "share": {"since": None, **live["share"]} if scene.live else None,
        "stopped": live.get("stopped", []) if scene.live else None,
        "notify": live.get("notify"),
        "detector": live.get("detector"),
        "providers": [_provider(scene, name, known, rows) for name, known in mine.items()],
        "ages": ages.histogram(_ages(scene.now, mine, resting or [])),
        "resting": resting,
        "resting_total": live.get("resting_total"),
        "ignored": [_ignored(row) for row in live["ignored"]] if scene.live else None,
        "ignored_total": live.get("ignored_total"),
        "last_told": last_told(scene),
    }


def _provider(scene: Scene, name: str, jobs: list[Job], rows: reasons.Rows) -> dict[str, Any]:
    today = midnight(scene.now)
    counts: Counter[str] = Counter()
    for job in jobs:
        if job.alive:
            counts[column(job)] += 1
        if job.delivered_at is not None:
            counts["delivered_today"] += job.delivered_at >= today
        elif job.error is not None:
            counts["failed_today"] += job.last_at >= today
    alive = sorted((job for job in jobs if job.alive), key=lambda one: one.id)
    return {
        "name": name,
        "title": scene.title(name),
        "configured": name in scene.config.providers,
        **{key: counts[key] for key in (*_COLUMNS.values(), "ready", "delivered_today", "failed_today")},
        "oldest": reasons.oldest(scene, name, alive, rows),
        "waits": list(reasons.waits(scene, name, alive, rows)),
        "next_poll": (scene.live or {}).get("next_polls", {}).get(name),
        "budget": _budget(scene.live, name),
        "account": _account(scene, scene.live, name),
    }


def _account(scene: Scene, told: Mapping[str, Any] | None, name: str) -> dict[str, Any] | None:
    """How a provider's account stands, or stood."""
    rows = (told or {}).get("accounts", [])
    standing = next((row for row in rows if name in row["providers"]), None)
    if standing is None:
        return None
    code = standing["reason"]
    return {
        "door": standing["door"],
        "code": code,
        "sentence": reasons.sentence(scene, name, code) if code else None,
        "since": standing["since"],
        "next_try": standing["next_try"],
        "paused_until": standing["paused_until"],
        "in_flight": standing["in_flight"],
    }


def _budget(told: Mapping[str, Any] | None, name: str) -> dict[str, Any] | None:
    rows = (told or {}).get("budget") or []
    return next((dict(row) for row in rows if row["provider"] == name), None)


def _resting(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "path": row["path"],
        "since": row["since"],
        "code": row["why"],
        "sentence": messages.waiting(row["why"], {}) if row["why"] else None,
    }


def _ignored(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": row["path"], "code": row.get("code"), "why": row["why"]}


def _ages(
    now: datetime, jobs: Mapping[str, Iterable[Job]], resting: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, str, float]]:
    """Since when everything has been where it is, for the histogram."""
    in_inboxes = [(row["path"].split("/")[1], moment(row["since"])) for row in resting]
    for provider, known in jobs.items():
        for name, since in in_inboxes:
            if name == provider:
                yield provider, "resting", seconds_between(since, now)
        for job in known:
            if job.alive:
                state = column(job)
                yield provider, state, seconds_between(_since(job, state), now)


def _since(job: Job, state: str) -> datetime:
    if state == "waiting":
        return job.dropped_at
    return (job.ready_at if state == "ready" else job.sent_at) or job.last_at


def last_told(scene: Scene) -> dict[str, Any] | None:
    """What a daemon that is gone said last of what the journal does not know; None while one runs."""
    told = scene.told
    if told is None or scene.running:
        return None
    known = {name: _account(scene, told, name) for name in scene.config.providers}
    return {
        "at": told["at"],
        "share": {"since": None, **told.get("share", {})},
        "accounts": [
            {"provider": name, **{key: row[key] for key in ("door", "code", "sentence", "since")}}
            for name, row in known.items()
            if row is not None and row["door"] != "open"
        ],
        "budgets": [row for name in scene.config.providers if (row := _budget(told, name)) is not None],
    }


def _texts(value: object) -> list[str]:
    """One sentence or several, as a list; none for nothing."""
    if not value:
        return []
    return [names.shown(str(one)) for one in (value if isinstance(value, list) else [value])]


def moment_or_none(text: str | None) -> datetime | None:
    return moment(text) if text else None
