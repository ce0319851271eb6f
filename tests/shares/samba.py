"""A Samba server on loopback, as an administrator would set one up, and people with `smbclient`.

Access is a matter of UNIX modes: the share's users are a group; the root belongs to the daemon and to this
group without the right to write; what the daemon makes below it has the mode that `outbox:` names, and the
group through the set-group-ID bit; `processing/` is closed by its own mode.
"""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.site import wait_for
from tests.shares.mounts import program

GUEST = "nobody"
SHARE = "translate"


class Samba:
    """A running server, and one person's client."""

    def __init__(self, folder: Path, port: int) -> None:
        self.configuration = folder / "smb.conf"
        self._port = port
        self._client = program("smbclient") or "smbclient"

    def command(self) -> list[str]:
        """A client without a password, as a program to start."""
        return [self._client, f"//127.0.0.1/{SHARE}", "-N", "-p", str(self._port), "-s", str(self.configuration)]

    def run(self, *lines: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """One session with these commands."""
        return subprocess.run(
            [*self.command(), "-c", "; ".join(lines)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=cwd,
        )

    def do(self, *lines: str, cwd: Path | None = None) -> str:
        """One session in which everything works; its output."""
        done = self.run(*lines, cwd=cwd)
        said = done.stdout + done.stderr

        assert done.returncode == 0, said
        assert "NT_STATUS" not in said, said
        return said

    def refused(self, line: str, cwd: Path | None = None) -> str:
        """What a command is refused with."""
        done = self.run(line, cwd=cwd)
        said = done.stdout + done.stderr
        words = [word.strip("(),.:") for word in said.split()]

        return next((word for word in words if word.startswith("NT_STATUS")), "")


_CONFIGURATION = """
[global]
workgroup = LOOPBACK
server role = standalone server
map to guest = Bad User
guest account = {guest}
smb ports = {port}
interfaces = 127.0.0.1/8
bind interfaces only = yes
disable netbios = yes
load printers = no
printcap name = /dev/null
disable spoolss = yes
rpc start on demand helpers = no
# Small requests and few at once, so that a copy of some megabytes takes many of them.
smb2 max write = 65536
smb2 max credits = 16
private dir = {own}/private
lock directory = {own}/lock
state directory = {own}/state
cache directory = {own}/cache
pid directory = {own}/pid
ncalrpc dir = {own}/ncalrpc
log file = {own}/smbd.log
max log size = 0
passdb backend = tdbsam:{own}/private/passdb.tdb

[{share}]
path = {root}
guest ok = yes
guest only = yes
read only = no
create mask = 0664
force create mode = 0664
directory mask = 2775
force directory mode = 2775
"""


@contextlib.contextmanager
def served(root: Path, own: Path) -> Iterator[Samba]:
    """Serve a folder; `own` is where the server keeps its things. It ends with the block."""
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
        (own / name).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    samba = Samba(own, port)
    samba.configuration.write_text(_CONFIGURATION.format(guest=GUEST, port=port, own=own, share=SHARE, root=root))
    with open(own / "smbd.out", "wb") as out:
        process = subprocess.Popen(
            [program("smbd") or "smbd", "-F", "--no-process-group", "-s", str(samba.configuration)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            # At its end it tells its whole process group to end.
            start_new_session=True,
        )
    try:
        wait_for(lambda: process.poll() is not None or samba.run("ls").returncode == 0, "Samba to answer", 30)

        assert process.poll() is None, (own / "smbd.out").read_text()
        yield samba
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
