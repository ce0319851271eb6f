"""Azure over real sockets, against the simulated service: batches, lists, lost answers, and doing without storage."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import ValidationError

from daemon import config, names
from daemon.accounts import Account
from daemon.clock import SystemClock
from daemon.errors import (
    BlockedError,
    NoRoomError,
    RejectedError,
    ServiceError,
    TransientError,
    UncertainError,
)
from daemon.languages import Route, UnknownLanguageError, route_for
from daemon.log import redact
from daemon.originals import Original
from daemon.providers import azure_entra
from daemon.providers.azure import Azure
from daemon.providers.azure_settings import Settings
from daemon.providers.base import (
    Absent,
    Accepted,
    AskAgain,
    Attempt,
    Failed,
    Fetched,
    Found,
    Intent,
    Lost,
    Ready,
    Recovery,
    Refused,
    Running,
    Unknown,
)
from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running as Sandbox
from daemon.sandbox.child import start
from daemon.sandbox.keys import account_of
from daemon.settings import Rate
from daemon.spool import Sink, Spool
from daemon.transport import Session
from tests.rawserver import Exchange, RawServer, answer
from tests.sessions import texts_of

JOB = "0123456789abcdef"
ROUTE = Route(source="en", source_wire="en", target="fr", target_wire="fr")
HELLO, BONJOUR = b"Hello world\n", "[fr] Ĥéļļö ŵöŕļđ\n".encode()
BATCHES = "/translator/document/batches"
LATE, EARLY = "9dce0aa9-78dc-41ba-8cae-2e2f3c2ff8ec", "727bf148-f327-47a0-9481-abae6362f11e"
ENDPOINT = "https://res.cognitiveservices.azure.com"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with start(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


class Desk:
    """One provider with an account of its own at the sandbox, or at another origin."""

    def __init__(self, sandbox: Sandbox, folder: Path, key: str, **settings: Any) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.key = f"sandbox-{key}"
        self._stack = ExitStack()
        windows = settings.pop("windows", {})
        known = {
            "kind": "azure",
            "base_url": sandbox.base_url("azure"),
            "api_key": self.key,
            "storage": {side: container_url(sandbox.addresses, side) for side in ("source", "target")},
        }
        self.settings = Settings.model_validate(
            {name: one for name, one in (known | settings).items() if one is not None}
        )
        account = Account(key, windows, None, SystemClock(), full=False)
        session = Session(
            self.settings, account, SystemClock(), lambda: Azure.credentials(self.settings), threading.Event()
        )
        self._stack.callback(session.close)
        self.provider = Azure(self.settings, session)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def attempt(self, name: str) -> Attempt:
        """The next attempt; no test has its number twice."""
        self._number += 1
        number = 1000 * len(self.sandbox.ledger()) + self._number
        return Attempt(job=JOB, number=number, sent_name=names.sent_name(name, JOB, number))

    def submit(self, tokens: str = "", *, extension: str = "txt", attempt: Attempt | None = None) -> Accepted:
        name = f"note{tokens}.{extension}"
        (self.folder / name).write_bytes(HELLO)
        original = Original(os.open(self.folder / name, os.O_RDONLY), name, lambda: False)
        self._stack.callback(original.close)
        [part] = self.provider.prepare(original, ROUTE, attempt or self.attempt(name))
        return self.provider.submit(part, self.sink() if self.provider.capabilities.blocking else None)

    def ref(self, tokens: str = "") -> str:
        ref = self.submit(tokens).ref
        assert ref is not None
        return ref

    def sink(self) -> Sink:
        self._number += 1
        self.latest = self._stack.enter_context(Spool(str(self.folder)).sink("job", self._number))
        return self.latest

    def asked(self) -> int:
        """How many status requests of this account the service has seen."""
        seen = self.sandbox.requests(account_of(self.key))["azure"]
        return int(seen["status"]["count"]) if "status" in seen else 0

    def recover(self, attempt: Attempt, asked_for_s: float = 0.0, **more: Any) -> Recovery:
        known: dict[str, Any] = {"submitted_at": datetime.now(UTC), "sha256": "0" * 64}
        intent = Intent(attempt=attempt, part=0, route=ROUTE, asked_for_s=asked_for_s, **(known | more))
        return self.provider.recover(intent)

    def blobs(self, attempt: Attempt) -> list[int]:
        """The codes under which both blobs of an attempt answer."""
        found = []
        for side, folder in (("source", "in"), ("target", "out")):
            address, _, signature = container_url(self.sandbox.addresses, side).partition("?")
            found.append(httpx.head(f"{address}/{folder}/{attempt.sent_name}?{signature}", trust_env=False).status_code)
        return found


@pytest.fixture
def desk(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(sandbox, tmp_path, request.node.name) as one:
        yield one


# -- settings and facts ---------------------------------------------------------------------------------------


def settings(**more: Any) -> Settings:
    known: dict[str, Any] = {"kind": "azure", "base_url": ENDPOINT, "api_key": "a-key"}
    return Settings.model_validate({name: one for name, one in (known | more).items() if one is not None})


STORAGE = {"source": {"env": "SOURCE"}, "target": {"env": "TARGET"}}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"api_key": None}, "needs either api_key or entra: true"),
        ({"entra": True}, "needs either api_key or entra: true"),
        ({"options": {"tone": "formal"}}, "options: unknown tone; the service knows allowFallback, category"),
        ({"options": {"allowFallback": "true"}, "storage": STORAGE}, "batches know category"),
        ({"region": "West Europe"}, "the short name of a region"),
        ({"api_version": "v3"}, "a version of the interface, such as 2024-05-01"),
        ({"base_url": None}, "base_url"),
        ({"storage": {"source": {"env": "SOURCE"}}}, "target"),
    ],
)
def test_wrong_settings_are_told(more: dict[str, Any], words: str) -> None:
    """Each rule of the entry has its sentence."""
    with pytest.raises(ValidationError) as caught:
        settings(**more)

    assert words in str(caught.value)


def test_facts_depend_on_the_storage() -> None:
    """With storage: batches of larger files, of more types, that can be asked for; without: one answer a file."""
    batched, at_once = Azure.facts(settings(storage=STORAGE)), Azure.facts(settings())

    assert (batched.blocking, batched.recoverable, batched.max_bytes, batched.poll_batch) == (
        False,
        True,
        40_000_000,
        50,
    )
    assert (at_once.blocking, at_once.recoverable, at_once.max_bytes) == (True, False, 10_000_000)
    assert at_once.costs is None
    assert {"pdf", "odt", "md"} <= batched.extensions - at_once.extensions
    assert {"docx", "txt", "xlf"} <= at_once.extensions <= batched.extensions
    assert (batched.costs, batched.poll_every_s, batched.poll_at_most_s) == ("characters", 5.0, 60.0)
    assert Azure.facts(settings(bulk_status=False, max_bytes=7)).max_bytes == 7


def test_key_and_region_go_into_their_headers() -> None:
    """A regional key is sent with its region."""
    assert Azure.credentials(settings()) == {"ocp-apim-subscription-key": "a-key"}
    assert Azure.credentials(settings(region="westeurope")) == {
        "ocp-apim-subscription-key": "a-key",
        "ocp-apim-subscription-region": "westeurope",
    }


def test_region_is_no_secret(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of what goes into the headers the key alone is taken out of the service's words."""
    key = "0123456789-key-of-the-resource"
    words = f"The key {key} is of another region than westeurope."
    with (
        RawServer(answer(401, {"error": {"code": "401", "message": words}})) as server,
        Desk(sandbox, tmp_path, "region", base_url=server.origin, api_key=key, region="westeurope") as desk,
        pytest.raises(BlockedError) as caught,
    ):
        desk.provider.check()

    assert caught.value.provider_message == "The key [redacted] is of another region than westeurope."


