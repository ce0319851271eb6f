"""Where a configuration's files and folders lie, and who else can write to them.

People write to the root; what decides what the daemon does is out of their reach, or nothing is started: the
state, the program, the configuration and the files with keys. Whoever can replace a key chooses the account
that documents are sent to. Nothing here changes anything on a disk.
"""

import ipaddress
import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daemon.config_checks import Findings, Origin, Place, Secrets
from daemon.settings import absolute_path

_SHARED = "people who can write to the share could change it"


def check_folders(findings: Findings, data: Mapping[str, Any], secrets: Secrets) -> None:
    """Refuse folders that lie in one another, and files in the share that decide what the program does."""
    root, state = _real(data.get("root")), _real(data.get("state"))
    if root and state:
        if _holds(root, state) and _holds(state, root):
            findings.add(("state",), "is the same folder as root", "expected a local folder of its own")
        elif _holds(root, state):
            findings.add(("state",), "lies inside root", "expected a local folder outside what people see")
        elif _holds(state, root):
            findings.add(("root",), "lies inside state", "expected a folder of its own")
    if not root:
        return
    for what, path in (("the configuration file", findings.origin.file), ("the program", __file__)):
        if path and _within(root, path):
            findings.add(("root",), f"{what} lies inside root", _SHARED)
    for place, secret in secrets:
        if secret.file and _within(root, secret.file):
            findings.add(place, "the key's file lies inside root", _SHARED)


def check_writers(findings: Findings, data: Mapping[str, Any], secrets: Secrets) -> None:
    """Refuse what others could change, or put something else in place of: configuration, state, files with keys."""
    for advice in _ways_to_close(findings.origin.file):
        findings.add((), f"others could change this file: {advice}", "it decides what the daemon does")
    state = _real(data.get("state"))
    for advice in _open_folders([state]) if state else ():
        findings.add(("state",), f"others could change the journal: {advice}", "it says what was sent and paid")
    for place, secret in secrets:
        for advice in _ways_to_close(secret.file) if secret.file else ():
            findings.add(place, f"others could change the key: {advice}", f"they would choose {_chosen_by(place)}")


def _chosen_by(place: Place) -> str:
    """What a key decides, by its place."""
    return "who is told" if place[0] == "notify" else "the account"


def warnings(origin: Origin, secrets: Secrets, listen: tuple[str, int] | None) -> tuple[str, ...]:
    """What works and is not wise: keys in the file, key files that others can read, a page that others can read."""
    found = []
    if listen is not None and not _is_loopback(listen[0]):
        advice = "better 127.0.0.1, behind a proxy that has a login"
        message = "everybody who reaches this machine there can read the names of files; the page has no login"
        found.append(origin.problem(("web", "listen"), message, advice))
    readable = _others_may(origin.file, 0o077)
    for place, secret in secrets:
        if secret.value is not None:
            advice = "better {credential: NAME}, {file: PATH} or {env: NAME}"
            more = ", which others can read" if readable else ""
            found.append(origin.problem(place, f"the key itself stands in the configuration file{more}", advice))
        elif secret.file is not None and _others_may(secret.file, 0o077):
            found.append(origin.problem(place, f"others can read {secret.where}", "chmod 600"))
    return tuple(str(one) for one in found)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _real(value: object) -> str | None:
    try:
        return os.path.realpath(absolute_path(value))
    except ValueError:
        return None  # reported by the model


def _within(folder: str, file: str) -> bool:
    """Whether a file, or the link that leads to it, lies in a folder."""
    return any(_holds(folder, one) for one in _spellings(file))


def _spellings(file: str) -> set[str]:
    """The path as it is written, with the links of its folders followed, and where it leads in the end."""
    here, name = os.path.split(os.path.abspath(file))
    return {os.path.join(os.path.realpath(here), name), os.path.realpath(file)}


def _holds(folder: str, path: str) -> bool:
    """Whether a path is this folder or lies below it, also where a bind mount gives the folder two names."""
    known = _status(folder)
    for above in _upwards(path):
        found = _status(above) if known else None
        if above == folder or (known and found and os.path.samestat(known, found)):
            return True
    return False


def _upwards(path: str) -> Iterator[str]:
    """The path itself and every folder above it."""
    yield path
    while (above := os.path.dirname(path)) != path:
        yield (path := above)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None  # not there yet, or not to be looked at


def _ways_to_close(file: str) -> Iterator[str]:
    """What would keep others from writing to a file: modes of it, and of the folders that lead to it."""
    if _others_may(file, 0o002) or _is_of_a_group(file):
        yield f"chmod go-w {file}"
    yield from _open_folders(os.path.dirname(one) for one in _spellings(file))


def _open_folders(lowest: Iterable[str]) -> Iterator[str]:
    for folder in sorted({above for one in lowest for above in _upwards(one)}):
        found = _status(folder)
        # In a sticky folder, such as /tmp, nobody renames or removes what is somebody else's.
        if found and found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX:
            yield f"chmod o-w {folder}"


def _others_may(file: str, mode: int) -> bool:
    found = _status(file)
    return found is not None and stat.S_ISREG(found.st_mode) and bool(found.st_mode & mode)


def _is_of_a_group(file: str) -> bool:
    """Whether a group may write to a file that is neither root's nor the owner's own."""
    found = _status(file)
    if found is None or not found.st_mode & 0o020 or not stat.S_ISREG(found.st_mode):
        return False
    try:
        own = pwd.getpwuid(found.st_uid).pw_gid
    except KeyError:
        own = found.st_uid  # a user without a name, as containers have them
    return found.st_gid not in (0, own)
