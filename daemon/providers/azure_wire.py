"""What Azure's answers say: jobs, documents, lists and errors, in every spelling that its pages and its traffic show.

Nothing here sends anything, and nothing raises for a strange body: what cannot be read is not there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from daemon.errors import BlockedError, RejectedError, ServiceError, ThrottledError
from daemon.providers.answers import fault
from daemon.replies import Answer

SUCCEEDED = "succeeded"
RUNNING = frozenset({"notstarted", "running", "cancelling", "canceling"})
# `Cancelled` is what the service says, `Canceled` what its page "Get translation status" says.
_CANCELLED = frozenset({"cancelled", "canceled"})
_INVALID = "validationfailed"
_ENDED = frozenset({SUCCEEDED, "failed", _INVALID}) | _CANCELLED
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_SIGNED = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
_LARGEST = 10**15
# Said of every document alike: the containers' signatures, not this file, are wrong; with the setting that each is.
_ACCESS = {"InvalidDocumentAccessLevel": "storage.source", "InvalidTargetDocumentAccessLevel": "storage.target"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The deepest code of an error that tells one, and the words beside it."""

    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One batch; `word` is its status, folded."""

    id: str
    word: str
    created: datetime | None
    translated: bool
    """Whether any of its documents is said to have succeeded."""
    cost: float | None
    fault: Fault
    again_s: float | None = None
    """How long the service asked to be left alone (Retry-After; documented, and not seen in recordings)."""

    @property
    def ended(self) -> bool:
        return self.word in _ENDED

    @property
    def locked_out(self) -> bool:
        """Whether the service did not get at the containers and so never began; and says that it charges nothing.

        Seen in traffic: 202 also for containers that it cannot reach, and ValidationFailed some seconds later.
        """
        return self.word == _INVALID and self.fault.code in _ACCESS and not self.translated and self.cost == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One document of a batch; `name` is the last part of its source's address."""

    name: str
    word: str
    progress: float | None
    cost: float | None
    fault: Fault

    @property
    def ended(self) -> bool:
        return self.word in _ENDED


def job_id(headers: Mapping[str, str]) -> str | None:
    """The id of a batch that was taken, from whichever header and form names it.

    Seen: `…/document/ID?api-version=…` (older pages), `…/document/batches/ID?…` (newer pages, traffic),
    `…/batches?api-version=…/ID` (the specification's examples), `…/batch/v1.0/batches/ID` (older traffic), and
    `Location` for `Operation-Location` (the specification).
    """
    for header in ("operation-location", "location"):
        # A host may be called after an id as well.
        found = _ID.search(headers.get(header, "").partition("://")[2].partition("/")[2])
        if found:
            return found[0].lower()
    return None


def job_in(body: Any, asked: str = "", again_s: float | None = None) -> Job | None:
    """The batch that a body shows; None when it shows none.

    `translationId` stands for `id` in older examples; `asked` is the id of the batch that was asked for alone.
    """
    word = body.get("status") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(word, str):
        return None
    told = (one for one in (body.get("id"), body.get("translationId")) if isinstance(one, str) and _ID.fullmatch(one))
    found = next(told, asked)
    if not found:
        return None
    summary = _mapping(body.get("summary"))
    return Job(
        id=found.lower(),
        word=word.strip().lower(),
        created=moment_in(body.get("createdDateTimeUtc")),
        translated=(_number(summary.get("success")) or 0.0) > 0,
        cost=_price(summary.get("totalCharacterCharged")),
        fault=_fault_in(body.get("error")),
        again_s=again_s,
    )


def document_in(body: Any) -> Document | None:
    """The document that an entry of a batch's list shows; None when it shows none."""
    if not isinstance(body, Mapping):
        return None
    path, word = body.get("sourcePath"), body.get("status")
    if not isinstance(path, str) or not isinstance(word, str):
        return None
    progress = _number(body.get("progress"))
    return Document(
        name=unquote(path.partition("?")[0].rpartition("/")[2]),
        word=word.strip().lower(),
        progress=None if progress is None else min(1.0, max(0.0, progress)),
        cost=_price(body.get("characterCharged")),
        fault=_fault_in(body.get("error")),
    )


