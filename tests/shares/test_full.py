"""Disks that are really full, out of inodes, or read-only: a visible wait, nothing lost, nothing paid twice."""

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site, sha256, wait_for
from tests.shares.looks import FR, holds, stages, told, waits
from tests.shares.mounts import memory_disk, remount

_LINE = "The garden behind the house is larger than the house.\n"


def document(size: int, seed: int = 0) -> bytes:
    """A text of about this size."""
    head = f"Document {seed} {random.Random(seed).random()}\n"
    return (head + _LINE * (size // len(_LINE))).encode()


def fill(disk: Path, leave: int = 0) -> Path:
    """Write a file that leaves so many bytes of a disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    if leave:
        os.truncate(filler, max(0, filler.stat().st_size - leave))
    return filler


def take_inodes(disk: Path) -> list[Path]:
    """Make empty files until no more can be made."""
    made: list[Path] = []
    with contextlib.suppress(OSError):
        while True:
            one = disk / f"filler{len(made)}"
            one.touch()
            made.append(one)
    return made


@pytest.fixture
def site(site: Site) -> Site:
    site.root = site.base / "share"
    return site


@pytest.fixture
def small_state(site: Site) -> Iterator[Path]:
    with memory_disk(site.state, "size=4m,mode=700") as disk:
        yield disk


@pytest.fixture
def small_root(site: Site) -> Iterator[Path]:
    with memory_disk(site.root, "size=4m,mode=755") as disk:
        yield disk


def test_the_root_is_full_while_a_result_is_published(site: Site, small_root: Path) -> None:
    """The result is banked and waits; with room in the outbox it is published, once, and was fetched once."""
    text = document(600_000)
    site.inbox(f"{FR}/a~slow-3.txt").write_bytes(text)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: stages(site) == ["in_flight"], "it to be in flight")
        filler = fill(small_root, leave=100_000)
        wait_for(lambda: stages(site) == ["banked"], "it to be banked")
        wait_for(lambda: waits(site) == ["folder.trouble"], "the status to say so")

        assert site.files("outbox") == []
        filler.unlink()
        wait_for(lambda: site.files("outbox") == [f"{FR}/a~slow-3.txt"], "the result")
        wait_for(lambda: stages(site) == [], "it to be closed")
        assert daemon.stop() == 0
    assert site.accepted() == {sha256(text): 1}
    assert not list((site.root / "outbox").rglob(".*"))


@pytest.mark.long
def test_the_root_is_full_while_files_are_dropped(site: Site, small_root: Path) -> None:
    """Half a file is no file: what people could not copy waits with them, what is whole is translated later."""
    text = document(300_000)
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        site.inbox(f"{FR}/a.txt").write_bytes(text)
        filler = fill(small_root)
        wait_for(site.accepted, "it to be taken")
        holds(lambda: site.files("failed") == [], "no failure", 8)
        filler.unlink()
        wait_for(lambda: site.files("outbox") == [f"{FR}/a.txt"], "the result")

        assert daemon.stop() == 0
    assert site.accepted() == {sha256(text): 1}


@pytest.mark.long
def test_a_failure_is_told_when_there_is_room_for_it(site: Site, small_root: Path) -> None:
    """Without room for the sidecar the original stays where it is; nothing moves without its explanation."""
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        site.inbox(f"{FR}/a~slow-2~fail.txt").write_bytes(b"a\n")
        wait_for(lambda: stages(site) == ["in_flight"], "it to be in flight")
        filler = fill(small_root)
        wait_for(lambda: waits(site) == ["folder.trouble"], "the status to say so")

        assert stages(site) == ["failed"]
        assert len(site.files("processing")) == 1
        assert site.files("failed") == []
        filler.unlink()
        wait_for(lambda: len(site.files("failed")) == 2 and not stages(site), "original and sidecar")
        assert daemon.stop() == 0
    assert site.codes() == {"provider.failed": 1}


@pytest.mark.long
def test_no_inodes_are_left_in_the_root(site: Site) -> None:
    """Claims need a folder: the file stays in the inbox, with a reason, until there are inodes again."""
    with memory_disk(site.root, "size=8m,nr_inodes=64,mode=755"), site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        wait_for((site.root / "inbox/voicecheap/es").is_dir, "the last folder")
        site.inbox(f"{FR}/a.part").write_bytes(b"a\n")
        fillers = take_inodes(site.root)
        site.inbox(f"{FR}/a.part").rename(site.root / "inbox" / FR / "a.txt")

        def ignored() -> list[str]:
            return [row["why"] for row in told(site).get("ignored", [])]

        wait_for(lambda: ignored() == ["cannot be moved: No space left on device"], "the status to say so")
        assert site.files("inbox") == [f"{FR}/a.txt"]
        for filler in fillers:
            filler.unlink()
        wait_for(lambda: site.files("outbox") == [f"{FR}/a.txt"], "the result")
        wait_for(lambda: ignored() == [], "the reason to go")
        assert daemon.stop() == 0
    assert site.accepted() == {sha256(b"a\n"): 1}


@pytest.mark.long
def test_a_result_larger_than_the_room_of_the_state(site: Site, small_state: Path) -> None:
    """The journal keeps its share of the disk: the result waits at the service, and other files go on."""
    large, small = document(1_500_000, 1), document(1_000, 2)
    with site.daemon() as daemon:
        daemon.started()
        filler = fill(small_state, leave=1_000_000)
        site.inbox(f"{FR}/large.txt").write_bytes(large)
        wait_for(lambda: "disk.full" in waits(site), "the status to say so")
        site.inbox(f"{FR}/small.txt").write_bytes(small)
        wait_for(lambda: site.files("outbox") == [f"{FR}/small.txt"], "the small one")
        words = site.command("status", "-c", str(site.config)).stdout
        filler.unlink()
        wait_for(lambda: f"{FR}/large.txt" in site.files("outbox"), "the large one", 120)

        assert daemon.stop() == 0
    assert "too little room in the state folder" in " ".join(words.split())
    assert site.accepted() == {sha256(large): 1, sha256(small): 1}
    assert site.failed() == {}


@pytest.mark.long
def test_the_journal_has_no_room_left(site: Site, small_state: Path) -> None:
    """What cannot be recorded is not done: the daemon ends, and whoever starts it again finds everything."""
    texts = {f"{number:02}.txt": document(1_000, number) for number in range(20)}
    for name, text in texts.items():
        site.inbox(f"{FR}/{name}").write_bytes(text)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.accepted()) >= 3, "some to be accepted")
        filler = fill(small_state)

        assert daemon.process.wait(60) == 1
        assert "No space left" in daemon.lines("daemon.died")[0]["why"]
    with site.daemon() as daemon:
        # As systemd would start it again: with exit code 2 it would not.
        assert daemon.process.wait(60) == 1, daemon.text()
    filler.unlink()
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.files("outbox")) + len(site.failed()) == len(texts), "all to end", 120)

        assert daemon.stop() == 0
    assert set(site.codes()) <= {"submit.uncertain"}
    assert max(site.accepted().values()) == 1
    assert set(site.accepted()) <= {sha256(text) for text in texts.values()}


@pytest.mark.long
def test_no_inodes_are_left_in_the_state(site: Site) -> None:
    """No file for a result can be made: it waits at the service, the journal goes on, and the daemon lives."""
    with memory_disk(site.state, "size=8m,nr_inodes=40,mode=700"), site.daemon() as daemon:
        daemon.started()
        wait_for((site.state / "status.json").exists, "the status")
        fillers = take_inodes(site.state)
        site.inbox(f"{FR}/a.txt").write_bytes(b"a\n")
        wait_for(lambda: stages(site) == ["ready"], "it to be ready")
        wait_for(lambda: daemon.lines("fetch.waits"), "the reason")
        code = daemon.lines("fetch.waits")[0]["code"]
        for filler in fillers:
            filler.unlink()
        wait_for(lambda: site.files("outbox") == [f"{FR}/a.txt"], "the result", 120)

        assert daemon.stop() == 0
    assert code == "disk.full"
    assert site.accepted() == {sha256(b"a\n"): 1}


@pytest.mark.long
def test_the_root_becomes_read_only(site: Site, small_root: Path) -> None:
    """What lies in the inbox stays, what is in flight is banked; both go on when the disk can be written to."""
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        site.inbox(f"{FR}/a~slow-3.txt").write_bytes(b"a\n")
        wait_for(lambda: stages(site) == ["in_flight"], "it to be in flight")
        site.inbox(f"{FR}/b.part").write_bytes(b"b\n")
        site.inbox(f"{FR}/b.part").rename(site.root / "inbox" / FR / "b.txt")
        remount(small_root, "ro")
        wait_for(lambda: "folder.trouble" in waits(site), "the status to say so")
        holds(lambda: daemon.process.poll() is None, "the daemon lives on", 6)
        remount(small_root, "rw")
        wait_for(lambda: site.files("outbox") == [f"{FR}/a~slow-3.txt", f"{FR}/b.txt"], "the results", 120)

        assert daemon.stop() == 0
    assert site.failed() == {}
    assert site.accepted() == {sha256(b"a\n"): 1, sha256(b"b\n"): 1}


@pytest.mark.long
def test_the_state_is_read_only(site: Site, small_state: Path) -> None:
    """Each start says so and asks for another one, until the disk can be written to; then it goes on."""
    site.inbox(f"{FR}/a~slow-3.txt").write_bytes(b"a\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: stages(site) == ["in_flight"], "it to be in flight")
        daemon.kill()
    remount(small_state, "ro")
    with site.daemon() as daemon:
        # With exit code 2 systemd would leave it at that.
        assert daemon.process.wait(60) == 1, daemon.text()
        assert "Read-only file system" in daemon.text()
    remount(small_state, "rw")
    done = site.once()

    assert done.returncode == 0, done.stderr
    assert site.files("outbox") == [f"{FR}/a~slow-3.txt"]
    assert site.accepted() == {sha256(b"a\n"): 1}
