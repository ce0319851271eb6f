"""What a compaction moved out of the journal: `<state>/history/`, each month a file of the journal's own lines."""

import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from daemon import disk, records
from daemon.job import IllegalMoveError, Job, apply

_FOLDER = "history"
_SUFFIX = ".jsonl"
_BLOCK = 1 << 20


def months(state: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each month (`2026-01`) with what reads its lines."""
    for month, path in _files(state):
        yield month, partial(disk.read_own, path)


def _files(state: str) -> Iterator[tuple[str, str]]:
    past = os.path.join(state, _FOLDER)
    for name in disk.names(past) if disk.is_there(past) else []:
        if name.endswith(_SUFFIX):
            yield name.removesuffix(_SUFFIX), os.path.join(past, name)


def knows(state: str, job: str) -> bool:
    """Whether a job stands in the history. Reads all of it, so it is for rare questions."""
    told = b'"job":' + json.dumps(job).encode()
    return any(told in data() for _, data in months(state))


def ended(state: str, since: str = "", without: Container[str] = frozenset()) -> Iterator[Job]:
    """The jobs of all months from `since` (`2026-01`, by UTC) on, each once, in the order of its file.

    `without` are the ids of jobs that are known already. Only the jobs that a file is in the middle of are held in
    memory, and the ids of those that were told. What cannot be read is left out.
    """
    told: set[str] = set()
    for month, path in sorted(_files(state)):
        if month < since:
            continue
        begun: dict[str, tuple[Job, int]] = {}
        for record in filter(None, map(records.decode, _lines(path))):
            name = record["job"]
            if name in told or name in without:
                continue
            job = _after(begun, record)
            if job is not None and not job.alive:
                told.add(name)
                yield job


def _after(begun: dict[str, tuple[Job, int]], record: Mapping[str, Any]) -> Job | None:
    """A job after one more record of it; what was seen before, in a repeated tail, changes nothing."""
    job, seq = begun.pop(record["job"], (None, 0))
    if record["seq"] > seq:
        try:
            job, seq = apply(job, records.event_of(record)), record["seq"]
        except (IllegalMoveError, KeyError, TypeError, ValueError):
            # Its beginning is missing here; where a crash tore it off the whole follows.
            return None
    if job is not None and job.alive:
        begun[job.id] = (job, seq)
    return job


def _lines(path: str) -> Iterator[bytes]:
    """The lines of a file without their ends, read block by block."""
    descriptor = disk.open_own(path)
    try:
        rest, offset = b"", 0
        while block := disk.read(descriptor, _BLOCK, offset):
            offset += len(block)
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
        if rest:
            yield rest
    finally:
        disk.close(descriptor)


def add(state: str, gone: Iterable[Mapping[str, Any]], jobs: Mapping[str, Job]) -> None:
    """Append the records of ended jobs to the months in which they ended; durable on return."""
    lines: dict[str, list[bytes]] = {}
    for record in gone:
        lines.setdefault(f"{jobs[record['job']].last_at:%Y-%m}", []).append(records.line(record))
    if not lines:
        return
    parent = disk.open_root(state)
    try:
        with disk.folder_made(parent, _FOLDER, 0o700) as past:
            for month, told in lines.items():
                _append(os.path.join(state, _FOLDER, f"{month}{_SUFFIX}"), b"".join(told))
            disk.sync_folder(past)
    finally:
        disk.close(parent)


def _append(path: str, lines: bytes) -> None:
    descriptor = disk.append_to(path)
    try:
        disk.write(descriptor, _missing_end(descriptor) + lines)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)


def _missing_end(descriptor: int) -> bytes:
    """An end of line, should a crash have left the file without one."""
    size = disk.fstat(descriptor).st_size
    return b"\n" if size and disk.read(descriptor, 1, size - 1) != b"\n" else b""
