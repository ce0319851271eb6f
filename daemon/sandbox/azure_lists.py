"""Lists of batches as the simulated Azure gives them: filtered, sorted, in pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from daemon.sandbox.azure_batches import Batch

# From here on the pages of the reference no longer name the filter by id.
_WITHOUT_IDS = "2026"


def page(batches: Sequence[Batch], query: Mapping[str, str], base: str, *, size: int) -> tuple[list[Batch], str | None]:
    """The batches that one page shows, newest first unless asked otherwise, and the address of the next page.

    `batches` stand in the order of their creation. The pages of the reference write `$top`, `$skip`,
    `$maxpagesize` and `$orderBy`, the service's own client writes them without `$`; both are understood.
    `size` is the largest page.
    """
    asked = {name.lstrip("$").lower(): value for name, value in query.items()}
    wanted = [batch for batch in batches if _passes(batch, asked)]
    if "asc" not in asked.get("orderby", "").lower():
        wanted.reverse()
    skip, top = _number(asked, "skip", 0), _number(asked, "top", len(wanted))
    shown = min(size, _number(asked, "maxpagesize", size), top)
    left = min(len(wanted) - skip, top) - shown
    link = None
    if left > 0:
        same = {name: value for name, value in query.items() if name.lstrip("$").lower() not in ("skip", "top")}
        link = f"{base}?{urlencode({**same, '$skip': skip + shown, '$top': left})}"
    return wanted[skip : skip + shown], link


def _passes(batch: Batch, asked: Mapping[str, str]) -> bool:
    ids, words = asked.get("ids", ""), asked.get("statuses", "")
    if ids and asked.get("api-version", "") < _WITHOUT_IDS and batch.job.ref not in ids.lower().split(","):
        return False
    if words and batch.word.lower() not in words.lower().split(","):
        return False
    begin, end = (_milliseconds(asked.get(f"createddatetimeutc{side}")) for side in ("start", "end"))
    created = batch.job.created_ms
    return (begin is None or created >= begin) and (end is None or created <= end)


def _number(asked: Mapping[str, str], name: str, otherwise: int) -> int:
    text = asked.get(name, "")
    return int(text) if text.isdecimal() else otherwise


def _milliseconds(text: str | None) -> float | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000
