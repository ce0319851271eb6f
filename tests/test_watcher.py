"""What the kernel's events are turned into: hints, gathered by real watches, and never relied upon."""

import ctypes
import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.events import DirMovedEvent, FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileMovedEvent
from watchdog.observers import inotify, inotify_c
from watchdog.observers.inotify import InotifyObserver

from daemon import watcher
from daemon.watcher import Hints, Watcher
from tests.builders import wait_for


class Site:
    """A root with an inbox that is watched; what was hinted so far is gathered from the hints."""

    def __init__(self, base: Path) -> None:
        self.root = base / "share"
        self.fr = self.root / "inbox/acme/fr"
        self.fr.mkdir(parents=True)
        self.outside = base / "outside"
        self.outside.mkdir()
        self.woken = threading.Event()
        self.hints = Hints(os.fspath(self.root), self.woken.set)
        self.watcher = Watcher(self.hints, os.fspath(self.root))
        self.folders: set[tuple[str, str]] = set()
        self.whole: set[str] = set()
        self.everything = False

    def gather(self) -> None:
        folders, whole = self.hints.take()
        self.everything |= folders is None
        self.folders |= folders or set()
        self.whole |= whole

    def until(self, condition: Callable[[], object], what: str) -> None:
        def met() -> object:
            self.gather()
            return condition()

        wait_for(met, what)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    assert made.watcher.start() is None
    yield made
    made.watcher.stop()


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


class TestEvents:
    """A change somewhere below the inbox names its language folder."""

    @pytest.mark.parametrize("name", ["text.txt", "two\nlines.txt", "caf\udce9.txt", "x" * 255])
    def test_renamed_in_is_whole(self, site: Site, name: str) -> None:
        """The move from elsewhere says that the file arrived in one piece, whatever its name."""
        (site.outside / name).write_bytes(b"text")
        (site.outside / name).rename(site.fr / name)
        site.until(lambda: site.whole, "the news of the arrival")

        assert site.whole == {f"inbox/acme/fr/{name}"}
        assert site.folders == {("acme", "fr")}
        assert site.woken.is_set()

    def test_renamed_inside_is_whole_under_its_new_name(self, site: Site) -> None:
        """Programs write under another name first; only the new one has arrived."""
        (site.fr / "text.txt.part").write_bytes(b"text")
        (site.fr / "text.txt.part").rename(site.fr / "text.txt")
        site.until(lambda: site.whole, "the news of the arrival")

        assert site.whole == {"inbox/acme/fr/text.txt"}

    def test_written_names_its_folder(self, site: Site) -> None:
        """A file that is copied in is a reason to look, and no proof that it is whole."""
        (site.fr / "text.txt").write_bytes(b"text")
        site.until(lambda: site.folders, "a folder")

        assert site.folders == {("acme", "fr")}
        assert site.whole == set()

    def test_closed_names_its_folder_again(self, site: Site) -> None:
        """The end of a long copy is news of its own."""
        with (site.fr / "text.txt").open("wb") as copy:
            site.until(lambda: site.folders, "the beginning")
            site.folders.clear()
            copy.write(b"text")
        site.until(lambda: site.folders, "the end")

        assert site.folders == {("acme", "fr")}

    def test_a_tree_that_is_moved_in(self, site: Site) -> None:
        """Its folder is named; of the files in it nobody knows that they are whole."""
        (site.outside / "tree/sub").mkdir(parents=True)
        (site.outside / "tree/sub/text.txt").write_bytes(b"text")
        (site.outside / "tree").rename(site.fr / "tree")
        site.until(lambda: site.folders, "a folder")

        assert site.folders == {("acme", "fr")}
        assert "inbox/acme/fr/tree/sub/text.txt" not in site.whole

    def test_folders_made_at_once_are_watched(self, site: Site) -> None:
        """`mkdir -p` and a file: new languages and sub-folders are named, or everything is to be looked at."""
        (site.root / "inbox/acme/de/sub/deep").mkdir(parents=True)
        site.until(lambda: site.everything or ("acme", "de") in site.folders, "the new folder")
        (site.root / "inbox/acme/de/sub/deep/text.txt").write_bytes(b"text")
        site.until(lambda: ("acme", "de") in site.folders, "the file in it")

        assert site.watcher.alive

    def test_many_folders_made_at_once_kill_nobody(self, site: Site) -> None:
        """What the library says about folders that it meets twice must not end its thread."""
        for number in range(50):
            (site.fr / f"{number}/sub/deep").mkdir(parents=True)
        (site.root / "inbox/acme/last").mkdir()
        site.until(lambda: site.everything, "the last folder")

        assert site.watcher.alive

    @pytest.mark.parametrize("name", ["STOP", "text.txt.cancel"])
    def test_a_sign_that_goes_names_its_folder(self, site: Site, name: str) -> None:
        """What it held back can begin at once."""
        site.watcher.stop()
        (site.fr / name).write_bytes(b"")
        assert site.watcher.start() is None
        (site.fr / name).unlink()
        site.until(lambda: site.folders, "the news that it is gone")

        assert site.folders == {("acme", "fr")}

    def test_what_lies_too_high_means_everything(self, site: Site) -> None:
        """A file beside the language folders, or a new provider's folder, is no single folder's affair."""
        (site.root / "inbox/acme/stray.txt").write_bytes(b"text")
        site.until(lambda: site.everything, "everything")

        assert site.whole == set()

    def test_looks_and_claims_of_our_own_make_no_noise(self, site: Site) -> None:
        """Reading an inbox and taking a file out of it would else wake the scan for ever."""
        (site.fr / "text.txt").write_bytes(b"text")
        site.until(lambda: site.folders, "a folder")
        os.listdir(site.fr)
        (site.fr / "text.txt").read_bytes()
        (site.fr / "text.txt").unlink()
        (site.root / "inbox/acme/de").mkdir()
        site.until(lambda: site.everything, "the new folder")

        assert site.folders == {("acme", "fr")}


