"""What tests share: a house with its workshop in one folder, a provider that talks to nobody, and crashes.

`Bench` is everything between the configuration and the engine, with a clock that only tests move; drops are
written into its inbox and `scan` does what the daemon would do. `Crashes` stops the process at the n-th effect
on the disk, as far as the files are concerned.
"""

import functools
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import disk, kernel, names
from daemon.accounts import Account
from daemon.clock import Clock
from daemon.config import Config
from daemon.delivery import Deliveries
from daemon.desks import Desk, Lanes
from daemon.errors import ServiceError
from daemon.folders import Place
from daemon.intake import Intake
from daemon.job import Job
from daemon.languages import LanguageTable, Route
from daemon.originals import Original
from daemon.ownership import House, open_house
from daemon.providers.base import (
    Accepted,
    Attempt,
    Capabilities,
    Fetched,
    Intent,
    Look,
    Part,
    Ready,
    Recovery,
    Unknown,
)
from daemon.reconcile import reconcile
from daemon.selftest.faults import Calls, Native
from daemon.settings import ProviderSettings
from daemon.spool import Sink, Spool
from daemon.stability import Settle
from daemon.transport import Session
from daemon.workshop import Workshop, enter
from tests.clocks import FakeClock

PROVIDER = "acme"
FACTS = Capabilities(
    extensions=frozenset({"txt", "docx", "pdf"}),
    languages=LanguageTable(targets={"fr": "fr", "de": "de"}),
    max_bytes=1_000_000,
)


class Silent:
    """A provider without a network: takes everything, and gives it back as it came."""

    kind: ClassVar[str] = "silent"
    title: ClassVar[str] = "Acme Translations"
    settings_type: ClassVar[type[ProviderSettings]] = ProviderSettings

    def __init__(self, settings: ProviderSettings, session: Session | None = None) -> None:
        del session
        self.capabilities = self.facts(settings)
        self._taken: dict[str, bytes] = {}

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        del settings
        return FACTS

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        return {"x-key": settings.api_key.read()}

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        return [Part(index=0, of=1, document=document, route=route, attempt=attempt)]

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        self._taken[part.attempt.job] = part.document.read()
        return Accepted(ref=part.attempt.job)

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        return {ref: Ready() for ref in refs}

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        for ref, sink in wanted:
            sink.restart()
            sink.write(self._taken[ref])
        return [Fetched() for _ in wanted]

    def assemble(self, document: Original, results: Sequence[bytes]) -> bytes:
        del document
        return b"".join(results)

    def clean_up(self, refs: Iterable[str]) -> None:
        for ref in refs:
            self._taken.pop(ref, None)

    def recover(self, intent: Intent) -> Recovery:
        del intent
        return Unknown()

    def check(self) -> None:
        """The key is always good."""


def settings(**more: Any) -> ProviderSettings:
    """The settings of a provider that nobody talks to; its key is `a-key-of-the-tests`."""
    known = {"kind": Silent.kind, "base_url": "http://127.0.0.1:9", "api_key": "a-key-of-the-tests"}
    return ProviderSettings.model_validate({**known, **more})


@functools.cache
def _session() -> Session:
    """One for all desks: it is never used, and making one reads the certificates of the system."""
    account = Account("nobody", {}, None, FakeClock(), full=False)
    return Session(settings(), account, FakeClock(), dict, threading.Event())


def desk(name: str = PROVIDER, clock: Clock | None = None, **more: Any) -> Desk:
    """A desk with a silent provider; `more` are its settings."""
    known = settings(**more)
    return Desk(
        name=name,
        settings=known,
        provider=Silent(known),
        account=Account(name, {}, None, clock or FakeClock(), full=False),
        session=_session(),
        lanes=Lanes(),
        uploads=ThreadPoolExecutor(1),
        downloads=ThreadPoolExecutor(1),
        controls=ThreadPoolExecutor(1),
    )


def configuration(base: Path, **more: Any) -> Config:
    """Root and state in one folder, and one silent provider."""
    return Config.model_validate(
        {"root": f"{base}/share", "state": f"{base}/state", "providers": {PROVIDER: settings()}, **more}
    )


