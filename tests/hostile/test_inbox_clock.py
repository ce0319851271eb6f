"""Times that lie, on files and on the wall: they are shown, and decide nothing about a drop."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon import disk, intake, names
from daemon.clock import SystemClock, moment, stamp
from daemon.stability import Signature
from tests.builders import in_memory
from tests.clocks import FakeClock
from tests.hostile.inbox import TEXT, Line

DECADE = 10 * 365.25 * 86400


YEARS = {
    "1601": -11_644_473_600,
    "1901": -2_147_483_648,
    "1970": 0,
    "the end of 32 bits": 2_147_483_647,
    "2106": 4_294_967_296,
    "in ten years": 2_085_000_000,
    "2400": 13_569_465_600,
}


@pytest.mark.parametrize("year", YEARS)
def test_the_time_of_a_file_is_only_a_sign_of_change(tmp_path: Path, year: str) -> None:
    """From whatever year, it rests as long as any other, and is delivered; another start reads its record."""
    with Line(tmp_path) as line:
        line.start()
        drop = line.drop("acme/fr/report.txt")
        os.utime(drop, (YEARS[year], YEARS[year]))
        line.scan()
        line.clock.advance(0.9)
        assert line.scan() == 0
        line.clock.advance(0.1)
        assert line.scan() == 1
        (job,) = line.jobs
        assert job.mtime_ns == os.stat(line.root / f"processing/acme/fr/{job.id}/report.txt").st_mtime_ns
    with Line(tmp_path) as line:
        line.start()
        line.live(10)

        assert line.files("outbox") == {"acme/fr/report.txt": TEXT}
        assert line.codes == {}


@pytest.mark.parametrize("year", ["1601", "2400"])
def test_a_time_that_is_set_anew_is_a_change(line: Line, year: str) -> None:
    """Programs that copy set the time at the end: the rest begins there."""
    drop = line.drop("acme/fr/report.txt")
    line.scan()
    line.clock.advance(0.9)
    os.utime(drop, (YEARS[year], YEARS[year]))
    assert line.scan() == 0
    line.clock.advance(0.9)
    assert line.scan() == 0
    line.clock.advance(0.1)

    assert line.scan() == 1


@pytest.mark.parametrize("seconds", [1, 2])
def test_a_coarse_clock_of_the_server_loses_no_change(
    line: Line, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Where all writes of two seconds show one time, the size and the two looks of the upload tell them apart."""
    grain = seconds * 1_000_000_000
    real, seen = intake.signature_of, disk.fstat

    def coarse(found: os.stat_result) -> Signature:
        one = real(found)
        return Signature(one.size, one.mtime_ns // grain * grain, one.mtime_ns // grain * grain, one.inode)

    monkeypatch.setattr(intake, "signature_of", coarse)
    monkeypatch.setattr("daemon.reconcile.signature_of", coarse)
    drop = line.drop("acme/fr/report.txt")
    line.scan()
    line.clock.advance(0.9)
    drop.write_bytes(TEXT * 2)
    assert line.scan() == 0
    line.clock.advance(1)
    assert line.scan() == 1
    path = next(iter((line.root / "processing").rglob("report.txt")))
    still = path.stat()

    def standing(descriptor: int) -> os.stat_result:
        """The server's times never move, whatever is written."""
        shown = list(seen(descriptor))
        # Seconds only, and always the same ones: no field of nanoseconds is left.
        shown[8:10] = [int(still.st_mtime)] * 2
        return os.stat_result(shown)

    written: list[int] = []

    def write(number: int) -> None:
        if not written:
            written.append(number)
            path.write_bytes(b"SOME text\n" * 2)

    line.service.take(None)
    monkeypatch.setattr(disk, "fstat", standing)
    monkeypatch.setattr(disk, "BLOCK", 4)
    line.service.between = write
    line.live(60)

    assert line.sent == [b"SOME text\n" * 2]
    assert line.kept == line.sent


JUMPS = {"ahead": DECADE, "back": -DECADE, "an hour ahead": 3600.0, "an hour back": -3600.0}


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("when", ["resting", "claimed", "in flight", "ready"])
def test_the_wall_clock_jumps(line: Line, jump: str, when: str) -> None:
    """Nothing is taken earlier or later, nothing is sent twice, nothing fails; only what is shown differs."""
    line.drop("acme/fr/report.txt")
    line.scan()
    if when != "resting":
        line.clock.advance(1)
        line.scan()
    if when in ("in flight", "ready"):
        line.work()
    if when == "ready":
        line.clock.advance(4.9)
        line.work()
    before = line.intake.next_look()
    line.clock.jump(JUMPS[jump])
    if when == "resting":
        line.clock.advance(0.9)
        assert line.scan() == 0
        assert line.intake.next_look() == before
        line.clock.advance(0.1)
        assert line.scan() == 1
    line.live(10)

    assert line.sent == line.kept == [TEXT]
    assert line.files("outbox") == {"acme/fr/report.txt": TEXT}
    assert line.jobs == []
    assert line.codes == {}
    assert line.status["waiting_total"] == 0


@pytest.mark.parametrize("jump", JUMPS)
def test_an_empty_file_has_its_minute_whatever_the_wall_says(line: Line, jump: str) -> None:
    """Waits are counted by a clock that nobody sets."""
    line.drop("acme/fr/empty.txt", b"")
    line.scan()
    line.clock.advance(59)
    line.clock.jump(JUMPS[jump])
    assert line.scan() == 0
    line.clock.advance(1)

    assert line.scan() == 1


@pytest.mark.parametrize("jump", JUMPS)
def test_a_restart_with_another_time(tmp_path: Path, jump: str) -> None:
    """Jobs of before, rests of before and new drops go on in a process that believes in another year."""
    clock = FakeClock()
    with Line(tmp_path, clock=clock) as line:
        line.start()
        line.drop("acme/fr/first.txt")
        line.settle()
        line.work()
        taken = line.sent
        assert taken == [TEXT]
        kept = dict(line.service._taken)
        line.drop("acme/fr/second.txt", b"second\n")
        line.scan()
    later = FakeClock(datetime.fromtimestamp(clock.now().timestamp() + JUMPS[jump], UTC), monotonic=5.0)
    with Line(tmp_path, clock=later) as line:
        line.service._taken.update(kept)
        line.start()
        line.live(20)

        assert line.files("outbox") == {"acme/fr/first.txt": TEXT, "acme/fr/second.txt": b"second\n"}
        assert line.sent == [b"second\n"]
        assert line.jobs == []


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_ids_of_an_impossible_year(year: int) -> None:
    """A machine without a battery still names its jobs, in their order."""
    clock = FakeClock(datetime(year, 12, 30, tzinfo=UTC))
    with in_memory() as base, Line(base, clock=clock) as line:
        line.start()
        for name in "abc":
            line.drop(f"acme/fr/{name}.txt")
        line.settle()

        assert [job.name for job in line.jobs] == ["a.txt", "b.txt", "c.txt"]
        assert all(names.is_job_id(job.id) for job in line.jobs)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("at", ["2026-03-29T00:59:58Z", "2026-10-25T00:59:58Z", "2016-12-31T23:59:58Z"])
def test_summer_time_zones_and_leap_seconds(monkeypatch: pytest.MonkeyPatch, zone: str, at: str) -> None:
    """What is written is UTC, second by second through the change; what waits, waits as long as ever."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        clock = FakeClock(moment(at))
        with in_memory() as base, Line(base, clock=clock) as line:
            line.start()
            line.drop("acme/fr/report.txt")
            line.scan()
            line.clock.advance(1)
            assert line.scan() == 1
            (job,) = line.jobs
            line.live(10)
            text = (base / "state/journal.jsonl").read_text()
            stamps = re.findall(r'"at":"([^"]*)"', text)

            assert job.dropped_at == moment(at)
            assert stamps == sorted(stamps)
            assert all(one.endswith("Z") for one in stamps)
            assert line.files("outbox") == {"acme/fr/report.txt": TEXT}
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_machine_is_asked_for_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the zone of the process, the moment is the same."""
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        apart = (clock.now() - before).total_seconds()
        shown = stamp(clock.now())
    finally:
        monkeypatch.undo()
        time.tzset()

    assert 0 <= apart < 60
    assert shown[:13] >= stamp(before)[:13]
