"""Plain text: one span for each line that has words, without the white space around them."""

from daemon.segments.placeholders import has_words
from daemon.segments.splice import Span, lines, one_line, trim


def spans(source: str) -> list[Span[str]]:
    found = []
    for line in lines(source):
        lead, core, _ = trim(line.text)
        if has_words(core):
            start = line.start + len(lead)
            found.append(Span(start=start, end=start + len(core), text=core, write=one_line))
    return found
