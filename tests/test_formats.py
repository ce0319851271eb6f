"""What files look like at their ends: real archives and boxes, cut ones, and garbage of every length."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.formats import ReadAt, error_page, shows_end, sniff


def reader(data: bytes) -> ReadAt:
    return lambda offset, length: data[offset : offset + length]


def ends(extension: str, data: bytes) -> bool | None:
    return shows_end(extension, len(data), reader(data))


def archive(comment: bytes = b"", members: int = 2) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(members):
            made.writestr(f"word/document{number}.xml", b"<w:document/>" * 50)
        made.comment = comment
    return whole.getvalue()


def box(name: bytes, content: bytes = b"", *, long: bool = False) -> bytes:
    if long:
        return struct.pack(">I4sQ", 1, name, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), name) + content


DOCX = archive()
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"
MP4 = box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", b"m" * 40) + box(b"mdat", b"d" * 400)
HTML = b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        ("docx", DOCX),
        ("DOCX", DOCX),
        ("odt", archive(b"a comment of its own")),
        ("xlsx", archive(b"with PK\x05\x06 in its comment, and then some more")),
        ("pptx", archive(members=0)),
        ("epub", b"something before the archive" + DOCX),
        ("zip", archive(b"x" * 65_535)),
        ("pdf", PDF),
        ("pdf", PDF + b"\r\n" * 100),
        ("mp4", MP4),
        ("mov", box(b"wide") + box(b"mdat", b"d", long=True) + box(b"moov", b"m")),
        ("mp4", box(b"free") * 9_998 + box(b"moov") + box(b"mdat")),
        ("m4a", box(b"ftyp") + box(b"moov", b"m") + struct.pack(">I4s", 0, b"mdat") + b"to the end"),
    ],
)
def test_whole_files_show_their_end(extension: str, data: bytes) -> None:
    """Complete documents of every kind that has a visible end are seen to be complete."""
    assert ends(extension, data) is True


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        ("docx", b""),
        ("docx", DOCX + b"\0"),
        ("docx", DOCX + b"\0" * 1000),
        ("docx", b"\0" * 500 + DOCX[-22:]),
        ("docx", DOCX[len(DOCX) // 2 :]),
        ("pdf", b""),
        ("pdf", PDF[:-6]),
        ("pdf", PDF + b"\0" * 4096),
        ("mp4", b""),
        ("mp4", MP4 + b"\0" * 4),
        ("mp4", MP4 + b"\0" * 64),
        ("mp4", box(b"ftyp") + box(b"mdat", b"d")),
        ("mp4", box(b"ftyp") + box(b"moov", b"m")),
        ("mp4", box(b"free") * 9_999 + box(b"moov") + box(b"mdat")),
        ("mp4", box(b"moov", b"m") + struct.pack(">I4sQ", 1, b"mdat", 8)),
        ("mp4", box(b"moov", b"m") + struct.pack(">I4s", 7, b"mdat")),
        ("mp4", box(b"moov", b"m") + struct.pack(">I4sQ", 1, b"mdat", 2**63)),
    ],
)
def test_others_do_not(extension: str, data: bytes) -> None:
    """What is cut, padded, given its length in advance or not to be followed does not show its end."""
    assert ends(extension, data) is False


def test_zip64_is_recognised() -> None:
    """An archive with more members than the old record can count leads over the zip64 locator."""
    big = archive(members=0xFFFF + 1)

    assert ends("zip", big) is True
    assert ends("zip", big[:-22] + b"\0" * 20 + big[-22:]) is False


@pytest.mark.parametrize(("extension", "whole"), [("docx", DOCX), ("mp4", MP4), ("pdf", PDF.rstrip())])
def test_every_cut_is_seen(extension: str, whole: bytes) -> None:
    """However much of a copy has arrived, less than everything does not show the end."""
    assert not any(ends(extension, whole[:length]) for length in range(len(whole)))


def test_a_shrinking_file_is_not_whole() -> None:
    """A file that is shorter than its size said, because somebody cut it meanwhile, shows no end."""
    assert [shows_end(kind, 10**6, reader(data)) for kind, data in (("docx", DOCX), ("mp4", MP4))] == [False] * 2


@pytest.mark.parametrize("extension", ["", "txt", "srt", "mp3", "mkv", "json", "html", "doc"])
def test_formats_without_a_visible_end(extension: str) -> None:
    """Of a format that prescribes no end nothing is claimed."""
    assert ends(extension, b"anything") is None


def test_only_the_ends_are_read() -> None:
    """The size of a document does not matter: no more than the tail and a few headers are asked for."""
    asked = []

    def read_at(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return b"\0" * length

    for extension in ("docx", "pdf", "mp4"):
        shows_end(extension, 20 * 10**9, read_at)

    assert sum(length for _, length in asked) < 70_000


kinds = st.sampled_from(["docx", "pdf", "mp4", "mov", "mp3", "wav", "json", "xml", "html", "vtt", "txt", "zzz", ""])
pieces = st.sampled_from(
    [
        b"PK\x05\x06",
        b"PK\x01\x02",
        b"PK\x06\x07",
        b"\xff" * 8,
        b"\0" * 22,
        b"moov",
        b"mdat",
        b"\0\0\0\x08",
        b"%%EOF",
    ]
)
garbage = st.lists(st.one_of(st.binary(max_size=40), pieces), max_size=20).map(b"".join)


@given(extension=kinds, data=garbage, more=st.integers(0, 100))
def test_garbage_is_an_answer(extension: str, data: bytes, more: int) -> None:
    """No bytes, and no wrong size, make any of the three raise."""
    answers = {shows_end(extension, len(data) + more, reader(data)), sniff(extension, data)}

    assert answers <= {True, False, None}
    assert isinstance(error_page(extension, data), bool)


@pytest.mark.parametrize(
    ("extension", "head"),
    [
        ("docx", DOCX),
        ("odt", archive(members=0)),
        ("pdf", PDF),
        ("pdf", b"junk of a scanner\n" + PDF),
        ("mp4", MP4),
        ("mov", box(b"wide") + box(b"mdat")),
        ("mp3", b"ID3\x04"),
        ("mp3", b"\xff\xfb\x90\x00"),
        ("wav", b"RIFF\0\0\0\0WAVEfmt "),
        ("flac", b"fLaC"),
        ("ogg", b"OggS"),
        ("mkv", b"\x1aE\xdf\xa3"),
        ("webm", b"\x1aE\xdf\xa3"),
        ("json", b' \n{"a": 1}'),
        ("json", b'\xef\xbb\xbf["a"]'),
        ("xml", b'<?xml version="1.0"?><a/>'),
        ("xml", "\ufeff<a/>".encode("utf-16-le")),
        ("html", b"<!doctype html>"),
        ("html", b"a fragment that begins with a long text, " * 100 + b"and <b>then</b> has markup"),
        ("xml", '<?xml version="1.0"?>'.encode("utf-16-le")),
        ("xml", '<?xml version="1.0"?>'.encode("utf-16-be")),
        ("vtt", b"\xef\xbb\xbfWEBVTT\n"),
        ("txt", b"plain"),
        ("txt", b""),
        ("TXT", "\ufeffplain".encode("utf-16-be")),
    ],
)
def test_sniff_knows_its_types(extension: str, head: bytes) -> None:
    """The beginning of a real file fits its extension."""
    assert sniff(extension, head) is True
    assert not error_page(extension, head)


@pytest.mark.parametrize(
    ("extension", "head"),
    [
        ("docx", HTML),
        ("docx", PDF),
        ("docx", b""),
        ("pdf", b"\0" * 2000 + PDF),
        ("mp4", b"\0" * 100),
        ("mp3", b"\xff\xf1\x50"),
        ("wav", b"RIFF\0\0\0\0AVI "),
        ("json", b""),
        ("json", HTML),
        ("xml", b'{"a": 1}'),
        ("vtt", b"1\n00:00:01,000"),
        ("txt", b"bin\0ary"),
    ],
)
def test_sniff_sees_strangers(extension: str, head: bytes) -> None:
    """A file of another kind does not fit."""
    assert sniff(extension, head) is False


def test_sniff_claims_nothing_of_unknown_types() -> None:
    """An extension nobody knows fits everything and nothing."""
    assert sniff("indd", b"anything") is None


@pytest.mark.parametrize(
    ("extension", "head"),
    [
        ("docx", HTML),
        ("docx", b"\n\n  <HTML lang=en>"),
        ("pdf", b'{"error": "expired"}'),
        ("mp4", b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'),
        ("json", HTML),
        ("xml", b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">'),
        ("xml", b"<Error><Code>NoSuchKey</Code></Error>"),
        ("srt", b"<!-- proxy --><html>"),
        ("txt", b'{"statusCode":404,"message":"Not found"}'),
        ("html", b'{"error":{"code":"404"}}'),
        ("unknown", HTML),
    ],
)
def test_error_pages_are_seen(extension: str, head: bytes) -> None:
    """A page of a proxy or an error of a store, delivered with status 200, is not taken for a document."""
    assert error_page(extension, head) is True


@pytest.mark.parametrize(
    ("extension", "head"),
    [
        ("html", HTML),
        ("xhtml", b"<html xmlns='http://www.w3.org/1999/xhtml'>"),
        ("json", b'{"error": "is a translated text here"}'),
        ("xml", b"<catalogue><error/></catalogue>"),
        ("md", b"# About <html> and bodies"),
        ("yaml", b'{"title": "flow style"}'),
        ("txt", b""),
        ("docx", b""),
    ],
)
def test_documents_are_no_error_pages(extension: str, head: bytes) -> None:
    """Where such a text is what was expected, or only resembles one, it is a document."""
    assert error_page(extension, head) is False
