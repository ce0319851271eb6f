"""VoiceCheap: films and recordings; status on the API's origin, results on a storage host that wants no key.

Paths, fields, codes and limits are those of its pages "Get Translation Status", "Start Translation" and
"Delete Project", the newer progress fields included. Not said there, and therefore chosen here: that the
storage's addresses are signed, what an expired one answers (the XML that object stores give), which file a
recording gets (sound alone), and most of the messages beside the documented codes.
"""

import hashlib
import json
from pathlib import PurePath
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.sandbox.jobs import Job, Look, Phase
from daemon.sandbox.keys import Standing
from daemon.sandbox.limits import Limits, Window
from daemon.sandbox.results import download, original
from daemon.sandbox.service import FormService, gateway
from daemon.sandbox.uploads import Form, Upload

_MEDIA_TYPES = {
    "video/mp4",
    "video/quicktime",
    "video/x-matroska",
    "video/webm",
    "video/mpeg",
    "audio/mpeg",
    "audio/wav",
    "audio/mp4",
    "audio/x-m4a",
    "audio/flac",
    "audio/ogg",
    "audio/aac",
}
# The union of the lists that different versions of the page give.
_NAMES = (
    "afrikaans, albanian, american english, amharic, arabic, armenian, assamese, azerbaijani, basque, "
    "belarusian, bengali, bosnian, brazilian portuguese, british english, bulgarian, canadian french, "
    "catalan, chinese, croatian, czech, danish, dutch, english, estonian, finnish, french, french "
    "canadian, galician, german, greek, gujarati, hebrew, hindi, hungarian, icelandic, indonesian, "
    "irish, italian, japanese, kannada, kazakh, khmer, korean, lao, latvian, lithuanian, macedonian, "
    "malay, malayalam, mandarin, marathi, mongolian, nepali, norwegian, persian, polish, portuguese, "
    "punjabi, romanian, russian, serbian, slovak, slovenian, spanish, swahili, swedish, tagalog, tamil, "
    "telugu, thai, turkish, ukrainian, urdu, vietnamese, welsh, yoruba, zulu"
)
_TARGETS = frozenset(_NAMES.split(", "))
_BOOLEANS = ("keepBackgroundMusic", "keepOriginalVoice", "subtitles", "lipsyncPro")
_JSON_FIELDS = ("translationTimeSkips", "voiceCloningSettings")
_STEPS = (
    "downloading_content",
    "content_validation",
    "transcription_processing",
    "smart_sync",
    "audio_assembling",
)
_REFUSALS = {
    400: ("DURATION_DETECTION_FAILED", "Could not detect the duration of the file"),
    401: ("INVALID_API_KEY", "The provided API key is invalid"),
    403: ("INSUFFICIENT_CREDITS", "Not enough credits to translate this file"),
    404: ("PROJECT_NOT_FOUND", "The specified project does not exist"),
    500: ("INTERNAL_ERROR", "An internal error occurred"),
}
_USUAL = Window(10, 60.0)
_FAILURE = (
    "TRANSCRIPTION_FAILED",
    "Could not transcribe the audio. Please ensure the audio quality is sufficient.",
)
_DENIED = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'


def _error(status: int, code: str, message: str, field: str | None = None) -> Response:
    body: dict[str, Any] = {"code": code, "message": message}
    if field:
        body["details"] = {"field": field, "reason": message}
    return JSONResponse(body, status)


