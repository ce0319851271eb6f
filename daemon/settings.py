"""The shapes of configuration values, shared by the file's reader and by the providers.

Durations are written `500ms 0.5s 2s 5m 24h 30d` and kept in seconds; sizes `10MB 20GB` (powers of ten) and
kept in bytes; a secret is a reference (`{env: …}`, `{file: …}`, `{credential: …}`) that is read when it is
needed, so that a renewed key is found without a restart.

A validator here raises ValueError with what it expected; the reader adds what it found and where.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)

from daemon import disk

_DURATION = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,9})?)(?P<unit>ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 36_500 * 86_400.0  # a hundred years: sums with dates of today stay dates
_SIZE = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,9})?)\s?(?P<unit>B|kB|KB|MB|GB|TB)")
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"(?P<host>\[[^]]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?")
_NAME_CHARACTERS, _NAME_BYTES = 100, 255


class Unquoted(str):
    """A text that stood in the file without quotes; another reader of YAML may take it for a number."""

    __slots__ = ()


def parse_duration(value: object) -> object:
    """Seconds from `5m`, or from a float (only code writes one). Raises ValueError."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    seconds = float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0
    if isinstance(value, float):
        seconds = value
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError("a duration above zero with its unit, such as 500ms, 2s, 5m, 24h or 30d")
    return seconds


def parse_size(value: object) -> object:
    """Bytes from `40MB` or from a plain number. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("a size such as 500kB, 40MB or 20GB")
    return int(float(found["number"]) * _BYTES[found["unit"]])


def absolute_path(value: object) -> Path:
    """A path that means the same whatever folder the program was started in. Raises ValueError."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text.startswith("/") or ".." in text.split("/") or "\0" in text:
        raise ValueError("an absolute path without .., such as /srv/translate")
    return Path(text)


def folder_name(text: str) -> str:
    """A text that can name a folder people see, on Linux and on a share. Raises ValueError."""
    room = 1 <= len(text) <= _NAME_CHARACTERS and len(text.encode()) <= _NAME_BYTES
    if not room or text != text.strip() or text.startswith(".") or re.search(r"[/\\\x00-\x1f\x7f]", text):
        raise ValueError("a folder's name of 1 to 100 characters, without slash and not beginning with a dot")
    return text


def service_address(text: str) -> str:
    """An `https` address without its last slash; `http` is for this machine alone. Raises ValueError."""
    scheme, _, rest = text.partition("://")
    place, _, path = rest.partition("/")
    scheme, host = scheme.lower(), _host_of(place.lower())
    if host is None or not re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:%/-]*", path):
        raise ValueError("an address such as https://api.example.org, without user, query or fragment")
    if scheme != "https" and not (scheme == "http" and _is_loopback(host)):
        raise ValueError("an https address; http is for this machine alone (localhost, 127.0.0.1, [::1])")
    return f"{scheme}://{place.lower()}/{path}".rstrip("/")


def result_host(text: str) -> str:
    """`host` or `host:port`, in lower case. Raises ValueError."""
    if _host_of(text.lower()) is None:
        raise ValueError("a host or host:port, such as files.example.org or 127.0.0.1:9000, without https://")
    return text.lower()


