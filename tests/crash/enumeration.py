"""Every effect of a scenario, one after the other: the process dies there, in every way that leaves something else."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.services import Services
from tests.crash.trial import Blow, Outcome, Scenario, run
from tests.effects import HOWS

NETWORK = ("connect", "send", "receive")
_IN_PIECES = ("write", "send")
FEW = 2
"""Chances a power loss is given at each effect, beside the one that leaves nothing volatile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    scenario: str
    blows: tuple[Blow, ...]
    where: str
    said: str

    def __str__(self) -> str:
        return f"{self.scenario}, {', '.join(map(str, self.blows))} ({self.where}): {self.said}"


@dataclass(kw_only=True)
class Tally:
    """What one scenario's enumeration has shown."""

    scenario: str
    effects: int = 0
    kills: int = 0
    losses: int = 0
    cuts: int = 0
    failures: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count what another enumeration has shown as well."""
        self.effects += other.effects
        self.kills += other.kills
        self.losses += other.losses
        self.cuts += other.cuts
        self.failures += other.failures
        self.rows += other.rows
        self.violations += other.violations

    def note(self, blows: tuple[Blow, ...], outcome: Outcome) -> None:
        last = blows[-1]
        if last.cuts:
            self.cuts += 1
        elif last.error:
            self.failures += 1
        elif last.power is None:
            self.kills += 1
        else:
            self.losses += 1
        where = str(outcome.stops[-1]) if outcome.stops else "before the start"
        for said in outcome.violations:
            self.violations.append(Violation(scenario=self.scenario, blows=blows, where=where, said=said))


def crashes(
    scenario: Scenario,
    services: Services,
    folder: Path,
    *,
    kill: bool = True,
    power: bool = True,
    first: tuple[Blow, ...] = (),
    patience: int = 0,
    stride: int = 1,
    begin: int = 1,
) -> Tally:
    """Kill at every effect of the life after `first`, and lose power there; until nothing is hit any more.

    With `patience` it ends after so many violations. `stride` and `begin` choose among the effects; without
    `kill` each loses power only.
    """
    tally = Tally(scenario=scenario.name)
    at = begin
    while True:
        blows = (*first, Blow(at=at, power=None if kill else 0))
        outcome = run(scenario, services, folder, blows)
        if outcome.untouched or len(outcome.stops) <= len(first):
            tally.note(blows, outcome)
            return tally
        tally.effects += 1
        stop = outcome.stops[-1]
        tally.rows[stop.row] += 1
        tally.note(blows, outcome)
        others = _other_ends(at, stop.step.name, outcome.volatile[-1] if power else 0)
        for blow in others if kill else (one for one in others if one.power):
            other = (*first, blow)
            tally.note(other, run(scenario, services, folder, other))
        if patience and len(tally.violations) >= patience:
            return tally
        at += stride


def recoveries(
    scenario: Scenario, services: Services, folder: Path, *, begin: int = 1, stride: int = 1, within: int = 1
) -> Tally:
    """Kill at effects chosen by `begin` and `stride`, and then once more at every `within`-th of the next life,
    each time beginning with another of them.
    """
    total = Tally(scenario=f"{scenario.name}, and again in recovery")
    for turn, at in enumerate(range(begin, len(_effects(scenario, services, folder)) + 1, stride)):
        total.add(crashes(scenario, services, folder, first=(Blow(at=at),), begin=1 + turn % within, stride=within))
    return total


def cuts(scenario: Scenario, services: Services, folder: Path, *, patience: int = 0) -> Tally:
    """Break the connection at every effect on the network, before it, in its middle and after it."""
    blows = (
        Blow(at=at, how=how, cuts=True)
        for at, name in _effects(scenario, services, folder)
        if name in NETWORK
        for how in (HOWS if name == "send" else HOWS[::2])
    )
    return _each(scenario, services, folder, blows, patience)


def failures(scenario: Scenario, services: Services, folder: Path, errors: Sequence[int], each: int) -> Tally:
    """Let the disk fail at every effect, once and from then on, with `each` of the errors in turn."""
    blows = (
        Blow(at=at, error=errors[(at * each + turn) % len(errors)], lasting=lasting)
        for at, name in _effects(scenario, services, folder)
        if name not in NETWORK
        for turn in range(each)
        for lasting in (False, True)
    )
    return _each(scenario, services, folder, blows)


def _effects(scenario: Scenario, services: Services, folder: Path) -> list[tuple[int, str]]:
    steps = run(scenario, services, folder).steps
    return [(at, step.name) for at, step in enumerate(steps, 1)]


def _each(scenario: Scenario, services: Services, folder: Path, blows: Iterable[Blow], patience: int = 0) -> Tally:
    tally = Tally(scenario=scenario.name)
    for blow in blows:
        if patience and len(tally.violations) >= patience:
            break
        tally.note((blow,), run(scenario, services, folder, (blow,)))
    return tally


def _other_ends(at: int, name: str, volatile: int) -> Iterator[Blow]:
    if name in _IN_PIECES:
        yield Blow(at=at, how="half")
    if volatile:
        yield Blow(at=at, power=0)
    if volatile > 1:
        # Of a single name nothing else can be left than after a kill, or after that.
        yield from (Blow(at=at, power=at * 100 + chance) for chance in range(1, FEW + 1 + (volatile > 2)))
