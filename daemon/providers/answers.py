"""What answers have in common across services: the words of an error, and what a status code must mean."""

from collections.abc import Mapping
from typing import Any

from daemon import names
from daemon.errors import (
    BlockedError,
    LostError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from daemon.replies import Answer

# Proven "not accepted" whatever the body says; another 4xx only with the body its document shows.
_REFUSING = frozenset({413, 415, 422})
# 529 (overloaded) is no proof: of a submission it says what 503 says.
_THROTTLING = frozenset({429, 529})
_BLOCKING = {401: "account.key", 402: "account.blocked", 403: "account.blocked"}
_MOST_CODE = 100
_MOST_WORDS = 500
_LONGEST_REFERENCE = 500


def said(body: Any) -> tuple[str | None, str | None]:
    """(code, message) of an error body, whichever of the usual shapes it has.

    Both are cleaned and bounded. Known shapes: `error` as text or object, `message`, `detail` as text or
    list, `error_description`, `errors[]`, and the literal keys `error.code` and `error.message`. Where there
    are several texts, the sentence for people counts before the title.
    """
    if not isinstance(body, Mapping):
        return None, None
    error = body.get("error")
    inner: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    codes = (inner.get("code"), inner.get("error.code"), body.get("code"), body.get("error.code"))
    messages = (
        inner.get("message"),
        inner.get("error.message"),
        body.get("error.message"),
        body.get("message"),
        error,
        body.get("detail"),
        body.get("error_description"),
        body.get("errors"),
    )
    code = next(filter(None, (names.clean(_code(one), _MOST_CODE) for one in codes)), None)
    message = next(filter(None, (names.clean(_text(one), _MOST_WORDS) for one in messages)), None)
    return code, message


def reference(value: object) -> str | None:
    """A job's reference out of an answer, if it is one that can be kept and asked for."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if text.strip() and text.isprintable() and len(text) <= _LONGEST_REFERENCE else None


def _code(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _text(value: object) -> str:
    """A text, or the texts of a list of them or of objects that hold one as `msg`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    texts = [one if isinstance(one, str) else one.get("msg") for one in value if isinstance(one, str | Mapping)]
    return "; ".join(text for text in texts if isinstance(text, str) and text)


def fault(answer: Answer, *, submit: bool, documented: bool = False) -> ServiceError:
    """The error that an answer must be taken for, by its status.

    `documented` says that the body is one the service's document shows for a refusal; without it a 4xx that
    is not proof by itself leaves a submission uncertain, as do redirects, 5xx and answers nobody can read,
    unless they came before the document had gone out whole.
    """
    status = answer.status
    code, message = said(answer.json())
    kind, word = _class_of(status, submit=submit, documented=documented)
    if kind is UncertainError and not answer.sent_whole:
        kind, word = TransientError, "service.error"
    if message is None and kind in (UncertainError, TransientError):
        message = f"HTTP {status}"
    return kind(word, message, provider_code=code, http_status=status, retry_after_s=answer.retry_after_s)


def _class_of(status: int, *, submit: bool, documented: bool) -> tuple[type[ServiceError], str]:
    if status in _THROTTLING and (status == 429 or not submit):
        return ThrottledError, "account.throttled"
    if status in _BLOCKING:
        return BlockedError, _BLOCKING[status]
    if status in _REFUSING or (submit and documented and 400 <= status < 500):
        return RejectedError, "submit.rejected"
    if submit:
        return UncertainError, "submit.uncertain"
    if status in (404, 410):
        return LostError, "provider.lost"
    return TransientError, "service.error" if status >= 500 or status == 408 else "service.unreadable"


def judge_check(answer: Answer, error: ServiceError, *, documented: bool) -> None:
    """What a check makes of the answer about a job that cannot exist.

    Only a documented body is proof that the service itself has looked at the key: a gateway's page or another
    server's 404 must not open the account to submissions. Raises BlockedError, ThrottledError, TransientError.
    """
    if isinstance(error, BlockedError | ThrottledError):
        raise error
    if not documented or answer.status >= 500:
        code = "service.error" if answer.status >= 500 else "service.unreadable"
        raise TransientError(code, error.provider_message or f"HTTP {answer.status}", http_status=answer.status)
