"""Calls with the key, and what holds for every request. Real sockets throughout."""

import gzip
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import BlockedError, NoRoomError, TransferCutError, TransientError, UncertainError
from daemon.replies import Answer, retry_after
from daemon.settings import Rate, Secret
from tests.rawserver import (
    Exchange,
    RawServer,
    Script,
    answer,
    break_off,
    hang_up,
    head,
    in_turn,
    message,
    raw,
    silence,
)
from tests.sessions import KEY, At, Papers, Racing, refused_port, session, submit, texts_of


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[Papers]:
    made = Papers(tmp_path)
    yield made
    made.close()


# -- what an answer may be ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "taken"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_answers_are_bounded(size: int, taken: bool) -> None:
    """Four megabytes are read of an answer; one more and it is none."""
    with RawServer(answer(200, b"x" * size)) as server, session(server.origin) as one:
        try:
            told = len(one.call("status", "GET", "/").body)
        except TransientError:
            told = -1

    assert told == (size if taken else -1)


def test_compressed_bomb_is_refused() -> None:
    """The bound holds for what comes out of an encoding as well."""
    bomb = gzip.compress(b"x" * (64 << 20))
    with (
        RawServer(answer(200, bomb, {"content-encoding": "gzip"})) as server,
        session(server.origin) as one,
        pytest.raises(TransientError) as caught,
    ):
        one.call("status", "GET", "/")

    assert "4 MiB" in str(caught.value)


def test_endless_head_is_refused() -> None:
    """A head that never ends is left after a hundred kilobytes or so."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            exchange.send(f"x-{number}: {'y' * 1000}\r\n".encode())

    with RawServer(script) as server, session(server.origin) as one, pytest.raises(TransientError):
        one.call("status", "GET", "/")


def test_answers_that_are_no_json_are_none() -> None:
    """Text, broken JSON, broken UTF-8 and JSON too deep to be read count as no JSON, and break nothing."""
    bodies = [b"", b"<html>", b'{"a":', b'"\xff"', b"[" * 200_000]
    told = [Answer(status=200, headers={}, body=body).json() for body in bodies]

    assert told == [None] * len(bodies)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("1.5", 1.5),
        ("-30", 0.0),
        ("315360000", 315_360_000.0),
        (format_datetime(At().now() + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(At().now() - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(At().now() + timedelta(days=3650), usegmt=True), 315_360_000.0),
        ("Sun, 01 Mar 2026 13:01:30 +0100", 90.0),
        ("soon", None),
        ("nan", None),
        ("5, 5", None),
        ("Sun, 01 Mar 2026 12:01:30 -0000", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_every_form(text: str, seconds: float | None) -> None:
    """Seconds and HTTP dates count, never below zero; what cannot be read is as if it were not there."""
    with RawServer(answer(429, b"", {"retry-after": text})) as server, session(server.origin, clock=At()) as one:
        told = one.call("status", "GET", "/")

    assert told.retry_after_s == seconds


@given(
    text=st.text(max_size=60)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} (Jan|Dec) \d{1,6} \d\d:\d\d:\d\d [+-]\d{1,9}", fullmatch=True)
)
def test_retry_after_is_a_number_or_nothing(text: str) -> None:
    """No text in that header makes anything but a number of seconds of it, or none."""
    told = retry_after(text, At().now())

    assert told is None or told >= 0.0


def test_answer_that_drips_is_left(papers: Papers) -> None:
    """An answer of which a byte comes now and then is given up, long before it would be whole."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(200, {"content-length": "100000"}))
        exchange.drip(b" " * 100_000, 0.01)

    with RawServer(script) as server, session(server.origin, clock=Racing(), read_s=20.0) as one:
        began = time.monotonic()
        with pytest.raises(TransientError):
            one.call("status", "GET", "/")
        with pytest.raises(UncertainError):
            submit(one, papers.original(b"content"))
        took = time.monotonic() - began

    assert took < 10


