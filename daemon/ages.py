"""How long things have been where they are: a histogram, one row for each provider and state.

One glance tells a provider that is stuck (old ones at the service) from a backlog (old ones before it).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

BOUNDS_S = (60, 300, 900, 3600, 21600, 86400)
"""Upper ends of the buckets, in seconds; what is older has a last one of its own."""
LABELS = ("1m", "5m", "15m", "1h", "6h", "1d", "older")
STATES = ("resting", "waiting", "submitting", "in_flight", "ready")


def histogram(found: Iterable[tuple[str, str, float]]) -> dict[str, Any] | None:
    """Buckets of (provider, one of STATES, age in seconds); None when there is nothing to count.

    `rows` are in the order in which their providers were first met, then by state; `counts` are as many as
    LABELS. An age below zero (a clock was set) counts as none.
    """
    rows: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for provider, state, age_s in found:
        rows[provider].setdefault(state, [0] * len(LABELS))[bucket(age_s)] += 1
    if not rows:
        return None
    told = [
        {"provider": provider, "state": state, "total": sum(states[state]), "counts": states[state]}
        for provider, states in rows.items()
        for state in STATES
        if state in states
    ]
    columns = zip(*(row["counts"] for row in told), strict=True)
    counts = [sum(column) for column in columns]
    return {"labels": list(LABELS), "bounds_s": list(BOUNDS_S), "rows": told, "total": sum(counts), "counts": counts}


def bucket(age_s: float) -> int:
    """Which bucket an age falls into; one that is exactly a bound is in the bucket that it ends."""
    return next((index for index, bound in enumerate(BOUNDS_S) if age_s <= bound), len(BOUNDS_S))
