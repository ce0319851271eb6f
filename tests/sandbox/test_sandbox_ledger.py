"""The ledger tells the truth about money, and the sandbox's own door does what it says."""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from daemon.sandbox.child import Running, start
from daemon.sandbox.keys import account_of

PATHS = {"gpttranslator": "/v1/translation/document-translation/api", "voicecheap": "/v1/translate"}
FORM = {"sourceLang": "en", "targetLang": "fr", "model": "gpt-4.1-mini-2025-04-14"}
KEY = "sandbox-very-secret"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("ledger")) as running:
        yield running


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    with client_of(sandbox) as client:
        yield client
    sandbox.end_outages()


def client_of(sandbox: Running, key: str = KEY) -> httpx.Client:
    return httpx.Client(base_url=sandbox.base_url("gpttranslator"), headers={"x-api-key": key}, trust_env=False)


def submit(http: httpx.Client, content: bytes = b"Hello", name: str = "note.txt") -> httpx.Response:
    return http.post(PATHS["gpttranslator"], data=FORM, files={"file": (name, content)})


def status(http: httpx.Client) -> httpx.Response:
    return http.get("/v1/translation/document-translation-status/1")


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < deadline, "it never came"


def raw_submission(*, whole: bool, ending: bool = True) -> tuple[bytes, bytes]:
    """The head and the body of a submission as bytes; without its ending the form is no complete one."""
    body = b"".join(
        b'--frontier\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value.encode())
        for name, value in FORM.items()
    )
    body += b'--frontier\r\ncontent-disposition: form-data; name="file"; filename="cut.txt"\r\n\r\n' + b"x" * 100_000
    body += b"\r\n--frontier--\r\n" if ending else b""
    length = len(body) if whole else len(body) + 1
    head = f"POST /gpttranslator{PATHS['gpttranslator']} HTTP/1.1\r\nhost: sandbox\r\nx-api-key: {KEY}\r\n"
    head += f"content-type: multipart/form-data; boundary=frontier\r\ncontent-length: {length}\r\n\r\n"
    return head.encode(), body


def connect(sandbox: Running) -> socket.socket:
    parts = urlsplit(sandbox.addresses.api)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def uploads(sandbox: Running) -> set[str]:
    known = {"ledger.jsonl", "sandbox.log"}
    return {path.name for path in sandbox.folder.iterdir()} - known


def test_submission_is_written_down(sandbox: Running, http: httpx.Client) -> None:
    """An accepted submission stands in the ledger with the hash and size of what arrived, without the key."""
    content = bytes(range(256)) * 1000
    ref = submit(http, content, "data.pdf").json()["data"]["translationId"]
    entry = sandbox.ledger()[-1]
    text = (sandbox.folder / "ledger.jsonl").read_text()

    assert entry == {
        "seq": len(sandbox.ledger()),
        "time": entry["time"],
        "service": "gpttranslator",
        "account": account_of(KEY),
        "file": "data.pdf",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": 256_000,
        "source": "en",
        "target": "fr",
        "accepted": True,
        "answered": 201,
        "remote_id": ref,
    }
    assert entry["time"].endswith("Z")
    assert KEY not in text
    assert [json.loads(line) for line in text.splitlines()] == sandbox.ledger()


def test_refused_submission_is_written_down(sandbox: Running, http: httpx.Client) -> None:
    """A submission that was read and refused stands there with its hash, as not accepted."""
    submit(http, b"film", "film.mp4")
    entry = sandbox.ledger()[-1]

    assert (entry["file"], entry["sha256"]) == ("film.mp4", hashlib.sha256(b"film").hexdigest())
    assert (entry["accepted"], entry["answered"], entry["remote_id"]) == (False, 400, None)


def test_bad_key_is_written_down(sandbox: Running) -> None:
    """A submission refused for its key stands there too; nothing is known of its file."""
    with client_of(sandbox, "wrong") as http:
        submit(http)
    entry = sandbox.ledger()[-1]

    assert (entry["accepted"], entry["answered"], entry["file"]) == (False, 401, None)
    assert entry["account"] == account_of("wrong")


