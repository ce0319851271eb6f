"""What comes back from a service, and when to stop waiting for the rest of it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from daemon import spellings
from daemon.clock import Clock
from daemon.errors import TransientError

# Of a result so much has to come in each minute.
_PACE_S = 60.0
_LEAST_BYTES = 60_000
# Keys that are shorter would take words out of answers.
_SHORTEST_KEY = 8
_REDACTED = "[redacted]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer of a service."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after_s: float | None = None
    sent_whole: bool = True
    """False when it came before the last byte of the request was given out: proof against acceptance."""

    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Pace:
    """Notices a transfer that crawls on for ever, one byte before each silence would be too long."""

    def __init__(self, clock: Clock, *, grace_s: float = 0.0) -> None:
        """For `grace_s` seconds anything is good."""
        self._clock = clock
        self._since = clock.monotonic() + grace_s
        self._bytes = 0

    def keeps(self, count: int) -> bool:
        """Take note of so many bytes; False when the last minute brought too few."""
        self._bytes += count
        now = self._clock.monotonic()
        if now < self._since + _PACE_S:
            return True
        enough = self._bytes >= _LEAST_BYTES
        self._since, self._bytes = now, 0
        return enough


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a number or an HTTP date; None when absent or unreadable."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def refuse_unprovable(headers: Mapping[str, str]) -> None:
    """Take only bodies of which a cut would be noticed, and which are the document itself.

    h11 counts lengths and chunks and raises when something is missing. An encoding that was not asked for
    can end early, and hold less than was sent, without anybody noticing. Raises TransientError.
    """
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise TransientError("service.unreadable", "the result is encoded, which was not asked for")
    if "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "").lower():
        raise TransientError("result.cut", "the answer does not say how long it is")


def without_key(body: bytes, key: Mapping[str, str]) -> bytes:
    """A service that repeats the key in its words, however it spells it, must not bring it into sidecars.

    The region that goes along with some keys is no secret, and a word that such answers need.
    """
    values = (value for header, value in key.items() if not header.lower().endswith("-region"))
    known = spellings.pattern(frozenset(value.rpartition(" ")[2] for value in values), _SHORTEST_KEY)
    # All spellings are ASCII, whatever the body's own encoding is.
    return known.sub(_REDACTED, body.decode("latin-1")).encode("latin-1") if known else body


def words(error: Exception) -> str:
    """What the library says, without addresses: they may carry signatures."""
    return f"{type(error).__name__}: {error}" if "://" not in str(error) else type(error).__name__
