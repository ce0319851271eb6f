"""Where each metric's numbers come from: pure functions over the view's facts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from daemon import messages
from daemon.clock import moment, seconds_between
from daemon.health import health

Facts = Mapping[str, Any]
Sample = tuple[tuple[str, ...], float]
"""The values of a metric's labels, and its own."""
OTHER = "other"
_CODES = messages.CATALOGUE.keys() | messages.WAITING.keys()


def one(value: Callable[[Facts], float | None]) -> Callable[[Facts], Iterator[Sample]]:
    """A metric without labels; none where nothing is known."""

    def samples(facts: Facts) -> Iterator[Sample]:
        found = value(facts)
        if found is not None:
            yield (), float(found)

    return samples


def table(name: str, labels: str, value: str) -> Callable[[Facts], Iterator[Sample]]:
    """The rows of one table of `measured`, or of the facts themselves."""
    keys = labels.split()

    def samples(facts: Facts) -> Iterator[Sample]:
        rows = measured(facts).get(name, facts.get(name)) or ()
        return ((tuple(str(row[key]) for key in keys), float(row[value])) for row in rows)

    return samples


def measured(facts: Facts) -> Facts:
    return facts.get("measured") or {}


def age(facts: Facts, since: str | None) -> float:
    """Seconds since a moment; 0 for one that never was."""
    return seconds_between(moment(since), moment(facts["at"])) if since else 0.0


def oldest(state: str) -> Callable[[Facts], Iterator[Sample]]:
    """The age of the oldest job of each provider in a state; zero where there is none, so that alarms end."""

    def samples(facts: Facts) -> Iterator[Sample]:
        rows = measured(facts).get("oldest") or ()
        since = {row["provider"]: row["since"] for row in rows if row["state"] == state}
        names = dict.fromkeys([*(row["name"] for row in measured(facts).get("providers") or ()), *since])
        return (((name,), age(facts, since.get(name))) for name in names)

    return samples


def failed(facts: Facts) -> Iterator[Sample]:
    """Every code from the start on: what begins with one is no increase to Prometheus."""
    counts = {(row["name"], code): 0 for row in measured(facts).get("providers") or () for code in messages.CATALOGUE}
    for row in measured(facts).get("failed") or ():
        key = (row["provider"], row["code"] if row["code"] in messages.CATALOGUE else OTHER)
        counts[key] = counts.get(key, 0) + row["count"]
    return (((provider, code), float(count)) for (provider, code), count in counts.items())


def waiting(facts: Facts) -> Iterator[Sample]:
    counts: dict[tuple[str, str], float] = {}
    for row in measured(facts).get("waits") or ():
        key = (row["provider"], row["why"] if row["why"] in _CODES else OTHER)
        counts[key] = counts.get(key, 0.0) + row["jobs"]
    return iter(counts.items())


def carried(facts: Facts) -> Iterator[Sample]:
    for row in measured(facts).get("providers") or ():
        for way in ("up", "down"):
            yield (row["name"], way), float(row[way])


def durations(facts: Facts) -> Iterator[tuple[tuple[str, str], float, float]]:
    for row in measured(facts).get("seconds") or ():
        yield (row["provider"], row["verb"]), row["count"], row["seconds"]


def accounts(facts: Facts) -> Iterator[Sample]:
    for row in facts.get("accounts") or ():
        for name in row["providers"]:
            yield (name,), float(row["door"] == "open")


def moved(facts: Facts) -> Iterator[Sample]:
    for row in measured(facts).get("providers") or ():
        if row["moved"]:
            yield (row["name"],), moment(row["moved"]).timestamp()


def remaining(facts: Facts) -> Iterator[Sample]:
    for row in facts.get("budget") or ():
        yield (row["provider"], row["unit"]), float(row["per_month"] - row["spent"])


def troubles(facts: Facts) -> Iterator[Sample]:
    known = {(reason.code, reason.level.value, reason.provider) for reason in health(facts).reasons}
    return ((labels, 1.0) for labels in sorted(known))


def unix(text: str | None) -> float | None:
    return moment(text).timestamp() if text else None


def scan(facts: Facts) -> Facts:
    return measured(facts).get("scan") or {}


def notify(facts: Facts) -> float | None:
    """Whether notifications fail; None where there are none."""
    row = facts.get("notify")
    return None if row is None else float(bool(row.get("failing_since")))


def providers(facts: Facts, key: str) -> Iterator[Sample]:
    return (((row["name"],), float(row[key])) for row in measured(facts).get("providers") or ())
