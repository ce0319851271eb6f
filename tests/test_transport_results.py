"""Fetching results: where the key may go, what counts as whole, and what is never fetched. Real sockets."""

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import LostError, NoRoomError, ServiceError, TransferCutError, TransientError
from daemon.hosts import is_public, permit
from daemon.replies import Pace
from daemon.settings import Rate, result_host
from daemon.spool import Sink, Spool
from daemon.transport import Session
from tests.clocks import FakeClock
from tests.rawserver import (
    CERTIFICATE,
    Exchange,
    RawServer,
    Script,
    answer,
    break_off,
    hang_up,
    head,
    in_turn,
    raw,
    silence,
)
from tests.sessions import KEY, Racing, refused_port, session, texts_of

MOST = 10_000_000
SIGNATURE = "X-Amz-Signature=secret-signature"
CONTENT = os.urandom(300_000)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Spool(str(tmp_path)).sink("job", 0) as one:
        yield one


def content_of(sink: Sink) -> bytes:
    return sink.read_at(0, sink.size)


def fetched(script: Script, sink: Sink, **options: Any) -> ServiceError | None:
    """What one download from the service itself ended with; None when it was good."""
    with RawServer(script) as server, session(server.origin, **options) as one:
        try:
            one.download(f"{server.origin}/result?{SIGNATURE}", sink, most=MOST)
        except ServiceError as error:
            return error
    return None


def test_own_origin_gets_the_key(sink: Sink) -> None:
    """A result at the service itself is fetched with the key and arrives byte for byte."""
    with RawServer(answer(200, CONTENT, {"content-type": "text/plain"})) as server, session(server.origin) as one:
        told = one.download(f"{server.origin}/result?a=%2F&b=c", sink, most=MOST)
        sent = server.request()

    assert (told.status, told.body, told.headers["content-type"]) == (200, b"", "text/plain")
    assert content_of(sink) == CONTENT
    assert (sent.method, sent.target, sent.headers["x-api-key"]) == ("GET", "/result?a=%2F&b=c", KEY)
    assert one.meter.down == len(CONTENT)


def test_permitted_host_gets_the_request_without_the_key(sink: Sink) -> None:
    """A host that the administrator named gives the result over http as well, and never sees the key."""
    with RawServer(answer(200)) as own, RawServer(answer(200, CONTENT)) as storage:
        with session(own.origin, result_hosts=[storage.host]) as one:
            one.download(f"{storage.origin}/result", sink, most=MOST)
        sent = storage.request()

    assert content_of(sink) == CONTENT
    assert KEY not in sent.head.decode()
    assert {"x-api-key", "authorization", "cookie", "referer"} & set(sent.headers) == set()
    assert own.connections == 0


@pytest.mark.parametrize("named", ["{host}", "{host}:{port}"])
def test_other_port_of_the_own_host_is_foreign(sink: Sink, named: str) -> None:
    """Another port may be another program: no key goes there, even where it is permitted."""
    with RawServer(answer(200)) as own, RawServer(answer(200, CONTENT)) as other:
        hosts = [named.format(host="127.0.0.1", port=other.port)]
        with session(own.origin, result_hosts=hosts) as one:
            one.download(f"{other.origin}/result", sink, most=MOST)
        sent = other.request()

    assert KEY not in sent.head.decode()


@pytest.mark.parametrize(
    "form",
    [
        "http://127.0.0.1:{own}@127.0.0.1:{other}/result",
        "http://x:y@127.0.0.1:{other}/result",
        "http://127.0.0.1:{other}#@127.0.0.1:{own}/result",
        "http://127.0.0.1:{other}?@127.0.0.1:{own}/result",
        "http://127.0.0.1:{other}/@127.0.0.1:{own}/result",
        "http://127.0.0.1:{other}\\@127.0.0.1:{own}/result",
        "http://localhost:{other}/result",
        "http://127.1:{other}/result",
        "//127.0.0.1:{other}/result",
        "https://127.0.0.1:{own}/result",
    ],
)
def test_no_spelling_brings_the_key_to_another_host(sink: Sink, form: str) -> None:
    """However an address is written, the key goes to the configured origin or nowhere."""
    hosts = ["127.0.0.1", "localhost"]
    with RawServer(answer(200)) as own, RawServer(answer(200)) as other:
        with session(own.origin, result_hosts=hosts, connect_s=0.5) as one, suppress(ServiceError):
            one.download(form.format(own=own.port, other=other.port), sink, most=MOST)
        arrived = [seen.head.decode() for seen in other.requests]

    assert [text for text in arrived if KEY in text] == []