def test_log_knows_signatures_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without the address before them, and decoded, signatures of containers are shown by no log."""
    query = "sv=2021-12-02&sp=rwdl&sig=c2lnbmF0dXJl%2Fof+the%2Bbox%3D"
    monkeypatch.setenv("AZURE_TEST_BOX", f"https://acct.blob.core.windows.net/box?{query}")
    (tmp_path / "config.yaml").write_text(
        f"root: {tmp_path}/share\nstate: {tmp_path}/state\nproviders:\n  azure:\n    base_url: {ENDPOINT}\n"
        "    api_key: what?is=this-key\n    storage: {source: {env: AZURE_TEST_BOX}, target: {env: AZURE_TEST_BOX}}\n"
    )
    known = config.secret_values(config.load(tmp_path / "config.yaml"))
    told = [
        redact(text, known)
        for text in (query, "it was c2lnbmF0dXJl/of+the+box=", "it was c2lnbmF0dXJl%2fof%2bthe%2bbox%3d", "is=this-key")
    ]

    assert told == ["[redacted]", "it was [redacted]", "it was [redacted]", "is=this-key"]
    assert "what?is=this-key" in known


def test_version_is_in_every_request(sandbox: Sandbox, tmp_path: Path) -> None:
    """Submission, status, documents, list and check carry the configured version."""
    with (
        RawServer(answer(404, {"error": {"code": "ResourceNotFound"}})) as server,
        Desk(sandbox, tmp_path, "version", base_url=server.origin, api_version="2026-03-01") as desk,
    ):
        for doing in (desk.submit, desk.provider.check):
            with pytest.raises(BlockedError):
                doing()
        desk.provider.poll(["a/b", "c/d"])
        targets = [one.target for one in server.requests]

    assert len(targets) == 5
    assert [target for target in targets if "api-version=2026-03-01" not in target] == []


@pytest.mark.parametrize(
    ("folder", "sent"),
    [
        ("pt", "pt"),
        ("pt-BR", "pt"),
        ("pt_PT", "pt-pt"),
        ("fr-CA", "fr-ca"),
        ("no", "nb"),
        ("zh-TW", "zh-Hant"),
        ("zh", "zh-Hans"),
        ("sr", "sr-Cyrl"),
        ("ckb", "ku"),
        ("ku", "kmr"),
        ("prs", "prs"),
        ("fa-AF", "prs"),
        ("ny", "nya"),
    ],
)
def test_folders_lead_to_the_services_codes(folder: str, sent: str) -> None:
    """A tag goes out as the code of that very language, also where the service's code is another language's tag."""
    table = Azure.facts(settings()).languages

    assert route_for(folder, table=table, listed=[], default_source=None).target_wire == sent


@pytest.mark.parametrize("folder", ["es-MX", "en-GB", "zh-HK", "be", "french", "pa-Arab"])
def test_folders_that_are_not_surely_meant_are_refused(folder: str) -> None:
    """A region or script that the service does not have is never replaced."""
    with pytest.raises(UnknownLanguageError):
        route_for(folder, table=Azure.facts(settings()).languages, listed=[], default_source=None)


# -- Entra ID -------------------------------------------------------------------------------------------------


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """A managed identity, as machines in the cloud have one: an address in the environment gives tokens."""
    body = {"access_token": "sandbox-entra-token", "expires_on": "4102444800", "token_type": "Bearer", "resource": "x"}
    with RawServer(answer(200, body)) as server:
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.origin}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "identity-secret")
        azure_entra._provider.cache_clear()
        yield server
        azure_entra._provider.cache_clear()


def test_entra_token_stands_for_the_key(sandbox: Sandbox, tmp_path: Path, entra: RawServer) -> None:
    """Without any key a token of the machine's identity is fetched once, kept, and good for a conversation."""
    with Desk(sandbox, tmp_path, "entra", api_key=None, entra=True) as desk:
        desk.provider.check()
        ref = desk.ref()
        look = desk.provider.poll([ref])[ref]

    assert isinstance(look, Ready)
    assert len(entra.requests) == 1
    assert "resource=https://cognitiveservices.azure.com" in entra.requests[0].target


