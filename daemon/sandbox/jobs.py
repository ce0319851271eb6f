"""One job at a service: how it looks is computed from the time that has passed and from its manners.

Nothing runs in the background. Moments are monotonic seconds and come as arguments.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from daemon.sandbox.localise import localise
from daemon.sandbox.misbehave import Manners
from daemon.sandbox.uploads import Upload
from daemon.segments import EXTENSIONS, NotSegmentableError

# Up to here a document is read into memory; a longer one comes back as it went.
_LONGEST_DOCUMENT = 64_000_000
_QUEUED_SHARE = 0.25


class Phase(Enum):
    """What one look at a job shows."""

    MISSING = "missing"
    WAITING = "waiting"
    ACTIVE = "active"
    ODD = "odd"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the phase, the progress from 0 to 1, and how many looks came before."""

    phase: Phase
    progress: float
    before: int


@dataclass(kw_only=True, slots=True)
class Job:
    """A submission that the service has taken. `issue` counts the addresses given out for its result."""

    service: str
    account: str
    ref: str
    upload: Upload
    source: str
    target: str
    fields: Mapping[str, str]
    manners: Manners
    began: float
    created_ms: int
    takes_s: float
    looks: int = 0
    downloads: int = 0
    issue: int = 0
    broken: bool = False
    result: Path | None = None

    def __post_init__(self) -> None:
        if "slow" in self.manners:
            self.takes_s = float(self.manners.number("slow", 60))
        if "stuck" in self.manners:
            self.takes_s = math.inf

    def over(self, now: float) -> bool:
        """Whether the service works on it no more."""
        return "vanish" in self.manners or now - self.began >= self.takes_s

    def look(self, now: float) -> Look:
        """What the service shows at this moment; every call counts as one look."""
        before = self.looks
        self.looks += 1
        elapsed = now - self.began
        progress = min(elapsed / self.takes_s, 1.0) if self.takes_s else 1.0
        if "back" in self.manners and before < 2:
            return (Look(Phase.ACTIVE, 0.9, before), Look(Phase.WAITING, 0.1, before))[before]
        return Look(self._phase(before, elapsed), progress, before)

    def _phase(self, before: int, elapsed: float) -> Phase:
        if "vanish" in self.manners or before < self.manners.number("gone", 1):
            return Phase.MISSING
        if before < self.manners.number("odd", 2):
            return Phase.ODD
        if "stuck" in self.manners:
            return Phase.ACTIVE
        if elapsed >= self.takes_s:
            failed = self.broken or "fail" in self.manners or "nested" in self.manners
            return Phase.FAILED if failed else Phase.DONE
        return Phase.ACTIVE if elapsed >= self.takes_s * _QUEUED_SHARE else Phase.WAITING

    def expired(self, issue: int) -> bool:
        """Whether the result's address with this number has expired; if so, the next status tells another."""
        if issue >= self.manners.number("expired", 1):
            return False
        self.issue = max(self.issue, issue + 1)
        return True

    def translate(self, folder: Path) -> None:
        """Make the result of a document; what has no segmenter, and what is too long, comes back as it came.

        Repeatable; reads and writes files. Afterwards either `result` is set or the job is `broken`.
        """
        if self.result is not None or self.broken:
            return
        if self.upload.extension not in EXTENSIONS or self.upload.size > _LONGEST_DOCUMENT:
            self.result = self.upload.path
            return
        try:
            translated = localise(self.upload.path.read_bytes(), self.upload.extension, self.target)
        except NotSegmentableError:
            self.broken = True
            return
        result = folder / f"{self.upload.path.name}.result"
        result.write_bytes(translated)
        self.result = result
