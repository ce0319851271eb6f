"""Links of every kind, in every folder, at every moment: nothing outside the root is read or written."""

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from daemon import disk, folders, kernel
from daemon.job import State
from tests.builders import PROVIDER, in_memory, wait_for
from tests.hostile.inbox import TEXT, Line, Sentinel

LINK = "a symbolic link, never followed"


@pytest.fixture(autouse=True, params=["native", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of opening beneath: openat2, and step by step where the kernel has none."""
    if request.param == "walk":
        monkeypatch.setattr(kernel, "native", None)
    return str(request.param)


@pytest.fixture
def outside(tmp_path: Path) -> Sentinel:
    return Sentinel(tmp_path / "outside")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Line(tmp_path) as made:
        made.start()
        yield made


def test_links_in_an_inbox_are_told_and_left(line: Line, outside: Sentinel) -> None:
    """To a file, a folder, a device, outside, nowhere, itself: each stays as it is, beside a drop that goes on."""
    fr = line.root / "inbox/acme/fr"
    (fr / "sub").mkdir()
    good = line.drop("acme/fr/good.txt")
    targets = {
        "file.txt": good,
        "outside.txt": outside.secret,
        "relative.txt": Path("../../../../outside/secret.txt"),
        "folder": outside.folder,
        "folder.docx": outside.folder / "fr",
        "dangling.txt": Path("nowhere"),
        "loop.txt": Path("loop.txt"),
        "zero.txt": Path("/dev/zero"),
        "self.txt": Path("/proc/self/fd/0"),
        "sub/up": Path("."),
        "sub/root": Path("/"),
    }
    for name, target in targets.items():
        (fr / name).symlink_to(target)
    (line.root / "inbox/acme/es").symlink_to(outside.folder / "fr")
    (line.root / "inbox/beta").symlink_to(outside.folder)
    line.live()

    assert line.ignored == {
        **{f"inbox/acme/fr/{name}": LINK for name in targets},
        "inbox/acme/es": LINK,
        "inbox/beta": LINK,
    }
    assert {name: os.readlink(fr / name) for name in targets} == {name: str(to) for name, to in targets.items()}
    assert line.sent == [TEXT]
    assert line.files("outbox") == {"acme/fr/good.txt": TEXT}
    assert outside.is_untouched


def _exchanged(line: Line, folder: str, target: Path) -> None:
    """Somebody moves a folder aside and puts a link in its place."""
    here = line.root / folder
    here.rename(here.with_name(f".{here.name}.aside"))
    here.symlink_to(target)


def _put_back(line: Line, folder: str) -> None:
    here = line.root / folder
    here.unlink()
    here.with_name(f".{here.name}.aside").rename(here)


@pytest.mark.parametrize("where", ["inbox/acme/fr/sub", "inbox/acme/fr", "inbox/acme"])
@pytest.mark.parametrize("moment", ["opening", "claiming"])
def test_a_folder_exchanged_for_a_link_between_scan_and_claim(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, moment: str
) -> None:
    """A file of the same name behind the link is neither opened nor taken; put back, the drop goes on."""
    line.drop("acme/fr/sub/report.txt")
    line.scan()
    line.clock.advance(6)
    below = os.path.relpath("inbox/acme/fr/sub", where)
    decoy = tmp_path / "decoy"
    (decoy / below).mkdir(parents=True, exist_ok=True)
    (decoy / below / "report.txt").write_bytes(TEXT)
    outside = Sentinel(tmp_path / "outside")
    owner: object = disk if moment == "opening" else line.shop.folders
    name = "open_file" if moment == "opening" else "claim"
    real: Callable[..., object] = getattr(owner, name)

    def late(*arguments: object) -> object:
        _exchanged(line, where, decoy)
        return real(*arguments)

    with monkeypatch.context() as exchanging:
        exchanging.setattr(owner, name, late)
        assert line.scan() == 0
    assert (decoy / below / "report.txt").read_bytes() == TEXT
    assert line.files("processing") == {}
    line.live(3)
    assert line.jobs == []
    assert [why for path, why in line.ignored.items() if path == where] == [LINK]
    _put_back(line, where)
    line.live(80)

    assert line.sent == line.kept == [TEXT]
    assert line.files("outbox") == {"acme/fr/sub/report.txt": TEXT}
    assert outside.is_untouched


def test_no_other_word_for_the_walk(line: Line, outside: Sentinel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way refuses a folder that became a link, the drop is looked at again and nothing is said of it."""
    line.drop("acme/fr/sub/report.txt")
    line.scan()
    line.clock.advance(6)
    real = disk.open_file

    def late(root: int, path: str) -> int:
        _exchanged(line, "inbox/acme/fr/sub", outside.folder)
        return real(root, path)

    monkeypatch.setattr(disk, "open_file", late)
    line.scan()

    assert line.ignored == {}
    assert [row["why"] for row in line.status["resting"]] == ["settling"]
    assert outside.is_untouched


@pytest.mark.parametrize("what", ["link to a file", "link to a folder", "fifo", "folder", "hard link", "another file"])
def test_exchanged_after_the_last_look(
    line: Line, outside: Sentinel, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What the claim's rename catches instead is never read: it fails visibly, and lies in `failed/` as it was."""
    drop = line.drop("acme/fr/report.txt")
    real = folders.Folders.claim
    swap: dict[str, Callable[[], object]] = {
        "link to a file": lambda: drop.symlink_to(outside.secret),
        "link to a folder": lambda: drop.symlink_to(outside.folder),
        "fifo": lambda: os.mkfifo(drop),
        "folder": lambda: shutil.copytree(line.root / "inbox/acme/.tree", drop),
        "hard link": lambda: os.link(line.root / "inbox/acme/.other", drop),
        "another file": lambda: drop.write_bytes(b"another text\n"),
    }
    (line.root / "inbox/acme/.other").write_bytes(b"other\n")
    (line.root / "inbox/acme/.tree").mkdir()
    (line.root / "inbox/acme/.tree/inside.txt").write_bytes(b"inside\n")

    def late(self: folders.Folders, *arguments: object) -> disk.Entry:
        drop.rename(line.root / "inbox/acme/.first")
        swap[what]()
        return real(self, *arguments)  # type: ignore[arg-type]  # whatever it was called with

    line.scan()
    line.clock.advance(6)
    with monkeypatch.context() as exchanging:
        exchanging.setattr(folders.Folders, "claim", late)
        assert line.scan() == 1
    line.live()

    assert line.jobs == []
    assert outside.is_untouched
    assert (line.root / "inbox/acme/.first").read_bytes() == TEXT
    if what == "another file":
        assert line.sent == [b"another text\n"]
        return
    assert line.sent == []
    assert line.codes == {"fr/report.txt": "drop.unreadable"}
    aside = line.root / "failed/acme/fr/report.txt"
    assert os.path.lexists(aside)
    assert aside.is_symlink() == what.startswith("link")
    if what == "folder":
        assert (aside / "inside.txt").read_bytes() == b"inside\n"


@pytest.mark.parametrize("where", ["processing/acme/fr", "processing/acme", "processing"])
def test_processing_exchanged_for_a_link_between_claim_and_upload(
    line: Line, tmp_path: Path, outside: Sentinel, where: str
) -> None:
    """A decoy of the same path behind the link is not sent, and the claimed file is where it was."""
    line.drop("acme/fr/report.txt")
    line.settle()
    (job,) = line.jobs
    decoy = tmp_path / "decoy"
    below = os.path.relpath(f"processing/acme/fr/{job.id}", where)
    (decoy / below).mkdir(parents=True)
    (decoy / below / "report.txt").write_bytes(b"a decoy\n")
    _exchanged(line, where, decoy)
    line.work()

    assert line.sent == []
    assert (decoy / below / "report.txt").read_bytes() == b"a decoy\n"
    assert TEXT in line.kept or (line.root / where).with_name(f".{Path(where).name}.aside").exists()
    assert line.codes in ({"fr/report.txt": "drop.unreadable"}, {})
    assert line.codes or line.waits
    assert outside.is_untouched


@pytest.mark.parametrize("where", ["processing/acme/fr", "processing/acme", "processing"])
def test_a_link_in_processing_takes_no_claim(line: Line, outside: Sentinel, where: str) -> None:
    """The drop stays in its inbox and says that it cannot be moved; without the link it goes on."""
    here = line.root / where
    here.parent.mkdir(exist_ok=True)
    if here.exists():
        here.rename(here.with_name(".aside"))
    here.symlink_to(outside.folder)
    line.drop("acme/fr/report.txt")
    line.live()
    assert line.jobs == []
    assert line.ignored["inbox/acme/fr/report.txt"].startswith("cannot be moved: ")
    here.unlink()
    if here.with_name(".aside").exists():
        here.with_name(".aside").rename(here)
    line.live()

    assert line.files("outbox") == {"acme/fr/report.txt": TEXT}
    assert outside.is_untouched


@pytest.mark.parametrize("where", ["{top}/acme/fr/sub", "{top}/acme/fr", "{top}/acme", "{top}"])
@pytest.mark.parametrize("top", ["outbox", "archive", "failed"])
def test_a_link_where_results_and_originals_go_is_never_written_through(
    line: Line, outside: Sentinel, top: str, where: str
) -> None:
    """What is to be put there waits, visibly and paid once; when the link is gone it arrives."""
    here = line.root / where.format(top=top)
    here.parent.mkdir(parents=True, exist_ok=True)
    if here.exists():
        here.rename(here.with_name(".aside"))
    here.symlink_to(outside.folder)
    line.drop(f"acme/fr/sub/report.{'txt' if top != 'failed' else 'xyz'}")
    line.live()
    (job,) = line.jobs
    assert line.waits == ["folder.trouble"]
    assert job.state is {"outbox": State.BANKED, "archive": State.DELIVERED, "failed": State.FAILED}[top]
    assert TEXT in line.kept
    assert outside.is_untouched
    here.unlink()
    line.live(3600, 60)

    assert line.jobs == []
    assert line.files(top)[f"acme/fr/sub/{Path(job.name).name}"] == TEXT
    assert len(line.sent) == (top != "failed")
    assert outside.is_untouched


@pytest.mark.parametrize("where", ["outbox/acme/fr/sub", "outbox/acme/fr", "outbox/acme", "outbox"])
def test_an_outbox_exchanged_for_a_link_between_staging_and_publishing(
    line: Line, outside: Sentinel, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The staged result is not looked for behind the link; put back, it is published, once."""
    line.drop("acme/fr/sub/report.txt")
    real = folders.Folders.publish

    def late(self: folders.Folders, *arguments: object) -> bool:
        if not (line.root / where).is_symlink():
            _exchanged(line, where, outside.folder)
        return real(self, *arguments)  # type: ignore[arg-type]  # whatever it was called with

    with monkeypatch.context() as exchanging:
        exchanging.setattr(folders.Folders, "publish", late)
        line.live(8)
    assert [job.state for job in line.jobs] == [State.PUBLISHING]
    assert line.waits == ["folder.trouble"]
    assert outside.is_untouched
    _put_back(line, where)
    line.live(3600, 60)

    assert line.files("outbox") == {"acme/fr/sub/report.txt": TEXT}
    assert line.sent == line.kept == [TEXT]
    assert outside.is_untouched


@pytest.mark.parametrize("top", ["outbox", "archive", "failed"])
def test_a_link_in_the_place_of_a_file_keeps_its_name(line: Line, outside: Sentinel, top: str) -> None:
    """A planted link of the file's own name is somebody's file: the next free name is taken."""
    name = "report.xyz" if top == "failed" else "report.txt"
    here = line.root / top / "acme/fr"
    here.mkdir(parents=True)
    (here / name).symlink_to(outside.secret)
    (here / f"{name}.error.json").symlink_to(outside.folder / "new.json")
    line.drop(f"acme/fr/{name}")
    line.live()
    stem, _, extension = name.rpartition(".")

    assert line.files(top)[f"acme/fr/{stem} (2).{extension}"] == TEXT
    assert (here / name).is_symlink()
    assert line.jobs == []
    assert outside.is_untouched


def test_links_below_the_archive_are_not_pruned_through(line: Line, outside: Sentinel) -> None:
    """Retention removes what lies in the archive, never what a link in it leads to."""
    here = line.root / "archive/acme/fr"
    here.mkdir(parents=True)
    (here / "old.txt").write_bytes(TEXT)
    (here / "linked.txt").symlink_to(outside.secret)
    (here / "linked").symlink_to(outside.folder)
    removed = line.shop.folders.prune_archive(4e9)

    assert removed == 1
    assert outside.is_untouched


def test_a_sidecar_that_is_a_link_is_nobodys(line: Line, outside: Sentinel) -> None:
    """In `failed/` and in the inbox: it is not read to find out whose it is, and not removed."""
    line.drop("acme/fr/report.xyz")
    line.live()
    sidecar = line.root / "failed/acme/fr/report.xyz.error.json"
    sidecar.rename(outside.folder / "sidecar.json")
    sidecar.symlink_to(outside.folder / "sidecar.json")
    (line.root / "failed/acme/fr/report.xyz").rename(line.root / "inbox/acme/fr/report.xyz")
    (line.root / "inbox/acme/fr/report.xyz.error.json").symlink_to(outside.folder / "sidecar.json")
    line.live()

    assert sidecar.is_symlink()
    assert (outside.folder / "sidecar.json").exists()
    assert line.ignored == {"inbox/acme/fr/report.xyz.error.json": LINK}
    assert line.codes == {"fr/report (2).xyz": "drop.type"}


@pytest.mark.parametrize("moment", ["dropped", "claimed"])
def test_a_second_name_for_a_drop_is_refused(line: Line, tmp_path: Path, moment: str) -> None:
    """A hard link shows nobody else's file to a service: it stays in the inbox, or fails with its reason."""
    foreign = tmp_path / "foreign.txt"
    foreign.write_bytes(b"nobody's business\n")
    drop = line.root / "inbox/acme/fr/report.txt"
    if moment == "dropped":
        os.link(foreign, drop)
        line.live()
        assert line.ignored == {"inbox/acme/fr/report.txt": "it has several names (hard links)"}
        foreign.unlink()
        line.live()
        assert line.sent == [b"nobody's business\n"], "with one name left it is a drop like any other"
        return
    line.drop("acme/fr/report.txt")
    line.settle()
    (job,) = line.jobs
    os.link(line.root / f"processing/{PROVIDER}/fr/{job.id}/report.txt", tmp_path / "second.txt")
    line.work()

    assert line.sent == []
    assert line.codes == {"fr/report.txt": "drop.unreadable"}
    assert line.kept == [TEXT]


class Swapping:
    """Somebody who puts a link in the place of a folder and takes it away again, as fast as the disk allows."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder = folder
        self._target = target
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._swap)
        self.swaps = 0

    def _swap(self) -> None:
        while not self._over.is_set():
            aside = self._folder.with_name(f".{self._folder.name}.aside-{self.swaps}")
            # The daemon makes folders that are missing: then there are two, and the one aside stays there.
            with contextlib.suppress(OSError):
                self._folder.rename(aside)
                self._folder.symlink_to(self._target)
            if self._folder.is_symlink():
                self._folder.unlink()
            with contextlib.suppress(OSError):
                aside.rename(self._folder)
            self.swaps += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.parametrize("where", ["inbox/acme/fr/sub", "processing/acme/fr", "outbox/acme/fr/sub", "archive/acme/fr"])
def test_a_race_against_the_one_who_plants_links(outside: Sentinel, where: str) -> None:
    """However often a folder is a link for a moment: nothing outside is read or written, every original is kept, and
    each is paid at most once, delivered, or told of.
    """
    with in_memory() as base, Line(base) as line:
        line.start()
        texts = [b"text %d\n" % number for number in range(60)]
        for number, text in enumerate(texts):
            line.drop(f"acme/fr/sub/{number}.txt", text)
        (line.root / where).mkdir(parents=True, exist_ok=True)
        with Swapping(line.root / where, outside.folder) as attack:
            for _ in range(20):
                line.live(5, 1)
            wait_for(lambda: attack.swaps > 50, "the attack")
        line.live(7200, 120)

        assert outside.is_untouched
        assert line.kept == sorted(texts)
        assert line.jobs == []
        assert len(set(line.sent)) == len(line.sent)
        assert len(line.sent) + len(line.stories) == len(texts)
        assert set(line.codes.values()) <= {"drop.gone", "drop.unreadable"}
        # A folder that was moved aside for good keeps the hidden beginning of what then went into the new one.
        shown = [data for path, data in line.files("outbox").items() if not Path(path).name.startswith(".")]
        assert sorted(shown) == sorted(line.sent)
        if not where.startswith("processing"):
            assert line.codes == {}
