"""What lies below a request: names that lead inside, connections that crawl, certificates that prove nothing."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.clock import SystemClock
from daemon.errors import LostError, ServiceError, TransientError, UncertainError
from daemon.spool import Sink, Spool
from daemon.transport import Session
from tests import rawserver
from tests.rawserver import CERTIFICATE, Exchange, RawServer, Script, answer, head, raw
from tests.sessions import KEY, Papers, Racing, session, submit

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
NAME = "files.example.org"
CONTENT = b"Bonjour le monde.\n" * 1000
MOST = 10_000_000
INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "192.88.99.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::1", "::",
    "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1",
    "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1",
]  # fmt: skip


class Fast(SystemClock):
    """A hundred minutes pass in one second."""

    def monotonic(self) -> float:
        return time.monotonic() * 6000


class Net:
    """The world outside, as far as this process sees it: names, and what answers at addresses."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.there: dict[str, str] = {}
        self.looked_up: list[str] = []
        self.connected: list[str] = []
        self._really_connect = socket.create_connection
        patch.setattr(socket, "getaddrinfo", self._look_up)
        patch.setattr(socket, "create_connection", self._connect)

    def _look_up(self, host: str, port: int, *_: object, **__: object) -> list[Any]:
        """Each name has a list of answers, given in turn; the last one from then on."""
        self.looked_up.append(host)
        answers = self.names[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in found]
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for family, one in zip(families, found, strict=True)]

    def _connect(self, address: tuple[str, int], *more: Any, **named: Any) -> socket.socket:
        host, port = address
        self.connected.append(host)
        if host not in self.there:
            raise ConnectionRefusedError(111, "Connection refused")
        # Numbers need no look-up, so this is the real one.
        plug = socket.socket()
        del more, named
        plug.settimeout(5.0)
        plug.connect((self.there[host], port))
        return plug


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    return Net(monkeypatch)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Spool(str(tmp_path)).sink("job", 0) as one:
        yield one


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[Papers]:
    made = Papers(tmp_path)
    yield made
    made.close()


# -- the address that was judged ----------------------------------------------------------------------------


