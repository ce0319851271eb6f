"""The sandbox as a process: its start, its end, its ports, and how much it can take."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

from daemon.sandbox.addresses import Addresses
from daemon.sandbox.child import Running, start
from daemon.sandbox.limits import Limits, Turnstile, Window, read_overrides
from daemon.sandbox.server import serve

FORM = {"sourceLang": "en", "targetLang": "fr", "model": "gpt-4.1-mini-2025-04-14"}
SUBMIT = "/v1/translation/document-translation/api"
PARENT = """
import sys, time
from pathlib import Path
from daemon.sandbox.child import start
print(start(Path(sys.argv[1])).addresses.api, flush=True)
time.sleep(600)
"""


def port_of(origin: str) -> int:
    port = urlsplit(origin).port
    assert port is not None
    return port


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < deadline, "it never came"


def answers(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/_sandbox/ledger", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def two_free_ports() -> int:
    """A port that is free together with the next one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = int(one.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port


def test_stop_ends_the_process(tmp_path: Path) -> None:
    """After the with block nothing answers any more, and stopping again does no harm."""
    with start(tmp_path) as running:
        during = answers(running.addresses.api)
    running.stop()

    assert during
    assert not running.alive()
    assert not answers(running.addresses.api)


def test_stop_does_not_wait_for_silence(tmp_path: Path) -> None:
    """A client that waits for an answer that never comes does not keep the sandbox alive."""
    with start(tmp_path) as running:
        running.outage("gpttranslator", "hang")
        parts = urlsplit(running.addresses.api)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(
                b"GET /gpttranslator/v1/translation/document-translation-status/1 HTTP/1.1\r\nhost: a\r\n\r\n"
            )
            until(lambda: "gpttranslator" in running.requests())
            began = time.monotonic()
            running.stop()
            took = time.monotonic() - began

    assert took < 5


def test_sandbox_dies_with_its_parent(tmp_path: Path) -> None:
    """When the process that started it is killed, the sandbox ends by itself."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        origin = parent.stdout.readline().decode().strip()
        during = answers(origin)
        parent.kill()
    until(lambda: not answers(origin))

    assert during


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the process with code 0."""
    command = [sys.executable, "-m", "daemon.sandbox", str(tmp_path), "--pace", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        announced = json.loads(cast("IO[bytes]", process.stdout).readline())
        during = answers(announced["api"])
        process.send_signal(number)

    assert during
    assert process.returncode == 0


def test_serve_gives_the_signals_back(tmp_path: Path) -> None:
    """Serving in this very process ends at SIGTERM, after which the handlers are the old ones."""
    before = signal.getsignal(signal.SIGTERM)
    seen: list[Addresses] = []

    def ready(addresses: Addresses) -> None:
        seen.append(addresses)
        os.kill(os.getpid(), signal.SIGTERM)

    serve("127.0.0.1", 0, tmp_path, (0.0, 0.0), ready)

    assert len(seen) == 1
    assert signal.getsignal(signal.SIGTERM) == before


def test_wanted_port_is_taken_and_the_next(tmp_path: Path) -> None:
    """With a port the API is there and the results are on the next one."""
    port = two_free_ports()
    with start(tmp_path, port=port) as running:
        addresses = running.addresses

    assert addresses == Addresses(api=f"http://127.0.0.1:{port}", results=f"http://127.0.0.1:{port + 1}")
    assert addresses.base_url("voicecheap") == f"http://127.0.0.1:{port}/voicecheap"
    assert addresses.results_host == f"127.0.0.1:{port + 1}"


def test_taken_port_is_an_error(tmp_path: Path) -> None:
    """A port that somebody else has is said, instead of a sandbox that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RuntimeError, match="in use"):
        start(tmp_path, port=taken.getsockname()[1])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("voicecheap.status", "often", "30/60s"),
        ("voicecheap.status", "0/60s", "30/60s"),
        ("voicecheap.jobs", "few", "a number or none"),
        ("voicecheap.colour", "1", "no such limit"),
        ("nobody.status", "1/1s", "no such limit"),
        ("status", "1/1s", "no such limit"),
    ],
)
def test_wrong_limit_is_an_error(name: str, value: str, said: str) -> None:
    """A limit that cannot be read is refused with the form it should have."""
    documented = {"voicecheap": Limits(windows={"status": Window(30, 60.0)}, jobs=5)}
    with pytest.raises(ValueError, match=said):
        read_overrides(documented, {name: value})


def test_wrong_limit_stops_the_start(tmp_path: Path) -> None:
    """The sandbox does not come up with a limit that it cannot read, and says why."""
    with pytest.raises(RuntimeError, match="no such limit"):
        start(tmp_path, limits={"nobody.status": "1/1s"})


def test_limits_are_replaced_one_by_one() -> None:
    """An override changes its limit alone."""
    documented = {"voicecheap": Limits(windows={"status": Window(30, 60.0)}, jobs=5, bytes=100)}
    overrides = {"voicecheap.jobs": "none", "voicecheap.delete": "1/2.5s"}

    assert read_overrides(documented, overrides) == {
        "voicecheap": Limits(windows={"status": Window(30, 60.0), "delete": Window(1, 2.5)}, jobs=None, bytes=100)
    }
    assert read_overrides(documented, {"voicecheap.status": "none", "voicecheap.bytes": "7"}) == {
        "voicecheap": Limits(windows={}, jobs=5, bytes=7)
    }


def test_window_counts_what_it_admits() -> None:
    """In no window of its length more requests pass than allowed; refused ones take no room."""
    turnstile, window = Turnstile(), Window(2, 10.0)
    moments = [0.0, 4.0, 5.0, 9.9, 10.0, 13.9, 14.0]
    passed = [moment for moment in moments if turnstile.admit("s", "v", "a", window, moment)]

    assert passed == [0.0, 4.0, 10.0, 14.0]


def submit_many(running: Running, number: int) -> Iterator[int]:
    with (
        httpx.Client(base_url=running.base_url("gpttranslator"), headers={"x-api-key": "sandbox-key"}) as http,
        ThreadPoolExecutor(8) as pool,
    ):

        def submit(index: int) -> int:
            files = {"file": (f"note{index}.txt", f"Hello number {index}".encode())}
            return http.post(SUBMIT, data=FORM, files=files).status_code

        yield from pool.map(submit, range(number))


def test_many_submissions_are_taken_quickly(tmp_path: Path) -> None:
    """Five hundred small submissions are taken within seconds, each with a line and an id of its own."""
    with start(tmp_path) as running:
        began = time.monotonic()
        codes = list(submit_many(running, 500))
        took = time.monotonic() - began
        ledger = running.ledger()

    assert codes == [201] * 500
    assert took < 20
    assert len({entry["remote_id"] for entry in ledger}) == 500
    assert [entry["seq"] for entry in ledger] == list(range(1, 501))


def peak_memory_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


class Blocks:
    """A film of many bytes that are nowhere."""

    def __init__(self, size: int) -> None:
        self.size, self.at = size, 0

    def read(self, size: int = -1) -> bytes:
        block = b"\x17" * min(self.size - self.at, size if size >= 0 else self.size)
        self.at += len(block)
        return block

    def seek(self, at: int, whence: int = 0) -> int:
        self.at = at + (self.size if whence == 2 else 0)
        return self.at

    def tell(self) -> int:
        return self.at


def test_large_upload_and_download_cost_no_memory(tmp_path: Path) -> None:
    """A film of 200 MB goes in and comes out while the sandbox's memory grows by a few."""
    size = 200_000_000
    with start(tmp_path) as running:
        base, key = running.base_url("voicecheap"), {"x-api-key": "sandbox-key"}
        with httpx.Client(base_url=base, headers=key, timeout=120) as http:
            http.get("/v1/translate/warm-up/status")
            before = peak_memory_kb(running.pid)
            files: Any = {"file": ("long.mp4", Blocks(size), "video/mp4")}
            ref = http.post("/v1/translate", data={"targetLanguage": "french"}, files=files).json()["projectId"]
            url = http.get(f"/v1/translate/{ref}/status").json()["translatedVideoUrl"]
        received = 0
        with httpx.stream("GET", url) as result:
            for block in result.iter_raw():
                received += len(block)
        grown = peak_memory_kb(running.pid) - before
        recorded = running.ledger()[-1]["size"]

    assert (received, recorded) == (size, size)
    assert grown < 30_000
