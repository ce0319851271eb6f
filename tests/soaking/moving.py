"""Moves of users, as single system calls, so that it is known what happened although others work there, too."""

import ctypes
import os
from pathlib import Path

from daemon import disk

_AT_FDCWD, _EXCHANGE = -100, 2
_LIBC = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names; False when one of them is not there."""
    return not _LIBC.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE)


def rename(source: Path, target: Path) -> bool:
    """Move without replacing; False when there is nothing to move, or no room for it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        here, there = disk.open_root(str(source.parent)), disk.open_root(str(target.parent))
    except FileNotFoundError:
        return False
    try:
        disk.rename_noreplace(here, source.name, there, target.name)
    except (FileNotFoundError, FileExistsError):
        return False
    finally:
        disk.close(here)
        disk.close(there)
    return True
