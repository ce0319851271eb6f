"""SubRip and WebVTT: the viewer's text is taken out, times and names stay, broken files are read as far as they go."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments import take_apart

SRT = """\
1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> there,
my friend.

2
00:00:03,000 --> 00:00:04,000 X1:40 X2:600 Y1:20 Y2:50
{\\an8}- Who?


3
00:00:05,000 --> 00:00:06,000
♪ 42 ♪
"""
VTT = """\
WEBVTT - Some title
Kind: captions

STYLE
::cue { color: red }

NOTE a note --
of two lines

REGION
id:fred

intro
00:01.000 --> 00:02.000 line:0 align:start
<v Ann>Hello &amp; <b>welcome</b>
to this

NOTE another one

00:00:03.000 --> 00:00:04.000
<00:00:03.500>Bye
"""


def texts(source: str, extension: str = "srt") -> list[str]:
    return list(take_apart(source.encode(), extension).texts)


def test_a_subrip_file_gives_the_text_of_each_cue() -> None:
    """A cue is one text over its lines; numbers, times, places and cues without words are left out."""
    assert texts(SRT) == ["<i>Hello</i> there,\nmy friend.", "{\\an8}- Who?"]


def test_a_webvtt_file_gives_the_text_of_each_cue() -> None:
    """Header, styles, regions, notes and names of cues are left out."""
    assert texts(VTT, "vtt") == ["<v Ann>Hello &amp; <b>welcome</b>\nto this", "<00:00:03.500>Bye"]


@pytest.mark.parametrize(("source", "extension"), [(SRT, "srt"), (VTT, "vtt")])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_only_the_texts_change(source: str, extension: str, ending: str, mark: str) -> None:
    """A translated file differs from the original in the texts alone, whatever its line breaks."""
    document = mark + source.replace("\n", ending)
    found = take_apart(document.encode(), extension)
    result = found.rebuild(["Uno\ndos", "Tres"]).decode()
    expected = source.replace(found.texts[0], "Uno\ndos").replace(found.texts[1], "Tres")

    assert result == mark + expected.replace("\n", ending)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1\n00:01 --> 00:02\na b\n2\n00:03 --> 00:04\nc d", ["a b", "c d"]),
        ("00:01 --> 00:02\na b\n00:03 --> 00:04\nc d", ["a b", "c d"]),
        ("\n\n1\n00:01 --> 00:02\n\na b\n\n\nc d\n\n\n2\n00:03 --> 00:04\n\n", ["a b", "c d"]),
        ("1\n0:00:01.5-->0:00:02\na b\n17\n\n2\n00:03 --> 00:04\nc", ["a b\n17", "c"]),
        ("1\n00:01 --> 00:02\n2\n00:03 --> 00:04\nc", ["c"]),
        ("1\n00:01 --> 00:02", []),
        ("00:01 --> 00:02\n  a  \n\tb ", ["a  \n\tb"]),
        ("00:01 --> 00:02\nNOTE this\n\nname\n00:03 --> 00:04\nc", ["NOTE this", "c"]),
        ("no subtitles at all", []),
        ("", []),
    ],
)
def test_broken_files_are_read_from_their_times(source: str, expected: list[str]) -> None:
    """Missing numbers, missing or additional blank lines do not mix up the cues."""
    assert texts(source) == expected


def test_a_webvtt_cue_ends_at_a_blank_line() -> None:
    """What follows is a block of its own, which no viewer sees."""
    assert texts("WEBVTT\n\n00:01.000 --> 00:02.000\na\n\nNOTE b\n\n00:03.000 --> 00:04.000\n\nc", "vtt") == ["a"]


def test_an_answer_cannot_end_its_cue_or_begin_one() -> None:
    """Blank lines and arrows in an answer would shift every cue behind it."""
    found = take_apart(b"1\r\n00:01 --> 00:02\r\na b\r\n\r\n2\r\n00:03 --> 00:04\r\nc", "srt")
    result = found.rebuild(["x\n\n \ny --> z\n", "c"])

    assert result == b"1\r\n00:01 --> 00:02\r\nx\r\ny -> z\r\n\r\n2\r\n00:03 --> 00:04\r\nc"


lines = st.text("abcß日 <>i/&", max_size=10).map(lambda text: f"a{text}z")
cues = st.lists(st.lists(lines, min_size=1, max_size=3).map("\n".join), min_size=1, max_size=8)


@given(cues, st.data(), st.sampled_from(["srt", "vtt"]), st.sampled_from(["\n", "\r\n"]), st.integers(1, 3))
@settings(deadline=None)
def test_changed_texts_are_found_again(
    old: list[str], data: st.DataObject, extension: str, ending: str, blank: int
) -> None:
    """A translated file gives the translated texts under the same times."""
    new = [data.draw(st.lists(lines, min_size=1, max_size=3).map("\n".join)) for _ in old]

    def document(texts: list[str]) -> bytes:
        cues = [f"{at}\n00:00:{at:02}.000 --> 00:00:{at:02}.900\n{text}" for at, text in enumerate(texts, 1)]
        return ("WEBVTT\n\n" + ("\n" + "\n" * blank).join(cues)).replace("\n", ending).encode()

    found = take_apart(document(old), extension)

    assert found.rebuild(new) == document(new)
    assert take_apart(document(new), extension).texts == tuple(new)
