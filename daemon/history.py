"""What a compaction moved out of the journal: `<state>/history/`, each month a file of the journal's own lines."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from daemon import disk, records
from daemon.job import Job

_FOLDER = "history"
_SUFFIX = ".jsonl"


def months(state: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each month (`2026-01`) with what reads its lines."""
    past = os.path.join(state, _FOLDER)
    for name in disk.names(past) if disk.is_there(past) else []:
        if name.endswith(_SUFFIX):
            yield name.removesuffix(_SUFFIX), partial(disk.read_own, os.path.join(past, name))


def knows(state: str, job: str) -> bool:
    """Whether a job stands in the history. Reads all of it, so it is for rare questions."""
    told = b'"job":' + json.dumps(job).encode()
    return any(told in data() for _, data in months(state))


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
