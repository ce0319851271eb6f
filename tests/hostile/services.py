"""A whole daemon in front of many misbehaving services at once.

Each *case* is a provider entry of its own with a service below its own path, so that no trouble touches another
case. A case plays its tricks until everything shows the sign that people are to see, then its service is as it
should be again, and what was not failed has to be delivered.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import config, policy
from daemon.app import App
from daemon.clock import SystemClock
from daemon.providers.gpttranslator import GptTranslator
from tests.rawserver import CERTIFICATE, Exchange, RawServer, Script, answer, message

KEY = "hostile-key-that-nobody-may-see"
NAME = "report.txt"
TEXT = b"The keeper climbs the stairs at dusk.\n"
RESULT = b"FR: The keeper climbs the stairs at dusk.\n" * 100
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ATTACHED = {"content-type": "application/octet-stream", "content-disposition": "attachment"}
_SHORT = {
    "FIRST_REOPEN_S": 0.1,
    "LAST_REOPEN_S": 0.2,
    "FIRST_RECONNECT_S": 0.1,
    "LAST_RECONNECT_S": 0.2,
    "FIRST_RETRY_S": 0.1,
    "LAST_RETRY_S": 0.4,
    "CHECK_LOOK_S": 0.05,
    "LOST_AFTER_S": 0.3,
}
_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of misbehaviour, and what must come of it.

    `sign` is the code that is to be seen: of a failed file's sidecar when `fails`, else why the file or its
    account waits; "" when nothing is wrong at all. `tricks` are scripts by verb (`submit`, `status`, `fetch`,
    `check`); what no trick is played on works.
    """

    tricks: Mapping[str, Callable[["Services", str], Script]]
    sign: str = ""
    fails: bool = False
    name: str = NAME
    content: bytes | int = TEXT
    result: bytes = RESULT
    settings: Mapping[str, Any] = field(default_factory=dict)


def forbidden(texts: Iterable[str]) -> list[str]:
    """Those with characters that must not reach a terminal: all controls but tab and line feed, and directions."""
    return [text[:200] for text in texts if _UNFIT.search(text)]


class Services:
    """The services of all cases on one server, and a foreign host that nobody may give the key to."""

    def __init__(self, cases: Mapping[str, Case]) -> None:
        self.cases = cases
        self.healed = threading.Event()
        self.taken: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._tricks: dict[tuple[str, str], Script] = {}
        self.server = RawServer(self._serve)
        self.foreign = RawServer(answer(200, RESULT, _ATTACHED))

    def start(self, stack: ExitStack) -> None:
        stack.enter_context(self.server)
        stack.enter_context(self.foreign)
        for name, case in self.cases.items():
            for verb, trick in case.tricks.items():
                self._tricks[name, verb] = trick(self, name)

    def at(self, case: str, path: str = "/result/1") -> str:
        """An address of a case's own service."""
        return f"{self.server.origin}/{case}{path}"

    def _serve(self, exchange: Exchange) -> None:
        case, _, rest = exchange.target.lstrip("/").partition("/")
        verb = _verb(exchange.method, rest)
        trick = None if self.healed.is_set() else self._tricks.get((case, verb))
        (trick or self.good(case, verb))(exchange)

    def good(self, case: str, verb: str) -> Script:
        """What the service does when it does as documented."""
        if verb == "submit":
            return self._take(case)
        if verb == "check":
            return answer(404, {"error": "Translation not found", "message": "Translation not found"})
        if verb == "status":
            return answer(200, done(self.at(case)))
        return answer(200, self.cases[case].result, _ATTACHED)

    def _take(self, case: str) -> Script:
        def script(exchange: Exchange) -> None:
            exchange.read()
            with self._lock:
                self.taken[case] += 1
            exchange.send(message(201, {"data": {"translationId": "1"}}))

        return script


def _verb(method: str, rest: str) -> str:
    if method == "POST":
        return "submit"
    if rest.startswith("result/"):
        return "fetch"
    return "check" if rest.endswith("/0") else "status"


def done(url: str) -> dict[str, Any]:
    """The documented status of a finished translation."""
    return {"translationStatus": "completed", "data": {"documentUrl": url}}


def state(word: str) -> dict[str, Any]:
    return {"translationStatus": word}


def failed(reason: str, status: int = 400) -> dict[str, Any]:
    return {"translationStatus": "failed", "error": reason, "statusCode": status}


