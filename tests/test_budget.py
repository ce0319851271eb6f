"""Budgets: what is warned of, held and let go on, and when; alone, and in a daemon over a service that bills."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import config, desks, inheritance, messages, outlook
from daemon.app import App
from daemon.budget import Budgets, Verdict, past_of
from daemon.clock import SystemClock
from daemon.errors import ConfigError, RejectedError, ServiceError, UncertainError
from daemon.job import Job, State, apply
from daemon.journal import all_jobs
from daemon.languages import Route
from daemon.originals import Original
from daemon.providers import KINDS
from daemon.providers.base import Accepted, Attempt, Failed, Look, Part, Ready, Running
from daemon.settings import Budget, ProviderSettings
from daemon.spool import Sink
from tests.builders import FACTS, PROVIDER, Bench, Silent, wait_for
from tests.clocks import FakeClock
from tests.lives import Step, accepted, claimed, event, failed, lived, ready, submitting

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


_PAID: Sequence[Step] = (
    *(submitting(), accepted(), ready(cost=2.0)),
    ("banked", {"hash": "beef", "size": 20, "name": "r.txt"}),
    *(("publishing", {"name": "r.txt"}), ("delivered", {"name": "r.txt"}), ("closed", {})),
)


class Till:
    """Budgets with a clock and a log of their own, told of jobs by their steps."""

    def __init__(self, per_month: int = 10, unit: str = "credits", past: Sequence[Job] = ()) -> None:
        self.clock = FakeClock(NOON)
        self.captured = LogCapture()
        log = structlog.wrap_logger(None, [self.captured], structlog.make_filtering_bound_logger(0))
        limits = {"acme": Budget(per_month=per_month, unit=unit), "free": None}
        self.budgets = Budgets(limits, self.clock, log, past=lambda _month: past, zone=UTC)
        self._jobs: dict[str, Job] = {}
        self._seq = 0

    def tell(self, job: str, *steps: Step) -> Job:
        """These steps of a job happen now."""
        for step in steps:
            self._seq += 1
            before = self._jobs.get(job)
            after = apply(before, replace(event(step, self._seq, job), at=self.clock.now()))
            self.budgets.changed(before, after)
            self._jobs[job] = after
        return self._jobs[job]

    def costs(self, job: str, price: float) -> Job:
        """A document that cost so much."""
        return self.tell(job, new(), sent(), accepted(), ready(cost=price))

    def ask(self, job: str = "another") -> Verdict:
        return self.budgets.ask("acme", self._jobs.get(job) or lived([new()]))

    @property
    def row(self) -> Mapping[str, Any]:
        return self.budgets.rows()[0]

    def logged(self) -> list[str]:
        return [line["event"] for line in self.captured.entries]


def new() -> Step:
    return claimed(provider="acme")


def sent(part: int = 0, of: int = 1) -> Step:
    name, data = submitting(part, of)
    return name, {**data, "unit": "credits"}


# -- the gate -------------------------------------------------------------------------------------------------


def test_new_documents_are_held_once_the_booked_cost_reaches_the_budget() -> None:
    """Up to it they go; what is beyond it is what was under way, and it is shown."""
    till = Till()
    till.costs("one", 9.5)
    before = till.ask()
    till.costs("two", 3.25)

    assert (before, till.ask()) == (Verdict.GO, Verdict.HELD)
    assert (till.row["spent"], till.row["per_month"], till.row["state"]) == (12.75, 10, "spent")
    assert till.row["held_until"] == "2026-02-01T00:00:00.000Z"


def test_a_document_that_was_begun_goes_on() -> None:
    """Half paid is worth finishing, also beyond the budget."""
    till = Till()
    till.tell("long", new(), sent(0, 2), accepted(0))
    till.costs("one", 10)

    assert (till.ask("long"), till.ask()) == (Verdict.GO, Verdict.HELD)


def test_who_has_no_budget_is_never_held() -> None:
    """Neither a provider without one, nor one that is no longer configured."""
    till = Till()

    assert till.budgets.ask("free", lived([claimed(provider="free")])) is Verdict.GO
    assert till.budgets.ask("gone", None) is Verdict.GO


def test_documents_are_counted_before_they_are_sent() -> None:
    """A budget of documents is never exceeded: one that is being prepared may take the last place."""
    till = Till(per_month=2, unit="documents")
    till.tell("one", new(), sent())
    till.budgets.preparing("acme", "two")
    waits = till.ask()
    till.budgets.prepared("acme", "two")
    free = till.ask()
    till.budgets.preparing("acme", "two")
    till.tell("two", new(), sent())

    assert (waits, till.ask("two"), free, till.ask()) == (Verdict.SOON, Verdict.GO, Verdict.GO, Verdict.HELD)
    assert (till.row["spent"], till.row["in_flight"]) == (2, 0)


def test_one_that_was_sent_takes_one_place_alone() -> None:
    """What was counted as being prepared is not counted again while its step goes on."""
    till = Till(per_month=2, unit="documents")
    till.budgets.preparing("acme", "one")
    till.tell("one", new(), sent())

    assert till.ask() is Verdict.GO


def test_what_is_held_waits_for_the_turn_of_the_month_and_no_longer() -> None:
    """The moment is computed, not asked for; at the turn everything is new."""
    till = Till()
    till.costs("one", 10)
    moment = till.budgets.hold("acme")
    held = till.budgets.goes_on("acme")
    till.clock.advance(moment - till.clock.monotonic())

    assert moment == 1000.0 + 12 * 3600
    assert (held, till.budgets.goes_on("acme"), till.ask()) == (False, True, Verdict.GO)
    assert (till.row["month"], till.row["spent"], till.row["held_until"]) == ("2026-02", 0, None)


def test_money_that_comes_back_lets_go_on() -> None:
    """A document that the service did not take after all is not paid, and its place is free again."""
    till = Till(per_month=1, unit="documents")
    till.tell("one", new(), sent(), accepted())
    till.budgets.hold("acme")
    till.tell("one", ("refused", {"part": 0, "why": {}, "billed": False}))

    assert till.budgets.goes_on("acme")
    assert till.logged() == ["budget.spent", "budget.open"]


# -- what is said ---------------------------------------------------------------------------------------------


def test_it_warns_at_four_fifths_once_a_month() -> None:
    """One line, with the numbers in it; the next month anew."""
    till = Till()
    for job, price in (("one", 7.9), ("two", 0.1), ("three", 0.1)):
        till.costs(job, price)
        till.budgets.goes_on("acme")
    first = till.logged()
    till.clock.advance(86400)
    till.costs("four", 8)
    till.budgets.goes_on("acme")
    told = till.captured.entries[0]

    assert (first, till.logged()) == (["budget.warning"], ["budget.warning"] * 2)
    assert (told["spent"], told["per_month"], told["unit"], told["month"]) == (8, 10, "credits", "2026-01")


def test_a_restart_repeats_no_warning() -> None:
    """What was nearly spent before this start was said then."""
    past = [lived([new(), sent(), accepted(), ready(cost=9.0), failed(), ("closed", {})])]
    till = Till(past=past)
    till.budgets.goes_on("acme")

    assert (till.row["spent"], till.row["state"]) == (9, "warning")
    assert till.logged() == []


def test_that_it_is_spent_is_said_once() -> None:
    """However many documents are held."""
    till = Till()
    till.costs("one", 10)
    for _ in range(3):
        till.budgets.hold("acme")

    assert till.logged() == ["budget.spent"]
    assert till.captured.entries[0]["until"] == "2026-02-01T00:00:00.000Z"


def test_what_has_no_price_yet_is_told_apart() -> None:
    """Under way: it may still come; ended: it never will. Neither counts against the budget."""
    till = Till()
    till.tell("one", new(), sent(), accepted())
    till.tell("two", new(), sent(), accepted(), failed(), ("closed", {}))

    assert [till.row[key] for key in ("documents", "in_flight", "unknown", "spent")] == [2, 1, 1, 0]


def test_every_reason_to_wait_has_its_sentence() -> None:
    """What holds a file is said in words, with the service's name."""
    assert "Acme" in messages.waiting("budget.spent", {"provider": "Acme"})


