"""The unit: what it promises, what systemd says of it, and that the daemon works inside it."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.child import Running
from daemon.setup import unit as fitting
from daemon.setup.answers import SYSTEM, Answers, credential_file, languages, provider
from daemon.setup.answers import key as key_of
from tests.e2e.site import KEY, Site, sandbox_in, wait_for
from tests.notified import Notified
from tests.unit import ANALYZE, GROWING_DELAY, HERE, OFFICE, UID, UNIT, confined, own, settings, specification

_TEXT = UNIT.read_text()
_UNIT = settings(_TEXT)
_MOST_EXPOSED = 12
"""Tenths."""
_PROGRAM = "/opt/babeldrop/bin/babeldrop"


def _answers(**more: str) -> Answers:
    entry = replace(languages(provider("gpttranslator:fr")), source="en", key=key_of("credential:gpttranslator"))
    return Answers(folder=SYSTEM, entries=(entry,), user="babeldrop", **more).with_defaults()


_AT_HOME = "/home/ana/share"
_FITTED = {
    "shipped": (None, _MOST_EXPOSED),
    "no group": (_answers(), _MOST_EXPOSED),
    "a group": (_answers(group="office"), _MOST_EXPOSED),
    # Home directories have to be seen, for reading only.
    "a share below /home": (_answers(root=_AT_HOME, group="office"), _MOST_EXPOSED + 1),
}
"""What was answered (None: the unit as it comes), and how exposed the unit may be at most."""


def _text(which: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The unit for a program in its usual place; that of a checkout may lie below /home or /tmp."""
    answers, _ = _FITTED[which]
    monkeypatch.setattr(fitting, "program", lambda: [_PROGRAM])
    return fitting.render(answers, "babeldrop") if answers else _TEXT


each_unit = pytest.mark.parametrize("which", _FITTED)

needs_systemd = pytest.mark.skipif(
    not ANALYZE and os.environ.get("CI") != "true", reason="systemd-analyze is not installed (package systemd)"
)


