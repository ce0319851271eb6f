"""GPTTranslator: documents through a queue, one multipart request each.

The facts are from the vendor's page "Document Translation API". It documents four status words; the other queue
words belong to the same kind of queue and count as running, as does any word unknown here. The result is fetched
*with* the key from `documentUrl`, which is never built from the translation id: in the page's own example the two
ids differ.
"""

import mimetypes
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Self
from urllib.parse import quote

from pydantic import model_validator

from daemon.errors import (
    BlockedError,
    LostError,
    RejectedError,
    ServiceError,
    TransientError,
)
from daemon.languages import LanguageTable
from daemon.providers.answers import fault, judge_check, reference, said
from daemon.providers.base import (
    Accepted,
    Capabilities,
    Failed,
    Fetched,
    Intent,
    Look,
    Lost,
    Part,
    Ready,
    Recovery,
    Running,
    Unknown,
    counted_in,
)
from daemon.providers.whole import Address, WholeDocuments
from daemon.replies import Answer
from daemon.settings import Budget, ProviderSettings
from daemon.spool import Sink
from daemon.transport import Session

_EXTENSIONS = "docx xlsx pdf pptx srt vtt xml json yaml yml csv txt md html eml"
# The first three are documented; the others are words of the same kind of queue.
_UNFINISHED = "waiting active completed delayed paused prioritized waiting-children stuck unknown"
_SUBMIT = "/v1/translation/document-translation/api"
_STATUS = "/v1/translation/document-translation-status"
_FORM_FIELDS = frozenset({"model", "domain", "writingStyle", "tone", "customPrompt"})
# Said with HTTP 401, and with 400 as well (vendor's page, "Invalid API key/user/org setup").
_ACCOUNT_WORDS = ("invalid api key", "user is not active", "organization id not found")
# An answer about one job whose key is good: 401, but not the account's fault.
_FOREIGN_WORDS = ("unauthorized access",)
# "Download errors" that a fresh address may help against.
_GONE_WORDS = ("invalid translation id", "translation not found", "file not available")
_ERROR_KEYS = frozenset({"error", "message", "data", "statusCode"})
_MOST_RESULT = 2_000_000_000


class Settings(ProviderSettings):
    """`options` are the service's form fields; `model` is required by the service."""

    needed_options = {"model": "gpt-4.1-mini-2025-04-14"}  # noqa: RUF012  the base says that it is the class's own

    kind: str = "gpttranslator"
    base_url: str = "https://api.gpttranslator.co"
    budget: Annotated[Budget | None, counted_in("GPTTranslator")] = None

    @model_validator(mode="after")
    def _form_fields(self) -> Self:
        for problem in self.unknown_options(_FORM_FIELDS):
            raise ValueError(problem)
        if not self.options.get("model"):
            raise ValueError("options.model is required, for example gpt-4.1-mini-2025-04-14")
        if not self.source_language:
            raise ValueError("source_language is required: the service detects none")
        return self


