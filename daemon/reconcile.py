"""After a start, and whenever the share is back: what lies in `processing/` against what the journal knows.

A claim is a rename and then a record; a crash between the two leaves a file without one. Its owner adopts it
as freshly claimed. A state that took the root over cannot know what was sent, so there it is uncertain.
"""

from daemon import names, sidecar
from daemon.clock import stamp
from daemon.errors import UncertainError
from daemon.folders import GONE, Place
from daemon.intake import Intake, claim_facts, signature_of
from daemon.job import Event, IllegalMoveError, apply
from daemon.stability import Signature
from daemon.workshop import Waiting, Workshop

_NO_RECORD = "the record of what was sent is gone"
_NO_JOB = "not a file of a job under way"
_CLOSED = "the folder may not be read; give it to the user of the daemon and start again"
_ENDED = "its job has ended long ago: it came back from a backup, and would be paid again"


def reconcile(shop: Workshop, intake: Intake, ended: set[str]) -> None:
    """Adopt claimed files without a record. `ended` are jobs that the journal knows as closed.

    Repeatable. Raises ShareAwayError.
    """
    # Other threads finish jobs meanwhile: what is alive now has a record, even if its file is listed no more.
    alive = {job.id for job in shop.journal.alive()}
    closed: list[str] = []
    with shop.folders.opened() as root:
        for job, place, entry in list(shop.folders.claimed(root, closed)):
            if job not in alive:
                _finish_claim(shop, root, place, job)
            # The last act of a claim, which a crash may have cut short.
            shop.folders.forget_sidecar(root, place, shop.is_alive)
            if job in alive:
                continue
            why = _NO_JOB
            if job not in ended and entry.kind == "file" and entry.stat is not None:
                why = _settle(shop, intake, root, job, place, signature_of(entry.stat))
            if why:
                path = _shown(place, job)
                shop.warn_once((path, "left"), "processing.left", path=path, why=why)
    for path in closed:
        shop.warn_once((path, "closed"), "processing.left", path=names.shown(path), why=_CLOSED)
    if shop.journal.taking_over and not closed:
        shop.journal.note("took_over")


def _finish_claim(shop: Workshop, root: int, place: Place, job: str) -> None:
    """A folder of the inbox that is gone, or has become a link since, holds no second name of the file."""
    try:
        shop.folders.finish_claim(root, place, job)
    except OSError as error:
        if error.errno not in GONE:
            raise


def _settle(shop: Workshop, intake: Intake, root: int, job: str, place: Place, shown: Signature) -> str:
    """Adopt a file, or put it aside; why it is left alone, if so."""
    desk = shop.desks.get(place.provider)
    dropped_at = stamp(shop.clock.now())
    try:
        if shop.journal.taking_over:
            _put_aside(shop, intake, root, job, place, shown)
        elif shop.journal.is_past(job):
            return _ENDED
        elif desk is None:
            shop.waiting[job] = Waiting(float("inf"), "provider.removed")
            return "its provider is not configured"
        else:
            intake.take_in(desk, place, job, shown, dropped_at)
            shop.log.info("claim.adopted", job=job, path=_shown(place, job))
    except IllegalMoveError:
        return _NO_JOB
    return ""


def _put_aside(shop: Workshop, intake: Intake, root: int, job: str, place: Place, shown: Signature) -> None:
    """Move a file that another state may have sent into `failed/`; also one whose provider is not configured.

    Only then it gets its record: before, after a crash, that would look like the one of a fresh claim.
    """
    desk = shop.desks.get(place.provider)
    now = shop.clock.now()
    error = UncertainError("submit.uncertain", facts={"reason": _NO_RECORD})
    known = sidecar.error_of(
        error,
        stage="claim",
        provider=desk.title if desk else place.provider,
        inbox=place.within("inbox"),
        texts=shop.texts,
    )
    facts = claim_facts(place, shown, stamp(now))
    claimed = apply(None, Event(seq=0, at=now, job=job, name="claimed", data=facts))
    failed = apply(claimed, Event(seq=0, at=now, job=job, name="failed", data={"error": known}))
    kind = desk.provider.kind if desk else place.provider
    shop.folders.fail(root, place, job, sidecar.story(failed, kind=kind, route=None))
    shop.log.warning("claim.uncertain", job=job, path=_shown(place, job), why=_NO_RECORD)
    if desk is not None:
        shop.fail(intake.record(place, job, shown, stamp(now)), error, "claim")


def _shown(place: Place, job: str) -> str:
    return names.shown(f"{place.path('processing')} ({job})")
