"""The engine over providers of every shape: several parts, batches, blocking answers, recovery."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
import structlog

from daemon import config, desks, journal, records
from daemon.app import App
from daemon.clock import SystemClock
from daemon.errors import BlockedError, LostError, RejectedError, ServiceError, TransientError, UncertainError
from daemon.folders import Folders, Place
from daemon.languages import LanguageTable, Route
from daemon.originals import Original
from daemon.providers.base import (
    Absent,
    Accepted,
    AskAgain,
    Attempt,
    Capabilities,
    Failed,
    Fetched,
    Found,
    Intent,
    Look,
    Lost,
    Part,
    Ready,
    Recovery,
    Running,
    Unknown,
)
from daemon.settings import ProviderSettings
from daemon.spool import Sink
from daemon.transport import Session


class Service:
    """What the provider's service does and remembers: the truth about money in these tests."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken: dict[str, bytes] = {}
        self.submitted: list[str] = []
        self.polls: list[list[str]] = []
        self.fetches: list[list[str]] = []
        self.cleaned: list[str] = []
        self.parts = 1
        self.cut = ""
        """How documents are cut, as its references tell; a service that goes on as it began keeps the old way."""
        self.goes_on = False
        self.facts = Capabilities(
            extensions=frozenset({"txt"}), languages=LanguageTable(targets={"fr": "fr"}), poll_every_s=0.02
        )
        self.looks_until_ready = 1
        self.seen: dict[str, int] = {}
        self.prepared: Callable[[Attempt], None] = lambda _attempt: None
        self.on_submit: Callable[[Part], None] = lambda _part: None
        self.after_submit: Callable[[Part], None] = lambda _part: None
        self.look: Callable[[str], Look | ServiceError | None] = lambda _ref: None
        self.recovery: Callable[[Intent], Recovery] = lambda _intent: Unknown()
        self.fetched: Callable[[str], ServiceError | None] = lambda _ref: None
        self.checked = 0


class Fake:
    """A provider without a network: every line of its text is a part when the service wants parts."""

    kind: ClassVar[str] = "fake"
    title: ClassVar[str] = "Fake"
    settings_type: ClassVar[type[ProviderSettings]] = ProviderSettings
    service: ClassVar[Service]

    def __init__(self, settings: ProviderSettings, session: Session) -> None:
        del session
        self.capabilities = self.facts(settings)

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        del settings
        return cls.service.facts

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        return {"x-key": settings.api_key.read()}

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        self.service.prepared(attempt)
        lines = document.read().splitlines() if self.service.parts > 1 else [b""]
        cut = self.service.cut
        if self.service.goes_on:
            cut = next((ref[ref.index(";") :] for ref in attempt.accepted if ref), cut)
        return [
            Part(index=index, of=len(lines), document=document, route=route, attempt=attempt, payload=line, mark=cut)
            for index, line in enumerate(lines)
        ]

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        service = self.service
        service.on_submit(part)
        text = part.payload or part.document.read()
        with service.lock:
            ref = f"ref-{len(service.taken)}{part.mark}"
            service.taken[ref] = text
            service.submitted.append(part.attempt.sent_name)
        service.after_submit(part)
        if service.facts.blocking:
            assert sink is not None
            sink.write(text.upper())
            return Accepted(ref=None)
        return Accepted(ref=ref, cost=0.5)

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        self.service.polls.append(list(refs))
        return {ref: self._look(ref) for ref in refs}

    def _look(self, ref: str) -> Look | ServiceError:
        said = self.service.look(ref)
        if said is not None:
            return said
        seen = self.service.seen[ref] = self.service.seen.get(ref, 0) + 1
        return Ready() if seen >= self.service.looks_until_ready else Running(word="working")

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        self.service.fetches.append([ref for ref, _ in wanted])
        answers: list[Fetched | ServiceError] = []
        for ref, sink in wanted:
            error = self.service.fetched(ref)
            if error is None:
                sink.restart()
                sink.write(self.service.taken[ref].upper())
            answers.append(error or Fetched())
        return answers

    def assemble(self, document: Original, results: Sequence[bytes]) -> bytes:
        del document
        return b"\n".join(results) + b"\n"

    def clean_up(self, refs: Iterable[str]) -> None:
        self.service.cleaned.extend(refs)

    def recover(self, intent: Intent) -> Recovery:
        return self.service.recovery(intent)

    def check(self) -> None:
        self.service.checked += 1


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    Fake.service = Service()
    monkeypatch.setattr(desks, "KINDS", {"fake": Fake})
    return Fake.service


