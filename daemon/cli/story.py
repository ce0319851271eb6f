"""The story of one job in sentences: from the drop to where its result lies, or why it failed and what to do."""

import os
from collections.abc import Iterator
from datetime import datetime

from daemon import names
from daemon.cli import standing, words
from daemon.cli.places import failed_as, there
from daemon.cli.reading import Scene
from daemon.clock import moment
from daemon.folders import Place
from daemon.job import AT_THE_SERVICE, Job, PartStage, State


def title(job: Job) -> str:
    """Which file, which way, under which id."""
    return f"{names.shown(job.name)}, {job.provider} to {names.shown(job.folder)}, job {job.id}"


def story(scene: Scene, job: Job) -> list[str]:
    """Everything that is known of a job, oldest first."""
    ends = _failure(scene, job) if job.error is not None else _delivery(scene, job)
    return [*_beginning(scene, job), *_service(scene, job), *ends, *_waits(scene, job)]


def in_short(scene: Scene, job: Job) -> str:
    """One line about a job among several."""
    when = words.when(job.last_at, scene.now)
    if job.error is not None:
        return f"{when}: failed ({job.error['code']}), job {job.id}"
    if job.delivered_at is not None:
        return f"{when}: delivered as {names.shown(job.published or '')}, job {job.id}"
    return f"{when}: {job.state.value.replace('_', ' ')}, job {job.id}"


# -- what happened ------------------------------------------------------------------------------------------


def _beginning(scene: Scene, job: Job) -> Iterator[str]:
    inbox = words.quoted(_place(job).path("inbox"))
    yield (
        f"It was dropped as {inbox} ({words.size(job.size)}) {words.when(job.dropped_at, scene.now)}, and "
        f"taken out of the inbox {words.since(job.dropped_at, job.claimed_at)} later."
    )


def _service(scene: Scene, job: Job) -> Iterator[str]:
    """What the service was asked, what it answered, and how long it took."""
    sent = [part for part in job.parts if part.submitted_at is not None]
    if not sent or job.submitted_at is None:
        return
    provider, when = scene.title(job.provider), words.when(job.submitted_at, scene.now)
    if all(part.attempt == 0 for part in sent):
        yield f"Its translation had been paid for before, so {provider} was asked for that one {when}{_refs(job)}."
    elif len(job.parts) == 1:
        name = names.sent_name(_place(job).base, job.id, job.attempts)
        again = f", at attempt {job.attempts}," if job.attempts > 1 else ""
        yield f"It was sent to {provider} {when}{again} as {name}{_refs(job)}."
    else:
        yield f"It was sent to {provider} in {len(sent)} of {len(job.parts)} parts from {when} on{_refs(job)}."
    if job.state is State.SUBMITTING:
        yield "The answer of the service is not known yet."
    elif job.ready_at is not None:
        yield f"The service was done after {words.since(job.submitted_at, job.ready_at)}."
    if job.cost is not None:
        yield f"It reports a cost of {job.cost:g}."


def _refs(job: Job) -> str:
    if not job.refs:
        return ""
    return f"; the service calls it {names.clean(', '.join(job.refs), 200)}"


def _delivery(scene: Scene, job: Job) -> Iterator[str]:
    if job.delivered_at is None or job.published is None:
        return
    place = _place(job)
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


def _failure(scene: Scene, job: Job) -> Iterator[str]:
    assert job.error is not None
    yield f"It failed {words.when(job.last_at, scene.now)}: {job.error['what_happened']}"
    yield str(job.error["what_to_do"])
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


def _waits(scene: Scene, job: Job) -> Iterator[str]:
    """What a job that has not ended does now, or what keeps it and until when."""
    if not job.alive:
        return
    if not scene.running:
        yield from _at_rest(job)
        return
    row = standing.reasons_of(scene.live or {}).get(job.id)
    account = scene.account(job.provider)
    closed = account is not None and account["door"] == "closed" and _to_be_sent(job)
    if account is not None and closed and (row is None or row["why"] == "account.closed"):
        yield _reason(scene, job, account["reason"], account["next_try"])
    elif row is not None:
        yield _reason(scene, job, row["why"], row["until"])
    elif job.provider not in scene.config.providers:
        yield _reason(scene, job, "provider.removed", None)
    else:
        yield _DOING[job.state].format(age=words.since(job.submitted_at or scene.now, scene.now))


def _at_rest(job: Job) -> Iterator[str]:
    """What the next start does; nothing is known of reasons while no daemon runs."""
    if any(part.stage is PartStage.SUBMITTING for part in job.parts) and job.state in AT_THE_SERVICE:
        yield (
            "babeldrop is not running. It was stopped while the file was being handed over, so at the next start the "
            "service is asked what became of it; nothing is sent twice."
        )
        return
    yield "babeldrop is not running; the job goes on from here when it is started."


def _to_be_sent(job: Job) -> bool:
    return job.state in AT_THE_SERVICE and any(part.stage is PartStage.NEW for part in job.parts)


def _reason(scene: Scene, job: Job, code: str, until: str | None) -> str:
    why = standing.sentence(scene, job.provider, code)
    return f"It waits. {why} {next_try(until, scene.now)}".rstrip()


def next_try(text: str | None, now: datetime) -> str:
    """When something is tried again, as a sentence; nothing for never."""
    if text is None:
        return ""
    at = moment(text)
    return f"It is tried again in {words.since(now, at)}." if at > now else "It is tried again any moment."


def _place(job: Job) -> Place:
    return Place(provider=job.provider, folder=job.folder, name=job.name)
