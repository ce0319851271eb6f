"""`sandbox`: the simulated services alone, to try a configuration or an automation against them."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.errors import exits
from daemon.sandbox.misbehave import TOKENS

if TYPE_CHECKING:
    from daemon.sandbox.addresses import Addresses

HELP = (
    "The simulated services alone, on this machine, until Ctrl-C.\n\n"
    "Keys that begin with [bold]sandbox-[/] or [bold]vc_sandbox[/] are good, each an account of its own; "
    "[bold]sandbox-blocked[/] is an account that is not let in, any other key is wrong. Jobs end with the process; "
    "the ledger stays. "
    "A file asks for misbehaviour by a word in its name, such as [bold]report~fail.docx[/] or "
    "[bold]talk~http-503x2.mp4[/] (the first two times only):\n\n"
    + "\n\n".join(f"[bold]~{word}[/]  {line}" for word, line in TOKENS.items())
)


def sandbox(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65534, help="The services' port; results have the next one.")
    ] = 8750,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where uploads, results and the ledger are kept.")
    ] = None,
    pace: Annotated[str, typer.Option("--pace", help="Seconds a translation takes, such as 2-6.")] = "2-6",
) -> None:
    from daemon.sandbox.server import serve

    low, _, high = pace.partition("-")
    with exits():
        try:
            seconds = (float(low), float(high or low))
        except ValueError:
            raise typer.BadParameter(f"{pace!r} is not a range of seconds such as 2-6", param_hint="--pace") from None
        home = folder or Path(tempfile.mkdtemp(prefix="babeldrop-sandbox-"))
        try:
            serve("127.0.0.1", port, home, seconds, _announce)
        except OSError as error:
            where = f"ports {port} and {port + 1}"
            raise typer.BadParameter(f"{where}: {error.strerror}; choose others", param_hint="--port") from None


def _announce(addresses: "Addresses") -> None:
    from daemon.cli.simulated import entries

    typer.echo("Simulated services. This makes a configuration use them:\n")
    typer.echo(entries(addresses))
    typer.echo(f"Every submission, as the services see it: {addresses.api}/_sandbox/ledger\nCtrl-C ends.")
