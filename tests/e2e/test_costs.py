"""What every service tells of its price, through the whole daemon: into the journal, the budget and `history`."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.simulated import entries
from daemon.sandbox.child import Running, start
from daemon.sandbox.clip import sunrise
from daemon.sandbox.samples import letter
from tests.e2e.site import Site, wait_for

TEXT = b"The keeper lights the lamp.\n"
DROPS = {
    "gpttranslator/fr/keeper.txt": TEXT,
    "voicecheap/es/talk.mp4": sunrise(),
    "doctranslate/vi/letter.docx": letter(),
    "azure/pt-PT/keeper.txt": TEXT,
    "cambai/it/keeper.txt": TEXT,
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with start(tmp_path / "services", pace=(0.1, 0.3)) as running:
        yield running


@pytest.fixture
def five(tmp_path: Path, sandbox: Running) -> Site:
    """A site with all five services."""
    site = Site(tmp_path, sandbox)
    head = site.config.read_text().partition("providers:")[0]
    site.config.write_text(head + entries(sandbox.addresses))
    return site


def history(site: Site, *arguments: str) -> list[dict[str, str]]:
    result = site.command("history", "-c", str(site.config), "--csv", *arguments)

    assert result.returncode == 0, result.stderr

    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_what_each_service_reports_stands_in_the_history(five: Site) -> None:
    """Credits, characters charged, seconds of film, characters sent; of a service that tells nothing the document."""
    for path, content in DROPS.items():
        five.inbox(path).write_bytes(content)
    done = five.once("--for", "90s")
    told = {row["provider"]: (row["unit"], float(row["cost"]) if row["cost"] else None) for row in history(five)}
    sums = {row["provider"]: (row["documents"], row["delivered"], row["unknown"]) for row in history(five, "--sums")}

    assert done.returncode == 0, done.stderr
    assert told == {
        "gpttranslator": ("", None),
        "voicecheap": ("seconds", round(1 + len(DROPS["voicecheap/es/talk.mp4"]) / 250_000, 1)),
        "doctranslate": ("credits", round(0.5 + len(DROPS["doctranslate/vi/letter.docx"]) / 100_000, 2)),
        "azure": ("characters", len(TEXT)),
        "cambai": ("characters", len(TEXT.strip())),
    }
    assert sums == dict.fromkeys(told, ("1", "1", "0"))


def test_a_killed_daemon_has_booked_what_it_paid_and_no_more(five: Site) -> None:
    """Killed while documents are under way, it goes on, books each once, and then holds the next one visibly."""
    five.config.write_text(
        five.config.read_text().replace(
            "languages: [it]", "languages: [it]\n    budget: {per_month: 50, unit: characters}"
        )
    )
    for number in range(2):
        five.inbox(f"cambai/it/{number}.txt").write_bytes(TEXT)
    with five.daemon() as daemon:
        daemon.started()
        wait_for(lambda: sum(len(job.refs) for job in five.jobs().values()) == 2, "both to be accepted")
        daemon.kill()
    five.inbox("cambai/it/2.txt").write_bytes(TEXT)
    with five.daemon() as daemon:
        daemon.started()
        wait_for(lambda: daemon.lines("budget.spent"), "the third to be held")
        wait_for(lambda: len(five.files("outbox")) == 2, "the first two")
        wait_for(lambda: status(five)["waiting"], "what it waits for")
        found = status(five)

        assert daemon.stop() == 0
    [row] = found["budget"]

    assert (row["spent"], row["state"], row["per_month"]) == (2 * len(TEXT.strip()), "spent", 50)
    assert [waiting["why"] for waiting in found["waiting"]] == ["budget.spent"]
    assert len(five.sandbox.ledger()) == 2


def status(site: Site) -> dict[str, list[dict[str, object]]]:
    """What the daemon says of itself; nothing waits before it has said anything."""
    path = site.state / "status.json"
    found: dict[str, list[dict[str, object]]] = json.loads(path.read_text()) if path.exists() else {"waiting": []}
    return found
