"""Stopping, starting twice, and changing owners."""

import shutil
import time

from tests.e2e.site import Site, wait_for


def _load(site: Site, count: int) -> None:
    for number in range(count):
        site.inbox(f"gpttranslator/fr/text {number}~slow-2.txt").write_bytes(f"text {number}\n".encode() * 5000)
        site.inbox(f"voicecheap/es/talk {number}.mp3").write_bytes(b"ID3" + bytes([number]) * 400_000)


def test_sigterm_under_load_ends_in_time_with_the_truth_intact(site: Site) -> None:
    """SIGTERM ends within 10 s under load; the next start delivers everything, each paid once."""
    _load(site, 30)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.sandbox.ledger()) >= 5, "the load to be under way")
        before = time.monotonic()

        assert daemon.stop(10) == 0
        assert time.monotonic() - before < 10
        assert daemon.lines("daemon.stopped")

    done = site.once()

    assert done.returncode in (0, 1), done.stderr
    assert len(site.files("outbox")) + len(site.failed()) == 60
    assert set(site.codes()) <= {"submit.uncertain"}
    assert max(site.accepted().values()) == 1


def test_sigterm_with_an_answer_outstanding_ends_in_time(site: Site) -> None:
    """A submission whose answer does not come holds nothing up; the next start calls it uncertain."""
    site.inbox("gpttranslator/fr/text~hang.txt").write_bytes(b"text\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(site.sandbox.ledger, "the submission to arrive")

        assert daemon.stop(12) == 0

    assert site.once().returncode == 1
    assert dict(site.codes()) == {"submit.uncertain": 1}
    assert len(site.sandbox.ledger()) == 1


def test_a_second_daemon_on_the_same_state_is_refused(site: Site) -> None:
    """One process a state: the second one says so and changes nothing."""
    with site.daemon() as daemon:
        daemon.started()
        second = site.once()

        assert second.returncode == 2
        assert "another babeldrop is at work" in second.stderr
        assert daemon.stop() == 0


def test_a_second_state_on_the_same_root_is_refused_until_it_takes_over(site: Site) -> None:
    """A root knows its owner; a take-over calls what was under way uncertain, and never sends it again."""
    site.inbox("gpttranslator/fr/one~slow-60.txt").write_bytes(b"one\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(site.sandbox.ledger, "the submission to arrive")
        daemon.kill()
    shutil.rmtree(site.state)

    refused = site.once()

    assert refused.returncode == 2
    assert "belongs to another state" in refused.stderr
    assert "--take-over" in refused.stderr

    with site.daemon("--take-over") as daemon:
        daemon.started()
        wait_for(site.failed, "the file to be put aside")

        assert daemon.stop() == 0
    [story] = site.failed().values()

    assert story["error"]["code"] == "submit.uncertain"
    assert "the record of what was sent is gone" in story["what_happened"]
    assert len(site.sandbox.ledger()) == 1


def test_a_share_that_goes_away_freezes_and_comes_back(site: Site) -> None:
    """Without its marker nothing is written below the root; when it is back, work goes on by itself."""
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "inbox/gpttranslator/fr").is_dir, "the folders")
        away = site.base / "unmounted"
        site.root.rename(away)
        site.root.mkdir()
        wait_for(lambda: daemon.lines("share.away"), "the daemon to notice")

        assert list(site.root.iterdir()) == []
        site.root.rmdir()
        (away / "inbox/gpttranslator/fr/late.txt").write_bytes(b"late\n")
        away.rename(site.root)
        wait_for(lambda: site.files("outbox"), "the delivery")

        assert daemon.lines("share.back")
        assert daemon.stop() == 0
