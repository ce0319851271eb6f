"""Azurite, the emulator of Azure's blob storage, as a process of its own for as long as a test wants it.

It comes from npm: `npm install --no-save --prefix .azurite azurite@3` puts it where it is looked for. Without it
the tests that need it are skipped, in CI they fail.
"""

import base64
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

_ACCOUNT = "babeldrop"
_PROGRAM = Path(__file__).parents[1] / ".azurite/node_modules/.bin/azurite-blob"
_READY = "successfully listens on "
_STOP_S = 10.0


@dataclass(frozen=True)
class Azurite:
    """A running one. Everything is kept in memory and gone at its end."""

    origin: str
    key: str

    @property
    def host(self) -> str:
        """`host:port`."""
        return self.origin.partition("://")[2]

    def container(self, name: str, permission: str = "rwdl") -> str:
        """Make a container, if there is none; its address with a signature that permits these things."""
        client = self.client(name)
        if not client.exists():
            client.create_container()
        signature = generate_container_sas(
            _ACCOUNT,
            name,
            account_key=self.key,
            permission=ContainerSasPermissions.from_string(permission),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return f"{self.origin}/{_ACCOUNT}/{name}?{signature}"

    def client(self, name: str) -> ContainerClient:
        """The vendor's own client, with the account's key."""
        return ContainerClient(f"{self.origin}/{_ACCOUNT}", name, credential=self.key)

    def names(self, name: str) -> list[str]:
        """What lies in a container."""
        return sorted(self.client(name).list_blob_names())


@contextmanager
def running(folder: Path) -> Iterator[Azurite]:
    """Start it on a free port of loopback, in a folder of its own, into which it writes nothing."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    command = [_program(), "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"]
    process = subprocess.Popen(
        [*command, "--blobHost", "127.0.0.1", "--blobPort", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{key}"},
    )
    assert process.stdout is not None
    try:
        origin = next((line.partition(_READY)[2].strip() for line in process.stdout if _READY in line), "")
        assert origin, f"Azurite ended with {process.wait()}"
        yield Azurite(origin, key)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _program() -> str:
    found = str(_PROGRAM) if _PROGRAM.exists() else shutil.which("azurite-blob")
    if found and shutil.which("node"):
        return found
    reason = "Azurite is not installed (npm install --no-save --prefix .azurite azurite@3)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
