"""`selftest`: kills, failing disks and lying services on the administrator's own file system."""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.errors import exits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from daemon.selftest.matrix import Row


def selftest(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A folder on the file system to be tried, such as the share."),
    ] = None,
    points: Annotated[
        int,
        typer.Option("--points", min=2, metavar="N", help="How many moments of a job are tried with each fault."),
    ] = 6,
) -> None:
    """Kill the daemon and fail its disk again and again, with simulated services, on a file system of yours.

    Works in a new folder inside DIR (the current folder by default) and takes it away again. Exit code 0:
    every promise was kept; 1: one was broken, and the files that show it are kept.
    """
    from rich.console import Console

    from daemon import kernel
    from daemon.sandbox.child import start
    from daemon.selftest.matrix import rows
    from daemon.selftest.trials import Ground

    with exits(), ExitStack() as stack:
        console = Console(highlight=False)
        share = Path(tempfile.mkdtemp(prefix="babeldrop-selftest-", dir=(folder or Path.cwd()).absolute()))
        kind = kernel.file_system(os.fspath(share))
        network = kernel.is_network(kind)
        # What the daemon remembers has to be on a local disk.
        state = Path(tempfile.mkdtemp(prefix="babeldrop-selftest-")) if network else share
        console.print(f"File system of {share}: {kind}, {'on the network' if network else 'local'}.", soft_wrap=True)
        console.print("Each trial drops a file, breaks the daemon, starts another, and judges what is left.\n")
        sandbox = stack.enter_context(start(state / "services"))
        broken = _show(console, rows(Ground(share, state, sandbox), points))
    if not broken:
        for place in {share, state}:
            shutil.rmtree(place, ignore_errors=True)
    raise typer.Exit(1 if broken else 0)


def _show(console: "Console", found: "Iterable[Row]") -> int:
    """One line a row as soon as it is known, then the sum. How many promises were broken."""
    times, broken = 0, []
    scenario = ""
    for row in found:
        if row.scenario != scenario:
            scenario = row.scenario
            console.print(f"[bold]{scenario}[/]")
        verdict = f"[red]{len(row.found)} broken[/]" if row.found else "[green]kept[/]"
        console.print(f"  {row.fault:<24} {row.times:>4} ×   {verdict}")
        times += row.times
        broken += row.found
    console.print()
    for what in broken:
        console.print(f"[red]broken:[/] {what}", soft_wrap=True)
    if broken:
        console.print("\nDo not trust this file system with the daemon's folders before this is understood.")
    else:
        console.print(f"{times} trials: nothing lost, nothing paid twice, nothing shown that is not true.")
    return len(broken)
