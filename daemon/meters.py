"""What this process has seen: totals that only rise, and the last moments at which something moved.

Everything is kept by names that the configuration and the program bound, never by job, so nothing grows with a
long life. A restart begins at zero; what has to survive is in the journal.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.clock import Clock
from daemon.job import Job, State


class Meter:
    """One provider entry's way to its service: bytes, requests, and when it last brought anything."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.up = 0
        self.down = 0
        self.moved_at: float | None = None
        """The monotonic moment of the last byte of a document, or of the last answer that was none of an error."""
        self._requests: Counter[tuple[str, str]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def go_on(self, before: "Meter") -> None:
        """Count on where another one has ended, so that totals do not fall while the process lives."""
        requests, spent = before.requests, before.seconds
        with self._lock:
            self.up += before.up
            self.down += before.down
            self._requests.update(requests)
            for verb, seconds in spent.items():
                self._seconds[verb] += seconds

    def sent(self, length: int) -> None:
        with self._lock:
            self.up += length
            self.moved_at = self._clock.monotonic()

    def received(self, length: int) -> None:
        with self._lock:
            self.down += length
            self.moved_at = self._clock.monotonic()

    def asked(self, verb: str, status: int | None, seconds: float) -> None:
        """A request of a kind got an answer of an HTTP status, or none, after so many seconds."""
        with self._lock:
            self._requests[verb, outcome(status)] += 1
            self._seconds[verb] += seconds
            if status is not None and status < 400:
                self.moved_at = self._clock.monotonic()

    @property
    def requests(self) -> Mapping[tuple[str, str], int]:
        """How many requests by verb and outcome."""
        with self._lock:
            return dict(self._requests)

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long requests took together, by verb: from their first byte to the head of the answer."""
        with self._lock:
            return dict(self._seconds)


def outcome(status: int | None) -> str:
    """The class of an answer; 429 is told apart, because it says nothing about a mistake."""
    if status is None:
        return "none"
    return "429" if status == 429 else f"{status // 100}xx"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """The last full scan: its end (monotonic) and how many seconds it took."""

    ended: float
    seconds: float


class Tally:
    """Jobs that ended, costs, uncertain submissions and scans; used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delivered: Counter[str] = Counter()
        self._failed: Counter[tuple[str, str]] = Counter()
        self._uncertain: Counter[str] = Counter()
        self._costs: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._moved: dict[str, float] = {}
        self.scan: Scan | None = None

    def go_on(self, before: "Tally") -> None:
        """Count on where another one has ended."""
        delivered, failed, uncertain, costs = before.delivered, before.failed, before.uncertain_ones, before.costs
        with self._lock:
            self._delivered.update(delivered)
            self._failed.update(failed)
            self._uncertain.update(uncertain)
            for key, total in costs.items():
                self._costs[key] += total
            self.scan = before.scan

    def changed(self, job: Job, now: float) -> None:
        """An event of a job became durable; its cost counts when it ends, because until then it may be taken back."""
        with self._lock:
            self._moved[job.provider] = now
            if job.alive:
                return
            if job.closed_as is State.DELIVERED:
                self._delivered[job.provider] += 1
            else:
                self._failed[job.provider, str((job.error or {}).get("code", ""))] += 1
            if job.cost is not None and job.unit is not None:
                self._costs[job.provider, job.unit] += max(0.0, job.cost)

    def uncertain(self, provider: str) -> None:
        """Nobody can say whether a submission was taken."""
        with self._lock:
            self._uncertain[provider] += 1

    def scanned(self, began: float, ended: float) -> None:
        """All inboxes were looked through, between two monotonic moments."""
        self.scan = Scan(ended=ended, seconds=ended - began)

    def moved(self, provider: str) -> float | None:
        """The monotonic moment of the last event of any job of a provider."""
        with self._lock:
            return self._moved.get(provider)

    @property
    def delivered(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._delivered)

    @property
    def failed(self) -> Mapping[tuple[str, str], int]:
        """By provider and `error.code`."""
        with self._lock:
            return dict(self._failed)

    @property
    def uncertain_ones(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._uncertain)

    @property
    def costs(self) -> Mapping[tuple[str, str], float]:
        """By provider and unit."""
        with self._lock:
            return dict(self._costs)
