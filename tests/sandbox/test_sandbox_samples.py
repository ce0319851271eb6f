"""The samples are what they claim to be, and come back from the sandbox translated and whole."""

import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.sandbox.clip import FRAMES, HEIGHT, WIDTH, sunrise
from daemon.sandbox.localise import localise, marked, pseudo
from daemon.sandbox.misbehave import Memory
from daemon.sandbox.samples import figures, letter, write_samples
from daemon.segments import take_apart
from daemon.segments.placeholders import protected

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf")
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def boxes(data: bytes, path: str = "", base: int = 0) -> Iterator[tuple[str, int, bytes]]:
    """Every box of an MP4 file with its path, the place of its content and the content; sizes must add up."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at, f"box at {base + at} is longer than its place"
        name, content = f"{path}/{kind.decode()}", data[at + 8 : at + size]
        yield name, base + at + 8, content
        if kind in CONTAINERS:
            yield from boxes(content, name, base + at + 8)
        at += size


def test_samples_are_written(tmp_path: Path) -> None:
    """Every sample is there under its kind, and writing them again gives the same bytes."""
    samples = write_samples(tmp_path)
    first = {kind: path.read_bytes() for kind, path in samples.items()}
    second = {kind: path.read_bytes() for kind, path in write_samples(tmp_path).items()}

    assert list(samples) == ["docx", "srt", "md", "mp4", "failing"]
    assert all(path.suffix == f".{kind}" for kind, path in samples.items() if kind != "failing")
    assert first == second


def test_failing_sample_fails(tmp_path: Path) -> None:
    """The failing sample's name carries the token, and no other's does."""
    failing = {
        kind
        for kind, path in write_samples(tmp_path).items()
        if "fail" in Memory().manners("gpttranslator", "a", path.name, "")
    }

    assert failing == {"failing"}


@pytest.mark.parametrize("document", [letter(), figures()])
def test_documents_are_whole(document: bytes) -> None:
    """Every part of a Word document is well-formed, has a type, and every relation leads to a part."""
    archive = zipfile.ZipFile(BytesIO(document))
    parts = {name: ET.fromstring(archive.read(name)) for name in archive.namelist()}
    overrides = {element.get("PartName", "/")[1:] for element in parts["[Content_Types].xml"]} - {""}
    targets = {element.get("Target") for element in parts["word/_rels/document.xml.rels"]}

    assert archive.testzip() is None
    assert archive.namelist()[0] == "[Content_Types].xml"
    assert overrides == {"word/document.xml", "word/styles.xml", "word/numbering.xml"}
    assert overrides <= set(parts)
    assert {f"word/{target}" for target in targets} <= set(parts)


def test_letter_has_all_its_pieces() -> None:
    """The letter shows a heading, a word in bold, a list and a table."""
    body = ET.fromstring(zipfile.ZipFile(BytesIO(letter())).read("word/document.xml"))
    bold = ["".join(run.itertext()) for run in body.iter(f"{WORD}r") if run.find(f"{WORD}rPr/{WORD}b") is not None]

    assert body.find(f".//{WORD}pStyle[@{WORD}val='Heading1']") is not None
    assert bold == ["far too many"]
    assert len(list(body.iter(f"{WORD}numPr"))) == 3
    assert len(list(body.iter(f"{WORD}tr"))) == 3


def test_film_is_well_formed() -> None:
    """The film's boxes add up, and every frame is where the index says and begins an independent picture."""
    data = sunrise()
    found = {name: (at, content) for name, at, content in boxes(data)}
    top = [name for name, _, _ in boxes(data) if name.count("/") == 1]
    start_of_data, frames = found["/mdat"]
    table = "/moov/trak/mdia/minf/stbl"
    sizes = struct.unpack(f">{FRAMES}I", found[f"{table}/stsz"][1][12:])
    (first,) = struct.unpack(">I", found[f"{table}/stco"][1][8:])
    entry = found[f"{table}/stsd"][1]
    at, kinds = 0, []
    for size in sizes:
        length, head = struct.unpack_from(">IB", frames, at)
        kinds.append((length == size - 4, head & 31))
        at += size

    assert top == ["/ftyp", "/mdat", "/moov"]
    assert first == start_of_data
    assert at == len(frames)
    assert kinds == [(True, 5)] * FRAMES
    assert entry[12:16] == b"avc1"
    assert struct.unpack_from(">HH", entry, 40) == (WIDTH, HEIGHT)


def test_film_has_no_start_codes() -> None:
    """Within a frame no three bytes look like the beginning of another unit."""
    frames = next(content for name, _, content in boxes(sunrise()) if name == "/mdat")
    (length,) = struct.unpack_from(">I", frames)

    assert not any(bytes([0, 0, last]) in frames[4 : 4 + length] for last in (0, 1, 2))


def test_subtitles_keep_their_times(tmp_path: Path) -> None:
    """Translated subtitles have the same numbers, times and tags, other words, and one mark."""
    source = write_samples(tmp_path)["srt"].read_text()
    translated = localise(source.encode(), "srt", "fr").decode()
    untouched = [line for line in source.splitlines() if "-->" in line or line.isdecimal() or not line]

    assert [line for line in translated.splitlines() if line in untouched] == untouched
    assert translated.count("[fr] ") == 1
    assert "[fr] Évéŕý möŕñíñĝ ţĥé šüñ ĥáš ţĥé šámé íđéá." in translated
    assert "<i>Öñļý ţĥé ļíĝĥţĥöüšé ķéépéŕ íš.</i>" in translated


def test_notes_keep_their_markup(tmp_path: Path) -> None:
    """Translated notes keep code, link, placeholder and table as they were."""
    source = write_samples(tmp_path)["md"].read_text()
    translated = localise(source.encode(), "md", "de").decode()

    assert translated.startswith("# [de] Ñöţéš")
    assert all(
        kept in translated for kept in ("{name}", "(https://example.org/logbook)", "```sh\nlamp --please --light\n```")
    )
    assert "**ñíñéţý-éíĝĥţ**" in translated
    assert translated.count("|") == source.count("|")
    assert len(translated.splitlines()) == len(source.splitlines())


def test_letter_keeps_its_shape() -> None:
    """A translated letter is a document of the same structure with other words, marked once."""
    translated = localise(letter(), "docx", "fr")
    before, after = take_apart(letter(), "docx").texts, take_apart(translated, "docx").texts
    parts = [zipfile.ZipFile(BytesIO(document)).read("word/document.xml") for document in (letter(), translated)]
    shapes = [[element.tag for element in ET.fromstring(part).iter()] for part in parts]

    assert after[0] == "[fr] Á ļéţţéŕ fŕöm ţĥé ĝáŕđéñ"
    assert len(after) == len(before)
    assert shapes[0] == shapes[1]


@given(st.text())
def test_pseudo_text_keeps_length_and_what_is_protected(text: str) -> None:
    """Every letter becomes exactly one other, and protected ranges stay as they are."""
    result = pseudo(text)

    assert len(result) == len(text)
    assert all(result[start:end] == text[start:end] for start, end in protected(text))


@given(st.text())
def test_mark_changes_nothing_but_its_place(text: str) -> None:
    """The mark stands before the first visible character, and blank text gets none."""
    result = marked(text, "fr")

    assert result.replace("[fr] ", "", 1) == text or "[fr] " in text
    assert (result == text) == (not text.strip())
