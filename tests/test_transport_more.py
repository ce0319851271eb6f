"""The other ways of sending: JSON that is billed, results that come with the answer, storage that was configured."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.errors import (
    DocumentChangedError,
    LostError,
    NoRoomError,
    TransferCutError,
    TransientError,
    UncertainError,
)
from daemon.originals import Original
from daemon.replies import Answer
from daemon.settings import Rate
from daemon.spool import Sink, Spool
from daemon.transport import Session
from tests.rawserver import (
    Exchange,
    RawServer,
    Script,
    answer,
    break_off,
    hang_up,
    head,
    message,
    raw,
)
from tests.sessions import KEY, Papers, refused_port, session, texts_of

CONTENT = os.urandom(200_000)
SIGNATURE = "sig=secret-signature"


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[Papers]:
    made = Papers(tmp_path)
    yield made
    made.close()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Spool(str(tmp_path)).sink("job", 0) as one:
        yield one


def at_once(one: Session, original: Original, sink: Sink) -> Answer:
    """A submission whose result comes with the answer."""
    return one.submit(
        "/translate",
        fields={},
        file_field="document",
        sent_name="drop.0123456789abcdef-1.txt",
        media_type="text/plain",
        original=original,
        sink=sink,
    )


# -- billed JSON --------------------------------------------------------------------------------------------


def test_json_goes_out_whole_and_once() -> None:
    """The body arrives as it was, with its length and the key, on a connection of its own."""
    body = {"texts": ["Grüße", '"quoted"\r\n', "\ud800"]}
    with RawServer(answer(200, {"task_id": 1})) as server, session(server.origin) as one:
        told = one.submit_json("/translate", body)
        sent = server.request()

    assert told.json() == {"task_id": 1}
    assert sent.whole
    assert Answer(status=200, headers={}, body=bytes(sent.body)).json() == body
    assert (sent.headers["content-type"], sent.headers["x-api-key"]) == ("application/json", KEY)
    assert len(server.requests) == server.connections == 1


@pytest.mark.parametrize("script", [hang_up, break_off, raw(head(200, {"content-length": "9"}) + b"{")])
def test_lost_answer_to_json_is_uncertain(script: Script) -> None:
    """What was sent whole and not answered whole may have been taken; it is not sent again."""
    with RawServer(script) as server, session(server.origin) as one:
        with pytest.raises(UncertainError):
            one.submit_json("/translate", {"texts": ["a"]})
        server.request()

    assert len(server.requests) == 1


def test_json_that_did_not_go_out_is_not_accepted() -> None:
    """Nobody there, or a connection that breaks before the end: proven, for JSON as for forms."""

    def breaks(exchange: Exchange) -> None:
        exchange.read(1000)
        exchange.reset()

    with session(f"http://127.0.0.1:{refused_port()}") as one, pytest.raises(TransientError):
        one.submit_json("/translate", {})
    with (
        RawServer(breaks, smallest_buffers=True) as server,
        session(server.origin) as one,
        pytest.raises(TransientError),
    ):
        one.submit_json("/translate", {"texts": ["x" * 900_000]})


# -- results that come with the answer ----------------------------------------------------------------------


def test_result_of_a_blocking_service_is_in_the_sink(papers: Papers, sink: Sink) -> None:
    """A success brings the document itself; an error comes back with its body and leaves the sink alone."""
    with RawServer(answer(200, CONTENT)) as server, session(server.origin) as one:
        told = at_once(one, papers.original(b"content"), sink)
        server.script = answer(400, {"error": "wrong"})
        refused = at_once(one, papers.original(b"content"), sink)

    assert (told.status, told.body) == (200, b"")
    assert sink.read_at(0, sink.size) == CONTENT
    assert (refused.status, refused.json()) == (400, {"error": "wrong"})


@pytest.mark.parametrize(
    "script",
    [
        hang_up,
        raw(head(200, {"content-length": "1000"}) + b"half"),
        raw(head(200) + CONTENT),
        answer(200, CONTENT, {"content-encoding": "gzip"}),
    ],
)
def test_paid_result_that_did_not_arrive_is_uncertain(papers: Papers, sink: Sink, script: Script) -> None:
    """The service has done its work and billed it; half of the result is no proof of the contrary."""
    with RawServer(script) as server, session(server.origin) as one, pytest.raises(UncertainError):
        at_once(one, papers.original(b"content"), sink)


def test_stop_waits_for_a_paid_result(papers: Papers, sink: Sink) -> None:
    """A result that comes only once is taken to its end, although the daemon is stopping."""
    original = papers.original(b"content")

    def stops(exchange: Exchange) -> None:
        exchange.read()
        papers.stopping.set()
        exchange.send(message(200, CONTENT))

    with RawServer(stops) as server, session(server.origin, stopping=papers.stopping) as one:
        told = at_once(one, original, sink)

    assert told.status == 200
    assert sink.size == len(CONTENT)


# -- storage that the administrator configured --------------------------------------------------------------


def test_storage_gets_the_document_and_no_key(papers: Papers) -> None:
    """An upload to permitted storage is the plain document with the headers it needs; the key stays here."""
    original = papers.original(CONTENT)
    with RawServer(answer(201)) as storage, session("https://api.example.com") as one:
        one.permit(storage.host)
        stored = one.store(f"{storage.origin}/in/a?{SIGNATURE}", original, {"x-ms-blob-type": "BlockBlob"})
        looked = one.outside("HEAD", f"{storage.origin}/in/a?{SIGNATURE}", {"x-ms-version": "1"})
        put, seen = storage.request(0), storage.request(1)

    assert (stored.status, looked.status) == (201, 201)
    assert (put.method, put.target, bytes(put.body)) == ("PUT", f"/in/a?{SIGNATURE}", CONTENT)
    assert (put.headers["x-ms-blob-type"], seen.headers["x-ms-version"]) == ("BlockBlob", "1")
    assert KEY not in (put.head + seen.head).decode()


def test_storage_that_nobody_configured_is_refused(papers: Papers) -> None:
    """Neither document nor question goes to a private host that no setting names."""
    original = papers.original(CONTENT)
    with RawServer(answer(201)) as storage, session("https://api.example.com") as one:
        url = f"{storage.origin}/in/a?{SIGNATURE}"
        doing: list[Callable[[], Answer]] = [lambda: one.store(url, original, {}), lambda: one.outside("HEAD", url, {})]
        for attempt in doing:
            with pytest.raises(LostError) as caught:
                attempt()

            assert "secret-signature" not in texts_of(caught.value)

    assert storage.connections == 0


def test_broken_upload_to_storage_is_transient(papers: Papers) -> None:
    """Storage costs nothing and can be asked again; what happens to the original is told as ever."""
    original = papers.original(32 << 20)

    def breaks(exchange: Exchange) -> None:
        exchange.read(1 << 20)
        exchange.reset()

    def changes(exchange: Exchange) -> None:
        exchange.read(1 << 20)
        papers.path.write_bytes(b"other")
        exchange.read()

    with RawServer(breaks) as storage, session("https://api.example.com") as one:
        one.permit(storage.host)
        with pytest.raises(TransientError):
            one.store(f"{storage.origin}/a", original, {})
        storage.script = changes
        with pytest.raises(DocumentChangedError):
            one.store(f"{storage.origin}/a", original, {})


def test_stop_cuts_an_upload_to_storage(papers: Papers) -> None:
    """An upload that costs nothing is not waited for."""
    original = papers.original(32 << 20)

    def stops(exchange: Exchange) -> None:
        exchange.read(1 << 20)
        papers.stopping.set()
        exchange.read()

    with RawServer(stops) as storage, session("https://api.example.com") as one:
        one.permit(storage.host)
        with pytest.raises(TransferCutError):
            one.store(f"{storage.origin}/a", original, {})


def test_storage_takes_no_room_and_billed_json_does() -> None:
    """Windows count the requests with the key, and only those."""
    windows = {"*": Rate(requests=1, per=3600.0)}
    with (
        RawServer(answer(200)) as storage,
        RawServer(answer(200)) as server,
        session(server.origin, windows=windows, result_hosts=[storage.host]) as one,
    ):
        for _ in range(3):
            one.outside("HEAD", f"{storage.origin}/a", {})
        one.submit_json("/translate", {})
        with pytest.raises(NoRoomError):
            one.submit_json("/translate", {})

    assert (len(storage.requests), len(server.requests)) == (3, 1)
