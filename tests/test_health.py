"""Never green while files silently wait; and green as long as everything goes on by itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import health as judged
from daemon import messages
from daemon.health import Level, health
from tests.scenes import PROVIDERS, account, ago, facts, jobs, provider


def waits(why: str, since_s: float = 1.0, count: int = 2) -> dict[str, Any]:
    return {"provider": "acme", "why": why, "jobs": count, "since": ago(since_s)}


def rests(why: str, since_s: float, files: int = 1) -> dict[str, Any]:
    return {"why": why, "files": files, "since": ago(since_s)}


def oldest(state: str, since_s: float) -> dict[str, Any]:
    return {"provider": "acme", "state": state, "since": ago(since_s)}


def closed(why: str, since_s: float = 60.0) -> list[dict[str, Any]]:
    return [account("acme", door="closed", reason=why, since=ago(since_s)), account("other")]


def away(since_s: float) -> dict[str, Any]:
    return {"there": False, "why": "no marker", "since": ago(since_s)}


SPENT = {
    "provider": "acme",
    "unit": "credits",
    "per_month": 200,
    "spent": 201.5,
    "state": "spent",
    "held_until": "2026-02-01T00:00:00.000Z",
}

NEEDS_SOMEBODY: dict[str, dict[str, Any]] = {
    "a key that is not accepted": facts({"jobs": [jobs(3)]}, accounts=closed("account.key")),
    "a key that is not there, and no file yet": facts(accounts=closed("account.no_key")),
    "an account without credit": facts(accounts=closed("account.blocked")),
    "a service that is away for hours": facts({"jobs": [jobs(1)]}, accounts=closed("service.unreachable", 4000)),
    "a submission that stays uncertain": facts({"jobs": [jobs(1)]}, accounts=closed("submit.uncertain", 4000)),
    "a share that is away": facts(share=away(301)),
    "a share of which nobody knows since when": facts(share={"there": False, "why": "?", "since": None}),
    "nothing known of the share": facts(share={}),
    "a scan that stopped": facts({"scan": {"at": ago(91), "seconds": 0.5}}),
    "a scan that never ended": facts({"scan": {"at": None, "seconds": None}}),
    "no measures at all": facts() | {"measured": {}},
    "a helper that stands still": facts(stalled=["dispatch"]),
    "a full disk": facts({"jobs": [jobs(2)], "waits": [waits("disk.full")]}),
    "a folder in trouble": facts({"jobs": [jobs(2)], "waits": [waits("folder.trouble")]}),
    "a provider that was removed": facts({"jobs": [jobs(2)], "waits": [waits("provider.removed")]}),
    "a result from a host that is not allowed": facts({"jobs": [jobs(2)], "waits": [waits("result.refused")]}),
    "a mistake of our own": facts({"jobs": [jobs(2)], "waits": [waits("internal.error")]}),
    "a budget that is spent": facts(budget=[SPENT]),
    "files that wait for the budget": facts({"jobs": [jobs(2)], "waits": [waits("budget.spent")]}),
    "a reason nobody has heard of": facts({"jobs": [jobs(2)], "waits": [waits("moon.full")]}),
    "a claimed file that a program keeps open": facts({"jobs": [jobs(1)], "waits": [waits("drop.busy", 1000)]}),
    "a service that answers nothing of use": facts({"jobs": [jobs(1)], "waits": [waits("service.error", 4000)]}),
    "nothing that moves": facts({"jobs": [jobs(1)], "providers": [provider("acme", moved=ago(1000))]}),
    "nothing that ever moved": facts({"jobs": [jobs(1)], "providers": [provider("acme", moved=None)]}),
    "a file of yesterday": facts({"jobs": [jobs(9)], "oldest": [oldest("claimed", 90_000)]}),
    "a file long past its deadline": facts({"jobs": [jobs(1, "in_flight")], "oldest": [oldest("in_flight", 90_000)]}),
    "a result that is not delivered": facts({"jobs": [jobs(1, "banked")], "oldest": [oldest("banked", 22_000)]}),
    "a file that is never taken": facts(ignored_total=1),
    "a file that lies unchanged": facts({"resting": [rests("open", 1000)]}, resting_total=1),
    "a file without a reason": facts({"resting": [rests("", 1000)]}, resting_total=1),
    "a folder that somebody stopped and forgot": facts({"resting": [rests("folder.stopped", 90_000)]}, resting_total=1),
    "one that is never taken beside a withdrawn one": facts(ignored_total=2, withdrawn_total=1),
    "a file that is written to for days": facts({"unclaimed_since": ago(90_000)}, resting_total=1),
}


@pytest.mark.parametrize("found", NEEDS_SOMEBODY.values(), ids=NEEDS_SOMEBODY.keys())
def test_what_needs_a_person_is_never_green(found: dict[str, Any]) -> None:
    """503, with sentences that say what happened, and no file's name."""
    health_then = health(found)

    assert (health_then.code, health_then.level, health_then.ok) == (503, Level.FAILING, False)
    assert all(len(sentence) > 20 and sentence.endswith(".") for sentence in health_then.sentences)
    assert not any("{" in sentence or "?" in sentence for sentence in health_then.sentences)


