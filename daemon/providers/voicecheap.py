"""VoiceCheap: video and audio dubbing, one multipart request a file (from the vendor's API pages).

Files may have 20 GB and are streamed from disk. The account may ask for a status 30 times in any minute and
have 5 (older page) or 10 (newer page) translations under way. The result lies on a storage host, which gets no
key; its address stays in memory only, because it may be signed.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import model_validator

from daemon import names
from daemon.errors import (
    CapacityError,
    LostError,
    RejectedError,
    ServiceError,
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
from daemon.providers.voicecheap_languages import SOURCES, TARGETS
from daemon.providers.whole import Address, WholeDocuments
from daemon.replies import Answer
from daemon.settings import Budget, ProviderSettings, Rate
from daemon.spool import Sink
from daemon.transport import Session

# The part's own content type decides whether the file is taken (INVALID_FILE_TYPE); vendor's page "translate".
_MEDIA = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "aac": "audio/aac",
}
_EXTENSION_OF = {
    **{media: extension for extension, media in reversed(_MEDIA.items())},
    "audio/x-m4a": "m4a",
    "audio/mp4": "m4a",
    "audio/x-wav": "wav",
}
_FORM_FIELDS = frozenset(
    {
        "keepBackgroundMusic", "keepOriginalVoice", "subtitles", "lipsyncPro", "voiceIsolatorOption",
        "subtitlesSource", "originalVoiceVolume", "translationTimeSkips", "voiceCloningSettings",
    }
)  # fmt: skip
_FULL = "CONCURRENT_TRANSLATION_LIMIT_REACHED"
_STATES = frozenset({"processing", "success", "failed"})
_MOST_RESULT = 40_000_000_000
_LONGEST_S = 1e7


class Settings(ProviderSettings):
    """`result` says which of the two results is wanted; the other one is taken where it is missing."""

    kind: str = "voicecheap"
    base_url: str = "https://api.voicecheap.ai"
    result: Literal["video", "audio"] = "video"
    budget: Annotated[Budget | None, counted_in("VoiceCheap", "seconds")] = None

    @model_validator(mode="after")
    def _form_fields(self) -> Self:
        for problem in self.unknown_options(_FORM_FIELDS):
            raise ValueError(problem)
        return self


class VoiceCheap(WholeDocuments):
    """See the module's text."""

    kind: ClassVar[str] = "voicecheap"
    title: ClassVar[str] = "VoiceCheap"
    settings_type: ClassVar[type[ProviderSettings]] = Settings

    def __init__(self, settings: ProviderSettings, session: Session) -> None:
        super().__init__()
        assert isinstance(settings, Settings)
        self._settings = settings
        self._session = session
        self.capabilities = self.facts(settings)

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        """Page "Get Translation Status": 30 calls a minute, 10 to 30 s apart. Other pages: 20 GB, 5 or 10 at a time,
        10 deletions a minute; the rate of submissions is not documented and taken to be the same.
        """
        return Capabilities(
            extensions=frozenset(_MEDIA),
            languages=LanguageTable(targets=TARGETS, sources=SOURCES),
            max_bytes=settings.max_bytes or 20_000_000_000,
            poll_every_s=10.0,
            poll_at_most_s=30.0,
            windows={
                "status": Rate(requests=30, per=60.0),
                "submit": Rate(requests=10, per=60.0),
                "delete": Rate(requests=10, per=60.0),
            },
            max_in_flight=settings.max_in_flight or 5,
            running_words=frozenset({"processing"}),
            costs="seconds",
        )

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        return {"x-api-key": settings.api_key.read()}

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        source = {"originalLanguage": part.route.source_wire} if part.route.source_wire else {}
        answer = self._session.submit(
            "/v1/translate",
            fields={
                "targetLanguage": part.route.target_wire,
                **source,
                # Shown in the vendor's web page: lets a person find a submission whose answer was lost.
                "projectName": part.attempt.sent_name,
                **self._settings.options,
            },
            file_field="file",
            sent_name=part.attempt.sent_name,
            media_type=_MEDIA[part.document.extension],
            original=part.document,
        )
        body = answer.json()
        ref = reference(body.get("projectId")) if isinstance(body, dict) else None
        if answer.status // 100 == 2 and ref is not None:
            return Accepted(ref=ref)
        raise _fault(answer, submit=True)

    def _look(self, ref: str) -> Look:
        answer = self._session.call("status", "GET", f"/v1/translate/{quote(ref, safe='')}/status")
        body = answer.json()
        state = body.get("status") if isinstance(body, dict) else None
        if not isinstance(state, str) or (answer.status >= 400 and state.strip().lower() not in _STATES):
            # Under an error's code a word that is none of the documented states is the error's own.
            error = _fault(answer, submit=False)
            if isinstance(error, LostError):
                return Lost(error=error)
            if isinstance(error, RejectedError):
                return Failed(error=error)
            raise error
        return self._read(ref, state.strip().lower(), body, answer)

    def _read(self, ref: str, state: str, body: Mapping[str, object], answer: Answer) -> Look:
        if state == "failed":
            code, message = said(body)
            return Failed(
                error=RejectedError("provider.failed", message, provider_code=code, http_status=answer.status)
            )
        url = self._choose(body)
        if state == "success" and url:
            self._remember(ref, Address(url=url))
            return Ready(cost=_duration(body))
        return Running(word=state, progress=_progress(body))

    def _choose(self, body: Mapping[str, object]) -> str | None:
        """The wanted result's address; a lip-synced video is the better video where there is one."""
        lip_sync = body.get("lipSync")
        inner = lip_sync if isinstance(lip_sync, dict) else {}
        # The page's schema writes nested keys with a dot, inside the object they belong to (as in `error`).
        synced = [inner.get("videoUrl"), inner.get("lipSync.videoUrl"), body.get("lipSync.videoUrl")]
        video = [*synced, body.get("translatedVideoUrl")]
        audio = [body.get("translatedAudioUrl")]
        order = [*video, *audio] if self._settings.result == "video" else [*audio, *video]
        return next((url for url in order if isinstance(url, str) and url), None)

    def _receive(self, address: Address, sink: Sink) -> Fetched | ServiceError:
        answer = self._session.download(address.url, sink, most=_MOST_RESULT)
        if answer.status == 200:
            return Fetched(extension=_extension(address.url, answer))
        if answer.status in (401, 403, 404, 410):
            return LostError("result.gone", f"HTTP {answer.status}", http_status=answer.status)
        return fault(answer, submit=False)

    # Deleting a project is possible and irreversible; people look at their projects on the vendor's pages, so
    # `clean_up` deletes none.

    def recover(self, intent: Intent) -> Recovery:
        del intent
        return Unknown()

    def check(self) -> None:
        # No call is documented for it: the status of a project that cannot exist is 404 to a good key.
        # It counts as a status call at the service.
        answer = self._session.call("status", "GET", "/v1/translate/none/status")
        body = answer.json()
        documented = all(said(body)) or (isinstance(body, dict) and body.get("status") in _STATES)
        judge_check(answer, _fault(answer, submit=False), documented=documented)


