"""An outage is not a thousand failures."""

import signal
from functools import partial

import pytest

from tests.e2e.site import Daemon, Site, sha256, wait_for

DROPS = 500
_AT_ONCE = 8


def _more_than(daemon: Daemon, event: str, count: int) -> bool:
    return len(daemon.lines(event)) > count


@pytest.mark.long
def test_500_drops_while_the_service_is_down_lose_only_what_was_open(site: Site) -> None:
    """503 on submissions closes the account: few are uncertain, the rest waits and is delivered afterwards."""
    texts = {f"gpttranslator/fr/text {number}.txt": f"text {number}\n".encode() for number in range(DROPS)}
    for path, text in texts.items():
        site.inbox(path).write_bytes(text)
    site.sandbox.outage("gpttranslator", 503, verbs=["submit"])
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: sum(job.alive for job in site.jobs().values()) + len(site.failed()) >= DROPS, "all claimed")
        # Somebody says that things have changed, while they have not: one trial, and closed again.
        for _ in range(2):
            before = len(daemon.lines("submit.uncertain"))
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(partial(_more_than, daemon, "submit.uncertain", before), "a trial to fail")
        closed = len(daemon.lines("submit.uncertain"))
        site.sandbox.end_outages()
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(site.files("outbox")) + len(site.failed()) >= DROPS, "the rest to be delivered", 120)
        trials = len(daemon.lines("account.trial"))

        assert daemon.stop() == 0

    uncertain = site.codes()["submit.uncertain"]

    assert closed == uncertain <= _AT_ONCE + trials
    assert {"submit.uncertain": uncertain} == dict(site.codes())
    assert DROPS - uncertain == len(site.files("outbox"))
    assert max(site.accepted().values()) == 1
    assert set(site.accepted()) <= {sha256(text) for text in texts.values()}


def test_an_unreachable_service_costs_nothing_and_fails_nothing(site: Site) -> None:
    """Connection refused proves that nothing was accepted: files wait visibly and go when it is back."""
    site.config.write_text(
        site.config.read_text().replace(site.sandbox.base_url("gpttranslator"), "http://127.0.0.1:9")
    )
    site.inbox("gpttranslator/fr/a.txt").write_bytes(b"a\n")
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(daemon.lines("submit.refused")) >= 2, "two tries")

        assert site.failed() == {}
        assert daemon.stop() == 0
    status = site.command("status", "-c", str(site.config))

    assert status.returncode == 0
    assert "claimed" in [job.state.value for job in site.jobs().values()]


def test_a_wrong_key_holds_the_account_and_says_so(site: Site) -> None:
    """A key that is refused fails no file: `once` ends with 3, and the file waits for a person."""
    site.environment["SANDBOX_KEY"] = "not-the-key"
    site.inbox("gpttranslator/fr/a.txt").write_bytes(b"a\n")
    site.inbox("voicecheap/es/a.mp3").write_bytes(b"ID3 sound")

    done = site.once()

    assert done.returncode == 3, done.stderr
    assert site.failed() == {}
    assert "not-the-key" not in done.stdout + done.stderr
    assert "account.key" in (site.state / "status.json").read_text()
    assert dict(site.accepted()) == {}


def test_an_outage_of_everything_loses_nothing_in_flight(site: Site) -> None:
    """When no request is answered for a while, what is in flight waits, and is delivered afterwards."""
    for number in range(20):
        site.inbox(f"gpttranslator/fr/text {number}~slow-1.txt").write_bytes(f"text {number}\n".encode())
    with site.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(site.sandbox.ledger()) >= 5, "some to be in flight")
        site.sandbox.outage("gpttranslator", "reset")
        wait_for(lambda: daemon.lines("account.closed"), "the account to close")
        site.sandbox.end_outages()

        def ended() -> bool:
            daemon.process.send_signal(signal.SIGHUP)
            return len(site.files("outbox")) + len(site.failed()) == 20

        wait_for(ended, "all to end", 150)

        assert daemon.stop() == 0
    assert set(site.codes()) <= {"submit.uncertain"}
    assert max(site.accepted().values()) == 1
