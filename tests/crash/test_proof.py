"""Recovery is ended as well, and the proof is proven."""

from pathlib import Path

import pytest

from tests.crash.enumeration import recoveries
from tests.crash.mutants import MUTANTS, Mutant, first_violation
from tests.crash.scenarios import BY_NAME, DELIVERED
from tests.crash.services import Services


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_is_caught(mutant: Mutant, running: Services, folder: Path) -> None:
    """The enumeration sees what would go wrong, had the daemon been written otherwise."""
    assert first_violation(mutant, BY_NAME[mutant.scenario], running, folder) is not None


@pytest.mark.long
@pytest.mark.parametrize("begin", [3, 8])
def test_killed_again_while_it_recovers(begin: int, running: Services, folder: Path) -> None:
    """Recovery is repeatable: sampled at effects of the first life and of the second."""
    tally = recoveries(DELIVERED, running, folder, begin=begin, stride=10, within=3)

    assert tally.violations == []
    assert tally.effects > 100
