"""The simulated Azure answers as the service's pages say, and its official clients work with it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from azure.ai.translation.document import DocumentTranslationClient, SingleDocumentTranslationClient
from azure.ai.translation.document.models import DocumentTranslateContent
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineResponse

from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running, start
from tests.azurite import Azurite
from tests.azurite import running as azurite_running

KEY = "sandbox-key"
BATCHES = "/translator/document/batches"
VERSION = {"api-version": "2024-05-01"}
BLOCK = {"x-ms-blob-type": "BlockBlob"}
GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
HELLO, BONJOUR = b"Hello world\n", "[fr] Ĥéļļö ŵöŕļđ\n".encode()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite_running(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    yield from keyed(sandbox, KEY)


def keyed(sandbox: Running, key: str) -> Iterator[httpx.Client]:
    headers = {"ocp-apim-subscription-key": key}
    with httpx.Client(base_url=sandbox.base_url("azure"), headers=headers, params=VERSION, trust_env=False) as http:
        yield http


@pytest.fixture
def account(sandbox: Running, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client whose account no other test uses."""
    yield from keyed(sandbox, f"sandbox-{request.node.name}")


def blob(sandbox: Running, container: str, name: str) -> str:
    address, _, signature = container_url(sandbox.addresses, container).partition("?")
    return f"{address}/{name}?{signature}"


def put(url: str, content: bytes = HELLO) -> str:
    httpx.put(url, content=content, headers=BLOCK, trust_env=False).raise_for_status()
    return url


def one_file(source: str, target: str, **more: Any) -> dict[str, Any]:
    source_part = {"sourceUrl": source, "language": "en"}
    target_part = {"targetUrl": target, "language": "fr"}
    return {"inputs": [{"storageType": "File", "source": source_part, "targets": [target_part]} | more]}


def submit(sandbox: Running, http: httpx.Client, stem: str = "note", content: bytes = HELLO) -> str:
    """Upload and start a batch; its id."""
    number = len(sandbox.ledger())
    source = put(blob(sandbox, "source", f"{stem}.{number}.txt"), content)
    answer = http.post(BATCHES, json=one_file(source, blob(sandbox, "target", f"{stem}.{number}.txt")))
    found = GUID.search(answer.headers["operation-location"])
    assert found
    return found[0]


def official(sandbox: Running, **more: Any) -> DocumentTranslationClient:
    return DocumentTranslationClient(sandbox.base_url("azure"), AzureKeyCredential(KEY), retry_total=0, **more)


# -- the official clients -------------------------------------------------------------------------------------


def let_go(answer: PipelineResponse[Any, Any]) -> None:
    """The vendor's client never reads the answer to a submission, and would leave its connection open."""
    if answer.http_response.status_code == 202:
        answer.http_response.close()


PATIENT: dict[str, Any] = {"storage_type": "File", "polling_interval": 0.05, "raw_response_hook": let_go}


def test_official_client_translates_a_document(sandbox: Running) -> None:
    """The vendor's client starts a batch, waits for it, lists its document and gets its counts."""
    source, target = put(blob(sandbox, "source", "a%20letter.txt")), blob(sandbox, "target", "a%20letter.txt")
    with official(sandbox) as client:
        poller = client.begin_translation(source, target, "fr", source_language="en", **PATIENT)
        (document,) = list(poller.result())
        same = client.get_document_status(poller.id, document.id)
        details = client.get_translation_status(poller.id)

    assert httpx.get(target, trust_env=False).content == BONJOUR
    assert (document.status, document.translated_to, document.translation_progress) == ("Succeeded", "fr", 1.0)
    assert document.source_document_url == source.partition("?")[0]
    assert document.translated_document_url == target.partition("?")[0]
    assert same.id == document.id
    assert (details.status, details.documents_total_count, details.documents_succeeded_count) == ("Succeeded", 1, 1)
    assert details.total_characters_charged == len(HELLO) == document.characters_charged
    assert poller.id == sandbox.ledger()[-1]["remote_id"]


