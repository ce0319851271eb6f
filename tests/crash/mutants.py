"""Mistakes put into the daemon on purpose, each of which the enumeration has to catch: the proof of the proof.

One that nobody catches means that the enumeration or the invariants are too weak.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from daemon import folders, journal, moves, spool
from tests.crash import mistakes
from tests.crash.enumeration import Violation, crashes, cuts
from tests.crash.mistakes import Apply
from tests.crash.services import Services
from tests.crash.trial import Scenario, run


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One mistake, the scenario that meets it, and what has to happen there: `kill`, `power` or `cut`."""

    name: str
    apply: Apply
    scenario: str = "delivered"
    ends: Literal["kill", "power", "cut"] = "kill"
    begin: int = 1
    """The effect to begin with; those before it are known to show nothing."""

    @contextmanager
    def at_work(self) -> Iterator[None]:
        patch = pytest.MonkeyPatch()
        self.apply(patch)
        try:
            yield
        finally:
            patch.undo()


def first_violation(mutant: Mutant, scenario: Scenario, services: Services, folder: Path) -> Violation | None:
    """What the enumeration says against a mistake; None when it does not catch it."""
    with mutant.at_work():
        for said in run(scenario, services, folder).violations:
            return Violation(scenario=scenario.name, blows=(), where="", said=said)
        if mutant.ends == "cut":
            tally = cuts(scenario, services, folder, patience=1)
        else:
            kill = mutant.ends == "kill"
            tally = crashes(scenario, services, folder, kill=kill, power=not kill, patience=1, begin=mutant.begin)
    return next(iter(tally.violations), None)


MUTANTS = (
    Mutant(name="journal: no sync before going on", apply=mistakes.without(journal, "sync"), ends="power", begin=40),
    Mutant(name="journal: `accepted` not synced", apply=mistakes.accepted_unsynced, ends="power", begin=50),
    Mutant(name="journal: `submitting` recorded after sending", apply=mistakes.submitting_late),
    Mutant(name="journal: torn tail left in place", apply=mistakes.torn_tail_left),
    Mutant(
        name="compaction: new file not synced before it replaces",
        apply=mistakes.replaced_unsynced,
        scenario="compaction",
        ends="power",
    ),
    Mutant(name="compaction: history not synced", apply=mistakes.history_unsynced, scenario="compaction", ends="power"),
    Mutant(name="compaction: history written last", apply=mistakes.history_last, scenario="compaction"),
    Mutant(
        name="claim: folders not synced after the rename",
        apply=mistakes.without(folders, "sync_folder"),
        ends="power",
        begin=40,
    ),
    Mutant(
        name="new folders not synced",
        apply=mistakes.folders_unsynced,
        ends="power",
    ),
    Mutant(name="claim: files without a record are not adopted", apply=mistakes.claims_forgotten),
    Mutant(name="claim: claimed files go back to the inbox at a start", apply=mistakes.adopted_anew),
    Mutant(name="upload: hash not verified", apply=mistakes.unverified, scenario="changed meanwhile"),
    Mutant(name="upload: last block not held back", apply=mistakes.last_block_given, ends="cut"),
    Mutant(
        name="a time-out is taken for a refusal", apply=mistakes.timeout_is_no, scenario="answer lost, nobody to ask"
    ),
    Mutant(name="an open submission is taken for unsent after a start", apply=mistakes.open_taken_for_unsent),
    Mutant(name="bank: result not synced", apply=mistakes.without(spool, "sync"), ends="power", begin=70),
    Mutant(name="bank: folder not synced", apply=mistakes.without(spool, "sync_folder"), ends="power", begin=70),
    Mutant(name="publish: temporary not synced", apply=mistakes.without(folders, "sync"), ends="power", begin=85),
    Mutant(
        name="publish: folder not synced after the rename",
        apply=mistakes.without(moves, "sync_folder"),
        ends="power",
        begin=92,
    ),
    Mutant(name="publish: `delivered` recorded before the rename", apply=mistakes.delivered_first),
    Mutant(name="publish: published again after a crash", apply=mistakes.published_again),
    Mutant(name="publish: written under the visible name", apply=mistakes.written_in_place),
    Mutant(name="publish: rename replaces what is there", apply=mistakes.renames_over, scenario="names taken"),
    Mutant(name="original removed before the result is published", apply=mistakes.original_first),
    Mutant(name="spool emptied before `publishing` is recorded", apply=mistakes.result_forgotten),
    Mutant(name="`closed` recorded before the original is moved", apply=mistakes.closed_first),
    Mutant(name="failed: sidecar written after the move", apply=mistakes.sidecar_last, scenario="failed"),
)
