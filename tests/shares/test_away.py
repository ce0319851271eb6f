"""The share goes away, in every way that it can, at every moment; and comes back."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.site import Daemon, Site, sha256, wait_for
from tests.shares.looks import FR, holds, stages, told
from tests.shares.mounts import Bound, Remote, bound, remote


@pytest.fixture
def share(site: Site) -> Iterator[Remote]:
    with remote(site.root, site.base / "share", "dcache_timeout=1") as mounted:
        yield mounted


@pytest.fixture
def folder(site: Site) -> Iterator[Bound]:
    with bound(site.root, site.base / "share") as mounted:
        yield mounted


def report(site: Site) -> dict[str, Any]:
    """`status --json`."""
    done = site.command("status", "--json", "-c", str(site.config))

    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ready(site: Site, daemon: Daemon) -> None:
    """Wait until the daemon works and has made its folders."""
    daemon.started()
    wait_for((site.root / "inbox" / FR).is_dir, "the folders")


def test_a_mount_that_goes_and_comes_back(site: Site, folder: Bound) -> None:
    """Frozen and said, nothing written below the empty mount point; then on, without anybody's help."""
    with site.daemon() as daemon:
        ready(site, daemon)
        folder.detach()
        site.inbox(f"{FR}/a.txt").write_bytes(b"a\n")
        wait_for(lambda: daemon.lines("share.away"), "the freeze")

        holds(lambda: os.listdir(folder.here) == [], "nothing is written below the mount point", 3)
        folder.mount()
        wait_for(lambda: site.files("outbox") == [f"{FR}/a.txt"], "the result")
        assert daemon.lines("share.back")
        assert daemon.stop() == 0
    assert site.accepted() == {sha256(b"a\n"): 1}


@pytest.mark.long
def test_the_status_says_why_and_since_when(site: Site, folder: Bound) -> None:
    """People see that the share is away; when it is back nothing of that is left."""
    with site.daemon() as daemon:
        ready(site, daemon)
        folder.detach()
        wait_for(lambda: (share := report(site)["share"]) and not share["there"], "the status to say so")
        away = report(site)["share"]
        words = site.command("status", "-c", str(site.config)).stdout
        folder.mount()
        wait_for(lambda: report(site)["share"] == {"there": True, "why": None, "since": None}, "the share to be back")

        assert daemon.stop() == 0
    assert away["why"] == f"{folder.here} has no marker of ours (.babeldrop)"
    assert away["since"].endswith("Z")
    assert "The share has been away" in words


@pytest.mark.long
@pytest.mark.parametrize("how", ["detach", "die", "cut"])
def test_away_while_jobs_are_in_flight(site: Site, share: Remote, how: str) -> None:
    """Results are fetched and banked while the share is away; they are published when it is back."""
    names = [f"{number}~slow-10.txt" for number in range(4)]
    for name in names:
        site.inbox(f"{FR}/{name}").write_bytes(f"{name}\n".encode())
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: stages(site) == ["in_flight"] * len(names), "all to be in flight")
        getattr(share, how)()
        wait_for(lambda: daemon.lines("share.away"), "the freeze")
        wait_for(lambda: stages(site) == ["banked"] * len(names), "the results to be banked")

        assert site.files("outbox") == []
        share.detach()
        holds(lambda: os.listdir(share.here) == [], "nothing is written below the mount point", 6)
        assert site.failed() == {}
        share.mount()
        wait_for(lambda: len(site.files("outbox")) == len(names), "the results")
        wait_for(lambda: len(site.files("archive")) == len(names), "the originals")
        assert daemon.stop() == 0
    assert site.accepted() == {sha256(f"{name}\n".encode()): 1 for name in names}
    assert len(daemon.lines("job.delivered")) == len(names)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_away_at_any_moment(site: Site, share: Remote, seed: int) -> None:
    """While it scans, claims, submits, delivers: every file is sent once and delivered once, none fails."""
    chance = random.Random(seed)
    texts = {f"{number:02}.txt": f"text {number}\n".encode() * 5_000 for number in range(40)}
    waiting = list(texts.items())
    ways: list[Callable[[], None]] = [share.detach, share.die, share.cut] * 3
    chance.shuffle(ways)
    with site.daemon() as daemon:
        ready(site, daemon)
        for lose in ways:
            for name, text in waiting[:5]:
                site.inbox(f"{FR}/{name}").write_bytes(text)
            del waiting[:5]
            holds(lambda: True, "some time passes", chance.uniform(0.5, 3.0))
            lose()
            holds(lambda: daemon.process.poll() is None, "the daemon lives on", chance.uniform(0.5, 3.0))
            share.detach()

            assert os.listdir(share.here) == []
            share.mount()
        wait_for(lambda: len(site.files("outbox")) + len(site.failed()) >= len(texts), "all to end", 150)
        wait_for(lambda: stages(site) == [], "all to be closed", 150)

        assert daemon.stop() == 0
    assert site.failed() == {}
    assert site.files("outbox") == [f"{FR}/{name}" for name in texts]
    assert site.files("archive") == [f"{FR}/{name}" for name in texts]
    assert site.accepted() == {sha256(text): 1 for text in texts.values()}
    assert site.files("inbox") == site.files("processing") == []


