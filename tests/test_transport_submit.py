"""A billable request: what goes out, how often, and what is known afterwards. Real sockets throughout."""

import gzip
import hashlib
import io
import os
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart import parse_form

from daemon.errors import DocumentChangedError, TransferCutError, TransientError, UncertainError
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
    silence,
)
from tests.sessions import KEY, Papers, refused_port, session, submit

MANY_BLOCKS = 32 << 20
"""More than the buffers of both ends can hold: a sender waits for the reader."""


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[Papers]:
    made = Papers(tmp_path)
    yield made
    made.close()


def parts_of(exchange: Exchange) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes, bytes]]]:
    """Fields and files of a form, as a parser that is not ours reads them."""
    fields: list[tuple[bytes, bytes]] = []
    files: list[tuple[bytes, bytes, bytes]] = []

    def on_field(field: Any) -> None:
        fields.append((field.field_name, field.value))

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        files.append((file.field_name, file.file_name, file.file_object.read()))
        file.close()

    headers = {name.title(): value.encode() for name, value in exchange.headers.items()}
    parse_form(headers, io.BytesIO(exchange.body), on_field, on_file)
    return fields, files


# -- the form -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_form_carries_the_fields_and_the_very_bytes(papers: Papers, size: int) -> None:
    """A parser finds every field and the file's bytes unchanged, in a body of exactly the announced length."""
    content = os.urandom(size)
    with RawServer(answer(201)) as server, session(server.origin) as one:
        told = submit(one, papers.original(content), {"targetLang": "fr", "tone": "très poli\r\n--x"})
        sent = server.request()

    assert told.status == 201
    assert (sent.method, sent.target, sent.headers["x-api-key"]) == ("POST", "/v1/translate", KEY)
    assert "transfer-encoding" not in sent.headers
    assert len(sent.body) == sent.size == int(sent.headers["content-length"])
    fields, files = parts_of(sent)
    assert fields == [(b"targetLang", b"fr"), (b"tone", "très poli\r\n--x".encode())]
    assert files == [(b"file", b"drop.0123456789abcdef-1.txt", content)]


@pytest.fixture(scope="module")
def way() -> Iterator[tuple[RawServer, Session]]:
    with RawServer(answer(201)) as server, session(server.origin) as one:
        yield server, one