def test_entra_without_an_identity_blocks(sandbox: Sandbox, tmp_path: Path, entra: RawServer) -> None:
    """No token is a missing key, told with the identity library's words, and nothing is sent."""
    entra.script = answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
    before = len(sandbox.ledger())
    with Desk(sandbox, tmp_path, "nobody", api_key=None, entra=True) as desk, pytest.raises(BlockedError) as caught:
        desk.provider.check()

    assert caught.value.code == "account.no_key"
    assert "Entra ID gave no token" in str(caught.value.provider_message)
    assert len(sandbox.ledger()) == before


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional package the configuration says which one, and so does whoever asks for a token."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    azure_entra._provider.cache_clear()
    with pytest.raises(ValidationError) as caught:
        settings(api_key=None, entra=True)
    with pytest.raises(LookupError) as asked:
        azure_entra.token()

    command = f"{Path(sys.executable).with_name('pip')} install '.[azure]' in the checkout"
    assert command in str(caught.value)
    assert command in str(asked.value)


# -- batches --------------------------------------------------------------------------------------------------


def test_languages_and_category_are_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """The body is the documented one: a file with its language, a target with its language and category."""
    taken = answer(202, b"", {"operation-location": f"{ENDPOINT}{BATCHES}/9dce0aa9-78dc-41ba-8cae-2e2f3c2ff8ec"})
    with (
        RawServer(taken) as server,
        Desk(sandbox, tmp_path, "body", base_url=server.origin, options={"category": "legal"}) as desk,
    ):
        attempt = desk.attempt("note.txt")
        desk.submit(attempt=attempt)
        [sent] = server.requests
        body = httpx.Response(200, content=bytes(sent.body)).json()
    addresses = [container_url(sandbox.addresses, side).partition("?") for side in ("source", "target")]
    source, target = (
        f"{one}/{folder}/{attempt.sent_name}?{signature}"
        for (one, _, signature), folder in zip(addresses, ("in", "out"), strict=True)
    )

    assert (sent.target, sent.headers["content-type"]) == (f"{BATCHES}?api-version=2024-05-01", "application/json")
    assert body == {
        "inputs": [
            {
                "storageType": "File",
                "source": {"sourceUrl": source, "language": "en"},
                "targets": [{"targetUrl": target, "language": "fr", "category": "legal"}],
            }
        ]
    }


def test_older_format_comes_back_in_the_newer_one(desk: Desk) -> None:
    """A .doc is translated into a .docx, and the target is called so from the start."""
    ref = desk.submit(extension="odt").ref
    assert ref is not None
    look = desk.provider.poll([ref])[ref]
    [told] = desk.provider.fetch([(ref, desk.sink())])

    assert isinstance(look, Ready)
    assert told == Fetched(extension="docx")


def test_clean_up_empties_both_containers(desk: Desk) -> None:
    """After it neither the original nor the translation is in the storage."""
    attempt = desk.attempt("note.txt")
    ref = desk.submit(attempt=attempt).ref
    assert ref is not None
    desk.provider.poll([ref])
    before = desk.blobs(attempt)
    desk.provider.clean_up([ref])

    assert before == [200, 200]
    assert desk.blobs(attempt) == [404, 404]


@pytest.mark.parametrize(("token", "kept"), [("~http-400", 404), ("~http-429", 404), ("~lost", 200)])
def test_refused_submission_leaves_nothing_behind(desk: Desk, token: str, kept: int) -> None:
    """What was surely not taken is deleted from the source; of what may have been taken nothing is."""
    attempt = desk.attempt(f"note{token}.txt")
    with pytest.raises(ServiceError):
        desk.submit(token, attempt=attempt)

    assert desk.blobs(attempt)[0] == kept


def test_document_comes_late(desk: Desk) -> None:
    """A queue's words, a step back and an unknown word are all on the way."""
    ref = desk.ref("~queue")
    told = [desk.provider.poll([ref])[ref] for _ in range(3)]

    assert told == [Running(word="notstarted"), Running(word="running"), Ready(cost=float(len(HELLO)))]


def test_existing_target_leads_to_the_earlier_batch(desk: Desk) -> None:
    """One request that came through twice: the second batch finds its target written, and the first one counts."""
    ref = desk.ref()
    first = desk.provider.poll([ref])[ref]
    batch, _, name = ref.partition("/")
    urls = [container_url(desk.sandbox.addresses, side).partition("?") for side in ("source", "target")]
    source, target = (f"{urls[at][0]}/{folder}/{name}?{urls[at][2]}" for at, folder in enumerate(("in", "out")))
    one = {"storageType": "File", "source": {"sourceUrl": source}, "targets": [{"targetUrl": target, "language": "fr"}]}
    httpx.post(
        f"{desk.sandbox.base_url('azure')}{BATCHES}?api-version=2024-05-01",
        json={"inputs": [one]},
        headers={"ocp-apim-subscription-key": desk.key},
        trust_env=False,
    )
    again = f"{desk.sandbox.ledger()[-1]['remote_id']}/{name}"
    told = desk.provider.poll([again])[again]

    assert isinstance(first, Ready)
    assert again != ref
    assert told == Ready(ref=f"{batch}/{name}", cost=first.cost)


NO_ACCESS = {"code": "InvalidRequest", "innerError": {"code": "InvalidDocumentAccessLevel", "message": "No access."}}
NOTHING = {"total": 0, "success": 0, "totalCharacterCharged": 0}