class GptTranslator(WholeDocuments):
    """See the module's text."""

    kind: ClassVar[str] = "gpttranslator"
    title: ClassVar[str] = "GPTTranslator"
    settings_type: ClassVar[type[ProviderSettings]] = Settings

    def __init__(self, settings: ProviderSettings, session: Session) -> None:
        super().__init__()
        self._settings = settings
        self._session = session
        self.capabilities = self.facts(settings)

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        """Facts from the vendor's page; sizes, rates and limits are not documented and come from the settings."""
        return Capabilities(
            extensions=frozenset(_EXTENSIONS.split()),
            languages=LanguageTable(targets={}, form=r"(?=.{2,10}$)[a-zA-Z]+(-[a-zA-Z]+)?", detects_source=False),
            max_bytes=settings.max_bytes,
            poll_every_s=5.0,
            poll_at_most_s=30.0,
            running_words=frozenset(_UNFINISHED.split()),
            max_in_flight=settings.max_in_flight or 10,
        )

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        return {"x-api-key": settings.api_key.read()}

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        answer = self._session.submit(
            _SUBMIT,
            fields={
                "sourceLang": part.route.source_wire or "",
                "targetLang": part.route.target_wire,
                **self._settings.options,
            },
            file_field="file",
            sent_name=part.attempt.sent_name,
            media_type=mimetypes.guess_type(f"x.{part.document.extension}")[0] or "application/octet-stream",
            original=part.document,
        )
        body = answer.json()
        data = body.get("data") if isinstance(body, dict) else None
        ref = reference(data.get("translationId")) if isinstance(data, dict) else None
        if answer.status // 100 == 2 and ref is not None:
            return Accepted(ref=ref)
        raise _fault(answer, submit=True)

    def _look(self, ref: str) -> Look:
        answer = self._session.call("status", "GET", f"{_STATUS}/{quote(ref, safe='')}")
        body = answer.json()
        state = body.get("translationStatus") if isinstance(body, dict) else None
        if not isinstance(state, str):
            error = _fault(answer, submit=False)
            if isinstance(error, LostError):
                return Lost(error=error)
            if isinstance(error, RejectedError):
                return Failed(error=error)
            raise error
        # The state in the body outranks the HTTP code: a failed job may come as 200 or as 402.
        return self._read(ref, state.strip().lower(), body, answer)

    def _read(self, ref: str, state: str, body: Mapping[str, object], answer: Answer) -> Look:
        if state == "failed":
            status = body.get("statusCode")
            # A business rule (402) stops the account too: the next file would meet the same.
            blocked = status in (401, 402)
            kind: type[ServiceError] = BlockedError if blocked else RejectedError
            return Failed(
                error=kind(
                    "account.blocked" if blocked else "provider.failed",
                    # `message` says only that the status was fetched.
                    said({"error": body.get("error")})[1],
                    provider_code=str(status) if isinstance(status, int) and 400 <= status < 1000 else None,
                    http_status=answer.status,
                )
            )
        data = body.get("data")
        url = data.get("documentUrl") if isinstance(data, dict) else None
        if state == "completed" and isinstance(url, str) and url:
            self._remember(ref, Address(url=url))
            return Ready()
        # `completed` without its URL may lag behind by a moment: asked again, until the deadline.
        return Running(word=state)

    def _receive(self, address: Address, sink: Sink) -> Fetched | ServiceError:
        answer = self._session.download(address.url, sink, most=_MOST_RESULT)
        told = _error_under_200(answer, sink) if answer.status == 200 else answer
        return Fetched() if told is None else _fetch_fault(told, own=self._session.is_own(address.url))

    def recover(self, intent: Intent) -> Recovery:
        del intent
        return Unknown()

    def check(self) -> None:
        # No call is documented for it. The status of a job that cannot exist costs nothing and is answered
        # 404 to a good key.
        answer = self._session.call("check", "GET", f"{_STATUS}/0")
        body = answer.json()
        documented = isinstance(body, dict) and bool(body.get("translationStatus") or body.get("error"))
        judge_check(answer, _fault(answer, submit=False), documented=documented)


def _fault(answer: Answer, *, submit: bool) -> ServiceError:
    """Vendor's page: errors are `{error}` or `{error, message, data, statusCode}`; account errors come as 400 too."""
    body = answer.json()
    _, message = said(body)
    error = body.get("error") if isinstance(body, dict) else None
    documented = isinstance(error, str) and bool(error)
    words = f"{message or ''} {error or ''}".lower()
    if documented and answer.status in (400, 401) and any(one in words for one in _ACCOUNT_WORDS):
        return BlockedError("account.key", message, http_status=answer.status)
    if not submit and answer.status == 401 and any(one in words for one in _FOREIGN_WORDS):
        return RejectedError("provider.failed", message, http_status=answer.status)
    # Of the 4xx that are no proof by themselves the document shows 400 alone.
    return fault(answer, submit=submit, documented=documented and answer.status == 400)


def _error_under_200(answer: Answer, sink: Sink) -> Answer | None:
    """The answer with what came in its body, when that is an error instead of the document.

    Every document has a Content-Disposition (vendor's page, "Success"); the errors below it show none. A translated
    .json may look just like an error, so the header decides before the shape does.
    """
    if "content-disposition" in answer.headers or sink.size > len(sink.head):
        return None
    told = replace(answer, body=sink.head)
    body = told.json()
    return told if isinstance(body, dict) and body.get("error") and set(body) <= _ERROR_KEYS else None


def _fetch_fault(answer: Answer, *, own: bool) -> ServiceError:
    """Vendor's page, "Download errors": bodies without a documented HTTP code.

    Elsewhere than at the service itself no refusal says anything about the account.
    """
    error = _fault(answer, submit=False)
    words = (error.provider_message or "").lower()
    if "currently active" in words:
        return TransientError("result.gone", error.provider_message, http_status=answer.status)
    gone = isinstance(error, LostError) or any(one in words for one in _GONE_WORDS)
    if gone or (isinstance(error, BlockedError) and not own):
        return LostError("result.gone", error.provider_message, http_status=answer.status)
    return error
