"""What the Linux kernel offers beyond Python's `os`: confined opening, renaming without replacing, leases,
locks, and which file system a path is on. Used by `disk` and through it.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import signal

_OPENAT2 = 437
_RENAME_NOREPLACE = 1
# RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH, linux/openat2.h
_CONFINED = 0x01 | 0x02 | 0x04 | 0x08
MISSING = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOTSUP})
"""Errors that say "not with this kernel or file system", so that the portable way is worth a try."""
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ocfs2"})
_SHOWS_LATE = frozenset({"fuse.sshfs"})
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.ntfs-3g", "fuse.fuse-overlayfs", "fuse.mergerfs"})


FOR_NOW = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN, errno.EBUSY, errno.EAGAIN,
        errno.ECONNABORTED, errno.ECONNRESET, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH,
        errno.EREMOTEIO, errno.ENOLINK,
        errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.ENOSPC, errno.EDQUOT, errno.EROFS,
    }
)  # fmt: skip
"""Errors that say nothing about the file: the disk, the share or this process is in trouble for now."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that say that there is no room, which somebody may make."""


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Native:
    """The two system calls that Python does not wrap."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def openat2(self, folder: int, path: str, flags: int) -> int:
        how = _How(flags | os.O_CLOEXEC, 0, _CONFINED)
        found = self._libc.syscall(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        return self._checked(int(found), path)

    def rename_noreplace(self, from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
        done = self._libc.renameat2(
            from_folder, os.fsencode(from_name), to_folder, os.fsencode(to_name), _RENAME_NOREPLACE
        )
        self._checked(int(done), to_name)

    @staticmethod
    def _checked(answer: int, path: str) -> int:
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return answer


# None makes every function take its portable way; a fake file system has no system calls.
native: Native | None = Native()


def rename_noreplace(from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
    """Move a name; raises FileExistsError when the new one is taken.

    Three ways, best first: renameat2; a second link and removal of the first; a look and a plain rename,
    for file systems that know neither (between look and rename a foreign name could be replaced there).
    """
    if native is not None:
        try:
            native.rename_noreplace(from_folder, from_name, to_folder, to_name)
            return
        except OSError as error:
            if error.errno not in MISSING:
                _unless_done(error, from_folder, from_name, to_folder, to_name)
                return
    try:
        os.link(from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL):
            raise
        if _exists(to_folder, to_name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), to_name) from None
        os.rename(from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder)
    else:
        os.unlink(from_name, dir_fd=from_folder)


def _unless_done(error: OSError, from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
    """Network file systems may report an error for a rename that happened: a look at both names decides."""
    try:
        done = not _exists(from_folder, from_name) and _exists(to_folder, to_name)
    except OSError:
        done = False
    if not done or error.errno == errno.ENOENT:
        raise error


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


_CAP_LEASE = 28
"""Its number in linux/capability.h."""


def take_lease(descriptor: int) -> str:
    """Try a read lease: `proven` (no writer has the file open), `busy`, or `unavailable`.

    The lease makes a later writer wait; the kernel asks for it back with SIGIO, which kills a process that
    does not ignore it.
    """
    if signal.getsignal(signal.SIGIO) is not signal.SIG_IGN:
        return "unavailable"
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return "busy" if error.errno in (errno.EAGAIN, errno.EBUSY) else "unavailable"
    return "proven"


def release_lease(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def leases_for_others() -> bool:
    """Whether this process may take leases on files of other users (CAP_LEASE)."""
    with open("/proc/thread-self/status", encoding="utf-8", errors="replace") as lines:
        told = dict(line.split(":", 1) for line in lines if ":" in line)
    return bool(int(told["CapEff"], 16) >> _CAP_LEASE & 1)


# Of these a file shows another device than its locks do; the number of the file alone has to tell.
_OTHER_DEVICES = frozenset({"overlay", "btrfs"})


def lock(path: str) -> int | None:
    """An exclusive lock on a file of our own for as long as its descriptor is open; None: somebody has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    # What was written before this moment is of another holder; that is how readers know.
    os.utime(descriptor)
    return descriptor


def is_locked(path: str) -> bool:
    """Whether somebody holds `lock`; changes nothing, and takes nothing that a start could stumble over."""
    try:
        found = os.stat(path)
        with open("/proc/locks", encoding="utf-8", errors="replace") as lines:
            held = [line.split() for line in lines]
    except FileNotFoundError:
        return False
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:"
    if file_system(path) in _OTHER_DEVICES:
        device = ""
    files = [line[5] for line in held if "FLOCK" in line and "WRITE" in line and len(line) > 5]
    return any(file.startswith(device) and file.endswith(f":{found.st_ino}") for file in files)


def file_system(path: str) -> str:
    """The type of the file system that holds `path` (`ext4`, `cifs`, `fuse.sshfs`), or `unknown`."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                before, _, after = line.partition(" - ")
                if before.split()[2] == wanted:
                    return after.split()[0]
    except OSError:
        pass
    return "unknown"


def is_network(file_system: str) -> bool:
    """Whether other machines write there unseen by this kernel: no events, no leases that prove anything.

    FUSE counts as one unless it is known to be local: sshfs, smbnetfs and rclone are all `fuse.*`.
    """
    if file_system in _LOCAL_FUSE:
        return False
    return file_system in _NETWORK or file_system.startswith("fuse")


def shows_late(file_system: str) -> bool:
    """Whether it shows sizes and times that are up to 20 s old (sshfs, by default: `dcache_timeout`)."""
    return file_system in _SHOWS_LATE
