"""The page on `web.listen`, with its report, metrics and health: read-only, for loopback names or the host it is told.

uvicorn works in a thread of its own, on a socket that is bound here: so a taken port is a clear error at the start.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from daemon.clock import Clock
from daemon.errors import StateError
from daemon.health import health
from daemon.web import hosts
from daemon.web.live import Facts, Live
from daemon.web.render import policy, render

_BACKLOG = 128
_MOST_CONNECTIONS = 100
_AGAIN_S = 5.0
_STOP_WITHIN_S = 4.0
_FRESH_S = 1.0
_EASE = 10
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class WebServer:
    """Binds `listen` when it is made. Raises StateError when the address cannot be had."""

    def __init__(
        self, listen: tuple[str, int], live: Live, facts: Facts, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._listen = listen
        self._clock = clock
        self._log = log
        self._app = application(live, facts, clock, hosts.allowed(listen[0]), self._broke)
        self._socket: socket.socket | None = bind(listen)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._again_at = float("-inf")
        self.address: tuple[str, int] = self._socket.getsockname()[:2]

    @property
    def alive(self) -> bool:
        """Whether the thread works; it is dead before `start` and after `stop`."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to answer; returns at once. Who asks before the thread has begun waits for it."""
        sock = self._socket or bind(self.address)
        self._socket = sock
        server = self._server = uvicorn.Server(_config(self._app))
        self._thread = threading.Thread(target=self._serve, args=(server, sock), name="web", daemon=True)
        self._thread.start()
        self._log.info("web.started", url=f"http://{_shown(self.address)}/")

    def beat(self) -> None:
        """Notice a thread that died, say so, and start it again, at most once in five seconds."""
        now = self._clock.monotonic()
        if self.alive or self._stopping or now < self._again_at:
            return
        self._again_at = now + _AGAIN_S
        self._log.warning("web.died", why="the thread of the status page has ended; it is started again")
        try:
            self.start()
        except StateError as error:
            self._log.warning("web.failed", why=str(error))

    def stop(self) -> None:
        """Answer what was asked, then free the port."""
        self._stopping = True
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_WITHIN_S)
        self._close()

    def _serve(self, server: uvicorn.Server, sock: socket.socket) -> None:
        try:
            server.run(sockets=[sock])
        except Exception as error:  # noqa: BLE001  it is told here; the heartbeat starts it again
            self._broke(error)
        finally:
            self._close()

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _broke(self, error: Exception) -> None:
        self._log.error("web.broke", why=repr(error), exc_info=error)


def bind(listen: tuple[str, int]) -> socket.socket:
    """A socket that listens. Raises StateError, with a sentence that names the address and the setting."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(*listen, type=socket.SOCK_STREAM)[0]
        # asyncio switches Nagle's algorithm off only where the protocol is named.
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise StateError(
            f"web.listen: cannot listen on {_shown(listen)}: {error.strerror or error}. Choose another port, or stop "
            "what uses this one."
        ) from error
    return listening


def application(
    live: Live, facts: Facts, clock: Clock, names: hosts.Names, broke: Callable[[Exception], None]
) -> ASGIApp:
    """What answers. Everything is read from memory; nothing changes anything."""
    shown = _Kept(clock, lambda: render(live.page(), live=True))
    told = _Kept(clock, lambda: _json(live.report()))

    def page(_: Request) -> Response:
        return Response(shown.get(), media_type="text/html", headers={"content-security-policy": policy(live=True)})

    def status(_: Request) -> Response:
        return Response(told.get(), media_type="application/json")

    def metrics(_: Request) -> Response:
        from daemon import metrics as measured  # noqa: PLC0415  a heavy library for a page that few ask for

        return Response(measured.exposition(facts()), headers={"content-type": measured.CONTENT_TYPE})

    def healthz(_: Request) -> Response:
        found = health(facts())
        return Response(_json(found.as_json()), found.code, media_type="application/json")

    routes = {"/": page, "/status.json": status, "/metrics": metrics, "/healthz": healthz}
    inner = Starlette(routes=[Route(path, answer, methods=["GET"]) for path, answer in routes.items()])
    return _Guard(inner, names, broke)


class _Kept:
    """The last answer, made anew when it is a second old; many who ask at once share one, and where it takes long to
    make it is kept for longer.
    """

    def __init__(self, clock: Clock, make: Callable[[], bytes]) -> None:
        self._clock = clock
        self._make = make
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._answer = b""

    def get(self) -> bytes:
        with self._lock:
            before = self._clock.monotonic()
            if before >= self._until:
                self._answer = self._make()
                after = self._clock.monotonic()
                self._until = after + max(_FRESH_S, _EASE * (after - before))
            return self._answer


class _Guard:
    """Lets nobody in who asks for another host, and gives every answer its headers."""

    def __init__(self, inner: ASGIApp, names: hosts.Names, broke: Callable[[Exception], None]) -> None:
        self._inner = inner
        self._names = names
        self._broke = broke

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", _NOTHING)
            await send(message)

        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        asked = [value for name, value in scope["headers"] if name == b"host"]
        if len(asked) != 1 or not self._names.has(asked[0].decode("latin-1")):
            refusal = PlainTextResponse(
                "This name does not belong to this page; ask by the address it listens on.\n", 421
            )
            await refusal(scope, receive, guarded)
            return
        try:
            await self._inner(scope, receive, guarded)
        except Exception as error:  # noqa: BLE001  it was answered with 500; a page must not end its thread
            self._broke(error)


def _json(value: Mapping[str, Any]) -> bytes:
    # Names that are no UTF-8 stand as escapes, which ASCII alone can do.
    return json.dumps(value, indent=2).encode() + b"\n"


def _config(app: ASGIApp) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
    )


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
