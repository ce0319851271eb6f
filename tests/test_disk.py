"""The disk room on a real disk: confined opening, renames that replace nothing, modes, and what leaks not."""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from daemon import disk, kernel
from tests.effects import HOWS, Crash, Effects, How


@pytest.fixture(params=["native", "portable"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the kernel's own calls, and where it has none."""
    if request.param == "portable":
        monkeypatch.setattr(kernel, "native", None)
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """A folder to work in, and afterwards proof that nothing else was left open."""
    descriptor = disk.open_root(os.fspath(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    yield descriptor
    left = len(os.listdir("/proc/self/fd"))
    disk.close(descriptor)

    assert left == before


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# The portable way cannot tell a link in the place of a folder from a file there.
LINKED = (errno.ELOOP, errno.ENOTDIR)


def refused(call: Callable[[], int], *numbers: int) -> None:
    """The call raises one of these errors; a descriptor that it gave out all the same is closed."""
    with pytest.raises(OSError) as caught:
        disk.close(call())

    assert caught.value.errno in numbers


# -- confined -------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Folders, files, and links that lead everywhere."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"inside")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/to_b").symlink_to("b")
    (tmp_path / "a/absolute").symlink_to(tmp_path / "a/b")
    (tmp_path / "a/etc").symlink_to("/etc")
    (tmp_path / "a/loop").symlink_to("loop")
    (tmp_path / "a/b/link").symlink_to("file")
    (tmp_path / "a/b/zero").symlink_to("/dev/zero")
    (tmp_path / "a/b/nowhere").symlink_to("missing")
    return tmp_path


@pytest.mark.usefixtures("way")
def test_opening_beneath(root: int, tree: Path) -> None:
    """What lies below without a link on the way is found; the empty path is the folder itself."""
    for path, inside in [("a/b", "file"), ("a//b/", "file"), ("./a/./b", "file"), ("", "a"), (".", "a")]:
        with disk.folder(root, path) as folder:
            assert inside in disk.names_in(folder)
    descriptor = disk.open_file(root, "a/b/file")

    assert disk.read(descriptor, 100, 0) == (tree / "a/b/file").read_bytes()
    disk.close(descriptor)


@pytest.mark.usefixtures("way", "tree")
@pytest.mark.parametrize(
    "path", ["a/to_b/file", "a/absolute/file", "a/up/a/b/file", "a/etc/passwd", "a/loop/file", "a/b/link", "a/b/zero"]
)
def test_no_link_on_the_way(root: int, path: str) -> None:
    """Neither in the middle nor at the end, wherever it leads."""
    refused(lambda: disk.open_file(root, path), *LINKED)
    refused(lambda: disk.open_folder(root, path if path.startswith("a/b/") else os.path.dirname(path)), *LINKED)


@pytest.mark.usefixtures("way", "tree")
@pytest.mark.parametrize("path", ["/etc/passwd", "../etc/passwd", "a/../../x", "..", "a/b/../../.."])
def test_nothing_outside(root: int, path: str) -> None:
    """Paths that lead out of the folder are refused, whatever stands there."""
    refused(lambda: disk.open_file(root, path), errno.EXDEV)
    refused(lambda: disk.open_folder(root, path), errno.EXDEV)


@pytest.mark.usefixtures("way", "tree")
def test_what_is_not_there(root: int) -> None:
    """Missing names and files in the place of folders are told as such."""
    refused(lambda: disk.open_file(root, "a/b/missing"), errno.ENOENT)
    refused(lambda: disk.open_file(root, "a/missing/file"), errno.ENOENT)
    refused(lambda: disk.open_folder(root, "a/b/file"), errno.ENOTDIR)
    refused(lambda: disk.open_file(root, "a/b/file/x"), errno.ENOTDIR)


def _openat2_works() -> bool:
    top = disk.open_root("/")
    try:
        disk.close(kernel.Native().openat2(top, ".", os.O_RDONLY))
    except OSError as error:
        return error.errno not in kernel.MISSING
    finally:
        disk.close(top)
    return True


@pytest.mark.skipif(not _openat2_works(), reason="this kernel has no openat2")
def test_no_mount_point_on_the_way() -> None:
    """A file system that is mounted below is another place."""
    top = disk.open_root("/")
    refused(lambda: disk.open_file(top, "proc/version"), errno.EXDEV)
    disk.close(top)


class _OldKernel(kernel.Native):
    """Knows neither call."""

    def openat2(self, *_: object) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    def rename_noreplace(self, *_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.usefixtures("tree")
def test_an_old_kernel(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel refuses its call the portable way is taken, and is as strict."""
    monkeypatch.setattr(kernel, "native", _OldKernel())
    disk.close(disk.open_file(root, "a/b/file"))
    refused(lambda: disk.open_file(root, "a/to_b/file"), *LINKED)
    with disk.folder(root, "a/b") as folder:
        disk.rename_noreplace(folder, "file", root, "moved")

        assert sorted(disk.names_in(folder)) == ["link", "nowhere", "zero"]


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_only_files_with_one_name(root: int, tmp_path: Path) -> None:
    """A FIFO does not hang, and nothing is opened that is no plain file of one name; nothing stays open."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    os.link(tmp_path / "file", tmp_path / "second name")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(tmp_path / "socket"))
    for name, number in [
        ("fifo", errno.EPERM),
        ("folder", errno.EPERM),
        ("file", errno.EPERM),
        ("second name", errno.EPERM),
        ("socket", errno.ENXIO),
    ]:
        refused(partial(disk.open_file, root, name), number)
    (tmp_path / "second name").unlink()
    disk.close(disk.open_file(root, "file"))


def test_a_file_that_cannot_be_looked_at(root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that fails between opening and looking costs no descriptor, however often it is tried."""
    (tmp_path / "file").write_bytes(b"x")

    def stale(_: int) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", stale)
        refused(lambda: disk.open_file(root, "file"), errno.ESTALE)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("wanted", [0o600, 0o644, 0o664])
def test_files_have_the_mode_that_was_asked_for(root: int, tmp_path: Path, mask: int, wanted: int) -> None:
    """Whatever the umask."""
    with umask(mask):
        disk.close(disk.create_file(root, "file", wanted))

    assert mode(tmp_path / "file") == wanted
    with pytest.raises(FileExistsError):
        disk.create_file(root, "file", wanted)


def test_creating_follows_no_link(root: int, tmp_path: Path) -> None:
    """A link that waits under the name of a new file leads nowhere."""
    (tmp_path / "trap").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        disk.create_file(root, "trap", 0o600)

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
@pytest.mark.parametrize("wanted", [0o700, 0o755, 0o2775])
@pytest.mark.usefixtures("way")
def test_folders_have_the_mode_that_was_asked_for(root: int, tmp_path: Path, mask: int, wanted: int) -> None:
    """Each new one, whatever the umask; one that is there already keeps its own."""
    (tmp_path / "old").mkdir(mode=0o711)
    (tmp_path / "old").chmod(0o711)
    with umask(mask), disk.folder_made(root, "old/new/newer", wanted) as folder:
        assert os.fstat(folder).st_ino == (tmp_path / "old/new/newer").stat().st_ino
    with disk.folder_made(root, "", wanted) as folder:
        assert os.fstat(folder).st_ino == tmp_path.stat().st_ino

    assert [mode(tmp_path / name) for name in ("old", "old/new", "old/new/newer")] == [0o711, wanted, wanted]


@pytest.mark.usefixtures("way", "tree")
def test_folders_are_made_through_no_link(root: int) -> None:
    """A link in the place of a folder is refused, and so is a file."""
    for path in ("a/etc/x", "a/up/x", "a/b/file/x"):
        refused(partial(disk.make_folders, root, path, 0o700), *LINKED)


def test_new_folders_are_durable(root: int, tmp_path: Path) -> None:
    """Their names survive a power loss."""
    with Effects(tmp_path) as effects:
        disk.close(disk.make_folders(root, "a/b/c", 0o700))
    left = effects.lost_power(tmp_path.with_name(f"{tmp_path.name}-dark"))

    assert (left / "a/b/c").is_dir()
    assert effects.done.count("sync_folder") == 3


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ENOTSUP])
def test_shares_without_modes(root: int, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where modes cannot be set, files and folders are made all the same."""
    tried: list[int] = []

    def fchmod(_: int, wanted: int) -> None:
        tried.append(wanted)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fchmod", fchmod)
    disk.close(disk.create_file(root, "file", 0o664))
    disk.close(disk.make_folders(root, "folder", 0o2775))

    assert tried == [0o664, 0o664, 0o2775, 0o775]


def test_a_mode_that_fails_for_another_reason(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk in trouble is told, and nothing stays open."""

    def fchmod(_: int, __: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fchmod", fchmod)
    for make in (disk.create_file, disk.make_folders):
        refused(partial(make, root, f"new {make.__name__}", 0o700), errno.EIO)


@pytest.mark.usefixtures("way")
def test_set_mode(root: int, tmp_path: Path) -> None:
    """A file's mode is set, a link's target is not, and what is not there is no error."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    disk.set_mode(root, "file", 0o640)
    disk.set_mode(root, "link", 0o777)
    disk.set_mode(root, "missing", 0o777)

    assert mode(tmp_path / "file") == 0o640


# -- reading and writing --------------------------------------------------------------------------------------------


def test_short_writes_go_on(root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All bytes are written, however few the system takes at once."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    descriptor = disk.create_file(root, "file", 0o600)
    disk.write(descriptor, b"more than three bytes")
    disk.write(descriptor, b"")
    disk.close(descriptor)

    assert (tmp_path / "file").read_bytes() == b"more than three bytes"


def test_copying(root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block, whole, to the end of the other file."""
    monkeypatch.setattr(disk, "BLOCK", 7)
    (tmp_path / "source").write_bytes(bytes(range(100)))
    source, target = disk.open_file(root, "source"), disk.create_file(root, "target", 0o600)
    disk.copy(source, target)
    disk.close(source)
    disk.close(target)

    assert (tmp_path / "target").read_bytes() == bytes(range(100))


@pytest.mark.parametrize("how", HOWS)
def test_small_files_are_replaced_whole(root: int, tmp_path: Path, how: How) -> None:
    """Killed or without power at any effect: the old or the new contents, and the next try works."""
    number, stopped = 0, True
    while stopped:
        number += 1
        disk.write_small(root, "file", b"old", 0o644)
        with Effects(tmp_path, stop_at=number, how=how) as effects:
            with contextlib.suppress(Crash):
                disk.write_small(root, "file", b"new contents", 0o600)
            stopped = effects.stopped
            left = effects.lost_power(tmp_path.with_name(f"{tmp_path.name}-{how}-{number}"))

        assert (tmp_path / "file").read_bytes() in (b"old", b"new contents")
        assert (left / "file").read_bytes() in (b"old", b"new contents")
    assert ((left / "file").read_bytes(), mode(tmp_path / "file")) == (b"new contents", 0o600)
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old(root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs nothing that was there."""
    disk.write_small(root, "file", b"old", 0o644)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            disk.write_small(root, "file", b"new", 0o644)

    assert (tmp_path / "file").read_bytes() == b"old"


def test_json_for_people(root: int, tmp_path: Path) -> None:
    """Indented UTF-8; what is none appears escaped, and reads back."""
    value = {"name": "Übung b\udcffd", "list": [1]}
    disk.write_json(root, "file.json", value, 0o644)
    text = (tmp_path / "file.json").read_text("utf-8")

    assert (json.loads(text), "Übung" in text, text.count("\n")) == (value, True, 6)


@pytest.mark.usefixtures("way")
def test_small_files_only(root: int, tmp_path: Path) -> None:
    """Too large, a FIFO or a link is an error, not a long read."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")

    assert disk.read_small(root, "file", 5) == b"12345"
    for name, number in [("file", errno.EFBIG), ("link", errno.ELOOP), ("fifo", errno.EPERM), ("no", errno.ENOENT)]:
        with pytest.raises(OSError) as caught:
            disk.read_small(root, name, 4)

        assert caught.value.errno == number


def test_listing(root: int, tmp_path: Path) -> None:
    """Every name with what it is itself; links are not followed."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to folder").symlink_to("folder")
    (tmp_path / "b\udcffd").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo")

    assert {entry.name: entry.kind for entry in disk.list_folder(root)} == {
        "file": "file",
        "folder": "folder",
        "to folder": "link",
        "b\udcffd": "file",
        "fifo": "other",
    }
    assert disk.Entry("gone", None).kind == "other"
    assert (disk.lstat(root, "gone"), disk.lstat(root, "file/x")) == (None, None)
    assert [disk.exists(root, name) for name in ("to folder", "gone")] == [True, False]


def test_removing(root: int, tmp_path: Path) -> None:
    """What is gone already is what was wanted; a folder goes only when it is empty."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "full/empty").mkdir(parents=True)
    disk.unlink(root, "file")
    disk.unlink(root, "file")

    assert [disk.remove_folder(root, name) for name in ("full", "missing")] == [False, True]
    with disk.folder(root, "full") as full:
        assert disk.remove_folder(full, "empty")
    assert (disk.remove_folder(root, "full"), os.listdir(tmp_path)) == (True, [])


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_folders_that_cannot_be_synced(root: int, monkeypatch: pytest.MonkeyPatch, number: int, told: bool) -> None:
    """Some network file systems know no such thing; a real failure is told."""

    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError) if told else contextlib.nullcontext():
        disk.sync_folder(root)


# -- renames that replace nothing -----------------------------------------------------------------------------------


@pytest.fixture(params=["renameat2", "link", "look"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The three ways, best first."""
    if request.param != "renameat2":
        monkeypatch.setattr(kernel, "native", None)
    if request.param == "look":

        def no_links(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    return str(request.param)


@pytest.mark.usefixtures("renaming")
def test_renaming(root: int, tmp_path: Path) -> None:
    """The file is moved, into another folder too, with its contents and under one name."""
    (tmp_path / "other").mkdir()
    (tmp_path / "b\udcffd").write_bytes(b"x")
    with disk.folder(root, "other") as other:
        disk.rename_noreplace(root, "b\udcffd", other, "new")

    assert (os.listdir(tmp_path), (tmp_path / "other/new").read_bytes()) == (["other"], b"x")
    assert (tmp_path / "other/new").stat().st_nlink == 1


@pytest.mark.usefixtures("renaming")
@pytest.mark.parametrize("taken", ["file", "folder", "link", "dangling"])
def test_renaming_replaces_nothing(root: int, tmp_path: Path, taken: str) -> None:
    """Whatever has the name already keeps it, and the file stays where it is."""
    (tmp_path / "from").write_bytes(b"mine")
    to = tmp_path / "to"
    if taken == "file":
        to.write_bytes(b"theirs")
    elif taken == "folder":
        to.mkdir()
    else:
        to.symlink_to("from" if taken == "link" else "nowhere")
    before = to.lstat()
    with pytest.raises(FileExistsError):
        disk.rename_noreplace(root, "from", root, "to")

    assert (to.lstat().st_ino, (tmp_path / "from").read_bytes()) == (before.st_ino, b"mine")


@pytest.mark.usefixtures("renaming")
def test_renaming_what_is_gone(root: int, tmp_path: Path) -> None:
    """Somebody else was faster; also when the new name is there: it may be anybody's."""
    with pytest.raises(FileNotFoundError):
        disk.rename_noreplace(root, "from", root, "to")
    (tmp_path / "to").write_bytes(b"theirs")
    with pytest.raises((FileNotFoundError, FileExistsError)):
        disk.rename_noreplace(root, "from", root, "to")

    assert (tmp_path / "to").read_bytes() == b"theirs"


@pytest.mark.usefixtures("renaming")
def test_a_link_is_renamed_itself(root: int, tmp_path: Path) -> None:
    """What a link leads to is not touched."""
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "from").symlink_to("target")
    disk.rename_noreplace(root, "from", root, "to")

    assert (os.readlink(tmp_path / "to"), sorted(os.listdir(tmp_path))) == ("target", ["target", "to"])


class _Liar(kernel.Native):
    """Reports an error; does the rename before that, or does not."""

    def __init__(self, number: int, *, does: bool) -> None:
        super().__init__()
        self._number = number
        self._does = does

    def rename_noreplace(self, from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
        if self._does:
            super().rename_noreplace(from_folder, from_name, to_folder, to_name)
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("does", [True, False])
def test_a_share_that_reports_wrongly(
    root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, does: bool
) -> None:
    """Not the error counts but what both names show."""
    (tmp_path / "from").write_bytes(b"x")
    monkeypatch.setattr(kernel, "native", _Liar(number, does=does))
    with contextlib.nullcontext() if does else pytest.raises(OSError):
        disk.rename_noreplace(root, "from", root, "to")

    assert os.listdir(tmp_path) == (["to"] if does else ["from"])


# -- leases and locks -----------------------------------------------------------------------------------------------


@pytest.fixture
def _sigio_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


def _leased(path: Path) -> tuple[int, str]:
    descriptor = disk.open_own(os.fspath(path))
    return descriptor, kernel.take_lease(descriptor)


@pytest.mark.usefixtures("_sigio_ignored")
def test_a_lease_proves_that_nobody_writes(tmp_path: Path) -> None:
    """Busy while a writer has the file open, though it writes nothing; proven once it is closed."""
    path = tmp_path / "file"
    with open(path, "wb"):
        busy, said = _leased(path)
        assert said == "busy"
    free, said = _leased(path)
    with open(path, "rb"):
        assert said == "proven"
    kernel.release_lease(free)
    kernel.release_lease(busy)
    disk.close(free)
    disk.close(busy)


@pytest.mark.usefixtures("_sigio_ignored")
def test_a_lease_holds_writers_off(tmp_path: Path) -> None:
    """Who wants to write has to wait until it is released, and this process lives on."""
    path = tmp_path / "file"
    path.write_bytes(b"")
    descriptor, said = _leased(path)
    assert said == "proven"
    with pytest.raises(BlockingIOError):
        os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    kernel.release_lease(descriptor)
    disk.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    disk.close(descriptor)


def test_no_lease_without_a_deaf_ear(tmp_path: Path) -> None:
    """The signal that asks for a lease back kills a process that does not ignore it, so none is taken."""
    before = signal.signal(signal.SIGIO, signal.SIG_DFL)
    try:
        (tmp_path / "file").write_bytes(b"")
        descriptor, said = _leased(tmp_path / "file")
        held = fcntl.fcntl(descriptor, fcntl.F_GETLEASE)
        disk.close(descriptor)
    finally:
        signal.signal(signal.SIGIO, before)

    assert (said, held) == ("unavailable", fcntl.F_UNLCK)


@pytest.mark.usefixtures("_sigio_ignored")
def test_what_can_have_no_lease(tmp_path: Path) -> None:
    """A folder or a pipe has none; that proves nothing either way."""
    folder = disk.open_root(os.fspath(tmp_path))
    reading, writing = os.pipe()

    assert [kernel.take_lease(one) for one in (folder, reading)] == ["unavailable"] * 2
    for one in (folder, reading, writing):
        kernel.release_lease(one)
        disk.close(one)


def test_one_process_for_each_state(tmp_path: Path) -> None:
    """The lock is had once, for as long as its descriptor is open; asking changes nothing."""
    path = os.fspath(tmp_path / "lock")
    assert not kernel.is_locked(path)
    assert not os.path.exists(path)
    first = kernel.lock(path)

    assert first is not None
    assert (kernel.lock(path), kernel.is_locked(path), mode(tmp_path / "lock")) == (None, True, 0o600)
    disk.close(first)
    second = kernel.lock(path)

    assert second is not None
    disk.close(second)
    assert not kernel.is_locked(path)


LOCAL = ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "unknown", "fuseblk", "fuse.mergerfs"]
NETWORK = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse", "fuse.sshfs", "fuse.rclone"]


@pytest.mark.parametrize(("kind", "network"), [*((kind, False) for kind in LOCAL), *((kind, True) for kind in NETWORK)])
def test_network_file_systems(kind: str, network: bool) -> None:
    """Where other machines write unseen; what is not known of FUSE counts as one."""
    assert kernel.is_network(kind) is network


def test_the_file_system_of_a_path(tmp_path: Path) -> None:
    """By the mount that holds it."""
    assert (kernel.file_system("/proc"), kernel.file_system("/proc/self")) == ("proc", "proc")
    assert kernel.file_system(os.fspath(tmp_path)) not in ("proc", "")
