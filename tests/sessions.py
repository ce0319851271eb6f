"""Ways to a service, originals and clocks for tests of what goes over the wire."""

import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from daemon.accounts import Account
from daemon.clock import Clock, SystemClock
from daemon.originals import Original
from daemon.replies import Answer
from daemon.settings import ProviderSettings, Rate, Secret, Timeout
from daemon.transport import Session

KEY = "vc_very-secret-key-0123456789"


class At(SystemClock):
    """A wall clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Racing(SystemClock):
    """Six hundred seconds pass in one."""

    def monotonic(self) -> float:
        return time.monotonic() * 600


@contextmanager
def session(
    base_url: str,
    *,
    clock: Clock | None = None,
    windows: Mapping[str, Rate] | None = None,
    connect_s: float = 2.0,
    read_s: float = 5.0,
    auth: Callable[[], Mapping[str, str]] = lambda: {"x-api-key": KEY},
    stopping: threading.Event | None = None,
    result_hosts: Sequence[str] = (),
) -> Iterator[Session]:
    """A way to a service at `base_url`, with an account of its own."""
    clock = clock or SystemClock()
    settings = ProviderSettings(
        kind="any",
        base_url=base_url,
        api_key=Secret(value=KEY),
        result_hosts=list(result_hosts),
        timeout=Timeout(connect=connect_s, read=read_s),
    )
    account = Account("test", windows or {}, None, clock, full=False)
    one = Session(settings, account, clock, auth, stopping or threading.Event())
    try:
        yield one
    finally:
        one.close()


class Papers:
    """Makes originals in a folder and closes them at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: list[Original] = []
        self.stopping = threading.Event()

    @property
    def path(self) -> Path:
        return self._folder / "drop.txt"

    def original(self, content: bytes | int) -> Original:
        """One with this content, or of so many bytes that take no place on the disk."""
        with self.path.open("wb") as file:
            if isinstance(content, int):
                file.truncate(content)
            else:
                file.write(content)
        made = Original(os.open(self.path, os.O_RDONLY), "drop.txt", self.stopping.is_set)
        self._open.append(made)
        return made

    def close(self) -> None:
        for one in self._open:
            one.close()


def submit(one: Session, original: Original, fields: Mapping[str, str] | None = None) -> Answer:
    return one.submit(
        "/v1/translate",
        fields={"targetLang": "fr"} if fields is None else fields,
        file_field="file",
        sent_name="drop.0123456789abcdef-1.txt",
        media_type="text/plain",
        original=original,
    )


def texts_of(error: BaseException) -> str:
    """Everything that a log could show of an error: itself, its causes, its traceback."""
    seen: list[str] = ["".join(traceback.format_exception(error))]
    chain: list[BaseException | None] = [error]
    while chain:
        one = chain.pop()
        if one is not None:
            seen += [str(one), repr(one), str(vars(one).get("facts", ""))]
            chain += [one.__cause__, one.__context__]
    return "\n".join(seen)


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