def _settings(base: Path, more: str = "") -> config.Config:
    path = base / "config.yaml"
    path.write_text(
        f"root: {base}/share\nstate: {base}/state\nwatch: {{settle: 20ms, rescan: 200ms}}\n"
        "providers:\n  fake: {base_url: 'http://127.0.0.1:9', api_key: a-key-of-the-test, languages: [fr]"
        f"{more}}}\n"
    )
    return config.load(path, kinds={"fake": ProviderSettings})


@contextmanager
def _app(base: Path, more: str = "") -> Iterator[App]:
    app = App(_settings(base, more), SystemClock(), structlog.get_logger())
    app.start()
    try:
        yield app
    finally:
        app.stop()


def _until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")


def _poked(app: App) -> bool:
    """Spare the half minute that a closed account waits."""
    app.poke()
    return True


def _drop(base: Path, *texts: str) -> None:
    inbox = base / "share/inbox/fake/fr"
    inbox.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        (inbox / f"text {number}.txt").write_text(text)


def _results(base: Path) -> dict[str, str]:
    return {
        path.name: path.read_text()
        for path in (base / "share/outbox").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def _codes(base: Path) -> list[str]:
    return [json.loads(path.read_text())["error"]["code"] for path in (base / "share/failed").rglob("*.error.json")]


def _in_parts(service: Service, **more: object) -> None:
    service.parts = 2
    service.facts = Capabilities(
        extensions=frozenset({"txt"}),
        languages=LanguageTable(targets={"fr": "fr"}),
        poll_every_s=0.02,
        assembles=True,
        **more,  # type: ignore[arg-type]  # the tests give fields of Capabilities
    )


def test_a_document_in_parts_is_put_together_in_order(tmp_path: Path, service: Service) -> None:
    """Each part is submitted once, polled and fetched in batches, and the results are assembled in order."""
    _in_parts(service, poll_batch=10, fetch_batch=5)
    _drop(tmp_path, "one\ntwo\nthree\nfour")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\nTHREE\nFOUR\n"}
    assert len(service.submitted) == 4
    assert sorted(service.taken) == sorted(service.cleaned)


def test_parts_wait_for_a_place_and_earlier_ones_are_polled_meanwhile(tmp_path: Path, service: Service) -> None:
    """With room for one part at a time, a document of four parts is still finished."""
    _in_parts(service, max_in_flight=1)
    _drop(tmp_path, "one\ntwo\nthree\nfour", "five\nsix")
    with _app(tmp_path):
        _until(lambda: len(_results(tmp_path)) == 2)

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\nTHREE\nFOUR\n", "text 1.txt": "FIVE\nSIX\n"}
    assert len(service.submitted) == 6


def test_a_stop_between_two_parts_pays_none_of_them_again(tmp_path: Path, service: Service) -> None:
    """Parts that were accepted before a restart are polled, the others submitted: each once."""
    _in_parts(service, max_in_flight=2)
    service.looks_until_ready = 1_000_000
    _drop(tmp_path, "one\ntwo\nthree\nfour")
    with _app(tmp_path):
        _until(lambda: len(service.submitted) == 2)
    service.looks_until_ready = 1
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\nTHREE\nFOUR\n"}
    assert sorted(service.taken.values()) == [b"four", b"one", b"three", b"two"]


def test_one_bad_part_fails_the_document_once(tmp_path: Path, service: Service) -> None:
    """When the service calls one part failed, the whole document fails, with one sidecar."""
    _in_parts(service)
    service.look = lambda ref: Failed(error=RejectedError("provider.failed", "no")) if ref == "ref-1" else None
    _drop(tmp_path, "one\ntwo\nthree")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path))

    assert _codes(tmp_path) == ["provider.failed"]
    assert _results(tmp_path) == {}


