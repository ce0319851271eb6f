"""No key and no signature is found anywhere, whatever happens: planted ones are looked for in every artefact.

The keys come from everywhere a key can come from. The files go through success, failure, lost answers, error pages,
services that repeat the key they were given, steps that break with the key in their words, and kills.
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from daemon.log import REDACTED
from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running, start
from tests.e2e.site import Daemon, Site, wait_for
from tests.rawserver import Exchange, RawServer, message

# Each has a word of its own in the middle, which stays readable however the characters around it are escaped.
KEYS = {
    "gpttranslator": "sandbox-/QqGptCanaryQq+7==",
    "voicecheap": "vc_sandbox/QqVoiceCanaryQq+7==",
    "doctranslate": "sandbox-/QqInlineCanaryQq+7==",
    "azure": "sandbox-/QqAzureCanaryQq+7==",
    "cambai": "sandbox-/QqCredentialCanaryQq+7==",
    "source": "sandbox-/QqSourceCanaryQq+7==",
    "target": "sandbox-/QqTargetCanaryQq+7==",
    "hostile": "hostile-/QqHostileCanaryQq+7==",
}
_WORD = re.compile(r"Qq\w+Qq")
_SIGNED = re.compile(
    rb"(?:X-Amz-Signature|X-Amz-Credential|signature|[?&;]sig)(?:=|%3D)(?!\[redacted\])", re.IGNORECASE
)

# What a hostile service does, by the name of its provider, and how the file ends (None: it waits).
_HOSTILE: Mapping[str, str | None] = {
    "wrong-key": None,
    "unpaid": None,
    "throttling": None,
    "rejecting": "submit.rejected",
    "broken": "submit.uncertain",
    "page": "submit.uncertain",
    "resetting": "submit.uncertain",
    "signing": "submit.rejected",
}
_STATUS = {
    "wrong-key": 401,
    "unpaid": 402,
    "throttling": 429,
    "rejecting": 422,
    "broken": 500,
    "page": 200,
    "signing": 400,
}
_DROPS = {
    "gpttranslator/fr/good.txt": True,
    "gpttranslator/fr/bad~fail.txt": False,
    "gpttranslator/fr/lost~lost.txt": False,
    "gpttranslator/fr/page~html-1.txt": True,
    "voicecheap/es/talk.mp3": True,
    "doctranslate/vi/report.pdf": True,
    "doctranslate/vi/late~expired.pdf": True,
    "azure/pt-PT/letter.txt": True,
    "cambai/it/letter.txt": True,
}

# The daemon as it is, but for one step and one heartbeat that break with the key in their words.
_BREAKING = """
import base64, json, os, threading
from urllib.parse import quote
from daemon.app import App
from daemon.cli import main
from daemon.submission import Submissions

real_submit, real_beat = Submissions._submit, App.beat

def breaks(key):
    try:
        raise ValueError("https://localhost/?token=" + quote(key, safe=""), {"key": key.encode()})
    except ValueError as error:
        raise RuntimeError(f"broke with {key}, {json.dumps(key)}, {base64.b64encode(key.encode())}") from error

def submit(self, desk, job, place):
    if "breaks" in job.name:
        breaks(desk.settings.api_key.read())
    real_submit(self, desk, job, place)

def beat(self):
    if os.path.exists(os.environ["BREAK_FILE"]):
        key = self.config.providers["gpttranslator"].api_key.read()
        thread = threading.Thread(target=breaks, args=(key,))
        thread.start()
        thread.join()
        breaks(key)
    real_beat(self)

