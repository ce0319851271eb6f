"""What must be true when the work is over, whatever happened on the way. Pure: it is shown everything."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TEMPORARY = (".part", ".new")
_SIDECAR = ".error.json"
_UNCERTAIN = b'"submit.uncertain"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Aftermath:
    """What was dropped, and what is left. Files are by their path below the root, or the state."""

    content: bytes
    root: Mapping[str, bytes]
    bystander: str
    """A file of somebody else in the outbox, by its path below the root."""
    bystander_content: bytes
    secret: bytes
    """The key, which may stand nowhere."""
    state: Mapping[str, bytes] = field(default_factory=dict)
    ledger: Sequence[Mapping[str, Any]] = ()
    """The submissions, as the service saw them."""
    ended: bool = True
    """Whether the daemon came to the end of its work by itself."""
    was_open: bool = False
    """Whether, at the end of the daemon that met the fault, a submission had no recorded answer."""


def violations(left: Aftermath, result: bytes | None) -> list[str]:
    """One sentence for each promise that was broken; empty when all were kept.

    `result` is what the service makes of the file; None: it fails it.
    """
    found = [] if left.ended else ["the daemon did not come to an end of its work"]
    return found + _originals(left) + _outcome(left, result) + _money(left) + _others(left)


def _originals(left: Aftermath) -> list[str]:
    places = sorted(
        path
        for path, content in left.root.items()
        if content == left.content and path.partition("/")[0] in ("inbox", "processing", "archive", "failed")
    )
    if not places:
        return ["the original is gone"]
    return [f"the original lies in {len(places)} places: {', '.join(places)}"] if len(places) > 1 else []


def _outcome(left: Aftermath, result: bytes | None) -> list[str]:
    delivered = [
        path
        for path in left.root
        if path.startswith("outbox/") and path != left.bystander and not path.endswith(_TEMPORARY)
    ]
    sidecars = [path for path in left.root if path.startswith("failed/") and path.endswith(_SIDECAR)]
    if len(delivered) + len(sidecars) != 1:
        return [f"{len(delivered)} results and {len(sidecars)} sidecars, where there must be one of both together"]
    if sidecars:
        return _failure(left.root[sidecars[0]], left, result)
    if result is None:
        return ["something was delivered although the service failed the file"]
    return [] if left.root[delivered[0]] == result else ["what was delivered is not what the service returned"]


def _failure(sidecar: bytes, left: Aftermath, result: bytes | None) -> list[str]:
    if _UNCERTAIN in sidecar:
        return [] if left.was_open else ["a submission was called uncertain although its answer had been recorded"]
    return [] if result is None else ["the file failed although the service had translated it"]


def _money(left: Aftermath) -> list[str]:
    paid = Counter(entry["sha256"] for entry in left.ledger if entry["accepted"])
    most = max(paid.values(), default=0)
    return [f"the same was paid {most} times"] if most > 1 else []


def _others(left: Aftermath) -> list[str]:
    found = []
    if left.root.get(left.bystander) != left.bystander_content:
        found.append("somebody else's file in the outbox was changed or removed")
    if any(path.endswith(_TEMPORARY) for path in left.root if path.startswith(("outbox/", "failed/", "archive/"))):
        found.append("a temporary file was left behind")
    if any(path.startswith("processing/") for path in left.root):
        found.append("something was left in processing/")
    if any(left.secret in content for content in (*left.root.values(), *left.state.values())):
        found.append("the key stands in a file")
    return found
