"""A network that can be spoilt: a TCP proxy in front of the services.

    pass     as it should be
    refuse   every connection is reset at once
    upload   a connection is reset in the middle of what the client sends
    mute     the client's words arrive, the answer does not: the connection ends instead
    cut      the connection ends in the middle of the answer
    stall    nothing moves, in either direction, until another mode
    slow     small pieces, with pauses

The services tell addresses of their own; those that name the place behind the proxy are changed to name the
proxy, which needs port numbers of one length.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from typing import Self

MODES = ("refuse", "upload", "mute", "cut", "stall", "slow")
_BLOCK = 1 << 16
_LOOK_S = 0.05


class Proxy:
    """Runs in a thread of its own until it is closed."""

    def __init__(self, port: int) -> None:
        self.mode = "pass"
        self._behind = port
        self._loop = asyncio.new_event_loop()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._names = (f"127.0.0.1:{port}".encode(), f"127.0.0.1:{self.port}".encode())
        assert len(self._names[0]) == len(self._names[1]), "ports of one length"
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listening))
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "refuse":
            _reset(writer)
            return
        try:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            _reset(writer)
            return
        ways = {
            asyncio.ensure_future(self._there(reader, behind_writer)),
            asyncio.ensure_future(self._back(behind_reader, writer)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, behind_writer):
                _reset(end) if self.mode == "upload" else end.close()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What the client sends."""
        while block := await reader.read(_BLOCK):
            await self._pace()
            if self.mode == "upload":
                writer.write(block[: len(block) // 2])
                await writer.drain()
                return
            writer.write(block)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What the service answers."""
        while block := await reader.read(2048 if self.mode == "slow" else _BLOCK):
            await self._pace()
            if self.mode == "mute":
                return
            block = block.replace(*self._names)
            if self.mode == "cut":
                writer.write(block[: len(block) // 2])
                await writer.drain()
                return
            writer.write(block)
            await writer.drain()

    async def _pace(self) -> None:
        while self.mode == "stall":  # noqa: ASYNC110  the mode is set by another thread
            await asyncio.sleep(_LOOK_S)
        if self.mode == "slow":
            await asyncio.sleep(_LOOK_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    # A linger time of zero makes closing send RST instead of FIN.
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
