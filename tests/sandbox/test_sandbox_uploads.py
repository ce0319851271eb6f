"""Forms are read the same however they are cut into blocks, and half a form leaves nothing behind."""

import asyncio
import hashlib
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from daemon.sandbox.uploads import Form, receive

BOUNDARY = b"frontier"
# Bytes that a careless reader takes for a boundary.
NASTY = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"\r\n--", b"--frontie", b"\r\n--frontie", b"x", b"\x00", b"\xff" * 9])
).map(b"".join)
CUTS = st.lists(st.integers(0, 1000), max_size=12)


def form_of(content: bytes, name: str = "note.txt") -> bytes:
    return (
        b'--frontier\r\nContent-Disposition: form-data; name="targetLang"\r\n\r\nfr\r\n'
        b'--frontier\r\ncontent-disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n'
        b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n--frontier--\r\n"
    )


def read(body: bytes, cuts: list[int], folder: Path, *, cut: bool = False) -> Form:
    """Read a body that arrives in blocks; `cut` ends it with a connection that is gone."""
    places = sorted({0, len(body), *(place % (len(body) + 1) for place in cuts)})
    blocks = [body[start:end] for start, end in pairwise(places)]
    messages: list[Message] = [{"type": "http.request", "body": block, "more_body": True} for block in blocks]
    messages.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})

    async def feed() -> Message:
        return messages.pop(0)

    kind = b"multipart/form-data; boundary=" + BOUNDARY
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", kind)]}
    return asyncio.run(receive(Request(scope, feed), folder))


@given(NASTY, CUTS)
def test_file_arrives_as_it_was_sent(content: bytes, cuts: list[int]) -> None:
    """Whatever the bytes and the blocks, file, hash, size, name and field are those that were sent."""
    with tempfile.TemporaryDirectory() as place:
        form = read(form_of(content), cuts, Path(place))
        upload = form.file

        assert upload is not None
        assert upload.path.read_bytes() == content
        assert (upload.sha256, upload.size) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (upload.name, upload.content_type, upload.extension) == ("note.txt", "text/plain", "txt")
        assert (form.fields, form.cut) == ({"targetLang": "fr"}, False)


@given(NASTY, CUTS, st.integers(1, 10_000), st.booleans())
def test_half_a_form_leaves_nothing(content: bytes, cuts: list[int], end: int, cut: bool) -> None:
    """A form without its end leaves no file, whether the connection or only the form ended early."""
    # The last line break is no part of the form's end.
    body = form_of(content)[:-2]
    with tempfile.TemporaryDirectory() as place:
        form = read(body[: end % len(body)], cuts, Path(place), cut=cut)

        assert list(Path(place).iterdir()) == []
        assert form.cut is cut
        assert cut or form == Form()


@given(NASTY, CUTS)
def test_gone_client_submits_nothing(content: bytes, cuts: list[int]) -> None:
    """Even with the whole form read, a request that was not ended counts as cut."""
    with tempfile.TemporaryDirectory() as place:
        form = read(form_of(content), cuts, Path(place), cut=True)

        assert list(Path(place).iterdir()) == []
        assert form.cut
        assert form.files["file"].name == "note.txt"


@given(st.binary(max_size=300), CUTS)
def test_any_body_is_survived(body: bytes, cuts: list[int]) -> None:
    """A body of any bytes is read to its end without an error and is no form with a file."""
    with tempfile.TemporaryDirectory() as place:
        form = read(body, cuts, Path(place))

        assert form.file is None
        assert list(Path(place).iterdir()) == []


def test_endless_field_is_refused(tmp_path: Path) -> None:
    """A field that is no file is not collected without end."""
    body = b'--frontier\r\ncontent-disposition: form-data; name="tone"\r\n\r\n' + b"x" * 2_000_000 + b"\r\n--frontier--"

    assert read(body, [], tmp_path) == Form()


def test_later_file_of_the_same_name_replaces_the_earlier(tmp_path: Path) -> None:
    """Of two files under one field the last counts, and the first leaves nothing on the disk."""
    part = b'--frontier\r\ncontent-disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
    form = read(part % (b"a.txt", b"one") + part % (b"b.txt", b"two") + b"--frontier--\r\n", [], tmp_path)

    assert form.file is not None
    assert (form.file.name, form.file.path.read_bytes()) == ("b.txt", b"two")
    assert list(tmp_path.iterdir()) == [form.file.path]
