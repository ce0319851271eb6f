"""Names that people, other systems and attackers give: each comes back, or fails, as exactly itself."""

import json
import os
import re
from pathlib import Path

import pytest

from daemon import names
from tests.hostile.inbox import TEXT, Line, Sentinel

ODD = {
    "255 bytes": "a" * 251 + ".txt",
    "255 bytes of two": "é" * 125 + "x.txt",
    "255 bytes of four": "😀" * 62 + "abc.txt",
    "255 bytes of families": "👨‍👩‍👧" * 13 + "a" * 17 + ".txt",
    "no utf-8": os.fsdecode(b"caf\xe9.txt"),
    "half a character": os.fsdecode("a😀".encode()[:-1] + b".txt"),
    "nothing but bytes": os.fsdecode(b"\xff\xfe\x80") + ".txt",
    "trailing dots": "report...txt",
    "trailing space": "report .txt",
    "leading space": " report.txt",
    "device of another system": "CON.txt",
    "stream of another system": "a:b.txt",
    "forbidden elsewhere": '<|>?*".txt',
    "backslashes": "a\\..\\..\\secret.txt",
    "newline": "two\nlines.txt",
    "carriage return": "over\rwritten.txt",
    "bell and escape": "\x1b]0;title\x07\x1b[2J.txt",
    "delete": "a\x7fb.txt",
    "right to left": "report\u202etxt.exe.txt",
    "byte order mark": "\ufeffreport.txt",
    "zero width": "re\u200bport.txt",
    "leading dash": "-rf.txt",
    "option": "--help=$(reboot);`id`.txt",
    "percent": "%2e%2e%2fsecret.txt",
    "dots": "a..b..txt",
    "emoji": "🙂.txt",
    "braces": "{inbox} {0} %s %(name)s.txt",
    "markup": "<script>alert(1)<script>.txt",
    "number": "report (2).txt",
    "like a job": "report.01hzy0000000000a-1.txt",
    "like a result": "report~01hzy0000000000a.txt",
    "capitals": "REPORT.TXT",
    "composed": "caf\u00e9.txt",
    "decomposed": "cafe\u0301.txt",
}
WITHOUT_TYPE = {
    "trailing dot": "report.docx.",
    "trailing space": "report.docx ",
    "no dot": "report",
    "no ascii": "report.döcx",
    "extension too long": "report." + "x" * 200,
    "newline": "report.txt\n",
}
UNTOUCHED = [
    "~$x.docx",
    ".~lock.x.docx#",
    "._x.docx",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "x.txt.part",
    "x.txt.partial",
    "x.txt.crdownload",
    "x.txt.tmp",
    "~WRD0001.tmp",
    "~WRL0001.TMP",
    "@eaDir/x.txt",
    "sub/@eaDir/x.txt@SynoEAStream",
    ".Trash-1000/files/x.txt",
    ".nfs000000000000000100000001",
    ".smbdeleteAAA1",
    ".fuse_hidden0000000100000001",
    "...",
    "..txt",
    "..\\..\\secret.txt",
    "held/STOP",
    "x.cancel",
]


def test_every_odd_name_comes_back_as_itself(line: Line) -> None:
    """All at once: each result and each original has its name, bytes and neighbour; the service sees plain names."""
    for number, name in enumerate(ODD.values()):
        line.drop(f"acme/fr/{name}", b"text %d\n" % number)
    line.live()
    expected = {f"acme/fr/{name}": b"text %d\n" % number for number, name in enumerate(ODD.values())}

    assert line.files("outbox") == line.files("archive") == expected
    assert (line.files("failed"), line.ignored) == ({}, {})
    sent = [name for name, _ in line.service.ledger]
    assert len(set(sent)) == len(ODD)
    assert all(re.fullmatch(r"[A-Za-z0-9_~][A-Za-z0-9._~-]*\.txt", name) for name in sent)


def test_every_odd_name_can_come_twice(line: Line) -> None:
    """The second result stands beside the first under a number, also where the name has no room for one."""
    for _ in range(2):
        for name in ODD.values():
            line.drop(f"acme/fr/{name}")
        line.live()
    results = [path.removeprefix("acme/fr/") for path in line.files("outbox")]

    assert set(ODD.values()) < set(results)
    assert len(results) == 2 * len(ODD)
    assert all(len(os.fsencode(name)) <= names.NAME_LIMIT for name in results)
    assert all(names.extension(name) == "txt" for name in results)
    assert len(line.files("archive")) == 2 * len(ODD)