@pytest.mark.long
@pytest.mark.parametrize("kind", ["remote", "bound"])
def test_not_there_at_the_start(site: Site, kind: str) -> None:
    """The daemon starts frozen, says so, takes the careful ways, and begins when the share comes."""
    here = site.base / "share"
    with remote(site.root, here) if kind == "remote" else bound(site.root, here) as mounted:
        site.inbox(f"{FR}/a.txt").write_bytes(b"a\n")

        assert site.once().returncode == 0
        mounted.detach()
        site.inbox(f"{FR}/b.txt").write_bytes(b"b\n")
        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: daemon.lines("share.away"), "the freeze")

            holds(lambda: os.listdir(here) == [], "nothing is written below the mount point", 3)
            mounted.mount()
            wait_for(lambda: f"{FR}/b.txt" in site.files("outbox"), "the result")
            detector = told(site)["detector"]
            assert daemon.stop() == 0
    assert detector["events"] == "none"
    assert site.accepted() == {sha256(b"a\n"): 1, sha256(b"b\n"): 1}


@pytest.mark.long
def test_what_was_dropped_or_taken_meanwhile(site: Site, folder: Bound) -> None:
    """While nobody watches, people go on: what they take away is no failure, what they put there is found."""
    site.inbox(f"{FR}/half.txt").write_bytes(b"")
    with site.daemon() as daemon:
        ready(site, daemon)
        site.inbox(f"{FR}/slow~slow-4.txt").write_bytes(b"slow\n")
        wait_for(lambda: stages(site) == ["in_flight"], "it to be in flight")
        folder.detach()
        wait_for(lambda: daemon.lines("share.away"), "the freeze")
        site.inbox(f"{FR}/half.txt").unlink()
        site.inbox(f"{FR}/new.txt").write_bytes(b"new\n")
        shutil.rmtree(site.root / "outbox")
        folder.mount()
        wanted = [f"{FR}/new.txt", f"{FR}/slow~slow-4.txt"]
        wait_for(lambda: (site.root / "outbox").exists() and site.files("outbox") == wanted, "the results")

        assert daemon.stop() == 0
    assert site.failed() == {}
    assert site.accepted() == {sha256(b"slow\n"): 1, sha256(b"new\n"): 1}


@pytest.mark.long
def test_another_disk_in_its_place(site: Site, folder: Bound) -> None:
    """A file system without our marker, or with another's, is not ours to write to."""
    with site.daemon() as daemon:
        ready(site, daemon)
        folder.detach()
        other = site.base / "other"
        (other / "inbox" / FR).mkdir(parents=True)
        (other / "inbox" / FR / "theirs.txt").write_bytes(b"theirs\n")
        (other / ".babeldrop").write_text('{"babeldrop": 1, "root": "x", "state": "y"}')
        folder.there, ours = other, folder.there
        folder.mount()
        wait_for(lambda: daemon.lines("share.away"), "the freeze")

        holds(lambda: sorted(os.listdir(other)) == [".babeldrop", "inbox"], "nothing is made there", 5)
        folder.detach()
        folder.there = ours
        folder.mount()
        wait_for(lambda: daemon.lines("share.back"), "the share to be back")
        assert daemon.stop() == 0
    assert site.accepted() == {}
    assert (other / "inbox" / FR / "theirs.txt").exists()