def batch_as_told(sandbox: Sandbox, folder: Path, **told: Any) -> Any:
    """The look at a batch whose status has these fields, and which lists no document."""
    body = {"id": EARLY, "status": "ValidationFailed", "summary": NOTHING, "error": NO_ACCESS} | told

    def script(exchange: Exchange) -> None:
        answer(200, {"value": []} if "/documents" in exchange.target else body)(exchange)

    with RawServer(script) as server, Desk(sandbox, folder, "told", base_url=server.origin) as desk:
        ref = f"{EARLY}/note.{JOB}-1.txt"
        return desk.provider.poll([ref])[ref]


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        ("InvalidDocumentAccessLevel", "storage.source"),
        ("InvalidTargetDocumentAccessLevel", "storage.target"),
    ],
)
def test_batch_that_could_not_reach_its_containers_was_not_taken(
    sandbox: Sandbox, tmp_path: Path, code: str, setting: str
) -> None:
    """It is the account's matter: which container, what the service says, and what to do about it."""
    error = {"code": "InvalidRequest", "innerError": {"code": code, "message": "Cannot access it."}}
    look = batch_as_told(sandbox, tmp_path, error=error)

    assert isinstance(look, Refused)
    assert (look.error.code, look.error.provider_code) == ("account.blocked", code)
    assert look.error.provider_message == (
        f"{setting}: Cannot access it; renew its signature (SAS) with sp=rwdl, and let the service reach the storage"
    )


@pytest.mark.parametrize(
    "told",
    [
        {"status": "Failed"},
        {"status": "Cancelled"},
        {"summary": {**NOTHING, "totalCharacterCharged": 12}},
        {"summary": {**NOTHING, "success": 1}},
        {"summary": {"total": 0}},
        {"summary": None},
        {"error": {"code": "InvalidRequest", "message": "Something else."}},
        {"error": None},
    ],
)
def test_batch_that_may_have_cost_something_has_failed(sandbox: Sandbox, tmp_path: Path, told: dict[str, Any]) -> None:
    """Only a failed validation for want of access, with nothing charged by its own word, is submitted again."""
    assert isinstance(batch_as_told(sandbox, tmp_path, **told), Failed)


@pytest.mark.parametrize(("charged", "cost"), [(12, 12.0), (0, 0.0), (-3, None), ("12", None), (None, None)])
def test_failure_costs_what_the_batch_says(sandbox: Sandbox, tmp_path: Path, charged: object, cost: object) -> None:
    """Characters that were charged for nothing are told as well; what is no price is none."""
    told = batch_as_told(
        sandbox, tmp_path, status="Failed", summary={**NOTHING, "success": 0, "totalCharacterCharged": charged}
    )

    assert isinstance(told, Failed)
    assert told.cost == cost


@pytest.mark.parametrize(("word", "expected"), [("Succeeded", Ready), ("Running", Running), ("Failed", Failed)])
def test_earlier_batch_counts_as_it_is(sandbox: Sandbox, tmp_path: Path, word: str, expected: type) -> None:
    """A batch that was not even begun because of its target leads to the earlier one, whatever became of that."""
    moment = "2026-03-26T00:00:00Z"
    path = f"https://acct.blob.core.windows.net/source/in/note.{JOB}-1.txt"
    why = {"code": "InvalidRequest", "message": "It is there.", "innerError": {"code": "TargetFileAlreadyExists"}}
    late = {"id": LATE, "status": "ValidationFailed", "createdDateTimeUtc": moment, "error": why}
    early = {"id": EARLY, "status": word, "createdDateTimeUtc": moment, "error": why if word == "Failed" else None}
    found = {
        f"{BATCHES}?": {"value": [late, early]},
        f"{BATCHES}/{LATE}?": late,
        f"{BATCHES}/{EARLY}?": early,
        f"{BATCHES}/{LATE}/documents?": {"value": []},
        f"{BATCHES}/{EARLY}/documents?": {"value": [{"sourcePath": path, "status": word, "error": early["error"]}]},
    }

    def script(exchange: Exchange) -> None:
        answer(200, next(body for start, body in found.items() if exchange.target.startswith(start)))(exchange)

    ref = f"{LATE}/note.{JOB}-1.txt"
    with RawServer(script) as server, Desk(sandbox, tmp_path, "twins", base_url=server.origin) as desk:
        told = desk.provider.poll([ref])[ref]

    assert type(told) is expected
    assert not isinstance(told, Ready) or told.ref == f"{EARLY}/note.{JOB}-1.txt"


def test_existing_target_of_nobody_is_a_failure(desk: Desk) -> None:
    """Where no earlier batch is found, the batch has failed as it says."""
    attempt = desk.attempt("note.txt")
    address, _, signature = container_url(desk.sandbox.addresses, "target").partition("?")
    blob = f"{address}/out/{attempt.sent_name}?{signature}"
    httpx.put(blob, content=b"x", headers={"x-ms-blob-type": "BlockBlob"}, trust_env=False).raise_for_status()
    ref = desk.submit(attempt=attempt).ref
    assert ref is not None
    told = desk.provider.poll([ref])[ref]

    assert isinstance(told, Failed)
    assert told.error.provider_code == "TargetFileAlreadyExists"


# -- lists ----------------------------------------------------------------------------------------------------


def test_many_are_looked_at_with_one_request(desk: Desk) -> None:
    """A list by ids shows all that run; each that has ended costs one more, for its documents."""
    refs = [desk.ref("~stuck") for _ in range(4)]
    before = desk.asked()
    running = desk.provider.poll(refs)
    between = desk.asked()
    done = [desk.ref(), desk.ref()]
    ended = desk.provider.poll([*refs, *done])

    assert list(running.values()) == [Running(word="running")] * 4
    assert between - before == 1
    assert {type(ended[ref]) for ref in done} == {Ready}
    assert desk.asked() - between == 1 + len(done)


def test_pages_are_followed(desk: Desk) -> None:
    """A list in pages of one, continued under the other key, is read to its end."""
    refs = [desk.ref("~stuck~pages") for _ in range(3)]
    before = desk.asked()
    told = desk.provider.poll(refs)

    assert {type(look) for look in told.values()} == {Running}
    assert desk.asked() - before == 3