def test_answer_in_many_pieces_is_put_together() -> None:
    """Slow is not wrong: an answer that comes byte by byte within its time is whole."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.drip(message(200, {"state": "ready"}), 0.001)

    with RawServer(script) as server, session(server.origin, read_s=1.0) as one:
        told = one.call("status", "GET", "/")

    assert told.json() == {"state": "ready"}


# -- where requests go --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(papers: Papers, status: int) -> None:
    """An answer that sends elsewhere is an answer; nothing and no key goes there."""
    with (
        RawServer(answer(200)) as elsewhere,
        RawServer(answer(status, b"", {"location": elsewhere.origin})) as server,
        session(server.origin) as one,
    ):
        called, submitted = one.call("status", "GET", "/"), submit(one, papers.original(b"content"))

    assert (called.status, submitted.status) == (status, status)
    assert elsewhere.connections == 0


def test_proxies_of_the_environment_are_not_used(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment names, documents and keys go to the service directly."""
    with RawServer(answer(502)) as proxy, RawServer(answer(200, {})) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with session(server.origin) as one:
            told = one.call("status", "GET", "/").status, submit(one, papers.original(b"content")).status

    assert told == (200, 200)
    assert proxy.connections == 0


def test_netrc_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No password of the account we run under goes to a service."""
    (tmp_path / ".netrc").write_text("default login somebody password something\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with RawServer(answer(200)) as server, session(server.origin) as one:
        one.call("status", "GET", "/")
        sent = server.request()

    assert "authorization" not in sent.headers


def test_cookies_are_not_kept() -> None:
    """Requests have no memory: what a service plants in one does not come back with the next."""
    with RawServer(answer(200, b"", {"set-cookie": "session=1; Path=/"})) as server, session(server.origin) as one:
        one.call("status", "GET", "/")
        one.call("status", "GET", "/")
        second = server.request(1)

    assert "cookie" not in second.headers


def test_base_path_stays_before_every_path(papers: Papers) -> None:
    """A service below a path is asked below it."""
    with RawServer(answer(200)) as server, session(f"{server.origin}/below/") as one:
        one.call("status", "GET", "/v1/x?a=b")
        submit(one, papers.original(b"content"))

    assert [seen.target for seen in server.requests] == ["/below/v1/x?a=b", "/below/v1/translate"]


@pytest.mark.parametrize("path", ["/v1/\n", "/v1/\ud800", "/" + "x" * 70_000])
def test_impossible_path_is_an_error_of_ours(path: str) -> None:
    """A path that cannot be sent, as from a reference that nobody expected, is told as such."""
    with session(f"http://127.0.0.1:{refused_port()}") as one, pytest.raises(TransientError):
        one.call("status", "GET", path)


# -- windows and the key ------------------------------------------------------------------------------------


def test_full_window_sends_nothing(papers: Papers) -> None:
    """Without room in the window not even a connection is opened."""
    windows = {"submit": Rate(requests=1, per=3600.0), "status": Rate(requests=2, per=3600.0)}
    with RawServer(answer(200)) as server, session(server.origin, windows=windows) as one:
        one.call("status", "GET", "/")
        one.call("status", "GET", "/")
        submit(one, papers.original(b"content"))
        with pytest.raises(NoRoomError):
            one.call("status", "GET", "/")
        with pytest.raises(NoRoomError):
            submit(one, papers.original(b"content"))

    assert len(server.requests) == server.connections == 3


@pytest.mark.parametrize("script", [hang_up, break_off, answer(500), raw(b"nonsense\r\n\r\n")])
def test_failed_requests_count(papers: Papers, script: Script) -> None:
    """A window counts every request that was sent, whatever came of it."""
    windows = {"*": Rate(requests=2, per=3600.0)}
    with RawServer(script) as server, session(server.origin, windows=windows) as one:
        with suppress(TransientError):
            one.call("status", "GET", "/")
        with suppress(UncertainError):
            submit(one, papers.original(b"content"))
        with pytest.raises(NoRoomError):
            one.call("status", "GET", "/")

    assert len(server.requests) == 2


def test_slots_come_back_after_interrupted_uploads(papers: Papers) -> None:
    """An upload that was cut ends its request in the window: it does not count as under way for ever."""
    windows = {"submit": Rate(requests=1, per=0.001)}
    papers.stopping.set()
    with RawServer(answer(201)) as server, session(server.origin, windows=windows) as one:
        papers.stopping.clear()
        original = papers.original(b"content")
        papers.stopping.set()
        with pytest.raises(TransferCutError):
            submit(one, original)
        papers.stopping.clear()
        threading.Event().wait(0.01)
        told = submit(one, original)

    assert told.status == 201


def test_missing_key_blocks_before_anything_is_sent(papers: Papers) -> None:
    """Without a key there is no request, and the error says where the key was looked for."""

    def no_key() -> Mapping[str, str]:
        return {"x-api-key": Secret(env="BABELDROP_TEST_NO_SUCH_KEY").read()}

    with RawServer(answer(200)) as server, session(server.origin, auth=no_key) as one:
        with pytest.raises(BlockedError, match="BABELDROP_TEST_NO_SUCH_KEY"):
            one.call("status", "GET", "/")
        with pytest.raises(BlockedError):
            submit(one, papers.original(b"content"))

    assert server.connections == 0


def test_key_is_read_anew_for_every_request() -> None:
    """A renewed key is used from the next request on."""
    keys = iter(["one-key-0000", "two-keys-0000"])
    with RawServer(answer(200)) as server, session(server.origin, auth=lambda: {"x-api-key": next(keys)}) as one:
        one.call("status", "GET", "/")
        one.call("status", "GET", "/")

    assert [seen.headers["x-api-key"] for seen in server.requests] == ["one-key-0000", "two-keys-0000"]


@pytest.mark.parametrize(
    "script",
    [hang_up, break_off, silence, raw(b"HTTP/1.1 abc\r\n\r\n"), raw(head(200, {"content-length": "9"}) + b"x")],
)
def test_errors_never_show_the_key(papers: Papers, script: Script) -> None:
    """Neither an error nor what caused it, nor the traceback, holds the key or the address."""
    with RawServer(script) as server, session(server.origin, read_s=0.3) as one:
        with pytest.raises(TransientError) as on_call:
            one.call("status", "GET", "/v1/secret-path")
        with pytest.raises(UncertainError) as on_submit:
            submit(one, papers.original(b"content"))
    texts = texts_of(on_call.value) + texts_of(on_submit.value)

    assert KEY not in texts
    assert "secret-path" not in "\n".join(line for line in texts.splitlines() if "one.call(" not in line)


@pytest.mark.parametrize("form", ["{}", "Bearer {}"])
def test_key_in_an_answer_is_taken_out(papers: Papers, form: str) -> None:
    """A service that repeats the key in its words does not bring it into sidecars and logs."""
    repeated = {"message": f"Invalid api key {KEY}"}
    with (
        RawServer(answer(401, repeated)) as server,
        session(server.origin, auth=lambda: {"authorization": form.format(KEY)}) as one,
    ):
        told = [one.call("status", "GET", "/"), submit(one, papers.original(b"content"))]

    assert [one.json() for one in told] == [{"message": "Invalid api key [redacted]"}] * 2


def test_connection_that_the_service_closes_costs_nothing() -> None:
    """A service that closes behind each answer, or says that it keeps what it closes, disturbs no later call."""

    def closes(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(message(200, {}, {"connection": "keep-alive"}))
        exchange.close()

    with RawServer(closes) as server, session(server.origin) as one:
        told = [one.call("status", "GET", "/").status for _ in range(3)]

    assert told == [200, 200, 200]


def test_bytes_behind_an_answer_are_no_answer() -> None:
    """What a broken service sends behind one answer is never taken for the answer to another request."""

    def twice(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(message(200) + message(200, {"status": "ready"}))

    with RawServer(in_turn(twice, answer(404))) as server, session(server.origin) as one:
        told = [one.call("status", "GET", "/").status for _ in range(2)]

    assert told == [200, 404]
