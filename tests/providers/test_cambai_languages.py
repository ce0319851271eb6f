"""Folders find CAMB.AI's languages, the built-in ones and those the service tells of; settings are checked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.languages import Route, UnknownLanguageError, route_for
from daemon.providers.cambai import CambAi
from daemon.providers.cambai_languages import BUILT_IN, read_list, table
from daemon.providers.cambai_settings import Settings

KEY = "a-key-of-the-tests"


def settings(**more: Any) -> Settings:
    return Settings.model_validate({"api_key": KEY, "source_language": "en", **more})


def route(folder: str, *listed: str, **more: Any) -> Route:
    known = settings(**more)
    return route_for(folder, table=CambAi.facts(known).languages, listed=listed, default_source=known.source_language)


def test_built_in_list_is_whole() -> None:
    """The list has 149 entries, 1 to 151 without 137 and 138, each with a tag of its own."""
    languages = table(BUILT_IN, BUILT_IN, by_id=True)

    assert [number for number, _ in BUILT_IN] == [number for number in range(1, 152) if number not in (137, 138)]
    assert len(BUILT_IN) == 149
    assert len(languages.targets) == len(languages.sources or ()) == 149


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        ("fr", "76"),
        ("fr-CA", "74"),
        ("FR_fr", "76"),
        ("de", "31"),
        ("es", "54"),
        ("es-MX", "58"),
        ("pt", "111"),
        ("pt-BR", "111"),
        ("pt-PT", "112"),
        ("zh", "139"),
        ("zh-CN", "139"),
        ("zh-Hans", "139"),
        ("zh-Hant", "146"),
        ("zh-HK", "145"),
        ("en-GB", "35"),
        ("no", "105"),
        ("uk", "132"),
        ("fil", "72"),
        ("sr-Cyrl", "120"),
        ("ar-XA", "150"),
        ("zh-CN-henan", "140"),
        ("zh_cn_sichuan", "144"),
        ("tl-PH", "151"),
    ],
)
def test_folders_find_their_language(folder: str, number: str) -> None:
    """A folder finds the language it names; the odd ones are found by their very name."""
    found = route(folder)

    assert (found.source_wire, found.target_wire) == ("1", number)


def test_english_is_american() -> None:
    """Without a region English is the service's first language."""
    assert route("en", source_language="fr").target_wire == "1"
    assert route("en", source_language="fr").source_wire == "76"


@pytest.mark.parametrize("folder", ["fr-LU", "es-419", "sr-Latn", "henan", "zh-SG", "xx", "137"])
def test_what_was_said_is_never_replaced(folder: str) -> None:
    """A region or script that the service does not have, and what is no language, find nothing."""
    with pytest.raises(UnknownLanguageError):
        route(folder)


def test_listed_number_is_a_language() -> None:
    """An administrator can name a folder after an id that no list has."""
    assert route("137", "137").target_wire == "137"


@pytest.mark.parametrize(("folder", "tag"), [("fr", "fr-fr"), ("zh-Hans", "zh-cn"), ("zh-CN-henan", "zh-cn-henan")])
def test_tags_are_sent_by_setting(folder: str, tag: str) -> None:
    """With language_ids: str the service's own locale tags are sent."""
    found = route(folder, language_ids="str")

    assert (found.source_wire, found.target_wire) == ("en-us", tag)


def test_source_is_detected_only_with_tags() -> None:
    """Only the newer form has a word for leaving the source to the service."""
    found = route("fr", language_ids="str", source_language=None)

    assert (found.source, found.source_wire) == (None, None)
    with pytest.raises(ValidationError, match="source_language is required"):
        settings(source_language=None)


# -- the lists that the service tells -------------------------------------------------------------------------