def test_a_part_that_fails_while_the_next_is_prepared_ends_the_job_quietly(tmp_path: Path, service: Service) -> None:
    """When a look fails the job between two parts, the next one is not sent, and nothing breaks."""
    _in_parts(service)
    seen: list[dict[str, object]] = []

    def wait_for_the_failure(part: Part) -> None:
        if part.index == 0:
            service.look = lambda _ref: Failed(error=RejectedError("provider.failed", "no"))

    service.after_submit = wait_for_the_failure
    _drop(tmp_path, "one\ntwo\nthree")
    with _app(tmp_path) as app:
        real = app.shop.record

        def record(job: str, event: str, **data: object) -> object:
            if event == "submitting" and data["part"] == 1:
                _until(lambda: _codes(tmp_path))
                seen.append(data)
            return real(job, event, **data)

        app.shop.record = record  # type: ignore[method-assign,assignment]  # it waits for the other thread
        _until(lambda: seen)
        _until(lambda: not any(app.shop.counts.values()))

    assert _codes(tmp_path) == ["provider.failed"]
    assert len(service.submitted) == 1


def test_a_blocking_service_delivers_without_a_reference(tmp_path: Path, service: Service) -> None:
    """The answer to the submit is the result: whole and synced before it is recorded, and never asked for."""
    service.facts = Capabilities(
        extensions=frozenset({"txt"}), languages=LanguageTable(targets={"fr": "fr"}), blocking=True
    )
    _drop(tmp_path, "one", "two")
    with _app(tmp_path):
        _until(lambda: len(_results(tmp_path)) == 2)

    assert _results(tmp_path) == {"text 0.txt": "ONE", "text 1.txt": "TWO"}
    assert service.polls + service.fetches == []


def test_a_lost_answer_is_recovered_where_the_service_can_be_asked(tmp_path: Path, service: Service) -> None:
    """An uncertain submission that the service knows by its name goes on; it is not submitted again."""

    def lose(_part: Part) -> None:
        raise UncertainError("submit.uncertain")

    service.after_submit = lose
    service.recovery = lambda intent: Found(ref="ref-0") if intent.attempt.sent_name in service.submitted else Absent()
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE"}
    assert len(service.submitted) == 1


