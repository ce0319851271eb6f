"""Which happenings become which message, and when: decided from what is shown second by second, without a clock.

A trouble (an account closed, the share away, a budget) is told when it begins and when it ends, never in between.
It counts once it has lasted its settling time; about one thing there is at most one message in a digest's length,
and what came and went meanwhile is told in it in the past tense. Failed files are gathered for a digest's length
from the first of them. In quiet hours nothing is said; at their end all of it is, in one message.

Memory is bounded: failures are counts and a few names, a trouble that came and went is a count and its seconds.
What is remembered survives a restart (`memory`), so that nothing is told twice and no end goes untold.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Final, Literal

from daemon.clock import moment, seconds_between, stamp

SETTLE_S: Final = 30.0
MOST_NAMES: Final = 5
MOST_PROVIDERS: Final = 50
_OTHERS: Final = "…"

Key = tuple[str, str]
"""Topic, and what it is about: `("blocked", "azure")`."""
UNSURE: Final = "unsure"
"""Nothing is known about it just now: what was last known counts on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Something that should not be so. `code` tells one from another of the same key; `facts` are for its sentence."""

    code: str
    since: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
    settle_s: float = SETTLE_S
    """Seconds until it counts: what mends itself may take longer."""


Seen = Mapping[Key, Trouble | Literal["unsure"] | None]
"""How everything stands that is watched; what is missing is watched no more, and forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing to be told. `at` is when it happened; `seconds` how long it was (in all, when `times` is above 1)."""

    topic: str
    kind: Literal["began", "ended", "passed"]
    trouble: Trouble
    at: datetime
    seconds: float = 0.0
    times: int = 1
    after: str | None = None
    """What was told before of the same thing, where one trouble became another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A file that failed: its path below the root, and why in a sentence."""

    provider: str
    path: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """How many files failed since the last message, by provider, and the first few of them."""

    since: datetime
    counts: Mapping[str, int]
    first: tuple[Failure, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What goes out at once, in the order in which it happened."""

    items: tuple[Item, ...]
    failures: Failures | None


@dataclass(kw_only=True, slots=True)
class _Track:
    """What is known and what was told about one key; `not_before` and `seen_since` are monotonic."""

    told: Trouble | None = None
    settled: Trouble | None = None
    settled_at: datetime | None = None
    seen: Trouble | None = None
    seen_since: float
    passed: Trouble | None = None
    passed_at: datetime | None = None
    times: int = 0
    seconds: float = 0.0
    told_at: datetime | None = None
    not_before: float = float("-inf")

    @property
    def pending(self) -> bool:
        return self.times > 0 or _code(self.settled) != _code(self.told)


