"""Looks at the share: scans for drops, notices that it went away or came back, and keeps the watch on it.

Each of its three duties may hang in a share that does not answer: each has a thread of its own, and the heartbeat
takes no part in them.
"""

import contextlib
import os
from collections.abc import Callable

from daemon import policy
from daemon.config import Config
from daemon.errors import ShareAwayError
from daemon.intake import Intake
from daemon.job import Job
from daemon.journal import JournalBrokenError
from daemon.reconcile import reconcile
from daemon.watcher import Hints, Watcher
from daemon.workshop import Workshop

_REWATCH_S = 60.0
_LISTEN_S = 1.0


class Lookout:
    """`jobs` are those that the journal held at the start; `wake` has `look` called soon; `died` is told when the
    journal is broken.
    """

    def __init__(
        self,
        config: Config,
        shop: Workshop,
        intake: Intake,
        jobs: list[Job],
        wake: Callable[[], None],
        died: Callable[[str], None],
    ) -> None:
        self._rescan_s = config.watch.rescan
        self._languages = {name: entry.languages for name, entry in config.providers.items()}
        self._shop = shop
        self._intake = intake
        self._jobs = jobs
        self._wake = wake
        self._died = died
        root = os.fspath(config.root)
        self._hints = Hints(root, wake)
        self._watcher = Watcher(self._hints, root)
        self._next_full = shop.clock.monotonic()
        self._rewatch_at = shop.clock.monotonic()
        self._known_root = False
        self.scans = 0
        """How many full scans have ended."""

    # -- three duties: each says when it wants its next turn ---------------------------------------------------

    def look(self) -> float | None:
        """Scan what events named, what may have come to rest, or everything."""
        shop, now = self._shop, self._shop.clock.monotonic()
        if shop.stopping.is_set():
            return None
        try:
            if not self._known_root or shop.away is not None:
                self._arrive()
                self._next_full = now
            folders, whole = self._hints.take()
            full = folders is None or now >= self._next_full
            self._intake.scan(None if full else folders, whole)
            if full:
                self._next_full = shop.clock.monotonic() + self._rescan_s
                self.scans += 1
                shop.tally.scanned(now, shop.clock.monotonic())
        except ShareAwayError as error:
            shop.freeze(str(error))
            return shop.clock.monotonic() + policy.SHARE_LOOK_S
        except JournalBrokenError as error:
            self._died(str(error))
            return None
        except OSError as error:
            shop.warn_once(("scan", str(error)), "scan.failed", why=str(error))
            self._next_full = shop.clock.monotonic() + policy.FIRST_RETRY_S
            # Should one of its folders be missing, it is made again.
            self._known_root = False
        # The marker is looked at often, so that a share that went away is noticed, and said.
        soon = min(self._next_full, shop.clock.monotonic() + policy.SHARE_LOOK_S)
        rest = self._intake.next_look()
        return soon if rest is None else min(rest, soon)

    def ask(self) -> float:
        """Look at the marker. Where that takes for ever the heartbeat notices; another answer is the scan's affair."""
        with contextlib.suppress(ShareAwayError), self._shop.folders.opened():
            pass
        return self._shop.clock.monotonic() + policy.SHARE_LOOK_S

    def listen(self) -> float:
        """Begin to listen to events, or begin anew where nobody listens any more; tried once a minute."""
        shop, now = self._shop, self._shop.clock.monotonic()
        there = self._known_root and shop.away is None
        if there and now >= self._rewatch_at and not self._watcher.alive:
            self._rewatch_at = now + _REWATCH_S
            trouble = self._watcher.start()
            if trouble is None:
                self.look_again()
            else:
                shop.warn_once(("watch", trouble), "watch.failed", why=trouble)
        if shop.stopping.is_set():
            # Begun while the daemon was stopping, nobody else would end it.
            self._watcher.stop()
        return now + _LISTEN_S

    # -- what leads to another look ---------------------------------------------------------------------------

    def look_again(self) -> None:
        """Scan everything soon."""
        self._next_full = self._shop.clock.monotonic()
        self._wake()

    def stop(self) -> None:
        self._watcher.stop()

    def _arrive(self) -> None:
        """The root is there, for the first time or again: make its folders, adopt what was left, watch it."""
        shop = self._shop
        shop.folders.create(self._languages)
        reconcile(shop, self._intake, {job.id for job in self._jobs if not job.alive})
        shop.thaw()
        # Watches do not survive an unmount, though their threads do: `listen` begins anew.
        self._watcher.stop()
        self._known_root = True
        self._rewatch_at = shop.clock.monotonic()
        shop.wake()