def entries_in(body: Any) -> Sequence[Any] | None:
    """The entries of a list; None when the body is none."""
    value = body.get("value") if isinstance(body, Mapping) else None
    return value if isinstance(value, list) else None


def next_page(body: Mapping[str, Any], api_version: str) -> str | None:
    """The query of the next page, None on the last one; the rest of the link is the caller's own address.

    `nextLink` in the specification, `@nextLink` on the pages.
    """
    link = body.get("nextLink") or body.get("@nextLink")
    if not isinstance(link, str):
        return None
    query = urlsplit(link).query
    return query if "api-version" in parse_qs(query) else f"{query}&{urlencode({'api-version': api_version})}"


def moment_in(text: Any) -> datetime | None:
    """A moment of these times, which there is room around; others are none. Without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return _of_these_times(moment)


def moment_of(answer: Answer, header: str = "date") -> datetime | None:
    """The moment that a header tells, as HTTP writes them; None when it tells none.

    `Date` is the answering side's own clock, which knows nothing of ours.
    """
    try:
        return _of_these_times(parsedate_to_datetime(answer.headers.get(header, "")))
    except (TypeError, ValueError, OverflowError):
        return None


def moment_text(moment: datetime) -> str:
    """A moment as the filters of lists take it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fault_of(answer: Answer, *, submit: bool) -> ServiceError:
    """The error that an answer must be taken for.

    The frame `{error: {code, message, innerError}}` is on every page; `code` is a number in some answers to
    synchronous requests.
    """
    frame = answer.json()
    told = _fault_in(frame.get("error") if isinstance(frame, Mapping) else None)
    documented = told.code is not None
    kind = fault(answer, submit=submit, documented=documented)
    message, status = told.message or kind.provider_message, answer.status
    made, code = type(kind), kind.code
    if submit and told.code in _ACCESS and 400 <= status < 500:
        return no_access(told, status)
    if submit and documented and status == 404:
        # The address is wrong: that is no fault of the file.
        made, code = BlockedError, "account.blocked"
    elif not submit and status == 503 and answer.retry_after_s is not None:
        made, code = ThrottledError, "account.throttled"
    return made(
        code,
        message,
        provider_code=told.code,
        http_status=status,
        retry_after_s=answer.retry_after_s,
        facts=kind.facts,
    )


def no_access(told: Fault, status: int | None = None) -> BlockedError:
    """The service cannot get at a container: which one, and what to do. Nothing of it is a fault of the file."""
    setting = _ACCESS.get(told.code or "", "storage")
    said = (told.message or told.code or "no access").rstrip(".")
    words = f"{setting}: {said}; renew its signature (SAS) with sp=rwdl, and let the service reach the storage"
    return BlockedError("account.blocked", words, provider_code=told.code, http_status=status)


def failure(word: str, told: Fault, otherwise: str) -> RejectedError:
    """Why the service calls a job or a document failed."""
    if word in _CANCELLED:
        otherwise = "the job was cancelled at the service"
    return RejectedError("provider.failed", told.message or otherwise, provider_code=told.code or word)


def _fault_in(error: Any) -> Fault:
    """The deepest error with words; the inner one of the synchronous pages holds a request's id and none."""
    told = Fault()
    for _ in range(8):
        if not isinstance(error, Mapping):
            break
        code, message = error.get("code"), error.get("message")
        if isinstance(code, str | int) and not isinstance(code, bool) and str(code):
            told = Fault(code=str(code), message=_unsigned(message) or told.message)
        error = error.get("innerError") or error.get("innererror")
    return told


def _unsigned(message: Any) -> str | None:
    """Words without the signatures of addresses in them."""
    return _SIGNED.sub(r"\1", message) if isinstance(message, str) and message else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        return None
    return float(value)


def _price(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number >= 0 else None


def _of_these_times(moment: datetime) -> datetime | None:
    return moment.replace(tzinfo=moment.tzinfo or UTC) if 2000 <= moment.year <= 2200 else None