def test_connection_goes_to_the_address_that_was_judged(sink: Sink, net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once; what it leads to afterwards is not asked. Host and certificate stay the name's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    net.names[NAME] = [[PUBLIC], ["127.0.0.1"]]
    net.there = {PUBLIC: "127.0.0.1"}
    told: list[str | None] = []
    with RawServer(answer(200, CONTENT), tls=True) as storage, session("https://api.example.com") as one:
        assert storage._tls is not None
        storage._tls.sni_callback = lambda _plug, name, _context: told.append(name)
        place = f"{NAME}:{storage.port}"
        one.download(f"https://{place}/result", sink, most=MOST)
        sent = storage.request()

    assert (net.looked_up, net.connected, told) == ([NAME], [PUBLIC], [NAME])
    assert sent.headers["host"] == place
    assert KEY not in sent.head.decode()
    assert sink.read_at(0, sink.size) == CONTENT


@pytest.mark.parametrize("inside", INSIDE)
def test_name_that_leads_inside_is_not_asked(sink: Sink, net: Net, inside: str) -> None:
    """Whatever form a private address has, and also when it hides behind a public one, nobody connects to it."""
    net.names = {NAME: [[inside]], "both.example": [[PUBLIC, inside]]}
    net.there = {PUBLIC: "127.0.0.1", inside: "127.0.0.1"}
    with session("https://api.example.com") as one:
        for host in net.names:
            with pytest.raises(LostError) as caught:
                one.download(f"https://{host}/result", sink, most=MOST)

            assert (caught.value.code, inside in str(caught.value)) == ("result.refused", False)
    assert net.connected == []


def test_further_addresses_are_tried_but_not_all_of_a_thousand(sink: Sink, net: Net) -> None:
    """A dead first address costs no result, and a name with a thousand dead ones no hours."""
    many = [f"93.184.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    net.names = {NAME: [[OTHER_PUBLIC, PUBLIC]], "many.example": [many]}
    with session("https://api.example.com") as one:
        for host in net.names:
            with pytest.raises(TransientError) as caught:
                one.download(f"https://{host}/result", sink, most=MOST)

            assert caught.value.code == "service.unreachable"

    assert net.connected == [OTHER_PUBLIC, PUBLIC, *many[:4]]


def test_allowed_name_may_lead_inside(sink: Sink, net: Net) -> None:
    """A host that the administrator names is asked wherever it is, without the key."""
    net.there = {NAME: "127.0.0.1"}
    with RawServer(answer(200, CONTENT)) as storage:
        with session("https://api.example.com", result_hosts=[NAME]) as one:
            one.download(f"http://{NAME}:{storage.port}/result", sink, most=MOST)
        sent = storage.request()

    assert net.connected == [NAME]
    assert KEY not in sent.head.decode()
    assert sink.read_at(0, sink.size) == CONTENT


# -- certificates -------------------------------------------------------------------------------------------

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Somebody whom we trust, and the certificates that they sign."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / "authority.pem"
        made = self._signed(name_of("authority"), self._key.public_key(), [], NOW - DAY, NOW + DAY, by_itself=True)
        self.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, host: str, *, begins: datetime = NOW - DAY, ends: datetime = NOW + DAY) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(name_of(host), key.public_key(), [host], begins, ends)
        path = self._folder / "service.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
        return path

    def _signed(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        hosts: list[str],
        begins: datetime,
        ends: datetime,
        *,
        by_itself: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name_of("authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=by_itself, path_length=None), critical=True)
        )
        if hosts:
            known = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(known, critical=False)
        return builder.sign(self._key, hashes.SHA256())


CERTIFICATES: dict[str, Callable[[Authority], Path]] = {
    "good": lambda one: one.issue(NAME),
    "expired": lambda one: one.issue(NAME, begins=NOW - 3 * DAY, ends=NOW - 2 * DAY),
    "of tomorrow": lambda one: one.issue(NAME, begins=NOW + DAY / 2, ends=NOW + DAY),
    "of another host": lambda one: one.issue("evil.example"),
    "of a host below": lambda one: one.issue(f"x.{NAME}"),
    "by itself": lambda _one: CERTIFICATE,
}


@pytest.mark.parametrize("which", CERTIFICATES)
def test_only_a_good_certificate_is_talked_to(
    which: str, tmp_path: Path, papers: Papers, sink: Sink, net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expired, too early, of another host, signed by nobody: not a byte of a request goes there, ours or not."""
    authority = Authority(tmp_path)
    monkeypatch.setattr(rawserver, "CERTIFICATE", CERTIFICATES[which](authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    net.names[NAME] = [[PUBLIC]]
    net.there = {PUBLIC: "127.0.0.1", NAME: "127.0.0.1"}
    told: list[str | None] = []
    with RawServer(answer(200, CONTENT), tls=True) as server:
        address = f"https://{NAME}:{server.port}"
        with session(address) as own, session("https://api.example.com") as stranger:
            doing: list[Callable[[], object]] = [
                lambda: submit(own, papers.original(b"content")),
                lambda: own.call("status", "GET", "/"),
                lambda: stranger.download(f"{address}/result", sink, most=MOST),
            ]
            for attempt in doing:
                try:
                    attempt()
                except TransientError as error:
                    told.append(error.provider_message)
        heads = [seen.head for seen in server.requests]

    assert len(heads) == (3 if which == "good" else 0)
    assert len(told) == (0 if which == "good" else 3)
    assert all("certificate" in (text or "").lower() for text in told)


# -- what crawls --------------------------------------------------------------------------------------------


def dripping(first: bytes, byte: bytes) -> Script:
    """So much at once, then the same piece over and over, for ever."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(first)
        exchange.drip(byte * (200_000 // len(byte)), 0.005)

    return script


def flooding(first: bytes, block: bytes) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(first)
        while True:
            exchange.send(block)

    return script


CHUNKED = head(200, {"transfer-encoding": "chunked", "content-type": "application/json"})
NEVER_A_HEAD = {
    "drips": dripping(b"", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000),
    "headers drip": dripping(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "interim drips": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers flood": flooding(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 1000),
    "interim flood": flooding(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 1000),
    "line floods": flooding(b"HTTP/1.1 200 ", b"x" * 60_000),
    "another protocol": raw(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{}"),
}
NEVER_AN_END = {
    "body drips": dripping(head(200, {"content-length": "1000000"}), b" "),
    "chunk size drips": dripping(CHUNKED + b"5;", b"x"),
    "chunks drip": dripping(CHUNKED, b"1\r\n{\r\n"),
    "trailers drip": dripping(CHUNKED + b"0\r\n", b"x: y\r\n"),
}


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except ServiceError as error:
        return type(error)


@pytest.mark.parametrize("script", [*NEVER_A_HEAD.values(), *NEVER_AN_END.values()], ids=[*NEVER_A_HEAD, *NEVER_AN_END])
def test_answer_without_an_end_is_left(papers: Papers, sink: Sink, script: Script) -> None:
    """A byte before every silence would be too long keeps nobody busy: a status, a result, a submission end."""
    began = time.monotonic()
    with RawServer(script) as server, session(server.origin, clock=Racing(), read_s=20.0) as one:
        told = [
            outcome(lambda: one.call("status", "GET", "/")),
            outcome(lambda: one.download(f"{server.origin}/result", sink, most=MOST)),
            outcome(lambda: submit(one, papers.original(b"content"))),
        ]

    assert told == [TransientError, TransientError, UncertainError]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("what", NEVER_A_HEAD)
def test_head_of_a_paid_answer_has_its_bound_too(papers: Papers, sink: Sink, what: str) -> None:
    """A result that is said to come with the answer is not waited for when not even the head comes."""
    with RawServer(NEVER_A_HEAD[what]) as server, session(server.origin, clock=Racing(), read_s=20.0) as one:
        told = outcome(lambda: at_once(one, papers, sink))

    assert told is UncertainError


@pytest.mark.parametrize("what", ["headers flood", "interim flood", "line floods"])
def test_head_has_a_size(what: str) -> None:
    """What floods in at full speed is left long before its time is over."""
    began = time.monotonic()
    with RawServer(NEVER_A_HEAD[what]) as server, session(server.origin, read_s=60.0) as one:
        told = outcome(lambda: one.call("status", "GET", "/"))

    assert told is TransientError
    assert time.monotonic() - began < 30


def at_once(one: Session, papers: Papers, sink: Sink) -> object:
    sent = {"fields": {}, "file_field": "f", "sent_name": "x.txt", "media_type": "text/plain"}
    return one.submit("/translate", original=papers.original(b"content"), sink=sink, **sent)  # type: ignore[arg-type]  # one table for two kinds of values


def crawling(size: int, pause_s: float) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(head(200, {"content-length": str(size)}))
        exchange.drip(b"x" * size, pause_s)

    return script


def test_paid_result_may_crawl_for_an_hour(papers: Papers, sink: Sink) -> None:
    """What comes only once is waited for where another result would be fetched anew; for ever it is not."""
    with RawServer(crawling(100, 0.005)) as server, session(server.origin, clock=Racing(), read_s=20.0) as one:
        fetched = outcome(lambda: one.download(f"{server.origin}/result", sink, most=MOST))
        at_once(one, papers, sink)
        taken = sink.size
    with RawServer(crawling(100_000, 0.005)) as server, session(server.origin, clock=Fast(), read_s=200.0) as one:
        endless = outcome(lambda: at_once(one, papers, sink))

    assert (fetched, taken, endless) == (TransientError, 100, UncertainError)


def test_handshake_that_drips_is_left(papers: Papers) -> None:
    """Time to a secured connection is bounded as a whole, not from byte to byte."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ends = threading.Event()
        dripper = threading.Thread(target=_drip_handshake, args=(listening, ends))
        dripper.start()
        began = time.monotonic()
        with session(f"https://127.0.0.1:{listening.getsockname()[1]}", connect_s=0.3) as one:
            told = outcome(lambda: submit(one, papers.original(b"content")))
        took = time.monotonic() - began
        ends.set()
        dripper.join()

    assert told is TransientError
    assert took < 5


def _drip_handshake(listening: socket.socket, ends: threading.Event) -> None:
    plug, _ = listening.accept()
    with plug:
        # The beginning of a handshake record of 16 KiB, and its bytes one after the other.
        for byte in b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(16_000):
            try:
                plug.send(bytes([byte]))
            except OSError:
                return
            if ends.wait(0.02):
                return


def test_reader_that_crawls_is_left_before_the_end(papers: Papers) -> None:
    """A service that takes a document by the drop is left while nothing can have been accepted."""

    def sips(exchange: Exchange) -> None:
        while not exchange.whole:
            exchange.read(2000)
            if exchange._ends.wait(0.02):
                return

    began = time.monotonic()
    with (
        RawServer(sips, smallest_buffers=True) as server,
        session(server.origin, clock=Racing(), read_s=5.0) as one,
    ):
        told = outcome(lambda: submit(one, papers.original(64 << 20)))

    assert told is TransientError
    assert time.monotonic() - began < 20


def test_slow_end_of_a_request_is_not_held_back(papers: Papers) -> None:
    """A small document is in the hands of the system at once: however slowly it is read, it was sent."""

    def sips(exchange: Exchange) -> None:
        while not exchange.whole:
            exchange.read(500)
            exchange._ends.wait(0.02)
        exchange.send(head(201, {"content-length": "0"}))

    with RawServer(sips) as server, session(server.origin, clock=Racing(), read_s=100.0) as one:
        told = submit(one, papers.original(10_000))

    assert told.status == 201


def test_certificates_are_verified_with_the_systems_own() -> None:
    """No setting turns the check of certificates off."""
    with session("https://api.example.com") as one:
        verified = one._client._transport._pool._ssl_context  # type: ignore[attr-defined]  # httpx hides its own

    assert (verified.check_hostname, verified.verify_mode) == (True, ssl.CERT_REQUIRED)
