"""The sidecar beside a failed original: what happened and what to do, first for people, then for programs."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daemon import messages, names
from daemon.clock import stamp
from daemon.errors import ServiceError
from daemon.job import Job

if TYPE_CHECKING:
    # Its room loads the tables of all languages, which readers of sidecars do not need.
    from daemon.languages import Route

SCHEMA = 1
_MOST_TEXT = 500


def error_of(
    error: ServiceError,
    *,
    stage: str,
    provider: str,
    inbox: str,
    facts: Mapping[str, str] | None = None,
    texts: messages.Texts = messages.TEXTS["en"],
) -> dict[str, Any]:
    """What the journal keeps of an error: what the sidecar shows, sentences included, and the facts in them."""
    said = names.clean(error.provider_message or "", _MOST_TEXT)
    known = {"provider": provider, "inbox": inbox, "reason": said, **(facts or {}), **error.facts}
    known = {key: names.clean(value, _MOST_TEXT) for key, value in known.items()}
    happened, to_do = texts.render(error.code, known)
    return {
        "code": error.code,
        "stage": stage,
        "retryable": messages.CATALOGUE[error.code].retryable,
        "http_status": error.http_status,
        "provider_code": names.clean(error.provider_code, 100) if error.provider_code else None,
        "provider_message": said or None,
        "what_happened": happened,
        "what_to_do": to_do,
        # With these it can be told in another language (`Texts.told`).
        "facts": known,
    }


def story(job: Job, *, kind: str, route: "Route | None") -> dict[str, object]:
    """The sidecar of a failed job, in the order of its schema."""
    assert job.error is not None
    error = {key: value for key, value in job.error.items() if key != "facts"}
    base = job.name.rsplit("/", 1)[-1]
    hexed = names.hex_of(base)
    return {
        "what_happened": error.pop("what_happened"),
        "what_to_do": error.pop("what_to_do"),
        "file": _file_shown(base),
        **({"file_hex": hexed} if hexed else {}),
        "provider": job.provider,
        "kind": kind,
        "source_language": route.source if route else None,
        "target_language": route.target if route else job.folder,
        "error": error,
        "job": job.id,
        "remote_id": ", ".join(job.refs) or None,
        "attempts": job.attempts,
        "cost": job.cost,
        "dropped_at": stamp(job.dropped_at),
        "submitted_at": stamp(job.sent_at) if job.sent_at else None,
        "failed_at": stamp(job.last_at),
        "sha256": job.sha256,
        "size": job.size,
        "schema": SCHEMA,
    }


def job_of(data: bytes) -> str | None:
    """The job of a sidecar that was written here; None for any other content."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        # Anybody's file: it may be nested deeper than a reader can follow.
        return None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or "what_happened" not in found:
        return None
    job = found.get("job")
    return job if isinstance(job, str) else None


def _file_shown(base: str) -> str:
    """A file's name as it stands in a sidecar: itself, or escaped where bytes are no UTF-8."""
    return names.shown(base) if names.hex_of(base) else base