Submissions._submit, App.beat = submit, beat
main()
"""


@dataclass
class Artefacts:
    """Everything that the daemon has left behind or shown, by a name for it."""

    found: dict[str, bytes] = field(default_factory=dict)

    def tree(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            self.found[f"the name {path}"] = os.fsencode(path)
            if path.is_file():
                self.found[str(path)] = path.read_bytes()

    def process(self, pid: int) -> None:
        """What everybody can see of a process, and of what it has started."""
        self.found[f"command line of {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes()

    def leaks(self) -> list[str]:
        forms = {form: name for name, key in KEYS.items() for form in _forms(key)}
        wanted = re.compile(b"|".join(map(re.escape, forms)), re.IGNORECASE)
        lower = {form.lower(): name for form, name in forms.items()}
        found = [
            f"{lower[hit[0].lower()]} in {where}: …{_around(data, hit)}…"
            for where, data in self.found.items()
            for hit in wanted.finditer(data)
        ]
        return found + [
            f"signature in {where}: …{_around(data, hit)}…"
            for where, data in self.found.items()
            for hit in _SIGNED.finditer(data)
        ]


def _around(data: bytes, hit: re.Match[bytes]) -> str:
    return data[max(0, hit.start() - 80) : hit.end() + 40].decode(errors="replace")


def _forms(key: str) -> Iterator[bytes]:
    """The word of a key, plain (then no escape changes it), and as base64 wherever it stands in the encoded text."""
    [word] = _WORD.findall(key)
    yield word.encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + word.encode())
        # The ends also depend on what stands around.
        yield encoded[4:-4]
        yield encoded[4:-4].replace(b"+", b"-").replace(b"/", b"_")


def _echo(exchange: Exchange) -> None:
    """Repeat what was sent to authenticate, as services do that want to be helpful."""
    exchange.read()
    name = exchange.target.split("/")[1]
    if name == "resetting":
        exchange.reset()
        return
    told = f"Invalid credentials: {exchange.headers.get('x-api-key') or exchange.headers.get('authorization')}"
    if name == "signing":
        [document] = json.loads(exchange.body)["inputs"]
        told = f"Cannot access {document['source']['sourceUrl']} or {document['targets'][0]['targetUrl']} now."
    if name == "page":
        exchange.send(message(200, f"<html><body>{told}</body></html>".encode(), {"content-type": "text/html"}))
        return
    error = {"code": "Odd", "message": told}
    exchange.send(message(_STATUS[name], {"error": error, "message": told, "detail": told}))


class Canary(Site):
    """A site with all five services, their keys from everywhere, and hostile ones besides."""

    def __init__(self, base: Path, sandbox: Running, hostile: RawServer) -> None:
        super().__init__(base, sandbox)
        secrets = base / "secrets"
        secrets.mkdir(mode=0o700)
        sas = {
            name: container_url(sandbox.addresses, name).replace("sandbox-signature", quote(KEYS[name], safe=""))
            for name in ("source", "target")
        }
        for name, content in {**KEYS, **sas}.items():
            (secrets / name).write_text(content + "\n")
            (secrets / name).chmod(0o600)
        self.environment |= {
            "GPT_KEY": KEYS["gpttranslator"],
            "AZURE_KEY": KEYS["azure"],
            "HOSTILE_KEY": KEYS["hostile"],
            "SOURCE_SAS": sas["source"],
            "CREDENTIALS_DIRECTORY": str(secrets),
            "BREAK_FILE": str(base / "break"),
        }
        self.environment.pop("SANDBOX_KEY")
        storage = f"{{source: {{env: SOURCE_SAS}}, target: {{file: {secrets}/target}}}}"
        quick = "poll: {every: 100ms, at_most: 500ms}"
        results = f'result_hosts: ["{sandbox.addresses.results_host}"]'
        gpt = "source_language: en, languages: [fr], options: {model: gpt-4.1-mini-2025-04-14}"
        entries = {
            "gpttranslator": f"api_key: {{env: GPT_KEY}}, {gpt}",
            "voicecheap": f"api_key: {{file: {secrets}/voicecheap}}, languages: [es], rate: null, {results}",
            "doctranslate": f'api_key: "{KEYS["doctranslate"]}", languages: [vi], {results}',
            "azure": f"api_key: {{env: AZURE_KEY}}, languages: [pt-PT], storage: {storage}",
            "cambai": "api_key: {credential: cambai}, source_language: en, languages: [it]",
        }
        text = f"root: {self.root}\nstate: {self.state}\nwatch: {{settle: 300ms, rescan: 5s}}\nlog: {{level: debug}}\n"
        text += "providers:\n"
        for name, entry in entries.items():
            text += f"  {name}: {{base_url: {sandbox.base_url(name)}, {quick}, {entry}}}\n"
        for name in _HOSTILE:
            entry = f"kind: gpttranslator, api_key: {{env: HOSTILE_KEY}}, account: {name}, {gpt}"
            if name == "signing":
                entry = f"kind: azure, api_key: {{env: HOSTILE_KEY}}, languages: [fr], storage: {storage}"
            text += f"  {name}: {{base_url: {hostile.origin}/{name}, {quick}, {entry}}}\n"
        self.config.write_text(text)
        self.config.chmod(0o600)

    def drop_all(self) -> None:
        for path in [*_DROPS, *(f"{name}/fr/letter.txt" for name in _HOSTILE)]:
            content = f"A letter about {path}.\n".encode()
            if path.endswith(".pdf"):
                content = b"%PDF-1.4\n% " + content + b"%%EOF\n"
            if path.endswith(".mp3"):
                content = b"ID3\x04\x00\x00\x00\x00\x00\x00" + content
            self.inbox(path).write_bytes(content)

    def is_over(self, daemon: Daemon) -> bool:
        """Whether all that can end has ended, and all else has said why it waits."""
        delivered = [path for path, good in _DROPS.items() if good]
        failed = [path for path, good in _DROPS.items() if not good]
        failed += [f"{name}/fr/letter.txt" for name, code in _HOSTILE.items() if code]
        waits = {line["provider"] for line in daemon.lines("account.closed")}
        return (
            len(self.files("outbox")) == len(delivered)
            and set(self.failed()) == set(failed)
            and {"wrong-key", "unpaid"} <= waits
            and bool(daemon.lines("step.broke"))
        )


class Breaking(Daemon):
    """A daemon of which one step breaks, and its heartbeat as soon as the file `break` is there."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.kill()
        self._start = self._err.tell()
        command = [sys.executable, "-c", _BREAKING, "run", "-c", str(site.config)]
        self.process = subprocess.Popen(command, stdout=self._err, stderr=self._err, env=site.environment)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    limits = {f"{name}.submit": "none" for name in ("voicecheap",)} | {"voicecheap.status": "none"}
    with ExitStack() as stack:
        sandbox = stack.enter_context(start(tmp_path / "services", pace=(0.1, 0.5), limits=limits))
        hostile = stack.enter_context(RawServer(_echo))
        yield Canary(tmp_path, sandbox, hostile)


