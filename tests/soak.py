"""A soak: users, faults and a checker, for as long as wanted.

    python tests/soak.py --minutes 2 --seed 1

Prints a line every ten seconds and a report in Markdown at the end. The exit code is 1 when something was found
that must never be; then the folder with everything is kept. The seed decides what happens in which order; when
exactly it happens it cannot.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.soaking.run import Soak, say


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Users, faults and a checker, for as long as wanted.")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long users and faults are at work")
    parser.add_argument("--seed", type=int, help="what happens in which order; drawn, and told, by default")
    parser.add_argument("--work", type=Path, help="an empty or new folder; a temporary one by default")
    parser.add_argument("--keep", action="store_true", help="keep the folder also when nothing was found")
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if wanted.seed is None else wanted.seed
    base = wanted.work.absolute() if wanted.work else Path(tempfile.mkdtemp(prefix="babeldrop-soak-"))
    base.mkdir(parents=True, exist_ok=True)
    say(f"seed {seed}, {wanted.minutes:g} minutes, in {base}")
    soak = Soak(base, seed, wanted.minutes)
    soak.run()
    report = soak.report()
    (base / "report.md").write_text(report, encoding="utf-8")
    say(f"\n{report}")
    if soak.violations or wanted.keep:
        say(f"Kept: {base}")
    else:
        shutil.rmtree(base)
    return 1 if soak.violations else 0


if __name__ == "__main__":
    sys.exit(main())
