"""The storage that goes with the simulated Azure: blobs below `/azure/<container>/` on the second origin.

Just enough of the real one that documents can travel through it: PUT, GET, HEAD and DELETE of whole blobs, by an
address with a signature. `sig` has to begin with `sandbox`, `sp` has to hold the letter of what is done (`r`,
`w`, `d`), `se` must not have passed where it is given; a container is there as soon as somebody writes into it.

`read` and `write` are how the service gets at documents, here or at any other storage: over HTTP, by the signed
addresses that it was given.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener
from urllib.request import Request as Outgoing

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from daemon.sandbox.addresses import Addresses
from daemon.sandbox.house import House
from daemon.sandbox.jobs import Job
from daemon.sandbox.results import download
from daemon.sandbox.wire import HangUp

PATH = "/{container}/{blob:path}"
_VERSION = {"x-ms-version": "2021-12-02"}
_PATIENCE_S = 30.0
_LETTERS = {"PUT": "w", "GET": "r", "HEAD": "r", "DELETE": "d"}
_ERROR = '\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{}</Code><Message>{}</Message></Error>'
# Storage next door is asked directly, whatever proxies the environment names.
_DIRECT = build_opener(ProxyHandler({}))


def container_url(addresses: Addresses, name: str) -> str:
    """A container's address with a good signature, as a configuration names it under `storage`."""
    return f"{addresses.results}/azure/{name}?sv=2021-12-02&sr=c&sp=rwdl&sig=sandbox-signature"


@dataclass(kw_only=True, slots=True)
class _Blob:
    path: Path
    media_type: str
    tag: str
    changed: float


class Blobs:
    """The blobs by `<container>/<name>`. `job_of` tells the job whose result a blob is, and has it written."""

    def __init__(self, house: House, job_of: Callable[[str], Awaitable[Job | None]]) -> None:
        self._house = house
        self._job_of = job_of
        self._blobs: dict[str, _Blob] = {}

    async def handle(self, request: Request) -> Response:
        """Any request for a blob."""
        query, method = request.query_params, request.method
        if not query.get("sig", "").startswith("sandbox") or self._over(query.get("se")):
            return _refused(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        if _LETTERS[method] not in query.get("sp", ""):
            return _refused(403, "AuthorizationPermissionMismatch", "This request is not authorized.")
        name = f"{request.path_params['container']}/{request.path_params['blob']}"
        if method == "PUT":
            return await self._put(request, name)
        job = await self._job_of(name) if method == "GET" else None
        blob = self._blobs.get(name)
        if blob is None:
            return _refused(404, "BlobNotFound", "The specified blob does not exist.")
        if method == "DELETE":
            del self._blobs[name]
            blob.path.unlink()
            return Response(status_code=202, headers=_VERSION)
        # What a token in the document's name wants of a download holds here, too.
        return download(job, blob.path, blob.media_type) if job else _whole(blob)

    def _over(self, end: str | None) -> bool:
        """Whether a signature has ended, or says so in a way that nobody can read."""
        if end is None:
            return False
        try:
            moment = datetime.fromisoformat(end)
        except ValueError:
            return True
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() <= self._house.wall()

    async def _put(self, request: Request, name: str) -> Response:
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            return _refused(400, "MissingRequiredHeader", "An HTTP header that is mandatory is not specified.")
        if request.headers.get("if-none-match") == "*" and name in self._blobs:
            return _refused(409, "BlobAlreadyExists", "The specified blob already exists.")
        path = self._house.folder / uuid.uuid4().hex
        try:
            with open(path, "wb") as file:  # noqa: ASYNC230  a local file of a test
                async for block in request.stream():
                    file.write(block)
        except ClientDisconnect:
            path.unlink()
            return HangUp()
        before = self._blobs.get(name)
        if before is not None:
            before.path.unlink()
        media_type = request.headers.get("content-type", "application/octet-stream")
        blob = _Blob(path=path, media_type=media_type, tag=f'"0x{path.name[:15].upper()}"', changed=self._house.wall())
        self._blobs[name] = blob
        return Response(status_code=201, headers=_facts(blob))


def _whole(blob: _Blob) -> Response:
    return FileResponse(blob.path, media_type=blob.media_type, headers=_facts(blob))


def _facts(blob: _Blob) -> dict[str, str]:
    changed = formatdate(blob.changed, usegmt=True)
    moments = {"last-modified": changed, "x-ms-creation-time": changed}
    return {**_VERSION, **moments, "etag": blob.tag, "x-ms-blob-type": "BlockBlob"}


def _refused(status: int, code: str, message: str) -> Response:
    headers = {**_VERSION, "x-ms-error-code": code}
    return Response(_ERROR.format(code, message), status, media_type="application/xml", headers=headers)


def path_of(url: str) -> str:
    """The path behind the host of a blob's address, as the store at hand would name it."""
    return urlsplit(url).path.removeprefix("/azure/")


def read(url: str) -> bytes | None:
    """What lies under a signed address; None when it cannot be had. Blocks."""
    try:
        with _DIRECT.open(_outgoing(url, "GET"), timeout=_PATIENCE_S) as answer:
            content: bytes = answer.read()
    except (URLError, HTTPException, ValueError, OSError):
        return None
    return content


def write(url: str, content: bytes, media_type: str) -> int:
    """Write under a signed address where nothing lies yet; returns the HTTP code, 0 without an answer. Blocks."""
    request = _outgoing(url, "PUT", content)
    for name, value in {"x-ms-blob-type": "BlockBlob", "if-none-match": "*", "content-type": media_type}.items():
        request.add_header(name, value)
    try:
        with _DIRECT.open(request, timeout=_PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, HTTPException, ValueError, OSError):
        return 0


def _outgoing(url: str, method: str, content: bytes | None = None) -> Outgoing:
    if not url.startswith(("http://", "https://")):
        raise ValueError("no address of the web")
    return Outgoing(url, data=content, method=method, headers=_VERSION)  # noqa: S310  looked at in the line above
