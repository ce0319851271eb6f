"""`why`: one file's whole story."""

from typing import Annotated

import typer

from daemon.cli.errors import exits
from daemon.cli.running import DEFAULT, ConfigPath


def why(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A file in inbox, processing, outbox, failed or archive, or a job's id."),
    ],
    config: ConfigPath = DEFAULT,
) -> None:
    """What became of a file, or what it waits for. Exit code 1: nobody knows it."""
    from daemon.cli import reading, screen, telling

    with exits():
        told = telling.tell(reading.look(config), file)
        console = screen.console()
        screen.say(console, told.heading, style="bold")
        for sentence in told.sentences:
            screen.say(console, sentence, indent=2)
    if not told.known:
        raise typer.Exit(1)
