"""What tests of hostile inboxes share."""

import signal
from collections.abc import Iterator

import pytest

from tests.builders import in_memory
from tests.hostile.inbox import Line


@pytest.fixture(autouse=True)
def leases() -> Iterator[None]:
    """The kernel asks for a lease back with a signal, which the daemon ignores."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.fixture
def line() -> Iterator[Line]:
    with in_memory() as base, Line(base) as made:
        made.start()
        yield made
