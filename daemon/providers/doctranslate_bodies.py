"""What Doctranslate's answers say: records of tasks, items of the history, errors (from the vendor's pages).

The wire facts alone; who asks, and what follows, is in `doctranslate`. Anything may be missing or of another
type: that is an answer, never an error of ours.
"""

import re
from collections.abc import Mapping
from typing import Any

from daemon import names
from daemon.errors import LostError, ServiceError, TransientError
from daemon.providers.answers import fault, said
from daemon.replies import Answer

_OFFICE = "application/vnd.openxmlformats-officedocument"
# Vendor's page "Document Translation": DOCX, PDF, PPTX, XLSX.
MEDIA = {
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "pdf": "application/pdf",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
}
_RECORD_KEYS = ("task_id", "status", "url_download")
# The words of the one 400 that is documented for every call: the service's own trouble, not the file's.
_OWN_TROUBLE = "error while sending message"
_TOKEN = re.compile(r"(?<![0-9a-z])[0-9a-z]{16}-[0-9]+(?![0-9a-z])")
_MOST_COST = 1e9


def error_of(answer: Answer, *, submit: bool) -> ServiceError:
    """Vendor's pages: errors are `{data: {}, errors, error_description}`, before the door `{detail}`."""
    body = answer.json()
    _, message = said(body)
    documented = answer.status == 400 and isinstance(body, dict) and "errors" in body and not body.get("data")
    if documented:
        if _OWN_TROUBLE in (message or "").lower():
            return TransientError("service.error", message, http_status=400)
        if not submit:
            return LostError("provider.lost", message, http_status=400)
    return fault(answer, submit=submit, documented=documented)


def speaks(body: Any) -> bool:
    """Whether it is the service itself that speaks, and no gateway before it."""
    return isinstance(body, dict) and not {"data", "detail"}.isdisjoint(body)


def record_of(body: Any, ref: str) -> Mapping[str, Any] | None:
    """The record of a task: under its id (page "Get result"), the only one under another key, or flat (failed, older).

    Of several records under other keys none is taken: it could be somebody else's document.
    """
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        return None
    own = data.get(ref)
    if isinstance(own, dict):
        return own
    inner = [one for one in data.values() if isinstance(one, dict) and any(key in one for key in _RECORD_KEYS)]
    inner = [one for one in inner if one.get("task_id") == ref] or inner
    if inner:
        return inner[0] if len(inner) == 1 else None
    return data if any(data.get(key) is not None for key in _RECORD_KEYS) else None


def items_of(answer: Answer) -> list[Mapping[str, Any]]:
    """What a page of the history lists. Raises ServiceError when it is none."""
    body = answer.json()
    data = body.get("data") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(data, list):
        raise error_of(answer, submit=False)
    return [item for item in data if isinstance(item, dict)]


def is_token(ref: str) -> bool:
    """Whether a reference is our name token: what tasks are known by that were found in the history."""
    return _TOKEN.fullmatch(ref) is not None and names.is_job_id(ref.partition("-")[0])


def carries(item: Mapping[str, Any], token: str) -> bool:
    """Whether an item is of this attempt: its file's name ends with our token and what the service put behind.

    A document that was itself a result of ours carries an older token before the one it was sent with.
    """
    name = item.get("file_name")
    found = _TOKEN.findall(name) if isinstance(name, str) else []
    return bool(found) and found[-1] == token


def extension_of(record: Mapping[str, Any], url: str) -> str | None:
    """The result's format, by its name in the record (`name_file` in the older shape) or in its address."""
    told = (record.get("file_name"), record.get("name_file"), url.partition("?")[0].rpartition("/")[2])
    found = (names.extension(name) for name in told if isinstance(name, str))
    return next((extension for extension in found if extension in MEDIA), None)


def cost_of(record: Mapping[str, Any]) -> float | None:
    """What a task cost, in credits; None when that is not told."""
    cost = record.get("cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return None
    return float(cost) if 0 <= cost < _MOST_COST else None
