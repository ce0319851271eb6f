"""The root on a remote folder: the kernel tells nothing of what others do there, and everything still works."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.site import Site, sha256, wait_for
from tests.shares.looks import FR, away, stages
from tests.shares.mounts import Remote, remote


@pytest.fixture
def share(site: Site) -> Iterator[Remote]:
    with remote(site.root, site.base / "share", "dcache_timeout=1") as mounted:
        yield mounted


@pytest.mark.usefixtures("share")
def test_what_appears_at_the_other_side_is_delivered(site: Site) -> None:
    """No events, no lease that proves anything: scans find the files, rest settles them."""
    texts = {f"{number}.txt": f"text {number}\n".encode() for number in range(3)}
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        for name, text in texts.items():
            site.inbox(f"{FR}/{name}").write_bytes(text)
        wait_for(lambda: site.files("outbox") == [f"{FR}/{name}" for name in texts], "the results")
        wait_for(lambda: len(site.files("archive")) == len(texts), "the originals")
        detector = daemon.lines("daemon.started")[0]

        assert daemon.stop() == 0
    assert (detector["events"], detector["why"]) == ("none", "events are not seen on a network file system")
    assert site.accepted() == {sha256(text): 1 for text in texts.values()}
    assert site.files("inbox") == site.files("processing") == []


@pytest.mark.long
@pytest.mark.usefixtures("share")
def test_trees_replacements_failures_and_retries(site: Site) -> None:
    """Sub-folders are mirrored, nothing is overwritten, and a failed file can be moved back at the other side."""
    site.inbox(f"{FR}/deep/er/a.txt").write_bytes(b"a\n")
    site.inbox(f"{FR}/odd~fail-402x1.txt").write_bytes(b"odd\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: site.files("outbox") == [f"{FR}/deep/er/a.txt"], "the result")
        site.inbox(f"{FR}/deep/er/a.txt").write_bytes(b"another a\n")
        wait_for(lambda: f"{FR}/deep/er/a (2).txt" in site.files("outbox"), "the second result")
        wait_for(site.failed, "the failure")
        failed = site.root / "failed/gpttranslator/fr/odd~fail-402x1.txt"
        wait_for(failed.exists, "the failed original")
        failed.rename(site.root / "inbox/gpttranslator/fr/odd~fail-402x1.txt")
        wait_for(lambda: f"{FR}/odd~fail-402x1.txt" in site.files("outbox"), "the second attempt")
        wait_for(lambda: site.files("failed") == [], "the sidecar to go")

        assert daemon.stop() == 0
    assert site.accepted() == Counter({sha256(b"a\n"): 1, sha256(b"another a\n"): 1, sha256(b"odd\n"): 2})


@pytest.mark.long
@pytest.mark.parametrize("remembers_s", [1, 20])
def test_a_file_that_grows_slowly_at_the_other_side_is_sent_whole(site: Site, share: Remote, remembers_s: int) -> None:
    """Pauses that are shorter than the settle are no end, also where nobody sees who has the file open."""
    share.mount(f"dcache_timeout={remembers_s}")
    site.config.write_text(site.config.read_text().replace("settle: 300ms", "settle: auto"))
    lines = [f"line {number}\n".encode() for number in range(12)]
    pause = threading.Event()
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        with site.inbox(f"{FR}/slow.txt").open("wb", buffering=0) as file:
            for line in lines:
                file.write(line)
                pause.wait(6.0)
        wait_for(lambda: site.files("outbox"), "the result", 120)

        assert daemon.stop() == 0
    assert site.accepted() == {sha256(b"".join(lines)): 1}


@pytest.mark.long
def test_a_share_that_hangs_holds_up_nothing_else(site: Site, share: Remote) -> None:
    """What is in flight is polled on and its result banked; the status says what is wrong; later all goes on."""
    site.inbox(f"{FR}/a~slow-3.txt").write_bytes(b"a\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: stages(site) == ["in_flight"], "it to be in flight")
        with share.hanging():
            wait_for(lambda: stages(site) == ["banked"], "it to be banked")
            wait_for(lambda: away(site), "the status to say so")
            why = away(site)

            assert site.command("status", "-c", str(site.config), timeout=30).returncode == 0
        wait_for(lambda: not away(site), "the share to be back")
        wait_for(lambda: site.files("outbox") == [f"{FR}/a~slow-3.txt"], "the result")
        site.inbox(f"{FR}/b.txt").write_bytes(b"b\n")
        wait_for(lambda: len(site.files("outbox")) == 2, "the next result")

        assert daemon.stop() == 0
    assert why == f"{share.here} does not answer"
    assert site.accepted() == {sha256(b"a\n"): 1, sha256(b"b\n"): 1}


@pytest.mark.long
def test_a_daemon_whose_share_hangs_can_be_stopped(site: Site, share: Remote) -> None:
    """It does not wait for a scan that never ends; the next start finishes what was left.

    That a process ends while the kernel holds one of its threads is not in its hands.
    """
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox" / FR).is_dir, "the folders")
        with share.hanging():
            site.inbox(f"{FR}/a.txt").write_bytes(b"a\n")
            wait_for(lambda: away(site), "the scan to hang")
            daemon.process.send_signal(signal.SIGTERM)
            wait_for(lambda: daemon.lines("daemon.stopped"), "it to stop", 30)
            stopped = daemon.lines("daemon.stopped")[0]

        assert daemon.process.wait(30) == 0
    done = site.once()

    assert not stopped["drained"]
    assert done.returncode == 0, done.stderr
    assert site.accepted() == {sha256(b"a\n"): 1}
