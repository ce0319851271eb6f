"""Parts that a service has accepted and then did not take after all: they go back, and the account is closed."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import config, desks
from daemon.accounts import Door
from daemon.app import App
from daemon.clock import SystemClock
from daemon.errors import BlockedError, RejectedError, ServiceError, TransientError
from daemon.job import IllegalMoveError, State, apply
from daemon.polling import Polls
from daemon.providers.base import Accepted, Capabilities, Failed, Look, Part, Ready, Refused, Running
from daemon.settings import ProviderSettings
from daemon.spool import Sink
from tests.builders import FACTS, PROVIDER, Bench, Silent, wait_for
from tests.lives import Step, accepted, claimed, event, inherited, lived, ready, submitting

REFUSED = Refused(error=BlockedError("account.blocked", "storage.source: renew it", provider_code="NoAccess"))
WORKING = Running(word="working")


# -- in the record --------------------------------------------------------------------------------------------


def back(part: int = 0) -> Step:
    """The event of a part that was not taken after all."""
    return "refused", {"part": part, "why": {"code": "account.blocked"}, "billed": False}


def test_part_that_was_not_taken_after_all_is_new_again() -> None:
    """It takes no place, has no reference and no cost, and goes again under its next attempt."""
    job = lived([claimed(), submitting(), accepted(cost=0.5), back()])
    again = apply(job, event(submitting(attempt=2)))

    assert (job.state, job.refs, job.occupied, job.cost) == (State.CLAIMED, (), 0, None)
    assert (again.state, again.attempts) == (State.SUBMITTING, 2)


def test_other_parts_stay_where_they_are() -> None:
    """What was accepted of the same document stays accepted."""
    job = lived([claimed(), submitting(0, 2), accepted(0), submitting(1, 2), accepted(1, ref="r1"), back(1)])

    assert (job.refs, job.occupied) == (("r0",), 1)


@pytest.mark.parametrize("billed", [None, True, 0])
def test_accepted_part_goes_back_by_that_word_alone(billed: object) -> None:
    """An acceptance is money: no other refusal undoes it."""
    name, data = back()

    with pytest.raises(IllegalMoveError, match="refused after it was accepted"):
        apply(lived([claimed(), submitting(), accepted()]), event((name, data | {"billed": billed})))


def test_finished_part_never_goes_back() -> None:
    """What has a result was begun, whatever is said later."""
    with pytest.raises(IllegalMoveError, match="refused after it was accepted"):
        apply(lived([claimed(), submitting(), accepted(), ready()]), event(back()))


def test_reference_is_borrowed_until_the_job_has_one_of_its_own() -> None:
    """What was inherited once does not make a later submission somebody else's."""
    [heir] = lived([claimed(), inherited()]).parts
    [own] = lived([claimed(), inherited(), back(), submitting(), accepted()]).parts

    assert (heir.inherited, heir.borrowed) == (True, True)
    assert (own.inherited, own.borrowed) == (True, False)


# -- one look after the other, with a clock that stands still -------------------------------------------------


class Told(Silent):
    """Looks at every job as a test says; cleaning up never works."""

    def __init__(self, settings: ProviderSettings) -> None:
        super().__init__(settings)
        self.says: Look = REFUSED
        self.cleaned: list[str] = []

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        return dict.fromkeys(refs, self.says)

    def clean_up(self, refs: Iterable[str]) -> None:
        self.cleaned += refs
        raise TransientError("service.unreachable")


