"""Reads the three histories (what users did, what the services took, what lies where) and names what must not be.

Pure: everything comes as an argument, so that the checker itself can be shown a world in which something is wrong.
The words V1 to V18 are the invariants': no loss, no silence, pay once, keep what was paid, whole or absent, no
clobber, right bytes, pairing, no secret, confinement, order of evidence, liveness, monotone, stop.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon import records
from daemon.job import IllegalMoveError, Job, State
from tests.soaking.history import Act, copies, is_original, orders

EXPECTED_CODES = frozenset({
    "submit.uncertain", "submit.rejected", "provider.failed", "provider.lost", "result.unusable", "deadline.passed",
})  # fmt: skip
"""What may become of a good document at services that misbehave. Everything else is the daemon's own doing."""
_TOKEN = re.compile(r"\.([0-9a-hjkmnp-tv-z]{16})-(\d+)\.")
_STATE_FILES = re.compile(r"journal\.jsonl(\.torn-\w+)?|history/\d{4}-\d\d\.jsonl|status\.json|lock")
_NAMED_SIDECAR = ("what_happened", "what_to_do", "file", "provider", "target_language", "job", "sha256")


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The originals that were there when so many acts had been told; nobody moved any meanwhile."""

    after: int
    originals: Counter[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file below the root; `story` is what a sidecar of ours says."""

    sha256: str
    story: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Everything that is known at the end. `fits` says whether a result's hash belongs to a job."""

    acts: Sequence[Act]
    ledger: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]]
    tree: Mapping[str, File]
    state: Iterable[str] = ()
    snapshots: Sequence[Snapshot] = ()
    incidents: Sequence[str] = ()
    fits: Callable[[Job, str], bool] = field(default=lambda _job, _sha256: True)


def check(evidence: Evidence) -> list[str]:
    """Every violation in a sentence that begins with its invariant; none when all is well."""
    try:
        jobs = records.fold(list(evidence.records))
    except IllegalMoveError as error:
        return [*evidence.incidents, f"V14 the journal does not fold: {error}"]
    found = [
        *evidence.incidents, *_conserved(evidence), *_paid_once(evidence, jobs), *_evidence_first(evidence, jobs),
        *_ended(evidence, jobs), *_results(evidence, jobs), *_paired(evidence, jobs), *_untouched(evidence),
        *_left_over(evidence), *_clock(evidence, jobs),
    ]  # fmt: skip
    return list(dict.fromkeys(found))


def _planted(evidence: Evidence) -> dict[str, str]:
    return {act.path: act.sha256 for act in evidence.acts if act.kind == "plant"}


def _originals(evidence: Evidence, *tops: str) -> Iterator[tuple[str, File]]:
    """Users' documents in some of the four trees; planted files and our sidecars are none."""
    planted = _planted(evidence)
    for path, file in evidence.tree.items():
        top = path.split("/", 1)[0]
        if is_original(path) and file.story is None and path not in planted and (not tops or top in tops):
            yield path, file


def _conserved(evidence: Evidence) -> Iterator[str]:
    """V1: originals are neither lost nor multiplied, at any moment when one could look."""
    last = Counter(file.sha256 for _, file in _originals(evidence))
    for moment in (*evidence.snapshots, Snapshot(after=len(evidence.acts), originals=last)):
        wanted = copies(evidence.acts[: moment.after])
        for digest in wanted - moment.originals:
            yield f"V1 after act {moment.after} {_told(evidence, digest)} is lost"
        for digest in moment.originals - wanted:
            yield f"V7 after act {moment.after} there is one {_told(evidence, digest)} too many, or changed"


def _told(evidence: Evidence, digest: str) -> str:
    paths = [act.to or act.path for act in evidence.acts if act.sha256 == digest]
    return f"{paths[-1] if paths else 'a file that nobody dropped'} ({digest[:12]})"


def _token(entry: Mapping[str, Any]) -> tuple[str, int] | None:
    found = _TOKEN.search(f".{entry.get('file') or ''}.")
    return (found[1], int(found[2])) if found else None


