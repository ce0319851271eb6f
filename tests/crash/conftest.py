"""What the enumerations run on: a folder in memory, and the simulated services in a thread."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import in_memory
from tests.crash.services import Services, services


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with in_memory() as base:
        yield base


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Services]:
    # The kernel asks for a lease back with SIGIO, which kills who does not ignore it.
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with services(folder / "services") as started:
        yield started
    signal.signal(signal.SIGIO, before)
