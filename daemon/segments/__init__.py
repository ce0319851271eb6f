"""Taking documents apart into translatable texts, and putting them together again.

A format's room finds *spans*: places in the source, each with the text a translator sees. `splice` puts
changed texts back; what did not change keeps its bytes. `placeholders` tells what inside a text is not
language, `split` cuts and groups texts for services with limits.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from daemon.segments import docx, html, jsontext, markdown, subtitles, txt
from daemon.segments.encoding import Decoded, decode, decode_markup
from daemon.segments.splice import NotSegmentableError, Segmented, Span, splice

__all__ = ["EXTENSIONS", "MOST_TEXTS", "NotSegmentableError", "Segmented", "take_apart"]

MOST_TEXTS = 200_000
"""No book has more; a file of a million short lines would take minutes and gigabytes to be taken apart."""


def take_apart(data: bytes, extension: str) -> Segmented:
    """The texts of a document whose name ends in `extension` (without the dot).

    Raises NotSegmentableError, saying why, when the format is not known, the bytes are not of this format, or
    something about them is refused. A document without any text has no texts and is no error.
    """
    take = _FORMATS.get(extension.lower())
    if not take:
        raise NotSegmentableError(f"files of the type .{extension} cannot be taken apart")
    taken = take(data)
    if len(taken.texts) > MOST_TEXTS:
        raise NotSegmentableError(f"it has {len(taken.texts):,} texts, and {MOST_TEXTS:,} are taken; divide it")
    return taken


def _text(
    data: bytes,
    spans_of: Callable[[str], list[Span[str]]],
    ends: Sequence[bytes] = (b"\n", b"\r"),
    decoding: Callable[[bytes], Decoded] = decode,
) -> Segmented:
    """`ends`: what stands between two texts of this format, and nowhere much more often."""
    if any(data.count(end) > 4 * MOST_TEXTS for end in ends):
        raise NotSegmentableError(f"it has more than the {MOST_TEXTS:,} texts that are taken; divide it")
    source = decoding(data)
    spans = spans_of(source.text)

    def put_together(texts: Sequence[str]) -> bytes:
        return source.encode(splice(source.text, spans, texts))

    return Segmented(tuple(span.text for span in spans), put_together)


_HTML = partial(_text, spans_of=html.spans, ends=(b"<",), decoding=decode_markup)
_FORMATS: Mapping[str, Callable[[bytes], Segmented]] = {
    "txt": partial(_text, spans_of=txt.spans),
    "md": partial(_text, spans_of=markdown.spans),
    "srt": partial(_text, spans_of=subtitles.srt_spans),
    "vtt": partial(_text, spans_of=subtitles.vtt_spans),
    "html": _HTML,
    "htm": _HTML,
    "json": partial(_text, spans_of=jsontext.spans, ends=(b'"',)),
    "docx": docx.take_apart,
}
EXTENSIONS = frozenset(_FORMATS)
