"""The journal against a model: any order of events, notes, starts, torn tails, flipped bits, compactions and years."""

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from daemon import disk, journal
from daemon.errors import StateError
from daemon.job import Event, IllegalMoveError, Job, State, apply
from daemon.journal import KEEP_PAID, Identity
from tests import lives
from tests.builders import wait_for
from tests.clocks import FakeClock
from tests.lives import Step

SHAS = ("aa", "bb")


def of_bytes(sha256: str, step: Step) -> Step:
    """The step for a document with these bytes."""
    name, data = step
    return name, {**data, "sha256": sha256} if "sha256" in data else data


STEPS = [
    *(of_bytes(sha, lives.submitting(0, of, number)) for of in (1, 2) for number in (1, 2) for sha in SHAS),
    *(of_bytes("aa", lives.submitting(1, 2, number)) for number in (1, 2)),
    *(make(part) for make in (lives.accepted, lives.refused, lives.ready) for part in (0, 1)),
    of_bytes("bb", lives.inherited()),
    lives.banked(),
    lives.PUBLISHING,
    lives.DELIVERED,
    lives.failed(),
    lives.failed("provider.failed"),
    lives.CLOSED,
    lives.claimed(),
]


class Book(RuleBasedStateMachine):
    """The model is a list of events, each with the job after it, and the clock."""

    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="journal")
        self.clock = FakeClock()
        self.book = journal.create(self.folder, self.clock, Identity(state="s", root="r"))
        self.events: list[Job | None] = []
        self.after: dict[str, list[Job]] = {}
        self.ids = 0
        self.lines_to_lose = 0

    def teardown(self) -> None:
        self.book.close()
        shutil.rmtree(self.folder)

    def _append(self, job: str, step: Step) -> None:
        """What the journal makes of an event must be what the fold makes of it."""
        name, data = step
        known = self.after.setdefault(job, [])
        before = known[-1] if known else None
        event = Event(seq=0, at=self.clock.now(), job=job, name=name, data=data)
        try:
            after = apply(before, event)
        except IllegalMoveError:
            with pytest.raises(IllegalMoveError):
                self.book.append(job, name, **data)
            return

        assert self.book.append(job, name, **data) == after
        known.append(after)
        self.events.append(after)
        self.lines_to_lose += 1

    # -- events ---------------------------------------------------------------------------------------------

    @rule(target=jobs)
    def claim(self) -> str:
        self.ids += 1
        job = f"{self.ids:016d}"
        self._append(job, lives.claimed(f"n\udcff{self.ids}"))
        return job

    @rule(job=jobs, step=st.sampled_from(STEPS))
    def try_anything(self, job: str, step: Step) -> None:
        if step[0] != "claimed" or not self._ended(job):
            self._append(job, step)

    @rule(job=jobs)
    def fail_after_it_was_paid(self, job: str) -> None:
        for step in lives.PAID_LIFE[1:]:
            self._append(job, of_bytes("aa", step))

    @rule(job=consumes(jobs))
    def deliver(self, job: str) -> None:
        for step in lives.DELIVERED_LIFE[1:]:
            self._append(job, of_bytes("aa", step))

    @rule()
    def note(self) -> None:
        self.book.note("rooted")
        self.events.append(None)
        self.lines_to_lose += 1

    @rule(seconds=st.sampled_from([0.001, 3600.0, 91 * 86_400.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # -- starts, crashes, compactions -----------------------------------------------------------------------

    def _start(self, lost: int) -> None:
        self.book.close()
        self.book, jobs, torn = journal.load(self.folder, self.clock)

        assert torn == lost
        assert {job.id for job in jobs if job.alive} == {job.id for job in self._alive()}

    @rule()
    def start_again(self) -> None:
        self._start(0)

    @rule(tail=st.binary(min_size=1, max_size=40).filter(lambda tail: b'{"seq"' not in tail))
    def start_behind_garbage(self, tail: bytes) -> None:
        with open(self._file, "ab") as file:
            file.write(tail)
        self._start(len(tail))

    @precondition(lambda self: self.lines_to_lose > 0)
    @rule(share=st.floats(0.0, 1.0, exclude_max=True))
    def start_behind_a_torn_tail(self, share: float) -> None:
        """A loss of power at any byte of what no line calls synced: of several lines, where they shared a sync."""
        data = self._file.read_bytes()
        lines = self._lines(data)
        mark = lines[-1][1]["synced"]
        first = next(offset for offset, line in lines if line["seq"] > mark)
        kept = first + int((len(data) - first) * share)
        ends = [offset for offset, _ in lines if offset <= kept]
        lost = len(lines) - len(ends) + 1
        self._file.write_bytes(data[:kept])
        for _ in range(lost):
            job = self.events.pop()
            if job is not None:
                self.after[job.id].pop()
        self.lines_to_lose -= lost
        self._start(kept - ends[-1])

    @rule(share=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
    def flip_a_bit(self, share: float, bit: int) -> None:
        """A start stops at what was durable once; behind the last mark it may be a torn tail, and is cut off.

        It is a copy that suffers, so that all other rules go on with a whole journal.
        """
        data = bytearray(self._file.read_bytes())
        lines = self._lines(data)
        at = int(share * len(data))
        number, (offset, line) = [(one, found) for one, found in enumerate(lines) if found[0] <= at][-1]
        data[at] ^= 1 << bit
        marked = number <= lines[0][1]["kept"] or any(later["synced"] >= line["seq"] for _, later in lines[number:])
        with tempfile.TemporaryDirectory() as place:
            copy = shutil.copytree(self.folder, f"{place}/state")
            Path(copy, journal.NAME).write_bytes(data)
            if number == 0 or marked:
                with pytest.raises(StateError):
                    journal.load(copy, self.clock)

                assert Path(copy, journal.NAME).read_bytes() == data
                return
            book, jobs, torn = journal.load(copy, self.clock)
            book.close()

        assert torn == len(data) - offset
        assert len(jobs) == len({one["job"] for _, one in lines[1:number] if one["job"]})

    @rule()
    def share_a_sync(self) -> None:
        """Two jobs are claimed while a line is being written: both of theirs are written at once."""
        real = disk.write
        threads: list[threading.Thread] = []
        self.ids += 2
        names = [f"{number:016d}" for number in (self.ids - 1, self.ids)]

        def meanwhile(descriptor: int, content: bytes) -> None:
            if not threads:
                for name in names:
                    event, facts = lives.claimed()
                    threads.append(threading.Thread(target=self.book.append, args=(name, event), kwargs=facts))
                    threads[-1].start()
                    wait_for(lambda: len(self.book._lines) == len(threads), "a line to be queued")
            real(descriptor, content)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(disk, "write", meanwhile)
            self.book.note("rooted")
            for thread in threads:
                thread.join()
        self.events.append(None)
        for name in names:
            job = self.book.get(name)

            assert job is not None
            self.after[name] = [job]
            self.events.append(job)
        self.lines_to_lose += 3
        *_, (_, one), (_, other) = self._lines(self._file.read_bytes())

        # Not even the line that was being written is known to be durable when they are queued.
        assert one["synced"] == other["synced"] == one["seq"] - 2

    @rule()
    def compact(self) -> None:
        self.book.compact()
        self.lines_to_lose = 0

    # -- what must be true ----------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return Path(self.folder, journal.NAME)

    @staticmethod
    def _lines(data: bytes | bytearray) -> list[tuple[int, Mapping[str, Any]]]:
        """Every line with its offset."""
        found, offset = [], 0
        for line in data.splitlines(keepends=True):
            found.append((offset, json.loads(line)))
            offset += len(line)
        return found

    def _ended(self, job: str) -> bool:
        return bool(self.after.get(job)) and not self.after[job][-1].alive

    def _alive(self) -> list[Job]:
        return [known[-1] for _, known in sorted(self.after.items()) if known and known[-1].alive]

    @invariant()
    def jobs_are_the_fold_of_their_events(self) -> None:
        assert self.book.alive() == self._alive()
        assert journal.all_jobs(self.folder) == {job: known[-1] for job, known in self.after.items() if known}

    @invariant()
    def what_was_paid_is_known(self) -> None:
        paid: dict[str | None, str] = {}
        for job in self.events:
            if job is None or job.alive:
                continue
            if job.closed_as is State.DELIVERED:
                paid.pop(job.sha256, None)
            elif job.keeps_what_was_paid:
                paid[job.sha256] = job.id
        for sha in SHAS:
            found = self.book.paid(sha, "gpttranslator", "en-to-fr")
            known = self.after[paid[sha]][-1] if sha in paid else None
            fresh = known is not None and self.clock.now() - known.last_at < KEEP_PAID

            assert found == (known if fresh else None)


TestBook = Book.TestCase
TestBook.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
