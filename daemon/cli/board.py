"""How everything stands in words: the board that `status` shows, once or every second."""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from daemon.cli import reading, screen, standing, words
from daemon.cli.errors import BAD_CONFIGURATION
from daemon.cli.standing import moment_or_none
from daemon.clock import moment

_COLUMNS = {
    "waiting": "waiting",
    "submitting": "submitting",
    "in_flight": "in flight",
    "ready": "ready",
    "delivered_today": "delivered today",
    "failed_today": "failed today",
}
_MOST_ROWS = 10
_EVERY_S = 1.0


def look(config: Path) -> dict[str, Any]:
    """The report of now. Raises ConfigError and StateError."""
    scene = reading.look(config)
    midnight = standing.midnight(scene.now)
    jobs = {**reading.ended_since(scene.state, midnight, scene.now), **reading.jobs(scene.state)}
    return standing.report(scene, jobs.values())


def stay(config: Path) -> None:
    """Draw anew every second until Ctrl-C."""
    from rich.live import Live

    console = screen.console()
    if not console.is_terminal:
        typer.echo("--watch needs a terminal.", err=True)
        raise typer.Exit(BAD_CONFIGURATION)
    pause = threading.Event()
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(render(look(config)), refresh=True)
                pause.wait(_EVERY_S)
    except KeyboardInterrupt:
        return


def render(report: Mapping[str, Any]) -> Group:
    """The report in words."""
    now = moment(report["at"])
    blocks: list[RenderableType] = [screen.paragraph(_first(report, now), style=_style(report))]
    share = report["share"]
    if share is not None and not share["there"]:
        blocks.append(screen.paragraph(_away(report["root"], share, now), style="bold red"))
    blocks += ["", _table(report["providers"])]
    for row in report["providers"]:
        notes = list(_notes(row, now, live=share is not None))
        if notes:
            blocks += ["", screen.paragraph(row["name"], style="bold")]
            blocks += [screen.paragraph(note, indent=2) for note in notes]
    blocks += _files("Resting in the inbox", list(_resting(report, now)), report["resting_total"] or 0)
    ignored = [f"{row['path']}: {row['why']}" for row in report["ignored"] or []]
    blocks += _files("Left alone in the inbox", ignored, report["ignored_total"] or 0)
    return Group(*blocks)


def _style(report: Mapping[str, Any]) -> str:
    return "bold green" if report["running"] else "bold red"


def _first(report: Mapping[str, Any], now: datetime) -> str:
    """Whether a daemon lives, in one sentence or two."""
    started, noted = moment_or_none(report["started_at"]), moment_or_none(report["noted_at"])
    if started is not None:
        ago = words.since(started, now)
        return f"babeldrop is running (pid {report['pid']}), started {_when(started, now)}, {ago} ago."
    if report["running"]:
        return "babeldrop has just been started and has not told yet how it stands; look again in a second."
    if noted is None:
        return "babeldrop is not running, and has not run with this configuration yet."
    return (
        f"babeldrop is not running. It was last heard of {_when(noted, now)}, {words.since(noted, now)} ago; "
        "what follows is what its journal says, and it goes on from there when it is started."
    )


def _away(root: str, share: Mapping[str, Any], now: datetime) -> str:
    since = moment_or_none(share["since"])
    lasting = f" since {words.when(since, now, seconds=False)} ({words.since(since, now)})" if since else ""
    return f"The share has been away{lasting}: {share['why']}. Nothing is touched until {root} is back."


def _table(rows: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("provider", no_wrap=True)
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(row["name"], *(f"{row[key]:,}" for key in _COLUMNS))
    return table


def _notes(row: Mapping[str, Any], now: datetime, *, live: bool) -> Iterator[str]:
    """What there is to say about a provider beside its numbers."""
    if not row["configured"]:
        yield "It is not in the configuration any more; its jobs wait until it is."
    account = row["account"]
    if account is not None and account["door"] != "open":
        yield _closed(account, now)
    paused = moment_or_none(account["paused_until"]) if account else None
    if paused is not None and paused > now:
        yield f"Nothing is sent for {words.since(now, paused)}, as the service asked."
    for waits in row["waits"]:
        yield _waits(waits, now, live=live)


def _closed(account: Mapping[str, Any], now: datetime) -> str:
    since = moment(account["since"])
    what = f"No file is submitted since {_when(since, now)} ({words.since(since, now)}): {account['sentence']}"
    if account["door"] == "trial":
        return f"{what} The next file goes alone, as a trial."
    return f"{what} {_next(account['next_try'], now)}"


def _waits(row: Mapping[str, Any], now: datetime, *, live: bool) -> str:
    number, since = row["jobs"], moment(row["longest"]["since"])
    verb = "waits" if number == 1 else "wait"
    which = "" if number == 1 else "the longest is "
    longest = f"({which}{row['longest']['file']}, dropped {words.since(since, now)} ago)"
    if row["sentence"] is None:
        turn = " for their turn" if number > 1 else " for its turn"
        return f"{words.count(number, 'file')} {verb}{turn if live else ''} {longest}."
    return f"{words.count(number, 'file')} {verb} {longest}: {row['sentence']} {_next(row['next_try'], now)}".rstrip()


def _next(text: str | None, now: datetime) -> str:
    moment = moment_or_none(text)
    if moment is None:
        return ""
    return f"Tried again in {words.since(now, moment)}." if moment > now else "Tried again any moment."


def _resting(report: Mapping[str, Any], now: datetime) -> Iterator[str]:
    for row in report["resting"] or []:
        age = words.since(moment(row["since"]), now)
        yield f"{row['path']} ({age}): {row['sentence'] or 'Just noticed.'}"


def _files(title: str, rows: list[str], total: int) -> list[RenderableType]:
    """A heading and at most ten rows; none at all for nothing."""
    if not rows:
        return []
    blocks: list[RenderableType] = ["", screen.paragraph(f"{title} ({total:,})", style="bold")]
    blocks += [screen.paragraph(one, indent=2) for one in rows[:_MOST_ROWS]]
    if total > _MOST_ROWS:
        blocks.append(f"  … and {total - _MOST_ROWS:,} more; --json lists them.")
    return blocks


def _when(moment: datetime, now: datetime) -> str:
    return words.when(moment, now, seconds=False)