# -- who pays for what was paid before ------------------------------------------------------------------------


def test_of_several_that_ask_for_one_reference_the_first_pays() -> None:
    """What nobody knew the price of is booked once; when the first has ended without, the next one may."""
    till = Till()
    borrowed = (
        "accepted",
        {"ref": "r", "of": 1, "from": "0", "sha256": "5e2f", "route": "en-to-fr", "unit": "credits"},
    )
    first = till.budgets.pays("acme", "r", "one")
    till.tell("one", new(), borrowed)
    second = till.budgets.pays("acme", "r", "two")
    till.tell("one", failed(), ("closed", {}))

    assert (first, second, till.budgets.pays("acme", "r", "two")) == (True, False, True)


# -- the settings ---------------------------------------------------------------------------------------------

_MINIMAL: Mapping[str, Mapping[str, Any]] = {
    "gpttranslator": {"source_language": "en", "options": {"model": "m"}},
    "cambai": {"source_language": "en"},
    "azure": {
        "base_url": "https://a.example",
        "storage": {"source": "https://a/s?sig=x", "target": "https://a/t?sig=x"},
    },
}


def _problems(base: Path, entry: Mapping[str, Any]) -> list[str]:
    path = base / "config.yaml"
    text = {"root": f"{base}/share", "state": f"{base}/state", "providers": {"mine": entry}}
    path.write_text(json.dumps(text))
    try:
        config.load(path)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def _entry(kind: str, unit: str) -> dict[str, Any]:
    return {"kind": kind, "api_key": "a-key", **_MINIMAL.get(kind, {}), "budget": {"per_month": 5, "unit": unit}}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_budget_counts_what_the_service_reports_or_documents(tmp_path: Path, kind: str) -> None:
    """Each kind takes exactly the unit of its costs, and documents."""
    taken = [
        unit
        for unit in ("credits", "characters", "seconds", "documents")
        if not _problems(tmp_path, _entry(kind, unit))
    ]
    settings = KINDS[kind].settings_type.model_validate(
        {"base_url": "https://a.example", "api_key": "a-key", **_MINIMAL.get(kind, {})}
    )

    assert taken == [unit for unit in (KINDS[kind].facts(settings).costs, "documents") if unit]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("doctranslate", "Doctranslate reports credits; unit has to be credits or documents, not 'euros'"),
        ("gpttranslator", "GPTTranslator does not report what a document costs; unit has to be documents, not 'euros'"),
    ],
)
def test_another_unit_is_a_problem_in_words(tmp_path: Path, kind: str, words: str) -> None:
    """It says where, what the service reports, and what may stand there."""
    assert any("providers.mine.budget" in one and words in one for one in _problems(tmp_path, _entry(kind, "euros")))


