"""What is put away from time to time: ended jobs out of the journal, old originals out of the archive."""

from collections.abc import Callable

from daemon.clock import Clock
from daemon.errors import ShareAwayError
from daemon.journal import JournalBrokenError
from daemon.workshop import Workshop

_WORTH_COMPACTING = 1000
_CLOCK_TRUSTED_S = 3600.0


class Housekeeping:
    """`keep` is called once an hour. `archive_for` in seconds, None: for ever; `died` is told when the journal is
    broken.
    """

    def __init__(self, shop: Workshop, archive_for: float | None, died: Callable[[str], None]) -> None:
        self._shop = shop
        self._archive_for = archive_for
        self._died = died
        self._first_offset = offset(shop.clock)

    def keep(self) -> None:
        """Put away what is old enough."""
        shop = self._shop
        if abs(offset(shop.clock) - self._first_offset) > _CLOCK_TRUSTED_S:
            # What is old enough to be removed is judged by a calendar; one that was set may be wrong.
            why = "the clock was set since the start; nothing old is removed until the next start"
            shop.warn_once(("clock", "housekeeping"), "housekeeping.waits", why=why)
            return
        try:
            self._put_away()
        except JournalBrokenError as error:
            self._died(str(error))
        except (OSError, ShareAwayError) as error:
            shop.log.warning("housekeeping.failed", why=str(error))

    def _put_away(self) -> None:
        shop, journal = self._shop, self._shop.journal
        if journal.ended >= _WORTH_COMPACTING and not journal.taking_over:
            shop.log.info("journal.compacted", jobs=journal.compact())
        if self._archive_for is not None and shop.away is None:
            removed = shop.folders.prune_archive(shop.clock.now().timestamp() - self._archive_for)
            if removed:
                shop.log.info("archive.pruned", files=removed)


def offset(clock: Clock) -> float:
    """How far the wall clock is from the monotonic one, in seconds: it changes only when somebody sets a clock."""
    return clock.now().timestamp() - clock.monotonic()
