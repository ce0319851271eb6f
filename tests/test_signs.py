"""Signs in an inbox: STOP holds a folder, `name.cancel` takes a drop back, and neither is ever touched."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from daemon.job import Job, State
from daemon.journal import Journal
from daemon.messages import TEXTS
from daemon.outlook import is_done, waits_for_person
from tests.builders import PROVIDER, Bench, in_memory

TEXT = b"some text\n"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        yield made.start()


def resting(bench: Bench) -> dict[str, str]:
    return {at.path("inbox"): why for at, _, why in bench.intake.resting}


def stops(bench: Bench) -> dict[str, tuple[str, int]]:
    """What holds each folder, and how many drops."""
    return {stop.path: (stop.sign, stop.files) for stop in bench.intake.stops}


def submitting(bench: Bench, job: Job) -> None:
    bench.shop.journal.append(job.id, "submitting", part=0, of=1, attempt=1, sha256="5e2f", route="en-to-fr")


class TestStop:
    """A file called STOP."""

    @pytest.mark.parametrize("where", ["", "acme/", "acme/fr/", "acme/fr/sub/"])
    @pytest.mark.parametrize("sign", ["STOP", "STOP.txt", "stop"])
    def test_holds_its_folder_and_all_below(self, bench: Bench, where: str, sign: str) -> None:
        """Nothing below it is claimed, it is said where and by what, and everything goes on without it."""
        bench.drop("acme/fr/sub/deeper/text.txt")
        sign_path = bench.drop(f"{where}{sign}", b"")

        assert bench.settle() == 0
        assert stops(bench) == {f"inbox/{where}".rstrip("/"): (sign, 1)}
        assert resting(bench) == {"inbox/acme/fr/sub/deeper/text.txt": "folder.stopped"}
        sign_path.unlink()
        assert bench.scan() == 1
        assert (stops(bench), resting(bench)) == ({}, {})

    def test_holds_nothing_else(self, bench: Bench) -> None:
        """Folders beside it and above it go on."""
        bench.drop("acme/fr/sub/STOP", b"")
        bench.drop("acme/fr/sub/held.txt")
        bench.drop("acme/fr/Sub.txt")
        bench.drop("acme/de/text.txt")

        assert bench.settle() == 2
        assert resting(bench) == {"inbox/acme/fr/sub/held.txt": "folder.stopped"}

    def test_is_said_once(self, bench: Bench) -> None:
        """One line when a folder is held and one when it goes on, however often it is looked at."""
        sign = bench.drop("acme/STOP", b"")
        for _ in range(3):
            bench.settle()
        sign.unlink()
        bench.settle()
        lines = [bench.logged("folder.stopped"), bench.logged("folder.goes_on")]

        assert [[(line["path"], line["log_level"]) for line in found] for found in lines] == [
            [("inbox/acme", "info")],
            [("inbox/acme", "info")],
        ]
        assert bench.logged("drop.ignored") == []

    def test_counts_whatever_it_is(self, bench: Bench, tmp_path: Path) -> None:
        """A folder, a link to nowhere or to a file, something that cannot be opened: the name alone counts."""
        outside = tmp_path / "outside"
        outside.write_bytes(TEXT)
        fr = bench.root / "inbox/acme/fr"
        bench.drop("acme/fr/text.txt")
        made: dict[str, Callable[[Path], None]] = {
            "folder": lambda path: path.mkdir(),
            "dangling": lambda path: path.symlink_to("nowhere"),
            "link": lambda path: path.symlink_to(outside),
            "pipe": os.mkfifo,
            "hard": lambda path: os.link(outside, path),
        }
        for make in made.values():
            make(fr / "STOP")

            assert bench.settle() == 0
            assert stops(bench) == {"inbox/acme/fr": ("STOP", 1)}
            (fr / "STOP").rmdir() if (fr / "STOP").is_dir() else (fr / "STOP").unlink()
        assert bench.settle() == 1
        assert outside.read_bytes() == TEXT

    def test_a_look_at_one_folder_sees_those_above(self, bench: Bench) -> None:
        """An event that names one folder only must not claim past a STOP that came meanwhile."""
        bench.drop("acme/fr/text.txt")
        bench.scan()
        bench.drop("STOP", b"")
        bench.clock.advance(6)

        assert bench.intake.scan([(PROVIDER, "fr")], ()) == 0
        assert stops(bench) == {"inbox": ("STOP", 1)}

    def test_that_comes_in_the_middle_of_a_scan(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The claims of one scan take their time: whoever stops them in between does not wait for the next one."""
        for number in range(5):
            bench.drop(f"acme/fr/{number}.txt")
        bench.scan()
        bench.clock.advance(6)
        append = Journal.append

        def stop_after_two(journal: Journal, job: str, event: str, **data: object) -> Job:
            if len(bench.jobs) == 1:
                bench.drop("acme/STOP", b"")
            return append(journal, job, event, **data)

        monkeypatch.setattr(Journal, "append", stop_after_two)

        assert bench.scan() == 2
        bench.clock.advance(6)
        assert bench.scan() == 0
        assert stops(bench) == {"inbox/acme": ("STOP", 3)}

    def test_claimed_before_goes_on(self, bench: Bench) -> None:
        """What has left the inbox is not held any more."""
        bench.drop("acme/fr/text.txt")
        bench.settle()
        bench.drop("STOP", b"")
        bench.scan()

        assert [job.state for job in bench.jobs] == [State.CLAIMED]
        assert len(bench.shop.desks[PROVIDER].lanes.submit.moments()) == 1

    def test_counts_each_drop_for_every_folder_above_it(self, bench: Bench) -> None:
        """Two of them: whoever takes one away still reads how many the other holds."""
        bench.drop("STOP", b"")
        bench.drop("acme/fr/STOP", b"")
        for name in ("fr/a.txt", "fr/b.txt", "de/c.txt"):
            bench.drop(f"acme/{name}")
        bench.settle()
        bench.scan()

        assert stops(bench) == {"inbox": ("STOP", 3), "inbox/acme/fr": ("STOP", 2)}

    def test_a_folder_that_goes_takes_its_stop_with_it(self, bench: Bench) -> None:
        """Nothing is said to be held that is not there."""
        sign = bench.drop("acme/xx/sub/STOP", b"")
        bench.settle()
        assert stops(bench) == {"inbox/acme/xx/sub": ("STOP", 0)}
        sign.unlink()
        sign.parent.rmdir()
        sign.parent.parent.rmdir()
        bench.scan()

        assert stops(bench) == {}
        assert bench.intake.stops == []

    def test_waits_for_a_person(self, bench: Bench) -> None:
        """Who works off what is there (`once`) does not wait for a folder that somebody holds."""
        bench.drop("acme/fr/text.txt")
        bench.drop("acme/STOP", b"")
        bench.settle()

        assert not is_done(bench.shop, bench.intake, 1)
        assert waits_for_person(bench.shop, bench.intake)

    def test_what_still_rests_is_no_affair_of_a_person(self, bench: Bench) -> None:
        """A drop in another folder goes on by itself."""
        bench.drop("acme/fr/text.txt")
        bench.drop("acme/fr/STOP", b"")
        bench.drop("acme/de/text.txt")
        bench.scan()

        assert not waits_for_person(bench.shop, bench.intake)


