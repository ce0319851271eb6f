"""What is in flight: one look at a batch of parts, and what follows for each of them.

A part that the service did not take after all goes back and is submitted again. The trial that opens an account
cannot know of that, because it ends with the acceptance: so the waits between such rounds grow here, until a
result shows that the account works. A file that is turned back although later ones came through is failed.
"""

import math
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from daemon import messages, policy
from daemon.accounts import Door
from daemon.desks import Desk
from daemon.errors import (
    BlockedError,
    NoRoomError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
)
from daemon.job import AT_THE_SERVICE, Job, PartStage, PartState
from daemon.providers.base import Failed, Look, Lost, Ready, Refused, Running
from daemon.workshop import Workshop, split_key

# So often a file is turned back at least before that can be its own fault.
_LEAST_REFUSALS = 3


class Polls:
    """Looks at what the service does; changes nothing there."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._first_lost: dict[str, float] = {}
        self._lock = threading.Lock()
        # By account: rounds that were turned back since a result came, and when the latest that was ready was sent.
        self._rounds: Counter[str] = Counter()
        self._worked: dict[str, float] = {}

    def run(self, desk: Desk, keys: Sequence[str]) -> None:
        """One look at up to a batch of parts."""
        shop = self._shop
        wanted: dict[str, list[str]] = {}
        for key in keys:
            _, part = self._part(key)
            if part is not None and part.stage is PartStage.ACCEPTED and part.ref is not None:
                wanted.setdefault(part.ref, []).append(key)
        if not wanted:
            return
        everything = [key for same in wanted.values() for key in same]
        try:
            looks = desk.provider.poll(list(wanted))
        except NoRoomError as error:
            for key in everything:
                shop.put_until(desk.lanes.poll, key, error.until, "account.window")
            return
        except ServiceError as error:
            for key in everything:
                self._trouble(desk, key, error)
            return
        for ref, same in wanted.items():
            for key in same:
                look = looks.get(ref)
                self._follow(desk, key, look or TransientError("service.unreadable", "left out of the answer"))

    def _part(self, key: str) -> tuple[Job | None, PartState | None]:
        name, index = split_key(key)
        job = self._shop.journal.get(name)
        if job is None or job.state not in AT_THE_SERVICE:
            return job, None
        return job, job.parts[index]

    def _follow(self, desk: Desk, key: str, look: Look | ServiceError) -> None:
        job, part = self._part(key)
        if job is None or part is None:
            return
        if isinstance(look, ServiceError):
            self._trouble(desk, key, look)
            return
        desk.account.answered()
        if not isinstance(look, Lost):
            self._first_lost.pop(key, None)
            self._shop.went_well(key)
        if isinstance(look, Running):
            self._running(desk, job, key, look)
        elif isinstance(look, Ready):
            self._ready(desk, job, part, key, look)
        elif isinstance(look, Lost):
            self._lost(desk, job, part, key, look)
        elif part.borrowed:
            self._of_no_use(desk, job, key, look.error)
        elif isinstance(look, Refused) and not self._alone(desk, part, key):
            self._refused(desk, job, part, key, look)
        else:
            self._failed(desk, job, key, look)

    def _running(self, desk: Desk, job: Job, key: str, look: Running) -> None:
        shop = self._shop
        if look.word and look.word not in desk.capabilities.running_words:
            shop.warn_once((desk.name, look.word), "status.unknown", provider=desk.name, word=look.word)
        age = shop.age(key)
        if age >= desk.settings.deadline:
            limit = messages.duration(desk.settings.deadline)
            shop.fail(job, RejectedError("deadline.passed", facts={"deadline": limit}), "poll")
            return
        wait = policy.next_look(age, desk.poll_every_s, desk.poll_at_most_s)
        if look.again_s is not None:
            wait = max(wait, min(look.again_s, policy.MOST_RETRY_AFTER_S))
        shop.put(desk.lanes.poll, key, wait)

    def _ready(self, desk: Desk, job: Job, part: PartState, key: str, look: Ready) -> None:
        _, index = split_key(key)
        if not part.borrowed:
            with self._lock:
                self._rounds.pop(desk.account.name, None)
                latest = self._worked.get(desk.account.name, -math.inf)
                self._worked[desk.account.name] = max(latest, self._sent_at(key))
        news = {} if look.ref is None else {"ref": look.ref}
        costs = {} if look.cost is None else {"cost": look.cost}
        if self._shop.record(job.id, "ready", part=index, **news, **costs) is not None:
            self._shop.put(desk.lanes.fetch, key, policy.gather(desk.capabilities.fetch_batch))

    def _of_no_use(self, desk: Desk, job: Job, key: str, error: ServiceError) -> None:
        """The reference of an earlier attempt gives nothing any more: this job is submitted on its own."""
        _, index = split_key(key)
        if self._shop.record(job.id, "refused", part=index, why={"code": error.code, "inherited": True}):
            self._shop.put(desk.lanes.submit, job.id, 0.0)

    def _alone(self, desk: Desk, part: PartState, key: str) -> bool:
        """Whether a file is turned back again and again while others, sent later, have come through."""
        worked = self._worked.get(desk.account.name, -math.inf)
        return part.attempt >= _LEAST_REFUSALS and worked > self._sent_at(key)

    def _sent_at(self, key: str) -> float:
        """The monotonic moment at which a part was submitted."""
        return self._shop.clock.monotonic() - self._shop.age(key)

    def _refused(self, desk: Desk, job: Job, part: PartState, key: str, look: Refused) -> None:
        """The service did not begin, and bills nothing: the account is closed, and the part is new again."""
        shop, (_, index) = self._shop, split_key(key)
        self._close(desk, look.error)
        why = {"code": look.error.code, "provider_code": look.error.provider_code}
        if shop.record(job.id, "refused", part=index, why=why, billed=False) is None:
            return
        shop.log.info("submit.refused", job=job.id, provider=desk.name, why=str(look.error))
        shop.put(desk.lanes.submit, job.id, 0.0, look.error.code)
        # The next attempt has another name.
        shop.clean_up(desk, job, [part.ref] if part.ref else [])

    def _close(self, desk: Desk, error: BlockedError) -> None:
        """Close the account; what is turned back while it is closed belongs to the same round."""
        account = desk.account
        with self._lock:
            another = account.standing().door is not Door.CLOSED
            self._shop.close_account(desk, error, ask_first=True)
            if another:
                self._rounds[account.name] += 1
                wait = policy.doubling(self._rounds[account.name], policy.FIRST_REOPEN_S, policy.LAST_REOPEN_S)
                account.check_later(self._shop.clock.monotonic() + wait)

    def _failed(self, desk: Desk, job: Job, key: str, look: Failed | Refused) -> None:
        """A job that the service calls failed is failed, even when the reason also blocks the account."""
        error = look.error
        told = look.cost if isinstance(look, Failed) else None
        costs: dict[str, Any] = {} if told is None else {"part": split_key(key)[1], "cost": told}
        if isinstance(error, BlockedError):
            self._shop.close_account(desk, error, ask_first=True)
        failed = RejectedError(
            "provider.failed",
            error.provider_message,
            provider_code=error.provider_code,
            http_status=error.http_status,
            facts=error.facts,
        )
        self._shop.fail(job, failed, "poll", **costs)

    def _lost(self, desk: Desk, job: Job, part: PartState, key: str, look: Lost) -> None:
        shop = self._shop
        first = self._first_lost.setdefault(key, shop.clock.monotonic())
        shop.again(desk.lanes.poll, key, look.error.code)
        if policy.lost_for_good(shop.tries(key), shop.clock.monotonic() - first):
            shop.drop(desk.lanes.poll, key)
            self._first_lost.pop(key, None)
            if part.borrowed:
                self._of_no_use(desk, job, key, look.error)
            else:
                shop.fail(job, look.error, "poll")

    def _trouble(self, desk: Desk, key: str, error: ServiceError) -> None:
        """No answer about the part: it stays in flight and is looked at again."""
        if isinstance(error, ThrottledError):
            desk.account.pause(error.retry_after_s)
        elif isinstance(error, BlockedError):
            self._shop.close_account(desk, error, ask_first=True)
        self._shop.again(desk.lanes.poll, key, error.code)
