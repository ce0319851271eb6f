"""Tells people of what needs them, through the addresses under `notify`; never in the way of the work.

The heartbeat hands over each snapshot, the workshop each job that ends; `digest` decides what is told and when.
Each address has a queue, and each try a thread of its own that may be left behind: a service that hangs, fails or
talks nonsense costs nobody anything but its own messages. Those are tried again with growing waits for a day.

What was told and what still waits to be sent stands in `notify.json` in the state folder, for the next start.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from daemon import courier, disk, names, policy, tidings
from daemon.clock import Clock, moment, seconds_between, stamp
from daemon.config import Config, seen_values
from daemon.config_sections import Notify
from daemon.digest import Digest, Failure
from daemon.happenings import seen_in
from daemon.job import Job, State
from daemon.log import redact
from daemon.messages import TEXTS
from daemon.settings import Secret
from daemon.tidings import Letter

NAME = "notify.json"
SEND_WITHIN_S = 60.0
_STOP_WITHIN_S = 3.0
_FIRST_RETRY_S, _LAST_RETRY_S = 30.0, 3600.0
_GIVEN_UP_AFTER_S = 86400.0
_LATE_S = 600.0
_MOST_PENDING = 20
_MOST_LEFT_BEHIND = 3
_MOST_ENDED = 1000
_NO_NEWS: Final = frozenset({"drop.withdrawn"})
"""Ended as somebody wished."""


class Attempt(threading.Thread):
    """One try to send one letter, in a thread that nobody has to wait for."""

    def __init__(self, secret: Secret, letter: Letter, began: float = 0.0) -> None:
        super().__init__(name="notify", daemon=True)
        self.began = began
        self.why: str | None = "no thread could be started"
        """Why it was not sent; None once it was."""
        self._secret, self._letter = secret, letter

    def run(self) -> None:
        try:
            url = self._secret.read()
            courier.send(url, self._letter.title, self._letter.body, good=self._letter.good)
            self.why = None
        except LookupError as error:
            self.why = str(error.args[0])
        except courier.CourierError as error:
            self.why = str(error)
        except BaseException as error:  # noqa: BLE001  a thread's end nobody sees; its text may hold the address
            self.why = f"it broke ({type(error).__name__})"


@dataclass(kw_only=True)
class _Target:
    """One address: what waits for it, and how the last try went. `next_try` is monotonic."""

    where: str
    secret: Secret
    queue: deque[tuple[datetime, Letter]] = field(default_factory=deque)
    given_up: int = 0
    """Letters lost since the last one that arrived."""
    tries: int = 0
    next_try: float = float("-inf")
    attempt: Attempt | None = None
    tried: tuple[datetime, Letter] | None = None
    """What the attempt is about; it may have been given up meanwhile."""
    left_behind: list[Attempt] = field(default_factory=list)
    failing_since: datetime | None = None
    why: str | None = None

    def put(self, at: datetime, letter: Letter) -> None:
        if len(self.queue) >= _MOST_PENDING:
            self.give_up()
        self.queue.append((at, letter))

    def give_up(self) -> None:
        self.queue.popleft()
        self.given_up += 1


class Notifier:
    """`start`, `beat` and `stop` belong to the main thread and never raise; `ended` may be called from any.

    Where nobody is to be told it does nothing.
    """

    def __init__(
        self, config: Config, clock: Clock, log: FilteringBoundLogger, *, send_within_s: float = SEND_WITHIN_S
    ) -> None:
        settings = config.notify
        self._on = settings is not None
        self._root, self._state = os.fspath(config.root), os.fspath(config.state)
        self._texts = TEXTS[config.language]
        self._clock, self._log = clock, log
        self._secrets = seen_values(config)
        self._digest_s = settings.digest if settings else 0.0
        self._digest = Digest(settings.on if settings else (), self._digest_s, settings.quiet if settings else None)
        self._targets = _targets(settings)
        self._send_within_s = send_within_s
        self._ended: deque[Job] = deque(maxlen=_MOST_ENDED)
        self._used: set[str] = set()
        """Providers whose account was needed since the start: an open door tells the truth."""
        self._sent = 0
        self._saved: dict[str, Any] = {}
        self._complaint: str | None = None

    # -- what the app calls ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on from what an earlier process knew."""
        self._safely(self._remember)

    def ended(self, job: Job) -> None:
        """Take note of a job that ended; only that, because the journal waits meanwhile."""
        if self._on:
            self._ended.append(job)

    def beat(self, snapshot: Callable[[], Mapping[str, Any]]) -> None:
        """Once a second: see what is new in the facts of status.json, and send what is due."""
        if self._on:
            self._safely(lambda: self._beat(snapshot()))

    def stop(self) -> None:
        """Wait a moment for what is being sent; what is left is sent after the next start."""
        if self._on:
            self._safely(self._leave)

    def row(self) -> dict[str, Any] | None:
        """For status.json: since when and why messages do not arrive, and how many were sent, wait, are lost."""
        if not self._on:
            return None
        failing = sorted(
            (one.failing_since, f"{one.where}: {one.why}") for one in self._targets if one.failing_since is not None
        )
        return {
            "failing_since": stamp(failing[0][0]) if failing else None,
            "why": failing[0][1] if failing else None,
            "sent": self._sent,
            "pending": sum(len(one.queue) for one in self._targets),
            "given_up": sum(one.given_up for one in self._targets),
        }

    # -- what is told ---------------------------------------------------------------------------------------

    def _beat(self, snapshot: Mapping[str, Any]) -> None:
        now, wall = self._clock.monotonic(), self._clock.now()
        local = wall.astimezone()
        self._take_ended(now, local)
        for row in snapshot["accounts"]:
            if row["door"] != "open":
                self._used.update(row["providers"])
        seen = seen_in(snapshot, self._used, wall, self._digest_s)
        message = self._digest.step(seen, now, local)
        if message is not None:
            letter = tidings.compose(message, self._texts, self._root, local)
            for target in self._targets:
                target.put(wall, self._hidden(letter))
        for target in self._targets:
            self._look_after(target, now, wall)
        self._save()

    def _take_ended(self, now: float, local: datetime) -> None:
        while self._ended:
            job = self._ended.popleft()
            if job.closed_as is State.DELIVERED:
                self._used.add(job.provider)
            elif job.error is not None and job.error.get("code") not in _NO_NEWS:
                path = names.shown(f"failed/{job.provider}/{job.folder}/{job.name}")
                why, _ = self._texts.told(job.error)
                self._digest.failed(Failure(provider=job.provider, path=path, why=why), now, local)

    def _hidden(self, letter: Letter) -> Letter:
        """What a service repeats of a key goes to nobody."""
        secrets = self._secrets()
        return Letter(title=redact(letter.title, secrets), body=redact(letter.body, secrets), good=letter.good)

    # -- how it is sent -------------------------------------------------------------------------------------

    def _look_after(self, target: _Target, now: float, wall: datetime) -> None:
        target.left_behind = [one for one in target.left_behind if one.is_alive()]
        attempt = target.attempt
        if attempt is not None and not attempt.is_alive():
            target.attempt = None
            self._came_back(target, attempt.why, now, wall)
        elif attempt is not None and now - attempt.began > self._send_within_s:
            target.attempt = None
            target.left_behind.append(attempt)
            self._came_back(target, f"no answer within {self._send_within_s:g} seconds", now, wall)
        while target.queue and seconds_between(target.queue[0][0], wall) > _GIVEN_UP_AFTER_S:
            target.give_up()
        may_start = target.attempt is None and len(target.left_behind) < _MOST_LEFT_BEHIND
        if target.queue and may_start and now >= target.next_try:
            target.tried = target.queue[0]
            target.attempt = Attempt(target.secret, self._addressed(target, wall), now)
            target.attempt.start()

    def _addressed(self, target: _Target, wall: datetime) -> Letter:
        at, letter = target.queue[0]
        late = tidings.told(at, wall.astimezone()) if seconds_between(at, wall) > _LATE_S else None
        body = tidings.with_history(letter.body, self._texts.language, lost=target.given_up, late=late)
        return Letter(title=letter.title, body=body, good=letter.good)

    def _came_back(self, target: _Target, why: str | None, now: float, wall: datetime) -> None:
        if why is None:
            if target.queue and target.queue[0] is target.tried:
                target.queue.popleft()
            if target.failing_since is not None:
                self._log.info("notify.works", to=target.where, lost=target.given_up)
            self._sent += 1
            target.given_up = target.tries = 0
            target.failing_since = target.why = None
            return
        target.tries += 1
        target.next_try = now + policy.doubling(target.tries, _FIRST_RETRY_S, _LAST_RETRY_S)
        if why != target.why:
            self._log.warning("notify.failed", to=target.where, why=why)
        target.failing_since, target.why = target.failing_since or wall, why

    # -- across a restart -----------------------------------------------------------------------------------

    def _memory(self) -> dict[str, Any]:
        queues = [
            {
                "given_up": target.given_up,
                "queue": [{"at": stamp(at), **asdict(letter)} for at, letter in target.queue],
            }
            for target in self._targets
        ]
        return {"digest": self._digest.memory(), "queues": queues}

    def _save(self) -> None:
        memory = self._memory()
        if memory == self._saved:
            return
        folder = disk.open_root(self._state)
        try:
            disk.write_json(folder, NAME, memory, 0o600)
        finally:
            disk.close(folder)
        self._saved = memory

    def _remember(self) -> None:
        path = os.path.join(self._state, NAME)
        if not disk.is_there(path):
            return
        if not self._on:
            # When somebody is to be told again, this would be old news.
            self._forget()
            return
        memory = json.loads(disk.read_own(path))
        self._digest.remember(memory["digest"], self._clock.monotonic(), self._clock.now().astimezone())
        for target, row in zip(self._targets, memory["queues"], strict=False):
            letters = [
                (moment(one["at"]), Letter(title=str(one["title"]), body=str(one["body"]), good=bool(one["good"])))
                for one in row["queue"][-_MOST_PENDING:]
            ]
            target.given_up, target.queue = int(row["given_up"]), deque(letters)

    def _forget(self) -> None:
        folder = disk.open_root(self._state)
        try:
            disk.unlink(folder, NAME)
        finally:
            disk.close(folder)

    def _leave(self) -> None:
        self._take_ended(self._clock.monotonic(), self._clock.now().astimezone())
        deadline = self._clock.monotonic() + _STOP_WITHIN_S
        for target in self._targets:
            if target.attempt is not None:
                target.attempt.join(max(0.0, deadline - self._clock.monotonic()))
                if not target.attempt.is_alive():
                    self._came_back(target, target.attempt.why, self._clock.monotonic(), self._clock.now())
                    target.attempt = None
        self._save()

    def _safely(self, act: Callable[[], object]) -> None:
        """Do it; whatever goes wrong is said once, and disturbs nobody."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  telling people is never worth stopping the work for
            # Of an unknown error the text is not repeated: it might hold an address.
            why = str(error) if isinstance(error, OSError) else type(error).__name__
            if why != self._complaint:
                self._log.error("notify.broke", why=why)
            self._complaint = why


def _targets(settings: Notify | None) -> list[_Target]:
    """One for each address, called by its place in the configuration."""
    return [
        _Target(where=f"notify.urls[{index}] ({secret.where})", secret=secret)
        for index, secret in enumerate(settings.urls if settings else ())
    ]


def try_all(config: Config, *, within_s: float = SEND_WITHIN_S) -> list[tuple[str, bool, str]]:
    """Send a test message to every address at once: (where, whether it was taken, why not) for each."""
    letter = tidings.trial(config.language, os.fspath(config.root))
    tried = [(target.where, Attempt(target.secret, letter)) for target in _targets(config.notify)]
    for _, attempt in tried:
        attempt.start()
    for _, attempt in tried:
        attempt.join(within_s)
    return [_outcome(where, attempt, within_s) for where, attempt in tried]


def _outcome(where: str, attempt: Attempt, within_s: float) -> tuple[str, bool, str]:
    if attempt.is_alive():
        return where, False, f"no answer within {within_s:g} seconds"
    return where, attempt.why is None, attempt.why or ""
