"""What tests with shares ask an installation, and how they watch it."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.site import Site, wait_for

FR = "gpttranslator/fr"


def told(site: Site) -> dict[str, Any]:
    """What the daemon has told of itself last; nothing, before it has told anything."""
    path = site.state / "status.json"
    found: dict[str, Any] = json.loads(path.read_bytes() if path.exists() else b"{}")
    return found


def away(site: Site) -> str | None:
    """Why the share is away; None while it is there."""
    why: str | None = told(site).get("share", {}).get("why")
    return why


def waits(site: Site) -> list[str]:
    """The codes of why jobs wait."""
    return [row["why"] for row in told(site).get("waiting", [])]


def stages(site: Site) -> list[str]:
    """Where the jobs are that have not ended."""
    return sorted(job.state.value for job in site.jobs().values() if job.alive)


def holds(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Watch that something stays true for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert condition(), what
        with contextlib.suppress(AssertionError):
            wait_for(lambda: False, "a moment", 0.1)