def _paid_once(evidence: Evidence, jobs: Mapping[str, Job]) -> Iterator[str]:
    """V3: at most one accepted submission for each order; V7: of the bytes that were dropped."""
    ordered = orders(evidence.acts)
    paid: Counter[tuple[str, str | None]] = Counter()
    paying: dict[tuple[str, str], set[str]] = {}
    free = _unbilled(evidence)
    for entry in evidence.ledger:
        token = _token(entry)
        if not entry["accepted"] or token is None or token in free:
            continue
        job = jobs.get(token[0])
        paid[token[0], entry["sha256"]] += 1
        if job is not None and job.sha256 is not None:
            paying.setdefault((job.sha256, job.provider), set()).add(job.id)
    for (name, digest), times in paid.items():
        if times > 1:
            yield f"V3 job {name} was paid {times} times for {digest and digest[:12]}"
    for (digest, provider), those in paying.items():
        if len(those) > ordered[digest, provider]:
            yield (
                f"V3 {_told(evidence, digest)} was ordered {ordered[digest, provider]} times from {provider}, "
                f"and paid by {sorted(those)}"
            )


def _unbilled(evidence: Evidence) -> set[tuple[str, int]]:
    """Attempts that a service took and then, by its own words, never began; it bills nothing for them."""
    attempts: dict[tuple[str, int], int] = {}
    free = set()
    for record in evidence.records:
        part = (record["job"], record.get("part", 0))
        if record["event"] == "submitting":
            attempts[part] = record["attempt"]
        elif record["event"] == "refused" and record.get("billed") is False:
            free.add((record["job"], attempts.get(part, 0)))
    return free


def _evidence_first(evidence: Evidence, jobs: Mapping[str, Job]) -> Iterator[str]:
    """V14: what a service saw had been written down before; V7: with the hash of what it saw."""
    known = {act.sha256 for act in evidence.acts if act.kind == "put"}
    begun = {
        (record["job"], record["attempt"]): record["sha256"]
        for record in evidence.records
        if record["event"] == "submitting"
    }
    for entry in evidence.ledger:
        token = _token(entry)
        if token is None:
            continue
        if token not in begun:
            yield f"V14 {entry['service']} saw attempt {token}, of which the journal knows nothing"
        elif entry["sha256"] and entry["service"] != "cambai" and entry["sha256"] != begun[token]:
            yield f"V7 {entry['service']} got other bytes for {token} than were hashed"
    for (name, attempt), digest in begun.items():
        if digest not in known:
            yield f"V7 job {name}, attempt {attempt}, hashed what nobody dropped ({digest[:12]})"
    yield from (f"V14 job {name} is in the journal without a claim" for name, job in jobs.items() if not job.name)


def _ended(evidence: Evidence, jobs: Mapping[str, Job]) -> Iterator[str]:
    """V2 and V15: everything came to an end, and to one that can be explained."""
    for path, _ in _originals(evidence, "inbox", "processing"):
        yield f"V15 {path} is still there at the end"
    for job in jobs.values():
        if job.alive:
            yield f"V15 job {job.id} ({job.name}) is still {job.state} at the end"
        elif job.closed_as is State.FAILED and (job.error or {}).get("code") not in EXPECTED_CODES:
            yield f"V2 job {job.id} ({job.name}) failed with {(job.error or {}).get('code')}: {job.error}"


def _results(evidence: Evidence, jobs: Mapping[str, Job]) -> Iterator[str]:
    """V4, V5, V8: each delivered job has its one result in the outbox, whole and right."""
    collected = Counter(act.path for act in evidence.acts if act.kind == "collect")
    planted = _planted(evidence)
    owners: dict[str, list[Job]] = {}
    for job in jobs.values():
        if job.closed_as is State.DELIVERED:
            owners.setdefault(_published(job), []).append(job)
    there = {path: file for path, file in evidence.tree.items() if path.startswith("outbox/") and path not in planted}
    for path, those in owners.items():
        if len(those) != collected[path] + (path in there):
            yield f"V4 {path} was delivered {len(those)} times, collected {collected[path]} times"
    for path, file in there.items():
        if path not in owners:
            yield f"V8 {path} lies in the outbox, and no job delivered it"
        elif not any(evidence.fits(job, file.sha256) for job in owners[path]):
            yield f"V5 {path} is not the translation of {[job.id for job in owners[path]]}"
    for act in evidence.acts:
        if act.kind == "collect" and not any(evidence.fits(job, act.sha256) for job in owners.get(act.path, ())):
            yield f"V5 {act.path}, collected in act {act.seq}, is not the translation of what was dropped"


