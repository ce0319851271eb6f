"""What users did to the share, fact by fact: the first of the three histories that the checker reads.

Only what has happened is written down (a file that the daemon took first was not deleted by anybody), with the
hash of the content it happened to.

    put       a content came into an inbox: somebody ordered a translation of it
    take      a user took an original away: from an inbox (and with it the order) or from failed/
    move      a user moved an original: out of an inbox takes an order back, into one gives one
    collect   a user took a result out of the outbox
    sidecar   a user removed a sidecar
    plant     a user's own file was put somewhere; nobody may touch it
    start     a daemon was started when the journal's last seq was `note`
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import TextIO


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One fact. Paths are below the root; `at` is in seconds since the beginning."""

    seq: int
    at: float
    kind: str
    path: str = ""
    to: str = ""
    sha256: str = ""
    note: str = ""


class History:
    """Written line by line, so that it survives whatever happens to the run."""

    def __init__(self, path: Path) -> None:
        self.acts: list[Act] = []
        self._began = monotonic()
        self._file: TextIO = path.open("w", encoding="utf-8")

    def tell(self, kind: str, **facts: str) -> Act:
        """Write down what has just happened."""
        act = Act(seq=len(self.acts), at=round(monotonic() - self._began, 3), kind=kind, **facts)
        self.acts.append(act)
        self._file.write(json.dumps({key: value for key, value in asdict(act).items() if value != ""}) + "\n")
        self._file.flush()
        return act

    def close(self) -> None:
        self._file.close()


def is_original(path: str) -> bool:
    """Whether a path is one where the originals of users lie."""
    return path.split("/", 1)[0] in ("inbox", "processing", "archive", "failed")


def provider_of(path: str) -> str:
    return path.split("/")[1]


def copies(acts: Iterable[Act]) -> Counter[str]:
    """How many originals of each content have to be on the share."""
    kept: Counter[str] = Counter()
    for act in acts:
        if act.kind == "put":
            kept[act.sha256] += 1
        elif act.kind == "take":
            kept[act.sha256] -= 1
    return +kept


def orders(acts: Iterable[Act]) -> Counter[tuple[str, str]]:
    """How often a translation of each content was ordered from each provider."""
    ordered: Counter[tuple[str, str]] = Counter()
    for act, path, change in _orders(acts):
        ordered[act.sha256, provider_of(path)] += change
    return ordered


def _orders(acts: Iterable[Act]) -> Iterator[tuple[Act, str, int]]:
    for act in acts:
        if act.kind == "put":
            yield act, act.path, 1
        elif act.kind in ("take", "move") and act.path.startswith("inbox/"):
            yield act, act.path, -1
        if act.kind == "move" and act.to.startswith("inbox/"):
            yield act, act.to, 1
