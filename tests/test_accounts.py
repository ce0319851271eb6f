"""Accounts: request windows that hold in any window, places at the service, and a door that opens half-way."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import policy
from daemon.accounts import Account, Door
from daemon.errors import NoRoomError
from daemon.settings import Rate
from tests.clocks import FakeClock

FIRST, LAST = policy.FIRST_REOPEN_S, policy.LAST_REOPEN_S
_SPREAD = 0.25


def rates(**windows: tuple[int, float]) -> dict[str, Rate]:
    return {verb.replace("all", "*"): Rate(requests=count, per=per) for verb, (count, per) in windows.items()}


def account(
    clock: FakeClock, windows: dict[str, Rate] | None = None, most: int | None = None, *, full: bool = False
) -> Account:
    return Account("key 1", windows or {}, most, clock, full=full)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def door(one: Account) -> Door:
    return one.standing().door


def send(one: Account, job: str) -> None:
    """Go as far as the first byte of a submission."""
    assert one.reserve(job)
    assert one.may_send(job)
    one.occupy(+1)
    one.unreserve()


def refuse(one: Account, job: str) -> None:
    """The submission was not taken, which says nothing about the account."""
    one.submission_ended(job, sane=False)
    one.occupy(-1)


def half_open(one: Account, clock: FakeClock) -> None:
    """Close it, wait, and let the check be good."""
    one.close("submit.uncertain", ask_first=True)
    clock.advance(LAST)
    assert one.check_due()
    one.half_open()


# -- windows --------------------------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(st.sampled_from(["submit", "status", "end first", "end last"]), st.integers(0, 8)), max_size=80
)


@given(steps, st.integers(1, 4), st.integers(1, 3), st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_window_ever_exceeds_its_limit(wanted: list[tuple[str, int]], total: int, narrow: int, full: bool) -> None:
    """Wherever in between its begin and its end the service counts a request: in no span are there too many."""
    clock = FakeClock()
    limits = {"*": (total, 4.0), "submit": (narrow, 6.0)}
    one = account(clock, rates(all=limits["*"], submit=limits["submit"]), full=full)
    sent: list[tuple[str, float, float]] = []
    open_: list[tuple[str, float]] = []
    if full:
        sent = [("submit", clock.monotonic(), clock.monotonic())] * min(total, narrow)
    for what, wait in wanted:
        clock.advance(wait / 2)
        if what.startswith("end"):
            if open_:
                verb, begun = open_.pop(0 if what == "end first" else -1)
                one.end(verb)
                sent.append((verb, begun, clock.monotonic()))
            continue
        if one.room(what)[0]:
            one.begin(what)
            open_.append((what, clock.monotonic()))
        else:
            with pytest.raises(NoRoomError) as caught:
                one.begin(what)

            assert caught.value.until > clock.monotonic()

    everything = [*sent, *((verb, begun, float("inf")) for verb, begun in open_)]
    for key, (most, per) in limits.items():
        mine = [(begun, ended) for verb, begun, ended in everything if key in (verb, "*")]
        for start in [moment for pair in mine for moment in pair if moment != float("inf")]:
            assert sum(begun < start + per and ended >= start for begun, ended in mine) <= most


def test_a_slot_frees_after_its_answer(clock: FakeClock) -> None:
    """Not the begin counts but the end, since nobody knows when in between the service has counted."""
    one = account(clock, rates(all=(1, 10.0)))
    one.begin("status")
    clock.advance(60.0)

    assert one.room("status")[0] == 0
    one.end("status")
    free_at = clock.monotonic() + 10.0
    with pytest.raises(NoRoomError) as caught:
        one.begin("status")

    assert caught.value.until == one.room("status")[1] == free_at
    clock.advance(9.999)

    assert one.room("status")[0] == 0
    clock.advance(0.001)
    one.begin("status")


def test_the_window_is_used_to_the_full(clock: FakeClock) -> None:
    """As many as allowed go at once, and each one's slot comes back by itself."""
    one = account(clock, rates(all=(3, 10.0)))
    for number in range(3):
        assert one.room("status")[0] == 3 - number
        one.begin("status")
        clock.advance(1.0)
        one.end("status")
    freed = []
    for _ in range(12):
        freed.append(one.room("status")[0])
        clock.advance(1.0)

    assert freed == [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3]


