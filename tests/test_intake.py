"""From drop to claimed, on a real disk with a clock that tests move: every odd thing, and every moment."""

import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from daemon import disk, kernel, names
from daemon.job import State
from daemon.journal import JournalBrokenError
from daemon.stability import Settle
from tests.builders import PROVIDER, Bench, Crash, Crashes, contents, in_memory

TEXT = b"some text\n"
WHOLE_PDF = b"%PDF-1.7\n...\n%%EOF\n"
CUT_PDF = b"%PDF-1.7\n..."


@pytest.fixture(autouse=True)
def leases() -> Iterator[None]:
    """The kernel asks for a lease back with a signal, which the daemon ignores."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.fixture
def memory() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        yield made.start()


def claimed(bench: Bench) -> list[str]:
    """The names of the jobs that go on; those that failed at the claim are not among them."""
    return sorted(job.name for job in bench.jobs if job.state is State.CLAIMED)


def failed(bench: Bench) -> dict[str, str]:
    """The code of each failure, by path."""
    bench.finish()
    stories = {
        path.removeprefix(f"{PROVIDER}/").removesuffix(".error.json"): json.loads(data)
        for path, data in bench.files("failed").items()
        if path.endswith(".error.json")
    }
    return {path: story["error"]["code"] for path, story in stories.items() if "error" in story}


def ignored(bench: Bench) -> dict[str, str]:
    """What was warned of, which is once for each path."""
    lines = bench.logged("drop.ignored")
    found = {line["path"]: line["why"] for line in lines}

    assert len(found) == len(lines)
    return found


def resting(bench: Bench) -> dict[str, str]:
    return {at.name: why for at, _, why in bench.intake.resting}


class TestOdd:
    """What people and programs put into an inbox; none of it disturbs another file."""

    def test_everything_at_once(self, bench: Bench, tmp_path: Path) -> None:
        """Good files go on, bad ones fail with their reason, the rest stays and is told once or not at all."""
        good = [
            "a" * 251 + ".txt",
            "😀" * 62 + ".txt",
            "two\nlines.txt",
            "-rf.txt",
            os.fsdecode(b"caf\xe9.txt"),
            "\x1b[2J.txt",
            "CON.txt",
            "caf\u00e9.txt",
            "cafe\u0301.txt",
            "CAF\u00c9.txt",
            "x.docx/inside.txt",
            "deep/er/text.txt",
        ]
        for name in good:
            bench.drop(f"acme/fr/{name}")
        untouched = [
            "~$report.docx",
            ".~lock.report.docx#",
            "half.txt.part",
            "half.tmp",
            "half.crdownload",
            ".hidden.txt",
            ".hidden/text.txt",
            "@eaDir/text.txt",
            "Thumbs.db",
            "desktop.ini",
            "note.cancel",
        ]
        for name in untouched:
            bench.drop(f"acme/fr/{name}")
        bench.drop("acme/fr/picture.png")
        bench.drop("acme/fr/noextension")
        bench.drop("acme/fr/large.txt", b"x" * 1_000_001)
        bench.drop("acme/frnch/text.txt")
        bench.drop("acme/fr/empty.txt", b"")
        told = self.strange(bench, tmp_path / "outside")
        bench.settle()
        bench.settle()

        assert claimed(bench) == sorted(good)
        assert failed(bench) == {
            "fr/picture.png": "drop.type",
            "fr/noextension": "drop.type",
            "fr/large.txt": "drop.too_large",
            "frnch/text.txt": "language.unknown",
        }
        assert resting(bench) == {"empty.txt": "empty"}
        assert bench.intake.left == ignored(bench) == told
        for name in untouched:
            assert (bench.root / "inbox/acme/fr" / name).read_bytes() == TEXT
        for path in told:
            assert os.path.lexists(bench.root / path)
        assert contents(tmp_path / "outside") == {"secret.txt": TEXT}

    def strange(self, bench: Bench, outside: Path) -> dict[str, str]:
        """Things that are no plain files, or lie where nothing is taken; returns what is to be said of each."""
        fr = bench.root / "inbox/acme/fr"
        outside.mkdir()
        (outside / "secret.txt").write_bytes(TEXT)
        (fr / "link.txt").symlink_to(outside / "secret.txt")
        (fr / "zero.txt").symlink_to("/dev/zero")
        (fr / "dangling.txt").symlink_to("nowhere")
        (fr / "linked folder").symlink_to(outside)
        (fr / "sub").mkdir()
        (fr / "sub/middle").symlink_to(outside)
        os.link(outside / "secret.txt", fr / "hard.txt")
        os.mkfifo(fr / "pipe.txt")
        here = os.open(fr, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as server:
            # A socket's own path may have 108 bytes only.
            server.bind(f"/proc/self/fd/{here}/socket.txt")
        os.close(here)
        (bench.root / "inbox/acme/es").symlink_to(outside)
        bench.drop("stray.txt")
        bench.drop("acme/stray.txt")
        bench.drop("nobody/fr/text.txt")
        bench.drop("@eaDir/stray.txt")
        bench.drop(".snapshots/acme/stray.txt")
        links = ["fr/link.txt", "fr/zero.txt", "fr/dangling.txt", "fr/linked folder", "fr/sub/middle", "es"]
        return {
            **{f"inbox/acme/{name}": "a symbolic link, never followed" for name in links},
            **{f"inbox/acme/fr/{name}": "no regular file" for name in ("pipe.txt", "socket.txt")},
            "inbox/acme/fr/hard.txt": "it has several names (hard links)",
            "inbox/stray.txt": "not in a language folder: inbox/<provider>/<lang>/",
            "inbox/acme/stray.txt": "not in a language folder: inbox/<provider>/<lang>/",
            "inbox/nobody": "no provider of this name is configured",
        }

    def test_a_huge_file_is_not_read(self, bench: Bench) -> None:
        """A terabyte of nothing fails for its size at once."""
        os.truncate(bench.drop("acme/fr/sparse.txt"), 1 << 40)
        bench.settle()
        (job,) = bench.jobs

        assert job.error is not None
        assert job.error["code"] == "drop.too_large"

    def test_what_is_left_alone_is_forgotten_when_it_goes(self, bench: Bench) -> None:
        """What is shown is what lies there now; a look at its folder is enough."""
        link = bench.root / "inbox/acme/fr/link.txt"
        link.symlink_to("nowhere")
        bench.drop("stray.txt")
        bench.scan()
        link.unlink()
        bench.intake.scan({("acme", "fr")}, ())
        assert list(bench.intake.left) == ["inbox/stray.txt"]
        (bench.root / "inbox/stray.txt").unlink()
        bench.scan()

        assert bench.intake.left == {}

    def test_an_empty_file_has_a_minute(self, bench: Bench) -> None:
        """Many programs make a file first and fill it later; then it fails."""
        bench.drop("acme/fr/empty.txt", b"")
        bench.scan()
        bench.clock.advance(59)
        assert bench.scan() == 0
        bench.clock.advance(1)

        assert bench.scan() == 1
        assert failed(bench) == {"fr/empty.txt": "drop.empty"}

    def test_an_empty_file_that_is_filled(self, bench: Bench) -> None:
        """It goes on like any other."""
        drop = bench.drop("acme/fr/empty.txt", b"")
        bench.settle(30)
        drop.write_bytes(TEXT)

        assert bench.settle() == 1
        assert claimed(bench) == ["empty.txt"]

    @pytest.mark.parametrize("name", ["report.xyz", "é" * 124 + ".xyz"])
    def test_a_sidecar_moved_back_with_its_file(self, bench: Bench, name: str) -> None:
        """The file is tried again; its sidecar is never translated, and goes. One alone stays and says nothing."""
        bench.drop(f"acme/fr/{name}")
        bench.settle()
        bench.finish()
        for path in (bench.root / "failed/acme/fr").iterdir():
            path.rename(bench.root / "inbox/acme/fr" / path.name)
        assert len(bench.files("inbox")) == 2

        assert bench.settle() == 1
        assert bench.files("inbox") == {}
        assert failed(bench) == {f"fr/{_beside(bench, name)}": "drop.type"}
        (bench.root / f"failed/acme/fr/{name}").unlink()
        (sidecar,) = (bench.root / "failed/acme/fr").iterdir()
        sidecar.rename(bench.root / "inbox/acme/fr" / sidecar.name)
        bench.settle()
        assert len(bench.files("inbox")) == 1
        assert (bench.intake.left, resting(bench)) == ({}, {})

    def test_somebody_elses_file_may_be_called_like_a_sidecar(self, bench: Bench) -> None:
        """Only what we wrote is ours."""
        bench.drop("acme/fr/log.error.json", b'{"schema": 1}')

        assert bench.settle() == 1
        assert failed(bench) == {"fr/log.error.json": "drop.type"}

    def test_ignored_names_are_for_folders_too(self, tmp_path: Path) -> None:
        """`watch.ignore` is asked for every step of the way."""
        with Bench(tmp_path, ignore=["draft*", "*.bak"]) as bench:
            bench.start()
            for path in ("fr/drafts/a.txt", "fr/sub/DRAFT/b.txt", "fr/c.bak", "drafts/d.txt", "fr/e.txt"):
                bench.drop(f"acme/{path}")
            bench.settle()

            assert claimed(bench) == ["e.txt"]
            assert bench.intake.left == {}

    def test_a_path_can_be_too_long(self, bench: Bench) -> None:
        """What the kernel would not open after the claim is not claimed."""
        folder = os.open(bench.root / "inbox/acme/fr", os.O_RDONLY)
        for _ in range(15):
            os.mkdir("d" * 250, dir_fd=folder)
            below = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        descriptor = os.open("text.txt", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
        os.write(descriptor, TEXT)
        os.close(descriptor)
        os.close(folder)
        bench.drop("acme/fr/good.txt")
        bench.settle()

        assert claimed(bench) == ["good.txt"]
        assert list(bench.intake.left.values()) == ["too many folders deep"]

    def test_a_folder_that_cannot_be_read(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is told, hides nothing beside it, and its files are taken when it is opened."""
        for path in ("fr/shut/a.txt", "fr/b.txt", "de/c.txt"):
            bench.drop(f"acme/{path}")
        real = disk.list_folder

        def listed(folder: int) -> list[disk.Entry]:
            if os.readlink(f"/proc/self/fd/{folder}").endswith(("/shut", "/de")):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(folder)

        with monkeypatch.context() as closed:
            closed.setattr(disk, "list_folder", listed)
            bench.settle()
            assert claimed(bench) == ["b.txt"]
            assert bench.intake.left == {
                "inbox/acme/de": "cannot be read: Permission denied",
                "inbox/acme/fr/shut": "cannot be read: Permission denied",
            }
        bench.settle()

        assert claimed(bench) == ["b.txt", "c.txt", "shut/a.txt"]
        assert bench.intake.left == {}


