"""The files of jobs against a model: people, restarts, kills and failing disks in any order, also within a step.

The model knows every content that somebody is owed (a drop that nobody took away again) and every file that must
stay as it is (what people put somewhere, what was published, what was put away). After every rule:

* what is owed is in a folder of the root (V1);
* what has to stay is at its place and unchanged; the outbox shows whole results alone (V5, V6);
* a job that has just ended has left exactly one of result and sidecar (V8).

In the end, when nothing goes wrong any more, everything that was dropped comes to its end.
"""

import errno
import functools
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daemon import journal, sidecar
from daemon.errors import RejectedError, ServiceError, ShareAwayError, TransientError, UncertainError
from daemon.job import Job, State
from daemon.journal import JournalBrokenError
from daemon.polling import Polls
from daemon.providers.base import Accepted, Failed, Fetched, Look, Part, Ready, Running
from daemon.settling import Settlements
from daemon.spool import Sink
from daemon.submission import Submissions
from tests import builders
from tests.builders import PROVIDER, Bench, Crash, Crashes, Silent, in_memory
from tests.clocks import FakeClock

TOPS = ("inbox", "processing", "archive", "failed", "outbox")
PUBLIC = ("archive", "failed", "outbox")
NAMES = ("a.txt", "a.txt", "a (2).txt", "sub/a.txt", "b.exe", "a.txt.error.json")
LANGUAGES = ("fr", "fr", "de", "tlh")
_LANES = ("finish", "fetch", "poll", "settle", "submit")
_MOVES = ("finish", "submit")
"""Lanes that stand still while the share is away."""

Deed = Callable[["Files"], None]


def translated(content: bytes) -> bytes:
    return b"translated: " + content


class Service(Silent):
    """Outlives the daemon, and is of the mood that the test chose."""

    def __init__(self) -> None:
        super().__init__(builders.settings())
        self.submission = "taken"
        self.look = "ready"

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        content = part.document.read()
        errors: Mapping[str, ServiceError] = {
            "refused": TransientError("service.unreachable"),
            "rejected": RejectedError("submit.rejected"),
            "lost": UncertainError("submit.uncertain", facts={"reason": "no answer"}),
        }
        if self.submission in ("taken", "lost"):
            self._taken[part.attempt.job] = content
        if self.submission != "taken":
            raise errors[self.submission]
        return Accepted(ref=part.attempt.job)

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        looks: Mapping[str, Look | ServiceError] = {
            "ready": Ready(),
            "running": Running(),
            "failed": Failed(error=RejectedError("provider.failed")),
            "silent": TransientError("service.unreachable"),
        }
        return dict.fromkeys(refs, looks[self.look])

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        for ref, sink in wanted:
            sink.restart()
            sink.write(translated(self._taken[ref]))
        return [Fetched() for _ in wanted]

    def clean_up(self, refs: Iterable[str]) -> None:
        """What was taken is kept: a later job may still ask for it."""


class Moments(Crashes):
    """Besides killing: somebody else acts right before the n-th effect."""

    def __init__(self, patch: pytest.MonkeyPatch, *, native: bool) -> None:
        self._deed: Callable[[], None] | None = None
        super().__init__(patch, native=native)

    def meanwhile(self, at: int, deed: Callable[[], None]) -> None:
        self.arm(0)
        self._before, self._deed = at, deed

    def effect(self, name: str) -> None:
        if self._deed is not None and self.count + 1 == self._before:
            deed, self._deed = self._deed, None
            deed()
        super().effect(name)

    def arm(self, at: int, error: int | None = None) -> None:
        self._deed = None
        super().arm(at, error)


# -- what people do, at any moment ------------------------------------------------------------------------------


def delete(top: str, which: int) -> Deed:
    """Remove a file that can be seen."""

    def deed(files: "Files") -> None:
        path = files.chosen((top,), which)
        if path is not None:
            files.give_up(path)
            (files.root / path).unlink()

    return deed


def bring_back(top: str, which: int) -> Deed:
    """Move a file back into the inbox, as the sidecar advises; an older drop of that name is not replaced."""

    def deed(files: "Files") -> None:
        path = files.chosen((top,), which)
        if path is None:
            return
        target = files.root / "inbox" / path.partition("/")[2]
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            files.owe((files.root / path).read_bytes(), path)
            files.forget(path)
            (files.root / path).rename(target)

    return deed


