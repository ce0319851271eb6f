"""Make a damaged journal readable again, without ever making anything be paid twice.

What is kept, and what is decided for which job, stands in `salvage`. The decisions are written as ordinary
events; a note of a take-over behind them has the next start treat files in `processing/` without a record as
uncertain, too. Nothing is thrown away: the damaged journal is copied aside first, and so are results in the
spool that no job fetches any more.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon import disk, journal, kernel, names, records, sidecar
from daemon.cli import reading, screen, words
from daemon.cli.places import opened
from daemon.cli.reading import Scene
from daemon.cli.salvage import Fate, Salvage, fate, last_words, salvage
from daemon.clock import stamp
from daemon.errors import ShareAwayError, StateError, UncertainError
from daemon.folders import Folders, read_marker
from daemon.job import IllegalMoveError, Job
from daemon.journal import Identity

_LOST = "the record of what was sent is damaged"
_SENTENCES = {
    Fate.GOES_ON: "{jobs} can go on from the record.",
    Fate.ASKED_AGAIN: "{jobs} can go on by asking the service again, which costs nothing.",
    Fate.ENDED: "{jobs} must have ended in the lost lines, because the original has left processing/.",
    Fate.DELIVERED: "{jobs} must have been delivered, because the result has left the spool.",
    Fate.UNCERTAIN: "{jobs} may have been sent without a record and will fail as submit.uncertain:",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a repair does: the identity, and what becomes of each job that is alive in the record."""

    identity: Identity
    fates: Mapping[str, Fate]
    unclaimed: int
    """Files in `processing/` without a record."""
    rescued: tuple[str, ...]
    """Results in the spool that no job would fetch any more."""


def show_or_mend(scene: Scene, *, yes: bool) -> bool:
    """Returns whether there was damage."""
    path = os.path.join(scene.state, journal.NAME)
    data = disk.read_own(path)
    trouble, torn = _damage(path, data)
    console = screen.console()
    if trouble is None:
        lines = words.count(data.count(b"\n"), "line")
        screen.say(console, f"{path} is sound: {lines}.")
        if torn:
            rest = words.size(torn)
            screen.say(console, f"Its last {rest} were never finished; the next start cuts them off.")
        return False
    screen.say(console, f"{path}{trouble}.")
    found = salvage(data)
    lock = _lock(scene) if yes else None
    try:
        plan = _plan(scene, found)
        for sentence in _told(found, plan):
            screen.say(console, sentence)
        if yes:
            for sentence in _mend(scene, data, found, plan):
                screen.say(console, sentence)
        else:
            screen.say(console, "Nothing was changed. With --yes it is done, as long as no daemon runs.")
    finally:
        if lock is not None:
            disk.close(lock)
    return True


def _damage(path: str, data: bytes) -> tuple[str | None, int]:
    """What is wrong, to be put behind the file's name, and the length of a torn tail. Raises StateError."""
    found = records.read(data)
    if found.header is not None and found.header.get("schema") != records.SCHEMA:
        raise StateError(f"{path} was written by another version; start that one.")
    if found.damage is not None:
        return f", line {found.damage.line}: {found.damage.why}", 0
    if found.header is None:
        raise StateError(f"{path} has no header line: it was never a journal. Move it away to start anew.")
    try:
        records.fold(found.records)
    except IllegalMoveError as error:
        return f": {error}", 0
    return None, len(data) - found.whole


def _lock(scene: Scene) -> int:
    """The state for ourselves. Raises StateError when a daemon has it, or its files would get another owner."""
    state = disk.open_root(scene.state)
    try:
        owner = disk.fstat(state).st_uid
    finally:
        disk.close(state)
    if owner != os.geteuid():
        raise StateError(reading.not_yours(scene.state))
    lock = kernel.lock(os.path.join(scene.state, "lock"))
    if lock is None:
        raise StateError("A daemon is at work with this state; stop it first.")
    return lock


# -- what would be done -------------------------------------------------------------------------------------


def _plan(scene: Scene, found: Salvage) -> Plan:
    """Look at root and spool, and decide. Raises ShareAwayError: without the root nobody can say what has ended."""
    with opened(scene.root) as root:
        marker = read_marker(root)
        assert marker is not None
        identity = _identity(found) or marker
        if marker != identity:
            raise ShareAwayError(f"{scene.root} belongs to another state ({marker.state})")
        modes = scene.config.outbox
        folders = Folders(scene.root, identity, file_mode=modes.file_mode, folder_mode=modes.folder_mode)
        closed: list[str] = []
        claimed = {job for job, _, _ in folders.claimed(root, closed)}
        if closed:
            raise StateError(f"{closed[0]} may not be read; give it to the user of the daemon and repair again")
    spool = os.path.join(scene.state, "spool")
    spooled = set(disk.names(spool)) if disk.is_there(spool) else set()
    fates = {
        job.id: fate(found, job, claimed=claimed, spooled=spooled)
        for job in sorted(found.jobs.values(), key=lambda one: one.id)
        if job.alive
    }
    fetching = {job for job, decided in fates.items() if decided in (Fate.GOES_ON, Fate.ASKED_AGAIN)}
    return Plan(
        identity=identity,
        fates=fates,
        unclaimed=len(claimed - set(found.jobs)),
        rescued=tuple(sorted(name for name in spooled if _is_result(name) and _job(name) not in fetching)),
    )


