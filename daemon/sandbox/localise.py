"""Text that looks translated and can still be read: letters get accents, and the document one mark.

"Hello {name}" becomes "[fr] Ĥéļļö {name}": placeholders and markup stay as they are, every letter is replaced
by exactly one other. Only the first text of a document carries the mark, so that the rest reads well.
"""

from daemon.segments import take_apart
from daemon.segments.placeholders import protected

_PLAIN = "acdeghijklnorstuwyzACDEGHIJKLNORSTUWYZ"
_ACCENTED = "áçđéĝĥíĵķļñöŕšţüŵýžÁÇĐÉĜĤÍĴĶĻÑÖŔŠŢÜŴÝŽ"
_ACCENTS = str.maketrans(_PLAIN, _ACCENTED)


def pseudo(text: str) -> str:
    """The text with accents, except where it must not be changed."""
    pieces: list[str] = []
    at = 0
    for start, end in protected(text):
        pieces += (text[at:start].translate(_ACCENTS), text[start:end])
        at = end
    return "".join(pieces) + text[at:].translate(_ACCENTS)


def marked(text: str, target: str) -> str:
    """The text with the target language in brackets before its first visible character."""
    visible = text.lstrip()
    blank = text[: len(text) - len(visible)]
    return f"{blank}[{target}] {visible}" if visible else text


def localise(data: bytes, extension: str, target: str) -> bytes:
    """The document in the language that nobody speaks.

    Raises NotSegmentableError when the document cannot be taken apart.
    """
    document = take_apart(data, extension)
    texts = [pseudo(text) for text in document.texts]
    if texts:
        texts[0] = marked(texts[0], target)
    return document.rebuild(texts)
