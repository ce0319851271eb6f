"""Which row of the list of kill points an effect belongs to, for reading a report."""

from dataclasses import dataclass

from daemon.job import Job, PartStage, State
from tests.effects import Step

START = "start: state, journal, marker, folders"
CLAIM = "claim: folder made, renamed, folder synced, `claimed` appended"
HASHED = "hashed, before `submitting`"
OPEN = "`submitting` durable, nothing sent"
BODY = "connecting, body partly sent"
ANSWER = "body sent, no answer; answer read, `accepted` not durable"
PARTS = "`accepted` of part k of n"
POLLING = "polling, `ready` not durable"
FETCH = "fetch begun, half, whole, synced; `banked` not durable"
PUBLISHING = "temporary in the outbox, synced; `publishing`, renamed; `delivered` not durable"
DELIVERED = "`delivered`, original not moved; moved, not `closed`"
FAILED = "`failed`, no sidecar; sidecar, original not moved; moved, not `closed`"
COMPACTION = "compaction: history appended, synced; new file written, synced, renamed, folder synced"
ENDED = "all closed: status told"
ROWS = (
    START, CLAIM, HASHED, OPEN, BODY, ANSWER, PARTS, POLLING, FETCH, PUBLISHING, DELIVERED, FAILED, COMPACTION, ENDED
)  # fmt: skip
_BY_STATE = {
    State.CLAIMED: HASHED,
    State.IN_FLIGHT: POLLING,
    State.READY: FETCH,
    State.BANKED: PUBLISHING,
    State.PUBLISHING: PUBLISHING,
    State.DELIVERED: DELIVERED,
    State.FAILED: FAILED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Where a life ended: the effect that it ended at, the jobs by the record of then, and whether a file was
    claimed of which there was no record yet.
    """

    hit: bool
    step: Step
    jobs: tuple[Job, ...]
    claimed: bool

    @property
    def row(self) -> str:
        """The row of the effect, as far as it shows in the record and in the effect's path."""
        alive = [job for job in self.jobs if job.alive]
        if "history" in self.step.about or (self.jobs and ".journal" in self.step.about):
            return COMPACTION
        of_alive = any(job.id in self.step.about for job in alive)
        if self.claimed or ("/processing/" in self.step.about and not of_alive):
            return CLAIM
        if "status.json" in self.step.about:
            return ENDED
        if not alive:
            return ENDED if self.jobs else START
        return self._of(max(alive, key=lambda job: job.last_at))

    def _of(self, job: Job) -> str:
        stages = {part.stage for part in job.parts}
        if PartStage.SUBMITTING in stages:
            return {"connect": OPEN, "send": BODY}.get(self.step.name, ANSWER)
        if job.state is State.CLAIMED and len(stages) > 1:
            return PARTS
        return _BY_STATE.get(job.state, ENDED)

    def __str__(self) -> str:
        states = ", ".join(job.state for job in self.jobs) or "no job"
        return f"{self.step.name} {self.step.about}".strip() + f"; {states}"
