"""Azure over an emulated storage account: the blobs alone, then the whole daemon, money and signatures included."""

import io
import json
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import structlog

from daemon import config
from daemon.accounts import Account, Door
from daemon.app import App
from daemon.clock import SystemClock
from daemon.errors import BlockedError, LostError
from daemon.originals import Original
from daemon.providers.azure_storage import Blobs, Storage
from daemon.sandbox.child import Running, start
from daemon.sandbox.samples import letter
from daemon.settings import ProviderSettings
from daemon.spool import Spool
from daemon.transport import Session
from tests.azurite import Azurite, running
from tests.sessions import texts_of

NAME = "report.0123456789abcdef-1.odt"
LETTER = letter()


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as one:
        yield one


@pytest.fixture
def box(request: pytest.FixtureRequest) -> str:
    """A name for containers that no other test uses: small letters, digits and single dashes."""
    return re.sub("[^a-z0-9]+", "-", request.node.name.lower())[5:55].strip("-")


@pytest.fixture
def blobs(azurite: Azurite, box: str) -> Iterator[Blobs]:
    yield from opened(azurite.container(f"{box}-in"), azurite.container(f"{box}-out"))


def opened(source: str, target: str) -> Iterator[Blobs]:
    known = {"kind": "any", "base_url": "http://127.0.0.1:9", "api_key": "key"}
    settings = ProviderSettings.model_validate(known)
    account = Account("test", {}, None, SystemClock(), full=False)
    session = Session(settings, account, SystemClock(), lambda: {"x-api-key": "key"}, threading.Event())
    yield Blobs(Storage.model_validate({"source": source, "target": target}), session)
    session.close()


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Original]:
    (tmp_path / "report.odt").write_bytes(b"Hello" * 100_000)
    original = Original(os.open(tmp_path / "report.odt", os.O_RDONLY), "report.odt", lambda: False)
    yield original
    original.close()


# -- blobs ----------------------------------------------------------------------------------------------------


def test_document_travels_both_ways(azurite: Azurite, box: str, blobs: Blobs, paper: Original, tmp_path: Path) -> None:
    """What is uploaded lies in the container, whole, also when it is uploaded twice; a result comes whole as well."""
    blobs.check()
    before = blobs.uploaded(NAME)
    for _ in range(2):
        blobs.put(NAME, paper)
    azurite.client(f"{box}-out").upload_blob(f"out/{NAME.replace('.odt', '.docx')}", b"Bonjour")
    with Spool(str(tmp_path)).sink("job", 0) as sink:
        extension = blobs.fetch(NAME, sink)
        fetched = sink.read_at(0, sink.size)
    after = blobs.uploaded(NAME)

    assert before is None
    assert after is not None
    assert after.at is not None
    assert after.now is not None
    assert timedelta(seconds=-2) < after.now - after.at < timedelta(minutes=1)
    assert azurite.client(f"{box}-in").download_blob(f"in/{NAME}").readall() == paper.read()
    assert (extension, fetched) == ("docx", b"Bonjour")


def test_one_container_may_serve_for_both(azurite: Azurite, box: str, paper: Original) -> None:
    """Original and translation never have the same name."""
    address = azurite.container(box)
    for blobs in opened(address, address):
        blobs.put(NAME, paper)
        azurite.client(box).upload_blob(f"out/{NAME.replace('.odt', '.docx')}", b"Bonjour")
        between = azurite.names(box)
        blobs.forget(NAME)

    assert between == [f"in/{NAME}", f"out/{NAME.replace('.odt', '.docx')}"]
    assert azurite.names(box) == []


def test_forgetting_is_repeatable(blobs: Blobs, tmp_path: Path) -> None:
    """What is not there is forgotten already, and is not there to be fetched."""
    blobs.forget(NAME)
    blobs.forget(NAME)
    with Spool(str(tmp_path)).sink("job", 0) as sink, pytest.raises(LostError) as caught:
        blobs.fetch(NAME, sink)

    assert (caught.value.code, caught.value.provider_code) == ("result.gone", "BlobNotFound")


