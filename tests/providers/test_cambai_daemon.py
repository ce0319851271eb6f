"""The whole daemon with CAMB.AI: of a document in several tasks none is paid twice, whatever happens to another."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from daemon import config, desks
from daemon.app import App
from daemon.clock import SystemClock
from daemon.providers.cambai import CambAi
from tests.rawserver import Exchange, RawServer, answer

TEXT = "One line.\nTwo lines.\nThree lines.\nFour lines.\nFive lines.\n"
FRENCH = TEXT.upper()
LANGUAGES = answer(200, [{"id": 1, "short_name": "en-us"}, {"id": 76, "short_name": "fr-fr"}])
REFUSED = answer(422, {"detail": [{"loc": ["body", "texts"], "msg": "No", "type": "value_error"}]})


class Service:
    """Takes every task but those with words that it refuses; translates into capitals."""

    def __init__(self) -> None:
        self.refuses = "nothing of this"
        self.unpaid: set[int] = set()
        """The numbers of tasks that fail."""
        self.holds = False
        self.status = 200
        self.taken: list[list[str]] = []

    def __call__(self, exchange: Exchange) -> None:
        exchange.read()
        if exchange.method == "POST":
            self._submitted(exchange)
            return
        if exchange.target.endswith("-languages"):
            LANGUAGES(exchange)
            return
        task = int(exchange.target.rpartition("/")[2])
        if "/translation-result/" in exchange.target:
            answer(200, {"texts": [text.upper() for text in self.taken[task - 1]]})(exchange)
        elif task in self.unpaid:
            answer(200, {"status": "PAYMENT_REQUIRED", "message": "No credit."})(exchange)
        else:
            answer(200, {"status": "PENDING" if self.holds else "SUCCESS", "run_id": task})(exchange)

    def _submitted(self, exchange: Exchange) -> None:
        texts = json.loads(bytes(exchange.body))["texts"]
        if self.refuses in str(texts):
            REFUSED(exchange)
            return
        self.taken.append(texts)
        answer(self.status, {"task_id": str(len(self.taken))})(exchange)


class Site:
    """The daemon's folders, and the service that it talks to."""

    def __init__(self, base: Path, service: Service, origin: str) -> None:
        self.base = base
        self.service = service
        self.origin = origin

    @contextmanager
    def daemon(self, more: str) -> Iterator[App]:
        path = self.base / "config.yaml"
        path.write_text(
            f"root: {self.base}/share\nstate: {self.base}/state\nwatch: {{settle: 20ms, rescan: 200ms}}\n"
            f"providers:\n  cambai: {{base_url: '{self.origin}', api_key: a-key-of-the-test, source_language: en,"
            f" languages: [fr], bulk_results: false, poll: {{every: 20ms, at_most: 50ms}}, {more}}}\n"
        )
        known = config.load(path, kinds={"cambai": CambAi.settings_type})
        app = App(known, SystemClock(), structlog.get_logger())
        app.start()
        try:
            yield app
        finally:
            app.stop()

    def drop(self) -> None:
        folder = self.base / "share/inbox/cambai/fr"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "note.txt").write_text(TEXT)

    def back(self) -> None:
        """What a person does who tries again, once the first try has come to its end."""
        book = self.base / "state/journal.jsonl"
        until(lambda: '"closed"' in book.read_text())
        (self.base / "share/failed/cambai/fr/note.txt").rename(self.base / "share/inbox/cambai/fr/note.txt")

    def result(self) -> str | None:
        path = self.base / "share/outbox/cambai/fr/note.txt"
        return path.read_text() if path.exists() else None

    def code(self) -> str | None:
        told = list((self.base / "share/failed").rglob("*.error.json"))
        return json.loads(told[0].read_text())["error"]["code"] if told else None


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(desks, "KINDS", {"cambai": CambAi})
    service = Service()
    with RawServer(service) as server:
        yield Site(tmp_path, service, server.origin)


def poked(app: App) -> bool:
    """Spare the half minute that a closed account waits."""
    app.poke()
    return True


def until(condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")


def test_only_what_was_not_paid_is_sent_on_the_second_try(site: Site) -> None:
    """A task in the middle was refused: those before it are asked for, it and those behind it are submitted."""
    site.service.refuses = "Three"
    site.drop()
    with site.daemon("max_texts: 1"):
        until(lambda: site.code() == "submit.rejected")
        site.service.refuses = "nothing of this"
        site.back()
        until(site.result)

    assert site.result() == FRENCH
    assert site.service.taken == [[line] for line in TEXT.splitlines()]


def test_only_the_failed_task_is_paid_again(site: Site) -> None:
    """Credit that ends in the middle of a document costs nothing but the task that it was missing for."""
    site.service.holds = True
    site.drop()
    with site.daemon("max_texts: 1") as app:
        until(lambda: len(site.service.taken) == 5)
        site.service.unpaid, site.service.holds = {2}, False
        until(lambda: site.code() == "provider.failed")
        site.back()
        until(lambda: poked(app) and site.result())

    assert site.result() == FRENCH
    assert site.service.taken[5:] == [["Two lines."]]


def test_other_limits_do_not_tear_a_document_in_flight(site: Site) -> None:
    """A document goes on as it was cut, though the settings have changed, and comes to as many parts anew."""
    site.service.holds = True
    site.drop()
    with site.daemon("max_texts: 2, max_in_flight: 1"):
        until(lambda: len(site.service.taken) == 1)
    site.service.holds = False
    with site.daemon("max_texts: 100, max_characters: 24, max_in_flight: 1"):
        until(lambda: site.result() or site.code())

    assert (site.result(), site.code()) == (FRENCH, None)
    assert site.service.taken == [["One line.", "Two lines."], ["Three lines.", "Four lines."], ["Five lines."]]


def test_other_limits_for_a_second_try_count(site: Site) -> None:
    """Who tries again with smaller tasks, because a large one was refused, gets smaller tasks."""
    site.service.refuses = "'Three lines.', 'Four lines.'"
    site.drop()
    with site.daemon("max_texts: 2"):
        until(lambda: site.code() == "submit.rejected")
    site.back()
    with site.daemon("max_texts: 1"):
        until(site.result)

    assert site.result() == FRENCH
    assert site.service.taken[1:] == [[line] for line in TEXT.splitlines()]


def test_other_limits_after_a_failed_task_count(site: Site) -> None:
    """The same holds where the service had taken the large task and failed it."""
    site.service.unpaid = {2}
    site.drop()
    with site.daemon("max_texts: 2"):
        until(lambda: site.code() == "provider.failed")
    site.back()
    with site.daemon("max_texts: 1") as app:
        until(lambda: poked(app) and site.result())

    assert site.result() == FRENCH
    assert site.service.taken[-5:] == [[line] for line in TEXT.splitlines()]


def test_an_acceptance_under_202_is_one(site: Site) -> None:
    """The id counts, not which of the codes of success it came under."""
    site.service.status = 202
    site.drop()
    with site.daemon("max_texts: 100"):
        until(site.result)

    assert site.result() == FRENCH
    assert len(site.service.taken) == 1
