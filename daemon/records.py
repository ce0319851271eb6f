"""The journal's lines: how one is written, and how a file of them is read and judged.

A line is `{"seq", "at", "job", "event", …, "synced", "crc"}`. `synced` is the highest seq known durable when
the line was written; `crc` is the CRC-32 of the line up to it. The first line is the header (`opened`): the
ids of state and root, and how many of the lines behind it a compaction kept, all durable by then.
"""

import contextlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.clock import moment
from daemon.job import Event, IllegalMoveError, Job, apply

SCHEMA = 1
BOOKKEEPING = frozenset({"seq", "at", "job", "event", "synced", "crc"})
_TAIL = len(',"crc":"00000000"}')
# Lines, also where the end of one is damaged and the next stands right behind it.
_LINES = re.compile(rb'\n|(?=\{"seq":)')


def encode(seq: int, at: str, job: str | None, event: str, data: Mapping[str, Any], synced: int) -> bytes:
    """One line with its end of line. Names that are no UTF-8 survive as escapes."""
    line = {"seq": seq, "at": at, "job": job, "event": event, **data, "synced": synced}
    body = json.dumps(line, separators=(",", ":"), ensure_ascii=True).encode()[:-1]
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of one line without its end, or None when it is not whole."""
    body = line[:-_TAIL]
    if line[len(body) :] != b',"crc":"%08x"}' % zlib.crc32(body):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("seq"), int) else None


def line(record: Mapping[str, Any]) -> bytes:
    """The line of a record that was read, byte for byte."""
    return encode(record["seq"], record["at"], record["job"], record["event"], _data(record), record["synced"])


def event_of(record: Mapping[str, Any]) -> Event:
    """The job's event in a record."""
    return Event(
        seq=record["seq"], at=moment(record["at"]), job=record["job"], name=record["event"], data=_data(record)
    )


def _data(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in BOOKKEEPING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """Records that were once durable and cannot be read: nobody knows what was paid."""

    line: int
    offset: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a journal's bytes say: its header, its whole records, where they end, and what is wrong behind."""

    header: Mapping[str, Any] | None
    records: list[dict[str, Any]]
    whole: int
    damage: Damage | None

    @property
    def last_seq(self) -> int:
        seqs = [record["seq"] for record in self.records]
        if self.header:
            seqs.append(self.header["seq"])
        return max(seqs, default=0)


def read(data: bytes) -> Reading:
    """Take the longest valid prefix; a rest that no later valid line calls synced is a torn tail.

    Damage is a bad line below a `synced` mark, or among those that a compaction kept.
    """
    header: dict[str, Any] | None = None
    records: list[dict[str, Any]] = []
    offset = 0
    number = 0
    expected = 0
    while offset < len(data):
        end = data.find(b"\n", offset)
        record = decode(data[offset:end]) if end >= 0 else None
        kept = header is not None and number <= header["kept"]
        if record is None or not _follows(record, expected, first=number == 0, kept=kept):
            damage = _judge(data, offset, number, expected, header)
            return Reading(header=header, records=records, whole=offset, damage=damage)
        if number == 0:
            header = record
            expected = record["seq"] + 1
        else:
            records.append(record)
            expected = max(expected, record["seq"] + 1)
        number += 1
        offset = end + 1
    missing = header is not None and number - 1 < header["kept"]
    damage = Damage(line=number + 1, offset=offset, why="lines that a compaction kept are missing")
    return Reading(header=header, records=records, whole=offset, damage=damage if missing else None)


def _follows(record: Mapping[str, Any], expected: int, *, first: bool, kept: bool) -> bool:
    if first:
        return record["event"] == "opened" and "kept" in record
    return kept or record["seq"] == expected


def _judge(data: bytes, offset: int, number: int, expected: int, header: Mapping[str, Any] | None) -> Damage | None:
    """Whether the bad line at `offset` was once durable."""
    if header is None:
        return Damage(line=1, offset=0, why="the header line is damaged") if b"\n" in data else None
    if number <= header["kept"]:
        return Damage(line=number + 1, offset=offset, why="the line cannot be read")
    later = filter(None, map(decode, _LINES.split(data[offset:])))
    if any(record["synced"] >= expected for record in later):
        return Damage(
            line=number + 1,
            offset=offset,
            why="the line cannot be read, and later lines say that it was durable",
        )
    return None


def fold(records: Iterable[Mapping[str, Any]]) -> dict[str, Job]:
    """All jobs of the records; a record seen before (same job and seq) changes nothing.

    Raises IllegalMoveError with the seq of the record that cannot be.
    """
    jobs: dict[str, Job] = {}
    seen: dict[str, int] = {}
    for record in records:
        job = record["job"]
        if job is None or record["seq"] <= seen.get(job, 0):
            continue
        try:
            jobs[job] = apply(jobs.get(job), event_of(record))
        except (IllegalMoveError, KeyError, TypeError, ValueError) as error:
            raise IllegalMoveError(f"record {record['seq']}: {error!r}") from error
        seen[job] = record["seq"]
    return jobs


def fold_what_can_be(records: Iterable[Mapping[str, Any]]) -> dict[str, Job]:
    """As `fold`, of records in any order; a job whose events make no sense is left out."""
    by_job: dict[str, list[Mapping[str, Any]]] = {}
    for record in sorted(records, key=lambda record: int(record["seq"])):
        by_job.setdefault(record["job"], []).append(record)
    jobs: dict[str, Job] = {}
    for own in by_job.values():
        with contextlib.suppress(IllegalMoveError):
            jobs |= fold(own)
    return jobs
