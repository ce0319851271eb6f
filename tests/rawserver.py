"""A server on loopback that answers byte by byte as a test says, and keeps what it was sent.

A *script* is a function that is called with each request, as soon as its head has arrived, on the thread of
its connection. What it leaves unread of the body is read afterwards, unless it has ended the connection; then
the next request of the same connection is awaited.
"""

import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Self

_KEPT = 8 << 20
_BLOCK = 1 << 16
_JOIN_S = 10.0

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Key and self-signed certificate for localhost, 127.0.0.1 and files.example.org; nobody trusts it."""


class GoneError(Exception):
    """The client has ended the connection in the middle of a request."""


class Exchange:
    """One request: what came of it, and what a script can do with its connection."""

    def __init__(
        self, plug: socket.socket, connection: int, head: bytes, rest: bytearray, ends: threading.Event
    ) -> None:
        self.connection = connection
        self.head = head
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.length = int(self.headers.get("content-length", "0"))
        self.size = 0
        self.body = bytearray()
        self.ending = b""
        """The last bytes that came, also of a body too long to be kept."""
        self.digest = hashlib.sha256()
        self.over = threading.Event()
        """Set when nothing more can come of it."""
        self.ended = False
        self._plug = plug
        self._rest = rest
        self._ends = ends

    @property
    def whole(self) -> bool:
        """Whether the body came up to its announced length."""
        return self.size == self.length

    def read(self, most: int | None = None) -> None:
        """Read the body, or so much more of it. Raises GoneError when the client ends before."""
        wanted = self.length if most is None else min(self.length, self.size + most)
        while self.size < wanted:
            if not self._rest:
                self._rest += _received(self._plug)
            block = bytes(self._rest[: wanted - self.size])
            del self._rest[: len(block)]
            self._keep(block)

    def _keep(self, block: bytes) -> None:
        self.size += len(block)
        self.digest.update(block)
        self.body += block[: max(0, _KEPT - len(self.body))]
        self.ending = (self.ending + block)[-256:]

    def send(self, data: bytes) -> None:
        """Send these bytes as they are."""
        self._plug.sendall(data)

    def drip(self, data: bytes, pause_s: float) -> None:
        """Send byte after byte, with a pause behind each."""
        for number in range(len(data)):
            self.send(data[number : number + 1])
            if self._ends.wait(pause_s):
                return

    def wait(self) -> None:
        """Say nothing more until the client has gone."""
        with contextlib.suppress(GoneError):
            while True:
                _received(self._plug)

    def stall(self) -> None:
        """Neither read nor say anything more."""
        self._ends.wait(_JOIN_S)

    def close(self) -> None:
        """End the connection; with something left unread the client sees a reset."""
        self.ended = True
        self._plug.close()

    def reset(self) -> None:
        """Break the connection: the client's next read or write fails."""
        # A linger time of zero makes closing send RST instead of FIN.
        self._plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


Script = Callable[[Exchange], None]


class RawServer:
    """As a context manager it serves on a free port; at the end it raises what a script has raised."""

    def __init__(self, script: Script, *, tls: bool = False, smallest_buffers: bool = False) -> None:
        self.script = script
        self.requests: list[Exchange] = []
        self.connections = 0
        self._tls = _tls() if tls else None
        self._listening = socket.socket()
        if smallest_buffers:
            # Tiny segments also keep the client's send buffer small.
            self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(64)
        self._plugs: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self._ends = threading.Event()
        self._came = threading.Condition()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    @property
    def host(self) -> str:
        """`host:port`, as `result_hosts` names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def request(self, number: int = 0) -> Exchange:
        """One request, once it has come and nothing more can come of it."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) > number, _JOIN_S)
        found = self.requests[number]
        assert found.over.wait(_JOIN_S)
        return found

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        with self._lock:
            plugs = list(self._plugs)
        for plug in plugs:
            with contextlib.suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(_JOIN_S)
        self._listening.close()
        if self._errors:
            raise self._errors[0]

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name="raw server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plug, _ = self._listening.accept()
                plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._begin(self._serve, plug, self.connections)

    def _serve(self, plug: socket.socket, number: int) -> None:
        rest = bytearray()
        # Clients of these tests break connections as they like; that is no error here.
        with contextlib.suppress(OSError, GoneError):
            plug = self._tls.wrap_socket(plug, server_side=True) if self._tls else plug
            with self._lock:
                self._plugs.append(plug)
            while self._serve_one(plug, number, rest):
                pass
        plug.close()

    def _serve_one(self, plug: socket.socket, number: int, rest: bytearray) -> bool:
        """Play the script to one request; says whether the connection is still there."""
        while b"\r\n\r\n" not in rest:
            rest += _received(plug)
        end = rest.index(b"\r\n\r\n")
        exchange = Exchange(plug, number, bytes(rest[:end]), rest, self._ends)
        del rest[: end + 4]
        with self._came:
            self.requests.append(exchange)
            self._came.notify_all()
        try:
            self.script(exchange)
            if not exchange.ended:
                exchange.read()
        except (OSError, GoneError):
            return False
        except Exception as error:  # noqa: BLE001  a broken script must fail its test, not its thread
            self._errors.append(error)
            exchange.close()
        finally:
            exchange.over.set()
        return not exchange.ended


def _received(plug: socket.socket) -> bytes:
    block = plug.recv(_BLOCK)
    if not block:
        raise GoneError
    return block


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


# -- scripts ------------------------------------------------------------------------------------------------


def head(status: int, headers: Mapping[str, str] | None = None) -> bytes:
    """The head of an answer, with just these headers."""
    known = {one.value: one.phrase for one in HTTPStatus}
    lines = [f"HTTP/1.1 {status} {known.get(status, 'Odd')}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def message(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer with its length; a body that is not bytes goes out as JSON."""
    told, kind = (body, "application/octet-stream") if isinstance(body, bytes) else _as_json(body)
    usual = {"content-type": kind, "content-length": str(len(told))}
    return head(status, usual | dict(headers or {})) + told


def _as_json(body: object) -> tuple[bytes, str]:
    return json.dumps(body).encode(), "application/json"


def answer(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> Script:
    """Read the request, give a whole answer, and keep the connection."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(message(status, body, headers))

    return script


def raw(data: bytes) -> Script:
    """Read the request, send these bytes, and close."""

    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(data)
        exchange.close()

    return script


def silence(exchange: Exchange) -> None:
    """Read the request and never answer."""
    exchange.read()
    exchange.wait()


def hang_up(exchange: Exchange) -> None:
    """Read the request and close without a word."""
    exchange.read()
    exchange.close()


def break_off(exchange: Exchange) -> None:
    """Read the request and reset the connection."""
    exchange.read()
    exchange.reset()


def in_turn(*scripts: Script) -> Script:
    """One script a request, the last one for all that follow."""
    lock = threading.Lock()
    left = list(scripts)

    def script(exchange: Exchange) -> None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(exchange)

    return script
