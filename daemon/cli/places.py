"""Which file below the root somebody means, and what lies there; nothing is followed through a link."""

import contextlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from daemon import disk, names, sidecar
from daemon.errors import ShareAwayError
from daemon.folders import MARKER, Place, read_marker
from daemon.job import Job

TOPS = ("inbox", "processing", "outbox", "failed", "archive")
_MOST_NUMBERED = 50
_MOST_LOOKED_AT = 50_000
_MOST_LEVELS = 32
_NUMBER = re.compile(r" \([0-9]+\)(?=(\.[A-Za-z0-9]{1,16})?\Z)")
_SIDECAR = ".error.json"
_END = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """A path below the root, taken apart; without a place when it lies in no language folder."""

    path: str
    top: str
    place: Place | None
    job: str | None = None
    """The job that a path in `processing/` names."""


def spot_of(path: str) -> Spot:
    """The parts of a path below the root."""
    top, *steps = path.split("/")
    job = None
    if top == "processing" and len(steps) > 3 and names.is_job_id(steps[2]):
        job = steps.pop(2)
    place = None
    if len(steps) > 2:
        place = Place(provider=steps[0], folder=steps[1], name=os.path.join(*steps[2:]))
    return Spot(path=path, top=top, place=place, job=job)


def below_root(root: str, given: str) -> Spot | None:
    """What somebody means by a path: absolute, from here, or from the root; None when it leads elsewhere.

    Links above the file's own name are the reader's affair, so the path counts as it is spelled and as it leads.
    """
    spelled = os.path.abspath(given)
    leads = os.path.join(os.path.realpath(os.path.dirname(spelled)), os.path.basename(spelled))
    for path in (spelled, leads):
        for base in (root, os.path.realpath(root)):
            if path.startswith(base.rstrip("/") + "/"):
                return spot_of(os.path.relpath(path, base))
    from_root = os.path.normpath(given)
    return spot_of(from_root) if from_root.split("/")[0] in TOPS else None


@contextlib.contextmanager
def opened(root: str) -> Iterator[int]:
    """The root, where it shows that it is one. Raises ShareAwayError."""
    try:
        descriptor = disk.open_root(root)
    except OSError as error:
        raise ShareAwayError(f"{root}: {error.strerror}") from error
    try:
        if read_marker(descriptor) is None:
            raise ShareAwayError(f"{root} has no marker ({MARKER}): the share is away, or no daemon has been here")
        yield descriptor
    finally:
        disk.close(descriptor)


def entry_at(root: int, path: str) -> disk.Entry | None:
    """What lies at a path below an open root; None when nothing does. Raises OSError."""
    base = os.path.basename(path)
    try:
        with disk.folder(root, os.path.dirname(path)) as folder:
            return disk.Entry(base, disk.lstat(folder, base)) if disk.exists(folder, base) else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def there(root: str, path: str) -> bool | None:
    """Whether something lies at a path below the root; None when that cannot be seen."""
    try:
        with opened(root) as top:
            return entry_at(top, path) is not None
    except (ShareAwayError, OSError):
        return None


def is_called(path: str, given: str) -> bool:
    """Whether somebody can mean a path by a name or by the end of a path, as it is or as it is shown."""
    return f"/{path}".endswith(f"/{given}") or f"/{names.shown(path)}".endswith(f"/{given}")


def drops(root: int, given: str) -> list[str]:
    """The files in the inboxes that are called so, by path below the root; a very full inbox is not searched to
    its end.
    """
    left = itertools.repeat(None, _MOST_LOOKED_AT)
    with contextlib.suppress(OSError):
        return [path for path in _files(root, "inbox", 0, left) if is_called(path, given)]
    return []


def _files(parent: int, path: str, level: int, left: Iterator[None]) -> Iterator[str]:
    """Every file below a folder that can be looked into, as long as something is left of the patience."""
    with disk.folder(parent, os.path.basename(path)) as here:
        for entry in disk.list_folder(here):
            if next(left, _END) is _END:
                return
            below = os.path.join(path, entry.name)
            if entry.kind == "folder" and level < _MOST_LEVELS:
                with contextlib.suppress(OSError):
                    yield from _files(here, below, level + 1, left)
            else:
                yield below


# -- failed originals and their sidecars --------------------------------------------------------------------


def may_be_sidecar(name: str) -> bool:
    """Whether it is worth to look into a file whether it is one."""
    return name.endswith(_SIDECAR)


def note_at(folder: int, name: str) -> dict[str, Any] | None:
    """What a sidecar of ours says; None for anything else."""
    with contextlib.suppress(OSError):
        data = disk.read_small(folder, name)
        if sidecar.job_of(data) is not None:
            return dict(json.loads(data))
    return None


def original_of(folder: int, name: str) -> str:
    """The original beside a sidecar; the name itself when it is no sidecar of ours."""
    note = note_at(folder, name) if may_be_sidecar(name) else None
    if note is None:
        return name
    plain = name.removesuffix(_SIDECAR)
    if disk.exists(folder, plain):
        return plain
    # The name was too long for its suffix and is cut in the sidecar's.
    cut = (entry.name for entry in disk.list_folder(folder) if names.sidecar_name(entry.name, note["job"]) == name)
    return next(cut, plain)


def failed_as(root: str, job: Job) -> str | None:
    """The path in `failed/` of a job's original, told by its sidecar; None when it is not there."""
    place = Place(provider=job.provider, folder=job.folder, name=job.name)
    failed = place.within("failed")
    with contextlib.suppress(ShareAwayError, OSError), opened(root) as top, disk.folder(top, failed) as here:
        for number in range(1, _MOST_NUMBERED):
            name = names.fit(names.numbered(place.base, number), "", job.id)
            note = note_at(here, names.sidecar_name(name, job.id))
            if note is not None and note["job"] == job.id and disk.exists(here, name):
                return os.path.join(failed, name)
    return None


# -- whose file it is ---------------------------------------------------------------------------------------


def jobs_at(spot: Spot, jobs: Iterable[Job], named: str | None) -> list[Job]:
    """The jobs that a spot can belong to: the one that path or sidecar name, then the newest."""
    place = spot.place
    if place is None:
        return []
    jobs = list(jobs)
    found = [job for job in jobs if (job.provider, job.folder) == (place.provider, place.folder)]
    if spot.top == "outbox":
        result = (place.sub, place.base)
        found = [job for job in found if (os.path.dirname(job.name), job.published) == result]
    else:
        # What was put aside got a number where its name was taken.
        either = {place.name, _NUMBER.sub("", place.name)} if spot.top in ("failed", "archive") else {place.name}
        found = [job for job in found if job.name in either]
    found += [job for job in jobs if job.id == named and job not in found]
    return sorted(found, key=lambda job: (job.id == named, job.id), reverse=True)