def test_what_the_list_leaves_out_is_asked_for_alone(desk: Desk) -> None:
    """A batch that is missing in the list is lost only when the service says so itself."""
    refs = [desk.ref("~stuck"), desk.ref("~vanish"), desk.ref("~gone-1")]
    told = desk.provider.poll(refs)

    assert [type(told[ref]) for ref in refs] == [Running, Lost, Ready]


def test_list_without_filter_is_not_asked_for_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """A list that shows batches nobody asked for is useless: each is asked for alone, then and ever after."""
    with Desk(sandbox, tmp_path, "unfiltered", api_version="2026-03-01") as desk:
        refs = [desk.ref("~stuck") for _ in range(4)]
        counts = []
        for _ in range(2):
            before = desk.asked()
            told = desk.provider.poll(refs[:2])
            counts.append(desk.asked() - before)

    assert {type(look) for look in told.values()} == {Running}
    assert counts == [1 + 2, 2]


def test_refused_list_is_not_asked_for_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """A service that knows no such list is asked for one batch after the other."""

    def script(exchange: Exchange) -> None:
        listed = exchange.target.startswith(f"{BATCHES}?")
        found = {"id": exchange.target.split("/")[-1].partition("?")[0], "status": "Running"}
        answer(400 if listed else 200, {"error": {"code": "InvalidArgument"}} if listed else found)(exchange)

    with RawServer(script) as server, Desk(sandbox, tmp_path, "refused", base_url=server.origin) as desk:
        told = [desk.provider.poll(["a/b", "c/d"]) for _ in range(2)]

    assert told == [{"a/b": Running(word="running"), "c/d": Running(word="running")}] * 2
    assert len(server.requests) == 1 + 2 + 2


@pytest.mark.parametrize("status", [401, 429, 500])
def test_unavailable_list_fails_the_poll(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    """A bad key, a busy service and a broken one say nothing about lists: the poll fails as a whole."""
    with (
        RawServer(answer(status)) as server,
        Desk(sandbox, tmp_path, "down", base_url=server.origin) as desk,
        pytest.raises(ServiceError),
    ):
        desk.provider.poll(["a/b", "c/d"])

    assert len(server.requests) == 1


def test_bulk_status_can_be_switched_off(sandbox: Sandbox, tmp_path: Path) -> None:
    """Then there are no lists, and the engine hands over one batch at a time."""
    with Desk(sandbox, tmp_path, "singles", bulk_status=False) as desk:
        refs = [desk.ref("~stuck") for _ in range(2)]
        before = desk.asked()
        desk.provider.poll(refs)

        assert desk.asked() - before == 2
        assert desk.provider.capabilities.poll_batch == 1


def test_narrow_window_loses_no_look(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was learned before the window was full is told; the rest waits for the next look."""
    window = {"status": Rate(requests=2, per=60.0)}
    with Desk(sandbox, tmp_path, "narrow", windows=window) as desk:
        refs = [desk.ref() for _ in range(3)]
        told = desk.provider.poll(refs)
        with pytest.raises(NoRoomError):
            desk.provider.poll(refs[:1])

    assert [type(look) for look in told.values()] == [Ready]


# -- lost answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["~lost", "~accepted", "~header-4", "~lost~stuck", "~lost~pages"])
def test_lost_submission_is_found_by_its_source(desk: Desk, token: str) -> None:
    """The batch whose source bears the attempt's name is the one, among others of the same minute."""
    desk.ref("~stuck")
    attempt = desk.attempt(f"note{token}.txt")
    with pytest.raises(UncertainError):
        desk.submit(token, attempt=attempt)
    lost = desk.sandbox.ledger()[-1]["remote_id"]
    desk.ref()
    found = desk.recover(attempt)

    assert found == Found(ref=f"{lost}/{attempt.sent_name}")


def test_absence_needs_two_looks(desk: Desk) -> None:
    """A submission that nobody lists is asked for once more, a minute later; then it was never taken."""
    desk.ref()
    attempt = desk.attempt("note~http-503.txt")
    with pytest.raises(UncertainError):
        desk.submit("~http-503", attempt=attempt)

    assert desk.recover(attempt) == AskAgain(after_s=60.0)
    assert desk.recover(attempt, 59.0) == AskAgain(after_s=1.0)
    assert desk.recover(attempt, 60.0) == Absent()


def test_absence_is_not_proven_while_a_batch_hides_its_documents(desk: Desk) -> None:
    """A batch that has not begun may be the one: only when it shows its document it is none."""
    attempt = desk.attempt("note~http-503.txt")
    with pytest.raises(UncertainError):
        desk.submit("~http-503", attempt=attempt)
    desk.ref("~queue")
    early = Desk(desk.sandbox, desk.folder, desk.key.removeprefix("sandbox-"))
    first, second = early.recover(attempt), early.recover(attempt, 60.0)
    early.__exit__()

    assert (first, second) == (AskAgain(after_s=5.0), Absent())


def test_absence_is_not_proven_for_ever(desk: Desk) -> None:
    """A batch that never shows its documents leaves the question open after an hour."""
    attempt = desk.attempt("note~http-503.txt")
    with pytest.raises(UncertainError):
        desk.submit("~http-503", attempt=attempt)
    desk.ref("~stuck~unlisted")
    early = Desk(desk.sandbox, desk.folder, desk.key.removeprefix("sandbox-"))
    told = [early.recover(attempt, seconds) for seconds in (3599.0, 3600.0)]
    early.__exit__()

    assert told == [AskAgain(after_s=60.0), Unknown()]


def test_absence_without_a_source_proves_nothing(desk: Desk) -> None:
    """An attempt that was never uploaded was no batch: it may have gone as a request of its own."""
    assert desk.recover(desk.attempt("note.txt"), 60.0) == Unknown()


def test_absence_is_not_proven_by_a_success_that_hides_its_document(desk: Desk) -> None:
    """A batch that has succeeded and lists nothing may have translated ours: asked again, and never resubmitted."""
    attempt = desk.attempt("note~http-503.txt")
    with pytest.raises(UncertainError):
        desk.submit("~http-503", attempt=attempt)
    other = desk.ref("~unlisted")
    look = desk.provider.poll([other])[other]
    early = Desk(desk.sandbox, desk.folder, desk.key.removeprefix("sandbox-"))
    told = [early.recover(attempt, seconds) for seconds in (0.0, 60.0, 3600.0)]
    early.__exit__()

    assert isinstance(look, Failed)
    assert told == [AskAgain(after_s=5.0), AskAgain(after_s=60.0), Unknown()]


SKEWS = [timedelta(hours=hours) for hours in (-30000, -2, 0, 2, 30000)]


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_wrong_clock_of_ours_hides_no_batch(desk: Desk, skew: timedelta) -> None:
    """However wrong the moment of the submission is by our own clock, what was taken is found, and is not absent."""
    attempt = desk.attempt("note~lost.txt")
    with pytest.raises(UncertainError):
        desk.submit("~lost", attempt=attempt)
    lost = desk.sandbox.ledger()[-1]["remote_id"]
    told = desk.recover(attempt, 60.0, submitted_at=datetime.now(UTC) + skew)

    assert told == Found(ref=f"{lost}/{attempt.sent_name}")


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_wrong_clock_of_ours_hinders_no_proof(desk: Desk, skew: timedelta) -> None:
    """What was never taken is absent all the same: the clocks of storage and service prove it."""
    attempt = desk.attempt("note~http-503.txt")
    with pytest.raises(UncertainError):
        desk.submit("~http-503", attempt=attempt)

    assert desk.recover(attempt, 60.0, submitted_at=datetime.now(UTC) + skew) == Absent()


def dated(skew: timedelta = timedelta()) -> dict[str, str]:
    return {"date": format_datetime(datetime.now(UTC) + skew, usegmt=True)}


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        (timedelta(seconds=20), Absent()),
        (timedelta(seconds=-20), Absent()),
        (timedelta(minutes=3), Unknown()),
        (timedelta(minutes=-3), Unknown()),
        (timedelta(days=-400), Unknown()),
        (None, Unknown()),
        ("yesterday", Unknown()),
    ],
)
def test_clocks_of_the_service_and_the_storage_have_to_agree(
    sandbox: Sandbox, tmp_path: Path, skew: timedelta | str | None, expected: Recovery
) -> None:
    """An empty list proves an absence only by a clock that agrees with the one which dates the upload."""
    with (
        RawServer(answer(503)) as server,
        Desk(sandbox, tmp_path, "clocks", base_url=server.origin) as desk,
    ):
        attempt = desk.attempt("note.txt")
        with pytest.raises(UncertainError):
            desk.submit(attempt=attempt)
        headers = dated(skew) if isinstance(skew, timedelta) else {"date": skew} if skew else {}
        server.script = answer(200, {"value": []}, headers)
        told = desk.recover(attempt, 60.0)
        query = parse_qs(urlsplit(server.requests[-1].target).query)
    begin = datetime.fromisoformat(query["createdDateTimeUtcStart"][0])

    assert told == expected
    assert timedelta(minutes=4) < datetime.now(UTC) - begin < timedelta(minutes=7)
    assert "createdDateTimeUtcEnd" not in query


