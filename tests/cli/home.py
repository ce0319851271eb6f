"""An installation in a folder without a daemon: configuration, root, and a journal written with a clock of its own."""

import contextlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from daemon import disk, journal, kernel, names, sidecar
from daemon.cli import reading
from daemon.cli.reading import Scene
from daemon.clock import stamp
from daemon.errors import RejectedError
from daemon.folders import Folders, Place, write_marker
from daemon.job import Job
from daemon.journal import Identity

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
_CONFIG = """\
root: {base}/root
state: {base}/state
watch: {{ignore: ["draft-*"]}}
providers:
  gpttranslator:
    base_url: http://127.0.0.1:1
    api_key: {{env: NO_SUCH_KEY}}
    source_language: en
    languages: [fr, de]
    options: {{model: gpt-4.1-mini-2025-04-14}}
  voicecheap:
    base_url: http://127.0.0.1:1
    api_key: {{env: NO_SUCH_KEY}}
    languages: [es]
"""


class FakeClock:
    """Time that stands still until a test moves it."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Home:
    """`config.yaml`, `root` and `state` below `base`."""

    def __init__(self, base: Path, start: datetime = NOON) -> None:
        base.mkdir(exist_ok=True)
        self.config = base / "config.yaml"
        self.root = base / "root"
        self.state = base / "state"
        self.config.write_text(_CONFIG.format(base=base))
        self.clock = FakeClock(start)
        self.identity = Identity(state="5" * 16, root="6" * 16)
        self.root.mkdir()
        self.state.mkdir(mode=0o700)
        folder = disk.open_root(os.fspath(self.root))
        write_marker(folder, self.identity)
        disk.close(folder)
        self.book = journal.create(os.fspath(self.state), self.clock, self.identity)
        self.book.note("rooted")
        self.folders = Folders(os.fspath(self.root), self.identity, file_mode=0o664, folder_mode=0o2775)
        self._count = 0

    # -- files ----------------------------------------------------------------------------------------------

    def file(self, path: str, content: bytes = b"text\n") -> Path:
        """A file below the root, its folder made."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def result(self, name: str, content: bytes = b"result\n") -> Path:
        """A file in the spool."""
        target = self.state / "spool" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        return target

    # -- jobs -----------------------------------------------------------------------------------------------

    def claim(self, name: str, provider: str = "gpttranslator", folder: str = "fr", *, after_s: float = 1.0) -> str:
        """A drop that was claimed `after_s` seconds after it came; its original is in `processing/`."""
        dropped_at = self.clock.now()
        self.clock.advance(after_s)
        self._count += 1
        job = names.job_id(int(self.clock.now().timestamp() * 1000), self._count)
        original = self.file(f"processing/{provider}/{folder}/{job}/{name}")
        self.book.append(
            job,
            "claimed",
            provider=provider,
            folder=folder,
            name=name,
            size=2660,
            mtime_ns=original.stat().st_mtime_ns,
            inode=original.stat().st_ino,
            dropped_at=stamp(dropped_at),
        )
        return job

    def record(self, job: str, event: str, **data: Any) -> Job:
        return self.book.append(job, event, **data)

    def submit(self, job: str, *, part: int = 0, of: int = 1, attempt: int = 1) -> None:
        facts = {"sha256": "ab" * 32, "route": "en-to-fr"}
        self.record(job, "submitting", part=part, of=of, attempt=attempt, **facts)

    def accept(self, job: str, ref: str, *, part: int = 0) -> None:
        self.record(job, "accepted", part=part, ref=ref)

    def send(self, job: str, ref: str) -> None:
        """Submitted and accepted."""
        self.submit(job)
        self.accept(job, ref)

    def bank(self, job: str, name: str, **facts: Any) -> None:
        """Ready and in the spool."""
        self.record(job, "ready", part=0)
        self.result(f"{job}.result")
        self.record(job, "banked", hash="cd" * 32, size=7, name=name, **facts)

    def deliver(self, job: str, name: str) -> None:
        """From the bank to the end, with the files that belong to it."""
        self.record(job, "publishing", name=name)
        known = self.record(job, "delivered", name=name)
        place = Place(provider=known.provider, folder=known.folder, name=known.name)
        self.file(f"{place.within('outbox')}/{name}")
        with self.folders.opened() as root:
            self.folders.archive(root, place, job)
        (self.state / "spool" / f"{job}.result").unlink()
        self.record(job, "closed")

    def fail(self, job: str, error: RejectedError, *, stage: str = "poll") -> str:
        """Failed and put aside; returns the original's path in `failed/`."""
        known = self.book.get(job)
        assert known is not None
        place = Place(provider=known.provider, folder=known.folder, name=known.name)
        story = sidecar.error_of(error, stage=stage, provider="GPTTranslator", inbox=place.within("inbox"))
        failed = self.record(job, "failed", error=story)
        with self.folders.opened() as root:
            told = sidecar.story(failed, kind=known.provider, route=None)
            name = self.folders.fail(root, place, job, told)
        self.record(job, "closed")
        return f"{place.within('failed')}/{name}"

    # -- the daemon, as it is seen from outside -------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, **told: Any) -> Iterator[None]:
        """Somebody holds the lock and has told how it stands."""
        lock = kernel.lock(os.fspath(self.state / "lock"))
        assert lock is not None
        self.tell(**told)
        try:
            yield
        finally:
            disk.close(lock)

    def tell(self, **told: Any) -> None:
        """Write `status.json` as of now."""
        status = {
            "schema": 1,
            "pid": 4711,
            "started_at": stamp(NOON - timedelta(hours=3, minutes=48)),
            "at": stamp(self.clock.now()),
            "root": os.fspath(self.root),
            "titles": {"gpttranslator": "GPTTranslator", "voicecheap": "VoiceCheap"},
            "share": {"there": True, "why": None},
            "detector": {"events": "inotify", "scan_s": 30.0},
            "resting": [],
            "resting_total": 0,
            "ignored": [],
            "ignored_total": 0,
            "waiting": [],
            "waiting_total": 0,
            "reasons": [],
            "next_polls": {},
            "polls": [],
            "stopped": [],
            "budget": [],
            "accounts": [account("gpttranslator"), account("voicecheap")],
            **told,
        }
        (self.state / "status.json").write_text(json.dumps(status))

    def look(self) -> Scene:
        return reading.look(self.config, self.clock.now())

    def at(self, seconds: float) -> str:
        """A moment from now on, as the status tells it."""
        return stamp(self.clock.now() + timedelta(seconds=seconds))


def account(*providers: str, **changes: Any) -> Mapping[str, Any]:
    """How an account stands, as `status.json` has it."""
    return {
        "providers": list(providers),
        "door": "open",
        "reason": None,
        "since": None,
        "next_try": None,
        "paused_until": None,
        "in_flight": 0,
        **changes,
    }


def printed(what: RenderableType, width: int = 500) -> list[str]:
    """The lines that a terminal of that width would show."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False, markup=False, emoji=False).print(what)
    return [line.rstrip() for line in out.getvalue().splitlines()]
