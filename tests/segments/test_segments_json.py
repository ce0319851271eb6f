"""JSON: values that are sentences are taken out; keys, names for machines and the formatting stay."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments import NotSegmentableError, take_apart
from daemon.segments.placeholders import has_words

CATALOGUE = """{
  "title" :  "A \\"quoted\\" title",\t"id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
  "url": "https://a.example/b", "icon": "img/a.png", "count": 12, "on": true,
  "menu": ["Open file", "", "42", {"Open file": "Caf\\u00e9\\nTwo lines"}, null],
  "hello {name}": "Hello {name}, you have %d messages "
}
"""


def rebuilt(source: str, *texts: str) -> str:
    return take_apart(source.encode(), "json").rebuild(texts).decode()


def test_a_catalogue_gives_its_sentences() -> None:
    """Texts come without escapes and without white space at their ends; identifiers, addresses and keys do not come."""
    assert take_apart(CATALOGUE.encode(), "json").texts == (
        'A "quoted" title',
        "Open file",
        "Café\nTwo lines",
        "Hello {name}, you have %d messages",
    )


def test_a_translated_catalogue_keeps_keys_and_formatting() -> None:
    """Only the values differ; the file was plain ASCII and stays so."""
    result = rebuilt(CATALOGUE, "Der „Titel“", "Datei öffnen", "Café\nZwei", "Hallo {name}")
    expected = CATALOGUE.replace('"A \\"quoted\\" title"', '"Der \\u201eTitel\\u201c"')
    expected = expected.replace('["Open file"', '["Datei \\u00f6ffnen"').replace("Two lines", "Zwei")

    assert result == expected.replace("Hello {name}, you have %d messages ", "Hallo {name} ")
    assert list(json.loads(result)) == list(json.loads(CATALOGUE))


def test_other_letters_are_written_as_they_are_where_the_file_does_so() -> None:
    """A file with letters beyond ASCII gets no escapes, but for what UTF-8 cannot hold."""
    assert rebuilt('["Größe"]', 'Ü "1"\n') == '["Ü \\"1\\"\\n"]'
    assert rebuilt('["Größe"]', "a \ud83d b") == '["a \\ud83d b"]'


@pytest.mark.parametrize("source", ["", "{", '{"a": "b"', "['a']", '{"a": "b"} {"c": "d"}', '["a\nb"]', "<p>"])
def test_what_is_no_json_is_refused(source: str) -> None:
    """The reason says where the reading stopped."""
    with pytest.raises(NotSegmentableError, match=r"no valid JSON: .* \(char \d+\)"):
        take_apart(source.encode(), "json")


def test_numbers_of_any_length_are_numbers() -> None:
    """Only the form of the document is looked at, never the value of a number."""
    assert take_apart(b'{"pi": ' + b"3" * 10_000 + b', "a": "One text"}', "json").texts == ("One text",)


def test_nesting_without_end_is_refused() -> None:
    """A file made to exhaust the reader is an error of the file."""
    with pytest.raises(NotSegmentableError, match="nested"):
        take_apart(b"[" * 100_000, "json")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in inner for text in strings(item)]


def renamed(value: Any) -> Any:
    if isinstance(value, str):
        core = value.strip()
        return value.replace(core, f"{core} ☃ \"'\\\n<", 1) if has_words(core) else value
    if isinstance(value, dict):
        return {key: renamed(item) for key, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value


@given(values, st.booleans(), st.sampled_from([None, 1, "\t"]))
@settings(deadline=None, max_examples=300)
def test_every_value_is_found_and_written(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    """Any document, however written, gives its texts, and reads as the same document with the new ones."""
    document = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = take_apart(document.encode(), "json")
    result = found.rebuild([f"{text} ☃ \"'\\\n<" for text in found.texts])

    assert list(found.texts) == [text.strip() for text in strings(value) if has_words(text.strip())]
    assert json.loads(result) == renamed(value)
    assert not document.isascii() or result.isascii()
