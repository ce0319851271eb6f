"""People behind a Samba share: everything they do with files, and what they cannot do."""

import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Daemon, Site, sha256, wait_for
from tests.shares.mounts import require
from tests.shares.samba import GUEST, Samba, served

FR = "inbox/gpttranslator/fr"
_ODD = (
    "Größe & Übersicht #1, 100 %.txt",
    "日本語 レポート.txt",
    "-n.txt",
    "it's (a) [b] {c} ~x $HOME `d`.txt",
    "\U0001f4c4 e\u0301.txt",
    "x" * 200 + ".txt",
)


@pytest.fixture
def samba(site: Site) -> Iterator[Samba]:
    """The share, below which lies the daemon's root on a local disk."""
    require("smbd", "smbclient")
    site.root = site.base / "share"
    site.root.mkdir()
    shutil.chown(site.root, group=pwd.getpwnam(GUEST).pw_gid)
    site.root.chmod(0o2755)
    with served(site.root, site.base / "samba") as server:
        yield server


@pytest.fixture
def daemon(site: Site, samba: Samba) -> Iterator[Daemon]:
    """A running daemon whose folders are there."""
    with site.daemon() as running:
        running.started()
        wait_for(lambda: "fr" in samba.run(f"ls {FR}").stdout or (site.root / FR).is_dir(), "the folders")
        yield running

        assert running.stop() == 0


@pytest.fixture
def desk(place: Path) -> Path:
    """A person's own folder."""
    folder = place / "desk"
    folder.mkdir()
    return folder


def put(samba: Samba, desk: Path, name: str, data: bytes, to: str = FR) -> None:
    """Copy a file to the share in one go."""
    (desk / "source").write_bytes(data)
    samba.do(f'put source "{to}/{name}"', cwd=desk)


def get(samba: Samba, desk: Path, path: str) -> bytes:
    samba.do(f'get "{path}" fetched', cwd=desk)
    return (desk / "fetched").read_bytes()


@pytest.mark.usefixtures("daemon")
def test_a_file_is_dropped_and_its_translation_taken(site: Site, samba: Samba, desk: Path) -> None:
    """Put into the inbox, read and delete in the outbox: nobody needs more than the share."""
    put(samba, desk, "letter.txt", b"a letter\n")
    wait_for(lambda: site.files("outbox") == ["gpttranslator/fr/letter.txt"], "the result")
    result = get(samba, desk, "outbox/gpttranslator/fr/letter.txt")
    samba.do("del outbox/gpttranslator/fr/letter.txt")

    assert result
    assert result != b"a letter\n"
    assert site.files("outbox") == []
    assert site.accepted() == {sha256(b"a letter\n"): 1}


@pytest.mark.usefixtures("daemon")
def test_what_is_closed_to_people(site: Site, samba: Samba, desk: Path) -> None:
    """Nothing can be made or removed beside the daemon's folders, and nobody comes near what is being processed."""
    put(samba, desk, "a~slow-5.txt", b"a\n")
    wait_for(lambda: site.files("processing"), "it to be claimed")
    denied = "NT_STATUS_ACCESS_DENIED"
    (desk / "x").write_bytes(b"x")
    tried = [
        "ls processing/*",
        "mkdir processing/more",
        "put x processing/x",
        "put x x",
        "mkdir more",
        "del .babeldrop",
        "rename .babeldrop other",
        "rmdir archive",
        "rename outbox elsewhere",
    ]
    before = sorted(os.listdir(site.root))

    assert {line: samba.refused(line, cwd=desk) for line in tried} == dict.fromkeys(tried, denied)
    assert sorted(os.listdir(site.root)) == before
    assert len(site.files("processing")) == 1


@pytest.mark.long
@pytest.mark.usefixtures("daemon")
def test_names_of_all_kinds(site: Site, samba: Samba, desk: Path) -> None:
    """A result has the name of its original, whatever that is made of."""
    for number, name in enumerate(_ODD):
        put(samba, desk, name, f"text {number}\n".encode())
    wait_for(lambda: len(site.files("outbox")) == len(_ODD), "the results")

    assert set(site.files("outbox")) == {f"gpttranslator/fr/{name}" for name in _ODD}
    assert all(get(samba, desk, f"outbox/gpttranslator/fr/{name}") for name in _ODD)
    assert site.accepted() == {sha256(f"text {number}\n".encode()): 1 for number in range(len(_ODD))}