class Digest:
    """What is to be told. `quiet` are local hours, also across midnight; two equal ones are none."""

    def __init__(self, topics: Collection[str], digest_s: float, quiet: tuple[time, time] | None) -> None:
        self._topics = frozenset(topics)
        self._digest_s = digest_s
        self._quiet = quiet
        self._was_quiet = False
        self._tracks: dict[Key, _Track] = {}
        self._counts: Counter[str] = Counter()
        self._first: list[Failure] = []
        self._since: datetime | None = None
        self._due = float("inf")

    def failed(self, failure: Failure, now: float, at: datetime) -> None:
        """Take note of a failed file; `now` is monotonic, `at` the wall clock."""
        if "failed" not in self._topics:
            return
        if self._since is None:
            self._since, self._due = at, now + self._digest_s
        known = failure.provider in self._counts or len(self._counts) < MOST_PROVIDERS
        self._counts[failure.provider if known else _OTHERS] += 1
        if len(self._first) < MOST_NAMES:
            self._first.append(failure)

    def step(self, seen: Seen, now: float, local: datetime) -> Message | None:
        """What is to be sent now; `now` is monotonic, `local` the wall clock in the machine's zone."""
        self._look(seen, now, local)
        quiet = is_quiet(self._quiet, local.time())
        if self._was_quiet and not quiet:
            # Whatever has been held back goes with the first message after it.
            self._due = now if self._since is not None else self._due
            for track in self._tracks.values():
                track.not_before = now
        self._was_quiet = quiet
        if quiet:
            return None
        items = sorted(self._items(now, local), key=lambda item: item.at)
        failures = self._failures() if now >= self._due else None
        return Message(items=tuple(items), failures=failures) if items or failures else None

    def _look(self, seen: Seen, now: float, local: datetime) -> None:
        wanted = {key: one for key, one in seen.items() if key[0] in self._topics}
        self._tracks = {key: track for key, track in self._tracks.items() if key in wanted}
        for key, one in wanted.items():
            if one is not None or key in self._tracks:
                track = self._tracks.setdefault(key, _Track(seen_since=now))
                _observe(track, track.settled if one == UNSURE else one, now, local)

    def _items(self, now: float, local: datetime) -> Iterator[Item]:
        for (topic, _), track in self._tracks.items():
            if track.pending and now >= track.not_before:
                yield from _tell(topic, track, local)
                track.not_before = now + self._digest_s

    def _failures(self) -> Failures:
        assert self._since is not None
        told = Failures(since=self._since, counts=dict(self._counts), first=tuple(self._first))
        self._counts, self._first, self._since, self._due = Counter(), [], None, float("inf")
        return told

    # -- across a restart -----------------------------------------------------------------------------------

    def memory(self) -> dict[str, Any]:
        """What has to be known after a restart, as JSON."""
        return {
            "tracks": [
                {
                    "key": list(key),
                    "told": _written(track.told),
                    "settled": _written(track.settled),
                    "settled_at": _stamp(track.settled_at),
                    "passed": _written(track.passed),
                    "passed_at": _stamp(track.passed_at),
                    "times": track.times,
                    "seconds": track.seconds,
                    "told_at": _stamp(track.told_at),
                }
                for key, track in sorted(self._tracks.items())
                if track.told or track.settled or track.pending or track.told_at
            ],
            "failed": {
                "since": _stamp(self._since),
                "counts": dict(self._counts),
                "first": [[one.provider, one.path, one.why] for one in self._first],
            },
        }

    def remember(self, memory: Mapping[str, Any], now: float, local: datetime) -> None:
        """Go on from what an earlier process knew. Raises ValueError, KeyError or TypeError for anything else."""
        tracks = {}
        for row in memory["tracks"]:
            topic, about = row["key"]
            track = _Track(
                told=_read(row["told"]),
                settled=_read(row["settled"]),
                settled_at=_moment(row["settled_at"]),
                seen=_read(row["settled"]),
                seen_since=now,
                passed=_read(row["passed"]),
                passed_at=_moment(row["passed_at"]),
                times=int(row["times"]),
                seconds=float(row["seconds"]),
                told_at=_moment(row["told_at"]),
            )
            if track.told_at is not None:
                track.not_before = self._rest_of_digest(track.told_at, now, local)
            tracks[str(topic), str(about)] = track
        failed = memory["failed"]
        first = [Failure(provider=str(name), path=str(path), why=str(why)) for name, path, why in failed["first"]]
        counts = Counter({str(name): int(count) for name, count in failed["counts"].items()})
        since = _moment(failed["since"])
        self._tracks, self._was_quiet = tracks, is_quiet(self._quiet, local.time())
        if since is not None and "failed" in self._topics:
            self._since, self._due = since, self._rest_of_digest(since, now, local)
            self._counts, self._first = counts, first[:MOST_NAMES]

    def _rest_of_digest(self, since: datetime, now: float, at: datetime) -> float:
        return now + max(0.0, self._digest_s - seconds_between(since, at))


def is_quiet(hours: tuple[time, time] | None, local: time) -> bool:
    """Whether a local time of day lies in the quiet hours; their end does not."""
    if hours is None:
        return False
    begin, end = hours
    return begin <= local < end if begin <= end else local >= begin or local < end


def _observe(track: _Track, one: Trouble | None, now: float, local: datetime) -> None:
    """Note how it stands; what has lasted long enough counts."""
    if _code(one) != _code(track.seen):
        track.seen, track.seen_since = one, now
    settle_s = track.seen.settle_s if track.seen else SETTLE_S
    if _code(track.seen) == _code(track.settled) or now - track.seen_since < settle_s:
        return
    before, track.settled = track.settled, track.seen
    track.settled_at = local - timedelta(seconds=now - track.seen_since)
    # What became another trouble has not gone: that one is told instead.
    if before is not None and track.settled is None and _code(before) != _code(track.told):
        track.passed, track.passed_at = before, track.passed_at or before.since
        track.times += 1
        track.seconds += seconds_between(before.since, track.settled_at)


def _tell(topic: str, track: _Track, local: datetime) -> Iterator[Item]:
    """What is to be said about one key; from now on it counts as told."""
    told, settled, at = track.told, track.settled, track.settled_at or local
    changed = _code(told) != _code(settled)
    if told is not None and changed and settled is None:
        yield Item(topic=topic, kind="ended", trouble=told, at=at, seconds=seconds_between(told.since, at))
    if track.passed is not None and track.times:
        yield Item(
            topic=topic,
            kind="passed",
            trouble=track.passed,
            at=track.passed_at or local,
            seconds=track.seconds,
            times=track.times,
        )
    if settled is not None and changed:
        yield Item(topic=topic, kind="began", trouble=settled, at=settled.since, after=_code(told))
    if changed:
        track.told = settled
    track.passed, track.passed_at, track.times, track.seconds = None, None, 0, 0.0
    track.told_at = local


def _code(trouble: Trouble | None) -> str | None:
    return trouble.code if trouble else None


def _stamp(at: datetime | None) -> str | None:
    return stamp(at) if at else None


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _written(trouble: Trouble | None) -> dict[str, Any] | None:
    if trouble is None:
        return None
    return {"code": trouble.code, "since": stamp(trouble.since), "facts": dict(trouble.facts)}


def _read(row: Mapping[str, Any] | None) -> Trouble | None:
    if row is None:
        return None
    facts = {str(name): str(value) for name, value in row["facts"].items()}
    return Trouble(code=str(row["code"]), since=moment(row["since"]), facts=facts)
