"""`status --metrics`: for a collector of text files, and never old numbers as if they were of now."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from daemon.cli.status import status
from daemon.sandbox.child import Running
from tests import scenes
from tests.cli.home import Home
from tests.e2e.site import Site, sandbox_in, wait_for

APP = typer.Typer()
APP.command()(status)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with sandbox_in(tmp_path / "services") as running:
        yield running


def scraped(config: Path) -> dict[str, float]:
    """Every series by its name and labels, as the command prints them."""
    done = CliRunner().invoke(APP, ["--metrics", "-c", str(config)])
    assert (done.exit_code, done.output[-1:]) == (0, "\n")
    return {
        ",".join([sample.name, *(f"{label}={value}" for label, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(done.output)
        for sample in family.samples
    }


def test_without_a_daemon_only_that_is_said(home: Home) -> None:
    """What the last one wrote is not repeated: those files may have gone anywhere since."""
    home.tell(version="1", measured=scenes.measured(jobs=[scenes.jobs(5)]))

    assert scraped(home.config) == {"babeldrop_up": 0.0, "babeldrop_healthy": 0.0}


def test_ages_are_of_this_moment(home: Home) -> None:
    """The daemon writes moments, so nothing looks young because it was written long ago."""
    since = home.at(-3600 * 24 * 365)
    row = {"provider": "voicecheap", "state": "claimed", "since": since}
    with home.running(version="1", measured=scenes.measured(oldest=[row])):
        found = scraped(home.config)

    assert found["babeldrop_up"] == 1.0
    assert found["babeldrop_oldest_waiting_seconds,provider=voicecheap"] > 3600 * 24 * 300
    assert found["babeldrop_healthy"] == 0.0


def test_a_living_daemon(tmp_path: Path, sandbox: Running) -> None:
    """A file on its way through, and one that lies where nobody takes it."""
    site = Site(tmp_path, sandbox)
    site.inbox("gpttranslator/fr/tale.txt").write_bytes(b"a tale\n")
    delivered = "babeldrop_delivered_total,provider=gpttranslator"
    with site.daemon().started():
        wait_for(lambda: scraped(site.config).get(delivered) == 1.0, "the delivery to be counted", 40.0)
        found = scraped(site.config)
        site.inbox("readme.txt").write_bytes(b"read me\n")
        wait_for(lambda: scraped(site.config)["babeldrop_healthy"] == 0.0, "the stray file to be noticed", 60.0)
        stray = scraped(site.config)

    assert found["babeldrop_healthy"] == 1.0
    assert found["babeldrop_share_up"] == 1.0
    # The scan is told in whole seconds.
    assert found["babeldrop_last_scan_timestamp_seconds"] >= int(found["babeldrop_start_timestamp_seconds"]) > 1e9
    assert found["babeldrop_requests_total,outcome=2xx,provider=gpttranslator,verb=submit"] == 1.0
    assert found["babeldrop_bytes_total,direction=up,provider=gpttranslator"] > 7
    assert not any(name.startswith("babeldrop_jobs,") for name in found)
    assert stray["babeldrop_trouble,code=drop.ignored,level=failing,provider="] == 1.0