def _published(job: Job) -> str:
    below = "/".join(part for part in (job.name.rpartition("/")[0], job.published or "") if part)
    return f"outbox/{job.provider}/{job.folder}/{below}"


def _paired(evidence: Evidence, jobs: Mapping[str, Job]) -> Iterator[str]:
    """V8: delivered originals lie in the archive, failed ones beside one sidecar that explains them."""
    delivered = Counter(job.sha256 or "" for job in jobs.values() if job.closed_as is State.DELIVERED)
    archived = Counter(file.sha256 for _, file in _originals(evidence, "archive"))
    for digest in delivered - archived:
        yield f"V8 {_told(evidence, digest)} was delivered and is not in the archive"
    for digest in archived - delivered:
        yield f"V8 {_told(evidence, digest)} is in the archive and was not delivered"
    stories = [(path, file.story) for path, file in evidence.tree.items() if file.story is not None]
    if len({story["job"] for _, story in stories}) < len(stories):
        yield "V8 a job has two sidecars"
    for path, story in stories:
        yield from _explains(path, story, jobs)
    by_file = dict(stories)
    left = {act.path for act in evidence.acts if act.kind in ("take", "move")}
    for path, story in stories:
        original = f"{path.rpartition('/')[0]}/{story['file']}"
        if path.startswith("failed/") and not {original, path.removesuffix(".error.json")} & (
            evidence.tree.keys() | left
        ):
            yield f"V8 {path} has no original, and nobody took it away"
    for path, file in _originals(evidence, "failed"):
        beside = by_file.get(f"{path}.error.json") or _cut_sidecar(path, by_file)
        gone = any(act.kind == "sidecar" and act.path == f"{path}.error.json" for act in evidence.acts)
        if beside is None and not gone:
            yield f"V8 {path} has no sidecar"
        elif beside is not None and beside["sha256"] not in (None, file.sha256):
            yield f"V8 the sidecar of {path} is that of another content"


def _cut_sidecar(path: str, stories: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """A name too long for the suffix has a sidecar whose name was cut and holds the job."""
    folder, _, name = path.rpartition("/")
    fitting = (
        story for one, story in stories.items()
        if one.rpartition("/")[0] == folder and story["file"] == name and f"~{story['job']}" in one
    )  # fmt: skip
    return next(fitting, None)


def _explains(path: str, story: Mapping[str, Any], jobs: Mapping[str, Job]) -> Iterator[str]:
    job = jobs.get(story["job"])
    if job is None or job.closed_as is not State.FAILED:
        yield f"V8 {path} speaks of {story['job']}, which did not fail"
    missing = [key for key in _NAMED_SIDECAR if key not in story] + ["error"] * (not story.get("error", {}).get("code"))
    if missing:
        yield f"V8 {path} does not say {missing}"


def _untouched(evidence: Evidence) -> Iterator[str]:
    """V6: what users keep among ours is as they left it."""
    for path, digest in _planted(evidence).items():
        if path not in evidence.tree:
            yield f"V6 {path}, a user's own file, is gone"
        elif evidence.tree[path].sha256 != digest:
            yield f"V6 {path}, a user's own file, was changed"


def _left_over(evidence: Evidence) -> Iterator[str]:
    """Nothing of ours stays behind but what is documented."""
    planted = _planted(evidence)
    for path in evidence.tree:
        name = path.rpartition("/")[2]
        if name.startswith(".") and path not in planted and path != ".babeldrop":
            yield f"V5 {path} was left behind"
    for path in evidence.state:
        if not _STATE_FILES.fullmatch(path):
            yield f"V5 state/{path} was left behind"


def _clock(evidence: Evidence, jobs: Mapping[str, Job]) -> Iterator[str]:
    """V16: while one process lives, a wall clock that was set decides nothing.

    Across a restart only the wall clock can tell how much time has passed.
    """
    starts = [int(act.note) for act in evidence.acts if act.kind == "start"]
    begun: dict[str, int] = {}
    for record in evidence.records:
        if record["event"] in ("submitting", "accepted"):
            begun.setdefault(record["job"], record["seq"])
        elif record["event"] == "failed" and record["error"]["code"] == "deadline.passed":
            since = begun.get(record["job"], 0)
            if not any(since <= start < record["seq"] for start in starts):
                yield f"V16 job {record['job']} ({jobs[record['job']].name}) passed its deadline within one process"