@pytest.mark.parametrize(
    ("permission", "code"), [("r", "AuthorizationPermissionMismatch"), ("l", "AuthorizationPermissionMismatch")]
)
def test_narrow_signature_is_told(azurite: Azurite, box: str, paper: Original, permission: str, code: str) -> None:
    """A signature that does not permit writing is refused by name, and shown nowhere."""
    address = azurite.container(box, permission)
    for blobs in opened(address, address):
        with pytest.raises(BlockedError) as caught:
            blobs.put(NAME, paper)

    assert caught.value.provider_code == code
    assert address.partition("sig=")[2] not in texts_of(caught.value)


def test_forged_signature_is_told_by_the_check(azurite: Azurite, box: str) -> None:
    """The check costs nothing, and finds out."""
    address = azurite.container(box).replace("sig=", "sig=x")
    for blobs in opened(address, address):
        with pytest.raises(BlockedError) as caught:
            blobs.check()

    # The emulator says AuthorizationFailure, the service itself AuthenticationFailed.
    assert (caught.value.code, caught.value.http_status) == ("account.blocked", 403)
    assert str(caught.value.provider_message).startswith("storage.source: HTTP 403 Auth")


# -- the whole daemon -----------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with start(tmp_path / "services") as one:
        yield one


class Site:
    """One daemon in this process, its folders, and what it talks to."""

    def __init__(self, base: Path, sandbox: Running, storage: dict[str, str]) -> None:
        self.base = base
        self.sandbox = sandbox
        lines = [
            f"root: {base}/share",
            f"state: {base}/state",
            "watch: {settle: 20ms, rescan: 200ms}",
            "providers:",
            "  azure:",
            f"    base_url: {sandbox.base_url('azure')}",
            "    api_key: sandbox-key-of-this-test",
            "    languages: [fr]",
            "    poll: {every: 50ms, at_most: 200ms}",
        ]
        for side, url in storage.items():
            self.sign(side, url)
        if storage:
            files = ", ".join(f"{side}: {{file: {base}/{side}}}" for side in storage)
            lines.append(f"    storage: {{{files}}}")
        (base / "config.yaml").write_text("\n".join(lines) + "\n")
        self.app = App(config.load(base / "config.yaml"), SystemClock(), structlog.get_logger())

    def sign(self, side: str, url: str) -> None:
        """Give out a container's address, as an administrator does."""
        (self.base / side).write_text(url)

    def __enter__(self) -> Self:
        self.app.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.app.stop()

    def drop(self, name: str) -> None:
        folder = self.base / "share/inbox/azure/fr"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LETTER)

    def results(self) -> dict[str, bytes]:
        found = (self.base / "share/outbox").rglob("*")
        return {path.name: path.read_bytes() for path in found if path.is_file() and not path.name.startswith(".")}

    def failed(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in (self.base / "share/failed").rglob("*.error.json")]

    @property
    def journal(self) -> str:
        return (self.base / "state/journal.jsonl").read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.journal.splitlines()) if line.get("event") == name]

    def accepted(self) -> list[dict[str, Any]]:
        """What the service took and billed."""
        return [entry for entry in self.sandbox.ledger() if entry["accepted"]]

    def closed(self) -> bool:
        return bool(self.events("closed"))

    def shut(self) -> bool:
        """Whether the account takes no submissions, and nothing is on its way."""
        standing = self.app.shop.desks["azure"].account.standing()
        return standing.door is Door.CLOSED and not standing.occupied

    def poked(self) -> bool:
        """Spare the time that whatever is closed waits."""
        self.app.poke()
        return True


