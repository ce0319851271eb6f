"""Submissions of which nobody can say whether the service took (and billed) them: ask, or let a person decide.

They take no place in the account and do not wait for its door: asking costs nothing, and until it is settled
they hold the very places that others wait for.
"""

from daemon import names
from daemon.desks import Desk
from daemon.errors import NoRoomError, ServiceError, UncertainError
from daemon.job import AT_THE_SERVICE, Job, PartStage
from daemon.providers.base import Absent, AskAgain, Attempt, Found, Intent, Recovery
from daemon.workshop import Workshop, part_key, place_of, resume

_BUSY_REST_S = 1.0
_STOPPED = "the daemon was stopped while the file was being handed over"


class Settlements:
    """Finds out what became of submissions whose record ends in `submitting`."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._first_asked: dict[str, float] = {}

    def run(self, desk: Desk, key: str) -> None:
        """Find out what became of submissions whose record ends in `submitting`; takes no place in the account."""
        with self._shop.alone("hand over", key) as alone:
            job = self._shop.journal.get(key)
            if not alone:
                self._shop.put(desk.lanes.settle, key, _BUSY_REST_S, "submit.asking")
                return
            if job is None or job.state not in AT_THE_SERVICE:
                return
            for index, part in enumerate(job.parts):
                if part.stage is PartStage.SUBMITTING:
                    error = UncertainError("submit.uncertain", facts={"reason": _STOPPED})
                    self.ask(desk, job, index, error)

    def ask(self, desk: Desk, job: Job, index: int, error: ServiceError) -> None:
        """Ask the service where it can be asked; else the administrator's choice decides."""
        shop = self._shop
        lane = desk.lanes.settle
        try:
            answer = self._recover(desk, job, index)
        except NoRoomError as busy:
            shop.put_until(lane, job.id, busy.until, "submit.asking")
        except ServiceError:
            shop.again(lane, job.id, "submit.asking")
        else:
            if isinstance(answer, AskAgain):
                # Only a look that was answered counts as the first of two.
                self._first_asked.setdefault(part_key(job.id, index), shop.clock.monotonic())
                shop.put(lane, job.id, answer.after_s, "submit.asking")
                return
            self._first_asked.pop(part_key(job.id, index), None)
            self._settled(desk, job, index, answer, error)

    def _recover(self, desk: Desk, job: Job, index: int) -> Recovery:
        part = job.parts[index]
        assert part.submitted_at is not None
        now = self._shop.clock.monotonic()
        intent = Intent(
            attempt=attempt_of(job, part.attempt),
            part=index,
            route=desk.route(job.folder),
            submitted_at=part.submitted_at,
            sha256=job.sha256 or "",
            asked_for_s=now - self._first_asked.get(part_key(job.id, index), now),
        )
        return desk.provider.recover(intent)

    def _settled(self, desk: Desk, job: Job, index: int, answer: Recovery, error: ServiceError) -> None:
        shop = self._shop
        if isinstance(answer, Found):
            after = shop.record(job.id, "accepted", part=index, ref=answer.ref, recovered=True)
            shop.put(desk.lanes.poll, part_key(job.id, index), desk.poll_every_s)
        elif isinstance(answer, Absent):
            after = shop.record(job.id, "refused", part=index, why={"code": "submit.absent"})
        elif desk.settings.on_uncertain_submit == "resubmit":
            shop.log.warning("submit.repeated", job=job.id, file=names.shown(job.name), provider=desk.name)
            why = {"code": "submit.uncertain", "chosen": "resubmit"}
            after = shop.record(job.id, "refused", part=index, why=why)
        else:
            shop.fail(job, error, "submit")
            return
        if after is not None:
            resume(shop, desk, after)


def attempt_of(job: Job, number: int) -> Attempt:
    """One try to submit a part of the job, with the name that is sent."""
    base = place_of(job).base
    accepted = tuple(part.ref for part in job.parts)
    return Attempt(job=job.id, number=number, sent_name=names.sent_name(base, job.id, number), accepted=accepted)
