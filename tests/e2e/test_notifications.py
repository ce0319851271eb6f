"""Somebody is told: a daemon as a process, and a service of the office that takes its messages, or does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.sandbox.child import Running
from tests.e2e.site import Site, wait_for
from tests.rawserver import Exchange, RawServer, message


def answers(code: int) -> Callable[[Exchange], None]:
    def script(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(message(code, b"heard"))

    return script


def told_at(base: Path, sandbox: Running, server: RawServer) -> Site:
    """An installation that tells this server, with nothing to gather for long."""
    site = Site(base, sandbox, more=f"notify: {{urls: ['json://{server.host}/hook'], digest: 1s}}")
    site.config.chmod(0o600)
    # Bodies go to loopback, whatever the machine says about proxies.
    site.environment["NO_PROXY"] = "127.0.0.1"
    return site


def notify_row(site: Site) -> dict[str, Any]:
    """How it goes with the notifications, as status.json shows it."""
    path = site.state / "status.json"
    found: dict[str, Any] = (json.loads(path.read_text()) if path.exists() else {}).get("notify") or {}
    return found


def test_a_file_that_fails_is_told_once(tmp_path: Path, sandbox: Running) -> None:
    """One message names it and says why; the file itself is not in it."""
    with RawServer(answers(200)) as server:
        site = told_at(tmp_path, sandbox, server)
        with site.daemon() as daemon:
            daemon.started()
            site.inbox("gpttranslator/fr/plan.xyz").write_bytes(b"walls and doors")
            wait_for(lambda: notify_row(site).get("sent") == 1, "the message")
            code = daemon.stop()
        heard = [(one.method, json.loads(one.body)) for one in server.requests]

    assert code == 0
    assert [(method, body["title"]) for method, body in heard] == [("POST", "babeldrop: 1 file failed")]
    assert "plan.xyz" in heard[0][1]["message"]
    assert "walls" not in str(heard)
    assert notify_row(site)["failing_since"] is None


def test_a_service_that_fails_holds_up_no_delivery(tmp_path: Path, sandbox: Running) -> None:
    """Translating goes on, status.json says since when nobody hears of anything, and the message waits."""
    with RawServer(answers(500)) as server:
        site = told_at(tmp_path, sandbox, server)
        with site.daemon() as daemon:
            daemon.started()
            site.inbox("gpttranslator/fr/plan.xyz").write_bytes(b"walls and doors")
            wait_for(lambda: notify_row(site).get("failing_since"), "it to be said")
            site.inbox("gpttranslator/fr/letter.txt").write_bytes(b"Dear all\n")
            wait_for(lambda: site.files("outbox"), "the delivery")
            code = daemon.stop()
        heard = len(server.requests)

    row = notify_row(site)

    assert (code, site.files("outbox")) == (0, ["gpttranslator/fr/letter.txt"])
    assert (heard >= 1, row["sent"], row["pending"]) == (True, 0, 1)
    assert "the service answered 500" in row["why"]
