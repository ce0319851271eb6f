"""What systemd hears of the daemon, and when it hears nothing."""

import contextlib
import os
import socket
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from daemon.accounts import Account
from daemon.job import State
from daemon.liveness import Sign
from daemon.supervisor import Supervisor, in_a_line
from tests.clocks import FakeClock
from tests.e2e.site import wait_for
from tests.notified import Notified

if TYPE_CHECKING:
    from daemon.workshop import Workshop

_WATCHDOG = {"WATCHDOG_USEC": "60000000"}


class _App:
    """A daemon whose helpers end a turn whenever they are woken, but for those that stall."""

    def __init__(self) -> None:
        self.turns = Counter({"scan": 0, "dispatch": 0})
        self.stalled: set[str] = set()

    def signs(self) -> dict[str, Sign]:
        return {name: Sign(turns=turns, owes_turn=True) for name, turns in self.turns.items()}

    def prod(self) -> None:
        self.turns.update(set(self.turns) - self.stalled)


def _supervisor(clock: FakeClock, said: Notified, **more: str) -> tuple[Supervisor, LogCapture]:
    captured = LogCapture()
    log = structlog.wrap_logger(None, [captured], structlog.make_filtering_bound_logger(0))
    return Supervisor(clock, log, {"NOTIFY_SOCKET": said.address, **more}), captured


@pytest.mark.parametrize("abstract", [True, False])
def test_everything_is_said_through_either_kind_of_socket(tmp_path: Path, abstract: bool) -> None:
    """A path and an abstract name both work; RELOADING carries the monotonic time in microseconds."""
    with Notified(None if abstract else tmp_path / "notify") as said:
        supervisor, _ = _supervisor(FakeClock(monotonic=12.5), said)
        supervisor.ready()
        supervisor.reloading()
        supervisor.status("3 waiting\nREADY=0")
        supervisor.stopping()
        wait_for(lambda: len(said.said) == 4, "four messages")

        assert said.said[0] == ["READY=1"]
        assert said.said[1] == ["RELOADING=1", "MONOTONIC_USEC=12500000"]
        assert said.said[2][0].startswith("STATUS=3 waiting")
        assert len(said.said[2]) == 1
        assert said.said[3] == ["STOPPING=1"]


@pytest.mark.parametrize("address", ["", "vsock:2:1", "relative", "/no/such/socket", "@nobody-listens-here"])
def test_a_supervisor_that_is_not_there_disturbs_nobody(address: str) -> None:
    """Unset, unknown, gone: nothing is sent and nothing is raised."""
    supervisor = Supervisor(FakeClock(), structlog.get_logger(), {"NOTIFY_SOCKET": address})
    supervisor.ready()
    supervisor.status("1 waiting")

    assert not supervisor.watches


def test_a_socket_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    """When its queue is full a message is dropped; the heartbeat goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.bind(str(tmp_path / "full"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    way.sendto(b"x", str(tmp_path / "full"))
        supervisor = Supervisor(FakeClock(), structlog.get_logger(), {"NOTIFY_SOCKET": str(tmp_path / "full")})
        supervisor.ready()
        queued = full.recv(100)

        assert queued == b"x"


def test_status_is_said_on_change_and_once_a_second_at_most() -> None:
    """The same line is not said twice, and a new one not before a second has passed."""
    clock = FakeClock()
    with Notified() as said:
        supervisor, _ = _supervisor(clock, said)
        for text, seconds in (("a", 0.0), ("a", 5.0), ("b", 0.2), ("c", 0.2), ("c", 1.0)):
            supervisor.status(text)
            clock.advance(seconds)
        supervisor.status("d")
        supervisor.stopping()
        wait_for(lambda: said.count("STOPPING=1"), "the last message")

        assert [lines[0] for lines in said.said[:-1]] == ["STATUS=a", "STATUS=b", "STATUS=d"]


@pytest.mark.parametrize(
    ("environment", "watches"),
    [
        ({}, False),
        (_WATCHDOG, True),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({**_WATCHDOG, "WATCHDOG_PID": str(os.getpid())}, True),
        ({**_WATCHDOG, "WATCHDOG_PID": "1"}, False),
    ],
)
def test_watchdog_is_for_the_process_it_names(environment: dict[str, str], watches: bool) -> None:
    """Without a time, or for another process, nothing is owed to it."""
    supervisor = Supervisor(FakeClock(), structlog.get_logger(), {"NOTIFY_SOCKET": "/x", **environment})

    assert supervisor.watches is watches


def test_watchdog_is_fed_at_half_its_time_while_all_progress() -> None:
    """A sign of life every thirty of sixty seconds, however often the heart beats."""
    clock, app = FakeClock(), _App()
    with Notified() as said:
        supervisor, _ = _supervisor(clock, said, **_WATCHDOG)
        for _ in range(91):
            supervisor.watch(app)
            clock.advance(1.0)
        supervisor.stopping()
        wait_for(lambda: said.count("STOPPING=1"), "the last message")

        assert said.count("WATCHDOG=1") == 4


def test_one_helper_without_progress_stops_the_signs_of_life() -> None:
    """While one stalls nothing is said but who it is, once; as soon as it has moved, all is well again."""
    clock, app = FakeClock(), _App()
    with Notified() as said:
        supervisor, log = _supervisor(clock, said, **_WATCHDOG)
        app.stalled = {"dispatch"}
        for _ in range(120):
            supervisor.watch(app)
            clock.advance(1.0)
        supervisor.ready()
        wait_for(lambda: said.count("READY=1"), "the message")

        assert said.count("WATCHDOG=1") == 1
        assert [(line["event"], line["stalled"]) for line in log.entries] == [("watchdog.withheld", ["dispatch"])]

        app.turns["dispatch"] += 1
        supervisor.watch(app)
        supervisor.stopping()
        wait_for(lambda: said.count("STOPPING=1"), "the last message")

        assert said.count("WATCHDOG=1") == 2


def _shop(clock: FakeClock) -> Any:
    account = Account("one", {}, None, clock, full=False)
    desks = {name: SimpleNamespace(name=name, title="GPTTranslator", account=account) for name in ("first", "second")}
    return SimpleNamespace(clock=clock, counts=Counter(), ended=Counter(), away=None, away_since=None, desks=desks)


def test_status_line_counts_and_says_what_is_wrong() -> None:
    """Counts in the order of a job's life; the share and each closed account with its reason, an account once."""
    clock = FakeClock()
    shop = _shop(clock)
    shop.counts.update({State.CLAIMED: 2, State.SUBMITTING: 1, State.IN_FLIGHT: 4, State.BANKED: 1})
    shop.ended.update({State.DELIVERED: 17, State.FAILED: 1})
    line = in_a_line(cast("Workshop", shop), 3, "2026-01-31 07:00 UTC")

    assert line == "6 waiting, 4 in flight, 1 being delivered; since 2026-01-31 07:00 UTC 17 delivered, 1 failed"

    shop.away, shop.away_since = "/srv/translate does not answer", clock.monotonic()
    clock.advance(120.0)
    shop.desks["first"].account.close("account.key", ask_first=True)
    line = in_a_line(cast("Workshop", shop), 3, "2026-01-31 07:00 UTC", "news")

    assert line.startswith("news; 6 waiting")
    assert "share away since 2026-01-31 08:00 UTC: /srv/translate does not answer" in line
    assert line.count(" closed: ") == 1
    assert "first closed: " in line