def test_unit_is_watched_and_waits_for_no_share() -> None:
    """Told by notify, watched, reloaded by SIGHUP; ordered behind remote file systems without requiring any."""
    assert _UNIT["Type"] == ["notify"]
    assert _UNIT["NotifyAccess"] == ["main"]
    assert int(_UNIT["WatchdogSec"][-1]) >= 60
    assert _UNIT["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert "remote-fs.target" in _UNIT["After"][-1].split()
    assert not {"Requires", "BindsTo", "RequiresMountsFor", "PartOf"} & _UNIT.keys()
    assert "2" in _UNIT["RestartPreventExitStatus"]


@each_unit
def test_each_relaxed_line_says_why(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not as closed as it could be stands below a comment that begins with the word."""
    lines = _text(which, monkeypatch).splitlines()
    relaxed = [
        number
        for number, line in enumerate(lines)
        if re.fullmatch(r"(Protect|Private|Restrict|Lock|Memory|NoNew|Remove)\w+=(no|false|read-only|tmpfs)", line)
        or line.startswith("RestrictAddressFamilies=")
    ]

    assert len(relaxed) == (3 if "/home" in which else 2)
    for number in relaxed:
        above = number - 1
        while lines[above].startswith("#") and not lines[above].startswith("# Relaxed: "):
            above -= 1

        assert lines[above].startswith("# Relaxed: "), lines[number]


def test_keys_lie_where_every_command_looks_for_them() -> None:
    """`init`, `doctor` and the unit name the same file for a credential; one is named, another is an example."""
    lines = re.findall(r"^(#?)LoadCredential=(.+):(.+)$", _TEXT, re.MULTILINE)

    assert [mark for mark, _, _ in lines] == ["", "#"]
    assert all(path == str(credential_file(SYSTEM, name)) for _, name, path in lines)


@needs_systemd
@each_unit
def test_unit_is_as_closed_as_promised(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exposure that systemd itself finds is at most 1.2, and no more than a tenth above it below /home."""
    copy = tmp_path / UNIT.name
    copy.write_text(_text(which, monkeypatch))
    _, most = _FITTED[which]
    command = [str(ANALYZE), "security", "--offline=true", f"--threshold={most}", "--no-pager", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def _verified(folder: Path, text: str, *, drop_in: bool = False) -> "subprocess.CompletedProcess[str]":
    """What systemd says of the unit, with the program in another place, where there is one."""
    program = folder / "babeldrop"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = folder / UNIT.name
    copy.write_text(text.replace(_PROGRAM, str(program)))

    assert str(program) in copy.read_text()

    if drop_in:
        beside = folder / f"{UNIT.name}.d"
        beside.mkdir()
        shutil.copy(GROWING_DELAY, beside)
    command = [str(ANALYZE), "verify", "--man=no", str(copy)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_systemd
@each_unit
def test_unit_is_understood_without_a_word(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is to be remarked on it, as soon as the program lies where the unit says."""
    done = _verified(tmp_path, _text(which, monkeypatch))

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_growing_delay_is_understood_by_systemd_that_knows_it(tmp_path: Path) -> None:
    """Since 254 without a word; an older one passes over exactly its two keys, which is why it stands apart."""
    version = subprocess.run([str(ANALYZE), "--version"], capture_output=True, text=True, check=True).stdout
    done = _verified(tmp_path, _TEXT, drop_in=True)
    unknown = set(re.findall(r"Unknown key '(\w+)' in section \[Service\], ignoring", done.stderr))
    rest = [line for line in done.stderr.splitlines() if "Unknown key" not in line]

    assert done.returncode == 0
    assert rest == []
    assert unknown == (set() if int(version.split()[1]) >= 254 else {"RestartSteps", "RestartMaxDelaySec"})


# -- the daemon within it -------------------------------------------------------------------------------------


class Inside:
    """A site whose daemon runs as the unit has it, as far as this machine lets that be."""

    def __init__(self, base: Path, sandbox: Running, unit: dict[str, list[str]], uid: int) -> None:
        base.mkdir()
        self.unit = unit
        self.uid = uid
        self.site = Site(base, sandbox)
        self.credentials = base / "credentials"
        self.credentials.mkdir()
        (self.credentials / "sandbox").write_text(KEY)
        text = self.site.config.read_text().replace("{env: SANDBOX_KEY}", "{credential: sandbox}")
        self.site.config.write_text(text)
        self.site.config.chmod(0o640)
        for folder, mode in ((self.site.root, 0o2775), (self.site.state, 0o700)):
            folder.mkdir()
            folder.chmod(mode)
        own(base, uid)
        if os.geteuid() == 0:
            # As an office has it: what lies in the share belongs to a group, in which the daemon is one of many.
            os.chown(self.site.root, uid, OFFICE)
            self.site.root.chmod(0o2775)
        self.log = base / "daemon.log"

    def start(self, *command: str, **more: Any) -> "subprocess.Popen[bytes]":
        spec = specification(self.unit, self.site.base, uid=self.uid, groups=[OFFICE], **more)
        environment = {
            "PATH": "/usr/bin:/bin",
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with self.log.open("ab") as target:
            return subprocess.Popen(
                confined(spec, sys.executable, *command),
                stdout=target,
                stderr=target,
                stdin=subprocess.DEVNULL,
                env={**environment, **more.get("environment", {})},
                cwd="/",
            )

    def told(self) -> dict[str, str]:
        """Which restrictions were in force."""
        return dict(json.loads(self.log.read_text().splitlines()[0]))


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    with contextlib.ExitStack() as held:
        base, uid = tmp_path, UID
        if os.geteuid() == 0 and not _may_mount():
            # It cannot give another user what that one would not reach: files lie where everybody comes, and where
            # the program does not, root itself works without its powers.
            base = Path(held.enter_context(tempfile.TemporaryDirectory()))
            base.chmod(0o711)
            needed = (base, HERE, Path(sys.prefix), Path(sys.base_prefix))
            uid = UID if all(map(_all_pass, needed)) else 0
        sandbox = held.enter_context(sandbox_in(base))
        yield Inside(base / "unit", sandbox, _UNIT, uid)


def _all_pass(path: Path) -> bool:
    return all(one.stat().st_mode & 1 for one in (path, *path.resolve().parents))


def _may_mount() -> bool:
    """CAP_SYS_ADMIN, which a container's root may be without."""
    [powers] = re.findall(r"^CapEff:\s+([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return bool(int(powers, 16) >> 21 & 1)


def _enforced(inside: Inside) -> None:
    """Root gets everything, others what can be had without; the filters need systemd's names of calls."""
    wanted = {"powers", "rules", "calls"} if ANALYZE else {"powers"}
    if os.geteuid() == 0:
        wanted |= {"namespaces", "system", "processes", "users"} if _may_mount() else {"users"}
    told = inside.told()

    assert {what for what in wanted if told.get(what) != "yes"} == set(), told


def test_daemon_works_inside_its_unit(inside: Inside) -> None:
    """No privileges, a read-only system, no other user, few calls: what a colleague drops is delivered to the group."""
    site = inside.site
    with Notified() as said:
        environment = {"NOTIFY_SOCKET": said.address, "WATCHDOG_USEC": "4000000"}
        process = inside.start("-m", "daemon", "run", "-c", str(site.config), environment=environment)
        try:
            wait_for(lambda: said.count("READY=1") or process.poll() is not None, "the daemon to start")

            assert process.poll() is None, inside.log.read_text()
            _enforced(inside)

            letter, talk = (
                site.root / "inbox" / path for path in ("gpttranslator/fr/letter.txt", "voicecheap/es/talk.mp3")
            )
            wait_for(lambda: letter.parent.is_dir() and talk.parent.is_dir(), "the daemon's own folders")
            letter.write_bytes(b"letter\n")
            talk.write_bytes(b"ID3 talk")
            wait_for(lambda: len(site.files("outbox")) == 2 or process.poll() is not None, "the deliveries")
            wait_for(lambda: said.count("WATCHDOG=1") >= 2, "signs of life")
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()
            code = process.wait(30)
    result = site.root / "outbox/gpttranslator/fr/letter.txt"

    assert code == 0, inside.log.read_text()
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert result.stat().st_mode & 0o7777 == 0o664
    assert result.parent.stat().st_mode & 0o7777 == 0o2775
    assert (site.state / "journal.jsonl").stat().st_mode & 0o077 == 0
    if os.geteuid() == 0:
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
        assert re.search(rf"^Uid:\s+{inside.uid}\s", status, re.MULTILINE)
        assert (result.stat().st_uid, result.stat().st_gid) == (inside.uid, OFFICE)
        assert result.parent.stat().st_gid == OFFICE


@needs_systemd
def test_folders_for_a_group_are_why_one_line_is_relaxed(inside: Inside) -> None:
    """With RestrictSUIDSGID=yes a folder cannot get its set-group-ID bit; as the unit stands it does."""
    script = "import os, sys; os.mkdir(sys.argv[1]); os.chmod(sys.argv[1], 0o2775)"
    codes = [
        inside.start("-c", script, str(inside.site.base / str(no_sxid)), no_sxid=no_sxid).wait(30)
        for no_sxid in (False, True)
    ]

    assert codes == [0, 1]
    assert "PermissionError" in inside.log.read_text()


@needs_systemd
def test_nothing_needs_memory_that_is_written_and_executed(inside: Inside) -> None:
    """Every module and every library behind an extra loads and works where no memory may be both."""
    script = """\
import importlib, mmap, pkgutil
import daemon
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    print("refused")
for module in pkgutil.walk_packages(daemon.__path__, "daemon."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import apprise, azure.identity, jinja2, prometheus_client, uvicorn
print("loaded")
"""
    code = inside.start("-c", script).wait(60)

    assert code == 0, inside.log.read_text()
    assert inside.log.read_text().splitlines()[1:] == ["refused", "loaded"]
