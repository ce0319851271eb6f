"""Names that are sent, delivered, numbered and shown: bounds in bytes, stable ends, nothing unprintable."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.names import (
    CANCELS,
    NAME_LIMIT,
    alike,
    clean,
    extension,
    fit,
    hex_of,
    is_job_id,
    job_id,
    job_time_ms,
    never_touched,
    numbered,
    result_name,
    sent_name,
    shown,
    sidecar_name,
    withdrawn_by,
)

JOB = job_id(1_767_225_600_000, 12_345)

# What a directory listing can give: any bytes, those that are no UTF-8 as surrogates.
listed_names = st.binary(min_size=1, max_size=255).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
# Real names: letters of all planes, accents, emoji.
written_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
any_text = st.text(st.characters(), max_size=300)
all_names = st.one_of(listed_names, written_names, any_text)


def size_of(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def within_limit(name: str) -> bool:
    try:
        return 0 < size_of(name) <= NAME_LIMIT
    except UnicodeEncodeError:
        return False


disk_names = st.one_of(listed_names, written_names).filter(within_limit)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.docx", "docx"),
        ("REPORT.DOCX", "docx"),
        ("archive.tar.gz", "gz"),
        ("no extension", ""),
        (".profile", ""),
        ("..docx", ""),
        ("ends with a dot.", ""),
        ("v1.final text", ""),
        ("x.d\N{LATIN SMALL LETTER O WITH DIAERESIS}c", ""),
        ("x.abcdefghijklmnopq", ""),
        ("x.docx\n", ""),
        ("", ""),
    ],
)
def test_extension(name: str, expected: str) -> None:
    """An extension is what follows the last dot when it is plain letters and digits, in lower case."""
    assert expected == extension(name)


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("report.docx", "report", ".docx"),
        ("Q3 r\N{LATIN SMALL LETTER E WITH ACUTE}sum\u00e9 (2).PDF", "Q3_r_sum___2_", ".pdf"),
        ("no_extension", "no_extension", ""),
        ("-rf.docx", "_rf", ".docx"),
        (".hidden.docx", "_hidden", ".docx"),
        ("...x.docx", "_x", ".docx"),
        ("two\nlines.txt", "two_lines", ".txt"),
        ("\udcff\udcfe.txt", "__", ".txt"),
        ("\N{GRINNING FACE}.mp4", "_", ".mp4"),
        ("a" * 251 + ".txt", "a" * 60, ".txt"),
        ("", "_", ""),
    ],
)
def test_sent_name(name: str, stem: str, suffix: str) -> None:
    """The sent name keeps what every service takes of the stem, then the token, then the extension."""
    assert f"{stem}.{JOB}-3{suffix}" == sent_name(name, JOB, 3)


@given(name=all_names, attempt=st.integers(1, 10**6))
def test_sent_name_is_always_plain(name: str, attempt: int) -> None:
    """Whatever a file is called, its sent name is short, plain ASCII, no option and not hidden."""
    sent = sent_name(name, JOB, attempt)

    assert re.fullmatch(rf"[A-Za-z0-9_~][A-Za-z0-9._~-]{{0,59}}\.{JOB}-{attempt}(\.[a-z0-9]{{1,16}})?", sent)


@pytest.mark.parametrize(
    ("original", "returned", "expected"),
    [
        ("report.docx", "docx", "report.docx"),
        ("report.DOCX", "docx", "report.DOCX"),
        ("report.odt", "docx", "report.docx"),
        ("report.odt", ".DOCX", "report.docx"),
        ("photo.JPG", "jpeg", "photo.JPG"),
        ("page.htm", "html", "page.htm"),
        ("talk.mp4", "m4a", "talk.m4a"),
        ("talk.mov", "mp4", "talk.mp4"),
        ("notes", "txt", "notes.txt"),
        ("notes", None, "notes"),
        ("notes.txt", None, "notes.txt"),
        ("notes.txt", "", "notes.txt"),
        ("notes.txt", "../../etc/passwd", "notes.txt"),
        ("notes.txt", "sh\n", "notes.txt"),
        ("v1.final text", "docx", "v1.final text.docx"),
    ],
)
def test_result_name(original: str, returned: str | None, expected: str) -> None:
    """A result keeps its original's name; its extension changes only for another format, plainly told."""
    assert expected == result_name(original, returned)


@given(original=disk_names, returned=st.one_of(st.none(), any_text))
def test_result_name_never_leaves_its_folder(original: str, returned: str | None) -> None:
    """A service's word for the format adds at most a plain extension to the original's stem."""
    name = result_name(original, returned)

    assert name == original or re.fullmatch(r"\.[a-z0-9]{1,16}", name[name.rindex(".") :])
    assert name.count("/") == original.count("/")


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("report.docx", 1, "report.docx"),
        ("report.docx", 2, "report (2).docx"),
        ("README", 3, "README (3)"),
        (".profile", 2, ".profile (2)"),
    ],
)
def test_numbered(name: str, number: int, expected: str) -> None:
    """The number stands before the extension, and the first choice has none."""
    assert expected == numbered(name, number)