def test_a_submission_that_is_proven_absent_goes_again(tmp_path: Path, service: Service) -> None:
    """When the service's complete list does not have it, the same file is submitted under a new name."""
    lost: list[str] = []

    def lose_once(part: Part) -> None:
        if not lost:
            lost.append(part.attempt.sent_name)
            raise UncertainError("submit.uncertain")

    service.on_submit = lose_once
    service.recovery = lambda _intent: Absent()
    _drop(tmp_path, "one")
    with _app(tmp_path) as app:
        _until(lambda: lost)
        _until(lambda: _poked(app) and _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE"}
    assert len(service.submitted) == 1
    assert service.submitted != lost


def test_resubmitting_is_the_administrators_choice(tmp_path: Path, service: Service) -> None:
    """`on_uncertain_submit: resubmit` sends again what may have been taken, and only then."""
    lost: list[str] = []

    def lose_once(part: Part) -> None:
        if not lost:
            lost.append(part.attempt.sent_name)
            raise UncertainError("submit.uncertain")

    service.after_submit = lose_once
    _drop(tmp_path, "one")
    with _app(tmp_path, ", on_uncertain_submit: resubmit") as app:
        _until(lambda: _poked(app) and _results(tmp_path))

    assert len(service.submitted) == 2


def test_what_was_paid_is_asked_for_before_it_is_paid_again(tmp_path: Path, service: Service) -> None:
    """A job that failed with its reference gives its result to the same bytes dropped again."""
    service.look = lambda _ref: Lost(error=LostError("provider.lost"))
    _drop(tmp_path, "one")
    with _app(tmp_path, ", deadline: 10ms"):
        _until(lambda: service.submitted)
        service.look = lambda _ref: Running(word="working")
        _until(lambda: _codes(tmp_path) == ["deadline.passed"])
    service.look = lambda _ref: None
    failed = tmp_path / "share/failed/fake/fr"
    (failed / "text 0.txt").rename(tmp_path / "share/inbox/fake/fr/text 0.txt")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE"}
    assert len(service.submitted) == 1
    assert _codes(tmp_path) == []


def test_an_old_reference_that_is_of_no_use_is_no_failure(tmp_path: Path, service: Service) -> None:
    """When what was paid before has failed at the service, the file is submitted on its own."""
    service.look = lambda _ref: Running(word="working")
    _drop(tmp_path, "one")
    with _app(tmp_path, ", deadline: 10ms"):
        _until(lambda: _codes(tmp_path) == ["deadline.passed"])
    service.look = lambda ref: Failed(error=RejectedError("provider.failed")) if ref == "ref-0" else None
    failed = tmp_path / "share/failed/fake/fr"
    (failed / "text 0.txt").rename(tmp_path / "share/inbox/fake/fr/text 0.txt")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert len(service.submitted) == 2


def test_a_result_that_is_gone_is_asked_for_again(tmp_path: Path, service: Service) -> None:
    """An expired link leads back to a look at the status, and then to the result."""
    gone: list[str] = []

    def expire_once(ref: str) -> ServiceError | None:
        if gone:
            return None
        gone.append(ref)
        return LostError("result.gone")

    service.fetched = expire_once
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert len(service.polls) == 2
    assert len(service.submitted) == 1


def test_a_blocked_account_holds_files_and_opens_with_one_trial(tmp_path: Path, service: Service) -> None:
    """A blocking answer fails nothing: after a check that costs nothing one file goes first, then the rest."""
    blocked = threading.Event()
    blocked.set()
    tries: list[str] = []

    def refuse(part: Part) -> None:
        tries.append(part.attempt.sent_name)
        if blocked.is_set():
            raise BlockedError("account.blocked", "no credit")

    service.on_submit = refuse
    _drop(tmp_path, *[f"text {number}" for number in range(20)])
    with _app(tmp_path) as app:
        _until(lambda: tries and app.shop.desks["fake"].account.standing().occupied == 0)
        first = len(tries)
        blocked.clear()
        _until(lambda: _poked(app) and len(_results(tmp_path)) == 20)

    assert first <= desks.TRANSFERS
    assert service.checked
    assert _codes(tmp_path) == []


def test_an_unknown_status_word_means_running(tmp_path: Path, service: Service) -> None:
    """A word that is in no document is no failure; the job goes on until the service says otherwise."""
    words = iter(["enqueued-ish", "Resting", None])
    service.look = lambda _ref: Running(word=word) if (word := next(words, None)) else None
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE"}


def test_polls_go_on_when_the_service_does_not_answer(tmp_path: Path, service: Service) -> None:
    """No answer about a job is no news: it stays in flight, even beyond its deadline."""
    service.look = lambda _ref: TransientError("service.error")
    _drop(tmp_path, "one")
    with _app(tmp_path, ", deadline: 10ms"):
        _until(lambda: len(service.polls) >= 2)
        service.look = lambda _ref: None
        _until(lambda: _results(tmp_path))

    assert _codes(tmp_path) == []


def test_lost_answers_that_are_long_asked_for_hold_up_no_polls(tmp_path: Path, service: Service) -> None:
    """However many submissions are asked for, and however long that takes, what is in flight is looked at."""
    lost, asked, over = 6, threading.Semaphore(0), threading.Event()

    def lose(_part: Part) -> None:
        # All of them are on their way before the first one closes the account.
        _until(lambda: len(service.submitted) > lost)
        raise UncertainError("submit.uncertain")

    def recovery(intent: Intent) -> Recovery:
        if not intent.asked_for_s:
            return AskAgain(after_s=0.05)
        asked.release()
        over.wait(20.0)
        return Unknown()

    service.look = lambda _ref: Running(word="working")
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: service.polls)
        service.after_submit, service.recovery = lose, recovery
        for number in range(1, lost + 1):
            (tmp_path / f"share/inbox/fake/fr/text {number}.txt").write_text(f"text {number}")
        for _ in range(desks.CONTROLS // 2):
            assert asked.acquire(timeout=20.0)
        pause = threading.Event()
        pause.wait(0.2)
        looks = len(service.polls)
        _until(lambda: len(service.polls) > looks + 2, 10.0)
        over.set()


def test_a_document_that_cannot_be_prepared_fails_at_once(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `prepare` rejects goes to failed/ with its reason, and is not tried for ever."""

    def reject(*_: object) -> Sequence[Part]:
        raise RejectedError("drop.no_text")

    monkeypatch.setattr(Fake, "prepare", reject)
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path))

    assert _codes(tmp_path) == ["drop.no_text"]
    assert service.submitted == []


def test_results_that_make_no_document_fail_the_job(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `assemble` rejects is not fetched over and over; the references stay known."""

    def reject(*_: object) -> bytes:
        raise RejectedError("result.unusable", "nothing fits")

    _in_parts(service)
    monkeypatch.setattr(Fake, "assemble", reject)
    _drop(tmp_path, "one\ntwo")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path))

    assert _codes(tmp_path) == ["result.unusable"]
    assert len(service.fetches) <= 2


