"""Mistakes for the daemon, one function each: changes by name that a test undoes. The table is in `mutants`."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from daemon import disk, history, journal, kernel, moves, reconcile, transport
from daemon.delivery import Deliveries
from daemon.engine import Engine
from daemon.errors import TransientError
from daemon.folders import Folders
from daemon.job import Job
from daemon.journal import Journal
from daemon.multipart import Multipart
from daemon.originals import Original
from daemon.settling import Settlements
from daemon.workshop import place_of, resume

Apply = Callable[[pytest.MonkeyPatch], None]


class _Changed:
    """A module with other functions in some places."""

    def __init__(self, module: Any, **other: Any) -> None:
        self.__dict__.update(other)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def without(module: Any, *names: str) -> Apply:
    """A module whose calls of these functions of `disk` do nothing."""

    def nothing(*_: Any) -> None:
        return None

    return lambda patch: patch.setattr(module, "disk", _Changed(disk, **dict.fromkeys(names, nothing)))


def accepted_unsynced(patch: pytest.MonkeyPatch) -> None:
    real, skipped = Journal.append, [False]

    def sync(descriptor: int) -> None:
        if not skipped[0]:
            disk.sync(descriptor)

    def append(self: Journal, job: str, event: str, **data: Any) -> Job:
        skipped[0] = event == "accepted"
        return real(self, job, event, **data)

    patch.setattr(Journal, "append", append)
    patch.setattr(journal, "disk", _Changed(disk, sync=sync))


def submitting_late(patch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Job] = Journal.append

    def append(self: Journal, job: str, event: str, **data: Any) -> Job | None:
        held: list[tuple[str, dict[str, Any]]] = self.__dict__.setdefault("held", [])
        if event == "submitting":
            held.append((job, data))
            return self.latest(job)
        while held:
            earlier, facts = held.pop()
            real(self, earlier, "submitting", **facts)
        return real(self, job, event, **data)

    patch.setattr(Journal, "append", append)


def last_block_given(patch: pytest.MonkeyPatch) -> None:
    """The end of the document goes out before anybody takes note of it."""
    real = Multipart.blocks

    def blocks(self: Multipart) -> Iterator[bytes]:
        for block in real(self):
            was_whole, self.whole = self.whole, False
            yield block
            self.whole = was_whole

    patch.setattr(Multipart, "blocks", blocks)


def unverified(patch: pytest.MonkeyPatch) -> None:
    def blocks(self: Original) -> Iterator[bytes]:
        yield disk.read(self._descriptor, disk.fstat(self._descriptor).st_size, 0)

    patch.setattr(Original, "blocks", blocks)


def open_taken_for_unsent(patch: pytest.MonkeyPatch) -> None:
    def run(self: Settlements, desk: Any, key: str) -> None:
        after = self._shop.record(key, "refused", part=0, why={"code": "guessed"})
        assert after is not None
        resume(self._shop, desk, after)

    patch.setattr(Settlements, "run", run)


def delivered_first(patch: pytest.MonkeyPatch) -> None:
    real = Deliveries._publish

    def publish(self: Deliveries, job: Job) -> Job:
        delivered = self._shop.journal.append(job.id, "delivered", name=job.published)
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._shop.journal, "append", lambda *_, **__: delivered)
            return real(self, job)

    patch.setattr(Deliveries, "_publish", publish)


def original_first(patch: pytest.MonkeyPatch) -> None:
    real = Deliveries._publish

    def publish(self: Deliveries, job: Job) -> Job:
        with self._shop.folders.opened() as root:
            self._shop.folders.delete_original(root, place_of(job), job.id)
        return real(self, job)

    patch.setattr(Deliveries, "_publish", publish)


def sidecar_last(patch: pytest.MonkeyPatch) -> None:
    real = moves.put_aside

    def put_aside(source: int | None, base: str, into: int, job: str, story: dict[str, object], mode: int) -> str:
        if source is not None:
            moves.move_to_free(source, base, into, job)
        return real(None, base, into, job, story, mode)

    patch.setattr(moves, "put_aside", put_aside)
    patch.setattr(moves, "_is_usable", lambda _source, _base, into, name, _job: disk.exists(into, name))


def replaced_unsynced(patch: pytest.MonkeyPatch) -> None:
    def write_small(folder: int, name: str, data: bytes, mode: int) -> None:
        temporary = f".{name}.new"
        disk.unlink(folder, temporary)
        descriptor = disk.create_file(folder, temporary, mode)
        disk.write(descriptor, data)
        disk.replace(folder, temporary, name)
        disk.sync_folder(folder)
        disk.close(descriptor)

    patch.setattr(disk, "write_small", write_small)


def history_unsynced(patch: pytest.MonkeyPatch) -> None:
    real = history.add

    def write(*arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            without(history, "sync")(inner)
            real(*arguments)

    patch.setattr(history, "add", write)


def history_last(patch: pytest.MonkeyPatch) -> None:
    real, held = history.add, list[Any]()
    compact = Journal._compact

    def after(self: Journal) -> int:
        gone = compact(self)
        real(*held.pop())
        return gone

    patch.setattr(history, "add", lambda *arguments: held.append(arguments))
    patch.setattr(Journal, "_compact", after)


def torn_tail_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "cut_tail", lambda *_: "")
    patch.setattr(journal, "_make_durable", lambda *_: None)


def claims_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "_settle", lambda *_: "")


def adopted_anew(patch: pytest.MonkeyPatch) -> None:
    """What lies in `processing/` goes back to the inbox before anything else, whatever is known of it."""
    real, dispatch = Folders.claimed, Engine.dispatch

    def claimed(self: Folders, root: int, *more: Any) -> Iterator[Any]:
        for job, place, entry in list(real(self, root, *more)):
            with (
                disk.folder(root, self._claimed_in(place, job)) as here,
                disk.folder(root, place.within("inbox")) as inbox,
            ):
                moves.move(here, place.base, inbox, place.base)
            yield from ()
            del entry

    patch.setattr(Folders, "claimed", claimed)
    patch.setattr(Engine, "dispatch", lambda self: None if self.blind else dispatch(self))


def renames_over(patch: pytest.MonkeyPatch) -> None:
    def rename(from_folder: int, from_name: str, to_folder: int, to_name: str) -> None:
        kernel.os.replace(  # type: ignore[attr-defined]  # the watch sits there
            from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder
        )

    patch.setattr(disk, "rename_noreplace", rename)


def published_again(patch: pytest.MonkeyPatch) -> None:
    real = Folders.publish

    def publish(self: Folders, root: int, place: Any, job: str, name: str) -> bool:
        with disk.folder(root, place.within("outbox")) as here:
            if not disk.exists(here, f".{job}.part"):
                raise FileNotFoundError
        return real(self, root, place, job, name)

    patch.setattr(Folders, "publish", publish)


def result_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = Deliveries._stage

    def stage(self: Deliveries, job: Job) -> Job:
        append = self._shop.journal.append

        def forgetting(*what: Any, **data: Any) -> Job:
            self._shop.spool.forget(job.id, 1)
            return append(*what, **data)

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._shop.journal, "append", forgetting)
            return real(self, job)

    patch.setattr(Deliveries, "_stage", stage)


def closed_first(patch: pytest.MonkeyPatch) -> None:
    real = Deliveries._put_away

    def put_away(self: Deliveries, desk: Any, job: Job) -> Job:
        closed = self._shop.journal.append(job.id, "closed")
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._shop.journal, "append", lambda *_: closed)
            return real(self, desk, job)

    patch.setattr(Deliveries, "_put_away", put_away)


def timeout_is_no(patch: pytest.MonkeyPatch) -> None:
    """An answer that did not come is taken for a refusal."""
    patch.setattr(transport, "UncertainError", TransientError)


def written_in_place(patch: pytest.MonkeyPatch) -> None:
    """The result is copied to its visible name."""

    def publish(self: Folders, root: int, place: Any, job: str, name: str) -> bool:
        with disk.folder(root, place.within("outbox")) as here:
            temporary = disk.open_file(here, f".{job}.part")
            visible = disk.create_file(here, name, self.file_mode)
            disk.copy(temporary, visible)
            disk.sync(visible)
            for descriptor in (temporary, visible):
                disk.close(descriptor)
            disk.unlink(here, f".{job}.part")
            disk.sync_folder(here)
            return True

    patch.setattr(Folders, "publish", publish)


def folders_unsynced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk, "_make_folder", _make_unsynced)


def _make_unsynced(parent: int, name: str, mode: int) -> int:
    with suppress(FileExistsError):
        disk.os.mkdir(  # type: ignore[attr-defined]  # the watch sits there
            name, mode, dir_fd=parent
        )
    return disk.open_folder(parent, name)
