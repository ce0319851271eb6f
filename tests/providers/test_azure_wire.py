"""Azure's answers are read in every spelling, and no body breaks the reading."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import BlockedError, ServiceError, ThrottledError, TransientError, UncertainError
from daemon.providers.azure_wire import (
    RUNNING,
    Fault,
    document_in,
    entries_in,
    failure,
    fault_of,
    job_id,
    job_in,
    moment_of,
    moment_text,
    next_page,
)
from daemon.replies import Answer

ID = "9dce0aa9-78dc-41ba-8cae-2e2f3c2ff8ec"
BASE = "https://res.cognitiveservices.azure.com/translator/document"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
VALUES = JSON | st.sampled_from([ID, "Succeeded", "0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999Z"])
TOLD = ["id", "translationId", "status", "createdDateTimeUtc", "summary", "error"]
JOB_KEYS = [*TOLD, "sourcePath", "progress", "characterCharged"]
ERROR_KEYS = ["code", "message", "innerError", "innererror", "target"]
NONE = Fault()


def errors() -> st.SearchStrategy[Any]:
    return st.recursive(JSON, lambda inner: st.dictionaries(st.sampled_from(ERROR_KEYS), inner | JSON, max_size=4))


@pytest.mark.parametrize(
    "headers",
    [
        {"operation-location": f"{BASE}/{ID}?api-version=2024-05-01"},
        {"operation-location": f"{BASE}/batches/{ID}?api-version=2026-03-01"},
        {"operation-location": f"{BASE}/batches?api-version=2024-05-01/{ID.upper()}"},
        {"operation-location": f"https://res.example/translatortext/batch/v1.0-preview.1/batches/{ID}"},
        {"operation-location": f"https://{uuid.uuid4()}.cognitiveservices.azure.com/translator/document/{ID}"},
        {"location": f"{BASE}/batches/{ID}?api-version=2024-05-01"},
        {"operation-location": "", "location": f"{BASE}/batches/{ID}"},
    ],
)
def test_id_is_found_in_every_header(headers: dict[str, str]) -> None:
    """All forms that pages, specification and traffic show lead to the same id; a host's name is none."""
    assert job_id(headers) == ID


@pytest.mark.parametrize("headers", [{}, {"operation-location": BASE}, {"location": ID}, {"x-requestid": ID}])
def test_answer_without_id_has_none(headers: dict[str, str]) -> None:
    """A header that names no batch, or another header, is not taken for one."""
    assert job_id(headers) is None


def test_documented_job_is_read() -> None:
    """The example of the vendor's page "Get translation status"."""
    body = {
        "id": "727bf148-f327-47a0-9481-abae6362f11e",
        "createdDateTimeUtc": "2020-03-26T00:00:00Z",
        "lastActionDateTimeUtc": "2020-03-26T01:00:00Z",
        "status": "Succeeded",
        "summary": {"total": 10, "failed": 1, "success": 9, "totalCharacterCharged": 0},
    }
    job = job_in(body)

    assert job is not None
    assert (job.id, job.word, job.ended, job.translated, job.cost) == (body["id"], "succeeded", True, True, 0.0)
    assert job.created == datetime(2020, 3, 26, tzinfo=UTC)


def test_older_spellings_are_read() -> None:
    """`translationId` for `id`, `innererror` for `innerError`, seven digits behind the second."""
    inner = {"code": "InvalidRequest", "message": "Outer", "innererror": {"code": "NoTranslatableText"}}
    body = {"translationId": ID.upper(), "status": "Failed", "error": inner}
    job = job_in(body | {"createdDateTimeUtc": "2021-05-06T20:48:24.3337888Z"})

    assert job is not None
    assert (job.id, job.fault.code, job.fault.message) == (ID, "NoTranslatableText", "Outer")
    assert job.created == datetime(2021, 5, 6, 20, 48, 24, 333788, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "ended"),
    [
        ("NotStarted", False),
        ("Running", False),
        ("Cancelling", False),
        ("Canceling", False),
        ("Polishing", False),
        ("Succeeded", True),
        ("Failed", True),
        ("ValidationFailed", True),
        ("Cancelled", True),
        ("Canceled", True),
        ("  SUCCEEDED ", True),
    ],
)
def test_words_end_a_job_or_not(word: str, ended: bool) -> None:
    """Only the five documented ends are ends, in both spellings and any case; every other word runs on."""
    job = job_in({"id": ID, "status": word})

    assert job is not None
    assert job.ended is ended
    assert not (job.word in RUNNING and ended)


def test_both_spellings_of_cancelled_say_so() -> None:
    """A cancelled job fails with words that name it; another reason has words of its own."""
    job = job_in({"id": ID, "status": "Failed", "error": {"code": "X", "message": "Why."}})
    assert job is not None
    told = [str(failure(word, NONE, "?")) for word in ("cancelled", "canceled")]

    assert told == ["provider.failed: the job was cancelled at the service"] * 2
    assert failure(job.word, job.fault, "?").provider_message == "Why."
    assert failure("failed", NONE, "no reason").provider_message == "no reason"


def test_document_is_known_by_the_last_part_of_its_source() -> None:
    """Signatures and percent signs do not matter."""
    path = "https://acct.blob.core.windows.net/source/in/a%7Eb.0123456789abcdef-1.docx?sig=x"
    document = document_in({"sourcePath": path, "status": "Running", "progress": 1.5, "characterCharged": 7})

    assert document is not None
    assert (document.name, document.progress, document.cost) == ("a~b.0123456789abcdef-1.docx", 1.0, 7.0)


