"""What `init` makes on the disk. Everything may be repeated: what is there already is left as it is, and said.

The folders that people see, and the daemon's own records, are made by the user that the daemon will be: a share
may let nobody else in, root least of all.
"""

import contextlib
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon import config as configuration
from daemon import disk, kernel
from daemon.clock import SystemClock
from daemon.config import Config
from daemon.errors import ConfigError, Problem
from daemon.ownership import open_house
from daemon.providers import KINDS
from daemon.settings import Secret
from daemon.setup import notes
from daemon.setup.answers import Answers, key_file
from daemon.setup.configuration import render
from daemon.setup.people import Who, acting_as

_ROOT_MODE = 0o2755
"""People come through it; what it holds is the daemon's. The 2 hands the group down."""
_NOTE_MODE = 0o644
_TOPS = ("inbox", "outbox", "failed", "archive")


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that is there now; `made`: by us, just now. None: it is still to come."""

    what: str
    made: bool | None


# -- configuration and keys -------------------------------------------------------------------------------------


def make_keys(answers: Answers, who: Who) -> Iterator[Done]:
    """Put typed keys into their places, for the daemon's eyes alone. Raises OSError."""
    for entry in answers.entries:
        path = key_file(answers.folder, entry.key) if entry.key else None
        if entry.key and entry.typed and path is not None:
            if path.parent != answers.folder and not path.parent.exists():
                path.parent.mkdir(mode=0o700)
            # systemd hands a credential over itself, so nobody but root needs to read it.
            owner = None if entry.key.credential else who
            yield Done(
                f"{path} (the key of {entry.name})", _write_new(path, entry.typed.encode() + b"\n", 0o600, owner)
            )


def uses_credentials(config: Config) -> bool:
    """Whether a key comes from systemd alone."""
    keys: list[Secret | None] = [entry.api_key for entry in config.providers.values()]
    return any(key is not None and key.credential for key in keys)


def keys_to_come(folder: Path, config: Config) -> list[tuple[str, str]]:
    """For each key that cannot be read yet, what to do in words and as a command."""
    found = []
    for name, entry in config.providers.items():
        # A kind that signs in otherwise has none.
        key: Secret | None = entry.api_key
        if key is None or _is_there(folder, key):
            continue
        path = key_file(folder, key)
        if path is None:
            words = f"Put {key.env}=KEY of {name} into {folder / 'environment'} (the service reads it), mode 0600."
            found.append((words, ""))
        else:
            # A credential is root's until systemd hands it over.
            owner = f"-o {Path(config.state).owner()} " if key.file and os.geteuid() == 0 else ""
            command = f"install -D -m 0600 {owner}/dev/stdin {shlex.quote(str(path))}"
            found.append((f"Give {name} its key: paste it, Enter, Ctrl-D.", command))
    return found


def _is_there(folder: Path, key: Secret) -> bool:
    with handed_over(folder):
        try:
            key.read()
        except LookupError:
            return False
    return True


@contextlib.contextmanager
def handed_over(folder: Path) -> Iterator[None]:
    """Let credentials be found where systemd will take them from, unless it has handed some over already."""
    waiting = folder / "credentials"
    if os.environ.get("CREDENTIALS_DIRECTORY") or not waiting.is_dir():
        yield
        return
    os.environ["CREDENTIALS_DIRECTORY"] = str(waiting)
    try:
        yield
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]


def checked(path: Path) -> tuple[Config, list[Problem]]:
    """A configuration that `check` takes, but for keys that are not in their places yet: those are told besides.

    Raises ConfigError with everything else that is wrong.
    """
    with handed_over(path.parent):
        config = configuration.load(path, keys=False)
        missing = configuration.missing_keys(config)
        try:
            configuration.load(path)
        except ConfigError as error:
            others = [problem for problem in error.problems if problem not in missing]
            if others:
                raise ConfigError(others) from None
        return config, missing


@contextlib.contextmanager
def drafted(answers: Answers, who: Who) -> Iterator[Path]:
    """The configuration under another name, in its folder; it goes again unless `settle` has named it."""
    draft = answers.folder / f".{answers.config.name}.new"
    draft.unlink(missing_ok=True)
    _write_new(draft, render(answers).encode(), 0o640 if os.geteuid() == 0 else 0o600, None, group=who.gid)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def settle(draft: Path, path: Path) -> None:
    """Give the draft its name. Raises FileExistsError when somebody has made one meanwhile."""
    folder = disk.open_root(os.fspath(path.parent))
    try:
        disk.rename_noreplace(folder, draft.name, folder, path.name)
        disk.sync_folder(folder)
    finally:
        disk.close(folder)