@pytest.mark.parametrize("created", [None, "soon", "Mon, 01 Jan 2300 00:00:00 GMT"])
def test_upload_that_nobody_dates_proves_nothing(sandbox: Sandbox, tmp_path: Path, created: str | None) -> None:
    """Without the storage's word for the moment of the upload only our clock is left, and that proves no absence."""
    told = {"x-ms-creation-time": created} if created else {}

    def store(exchange: Exchange) -> None:
        answer(201 if exchange.method == "PUT" else 200, b"", dated() | told)(exchange)

    with RawServer(store) as server:
        storage = {side: f"{server.origin}/{side}?sig=tell-nobody" for side in ("source", "target")}
        with Desk(sandbox, tmp_path, "undated", storage=storage) as desk:
            attempt = desk.attempt("note~http-503.txt")
            with pytest.raises(UncertainError):
                desk.submit("~http-503", attempt=attempt)

            assert desk.recover(attempt, 60.0) == Unknown()


def test_storage_in_trouble_hides_no_batch(sandbox: Sandbox, tmp_path: Path) -> None:
    """With an expired signature a lost batch is found all the same; one that is not there is asked for later."""
    with Desk(sandbox, tmp_path, "trouble") as desk:
        lost, never = desk.attempt("note~lost.txt"), desk.attempt("note~http-503.txt")
        for token, attempt in (("~lost", lost), ("~http-503", never)):
            with pytest.raises(UncertainError):
                desk.submit(token, attempt=attempt)
    forged = storage_of(sandbox, "sig=sandbox-", "sig=refused-")
    with Desk(sandbox, tmp_path, "trouble", storage=forged) as desk:
        found = desk.recover(lost, 60.0)
        with pytest.raises(BlockedError):
            desk.recover(never, 60.0)

    assert isinstance(found, Found)


def test_known_batches_are_not_asked_for_again(desk: Desk) -> None:
    """Whose source is known from its submission costs nothing in a search."""
    for _ in range(5):
        desk.ref("~stuck")
    before = desk.asked()
    desk.recover(desk.attempt("note.txt"))

    assert desk.asked() - before == 1


