"""Multipart forms, streamed: a file goes to disk and through a hash block by block, whatever its size."""

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

_LONGEST_FIELD = 1 << 20


@dataclass(kw_only=True, slots=True)
class Upload:
    """A file as it arrived. `sha256` is empty until its last byte has been received."""

    name: str
    content_type: str
    path: Path
    size: int = 0
    sha256: str = ""

    @property
    def extension(self) -> str:
        """Lower-case, without the dot."""
        return Path(self.name).suffix[1:].lower()


@dataclass(kw_only=True, slots=True)
class Form:
    """What a client sent. `cut` says that it went away before the end of its request."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    cut: bool = False

    @property
    def file(self) -> Upload | None:
        """The file under the name that all services use."""
        return self.files.get("file")

    def discard(self, *, but: Upload | None = None) -> None:
        """Remove the files, but one if wanted, from the disk; repeatable."""
        for upload in self.files.values():
            if upload is not but:
                upload.path.unlink(missing_ok=True)


class _Reader:
    """The parser's callbacks: parts become fields and files."""

    def __init__(self, folder: Path) -> None:
        self.form = Form()
        self.ended = False
        self._folder = folder
        self._header: list[bytearray] = [bytearray(), bytearray()]
        self._headers: dict[str, bytes] = {}
        self._field = ""
        self._value = bytearray()
        self._upload: Upload | None = None
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()

    def on_part_begin(self) -> None:
        self._headers = {}
        self._value = bytearray()
        self._upload = None

    def on_header_begin(self) -> None:
        self._header = [bytearray(), bytearray()]

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def on_header_end(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = bytes(value)

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            return
        self._upload = Upload(
            name=options[b"filename"].decode("utf-8", "replace"),
            content_type=self._headers.get("content-type", b"").decode("latin-1"),
            path=self._folder / uuid.uuid4().hex,
        )
        earlier = self.form.files.get(self._field)
        if earlier is not None:
            earlier.path.unlink()
        self.form.files[self._field] = self._upload
        self._file = open(self._upload.path, "wb")  # noqa: SIM115  it is closed by the callback that ends the part
        self._hash = hashlib.sha256()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._upload is None or self._file is None:
            if len(self._value) + end - start > _LONGEST_FIELD:
                raise FormParserError(f"field {self._field} is too long")
            self._value += data[start:end]
            return
        block = memoryview(data)[start:end]
        self._hash.update(block)
        self._file.write(block)
        self._upload.size += len(block)

    def on_part_end(self) -> None:
        if self._upload is None:
            self.form.fields[self._field] = self._value.decode("utf-8", "replace")
            return
        self.close()
        self._upload.sha256 = self._hash.hexdigest()

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _parser(request: Request, reader: _Reader) -> MultipartParser | None:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        return None
    return MultipartParser(
        boundary,
        {
            "on_part_begin": reader.on_part_begin,
            "on_part_data": reader.on_part_data,
            "on_part_end": reader.on_part_end,
            "on_header_begin": reader.on_header_begin,
            "on_header_field": reader.on_header_field,
            "on_header_value": reader.on_header_value,
            "on_header_end": reader.on_header_end,
            "on_headers_finished": reader.on_headers_finished,
            "on_end": reader.on_end,
        },
    )


async def receive(request: Request, folder: Path) -> Form:
    """Read the form of a request to its end; files go into `folder`.

    A body that is no complete form comes back as an empty one, since no service documents more about it
    than that there is no file. Of a form that the client cut, no file is left.
    """
    reader = _Reader(folder)
    parser = _parser(request, reader)
    try:
        async for block in request.stream():
            if parser is not None and not reader.ended:
                parser.write(block)
        whole = reader.ended
    except ClientDisconnect:
        reader.form.cut = True
        whole = False
    except FormParserError:
        whole = False
    finally:
        reader.close()
    if whole:
        return reader.form
    reader.form.discard()
    return reader.form if reader.form.cut else Form()
