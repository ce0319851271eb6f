"""How the page speaks: texts with their facts, moments in the machine's zone, lengths of time, numbers, names."""

import math
from dataclasses import dataclass
from datetime import datetime

from daemon import messages, names
from daemon.web.texts import TEXTS

_MOST_NAME = 120
_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}


@dataclass(frozen=True, slots=True)
class Words:
    """The page's voice in one language: `en` or `de`."""

    language: str

    @property
    def texts(self) -> messages.Texts:
        """What is said about files and accounts."""
        return messages.TEXTS[self.language]

    def say(self, key: str, **facts: object) -> str:
        """One text with its facts filled in. Numbers are written as the language writes them."""
        told = {name: self.number(value) if isinstance(value, (int, float)) else value for name, value in facts.items()}
        return TEXTS[self.language][key].format(**told)

    def number(self, value: float) -> str:
        """`1,234.5`, or `1.234,5`; at most two digits behind the point."""
        text = f"{value:,.2f}".rstrip("0").rstrip(".")
        return text.translate({44: ".", 46: ","}) if self.language == "de" else text

    def unit(self, unit: str) -> str:
        """What a service counts in; a word that is not known here as it is."""
        return TEXTS[self.language].get(f"unit.{unit}") or shown(unit, 30)

    def date(self, at: datetime) -> str:
        """`Saturday 22 November 2026`, `Samstag, 22. November 2026`."""
        local = at.astimezone()
        day, month = _DAYS[self.language][local.weekday()], _MONTHS[self.language].split()[local.month - 1]
        if self.language == "de":
            return f"{day}, {local.day}. {month} {local.year}"
        return f"{day} {local.day} {month} {local.year}"

    def short_date(self, at: datetime, now: datetime) -> str:
        """`22 Nov`, `22. Nov`, with the year where it is another one."""
        local = at.astimezone()
        month = _MONTHS[self.language].split()[local.month - 1][:3]
        year = f" {local.year}" if local.year != now.astimezone().year else ""
        return f"{local.day}{'.' if self.language == 'de' else ''} {month}{year}"

    def when(self, at: datetime, now: datetime) -> str:
        """A moment as briefly as it is clear: `14:02`, `yesterday 14:02`, `21 Nov 14:02`."""
        local, today = at.astimezone(), now.astimezone().date()
        clock = f"{local:%H:%M}"
        days = (today - local.date()).days
        if days == 0:
            return clock
        return self.say("yesterday", time=clock) if days == 1 else f"{self.short_date(at, now)} {clock}"

    def span(self, low_s: float, high_s: float) -> str:
        """From so many to so many seconds, rounded outwards: `3 to 5 minutes`."""
        if high_s < 60:
            return self.say("under_a_minute")
        unit, size = ("minute", 60) if high_s < 5400 else ("hour", 3600)
        low, high = max(1, math.floor(low_s / size)), math.ceil(high_s / size)
        if low < high:
            return self.say(f"{unit}s_span", low=low, high=high)
        return self.say(f"{unit}s" if low > 1 else unit, low=low)

    def length(self, seconds: float) -> str:
        """How long something took: `42 s`, `3 min`, `2 h 5 min`."""
        if seconds < 59.5:
            return f"{max(1, round(seconds))} s"
        minutes = round(seconds / 60)
        hours, rest = divmod(minutes, 60)
        if not hours:
            return f"{minutes} min"
        return f"{hours} h {rest} min" if rest and hours < 24 else f"{hours} h"


def shown(name: str, most: int = _MOST_NAME) -> str:
    """A name as it may stand in a page: nothing invisible, and one too long without its middle."""
    told = names.shown(name)
    if len(told) <= most:
        return told
    tail = most // 3
    return f"{told[: most - tail - 1]}…{told[-tail:]}"
