"""Killed or without power at any effect, the daemon loses nothing, pays once and comes to an end.

The long tests try every effect of every scenario; `python -m tests.crash` prints what they find as tables.
"""

import errno
from pathlib import Path

import pytest

from tests.crash.enumeration import crashes, cuts, failures
from tests.crash.scenarios import BY_NAME, DELIVERED, SCENARIOS
from tests.crash.services import Services
from tests.crash.trial import Blow, Scenario, run

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ESTALE)


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


@pytest.mark.parametrize(
    "folder_synced", [".", "share", "share/inbox/gpttranslator/fr/sub", "share/archive/gpttranslator/fr/sub"]
)
def test_what_a_killed_process_left_volatile_is_made_durable(
    folder_synced: str, running: Services, folder: Path
) -> None:
    """Killed before a name was synced (state, marker, claim, archived original), and without power in the next life."""
    steps = run(DELIVERED, running, folder).steps
    at = next(at for at, step in enumerate(steps, 1) if step.name == "sync_folder" and step.about == folder_synced)
    tally = crashes(DELIVERED, running, folder, first=(Blow(at=at),), kill=False, stride=2)

    assert tally.violations == []
    assert tally.losses > 10
