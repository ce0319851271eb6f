"""Everything that can be said about a file or an account, in each language: what happened, what to do, why it waits.

The keys are the stable words of `error.code`. Facts in braces come from the error and the job; they are kept in
English (as is everything in the journal and the log) and put into the words of a language here, so that a failure
of yesterday can be told in another language today. What a service says by itself is never translated.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from daemon.texts import Language
from daemon.texts.de import GERMAN
from daemon.texts.en import ENGLISH

_FINAL = frozenset(
    {f"drop.{word}" for word in ("empty", "too_large", "type", "damaged", "no_text", "gone")}
    | {"language.unknown", "submit.rejected", "provider.failed"}
)
"""The same again would end in the same way."""

_FOR_A_PERSON = frozenset({"account.key", "account.no_key", "account.blocked", "result.refused"})

# A service's words may end a sentence by themselves.
_SECOND_STOP = re.compile(r"(?<=[!?…])\.")
_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})*(?:\.[0-9]+)?")
_MB = 1_000_000
_UNITS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))
_BYTES = re.compile(r"([0-9][0-9,]{0,30})(?: bytes)?")
_SIZES: Final[Mapping[str, Callable[[float], int]]] = {"size": math.ceil, "limit": math.floor}
"""Facts that are bytes, and how they are rounded: what is larger than a limit also looks larger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Two templates; `retryable`: whether trying again as it is can help."""

    what_happened: str
    what_to_do: str
    retryable: bool


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


class Texts:
    """What is said in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language.tag
        self.catalogue: Mapping[str, Message] = {
            code: Message(what_happened=happened, what_to_do=to_do, retryable=code not in _FINAL)
            for code, (happened, to_do) in language.messages.items()
        }
        self.words = language

    def render(self, code: str, facts: Mapping[str, str]) -> tuple[str, str]:
        """The two sentences of a code, with the facts filled in: (what happened, what to do).

        `reason` also fills `{because}`, as `: reason`, and is dropped where nothing is known.
        """
        message = self.catalogue[code]
        known = self._known(facts)
        return _sentence(message.what_happened, known), _sentence(message.what_to_do, known)

    def told(self, error: Mapping[str, Any]) -> tuple[str, str]:
        """The two sentences of an error as the journal keeps it (`sidecar.error_of`).

        One of an older version has no facts, one of a newer version a code that is not known here: then it is told
        as it was when it happened.
        """
        facts = error.get("facts")
        if isinstance(facts, Mapping) and error.get("code") in self.catalogue:
            return self.render(error["code"], facts)
        return str(error.get("what_happened") or "?"), str(error.get("what_to_do") or "")

    def waiting(self, code: str, facts: Mapping[str, str]) -> str:
        """Why something waits, in one sentence, with the facts filled in.

        A code may carry words of its own behind a colon (`result.cut: its end is missing`); one that is not known
        here, from another version's status, is repeated as it is.
        """
        word, _, reason = code.partition(": ")
        known = self.catalogue.get(word)
        template = self.words.waiting.get(word) or (known.what_happened if known else None)
        if template is None:
            return _sentence("{code}", _Facts(code=code))
        return _sentence(template, self._known({**facts, **({"reason": reason} if reason else {})}))

    def for_a_person(self, code: str) -> str | None:
        """What a person has to do before something that waits goes on; None where it goes on by itself."""
        return self.catalogue[code].what_to_do if code in _FOR_A_PERSON else None

    def left_alone(self, code: str) -> str:
        """Why something in an inbox is not taken, as the end of a sentence without its stop.

        The code may carry words of its own, as in `waiting`.
        """
        word, _, reason = code.partition(": ")
        template = self.words.left_alone.get(word)
        return template.format_map(self._known({"reason": reason})) if template else code

    def duration(self, seconds: float) -> str:
        """A length of time in the largest unit that leaves no long fraction: `24 hours`, `90 seconds`."""
        for unit, size in _UNITS:
            if seconds >= 2 * size and (seconds / size).is_integer():
                return self._count(seconds / size, unit)
        return self._count(seconds, "second")

    def number(self, text: str) -> str:
        """A number as Python writes it with `,`, as this language writes it."""
        signs = {",": self.words.thousands, ".": self.words.decimal}
        return "".join(signs.get(sign, sign) for sign in text)

    def phrase(self, text: str) -> str:
        """What this program says in English inside a sentence; any other text stays as it is."""
        for pattern, template in self._phrases:
            found = pattern.fullmatch(text)
            if found:
                facts = {
                    name: self.phrase(value) if name == "error" else value for name, value in found.groupdict().items()
                }
                return template.format_map(facts)
        return text

    @cached_property
    def _phrases(self) -> list[tuple[re.Pattern[str], str]]:
        return [(_pattern(english), own) for english, own in self.words.phrases.items()]

    def _count(self, number: float, unit: str) -> str:
        one, several = self.words.units[unit]
        return f"{self.number(f'{number:g}')} {one if number == 1 else several}"

    def _known(self, facts: Mapping[str, str]) -> _Facts:
        known = _Facts(facts)
        reason = self.phrase(facts.get("reason", "").strip().rstrip(" .,:;"))
        known["because"] = f": {reason}" if reason else ""
        known["reason"] = reason or self.words.no_reason
        suggestions = self.phrase(facts.get("suggestions", "").strip())
        known["suggestions"] = f" {suggestions}" if suggestions else ""
        if "extension" in known:
            known["extension"] = self.phrase(known["extension"])
        for name in _SIZES.keys() & known.keys():
            known[name] = self._size(known[name], _SIZES[name])
        if "deadline" in known:
            known["deadline"] = self._measure(known["deadline"])
        return known

    def _measure(self, text: str) -> str:
        """`24 hours` or `300 bytes`, as this language says it."""
        return _NUMBER.sub(lambda found: self.number(found[0]), self.phrase(text), count=1)

    def _size(self, text: str, rounded: Callable[[float], int]) -> str:
        """`40,000,000 bytes`, or the bare number, in MB as file managers show it; what is smaller than one in bytes."""
        found = _BYTES.fullmatch(text)
        if found is None:
            return text
        size = int(found[1].replace(",", ""))
        if size < _MB:
            return self._measure(f"{size:,} bytes")
        return self.number(f"{rounded(size * 10 / _MB) / 10:,.1f}".removesuffix(".0")) + " MB"


def _pattern(english: str) -> re.Pattern[str]:
    """What fits an English template, each place under its name; everything between them stands as it is."""
    parts = _PLACE.split(english)
    return re.compile("".join(f"(?P<{part}>.+)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))


def _sentence(template: str, facts: _Facts) -> str:
    text = _SECOND_STOP.sub("", template.format_map(facts).strip())
    if text and text[-1] not in ".!?…":
        text += "."
    return text[:1].upper() + text[1:]


TEXTS: Final[Mapping[str, Texts]] = {language.tag: Texts(language) for language in (ENGLISH, GERMAN)}
"""By the setting `language`."""

# Logs and commands speak English.
_ENGLISH = TEXTS["en"]
CATALOGUE = _ENGLISH.catalogue
WAITING = ENGLISH.waiting
LEFT_ALONE = ENGLISH.left_alone
render = _ENGLISH.render
told = _ENGLISH.told
waiting = _ENGLISH.waiting
for_a_person = _ENGLISH.for_a_person
left_alone = _ENGLISH.left_alone
duration = _ENGLISH.duration
