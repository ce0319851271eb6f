"""The prose of Markdown as translators see it, and how it is written back without becoming something else."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from daemon.segments.placeholders import has_words, is_inside, protected
from daemon.segments.splice import Span, one_line

_BREAK = re.compile(r"\r\n|\r|\n")
# `[text]` and `[text][]`, whose text is the name of the link's target as well
_SHORT_REFERENCE = re.compile(r"(?<![\]\\])\[([^\[\]]+)\](?:\[\])?(?![\[(:])")
_LOOKS_LIKE_A_MARK = re.compile(
    r"""
      \d{1,9}(?=[.)](?:\s|$))
    | (?=\#{1,6}(?:\s|$) | [-+*](?:\s|$) | > | `{3} | ~{3} | =+$ | -+$ | (?:[*_][ ]?){3,}$)
    """,
    re.VERBOSE,
)
_CELL = re.compile(r"(?:[^|\\]|\\.?)+")
_BARE_PIPE = re.compile(r"(?<!\\)\|")


class Piece(NamedTuple):
    """What one line gives to a text; `prefix` are the marks and the white space in front of it."""

    start: int
    text: str
    prefix: str = ""


class Prose(NamedTuple):
    """Neighbouring pieces that are one text."""

    pieces: Sequence[Piece]
    write: Callable[[str], str]

    def span(self, labels: set[str]) -> Span[str] | None:
        """None when there is nothing to translate. `labels` are the targets that the document defines."""
        text = _with_full_references("\n".join(piece.text for piece in self.pieces), labels)
        if not has_words(text):
            return None
        last = self.pieces[-1]
        return Span(start=self.pieces[0].start, end=last.start + len(last.text), text=text, write=self.write)


def paragraph(pieces: Sequence[Piece], ending: str) -> Prose:
    """First and last lines without words stay outside, unless code or a tag goes over the line break."""
    kept_whole = protected("\n".join(piece.text for piece in pieces))
    starts = [0, *accumulate(len(piece.text) + 1 for piece in pieces)]
    first, behind = 0, len(pieces)
    while first < behind and not (has_words(pieces[first].text) or is_inside(starts[first + 1], kept_whole)):
        first += 1
    while first < behind and not (has_words(pieces[behind - 1].text) or is_inside(starts[behind - 1], kept_whole)):
        behind -= 1
    kept = pieces[first:behind]
    joint = ending + kept[1].prefix if len(kept) > 1 else " "
    return Prose(kept, partial(_write_paragraph, joint=joint))


def heading(start: int, text: str) -> Prose:
    """Without the closing number signs."""
    core = text.rstrip()
    bare = core.rstrip("#")
    if not bare or bare[-1] in " \t":
        core = bare.rstrip()
    return Prose([Piece(start, core)], one_line)


def cells(start: int, row: str) -> Iterator[Prose]:
    for match in _CELL.finditer(row):
        text = match[0].strip()
        yield Prose([Piece(start + match.start() + match[0].index(text), text)], _write_cell)


def label(name: str) -> str:
    """Names of link targets are equal whatever their capitals and white space."""
    return " ".join(name.split()).casefold()


def _with_full_references(text: str, labels: set[str]) -> str:
    """`[text][text]` for `[text]`, the same link, whose visible half can be translated."""
    if not labels or "[" not in text:
        return text
    kept = protected(text)

    def full(match: re.Match[str]) -> str:
        in_code = is_inside(match.start(1), kept)
        return match[0] if in_code or label(match[1]) not in labels else f"[{match[1]}][{match[1]}]"

    return _SHORT_REFERENCE.sub(full, text)


def _write_paragraph(text: str, joint: str) -> str:
    """No line may be blank, or begin with what would make it an item, a heading, a quote or a rule."""
    stripped = (line.strip() for line in _BREAK.split(text))
    return joint.join(_without_mark(line) for line in stripped if line)


def _without_mark(line: str) -> str:
    found = _LOOKS_LIKE_A_MARK.match(line)
    return f"{line[: found.end()]}\\{line[found.end() :]}" if found else line


def _write_cell(text: str) -> str:
    return _BARE_PIPE.sub(r"\\|", one_line(text))
