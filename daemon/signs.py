"""Signs that people put into an inbox: `STOP` holds a folder and all below it, `name.cancel` takes a drop back.

A sign counts by its name alone, whatever it is: a file with any content, a folder, a link. It is never opened,
followed, moved or removed; once somebody has taken it away, everything goes on. What counts is what the last listing
showed; nothing of it has to survive a restart.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from daemon import disk, names
from daemon.desks import Desk
from daemon.errors import RejectedError
from daemon.folders import GONE, Place, Seen
from daemon.job import AT_THE_SERVICE, Job, PartStage
from daemon.workshop import Workshop

_TOP = "inbox"


@dataclass(frozen=True, slots=True)
class Stop:
    """A folder below the root that is held, the name of what holds it, since when (monotonic), and how many drops."""

    path: str
    sign: str
    since: float
    files: int = 0


class Signs:
    """What the inboxes say; used by the one thread that scans, and asked by others for `stops`."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._stops: dict[str, Stop] = {}
        self._held: dict[str, dict[str, int]] = {}
        self._cancels: dict[tuple[str, str], str] = {}

    @property
    def stops(self) -> list[Stop]:
        """Every folder that is held, with the number of drops that would be taken otherwise."""
        files: Counter[str] = Counter()
        for held in list(self._held.values()):
            files.update(held.copy())
        return [replace(stop, files=files[path]) for path, stop in sorted(self._stops.copy().items())]

    # -- looking ----------------------------------------------------------------------------------------------

    def look_above(self, root: int, providers: Iterable[str]) -> None:
        """See the signs that lie above the language folders."""
        for path in (_TOP, *(f"{_TOP}/{provider}" for provider in providers)):
            try:
                with disk.folder(root, path) as here:
                    found = disk.names_in(here)
            except OSError as error:
                if error.errno not in GONE:
                    # It cannot be seen now, so it is as it was.
                    continue
                found = []
            self._note(path, found)

    def look_into(self, provider: str, folder: str, found: Sequence[Seen]) -> None:
        """See the signs among what lies in a language folder."""
        top = f"{_TOP}/{provider}/{folder}"
        lying: dict[str, list[str]] = {path: [] for path in self._stops if _is_below(path, top)}
        self._cancels = {}
        self._held[top] = {}
        for seen in found:
            if seen.closed is None:
                base = seen.place.base
                lying.setdefault(seen.place.within(_TOP), []).append(base)
                withdrawn = names.withdrawn_by(base)
                if withdrawn is not None:
                    self._cancels[seen.place.sub, withdrawn] = base
        for path, bases in lying.items():
            self._note(path, bases)

    def keep_only(self, folders: Iterable[tuple[str, str]]) -> None:
        """Forget what was in language folders that are not among these any more."""
        kept = {f"{_TOP}/{provider}/{folder}" for provider, folder in folders}
        for path in [path for path in self._stops if path.count("/") > 1]:
            if "/".join(path.split("/")[:3]) not in kept:
                self._note(path, [])
        self._held = {path: files for path, files in self._held.items() if path in kept}

    def _note(self, path: str, lying: Iterable[str]) -> None:
        sign = min(filter(names.is_stop, lying), default=None)
        if sign is None:
            if self._stops.pop(path, None) is not None:
                self._shop.log.info("folder.goes_on", path=names.shown(path))
        elif path not in self._stops:
            self._stops[path] = Stop(path, sign, self._shop.clock.monotonic())
            self._shop.log.info("folder.stopped", path=names.shown(path), by=names.shown(sign))
        else:
            self._stops[path] = replace(self._stops[path], sign=sign)

    # -- what they say of a drop ------------------------------------------------------------------------------

    def withdraws(self, place: Place) -> str | None:
        """The name of the sign that takes back a drop in the folder that was looked into last."""
        return self._cancels.get((place.sub, names.alike(place.base)))

    def holds(self, place: Place) -> bool:
        """Whether a drop there stays because of a STOP; each is counted until its folder is looked into again."""
        over = [path for path in _ways_up(place.within(_TOP)) if path in self._stops] if self._stops else []
        held = self._held.setdefault(f"{_TOP}/{place.provider}/{place.folder}", {})
        for path in over:
            held[path] = held.get(path, 0) + 1
        return bool(over)

    def came(self, root: int, place: Place) -> bool:
        """Whether a sign lies there by now: the claims of one scan may take minutes.

        Only names as they are documented are asked for; any other spelling is met by the next listing.
        """
        signs = (*names.STOPS, *(place.base + ending for ending in names.CANCELS))
        for path in _ways_up(place.within(_TOP)):
            with contextlib.suppress(OSError), disk.folder(root, path) as here:
                if any(_exists(here, sign) for sign in signs):
                    return True
            signs = names.STOPS
        return False

    # -- what they say of a job -------------------------------------------------------------------------------

    def take_back(self, desk: Desk, folder: str) -> tuple[dict[str, str], bool]:
        """End the jobs of withdrawn drops that were claimed and not handed over yet.

        Returns, by path, the codes of signs that come too late, and whether one has to be looked at again soon.
        """
        late: dict[str, str] = {}
        soon = False
        jobs = self._shop.journal.alive() if self._cancels else ()
        for job in jobs:
            sub, base = os.path.split(job.name)
            sign = self._cancels.get((sub, names.alike(base)))
            if sign is None or (job.provider, job.folder) != (desk.name, folder) or job.state not in AT_THE_SERVICE:
                continue
            with self._shop.alone("hand over", job.id) as alone:
                now = self._shop.journal.get(job.id)
                if alone and now is not None and _is_unsent(now):
                    self._end(desk, now, sign)
                elif alone:
                    late[os.path.join(_TOP, job.provider, job.folder, sub, sign)] = "too_late"
                else:
                    # It is being handed over at this moment; whether it was sent shows afterwards.
                    soon = True
        return late, soon

    def _end(self, desk: Desk, job: Job, sign: str) -> None:
        shop = self._shop
        shop.drop(desk.lanes.submit, job.id)
        shop.log.info("drop.withdrawn", job=job.id, file=names.shown(job.name), by=names.shown(sign))
        shop.fail(job, RejectedError("drop.withdrawn", facts={"sign": names.shown(sign)}), "claim")


def _is_unsent(job: Job) -> bool:
    """Whether the service has nothing of it, as far as is known for sure."""
    return job.state in AT_THE_SERVICE and all(part.stage is PartStage.NEW for part in job.parts)


def _ways_up(path: str) -> list[str]:
    """A folder, the one it lies in, and so on to the inbox itself."""
    steps = path.split("/")
    return ["/".join(steps[:count]) for count in range(len(steps), 0, -1)]


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def _exists(folder: int, name: str) -> bool:
    """A name that is too long for the file system belongs to nothing."""
    with contextlib.suppress(OSError):
        return disk.exists(folder, name)
    return False
