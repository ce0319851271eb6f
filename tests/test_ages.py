"""How old a submission is: by the time that passed, whatever somebody does to the wall clock."""

import json
import os
from datetime import datetime
from pathlib import Path

import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemon import config
from daemon.app import App
from daemon.job import Job
from daemon.polling import Polls
from daemon.providers.base import Running
from daemon.workshop import part_key
from tests.builders import PROVIDER, Bench, in_memory
from tests.clocks import FakeClock
from tests.lives import accepted, submitting

_YEARS = 10 * 365 * 86_400.0


def _in_flight(bench: Bench) -> Job:
    """A job whose only part was submitted this moment."""
    bench.start()
    bench.drop(f"{PROVIDER}/fr/text.txt")
    bench.settle(61.0)
    (job,) = bench.jobs
    for name, data in (submitting(), accepted()):
        bench.shop.journal.append(job.id, name, **data)
    return bench.jobs[0]


@given(jump=st.floats(-_YEARS, _YEARS), passed=st.floats(0.0, 1e6))
def test_a_wall_clock_that_jumps_makes_nothing_older_or_younger(jump: float, passed: float) -> None:
    """An age is the monotonic time since the submission, as long as the process lives."""
    with in_memory() as base, Bench(base) as bench:
        key = part_key(_in_flight(bench).id, 0)
        bench.clock.jump(jump)
        bench.clock.advance(passed)

        assert abs(bench.shop.age(key) - passed) < 0.01


def test_a_wall_clock_that_jumps_passes_no_deadline(tmp_path: Path) -> None:
    """A service that says still running keeps its job, although the date is ten years later."""
    with Bench(tmp_path) as bench:
        job = _in_flight(bench)
        desk = bench.shop.desks[PROVIDER]
        desk.provider.poll = lambda refs: {ref: Running(word="working") for ref in refs}  # type: ignore[method-assign]  # it says so for ever
        bench.clock.jump(_YEARS)
        Polls(bench.shop).run(desk, [part_key(job.id, 0)])

        assert bench.jobs[0].state == "in_flight"

        bench.clock.advance(desk.settings.deadline)
        Polls(bench.shop).run(desk, [part_key(job.id, 0)])

        assert bench.jobs[0].error is not None
        assert bench.jobs[0].error["code"] == "deadline.passed"


class _Setting(FakeClock):
    """Somebody sets the wall clock whenever it was asked."""

    def now(self) -> datetime:
        self.jump(_YEARS)
        return super().now()


def test_a_wall_clock_that_jumps_while_a_submission_is_recorded(tmp_path: Path) -> None:
    """What was submitted this moment is new, however far the clock moves before the record is complete."""
    with Bench(tmp_path, _Setting()) as bench:
        job = _in_flight(bench)

        assert bench.shop.age(part_key(job.id, 0)) == 0.0


def test_after_a_start_an_age_goes_on_from_the_stored_time(tmp_path: Path) -> None:
    """A restart makes no submission young again."""
    with Bench(tmp_path) as bench:
        key = part_key(_in_flight(bench).id, 0)
        clock = bench.clock
        clock.advance(100.0)
    clock.advance(50.0)
    with Bench(tmp_path, clock) as again:
        assert abs(again.shop.age(key) - 150.0) < 0.01


def test_what_was_never_submitted_has_no_age(tmp_path: Path) -> None:
    """Nor has a job that has ended: nothing of it is kept."""
    with Bench(tmp_path) as bench:
        job = _in_flight(bench)
        key = part_key(job.id, 0)
        bench.clock.advance(5.0)

        assert bench.shop.age(part_key("0000000000000001", 0)) == 0.0
        assert bench.shop.age(key) == 5.0

        bench.shop.journal.append(job.id, "failed", error={"code": "deadline.passed", "stage": "poll"})
        bench.shop.journal.append(job.id, "closed")

        assert bench.shop.age(key) == 0.0


def test_housekeeping_removes_nothing_while_the_clock_is_in_doubt(tmp_path: Path) -> None:
    """A wall clock that was set to another year makes no archive old; only a new start trusts it."""
    clock = FakeClock()
    old = tmp_path / "share/archive" / PROVIDER / "fr/old.txt"
    entry: dict[str, object] = {"kind": "gpttranslator", "api_key": "a-key-of-the-tests", "languages": ["fr"]}
    entry |= {"base_url": "http://127.0.0.1:9", "options": {"model": "m"}, "source_language": "en"}
    places: dict[str, object] = {"root": f"{tmp_path}/share", "state": f"{tmp_path}/state", "archive_for": "30d"}
    (tmp_path / "config.yaml").write_text(json.dumps({**places, "providers": {PROVIDER: entry}}))
    kept = []
    for jump in (_YEARS, 0.0):
        app = App(config.load(tmp_path / "config.yaml"), clock, structlog.get_logger())
        app.shop.folders.create({PROVIDER: ["fr"]})
        if not old.exists():
            old.parent.mkdir(parents=True)
            old.write_bytes(b"an original\n")
            put_there = clock.now().timestamp()
            os.utime(old, (put_there, put_there))
        clock.jump(jump)
        app._keep_house()
        kept.append(old.exists())
        app.house.close()

    assert kept == [True, False]
