"""When a drop counts as complete: rest, lease and visible end, as tables and over whole histories."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.stability import (
    Lease,
    Reason,
    Resting,
    Settle,
    Signature,
    Take,
    TryLease,
    Verdict,
    Wait,
    judge,
    look,
)

FILE = Signature(size=1234, mtime_ns=10, ctime_ns=20, inode=7)
EMPTY = replace(FILE, size=0)
LOCAL = Settle.on(network=False)
NETWORK = Settle.on(network=True)
SLOW = Settle.on(network=False, override_s=30.0)

signatures = st.builds(
    Signature, size=st.integers(0, 3), mtime_ns=st.integers(), ctime_ns=st.integers(), inode=st.integers(0, 3)
)
settles = st.builds(Settle.on, network=st.booleans(), override_s=st.one_of(st.none(), st.floats(0.001, 86_400.0)))
moments = st.floats(0, 1e9)


@pytest.mark.parametrize("change", [{"size": 1}, {"mtime_ns": 1}, {"ctime_ns": 1}, {"inode": 1}])
def test_any_change_restarts_the_rest(change: dict[str, int]) -> None:
    """Size, both times and the inode each show a change, and a change also ends "arrived whole"."""
    before = look(None, FILE, 100.0, arrived_whole=True)
    after = look(before, replace(FILE, **change), 103.0)

    assert after == Resting(replace(FILE, **change), 103.0, arrived_whole=False)


def test_rest_goes_on_while_nothing_changes() -> None:
    """Further looks at the same signature keep the first moment and what is known of the arrival."""
    first = look(None, FILE, 100.0, arrived_whole=True)

    assert first == look(first, FILE, 200.0)


def test_late_news_of_the_arrival() -> None:
    """The event may be handled after the first scan: it adds to the rest without restarting it."""
    first = look(None, FILE, 100.0)

    assert Resting(FILE, 100.0, arrived_whole=True) == look(first, FILE, 100.5, arrived_whole=True)


def test_times_are_only_compared_for_equality() -> None:
    """A file from the far future or past rests exactly like any other."""
    odd = [replace(FILE, mtime_ns=one, ctime_ns=one) for one in (-(2**62), 0, 2**62)]

    assert {Take()} == {
        judge(look(None, one, 0.0), 1.0, settle=LOCAL, lease=Lease.PROVEN, shows_end=None) for one in odd
    }


@pytest.mark.parametrize(
    ("change", "survived"),
    [
        ({}, True),
        ({"ctime_ns": 1}, True),
        ({"size": 1}, False),
        ({"mtime_ns": 1}, False),
        ({"inode": 1}, False),
    ],
)
def test_survived_rename(change: dict[str, int], survived: bool) -> None:
    """The claim's rename may change the ctime; anything else means that somebody wrote meanwhile."""
    assert survived == FILE.survived_rename(replace(FILE, **change), by_inode=True)
    assert FILE.survived_rename(replace(FILE, **change), by_inode=False) == (survived or set(change) == {"inode"})


@pytest.mark.parametrize(
    ("settle", "quick_s", "slow_s"),
    [(LOCAL, 1.0, 5.0), (NETWORK, 1.0, 10.0), (SLOW, 30.0, 30.0), (Settle(), 1.0, 5.0)],
)
def test_settle_times(settle: Settle, quick_s: float, slow_s: float) -> None:
    """1 s with a lease; without one 5 s on local disks, 10 s on network ones; `watch.settle` replaces all."""
    assert (quick_s, slow_s) == (settle.quick_s, settle.slow_s)


W, T, L = Wait, Take, TryLease
SETTLING, OPEN, HALF = Reason.SETTLING, Reason.OPEN, Reason.NO_END
INCOMPLETE = T("The document does not show its end; it may be incomplete.")


