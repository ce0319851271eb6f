"""What lies in an inbox and is no ordinary, readable document of its own owner."""

import io
import os
import random
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator

import pytest

from daemon import disk
from tests.builders import in_memory
from tests.hostile.inbox import NOBODY, TEXT, Line, as_before, as_nobody, deny, opened

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
PARAGRAPH = b"<w:p><w:r><w:t>word</w:t></w:r></w:p>"
NAMESPACE = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs files of another owner: run as root")


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all pieces that are read of drops from now on."""
    real = disk.read
    seen: list[int] = []

    def read(descriptor: int, length: int, offset: int) -> bytes:
        seen.append(length)
        return real(descriptor, length, offset)

    monkeypatch.setattr(disk, "read", read)
    return seen


def docx(body: bytes, *more: tuple[str, bytes]) -> bytes:
    """A Word document with this body, and further members."""
    text = b'<w:document xmlns:w="' + NAMESPACE + b'"><w:body>' + body + b"</w:body></w:document>"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("word/document.xml", text), *more):
            archive.writestr(name, content)
    return data.getvalue()


# -- things that are no files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["thing.txt", "sub/thing.docx", "thing"])
@pytest.mark.parametrize("what", ["fifo", "socket", "device", "folder"])
def test_no_regular_file_is_opened(line: Line, monkeypatch: pytest.MonkeyPatch, what: str, name: str) -> None:
    """FIFO, socket and device stay and are told; a folder is one, whatever it is called."""
    thing = line.root / "inbox/acme/fr" / name
    thing.parent.mkdir(exist_ok=True)
    if what == "fifo":
        os.mkfifo(thing)
    elif what == "socket":
        here = os.open(thing.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as server:
            # A socket's own path may have 108 bytes only.
            server.bind(f"/proc/self/fd/{here}/{thing.name}")
        os.close(here)
    elif what == "folder":
        thing.mkdir()
    else:
        try:
            os.mknod(thing, 0o20666, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only an administrator can make a device")
    before = os.lstat(thing)
    touched = opened(monkeypatch)
    line.live(100, 10)

    assert line.ignored == ({f"inbox/acme/fr/{name}": "no regular file"} if what != "folder" else {})
    assert os.lstat(thing) == before
    assert touched == []
    assert line.jobs == []


# -- sizes ------------------------------------------------------------------------------------------------------


def test_one_byte_is_a_document(line: Line) -> None:
    """It goes its whole way, and so does a text that is only an end of line."""
    line.drop("acme/fr/one.txt", b"x")
    line.drop("acme/fr/end.txt", b"\n")
    line.live()

    assert line.files("outbox") == {"acme/fr/one.txt": b"x", "acme/fr/end.txt": b"\n"}


@pytest.mark.parametrize(("more", "sent"), [(0, 1), (1, 0)])
def test_the_limit_is_the_last_size_that_is_taken(line: Line, more: int, sent: int) -> None:
    """As many bytes as the service takes are sent; one more fails with both numbers, unread."""
    line.drop("acme/fr/report.txt", b"x" * (1_000_000 + more))
    line.live()

    assert len(line.sent) == sent
    assert line.codes == ({} if sent else {"fr/report.txt": "drop.too_large"})


@pytest.mark.parametrize("most_bytes", [1_000_000, None], ids=["a limit", "no limit known"])
@pytest.mark.parametrize("name", ["huge.txt", "huge.docx", "huge.pdf"])
def test_a_terabyte_of_nothing(line: Line, monkeypatch: pytest.MonkeyPatch, name: str, most_bytes: int | None) -> None:
    """Of a sparse file no more than its end is looked at, before it fails for its size."""
    line.service.take(most_bytes)
    os.truncate(line.drop(f"acme/fr/{name}"), 1 << 40)
    seen = reads(monkeypatch)
    line.live(70)

    assert line.codes == {f"fr/{name}": "drop.too_large"}
    assert max(seen, default=0) < 100_000
    assert (line.root / f"failed/acme/fr/{name}").stat().st_size == 1 << 40


# -- archives that are no documents -----------------------------------------------------------------------------


def _many_members() -> bytes:
    """10,001 members."""
    return docx(PARAGRAPH, *((f"word/media/{number}", b"") for number in range(10_000)))


def _shared_member() -> bytes:
    """The directory names one member a thousand times: the trick of small archives that unpack to petabytes."""
    whole = docx(PARAGRAPH)
    at, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    directory = whole[at:end] * 1000
    return whole[:at] + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(directory), at, 0)


def _much_text() -> bytes:
    """34 MB of paragraphs in one of two: packed like text, and far more than anybody has written."""
    chance = random.Random(1)
    some = b"".join(b"<w:p><w:r><w:t>word%d</w:t></w:r></w:p>" % chance.randrange(10) for _ in range(45_000))
    return docx(some * 20)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "ratio": (lambda: docx(PARAGRAPH * 200_000), "packed more tightly"),
    "ratio of a picture": (lambda: docx(PARAGRAPH, ("word/media/image1.png", bytes(9_000_000))), "packed more tightly"),
    "entries": (_many_members, "10001 members"),
    "one member many times": (_shared_member, "twice"),
    "much text": (_much_text, "more text"),
    "password": (lambda: OLE, "password"),
    "text": (lambda: b"This is a letter and no archive.\n", "no zip archive"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), "no zip archive"),
    "another archive": (
        lambda: docx(PARAGRAPH).replace(b"word/document.xml", b"docs/document.xml"),
        "no Word document",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_archives_that_are_no_documents_fail_before_anything_is_sent(line: Line, what: str) -> None:
    """For a service that gets texts a document is taken apart here: what must not be, fails with its reason."""
    make, words = BOMBS[what]
    content = make()
    line.service.takes_apart = True
    line.service.take(20_000_000)
    line.drop("acme/fr/letter.docx", content)
    good = docx(PARAGRAPH)
    line.drop("acme/fr/good.docx", good)
    line.live(80, 10)
    story = line.files("failed")["acme/fr/letter.docx.error.json"].decode()

    assert line.codes == {"fr/letter.docx": "drop.damaged"}
    assert words in story
    assert line.sent == [good]
    assert content in line.kept


@pytest.mark.parametrize(("name", "content"), [("letter.docx", OLE), ("letter.pdf", b"PK\x03\x04 no pdf at all")])
def test_a_document_that_is_none_rests_longer_and_is_said(line: Line, name: str, content: bytes) -> None:
    """What a service gets whole it judges itself: after a minute without its end it goes on, with a warning."""
    line.drop(f"acme/fr/{name}", content)
    line.live(30)
    assert [row["why"] for row in line.status["resting"]] == ["no_end"]
    line.live(60)

    assert line.sent == [content]
    assert [entry["why"] for entry in line.logged("drop.odd")] == [
        "The document does not show its end; it may be incomplete."
    ]


# -- whose it is, and who may read it ---------------------------------------------------------------------------


@pytest.fixture
def nobodys() -> Iterator[Line]:
    """A line of somebody who may not do everything."""
    with in_memory() as base, as_nobody(base), Line(base) as line:
        line.start()
        yield line


def test_a_file_of_mode_000_fails_with_the_reason(nobodys: Line) -> None:
    """It is taken, since moving it needs no reading, and says whom to ask; its neighbour is delivered."""
    shut = nobodys.drop("acme/fr/shut.txt")
    shut.chmod(0)
    nobodys.drop("acme/fr/open.txt", b"open\n")
    nobodys.live()
    aside = nobodys.root / "failed/acme/fr/shut.txt"
    story = (aside.parent / "shut.txt.error.json").read_text()

    assert nobodys.sent == [b"open\n"]
    assert "Permission denied" in story
    assert '"drop.unreadable"' in story
    assert aside.stat().st_size == len(TEXT)
    assert nobodys.jobs == []


@pytest.mark.parametrize(
    ("mode", "why"), [(0o000, "cannot be read: Permission denied"), (0o500, "cannot be moved: Permission denied")]
)
def test_folders_that_may_not_be_used_are_told_until_they_may(nobodys: Line, mode: int, why: str) -> None:
    """One that cannot be read, or not changed, keeps its files and disturbs no other folder."""
    nobodys.drop("acme/fr/shut/report.txt")
    nobodys.drop("acme/fr/open/report.txt", b"open\n")
    shut = nobodys.root / "inbox/acme/fr/shut"
    shut.chmod(mode)
    try:
        nobodys.live()
        assert nobodys.sent == [b"open\n"]
        assert list(nobodys.ignored.values()) == [why]
    finally:
        shut.chmod(0o700)
    nobodys.live()

    assert nobodys.sent == [b"open\n", TEXT]
    assert nobodys.ignored == {}


@needs_root
def test_a_file_of_another_owner_rests_longer_and_goes_on(nobodys: Line) -> None:
    """Only its owner can prove with a lease that nobody writes to it."""
    drop = nobodys.drop("acme/fr/report.txt")
    with as_before():
        os.chown(drop, 12345, 12345)
    nobodys.live(4)
    assert nobodys.sent == []
    nobodys.live(6)

    assert nobodys.sent == [TEXT]
    assert nobodys.files("outbox") == {"acme/fr/report.txt": TEXT}
    assert (nobodys.root / "archive/acme/fr/report.txt").stat().st_uid == 12345


@needs_root
def test_a_sticky_folder_keeps_the_files_of_others(nobodys: Line) -> None:
    """Where only the owner may move a file it stays and is told; our own goes on."""
    theirs = nobodys.drop("acme/fr/sticky/theirs.txt")
    nobodys.drop("acme/fr/sticky/ours.txt", b"ours\n")
    with as_before():
        os.chown(theirs, 12345, 12345)
        os.chown(theirs.parent, 0, 0)
        theirs.parent.chmod(0o1777)
    nobodys.live()

    assert nobodys.sent == [b"ours\n"]
    assert nobodys.ignored == {"inbox/acme/fr/sticky/theirs.txt": "cannot be moved: Operation not permitted"}
    assert theirs.read_bytes() == TEXT
    assert [row["path"] for row in nobodys.status["resting"]] == ["inbox/acme/fr/sticky/theirs.txt"]


@needs_root
@pytest.mark.parametrize("what", ["file", "folder"])
def test_an_access_list_that_refuses_us(nobodys: Line, what: str) -> None:
    """The modes let everybody read, the list does not let us: as visible as any other refusal."""
    drop = nobodys.drop("acme/fr/sub/report.txt")
    nobodys.drop("acme/fr/open.txt", b"open\n")
    with as_before():
        try:
            for path in (drop, drop.parent)[:: 1 if what == "file" else -1][:1]:
                os.chown(path, 12345, 12345)
                path.chmod(0o777)
                deny(path, NOBODY, folder=path.is_dir())
        except OSError:
            pytest.skip("the file system keeps no access lists")
    nobodys.live()

    assert nobodys.sent == [b"open\n"]
    if what == "folder":
        assert nobodys.ignored == {"inbox/acme/fr/sub": "cannot be read: Permission denied"}
    else:
        assert (nobodys.root / "failed/acme/fr/sub/report.txt").stat().st_size == len(TEXT)
        assert "Permission denied" in (nobodys.root / "failed/acme/fr/sub/report.txt.error.json").read_text()
    with as_before():
        assert TEXT in nobodys.kept