@given(name=disk_names, first=st.integers(1, 10**6), second=st.integers(1, 10**6))
def test_numbered_names_stay_different(name: str, first: int, second: int) -> None:
    """Two numbers give two names even where a name is cut for them, so a free one is always found."""
    names = {fit(numbered(name, number), "", JOB) for number in (first, second)}

    assert len({first, second}) == len(names)


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("report.docx", ".error.json", "report.docx.error.json"),
        ("a" * 239 + ".docx", ".error.json", "a" * 239 + ".docx.error.json"),
        ("a" * 240 + ".docx", ".error.json", "a" * 222 + f"~{JOB}.docx.error.json"),
        ("a" * 255, "", "a" * 255),
        ("a" * 256, "", "a" * 238 + f"~{JOB}"),
        ("a" * 251 + " (2).txt", "", "a" * 230 + f"~{JOB} (2).txt"),
        # 62 emoji of four bytes, a name of 253: room for 55 of them and two bytes that stay unused.
        (
            "\N{GRINNING FACE}" * 62 + ".docx",
            ".error.json",
            "\N{GRINNING FACE}" * 55 + f"~{JOB}.docx.error.json",
        ),
        # 222 bytes end between the letter and its accent: both go.
        (
            "a" * 221 + "e\u0301" + "b" * 30,
            ".error.json",
            "a" * 221 + "e\u0301" + "b" * 3 + f"~{JOB}.error.json",
        ),
        ("a" * 226 + "e\u0301" + "b" * 30, ".error.json", "a" * 226 + f"~{JOB}.error.json"),
        # A family is one character to its reader.
        (
            "a" * 222 + "\U0001f469\u200d\U0001f467" + "b" * 30,
            ".error.json",
            "a" * 222 + f"~{JOB}.error.json",
        ),
        ("\udcff" * 255, ".error.json", "\udcff" * 227 + f"~{JOB}.error.json"),
    ],
)
def test_fit(name: str, suffix: str, expected: str) -> None:
    """A name is cut only when it must be, between characters, and then ends in the job and its extension."""
    fitted = fit(name, suffix, JOB)

    assert expected == fitted
    assert size_of(fitted) <= NAME_LIMIT


@given(name=disk_names, suffix=st.sampled_from(["", ".error.json"]), number=st.integers(1, 99))
def test_fit_keeps_what_matters(name: str, suffix: str, number: int) -> None:
    """Every fitted name fits, keeps extension and suffix and begins as the name does, in whole letters."""
    name = numbered(name, number)
    fitted = fit(name, suffix, JOB)

    assert size_of(fitted) <= NAME_LIMIT
    assert fitted.endswith(suffix)
    assert extension(name) == extension(fitted.removesuffix(suffix))
    if fitted != name + suffix:
        kept, mark, _ = fitted.rpartition(f"~{JOB}")

        assert mark
        assert name.startswith(kept)
        assert not unicodedata.combining(name[len(kept)])


@given(name=any_text)
def test_fit_takes_any_text(name: str) -> None:
    """Half a surrogate pair, which no disk gives, is no reason to fail either."""
    assert fit(name, ".error.json", JOB).endswith(".error.json")


def test_sidecar_name() -> None:
    """The sidecar stands beside its original in an alphabetical listing."""
    assert sidecar_name("talk.mp4", JOB) == "talk.mp4.error.json"


@given(st.integers(0, 2**50 - 1), st.integers(0, 2**30 - 1))
def test_job_id_holds_its_moment(now_ms: int, random: int) -> None:
    """An id is sixteen lower-case letters and digits and gives its millisecond back."""
    job = job_id(now_ms, random)

    assert is_job_id(job)
    assert re.fullmatch("[a-z0-9]{16}", job)
    assert now_ms == job_time_ms(job)


