"""Whether the work that is there is done, or waits for somebody: what `once` and the demo ask."""

from daemon import messages
from daemon.accounts import Door
from daemon.intake import Intake
from daemon.job import State
from daemon.workshop import Workshop

_NEEDS_A_PERSON = frozenset({"account.key", "account.no_key", "account.blocked"})


def is_done(shop: Workshop, intake: Intake, scans: int) -> bool:
    """Nothing rests in an inbox and no job is alive, as far as the last of `scans` full scans saw."""
    return scans > 0 and not intake.resting and not any(shop.counts.values()) and shop.away is None


def waits_for_person(shop: Workshop, intake: Intake) -> bool:
    """Everything that is left waits for a key, a credit, a share or the end of a STOP that only a person can bring."""
    if shop.away is not None:
        return True
    if any(count for state, count in shop.counts.items() if state is not State.CLAIMED):
        return False
    resting = intake.resting
    if resting and not intake.scans:
        # Others may lie in folders that nobody has looked into yet.
        return False
    free = {place.provider for place, _, why in resting if why != "folder.stopped"}
    left = {job.provider for job in shop.journal.alive()} | free
    return bool(left or resting) and all(_is_blocked(shop, provider) for provider in left)


def waits(shop: Workshop) -> list[str]:
    """One sentence for each provider whose files wait: how many, why, and what a person can do."""
    found = []
    for desk in shop.desks.values():
        count = sum(job.provider == desk.name for job in shop.journal.alive())
        standing = desk.account.standing()
        held = _is_held(shop, desk.name)
        if count and (held or standing.door is not Door.OPEN):
            reason = "budget.spent" if held else standing.reason
            why = messages.waiting(reason, {"provider": desk.title})
            to_do = messages.for_a_person(reason) or ""
            found.append(f"{count} file{'s wait' if count != 1 else ' waits'} for {desk.title}: {why} {to_do}".rstrip())
    return found


def _is_blocked(shop: Workshop, provider: str) -> bool:
    desk = shop.desks.get(provider)
    return desk is None or desk.account.standing().reason in _NEEDS_A_PERSON or _is_held(shop, provider)


def _is_held(shop: Workshop, provider: str) -> bool:
    """Whether every job of a provider waits for the next month or a larger budget."""
    waiting = [shop.waiting.get(job.id) for job in shop.journal.alive() if job.provider == provider]
    return bool(waiting) and all(one is not None and one.why == "budget.spent" for one in waiting)