@given(
    name=st.text(st.characters(), min_size=1, max_size=20),
    value=st.text(st.sampled_from('"\r\n-:;=\\\0ab\ud800é') | st.characters(), max_size=50),
)
def test_hostile_fields_stay_in_their_place(
    name: str, value: str, way: tuple[RawServer, Session], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever an option is called and says, the form has one field and one file, and no other part."""
    server, one = way
    papers = Papers(tmp_path_factory.mktemp("papers"))
    submit(one, papers.original(b"content"), {name: value, "last": "1"})
    sent = server.request(len(server.requests) - 1)
    papers.close()
    fields, files = parts_of(sent)

    assert len(fields) == 2
    assert fields[0][1] == value.encode("utf-8", "replace")
    assert fields[1] == (b"last", b"1")
    assert files == [(b"file", b"drop.0123456789abcdef-1.txt", b"content")]
    assert sent.body.count(b"content-disposition") == 3 + (name + value).count("content-disposition")


def test_large_file_is_streamed(papers: Papers) -> None:
    """Two hundred megabytes go out while memory holds a few blocks of them."""
    size = 200_000_000
    original = papers.original(size)
    with RawServer(answer(201)) as server, session(server.origin) as one:
        tracemalloc.start()
        try:
            submit(one, original)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        sent = server.request()

    assert sent.size > size
    assert one.meter.up == sent.size
    # The server of this test keeps eight of them by itself.
    assert peak < 30_000_000


def test_sha_of_what_arrived_is_that_of_the_original(papers: Papers) -> None:
    """The bytes between the two boundaries are the bytes that were hashed at the claim."""
    original = papers.original(os.urandom(3_000_000))
    with RawServer(answer(201)) as server, session(server.origin) as one:
        submit(one, original)
        _, files = parts_of(server.request())

    assert hashlib.sha256(files[0][2]).hexdigest() == original.sha256


# -- once, and over a connection of its own -----------------------------------------------------------------


def test_no_request_reuses_a_connection(papers: Papers) -> None:
    """A submission has a connection of its own, as has every call, although the service would keep them."""
    with RawServer(answer(200, {}, {"connection": "keep-alive"})) as server, session(server.origin) as one:
        one.call("status", "GET", "/a")
        submit(one, papers.original(b"one"))
        submit(one, papers.original(b"two"))
        one.call("status", "GET", "/b")

    by_connection = [(seen.connection, seen.target) for seen in server.requests]
    assert by_connection == [(1, "/a"), (2, "/v1/translate"), (3, "/v1/translate"), (4, "/b")]


@pytest.mark.parametrize(
    "script",
    [
        answer(429),
        answer(500),
        answer(503, b"", {"retry-after": "0"}),
        answer(302, b"", {"location": "/elsewhere"}),
        answer(307, b"", {"location": "/elsewhere"}),
        answer(401, b"", {"www-authenticate": 'Basic realm="x"'}),
        answer(425),
        hang_up,
        break_off,
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        raw(b"what is this\r\n\r\n"),
        raw(message(421)),
    ],
)
def test_submission_goes_out_once_whatever_happens(papers: Papers, script: Script) -> None:
    """No answer and no breakdown makes the transport send a billable request again."""
    with RawServer(script) as server, session(server.origin, read_s=0.5) as one:
        with suppress(UncertainError):
            submit(one, papers.original(b"content"))
        server.request()

    assert len(server.requests) == server.connections == 1


# -- proven not accepted ------------------------------------------------------------------------------------


def test_refused_connection_is_not_accepted(papers: Papers) -> None:
    """Nobody listens: the service cannot have taken the file."""
    with session(f"http://127.0.0.1:{refused_port()}") as one, pytest.raises(TransientError) as caught:
        submit(one, papers.original(b"content"))

    assert caught.value.code == "service.unreachable"


def no_names(*_: object, **__: object) -> list[Any]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("base", ["https://api.example.org", "https://a..b", f"https://{'a' * 64}.example"])
def test_unknown_name_is_not_accepted(papers: Papers, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    """A name that nobody knows, or that is none, proves it as well."""
    if ".." not in base and "aaa" not in base:
        monkeypatch.setattr(socket, "getaddrinfo", no_names)
    with session(base) as one:
        with pytest.raises(TransientError) as on_submit:
            submit(one, papers.original(b"content"))
        with pytest.raises(TransientError) as on_call:
            one.call("status", "GET", "/")

    assert on_submit.value.code == on_call.value.code == "service.unreachable"


def test_untrusted_certificate_is_not_accepted(papers: Papers) -> None:
    """A certificate that nobody vouches for ends the connection before a byte of the request."""
    with RawServer(answer(201), tls=True) as server:
        with session(server.origin) as one, pytest.raises(TransientError) as caught:
            submit(one, papers.original(b"content"))
        seen = list(server.requests)

    assert "certificate" in str(caught.value).lower()
    assert seen == []


def test_service_without_tls_is_not_accepted(papers: Papers) -> None:
    """An https address behind which nobody speaks TLS is an outage."""
    with RawServer(raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        base = server.origin.replace("http:", "https:")
        with session(base, connect_s=0.3) as one, pytest.raises(TransientError):
            submit(one, papers.original(b"content"))
        seen = list(server.requests)

    assert seen == []


def reading_then(first: int, act: Callable[[Exchange], None]) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.read(first)
        act(exchange)

    return script


@pytest.mark.parametrize("act", [Exchange.reset, Exchange.close])
def test_break_in_the_middle_is_not_accepted(papers: Papers, act: Callable[[Exchange], None]) -> None:
    """The connection breaks while the body is under way: its last byte was never given out."""
    with RawServer(reading_then(1 << 20, act)) as server, session(server.origin) as one:
        with pytest.raises(TransientError):
            submit(one, papers.original(MANY_BLOCKS))
        sent = server.request()

    assert not sent.whole


def test_break_in_a_document_of_one_block_is_not_accepted(papers: Papers) -> None:
    """The same holds for a short document, as long as the connection has not taken all of it."""
    with RawServer(reading_then(1000, Exchange.reset), smallest_buffers=True) as server:
        with session(server.origin) as one, pytest.raises(TransientError):
            submit(one, papers.original(b"x" * 900_000))
        sent = server.request()

    assert not sent.whole


def test_reader_that_stops_is_not_accepted(papers: Papers) -> None:
    """A service that stops reading is left after a silence, with the last block still here."""
    with (
        RawServer(reading_then(1000, Exchange.stall)) as server,
        session(server.origin, read_s=0.3) as one,
        pytest.raises(TransientError) as caught,
    ):
        submit(one, papers.original(MANY_BLOCKS))

    assert "WriteTimeout" in str(caught.value)


def test_changed_document_is_never_completed(papers: Papers) -> None:
    """Somebody writes to the original during the upload: its end and the closing boundary never go out."""

    def change(exchange: Exchange) -> None:
        with papers.path.open("r+b") as file:
            file.write(b"changed")
        exchange.read()

    with RawServer(reading_then(1 << 20, change)) as server, session(server.origin) as one:
        with pytest.raises(DocumentChangedError):
            submit(one, papers.original(MANY_BLOCKS))
        sent = server.request()

    assert sent.size < MANY_BLOCKS
    assert boundary_of(sent) + b"--" not in sent.ending


def test_stop_cuts_an_upload_before_its_end(papers: Papers) -> None:
    """The daemon stops during the upload: proven not accepted, because the end never goes out."""

    def stop(exchange: Exchange) -> None:
        papers.stopping.set()
        exchange.read()

    with RawServer(reading_then(1 << 20, stop)) as server, session(server.origin) as one:
        with pytest.raises(TransferCutError):
            submit(one, papers.original(MANY_BLOCKS))
        sent = server.request()

    assert sent.size < MANY_BLOCKS
    assert boundary_of(sent) + b"--" not in sent.ending


def boundary_of(exchange: Exchange) -> bytes:
    return exchange.headers["content-type"].partition("boundary=")[2].encode()


# -- nobody knows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        hang_up,
        break_off,
        silence,
        raw(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{"),
        raw(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\r\n"),
        raw(b"HTTP/1.1 201 Created\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}"),
        raw(b"SMTP ready\r\n\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
        answer(201, b"not gzip", {"content-encoding": "gzip"}),
        answer(201, b"x" * ((4 << 20) + 1)),
    ],
)
def test_no_whole_answer_after_the_whole_body_is_uncertain(papers: Papers, script: Script) -> None:
    """Once the last byte is out, only a whole answer tells what became of it."""
    with RawServer(script) as server, session(server.origin, read_s=0.5) as one:
        with pytest.raises(UncertainError) as caught:
            submit(one, papers.original(b"content"))
        sent = server.request()

    assert sent.whole
    assert caught.value.code == "submit.uncertain"
    assert caught.value.facts["reason"]


def test_uncompressed_answer_was_asked_for_yet_a_compressed_one_is_read(papers: Papers) -> None:
    """The reference of a paid job is not thrown away over an encoding that nobody wanted."""
    body = gzip.compress(b'{"ref": 1}')
    with RawServer(answer(201, body, {"content-encoding": "gzip"})) as server, session(server.origin) as one:
        told = submit(one, papers.original(b"content"))
        sent = server.request()

    assert told.json() == {"ref": 1}
    assert sent.headers["accept-encoding"] == "identity"


# -- early and late answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [Exchange.reset, Exchange.close, Exchange.read])
def test_early_answer_is_read(papers: Papers, act: Callable[[Exchange], None]) -> None:
    """A service that has seen enough answers in the middle of the body, whatever it does afterwards."""

    def script(exchange: Exchange) -> None:
        exchange.read(1 << 20)
        exchange.send(message(413, {"error": "too large"}))
        act(exchange)

    with RawServer(script) as server, session(server.origin) as one:
        told = submit(one, papers.original(MANY_BLOCKS))
        sent = server.request()

    assert (told.status, told.json()) == (413, {"error": "too large"})
    assert told.sent_whole is sent.whole


def test_early_error_cut_short_still_tells_its_status(papers: Papers) -> None:
    """Of an error whose body breaks off, the status is known, and it is enough."""

    def script(exchange: Exchange) -> None:
        exchange.read(1 << 20)
        exchange.send(head(413, {"content-length": "500"}) + b'{"err')
        exchange.reset()

    with RawServer(script) as server, session(server.origin) as one:
        told = submit(one, papers.original(MANY_BLOCKS))

    assert (told.status, told.json()) == (413, None)
