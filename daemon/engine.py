"""Who does what now: looks at the lanes of every desk and hands due work to its pools.

`dispatch` is quick and never blocks; it is called whenever something may have changed, and says when to call
it again. The steps themselves are in `submission`, `polling` and `delivery`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from daemon import policy
from daemon.accounts import Door
from daemon.agenda import Agenda
from daemon.budget import Verdict
from daemon.delivery import Deliveries
from daemon.desks import CONTROLS, TRANSFERS, Desk
from daemon.errors import NoRoomError, ServiceError
from daemon.journal import JournalBrokenError
from daemon.polling import Polls
from daemon.settling import Settlements
from daemon.submission import Submissions
from daemon.workshop import Workshop

CHECK = "check"
_TALK = ("poll", "settle", CHECK)
_CARRY = ("fetch", "finish")
# Which steps share a pool, and how many threads it has.
_POOLS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "submit": (("submit",), TRANSFERS),
    **dict.fromkeys(_TALK, (_TALK, CONTROLS)),
    **dict.fromkeys(_CARRY, (_CARRY, TRANSFERS)),
}
# No kind of step takes a shared pool for itself: a hundred lost answers may each take minutes to be asked for, and
# meanwhile the others are looked at.
_MOST: Mapping[str, int] = {"settle": CONTROLS // 2, "fetch": TRANSFERS - 2, "finish": TRANSFERS - 2}


class Engine:
    """The middle of the daemon. `died` is told when a step cannot go on safely."""

    def __init__(self, shop: Workshop, died: Callable[[str], None]) -> None:
        self._shop = shop
        self._died = died
        self._settlements = Settlements(shop)
        self._submissions = Submissions(shop, self._settlements)
        self._polls = Polls(shop)
        self._deliveries = Deliveries(shop)
        self._busy: dict[tuple[str, str], int] = {}
        self._checking: set[str] = set()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self.held = False
        """No further submission is started: a new configuration waits until the answers of the last ones are there."""
        self.blind = False
        """Nor is one while nobody has looked yet whether somebody took a file back in the meantime."""

    @property
    def submitting(self) -> int:
        """How many submissions are under way."""
        with self._lock:
            return sum(count for (_, what), count in self._busy.items() if what == "submit")

    def start(self) -> None:
        """Ask services for what only they can tell, before the first drop."""
        for desk in self._shop.desks.values():
            if desk.capabilities.learns_languages:
                self._start(desk, CHECK, desk.controls, self._learn, desk.name, [])

    def _learn(self, desk: Desk, name: str) -> None:
        try:
            desk.provider.check()
        except (ServiceError, NoRoomError) as error:
            self._shop.log.info("languages.unknown", provider=name, why=str(error))

    def dispatch(self) -> float | None:
        """Start whatever is due; the monotonic moment of the next due thing, None if only an event can tell."""
        if self._shop.stopping.is_set():
            return None
        moments: list[float | None] = []
        for desk in self._shop.desks.values():
            moments += [
                self._reopen(desk),
                self._settle(desk),
                self._submit(desk),
                self._poll(desk),
                self._fetch(desk),
                self._finish(desk),
            ]
        return min((moment for moment in moments if moment is not None), default=None)

    # -- the lanes ------------------------------------------------------------------------------------------
    # Each lane says when it wants to be looked at again: the moment of its first entry, even one that has come
    # meanwhile; None when it is empty, or when its threads are all at work and the end of a step wakes us.

    def _settle(self, desk: Desk) -> float | None:
        """What nobody knows is asked for, whatever the account's door and places."""
        return self._each(desk, "settle", desk.lanes.settle, desk.controls, self._settlements.run)

    def _submit(self, desk: Desk) -> float | None:
        shop, lane, account = self._shop, desk.lanes.submit, desk.account
        if shop.away is not None or self.held or self.blind:
            return None
        if shop.budgets.goes_on(desk.name):
            shop.hurry(desk)
        room, until = account.room("submit")
        for _ in range(min(room, self._free(desk, "submit"))):
            key = self._affordable(desk)
            if key is None:
                return shop.next_due(lane)
            if shop.budgets.ask(desk.name, shop.journal.get(key)) is Verdict.SOON:
                return None
            if not account.reserve(key):
                return account.next_admission()
            shop.budgets.preparing(desk.name, key)
            shop.drop(lane, key)
            self._start(desk, "submit", desk.uploads, self._submissions.run, key, [key])
        return None if room or shop.next_due(lane) is None else until

    def _affordable(self, desk: Desk) -> str | None:
        """The first job that is due and that the budget leaves room for; the others before it wait for that."""
        shop, lane = self._shop, desk.lanes.submit
        while (key := shop.peek(lane)) is not None:
            if shop.budgets.ask(desk.name, shop.journal.get(key)) is not Verdict.HELD:
                return key
            shop.put_until(lane, key, shop.budgets.hold(desk.name), "budget.spent")
        return None

    def _poll(self, desk: Desk) -> float | None:
        shop, lane = self._shop, desk.lanes.poll
        room, until = desk.account.room("status")
        for _ in range(min(room, self._free(desk, "poll"))):
            batch = desk.capabilities.poll_batch
            keys = shop.take(lane, batch, policy.slack(batch, desk.poll_every_s))
            if not keys:
                return shop.next_due(lane)
            self._start(desk, "poll", desk.controls, self._polls.run, keys, keys)
        due = shop.next_due(lane)
        return None if room or due is None else max(due, until)

    def _fetch(self, desk: Desk) -> float | None:
        shop, lane = self._shop, desk.lanes.fetch
        for _ in range(self._free(desk, "fetch")):
            batch = desk.capabilities.fetch_batch
            keys = shop.take(lane, batch, policy.slack(batch, policy.GATHER_S))
            if not keys:
                return shop.next_due(lane)
            self._start(desk, "fetch", desk.downloads, self._deliveries.fetch, keys, keys)
        return None

    def _finish(self, desk: Desk) -> float | None:
        if self._shop.away is not None:
            return None
        return self._each(desk, "finish", desk.lanes.finish, desk.downloads, self._deliveries.finish)

    def _each(
        self, desk: Desk, what: str, lane: Agenda, pool: ThreadPoolExecutor, step: Callable[..., None]
    ) -> float | None:
        """Start a step for each job that is due, as far as the pool has threads."""
        for _ in range(self._free(desk, what)):
            keys = self._shop.take(lane, 1)
            if not keys:
                return self._shop.next_due(lane)
            self._start(desk, what, pool, step, keys[0], keys)
        return None

    def _reopen(self, desk: Desk) -> float | None:
        """A closed account is asked, at no cost, whether it would work again."""
        account = desk.account
        if account.check_due() and account.name not in self._checking:
            self._checking.add(account.name)
            self._start(desk, CHECK, desk.controls, self._check, account.name, [])
        return account.next_admission() if account.standing().door is Door.CLOSED else None

    def _check(self, desk: Desk, account: str) -> None:
        try:
            desk.provider.check()
        except NoRoomError as error:
            desk.account.check_later(error.until)
        except ServiceError as error:
            desk.account.still_closed(error.code)
            self._shop.warn_once((desk.name, str(error)), "account.check", provider=desk.name, why=str(error))
        else:
            desk.account.half_open()
            self._shop.log.info("account.trial", provider=desk.name)
        finally:
            self._checking.discard(account)

    def wait_idle(self, deadline: float) -> bool:
        """Wait until no step runs any more, or until the monotonic `deadline`; says which."""
        clock = self._shop.clock
        with self._idle:
            while sum(self._busy.values()) and clock.monotonic() < deadline:
                self._idle.wait(max(0.0, min(0.5, deadline - clock.monotonic())))
            return not sum(self._busy.values())

    # -- pools ----------------------------------------------------------------------------------------------

    def _free(self, desk: Desk, what: str) -> int:
        """How many more steps of a kind its pool can run at once."""
        same, threads = _POOLS[what]
        with self._lock:
            busy = {one: self._busy.get((desk.name, one), 0) for one in same}
        return max(0, min(threads - sum(busy.values()), _MOST.get(what, threads) - busy[what]))

    def _start(
        self,
        desk: Desk,
        what: str,
        pool: ThreadPoolExecutor,
        step: Callable[..., None],
        work: Any,
        keys: Sequence[str],
    ) -> None:
        place = (desk.name, what)
        with self._lock:
            self._busy[place] = self._busy.get(place, 0) + 1
        try:
            started = pool.submit(self._run, desk, what, step, work, keys)
        except RuntimeError:
            # The pools have been shut down: the daemon is stopping.
            self._over(place)
        else:
            started.add_done_callback(lambda _: self._over(place))

    def _over(self, place: tuple[str, str]) -> None:
        """A step has ended, or was cancelled before it began."""
        with self._lock:
            self._busy[place] -= 1
            self._idle.notify_all()
        self._shop.wake()

    def _run(self, desk: Desk, what: str, step: Callable[..., None], work: Any, keys: Sequence[str]) -> None:
        """One step in a pool. A step that breaks is told, and its work is tried again later."""
        shop = self._shop
        try:
            step(desk, work)
        except JournalBrokenError as error:
            self._died(str(error))
        except Exception:
            shop.log.exception("step.broke", step=what, provider=desk.name, keys=list(keys))
            lane: Agenda = getattr(desk.lanes, what, Agenda())
            for key in keys:
                shop.again(lane, key, "internal.error")
