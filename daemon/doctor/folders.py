"""The root's folders: whether the daemon can work in each, whether events arrive, and what people may do."""

import os
import stat
import threading
from collections.abc import Iterator
from typing import Self

from daemon import disk
from daemon.clock import Clock
from daemon.config import Config
from daemon.detector import Detector
from daemon.doctor.findings import Area, Finding, Notebook
from daemon.doctor.trials import Trial, attempt
from daemon.setup.people import group_name
from daemon.watcher import Hints, Watcher

_PATIENCE_S = 2.0
# From which folder a file comes into each of these.
_COURSES = (("processing", "processing"), ("outbox", "outbox"), ("processing", "failed"), ("processing", "archive"))
_READ, _WRITE, _ENTER = 4, 2, 1


def inboxes(config: Config) -> Iterator[tuple[str, str]]:
    """(provider, language) of every folder that the configuration names."""
    return ((name, language) for name, entry in config.providers.items() for language in entry.languages)


class Ears:
    """Listens for the kernel's events over the inboxes, as the daemon does."""

    def __init__(self, root: str) -> None:
        self._told = threading.Event()
        self._hints = Hints(root, self._told.set)
        self._watcher = Watcher(self._hints, root)
        self._heard: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        self.trouble = self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.stop()

    def hears(self, folder: tuple[str, str]) -> bool:
        """Whether something was told of a folder, now or within a moment."""
        while True:
            self._told.clear()
            folders, _ = self._hints.take()
            # More than could be kept, or from above: a daemon would look everywhere.
            if folders is None or folder in self._heard | folders:
                return True
            self._heard |= folders
            if not self._told.wait(_PATIENCE_S):
                return False


def try_folders(
    config: Config, root: int, detector: Detector | None, clock: Clock
) -> tuple[list[Finding], list[Trial]]:
    """Do in each folder what the daemon will do there; also returns what was learned on the way."""
    book = Notebook(Area.FOLDERS, "Folders")
    trials = []
    listens = detector is not None and detector.watches
    with Ears(os.fspath(config.root)) as ears:
        if listens and ears.trouble:
            do = "Raise fs.inotify.max_user_watches (sysctl); until then the regular search finds drops, later."
            book.warning("inbox", ears.trouble, do)
            listens = False
        for folder in inboxes(config):
            path = os.path.join("inbox", *folder)
            trial = attempt(root, path, "processing", clock)
            trials.append(trial)
            _tell(book, path, trial, heard=ears.hears(folder) if listens and not trial.step else None)
    for first, then in _COURSES:
        trial = attempt(root, first, then, clock)
        trials.append(trial)
        _tell(book, then, trial, heard=None)
    return book.findings, trials


def _tell(book: Notebook, path: str, trial: Trial, *, heard: bool | None) -> None:
    facts = {"path": path, "seconds": round(trial.seconds, 4), "event": heard, "failed_step": trial.step or None}
    if trial.missing:
        book.warning(path, trial.why, trial.do, **facts)
    elif trial.step:
        book.problem(path, f"cannot {trial.step} a file there: {trial.why}", trial.do, **facts)
    elif heard is False:
        do = "Nothing has to be done: the regular search finds drops, up to `watch.rescan` later."
        book.warning(path, "files can be made, moved and removed, but no event tells of them", do, **facts)
    else:
        event = ", and an event tells of it" if heard else ""
        book.good(path, f"a file was made, synced, moved and removed{event}", **facts)


# -- people -----------------------------------------------------------------------------------------------------


def try_people(config: Config, root: int) -> list[Finding]:
    """What the modes let people do: those in the inboxes' group, and everybody else on this machine."""
    book = Notebook(Area.FOLDERS, "People")
    found = disk.lstat(root, "inbox")
    if found is None:
        return []
    group = found.st_gid
    drops = [os.path.join("inbox", *folder) for folder in inboxes(config)]
    for member, who in ((True, f"members of the group {group_name(group)}"), (False, "everybody else")):
        may = _Rights(root, group, member=member)
        facts = {
            "drop": all(may.use(path, _WRITE | _ENTER) for path in drops),
            "take_results": may.use("outbox", _READ | _ENTER),
            "retry": may.use("failed", _WRITE | _READ | _ENTER),
            "look_into_processing": may.use("processing", _READ) or may.use("processing", _ENTER),
        }
        _tell_rights(book, who, facts, member=member)
    results = config.outbox.file_mode
    if not results & 0o040:
        mode = f'"{results:04o}"'
        book.warning("results", f"outbox.file_mode {mode} keeps the group from reading them", 'Use "0664" or "0640".')
    return book.findings


class _Rights:
    """What a person's rights would be, by the modes of the root and of the folders below it alone."""

    def __init__(self, root: int, group: int, *, member: bool) -> None:
        self._root = root
        self._group = group
        self._member = member

    def use(self, path: str, wanted: int) -> bool:
        """Whether a folder can be reached, and used in all of these ways."""
        steps = path.split("/")
        above = ["", *("/".join(steps[:number]) for number in range(1, len(steps)))]
        return all(self._bits(one) & _ENTER for one in above) and self._bits(path) & wanted == wanted

    def _bits(self, path: str) -> int:
        found = disk.lstat(self._root, path) if path else disk.fstat(self._root)
        if found is None:
            return 0
        mode = stat.S_IMODE(found.st_mode)
        return (mode >> 3 if self._member and found.st_gid == self._group else mode) & 0o7


def _tell_rights(book: Notebook, who: str, facts: dict[str, bool], *, member: bool) -> None:
    words = {"drop": "drop files", "take_results": "take results", "retry": "take files out of failed/ to try again"}
    can = [words[name] for name in words if facts[name]]
    cannot = [words[name] for name in words if not facts[name]]
    said = f"may {_listed(can)}" if can else "may neither drop files nor take results"
    said += f", but not {_listed(cannot, 'or')}" if can and cannot else ""
    if facts["look_into_processing"]:
        book.warning(who, f"{said}; they may also look into processing/", "chmod 0700 processing", **facts)
    elif member and cannot:
        do = "Let the group in: chmod 2775 for each folder below inbox, outbox and failed, and 2755 for the root."
        book.warning(who, f"{said}, by the modes seen here", f"{do} A file server may have rules of its own.", **facts)
    else:
        book.good(who, f"{said}; processing/ is closed to them", **facts)


def _listed(words: list[str], joiner: str = "and") -> str:
    return f" {joiner} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