def listen_address(value: object) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8787` or `[::1]:8787`. Raises ValueError."""
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not isinstance(value, str) or _host_of(value.lower()) is None or not port.isdigit():
        raise ValueError("host:port, such as 127.0.0.1:8787")
    return host.strip("[]"), int(port)


def _host_of(place: str) -> str | None:
    """The host of `host` or `host:port`; None when the text is neither."""
    found = _HOST.fullmatch(place)
    if not found or not 0 < int(found["port"] or 1) < 2**16:
        return None
    host = found["host"]
    return host if not host.startswith("[") or _address(host) else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _as_written(value: object) -> object:
    """`true` and `5` in a form field are the texts that stand in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def _rate_form(value: object) -> str | None:
    if value is None:
        return "none"
    if isinstance(value, dict) and not {"requests", "per"} & value.keys():
        return "verbs"
    if isinstance(value, (dict, Rate)):
        return "window"
    return "documented" if value == "documented" else None


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
AbsolutePath = Annotated[Path, BeforeValidator(absolute_path)]
FolderName = Annotated[str, AfterValidator(folder_name)]
Verb = Literal["submit", "status", "fetch", "delete", "check"]


class Model(BaseModel):
    """Strict and frozen: an unknown key is a mistake, and nobody changes a setting at run time."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Secret(Model):
    """Where a key is found; never the key in a repr, a log or an error."""

    env: str | None = None
    file: str | None = None
    credential: str | None = None
    value: str | None = Field(default=None, repr=False)

    _seen: set[str] = PrivateAttr(default_factory=set)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        if not isinstance(data, (str, dict, Secret)):
            raise ValueError("{env: NAME}, {file: PATH}, {credential: NAME} or the key itself in quotes")  # noqa: TRY004  pydantic turns ValueError alone into a problem
        return {"value": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [self.env, self.file, self.credential, self.value]
        if sum(one is not None for one in given) != 1 or "" in given:
            raise ValueError("needs exactly one of {env: NAME}, {file: PATH}, {credential: NAME} or the key itself")
        # Somebody may have put the key in the place of its name, so no message here shows what it was.
        if self.env is not None and not _VARIABLE_NAME.fullmatch(self.env):
            raise ValueError("the name of an environment variable has letters, digits and underscore only")
        if self.credential is not None and not _CREDENTIAL_NAME.fullmatch(self.credential):
            raise ValueError("the name of a credential has letters, digits, dot, dash and underscore only")
        if self.credential in (".", ".."):
            raise ValueError("the name of a credential is not a folder")
        if self.file is not None:
            try:
                absolute_path(self.file)
            except ValueError as error:
                raise ValueError(f"the file of a key is {error}") from None
        return self

    @property
    def where(self) -> str:
        """The place of the key in words, for messages."""
        if self.env is not None:
            return f"environment variable {self.env}"
        if self.file is not None:
            return f"file {self.file}"
        if self.credential is not None:
            return f"systemd credential {self.credential}"
        return "the configuration file"

    @property
    def seen(self) -> frozenset[str]:
        """Every key that was read here so far: of a renewed one the older may still be in somebody's words."""
        return frozenset(self._seen)

    def read(self) -> str:
        """The key as it is now.

        Raises LookupError, with a sentence that names the place, when there is none or it is unusable.
        """
        if self.value is not None:
            found = self.value
        elif self.env is not None:
            found = os.environ.get(self.env, "")
        else:
            found = self._from_file()
        found = found.strip()
        if not found:
            raise LookupError(f"no key in {self.where}")
        if not found.isascii() or not found.isprintable():
            raise LookupError(f"the key in {self.where} has characters that cannot be sent in a header")
        self._seen.add(found)
        return found

    def _from_file(self) -> str:
        path = self.file or ""
        if self.credential is not None:
            folder = os.environ.get("CREDENTIALS_DIRECTORY")
            if not folder:
                raise LookupError(f"{self.where}: $CREDENTIALS_DIRECTORY is not set (LoadCredential= in the unit)")
            path = os.path.join(folder, self.credential)
        try:
            return disk.read_own(path).decode()
        except UnicodeDecodeError:
            # The error itself holds the bytes of the key.
            raise LookupError(f"the key in {self.where} is not UTF-8") from None
        except OSError as error:
            raise LookupError(f"cannot read {self.where}: {error.strerror or error}") from None


class Poll(Model):
    """How often a job in flight is asked for; unset values come from the provider's documents."""

    every: Duration | None = None
    at_most: Duration | None = None

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.every is not None and self.at_most is not None and self.at_most < self.every:
            raise ValueError("at_most is the longest pause and cannot be shorter than every")
        return self


class Rate(Model):
    """At most `requests` in any window of `per` seconds."""

    requests: int = Field(gt=0)
    per: Duration


class Timeout(Model):
    """Seconds for one connection attempt, and for one silence while reading or writing."""

    connect: Duration = 10.0
    read: Duration = 60.0


class Budget(Model):
    """What may be spent in a calendar month, counted in the unit that the service reports."""

    per_month: Annotated[int, Field(gt=0)]
    unit: Annotated[str, Field(min_length=1)]


class ProviderSettings(Model):
    """What every entry under `providers:` understands. A kind with keys of its own extends this."""

    needed_options: ClassVar[Mapping[str, str]] = {}
    """The `options` without which the service takes nothing, each with a good first choice."""

    kind: str
    base_url: str
    api_key: Secret
    account: Annotated[str, Field(min_length=1)] | None = None
    source_language: FolderName | None = None
    languages: list[FolderName] = Field(default_factory=list)
    poll: Poll = Poll()
    # "documented" takes the documented windows, None none at all, one Rate a window over every request,
    # a mapping of verbs narrower windows.
    rate: Annotated[
        Annotated[Rate, Tag("window")]
        | Annotated[dict[Verb, Rate], Field(min_length=1), Tag("verbs")]
        | Annotated[None, Tag("none")]
        | Annotated[Literal["documented"], Tag("documented")],
        Discriminator(
            _rate_form,
            custom_error_type="rate_form",
            custom_error_message="documented, null, {requests: 60, per: 60s} or such windows by verb",
        ),
    ] = "documented"
    max_in_flight: int | None = Field(default=None, gt=0)
    max_bytes: Size | None = None
    deadline: Duration = 86400.0
    budget: Budget | None = None
    on_uncertain_submit: Literal["fail", "resubmit"] = "fail"
    result_hosts: list[Annotated[str, AfterValidator(result_host)]] = Field(default_factory=list)
    timeout: Timeout = Timeout()
    options: dict[str, Annotated[str, BeforeValidator(_as_written)]] = Field(default_factory=dict)

    # By name, because a kind states its address by writing the field anew.
    @field_validator("base_url")
    @classmethod
    def _address(cls, text: str) -> str:
        return service_address(text)

    def unknown_options(self, known: AbstractSet[str], who: str = "the service knows") -> list[str]:
        """What is wrong with `options` of other names than the known ones: one sentence, or none."""
        unknown = ", ".join(sorted(self.options.keys() - known))
        return [f"options: unknown {unknown}; {who} {', '.join(sorted(known))}"] if unknown else []
