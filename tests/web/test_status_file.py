"""`STATUS.html` in the root: written when something changed, fresh, nobody's own file, and never beside the share."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon import disk
from daemon.errors import ShareAwayError
from daemon.view import View
from daemon.web.live import Live
from daemon.web.pages import Pages
from daemon.web.status_file import EVERY_S, FRESH_S, NAME, StatusFile
from tests.builders import Bench, configuration, wait_for


class Written:
    """A bench with its status file, and what lies in the root."""

    def __init__(self, base: Path, bench: Bench) -> None:
        self.bench = bench
        view = View(bench.shop, bench.intake, f"{base}/state", {"events": "none", "scan_s": 30.0})
        self.live = Live(configuration(base), bench.shop, view.facts, bench.house.jobs)
        bench.shop.also_on_closed.append(self.live.past.note)
        self.file = StatusFile(bench.shop, self.live)
        self.path = bench.root / NAME

    @property
    def text(self) -> str:
        return self.path.read_text()

    def later(self, seconds: float = EVERY_S) -> bool:
        """Let time pass; says whether the file was replaced."""
        self.bench.clock.advance(seconds)
        return self.file.write()


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    with Bench(tmp_path) as bench:
        yield Written(tmp_path, bench.start())


def test_it_tells_of_a_file_from_the_inbox_to_its_end(written: Written) -> None:
    """Resting, waiting, failed with its reason and next step."""
    bench = written.bench
    assert written.file.write()
    assert "No file waits." in written.text
    bench.drop("acme/fr/letter.xyz")
    bench.scan()
    assert written.later()
    assert "inbox/acme/fr/letter.xyz" in written.text
    bench.clock.advance(6)
    bench.scan()
    bench.finish()
    assert written.later()

    assert "1 matter needs somebody" in written.text
    assert json.loads((bench.root / "failed/acme/fr/letter.xyz.error.json").read_text())["what_to_do"] in written.text
    assert 'href="failed/acme/fr/"' in written.text


def failed_twice(bench: Bench) -> None:
    """`failed/` holds one.xyz and two.xyz."""
    for name in ("one", "two"):
        bench.drop(f"acme/fr/{name}.xyz")
    bench.settle()
    bench.finish()


def names_of(written: Written) -> list[str]:
    return sorted(row.file.name for row in written.live.page().failed.rows)


def test_a_failed_file_that_somebody_took_away_needs_nobody(written: Written) -> None:
    """It was dealt with; what still lies there stays on the page, and the day's numbers stay as they are."""
    failed_twice(written.bench)
    written.live.clear()
    before = names_of(written)
    (written.bench.root / "failed/acme/fr/one.xyz").unlink()
    written.live.clear()
    one = names_of(written)
    shutil.rmtree(written.bench.root / "failed/acme")
    written.live.clear()
    days = written.live.past.days(written.bench.clock.now()).values()

    assert (before, one, names_of(written)) == (["one.xyz", "two.xyz"], ["two.xyz"], [])
    assert sum(tally.failed for tallies in days for tally in tallies.values()) == 2


def test_a_second_failure_under_the_same_name_is_found(written: Written) -> None:
    """The file of the first one lies there, so it is called `one (2).xyz`, and it stays when the first one goes."""
    for _ in range(2):
        failed_twice(written.bench)
    (written.bench.root / "failed/acme/fr/one.xyz").unlink()
    written.live.clear()

    assert (written.bench.root / "failed/acme/fr/one (2).xyz").exists()
    assert names_of(written) == ["one.xyz", "two.xyz"]


@pytest.mark.parametrize("told", [False, True])
def test_a_share_that_is_away_hides_no_failure(written: Written, told: bool) -> None:
    """An empty mount point says nothing of what lies on the share, whether the daemon knows of it already or not."""
    failed_twice(written.bench)
    if told:
        written.bench.shop.freeze("no marker")
        written.live.clear()
    else:
        written.bench.root.rename(written.bench.base / "elsewhere")
        written.bench.root.mkdir()
        with pytest.raises(ShareAwayError):
            written.live.clear()

    assert names_of(written) == ["one.xyz", "two.xyz"]


def test_the_pages_see_it_by_themselves(tmp_path: Path) -> None:
    """At the beat, in a thread that nobody waits for."""
    with Bench(tmp_path) as bench:
        bench.start()
        view = View(bench.shop, bench.intake, f"{tmp_path}/state", {"events": "none", "scan_s": 30.0})
        pages = Pages(configuration(tmp_path), bench.shop, view.facts, bench.house.jobs, bench.shop.log)
        failed_twice(bench)
        pages.start()
        shutil.rmtree(bench.root / "failed/acme")

        def quiet() -> bool:
            bench.clock.advance(10)
            pages.beat()
            return (bench.root / NAME).exists() and "Nothing is waiting" in (bench.root / NAME).read_text()

        wait_for(quiet, "the failures to go")
        pages.stop()

    assert "xyz" not in (bench.root / NAME).read_text()