@pytest.mark.long
def test_a_file_that_comes_in_pieces(site: Site, samba: Samba, desk: Path, daemon: Daemon) -> None:
    """A copy that pauses for longer than the settle is still open at the server: it is sent whole, and once."""
    pieces = [b"ID3 sound ", *(f"piece {number}\n".encode() * 400_000 for number in range(4))]
    pause = threading.Event()
    fifo, folder = desk / "fifo", "inbox/voicecheap/es"
    os.mkfifo(fifo)
    client = subprocess.Popen([*samba.command(), "-c", f"put fifo {folder}/large.mp3"], cwd=desk)
    sizes: set[int] = set()
    with fifo.open("wb", buffering=0) as writer:
        for piece in pieces:
            writer.write(piece)
            pause.wait(1.5)
            sizes.update(path.stat().st_size for path in (site.root / folder).glob("large.mp3"))

    assert client.wait(60) == 0
    assert any(0 < size < sum(map(len, pieces)) for size in sizes)
    wait_for(lambda: site.files("outbox"), "the result")
    assert site.accepted() == {sha256(b"".join(pieces)): 1}
    assert [line["attempts"] for line in daemon.lines("job.delivered")] == [1]


@pytest.mark.long
@pytest.mark.usefixtures("daemon")
def test_trees_renames_replacements_and_deletions(site: Site, samba: Samba, desk: Path) -> None:
    """What people do with files on a share, one after the other."""
    for path in ("tree/a.txt", "tree/deep/er/b.txt"):
        (desk / path).parent.mkdir(parents=True, exist_ok=True)
        (desk / path).write_bytes(f"{path}\n".encode())
    samba.do("recurse on", "prompt off", f"cd {FR}", "mput tree", cwd=desk)
    put(samba, desk, "upload.part", b"uploaded\n")
    samba.do(f"rename {FR}/upload.part {FR}/upload.txt")
    put(samba, desk, "empty.txt", b"")
    put(samba, desk, "unwanted.txt", b"")
    samba.do(f"del {FR}/unwanted.txt")
    put(samba, desk, "empty.txt", b"full\n")
    wanted = {"tree/a.txt", "tree/deep/er/b.txt", "upload.txt", "empty.txt"}
    wait_for(lambda: set(site.files("outbox")) == {f"gpttranslator/fr/{name}" for name in wanted}, "the results")
    put(samba, desk, "upload.txt", b"another\n")
    wait_for(lambda: "gpttranslator/fr/upload (2).txt" in site.files("outbox"), "the second result")
    wait_for(lambda: not site.files("processing"), "all to be closed")

    contents = [b"tree/a.txt\n", b"tree/deep/er/b.txt\n", b"uploaded\n", b"full\n", b"another\n"]
    assert site.accepted() == {sha256(content): 1 for content in contents}
    assert site.failed() == {}
    assert site.files("inbox") == []
    samba.do("recurse on", "deltree outbox/gpttranslator/fr/tree")
    samba.do(f"mkdir {FR}/tree/more")
    put(samba, desk, "c.txt", b"c\n", f"{FR}/tree/more")
    wait_for(lambda: "gpttranslator/fr/tree/more/c.txt" in site.files("outbox"), "the result in a folder made anew")


@pytest.mark.long
@pytest.mark.usefixtures("daemon")
def test_a_failed_file_is_read_about_and_tried_again(site: Site, samba: Samba, desk: Path) -> None:
    """The sidecar can be read, the original moved back or deleted, and the sidecar goes with the new attempt."""
    put(samba, desk, "odd~fail-402x1.txt", b"odd\n")
    put(samba, desk, "picture.xyz", b"no text\n")
    wait_for(lambda: len(site.failed()) == 2 and not site.files("processing"), "both to fail")
    story = get(samba, desk, "failed/gpttranslator/fr/odd~fail-402x1.txt.error.json")
    original = get(samba, desk, "failed/gpttranslator/fr/picture.xyz")
    samba.do("del failed/gpttranslator/fr/picture.xyz", "del failed/gpttranslator/fr/picture.xyz.error.json")
    samba.do(f"rename failed/gpttranslator/fr/odd~fail-402x1.txt {FR}/odd~fail-402x1.txt")
    wait_for(lambda: site.files("outbox") == ["gpttranslator/fr/odd~fail-402x1.txt"], "the second attempt")

    assert b'"code": "provider.failed"' in story
    assert original == b"no text\n"
    assert site.files("failed") == []
    assert site.accepted() == {sha256(b"odd\n"): 2}
