"""The place where it happens: services, a proxy before them, root and state, and the daemon as a process."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon import records
from daemon.job import Job
from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running
from tests.soaking.contents import FOLDERS
from tests.soaking.proxy import Proxy

REPOSITORY = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 20.0
_ENTRIES = {
    "gpttranslator": "source_language: en\n    options: {model: gpt-4.1-mini-2025-04-14}\n    max_in_flight: 6",
    "voicecheap": "",
    "doctranslate": "",
    "azure": "storage: {source: {env: SOAK_SOURCE}, target: {env: SOAK_TARGET}}",
    "cambai": "source_language: en\n    max_texts: 40",
}


class Place:
    """Everything below one folder; `share` is the root."""

    def __init__(self, base: Path, sandbox: Running, proxy: Proxy, *, settle: str) -> None:
        self.base, self.sandbox, self.proxy = base, sandbox, proxy
        self.root, self.state, self.desk = base / "share", base / "state", base / "desk"
        self.config, self.log = base / "config.yaml", base / "daemon.log"
        self._offset = base / "clock"
        self.canary = secrets.token_hex(12)
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = self._said_before = 0
        self.wrong_by = 0.0
        self.set_clock(0.0)
        for folder in (self.desk, self.root):
            folder.mkdir()
        self._environment = self._secrets()
        self.config.write_text(self._configuration(settle), encoding="utf-8")

    def _secrets(self) -> dict[str, str]:
        """Every secret holds the canary, so that it can be looked for in what is left behind."""
        signed = {
            f"SOAK_{name.upper()}": container_url(self.sandbox.addresses, name).replace(
                "sig=sandbox-signature", f"sig=sandbox-{self.canary}"
            )
            for name in ("source", "target")
        }
        keys = {f"SOAK_{name.upper()}_KEY": f"sandbox-{name}-{self.canary}" for name in FOLDERS}
        keys["SOAK_VOICECHEAP_KEY"] = f"vc_sandbox_{self.canary}"
        return {**os.environ, **signed, **keys, "PYTHONPATH": str(REPOSITORY)}

    def _configuration(self, settle: str) -> str:
        lines = [f"root: {self.root}", f"state: {self.state}", f"watch: {{settle: {settle}, rescan: 3s}}", "providers:"]
        for name, folders in FOLDERS.items():
            address = f"http://127.0.0.1:{self.proxy.port}/{name}"
            lines.append(
                f"  {name}:\n    base_url: {address}\n    api_key: {{env: SOAK_{name.upper()}_KEY}}\n"
                f"    languages: [{', '.join(folders)}]\n    poll: {{every: 200ms, at_most: 1s}}\n    rate: null\n"
                f'    timeout: {{connect: 2s, read: 4s}}\n    result_hosts: ["{self.sandbox.addresses.results_host}"]\n'
                f"    {_ENTRIES[name]}"
            )
        return "\n".join([*lines, ""])

    # -- the daemon -----------------------------------------------------------------------------------------

    def _command(self, *arguments: str) -> list[str]:
        head = [sys.executable, "-m", "tests.soaking.clocked", str(self._offset)]
        return [*head, arguments[0], "-c", str(self.config), *arguments[1:]]

    def start(self) -> None:
        """Start the daemon; returns at once."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._said_before = log.tell()
            self.process = subprocess.Popen(
                self._command("run"), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environment
            )

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_up(self) -> bool:
        """Whether the daemon has said that it works."""
        with self.log.open("rb") as log:
            log.seek(self._said_before)
            return self.alive() and b'"event": "daemon.started"' in log.read()

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def terminate(self) -> int | None:
        """SIGTERM, and the exit code; None, and a kill, when it does not end in time."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def command(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One command to its end; what it said is kept for the search for secrets."""
        done = subprocess.run(
            self._command(*arguments), capture_output=True, text=True, timeout=timeout, check=False,
            env=self._environment, errors="replace",
        )  # fmt: skip
        with (self.base / "commands.log").open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(arguments)} -> {done.returncode}\n{done.stdout}{done.stderr}\n")
        return done

    def set_clock(self, seconds: float) -> None:
        """Let the daemon's wall clock be wrong by so much."""
        self.wrong_by = seconds
        aside = self.base / "clock.new"
        aside.write_text(str(seconds), encoding="ascii")
        aside.replace(self._offset)

    # -- what is there --------------------------------------------------------------------------------------

    def records(self) -> list[dict[str, Any]]:
        """Every record of journal and history, a torn tail left out."""
        journal = self.state / "journal.jsonl"
        found = list(records.read(journal.read_bytes()).records) if journal.exists() else []
        for past in sorted((self.state / "history").glob("*.jsonl")):
            found.extend(filter(None, map(records.decode, past.read_bytes().split(b"\n"))))
        return found

    def alive_jobs(self) -> list[Job]:
        return [job for job in records.fold_what_can_be(self.records()).values() if job.alive]

    def files(self, *tops: str) -> Iterator[Path]:
        """Every file below the root, or below some folders of it, hidden ones and links too."""
        for top in tops or ("",):
            for folder, _, names in os.walk(self.root / top):
                yield from (Path(folder, name) for name in names)

    def below(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def is_own_sidecar(self, path: Path) -> bool:
        return path.name.endswith(".error.json") and self.sidecar(path) is not None

    @staticmethod
    def sidecar(path: Path) -> dict[str, Any] | None:
        """What a sidecar of the daemon says; None for anything else."""
        try:
            story = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return story if isinstance(story, dict) and story.get("schema") == 1 and "job" in story else None