def test_a_failure_that_blocks_the_account_fails_only_its_own_file(tmp_path: Path, service: Service) -> None:
    """A job failed for want of credit ends as failed, and the account takes no more submissions."""
    service.look = lambda _ref: Failed(error=BlockedError("account.blocked", "PAYMENT_REQUIRED"))
    _drop(tmp_path, "one")
    with _app(tmp_path) as app:
        _until(lambda: _codes(tmp_path))

        assert app.shop.desks["fake"].account.standing().reason == "account.blocked"

    assert _codes(tmp_path) == ["provider.failed"]


def test_a_result_that_never_comes_fails_after_its_deadline(tmp_path: Path, service: Service) -> None:
    """A status that says ready and a result that is gone, in turns, end when the deadline has passed."""
    service.fetched = lambda _ref: LostError("result.gone")
    _drop(tmp_path, "one")
    with _app(tmp_path, ", deadline: 10ms") as app:
        fetch = app.shop.desks["fake"].lanes

        def hurried() -> bool:
            # The waits between tries double; here they are over at once.
            for lane in (fetch.poll, fetch.fetch):
                for key in list(app.shop.waiting):
                    if key in lane:
                        app.shop.put(lane, key, 0.0, "hurried")
            return bool(_codes(tmp_path))

        _until(hurried)

    assert _codes(tmp_path) == ["result.unusable"]
    assert len(service.submitted) == 1


def test_places_taken_by_what_nobody_knows_are_settled_first(tmp_path: Path, service: Service) -> None:
    """A kill while the only place was being submitted does not stall the account: it is asked for, then freed."""
    service.facts = Capabilities(
        extensions=frozenset({"txt"}), languages=LanguageTable(targets={"fr": "fr"}), max_in_flight=1, poll_every_s=0.02
    )
    _drop(tmp_path, "one", "two")
    with _app(tmp_path) as app:
        _until(lambda: len(_results(tmp_path)) == 2)
        book = app.shop.journal
        facts = {"provider": "fake", "folder": "fr", "name": "text 9.txt", "size": 4, "mtime_ns": 0, "inode": 0}
        book.append("01hzy0000000000a", "claimed", **facts, dropped_at="2026-01-01T00:00:00.000Z")
        sent = {"part": 0, "of": 1, "attempt": 1, "sha256": "0" * 64, "route": "auto-to-fr"}
        book.append("01hzy0000000000a", "submitting", **sent)
    claimed = tmp_path / "share/processing/fake/fr/01hzy0000000000a"
    claimed.mkdir(parents=True)
    (claimed / "text 9.txt").write_text("nine")
    _drop(tmp_path, "three")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path) and len(_results(tmp_path)) == 3)

    assert _codes(tmp_path) == ["submit.uncertain"]
    assert b"nine" not in service.taken.values()


