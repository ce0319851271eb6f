"""Fixtures of the tests with shares: a folder that everybody may enter, a sandbox, and an installation."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sandbox.child import Running
from tests.e2e.site import Site, sandbox_in


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of one's own; unlike pytest's it can be entered by the users of a share."""
    folder = Path(tempfile.mkdtemp(prefix="babeldrop-shares-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        # What is still mounted below would be emptied, too: all mounts belong to blocks that have ended.
        shutil.rmtree(folder)


@pytest.fixture
def sandbox(place: Path) -> Iterator[Running]:
    with sandbox_in(place) as running:
        yield running


@pytest.fixture
def site(place: Path, sandbox: Running) -> Site:
    """An installation that sees its root at `share`; the test looks at it from the other side, at `server`."""
    made = Site(place, sandbox)
    made.root = place / "server"
    made.config.write_text(made.config.read_text().replace("rescan: 5s", "rescan: 1s"))
    return made
