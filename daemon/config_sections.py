"""The sections of the configuration that are about the whole daemon: what each key means, and what it may say.

A validator here raises ValueError with what it expected; the reader adds what it found and where.
"""

import re
from datetime import time
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from daemon.settings import Duration, Model, Secret, Unquoted, listen_address, parse_duration

_OCTAL = re.compile(r"0?[0-7]{3,4}")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def _octal(value: object) -> int:
    if isinstance(value, (int, Unquoted)):
        raise ValueError('an octal mode; quote it, as in "0664": unquoted, YAML reads the number 436')  # noqa: TRY004  pydantic turns ValueError alone into a problem
    if not isinstance(value, str) or not _OCTAL.fullmatch(value):
        raise ValueError('an octal mode such as "0664" or "2775"')
    return int(value, 8)


def _file_mode(value: object) -> int:
    mode = _octal(value)
    if mode & 0o600 != 0o600 or mode & ~0o666:
        raise ValueError('a mode for files, such as "0664": the owner reads and writes, nobody executes')
    return mode


def _folder_mode(value: object) -> int:
    mode = _octal(value)
    if mode & 0o700 != 0o700 or mode & 0o4000:
        raise ValueError('a mode for folders, such as "2775": the owner may do everything, no set-user-id')
    return mode


def _settle(value: object) -> object:
    try:
        return value if value == "auto" else parse_duration(value)
    except ValueError as error:
        raise ValueError(f"auto, or {error}") from None


class Outbox(Model):
    """Modes of what the daemon creates, whatever the umask."""

    file_mode: Annotated[int, BeforeValidator(_file_mode)] = 0o664
    folder_mode: Annotated[int, BeforeValidator(_folder_mode)] = 0o2775


class Watch(Model):
    """How drops are noticed, and when one counts as complete; `settle` and `rescan` in seconds."""

    observer: Literal["auto", "inotify", "polling"] = "auto"
    settle: Annotated[Literal["auto"] | float, BeforeValidator(_settle)] = "auto"
    rescan: Duration = 30.0
    ignore: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)


class Log(Model):
    """What is logged, and how; `auto` is console on a terminal, JSON otherwise."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Web(Model):
    """Where the status page, metrics and health are served."""

    listen: Annotated[tuple[str, int], BeforeValidator(listen_address)]
    """Host and port; a host that is not this machine's own loopback is warned about."""


def _quiet_hours(value: object) -> tuple[time, time]:
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError('hours of the day such as "22:00-06:00"')
    first, second, third, fourth = map(int, found.groups())
    return time(first, second), time(third, fourth)


Topic = Literal["failed", "blocked", "share_away", "budget"]
TOPICS: tuple[Topic, ...] = ("failed", "blocked", "share_away", "budget")


class Notify(Model):
    """Who is told of what needs a person, and when; `urls` are apprise's, `digest` in seconds."""

    urls: Annotated[list[Secret], Field(min_length=1)]
    on: list[Topic] = Field(default_factory=lambda: list(TOPICS))
    digest: Duration = 900.0
    quiet: Annotated[tuple[time, time], BeforeValidator(_quiet_hours)] | None = None
    """From and until when nothing is sent, in the machine's own time; what happens then is told afterwards."""
