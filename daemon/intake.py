"""From drop to claimed: what lies in the inboxes, what rests, what is left alone, and the claim itself.

The scan is the truth. Everything kept between two scans is derived anew from each listing, so that nothing
"seen before" can hide a file; events only say which folder to look at now.
"""

import errno
import os
import secrets
from collections.abc import Collection
from typing import Any

from daemon import disk, formats, kernel, messages, moves, names
from daemon.clock import stamp
from daemon.desks import Desk
from daemon.folders import Place, Seen
from daemon.job import Job
from daemon.signs import Signs, Stop
from daemon.stability import (
    Lease,
    Reason,
    Resting,
    Settle,
    Signature,
    Take,
    TryLease,
    Verdict,
    Wait,
    judge,
    look,
)
from daemon.submission import CHANGED_REST_S, UNPROVEN_REST_S, vet
from daemon.workshop import Workshop, enter

_LONGEST = 3500
"""Bytes of a path below its language folder; the kernel takes 4095 for the whole."""
_NOT_NOW = kernel.FOR_NOW | {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EPERM}
"""Errors of an opening after which the next listing tells more: in trouble, gone, no plain file any more, or a
folder on the way became something else."""
WANTED = ("withdrawn", "too_late")
"""What is left alone because a person said so is no reason for a warning."""