def _ask_everything(site: Canary, artefacts: Artefacts) -> None:
    """Every command that tells something, about every file that ended badly."""
    c = ["-c", str(site.config)]
    asked = [["check", *c], ["status", *c], ["status", "--json", *c], ["repair", *c]]
    asked += [["languages", name, *c] for name in ("gpttranslator", "azure", "cambai")]
    asked += [["why", str(site.root / "failed" / path), *c] for path in site.failed()]
    asked += [["why", job.id, *c] for job in site.jobs().values() if job.alive]
    for command in asked:
        done = site.command(*command)
        artefacts.found[f"what {command[:2]} prints"] = (done.stdout + done.stderr).encode()

        assert "Traceback" not in done.stderr, command


def _children(pid: int) -> str:
    return "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))


@pytest.mark.long
def test_no_key_is_found_anywhere(canary: Canary) -> None:
    """Journal, spool, sidecars, logs, snapshots, answers of commands, process lists: not in any spelling."""
    artefacts = Artefacts()
    canary.drop_all()
    with canary.daemon() as daemon:
        daemon.started()
        wait_for(lambda: len(canary.files("outbox")) >= 2, "some work to be done")
        artefacts.tree(canary.root)
        artefacts.tree(canary.state)
        daemon.kill()
    with Breaking(canary) as daemon:
        daemon.started()
        canary.inbox("gpttranslator/fr/breaks.txt").write_bytes(b"This one breaks.\n")
        wait_for(lambda: canary.is_over(daemon), "everything to end or to wait", 120)
        artefacts.process(daemon.process.pid)

        assert _children(daemon.process.pid) == "", "the daemon starts nobody who would inherit the keys"
        _ask_everything(canary, artefacts)
        retried = canary.command("retry", str(canary.root / "failed/rejecting/fr/letter.txt"), "-c", str(canary.config))
        artefacts.found["what retry prints"] = (retried.stdout + retried.stderr).encode()
        wait_for(lambda: len(daemon.lines("job.failed")) > 0, "a retried file to fail again")
        (canary.base / "break").touch()

        assert daemon.process.wait(60) == 1
        broke = daemon.lines("step.broke") + daemon.lines("thread.broke") + daemon.lines("daemon.broke")
    (canary.base / "break").unlink()
    artefacts.found["what once prints"] = str(canary.once("--for", "3s")).encode()
    _ask_everything(canary, artefacts)
    for folder in (canary.root, canary.state):
        artefacts.tree(folder)
    for path in (
        canary.base / "daemon.log",
        canary.base / "services/ledger.jsonl",
        canary.base / "services/sandbox.log",
    ):
        artefacts.found[str(path)] = path.read_bytes()

    assert artefacts.leaks() == []
    # It was all there to be found: the words of services and of tracebacks, without the keys.
    assert {line["event"] for line in broke} == {"step.broke", "thread.broke", "daemon.broke"}
    for line in broke:
        assert line["exception"].count(REDACTED) >= 4, line["exception"]
        assert "direct cause" in line["exception"]
    for name, code in _HOSTILE.items():
        if code is not None:
            assert canary.failed()[f"{name}/fr/letter.txt"]["error"]["code"] == code
    assert REDACTED in canary.failed()["rejecting/fr/letter.txt"]["error"]["provider_message"]


def test_the_search_finds_what_is_there() -> None:
    """A key is found plain, escaped and in the middle of an encoded text; a signature by its name."""
    for name, key in KEYS.items():
        for told in (key, quote(key, safe=""), json.dumps(key).replace("/", "\\/"), repr(key)):
            artefacts = Artefacts({"there": told.encode()})

            assert [leak.split(" ")[0] for leak in artefacts.leaks()] == [name]
        for before in ("", "a", "ab", "user:"):
            encoded = base64.urlsafe_b64encode(f"{before}{key} and more".encode())

            assert Artefacts({"there": encoded}).leaks()
    assert Artefacts({"there": b"https://x/?a=1&X-Amz-Signature=abc"}).leaks()
    assert Artefacts({"there": b"https://x/?a=1&sig=[redacted]"}).leaks() == []
