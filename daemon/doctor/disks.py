"""The file systems of root and state: which they are, what they can do, how much room there is, and their clock."""

import os
import secrets

from daemon import disk, kernel
from daemon.clock import Clock
from daemon.config import Config
from daemon.detector import Detector
from daemon.doctor.findings import Area, Finding, Notebook
from daemon.doctor.trials import PREFIX, Trial, attempt

_SECTION = "File system"
_TIGHT, _TOO_LITTLE = 1_000_000_000, 100_000_000
_SKEW_S = 5.0


def try_root(config: Config, root: int, detector: Detector | None, trials: list[Trial]) -> list[Finding]:
    """What the root's file system is and can do; `trials` are those of its folders."""
    book = Notebook(Area.FOLDERS, _SECTION)
    path = os.fspath(config.root)
    kind = kernel.file_system(path)
    where = "on the network" if kernel.is_network(kind) else "local"
    if detector is not None:
        told = detector.told
        events = "events and " if detector.watches else ""
        what = f"{kind}, {where}: drops are noticed by {events}a search every {told['scan_s']:g} s"
        what += f", and taken when they have rested for {told['settle']} ({told['why']})"
        book.good("root", what, file_system=kind, network=kernel.is_network(kind), detector=dict(told))
    else:
        book.good("root", f"{kind}, {where}", file_system=kind, network=kernel.is_network(kind), detector=None)
    _renames(book, root)
    if detector is not None and detector.settle.lease_counts:
        _leases(book, trials, detector.settle.slow_s, chosen=config.watch.settle != "auto")
    _room(book, "room for people's files", root)
    _clocks(book, [trial.ahead_s for trial in trials if not trial.step])
    return book.findings


def try_state(config: Config, clock: Clock) -> list[Finding]:
    """Whether the daemon can keep its records: a local disk, its own, with room."""
    book = Notebook(Area.FOLDERS, _SECTION)
    path = os.fspath(config.state)
    try:
        state = disk.open_root(path)
    except FileNotFoundError:
        do = "Run `babeldrop init`, or make it for the daemon's user with mode 0700."
        book.warning("state", f"{path} is not there yet; the first start makes it if it may", do)
        return book.findings
    except OSError as error:
        do = "Make it a folder of the daemon's user, with mode 0700."
        book.problem("state", f"{path} cannot be opened: {(error.strerror or '').lower()}", do)
        return book.findings
    try:
        kind = kernel.file_system(path)
        trial = attempt(state, ".", ".", clock)
        if kernel.is_network(kind):
            do = "Put `state:` on a local disk; only what people see may be on the network."
            book.problem("state", f"{path} is on {kind}, a network file system", do, file_system=kind)
        elif trial.step:
            book.problem("state", f"cannot {trial.step} a file in {path}: {trial.why}", trial.do, file_system=kind)
        else:
            what = f"{kind}, local: a file was made, synced, renamed and removed in {path}"
            book.good("state", what, file_system=kind, seconds=round(trial.seconds, 4))
        _room(book, "room for results under way", state)
    finally:
        disk.close(state)
    return book.findings


def _renames(book: Notebook, root: int) -> None:
    """Whether a name can be given without ever taking somebody else's, in one step."""
    if kernel.native is None:
        return
    names = [f"{PREFIX}{secrets.token_hex(6)}" for _ in range(2)]
    try:
        with disk.folder(root, "processing") as here:
            try:
                disk.close(disk.create_file(here, names[0], 0o600))
                # Tried with a file that is there: of others the kernel never asks the file system.
                kernel.native.rename_noreplace(here, names[0], here, names[1])
            finally:
                for name in names:
                    disk.unlink(here, name)
    except OSError as error:
        # Any other trouble the folder's own trial has told.
        if error.errno in kernel.MISSING:
            what = "it cannot rename without replacing in one step; a second name, or a look before it, has to do"
            do = "Let nobody but the daemon write into outbox/ and archive/, or use another file system."
            book.warning("renaming", what, do, one_step=False)
    else:
        book.good("renaming", "new names are given in one step, and never take another file's", one_step=True)


def _leases(book: Notebook, trials: list[Trial], rest_s: float, *, chosen: bool) -> None:
    """`rest_s` is how long a drop rests of which nobody can prove that it is complete; somebody may have chosen it."""
    told = [trial.lease for trial in trials if trial.lease]
    if "proven" not in told:
        what = "not there: whether a program still writes to a file is judged by time alone"
    elif not kernel.leases_for_others():
        what = "there for the daemon's own files alone: what other people still write to is judged by time"
    else:
        book.good("read leases", "there: a program that still writes to a file is noticed", leases=True)
        return
    what += f", {rest_s:g} s of rest"
    if chosen:
        book.good("read leases", what, leases=False)
    elif told:
        do = "Where people's copies may pause longer than that, set watch.settle, to 30s for instance; otherwise half"
        book.warning("read leases", what, f"{do} a text may be sent (docs/shares.md says more).", leases=False)


def _room(book: Notebook, subject: str, folder: int) -> None:
    free, whole = disk.room(folder)
    facts = {"free_bytes": free, "whole_bytes": whole}
    if whole == 0:
        book.warning(subject, "the file system does not say how much there is", "Look at its server.", **facts)
    elif free < _TOO_LITTLE:
        book.problem(subject, f"{free / 1e6:,.0f} MB", "Make room: below 100 MB files soon cannot be taken.", **facts)
    elif free < _TIGHT:
        book.warning(subject, f"{free / 1e6:,.0f} MB", "Make room; below 1 GB one long video fills it.", **facts)
    else:
        book.good(subject, f"{free / 1e9:,.1f} GB of {whole / 1e9:,.0f} GB", **facts)


def _clocks(book: Notebook, ahead: list[float]) -> None:
    if not ahead:
        return
    # One may have been slow; the least of them is the clocks' own.
    skew = min(ahead, key=abs)
    if abs(skew) > _SKEW_S:
        which = "ahead of" if skew > 0 else "behind"
        what = f"the share's clock is {abs(skew):,.0f} s {which} this machine's"
        do = "Let both take the time from one server (chrony, systemd-timesyncd). Drops are taken all the same."
        book.warning("clock", what, do, ahead_s=round(skew, 3))
    else:
        book.good("clock", "the share and this machine agree", ahead_s=round(skew, 3))