def until(condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")


def text_of(document: bytes) -> str:
    return zipfile.ZipFile(io.BytesIO(document)).read("word/document.xml").decode()


@pytest.fixture
def storage(azurite: Azurite, box: str) -> dict[str, str]:
    return {"source": azurite.container(f"{box}-in"), "target": azurite.container(f"{box}-out")}


@pytest.mark.parametrize("token", ["", "~header", "~header-3", "~queue", "~odd", "~gone"])
def test_document_is_delivered_and_nothing_is_left(
    tmp_path: Path, sandbox: Running, azurite: Azurite, box: str, storage: dict[str, str], token: str
) -> None:
    """Uploaded, translated from container to container, fetched, deleted in both; paid once, and the price is kept."""
    with Site(tmp_path, sandbox, storage) as site:
        site.drop(f"letter{token}.docx")
        until(site.closed)
        [ready] = site.events("ready")

    assert "[fr] Á ļéţţéŕ" in text_of(site.results()[f"letter{token}.docx"])
    assert ready["cost"] == len(LETTER)
    assert len(site.accepted()) == 1
    assert (azurite.names(f"{box}-in"), azurite.names(f"{box}-out")) == ([], [])
    assert "sig=" not in site.journal
    assert sandbox.leaks() == []


@pytest.mark.parametrize("token", ["~lost", "~accepted", "~header-4"])
def test_lost_submission_is_found_again(tmp_path: Path, sandbox: Running, storage: dict[str, str], token: str) -> None:
    """The answer is lost, the batch is not: found by its source, waited for, delivered, paid once."""
    with Site(tmp_path, sandbox, storage) as site:
        site.drop(f"letter{token}.docx")
        until(site.results)
        accepted = site.events("accepted")

    assert [event.get("recovered") for event in accepted] == [True]
    assert len(site.accepted()) == 1
    assert site.failed() == []


@pytest.mark.parametrize(
    ("token", "code"),
    [("~partly", "NoTranslatableText"), ("~cancel-1", "canceled")],
)
def test_failed_batch_is_told(tmp_path: Path, sandbox: Running, storage: dict[str, str], token: str, code: str) -> None:
    """The sidecar says why, names the batch, and shows no signature."""
    with Site(tmp_path, sandbox, storage) as site:
        site.drop(f"letter{token}.docx")
        until(site.failed)
        [story] = site.failed()

    assert (story["error"]["code"], story["error"]["provider_code"]) == ("provider.failed", code)
    assert story["remote_id"].startswith(site.accepted()[0]["remote_id"])
    assert "sig=" not in json.dumps(story)


def test_refused_access_is_submitted_again(tmp_path: Path, sandbox: Running, storage: dict[str, str]) -> None:
    """The service takes a batch and then cannot reach its containers: the account closes, the file waits, no file
    fails; afterwards it is submitted under a new name and delivered, and nothing lies in the containers.
    """
    with Site(tmp_path, sandbox, storage) as site:
        site.drop("letter~invalidx2.docx")
        until(site.shut)
        before = (site.failed(), len(site.accepted()))
        until(lambda: site.poked() and site.results())
        until(site.closed)
        refused = site.events("refused")

    assert before == ([], 1)
    assert [(one["billed"], one["why"]["provider_code"]) for one in refused] == [
        (False, "InvalidDocumentAccessLevel")
    ] * 2
    assert len({entry["file"] for entry in site.accepted()}) == 3
    assert site.failed() == []
    assert "sig=" not in site.journal


def test_target_that_the_service_may_not_write_to_closes_the_account(
    tmp_path: Path, sandbox: Running, azurite: Azurite, box: str, storage: dict[str, str]
) -> None:
    """The check finds the missing letter, and no trial goes, until the administrator has renewed the signature."""
    with Site(tmp_path, sandbox, storage | {"target": azurite.container(f"{box}-out", "rdl")}) as site:
        site.drop("letter.docx")
        until(site.shut)
        for _ in range(3):
            site.poked()
            until(site.shut)
        taken = len(site.accepted())
        site.sign("target", storage["target"])
        until(lambda: site.poked() and site.results())

    assert taken == 1
    assert site.failed() == []


def test_expired_signature_keeps_files_waiting(
    tmp_path: Path, sandbox: Running, azurite: Azurite, box: str, storage: dict[str, str]
) -> None:
    """Nothing is submitted and nothing fails until the administrator has put a new signature into its file."""
    with Site(tmp_path, sandbox, storage | {"source": azurite.container(f"{box}-in", "r")}) as site:
        site.drop("letter.docx")
        until(site.shut)
        before = (site.failed(), site.accepted())
        site.sign("source", storage["source"])
        until(lambda: site.poked() and site.results())

    assert before == ([], [])
    assert len(site.accepted()) == 1
    assert site.failed() == []


def test_document_without_storage_is_delivered(tmp_path: Path, sandbox: Running) -> None:
    """One request, whose answer is the translation."""
    with Site(tmp_path, sandbox, {}) as site:
        site.drop("letter.docx")
        until(site.results)

    assert "[fr] Á ļéţţéŕ" in text_of(site.results()["letter.docx"])
    assert len(site.accepted()) == 1
