"""The real process under a supervisor: what it says, and what a reload does to work under way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.site import Daemon, Site, wait_for
from tests.notified import Notified

_HELD_UP = """\
import os, threading
from daemon import disk
from daemon.lookout import Lookout
real, turns = Lookout.look, []
def look(self):
    turns.append(None)
    return real(self) if len(turns) < 2 else {by}
Lookout.look = look
from daemon.cli import main
main()
"""
_A_LOCK = "threading.Event().wait()"
_A_SHARE = "disk.read_own(os.environ['PIPE'])"


@pytest.fixture
def said(site: Site) -> Iterator[Notified]:
    with Notified() as said:
        site.environment["NOTIFY_SOCKET"] = said.address
        yield said


def _reload(daemon: Daemon, said: Notified, event: str) -> None:
    """SIGHUP, until the daemon has said what became of it."""
    before, readies = len(daemon.lines(event)), said.count("READY=1")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(daemon.lines(event)) > before and said.count("READY=1") > readies, event)


def test_a_life_is_told_from_ready_to_stopping(site: Site, said: Notified) -> None:
    """READY once it works, a line of status with counts, signs of life at half the time, STOPPING at the end."""
    site.environment["WATCHDOG_USEC"] = "4000000"
    site.inbox("gpttranslator/fr/good.txt").write_bytes(b"good\n")
    site.inbox("gpttranslator/fr/bad~fail.txt").write_bytes(b"bad\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: "1 delivered, 1 failed" in said.status, "the counts")
        wait_for(lambda: said.count("WATCHDOG=1") >= 4, "signs of life")

        assert said.status.startswith("0 waiting, 0 in flight, 0 being delivered; since 20")
        assert daemon.stop() == 0
        wait_for(lambda: said.count("STOPPING=1"), "the end")
        assert said.firsts() == ["READY=1", "STOPPING=1"]
        assert not daemon.lines("watchdog.withheld")


@contextmanager
def _held_up(site: Site, by: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A daemon of which the second scan does not come back, with its log."""
    pipe, log = site.base / "pipe", site.base / "held.log"
    os.mkfifo(pipe)
    site.environment |= {"WATCHDOG_USEC": "4000000", "PIPE": str(pipe)}
    command = [sys.executable, "-c", _HELD_UP.format(by=by), "run", "-c", str(site.config)]
    with log.open("wb") as target, subprocess.Popen(command, stderr=target, env=site.environment) as process:
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


def test_a_stalled_helper_stops_the_signs_of_life(site: Site, said: Notified) -> None:
    """Its thread lives, the heart beats, and yet nothing is said; on SIGABRT it tells where every thread was."""
    with _held_up(site, _A_LOCK) as (process, log):
        wait_for(lambda: "watchdog.withheld" in log.read_text(), "the stall to be seen")
        alive = said.count("WATCHDOG=1")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: said.count("READY=1") == 2, "the heart to beat on")
        last = said.count("WATCHDOG=1")
        # What systemd does at the end of its patience.
        process.send_signal(signal.SIGABRT)
        code = process.wait(20)
    [line] = [json.loads(line) for line in log.read_text().splitlines() if "watchdog.withheld" in line]

    assert line["stalled"] == ["scan"]
    assert last == alive
    assert code == -signal.SIGABRT
    assert "in look" in log.read_text()


def test_a_share_that_hangs_is_no_reason_to_be_killed(site: Site, said: Notified) -> None:
    """A scan that waits for the share stalls nobody else, and the signs of life go on."""
    with _held_up(site, _A_SHARE) as (process, log):
        wait_for(lambda: said.count("WATCHDOG=1") >= 4, "signs of life")

        assert process.poll() is None
        assert "watchdog.withheld" not in log.read_text()


def test_a_wrong_configuration_keeps_the_old_one_and_says_so(site: Site, said: Notified) -> None:
    """Each mistake is logged, the status shows it to everybody, and work goes on; mended, the words are gone."""
    text = site.config.read_text()
    with site.daemon() as daemon:
        daemon.started()
        site.config.write_text(
            text.replace("languages: [es]", "languages: [es]\n    langauges: [fr]") + "nonsense: 1\n"
        )
        _reload(daemon, said, "config.kept")
        wait_for(lambda: "the new configuration is not in force" in said.status, "the status")
        problems = [line["why"] for line in daemon.lines("config.problem")]

        assert said.firsts() == ["READY=1", "RELOADING=1", "READY=1"]
        assert len(problems) == 2
        assert all(str(site.config) in problem for problem in problems)
        assert f"2 problems, the first in {site.config}, line " in said.status
        status = site.state / "status.json"
        wait_for(lambda: status.exists() and json.loads(status.read_text())["config_problem"], "status.json")

        site.inbox("gpttranslator/fr/good.txt").write_bytes(b"good\n")
        wait_for(lambda: site.files("outbox"), "the delivery under the old configuration")
        site.config.write_text(text)
        _reload(daemon, said, "config.unchanged")
        wait_for(lambda: "configuration" not in said.status, "the status")

        assert daemon.stop() == 0


