"""The state journal: what happened to every job, durable before anything relies on it.

Append-only JSON Lines in `<state>/journal.jsonl`. `append` returns after the sync that covers its line;
appends of several threads share one. A write or sync that fails is final: every waiter gets the error and the
process has to end, because a failed sync says nothing about what it lost.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from daemon import disk, history, records
from daemon.clock import Clock, moment, stamp
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
        self._moves: list[tuple[Job | None, Job]] = []
        self._next = reading.last_seq + 1
        self._synced = reading.last_seq
        self._writing = False
        self._broken: BaseException | None = None
        self._jobs = {job.id: job for job in jobs.values() if job.alive}
        # Jobs with events that are not durable yet: what comes next is judged by these, and shown to nobody.
        self._ahead: dict[str, Job] = {}
        self._paid: dict[tuple[str, str, str], Job] = {}
        self._ended: set[str] = set()
        self.rooted = any(record["event"] == "rooted" for record in reading.records)
        """Whether the root has been given its marker: from then on a root without one is a share away."""
        overs = [record["event"] for record in reading.records if record["event"].endswith("_over")]
        self.taking_over = overs[-1:] == ["taking_over"]
        """A take-over has begun and not ended: files without a record may have been sent by another state."""
        self._changed: Callable[[Job | None, Job], None] = lambda _before, _after: None
        for record in reading.records:
            if record["event"] == "closed":
                self._note_end(jobs[record["job"]])

    def append(self, job: str, event: str, **data: Any) -> Job:
        """Record one event of one job and return the job after it; on return the event is durable.

        Raises IllegalMoveError (nothing was written) and JournalBrokenError.
        """
        at = stamp(self._clock.now())
        with self._turn:
            self._require_whole()
            before = self.latest(job)
            if before is None and job in self._ended:
                raise IllegalMoveError(f"{event} for a job that has ended")
            after = apply(before, Event(seq=self._next, at=moment(at), job=job, name=event, data=data))
            seq = self._queue(at, job, event, data)
            self._moves.append((before, after))
            self._ahead[job] = after
            self._await_sync(seq)
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

    def latest(self, job: str) -> Job | None:
        """A job by its latest event, durable or not yet: what the next one is judged by."""
        return self._ahead.get(job, self._jobs.get(job))

    def paid(self, sha256: str, provider: str, route: str) -> Job | None:
        """A failed job whose references may still give what was paid for these bytes on this route."""
        job = self._paid.get((sha256, provider, route))
        return job if job is not None and self._still_kept(job) else None

    def note(self, event: str, **data: Any) -> None:
        """Record something that belongs to no job (`rooted`, `taking_over`, `took_over`); durable on return."""
        with self._turn:
            self._await_sync(self._queue(stamp(self._clock.now()), None, event, data))
            self.rooted = self.rooted or event == "rooted"
            self.taking_over = event == "taking_over" or (self.taking_over and event != "took_over")

    def _queue(self, at: str, job: str | None, event: str, data: Mapping[str, Any]) -> int:
        """The seq of one more line to be written; one that cannot be encoded takes none."""
        seq = self._next
        self._lines.append(records.encode(seq, at, job, event, data, self._synced))
        self._next += 1
        return seq

    def _await_sync(self, seq: int) -> None:
        """Wait until `seq` is durable; the first who finds nobody writing writes for all."""
        while self._synced < seq:
            self._require_whole()
            if self._writing:
                self._turn.wait()
            else:
                self._write_out()

    def _require_whole(self) -> None:
        if self._broken is not None:
            raise JournalBrokenError(f"the journal could not be written: {self._broken}") from self._broken

    def _write_out(self) -> None:
        """Write and sync what is queued; others may queue meanwhile."""
        lines, moves, last = self._lines, self._moves, self._next - 1
        self._lines, self._moves = [], []
        self._writing = True
        failure: OSError | None = OSError("interrupted")
        self._turn.release()
        try:
            disk.write(self._descriptor, b"".join(lines))
            disk.sync(self._descriptor)
            failure = None
        except OSError as error:
            failure = error
        finally:
            self._turn.acquire()
            self._writing = False
            self._turn.notify_all()
            self._broken = failure
            if failure is None:
                self._synced = last
                self._settle(moves)

    def _settle(self, moves: list[tuple[Job | None, Job]]) -> None:
        """These events are durable now: show what they made of their jobs, in their order."""
        for _, after in moves:
            if self._ahead.get(after.id) is after:
                del self._ahead[after.id]
            if after.alive:
                self._jobs[after.id] = after
            else:
                self._jobs.pop(after.id, None)
                self._note_end(after)
        for before, after in moves:
            self._changed(before, after)

    def _note_end(self, job: Job) -> None:
        self._ended.add(job.id)
        key = (job.sha256 or "", job.provider, job.route or "")
        if job.keeps_what_was_paid:
            self._paid[key] = job
        elif job.closed_as is State.DELIVERED:
            self._paid.pop(key, None)

    def _still_kept(self, job: Job) -> bool:
        return self._clock.now() - job.last_at < KEEP_PAID

    def close(self) -> None:
        with self._turn:
            while self._writing:
                self._turn.wait()
            if self._broken is None:
                self._broken = OSError("closed")
                disk.close(self._descriptor)

    @property
    def ended(self) -> int:
        """How many ended jobs a compaction would move out of the file; what makes it worth its while."""
        return len(self._ended - {job.id for job in self._paid.values() if self._still_kept(job)})

    def is_past(self, job: str) -> bool:
        """Whether a job has ended, also one of long ago; reads the history, for rare questions."""
        return job in self._ended or history.knows(self._folder, job)

    def compact(self) -> int:
        """Move ended jobs to `history/`, each month a file; returns how many. Appends wait meanwhile.

        A crash at any point leaves every event at least once: history is synced before the new journal
        replaces the old one, and readers fold by (job, seq).
        """
        with self._turn:
            while self._writing:
                self._turn.wait()
            self._require_whole()
            try:
                return self._compact()
            except BaseException as error:
                # Whatever it was: nobody knows which file is the journal now.
                self._broken = error
                raise JournalBrokenError(f"the journal could not be compacted: {error}") from error

    def _compact(self) -> int:
        reading = records.read(disk.read_own(os.path.join(self._folder, NAME)))
        if reading.damage is not None or reading.last_seq != self._synced:
            raise OSError(errno.EIO, "it does not read back as it was written")
        self._paid = {key: job for key, job in self._paid.items() if self._still_kept(job)}
        keep = set(self._jobs) | {job.id for job in self._paid.values()}
        jobs = records.fold(reading.records)
        kept = [record for record in reading.records if record["job"] is None or record["job"] in keep]
        gone = [record for record in reading.records if record["job"] is not None and record["job"] not in keep]
        history.add(self._folder, gone, jobs)
        header = _header(self.identity, self._synced, self._clock, len(kept))
        with _opened(self._folder) as parent:
            disk.write_small(parent, NAME, header + b"".join(map(records.line, kept)), 0o600)
        disk.close(self._descriptor)
        self._descriptor = disk.append_to(os.path.join(self._folder, NAME))
        self._ended &= keep
        return len({record["job"] for record in gone})


def create(folder: str, clock: Clock, identity: Identity) -> Journal:
    """A new journal in an empty state folder."""
    with _opened(folder) as parent:
        disk.write_small(parent, NAME, _header(identity, 1, clock, 0), 0o600)
    return load(folder, clock)[0]


def load(folder: str, clock: Clock) -> tuple[Journal, list[Job], int]:
    """The journal of a state folder, all jobs in it (ended ones too), and the length of a torn tail.

    A torn tail is copied aside, cut off and the cut synced before anything is appended.
    Raises StateError on damage, with line number and what `repair` would do.
    """
    path = os.path.join(folder, NAME)
    data = disk.read_own(path)
    reading = records.read(data)
    schema = records.SCHEMA if reading.header is None else reading.header.get("schema")
    if schema != records.SCHEMA:
        raise StateError(f"{path} has schema {schema}, not {records.SCHEMA}. Start the version that wrote it.")
    if reading.damage is not None:
        raise StateError(_damage(path, reading.damage))
    if reading.header is None:
        raise StateError(f"{path} has no header line: it was never a journal. Move it away to start anew.")
    try:
        jobs = records.fold(reading.records)
    except IllegalMoveError as error:
        raise StateError(f"{path}: {error}. Nothing was started. `babeldrop repair` shows what can be done.") from error
    torn = len(data) - reading.whole
    if torn:
        cut_tail(folder, clock, data, reading.whole)
    # What a killed process has written may be in memory only, and from here on it is acted upon.
    _make_durable(folder, reading.whole)
    return Journal(folder, clock, reading, jobs), list(jobs.values()), torn


def cut_tail(folder: str, clock: Clock, data: bytes, whole: int) -> str:
    """Copy what lies behind `whole` aside and cut it off; both durable. Returns the copy's name."""
    aside = f"{NAME}.torn-{clock.now():%Y%m%dT%H%M%S%f}"
    with _opened(folder) as parent:
        disk.write_small(parent, aside, data[whole:], 0o600)
    _make_durable(folder, whole)
    return aside