def test_official_client_works_over_real_storage(sandbox: Running, azurite: Azurite) -> None:
    """With Azurite for storage the service reads and writes there, by the signatures it is given."""
    source, target = azurite.container("first-in"), azurite.container("first-out")
    azurite.client("first-in").upload_blob("in/note.txt", HELLO)
    with official(sandbox) as client:
        poller = client.begin_translation(
            source.replace("?", "/in/note.txt?"),
            target.replace("?", "/out/note.txt?"),
            "fr",
            **PATIENT,
        )
        (document,) = list(poller.result())

    assert document.status == "Succeeded"
    assert azurite.client("first-out").download_blob("out/note.txt").readall() == BONJOUR
    assert azurite.names("first-in") == ["in/note.txt"]


def test_official_client_lists_and_cancels(sandbox: Running, http: httpx.Client) -> None:
    """The vendor's client finds batches by id, cancels one, and is told of both states."""
    ids = [submit(sandbox, http, "long~stuck") for _ in range(2)]
    with official(sandbox, api_version="2024-05-01") as client:
        client.cancel_translation(ids[0])
        found = {one.id: one.status for one in client.list_translation_statuses(translation_ids=ids)}
        ordered = [one.id for one in client.list_translation_statuses(order_by=["created_on asc"], top=1000)]

    assert found == {ids[0]: "Canceled", ids[1]: "Running"}
    assert [one for one in ordered if one in ids] == ids


def test_official_client_meets_the_documented_failure(sandbox: Running) -> None:
    """A source that cannot be read is taken with 202 and ends in the error that the client knows by its code."""
    unsigned = blob(sandbox, "source", "note.txt").partition("?")[0]
    with official(sandbox) as client, pytest.raises(HttpResponseError) as caught:
        client.begin_translation(unsigned, blob(sandbox, "target", "x.txt"), "fr", **PATIENT).result()

    assert caught.value.error is not None
    assert caught.value.error.code == "InvalidDocumentAccessLevel"


def test_official_client_translates_at_once(sandbox: Running) -> None:
    """The vendor's client for single documents gets the translation as its answer."""
    client = SingleDocumentTranslationClient(sandbox.base_url("azure"), AzureKeyCredential(KEY), retry_total=0)
    content = DocumentTranslateContent(document=("note.txt", HELLO, "text/plain"))
    with client:
        # It says that it gives blocks, and gives the whole.
        answer: Any = client.translate(body=content, target_language="fr", source_language="en")

    assert answer == BONJOUR


def test_official_client_gets_the_formats(sandbox: Running) -> None:
    """Both lists of formats are there, with extensions and content types."""
    with official(sandbox) as client:
        documents = client.get_supported_document_formats()
        glossaries = client.get_supported_glossary_formats()

    assert {".docx", ".pdf", ".txt", ".md"} <= {extension for one in documents for extension in one.file_extensions}
    assert {one.file_format for one in glossaries} == {"XLIFF", "TSV", "CSV"}


# -- batches --------------------------------------------------------------------------------------------------


def test_submission_is_answered_with_a_header_alone(sandbox: Running, http: httpx.Client) -> None:
    """202, no body, and the id in Operation-Location."""
    source = put(blob(sandbox, "source", "bare.txt"))
    answer = http.post(BATCHES, json=one_file(source, blob(sandbox, "target", "bare.txt")))
    entry = sandbox.ledger()[-1]
    address = f"{http.base_url}{BATCHES[1:]}/{entry['remote_id']}"

    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["operation-location"] == f"{address}?api-version=2024-05-01"
    assert (entry["file"], entry["size"], entry["source"], entry["target"]) == ("bare.txt", len(HELLO), "en", "fr")
    assert (entry["accepted"], entry["answered"]) == (True, 202)


