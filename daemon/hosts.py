"""Which hosts may be asked besides the service's own, and connections that lead to just those.

A name is looked up once, when the connection is made, and the connection goes to the very address that was
judged: what the name says a moment later does not matter. The name itself stays what the certificate has to
prove. A connection carries one request, so what crawls on it is given up here, below everything that waits for
a whole head, chunk or block.
"""

import ipaddress
import socket
import ssl
from collections.abc import Collection, Iterable
from typing import Any

import httpcore

from daemon.clock import Clock
from daemon.errors import LostError
from daemon.replies import Pace

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
# Versions of Python do not agree whether these, set aside for protocols and relays, are global.
_SET_ASIDE = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))
# A name with more addresses than that must not make us wait for each of them.
_MOST_ADDRESSES = 4
# Of everything before the body; of a head by itself h11 takes about half as much.
_MOST_HEAD = 262_144
# What is given to the connection at once, so that a reader who crawls is noticed.
_PIECE = 16_384


def permit(scheme: str, host: str, port: int, allowed: Collection[str]) -> None:
    """Results come over https; `allowed` names the exceptions, `host` or `host:port`.

    Whether the address is a public one is seen when it is connected to (`Ways`). Raises LostError.
    """
    if scheme not in ("http", "https"):
        raise LostError("result.refused", f"{host or 'no host'} without https")
    if scheme != "https" and not is_named(host, port, allowed):
        raise LostError("result.refused", f"{host} without https")


def is_named(host: str, port: int, allowed: Collection[str]) -> bool:
    """Whether a host, as connections name it, is in a list of `host` and `host:port`."""
    named = f"[{host}]" if ":" in host else host
    return named in allowed or f"{named}:{port}" in allowed


def is_public(text: str) -> bool:
    """Whether an IP address is one of the open internet, also where it holds one of the older kind.

    Raises ValueError when it is no IP address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        inner = inner or address.ipv4_mapped or address.sixtofour
        if inner is None:
            return address.is_global and address in _UNICAST
        address = inner
    return address.is_global and not address.is_multicast and not any(address in net for net in _SET_ASIDE)


def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, each of them public: one that is not refuses the name as a whole.

    Raises LostError, and httpcore.ConnectError when the name cannot be looked up now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OverflowError):
        raise LostError("result.refused", f"{host} is no host") from None
    except OSError as error:
        raise httpcore.ConnectError(f"{host}: {error.strerror}") from error
    addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
    if not all(map(is_public, addresses)):
        raise LostError("result.refused", f"{host} is not a public address")
    return addresses[:_MOST_ADDRESSES]


class Ways(httpcore.NetworkBackend):
    """Connects to the service itself and to hosts that were allowed; of all others to public addresses alone.

    `own` is the service's (host, port); `patience_s` bounds the time to a whole head of an answer.
    """

    def __init__(self, clock: Clock, own: tuple[str, int], allowed: Collection[str], patience_s: float) -> None:
        self._clock = clock
        self._own = own
        self._patience_s = patience_s
        self._below = httpcore.SyncBackend()
        self.allowed = frozenset(allowed)

    def allow(self, host: str) -> None:
        """Also lead to this host (`host` or `host:port`), wherever it is."""
        self.allowed |= {host.lower()}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> "Line":
        """Called with the host of each request. Raises LostError for one that must not be asked."""
        free = (host, port) == self._own or is_named(host, port, self.allowed)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for place in [host] if free else public_addresses(host, port):
            try:
                below = self._below.connect_tcp(place, port, timeout, local_address, socket_options)
                return Line(below, self._clock, self._patience_s)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class Line(httpcore.NetworkStream):
    """A connection for one request."""

    def __init__(self, below: httpcore.NetworkStream, clock: Clock, patience_s: float) -> None:
        self._below = below
        self._clock = clock
        self._patience_s = patience_s
        self._pace = Pace(clock)
        self._until: float | None = None
        self._head_left = float(_MOST_HEAD)

    def extend(self) -> None:
        """The head, or a piece of the body, has come: wait as long for the next."""
        self._until = self._clock.monotonic() + self._patience_s
        self._head_left = float("inf")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, within the silence that is allowed and the time for something whole."""
        now = self._clock.monotonic()
        self._until = now + self._patience_s if self._until is None else self._until
        left = self._until - now
        if left <= 0:
            raise httpcore.ReadTimeout("an answer that does not come to its end")
        if self._head_left <= 0:
            raise httpcore.RemoteProtocolError("an answer of nothing but a head")
        block = self._below.read(max_bytes, left if timeout is None else min(timeout, left))
        self._head_left -= len(block)
        return block

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send it all. The end of a request is short, and is never held back for the pace of what went before."""
        for start in range(0, len(buffer), _PIECE):
            if start and not self._pace.keeps(_PIECE):
                raise httpcore.WriteTimeout("an upload that hardly moves")
            self._below.write(buffer[start : start + _PIECE], timeout)

    def close(self) -> None:
        self._below.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Line":
        secured = self._below.start_tls(ssl_context, server_hostname, timeout)
        return Line(secured, self._clock, self._patience_s)

    def get_extra_info(self, info: str) -> Any:
        return self._below.get_extra_info(info)
