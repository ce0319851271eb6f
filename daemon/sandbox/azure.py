"""Azure AI Translator, document translation: batches from container to container, and one document a request.

Paths, bodies, words and codes are those of its pages "Start batch translation", "Get translation status", "Get
translations status", "Get documents status", "Cancel translation", "Get supported document formats" and
"Synchronous document translation"; spellings and counts on the way, and the codes of errors, are those of the
traffic that its own clients have recorded. The service reads and writes documents over HTTP by the signed
addresses it is given; a small storage of the sandbox's own (azure_blobs.py) is only one it can be given.

Chosen here: a batch has one document (one `File` input with one target), which is read at once, because that
is when the ledger wants to know its bytes; its target is written when somebody looks for it or at the batch.
From version 2026 on lists know no filter by id.
"""

import asyncio
import hashlib
import json
import re
import uuid
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.sandbox.azure_batches import ENDED, Batch
from daemon.sandbox.azure_blobs import PATH, Blobs, path_of, read, write
from daemon.sandbox.azure_formats import FORMATS, MEDIA_TYPES
from daemon.sandbox.azure_lists import page
from daemon.sandbox.house import House
from daemon.sandbox.jobs import Job, Phase
from daemon.sandbox.keys import Standing
from daemon.sandbox.results import download
from daemon.sandbox.service import Service, gateway
from daemon.sandbox.uploads import Form, Upload, receive
from daemon.sandbox.wire import HangUp, Silence
from daemon.segments import EXTENSIONS, NotSegmentableError, take_apart

_BASE = "/translator/document"
_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{2,4})?")
_RETRY_AFTER_S = 30
_AN_HOUR_S = 3600.0
_REFUSALS = {
    400: ("InvalidRequest", "Request is invalid.", "InvalidRequest"),
    401: ("Unauthorized", "User is not authorized", "Unauthorized"),
    403: ("403", "Out of call volume quota. Quota will be replenished later.", None),
    404: ("ResourceNotFound", "Resource not found", "ResourceNotFound"),
    429: ("RequestRateTooHigh", "User's request rate is too high", "RequestRateTooHigh"),
    500: ("InternalServerError", "Internal Server Error", "InternalServerError"),
    503: ("ServiceUnavailable", "Service is temporary unavailable", "ServiceTemporaryUnavailable"),
}
_NO_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)


def _said(status: int, code: str | int, message: str, inner: str | None = None) -> Response:
    """The frame of every error, gateway included."""
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innerError"] = {"code": inner, "message": message}
    return JSONResponse({"error": error}, status)


