"""The unit as tests read it, and what of it `tests.confine` can put in force."""

import json
import os
import shutil
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
UNIT = HERE / "systemd" / "babeldrop.service"
GROWING_DELAY = UNIT.with_name("growing-delay.conf")
ANALYZE = shutil.which("systemd-analyze")
UID = 62019
"""A user who owns nothing else on the machine."""
OFFICE = UID + 1
"""The group that a share is for."""


def settings(text: str) -> dict[str, list[str]]:
    """Every key with its values in order; an empty value forgets those before it, as systemd has it."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found[key] = [*found.get(key, []), value] if value else []
    return found


@cache
def calls_of(group: str) -> frozenset[str]:
    """The calls that systemd knows by the name of a group."""
    done = subprocess.run([str(ANALYZE), "syscall-filter", group], capture_output=True, text=True, check=True)
    words = [line.split("#")[0].strip() for line in done.stdout.splitlines()[1:]]
    names = [word for word in words if word]
    below = [calls_of(name) for name in names if name.startswith("@")]
    return frozenset(name for name in names if not name.startswith("@")).union(*below)


def allowed_calls(unit: dict[str, list[str]]) -> list[str]:
    """SystemCallFilter= as the names of calls; empty where systemd-analyze is missing."""
    found: set[str] = set()
    for line in unit["SystemCallFilter"] if ANALYZE else ():
        named = frozenset[str]().union(*(calls_of(word) for word in line.removeprefix("~").split()))
        found = found - named if line.startswith("~") else found | named
    return sorted(found)


def specification(unit: dict[str, list[str]], base: Path, **more: Any) -> dict[str, Any]:
    """What `confine` has to do for a daemon whose root, state and code lie below `base` and where they lie now."""
    readable = {str(HERE), sys.prefix, sys.base_prefix}
    return {
        "uid": UID,
        "groups": [],
        "writable": [str(base)],
        "readable": sorted(path for path in readable if not path.startswith(("/usr", f"{base}/"))),
        "umask": unit["UMask"][-1],
        "families": [int(getattr(socket, word)) for word in unit["RestrictAddressFamilies"][-1].split()],
        "no_write_execute": unit["MemoryDenyWriteExecute"][-1] == "yes",
        "no_sxid": unit["RestrictSUIDSGID"][-1] == "yes",
        "calls": allowed_calls(unit),
        **more,
    }


def confined(spec: dict[str, Any], *command: str) -> list[str]:
    """The command line that runs another one so."""
    return [sys.executable, str(HERE / "tests" / "confine.py"), json.dumps(spec), *command]


def own(path: Path, uid: int = UID) -> None:
    """Give a tree to the daemon's user, where that is somebody else."""
    if os.geteuid() == 0:
        for one in [path, *path.rglob("*")]:
            os.chown(one, uid, uid, follow_symlinks=False)
