"""Who has made progress since the last time: the decision alone, and the signs that real threads give."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from daemon import disk, vitals
from daemon.clock import SystemClock
from daemon.liveness import Sign, still_owing
from daemon.pulse import Pulse
from tests.e2e.site import wait_for

if TYPE_CHECKING:
    from daemon.desks import Desk


@pytest.mark.parametrize(
    ("before", "now", "owes"),
    [
        pytest.param(Sign(turns=3, owes_turn=True), Sign(turns=3, owes_turn=True), True, id="woken, and no turn"),
        pytest.param(Sign(turns=3, owes_turn=True), Sign(turns=4, owes_turn=True), False, id="a turn ended"),
        pytest.param(Sign(owes_turn=True), Sign(owes_turn=True, at="here"), False, id="a turn began"),
        pytest.param(Sign(owes_turn=True, at="here"), Sign(owes_turn=True, at="there"), False, id="a turn moves"),
        pytest.param(Sign(owes_turn=True, at="here"), Sign(owes_turn=True, at="here"), True, id="a turn stands"),
        pytest.param(
            Sign(owes_turn=True, at="here"), Sign(owes_turn=True, at="here", elsewhere=True), False, id="in a share"
        ),
        pytest.param(Sign(), Sign(), False, id="nothing to do"),
        pytest.param(Sign(at="here"), Sign(at="here"), True, id="a step stands"),
        pytest.param(Sign(at="here"), Sign(at="there"), False, id="a step moves"),
        pytest.param(Sign(at="here"), Sign(), False, id="a step ended"),
        pytest.param(Sign(at="queued"), Sign(at="queued"), True, id="nobody takes what is queued"),
        pytest.param(Sign(at="here"), Sign(at="here", elsewhere=True), False, id="a service is asked"),
    ],
)
def test_progress_is_told_from_two_signs(before: Sign, now: Sign, owes: bool) -> None:
    """A helper owes a sign until it has ended a turn, moved, run out of work, or waits for somebody else."""
    assert bool(still_owing({"helper": before}, {"helper": now})) is owes


def test_helper_that_is_gone_owes_nothing() -> None:
    """A pool's thread that has ended, or another daemon's helper, holds nobody up; a new one owes nothing yet."""
    assert still_owing({"gone": Sign(owes_turn=True)}, {"new": Sign(owes_turn=True)}) == {}


@dataclass
class _Table:
    """What `vitals` asks of a desk."""

    uploads: ThreadPoolExecutor
    downloads: ThreadPoolExecutor
    controls: ThreadPoolExecutor
    name: str = "fake"


@contextmanager
def _desk() -> Iterator[_Table]:
    with ThreadPoolExecutor(1) as uploads, ThreadPoolExecutor(1) as downloads, ThreadPoolExecutor(1) as controls:
        yield _Table(uploads, downloads, controls)


def _signs(pulses: dict[str, Pulse], *desks: _Table) -> dict[str, Sign]:
    return vitals.signs(pulses, {}, cast("list[Desk]", desks))


@contextmanager
def _turning(duty: Callable[[], float | None]) -> Iterator[dict[str, Pulse]]:
    pulse = Pulse(duty, lambda _: None, SystemClock())
    thread = threading.Thread(target=pulse.run)
    thread.start()
    yield {"scan": pulse}
    thread.join()


def test_duty_that_waits_for_a_lock_stands() -> None:
    """What is held up inside the program shows the same place again and again; let go, it has ended a turn."""
    held = threading.Event()

    def duty() -> None:
        held.wait()

    with _turning(duty) as pulses:
        wait_for(lambda: _signs(pulses) == _signs(pulses) and _signs(pulses)["scan"].at, "the duty to stand")
        before = _signs(pulses)

        assert still_owing(before, _signs(pulses))

        held.set()
        wait_for(lambda: not still_owing(before, _signs(pulses)), "the turn to end")


def test_duty_that_hangs_in_a_file_is_elsewhere(tmp_path: Path) -> None:
    """An opening that does not come back, as from a share that hangs, is no stall."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def duty() -> None:
        disk.read_own(str(pipe))

    with _turning(duty) as pulses:
        wait_for(lambda: _signs(pulses)["scan"].elsewhere, "the duty to hang")
        before = _signs(pulses)
        owing = still_owing(before, _signs(pulses))
        pipe.write_bytes(b"")

        assert before["scan"].at is not None
        assert owing == {}


def test_pool_whose_thread_stands_owes_and_so_does_its_queue() -> None:
    """A step that stands, and one that waits behind it, are both seen; a pool with nothing to do owes nothing."""
    held = threading.Event()
    with _desk() as desk:
        desk.uploads.submit(held.wait)
        desk.uploads.submit(lambda: None)
        desk.controls.submit(lambda: None).result()
        wait_for(lambda: _signs({}, desk) == _signs({}, desk), "everything to stand")
        owing = still_owing(_signs({}, desk), _signs({}, desk))
        held.set()

        assert set(owing) == {"fake uploads queue", "fake uploads 0"}


def test_pool_threads_that_died_leave_their_queue_behind() -> None:
    """Work that nobody takes any more is a stall, although nothing hangs."""
    with _desk() as desk:
        desk.downloads._threads = cast("Any", {threading.Thread()})
        desk.downloads._work_queue.put(cast("Any", None))
        desk.downloads._work_queue.put(cast("Any", None))
        owing = still_owing(_signs({}, desk), _signs({}, desk))
        desk.downloads._threads = set()

        assert set(owing) == {"fake downloads queue"}