@pytest.mark.parametrize("key", ["nextLink", "@nextLink"])
def test_next_page_is_a_query_of_ours(key: str) -> None:
    """Of a link only the query counts, whatever host and path it names; the version is put back where it is missing."""
    body = {"value": [], key: "https://elsewhere.example/translator/text/batch/v1.1/operations?$top=5&$skip=15"}
    query = next_page(body, "2024-05-01")

    assert query is not None
    assert parse_qs(query) == {"$top": ["5"], "$skip": ["15"], "api-version": ["2024-05-01"]}
    assert next_page({"value": [], key: None}, "2024-05-01") is None
    assert next_page({key: "https://x/y?api-version=2026-03-01"}, "2024-05-01") == "api-version=2026-03-01"


def test_moments_are_told_in_utc() -> None:
    """Filters of lists take whole seconds with a Z."""
    assert moment_text(datetime.fromisoformat("2026-03-01T13:00:00.5+01:00")) == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fri, 16 Aug 2019 22:21:34 GMT", datetime(2019, 8, 16, 22, 21, 34, tzinfo=UTC)),
        ("Fri, 16 Aug 2019 22:21:34 -0000", datetime(2019, 8, 16, 22, 21, 34, tzinfo=UTC)),
        ("Sat, 17 Aug 2019 00:21:34 +0200", datetime(2019, 8, 16, 22, 21, 34, tzinfo=UTC)),
        ("Fri, 16 Aug 1619 22:21:34 GMT", None),
        ("2019-08-16T22:21:34Z", None),
        ("", None),
        (None, None),
    ],
)
def test_clocks_are_read_from_headers(text: str | None, expected: datetime | None) -> None:
    """As HTTP writes moments; what is none is no moment."""
    headers = {} if text is None else {"date": text}

    assert moment_of(Answer(status=200, headers=headers, body=b"")) == expected


@given(st.text(max_size=40))
def test_no_header_breaks_the_reading_of_clocks(text: str) -> None:
    """Whatever stands there: a moment with a zone, or none."""
    told = moment_of(Answer(status=200, headers={"x-ms-creation-time": text}, body=b""), "x-ms-creation-time")

    assert told is None or told.tzinfo is not None


@pytest.mark.parametrize("code", ["InvalidDocumentAccessLevel", "InvalidTargetDocumentAccessLevel"])
def test_refused_access_of_a_submission_is_proven_by_a_4xx_alone(code: str) -> None:
    """The same words under another status leave open whether the batch was taken."""
    body = {
        "error": {"code": "InvalidRequest", "message": "No.", "innerError": {"code": code, "message": "No access."}}
    }
    found = [type(fault_of(answered(status, body), submit=True)) for status in (400, 202, 500, 503)]

    assert found == [BlockedError, UncertainError, UncertainError, UncertainError]


def answered(status: int, body: object, retry_after_s: float | None = None) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(body).encode(), retry_after_s=retry_after_s)


@pytest.mark.parametrize("code", [400000, "400000"])
def test_code_may_be_a_number(code: object) -> None:
    """Errors of synchronous requests have numbers for codes; both are told as texts."""
    told = fault_of(answered(400, {"error": {"code": code, "message": "The Document field is required."}}), submit=True)

    assert (told.provider_code, told.provider_message) == ("400000", "The Document field is required.")


def test_inner_error_without_words_does_not_hide_the_outer() -> None:
    """The synchronous page shows an inner error with nothing but a request's id."""
    inner = {"requestId": "d3e4f6a9", "date": "2025-10-15T10:05:23Z"}
    body = {"error": {"code": "InvalidRequest", "message": "targetLanguage is required.", "innerError": inner}}
    told = fault_of(answered(400, body), submit=True)

    assert (told.provider_code, told.provider_message) == ("InvalidRequest", "targetLanguage is required.")


def test_retry_after_is_honoured_where_it_is_told() -> None:
    """An unavailable service that names a time pauses the account for it; without one it is trouble on the way."""
    body = {"error": {"code": "ServiceUnavailable", "message": "Later."}}
    told, bare = (fault_of(answered(503, body, wait), submit=False) for wait in (30.0, None))
    doubt = fault_of(answered(503, body, 30.0), submit=True)

    assert isinstance(told, ThrottledError)
    assert told.retry_after_s == 30.0
    assert (type(bare), type(doubt)) == (TransientError, UncertainError)


@given(st.dictionaries(st.sampled_from(JOB_KEYS), VALUES | errors()), st.sampled_from(["", ID]))
def test_no_body_breaks_the_reading(body: dict[str, Any], asked: str) -> None:
    """Documented keys with any values give a job or document that can be worked with, or none."""
    job, document = job_in(body, asked), document_in(body)

    assert job is None or (job.id in (ID, asked) and isinstance(job.ended, bool))
    assert document is None or 0.0 <= (document.progress or 0.0) <= 1.0
    assert entries_in(body) is None
    assert job is None or failure(job.word, job.fault, "?").provider_message


@given(VALUES, st.sampled_from([200, 202, 302, 400, 401, 404, 429, 500, 503]), st.booleans())
def test_any_answer_is_an_error_of_the_service(body: object, status: int, submit: bool) -> None:
    """Whatever comes is classed; only a code of the service's own makes a 4xx a refusal."""
    told = fault_of(answered(status, {"error": body}), submit=submit)

    assert isinstance(told, ServiceError)
    assert told.http_status == status
    if submit and status in (200, 202, 302, 500, 503):
        assert isinstance(told, UncertainError)
