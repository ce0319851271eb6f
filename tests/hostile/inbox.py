"""A bench that also sends and delivers, one step after the other, to a provider that keeps a ledger."""

import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon import disk, segments, sidecar
from daemon.errors import RejectedError
from daemon.languages import Route
from daemon.originals import Original
from daemon.polling import Polls
from daemon.providers.base import Accepted, Attempt, Part
from daemon.segments import NotSegmentableError
from daemon.settling import Settlements
from daemon.spool import Sink
from daemon.submission import Submissions
from daemon.view import View
from tests.builders import PROVIDER, Bench, Silent, settings

TEXT = b"some text\n"
NOBODY = 65534
_MOST = 1_000_000


class Bookkeeper(Silent):
    """Takes documents block by block and keeps what it was given; `between` is told the number of each block."""

    def __init__(self) -> None:
        super().__init__(settings())
        self.ledger: list[tuple[str, bytes]] = []
        self.between: Callable[[int], object] = lambda _number: None
        self.takes_apart = False

    def take(self, most_bytes: int | None) -> None:
        """Take documents of so many bytes; None: of any size."""
        self.capabilities = replace(self.capabilities, max_bytes=most_bytes)

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        """A service for texts takes a document apart before it sends anything."""
        if self.takes_apart:
            try:
                segments.take_apart(document.read(), document.extension)
            except NotSegmentableError as error:
                raise RejectedError("drop.damaged", str(error)) from None
        return super().prepare(document, route, attempt)

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        blocks = []
        for number, block in enumerate(part.document.blocks()):
            blocks.append(block)
            self.between(number)
        self._taken[part.attempt.job] = b"".join(blocks)
        self.ledger.append((part.attempt.sent_name, b"".join(blocks)))
        return Accepted(ref=part.attempt.job)


class Line(Bench):
    """A bench whose jobs go on: `work` does what is due, `live` lets time pass meanwhile."""

    def __init__(self, base: Path, **more: Any) -> None:
        super().__init__(base, **more)
        self.service = Bookkeeper()
        self.desk = self.shop.desks[PROVIDER]
        self.desk.provider = self.service
        self._settlements = Settlements(self.shop)
        self._submissions = Submissions(self.shop, self._settlements)
        self._polls = Polls(self.shop)
        self._view = View(self.shop, self.intake, str(base / "state"), {})

    def work(self) -> None:
        """Every step that is due now, and those that follow at once."""
        desk, shop = self.desk, self.shop
        worked = True
        while worked:
            worked = self._submit_all()
            for lane, step in (
                (desk.lanes.settle, self._settlements.run),
                (desk.lanes.finish, self.deliveries.finish),
            ):
                for key in shop.take(lane, _MOST):
                    step(desk, key)
                    worked = True
            facts = desk.capabilities
            for lane, most, batch in (
                (desk.lanes.poll, facts.poll_batch, self._polls.run),
                (desk.lanes.fetch, facts.fetch_batch, self.deliveries.fetch),
            ):
                while keys := shop.take(lane, most):
                    batch(desk, keys)
                    worked = True

    def _submit_all(self) -> bool:
        keys = self.shop.take(self.desk.lanes.submit, _MOST)
        for key in keys:
            assert self.desk.account.reserve(key)
            self._submissions.run(self.desk, key)
        return bool(keys)

    def live(self, seconds: float = 10.0, step_s: float = 1.0) -> None:
        """What a daemon does in so many seconds."""
        for _ in range(int(seconds / step_s) + 1):
            self.scan()
            self.work()
            self.clock.advance(step_s)

    def files(self, top: str) -> dict[str, bytes]:
        return {} if (self.root / top).is_symlink() else super().files(top)

    # -- what people and programs see -----------------------------------------------------------------------

    @property
    def stories(self) -> dict[str, dict[str, Any]]:
        """Our sidecars, by what their names say of the original's path below the provider's folder."""
        failed = self.root / "failed"
        found = {}
        for path in [] if failed.is_symlink() else failed.rglob("*.error.json"):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            if sidecar.job_of(data) is not None:
                name = os.path.relpath(path, failed / PROVIDER).removesuffix(".error.json")
                found[name] = json.loads(data)
        return found

    @property
    def codes(self) -> dict[str, str]:
        """The code of each failure, by path."""
        return {path: story["error"]["code"] for path, story in self.stories.items()}

    @property
    def status(self) -> dict[str, Any]:
        """What `status.json` would say, as other programs read it."""
        snapshot: dict[str, Any] = json.loads(json.dumps(self._view.snapshot()))
        return snapshot

    @property
    def ignored(self) -> dict[str, str]:
        """What the status says is left alone, and why."""
        return {row["path"]: row["why"] for row in self.status["ignored"]}

    @property
    def waits(self) -> list[str]:
        """Why jobs wait, as the status says it."""
        return [row["why"] for row in self.status["waiting"]]

    @property
    def kept(self) -> list[bytes]:
        """The bytes of every original, wherever it lies by now, sorted."""
        return sorted(
            data
            for top in ("inbox", "processing", "archive", "failed")
            for path, data in self.files(top).items()
            if not path.endswith(".error.json")
        )

    @property
    def sent(self) -> list[bytes]:
        """What the service has taken, and bills, in order."""
        return [data for _, data in self.service.ledger]


class Sentinel:
    """A folder outside the root that nobody may read from or write to; `is_untouched` looks at all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.secret = folder / "secret.txt"
        self.secret.write_bytes(b"nobody's business\n")
        (folder / "fr").mkdir()
        (folder / "fr/inner.txt").write_bytes(b"nobody's business either\n")
        for path in (self.secret, folder / "fr/inner.txt"):
            # A read would move this time: it is older than the last write.
            os.utime(path, ns=(1_000_000_000, path.stat().st_mtime_ns))
        self._before = self._look()

    def _look(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for here, folders, files in os.walk(self.folder):
            for name in [".", *folders, *files]:
                stat = os.lstat(os.path.join(here, name))
                read = stat.st_atime_ns if name in files else 0
                path = os.path.relpath(os.path.join(here, name), self.folder)
                found[path] = (stat.st_mode, stat.st_uid, stat.st_size, stat.st_nlink, stat.st_mtime_ns, read)
        return found

    @property
    def is_untouched(self) -> bool:
        return self._look() == self._before


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all drops that are opened from now on."""
    real = disk.open_file
    paths: list[str] = []

    def open_file(root: int, path: str) -> int:
        paths.append(path)
        return real(root, path)

    monkeypatch.setattr(disk, "open_file", open_file)
    return paths


@contextmanager
def as_nobody(base: Path) -> Iterator[None]:
    """Whoever may do everything gives `base` away and works as nobody; others work as they are."""
    if os.geteuid() != 0:
        yield
        return
    for here, folders, files in os.walk(base):
        for name in [".", *folders, *files]:
            os.chown(os.path.join(here, name), NOBODY, NOBODY, follow_symlinks=False)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def as_before() -> Iterator[None]:
    """Inside `as_nobody`: what somebody else does meanwhile."""
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(NOBODY)


def deny(path: Path, user: int, *, folder: bool = False) -> None:
    """An access control list that refuses one user everything (acl(5), in the kernel's own form)."""
    everybody = 5 if folder else 4
    entries = [(1, 7, -1), (2, 0, user), (4, everybody, -1), (16, everybody, -1), (32, everybody, -1)]
    packed = b"".join(struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries)
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)
