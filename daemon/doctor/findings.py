"""What a look has found: good, a warning or a problem, about what, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any


class Level(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    """It works, and somebody should know."""
    PROBLEM = "problem"
    """It will not work."""


class Area(IntEnum):
    """Where a problem lies; the number is the exit code."""

    CONFIGURATION = 2
    FOLDERS = 3
    """Folders, file systems, and the machine itself."""
    ACCOUNT = 4
    """A key, or what an account may do."""
    SERVICE = 5
    """A service does not answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence about one thing; `facts` are the same for programs, in units that their names say."""

    level: Level
    area: Area
    section: str
    subject: str
    what: str
    do: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 without problems, else the lowest area that has one: what is lower has to be mended first."""
    return min((one.area for one in findings if one.level is Level.PROBLEM), default=0)


class Notebook:
    """Collects the findings of one section."""

    def __init__(self, area: Area, section: str) -> None:
        self._area = area
        self._section = section
        self.findings: list[Finding] = []

    def good(self, subject: str, what: str, **facts: Any) -> None:
        self._note(Level.GOOD, subject, what, "", facts)

    def warning(self, subject: str, what: str, do: str, **facts: Any) -> None:
        self._note(Level.WARNING, subject, what, do, facts)

    def problem(self, subject: str, what: str, do: str, **facts: Any) -> None:
        self._note(Level.PROBLEM, subject, what, do, facts)

    def _note(self, level: Level, subject: str, what: str, do: str, facts: Mapping[str, Any]) -> None:
        found = Finding(
            level=level, area=self._area, section=self._section, subject=subject, what=what, do=do, facts=facts
        )
        self.findings.append(found)
