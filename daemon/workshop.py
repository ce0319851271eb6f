"""What the steps of a job share: where things are, how a step ends, and what is known only while running.

A step ends in one of three ways: it puts the job (or part) into a lane for a later moment with the reason why
it waits, it fails the job, or it records an event that leads to the next step.
"""

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from structlog.typing import FilteringBoundLogger

from daemon import messages, policy, sidecar
from daemon.agenda import Agenda
from daemon.budget import Budgets, Past
from daemon.clock import Clock, seconds_between
from daemon.desks import Desk
from daemon.errors import NoRoomError, ServiceError
from daemon.folders import Folders, Place
from daemon.job import AT_THE_SERVICE, IllegalMoveError, Job, PartStage, State
from daemon.journal import Journal
from daemon.meters import Tally
from daemon.spool import Spool

_FOR_ROOM = ("account.window", "budget.spent")
_MOST_WARNED = 10_000
_MOST_DOCUMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a job or part is not being worked on, and until when (monotonic)."""

    until: float
    why: str


@dataclass(kw_only=True)
class Workshop:
    clock: Clock
    journal: Journal
    folders: Folders
    spool: Spool
    desks: dict[str, Desk]
    log: FilteringBoundLogger
    stopping: threading.Event
    delete_originals: bool
    texts: messages.Texts = messages.TEXTS["en"]
    """What is said in sidecars; logs are English."""
    wake: Callable[[], None]
    """Have the engine look at its lanes now."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    away: str | None = None
    """Why the share is away; None while it is there."""
    away_since: float | None = None
    tally: Tally = field(default_factory=Tally)
    past: Past = lambda _month: ()
    """What had ended before this start."""
    budgets: Budgets = field(init=False)
    counts: Counter[State] = field(default_factory=Counter)
    ended: Counter[State] = field(default_factory=Counter)
    warned: set[tuple[str, str]] = field(default_factory=set)
    on_closed: Callable[[Job], None] = lambda _job: None
    """Told of every job that ends; called while the journal is locked, so it only takes note."""
    also_on_closed: list[Callable[[Job], None]] = field(default_factory=list)
    """Others who are told in the same way."""
    _tries: Counter[str] = field(default_factory=Counter)
    _at_work: set[tuple[str, str]] = field(default_factory=set)
    _submitted: dict[str, float] = field(default_factory=dict)
    _documents: dict[tuple[str, str], tuple[str | None, str | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        limits = {desk.name: desk.settings.budget for desk in self.desks.values()}
        self.budgets = Budgets(limits, self.clock, self.log, past=self.past)
        for job in self.journal.alive():
            self._changed(None, job)
        self.journal.watch(self._changed)

    def _changed(self, before: Job | None, after: Job) -> None:
        """Called by the journal for every event, in order."""
        self.tally.changed(after, self.clock.monotonic())
        if before is not None:
            self.counts[before.state] -= 1
        if after.alive:
            self.counts[after.state] += 1
        elif after.closed_as is not None:
            self.ended[after.closed_as] += 1
            self.on_closed(after)
            for told in self.also_on_closed:
                told(after)
        desk = self.desks.get(after.provider)
        if desk is not None:
            change = after.occupied - (before.occupied if before else 0)
            if change:
                desk.account.occupy(change)
        self.budgets.changed(before, after)
        self._note_references(after)
        self._note_submissions(before, after)

    def _note_references(self, job: Job) -> None:
        for ref in job.refs:
            self.is_of_another(job, ref)
        # Of the oldest in a long life nobody hears again.
        while len(self._documents) > _MOST_DOCUMENTS:
            self._documents.pop(next(iter(self._documents)), None)

    def is_of_another(self, job: Job, ref: str) -> bool:
        """Whether a service has given this reference for another document, or route, before; if not, it is this
        one's from now on.
        """
        mine = (job.sha256, job.route)
        return self._documents.setdefault((job.provider, ref), mine) != mine

    def hurry(self, desk: Desk) -> None:
        """Look at once after what waits for room in the account's window or in the budget: there may be some now."""
        for key, waiting in list(self.waiting.items()):
            if waiting.why in _FOR_ROOM:
                for lane in (desk.lanes.submit, desk.lanes.poll, desk.lanes.fetch):
                    if key in lane:
                        self.put(lane, key, 0.0, waiting.why)

    def _note_submissions(self, before: Job | None, after: Job) -> None:
        """Keep the monotonic moments of submissions; those before this start are rebuilt from the stored time."""
        for index, part in enumerate(after.parts):
            key = part_key(after.id, index)
            known = before.parts[index].submitted_at if before is not None and index < len(before.parts) else None
            if not after.alive:
                self._submitted.pop(key, None)
            elif part.submitted_at is not None and part.submitted_at != known:
                passed = 0.0 if before is not None else seconds_between(part.submitted_at, self.clock.now())
                self._submitted[key] = self.clock.monotonic() - passed

    def age(self, key: str) -> float:
        """Seconds since a part was submitted; 0 for one that was not. A wall clock that jumps changes nothing."""
        submitted = self._submitted.get(key)
        return self.clock.monotonic() - submitted if submitted is not None else 0.0

    # -- how a step ends ------------------------------------------------------------------------------------

    def put(self, lane: Agenda, key: str, after_s: float, why: str = "") -> None:
        """Let a job or part wait in a lane for `after_s` seconds."""
        due = self.clock.monotonic() + after_s
        with self._lock:
            if why:
                self.waiting[key] = Waiting(due, why)
            else:
                self.waiting.pop(key, None)
            lane.put(key, due)
        self.wake()

    def take(self, lane: Agenda, most: int, slack_s: float = 0.0) -> list[str]:
        """Remove and return up to `most` of what is due in a lane.

        Once something is due, what is due within `slack_s` goes with it: so batches are filled.
        """
        with self._lock:
            now = self.clock.monotonic()
            return lane.take(now + slack_s, most) if lane.peek(now) is not None else []

    def peek(self, lane: Agenda) -> str | None:
        """What `take` would give next."""
        with self._lock:
            return lane.peek(self.clock.monotonic())

    def next_due(self, lane: Agenda) -> float | None:
        """The monotonic moment of the first thing in a lane."""
        with self._lock:
            return lane.next_due()

    def drop(self, lane: Agenda, key: str) -> None:
        """The job or part has nothing to wait for in this lane any more."""
        with self._lock:
            lane.drop(key)

    def put_until(self, lane: Agenda, key: str, until: float, why: str) -> None:
        self.put(lane, key, max(0.0, until - self.clock.monotonic()), why)

    def again(self, lane: Agenda, key: str, why: str, *, counted_as: str | None = None) -> None:
        """Try the same step again after a wait that doubles with every try.

        `counted_as` counts the tries apart from those of other steps of the same part.
        """
        with self._lock:
            self._tries[counted_as or key] += 1
            count = self._tries[counted_as or key]
        wait = policy.doubling(count, policy.FIRST_RETRY_S, policy.LAST_RETRY_S, random.random())  # noqa: S311  spreads retries, guards nothing
        self.put(lane, key, wait, why)

    def tries(self, key: str) -> int:
        return self._tries[key]

    def went_well(self, key: str) -> None:
        """The step that was tried again has worked."""
        with self._lock:
            self._tries.pop(key, None)
            self.waiting.pop(key, None)

    def record(self, job: str, event: str, **data: Any) -> Job | None:
        """Record an event of a part; None when the job has meanwhile failed through another part."""
        try:
            return self.journal.append(job, event, **data)
        except IllegalMoveError:
            now = self.journal.latest(job)
            if now is None or now.state not in AT_THE_SERVICE:
                return None
            raise

    def fail(
        self, job: Job, error: ServiceError, stage: str, facts: Mapping[str, str] | None = None, **costs: Any
    ) -> None:
        """The job ends without a translation: its original goes to `failed/` with a sidecar.

        `costs` are `part` and `cost`, where the service told what a failed part costs.
        """
        place = place_of(job)
        desk = self.desks.get(job.provider)
        known = sidecar.error_of(
            error,
            stage=stage,
            provider=desk.title if desk else job.provider,
            inbox=place.within("inbox"),
            facts={"remote_id": ", ".join(job.refs) or "?", **(facts or {})},
            texts=self.texts,
        )
        if self.record(job.id, "failed", error=known, **costs) is not None:
            self.to_finish(job)

    def clean_up(self, desk: Desk, job: Job, refs: Sequence[str]) -> None:
        """Have the service's copies removed; that this did not work fails no job."""
        try:
            desk.provider.clean_up(refs)
        except (ServiceError, NoRoomError) as error:
            self.log.info("clean_up.failed", job=job.id, provider=desk.name, why=str(error))

    def is_alive(self, job: str) -> bool:
        return self.journal.get(job) is not None

    def to_finish(self, job: Job) -> None:
        desk = self.desks.get(job.provider)
        if desk is not None:
            self.put(desk.lanes.finish, job.id, 0.0)

    def warn_once(self, key: tuple[str, str], event: str, **facts: Any) -> None:
        """One warning for something that would otherwise be said at every scan or poll."""
        if key not in self.warned:
            if len(self.warned) >= _MOST_WARNED:
                self.warned.clear()
            self.warned.add(key)
            self.log.warning(event, **facts)

    @contextlib.contextmanager
    def alone(self, doing: str, job: str) -> Iterator[bool]:
        """Whether nobody else is at the same work on this job for the length of the block."""
        work = (doing, job)
        with self._lock:
            alone = work not in self._at_work
            self._at_work.add(work)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._at_work.discard(work)

    # -- the account ----------------------------------------------------------------------------------------

    def close_account(self, desk: Desk, error: ServiceError, *, ask_first: bool) -> None:
        """Stop submissions of an account; said once, until it is open again."""
        if desk.account.close(error.code, ask_first=ask_first):
            why = messages.waiting(error.code, {"provider": desk.title, "reason": error.provider_message or ""})
            self.log.warning("account.closed", provider=desk.name, code=error.code, why=why)

    def submission_ended(self, desk: Desk, job: str, *, sane: bool) -> None:
        """A submission is over; `sane` when its answer was about the file and not about the account."""
        if desk.account.submission_ended(job, sane=sane):
            self.log.info("account.open", provider=desk.name)

    # -- the share ------------------------------------------------------------------------------------------

    def freeze(self, why: str) -> None:
        """The share is away: infer nothing, write nothing below its mount point, say so once."""
        with self._lock:
            before, self.away = self.away, why
            self.away_since = self.away_since if before is not None else self.clock.monotonic()
        if before is None:
            self.log.warning("share.away", why=why)

    def thaw(self) -> None:
        with self._lock:
            before, self.away, self.away_since = self.away, None, None
        if before is not None:
            self.log.info("share.back")


def place_of(job: Job) -> Place:
    return Place(provider=job.provider, folder=job.folder, name=job.name)


def part_key(job: str, part: int) -> str:
    return f"{job}.{part}"


def split_key(key: str) -> tuple[str, int]:
    job, _, part = key.partition(".")
    return job, int(part)


def enter(shop: Workshop, job: Job) -> None:
    """Put a job where it goes on: after its claim, and at every start."""
    desk = shop.desks.get(job.provider)
    if desk is None:
        shop.waiting[job.id] = Waiting(float("inf"), "provider.removed")
        return
    if job.state not in AT_THE_SERVICE:
        shop.put(desk.lanes.finish, job.id, 0.0)
        return
    for index, part in enumerate(job.parts):
        key = part_key(job.id, index)
        if part.stage is PartStage.ACCEPTED and part.ref is None:
            # The answer was the result, and is in the spool: only the record of it was cut short.
            shop.record(job.id, "ready", part=index)
            shop.put(desk.lanes.fetch, key, 0.0)
        elif part.stage is PartStage.ACCEPTED:
            shop.put(desk.lanes.poll, key, 0.0)
        elif part.stage is PartStage.READY:
            shop.put(desk.lanes.fetch, key, 0.0)
    resume(shop, desk, job)


def resume(shop: Workshop, desk: Desk, job: Job) -> None:
    """Have done what is left of handing a job over: first what nobody knows of, then what is new."""
    stages = {part.stage for part in job.parts}
    if PartStage.SUBMITTING in stages:
        shop.put(desk.lanes.settle, job.id, 0.0, "submit.asking")
    elif PartStage.NEW in stages:
        shop.put(desk.lanes.submit, job.id, 0.0)