def _beside(bench: Bench, name: str) -> str:
    """What stands before `.error.json` in the name of a file's sidecar."""
    (path,) = [path for path in bench.files("failed") if path.endswith(".error.json")]
    job = json.loads(bench.files("failed")[path])["job"]
    return names.sidecar_name(name, job).removesuffix(".error.json")


class TestRest:
    """When a drop counts as complete."""

    def test_files_that_are_there_at_the_start(self, tmp_path: Path) -> None:
        """Nobody has to drop them again; they rest like any other."""
        with Bench(tmp_path) as bench:
            bench.drop("acme/fr/text.txt")
            bench.start()

            assert bench.scan() == 0
            assert bench.intake.next_look() == bench.clock.monotonic() + 1
            bench.clock.advance(1)
            assert bench.scan() == 1
            assert bench.intake.next_look() is None

    def test_a_tree_that_is_moved_in(self, bench: Bench, tmp_path: Path) -> None:
        """Every file in it is taken, with its folders."""
        for name in ("a.txt", "b/c.txt", "b/d/e.txt"):
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(TEXT)
        (tmp_path / "tree").rename(bench.root / "inbox/acme/fr/tree")

        assert bench.settle() == 3
        assert claimed(bench) == ["tree/a.txt", "tree/b/c.txt", "tree/b/d/e.txt"]

    def test_a_change_begins_the_rest_anew(self, bench: Bench) -> None:
        """However often somebody writes: the rest counts from the last change that was seen."""
        drop = bench.drop("acme/fr/text.txt")
        bench.scan()
        for number in range(5):
            bench.clock.advance(0.9)
            drop.write_bytes(TEXT * (number + 2))
            assert bench.scan() == 0
        bench.clock.advance(0.9)
        assert bench.scan() == 0
        bench.clock.advance(0.1)

        assert bench.scan() == 1

    def test_a_file_that_is_put_in_its_place(self, bench: Bench) -> None:
        """Same size, same times, another inode: a change."""
        drop = bench.drop("acme/fr/text.txt")
        os.utime(drop, ns=(1, 1))
        bench.scan()
        bench.clock.advance(0.5)
        other = bench.drop("acme/fr/.other", b"other txt\n")
        os.utime(other, ns=(1, 1))
        other.rename(drop)
        bench.scan()
        bench.clock.advance(0.9)

        assert bench.scan() == 0

    def test_a_writer_is_waited_for(self, bench: Bench) -> None:
        """While a program has the file open for writing it is not taken, however long it is silent."""
        drop = bench.drop("acme/fr/text.txt")
        with drop.open("ab") as writer:
            bench.settle(3600)
            assert resting(bench) == {"text.txt": "open"}
            writer.write(b"more\n")
        assert bench.settle(1) == 1
        assert list(bench.files("processing").values()) == [TEXT + b"more\n"]

    def test_no_lease_is_left_behind(self, bench: Bench) -> None:
        """After the look, taken or not, a writer gets the file at once."""
        drop = bench.drop("acme/fr/text.pdf", CUT_PDF)
        bench.settle(10)
        descriptor = os.open(drop, os.O_WRONLY | os.O_NONBLOCK)
        os.close(descriptor)

        assert resting(bench) == {"text.pdf": "no_end"}

    def test_without_a_lease_it_rests_longer(self, bench: Bench) -> None:
        """A file of somebody else gives no lease, so that a writer could not be seen: five seconds."""
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        bench.drop("acme/fr/text.txt")
        bench.scan()
        bench.clock.advance(4.9)
        assert bench.scan() == 0
        bench.clock.advance(0.1)

        assert bench.scan() == 1

    def test_on_a_network_file_system_it_rests_longest(self, tmp_path: Path) -> None:
        """A lease proves nothing there: ten seconds, also for what arrived whole."""
        with Bench(tmp_path, settle=Settle.on(network=True)) as bench:
            bench.start()
            bench.drop("acme/fr/text.txt")
            assert bench.scan(["inbox/acme/fr/text.txt"]) == 0
            bench.clock.advance(9.9)
            assert bench.scan() == 0
            bench.clock.advance(0.1)

            assert bench.scan() == 1

    @pytest.mark.parametrize("name", ["text.txt", "sub/caf\udce9\n.txt"])
    def test_what_arrived_whole_is_taken_at_once(self, bench: Bench, name: str) -> None:
        """A file that was renamed in needs no rest, when a lease says that nobody writes to it."""
        bench.drop(f"acme/fr/{name}")

        assert bench.scan([f"inbox/acme/fr/{name}"]) == 1

    def test_what_arrived_whole_may_still_be_written_to(self, bench: Bench) -> None:
        """A rename says nothing about a program that keeps the file open."""
        drop = bench.drop("acme/fr/text.txt")
        with drop.open("ab"):
            assert bench.scan(["inbox/acme/fr/text.txt"]) == 0
        bench.clock.advance(1)

        assert bench.scan() == 1

    def test_a_document_without_its_end_gets_another_minute(self, bench: Bench) -> None:
        """Then it goes on, with a warning; one that shows its end is not kept waiting."""
        bench.drop("acme/fr/cut.pdf", CUT_PDF)
        bench.drop("acme/fr/whole.pdf", WHOLE_PDF)
        assert bench.settle(1) == 1
        assert resting(bench) == {"cut.pdf": "no_end"}
        bench.clock.advance(59)
        assert bench.scan() == 0
        bench.clock.advance(1)

        assert bench.scan() == 1
        (line,) = bench.logged("drop.odd")
        assert line["file"] == "cut.pdf"
        assert "may be incomplete" in line["why"]

    def test_a_document_whose_end_comes(self, bench: Bench) -> None:
        """It rests from its last change and goes on without a warning."""
        drop = bench.drop("acme/fr/cut.pdf", CUT_PDF)
        bench.settle(30)
        drop.write_bytes(WHOLE_PDF)

        assert bench.settle(1) == 1
        assert bench.logged("drop.odd") == []

    def test_a_folder_whose_rest_ends_is_looked_at(self, bench: Bench) -> None:
        """A look at named folders takes along those where something may be complete by now, and no others."""
        bench.drop("acme/fr/text.txt")
        bench.scan()
        bench.drop("acme/de/text.txt")
        bench.clock.advance(1)
        assert bench.intake.scan(set(), ()) == 1
        assert resting(bench) == {}
        assert bench.intake.scan({("acme", "de")}, ()) == 0

        assert resting(bench) == {"text.txt": "settling"}

    def test_what_rests_is_forgotten_when_it_is_gone(self, bench: Bench) -> None:
        """Taken back, renamed, or turned into something that is never taken: it is not shown any more."""
        gone, moved, linked = (bench.drop(f"acme/fr/{name}.txt") for name in ("gone", "moved", "linked"))
        bench.scan()
        gone.unlink()
        moved.rename(moved.with_name("new.txt"))
        os.link(linked, bench.root / "a second name")
        bench.clock.advance(1)
        bench.scan()

        assert resting(bench) == {"new.txt": "settling"}

    def test_the_inbox_itself_is_taken_away(self, bench: Bench) -> None:
        """That is trouble, not an answer: nothing is concluded, and made anew it is used again."""
        bench.drop("acme/fr/text.txt")
        bench.scan()
        (bench.root / "inbox").rename(bench.base / "inbox")
        with pytest.raises(FileNotFoundError):
            bench.scan()
        bench.arrive()

        assert bench.settle() == 0
        (bench.base / "inbox/acme/fr/text.txt").rename(bench.root / "inbox/acme/fr/text.txt")
        assert bench.settle() == 1

    def test_the_moment_of_the_drop_is_kept(self, bench: Bench) -> None:
        """`dropped_at` is when the file was first seen, not when it came to rest."""
        seen = bench.clock.now()
        drop = bench.drop("acme/fr/text.txt")
        bench.scan()
        bench.clock.advance(10)
        drop.write_bytes(TEXT * 2)
        bench.settle()
        (job,) = bench.jobs

        assert job.dropped_at == seen
        assert (job.claimed_at - seen).total_seconds() == 16


