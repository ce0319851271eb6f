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
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from daemon import disk, names, sidecar
from daemon.errors import ShareAwayError
from daemon.journal import Identity

MARKER = ".babeldrop"
PRIVATE = 0o700
SIDECAR = ".error.json"
_MOST_LEVELS = 32


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
        """The path of the file below the root, for messages."""
        return os.path.join(self.within(top), self.base)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One entry of an inbox: a place, and what the listing showed."""

    place: Place
    entry: disk.Entry


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
        """Make the folders that people see, for each provider its languages."""
        with self.opened() as root:
            for top in ("inbox", "outbox", "failed", "archive"):
                self._make(root, top)
            disk.close(disk.make_folders(root, "processing", PRIVATE))
            for provider, languages in inboxes.items():
                self._make(root, f"inbox/{provider}")
                for language in languages:
                    self._make(root, f"inbox/{provider}/{language}")

    def _make(self, root: int, path: str) -> None:
        disk.close(disk.make_folders(root, path, self.folder_mode))

    # -- listing --------------------------------------------------------------------------------------------

    def providers_and_languages(self, root: int) -> Iterator[tuple[str, disk.Entry]]:
        """What lies in `inbox/` ("" as provider) and in `inbox/<provider>/`, one level each."""
        with disk.folder(root, "inbox") as inbox:
            for entry in disk.list_folder(inbox):
                yield "", entry
                if entry.kind == "folder":
                    with contextlib.suppress(OSError), disk.folder(inbox, entry.name) as provider:
                        for below in disk.list_folder(provider):
                            yield entry.name, below

    def listing(self, root: int, provider: str, folder: str) -> Iterator[Seen]:
        """Everything in one language folder that is no folder itself; links are named, never followed."""
        yield from self._listing(root, Place(provider=provider, folder=folder, name=""), 0)

    def _listing(self, root: int, at: Place, level: int) -> Iterator[Seen]:
        try:
            with disk.folder(root, at.path("inbox") if at.name else at.within("inbox")) as here:
                entries = disk.list_folder(here)
        except OSError:
            # Gone or closed to us since its parent was listed; the next scan tells more.
            return
        for entry in sorted(entries, key=lambda one: one.name):
            below = Place(provider=at.provider, folder=at.folder, name=os.path.join(at.name, entry.name))
            if entry.kind == "folder" and level < _MOST_LEVELS and names.never_touched(entry.name) is None:
                yield from self._listing(root, below, level + 1)
            else:
                yield Seen(place=below, entry=entry)

    # -- claim ----------------------------------------------------------------------------------------------

    def claim(self, root: int, place: Place, job: str) -> disk.Entry:
        """Take a drop out of the inbox with one rename; returns what the file shows afterwards.

        Raises OSError when it is not there any more or the rename is not allowed.
        """
        target = self._claimed_in(place, job)
        with disk.folder(root, place.within("inbox")) as source:
            into = disk.make_folders(root, target, PRIVATE)
            try:
                disk.rename_noreplace(source, place.base, into, place.base)
                disk.sync_folder(into)
                disk.sync_folder(source)
                return disk.Entry(place.base, disk.lstat(into, place.base))
            except OSError:
                disk.close(into)
                into = -1
                self._prune(root, place, job)
                raise
            finally:
                if into >= 0:
                    disk.close(into)

    def open_original(self, root: int, place: Place, job: str) -> int:
        """The claimed original. Raises FileNotFoundError when somebody took it away."""
        return disk.open_file(root, os.path.join(self._claimed_in(place, job), place.base))

    def has_original(self, root: int, place: Place, job: str) -> bool:
        try:
            with disk.folder(root, self._claimed_in(place, job)) as here:
                return disk.exists(here, place.base)
        except FileNotFoundError:
            return False

    def claimed(self, root: int) -> Iterator[tuple[str, Place, disk.Entry]]:
        """Every file in `processing/`: the job its path names, its place, and its stat."""
        try:
            with disk.folder(root, "processing") as top:
                yield from self._claimed_below(top, [])
        except FileNotFoundError:
            return

    def _claimed_below(self, here: int, way: list[str]) -> Iterator[tuple[str, Place, disk.Entry]]:
        for entry in disk.list_folder(here):
            steps = [*way, entry.name]
            if entry.kind == "folder" and len(steps) < _MOST_LEVELS + 4:
                with disk.folder(here, entry.name) as below:
                    yield from self._claimed_below(below, steps)
            elif len(steps) > 3 and names.is_job_id(steps[2]):
                place = Place(provider=steps[0], folder=steps[1], name=os.path.join(*steps[3:]))
                yield steps[2], place, entry

    @staticmethod
    def _claimed_in(place: Place, job: str) -> str:
        return os.path.join("processing", place.provider, place.folder, job, place.sub)

    def _prune(self, root: int, place: Place, job: str) -> None:
        """Remove the folders that the claim made, as far as they are empty."""
        steps = [job, *[step for step in place.sub.split("/") if step]]
        with contextlib.suppress(OSError):
            for depth in range(len(steps) - 1, -1, -1):
                parent = os.path.join("processing", place.provider, place.folder, *steps[:depth])
                with disk.folder(root, parent) as here:
                    if not disk.remove_folder(here, steps[depth]):
                        return

    # -- delivery -------------------------------------------------------------------------------------------

    def stage(self, root: int, place: Place, job: str, source: int) -> None:
        """Copy the banked result beside its future name, whole and synced, under a name nobody sees."""
        into = disk.make_folders(root, place.within("outbox"), self.folder_mode)
        try:
            temporary = _temporary(job)
            disk.unlink(into, temporary)
            descriptor = disk.create_file(into, temporary, self.file_mode)
            try:
                disk.copy(source, descriptor)
                disk.sync(descriptor)
            finally:
                disk.close(descriptor)
            disk.sync_folder(into)
        finally:
            disk.close(into)

    def free_name(self, root: int, place: Place, job: str) -> str:
        """The first of `name`, `name (2)`, … that is free in the outbox."""
        with disk.folder(root, place.within("outbox")) as here:
            return _first_free(place.base, job, lambda name: disk.exists(here, name))

    def publish(self, root: int, place: Place, job: str, name: str) -> bool:
        """Give the staged result its name; False when the name was taken meanwhile.

        Repeatable after a crash: no staged file any more means that it was published.
        """
        with disk.folder(root, place.within("outbox")) as here:
            staged = disk.lstat(here, _temporary(job))
            if staged is None:
                return True
            taken = disk.lstat(here, name)
            if taken is not None and (taken.st_dev, taken.st_ino) == (staged.st_dev, staged.st_ino):
                disk.unlink(here, _temporary(job))
            else:
                try:
                    disk.rename_noreplace(here, _temporary(job), here, name)
                except FileExistsError:
                    return False
            disk.sync_folder(here)
            return True

    def archive(self, root: int, place: Place, job: str) -> None:
        """Move the original of a delivered job to the archive; gone already is done already."""
        self._move_original(root, place, job, "archive")

    def delete_original(self, root: int, place: Place, job: str) -> None:
        """Remove the original of a delivered job, because the administrator chose so."""
        with contextlib.suppress(FileNotFoundError), disk.folder(root, self._claimed_in(place, job)) as here:
            disk.unlink(here, place.base)
            disk.sync_folder(here)
        self._prune(root, place, job)

    def _move_original(self, root: int, place: Place, job: str, top: str, name: str | None = None) -> None:
        with (
            contextlib.suppress(FileNotFoundError),
            disk.folder(root, self._claimed_in(place, job)) as source,
        ):
            into = disk.make_folders(root, place.within(top), self.folder_mode)
            try:
                while disk.exists(source, place.base):
                    to = name or _first_free(place.base, job, lambda one: disk.exists(into, one))
                    with contextlib.suppress(FileExistsError):
                        disk.rename_noreplace(source, place.base, into, to)
                        disk.sync_folder(into)
                        disk.sync_folder(source)
            finally:
                disk.close(into)
        self._prune(root, place, job)

    def prune_archive(self, before: float) -> int:
        """Remove originals that were archived before a Unix time; returns how many.

        The move into the archive set the file's ctime, so that is when it was archived.
        """
        with self.opened() as root, disk.folder(root, "archive") as archive:
            return self._prune_below(archive, before)

    def _prune_below(self, here: int, before: float) -> int:
        removed = 0
        for entry in disk.list_folder(here):
            if entry.kind == "folder":
                with disk.folder(here, entry.name) as below:
                    removed += self._prune_below(below, before)
            elif entry.kind == "file" and entry.stat is not None and entry.stat.st_ctime < before:
                disk.unlink(here, entry.name)
                removed += 1
        return removed

    # -- failure --------------------------------------------------------------------------------------------

    def fail(self, root: int, place: Place, job: str, story: dict[str, object]) -> str:
        """Put sidecar, then original into `failed/`; returns the original's name there.

        Repeatable after a crash: a sidecar of this job is used again.
        """
        into = disk.make_folders(root, place.within("failed"), self.folder_mode)
        try:
            name = self._failed_name(into, place, job)
            beside = names.sidecar_name(name, job)
            if not disk.exists(into, beside):
                temporary = f".{job}.sidecar"
                disk.write_json(into, temporary, story, self.file_mode)
                disk.rename_noreplace(into, temporary, into, beside)
                disk.sync_folder(into)
        finally:
            disk.close(into)
        self._move_original(root, place, job, "failed", name)
        with disk.folder(root, place.within("failed")) as here:
            disk.set_mode(here, name, self.file_mode)
        return name

    def _failed_name(self, into: int, place: Place, job: str) -> str:
        def unusable(name: str) -> bool:
            beside = names.sidecar_name(name, job)
            if disk.exists(into, beside):
                return _sidecar_of(into, beside) != job
            return disk.exists(into, name)

        return _first_free(place.base, job, unusable)

    def forget_sidecar(self, root: int, place: Place) -> None:
        """The attempt is claimed: the sidecar of the one before goes, where its original is gone, too.

        A name that is too long for the suffix has a sidecar whose name was cut; it tells its file inside.
        """
        for top in ("failed", "inbox"):
            with contextlib.suppress(OSError), disk.folder(root, place.within(top)) as here:
                beside = names.sidecar_name(place.base, "")
                if disk.exists(here, place.base):
                    continue
                candidates = [beside]
                if not beside.startswith(place.base):
                    candidates = [one for one in disk.names_in(here) if one.endswith(SIDECAR)]
                for name in candidates:
                    if _sidecar_for(here, name, place.base):
                        disk.unlink(here, name)

    def is_own_sidecar(self, root: int, place: Place) -> bool:
        """Whether a drop is a sidecar that we wrote; such a file is never translated."""
        with contextlib.suppress(OSError), disk.folder(root, place.within("inbox")) as here:
            return _sidecar_of(here, place.base) is not None
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


def _first_free(base: str, job: str, taken: Callable[[str], bool]) -> str:
    number = 1
    while taken(name := names.fit(names.numbered(base, number), "", job)):
        number += 1
    return name


def _sidecar_for(folder: int, name: str, base: str) -> bool:
    try:
        return sidecar.is_for(disk.read_small(folder, name), base)
    except OSError:
        return False


def _sidecar_of(folder: int, name: str) -> str | None:
    """The job of a sidecar that we wrote; None for anything else."""
    try:
        return sidecar.job_of(disk.read_small(folder, name))
    except OSError:
        return None
