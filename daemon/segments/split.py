"""Cutting and grouping texts for a service that limits what one task may hold. Lengths are in characters."""

import re
from bisect import bisect_right
from collections.abc import Sequence

from daemon.segments.placeholders import is_inside, protected

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*\s+|[。！？][”’」』）]*\s*|\n+")
_WORD_END = re.compile(r"\s+")


def split_sentences(text: str, limit: int) -> list[str]:
    """Pieces of at most `limit` characters that give the text when joined.

    They end with a sentence; a sentence longer than the limit is cut between words, a word longer than the
    limit anywhere. What is protected is cut only when it is longer than the limit itself.
    """
    if limit < 1:
        raise ValueError(f"a limit of {limit} characters leaves no room for any text")
    if len(text) <= limit:
        return [text]
    kept = protected(text)
    kinds = (
        [end for end in _sentence_ends(text) if not is_inside(end, kept)],
        [match.end() for match in _WORD_END.finditer(text) if not is_inside(match.end(), kept)],
        [start for start, _ in kept],
    )
    pieces = []
    start = 0
    while len(text) - start > limit:
        cut = next((at for cuts in kinds if (at := _last(cuts, start + limit)) > start), start + limit)
        pieces.append(text[start:cut])
        start = cut
    return [*pieces, text[start:]]


def group(texts: Sequence[str], max_texts: int, max_characters: int) -> list[list[int]]:
    """Indexes of neighbouring texts that fit into one task; a text over the limit is a task of its own."""
    groups: list[list[int]] = []
    size = 0
    for index, text in enumerate(texts):
        if not groups or len(groups[-1]) >= max_texts or size + len(text) > max_characters:
            groups.append([])
            size = 0
        groups[-1].append(index)
        size += len(text)
    return groups


def _sentence_ends(text: str) -> list[int]:
    """A small letter behind the full stop shows that it belongs to an abbreviation."""
    ends = (match.end() for match in _SENTENCE_END.finditer(text))
    return [end for end in ends if not text[end : end + 1].islower()]


def _last(cuts: list[int], at_most: int) -> int:
    index = bisect_right(cuts, at_most)
    return cuts[index - 1] if index else 0