class Table:
    """Jobs in flight, one account, and who looks at them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.shop = bench.shop
        self.polls = Polls(bench.shop)
        self.desk = bench.shop.desks[PROVIDER]
        self.account = self.desk.account
        self.provider = Told(self.desk.settings)
        self.desk.provider = self.provider

    def submit(self, *jobs: str) -> None:
        """Record that jobs were submitted and accepted, as the next attempt of each."""
        for job in jobs:
            known = self.shop.journal.get(job)
            attempt = known.attempts + 1 if known else 1
            first = [] if known else [claimed(f"{job}.txt", PROVIDER)]
            for name, data in (*first, submitting(attempt=attempt), accepted(ref=f"{job}-{attempt}")):
                self.shop.journal.append(job, name, **data)
            self.bench.clock.advance(1.0)

    def look(self, job: str, says: Look = REFUSED) -> State:
        """Look at a job; how it stands afterwards."""
        self.provider.says = says
        self.polls.run(self.desk, [f"{job}.0"])
        known = self.shop.journal.get(job)
        assert known is not None
        return known.state

    def wait_s(self) -> float:
        """How long the account stays closed."""
        until = self.account.standing().until
        assert until is not None
        return until - self.bench.clock.monotonic()

    def reopen(self) -> None:
        """The wait passes, the check is good, and a trial is accepted."""
        self.bench.clock.advance(self.wait_s())
        assert self.account.check_due()
        self.account.half_open()
        assert self.account.may_send("trial")
        assert self.account.submission_ended("trial", sane=True)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with Bench(tmp_path) as bench:
        yield Table(bench.start())


def test_refusal_closes_the_account_and_says_what_to_do(table: Table) -> None:
    """The file waits as new, what lay at the service is cleaned up, and the warning has the provider's words."""
    table.submit("first")
    state = table.look("first")
    [told] = table.bench.logged("account.closed")

    assert state is State.CLAIMED
    assert (table.account.standing().door, table.account.standing().occupied) == (Door.CLOSED, 0)
    assert (told["code"], "storage.source: renew it" in told["why"]) == ("account.blocked", True)
    assert [table.shop.peek(lane) for lane in (table.desk.lanes.submit, table.desk.lanes.poll)] == ["first", None]
    assert table.shop.waiting["first"].why == "account.blocked"
    assert table.provider.cleaned == ["first-1"]
    assert table.bench.logged("clean_up.failed")


def test_waits_grow_although_every_trial_is_accepted(table: Table) -> None:
    """From half a minute to half an hour: an acceptance says nothing, and the check sees nothing wrong."""
    waits = []
    for _ in range(9):
        table.submit("first")
        table.look("first")
        waits.append(round(table.wait_s(), 3))
        table.reopen()

    assert waits[:4] == pytest.approx([30.0, 60.0, 120.0, 240.0], rel=0.25)
    assert waits == sorted(waits)
    assert waits[-1] == 1800.0


def test_files_of_one_round_count_once(table: Table) -> None:
    """What was sent before the first refusal came is turned back as well, and makes nobody wait longer."""
    table.submit("first", "second", "third")
    states = [table.look(job) for job in ("first", "second", "third")]

    assert states == [State.CLAIMED] * 3
    assert table.wait_s() <= 37.5
    assert len(table.bench.logged("account.closed")) == 1


def test_result_ends_the_growth(table: Table) -> None:
    """Once something came through, the next trouble begins with a short wait."""
    for _ in range(4):
        table.submit("first")
        table.look("first")
        table.reopen()
    table.submit("second")
    table.look("second", Ready())
    table.submit("third")
    table.look("third")

    assert table.wait_s() <= 37.5


def test_somebody_who_has_mended_it_need_not_wait(table: Table) -> None:
    """A poke has the account asked at once, however long its wait has grown."""
    for _ in range(6):
        table.submit("first")
        table.look("first")
        table.reopen()
    table.submit("first")
    table.look("first")
    before = table.account.check_due()
    table.account.poke()

    assert (before, table.account.check_due()) == (False, True)


def test_no_number_of_refusals_fails_a_file(table: Table) -> None:
    """As long as nothing comes through, it is the account's matter: also over a weekend."""
    for _ in range(50):
        table.submit("first")
        state = table.look("first")
        table.reopen()

    assert state is State.CLAIMED


def test_file_that_alone_is_turned_back_is_failed(table: Table) -> None:
    """Later files came through, this one was turned back for the third time: it must not stop the others for ever."""
    states = []
    for other in ("second", "third", "fourth"):
        table.submit("first", other)
        table.look(other, Ready())
        states.append(table.look("first"))
        table.reopen()
    job = table.shop.journal.get("first")

    assert states == [State.CLAIMED, State.CLAIMED, State.FAILED]
    assert job is not None
    assert job.error is not None
    assert (job.error["code"], job.error["provider_code"]) == ("provider.failed", "NoAccess")


def test_results_of_before_speak_for_nobody(table: Table) -> None:
    """What was sent while the account worked says nothing about files that were sent after it."""
    table.submit("second")
    for _ in range(4):
        table.submit("first")
        table.look("second", Ready())
        state = table.look("first")
        table.reopen()

    assert state is State.CLAIMED


def test_clock_that_jumps_fails_nobody(table: Table) -> None:
    """A result from a day when the clock was ahead says nothing about what was sent since it was put right."""
    table.submit("second")
    table.look("second", Ready())
    table.bench.clock.jump(-86_400.0)
    for _ in range(4):
        table.submit("first")
        state = table.look("first")
        table.reopen()

    assert state is State.CLAIMED


