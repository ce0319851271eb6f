"""The journal's lines: what survives the trip, what counts as torn, what counts as damage."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import records
from daemon.clock import stamp
from daemon.job import IllegalMoveError, State
from tests import lives
from tests.lives import START, Step, accepted, claimed, event, lived, submitting

JOB = "01hzy0000000000a"
OTHER = "01hzy0000000000b"
AT = stamp(START)

texts = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20)
names_in_data = st.text(min_size=1, max_size=10).filter(lambda key: key not in records.BOOKKEEPING)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def header(seq: int = 1, kept: int = 0) -> bytes:
    ids = {"schema": records.SCHEMA, "state": "s1", "root": "r1", "kept": kept}
    return records.encode(seq, AT, None, "opened", ids, seq)


def lines_of(steps: Sequence[Step], first: int = 2, *, job: str = JOB, batch: int = 1) -> list[bytes]:
    """The lines of a life, written one by one or `batch` at a time."""
    lines = []
    for number, (name, data) in enumerate(steps):
        synced = first + number // batch * batch - 1
        lines.append(records.encode(first + number, AT, job, name, data, synced))
    return lines


WHOLE = [header(), *lines_of(lives.DELIVERED_LIFE)]

# -- one line -------------------------------------------------------------------------------------------------------


@given(st.integers(1, 2**53), st.none() | texts, texts, st.dictionaries(names_in_data, values), st.integers(0, 2**53))
@settings(max_examples=150, deadline=None)
def test_round_trip(seq: int, job: str | None, name: str, data: dict[str, Any], synced: int) -> None:
    """A line gives back what was written, names that are no UTF-8 too, and can be written again as it was."""
    line = records.encode(seq, AT, job, name, data, synced)
    record = records.decode(line[:-1])

    assert line.isascii()
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert record is not None
    expected = {"seq": seq, "at": AT, "job": job, "event": name, **data, "synced": synced}
    assert {key: value for key, value in record.items() if key != "crc"} == expected
    assert records.line(record) == line


def test_a_line_is_plain_json() -> None:
    """Anybody can read it, and sees the bookkeeping in its order."""
    line = records.encode(7, AT, JOB, "accepted", {"part": 0, "ref": "r\udcff0"}, 6)
    found = json.loads(line)

    assert list(found) == ["seq", "at", "job", "event", "part", "ref", "synced", "crc"]
    assert found["ref"] == "r\udcff0"


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_decode_takes_nothing_else(line: bytes) -> None:
    """Foreign bytes are no record, whatever they look like."""
    assert records.decode(line) is None
    assert records.decode(b"\x00" * len(line)) is None


def test_every_flipped_bit_of_a_line_is_noticed() -> None:
    """No single changed bit of a record passes."""
    line = WHOLE[2][:-1]
    passed = [
        (at, bit)
        for at in range(len(line))
        for bit in range(8)
        if records.decode(line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :]) is not None
    ]

    assert passed == []


# -- a file ---------------------------------------------------------------------------------------------------------


def test_a_whole_file() -> None:
    """Everything is read, and the last seq is known."""
    reading = records.read(b"".join(WHOLE))

    assert reading.damage is None
    assert reading.header is not None
    assert (reading.header["state"], reading.header["root"]) == ("s1", "r1")
    assert [record["event"] for record in reading.records] == [name for name, _ in lives.DELIVERED_LIFE]
    assert (reading.whole, reading.last_seq) == (len(b"".join(WHOLE)), len(WHOLE))


def test_cut_at_every_byte() -> None:
    """A file that ends anywhere is its whole lines and a torn tail, never damage."""
    data = b"".join(WHOLE)
    ends = [len(b"".join(WHOLE[:count])) for count in range(len(WHOLE) + 1)]
    for length in range(len(data)):
        reading = records.read(data[:length])
        whole = max(end for end in ends if end <= length)

        assert (reading.damage, reading.whole) == (None, whole), length
        assert len(reading.records) == max(0, ends.index(whole) - 1)


@pytest.mark.parametrize(
    "tail", [b"\0" * 4096, b"garbage", b"\n", b"\n\n\n", b'{"seq":10}\n', b"\xff\n\0{", b'{"seq":']
)
def test_garbage_behind_the_end(tail: bytes) -> None:
    """What a file system may leave behind the last line (zeros, an old block) is a torn tail."""
    data = b"".join(WHOLE)
    reading = records.read(data + tail)

    assert (reading.damage, reading.whole, len(reading.records)) == (None, len(data), len(WHOLE) - 1)


def test_an_old_line_behind_the_end() -> None:
    """A line of an earlier file in a block that was used again does not follow, so it is torn as well."""
    data = b"".join(WHOLE)
    reading = records.read(data + WHOLE[3])

    assert (reading.damage, reading.whole) == (None, len(data))


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_a_flipped_byte_below_a_synced_mark(flip: int) -> None:
    """Every byte of every line but the last, its end of line too: the start stops, and names that line."""
    data = b"".join(WHOLE)
    wrong = []
    for at in range(len(data) - len(WHOLE[-1])):
        number = data.count(b"\n", 0, at) + 1
        damage = records.read(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]).damage
        if damage is None or damage.line != number:
            wrong.append((at, number, damage))

    assert wrong == []


def test_a_flipped_byte_in_the_last_line() -> None:
    """No later line says that it was durable: it is torn."""
    data = b"".join(WHOLE)
    last = len(data) - len(WHOLE[-1])
    for at in range(last, len(data)):
        reading = records.read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

        assert (reading.damage, reading.whole) == (None, last)


def test_a_hole_in_one_batch_is_torn() -> None:
    """Lines that were written together say nothing about each other; from the first bad one on all are torn."""
    lines = [header(), *lines_of(lives.DELIVERED_LIFE[:6], batch=6)]
    data = b"".join([*lines[:3], b"\0" * len(lines[3]), *lines[4:]])
    reading = records.read(data)

    assert (reading.damage, reading.whole, len(reading.records)) == (None, len(b"".join(lines[:3])), 2)


def test_a_missing_line_is_damage() -> None:
    """Numbers that skip mean that somebody took a line out."""
    damage = records.read(b"".join(WHOLE[:3] + WHOLE[4:])).damage

    assert damage is not None
    assert (damage.line, damage.offset) == (4, len(b"".join(WHOLE[:3])))


def _compacted() -> list[bytes]:
    """Two lines kept with their old numbers, then new ones."""
    kept = [*lines_of([claimed()], 5), *lines_of([submitting()], 17)]
    return [header(40, kept=2), *kept, *lines_of([accepted()], 41)]


def test_after_a_compaction() -> None:
    """Kept lines have older numbers than the header; what follows goes on from the header's."""
    reading = records.read(b"".join(_compacted()))

    assert reading.damage is None
    assert [record["seq"] for record in reading.records] == [5, 17, 41]
    assert (reading.last_seq, records.fold(reading.records)[JOB].state) == (41, State.IN_FLIGHT)


