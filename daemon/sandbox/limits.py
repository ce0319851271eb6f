"""What a service admits: requests in a window, jobs at once, bytes in a file.

The numbers are the documented ones unless `--limits` replaces them, written `service.what=value`:

    voicecheap.status=3/2s    three status requests in two seconds, for each account
    voicecheap.jobs=2         two jobs under way at once
    voicecheap.bytes=1000     files of at most 1000 bytes
    voicecheap.status=none    no limit at all
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

VERBS = ("submit", "status", "fetch", "delete")
_WINDOW = re.compile(r"(?P<requests>\d+)/(?P<seconds>\d+(?:\.\d+)?)s")


@dataclass(frozen=True, slots=True)
class Window:
    """At most `requests` requests in any `per_s` seconds."""

    requests: int
    per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one service admits; None and absent verbs have no limit."""

    windows: Mapping[str, Window] = field(default_factory=dict)
    jobs: int | None = None
    bytes: int | None = None

    def replaced(self, what: str, value: str) -> "Limits":
        """These limits with one of them changed. Raises ValueError with a sentence for a person."""
        if what in VERBS:
            return self._with_window(what, value)
        if what not in ("jobs", "bytes"):
            raise ValueError(f"no such limit: {what} (one of {', '.join(VERBS)}, jobs, bytes)")
        if value != "none" and not value.isdecimal():
            raise ValueError(f"{what}: a number or none, not {value}")
        number = None if value == "none" else int(value)
        if what == "jobs":
            return Limits(windows=self.windows, jobs=number, bytes=self.bytes)
        return Limits(windows=self.windows, jobs=self.jobs, bytes=number)

    def _with_window(self, verb: str, value: str) -> "Limits":
        windows = {name: window for name, window in self.windows.items() if name != verb}
        if value != "none":
            found = _WINDOW.fullmatch(value)
            if not found or not int(found["requests"]) or not float(found["seconds"]):
                raise ValueError(f"{verb}: requests/seconds such as 30/60s, or none, not {value}")
            windows[verb] = Window(int(found["requests"]), float(found["seconds"]))
        return Limits(windows=windows, jobs=self.jobs, bytes=self.bytes)


class Turnstile:
    """Lets requests of an account through as long as its window has room. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._admitted: dict[tuple[str, str, str], deque[float]] = {}

    def admit(self, service: str, verb: str, account: str, window: Window | None, now: float) -> bool:
        """Whether this request still fits; a refused one takes no room."""
        if window is None:
            return True
        admitted = self._admitted.setdefault((service, verb, account), deque())
        while admitted and admitted[0] <= now - window.per_s:
            admitted.popleft()
        if len(admitted) >= window.requests:
            return False
        admitted.append(now)
        return True


def read_overrides(documented: Mapping[str, Limits], overrides: Mapping[str, str]) -> dict[str, Limits]:
    """The limits of every service after `--limits`. Raises ValueError with a sentence for a person."""
    limits = dict(documented)
    for name, value in overrides.items():
        service, dot, what = name.partition(".")
        if not dot or service not in limits:
            raise ValueError(f"no such limit: {name} (service.what, with service one of {', '.join(limits)})")
        limits[service] = limits[service].replaced(what, value)
    return limits
