"""One scenario, run once: until the process dies at the chosen effects, then to its end, with every check."""

import errno
import itertools
import os
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from daemon import disk
from daemon.errors import StateError
from tests.crash import invariants
from tests.crash.invariants import Standing
from tests.crash.rows import Stop
from tests.crash.services import Services
from tests.crash.site import Site
from tests.crash.world import World, replaced
from tests.effects import Effects, How, Step

_MOST_LIVES = 12
_SHORT_TURNS = 60
_NUMBERS = itertools.count(os.getpid() * 10_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Blow:
    """How one life ends: at its n-th effect, by a kill (`power` is None), by a power loss that leaves nothing
    volatile (0) or what chance leaves (a seed). With `error` its disk fails there instead, with `cuts` the
    connection breaks.
    """

    at: int
    how: How = "before"
    power: int | None = None
    error: int = 0
    lasting: bool = False
    cuts: bool = False

    @property
    def kills(self) -> bool:
        return not self.error and not self.cuts

    def __str__(self) -> str:
        if self.cuts:
            return f"connection cut {self.how} {self.at}"
        if self.error:
            return f"{errno.errorcode[self.error]} {'from' if self.lasting else 'at'} {self.at}"
        end = "kill" if self.power is None else f"power loss {self.power}"
        return f"{end} {self.how} {self.at}"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is dropped and what has to come of it. `ends` is `delivered` or an error's code, for each drop.

    `before` prepares the folders (it may run whole lives of the daemon), `last` is done when nothing is left to
    do, `meanwhile` is what people do at an effect. `recovers`: the service can be asked what became of a
    submission. `paid` is how often each content may be billed.
    """

    name: str
    kind: str = "gpttranslator"
    ends: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[Site], None] = lambda _site: None
    last: Callable[[World], None] = lambda _world: None
    meanwhile: Callable[[Site, Step], Path | None] = lambda _site, _step: None
    state: str = "state"
    take_over: bool = False
    recovers: bool = False
    paid: int = 1


@dataclass(kw_only=True)
class Outcome:
    """What came of a trial: the violations, where its lives ended, and how much was volatile there."""

    violations: list[str] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    volatile: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    """The effects of the first life that came to its own end."""

    @property
    def untouched(self) -> bool:
        """The last blow came too late to hit anything."""
        return not self.stops or not self.stops[-1].hit


def run(scenario: Scenario, services: Services, folder: Path, blows: tuple[Blow, ...] = ()) -> Outcome:
    """Run a scenario with these blows, one a life, then without, and check everything."""
    number = next(_NUMBERS)
    with replaced():
        site = Site(
            base=folder / str(number),
            services=services,
            number=number,
            kind=scenario.kind,
            settings=scenario.settings,
            more=scenario.more,
        )
        try:
            scenario.before(site)
            for name in scenario.ends:
                if name not in site.dropped:
                    site.drop(name)
            return _Trial(scenario, site).run(blows)
        finally:
            shutil.rmtree(site.base)


class _Trial:
    def __init__(self, scenario: Scenario, site: Site) -> None:
        self._scenario = scenario
        self._site = site
        self._standing = Standing()
        self._outcome = Outcome()
        self._world: World | None = None
        self._cut_at = 0

    def run(self, blows: tuple[Blow, ...]) -> Outcome:
        site, outcome = self._site, self._outcome
        with Effects(site.base) as effects:
            effects.meanwhile = partial(self._meanwhile, effects)
            for blow in blows:
                self._life(effects, blow)
            self._live_on(effects)
            if not outcome.violations:
                outcome.violations += invariants.at_the_end(self._scenario, site, self._standing)
                before = site.tree()
                self._live_on(effects)
                if site.tree() != before:
                    outcome.violations.append("V14 another start changes something")
        return outcome

    def _live_on(self, effects: Effects) -> None:
        """Start again until everything is done; a daemon that ends itself is started anew by its system."""
        for _ in range(_MOST_LIVES):
            if self._life(effects, None) or self._outcome.violations:
                return
        self._outcome.violations += invariants.always(self._scenario, self._site, self._standing)
        self._outcome.violations.append("V15 it does not come to an end")

    def _life(self, effects: Effects, blow: Blow | None) -> bool:
        """One life; whether everything is done."""
        self._arm(effects, blow)
        # What a process knows dies with it.
        disk.lasting.clear()
        self._world = None
        whole = False
        try:
            whole = self._lived(effects, blow)
        except BaseException as error:  # noqa: BLE001  a kill may come out as anything that somebody made of it
            _forget_frames(error)
            if not effects.dead:
                self._failed(error, blow)
        if effects.dead:
            assert blow is not None
            self._died(effects, blow)
        elif blow is not None:
            stop = self._stop(effects, hit=effects.stopped)
            self._outcome.stops.append(stop)
            if not whole:
                invariants.left_open(self._standing, stop.jobs)
        self._outcome.violations += [f"a sync that failed was repeated: {path}" for path in effects.distrusted]
        self._bury(effects)
        if whole and not self._outcome.steps:
            self._outcome.steps = effects.steps
        return whole

    def _lived(self, effects: Effects, blow: Blow | None) -> bool:
        scenario, site = self._scenario, self._site
        config, quiet = site.config(scenario.state), site.services.quiet
        world = World(config, site.clock, effects, quiet, take_over=self._takes_over())
        self._world = world
        world.start()
        lasting = blow is not None and blow.lasting
        whole = world.run(self._done, _SHORT_TURNS) if lasting else world.run(self._done)
        if lasting and not whole:
            # The disk has been repaired.
            effects.arm(0)
            whole = world.run(self._done)
        if whole:
            scenario.last(world)
        world.stop()
        if blow is None or not blow.error:
            self._outcome.violations += invariants.of_the_log(world.log)
        return whole

    def _failed(self, error: BaseException, blow: Blow | None) -> None:
        """A daemon that does not start on a broken disk is in order; any other that does not start is not."""
        if not isinstance(error, (StateError, OSError)):
            raise error
        if blow is None or blow.kills:
            self._outcome.violations.append(f"V15 {error!r}")

    def _bury(self, effects: Effects) -> None:
        if self._world is not None:
            self._world.bury()
        effects.bury()

    def _arm(self, effects: Effects, blow: Blow | None) -> None:
        self._standing.failed = self._standing.failed or bool(blow and blow.error)
        self._cut_at = blow.at if blow is not None and blow.cuts else 0
        if blow is None:
            effects.arm(0)
        else:
            effects.arm(blow.at, blow.how, error=blow.error, lasting=blow.lasting, cuts=blow.cuts)

    def _meanwhile(self, effects: Effects, step: Step) -> Path | None:
        if self._cut_at == effects.count:
            invariants.left_open(self._standing, self._site.jobs(self._scenario.state).values())
        return self._scenario.meanwhile(self._site, step)

    def _takes_over(self) -> bool:
        """A take-over is ordered until it was done once, as its person would."""
        return self._scenario.take_over and not self._standing.taken_over

    def _done(self, world: World) -> bool:
        self._standing.taken_over = self._standing.taken_over or not world.app.shop.journal.taking_over
        if world.app.shop.journal.alive() or not world.app.scans:
            return False
        return not self._site.waiting()

    def _died(self, effects: Effects, blow: Blow) -> None:
        """What is there right after the end of a life, and what has to hold of it."""
        outcome = self._outcome
        outcome.volatile.append(effects.volatile.count)
        believed = self._world.app.shop.journal.alive() if self._world is not None else []
        outcome.stops.append(self._stop(effects, hit=True))
        self._bury(effects)
        if blow.power is not None:
            effects.volatile.lose_power(Random(blow.power) if blow.power else None)
            # A name that an earlier life could not sync any more is taken back, and comes again.
            gone = self._standing.shown.keys() - self._site.files("outbox").keys()
            for path in gone:
                del self._standing.shown[path]
        self._site.services.quiet()
        outcome.violations += invariants.at_the_crash(self._scenario, self._site, self._standing, believed)

    def _stop(self, effects: Effects, *, hit: bool) -> Stop:
        """Where the life ended: the effect, and how far the jobs were by the record that was left."""
        jobs = self._site.jobs(self._scenario.state)
        step = effects.steps[-1] if effects.steps else Step("nothing", "")
        claimed = {path.split("/")[2] for path in self._site.files("processing")}
        return Stop(hit=hit, step=step, jobs=tuple(jobs.values()), claimed=bool(claimed - jobs.keys()))


def _forget_frames(error: BaseException | None) -> None:
    """Let go of everything that the dead process had under way, as its end does."""
    for one in _chain(error):
        traceback.clear_frames(one.__traceback__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
