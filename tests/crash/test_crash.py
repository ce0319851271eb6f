"""Killed or without power at any effect, the daemon loses nothing, pays once and comes to an end.

The long tests try every effect of every scenario; `python -m tests.crash` prints what they find as tables.
"""

import errno
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import in_memory
from tests.crash.enumeration import crashes, cuts, failures, recoveries
from tests.crash.mutants import MUTANTS, Mutant, first_violation
from tests.crash.scenarios import BY_NAME, DELIVERED, SCENARIOS
from tests.crash.services import Services, services
from tests.crash.trial import Blow, Scenario, run

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ESTALE)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with in_memory() as base:
        yield base


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Services]:
    # The kernel asks for a lease back with SIGIO, which kills who does not ignore it.
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with services(folder / "services") as started:
        yield started
    signal.signal(signal.SIGIO, before)


def by_name(scenario: Scenario) -> str:
    return scenario.name


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_nobody_dies(scenario: Scenario, running: Services, folder: Path) -> None:
    """Each scenario ends as it should when it is left alone, and takes the same effects every time."""
    first, second = (run(scenario, running, folder) for _ in range(2))

    assert first.violations == []
    assert [step.name for step in first.steps] == [step.name for step in second.steps]


def test_killed_at_every_third_effect(running: Services, folder: Path) -> None:
    """A drop on its way to the outbox survives a kill."""
    tally = crashes(DELIVERED, running, folder, power=False, stride=3)

    assert tally.effects > 30
    assert tally.violations == []


def test_the_result_of_a_blocking_service_is_delivered(running: Services, folder: Path) -> None:
    """Killed between the bank and its record the only copy of what was paid for is found again."""
    scenario = BY_NAME["blocking service"]
    steps = [step.about for step in run(scenario, running, folder).steps]
    banked = next(at for at, about in enumerate(steps, 1) if about.endswith(".result"))
    outcomes = [run(scenario, running, folder, (Blow(at=at),)) for at in (banked + 1, banked + 2, banked + 3)]

    assert [outcome.violations for outcome in outcomes] == [[], [], []]


def test_an_old_sidecar_goes_with_the_next_attempt(running: Services, folder: Path) -> None:
    """Killed between the claim and its last act, or without power there: the sidecar of before is removed."""
    scenario = BY_NAME["tried again"]
    steps = run(scenario, running, folder).steps
    gone = next(at for at, step in enumerate(steps, 1) if step.name == "unlink" and "error.json" in step.about)
    blows = [Blow(at=at, power=power) for at in range(gone - 4, gone + 2) for power in (None, 0)]
    outcomes = [run(scenario, running, folder, (blow,)) for blow in blows]

    assert [outcome.violations for outcome in outcomes] == [[]] * len(blows)


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_every_effect(scenario: Scenario, running: Services, folder: Path) -> None:
    """Killed before and in the middle of every effect, and without power there."""
    tally = crashes(scenario, running, folder)

    assert tally.violations == []
    assert tally.losses > tally.effects // 2


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_every_connection_is_cut(scenario: Scenario, running: Services, folder: Path) -> None:
    """A connection that breaks, wherever it does, costs neither the document nor a second payment."""
    assert cuts(scenario, running, folder).violations == []


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_every_effect_fails(scenario: Scenario, running: Services, folder: Path) -> None:
    """A disk that fails once, or for a while, delays a drop and loses nothing."""
    assert failures(scenario, running, folder, ERRORS, 1).violations == []


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("begin", [7, 17])
def test_killed_again_while_it_recovers(begin: int, running: Services, folder: Path) -> None:
    """Recovery is repeatable at each of its effects."""
    tally = recoveries(DELIVERED, running, folder, begin=begin, stride=20)

    assert tally.violations == []
    assert tally.effects > 100


def test_a_folder_whose_maker_was_killed_is_made_durable(running: Services, folder: Path) -> None:
    """Killed before the name of a new folder was synced, and without power after the next life has used it."""
    steps = run(DELIVERED, running, folder).steps
    made = [
        at
        for at, step in enumerate(steps, 1)
        if step.name == "sync_folder" and step.about == "share/outbox/gpttranslator/fr" and at > 40
    ]
    tally = crashes(DELIVERED, running, folder, first=(Blow(at=made[0]),), kill=False)

    assert tally.violations == []
    assert tally.losses > 10


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_is_caught(mutant: Mutant, running: Services, folder: Path) -> None:
    """The enumeration sees what would go wrong, had the daemon been written otherwise."""
    assert first_violation(mutant, BY_NAME[mutant.scenario], running, folder) is not None
