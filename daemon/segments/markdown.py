"""Markdown: one span for each paragraph, heading and table cell.

What is no prose is in no span: front matter, code blocks, HTML comments, definitions of links, rules, and the
marks in front of a line. A paragraph over several lines is one text, so that no sentence is cut; a hard line
break ends it. What is no prose inside a text (code, targets of links, tags) is left to `protected`.

The reading follows CommonMark where that decides what is prose, and leaves aside what only decides the look.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from daemon.segments.html import BLOCKS
from daemon.segments.mdprose import Piece, Prose, cells, heading, label, paragraph
from daemon.segments.splice import Line, Span, lines

_WHITE = re.compile(r"[ \t]*")
_QUOTE = re.compile(r"[ \t]*>[ ]?")
_MARKER = re.compile(r"(?:[-*+]|(?P<number>\d{1,9})[.)]|(?P<note>\[\^[^\]\s]+\]:))(?P<space>[ \t]+|$)")
_TASK = re.compile(r"\[[ xX]\][ \t]+")
_HEADING = re.compile(r"#{1,6}(?:[ \t]+|$)")
_RULE = re.compile(r"(?:(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,}|=+[ \t]*|-+[ \t]*|:{3,}.*|\[!\w+\][ \t]*)$")
_DEFINITION = re.compile(r"\[([^\[\]]+)\]:[ \t]*\S")
_DELIMITER = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}|\$\$(?=[ \t]*$)")
_HTML_BLOCKS = (
    (
        re.compile(r"<(?:script|pre|style|textarea)\b", re.IGNORECASE),
        re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE),
    ),
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<\?"), re.compile(r"\?>")),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>")),
)
_BLOCK_TAG = re.compile(rf"</?(?:{'|'.join(sorted(BLOCKS))}|img)\b", re.IGNORECASE)
_HARD_BREAKS = ("  ", "\\", "<br>", "<br/>", "<br />")
_FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
_CODE_COLUMNS = 4
_DEEPEST = 32  # marks on one line; a person writes two or three


def spans(source: str) -> list[Span[str]]:
    reader = _Reader()
    all_lines = lines(source)
    content = all_lines[_end_of_front_matter(all_lines) :]
    for line, following in pairwise([*content, Line(0, "", "")]):
        reader.read(line, following.text)
    reader.end_paragraph()
    found = (prose.span(reader.labels) for prose in reader.prose)
    return [span for span in found if span]


def _end_of_front_matter(all_lines: list[Line]) -> int:
    """Front matter holds keys; a rule at the start of a text looks the same otherwise."""
    closing = _FRONT_MATTER.get(all_lines[0].text.rstrip(), ()) if len(all_lines) > 1 else ()
    if closing and (":" in all_lines[1].text or "=" in all_lines[1].text):
        for index, line in enumerate(all_lines[1:], start=1):
            if line.text.rstrip() in closing:
                return index + 1
    return 0


class _Skip(NamedTuple):
    """A block without prose, up to the line in which `end` is found, or to the end of what contains it."""

    end: re.Pattern[str]
    depth: int
    column: int


class _Reader:
    """Reads line by line; knows in which list items, quotes, tables and blocks a line stands."""

    def __init__(self) -> None:
        self.prose: list[Prose] = []
        self.labels: set[str] = set()
        self._pieces: list[Piece] = []
        self._ending = ""
        self._in_paragraph = False
        self._in_table = False
        self._skip: _Skip | None = None
        self._depth = 0  # of quotes
        self._columns: list[int] = []  # where the content of the open list items begins

    def read(self, line: Line, following: str) -> None:
        depth, at = self._quotes(line.text)
        white = _width(line.text, at)
        blank = at + len(_white(line.text, at)) == len(line.text)
        if self._skip and self._skipped(line.text[at:], depth, white, blank):
            return
        if depth != self._depth or blank:
            self.end_paragraph()
            self._in_table = False
            self._depth = depth
        if blank:
            return
        if not self._in_paragraph:
            self._leave_items(white)
            if white - self._column >= _CODE_COLUMNS:
                return
        at, column = self._behind_marks(line.text, at + len(_white(line.text, at)), white)
        if at < len(line.text) and not self._block(line, at, column, following):
            self._paragraph_line(line, at)

    def end_paragraph(self) -> None:
        self._flush()
        self._in_paragraph = False

    @property
    def _column(self) -> int:
        return self._columns[-1] if self._columns else 0

    def _quotes(self, text: str) -> tuple[int, int]:
        """How deep a line is quoted, and where the rest of it begins."""
        deepest = self._skip.depth if self._skip else _DEEPEST
        depth = at = 0
        while depth < deepest and _width(text, at) - self._column < _CODE_COLUMNS:
            found = _QUOTE.match(text, at)
            if not found:
                break
            depth, at = depth + 1, found.end()
        return depth, at

    def _skipped(self, text: str, depth: int, white: int, blank: bool) -> bool:
        """Whether the line belongs to the block without prose."""
        assert self._skip
        if depth < self._skip.depth or (white < self._skip.column and not blank):
            self._skip = None
            return False
        if self._skip.end.search(text):
            self._skip = None
        return True

    def _leave_items(self, column: int) -> None:
        while self._columns and self._columns[-1] > column:
            self._columns.pop()

    def _behind_marks(self, text: str, at: int, column: int) -> tuple[int, int]:
        """Where the content begins behind the marks of items and quotes; the line's end when it is code."""
        for _ in range(_DEEPEST):
            marker = None if _RULE.match(text, at) else _MARKER.match(text, at)
            if marker and self._may_begin_item(marker):
                self.end_paragraph()
                self._leave_items(column)
                space = len(marker["space"].expandtabs(4))
                if space > _CODE_COLUMNS:
                    return len(text), column
                mark = len(marker[0]) - len(marker["space"])
                column += _CODE_COLUMNS if marker["note"] else mark + max(space, 1)
                self._columns.append(column)
                at = (_TASK.match(text, marker.end()) or marker).end()
            elif self._columns and (quote := _QUOTE.match(text, at)):
                column = self._column
                at = quote.end() + len(_white(text, quote.end()))
            else:
                break
        return at, column

    def _may_begin_item(self, marker: re.Match[str]) -> bool:
        """A number at the start of a paragraph's second line is one of the text, unless it can be a first."""
        return not self._in_paragraph or bool(self._columns) or marker["number"] in {None, "1"}

    def _block(self, line: Line, at: int, column: int, following: str) -> bool:
        """Reads the line as anything but a line of a paragraph, if it is."""
        text = line.text[at:]
        start = line.start + at
        if self._begins_skip(text, column) or _RULE.match(text):
            self._begin_block(column)
        elif hashes := _HEADING.match(text):
            self._begin_block(column)
            self.prose.append(heading(start + hashes.end(), text[hashes.end() :]))
        elif not self._in_paragraph and (definition := _DEFINITION.match(text)):
            self.labels.add(label(definition[1]))
        elif self._in_table or ("|" in text and "|" in following and _DELIMITER.match(following)):
            self._begin_block(column)
            self._in_table = True
            self.prose += cells(start, text)
        else:
            return False
        return True

    def _begins_skip(self, text: str, column: int) -> bool:
        fence = _FENCE.match(text)
        if fence:
            end = re.compile(rf"^[ \t]*{re.escape(fence[0][0])}{{{len(fence[0])},}}[ \t]*$")
            self._skip = _Skip(end, self._depth, min(column, self._column))
            return True
        for begin, end in _HTML_BLOCKS:
            if begin.match(text):
                if not end.search(text):
                    self._skip = _Skip(end, self._depth, 0)
                return True
        return False

    def _begin_block(self, column: int) -> None:
        self.end_paragraph()
        self._leave_items(column)
        self._in_table = False

    def _paragraph_line(self, line: Line, at: int) -> None:
        text = line.text[at:]
        if _BLOCK_TAG.match(text):
            self._flush()
        hard = text.endswith(_HARD_BREAKS)
        kept = text.removesuffix("\\").rstrip()
        if not self._pieces:
            self._ending = line.ending
        self._pieces.append(Piece(line.start + at, kept, line.text[:at]))
        self._in_paragraph = True
        if hard:
            self._flush()

    def _flush(self) -> None:
        if self._pieces:
            self.prose.append(paragraph(self._pieces, self._ending))
            self._pieces = []


def _white(text: str, at: int) -> str:
    found = _WHITE.match(text, at)
    return found[0] if found else ""


def _width(text: str, at: int) -> int:
    return len(_white(text, at).expandtabs(4))
