"""The daemon put together: opens the house, starts the helpers, watches them, and stops in order.

The only importer of APScheduler, which gives three re-armed duties (look at the lanes; scan; ask whether the share
answers) and one regular one (housekeeping) their threads and moments. Every helper is watched from the main loop:
one that dies restarts or ends the process with a reason.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor as SchedulerPool
from apscheduler.schedulers.background import BackgroundScheduler
from structlog.typing import FilteringBoundLogger

from daemon import disk, kernel, policy
from daemon.clock import Clock, seconds_between
from daemon.config import Config
from daemon.desks import open_desks
from daemon.engine import Engine
from daemon.errors import ShareAwayError
from daemon.intake import Intake
from daemon.journal import JournalBrokenError
from daemon.ownership import House, open_house
from daemon.pulse import Pulse
from daemon.reconcile import reconcile
from daemon.spool import Spool
from daemon.stability import Settle
from daemon.view import View
from daemon.watcher import Hints, Watcher
from daemon.workshop import Workshop, enter

STOP_WITHIN_S = 8.0
_HEARTBEAT_S = 1.0
_HOUSEKEEPING_S = 3600.0
_WORTH_COMPACTING = 1000
_CLOCK_JUMP_S = 2.0
_CLOCK_TRUSTED_S = 3600.0
_REWATCH_S = 60.0
_SILENT_S = 20.0
"""A share that does not answer for so long is away; whoever waits for it waits on."""


class App:
    """One daemon over one configuration. Raises StateError when the house is not ours to open."""

    def __init__(self, config: Config, clock: Clock, log: FilteringBoundLogger, *, take_over: bool = False) -> None:
        # The kernel asks for a lease back with SIGIO, which kills who does not ignore it.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGIO, signal.SIG_IGN)
        self.config = config
        self._root, self._state = os.fspath(config.root), os.fspath(config.state)
        self._clock = clock
        self._log = log
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self.died: str | None = None
        self.house: House = open_house(config, clock, take_over=take_over)
        self.shop = self._open_shop()
        kind = self._file_system()
        network = kind is None or kernel.is_network(kind)
        override = None if config.watch.settle == "auto" else config.watch.settle
        settle = Settle.on(network=network, late=kind is None or kernel.shows_late(kind), override_s=override)
        self.intake = Intake(self.shop, settle, config.watch.ignore)
        self._engine = Engine(self.shop, self._die)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": SchedulerPool(6)},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        self._dispatch = self._pulse("dispatch", self._engine.dispatch)
        self._scan = self._pulse("scan", self._look)
        self._ask = self._pulse("ask", self._does_it_answer)
        self._housekeeping = Pulse(self._keep_house, lambda _: None, clock)
        self._scheduler.add_job(self._housekeeping.run, "interval", seconds=_HOUSEKEEPING_S, id="housekeeping")
        self._hints = Hints(self._root, self._scan.wake)
        self._watcher = Watcher(self._hints, self._root)
        self._watch = config.watch.observer == "inotify" or (config.watch.observer == "auto" and not network)
        self.view = View(self.shop, self.intake, self._state, self._detector(settle))
        self._next_full = clock.monotonic()
        self._rewatch_at = clock.monotonic()
        self._known_root = False
        self._poked = False
        self.scans = 0
        self._first_offset = self._skew = self._offset()

    def _pulse(self, name: str, duty: Callable[[], float | None]) -> Pulse:
        def arm(wait_s: float) -> None:
            if self._scheduler.running and not self._stopping.is_set():
                at = self._clock.now() + timedelta(seconds=wait_s)
                self._scheduler.modify_job(name, next_run_time=at)

        pulse = Pulse(duty, arm, self._clock)
        # The interval is a backstop; the moments that count are set by `arm`. Overlapping runs are the pulse's
        # affair: it lets one work and remembers the other.
        self._scheduler.add_job(
            pulse.run, "interval", seconds=_HOUSEKEEPING_S, id=name, max_instances=1000, next_run_time=None
        )
        return pulse

    # -- putting together -----------------------------------------------------------------------------------

    def _open_shop(self) -> Workshop:
        state = self._state
        parent = disk.open_root(state)
        try:
            disk.close(disk.make_folders(parent, "spool", 0o700))
        finally:
            disk.close(parent)
        house = self.house
        return Workshop(
            clock=self._clock,
            journal=house.journal,
            folders=house.folders,
            spool=Spool(os.path.join(state, "spool")),
            desks=open_desks(self.config.providers, self._clock, self._stopping, self._was_active),
            log=self._log,
            stopping=self._stopping,
            delete_originals=self.config.originals == "delete",
            wake=lambda: self._dispatch.wake(),  # noqa: PLW0108  it is made later
        )

    def _was_active(self, provider: str, seconds: float) -> bool:
        now = self._clock.now()
        return any(
            job.provider == provider
            and job.submitted_at is not None
            and (job.alive or seconds_between(job.last_at, now) < seconds)
            for job in self.house.jobs
        )

    def _file_system(self) -> str | None:
        """What kind of file system the root is on; None: it is not there, so the careful choices are made."""
        try:
            with self.house.folders.opened():
                return kernel.file_system(self._root)
        except (OSError, ShareAwayError):
            # The folder it will be mounted on says nothing.
            return None

    def _detector(self, settle: Settle) -> dict[str, Any]:
        local = settle.lease_counts
        rest = f"{settle.slow_s:g}s"
        if local and settle.quick_s != settle.slow_s:
            rest = f"{settle.quick_s:g}s with a lease, else {rest}"
        why = "local file system" if local else "events are not seen on a network file system"
        return {
            "events": "inotify" if self._watch else "none",
            "scan_s": self.config.watch.rescan,
            "settle": rest,
            "why": why if self.config.watch.observer == "auto" else "configured",
        }

    # -- duties ---------------------------------------------------------------------------------------------

    def _look(self) -> float | None:
        """Scan what events named, what may have come to rest, or everything; says when to look again."""
        if self._stopping.is_set():
            return None
        shop, now = self.shop, self._clock.monotonic()
        try:
            if not self._known_root or shop.away is not None:
                self._arrive()
                self._next_full = now
            folders, whole = self._hints.take()
            full = folders is None or now >= self._next_full
            self.intake.scan(None if full else folders, whole)
            if full:
                self._next_full = self._clock.monotonic() + self.config.watch.rescan
                self.scans += 1
        except ShareAwayError as error:
            shop.freeze(str(error))
            return self._clock.monotonic() + policy.SHARE_LOOK_S
        except JournalBrokenError as error:
            self._die(str(error))
            return None
        except OSError as error:
            shop.warn_once(("scan", str(error)), "scan.failed", why=str(error))
            self._next_full = self._clock.monotonic() + policy.FIRST_RETRY_S
            # Should one of its folders be missing, it is made again.
            self._known_root = False
        # The marker is looked at often, so that a share that went away is noticed, and said.
        soon = min(self._next_full, self._clock.monotonic() + policy.SHARE_LOOK_S)
        rest = self.intake.next_look()
        return soon if rest is None else min(rest, soon)

    def _does_it_answer(self) -> float:
        """Look at the marker. Where that takes for ever the heartbeat notices; another answer is the scan's affair."""
        with contextlib.suppress(ShareAwayError), self.shop.folders.opened():
            pass
        return self._clock.monotonic() + policy.SHARE_LOOK_S

    def _arrive(self) -> None:
        """The root is there, for the first time or again: make its folders, adopt what was left, watch it."""
        shop = self.shop
        shop.folders.create({name: entry.languages for name, entry in self.config.providers.items()})
        ended = {job.id for job in self.house.jobs if not job.alive}
        reconcile(shop, self.intake, ended)
        shop.thaw()
        # Watches do not survive an unmount, though their threads do: the heartbeat begins anew.
        self._watcher.stop()
        self._known_root = True
        self._rewatch_at = self._clock.monotonic()
        self._dispatch.wake()

    def _keep_house(self) -> float | None:
        journal = self.shop.journal
        if abs(self._offset() - self._first_offset) > _CLOCK_TRUSTED_S:
            # What is old enough to be removed is judged by a calendar; one that was set may be wrong.
            why = "the clock was set since the start; nothing old is removed until the next start"
            self.shop.warn_once(("clock", "housekeeping"), "housekeeping.waits", why=why)
            return None
        try:
            if journal.ended >= _WORTH_COMPACTING and not journal.taking_over:
                self._log.info("journal.compacted", jobs=journal.compact())
            if self.config.archive_for is not None and self.shop.away is None:
                before = self._clock.now().timestamp() - self.config.archive_for
                removed = self.shop.folders.prune_archive(before)
                if removed:
                    self._log.info("archive.pruned", files=removed)
        except JournalBrokenError as error:
            self._die(str(error))
        except (OSError, ShareAwayError) as error:
            self._log.warning("housekeeping.failed", why=str(error))
        return None

    # -- life -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work; returns at once."""
        if self.house.torn:
            self._log.warning("journal.torn", bytes=self.house.torn, why="the last write did not finish")
        self.shop.spool.keep_only({job.id for job in self.shop.journal.alive()})
        for job in self.shop.journal.alive():
            enter(self.shop, job)
        self._scheduler.start()
        self._engine.start()
        for pulse in (self._scan, self._dispatch, self._ask):
            pulse.wake()
            # What woke it before the scheduler ran has armed nothing.
            pulse.rearm()
        self._log.info("daemon.started", root=self._root, **self.view.detector)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Watch the helpers until somebody stops the daemon or `until` says that it is done."""
        while not self._ended.wait(_HEARTBEAT_S) and self.died is None and not until():
            self.beat()

    def beat(self) -> None:
        """Once a second: are all helpers alive, did the clock jump, did something change."""
        if self._poked:
            self._poked = False
            self.poke()
        if not self._scheduler.running or not self._scheduler._thread.is_alive():  # noqa: SLF001  it offers no other way to ask
            self._die("the scheduler's thread has died")
        offset = self._offset()
        if abs(offset - self._skew) > _CLOCK_JUMP_S:
            self._log.warning("clock.jumped", seconds=round(offset - self._skew, 1))
            self._skew = offset
            self._dispatch.rearm()
            self._scan.rearm()
            self._ask.rearm()
        asked = self._ask.began
        if asked is not None and self._clock.monotonic() - asked > _SILENT_S:
            self.shop.freeze(f"{self._root} does not answer")
        if self._watch and self._known_root and self.shop.away is None and not self._watcher.alive:
            self._restart_watcher()
        try:
            self.view.write()
        except OSError as error:
            self.shop.warn_once(("status", str(error)), "status.failed", why=str(error))

    def _restart_watcher(self) -> None:
        now = self._clock.monotonic()
        if now < self._rewatch_at:
            return
        self._rewatch_at = now + _REWATCH_S
        trouble = self._watcher.start()
        if trouble is None:
            self._next_full = now
            self._scan.wake()
        else:
            self.shop.warn_once(("watch", trouble), "watch.failed", why=trouble)

    def _offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def _die(self, why: str) -> None:
        if not self._stopping.is_set() and self.died is None:
            self.died = why
            self._log.error("daemon.died", why=why)
            self._ended.set()

    def request_stop(self) -> None:
        """Ask `run` to return; safe in a signal handler."""
        self._ended.set()

    def request_poke(self) -> None:
        """Ask for `poke` at the next heartbeat; safe in a signal handler."""
        self._poked = True

    def now(self) -> float:
        return self._clock.monotonic()

    def poke(self) -> None:
        """Try at once whatever is closed or paused: SIGHUP."""
        for desk in self.shop.desks.values():
            desk.account.poke()
            self.shop.hurry(desk)
        self._next_full = self._clock.monotonic()
        self._scan.wake()
        self._dispatch.wake()

    def stop(self) -> bool:
        """Cut transfers, wait a little for answers that are on their way; says whether every step has ended."""
        self._stopping.set()
        self._watcher.stop()
        self._scheduler.shutdown(wait=False)
        for desk in self.shop.desks.values():
            desk.close()
        deadline = self._clock.monotonic() + STOP_WITHIN_S
        # The scheduler's threads count, too: Python itself would wait for one that hangs in a share.
        duties = (self._scan, self._ask, self._housekeeping, self._dispatch)
        drained = all([self._engine.wait_idle(deadline), *(duty.wait_idle(deadline) for duty in duties)])
        if self.died is None:
            try:
                self.view.write(force=True)
            except OSError as error:
                self._log.warning("status.failed", why=str(error))
        self.house.close()
        self._log.info("daemon.stopped", drained=drained)
        return drained
