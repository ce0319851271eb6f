"""The daemon put together: opens the house, starts the helpers, watches them, and stops in order.

The only importer of APScheduler, which gives re-armed duties (look at the lanes; scan; ask whether the share
answers; listen to it) and one regular one (housekeeping) their threads and moments. Every helper is watched from the
main loop: one that dies restarts or ends the process with a reason.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor as SchedulerPool
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from structlog.typing import FilteringBoundLogger

from daemon import detector, disk, messages, vitals
from daemon.budget import past_of
from daemon.clock import Clock, seconds_between
from daemon.config import Config
from daemon.desks import open_desks
from daemon.engine import Engine
from daemon.errors import StateError
from daemon.housekeeping import Housekeeping, offset
from daemon.intake import Intake
from daemon.liveness import Sign
from daemon.lookout import Lookout
from daemon.notifier import Notifier
from daemon.ownership import House, open_house
from daemon.pulse import Pulse
from daemon.spool import Spool
from daemon.view import View
from daemon.web.pages import Pages
from daemon.workshop import Workshop, enter

STOP_WITHIN_S = 8.0
_HEARTBEAT_S = 1.0
_HOUSEKEEPING_S = 3600.0
_CLOCK_JUMP_S = 2.0
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
        chosen = detector.choose(config, self.house.folders)
        self._listens = chosen.watches
        self.intake = Intake(self.shop, chosen.settle, config.watch.ignore)
        self.view = View(self.shop, self.intake, self._state, chosen.told)
        self._notifier = Notifier(config, clock, log)
        self.view.notify = self._notifier.row
        self.shop.also_on_closed.append(self._notifier.ended)
        self._pages = self._open_pages()
        self._engine = Engine(self.shop, self._die)
        self._lookout = Lookout(config, self.shop, self.intake, self.house.jobs, lambda: self._scan.wake(), self._die)  # noqa: PLW0108  it is made later
        self._keep_house = Housekeeping(self.shop, config.archive_for, self._die).keep
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": SchedulerPool(7)},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        self._dispatch = self._pulse("dispatch", self._engine.dispatch)
        self._engine.blind = True
        self._scan = self._pulse("scan", self._look)
        self._ask = self._pulse("ask", self._lookout.ask)
        self._listen = self._pulse("listen", self._lookout.listen)
        self._housekeeping = Pulse(self._keep_house, lambda _: None, clock)
        self._scheduler.add_job(self._housekeeping.run, "interval", seconds=_HOUSEKEEPING_S, id="housekeeping")
        self._poked = False
        self._skew = offset(clock)

    @property
    def _duties(self) -> dict[str, Pulse]:
        """What always has a next turn."""
        duties = {"scan": self._scan, "dispatch": self._dispatch, "ask": self._ask}
        return {**duties, "listen": self._listen} if self._listens else duties

    def _look(self) -> float | None:
        """Look at the inboxes; submissions begin after the first time, so that every sign that lies there counts."""
        due = self._lookout.look()
        if self._engine.blind and self.shop.away is None:
            self._engine.blind = False
            self._dispatch.wake()
        return due

    @property
    def scans(self) -> int:
        """How many full scans have ended."""
        return self._lookout.scans

    def _pulse(self, name: str, duty: Callable[[], float | None]) -> Pulse:
        def arm(wait_s: float) -> None:
            if self._scheduler.running and not self._stopping.is_set():
                at = self._clock.now() + timedelta(seconds=wait_s)
                # A step that ends while the scheduler is shut down has nothing to wake any more.
                with contextlib.suppress(JobLookupError):
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
            texts=messages.TEXTS[self.config.language],
            past=past_of(state, house.jobs),
            wake=lambda: self._dispatch.wake(),  # noqa: PLW0108  it is made later
        )

    def _open_pages(self) -> Pages:
        try:
            return Pages(self.config, self.shop, self.view.facts, self.house.jobs, self._log)
        except StateError:
            # Whoever tries again, with another address, finds the house free.
            self.house.close()
            raise

    def _was_active(self, provider: str, seconds: float) -> bool:
        now = self._clock.now()
        return any(
            job.provider == provider
            and job.submitted_at is not None
            and (job.alive or seconds_between(job.last_at, now) < seconds)
            for job in self.house.jobs
        )

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
        for pulse in self._duties.values():
            pulse.wake()
            # What woke it before the scheduler ran has armed nothing.
            pulse.rearm()
        self._notifier.start()
        self._pages.start()
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
        now = offset(self._clock)
        if abs(now - self._skew) > _CLOCK_JUMP_S:
            self._log.warning("clock.jumped", seconds=round(now - self._skew, 1))
            self._skew = now
            for pulse in self._duties.values():
                pulse.rearm()
        asked = self._ask.began
        if asked is not None and self._clock.monotonic() - asked > _SILENT_S:
            self.shop.freeze(f"{self._root} does not answer")
        self._show()

    def _show(self) -> None:
        """Bring up to date what people look at. Whatever goes wrong there is said, and disturbs nothing."""
        self._pages.beat()
        self._notifier.beat(self.view.snapshot)
        try:
            self.view.write()
        except OSError as error:
            self.shop.warn_once(("status", str(error)), "status.failed", why=str(error))

    def _die(self, why: str) -> None:
        if not self._stopping.is_set() and self.died is None:
            self.died = why
            self._log.error("daemon.died", why=why)
            self._ended.set()

    def now(self) -> float:
        return self._clock.monotonic()

    # -- what a supervisor asks -------------------------------------------------------------------------------

    def signs(self) -> dict[str, Sign]:
        """What every helper shows of itself now."""
        return vitals.signs(self._duties, {"housekeeping": self._housekeeping}, self.shop.desks.values())

    def prod(self) -> None:
        """Wake every duty, so that each has a turn to show."""
        for pulse in self._duties.values():
            pulse.wake()

    # -- what a person asks -----------------------------------------------------------------------------------

    def request_stop(self) -> None:
        """Ask `run` to return; safe in a signal handler."""
        self._ended.set()

    def request_poke(self) -> None:
        """Ask for `poke` at the next heartbeat; safe in a signal handler."""
        self._poked = True

    def poke(self) -> None:
        """Try at once whatever is closed or paused."""
        for desk in self.shop.desks.values():
            desk.account.poke()
            self.shop.hurry(desk)
        self._lookout.look_again()
        self._dispatch.wake()

    @property
    def submitting(self) -> int:
        """How many submissions are under way."""
        return self._engine.submitting

    def hold_submissions(self, *, hold: bool) -> None:
        """Start no further submission, or go on with them; everything else goes on meanwhile."""
        self._engine.held = hold
        self._dispatch.wake()

    def stop(self) -> bool:
        """Cut transfers, wait a little for answers that are on their way; says whether every step has ended."""
        self._stopping.set()
        self._lookout.stop()
        self._scheduler.shutdown(wait=False)
        for desk in self.shop.desks.values():
            desk.close()
        deadline = self._clock.monotonic() + STOP_WITHIN_S
        # The scheduler's threads count, too: Python itself would wait for one that hangs in a share.
        duties = (*self._duties.values(), self._housekeeping)
        drained = all([self._engine.wait_idle(deadline), *(duty.wait_idle(deadline) for duty in duties)])
        self._notifier.stop()
        self._pages.stop()
        if self.died is None:
            try:
                self.view.write(force=True)
            except OSError as error:
                self._log.warning("status.failed", why=str(error))
        self.house.close()
        self._log.info("daemon.stopped", drained=drained)
        return drained
