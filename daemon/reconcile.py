"""After a start, and whenever the share is back: what lies in `processing/` against what the journal knows.

A claim is a rename and then a record; a crash between the two leaves a file without one. Its owner adopts it
as freshly claimed. A state that took the root over cannot know what was sent, so there it is uncertain.
"""

from daemon import disk, names
from daemon.clock import stamp
from daemon.errors import UncertainError
from daemon.folders import Place
from daemon.intake import Intake, signature_of
from daemon.workshop import Waiting, Workshop

_NO_RECORD = "the record of what was sent is gone"


def reconcile(shop: Workshop, intake: Intake, ended: set[str]) -> None:
    """Adopt claimed files without a record. `ended` are jobs that the journal knows as closed.

    Repeatable. Raises ShareAwayError.
    """
    with shop.folders.opened() as root:
        for job, place, entry in list(shop.folders.claimed(root)):
            if shop.journal.get(job) is None:
                _adopt(shop, intake, job, place, entry, known=job in ended)
    if shop.journal.taking_over:
        shop.journal.note("took_over")


def _adopt(shop: Workshop, intake: Intake, job: str, place: Place, entry: disk.Entry, *, known: bool) -> None:
    path = names.shown(f"{place.path('processing')} ({job})")
    if known or entry.kind != "file" or entry.stat is None:
        shop.warn_once((path, "left"), "processing.left", path=path, why="not a file of a job under way")
        return
    desk = shop.desks.get(place.provider)
    if desk is None:
        shop.warn_once((path, "left"), "processing.left", path=path, why="its provider is not configured")
        shop.waiting[job] = Waiting(float("inf"), "provider.removed")
        return
    shown = signature_of(entry.stat)
    dropped_at = stamp(shop.clock.now())
    if shop.journal.taking_over:
        claimed = intake.record(place, job, shown, dropped_at)
        shop.fail(claimed, UncertainError("submit.uncertain", facts={"reason": _NO_RECORD}), "claim")
        shop.log.warning("claim.uncertain", job=job, path=path, why=_NO_RECORD)
    else:
        intake.take_in(desk, place, job, shown, dropped_at)
        shop.log.info("claim.adopted", job=job, path=path)