class TestClaim:
    """The rename that takes a drop."""

    def test_a_file_changed_between_look_and_claim_rests_again(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The signature is compared after the rename; a changed file is ours, and is not sent yet."""
        drop = bench.drop("acme/fr/text.txt")

        def late(_descriptor: int) -> str:
            drop.write_bytes(TEXT * 3)
            return "proven"

        bench.scan()
        bench.clock.advance(1)
        monkeypatch.setattr(kernel, "take_lease", late)
        assert bench.scan() == 1
        (job,) = bench.jobs
        lane = bench.shop.desks[PROVIDER].lanes.submit

        assert bench.shop.waiting[job.id].why == "drop.changing"
        assert bench.shop.next_due(lane) == bench.clock.monotonic() + 5
        assert job.size == len(TEXT) * 3

    def test_a_file_that_vanishes_before_its_claim(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """It was taken back: no job, no trace, no trouble for the next one."""
        drop = bench.drop("acme/fr/a.txt")
        bench.drop("acme/fr/b.txt")
        real = kernel.take_lease

        def late(descriptor: int) -> str:
            drop.unlink(missing_ok=True)
            return real(descriptor)

        bench.scan()
        bench.clock.advance(1)
        monkeypatch.setattr(kernel, "take_lease", late)

        assert bench.scan() == 1
        assert claimed(bench) == ["b.txt"]
        assert resting(bench) == bench.intake.left == {}

    @pytest.mark.parametrize("what", ["link", "hard link", "fifo", "folder", "gone"])
    def test_another_thing_put_in_its_place_is_not_taken(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        """Swapped between listing and opening: never opened, never claimed, and named at the next look."""
        drop = bench.drop("acme/fr/text.txt")
        secret = tmp_path / "secret.txt"
        secret.write_bytes(TEXT)
        swap: dict[str, Callable[[], object]] = {
            "link": lambda: drop.symlink_to(secret),
            "hard link": lambda: os.link(secret, drop),
            "fifo": lambda: os.mkfifo(drop),
            "folder": drop.mkdir,
            "gone": lambda: None,
        }
        real = disk.open_file

        def late(root: int, path: str) -> int:
            drop.unlink()
            swap[what]()
            return real(root, path)

        bench.scan()
        bench.clock.advance(60)
        with monkeypatch.context() as swapping:
            swapping.setattr(disk, "open_file", late)
            assert bench.scan() == 0
        assert bench.files("processing") == {}
        bench.settle(60)

        assert bench.jobs == []
        assert len(bench.intake.left) == (what not in ("folder", "gone"))

    def test_a_file_that_may_not_be_read_is_taken_and_fails_later(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The claim needs no reading; without a lease it comes after the longer rest."""

        def refused(_root: int, path: str) -> int:
            raise PermissionError(errno.EACCES, "Permission denied", path)

        monkeypatch.setattr(disk, "open_file", refused)
        bench.drop("acme/fr/text.txt")
        bench.scan()
        bench.clock.advance(4.9)
        assert bench.scan() == 0
        bench.clock.advance(0.1)

        assert bench.scan() == 1

    @pytest.mark.parametrize("error", [errno.EIO, errno.EMFILE, errno.ESTALE, errno.EBUSY])
    def test_trouble_of_the_disk_says_nothing_about_the_file(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, error: int
    ) -> None:
        """It is neither taken nor failed, but looked at again."""

        def broken(_root: int, path: str) -> int:
            raise OSError(error, os.strerror(error), path)

        bench.drop("acme/fr/text.txt")
        with monkeypatch.context() as trouble:
            trouble.setattr(disk, "open_file", broken)
            bench.settle(100)
            assert resting(bench) == {"text.txt": "settling"}
            assert bench.intake.next_look() == bench.clock.monotonic() + 5

        assert bench.scan() == 1

    def test_a_claim_that_is_refused_is_told_until_it_works(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The drop stays, visibly, and the others are claimed; when the rename is allowed it goes on."""
        for name in ("a.txt", "b.txt", "c.txt"):
            bench.drop(f"acme/fr/{name}")
        real = disk.rename_noreplace

        def refusing(source: int, name: str, into: int, to: str) -> None:
            if name == "b.txt":
                raise PermissionError(errno.EACCES, "Permission denied", name)
            real(source, name, into, to)

        with monkeypatch.context() as refused:
            refused.setattr(disk, "rename_noreplace", refusing)
            assert bench.settle() == 2
            bench.scan()
            assert bench.intake.left == {"inbox/acme/fr/b.txt": "cannot be moved: Permission denied"}
            assert len(ignored(bench)) == 1
            assert resting(bench).keys() == {"b.txt"}

        assert bench.scan() == 1
        assert bench.intake.left == resting(bench) == {}

    @pytest.mark.parametrize("native", [True, False])
    @pytest.mark.parametrize("kind", [None, errno.ENOSPC, errno.EIO], ids=["killed", "full", "broken"])
    def test_stopped_at_any_effect_there_is_one_job_in_the_end(
        self, memory: Path, monkeypatch: pytest.MonkeyPatch, kind: int | None, native: bool
    ) -> None:
        """From the folder of the claim to its record: after a new start, or just at the next look."""
        crashes = Crashes(monkeypatch, native=native)
        at, whole = 0, False
        while not whole:
            at += 1
            base = memory / f"{at}"
            base.mkdir()
            with Bench(base) as bench:
                bench.start().drop("acme/fr/sub/text.txt")
                bench.scan()
                bench.clock.advance(1)
                crashes.arm(at, kind)
                ended = False
                try:
                    bench.scan()
                except (Crash, JournalBrokenError):
                    ended = True
                finally:
                    whole = crashes.count < at
                    crashes.arm(0)
                if not ended:
                    bench.settle(100)
                    assert claimed(bench) == ["sub/text.txt"]
            with Bench(base) as bench:
                bench.start().settle(100)

                assert claimed(bench) == ["sub/text.txt"]
                assert bench.files("inbox") == {}
                assert list(bench.files("processing").values()) == [TEXT]
        assert at > 15

    def test_ids_rise_in_the_order_of_the_claims(self, bench: Bench) -> None:
        """Also within one millisecond, and when the wall clock is set back."""
        for number in range(20):
            bench.drop(f"acme/fr/{number:02}.txt")
        bench.settle()
        bench.clock.jump(-3600)
        bench.drop("acme/fr/later.txt")
        bench.settle()

        assert [job.name for job in bench.jobs] == [*(f"{number:02}.txt" for number in range(20)), "later.txt"]

    def test_the_same_name_again_is_another_job(self, bench: Bench) -> None:
        """Whether the first one is still under way or not."""
        for _ in range(3):
            bench.drop("acme/fr/text.txt")
            bench.settle()

        assert claimed(bench) == ["text.txt"] * 3
        assert len(bench.files("processing")) == 3

    def test_a_stop_is_heard_between_two_files(self, bench: Bench) -> None:
        """Nothing more is claimed once the daemon stops."""
        bench.drop("acme/fr/text.txt")
        bench.scan()
        bench.clock.advance(1)
        bench.shop.stopping.set()

        assert bench.scan() == 0
        assert bench.jobs == []

    def test_ten_thousand_files(self, memory: Path) -> None:
        """All are seen in one look, and all are claimed in another."""
        with Bench(memory) as bench:
            bench.start()
            for folder in range(100):
                (bench.root / f"inbox/acme/fr/{folder}").mkdir()
                for number in range(100):
                    bench.drop(f"acme/fr/{folder}/{number}.txt", b"x")
            assert bench.scan() == 0
            assert len(bench.intake.resting) == 10_000
            bench.clock.advance(1)

            assert bench.scan() == 10_000
            assert len(bench.jobs) == 10_000
            assert bench.files("inbox") == {}


NAMES = st.sampled_from(["a.txt", "b.txt", "c.pdf", "sub/d.txt", "\udcff.txt"])


class AnyHistory(RuleBasedStateMachine):
    """Whatever people do to an inbox, in any order with any looks: every file that is left in the end is claimed,
    once, with the bytes it had; none is claimed while somebody writes to it or before it has rested.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        self.left = ExitStack()
        self.bench = self.left.enter_context(Bench(self.left.enter_context(in_memory()))).start()
        self.inbox = self.bench.root / "inbox/acme/fr"
        self.expected: dict[str, bytes] = {}
        self.changed: dict[str, float] = {}
        self.writers: dict[str, Any] = {}
        self.claims = 0
        self.times = 1

    def touched(self, name: str, content: bytes) -> None:
        """The file has this content now; its times differ from all before."""
        self.times += 1_000_000
        os.utime(self.inbox / name, ns=(self.times, self.times))
        self.expected[name] = content
        self.changed[name] = self.bench.clock.monotonic()

    @rule(name=NAMES, size=st.integers(0, 3))
    def write(self, name: str, size: int) -> None:
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        content = WHOLE_PDF * size if name.endswith("pdf") else b"%d" % self.times * size
        path.write_bytes(content)
        self.touched(name, content)

    @rule(name=NAMES)
    def append(self, name: str) -> None:
        if name in self.expected:
            with (self.inbox / name).open("ab") as file:
                file.write(b"x")
            self.touched(name, self.expected[name] + b"x")

    @rule(name=NAMES)
    def replace(self, name: str) -> None:
        """Another file of the same size takes its place."""
        if name in self.expected and name not in self.writers:
            other = self.inbox / ".other"
            other.write_bytes(self.expected[name])
            other.rename(self.inbox / name)
            self.touched(name, self.expected[name])

    @rule(name=NAMES)
    def open_it(self, name: str) -> None:
        if name in self.expected and name not in self.writers:
            self.writers[name] = (self.inbox / name).open("ab")

    @rule(name=NAMES)
    def close_it(self, name: str) -> None:
        if name in self.writers:
            self.writers.pop(name).close()

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.expected and name not in self.writers:
            (self.inbox / name).unlink()
            del self.expected[name]

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        if name in self.expected and not {name, new} & self.writers.keys():
            (self.inbox / new).parent.mkdir(exist_ok=True)
            (self.inbox / name).rename(self.inbox / new)
            self.touched(new, self.expected.pop(name))

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 5.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    @rule(hints=st.booleans(), whole=st.lists(NAMES, max_size=1))
    def look(self, hints: bool, whole: list[str]) -> None:
        now = self.bench.clock.monotonic()
        arrived = {f"inbox/acme/fr/{name}" for name in whole if name not in self.writers}
        self.bench.intake.scan({("acme", "fr")} if hints else None, arrived)
        for name in [name for name in self.expected if not (self.inbox / name).exists()]:
            assert name not in self.writers
            rested = now - self.changed[name]
            assert rested >= (1.0 if self.expected[name] else 60.0) or f"inbox/acme/fr/{name}" in arrived
            self.claims += 1
            newest = max((job for job in self.bench.jobs if job.name == name), key=lambda job: job.id)
            path = self.bench.root / f"processing/acme/fr/{newest.id}/{name}"
            assert path.read_bytes() == self.expected.pop(name)

    @invariant()
    def nothing_is_claimed_twice(self) -> None:
        assert len(self.bench.jobs) == self.claims
        assert len(self.bench.files("processing")) == self.claims
        assert self.bench.files("inbox").keys() == {f"acme/fr/{name}" for name in self.expected}

    def teardown(self) -> None:
        try:
            for name in list(self.writers):
                self.close_it(name)
            for _ in range(3):
                self.look(hints=False, whole=[])
                self.bench.clock.advance(70)
            self.nothing_is_claimed_twice()

            assert self.expected == {}
            assert not self.bench.intake.resting
        finally:
            self.left.close()
            signal.signal(signal.SIGIO, self.before)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = hypothesis_settings(max_examples=120, stateful_step_count=30, deadline=None)
