"""A state in a container: there a file shows another device than its locks do."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import disk, kernel
from tests.shares.mounts import mount, require, unmount


@pytest.fixture
def layered(tmp_path: Path) -> Iterator[Path]:
    """A folder on an overlay file system, as containers have it."""
    require("mount")
    here, lower, upper, work = (tmp_path / name for name in ("here", "lower", "upper", "work"))
    for folder in (here, lower, upper, work):
        folder.mkdir()
    try:
        mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay", here)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no overlay file system can be mounted here: {error.stderr.decode().strip()}")
    yield here
    unmount(here)


def test_a_living_daemon_is_known_by_its_lock(layered: Path) -> None:
    """Whether somebody holds the lock is seen from outside, on an overlay as well."""
    path = os.fspath(layered / "lock")
    held = kernel.lock(path)

    assert held is not None
    assert kernel.is_locked(path)
    disk.close(held)
    assert not kernel.is_locked(path)
