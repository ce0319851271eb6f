"""The last days as pictures: what was delivered and failed, how long it took, what it cost. Numbers in, shapes out.

All positions are in the units of the picture's own `viewBox`; every picture comes with the table of its numbers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from daemon.web.past import Tally
from daemon.web.words import Words, shown

Days = Mapping[date, Mapping[str, Tally]]

WIDTH = 640
HEIGHT = 200
_LEFT = 46
_BOTTOM = 24
_TOP = 12
_ROW = 44
_LABELS = 150
_MOST_SERVICES = 20
_MOST_UNITS = 6


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle; `kind` is its class in the style sheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text; `anchor` is where x is: its `start`, `middle` or `end`."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """One picture. `legend` says what the kinds of shapes mean; `about` the picture in words."""

    title: str
    about: str
    height: float
    shapes: Sequence[Shape]
    lines: Sequence[float]
    labels: Sequence[Label]
    legend: Sequence[tuple[str, str]]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def charts(days: Days, titles: Mapping[str, str], words: Words, now: datetime) -> list[Chart]:
    """The pictures of some days, oldest day first; none for days in which nothing ended."""
    if not any(tallies for tallies in days.values()):
        return []
    return [_jobs(days, words, now), *_waits(days, titles, words), *_costs(days, words, now)]


def scale(most: float) -> tuple[float, list[float]]:
    """A round number not below `most`, and the ticks from 0 to it: at most six, whole ones from 1 on."""
    if most <= 0:
        return 1.0, [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most))
    step = next(one * power for one in (0.2, 0.5, 1.0, 2.0) if one * power * 5 >= most)
    if most >= 1:
        step = float(max(1, round(step)))
    count = math.ceil(most / step - 1e-9)
    return step * count, [step * index for index in range(count + 1)]


def middle_half(spans: Sequence[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile of some lengths of time; there is at least one."""
    found = sorted(spans)
    last = len(found) - 1
    return found[last // 4], found[last // 2], found[math.ceil(last * 3 / 4)]


# -- each day -----------------------------------------------------------------------------------------------


def _jobs(days: Days, words: Words, now: datetime) -> Chart:
    delivered = {day: float(sum(one.delivered for one in tallies.values())) for day, tallies in days.items()}
    failed = {day: float(sum(one.failed for one in tallies.values())) for day, tallies in days.items()}
    sums = {"delivered": sum(delivered.values()), "failed": sum(failed.values())}
    names = [words.say("chart.delivered"), words.say("chart.failed")]
    return _by_day(
        words.say("chart.jobs"),
        words.say("chart.jobs_about", **sums),
        {"delivered": delivered, "failed": failed},
        names,
        words,
        now,
    )


def _costs(days: Days, words: Words, now: datetime) -> list[Chart]:
    units = sorted({unit for tallies in days.values() for one in tallies.values() for unit in one.costs})
    found = []
    for unit in units[:_MOST_UNITS]:
        name = words.unit(unit)
        spent = {day: sum(one.costs.get(unit, 0.0) for one in tallies.values()) for day, tallies in days.items()}
        title, about = (
            words.say("chart.costs", unit=name),
            words.say("chart.costs_about", unit=name, sum=sum(spent.values())),
        )
        found.append(_by_day(title, about, {"cost": spent}, [name], words, now))
    return found


def _by_day(
    title: str,
    about: str,
    series: Mapping[str, Mapping[date, float]],
    names: Sequence[str],
    words: Words,
    now: datetime,
) -> Chart:
    """Bars side by side, a day a place; what is above nothing is at least to be seen."""
    days = list(next(iter(series.values())))
    top, ticks = scale(max((value for one in series.values() for value in one.values()), default=0.0))
    ground = HEIGHT - _BOTTOM
    step = (WIDTH - _LEFT) / len(days)
    broad = step * 0.7 / len(series)
    shapes, labels = [], [Label(_LEFT - 8, _height(tick, top, ground) + 4, words.number(tick), "end") for tick in ticks]
    for index, day in enumerate(days):
        left = _LEFT + index * step + step * 0.15
        for place, (kind, values) in enumerate(series.items()):
            if values[day]:
                y = min(_height(values[day], top, ground), ground - 2)
                shapes.append(Shape(_r(left + place * broad), _r(y), _r(broad - 1), _r(ground - y), kind))
        if (len(days) - 1 - index) % 2 == 0:
            last = index == len(days) - 1
            x, anchor = (WIDTH, "end") if last else (_LEFT + (index + 0.5) * step, "middle")
            labels.append(Label(_r(x), HEIGHT - 6, _short(day, words, now), anchor))
    return Chart(
        title=title,
        about=about,
        height=HEIGHT,
        shapes=shapes,
        lines=[_height(tick, top, ground) for tick in ticks],
        labels=labels,
        legend=list(zip(series, names, strict=True)) if len(series) > 1 else [],
        head=[words.say("chart.day"), *names],
        rows=[
            [_short(day, words, now), *(words.number(one[day]) for one in series.values())] for day in reversed(days)
        ],
    )


def _height(value: float, top: float, ground: float) -> float:
    return _r(ground - (ground - _TOP) * value / top)


def _short(day: date, words: Words, now: datetime) -> str:
    # Noon, so that no zone makes another day of it.
    return words.short_date(datetime.combine(day, time(12)).astimezone(), now)


# -- each service -------------------------------------------------------------------------------------------


def _waits(days: Days, titles: Mapping[str, str], words: Words) -> list[Chart]:
    """How long files took, by service: the middle half as a bar, the middle one as a mark in it."""
    spans: dict[str, list[float]] = {}
    for tallies in days.values():
        for provider, one in tallies.items():
            spans.setdefault(provider, []).extend(one.spans)
    known = {name: middle_half(found) for name, found in sorted(spans.items()) if found}
    known = dict(list(known.items())[:_MOST_SERVICES])
    if not known:
        return []
    longest = max(high for _, _, high in known.values()) or 1.0
    room = WIDTH - _LABELS - 8
    shapes, labels, rows = [], [], []
    for index, (provider, (low, middle, high)) in enumerate(known.items()):
        y = index * _ROW
        title = shown(titles.get(provider, provider), 24)
        said = words.say("chart.wait_of", low=words.length(low), high=words.length(high), middle=words.length(middle))
        start, mark, end = (_LABELS + room * value / longest for value in (low, middle, high))
        shapes.append(Shape(_LABELS, y + 15, room, 2, "rail"))
        shapes.append(Shape(_r(start), y + 8, _r(max(6.0, end - start)), 16, "span"))
        shapes.append(Shape(_r(min(max(mark - 1.5, start), WIDTH - 3)), y + 4, 3, 24, "mark"))
        labels.append(Label(_LABELS - 10, y + 21, title, "end"))
        labels.append(Label(_LABELS, y + 41, said, "start"))
        rows.append([title, said])
    return [
        Chart(
            title=words.say("chart.waits"),
            about=words.say("chart.waits_about"),
            height=len(known) * _ROW + 4,
            shapes=shapes,
            lines=[],
            labels=labels,
            legend=[],
            head=[words.say("chart.service"), words.say("took")],
            rows=rows,
        )
    ]


def _r(value: float) -> float:
    """Short numbers make a small page."""
    return round(value, 1)
