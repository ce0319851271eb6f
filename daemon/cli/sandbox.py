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
    "The key [bold]sandbox-key[/] is good, [bold]sandbox-blocked[/] is an account without credit, any other is wrong. "
    "A file asks for misbehaviour by a word in its name, such as [bold]report~fail.docx[/] or "
    "[bold]talk~http-503x2.mp4[/] (the first two times only):\n\n"
    + "\n\n".join(f"[bold]~{word}[/]  {line}" for word, line in TOKENS.items())
)


def sandbox(
    port: Annotated[int, typer.Option("--port", help="The services' port; results have the next one.")] = 8750,
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
        serve("127.0.0.1", port, home, seconds, _announce)


def _announce(addresses: "Addresses") -> None:
    from daemon.sandbox.server import SERVICES

    typer.echo("Simulated services; for a configuration:\n")
    for service in sorted(one.name for one in SERVICES):
        typer.echo(f"  {service}: {{base_url: {addresses.base_url(service)}, api_key: sandbox-key, …}}")
    typer.echo("\nResults of doctranslate and voicecheap come from another host: ")
    typer.echo(f'  result_hosts: ["{addresses.results_host}"]')
    typer.echo(f"Every submission, as the services see it: {addresses.api}/_sandbox/ledger\nCtrl-C ends.")