@pytest.mark.parametrize(
    ("settle", "whole", "rested_s", "lease", "shows_end", "expected"),
    [
        # Before a lease was tried.
        (LOCAL, False, 0.0, None, None, W(1.0, SETTLING)),
        (LOCAL, False, 0.9, None, None, W(1.0, SETTLING)),
        (LOCAL, False, 1.0, None, None, L()),
        (LOCAL, False, 99.0, None, None, L()),
        (LOCAL, True, 0.0, None, None, L()),
        (NETWORK, False, 9.9, None, None, W(10.0, SETTLING)),
        (NETWORK, True, 9.9, None, None, W(10.0, SETTLING)),
        (NETWORK, False, 10.0, None, None, L()),
        (SLOW, False, 29.0, None, None, W(30.0, SETTLING)),
        # With a lease.
        (LOCAL, False, 0.5, Lease.PROVEN, None, W(1.0, SETTLING)),
        (LOCAL, False, 1.0, Lease.PROVEN, None, T()),
        (LOCAL, True, 0.0, Lease.PROVEN, None, T()),
        (SLOW, False, 5.0, Lease.PROVEN, None, W(30.0, SETTLING)),
        (SLOW, True, 0.0, Lease.PROVEN, None, T()),
        # A lease on a network file system proves nothing.
        (NETWORK, True, 1.0, Lease.PROVEN, None, W(10.0, SETTLING)),
        (NETWORK, False, 10.0, Lease.PROVEN, None, T()),
        # Without one.
        (LOCAL, False, 1.0, Lease.UNAVAILABLE, None, W(5.0, SETTLING)),
        (LOCAL, True, 1.0, Lease.UNAVAILABLE, None, W(5.0, SETTLING)),
        (LOCAL, False, 5.0, Lease.UNAVAILABLE, None, T()),
        (NETWORK, False, 10.0, Lease.UNAVAILABLE, None, T()),
        (SLOW, False, 30.0, Lease.UNAVAILABLE, None, T()),
        # Open for writing: whatever the time.
        (LOCAL, False, 1.0, Lease.BUSY, None, W(2.0, OPEN)),
        (LOCAL, True, 86_400.0, Lease.BUSY, True, W(86_401.0, OPEN)),
        (NETWORK, False, 86_400.0, Lease.BUSY, None, W(86_401.0, OPEN)),
        # Formats that show their end.
        (LOCAL, False, 1.0, Lease.PROVEN, True, T()),
        (LOCAL, False, 1.0, Lease.PROVEN, False, W(61.0, HALF)),
        (LOCAL, True, 0.0, Lease.PROVEN, False, W(60.0, HALF)),
        (LOCAL, False, 5.0, Lease.UNAVAILABLE, False, W(65.0, HALF)),
        (NETWORK, False, 69.9, Lease.PROVEN, False, W(70.0, HALF)),
        (LOCAL, False, 61.0, Lease.PROVEN, False, INCOMPLETE),
        (LOCAL, False, 65.0, Lease.UNAVAILABLE, False, INCOMPLETE),
    ],
)
def test_judge(
    settle: Settle,
    whole: bool,
    rested_s: float,
    lease: Lease | None,
    shows_end: bool | None,
    expected: Verdict,
) -> None:
    """Rest, lease and end together decide; the table is the rule."""
    resting = Resting(FILE, 0.0, arrived_whole=whole)

    assert expected == judge(resting, rested_s, settle=settle, lease=lease, shows_end=shows_end)


@pytest.mark.parametrize(
    ("settle", "rested_s", "lease", "expected"),
    [
        (LOCAL, 1.0, None, W(60.0, Reason.EMPTY)),
        (LOCAL, 59.0, Lease.PROVEN, W(60.0, Reason.EMPTY)),
        (LOCAL, 60.0, Lease.PROVEN, T()),
        (LOCAL, 60.0, Lease.UNAVAILABLE, T()),
        (LOCAL, 600.0, Lease.BUSY, W(601.0, OPEN)),
        (Settle.on(network=False, override_s=90.0), 60.0, Lease.UNAVAILABLE, W(90.0, Reason.EMPTY)),
    ],
)
def test_empty_files_wait_longer(settle: Settle, rested_s: float, lease: Lease | None, expected: Verdict) -> None:
    """An empty file rests a minute even when it was renamed in, and no end is looked for in it."""
    resting = Resting(EMPTY, 0.0, arrived_whole=True)

    assert expected == judge(resting, rested_s, settle=settle, lease=lease, shows_end=False)


@given(st.builds(Resting, signatures, moments, st.booleans()), moments, settles, st.sampled_from(Lease))
def test_waiting_ends_when_it_says(resting: Resting, after_s: float, settle: Settle, lease: Lease) -> None:
    """A wait always points to the future, and at that moment the same facts no longer give the same wait."""
    now = resting.since + after_s
    verdict = judge(resting, now, settle=settle, lease=lease, shows_end=False)
    if not isinstance(verdict, Wait):
        return
    later = judge(resting, verdict.until, settle=settle, lease=lease, shows_end=False)

    assert verdict.until > now or lease is Lease.BUSY
    assert later != verdict or lease is Lease.BUSY


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), signatures, st.booleans()), min_size=1, max_size=20),
    settles,
    st.sampled_from([Lease.PROVEN, Lease.UNAVAILABLE]),
)
def test_nothing_is_taken_while_it_changes(
    history: list[tuple[float, Signature, bool]], settle: Settle, lease: Lease
) -> None:
    """Whatever was seen before, a file is taken only after its present signature rested long enough."""
    resting, now, same_since = None, 0.0, 0.0
    for pause_s, signature, arrived_whole in history:
        now += pause_s
        if resting is None or resting.signature != signature:
            same_since = now
        resting = look(resting, signature, now, arrived_whole=arrived_whole)
        if judge(resting, now, settle=settle, lease=lease, shows_end=None) == Take():
            waived = resting.arrived_whole and lease is Lease.PROVEN and settle.lease_counts
            least_s = 0.0 if waived else min(settle.quick_s, settle.slow_s)

            assert now - same_since >= max(least_s, 0.0 if signature.size else 60.0) * (1 - 1e-9)


@given(st.builds(Resting, signatures, moments, st.booleans()), moments, settles)
def test_everything_is_taken_in_the_end(resting: Resting, patience_s: float, settle: Settle) -> None:
    """A file that no program has open never waits for ever."""
    now = resting.since + settle.slow_s + settle.empty_s + settle.end_s + 1.0 + patience_s

    assert judge(resting, now, settle=settle, lease=None, shows_end=None) == TryLease()
    assert isinstance(judge(resting, now, settle=settle, lease=Lease.UNAVAILABLE, shows_end=False), Take)
