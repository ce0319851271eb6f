"""The commands. Each module here holds one or two of them; what they need is imported when they run."""

from typing import Annotated

import typer

from daemon import __version__
from daemon.cli.demo import demo
from daemon.cli.running import check, once, run
from daemon.cli.sandbox import HELP as SANDBOX_HELP
from daemon.cli.sandbox import sandbox

app = typer.Typer(
    name="babeldrop",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The watch folder that translates: drop a file into inbox/<provider>/<lang>, "
    "find it translated in outbox/<provider>/<lang>.",
    epilog="Try it without keys and without a configuration: [bold]babeldrop demo[/bold]",
)


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"babeldrop {__version__}")
        raise typer.Exit


app.command()(demo)
app.command()(run)
app.command()(once)
app.command()(check)
app.command(help=SANDBOX_HELP)(sandbox)


def main() -> None:
    """The console script."""
    app()