@pytest.mark.parametrize("sent", [150, 50_000, -2, -1])
def test_cut_upload_is_not_accepted(sandbox: Running, sent: int) -> None:
    """An upload cut anywhere, even before its last byte, is not accepted and leaves no file."""
    before, files = len(sandbox.ledger()), uploads(sandbox)
    head, body = raw_submission(whole=True)
    with connect(sandbox) as connection:
        connection.sendall(head + body[:sent])
    until(lambda: len(sandbox.ledger()) > before)
    entry = sandbox.ledger()[-1]

    assert len(sandbox.ledger()) == before + 1
    assert (entry["accepted"], entry["answered"], entry["remote_id"]) == (False, None, None)
    assert uploads(sandbox) == files


def test_complete_form_in_an_incomplete_request_is_not_accepted(sandbox: Running) -> None:
    """Even when the form has ended, a request that announced more is not whole."""
    before = len(sandbox.ledger())
    head, body = raw_submission(whole=False)
    with connect(sandbox) as connection:
        connection.sendall(head + body)
    until(lambda: len(sandbox.ledger()) > before)

    assert sandbox.ledger()[-1]["accepted"] is False


def test_form_without_its_end_is_refused(sandbox: Running) -> None:
    """A whole request whose form lacks its end is answered 400 and not accepted."""
    files = uploads(sandbox)
    head, body = raw_submission(whole=True, ending=False)
    with connect(sandbox) as connection:
        connection.sendall(head + body)
        answer = connection.recv(4096)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert sandbox.ledger()[-1]["accepted"] is False
    assert uploads(sandbox) == files


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data"])
def test_other_bodies_are_no_submission(sandbox: Running, http: httpx.Client, kind: str) -> None:
    """A body that is no form, or a form without a boundary, is refused and written down."""
    answer = http.post(PATHS["gpttranslator"], content=b"{}", headers={"content-type": kind})

    assert answer.status_code == 400
    assert sandbox.ledger()[-1]["accepted"] is False


def test_ledger_survives(tmp_path: Path) -> None:
    """A sandbox started in the same folder knows the old submissions and gives out other ids."""
    with start(tmp_path) as first, client_of(first) as http:
        old = submit(http).json()["data"]["translationId"]
        before = first.ledger()
    with start(tmp_path) as second, client_of(second) as http:
        new = submit(http).json()["data"]["translationId"]
        after = second.ledger()

    assert after[:-1] == before
    assert (before[-1]["remote_id"], after[-1]["remote_id"]) == (old, new)
    assert old != new
    assert after[-1]["seq"] == 2


def test_requests_are_counted(tmp_path: Path) -> None:
    """Requests are counted by service and verb, refused ones too, with the time of each and by account."""
    with start(tmp_path) as sandbox, client_of(sandbox) as http, client_of(sandbox, "sandbox-other") as other:
        began = time.time()
        submit(http)
        status(http)
        status(http)
        status(other)
        everything, mine = sandbox.requests(), sandbox.requests(account_of(KEY))

    assert {verb: seen["count"] for verb, seen in everything["gpttranslator"].items()} == {
        "submit": 1,
        "status": 3,
    }
    assert mine["gpttranslator"]["status"]["count"] == 2
    assert all(began <= moment <= time.time() for moment in everything["gpttranslator"]["status"]["times"])


def film_url(sandbox: Running) -> str:
    with httpx.Client(base_url=sandbox.base_url("voicecheap"), headers={"x-api-key": KEY}) as http:
        files = {"file": ("film.mp4", b"film", "video/mp4")}
        ref = http.post("/v1/translate", data={"targetLanguage": "french"}, files=files).json()["projectId"]
        return str(http.get(f"/v1/translate/{ref}/status").json()["translatedVideoUrl"])


@pytest.mark.parametrize("header", ["x-api-key", "authorization", "ocp-apim-subscription-key"])
def test_leaks_are_noticed(sandbox: Running, header: str) -> None:
    """A credential that arrives at the results' origin is written down, whatever the answer; none is not."""
    url, before = film_url(sandbox), len(sandbox.leaks())
    clean = httpx.get(url, trust_env=False)
    quiet = len(sandbox.leaks())
    leaky = httpx.get(url, headers={header: KEY}, trust_env=False)
    leak = sandbox.leaks()[-1]

    assert (clean.status_code, leaky.status_code) == (200, 200)
    assert quiet == before
    assert len(sandbox.leaks()) == before + 1
    assert (leak["path"], leak["header"]) == (urlsplit(url).path, header)


