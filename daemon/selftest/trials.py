"""Trials: fresh roots and states, a drop in each, daemons that meet a fault, daemons that meet none, what is left.

Each daemon is a fork of this process, which therefore must have no threads of its own when it starts one.
"""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from daemon import config, log, records
from daemon.app import App
from daemon.clock import SystemClock
from daemon.job import PartStage
from daemon.outlook import is_done
from daemon.sandbox.child import Running
from daemon.selftest.faults import Effects, Fault
from daemon.selftest.judge import Aftermath

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_WITHIN_S = 120.0
# A disk that stays broken is not waited for.
_BROKEN_S = 3.0
_HUNG_S = 150.0
_AT_ONCE = 4
_FORK = multiprocessing.get_context("fork")
_BYSTANDER = b"somebody else's file, which must stay as it is\n"
# The language that files go into, and what each service needs beside its address and key.
_ENTRIES = {
    "gpttranslator": ("fr", "source_language: en\n    options: {{model: gpt-4.1-mini-2025-04-14}}"),
    "cambai": ("fr", "source_language: en\n    max_texts: 1"),
    "doctranslate": ("vi", 'result_hosts: ["{results}"]'),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of file for a provider. Words in its name ask the service for misbehaviour."""

    title: str
    provider: str
    name: str
    content: Callable[[int], bytes]
    """What is in it, different for every number, so that the ledger can tell trials apart."""
    result: Callable[[bytes], bytes] | None
    """What the service makes of it; None: it fails it."""
    open_end: bool = False
    """Whether the service leaves open if it took the file."""

    @property
    def drop(self) -> str:
        return f"{self.provider}/{_ENTRIES[self.provider][0]}/{self.name}"


class Trial:
    """One root and one state, from the drop to the end."""

    def __init__(self, number: int, share: Path, state: Path, sandbox: Running, scenario: Scenario) -> None:
        self.root = share / f"{number}"
        self.state = state / f"{number}-state"
        self._config = state / f"{number}.yaml"
        self._key = f"sandbox-selftest-{number}"
        self._scenario = scenario
        self.content = scenario.content(number)
        self._bystander = f"outbox/{scenario.drop}"
        self.state.mkdir(parents=True)
        for place, content in ((f"inbox/{scenario.drop}", self.content), (self._bystander, _BYSTANDER)):
            (self.root / place).parent.mkdir(parents=True)
            (self.root / place).write_bytes(content)
        self._config.write_text(self._configuration(sandbox), encoding="utf-8")
        self.effects: Synchronized[int] = _FORK.Value("i", 0)
        self._ended = False
        self._was_open = scenario.open_end

    def _configuration(self, sandbox: Running) -> str:
        scenario = self._scenario
        language, more = _ENTRIES[scenario.provider]
        return (
            f"root: {json.dumps(str(self.root))}\nstate: {json.dumps(str(self.state))}\n"
            "watch: {settle: 20ms, rescan: 1s}\nproviders:\n"
            f"  {scenario.provider}:\n    base_url: {sandbox.base_url(scenario.provider)}\n"
            f"    api_key: {self._key}\n    languages: [{language}]\n    poll: {{every: 20ms, at_most: 100ms}}\n"
            f"    {more.format(results=sandbox.addresses.results_host)}\n"
        )

    def start(self, fault: Fault) -> ForkProcess:
        """A daemon, working until nothing is left to do."""
        process = _FORK.Process(target=_work, args=(self._config, fault, self.state.with_suffix(".log"), self.effects))
        process.start()
        return process

    def wait(self, process: ForkProcess) -> None:
        """Take note of how a daemon ended."""
        process.join(_HUNG_S)
        if process.is_alive():
            process.kill()
            process.join()
        self._ended = process.exitcode == 0
        self._was_open = self._was_open or self._has_open_submission()

    def _has_open_submission(self) -> bool:
        journal = self.state / "journal.jsonl"
        jobs = records.fold(records.read(journal.read_bytes()).records) if journal.exists() else {}
        return any(part.stage is PartStage.SUBMITTING for job in jobs.values() for part in job.parts if job.alive)

    def left(self, ledger: Sequence[dict[str, Any]]) -> Aftermath:
        """What there is to judge. The ledger may hold other trials' submissions, too."""
        return Aftermath(
            content=self.content,
            root=_files(self.root),
            bystander=self._bystander,
            bystander_content=_BYSTANDER,
            secret=self._key.encode(),
            state=_files(self.state),
            ledger=[entry for entry in ledger if entry["account"] == self._key],
            ended=self._ended,
            was_open=self._was_open,
        )

    def forget(self) -> None:
        """Take away what is left."""
        shutil.rmtree(self.root)
        shutil.rmtree(self.state)
        self._config.unlink()


class Ground:
    """Where trials happen: `share` for the roots, `state` for the states (a local disk), and the services."""

    def __init__(self, share: Path, state: Path, sandbox: Running) -> None:
        self._share = share
        self._state = state
        self._sandbox = sandbox
        self._number = 0

    def run(self, scenario: Scenario, faults: Sequence[Fault]) -> list[tuple[Trial, Aftermath]]:
        """A trial for each fault, a few of them at a time: a daemon that meets it, then one that meets none."""
        trials = [self._trial(scenario) for _ in faults]
        for start in range(0, len(trials), _AT_ONCE):
            some = list(zip(trials, faults, strict=True))[start : start + _AT_ONCE]
            _all(some)
            _all([(trial, Fault()) for trial, fault in some if fault.at])
        ledger = self._sandbox.ledger()
        return [(trial, trial.left(ledger)) for trial in trials]

    def _trial(self, scenario: Scenario) -> Trial:
        self._number += 1
        return Trial(self._number, self._share, self._state, self._sandbox, scenario)


def _all(some: Sequence[tuple[Trial, Fault]]) -> None:
    """One daemon for each, at the same time, to their ends."""
    processes = [trial.start(fault) for trial, fault in some]
    for (trial, _), process in zip(some, processes, strict=True):
        trial.wait(process)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _work(path: Path, fault: Fault, log_path: Path, count: Any) -> None:
    """The child: a daemon that works as `once` does. Ends the process, with 0 when everything is done."""
    effects = Effects(fault)
    done = False
    with open(log_path, "a", encoding="utf-8") as stream:
        settings = config.load(path)
        log.configure("info", "json", stream=stream, secrets=lambda: config.secret_values(settings))
        effects.install()
        try:
            app = App(settings, SystemClock(), structlog.get_logger())
            app.start()
            deadline = app.now() + (_BROKEN_S if fault.lasting else _WITHIN_S)
            app.run(until=lambda: is_done(app.shop, app.intake, app.scans) or app.now() > deadline)
            done = is_done(app.shop, app.intake, app.scans) and app.died is None
            app.stop()
        except Exception:  # noqa: BLE001  whatever ends a daemon early, the next one has to cope with
            structlog.get_logger().exception("selftest.broke")
    count.value = effects.count
    os._exit(0 if done else 1)
