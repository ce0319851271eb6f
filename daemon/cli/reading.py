"""What the reading commands look at: configuration, lock, `status.json`, journal, and the root from outside.

Nothing here needs a running daemon, and nothing here changes anything. Heavy libraries stay out: of a
provider's entry only what every kind has in common is read, so no adapter is imported.
"""

import json
import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from daemon import config as configuration
from daemon import disk, journal, kernel, records
from daemon.cli import words
from daemon.cli.running import DEFAULT
from daemon.clock import SystemClock, moment
from daemon.config import Config
from daemon.config_checks import Origin
from daemon.errors import ConfigError, StateError
from daemon.job import IllegalMoveError, Job
from daemon.settings import ProviderSettings, Secret

_STATUS = "status.json"
# Also in a file that is no YAML any more: the one line that says where the daemon's own view lies.
_STATE_LINE = re.compile(r"""^state:[ \t]+(["']?)(?P<path>/[^"'#\n]*?)\1[ \t]*(?:#.*)?$""", re.MULTILINE)


class _AnyEntry(ProviderSettings):
    """What every kind has in common; keys of single kinds are none of a reader's business."""

    model_config = ConfigDict(extra="ignore")

    base_url: str = "https://localhost"


class _AnyKind(Mapping[str, type[ProviderSettings]]):
    """Takes every kind for one it knows: whether it is one, `check` says."""

    def __getitem__(self, kind: str) -> type[ProviderSettings]:
        return _AnyEntry

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One look at a daemon from outside.

    `live` is `status.json` as the process that runs now has written it, None when none runs or it has not
    come to that yet; `noted` is when any process last wrote one.
    """

    config: Config
    now: datetime
    running: bool
    live: Mapping[str, Any] | None
    noted: datetime | None
    titles: Mapping[str, str]
    """The services' names by provider, as any process has told them."""
    told: Mapping[str, Any] | None = None
    """`status.json` of whatever process wrote it last, also of one that is gone."""
    mistakes: str = ""
    """What is wrong with the configuration file, where a daemon goes on that has read it before that."""

    @property
    def root(self) -> str:
        return os.fspath(self.config.root)

    @property
    def state(self) -> str:
        return os.fspath(self.config.state)

    def title(self, provider: str) -> str:
        """The service's name as people write it, else the name of the entry."""
        return self.titles.get(provider, f"“{provider}”")

    def command(self, verb: str, path: str) -> str:
        """A command as it can be copied, for a path below the root."""
        file = self.config.origin.file
        known = file in (os.fspath(DEFAULT), os.environ.get("BABELDROP_CONFIG"))
        named = "" if known else f" -c {words.quoted(file)}"
        return f"babeldrop {verb}{named} {words.quoted(path)}"

    def account(self, provider: str) -> Mapping[str, Any] | None:
        """How the account of a provider stands, as far as a living process tells."""
        rows = (self.live or {}).get("accounts", [])
        return next((row for row in rows if provider in row["providers"]), None)


def load(path: Path) -> Config:
    """The configuration, as far as all kinds have it in common. Raises ConfigError."""
    return configuration.load(path, kinds=_AnyKind(), keys=False)


def look(path: Path, now: datetime | None = None) -> Scene:
    """Look at the daemon of a configuration, by its own word where the file has mistakes by now.

    Raises ConfigError (no daemon runs that has read the file before) and StateError.
    """
    mistakes = ""
    try:
        config = load(path)
    except ConfigError as error:
        mistakes = f"{error.problems[0]}; `babeldrop check` tells everything that is wrong."
        config = _as_it_runs(path, error)
    state = os.fspath(config.state)
    running, written, of_this_process = _told(state)
    return Scene(
        config=config,
        now=now or SystemClock().now(),
        running=running,
        live=written if running and of_this_process else None,
        noted=moment(written["at"]) if written else None,
        titles=written.get("titles", {}) if written else {},
        told=written,
        mistakes=mistakes,
    )


