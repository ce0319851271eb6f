"""From claimed to accepted: look at the drop, hand it over once, and never twice.

`submitting` is durable before the first byte of a request that can cost money. Afterwards only a proven "not
accepted" leads to another try; everything else is uncertain and asked for, or left to a person.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from daemon import disk, inheritance, kernel, names, policy
from daemon.accounts import Reservation
from daemon.budget import Verdict
from daemon.desks import Desk
from daemon.errors import (
    BabeldropError,
    BlockedError,
    CapacityError,
    DocumentChangedError,
    NoRoomError,
    RejectedError,
    ServiceError,
    ShareAwayError,
    ThrottledError,
    TransferCutError,
    TransientError,
    UncertainError,
)
from daemon.inheritance import state_of, written
from daemon.job import AT_THE_SERVICE, Job, PartStage, PartState
from daemon.languages import Route, UnknownLanguageError
from daemon.originals import Original
from daemon.providers.base import Accepted, Part
from daemon.settling import Settlements, attempt_of
from daemon.spool import Sink
from daemon.workshop import Workshop, part_key, place_of, resume

CHANGED_REST_S = 5.0
BUSY_REST_S = 1.0
UNPROVEN_REST_S = 25.0
"""Between two looks where nothing proves that nobody writes: sshfs shows sizes that are up to 20 s old."""
_MOST_BYTES = 20_000_000_000
"""What is sent to a service that documents no limit: nobody means a sparse file of a terabyte."""


def vet(desk: Desk, job: Job, size: int) -> RejectedError | None:
    """What already its name and size say against a drop; costs nothing and opens nothing."""
    facts = desk.capabilities
    extension = names.extension(job.name)
    if size == 0:
        return RejectedError("drop.empty")
    if extension not in facts.extensions:
        shown = f".{extension}" if extension else "nameless"
        known = ", ".join(f".{one}" for one in sorted(facts.extensions))
        return RejectedError("drop.type", facts={"extension": shown, "extensions": known})
    limit = facts.max_bytes or _MOST_BYTES
    if size > limit:
        return RejectedError("drop.too_large", facts={"size": f"{size:,}", "limit": f"{limit:,} bytes"})
    try:
        desk.route(job.folder)
    except UnknownLanguageError as error:
        near = f" (perhaps {', '.join(error.suggestions)})" if error.suggestions else ""
        return RejectedError("language.unknown", str(error), facts={"suggestions": near})
    return None


class Submissions:
    """The step that spends money."""

    def __init__(self, shop: Workshop, settlements: Settlements) -> None:
        self._shop = shop
        self._settlements = settlements
        self._looks: dict[str, tuple[int, int]] = {}

    def run(self, desk: Desk, key: str) -> None:
        """Submit what is new of a job. The caller has reserved a place in the account."""
        place = Reservation(desk.account, key)
        try:
            with self._shop.alone("hand over", key) as alone:
                job = self._shop.journal.get(key)
                if not alone:
                    self._shop.put(desk.lanes.submit, key, BUSY_REST_S)
                elif job is not None and _has(job, PartStage.SUBMITTING):
                    # A step broke in the middle of it.
                    resume(self._shop, desk, job)
                elif job is not None and _has(job, PartStage.NEW):
                    self._try(desk, job, place)
        finally:
            place.give_back()
            self._shop.budgets.prepared(desk.name, key)
            self._shop.wake()

    def _try(self, desk: Desk, job: Job, place: Reservation) -> None:
        shop, lane = self._shop, desk.lanes.submit
        try:
            self._submit(desk, job, place)
        except ShareAwayError as error:
            shop.freeze(str(error))
            shop.put(lane, job.id, policy.SHARE_LOOK_S, "share.away")
        except DocumentChangedError:
            shop.again(lane, job.id, "drop.changing")
        except TransferCutError:
            shop.again(lane, job.id, "drop.unreadable")
        except NoRoomError as error:
            shop.put_until(lane, job.id, error.until, "account.window")
        except OSError as error:
            # Only the place for an answer that is the result can be missing here.
            shop.again(lane, job.id, "disk.full" if error.errno in kernel.FULL else "folder.trouble")
        except BlockedError as error:
            # Preparing needed the network, and every other file would meet the same.
            shop.close_account(desk, error, ask_first=True)
            shop.put(lane, job.id, 0.0, error.code)
        except ServiceError as error:
            # Preparing needed the network and did not get through.
            if isinstance(error, ThrottledError):
                desk.account.pause(error.retry_after_s)
            shop.again(lane, job.id, error.code)

    # -- the attempt ----------------------------------------------------------------------------------------

    def _submit(self, desk: Desk, job: Job, place: Reservation) -> None:
        with self._opened(job) as original:
            if original is None:
                return
            refusal = vet(desk, job, original.size)
            if refusal is not None:
                self._shop.fail(job, refusal, "claim")
                return
            route = desk.route(job.folder)
            if inheritance.whole(self._shop, desk, job, original, route):
                return
            parts = self._prepared(desk, job, original, route)
            inheritance.fitting(self._shop, desk, job, parts, original)
            for part in parts:
                state = state_of(self._shop.journal.get(job.id), part)
                if state is None:
                    return
                if state.stage is PartStage.NEW and not self._submit_part(desk, job, part, state, place):
                    return

    def _prepared(self, desk: Desk, job: Job, original: Original, route: Route) -> Sequence[Part]:
        """The parts of a document; none when it cannot be sent, and then the job has failed."""
        number = 1 + min(part.attempt for part in job.parts if part.stage is PartStage.NEW)
        try:
            parts = desk.provider.prepare(original, route, attempt_of(job, number))
        except RejectedError as error:
            self._shop.fail(job, error, "prepare")
            return ()
        if not _goes_on(job, parts):
            self._shop.fail(job, RejectedError("submit.parts"), "prepare")
            return ()
        return parts

    @contextlib.contextmanager
    def _opened(self, job: Job) -> Iterator[Original | None]:
        """The original, at rest and hashed; None when the job went elsewhere instead."""
        shop = self._shop
        original: Original | None = None
        try:
            with shop.folders.opened() as root:
                descriptor = shop.folders.open_original(root, place_of(job), job.id)
            lease = kernel.take_lease(descriptor)
            if lease == "busy":
                disk.close(descriptor)
                shop.put(shop.desks[job.provider].lanes.submit, job.id, BUSY_REST_S, "drop.busy")
            elif lease == "unavailable" and not self._rests(job, descriptor):
                disk.close(descriptor)
                shop.put(shop.desks[job.provider].lanes.submit, job.id, UNPROVEN_REST_S, "drop.changing")
            else:
                kernel.release_lease(descriptor)
                original = Original(descriptor, place_of(job).base, shop.stopping.is_set)
        except FileNotFoundError:
            shop.fail(job, RejectedError("drop.gone"), "claim")
        except OSError as error:
            if error.errno in kernel.FOR_NOW:
                shop.again(shop.desks[job.provider].lanes.submit, job.id, "drop.unreadable")
            else:
                shop.fail(job, RejectedError("drop.unreadable", error.strerror), "claim")
        try:
            yield original
        finally:
            if original is not None:
                original.close()

    def _rests(self, job: Job, descriptor: int) -> bool:
        """Whether an original is as it was at the last look, for where no lease proves that nobody writes to it."""
        found = disk.fstat(descriptor)
        seen = (found.st_size, found.st_mtime_ns)
        before = self._looks.pop(job.id, (job.size, job.mtime_ns))
        if seen != before:
            self._looks[job.id] = seen
        return seen == before

    def _submit_part(self, desk: Desk, job: Job, part: Part, state: PartState, place: Reservation) -> bool:
        """One billable request; False when the rest of the job has to wait."""
        shop, account = self._shop, desk.account
        # Parts of one document may have been tried differently often; each is sent under its own number.
        part = replace(part, attempt=attempt_of(job, state.attempt + 1))
        room, until = account.room("submit")
        if not room:
            raise NoRoomError(until)
        if shop.budgets.ask(desk.name, shop.journal.get(job.id)) is Verdict.HELD:
            # Others have spent the rest of it while this one was prepared.
            shop.put(desk.lanes.submit, job.id, 0.0, "budget.spent")
            return False
        if not place.renew() or not account.may_send(job.id):
            shop.put(desk.lanes.submit, job.id, 0.0, "account.closed")
            return False
        with self._sink(desk, job, part.index) as sink:
            begun = shop.record(
                job.id,
                "submitting",
                part=part.index,
                of=part.of,
                attempt=state.attempt + 1,
                sha256=part.document.sha256,
                route=written(part.route),
                **desk.unit,
            )
            if begun is None:
                return False
            place.give_back()
            try:
                accepted = desk.provider.submit(part, sink)
            except (ServiceError, NoRoomError, DocumentChangedError, TransferCutError) as error:
                shop.submission_ended(desk, job.id, sane=isinstance(error, RejectedError))
                self._not_taken(desk, job, part.index, error)
                return False
            except BaseException:
                shop.submission_ended(desk, job.id, sane=False)
                raise
            if sink is not None:
                sink.finish()
        shop.submission_ended(desk, job.id, sane=True)
        self._taken(desk, job, part.index, accepted)
        return True

    @contextlib.contextmanager
    def _sink(self, desk: Desk, job: Job, part: int) -> Iterator[Sink | None]:
        """Where the result of a blocking service goes; others bring none with their answer."""
        if not desk.capabilities.blocking:
            yield None
            return
        with self._shop.spool.sink(job.id, part) as sink:
            yield sink

    def _taken(self, desk: Desk, job: Job, index: int, accepted: Accepted) -> None:
        shop = self._shop
        if accepted.ref is not None and shop.is_of_another(shop.journal.get(job.id) or job, accepted.ref):
            # Whatever is fetched there cannot be the translation of both.
            self._not_taken(desk, job, index, UncertainError("submit.uncertain", "it told another document's id"))
            return
        costs = {} if accepted.cost is None else {"cost": accepted.cost}
        shop.record(job.id, "accepted", part=index, ref=accepted.ref, **costs)
        shop.went_well(job.id)
        if accepted.ref is None:
            shop.record(job.id, "ready", part=index, extension=accepted.extension)
            shop.put(desk.lanes.fetch, part_key(job.id, index), 0.0)
        else:
            shop.put(desk.lanes.poll, part_key(job.id, index), desk.poll_every_s)

    def _not_taken(self, desk: Desk, job: Job, index: int, error: BabeldropError) -> None:
        """What follows from a submission that brought no reference. Raises what `run` has an answer to."""
        shop = self._shop
        if isinstance(error, UncertainError):
            shop.tally.uncertain(desk.name)
            shop.log.warning("submit.uncertain", job=job.id, provider=desk.name, why=str(error))
            shop.close_account(desk, error, ask_first=True)
            self._settlements.ask(desk, shop.journal.get(job.id) or job, index, error)
        elif isinstance(error, RejectedError):
            shop.fail(job, error, "submit")
        else:
            self._refused(desk, job, index, error)

    def _refused(self, desk: Desk, job: Job, index: int, error: BabeldropError) -> None:
        """Proven not accepted: the job goes back to `claimed`, and the account learns from it."""
        shop = self._shop
        code = error.code if isinstance(error, ServiceError) else type(error).__name__
        shop.record(job.id, "refused", part=index, why={"code": code})
        if not isinstance(error, ServiceError):
            raise error
        account = desk.account
        if isinstance(error, ThrottledError):
            account.pause(error.retry_after_s)
        elif isinstance(error, CapacityError):
            account.hold()
        elif isinstance(error, BlockedError):
            shop.close_account(desk, error, ask_first=True)
        elif isinstance(error, TransientError):
            shop.close_account(desk, error, ask_first=False)
        shop.log.info("submit.refused", job=job.id, provider=desk.name, why=str(error))
        shop.put(desk.lanes.submit, job.id, 0.0, error.code)


def _goes_on(job: Job, parts: Sequence[Part]) -> bool:
    """Whether the parts are those of which the service has some already, if it has any."""
    if all(part.stage is PartStage.NEW for part in job.parts):
        return True
    return len(parts) == len(job.parts) and all(
        known.ref is None or part.mark in known.ref for part, known in zip(parts, job.parts, strict=True)
    )


def _has(job: Job, stage: PartStage) -> bool:
    return job.state in AT_THE_SERVICE and any(part.stage is stage for part in job.parts)