def test_a_part_found_again_does_not_keep_the_others_waiting(tmp_path: Path, service: Service) -> None:
    """When a lost answer of the first part is recovered, the remaining parts are submitted all the same."""
    _in_parts(service)

    def lose_first(part: Part) -> None:
        if part.index == 0:
            raise UncertainError("submit.uncertain")

    service.after_submit = lose_first
    service.recovery = lambda _intent: Found(ref="ref-0")
    _drop(tmp_path, "one\ntwo\nthree")
    with _app(tmp_path) as app:
        _until(lambda: _poked(app) and _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\nTHREE\n"}
    assert len(service.submitted) == 3


def test_a_job_is_handed_over_by_one_thread_at_a_time(tmp_path: Path, service: Service) -> None:
    """Two references of no use, lost one after the other, do not make a live request look uncertain."""
    _in_parts(service)
    service.look = lambda _ref: Running(word="working")
    _drop(tmp_path, "one\ntwo")
    with _app(tmp_path, ", deadline: 10ms"):
        _until(lambda: _codes(tmp_path) == ["deadline.passed"])
    asked: list[str] = []
    slow = threading.Event()

    def lose_in_turn(ref: str) -> Look | None:
        if ref not in ("ref-0", "ref-1"):
            return None
        asked.append(ref)
        if ref == "ref-1" and len(asked) < 4:
            return Running(word="working")
        return Failed(error=RejectedError("provider.failed"))

    def slow_down(_part: Part) -> None:
        slow.wait(0.3)

    service.look = lose_in_turn
    service.on_submit = slow_down
    failed = tmp_path / "share/failed/fake/fr"
    (failed / "text 0.txt").rename(tmp_path / "share/inbox/fake/fr/text 0.txt")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path) or _codes(tmp_path) == ["submit.uncertain"])

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\n"}
    assert len(service.submitted) == 4


def test_a_stop_does_not_wait_for_looks_that_never_began(tmp_path: Path, service: Service) -> None:
    """Queued steps are cancelled with their count: a stop ends as soon as nothing runs."""
    service.looks_until_ready = 1_000_000
    service.facts = Capabilities(
        extensions=frozenset({"txt"}), languages=LanguageTable(targets={"fr": "fr"}), poll_every_s=0.001
    )
    _drop(tmp_path, *[f"text {number}" for number in range(40)])
    app = App(_settings(tmp_path), SystemClock(), structlog.get_logger())
    app.start()
    _until(lambda: len(service.submitted) == 40)

    assert app.stop()


