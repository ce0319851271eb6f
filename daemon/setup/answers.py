"""The answers of `init`, from questions or from options: what each may say, and which are missing.

A reader here raises ValueError with what it expected, as a sentence for whoever typed the answer.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from daemon.languages import canonical
from daemon.providers import KINDS
from daemon.settings import Secret, absolute_path, folder_name, service_address
from daemon.setup.kinds import Needs, needs_of

SYSTEM = Path("/etc/babeldrop")
"""Where a service of the whole machine has its configuration."""
_PLACES = ("env", "file", "credential")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One provider, as far as it is known; `typed` is a key that has to be put into its place."""

    name: str
    needs: Needs
    languages: tuple[str, ...]
    address: str | None = None
    source: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    key: Secret | None = None
    typed: str | None = field(default=None, repr=False)

    def missing(self) -> list[str]:
        """The options that would answer what is still open and has no default."""
        found = []
        if self.needs.address and self.address is None:
            found.append(f"--address {self.name}=https://…")
        if self.needs.source and self.source is None:
            found.append(f"--source {self.name}=LANG")
        if self.key is None:
            found.append(f"--key {self.name}=file:/PATH (or env:NAME, credential:NAME)")
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Everything that a set-up is made of; None: not answered yet."""

    folder: Path
    """Where the configuration, the keys and the unit are put."""
    root: str | None = None
    state: str | None = None
    entries: tuple[Entry, ...] = ()
    user: str | None = None
    """Who the daemon runs as."""
    group: str | None = None
    """Who shares the folders; empty: the user's own group."""
    language: str | None = None

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def missing(self) -> list[str]:
        """The options that would answer what is still open."""
        found = [f"--{name} PATH" for name in ("root", "state") if getattr(self, name) is None]
        if not self.entries:
            found.append("--provider KIND:LANG,LANG")
        return found + [one for entry in self.entries for one in entry.missing()]

    def with_defaults(self) -> "Answers":
        """Whatever has a sensible answer is answered; a service's address and the originals' language have none."""
        defaults = defaults_for(self.folder)
        entries = tuple(
            replace(
                one,
                options={**one.needs.options, **one.options},
                key=one.key or default_key(self.folder, one.name),
            )
            for one in self.entries
        )
        return replace(
            self,
            root=self.root or defaults["root"],
            state=self.state or defaults["state"],
            entries=entries,
            user=self.user or defaults["user"],
            group=self.group or "",
            language=self.language or "en",
        )


def defaults_for(folder: Path) -> dict[str, str]:
    """Root, state and user: of the machine's own service, or beside each other in a folder of one's own."""
    of_machine = folder == SYSTEM
    return {
        "root": "/srv/translate" if of_machine else str(folder / "share"),
        "state": "/var/lib/babeldrop" if of_machine else str(folder / "state"),
        "user": "babeldrop" if of_machine else "",
    }


def default_key(folder: Path, name: str) -> Secret:
    """Where a key goes unless somebody says otherwise: to systemd for a service, else to a file."""
    return key_in(folder, name, "credential" if folder == SYSTEM else "file")


def key_in(folder: Path, name: str, place: str) -> Secret:
    """The place of a new key: a systemd credential, else a file beside the configuration."""
    if place == "credential":
        return Secret(credential=_plain(name))
    return Secret(file=str(folder / f"{_plain(name)}.key"))


def key_file(folder: Path, key: Secret) -> Path | None:
    """The file in which a key lies; None for an environment variable."""
    if key.file:
        return Path(key.file)
    return credential_file(folder, key.credential) if key.credential else None


def has_key(folder: Path, key: Secret) -> bool:
    """Whether there is nothing to be typed, because the key's place is not ours or not empty."""
    path = key_file(folder, key)
    return path is None or path.exists()


def _plain(name: str) -> str:
    """A provider's name as it can name a file and a credential."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "_-") else "_" for one in name)


def credential_file(folder: Path, name: str) -> Path:
    """Where a credential lies until systemd hands it over."""
    return folder / "credentials" / name


def path(text: str) -> str:
    """An absolute path; `~` and what is relative is understood as the shell would."""
    return (
        os.fspath(absolute_path(os.path.abspath(os.path.expanduser(text.strip())))) if text.strip() else _no("a path")
    )


def _no(expected: str) -> str:
    raise ValueError(f"Expected {expected}.")


def provider(text: str) -> Entry:
    """`KIND:LANG,LANG` or `NAME=KIND:LANG,LANG`."""
    what, _, listed = text.partition(":")
    name, _, kind = what.rpartition("=")
    needs = kind_of(kind.strip())
    try:
        name = folder_name(name.strip() or needs.kind)
    except ValueError as error:
        raise ValueError(f"{name!r} cannot name a provider: expected {error}.") from None
    return Entry(name=name, needs=needs, languages=tuple(one.strip() for one in listed.split(",") if one.strip()))


def kind_of(text: str) -> Needs:
    """The facts of a kind by its name, in any case."""
    if text.lower() not in KINDS:
        raise ValueError(f"There is no service {text!r}; there are: {', '.join(sorted(KINDS))}.")
    return needs_of(text.lower())


def languages(entry: Entry) -> Entry:
    """The entry, when the service knows each of its languages and each folder is named once."""
    if not entry.languages:
        raise ValueError(f"{entry.name} has no language: write {entry.needs.kind}:fr,es.")
    known: set[str] = set()
    for one in entry.languages:
        folded = one.casefold().replace("_", "-")
        if folded in known:
            raise ValueError(f"{entry.name}: {one} stands there twice.")
        known.add(folded)
        # A service that needs the source is judged with any: which one it is is another question.
        doubt = entry.needs.doubt(one, entry.source or ("und" if entry.needs.source else None))
        if doubt:
            raise ValueError(f"{entry.name}: {doubt}")
    return entry


def key(text: str) -> Secret:
    """`file:/PATH`, `env:NAME` or `credential:NAME`."""
    place, _, rest = text.partition(":")
    if place not in _PLACES or not rest:
        # Somebody may have typed the key itself, so it is not repeated here.
        raise ValueError("Expected file:/PATH, env:NAME or credential:NAME, and never the key itself.")
    try:
        return Secret.model_validate({place: path(rest) if place == "file" else rest})
    except ValidationError as error:
        words = str(error.errors()[0]["ctx"]["error"])
        raise ValueError(f"{words[:1].upper()}{words[1:]}.") from None


def typed_key(text: str) -> str:
    """A key as it can be sent in a header."""
    try:
        return Secret(value=text.strip()).read() if text.strip() else ""
    except LookupError:
        raise ValueError("A key has letters, digits and signs of plain ASCII only.") from None


def address(text: str) -> str:
    """The address of a service."""
    try:
        return service_address(text.strip())
    except ValueError as error:
        raise ValueError(f"Expected {error}.") from None


def source(text: str) -> str:
    """The language of the originals."""
    found = canonical(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no language; expected one such as en or pt-BR.")
    return found
