"""Sockets that count: connecting, each block that is sent, each block that is received."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore

from daemon.transport import Session
from tests.effects import Effects


def watch(session: Session, effects: Effects, quiet: Callable[[], None]) -> None:
    """Let a session's traffic go through the effects; `quiet` waits until the service is done with what it got."""
    session._ways._below = _Backend(effects, quiet)


class _Backend(httpcore.SyncBackend):
    def __init__(self, effects: Effects, quiet: Callable[[], None]) -> None:
        self._effects = effects
        self._quiet = quiet

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        opened: list[httpcore.NetworkStream] = []
        connect = super().connect_tcp

        def act() -> httpcore.NetworkStream:
            opened.append(connect(host, port, 20.0, local_address, socket_options))
            return opened[0]

        try:
            stream = self._effects.effect("connect", "", act, cut=httpcore.ConnectError("cut"))
        except BaseException:
            for one in opened:
                one.close()
            raise
        return _Stream(stream, self._effects, self._quiet)


class _Stream(httpcore.NetworkStream):
    """A connection for one request. Its answer comes in the same pieces in every run: head and two halves."""

    def __init__(self, stream: httpcore.NetworkStream, effects: Effects, quiet: Callable[[], None]) -> None:
        self._stream = stream
        self._effects = effects
        self._quiet = quiet
        self._is_cut = False
        self._sent = 0
        self._pieces: list[bytes] | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._is_cut:
            # Whoever could not send looks for an answer all the same.
            raise httpcore.ReadError("cut")
        if self._pieces is None:
            self._pieces = _pieces(b"".join(iter(lambda: self._stream.read(max_bytes, timeout), b"")))
        act = partial(_next, self._pieces)
        with self._broken_by(httpcore.ReadError("cut")) as cut:
            return self._effects.effect("receive", "", act, cut=cut)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        self._sent += 1
        act = partial(self._stream.write, buffer, timeout)
        half = partial(self._stream.write, buffer[: len(buffer) // 2], timeout)
        with self._broken_by(httpcore.WriteError("cut")) as cut:
            self._effects.effect("send", f"block {self._sent}", act, half, cut=cut)

    @contextmanager
    def _broken_by(self, cut: Exception) -> Iterator[Exception]:
        try:
            yield cut
        except (httpcore.ReadError, httpcore.WriteError):
            self._is_cut = True
            self._stream.close()
            self._quiet()
            raise

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        raise NotImplementedError("the simulated services speak plain HTTP")

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _next(pieces: list[bytes]) -> bytes:
    return pieces.pop(0) if pieces else b""


def _pieces(answer: bytes) -> list[bytes]:
    head, end, body = answer.partition(b"\r\n\r\n")
    half = len(body) // 2
    return [piece for piece in (head + end, body[:half], body[half:]) if piece]