def _identity(found: Salvage) -> Identity | None:
    if found.header is None:
        return None
    return Identity(state=found.header["state"], root=found.header["root"])


def _is_result(name: str) -> bool:
    return names.is_job_id(_job(name)) and not name.endswith(".part")


def _job(name: str) -> str:
    return name.partition(".")[0]


def _told(found: Salvage, plan: Plan) -> list[str]:
    """The plan in sentences."""
    lost = f", {words.count(found.unreadable, 'line')} cannot be read" if found.unreadable else ""
    said = [f"{words.count(len(found.kept), 'record')} can be kept{lost}."]
    numbers = Counter(plan.fates.values())
    for decided, sentence in _SENTENCES.items():
        if numbers[decided]:
            said.append(sentence.format(jobs=words.count(numbers[decided], "job")))
        if decided is Fate.UNCERTAIN:
            said += [f"  {_line(found.jobs[job])}" for job, one in plan.fates.items() if one is decided]
    if plan.unclaimed:
        said.append(f"{words.count(plan.unclaimed, 'file')} in processing/ without a record will fail as well.")
    return said


def _line(job: Job) -> str:
    return f"{names.shown(f'{job.provider}/{job.folder}/{job.name}')}, job {job.id}"


# -- doing it -----------------------------------------------------------------------------------------------


def _mend(scene: Scene, data: bytes, found: Salvage, plan: Plan) -> list[str]:
    """Copy aside, then replace; each durable before the next. Returns what was done, in sentences."""
    time = f"{scene.now:%Y%m%dT%H%M%S%f}"
    aside = f"{journal.NAME}.damaged-{time}"
    mended = _mended(scene, found, plan, aside)
    if _damage("", mended) != (None, 0):
        raise StateError("What would be written could not be read either; nothing was changed.")
    said = [f"The damaged journal is kept as {os.path.join(scene.state, aside)}."]
    state = disk.open_root(scene.state)
    try:
        disk.write_small(state, aside, data, 0o600)
        if plan.rescued:
            said.append(_rescue(scene, state, plan.rescued, f"rescued-{time}"))
        disk.write_small(state, journal.NAME, mended, 0o600)
    finally:
        disk.close(state)
    return [*said, "The journal is repaired; the daemon can be started."]


def _mended(scene: Scene, found: Salvage, plan: Plan, aside: str) -> bytes:
    """The new journal: what was kept, as after a compaction, then the decisions."""
    at, seq = stamp(scene.now), found.seq
    ids = {"schema": records.SCHEMA, "state": plan.identity.state, "root": plan.identity.root}
    lines = [records.encode(seq, at, None, "opened", {**ids, "kept": len(found.kept)}, seq)]
    lines += map(records.line, found.kept)
    rooted = any(record["event"] == "rooted" for record in found.kept)
    # The root shows its marker: were that not recorded, a share away at the next start would look like a new root.
    news: list[tuple[str | None, str, Mapping[str, Any]]] = [
        *([] if rooted else [(None, "rooted", {})]),
        (None, "repaired", {"damaged": aside}),
        (None, "taking_over", {"marker": plan.identity.state}),
    ]
    for job, decided in plan.fates.items():
        known = found.jobs[job]
        news += [(job, event, facts) for event, facts in last_words(known, decided, _error(scene, known))]
    for number, (whose, event, facts) in enumerate(news, seq + 1):
        lines.append(records.encode(number, at, whose, event, facts, seq))
    return b"".join(lines)


def _error(scene: Scene, job: Job) -> Mapping[str, Any]:
    return sidecar.error_of(
        UncertainError("submit.uncertain", facts={"reason": _LOST}),
        stage="repair",
        provider=scene.title(job.provider),
        inbox=os.path.normpath(os.path.join("inbox", job.provider, job.folder, os.path.dirname(job.name))),
        facts={"remote_id": ", ".join(job.refs) or "?"},
    )


def _rescue(scene: Scene, state: int, results: tuple[str, ...], folder: str) -> str:
    """Move results that the next start would throw away to where it does not look."""
    with disk.folder(state, "spool") as spool, disk.folder_made(state, folder, 0o700) as into:
        for name in results:
            disk.rename_noreplace(spool, name, into, name)
        disk.sync_folder(into)
        disk.sync_folder(spool)
    number = words.count(len(results), "result")
    return (
        f"In the spool was what no job fetches any more and somebody paid for: {number}, now in {scene.state}/{folder}."
    )