def test_azure_without_storage_reports_no_characters(tmp_path: Path) -> None:
    """A budget that nothing would ever count against is refused."""
    entry = _entry("azure", "characters")
    del entry["storage"]

    assert any("without storage the service reports no characters" in one for one in _problems(tmp_path, entry))


# -- in the daemon --------------------------------------------------------------------------------------------


class Bills(Silent):
    """A service that takes everything, and tells a price of 4 with the result; what it does is for all instances."""

    facts_now = replace(FACTS, costs="credits", poll_every_s=0.02)
    submitted: list[str]
    lets_go: threading.Event
    price: float = 4.0
    tells_at_once: bool
    on_prepare: Callable[[str], None]
    on_submit: Callable[[], None]
    verdict: ServiceError | None

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Any:
        del settings
        return cls.facts_now

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        type(self).on_prepare(attempt.sent_name)
        return super().prepare(document, route, attempt)

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        type(self).on_submit()
        self.submitted.append(part.attempt.sent_name)
        accepted = super().submit(part, sink)
        return replace(accepted, cost=self.price) if self.tells_at_once else accepted

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        if not self.lets_go.is_set():
            return dict.fromkeys(refs, Running(word="working"))
        if self.verdict is not None:
            return {ref: Failed(error=self.verdict, cost=self.price) for ref in refs}
        return {ref: Ready(cost=self.price) for ref in refs}