@given(
    st.tuples(st.integers(0, 2**50 - 1), st.integers(0, 2**30 - 1)),
    st.tuples(st.integers(0, 2**50 - 1), st.integers(0, 2**30 - 1)),
)
def test_job_ids_sort_by_time(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Ids sort exactly as (moment, chance) do, so they differ wherever one of the two does."""
    assert (one < other) == (job_id(*one) < job_id(*other))


@given(st.integers(), st.integers())
def test_job_id_of_any_numbers(now_ms: int, random: int) -> None:
    """A clock that is wildly wrong still gives an id."""
    assert is_job_id(job_id(now_ms, random))


@pytest.mark.parametrize("text", ["", "x" * 15, "x" * 17, "X" * 16, "i" * 16, "l" * 16, "x" * 15 + "\n", "../" * 5])
def test_no_job_id(text: str) -> None:
    """Other lengths, capitals and the letters that look like digits are no job id."""
    assert not is_job_id(text)
    with pytest.raises(ValueError, match="no job id"):
        job_time_ms(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("r\u00e9sum\u00e9 \N{GRINNING FACE}.docx", "r\u00e9sum\u00e9 \N{GRINNING FACE}.docx"),
        ("caf\udce9.txt", r"caf\xe9.txt"),
        ("two\nlines\x1b[31m\x7f", r"two\x0alines\x1b[31m\x7f"),
        ("\x85", r"\xc2\x85"),
        ("invoice\u202excod.exe", r"invoice\xe2\x80\xaexcod.exe"),
        ("\ud800", r"\xed\xa0\x80"),
    ],
)
def test_shown(name: str, expected: str) -> None:
    """Readable names stay as they are; what disturbs a terminal, or is no UTF-8, stands as bytes."""
    assert expected == shown(name)


@given(all_names)
def test_shown_is_printable_utf8(name: str) -> None:
    """A shown name can be written anywhere and has no control character left."""
    text = shown(name)

    assert text == text.encode("utf-8").decode("utf-8")
    assert not {unicodedata.category(one) for one in text} & {"Cc", "Cs", "Zl", "Zp"}


@given(listed_names)
def test_hex_gives_the_bytes_back(name: str) -> None:
    """A name that is no UTF-8 is told exactly; any other needs no bytes beside it."""
    raw = name.encode("utf-8", "surrogateescape")
    told = hex_of(name)

    assert raw == (bytes.fromhex(told) if told is not None else name.encode("utf-8"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Could not transcribe  the\r\n audio.\t", "Could not transcribe the audio."),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never closed", "never closed"),
        ("\x1bc\x1b(Btext", "text"),
        ("a\u202eb\u2066c\ufeff", "abc"),
        ("nul\0bell\a", "nul bell"),
        ("\udcff\ud800", "\ufffd\ufffd"),
        ("<b>markup is text</b>", "<b>markup is text</b>"),
        ("x" * 100, "x" * 19 + "…"),
        ("twelve words " * 5, "twelve words twelve…"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    """A service's words become one bounded line without anything a terminal would act on."""
    assert expected == clean(text, max(20, len(expected)))


terminal_noise = st.lists(
    st.one_of(st.sampled_from(["\x1b", "[", "]", "31m", "\x07", "\x9b", "\\", "\u202e", " ", "\ud800"]), any_text)
).map("".join)


@given(text=terminal_noise, limit=st.integers(-1, 200))
def test_clean_is_safe_bounded_and_final(text: str, limit: int) -> None:
    """The clean text is bounded UTF-8 without control characters, and cleaning it again changes nothing."""
    cleaned = clean(text, limit)

    assert len(cleaned) <= max(limit, 0)
    assert cleaned == cleaned.encode("utf-8").decode("utf-8")
    assert not {unicodedata.category(one) for one in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
    assert cleaned == clean(cleaned, limit)


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        "~$report.docx",
        ".~lock.report.odt#",
        "a.tmp",
        "A.TMP",
        "a.part",
        "a.partial",
        "a.crdownload",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
        "@eaDir",
        "report.docx.cancel",
        "REPORT.DOCX.CANCEL",
        "report.docx.cancel.txt",
        "STOP",
        "Stop",
        "STOP.txt",
    ],
)
def test_never_touched(name: str) -> None:
    """Hidden files, locks, halves and what machines leave behind are left alone, in any case."""
    assert never_touched(name)


@pytest.mark.parametrize("name", ["report.docx", "tmp", "parts.txt", "stop.txt", "~report.docx", "a.tmp.docx", "lock#"])
def test_touched(name: str) -> None:
    """A name that only resembles one of those is a drop."""
    assert never_touched(name) is None


@pytest.mark.parametrize(
    ("name", "drop"),
    [
        ("report.docx.cancel", "report.docx"),
        ("Report.DOCX.Cancel", "report.docx"),
        ("report.docx.cancel.txt", "report.docx"),
        ("cafe\u0301.txt.cancel", "caf\u00e9.txt"),
        ("b\udcff.txt.cancel", "b\udcff.txt"),
        (".cancel", None),
        (".cancel.txt", None),
        ("report.docx", None),
        ("cancel", None),
    ],
)
def test_a_sign_names_the_drop_that_it_withdraws(name: str, drop: str | None) -> None:
    """The whole name of the drop stands before the ending; case and the form of accents do not matter."""
    assert withdrawn_by(name) == (alike(drop) if drop else None)


@given(st.text(max_size=30), st.sampled_from(CANCELS))
def test_every_name_can_be_withdrawn(name: str, ending: str) -> None:
    """Whatever a drop is called, its name and the ending make a sign for it, and are never taken for a document."""
    sign = name + ending

    assert withdrawn_by(sign) == (alike(name) or None)
    assert never_touched(sign)


def test_ignored_by_the_administrator() -> None:
    """The administrator's patterns count as well, in any case, and the reason names the pattern."""
    ignore = ["*.bak", "Draft*"]

    assert never_touched("x.BAK", ignore) == "matches *.bak of watch.ignore"
    assert never_touched("draft 1.docx", ignore) == "matches Draft* of watch.ignore"
    assert never_touched("final.docx", ignore) is None


@given(name=all_names, pattern=any_text)
def test_never_touched_takes_anything(name: str, pattern: str) -> None:
    """Neither a strange name nor a strange pattern is an error, and every reason can be printed."""
    reason = never_touched(name, [pattern])

    assert reason is None or reason == reason.encode("utf-8").decode("utf-8") != ""