GOES_ON: dict[str, dict[str, Any]] = {
    "nothing to do": facts(),
    "a queue before a full account": facts({"jobs": [jobs(900)], "waits": [waits("account.full", 50_000, 900)]}),
    "a queue before a full window": facts(
        {
            "jobs": [jobs(900)],
            "rooms": [{"provider": "acme", "verb": "submit", "room": 0}],
            "providers": [provider("acme", moved=ago(5000))],
        }
    ),
    "a pause that the service asked for": facts(
        {"jobs": [jobs(5)], "providers": [provider("acme", moved=ago(2000))]},
        accounts=[account("acme", paused_until=ago(-600))],
    ),
    "a service that takes an hour": facts({"jobs": [jobs(1, "in_flight")], "oldest": [oldest("in_flight", 4000)]}),
    "a service that is asked every half an hour": facts(
        {"jobs": [jobs(1, "in_flight")], "providers": [provider("acme", moved=ago(2000), poll_s=1800.0)]}
    ),
    "a drop that rests": facts({"resting": [rests("settling", 4)], "unclaimed_since": ago(4)}, resting_total=1),
    "a drop that somebody writes to": facts({"resting": [rests("open", 2)], "unclaimed_since": ago(9000)}),
    "an answer that has to be asked for again": facts({"jobs": [jobs(1)], "waits": [waits("service.error", 60)]}),
    "a large scan": facts({"scan": {"at": ago(150), "seconds": 70.0}}),
    "the first minutes": facts({"scan": {"at": None, "seconds": None}}, started_at=ago(200)),
}


@pytest.mark.parametrize("found", GOES_ON.values(), ids=GOES_ON.keys())
def test_what_goes_on_by_itself_is_green(found: dict[str, Any]) -> None:
    """A queue is no alarm, and nobody is woken for a service that works slowly."""
    assert health(found).as_json() == {"status": "ok", "reasons": []}


UNEASY: dict[str, dict[str, Any]] = {
    "a share that hiccups": facts(share=away(10)),
    "a service that cannot be reached just now": facts({"jobs": [jobs(1)]}, accounts=closed("service.unreachable")),
    "a service that is away, and nobody wants it": facts(accounts=closed("service.unreachable", 90_000)),
    "a trial that nobody came for": facts(
        accounts=[account("acme", door="trial", reason="account.key", since=ago(9e4))]
    ),
    "notifications that fail": facts(notify={"failing_since": ago(100)}),
    "a folder that is stopped and empty": facts(stopped=[{"path": "inbox/acme/fr", "files": 0}]),
    "a folder that somebody stopped, with files": facts({"resting": [rests("folder.stopped", 80_000, 3)]}),
    "files that somebody withdrew": facts(ignored_total=2, withdrawn_total=2),
    "a configuration that was refused": facts(config_problem="line 3"),
}


