"""The way to a service: the only room that knows httpx.

Nothing here is ever repeated. A billable request goes over a connection of its own and says afterwards which
of two things is true: *not sent* (its last byte was never given to the connection) or *nobody knows*. The key
travels to the configured origin alone, redirects are not followed, proxies of the environment are not used.
"""

import contextlib
import ipaddress
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from daemon.accounts import Account
from daemon.clock import Clock
from daemon.errors import (
    BlockedError,
    LostError,
    TransferCutError,
    TransientError,
    UncertainError,
)
from daemon.originals import Original
from daemon.settings import ProviderSettings
from daemon.spool import Sink

_MOST_ANSWER = 4 << 20
_MOST_CONNECTIONS = 32
_AGENT = "babeldrop"
_LOST = "the connection was lost before it answered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer of a service."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after_s: float | None = None

    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return httpx.Response(self.status, content=self.body).json()
        except ValueError:
            return None


@dataclass(slots=True)
class Meter:
    """Bytes that went up and came down, for people who watch."""

    up: int = 0
    down: int = 0


class Session:
    """One provider entry's way to its service. Used from several threads.

    `auth` gives the headers that carry the key, read anew for each request; LookupError means there is none.
    `stopping` says that the daemon ends: transfers are cut, answers still awaited.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        account: Account,
        clock: Clock,
        auth: Callable[[], Mapping[str, str]],
        stopping: threading.Event,
    ) -> None:
        self._base = httpx.URL(settings.base_url.rstrip("/"))
        self._result_hosts = {host.lower() for host in settings.result_hosts}
        self._account = account
        self._clock = clock
        self._auth = auth
        self._stopping = stopping
        self.meter = Meter()
        wait = settings.timeout
        timeout = httpx.Timeout(wait.read, connect=wait.connect, pool=wait.connect)
        tls = ssl.create_default_context()
        common: dict[str, Any] = {
            "verify": tls,
            "timeout": timeout,
            "trust_env": False,
            "follow_redirects": False,
            "headers": {"user-agent": _AGENT, "accept-encoding": "identity"},
        }
        self._client = httpx.Client(limits=httpx.Limits(max_connections=_MOST_CONNECTIONS), **common)
        # A reused connection may be dead, and then nobody knows whether the request arrived.
        self._fresh = httpx.Client(
            limits=httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=0), **common
        )

    def close(self) -> None:
        self._client.close()
        self._fresh.close()

    # -- with the key ---------------------------------------------------------------------------------------

    def call(self, verb: str, method: str, path: str, *, body: Any = None) -> Answer:
        """One small request that costs nothing and may be repeated.

        Raises TransientError when no whole answer came, NoRoomError when the window is full, BlockedError
        when there is no key.
        """
        with self._slot(verb):
            try:
                request = self._client.build_request(method, self._url(path), json=body, headers=self._key())
                return self._answer(self._client, request)
            except httpx.HTTPError as error:
                raise TransientError("service.unreachable", _words(error)) from error

    def submit(
        self,
        path: str,
        *,
        fields: Mapping[str, str],
        file_field: str,
        sent_name: str,
        media_type: str,
        original: Original,
    ) -> Answer:
        """One billable multipart request with the original in it, on a fresh connection, sent once.

        Raises TransientError when the service cannot have taken it, UncertainError when nobody can say,
        and DocumentChangedError or TransferCutError when the last block was held back.
        """
        body = _Multipart(fields, file_field, sent_name, media_type, original, self.meter)
        with self._slot("submit"):
            request = self._fresh.build_request(
                "POST",
                self._url(path),
                content=body.blocks(),
                headers={
                    **self._key(),
                    "content-type": body.content_type,
                    "content-length": str(body.length),
                },
            )
            try:
                return self._answer(self._fresh, request)
            except httpx.HTTPError as error:
                if body.whole:
                    raise UncertainError("submit.uncertain", _words(error), facts={"reason": _LOST}) from error
                raise TransientError("service.unreachable", _words(error)) from error

    @contextlib.contextmanager
    def _slot(self, verb: str) -> Iterator[None]:
        self._account.begin(verb)
        try:
            yield
        finally:
            self._account.end(verb)

    def _key(self) -> Mapping[str, str]:
        try:
            return self._auth()
        except LookupError as error:
            raise BlockedError("account.no_key", str(error)) from None

    def _url(self, path: str) -> httpx.URL:
        return httpx.URL(str(self._base) + path)

    def _answer(self, client: httpx.Client, request: httpx.Request) -> Answer:
        response = client.send(request, stream=True)
        try:
            body = b""
            for block in response.iter_raw():
                body += block
                if len(body) > _MOST_ANSWER:
                    raise httpx.RemoteProtocolError("an answer of more than 4 MiB", request=request)
        finally:
            response.close()
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            retry_after_s=self._retry_after(response.headers.get("retry-after")),
        )

    def _retry_after(self, text: str | None) -> float | None:
        """Seconds to wait, from a number or an HTTP date; None when absent or unreadable."""
        if not text:
            return None
        try:
            return max(0.0, float(text))
        except ValueError:
            pass
        try:
            return max(0.0, (parsedate_to_datetime(text) - self._clock.now()).total_seconds())
        except (TypeError, ValueError):
            return None

    # -- results --------------------------------------------------------------------------------------------

    def is_own(self, url: str) -> bool:
        """Whether an address is of the configured origin, where the key may go."""
        return _origin(httpx.URL(url)) == _origin(self._base)

    def download(self, url: str, sink: Sink, *, most: int) -> Answer:
        """Fetch a result into the sink; from the configured origin with the key, from elsewhere without.

        Returns the answer without its body when it was a 2xx, with it otherwise. Raises TransientError
        (`result.cut`, `result.too_large`, `service.unreachable`), LostError (`result.refused`) and
        TransferCutError.
        """
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise LostError("result.refused", "no address") from error
        own = _origin(address) == _origin(self._base)
        if not own:
            self._permit(address)
        with self._slot("fetch") if own else contextlib.nullcontext():
            headers = self._key() if own else {}
            request = self._client.build_request("GET", address, headers=headers)
            try:
                return self._receive(request, sink, most)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout) as error:
                raise TransientError("result.cut", _words(error)) from error
            except httpx.HTTPError as error:
                raise TransientError("service.unreachable", _words(error)) from error

    def _receive(self, request: httpx.Request, sink: Sink, most: int) -> Answer:
        response = self._client.send(request, stream=True)
        try:
            wanted = response.is_success
            body = b""
            sink.restart()
            for block in response.iter_raw():
                if self._stopping.is_set():
                    raise TransferCutError(request.url.path)
                self.meter.down += len(block)
                if wanted:
                    sink.write(block)
                else:
                    body += block
                if (sink.size if wanted else len(body)) > (most if wanted else _MOST_ANSWER):
                    raise TransientError("result.too_large", facts={"limit": str(most)})
        finally:
            response.close()
        if wanted and not _proves_its_length(response):
            raise TransientError("result.cut", "the answer does not say how long it is")
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            retry_after_s=self._retry_after(response.headers.get("retry-after")),
        )

    def _permit(self, address: httpx.URL) -> None:
        """Results come over https from public addresses; `result_hosts` names the exceptions.

        Raises LostError otherwise.
        """
        host = address.host.lower()
        if host in self._result_hosts or f"{host}:{_port(address)}" in self._result_hosts:
            return
        if address.scheme != "https":
            raise LostError("result.refused", f"{address.scheme}://{host} is not https")
        try:
            found = socket.getaddrinfo(host, _port(address), type=socket.SOCK_STREAM)
        except OSError as error:
            raise TransientError("service.unreachable", f"{host}: {error.strerror}") from error
        for *_, where in found:
            if not ipaddress.ip_address(where[0]).is_global:
                raise LostError("result.refused", f"{host} is not a public address")


class _Multipart:
    """A multipart body around an original, of known length; `whole` once its last byte was given out."""

    def __init__(
        self,
        fields: Mapping[str, str],
        file_field: str,
        sent_name: str,
        media_type: str,
        original: Original,
        meter: Meter,
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = "".join(
            f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        head += f'--{boundary}\r\ncontent-disposition: form-data; name="{file_field}"; filename="{sent_name}"\r\n'
        head += f"content-type: {media_type}\r\n\r\n"
        self._head = head.encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._original = original
        self._meter = meter
        self.length = len(self._head) + original.size + len(self._tail)
        self.whole = False

    def blocks(self) -> Generator[bytes]:
        yield self._head
        held: bytes | None = None
        for block in self._original.blocks():
            if held is not None:
                self._meter.up += len(held)
                yield held
            held = block
        # From here on the connection has everything: what happens next proves nothing.
        self.whole = True
        self._meter.up += len(held or b"")
        yield (held or b"") + self._tail


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), _port(url)


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _proves_its_length(response: httpx.Response) -> bool:
    """Whether a cut would have been noticed: h11 counts both, and raises when something is missing."""
    return "content-length" in response.headers or "chunked" in response.headers.get("transfer-encoding", "")


def _words(error: Exception) -> str:
    """What the library says, without addresses: they may carry signatures."""
    return f"{type(error).__name__}: {error}" if "://" not in str(error) else type(error).__name__
