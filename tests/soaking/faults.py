"""What goes wrong: the daemon, the services, the network between them, the share and the clock.

A fault that lasts is ended by an entry of `ends`, when its time has come or when all faults stop. What the daemon
does that it must never do shows here first and is kept in `incidents`.
"""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from time import monotonic

from tests.soaking.checker import Snapshot
from tests.soaking.contents import FOLDERS
from tests.soaking.history import History, is_original
from tests.soaking.place import Place
from tests.soaking.proxy import MODES
from tests.soaking.users import NOT_DROPPED, Users

_HOUR, _DAY = 3600.0, 86_400.0
_JUMPS = (7.0, -7.0, _HOUR, -_HOUR, 30 * _DAY, -30 * _DAY, 3650 * _DAY, -3650 * _DAY, 0.0, 0.0)


class Faults:
    """Each method begins one fault and says in words what it was."""

    def __init__(self, place: Place, history: History, users: Users) -> None:
        self._place, self._history, self._users = place, history, users
        self.ends: list[tuple[float, str, Callable[[], None]]] = []
        self.snapshots: list[Snapshot] = []
        self.incidents: list[str] = []
        self._paused = False

    # -- what lasts -----------------------------------------------------------------------------------------

    def _lasts(self, name: str, seconds: float, end: Callable[[], None]) -> None:
        self.ends.append((monotonic() + seconds, name, end))

    def is_on(self, name: str) -> bool:
        return any(name == one for _, one, _ in self.ends)

    def end_due(self, *, everything: bool = False) -> None:
        """End what has lasted long enough, or everything."""
        now = monotonic()
        for entry in list(self.ends):
            if everything or entry[0] <= now:
                self.ends.remove(entry)
                entry[2]()

    # -- the daemon -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon, and remember how far the journal was."""
        last = max((record["seq"] for record in self._place.records()), default=0)
        self._history.tell("start", note=str(last))
        self._place.start()

    def look_after(self) -> None:
        """A daemon that ended by itself is an incident, and is started again."""
        process = self._place.process
        if process is not None and process.poll() is not None:
            self.incidents.append(f"V15 the daemon ended by itself with exit code {process.returncode}")
            self.start()

    def kill(self, dice: random.Random) -> str:
        """SIGKILL, a look at what is there, and a new start; sometimes killed again while it starts."""
        times = dice.choice((1, 1, 1, 2, 3))
        for _ in range(times):
            self._resume()
            self._place.kill()
            self.snapshot()
            self.start()
            if times > 1:
                _pause(dice.uniform(0.0, 1.2))
        return f"killed {times} times"

    def stop(self, _dice: random.Random) -> str:
        """SIGTERM, and a new start."""
        self._terminate()
        self.snapshot()
        self.start()
        return "stopped"

    def _terminate(self) -> None:
        self._resume()
        # Whoever has not begun yet is ended by the signal itself.
        good = (0,) if self._place.is_up() else (0, -signal.SIGTERM)
        began = monotonic()
        code = self._place.terminate()
        if code not in good:
            said = "did not end in time" if code is None else f"ended with exit code {code}"
            self.incidents.append(f"V18 after SIGTERM the daemon {said} ({monotonic() - began:.1f} s)")

    def stop_for_good(self) -> None:
        """The last SIGTERM."""
        self._terminate()

    def pause(self, dice: random.Random) -> str:
        """SIGSTOP for a while; what is there then can be looked at."""
        if self._paused:
            return "missed"
        self._place.signal(signal.SIGSTOP)
        self._paused = True
        _pause(0.05)
        self.snapshot()
        self._lasts("pause", dice.uniform(0.2, 5.0), self._resume)
        return "paused"

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._place.signal(signal.SIGCONT)

    def poke(self, _dice: random.Random) -> str:
        """SIGHUP, which only a daemon that has come up understands."""
        if self._paused or not self._place.is_up():
            return "missed"
        self._place.signal(signal.SIGHUP)
        return "poked"

    def once(self, _dice: random.Random) -> str:
        """The daemon makes room for `once`."""
        self._terminate()
        last = max((record["seq"] for record in self._place.records()), default=0)
        self._history.tell("start", note=str(last))
        done = self._place.command("once", "--for", "5s")
        if done.returncode not in (0, 1, 3):
            self.incidents.append(f"V18 `once` ended with {done.returncode}: {done.stderr[-300:]}")
        self.start()
        return f"once: {done.returncode}"

    def second(self, _dice: random.Random) -> str:
        """A second daemon refuses to start while the first one is there."""
        if self._paused or not self._place.is_up():
            return "missed"
        done = self._place.command("run")
        if done.returncode != 2:
            self.incidents.append(f"V18 a second daemon ended with {done.returncode}: {done.stderr[-300:]}")
        return "refused"

    def ask(self, dice: random.Random) -> str:
        """Somebody looks what is going on."""
        done = self._place.command(*dice.choice((("status",), ("status", "--json"), ("check",))))
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            self.incidents.append(f"V2 {done.args[4]} ended with {done.returncode}: {done.stderr[-300:]}")
        return f"asked: {done.returncode}"

    # -- what is around it ----------------------------------------------------------------------------------

    def jump(self, dice: random.Random) -> str:
        """The wall clock is set; monotonic time goes on."""
        self._place.set_clock(dice.choice(_JUMPS))
        return f"wrong by {self._place.wrong_by:g} s"

    def take_share(self, dice: random.Random) -> str:
        """The root is away; in its place is nothing, or an empty mount point."""
        if self.is_on("share"):
            return "missed"
        root, aside = self._place.root, self._place.base / "share away"
        root.rename(aside)
        empty = dice.random() < 0.5
        if empty:
            root.mkdir()

        def back() -> None:
            if empty:
                found = [path.name for path in root.iterdir()]
                if found:
                    self.incidents.append(f"V10 written below the empty mount point: {found}")
                    root.rename(self._place.base / f"mount point {len(self.incidents)}")
                else:
                    root.rmdir()
            aside.rename(root)

        self._lasts("share", dice.uniform(0.3, 5.0), back)
        return "away, mount point empty" if empty else "away"

    def spoil_network(self, dice: random.Random) -> str:
        """The proxy does its worst."""
        if self.is_on("network"):
            return "missed"
        self._place.proxy.mode = dice.choice(MODES)
        self._lasts("network", dice.uniform(0.3, 4.0), self._mend_network)
        return self._place.proxy.mode

    def _mend_network(self) -> None:
        self._place.proxy.mode = "pass"

    def outage(self, dice: random.Random) -> str:
        """One service, or one of its verbs, is out of order."""
        if self.is_on("services"):
            return "missed"
        status = dice.choice((429, 500, 502, 503, 504, 401, 403, 404, "reset", "hang"))
        verbs = dice.choice((None, ["submit"], ["status"], ["fetch"]))
        more = {"retry_after": dice.choice(("1", "2", "-3", "soon"))} if status == 429 else {}
        service, seconds = dice.choice(tuple(FOLDERS)), dice.uniform(0.5, 5.0)
        if verbs != ["submit"] and status in (403, 404):
            # An answer as documented would be about the job: it would be lost or failed by right.
            status = 503
        self._place.sandbox.outage(service, status, verbs=verbs, seconds=seconds, **more)
        return f"{service} {status} {verbs or 'all'}"

    def pause_services(self, dice: random.Random) -> str:
        """The services' process answers nobody for a while."""
        if self.is_on("services"):
            return "missed"
        self._services(signal.SIGSTOP)
        self._lasts("services", dice.uniform(0.3, 6.0), lambda: self._services(signal.SIGCONT))
        return "paused"

    def _services(self, number: signal.Signals) -> None:
        os.kill(self._place.sandbox.pid, number)

    # -- looking --------------------------------------------------------------------------------------------

    def snapshot(self) -> None:
        """The originals on the share, at a moment when nobody moves them."""
        if self.is_on("share"):
            return
        unfinished = self._users.unfinished
        found: Counter[str] = Counter()
        for path in self._place.files("inbox", "processing", "archive", "failed"):
            if path.is_symlink() or path.name.startswith(NOT_DROPPED) or not is_original(self._place.below(path)):
                continue
            if not self._place.is_own_sidecar(path):
                data = path.read_bytes()
                found[unfinished.get(path.stat().st_ino) or sha256(data).hexdigest()] += 1
        self.snapshots.append(Snapshot(after=len(self._history.acts), originals=found))

    def faults(self) -> dict[str, Callable[[random.Random], str]]:
        """What goes wrong, by its name in the schedule."""
        return {
            "kill": self.kill, "stop": self.stop, "pause": self.pause, "poke": self.poke, "once": self.once,
            "second": self.second, "ask": self.ask, "jump": self.jump, "take share": self.take_share,
            "spoil network": self.spoil_network, "outage": self.outage, "pause services": self.pause_services,
        }  # fmt: skip


def _pause(seconds: float) -> None:
    # Nothing happens that could be waited for: the daemon is stopped, or has hardly begun.
    threading.Event().wait(seconds)
