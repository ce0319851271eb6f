"""Entries that the service bills and limits together."""

from contextlib import ExitStack
from pathlib import Path

from tests.hostile.services import NAME, TEXT, Case, Household, Services
from tests.rawserver import answer

SHARED = {"account": "shared"}


def test_trouble_of_one_entry_holds_the_other_of_its_account(tmp_path: Path) -> None:
    """No credit under one key: the other key of the account sends nothing either, until a trial has shown better."""
    services = Services(
        {
            "broke": Case(tricks={"submit": lambda *_: answer(402, {"error": "No credit"})}, settings=SHARED),
            "other": Case(tricks={}, settings=SHARED),
            "stranger": Case(tricks={}),
        }
    )
    with ExitStack() as stack:
        services.start(stack)
        house = Household(tmp_path, services)
        late = tmp_path / f"share/inbox/other/fr/{NAME}"
        late.unlink()
        stack.enter_context(house)
        shop = house.app.shop
        closed = house.until(lambda: "account.blocked" in house.signs["broke"] and house.outbox("stranger"))
        late.write_bytes(TEXT)
        claimed = house.until(lambda: any(job.provider == "other" for job in shop.journal.alive()))
        before = dict(services.taken)
        services.healed.set()
        house.app.poke()
        both = house.until(lambda: house.outbox("broke") and house.outbox("other"))

    assert (closed, claimed, both) == (True, True, True)
    assert before == {"stranger": 1}
    assert services.taken == {"broke": 1, "other": 1, "stranger": 1}
