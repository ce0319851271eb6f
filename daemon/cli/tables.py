"""The tables of the board, and the same in lines where the window is too narrow for a table."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

from daemon.ages import LABELS
from daemon.cli import screen, words
from daemon.cli.standing import moment_or_none

_STATES = {"waiting": "waiting", "submitting": "submitting", "in_flight": "in flight", "ready": "ready"}
_TODAY = {"delivered_today": "delivered today", "failed_today": "failed today"}
_IN_TWO_LINES = {"in flight": "in\nflight", "delivered today": "delivered\ntoday", "failed today": "failed\ntoday"}
_ENDLESS = 10_000


class Fitting:
    """The first of some tables that fits into the width, or other words where none does."""

    def __init__(self, *tables: Table, otherwise: RenderableType) -> None:
        self._tables = tables
        self._otherwise = otherwise

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What fits into the window as it is now."""
        for table in self._tables:
            if Measurement.get(console, options.update_width(_ENDLESS), table).maximum <= options.max_width:
                yield table
                return
        yield self._otherwise


def jobs(rows: Sequence[Mapping[str, Any]], now: datetime) -> Fitting:
    """Providers by states, with what ended today and when the service is asked next."""
    titles = {**_STATES, **_TODAY}
    cells = {row["name"]: [f"{row[key]:,}" for key in titles] for row in rows}
    polls = {row["name"]: _poll(row["next_poll"], now) for row in rows}
    heads = list(titles.values())
    if any(polls.values()):
        heads.append("next poll")
        cells = {name: [*mine, polls[name]] for name, mine in cells.items()}
    tables = []
    for two_lines in (False, True):
        table = _table("provider")
        for head in heads:
            table.add_column(_IN_TWO_LINES.get(head, head) if two_lines else head, justify="right", no_wrap=True)
        for name, mine in cells.items():
            table.add_row(name, *mine)
        tables.append(table)
    return Fitting(*tables, otherwise=Group(*(screen.paragraph(_line(row, polls[row["name"]])) for row in rows)))


def _line(row: Mapping[str, Any], poll: str) -> str:
    said = [f"{row[key]:,} {title}" for key, title in {**_STATES, **_TODAY}.items() if row[key]]
    said += [f"next poll {poll}"] if poll else []
    return f"{row['name']}: {', '.join(said) or 'nothing to do'}"


def ages(found: Mapping[str, Any]) -> Fitting:
    """Provider and state by age, with a last row of sums where there is more than one."""
    table = _table("provider", "state")
    for title in ("total", *LABELS):
        table.add_column(title, justify="right", no_wrap=True)
    before = None
    for row in found["rows"]:
        name = row["provider"] if row["provider"] != before else ""
        before = row["provider"]
        table.add_row(name, _state(row), *(f"{number:,}" for number in (row["total"], *row["counts"])))
    if len(found["rows"]) > 1:
        table.add_row("total", "", *(f"{number:,}" for number in (found["total"], *found["counts"])), style="bold")
    return Fitting(table, otherwise=Group(*(screen.paragraph(_in_words(row)) for row in found["rows"])))


def _in_words(row: Mapping[str, Any]) -> str:
    counted = zip(LABELS, row["counts"], strict=True)
    said = (f"{number:,} {'' if label == 'older' else 'up to '}{label}" for label, number in counted if number)
    return f"{row['provider']}, {_state(row)}: {', '.join(said)}"


def _state(row: Mapping[str, Any]) -> str:
    return str(row["state"]).replace("_", " ")


def _poll(text: str | None, now: datetime) -> str:
    at = moment_or_none(text)
    if at is None:
        return ""
    return f"in {words.age(math.ceil((at - now).total_seconds()))}" if at > now else "now"


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        table.add_column(title, no_wrap=True)
    return table
