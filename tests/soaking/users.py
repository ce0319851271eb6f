"""The users of the share: they drop, write slowly, replace, move, take away and collect.

Whatever they do is one system call on one name, so that what happened is known although the daemon works on the
same files: a file that was claimed a moment earlier is not there, and then nothing has happened.
"""

import contextlib
import os
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from tests.soaking.contents import FOLDERS, Drop, make
from tests.soaking.history import History
from tests.soaking.moving import exchange, rename
from tests.soaking.place import Place

NOT_DROPPED = (".", "planted", "~$planted")
"""How names begin that nobody wants to have translated."""


class Users:
    """All of them. Each method says in a word what came of it."""

    def __init__(self, place: Place, history: History, seed: int) -> None:
        self._place, self._history, self._seed = place, history, seed
        self._count = 0
        self.contents = place.base / "contents"
        self.contents.mkdir()
        self._writing: dict[int, tuple[Path, bytes, str]] = {}

    @property
    def unfinished(self) -> dict[int, str]:
        """By inode what the files will hold that are not written to their end."""
        return {os.fstat(descriptor).st_ino: digest for descriptor, (_, _, digest) in self._writing.items()}

    # -- dropping -------------------------------------------------------------------------------------------

    def _make(self, dice: random.Random, extension: str | None = None) -> Drop:
        self._count += 1
        drop = make(f"{self._seed}-{self._count}", dice, extension)
        (self.contents / sha256(drop.data).hexdigest()).write_bytes(drop.data)
        return drop

    def _aside(self, data: bytes) -> Path:
        self._count += 1
        path = self._place.desk / f"aside {self._count}"
        path.write_bytes(data)
        return path

    def _put(self, path: str, data: bytes) -> None:
        self._history.tell("put", path=path, sha256=sha256(data).hexdigest())

    def drop(self, dice: random.Random) -> str:
        """Copy a new document into an inbox, or rename it in."""
        drop = self._make(dice)
        if dice.random() < 0.5:
            return self._renamed_in(drop.path, drop.data)
        target = self._place.root / drop.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as file:
                file.write(drop.data)
        except FileExistsError:
            return "missed"
        self._put(drop.path, drop.data)
        return "copied"

    def _renamed_in(self, path: str, data: bytes) -> str:
        if rename(self._aside(data), self._place.root / path):
            self._put(path, data)
            return "renamed in"
        return "missed"

    def drop_again(self, dice: random.Random) -> str:
        """The bytes of an earlier drop, ordered once more."""
        known = [act for act in self._history.acts if act.kind == "put"]
        if not known:
            return "missed"
        act = dice.choice(known)
        return self._renamed_in(act.path, (self.contents / act.sha256).read_bytes())

    def drop_tree(self, dice: random.Random) -> str:
        """A whole folder of documents, moved in at once."""
        first = self._make(dice)
        tree = self._place.desk / f"tree {self._count}"
        drops = [first, *(self._make(random.Random(dice.random())) for _ in range(3))]
        into = f"inbox/{first.provider}/{first.folder}/{tree.name}"
        fitting = [drop for drop in drops if drop.provider == first.provider]
        for drop in fitting:
            path = tree / drop.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(drop.data)
        if not rename(tree, self._place.root / into):
            return "missed"
        for name, drop in {drop.name: drop for drop in fitting}.items():
            self._put(f"{into}/{name}", drop.data)
        return "moved in"

    def begin_writing(self, dice: random.Random) -> str:
        """Open a file in an inbox and write its first half; the rest comes later."""
        drop = self._make(dice)
        target = self._place.root / drop.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return "missed"
        half = len(drop.data) // 2
        os.write(descriptor, drop.data[:half])
        self._writing[descriptor] = (target, drop.data[half:], sha256(drop.data).hexdigest())
        # Ordered from the beginning: it is a user's mistake at no moment.
        self._put(drop.path, drop.data)
        return "begun"

    def end_writing(self) -> str:
        """Write the rest of the oldest of the files that are being written."""
        if not self._writing:
            return "missed"
        descriptor, (_, rest, _) = next(iter(self._writing.items()))
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.close(descriptor)
        del self._writing[descriptor]
        return "written"

    def end_all_writing(self) -> None:
        while self._writing:
            self.end_writing()

    # -- changing one's mind --------------------------------------------------------------------------------

    def _dropped(self) -> list[Path]:
        """What lies in the inboxes, whole, and is a user's original."""
        busy = {path for path, *_ in self._writing.values()}
        place = self._place
        return [
            path for path in sorted(place.files("inbox"))
            if path not in busy and not path.is_symlink() and not path.name.startswith(NOT_DROPPED)
            and not place.is_own_sidecar(path)
        ]  # fmt: skip

    def _failed(self) -> list[Path]:
        place = self._place
        return [
            path
            for path in sorted(place.files("failed"))
            if not path.name.startswith(NOT_DROPPED) and not place.is_own_sidecar(path)
        ]

    def replace(self, dice: random.Random) -> str:
        """Save a newer version over a file that still lies in an inbox."""
        found = self._dropped()
        if not found:
            return "missed"
        target = dice.choice(found)
        path = self._place.below(target)
        newer = self._make(dice, target.suffix[1:]).data
        aside = self._aside(newer)
        # Exchanged and not just renamed over: so the user knows what was there.
        if not exchange(aside, target):
            return "missed"
        self._history.tell("take", path=path, sha256=_hash(aside))
        self._put(path, newer)
        aside.unlink()
        return "replaced"

    def rewrite(self, dice: random.Random) -> str:
        """Write a newer version into the very file that lies in an inbox, as some editors save."""
        found = self._dropped()
        if not found:
            return "missed"
        target = dice.choice(found)
        newer = self._make(dice, target.suffix[1:]).data
        try:
            # Not waited for: a lease of a daemon that is stopped would last most of a minute.
            descriptor = os.open(target, os.O_RDWR | os.O_NONBLOCK)
        except OSError:
            return "missed"
        with open(descriptor, "r+b", buffering=0) as file:
            older = sha256(file.read()).hexdigest()
            file.truncate(0)
            file.seek(0)
            file.write(newer)
        path = self._place.below(target)
        self._history.tell("take", path=path, sha256=older)
        self._put(path, newer)
        return "rewritten"

    def sweep(self, dice: random.Random) -> str:
        """Remove an empty folder that the daemon may want again."""
        top = self._place.root / dice.choice(("inbox", "outbox", "failed"))
        folders = sorted(Path(folder) for folder, _, _ in os.walk(top))
        with contextlib.suppress(OSError, IndexError):
            dice.choice(folders[1:]).rmdir()
            return "removed"
        return "missed"

    def delete(self, dice: random.Random) -> str:
        """Take an original away, out of an inbox or out of failed/."""
        found = self._dropped() if dice.random() < 0.6 else self._failed()
        if not found:
            return "missed"
        target = dice.choice(found)
        aside = self._place.desk / f"taken {len(self._history.acts)}"
        path = self._place.below(target)
        if not rename(target, aside):
            return "missed"
        self._history.tell("take", path=path, sha256=_hash(aside))
        aside.unlink()
        if path.startswith("failed/") and dice.random() < 0.5:
            self._take_sidecar(target)
        return "deleted"

    def _take_sidecar(self, original: Path) -> Path | None:
        beside = original.with_name(original.name + ".error.json")
        aside = self._place.desk / f"sidecar {len(self._history.acts)}"
        if not rename(beside, aside):
            return None
        self._history.tell("sidecar", path=self._place.below(beside))
        return aside

    def move(self, dice: random.Random) -> str:
        """Move a waiting file to another language, or a failed one back into its inbox."""
        found = self._dropped() if dice.random() < 0.3 else self._failed()
        if not found:
            return "missed"
        source = dice.choice(found)
        path = self._place.below(source)
        top, provider, folder, name = path.split("/", 3)
        folders = FOLDERS[provider]
        back = top == "failed"
        to = f"inbox/{provider}/{folder if back else folders[folder == folders[0]]}/{name}"
        return self._moved(source, self._place.root / to, with_sidecar=back and dice.random() < 0.5)

    def _moved(self, source: Path, target: Path, *, with_sidecar: bool) -> str:
        try:
            content = source.open("rb")
        except OSError:
            return "missed"
        with content:
            if not rename(source, target):
                return "missed"
            digest = sha256(content.read()).hexdigest()
        place = self._place
        self._history.tell("move", path=place.below(source), to=place.below(target), sha256=digest)
        if with_sidecar and (aside := self._take_sidecar(source)) is not None:
            rename(aside, target.with_name(target.name + ".error.json"))
        return "moved"

    def retry(self, dice: random.Random) -> str:
        """Let the command put a failed file back."""
        found = self._failed()
        if not found:
            return "missed"
        source = dice.choice(found)
        digest = _hash(source)
        done = self._place.command("retry", "--", str(source))
        if done.returncode:
            return "missed"
        path = self._place.below(source)
        self._history.tell("move", path=path, to=path.replace("failed/", "inbox/", 1), sha256=digest)
        return "retried"

    def collect(self, dice: random.Random) -> str:
        """Take a result out of the outbox."""
        planted = {act.path for act in self._history.acts if act.kind == "plant"}
        found = [
            path
            for path in sorted(self._place.files("outbox"))
            if not path.name.startswith(".") and self._place.below(path) not in planted
        ]
        aside = self._place.base / "collected" / str(len(self._history.acts))
        if not found or not rename(target := dice.choice(found), aside):
            return "missed"
        self._history.tell("collect", path=self._place.below(target), sha256=_hash(aside))
        return "collected"

    def plant(self, dice: random.Random) -> str:
        """Put a file of one's own where nobody may touch it."""
        name = dice.choice(("planted.tmp", ".planted", "planted.part", "~$planted.docx"))
        top = dice.choice(("inbox", "outbox", "failed", "archive"))
        if top != "inbox":
            name = dice.choice(("planted.txt", "planted.error.json", ".planted", ".planted.part"))
        provider = dice.choice(tuple(FOLDERS))
        data = f"mine {len(self._history.acts)}\n".encode()
        path = f"{top}/{provider}/{dice.choice(FOLDERS[provider])}/{name}"
        awaited = sorted(self._place.files("processing"))
        if awaited and dice.random() < 0.5:
            # Just where a result is going to be published.
            _, provider, folder, _, below = self._place.below(dice.choice(awaited)).split("/", 4)
            path = f"outbox/{provider}/{folder}/{below}"
        if not rename(self._aside(data), self._place.root / path):
            return "missed"
        self._history.tell("plant", path=path, sha256=sha256(data).hexdigest())
        return "planted"

    def link(self, dice: random.Random) -> str:
        """A link in an inbox to something outside, which nobody may follow."""
        provider = dice.choice(tuple(FOLDERS))
        link = self._place.root / f"inbox/{provider}/{FOLDERS[provider][0]}/planted link.txt"
        secret = self._place.base / "outside.txt"
        secret.write_text("Nobody may read this.\n", encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            link.symlink_to(secret)
            return "linked"
        return "missed"

    def acts(self) -> dict[str, Callable[[random.Random], str]]:
        """What users do, by its name in the schedule."""
        return {
            "drop": self.drop, "drop again": self.drop_again, "drop tree": self.drop_tree,
            "begin writing": self.begin_writing, "end writing": lambda _: self.end_writing(),
            "replace": self.replace, "rewrite": self.rewrite, "sweep": self.sweep, "delete": self.delete,
            "move": self.move, "retry": self.retry,
            "collect": self.collect, "plant": self.plant, "link": self.link,
        }  # fmt: skip


def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
