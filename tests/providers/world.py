"""A provider on real sockets: a service that answers by verb as a test says, and a storage host beside it."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from daemon import names
from daemon.accounts import Account
from daemon.clock import SystemClock
from daemon.errors import ServiceError
from daemon.languages import Route
from daemon.originals import Original
from daemon.providers.base import Accepted, Attempt, Fetched, Look, Provider
from daemon.spool import Sink, Spool
from daemon.transport import Session
from tests.rawserver import Exchange, RawServer, Script, answer

KEY = "sandbox-key-that-nobody-may-see"
JOB = "0123456789abcdef"


@dataclass(frozen=True)
class Reply:
    """One answer on the wire; a body that is not bytes goes out as JSON."""

    status: int
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def script(self) -> Script:
        return answer(self.status, self.body, self.headers)


PAGE = Reply(200, b"<!DOCTYPE html><html><body>Please sign in</body></html>", {"content-type": "text/html"})


@dataclass(frozen=True)
class Row:
    """A documented error: what is asked, what comes, and what it must be taken for."""

    verb: str
    reply: Reply
    means: type[ServiceError] | None
    """None where it is no error: a check that is content."""
    code: str | None = None


def open_provider(
    kind: type[Provider],
    base_url: str,
    *,
    key: str = KEY,
    stopping: threading.Event | None = None,
    **settings: Any,
) -> tuple[Provider, Session]:
    """A provider with an account of its own and no windows."""
    known = kind.settings_type.model_validate({"kind": kind.kind, "base_url": base_url, "api_key": key} | settings)
    account = Account("test", {}, None, SystemClock(), full=False)
    session = Session(known, account, SystemClock(), lambda: kind.credentials(known), stopping or threading.Event())
    return kind(known, session), session


class World:
    """One provider with its service and its storage. `replies` holds a script for each verb."""

    def __init__(self, kind: type[Provider], verb_of: Callable[[Exchange], str], folder: Path, **settings: Any) -> None:
        self.replies: dict[str, Script] = {}
        self.folder = folder
        self.stopping = threading.Event()
        self._verb_of = verb_of
        self._stack = ExitStack()
        self.server = self._stack.enter_context(RawServer(self._serve))
        self.storage = self._stack.enter_context(RawServer(self._store))
        usual: dict[str, Any] = {"timeout": {"connect": 2.0, "read": 5.0}, "result_hosts": [self.storage.host]}
        self.provider, self.session = open_provider(
            kind, self.server.origin, stopping=self.stopping, **(usual | settings)
        )
        self._stack.callback(self.session.close)
        self._spool = Spool(str(folder))
        self._sinks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _serve(self, exchange: Exchange) -> None:
        self.replies[self._verb_of(exchange)](exchange)

    def _store(self, exchange: Exchange) -> None:
        self.replies["fetch"](exchange)

    def asked(self, verb: str) -> list[Exchange]:
        """The requests of a verb that came to the service itself."""
        return [one for one in self.server.requests if self._verb_of(one) == verb]

    def original(self, name: str, content: bytes | int) -> Original:
        """A drop with this content, or of so many bytes that take no place on the disk."""
        path = self.folder / name
        with path.open("wb") as file:
            if isinstance(content, int):
                file.truncate(content)
            else:
                file.write(content)
        made = Original(os.open(path, os.O_RDONLY), name, self.stopping.is_set)
        self._stack.callback(made.close)
        return made

    def submit(self, name: str, content: bytes | int, route: Route) -> Accepted:
        """Submit the first part of a drop."""
        attempt = Attempt(job=JOB, number=1, sent_name=names.sent_name(name, JOB, 1))
        part = self.provider.prepare(self.original(name, content), route, attempt)[0]
        return self.provider.submit(part, None)

    def look(self, ref: str) -> Look | ServiceError:
        return self.provider.poll([ref])[ref]

    def sink(self) -> Sink:
        self._sinks += 1
        return self._stack.enter_context(self._spool.sink("job", self._sinks))

    def fetch(self, ref: str) -> tuple[Fetched | ServiceError, bytes]:
        """What fetching one result ended with, and what is in its sink."""
        sink = self.sink()
        outcome = self.provider.fetch([(ref, sink)])[0]
        return outcome, sink.read_at(0, sink.size)
