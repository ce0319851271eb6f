"""Is a drop complete? Decided from what a listing shows and what time it is; nothing here looks or waits.

No proof is enough alone, so several have to agree: size, times and inode rest for a while, no program has the
file open for writing (a read lease can be taken), and a format that shows its own end shows it.

    look      what the listing shows now, and since when it has looked like that
    judge     Wait until a moment, TryLease and ask again, or Take
"""

from dataclasses import dataclass, replace
from enum import Enum


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when somebody writes to a file, or puts another one in its place."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def survived_rename(self, after: "Signature", *, by_inode: bool) -> bool:
        """Whether it is still the same file; a rename itself changes the ctime on most file systems.

        `by_inode`: whether a file keeps its inode number there; some network file systems give new ones.
        """
        same = (self.size, self.mtime_ns) == (after.size, after.mtime_ns)
        return same and (self.inode == after.inode or not by_inode)


@dataclass(frozen=True, slots=True)
class Resting:
    """A signature and the monotonic second when it was first seen.

    `arrived_whole`: an event said that the file was renamed into the folder. That holds for this signature.
    """

    signature: Signature
    since: float
    arrived_whole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Settle:
    """How long a drop rests, in seconds, before it counts as complete.

    `quick_s` needs a lease at its end, `slow_s` is for where there is none. `end_s` is the further rest of a
    format that does not show its end, `empty_s` the least rest of a file with nothing in it. `lease_counts`
    is false on network file systems: writers on other machines do not show in a lease.
    """

    quick_s: float = 1.0
    slow_s: float = 5.0
    end_s: float = 60.0
    empty_s: float = 60.0
    lease_counts: bool = True

    @classmethod
    def on(cls, *, network: bool, late: bool = False, override_s: float | None = None) -> "Settle":
        """For a kind of file system; `late`: it shows sizes that are up to 20 s old. `override_s` is `watch.settle`:
        the rest with a lease and without.
        """
        slow_s = (25.0 if late else 10.0) if network else 5.0
        if override_s is None:
            return cls(slow_s=slow_s, lease_counts=not network)
        return cls(quick_s=override_s, slow_s=override_s, lease_counts=not network)


class Lease(Enum):
    """What an attempt to take a read lease told."""

    PROVEN = "proven"
    """Taken: no program on this machine has the file open for writing."""
    BUSY = "busy"
    """Refused: one has."""
    UNAVAILABLE = "unavailable"
    """Not our file, or the file system has no leases."""


class Reason(Enum):
    """Why a drop is not taken yet; the sentences for these codes are in `texts`."""

    SETTLING = "settling"
    EMPTY = "empty"
    OPEN = "open"
    NO_END = "no_end"


@dataclass(frozen=True, slots=True)
class Take:
    """Complete, as far as anybody can tell; `warning` names the proof that is missing."""

    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at the monotonic moment `until`, or when something changes."""

    until: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class TryLease:
    """Rested long enough to be opened: try the lease, see whether the end shows, ask again holding it."""


Verdict = Take | Wait | TryLease


def look(before: Resting | None, signature: Signature, now: float, *, arrived_whole: bool = False) -> Resting:
    """The rest goes on while nothing changes; any change starts it anew.

    Times are compared for equality alone, so a file from the future or from 1970 rests like any other.
    """
    if before is None or before.signature != signature:
        return Resting(signature, now, arrived_whole)
    return replace(before, arrived_whole=True) if arrived_whole else before


def judge(resting: Resting, now: float, *, settle: Settle, lease: Lease | None, shows_end: bool | None) -> Verdict:
    """What to do with a drop now.

    Ask with `lease=None` first. On TryLease ask again with what the attempt told and with `formats.shows_end`
    of the file (None: the format has no visible end). Nothing is taken without an attempt, whatever the time:
    a file that is open for writing rests until it is closed.
    """
    if lease is None:
        return _rested(resting, now, _shortest(resting, settle)) or TryLease()
    if lease is Lease.BUSY:
        return Wait(now + settle.quick_s, Reason.OPEN)
    proven = lease is Lease.PROVEN and settle.lease_counts
    rest_s = _shortest(resting, settle) if proven else max(settle.slow_s, _shortest(resting, settle))
    waiting = _rested(resting, now, rest_s)
    if waiting is not None:
        return waiting
    if shows_end is not False or resting.signature.size == 0:
        return Take()
    missing = resting.since + rest_s + settle.end_s
    if now < missing:
        return Wait(missing, Reason.NO_END)
    return Take("The document does not show its end; it may be incomplete.")


def _shortest(resting: Resting, settle: Settle) -> float:
    """The rest that would do if a lease can be taken."""
    with_lease_s = 0.0 if resting.arrived_whole else settle.quick_s
    rest_s = with_lease_s if settle.lease_counts else settle.slow_s
    return rest_s if resting.signature.size else max(rest_s, settle.empty_s)


def _rested(resting: Resting, now: float, rest_s: float) -> Wait | None:
    until = resting.since + rest_s
    if now >= until:
        return None
    return Wait(until, Reason.SETTLING if resting.signature.size else Reason.EMPTY)
