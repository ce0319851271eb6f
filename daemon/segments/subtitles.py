"""SubRip and WebVTT: one span for the text of each cue, with its line breaks.

Everything is found from the timecodes, because blank lines and numbers are what broken files lack. Numbers,
names of cues, timecodes with their settings, the header and NOTE, STYLE and REGION blocks are in no span.
"""

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from daemon.segments.placeholders import has_words
from daemon.segments.splice import Line, Span, lines, trim

_TIMECODE = re.compile(r"\s*(?:\d+:)?\d+:\d+(?:[.,]\d+)?\s*-->\s*(?:\d+:)?\d+:\d+")
_BREAK = re.compile(r"\r\n|\r|\n")


def srt_spans(source: str) -> list[Span[str]]:
    """SubRip: a cue goes on to the next one, over blank lines; each block of lines is a span."""
    return _spans(source, _all_blocks)


def vtt_spans(source: str) -> list[Span[str]]:
    """WebVTT: a cue is the block right under its timecode; other blocks are not for the viewer."""
    return _spans(source, _first_block)


def _spans(source: str, blocks: Callable[[list[Line]], list[list[Line]]]) -> list[Span[str]]:
    all_lines = lines(source)
    timecodes = [index for index, line in enumerate(all_lines) if _TIMECODE.match(line.text)]
    ends = [_start_of_cue(all_lines, timecode, previous) for previous, timecode in pairwise(timecodes)]
    found = []
    for timecode, end in zip(timecodes, [*ends, len(all_lines)], strict=False):  # without timecodes no cues
        for block in blocks(all_lines[timecode + 1 : end]):
            span = _span(source, block, all_lines[timecode].ending)
            if has_words(span.text):
                found.append(span)
    return found


def _start_of_cue(all_lines: list[Line], timecode: int, previous: int) -> int:
    """The line above a timecode names the cue when it is a number, or stands alone under a blank line."""
    above = timecode - 1
    if above > previous:
        alone = above - 1 > previous and not all_lines[above - 1].text.strip()
        if all_lines[above].text.strip().isdecimal() or alone:
            return above
    return timecode


def _all_blocks(cue: list[Line]) -> list[list[Line]]:
    blocks: list[list[Line]] = [[]]
    for line in cue:
        if line.text.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _first_block(cue: list[Line]) -> list[list[Line]]:
    return _all_blocks(cue)[:1] if cue and cue[0].text.strip() else []


def _span(source: str, block: list[Line], ending: str) -> Span[str]:
    first, last = block[0], block[-1]
    raw = source[first.start : last.start + len(last.text)]
    lead, core, _ = trim(raw)
    start = first.start + len(lead)
    text = _BREAK.sub("\n", core)
    return Span(start=start, end=start + len(core), text=text, write=partial(_write, ending=ending))


def _write(text: str, ending: str) -> str:
    """A blank line would end the cue, and an arrow would start one."""
    kept = [line for line in _BREAK.split(text) if line.strip()]
    return ending.join(kept).replace("-->", "->")