def test_only_the_configured_origin_is_own() -> None:
    """Scheme, host and port decide; what merely looks like the origin is not it."""
    own = ["https://api.example.com/x", "https://API.example.com:443/", "HTTPS://api.example.com?a=b"]
    foreign = [
        "http://api.example.com/",
        "https://api.example.com:444/",
        "https://api.example.com.evil/",
        "https://api.example.com./",
        "https://api.example.com@evil.example/",
        "https://evil.example/https://api.example.com/",
        "https://evil.example#https://api.example.com/",
        "https://xapi.example.com/",
        "https://xn--zzzzzz9999/",
        "api.example.com",
        "/v1/result",
        "https://api.example.com:99999999999999999999x/",
        "",
        "\ud800",
        "\n",
    ]
    with session("https://api.example.com/base") as one:
        judged = [one.is_own(url) for url in own], [one.is_own(url) for url in foreign]

    assert judged == ([True] * len(own), [False] * len(foreign))


# -- foreign hosts that are not asked -----------------------------------------------------------------------


def test_plain_http_elsewhere_is_refused(sink: Sink) -> None:
    """Without a word of the administrator a result comes over https or not at all."""
    with (
        RawServer(answer(200)) as own,
        RawServer(answer(200)) as other,
        session(own.origin) as one,
        pytest.raises(LostError) as caught,
    ):
        one.download(f"{other.origin}/result?{SIGNATURE}", sink, most=MOST)

    assert caught.value.code == "result.refused"
    assert other.connections == 0
    assert "secret-signature" not in texts_of(caught.value)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "10.0.0.1", "192.168.1.1",
     "169.254.169.254", "100.64.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]",
     "[fe80::1]", "[fd00::1]", "[::127.0.0.1]"],
)  # fmt: skip
def test_private_addresses_are_refused(sink: Sink, host: str) -> None:
    """No address of a result leads into our own network, in whatever way it is written."""
    with (
        RawServer(answer(200), tls=True) as inside,
        session("https://api.example.com") as one,
        pytest.raises(LostError) as caught,
    ):
        one.download(f"https://{host}:{inside.port}/result", sink, most=MOST)

    assert caught.value.code == "result.refused"
    assert inside.connections == 0


@pytest.mark.parametrize("scheme", ["ftp", "file", "ws", "gopher", "data", ""])
def test_other_schemes_are_refused(sink: Sink, scheme: str) -> None:
    """A result is fetched over http and https alone, also from a host that is permitted."""
    hosts = ["files.example.org"]
    with session("https://api.example.com", result_hosts=hosts) as one, pytest.raises(LostError) as caught:
        one.download(f"{scheme}://files.example.org/result", sink, most=MOST)

    assert caught.value.code == "result.refused"


@pytest.mark.parametrize("allowed", ["[::1]", "[::1]:9000", "Files.Example.org", "files.example.org:9000"])
def test_permitted_hosts_are_found_as_they_are_configured(allowed: str) -> None:
    """The spelling that the configuration takes is the one that counts, for IPv6 and for upper case too."""
    hosts = [result_host(allowed)]
    for host in ("::1", "files.example.org"):
        if host in allowed.lower():
            permit("http", host, 9000, hosts)

    with pytest.raises(LostError):
        permit("http", "127.0.0.1", 9000, hosts)


def resolver(*answers: str) -> Callable[..., list[Any]]:
    """A name service that gives these addresses in turn, the last one from then on."""
    left = list(answers)

    def look_up(_host: object, port: object, *_: object, **__: object) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return look_up


