"""`doctor`: tries everything the daemon will need, and says what to do about what does not work.

`--json` prints one object:

    {"schema": 1, "config": "/etc/babeldrop/config.yaml", "at": "…Z", "exit_code": 0,
     "good": 21, "warnings": 1, "problems": 0,
     "findings": [{"level": "good | warning | problem", "area": "configuration | folders | account | service",
                   "section": "Folders", "subject": "inbox/azure/fr", "what": "…", "do": null, "facts": {…}}]}

`what` and `do` are for people; `facts` hold the same for programs, with units in their names (`free_bytes`,
`ahead_s`); which facts there are depends on the subject, and more may come. `do` is null where nothing is to be done.

Exit codes: 0 no problem, warnings or not; else the lowest that applies, because that has to be mended first:
2 configuration · 3 folders, file system or machine · 4 a key or an account · 5 a service does not answer as it should.
"""

import itertools
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.errors import exits
from daemon.cli.running import DEFAULT, ConfigPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from daemon.doctor.findings import Finding

_MARKS = {"good": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red")}


def doctor(
    config: ConfigPath = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object instead of sentences.")] = False,
) -> None:
    """Try it: folders, file system, limits, keys and languages; nothing is spent. Works beside a running daemon.

    Exit code 0: no problem; 2: the configuration; 3: folders, file system or machine; 4: a key or an account; 5: a
    service does not answer.
    """
    import logging
    import signal

    from daemon import log
    from daemon.cli import screen
    from daemon.clock import SystemClock
    from daemon.doctor.examination import examine
    from daemon.doctor.findings import exit_code

    with exits():
        # The kernel asks for a lease back with SIGIO, which kills who does not ignore it.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        # What is worth saying is said below; watchdog complains of events that come while it is stopped.
        log.configure("error")
        logging.getLogger("watchdog").setLevel(logging.CRITICAL)
        clock = SystemClock()
        path = config.absolute()
        console = screen.console()
        if console.is_terminal and not as_json:
            with console.status("Trying folders, file systems and services …"):
                findings = examine(path, clock)
        else:
            findings = examine(path, clock)
        if as_json:
            typer.echo(json.dumps(_object(findings, str(path), clock.now()), indent=2, ensure_ascii=False))
        else:
            _show(console, findings)
        raise typer.Exit(exit_code(findings))


def _object(findings: "Sequence[Finding]", path: str, now: Any) -> dict[str, Any]:
    from daemon.clock import stamp
    from daemon.doctor.findings import exit_code

    return {
        "schema": 1,
        "config": path,
        "at": stamp(now),
        "exit_code": exit_code(findings),
        **_counts(findings),
        "findings": [
            {
                "level": one.level.value,
                "area": one.area.name.lower(),
                "section": one.section,
                "subject": one.subject,
                "what": one.what,
                "do": one.do or None,
                "facts": dict(one.facts),
            }
            for one in findings
        ],
    }


def _counts(findings: "Sequence[Finding]") -> dict[str, int]:
    levels = [one.level.value for one in findings]
    return {"good": levels.count("good"), "warnings": levels.count("warning"), "problems": levels.count("problem")}


def _show(console: "Console", findings: "Sequence[Finding]") -> None:
    """Sections with marks on a terminal; in a pipe one line a finding, its level in front."""
    if console.is_terminal:
        for section, rows in itertools.groupby(findings, key=lambda one: one.section):
            console.print(f"\n{section}", style="bold")
            console.print(_table(list(rows)))
        console.print()
    else:
        for one in findings:
            do = f" -> {one.do}" if one.do else ""
            typer.echo(f"{one.level.value}: {one.subject}: {one.what}{do}")
    console.print(_sum(findings))


def _table(rows: "Sequence[Finding]") -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", min_width=16, max_width=36)
    table.add_column(overflow="fold")
    for one in rows:
        mark, style = _MARKS[one.level.value]
        said = Text(one.what)
        if one.do:
            said.append(f"\n→ {one.do}", style=style)
        table.add_row(Text(mark, style=style), Text(one.subject), said)
    return table


def _sum(findings: "Sequence[Finding]") -> str:
    from daemon.cli import words

    counts = _counts(findings)
    if not counts["problems"] and not counts["warnings"]:
        return f"Everything is good: {words.count(counts['good'], 'thing')} tried."
    bad = f"{words.count(counts['problems'], 'problem')}, {words.count(counts['warnings'], 'warning')}"
    return f"{bad}; {counts['good']} good."
