"""Moves that replace nothing, names that are free, and sidecars beside failed originals.

Everything here works in open folders; which ones they are is the business of `folders`. Every move can be
repeated after a crash: where a file system cannot rename without replacing, a move is a second name and then
the removal of the first (`disk.rename_noreplace`), so both may be found, and only the first has to go.
"""

import contextlib
from collections.abc import Callable

from daemon import disk, names, sidecar

SIDECAR = ".error.json"


def is_same(folder: int, name: str, other_folder: int, other_name: str) -> bool:
    """Whether two names are one file. Shares of several disks may number two files alike, so all they show counts."""
    shown = [disk.lstat(folder, name), disk.lstat(other_folder, other_name)]
    one, other = [(it.st_dev, it.st_ino, it.st_size, it.st_mtime_ns) if it is not None else None for it in shown]
    return one is not None and one == other


def move(source: int, name: str, into: int, to: str) -> bool:
    """Move a file, durably; False when the new name belongs to something else.

    Raises OSError when the move did not happen, or nobody knows whether it is durable.
    """
    try:
        disk.rename_noreplace(source, name, into, to)
    except FileExistsError:
        if not is_same(source, name, into, to):
            return False
        disk.unlink(source, name)
    disk.sync_folder(into)
    disk.sync_folder(source)
    return True


def first_free(base: str, job: str, taken: Callable[[str], bool]) -> str:
    """The first of `name`, `name (2)`, … that is not taken."""
    number = 1
    while taken(name := names.fit(names.numbered(base, number), "", job)):
        number += 1
    return name


def move_to_free(source: int, base: str, into: int, job: str) -> None:
    """Move a file, durably, under the first name that is free."""
    tried: set[str] = set()
    while True:
        name = first_free(base, job, lambda one: one in tried or _is_foreign(source, base, into, one))
        if move(source, base, into, name):
            return
        tried.add(name)


def _is_foreign(source: int, base: str, into: int, name: str) -> bool:
    """Whether the name belongs to another file than the one that is to be moved."""
    return disk.exists(into, name) and not is_same(source, base, into, name)


def put_aside(source: int | None, base: str, into: int, job: str, story: dict[str, object], mode: int) -> str:
    """Write the sidecar, then move the original beside it; returns the original's name there.

    Repeatable after a crash: a sidecar of this job is used again. Without an original (`source` is None, or it
    is not in there) the sidecar stands for itself.
    """
    here = source if source is not None and disk.exists(source, base) else None
    tried: set[str] = set()
    while True:
        name = first_free(base, job, lambda one: one in tried or not _is_usable(here, base, into, one, job))
        if _tell(into, names.sidecar_name(name, job), job, story, mode) and (
            here is None or move(here, base, into, name)
        ):
            disk.sync_folder(into)
            return name
        tried.add(name)


def _is_usable(source: int | None, base: str, into: int, name: str, job: str) -> bool:
    """Whether original and sidecar can have this name: it is free, or it is where this job began to put them.

    A sidecar of this job beside somebody else's file is taken back.
    """
    beside = names.sidecar_name(name, job)
    told = disk.exists(into, beside)
    if told and sidecar_of(into, beside) != job:
        return False
    if source is None:
        return told or not disk.exists(into, name)
    if _is_foreign(source, base, into, name):
        if told:
            disk.unlink(into, beside)
        return False
    return True


def _tell(into: int, beside: str, job: str, story: dict[str, object], mode: int) -> bool:
    """Write the sidecar where it is missing; False when somebody took its name meanwhile."""
    temporary = f".{job}.sidecar"
    if not disk.exists(into, beside):
        disk.write_json(into, temporary, story, mode)
        if not move(into, temporary, into, beside):
            return False
    disk.unlink(into, temporary)
    return True


def sidecar_of(folder: int, name: str) -> str | None:
    """The job of a sidecar that we wrote; None for anything else."""
    try:
        return sidecar.job_of(disk.read_small(folder, name))
    except OSError:
        return None


def forget_sidecar(folder: int, base: str, alive: Callable[[str], bool]) -> None:
    """Remove the sidecar that was written beside a file of this name, unless a file of this name is there.

    That of a job that is `alive` stays: its original is on its way here. A name that is too long for the suffix
    has a sidecar whose name was cut, with its job in it.
    """
    if disk.exists(folder, base):
        return
    candidates = [base + SIDECAR]
    if names.sidecar_name(base, "") != base + SIDECAR:
        candidates = [one for one in disk.names_in(folder) if one.endswith(SIDECAR)]
    for name in candidates:
        job = sidecar_of(folder, name)
        if job is not None and names.sidecar_name(base, job) == name and not alive(job):
            disk.unlink(folder, name)
            disk.sync_folder(folder)


def prune(folder: int, before: float) -> int:
    """Remove the files below a folder whose ctime is before a Unix time; returns how many.

    Folders that may not be read are left alone.
    """
    removed = 0
    for entry in disk.list_folder(folder):
        if entry.kind == "folder":
            with contextlib.suppress(PermissionError), disk.folder(folder, entry.name) as below:
                removed += prune(below, before)
        elif entry.kind == "file" and entry.stat is not None and entry.stat.st_ctime < before:
            disk.unlink(folder, entry.name)
            removed += 1
    return removed