def test_windows_by_verb(clock: FakeClock) -> None:
    """Each verb has its own window besides the one for all; a request needs room in both or takes none."""
    one = account(clock, rates(all=(3, 10.0), submit=(1, 60.0)))
    one.begin("submit")
    one.end("submit")

    assert [one.room(verb)[0] for verb in ("submit", "status")] == [0, 2]
    for _ in range(5):
        with pytest.raises(NoRoomError) as caught:
            one.begin("submit")

    assert caught.value.until == clock.monotonic() + 60.0
    assert one.room("status")[0] == 2
    one.begin("status")
    one.begin("fetch")

    assert [one.room(verb)[0] for verb in ("submit", "status", "fetch", "check")] == [0, 0, 0, 0]


def test_without_windows_there_is_room(clock: FakeClock) -> None:
    """A service without a documented rate is asked as often as wanted."""
    one = account(clock)
    for _ in range(1000):
        one.begin("status")

    assert one.room("status")[0] > 0
    assert account(clock, rates(submit=(1, 1.0)), full=True).room("status")[0] > 0


def test_full_after_a_restart(clock: FakeClock) -> None:
    """Nobody knows what the process before has sent, so its requests count as sent just now."""
    one = account(clock, rates(all=(2, 60.0), status=(1, 10.0)), full=True)

    assert one.room("status") == (0, clock.monotonic() + 60.0)
    clock.advance(59.9)

    assert one.room("submit")[0] == 0
    clock.advance(0.1)

    assert [one.room(verb)[0] for verb in ("submit", "status")] == [2, 1]


def test_a_wall_clock_changes_nothing(clock: FakeClock) -> None:
    """Windows, pauses and doors go by monotonic time."""
    one = account(clock, rates(all=(1, 60.0)), full=True)
    one.close("account.key", ask_first=True)
    for jump in (1e8, -2e8):
        clock.jump(jump)

        assert (one.room("status")[0], one.check_due()) == (0, False)


# -- pauses ---------------------------------------------------------------------------------------------------------


def test_retry_after_pauses_everything(clock: FakeClock) -> None:
    """Nothing is sent with the key until then; the longest wish counts."""
    one = account(clock)
    one.pause(20.0)
    one.pause(5.0)
    until = clock.monotonic() + 20.0

    assert (one.room("status"), one.standing().paused_until) == ((0, until), until)
    with pytest.raises(NoRoomError) as caught:
        one.begin("submit")

    assert caught.value.until == until
    clock.advance(20.0)
    one.begin("submit")

    assert one.standing().paused_until is None


def test_pauses_grow_until_an_answer(clock: FakeClock) -> None:
    """Told so again and again without a moment, the account pauses longer; a good answer ends that."""
    one = account(clock)

    def wait() -> float:
        one.pause(None)
        one.pause(None)
        until = one.standing().paused_until
        assert until is not None
        pause = until - clock.monotonic()
        clock.advance(pause)
        return pause

    grown = [wait() for _ in range(3)]
    one.answered()

    for pause, expected in zip([*grown, wait()], [5.0, 10.0, 20.0, 5.0], strict=True):
        assert pause == pytest.approx(expected, rel=_SPREAD)


# -- places at the service ------------------------------------------------------------------------------------------


def test_reservations_keep_the_limit(clock: FakeClock) -> None:
    """Places that are taken and places that are promised count together."""
    one = account(clock, most=3)
    one.occupy(+1)

    assert [one.reserve(job) for job in ("0a", "0b", "0c")] == [True, True, False]
    one.unreserve()

    assert [one.reserve(job) for job in ("0c", "0d")] == [True, False]
    one.occupy(-1)

    assert [one.reserve(job) for job in ("0d", "0e")] == [True, False]
    assert one.standing().occupied == 0


