"""`python -m tests.crash`: every enumeration, as tables. Words on the command line choose among the scenarios.

With `--all` recovery is ended at every effect after every effect, which takes an hour.
"""

import argparse
import errno
import signal
import sys
import time

from tests.builders import in_memory
from tests.crash import report
from tests.crash.enumeration import Tally, Violation, crashes, cuts, failures, recoveries
from tests.crash.mutants import MUTANTS, Mutant, first_violation
from tests.crash.scenarios import BY_NAME, DELIVERED, SCENARIOS
from tests.crash.services import services

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ESTALE)
STRIDE = 12


def main() -> int:
    """Print the report; the exit code says whether everything held and every mistake was caught."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("scenario", nargs="*", help="some of: " + ", ".join(BY_NAME))
    asked.add_argument("--all", action="store_true", help="leave out nothing of the recoveries")
    asked.add_argument("--no-mutants", action="store_true")
    asked.add_argument("--only-mutants", action="store_true")
    told = asked.parse_args()
    # The kernel asks for a lease back with SIGIO, which kills who does not ignore it.
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    began = time.monotonic()
    tallies: list[Tally] = []
    caught: list[tuple[Mutant, Violation | None]] = []
    with in_memory() as base, services(base / "services") as running:
        for scenario in () if told.only_mutants else SCENARIOS:
            if told.scenario and scenario.name not in told.scenario:
                continue
            tally = crashes(scenario, running, base)
            tally.add(cuts(scenario, running, base))
            tally.add(failures(scenario, running, base, ERRORS, 1))
            tallies.append(tally)
            _progress(f"{tally.scenario}: {tally.effects} effects, {len(tally.violations)} violations")
        if not told.scenario and not told.only_mutants:
            tallies.append(recoveries(DELIVERED, running, base, stride=1 if told.all else STRIDE))
            _progress(f"{tallies[-1].scenario}: {len(tallies[-1].violations)} violations")
        for mutant in () if told.no_mutants or told.scenario else MUTANTS:
            caught.append((mutant, first_violation(mutant, BY_NAME[mutant.scenario], running, base)))
            _progress(f"{mutant.name}: {'caught' if caught[-1][1] else 'NOT CAUGHT'}")
    tables = [report.scenarios(tallies), report.rows(tallies), report.mutants(caught), report.violations(tallies)]
    sys.stdout.write("\n\n".join(tables) + "\n")
    _progress(f"{time.monotonic() - began:.0f} s")
    return int(any(tally.violations for tally in tallies) or any(violation is None for _, violation in caught))


def _progress(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
