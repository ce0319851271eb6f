"""Looks at the daemon from within: the same report that all views share, put together from memory."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from daemon import disk, history, names
from daemon.cli import reasons, standing
from daemon.cli.reading import Scene
from daemon.clock import moment, stamp
from daemon.config import Config
from daemon.folders import Place
from daemon.job import Job
from daemon.web.model import MOST_ROWS, Look, Page, page
from daemon.web.past import DAYS, Past
from daemon.web.words import Words
from daemon.workshop import Workshop

_MOST_NAMES = 5
Facts = Callable[[], Mapping[str, Any]]
"""What `status.json` would say now."""


class Live:
    """One daemon as its pages see it; safe from any thread. `jobs` are those that the journal held at the start."""

    def __init__(self, config: Config, shop: Workshop, facts: Facts, jobs: list[Job]) -> None:
        self._config = config
        self._shop = shop
        self._facts = facts
        self._before = jobs
        self.past = Past()
        self.words = Words(config.language)

    def remember(self) -> None:
        """Take in what ended before this start, from journal and history; reads files, once."""
        now = self._shop.clock.now()
        jobs, self._before = self._before, []
        self.past.load(sorted(jobs, key=lambda job: job.last_at, reverse=True), now)
        since = f"{now - timedelta(days=DAYS):%Y-%m}"
        self.past.load(history.ended(str(self._config.state), since=since), now)

    def clear(self) -> None:
        """Forget failures whose file somebody has taken out of `failed/`, among those that the page shows.

        Asks the share, which may hang. Raises ShareAwayError.
        """
        shop = self._shop
        shown = self.past.failed(shop.clock.now(), shop.journal.alive())[:MOST_ROWS]
        if not shown or shop.away is not None:
            return
        with shop.folders.opened() as root:
            self.past.forget([job.id for job in shown if _is_gone(root, job)])

    def page(self, *, stopped: bool = False) -> Page:
        """What the page shows now."""
        return page(self.look(stopped=stopped), self.words)

    def report(self) -> dict[str, Any]:
        """What `status --json` would print."""
        scene = self._scene(self._facts())
        return self._report(scene, self._shop.journal.alive())

    def look(self, *, stopped: bool = False) -> Look:
        """All that is known now."""
        scene, alive = self._scene(self._facts()), self._shop.journal.alive()
        rows = reasons.rows_of(scene.live or {})
        why = {job.id: reasons.of_job(scene, job, rows) for job in alive}
        return Look(
            now=scene.now,
            report=self._report(scene, alive),
            reasons={job: (code, until) for job, (code, until) in why.items() if code is not None},
            titles=scene.titles,
            alive=alive,
            ended=self.past.today(scene.now),
            failed=self.past.failed(scene.now, alive),
            usual=self.past.usual(),
            days=self.past.days(scene.now),
            stopped=stopped,
        )

    def _report(self, scene: Scene, alive: list[Job]) -> dict[str, Any]:
        return standing.report(scene, [*alive, *self.past.today(scene.now)])

    def _scene(self, facts: Mapping[str, Any]) -> Scene:
        now = self._shop.clock.now()
        live = {**facts, "waiting": self._waiting(facts)}
        return Scene(
            config=self._config,
            now=now,
            running=True,
            live=live,
            noted=moment(facts["at"]) if "at" in facts else now,
            titles=facts["titles"],
        )

    def _waiting(self, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The reasons of all jobs, where the facts list the first of them."""
        if len(facts["waiting"]) == facts["waiting_total"]:
            return list(facts["waiting"])
        now, wall = self._shop.clock.monotonic(), self._shop.clock.now()

        def utc(until: float) -> str | None:
            return None if until == float("inf") else stamp(wall + timedelta(seconds=round(until - now)))

        waiting = self._shop.waiting.copy()
        return [{"job": key, "why": wait.why, "until": utc(wait.until)} for key, wait in sorted(waiting.items())]


def _is_gone(root: int, job: Job) -> bool:
    """Whether nothing lies in `failed/` that may be the job's file. What cannot be seen is there."""
    if (job.error or {}).get("code") == "drop.gone":
        # It has never lain there.
        return False
    place = Place(provider=job.provider, folder=job.folder, name=job.name)
    # One before it may have had its name.
    choices = (names.fit(names.numbered(place.base, number), "", job.id) for number in range(1, _MOST_NAMES + 1))
    try:
        with disk.folder(root, place.within("failed")) as here:
            return not any(disk.exists(here, name) for name in choices)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