@pytest.mark.parametrize("found", UNEASY.values(), ids=UNEASY.keys())
def test_what_is_not_as_it_should_be_is_said_and_still_200(found: dict[str, Any]) -> None:
    """`degraded`: there to be read, not to wake anybody."""
    then = health(found)

    assert (then.level, then.code, len(then.reasons)) == (Level.DEGRADED, 200, 1)


def test_what_people_asked_for_is_said_in_words() -> None:
    """A STOP with files and a .cancel wake nobody for a day, and are not green either."""
    then = health(facts({"resting": [rests("folder.stopped", 5, 3)]}, ignored_total=1, withdrawn_total=1))

    assert [(reason.code, reason.sentence) for reason in then.reasons] == [
        (
            "drop.withdrawn",
            "1 file lies in the inboxes as somebody asked with a .cancel. `babeldrop status` says which.",
        ),
        (
            "folder.stopped",
            f"3 files wait in the inboxes: {messages.waiting('folder.stopped', {})} `babeldrop status` says which.",
        ),
    ]
    assert then.code == 200


def test_the_worst_comes_first_and_counts() -> None:
    """Of several reasons the failing ones are told first, and the answer is theirs."""
    then = health(facts(share=away(10), ignored_total=2))

    assert [reason.level for reason in then.reasons] == [Level.FAILING, Level.DEGRADED]
    assert then.as_json()["status"] == "failing"


@pytest.mark.parametrize("why", ["account.key", "service.unreachable"])
def test_what_closed_an_account_is_told_once_with_the_number_of_all_its_files(why: str) -> None:
    """The file that met the closed door waits for the same reason; a second sentence would count it apart."""
    found = facts({"jobs": [jobs(3)], "waits": [waits(why, 4000, count=1)]}, accounts=closed(why, 4000))

    told = [reason.sentence for reason in health(found).reasons if reason.code == why]

    assert len(told) == 1
    assert "3 files wait" in told[0]


def test_a_code_is_known_to_go_on_by_itself_or_needs_a_person() -> None:
    """Every code of the catalogue is judged, and those that are excused exist: a renamed one would be nobody's."""
    excused = judged.QUEUES | judged.AT_THE_SERVICE | judged.HERE
    known = messages.CATALOGUE.keys() | messages.WAITING.keys()
    at_once = {code for code in known if not health(facts({"jobs": [jobs(1)], "waits": [waits(code)]})).ok}

    assert excused <= known
    assert at_once == known - excused
    assert known >= judged.SETTLING - {""}


def test_no_file_is_named() -> None:
    """The answer may be read without a login."""
    row = {
        "path": "inbox/acme/fr/salaries.docx",
        "why": "a symbolic link",
        "since": ago(9999),
        "job": "0000000000000001",
    }
    named = {"ignored": [row], "resting": [row], "waiting": [{**row, "until": None}]}
    told = json.dumps(health(facts({"resting": [rests("open", 9999)]}, ignored_total=1, **named)).as_json())

    assert "left alone" in told
    assert "unchanged for 2 hours" in told
    assert "salaries" not in told
    assert "inbox/acme" not in told


# -- properties ----------------------------------------------------------------------------------------------------

seconds = st.floats(0, 500_000)
moments = st.none() | seconds.map(ago)
codes = st.sampled_from([*messages.CATALOGUE, *messages.WAITING, "an.unknown", ""])
states = st.sampled_from(["claimed", "submitting", "in_flight", "ready", "banked", "publishing", "delivered", "failed"])
names = st.sampled_from([*PROVIDERS, "removed"])


def tables(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(columns), max_size=4)


