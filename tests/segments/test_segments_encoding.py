"""Byte order marks, encodings and line breaks survive a translation; what no encoding holds is handled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.segments import NotSegmentableError, take_apart
from daemon.segments.encoding import decode, decode_markup


@given(st.binary())
def test_every_byte_has_one_character(data: bytes) -> None:
    """Bytes that are no UTF-8 are read one by one, and written back as they were."""
    data = b"\xe9(" + data.replace(b"\0", b"")  # a lone byte of Windows-1252 is no UTF-8
    found = decode(data)

    assert found.codec is None
    assert len(found.text) == len(data)
    assert found.encode(found.text) == data


@pytest.mark.parametrize(
    ("mark", "codec"),
    [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"", "utf-8")],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_mark_encoding_and_line_breaks_survive(mark: bytes, codec: str, ending: str) -> None:
    """A changed file has the mark, the encoding and the line breaks it had."""
    document = mark + f"Größe{ending}{ending}  Zwei 😀 {ending}".encode(codec)
    found = take_apart(document, "txt")

    assert found.texts == ("Größe", "Zwei 😀")
    assert found.rebuild(["大きさ", "二"]) == mark + f"大きさ{ending}{ending}  二 {ending}".encode(codec)


def test_mixed_line_breaks_survive() -> None:
    """Each line keeps its own line break."""
    found = take_apart(b"one\r\ntwo\rthree\nfour", "txt")

    assert found.rebuild(["a", "b", "c", "d"]) == b"a\r\nb\rc\nd"


def test_windows_1252_stays_while_it_can() -> None:
    """A translation that fits into the file's single bytes is written in them."""
    assert take_apart(b"Na\xefve \x80 5", "txt").rebuild(["Café – 5 €"]) == b"Caf\xe9 \x96 5 \x80"


def test_a_plain_text_becomes_utf_8_when_it_must() -> None:
    """A plain text declares no encoding, so the whole file can change it when a translation does not fit."""
    found = take_apart(b"Na\xefve\r\nCaf\xe9", "txt")

    assert found.rebuild(["日本", "Café"]) == "日本\r\nCafé".encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "UTF-32"),
        (b"\xff\xfea\x00b", "utf-16-le"),
        (b"\xef\xbb\xbf\xff", "utf-8"),
        (b"a\x00b\x00", "unknown"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "unknown"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, reason: str) -> None:
    """Bytes that would be read as rubbish are refused with a reason, before anybody pays for it."""
    with pytest.raises(NotSegmentableError, match=reason):
        take_apart(data, "txt")
    with pytest.raises(NotSegmentableError, match=reason):
        take_apart(data, "html")


def test_halves_of_surrogate_pairs_in_utf_16_survive() -> None:
    """Windows programs write them; they are no reason to lose a file."""
    data = b"\xff\xfe" + "a\ud800b\n".encode("utf-16-le", "surrogatepass") + "Text".encode("utf-16-le")
    found = take_apart(data, "txt")

    assert found.rebuild(found.texts) == data
    assert found.rebuild([found.texts[0], "Word"]).endswith("Word".encode("utf-16-le"))


@pytest.mark.parametrize(
    ("label", "codec"),
    [("iso-8859-2", "iso8859-2"), ("Shift_JIS", "shift_jis"), ("windows-1251", "cp1251"), ("koi8-r", "koi8-r")],
)
def test_a_declared_encoding_of_markup_is_used_and_kept(label: str, codec: str) -> None:
    """What the encoding lacks becomes a character reference, so the declaration stays true."""
    word = b"\xc1\xc2".decode(codec)
    head = f'<meta http-equiv="Content-Type" content="text/html; charset={label}">'
    found = take_apart(f"{head}<p>{word}".encode(codec), "html")

    assert found.texts == (word,)
    assert found.rebuild([f"{word} €ß日"]).endswith(
        word.encode(codec) + b" " + "€ß日".encode(codec, "xmlcharrefreplace")
    )


def test_latin_1_of_markup_is_windows_1252() -> None:
    """Browsers read it so."""
    document = b"<meta charset=latin1><p>5 \x80 au caf\xe9"

    assert take_apart(document, "html").texts == ("5 € au café",)
    assert take_apart(document, "html").rebuild(["日 €"]) == b"<meta charset=latin1><p>&#26085; \x80"


def test_ascii_markup_without_a_declaration_stays_ascii() -> None:
    """Nothing tells a browser how to read anything else, so a translation comes in character references."""
    assert take_apart(b"<p>Coffee", "html").rebuild(["Café 日"]) == b"<p>Caf&#233; &#26085;"


def test_utf_8_markup_gets_utf_8() -> None:
    """Declared or evident, UTF-8 needs no references."""
    assert (
        take_apart(b"<meta charset=UTF-8><p>Coffee", "html").rebuild(["Café"]) == "<meta charset=UTF-8><p>Café".encode()
    )
    assert take_apart("<p>Kaffee – süß".encode(), "html").rebuild(["Café"]) == "<p>Café".encode()


@pytest.mark.parametrize(
    ("document", "codec"),
    [
        (b'<?xml version="1.0" encoding="ISO-8859-5"?><p>a', "iso8859-5"),
        (b"<meta charset=utf-7><p>a", "ascii"),
        (b"<meta charset=unicode_escape><p>a", "ascii"),
        (b"<meta charset=no-such-thing><p>a", "ascii"),
        (b"<meta charset=utf-16><p>a", "utf-8"),
        (b"<meta charset=utf-8><p>\xff", None),
        (b"<meta charset=iso-2022-kr><p>\xc3\xa4", "utf-8"),
    ],
)
def test_declarations_are_believed_within_reason(document: bytes, codec: str | None) -> None:
    """A declaration that is wrong, unknown or means escapes instead of letters does not decide."""
    assert decode_markup(document).codec == codec
