"""`run`, `once` and `check`: the daemon in the foreground, for good or until its work is done."""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.errors import exits

if TYPE_CHECKING:
    from daemon.app import App
    from daemon.config import Config
    from daemon.service import Service


ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", envvar="BABELDROP_CONFIG", help="The configuration file.")
]
DEFAULT = Path("/etc/babeldrop/config.yaml")
# What tells the keys of each configuration that this process has had.
_keys: list[Callable[[], frozenset[str]]] = []


def run(
    config: ConfigPath = DEFAULT,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            metavar="",
            help="Claim a root that belongs to another state. What is in processing/ without a record fails as "
            "uncertain, because nobody knows whether it was sent.",
        ),
    ] = False,
) -> None:
    """The daemon: watch the inboxes until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration anew, and tries at once whatever waits for a retry.

    A configuration with mistakes changes nothing; they are told in the log and in the status.
    """
    import structlog

    from daemon.clock import SystemClock
    from daemon.service import Service
    from daemon.supervisor import Supervisor

    claims = [take_over]

    def open_app(settings: "Config") -> "App":
        _log(settings)
        # The root is claimed once, not again by a reload.
        return _open(settings, take_over=bool(claims and claims.pop()))

    with exits():
        clock, logger = SystemClock(), structlog.get_logger()
        supervisor = Supervisor(clock, logger)
        if supervisor.watches:
            # It ends a daemon that hangs with SIGABRT; then it is told where every thread was.
            faulthandler.enable()
        service = Service(_load(config), lambda: _load(config), open_app, supervisor, clock, logger)
        with handling_signals(service):
            service.run()
        finish(service.app, 1 if service.app.died else 0)


def once(
    config: ConfigPath = DEFAULT,
    within: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Stop after this time at the latest, such as 10m."),
    ] = None,
) -> None:
    """Work off what is there, then stop.

    Exit code 0: everything was delivered; 1: something failed; 2: the configuration is wrong; 3: something
    waits, for a person or because the time was over.
    """
    from daemon import names
    from daemon.cli.progress import Progress
    from daemon.outlook import is_done, waits, waits_for_person

    with exits():
        seconds = _seconds(within)
        settings = _load(config)
        app = _open(settings)
        with Progress(app) as progress, handling_signals(app):
            _log(settings, level="warning" if progress.live else None)
            app.start()
            deadline = app.now() + seconds if seconds else float("inf")

            def is_over() -> bool:
                progress.update()
                return (
                    is_done(app.shop, app.intake, app.scans)
                    or waits_for_person(app.shop, app.intake)
                    or app.now() > deadline
                )

            app.run(until=is_over)
            done = is_done(app.shop, app.intake, app.scans)
        progress.summary()
        for sentence in waits(app.shop):
            typer.echo(sentence, err=True)
        for stop in app.intake.stops:
            held = f"{stop.files} file{'' if stop.files == 1 else 's'} held"
            typer.echo(f"stopped: {names.shown(stop.path)}: {held} by a file called {names.shown(stop.sign)}", err=True)
        for path, why in sorted(app.intake.left.items()):
            typer.echo(f"left alone: {names.shown(path)}: {why}", err=True)
        finish(app, 1 if app.died or progress.failed else 0 if done else 3)


def check(config: ConfigPath = DEFAULT) -> None:
    """Check the configuration, offline: every mistake in one run, each with file and line."""
    from daemon.config import load

    with exits():
        settings = load(config)
        for warning in settings.warnings:
            typer.echo(f"warning: {warning}", err=True)
        if os.geteuid() == 0:
            typer.echo("warning: this is root; the daemon needs no more than a user of its own", err=True)
        count = len(settings.providers)
        typer.echo(f"{config}: good, {count} provider{'s' if count != 1 else ''}: {', '.join(settings.providers)}")


def _load(path: Path) -> "Config":
    from daemon.config import load

    return load(path)


def _open(settings: "Config", *, take_over: bool = False) -> "App":
    import structlog

    from daemon.app import App
    from daemon.clock import SystemClock

    return App(settings, SystemClock(), structlog.get_logger(), take_over=take_over)


def _log(settings: "Config", level: str | None = None) -> None:
    import structlog

    from daemon import log
    from daemon.config import seen_values

    # Of a configuration that is not in force any more the keys stay secret.
    _keys.append(seen_values(settings))
    log.configure(level or settings.log.level, settings.log.format, secrets=_all_keys)
    logger = structlog.get_logger()
    sys.excepthook = lambda kind, error, trace: logger.error("daemon.broke", exc_info=(kind, error, trace))
    threading.excepthook = lambda args: logger.error(
        "thread.broke", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
    for warning in settings.warnings:
        logger.warning("config.warning", why=warning)
    if os.geteuid() == 0:
        logger.warning("daemon.root", why="it runs as root and needs no more than a user of its own")


def _all_keys() -> frozenset[str]:
    return frozenset().union(*(keys() for keys in _keys))


def _seconds(text: str | None) -> float | None:
    from daemon.settings import parse_duration

    if text is None:
        return None
    try:
        return float(str(parse_duration(text)))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not {error}", param_hint="--for") from None


@contextlib.contextmanager
def handling_signals(app: "App | Service") -> Iterator[None]:
    """The first SIGTERM or Ctrl-C asks the daemon to stop; the second one is not ours any more and kills."""
    before: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        restore()
        app.request_stop()

    def poke(number: int, frame: FrameType | None) -> None:
        del number, frame
        app.request_poke()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    handlers: dict[int, Callable[[int, FrameType | None], None]] = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: poke,
    }
    for number, handler in handlers.items():
        before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        restore()


def finish(app: "App", code: int) -> None:
    """Stop the daemon and leave with a code. Raises typer.Exit, or ends the process where a step hangs."""
    drained = app.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    if not drained:
        # A thread still waits for an answer that the journal will be asked about at the next start; Python
        # would wait for it without end.
        os._exit(code)
    raise typer.Exit(code)
