"""A service that tells two documents the same reference."""

from contextlib import ExitStack
from pathlib import Path

from tests.hostile.services import NAME, Case, Household, Services


def test_reference_of_another_document_is_no_acceptance(tmp_path: Path) -> None:
    """Two documents under one reference: at most one of them can be what is fetched there, and the other fails."""
    services = Services({"one": Case(tricks={})})
    with ExitStack() as stack:
        services.start(stack)
        house = Household(tmp_path, services)
        (tmp_path / "share/inbox/one/fr/other.txt").write_bytes(b"another document\n")
        stack.enter_context(house)
        house.until(lambda: len(house.outbox("one")) + len(house.sidecars()) >= 2)
        delivered, sidecars = house.outbox("one"), house.sidecars()

    assert services.taken["one"] == 2
    assert list(delivered) in ([f"fr/{NAME}"], ["fr/other.txt"])
    assert [story["error"]["code"] for story in sidecars.values()] == ["submit.uncertain"]
