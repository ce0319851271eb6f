"""What can be kept of a damaged journal, and what is not sure any more. Pure: bytes and facts in, decisions out.

Every line that is whole is kept, also behind the damage. What is lost are whole events; of which jobs, nobody
knows. But lines stand in the order in which things happened: a job (of a document in several requests, a part)
with an event *behind the last gap* has lost nothing after that event, and what it lost before would make its
events impossible or changes nothing about where it is now. Everything else may have gone further than its
record says, and the one thing that must not happen is paying twice:

    not sent, or being sent, in the record      may have been sent: fails as `submit.uncertain`
    accepted under a reference                  stays: asking the service again costs nothing
    accepted thanks to an earlier job           fails as uncertain: when that is of no use it would be sent anew
    its original has left processing/           has ended, nobody knows how; closed, and its references kept
    banked, but no result in the spool          was delivered: the spool lets go of a result last
    banked, publishing, delivered, failed       goes on: these steps are local and can be repeated
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from daemon import records
from daemon.job import AT_THE_SERVICE, IllegalMoveError, Job, PartStage, State, apply


@dataclass(kw_only=True, slots=True)
class Salvage:
    """The readable lines of a journal, and the jobs they make."""

    header: Mapping[str, Any] | None = None
    kept: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    unreadable: int = 0
    """Lines that cannot be read."""
    broken: set[str] = field(default_factory=set)
    """Jobs with an event that cannot follow what is known of them; what follows of theirs is not kept."""
    gap: int = 0
    """So many lines were read before the last place where some are missing."""
    last: dict[tuple[str, int | None], int] = field(default_factory=dict)
    """The number of the last line of each job, and of each of its parts."""
    claims: dict[str, int] = field(default_factory=dict)
    """The number of the line with which a job begins."""
    seq: int = 0
    """The highest `seq` that was read."""

    def is_sure(self, job: Job, part: int | None = None) -> bool:
        """Whether nothing of the job, or of one part of it, can be missing at its end."""
        if job.id in self.broken:
            return False
        return self.last.get((job.id, part), self.claims[job.id]) >= self.gap


def salvage(data: bytes) -> Salvage:
    """Read everything that can be read."""
    found = Salvage()
    lines = data.split(b"\n")
    expected = number = 0
    ended: set[str] = set()
    for position, line in enumerate(lines):
        record = records.decode(line) if line else None
        if record is None:
            if line or position < len(lines) - 1:
                found.unreadable += 1
                found.gap = number
            continue
        found.seq = max(found.seq, record["seq"])
        if position == 0 and record["event"] == "opened":
            found.header = record
            expected = record["seq"] + 1
            continue
        compacted = found.header is not None and position <= found.header["kept"]
        if not compacted and record["seq"] != expected:
            found.gap = number
        expected = max(expected, record["seq"] + 1)
        if record["event"] != "opened":
            _take(found, record, number, ended)
            number += 1
    if found.header is not None and len(lines) - 1 <= found.header["kept"]:
        found.gap = number
    _forget(found, ended)
    return found


def _take(found: Salvage, record: dict[str, Any], number: int, ended: set[str]) -> None:
    """One readable line: an event that fits is kept."""
    job = record["job"]
    if job is not None and job not in found.broken:
        try:
            found.jobs[job] = apply(found.jobs.get(job), records.event_of(record))
        except (IllegalMoveError, KeyError, TypeError, ValueError):
            found.broken.add(job)
    if job in found.broken:
        if record["event"] == "closed":
            ended.add(job)
        return
    found.kept.append(record)
    if job is not None:
        found.claims.setdefault(job, number)
        found.last[job, None] = number
        if found.jobs[job].state in AT_THE_SERVICE and record["event"] != "claimed":
            found.last[job, record.get("part", 0)] = number


def _forget(found: Salvage, ended: set[str]) -> None:
    """A job of which events are missing in the middle, and that is known to be closed, has nothing left to do."""
    found.kept = [record for record in found.kept if record["job"] not in ended]
    for job in ended:
        found.jobs.pop(job, None)


class Fate(Enum):
    """What becomes of a job that was alive."""

    GOES_ON = "goes on"
    ASKED_AGAIN = "goes on by asking the service"
    UNCERTAIN = "fails as uncertain"
    ENDED = "has ended"
    DELIVERED = "was delivered"


def fate(found: Salvage, job: Job, *, claimed: Collection[str], spooled: Collection[str]) -> Fate:
    """What is safe for a job that is alive in the record.

    `claimed` are the jobs whose original lies in `processing/`, `spooled` the names in the spool.
    """
    if found.is_sure(job) and job.state not in AT_THE_SERVICE:
        return Fate.GOES_ON
    gone = job.id not in claimed
    if job.state is State.BANKED:
        return Fate.GOES_ON if f"{job.id}.result" in spooled else Fate.DELIVERED
    if job.state not in AT_THE_SERVICE:
        return Fate.ENDED if job.state is State.FAILED and gone else Fate.GOES_ON
    if gone and not found.is_sure(job):
        return Fate.ENDED
    unsure = [index for index in range(len(job.parts)) if not found.is_sure(job, index)]
    if not unsure:
        return Fate.GOES_ON
    safe = all(_costs_nothing(job, index, spooled) for index in unsure)
    return Fate.ASKED_AGAIN if safe else Fate.UNCERTAIN


def _costs_nothing(job: Job, index: int, spooled: Collection[str]) -> bool:
    """Whether a part can go on from its record without ever being sent again."""
    part = job.parts[index]
    if part.stage < PartStage.ACCEPTED or part.inherited:
        return False
    return part.ref is not None or f"{job.id}.{index}" in spooled


def last_words(job: Job, decided: Fate, error: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events that make a decision durable; they are ordinary ones, so that a start needs no special case."""
    if decided is Fate.DELIVERED and job.result is not None:
        name = job.result["name"]
        yield "publishing", {"name": name}
        yield "delivered", {"name": name}
        yield "closed", {}
    elif decided in (Fate.UNCERTAIN, Fate.ENDED):
        if job.state is not State.FAILED:
            yield "failed", {"error": dict(error)}
        if decided is Fate.ENDED:
            yield "closed", {}
