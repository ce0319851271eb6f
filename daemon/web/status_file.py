"""Keeps `STATUS.html` in the root: replaced whole when something changed, and now and then so that its time is fresh.

A thread of its own, because a share may take its time, or hang. While the share is away nothing is written.
"""

import errno
import hashlib
import threading
from dataclasses import replace

from daemon import disk
from daemon.errors import ShareAwayError
from daemon.web.live import Live
from daemon.web.model import Page
from daemon.web.render import GENERATOR, render
from daemon.workshop import Workshop

NAME = "STATUS.html"
EVERY_S = 3.0
"""The file is not replaced more often."""
FRESH_S = 120.0
"""How old it may get when nothing changes; the page calls five minutes suspicious."""
_EASE = 20
"""Looking at very many jobs takes its time, of which it gets no more than a twentieth."""
_STOP_WITHIN_S = 3.0
_BEGINNING = 4096
_MOST_BYTES = 1 << 22


class StatusFile:
    """The file of one daemon. `beat` is to be called once a second; the work happens elsewhere."""

    def __init__(self, shop: Workshop, live: Live) -> None:
        self._shop = shop
        self._live = live
        self._turn = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._written = b""
        self._written_at = float("-inf")
        self._next_look = float("-inf")
        self._inode: int | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread works; it is dead before `start` and after `stop`."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to write; returns at once."""
        self._thread = threading.Thread(target=self._work, name="status-page", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Have it look whether something changed; a thread that died is started again."""
        if not self.alive and not self._stopping:
            self._shop.warn_once(("page", "thread"), "page.restarted", why="the thread of STATUS.html had died")
            self.start()
        self._turn.set()

    def stop(self) -> None:
        """Write once more that the service has been stopped; a share that hangs is not waited for."""
        self._stopping = True
        self._turn.set()
        if self._thread is not None:
            self._thread.join(_STOP_WITHIN_S)

    def _work(self) -> None:
        while not self._stopping:
            self._turn.wait()
            self._turn.clear()
            if not self._stopping:
                self._round()
        self._round()

    def _round(self) -> None:
        try:
            self.write(last=self._stopping)
        except ShareAwayError:
            # Said by the scan; the page is written when it is back.
            self._written = b""
        except Exception as error:  # noqa: BLE001  a page is never worth the work that it tells of
            why = str(error) or type(error).__name__
            self._shop.warn_once(("page", why), "page.failed", file=NAME, why=why)

    def write(self, *, last: bool = False) -> bool:
        """Replace the file where that is due; says whether it did. `last`: in any case, as that of a stopped service.

        Raises ShareAwayError, and OSError where it cannot be written.
        """
        shop, now = self._shop, self._shop.clock.monotonic()
        if shop.away is not None:
            self._written = b""
            return False
        if not last and now < self._next_look:
            return False
        page = self._live.page(stopped=last)
        told = _digest(page)
        self._next_look = now + max(EVERY_S, _EASE * (shop.clock.monotonic() - now))
        if not last and told == self._written and now - self._written_at < FRESH_S:
            return False
        with shop.folders.opened() as root:
            self._require_ours(root)
            disk.write_small(root, NAME, render(page, live=False), shop.folders.file_mode)
            found = disk.lstat(root, NAME)
            self._inode = found.st_ino if found else None
        self._written, self._written_at = told, now
        return True

    def _require_ours(self, root: int) -> None:
        """Nobody's own file is replaced, whatever its name. Raises OSError."""
        found = disk.lstat(root, NAME)
        if found is None or found.st_ino == self._inode:
            return
        beginning = b""
        if disk.Entry(NAME, found).kind == "file" and found.st_size < _MOST_BYTES:
            beginning = disk.read_small(root, NAME, _MOST_BYTES)[:_BEGINNING]
        if GENERATOR not in beginning:
            raise OSError(errno.EEXIST, f"somebody's own {NAME} lies in the root and is left alone; move it away")


def _digest(page: Page) -> bytes:
    """What a page says, without the time that it says it at."""
    return hashlib.sha256(repr(replace(page, now=page.look.report["started_at"])).encode(errors="replace")).digest()
