"""The configuration: one YAML file, read strictly, all its mistakes reported at once.

YAML is read by its nodes, for their lines and because the language has traps: here only `true` and `false`
are booleans, only plain decimal numbers are numbers, `null`, `~` and nothing at all are null, everything
else is text; a key may stand once, tags and merge keys are refused.

Loading creates nothing and starts nothing.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote

import yaml
from pydantic import PrivateAttr, ValidationError

from daemon import config_checks as checks
from daemon import config_safety as safety
from daemon import disk
from daemon.config_checks import Findings, Origin, Place
from daemon.config_entries import Kinds, read_entries
from daemon.config_sections import Log, Notify, Outbox, Watch, Web
from daemon.errors import ConfigError, Problem
from daemon.settings import AbsolutePath, Duration, Model, ProviderSettings, Unquoted

_MOST_BYTES: Final = 1 << 18
# Far above any real file, far below what aliases of aliases can unfold to.
_MOST_VALUES: Final = 20_000
_DEEPEST: Final = 16
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

# Eight characters with a digit among them, or twenty of any kind: no word of a sentence.
_KEY_LIKE = re.compile(r"(?=\S*[0-9])\S{8,}|\S{20,}")

_TAG: Final = "tag:yaml.org,2002:"
_NULL, _BOOLEAN, _NUMBER, _TEXT = (_TAG + name for name in ("null", "bool", "int", "str"))


class _Scalar(NamedTuple):
    pattern: re.Pattern[str]
    first: str
    """The characters it may begin with."""
    convert: Callable[[str], object]


_SCALARS: Final = {
    _NULL: _Scalar(re.compile(r"(?:null|~|)\Z"), "n~", lambda _: None),
    _BOOLEAN: _Scalar(re.compile(r"(?:true|false)\Z"), "tf", lambda text: text == "true"),
    _NUMBER: _Scalar(re.compile(r"(?:0|-?[1-9][0-9]{0,17})\Z"), "-0123456789", int),
}


class Config(Model):
    """Everything the file says, with the defaults for what it does not say."""

    root: AbsolutePath
    state: AbsolutePath
    originals: Literal["archive", "delete"] = "archive"
    archive_for: Duration | None = None
    """Seconds an original is kept in the archive; None: for ever."""
    outbox: Outbox = Outbox()
    watch: Watch = Watch()
    log: Log = Log()
    web: Web | None = None
    status_page: bool = True
    """Whether STATUS.html is kept in the root, for those who see folders only."""
    language: Literal["en", "de"] = "en"
    """Of sidecars and pages."""
    notify: Notify | None = None
    providers: dict[str, ProviderSettings]
    """By name, which is also the name of the folder under `inbox/`."""

    _origin: Origin = PrivateAttr(default_factory=Origin)

    def model_post_init(self, context: Any) -> None:
        if isinstance(context, Origin):
            self._origin = context

    @property
    def origin(self) -> Origin:
        """The file this came from, with the lines of its keys."""
        return self._origin

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works and is not wise, each with file and line."""
        listen = self.web.listen if self.web else None
        return safety.warnings(self._origin, list(checks.secrets_in(self)), listen)

    def provider(self, name: str) -> ProviderSettings:
        """The entry of that name. Raises KeyError when there is none."""
        return self.providers[name]


def load(
    path: str | os.PathLike[str],
    *,
    kinds: Kinds | None = None,
    keys: bool = True,
) -> Config:
    """Read a configuration file.

    `kinds` are the settings of each kind of provider, by default those of the registry. Without `keys`, for those
    who only read what a daemon did, it does not matter whether the secrets can be read now, and the folders are
    not looked at: a share that hangs holds nobody up. Raises ConfigError with every problem of the file.
    """
    findings = Findings(Origin(os.fspath(path)))
    data = _read(findings)
    entries = data.get("providers")
    if isinstance(entries, dict):
        data["providers"] = read_entries(entries, _registry() if kinds is None else kinds, findings)
    if keys:
        secrets = list(checks.secrets_read(data, Config))
        safety.check_folders(findings, data, secrets)
        safety.check_writers(findings, data, secrets)
        checks.missing_keys(findings, secrets)
        checks.unusable_addresses(findings, secrets)
    try:
        config = Config.model_validate(data, context=findings.origin)
    except ValidationError as error:
        checks.add_invalid(findings, error, Config, data)
    findings.raise_all()
    return config


def missing_keys(config: Config) -> list[Problem]:
    """The secrets that cannot be read now, one problem each."""
    findings = Findings(config.origin)
    checks.missing_keys(findings, list(checks.secrets_in(config)))
    return findings.problems


def secret_values(config: Config) -> frozenset[str]:
    """All keys that can be read now, for redaction; of addresses also what makes them secret."""
    found: set[str] = set()
    for place, secret in checks.secrets_in(config):
        try:
            found.update(_spelled(secret.read(), place))
        except LookupError:
            continue
    return frozenset(found)


