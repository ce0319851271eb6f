"""What can be set for CAMB.AI: its optional fields, and what its documents leave open."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from daemon.providers.base import counted_in
from daemon.settings import Budget, ProviderSettings

_LONGEST_PREFIX = 100


def _number(*allowed: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or (allowed and int(text) not in allowed):
            raise ValueError(f"one of {', '.join(map(str, allowed))}" if allowed else "a whole number")
        return int(text)

    return read


def _numbers(text: str) -> list[int]:
    try:
        return [_number()(one.strip()) for one in text.split(",")]
    except ValueError:
        raise ValueError("numbers with commas between them, such as 12, 34") from None


def _text(least: int, most: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not least <= len(text) <= most:
            raise ValueError(f"a text of {least} to {most} characters")
        return text

    return read


# The optional fields of the page "Create Translation". A project's name has 3 to 255 characters there, and
# the name of the document is put behind it here.
_FIELDS: Mapping[str, Callable[[str], object]] = {
    "project_name": _text(1, _LONGEST_PREFIX),
    "project_description": _text(3, 5000),
    "folder_id": _number(),
    "age": _number(),
    "formality": _number(1, 2),
    "gender": _number(0, 1, 2, 9),
    "chosen_dictionaries": _numbers,
}


class Settings(ProviderSettings):
    """`options` are the service's optional fields, as texts: `formality: 1`, `chosen_dictionaries: "12, 34"`.

    The service documents no limits: `max_texts` and `max_characters` say what one task holds. `language_ids`
    is what is sent for a language: the documented number, or the locale tag that newer clients take.
    """

    kind: str = "cambai"
    base_url: str = "https://client.camb.ai/apis"
    budget: Annotated[Budget | None, counted_in("CAMB.AI", "characters")] = None
    max_texts: int = Field(default=100, gt=0)
    # Five results with some room have to fit into one answer.
    max_characters: int = Field(default=3000, gt=0, le=50_000)
    language_ids: Literal["int", "str"] = "int"
    bulk_results: bool = True

    @model_validator(mode="after")
    def _fields(self) -> Self:
        problems = []
        for name, text in self.options.items():
            if name not in _FIELDS:
                problems.append(f"unknown {name}; the service knows {', '.join(_FIELDS)}")
                continue
            try:
                _FIELDS[name](text)
            except ValueError as error:
                problems.append(f"{name} is {error}")
        if problems:
            raise ValueError(f"options: {'; '.join(problems)}")
        if self.language_ids == "int" and not self.source_language:
            raise ValueError("source_language is required: only with language_ids: str does the service detect it")
        return self

    @property
    def fields(self) -> Mapping[str, object]:
        """The options in the types that the service documents."""
        return {name: _FIELDS[name](text) for name, text in self.options.items()}
