"""Every effect on a file system, as plain functions over (directory descriptor, name).

The share is a place where anybody can put a symbolic link, so nothing there is opened by a path: a folder is
opened *beneath* a descriptor, refusing links on the way (openat2; where the kernel has none, a walk with
O_NOFOLLOW), and everything else happens relative to the descriptor that was found.
All functions raise OSError as the kernel gives it.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from daemon import kernel

BLOCK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Folders that were found, by device and inode; each name was synced since, for its maker may have been killed.
lasting: set[tuple[int, int]] = set()


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder, with its lstat; `stat` is None when it vanished or may not be looked at."""

    name: str
    stat: os.stat_result | None

    @property
    def kind(self) -> str:
        """`file`, `folder`, `link` or `other` (FIFO, socket, device, or not to be seen)."""
        if self.stat is None:
            return "other"
        return _kind(self.stat.st_mode)


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def open_root(path: str) -> int:
    """A descriptor of a folder that the administrator named; links in *that* path are the administrator's."""
    return os.open(path, _FOLDER)


def open_folder(folder: int, path: str) -> int:
    """A folder beneath `folder`, with no link and no mount point on the way."""
    return open_beneath(folder, path or ".", _FOLDER)


def open_beneath(folder: int, path: str, flags: int) -> int:
    """Anything beneath `folder`. Raises ELOOP (the walk: ENOTDIR) or EXDEV for a way through a link or outside."""
    if kernel.native is not None:
        try:
            return kernel.native.openat2(folder, path, flags)
        except OSError as error:
            if error.errno not in kernel.MISSING:
                raise
    return _walk(folder, path, flags)


def _walk(folder: int, path: str, flags: int) -> int:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or path.startswith("/"):
        raise OSError(errno.EXDEV, "leads outside", path)
    if not parts:
        return os.open(".", flags | os.O_CLOEXEC, dir_fd=folder)
    here = os.dup(folder)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)


