"""Fixtures of the end-to-end tests: a sandbox and a site of one's own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sandbox.child import Running
from tests.e2e.site import Site, sandbox_in


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with sandbox_in(tmp_path) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, sandbox: Running) -> Site:
    return Site(tmp_path, sandbox)
