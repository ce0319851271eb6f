"""`demo`: everything at once without keys: simulated services, the daemon, sample drops, what comes back."""

import json
import os
import shlex
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.errors import exits

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

    from daemon.app import App
    from daemon.cli.progress import Progress
    from daemon.sandbox.child import Running

_CONFIG = """\
# Written by `babeldrop demo`; the services are simulated on this machine.
root: {root}
state: {state}
"""
# Which sample goes where, as a person would drop it.
_DROPS = (
    ("docx", "gpttranslator/fr"),
    ("srt", "gpttranslator/de"),
    ("md", "gpttranslator/fr"),
    ("mp4", "voicecheap/es"),
    ("docx", "doctranslate/vi"),
    ("docx", "azure/pt-PT"),
    ("md", "cambai/it"),
    ("failing", "gpttranslator/de"),
)
_PATIENCE_S = 120.0


def demo(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Where to work; a new folder by default.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", metavar="", help="Stay up, so that you can drop files of your own.")
    ] = False,
) -> None:
    """See it work: simulated services, the daemon, a few drops and what becomes of them. Needs no keys."""
    from rich.console import Console

    from daemon.sandbox.child import start

    with exits(), ExitStack() as stack:
        console = Console(highlight=False)
        home = _home(folder)
        sandbox = stack.enter_context(start(home / "services", pace=(1.0, 4.0)))
        path = _configure(home, sandbox)
        console.print(f"Everything happens in [bold]{home}[/]", soft_wrap=True)
        console.print(f"Simulated services are up. The daemon starts, and {len(_DROPS)} files go into its inbox.\n")
        code = _play(console, home, path, keep=keep)
    raise typer.Exit(code)


def _home(folder: Path | None) -> Path:
    """An empty folder to work in. Raises typer.BadParameter when something lies there."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="babeldrop-demo-"))
    home = folder.absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise typer.BadParameter(f"{home} is not an empty folder; name another one, or none", param_hint="DIR")
    home.mkdir(parents=True, exist_ok=True)
    return home


def _configure(home: Path, sandbox: "Running") -> Path:
    from daemon.cli.simulated import entries

    path = home / "config.yaml"
    text = _CONFIG.format(root=json.dumps(str(home / "share")), state=json.dumps(str(home / "state")))
    text += entries(sandbox.addresses)
    path.write_text(text, encoding="utf-8")
    return path


def _play(console: "Console", home: Path, path: Path, *, keep: bool) -> int:
    import structlog

    from daemon import config, log
    from daemon.app import App
    from daemon.cli.progress import Progress
    from daemon.cli.running import handling_signals
    from daemon.clock import SystemClock

    settings = config.load(path)
    with open(home / "daemon.log", "a", encoding="utf-8") as target:
        log.configure("info", "json", stream=target, secrets=lambda: config.secret_values(settings))
        app = App(settings, SystemClock(), structlog.get_logger())
        with Progress(app, console) as progress, handling_signals(app):
            app.start()
            deadline = app.now() + _PATIENCE_S
            app.run(until=lambda: app.scans > 0 or app.now() > deadline)
            _drop(home)
            app.run(until=lambda: progress.update() or _ended(progress) or app.now() > deadline)
        code = 0 if _ended(progress) and app.died is None else 1
        _show(console, home, path)
        if keep and code == 0:
            _stay(console, app, home)
        if not app.stop():
            os._exit(code)
    return code


def _drop(home: Path) -> None:
    from daemon.sandbox.samples import write_samples

    samples = write_samples(home / "samples")
    for kind, inbox in _DROPS:
        shutil.copy(samples[kind], home / "share" / "inbox" / inbox)


def _ended(progress: "Progress") -> bool:
    return progress.delivered + progress.failed >= len(_DROPS)


def _show(console: "Console", home: Path, path: Path) -> None:
    """The tree that people see, and what the sidecar of the failed one says."""
    from rich.markup import escape
    from rich.tree import Tree

    console.print()
    for top in ("outbox", "failed"):
        tree = Tree(f"[bold]{top}/[/]")
        _grow(tree, home / "share" / top)
        console.print(tree)
    for sidecar in sorted((home / "share" / "failed").rglob("*.error.json")):
        story = json.loads(sidecar.read_text(encoding="utf-8"))
        console.print(f"\n[bold]{escape(sidecar.name)}[/] says:", soft_wrap=True)
        console.print(f"  {escape(story['what_happened'])}", soft_wrap=True)
        console.print(f"  {escape(story['what_to_do'])}", soft_wrap=True)
    console.print("\nLook further (the services have ended, what they did is still told):", style="bold")
    command = shlex.quote(sys.argv[0]) if os.path.sep in sys.argv[0] else "babeldrop"
    failed = next((home / "share" / "failed").rglob("*~fail.docx"), None)
    console.print(f"  {command} status -c {path}", soft_wrap=True, markup=False)
    if failed is not None:
        console.print(f"  {command} why -c {path} {shlex.quote(str(failed))}", soft_wrap=True, markup=False)
    console.print(f"  less {home / 'state' / 'journal.jsonl'}", soft_wrap=True, markup=False)
    console.print(f"When you have seen it: rm -r {home}", soft_wrap=True, markup=False)


def _grow(tree: "Tree", folder: Path) -> None:
    from rich.markup import escape

    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            _grow(tree.add(f"{escape(entry.name)}/"), entry)
        else:
            tree.add(escape(entry.name))


def _stay(console: "Console", app: "App", home: Path) -> None:
    from daemon.cli.progress import Progress
    from daemon.cli.running import handling_signals

    console.print(f"\nDrop files of your own into [bold]{home / 'share' / 'inbox'}[/]; Ctrl-C ends.", soft_wrap=True)
    with Progress(app, console) as progress, handling_signals(app):
        app.run(until=progress.update)
    console.print("Stopping.")