def put(top: str, language: str, name: str) -> Deed:
    """Put a file of one's own somewhere: in the inbox that is a drop, elsewhere it has to stay."""

    def deed(files: "Files") -> None:
        path = f"{top}/{PROVIDER}/{language}/{name}"
        target = files.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            return
        content = files.new_content()
        target.write_bytes(content)
        if top == "inbox":
            files.owe(content, path)
        else:
            files.stays[path] = content

    return deed


def squat(top: str, language: str) -> Deed:
    """Put a file under every name that is likely to be wanted next."""

    def deed(files: "Files") -> None:
        for name in sorted(set(NAMES)):
            put(top, language, name)(files)

    return deed


def overwrite(which: int, *, in_place: bool) -> Deed:
    """Write a drop anew, as editors do: into the file, or beside it with a rename."""

    def deed(files: "Files") -> None:
        path = files.chosen(("inbox",), which)
        if path is None:
            return
        content = files.new_content()
        files.give_up(path)
        files.owe(content, path)
        target = files.root / path
        if in_place:
            target.write_bytes(content)
            return
        beside = target.with_name(".beside")
        beside.write_bytes(content)
        beside.replace(target)

    return deed


def tidy(top: str) -> Deed:
    """Remove a whole tree, with what nobody sees in it."""

    def deed(files: "Files") -> None:
        for path in files.visible((top,)):
            files.give_up(path)
        shutil.rmtree(files.root / top / PROVIDER, ignore_errors=True)

    return deed


_which = st.integers(0, 5)
_effects = st.integers(1, 40)
_errors = st.sampled_from([None, None, None, errno.EIO, errno.ENOSPC, errno.EACCES])
PEOPLE: st.SearchStrategy[Deed] = st.one_of(
    st.builds(delete, st.sampled_from(("inbox", *PUBLIC)), _which),
    st.builds(bring_back, st.sampled_from(PUBLIC), _which),
    st.builds(put, st.sampled_from(("inbox", *PUBLIC)), st.sampled_from(LANGUAGES), st.sampled_from(NAMES)),
    st.builds(squat, st.sampled_from(PUBLIC), st.sampled_from(LANGUAGES)),
    st.builds(overwrite, _which, in_place=st.booleans()),
    st.builds(tidy, st.sampled_from(("inbox", *PUBLIC))),
)


