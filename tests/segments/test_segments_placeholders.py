"""What a translator must leave alone is found, and what is left decides whether there is anything to translate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments.placeholders import has_words, is_inside, protected

MARKS = [
    *(
        "{name}",
        "{0}",
        "{0:>8}",
        "{{ user.name }}",
        "{{var}}",
        "{% if user %}",
        "{: .note}",
        "%s",
        "%d",
        "%5.2f",
        "%1$s",
    ),
    *(
        "%(name)d",
        "%(n)s",
        "%@",
        "$HOME",
        "${HOME}",
        "${a.b}",
        "<b>",
        "</b>",
        '<a href="x y">',
        "<br/>",
        "<!-- note -->",
    ),
    *(
        "&amp;",
        "&#39;",
        "&#x2F;",
        "`code`",
        "``a ` b``",
        "https://a.example/b?c=d#e",
        "www.a.example",
        "mailto:a@b.example",
    ),
    *("ann.b+c@mail.example", "<https://a.example>", "<kbd>Ctrl</kbd>", "<00:00:01.000>", "{\\an8}", "[^1]"),
]
anything = st.lists(
    st.sampled_from([*MARKS, " ", "word", "`", "<", "{", "}", "[", "](", ")", "%", "$", "&", "@", "://", "\\"])
).map("".join)


def shown(text: str) -> list[str]:
    return [text[start:end] for start, end in protected(text)]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_protected_as_a_whole(mark: str) -> None:
    """Each kind of placeholder, tag, code and address is found in a sentence, and nothing beside it."""
    assert shown(f"Some words {mark} and more.") == [mark]
    assert not has_words(mark)
    assert has_words(f"Some words {mark}")


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("See [the guide](https://a.example/b) now", ["](https://a.example/b)"]),
        ("See [the guide](a/b_(c).md 'Title') now", ["](a/b_(c).md 'Title')"]),
        ("See [the guide][ref] now", ["][ref]"]),
        ("![A picture](p.png)", ["](p.png)"]),
        ("Look at https://a.example/b, or (www.b.example).", ["https://a.example/b", "www.b.example"]),
        ("Write to ann@a.example.", ["ann@a.example"]),
        ("https://a.example/B_(C)", ["https://a.example/B_(C)"]),
        ("{a}{b}", ["{a}", "{b}"]),
        ("Hello %s, you have %d of 100% left", ["%s", "%d"]),
        ("a `b ``c` d", ["`b ``c`"]),
        ("It`s one tick", []),
        ("costs $5 or 5 % of {what you have}", []),
        ("1 < 2 and 3 > 2; R&D; a@b; [note]", []),
        ("{count, plural, other {# items}}", []),
        ("\\`no code` here", []),
        ("", []),
    ],
)
def test_marks_end_where_they_end(text: str, marks: list[str]) -> None:
    """Link texts and ordinary punctuation are language, targets and placeholders are not."""
    assert shown(text) == marks


@given(anything)
@settings(deadline=None)
def test_ranges_are_in_order_and_apart(text: str) -> None:
    """A caller can mask the ranges from left to right."""
    ranges = protected(text)
    flat = [at for pair in ranges for at in pair]

    assert flat == sorted(flat)
    assert all(0 <= start < end <= len(text) for start, end in ranges)


@given(anything)
@settings(deadline=None)
def test_words_are_letters_that_are_not_protected(text: str) -> None:
    """A text without a letter outside its marks has no words."""
    outside = "".join(char for at, char in enumerate(text) if not any(s <= at < e for s, e in protected(text)))

    assert not has_words(text) or any(map(str.isalpha, outside))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "42",
            "12.50 €",
            "…",
            "♪",
            "2026-01-02T03:04:05Z",
            "v1.2.3",
            "#ff00aa",
            "/usr/local/bin",
            "./a/b",
            "~/x",
        ),
        *(r"C:\Temp\a", "img/logo.png", "report.docx", "example.com", "user_name", "MAX_SIZE", "3f2504e04f8911d3"),
        *("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "1a2b3c4d5e"),
    ],
)
def test_names_for_machines_are_no_words(text: str) -> None:
    """Numbers, moments, paths, file names, identifiers and colours are not sent to a translator."""
    assert not has_words(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "Yes",
        "and/or",
        "COVID-19",
        "U.S.",
        "e-mail",
        "_so_",
        "日本語",
        "привет",
        "2nd",
        "Read user_name",
        "p. 12",
        "iPhone",
    ],
)
def test_words_are_words(text: str) -> None:
    """What could be a word of some language is one: leaving it out would leave it untranslated."""
    assert has_words(text)


def test_only_the_middle_of_a_range_is_inside() -> None:
    """A cut at either edge of a range leaves it whole."""
    ranges = [(2, 5), (5, 6), (8, 10)]

    assert [at for at in range(12) if is_inside(at, ranges)] == [3, 4, 9]
