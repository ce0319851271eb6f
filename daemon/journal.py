"""The state journal: what happened to every job, durable before anything relies on it.

Append-only JSON Lines in `<state>/journal.jsonl`. `append` returns after the sync that covers its line;
appends of several threads share one. A write or sync that fails is final: every waiter gets the error and the
process has to end, because a failed sync says nothing about what it lost.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon import disk, records
from daemon.clock import Clock, stamp
from daemon.errors import StateError
from daemon.job import Event, IllegalMoveError, Job, State, apply

NAME = "journal.jsonl"
KEEP_PAID = timedelta(days=90)


class JournalBrokenError(StateError):
    """The journal could not be written; nothing may be done any more that would need a record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Which state this is, and which root belongs to it."""

    state: str
    root: str


class Journal:
    """The one writer. Made by `create` or `load`."""

    def __init__(self, folder: str, clock: Clock, reading: records.Reading, jobs: dict[str, Job]) -> None:
        header = reading.header
        assert header is not None
        self.identity = Identity(state=header["state"], root=header["root"])
        self._folder = folder
        self._clock = clock
        self._descriptor = disk.append_to(os.path.join(folder, NAME))
        self._turn = threading.Condition()
        self._lines: list[bytes] = []
        self._next = reading.last_seq + 1
        self._synced = reading.last_seq
        self._writing = False
        self._broken: OSError | None = None
        self._jobs = {job.id: job for job in jobs.values() if job.alive}
        self._paid: dict[tuple[str, str, str], Job] = {}
        self._ended = 0
        self.rooted = any(record["event"] == "rooted" for record in reading.records)
        """Whether the root has been given its marker: from then on a root without one is a share away."""
        overs = [record["event"] for record in reading.records if record["event"].endswith("_over")]
        self.taking_over = overs[-1:] == ["taking_over"]
        """A take-over has begun and not ended: files without a record may have been sent by another state."""
        self._changed: Callable[[Job | None, Job], None] = lambda _before, _after: None
        for job in jobs.values():
            self._note_end(job)

    # -- what the engine uses -------------------------------------------------------------------------------

    def append(self, job: str, event: str, **data: Any) -> Job:
        """Record one event of one job and return the job after it; on return the event is durable.

        Raises IllegalMoveError (nothing was written) and JournalBrokenError.
        """
        now = self._clock.now()
        with self._turn:
            seq = self._next
            what = Event(seq=seq, at=now, job=job, name=event, data=data)
            before = self._jobs.get(job)
            after = apply(before, what)
            self._next += 1
            self._lines.append(records.encode(seq, stamp(now), job, event, data, self._synced))
            self._await_sync(seq)
            if after.alive:
                self._jobs[job] = after
            else:
                del self._jobs[job]
                self._note_end(after)
            self._changed(before, after)
            return after

    def watch(self, changed: Callable[[Job | None, Job], None]) -> None:
        """Have `changed(before, after)` called for every event, one at a time and in order."""
        self._changed = changed

    def alive(self) -> list[Job]:
        """Every job that is not closed, oldest first."""
        with self._turn:
            return sorted(self._jobs.values(), key=lambda job: job.id)

    def get(self, job: str) -> Job | None:
        """A job that is alive."""
        return self._jobs.get(job)

    def paid(self, sha256: str, provider: str, route: str) -> Job | None:
        """A failed job whose references may still give what was paid for these bytes on this route."""
        return self._paid.get((sha256, provider, route))

    # -- writing --------------------------------------------------------------------------------------------

    def note(self, event: str, **data: Any) -> None:
        """Record something that belongs to no job (`rooted`, `taking_over`, `took_over`); durable on return."""
        with self._turn:
            self.rooted = self.rooted or event == "rooted"
            self.taking_over = event == "taking_over" or (self.taking_over and event != "took_over")
            seq = self._next
            self._next += 1
            self._lines.append(records.encode(seq, stamp(self._clock.now()), None, event, data, self._synced))
            self._await_sync(seq)

    def _await_sync(self, seq: int) -> None:
        """Wait until `seq` is durable; the first who finds nobody writing writes for all."""
        while self._synced < seq:
            if self._broken is not None:
                raise JournalBrokenError(f"the journal could not be written: {self._broken}")
            if self._writing:
                self._turn.wait()
                continue
            lines, last = self._lines, self._next - 1
            self._lines = []
            self._writing = True
            self._turn.release()
            failure: OSError | None = None
            try:
                disk.write(self._descriptor, b"".join(lines))
                disk.sync(self._descriptor)
            except OSError as error:
                failure = error
            finally:
                self._turn.acquire()
                self._writing = False
                if failure is None:
                    self._synced = last
                else:
                    self._broken = failure
                self._turn.notify_all()

    def _note_end(self, job: Job) -> None:
        if job.alive:
            return
        self._ended += 1
        key = (job.sha256 or "", job.provider, job.route or "")
        if job.keeps_what_was_paid and self._clock.now() - job.last_at < KEEP_PAID:
            self._paid[key] = job
        elif job.closed_as is State.DELIVERED:
            self._paid.pop(key, None)

    def close(self) -> None:
        with self._turn:
            while self._writing:
                self._turn.wait()
            if self._broken is None:
                self._broken = OSError("closed")
                disk.close(self._descriptor)

    # -- compaction -----------------------------------------------------------------------------------------

    @property
    def ended(self) -> int:
        """How many ended jobs the file still holds; what makes a compaction worth its while."""
        return self._ended

    def compact(self) -> int:
        """Move ended jobs to `history/`, each month a file; returns how many. Appends wait meanwhile.

        A crash at any point leaves every event at least once: history is synced before the new journal
        replaces the old one, and readers fold by (job, seq).
        """
        with self._turn:
            while self._writing:
                self._turn.wait()
            if self._broken is not None:
                raise JournalBrokenError(f"the journal could not be written: {self._broken}")
            try:
                return self._compact()
            except OSError as error:
                self._broken = error
                raise JournalBrokenError(f"the journal could not be compacted: {error}") from error

    def _compact(self) -> int:
        reading = records.read(_contents(self._folder))
        keep = set(self._jobs) | {job.id for job in self._paid.values()}
        jobs = records.fold(reading.records)
        kept = [one for one in reading.records if one["job"] in keep or one["event"] == "rooted"]
        gone = [record for record in reading.records if record["job"] not in keep and record["job"]]
        _write_history(self._folder, gone, jobs)
        seq = self._synced
        ids = {"schema": records.SCHEMA, "state": self.identity.state, "root": self.identity.root}
        header = records.encode(seq, stamp(self._clock.now()), None, "opened", {**ids, "kept": len(kept)}, seq)
        parent = disk.open_root(self._folder)
        try:
            disk.write_small(parent, NAME, header + b"".join(map(_line, kept)), 0o600)
        finally:
            disk.close(parent)
        disk.close(self._descriptor)
        self._descriptor = disk.append_to(os.path.join(self._folder, NAME))
        self._ended = len(keep) - len(self._jobs)
        return len({record["job"] for record in gone})


def create(folder: str, clock: Clock, identity: Identity) -> Journal:
    """A new journal in an empty state folder."""
    at = stamp(clock.now())
    ids = {"schema": records.SCHEMA, "state": identity.state, "root": identity.root, "kept": 0}
    parent = disk.open_root(folder)
    try:
        disk.write_small(parent, NAME, records.encode(1, at, None, "opened", ids, 1), 0o600)
    finally:
        disk.close(parent)
    return load(folder, clock)[0]


def load(folder: str, clock: Clock) -> tuple[Journal, list[Job], int]:
    """The journal of a state folder, all jobs in it (ended ones too), and the length of a torn tail.

    A torn tail is copied aside, cut off and the cut synced before anything is appended.
    Raises StateError on damage, with line number and what `repair` would do.
    """
    path = os.path.join(folder, NAME)
    data = _contents(folder)
    reading = records.read(data)
    if reading.damage is not None:
        raise StateError(_damage(path, reading))
    if reading.header is None:
        raise StateError(f"{path} has no header line: it was never a journal. Move it away to start anew.")
    try:
        jobs = records.fold(reading.records)
    except IllegalMoveError as error:
        raise StateError(f"{path}: {error}. Nothing was started. `babeldrop repair` shows what can be done.") from error
    torn = len(data) - reading.whole
    if torn:
        cut_tail(folder, clock, data, reading.whole)
    return Journal(folder, clock, reading, jobs), list(jobs.values()), torn


def cut_tail(folder: str, clock: Clock, data: bytes, whole: int) -> str:
    """Copy what lies behind `whole` aside and cut it off; both durable. Returns the copy's name."""
    aside = f"{NAME}.torn-{clock.now():%Y%m%dT%H%M%S%f}"
    parent = disk.open_root(folder)
    try:
        disk.write_small(parent, aside, data[whole:], 0o600)
    finally:
        disk.close(parent)
    descriptor = disk.append_to(os.path.join(folder, NAME))
    try:
        disk.truncate(descriptor, whole)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    return aside


