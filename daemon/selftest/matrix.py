"""What is tried: documents that come back, fail, come in parts or are lost, with kills and failing disks."""

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.sandbox.localise import localise, marked, pseudo
from daemon.segments import take_apart
from daemon.selftest.faults import Fault
from daemon.selftest.judge import violations
from daemon.selftest.trials import Ground, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _text(number: int) -> bytes:
    return b"# Lighthouse %d\n\nThe keeper lights lamp %d at dusk.\n\nAt dawn she puts %d out.\n" % ((number,) * 3)


def _pdf(number: int) -> bytes:
    return b"%%PDF-1.4\n%% lighthouse %d\n%%%%EOF\n" % number


def _translated(content: bytes) -> bytes:
    return localise(content, "md", "fr")


def _in_parts(content: bytes) -> bytes:
    """Every part is marked for itself."""
    document = take_apart(content, "md")
    return document.rebuild([marked(pseudo(text), "fr-fr") for text in document.texts])


def _as_it_came(content: bytes) -> bytes:
    return content


SCENARIOS = (
    Scenario("a document that comes back", "gpttranslator", "lamp.md", _text, _translated),
    Scenario("a document that the service fails", "gpttranslator", "lamp~fail.md", _text, None),
    Scenario("a document in three parts", "cambai", "lamp.md", _text, _in_parts),
)
"""Each is run once as it is, and then with every kind of fault at points spread over its effects."""

ANSWERS = (
    Scenario("the answer to a submission is lost", "gpttranslator", "lamp~lost.md", _text, None, open_end=True),
    Scenario("the same, at a service that can be asked", "doctranslate", "lamp~lost.pdf", _pdf, _as_it_came),
    Scenario("a web page instead of the result, once", "gpttranslator", "lamp~html-1.md", _text, _translated),
    Scenario("a result that breaks off, once", "gpttranslator", "lamp~cut-1.md", _text, _translated),
    Scenario("an empty result, once", "gpttranslator", "lamp~empty-1.md", _text, _translated),
    Scenario("HTTP 503, twice", "gpttranslator", "lamp~http-503x2.md", _text, None, open_end=True),
)
"""What services do; each is run once."""

FAULTS: "tuple[tuple[str, Callable[[int], Fault]], ...]" = (
    ("killed", Fault),
    ("disk full, once", lambda at: Fault(at, errno.ENOSPC)),
    ("disk error, once", lambda at: Fault(at, errno.EIO)),
    ("read-only from then on", lambda at: Fault(at, errno.EROFS, lasting=True)),
)


@dataclass(slots=True)
class Row:
    """One line of the table: what was tried, how often, and what was found."""

    scenario: str
    fault: str
    times: int = 0
    found: list[str] = field(default_factory=list)
    """Broken promises, each with where its files are kept."""


def rows(ground: Ground, points: int) -> "Iterator[Row]":
    """Run everything; each row when it is complete. `points`: at how many effects each kind of fault is tried."""
    for scenario in SCENARIOS:
        row, effects = _row(ground, scenario, "undisturbed", [Fault()])
        yield row
        if row.found:
            # What does not work undisturbed says nothing about faults.
            continue
        for title, fault in FAULTS:
            yield _row(ground, scenario, title, [fault(at) for at in spread(effects, points)])[0]
    for scenario in ANSWERS:
        yield _row(ground, scenario, "the service", [Fault()])[0]


def _row(ground: Ground, scenario: Scenario, title: str, faults: list[Fault]) -> tuple[Row, int]:
    """A row, and how many effects on the disk the last of its daemons had."""
    row = Row(scenario.title, title, len(faults))
    effects = 0
    for fault, (trial, left) in zip(faults, ground.run(scenario, faults), strict=True):
        result = scenario.result(trial.content) if scenario.result else None
        broken = violations(left, result)
        where = f"at effect {fault.at}, " if fault.at else ""
        row.found += [f"{what} ({where}files: {trial.root}, {trial.state})" for what in broken]
        effects = trial.effects.value
        if not broken:
            trial.forget()
    return row, effects


def spread(effects: int, points: int) -> list[int]:
    """Up to `points` different effects (at least two) from the first to the last, evenly."""
    if effects <= points:
        return list(range(1, effects + 1))
    return sorted({1 + round(step * (effects - 1) / (points - 1)) for step in range(points)})