class Azure(Service):
    """See the module."""

    name = "azure"

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._batches: dict[str, Batch] = {}
        self._targets: dict[str, Batch] = {}
        self._blobs = Blobs(house, self._result)
        self._writing = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        batch = f"{_BASE}/batches/{{ref}}"
        return [
            Route(f"{_BASE}:translate", self.guarded("submit", self._translate), methods=["POST"]),
            Route(f"{_BASE}/batches", self.guarded("submit", self._submit), methods=["POST"]),
            Route(f"{_BASE}/batches", self.guarded("status", self._list)),
            Route(batch, self.guarded("status", self._status)),
            Route(batch, self.guarded("delete", self._cancel), methods=["DELETE"]),
            Route(f"{batch}/documents", self.guarded("status", self._documents)),
            Route(f"{batch}/documents/{{document}}", self.guarded("status", self._documents)),
            Route(f"{_BASE}/formats", self.guarded("check", self._formats)),
        ]

    def result_routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, self.unguarded("fetch", self._blobs.handle), methods=["GET"]),
            Route(PATH, self.unguarded("store", self._blobs.handle), methods=["PUT", "DELETE"]),
        ]

    def key_of(self, request: Request) -> str | None:
        """A key, or a token of Entra ID."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else request.headers.get("ocp-apim-subscription-key")

    def refusal(self, status: int, verb: str) -> Response:  # noqa: ARG002  the other services ask for it
        return _said(status, *_REFUSALS[status]) if status in _REFUSALS else gateway(status)

    def turned_away(self, why: Standing, key: str | None) -> Response:  # noqa: ARG002  the other services ask for it
        if why is Standing.MISSING:
            # The gateway in front of the service says so, with a number for a code.
            return _said(401, "401", _NO_KEY)
        return self.refusal(403 if why is Standing.BLOCKED else 401, "")

    async def _formats(self, request: Request, _account: str) -> Response:
        wanted = request.query_params.get("type", "document").lower()
        return JSONResponse({"value": FORMATS[wanted]}) if wanted in FORMATS else self.refusal(400, "")

    # -- batches --------------------------------------------------------------------------------------------

    async def _submit(self, request: Request, account: str) -> Response:
        version = request.query_params.get("api-version", "")
        try:
            wanted = _read_inputs(await request.body())
        except ClientDisconnect:
            return self._turned_back(account, HangUp())
        if wanted is None or not _VERSION.fullmatch(version):
            return self._turned_back(account, self.refusal(400, "submit"))
        source, target, route = wanted
        content = await asyncio.to_thread(read, source)
        upload = self._kept(source, content or b"")
        upload.sha256 = "" if content is None else upload.sha256
        return self.conclude(account, upload, route, {"source": source, "target": target, "version": version})

    def _turned_back(self, account: str, answer: Response) -> Response:
        self._write_down(account, None, ("", ""), answer, None)
        return answer

    def _kept(self, url: str, content: bytes) -> Upload:
        path = self.house.folder / uuid.uuid4().hex
        path.write_bytes(content)
        name = PurePosixPath(unquote(url.partition("?")[0])).name
        digest = hashlib.sha256(content).hexdigest()
        return Upload(name=name, content_type="", path=path, size=len(content), sha256=digest)

    def new_ref(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}/{self.house.next_number}"))

    def taken(self, job: Job) -> Response:
        if "source" not in job.fields:
            return _Taken(job)
        source, target, version = (job.fields[name] for name in ("source", "target", "version"))
        readable = bool(job.upload.sha256)
        batch = Batch(job=job, source=source.partition("?")[0], target=target, readable=readable)
        self._batches[job.ref] = batch
        self._targets.setdefault(path_of(target), batch)
        base = f"{self.house.addresses.base_url(self.name)}{_BASE}"
        headers = {"operation-location": f"{base}/batches/{job.ref}?api-version={version}"}
        match job.manners.number("header", 1):
            case 1:
                headers = {"operation-location": f"{base}/{job.ref}?api-version={version}"}
            case 2:
                headers = {"operation-location": f"{base}/batches?api-version={version}/{job.ref}"}
            case 3:
                headers = {"location": headers["operation-location"]}
            case 4:
                headers = {}
        return Response(status_code=202, headers=headers)

    async def _look(self, batch: Batch) -> bool:
        """Look once; False when the service would not know the batch."""
        look = await self.house.look(batch.job, translate=batch.readable)
        if look.phase is Phase.MISSING:
            return False
        if look.phase is Phase.DONE:
            await self._deliver(batch)
        batch.show(look, int(self.house.wall() * 1000))
        return True

    async def _result(self, name: str) -> Job | None:
        """The job whose result a blob is. One that is due is written now, as the service would have done."""
        batch = self._targets.get(name)
        if batch is None:
            return None
        if batch.job.over(self.house.clock()):
            await self._deliver(batch)
        return batch.job if batch.written and not batch.code else None

    async def _deliver(self, batch: Batch) -> None:
        async with self._writing:
            if not batch.deliverable:
                return
            await asyncio.to_thread(batch.job.translate, self.house.folder)
            if batch.job.result is None:
                return
            batch.written = True
            content = await asyncio.to_thread(batch.job.result.read_bytes)
            status = await asyncio.to_thread(write, batch.target, content, _media_type(batch.job.upload))
            if status != 201:
                batch.code = "TargetFileAlreadyExists" if status == 409 else "InvalidTargetDocumentAccessLevel"

    def _mine(self, request: Request, account: str) -> Batch | None:
        batch = self._batches.get(request.path_params["ref"].lower())
        return batch if batch and batch.job.account == account else None

    async def _status(self, request: Request, account: str) -> Response:
        batch = self._mine(request, account)
        if batch is None or not await self._look(batch):
            return self.refusal(404, "status")
        return JSONResponse(batch.status(), headers=_patience([batch]))

    async def _documents(self, request: Request, account: str) -> Response:
        batch = self._mine(request, account)
        if batch is None or (not batch.looked and not await self._look(batch)):
            return self.refusal(404, "status")
        documents, wanted = batch.documents(), request.path_params.get("document")
        if wanted is None:
            return JSONResponse({"value": documents}, headers=_patience([batch]))
        found = [one for one in documents if one["id"] == wanted]
        return JSONResponse(found[0]) if found else self.refusal(404, "status")

    async def _cancel(self, request: Request, account: str) -> Response:
        batch = self._mine(request, account)
        if batch is None:
            return self.refusal(404, "delete")
        if batch.word in ENDED or batch.stopped:
            return self.refusal(400, "delete")
        batch.stopped = True
        # It makes room at once.
        batch.job.takes_s = 0.0
        return JSONResponse(batch.status() | {"status": "Cancelling"})

    async def _list(self, request: Request, account: str) -> Response:
        mine = [batch for batch in self._batches.values() if batch.job.account == account]
        small = any("pages" in batch.job.manners for batch in mine)
        base = f"{self.house.addresses.base_url(self.name)}{_BASE}/batches"
        shown, link = page(mine, request.query_params, base, size=1 if small else 50)
        known = [batch for batch in shown if await self._look(batch)]
        body: dict[str, Any] = {"value": [batch.status() for batch in known]}
        if link:
            body["@nextLink" if small else "nextLink"] = link
        return JSONResponse(body, headers=_patience(known))

    # -- one document a request -----------------------------------------------------------------------------

    async def _translate(self, request: Request, account: str) -> Response:
        query = request.query_params
        form = await receive(request, self.house.folder)
        route = (query.get("sourceLanguage", ""), query.get("targetLanguage", ""))
        upload = form.files.get("document")
        refused: Response | None = HangUp() if form.cut else await self._objection(form, query.get("api-version", ""))
        refused = refused or (None if _LANGUAGE.fullmatch(route[1]) else self.refusal(400, "submit"))
        form.discard(but=None if refused else upload)
        if refused is not None or upload is None:
            answer = refused or self.refusal(400, "submit")
            self._write_down(account, upload, route, answer, None)
            return answer
        answer = self.conclude(account, upload, route, {})
        return await self._at_once(answer.job) if isinstance(answer, _Taken) else answer

    async def _objection(self, form: Form, version: str) -> Response | None:
        upload = form.files.get("document")
        if upload is None:
            return _said(400, 400000, "The Document field is required.")
        if not _VERSION.fullmatch(version):
            return self.refusal(400, "submit")
        if upload.content_type.partition(";")[0] != MEDIA_TYPES.get(upload.extension) or upload.extension == "pdf":
            return _said(415, 415000, "The content type is not supported.")
        at_most = self.house.limits[self.name].bytes
        if at_most is not None and upload.size > at_most:
            return gateway(413)
        if upload.extension in EXTENSIONS and not await asyncio.to_thread(_is_document, upload):
            return _said(400, 400000, "The document could not be read. It may be damaged.")
        return None

    async def _at_once(self, job: Job) -> Response:
        if "stuck" in job.manners:
            return Silence(_AN_HOUR_S)
        await asyncio.sleep(job.takes_s)
        await asyncio.to_thread(job.translate, self.house.folder)
        return download(job, job.result or job.upload.path, MEDIA_TYPES[job.upload.extension])


class _Taken(Response):
    """Stands for a synchronous answer until the document is translated."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


def _media_type(upload: Upload) -> str:
    return MEDIA_TYPES.get(upload.extension, "application/octet-stream")


def _is_document(upload: Upload) -> bool:
    try:
        take_apart(upload.path.read_bytes(), upload.extension)
    except NotSegmentableError:
        return False
    return True


def _patience(batches: list[Batch]) -> dict[str, str]:
    """The headers of a status; Retry-After is documented, and never seen in traffic."""
    waits = [batch.job.manners.number("after", _RETRY_AFTER_S) for batch in batches]
    usual = {"cache-control": "public,max-age=1"}
    return usual | ({"retry-after": str(max(waits))} if any(waits) else {})


def _read_inputs(data: bytes) -> tuple[str, str, tuple[str, str]] | None:
    """Source, target and languages of a body with one file for one language; None for any other."""
    try:
        body = json.loads(data)
        (one,) = body["inputs"]
        (target,) = one["targets"]
        wanted = (one["source"]["sourceUrl"], target["targetUrl"], target["language"])
        language = one["source"].get("language") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if one.get("storageType") != "File" or not all(isinstance(text, str) for text in (*wanted, language)):
        return None
    return (wanted[0], wanted[1], (language, wanted[2])) if _LANGUAGE.fullmatch(wanted[2]) else None
