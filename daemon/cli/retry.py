"""`retry`: failed files are tried anew."""

from typing import Annotated

import typer

from daemon.cli.errors import BAD_CONFIGURATION, exits
from daemon.cli.running import DEFAULT, ConfigPath


def retry(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Files in failed/, or their sidecars.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", metavar="", help="All that failed, as far as the filters let it.")
    ] = False,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="With --all: of this provider alone.")] = None,
    code: Annotated[
        str | None, typer.Option(metavar="CODE", help="With --all: failed for this reason, such as submit.uncertain.")
    ] = None,
    config: ConfigPath = DEFAULT,
) -> None:
    """Move failed files back into their inbox, to be tried anew. Exit code 1: some could not be moved."""
    from daemon.cli import returning, words

    if everything == bool(files) or ((provider or code) and not everything):
        typer.echo("Name files, or say --all; --provider and --code belong to --all.", err=True)
        raise typer.Exit(BAD_CONFIGURATION)
    with exits():
        moved, kept = returning.put_back(config, files, provider=provider, code=code)
        if everything or moved + kept > 1:
            typer.echo(f"{words.count(moved, 'file')} moved back" + (f", {kept:,} not." if kept else "."))
    if kept:
        raise typer.Exit(1)
