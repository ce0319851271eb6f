"""Files in `processing/` of which the journal knows nothing: adopted once, or put aside, or left alone."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon import disk, sidecar
from daemon.errors import RejectedError
from daemon.folders import MARKER
from daemon.job import PartStage, State
from daemon.settling import Settlements
from daemon.submission import Submissions
from tests.builders import PROVIDER, Bench, Crash, Crashes, in_memory, job_id
from tests.hostile.inbox import as_nobody
from tests.lives import DELIVERED_LIFE

JOB = job_id(1)
TEXT = b"some text\n"


def claimed_file(base: Path, path: str = f"acme/fr/{JOB}/sub/text.txt", content: bytes = TEXT) -> Path:
    """A file as a claim leaves it when the process is killed before its record."""
    target = base / "share/processing" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


@pytest.fixture
def memory() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


def owner(base: Path) -> None:
    """Let the state own its root."""
    with Bench(base) as bench:
        bench.start()


def left(bench: Bench) -> dict[str, str]:
    return {line["path"]: line["why"] for line in bench.logged("processing.left")}


@contextmanager
def closed_to_all(folder: Path) -> Iterator[None]:
    """The folder may not be read for the length of the block."""
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(0o700)


def sidecars(bench: Bench) -> dict[str, dict[str, Any]]:
    return {path: json.loads(data) for path, data in bench.files("failed").items() if path.endswith(".error.json")}


class TestOwner:
    """The root is ours, so whatever is claimed there was claimed by us."""

    def test_goes_on_where_one_folder_may_not_be_read(self, memory: Path) -> None:
        """A restored folder that belongs to somebody else is told; everything beside it goes on."""
        owner(memory)
        claimed_file(memory, f"acme/de/{job_id(2)}/closed.txt")
        claimed_file(memory)
        with as_nobody(memory), closed_to_all(memory / "share/processing/acme/de"), Bench(memory) as bench:
            bench.start()

            assert [job.id for job in bench.jobs] == [JOB]
            assert "may not be read" in left(bench)["processing/acme/de"]

    def test_leaves_the_sidecar_of_a_job_whose_original_is_on_its_way(self, tmp_path: Path) -> None:
        """The sidecar comes first: seen before the original has followed, it is no old one."""
        with Bench(tmp_path) as bench:
            bench.start()
            bench.drop("acme/fr/text.txt", TEXT)
            bench.settle()
            (job,) = bench.jobs
            bench.shop.fail(job, RejectedError("deadline.passed", facts={"deadline": "24 hours"}), "poll")
            told = sidecar.story(bench.jobs[0], kind="silent", route=None)
            beside = tmp_path / "share/failed/acme/fr/text.txt.error.json"
            beside.parent.mkdir(parents=True)
            beside.write_text(json.dumps(told))
        with Bench(tmp_path) as again:
            again.start()

            assert set(again.files("failed")) == {"acme/fr/text.txt.error.json"}

            again.finish()

            assert set(again.files("failed")) == {"acme/fr/text.txt", "acme/fr/text.txt.error.json"}

    def test_adopts_where_the_folder_in_the_inbox_became_a_link(self, tmp_path: Path) -> None:
        """Whatever somebody did to the folder it came from, a claimed file goes on, and so does everything else."""
        owner(tmp_path)
        claimed_file(tmp_path)
        (tmp_path / "share/inbox/acme/fr/sub").symlink_to(tmp_path)
        with Bench(tmp_path) as bench:
            bench.start()

            assert [job.id for job in bench.jobs] == [JOB]

    def test_leaves_what_came_back_from_a_backup(self, tmp_path: Path) -> None:
        """A file of a job that ended long ago is told, not adopted: it would be paid again."""
        with Bench(tmp_path) as bench:
            bench.start()
            bench.drop("acme/fr/text.txt", TEXT)
            bench.settle()
            (job,) = bench.jobs
            for event, data in DELIVERED_LIFE[1:]:
                bench.shop.journal.append(job.id, event, **data)
            assert bench.shop.journal.compact() == 1
        with Bench(tmp_path) as again:
            claimed_file(tmp_path, f"acme/fr/{job.id}/text.txt")
            again.start()

            assert again.jobs == []
            assert ["its job has ended long ago" in why for why in left(again).values()] == [True]

    def test_adopts_a_claim_without_a_record(self, tmp_path: Path) -> None:
        """Provider, language, id and name come from the path; it goes on as freshly claimed."""
        owner(tmp_path)
        claimed_file(tmp_path)
        with Bench(tmp_path) as bench:
            bench.start()
            (job,) = bench.jobs
            lane = bench.shop.desks[PROVIDER].lanes.submit

            assert (job.id, job.provider, job.folder, job.name) == (JOB, "acme", "fr", "sub/text.txt")
            assert (job.state, job.size, job.parts[0].stage) == (State.CLAIMED, len(TEXT), PartStage.NEW)
            assert JOB in lane
            assert len(bench.logged("claim.adopted")) == 1

    def test_adopts_it_once(self, tmp_path: Path) -> None:
        """The share coming back, and further starts, find its record."""
        owner(tmp_path)
        claimed_file(tmp_path)
        with Bench(tmp_path) as bench:
            bench.start()
            bench.arrive()
            assert len(bench.jobs) == 1
        with Bench(tmp_path) as bench:
            bench.start()
            assert len(bench.jobs) == 1
            assert bench.logged("claim.adopted") == []

    @pytest.mark.parametrize(
        ("name", "code"), [("text.xyz", "drop.type"), ("empty.txt", "drop.empty"), ("x/\udce9.xyz", "drop.type")]
    )
    def test_one_that_cannot_be_sent_fails_like_any_other(self, tmp_path: Path, name: str, code: str) -> None:
        """What its name and size say against it counts for an adopted file, too."""
        owner(tmp_path)
        claimed_file(tmp_path, f"acme/fr/{JOB}/{name}", b"" if name == "empty.txt" else TEXT)
        with Bench(tmp_path) as bench:
            bench.start()
            bench.finish()

            assert [story["error"]["code"] for story in sidecars(bench).values()] == [code]
            assert f"acme/fr/{name}" in bench.files("failed")
            assert bench.files("processing") == {}

    def test_finishes_a_claim_that_was_half_a_move(self, tmp_path: Path) -> None:
        """Killed between a second name and the removal of the first: the file is claimed, and its drop is gone."""
        owner(tmp_path)
        target = claimed_file(tmp_path)
        drop = tmp_path / "share/inbox/acme/fr/sub/text.txt"
        drop.parent.mkdir(parents=True)
        os.link(target, drop)
        with Bench(tmp_path) as bench:
            bench.start()

            assert bench.settle() == 0
            assert not drop.exists()
            assert target.stat().st_nlink == 1
            assert [job.id for job in bench.jobs] == [JOB]

    def test_leaves_what_is_no_claim(self, tmp_path: Path) -> None:
        """Links, and whatever else lies under a job's id, stay and are told once; the rest is adopted."""
        owner(tmp_path)
        claimed_file(tmp_path)
        claimed_file(tmp_path, "acme/fr/not a job/text.txt")
        odd = tmp_path / f"share/processing/acme/fr/{job_id(2)}/link.txt"
        odd.parent.mkdir()
        odd.symlink_to(tmp_path)
        os.mkfifo(tmp_path / f"share/processing/acme/fr/{job_id(2)}/pipe.txt")
        with Bench(tmp_path) as bench:
            bench.start()
            bench.arrive()

            assert [job.id for job in bench.jobs] == [JOB]
            assert left(bench) == {
                f"processing/acme/fr/{name} ({job_id(2)})": "not a file of a job under way"
                for name in ("link.txt", "pipe.txt")
            }
            assert len(bench.logged("processing.left")) == 2

    def test_a_second_file_of_one_job_is_no_job(self, tmp_path: Path) -> None:
        """Somebody put a file beside a claimed one: the claim stands, the other is left alone."""
        owner(tmp_path)
        claimed_file(tmp_path, f"acme/fr/{JOB}/a.txt")
        claimed_file(tmp_path, f"acme/fr/{JOB}/b.txt")
        with Bench(tmp_path) as bench:
            bench.start()

            assert len(bench.jobs) == 1
            assert len(bench.logged("processing.left")) == 1

    def test_leaves_the_file_of_a_provider_that_is_not_configured(self, tmp_path: Path) -> None:
        """It waits visibly, and is adopted when the provider is configured again."""
        owner(tmp_path)
        claimed_file(tmp_path, f"beta/fr/{JOB}/text.txt")
        with Bench(tmp_path) as bench:
            bench.start()
            assert bench.jobs == []
            assert left(bench) == {f"processing/beta/fr/text.txt ({JOB})": "its provider is not configured"}
            assert bench.shop.waiting[JOB].why == "provider.removed"
        with Bench(tmp_path, providers=("acme", "beta")) as bench:
            bench.start()
            assert [job.id for job in bench.jobs] == [JOB]

    @pytest.mark.parametrize("restarted", [True, False])
    def test_leaves_the_file_of_a_job_that_has_ended(self, tmp_path: Path, restarted: bool) -> None:
        """A file that comes back under the id of a closed job (from a backup of the share) is never sent again."""
        with Bench(tmp_path) as bench:
            bench.start()
            bench.drop("acme/fr/text.xyz")
            bench.settle()
            (job,) = bench.jobs
            bench.finish()
            assert bench.jobs == []
            if not restarted:
                claimed_file(tmp_path, f"acme/fr/{job.id}/text.xyz")
                bench.arrive()
                assert bench.jobs == []
                assert len(left(bench)) == 1
        claimed_file(tmp_path, f"acme/fr/{job.id}/text.xyz")
        for _ in range(2):
            with Bench(tmp_path) as bench:
                bench.start()
                assert bench.jobs == []
                assert len(left(bench)) == 1

    def test_a_job_that_ends_while_it_looks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Other threads finish jobs meanwhile: a file that was listed just before is not taken for a new claim."""
        with Bench(tmp_path) as bench:
            bench.start()
            bench.drop("acme/fr/text.xyz")
            bench.settle()
            real = disk.list_folder

            def listed(folder: int) -> list[disk.Entry]:
                found = real(folder)
                if any(entry.name == "text.xyz" for entry in found):
                    bench.finish()
                return found

            monkeypatch.setattr(disk, "list_folder", listed)
            bench.arrive()
            assert bench.jobs == []
            assert left(bench) == {}
            assert list(bench.files("failed")) != []
        with Bench(tmp_path) as bench:
            assert bench.start().jobs == []


class TestTakeOver:
    """The root was somebody else's, and nobody knows what was sent of the files in `processing/`."""

    def scene(self, base: Path, *paths: str) -> None:
        """A root that another state has worked with; its record is gone."""
        claimed_file(base)
        for path in paths:
            claimed_file(base, path)
        (base / "share" / MARKER).write_text('{"babeldrop": 1, "root": "root-1", "state": "state-1"}')

    def check(self, bench: Bench) -> None:
        """The file is in failed/, once, with its sidecar, and nothing was or will be submitted."""
        found = bench.files("failed")
        (story,) = sidecars(bench).values()

        assert sorted(found) == ["acme/fr/sub/text.txt", "acme/fr/sub/text.txt.error.json"]
        assert story["error"]["code"] == "submit.uncertain"
        assert "the record of what was sent is gone" in story["what_happened"]
        assert "Acme Translations" in story["what_happened"]
        assert (story["job"], story["file"], story["attempts"]) == (JOB, "text.txt", 0)
        assert bench.files("processing") == {}
        assert not bench.shop.journal.taking_over

    def test_files_without_a_record_are_uncertain(self, tmp_path: Path) -> None:
        """They go to `failed/` with the words of the case; the job ends in the journal like any failed one."""
        self.scene(tmp_path)
        with Bench(tmp_path, take_over=True) as bench:
            bench.start()
            bench.finish()
            self.check(bench)
            assert bench.shop.ended == {State.FAILED: 1}
            assert bench.jobs == []
        with Bench(tmp_path) as bench:
            bench.start()
            self.check(bench)

    def test_what_comes_later_is_adopted(self, tmp_path: Path) -> None:
        """The take-over ends with the look into `processing/`: from then on claims are our own."""
        self.scene(tmp_path)
        with Bench(tmp_path, take_over=True) as bench:
            bench.start()
            bench.finish()
        claimed_file(tmp_path, f"acme/fr/{job_id(2)}/text.txt")
        with Bench(tmp_path) as bench:
            bench.start()
            assert [(job.id, job.state) for job in bench.jobs] == [(job_id(2), State.CLAIMED)]

    def test_waiting_drops_are_taken_as_ever(self, tmp_path: Path) -> None:
        """What still lies in an inbox was never sent by anybody."""
        self.scene(tmp_path)
        with Bench(tmp_path, take_over=True) as bench:
            bench.start()
            bench.drop("acme/fr/waiting.txt")
            assert bench.settle() == 1
            assert {job.name: job.state for job in bench.jobs}["waiting.txt"] is State.CLAIMED

    def test_also_when_the_provider_is_not_configured(self, tmp_path: Path) -> None:
        """Its file fails now: later, with the provider back, nobody would know that it may have been sent."""
        self.scene(tmp_path, f"beta/fr/{job_id(2)}/text.txt")
        with Bench(tmp_path, take_over=True) as bench:
            bench.start()
            bench.finish()
            assert "beta/fr/text.txt" in bench.files("failed")
        with Bench(tmp_path, providers=("acme", "beta")) as bench:
            bench.start()
            assert bench.jobs == []
            assert {story["error"]["code"] for story in sidecars(bench).values()} == {"submit.uncertain"}

    @pytest.mark.parametrize("again", [True, False])
    @pytest.mark.parametrize("native", [True, False])
    def test_killed_at_any_effect(
        self, memory: Path, monkeypatch: pytest.MonkeyPatch, native: bool, again: bool
    ) -> None:
        """Started again, with the option or without: uncertain all the same, once, and never fit to be sent."""
        crashes = Crashes(monkeypatch, native=native)
        at, whole = 0, False
        while not whole:
            at += 1
            base = memory / f"{at}"
            base.mkdir()
            self.scene(base)
            with Bench(base, take_over=True) as bench:
                crashes.arm(at)
                try:
                    bench.start()
                    whole = True
                except Crash:
                    pass
                finally:
                    crashes.arm(0)
            with Bench(base, take_over=again) as bench:
                bench.start()
                for job in bench.jobs:
                    _submit(bench, job.id)
                bench.finish()
                self.check(bench)
        assert at > 20


