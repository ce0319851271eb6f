"""What holds for every text format: nothing is lost, nothing but texts changes, the same bytes give the same texts."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daemon.segments import EXTENSIONS, NotSegmentableError, Segmented, take_apart

TEXT_FORMATS = sorted(EXTENSIONS - {"docx"})
PROSE = [
    "Two words",
    "Ünïcode 日本語",
    "a",
    "42",
    " ",
    "  ",
    "\t",
    "{name}",
    "%s",
    "&amp;",
    "https://a.example/b",
    "`co de`",
]
BREAKS = ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\u2028", "\x0b", "\x85"]
NASTY = {
    "txt": ["\ufeff", "…", "\xa0"],
    "md": [
        *("# ", "## ", " ##", "- ", "* ", "1. ", "7) ", "> ", ">", "    ", "\t", "---", "===", "```", "~~~", "``", "`"),
        *(
            "| ",
            "|",
            "|---|---|",
            "[a]: http://x.y",
            "[a]",
            "[b](c d)",
            "![alt](i.png)",
            "<b>",
            "</b>",
            "<div>",
            "<!--",
        ),
        *("-->", "<pre>", "</pre>", "\\", "[x] ", "[^1]: ", "+++", "key: value", "**", "$$", "<br>", "***", "  \n"),
    ],
    "srt": ["1", "00:00:01,000 --> 00:00:02,000", "00:01,5-->00:02,5", "-->", "<i>", "</i>", "{\\an8}"],
    "vtt": [
        *("WEBVTT", "NOTE ", "STYLE", "REGION", "id", "00:01.000 --> 00:02.000 line:0", "-->", "<v Ann>", "</v>"),
        *("<00:00:01.000>", "&lt;", "::cue { color: red }"),
    ],
    "html": [
        *(
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<br/>",
            "<",
            ">",
            "&",
            "&amp;",
            "a&nbsp;b",
            "&#65;",
            "<!--",
            "-->",
            "<!DOCTYPE html>",
        ),
        *("<script>", "</script>", "<style>", "</style>", "<pre>", "</pre>", "<code>", "</code>", "<?php", "?>", "</"),
        *(
            "<p title='A tip'>",
            '<img alt="An image" src=x>',
            '<p translate="no">',
            "<p class=notranslate>",
            "<a b='",
            '"',
            "'",
        ),
        *(
            "<meta charset=iso-8859-2>",
            "<meta charset=utf-8>",
            '<meta name="description" content="Some words">',
            "<textarea>",
        ),
    ],
    "json": [
        '{"key": "',
        '"}',
        '["',
        '"]',
        '", "',
        '": "',
        "\\n",
        "\\u00e4",
        "\\ud83d",
        '\\"',
        "\\",
        "1.5e3",
        "null",
        ", ",
        "{}",
    ],
}
NASTY["htm"] = NASTY["html"]
calm = settings(deadline=None)


def documents(extension: str) -> st.SearchStrategy[str]:
    """Heaps of what the format is made of, in no sensible order."""
    pieces = st.sampled_from(NASTY[extension] + PROSE + BREAKS)
    return st.lists(pieces | st.text(max_size=5), max_size=40).map("".join)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    extension = draw(st.sampled_from(TEXT_FORMATS))
    text = documents(extension)
    encoded = st.one_of(
        text.map(lambda text: text.encode("utf-8")),
        text.map(lambda text: text.encode("utf-8-sig")),
        text.map(lambda text: b"\xff\xfe" + text.encode("utf-16-le")),
        text.map(lambda text: b"\xfe\xff" + text.encode("utf-16-be")),
        text.map(lambda text: text.encode("cp1252", "ignore")),
        st.binary(),
    )
    return extension, draw(encoded)


def taken_apart(extension: str, data: bytes) -> Segmented:
    try:
        return take_apart(data, extension)
    except NotSegmentableError:
        assume(False)
        raise


@given(files())
@settings(deadline=None, max_examples=1000)
def test_unchanged_texts_give_the_same_bytes(file: tuple[str, bytes]) -> None:
    """Whatever the bytes and their encoding are, putting back what was taken out changes nothing."""
    extension, data = file
    found = taken_apart(extension, data)

    assert found.rebuild(found.texts) == data


@given(files())
@calm
def test_taking_apart_is_deterministic(file: tuple[str, bytes]) -> None:
    """The same bytes give the same texts."""
    extension, data = file

    assert taken_apart(extension, data).texts == taken_apart(extension, data).texts


@given(st.data(), st.sampled_from(sorted(set(TEXT_FORMATS) - {"json"})))
@settings(deadline=None, max_examples=500)
def test_one_changed_text_leaves_everything_around_it(data: st.DataObject, extension: str) -> None:
    """A document with one changed text begins and ends as before, byte for byte."""
    document = data.draw(documents(extension)).encode()
    found = taken_apart(extension, document)
    assume(found.texts)
    index = data.draw(st.integers(0, len(found.texts) - 1))
    texts = list(found.texts)
    texts[index] = "Zxzxz"
    before, after = found.rebuild(texts).split(b"Zxzxz")

    assert document.startswith(before)
    assert document.endswith(after)


@given(st.data(), st.sampled_from(TEXT_FORMATS), st.text(st.characters()))
@settings(deadline=None, max_examples=500)
def test_any_answer_can_be_put_back(data: st.DataObject, extension: str, answer: str) -> None:
    """Whatever a translator answers, even halves of characters, goes to its place and no further."""
    found = taken_apart(extension, data.draw(documents(extension)).encode())
    assume(found.texts)
    index = data.draw(st.integers(0, len(found.texts) - 1))
    head, tail = found.texts[:index], found.texts[index + 1 :]
    assume(answer != found.texts[index])
    before, after = found.rebuild([*head, "Zxzxz", *tail]).split(b"Zxzxz")
    rebuilt = found.rebuild([*head, answer, *tail])

    assert rebuilt.startswith(before)
    assert rebuilt.endswith(after)


@pytest.mark.parametrize("extension", TEXT_FORMATS)
def test_every_text_has_words(extension: str) -> None:
    """Texts are never blank and have no white space at their ends that a service would trim."""
    document = {
        "html": b"<p> One text </p> <p>12<br>\n",
        "htm": b"<title>\n One text\n</title> &nbsp; ",
        "json": b'{"a": " One text ", "b": "", "c": "12", "d": " "}',
        "srt": b"1\n00:00:01,000 --> 00:00:02,000\n One text \n\n2\n00:00:03,000 --> 00:00:04,000\n12\n",
        "vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\n One text \n\n00:03.000 --> 00:04.000\n...\n",
    }.get(extension, b"\n  One text  \n\n \t \n\n12\n\n")

    assert take_apart(document, extension).texts == ("One text",)


@pytest.mark.parametrize("extension", TEXT_FORMATS)
def test_a_wrong_number_of_texts_is_refused(extension: str) -> None:
    """Texts are matched by their order alone, so one too few or too many must never be spread over the places."""
    found = take_apart(b'["One text"]', extension)

    with pytest.raises(ValueError, match=f"^{len(found.texts) + 1} texts for the {len(found.texts)} "):
        found.rebuild([*found.texts, "one more"])


def test_an_unknown_extension_is_refused_by_name() -> None:
    """The reason names the type, because it ends up before the person who dropped the file."""
    with pytest.raises(NotSegmentableError, match=r"\.xlsx"):
        take_apart(b"", "xlsx")


def test_extensions_are_read_in_any_case() -> None:
    """`README.TXT` is a text like any other."""
    assert take_apart(b"One text", "TXT").texts == ("One text",)


def test_the_known_extensions() -> None:
    """The formats that can be taken apart are exactly those."""
    assert {"txt", "md", "srt", "vtt", "html", "htm", "json", "docx"} == EXTENSIONS


def test_a_document_taken_apart_is_frozen() -> None:
    """The texts that were taken out stay what they were."""
    found = take_apart(b"One text", "txt")

    with pytest.raises(FrozenInstanceError):
        found.texts = ()  # type: ignore[misc]  # what the test is about
