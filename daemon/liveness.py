"""May the supervisor be told that all is well? Decided from what each helper shows of itself.

What counts as evidence, and what does not:

* A thread that lives proves nothing; one that *moved* since the last time does. Duties (scan, dispatch, ask, watch)
  are woken after each "all is well", so they owe a turn until the next; that proves the timers and their threads, too.
* A turn or step under way has moved when its thread stands at another place of the program. Where a large folder
  is searched, or a long document taken apart, that is work and not a stall.
* A thread that stands in a call to the file system or in a conversation with a service is *elsewhere*: it waits for
  somebody whom a new start would not mend. A share that hangs is a state ("away"), answers have time-outs of their own.
* What stands all the time at one place of our own (a lock that nobody gives back, a wait that nobody ends), and
  work that was handed to a pool in which no thread takes it, is a stall. Then nothing is said, and after WatchdogSec
  the supervisor starts the daemon anew.

The heartbeat needs no sign: it is what asks, and without it nothing is said either.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What one helper shows at one moment."""

    turns: int = 0
    """How many it has ended."""
    owes_turn: bool = False
    """It was woken, so doing nothing is no excuse."""
    at: Hashable = None
    """Where in the program it stands; None while it has nothing to do."""
    elsewhere: bool = False
    """It waits for a file system or for a service."""


def still_owing(owing: Mapping[str, Sign], now: Mapping[str, Sign]) -> dict[str, Sign]:
    """Those of `owing` that have shown no progress between their sign there and the one `now`.

    A helper that is gone (a thread that has ended, a provider that was removed) owes nothing.
    """
    return {name: before for name, before in owing.items() if name in now and not _progressed(before, now[name])}


def _progressed(before: Sign, now: Sign) -> bool:
    idle = now.at is None and not now.owes_turn
    return idle or now.elsewhere or now.turns != before.turns or now.at != before.at
