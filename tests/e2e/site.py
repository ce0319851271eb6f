"""A whole installation in a folder: sandbox, configuration, root and state, and daemons as real processes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from daemon import records
from daemon.job import Job, PartStage
from daemon.sandbox.child import Running, start

KEY = "sandbox-key-of-this-test"
_NO_LIMITS = {f"voicecheap.{what}": "none" for what in ("status", "submit", "jobs")}


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait until a condition holds; the bound is for a hung test, not a measurement."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain: {what}")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Daemon:
    """One `babeldrop run`, with its log as parsed lines."""

    def __init__(self, site: "Site", *arguments: str) -> None:
        self._err = (site.base / "daemon.log").open("ab")
        self._start = self._err.tell()
        self._log = site.base / "daemon.log"
        command = [sys.executable, "-m", "daemon", "run", "-c", str(site.config), *arguments]
        self.process = subprocess.Popen(
            command, stdout=self._err, stderr=self._err, stdin=subprocess.DEVNULL, env=site.environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._err.close()

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """What this process has logged, whole lines only."""
        with self._log.open("rb") as log:
            log.seek(self._start)
            whole = [line for line in log.read().split(b"\n")[:-1] if line.startswith(b"{")]
        found = [json.loads(line) for line in whole]
        return [line for line in found if event is None or line["event"] == event]

    def text(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._start)
            return log.read().decode(errors="replace")

    def started(self) -> Self:
        """Wait until it works."""
        wait_for(lambda: self.lines("daemon.started") or self.process.poll() is not None, "the daemon to start")
        assert self.process.poll() is None, self.text()
        return self

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


class Site:
    """Folders `share` (root) and `state` below `base`, and the services of a sandbox."""

    def __init__(self, base: Path, sandbox: Running, *, more: str = "", provider: str = "") -> None:
        self.base = base
        self.sandbox = sandbox
        self.root = base / "share"
        self.state = base / "state"
        self.config = base / "config.yaml"
        self.environment = {**os.environ, "SANDBOX_KEY": KEY, "PYTHONPATH": str(Path.cwd())}
        self.config.write_text(
            f"""
root: {self.root}
state: {self.state}
watch: {{settle: 300ms, rescan: 5s}}
{more}
providers:
  gpttranslator:
    base_url: {sandbox.base_url("gpttranslator")}
    api_key: {{env: SANDBOX_KEY}}
    source_language: en
    languages: [fr, de]
    poll: {{every: 100ms, at_most: 500ms}}
    options: {{model: gpt-4.1-mini-2025-04-14}}
    {provider}
  voicecheap:
    base_url: {sandbox.base_url("voicecheap")}
    api_key: {{env: SANDBOX_KEY}}
    languages: [es]
    poll: {{every: 100ms, at_most: 500ms}}
    rate: null
    result_hosts: ["{sandbox.addresses.results_host}"]
    {provider}
"""
        )

    def daemon(self, *arguments: str) -> Daemon:
        return Daemon(self, *arguments)

    def command(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "daemon", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=self.environment,
        )

    def once(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.command("once", "-c", str(self.config), *arguments)

    def inbox(self, path: str) -> Path:
        """A path below the inbox, its folder made."""
        target = self.root / "inbox" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def files(self, top: str) -> list[str]:
        """Visible files below `outbox`, `failed`, …, as paths below it."""
        folder = self.root / top
        return sorted(
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        )

    def failed(self) -> dict[str, dict[str, Any]]:
        """The sidecars in `failed/`, by the path of their original."""
        found = {}
        for path in self.files("failed"):
            if path.endswith(".error.json"):
                text = (self.root / "failed" / path).read_text()
                found[path.removesuffix(".error.json")] = json.loads(text)
        return found

    def codes(self) -> Counter[str]:
        return Counter(story["error"]["code"] for story in self.failed().values())

    def jobs(self) -> dict[str, Job]:
        """Every job that the journal holds, torn tail left out."""
        path = self.state / "journal.jsonl"
        return records.fold(records.read(path.read_bytes()).records) if path.exists() else {}

    def open_submissions(self) -> int:
        """Submissions of which the journal says neither accepted nor refused."""
        return sum(
            part.stage is PartStage.SUBMITTING for job in self.jobs().values() for part in job.parts if job.alive
        )

    def accepted(self) -> Counter[str]:
        """How often the services took (and billed) each content, by its hash."""
        return Counter(entry["sha256"] for entry in self.sandbox.ledger() if entry["accepted"])


def sandbox_in(base: Path, *, pace: tuple[float, float] = (0.1, 0.6)) -> Running:
    """A sandbox whose account limits do not make tests slow."""
    return start(base / "services", pace=pace, limits=_NO_LIMITS)
