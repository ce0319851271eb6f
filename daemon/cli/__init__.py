"""The commands. Each module here holds one or two of them; what they need is imported when they run."""

from typing import Annotated

import typer

from daemon import __version__

# Under other names: these are also the names of the modules here.
from daemon.cli.demo import demo as _demo
from daemon.cli.doctor import doctor as _doctor
from daemon.cli.history import history as _history
from daemon.cli.init import init as _init
from daemon.cli.languages import languages as _languages
from daemon.cli.repair import repair as _repair
from daemon.cli.retry import retry as _retry
from daemon.cli.running import check, once, run
from daemon.cli.sandbox import HELP as SANDBOX_HELP
from daemon.cli.sandbox import sandbox as _sandbox
from daemon.cli.selftest import selftest as _selftest
from daemon.cli.status import status as _status
from daemon.cli.why import why as _why

_TRY = "Try it out"
_WORK = "The work"
_LOOK = "What happens, and why"

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
    version: Annotated[bool, typer.Option("--version", metavar="", help="Show the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"babeldrop {__version__}")
        raise typer.Exit


app.command(rich_help_panel=_TRY, name="demo")(_demo)
app.command(rich_help_panel=_TRY, help=SANDBOX_HELP, name="sandbox")(_sandbox)
app.command(rich_help_panel=_TRY, name="selftest")(_selftest)
app.command(rich_help_panel=_WORK, name="init")(_init)
app.command(rich_help_panel=_WORK)(run)
app.command(rich_help_panel=_WORK)(once)
app.command(rich_help_panel=_WORK)(check)
app.command(rich_help_panel=_WORK, name="doctor")(_doctor)
app.command(rich_help_panel=_LOOK, name="status")(_status)
app.command(rich_help_panel=_LOOK, name="why")(_why)
app.command(rich_help_panel=_LOOK, name="history")(_history)
app.command(rich_help_panel=_LOOK, name="retry")(_retry)
app.command(rich_help_panel=_LOOK, name="languages")(_languages)
app.command(rich_help_panel=_LOOK, name="repair")(_repair)


def main() -> None:
    """The console script."""
    app()
