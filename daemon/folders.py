"""The root that everybody sees: its marker, its folders, and the moves of a job's file through them.

    inbox/<provider>/<lang>/[sub/…]name              people drop here
    processing/<provider>/<lang>/<job>/[sub/…]name   claimed originals, mode 0700
    outbox/<provider>/<lang>/[sub/…]name             translations
    failed/<provider>/<lang>/[sub/…]name             originals that failed, each with name.error.json
    archive/<provider>/<lang>/[sub/…]name            originals of delivered jobs

Every operation opens the root anew, looks at the marker and works below the descriptor it found: when a share
goes away nothing is written below its empty mount point, and nothing keeps it from being unmounted.
"""

import contextlib
import errno
import json
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from daemon import disk, kernel, moves, names
from daemon.errors import ShareAwayError
from daemon.journal import Identity

MARKER = ".babeldrop"
PRIVATE = 0o700
_MOST_LEVELS = 32
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""A folder that is none any more; what came in its place shows in its parent's next listing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a drop belongs: the provider's folder, the language folder, and the path below it."""

    provider: str
    folder: str
    name: str

    @property
    def base(self) -> str:
        return os.path.basename(self.name)

    @property
    def sub(self) -> str:
        return os.path.dirname(self.name)

    def within(self, top: str) -> str:
        """The folder of the file below `top` (inbox, outbox, …)."""
        return os.path.normpath(os.path.join(top, self.provider, self.folder, self.sub))

    def path(self, top: str) -> str:
        """The path of the file (of the language folder, without a name) below the root."""
        return os.path.join(self.within(top), self.base).rstrip("/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One entry of an inbox: a place, and what the listing showed.

    `closed` says why a folder could not be looked into; nothing is known of what lies in it.
    """

    place: Place
    entry: disk.Entry
    closed: str | None = None