def _as_it_runs(path: Path, mistakes: ConfigError) -> Config:
    """What the daemon itself tells of a configuration that cannot be read. Raises ConfigError when none runs."""
    try:
        found = _STATE_LINE.search(disk.read_own(os.fspath(path)).decode("utf-8-sig"))
    except (OSError, ValueError):
        raise mistakes from None
    running, written, of_this_process = _told(found["path"]) if found else (False, None, False)
    if found is None or not running or written is None or not of_this_process:
        raise mistakes
    known = {
        "root": written["root"],
        "state": found["path"],
        "providers": {name: _AnyEntry(kind=name, api_key=Secret(value="-")) for name in written["titles"]},
    }
    return Config.model_validate(known, context=Origin(os.fspath(path)))


def _told(state: str) -> tuple[bool, dict[str, Any] | None, bool]:
    """Whether a daemon runs, the last `status.json`, and whether it is that daemon's. Raises StateError."""
    try:
        running = kernel.is_locked(os.path.join(state, "lock"))
        return running, *_status(state)
    except PermissionError:
        raise StateError(not_yours(state)) from None


def _status(state: str) -> tuple[dict[str, Any] | None, bool]:
    """The last `status.json`, and whether it is younger than the lock's present or last holder."""
    try:
        folder = disk.open_root(state)
    except FileNotFoundError:
        return None, False
    try:
        found, lock = disk.lstat(folder, _STATUS), disk.lstat(folder, "lock")
        written = json.loads(disk.read_small(folder, _STATUS, 1 << 24)) if found else None
    except ValueError:
        return None, False
    finally:
        disk.close(folder)
    fresh = bool(found and lock and found.st_mtime_ns >= lock.st_mtime_ns)
    return (written, fresh) if isinstance(written, dict) and "at" in written else (None, False)


def not_yours(state: str) -> str:
    """Who has to run a command that needs the state, in a sentence."""
    above = disk.open_root(os.path.dirname(state))
    try:
        found = disk.lstat(above, os.path.basename(state))
    finally:
        disk.close(above)
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name if found else "the daemon's user"
    except KeyError:
        owner = "the daemon's user"
    return f"{state} can be read by its owner alone; run this as {owner}."


def jobs(state: str, *, history: bool = False) -> dict[str, Job]:
    """Every job of the journal, with `history` also those that were moved out of it.

    A journal that is not there yet has none. Raises StateError where it is damaged.
    """
    path = os.path.join(state, journal.NAME)
    try:
        found, _ = fold(path, disk.read_own(path))
        return journal.all_jobs(state) if history else found
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise StateError(not_yours(state)) from None


def fold(path: str, data: bytes) -> tuple[dict[str, Job], int]:
    """The jobs of a journal's bytes, and where its whole lines end. Raises StateError where it is damaged."""
    reading = records.read(data)
    if reading.damage is not None:
        raise StateError(
            f"{path}, line {reading.damage.line}: {reading.damage.why}. `babeldrop repair` shows what can be done."
        )
    try:
        return records.fold(reading.records), reading.whole
    except IllegalMoveError as error:
        raise StateError(f"{path}: {error}. `babeldrop repair` shows what can be done.") from None


def ended_since(state: str, midnight: datetime, now: datetime) -> dict[str, Job]:
    """The jobs in `history/` that ended since a moment; only their own lines are taken apart.

    A month of a busy daemon has millions of lines, so each is looked at as bytes first.
    """
    lines: list[bytes] = []
    for month in sorted({f"{at.astimezone(UTC):%Y-%m}" for at in (midnight, now)}):
        path = os.path.join(state, "history", f"{month}.jsonl")
        if disk.is_there(path):
            lines += disk.read_own(path).split(b"\n")
    closed = filter(None, (records.decode(line) for line in lines if b'"event":"closed"' in line))
    wanted = {record["job"].encode() for record in closed if moment(record["at"]) >= midnight}
    theirs = filter(None, (records.decode(line) for line in lines if _job_of(line) in wanted))
    try:
        return records.fold(theirs)
    except IllegalMoveError:
        # A view of what is over: a count that is too small is better than none of everything else.
        return {}


def _job_of(line: bytes) -> bytes:
    """The job of a line, without reading the line."""
    _, _, rest = line.partition(b'"job":"')
    return rest[:16]
