"""Totals of a process: they only rise, whoever counts at the same time, and never grow by the number of jobs."""

import threading
from pathlib import Path

import pytest

from daemon.errors import TransientError
from daemon.meters import Meter, Tally, outcome
from tests.clocks import FakeClock
from tests.lives import (
    CLOSED,
    DELIVERED,
    DELIVERED_LIFE,
    PUBLISHING,
    accepted,
    banked,
    claimed,
    failed,
    lived,
    ready,
    submitting,
)
from tests.rawserver import RawServer, answer, in_turn
from tests.sessions import Papers, refused_port, session, submit


@pytest.mark.parametrize(
    ("status", "word"),
    [(200, "2xx"), (204, "2xx"), (302, "3xx"), (404, "4xx"), (429, "429"), (503, "5xx"), (None, "none")],
)
def test_outcomes_are_few(status: int | None, word: str) -> None:
    """A class each, 429 apart, and one for no answer at all."""
    assert outcome(status) == word


def test_totals_only_rise_whoever_counts() -> None:
    """Eight threads lose nothing, and nobody sees a total fall."""
    meter = Meter(FakeClock())
    seen: list[int] = []

    def count() -> None:
        for _ in range(2000):
            meter.sent(3)

    workers = [threading.Thread(target=count) for _ in range(8)]
    for one in workers:
        one.start()
    while any(one.is_alive() for one in workers):
        seen.append(meter.up)
    for one in workers:
        one.join()

    assert meter.up == 8 * 2000 * 3
    assert seen == sorted(seen)


def test_only_what_moves_counts_as_moving() -> None:
    """Bytes and good answers do; refusals and silence do not, or a service that only refuses would look alive."""
    clock = FakeClock()
    meter = Meter(clock)
    for status in (None, 404, 429, 500):
        meter.asked("status", status, 0.1)
    moments = [meter.moved_at]
    meter.asked("status", 200, 0.1)
    moments.append(meter.moved_at)
    clock.advance(5)
    meter.received(1)
    moments.append(meter.moved_at)

    assert moments == [None, 1000.0, 1005.0]


def test_requests_are_counted_by_kind_and_outcome(tmp_path: Path) -> None:
    """Of real requests: each once, with the time that its answer took."""
    papers = Papers(tmp_path)
    with RawServer(in_turn(answer(200, {}), answer(429), answer(200, {}))) as good, session(good.origin) as one:
        one.call("status", "GET", "/a")
        one.call("status", "GET", "/b")
        submit(one, papers.original(b"text"))
        requests, seconds = one.meter.requests, one.meter.seconds
    papers.close()

    assert requests == {("status", "2xx"): 1, ("status", "429"): 1, ("submit", "2xx"): 1}
    assert seconds.keys() == {"status", "submit"}
    assert all(0 < spent < 20 for spent in seconds.values())


def test_a_request_without_an_answer_is_counted() -> None:
    """Nobody listens there: that is an outcome, too."""
    with session(f"http://127.0.0.1:{refused_port()}") as one:
        with pytest.raises(TransientError):
            one.call("check", "GET", "/")

        assert one.meter.requests == {("check", "none"): 1}


def test_a_cost_counts_when_its_job_ends() -> None:
    """Until then it may be taken back, and a total cannot fall."""
    tally = Tally()
    life = [
        claimed(),
        submitting(),
        accepted(cost=2.5, unit="credits"),
        ready(),
        banked(),
        PUBLISHING,
        DELIVERED,
        CLOSED,
    ]
    for length in range(1, len(life) + 1):
        tally.changed(lived(life[:length]), 10.0 + length)
        if length < len(life):
            assert tally.costs == {}

    assert tally.costs == {("gpttranslator", "credits"): 2.5}
    assert tally.delivered == {"gpttranslator": 1}
    assert tally.moved("gpttranslator") == 10.0 + len(life)


def test_failures_count_by_code() -> None:
    """With the word of `error.code`."""
    tally = Tally()
    for code in ("drop.type", "drop.type", "provider.failed"):
        tally.changed(lived([claimed(), failed(code), CLOSED]), 0.0)

    assert tally.failed == {("gpttranslator", "drop.type"): 2, ("gpttranslator", "provider.failed"): 1}


def test_totals_go_on_over_a_new_configuration() -> None:
    """A process that takes one opens everything anew, and its counters must not fall."""
    clock = FakeClock()
    meters, tallies = [Meter(clock), Meter(clock)], [Tally(), Tally()]
    for meter in meters:
        meter.sent(5)
        meter.received(7)
        meter.asked("status", 200, 0.5)
    for tally in tallies:
        tally.changed(lived(DELIVERED_LIFE), 1.0)
        tally.changed(lived([claimed(), failed("drop.type"), CLOSED]), 1.0)
        tally.uncertain("gpttranslator")
    tallies[0].scanned(3.0, 4.0)
    meters[1].go_on(meters[0])
    tallies[1].go_on(tallies[0])

    assert (meters[1].up, meters[1].down) == (10, 14)
    assert (meters[1].requests, meters[1].seconds) == ({("status", "2xx"): 2}, {"status": 1.0})
    assert (tallies[1].delivered, tallies[1].uncertain_ones) == ({"gpttranslator": 2}, {"gpttranslator": 2})
    assert tallies[1].failed == {("gpttranslator", "drop.type"): 2}
    assert tallies[1].scan == tallies[0].scan


def test_a_long_life_leaves_no_trace_by_job() -> None:
    """Ten thousand jobs of one provider keep what one keeps."""
    tally, job = Tally(), lived(DELIVERED_LIFE)
    tally.changed(job, 0.0)
    size = sum(len(kept) for kept in vars(tally).values() if hasattr(kept, "__len__"))
    for _ in range(10_000):
        tally.changed(job, 0.0)

    assert sum(len(kept) for kept in vars(tally).values() if hasattr(kept, "__len__")) == size
    assert tally.delivered == {"gpttranslator": 10_001}
