"""Bytes to text and back without losing one of them.

A byte order mark and the encoding survive. What is neither UTF-8 nor marked as UTF-16 is read as Windows-1252
with its five holes filled by the control characters of the same number, so that every byte has one character.

When a translated text has characters the encoding does not know, a plain text becomes UTF-8 as a whole (it
declares nothing that would then be wrong); markup keeps its encoding and gets character references.
"""

import codecs
import re
from dataclasses import dataclass

from daemon.segments.splice import NotSegmentableError

_MARKS = (
    (codecs.BOM_UTF32_LE, None),  # before UTF-16 LE, whose mark it starts with
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<(?:meta\s[^>]*?charset|\?xml\s[^>]*?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_DECLARED_WITHIN = 1024  # bytes in which a browser looks for it
# Encodings in which markup is ASCII; what else Python calls an encoding (UTF-7, escapes) is not meant here.
_TRUSTED = re.compile(
    r"utf-8|cp(?:125\d|437|85\d|866|874|932|949|950)|iso8859-\d+|koi8-[rut]|mac-\w+|shift_jis|euc_\w+|gb\w+|big5\w*|tis-620"
)
# Browsers read all of these as Windows-1252.
_WESTERN = {"cp1252", "iso8859-1", "ascii"}
_HIGH = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
_LOW = {ord(character): byte for byte, character in _HIGH.items()}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and all that is needed to write it, changed or not, as the file was written."""

    text: str
    codec: str | None
    """None: single bytes."""
    mark: bytes = b""
    references: bool = False
    """Characters the encoding lacks are written as `&#…;`."""

    def encode(self, text: str) -> bytes:
        """The bytes of a text; halves of surrogate pairs, which UTF-8 has no form for, become question marks."""
        try:
            return self.mark + _encode(text, self.codec, "xmlcharrefreplace" if self.references else "strict")
        except UnicodeEncodeError:
            return self.mark + _encode(text, "utf-8", "replace")


def decode(data: bytes) -> Decoded:
    """A plain text. Raises NotSegmentableError when the bytes are no text."""
    marked = _marked(data)
    if marked:
        return marked
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return Decoded(_single_bytes(data), None)


def decode_markup(data: bytes) -> Decoded:
    """A text with tags, which may declare its encoding. Raises NotSegmentableError when it is no text."""
    marked = _marked(data)
    if marked:
        return marked
    declared = _declared(data)
    if declared in _WESTERN:
        return Decoded(_single_bytes(data), None, references=True)
    # Where nothing is declared, nothing says how a browser would read anything but ASCII.
    text = _round_trip(data, declared or "ascii")
    if text is not None:
        return Decoded(text, declared or "ascii", references=declared != "utf-8")
    plain = decode(data)
    return Decoded(plain.text, plain.codec, references=plain.codec is None)


def _marked(data: bytes) -> Decoded | None:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            if codec is None:
                raise NotSegmentableError("the text is in UTF-32, which is not read; save it as UTF-8")
            try:
                text = data[len(mark) :].decode(codec, "strict" if codec == "utf-8" else "surrogatepass")
            except UnicodeDecodeError:
                raise NotSegmentableError(f"the text says that it is in {codec}, but is not") from None
            return Decoded(text, codec, mark)
    if b"\0" in data:
        raise NotSegmentableError("the encoding is unknown: no text, or UTF-16 without its mark; save it as UTF-8")
    return None


def _declared(data: bytes) -> str | None:
    found = _DECLARED.search(data, 0, _DECLARED_WITHIN)
    try:
        codec = codecs.lookup(found[1].decode("ascii")).name if found else ""
    except (LookupError, UnicodeDecodeError):
        return None
    if codec.startswith("utf-16"):
        return "utf-8"  # as browsers do: who could read the declaration did not read UTF-16
    return codec if codec in _WESTERN or _TRUSTED.fullmatch(codec) else None


def _round_trip(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
        return text if text.encode(codec) == data else None
    except UnicodeError:
        return None


def _single_bytes(data: bytes) -> str:
    return data.decode("latin-1").translate(_HIGH)


def _encode(text: str, codec: str | None, errors: str) -> bytes:
    if codec is None:
        return text.translate(_LOW).encode("latin-1", errors)
    return text.encode(codec, "surrogatepass" if codec.startswith("utf-16") else errors)
