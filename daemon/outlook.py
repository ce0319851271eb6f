"""Whether the work that is there is done, or waits for somebody: what `once` and the demo ask."""

from daemon.intake import Intake
from daemon.job import State
from daemon.workshop import Workshop

_NEEDS_A_PERSON = frozenset({"account.key", "account.no_key", "account.blocked"})


def is_done(shop: Workshop, intake: Intake, scans: int) -> bool:
    """Nothing rests in an inbox and no job is alive, as far as the last of `scans` full scans saw."""
    return scans > 0 and not intake.resting and not any(shop.counts.values()) and shop.away is None


def waits_for_person(shop: Workshop) -> bool:
    """Everything that is left waits for a key, a credit or a share that only a person can bring."""
    if shop.away is not None:
        return True
    if any(count for state, count in shop.counts.items() if state is not State.CLAIMED):
        return False
    waiting = shop.journal.alive()
    return bool(waiting) and all(_is_blocked(shop, job.provider) for job in waiting)


def _is_blocked(shop: Workshop, provider: str) -> bool:
    desk = shop.desks.get(provider)
    return desk is None or desk.account.standing().reason in _NEEDS_A_PERSON
