"""Long texts are cut between sentences, and texts are grouped into tasks."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments.placeholders import protected
from daemon.segments.split import group, split_sentences

texts = st.lists(
    st.sampled_from(
        ["Word", "word", " ", ". ", "! ", '." ', "\n", "。", "e.g. ", "{name}", "<b class='x y'>", "`a. B`", "x" * 30]
    )
).map("".join)
limits = st.integers(1, 80)


@given(texts | st.text(), limits)
@settings(deadline=None)
def test_pieces_join_to_the_text_and_keep_the_limit(text: str, limit: int) -> None:
    """Nothing is lost, and no piece is longer than allowed."""
    pieces = split_sentences(text, limit)

    assert "".join(pieces) == text
    assert all(len(piece) <= limit for piece in pieces)
    assert all(pieces) or pieces == [""]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(50, 90))
def test_sentences_are_not_cut(words: list[int], limit: int) -> None:
    """When every sentence fits, every piece is made of whole ones, and no two pieces would fit together."""
    text = "".join("Word " * count + "end. " for count in words)
    pieces = split_sentences(text, limit)

    assert all(piece.endswith("end. ") for piece in pieces)
    assert all(len(first) + len(second) > limit for first, second in pairwise(pieces))


@given(texts, limits)
@settings(deadline=None)
def test_what_is_protected_is_not_cut(text: str, limit: int) -> None:
    """A placeholder that fits into a piece is in one piece."""
    cuts = [len("".join(split_sentences(text, limit)[:index])) for index in range(1, len(split_sentences(text, limit)))]

    assert not [cut for cut in cuts for start, end in protected(text) if start < cut < end and end - start <= limit]


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("One. Two. Three.", 10, ["One. Two. ", "Three."]),
        ("Is it? Yes! (So.) Well.", 12, ["Is it? Yes! ", "(So.) Well."]),
        ("Many, e.g. this one. Next.", 22, ["Many, e.g. this one. ", "Next."]),
        ("一つ。二つ。三つ。", 6, ["一つ。二つ。", "三つ。"]),
        ("One line\nAnother line", 15, ["One line\n", "Another line"]),
        ("a sentence of many words", 11, ["a sentence ", "of many ", "words"]),
        ("Unterbrechung", 5, ["Unter", "brech", "ung"]),
        ("See {a_long_name}", 14, ["See ", "{a_long_name}"]),
        ("Short.", 6, ["Short."]),
    ],
)
def test_cuts_are_at_sentences_then_words_then_anywhere(text: str, limit: int, pieces: list[str]) -> None:
    """The best place within the limit is taken; a full stop before a small letter is no end."""
    assert split_sentences(text, limit) == pieces


def test_no_room_is_refused() -> None:
    """A limit of nothing could never be kept."""
    with pytest.raises(ValueError, match="limit of 0"):
        split_sentences("text", 0)


@given(st.lists(st.text(max_size=12), max_size=30), st.integers(1, 6), st.integers(1, 30))
def test_groups_keep_both_limits_and_the_order(items: list[str], max_texts: int, max_characters: int) -> None:
    """Every text is in one group, in its order; a group over the limit is one text that is."""
    groups = group(items, max_texts, max_characters)

    assert [index for indexes in groups for index in indexes] == list(range(len(items)))
    assert all(0 < len(indexes) <= max_texts for indexes in groups)
    assert all(sum(len(items[i]) for i in indexes) <= max_characters or len(indexes) == 1 for indexes in groups)


def test_groups_are_filled() -> None:
    """A new task begins only when the next text does not fit."""
    assert group(["aaaa", "bbbb", "cc", "dddddddddddd", "e"], 3, 10) == [[0, 1, 2], [3], [4]]
