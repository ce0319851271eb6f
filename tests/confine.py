"""Starts a command as the unit would, as far as that goes without a booted systemd.

`python confine.py SPEC COMMAND…`, with SPEC made by `tests.unit`. The first line it prints says, as JSON, what could be
had. Root gets everything; others what needs no privilege: the filters, and no new privileges.
"""

import ctypes
import errno
import json
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
_NEWNS, _NEWIPC, _NEWUSER = 0x20000, 0x08000000, 0x10000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _SLAVE = 1, 2, 4, 8, 4096, 16384, 1 << 19
_MOUNT_SETATTR, _RECURSIVE = 442, 0x8000
_SET_NO_NEW_PRIVS, _CAPBSET_DROP, _SET_DUMPABLE = 38, 24, 4
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def _checked(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _unshare(flags: int) -> None:
    _checked(LIBC.unshare(flags))


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    _checked(LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()))


class _Attributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def _set_mount(path: str, *, on: int = 0, off: int = 0) -> None:
    wanted = _Attributes(on, off, 0, 0)
    _checked(LIBC.syscall(_MOUNT_SETATTR, -100, path.encode(), _RECURSIVE, ctypes.byref(wanted), ctypes.sizeof(wanted)))


# -- what it may touch -------------------------------------------------------------------------------------------


def _close_the_system(spec: dict[str, Any]) -> None:
    """ProtectSystem=strict, ReadWritePaths=, ProtectHome=, PrivateDevices=, PrivateMounts=; of PrivateTmp= the half
    that hides: there is no place for scratch files at all.
    """
    _mount("none", "/", flags=_REC | _SLAVE)
    held = {path: os.open(path, os.O_PATH) for path in (*spec["writable"], *spec["readable"])}
    for hidden in [one for one in ("/tmp", "/var/tmp", "/home", "/root", "/run/user") if Path(one).is_dir()]:
        _mount("tmpfs", hidden, "tmpfs", _NOSUID | _NODEV, "mode=0755")
    for path, descriptor in held.items():
        Path(path).mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", path, flags=_BIND | _REC)
        os.close(descriptor)
    devices = Path("/tmp/dev")
    devices.mkdir()
    for name in _DEVICES:
        (devices / name).touch()
        _mount(f"/dev/{name}", str(devices / name), flags=_BIND)
    _mount(str(devices), "/dev", flags=_BIND | _REC)
    _set_mount("/", on=_RDONLY | _NOSUID)
    for path in (*spec["writable"], "/proc"):
        _set_mount(path, off=_RDONLY)


def _hide_processes() -> None:
    """ProtectProc=invisible, ProcSubset=pid."""
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC, "hidepid=invisible,subset=pid")


# -- who it is ---------------------------------------------------------------------------------------------------