@contextlib.contextmanager
def folder(parent: int, path: str) -> Iterator[int]:
    """`open_folder` for the length of a block."""
    descriptor = open_folder(parent, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(folder: int, path: str) -> int:
    """A regular file to read from, beneath `folder`: no link, no FIFO that would hang, one name only."""
    descriptor = open_beneath(folder, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with _closing_on_error(descriptor):
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise OSError(errno.EPERM, "not a regular file with one name", path)
    return descriptor


def create_file(folder: int, name: str, mode: int) -> int:
    """A new file to write to, with exactly `mode`, whatever the umask. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, mode, dir_fd=folder)
    with _closing_on_error(descriptor):
        _set_mode(descriptor, mode)
    return descriptor


def open_own(path: str) -> int:
    """A file of our own, in the state folder, to read from."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def read_own(path: str) -> bytes:
    """A file of our own, whole."""
    with open(path, "rb") as file:
        return file.read()


def is_there(path: str) -> bool:
    """Whether a file or folder of our own exists."""
    return os.path.exists(path)


def names(path: str) -> list[str]:
    """The names in a folder of our own."""
    return os.listdir(path)


def append_to(path: str) -> int:
    """A file of our own to append to, created private."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def _closing_on_error(descriptor: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise


def _set_mode(descriptor: int, mode: int) -> None:
    # A sandboxed service may not set the set-group-ID bit; a share may keep no modes at all, and what it shows
    # then is its mount options' affair.
    for tried in (mode, mode & 0o777):
        try:
            os.fchmod(descriptor, tried)
            return
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP):
                raise


def set_mode(folder: int, name: str, mode: int) -> None:
    """The mode of a file that we may not own: tried, not insisted on."""
    with contextlib.suppress(OSError):
        descriptor = open_beneath(folder, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)


def make_folders(parent: int, path: str, mode: int) -> int:
    """The folder at `path` beneath `parent`, made with `mode` where missing; each new name is durable.

    Returns its descriptor.
    """
    here = os.dup(parent)
    for part in [part for part in path.split("/") if part]:
        with _closing_on_error(here):
            below = _make_folder(here, part, mode)
        os.close(here)
        here = below
    return here


@contextlib.contextmanager
def folder_made(parent: int, path: str, mode: int) -> Iterator[int]:
    """`make_folders` for the length of a block."""
    descriptor = make_folders(parent, path, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder(parent: int, name: str, mode: int) -> int:
    made = False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
        made = True
    descriptor = open_folder(parent, name)
    with _closing_on_error(descriptor):
        found = os.fstat(descriptor)
        if made:
            _set_mode(descriptor, mode)
            sync_folder(parent)
        elif (found.st_dev, found.st_ino) not in lasting:
            sync_folder(parent)
            lasting.add((found.st_dev, found.st_ino))
    return descriptor


def list_folder(folder: int) -> list[Entry]:
    """What lies in a folder, unsorted; a name that vanishes meanwhile has no stat."""
    return [Entry(name, lstat(folder, name)) for name in os.listdir(folder)]


def names_in(folder: int) -> list[str]:
    """The names in an open folder."""
    return os.listdir(folder)


def lstat(folder: int, name: str) -> os.stat_result | None:
    """The name's own stat, links not followed; None when it is not there or not to be seen."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def exists(folder: int, name: str) -> bool:
    """Whether the name is taken, by whatever. Unlike `lstat`, an unreadable answer is an error."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def fstat(descriptor: int) -> os.stat_result:
    return os.fstat(descriptor)


def read(descriptor: int, length: int, offset: int) -> bytes:
    return os.pread(descriptor, length, offset)


def read_small(folder: int, name: str, limit: int = 1 << 20) -> bytes:
    """A small regular file, whole. Raises EFBIG over `limit` bytes."""
    descriptor = open_beneath(folder, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EPERM, "not a regular file", name)
        data = os.pread(descriptor, limit + 1, 0)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OSError(errno.EFBIG, "too large", name)
    return data


def write(descriptor: int, data: bytes) -> None:
    """All of `data`, or an error; a short write goes on."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def copy(source: int, target: int) -> None:
    """All bytes of one open file to the end of another."""
    offset = 0
    while block := os.pread(source, BLOCK, offset):
        write(target, block)
        offset += len(block)


def truncate(descriptor: int, length: int) -> None:
    os.ftruncate(descriptor, length)


def sync(descriptor: int) -> None:
    """Contents and size are durable. A failure is final for this descriptor: never sync it again."""
    os.fdatasync(descriptor)


def sync_folder(folder: int) -> None:
    """The folder's names are durable; some network file systems cannot, and do it at once by themselves."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise


def rename_noreplace(from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
    """Move a name; raises FileExistsError when the new one is taken."""
    kernel.rename_noreplace(from_folder, from_name, to_folder, to_name)


def replace(folder: int, from_name: str, to_name: str) -> None:
    """Move a file of our own over an older one of our own."""
    os.replace(from_name, to_name, src_dir_fd=folder, dst_dir_fd=folder)


def unlink(folder: int, name: str) -> None:
    """Remove a name; a name that is gone already is what was wanted."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def remove_folder(parent: int, name: str) -> bool:
    """Remove a folder if it is empty; says whether it is gone."""
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def write_small(folder: int, name: str, data: bytes, mode: int) -> None:
    """Replace a small file of our own, whole and durable."""
    temporary = f".{name}.new"
    unlink(folder, temporary)
    descriptor = create_file(folder, temporary, mode)
    try:
        write(descriptor, data)
        sync(descriptor)
    finally:
        os.close(descriptor)
    replace(folder, temporary, name)
    sync_folder(folder)


def write_json(folder: int, name: str, value: Any, mode: int) -> None:
    """`write_small` for a JSON value, indented, UTF-8; names that are no UTF-8 appear escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    write_small(folder, name, text.encode("utf-8", "backslashreplace") + b"\n", mode)


def room(folder: int) -> tuple[int, int]:
    """Bytes that may still be written to a folder's file system, and how many it has."""
    found = os.fstatvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def close(descriptor: int) -> None:
    os.close(descriptor)
