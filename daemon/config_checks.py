"""What is wrong with a configuration, in words and with its place; and the rules between several values.

The reader (`config`) hands over what it read and what pydantic says about it; everything found is collected
in one `Findings`, so that a file is mended in one round. Nothing here changes anything on a disk.
"""

import contextlib
import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from daemon import courier
from daemon.errors import ConfigError, Problem
from daemon.settings import Model, Secret, folder_name

Place = tuple[str | int, ...]
Secrets = Sequence[tuple[Place, Secret]]
"""Secrets of a configuration with the places where they stand."""

# What may be repeated to the reader of a message: short words and paths, not whatever else was pasted there.
_SHOWABLE = re.compile(r"[\w .:/+-]{0,40}")
_LEAST_KEY = 10**7
_EXPECTED = {
    "string_type": "a text; put it in quotes",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "greater_than": "a number above 0",
    "too_short": "at least one entry",
    "list_type": "a list, such as [a, b]",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """The file of a configuration, and the line of every key in it."""

    file: str = ""
    lines: dict[Place, int] = field(default_factory=dict)

    def problem(self, place: Place, message: str, expected: str = "", line: int | None = None) -> Problem:
        """A problem at a key; one that is not in the file has the line of what should hold it."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(
            message=message,
            expected=expected,
            path=_written(place),
            file=self.file,
            line=line or self.lines.get(known),
        )


class Findings:
    """The problems of one file, in the order of their lines when they are raised."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._problems: list[Problem] = []
        self._unusable: set[Place] = set()

    def add(self, place: Place, message: str, expected: str = "", line: int | None = None) -> None:
        problem = self.origin.problem(place, message, expected, line)
        if problem not in self._problems:
            self._problems.append(problem)

    def unusable(self, place: Place, message: str, expected: str = "") -> None:
        """A problem whose value is gone: what later rounds find missing there is no news."""
        self.add(place, message, expected)
        self._unusable.add(place)

    def holds(self, place: Place) -> bool:
        """Whether something at the place or below it was unusable."""
        return any(one[: len(place)] == place for one in self._unusable)

    @property
    def problems(self) -> list[Problem]:
        """All of them, sorted by line."""
        return sorted(self._problems, key=lambda one: (one.line or 0, one.path, one.message))

    def raise_all(self) -> None:
        """Raise ConfigError when anything was found."""
        if self._problems:
            raise ConfigError(self.problems)


def _written(place: Place) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def shown(value: object) -> str:
    """What was found, in a few words that give no key away."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}'" if _SHOWABLE.fullmatch(value) else "a text"
        case int():
            return str(value) if abs(value) < _LEAST_KEY else "a number"
        case list():
            return "a list"
    return "a mapping"


def suggestion(word: str, choices: Sequence[str]) -> str:
    """The nearest of the choices as a question, or all of them when none is near."""
    near = nearest(word, choices)
    return f"did you mean '{near}'?" if near else f"one of {', '.join(choices)}"


def nearest(word: str, choices: Sequence[str]) -> str | None:
    """The choice that is nearly the word."""
    return next(iter(difflib.get_close_matches(word, choices, n=1)), None)


def add_invalid(
    findings: Findings, error: ValidationError, model: type[BaseModel], data: Any, at: Place = ()
) -> list[Place]:
    """Collect what pydantic found; returns the places, relative to `data`, that it could not use."""
    places = []
    for one in error.errors(include_url=False):
        inside = _inside(data, one["loc"])
        if one["type"] == "missing":
            inside = (*_inside(data, one["loc"][:-1]), one["loc"][-1])
        places.append(inside)
        place = (*at, *(inside[:-1] if _may_be_a_key(one, model) else inside))
        if not (inside and findings.holds(place)):
            findings.unusable(place, *_words(one, model))
    return places


def _may_be_a_key(one: Any, model: type[BaseModel]) -> bool:
    """Whether an unknown word stands where a secret is described: `{THE-KEY}` is a mapping with that word in it."""
    known = _keys_at(model, one["loc"][:-1])
    unknown = one["type"] == "extra_forbidden" and known == sorted(Secret.model_fields)
    return unknown and nearest(str(one["loc"][-1]), known) is None


def _inside(data: Any, location: Place) -> Place:
    """A location without what is none of the file's: the tags that pydantic adds for unions and keys."""
    found: list[str | int] = []
    for part in location:
        is_item = isinstance(data, list) and isinstance(part, int)
        if is_item or (isinstance(data, dict) and part in data):
            found.append(part)
            data = data[part]
    return tuple(found)


def _words(one: Any, model: type[BaseModel]) -> tuple[str, str]:
    kind, found, context = one["type"], one["input"], one.get("ctx", {})
    if kind == "missing":
        return "this key is missing", ""
    if kind == "extra_forbidden":
        return "unknown key", suggestion(str(one["loc"][-1]), _keys_at(model, one["loc"][:-1]))
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        is_key = one["loc"][-1] == "[key]"
        hint = suggestion(str(found), choices) if is_key else f"expected {' or '.join(choices)}"
        return "unknown key" if is_key else f"found {shown(found)}", hint
    if kind == "value_error":
        text = str(context["error"])
        # A rule about several keys says all by itself.
        return (text, "") if isinstance(found, (dict, BaseModel)) else (f"found {shown(found)}", f"expected {text}")
    return f"found {shown(found)}", f"expected {_EXPECTED.get(kind, one['msg'])}"


def _keys_at(model: type[BaseModel], location: Place) -> list[str]:
    """The keys that a mapping at a place of the model may have."""
    models = [model]
    for part in location:
        below = [one.model_fields[str(part)].annotation for one in models if str(part) in one.model_fields]
        # A tag of a union, an index or the key of a mapping leads to no other field.
        models = [found for annotation in below for found in _models_in(annotation)] if below else models
    return sorted({key for one in models for key in one.model_fields})


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def secrets_in(value: Any, at: Place = ()) -> Iterator[tuple[Place, Secret]]:
    """Every secret of a model, wherever it stands in it."""
    if isinstance(value, Secret):
        yield at, value
    elif isinstance(value, Model):
        for name, item in value:
            yield from secrets_in(item, (*at, name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from secrets_in(item, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from secrets_in(item, (*at, index))


def secrets_read(value: Any, annotation: Any, at: Place = ()) -> Iterator[tuple[Place, Secret]]:
    """Every secret of what was read for a model, some of it models already, whatever else may be wrong there.

    What cannot be a secret is left to the model to report.
    """
    if isinstance(value, Model):
        yield from secrets_in(value, at)
    elif annotation is Secret:
        with contextlib.suppress(ValidationError):
            yield at, Secret.model_validate(value)
    elif isinstance(annotation, type) and issubclass(annotation, Model):
        fields = annotation.model_fields if isinstance(value, dict) else {}
        for name in fields.keys() & value.keys() if fields else ():
            yield from secrets_read(value[name], fields[name].annotation, (*at, name))
    elif get_origin(annotation) is list:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from secrets_read(item, get_args(annotation)[0], (*at, index))
    elif get_origin(annotation) is dict:
        for name, item in value.items() if isinstance(value, dict) else ():
            yield from secrets_read(item, get_args(annotation)[1], (*at, name))
    else:
        for choice in get_args(annotation):
            yield from secrets_read(value, choice, at)


def check_names(findings: Findings, names: Sequence[str]) -> None:
    """A provider's name is a folder's; on many shares two names that differ in case are one folder."""
    known: dict[str, str] = {}
    for name in names:
        place = ("providers", name)
        try:
            folder_name(name)
        except ValueError as error:
            findings.add(place, "this name cannot be a folder's", f"expected {error}")
        twin = known.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            findings.add(place, f"its folders overlap with those of '{twin}'", "names that differ in more than case")


def check_languages(findings: Findings, at: Place, languages: object) -> None:
    """One language under two spellings would be two folders for one thing."""
    known: dict[str, str] = {}
    for index, name in enumerate(languages if isinstance(languages, list) else []):
        if not isinstance(name, str):
            continue  # reported by the model
        folded = name.casefold().replace("_", "-")
        if folded in known:
            findings.add((*at, index), f"'{name}' is the same folder as '{known[folded]}'", "each language once")
        known.setdefault(folded, name)


def missing_keys(findings: Findings, secrets: Secrets) -> None:
    """Collect every secret that cannot be read now."""
    for place, secret in secrets:
        try:
            secret.read()
        except LookupError as error:
            findings.add(place, str(error.args[0]))


def unusable_addresses(findings: Findings, secrets: Secrets) -> None:
    """Collect the addresses for notifications that cannot be used, without repeating any."""
    urls = [(place, secret) for place, secret in secrets if place[0] == "notify"]
    if urls and not courier.installed():
        findings.add(("notify",), courier.MISSING, courier.INSTALL)
        return
    for place, secret in urls:
        with contextlib.suppress(LookupError):
            wrong = courier.unusable(secret.read())
            if wrong is not None:
                findings.add(place, wrong, "an address such as mailto://… or ntfys://…, as apprise writes it")
