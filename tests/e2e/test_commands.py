"""The commands as an administrator meets them."""

import json
import os
import re
import threading
from pathlib import Path

import pytest

from tests.e2e.site import KEY, Site, wait_for

_BROKEN = """\
root: {base}/share
state: {base}/share/state
wach: {{settle: 1s}}
watch: {{rescan: 30}}
originals: delete
originals: archive
providers:
  gpttranslater:
    api_key: {{env: NO_SUCH_KEY_ANYWHERE}}
    source_language: en
    languages: [fr, no]
    options: {{model: gpt-4.1-mini}}
  voicecheap:
    kind: voicecheep
    api_key: {{env: NO_SUCH_KEY_ANYWHERE}}
    deadline: 5 minutes
"""


@pytest.mark.parametrize("command", ["check", "run", "once"])
def test_all_configuration_mistakes_are_told_in_one_run(tmp_path: Path, site: Site, command: str) -> None:
    """Every mistake with file and line, exit code 2, nothing started and nothing created."""
    path = tmp_path / "broken.yaml"
    path.write_text(_BROKEN.format(base=tmp_path))

    done = site.command(command, "-c", str(path))

    assert done.returncode == 2
    for line, words in {
        2: "state",
        3: "watch",
        4: "watch.rescan",
        6: "originals",
        8: "gpttranslator",
        9: "NO_SUCH_KEY_ANYWHERE",
        14: "voicecheap",
        16: "deadline",
    }.items():
        assert re.search(rf"^{re.escape(str(path))}:{line}: .*{words}", done.stderr, re.MULTILINE), (line, done.stderr)
    assert not (tmp_path / "share").exists()


def test_the_log_has_one_line_an_ended_job_and_never_a_key(site: Site) -> None:
    """JSON in a pipe, `job.delivered` and `job.failed` with the seconds of each stage, no key anywhere."""
    site.inbox("gpttranslator/fr/good.txt").write_bytes(b"good\n")
    site.inbox("gpttranslator/fr/bad~fail.txt").write_bytes(b"bad\n")
    site.inbox("voicecheap/es/talk.mp3").write_bytes(b"ID3 talk")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(daemon.lines("job.delivered") + daemon.lines("job.failed")) == 3, "three lines")
        [failed] = daemon.lines("job.failed")

        assert {"good.txt", "talk.mp3"} == {line["file"] for line in daemon.lines("job.delivered")}
        for line in daemon.lines("job.delivered"):
            assert {"wait_s", "service_s", "fetch_s", "publish_s", "total_s"} <= set(line)
        assert failed["code"] == "provider.failed"
        assert daemon.stop() == 0
        assert KEY not in daemon.text()
        assert all(line.startswith("{") for line in daemon.text().splitlines())
    for path in [*site.state.rglob("*"), *site.root.rglob("*")]:
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_once_ends_with_zero_when_all_was_delivered_and_one_when_something_failed(site: Site) -> None:
    """The exit code of `once` tells a script what became of the work; in a pipe each end is a plain line."""
    site.inbox("gpttranslator/fr/good.txt").write_bytes(b"good\n")
    good = site.once()

    assert good.returncode == 0, good.stderr
    assert "delivered outbox/gpttranslator/fr/good.txt" in good.stdout

    site.inbox("gpttranslator/fr/bad~fail.txt").write_bytes(b"bad\n")
    bad = site.once()

    assert bad.returncode == 1
    assert "failed failed/gpttranslator/fr/bad~fail.txt: GPTTranslator could not translate" in bad.stdout


def test_once_gives_up_in_time_when_asked_to(site: Site) -> None:
    """`--for` bounds the time; what still waits is no failure, and the next run delivers it."""
    site.inbox("gpttranslator/fr/long~slow-6.txt").write_bytes(b"long\n")

    assert site.once("--for", "3s").returncode == 3
    assert site.once().returncode == 0
    assert len(site.sandbox.ledger()) == 1


@pytest.mark.long
def test_a_journal_cut_anywhere_in_its_tail_starts_and_starts_again(site: Site) -> None:
    """A torn tail is put aside and cut off; the daemon runs, and runs again."""
    for number in range(3):
        site.inbox(f"gpttranslator/fr/text {number}.txt").write_bytes(f"text {number}\n".encode())

    assert site.once().returncode == 0
    journal = site.state / "journal.jsonl"
    whole = journal.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in (1, last // 2, last - 1, last, last + 1, last + 40):
        journal.write_bytes(whole[:-cut])

        assert site.once().returncode == 0, cut
        assert site.once().returncode == 0, cut
        assert len(site.files("outbox")) == 3


def test_a_flipped_byte_below_a_synced_mark_stops_the_start(site: Site) -> None:
    """What was once durable and cannot be read stops the start with its line, and nothing is done."""
    site.inbox("gpttranslator/fr/text.txt").write_bytes(b"text\n")

    assert site.once().returncode == 0
    journal = site.state / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"claimed", b"clamied").replace(b"submitting", b"submittnig")
    journal.write_bytes(b"".join(lines))
    stopped = site.once()

    assert stopped.returncode == 2
    assert f"{journal}, line 4" in stopped.stderr
    assert "repair" in stopped.stderr


@pytest.mark.long
def test_idle_daemon_writes_signs_of_life_alone_and_uses_no_time(site: Site) -> None:
    """With 10,000 files in the archive a minute takes under 1 % of a core; status and page are renewed once at most."""
    with site.daemon() as daemon:
        daemon.started()
        wait_for((site.root / "archive").is_dir, "the folders")
        folder = site.root / "archive/gpttranslator/fr"
        folder.mkdir(parents=True)
        for number in range(10_000):
            (folder / f"{number}.txt").write_bytes(b"x")
        process = Path(f"/proc/{daemon.process.pid}")
        ticks = os.sysconf("SC_CLK_TCK")

        def used() -> tuple[int, float]:
            written = int(re.findall(r"^write_bytes: (\d+)", (process / "io").read_text(), re.MULTILINE)[0])
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            return written, (int(fields[11]) + int(fields[12])) / ticks

        def shown() -> int:
            places = (site.state / "status.json", site.root / "STATUS.html")
            return sum(place.stat().st_size for place in places)

        wait_for((site.root / "STATUS.html").exists, "the first page")
        threading.Event().wait(3)
        written, seconds = used()
        threading.Event().wait(60)
        written_later, seconds_later = used()

        # Each file is written in whole pages, with a page for its folder's new name.
        assert written_later - written <= 2 * (shown() + 4 * 4096)
        assert (seconds_later - seconds) / 60 < 0.01
        assert daemon.stop() == 0


def test_status_needs_no_daemon(site: Site) -> None:
    """`status --json` reads what is there, running or not."""
    site.inbox("gpttranslator/fr/good.txt").write_bytes(b"good\n")
    site.once()

    done = site.command("status", "--json", "-c", str(site.config))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_demo_runs_without_keys(tmp_path: Path, site: Site) -> None:
    """`demo` brings something back from all five services, and shows one failure with its two sentences."""
    done = site.command("demo", str(tmp_path / "demo"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("delivered outbox/") == 7
    assert "Sunrise.mp4" in done.stdout
    assert "GPTTranslator could not translate the file" in done.stdout
    assert "move the file back into inbox/gpttranslator/de" in done.stdout
