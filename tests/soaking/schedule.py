"""What happens in which order: drawn from the seed alone, whatever the daemon makes of it.

Each step has dice of its own, so that what a step finds on the share does not change the steps behind it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

USERS = {
    "drop": 60, "drop again": 4, "drop tree": 2, "begin writing": 8, "end writing": 7, "replace": 6, "rewrite": 4,
    "sweep": 3, "delete": 5, "move": 14, "retry": 1.5, "collect": 6, "plant": 4, "link": 0.5,
}  # fmt: skip
FAULTS = {
    "kill": 5, "stop": 2, "pause": 3, "poke": 4, "once": 0.4, "second": 0.4, "ask": 0.8, "jump": 4, "take share": 3,
    "spoil network": 6, "outage": 5, "pause services": 2,
}  # fmt: skip
_SHORTEST_S, _LONGEST_S = 0.0, 0.7


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """After `gap_s` seconds `what` happens, as its dice want it."""

    gap_s: float
    what: str
    seed: float


def steps(seed: int) -> Iterator[Step]:
    """The steps of a seed, without end."""
    dice = random.Random(seed)
    # Some seeds are calm, so that work gets far; some are nothing but trouble.
    trouble = (0.3, 1.0, 2.0)[seed % 3]
    weights = {**USERS, **{what: often * trouble for what, often in FAULTS.items()}}
    while True:
        what = dice.choices(tuple(weights), tuple(weights.values()))[0]
        yield Step(gap_s=dice.uniform(_SHORTEST_S, _LONGEST_S) ** 2, what=what, seed=dice.random())
