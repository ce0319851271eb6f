"""The facts of a view, for tests of what is made of them: a daemon that is well, and what may be wrong with it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.clock import stamp

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PROVIDERS = ("acme", "other")


def ago(seconds: float) -> str:
    """A moment before NOW, as facts tell it."""
    return stamp(NOW - timedelta(seconds=seconds))


def account(*providers: str, **more: Any) -> dict[str, Any]:
    known = {"door": "open", "reason": None, "since": None, "next_try": None, "paused_until": None, "in_flight": 0}
    return {"providers": list(providers), **known, **more}


def provider(name: str, **more: Any) -> dict[str, Any]:
    known = {"moved": ago(1), "deadline_s": 86400.0, "poll_s": 30.0, "up": 0, "down": 0, "delivered": 0, "uncertain": 0}
    return {"name": name, **known, **more}


def measured(**more: Any) -> dict[str, Any]:
    """What `measuring` tells of a daemon that has nothing to do."""
    return {
        "scan": {"at": ago(10), "seconds": 0.2},
        "jobs": [],
        "oldest": [],
        "waits": [],
        "resting": [],
        "unclaimed_since": None,
        "providers": [provider(name) for name in PROVIDERS],
        "failed": [],
        "requests": [],
        "seconds": [],
        "rooms": [],
        "costs": [],
        "journal_bytes": 1000,
        **more,
    }


def facts(measures: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The facts of a daemon that is well; `measures` go over `measured`, `more` over the rest."""
    return {
        "at": stamp(NOW),
        "version": "1.2.3",
        "started_at": ago(7200),
        "share": {"there": True, "why": None, "since": None},
        "titles": {"acme": "Acme", "other": "Other"},
        "detector": {"events": "inotify", "scan_s": 30.0},
        "resting_total": 0,
        "ignored_total": 0,
        "accounts": [account(name) for name in PROVIDERS],
        "budget": [],
        "measured": measured(**(measures or {})),
        **more,
    }


def jobs(count: int, state: str = "claimed", name: str = "acme") -> dict[str, Any]:
    return {"provider": name, "folder": "fr", "state": state, "count": count}