class Calendar(SystemClock):
    """The machine's clock, with a wall clock that tests set."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> type[Bills]:
    Bills.submitted, Bills.lets_go, Bills.verdict = [], threading.Event(), None
    Bills.on_submit, Bills.on_prepare, Bills.tells_at_once = lambda: None, lambda _name: None, False
    Bills.lets_go.set()
    monkeypatch.setattr(desks, "KINDS", {"silent": Bills})
    return Bills


@contextmanager
def _app(base: Path, budget: str, clock: Calendar | None = None) -> Iterator[App]:
    path = base / "config.yaml"
    path.write_text(
        f"root: {base}/share\nstate: {base}/state\nwatch: {{settle: 20ms, rescan: 200ms}}\nproviders:\n"
        f"  silent: {{base_url: 'http://127.0.0.1:9', api_key: a-key, languages: [fr], budget: {budget}}}\n"
    )
    known = config.load(path, kinds={"silent": ProviderSettings})
    app = App(known, clock or Calendar(), structlog.get_logger())
    app.start()
    try:
        yield app
    finally:
        app.stop()


def _drop(base: Path, *names: str) -> None:
    inbox = base / "share/inbox/silent/fr"
    inbox.mkdir(parents=True, exist_ok=True)
    for name in names:
        (inbox / f"{name}.txt").write_text(f"the text of {name}\n")


def _delivered(base: Path) -> list[str]:
    return sorted(path.name for path in (base / "share/outbox").rglob("*.txt") if not path.name.startswith("."))


def _held(app: App) -> list[str]:
    return [key for key, waiting in app.shop.waiting.copy().items() if waiting.why == "budget.spent"]


def _row(app: App) -> Mapping[str, Any]:
    found: Mapping[str, Any] = app.view.snapshot()["budget"][0]
    return found


def test_spent_files_wait_visibly_and_go_on_next_month(tmp_path: Path, service: type[Bills]) -> None:
    """Claimed, with their reason and until when; at the month's turn they go on by themselves."""
    clock = Calendar()
    with _app(tmp_path, "{per_month: 1, unit: documents}", clock) as app:
        _drop(tmp_path, "first")
        wait_for(lambda: _delivered(tmp_path) == ["first.txt"], "the first")
        _drop(tmp_path, "second", "third")
        wait_for(lambda: len(_held(app)) == 2, "two to be held")
        held = {job.state for job in app.shop.journal.alive()}
        row = _row(app)
        until = [line["until"] for line in app.view.snapshot()["waiting"]]
        clock.ahead = timedelta(days=31)
        # The scheduler goes by the machine's own calendar, so its turn is taken here.
        wait_for(lambda: (app._engine.dispatch(), len(_delivered(tmp_path)) == 2)[1], "the next month")
        wait_for(lambda: len(_held(app)) == 1, "the other one to be held for the month after")

    assert (held, len(service.submitted)) == ({State.CLAIMED}, 2)
    assert (row["spent"], row["state"]) == (1, "spent")
    assert all(
        abs(datetime.fromisoformat(one) - datetime.fromisoformat(row["held_until"])) < timedelta(seconds=5)
        for one in until
    )


def test_a_restart_knows_what_was_spent_and_a_higher_budget_goes_on(tmp_path: Path, service: type[Bills]) -> None:
    """Also what a compaction has moved to the history counts, once."""
    with _app(tmp_path, "{per_month: 4, unit: credits}") as app:
        _drop(tmp_path, "first")
        wait_for(lambda: _delivered(tmp_path) == ["first.txt"] and not app.shop.journal.alive(), "the first")
        app.shop.journal.compact()
    with _app(tmp_path, "{per_month: 4, unit: credits}") as app:
        _drop(tmp_path, "second")
        wait_for(lambda: _held(app), "the second to be held")
        spent = _row(app)["spent"]
    with _app(tmp_path, "{per_month: 8, unit: credits}") as app:
        wait_for(lambda: len(_delivered(tmp_path)) == 2, "the second")
        wait_for(lambda: _row(app)["spent"] == 8, "its price")

    assert (spent, len(service.submitted)) == (4, 2)


