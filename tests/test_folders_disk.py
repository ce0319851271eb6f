"""The moves of a job's file through the root, on a real disk: whole or absent, never over anything, and once."""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon import disk, folders, kernel, names
from daemon.errors import ShareAwayError
from daemon.folders import Folders, Place
from daemon.journal import Identity
from tests.builders import Crash, Crashes, contents, folders_in, in_memory, job_id, place

OURS = Identity(state="state-1", root="root-1")
JOB = job_id(1)
OTHER = job_id(2)
REPORT = place("sub/report.docx")
TEXT = b"the original\n"
RESULT = b"le resultat\n" * 1000


@pytest.fixture(params=["native", "portable"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With the kernel's own calls, and without them as on an old kernel or some network file systems."""
    if request.param == "portable":
        monkeypatch.setattr(kernel, "native", None)
    return str(request.param) == "native"


@pytest.fixture
def narrow() -> Iterator[None]:
    """An umask that would take everything from everybody else."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def made(base: Path) -> Folders:
    """A root with its marker and its folders."""
    (base / "share").mkdir(parents=True)
    root = disk.open_root(f"{base}/share")
    folders.write_marker(root, OURS)
    disk.close(root)
    share = Folders(f"{base}/share", OURS, file_mode=0o664, folder_mode=0o2775)
    share.create({"acme": ["fr", "de"]})
    return share


@dataclass
class Scene:
    """One root, with what the tests do to it."""

    base: Path
    share: Folders = field(init=False)

    def __post_init__(self) -> None:
        self.share = made(self.base)

    @property
    def root(self) -> Path:
        return self.base / "share"

    def drop(self, where: Place = REPORT, content: bytes = TEXT) -> Place:
        path = self.root / where.path("inbox")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return where

    def put(self, path: str, content: bytes = b"a stranger's\n") -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def claim(self, where: Place = REPORT, job: str = JOB) -> disk.Entry:
        with self.share.opened() as root:
            return self.share.claim(root, where, job)

    def claimed(self, where: Place = REPORT, content: bytes = TEXT, job: str = JOB) -> Place:
        self.drop(where, content)
        self.claim(where, job)
        return where

    def fail(self, where: Place = REPORT, job: str = JOB) -> str:
        with self.share.opened() as root:
            return self.share.fail(root, where, job, story(where, job))

    def archive(self, where: Place = REPORT, job: str = JOB) -> None:
        with self.share.opened() as root:
            self.share.archive(root, where, job)

    def banked(self) -> Path:
        """The result of a job in the spool."""
        path = self.base / "result"
        path.write_bytes(RESULT)
        return path

    def stage(self, where: Place = REPORT, job: str = JOB) -> str:
        source = os.open(self.banked(), os.O_RDONLY)
        try:
            with self.share.opened() as root:
                self.share.stage(root, where, job, source)
                return self.share.free_name(root, where, job)
        finally:
            os.close(source)

    def publish(self, name: str, where: Place = REPORT, job: str = JOB) -> bool:
        with self.share.opened() as root:
            return self.share.publish(root, where, job, name)

    def mode(self, path: str) -> int:
        return stat.S_IMODE((self.root / path).stat().st_mode)

    def files(self, top: str) -> dict[str, bytes]:
        return contents(self.root / top)


@pytest.fixture
def base() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, base: Path) -> Scene:
    return Scene(base if request.cls in (TestNames, TestForgetting, TestShareAway) else tmp_path)


def story(where: Place, job: str) -> dict[str, object]:
    """As much of a sidecar as its readers ask for."""
    return {"what_happened": "It failed.", "file": where.base, "job": job, "schema": 1}


def sidecars(found: dict[str, bytes]) -> dict[str, str]:
    """The job of each sidecar, by its path."""
    return {path: json.loads(data)["job"] for path, data in found.items() if path.endswith(".error.json")}


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class TestClaim:
    """From the inbox into `processing/`, with one rename."""

    @pytest.mark.usefixtures("native", "narrow")
    def test_the_path_says_everything_and_is_private(self, scene: Scene) -> None:
        """A claimed file lies at processing/<provider>/<lang>/<job>/sub/name, in folders of mode 0700."""
        scene.drop()
        entry = scene.claim()

        assert scene.files("processing") == {f"acme/fr/{JOB}/sub/report.docx": TEXT}
        assert scene.files("inbox") == {}
        assert entry.stat is not None
        assert entry.stat.st_size == len(TEXT)
        for path in ("processing", "processing/acme", f"processing/acme/fr/{JOB}", f"processing/acme/fr/{JOB}/sub"):
            assert scene.mode(path) == 0o700, path

    def test_the_new_name_is_durable_before_the_old_one_goes(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every folder is synced in its parent, also one that is found; then the rename, the new place, the inbox."""
        scene.drop()
        disk.lasting.clear()
        crashes = Crashes(monkeypatch)
        crashes.arm(0)
        scene.claim()

        made_one = ["mkdir", "fchmod", "fsync"]
        assert crashes.done == ["mkdir", "fsync", *made_one * 4, "rename_noreplace", "fsync", "fsync"]

    @pytest.mark.usefixtures("native")
    def test_nothing_is_made_for_a_file_that_is_gone(self, scene: Scene) -> None:
        """A drop that its owner took back meanwhile leaves no folder behind."""
        scene.drop().path("inbox")
        (scene.root / REPORT.path("inbox")).unlink()

        with pytest.raises(FileNotFoundError):
            scene.claim()
        assert not [path for path in folders_in(scene.root / "processing") if JOB in path]

    @pytest.mark.parametrize("native", [True, False])
    @pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
    def test_a_claim_that_fails_leaves_the_drop_and_nothing_else(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, native: bool, error: int
    ) -> None:
        """Whichever effect fails: the file is in the inbox, whole, and no folder of the job is left."""
        crashes = Crashes(monkeypatch, native=native)
        at = done = 0
        while not done:
            at += 1
            scene = Scene(base / f"{at}")
            scene.drop()
            before = open_descriptors()
            crashes.arm(at, error)
            try:
                scene.claim()
            except OSError:
                assert scene.files("inbox") == {"acme/fr/sub/report.docx": TEXT}, crashes.done
                assert not [path for path in folders_in(scene.root / "processing") if JOB in path], crashes.done
            if crashes.count < at:
                done = at
            assert open_descriptors() == before
        crashes.arm(0)

        assert done > 10

    @pytest.mark.parametrize("native", [True, False])
    def test_a_crash_at_any_effect_leaves_one_file_that_is_found(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, native: bool
    ) -> None:
        """After a kill the file is in the inbox, or listed as claimed, or (half moved) both until it is finished."""
        crashes = Crashes(monkeypatch, native=native)
        for at in range(1, 100):
            scene = Scene(base / f"{at}")
            scene.drop()
            crashes.arm(at)
            try:
                scene.claim()
            except Crash:
                crashes.arm(0)
            else:
                break
            with scene.share.opened() as root:
                found = list(scene.share.claimed(root, []))
                for job, where, _ in found:
                    scene.share.finish_claim(root, where, job)

            assert [(job, where) for job, where, _ in found] == [(JOB, REPORT)] or not found
            assert sorted([*scene.files("inbox").values(), *scene.files("processing").values()]) == [TEXT]

        assert 10 < at < 99

    @pytest.mark.usefixtures("native")
    def test_a_name_that_is_half_moved_is_only_finished_for_the_same_file(self, scene: Scene) -> None:
        """Another file that was dropped under the same name since is not taken away."""
        scene.claimed()
        scene.drop(content=b"a later one\n")
        with scene.share.opened() as root:
            scene.share.finish_claim(root, REPORT, JOB)

        assert scene.files("inbox") == {"acme/fr/sub/report.docx": b"a later one\n"}

    def test_a_listing_goes_on_when_a_job_ends_meanwhile(self, scene: Scene) -> None:
        """A job's folder that vanishes between two steps of the listing hides no other claimed file."""
        for number in range(1, 4):
            scene.claimed(place(f"{number}.txt"), job=job_id(number))
        with scene.share.opened() as root:
            found = scene.share.claimed(root, [])
            first, where, _ = next(found)
            rest = sorted({job_id(1), job_id(2), job_id(3)} - {first})
            gone = scene.root / f"processing/acme/fr/{rest[0]}"
            for path in gone.iterdir():
                path.unlink()
            gone.rmdir()

            assert [job for job, _, _ in found] == rest[1:]
            assert where.name.endswith(".txt")


class TestDelivery:
    """From the bank into the outbox."""

    @pytest.mark.usefixtures("native", "narrow")
    def test_a_result_is_mirrored_with_its_modes(self, scene: Scene) -> None:
        """The sub-folder is mirrored; file and folder modes are those of the configuration, whatever the umask."""
        name = scene.stage()
        assert {f"acme/fr/sub/.{JOB}.part": RESULT} == scene.files("outbox")
        assert scene.publish(name)

        assert scene.files("outbox") == {"acme/fr/sub/report.docx": RESULT}
        assert scene.mode("outbox/acme/fr/sub/report.docx") == 0o664
        for path in ("outbox", "outbox/acme", "outbox/acme/fr", "outbox/acme/fr/sub", "inbox/acme/de", "archive"):
            assert scene.mode(path) == 0o2775, path

    @pytest.mark.usefixtures("native")
    def test_nothing_is_overwritten(self, scene: Scene) -> None:
        """A name that is taken, by whatever, leads to the next number."""
        scene.put("outbox/acme/fr/sub/report.docx")
        (scene.root / "outbox/acme/fr/sub/report (2).docx").mkdir()
        (scene.root / "outbox/acme/fr/sub/report (3).docx").symlink_to("nowhere")
        name = scene.stage()

        assert name == "report (4).docx"
        assert scene.publish(name)
        assert scene.files("outbox") == {
            "acme/fr/sub/report.docx": b"a stranger's\n",
            "acme/fr/sub/report (4).docx": RESULT,
        }

    @pytest.mark.usefixtures("native")
    def test_a_name_taken_after_it_was_chosen(self, scene: Scene) -> None:
        """Between choice and rename somebody may take the name: nothing is replaced, another one is chosen."""
        name = scene.stage()
        scene.put("outbox/acme/fr/sub/report.docx")

        assert not scene.publish(name)
        with scene.share.opened() as root:
            other = scene.share.free_name(root, REPORT, JOB)
        assert scene.publish(other)
        assert scene.files("outbox") == {
            "acme/fr/sub/report.docx": b"a stranger's\n",
            "acme/fr/sub/report (2).docx": RESULT,
        }

    @pytest.mark.usefixtures("native")
    def test_what_was_published_may_have_been_taken_since(self, scene: Scene) -> None:
        """After a crash a missing temporary file means that it was published; it is not made a second time."""
        name = scene.stage()
        assert scene.publish(name)
        (scene.root / "outbox/acme/fr/sub/report.docx").unlink()

        assert scene.publish(name)
        assert scene.files("outbox") == {}

    def test_an_earlier_publication_is_made_durable(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """The crash may have come between rename and sync, so the sync is made up for before it counts."""
        name = scene.stage()
        scene.publish(name)
        crashes = Crashes(monkeypatch)
        crashes.arm(0)
        scene.publish(name)

        assert crashes.done == ["fsync"]

    def test_a_result_is_whole_and_synced_before_it_has_its_name(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Content, then its sync, then the folder's; the name comes with the rename alone."""
        crashes = Crashes(monkeypatch)
        name = scene.stage()
        staged = crashes.done[-6:]
        crashes.arm(0)
        scene.publish(name)

        assert staged == ["unlink", "create", "fchmod", "write", "fdatasync", "fsync"]
        assert crashes.done == ["rename_noreplace", "fsync", "fsync"]

    @pytest.mark.usefixtures("native")
    def test_an_original_is_archived_once_and_its_folders_go(self, scene: Scene) -> None:
        """The original moves with its sub-folder; nothing is left in `processing/`; again changes nothing."""
        scene.claimed()
        scene.put("archive/acme/fr/sub/report.docx")
        scene.archive()
        scene.archive()

        assert scene.files("archive") == {
            "acme/fr/sub/report.docx": b"a stranger's\n",
            "acme/fr/sub/report (2).docx": TEXT,
        }
        assert folders_in(scene.root / "processing") == ["acme", "acme/fr"]

    def test_an_original_is_deleted_where_that_was_chosen(self, scene: Scene) -> None:
        """With `originals: delete` the file goes with its folders; again changes nothing."""
        scene.claimed()
        for _ in range(2):
            with scene.share.opened() as root:
                scene.share.delete_original(root, REPORT, JOB)

        assert scene.files("") == {".babeldrop": (scene.root / ".babeldrop").read_bytes()}
        assert folders_in(scene.root / "processing") == ["acme", "acme/fr"]

    def test_retention_goes_by_the_time_of_archiving(self, scene: Scene) -> None:
        """Files that were archived before the moment go, however old their content; links and folders stay."""
        scene.claimed()
        os.utime(scene.root / f"processing/acme/fr/{JOB}/sub/report.docx", (0, 0))
        scene.archive()
        (scene.root / "archive/acme/fr/link.txt").symlink_to(scene.base)
        archived_at = (scene.root / "archive/acme/fr/sub/report.docx").stat().st_ctime

        assert scene.share.prune_archive(archived_at - 1) == 0
        assert scene.files("archive") == {"acme/fr/sub/report.docx": TEXT}
        assert scene.share.prune_archive(archived_at + 1) == 1
        assert scene.files("archive") == {}
        assert (scene.root / "archive/acme/fr/link.txt").is_symlink()


class TestFailure:
    """Into `failed/`: the sidecar first, then the original."""

    @pytest.mark.usefixtures("native", "narrow")
    def test_original_and_sidecar_lie_side_by_side(self, scene: Scene) -> None:
        """Both have the modes of the configuration; the folders of the claim are gone."""
        scene.claimed()
        (scene.root / f"processing/acme/fr/{JOB}/sub/report.docx").chmod(0o600)
        name = scene.fail()

        assert name == "report.docx"
        assert sorted(scene.files("failed")) == ["acme/fr/sub/report.docx", "acme/fr/sub/report.docx.error.json"]
        assert sidecars(scene.files("failed")) == {"acme/fr/sub/report.docx.error.json": JOB}
        assert scene.mode("failed/acme/fr/sub/report.docx") == 0o664
        assert scene.mode("failed/acme/fr/sub/report.docx.error.json") == 0o664
        assert scene.mode("failed/acme/fr/sub") == 0o2775
        assert folders_in(scene.root / "processing") == ["acme", "acme/fr"]

    def test_the_sidecar_is_durable_before_the_original_moves(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody ever finds a failed file without its reason."""
        scene.claimed()
        (scene.root / "failed/acme/fr/sub").mkdir(parents=True)
        crashes = Crashes(monkeypatch)
        for at in range(1, 40):
            crashes.arm(at)
            try:
                scene.fail()
                break
            except Crash:
                crashes.arm(0)
                if "acme/fr/sub/report.docx" in scene.files("failed"):
                    assert sidecars(scene.files("failed")) == {"acme/fr/sub/report.docx.error.json": JOB}
        crashes.arm(0)

        assert "acme/fr/sub/report.docx" in scene.files("failed")

    @pytest.mark.usefixtures("native")
    def test_failures_of_one_name_each_keep_their_sidecar(self, scene: Scene) -> None:
        """A later failure of the same name gets a number; so does a file whose sidecar's name is taken."""
        for number in range(1, 4):
            scene.claimed(content=b"%d" % number, job=job_id(number))
            scene.fail(job=job_id(number))
        scene.put("failed/acme/fr/sub/other.docx.error.json")
        scene.claimed(place("sub/other.docx"))

        assert scene.fail(place("sub/other.docx")) == "other (2).docx"
        found = scene.files("failed")
        assert {f"acme/fr/sub/report{end}.docx": b"%d" % number for number, end in ((1, ""), (2, " (2)"), (3, " (3)"))}
        assert found["acme/fr/sub/report (3).docx"] == b"3"
        assert found["acme/fr/sub/other.docx.error.json"] == b"a stranger's\n"
        del found["acme/fr/sub/other.docx.error.json"]
        assert sidecars(found) == {
            "acme/fr/sub/report.docx.error.json": job_id(1),
            "acme/fr/sub/report (2).docx.error.json": job_id(2),
            "acme/fr/sub/report (3).docx.error.json": job_id(3),
            "acme/fr/sub/other (2).docx.error.json": JOB,
        }

    @pytest.mark.usefixtures("native")
    def test_an_original_that_was_taken_away_leaves_a_sidecar_alone(self, scene: Scene) -> None:
        """The reason is written also when somebody took the file out of `processing/`; never beside another file."""
        scene.put("failed/acme/fr/sub/report.docx")
        scene.fail()
        scene.fail()

        assert scene.files("failed")["acme/fr/sub/report.docx"] == b"a stranger's\n"
        assert sidecars(scene.files("failed")) == {"acme/fr/sub/report (2).docx.error.json": JOB}

    @pytest.mark.usefixtures("native")
    def test_a_stranger_beside_our_sidecar_does_not_stop_us(self, scene: Scene) -> None:
        """A crash came between sidecar and original, then somebody took the name: both go to the next number."""
        scene.claimed()
        scene.fail()
        failed = scene.root / "failed/acme/fr/sub"
        claimed = scene.root / f"processing/acme/fr/{JOB}/sub"
        claimed.mkdir(parents=True)
        (failed / "report.docx").rename(claimed / "report.docx")
        scene.put("failed/acme/fr/sub/report.docx")

        assert scene.fail() == "report (2).docx"
        assert scene.files("failed")["acme/fr/sub/report.docx"] == b"a stranger's\n"
        assert scene.files("failed")["acme/fr/sub/report (2).docx"] == TEXT
        assert sidecars(scene.files("failed")) == {"acme/fr/sub/report (2).docx.error.json": JOB}


class TestForgetting:
    """The sidecar of a file that was moved back into the inbox goes when the new attempt is claimed."""

    def again(self, scene: Scene, where: Place, failed_name: str, *, with_sidecar: bool = False) -> Place:
        """Move a failed file back (with its sidecar) and claim it; returns its place now."""
        at = place(os.path.join(where.sub, failed_name))
        inbox = (scene.root / at.path("inbox")).parent
        (scene.root / at.path("failed")).rename(scene.root / at.path("inbox"))
        if with_sidecar:
            for path in (scene.root / at.within("failed")).iterdir():
                path.rename(inbox / path.name)
        with scene.share.opened() as root:
            scene.share.claim(root, at, OTHER)
            scene.share.forget_sidecar(root, at, lambda _job: False)
        return at

    @pytest.mark.parametrize("with_sidecar", [False, True])
    @pytest.mark.parametrize(
        "name",
        [
            "report.docx",
            "a" * 250 + ".docx",
            "é" * 124 + ".docx",
            "😀" * 62 + ".docx",
            "e\u0301" * 83 + ".docx",
            os.fsdecode(b"\xff" * 250 + b".docx"),
            "no extension",
        ],
    )
    def test_it_goes_under_any_name(self, scene: Scene, name: str, with_sidecar: bool) -> None:
        """Also when its name had to be cut, and when it was moved back together with its file."""
        where = scene.claimed(place(name))
        self.again(scene, where, scene.fail(where), with_sidecar=with_sidecar)

        assert scene.files("failed") == {}
        assert scene.files("inbox") == {}

    @pytest.mark.parametrize("name", ["report.docx", "a" * 250 + ".docx"])
    def test_it_goes_for_a_numbered_failure(self, scene: Scene, name: str) -> None:
        """`report (2).docx` moved back takes its own sidecar along and leaves the one of `report.docx`."""
        where = scene.claimed(place(name))
        scene.fail(where)
        first = scene.files("failed")
        scene.claimed(where, b"second", job=job_id(3))
        second = scene.fail(where, job=job_id(3))
        assert second != name
        self.again(scene, where, second)

        assert scene.files("failed") == first

    def test_it_stays_while_a_file_of_that_name_is_there(self, scene: Scene) -> None:
        """A new drop that happens to have the name of a failed file takes nothing from that one."""
        scene.claimed()
        scene.fail()
        before = scene.files("failed")
        scene.claimed(job=OTHER)
        with scene.share.opened() as root:
            scene.share.forget_sidecar(root, REPORT, lambda _job: False)

        assert scene.files("failed") == before

    def test_only_our_own_go(self, scene: Scene) -> None:
        """A file that is called like a sidecar and is none of ours stays, and so do sidecars of other files."""
        long = place("a" * 250 + ".docx")
        scene.put("failed/acme/fr/sub/report.docx.error.json", b'{"job": "x"}')
        for index, name in enumerate(("b" * 250 + ".docx", "c.docx")):
            scene.claimed(place(name), job=job_id(10 + index))
            scene.fail(place(name), job=job_id(10 + index))
        before = scene.files("failed")
        with scene.share.opened() as root:
            scene.share.forget_sidecar(root, REPORT, lambda _job: False)
            scene.share.forget_sidecar(root, long, lambda _job: False)

        assert scene.files("failed") == before


NAMES = [
    "a" * 251 + ".txt",
    "é" * 125 + "x.txt",
    "😀" * 62 + "xyz.txt",
    "e\u0301" * 83 + "xy",
    "👩\u200d👩\u200d👧" * 13 + ".txt",
    "two\nlines.txt",
    "-rf.txt",
    "caf\udce9.txt",
    "\udcff" * 255,
    "trailing dot.",
    "trailing space ",
    "CON",
    "a:b.txt",
    "\x1b[31mred.txt",
    "\u202egpj.txt",
    "%2e%2e",
    "report (2).txt",
]


class TestNames:
    """Whatever a file is called, it goes through every folder under a name that exists there once."""

    @pytest.mark.usefixtures("native")
    @pytest.mark.parametrize("name", NAMES, ids=lambda name: names.shown(name)[:20])
    def test_any_name_is_delivered_and_fails(self, scene: Scene, name: str) -> None:
        """Twice each, so that the second time a number (and a cut) is needed."""
        where = place(f"sub/{name}")
        assert len(os.fsencode(name)) <= 255
        for number in (1, 2):
            scene.claimed(where, b"%d" % number, job=job_id(number))
            chosen = scene.stage(where, job_id(number))
            assert scene.publish(chosen, where, job_id(number))
            scene.archive(where, job_id(number))
            scene.claimed(where, b"%d" % number, job=job_id(10 + number))
            scene.fail(where, job=job_id(10 + number))

        assert list(scene.files("outbox").values()) == [RESULT, RESULT]
        assert f"acme/fr/sub/{name}" in scene.files("outbox")
        assert sorted(scene.files("archive").values()) == [b"1", b"2"]
        failed = scene.files("failed")
        told = sidecars(failed)
        assert sorted(told.values()) == [job_id(11), job_id(12)]
        assert sorted(data for path, data in failed.items() if path not in told) == [b"1", b"2"]
        for path, data in failed.items():
            if path not in told:
                beside = names.sidecar_name(os.path.basename(path), job_id(10 + int(data)))
                assert told[os.path.join(os.path.dirname(path), beside)] == job_id(10 + int(data))


def _stopped(base: Path, crashes: Crashes, act: Callable[[Scene], None], kind: int | None) -> Iterator[Scene]:
    """The scene after an action was stopped at each of its effects and then repeated; `kind` is an errno, or
    None for a kill. After a kill the repetition is killed at each of its effects, too.
    """
    first, whole = 0, False
    while not whole:
        first += 1
        second, repeated = 0, False
        while not repeated:
            second += 1
            scene = Scene(base / f"{first}-{second}")
            scene.claimed()
            whole = _ends(scene, crashes, act, first, kind)
            repeated = kind is not None or _ends(scene, crashes, act, second, kind)
            act(scene)
            yield scene


def _ends(scene: Scene, crashes: Crashes, act: Callable[[Scene], None], at: int, kind: int | None) -> bool:
    """Stop an action at one effect; whether it came to its end before that."""
    crashes.arm(at, kind)
    try:
        act(scene)
    except (Crash, OSError):
        return False
    finally:
        crashes.arm(0)
    return True


@pytest.mark.parametrize("native", [True, False], ids=["native", "portable"])
@pytest.mark.parametrize("kind", [None, errno.EIO], ids=["killed", "error"])
class TestCrashes:
    """Stopped after any effect, and again in the repetition, every action ends with one of each."""

    def test_a_delivery(self, base: Path, monkeypatch: pytest.MonkeyPatch, native: bool, kind: int | None) -> None:
        """One result, one archived original, nothing hidden; what was there before stays."""
        crashes = Crashes(monkeypatch, native=native)
        known: dict[Path, tuple[str, str]] = {}

        def deliver(scene: Scene) -> None:
            """The steps as the engine takes them, each known only when it is over."""
            if scene.base not in known:
                scene.put("outbox/acme/fr/sub/report.docx")
            state, name = known.setdefault(scene.base, ("banked", ""))
            while state != "closed":
                if state == "banked":
                    state, name = "publishing", scene.stage()
                elif state == "publishing":
                    assert scene.publish(name)
                    state = "delivered"
                else:
                    scene.archive()
                    state = "closed"
                known[scene.base] = (state, name)

        count = 0
        for scene in _stopped(base, crashes, deliver, kind):
            count += 1

            assert scene.files("outbox") == {
                "acme/fr/sub/report.docx": b"a stranger's\n",
                "acme/fr/sub/report (2).docx": RESULT,
            }
            assert scene.files("archive") == {"acme/fr/sub/report.docx": TEXT}
            assert scene.files("processing") == {}
        assert count > 15

    def test_a_failure(self, base: Path, monkeypatch: pytest.MonkeyPatch, native: bool, kind: int | None) -> None:
        """One original and one sidecar beside it, nothing hidden; an earlier failure of the name stays."""
        crashes = Crashes(monkeypatch, native=native)

        def fail(scene: Scene) -> None:
            if not scene.files("failed"):
                scene.put("failed/acme/fr/sub/report.docx")
                scene.put("failed/acme/fr/sub/report.docx.error.json")
            scene.fail()

        count = 0
        for scene in _stopped(base, crashes, fail, kind):
            count += 1
            found = scene.files("failed")

            assert json.loads(found.pop("acme/fr/sub/report (2).docx.error.json"))["job"] == JOB
            assert found == {
                "acme/fr/sub/report.docx": b"a stranger's\n",
                "acme/fr/sub/report.docx.error.json": b"a stranger's\n",
                "acme/fr/sub/report (2).docx": TEXT,
            }
            assert scene.files("processing") == {}
        assert count > 15

    def test_a_failure_among_strangers(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, native: bool, kind: int | None
    ) -> None:
        """Somebody takes the free names while we are away: still one original, one sidecar, beside each other."""
        crashes = Crashes(monkeypatch, native=native)
        tries: dict[Path, int] = {}

        def fail(scene: Scene) -> None:
            tries[scene.base] = tries.get(scene.base, 0) + 1
            path = scene.root / "failed/acme/fr/sub/report.docx"
            if tries[scene.base] == 2 and not path.exists():
                scene.put("failed/acme/fr/sub/report.docx")
            scene.fail()

        for scene in _stopped(base, crashes, fail, kind):
            found = scene.files("failed")
            told = sidecars(found)
            beside = {path: data for path, data in found.items() if path not in told}

            assert list(told.values()) == [JOB]
            mine = next(iter(told)).removesuffix(".error.json")
            assert beside.pop(mine) == TEXT
            assert set(beside.values()) <= {b"a stranger's\n"}
            assert scene.files("processing") == {}

    def test_an_archived_original(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, native: bool, kind: int | None
    ) -> None:
        """One original in the archive, none left behind, no folder of the job either."""
        crashes = Crashes(monkeypatch, native=native)
        for scene in _stopped(base, crashes, lambda scene: scene.archive(), kind):
            assert scene.files("archive") == {"acme/fr/sub/report.docx": TEXT}
            assert folders_in(scene.root / "processing") == ["acme", "acme/fr"]


class TestShareAway:
    """Without its own marker the root is not there, and nothing is written below it."""

    def away(self, scene: Scene, how: str) -> Path:
        """Take the share away; returns what stands in its place."""
        marker = scene.root / folders.MARKER
        if how == "marker gone":
            marker.unlink()
        elif how == "foreign marker":
            marker.write_text('{"babeldrop": 1, "root": "root-1", "state": "another"}')
        elif how == "damaged marker":
            marker.write_text('{"babeldrop":')
        elif how == "marker is a link":
            marker.rename(scene.base / "marker")
            marker.symlink_to(scene.base / "marker")
        elif how == "marker is huge":
            marker.write_bytes(marker.read_bytes() + b" " * 10_000)
        else:
            scene.root.rename(scene.base / "unmounted")
            if how == "empty mount point":
                scene.root.mkdir()
            elif how == "a file":
                scene.root.write_bytes(b"")
        return scene.root

    @pytest.mark.usefixtures("native")
    @pytest.mark.parametrize(
        "how",
        [
            "marker gone",
            "foreign marker",
            "damaged marker",
            "marker is a link",
            "marker is huge",
            "root missing",
            "empty mount point",
            "a file",
        ],
    )
    def test_everything_stops_at_the_marker(self, scene: Scene, how: str) -> None:
        """Each operation says that the share is away, and what is there stays as it is."""
        scene.claimed()
        root = self.away(scene, how)
        before = (contents(root), folders_in(root))
        operations: list[Callable[[], object]] = [
            lambda: scene.share.create({"acme": ["fr"]}),
            lambda: scene.share.prune_archive(2e12),
            scene.claim,
            scene.fail,
            scene.archive,
            scene.stage,
        ]
        descriptors = open_descriptors()
        for operation in operations:
            with pytest.raises(ShareAwayError):
                operation()

        assert (contents(root), folders_in(root)) == before
        assert open_descriptors() == descriptors

    def test_it_goes_on_when_it_is_back(self, scene: Scene) -> None:
        """The next operation finds the marker, and nothing was inferred meanwhile."""
        scene.claimed()
        root = self.away(scene, "empty mount point")
        with pytest.raises(ShareAwayError):
            scene.archive()
        root.rmdir()
        (scene.base / "unmounted").rename(root)
        scene.archive()

        assert scene.files("archive") == {"acme/fr/sub/report.docx": TEXT}


class TestCreation:
    """The folders that people see."""

    @pytest.mark.usefixtures("native")
    def test_it_can_be_repeated_and_changes_nobody_elses_folder(self, scene: Scene) -> None:
        """A folder that somebody made keeps its mode."""
        (scene.root / "inbox/acme/es").mkdir(mode=0o700)
        scene.share.create({"acme": ["fr", "es"], "other": []})

        assert scene.mode("inbox/acme/es") & 0o777 == 0o700
        assert folders_in(scene.root / "inbox") == ["acme", "acme/de", "acme/es", "acme/fr", "other"]
        assert scene.mode("processing") == 0o700

    @pytest.mark.usefixtures("native")
    def test_one_bad_inbox_stops_no_other(self, scene: Scene) -> None:
        """A link or a file in the place of a language or a provider is left alone; the others are made."""
        (scene.root / "inbox/acme/es").symlink_to(scene.base)
        (scene.root / "inbox/acme/it").write_bytes(b"")
        (scene.root / "inbox/beta").symlink_to(scene.base)
        scene.share.create({"beta": ["fr"], "acme": ["es", "it", "pl"], "gamma": ["fr"]})

        assert {"acme/pl", "gamma/fr"} <= set(folders_in(scene.root / "inbox"))
        assert not (scene.base / "fr").exists()

    def test_a_disk_in_trouble_is_told(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full disk is no matter of one folder: it is tried again as a whole."""
        crashes = Crashes(monkeypatch)
        crashes.arm(1, errno.ENOSPC)

        with pytest.raises(OSError, match="No space"):
            scene.share.create({"acme": ["es"]})
        crashes.arm(0)


class TestListing:
    """What lies in the inboxes."""

    @pytest.mark.usefixtures("native")
    def test_links_are_named_and_never_followed(self, scene: Scene) -> None:
        """A link to a folder, a loop and a dangling link are entries like any other."""
        (scene.base / "outside").mkdir()
        (scene.base / "outside/secret.txt").write_bytes(b"")
        inbox = scene.root / "inbox/acme/fr"
        (inbox / "out").symlink_to(scene.base / "outside")
        (inbox / "loop").symlink_to(".")
        (inbox / "dangling").symlink_to("nowhere")
        with scene.share.opened() as root:
            found = {seen.place.name: seen.entry.kind for seen in scene.share.listing(root, "acme", "fr")}

        assert found == {"out": "link", "loop": "link", "dangling": "link"}

    @pytest.mark.usefixtures("native")
    def test_a_language_folder_that_became_a_link_is_empty(self, scene: Scene) -> None:
        """Swapped between two looks, it is not followed."""
        (scene.root / "inbox/acme/fr").rmdir()
        (scene.root / "inbox/acme/fr").symlink_to(scene.base)
        with scene.share.opened() as root:
            assert not list(scene.share.listing(root, "acme", "fr"))
            assert not list(scene.share.listing(root, "acme", "gone"))

    @pytest.mark.usefixtures("native")
    def test_folders_that_are_never_touched_are_not_looked_into(self, scene: Scene) -> None:
        """Hidden folders, those of storage devices, and what `watch.ignore` names: for folders as for files."""
        for path in (".git/a.txt", "@eaDir/a.txt", "drafts/a.txt", "sub/drafts/a.txt", "sub/a.txt"):
            scene.put(f"inbox/acme/fr/{path}")
        with scene.share.opened() as root:
            found = [seen.place.name for seen in scene.share.listing(root, "acme", "fr", ["drafts"])]

        assert sorted(found) == [".git", "@eaDir", "drafts", "sub/a.txt", "sub/drafts"]

    def test_depth_has_an_end(self, scene: Scene) -> None:
        """Folders below the 32nd level are named and not entered."""
        scene.put("inbox/acme/fr/" + "d/" * 32 + "in.txt")
        scene.put("inbox/acme/fr/" + "e/" * 33 + "out.txt")
        with scene.share.opened() as root:
            found = [(seen.place.name, seen.entry.kind) for seen in scene.share.listing(root, "acme", "fr")]

        assert found == [("d/" * 32 + "in.txt", "file"), ("e/" * 32 + "e", "folder")]

    @pytest.mark.usefixtures("native")
    def test_a_folder_that_cannot_be_read_says_so(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """It hides no other file, and it is not passed over in silence."""
        scene.put("inbox/acme/fr/a/closed.txt")
        scene.put("inbox/acme/fr/b/open.txt")
        real = disk.list_folder

        def listed(folder: int) -> list[disk.Entry]:
            if os.readlink(f"/proc/self/fd/{folder}").endswith("/a"):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(folder)

        monkeypatch.setattr(disk, "list_folder", listed)
        with scene.share.opened() as root:
            found = [(seen.place.name, seen.closed) for seen in scene.share.listing(root, "acme", "fr")]

        assert found == [("a", "Permission denied"), ("b/open.txt", None)]
