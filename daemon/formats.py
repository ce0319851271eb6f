"""What files look like at their ends: whether one is whole, and whether it is what its name says.

Both are asked of drops before they are taken and of results before they are believed. Nothing here opens a
file: the caller gives bytes, or a function that reads them. Garbage is an answer, never an error.
"""

import re
from collections.abc import Callable
from typing import Final

HEAD: Final = 1024
"""Bytes from the beginning that `sniff` and `error_page` look at."""

ReadAt = Callable[[int, int], bytes]
"""Offset and length to bytes; fewer of them at the end of the file."""

_ZIPPED = "docx docm dotx xlsx xlsm xltx pptx pptm potx ppsx odt ods odp odg ott epub idml zip"
_MOVIES = "mp4 m4v mov m4a m4b 3gp 3g2"
_HTML = frozenset({"html", "htm", "xhtml"})
_XML = frozenset({"xml", "xlf", "xliff", "tmx", "ttml", "svg", "resx", "dita"})
_PLAIN = frozenset({"txt", "md", "csv", "tsv", "srt", "yaml", "yml", "po", "properties", "ini", "eml", "tex"})

# How the first bytes of a format look, from the formats' own specifications.
_SIGNATURES = (
    (_ZIPPED, rb"PK(?:\x03\x04|\x05\x06)"),
    ("pdf", rb".{0,1019}%PDF-"),
    (_MOVIES, rb".{4}(?:ftyp|moov|mdat|wide|free|skip|pnot)"),
    ("mp3", rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]"),
    ("aac", rb"ID3|ADIF|\xff[\xf0\xf1\xf8\xf9]"),
    ("wav", rb"(?:RIFF|RF64|BW64).{4}WAVE"),
    ("avi", rb"RIFF.{4}AVI "),
    ("flac", rb"fLaC|ID3"),
    ("ogg oga ogv opus", rb"OggS"),
    ("mkv mka webm", rb"\x1aE\xdf\xa3"),
    ("mpg mpeg", rb"\x00\x00\x01[\xb0-\xbf]|G"),
    ("doc xls ppt msg", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("rtf", rb"\{\\rtf"),
    ("png", rb"\x89PNG\r\n\x1a\n"),
    ("jpg jpeg", rb"\xff\xd8\xff"),
    ("gif", rb"GIF8[79]a"),
    ("bmp", rb"BM"),
    ("tif tiff", rb"II\*\x00|MM\x00\*"),
)
_MAGIC = {name: re.compile(look, re.DOTALL) for names, look in _SIGNATURES for name in names.split()}

_PAGE = re.compile(r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.DOTALL)
_XML_ERROR = re.compile(r"(?:<\?xml[^>]*>\s*)?<(?:\w+:)?error\b")
_JSON_ERROR = re.compile(r'\{\s*"(?:error|errors|message|code|status|statuscode|detail|success)"')

_END_RECORD = b"PK\x05\x06"
_END_RECORD_SIZE = 22
_LONGEST_COMMENT = 0xFFFF
_PDF_TAIL = 2048
_MOST_BOXES = 10_000


def shows_end(extension: str, size: int, read_at: ReadAt) -> bool | None:
    """Whether a file has the end that its format prescribes; None for formats that prescribe none.

    Zip-based documents: an end record whose comment ends exactly where the file does (nothing is tolerated
    behind it, not even zeros: a file that was given its length in advance looks like that), pointing to a
    central directory before it. PDF: `%%EOF` in the last 2 KiB. MP4, MOV, M4A: at most 10,000 boxes that fill
    the file exactly, `moov` and `mdat` among them. Raises nothing but what `read_at` raises.
    """
    check = _ENDS.get(extension.lower())
    return None if check is None else check(size, read_at)


def sniff(extension: str, head: bytes) -> bool | None:
    """Whether the first bytes fit the extension; None for a type of which nothing is known."""
    kind, head = extension.lower(), head[:HEAD]
    if kind in _MAGIC:
        return _MAGIC[kind].match(head) is not None
    text = _text(head)
    if kind == "json":
        return text is not None and re.match(r'[\[{"\d\-tfn]', text) is not None
    if kind == "vtt":
        return text is not None and text.startswith("WEBVTT")
    if kind in _XML:
        return text is not None and text.startswith("<")
    return text is not None if kind in _HTML | _PLAIN else None


def error_page(extension: str, head: bytes) -> bool:
    """Whether an HTML page or an error in JSON or XML came where a file of this type was expected.

    A text can hold such a page rightfully: ask the same of the original before believing it.
    """
    kind, head = extension.lower(), head[:HEAD]
    text = _text(head)
    if not text or (kind in _MAGIC and sniff(kind, head)):
        return False
    if kind in _MAGIC:
        return text.startswith(("<", "{"))
    text = text.lower()
    is_page = kind not in _HTML and _PAGE.match(text) is not None
    is_json = kind != "json" and _JSON_ERROR.match(text) is not None
    return is_page or is_json or _XML_ERROR.match(text) is not None


def _text(head: bytes) -> str | None:
    """The beginning of a text, without byte order mark and white space; None when it is no text."""
    first, second = head[:1], head[1:2]
    if head.startswith(b"\xff\xfe") or first != second == b"\0":
        encoding = "utf-16-le"
    elif head.startswith(b"\xfe\xff") or second != first == b"\0":
        encoding = "utf-16-be"
    elif b"\0" in head:
        return None
    else:
        encoding = "utf-8"
    return head.decode(encoding, "replace").lstrip("\ufeff").lstrip()


def _zip_ends(size: int, read_at: ReadAt) -> bool:
    length = min(size, _END_RECORD_SIZE + _LONGEST_COMMENT)
    tail = read_at(size - length, length)
    at = tail.rfind(_END_RECORD)
    while at >= 0:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        ends = len(tail) == length == at + _END_RECORD_SIZE + comment
        if ends and _points_to_directory(tail, at, size - length + at, read_at):
            return True
        at = tail.rfind(_END_RECORD, 0, at)
    return False


def _points_to_directory(tail: bytes, at: int, position: int, read_at: ReadAt) -> bool:
    entries, length, offset = (
        int.from_bytes(tail[at + first : at + last], "little") for first, last in ((10, 12), (12, 16), (16, 20))
    )
    if entries == 0xFFFF or 0xFFFFFFFF in (length, offset):
        # Too large for these fields: the zip64 locator before the record, 20 bytes, leads to the numbers.
        return tail[max(at - 20, 0) : at].startswith(b"PK\x06\x07")
    if offset + length > position:
        return False
    # Something may stand before the archive, or between directory and record; not both.
    starts = (offset, position - length)
    return entries == 0 or any(read_at(start, 4) == b"PK\x01\x02" for start in starts)


def _pdf_ends(size: int, read_at: ReadAt) -> bool:
    length = min(size, _PDF_TAIL)
    return b"%%EOF" in read_at(size - length, length)


def _movie_ends(size: int, read_at: ReadAt) -> bool:
    """ISO 14496-12: length and name, where the length 1 means "in 64 bits behind" and 0 "to the end"."""
    position, names = 0, set()
    for _ in range(_MOST_BOXES):
        if position >= size:
            break
        header = read_at(position, 16)
        name, least = header[4:8], 8
        length = int.from_bytes(header[:4])
        if length == 1:
            length, least = int.from_bytes(header[8:16]), 16
        elif length == 0:
            length = size - position
        if len(header) < least or length < least or not name.strip(b" ").isalnum():
            return False
        names.add(name)
        position += length
    return names >= {b"moov", b"mdat"} and position == size


_ENDS: dict[str, Callable[[int, ReadAt], bool]] = {
    "pdf": _pdf_ends,
    **dict.fromkeys(_ZIPPED.split(), _zip_ends),
    **dict.fromkeys(_MOVIES.split(), _movie_ends),
}
