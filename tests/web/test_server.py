"""The page on a real socket: what is answered, to whom, with which headers, and what a dead thread means."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.errors import StateError
from daemon.view import View
from daemon.web import hosts
from daemon.web.live import Live
from daemon.web.pages import Pages
from daemon.web.render import policy
from daemon.web.server import WebServer, bind
from tests.builders import Bench, configuration, wait_for
from tests.web.looks import Parsed

PATHS = ["/", "/status.json", "/metrics", "/healthz"]


class Served:
    """A bench whose page is served."""

    def __init__(self, base: Path, bench: Bench) -> None:
        self.bench = bench
        view = View(bench.shop, bench.intake, f"{base}/state", {"events": "none", "scan_s": 30.0})
        self.live = Live(configuration(base), bench.shop, view.facts, bench.house.jobs)
        # What is kept for a second must grow old by itself here.
        self.server = WebServer(("127.0.0.1", 0), self.live, view.facts, SystemClock(), bench.shop.log)
        self.server.start()

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(*self.server.address, timeout=20)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """The answer to bytes that no client would send."""
        with socket.create_connection(self.server.address, timeout=20) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Bench(tmp_path) as bench:
        found = Served(tmp_path, bench.start())
        try:
            yield found
        finally:
            found.server.stop()


def test_the_page_shows_what_there_is(served: Served) -> None:
    """And says that it follows by itself."""
    served.bench.drop("acme/fr/letter.txt")
    served.bench.settle()
    code, headers, body = served.ask()
    found = Parsed(body.decode())

    assert (code, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "letter.txt" in found.text
    assert (found.problems, len(found.all("script"))) == ([], 1)


def test_the_report_is_the_one_of_the_command(served: Served) -> None:
    """The same keys as `status --json`."""
    served.bench.drop("acme/fr/letter.txt")
    served.bench.settle()
    code, headers, body = served.ask("/status.json")
    report = json.loads(body)

    assert (code, headers["content-type"]) == (200, "application/json")
    assert (report["running"], report["providers"][0]["waiting"]) == (True, 1)


def test_metrics_and_health_are_there(served: Served) -> None:
    """In the forms that a collector and a probe expect."""
    code, headers, body = served.ask("/metrics")
    health, _, said = served.ask("/healthz")

    assert (code, headers["content-type"].partition(";")[0]) == (200, "text/plain")
    assert b"\nbabeldrop_" in body
    assert health in (200, 503)
    assert json.loads(said)["status"] in ("ok", "degraded", "failing")


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_every_answer_has_its_headers(served: Served, path: str) -> None:
    """Nothing is kept, sniffed, framed or told to others, and nothing sets a cookie."""
    _, headers, _ = served.ask(path)
    rules = headers["content-security-policy"]

    assert rules.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in rules
    assert "unsafe" not in rules
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in headers
    assert "server" not in headers


def test_the_policy_names_the_styles_and_the_script_of_the_page(served: Served) -> None:
    """By their hashes, and the page's own address for what the script asks."""
    _, headers, _ = served.ask()

    assert headers["content-security-policy"] == policy(live=True)
    assert policy(live=True).count("'sha256-") == 2


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_like_get(served: Served, path: str) -> None:
    """Without the body."""
    code, headers, body = served.ask(path, "HEAD")

    assert code in (200, 503)
    assert (body, int(headers["content-length"]) > 0) == (b"", True)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_changed(served: Served, path: str, method: str) -> None:
    """Every other method is refused."""
    code, headers, _ = served.ask(path, method)

    assert code == 405
    assert set(headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/nothing", "/docs", "//", "/../etc/passwd", "/static/page.js", "/%2e%2e/", "/?x=/"])
def test_there_is_nothing_else(served: Served, path: str) -> None:
    """No files, no lists, no documents of the library."""
    code, _, _ = served.ask(path)

    assert code == (200 if path == "/?x=/" else 404)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8787", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8787"])
def test_loopback_names_are_its_own(served: Served, host: str) -> None:
    """With any port: a tunnel or a proxy may have another one."""
    assert served.ask(Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "", "a b", "localhost:x"],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_name_gets_nothing(served: Served, host: str, path: str) -> None:
    """A web page elsewhere that lets its name point here reads nothing."""
    code, _, body = served.ask(path, Host=host)

    assert code == 421
    assert b"acme" not in body


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_request_without_one_name_gets_nothing(served: Served, request_: bytes) -> None:
    """None, or two, of which somebody on the way may have taken the other one."""
    answer = served.raw(request_)

    assert answer.split(b" ")[1] in (b"400", b"421")
    assert b"<html" not in answer


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\nConnection: close\r\n\r\n", b"A" * 100_000 + b"\r\n\r\n"]
)
def test_junk_ends_nothing(served: Served, junk: bytes) -> None:
    """The next one is answered."""
    # To be cut off in the middle is as good an answer.
    with contextlib.suppress(OSError):
        served.raw(junk)

    assert served.ask()[0] == 200


