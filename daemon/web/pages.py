"""Both places of the page for one daemon, as the configuration wants them: start, beat once a second, stop."""

import threading
from collections.abc import Sequence
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from daemon.config import Config
from daemon.errors import ShareAwayError
from daemon.job import Job
from daemon.web.live import Facts, Live
from daemon.workshop import Workshop

_CLEAR_EVERY_S = 10.0


class _Place(Protocol):
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def beat(self) -> None: ...
    def stop(self) -> None: ...


class Pages:
    """`facts` is what `status.json` would say now, `jobs` are those that the journal held at the start.

    Raises StateError when the address of `web.listen` cannot be had.
    """

    def __init__(
        self, config: Config, shop: Workshop, facts: Facts, jobs: list[Job], log: FilteringBoundLogger
    ) -> None:
        self._log = log
        self._clock = shop.clock
        self._turn = threading.Event()
        self._stopping = False
        self._live = Live(config, shop, facts, jobs)
        self._places = _places(config, shop, self._live, facts, log)
        if self._places:
            shop.also_on_closed.append(self._live.past.note)

    @property
    def alive(self) -> bool:
        """Whether every place that is configured has its thread at work."""
        return all(place.alive for place in self._places)

    def start(self) -> None:
        """Show the page; returns at once. What ended on earlier days is read meanwhile."""
        if self._places:
            threading.Thread(target=self._work, name="page-history", daemon=True).start()
        for place in self._places:
            place.start()

    def beat(self) -> None:
        """Once a second: have the places look whether something changed, and be started again where one died."""
        for place in self._places:
            place.beat()
        self._turn.set()

    def stop(self) -> None:
        """Say in `STATUS.html` that the service has been stopped, and free the port; takes seconds at most."""
        self._stopping = True
        self._turn.set()
        for place in self._places:
            place.stop()

    def _work(self) -> None:
        """Beside the places, because the share may hang and the live page must not."""
        self._remember()
        due = self._clock.monotonic()
        while not self._stopping:
            if self._clock.monotonic() >= due:
                self._clear()
                due = self._clock.monotonic() + _CLEAR_EVERY_S
            self._turn.wait()
            self._turn.clear()

    def _clear(self) -> None:
        try:
            self._live.clear()
        except ShareAwayError:
            # Said by the scan.
            return
        except Exception as error:  # noqa: BLE001  without it the page only shows more than it has to
            self._log.warning("page.clear_failed", why=str(error) or type(error).__name__)

    def _remember(self) -> None:
        try:
            self._live.remember()
        except Exception as error:  # noqa: BLE001  without it the page only knows of less
            self._log.warning("page.history_failed", why=str(error) or type(error).__name__)


def _places(config: Config, shop: Workshop, live: Live, facts: Facts, log: FilteringBoundLogger) -> Sequence[_Place]:
    places: list[_Place] = []
    if config.status_page:
        from daemon.web.status_file import StatusFile  # noqa: PLC0415  its library is slow to load, and this may be off

        places.append(StatusFile(shop, live))
    if config.web is not None:
        from daemon.web.server import WebServer  # noqa: PLC0415  as above

        places.append(WebServer(config.web.listen, live, facts, shop.clock, log))
    return places
