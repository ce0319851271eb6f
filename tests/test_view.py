"""What only the live process knows, as a file: fresh, bounded, in UTC, and without a key."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from daemon import disk, view
from daemon.job import State
from daemon.view import View
from daemon.workshop import Waiting
from tests.builders import PROVIDER, Bench, job_id

DETECTOR = {"events": "inotify", "scan_s": 30.0}


class Watched:
    """A bench and its view, with the number of times that the file was written."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.view = View(bench.shop, bench.intake, f"{bench.base}/state", DETECTOR)
        self.path = bench.base / "state" / view.NAME
        self.writes = 0
        real = disk.write_json

        def counted(folder: int, name: str, value: Any, mode: int) -> None:
            self.writes += 1
            real(folder, name, value, mode)

        monkeypatch.setattr(disk, "write_json", counted)

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_bytes())
        return found

    def change(self, why: str) -> None:
        """Something that the file has to show."""
        self.bench.shop.waiting["a job"] = Waiting(self.bench.clock.monotonic(), why)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with Bench(tmp_path) as bench:
        yield Watched(bench.start(), monkeypatch)


class TestWriting:
    """When the file is replaced."""

    def test_at_most_once_a_second(self, watched: Watched) -> None:
        """However much changes; what changed in between is shown then."""
        for number in range(50):
            watched.change(f"reason {number}")
            watched.view.write()
            watched.bench.clock.advance(0.1)

        assert watched.writes == 5
        watched.bench.clock.advance(1)
        watched.view.write()
        assert watched.read()["waiting"][0]["why"] == "reason 49"

    def test_only_on_change(self, watched: Watched) -> None:
        """A quiet daemon writes nothing within a minute, though time passes."""
        for _ in range(34):
            watched.view.write()
            watched.bench.clock.advance(1.7)

        assert watched.writes == 1

    def test_each_minute_also_without_a_change(self, watched: Watched) -> None:
        """So that an old file tells whoever reads it that it could not be replaced."""
        watched.view.write()
        watched.bench.clock.advance(61.0)
        watched.view.write()

        assert watched.writes == 2

    def test_resting_files_are_no_change_by_themselves(self, watched: Watched) -> None:
        """Moments are shown, not ages, so nothing changes while a file rests."""
        watched.bench.drop("acme/fr/empty.txt", b"")
        watched.bench.scan()
        for _ in range(30):
            watched.bench.clock.advance(1.3)
            watched.bench.scan()
            watched.view.write()

        assert watched.writes == 1

    def test_always_when_asked_to(self, watched: Watched) -> None:
        """At the end of the process the file is made up to date whatever the time."""
        watched.view.write()
        watched.view.write(force=True)

        assert watched.writes == 2

    def test_again_when_it_could_not_be_written(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full disk must not leave an old file behind for good."""
        watched.view.write()
        watched.change("news")
        with monkeypatch.context() as full:
            full.setattr(disk, "write_json", _no_space)
            watched.bench.clock.advance(1)
            with pytest.raises(OSError, match="No space"):
                watched.view.write()
        watched.view.write()
        assert watched.read()["waiting"] == []
        watched.bench.clock.advance(1)
        watched.view.write()

        assert watched.read()["waiting"][0]["why"] == "news"

    def test_everybody_may_read_it(self, watched: Watched) -> None:
        """The command `status` is for every user of the machine; only the daemon writes."""
        watched.view.write()

        assert watched.path.stat().st_mode & 0o777 == 0o644


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


class TestContent:
    """What stands in it."""

    def test_the_state_of_things(self, watched: Watched) -> None:
        """Files that rest, are left alone or wait, jobs by state, accounts, and what the detector does."""
        bench = watched.bench
        bench.drop("acme/fr/good.txt")
        bench.drop("acme/fr/bad.xyz")
        bench.settle()
        bench.finish()
        bench.drop("acme/fr/two\nlines.txt")
        bench.drop("caf\udce9.txt")
        bench.scan()
        bench.clock.advance(0.5)
        watched.view.write()
        found = watched.read()

        assert found["resting"] == [
            {"path": "inbox/acme/fr/two\\x0alines.txt", "since": "2026-01-31T08:00:06.000Z", "why": "settling"}
        ]
        assert found["ignored"] == [
            {
                "path": "inbox/caf\\xe9.txt",
                "why": "not in a language folder: inbox/<provider>/<lang>/",
                "code": "no_language",
            }
        ]
        assert (found["jobs"], found["ended"]) == ({"claimed": 1}, {"failed": 1})
        assert (found["root"], found["detector"]) == (str(bench.root), DETECTOR)
        assert (found["share"]["there"], found["share"]["why"]) == (True, None)
        (account,) = found["accounts"]
        assert (account["providers"], account["door"], account["in_flight"]) == ([PROVIDER], "open", 0)
        assert found["started_at"] == "2026-01-31T08:00:00.000Z"
        assert found["at"] == "2026-01-31T08:00:06.500Z"

    def test_a_share_that_is_away(self, watched: Watched) -> None:
        """The reason stands there until it is back."""
        watched.bench.shop.freeze("no marker")
        share = watched.view.snapshot()["share"]
        assert (share["there"], share["why"], share["since"]) == (False, "no marker", "2026-01-31T08:00:00.000Z")
        watched.bench.shop.thaw()

        assert watched.view.snapshot()["share"] == {"there": True, "why": None, "since": None}

    def test_rows_have_a_bound_and_totals_tell_the_rest(self, watched: Watched) -> None:
        """Ten thousand files make no file of megabytes, and are not hidden either."""
        bench = watched.bench
        for number in range(700):
            bench.drop(f"acme/fr/{number}.txt")
            bench.drop(f"stray {number}.txt")
            bench.shop.waiting[job_id(number)] = Waiting(float("inf"), "account.closed")
        bench.scan()
        found = watched.view.snapshot()

        assert [len(found[what]) for what in ("resting", "ignored", "waiting")] == [500, 500, 500]
        assert [found[f"{what}_total"] for what in ("resting", "ignored", "waiting")] == [700, 700, 700]

    def test_the_files_that_rest_longest_are_listed(self, watched: Watched) -> None:
        """Whatever their names: those are the ones that somebody asks about."""
        bench = watched.bench
        bench.drop("acme/fr/zz first.txt")
        bench.scan()
        bench.clock.advance(0.5)
        for number in range(600):
            bench.drop(f"acme/fr/{number}.txt")
        bench.scan()
        found = watched.view.snapshot()

        assert found["resting"][0]["path"] == "inbox/acme/fr/zz first.txt"
        assert (len(found["resting"]), found["resting_total"]) == (500, 601)

    def test_reasons_are_counted_where_the_list_is_not_whole(self, watched: Watched) -> None:
        """By job, not by part, and apart those that are not submitted yet."""
        bench = watched.bench
        for number in range(3):
            bench.drop(f"acme/fr/{number}.txt")
        bench.settle()
        bench.shop.waiting.clear()
        first, second, third = (job.id for job in bench.house.journal.alive())
        for number in range(600):
            bench.shop.waiting[f"{first}.{number}"] = Waiting(float("inf"), "service.error")
        bench.shop.waiting[second] = Waiting(float("inf"), "service.error")
        bench.shop.waiting[third] = Waiting(float("inf"), "share.away")
        bench.shop.waiting["z" * 16] = Waiting(float("inf"), "of a job that has ended")
        found = watched.view.snapshot()
        bench.shop.waiting = {second: Waiting(float("inf"), "service.error")}

        assert found["reasons"] == [
            {"provider": PROVIDER, "why": "service.error", "jobs": 2, "unsent": 2},
            {"provider": PROVIDER, "why": "share.away", "jobs": 1, "unsent": 1},
        ]
        assert watched.view.snapshot()["reasons"] == []

    def test_the_next_polls_come_from_the_lanes(self, watched: Watched) -> None:
        """The first of each provider, and the parts that are asked about soonest; a pause puts them off."""
        bench = watched.bench
        desk, now = bench.shop.desks[PROVIDER], bench.clock.monotonic()
        none = watched.view.snapshot()
        desk.lanes.poll.put("b.0", now + 30.0)
        desk.lanes.poll.put("a.0", now + 90.0)
        some = watched.view.snapshot()
        desk.account.pause(60.0)
        paused = watched.view.snapshot()

        assert (none["next_polls"], none["polls"]) == ({PROVIDER: None}, [])
        assert some["next_polls"] == {PROVIDER: "2026-01-31T08:00:30.000Z"}
        assert some["polls"] == [
            {"job": "b.0", "at": "2026-01-31T08:00:30.000Z"},
            {"job": "a.0", "at": "2026-01-31T08:01:30.000Z"},
        ]
        assert paused["next_polls"][PROVIDER] >= "2026-01-31T08:01:00.000Z"

    def test_ten_thousand_waiting_jobs_cost_a_glance(self, watched: Watched) -> None:
        """Once a second, so it must be little: neither all jobs are sorted, nor all rows written."""
        bench = watched.bench
        desk = bench.shop.desks[PROVIDER]
        for number in range(10_000):
            bench.shop.waiting[job_id(number)] = Waiting(float(number), "service.unreachable")
            desk.lanes.poll.put(f"{job_id(number)}.0", float(number))
        began = perf_counter()
        watched.view.write(force=True)
        took_s = perf_counter() - began

        assert took_s < 1.0
        assert watched.path.stat().st_size < 250_000

    def test_times_are_utc_in_whole_seconds_or_nothing(self, watched: Watched) -> None:
        """Also for waits that never end by themselves, and after the wall clock was set."""
        bench = watched.bench
        now = bench.clock.monotonic()
        bench.shop.waiting = {"a": Waiting(now + 90.4, "soon"), "b": Waiting(float("inf"), "never")}
        bench.shop.desks[PROVIDER].account.close("account.key", ask_first=True)
        first = watched.view.snapshot()
        bench.clock.jump(3600)
        second = watched.view.snapshot()

        assert [row["until"] for row in first["waiting"]] == ["2026-01-31T08:01:30.000Z", None]
        assert [row["until"] for row in second["waiting"]] == ["2026-01-31T09:01:30.000Z", None]
        (account,) = second["accounts"]
        assert (account["door"], account["reason"]) == ("closed", "account.key")
        for moment in (account["since"], account["next_try"]):
            assert datetime.fromisoformat(moment).utcoffset() == datetime.fromisoformat("2026-01-31T08:00Z").utcoffset()
            assert moment.endswith(".000Z")

    def test_nothing_secret(self, watched: Watched) -> None:
        """No key, and nothing that is made of one."""
        bench = watched.bench
        bench.drop("acme/fr/text.txt")
        bench.settle()
        for desk in bench.shop.desks.values():
            desk.account.close("account.key", ask_first=True)
        watched.view.write(force=True)
        text = watched.path.read_text()

        for desk in bench.shop.desks.values():
            key = desk.settings.api_key.read()
            assert len(key) > 10
            assert key not in text
            assert desk.settings.base_url not in text
        assert "api_key" not in text

    def test_names_that_are_no_text_can_be_written(self, watched: Watched) -> None:
        """A byte that is no UTF-8 in a path or a reason does not keep the file from being written."""
        watched.bench.shop.freeze("/srv/caf\udce9: gone")
        watched.view.write()

        assert watched.read()["share"]["why"] == "/srv/caf\udce9: gone"

    def test_jobs_are_counted_as_they_move(self, watched: Watched) -> None:
        """The counts follow the journal, and a state without jobs is not shown."""
        bench = watched.bench
        bench.drop("acme/fr/bad.xyz")
        bench.settle()
        assert watched.view.snapshot()["jobs"] == {State.FAILED.value: 1}
        bench.finish()

        assert watched.view.snapshot()["jobs"] == {}
        assert watched.view.snapshot()["ended"] == {State.FAILED.value: 1}
