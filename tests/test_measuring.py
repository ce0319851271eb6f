"""What metrics and health are told of a living daemon: moments and counts of what is really there."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import metrics
from daemon.accounts import Account
from daemon.errors import UncertainError
from daemon.health import health
from daemon.measuring import OTHER, Measures, carry_over
from daemon.providers.base import Accepted, Part
from daemon.settings import Rate
from daemon.settling import Settlements
from daemon.spool import Sink
from daemon.submission import Submissions
from daemon.view import View
from daemon.workshop import Waiting
from tests.builders import PROVIDER, Bench, Silent

DETECTOR = {"events": "inotify", "scan_s": 30.0}


class Looked:
    """A bench with its view, as the daemon has it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.view = View(bench.shop, bench.intake, f"{bench.base}/state", DETECTOR)

    @property
    def measured(self) -> dict[str, Any]:
        """A fresh look; nothing here changes in less than what one may be old."""
        found: dict[str, Any] = Measures(self.bench.shop, self.bench.intake, f"{self.bench.base}/state").latest(0.0)
        return found

    def scanned(self) -> None:
        """What the daemon notes after a full scan."""
        self.bench.shop.tally.scanned(self.bench.clock.monotonic() - 0.25, self.bench.clock.monotonic())


@pytest.fixture
def looked(tmp_path: Path) -> Iterator[Looked]:
    with Bench(tmp_path) as bench:
        yield Looked(bench.start())


def test_a_daemon_that_has_nothing_to_do_is_well(looked: Looked) -> None:
    """From its first scan on, and before that for its first minutes."""
    first = health(looked.view.facts())
    looked.bench.clock.advance(400)
    forgotten = health(looked.view.facts())
    looked.scanned()
    looked.bench.clock.advance(60)
    scanned = health(looked.view.facts())

    assert (first.ok, forgotten.ok, scanned.ok) == (True, False, True)
    assert [reason.code for reason in forgotten.reasons] == ["scan.late"]


def test_jobs_are_counted_where_they_are(looked: Looked) -> None:
    """By provider, folder and state, with the moment of the oldest drop; no folder of people's own making."""
    bench = looked.bench
    bench.shop.desks[PROVIDER].settings.languages.append("fr")
    bench.drop("acme/fr/a.txt")
    bench.settle()
    bench.clock.advance(100)
    bench.drop("acme/fr/b.txt")
    bench.drop("acme/de/c.txt")
    bench.settle()
    found = looked.measured

    assert found["jobs"] == [
        {"provider": PROVIDER, "folder": "fr", "state": "claimed", "count": 2},
        {"provider": PROVIDER, "folder": OTHER, "state": "claimed", "count": 1},
    ]
    assert found["oldest"] == [{"provider": PROVIDER, "state": "claimed", "since": "2026-01-31T08:00:00.000Z"}]


def test_what_rests_is_counted_by_its_reason(looked: Looked) -> None:
    """With how long it has not changed, and since when it has been here in any form."""
    bench = looked.bench
    bench.drop("acme/fr/empty.txt", b"")
    bench.scan()
    bench.clock.advance(20)
    bench.drop("acme/fr/empty.txt", b"").touch()
    bench.drop("acme/fr/new.txt")
    bench.scan()
    found = looked.measured

    assert [(row["why"], row["files"]) for row in found["resting"]] == [("empty", 1), ("settling", 1)]
    assert found["unclaimed_since"] == "2026-01-31T08:00:00.000Z"
    assert found["resting"][1]["since"] == "2026-01-31T08:00:20.000Z"


def test_a_reason_lasts_as_long_as_it_is_the_same(looked: Looked) -> None:
    """Its own words may change meanwhile; another reason begins anew, and a job that went on is forgotten."""
    bench = looked.bench
    bench.drop("acme/fr/a.txt")
    bench.settle()
    job = bench.jobs[0].id
    measures = Measures(bench.shop, bench.intake, f"{bench.base}/state")
    found = []
    for why in ("result.cut: at 3", "result.cut: at 9", "disk.full", None, "disk.full"):
        bench.shop.waiting = {f"{job}.0": Waiting(0.0, why), "gone.0": Waiting(0.0, why)} if why else {}
        found.append([(row["why"], row["jobs"], row["since"][11:19]) for row in measures.latest(0.0)["waits"]])
        bench.clock.advance(60)

    assert found == [
        [("result.cut", 1, "08:00:06")],
        [("result.cut", 1, "08:00:06")],
        [("disk.full", 1, "08:02:06")],
        [],
        [("disk.full", 1, "08:04:06")],
    ]


def test_ended_jobs_are_counted(looked: Looked) -> None:
    """By what became of them, from this start on."""
    bench = looked.bench
    for number in range(3):
        bench.drop(f"acme/fr/{number}.xyz")
    bench.settle()
    bench.finish()
    found = looked.measured

    assert found["failed"] == [{"provider": PROVIDER, "code": "drop.type", "count": 3}]
    assert found["jobs"] == found["oldest"] == []
    assert found["journal_bytes"] == (bench.base / "state/journal.jsonl").stat().st_size


class Silence(Silent):
    """Takes everything, and does not say so."""

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del part, sink
        raise UncertainError("submit.uncertain")


