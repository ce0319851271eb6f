"""Progress of a daemon in the foreground: a live panel on a terminal, one plain line an ended job in a pipe."""

import sys
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from daemon import messages, names
from daemon.job import Job, State

if TYPE_CHECKING:
    from daemon.app import App

_SHOWN = (State.CLAIMED, State.SUBMITTING, State.IN_FLIGHT, State.READY, State.PUBLISHING)
_WORDS = {
    State.CLAIMED: "waiting",
    State.SUBMITTING: "going up",
    State.IN_FLIGHT: "being translated",
    State.READY: "coming down",
    State.PUBLISHING: "being delivered",
}


class Progress:
    """Watches an app; `update` is called from its loop. Counts what ended meanwhile."""

    def __init__(self, app: "App", console: Console | None = None) -> None:
        self._app = app
        self._console = console or Console(highlight=False)
        self._news: deque[Job] = deque()
        self._stack = ExitStack()
        self._live: Live | None = None
        self.delivered = 0
        self.failed = 0
        app.shop.on_closed = self._news.append

    @property
    def live(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._console.is_terminal

    def __enter__(self) -> Self:
        if self.live:
            self._live = self._stack.enter_context(
                Live(console=self._console, get_renderable=self._panel, refresh_per_second=8, transient=True)
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.update()
        self._stack.close()
        self._live = None

    def update(self) -> bool:
        """Say what ended since the last time. Always false, so that it fits into a condition."""
        while self._news:
            self._tell(self._news.popleft())
        return False

    def _tell(self, job: Job) -> None:
        path = f"{job.provider}/{job.folder}"
        if job.closed_as is State.DELIVERED:
            self.delivered += 1
            name = names.shown(job.published or job.name)
            self._line("delivered", "green", f"outbox/{path}/{name}")
        else:
            self.failed += 1
            why = messages.told(job.error or {})[0]
            self._line("failed", "red", f"failed/{path}/{names.shown(job.name)}: {why}")

    def _line(self, word: str, colour: str, text: str) -> None:
        if self.live:
            self._console.print(f"[{colour}]{word:>9}[/]  {escape(text)}", soft_wrap=True)
        else:
            self._console.print(f"{word} {text}", soft_wrap=True, markup=False)
            sys.stdout.flush()

    def _panel(self) -> Group:
        shop = self._app.shop
        up = sum(desk.session.meter.up for desk in shop.desks.values())
        down = sum(desk.session.meter.down for desk in shop.desks.values())
        table = Table.grid(padding=(0, 2))
        resting = len(self._app.intake.resting)
        cells = [f"[cyan]{resting}[/] at rest in the inbox"]
        cells += [f"[cyan]{shop.counts[state]}[/] {_WORDS[state]}" for state in _SHOWN if shop.counts[state]]
        table.add_row(Spinner("dots"), Text.from_markup(" · ".join(cells)))
        table.add_row("", Text.from_markup(f"[dim]{_bytes(up)} up, {_bytes(down)} down[/]"))
        return Group(table)

    def summary(self) -> None:
        """One last line: how many were delivered, how many failed."""
        text = f"{self.delivered} delivered, {self.failed} failed"
        if self.live:
            self._console.print(f"[bold]{text}[/]")
        else:
            self._console.print(text, markup=False)


def _bytes(count: int) -> str:
    value, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, bigger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
