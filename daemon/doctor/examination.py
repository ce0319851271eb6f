"""The whole examination in order: configuration, daemon, folders, people, file systems, services."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import config as configuration
from daemon import detector as detectors
from daemon import disk
from daemon.clock import Clock
from daemon.config import Config
from daemon.detector import Detector
from daemon.doctor import disks, folders, machine, services
from daemon.doctor.findings import Area, Finding, Notebook
from daemon.errors import ConfigError, ShareAwayError
from daemon.folders import Folders
from daemon.journal import Identity
from daemon.setup import house, people

if TYPE_CHECKING:
    from daemon.settings import Secret


def examine(path: Path, clock: Clock) -> list[Finding]:
    """Try everything that a daemon over this configuration (an absolute path) will need.

    As root the folders are tried with the rights of the user that owns the state. Takes no lock, writes nothing
    but hidden files that are gone afterwards, and asks the services at no cost.
    """
    book = Notebook(Area.CONFIGURATION, "Configuration")
    with house.handed_over(path.parent):
        try:
            config = configuration.load(path, keys=False)
        except ConfigError as error:
            return _problems(book, error)
        missing = configuration.missing_keys(config)
        try:
            configuration.load(path)
        except ConfigError as error:
            others = [one for one in error.problems if one not in missing]
            if others:
                _problems(book, ConfigError(others))
        for warning in config.warnings:
            book.warning("file", warning, "It works, and it is not wise.")
        if not book.findings:
            count = len(config.providers)
            book.good("file", f"{path} is right: {count} provider{'' if count == 1 else 's'}", file=os.fspath(path))
        owner = _owner(config)
        with people.acting_as(owner) if owner else nullcontext():
            found = [*machine.try_daemon(config), *_places(config, clock)]
            closed = _closed_keys(config)
        return [*book.findings, *found, *services.try_services(config, clock, unreadable=closed.get)]


def _problems(book: Notebook, error: ConfigError) -> list[Finding]:
    for problem in error.problems:
        mend = "Mend that line; `babeldrop check` tries the file alone."
        if problem.line is None:
            mend = "Name another file with -c FILE, or mend this one; `babeldrop init` makes one."
        book.problem("file", str(problem), mend, line=problem.line)
    return book.findings


def _owner(config: Config) -> people.Who | None:
    """The user whose state it is: the daemon. None while there is no state, or nobody of that number."""
    try:
        state = disk.open_root(os.fspath(config.state))
    except OSError:
        return None
    try:
        return people.by_uid(disk.fstat(state).st_uid)
    finally:
        disk.close(state)


def _closed_keys(config: Config) -> dict[str, str]:
    """Why the user that asks cannot read files with keys; by provider."""
    found = {}
    for name, entry in config.providers.items():
        key: Secret | None = entry.api_key
        if key is not None and key.file is not None:
            try:
                key.read()
            except LookupError as error:
                found[name] = str(error.args[0])
    return found


def _places(config: Config, clock: Clock) -> list[Finding]:
    with _root(config) as (root, trouble):
        if root is None:
            return [*trouble, *disks.try_state(config, clock)]
        marked, identity = machine.try_marker(config, root)
        detector = _detector(config, identity) if identity else None
        tried, trials = folders.try_folders(config, root, detector, clock)
        return [
            *marked,
            *(machine.try_limits(root) if detector is None or detector.watches else []),
            *tried,
            *folders.try_people(config, root),
            *disks.try_root(config, root, detector, trials),
            *disks.try_state(config, clock),
        ]


def _detector(config: Config, identity: Identity) -> Detector | None:
    modes = config.outbox
    known = Folders(os.fspath(config.root), identity, file_mode=modes.file_mode, folder_mode=modes.folder_mode)
    try:
        return detectors.choose(config, known)
    except ShareAwayError:
        return None


@contextmanager
def _root(config: Config) -> Iterator[tuple[int | None, list[Finding]]]:
    """The root, or what is wrong with it."""
    book = Notebook(Area.FOLDERS, "Folders")
    path = os.fspath(config.root)
    try:
        root = disk.open_root(path)
    except FileNotFoundError:
        do = "Mount the share, or check `root:`; on a local disk `babeldrop init` or the first start makes it."
        book.problem("root", f"{path} is not there", do)
    except OSError as error:
        book.problem("root", f"{path} cannot be opened: {(error.strerror or '').lower()}", "Let the daemon's user in.")
    else:
        try:
            yield root, []
        finally:
            disk.close(root)
        return
    yield None, book.findings