class Files:
    """The root as people see it, and what the model says of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.owed: dict[bytes, str] = {}
        self.stays: dict[str, bytes] = {}
        self.known: set[bytes] = set()
        self.touched: set[str] = set()
        """Jobs whose result or sidecar somebody took away."""
        self._numbers = itertools.count(1)

    def new_content(self) -> bytes:
        content = b"text number %d\n" % next(self._numbers)
        self.known.add(content)
        return content

    def all(self, tops: Sequence[str] = TOPS) -> dict[str, bytes]:
        """Every regular file by its path below the root, hidden ones too."""
        found = {}
        for top in tops:
            for here, _, names in os.walk(self.root / top):
                for name in names:
                    path = os.path.join(here, name)
                    found[os.path.relpath(path, self.root)] = Path(path).read_bytes()
        return found

    def visible(self, tops: Sequence[str]) -> list[str]:
        return sorted(path for path in self.all(tops) if not os.path.basename(path).startswith("."))

    def chosen(self, tops: Sequence[str], which: int) -> str | None:
        paths = self.visible(tops)
        return paths[which % len(paths)] if paths else None

    def owe(self, content: bytes, path: str) -> None:
        """Somebody made it a drop: from now on it must not get lost. Sidecars and their like are no drops."""
        if sidecar.job_of(content) is None:
            self.known.add(content)
            self.owed[content] = path

    def give_up(self, path: str) -> None:
        """Somebody removes a file: nobody owes it any more."""
        self.owed.pop((self.root / path).read_bytes(), None)
        self.forget(path)

    def forget(self, path: str) -> None:
        self.stays.pop(path, None)
        told = sidecar.job_of((self.root / path).read_bytes())
        self.touched |= {path} if told is None else {path, told}


class Moves(RuleBasedStateMachine):
    """One state, one root, one service; the daemon lives and dies."""

    @initialize(native=st.booleans())
    def move_in(self, native: bool) -> None:
        self.stack = ExitStack()
        self.base = self.stack.enter_context(in_memory())
        patch = pytest.MonkeyPatch()
        self.stack.callback(patch.undo)
        self.moments = Moments(patch, native=native)
        self.clock = FakeClock()
        self.service = Service()
        self.files = Files(self.base / "share")
        self.ended: set[str] = set()
        self.away = False
        self._begin()

    def _begin(self) -> None:
        """A start of the daemon, which may find its share away."""
        self.bench = Bench(self.base, self.clock)
        self.desk = self.bench.shop.desks[PROVIDER]
        self.desk.provider = self.service
        with suppress(ShareAwayError):
            self.bench.start()
        settlements, polls = Settlements(self.bench.shop), Polls(self.bench.shop)
        self.steps: dict[str, Callable[[Any], None]] = {
            "settle": lambda key: settlements.run(self.desk, key),
            "submit": self._submit(Submissions(self.bench.shop, settlements)),
            "poll": lambda key: polls.run(self.desk, [key]),
            "fetch": lambda key: self.bench.deliveries.fetch(self.desk, [key]),
            "finish": lambda key: self.bench.deliveries.finish(self.desk, key),
        }

    def _submit(self, submissions: Submissions) -> Callable[[str], None]:
        def step(key: str) -> None:
            self.desk.account.half_open()
            if self.desk.account.reserve(key):
                submissions.run(self.desk, key)
            else:
                self.bench.shop.put(self.desk.lanes.submit, key, 1.0)

        return step

    def _restart(self) -> None:
        self.moments.arm(0)
        self.bench.house.close()
        self._begin()

    def _guarded(self, what: Callable[[], None], again: Callable[[], None]) -> None:
        """Run a piece of the daemon, and do what the daemon does when it breaks."""
        try:
            what()
        except (Crash, JournalBrokenError):
            self._restart()
        except ShareAwayError:
            assert self.away
        except OSError:
            # Told, and tried again later.
            again()
        finally:
            self.moments.arm(0)

    def _look(self) -> None:
        """What the daemon does at every scan."""
        if self.bench.shop.away is not None:
            self.bench.arrive()
            self.bench.shop.thaw()
        self.bench.settle()

    def _lane(self, which: int) -> str:
        """One of the lanes in which something waits, the last of them first; `scan` when there is none."""
        busy = [lane for lane in _LANES if len(getattr(self.desk.lanes, lane)) and not (self.away and lane in _MOVES)]
        choices = [*busy, "scan"]
        return choices[which % len(choices)]

    def _step(self, lane: str) -> None:
        """Scan, or take the first that waits in a lane through its step, whenever it is due."""
        if lane == "scan":
            self._guarded(self._look, lambda: None)
            return
        queue = getattr(self.desk.lanes, lane)
        due = queue.next_due()
        self.clock.advance(max(0.0, due - self.clock.monotonic()))
        [key] = self.bench.shop.take(queue, 1)
        self._guarded(lambda: self.steps[lane](key), lambda: self.bench.shop.put(queue, key, 1.0))

    # -- rules ----------------------------------------------------------------------------------------------

    @rule(deed=PEOPLE)
    def somebody_does_something(self, deed: Deed) -> None:
        deed(self.files)

    @rule(language=st.sampled_from(LANGUAGES), name=st.sampled_from(NAMES), claim=st.booleans())
    def drop(self, language: str, name: str, claim: bool) -> None:
        put("inbox", language, name)(self.files)
        if claim:
            self._step("scan")

    @rule()
    def scan(self) -> None:
        self._step("scan")

    @rule(which=_which)
    def work(self, which: int) -> None:
        self._step(self._lane(which))

    @rule(count=st.integers(2, 6))
    def go_on(self, count: int) -> None:
        for _ in range(count):
            self._step(self._lane(0))
            self._check()

    @rule(troubles=st.lists(st.tuples(_effects, _errors), min_size=1, max_size=8))
    def trouble(self, troubles: Sequence[tuple[int, int | None]]) -> None:
        """In one step after the other: a kill at one of its effects, or an error of the disk there."""
        for at, error in troubles:
            self.moments.arm(at, error)
            self._step(self._lane(0))
            self._check()

    @rule(at=_effects)
    def killed_at_the_start(self, at: int) -> None:
        self.bench.house.close()
        self.moments.arm(at)
        try:
            self._begin()
        except Crash:
            self.moments.arm(0)
            self._let_go()
            self._begin()
        self.moments.arm(0)

    def _let_go(self) -> None:
        """A killed start holds the lock no more."""
        for number in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{number}").startswith(str(self.base)):
                    os.close(int(number))

    @rule(deeds=st.lists(st.tuples(_effects, PEOPLE), min_size=1, max_size=8))
    def somebody_interferes(self, deeds: Sequence[tuple[int, Deed]]) -> None:
        """In one step after the other: somebody acts right before one of its effects."""
        for at, deed in deeds:
            self.moments.meanwhile(at, functools.partial(deed, self.files))
            self._step(self._lane(0))
            self._check()

    @rule(submission=st.sampled_from(("taken", "taken", "refused", "rejected", "lost")))
    def submissions_end(self, submission: str) -> None:
        self.service.submission = submission

    @rule(look=st.sampled_from(("ready", "ready", "running", "failed", "silent")))
    def looks_end(self, look: str) -> None:
        self.service.look = look

    @rule()
    def restart(self) -> None:
        self._restart()

    @rule(meanwhile=st.lists(st.sampled_from([0, 1, 2, None]), min_size=1, max_size=4))
    def share_goes_and_comes(self, meanwhile: Sequence[int | None]) -> None:
        """Its empty mount point stays: nothing is written there, by a step or by a start (None)."""
        here, elsewhere = self.base / "share", self.base / "elsewhere"
        here.rename(elsewhere)
        here.mkdir()
        self.away = True
        for which in meanwhile:
            if which is None:
                self._restart()
            else:
                self._step(self._lane(which))

            assert list(here.iterdir()) == []
        here.rmdir()
        elsewhere.rename(here)
        self.away = False

    # -- what must be true ----------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        there = set(self.files.all().values())

        assert {content: path for content, path in self.files.owed.items() if content not in there} == {}

    @invariant()
    def what_is_there_stays_as_it_is(self) -> None:
        found = self.files.all(PUBLIC)

        assert {path: found.get(path) for path in self.files.stays} == self.files.stays
        for path, content in found.items():
            if os.path.basename(path).startswith(".") or path in self.files.stays:
                continue
            told = sidecar.job_of(content)
            if path.startswith("outbox/"):
                assert content in {translated(one) for one in self.files.known}, path
            elif told is None:
                assert content in self.files.known, path
            if told is None:
                self.files.stays[path] = content

    @invariant()
    def what_has_ended_left_one_thing(self) -> None:
        found = self.files.all(PUBLIC)
        # A temporary that a kill has left beside its final name goes with the next step.
        seen = [content for path, content in found.items() if not os.path.basename(path).startswith(".")]
        told = [name for content in seen if (name := sidecar.job_of(content))]
        jobs = journal.all_jobs(f"{self.base}/state")
        for job in jobs.values():
            if job.alive or job.id in self.ended:
                continue
            self.ended.add(job.id)
            self._check_end(job, found, told.count(job.id))
        assert len(told) == len(set(told))

    def _check_end(self, job: Job, found: Mapping[str, bytes], sidecars: int) -> None:
        if job.closed_as is State.DELIVERED:
            path = os.path.normpath(f"outbox/{job.provider}/{job.folder}/{os.path.dirname(job.name)}/{job.published}")

            assert sidecars == 0
            assert path in self.files.touched or path in found
        else:
            assert job.closed_as is State.FAILED
            # One that somebody took away while the job was on its way out may have been written again.
            assert sidecars in ((0, 1) if job.id in self.files.touched else (1,)), job.error

    def teardown(self) -> None:
        """When nothing goes wrong any more, everything comes to its end."""
        if not hasattr(self, "stack"):
            return
        with self.stack:
            self.service.submission, self.service.look = "taken", "ready"
            for _ in range(200):
                self.clock.advance(61.0)
                self._step("scan")
                self._step(self._lane(0))
                if not self.bench.jobs and not self._waiting():
                    break
            self.bench.house.close()

            assert self.bench.jobs == []
            assert self._waiting() == []
            assert self.bench.files("processing") == {}
            self._check()

    def _check(self) -> None:
        self.nothing_is_lost()
        self.what_is_there_stays_as_it_is()
        self.what_has_ended_left_one_thing()

    def _waiting(self) -> list[str]:
        """Drops that will be taken: neither sidecars of ours nor hidden, and with one name only."""
        found = self.files.all(("inbox",))
        return [
            path
            for path, content in found.items()
            if sidecar.job_of(content) is None
            and not os.path.basename(path).startswith(".")
            and (self.files.root / path).stat().st_nlink == 1
        ]


_SETTINGS = settings(deadline=None, report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow])


TestMoves = Moves.TestCase
TestMoves.settings = settings(_SETTINGS, max_examples=60, stateful_step_count=40)


class LongMoves(Moves):
    """The same, for as long as a nightly run may take."""


TestMovesForLong = pytest.mark.long(LongMoves.TestCase)
TestMovesForLong.settings = settings(_SETTINGS, max_examples=400, stateful_step_count=50)
