"""One soak: the steps of a seed for some minutes, the end of all faults, the drain, and what the checker says."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from time import monotonic

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from daemon import names
from daemon.job import Job, State
from daemon.sandbox.child import start
from tests.soaking.checker import Evidence, File, check
from tests.soaking.contents import FOLDERS, is_result
from tests.soaking.faults import Faults
from tests.soaking.history import History
from tests.soaking.place import Place
from tests.soaking.proxy import Proxy
from tests.soaking.schedule import FAULTS, steps
from tests.soaking.users import Users

_SAY_EVERY_S = 10.0
_DRAIN_S = 120.0
_MOVE_IN_S = 60.0
_LIMITS = {f"voicecheap.{what}": "none" for what in ("status", "submit")} | {"voicecheap.jobs": "4"}
_NEEDS_SHARE = {"ask", "second", "once", "retry"}


def say(text: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class OutboxLog(FileSystemEventHandler):
    """Visible names in the outbox that somebody wrote to."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = Path(os.fsdecode(event.src_path))
        if not event.is_directory and event.event_type in ("modified", "closed") and not path.name.startswith("."):
            self.written.append(f"V5 {path} was written to ({event.event_type})")


class Soak:
    """Everything of one run. `violations` is there after `run`."""

    def __init__(self, base: Path, seed: int, minutes: float) -> None:
        self.base, self.seed, self.minutes = base, seed, minutes
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.states: Counter[str] = Counter()
        self.drained_s = 0.0

    def run(self) -> None:
        """From the first drop to the verdict."""
        with (
            start(self.base / "services", pace=(0.1, 1.5), limits=_LIMITS, seed=self.seed) as sandbox,
            Proxy(int(sandbox.addresses.api.rpartition(":")[2])) as proxy,
        ):
            self.place = Place(self.base, sandbox, proxy, settle="auto" if self.seed % 2 else "300ms")
            self.history = History(self.base / "history.jsonl")
            self.users = Users(self.place, self.history, self.seed)
            self.faults = Faults(self.place, self.history, self.users)
            log, observer = self._watch_outbox()
            try:
                self._move_in()
                self._live()
                self._drain()
                self.faults.stop_for_good()
            finally:
                self.place.kill()
                observer.stop()
                observer.join()
            self.faults.incidents += log.written + self._secrets()
            self._judge()
            self.history.close()

    def _watch_outbox(self) -> tuple[OutboxLog, InotifyObserver]:
        # Made beforehand: a watcher that learns of a new folder may miss what happens in it at once.
        for provider, folders in FOLDERS.items():
            for folder in folders:
                (self.place.root / "outbox" / provider / folder / "sub" / "deep er").mkdir(parents=True)
        log, observer = OutboxLog(), InotifyObserver(generate_full_events=True)
        observer.schedule(log, str(self.place.root / "outbox"), recursive=True)
        observer.start()
        return log, observer

    def _move_in(self) -> None:
        """The first start takes the root; only from then on a share that is away can be told from a new one."""
        self.faults.start()
        until = monotonic() + _MOVE_IN_S
        while not self.place.is_up():
            assert monotonic() < until, self.place.log.read_text(encoding="utf-8")
            threading.Event().wait(0.1)

    # -- life -----------------------------------------------------------------------------------------------

    def _live(self) -> None:
        does: dict[str, Callable[[Random], str]] = {**self.users.acts(), **self.faults.faults()}
        until, next_word = monotonic() + self.minutes * 60.0, 0.0
        with (self.base / "steps.log").open("w", encoding="utf-8") as told:
            for step in steps(self.seed):
                threading.Event().wait(step.gap_s)
                self.faults.end_due()
                self.faults.look_after()
                away = self.faults.is_on("share") and (step.what not in FAULTS or step.what in _NEEDS_SHARE)
                came = "missed" if away else does[step.what](Random(step.seed))
                told.write(f"{monotonic():.3f} {step.what}: {came}\n")
                told.flush()
                self.counts[f"{step.what} missed" if came == "missed" else step.what] += 1
                if monotonic() >= next_word:
                    next_word = monotonic() + _SAY_EVERY_S
                    self._summary("soaking", until - monotonic())
                if monotonic() >= until:
                    return

    def _summary(self, what: str, left_s: float) -> None:
        lying = Counter(self.place.below(path).split("/", 1)[0] for path in self.place.files())
        alive = Counter(job.state.value for job in self.place.alive_jobs())
        faults = sum(count for name, count in self.counts.items() if name in FAULTS)
        say(
            f"seed {self.seed} {what}, {left_s:.0f} s left: {self.counts.total()} steps, {faults} faults, "
            f"{self.place.starts} starts; inbox {lying['inbox']}, processing {lying['processing']}, "
            f"outbox {lying['outbox']}, failed {lying['failed']}; under way {dict(alive)}"
        )

    # -- the end --------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """All faults stop, nobody does anything more, and nobody helps."""
        self.users.end_all_writing()
        self.faults.end_due(everything=True)
        self.place.proxy.mode = "pass"
        self.place.sandbox.end_outages()
        self.place.set_clock(0.0)
        self.faults.look_after()
        began = monotonic()
        bound = _DRAIN_S + len(self.place.alive_jobs())
        next_word = 0.0
        while not self._is_drained() and monotonic() < began + bound:
            self.faults.look_after()
            threading.Event().wait(0.5)
            if monotonic() >= next_word:
                next_word = monotonic() + _SAY_EVERY_S
                self._summary("draining", began + bound - monotonic())
        self.drained_s = monotonic() - began

    def _is_drained(self) -> bool:
        waiting = [path for path in self.place.files("inbox", "processing") if self._is_drop(path)]
        return not waiting and not self.place.alive_jobs()

    def _is_drop(self, path: Path) -> bool:
        planted = {act.path for act in self.history.acts if act.kind == "plant"}
        below = self.place.below(path)
        return below not in planted and not path.is_symlink() and not self.place.is_own_sidecar(path)

    def _secrets(self) -> list[str]:
        """V9: what holds the canary although anybody may read it."""
        places = [self.place.state, self.place.root, self.base / "collected"]
        artefacts = [path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
        artefacts += [self.place.log, self.base / "commands.log"]
        canary = self.place.canary.encode()
        return [f"V9 a secret stands in {path}" for path in artefacts if path.exists() and canary in path.read_bytes()]

    def _judge(self) -> None:
        place = self.place
        records = place.records()
        self.faults.incidents += [f"V9 a key came to {leak['path']}" for leak in place.sandbox.leaks()]
        self.faults.incidents += self._broken_steps()
        tree = {
            place.below(path): File(sha256=_digest(path), story=place.sidecar(path) if _may_tell(path) else None)
            for path in place.files()
            if not path.is_symlink()
        }
        evidence = Evidence(
            acts=self.history.acts,
            ledger=place.sandbox.ledger(),
            records=records,
            tree=tree,
            state=[str(path.relative_to(place.state)) for path in place.state.rglob("*") if path.is_file()],
            snapshots=self.faults.snapshots,
            incidents=self.faults.incidents,
            fits=self._fits(place.sandbox.ledger()),
        )
        self.violations = check(evidence)
        for record in records:
            if record["event"] == "failed":
                self.states[f"failed: {record['error']['code']}"] += 1
            elif record["event"] in ("claimed", State.DELIVERED):
                self.states[record["event"]] += 1

    def _broken_steps(self) -> list[str]:
        """What the daemon itself calls broken."""
        lines = self.place.log.read_text(encoding="utf-8", errors="replace").splitlines()
        broken = [line for line in lines if '.broke"' in line or line.startswith("Traceback")]
        return [f"V2 {line[:600]}" for line in broken]

    def _fits(self, ledger: list[dict[str, object]]) -> Callable[[Job, str], bool]:
        """Whether a result is what the services make of a job's original."""
        results = {_digest(path): path for path in self.place.files("outbox") if not path.is_symlink()}
        collected = self.base / "collected"
        results |= {_digest(path): path for path in collected.iterdir()} if collected.exists() else {}

        @cache
        def fits(digest: str, job: str, provider: str, original: str, extension: str) -> bool:
            targets = [str(entry["target"]) for entry in ledger if f".{job}-" in f".{entry['file']}"]
            # A result that was paid for by an earlier job of the same bytes.
            targets += [str(entry["target"]) for entry in ledger if entry["sha256"] == original]
            known = self.users.contents / original
            # Half a file was hashed: nothing is its result.
            return known.exists() and is_result(
                results[digest].read_bytes(),
                known.read_bytes(),
                extension=extension,
                provider=provider,
                targets=tuple(dict.fromkeys(targets)),
            )

        def judge(job: Job, digest: str) -> bool:
            return job.sha256 is not None and fits(digest, job.id, job.provider, job.sha256, names.extension(job.name))

        return judge

    def report(self) -> str:
        """The whole run as Markdown."""
        verdict = [f"- {violation}" for violation in self.violations] or ["None."]
        facts = f"{len(self.history.acts)} facts about users, {self.place.starts} starts"
        looks = f"{len(self.faults.snapshots)} looks at the originals; drained in {self.drained_s:.1f} s."
        return "\n".join(
            [
                f"# Soak, seed {self.seed}, {self.minutes:g} minutes\n\n{facts}, {looks}\n",
                *_table("steps", self.counts),
                *_table("jobs", self.states),
                f"## Violations: {len(self.violations)}\n",
                *verdict,
                "",
            ]
        )


def _table(what: str, counts: Counter[str]) -> list[str]:
    rows = [f"| {name} | {count} |" for name, count in sorted(counts.items())]
    return [f"| {what} | count |\n|---|---|", *rows, ""]


def _may_tell(path: Path) -> bool:
    return path.name.endswith(".error.json")


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
