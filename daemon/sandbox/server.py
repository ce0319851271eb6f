"""Assembling the services and serving them on two origins until a signal comes."""

import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.sandbox import control
from daemon.sandbox.addresses import Addresses
from daemon.sandbox.azure import Azure
from daemon.sandbox.cambai import CambAi
from daemon.sandbox.doctranslate import Doctranslate
from daemon.sandbox.gpttranslator import GptTranslator
from daemon.sandbox.house import House
from daemon.sandbox.ledger import Ledger
from daemon.sandbox.limits import read_overrides
from daemon.sandbox.service import Service
from daemon.sandbox.voicecheap import VoiceCheap
from daemon.sandbox.wire import OpenProtocol

SERVICES: tuple[type[Service], ...] = (GptTranslator, VoiceCheap, Doctranslate, Azure, CambAi)
DEFAULT_PACE = (3.0, 8.0)

# Headers that carry credentials to one service or another.
_CREDENTIALS = ("x-api-key", "authorization", "ocp-apim-subscription-key")
_BACKLOG = 2048


class _Server(uvicorn.Server):
    """Ends by itself after SIGTERM or SIGINT, where its parent would raise the signal once more."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  the signature is uvicorn's
        self.force_exit = self.should_exit
        self.should_exit = True


def serve(
    host: str,
    port: int,
    folder: Path,
    pace: tuple[float, float],
    ready: Callable[[Addresses], None],
    *,
    limits: Mapping[str, str] | None = None,
    seed: int = 0,
) -> None:
    """Serve every simulated service until SIGTERM or SIGINT; for the main thread of a process.

    The API listens on `port`, the results' origin on the next one; with 0 on any free two. `folder` keeps
    uploads, results and the ledger. A translation takes a time drawn from `pace`, in seconds. `ready` is
    called once, when requests are answered. `limits` is explained in limits.py.

    Raises OSError when a port is taken, ValueError when a limit is written wrongly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    overridden = read_overrides({service.name: service.limits for service in SERVICES}, limits or {})
    with ExitStack() as stack:
        # Bound here, because uvicorn would end the process on a taken port instead of saying so.
        api = stack.enter_context(_listen(host, port))
        results = stack.enter_context(_listen(host, port + 1 if port else 0))
        addresses = Addresses(api=_origin(api), results=_origin(results))
        ledger = Ledger(folder / "ledger.jsonl", time.time)
        stack.callback(ledger.close)
        house = House(
            folder=folder,
            addresses=addresses,
            ledger=ledger,
            limits=overridden,
            pace=pace,
            random=Random(seed),  # noqa: S311  it draws waiting times
            clock=time.monotonic,
            wall=time.time,
        )
        app = _application(house, results.getsockname()[1], lambda: ready(addresses))
        _Server(_config(app)).run(sockets=[api, results])


def _listen(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it every answer
    # in two pieces takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _origin(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{host}:{port}"


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=OpenProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="error",
        server_header=False,
        # A client that thinks between two requests finds its connection still there.
        timeout_keep_alive=60,
        # A client that was answered with silence must not keep the sandbox alive.
        timeout_graceful_shutdown=1,
    )


def _application(house: House, results_port: int, ready: Callable[[], None]) -> ASGIApp:
    """One application for both origins; the port that a request came to decides."""
    services = [service(house) for service in SERVICES]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        ready()
        yield

    doors = [Mount("/_sandbox", routes=control.routes(house))]
    api = Starlette(
        routes=doors + [Mount(f"/{service.name}", routes=service.routes()) for service in services],
        lifespan=lifespan,
    )
    results = Starlette(routes=[Mount(f"/{service.name}", routes=service.result_routes()) for service in services])

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["server"][1] == results_port:
            _look_for_leaks(house, Request(scope))
            await results(scope, receive, send)
        else:
            await api(scope, receive, send)

    return application


def _look_for_leaks(house: House, request: Request) -> None:
    for header in _CREDENTIALS:
        if header in request.headers:
            house.ledger.leak(request.url.path, header)