def exists(folder: str) -> bool:
    return disk.is_there(os.path.join(folder, NAME))


def all_jobs(folder: str, months: Callable[[str], bool] = lambda _: True) -> dict[str, Job]:
    """Every job that history and journal know, for views; needs no lock and changes nothing.

    `months` chooses among the history's files by name (`2026-01`). What cannot be read is left out.
    """
    jobs: dict[str, Job] = {}
    past = os.path.join(folder, "history")
    names = sorted(disk.names(past)) if disk.is_there(past) else []
    chain: list[dict[str, Any]] = []
    for name in names:
        if name.endswith(".jsonl") and months(name.removesuffix(".jsonl")):
            lines = disk.read_own(os.path.join(past, name)).split(b"\n")
            chain.extend(filter(None, map(records.decode, lines)))
    chain.extend(records.read(_contents(folder)).records)
    by_job = sorted((record for record in chain if record["job"]), key=lambda record: record["seq"])
    return records.fold(by_job, jobs)


def _contents(folder: str) -> bytes:
    return disk.read_own(os.path.join(folder, NAME))


def _line(record: dict[str, Any]) -> bytes:
    data = {key: value for key, value in record.items() if key not in records.BOOKKEEPING}
    return records.encode(record["seq"], record["at"], record["job"], record["event"], data, record["synced"])


