"""Answers that are none: connections that stay silent, end early or break.

An ASGI application can only answer. To hang up on a client it needs the connection itself, which the
protocol class below puts into the state of every request.
"""

import asyncio
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


class OpenProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with the connection at hand as `state["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent does
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["state"]["transport"])


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class NoAnswer(Response):
    """The client never learns anything."""


class HangUp(NoAnswer):
    """The connection is closed without a byte of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  the signature is ASGI's
        _transport(scope).close()
        await _until_gone(receive)


class Reset(NoAnswer):
    """The connection is reset: the client's next read or write fails."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  the signature is ASGI's
        transport = _transport(scope)
        plug = transport.get_extra_info("socket")
        # A linger time of zero makes closing send RST instead of FIN.
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await _until_gone(receive)


class Silence(NoAnswer):
    """No answer for `seconds`, or until the client gives up; then the connection is closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await _until_gone(receive)
        await HangUp()(scope, receive, send)


class Cut(Response):
    """The head promises the whole file, the body ends half-way and the connection is closed."""

    def __init__(self, path: Path, media_type: str, headers: dict[str, str]) -> None:
        size = os.stat(path).st_size
        # At least one byte is promised and missing, even of an empty file.
        super().__init__(headers={**headers, "content-length": str(max(size, 1))}, media_type=media_type)
        self.path = path
        self.left = size // 2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with open(self.path, "rb") as file:  # noqa: ASYNC230  a local file of a test
            while self.left:
                block = file.read(min(self.left, 1 << 16))
                self.left -= len(block)
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await HangUp()(scope, receive, send)