def configuration(base: Path, services: Services, **more: Any) -> Path:
    """A configuration file with an entry for each case, and each case's drop in its inbox."""
    for name, case in services.cases.items():
        folder = base / f"share/inbox/{name}/fr"
        folder.mkdir(parents=True)
        with (folder / case.name).open("wb") as file:
            if isinstance(case.content, int):
                file.truncate(case.content)
            else:
                file.write(case.content)
    known = {
        "root": f"{base}/share",
        "state": f"{base}/state",
        "watch": {"settle": "20ms", "rescan": "200ms"},
        "providers": {name: _entry(services, name, case) for name, case in services.cases.items()},
    }
    path = base / "config.yaml"
    path.write_text(json.dumps(known | more))
    return path


def _entry(services: Services, name: str, case: Case) -> dict[str, Any]:
    return {
        "kind": "gpttranslator",
        "base_url": f"{services.server.origin}/{name}",
        "api_key": KEY,
        "account": name,
        "source_language": "en",
        "languages": ["fr"],
        "poll": {"every": "100ms", "at_most": "200ms"},
        "timeout": {"connect": "5s", "read": "10s"},
        "options": {"model": "gpt-4.1-mini-2025-04-14"},
        **case.settings,
    }


class Household:
    """The daemon with an entry for each case; every one gets one file."""

    def __init__(self, base: Path, services: Services) -> None:
        self.base = base
        self.services = services
        self.captured = LogCapture()
        self.signs: dict[str, set[str]] = {name: set() for name in services.cases}
        path = configuration(base, services)
        log = structlog.wrap_logger(None, [self.captured], structlog.make_filtering_bound_logger(0))
        known = config.load(path, kinds={"gpttranslator": GptTranslator.settings_type})
        self.app = App(known, SystemClock(), log)

    def __enter__(self) -> Self:
        self.app.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.app.stop()

    # -- what people see ------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take down what the status would show of every case now."""
        for row in self.app.view.snapshot()["accounts"]:
            if row["reason"]:
                self.signs[row["providers"][0]].add(row["reason"])
            if row["paused_until"]:
                self.signs[row["providers"][0]].add("account.throttled")
        for key, waiting in list(self.app.shop.waiting.items()):
            job = self.app.shop.journal.latest(key.partition(".")[0])
            if job is not None:
                self.signs[job.provider].add(waiting.why)
        for name, story in self.sidecars().items():
            self.signs[name].add(story["error"]["code"])

    def sidecars(self) -> dict[str, dict[str, Any]]:
        found = (self.base / "share/failed").rglob("*.error.json")
        return {path.relative_to(self.base / "share/failed").parts[0]: json.loads(path.read_text()) for path in found}

    def outbox(self, case: str) -> dict[str, bytes]:
        top = self.base / "share/outbox" / case
        visible = [path for path in top.rglob("*") if path.is_file() and not path.name.startswith(".")]
        return {str(path.relative_to(top)): path.read_bytes() for path in visible}

    def has_signed(self, name: str, case: Case) -> bool:
        if case.fails:
            return name in self.sidecars()
        return case.sign in self.signs[name] if case.sign else bool(self.outbox(name))

    def has_ended(self, name: str, case: Case) -> bool:
        return name in self.sidecars() if case.fails else bool(self.outbox(name))

    def until(self, condition: Callable[[], object]) -> bool:
        """Whether something comes true within the patience of a person."""
        pause = threading.Event()
        for _ in range(int(_PATIENCE_S / 0.1)):
            self.look()
            if condition():
                return True
            pause.wait(0.1)
        return False

    def wait(self, condition: Callable[[str, Case], bool]) -> list[str]:
        """The cases of which something does not come true."""
        left = list(self.services.cases)

        def over() -> bool:
            left[:] = [name for name in left if not condition(name, self.services.cases[name])]
            return not left

        self.until(over)
        return left

    def everything_written(self) -> str:
        """Log, journal, status, sidecars: all that could show what it must not."""
        texts = [repr(entry) for entry in self.captured.entries]
        for top in ("state", "share/failed", "share/outbox"):
            texts += [path.read_text("utf-8", "replace") for path in (self.base / top).rglob("*") if path.is_file()]
        return "\n".join(texts)


@dataclass(kw_only=True)
class Report:
    """What became of all cases."""

    house: Household
    without_sign: Sequence[str]
    without_end: Sequence[str]


def play(base: Path, cases: Mapping[str, Case]) -> Iterator[Report]:
    """Let all cases happen, heal the services, and tell. The daemon has ended when the report is given."""
    services = Services(cases)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name, seconds in _SHORT.items():
            patch.setattr(policy, name, seconds)
        # Reading the system's authorities anew for every entry takes long, and nobody here has a certificate.
        patch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        services.start(stack)
        with Household(base, services) as house:
            without_sign = house.wait(house.has_signed)
            services.healed.set()
            house.app.poke()
            without_end = house.wait(house.has_ended)
        yield Report(house=house, without_sign=without_sign, without_end=without_end)