def test_a_staged_result_that_somebody_removed_is_staged_again(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only after a crash does a missing temporary mean "published": a clean-up tool loses nothing."""
    removed: list[Path] = []
    free_name = Folders.free_name

    def and_remove(self: Folders, root: int, place: Place, job: str) -> str:
        name = free_name(self, root, place, job)
        if not removed:
            [temporary] = (tmp_path / "share/outbox").rglob(".*.part")
            removed.append(temporary)
            temporary.unlink()
        return name

    monkeypatch.setattr(Folders, "free_name", and_remove)
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert removed
    assert _results(tmp_path) == {"text 0.txt": "ONE"}
    assert len(service.submitted) == 1


@pytest.mark.long
def test_a_journal_cut_at_every_byte_of_its_last_lines_starts_and_starts_again(
    tmp_path: Path, service: Service
) -> None:
    """Wherever the last three lines end, the daemon starts, runs, and starts again."""
    _drop(tmp_path, "one")
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))
    journal = tmp_path / "state/journal.jsonl"
    whole = journal.read_bytes()
    last_three = sum(map(len, whole.splitlines(keepends=True)[-3:]))
    settings = _settings(tmp_path)
    for cut in range(1, last_three + 1):
        journal.write_bytes(whole[:-cut])
        for _ in range(2):
            app = App(settings, SystemClock(), structlog.get_logger())
            app.start()

            assert app.stop()
        assert records.read(journal.read_bytes()).damage is None
        for torn in (tmp_path / "state").glob("*.torn-*"):
            torn.unlink()

    assert len(service.submitted) == 1


def test_a_service_that_asks_for_time_gets_it(tmp_path: Path, service: Service) -> None:
    """A wait that comes with a status is kept, within an hour, however often one would look otherwise."""
    service.look = lambda _ref: Running(word="working", again_s=7200.0)
    _drop(tmp_path, "one")
    with _app(tmp_path) as app:
        desk = app.shop.desks["fake"]
        _until(lambda: service.polls and len(desk.lanes.poll) == 1)
        due = app.shop.next_due(desk.lanes.poll)

        assert due is not None
        assert 3000.0 < due - app.now() <= 3600.0


def test_only_a_look_that_was_answered_counts_towards_an_absence(tmp_path: Path, service: Service) -> None:
    """A look at the service's list that failed is none: the time between two looks begins with an answer."""
    asked: list[float] = []
    lost: list[str] = []

    def lose_once(part: Part) -> None:
        if not lost:
            lost.append(part.attempt.sent_name)
            raise UncertainError("submit.uncertain")

    def recovery(intent: Intent) -> Recovery:
        asked.append(intent.asked_for_s)
        if len(asked) == 1:
            raise TransientError("service.error")
        return AskAgain(after_s=0.05) if len(asked) == 2 else Absent()

    service.on_submit, service.recovery = lose_once, recovery
    _drop(tmp_path, "one")
    with _app(tmp_path) as app:
        _until(lambda: _poked(app) and _results(tmp_path))

    assert asked[:2] == [0.0, 0.0]
    assert 0.0 < asked[2] < 2.0
    assert len(service.submitted) == 1


def _back(base: Path) -> None:
    """What a person does who tries again, once the first try has come to its end."""
    book = base / "state/journal.jsonl"
    _until(lambda: book.read_text().count('"closed"') == book.read_text().count('"claimed"'))
    (base / "share/failed/fake/fr/text 0.txt").rename(base / "share/inbox/fake/fr/text 0.txt")


def test_parts_that_were_paid_are_not_paid_again(tmp_path: Path, service: Service) -> None:
    """A document of which one part was refused is tried again: what was taken is asked for, the rest is sent."""
    _in_parts(service)
    service.cut = ";cut=a"

    refusals: list[str] = []

    def refuse(part: Part) -> None:
        if part.payload == b"three":
            refusals.append(part.attempt.sent_name)
            raise RejectedError("submit.rejected", "no")

    service.on_submit = refuse
    _drop(tmp_path, "one\ntwo\nthree\nfour")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path) == ["submit.rejected"])
        _back(tmp_path)
        _until(lambda: len(refusals) == 2 and _codes(tmp_path) == ["submit.rejected"])
        service.on_submit = lambda _part: None
        _back(tmp_path)
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\nTHREE\nFOUR\n"}
    assert list(service.taken.values()) == [b"one", b"two", b"three", b"four"]


def test_a_part_that_the_service_called_failed_is_the_only_one_paid_again(tmp_path: Path, service: Service) -> None:
    """Its neighbours, on either side, keep what was paid for them."""
    _in_parts(service, max_in_flight=3)
    service.cut = ";cut=a"
    service.look = lambda ref: (
        Failed(error=RejectedError("provider.failed", "no"))
        if ref == "ref-1;cut=a" and len(service.taken) > 2
        else None
    )
    _drop(tmp_path, "one\ntwo\nthree")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path) == ["provider.failed"])
        _back(tmp_path)
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\nTHREE\n"}
    assert sorted(service.taken.values()) == [b"one", b"three", b"two", b"two"]


