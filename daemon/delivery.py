"""From ready to closed: fetch and bank the result, publish it, put the original away; or end in `failed/`.

Once banked, a result is on local disk, whole, checked and synced: no share, full disk or crash can make what
was paid for unavailable, so everything after it is repeated until it works.
"""

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from daemon import disk, formats, kernel, messages, names, policy, sidecar
from daemon.desks import Desk
from daemon.endings import tell
from daemon.errors import (
    BlockedError,
    LostError,
    NoRoomError,
    RejectedError,
    ServiceError,
    ShareAwayError,
    ThrottledError,
    TransferCutError,
    TransientError,
)
from daemon.folders import Place
from daemon.job import AT_THE_SERVICE, Job, PartStage, State
from daemon.languages import Route, UnknownLanguageError
from daemon.originals import Original
from daemon.providers.base import Fetched
from daemon.spool import Sink
from daemon.workshop import Workshop, part_key, place_of, split_key

_ENOUGH_TRIES = 5


class Deliveries:
    """The steps after the service has done its work."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._odd: dict[str, str] = {}
        self._staged: set[str] = set()

    # -- fetch ----------------------------------------------------------------------------------------------

    def fetch(self, desk: Desk, keys: Sequence[str]) -> None:
        """Fetch a batch of results; those whose job is then complete are banked and delivered."""
        try:
            self._fetch_batch(desk, keys)
        except OSError as error:
            why = "disk.full" if error.errno in kernel.FULL else "folder.trouble"
            self._shop.log.warning("fetch.waits", provider=desk.name, code=why, why=str(error))
            for key in keys:
                self._shop.again(desk.lanes.fetch, key, why, counted_as=_fetching(key))

    def _fetch_batch(self, desk: Desk, keys: Sequence[str]) -> None:
        shop = self._shop
        wanted: list[tuple[str, str, Sink]] = []
        with ExitStack() as open_sinks:
            for key in keys:
                job, index = split_key(key)
                known = shop.journal.get(job)
                if known is None or known.state not in AT_THE_SERVICE:
                    continue
                part = known.parts[index]
                if part.ref is None:
                    self._complete(desk, key, Fetched())
                elif part.stage is PartStage.READY:
                    wanted.append((key, part.ref, open_sinks.enter_context(shop.spool.sink(job, index))))
            if wanted:
                self._fetch(desk, wanted)

    def _fetch(self, desk: Desk, wanted: list[tuple[str, str, Sink]]) -> None:
        try:
            answers = desk.provider.fetch([(ref, sink) for _, ref, sink in wanted])
        except (ServiceError, NoRoomError, TransferCutError) as error:
            for key, _, _ in wanted:
                self._not_fetched(desk, key, error)
            return
        for (key, _, sink), answer in itertools.zip_longest(wanted, answers[: len(wanted)]):
            if answer is None:
                self._not_fetched(desk, key, TransientError("service.unreadable", "left out of the answer"))
            elif isinstance(answer, ServiceError):
                self._not_fetched(desk, key, answer)
            else:
                self._check_and_keep(desk, key, sink, answer)

    def _check_and_keep(self, desk: Desk, key: str, sink: Sink, fetched: Fetched) -> None:
        job = self._shop.journal.get(split_key(key)[0])
        if job is None:
            return
        error = None if desk.capabilities.assembles else self._unfit(job, key, sink, fetched)
        if error is not None:
            self._not_fetched(desk, key, error)
            return
        sink.finish()
        self._shop.went_well(key)
        self._shop.went_well(_fetching(key))
        self._odd.pop(key, None)
        self._complete(desk, key, fetched)

    def _unfit(self, job: Job, key: str, sink: Sink, fetched: Fetched) -> ServiceError | None:
        """What the bytes say against a result: nothing there, an error page, another type, no end.

        A document that shows no end is taken when the same bytes came twice: some programs write such files.
        """
        extension = fetched.extension or names.extension(job.name)
        facts = {"extension": f".{extension}"}
        if sink.size == 0:
            return TransientError("result.empty")
        if formats.error_page(extension, sink.head) and not self._was_one(job, extension):
            return TransientError("result.wrong", "it is an error page", facts=facts)
        if formats.sniff(extension, sink.head) is False:
            return TransientError("result.wrong", facts=facts)
        if formats.shows_end(extension, sink.size, sink.read_at) is False and self._odd.get(key) != sink.sha256:
            self._odd[key] = sink.sha256
            return TransientError("result.cut", "its end is missing")
        return None

    def _was_one(self, job: Job, extension: str) -> bool:
        """Whether the original looks like an error page, too: a text that is HTML comes back as one."""
        try:
            with self._shop.folders.opened() as root:
                descriptor = self._shop.folders.open_original(root, place_of(job), job.id)
        except (ShareAwayError, OSError):
            # It cannot be compared now; what looks like an error is taken for one, and asked for again.
            return False
        try:
            return formats.error_page(extension, disk.read(descriptor, formats.HEAD, 0))
        finally:
            disk.close(descriptor)

    def _not_fetched(self, desk: Desk, key: str, error: Exception) -> None:
        """The result is not here: ask for the status again, or try again, until the deadline and longer."""
        shop = self._shop
        name, index = split_key(key)
        job = shop.journal.get(name)
        if job is None or job.state not in AT_THE_SERVICE:
            return
        if isinstance(error, NoRoomError):
            shop.put_until(desk.lanes.fetch, key, error.until, "account.window")
            return
        if not isinstance(error, ServiceError):
            shop.put(desk.lanes.fetch, key, 0.0)
            return
        if isinstance(error, ThrottledError):
            desk.account.pause(error.retry_after_s)
        elif isinstance(error, BlockedError):
            shop.close_account(desk, error, ask_first=True)
        shop.log.info("fetch.failed", job=job.id, provider=desk.name, why=str(error))
        lane = desk.lanes.fetch
        if isinstance(error, LostError):
            lane = desk.lanes.poll
            shop.record(job.id, "accepted", part=index, ref=job.parts[index].ref)
        # Counted apart: the look at the status in between may go well every time.
        shop.again(lane, key, error.code, counted_as=_fetching(key))
        if shop.tries(_fetching(key)) >= _ENOUGH_TRIES and shop.age(key) >= desk.settings.deadline:
            shop.drop(lane, key)
            words = error.provider_message or messages.render(error.code, error.facts)[0]
            shop.fail(job, RejectedError("result.unusable", words), "fetch")

    def _complete(self, desk: Desk, key: str, fetched: Fetched) -> None:
        """A part's result is in the spool; with the last one the job goes on."""
        shop = self._shop
        name, _ = split_key(key)
        job = shop.journal.get(name)
        if job is None or job.state is not State.READY:
            return
        whole = all(shop.spool.has(job.id, index) for index in range(len(job.parts)))
        # A crash may have come right before `banked` was durable.
        if whole or (not desk.capabilities.assembles and shop.spool.has_result(job.id)):
            self.finish(desk, job.id, fetched)

    # -- bank, publish, put away ----------------------------------------------------------------------------

    def finish(self, desk: Desk, key: str, fetched: Fetched | None = None) -> None:
        """Take a job from where it is to its end. Repeatable at any point."""
        with self._shop.alone("finish", key) as alone:
            # The last two parts may arrive at once: whoever comes first does it.
            if alone:
                self._finish(desk, key, fetched)

    def _finish(self, desk: Desk, key: str, fetched: Fetched | None) -> None:
        shop = self._shop
        try:
            job = shop.journal.get(key)
            while job is not None and job.alive:
                job = self._step(desk, job, fetched)
        except ShareAwayError as error:
            shop.freeze(str(error))
            self._later(desk, key, "share.away", policy.SHARE_LOOK_S)
        except OSError as error:
            shop.log.warning("deliver.failed", job=key, provider=desk.name, why=str(error))
            self._later(desk, key, "folder.trouble")
        except TransferCutError:
            self._later(desk, key, "daemon.stopping", 0.0)
        except RejectedError as error:
            # The results are all here and make no document: fetching them again would change nothing.
            job = shop.journal.get(key)
            if job is not None:
                shop.fail(job, error, "assemble")
        except ServiceError as error:
            self._later(desk, key, str(error))

    def _later(self, desk: Desk, key: str, why: str, wait_s: float | None = None) -> None:
        """Once more later: from the bank on; before it from the fetch, which costs nothing."""
        shop = self._shop
        job = shop.journal.get(key)
        if job is None:
            return
        lane, again = desk.lanes.finish, key
        if job.state in AT_THE_SERVICE:
            lane, again = desk.lanes.fetch, part_key(key, 0)
        if wait_s is None:
            shop.again(lane, again, why)
        else:
            shop.put(lane, again, wait_s, why)

    def _step(self, desk: Desk, job: Job, fetched: Fetched | None) -> Job | None:
        if job.state is State.READY:
            return self._bank(desk, job, fetched or Fetched())
        if job.state is State.BANKED:
            return self._stage(job)
        if job.state is State.PUBLISHING:
            return self._publish(job)
        if job.state is State.DELIVERED:
            return self._put_away(desk, job)
        if job.state is State.FAILED:
            return self._put_aside(desk, job)
        return None

    def _bank(self, desk: Desk, job: Job, fetched: Fetched) -> Job | None:
        shop = self._shop
        assembled = self._assembled(desk, job) if desk.capabilities.assembles else None
        digest, size = shop.spool.bank(job.id, assembled)
        costs = {} if fetched.cost is None else {"cost": fetched.cost}
        name = names.result_name(place_of(job).base, fetched.extension)
        return shop.record(job.id, "banked", hash=digest, size=size, name=name, **costs)

    def _assembled(self, desk: Desk, job: Job) -> bytes:
        shop = self._shop
        place = place_of(job)
        with shop.folders.opened() as root:
            original = Original(shop.folders.open_original(root, place, job.id), place.base, shop.stopping.is_set)
        try:
            if original.sha256 != job.sha256:
                raise RejectedError("result.unusable", "the original was changed while it was being translated")
            results = [shop.spool.part(job.id, index) for index in range(len(job.parts))]
            return desk.provider.assemble(original, results)
        finally:
            original.close()

    def _stage(self, job: Job) -> Job:
        shop = self._shop
        place = self._result_place(job)
        with shop.folders.opened() as root:
            with shop.spool.result(job.id) as source:
                shop.folders.stage(root, place, job.id, source)
            name = shop.folders.free_name(root, place, job.id)
        self._staged.add(job.id)
        return shop.journal.append(job.id, "publishing", name=name)

    def _publish(self, job: Job) -> Job:
        shop = self._shop
        place = self._result_place(job)
        assert job.published is not None
        with shop.folders.opened() as root:
            try:
                if job.id in self._staged and not self._is_staged(root, place, job):
                    # No crash lies between, so nobody but a stranger can have removed it.
                    return self._stage(job)
                done = shop.folders.publish(root, place, job.id, job.published)
            except FileNotFoundError:
                # Somebody removed the folder, and what was staged in it: the result is still banked.
                return self._stage(job)
            if done:
                return shop.journal.append(job.id, "delivered", name=job.published)
            name = shop.folders.free_name(root, place, job.id)
        return shop.journal.append(job.id, "publishing", name=name)

    def _is_staged(self, root: int, place: Place, job: Job) -> bool:
        """Whether the staged result is there, under its hidden name or already under its own."""
        assert job.published is not None
        assert job.result is not None
        return self._shop.folders.is_staged(root, place, job.id, job.published, job.result["size"])

    @staticmethod
    def _result_place(job: Job) -> Place:
        assert job.result is not None
        place = place_of(job)
        return replace(place, name=f"{place.sub}/{job.result['name']}".lstrip("/"))

    def _put_away(self, desk: Desk, job: Job) -> Job:
        """The translation is delivered: nothing is kept at the service, in the spool or in `processing/`."""
        shop = self._shop
        self._shop.clean_up(desk, job, job.refs)
        with shop.folders.opened() as root:
            if shop.delete_originals:
                shop.folders.delete_original(root, place_of(job), job.id)
            else:
                shop.folders.archive(root, place_of(job), job.id)
        return self._close(desk, job)

    def _put_aside(self, desk: Desk, job: Job) -> Job:
        shop = self._shop
        if not job.keeps_what_was_paid:
            # Nothing will be asked for there any more.
            self._shop.clean_up(desk, job, job.refs)
        route: Route | None
        try:
            route = desk.route(job.folder)
        except UnknownLanguageError:
            route = None
        with shop.folders.opened() as root:
            shop.folders.fail(root, place_of(job), job.id, sidecar.story(job, kind=desk.provider.kind, route=route))
        return self._close(desk, job)

    def _close(self, desk: Desk, job: Job) -> Job:
        shop = self._shop
        shop.spool.forget(job.id, len(job.parts))
        closed = shop.journal.append(job.id, "closed")
        self._staged.discard(job.id)
        shop.went_well(job.id)
        for index in range(len(job.parts)):
            shop.went_well(part_key(job.id, index))
            shop.went_well(_fetching(part_key(job.id, index)))
        tell(shop, desk, closed)
        return closed


def _fetching(key: str) -> str:
    return f"{key} fetch"
