"""What must hold, whenever and however a process ended; each check answers with sentences, none when all is well.

V1 no loss · V2 no silence · V3 pay once · V4 keep what was paid · V5 whole or absent · V6 no clobber · V7 right
bytes · V8 pairing · V14 order of evidence, and recovery that can be repeated · V15 what waits for nobody comes to
its end.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daemon.job import AT_THE_SERVICE, Job, PartStage, State
from tests.crash.site import Site

if TYPE_CHECKING:
    from tests.crash.trial import Scenario

_TOPS = ("inbox", "processing", "archive", "failed")


@dataclass
class Standing:
    """What is remembered from one life to the next."""

    shown: dict[str, bytes] = field(default_factory=dict)
    """Names that were seen in the outbox, with what was in them."""
    open: set[str] = field(default_factory=set)
    """Jobs whose submission was open when a process died."""
    banked: set[str] = field(default_factory=set)
    failed: bool = False
    """Whether the disk has failed once."""
    taken_over: bool = False
    tree: dict[str, bytes] | None = None


def at_the_crash(scenario: "Scenario", site: Site, standing: Standing, believed: Sequence[Job]) -> list[str]:
    """What holds at every instant. `believed` are the jobs as the dead process took them for recorded."""
    jobs = site.jobs(scenario.state).values()
    for job in jobs:
        if any(part.stage is PartStage.SUBMITTING for part in job.parts) and job.state in AT_THE_SERVICE:
            standing.open.add(job.id)
        if job.result is not None:
            standing.banked.add(job.id)
    return [
        *always(scenario, site, standing),
        *_evidence(scenario, site),
        *_durable(site.lives(scenario.state), believed),
    ]


def at_the_end(scenario: "Scenario", site: Site, standing: Standing) -> list[str]:
    """What holds when there is nothing left to do."""
    jobs = site.all_jobs() if scenario.state == "state" else site.jobs(scenario.state)
    return [
        *always(scenario, site, standing),
        *_ends(scenario, site, standing, jobs),
        *_right_bytes(site, jobs),
        *_pairs(site, jobs),
        *_leftovers(scenario, site, standing),
    ]


def of_the_log(log: Sequence[MutableMapping[str, Any]]) -> list[str]:
    """Steps that broke without a reason."""
    return [f"a step broke: {line}" for line in log if line["event"] == "step.broke"]


def left_open(standing: Standing, jobs: Iterable[Job]) -> None:
    """A connection or a journal that broke may leave submissions of which nobody knows, too."""
    standing.open |= {job.id for job in jobs if job.state is State.SUBMITTING}


def always(scenario: "Scenario", site: Site, standing: Standing) -> Iterator[str]:
    """What holds at every instant of the folders and of the ledger."""
    kept = [content for top in _TOPS for content in site.files(top).values()]
    delivered = list(site.files("outbox").values())
    for name, content in site.dropped.items():
        deleted = site.more.get("originals") == "delete" and site.result(name) in delivered
        if content not in kept and not deleted:
            yield f"V1 {name} is in none of the folders"
    whole = {site.result(name) for name in site.dropped}
    shown = {path: content for path, content in site.files("outbox").items() if not _hidden(path)}
    for path, content in shown.items():
        if content not in whole:
            yield f"V5 outbox/{path} shows {content[:40]!r}"
    for path, content in standing.shown.items():
        if shown.get(path) != content:
            yield f"V5 outbox/{path} was changed after it had appeared"
    standing.shown |= shown
    failed = site.files("failed")
    for path in failed:
        if not path.endswith(".error.json") and not _hidden(path) and f"{path}.error.json" not in failed:
            yield f"V8 failed/{path} has no sidecar"
    tree = site.tree()
    for path, content in site.foreign.items():
        if tree.get(path) != content:
            yield f"V6 somebody's {path} was touched"
    paid = Counter(entry["sha256"] for entry in site.ledger() if entry["accepted"])
    for sha256, times in paid.items():
        if times > scenario.paid:
            yield f"V3 {sha256[:8]} was paid {times} times"


def _hidden(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _evidence(scenario: "Scenario", site: Site) -> Iterator[str]:
    """Whatever a service has seen has a record from before; not with a state that has lost it."""
    if scenario.take_over:
        return
    seen = len(site.ledger())
    known = sum(part.attempt for job in site.all_jobs().values() for part in job.parts)
    if seen > known:
        yield f"V14 the service saw {seen} submissions, the journal knows of {known}"


def _durable(lives: Mapping[str, list[Job]], believed: Sequence[Job]) -> Iterator[str]:
    """What a process has acted upon is in the record."""
    for job in believed:
        if job not in lives.get(job.id, []):
            yield f"V14 {job.name} was taken for {job.state}, which is not in the journal"


def _ends(scenario: "Scenario", site: Site, standing: Standing, jobs: Mapping[str, Job]) -> Iterator[str]:
    latest = _latest(jobs)
    for job in jobs.values():
        if job.state is not State.CLOSED:
            yield f"V2 {job.name} is {job.state}"
            continue
        end = "delivered" if job.closed_as is State.DELIVERED else str((job.error or {}).get("code"))
        if job.id in standing.banked and end != "delivered":
            yield f"V4 {job.name} was banked and ended as {end}"
        if latest[job.name] is not job or end == scenario.ends[job.name]:
            continue
        if scenario.take_over and scenario.ends[job.name] in _told(site, job.name):
            # A crash between the two events of its record; the sidecar, which came first, is right.
            continue
        if standing.failed and site.kind == "azure" and end == "submit.uncertain":
            # The answer was the result, and could not be kept on a broken disk.
            continue
        known = scenario.recovers and any(entry["accepted"] for entry in site.ledger())
        if end != "submit.uncertain" or known or job.id not in standing.open:
            yield f"V2 {job.name} ended as {end}, not as {scenario.ends[job.name]}"
    ended = Counter(job.name for job in jobs.values())
    for name, end in scenario.ends.items():
        # What another state has claimed may lie in `failed/` without a record.
        if not ended[name] and not (scenario.take_over and end in _told(site, name)):
            yield f"V2 {name} has no job"


def _told(site: Site, name: str) -> list[str]:
    """The codes in the sidecars of a failed file."""
    sidecars = [content for path, content in site.files("failed").items() if path.endswith(f"{name}.error.json")]
    return [json.loads(content)["error"]["code"] for content in sidecars]


def _right_bytes(site: Site, jobs: Mapping[str, Job]) -> Iterator[str]:
    """What was sent is what was hashed; where a document is taken apart nobody can tell."""
    hashed = {job.sha256 for job in (*jobs.values(), *site.all_jobs().values())}
    for entry in site.ledger():
        if entry["accepted"] and entry["sha256"] not in hashed and site.kind != "cambai":
            yield f"V7 {entry['file']} is not what was hashed"


def _latest(jobs: Mapping[str, Job]) -> dict[str, Job]:
    """The last attempt at each file."""
    return {job.name: job for job in sorted(jobs.values(), key=lambda one: one.id)}


def _pairs(site: Site, jobs: Mapping[str, Job]) -> Iterator[str]:
    """Exactly one of result and sidecar for each job; nothing of an attempt that was made again."""
    results = Counter(site.files("outbox").values())
    sidecars = Counter[str]()
    failed = site.files("failed")
    for path, content in failed.items():
        if path.endswith(".error.json"):
            story = json.loads(content)
            sidecars[story["job"]] += 1
            if path.removesuffix(".error.json") not in failed:
                yield f"V8 failed/{path} stands beside no original"
    latest = _latest(jobs)
    for job in jobs.values():
        failed_last = job.closed_as is State.FAILED and latest[job.name] is job
        if sidecars[job.id] != failed_last:
            yield f"V8 {job.name} has {sidecars[job.id]} sidecars"
    for name in site.dropped:
        wanted = sum(job.closed_as is State.DELIVERED for job in jobs.values() if job.name == name)
        if results[site.result(name)] != wanted:
            yield f"V8 {name} has {results[site.result(name)]} results, not {wanted}"
    if len(site.files("outbox")) != sum(results[site.result(name)] for name in site.dropped):
        yield f"V8 more than results in the outbox: {sorted(site.files('outbox'))}"


def _leftovers(scenario: "Scenario", site: Site, standing: Standing) -> Iterator[str]:
    for top in ("inbox", "processing"):
        for path in site.files(top):
            if standing.failed and path.endswith(".error.json"):
                # A sidecar that could not be removed on a broken disk is taken for what it is.
                continue
            if f"{top}/{path}" in site.foreign:
                continue
            yield f"V2 {top}/{path} was left"
    for top in ("outbox", "failed", "archive"):
        for path in filter(_hidden, site.files(top)):
            yield f"V5 a temporary {top}/{path} was left"
    for kept in sorted((site.base / scenario.state / "spool").iterdir()):
        yield f"V2 spool/{kept.name} was left"
