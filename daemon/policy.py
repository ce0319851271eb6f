"""Decisions about time as pure functions: how long until the next look, try or trial.

Nothing here sleeps or acts. All numbers are seconds; `chance` is a number from 0 to 1 that spreads retries of
many jobs and many daemons, drawn by the caller.
"""

FIRST_REOPEN_S = 30.0
LAST_REOPEN_S = 1800.0
CHECK_LOOK_S = 1.0
FIRST_RECONNECT_S = 2.0
LAST_RECONNECT_S = 300.0
FIRST_RETRY_S = 2.0
LAST_RETRY_S = 300.0
LEAST_RETRY_AFTER_S = 1.0
MOST_RETRY_AFTER_S = 3600.0
CAPACITY_HOLD_S = 60.0
LOST_LOOKS = 3
LOST_AFTER_S = 60.0
SHARE_LOOK_S = 2.0
GATHER_S = 1.0


def doubling(count: int, first: float, last: float, chance: float = 0.5) -> float:
    """The wait after the `count`-th failure in a row (1, 2, …): doubled each time, ±25 %, at most `last`."""
    exponent = min(max(count, 1) - 1, 32)
    return min(last, first * 2.0**exponent * (0.75 + 0.5 * chance))


def next_look(age: float, every: float, at_most: float) -> float:
    """How long until a job in flight, submitted `age` seconds ago, is asked for again.

    Looks spread out with age: a fresh job is looked at as often as allowed, an old one at a fifth of its age.
    """
    return min(at_most, max(every, age / 5.0))


def retry_after(asked: float | None, count: int, chance: float) -> float:
    """How long an account pauses after being told that it sends too much.

    What the service asked for counts, within 1 s and 1 h; else the pause doubles from 5 s.
    """
    if asked is None:
        return doubling(count, 5.0, LAST_RETRY_S, chance)
    return min(MOST_RETRY_AFTER_S, max(LEAST_RETRY_AFTER_S, asked))


def lost_for_good(looks: int, since_first: float) -> bool:
    """Whether "unknown id" is believed: a fresh id may lag, so it takes several looks over a minute."""
    return looks >= LOST_LOOKS and since_first >= LOST_AFTER_S


def slack(batch: int, every: float) -> float:
    """How much earlier than due something may go along, so that a request for several is filled."""
    return every / 2.0 if batch > 1 else 0.0


def gather(batch: int) -> float:
    """How long a result waits for others that can be fetched with the same request."""
    return GATHER_S if batch > 1 else 0.0
