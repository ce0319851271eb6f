"""What was paid before is asked for again: the references of a failed job go to a new one with the same bytes.

The new job pays nothing for what the older one has paid. Where nobody was told the price yet, the first job that asks
books it.
"""

from collections.abc import Sequence
from typing import Any

from daemon.desks import Desk
from daemon.job import AT_THE_SERVICE, Job, PartStage, PartState
from daemon.languages import Route
from daemon.originals import Original
from daemon.providers.base import Part
from daemon.workshop import Workshop, part_key


def whole(shop: Workshop, desk: Desk, job: Job, original: Original, route: Route) -> bool:
    """Ask for what was paid before: a failed job with the same bytes, provider and route, all of it there.

    However it was cut, its parts fit each other.
    """
    earlier = shop.journal.paid(original.sha256, desk.name, written(route))
    if earlier is None or earlier.failed_there or len(earlier.refs) != len(earlier.parts):
        return False
    others = any(part.stage is not PartStage.NEW and part.ref not in earlier.refs for part in job.parts)
    fresh = [index for index in range(len(earlier.refs)) if index >= len(job.parts) or job.parts[index] == PartState()]
    if others or not fresh:
        return False
    for index in fresh:
        _inherit(shop, desk, job, earlier, index, len(earlier.parts))
    return True


def fitting(shop: Workshop, desk: Desk, job: Job, parts: Sequence[Part], original: Original) -> None:
    """Ask for those parts that were paid before and are cut now as they were then; the others are submitted."""
    earlier = shop.journal.paid(original.sha256, desk.name, written(parts[0].route)) if parts else None
    if earlier is None:
        return
    for part, known in zip(parts, earlier.parts, strict=False):
        untouched = state_of(shop.journal.get(job.id), part) == PartState()
        if untouched and known.ref is not None and part.mark in known.ref:
            _inherit(shop, desk, job, earlier, part.index, part.of)


def _inherit(shop: Workshop, desk: Desk, job: Job, earlier: Job, index: int, of: int) -> None:
    part = earlier.parts[index]
    facts: dict[str, Any] = {"ref": part.ref, "from": earlier.id, "sha256": earlier.sha256, "route": earlier.route}
    facts |= desk.unit
    if desk.unit and (part.cost is not None or not shop.budgets.pays(desk.name, str(part.ref), job.id)):
        facts["cost"] = 0.0
    shop.record(job.id, "accepted", part=index, of=of, **facts)
    shop.put(desk.lanes.poll, part_key(job.id, index), 0.0)


def state_of(job: Job | None, part: Part) -> PartState | None:
    """What the journal knows of a part; None when the job has ended. Parts nobody submitted yet are new."""
    if job is None or job.state not in AT_THE_SERVICE:
        return None
    return job.parts[part.index] if part.index < len(job.parts) else PartState()


def written(route: Route) -> str:
    """A route as the journal has it."""
    return f"{route.source or 'auto'}-to-{route.target}"
