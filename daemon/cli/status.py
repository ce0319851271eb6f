"""`status`: how everything stands, from journal and `status.json`; the lock alone says whether a daemon lives."""

import json
from typing import Annotated

import typer

from daemon.cli.errors import exits
from daemon.cli.running import DEFAULT, ConfigPath


def status(
    config: ConfigPath = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object instead of sentences.")] = False,
    metrics: Annotated[
        bool,
        typer.Option("--metrics", metavar="", help="Metrics in Prometheus' text form, for its textfile collector."),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", metavar="", help="Stay, and look again every second; in a pipe tell every change."),
    ] = False,
) -> None:
    """What the daemon does, what waits and why. Needs no running daemon."""
    from daemon.cli import board, screen

    with exits():
        if metrics:
            from daemon.cli import scraping

            typer.echo(scraping.exposition(config), nl=False)
        elif watch:
            from daemon.cli import watching

            watching.stay(config, as_json=as_json)
        elif as_json:
            typer.echo(json.dumps(board.look(config), indent=2, ensure_ascii=False))
        else:
            screen.console().print(board.render(board.look(config)))
