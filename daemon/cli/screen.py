"""Where commands print: paragraphs as wide as the terminal, or one line each in a pipe; never any markup."""

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from daemon import names

# Nothing is wrapped in a pipe, so that other programs find one thing on one line.
_ENDLESS = 10_000


def console(*, stderr: bool = False) -> Console:
    """Standard output: a terminal as it is, anything else as plain lines."""
    screen = Console(highlight=False, markup=False, emoji=False, stderr=stderr)
    if not screen.is_terminal:
        screen.size = screen.size._replace(width=_ENDLESS)
    return screen


def paragraph(text: str, *, indent: int = 0, style: str = "") -> RenderableType:
    """Sentences, wrapped between words; what would steer the terminal is shown as the bytes it is made of."""
    lines = Text(names.shown(text), style=style, overflow="fold")
    return Padding(lines, (0, 0, 0, indent), expand=False) if indent else lines


def say(where: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Print sentences. What begins with a space is there to be copied, so it stays in one piece."""
    if text.startswith(" "):
        where.print(Text(" " * indent + names.shown(text), style=style), soft_wrap=True)
    else:
        where.print(paragraph(text, indent=indent, style=style))