def _fault(answer: Answer, *, submit: bool) -> ServiceError:
    """Vendor's pages: errors are `{code, message[, details]}`; one 403 concerns a single project only."""
    code, message = said(answer.json())
    if code == _FULL:
        return CapacityError("account.full", message, provider_code=code, http_status=answer.status)
    if code == "FORBIDDEN" and answer.status == 403:
        kind = "submit.rejected" if submit else "provider.failed"
        return RejectedError(kind, message, provider_code=code, http_status=answer.status)
    # Of the 4xx that are no proof by themselves the page shows 400 alone for a submission.
    return fault(answer, submit=submit, documented=bool(code and message) and answer.status == 400)


def _progress(body: Mapping[str, object]) -> float | None:
    """The newer pages' percentages: transcription and translation, then dubbing."""
    steps = [body.get("translationAndTranscriptionProgress"), body.get("dubbingProgress")]
    numbers = [one for one in steps if isinstance(one, int | float) and not isinstance(one, bool)]
    # Compared as they are: JSON has whole numbers that are too large for a float.
    known = [100.0 if one > 100 else max(0.0, float(one)) for one in numbers if one == one]  # noqa: PLR0124  not a number
    return sum(known) / (100.0 * len(steps)) if known else None


def _duration(body: Mapping[str, object]) -> float | None:
    """The seconds of sound or film, which is all that the service tells of a price.

    Page "Get Translation Status", `duration`.
    """
    told = body.get("duration")
    if not isinstance(told, int | float) or isinstance(told, bool):
        return None
    return float(told) if 0 <= told < _LONGEST_S else None


def _extension(url: str, answer: Answer) -> str | None:
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    path = names.extension(url.partition("?")[0].rpartition("/")[2])
    return _EXTENSION_OF.get(media) or (path if path in _MEDIA else None)
