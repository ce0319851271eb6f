"""The simulated services in a thread of this process, by real sockets: their time is the test's, and they can be
waited for.

A process that dies leaves a request behind which the service may be reading still. `quiet` returns when nothing
of it is under way any more, so that what is in the ledger then is all that there will be.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.sandbox import server
from daemon.sandbox.addresses import Addresses
from daemon.sandbox.house import House
from daemon.sandbox.ledger import Ledger
from daemon.sandbox.limits import VERBS, read_overrides
from tests.clocks import FakeClock

_QUIET = "/_quiet"


class Services:
    """All simulated services, on one origin; results on another."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self._under_way = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        origins = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets]
        self.addresses = Addresses(api=origins[0], results=origins[1])
        names = {service.name: service.limits for service in server.SERVICES}
        unlimited = {f"{name}.{what}": "none" for name in names for what in (*VERBS, "jobs")}
        self.house = House(
            folder=folder,
            addresses=self.addresses,
            ledger=Ledger(folder / "ledger.jsonl", lambda: self.clock.now().timestamp()),
            limits=read_overrides(names, unlimited),
            pace=(0.0, 0.0),
            random=Random(0),
            clock=lambda: self.clock.monotonic(),  # noqa: PLW0108  each trial brings another clock
            wall=lambda: self.clock.now().timestamp(),
        )
        ready = threading.Event()
        results_port = self._sockets[1].getsockname()[1]
        app = self._counted(server._application(self.house, results_port, ready.set))
        self._server = uvicorn.Server(server._config(app))
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,), daemon=True)
        self._thread.start()
        assert ready.wait(20)

    def _counted(self, app: ASGIApp) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == _QUIET:
                await Response(str(self._under_way))(scope, receive, send)
                return
            self._under_way += scope["type"] == "http"
            try:
                with suppress(ClientDisconnect):
                    await app(scope, receive, send)
            finally:
                self._under_way -= scope["type"] == "http"

        return counted

    def quiet(self) -> None:
        """Return when every request that was sent has been dealt with.

        A question that is asked now is read after all that was sent before; the second one comes after the
        handlers of the first turn have begun.
        """
        looks = 0
        while looks < 2:
            connection = HTTPConnection("127.0.0.1", self._sockets[0].getsockname()[1], timeout=20)
            connection.request("GET", _QUIET)
            looks = looks + 1 if connection.getresponse().read() == b"0" else 0
            connection.close()

    @property
    def submissions(self) -> list[dict[str, Any]]:
        return self.house.ledger.submissions

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self.house.ledger.close()


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Simulated services for the length of a block; their files are in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Services(folder)
    try:
        yield running
    finally:
        running.stop()