def _become(uid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _another_user(uid: int, groups: list[int]) -> None:
    """User=, SupplementaryGroups= for a root that may not unshare: just as far, but others are seen as they are."""
    _drop_bounds()
    _become(uid, groups)


def _users_of_its_own(uid: int, groups: list[int]) -> None:
    """User=, SupplementaryGroups=, PrivateUsers=: root, the user itself and nobody else."""
    ready, go = os.pipe(), os.pipe()
    me = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.read(ready[0], 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{me}/{name}").write_text(f"0 0 1\n{uid} {uid} 1\n")
        os.write(go[1], b"x")
        os._exit(0)
    _become(uid, groups)
    # Who changed its user is no longer its own to look at, and the helper could not find its files.
    _checked(LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0))
    _unshare(_NEWUSER)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.waitpid(helper, 0)
    for end in (*ready, *go):
        os.close(end)


def _drop_bounds() -> None:
    """CapabilityBoundingSet=, which only root can make smaller."""
    for number in range(64):
        with suppress(OSError):
            _checked(LIBC.prctl(_CAPBSET_DROP, number, 0, 0, 0))


def _drop_powers() -> None:
    """CapabilityBoundingSet=, AmbientCapabilities=, NoNewPrivileges=."""
    _drop_bounds()
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _checked(LIBC.capset(header, (ctypes.c_uint32 * 6)()))
    _checked(LIBC.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


# -- what it may do ----------------------------------------------------------------------------------------------

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NE, _EQ, _GT, _MASKED = 1, 4, 6, 7
_EXEC, _WRITE, _SHM_EXEC, _SXID = 4, 2, 0o100000, 0o6000
_NAMESPACES = 0x7E020080
_CREATE = os.O_CREAT


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class _Filter:
    """One seccomp filter, made with libseccomp, as systemd makes its own."""

    def __init__(self, default: int) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._default = default
        self._context = ctypes.c_void_p(self._lib.seccomp_init(default))

    def rule(self, action: int, name: str, *compared: tuple[int, int, int, int]) -> None:
        number = self._lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0 or action == self._default:
            return  # of another machine
        array = (_Compare * len(compared))(*(_Compare(*one) for one in compared))
        done = self._lib.seccomp_rule_add_array(self._context, action, number, len(compared), array)
        assert done == 0, (name, done)

    def refuse(self, name: str, *compared: tuple[int, int, int, int], number: int = errno.EPERM) -> None:
        self.rule(_ERRNO | number, name, *compared)

    def load(self) -> None:
        done = self._lib.seccomp_load(self._context)
        assert done == 0, done


def _only_calls(names: list[str]) -> None:
    """SystemCallFilter= with SystemCallErrorNumber=EPERM, SystemCallArchitectures=native."""
    calls = _Filter(_ERRNO | errno.EPERM)
    for name in names:
        calls.rule(_ALLOW, name)
    calls.load()


def _restrict(spec: dict[str, Any]) -> None:
    """The restrictions that are rules about single calls."""
    rules = _Filter(_ALLOW)
    families = sorted(spec["families"])
    for family in set(range(families[-1])) - set(families):
        rules.refuse("socket", (0, _EQ, family, 0), number=errno.EAFNOSUPPORT)
    rules.refuse("socket", (0, _GT, families[-1], 0), number=errno.EAFNOSUPPORT)
    if spec["no_write_execute"]:
        rules.refuse("mmap", (2, _MASKED, _EXEC | _WRITE, _EXEC | _WRITE))
        rules.refuse("mprotect", (2, _MASKED, _EXEC, _EXEC))
        rules.refuse("pkey_mprotect", (2, _MASKED, _EXEC, _EXEC))
        rules.refuse("shmat", (2, _MASKED, _SHM_EXEC, _SHM_EXEC))
    for bit in [1 << number for number in range(31) if _NAMESPACES >> number & 1]:
        rules.refuse("unshare", (0, _MASKED, bit, bit))
        rules.refuse("clone", (0, _MASKED, bit, bit))
    rules.refuse("clone3", number=errno.ENOSYS)
    rules.refuse("setns")
    rules.refuse("personality", (0, _NE, 0, 0))
    rules.refuse("sched_setscheduler", (1, _GT, 0, 0))
    for bit in (0o4000, 0o2000) if spec["no_sxid"] else ():
        for name, place in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
            rules.refuse(name, (place, _MASKED, bit, bit))
        rules.refuse("openat", (2, _MASKED, _CREATE, _CREATE), (3, _MASKED, bit, bit))
        rules.refuse("openat2", number=errno.ENOSYS)
    rules.load()


def main(spec: dict[str, Any], command: list[str]) -> None:
    told: dict[str, str] = {}

    def attempt(what: str, do: Callable[..., None], *arguments: Any) -> None:
        try:
            do(*arguments)
            told[what] = "yes"
        except OSError as error:
            told[what] = str(error)

    if os.geteuid() == 0:
        attempt("namespaces", _unshare, _NEWNS | _NEWIPC)
        # Where nothing could be unshared, mounting would change the machine.
        if told["namespaces"] == "yes":
            attempt("system", _close_the_system, spec)
            attempt("processes", _hide_processes)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(spec["umask"], 8))
    if os.geteuid() == 0:
        # A root that may not mount may not write the table of its users either.
        another = _users_of_its_own if told["namespaces"] == "yes" else _another_user
        attempt("users", another, int(spec["uid"]), spec["groups"])
    attempt("powers", _drop_powers)
    if spec["calls"]:
        attempt("rules", _restrict, spec)
        # Last: no further filter can be set through this one.
        attempt("calls", _only_calls, spec["calls"])
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