def _submit(bench: Bench, job: str) -> None:
    """What the engine does with a job in the lane of submissions; the provider here would take anything."""
    desk = bench.shop.desks[PROVIDER]
    if job in desk.lanes.submit:
        assert desk.account.reserve(job)
        Submissions(bench.shop, Settlements(bench.shop)).run(desk, job)
    known = bench.shop.journal.get(job)

    assert known is not None
    assert known.attempts == 0


class TestOutage:
    """The share is not there."""

    def test_nothing_is_concluded(self, tmp_path: Path) -> None:
        """Without its marker nothing is adopted, and a take-over does not end."""
        claimed_file(tmp_path)
        with Bench(tmp_path, take_over=True) as bench:
            (tmp_path / "share" / MARKER).rename(tmp_path / "marker")
            with pytest.raises(Exception, match="no marker of ours"):
                bench.start()
            assert bench.jobs == []
            assert bench.shop.journal.taking_over
            (tmp_path / "marker").rename(tmp_path / "share" / MARKER)
            bench.start()
            assert not bench.shop.journal.taking_over

    def test_a_disk_in_trouble_ends_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While `processing/` cannot be read a take-over goes on: what was not seen is not known."""
        claimed_file(tmp_path)
        with Bench(tmp_path, take_over=True) as bench:
            bench.house.folders.create({})
            with monkeypatch.context() as broken:
                broken.setattr(disk, "list_folder", _broken)
                with pytest.raises(OSError, match="broken"):
                    bench.start()
            assert bench.shop.journal.taking_over
            bench.start()
            assert not bench.shop.journal.taking_over


def _broken(_folder: int) -> list[disk.Entry]:
    raise OSError(5, "broken")
