"""The folders of one trial: what is dropped, what lies there of other people, and the configuration."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon import journal, records
from daemon.config import Config
from daemon.job import Job, apply
from daemon.names import extension
from daemon.providers import KINDS
from daemon.sandbox.keys import account_of
from daemon.sandbox.localise import localise
from tests.builders import contents
from tests.clocks import FakeClock
from tests.crash.services import Services

_DOCUMENT = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    "<w:p><w:r><w:t>{}</w:t></w:r></w:p><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:body></w:document>"
)
FOREIGN: Mapping[str, bytes] = {
    "inbox/~$open.txt": b"an editor's lock",
    "outbox/.hidden.part": b"somebody's download",
    "outbox/notes.txt": b"notes beside the results",
    "failed/notes.txt": b"notes beside the failed",
    "failed/other.txt.error.json": b'{"somebody": "else"}',
    "archive/old.txt": b"an older original",
}
"""What other people have below the root: which of the five folders, and the name in the language folder there."""


@dataclass(kw_only=True)
class Site:
    """One root and state, and one account at the services."""

    base: Path
    services: Services
    number: int
    kind: str
    settings: Mapping[str, Any]
    more: Mapping[str, Any]
    clock: FakeClock = field(default_factory=FakeClock)
    dropped: dict[str, bytes] = field(default_factory=dict)
    """Everything that was ever dropped, by its path below the language folder."""
    foreign: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base.mkdir()
        self.services.clock = self.clock
        for path, content in FOREIGN.items():
            top, _, name = path.partition("/")
            self.plant(f"{top}/{self.kind}/fr/{name}", content)

    @property
    def root(self) -> Path:
        return self.base / "share"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def key(self) -> str:
        return f"sandbox-{self.number}"

    def config(self, state: str = "state") -> Config:
        known = {
            "kind": self.kind,
            "base_url": self.services.addresses.base_url(self.kind),
            "api_key": self.key,
            "source_language": "en",
            "languages": ["fr"],
            "result_hosts": [self.services.addresses.results_host],
            **self.settings,
        }
        entry = KINDS[self.kind].settings_type.model_validate(known)
        return Config.model_validate(
            {
                "root": str(self.root),
                "state": str(self.base / state),
                "watch": {"observer": "polling"},
                # It says what time it is, and so is another one after each start.
                "status_page": False,
                "providers": {self.kind: entry},
                **self.more,
            }
        )

    def plant(self, path: str, content: bytes) -> None:
        """A file of somebody else below the root, that has to stay as it is."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.foreign[path] = content

    def text(self, name: str) -> bytes:
        """What is dropped under this name: it differs from everything in every other trial."""
        first, second = f"Hello, this is {name} of trial {self.number}.", "It has two paragraphs."
        if name.endswith(".txt"):
            return f"{first}\n\n{second}\n".encode()
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("word/document.xml", _DOCUMENT.format(first, second))
        return made.getvalue()

    def drop(self, name: str) -> None:
        """A file in the inbox."""
        target = self.root / "inbox" / self.kind / "fr" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self.dropped[name] = self.text(name)
        target.write_bytes(self.dropped[name])

    def move_back(self, name: str) -> None:
        """A person moves a failed file and its sidecar back into the inbox."""
        for one in (name, f"{name}.error.json"):
            (self.root / "failed" / self.kind / "fr" / one).rename(self.root / "inbox" / self.kind / "fr" / one)

    def files(self, top: str) -> dict[str, bytes]:
        """Every file below one of the five folders that is not somebody else's, by its path there."""
        return {
            path: content
            for path, content in contents(self.root / top).items()
            if self.foreign.get(f"{top}/{path}") != content
        }

    def waiting(self) -> bool:
        """Whether something lies in the inbox that is to be translated."""
        return any(self._in_inbox())

    def _in_inbox(self) -> Iterator[str]:
        for here, _, names in os.walk(self.root / "inbox"):
            for name in names:
                if not name.startswith("~$") and not name.endswith((".error.json", ".cancel")):
                    yield os.path.join(here, name)

    def result(self, name: str) -> bytes:
        """What the service makes of a drop."""
        if self.kind == "cambai":
            # Each text is a task of its own.
            texts = self.dropped[name].split(b"\n\n")
            return b"\n\n".join(localise(text, "txt", "fr-fr") for text in texts)
        return localise(self.dropped[name], extension(name), "fr")

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.dropped[name]).hexdigest()

    def ledger(self) -> list[dict[str, Any]]:
        """The submissions of this trial, as the services saw them."""
        account = account_of(self.key)
        return [entry for entry in self.services.submissions if entry["account"] == account]

    def lives(self, state: str = "state") -> dict[str, list[Job]]:
        """Each job in the journal, as it was after each of its events."""
        found: dict[str, list[Job]] = {}
        for record in self._records(state):
            if record["job"] is not None:
                own = found.setdefault(record["job"], [])
                own.append(apply(own[-1] if own else None, records.event_of(record)))
        return found

    def jobs(self, state: str = "state") -> dict[str, Job]:
        """What the journal holds, torn tail left out; nothing where there is none yet."""
        return records.fold(self._records(state))

    def _records(self, state: str) -> list[dict[str, Any]]:
        path = self.base / state / journal.NAME
        return records.read(path.read_bytes()).records if path.exists() else []

    def all_jobs(self) -> dict[str, Job]:
        """Every job that ever was, from journal and history."""
        return journal.all_jobs(str(self.state)) if journal.exists(str(self.state)) else {}

    def tree(self) -> dict[str, bytes]:
        """Every file below the root."""
        return contents(self.root)
