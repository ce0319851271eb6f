"""The story of one job in sentences: from the drop to where its result lies, or why it failed and what to do."""

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from daemon import messages, names
from daemon.cli import reasons, standing, words
from daemon.cli.places import failed_as, there
from daemon.cli.reading import Scene
from daemon.clock import moment, stamp
from daemon.folders import Place
from daemon.job import AT_THE_SERVICE, Job, PartStage, State


def title(job: Job) -> str:
    """Which file, which way, under which id."""
    return f"{names.shown(job.name)}, {job.provider} to {names.shown(job.folder)}, job {job.id}"


def story(scene: Scene, job: Job, jobs: Iterable[Job] = ()) -> list[str]:
    """Everything that is known of a job, oldest first; `jobs` are all that are known, also this one."""
    jobs = list(jobs)
    ends = _failure(scene, job, jobs) if job.error is not None else _delivery(scene, job)
    return [
        *_beginning(scene, job, jobs),
        *_service(scene, job, jobs),
        *_result(scene, job),
        *ends,
        *_waits(scene, job),
        *_withdrawn_too_late(scene, job),
    ]


def in_short(scene: Scene, job: Job) -> str:
    """One line about a job among several."""
    when = words.when(job.last_at, scene.now)
    if job.error is not None:
        return f"{when}: failed ({job.error['code']}), job {job.id}"
    if job.delivered_at is not None:
        return f"{when}: delivered as {names.shown(job.published or '')}, job {job.id}"
    return f"{when}: {job.state.value.replace('_', ' ')}, job {job.id}"


def facts(scene: Scene, job: Job) -> dict[str, Any]:
    """One job for programs; `waits` is why it does not go on, null without a living daemon."""
    code, until = reasons.of_job(scene, job, reasons.rows_of(scene.live or {})) if job.alive else (None, None)
    waits = {"code": code, "sentence": reasons.sentence(scene, job.provider, code), "until": until} if code else None
    named = ("dropped_at", "claimed_at", "ready_at", "banked_at", "delivered_at", "last_at")
    moments = {"submitted_at": job.sent_at, **{name: getattr(job, name) for name in named}}
    return {
        "id": job.id,
        "provider": job.provider,
        "folder": names.shown(job.folder),
        "name": names.shown(job.name),
        "state": (job.closed_as or job.state).value,
        "alive": job.alive,
        "size": job.size,
        "sha256": job.sha256,
        "refs": list(job.refs),
        "attempts": job.attempts,
        "cost": job.cost,
        "unit": job.unit,
        **{name: stamp(at) if at else None for name, at in moments.items()},
        "published": names.shown(job.published) if job.published else None,
        "error": dict(job.error) if job.error else None,
        "waits": waits,
    }


# -- what happened ------------------------------------------------------------------------------------------


def _beginning(scene: Scene, job: Job, jobs: list[Job]) -> Iterator[str]:
    inbox = words.quoted(place_of(job).path("inbox"))
    yield (
        f"It was dropped as {inbox} ({words.size(job.size)}) {words.when(job.dropped_at, scene.now)}, and "
        f"taken out of the inbox {words.since(job.dropped_at, job.claimed_at)} later."
    )
    before = max((one for one in _relatives(job, jobs) if one.id < job.id), key=lambda one: one.id, default=None)
    if before is not None and before.error is not None:
        yield f"It had been tried before, and failed {words.when(before.last_at, scene.now)}: job {before.id}."


def _relatives(job: Job, jobs: Iterable[Job]) -> Iterator[Job]:
    """The other attempts at what is the same file, as far as name and content tell."""
    for one in jobs:
        same_place = (one.provider, one.folder, one.name) == (job.provider, job.folder, job.name)
        known = one.sha256 is not None and job.sha256 is not None
        same = one.sha256 == job.sha256 if known else (one.size, one.mtime_ns) == (job.size, job.mtime_ns)
        if same_place and same and one.id != job.id:
            yield one


def _service(scene: Scene, job: Job, jobs: list[Job]) -> Iterator[str]:
    """What the service was asked, what it answered, and how long it took."""
    sent = [part for part in job.parts if part.submitted_at is not None]
    if not sent or job.sent_at is None:
        return
    provider, when = scene.title(job.provider), words.when(job.sent_at, scene.now)
    if all(part.attempt == 0 for part in sent):
        payer = _payer(job, jobs)
        by = f" by job {payer.id}" if payer is not None else ""
        yield f"Its translation had been paid for before{by}, so {provider} was asked for that one {when}{_refs(job)}."
    elif len(job.parts) == 1:
        name = names.sent_name(place_of(job).base, job.id, job.attempts)
        again = f", at attempt {job.attempts}," if job.attempts > 1 else ""
        yield f"It was sent to {provider} {when}{again} as {name}{_refs(job)}."
    else:
        yield f"It was sent to {provider} in {len(sent)} of {len(job.parts)} parts from {when} on{_refs(job)}."
    if job.state is State.SUBMITTING:
        yield "The answer of the service is not known yet."
    elif job.ready_at is not None:
        yield f"The service was done after {words.since(job.sent_at, job.ready_at)}."


def _payer(job: Job, jobs: Iterable[Job]) -> Job | None:
    """The first job that had the same reference: the one that it was paid for."""
    theirs = (one for one in jobs if one.provider == job.provider and one.id < job.id and set(one.refs) & set(job.refs))
    return min(theirs, key=lambda one: one.id, default=None)