@pytest.mark.parametrize(("status", "expected"), [(400, Unknown()), (404, Unknown()), (405, Unknown())])
def test_service_without_a_list_cannot_be_asked(
    sandbox: Sandbox, tmp_path: Path, status: int, expected: Recovery
) -> None:
    """A list that the service does not have proves nothing, and asking again would not help."""
    with (
        RawServer(answer(status, {"error": {"code": "InvalidRequest"}})) as server,
        Desk(sandbox, tmp_path, "nolist", base_url=server.origin) as desk,
    ):
        told = desk.recover(desk.attempt("note.txt"), 60.0)

    assert told == expected


@pytest.mark.parametrize("body", [{"value": [], "nextLink": "https://x/y?api-version=1"}, {"value": None}, []])
def test_list_that_cannot_be_read_proves_nothing(sandbox: Sandbox, tmp_path: Path, body: object) -> None:
    """An endless list, and one that is none, are trouble on the way: asked again later."""
    with (
        RawServer(answer(200, body)) as server,
        Desk(sandbox, tmp_path, "endless", base_url=server.origin) as desk,
        pytest.raises(TransientError),
    ):
        desk.recover(desk.attempt("note.txt"), 60.0)

    assert server.requests


# -- without storage ------------------------------------------------------------------------------------------


@pytest.fixture
def alone(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(sandbox, tmp_path, request.node.name, storage=None) as one:
        yield one


def test_document_is_translated_at_once(alone: Desk) -> None:
    """The answer to the request is the translation; the part's own type and name are sent, no blob is written."""
    accepted = alone.submit()
    entry = alone.sandbox.ledger()[-1]

    assert accepted == Accepted(ref=None)
    assert alone.latest.read_at(0, 1000) == BONJOUR
    assert (entry["accepted"], entry["source"], entry["target"]) == (True, "en", "fr")
    assert entry["file"].startswith(f"note.{JOB}-")


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("~http-400", RejectedError),
        ("~http-401", BlockedError),
        ("~http-415", RejectedError),
        ("~http-500", UncertainError),
        ("~http-503", UncertainError),
        ("~lost", UncertainError),
        ("~accepted", UncertainError),
        ("~empty", UncertainError),
        ("~cut", UncertainError),
    ],
)
def test_answers_without_a_document_are_classed(alone: Desk, token: str, expected: type[ServiceError]) -> None:
    """What was not taken is told apart from what may have been paid for."""
    with pytest.raises(expected):
        alone.submit(token)
    entry = alone.sandbox.ledger()[-1]

    assert expected is UncertainError or entry["accepted"] is False


def test_lost_answer_cannot_be_asked_for(alone: Desk) -> None:
    """There is no list of such requests."""
    before = alone.asked()

    assert alone.recover(alone.attempt("note.txt"), 60.0) == Unknown()
    assert alone.asked() == before


def test_result_of_an_earlier_batch_needs_its_storage(sandbox: Sandbox, tmp_path: Path) -> None:
    """A batch from before the storage was taken out of the configuration is still looked at, and waits."""
    with Desk(sandbox, tmp_path, "former") as former, Desk(sandbox, tmp_path, "former", storage=None) as now:
        ref = former.ref()
        look = now.provider.poll([ref])[ref]
        [told] = now.provider.fetch([(ref, now.sink())])
        now.provider.clean_up([ref])

    assert isinstance(look, Ready)
    assert isinstance(told, TransientError)
    assert "not configured any more" in str(told)


# -- the storage's settings -----------------------------------------------------------------------------------


def storage_of(sandbox: Sandbox, old: str = "", new: str = "") -> dict[str, str]:
    return {side: container_url(sandbox.addresses, side).replace(old, new) for side in ("source", "target")}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("sig=sandbox-", "sig=refused-"), "AuthenticationFailed"),
        (("sp=rwdl", "sp=l"), "AuthorizationPermissionMismatch"),
    ],
)
def test_refused_signature_blocks_the_account(
    sandbox: Sandbox, tmp_path: Path, change: tuple[str, str], code: str
) -> None:
    """Upload and download say which container refuses, by the storage's own word, without the signature."""
    with Desk(sandbox, tmp_path, "forged", storage=storage_of(sandbox, *change)) as desk:
        with pytest.raises(BlockedError) as caught:
            desk.submit()
        [told] = desk.provider.fetch([("a/b.txt", desk.sink())])
        with pytest.raises(BlockedError):
            desk.provider.clean_up(["a/b.txt"])

    assert isinstance(told, BlockedError)
    assert [str(one) for one in (caught.value, told)] == [
        f"account.blocked: storage.{side}: HTTP 403 {code}" for side in ("source", "target")
    ]
    assert [one for one in (caught.value, told) if "-signature" in texts_of(one)] == []


def checked(sandbox: Sandbox, folder: Path, **sides: str) -> BlockedError | None:
    """What the check says about containers with these addresses; None when it is content."""
    with Desk(sandbox, folder, "checked", storage=storage_of(sandbox) | sides) as desk:
        try:
            desk.provider.check()
        except BlockedError as error:
            return error
    return None


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("letters", "lacking"),
    [
        ("wdl", "reading (r)"),
        ("rdl", "writing (w)"),
        ("racdl", "writing (w)"),
        ("rwl", "deleting (d)"),
        ("rwd", "listing (l)"),
        ("r", "writing (w), deleting (d), listing (l)"),
    ],
)
def test_check_names_what_a_signature_does_not_permit(
    sandbox: Sandbox, tmp_path: Path, side: str, letters: str, lacking: str
) -> None:
    """Which container and which letter, before a document meets it, and without the signature."""
    told = checked(sandbox, tmp_path, **{side: storage_of(sandbox, "sp=rwdl", f"sp={letters}")[side]})

    assert told is not None
    assert str(told) == (
        f"account.blocked: storage.{side}: its signature (SAS) does not permit {lacking}: sp= has to hold rwdl"
    )
    assert "sandbox-signature" not in texts_of(told)


