"""What a kill and a failing disk do to a process: the n-th effect ends it, or is refused.

`daemon.disk` is the one room through which files are touched, so what it takes for the system's calls is
replaced, in a process that does nothing else.
"""

import functools
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon import disk, kernel

if TYPE_CHECKING:
    from collections.abc import Callable

KILLED = 137
"""The exit code of a process that ended at an effect, as a shell would show a SIGKILL."""
_CHANGES = frozenset(
    {"mkdir", "rmdir", "unlink", "rename", "replace", "link", "write", "fsync", "fdatasync", "fchmod", "ftruncate"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at the effect `at` (1, 2, …; 0: nothing): the process ends, or the call fails with `error`.

    `lasting`: every later one fails, too.
    """

    at: int = 0
    error: int | None = None
    lasting: bool = False


class Effects:
    """Counts what changes names or contents on the disk, or makes them durable, and lets the fault happen."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._lock = threading.Lock()
        self.count = 0

    def install(self) -> None:
        """From now on, for this process."""
        vars(disk)["os"] = Calls(self.effect)
        if kernel.native is not None:
            vars(kernel)["native"] = Native(self.effect, kernel.native)

    def effect(self, name: str) -> None:
        """One call is about to happen. Raises OSError where the fault says so, or ends the process."""
        with self._lock:
            self.count += 1
            fault, now = self._fault, self.count
        if not fault.at or now < fault.at:
            return
        if fault.error is None:
            os._exit(KILLED)
        if fault.lasting or now == fault.at:
            raise OSError(fault.error, os.strerror(fault.error), name)


class Calls:
    """Stands where `disk` expects the module os; `effect` is told the name of each call that changes something."""

    def __init__(self, effect: "Callable[[str], None]") -> None:
        self._effect = effect

    def __getattr__(self, name: str) -> Any:
        real: Callable[..., Any] = getattr(os, name)
        if name == "open":
            return self._open
        if name not in _CHANGES:
            return real

        @functools.wraps(real)
        def counted(*arguments: Any, **more: Any) -> Any:
            self._effect(name)
            return real(*arguments, **more)

        return counted

    def _open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            self._effect("create")
        return os.open(path, flags, mode, dir_fd=dir_fd)


class Native:
    """The kernel's own calls, told likewise."""

    def __init__(self, effect: "Callable[[str], None]", real: kernel.Native) -> None:
        self._effect = effect
        self.openat2 = real.openat2
        self._rename = real.rename_noreplace

    def rename_noreplace(self, from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
        self._effect("rename_noreplace")
        self._rename(from_folder, from_name, to_folder, to_name)