def test_uncertain_submissions_are_counted(looked: Looked) -> None:
    """Also those that are settled afterwards: each may have been billed without a trace."""
    bench = looked.bench
    desk = bench.shop.desks[PROVIDER]
    desk.provider = Silence(desk.settings)
    bench.drop("acme/fr/a.txt")
    bench.settle()
    job = bench.jobs[0].id
    desk.account.reserve(job)
    Submissions(bench.shop, Settlements(bench.shop)).run(desk, job)
    (row,) = looked.measured["providers"]

    assert (row["uncertain"], row["delivered"]) == (1, 0)
    assert row["moved"] == "2026-01-31T08:00:06.000Z"


def test_windows_tell_their_room(tmp_path: Path) -> None:
    """As many requests as may start now; the window of all kinds is `any`."""
    with Bench(tmp_path) as bench:
        looked = Looked(bench.start())
        windows = dict.fromkeys(("*", "submit"), Rate(requests=5, per=60.0))
        account = Account(PROVIDER, windows, None, bench.clock, full=False)
        bench.shop.desks[PROVIDER].account = account
        account.begin("submit")

        assert looked.measured["rooms"] == [
            {"provider": PROVIDER, "verb": "any", "room": 4},
            {"provider": PROVIDER, "verb": "submit", "room": 4},
        ]


def test_totals_go_on_in_the_next_workshop(tmp_path: Path) -> None:
    """Those of a provider that is still there; of another one nothing is told any more."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with Bench(tmp_path / "old") as old, Bench(tmp_path / "new") as new:
        old.start().drop("acme/fr/bad.xyz")
        old.settle()
        old.finish()
        old.shop.desks["removed"] = old.shop.desks[PROVIDER]
        carry_over(old.shop, new.start().shop)

        assert Looked(new).measured["failed"] == [{"provider": PROVIDER, "code": "drop.type", "count": 1}]


@pytest.mark.parametrize(
    ("drop", "code"),
    [("acme/nowhere.txt", "drop.ignored"), ("nobody/fr/a.txt", "drop.ignored"), ("acme/fr/link.txt", "drop.ignored")],
)
def test_a_file_in_the_wrong_place_is_never_green(looked: Looked, drop: str, code: str) -> None:
    """Somebody waits for its translation and will wait for ever."""
    bench = looked.bench
    path = bench.drop(drop)
    if "link" in drop:
        path.unlink()
        path.symlink_to("/etc/hostname")
    bench.scan()
    looked.scanned()

    assert [reason.code for reason in health(looked.view.facts()).reasons] == [code]


@pytest.mark.parametrize(
    ("sign", "code", "left"), [("text.txt.cancel", "drop.withdrawn", 1), ("STOP", "folder.stopped", 0)]
)
def test_what_somebody_asked_for_wakes_nobody(looked: Looked, sign: str, code: str, left: int) -> None:
    """It is said in words and still 200, and it is no file in the wrong place for the metrics either."""
    bench = looked.bench
    bench.drop(f"acme/fr/{sign}", b"")
    bench.drop("acme/fr/text.txt")
    bench.scan()
    looked.scanned()
    facts = looked.view.facts()
    then = health(facts)

    assert (then.code, [reason.code for reason in then.reasons]) == (200, [code])
    assert (facts["ignored_total"], facts["withdrawn_total"]) == (left, left)
    assert b"babeldrop_ignored_files 0.0" in metrics.exposition(facts)


def test_a_share_that_goes_away_is_told_in_time(looked: Looked) -> None:
    """At first it may be a hiccup; after five minutes somebody is called."""
    looked.scanned()
    looked.bench.shop.freeze("no marker")
    found = []
    for _ in range(3):
        found.append(health(looked.view.facts()).code)
        looked.bench.clock.advance(200)

    assert found == [200, 200, 503]


def test_looks_are_taken_once_a_second_at_most(looked: Looked) -> None:
    """Whoever asks a thousand times a second costs no thousand looks at every job."""
    bench = looked.bench
    first = looked.view.facts()["measured"]
    bench.drop("acme/fr/a.txt")
    bench.settle()
    second = looked.view.facts()["measured"]

    assert second["jobs"] != first["jobs"]
    assert looked.view.facts()["measured"] is second


def test_facts_may_be_asked_while_everything_moves(looked: Looked) -> None:
    """From other threads, as a scrape does; none meets a half-made table."""
    bench, broken, ends = looked.bench, list[BaseException](), threading.Event()

    def ask() -> None:
        measures = Measures(bench.shop, bench.intake, f"{bench.base}/state")
        while not ends.is_set():
            try:
                measured = measures.latest(0.0)
                metrics.exposition({**looked.view.snapshot(), "measured": measured, "at": "2026-01-31T09:00:00Z"})
            except Exception as error:  # noqa: BLE001  whatever it is, it must not be
                broken.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(60):
        bench.drop(f"acme/fr/{number}.txt")
        bench.drop(f"acme/fr/{number}.xyz")
        bench.shop.waiting[str(number)] = Waiting(0.0, "drop.busy")
        bench.settle()
        bench.finish()
    ends.set()
    for thread in threads:
        thread.join()

    assert broken == []
