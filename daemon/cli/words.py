"""How commands speak: moments in local time, ages, sizes, counts, and paths that can be copied into a shell."""

import re
from datetime import datetime

from daemon import names

_SAFE = re.compile(r"[\w@%+=:,./-][\w@%+=:,./~-]*", re.ASCII)


def age(seconds: float) -> str:
    """An elapsed time in at most two units: `0.2 s`, `42 s`, `3 min`, `2 h 5 min`, `4 days`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 60:
        return f"{int(seconds)} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return count(days, "day") + (f" {hours % 24} h" if days < 7 and hours % 24 else "")


def since(moment: datetime, now: datetime) -> str:
    """How long ago a moment is."""
    return age((now - moment).total_seconds())


def when(moment: datetime, now: datetime, *, seconds: bool = True) -> str:
    """A moment as people say it in their own zone: `today at 14:02:10`, `on 21 Nov at 08:00:00`."""
    local, today = moment.astimezone(), now.astimezone().date()
    clock = f"at {local:%H:%M:%S}" if seconds else f"at {local:%H:%M}"
    days = (today - local.date()).days
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {clock}"
    year = f" {local:%Y}" if local.year != today.year else ""
    return f"on {local.day} {local:%b}{year} {clock}"


def count(number: int, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def amount(number: float) -> str:
    """A cost: every digit that counts, `1,234,567.5`, never a power of ten."""
    return f"{number:,.6f}".rstrip("0").rstrip(".")


def size(number: int) -> str:
    """`26 bytes`, `2.7 kB`, `20 GB`; powers of ten, as in the configuration."""
    if number < 1000:
        return count(number, "byte")
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def quoted(path: str) -> str:
    r"""A path as it can be copied into a shell, on one line whatever it is made of.

    Bytes that cannot be shown stand as `$'…\xNN…'`, which bash and zsh understand.
    """
    shown = names.shown(path)
    if shown != path:
        # A backslash of the name itself is doubled; the ones that `shown` made are not.
        parts = (names.shown(one.replace("\\", "\\\\")) for one in path.replace("'", "\0").split("\0"))
        return "$'" + r"\'".join(parts) + "'"
    if _SAFE.fullmatch(path):
        return path
    return "'" + path.replace("'", "'\"'\"'") + "'"
