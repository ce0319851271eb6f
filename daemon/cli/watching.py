"""`status --watch`: the board again and again, drawn in place on a terminal, printed on change anywhere else."""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from daemon import disk, journal, records
from daemon.cli import board, reading, screen, standing, words
from daemon.cli.reading import Scene
from daemon.clock import moment
from daemon.errors import ConfigError, StateError
from daemon.job import IllegalMoveError, Job, apply

_EVERY_S = 1.0
# What moves though nothing happened: moments of the next tries, and what is reckoned from the time.
_RESTLESS = frozenset({"at", "noted_at", "next_poll", "next_try", "paused_until", "ages"})
_TROUBLE = (ConfigError, StateError, OSError)
"""What may be mended, or pass, while somebody watches."""

Again = Callable[[], bool]
"""Waits for the next look; false to end."""


class Follower:
    """Looks again and again at one daemon, and reads of its journal only what was appended meanwhile."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._jobs: dict[str, Job] = {}
        self._file: tuple[int, int] | None = None
        self._end = 0
        self._past: tuple[object, dict[str, Job]] | None = None

    def look(self) -> dict[str, Any]:
        """The report of now. Raises ConfigError, StateError and OSError."""
        scene = reading.look(self._config)
        self._follow(scene.state)
        return standing.report(scene, {**self._ended(scene), **self._jobs}.values())

    def _follow(self, state: str) -> None:
        path = os.path.join(state, journal.NAME)
        try:
            descriptor = disk.open_own(path)
        except FileNotFoundError:
            self._jobs, self._file = {}, None
            return
        except PermissionError:
            raise StateError(reading.not_yours(state)) from None
        try:
            shown = disk.fstat(descriptor)
            file = (shown.st_dev, shown.st_ino)
            known = self._file == file and shown.st_size >= self._end
            if not known or not self._append(disk.read(descriptor, shown.st_size - self._end, self._end)):
                # Another file, or one that makes no sense from here on: whoever reads all of it can say why.
                self._file = None
                self._jobs, self._end = reading.fold(path, disk.read(descriptor, shown.st_size, 0))
                self._file = file
        finally:
            disk.close(descriptor)

    def _append(self, data: bytes) -> bool:
        """Let the jobs go on by what was appended; False when it does not follow."""
        whole, _, _ = data.rpartition(b"\n")
        for line in whole.split(b"\n") if whole else []:
            record = records.decode(line)
            if record is None:
                return False
            if record["job"] is not None:
                try:
                    job = apply(self._jobs.get(record["job"]), records.event_of(record))
                except (IllegalMoveError, KeyError, TypeError, ValueError):
                    return False
                self._jobs[job.id] = job
        self._end += len(whole) + 1 if whole else 0
        return True

    def _ended(self, scene: Scene) -> dict[str, Job]:
        """The jobs that ended today and have left the journal: read anew when it lost some, and on a new day."""
        midnight = standing.midnight(scene.now)
        key = (self._file, midnight)
        if self._past is None or self._past[0] != key:
            self._past = (key, reading.ended_since(scene.state, midnight, scene.now))
        return self._past[1]


class Window:
    """As much of something as the window shows, and how many lines that hides."""

    def __init__(self, what: RenderableType) -> None:
        self._what = what

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines for the height that is there."""
        lines = console.render_lines(self._what, options.update(height=None), pad=False)
        room = options.height or options.max_height
        if len(lines) > room:
            hidden = len(lines) - room + 1
            note = Text(f"… {words.count(hidden, 'line')} more; they need a taller window.", style="dim")
            lines = [*lines[: room - 1], *console.render_lines(note, options.update(height=None), pad=False)[:1]]
        for line in lines:
            yield from line
            yield Segment.line()


def stay(config: Path, *, as_json: bool) -> None:
    """Look every second until Ctrl-C or SIGTERM. Raises ConfigError and StateError at the first look."""
    console = screen.console()
    # Waited for instead of handled: an interruption in the middle of a drawing would leave the terminal as it is.
    ends = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)

    def again() -> bool:
        return signal.sigtimedwait(ends, _EVERY_S) is None

    try:
        follower = Follower(config)
        if as_json or not console.is_terminal or console.is_dumb_terminal:
            tell_changes(follower, console, again, as_json=as_json)
        else:
            draw(follower, console, again)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def draw(follower: Follower, console: Console, again: Again) -> None:
    """Redraw in place; what was shown last stays behind on the terminal."""
    from rich.live import Live

    report = follower.look()
    first, body = _time(report), board.render(report)
    with Live(Window(Group(first, body)), console=console, screen=True, auto_refresh=False) as live:
        live.refresh()
        while again():
            try:
                report = follower.look()
            except _TROUBLE as error:
                # Somebody is editing the configuration, for instance: what was seen last is kept.
                first = Text(_not_now(error), style="bold red")
            else:
                first, body = _time(report), board.render(report)
            live.update(Window(Group(first, body)), refresh=True)
    console.print(body)


def _time(report: Mapping[str, Any]) -> Text:
    now = moment(report["at"])
    return Text(f"{words.when(now, now)}; Ctrl-C ends", style="dim")


def tell_changes(follower: Follower, console: Console, again: Again, *, as_json: bool = False) -> None:
    """Print how it stands whenever that has changed, as text or as one object a line."""
    before: object = None
    while True:
        try:
            report = follower.look()
        except _TROUBLE as error:
            if before is None:
                raise
            news: object = str(error)
            if news != before:
                typer.echo(_not_now(error), err=True)
        else:
            news = _news(report)
            if news != before:
                _print(report, console, as_json=as_json)
        before = news
        if not again():
            return


def _print(report: Mapping[str, Any], console: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        now = moment(report["at"])
        console.print(words.when(now, now))
        console.print(board.render(report))
        console.print()
    sys.stdout.flush()


def _not_now(error: Exception) -> str:
    return f"It cannot be looked at just now: {error}"


def _news(value: Any) -> Any:
    """What of a report changes only when something happens."""
    if isinstance(value, dict):
        return {key: _news(one) for key, one in value.items() if key not in _RESTLESS}
    return [_news(one) for one in value] if isinstance(value, list) else value
