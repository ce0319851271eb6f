"""What the page shows, decided from the report that all views share and the jobs behind it; pure, in one language.

First what needs somebody, then what is under way, what waits, and what is done. Every list is bounded and says how
much more there is.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from daemon.clock import moment, seconds_between
from daemon.folders import Place
from daemon.job import Job, State
from daemon.web import past
from daemon.web.notices import Notice, again, notices, reason
from daemon.web.words import Words, shown

MOST_ROWS = 50
_MOST_TEXT = 600
_MOST_LINK = 1000

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """All that is known at one moment: the report, jobs alive and ended, and the numbers of the last days.

    `stopped` says that this is the last look of a daemon that ends.
    """

    now: datetime
    report: Mapping[str, Any]
    reasons: Mapping[str, tuple[str, str | None]]
    """Of each job that does not go on the code of why, and when it is tried again."""
    titles: Mapping[str, str]
    alive: Sequence[Job]
    ended: Sequence[Job]
    failed: Sequence[Job]
    usual: Mapping[str, tuple[float, float]]
    days: Mapping[date, Mapping[str, past.Tally]]
    stopped: bool = False

    def title(self, provider: str) -> str:
        """The service's name as people write it, else the folder's."""
        return shown(self.titles.get(provider, provider))


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """The first rows of a list, and how many there are in all."""

    rows: Sequence[Row]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """One file in a list: its name, the folder it was dropped in, and since when it is there (or when it ended)."""

    name: str
    folder: str
    at: str
    at_iso: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    file: File
    happened: str
    to_do: str
    lies_in: str
    href: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """`note` says why it does not go on, where it does not."""

    file: File
    state: str
    usual: str
    longer: bool
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    file: File
    place: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Files that wait for one reason."""

    heading: str
    sentence: str
    files: Listing[Queued]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lying:
    """A file in an inbox that was not taken."""

    path: str
    why: str
    since: str = ""
    since_iso: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    file: File
    result: str
    href: str
    took: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Everything on the page. `level` is `stop`, `alert`, `work`, `wait` or `idle`."""

    words: Words
    root: str
    now: datetime
    level: str
    headline: str
    notices: Sequence[Notice]
    failed: Listing[Failure]
    working: Listing[Work]
    waiting: int
    groups: Sequence[Group]
    resting: Listing[Lying]
    left: Listing[Lying]
    done: Listing[Done]
    look: Look = field(repr=False)


def page(look: Look, words: Words) -> Page:
    """Decide what is shown. Raises nothing for whatever names and texts are in the look."""
    known = list(notices(look, words))
    groups = list(_groups(look, words))
    working = [job for job in look.alive if job.state is not State.CLAIMED]
    failed = Listing([_failure(job, look, words) for job in look.failed[:MOST_ROWS]], len(look.failed))
    resting = look.report["resting"] or []
    left = look.report["ignored"] or []
    waiting = sum(job.state is State.CLAIMED for job in look.alive)
    done = [job for job in look.ended if job.delivered_at is not None]
    level, headline = _headline(known, failed.total, len(working), waiting + len(resting), words, stopped=look.stopped)
    return Page(
        words=words,
        root=shown(str(look.report["root"])),
        now=look.now,
        level=level,
        headline=headline,
        notices=known,
        failed=failed,
        working=Listing([_work(job, look, words) for job in working[:MOST_ROWS]], len(working)),
        waiting=waiting,
        groups=groups,
        resting=Listing(
            [_lying(row, look, words) for row in resting[:MOST_ROWS]],
            look.report["resting_total"] or len(resting),
        ),
        left=Listing(
            [Lying(path=shown(row["path"]), why=_left_alone(row, words)) for row in left[:MOST_ROWS]],
            look.report["ignored_total"] or len(left),
        ),
        done=Listing([_done(job, look, words) for job in done[:MOST_ROWS]], len(done)),
        look=look,
    )


def _headline(
    known: Iterable[Notice], failed: int, working: int, waiting: int, words: Words, *, stopped: bool
) -> tuple[str, str]:
    """The level, and the one sentence above everything."""
    kinds = [notice.kind for notice in known]
    if stopped:
        return "stop", words.say("headline.stopped")
    if "stop" in kinds:
        return "stop", words.say("headline.away")
    matters = kinds.count("alert") + failed
    if matters:
        text = "headline.one_matter" if matters == 1 else "headline.matters"
        return "alert", words.say(text, number=matters)
    if working:
        return "work", words.say("headline.working")
    if waiting or "pause" in kinds:
        return "wait", words.say("headline.waiting" if waiting else "headline.idle")
    return "idle", words.say("headline.idle")


# -- rows ---------------------------------------------------------------------------------------------------


def _file(job: Job, at: datetime, look: Look, words: Words) -> File:
    return File(
        name=shown(os.path.basename(job.name)),
        folder=shown(_place(job).within("inbox").removeprefix("inbox/")),
        at=words.when(at, look.now),
        at_iso=_iso(at),
    )


def _failure(job: Job, look: Look, words: Words) -> Failure:
    happened, to_do = words.texts.told(job.error or {})
    lies_in = _place(job).within("failed")
    return Failure(
        file=_file(job, job.last_at, look, words),
        happened=_bounded(happened),
        to_do=_bounded(to_do),
        lies_in=shown(lies_in),
        href=link(lies_in, folder=True),
    )


def _work(job: Job, look: Look, words: Words) -> Work:
    usual = look.usual.get(job.provider)
    began = job.sent_at or job.claimed_at
    row = look.reasons.get(job.id)
    note = ""
    if row is not None:
        code, until = row
        note = f"{reason(code, look.title(job.provider), words)} {again(until, look.now, words)}".strip()
    return Work(
        file=_file(job, began, look, words),
        state=job.state.value,
        usual=words.span(*usual) if usual else "",
        longer=usual is not None and seconds_between(began, look.now) > max(60.0, 2 * usual[1]),
        note=_bounded(note),
    )


def _done(job: Job, look: Look, words: Words) -> Done:
    place = _place(job)
    path = os.path.join(place.within("outbox"), job.published or place.base)
    took = seconds_between(job.dropped_at, job.delivered_at) if job.delivered_at else 0.0
    return Done(
        file=_file(job, job.delivered_at or job.last_at, look, words),
        result=shown(path, 160),
        href=link(path),
        took=words.length(took),
    )


def _lying(row: Mapping[str, Any], look: Look, words: Words) -> Lying:
    since = moment(row["since"])
    return Lying(
        path=shown(row["path"]),
        why=_bounded(reason(row["code"], "", words)) if row["code"] else "",
        since=words.when(since, look.now),
        since_iso=_iso(since),
    )


def _left_alone(row: Mapping[str, Any], words: Words) -> str:
    why = words.texts.left_alone(row["code"]) if row.get("code") else row["why"]
    return _bounded(why[:1].upper() + why[1:])


def _groups(look: Look, words: Words) -> Iterator[Group]:
    """What waits to be sent, by service and reason, each in its order; the page as a whole lists a bounded number."""
    lines: dict[str, int] = {}
    groups: dict[tuple[str, str], list[tuple[Job, int]]] = {}
    for job in look.alive:
        if job.state is State.CLAIMED:
            lines[job.provider] = lines.get(job.provider, 0) + 1
            code, _ = look.reasons.get(job.id, ("", None))
            groups.setdefault((job.provider, code), []).append((job, lines[job.provider]))
    room = max(5, MOST_ROWS // max(1, len(groups)))
    for (provider, code), jobs in groups.items():
        title = look.title(provider)
        heading = words.say("group.one" if len(jobs) == 1 else "group.many", service=title, number=len(jobs))
        tries = (look.reasons[job.id][1] for job, _ in jobs if code)
        soonest = min(filter(None, tries), default=None)
        sentence = f"{reason(code, title, words)} {again(soonest, look.now, words)}".strip()
        told = _bounded(sentence or words.say("group.turn"))
        if provider in look.usual:
            told += " " + words.say("group.usual", span=words.span(*look.usual[provider]))
        rows = [Queued(file=_file(job, job.dropped_at, look, words), place=place) for job, place in jobs[:room]]
        yield Group(heading=heading, sentence=told, files=Listing(rows, len(jobs)))


def link(path: str, *, folder: bool = False) -> str:
    """A relative link from the root to a path below it; none where it would be longer than a browser takes."""
    href = quote(path.encode("utf-8", "surrogateescape"), safe="/") + ("/" if folder else "")
    return href if len(href) <= _MOST_LINK else ""


def _bounded(text: object) -> str:
    return shown(str(text), _MOST_TEXT)


def _iso(at: datetime) -> str:
    return at.astimezone().isoformat(timespec="seconds")


def _place(job: Job) -> Place:
    return Place(provider=job.provider, folder=job.folder, name=job.name)
