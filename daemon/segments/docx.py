"""Word documents: the text of `w:t` elements in the body, headers, footers, notes and comments.

Neighbouring `w:t` of one paragraph are one text when their runs are formatted alike (byte for byte) and
nothing stands between them but marks of the spell checker and of old page breaks; Word cuts its runs at every
edit, so that is most of a paragraph. Where the formatting changes a new text begins, so a bold word stays
bold. A changed text goes into the first `w:t`, the others are emptied; positions are bytes.

Codes of fields and deleted text are other elements and never seen. A document type declaration, which could
bring entities, is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from xml.parsers import expat

from daemon.segments.archive import Archive
from daemon.segments.placeholders import has_words
from daemon.segments.splice import NotSegmentableError, Segmented, Span, patch, splice, trim

_MEMBER = re.compile(r"word/(?:document|header|footer|footnotes|endnotes|comments)\d*\.xml")
_MAIN = re.compile(r"word/document\d*\.xml")
_NAMESPACES = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main ",
    "http://purl.oclc.org/ooxml/wordprocessingml/main ",
)
_SPACE_ATTRIBUTE = "http://www.w3.org/XML/1998/namespace space"
_SPACE = " \t\r\n"
_TRANSPARENT = {"proofErr", "lastRenderedPageBreak"}
_TAG_NAME = re.compile(rb"<[^\s/>]+")
# What XML 1.0 cannot hold, not even as a reference
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def take_apart(data: bytes) -> Segmented:
    """Raises NotSegmentableError when this is no Word document, or one that is refused."""
    archive = Archive(data)
    names = [name for name in archive if _MEMBER.fullmatch(name)]
    if not any(map(_MAIN.fullmatch, names)):
        raise NotSegmentableError("the archive is no Word document: it has no word/document.xml")
    members = [(name, source, spans(source, name)) for name in names for source in [archive.read(name)]]

    def put_together(texts: Sequence[str]) -> bytes:
        changed = {}
        at = 0
        for name, source, found in members:
            own = texts[at : at + len(found)]
            at += len(found)
            if any(span.text != text for span, text in zip(found, own, strict=True)):
                changed[name] = splice(source, found, own)
        return archive.rebuild(changed)

    return Segmented(tuple(span.text for _, _, found in members for span in found), put_together)


def spans(source: bytes, name: str) -> list[Span[bytes]]:
    """The texts of one member. Raises NotSegmentableError when it is no XML in UTF-8 or has a DTD."""
    reader = _Reader(source)
    try:
        reader.read()
    except expat.ExpatError as error:
        raise NotSegmentableError(f"{name} in the document is damaged: {error}") from None
    return reader.spans


@dataclass(slots=True)
class _Text:
    """One `w:t`: its place, and that of its content. Positions are bytes."""

    start: int
    space: str | None
    content: int = -1
    end: int = -1
    pieces: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """Word drops the white space around a text unless told to preserve it."""
        text = "".join(self.pieces)
        return text if self.space == "preserve" else text.strip(_SPACE)


class _Reader:
    def __init__(self, source: bytes) -> None:
        self.spans: list[Span[bytes]] = []
        self._source = source
        self._path: list[str] = []
        self._formats: list[bytes] = []  # of the open runs; a text box is a run within a run
        self._format_at: int | None = None
        self._group: list[_Text] = []
        self._group_format = b""
        self._text: _Text | None = None
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._finish
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartCdataSectionHandler = partial(self._characters, "")
        self._parser.StartDoctypeDeclHandler = _refuse_declaration
        self._parser.XmlDeclHandler = _check_encoding

    def read(self) -> None:
        if b"\0" in self._source:
            _check_encoding("1.0", "UTF-16", -1)  # which alone has this byte, in every tag
        self._parser.Parse(self._source, True)

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        name = _local(qualified)
        in_run = bool(self._path) and self._path[-1] == "r"
        self._path.append(name)
        if self._format_at is not None:
            return  # what a format is made of
        if name == "r":
            self._formats.append(b"")
        elif name == "rPr" and in_run:
            self._format_at = self._parser.CurrentByteIndex
        elif name == "t" and in_run:
            self._text = _Text(self._parser.CurrentByteIndex, attributes.get(_SPACE_ATTRIBUTE))
        elif name not in _TRANSPARENT:
            self._text = None
            self._end_group()

    def _finish(self, _: str) -> None:
        name = self._path.pop()
        if self._format_at is not None:
            if name == "rPr" and self._path[-1] == "r":
                self._formats[-1] = self._source[self._format_at : self._parser.CurrentByteIndex]
                self._format_at = None
        elif name == "r":
            self._formats.pop()
        elif name == "t" and self._text:
            self._join(self._text)
        elif name not in _TRANSPARENT:
            self._end_group()

    def _characters(self, data: str) -> None:
        if self._text:
            if self._text.content < 0:
                self._text.content = self._parser.CurrentByteIndex
            self._text.pieces.append(data)

    def _join(self, text: _Text) -> None:
        self._text = None
        if text.content >= 0:
            text.end = self._parser.CurrentByteIndex
            if self._group_format != self._formats[-1]:
                self._end_group()
            self._group_format = self._formats[-1]
            self._group.append(text)

    def _end_group(self) -> None:
        group, self._group = self._group, []
        lead, core, trail = trim("".join(text.shown for text in group))
        if has_words(core):
            write = partial(_write, source=self._source, group=group, lead=lead, trail=trail)
            self.spans.append(Span(start=group[0].start, end=group[-1].end, text=core, write=write))


def _write(text: str, source: bytes, group: Sequence[_Text], lead: str, trail: str) -> bytes:
    first, *others = group
    content = lead + _FORBIDDEN.sub("", text) + trail
    edits = [(first.content, first.end, escape(content, quote=False).encode())]
    edits += [(other.content, other.end, b"") for other in others]
    name = _TAG_NAME.match(source, first.start)
    if name and first.space is None and content != content.strip(_SPACE):
        edits.insert(0, (name.end(), name.end(), b' xml:space="preserve"'))
    base = first.start
    region = source[base : group[-1].end]
    return patch(region, ((start - base, end - base, new) for start, end, new in edits))


def _local(qualified: str) -> str:
    """The name of an element of WordprocessingML; of others none."""
    return next((qualified.removeprefix(space) for space in _NAMESPACES if qualified.startswith(space)), "")


def _refuse_declaration(*_: object) -> None:
    raise NotSegmentableError("the document declares a document type, which no word processor writes")


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding and encoding.lower() not in {"utf-8", "us-ascii"}:
        raise NotSegmentableError(f"the document is written in {encoding}; only UTF-8 is read")
