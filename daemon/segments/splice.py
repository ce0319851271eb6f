"""Spans over a source, and how changed texts are put back into it.

A span is a place in the source and the text a translator sees there. Where the text is unchanged the source
itself stays; so unchanged texts give the same bytes by construction, whatever the text had to be freed of
(escapes, line prefixes) before it was shown.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import AnyStr, Generic, NamedTuple

from daemon.errors import BabeldropError

_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")
_BREAKS = re.compile(r"[\r\n]+")


class NotSegmentableError(BabeldropError):
    """The document cannot be taken apart; the message says why, in words for the person who dropped it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span(Generic[AnyStr]):
    """`source[start:end]`, shown to a translator as `text`."""

    start: int
    end: int
    text: str
    write: Callable[[str], AnyStr]
    """What stands at this place for a changed text: escaped, on as many lines as the format allows."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """A document taken apart. The same bytes always give the same texts."""

    texts: tuple[str, ...]
    _put_together: Callable[[Sequence[str]], bytes] = field(repr=False)

    def rebuild(self, texts: Sequence[str]) -> bytes:
        """The document with these texts in the places of the old ones.

        Raises ValueError when there are not as many as were taken out.
        """
        if len(texts) != len(self.texts):
            raise ValueError(f"{len(texts)} texts for the {len(self.texts)} of the document")
        return self._put_together(texts)


class Line(NamedTuple):
    """One line of a source: where it starts, what it holds, and the line break behind it."""

    start: int
    text: str
    ending: str


def lines(source: str) -> list[Line]:
    """All lines; only CR LF, LF and CR end one, the rarer separators of Unicode are text."""
    found = (Line(match.start(), match[1], match[2]) for match in _LINE.finditer(source))
    return [line for line in found if line.text or line.ending]


def patch(source: AnyStr, edits: Iterable[tuple[int, int, AnyStr]]) -> AnyStr:
    """The source with each `(start, end, replacement)` done; edits come in order and do not overlap."""
    pieces = []
    at = 0
    for start, end, replacement in edits:
        pieces += [source[at:start], replacement]
        at = end
    pieces.append(source[at:])
    return source[:0].join(pieces)


def splice(source: AnyStr, spans: Sequence[Span[AnyStr]], texts: Sequence[str]) -> AnyStr:
    """The source with the changed texts written into their spans, everything else as it was."""
    return patch(
        source,
        (
            (span.start, span.end, span.write(text))
            for span, text in zip(spans, texts, strict=True)
            if text != span.text
        ),
    )


def trim(text: str) -> tuple[str, str, str]:
    """White space before, the text itself, white space after."""
    core = text.strip()
    lead = len(text) - len(text.lstrip())
    return text[:lead], core, text[lead + len(core) :]


def one_line(text: str) -> str:
    """A text on one line stays on one line, whatever a translator made of it."""
    return _BREAKS.sub(" ", text)