def test_kept_lines_are_never_torn() -> None:
    """They were durable before the file had its name: bad or missing ones are damage, even at the end."""
    lines = _compacted()[:3]
    for count, number in ((1, 2), (2, 3)):
        damage = records.read(b"".join(lines[:count])).damage

        assert damage is not None
        assert damage.line == number
    at = len(b"".join(lines)) - 30
    data = b"".join(lines)
    flipped = records.read(data[:at] + b"\xff" + data[at + 1 :]).damage

    assert flipped is not None
    assert flipped.line == 3


@given(st.lists(st.binary(max_size=30) | st.sampled_from(WHOLE) | st.sampled_from(_compacted()), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read(pieces: list[bytes]) -> None:
    """Whatever lies in the file, reading it answers, and what it calls whole reads as whole again."""
    data = b"".join(pieces)
    reading = records.read(data)
    again = records.read(data[: reading.whole])

    assert 0 <= reading.whole <= len(data)
    assert (again.records, again.whole) == (reading.records, reading.whole)


# -- the fold -------------------------------------------------------------------------------------------------------


def _records(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    return [record for record in map(records.decode, (line[:-1] for line in lines)) if record]


def test_events_are_as_they_were() -> None:
    """The event of a record is the one that was written, without the bookkeeping."""
    step = accepted(ref="ünïcode", cost=1.5)
    (record,) = _records([records.encode(9, stamp(event(step, 9).at), JOB, *step, 8)])

    assert records.event_of(record) == event(step, 9)


@given(st.lists(st.integers(0, 7), max_size=20))
@settings(max_examples=60, deadline=None)
def test_a_repeated_record_is_harmless(again: list[int]) -> None:
    """After a crash some lines stand twice: folded in the order of their numbers they change nothing."""
    once = _records(lines_of(lives.DELIVERED_LIFE))
    twice = sorted([*once, *(once[index] for index in again)], key=lambda record: int(record["seq"]))

    assert records.fold(twice) == records.fold(once)
    assert records.fold_what_can_be(reversed(twice)) == records.fold(once)


def test_jobs_do_not_mix() -> None:
    """Each job folds by itself, whatever stands between its lines; notes belong to none."""
    lines = [*lines_of(lives.PAID_LIFE), *lines_of(lives.DELIVERED_LIFE, job=OTHER)]
    lines = [val for pair in zip(lines[:5], lines[5:10], strict=True) for val in pair]
    note = records.encode(99, AT, None, "rooted", {}, 1)
    jobs = records.fold(_records([note, *lines]))

    assert (jobs[JOB].state, jobs[OTHER].state) == (State.CLOSED, State.BANKED)
    assert jobs.keys() == {JOB, OTHER}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (lines_of([claimed(), accepted()]), "record 3: .*accepted for part 0, which is new"),
        (lines_of([submitting()]), "record 2: .*never claimed"),
        (lines_of([("claimed", {"provider": "azure"})]), "record 2: KeyError"),
        (lines_of([claimed(), ("submitting", {**submitting()[1], "part": "x"})]), "record 3: TypeError"),
        ([records.encode(2, "yesterday", JOB, *claimed(), 1)], "record 2: ValueError"),
    ],
)
def test_what_cannot_be_names_its_record(lines: list[bytes], words: str) -> None:
    """A fold that makes no sense is told with the number of the line's record."""
    with pytest.raises(IllegalMoveError, match=words):
        records.fold(_records(lines))


def test_folding_what_can_be() -> None:
    """A job whose line is missing is left out whole, and nobody else with it."""
    broken = [line for line in lines_of(lives.PAID_LIFE) if b'"event":"submitting"' not in line]
    whole = lines_of(lives.DELIVERED_LIFE, 20, job=OTHER)

    assert records.fold_what_can_be(_records([*broken, *whole])).keys() == {OTHER}


def test_the_life_is_the_same_as_in_memory() -> None:
    """Written and read again, a job is what the fold of its events is."""
    lines = [
        records.encode(seq, stamp(event(step, seq).at), JOB, *step, seq - 1)
        for seq, step in enumerate(lives.PAID_LIFE, start=1)
    ]

    assert records.fold(_records(lines)) == {JOB: lived(lives.PAID_LIFE)}