class Intake:
    """Scans and claims; used by one thread at a time."""

    def __init__(self, shop: Workshop, settle: Settle, ignore: Collection[str]) -> None:
        self._shop = shop
        self._settle = settle
        self._ignore = tuple(ignore)
        self._resting: dict[Place, Resting] = {}
        self._first_seen: dict[Place, str] = {}
        self._why: dict[Place, str] = {}
        self._signs = Signs(shop)
        self._left: dict[tuple[str, str], dict[str, str]] = {}
        self._due: dict[tuple[str, str], float] = {}
        self._seen: set[Place] = set()
        self._claimed = 0
        self._last_id = 0
        self.scans = 0
        """How many times everything was looked at."""

    def scan(self, only: Collection[tuple[str, str]] | None, whole: Collection[str]) -> int:
        """Look at all language folders, or at `only` these and those where a rest ends; claim what is complete.

        `whole` are paths below the root of which an event said that they were renamed in. Returns how many
        were claimed. Raises ShareAwayError.
        """
        now = self._shop.clock.monotonic()
        self._claimed = 0
        with self._shop.folders.opened() as root:
            self._signs.look_above(root, self._shop.desks)
            if only is None:
                folders = self._folders(root)
            else:
                folders = sorted({*only, *(key for key, due in self._due.items() if due <= now)})
            for provider, folder in folders:
                desk = self._shop.desks.get(provider)
                if desk is not None and not names.never_touched(folder, self._ignore):
                    self._scan_folder(root, desk, folder, whole)
            self._forget_gone(None if only is None else set(folders))
        self.scans += only is None
        return self._claimed

    def next_look(self) -> float | None:
        """The monotonic moment when the first of what rests may be complete."""
        return min(self._due.values(), default=None)

    @property
    def resting(self) -> list[tuple[Place, Resting, str]]:
        """What rests, since when, and the code of why."""
        return [(place, rest, self._why.get(place, "")) for place, rest in list(self._resting.items())]

    @property
    def first_seen(self) -> str | None:
        """When the drop that has been here longest was first seen, however often it has changed since."""
        return min(list(self._first_seen.values()), default=None)

    @property
    def left(self) -> dict[str, str]:
        """What is left alone, by path below the root, and why."""
        return {path: messages.left_alone(code) for path, code in self.left_as.items()}

    @property
    def left_as(self) -> dict[str, str]:
        """The same with the codes of why, which `Texts.left_alone` has the words for."""
        return {path: why for folder in self._left.copy().values() for path, why in folder.items()}

    @property
    def stops(self) -> list[Stop]:
        """The folders that somebody holds with a file called STOP."""
        return self._signs.stops

    def _scan_folder(self, root: int, desk: Desk, folder: str, whole: Collection[str]) -> None:
        key = (desk.name, folder)
        self._due.pop(key, None)
        lying: list[Seen] = []
        for found in self._shop.folders.listing(root, desk.name, folder, self._ignore):
            if self._shop.stopping.is_set():
                return
            lying.append(found)
        self._signs.look_into(desk.name, folder, lying)
        left, soon = self._signs.take_back(desk, folder)
        if soon:
            self._due[key] = self._shop.clock.monotonic() + self._settle.quick_s
        for found in lying:
            if self._shop.stopping.is_set():
                return
            why = self._consider(root, desk, found, whole)
            if why is not None:
                left[found.place.path("inbox")] = why
        self._leave(key, left)

    # -- which folders --------------------------------------------------------------------------------------

    def _folders(self, root: int) -> list[tuple[str, str]]:
        """Every language folder of a known provider; what lies beside them stays, with one warning."""
        left: dict[str, str] = {}
        found = []
        for provider, entry in self._shop.folders.providers_and_languages(root):
            path = os.path.join("inbox", provider, entry.name)
            if any(names.never_touched(step, self._ignore) for step in (provider, entry.name)):
                continue
            if entry.stat is None:
                left[path] = "unreadable"
            elif entry.kind != "folder":
                left[path] = entry.kind if entry.kind in messages.LEFT_ALONE else "no_language"
            elif provider in self._shop.desks:
                found.append((provider, entry.name))
            elif not provider and entry.name not in self._shop.desks:
                left[path] = "no_provider"
        self._left = {key: one for key, one in self._left.items() if key in found}
        self._signs.keep_only(found)
        self._leave(("", ""), left)
        return found

    def _leave(self, folder: tuple[str, str], left: dict[str, str]) -> None:
        """Keep what is left alone in a folder for those who ask, and say it once."""
        before = self._left.get(folder, {})
        self._left[folder] = left
        for path, code in left.items():
            why = messages.left_alone(code)
            if not code.startswith(WANTED):
                self._shop.warn_once((path, why), "drop.ignored", path=names.shown(path), why=names.shown(why))
            elif before.get(path) != code:
                self._shop.log.info("drop.withdrawn", path=names.shown(path), why=names.shown(why))

    def _forget_gone(self, only: set[tuple[str, str]] | None) -> None:
        seen, self._seen = self._seen, set()
        for place in list(self._resting):
            if place not in seen and (only is None or (place.provider, place.folder) in only):
                self._drop(place)

    def _drop(self, place: Place) -> None:
        for memory in (self._resting, self._first_seen, self._why):
            memory.pop(place, None)

    # -- one entry ------------------------------------------------------------------------------------------

    def _consider(self, root: int, desk: Desk, found: Seen, whole: Collection[str]) -> str | None:
        """Look at one entry; why it is left alone, if that is to be told."""
        place, entry = found.place, found.entry
        if found.closed is not None:
            return f"unreadable: {found.closed}"
        if names.never_touched(entry.name, self._ignore) or entry.stat is None:
            return None
        odd = self._odd(place, entry)
        if odd is not None:
            return odd
        sign = self._signs.withdraws(place)
        if sign is not None:
            return f"withdrawn: {sign}"
        if entry.name.endswith(moves.SIDECAR) and self._shop.folders.is_own_sidecar(root, place):
            return None
        return self._rest(root, desk, place, signature_of(entry.stat), arrived=place.path("inbox") in whole)

    def _rest(self, root: int, desk: Desk, place: Place, signature: Signature, *, arrived: bool) -> str | None:
        """Let a drop rest, or claim it; why it cannot be moved, if so."""
        now = self._shop.clock.monotonic()
        rest = look(self._resting.get(place), signature, now, arrived_whole=arrived)
        self._seen.add(place)
        self._resting[place] = rest
        self._first_seen.setdefault(place, stamp(self._shop.clock.now()))
        if self._signs.holds(place):
            self._why[place] = "folder.stopped"
            return None
        verdict = judge(rest, now, settle=self._settle, lease=None, shows_end=None)
        trouble = None
        if isinstance(verdict, TryLease):
            verdict, trouble = self._try(root, desk, place, rest)
        if isinstance(verdict, Wait):
            self._why[place] = verdict.reason.value
            folder = (place.provider, place.folder)
            self._due[folder] = min(self._due.get(folder, verdict.until), verdict.until)
        return trouble

    @staticmethod
    def _odd(place: Place, entry: disk.Entry) -> str | None:
        if entry.kind == "folder" or len(os.fsencode(place.name)) > _LONGEST:
            return "deep"
        if entry.kind != "file":
            return entry.kind
        assert entry.stat is not None
        return "linked" if entry.stat.st_nlink > 1 else None

    def _try(self, root: int, desk: Desk, place: Place, rest: Resting) -> tuple[Verdict, str | None]:
        """Open the drop, take the lease, look at its end; claim it while the lease holds writers off.

        Returns the verdict, and why the drop cannot be moved.
        """
        shop = self._shop
        try:
            descriptor = disk.open_file(root, place.path("inbox"))
        except OSError as error:
            if error.errno in _NOT_NOW:
                return Wait(shop.clock.monotonic() + self._settle.slow_s, Reason.SETTLING), None
            # Not ours to read: the claim needs no reading, and the sidecar will say what is wrong.
            descriptor = -1
        try:
            lease, ends = Lease.UNAVAILABLE, None
            if descriptor >= 0:
                lease = Lease(kernel.take_lease(descriptor))
                ends = _shows_end(place.base, rest.signature.size, descriptor)
            verdict = judge(rest, shop.clock.monotonic(), settle=self._settle, lease=lease, shows_end=ends)
            trouble = self._claim(root, desk, place, rest, verdict) if isinstance(verdict, Take) else None
            return verdict, trouble
        finally:
            if descriptor >= 0:
                kernel.release_lease(descriptor)
                disk.close(descriptor)

    # -- claim ----------------------------------------------------------------------------------------------

    def _claim(self, root: int, desk: Desk, place: Place, rest: Resting, verdict: Take) -> str | None:
        """Take a drop that is complete; why it cannot be moved, if so."""
        shop = self._shop
        if self._signs.came(root, place):
            # The next look at the folder says what it means.
            self._due[place.provider, place.folder] = shop.clock.monotonic() + self._settle.quick_s
            return None
        job_id = self._new_id()
        try:
            after = shop.folders.claim(root, place, job_id)
        except FileNotFoundError:
            self._drop(place)
            return None
        except OSError as error:
            return f"immovable: {error.strerror}"
        self._claimed += 1
        local = self._settle.lease_counts
        shown = signature_of(after.stat) if after.stat else rest.signature
        changed = 0.0
        if after.stat is None or not rest.signature.survived_rename(shown, by_inode=local):
            changed = CHANGED_REST_S if local else UNPROVEN_REST_S
        self.take_in(desk, place, job_id, shown, self._first_seen[place], rest_s=changed)
        shop.folders.forget_sidecar(root, place, shop.is_alive)
        if verdict.warning:
            shop.log.warning("drop.odd", job=job_id, file=names.shown(place.name), why=verdict.warning)
        self._drop(place)
        return None

    def take_in(
        self, desk: Desk, place: Place, job: str, shown: Signature, dropped_at: str, *, rest_s: float = 0.0
    ) -> None:
        """Record a claimed file as a job and let it go its way; at once to `failed/` when it cannot be sent."""
        shop = self._shop
        claimed = self.record(place, job, shown, dropped_at)
        refusal = vet(desk, claimed, claimed.size) if not rest_s else None
        if refusal is not None:
            shop.fail(claimed, refusal, "claim")
        elif rest_s:
            shop.put(desk.lanes.submit, job, rest_s, "drop.changing")
        else:
            enter(shop, claimed)

    def record(self, place: Place, job: str, shown: Signature, dropped_at: str) -> Job:
        """The event of a claim; the rename has been made before."""
        return self._shop.journal.append(job, "claimed", **claim_facts(place, shown, dropped_at))

    def _new_id(self) -> str:
        """Ids of one process rise strictly, so that jobs keep the order of their claims."""
        now_ms = int(self._shop.clock.now().timestamp() * 1000)
        self._last_id = max(now_ms, self._last_id + 1)
        return names.job_id(self._last_id, secrets.randbits(30))


def claim_facts(place: Place, shown: Signature, dropped_at: str) -> dict[str, Any]:
    """What the event of a claim says."""
    return {
        "provider": place.provider,
        "folder": place.folder,
        "name": place.name,
        "size": shown.size,
        "mtime_ns": shown.mtime_ns,
        "inode": shown.inode,
        "dropped_at": dropped_at,
    }


def _shows_end(name: str, size: int, descriptor: int) -> bool | None:
    """`formats.shows_end` of an open drop; a file that cannot be read shows nothing."""
    try:
        return formats.shows_end(
            names.extension(name), size, lambda offset, length: disk.read(descriptor, length, offset)
        )
    except OSError:
        return None


def signature_of(found: os.stat_result) -> Signature:
    """What a file's stat says about whether it is still the same."""
    return Signature(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
