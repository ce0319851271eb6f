"""Which happenings become which message, and when: on change, gathered, never twice, and nothing lost."""

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config_sections import TOPICS
from daemon.digest import (
    MOST_NAMES,
    MOST_PROVIDERS,
    SETTLE_S,
    UNSURE,
    Digest,
    Failure,
    Key,
    Message,
    Seen,
    Trouble,
    is_quiet,
)

DIGEST_S = 900.0
SHARE: Key = ("share_away", "root")
AZURE: Key = ("blocked", "azure")
BUDGET: Key = ("budget", "azure")
LOCAL = timezone(timedelta(hours=1))
NIGHT = (time(22), time(6))


class Telling:
    """A digest with a clock: `at` moves time on second by second, `sent` is what went out with its moment."""

    def __init__(self, quiet: tuple[time, time] | None = None, topics: Any = TOPICS, hour: int = 9) -> None:
        self.digest = Digest(topics, DIGEST_S, quiet)
        self.quiet, self.topics = quiet, topics
        self.now = 1000.0
        self.local = datetime(2026, 1, 30, hour, tzinfo=LOCAL)
        self.seen: dict[Key, Any] = {}
        self.sent: list[tuple[float, Message]] = []

    def begin(self, key: Key, code: str = "share_away", settle_s: float = SETTLE_S) -> None:
        self.seen[key] = Trouble(code=code, since=self.local, facts={"why": "gone"}, settle_s=settle_s)

    def end(self, key: Key) -> None:
        self.seen[key] = None

    def stand(self, key: Key, code: str | None) -> None:
        if code is None:
            self.end(key)
        else:
            self.begin(key, code)

    def fail(self, provider: str = "azure", name: str = "a.txt") -> None:
        self.digest.failed(
            Failure(provider=provider, path=f"failed/{provider}/fr/{name}", why="No."), self.now, self.local
        )

    def pass_(self, seconds: float, step: float = 1.0) -> None:
        end = self.now + seconds
        while True:
            message = self.digest.step(self.seen, self.now, self.local)
            if message is not None:
                self.sent.append((self.now, message))
            if self.now >= end:
                return
            self.now += step
            self.local += timedelta(seconds=step)

    def restart(self, down_s: float = 0.0) -> None:
        """A new process that remembers what the old one wrote; its monotonic clock begins anew."""
        memory = json.loads(json.dumps(self.digest.memory()))
        self.now, self.local = 50.0, self.local + timedelta(seconds=down_s)
        self.digest = Digest(self.topics, DIGEST_S, self.quiet)
        self.digest.remember(memory, self.now, self.local)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kind and code of everything told, in order."""
        return [(item.kind, item.trouble.code) for _, message in self.sent for item in message.items]


class TestStates:
    def test_a_beginning_and_its_end_are_told_once_each(self) -> None:
        """Soon after it began, once it ended, with how long it lasted, and never in between."""
        telling = Telling()
        telling.begin(SHARE)
        began = telling.now
        telling.pass_(7200)
        telling.end(SHARE)
        ended = telling.now
        telling.pass_(7200)

        assert telling.told == [("began", "share_away"), ("ended", "share_away")]
        assert [at for at, _ in telling.sent] == [began + SETTLE_S, ended + SETTLE_S]
        assert telling.sent[1][1].items[0].seconds == 7200

    def test_what_is_over_at_once_is_not_told(self) -> None:
        """A share that is away for a few seconds disturbs nobody."""
        telling = Telling()
        for _ in range(20):
            telling.begin(SHARE)
            telling.pass_(SETTLE_S - 2)
            telling.end(SHARE)
            telling.pass_(300)

        assert telling.sent == []

    def test_a_state_may_take_its_own_time_to_count(self) -> None:
        """An outage that mends itself is given longer."""
        telling = Telling()
        telling.begin(AZURE, "service.unreachable", settle_s=600)
        telling.pass_(599)
        assert telling.sent == []
        telling.pass_(1)

        assert telling.told == [("began", "service.unreachable")]

    def test_a_flapping_share_gives_one_message_in_a_digest(self) -> None:
        """However often it comes and goes; the last word is how it stands."""
        telling = Telling()
        for _ in range(40):
            telling.begin(SHARE)
            telling.pass_(60)
            telling.end(SHARE)
            telling.pass_(60)
        telling.pass_(DIGEST_S + SETTLE_S)
        moments = [at for at, _ in telling.sent]

        assert all(later - earlier >= DIGEST_S for earlier, later in itertools.pairwise(moments))
        assert telling.told[0] == ("began", "share_away")
        assert telling.told[-1][0] in ("ended", "passed")
        assert len(moments) <= 40 * 120 / DIGEST_S + 2

    def test_what_came_and_went_within_a_digest_is_told_in_the_past(self) -> None:
        """With how often, and for how long in all."""
        telling = Telling()
        telling.begin(SHARE)
        telling.pass_(100)
        telling.end(SHARE)
        telling.pass_(DIGEST_S)
        assert telling.told == [("began", "share_away"), ("ended", "share_away")]
        for _ in range(2):
            telling.begin(SHARE)
            telling.pass_(60)
            telling.end(SHARE)
            telling.pass_(60)
        telling.pass_(DIGEST_S)
        [item] = telling.sent[2][1].items

        assert (item.kind, item.times, item.seconds) == ("passed", 2, 120.0)
        assert len(telling.sent) == 3

    def test_one_trouble_that_becomes_another_is_told_again(self) -> None:
        """A person has to do something else now; that the first is over needs no words."""
        telling = Telling()
        telling.begin(BUDGET, "budget.warning")
        telling.pass_(DIGEST_S + 1)
        telling.begin(BUDGET, "budget.spent")
        telling.pass_(DIGEST_S)

        assert telling.told == [("began", "budget.warning"), ("began", "budget.spent")]
        assert telling.sent[1][1].items[0].after == "budget.warning"

    def test_things_at_the_same_time_go_together_in_their_order(self) -> None:
        """One message, the earlier one first."""
        telling = Telling()
        telling.begin(SHARE)
        telling.pass_(2)
        telling.begin(AZURE, "account.key", settle_s=SETTLE_S - 2)
        telling.pass_(SETTLE_S)

        assert len(telling.sent) == 1
        assert telling.told == [("began", "share_away"), ("began", "account.key")]

    def test_what_nothing_is_known_about_stays_as_it_was(self) -> None:
        """An account that nobody has needed since the start has not opened."""
        telling = Telling()
        telling.begin(AZURE, "account.key")
        telling.pass_(60)
        telling.seen[AZURE] = UNSURE
        telling.pass_(5000)
        assert len(telling.sent) == 1
        telling.end(AZURE)
        telling.pass_(60)

        assert telling.told == [("began", "account.key"), ("ended", "account.key")]

    def test_only_what_is_wanted_is_told(self) -> None:
        """`on` names the topics."""
        telling = Telling(topics=["budget"])
        telling.begin(SHARE)
        telling.begin(AZURE, "account.key")
        telling.begin(BUDGET, "budget.spent")
        telling.fail()
        telling.pass_(2 * DIGEST_S)

        assert telling.told == [("began", "budget.spent")]
        assert telling.sent[0][1].failures is None
        assert len(telling.sent) == 1

    def test_what_is_no_longer_configured_is_forgotten(self) -> None:
        """A provider that was taken away has not got well."""
        telling = Telling()
        telling.begin(AZURE, "account.key")
        telling.pass_(60)
        del telling.seen[AZURE]
        telling.pass_(2000)

        assert telling.told == [("began", "account.key")]
        assert telling.digest.memory()["tracks"] == []


class TestFailures:
    def test_they_are_gathered_for_a_digest(self) -> None:
        """From the first of them; counted by provider, the first few with names and reasons."""
        telling = Telling()
        telling.fail("azure", "first.txt")
        telling.pass_(DIGEST_S - 1)
        for number in range(9):
            telling.fail("cambai", f"{number}.txt")
        assert telling.sent == []
        telling.pass_(1)
        [(_, message)] = telling.sent

        assert message.failures is not None
        assert message.failures.counts == {"azure": 1, "cambai": 9}
        assert [one.path for one in message.failures.first][:2] == [
            "failed/azure/fr/first.txt",
            "failed/cambai/fr/0.txt",
        ]
        assert len(message.failures.first) == MOST_NAMES
        telling.pass_(2 * DIGEST_S)
        assert len(telling.sent) == 1

    def test_memory_does_not_grow_with_them(self) -> None:
        """A hundred thousand take no more room than a hundred; none goes uncounted."""
        telling = Telling()
        for number in range(100_000):
            telling.fail(f"provider-{number % 1000}")
        written = len(json.dumps(telling.digest.memory()))
        telling.pass_(DIGEST_S)
        failures = telling.sent[0][1].failures

        assert written < 5000
        assert failures is not None
        assert sum(failures.counts.values()) == 100_000
        assert len(failures.counts) == MOST_PROVIDERS + 1


class TestQuiet:
    @pytest.mark.parametrize(
        ("hours", "at", "quiet"),
        [
            (NIGHT, time(21, 59, 59), False),
            (NIGHT, time(22), True),
            (NIGHT, time(0), True),
            (NIGHT, time(5, 59, 59), True),
            (NIGHT, time(6), False),
            ((time(12), time(13)), time(12, 30), True),
            ((time(12), time(13)), time(13), False),
            ((time(12), time(13)), time(2), False),
            ((time(8), time(8)), time(8), False),
            (None, time(3), False),
        ],
    )
    def test_hours(self, hours: tuple[time, time] | None, at: time, quiet: bool) -> None:
        """From the first up to the second, across midnight where the second is earlier; two equal ones are none."""
        assert is_quiet(hours, at) is quiet

    def test_the_night_is_told_in_one_message_in_the_morning(self) -> None:
        """What holds is told as beginning, what is over as past, failures with their counts."""
        telling = Telling(NIGHT, hour=23)
        telling.pass_(60)
        telling.begin(SHARE)
        telling.pass_(600)
        telling.end(SHARE)
        telling.fail()
        telling.pass_(3600, 5)
        telling.begin(AZURE, "account.key")
        telling.pass_(6.5 * 3600, 5)
        [(_, message)] = telling.sent

        assert telling.told == [("passed", "share_away"), ("began", "account.key")]
        assert message.items[0].seconds == 600
        assert message.failures is not None
        assert message.failures.counts == {"azure": 1}

    def test_it_is_sent_at_their_end_and_not_before(self) -> None:
        """To the second, whatever the digest would say."""
        telling = Telling(NIGHT, hour=5)
        telling.pass_(3590)
        telling.fail()
        telling.pass_(9)
        assert telling.sent == []
        telling.pass_(1)

        assert len(telling.sent) == 1
        assert telling.local.timetz().replace(tzinfo=None) == time(6)

    def test_an_evening_that_was_told_ends_in_the_morning(self) -> None:
        """The end of what was told before the quiet is not lost in it."""
        telling = Telling(NIGHT, hour=21)
        telling.begin(SHARE)
        telling.pass_(2 * 3600, 5)
        telling.end(SHARE)
        telling.pass_(8 * 3600, 5)

        assert telling.told == [("began", "share_away"), ("ended", "share_away")]
        assert telling.sent[1][1].items[0].seconds == 7200


class TestRestart:
    def test_what_was_told_is_not_told_again(self) -> None:
        """The account is still closed when the next process looks."""
        telling = Telling()
        telling.begin(AZURE, "account.key")
        telling.pass_(60)
        telling.restart(down_s=3600)
        telling.pass_(5000)
        telling.end(AZURE)
        telling.pass_(60)

        assert telling.told == [("began", "account.key"), ("ended", "account.key")]
        assert telling.sent[1][1].items[0].seconds >= 3600 + 5000

    def test_what_was_not_told_yet_is_told(self) -> None:
        """A state that holds when the daemon starts is told once, gathered failures when their time has come."""
        telling = Telling()
        telling.begin(AZURE, "account.key")
        telling.fail()
        telling.pass_(10)
        telling.restart(down_s=30)
        telling.pass_(DIGEST_S - 41)
        assert telling.told == [("began", "account.key")]
        assert telling.sent[0][1].failures is None
        telling.pass_(1)

        assert telling.sent[1][1].failures is not None

    @pytest.mark.parametrize(
        "memory", [{}, {"tracks": [{}], "failed": {}}, {"tracks": 1}, {"tracks": [[1]], "failed": 2}]
    )
    def test_a_memory_of_something_else_is_refused(self, memory: Mapping[str, Any]) -> None:
        """By an error that the caller knows, and nothing of it is taken over."""
        digest = Digest(TOPICS, DIGEST_S, None)
        before = digest.memory()
        with pytest.raises((ValueError, KeyError, TypeError)):
            digest.remember(memory, 0.0, datetime.now(UTC))

        assert digest.memory() == before


CODES = st.sampled_from([None, "a", "b", "unsure"])
STEPS = st.lists(
    st.tuples(CODES, CODES, st.integers(0, 3), st.integers(1, 2000), st.booleans()), min_size=1, max_size=40
)
HOURS = st.none() | st.tuples(st.times(), st.times())


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, quiet=HOURS)
def test_whatever_happens(steps: list[tuple[Any, Any, int, int, bool]], quiet: tuple[time, time] | None) -> None:
    """No failure is lost, and in the end people know how everything stands, whatever came and went before."""
    telling = Telling(quiet)
    keys = (SHARE, AZURE)
    truth: dict[Key, str | None] = dict.fromkeys(keys)
    for first, second, failures, seconds, restarts in steps:
        for key, code in zip(keys, (first, second), strict=True):
            if code == "unsure":
                telling.seen[key] = UNSURE
            else:
                truth[key] = code
                telling.stand(key, code)
        for _ in range(failures):
            telling.fail()
        if restarts:
            telling.restart(down_s=seconds)
        telling.pass_(seconds, 7)
    for key, code in truth.items():
        telling.stand(key, code)
    telling.pass_(86400 + 2 * DIGEST_S, 60)
    counted = [one.failures for _, one in telling.sent if one.failures]

    assert sum(sum(one.counts.values()) for one in counted) == sum(step[2] for step in steps)
    assert {key: _believed(telling.sent, key[0]) for key in keys} == truth


def _believed(sent: list[tuple[float, Message]], topic: str) -> str | None:
    """What people believe in the end; beginnings and ends take turns on the way, in the order they happened."""
    believed = None
    for _, message in sent:
        assert [item.at for item in message.items] == sorted(item.at for item in message.items)

        for item in message.items:
            assert item.seconds >= 0
            if item.topic == topic and item.kind == "began":
                assert item.trouble.code != believed
                assert item.after == believed

                believed = item.trouble.code
            elif item.topic == topic and item.kind == "ended":
                assert item.trouble.code == believed

                believed = None
    return believed


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.booleans(), st.integers(1, 1200)), max_size=40), quiet=HOURS)
def test_never_too_often_and_never_in_quiet_hours(
    changes: list[tuple[bool, int]], quiet: tuple[time, time] | None
) -> None:
    """About one thing at most one message in a digest, but for the first one after quiet hours."""
    telling = Telling(quiet)
    start = (telling.now, telling.local)
    for away, seconds in changes:
        telling.stand(SHARE, "share_away" if away else None)
        telling.pass_(seconds)

    def was_quiet(now: float) -> bool:
        return is_quiet(quiet, (start[1] + timedelta(seconds=now - start[0])).time())

    moments = [at for at, _ in telling.sent]

    assert not any(was_quiet(at) for at in moments)
    for earlier, later in itertools.pairwise(moments):
        between = [earlier + second for second in range(int(later - earlier))]
        assert later - earlier >= DIGEST_S or any(was_quiet(at) for at in between)


def test_seen_is_what_its_type_says() -> None:
    """The three answers about one thing."""
    seen: Seen = {SHARE: None, AZURE: UNSURE, BUDGET: Trouble(code="budget.spent", since=datetime.now(UTC))}

    assert Digest(TOPICS, DIGEST_S, None).step(seen, 0.0, datetime.now(UTC)) is None
