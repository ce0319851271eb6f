"""What answers have in common across services: the words of an error, and what a status code must mean."""

from collections.abc import Mapping
from typing import Any

from daemon.errors import (
    BlockedError,
    LostError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from daemon.transport import Answer

# Proven "not accepted" whatever the body says; another 4xx only with the body its document shows.
_REFUSING = frozenset({413, 415, 422})
_THROTTLING = frozenset({429, 529})
_BLOCKING = {401: "account.key", 402: "account.blocked", 403: "account.blocked"}


def said(body: Any) -> tuple[str | None, str | None]:
    """(code, message) of an error body, whichever of the usual shapes it has.

    Known shapes: `error` as text or object, `message`, `detail` as text or list, `error_description`,
    `errors[]`, and the literal keys `error.code` and `error.message`.
    """
    if not isinstance(body, Mapping):
        return None, None
    error = body.get("error")
    inner: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    codes = (inner.get("code"), inner.get("error.code"), body.get("code"), body.get("error.code"))
    messages = (
        inner.get("message"),
        inner.get("error.message"),
        error if isinstance(error, str) else None,
        body.get("error.message"),
        body.get("message"),
        _detail(body.get("detail")),
        body.get("error_description"),
        _detail(body.get("errors")),
    )
    code = next((str(one) for one in codes if isinstance(one, str | int) and str(one)), None)
    return code, next((one for one in messages if isinstance(one, str) and one), None)


def _detail(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    texts = [
        one if isinstance(one, str) else str(one.get("msg", "")) for one in value if isinstance(one, str | Mapping)
    ]
    return "; ".join(text for text in texts if text) or None


def fault(answer: Answer, *, submit: bool, documented: bool = False) -> ServiceError:
    """The error that an answer must be taken for, by its status.

    `documented` says that the body is one the service's document shows for a refusal; without it a 4xx that
    is not proof by itself leaves a submission uncertain, as do redirects, 5xx and answers nobody can read.
    """
    status = answer.status
    code, message = said(answer.json())
    kind, word = _class_of(status, submit=submit, documented=documented)
    if message is None and kind in (UncertainError, TransientError):
        message = f"HTTP {status}"
    return kind(word, message, provider_code=code, http_status=status, retry_after_s=answer.retry_after_s)


def _class_of(status: int, *, submit: bool, documented: bool) -> tuple[type[ServiceError], str]:
    if status in _THROTTLING:
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