class TestHints:
    """What is gathered between two looks."""

    @pytest.fixture
    def hints(self) -> Hints:
        return Hints("/srv/share", lambda: None)

    def test_are_forgotten_when_taken(self, hints: Hints) -> None:
        """Each is given once."""
        hints.on_any_event(FileMovedEvent("", "/srv/share/inbox/acme/fr/a.txt"))

        assert hints.take() == ({("acme", "fr")}, {"inbox/acme/fr/a.txt"})
        assert hints.take() == (set(), set())

    def test_a_root_with_a_slash_at_its_end(self) -> None:
        """The paths of what arrived are those below the root, however it is written."""
        hints = Hints("/srv/share/", lambda: None)
        hints.on_any_event(FileMovedEvent("", "/srv/share/inbox/acme/fr/a.txt"))

        assert hints.take() == ({("acme", "fr")}, {"inbox/acme/fr/a.txt"})

    def test_too_many_mean_everything(self, hints: Hints) -> None:
        """The memory that hints take has an end; then all folders are looked at, once."""
        for number in range(5000):
            hints.on_any_event(FileMovedEvent("", f"/srv/share/inbox/acme/{number}/a.txt"))
        folders, whole = hints.take()

        assert folders is None
        assert len(whole) == 4096
        hints.on_any_event(FileClosedEvent("/srv/share/inbox/acme/fr/a.txt"))
        assert hints.take() == ({("acme", "fr")}, set())

    def test_what_lies_elsewhere_is_nothing(self, hints: Hints) -> None:
        """Neither other folders nor a folder whose name only begins like the inbox."""
        for path in ("/srv/share/inboxes/acme/fr/a.txt", "/srv/share/outbox/acme/fr/a.txt", "/srv/share/inbox", ""):
            hints.on_any_event(FileCreatedEvent(path))

        assert hints.take() == (set(), set())

    @pytest.mark.parametrize(("name", "told"), [("STOP", True), ("a.txt.cancel", True), ("a.txt", False)])
    def test_only_a_sign_that_goes_is_news(self, hints: Hints, name: str, *, told: bool) -> None:
        """Files leave the inbox all the time, by our own hand."""
        hints.on_any_event(FileDeletedEvent(f"/srv/share/inbox/acme/fr/{name}"))

        assert hints.take() == ({("acme", "fr")} if told else set(), set())

    def test_moved_out_is_no_arrival(self, hints: Hints) -> None:
        """Only the new name of a move says that something came."""
        hints.on_any_event(FileMovedEvent("/srv/share/inbox/acme/fr/a.txt", ""))
        hints.on_any_event(DirMovedEvent("/srv/share/inbox/acme/fr/b", "/srv/share/inbox/acme/de/b"))

        assert hints.take() == ({("acme", "fr"), ("acme", "de")}, {"inbox/acme/de/b"})

    def test_never_raise(self) -> None:
        """An exception would end the observer; what was noted is there for the next look all the same."""

        def broken() -> None:
            raise RuntimeError("the scheduler has been shut down")

        hints = Hints("/srv/share", broken)
        hints.on_any_event(FileMovedEvent(b"", b"/srv/share/inbox/acme/fr/\xff.txt"))

        assert hints.take() == ({("acme", "fr")}, {"inbox/acme/fr/\udcff.txt"})