def test_it_is_replaced_when_something_changed_and_not_before(written: Written) -> None:
    """At most every few seconds; a quiet daemon leaves the share alone, but the time on the page stays fresh."""
    first = written.file.write()
    quiet = [written.later() for _ in range(int(FRESH_S / EVERY_S) - 1)]
    fresh = written.later()
    written.bench.drop("acme/fr/letter.txt")
    written.bench.scan()
    at_once = written.later(EVERY_S - 1)
    soon = written.later(1)

    assert (first, any(quiet), fresh, at_once, soon) == (True, False, True, False, True)


def test_it_has_the_configured_mode_and_nothing_lies_beside_it(written: Written) -> None:
    """Whatever the umask."""
    before = os.umask(0o077)
    try:
        written.file.write()
    finally:
        os.umask(before)

    assert written.path.stat().st_mode & 0o777 == written.bench.shop.folders.file_mode
    assert not list(written.bench.root.glob(".STATUS*"))


def test_it_says_when_it_was_written_and_what_an_old_one_means(written: Written) -> None:
    """Nobody else can say it for a service that is dead."""
    written.file.write()

    assert "As of 08:00:00, Saturday 31 January 2026" in written.text
    assert "When this is older than five minutes" in written.text
    assert '<meta http-equiv="refresh" content="30">' in written.text


def test_the_last_one_says_that_the_service_was_stopped(written: Written) -> None:
    """Then its age means nothing."""
    written.file.write()
    written.file.write(last=True)

    assert "babeldrop was stopped at 08:00" in written.text
    assert "five minutes" not in written.text


@pytest.mark.parametrize("last", [False, True])
def test_nothing_is_written_while_the_share_is_away(written: Written, last: bool) -> None:
    """Neither when it is known, nor when only the marker is missing; it is written as soon as it is back."""
    bench = written.bench
    bench.shop.freeze("no marker")
    known = written.file.write(last=last)
    bench.shop.thaw()
    aside = bench.root.rename(bench.base / "aside")
    bench.root.mkdir()
    bench.clock.advance(EVERY_S)
    with pytest.raises(ShareAwayError):
        written.file.write(last=last)
    empty = os.listdir(bench.root)
    shutil.rmtree(bench.root)
    aside.rename(bench.root)
    bench.clock.advance(EVERY_S)

    assert (known, empty) == (False, [])
    assert written.file.write(last=last)
    assert written.path.exists()


@pytest.mark.parametrize("kind", ["file", "large", "link", "folder"])
def test_somebody_elses_file_of_that_name_is_left_alone(written: Written, kind: str) -> None:
    """It is said once, and the page is written when it has been moved away."""
    aside = written.bench.base / "notes.html"
    aside.write_text("mine")
    if kind == "link":
        written.path.symlink_to(aside)
    elif kind == "folder":
        written.path.mkdir()
    else:
        written.path.write_text("mine" * (1 if kind == "file" else 1 << 21))
    for _ in range(3):
        written.bench.clock.advance(EVERY_S)
        written.file._round()

    assert aside.read_text() == "mine"
    assert written.path.is_symlink() is (kind == "link")
    assert [line["why"] for line in written.bench.logged("page.failed")] == [
        "[Errno 17] somebody's own STATUS.html lies in the root and is left alone; move it away"
    ]


def test_one_of_an_earlier_start_is_replaced(written: Written) -> None:
    """It says by itself that it is a page of babeldrop."""
    written.file.write()
    again = StatusFile(written.bench.shop, written.live)

    assert again.write()


def test_a_full_share_is_said_once_and_tried_again(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is never worth the work that it tells of."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as trouble:
        trouble.setattr(disk, "write_small", full)
        for _ in range(3):
            written.bench.clock.advance(EVERY_S)
            written.file._round()
    missing = written.path.exists()
    written.bench.clock.advance(EVERY_S)
    written.file._round()

    assert (missing, written.path.exists()) == (False, True)
    assert len(written.bench.logged("page.failed")) == 1


def test_what_ended_on_earlier_days_is_read_once(tmp_path: Path) -> None:
    """From the journal, so that yesterday's failure is still told after a restart."""
    with Bench(tmp_path) as bench:
        bench.start()
        bench.drop("acme/fr/letter.xyz")
        bench.settle()
        bench.finish()
    bench.clock.advance(timedelta(days=1).total_seconds())
    with Bench(tmp_path, bench.clock) as next_day:
        again = Written(tmp_path, next_day.start())
        again.live.remember()
        again.file.write()

        assert "letter.xyz" in again.text
        assert "yesterday" in again.text


class TestThread:
    """The helper that does it."""

    def test_it_writes_when_it_is_woken_and_ends_when_it_is_stopped(self, written: Written) -> None:
        """The last page is of a stopped service."""
        written.file.start()
        written.file.beat()
        wait_for(written.path.exists, "the page")
        alive = written.file.alive
        written.file.stop()

        assert (alive, written.file.alive) == (True, False)
        assert "babeldrop is stopped" in written.text

    def test_one_that_died_is_started_again(self, written: Written) -> None:
        """And said once."""
        written.file.beat()
        wait_for(written.path.exists, "the page")
        written.file.stop()
        written.file.beat()

        assert len(written.bench.logged("page.restarted")) == 1
        assert not written.file.alive