def test_borrowed_reference_that_is_refused_closes_nothing(table: Table) -> None:
    """What the service says about an earlier job is of no use, and old news about the account."""
    for name, data in (claimed("heir.txt", PROVIDER), inherited()):
        table.shop.journal.append("heir", name, **data)
    state = table.look("heir")

    assert state is State.CLAIMED
    assert table.account.standing().door is Door.OPEN


# -- the whole daemon -----------------------------------------------------------------------------------------


class Fake(Silent):
    """Takes everything; what a look at each reference shows is the test's affair."""

    kind: ClassVar[str] = "fake"
    submitted: ClassVar[list[str]] = []
    shows: ClassVar[Callable[[str], Look]] = staticmethod(lambda _ref: Ready())

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        del settings
        return Capabilities(extensions=FACTS.extensions, languages=FACTS.languages, poll_every_s=0.02)

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        super().submit(part, sink)
        self.submitted.append(part.attempt.sent_name)
        return Accepted(ref=part.attempt.sent_name)

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        return {ref: Fake.shows(ref) for ref in refs}

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Any]:
        return super().fetch([(ref.split(".")[1].partition("-")[0], sink) for ref, sink in wanted])


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(desks, "KINDS", {"fake": Fake})
    monkeypatch.setattr(Fake, "submitted", [])
    monkeypatch.setattr(Fake, "shows", staticmethod(lambda _ref: Ready()))
    (tmp_path / "share/inbox/fake/fr").mkdir(parents=True)
    return tmp_path


@contextmanager
def running(base: Path, more: str = "") -> Iterator[tuple[App, LogCapture]]:
    captured = LogCapture()
    (base / "config.yaml").write_text(
        f"root: {base}/share\nstate: {base}/state\nwatch: {{settle: 20ms, rescan: 200ms}}\n"
        f"providers:\n  fake: {{base_url: 'http://127.0.0.1:9', api_key: a-key-of-the-test, languages: [fr]{more}}}\n"
    )
    settings = config.load(base / "config.yaml", kinds={"fake": ProviderSettings})
    log = structlog.wrap_logger(None, [captured], structlog.make_filtering_bound_logger(0))
    app = App(settings, SystemClock(), log)
    app.start()
    try:
        yield app, captured
    finally:
        app.stop()


def codes(base: Path) -> list[str]:
    return [json.loads(path.read_text())["error"]["code"] for path in (base / "share/failed").rglob("*.error.json")]


def test_refused_file_is_submitted_again_and_delivered(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails; when the account is open again the file goes under a new name, and its journal is whole."""
    monkeypatch.setattr(Fake, "shows", staticmethod(lambda ref: REFUSED if "-1." in ref else Ready()))
    result = base / "share/outbox/fake/fr/note.txt"
    with running(base) as (app, captured):
        (base / "share/inbox/fake/fr/note.txt").write_text("hello")
        wait_for(lambda: app.shop.desks["fake"].account.standing().door is Door.CLOSED, "the refusal")
        before = len(Fake.submitted)

        def poked() -> bool:
            app.poke()
            return result.exists()

        wait_for(poked, "the result")
    lines = map(json.loads, (base / "state/journal.jsonl").read_text().splitlines())
    [refused] = [line for line in lines if line["event"] == "refused"]
    with running(base) as (after, _):
        left = after.shop.journal.alive()

    assert (before, len(Fake.submitted)) == (1, 2)
    assert refused["billed"] is False
    assert refused["why"] == {"code": "account.blocked", "provider_code": "NoAccess"}
    assert (codes(base), left) == ([], [])
    assert [line["event"] for line in captured.entries if line["event"] == "account.closed"] == ["account.closed"]


def test_failure_after_a_borrowed_reference_is_final(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old job is of no use, the new one is failed by the service: that was one submission, and no more follow."""
    monkeypatch.setattr(Fake, "shows", staticmethod(lambda _ref: WORKING))
    with running(base, ", deadline: 10ms"):
        (base / "share/inbox/fake/fr/note.txt").write_text("hello")
        wait_for(lambda: codes(base) == ["deadline.passed"], "the deadline")
    monkeypatch.setattr(Fake, "shows", staticmethod(lambda _ref: Failed(error=RejectedError("provider.failed"))))
    with running(base):
        (base / "share/failed/fake/fr/note.txt").rename(base / "share/inbox/fake/fr/note.txt")
        wait_for(lambda: codes(base) == ["provider.failed"] or len(Fake.submitted) > 4, "the failure")

    assert codes(base) == ["provider.failed"]
    assert len(Fake.submitted) == 2
