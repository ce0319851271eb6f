"""How drops are noticed, and when one counts as complete: chosen by the file system that the root is on."""

import os
from dataclasses import dataclass
from typing import Any

from daemon import kernel
from daemon.config import Config
from daemon.errors import ShareAwayError
from daemon.folders import Folders
from daemon.stability import Settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """What was chosen. `watches`: whether events of the kernel are listened to, beside the scan."""

    settle: Settle
    watches: bool
    told: dict[str, Any]
    """The same for people, as `status.json` and the log show it."""


def choose(config: Config, folders: Folders) -> Detector:
    """The configured ways, or those that fit the file system; of a root that is not there nothing is known, so
    the careful ways are taken.
    """
    kind = _file_system(os.fspath(config.root), folders)
    network = kind is None or kernel.is_network(kind)
    wanted = config.watch
    override = None if wanted.settle == "auto" else wanted.settle
    settle = Settle.on(network=network, late=kind is None or kernel.shows_late(kind), override_s=override)
    watches = wanted.observer == "inotify" or (wanted.observer == "auto" and not network)
    return Detector(settle=settle, watches=watches, told=_told(config, settle, watches=watches))


def _file_system(root: str, folders: Folders) -> str | None:
    try:
        with folders.opened():
            return kernel.file_system(root)
    except (OSError, ShareAwayError):
        # The folder it will be mounted on says nothing.
        return None


def _told(config: Config, settle: Settle, *, watches: bool) -> dict[str, Any]:
    local = settle.lease_counts
    rest = f"{settle.slow_s:g}s"
    if local and settle.quick_s != settle.slow_s:
        rest = f"{settle.quick_s:g}s with a lease, else {rest}"
    why = "local file system" if local else "events are not seen on a network file system"
    return {
        "events": "inotify" if watches else "none",
        "scan_s": config.watch.rescan,
        "settle": rest,
        "why": why if config.watch.observer == "auto" else "configured",
    }
