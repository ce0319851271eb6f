"""The one canonical line of an ended job in the log."""

from typing import Any

from daemon import messages, names
from daemon.clock import seconds_between
from daemon.desks import Desk
from daemon.job import Job, State
from daemon.workshop import Workshop


def tell(shop: Workshop, desk: Desk, job: Job) -> None:
    """Log how a job ended, with the seconds that each stage took and what it cost."""
    stages = {
        "wait_s": (job.claimed_at, job.sent_at),
        "service_s": (job.sent_at, job.ready_at),
        "fetch_s": (job.ready_at, job.banked_at),
        "publish_s": (job.banked_at, job.delivered_at),
        "total_s": (job.dropped_at, job.last_at),
    }
    facts: dict[str, Any] = {
        "job": job.id,
        "file": names.shown(job.name),
        "provider": desk.name,
        "folder": job.folder,
        "size": job.size,
        "attempts": job.attempts,
        "remote_id": ", ".join(job.refs) or None,
        "cost": job.cost,
        "unit": job.unit,
    }
    facts |= {key: round(seconds_between(a, b), 3) for key, (a, b) in stages.items() if a and b}
    if job.closed_as is State.DELIVERED:
        shop.log.info("job.delivered", name=names.shown(job.published or ""), **facts)
    else:
        error = job.error or {}
        shop.log.warning("job.failed", code=error.get("code"), why=messages.told(error)[0], **facts)
