"""Lives of jobs for tests: events with their data, as the engine would append them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.job import Event, Job, apply

START = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
Step = tuple[str, dict[str, Any]]


def claimed(name: str = "sub/report.txt", provider: str = "gpttranslator") -> Step:
    return "claimed", {
        "provider": provider,
        "folder": "fr",
        "name": name,
        "size": 12,
        "mtime_ns": 1_769_846_400_000_000_001,
        "inode": 4711,
        "dropped_at": "2026-01-31T07:59:58.250Z",
    }


def submitting(part: int = 0, of: int = 1, attempt: int = 1) -> Step:
    return "submitting", {"part": part, "of": of, "attempt": attempt, "sha256": "5e2f", "route": "en-to-fr"}


def accepted(part: int = 0, ref: str | None = "r0", **more: Any) -> Step:
    return "accepted", {"part": part, "ref": ref, **more}


def inherited(part: int = 0, of: int = 1, ref: str = "old") -> Step:
    whence = {"from": "0000000000000001", "sha256": "5e2f", "route": "en-to-fr"}
    return "accepted", {"part": part, "of": of, "ref": ref, **whence}


def refused(part: int = 0) -> Step:
    return "refused", {"part": part, "why": {"code": "service.unreachable"}}


def ready(part: int = 0, **more: Any) -> Step:
    return "ready", {"part": part, **more}


def banked(**more: Any) -> Step:
    return "banked", {"hash": "beef", "size": 20, "name": "report.txt", **more}


PUBLISHING: Step = ("publishing", {"name": "report.txt"})
DELIVERED: Step = ("delivered", {"name": "report.txt"})
CLOSED: Step = ("closed", {})


def failed(code: str = "deadline.passed") -> Step:
    return "failed", {"error": {"code": code, "stage": "poll"}}


DELIVERED_LIFE = [claimed(), submitting(), accepted(), ready(), banked(), PUBLISHING, DELIVERED, CLOSED]
PAID_LIFE = [claimed(), submitting(), accepted(), failed(), CLOSED]
"""Failed, but the service has it: what was paid may still be fetched."""
REJECTED_LIFE = [claimed(), failed("drop.type"), CLOSED]


def event(step: Step, seq: int = 1, job: str = "01hzy0000000000a") -> Event:
    name, data = step
    return Event(seq=seq, at=START + timedelta(seconds=seq), job=job, name=name, data=data)


def lived(steps: Iterable[Step]) -> Job:
    """The job after these events, a second apart."""
    job = None
    for seq, step in enumerate(steps, start=1):
        job = apply(job, event(step, seq))
    assert job is not None
    return job