def _write_history(folder: str, gone: Iterable[dict[str, Any]], jobs: dict[str, Job]) -> None:
    months: dict[str, list[bytes]] = {}
    for record in gone:
        months.setdefault(_month(jobs[record["job"]].last_at), []).append(_line(record))
    if not months:
        return
    parent = disk.open_root(folder)
    try:
        past = disk.make_folders(parent, "history", 0o700)
    finally:
        disk.close(parent)
    try:
        for month, lines in months.items():
            descriptor = disk.append_to(os.path.join(folder, "history", f"{month}.jsonl"))
            try:
                disk.write(descriptor, b"".join(_whole_lines(descriptor)) + b"".join(lines))
                disk.sync(descriptor)
            finally:
                disk.close(descriptor)
        disk.sync_folder(past)
    finally:
        disk.close(past)


def _whole_lines(descriptor: int) -> Iterator[bytes]:
    """An end of line, should a crash have left the file without one."""
    size = disk.fstat(descriptor).st_size
    if size and disk.read(descriptor, 1, size - 1) != b"\n":
        yield b"\n"


def _month(at: datetime) -> str:
    return f"{at:%Y-%m}"


def _damage(path: str, reading: records.Reading) -> str:
    damage = reading.damage
    assert damage is not None
    return (
        f"{path}, line {damage.line}: {damage.why}. Nothing was started, because what was sent and paid stands "
        f"there. `babeldrop repair` would keep the {len(reading.records)} records before it, put the rest aside, "
        "and treat what is then not sure to be unsent as uncertain."
    )