@pytest.mark.parametrize("letters", ["rwdl", "racwdxltmei"])
def test_check_is_content_with_more_letters(sandbox: Sandbox, tmp_path: Path, letters: str) -> None:
    """What the portal's longer lists permit besides does no harm."""
    assert checked(sandbox, tmp_path, **storage_of(sandbox, "sp=rwdl", f"sp={letters}")) is None


def test_check_leaves_stored_policies_to_the_storage(sandbox: Sandbox, tmp_path: Path) -> None:
    """A signature with a policy (`si`) says neither what it permits nor when it ends: the storage alone knows."""
    told = checked(sandbox, tmp_path, **storage_of(sandbox, "sp=rwdl", "si=policy"))

    assert told is not None
    assert "HTTP 403 AuthorizationPermissionMismatch" in str(told)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S.1234567Z"])
def test_check_says_when_a_signature_ended(sandbox: Sandbox, tmp_path: Path, side: str, form: str) -> None:
    """In every form that signatures have: the storage refuses without a reason, the check gives one."""
    end = (datetime.now(UTC) - timedelta(days=2)).strftime(form)
    told = checked(sandbox, tmp_path, **{side: storage_of(sandbox, "sp=rwdl", f"sp=rwdl&se={end}")[side]})

    assert told is not None
    assert str(told).startswith(f"account.blocked: storage.{side}: its signature (SAS) ended at {end[:10]}T")
    assert str(told).endswith("Z and has to be renewed")


@pytest.mark.parametrize("end", [timedelta(hours=1), timedelta(days=365 * 300)])
def test_check_is_content_until_a_signature_ends(sandbox: Sandbox, tmp_path: Path, end: timedelta) -> None:
    """One that ends later is good, one that ends in centuries too."""
    text = (datetime.now(UTC) + end).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert checked(sandbox, tmp_path, **storage_of(sandbox, "sp=rwdl", f"sp=rwdl&se={text}")) is None


def test_end_of_a_signature_is_judged_by_the_storages_clock(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ours may be wrong: where it is 2001 a signature until 2002 is good; where nobody says so, it may be."""
    lines = "sp=rwdl&se=2002-01-01&sig=tell-nobody"
    found = []
    for date in ("Mon, 01 Jan 2001 00:00:00 GMT", "", "Wed, 02 Jan 2002 00:00:00 GMT"):
        with RawServer(answer(404, b"", {"x-ms-error-code": "BlobNotFound", "date": date})) as server:
            found.append(
                checked(sandbox, tmp_path, **dict.fromkeys(("source", "target"), f"{server.origin}/x?{lines}"))
            )

    assert found[:2] == [None, None]
    assert "ended at 2002-01-01T00:00:00Z" in str(found[2])


def test_upload_says_that_its_signature_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever meets the refusal first says what to do, and it is the account's matter."""
    storage = storage_of(sandbox, "sp=rwdl", "sp=rwdl&se=2024-05-01")
    with Desk(sandbox, tmp_path, "ended", storage=storage) as desk, pytest.raises(BlockedError) as caught:
        desk.submit()

    assert "storage.source: its signature (SAS) ended at 2024-05-01T00:00:00Z" in str(caught.value)
    assert caught.value.provider_code == "AuthenticationFailed"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nothing",
        "ftp://host/box?sig=tell-nobody",
        "https://host/?sig=tell-nobody",
        "https://host:x/box?sig=tell-nobody",
    ],
)
def test_unusable_address_is_told_without_being_shown(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """What is no container's address blocks the account, and names its place instead of itself."""
    monkeypatch.setenv("AZURE_TEST_BOX", address)
    storage = storage_of(sandbox) | {"source": {"env": "AZURE_TEST_BOX"}}
    with Desk(sandbox, tmp_path, "unusable", storage=storage) as desk, pytest.raises(BlockedError) as caught:
        desk.submit()

    assert caught.value.code == "account.no_key"
    assert "storage.source" in str(caught.value)
    assert "AZURE_TEST_BOX" in str(caught.value)
    assert "tell-nobody" not in texts_of(caught.value)


def test_renewed_signature_is_found_without_a_restart(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures expire: they are read anew, like keys."""
    storage = {side: {"env": f"AZURE_TEST_{side.upper()}"} for side in ("source", "target")}
    good = storage_of(sandbox)
    for side, url in good.items():
        monkeypatch.setenv(f"AZURE_TEST_{side.upper()}", url.replace("sig=sandbox", "sig=expired"))
    with Desk(sandbox, tmp_path, "renewed", storage=storage) as desk:
        with pytest.raises(BlockedError):
            desk.provider.check()
        for side, url in good.items():
            monkeypatch.setenv(f"AZURE_TEST_{side.upper()}", url)
        desk.provider.check()
        ref = desk.ref()

    assert ref


def test_storage_that_is_down_is_trouble_on_the_way(sandbox: Sandbox, tmp_path: Path) -> None:
    """A busy or silent storage is tried again; the document was not submitted."""
    before = len(sandbox.ledger())
    with RawServer(answer(503, b"", {"x-ms-error-code": "ServerBusy"})) as server:
        storage = {side: f"{server.origin}/{side}?sig=tell-nobody" for side in ("source", "target")}
        with Desk(sandbox, tmp_path, "busy", storage=storage) as desk:
            for doing in (desk.submit, desk.provider.check):
                with pytest.raises(TransientError):
                    doing()

    assert len(sandbox.ledger()) == before


def test_missing_container_blocks_the_account(sandbox: Sandbox, tmp_path: Path) -> None:
    """A container that is not there is told by the check, although any blob in it would be missing as well."""
    with RawServer(answer(404, b"", {"x-ms-error-code": "ContainerNotFound"})) as server:
        storage = {side: f"{server.origin}/{side}?sig=tell-nobody" for side in ("source", "target")}
        with Desk(sandbox, tmp_path, "missing", storage=storage) as desk, pytest.raises(BlockedError) as caught:
            desk.provider.check()

    assert "ContainerNotFound" in str(caught.value)
