"""`why`: one file's whole story."""

import json
from typing import Annotated

import typer

from daemon.cli.errors import exits
from daemon.cli.running import DEFAULT, ConfigPath


def why(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A file in inbox, processing, outbox, failed or archive, its name, a job's id or a service's own.",
        ),
    ],
    config: ConfigPath = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="One JSON object instead of sentences.")] = False,
) -> None:
    """What became of a file, or what it waits for. Exit code 1: nobody knows it."""
    from daemon.cli import reading, screen, telling

    with exits():
        scene = reading.look(config)
        told = telling.tell(scene, file)
        if as_json:
            typer.echo(json.dumps(telling.as_json(scene, file, told), indent=2, ensure_ascii=False))
        else:
            console = screen.console()
            screen.say(console, told.heading, style="bold")
            for sentence in told.sentences:
                screen.say(console, sentence, indent=2)
    if not told.known:
        raise typer.Exit(1)
