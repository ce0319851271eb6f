"""The whole daemon with Doctranslate, against the simulated service: money, keys and lost answers."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import structlog

from daemon import config, desks
from daemon.accounts import Door
from daemon.app import App
from daemon.clock import SystemClock
from daemon.providers.doctranslate import Doctranslate
from daemon.sandbox.child import Running, start
from daemon.sandbox.samples import letter

KEY = "sandbox-todays-token"
LETTER = letter()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with start(tmp_path / "services", pace=(0.1, 0.3)) as running:
        yield running


class Site:
    """One daemon in this process, its folders, and the service it talks to."""

    def __init__(self, base: Path, sandbox: Running, *, token: str, more: str = "") -> None:
        self.base = base
        self.sandbox = sandbox
        self.token = base / "token"
        self.token.write_text(token)
        path = base / "config.yaml"
        path.write_text(
            f"root: {base}/share\nstate: {base}/state\nwatch: {{settle: 20ms, rescan: 200ms}}\n"
            f"providers:\n  doctranslate: {{base_url: '{sandbox.base_url('doctranslate')}',"
            f" api_key: {{file: {self.token}}}, languages: [fr], poll: {{every: 50ms, at_most: 200ms}},"
            f" result_hosts: ['{sandbox.addresses.results_host}']{more}}}\n"
        )
        self.app = App(
            config.load(path, kinds={"doctranslate": Doctranslate.settings_type}), SystemClock(), structlog.get_logger()
        )

    def __enter__(self) -> Self:
        self.app.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.app.stop()

    def drop(self, name: str, content: bytes = LETTER) -> None:
        folder = self.base / "share/inbox/doctranslate/fr"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    def results(self) -> dict[str, bytes]:
        found = (self.base / "share/outbox").rglob("*")
        return {path.name: path.read_bytes() for path in found if path.is_file() and not path.name.startswith(".")}

    def failed(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in (self.base / "share/failed").rglob("*.error.json")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The journal's lines about one kind of event."""
        lines = (self.base / "state/journal.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line.get("event") == name]

    def accepted(self) -> list[dict[str, Any]]:
        """What the service took and billed."""
        return [entry for entry in self.sandbox.ledger() if entry["accepted"]]

    @property
    def door(self) -> Door:
        return self.app.shop.desks["doctranslate"].account.standing().door

    def poked(self) -> bool:
        """Spare the half minute that a closed account waits."""
        self.app.poke()
        return True


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "KINDS", {"doctranslate": Doctranslate})


def until(condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")


pytestmark = pytest.mark.usefixtures("kinds")


@pytest.mark.parametrize("auth", ["bearer", "api_key"])
def test_document_is_delivered_and_its_cost_recorded(tmp_path: Path, sandbox: Running, auth: str) -> None:
    """A letter comes back in the other language under its own name, its price stands in the journal, no key leaks."""
    with Site(tmp_path, sandbox, token=KEY, more=f", auth: {auth}") as site:
        site.drop("letter.docx")
        until(site.results)
        [ready] = site.events("ready")
    text = zipfile.ZipFile(io.BytesIO(site.results()["letter.docx"])).read("word/document.xml").decode()

    assert "[fr] Á ļéţţéŕ" in text
    assert ready["cost"] > 0
    assert len(site.accepted()) == 1
    assert sandbox.leaks() == []


def test_renewed_token_opens_the_account(tmp_path: Path, sandbox: Running) -> None:
    """After a 401 the account closes and the file waits; the next check finds the renewed token by itself."""
    with Site(tmp_path, sandbox, token="yesterdays-token") as site:
        site.drop("letter.docx")
        until(lambda: site.door is Door.CLOSED)
        closed = (site.failed(), site.accepted())
        site.token.write_text(KEY)
        until(lambda: site.poked() and site.results())

    assert closed == ([], [])
    assert site.failed() == []
    assert len(site.accepted()) == 1


@pytest.mark.parametrize("token", ["~lost", "~accepted"])
def test_lost_submission_is_found_in_the_history(tmp_path: Path, sandbox: Running, token: str) -> None:
    """The answer is lost, the document is not: found by its name, waited for there, delivered, paid once."""
    with Site(tmp_path, sandbox, token=KEY) as site:
        site.drop(f"letter{token}.docx")
        until(site.results)
        accepted = site.events("accepted")

    assert [event.get("recovered") for event in accepted] == [True]
    assert len(site.accepted()) == 1
    assert site.failed() == []


@pytest.mark.parametrize("token", ["~flat", "~bare", "~bare-1", "~bare-2", "~odd", "~expired", "~cut-1", "~gone"])
def test_odd_shapes_end_well(tmp_path: Path, sandbox: Running, token: str) -> None:
    """Whatever shape the looks have, and with an expired link or a cut download, the document is delivered once."""
    with Site(tmp_path, sandbox, token=KEY) as site:
        site.drop(f"letter{token}.docx")
        until(site.results)

    assert len(site.accepted()) == 1
    assert site.failed() == []
    assert sandbox.leaks() == []


def test_failed_task_is_told(tmp_path: Path, sandbox: Running) -> None:
    """A task that the service calls failed, under HTTP 400, ends in `failed` with its id."""
    with Site(tmp_path, sandbox, token=KEY) as site:
        site.drop("letter~fail.docx")
        until(site.failed)
        [story] = site.failed()

    assert story["error"]["code"] == "provider.failed"
    assert story["error"]["http_status"] == 400
    assert story["remote_id"] == site.accepted()[0]["remote_id"]
