"""Stands where systemd's notify socket is: takes down what a daemon says, in order."""

import secrets
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Notified:
    """Listens at `address`; `said` holds each message as its lines. Without a path it is an abstract socket."""

    def __init__(self, path: Path | None = None) -> None:
        name = f"babeldrop-test-{secrets.token_hex(8)}"
        self.address = str(path) if path else f"@{name}"
        self.said: list[list[str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path) if path else f"\0{name}")
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is sent to oneself ends the thread, whoever else has stopped talking.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while message := self._socket.recv(65536):
            self.said.append(message.decode().split("\n"))

    def firsts(self) -> list[str]:
        """What was said, without the lines of status and the signs of life."""
        return [lines[0] for lines in self.said if not lines[0].startswith(("STATUS=", "WATCHDOG="))]

    def count(self, line: str) -> int:
        return sum(line in lines for lines in self.said)

    @property
    def status(self) -> str:
        """The last line of status."""
        lines = [lines[0] for lines in self.said if lines[0].startswith("STATUS=")]
        return lines[-1].removeprefix("STATUS=") if lines else ""