def test_many_threads_keep_the_limit(clock: FakeClock) -> None:
    """However many reserve at once, no more than the limit are let in."""
    one = account(clock, most=5)
    with ThreadPoolExecutor(8) as pool:
        let_in = list(pool.map(lambda number: one.reserve(f"{number}"), range(200)))

    assert sum(let_in) == 5


def test_a_full_service_is_believed(clock: FakeClock) -> None:
    """After "as many as allowed" only as many go as have ended, for a minute; then it is tried again."""
    one = account(clock, most=10)
    for job in ("0a", "0b", "0c", "0d"):
        send(one, job)
    refuse(one, "0d")
    one.hold()

    assert not one.reserve("0d")
    assert one.next_admission() == clock.monotonic() + policy.CAPACITY_HOLD_S
    one.occupy(-1)

    assert [one.reserve("0d"), one.reserve("0e")] == [True, False]
    clock.advance(policy.CAPACITY_HOLD_S)

    assert [one.reserve(job) for job in ("0e", "0f")] == [True, True]


def test_a_service_that_others_fill(clock: FakeClock) -> None:
    """Told that it is full with none of ours there, the account waits its minute instead of knocking."""
    one = account(clock)
    send(one, "0a")
    refuse(one, "0a")
    one.hold()

    assert not one.reserve("0a")
    assert one.next_admission() == clock.monotonic() + policy.CAPACITY_HOLD_S
    clock.advance(policy.CAPACITY_HOLD_S)

    assert one.reserve("0a")


# -- closing and reopening ------------------------------------------------------------------------------------------


def test_closed_for_submissions(clock: FakeClock) -> None:
    """Nothing starts, what was reserved before does not go, and polls go on."""
    one = account(clock)
    assert one.reserve("0a")
    since = clock.monotonic()

    assert one.close("account.key", ask_first=True)
    clock.advance(1.0)
    assert not one.close("account.blocked", ask_first=True)
    assert (one.may_send("0a"), one.reserve("0b"), one.room("status")[0] > 0) == (False, False, True)
    standing = one.standing()
    assert (standing.door, standing.reason, standing.since) == (Door.CLOSED, "account.blocked", since)
    assert standing.until is not None
    assert standing.until - since == pytest.approx(FIRST, rel=_SPREAD)


def test_it_is_asked_before_the_trial(clock: FakeClock) -> None:
    """After 30 s the service is asked, and only a good answer lets one file go."""
    one = account(clock)
    one.close("submit.uncertain", ask_first=True)
    clock.advance(FIRST * (1 - _SPREAD) - 0.1)

    assert not one.check_due()
    clock.advance(FIRST * 2 * _SPREAD + 0.2)

    assert (one.check_due(), door(one), one.reserve("0a")) == (True, Door.CLOSED, False)
    one.half_open()

    assert (door(one), one.check_due(), one.reserve("0a")) == (Door.TRIAL, False, True)


def test_failing_checks_wait_longer(clock: FakeClock) -> None:
    """30 s, then the double each time, up to half an hour, for as long as it lasts."""
    one = account(clock)
    one.close("account.key", ask_first=True)
    for strike in range(1, 40):
        until = one.standing().until
        assert until is not None
        wait = until - clock.monotonic()

        assert wait == pytest.approx(min(LAST, FIRST * 2 ** (strike - 1)), rel=_SPREAD)
        assert wait <= LAST + 0.001
        clock.advance(wait + 0.001)
        assert one.check_due()
        one.still_closed("service.unreachable")
    assert one.standing().reason == "service.unreachable"