def test_api_is_not_on_the_results_origin(sandbox: Running) -> None:
    """Neither the documented paths nor the sandbox's own door answer on the second origin."""
    asked = [f"{sandbox.addresses.results}/{path}" for path in ("voicecheap/v1/translate/a/status", "_sandbox/ledger")]

    assert [httpx.get(url, trust_env=False).status_code for url in asked] == [404, 404]


@pytest.mark.parametrize(("code", "kind"), [(503, "text/html"), (500, "application/json"), (401, "application/json")])
def test_outage_hits_and_ends(sandbox: Running, http: httpx.Client, code: int, kind: str) -> None:
    """An outage answers every request with its code, accepts nothing, and is over when it is ended."""
    sandbox.outage("gpttranslator", code)
    answers = [submit(http), status(http)]
    entry = sandbox.ledger()[-1]
    sandbox.end_outages()

    assert [answer.status_code for answer in answers] == [code, code]
    assert all(answer.headers["content-type"].startswith(kind) for answer in answers)
    assert (entry["accepted"], entry["answered"]) == (False, code)
    assert submit(http).status_code == 201


def test_outage_hits_what_it_names(sandbox: Running, http: httpx.Client) -> None:
    """An outage of one verb, one key or one service leaves the others alone, and carries Retry-After."""
    sandbox.outage("gpttranslator", 429, verbs=["submit"], key=KEY, retry_after="7")
    with client_of(sandbox, "sandbox-other") as other:
        codes = [submit(other).status_code, status(http).status_code]
    hit = submit(http)

    assert codes == [201, 404]
    assert (hit.status_code, hit.headers["retry-after"]) == (429, "7")
    assert httpx.get(film_url(sandbox), trust_env=False).status_code == 200


def test_outage_of_the_results_origin(sandbox: Running) -> None:
    """An outage of fetching hits the second origin."""
    url = film_url(sandbox)
    sandbox.outage("voicecheap", 503, verbs=["fetch"])
    during = httpx.get(url, trust_env=False).status_code
    sandbox.end_outages()

    assert (during, httpx.get(url, trust_env=False).status_code) == (503, 200)


def test_outage_passes_by_itself(sandbox: Running, http: httpx.Client) -> None:
    """An outage of a fraction of a second is over without being ended."""
    sandbox.outage("gpttranslator", 503, seconds=0.3)
    first = status(http).status_code
    until(lambda: status(http).status_code == 404)

    assert first == 503


def test_outage_resets_the_connection(sandbox: Running, http: httpx.Client) -> None:
    """A reset shows as a broken connection, and nothing is accepted."""
    sandbox.outage("gpttranslator", "reset")
    with pytest.raises(httpx.NetworkError):
        status(http)
    # The client's library reads on after a write that failed, and then finds the connection closed.
    with pytest.raises(httpx.TransportError):
        submit(http, b"x" * 5_000_000)

    assert sandbox.ledger()[-1]["accepted"] is False
    assert sandbox.ledger()[-1]["answered"] is None


def test_outage_hangs(sandbox: Running, http: httpx.Client) -> None:
    """A hanging service gives no answer while the client waits."""
    sandbox.outage("gpttranslator", "hang")
    before = len(sandbox.ledger())
    http.timeout = httpx.Timeout(0.3)
    with pytest.raises(httpx.ReadTimeout):
        submit(http)
    until(lambda: len(sandbox.ledger()) > before)

    assert (sandbox.ledger()[-1]["accepted"], sandbox.ledger()[-1]["answered"]) == (False, None)


@pytest.mark.parametrize(
    "order",
    [
        {"service": "nobody", "status": 503},
        {"service": "gpttranslator"},
        {"service": "gpttranslator", "status": 200},
        {"service": "gpttranslator", "status": "explode"},
        {"service": "gpttranslator", "status": 503, "verbs": ["guess"]},
        {"service": "gpttranslator", "status": 503, "unknown": 1},
    ],
)
def test_wrong_orders_are_refused(sandbox: Running, http: httpx.Client, order: dict[str, Any]) -> None:
    """An outage that cannot be meant is answered 400 with a reason and is not in force."""
    answer = httpx.post(f"{sandbox.addresses.api}/_sandbox/outage", json=order, trust_env=False)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert submit(http).status_code == 201
