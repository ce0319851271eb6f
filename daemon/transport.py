"""The way to a service: the only room that knows httpx.

Nothing here is ever repeated, and every request has a connection of its own: what a service sends late or
too much of can never pass for the answer to another request, and none meets a connection that has died. A
billable request says afterwards which of two things is true: *not sent* (its last byte was never given to the
connection) or *nobody knows*. The key travels to the configured origin alone, redirects are not followed,
cookies are not kept, proxies of the environment are not used. What comes slower than any living service
sends is given up.
"""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpcore
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
from daemon.hosts import Line, Ways, permit
from daemon.meters import Meter
from daemon.multipart import Multipart
from daemon.originals import Original
from daemon.replies import Answer, Pace, refuse_unprovable, retry_after, without_key, words
from daemon.settings import ProviderSettings
from daemon.spool import Sink

_MOST_ANSWER = 4 << 20
_MOST_CONNECTIONS = 32
_MOST_AT_ONCE = 100_000_000
_AGENT = "babeldrop"
_NO_ROOM = "the result could not be kept, the disk is full or broken"
_LOST = "the connection was lost before it answered"
# A head, and the body of an answer to a call, has to be whole after so many times the longest silence allowed.
_MOST_SILENCES = 5
# A result that came with the answer was paid and comes only once: for so long it may crawl.
_PAID_GRACE_S = 3600.0
# A name that cannot be one (`a..b`) is a UnicodeError from the resolver.
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)


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
        self._account = account
        self._clock = clock
        self._auth = auth
        self._stopping = stopping
        self.meter = Meter(clock)
        wait = settings.timeout
        _, host, port = _origin(self._base)
        self._ways = Ways(clock, (host.decode(), port), settings.result_hosts, _MOST_SILENCES * wait.read)
        timeout = httpx.Timeout(wait.read, connect=wait.connect, pool=wait.connect)
        self._client = httpx.Client(
            transport=_Transport(self._ways),
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": _AGENT, "accept-encoding": "identity", "connection": "close"},
        )
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def close(self) -> None:
        self._client.close()

    # -- with the key ---------------------------------------------------------------------------------------

    def call(self, verb: str, method: str, path: str, *, body: Any = None) -> Answer:
        """One small request that costs nothing and may be repeated.

        Raises TransientError when no whole answer came, NoRoomError when the window is full, BlockedError: no key.
        """
        with self._slot(verb):
            key = self._key()
            try:
                request = self._request(verb, method, self._url(path), json=body, headers=key)
                return self._answer(request, key)
            except _FAILURES as error:
                raise TransientError("service.unreachable", words(error)) from error

    def submit(
        self,
        path: str,
        *,
        fields: Mapping[str, str],
        file_field: str,
        sent_name: str,
        media_type: str,
        original: Original,
        sink: Sink | None = None,
    ) -> Answer:
        """One billable multipart request with the original in it, sent once.

        With a sink the body of a 2xx goes into it, and the answer has none. Raises TransientError when the
        service cannot have taken it, UncertainError when nobody can say, and DocumentChangedError or
        TransferCutError when the last block was held back.
        """
        body = Multipart(fields, file_field, sent_name, media_type, original)
        form = {"content-type": body.content_type, "content-length": str(body.length)}
        with self._slot("submit"):
            return self._once(path, self._metered(body.blocks()), form, lambda: body.whole, sink)

    def submit_json(self, path: str, body: Any) -> Answer:
        """One billable JSON request, sent once. Raises TransientError and UncertainError as `submit` does."""
        data = json.dumps(body).encode()
        given_out = False

        def blocks() -> Iterator[bytes]:
            nonlocal given_out
            yield data[:-1]
            given_out = True
            yield data[-1:]

        form = {"content-type": "application/json", "content-length": str(len(data))}
        with self._slot("submit"):
            return self._once(path, self._metered(blocks()), form, lambda: given_out, None)

    def _once(
        self,
        path: str,
        blocks: Iterator[bytes],
        form: Mapping[str, str],
        is_whole: Callable[[], bool],
        sink: Sink | None,
    ) -> Answer:
        key = self._key()
        try:
            request = self._request("submit", "POST", self._url(path), content=blocks, headers={**key, **form})
            if sink is None:
                return replace(self._answer(request, key), sent_whole=is_whole())
            answer = self._receive(request, key, sink, _MOST_AT_ONCE, paid=True)
            return replace(answer, sent_whole=is_whole())
        except _FAILURES as error:
            if is_whole():
                raise UncertainError("submit.uncertain", words(error), facts={"reason": _LOST}) from error
            raise TransientError("service.unreachable", words(error)) from error
        except OSError as error:
            # Paid for, and there is no room to keep it.
            raise UncertainError("submit.uncertain", error.strerror, facts={"reason": _NO_ROOM}) from error
        except TransientError as error:
            # The result itself was unusable, and the service may well have billed it.
            raise UncertainError("submit.uncertain", error.provider_message) from error

    def _metered(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.meter.sent(len(block))
            yield block

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

    def _request(self, verb: str, method: str, url: httpx.URL, **more: Any) -> httpx.Request:
        request = self._client.build_request(method, url, **more)
        request.extensions["verb"] = verb
        return request

    def _sent(self, request: httpx.Request) -> tuple[httpx.Response, Line]:
        """The answer up to the end of its head, and the connection that brings the rest."""
        began, status = self._clock.monotonic(), None
        try:
            response = self._client.send(request, stream=True)
            status = response.status_code
        finally:
            self.meter.asked(request.extensions["verb"], status, self._clock.monotonic() - began)
        line: Line = response.extensions["network_stream"]
        line.extend()
        return response, line

    def _answer(self, request: httpx.Request, key: Mapping[str, str]) -> Answer:
        response, _ = self._sent(request)
        try:
            return self._told(response, key)
        finally:
            response.close()

    def _told(self, response: httpx.Response, key: Mapping[str, str]) -> Answer:
        """The answer with its body; of an error whose body breaks off the status tells enough."""
        body = b""
        try:
            for block in response.iter_bytes():
                body += block
                if len(body) > _MOST_ANSWER:
                    raise httpx.RemoteProtocolError("an answer of more than 4 MiB")
        except httpx.HTTPError:
            if response.status_code < 400:
                raise
        return self._answered(response, without_key(body, key))

    def _answered(self, response: httpx.Response, body: bytes = b"") -> Answer:
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            retry_after_s=retry_after(response.headers.get("retry-after"), self._clock.now()),
        )

    # -- storage that the administrator configured: without the key ------------------------------------------

    def permit(self, host: str) -> None:
        """Allow results and storage at a host (`host:port`) that a setting names, also when it is private."""
        self._ways.allow(host)

    def store(self, url: str, original: Original, headers: Mapping[str, str]) -> Answer:
        """Put the whole original at an address of permitted storage; free and repeatable.

        Raises TransientError, DocumentChangedError and TransferCutError, and LostError for any other host.
        """
        form = {"content-length": str(original.size), **headers}
        return self._elsewhere("PUT", url, form, self._metered(original.blocks()))

    def outside(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        """A small request to an address of permitted storage. Raises TransientError and LostError."""
        return self._elsewhere(method, url, headers, None)

    def _elsewhere(self, method: str, url: str, headers: Mapping[str, str], blocks: Iterator[bytes] | None) -> Answer:
        address = _address(url)
        permit(address.scheme, address.raw_host.decode(), _port(address), self._ways.allowed)
        try:
            request = self._request("store", method, address, content=blocks, headers=headers)
            return self._answer(request, {})
        except _FAILURES as error:
            raise TransientError("service.unreachable", words(error)) from error

    # -- results --------------------------------------------------------------------------------------------

    def is_own(self, url: str) -> bool:
        """Whether an address is of the configured origin, where the key may go."""
        try:
            return _origin(httpx.URL(url)) == _origin(self._base)
        except (httpx.InvalidURL, UnicodeError):
            return False

    def download(self, url: str, sink: Sink, *, most: int) -> Answer:
        """Fetch a result into the sink; from the configured origin with the key, from elsewhere without.

        Returns the answer without its body when it was a 2xx, with it otherwise. Raises TransientError
        (`result.cut`, `result.too_large`, `service.unreadable`, `service.unreachable`), LostError
        (`result.refused`) and TransferCutError.
        """
        address = _address(url)
        own = _origin(address) == _origin(self._base)
        if not own:
            permit(address.scheme, address.raw_host.decode(), _port(address), self._ways.allowed)
        with self._slot("fetch") if own else contextlib.nullcontext():
            key = self._key() if own else {}
            try:
                request = self._request("fetch", "GET", address, headers=key)
                return self._receive(request, key, sink, most)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout) as error:
                raise TransientError("result.cut", words(error)) from error
            except _FAILURES as error:
                raise TransientError("service.unreachable", words(error)) from error

    def _receive(
        self, request: httpx.Request, key: Mapping[str, str], sink: Sink, most: int, *, paid: bool = False
    ) -> Answer:
        """A 2xx into the sink. What was `paid` with this very request is not cut by a stop: it comes only once."""
        response, line = self._sent(request)
        try:
            if not response.is_success:
                return self._told(response, key)
            refuse_unprovable(response.headers)
            sink.restart()
            pace = Pace(self._clock, grace_s=_PAID_GRACE_S if paid else 0.0)
            for block in response.iter_raw():
                line.extend()
                if self._stopping.is_set() and not paid:
                    raise TransferCutError("a result")
                self.meter.received(len(block))
                sink.write(block)
                if sink.size > most:
                    raise TransientError("result.too_large", facts={"limit": f"{most:,}"})
                if not pace.keeps(len(block)):
                    raise httpx.ReadTimeout("a result that hardly comes")
        finally:
            response.close()
        return self._answered(response)


class _Transport(httpx.HTTPTransport):
    """HTTP over our own connections: httpx takes no network backend, the pool it builds on does."""

    def __init__(self, ways: Ways) -> None:
        verified = ssl.create_default_context()
        super().__init__(verify=verified, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=verified,
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=ways,
        )


def _address(url: str) -> httpx.URL:
    """A result's or blob's address. Raises LostError when it is none that may be asked."""
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        # What is wrong with it may be shown by no error: addresses may be signed.
        raise LostError("result.refused", "no address") from None
    if address.userinfo:
        raise LostError("result.refused", "an address with a user's name in it")
    return address


def _origin(url: httpx.URL) -> tuple[str, bytes, int]:
    return url.scheme, url.raw_host, _port(url)


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
