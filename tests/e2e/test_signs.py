"""People who see folders only steer the daemon with files: STOP holds a folder, `name.cancel` takes a drop back."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.site import Daemon, Site, wait_for

TEXT = b"The keeper climbs the stairs at dusk.\n"
FR = "gpttranslator/fr"


def status(site: Site) -> dict[str, Any]:
    """What the daemon says of itself; empty lists before it has said anything."""
    path = site.state / "status.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"stopped": [], "ignored": []}
    return found


def troubles(daemon: Daemon) -> list[dict[str, Any]]:
    """What was said that an administrator would look after; tests may run as root."""
    said = [line for line in daemon.lines() if line["level"] in ("warning", "error")]
    return [line for line in said if line["event"] != "daemon.root"]


def only_events(site: Site) -> None:
    """No regular scan helps: whatever is noticed, an event has told it."""
    site.config.write_text(site.config.read_text().replace("rescan: 5s", "rescan: 1h"))


def held(site: Site, daemon: Daemon, folder: str, drop: str) -> None:
    """A drop that comes after the STOP stays, and everybody can see where and why."""
    before = len(daemon.lines("folder.goes_on"))
    wait_for(lambda: len(daemon.lines("folder.stopped")) > before, "the STOP to be seen")
    site.inbox(drop).write_bytes(drop.encode() + TEXT)
    row = (f"inbox/{folder}".rstrip("/"), "STOP", 1)
    wait_for(
        lambda: [(row["path"], row["by"], row["files"]) for row in status(site)["stopped"]] == [row], "one to be held"
    )

    assert [rest["why"] for rest in status(site)["resting"]] == ["folder.stopped"]
    assert not [job for job in site.jobs().values() if job.alive]


def test_a_folder_stops_and_goes_on(site: Site) -> None:
    """STOP holds what is dropped; it goes on at once when STOP is deleted, and when it is moved away."""
    only_events(site)
    with site.daemon() as daemon:
        daemon.started()
        for number, folder in enumerate(("", "gpttranslator/", f"{FR}/")):
            stop = site.inbox(f"{folder}STOP")
            stop.write_bytes(b"")
            held(site, daemon, folder.rstrip("/"), f"{FR}/{number}.txt")
            if number:
                stop.unlink()
            else:
                stop.rename(site.base / "STOP")
            wait_for(lambda: len(site.files("outbox")) > number, "it to go on", 20.0)  # noqa: B023  called at once

        assert troubles(daemon) == []
        assert daemon.stop() == 0
        assert len(daemon.lines("folder.goes_on")) == 3


def test_a_drop_is_withdrawn_and_taken_after_all(site: Site) -> None:
    """With a .cancel beside it a drop stays and nobody is told of an error; without it, it is translated."""
    only_events(site)
    cancel = site.inbox(f"{FR}/report.txt.cancel")
    cancel.write_bytes(b"")
    drop = site.inbox(f"{FR}/report.txt")
    drop.write_bytes(TEXT)
    site.inbox(f"{FR}/other.txt").write_bytes(b"other " + TEXT)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: site.files("outbox") == [f"{FR}/other.txt"], "the other one")
        wait_for(lambda: status(site)["ignored"], "it to be told")

        assert drop.read_bytes() == TEXT
        assert status(site)["ignored"] == [
            {
                "path": f"inbox/{FR}/report.txt",
                "why": "withdrawn by report.txt.cancel beside it; it is taken when that is removed",
                "code": "withdrawn: report.txt.cancel",
            }
        ]
        cancel.unlink()
        wait_for(lambda: len(site.files("outbox")) == 2, "the withdrawn one", 20.0)
        wait_for(lambda: not status(site)["ignored"], "the list to be empty")

        assert troubles(daemon) == []
        assert daemon.stop() == 0


def test_a_claimed_file_comes_back_before_it_is_sent(site: Site) -> None:
    """Withdrawn while it waits for its turn it costs nothing and lies in failed/, in the language of the people."""
    only_events(site)
    site.config.write_text("language: de\n" + site.config.read_text())
    site.inbox(f"{FR}/first~http-402.txt").write_bytes(b"first " + TEXT)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: daemon.lines("account.closed"), "the account to close")
        second = site.inbox(f"{FR}/sub/zweiter Bericht.txt")
        second.write_bytes(b"second " + TEXT)
        wait_for(lambda: len(site.jobs()) == 2, "the second to be claimed")
        site.inbox(f"{FR}/sub/zweiter Bericht.txt.cancel").write_bytes(b"")
        wait_for(lambda: site.files("failed"), "it to come back", 20.0)
        wait_for(lambda: sum(not job.alive for job in site.jobs().values()) == 1, "its end")

        assert daemon.stop() == 0

    assert site.files("failed") == [f"{FR}/sub/zweiter Bericht.txt", f"{FR}/sub/zweiter Bericht.txt.error.json"]
    [story] = site.failed().values()
    assert story["what_happened"] == (
        "Die Datei wurde zurückgezogen, bevor sie gesendet wurde: Jemand hat zweiter Bericht.txt.cancel in "
        f"inbox/{FR}/sub abgelegt."
    )
    assert (story["error"]["code"], story["attempts"], story["cost"]) == ("drop.withdrawn", 0, None)
    assert "ü" in Path(site.root / f"failed/{FR}/sub/zweiter Bericht.txt.error.json").read_text(encoding="utf-8")
    assert not site.accepted()


def test_a_sign_put_down_while_the_daemon_is_stopped_counts(site: Site) -> None:
    """What was claimed and not sent by then is not sent by the next start either: that looks first."""
    only_events(site)
    site.inbox(f"{FR}/first~http-402.txt").write_bytes(b"first " + TEXT)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: daemon.lines("account.closed"), "the account to close")
        site.inbox(f"{FR}/second.txt").write_bytes(b"second " + TEXT)
        wait_for(lambda: len(site.jobs()) == 2, "the second to be claimed")
        assert daemon.stop() == 0
    site.inbox(f"{FR}/second.txt.cancel").write_bytes(b"")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: f"{FR}/second.txt" in site.files("failed"), "it to come back", 20.0)

        assert daemon.stop() == 0

    assert site.failed()[f"{FR}/second.txt"]["error"]["code"] == "drop.withdrawn"
    assert not [entry for entry in site.sandbox.ledger() if entry["file"].startswith("second")]


def test_a_file_that_was_sent_is_not_withdrawn(site: Site) -> None:
    """It may have been paid: it goes on to its end, and whoever asks is told that the sign came too late."""
    only_events(site)
    drop = site.inbox(f"{FR}/sent~slow-20.txt")
    drop.write_bytes(TEXT)
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: any(job.refs for job in site.jobs().values()), "it to be sent")
        cancel = site.inbox(f"{FR}/sent~slow-20.txt.cancel")
        cancel.write_bytes(b"")
        wait_for(lambda: [row["code"] for row in status(site)["ignored"]] == ["too_late"], "it to be told")
        why = site.command("why", "-c", str(site.config), str(drop)).stdout

        assert "It was withdrawn too late: it had been sent by then" in why
        wait_for(lambda: site.files("outbox") == [f"{FR}/sent~slow-20.txt"], "the translation")
        assert daemon.stop() == 0

    assert cancel.exists()
    assert site.files("failed") == []


def test_once_does_not_wait_for_a_folder_that_is_held(site: Site) -> None:
    """`once` works off the rest, says what is held and by what, and leaves with the code for a person."""
    site.inbox("voicecheap/STOP.txt").write_bytes(b"")
    site.inbox("voicecheap/es/talk.mp3").write_bytes(b"ID3" + TEXT)
    site.inbox(f"{FR}/free.txt").write_bytes(TEXT)
    done = site.once()

    assert done.returncode == 3, done.stderr
    assert "stopped: inbox/voicecheap: 1 file held by a file called STOP.txt" in done.stderr
    assert site.files("outbox") == [f"{FR}/free.txt"]
