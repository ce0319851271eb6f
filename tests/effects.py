"""The disk, watched: counts what a program does to it, ends the program (or fails the disk) at one effect, and
knows what a power loss at that moment may leave.

The watch sits where `daemon.disk` and `daemon.kernel` call the system, so that nothing between the daemon and
the kernel is left out. An effect is a call that changes names, contents or modes, or makes them durable;
opening, reading and closing are none. A test may count effects of its own (`effect`), such as what goes over a
socket.

A killed process leaves everything it has done, as volatile as it was; what a power loss leaves of it is known to
`volatile`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import pytest

from daemon import disk, kernel
from tests.volatile import Volatile

How = Literal["before", "half", "after"]
HOWS: tuple[How, ...] = ("before", "half", "after")
T = TypeVar("T")


class Crash(BaseException):
    """The process ends here; like a kill it is caught by nobody who only expects errors."""


@dataclass(frozen=True, slots=True)
class Step:
    """One effect: its name, and the path or address that it was about."""

    name: str
    about: str


class Effects:
    """What happens to `folder` within the block.

    With `stop_at` the n-th effect ends the program: before it, after it, or (of a write) in its middle; every
    later one fails, too, because nothing of a dead process goes on. With `error` that effect fails instead,
    once, or with `lasting` every effect from it on, until `arm` is called again; with `cuts` it breaks a
    connection.
    """

    def __init__(self, folder: Path, *, stop_at: int = 0, how: How = "before") -> None:
        self.root = folder
        self._patch = pytest.MonkeyPatch()
        self._open: set[int] = set()
        self.meanwhile: Callable[[Step], Path | None] = lambda _step: None
        """Told of every effect before it happens; returns what other people changed at that moment, durably."""
        self.volatile = Volatile(folder)
        self.arm(stop_at, how)

    def arm(
        self, stop_at: int, how: How = "before", *, error: int = 0, lasting: bool = False, cuts: bool = False
    ) -> None:
        """A new process, with a new count; what is volatile stays so."""
        self.count = 0
        self.done: list[str] = []
        self.steps: list[Step] = []
        self.dead = False
        self.failed: set[int] = set()
        """Files whose sync has failed: what a second one says means nothing."""
        self.distrusted: list[str] = []
        """Those that were synced again all the same."""
        self._stop_at, self._how, self._error, self._lasting, self._cuts = stop_at, how, error, lasting, cuts

    @property
    def stopped(self) -> bool:
        return 0 < self._stop_at <= self.count

    def __enter__(self) -> Self:
        self._patch.setattr(disk, "os", _Os(self))
        self._patch.setattr(kernel, "os", _Os(self))
        if kernel.native is not None:
            self._patch.setattr(kernel, "native", _Native(self, kernel.native))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._patch.undo()
        if self.dead:
            self.bury()

    def effect(
        self,
        name: str,
        about: str,
        act: Callable[[], T],
        half: Callable[[], object] = lambda: None,
        *,
        cut: Exception | None = None,
    ) -> T:
        """Do one thing that counts. Raises Crash, or the error that was ordered for the disk.

        What goes over a network fails with `cut`, and not when the disk does; once it was done as far as `how`
        says.
        """
        if self.dead:
            raise Crash(name)
        self.count += 1
        self.steps.append(Step(name, about))
        changed = self.meanwhile(self.steps[-1])
        if changed is not None:
            self.volatile.adopt(changed)
        at_it = self.count == self._stop_at
        if self._cuts:
            if at_it and cut is not None:
                {"before": lambda: None, "half": half, "after": act}[self._how]()
                raise cut
        elif self._error:
            if cut is None and (at_it or (self._lasting and self.stopped)):
                raise OSError(self._error, os.strerror(self._error), about)
        elif at_it and self._how != "after":
            self.dead = True
            if self._how == "half":
                half()
            raise Crash(name)
        answer = act()
        self.done.append(name)
        if at_it and not self._error and not self._cuts:
            self.dead = True
            raise Crash(name)
        return answer

    def bury(self) -> None:
        """Give back what a dead process still has open: descriptors, and with them locks."""
        for descriptor in list(self._open):
            self.note_closed(descriptor)
            os.close(descriptor)

    def note_open(self, descriptor: int) -> int:
        self._open.add(descriptor)
        return descriptor

    def note_closed(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        self.failed.discard(descriptor)

    def durable(self, name: str) -> bytes:
        """The contents that a file of the folder has for sure."""
        return self.volatile.durable(name)

    def lost_power(self, target: Path) -> Path:
        """What is left, at a new place, when everything volatile is gone."""
        return self.volatile.lost_power(target)


class _Os:
    """Stands where `disk` and `kernel` expect the module os."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        setattr(self, name, found)
        return found

    def _at(self, descriptor: int, name: str = "") -> str:
        path = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), name)
        return os.path.relpath(path.rstrip("/").removesuffix(" (deleted)"), self._effects.root)

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        watch = self._effects
        if not flags & os.O_CREAT or _is_there(path, dir_fd):
            return watch.note_open(os.open(path, flags, mode, dir_fd=dir_fd))
        folder = dir_fd if dir_fd is not None else os.open(os.path.dirname(path), os.O_RDONLY)
        name = os.path.basename(path)

        def act() -> int:
            made = watch.note_open(os.open(path, flags, mode, dir_fd=dir_fd))
            watch.volatile.made(folder, name, is_folder=False)
            return made

        try:
            return watch.effect("create", self._at(folder, name), act)
        finally:
            if folder != dir_fd:
                os.close(folder)

    def dup(self, descriptor: int) -> int:
        return self._effects.note_open(os.dup(descriptor))

    def close(self, descriptor: int) -> None:
        self._effects.note_closed(descriptor)
        os.close(descriptor)

    def write(self, descriptor: int, data: memoryview) -> int:
        def act(length: int) -> int:
            written = os.write(descriptor, data[:length])
            self._effects.volatile.written(descriptor)
            return written

        half = partial(act, len(data) // 2)
        return self._effects.effect("write", self._at(descriptor), partial(act, len(data)), half)

    def ftruncate(self, descriptor: int, length: int) -> None:
        self._plain("truncate", descriptor, partial(os.ftruncate, descriptor, length), Volatile.written)

    def fdatasync(self, descriptor: int) -> None:
        watch = self._effects
        if descriptor in watch.failed:
            watch.distrusted.append(self._at(descriptor))
        watch.failed.add(descriptor)
        self._plain("sync", descriptor, partial(os.fdatasync, descriptor), Volatile.synced)
        watch.failed.discard(descriptor)

    def fsync(self, descriptor: int) -> None:
        self._plain("sync_folder", descriptor, partial(os.fsync, descriptor), Volatile.synced)

    def fchmod(self, descriptor: int, mode: int) -> None:
        self._plain("chmod", descriptor, partial(os.fchmod, descriptor, mode), lambda *_: None)

    def _plain(
        self, name: str, descriptor: int, act: Callable[[], None], note: Callable[[Volatile, int], None]
    ) -> None:
        def both() -> None:
            act()
            note(self._effects.volatile, descriptor)

        self._effects.effect(name, self._at(descriptor), both)

    def mkdir(self, name: str, mode: int, *, dir_fd: int) -> None:
        def act() -> None:
            os.mkdir(name, mode, dir_fd=dir_fd)
            self._effects.volatile.made(dir_fd, name, is_folder=True)

        if _is_there(name, dir_fd):
            raise FileExistsError(name)
        self._effects.effect("mkdir", self._at(dir_fd, name), act)

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        def act() -> None:
            os.rmdir(name, dir_fd=dir_fd)
            self._effects.volatile.removed(dir_fd, name)

        self._effects.effect("rmdir", self._at(dir_fd, name), act)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        def act() -> None:
            os.unlink(name, dir_fd=dir_fd)
            self._effects.volatile.removed(dir_fd, name)

        if not _is_there(name, dir_fd):
            raise FileNotFoundError(name)
        self._effects.effect("unlink", self._at(dir_fd, name), act)

    def replace(self, name: str, to: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        def act() -> None:
            os.replace(name, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            self._effects.volatile.moved(src_dir_fd, name, dst_dir_fd, to)

        self._effects.effect("replace", self._at(dst_dir_fd, to), act)

    rename = replace

    def link(self, name: str, to: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        def act() -> None:
            os.link(name, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)
            self._effects.volatile.linked(dst_dir_fd, to)

        self._effects.effect("link", self._at(dst_dir_fd, to), act)

    def renamed(self, act: Callable[[], None], name: str, from_folder: int, to_folder: int, to: str) -> None:
        """A rename by the kernel's own call, which refuses a name that is taken."""

        def both() -> None:
            act()
            self._effects.volatile.moved(from_folder, name, to_folder, to)

        self._effects.effect("rename", self._at(to_folder, to), both)


def _is_there(path: str, folder: int | None) -> bool:
    try:
        os.stat(path, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


class _Native:
    """The kernel's own calls, counted where they change something."""

    def __init__(self, effects: Effects, real: kernel.Native) -> None:
        self._effects = effects
        self._real = real
        self._os = _Os(effects)

    def openat2(self, folder: int, path: str, flags: int) -> int:
        return self._effects.note_open(self._real.openat2(folder, path, flags))

    def rename_noreplace(self, from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
        act = partial(self._real.rename_noreplace, from_folder, from_name, to_folder, to_name)
        self._os.renamed(act, from_name, from_folder, to_folder, to_name)