def test_a_page_that_cannot_be_made_is_said_and_ends_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the reason, the reader none of it."""

    def broken() -> None:
        raise RuntimeError("secret inside")

    with monkeypatch.context() as trouble:
        trouble.setattr(served.live, "report", broken)
        code, headers, body = served.ask("/status.json")
        # The answer is sent before it is said.
        wait_for(lambda: served.bench.logged("web.broke"), "the log")
    (line,) = served.bench.logged("web.broke")

    assert (code, b"secret" in body, headers["cache-control"]) == (500, False, "no-store")
    assert "secret inside" in line["why"]
    assert served.ask("/status.json")[0] == 200


def test_a_taken_port_is_a_clear_error(served: Served) -> None:
    """Before anything is started, with the address, the setting and what to do."""
    host, port = served.server.address

    with pytest.raises(
        StateError, match=rf"web.listen: cannot listen on {host}:{port}: Address already in use\. Choose"
    ):
        bind((host, port))


def test_a_name_that_nobody_knows_is_a_clear_error() -> None:
    """As above."""
    with pytest.raises(StateError, match=r"web\.listen: cannot listen on no-such-host\.invalid:80"):
        bind(("no-such-host.invalid", 80))


def test_a_thread_that_died_is_said_and_started_again(served: Served) -> None:
    """On the same port."""
    server = served.server._server
    assert server is not None
    assert served.ask()[0] == 200
    server.should_exit = True
    wait_for(lambda: not served.server.alive, "the thread to end")
    served.server.beat()

    assert served.ask()[0] == 200
    assert len(served.bench.logged("web.died")) == 1


def test_a_port_that_was_taken_meanwhile_is_tried_again(served: Served) -> None:
    """The work goes on without the page, and the log says why."""
    server = served.server._server
    assert server is not None
    assert served.ask()[0] == 200
    server.should_exit = True
    wait_for(lambda: not served.server.alive, "the thread to end")
    with socket.create_server(served.server.address):
        served.server.beat()
        alive = served.server.alive
    served.server._again_at = float("-inf")
    served.server.beat()

    assert not alive
    assert "cannot listen" in served.bench.logged("web.failed")[0]["why"]
    assert served.ask()[0] == 200


def test_stopping_frees_the_port(served: Served) -> None:
    """Also before it was started: a reload opens the next one in the same process."""
    served.ask()
    served.server.stop()
    served.server.stop()
    bind(served.server.address).close()

    assert not served.server.alive


@pytest.mark.parametrize(
    ("listen", "host", "answered"),
    [
        ("0.0.0.0", "10.1.2.3", True),
        ("0.0.0.0", "evil.example", False),
        ("0.0.0.0", socket.gethostname(), True),
        ("::", "[fd00::1]:80", True),
        ("10.1.2.3", "10.1.2.3:8787", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("files.office.lan", "Files.Office.Lan:80", True),
        ("files.office.lan", "files.office.lan.", True),
        ("files.office.lan", "office.lan", False),
        ("::1", "[0:0:0:0:0:0:0:1]", True),
    ],
)
def test_names_follow_the_configured_host(listen: str, host: str, answered: bool) -> None:
    """Where it listens everywhere an address in numbers is good, because no foreign name can be one."""
    assert hosts.allowed(listen).has(host) is answered


def test_both_places_follow_the_configuration(tmp_path: Path) -> None:
    """Neither, one or both; what is not wanted costs nothing."""
    with Bench(tmp_path) as bench:
        bench.start()
        view = View(bench.shop, bench.intake, f"{tmp_path}/state", {"events": "none", "scan_s": 30.0})
        known = configuration(tmp_path, status_page=False)
        none = Pages(known, bench.shop, view.facts, [], bench.shop.log)
        none.start()
        none.beat()
        none.stop()
        quiet = (bench.root / "STATUS.html").exists(), len(bench.shop.also_on_closed)
        one = Pages(configuration(tmp_path), bench.shop, view.facts, [], bench.shop.log)
        one.start()
        one.beat()
        wait_for((bench.root / "STATUS.html").exists, "the page")
        alive = one.alive
        one.stop()

    assert quiet == (False, 0)
    assert (alive, one.alive) == (True, False)