@pytest.mark.parametrize("what", ODD)
def test_every_odd_name_can_fail_twice(line: Line, what: str) -> None:
    """Original and sidecar lie side by side under names that belong together; nothing in them moves a terminal."""
    name = ODD[what][:-1] + "X"
    for _ in range(2):
        line.drop(f"acme/fr/{name}")
        line.live(4)
    beside = sorted(path.removeprefix("acme/fr/") for path in line.files("failed"))
    originals = [path for path in beside if not path.endswith(".error.json")]

    assert len(originals) == 2
    assert name in originals
    assert set(line.codes.values()) == {"drop.type"}
    for path, story in line.stories.items():
        assert any(
            names.sidecar_name(original, story["job"]) == path.removeprefix("fr/") + ".error.json"
            for original in originals
        )
        shown = json.dumps(story["what_happened"] + story["what_to_do"], ensure_ascii=False)
        assert names.shown(shown) == shown
        assert story.get("file_hex", name.encode("utf-8", "surrogateescape").hex()) == os.fsencode(name).hex()
    assert line.kept == [TEXT, TEXT]


@pytest.mark.parametrize("what", WITHOUT_TYPE)
def test_a_name_without_a_type_fails_at_once(line: Line, what: str) -> None:
    """What stands behind the last dot has to be one: the reason says so, and the file keeps its name."""
    name = WITHOUT_TYPE[what]
    line.drop(f"acme/fr/{name}")
    line.live(4)

    assert list(line.codes.values()) == ["drop.type"]
    assert line.files("failed")[f"acme/fr/{name}"] == TEXT
    assert line.sent == []


def test_what_other_programs_leave_is_never_touched(line: Line) -> None:
    """Locks, halves, hidden files and what storage devices make: not moved, not counted, not told of."""
    for name in UNTOUCHED:
        line.drop(f"acme/fr/{name}")
    line.drop("acme/.hidden/x.txt")
    line.drop("@eaDir/acme/x.txt")
    line.live(100, 10)

    assert set(line.files("inbox")) == {f"acme/fr/{name}" for name in UNTOUCHED} | {
        "acme/.hidden/x.txt",
        "@eaDir/acme/x.txt",
    }
    assert line.status["resting_total"] == line.status["ignored_total"] == 0
    assert line.jobs == []
    assert line.codes == {}


@pytest.mark.parametrize(
    "folder",
    [
        "two\nlines",
        "\x1b[2J",
        "fr ",
        "fr.",
        ".frx",
        "%2e%2e",
        "f\u202er",
        os.fsdecode(b"fr\xe9"),
        "😀" * 63,
        "-x",
        "a:b",
        "{inbox}",
        "x" * 255,
        "en-to-fr-to-de",
        "-to-",
    ],
)
def test_odd_language_folders_fail_their_files_and_nothing_else(line: Line, tmp_path: Path, folder: str) -> None:
    """A folder that names no language is told in words that are safe to show; what stands beside it goes on."""
    outside = Sentinel(tmp_path / "outside")
    line.drop("acme/fr/good.txt", b"good\n")
    line.drop(f"acme/{folder}/report.txt")
    line.live()
    hidden = folder.startswith(".")

    assert line.sent == [b"good\n"]
    assert line.codes == ({} if hidden else {f"{folder}/report.txt": "language.unknown"})
    for story in line.stories.values():
        shown = story["what_happened"] + story["what_to_do"]
        assert names.shown(shown) == shown
    assert TEXT in line.kept
    assert outside.is_untouched


def test_a_path_deeper_than_the_kernel_takes(line: Line) -> None:
    """Folders so long and deep that no call takes their path are told, and hide nothing beside them."""
    here = os.open(line.root / "inbox/acme/fr", os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("report.txt", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    line.drop("acme/fr/good.txt")
    line.live()

    assert line.sent == [TEXT]
    assert list(line.ignored.values()) == ["cannot be read: File name too long"]


def test_names_that_differ_in_case_or_form_alone(line: Line) -> None:
    """On a disk that tells them apart each is a document of its own, in the outbox and among the failures."""
    pairs = [
        "Report.txt",
        "REPORT.txt",
        "report.txt",
        "caf\u00e9.txt",
        "cafe\u0301.txt",
        "\u212bngstr.txt",
        "\u00c5ngstr.txt",
    ]
    for name in pairs:
        line.drop(f"acme/fr/{name}", name.encode())
        line.drop(f"acme/fr/{name}x", name.encode())
    line.live()

    assert line.files("outbox") == {f"acme/fr/{name}": name.encode() for name in pairs}
    assert line.codes == {f"fr/{name}x": "drop.type" for name in pairs}
