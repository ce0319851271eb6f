"""How everything stands in words: the board that `status` shows, once or every second."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from daemon.cli import reading, screen, standing, tables, words
from daemon.cli.standing import moment_or_none
from daemon.clock import moment

_MOST_ROWS = 10
_SILENT_S = 150.0
"""A daemon writes its status each minute at least; an older one it could not replace."""
_HELD = "folder.stopped"
"""Why a file rests in a folder that is paused, of which a row of its own tells."""


def look(config: Path) -> dict[str, Any]:
    """The report of now. Raises ConfigError and StateError."""
    scene = reading.look(config)
    midnight = standing.midnight(scene.now)
    jobs = {**reading.ended_since(scene.state, midnight, scene.now), **reading.jobs(scene.state)}
    return standing.report(scene, jobs.values())


def render(report: Mapping[str, Any]) -> Group:
    """The report in words."""
    now = moment(report["at"])
    blocks: list[RenderableType] = [screen.paragraph(_first(report, now), style=_style(report))]
    blocks += [screen.paragraph(one, style="bold red") for one in _alarms(report, now)]
    blocks += ["", tables.jobs(report["providers"], now)]
    for row in report["providers"]:
        notes = list(_notes(row, now, live=report["share"] is not None))
        if notes:
            blocks += ["", screen.paragraph(row["name"], style="bold")]
            blocks += [screen.paragraph(note, indent=2) for note in notes]
    if report["ages"] is not None:
        heading = screen.paragraph("How long files have been where they are", style="bold")
        blocks += ["", heading, tables.ages(report["ages"])]
    stopped = list(_stopped(report, now))
    blocks += _files("Paused folders", stopped, len(stopped))
    resting = [row for row in report["resting"] or [] if row["code"] != _HELD]
    held = len(report["resting"] or []) - len(resting)
    blocks += _files("Resting in the inbox", list(_resting(resting, now)), (report["resting_total"] or 0) - held)
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


# -- what comes first: what concerns everything -------------------------------------------------------------


def _alarms(report: Mapping[str, Any], now: datetime) -> Iterator[str]:
    share, notify = report["share"], report["notify"] or {}
    if share is not None and not share["there"]:
        yield f"{_away(share, now)} Nothing is touched until {report['root']} is back."
    for problem in report["config_problem"]:
        yield f"The configuration was changed, but the daemon goes on with the one before: {problem}"
    noted = moment_or_none(report["noted_at"])
    if share is not None and noted is not None and (now - noted).total_seconds() > _SILENT_S:
        then = f"{_when(noted, now).removeprefix('on ')}, {words.since(noted, now)} ago"
        yield (
            f"What follows is of {then}: the daemon could not write its status since. "
            f"See whether {report['state']} has room, and the log."
        )
    failing = moment_or_none(notify.get("failing_since"))
    if failing is not None:
        why = notify.get("why") or "no reason is known"
        yield f"Notifications have not been sent since {_when(failing, now)} ({words.since(failing, now)}): {why}"
    yield from _last_told(report["last_told"])


def _away(share: Mapping[str, Any], now: datetime) -> str:
    since = moment_or_none(share["since"])
    lasting = f" since {_when(since, now)} ({words.since(since, now)})" if since else ""
    return f"The share has been away{lasting}: {share['why']}."


def _last_told(told: Mapping[str, Any] | None) -> Iterator[str]:
    """What the journal does not know, as it was when a daemon last told."""
    if told is None:
        return
    then = moment(told["at"])
    if not told["share"].get("there", True):
        yield f"When it was last heard of, the share was away: {told['share']['why']}."
    for row in told["accounts"]:
        since = moment(row["since"])
        lasting = f"since {_when(since, then)} ({words.since(since, then)})"
        yield f"When it was last heard of, nothing was submitted for {row['provider']} {lasting}: {row['sentence']}"
    for row in told["budgets"]:
        if row["state"] == "spent":
            yield f"When it was last heard of, nothing was submitted for {row['provider']}: {_budget(row, then)}"


# -- providers ----------------------------------------------------------------------------------------------


def _notes(row: Mapping[str, Any], now: datetime, *, live: bool) -> Iterator[str]:
    """What there is to say about a provider beside its numbers."""
    if not row["configured"]:
        yield "It is not in the configuration any more; its jobs wait until it is."
    account, budget = row["account"], row["budget"]
    closed = account is not None and account["door"] == "closed"
    if account is not None and account["door"] != "open":
        yield _closed(account, now)
    paused = moment_or_none(account["paused_until"]) if account else None
    if paused is not None and paused > now:
        yield f"Nothing is sent for {words.since(now, paused)}, as the service asked."
    if budget is not None:
        yield _budget(budget, now)
    for waits in row["waits"]:
        held = budget is not None and budget["held_until"] and waits["code"] == "budget.spent"
        told = bool(held) or (closed and waits["code"] == account["code"])
        yield _waits(waits, now, live=live, told=told)


def _closed(account: Mapping[str, Any], now: datetime) -> str:
    since = moment(account["since"])
    what = f"No file is submitted since {_when(since, now)} ({words.since(since, now)}): {account['sentence']}"
    if account["door"] == "trial":
        return f"{what} The next file goes alone, as a trial."
    return f"{what} {_next(account['next_try'], now)}"


def _budget(row: Mapping[str, Any], now: datetime) -> str:
    """What is spent of how much, what is not known yet, and when a hold ends."""
    share = f"{row['spent'] / row['per_month']:.0%}".replace("%", " %")
    spent = words.amount(row["spent"])
    said = f"Budget of {row['month']}: {spent} of {row['per_month']:,} {row['unit']} spent ({share})"
    if row["in_flight"]:
        said += f", and {words.count(row['in_flight'], 'document')} under way of unknown cost"
    until = moment_or_none(row["held_until"])
    if until is None:
        return f"{said}."
    turn = _when(until, now).removeprefix("on ")
    return f"{said}. Nothing new is submitted until {turn}, or until per_month is raised."


def _waits(row: Mapping[str, Any], now: datetime, *, live: bool, told: bool) -> str:
    """How many wait and for what; `told`: the sentence before has said it."""
    number, since = row["jobs"], moment(row["longest"]["since"])
    verb = "waits" if number == 1 else "wait"
    which = "" if number == 1 else "the longest is "
    longest = f"({which}{row['longest']['file']}, dropped {words.since(since, now)} ago)"
    many = words.count(number, "file")
    if told:
        return f"{many} {verb} for that {longest}."
    if row["sentence"] is None:
        turn = " for their turn" if number > 1 else " for its turn"
        return f"{many} {verb}{turn if live else ''} {longest}."
    return f"{many} {verb} {longest}: {row['sentence']} {_next(row['next_try'], now)}".rstrip()


def _next(text: str | None, now: datetime) -> str:
    moment = moment_or_none(text)
    if moment is None:
        return ""
    return f"Tried again in {words.since(now, moment)}." if moment > now else "Tried again any moment."


# -- folders ------------------------------------------------------------------------------------------------


def _stopped(report: Mapping[str, Any], now: datetime) -> Iterator[str]:
    for row in report["stopped"] or []:
        since = moment_or_none(row.get("since"))
        lasting = f" since {_when(since, now)} ({words.since(since, now)})" if since else ""
        files = row["files"]
        waiting = f"{words.count(files, 'file')} {'waits' if files == 1 else 'wait'} there; " if files else ""
        yield f"{row['path']}{lasting}: {waiting}remove {row['by']} there to go on."


def _resting(rows: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    for row in rows:
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
