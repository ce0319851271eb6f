"""Doctranslate: documents by one multipart request each, results behind signed links (from the vendor's pages).

A result is a record keyed by the task's id; a failed one comes flat, under HTTP 400, in an envelope whose own
`status` says "success". Nothing is ever read from that envelope but its record and its words. While a task runs
the documents show no answer at all: one without a record means "still running". The result lies on another
host, which gets no key; its address stays in memory only, because it is signed.

The history names tasks by numbers of its own, which the result call does not know. A submission that was found
there is therefore known by its name token, and is looked at there until it has its link.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import model_validator

from daemon import names
from daemon.errors import (
    LostError,
    RejectedError,
    ServiceError,
    TransientError,
)
from daemon.languages import LanguageTable
from daemon.providers.answers import fault, judge_check, reference, said
from daemon.providers.base import (
    Accepted,
    AskAgain,
    Capabilities,
    Failed,
    Fetched,
    Found,
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
from daemon.providers.doctranslate_bodies import (
    MEDIA,
    carries,
    cost_of,
    error_of,
    extension_of,
    is_token,
    items_of,
    record_of,
    speaks,
)
from daemon.providers.whole import Address, WholeDocuments
from daemon.replies import Answer
from daemon.settings import Budget, ProviderSettings
from daemon.spool import Sink
from daemon.transport import Session

# Four codes are documented of "28+", all lower-case; the others are taken to be the usual two letters. What has
# a region besides is not guessed: the administrator lists it.
_TARGETS = {"en": "en", "ja": "ja", "vi": "vi", "zh-Hans": "zh-cn"}
_OTHER_CODES = r"(?!zh)[a-z]{2}"
_BILINGUAL_FIELDS = frozenset({"bilingual_text_style__font", "bilingual_text_style__color"})
_V3_FIELDS = frozenset({"output_format", "glossary_id", "terminology_strategy"})
_FORM_FIELDS = _BILINGUAL_FIELDS | {
    "style_mode", "translate_type", "is_translate_images", "tone", "domain", "dictionary", "custom_prompt",
}  # fmt: skip
_HISTORY_ZONE = timezone(timedelta(hours=7))  # vendor's page "User History": times are UTC+7
_HISTORY_PAGE, _HISTORY_PAGES = 100, 20
_FAR_FUTURE_S = 4_000_000_000.0  # an id of somebody else's making may hold any year
# Where the history is not open to an account it cannot be asked; another answer may come later.
_NO_HISTORY = frozenset({400, 403, 404, 405, 410, 422})
# A history that shows finished tasks only is worth some patience.
_ASK_AGAIN_S, _ASK_FOR_S = 60.0, 1800.0
_GONE = frozenset({400, 401, 403, 404, 410})
_MOST_RESULT = 2_000_000_000


class Settings(ProviderSettings):
    """`options` are the service's form fields.

    `auth` is the header that carries the key: the page "Get result" and version 1 write a bearer token, the newer
    pages X-API-Key. `api_version` is the first part of the paths. `file_type_style` is how the field `file_type`
    is spelt, of which the pages say nothing: application/docx, the real media type, docx, or not at all.
    `process_mode` replaces the text or puts the translation behind or (version 2 and 3) before it.
    """

    kind: str = "doctranslate"
    base_url: str = "https://doctranslate-api.doctranslate.io"
    auth: Literal["bearer", "api_key"] = "bearer"
    api_version: Literal["v1", "v2", "v3"] = "v1"
    file_type_style: Literal["application/ext", "mime", "ext", "omit"] = "application/ext"
    process_mode: Literal["replace", "append", "append_reverse"] = "replace"
    budget: Annotated[Budget | None, counted_in("Doctranslate", "credits")] = None

    @model_validator(mode="after")
    def _form_fields(self) -> Self:
        given = set(self.options)
        known = _FORM_FIELDS | (_V3_FIELDS if self.api_version == "v3" else set())
        problems = self.unknown_options(known, f"{self.api_version} of the service knows")
        if self.process_mode == "append_reverse" and self.api_version == "v1":
            problems.append("process_mode append_reverse needs api_version v2 or v3")
        if given & _BILINGUAL_FIELDS and self.process_mode == "replace":
            problems.append("options.bilingual_text_style__… needs process_mode append")
        if not _is_json(self.options.get("dictionary", "{}")):
            problems.append("options.dictionary is not JSON")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Doctranslate(WholeDocuments):
    """See the module's text."""

    kind: ClassVar[str] = "doctranslate"
    title: ClassVar[str] = "Doctranslate"
    settings_type: ClassVar[type[ProviderSettings]] = Settings

    def __init__(self, settings: ProviderSettings, session: Session) -> None:
        super().__init__()
        assert isinstance(settings, Settings)
        self._settings = settings
        self._session = session
        self.capabilities = self.facts(settings)

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        """Sizes, rates and limits are not documented and come from the settings; clients ask every 2 to 5 s."""
        return Capabilities(
            extensions=frozenset(MEDIA),
            languages=LanguageTable(targets=_TARGETS, form=_OTHER_CODES),
            max_bytes=settings.max_bytes,
            poll_every_s=5.0,
            poll_at_most_s=60.0,
            max_in_flight=settings.max_in_flight or 10,
            # A task that is done may lack its link for a moment.
            running_words=frozenset({"processing", "done"}),
            recoverable=True,
            costs="credits",
        )

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        assert isinstance(settings, Settings)
        key = settings.api_key.read()
        return {"x-api-key": key} if settings.auth == "api_key" else {"authorization": f"Bearer {key}"}

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        answer = self._session.submit(
            f"/{self._settings.api_version}/translate/document",
            fields=self._fields(part),
            file_field="file",
            sent_name=part.attempt.sent_name,
            media_type=MEDIA[part.document.extension],
            original=part.document,
        )
        body = answer.json()
        data = body.get("data") if isinstance(body, dict) else None
        ref = reference(data.get("task_id")) if isinstance(data, dict) else None
        if ref is None:
            raise error_of(answer, submit=True)
        # An id proves that the task was taken, whatever code it came under.
        return Accepted(ref=ref)

    def _fields(self, part: Part) -> Mapping[str, str]:
        """Vendor's page "Document Translation"; without `original_lang` the service detects the language."""
        source = {"original_lang": part.route.source_wire} if part.route.source_wire else {}
        return {
            "dest_lang": part.route.target_wire,
            **source,
            **_file_type(self._settings.file_type_style, part.document.extension),
            "process_mode": self._settings.process_mode,
            "translate_type": "Professional",
            **self._settings.options,
        }

    def _look(self, ref: str) -> Look:
        self._forget(ref)
        if is_token(ref):
            return self._read(ref, self._listed(ref) or {}, None)
        answer = self._session.call("status", "GET", self._result_path(ref))
        body = answer.json()
        record = record_of(body, ref)
        if record is not None:
            # The state in the body outranks the HTTP code: a failed task comes as 400.
            return self._read(ref, record, answer)
        if answer.status == 200 and isinstance(body, dict) and "data" in body:
            return Running()
        error = error_of(answer, submit=False)
        if isinstance(error, LostError | RejectedError):
            return Lost(error=error)
        raise error

    def _read(self, ref: str, record: Mapping[str, Any], answer: Answer | None) -> Look:
        """The state of a task by its record; the answer around it is only good for words."""
        state = record.get("status")
        word = state.strip().lower() if isinstance(state, str) else ""
        known = word in ("done", "processing")
        if word == "failed" or (not known and (record.get("success") is False or record.get("type") == "fail_task")):
            words = said(record)[1] or said(answer.json() if answer else None)[1]
            status = answer.status if answer else None
            failed = RejectedError("provider.failed", words, http_status=status)
            return Failed(error=failed, cost=cost_of(record))
        url = record.get("url_download")
        if word != "processing" and isinstance(url, str) and url:
            self._remember(ref, Address(url=url, extension=extension_of(record, url)))
            return Ready(cost=cost_of(record))
        if not isinstance(state, str | None):
            raise TransientError("service.unreadable", "a status that is no word")
        return Running(word=word)

    def _result_path(self, ref: str) -> str:
        return f"/{self._settings.api_version}/result/{quote(ref, safe='')}"

    def _receive(self, address: Address, sink: Sink) -> Fetched | ServiceError:
        answer = self._session.download(address.url, sink, most=_MOST_RESULT)
        if answer.status == 200:
            return Fetched(extension=address.extension)
        if answer.status in _GONE:
            # Signed links live for 7 days (page "Get result", X-Amz-Expires); the result is asked for a fresh one.
            return LostError("result.gone", f"HTTP {answer.status}", http_status=answer.status)
        return fault(answer, submit=False)

    def recover(self, intent: Intent) -> Recovery:
        """Being listed proves that it was taken; not being listed proves nothing, however long one waits."""
        token = names.token(intent.attempt.job, intent.attempt.number)
        try:
            item = self._listed(token)
        except ServiceError as error:
            if error.http_status in _NO_HISTORY and error.code != "service.error":
                return Unknown()
            raise
        if item is None:
            return AskAgain(after_s=_ASK_AGAIN_S) if intent.asked_for_s < _ASK_FOR_S else Unknown()
        return Found(ref=reference(item.get("task_id")) or token)

    def _listed(self, token: str) -> Mapping[str, Any] | None:
        """The item of the history that carries our token; the oldest one, if somebody ran the task again there.

        Vendor's page "User History": `page` begins with 1, `keyword` is looked for in the file's name, times
        are UTC+7 without saying so. Only the beginning is bounded: when a task ends nobody knows.
        """
        job = token.partition("-")[0]
        claimed_s = min(names.job_time_ms(job) / 1000, _FAR_FUTURE_S)
        first_day = datetime.fromtimestamp(claimed_s, UTC) - timedelta(days=1)
        dates = {
            "start_date": first_day.astimezone(_HISTORY_ZONE).strftime("%Y-%m-%d %H:%M:%S"),
            "end_date": "2099-12-31 23:59:59",
        }
        seen: list[Mapping[str, Any]] = []
        for page in range(1, _HISTORY_PAGES + 1):
            query = f"page={page}&page_size={_HISTORY_PAGE}&keyword={job}"
            items = items_of(self._session.call("status", "POST", f"/user/history?{query}", body=dates))
            ours = [item for item in items if carries(item, token)]
            if ours:
                return min(ours, key=lambda item: str(item.get("datetime")))
            if all(item in seen for item in items):
                break
            seen += items
        return None

    def check(self) -> None:
        # No call is documented for it. The result of a task that cannot exist costs nothing; what a good key
        # is told there is not documented either, so every answer in the service's own shapes is good.
        answer = self._session.call("check", "GET", self._result_path("0" * 32))
        judge_check(answer, error_of(answer, submit=False), documented=speaks(answer.json()))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _file_type(style: str, extension: str) -> Mapping[str, str]:
    match style:
        case "omit":
            return {}
        case "mime":
            return {"file_type": MEDIA[extension]}
        case "ext":
            return {"file_type": extension}
        case _:
            return {"file_type": f"application/{extension}"}
