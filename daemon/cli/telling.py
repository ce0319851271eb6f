"""Whatever there is to tell of a file that somebody names, wherever it lies, lay, or will lie."""

import contextlib
import errno
import os
from dataclasses import dataclass, field, replace
from typing import Any

from daemon import disk, names
from daemon.cli import drop, places, reading, story, words
from daemon.cli.places import Spot
from daemon.cli.reading import Scene
from daemon.errors import ShareAwayError
from daemon.job import Job

_MOST_OTHERS = 5


@dataclass(kw_only=True, slots=True)
class Told:
    """A heading with sentences; `known` is false for a file of which nothing can be told."""

    heading: str
    sentences: list[str] = field(default_factory=list)
    known: bool = True


def tell(scene: Scene, given: str) -> Told:
    """Everything that is known of a path, or of a job's id."""
    jobs = reading.jobs(scene.state, history=True)
    if given in jobs:
        return _about(scene, [jobs[given]])
    spot = places.below_root(scene.root, given)
    if spot is None:
        return _by_name(scene, given, list(jobs.values()))
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
        return _in_the_inbox(scene, spot, entry, found)
    told = _about(scene, found) if found else _nobody_knows(spot, entry, note)
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


def _about(scene: Scene, jobs: list[Job]) -> Told:
    """The story of the first, and a line for each of the others."""
    told = Told(heading=story.title(jobs[0]), sentences=story.story(scene, jobs[0]))
    told.sentences += _others("Files of the same name:", scene, jobs[1:])
    return told


def _others(heading: str, scene: Scene, jobs: list[Job]) -> list[str]:
    lines = [f"  {story.in_short(scene, job)}" for job in jobs[:_MOST_OTHERS]]
    if len(jobs) > _MOST_OTHERS:
        lines.append(f"  … and {len(jobs) - _MOST_OTHERS:,} more")
    return [heading, *lines] if jobs else []


def _in_the_inbox(scene: Scene, spot: Spot, entry: disk.Entry, jobs: list[Job]) -> Told:
    told = Told(heading=names.shown(spot.path), sentences=drop.about(scene, spot, entry))
    told.sentences += _others("Files of the same name before it:", scene, jobs)
    return told


def _by_name(scene: Scene, given: str, jobs: list[Job]) -> Told:
    """A bare name, from whatever folder it was typed: the files that were called so."""
    found = [job for job in jobs if given in (os.path.basename(job.name), job.published)]
    if found:
        return _about(scene, sorted(found, key=lambda job: job.id, reverse=True))
    path = f"inbox/<provider>/<lang>/{words.quoted(given)}"
    sentence = "It is no job's id, and no file of this name was ever taken in. "
    sentence += f"A file that still lies in an inbox is found by its path, {path}."
    return Told(heading=f"Nobody knows {words.quoted(given)}.", sentences=[sentence], known=False)


def _nobody_knows(spot: Spot, entry: disk.Entry | None, note: dict[str, Any] | None) -> Told:
    """A path without a job: what its sidecar says, or that there is no record."""
    heading = names.shown(spot.path)
    if note is not None:
        said = [names.shown(str(note["what_happened"])), names.shown(str(note.get("what_to_do", "")))]
        return Told(heading=heading, sentences=[*said, "So its sidecar says; the journal has no record of it."])
    if entry is None:
        sentence = "Nothing lies there, and the journal has no record of such a file."
    elif entry.kind == "folder":
        sentence = "This is a folder; name a file in it. `babeldrop status` shows what waits everywhere."
    elif spot.top == "processing" and spot.job is not None:
        sentence = "It was taken out of the inbox, but there is no record of it; the next start takes care of it."
    else:
        sentence = "The journal has no record of it: babeldrop did not put it there."
    return Told(heading=heading, sentences=[sentence], known=False)
