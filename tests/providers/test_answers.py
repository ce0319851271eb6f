"""What is made of any answer at all: words and classes, never an accident."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import (
    BlockedError,
    LostError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from daemon.messages import CATALOGUE
from daemon.providers.answers import fault, reference, said
from daemon.replies import Answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
KEYS = st.sampled_from(
    ["error", "message", "code", "detail", "errors", "error_description", "error.code", "error.message", "msg"]
)
LIKE_ERRORS = st.recursive(
    JSON, lambda inner: st.dictionaries(KEYS, inner, max_size=6) | st.lists(inner, max_size=3), max_leaves=12
)
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
PROVEN = {401, 402, 403, 413, 415, 422, 429}


def answer_of(status: int, body: object) -> Answer:
    return Answer(status=status, headers={}, body=body if isinstance(body, bytes) else json.dumps(body).encode())


@given(LIKE_ERRORS | JSON)
def test_words_of_anything_are_short_texts(body: object) -> None:
    """Whatever JSON came: code and message are texts fit to be shown, of bounded length, or nothing."""
    code, message = said(body)

    assert code is None or (0 < len(code) <= 100 and not UNSHOWABLE.search(code))
    assert message is None or (0 < len(message) <= 500 and not UNSHOWABLE.search(message))


@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=200) | LIKE_ERRORS,
    submit=st.booleans(),
    documented=st.booleans(),
    sent_whole=st.booleans(),
)
def test_every_answer_has_a_class(status: int, body: object, submit: bool, documented: bool, sent_whole: bool) -> None:
    """Any status with any bytes is one of our errors, under a code that people are told about."""
    told = answer_of(status, body)
    error = fault(
        Answer(status=status, headers={}, body=told.body, sent_whole=sent_whole), submit=submit, documented=documented
    )

    assert isinstance(error, ServiceError)
    assert error.code in CATALOGUE
    assert error.http_status == status
    assert len(str(error)) < 600


@given(status=st.integers(100, 999), body=st.binary(max_size=50))
def test_only_proof_frees_a_submission_from_doubt(status: int, body: bytes) -> None:
    """Of a document that went out whole, an undocumented answer proves refusal by seven codes alone."""
    error = fault(answer_of(status, body), submit=True)

    assert isinstance(error, UncertainError) is (status not in PROVEN)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, TransientError),
        (400, TransientError),
        (401, BlockedError),
        (402, BlockedError),
        (403, BlockedError),
        (404, LostError),
        (408, TransientError),
        (410, LostError),
        (413, RejectedError),
        (422, RejectedError),
        (429, ThrottledError),
        (500, TransientError),
        (503, TransientError),
        (529, ThrottledError),
        (999, TransientError),
    ],
)
def test_classes_of_other_requests(status: int, expected: type[ServiceError]) -> None:
    """What a status code by itself says about anything but a submission."""
    assert type(fault(answer_of(status, b""), submit=False)) is expected


def test_documented_refusal_is_one_of_the_file() -> None:
    """A 4xx with the body that the documents show for it refuses the file; the same body under 500 does not."""
    body = {"message": "Wrong type"}
    refused = fault(answer_of(400, body), submit=True, documented=True)
    broken = fault(answer_of(500, body), submit=True, documented=True)

    assert (type(refused), refused.provider_message) == (RejectedError, "Wrong type")
    assert type(broken) is UncertainError


def test_answer_before_the_end_of_the_document_leaves_no_doubt() -> None:
    """Whoever answers before the last byte went out cannot have taken the document."""
    early = Answer(status=502, headers={}, body=b"", sent_whole=False)

    assert type(fault(early, submit=True)) is TransientError


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": "A", "message": "b"}}, ("A", "b")),
        ({"error": {"error.code": "A", "error.message": "b"}}, ("A", "b")),
        ({"error.code": "A", "error.message": "b"}, ("A", "b")),
        ({"code": "A", "message": "b"}, ("A", "b")),
        ({"code": 1000, "message": "b"}, ("1000", "b")),
        ({"code": True, "message": "b"}, (None, "b")),
        ({"error": "a", "message": "b"}, (None, "b")),
        ({"error": "a", "message": ["b", "c"]}, (None, "b; c")),
        ({"error": "a"}, (None, "a")),
        ({"detail": "a"}, (None, "a")),
        ({"detail": [{"msg": "a", "loc": ["body"]}, {"msg": "b"}]}, (None, "a; b")),
        ({"error": "invalid_grant", "error_description": "a"}, (None, "invalid_grant")),
        ({"error_description": "a"}, (None, "a")),
        ({"errors": ["a", {"msg": "b"}, 3]}, (None, "a; b")),
        ({"message": "a\x1b[31m\nb\u202e" + "c" * 1000}, (None, "a b" + "c" * 496 + "…")),
        ({}, (None, None)),
        ([], (None, None)),
        (None, (None, None)),
        ("error", (None, None)),
    ],
)
def test_known_shapes_are_read(body: object, expected: tuple[str | None, str | None]) -> None:
    """The error shapes of the documents give code and sentence, cleaned and bounded."""
    assert said(body) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc123-def456", "abc123-def456"),
        (12345, "12345"),
        ("", None),
        (" ", None),
        (None, None),
        (True, None),
        (1.5, None),
        ({}, None),
        ("a\nb", None),
        ("\ud800", None),
        ("x" * 500, "x" * 500),
        ("x" * 501, None),
        (10**600, None),
    ],
)
def test_references_can_be_asked_for(value: object, expected: str | None) -> None:
    """A reference is a text or number that can be kept, shown and put into an address."""
    assert reference(value) == expected