def test_batch_advances_with_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not started with a total of 0, running, succeeded; the document is not listed before it begins."""
    with start(tmp_path_factory.mktemp("slow"), pace=(0.6, 0.8)) as running:
        for http in keyed(running, KEY):
            batch = submit(running, http)
            seen: dict[str, tuple[int, int]] = {}
            deadline = datetime.now(UTC) + timedelta(seconds=20)
            while "Succeeded" not in seen and datetime.now(UTC) < deadline:
                body = http.get(f"{BATCHES}/{batch}").json()
                documents = http.get(f"{BATCHES}/{batch}/documents").json()["value"]
                seen.setdefault(body["status"], (body["summary"]["total"], len(documents)))

    assert list(seen.items()) == [("NotStarted", (0, 0)), ("Running", (1, 1)), ("Succeeded", (1, 1))]


def test_status_has_the_documented_body(sandbox: Running, http: httpx.Client) -> None:
    """Exactly the documented keys, times with seven digits behind the second."""
    body = http.get(f"{BATCHES}/{submit(sandbox, http)}").json()

    assert list(body) == ["id", "createdDateTimeUtc", "lastActionDateTimeUtc", "status", "summary"]
    assert body["summary"] == {
        "total": 1,
        "failed": 0,
        "success": 1,
        "inProgress": 0,
        "notYetStarted": 0,
        "cancelled": 0,
        "totalCharacterCharged": len(HELLO),
    }
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", body["createdDateTimeUtc"])


@pytest.mark.parametrize(
    ("stem", "content", "code"),
    [("empty~fail", b"x", "NoTranslatableText"), ("letter", b"this is no archive", "InvalidDocument")],
)
def test_failed_document_says_why(sandbox: Running, http: httpx.Client, stem: str, content: bytes, code: str) -> None:
    """Batch and document are failed, each with the innermost code and the same words."""
    source = put(blob(sandbox, "source", f"{stem}.docx"), content)
    http.post(BATCHES, json=one_file(source, blob(sandbox, "target", f"{stem}.docx")))
    batch = sandbox.ledger()[-1]["remote_id"]
    body = http.get(f"{BATCHES}/{batch}").json()
    (document,) = http.get(f"{BATCHES}/{batch}/documents").json()["value"]

    assert (body["status"], document["status"], body["summary"]["failed"]) == ("Failed", "Failed", 1)
    assert body["error"]["innerError"]["code"] == code == document["error"]["innerError"]["code"]
    assert body["error"]["message"] == document["error"]["message"]
    assert "path" not in document


def test_existing_target_fails_the_batch(sandbox: Running, http: httpx.Client) -> None:
    """What lies at the target already is kept, and the batch is failed."""
    source = put(blob(sandbox, "source", "twice.txt"))
    target = put(blob(sandbox, "target", "twice.txt"), b"something else")
    http.post(BATCHES, json=one_file(source, target))
    body = http.get(f"{BATCHES}/{sandbox.ledger()[-1]['remote_id']}").json()

    assert (body["status"], body["error"]["innerError"]["code"]) == ("Failed", "TargetFileAlreadyExists")
    assert httpx.get(target, trust_env=False).content == b"something else"


def test_unwritable_target_fails_the_validation(sandbox: Running, http: httpx.Client) -> None:
    """A signature that does not permit writing ends as ValidationFailed, without a document."""
    source = put(blob(sandbox, "source", "shut.txt"))
    target = blob(sandbox, "target", "shut.txt").replace("sp=rwdl", "sp=rl")
    http.post(BATCHES, json=one_file(source, target))
    batch = sandbox.ledger()[-1]["remote_id"]
    body = http.get(f"{BATCHES}/{batch}").json()

    assert (body["status"], body["summary"]["total"]) == ("ValidationFailed", 0)
    assert body["error"]["innerError"]["code"] == "InvalidTargetDocumentAccessLevel"
    assert http.get(f"{BATCHES}/{batch}/documents").json() == {"value": []}


def test_unreadable_source_is_written_down_without_its_bytes(sandbox: Running, http: httpx.Client) -> None:
    """The submission was taken, and the ledger says that nobody knows what it was."""
    http.post(BATCHES, json=one_file(blob(sandbox, "source", "nowhere.txt"), blob(sandbox, "target", "nowhere.txt")))
    entry = sandbox.ledger()[-1]

    assert (entry["accepted"], entry["file"], entry["sha256"]) == (True, "nowhere.txt", None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [{"source": {"sourceUrl": "https://a/b"}, "targets": []}]},
        one_file("https://a/b", "https://a/c", storageType="Folder"),
        one_file("https://a/b", "https://a/c", targets=[{"targetUrl": "https://a/c", "language": "not a language"}]),
        one_file("https://a/b", "https://a/c", targets=[{"targetUrl": 7, "language": "fr"}]),
    ],
)
def test_wrong_bodies_are_refused(sandbox: Running, http: httpx.Client, body: dict[str, Any]) -> None:
    """A body that is none of the documented ones, or asks for more than the sandbox does, is 400 and not taken."""
    answer = http.post(BATCHES, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidRequest"
    assert sandbox.ledger()[-1]["accepted"] is False


def test_version_is_required(sandbox: Running, http: httpx.Client) -> None:
    """Without api-version nothing is taken."""
    source = put(blob(sandbox, "source", "v.txt"))
    answer = http.post(BATCHES, json=one_file(source, blob(sandbox, "target", "v.txt")), params={"api-version": ""})

    assert answer.status_code == 400


def test_cancelling_twice_is_too_late(sandbox: Running, http: httpx.Client) -> None:
    """Cancelling answers with the word on the way; afterwards, and after any end, it is refused."""
    running, done = submit(sandbox, http, "long~stuck"), submit(sandbox, http)
    http.get(f"{BATCHES}/{done}")
    first, second = (http.delete(f"{BATCHES}/{running}") for _ in range(2))
    body = http.get(f"{BATCHES}/{running}").json()

    assert (first.status_code, first.json()["status"]) == (200, "Cancelling")
    assert (second.status_code, http.delete(f"{BATCHES}/{done}").status_code) == (400, 400)
    assert (body["status"], body["summary"]["cancelled"]) == ("Cancelled", 1)


def test_other_accounts_see_nothing(sandbox: Running, http: httpx.Client) -> None:
    """Another key gets 404 for the batch, its documents and its end, and an empty list."""
    batch = submit(sandbox, http)
    for other in keyed(sandbox, "sandbox-another"):
        codes = [
            other.get(f"{BATCHES}/{batch}").status_code,
            other.get(f"{BATCHES}/{batch}/documents").status_code,
            other.delete(f"{BATCHES}/{batch}").status_code,
        ]
        listed = other.get(BATCHES).json()

    assert codes == [404, 404, 404]
    assert listed == {"value": []}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "401"),
        ({"ocp-apim-subscription-key": "wrong"}, 401, "Unauthorized"),
        ({"ocp-apim-subscription-key": "sandbox-blocked"}, 403, "403"),
        ({"authorization": "Bearer wrong"}, 401, "Unauthorized"),
        ({"authorization": "Bearer sandbox-token"}, 200, None),
    ],
)
def test_keys_and_tokens(sandbox: Running, headers: dict[str, str], status: int, code: str | None) -> None:
    """A bad key and a bad token are refused in the frame of all errors; a good token is as good as a key."""
    answer = httpx.get(f"{sandbox.base_url('azure')}{BATCHES}", headers=headers, params=VERSION, trust_env=False)

    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code


# -- lists ----------------------------------------------------------------------------------------------------


def ids_of(answer: httpx.Response) -> list[str]:
    return [one["id"] for one in answer.json()["value"]]


def test_list_shows_the_newest_first(sandbox: Running, account: httpx.Client) -> None:
    """All batches of the account, in the order of their making backwards, or forwards when asked."""
    ids = [submit(sandbox, account) for _ in range(3)]
    forwards = account.get(BATCHES, params={"$orderBy": "createdDateTimeUtc asc"})

    assert ids_of(account.get(BATCHES)) == ids[::-1]
    assert ids_of(forwards) == ids


def test_list_is_filtered_by_id_before_2026(sandbox: Running, account: httpx.Client) -> None:
    """`ids` with commas selects; from version 2026 on it is not known any more."""
    ids = [submit(sandbox, account) for _ in range(3)]
    asked = {"ids": ",".join(ids[:2])}
    newer = account.get(BATCHES, params={**asked, "api-version": "2026-03-01"})

    assert set(ids_of(account.get(BATCHES, params=asked))) == set(ids[:2])
    assert set(ids_of(newer)) == set(ids)


def test_list_is_filtered_by_time_and_word(sandbox: Running, account: httpx.Client) -> None:
    """Windows of time and status words select."""
    batch = submit(sandbox, account)
    account.get(f"{BATCHES}/{batch}")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    def listed(**asked: str) -> list[str]:
        return ids_of(account.get(BATCHES, params=asked))

    assert listed(createdDateTimeUtcStart=f"{now - hour:%Y-%m-%dT%H:%M:%SZ}") == [batch]
    assert listed(createdDateTimeUtcStart=f"{now + hour:%Y-%m-%dT%H:%M:%SZ}") == []
    assert listed(createdDateTimeUtcEnd=f"{now - hour:%Y-%m-%dT%H:%M:%SZ}") == []
    assert listed(statuses="Running,Succeeded") == [batch]
    assert listed(statuses="Failed") == []


@pytest.mark.parametrize("dollar", ["$", ""])
def test_list_comes_in_pages(sandbox: Running, account: httpx.Client, dollar: str) -> None:
    """`maxpagesize` cuts the list, `nextLink` goes on with the same filters, `top` ends it."""
    ids = [submit(sandbox, account) for _ in range(5)]
    first = account.get(BATCHES, params={f"{dollar}maxpagesize": "2", f"{dollar}top": "3"})
    link = first.json()["nextLink"]
    second = httpx.get(link, headers=account.headers, trust_env=False)

    assert ids_of(first) == ids[:2:-1]
    assert ids_of(second) == [ids[2]]
    assert "nextLink" not in second.json()
    assert parse_qs(urlsplit(link).query)["api-version"] == ["2024-05-01"]


# -- one document a request -----------------------------------------------------------------------------------

TRANSLATE = "/translator/document:translate"


def test_document_is_translated_at_once(sandbox: Running, http: httpx.Client) -> None:
    """The answer to the request is the translated document."""
    answer = http.post(
        TRANSLATE, params={"targetLanguage": "fr"}, files={"document": ("note.txt", HELLO, "text/plain")}
    )
    entry = sandbox.ledger()[-1]

    assert (answer.status_code, answer.content) == (200, BONJOUR)
    assert (entry["accepted"], entry["file"], entry["target"]) == (True, "note.txt", "fr")


@pytest.mark.parametrize(
    ("query", "files", "status", "code"),
    [
        ({"targetLanguage": "fr"}, {"file": ("a.txt", HELLO, "text/plain")}, 400, 400000),
        ({}, {"document": ("a.txt", HELLO, "text/plain")}, 400, "InvalidRequest"),
        ({"targetLanguage": "fr"}, {"document": ("a.txt", HELLO, "text/html")}, 415, 415000),
        ({"targetLanguage": "fr"}, {"document": ("a.pdf", HELLO, "application/pdf")}, 415, 415000),
        ({"targetLanguage": "fr"}, {"document": ("a.md", HELLO, "text/plain")}, 415, 415000),
    ],
)
def test_wrong_documents_are_refused_at_once(
    sandbox: Running, http: httpx.Client, query: dict[str, str], files: Any, status: int, code: str | int
) -> None:
    """A missing document has a number for a code; a missing language and a wrong type are refused, too."""
    answer = http.post(TRANSLATE, params=query, files=files)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert sandbox.ledger()[-1]["accepted"] is False


def test_damaged_document_is_refused_at_once(sandbox: Running, http: httpx.Client) -> None:
    """What cannot be read is not taken."""
    media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    answer = http.post(
        TRANSLATE, params={"targetLanguage": "fr"}, files={"document": ("a.docx", b"no archive", media_type)}
    )

    assert answer.status_code == 400
    assert sandbox.ledger()[-1]["accepted"] is False


# -- the storage of its own -----------------------------------------------------------------------------------


def test_blobs_are_written_read_and_deleted(sandbox: Running) -> None:
    """A blob comes back as it went, is replaced, is kept with If-None-Match, and is gone when deleted."""
    url = put(put(blob(sandbox, "box", "deep/in/it.txt"), b"first"), b"second")
    kept = httpx.put(url, content=b"third", headers=BLOCK | {"if-none-match": "*"}, trust_env=False)
    read, head = httpx.get(url, trust_env=False), httpx.head(url, trust_env=False)
    codes = [httpx.delete(url, trust_env=False).status_code for _ in range(2)]

    assert (kept.status_code, kept.headers["x-ms-error-code"]) == (409, "BlobAlreadyExists")
    assert (read.content, head.status_code, head.headers["content-length"]) == (b"second", 200, "6")
    assert codes == [202, 404]
    assert httpx.get(url, trust_env=False).headers["x-ms-error-code"] == "BlobNotFound"


def test_blobs_want_a_signature_that_permits(sandbox: Running) -> None:
    """Without a good signature, or without the letter for it, nothing is done."""
    url = put(blob(sandbox, "box", "shut.txt"))
    unsigned, forged = url.partition("?")[0], url.replace("sig=sandbox", "sig=other")
    codes = [
        httpx.request(method, one, headers=BLOCK, trust_env=False).headers["x-ms-error-code"]
        for method, one in [
            ("GET", unsigned),
            ("PUT", forged),
            ("DELETE", url.replace("sp=rwdl", "sp=rwl")),
            ("PUT", url.replace("sp=rwdl", "sp=rl")),
        ]
    ]

    assert codes == ["AuthenticationFailed"] * 2 + ["AuthorizationPermissionMismatch"] * 2
    assert httpx.get(url, trust_env=False).content == HELLO


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("2024-05-01", 403),
        ("2024-05-01T00:00:00Z", 403),
        ("soon", 403),
        ("2199-12-31", 200),
        ("2199-12-31T08:00Z", 200),
    ],
)
def test_blobs_want_a_signature_that_has_not_ended(sandbox: Running, end: str, code: int) -> None:
    """`se` counts where it is given, with and without a time of the day."""
    url = put(blob(sandbox, "box", "ends.txt"))

    assert httpx.head(f"{url}&se={end}", trust_env=False).status_code == code


def test_blobs_tell_when_they_were_made(sandbox: Running) -> None:
    """As the real storage does: by its own clock, beside the time of the answer."""
    answer = httpx.head(put(blob(sandbox, "box", "made.txt")), trust_env=False)
    made, now = (parsedate_to_datetime(answer.headers[name]) for name in ("x-ms-creation-time", "date"))

    assert abs(now - made) < timedelta(minutes=1)


def test_keys_at_the_storage_are_leaks(sandbox: Running) -> None:
    """A key that arrives where signatures belong is written down."""
    before = len(sandbox.leaks())
    httpx.get(blob(sandbox, "box", "none.txt"), headers={"ocp-apim-subscription-key": "sandbox-key"}, trust_env=False)

    assert [leak["header"] for leak in sandbox.leaks()[before:]] == ["ocp-apim-subscription-key"]
