"""What the sandbox saw: every submission, every request, every credential in the wrong place.

Tests take the submissions as the truth about money: `accepted` means taken and billed, whatever the client
was told. The submissions are also lines of `ledger.jsonl` in the sandbox's folder and survive its end.
"""

import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

_REQUESTS_KEPT = 10_000
_LEAKS_KEPT = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One submission as the service saw it.

    `time` is UTC in ISO 8601; `sha256` and `size` describe the file's bytes and are null when they did not
    arrive whole; `accepted` is true as soon as the service bills it; `answered` is the HTTP code, null when
    the answer was withheld or the client was gone.
    """

    seq: int
    time: str
    service: str
    account: str
    file: str | None = None
    sha256: str | None = None
    size: int | None = None
    source: str | None = None
    target: str | None = None
    accepted: bool
    answered: int | None
    remote_id: str | None = None


class Ledger:
    """Keeps everything in memory and appends the submissions to the file, flushed line by line.

    `clock` gives seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.submissions: list[dict[str, Any]] = _read(path)
        self.leaks: deque[dict[str, Any]] = deque(maxlen=_LEAKS_KEPT)
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._requests: defaultdict[tuple[str, str], deque[tuple[float, str]]] = defaultdict(
            lambda: deque(maxlen=_REQUESTS_KEPT)
        )
        self._file: TextIO = open(path, "a", encoding="utf-8")  # noqa: SIM115  it lives as long as the sandbox

    def submission(self, service: str, account: str, *, accepted: bool, answered: int | None, **facts: Any) -> None:
        """Write down a submission. The facts are the other fields of `Submission`."""
        moment = datetime.fromtimestamp(self._clock(), UTC)
        entry = asdict(
            Submission(
                seq=len(self.submissions) + 1,
                time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                service=service,
                account=account,
                accepted=accepted,
                answered=answered,
                **facts,
            )
        )
        self.submissions.append(entry)
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def request(self, service: str, verb: str, account: str) -> None:
        """Count a request, whatever becomes of it."""
        self._counts[service, verb] += 1
        self._requests[service, verb].append((self._clock(), account))

    def leak(self, path: str, header: str) -> None:
        """Write down that a credential arrived where none belongs."""
        self.leaks.append({"time": self._clock(), "path": path, "header": header})

    def requests(self, account: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
        """By service and verb: how many requests there were, and when the last of them came.

        With an account, its requests among those remembered are counted alone. Times are seconds since 1970.
        """
        seen: dict[str, dict[str, dict[str, Any]]] = {}
        for (service, verb), requests in self._requests.items():
            times = [moment for moment, who in requests if account in (None, who)]
            count = self._counts[service, verb] if account is None else len(times)
            seen.setdefault(service, {})[verb] = {"count": count, "times": times}
        return seen

    def close(self) -> None:
        """Close the file; nothing can be written afterwards."""
        self._file.close()


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
