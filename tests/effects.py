"""The disk, watched: counts what a program does to it, stops the program at one effect, and knows what a power
loss at that moment would leave.

`daemon.disk` is the one room through which effects go, so its functions are wrapped while the test runs.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pytest

from daemon import disk

_EFFECTS = ("create_file", "append_to", "write", "truncate", "sync", "sync_folder", "replace", "unlink")
How = Literal["before", "half", "after"]
HOWS: tuple[How, ...] = ("before", "half", "after")


class Crash(BaseException):
    """The process ends here."""


class Effects:
    """What happens to `folder` within the block.

    With `stop_at` the n-th effect ends the program: before it, after it, or (of a write) in its middle; every
    later one fails, too, because nothing of a dead process goes on. `lost_power` then builds what is left when
    everything that was not synced is gone.
    """

    def __init__(self, folder: Path, *, stop_at: int = 0, how: How = "before") -> None:
        self.count = 0
        self.done: list[str] = []
        self._stop_at = stop_at
        self._how = how
        self._patch = pytest.MonkeyPatch()
        self._root = folder
        self._contents: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                self._note_folder(os.fspath(path))
            else:
                self._contents[path.stat().st_ino] = path.read_bytes()

    @property
    def stopped(self) -> bool:
        return 0 < self._stop_at <= self.count

    def __enter__(self) -> Self:
        for name in _EFFECTS:
            self._patch.setattr(disk, name, self._watched(name, getattr(disk, name)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._patch.undo()

    def _watched(self, name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            self.count += 1
            if self.stopped and (self.count > self._stop_at or self._how != "after"):
                if name == "write" and self._how == "half" and self.count == self._stop_at:
                    effect(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise Crash(name)
            answer = effect(*arguments)
            self.done.append(name)
            self._note(name, arguments, answer)
            if self.stopped:
                if isinstance(answer, int):
                    os.close(answer)
                raise Crash(name)
            return answer

        return watched

    # -- what is durable ------------------------------------------------------------------------------------

    def _note(self, name: str, arguments: tuple[Any, ...], answer: Any) -> None:
        if name == "create_file":
            self._contents[os.fstat(answer).st_ino] = b""
        elif name == "append_to":
            self._contents.setdefault(os.fstat(answer).st_ino, b"")
        elif name == "sync":
            self._contents[os.fstat(arguments[0]).st_ino] = Path(f"/proc/self/fd/{arguments[0]}").read_bytes()
        elif name == "sync_folder":
            self._note_folder(arguments[0])

    def _note_folder(self, folder: str | int) -> None:
        here = folder if isinstance(folder, int) else os.open(folder, os.O_RDONLY)
        self._folders[os.fstat(here).st_ino] = {
            name: os.stat(name, dir_fd=here, follow_symlinks=False).st_ino for name in os.listdir(here)
        }
        if here != folder:
            os.close(here)

    def durable(self, name: str) -> bytes:
        """The contents that a file of the folder has for sure."""
        return self._contents[self._folders[self._root.stat().st_ino][name]]

    def lost_power(self, target: Path) -> Path:
        """What is left of the folder, at a new place."""
        self._rebuild(self._root.stat().st_ino, target)
        return target

    def _rebuild(self, folder: int, target: Path) -> None:
        target.mkdir()
        for name, inode in self._folders.get(folder, {}).items():
            if inode in self._contents:
                (target / name).write_bytes(self._contents[inode])
            else:
                self._rebuild(inode, target / name)
