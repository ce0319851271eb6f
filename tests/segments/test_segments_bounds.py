"""Documents that are made to exhaust: refused before they do."""

import pytest

from daemon.segments import MOST_TEXTS, NotSegmentableError, take_apart

_MANY = MOST_TEXTS + 1


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        ("txt", b"a\n\n" * _MANY),
        ("txt", b"a\r" * (5 * MOST_TEXTS)),
        ("md", b"a\n" * (5 * MOST_TEXTS)),
        ("srt", b"\n" * (5 * MOST_TEXTS)),
        ("json", b"[" + b'"a",' * (5 * MOST_TEXTS) + b'"a"]'),
        ("html", b"<b>" * (5 * MOST_TEXTS)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_document_of_too_many_texts_is_refused(extension: str, data: bytes) -> None:
    """A file within the size limit may not take minutes and gigabytes; it says what to do."""
    with pytest.raises(NotSegmentableError, match="divide it"):
        take_apart(data, extension)


def test_a_long_book_is_taken() -> None:
    """Tens of thousands of paragraphs are a document like any other."""
    assert len(take_apart(b"The keeper lights the lamp.\n\n" * 50_000, "txt").texts) == 50_000