def test_a_new_language_folder_takes_effect_and_work_under_way_survives(site: Site, said: Notified) -> None:
    """What is in flight, waits for an answer or rests when the configuration changes is delivered, each paid once."""
    site.inbox("gpttranslator/fr/flying~slow-4.txt").write_bytes(b"flying\n")
    site.inbox("voicecheap/es/talk.mp3").write_bytes(b"ID3 talk")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.sandbox.ledger()) == 2, "both to be submitted")
        site.config.write_text(site.config.read_text().replace("[fr, de]", "[fr, de, it]"))
        _reload(daemon, said, "config.taken")
        [changed] = daemon.lines("config.changed")

        assert changed["changed"] == ["providers.gpttranslator"]
        assert said.firsts() == ["READY=1", "RELOADING=1", "READY=1"]

        wait_for((site.root / "inbox/gpttranslator/it").is_dir, "the new folder")
        site.inbox("gpttranslator/it/late.txt").write_bytes(b"late\n")
        wait_for(lambda: len(site.files("outbox")) == 3, "three deliveries")

        assert daemon.stop() == 0
        assert len(daemon.lines("daemon.started")) == 2
    assert site.failed() == {}
    assert set(site.accepted().values()) == {1}


_IMPATIENT = """\
from daemon import service
service.ANSWERS_WITHIN_S = 0.5
from daemon.cli import main
main()
"""


@pytest.mark.long
def test_an_answer_that_never_comes_makes_the_process_begin_anew(site: Site, said: Notified) -> None:
    """The same process id over the new configuration, without the thread that hangs; its file is uncertain."""
    site.inbox("gpttranslator/fr/text~hang.txt").write_bytes(b"text\n")
    command = [sys.executable, "-c", _IMPATIENT, "run", "--take-over", "-c", str(site.config)]
    log = site.base / "impatient.log"
    with log.open("wb") as target, subprocess.Popen(command, stderr=target, env=site.environment) as process:
        try:
            wait_for(site.sandbox.ledger, "the submission to arrive")
            site.config.write_text(site.config.read_text().replace("[fr, de]", "[fr, de, it]"))
            process.send_signal(signal.SIGHUP)
            wait_for((site.root / "inbox/gpttranslator/it").is_dir, "the new folder")
            wait_for(site.failed, "the file to be put aside")
            process.terminate()
            code = process.wait(30)
        finally:
            process.kill()
            process.wait()

    assert code == 0, log.read_text()
    assert "reload.abrupt" in log.read_text()
    assert dict(site.codes()) == {"submit.uncertain": 1}
    assert len(site.sandbox.ledger()) == 1
    assert said.firsts() == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_another_rate_takes_effect(site: Site, said: Notified) -> None:
    """A limit that is lifted sends what had to wait for it, without a restart."""
    text = site.config.read_text()
    narrow = text.replace("languages: [fr, de]", "languages: [fr, de]\n    rate: {submit: {requests: 1, per: 1h}}")
    site.config.write_text(narrow)
    for name in ("one", "two"):
        site.inbox(f"gpttranslator/fr/{name}.txt").write_bytes(name.encode())
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.files("outbox")) == 1, "the first delivery")
        wait_for(lambda: "1 waiting" in said.status, "the other one to wait")
        site.config.write_text(text)
        _reload(daemon, said, "config.taken")
        wait_for(lambda: len(site.files("outbox")) == 2, "the second delivery")

        assert daemon.stop() == 0
    assert set(site.accepted().values()) == {1}


def test_keys_of_a_configuration_that_was_left_stay_secret(site: Site, said: Notified) -> None:
    """A reload forgets nothing that must not be logged."""
    text = site.config.read_text()
    site.config.write_text(text.replace("{env: SANDBOX_KEY}", "first-key-of-all-2718"))
    site.config.chmod(0o600)
    with site.daemon() as daemon:
        daemon.started()
        site.config.write_text(text)
        _reload(daemon, said, "config.taken")
        # A mistake that quotes what stands in the file.
        site.config.write_text(text.replace("[fr, de]", "first-key-of-all-2718"))
        _reload(daemon, said, "config.kept")

        assert "first-key-of-all-2718" not in daemon.text()
        assert not any("first-key-of-all-2718" in line for lines in said.said for line in lines)
        assert daemon.stop() == 0
