"""Every setting is documented with the default that it has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
import yaml

from daemon import config
from daemon.config_sections import Notify
from daemon.providers import KINDS
from daemon.settings import Model, ProviderSettings, Secret
from tests.pages import HERE, LEAST, rows, sections


def _models(annotation: Any) -> Iterator[type[Model]]:
    """The models that a value of this type may be; a secret is one value, however it is written."""
    if _is_section(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _is_section(annotation: Any) -> bool:
    """Whether a key only holds others, and is always there."""
    return isinstance(annotation, type) and issubclass(annotation, Model) and annotation is not Secret


def _settings(model: type[Model], above: str = "") -> set[str]:
    """Every setting of a model by its path, such as `watch.settle`; of the providers only their key."""
    found = set()
    for name, field in model.model_fields.items():
        if not _is_section(field.annotation):
            found.add(above + name)
        for inner in _models(field.annotation):
            if not issubclass(inner, ProviderSettings):
                found |= _settings(inner, f"{above}{name}.")
    return found


def _defaults(section: str) -> dict[str, Any]:
    """The defaults of a table of settings, nested as in a file."""
    found: dict[str, Any] = {}
    for path, cells in rows(section).items():
        above, _, name = path.rpartition(".")
        if cells[0] and found.get(above, {}) is not None:
            holder = found.setdefault(above, {}) if above else found
            holder[name] = yaml.load(cells[0].strip("`"), config._Loader)
    return found


_CONFIGURATION = sections("docs/configuration.md")
_DAEMON, _PROVIDER = "The whole daemon", "Each provider"


def test_every_setting_of_the_daemon_has_its_row() -> None:
    """The table of the whole daemon names each setting, and none that there is not."""
    assert set(rows(_CONFIGURATION[_DAEMON])) == _settings(config.Config)


def test_every_setting_of_a_provider_has_its_row() -> None:
    """The table of all providers names what every kind understands, and nothing else."""
    assert set(rows(_CONFIGURATION[_PROVIDER])) == _settings(ProviderSettings)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_setting_of_a_kind_has_its_row(kind: str) -> None:
    """What one kind alone understands stands in its own table, with its address."""
    own = _settings(KINDS[kind].settings_type) - _settings(ProviderSettings)

    assert set(rows(_CONFIGURATION[kind])) == own | {"base_url"}


def test_every_setting_is_in_the_example() -> None:
    """`config.example.yaml` names each setting once at least, in force or in a comment."""
    models: list[type[Model]] = [config.Config, *(provider.settings_type for provider in KINDS.values())]
    names = {path.rpartition(".")[2] for model in models for path in _settings(model)}
    text = (HERE / "config.example.yaml").read_text()

    assert [name for name in sorted(names) if not re.search(rf"\b{name}: ", f"{text}providers: ")] == []


def test_the_daemons_defaults_are_those_of_the_table() -> None:
    """A file with every default written out means the same as one that leaves them out."""
    least: dict[str, Any] = {"root": "/r", "state": "/s", "providers": {}}
    written = {name: value for name, value in _written(least, _DAEMON).items() if name != "web"}

    assert config.Config.model_validate(written) == config.Config.model_validate(least)


def test_the_defaults_of_notifications_are_those_of_the_table() -> None:
    """The same holds for `notify`, which is not there by default."""
    least = {"urls": [{"env": "MAIL"}]}
    text = _CONFIGURATION[_DAEMON].replace("| `notify` | `null` |", "| `notify` | |")

    assert Notify.model_validate(least | _defaults(text)["notify"]) == Notify.model_validate(least)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kinds_defaults_are_those_of_the_tables(kind: str) -> None:
    """An entry with every default of its two tables written out means the same as one that leaves them out."""
    least = {"kind": kind, "api_key": {"env": "KEY"}, **LEAST.get(kind, {})}
    written = _written(_written({}, _PROVIDER), kind) | least
    model = KINDS[kind].settings_type

    assert model.model_validate(written) == model.model_validate(least)


def _written(least: Mapping[str, Any], section: str) -> dict[str, Any]:
    return {**_defaults(_CONFIGURATION[section]), **least}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_option_of_a_service_is_named(kind: str) -> None:
    """Each form field that a kind takes stands in its section."""
    entry = {"api_key": {"env": "KEY"}, **LEAST.get(kind, {}), "options": {"nonsense": "1"}}
    with pytest.raises(ValueError, match="nonsense") as found:
        KINDS[kind].settings_type.model_validate(entry)
    known = re.findall(r"\w+", re.findall(r"knows? ([\w, ]+)", str(found.value))[0])

    assert known
    assert [name for name in known if not re.search(rf"`(?:options\.)?{name}`", _CONFIGURATION[kind])] == []
