"""The entries under `providers:`, each by the type of its kind.

Pydantic looks at rules about several values only when every single value is right. A file is to be mended in
one round, so an entry with wrong values is looked at again without them.
"""

import copy
import itertools
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError

from daemon import config_checks as checks
from daemon.config_checks import Findings, Place
from daemon.settings import ProviderSettings

Kinds = Mapping[str, type[ProviderSettings]]


class _OfUnknownKind(ProviderSettings):
    """Reads an entry whose own type cannot, so that its other mistakes are found in the same run."""

    model_config = ConfigDict(extra="ignore")

    base_url: str = "https://localhost"


def read_entries(entries: dict[str, Any], kinds: Kinds, findings: Findings) -> dict[str, ProviderSettings]:
    """The settings by name, with what is wrong with them in `findings`."""
    if not entries:
        findings.add(("providers",), "there is no provider", "at least one entry")
    checks.check_names(findings, list(entries))
    found = {}
    for name, entry in entries.items():
        place = ("providers", name)
        if isinstance(entry, dict):
            checks.check_languages(findings, (*place, "languages"), entry.get("languages"))
            found[name] = _entry(name, entry, kinds, findings)
        else:
            findings.unusable(place, f"found {checks.shown(entry)}", "expected a mapping of keys")
    return found


def _entry(name: str, entry: dict[str, Any], kinds: Kinds, findings: Findings) -> ProviderSettings:
    """The settings of one entry; of a wrong one what is left of it, for the checks that follow."""
    place: Place = ("providers", name)
    kind = entry.get("kind", name)
    if not isinstance(kind, str) or kind not in kinds:
        hint = checks.suggestion(str(kind), sorted(kinds))
        findings.unusable((*place, "kind"), f"found {checks.shown(kind)}, which is no kind of provider", hint)
        kind = checks.nearest(str(kind), list(kinds)) or ""
    settings_type = kinds.get(kind, _OfUnknownKind)
    data: Any = {**entry, "kind": kind}
    while True:
        try:
            return settings_type.model_validate(data)
        except ValidationError as error:
            wrong = checks.add_invalid(findings, error, settings_type, data, place)
        mended = _mended(data, wrong)
        if mended == data:
            # Nothing to take away: a rule of the kind's own about the whole entry. The base has none, or this
            # would not end.
            assert settings_type is not _OfUnknownKind
            settings_type = _OfUnknownKind
        data = mended


def _mended(data: dict[str, Any], wrong: list[Place]) -> dict[str, Any]:
    """The entry without its wrong values, so that rules behind them are looked at as well."""
    data = copy.deepcopy(data)
    for place in wrong:
        # Taking an item out of a list would move the others.
        keys = list(itertools.takewhile(lambda part: isinstance(part, str), place))
        if keys[:1] == ["api_key"]:
            data["api_key"] = {"value": "-"}
        elif keys:
            _remove(data, keys)
    return data


def _remove(data: dict[Any, Any], keys: list[Any]) -> None:
    """Take a key away; one that is missing takes what should hold it along."""
    holder = data
    for key in keys[:-1]:
        if not isinstance(holder.get(key), dict):
            return
        holder = holder[key]
    if keys[-1] in holder:
        del holder[keys[-1]]
    elif keys[:-1]:
        _remove(data, keys[:-1])
