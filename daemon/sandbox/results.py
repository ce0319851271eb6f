"""What a download gives: the result, or what a token in the file's name made of it."""

import re
import struct
import zlib
from pathlib import Path, PurePath

from starlette.responses import FileResponse, HTMLResponse, Response

from daemon.sandbox.jobs import Job
from daemon.sandbox.wire import Cut

MEDIA_TYPES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "pdf": "application/pdf",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "xml": "application/xml",
    "json": "application/json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "csv": "text/csv",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "eml": "message/rfc822",
}

_UNSAFE = re.compile(r"""[^ -~]|["\\/]""")
_SIGN_IN = """<!DOCTYPE html>
<html><head><title>Sign in</title></head>
<body><h1>Please sign in to continue</h1><form><input name="user"><input name="password"></form></body></html>
"""


class _File(FileResponse):
    """Larger blocks, because every block costs a change of threads."""

    chunk_size = 1 << 20


def _picture() -> bytes:
    """A PNG of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _attachment(name: str) -> dict[str, str]:
    # A name comes from a client; what a header cannot carry is replaced.
    return {"content-disposition": f'attachment; filename="{_UNSAFE.sub("_", name)}"'}


def original(job: Job, media_type: str) -> Response:
    """The file as it was submitted, whatever the tokens in its name say."""
    return _File(job.upload.path, media_type=media_type, headers=_attachment(job.upload.name))


def download(job: Job, path: Path, media_type: str, name: str | None = None) -> Response:
    """The answer to one download of a result; with a name, as an attachment called so.

    Every call counts as one download.
    """
    before = job.downloads
    job.downloads += 1
    manners = job.manners
    headers = _attachment(name) if name else {}
    if manners.applies("html", before):
        return HTMLResponse(_SIGN_IN)
    if manners.applies("wrong", before):
        headers = _attachment(str(PurePath(name).with_suffix(".png"))) if name else {}
        return Response(_picture(), media_type="image/png", headers=headers)
    if manners.applies("empty", before):
        return Response(b"", media_type=media_type, headers=headers)
    if manners.applies("cut", before):
        return Cut(path, media_type, headers)
    return _File(path, media_type=media_type, headers=headers)