def test_an_unreachable_service_is_simply_tried(clock: FakeClock) -> None:
    """What was proven not sent cost nothing: half open by itself after 2 s, and up to 5 min."""
    one = account(clock)
    for strike in range(1, 12):
        one.close("service.unreachable", ask_first=False)
        until = one.standing().until
        assert until is not None
        wait = until - clock.monotonic()

        assert wait == pytest.approx(min(300.0, 2.0 * 2 ** (strike - 1)), rel=_SPREAD)
        clock.advance(wait - 0.001)
        assert (one.check_due(), door(one)) == (False, Door.CLOSED)
        clock.advance(0.002)
        assert (one.check_due(), door(one)) == (False, Door.TRIAL)
        send(one, "0a")
        refuse(one, "0a")


def test_the_graver_reason_counts(clock: FakeClock) -> None:
    """A blocked account is asked first, whatever late answers say about the connection."""
    one = account(clock)
    one.close("service.unreachable", ask_first=False)
    one.close("account.key", ask_first=True)
    one.close("service.unreachable", ask_first=False)
    clock.advance(LAST)

    assert (one.standing().reason, one.check_due(), door(one)) == ("account.key", True, Door.CLOSED)


def test_many_failures_at_once_are_one(clock: FakeClock) -> None:
    """Eight uploads cut by one outage make the account wait as long as one does."""
    one = account(clock)
    for _ in range(8):
        one.close("submit.uncertain", ask_first=True)
    until = one.standing().until

    assert until is not None
    assert until - clock.monotonic() == pytest.approx(FIRST, rel=_SPREAD)


def test_exactly_one_trial(clock: FakeClock) -> None:
    """Half open, one file goes; no second one is reserved while it is prepared or under way."""
    one = account(clock)
    half_open(one, clock)

    assert [one.reserve(job) for job in ("0a", "0b")] == [True, False]
    assert (one.may_send("0a"), one.may_send("0a"), one.may_send("0b")) == (True, True, False)
    one.occupy(+1)
    one.unreserve()

    assert [one.reserve(job) for job in ("0b", "0c")] == [False, False]


def test_only_one_of_those_that_were_waiting(clock: FakeClock) -> None:
    """Files that were reserved before the door closed become no second trial."""
    one = account(clock)
    assert [one.reserve(job) for job in ("0a", "0b")] == [True, True]
    half_open(one, clock)

    assert not one.reserve("0c")
    assert [one.may_send(job) for job in ("0b", "0a")] == [True, False]


@pytest.mark.parametrize("sane", [True, False])
def test_the_trial_decides(clock: FakeClock, sane: bool) -> None:
    """Its answer about the file opens the account; anything else lets another file try."""
    one = account(clock)
    half_open(one, clock)
    send(one, "0a")

    assert one.submission_ended("0a", sane=sane) is sane
    assert door(one) is (Door.OPEN if sane else Door.TRIAL)
    assert one.reserve("0b")
    assert (one.standing().reason, one.standing().since) == ("", None) if sane else one.standing().reason


def test_a_failed_trial_closes_for_longer(clock: FakeClock) -> None:
    """The waits double from trial to trial, and begin anew once one has succeeded."""
    one = account(clock)
    waits = []
    for trial in range(6):
        one.close("submit.uncertain", ask_first=True)
        until = one.standing().until
        assert until is not None
        waits.append(until - clock.monotonic())
        clock.advance(waits[-1] + 0.001)
        assert one.check_due()
        one.half_open()
        send(one, "0a")
        one.submission_ended("0a", sane=trial == 4)
        one.occupy(-1)

    for wait, expected in zip(waits, [30.0, 60.0, 120.0, 240.0, 480.0, 30.0], strict=True):
        assert wait == pytest.approx(expected, rel=_SPREAD)


def test_a_trial_that_never_was(clock: FakeClock) -> None:
    """The chosen file ends before it is sent (taken away, of a wrong type): the next one is the trial."""
    one = account(clock)
    half_open(one, clock)
    assert one.reserve("0a")
    one.unreserve()

    assert (one.reserve("0b"), one.may_send("0b")) == (True, True)
    assert one.submission_ended("0b", sane=True)


