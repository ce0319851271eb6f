"""A document as the texts that CAMB.AI is sent, and what comes back put into its place again.

A *piece* is what is sent: a text of the document or, where one is longer than a task may be, some of its
sentences; without the white space around it, which stays. What has no words is not sent at all.

Placeholders, tags and addresses are sent where they stand, because a sentence without them has no grammar and
an order of its own in every language. They are looked for afterwards: a piece that came back empty, or in
which one of them is missing, changed or doubled, keeps the words of the original, so that what a program or a
page needs is never lost.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote

from daemon.segments.placeholders import has_words, protected
from daemon.segments.splice import trim
from daemon.segments.split import split_sentences


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the document's text number `index`; together they give the texts as they were."""

    index: int
    lead: str
    core: str
    trail: str

    @property
    def wanted(self) -> bool:
        """Whether there is anything to translate in it."""
        return has_words(self.core)

    @property
    def sent(self) -> str:
        """The core as JSON in UTF-8 can carry it: halves of surrogate pairs become question marks."""
        return self.core.encode("utf-8", "replace").decode()

    def translated(self, text: str) -> str | None:
        """What stands in its place for a translation; None when that cannot be used."""
        core = text.strip()
        if core == self.sent:
            return self.lead + self.core + self.trail
        marks = {self.sent[start:end] for start, end in protected(self.sent)}
        if not core or any(core.count(mark) != self.sent.count(mark) for mark in marks):
            return None
        return self.lead + core + self.trail


def cut(texts: Sequence[str], limit: int) -> list[Piece]:
    """The pieces of a document's texts, none longer than `limit` characters; the same every time."""
    return [Piece(index, *trim(part)) for index, text in enumerate(texts) for part in split_sentences(text, limit)]


def joined(texts: Sequence[str], pieces: Iterable[Piece], translations: Iterator[str]) -> tuple[list[str], int]:
    """The document's texts with one translation for each wanted piece, and how many of these could be used."""
    result = [""] * len(texts)
    used = 0
    for piece in pieces:
        translated = piece.translated(next(translations)) if piece.wanted else None
        used += translated is not None
        result[piece.index] += piece.lead + piece.core + piece.trail if translated is None else translated
    return result, used


def check_of(texts: Iterable[str]) -> str:
    """A short sum over texts that are sent: other texts, or another order, have another one."""
    return f"{zlib.crc32(json.dumps(list(texts)).encode()):08x}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What is kept of an accepted task: `<task>;texts=12;limit=3000;check=1a2b3c4d;most=100[;run=345]`.

    Beside the service's two ids it holds what the task was made of: so its document goes on being cut, and is
    put together, in the same way after a restart with other settings, or not at all. Any other text is a task of
    which only its id is known.
    """

    task: str
    """As it stands in a path."""
    texts: int = 0
    limit: int = 0
    """The most characters of a task when the document was cut."""
    check: str = ""
    most: int = 0
    """The most texts of a task then."""
    run: int | None = None

    @classmethod
    def of(cls, task: str, texts: Sequence[str], limit: int, most: int) -> Self:
        return cls(task=quote(task, safe=""), texts=len(texts), limit=limit, check=check_of(texts), most=most)

    @classmethod
    def read(cls, text: str) -> Self:
        task, *pairs = text.split(";")
        found = dict(pair.partition("=")[::2] for pair in pairs)
        numbers = {key: int(value) for key, value in found.items() if value.isascii() and value.isdigit()}
        return cls(
            task=quote(task, safe="%"),
            texts=numbers.get("texts", 0),
            limit=numbers.get("limit", 0),
            check=found.get("check", ""),
            most=numbers.get("most", 0),
            run=numbers.get("run"),
        )

    def with_task(self, task: str) -> Self:
        return replace(self, task=quote(task, safe=""))

    def with_run(self, run: int) -> Self:
        return replace(self, run=run)

    @property
    def mark(self) -> str:
        """What tells these texts, cut in this way, from all others."""
        return f";texts={self.texts};limit={self.limit};check={self.check}"

    def __str__(self) -> str:
        run = "" if self.run is None else f";run={self.run}"
        return f"{self.task}{self.mark};most={self.most}{run}"
