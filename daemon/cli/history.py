"""`history`: what has ended and what it cost, as tables, CSV or JSON."""

import csv
import heapq
import json
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from daemon.cli.errors import BAD_CONFIGURATION, exits
from daemon.cli.running import DEFAULT, ConfigPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    from daemon import costs
    from daemon.cli.spending import Choice, Row
    from daemon.job import Job

_SHOWN = 50
"""So many of the latest jobs a table has; a file has them all."""


def history(
    config: ConfigPath = DEFAULT,
    as_csv: Annotated[bool, typer.Option("--csv", metavar="", help="CSV with a header, one line a job.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="One JSON object a line, one line a job.")
    ] = False,
    only_sums: Annotated[
        bool, typer.Option("--sums", metavar="", help="The sums by month, provider and folder alone.")
    ] = False,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="What was handed over in this month.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM[-DD]", help="What has ended since this day.")
    ] = None,
    provider: Annotated[str | None, typer.Option("--provider", metavar="NAME", help="Of this provider alone.")] = None,
) -> None:
    """What has ended, and what it cost. Needs no running daemon.

    A cost counts in the month in which its document was handed over.
    """
    from daemon import costs
    from daemon.cli import reading, spending

    if as_csv and as_json:
        _refuse("--csv and --json cannot both be had.")
    with exits():
        choice = _choice(provider, month, since)
        jobs = spending.ended(reading.look(config).config, choice)
        if as_csv or as_json:
            rows = spending.sum_rows(costs.sums(jobs)) if only_sums else map(spending.row, jobs)
            columns = spending.SUM_COLUMNS if only_sums else spending.JOB_COLUMNS
            _write(rows, columns if as_csv else None)
        else:
            _show(jobs, only_sums=only_sums)


def _choice(provider: str | None, month: str | None, since: str | None) -> "Choice":
    from daemon.cli import spending

    try:
        chosen = spending.month(month) if month else None
    except ValueError:
        _refuse(f"--month {month}: a month is written 2026-01.")
    try:
        begin = spending.day(since) if since else None
    except ValueError:
        _refuse(f"--since {since}: a day is written 2026-01-31, a month 2026-01.")
    return spending.Choice(provider=provider, month=chosen, since=begin)


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(BAD_CONFIGURATION)


def _write(rows: "Iterable[Row]", columns: "Sequence[str] | None") -> None:
    """Line by line, so that a long history takes no memory; CSV with these columns, else JSON."""
    from daemon.cli import spending

    if columns is not None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(spending.cells(rows, columns))
        return
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _show(jobs: "Iterator[Job]", *, only_sums: bool) -> None:
    from daemon import costs
    from daemon.cli import screen, words

    sums: dict[costs.Key, costs.Sum] = {}
    latest: list[tuple[str, str, Job]] = []
    count = 0
    for job in jobs:
        count += 1
        costs.add(sums, job)
        if not only_sums:
            (heapq.heappush if count <= _SHOWN else heapq.heappushpop)(latest, (job.last_at.isoformat(), job.id, job))
    console = screen.console()
    if not count:
        screen.say(console, "Nothing has ended.")
        return
    if latest:
        if count > _SHOWN:
            screen.say(console, f"The latest {_SHOWN} of {words.count(count, 'job')}; --csv has them all.")
        _print(console, _jobs_table([job for _, _, job in sorted(latest)]))
        console.print()
    _print(console, _sums_table(sums))


def _print(console: "Console", table: "Table") -> None:
    """In a pipe every row on a line of its own, however long."""
    console.print(table, soft_wrap=not console.is_terminal)


def _jobs_table(jobs: "list[Job]") -> "Table":
    from daemon.cli import spending, words
    from daemon.clock import seconds_between

    table = _table("ended", "folder", "file", "", "took", "cost")
    for job in jobs:
        row = spending.row(job)
        table.add_row(
            f"{job.last_at.astimezone():%Y-%m-%d %H:%M}",
            f"{row['provider']}/{row['folder']}",
            row["file"],
            row["state"] if row["error"] is None else f"{row['state']}: {row['error']}",
            words.age(seconds_between(job.dropped_at, job.last_at)),
            _price(row["cost"], row["unit"]),
        )
    return table


def _sums_table(sums: "dict[costs.Key, costs.Sum]") -> "Table":
    """The sums, under those of each provider with several folders their own sum."""
    from daemon.cli import spending

    everything = {**sums, **spending.totals(sums)}
    single = {key for key in everything if not key.folder and _folders(sums, key) == 1}
    rows = spending.sum_rows({key: one for key, one in everything.items() if key not in single})
    table = _table("month", "provider", "folder", "delivered", "failed", "sent", "cost", "not told")
    for row in rows:
        table.add_row(
            row["month"],
            row["provider"],
            row["folder"] or "(all)",
            *(f"{row[key]:,}" for key in ("delivered", "failed", "documents")),
            _price(row["cost"], row["unit"]),
            f"{row['unknown']:,}" if row["unknown"] else "",
            style="" if row["folder"] else "bold",
        )
    return table


def _folders(sums: "dict[costs.Key, costs.Sum]", total: "costs.Key") -> int:
    return sum((key.provider, key.month) == (total.provider, total.month) for key in sums)


def _table(*titles: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        numeric = title in ("took", "cost", "delivered", "failed", "sent", "not told")
        table.add_column(title, justify="right" if numeric else "left", overflow="fold")
    return table


def _price(cost: float | None, unit: str | None) -> str:
    from daemon.cli import words

    if cost is None:
        return ""
    shown = words.amount(cost)
    return f"{shown} {unit}" if unit else shown
