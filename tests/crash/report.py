"""The enumeration as tables for people: what was tried, at which kill points, and which mistakes it catches."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.crash.enumeration import Tally, Violation
from tests.crash.mutants import Mutant
from tests.crash.rows import ROWS

_CHANGING = re.compile(r"\b(?:[0-9a-z]{16}|[0-9a-f]{8}|\d{6,})\b|/[^ ]*babeldrop-test-[^ ']*")


def scenarios(tallies: Sequence[Tally]) -> str:
    """One row a scenario."""
    lines = [
        f"| {one.scenario} | {one.effects} | {one.kills} | {one.losses} | {one.cuts} | {one.failures} "
        f"| {len(one.violations)} |"
        for one in (*tallies, _sum(tallies))
    ]
    return _table("scenario | effects | kills | power losses | connections cut | disk failures | violations", lines)


def rows(tallies: Sequence[Tally]) -> str:
    """One row a kill point, with how many effects of all scenarios it has."""
    counts: Counter[str] = sum((one.rows for one in tallies), Counter())
    return _table("kill point | effects", [f"| {row} | {counts[row]} |" for row in ROWS])


def mutants(caught: Iterable[tuple[Mutant, Violation | None]]) -> str:
    """One row a mistake."""
    lines = []
    for mutant, violation in caught:
        how, said = ("**not caught**", "") if violation is None else (_how(violation), stable(violation.said))
        lines.append(f"| {mutant.name} | {mutant.scenario} | {how} | {said} |")
    return _table("mistake | scenario | ended by | first violation", lines)


def violations(tallies: Sequence[Tally]) -> str:
    """Every violation, one a line."""
    return "\n".join(f"* {one}" for tally in tallies for one in tally.violations)


def stable(text: str) -> str:
    """A sentence without what differs from run to run."""
    return _CHANGING.sub("…", text)[:160]


def _how(violation: Violation) -> str:
    if not violation.blows:
        return "nothing: it shows at once"
    return f"{violation.blows[-1]}: {stable(violation.where)}"


def _sum(tallies: Sequence[Tally]) -> Tally:
    total = Tally(scenario="**all**")
    for one in tallies:
        total.add(one)
    return total


def _table(head: str, lines: Sequence[str]) -> str:
    columns = head.count("|") + 1
    return "\n".join([f"| {head} |", "|" + "---|" * columns, *lines])