def test_parts_of_another_cut_are_not_mixed_in(tmp_path: Path, service: Service) -> None:
    """Where documents are cut in another way since, what was paid does not fit: all of it is sent anew."""
    _in_parts(service)
    service.cut = ";cut=a"

    def refuse(part: Part) -> None:
        if part.payload == b"two":
            raise RejectedError("submit.rejected", "no")

    service.on_submit = refuse
    _drop(tmp_path, "one\ntwo")
    with _app(tmp_path):
        _until(lambda: _codes(tmp_path) == ["submit.rejected"])
        service.cut, service.on_submit = ";cut=b", lambda _part: None
        _back(tmp_path)
        _until(lambda: _results(tmp_path))

    assert list(service.taken.values()) == [b"one", b"one", b"two"]
    assert sorted(service.cleaned) == ["ref-1;cut=b", "ref-2;cut=b"]


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_document_in_flight_is_cut_as_it_was_or_not_sent_on(tmp_path: Path, service: Service, goes_on: bool) -> None:
    """After a change of settings no part is paid that would not fit to those the service has already."""
    _in_parts(service, max_in_flight=2)
    service.cut, service.goes_on = ";cut=a", goes_on
    service.looks_until_ready = 1_000_000
    _drop(tmp_path, "one\ntwo\nthree\nfour")
    with _app(tmp_path):
        _until(lambda: len(service.taken) == 2)
    service.looks_until_ready, service.cut = 1, ";cut=b"
    with _app(tmp_path):
        _until(lambda: _results(tmp_path) or _codes(tmp_path))

    assert _codes(tmp_path) == ([] if goes_on else ["submit.parts"])
    assert len(service.taken) == (4 if goes_on else 2)
    assert {ref.partition(";")[2] for ref in service.taken} == {"cut=a"}


def _paid_before(base: Path, refs: Sequence[str]) -> None:
    """Let an earlier job have failed with these references, of the same bytes as what is in flight."""
    lines = map(json.loads, (base / "state/journal.jsonl").read_text().splitlines())
    sent = next(line for line in lines if line["event"] == "submitting")
    same = {"sha256": sent["sha256"], "route": sent["route"], "of": len(refs)}
    book, known, _ = journal.load(str(base / "state"), SystemClock())
    [job] = known
    facts = {"provider": job.provider, "folder": job.folder, "name": "other.txt", "size": 7, "mtime_ns": 1, "inode": 1}
    book.append("0000000000000001", "claimed", **facts, dropped_at="2026-01-31T08:00:00.000Z")
    for index, ref in enumerate(refs):
        book.append("0000000000000001", "submitting", part=index, attempt=1, **same)
        book.append("0000000000000001", "accepted", part=index, ref=ref)
    book.append("0000000000000001", "failed", error={"code": "deadline.passed"})
    book.append("0000000000000001", "closed")
    book.close()


def test_a_document_that_has_begun_takes_only_what_fits(tmp_path: Path, service: Service) -> None:
    """All parts of the same bytes were paid elsewhere, cut in another way: the one in flight goes on by itself."""
    _in_parts(service, max_in_flight=1)
    service.cut, service.looks_until_ready = ";cut=a", 1_000_000
    _drop(tmp_path, "one\ntwo")
    with _app(tmp_path):
        _until(lambda: len(service.taken) == 1)
    _paid_before(tmp_path, ["old-0;cut=b", "old-1;cut=b", "old-2;cut=b"])
    service.looks_until_ready = 1
    with _app(tmp_path):
        _until(lambda: _results(tmp_path))

    assert _results(tmp_path) == {"text 0.txt": "ONE\nTWO\n"}
    assert list(service.taken) == ["ref-0;cut=a", "ref-1;cut=a"]


def test_a_blocked_account_is_closed_by_what_cannot_be_prepared(tmp_path: Path, service: Service) -> None:
    """A refusal before anything is submitted closes the account, too: files wait for one trial, not each alone."""
    blocked = threading.Event()
    blocked.set()
    tries: list[str] = []

    def refuse(attempt: Attempt) -> None:
        if blocked.is_set():
            tries.append(attempt.sent_name)
            raise BlockedError("account.blocked", "no room")

    service.prepared = refuse
    _drop(tmp_path, *[f"text {number}" for number in range(20)])
    with _app(tmp_path) as app:
        account = app.shop.desks["fake"].account
        _until(lambda: account.standing().reason == "account.blocked")
        _until(lambda: sum(app.shop.counts.values()) == 20)
        waiting = {one.why for one in app.shop.waiting.values()}
        first = len(tries)
        blocked.clear()
        _until(lambda: _poked(app) and len(_results(tmp_path)) == 20)

    assert first <= desks.TRANSFERS
    assert waiting <= {"account.blocked"}
    assert service.checked
    assert _codes(tmp_path) == []
    assert len(service.taken) == 20
