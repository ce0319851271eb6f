"""A document's texts come back to their places, and nothing that a program needs is lost on the way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.providers.cambai_texts import Piece, Reference, check_of, cut, joined

PROSE = st.text(alphabet=st.sampled_from("ab é中. !?\n{}x%s<b>`😀\ud83d"), max_size=60)


@given(st.lists(PROSE, max_size=6), st.integers(1, 30))
def test_pieces_are_the_texts(texts: list[str], limit: int) -> None:
    """Whatever the texts and the limit, the pieces joined are the texts, and none is longer than the limit."""
    pieces = cut(texts, limit)
    whole = [""] * len(texts)
    for piece in pieces:
        whole[piece.index] += piece.lead + piece.core + piece.trail

    assert whole == texts
    assert all(len(piece.core) <= limit for piece in pieces)
    assert pieces == cut(texts, limit)


@given(st.lists(PROSE, max_size=6), st.integers(1, 30))
def test_unchanged_translations_change_nothing(texts: list[str], limit: int) -> None:
    """A service that gives back what it was sent gives back the document."""
    pieces = cut(texts, limit)
    sent = [piece.sent for piece in pieces if piece.wanted]

    assert joined(texts, pieces, iter(sent)) == (texts, len(sent))


@given(st.lists(PROSE, max_size=6), st.integers(1, 30))
def test_what_is_sent_can_be_sent(texts: list[str], limit: int) -> None:
    """What goes out is UTF-8, has something to translate, and no white space around it."""
    sent = [piece.sent for piece in cut(texts, limit) if piece.wanted]

    assert all(text.encode() and text == text.strip() for text in sent)
    assert all(any(map(str.isalpha, text)) for text in sent)


def test_white_space_between_sentences_stays() -> None:
    """A text that was cut keeps its line breaks and blanks, whatever the service puts around its sentences."""
    texts = ["One sentence.  Another\nsentence.\n\nThird."]
    pieces = cut(texts, 16)
    translations = [f"\n {piece.core.upper()} " for piece in pieces]

    assert joined(texts, pieces, iter(translations))[0] == ["ONE SENTENCE.  ANOTHER\nSENTENCE.\n\nTHIRD."]


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("Dear {name},", "Cher nom,"),
        ("Dear {name},", "Cher {nom},"),
        ("Dear {name},", "Cher {name} {name},"),
        ("%d of %s files", "%d fichiers sur s"),
        ("See [the page](https://example.com/a) now", "Voir [la page](https://example.com/b)"),
        ("A <b>bold</b> word", "Un mot gras"),
        ("Run `make all` first", "Exécutez `tout faire` d'abord"),
        ("Hello", ""),
        ("Hello", "  \n"),
    ],
)
def test_lost_placeholder_keeps_the_original(source: str, translation: str) -> None:
    """A translation that lost, changed or doubled a placeholder, or is empty, is not taken."""
    [piece] = cut([source], 1000)

    assert piece.translated(translation) is None
    assert joined([source], [piece], iter([translation])) == ([source], 0)


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("{count} files of {name}", "{name} : {count} fichiers"),
        ("Save 20% today", "Bugün %20si bedava"),
        ("Mail to a@example.com.", "Écrivez à a@example.com."),
        ("Hello", "{bonjour}"),
    ],
)
def test_moved_placeholders_are_fine(source: str, translation: str) -> None:
    """Every language has its own order, and what only looks like a placeholder in the translation is none."""
    [piece] = cut([source], 1000)

    assert piece.translated(translation) == translation


def test_one_bad_piece_leaves_the_others() -> None:
    """Of several texts only the one without its placeholder stays as it was."""
    texts = ["Hello", "Dear {name}", "World"]

    assert joined(texts, cut(texts, 100), iter(["Bonjour", "Cher", "Monde"])) == (
        ["Bonjour", "Dear {name}", "Monde"],
        2,
    )


def test_pieces_without_words_are_not_sent() -> None:
    """What has nothing to translate costs nothing and stays."""
    texts = ["Hello.", "{name} 42"]
    pieces = cut(texts, 100)

    assert [piece.wanted for piece in pieces] == [True, False]
    assert joined(texts, pieces, iter(["Salut."])) == (["Salut.", "{name} 42"], 1)


def test_half_a_pair_becomes_a_question_mark() -> None:
    """Half a surrogate pair, which JSON in UTF-8 has no form for, is sent as a question mark."""
    assert Piece(0, "", "Hi \ud83d there", "").sent == "Hi ? there"
    assert json.dumps({"texts": [Piece(0, "", "Hi \ud83d", "").sent]}, ensure_ascii=False).encode()


# -- references -----------------------------------------------------------------------------------------------


@given(
    st.text(min_size=1).filter(lambda task: task.encode("utf-8", "replace").decode() == task),
    st.lists(st.text(st.characters(codec="utf-8"))),
    st.integers(1, 50_000),
    st.integers(1, 10_000),
    st.none() | st.integers(1, 10**17),
)
def test_reference_survives_the_journal(task: str, texts: list[str], limit: int, most: int, run: int | None) -> None:
    """Whatever id a service gives, the reference is one plain word and is read back as it was."""
    reference = Reference.of(task, texts, limit, most)
    reference = reference if run is None else reference.with_run(run)

    assert Reference.read(str(reference)) == reference
    assert Reference.of("another", texts, limit, most).mark in str(reference)
    assert str(reference).isascii()
    assert not set(str(reference)) & set(" /?#&\n")


def test_reference_can_be_read_by_people() -> None:
    """The two ids of the service stand in it as the service writes them."""
    reference = Reference.of("8c1b2f0e-7d1a", ["Hello"], 3000, 100).with_run(12345)

    assert str(reference) == f"8c1b2f0e-7d1a;texts=1;limit=3000;check={check_of(['Hello'])};most=100;run=12345"


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_is_a_reference(text: str) -> None:
    """A reference of somebody else is read as a task of that id, which cannot leave its place in a path."""
    task = Reference.read(text).task

    assert not set(task) & set(" /?#&;\n")


@given(
    st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=4),
)
def test_check_tells_texts_apart(one: list[str], other: list[str]) -> None:
    """Other texts, another number of them or another order have another sum."""
    assert (check_of(one) == check_of(other)) == (one == other)