def test_public_host_over_https_gives_results(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage host of which nobody was told is fetched from when it is public and proves its name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setattr(socket, "getaddrinfo", resolver("93.184.215.14", "127.0.0.1"))
    with RawServer(answer(200, CONTENT), tls=True) as storage, session("https://api.example.com") as one:
        one.download(f"https://files.example.org:{storage.port}/result", sink, most=MOST)
        sent = storage.request()

    assert content_of(sink) == CONTENT
    assert KEY not in sent.head.decode()


def test_unknown_host_is_asked_for_again(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be looked up now may be there later."""

    def fails(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with session("https://api.example.com") as one, pytest.raises(TransientError) as caught:
        one.download("https://files.example.org/result", sink, most=MOST)

    assert caught.value.code == "service.unreachable"


@pytest.fixture(scope="module")
def way() -> Iterator[Session]:
    with session("https://api.example.com") as one:
        yield one


STARTS = st.sampled_from(["", "https://", "http://", "https://xn--", "https://[", "//"])


@given(start=STARTS, rest=st.text(max_size=30))
def test_any_text_as_an_address_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, way: Session, start: str, rest: str
) -> None:
    """Whatever a service calls an address, the caller meets an error of the service, never another."""
    spool = Spool(str(tmp_path_factory.mktemp("spool")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolver("127.0.0.1"))
        with spool.sink("job", 0) as sink, pytest.raises(ServiceError):
            way.download(start + rest, sink, most=MOST)


@given(st.ip_addresses(v=4))
def test_forms_of_an_address_are_judged_alike(address: Any) -> None:
    """An IPv4 address inside an IPv6 one is as public as it is by itself."""
    number = int(address)
    forms = [f"::ffff:{address}", f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}"]
    forms.append(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")

    assert {is_public(form) for form in forms} == {is_public(str(address))}


# -- whole or not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        raw(head(200, {"content-length": "1000"}) + b"x" * 999),
        raw(head(200, {"transfer-encoding": "chunked"}) + b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        raw(head(200, {"transfer-encoding": "chunked"}) + b"3e8\r\n" + b"x" * 999),
        raw(head(200) + b"x" * 1000),
        raw(head(200, {"connection": "close"}) + b"x" * 1000),
        raw(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1000),
        raw(head(200, {"content-length": "1000, 999"}) + b"x" * 1000),
        raw(head(200, {"transfer-encoding": "chunked"}) + b"no number\r\n"),
        hang_up,
        break_off,
        silence,
    ],
    ids=[
        "length",
        "chunks",
        "chunk",
        "close",
        "close-said",
        "http-1.0",
        "lengths",
        "no-chunk",
        "none",
        "reset",
        "mute",
    ],
)
def test_cut_results_are_noticed(sink: Sink, script: Script) -> None:
    """A body that ends early, or whose end proves nothing, is no result."""
    error = fetched(script, sink, read_s=0.3)

    assert isinstance(error, TransientError)
    assert error.code == "result.cut"
    assert "secret-signature" not in texts_of(error)


@pytest.mark.parametrize(
    "script",
    [
        answer(200, CONTENT),
        raw(
            head(200, {"transfer-encoding": "chunked"})
            + b"".join(f"{len(one):x}\r\n".encode() + one + b"\r\n" for one in (CONTENT[:7], CONTENT[7:]))
            + b"0\r\n\r\n"
        ),
        answer(200, CONTENT, {"content-encoding": "identity"}),
    ],
    ids=["length", "chunks", "identity"],
)
def test_whole_results_are_taken(sink: Sink, script: Script) -> None:
    """Announced length and closed chunks both prove an end."""
    error = fetched(script, sink)

    assert error is None
    assert content_of(sink) == CONTENT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip", "odd"])
def test_encoded_results_are_refused(sink: Sink, encoding: str) -> None:
    """What is stored must be the document: an encoding that was not asked for is not unpacked by guess."""
    error = fetched(answer(200, gzip.compress(CONTENT), {"content-encoding": encoding}), sink)

    assert isinstance(error, TransientError)
    assert error.code == "service.unreadable"
    assert sink.size == 0


def test_larger_than_allowed_is_left(sink: Sink) -> None:
    """An endless body ends where the bound is, not where the disk does."""

    def endless(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(200, {"transfer-encoding": "chunked"}))
        while True:
            exchange.send(b"100000\r\n" + bytes(1 << 20) + b"\r\n")

    error = fetched(endless, sink)

    assert isinstance(error, TransientError)
    assert (error.code, error.facts) == ("result.too_large", {"limit": "10,000,000"})
    assert sink.size < MOST + (1 << 20)


def test_second_try_forgets_the_first(sink: Sink) -> None:
    """A try after a cut one holds its own bytes alone, also when it is the shorter one."""
    cut = raw(head(200, {"content-length": "1000000"}) + b"x" * 500_000)
    with RawServer(in_turn(cut, answer(200, CONTENT))) as server, session(server.origin) as one:
        with pytest.raises(TransientError):
            one.download(f"{server.origin}/result", sink, most=MOST)
        left = sink.size
        one.download(f"{server.origin}/result", sink, most=MOST)

    assert left == 500_000
    assert content_of(sink) == CONTENT


def test_errors_are_told_with_their_body_and_write_nothing(sink: Sink) -> None:
    """An answer that is no success comes back as it is; the sink stays as it was."""
    script = answer(403, {"error": "expired"}, {"retry-after": "7"})
    with RawServer(script) as server, session(server.origin) as one:
        told = one.download(f"{server.origin}/result", sink, most=MOST)

    assert (told.status, told.json(), told.retry_after_s) == (403, {"error": "expired"}, 7.0)
    assert sink.size == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_results_are_not_followed(sink: Sink, status: int) -> None:
    """A result that sends elsewhere is told as such; neither request nor key goes there."""
    with RawServer(answer(200, CONTENT)) as elsewhere:
        script = answer(status, b"", {"location": f"{elsewhere.origin}/result"})
        with RawServer(script) as server, session(server.origin, result_hosts=[elsewhere.host]) as one:
            told = one.download(f"{server.origin}/result", sink, most=MOST)

    assert told.status == status
    assert elsewhere.connections == 0


# -- time ---------------------------------------------------------------------------------------------------


def test_result_that_drips_is_left(sink: Sink) -> None:
    """A result of which a byte comes now and then is given up after a minute or two."""

    def drip(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(200, {"content-length": "100000"}))
        exchange.drip(bytes(100_000), 0.01)

    began = time.monotonic()
    error = fetched(drip, sink, clock=Racing())
    took = time.monotonic() - began

    assert isinstance(error, TransientError)
    assert error.code == "result.cut"
    assert took < 10


def test_result_that_crawls_after_a_good_start_is_left(sink: Sink) -> None:
    """What came quickly before does not excuse a result that hardly moves now."""

    def crawl(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(200, {"content-length": "9000000"}) + bytes(8_000_000))
        exchange.drip(bytes(1_000_000), 0.01)

    began = time.monotonic()
    error = fetched(crawl, sink, clock=Racing())
    took = time.monotonic() - began

    assert error is not None
    assert error.code == "result.cut"
    assert took < 10


def test_long_steady_result_is_taken() -> None:
    """Many minutes are no reason to give up what keeps coming; one minute with too little is."""
    clock = FakeClock()
    pace = Pace(clock)
    kept = []
    for count in [*[60_000] * 100, 59_999, 60_000]:
        clock.advance(30.0)
        kept.append(pace.keeps(count // 2))
        clock.advance(30.0)
        kept.append(pace.keeps(count - count // 2))

    assert kept == [True] * 201 + [False] + [True] * 2


def test_stop_cuts_a_download(sink: Sink) -> None:
    """A daemon that ends does not wait for the rest of a film."""
    stopping = threading.Event()

    def film(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(200, {"content-length": str(MOST)}) + bytes(100_000))
        stopping.set()
        exchange.send(bytes(100_000))
        exchange.wait()

    with RawServer(film) as server, session(server.origin, stopping=stopping) as one, pytest.raises(TransferCutError):
        one.download(f"{server.origin}/result", sink, most=MOST)


# -- windows ------------------------------------------------------------------------------------------------


def test_own_results_count_in_the_window(sink: Sink) -> None:
    """A download with the key is a request with the key: without room nothing is sent."""
    windows = {"fetch": Rate(requests=1, per=3600.0)}
    with RawServer(answer(200, CONTENT)) as server, session(server.origin, windows=windows) as one:
        one.download(f"{server.origin}/result", sink, most=MOST)
        with pytest.raises(NoRoomError):
            one.download(f"{server.origin}/result", sink, most=MOST)

    assert len(server.requests) == 1


def test_foreign_results_take_no_room(sink: Sink) -> None:
    """A request without the key counts nowhere."""
    windows = {"*": Rate(requests=1, per=3600.0)}
    with RawServer(answer(200, CONTENT)) as storage:
        base = f"http://127.0.0.1:{refused_port()}"
        with session(base, windows=windows, result_hosts=[storage.host]) as one:
            for _ in range(3):
                one.download(f"{storage.origin}/result", sink, most=MOST)
            with pytest.raises(TransientError):
                one.call("status", "GET", "/")

    assert len(storage.requests) == 3


def test_refused_connection_is_no_cut(sink: Sink) -> None:
    """Nobody there is another thing than half a result."""
    base = f"http://127.0.0.1:{refused_port()}"
    with session(base) as one, pytest.raises(TransientError) as caught:
        one.download(f"{base}/result", sink, most=MOST)

    assert caught.value.code == "service.unreachable"


def test_answer_too_short_for_its_bytes_is_taken_as_announced(sink: Sink) -> None:
    """Bytes behind the announced length belong to nothing: the length is the only word there is."""
    error = fetched(raw(head(200, {"content-length": "5"}) + b"whole and more"), sink)

    assert error is None
    assert content_of(sink) == b"whole"