def _refs(job: Job) -> str:
    if not job.refs:
        return ""
    return f"; the service calls it {names.clean(', '.join(job.refs), 200)}"


def _result(scene: Scene, job: Job) -> Iterator[str]:
    """What was fetched, and what was paid."""
    if job.banked_at is not None and job.result is not None:
        size, when = words.size(job.result["size"]), words.when(job.banked_at, scene.now)
        yield f"The result ({size}) was fetched and checked {when}."
    if job.cost is not None:
        unit = f" {job.unit}" if job.unit else ""
        yield f"It reports a cost of {words.amount(job.cost)}{unit}."


def _delivery(scene: Scene, job: Job) -> Iterator[str]:
    if job.delivered_at is None or job.published is None:
        return
    place = place_of(job)
    result = os.path.join(place.within("outbox"), job.published)
    found = {
        True: "It lies there now.",
        False: "It is not there any more: somebody took it, or gave it another name.",
        None: "Whether it lies there now cannot be seen, because the share is away.",
    }[there(scene.root, result)]
    yield f"The translation was delivered {words.when(job.delivered_at, scene.now)} as {words.quoted(result)}. {found}"
    archived = place.path("archive")
    if there(scene.root, archived):
        yield f"The original is in {words.quoted(archived)}."


def _failure(scene: Scene, job: Job, jobs: list[Job]) -> Iterator[str]:
    assert job.error is not None
    happened, to_do = messages.told(job.error)
    yield f"It failed {words.when(job.last_at, scene.now)}: {names.shown(happened)}"
    again = min((one for one in _relatives(job, jobs) if one.id > job.id), key=lambda one: one.id, default=None)
    if again is not None:
        yield f"It was tried again: {in_short(scene, again)}."
        return
    yield names.shown(to_do)
    path = failed_as(scene.root, job)
    # What was refused for its name or size is refused again.
    if path is not None and (job.error["retryable"] or job.error["stage"] != "claim"):
        yield "The original is in failed/. This puts it back into the inbox:"
        yield f"  {scene.command('retry', path)}"


# -- what it waits for --------------------------------------------------------------------------------------

_DOING = {
    State.CLAIMED: "It waits for its turn to be sent.",
    State.SUBMITTING: "It is being handed over.",
    State.IN_FLIGHT: "The service is at work on it, for {age} so far.",
    State.READY: "The result is being fetched.",
    State.BANKED: "The translation is safe on this machine and goes to the outbox next.",
    State.PUBLISHING: "The translation is safe on this machine and is being put into the outbox.",
    State.DELIVERED: "The original is being put away.",
    State.FAILED: "The original is being moved to failed/.",
}


def _withdrawn_too_late(scene: Scene, job: Job) -> Iterator[str]:
    """What a sign beside its place in the inbox would have done before it was sent."""
    begin = names.shown(f"{place_of(job).path('inbox')}.")
    ignored = (scene.live or {}).get("ignored", [])
    if job.alive and any(row.get("code") == "too_late" and row["path"].startswith(begin) for row in ignored):
        yield "It was withdrawn too late: it had been sent by then, so its translation goes on."


def _waits(scene: Scene, job: Job) -> Iterator[str]:
    """What a job that has not ended does now, or what keeps it and until when."""
    if not job.alive:
        return
    if not scene.running:
        yield from _at_rest(scene, job)
        return
    code, until = reasons.of_job(scene, job, reasons.rows_of(scene.live or {}))
    if code is not None:
        why = reasons.sentence(scene, job.provider, code)
        yield f"It waits. {why} {next_try(until, scene.now)}".rstrip()
        return
    looks = _next_look(scene, job) if job.state is State.IN_FLIGHT else ""
    doing = _DOING[job.state].format(age=words.since(job.sent_at or scene.now, scene.now))
    yield f"{doing} {looks}".rstrip()


def _next_look(scene: Scene, job: Job) -> str:
    """When the service is asked again how far it is."""
    rows = (scene.live or {}).get("polls", [])
    text = next((row["at"] for row in rows if row["job"].partition(".")[0] == job.id), None)
    at = moment(text) if text else None
    if at is None:
        return ""
    soon = f"in {words.since(scene.now, at)}" if at > scene.now else "any moment"
    return f"It is asked again {soon}."


def _at_rest(scene: Scene, job: Job) -> Iterator[str]:
    """What the next start does; of reasons only what the last daemon told, and that it was then."""
    told = standing.last_told(scene)
    if told is not None and reasons.to_be_sent(job):
        when = words.when(moment(told["at"]), scene.now, seconds=False)
        for row in told["accounts"]:
            if row["provider"] == job.provider:
                nothing = f"nothing was submitted for {job.provider}"
                yield f"When babeldrop was last heard of, {when}, {nothing}: {row['sentence']}"
    if any(part.stage is PartStage.SUBMITTING for part in job.parts) and job.state in AT_THE_SERVICE:
        yield (
            "babeldrop is not running. It was stopped while the file was being handed over, so at the next start the "
            "service is asked what became of it; nothing is sent twice."
        )
        return
    yield "babeldrop is not running; the job goes on from here when it is started."


def next_try(text: str | None, now: datetime) -> str:
    """When something is tried again, as a sentence; nothing for never."""
    if text is None:
        return ""
    at = moment(text)
    return f"It is tried again in {words.since(now, at)}." if at > now else "It is tried again any moment."


def place_of(job: Job) -> Place:
    """Where its file belongs below the root."""
    return Place(provider=job.provider, folder=job.folder, name=job.name)