class Bench:
    """A house, its workshop and its intake, as the daemon puts them together; without engine and threads."""

    def __init__(
        self,
        base: Path,
        clock: FakeClock | None = None,
        *,
        providers: Sequence[str] = (PROVIDER,),
        settle: Settle | None = None,
        ignore: Sequence[str] = (),
        take_over: bool = False,
        **more: Any,
    ) -> None:
        self.base = base
        self.root = base / "share"
        self.clock = clock or FakeClock()
        self.house: House = open_house(configuration(base, **more), self.clock, take_over=take_over)
        (base / "state/spool").mkdir(exist_ok=True)
        self.captured = LogCapture()
        self.shop = Workshop(
            clock=self.clock,
            journal=self.house.journal,
            folders=self.house.folders,
            spool=Spool(f"{base}/state/spool"),
            desks={name: desk(name, self.clock) for name in providers},
            log=structlog.wrap_logger(None, [self.captured], structlog.make_filtering_bound_logger(0)),
            stopping=threading.Event(),
            delete_originals=more.get("originals") == "delete",
            wake=lambda: None,
        )
        self.intake = Intake(self.shop, settle or Settle.on(network=False), ignore)
        self.deliveries = Deliveries(self.shop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.house.close()

    def arrive(self) -> None:
        """What the daemon does when it finds its root: make the folders, look into `processing/`."""
        self.house.folders.create({name: ["fr"] for name in self.shop.desks})
        reconcile(self.shop, self.intake, {job.id for job in self.house.jobs if not job.alive})

    def start(self) -> Self:
        """Go on with the jobs of before, then arrive."""
        for job in self.shop.journal.alive():
            enter(self.shop, job)
        self.arrive()
        return self

    def drop(self, path: str, content: bytes = b"some text\n") -> Path:
        """A file in the inbox, with the folders it needs."""
        target = self.root / "inbox" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def scan(self, whole: Iterable[str] = ()) -> int:
        """Look at everything; returns how many drops were claimed."""
        return self.intake.scan(None, set(whole))

    def settle(self, seconds: float = 6.0) -> int:
        """Scan, let time pass, scan again: what rests is claimed."""
        claimed = self.scan()
        self.clock.advance(seconds)
        return claimed + self.scan()

    def finish(self) -> None:
        """Bring the jobs that have failed (or were delivered) to their end."""
        for one in self.shop.desks.values():
            for key in self.shop.take(one.lanes.finish, 1_000_000):
                self.deliveries.finish(one, key)

    @property
    def jobs(self) -> list[Job]:
        return self.shop.journal.alive()

    def files(self, top: str) -> dict[str, bytes]:
        """Every file below a folder of the root, hidden ones too, by its path there."""
        return contents(self.root / top)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log about one kind of event."""
        return [dict(line) for line in self.captured.entries if line["event"] == event]


def contents(folder: Path) -> dict[str, bytes]:
    """Every regular file below a folder, by its path there."""
    found = {}
    for here, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(here, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found[os.path.relpath(path, folder)] = Path(path).read_bytes()
    return found


def folders_in(folder: Path) -> list[str]:
    """Every folder below a folder, by its path there, sorted."""
    return sorted(
        os.path.relpath(os.path.join(here, name), folder) for here, below, _ in os.walk(folder) for name in below
    )


def job_id(number: int) -> str:
    """The id of a job claimed so many milliseconds after the epoch."""
    return names.job_id(number, number)


def place(name: str, folder: str = "fr", provider: str = PROVIDER) -> Place:
    return Place(provider=provider, folder=folder, name=name)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait until a condition holds; the bound is for a hung test, not a measurement."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError(f"waited {seconds:g} s in vain: {what}")


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of syncs take their time on a disk."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(
        prefix="babeldrop-test-", dir=memory if os.access(memory, os.W_OK) else None
    ) as path:
        yield Path(path)


class Crash(BaseException):
    """The process was killed; like a kill it is caught by nobody who only expects errors."""


class Crashes:
    """Counts the effects on the disk; from the n-th on (1, 2, …) nothing happens any more, and Crash is raised.

    An effect is a system call that changes names, contents or modes, or makes them durable; opening, reading
    and closing are none. With `error` only the n-th effect fails, with that errno, as disks and shares do.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, native: bool = True) -> None:
        self._at = 0
        self._error: int | None = None
        self.count = 0
        self.done: list[str] = []
        monkeypatch.setattr(disk, "os", Calls(self.effect))
        found = kernel.native if native else None
        monkeypatch.setattr(kernel, "native", Native(self.effect, found) if found else None)

    def arm(self, at: int, error: int | None = None) -> None:
        """Let everything before the effect `at` happen; 0: everything."""
        self._at, self._error = at, error
        self.count = 0
        self.done = []

    def effect(self, name: str) -> None:
        self.count += 1
        if self._at and self._error is not None and self.count == self._at:
            raise OSError(self._error, os.strerror(self._error), name)
        if self._at and self._error is None and self.count >= self._at:
            raise Crash(f"{name}, effect {self.count}")
        self.done.append(name)