class Folders:
    """The root of one state."""

    def __init__(self, root: str, identity: Identity, *, file_mode: int, folder_mode: int) -> None:
        self.root = root
        self._identity = identity
        self.file_mode = file_mode
        self.folder_mode = folder_mode

    # -- root and marker ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """The root for the length of one operation.

        Raises ShareAwayError when the marker is not there or belongs to somebody else.
        """
        try:
            root = disk.open_root(self.root)
        except OSError as error:
            raise ShareAwayError(f"{self.root}: {error.strerror}") from error
        try:
            if read_marker(root) != self._identity:
                raise ShareAwayError(f"{self.root} has no marker of ours ({MARKER})")
            yield root
        finally:
            disk.close(root)

    def create(self, inboxes: dict[str, list[str]]) -> None:
        """Make the folders that people see, for each provider its languages.

        An inbox whose name belongs to something else (a file, a link) is left to the scan, which reports it.
        """
        with self.opened() as root:
            for top in ("inbox", "outbox", "failed", "archive"):
                self._make(root, top)
            disk.close(disk.make_folders(root, "processing", PRIVATE))
            for provider, languages in inboxes.items():
                for path in (f"inbox/{provider}", *(f"inbox/{provider}/{language}" for language in languages)):
                    try:
                        self._make(root, path)
                    except OSError as error:
                        if error.errno in kernel.FOR_NOW:
                            raise

    def _make(self, root: int, path: str) -> None:
        disk.close(disk.make_folders(root, path, self.folder_mode))

    # -- listing --------------------------------------------------------------------------------------------

    def providers_and_languages(self, root: int) -> Iterator[tuple[str, disk.Entry]]:
        """What lies in `inbox/` ("" as provider) and in `inbox/<provider>/`, one level each.

        A provider's folder that cannot be looked into comes without a stat.
        """
        with disk.folder(root, "inbox") as inbox:
            for entry in disk.list_folder(inbox):
                below: list[disk.Entry] = []
                shown = entry
                if entry.kind == "folder":
                    try:
                        with disk.folder(inbox, entry.name) as provider:
                            below = disk.list_folder(provider)
                    except OSError:
                        shown = disk.Entry(entry.name, None)
                if entry.stat is not None:
                    yield "", shown
                yield from ((entry.name, one) for one in below if one.stat is not None)

    def listing(self, root: int, provider: str, folder: str, ignore: Collection[str] = ()) -> Iterator[Seen]:
        """Everything in one language folder that is no folder itself; links are named, never followed.

        Folders that are never touched, or match `ignore`, are not looked into.
        """
        yield from self._listing(root, Place(provider=provider, folder=folder, name=""), 0, ignore)

    def _listing(self, root: int, at: Place, level: int, ignore: Collection[str]) -> Iterator[Seen]:
        try:
            with disk.folder(root, at.path("inbox")) as here:
                entries = disk.list_folder(here)
        except OSError as error:
            if error.errno not in GONE:
                yield Seen(place=at, entry=disk.Entry(at.base, None), closed=error.strerror)
            return
        for entry in sorted(entries, key=lambda one: one.name):
            below = Place(provider=at.provider, folder=at.folder, name=os.path.join(at.name, entry.name))
            if entry.kind == "folder" and level < _MOST_LEVELS and names.never_touched(entry.name, ignore) is None:
                yield from self._listing(root, below, level + 1, ignore)
            else:
                yield Seen(place=below, entry=entry)

    def claim(self, root: int, place: Place, job: str) -> disk.Entry:
        """Take a drop out of the inbox with one rename; returns what the file shows afterwards.

        Raises OSError when it is not there any more, or cannot be moved durably; then it stays in the inbox.
        """
        base = place.base
        with disk.folder(root, place.within("inbox")) as source:
            try:
                with disk.folder_made(root, self._claimed_in(place, job), PRIVATE) as into:
                    try:
                        disk.rename_noreplace(source, base, into, base)
                        disk.sync_folder(into)
                        disk.sync_folder(source)
                        return disk.Entry(base, disk.lstat(into, base))
                    except OSError:
                        # Nobody would look in processing/ for a file without a record.
                        with contextlib.suppress(OSError):
                            moves.move(into, base, source, base)
                        raise
            except OSError:
                self._prune(root, place, job)
                raise

    def finish_claim(self, root: int, place: Place, job: str) -> None:
        """Do what a crash has left of the move: the name in the inbox is away, and both folders are durable."""
        with (
            disk.folder(root, place.within("inbox")) as source,
            disk.folder(root, self._claimed_in(place, job)) as into,
        ):
            if moves.is_same(into, place.base, source, place.base):
                disk.unlink(source, place.base)
            disk.sync_folder(into)
            disk.sync_folder(source)

    def open_original(self, root: int, place: Place, job: str) -> int:
        """The claimed original. Raises FileNotFoundError when somebody took it away."""
        return disk.open_file(root, os.path.join(self._claimed_in(place, job), place.base))

    def claimed(self, root: int, closed: list[str]) -> Iterator[tuple[str, Place, disk.Entry]]:
        """Every file in `processing/`: the job its path names, its place, and its stat.

        Folders that may not be read are added to `closed`.
        """
        return self._claimed_below(root, "processing", [], closed)

    def _claimed_below(
        self, parent: int, name: str, way: list[str], closed: list[str]
    ) -> Iterator[tuple[str, Place, disk.Entry]]:
        with contextlib.ExitStack() as open_folders:
            try:
                here = open_folders.enter_context(disk.folder(parent, name))
            except FileNotFoundError:
                return  # Its last file was moved on meanwhile.
            except PermissionError:
                closed.append(os.path.join("processing", *way))
                return
            for entry in disk.list_folder(here):
                steps = [*way, entry.name]
                if entry.kind == "folder" and len(steps) < _MOST_LEVELS + 4:
                    yield from self._claimed_below(here, entry.name, steps, closed)
                elif entry.stat is not None and len(steps) > 3 and names.is_job_id(steps[2]):
                    yield steps[2], Place(provider=steps[0], folder=steps[1], name=os.path.join(*steps[3:])), entry

    @staticmethod
    def _claimed_in(place: Place, job: str) -> str:
        return os.path.join("processing", place.provider, place.folder, job, place.sub)

    def _prune(self, root: int, place: Place, job: str) -> None:
        """Remove the folders that the claim made, as far as they are there and empty."""
        way = os.path.join("processing", place.provider, place.folder)
        steps = [job, *[step for step in place.sub.split("/") if step]]
        for depth in range(len(steps) - 1, -1, -1):
            with contextlib.suppress(OSError), disk.folder(root, os.path.join(way, *steps[:depth])) as here:
                disk.remove_folder(here, steps[depth])

    def stage(self, root: int, place: Place, job: str, source: int) -> None:
        """Copy the banked result beside its future name, whole and synced, under a name nobody sees."""
        with disk.folder_made(root, place.within("outbox"), self.folder_mode) as into:
            temporary = _temporary(job)
            disk.unlink(into, temporary)
            descriptor = disk.create_file(into, temporary, self.file_mode)
            try:
                disk.copy(source, descriptor)
                disk.sync(descriptor)
            finally:
                disk.close(descriptor)
            disk.sync_folder(into)

    def free_name(self, root: int, place: Place, job: str) -> str:
        """The first of `name`, `name (2)`, … that is free in the outbox."""
        with disk.folder(root, place.within("outbox")) as here:
            return moves.first_free(place.base, job, lambda name: disk.exists(here, name))

    def publish(self, root: int, place: Place, job: str, name: str) -> bool:
        """Give the staged result its name; False when the name was taken meanwhile.

        Repeatable after a crash: no staged file any more means that it was published.
        """
        with disk.folder(root, place.within("outbox")) as here:
            if disk.exists(here, _temporary(job)):
                return moves.move(here, _temporary(job), here, name)
            # The crash may have come before the sync.
            disk.sync_folder(here)
            return True

    def is_staged(self, root: int, place: Place, job: str, name: str, size: int) -> bool:
        """Whether a staged result is there, under its hidden name or already under its own."""
        with disk.folder(root, place.within("outbox")) as here:
            shown = disk.lstat(here, name)
            return disk.exists(here, _temporary(job)) or (shown is not None and shown.st_size == size)

    def archive(self, root: int, place: Place, job: str) -> None:
        """Move the original of a delivered job to the archive; gone already is done already."""
        with (
            self._original_in(root, place, job) as source,
            disk.folder_made(root, place.within("archive"), self.folder_mode) as into,
        ):
            if source is not None:
                moves.move_to_free(source, place.base, into, job)
            disk.sync_folder(into)
        self._prune(root, place, job)

    def delete_original(self, root: int, place: Place, job: str) -> None:
        """Remove the original of a delivered job, because the administrator chose so."""
        with contextlib.suppress(FileNotFoundError), disk.folder(root, self._claimed_in(place, job)) as here:
            disk.unlink(here, place.base)
            disk.sync_folder(here)
        self._prune(root, place, job)

    @contextlib.contextmanager
    def _original_in(self, root: int, place: Place, job: str) -> Iterator[int | None]:
        """The folder in `processing/` with the job's original; None when the original is not there any more."""
        with contextlib.ExitStack() as opened:
            here = None
            with contextlib.suppress(FileNotFoundError):
                here = opened.enter_context(disk.folder(root, self._claimed_in(place, job)))
            is_there = here is not None and disk.exists(here, place.base)
            yield here if is_there else None
            if here is not None and not is_there:
                # Whoever has moved it may have been killed before that was durable.
                disk.sync_folder(here)

    def prune_archive(self, before: float) -> int:
        """Remove originals that were archived before a Unix time; returns how many.

        The move into the archive set the file's ctime, so that is when it was archived.
        """
        with self.opened() as root, disk.folder(root, "archive") as archive:
            return moves.prune(archive, before)

    def fail(self, root: int, place: Place, job: str, story: dict[str, object]) -> str:
        """Put sidecar, then original into `failed/`; returns the original's name there.

        Repeatable after a crash: a sidecar of this job is used again.
        """
        with (
            self._original_in(root, place, job) as source,
            disk.folder_made(root, place.within("failed"), self.folder_mode) as into,
        ):
            name = moves.put_aside(source, place.base, into, job, story, self.file_mode)
            disk.set_mode(into, name, self.file_mode)
        self._prune(root, place, job)
        return name

    def forget_sidecar(self, root: int, place: Place, alive: Callable[[str], bool]) -> None:
        """The attempt is claimed: the sidecar of the one before, which is not `alive`, goes with its original."""
        for top in ("failed", "inbox"):
            with contextlib.suppress(OSError), disk.folder(root, place.within(top)) as here:
                moves.forget_sidecar(here, place.base, alive)

    def is_own_sidecar(self, root: int, place: Place) -> bool:
        """Whether a drop is a sidecar that we wrote; such a file is never translated."""
        with contextlib.suppress(OSError), disk.folder(root, place.within("inbox")) as here:
            return moves.sidecar_of(here, place.base) is not None
        return False


def read_marker(root: int) -> Identity | None:
    """Whose root this is; None when there is no marker that says so."""
    try:
        found = json.loads(disk.read_small(root, MARKER, 4096))
        return Identity(state=found["state"], root=found["root"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_marker(root: int, identity: Identity) -> None:
    disk.write_json(root, MARKER, {"babeldrop": 1, "root": identity.root, "state": identity.state}, 0o644)


def _temporary(job: str) -> str:
    return f".{job}.part"