def make_unit(path: Path, text: str) -> Done:
    """The unit beside the configuration."""
    return Done(os.fspath(path), _write_new(path, text.encode(), 0o644, None))


def _write_new(path: Path, data: bytes, mode: int, owner: Who | None, group: int | None = None) -> bool:
    """A new file, whole and durable; False when there is one of that name already."""
    folder = disk.open_root(os.fspath(path.parent))
    try:
        descriptor = disk.create_file(folder, path.name, mode)
    except FileExistsError:
        disk.close(folder)
        return False
    try:
        if os.geteuid() == 0:
            os.chown(descriptor, owner.uid if owner else -1, owner.gid if owner else -1 if group is None else group)
        disk.write(descriptor, data)
        disk.sync(descriptor)
        disk.sync_folder(folder)
    finally:
        disk.close(descriptor)
        disk.close(folder)
    return True


# -- root and state ---------------------------------------------------------------------------------------------


def furnish(config: Config, who: Who) -> Iterator[Done]:
    """Root with marker, folders and notes, and the state that owns them. Raises StateError and OSError."""
    root, state = Path(config.root), Path(config.state)
    yield Done(f"{state} (the daemon's records)", _make_top(state, 0o700, who, who.gid))
    yield Done(
        f"{root} (what people see)", _make_top(root, _ROOT_MODE, who, who.gid if who.share is None else who.share)
    )
    with acting_as(who):
        wanted = [f"{top}" for top in (*_TOPS, "processing")]
        wanted += [
            f"inbox/{name}{below}" for name, entry in config.providers.items() for below in _below(entry.languages)
        ]
        new = [path for path in wanted if not (root / path).exists()]
        if not kernel.is_locked(os.path.join(state, "lock")):
            house = open_house(config, SystemClock(), take_over=False)
            try:
                house.folders.create({name: entry.languages for name, entry in config.providers.items()})
            finally:
                house.close()
        there = [path for path in wanted if (root / path).exists()]
        for path in there:
            if path in new and path != "processing":
                _share(root / path, who, config.outbox.folder_mode)
            yield Done(f"{root / path}/", path in new)
        yield from _notes(config)
    # A daemon that is at work makes them itself, once it has read what the configuration says now.
    for path in [path for path in wanted if path not in there]:
        yield Done(f"{root / path}/: by the daemon, after `systemctl reload babeldrop`; then run this again", None)


def _below(languages: list[str]) -> list[str]:
    return ["", *(f"/{language}" for language in languages)]


def _make_top(path: Path, mode: int, who: Who, group: int) -> bool:
    """A folder that the administrator named, the daemon's own; one that is there stays as it is."""
    if path.is_dir():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700)
    if os.geteuid() == 0 or group != path.stat().st_gid:
        os.chown(path, who.uid if os.geteuid() == 0 else -1, group)
    path.chmod(mode)
    return True


def _share(path: Path, who: Who, mode: int) -> None:
    """Hand a new folder to the share's group; a share that keeps no groups says what it says."""
    if who.share is None or not path.is_dir() or path.stat().st_gid == who.share:
        return
    with contextlib.suppress(PermissionError):
        os.chown(path, -1, who.share)
        path.chmod(mode)


def _notes(config: Config) -> Iterator[Done]:
    """The note in each language folder that has none yet."""
    for name, entry in config.providers.items():
        kind = KINDS[entry.kind]
        extensions = kind.facts(entry).extensions
        for folder in entry.languages:
            text = notes.note(
                config.language,
                provider=name,
                folder=folder,
                title=kind.title,
                extensions=extensions,
                page=config.status_page,
            )
            path = Path(config.root, "inbox", name, folder, notes.NAME)
            if path.parent.is_dir():
                yield Done(os.fspath(path), _write_new(path, text, _NOTE_MODE, None))


def folder_ready(folder: Path) -> bool:
    """Make the folder of the configuration; says whether it was new. Raises OSError."""
    new = not folder.is_dir()
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return new