class TestCancel:
    """`name.cancel` beside a drop."""

    @pytest.mark.parametrize("sign", ["a.txt.cancel", "A.TXT.CANCEL", "a.txt.cancel.txt"])
    def test_a_withdrawn_drop_stays(self, bench: Bench, sign: str) -> None:
        """It is never claimed, that is said once and as no warning, and without the sign it goes on."""
        drop = bench.drop("acme/fr/sub/a.txt")
        other = bench.drop("acme/fr/a.txt")
        cancel = bench.drop(f"acme/fr/sub/{sign}", b"whatever")
        for _ in range(3):
            bench.settle()
        path = "inbox/acme/fr/sub/a.txt"

        assert drop.exists()
        assert not other.exists()
        assert bench.intake.left_as == {path: f"withdrawn: {sign}"}
        assert bench.intake.left == {path: f"withdrawn by {sign} beside it; it is taken when that is removed"}
        assert [(line["path"], line["log_level"]) for line in bench.logged("drop.withdrawn")] == [(path, "info")]
        assert (resting(bench), is_done(bench.shop, bench.intake, 1)) == ({}, False)
        cancel.unlink()
        assert bench.settle() == 1
        assert bench.intake.left == {}

    def test_counts_whatever_it_is(self, bench: Bench) -> None:
        """A folder or a link of that name is a sign as well; it is never followed."""
        bench.drop("acme/fr/a.txt")
        bench.drop("acme/fr/b.txt")
        (bench.root / "inbox/acme/fr/a.txt.cancel").mkdir()
        (bench.root / "inbox/acme/fr/b.txt.cancel").symlink_to("/etc/passwd")

        assert bench.settle() == 0
        assert set(bench.intake.left_as.values()) == {"withdrawn: a.txt.cancel", "withdrawn: b.txt.cancel"}

    def test_deleting_the_drop_is_nothing_to_be_told(self, bench: Bench) -> None:
        """Whoever takes a drop away before its claim has withdrawn it."""
        bench.drop("acme/fr/a.txt").unlink()
        drop = bench.drop("acme/fr/b.txt")
        bench.scan()
        drop.unlink()
        bench.settle()

        assert (bench.jobs, resting(bench), bench.intake.left) == ([], {}, {})
        assert [line for line in bench.captured.entries if line["log_level"] != "info"] == []

    def test_that_comes_right_before_the_claim(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last look before the rename sees it."""
        for name in ("a.txt", "b.txt"):
            bench.drop(f"acme/fr/{name}")
        bench.scan()
        bench.clock.advance(6)
        append = Journal.append

        def cancel(journal: Journal, job: str, event: str, **data: object) -> Job:
            bench.drop("acme/fr/b.txt.cancel", b"")
            return append(journal, job, event, **data)

        monkeypatch.setattr(Journal, "append", cancel)

        assert bench.scan() == 1
        assert [job.name for job in bench.jobs] == ["a.txt"]
        bench.scan()
        assert bench.intake.left_as == {"inbox/acme/fr/b.txt": "withdrawn: b.txt.cancel"}

    def test_after_the_claim_brings_the_original_back(self, bench: Bench) -> None:
        """Nothing has been sent, so the job ends: the original lies in failed/, and the sidecar says why."""
        bench.drop("acme/fr/sub/a.txt")
        bench.drop("acme/fr/a.txt")
        bench.settle()
        bench.drop("acme/fr/sub/a.txt.cancel", b"")
        bench.scan()
        bench.finish()

        assert [job.name for job in bench.jobs] == ["a.txt"]
        assert bench.files("failed")["acme/fr/sub/a.txt"] == TEXT
        assert bench.files("inbox") == {"acme/fr/sub/a.txt.cancel": b""}
        story = bench.files("failed")["acme/fr/sub/a.txt.error.json"].decode()
        assert '"code": "drop.withdrawn"' in story
        assert "somebody put a.txt.cancel into inbox/acme/fr/sub." in story
        # The other job's turn is not lost, and this one's is.
        assert len(bench.shop.desks[PROVIDER].lanes.submit.moments()) == 1

    def test_back_into_the_inbox(self, bench: Bench) -> None:
        """Moved back it is withdrawn as long as the sign lies there, then a new attempt."""
        bench.drop("acme/fr/a.txt")
        bench.settle()
        sign = bench.drop("acme/fr/a.txt.cancel", b"")
        bench.scan()
        bench.finish()
        (bench.root / "failed/acme/fr/a.txt").rename(bench.root / "inbox/acme/fr/a.txt")

        assert bench.settle() == 0
        assert bench.intake.left_as == {"inbox/acme/fr/a.txt": "withdrawn: a.txt.cancel"}
        sign.unlink()
        assert bench.settle() == 1
        assert bench.files("failed") == {}

    def test_after_the_submission_it_is_too_late(self, bench: Bench) -> None:
        """What may have been paid goes on, and the sign is said to have come too late until the job has ended."""
        bench.drop("acme/fr/a.txt")
        bench.settle()
        [job] = bench.jobs
        submitting(bench, job)
        bench.drop("acme/fr/a.txt.cancel", b"")
        bench.scan()

        assert bench.intake.left_as == {"inbox/acme/fr/a.txt.cancel": "too_late"}
        assert [job.state for job in bench.jobs] == [State.SUBMITTING]
        assert [line["log_level"] for line in bench.logged("drop.withdrawn")] == ["info"]
        bench.shop.journal.append(job.id, "refused", part=0, why={"code": "account.throttled"})
        bench.scan()
        assert [job.state for job in bench.jobs] == [State.FAILED]
        assert bench.intake.left == {}

    def test_while_it_is_being_handed_over(self, bench: Bench) -> None:
        """Nothing is decided in that moment; the folder is looked at again soon."""
        bench.drop("acme/fr/a.txt")
        bench.settle()
        [job] = bench.jobs
        bench.drop("acme/fr/a.txt.cancel", b"")
        with bench.shop.alone("hand over", job.id):
            bench.scan()
            assert [one.state for one in bench.jobs] == [State.CLAIMED]
            soon = bench.intake.next_look()
        assert soon is not None
        bench.clock.advance(soon - bench.clock.monotonic())
        bench.intake.scan((), ())

        assert [one.state for one in bench.jobs] == [State.FAILED]

    @pytest.mark.parametrize("state", ["in_flight", "banked"])
    def test_jobs_further_on_are_never_ended(self, bench: Bench, state: str) -> None:
        """From the first byte that may cost money on a sign changes nothing."""
        bench.drop("acme/fr/a.txt")
        bench.settle()
        [job] = bench.jobs
        submitting(bench, job)
        bench.shop.journal.append(job.id, "accepted", part=0, ref="r1")
        if state == "banked":
            bench.shop.journal.append(job.id, "ready", part=0)
            bench.shop.journal.append(job.id, "banked", hash="5e2f", size=1, name="a.txt")
        bench.drop("acme/fr/a.txt.cancel", b"")
        bench.scan()

        assert [one.state.value for one in bench.jobs] == [state]

    def test_says_why_in_the_language_of_the_people(self, tmp_path: Path) -> None:
        """The sidecar is German where the setting says so; log and list of what is left alone are English."""
        with Bench(tmp_path) as bench:
            bench.shop.texts = TEXTS["de"]
            bench.start().drop("acme/fr/Übung.txt")
            bench.settle()
            bench.drop("acme/fr/Übung.txt.cancel", b"")
            bench.scan()
            bench.finish()
            story = bench.files("failed")["acme/fr/Übung.txt.error.json"].decode("utf-8")

            assert "Die Datei wurde zurückgezogen, bevor sie gesendet wurde" in story
            assert "Jemand hat Übung.txt.cancel in inbox/acme/fr abgelegt." in story
            assert "withdrawn before it was sent" in bench.logged("job.failed")[0]["why"]


NAMES = st.sampled_from(["a.txt", "sub/a.txt", "b.txt"])
PLACES = st.sampled_from(["", "acme/", "acme/fr/", "acme/fr/sub/"])


class AnySigns(RuleBasedStateMachine):
    """Drops and signs that come and go in any order, and looks in between."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = in_memory()
        self.bench = Bench(self.memory.__enter__()).start()

    @rule(name=NAMES)
    def drop(self, name: str) -> None:
        self.bench.drop(f"acme/fr/{name}")

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        self.bench.drop(f"acme/fr/{name}.cancel", b"")

    @rule(name=NAMES)
    def go_on(self, name: str) -> None:
        (self.bench.root / f"inbox/acme/fr/{name}.cancel").unlink(missing_ok=True)

    @rule(where=PLACES)
    def stop(self, where: str) -> None:
        self.bench.drop(f"{where}STOP", b"")

    @rule(where=PLACES)
    def start(self, where: str) -> None:
        (self.bench.root / f"inbox/{where}STOP").unlink(missing_ok=True)

    @rule(seconds=st.sampled_from([0.0, 6.0]), whole=st.booleans())
    def look(self, seconds: float, *, whole: bool) -> None:
        """What a scan claims had no sign against it, and all that was old enough and free is claimed."""
        self.bench.clock.advance(seconds)
        before, signed = self._drops(), {name for name in self._drops() if self._is_held(name)}
        old = {at.name for at, rest, _ in self.bench.intake.resting if rest.since + 5.0 <= self.bench.clock.monotonic()}
        self.bench.intake.scan(None if whole else [(PROVIDER, "fr")], ())
        taken = before - self._drops()

        assert taken & signed == set()
        assert (old & before) - signed <= taken
        withdrawn = {path for path, why in self.bench.intake.left_as.items() if why.startswith("withdrawn")}
        assert withdrawn == {f"inbox/acme/fr/{name}" for name in self._drops() if self._is_cancelled(name)}
        unsent = {job.name for job in self.bench.jobs if job.state is State.CLAIMED}
        assert not {name for name in unsent if self._is_cancelled(name)}

    @invariant()
    def nothing_of_the_signs_is_lost(self) -> None:
        """What people put there is theirs."""
        assert all((self.bench.root / f"inbox/{stop.path[6:]}").exists() for stop in self.bench.intake.stops)

    def _drops(self) -> set[str]:
        found = self.bench.files("inbox")
        return {path.removeprefix("acme/fr/") for path in found if path.endswith(".txt")}

    def _is_cancelled(self, name: str) -> bool:
        return (self.bench.root / f"inbox/acme/fr/{name}.cancel").exists()

    def _is_held(self, name: str) -> bool:
        folder = self.bench.root / "inbox/acme/fr" / name
        above = [one for one in folder.parents if one.is_relative_to(self.bench.root / "inbox")]
        return self._is_cancelled(name) or any((one / "STOP").exists() for one in above)

    def teardown(self) -> None:
        self.bench.house.close()
        self.memory.__exit__(None, None, None)


TestAnySigns = AnySigns.TestCase
TestAnySigns.settings = hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None)