class VoiceCheap(FormService):
    """See the module."""

    name = "voicecheap"
    source_field = "originalLanguage"
    target_field = "targetLanguage"
    limits: ClassVar[Limits] = Limits(
        windows={"status": Window(30, 60.0), "delete": Window(10, 60.0)}, jobs=5, bytes=20_000_000_000
    )

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/v1/translate", self.guarded("submit", self.submit), methods=["POST"]),
            Route("/v1/translate/{ref}/status", self.guarded("status", self._status)),
            Route("/v1/translate/{ref}", self.guarded("delete", self._delete), methods=["DELETE"]),
        ]

    def result_routes(self) -> list[BaseRoute]:
        return [Route("/{kind}/{file}", self.unguarded("fetch", self._fetch))]

    def refusal(self, status: int, verb: str) -> Response:
        if status == 429:
            window = self.house.limits[self.name].windows.get(verb, _USUAL)
            per = "minute" if window.per_s == 60 else f"{window.per_s:g} seconds"
            message = f"Too many requests (limit: {window.requests} requests per {per})"
            return _error(429, "RATE_LIMIT_EXCEEDED", message)
        return _error(status, *_REFUSALS[status]) if status in _REFUSALS else gateway(status)

    def turned_away(self, why: Standing, key: str | None) -> Response:  # noqa: ARG002  the other service asks for it
        match why:
            case Standing.MISSING:
                return _error(401, "MISSING_API_KEY", "The API key is missing")
            case Standing.BLOCKED:
                return self.refusal(403, "submit")
            case Standing.ORPHANED:
                return _error(403, "SUBSCRIPTION_REQUIRED", "A paid subscription is required to use the API")
            case _:
                return self.refusal(401, "submit")

    def too_many_jobs(self) -> Response:
        jobs = self.house.limits[self.name].jobs
        message = f"Too many translations in progress (limit: {jobs})"
        return _error(429, "CONCURRENT_TRANSLATION_LIMIT_REACHED", message)

    def objection(self, form: Form) -> Response | None:
        upload = form.file
        if upload is None:
            return _error(400, "FILE_REQUIRED", "A file is required", "file")
        if upload.content_type not in _MEDIA_TYPES:
            return _error(400, "INVALID_FILE_TYPE", "The type of the file is not supported", "file")
        return self._wrong_size(upload) or _wrong_field(form.fields)

    def _wrong_size(self, upload: Upload) -> Response | None:
        at_most = self.house.limits[self.name].bytes
        if at_most is not None and upload.size > at_most:
            return _error(400, "FILE_TOO_LARGE", "The file is too large", "file")
        return None if upload.size else self.refusal(400, "submit")

    def new_ref(self) -> str:
        digits = hashlib.sha256(f"{self.name}/{self.house.next_number}".encode()).hexdigest()
        return f"{digits[:6]}-{digits[6:12]}-{digits[12:18]}"

    def taken(self, job: Job) -> Response:
        seconds = 0 if "stuck" in job.manners else round(job.takes_s)
        return JSONResponse(
            {
                "success": True,
                "message": "Translation started successfully",
                "projectId": job.ref,
                "estimatedDuration": seconds,
            }
        )

    def _mine(self, request: Request, account: str) -> Job | Response:
        job = self.house.job(self.name, request.path_params["ref"])
        if job is None:
            return self.refusal(404, "status")
        return job if job.account == account else _error(403, "FORBIDDEN", "You don't have access to this project")

    async def _delete(self, request: Request, account: str) -> Response:
        job = self._mine(request, account)
        if isinstance(job, Response):
            return job
        self.house.forget(job)
        return JSONResponse({"success": True, "message": "Project deleted successfully", "projectId": job.ref})

    async def _status(self, request: Request, account: str) -> Response:
        job = self._mine(request, account)
        if isinstance(job, Response):
            return job
        look = await self.house.look(job, translate=False)
        if look.phase is Phase.MISSING:
            return self.refusal(404, "status")
        return JSONResponse(self._common(job) | self._shown(job, look))

    def _common(self, job: Job) -> dict[str, Any]:
        return {
            "projectId": job.ref,
            "projectName": job.fields.get("projectName") or job.ref,
            "originalVideoUrl": self._url(job, "original"),
            "originalLanguage": job.source or "en",
            "targetLanguage": job.target,
            # Nobody has measured the film: a plausible number that grows with its size.
            "duration": round(1 + job.upload.size / 250_000, 1),
            "createdAt": job.created_ms,
        }

    def _shown(self, job: Job, look: Look) -> dict[str, Any]:
        match look.phase:
            case Phase.FAILED:
                keys = ("error.code", "error.message") if "nested" in job.manners else ("code", "message")
                return {"status": "failed", "error": dict(zip(keys, _FAILURE, strict=True))}
            case Phase.DONE:
                film = job.upload.content_type.startswith("video/") and "audio" not in job.manners
                urls = {"translatedVideoUrl": self._url(job, "translated")} if film else {}
                return {"status": "success", **urls, "translatedAudioUrl": self._url(job, "audio")}
            case _:
                step = min(int(look.progress * len(_STEPS)), len(_STEPS) - 1)
                return {
                    "status": "polishing" if look.phase is Phase.ODD else "processing",
                    "actualProgressStep": _STEPS[step],
                    "translationAndTranscriptionProgress": min(int(look.progress * 200), 100),
                    "dubbingStep": "dubbing" if look.progress > 0.5 else "pending",
                    "dubbingProgress": max(int(look.progress * 200) - 100, 0),
                }

    def _url(self, job: Job, kind: str) -> str:
        extension = job.upload.extension
        # The sound of an MP4 film is the same container under its other name.
        if kind == "audio" and extension == "mp4":
            extension = "m4a"
        signature = _signature(job, kind, job.issue)
        base = self.house.addresses.results
        return f"{base}/{self.name}/{kind}/{job.ref}.{extension}?signature={job.issue}-{signature}"

    async def _fetch(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        job = self.house.job(self.name, PurePath(request.path_params["file"]).stem)
        issue, _, signature = request.query_params.get("signature", "").partition("-")
        if job is None or "absent" in job.manners:
            return _denied(404, "NoSuchKey", "The specified key does not exist.")
        if not issue.isdecimal() or signature != _signature(job, kind, int(issue)):
            return _denied(403, "SignatureDoesNotMatch", "The signature does not match the request.")
        if kind == "original":
            return original(job, job.upload.content_type)
        if job.expired(int(issue)):
            return _denied(403, "AccessDenied", "Request has expired")
        return download(job, job.upload.path, _type_of(job, kind))


def _type_of(job: Job, kind: str) -> str:
    return "audio/mp4" if kind == "audio" and job.upload.extension == "mp4" else job.upload.content_type


def _signature(job: Job, kind: str, issue: int) -> str:
    return hashlib.sha256(f"{job.upload.path.name}/{kind}/{issue}".encode()).hexdigest()[:32]


def _denied(status: int, code: str, message: str) -> Response:
    return Response(_DENIED.format(code, message), status, media_type="application/xml")


def _wrong_field(fields: dict[str, str]) -> Response | None:
    target = fields.get("targetLanguage", "")
    if target not in _TARGETS:
        return _error(400, "INVALID_TARGET_LANGUAGE", f"Unsupported target language: {target}", "targetLanguage")
    source = fields.get("originalLanguage", "en")
    if not (source.isalpha() and source.islower() and 2 <= len(source) <= 3):
        return _error(400, "VALIDATION_ERROR", "originalLanguage must be an ISO code", "originalLanguage")
    for name in _BOOLEANS:
        if fields.get(name, "true") not in ("true", "false"):
            return _error(400, "INVALID_BOOLEAN_VALUE", f"{name} must be true or false", name)
    for name in _JSON_FIELDS:
        try:
            json.loads(fields.get(name, "{}"))
        except ValueError:
            return _error(400, "INVALID_JSON_FORMAT", f"{name} must be valid JSON", name)
    return None
