"""GPTTranslator: documents in and out on one origin, the result under an id of its own.

Paths, fields, bodies and codes are those of its page "Document Translation API". Not said there, and
therefore chosen here: the codes of download errors, the list of models (any name that begins with `gpt-`),
and the wording of the middleware's complaint about a language.
"""

import hashlib
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.sandbox.house import House
from daemon.sandbox.jobs import Job, Look, Phase
from daemon.sandbox.keys import Standing
from daemon.sandbox.results import MEDIA_TYPES, download, original
from daemon.sandbox.service import FormService, gateway
from daemon.sandbox.uploads import Form

_LANGUAGE = re.compile(r"[a-zA-Z]+(-[a-zA-Z]+)?")
_MODEL = re.compile(r"gpt-[\w.-]+")
_NO_FILE = "No file uploaded. Please upload a file for translation."
_WRONG_TYPE = (
    "Invalid file type. Please upload one of: "
    "docx, xlsx, pdf, pptx, srt, vtt, xml, json, yaml, yml, csv, txt, md, html, eml."
)
_WRONG_MODEL = "Invalid model type. Please enter a valid model type e.g. gpt-4.1-mini-2025-04-14"
_FETCHED = "Translation status fetched successfully"
_BUSINESS = "only subscribed users are allowed to use this model"
_DAMAGED = "The document could not be read. It may be damaged."
_NOT_YOURS = "Translation not found or you do not have permission to access it"
_DOCUMENT = re.compile(r"[0-9a-f]{24}")
_QUEUE = ("waiting", "prioritized", "delayed", "paused", "waiting-children")


def _said(status: int, error: str, message: str | None = None) -> Response:
    """The shape of most errors; the code stands in the body too."""
    return JSONResponse({"error": error, "message": message or error, "data": None, "statusCode": status}, status)


def _short(status: int, error: str) -> Response:
    """The shape of the middleware's and of the download's errors."""
    return JSONResponse({"error": error}, status)


class GptTranslator(FormService):
    """See the module."""

    name = "gpttranslator"
    source_field = "sourceLang"
    target_field = "targetLang"

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._documents: dict[str, tuple[Job, int]] = {}

    def routes(self) -> list[BaseRoute]:
        base = "/v1/translation"
        status = self.guarded("status", self._status)
        return [
            Route(f"{base}/document-translation/api", self.guarded("submit", self.submit), methods=["POST"]),
            Route(f"{base}/document-translation-status/", status),
            Route(f"{base}/document-translation-status/{{ref}}", status),
            Route(f"{base}/download-document/{{document}}", self.guarded("fetch", self._download)),
        ]

    def refusal(self, status: int, verb: str) -> Response:
        doing = "processing the document translation request" if verb == "submit" else "fetching the translation status"
        match status:
            case 400:
                return _said(400, _WRONG_TYPE)
            case 401:
                return _said(401, "Invalid api key")
            case 402:
                return JSONResponse(_failed(_BUSINESS, 402), 402)
            case 404:
                return _said(404, "Translation job not found", "The requested translation job does not exist.")
            case 500:
                return _said(500, "Internal server error", f"An error occurred while {doing}. Please try again later.")
            case _:
                return gateway(status)

    def turned_away(self, why: Standing, key: str | None) -> Response:
        if why is Standing.BLOCKED:
            return _said(400, "User not found or user is not active")
        if why is Standing.ORPHANED:
            return _said(400, "Organization Id not found for the user")
        return _said(400 if key and key.endswith("-400") else 401, "Invalid api key")

    def objection(self, form: Form) -> Response | None:
        for name in (self.source_field, self.target_field):
            value = form.fields.get(name, "")
            if not 2 <= len(value) <= 10 or not _LANGUAGE.fullmatch(value):
                return _short(400, f"Invalid {name}. Please enter a valid language code e.g. en")
        if not _MODEL.fullmatch(form.fields.get("model", "")):
            return _short(400, _WRONG_MODEL)
        if form.file is None:
            return _said(400, _NO_FILE)
        at_most = self.house.limits[self.name].bytes
        if at_most is not None and form.file.size > at_most:
            return gateway(413)
        return None if form.file.extension in MEDIA_TYPES else _said(400, _WRONG_TYPE)

    def new_ref(self) -> str:
        return str(12345 + self.house.next_number)

    def taken(self, job: Job) -> Response:
        return JSONResponse(
            {
                "message": "Document translation added successfully",
                "data": {"translationId": job.ref},
                "error": None,
                "statusCode": 201,
            },
            201,
        )

    async def _status(self, request: Request, account: str) -> Response:
        ref = request.path_params.get("ref", "")
        if not ref:
            return _said(400, "Queue ID is required", "Queue ID is required to fetch translation status")
        job = self.house.job(self.name, ref)
        if job is None:
            return self.refusal(404, "status")
        if job.account != account:
            message = "You do not have permission to access the status of this translation job."
            return _said(401, "Unauthorized access to translation status", message)
        return self._shown(job, await self.house.look(job, translate=True))

    def _shown(self, job: Job, look: Look) -> Response:
        if "queue" in job.manners and look.before < len(_QUEUE):
            return _status_of(_QUEUE[look.before])
        match look.phase:
            case Phase.MISSING:
                return self.refusal(404, "status")
            case Phase.FAILED:
                business = job.manners.number("fail", 0)
                return (
                    JSONResponse(_failed(_BUSINESS, 402), business)
                    if business
                    else JSONResponse(_failed(_DAMAGED, 200))
                )
            case Phase.DONE:
                return _status_of("completed", {"documentUrl": self._document_url(job)})
            case Phase.ODD:
                return _status_of("polishing")
            case _:
                return _status_of(look.phase.value)

    def _document_url(self, job: Job) -> str:
        # 24 hexadecimal digits that nobody can make from the id of the job.
        document = hashlib.sha256(f"{job.upload.path.name}/{job.issue}".encode()).hexdigest()[:24]
        self._documents[document] = (job, job.issue)
        return f"{self.house.addresses.base_url(self.name)}/v1/translation/download-document/{document}"

    async def _download(self, request: Request, account: str) -> Response:
        document = request.path_params["document"]
        if not _DOCUMENT.fullmatch(document):
            return _short(400, "Invalid translation ID")
        job, issue = self._documents.get(document, (None, 0))
        if job is None or job.account != account:
            return _short(404, _NOT_YOURS)
        if request.query_params.get("fileType") == "source":
            return original(job, MEDIA_TYPES[job.upload.extension])
        return self._result(job, issue)

    def _result(self, job: Job, issue: int) -> Response:
        if job.expired(issue):
            return _short(403, _NOT_YOURS)
        if job.downloads < job.manners.number("early", 1):
            job.downloads += 1
            return _short(400, "Translation is currently active. Please wait for completion.")
        if job.result is None or "absent" in job.manners:
            return _short(404, "Translated file not available")
        return download(job, job.result, MEDIA_TYPES[job.upload.extension], job.upload.name)


def _status_of(word: str, data: dict[str, Any] | None = None) -> Response:
    return JSONResponse(
        {"message": _FETCHED, "translationStatus": word, "data": data, "error": None, "statusCode": 200}
    )


def _failed(error: str, status: int) -> dict[str, Any]:
    return {
        "message": _FETCHED,
        "translationStatus": "failed",
        "data": None,
        "error": error,
        "statusCode": status,
    }
