"""Why jobs do not go on: what the living daemon tells, by job and by provider, with its sentences."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daemon import messages, names
from daemon.cli.reading import Scene
from daemon.clock import stamp
from daemon.job import AT_THE_SERVICE, Job, PartStage, State

Rows = Mapping[str, Mapping[str, Any]]
"""Of each job that is listed as waiting, the row of `status.json` whose moment is the latest."""


def rows_of(live: Mapping[str, Any]) -> Rows:
    """The reasons that a status lists, by job; of more than 500 parts it lists the oldest."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in live.get("waiting", []):
        job = row["job"].partition(".")[0]
        if job not in found or (row["until"] or "~") > (found[job]["until"] or "~"):
            found[job] = row
    return found


def of_job(scene: Scene, job: Job, rows: Rows) -> tuple[str | None, str | None]:
    """The code of why a job does not go on, and when it is tried again; (None, None): its turn has not come.

    What closed the account stands for "the account is closed".
    """
    row = rows.get(job.id)
    account = scene.account(job.provider)
    closed = account is not None and account["door"] == "closed" and to_be_sent(job)
    if account is not None and closed and (row is None or row["why"] == "account.closed"):
        return account["reason"], account["next_try"]
    if row is not None:
        return row["why"], row["until"]
    if scene.running and job.provider not in scene.config.providers:
        return "provider.removed", None
    return None, None


def to_be_sent(job: Job) -> bool:
    """Whether something of it has still to be submitted."""
    return job.state in AT_THE_SERVICE and any(part.stage is PartStage.NEW for part in job.parts)


def waits(scene: Scene, name: str, alive: Iterable[Job], rows: Rows) -> Iterator[dict[str, Any]]:
    """One row a reason; a job that waits for several things at once counts for the one that ends last."""
    groups: dict[str | None, list[tuple[Job, str | None]]] = {}
    unlisted: str | None = None
    for job in alive:
        code, until = of_job(scene, job, rows)
        if code is not None or job.state is State.CLAIMED:
            groups.setdefault(code, []).append((job, until))
        if job.state is State.CLAIMED and job.id not in rows:
            unlisted = code
    totals = {code: len(jobs) for code, jobs in groups.items()}
    _count_unlisted(scene, name, totals, unlisted)
    for code, jobs in groups.items():
        if totals[code]:
            yield {
                "code": code,
                "sentence": sentence(scene, name, code) if code else None,
                "jobs": totals[code],
                "longest": told(min((job for job, _ in jobs), key=lambda one: one.dropped_at)),
                "next_try": min((until for _, until in jobs if until), default=None),
            }


def _count_unlisted(scene: Scene, name: str, totals: dict[str | None, int], taken_for: str | None) -> None:
    """Put right how many wait for what, where the status counts more than it lists; what was not listed was
    `taken_for` this reason.
    """
    for row in (scene.live or {}).get("reasons", []):
        beyond = row["jobs"] - totals.get(row["why"], 0)
        if row["provider"] == name and beyond > 0 and row["why"] in totals and row["why"] != taken_for:
            totals[row["why"]] += beyond
            totals[taken_for] = max(0, totals.get(taken_for, 0) - min(beyond, row["unsent"]))


def told(job: Job) -> dict[str, Any]:
    """Which file a row speaks of."""
    return {"job": job.id, "file": names.shown(f"{job.folder}/{job.name}"), "since": stamp(job.dropped_at)}


def oldest(scene: Scene, name: str, alive: Iterable[Job], rows: Rows) -> dict[str, Any] | None:
    """Of the jobs that are not submitted yet, the one that was dropped first, with what it waits for."""
    unsent = (job for job in alive if job.state is State.CLAIMED)
    job = min(unsent, key=lambda one: one.dropped_at, default=None)
    if job is None:
        return None
    code, until = of_job(scene, job, rows)
    said = sentence(scene, name, code) if code else None
    return {**told(job), "code": code, "sentence": said, "next_try": until}


def sentence(scene: Scene, name: str, code: str) -> str:
    """Why something waits, and what a person has to do about it."""
    said = messages.waiting(code, {"provider": scene.title(name)})
    return " ".join(filter(None, (names.shown(said), messages.for_a_person(code))))
