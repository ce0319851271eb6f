"""What is not durable yet, below one folder: told of every effect there, it knows what a power loss may leave.

The weakest sense that file systems of our day have:

* contents are durable from `fdatasync` of the file on. Before it each file may show what was synced last, all
  of what was written, a part of it, or zeroes in its place;
* names are durable from `fsync` of their folder on. Before it each change may have happened or not, whatever
  came before or after it in other folders or under other names;
* a rename within one folder is one change. Between folders it is two, the new name and the removal of the old
  one; the second is never there without the first, so that a renamed file always has a name;
* syncing a file makes none of its names durable, and syncing a folder not the name of that folder.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(slots=True, eq=False)
class _Change:
    """A change of names that is not durable yet: what each (folder, name) shows after it; None: nothing."""

    shows: dict[tuple[int, str], int | None]
    needs: "_Change | None" = None


class Volatile:
    """The names and contents below `root`: as they are durable, and what has changed since.

    Folders are told by open descriptors.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._next = 0
        # Files and folders by inode, under numbers of our own.
        self._ids: dict[int, int] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._durable: dict[int, bytes] = {}
        self._now: dict[int, bytes] = {}
        self._changes: list[_Change] = []
        self.forget()

    def made(self, folder: int, name: str, *, is_folder: bool) -> None:
        """A new file or folder under this name."""
        inode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
        # Some file systems give a number to the next file at once.
        self._next += 1
        self._ids[inode] = self._next
        if is_folder:
            self._names[self._next] = {}
        else:
            self._durable[self._next] = self._now[self._next] = b""
        self._changes.append(_Change({self._key(folder, name): self._next}))

    def moved(self, source: int, name: str, into: int, to: str) -> None:
        """A file has another name now."""
        old, new = self._key(source, name), self._key(into, to)
        moved = self._ids[os.stat(to, dir_fd=into, follow_symlinks=False).st_ino]
        if old[0] == new[0]:
            self._changes.append(_Change({old: None, new: moved}))
            return
        arrived = _Change({new: moved})
        self._changes += [arrived, _Change({old: None}, needs=arrived)]

    def linked(self, into: int, to: str) -> None:
        moved = self._ids[os.stat(to, dir_fd=into, follow_symlinks=False).st_ino]
        self._changes.append(_Change({self._key(into, to): moved}))

    def removed(self, folder: int, name: str) -> None:
        self._changes.append(_Change({self._key(folder, name): None}))

    def written(self, descriptor: int) -> None:
        self._now[self._id(descriptor)] = _contents(descriptor)

    def synced(self, descriptor: int) -> None:
        known = self._id(descriptor)
        if known in self._names:
            self._sync_names(known)
        elif known in self._now:
            self._durable[known] = self._now[known]

    def adopt(self, path: Path) -> None:
        """Somebody else has written this file, and it is durable."""
        inode = path.stat().st_ino
        if inode not in self._ids:
            self._next += 1
            self._ids[inode] = self._next
            self._names[self._ids[path.parent.stat().st_ino]][path.name] = self._next
        self._durable[self._ids[inode]] = self._now[self._ids[inode]] = path.read_bytes()

    def _id(self, descriptor: int) -> int:
        return self._ids.get(os.fstat(descriptor).st_ino, 0)

    def _key(self, folder: int, name: str) -> tuple[int, str]:
        return self._id(folder), name

    def _sync_names(self, folder: int) -> None:
        """The changes in one folder are durable, with those that they rest upon."""
        durable: list[_Change] = []
        keys: set[tuple[int, str]] = set()
        for change in reversed(self._changes):
            if any(key[0] == folder or key in keys for key in change.shows) or any(
                later.needs is change for later in durable
            ):
                durable.insert(0, change)
                keys |= change.shows.keys()
        self._changes[:] = [change for change in self._changes if change not in durable]
        _apply(self._names, durable)

    # -- power loss -----------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Take everything for durable that is there now."""
        self._next = 0
        for known in (self._ids, self._names, self._durable, self._changes):
            known.clear()
        for path in [self.root, *sorted(self.root.rglob("*"))]:
            inode = path.lstat().st_ino
            if inode not in self._ids:
                self._next += 1
                self._ids[inode] = self._next
            number = self._ids[inode]
            if path != self.root:
                self._names[self._ids[path.parent.lstat().st_ino]][path.name] = number
            if path.is_dir():
                self._names[number] = {}
            else:
                self._durable[number] = path.read_bytes()
        self._now = dict(self._durable)

    @property
    def count(self) -> int:
        """How much a power loss could take: names are there or not, contents have more ways to be lost."""
        return len(self._changes) + 2 * len(self._unsynced())

    def _unsynced(self) -> list[int]:
        return [known for known in self._now if self._now[known] != self._durable[known]]

    def durable(self, name: str) -> bytes:
        """The contents that a file of the folder has for sure."""
        return self._durable[self._names[self._ids[self.root.stat().st_ino]][name]]

    def lost_power(self, target: Path) -> Path:
        """What is left, at a new place, when everything volatile is gone."""
        self._build(target, *self._left(None))
        return target

    def lose_power(self, chance: Random | None) -> None:
        """What is left takes the folder's place: nothing volatile, or what `chance` leaves of it."""
        names, contents = self._left(chance)
        shown = {self._ids[path.lstat().st_ino]: path.lstat() for path in self.root.rglob("*")}
        _remove_below(self.root)
        self._build(self.root, names, contents, shown)
        self.forget()

    def _left(self, chance: Random | None) -> tuple[dict[int, dict[str, int]], dict[int, bytes]]:
        names = {folder: dict(shows) for folder, shows in self._names.items()}
        contents = dict(self._durable)
        if chance is not None:
            kept: list[_Change] = []
            for change in self._changes:
                # What a removal rests upon may be durable long since, and then is no volatile change any more.
                may = change.needs is None or change.needs in kept or change.needs not in self._changes
                if may and chance.random() < 0.5:
                    kept.append(change)
            _apply(names, kept)
            for known in self._unsynced():
                contents[known] = chance.choice(list(_outcomes(self._durable[known], self._now[known])))
        return names, contents

    def _build(
        self,
        target: Path,
        names: dict[int, dict[str, int]],
        contents: dict[int, bytes],
        shown: dict[int, os.stat_result] | None = None,
    ) -> None:
        made: dict[int, Path] = {}

        def build(folder: int, here: Path) -> None:
            here.mkdir(exist_ok=True)
            for name, known in names.get(folder, {}).items():
                path = here / name
                if known in made:
                    os.link(made[known], path)
                elif known in contents:
                    path.write_bytes(contents[known])
                    made[known] = path
                else:
                    build(known, path)
                found = (shown or {}).get(known)
                if found is not None:
                    path.chmod(stat.S_IMODE(found.st_mode))
                    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

        build(self._ids[self.root.stat().st_ino], target)


def _apply(names: dict[int, dict[str, int]], changes: list[_Change]) -> None:
    for change in changes:
        for (folder, name), known in change.shows.items():
            if known is None:
                names.setdefault(folder, {}).pop(name, None)
            else:
                names.setdefault(folder, {})[name] = known


def _outcomes(durable: bytes, now: bytes) -> Iterator[bytes]:
    """What a file may show whose last writes were not synced."""
    yield durable
    yield now
    if now.startswith(durable):
        more = len(now) - len(durable)
        yield now[: len(durable) + more // 2]
        yield durable + bytes(more)
        yield now[: len(durable) + more // 2] + bytes(more - more // 2)
    else:
        yield now[: len(now) // 2]
        yield bytes(len(now))


def _contents(descriptor: int) -> bytes:
    return Path(f"/proc/self/fd/{descriptor}").read_bytes()


def _remove_below(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
