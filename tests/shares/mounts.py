"""Real mounts for tests: memory disks, bind mounts, and a remote folder that sshfs brings over a pipe.

They need root, /dev/fuse and a few packages of the distribution. Without them the tests that ask for them are
skipped, in CI they fail.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.site import wait_for

_SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")


def require(*needed: str) -> None:
    """Skip the test, or fail it in CI, unless this is root and all of these are there: programs, or paths."""
    missing = [one for one in needed if not (os.path.exists(one) if one.startswith("/") else program(one))]
    reason = "only root can mount" if os.geteuid() else f"not installed: {', '.join(missing)}" if missing else ""
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def program(name: str) -> str | None:
    """Where a program is; servers are often in folders that are on root's path alone."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def sftp_server() -> str:
    return next((one for one in _SFTP_SERVERS if os.path.exists(one)), _SFTP_SERVERS[0])


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def remount(at: Path, how: str) -> None:
    """Make it read-only (`ro`) or writable (`rw`), as soon as nobody is in the middle of writing."""
    command = ["mount", "-o", f"remount,{how}", str(at)]
    wait_for(lambda: subprocess.run(command, check=False, capture_output=True).returncode == 0, "the disk to obey")


def unmount(at: Path) -> None:
    """Take everything away that is mounted there, whatever uses it or has died."""
    while subprocess.run(["umount", "-l", str(at)], check=False, capture_output=True).returncode == 0:
        pass


@contextlib.contextmanager
def mounted(at: Path) -> Iterator[Path]:
    """A mount point that is free again at the end of the block, however that ends."""
    at.mkdir(parents=True, exist_ok=True)
    try:
        yield at
    finally:
        unmount(at)


@contextlib.contextmanager
def memory_disk(at: Path, options: str) -> Iterator[Path]:
    """A tmpfs with options such as `size=4m,nr_inodes=100`."""
    require("mount", "umount")
    with mounted(at):
        mount("-t", "tmpfs", "-o", options, "tmpfs", at)
        yield at


class Bound:
    """A folder shown at another place; it goes away and comes back in no time."""

    def __init__(self, there: Path, here: Path) -> None:
        self.there = there
        self.here = here

    def mount(self) -> Self:
        mount("--bind", self.there, self.here)
        return self

    def detach(self) -> None:
        unmount(self.here)


class Remote:
    """The folder `there`, mounted at `here` through sshfs and an SFTP server, with a socket between the two."""

    def __init__(self, there: Path, here: Path) -> None:
        self.there = there
        self.here = here
        self.options: tuple[str, ...] = ()
        self._server: subprocess.Popen[bytes] | None = None
        self._client: subprocess.Popen[bytes] | None = None

    def mount(self, *options: str) -> Self:
        """Mount it; `options` are those of sshfs, and kept for the next time."""
        self.end()
        self.options = options or self.options
        chosen = [word for option in self.options for word in ("-o", option)]
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._server = subprocess.Popen(
                [sftp_server()], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.DEVNULL
            )
            self._client = subprocess.Popen(
                ["sshfs", "-f", "-o", "passive", *chosen, f":{self.there}", str(self.here)],
                stdin=ours.fileno(),
                stdout=ours.fileno(),
            )
        wait_for(lambda: os.path.ismount(self.here), "sshfs to mount", 20)
        return self

    def detach(self) -> None:
        """Unmount it under everybody's feet."""
        unmount(self.here)

    def die(self) -> None:
        """Kill what serves the mount: the mount stays, and every look at it is an error."""
        assert self._client is not None
        self._client.kill()
        self._client.wait()

    def cut(self) -> None:
        """End the server: sshfs notices, and gives up."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """The server answers nothing for the length of the block.

        Who waits for it cannot even be killed, so the block has to end before those processes can.
        """
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """No mount, no processes; repeatable."""
        for process in (self._client, self._server):
            if process is not None:
                process.kill()
                process.wait()
        unmount(self.here)
        self._client = self._server = None


@contextlib.contextmanager
def remote(there: Path, here: Path, *options: str) -> Iterator[Remote]:
    """A mounted `Remote`."""
    require("mount", "umount", "sshfs", "fusermount3", sftp_server(), "/dev/fuse")
    there.mkdir(parents=True, exist_ok=True)
    here.mkdir(parents=True, exist_ok=True)
    share = Remote(there, here)
    try:
        yield share.mount(*options)
    finally:
        share.end()


@contextlib.contextmanager
def bound(there: Path, here: Path) -> Iterator[Bound]:
    """A mounted `Bound`."""
    require("mount", "umount")
    there.mkdir(parents=True, exist_ok=True)
    with mounted(here):
        yield Bound(there, here).mount()
