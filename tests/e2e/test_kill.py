"""Killed at any moment, nothing is lost and nothing is paid twice."""

import random
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from daemon import records
from tests.e2e.site import Site, sandbox_in, sha256, wait_for

SEEDS = range(1, 2)
MORE_SEEDS = range(2, 21)
FILES = 40
_AT_ONCE = 2


class OutboxLog(FileSystemEventHandler):
    """What happens to visible names in the outbox: each may appear by a rename or a link, and nothing else."""

    def __init__(self) -> None:
        self.appeared: list[str] = []
        self.wrong: list[str] = []

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory or event.event_type in ("opened", "closed_no_write"):
            return
        path = str(event.dest_path if event.event_type == "moved" else event.src_path)
        if Path(path).name.startswith("."):
            return
        if event.event_type == "moved":
            self.appeared.append(path)
        elif event.event_type not in ("created", "attrib"):
            self.wrong.append(f"{event.event_type} {path}")


def _watched(site: Site) -> tuple[InotifyObserver, OutboxLog]:
    # Made beforehand: a watcher that learns of a new folder may miss what is renamed into it at once.
    for folder in ("gpttranslator/fr/sub", "gpttranslator/de/sub", "voicecheap/es"):
        (site.root / "outbox" / folder).mkdir(parents=True, exist_ok=True)
    log = OutboxLog()
    observer = InotifyObserver(generate_full_events=True)
    observer.schedule(log, str(site.root / "outbox"), recursive=True)
    observer.start()
    return observer, log


def _drops(dice: random.Random) -> Iterator[tuple[str, bytes]]:
    for number in range(FILES):
        words = " ".join(dice.choices(["lighthouse", "keeper", "letter", "garden", "dawn"], k=dice.randint(1, 4000)))
        if number % 4 == 3:
            # A film's first box, so that it looks like what it claims to be; the sandbox gives it back as it is.
            yield f"voicecheap/es/talk {number}.mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00" + words.encode()
        else:
            token = dice.choice(("", "", "~slow-1", "~back"))
            yield f"gpttranslator/{dice.choice(('fr', 'de'))}/sub/text {number}{token}.txt", words.encode()


def _run_with_kills(site: Site, dice: random.Random) -> tuple[int, int]:
    """Kill and restart until everything has ended; returns how often, and how many submissions were open then."""
    pause = threading.Event()
    kills = open_at_kills = 0
    while True:
        with site.daemon() as daemon:
            # Most kills fall into the work, some into the start.
            if dice.random() < 0.8:
                daemon.started()
            pause.wait(dice.uniform(0.0, 0.7))
            if len(site.files("outbox")) + len(site.failed()) >= FILES and not _alive(site):
                assert daemon.started().stop() == 0, daemon.text()
                return kills, open_at_kills
            daemon.kill()
        kills += 1
        open_at_kills += site.open_submissions()


def _alive(site: Site) -> bool:
    return any(job.alive for job in site.jobs().values())


def _one_seed(base: Path, seed: int) -> str:
    dice = random.Random(seed)
    base.mkdir()
    with sandbox_in(base) as sandbox:
        # Every second seed has few places and slow work, so that kills meet full accounts, too.
        site = Site(base, sandbox, provider="max_in_flight: 3" if seed % 2 else "")
        observer, log = _watched(site)
        try:
            drops = dict(_drops(dice))
            for path, data in drops.items():
                site.inbox(path).write_bytes(data)
            kills, open_at_kills = _run_with_kills(site, dice)
            wait_for(lambda: len(log.appeared) >= len(site.files("outbox")), "the log of the outbox to catch up", 5)
        finally:
            observer.stop()
            observer.join()
        _check(site, drops, open_at_kills, log)
        uncertain = site.codes()["submit.uncertain"]
        delivered = len(site.files("outbox"))
        return f"seed {seed}: {kills} kills, {delivered} delivered, {uncertain} uncertain of {open_at_kills} open"


def _check(site: Site, drops: dict[str, bytes], open_at_kills: int, log: OutboxLog) -> None:
    delivered, failed = set(site.files("outbox")), site.failed()
    accepted = site.accepted()

    assert sorted(drops) == sorted([*delivered, *failed]), "each file ends in exactly one of outbox and failed"
    assert {"submit.uncertain"} >= set(site.codes())
    assert site.codes()["submit.uncertain"] <= open_at_kills
    assert max(accepted.values()) == 1, "nothing is paid twice"
    assert set(accepted) <= {sha256(data) for data in drops.values()}, "what was paid are the right bytes"
    assert site.files("inbox") + site.files("processing") == []
    assert sorted(path for path in drops if path not in failed) == site.files("archive")
    for path in failed:
        assert drops[path] == (site.root / "failed" / path).read_bytes()
    for line in (site.state / "journal.jsonl").read_bytes().splitlines():
        record = records.decode(line)
        assert record is not None
        if record["event"] == "accepted":
            job = site.jobs()[record["job"]]
            assert f"{job.provider}/{job.folder}/{job.name}" in delivered, "what was accepted is delivered"
    assert log.wrong == [], "a visible name is never written to"
    assert len(log.appeared) == len(set(log.appeared)) == len(delivered), "visible names appear by rename, once"
    assert list((site.state / "spool").iterdir()) == []


def _many(base: Path, capsys: pytest.CaptureFixture[str], seeds: Iterable[int]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for told in pool.map(lambda seed: _one_seed(base / str(seed), seed), seeds):
            with capsys.disabled():
                print(f"\n{told}", end="")  # noqa: T201  the seeds are part of what the run shows


def test_killed_at_random_moments_nothing_is_lost_or_paid_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed with SIGKILL under a load of 40 files with both providers, restarted each time: every file ends once."""
    _many(tmp_path, capsys, SEEDS)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_killed_at_more_random_moments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As above, for the rest of twenty seeds."""
    _many(tmp_path, capsys, MORE_SEEDS)