counts = st.integers(1, 5000)
anything = st.builds(
    facts,
    st.fixed_dictionaries(
        {
            "scan": st.fixed_dictionaries({"at": moments, "seconds": st.none() | st.floats(0, 100)}),
            "jobs": tables(provider=names, folder=st.just("fr"), state=states, count=counts),
            "oldest": tables(provider=names, state=states, since=seconds.map(ago)),
            "waits": tables(provider=names, why=codes, jobs=counts, since=seconds.map(ago)),
            "resting": tables(why=codes, files=counts, since=seconds.map(ago)),
            "unclaimed_since": moments,
            "providers": st.builds(
                lambda *at: [provider(n, moved=m) for n, m in zip(PROVIDERS, at, strict=True)], moments, moments
            ),
            "rooms": tables(provider=names, verb=st.just("any"), room=st.integers(0, 3)),
        }
    ),
    share=st.builds(lambda there, since: {"there": there, "since": since}, st.booleans(), moments),
    ignored_total=st.integers(2, 4),
    withdrawn_total=st.integers(0, 2),
    started_at=moments,
    accounts=st.lists(
        st.builds(
            account,
            names,
            door=st.sampled_from(["open", "closed", "trial"]),
            reason=codes,
            since=moments,
            paused_until=st.none() | st.floats(-5000, 5000).map(ago),
        ),
        max_size=3,
    ),
)


@given(anything)
def test_whatever_the_facts_there_is_an_answer(found: dict[str, Any]) -> None:
    """Nothing makes it break, and level, code and sentences never contradict each other."""
    then = health(found)

    assert json.loads(json.dumps(then.as_json()))["status"] == then.level.value
    assert (then.code == 200) is then.ok is (then.level is not Level.FAILING)
    assert bool(then.reasons) is (then.level is not Level.OK)


@given(anything, st.sampled_from(sorted(NEEDS_SOMEBODY)))
def test_nothing_makes_a_waiting_file_green(found: dict[str, Any], need: str) -> None:
    """Whatever else there is to tell: where one thing needs a person, the answer is 503."""
    merged = merge(found, NEEDS_SOMEBODY[need])

    assert not health(merged).ok


@given(anything, st.floats(0, 1_000_000))
def test_waiting_longer_never_makes_it_green(found: dict[str, Any], more_s: float) -> None:
    """When nothing changes but the time, a reason to call somebody stays one."""
    later = {**found, "at": ago(-more_s)}

    assert health(found).ok or not health(later).ok


@given(anything)
def test_a_file_that_waits_for_a_day_is_never_green(found: dict[str, Any]) -> None:
    """Whatever it waits for, and however well that is known."""
    row = oldest("claimed", 100_000)

    assert not health({**found, "measured": {**found["measured"], "oldest": [row]}}).ok


def merge(found: dict[str, Any], need: dict[str, Any]) -> dict[str, Any]:
    """Any facts with the need among them: its own accounts, share, scan and clocks stand, lists are joined."""
    plain = facts()
    changed = (
        {key: value for key, value in need.items() if value != plain[key]} if need.keys() == plain.keys() else need
    )
    merged = {**found, **{key: value for key, value in changed.items() if key != "measured"}}
    if "measured" not in changed:
        return merged
    if not changed["measured"]:
        return {**merged, "measured": {}}
    mine = {key: value for key, value in changed["measured"].items() if value != plain["measured"].get(key)}
    joined = {**found["measured"], **mine}
    for key in ("jobs", "oldest", "waits", "resting"):
        joined[key] = [*found["measured"][key], *mine.get(key, [])]
    if "providers" in mine:
        # What excuses a standstill is told by the account, the window and the share.
        merged |= {"accounts": plain["accounts"], "share": plain["share"], "started_at": plain["started_at"]}
        joined["rooms"] = []
    if "scan" in mine:
        # Without its share nothing is scanned; then that is told.
        merged |= {"share": plain["share"], "started_at": plain["started_at"], "detector": plain["detector"]}
    return {**merged, "measured": joined}
