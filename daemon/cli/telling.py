"""Whatever there is to tell of a file that somebody names, wherever it lies, lay, or will lie."""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from daemon import disk, names
from daemon.cli import drop, places, reading, story, words
from daemon.cli.places import Spot
from daemon.cli.reading import Scene
from daemon.errors import ShareAwayError
from daemon.folders import MARKER
from daemon.job import Job

_MOST_OTHERS = 5
_BETWEEN = re.compile("[;/]")
_OWN: Mapping[str, str] = {
    MARKER: "The sign that the share is there: where it is missing, babeldrop touches nothing. Leave it as it is.",
    "STATUS.html": "The page that shows how everything stands; babeldrop writes it anew when something changes.",
}
"""What we keep in the root beside its folders."""
_MOST_CANDIDATES = 20


@dataclass(kw_only=True, slots=True)
class Told:
    """A heading with sentences; `known` is false for a file of which nothing can be told.

    `kind` is `job`, `drop` (it lies in an inbox), `candidates` (several are called so), `note` (a sidecar that
    speaks for itself), or `unknown` (also for what is nobody's document). `job` is the one that is told
    of, `others` are of the same name.
    """

    heading: str
    sentences: list[str] = field(default_factory=list)
    known: bool = True
    kind: str = "unknown"
    path: str | None = None
    job: Job | None = None
    others: list[Job] = field(default_factory=list)


def tell(scene: Scene, given: str) -> Told:
    """Everything that is known of a path, of a name, of a job's id, or of the service's own id."""
    told = _tell(scene, given)
    if scene.mistakes:
        told.sentences.append(f"The configuration file has a mistake, so not all can be told: {scene.mistakes}")
    return told


def _tell(scene: Scene, given: str) -> Told:
    jobs = reading.jobs(scene.state, history=True)
    same = [jobs[given]] if given in jobs else _newest_first(job for job in jobs.values() if _is_theirs(job, given))
    if same:
        return _about(scene, same, jobs)
    spot = places.below_root(scene.root, given)
    return _by_name(scene, given, jobs) if spot is None else _at(scene, spot, jobs)


def as_json(scene: Scene, given: str, told: Told) -> dict[str, Any]:
    """The same for programs; `sentences` are what people read."""
    return {
        "schema": 1,
        "asked": names.shown(given),
        "known": told.known,
        "kind": told.kind,
        "path": names.shown(told.path) if told.path else None,
        "heading": told.heading,
        "sentences": [sentence.strip() for sentence in told.sentences],
        "job": story.facts(scene, told.job) if told.job else None,
        "others": [story.facts(scene, job) for job in told.others],
    }


def _is_theirs(job: Job, given: str) -> bool:
    """Whether a service calls it so; a reference may be made of several of its names, put together by us."""
    return any(given == ref or given in _BETWEEN.split(ref) for ref in job.refs)


# -- by path ------------------------------------------------------------------------------------------------


def _at(scene: Scene, spot: Spot, jobs: dict[str, Job]) -> Told:
    """What lies, or lay, at a place below the root."""
    asked = spot
    entry, note, trouble = None, None, None
    try:
        with places.opened(scene.root) as root:
            entry = places.entry_at(root, spot.path)
            spot, note = _with_note(root, spot)
    except ShareAwayError:
        trouble = f"{scene.root} cannot be seen from here: the share is away. This is what the journal says."
    except OSError as error:
        trouble = _not_to_be_seen(error)
    named = spot.job or (note or {}).get("job")
    found = places.jobs_at(spot, jobs.values(), named)
    if spot.top == "inbox" and entry is not None:
        told = _in_the_inbox(scene, spot, entry, found)
    elif found:
        told = _about(scene, found, jobs)
        told.sentences = [*_what_this_is(asked, found[0]), *told.sentences]
    else:
        told = _nobody_knows(spot, entry, note)
    told = replace(told, path=spot.path)
    return replace(told, sentences=[*([trouble] if trouble else []), *told.sentences])


def _with_note(root: int, spot: Spot) -> tuple[Spot, dict[str, Any] | None]:
    """The sidecar at or beside a spot in `failed/`; a spot that is one stands for its original."""
    if spot.top != "failed" or spot.place is None:
        return spot, None
    place = spot.place
    with contextlib.suppress(OSError), disk.folder(root, place.within("failed")) as here:
        base = places.original_of(here, place.base)
        beside = place.base if base != place.base else names.sidecar_name(base, "")
        spot = places.spot_of(os.path.join(place.within("failed"), base))
        return spot, places.note_at(here, beside)
    return spot, None


def _not_to_be_seen(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.EXDEV):
        return "A folder on the way is a symbolic link or another file system, and is never entered."
    return f"What lies there cannot be seen: {error.strerror}."


