"""The sandbox as a child process that ends with its parent, however that ends."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.request import ProxyHandler, Request, build_opener

from daemon.sandbox.addresses import Addresses

_STOP_S = 10.0
_LOG = "sandbox.log"
_INHERITED = frozenset({"HOME", "LANG", "LANGUAGE", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"})
# Loopback is asked directly, whatever proxies the environment names.
_DIRECT = build_opener(ProxyHandler({}))


class Running:
    """A running sandbox; as a context manager it is stopped at the end.

    The questions and orders go to the sandbox's own door (control.py) and raise urllib's errors.
    """

    def __init__(self, process: subprocess.Popen[bytes], addresses: Addresses, folder: Path) -> None:
        self.addresses = addresses
        self.folder = folder
        self._process = process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def base_url(self, service: str) -> str:
        """What a configuration names as `base_url` for this service."""
        return self.addresses.base_url(service)

    def ledger(self) -> list[dict[str, Any]]:
        """Every submission seen, as `ledger.Submission` describes it."""
        return cast("list[dict[str, Any]]", self._ask("GET", "ledger"))

    def requests(self, account: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
        """By service and verb the `count` of requests and the `times` of the last of them."""
        asked = f"requests?account={account}" if account else "requests"
        return cast("dict[str, dict[str, dict[str, Any]]]", self._ask("GET", asked))

    def leaks(self) -> list[dict[str, Any]]:
        """Credentials that arrived at the results' origin."""
        return cast("list[dict[str, Any]]", self._ask("GET", "leaks"))

    def outage(self, service: str, status: int | str, **more: Any) -> None:
        """Order an outage; see outages.Outage for the rest of the words."""
        self._ask("POST", "outage", {"service": service, "status": status, **more})

    def end_outages(self) -> None:
        self._ask("DELETE", "outage")

    def stop(self) -> None:
        """End the process and wait for it; repeatable."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _ask(self, method: str, what: str, body: dict[str, Any] | None = None) -> object:
        request = Request(  # noqa: S310  the address is our own child's, always http
            f"{self.addresses.api}/_sandbox/{what}",
            json.dumps(body).encode() if body else None,
            method=method,
        )
        with _DIRECT.open(request, timeout=_STOP_S) as answer:
            said = answer.read()
        return json.loads(said) if said else None


def start(
    folder: Path,
    *,
    port: int = 0,
    pace: tuple[float, float] = (0.0, 0.0),
    limits: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Running:
    """Start a sandbox whose files are in `folder` and return when it answers.

    The arguments are those of `server.serve`; what the process complains about is in `sandbox.log` there.
    Raises RuntimeError, with that text, when it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "daemon.sandbox", str(folder), "--until-stdin-ends"]
    command += ["--port", str(port), "--seed", str(seed), "--pace", f"{pace[0]}-{pace[1]}"]
    for name, value in (limits or {}).items():
        command += ["--limits", f"{name}={value}"]
    with open(folder / _LOG, "ab") as log:
        process = subprocess.Popen(  # noqa: S603  our own module, by our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_environment()
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line:
        return Running(process, Addresses(**json.loads(line)), folder)
    Running(process, Addresses(api="", results=""), folder).stop()
    raise RuntimeError((folder / _LOG).read_text(encoding="utf-8", errors="replace"))


def _environment() -> dict[str, str]:
    # The child must find this very package, wherever its parent was started. Keys of real services, which may
    # stand in the environment, are none of its business.
    here = str(Path(__file__).resolve().parents[2])
    known = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(("LC_", "PYTHON"))
    }
    return {**known, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