def _make_durable(folder: str, length: int) -> None:
    """Cut the file to its whole lines, and sync it and its name."""
    descriptor = disk.append_to(os.path.join(folder, NAME))
    try:
        disk.truncate(descriptor, length)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    with _opened(folder) as parent:
        disk.sync_folder(parent)


def exists(folder: str) -> bool:
    return disk.is_there(os.path.join(folder, NAME))


def all_jobs(folder: str, months: Callable[[str], bool] = lambda _: True) -> dict[str, Job]:
    """Every job that history and journal know, for views; needs no lock and changes nothing.

    `months` chooses among the history's files by name (`2026-01`). What cannot be read is left out.
    """
    # The journal first: what a compaction moves meanwhile is then met twice, never missed.
    chain = list(records.read(disk.read_own(os.path.join(folder, NAME))).records)
    for month, data in history.months(folder):
        if months(month):
            chain.extend(filter(None, map(records.decode, data().split(b"\n"))))
    return records.fold_what_can_be(chain)


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[int]:
    parent = disk.open_root(folder)
    try:
        yield parent
    finally:
        disk.close(parent)


def _header(identity: Identity, seq: int, clock: Clock, kept: int) -> bytes:
    facts = {"schema": records.SCHEMA, "state": identity.state, "root": identity.root, "kept": kept}
    return records.encode(seq, stamp(clock.now()), None, "opened", facts, seq)


def _damage(path: str, damage: records.Damage) -> str:
    return (
        f"{path}, line {damage.line}: {damage.why}. Nothing was started, because what was sent and paid stands there. "
        "`babeldrop repair` would keep what can be read, put the damaged file aside, and treat what is then not sure "
        "to be unsent as uncertain."
    )
