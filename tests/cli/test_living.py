"""The reading commands and `repair` beside a real daemon and simulated services."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from daemon.cli import reading, standing
from daemon.cli.board import render
from daemon.cli.telling import tell
from daemon.sandbox.child import Running
from tests.cli.home import Home, printed
from tests.cli.test_repair import APP as REPAIR
from tests.e2e.site import Site, sandbox_in, wait_for


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with sandbox_in(tmp_path / "services") as running:
        yield running


def report(site: Site) -> dict[str, Any]:
    scene = reading.look(site.config)
    return standing.report(scene, reading.jobs(scene.state).values())


def keys(value: Any, at: str = "") -> set[str]:
    """Every key of a nested object, as a path."""
    if isinstance(value, dict):
        return {f"{at}.{key}" for key in value}.union(*(keys(one, f"{at}.{key}") for key, one in value.items()))
    return set().union(*(keys(one, at) for one in value)) if isinstance(value, list) else set()


def test_a_living_daemon_is_seen_from_outside(tmp_path: Path, sandbox: Running) -> None:
    """What rests, what is left alone, what is in flight, as the daemon itself tells it."""
    site = Site(tmp_path, sandbox)
    site.inbox("gpttranslator/fr/tale~slow-30.txt").write_bytes(b"a long tale\n")
    site.inbox("readme.txt").write_bytes(b"read me\n")
    with site.daemon().started() as daemon, site.inbox("gpttranslator/fr/open.txt").open("wb") as writer:
        writer.write(b"not yet whole")
        writer.flush()
        wait_for(lambda: (report(site)["resting"] or [{}])[0].get("code") == "open", "the file to be seen open")
        wait_for(lambda: report(site)["providers"][0]["in_flight"] == 1, "the tale to fly")
        lines = printed(render(report(site)))
        scene = reading.look(site.config)
        rests = tell(scene, f"{site.root}/inbox/gpttranslator/fr/open.txt").sentences
        flies = tell(scene, f"{site.root}/inbox/gpttranslator/fr/tale~slow-30.txt").sentences
        pid = daemon.process.pid
        daemon.kill()
    dead = printed(render(report(site)))

    assert lines[0].startswith(f"babeldrop is running (pid {pid}), started today at ")
    assert "Left alone in the inbox (1)" in lines
    assert "  inbox/readme.txt: not in a language folder: inbox/<provider>/<lang>/" in lines
    assert rests[0].endswith("Still open for writing in another program.")
    assert rests[1] == "It is taken when that program closes it."
    assert flies[-1].startswith("The service is at work on it, for ")
    assert dead[0].startswith("babeldrop is not running. It was last heard of today at ")
    assert not any("readme.txt" in line for line in dead)


def test_the_status_that_tests_write_is_like_the_one_of_the_daemon(tmp_path: Path, sandbox: Running) -> None:
    """Every key that readers are tested with is one that the daemon writes."""
    site = Site(tmp_path, sandbox)
    site.inbox("readme.txt").write_bytes(b"read me\n")
    with site.daemon().started():
        wait_for(lambda: report(site)["ignored"] or [], "the status to be told")
        real = keys(json.loads((site.state / "status.json").read_text()))
    home = Home(tmp_path / "other")
    home.tell()

    written = keys(json.loads((home.state / "status.json").read_text()))

    assert {one for one in written - real if not one.startswith(".titles")} == set()


@pytest.mark.parametrize("seed", range(3))
def test_a_repair_after_a_kill_never_pays_twice(tmp_path: Path, sandbox: Running, seed: int) -> None:
    """Killed at work, lines of the journal destroyed, repaired: every file ends, none is billed twice."""
    dice = random.Random(seed)
    site = Site(tmp_path, sandbox)
    for number in range(16):
        slow = "~slow-2" if number % 3 else ""
        site.inbox(f"gpttranslator/fr/text {number}{slow}.txt").write_bytes(f"number {number} of {seed}\n".encode())
    path = site.state / "journal.jsonl"
    enough = dice.randint(8, 60)
    with site.daemon() as daemon:
        wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") > enough, "the work to begin")
        daemon.kill()
    lines = path.read_bytes().split(b"\n")
    for line in dice.sample(range(len(lines) // 2), dice.randint(1, 3)):
        lines[line] = lines[line][: len(lines[line]) // 2]
    path.write_bytes(b"\n".join(lines))

    refused = site.once()
    repaired = CliRunner().invoke(REPAIR, ["--yes", "-c", os.fspath(site.config)])
    worked = site.once("--for", "2m")

    assert refused.returncode == 2
    assert repaired.exit_code == 0, repaired.output
    assert worked.returncode in (0, 1), worked.stderr
    assert max(site.accepted().values()) == 1
    assert site.files("processing") == []
    originals = {name for name in site.files("failed") if not name.endswith(".error.json")}
    assert len(originals | set(site.files("outbox"))) == 16
    assert set(site.codes()) <= {"submit.uncertain"}