def test_a_place_that_was_not_taken_goes_to_the_next(tmp_path: Path, service: type[Bills]) -> None:
    """A document that turns out to be unfit while it is prepared costs nothing, and the last place is free again."""

    def prepare(name: str) -> None:
        if name.startswith("unfit"):
            raise RejectedError("drop.no_text")

    service.on_prepare = prepare
    with _app(tmp_path, "{per_month: 1, unit: documents}") as app:
        _drop(tmp_path, "unfit")
        wait_for(lambda: list((tmp_path / "share/failed").rglob("*.error.json")), "the refusal")
        _drop(tmp_path, "fit")
        wait_for(lambda: _delivered(tmp_path) == ["fit.txt"], "the other one")
        row = _row(app)

    assert (row["spent"], row["documents"]) == (1, 1)


def test_work_that_waits_for_a_budget_is_over_for_once(tmp_path: Path, service: type[Bills]) -> None:
    """`once` does not wait for the next month, and says what is left, and why."""
    with _app(tmp_path, "{per_month: 1, unit: documents}") as app:
        _drop(tmp_path, "first", "second")
        wait_for(lambda: _delivered(tmp_path) and _held(app), "one of them")
        wait_for(lambda: outlook.waits_for_person(app.shop, app.intake), "the end")
        [told] = outlook.waits(app.shop)

    assert told.startswith("1 file waits for Acme Translations: ")
    assert "budget" in told
    assert len(service.submitted) == 1


def test_a_budget_of_documents_is_kept_exactly(tmp_path: Path, service: type[Bills]) -> None:
    """However many arrive at once, and however slow the service is."""
    service.lets_go.clear()
    with _app(tmp_path, "{per_month: 3, unit: documents}") as app:
        _drop(tmp_path, *(f"text {number}" for number in range(12)))
        wait_for(lambda: len(_held(app)) == 9, "nine to be held")
        row = _row(app)

    assert len(service.submitted) == 3
    assert (row["spent"], row["state"]) == (3, "spent")


def test_what_is_prepared_while_others_spend_the_rest_is_held(tmp_path: Path, service: type[Bills]) -> None:
    """The last look is right before the money: between the choice and it others may have spent it."""
    service.tells_at_once = True
    at_it = threading.Event()

    def prepare(name: str) -> None:
        if name.startswith("two"):
            at_it.set()
            wait_for(lambda: service.submitted, "the other one to be sent")
            wait_for(lambda: _row(app)["spent"], "its price")

    service.on_prepare = prepare
    with _app(tmp_path, "{per_month: 4, unit: credits}") as app:
        _drop(tmp_path, "two")
        wait_for(at_it.is_set, "the choice of the first")
        _drop(tmp_path, "one")
        wait_for(lambda: _held(app), "the first to be held")
        wait_for(lambda: _delivered(tmp_path), "the other one")

    assert [name.partition(".")[0] for name in service.submitted] == ["one"]


def test_what_was_under_way_goes_on_and_shows_as_overshoot(tmp_path: Path, service: type[Bills]) -> None:
    """Prices that come with the results come too late for what was sent before: it is delivered, and shown."""
    service.lets_go.clear()
    with _app(tmp_path, "{per_month: 1, unit: credits}") as app:
        _drop(tmp_path, "one", "two", "three")
        wait_for(lambda: len(service.submitted) == 3, "all three")
        wait_for(lambda: _row(app)["in_flight"] == 3, "three without a price")
        service.lets_go.set()
        wait_for(lambda: len(_delivered(tmp_path)) == 3, "all three to be delivered")
        wait_for(lambda: not app.shop.journal.alive(), "all three to be closed")
        row = _row(app)

    assert (row["spent"], row["per_month"], row["in_flight"]) == (12, 1, 0)


def test_a_failed_document_costs_what_the_service_says(tmp_path: Path, service: type[Bills]) -> None:
    """A price that comes with a failure is in the journal, the sidecar and the budget."""
    service.verdict = RejectedError("provider.failed", "no")
    with _app(tmp_path, "{per_month: 9, unit: credits}") as app:
        _drop(tmp_path, "one")
        wait_for(lambda: list((tmp_path / "share/failed").rglob("*.error.json")), "the failure")
        wait_for(lambda: not app.shop.journal.alive(), "its end")
        row = _row(app)
    job = next(iter(all_jobs(str(tmp_path / "state")).values()))
    told = json.loads(next((tmp_path / "share/failed").rglob("*.error.json")).read_text())

    assert (row["spent"], job.cost, job.unit, told["cost"]) == (4, 4.0, "credits", 4.0)