def _what_this_is(spot: Spot, job: Job) -> list[str]:
    """What a file that we have put somewhere is, for somebody who found it there."""
    if spot.top == "outbox":
        return [f"This is the translation of {words.quoted(story.place_of(job).path('inbox'))}."]
    if spot.top == "archive":
        return ["This is the original of a translation that was delivered."]
    return []


def _in_the_inbox(scene: Scene, spot: Spot, entry: disk.Entry, jobs: list[Job]) -> Told:
    told = Told(heading=names.shown(spot.path), sentences=drop.about(scene, spot, entry), kind="drop", others=jobs)
    told.sentences += _others("Files of the same name before it:", scene, jobs)
    return told


def _nobody_knows(spot: Spot, entry: disk.Entry | None, note: dict[str, Any] | None) -> Told:
    """A path without a job: what its sidecar says, or that there is no record."""
    heading = names.shown(spot.path)
    if note is not None:
        said = [names.shown(str(note["what_happened"])), names.shown(str(note.get("what_to_do", "")))]
        return Told(
            heading=heading,
            sentences=[*said, "So its sidecar says; the journal has no record of it."],
            kind="note",
        )
    if entry is None:
        sentence = "Nothing lies there, and the journal has no record of such a file."
    elif spot.path in _OWN:
        return Told(heading=heading, sentences=[_OWN[spot.path]])
    elif entry.kind == "folder":
        sentence = "This is a folder; name a file in it. `babeldrop status` shows what waits everywhere."
    elif spot.top == "processing" and spot.job is not None:
        sentence = "It was taken out of the inbox, but there is no record of it; the next start takes care of it."
    else:
        sentence = "The journal has no record of it: babeldrop did not put it there."
    return Told(heading=heading, sentences=[sentence], known=False)


# -- by name ------------------------------------------------------------------------------------------------


def _by_name(scene: Scene, given: str, jobs: dict[str, Job]) -> Told:
    """A name or the end of a path, from whatever folder it was typed: the files that are or were called so."""
    lying: list[str] = []
    with contextlib.suppress(ShareAwayError, OSError), places.opened(scene.root) as root:
        lying = places.drops(root, given)
    found = _newest_first(job for job in jobs.values() if _is_called(job, given))
    if len(lying) == 1 and all(story.place_of(job).path("inbox") == lying[0] for job in found):
        return _at(scene, places.spot_of(lying[0]), jobs)
    if found and not lying and len({(job.provider, job.folder, job.name) for job in found}) == 1:
        return _about(scene, found, jobs)
    if found or lying:
        return _candidates(scene, given, lying, found)
    path = f"inbox/<provider>/<lang>/{names.shown(os.path.basename(given))}"
    sentence = "It is no job's id, none of a service, and no file of this name lies in an inbox or was ever taken in. "
    sentence += f"A file is also found by its path, such as {path}."
    return Told(heading=f"Nobody knows {words.quoted(given)}.", sentences=[sentence], known=False)


def _is_called(job: Job, given: str) -> bool:
    inbox = story.place_of(job).path("inbox")
    published = os.path.join(os.path.dirname(inbox), job.published) if job.published else inbox
    return places.is_called(inbox, given) or places.is_called(published, given)


def _candidates(scene: Scene, given: str, lying: list[str], jobs: list[Job]) -> Told:
    """Several files that somebody can mean: what lies in an inbox by path, what was taken by its job's id."""
    lines = [f"  {words.quoted(path)}: lies in the inbox" for path in lying]
    lines += [f"  {words.quoted(story.place_of(job).path('inbox'))}, {story.in_short(scene, job)}" for job in jobs]
    more = [f"  … and {len(lines) - _MOST_CANDIDATES:,} more"] if len(lines) > _MOST_CANDIDATES else []
    return Told(
        heading=f"{words.count(len(lines), 'file')} called {words.quoted(given)}",
        sentences=[*lines[:_MOST_CANDIDATES], *more, "Ask for one of them by its path or by its job's id."],
        kind="candidates",
        others=jobs,
    )


# -- jobs ---------------------------------------------------------------------------------------------------


def _about(scene: Scene, found: list[Job], jobs: dict[str, Job]) -> Told:
    """The story of the first, and a line for each of the others."""
    first, *rest = found
    told = Told(
        heading=story.title(first),
        sentences=story.story(scene, first, jobs.values()),
        kind="job",
        path=story.place_of(first).path("inbox"),
        job=first,
        others=rest,
    )
    told.sentences += _others("Files of the same name:", scene, rest)
    return told


def _others(heading: str, scene: Scene, jobs: list[Job]) -> list[str]:
    lines = [f"  {story.in_short(scene, job)}" for job in jobs[:_MOST_OTHERS]]
    if len(jobs) > _MOST_OTHERS:
        lines.append(f"  … and {len(jobs) - _MOST_OTHERS:,} more")
    return [heading, *lines] if jobs else []


def _newest_first(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: job.id, reverse=True)