def test_a_trial_whose_end_nobody_told(clock: FakeClock) -> None:
    """The step broke, and the job comes again: then its submission is over, and the account is not stuck."""
    one = account(clock)
    half_open(one, clock)
    send(one, "0a")

    assert not one.reserve("0b")
    assert one.reserve("0a")
    one.occupy(-1)
    one.unreserve()

    assert (one.reserve("0b"), one.may_send("0b")) == (True, True)


def test_a_trial_that_was_settled_elsewhere(clock: FakeClock) -> None:
    """Nor is it stuck when the job never comes again: without anything under way there is no trial."""
    one = account(clock)
    half_open(one, clock)
    send(one, "0a")

    assert not one.reserve("0b")
    one.occupy(-1)

    assert (one.reserve("0b"), one.may_send("0b")) == (True, True)


@pytest.mark.parametrize("sane", [True, False])
def test_an_old_submission_opens_nothing(clock: FakeClock, sane: bool) -> None:
    """What was under way when the door closed says nothing about how the service is now."""
    one = account(clock)
    send(one, "0old")
    one.close("submit.uncertain", ask_first=True)
    one.submission_ended("0old", sane=sane)

    assert door(one) is Door.CLOSED
    send_old = account(clock)
    send(send_old, "0old")
    half_open(send_old, clock)
    send_old.submission_ended("0old", sane=sane)

    assert door(send_old) is Door.TRIAL


def test_a_trial_that_was_closed_upon_opens_nothing(clock: FakeClock) -> None:
    """A blocking answer to a poll while the trial is under way counts more than the trial's success."""
    one = account(clock)
    half_open(one, clock)
    send(one, "0a")
    one.close("account.blocked", ask_first=True)

    clock.advance(LAST)
    assert one.check_due()
    one.half_open()

    assert one.reserve("0b")
    assert not one.submission_ended("0a", sane=True)
    assert door(one) is Door.TRIAL
    assert one.may_send("0b")


def test_a_trial_keeps_the_limits(clock: FakeClock) -> None:
    """A full service stays full while its account is half open."""
    one = account(clock, most=2)
    for job in ("0a", "0b"):
        send(one, job)
    half_open(one, clock)

    assert not one.reserve("0c")
    one.occupy(-1)
    send(one, "0c")
    refuse(one, "0c")
    one.hold()

    assert not one.reserve("0c")
    assert one.next_admission() == clock.monotonic() + policy.CAPACITY_HOLD_S


def test_poke(clock: FakeClock) -> None:
    """Somebody renewed the key: what is closed is asked at once, what is paused goes on."""
    one = account(clock)
    one.close("account.key", ask_first=True)
    one.pause(600.0)
    one.poke()

    assert (one.check_due(), one.room("check")[0] > 0) == (True, True)
    other = account(clock)
    other.close("service.unreachable", ask_first=False)
    other.poke()

    assert (other.check_due(), door(other)) == (False, Door.TRIAL)


def test_a_check_without_room_comes_later(clock: FakeClock) -> None:
    """The account's own window may hold the check back."""
    one = account(clock)
    one.close("account.key", ask_first=True)
    clock.advance(LAST)
    one.check_later(clock.monotonic() + 50.0)

    assert not one.check_due()
    assert one.next_admission() == clock.monotonic() + 50.0
    clock.advance(50.0)

    assert one.check_due()


def test_nobody_is_told_to_come_at_once(clock: FakeClock) -> None:
    """While a check is under way, or has not been noticed, one looks again a little later: not never, not now."""
    one = account(clock)
    one.close("account.key", ask_first=True)
    until = one.standing().until

    assert until == one.next_admission()
    clock.advance(LAST)

    assert one.next_admission() == clock.monotonic() + policy.CHECK_LOOK_S
    one.half_open()
    send(one, "0a")

    assert (one.reserve("0b"), one.next_admission()) == (False, None)
