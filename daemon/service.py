"""The daemon for as long as its process lives: one App after another, each over the configuration of its time.

A reload (SIGHUP) reads the file anew. What cannot be read, or needs a restart, changes nothing and is said; what
changed nothing has everything tried at once that waits. Otherwise the App ends in order and a new one opens in its
place: all that it knows is in the journal, so a reload is as safe as a restart. It waits until no submission is under
way: an answer that nobody hears would be lost, and with it what it cost.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from daemon.app import App
from daemon.clock import Clock
from daemon.config import Config
from daemon.errors import BabeldropError, ConfigError, Problem
from daemon.measuring import carry_over
from daemon.supervisor import Supervisor, in_a_line, to_the_minute

ANSWERS_WITHIN_S = 900.0
"""So long the answers of submissions under way are awaited before a new configuration: longer than any ordinary one
takes. Uploads that are still going on are cut then, which proves that they were not accepted.
"""
_NEED_A_RESTART = ("root", "state")


class Service:
    """`read` reads the configuration, raising ConfigError; `open_app` makes an App over it. `anew` replaces the whole
    process when a step of the old App hangs.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        open_app: Callable[[Config], App],
        supervisor: Supervisor,
        clock: Clock,
        log: FilteringBoundLogger,
        anew: Callable[[], None] | None = None,
    ) -> None:
        self._read = read
        self._open_app = open_app
        self._supervisor = supervisor
        self._clock = clock
        self._log = log
        self._anew = anew or begin_anew
        self._asked = self._stopped = False
        self._next: Config | None = None
        self._next_since = 0.0
        self._switching = False
        self.app = open_app(config)
        self._since = to_the_minute(clock)

    def run(self) -> None:
        """Work until somebody stops the daemon or it has died; the last App is not stopped yet then."""
        self._start(self.app)
        while True:
            self._switching = False
            self.app.run(until=self._turn)
            if not self._switching:
                break
            self._switch()
        self._supervisor.stopping()

    def request_stop(self) -> None:
        """Ask `run` to return; safe in a signal handler."""
        self._stopped = True
        self.app.request_stop()

    def request_poke(self) -> None:
        """Ask for a reload at the next heartbeat; safe in a signal handler."""
        self._asked = True

    def _start(self, app: App) -> None:
        self.app = app
        self._since = to_the_minute(self._clock)
        app.start()
        self._supervisor.forget()
        self._supervisor.ready()
        if self._stopped:
            # Asked for while no App was there to hear it.
            app.request_stop()

    def _turn(self) -> bool:
        """Once a second: a reload that is asked for, and what the supervisor hears. True: it is time to switch."""
        if self._asked:
            self._asked = False
            self._reload()
        elif self._next is not None:
            waited = self._clock.monotonic() - self._next_since
            self._switching = self.app.submitting == 0 or waited > ANSWERS_WITHIN_S
        self._supervisor.status(in_a_line(self.app.shop, len(self.app.intake.resting), self._since, self._news()))
        self._supervisor.watch(self.app)
        self.app.view.stalled = self._supervisor.stalled
        return self._switching

    def _news(self) -> str | None:
        """What is to be said about the configuration."""
        if self._next is not None:
            count = self.app.submitting
            under_way = f"waits for {count} submission{'s' if count > 1 else ''} to be answered"
            return f"a new configuration {under_way if count else 'is being taken'}"
        problem = self.app.view.config_problem
        return f"the new configuration is not in force: {problem}" if problem else None

    # -- reading anew -----------------------------------------------------------------------------------------

    def _reload(self) -> None:
        self._next = None
        try:
            new = self._read()
        except ConfigError as error:
            self._keep(error.problems)
        else:
            changed = changes(self.app.config, new)
            if refused := [key for key in changed if key in _NEED_A_RESTART]:
                self._keep([Problem(message=f"{key} was changed, which needs a restart") for key in refused])
            elif changed:
                self._next, self._next_since = new, self._clock.monotonic()
                self._log.info("config.changed", changed=changed)
            else:
                self.app.view.config_problem = None
                self._log.info("config.unchanged")
                self.app.poke()
        self.app.hold_submissions(hold=self._next is not None)
        if self._next is None:
            self._supervisor.reloading()
            self._supervisor.ready()

    def _keep(self, problems: list[Problem]) -> None:
        """The old configuration stays in force, and everybody who looks can see why."""
        for problem in problems:
            self._log.error("config.problem", why=str(problem))
        self._log.warning("config.kept", problems=len(problems))
        self.app.view.config_problem = _in_a_sentence(problems)

    # -- taking another one -----------------------------------------------------------------------------------

    def _switch(self) -> None:
        """End the App and open another one over the new configuration; over the old one where that cannot be."""
        old, new, self._next = self.app, self._next, None
        assert new is not None
        self._supervisor.reloading()
        if not old.stop():
            self._log.warning("reload.abrupt", why="a step hangs; the process begins anew, as after a crash")
            self._anew()
        for desk in old.shop.desks.values():
            desk.session.close()
        try:
            app = self._open_app(new)
        except (BabeldropError, OSError) as error:
            # Whatever forbids the old one, too, ends the process, with its reason.
            app = self._open_app(old.config)
            self.app = app
            self._keep([Problem(message=str(error))])
        else:
            self._log.info("config.taken")
        carry_over(old.shop, app.shop)
        self._start(app)


def begin_anew() -> None:
    """Replace this process by one that has just begun: threads that hang are gone, the process id stays.

    What a command line asked for once (`--take-over`) was done.
    """
    command = [word for word in sys.orig_argv if word != "--take-over"]
    # Until the new one has its own handlers another SIGHUP would kill it; what is ignored stays ignored.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)  # noqa: S606  the very command that runs already


def changes(old: Config, new: Config) -> list[str]:
    """Which keys have another value; of the providers which entries."""
    before, after = _values(old), _values(new)
    return [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]


def _values(config: Config) -> Mapping[str, Any]:
    entries = {f"providers.{name}": (type(entry), entry.model_dump()) for name, entry in config.providers.items()}
    return {**config.model_dump(exclude={"providers"}), **entries}


def _in_a_sentence(problems: list[Problem]) -> str:
    """Where the first one is, for everybody to see. What stands there is not shown: it may be a key."""
    first, count = problems[0], len(problems)
    if first.line is None:
        return str(first)
    more = f"{count} problems, the first" if count > 1 else "a problem"
    place = f", at {first.path}" if first.path else ""
    return f"{more} in {first.file}, line {first.line}{place}; `babeldrop check` tells what is wrong"
