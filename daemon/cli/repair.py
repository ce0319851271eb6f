"""`repair`: what is damaged in the journal, and what can be done about it."""

from typing import Annotated

import typer

from daemon.cli.errors import exits
from daemon.cli.running import DEFAULT, ConfigPath


def repair(
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do it; without this nothing is changed.")] = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Show what is damaged in the journal and, with --yes, repair it. Exit code 1: it is damaged."""
    from daemon.cli import mending, reading

    with exits():
        damaged = mending.show_or_mend(reading.look(config), yes=yes)
    if damaged and not yes:
        raise typer.Exit(1)