class TestHealth:
    """A watch can die in silence; whoever asks hears of it."""

    def test_all_is_well(self, site: Site) -> None:
        """Started it lives, stopped it does not, and no thread is left."""
        assert site.watcher.alive
        site.watcher.stop()

        assert not site.watcher.alive

    def test_before_it_is_started(self, tmp_path: Path) -> None:
        """Nothing watches yet."""
        assert not Site(tmp_path).watcher.alive

    def test_the_inbox_is_removed(self, site: Site) -> None:
        """The emitter ends with its folder, and its observer looks well; made anew, it is watched anew."""
        shutil.rmtree(site.root / "inbox")
        wait_for(lambda: not site.watcher.alive, "the end of the watch")
        trouble = site.watcher.start()
        assert trouble is not None
        assert "No such file" in trouble
        site.fr.mkdir(parents=True)
        assert site.watcher.start() is None
        (site.fr / "text.txt").write_bytes(b"text")
        site.until(lambda: ("acme", "fr") in site.folders, "the new file")

        assert site.watcher.alive

    def test_the_inbox_is_moved_away(self, site: Site) -> None:
        """A watch goes with the folder it was put on, wherever that is now."""
        (site.root / "inbox").rename(site.outside / "inbox")
        assert not site.watcher.alive
        site.fr.mkdir(parents=True)

        assert not site.watcher.alive

    def test_the_reader_dies(self, site: Site) -> None:
        """The thread that reads the events can end for itself, while observer and emitters wait for ever."""
        observer = site.watcher._observer
        assert observer is not None
        reader = observer._inotify_fd
        reader.stop()
        reader.join()
        assert observer.is_alive()

        assert not site.watcher.alive

    def test_the_observer_dies(self, site: Site) -> None:
        """A handler that raises would end it; ours does not, but others of its kind might."""
        assert site.watcher._observer is not None
        site.watcher._observer.stop()

        wait_for(lambda: not site.watcher.alive, "the end of the observer")

    @pytest.mark.parametrize(("error", "words"), [(errno.ENOSPC, "watch limit"), (errno.EMFILE, "instance limit")])
    def test_no_watches_left(self, site: Site, monkeypatch: pytest.MonkeyPatch, error: int, words: str) -> None:
        """A sentence says so, the regular scan goes on, and a try costs no thread and no descriptor."""
        site.watcher.stop()
        monkeypatch.setattr(inotify_c, "inotify_add_watch", lambda *_: -1)
        monkeypatch.setattr(ctypes, "get_errno", lambda: error)
        before = threads(), len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            trouble = site.watcher.start()
            assert trouble is not None
            assert words in trouble
            assert "the regular scan goes on" in trouble
            assert not site.watcher.alive

        assert (threads(), len(os.listdir("/proc/self/fd"))) == before

    def test_no_instances_left(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """Already the observer itself cannot be made: a sentence, no exception."""

        def refused(**_: object) -> InotifyObserver:
            raise OSError(errno.EMFILE, "inotify instance limit reached")

        monkeypatch.setattr(watcher, "InotifyObserver", refused)
        trouble = site.watcher.start()

        assert trouble is not None
        assert "instance limit" in trouble
        assert not site.watcher.alive


def test_an_emitter_that_is_stopped_while_it_looks_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """The library calls it one, at every other stop; what else it has to say is heard."""
    logger = logging.getLogger(inotify.__name__)

    logger.error("InotifyEmitter.queue_events() called when the thread is inactive")
    logger.error("something else")

    assert caplog.messages == ["something else"]