def test_a_lost_answer_is_a_document_without_a_price(tmp_path: Path, service: type[Bills]) -> None:
    """Nobody can say whether it was billed: it counts as a document, and its price as never told."""

    def lose() -> None:
        raise UncertainError("submit.uncertain")

    service.on_submit = lose
    with _app(tmp_path, "{per_month: 9, unit: credits}") as app:
        _drop(tmp_path, "one")
        wait_for(lambda: list((tmp_path / "share/failed").rglob("*.error.json")), "the failure")
        wait_for(lambda: not app.shop.journal.alive(), "its end")
        row = _row(app)

    assert (row["documents"], row["unknown"], row["spent"], row["in_flight"]) == (1, 1, 0, 0)


def test_a_price_that_nobody_knew_is_booked_by_the_attempt_that_is_told(tmp_path: Path, service: type[Bills]) -> None:
    """The first attempt ran out of time without a price; the second asks for the same work, and pays it once."""
    service.lets_go.clear()
    with _app(tmp_path, "{per_month: 9, unit: credits}, deadline: 300ms") as app:
        _drop(tmp_path, "one")
        wait_for(lambda: list((tmp_path / "share/failed").rglob("*.error.json")), "the failure")
        wait_for(lambda: not app.shop.journal.alive(), "its end")
        before = _row(app)
        service.lets_go.set()
        _drop(tmp_path, "one")
        wait_for(lambda: _delivered(tmp_path) and not app.shop.journal.alive(), "the second attempt")
        row = _row(app)

    assert [before[key] for key in ("spent", "documents", "unknown")] == [0, 1, 1]
    assert [row[key] for key in ("spent", "documents", "in_flight")] == [4, 1, 0]
    assert len(service.submitted) == 1


def _inherits(bench: Bench, *life: Step) -> Iterator[Job]:
    """Jobs with the bytes of an earlier one that had this life; each asks for that one's reference."""
    book, desk = bench.shop.journal, bench.shop.desks[PROVIDER]

    assert isinstance(desk.provider, Silent)

    desk.provider.capabilities = replace(FACTS, costs="credits")
    for name, data in [claimed(provider=PROVIDER), *life]:
        book.append("0000000000000001", name, **data)
    original: Any = SimpleNamespace(sha256="5e2f")
    route = Route(source="en", target="fr", target_wire="fr")
    for name in ("0000000000000002", "0000000000000003"):
        job = book.append(name, "claimed", **claimed(provider=PROVIDER)[1])

        assert inheritance.whole(bench.shop, desk, job, original, route)

        yield book.append(name, "ready", part=0, cost=4.0)


@pytest.mark.parametrize(("told", "costs"), [({"cost": 4.0}, [0.0, 0.0]), ({}, [4.0, 0.0])])
def test_what_an_earlier_job_has_paid_costs_nothing_again(
    tmp_path: Path, told: Mapping[str, Any], costs: list[float]
) -> None:
    """Whoever was told the price first has booked it; the service tells all others the same price."""
    with Bench(tmp_path) as bench:
        life: tuple[Step, ...] = (sent(), accepted(), ready(**told), failed("result.unusable"), ("closed", {}))
        jobs = list(_inherits(bench, *life))

    assert [job.cost for job in jobs] == costs
    assert {job.unit for job in jobs} == {"credits"}


def test_what_a_compaction_left_in_both_places_counts_once(tmp_path: Path) -> None:
    """After a crash between history and journal the same jobs stand in both."""
    with Bench(tmp_path, clock=FakeClock(NOON)) as bench:
        book = bench.shop.journal
        for name, data in [new(), *_PAID]:
            book.append("0000000000000001", name, **data)
        before = (tmp_path / "state/journal.jsonl").read_bytes()
        book.compact()
    (tmp_path / "state/journal.jsonl").write_bytes(before)
    jobs = list(all_jobs(str(tmp_path / "state")).values())
    both = past_of(str(tmp_path / "state"), jobs, UTC)("2026-01")
    history = past_of(str(tmp_path / "state"), [], UTC)("2026-01")

    assert [job.cost for job in both] == [2.0]
    assert [job.cost for job in history] == [2.0]