def seen_values(config: Config) -> Callable[[], frozenset[str]]:
    """What tells all keys that were ever read, from memory; those that can be read now are among them."""
    secret_values(config)
    secrets = list(checks.secrets_in(config))
    return lambda: frozenset(
        one for place, secret in secrets for value in secret.seen for one in _spelled(value, place)
    )


def _spelled(value: str, place: Place) -> Iterator[str]:
    """A secret; of a signed address also its query and its signature alone, as it is written and decoded.

    Addresses for notifications have their keys anywhere: what may be one is a secret by itself.
    """
    yield value
    address, _, query = value.partition("?")
    if place[0] == "notify":
        yield from _keys_in(value)
    elif "://" in address and query:
        yield query
        for signature in re.findall(r"(?:^|&)sig=([^&]+)", query):
            yield from (signature, unquote(signature))


def _keys_in(url: str) -> Iterator[str]:
    """The password of an address, and every part of it that looks like a key; no host's name and no plain word."""
    rest = url.partition("://")[2]
    user, _, after = rest.rpartition("@") if "@" in rest.partition("/")[0] else ("", "", rest)
    host = re.split(r"[/?:]", after, maxsplit=1)[0]
    written = [user.partition(":")[2], *re.split(r"[/?&=:@,;#]+", rest)]
    parts = {form for part in written if part != host or "." not in host for form in (part, unquote(part))}
    password = {written[0], unquote(written[0])} - {""}
    yield from password | {part for part in parts if _KEY_LIKE.fullmatch(part)}


def _registry() -> Kinds:
    from daemon.providers import KINDS  # noqa: PLC0415  every adapter and its libraries: only where needed

    return {kind: provider.settings_type for kind, provider in KINDS.items()}


def _read(findings: Findings) -> dict[str, Any]:
    """The file as plain values. Raises ConfigError when it cannot be read as one mapping."""
    node = _compose(_text(findings), findings)
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
        findings.origin.lines[()] = node.start_mark.line + 1
        return _Reader(findings).mapping(node, ())
    found = "the file is empty" if node is None else "this is no mapping of keys"
    raise ConfigError([findings.origin.problem((), found, "expected root, state and providers", line=1)])


def _text(findings: Findings) -> str:
    try:
        content = disk.read_own(findings.origin.file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file's name"
        raise ConfigError([findings.origin.problem((), f"cannot read the file: {reason}")]) from None
    if len(content) > _MOST_BYTES:
        raise ConfigError([findings.origin.problem((), "too large", "a configuration has at most 256 KiB")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([findings.origin.problem((), "not UTF-8 text", line=line)]) from None


def _compose(text: str, findings: Findings) -> yaml.Node | None:
    """The tree of the only document. Raises ConfigError with the line where the syntax breaks."""
    line = None
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        words = ", ".join(part for part in (error.context, error.problem) if part)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        words = "a character that YAML does not allow"
    except RecursionError:
        words = "nested too deeply"
    except (ValueError, OverflowError):
        words = "an escape for a character that does not exist"  # PyYAML hands it to chr
    expected = "spaces in front of keys, never tabs" if r"'\t'" in words else ""
    raise ConfigError([findings.origin.problem((), f"not YAML: {words}", expected, line)])


class _Loader(yaml.SafeLoader):
    """Resolves what `_SCALARS` names, everything else is text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  PyYAML's own way to begin without its resolvers


for _tag, _scalar in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, _scalar.pattern, [*_scalar.first, ""])


class _Reader:
    """Plain values from nodes; notes the line of every key on the way."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._lines = findings.origin.lines
        self._visited = 0

    def value(self, node: yaml.Node, place: Place) -> object:
        self._visited += 1
        if self._visited > _MOST_VALUES or len(place) > _DEEPEST:
            self._findings.add(place[:1], "too many values, or too deep", "a configuration, without loops of aliases")
            self._findings.raise_all()
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            for index, item in enumerate(node.value):
                self._lines[*place, index] = item.start_mark.line + 1
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key, str) or _UNREADABLE.search(key):
                self._findings.add(place, "a key that is not plain text", line=line)
            elif key == "<<":
                self._findings.add(place, "merge keys (<<) are not read", "the keys written out", line)
            elif key in found:
                first = self._lines[*place, key]
                self._findings.add((*place, key), f"this key stands in line {first} already", "each key once", line)
            else:
                self._lines[*place, key] = line
                found[key] = self.value(value_node, (*place, key))
        return found

    def _scalar(self, node: yaml.Node, place: Place) -> object:
        text = str(node.value)
        if node.tag in _SCALARS and _SCALARS[node.tag].pattern.match(text):
            return _SCALARS[node.tag].convert(text)
        if node.tag != _TEXT or not isinstance(node, yaml.ScalarNode):
            self._findings.unusable(place, "a tag (!) that is not read here", "a plain value without tag")
        elif _UNREADABLE.search(text):
            self._findings.unusable(place, "a control character", "text that can be read")
        else:
            return text if node.style else Unquoted(text)
        return None