def test_told_list_is_read() -> None:
    """The documented entries give ids and names, in any spelling."""
    body = [
        {"id": 76, "language": "French (France)", "short_name": "fr-fr"},
        {"id": 152, "language": "French (Luxembourg)", "short_name": "fr_LU"},
        {"id": 160, "language": "Serbian", "short_name": "sr-latn-rs"},
    ]
    known = table(read_list(body), read_list(body), by_id=True)

    assert known.targets == {"fr-FR": "76", "fr-LU": "152", "sr-Latn-RS": "160"}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "fr",
        {},
        {"id": 76},
        {"short_name": "fr-fr"},
        {"id": "76", "short_name": "fr-fr"},
        {"id": True, "short_name": "fr-fr"},
        {"id": 0, "short_name": "fr-fr"},
        {"id": 76, "short_name": ""},
        {"id": 76, "short_name": "French (France)"},
        {"id": 76, "short_name": ["fr"]},
    ],
)
def test_odd_entries_are_left_out(entry: object) -> None:
    """An entry that cannot be read does not take the others with it."""
    assert read_list([entry, {"id": 1, "short_name": "en-us"}]) == ((1, "en-us"),)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "short_name", "x"]), inner),
        max_leaves=10,
    )
)
def test_any_answer_is_a_list(body: object) -> None:
    """Whatever comes, the reading of it gives entries of numbers and names, or none."""
    assert all(type(number) is int and name for number, name in read_list(body))


# -- settings -------------------------------------------------------------------------------------------------


def test_options_get_their_types() -> None:
    """Options are texts in the configuration and have the documented types when they are sent."""
    known = settings(
        options={
            "project_name": "Watch folder",
            "project_description": "What people drop",
            "folder_id": 7,
            "age": "30",
            "formality": 1,
            "gender": 9,
            "chosen_dictionaries": "12, 34",
        }
    )

    assert known.fields == {
        "project_name": "Watch folder",
        "project_description": "What people drop",
        "folder_id": 7,
        "age": 30,
        "formality": 1,
        "gender": 9,
        "chosen_dictionaries": [12, 34],
    }


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("formality", "formal", "formality is one of 1, 2"),
        ("formality", 3, "formality is one of 1, 2"),
        ("gender", 5, "gender is one of 0, 1, 2, 9"),
        ("age", "old", "age is a whole number"),
        ("folder_id", "-1", "folder_id is a whole number"),
        ("chosen_dictionaries", "12; 34", "chosen_dictionaries is numbers with commas between them"),
        ("project_name", "a" * 101, "project_name is a text of 1 to 100 characters"),
        ("project_description", "ab", "project_description is a text of 3 to 5000 characters"),
        ("tone", "formal", "unknown tone; the service knows project_name, project_description, folder_id, age"),
    ],
)
def test_wrong_options_are_refused(option: str, value: object, said: str) -> None:
    """A wrong option is refused with what was expected."""
    with pytest.raises(ValidationError, match=said):
        settings(options={option: value})


def test_all_wrong_options_are_told_at_once() -> None:
    """Two mistakes are two parts of one message."""
    with pytest.raises(ValidationError, match=r"age is a whole number; unknown tone"):
        settings(options={"age": "old", "tone": "formal"})


@pytest.mark.parametrize(
    "wrong",
    [{"max_texts": 0}, {"max_characters": 0}, {"max_characters": 50_001}, {"language_ids": "tag"}, {"bulk_results": 1}],
)
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    """Limits are positive, small enough for one answer, and the other keys have their words."""
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_facts_follow_the_settings() -> None:
    """Batches of results can be switched off; sizes and the number of tasks can be set."""
    usual = CambAi.facts(settings())
    other = CambAi.facts(settings(bulk_results=False, max_in_flight=3, max_bytes=1000))

    assert (usual.fetch_batch, usual.max_in_flight, usual.max_bytes) == (5, 10, 20_000_000)
    assert (other.fetch_batch, other.max_in_flight, other.max_bytes) == (1, 3, 1000)
    assert (usual.assembles, usual.learns_languages, usual.costs, usual.poll_batch) == (True, True, "characters", 1)


def test_only_what_can_be_taken_apart_is_taken() -> None:
    """The service has no call for files: documents with a segmenter are taken, films and recordings are not."""
    taken = CambAi.facts(settings()).extensions

    assert taken == {"txt", "md", "srt", "vtt", "html", "htm", "json", "docx"}
