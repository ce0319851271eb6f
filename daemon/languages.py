"""Language folders: which of a service's own languages a folder's name means, and what to suggest when none.

A folder is called after a BCP 47 tag (`fr`, `pt-BR`, `zh_hans`) or after two (`en-to-fr`). Being wrong here
costs money, so a name is taken only when it is surely a language of the service: its own tag, or one that
differs in nothing that was said. A script or region in the folder's name is never replaced, everyday folder
names and codes of countries are never languages, everything else is merely suggested. What an administrator
lists is passed on.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import product
from string import ascii_lowercase
from unicodedata import normalize

from langcodes import Language, standardize_tag, tag_is_valid
from langcodes.tag_parser import LanguageTagError

from daemon.errors import BabeldropError
from daemon.names import shown

# Registered tags that people make folders of. They are languages only where an administrator lists them.
_FOLDER_WORDS = frozenset(
    """abc all any app bak bin csv day dev doc end err etc in job lab lib log mac man may min net new not now
    off old one out own per raw red run set src sub sun sys tar the tmp to-do top two van var via war web www
    xml yes zip""".split()  # noqa: SIM905  sixty words read better than a column of sixty lines
)
# Codes of countries that people take for those of languages, and what they mean by them. Some are the code of a
# rare language, too, which is one only where an administrator lists it; common ones (ca, et, sl) are not here.
_COUNTRIES = {
    "br": "pt-BR", "ch": "de-CH", "cn": "zh-CN", "cz": "cs", "dk": "da", "ee": "et", "gb": "en-GB", "gr": "el",
    "il": "he", "ir": "fa", "jp": "ja", "kg": "ky", "kr": "ko", "kz": "kk", "rs": "sr", "se": "sv", "tw": "zh-TW",
    "ua": "uk", "us": "en-US", "vn": "vi",
}  # fmt: skip
# Languages that have a code of two letters, although the canonical one has three.
_TWO_LETTERS = {"fil": "tl"}
# Named beside all two-letter languages where a service tells only the form of its codes.
_ALSO_NAMED = ("en-GB", "en-US", "fr-CA", "pt-BR", "pt-PT", "tl", "zh-Hans", "zh-Hant")
_PAIR = re.compile(r"(?P<source>.+?)[-_]to[-_](?P<target>.+)", re.IGNORECASE | re.DOTALL)
_LONGEST_TAG = 64
_SAME_LANGUAGE = 1
_NEIGHBOUR = 20
_FAR = 1000
_LIKE_ENOUGH = 0.7
_ONE_WORD = 0.95
_MOST_SUGGESTIONS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """From which language to which: as BCP 47 tags, and in the provider's own form.

    Without a source the service detects it. A listed name that is no tag stands as it was listed.
    """

    source: str | None
    target: str
    target_wire: str
    source_wire: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageTable:
    """A provider's own languages: BCP 47 tags and what is sent for them.

    `sources` is None when it takes the same languages as targets. `form` is a regular expression, for a
    service that tells only how its codes look: then every language with a two-letter code is its own, also
    with a script or with a region where it is spoken, and sent as its tag.
    """

    targets: Mapping[str, str]
    sources: Mapping[str, str] | None = None
    form: str | None = None
    detects_source: bool = True


class UnknownLanguageError(BabeldropError):
    """A folder whose name is no language of its provider; `suggestions` are names of folders that are."""

    def __init__(self, folder: str, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.folder = folder
        self.suggestions = suggestions


def route_for(folder: str, *, table: LanguageTable, listed: Collection[str], default_source: str | None) -> Route:
    """What a folder below a provider's asks for.

    `listed` are the provider's configured `languages`, `default_source` its `source_language`; both are taken
    at their word. Raises UnknownLanguageError, with a sentence for people, for what is not surely a language.
    """
    trusted = {_spelled(name): name for name in listed}
    as_listed = trusted.get(_spelled(folder))
    source, target = _sides(as_listed or folder)

    def is_trusted(side: str) -> bool:
        return as_listed is not None or _spelled(side) in trusted

    sources, form = (table.targets, table.form) if table.sources is None else (table.sources, None)
    found_source = None
    if source is not None:
        found_source = _resolve(source, sources, form, trusted=is_trusted(source))
        if found_source is None:
            near = _useful(suggestions(source, sources, form), target)
            others = tuple(f"{one}-to-{target}" for one in near)
            raise UnknownLanguageError(folder, _refusal(source, "from"), others)
    elif default_source is not None:
        found_source = _resolve(default_source, sources, form, trusted=True)
    found_target = _resolve(target, table.targets, table.form, trusted=is_trusted(target))
    if found_target is None:
        near = _useful(suggestions(target, table.targets, table.form), found_source and found_source[0])
        others = tuple(one if source is None else f"{source}-to-{one}" for one in near)
        raise UnknownLanguageError(folder, _refusal(target, "into"), others)
    return _checked(folder, found_source, found_target, table)


def suggestions(name: str, offered: Mapping[str, str], form: str | None = None) -> tuple[str, ...]:
    """At most three tags of the service that `name` may have been meant for, best first.

    By the distance of languages; for what is no language, by likeness to the tags and to the names: in
    English, in the language itself, and as the service calls it.
    """
    spelled = _spelled(name[:_LONGEST_TAG]).removeprefix("to-")
    spelled = _spelled(_COUNTRIES.get(spelled, spelled))
    near, alike = [], []
    for tag, wire in _catalogue(offered, form).items():
        if _means_something_else(tag):
            continue
        if (distance := _neighbourhood(spelled, tag)) <= _NEIGHBOUR:
            near.append((distance, _spelled(tag) != spelled, tag))
        if (likeness := _likeness(spelled, tag, wire)) >= _LIKE_ENOUGH:
            alike.append((-likeness, not _is_plain(tag), tag))
    found = [tag for *_, tag in sorted(near)] or [tag for *_, tag in sorted(alike)]
    return tuple(found[:_MOST_SUGGESTIONS])


def names(table: LanguageTable) -> list[tuple[str, str, str]]:
    """Tag, English name and wire form of every target of a provider, sorted by tag."""
    offers = _catalogue(table.targets, table.form)
    return [(tag, _english(tag), offers[tag]) for tag in sorted(offers)]


def canonical(tag: str) -> str | None:
    """The canonical spelling of a BCP 47 tag made of registered subtags; None for anything else."""
    parsed = _parsed(tag)
    return standardize_tag(tag) if parsed is not None and tag_is_valid(tag) else None


def _sides(folder: str) -> tuple[str | None, str]:
    pair = _PAIR.fullmatch(folder)
    return (pair["source"], pair["target"]) if pair else (None, folder)


def _useful(tags: Iterable[str], other: str | None) -> list[str]:
    """Suggestions without the language on the other side of the translation."""
    return [tag for tag in tags if other is None or not _fits(other, tag)]


def _refusal(name: str, direction: str) -> str:
    quoted = f"“{shown(name[:_LONGEST_TAG])}”"
    if _spelled(name) in _FOLDER_WORDS:
        return f"{quoted} is an everyday folder name; as a language it has to stand under `languages:`."
    if _spelled(name) in _COUNTRIES and canonical(name) is not None:
        return f"{quoted} is rather the code of a country; as a language it has to stand under `languages:`."
    return f"{quoted} is no language that this service translates {direction}."


def _checked(folder: str, source: tuple[str, str] | None, target: tuple[str, str], table: LanguageTable) -> Route:
    if source is None:
        if not table.detects_source:
            sentence = "This service has to be told the language of the originals."
            raise UnknownLanguageError(folder, sentence, (f"en-to-{folder}",))
        return Route(source=None, target=target[0], target_wire=target[1])
    if source[0] == target[0] or _fits(source[0], target[0]):
        raise UnknownLanguageError(folder, f"The originals are said to be in “{shown(source[0])}” already.")
    return Route(source=source[0], source_wire=source[1], target=target[0], target_wire=target[1])


def _resolve(name: str, offered: Mapping[str, str], form: str | None, *, trusted: bool) -> tuple[str, str] | None:
    """Tag and wire form of a language of the service; of a trusted name at least the name itself."""
    if name.isascii() and (trusted or not _means_something_else(name)):
        found = _find(_spelled(name), offered, form, trusted=trusted)
        if found is not None:
            return found
    return (canonical(name) or name, name) if trusted else None


def _means_something_else(name: str) -> bool:
    """Whether people mean no language by it, or another one."""
    return _spelled(name) in _FOLDER_WORDS or _spelled(name) in _COUNTRIES


def _find(spelled: str, offered: Mapping[str, str], form: str | None, *, trusted: bool) -> tuple[str, str] | None:
    for tag, wire in offered.items():
        if _spelled(tag) == spelled:
            return canonical(tag) or tag, wire
    wanted = canonical(spelled)
    if wanted is None or not (trusted or _is_own_code(spelled.partition("-")[0], offered, form)):
        return None
    offers = {tag: tag for tag in _formed(wanted, form)} | dict(offered)
    fitting = [tag for tag in offers if _fits(wanted, tag)]
    if not fitting:
        return None
    code = wanted.partition("-")[0]
    nearest = min(fitting, key=lambda tag: (canonical(tag) != wanted, _distance(wanted, tag), not tag.startswith(code)))
    return canonical(nearest) or nearest, offers[nearest]


def _is_own_code(code: str, offered: Iterable[str], form: str | None) -> bool:
    """Two letters are a language; three are one only where the service has that very code, or its two letters.

    Most words of three letters are the code of some language (`cat`, `fin`, `may`).
    """
    if len(code) == 2 or (form is not None and code in _TWO_LETTERS):
        return True
    parsed = [(_spelled(tag).partition("-")[0], _parsed(tag)) for tag in offered]
    return any(code in (first, language and language.language) for first, language in parsed)


def _fits(wanted: str, tag: str) -> bool:
    """Whether `tag` is `wanted` with nothing replaced: likely subtags make `zh-CN` and `zh-Hans` the same."""
    one, other = _parsed(wanted), _parsed(tag)
    if one is None or other is None or _distance(wanted, tag) > _SAME_LANGUAGE:
        return False
    return _said(one) == _said(other)


def _said(language: Language) -> tuple[object, ...]:
    full = language.maximize()
    return full.script, full.territory, full.variants, full.extensions, full.private


def _formed(wanted: str, form: str | None) -> Iterator[str]:
    """The tags of a language, most exact first, that have the form in which the service writes its own."""
    language = _parsed(wanted)
    if form is None or language is None:
        return
    code = _TWO_LETTERS.get(language.language or "", language.language)
    region = language.territory if language.speaking_population() else None
    for parts in ((language.script, region), (language.script,), (region,), ()):
        tag = "-".join(part for part in (code, *parts) if part)
        if code and len(code) == 2 and re.fullmatch(form, tag):
            yield tag


def _catalogue(offered: Mapping[str, str], form: str | None) -> dict[str, str]:
    own = () if form is None else (tag for tag in _two_letter_tags() if re.fullmatch(form, tag))
    formed = {tag: tag for tag in own if not _means_something_else(tag)}
    return formed | dict(offered)


@lru_cache(maxsize=1)
def _two_letter_tags() -> tuple[str, ...]:
    codes = ("".join(letters) for letters in product(ascii_lowercase, repeat=2))
    return (*(code for code in codes if canonical(code) == code), *_ALSO_NAMED)


def _spelled(name: str) -> str:
    """Names that differ in case, in `_` for `-` or in how accents are stored are the same folder."""
    return normalize("NFC", name).casefold().replace("_", "-")


@lru_cache(maxsize=1024)
def _parsed(tag: str) -> Language | None:
    """A tag taken apart, registered or not; None for what has not the form of one."""
    if len(tag) > _LONGEST_TAG:
        return None
    try:
        return Language.get(tag)
    except LanguageTagError:
        return None


def _distance(one: str, other: str) -> int:
    """How far apart two languages are for a reader: 0 is the same, above 20 are strangers."""
    first, second = _parsed(one), _parsed(other)
    return first.distance(second) if first and second else _FAR


def _neighbourhood(spelled: str, tag: str) -> int:
    """The distance for suggestions: a language in another script or region is still the nearest there is."""
    one, other = _parsed(spelled), _parsed(tag)
    if canonical(spelled) is None or one is None or other is None:
        return _FAR
    return min(one.distance(other), _NEIGHBOUR) if one.language == other.language else one.distance(other)


def _is_plain(tag: str) -> bool:
    """Whether the tag says no more than its language does: `en-US` does not, `en-AU` does."""
    language = _parsed(tag)
    return language is not None and language.language is not None and _fits(language.language, tag)


def _likeness(spelled: str, tag: str, wire: str) -> float:
    """0 to 1: how much a folder's name looks like a name of the language, or nearly so, a word of it."""
    matcher = SequenceMatcher(b=" ".join(_words(spelled)))
    best = 0.0
    for words in map(_words, (tag, wire, *_names_of(tag))):
        for text, weight in [(" ".join(words), 1.0), *((word, _ONE_WORD) for word in words)]:
            matcher.set_seq1(text)
            best = max(best, weight * matcher.ratio())
    return best


def _words(name: str) -> list[str]:
    return sorted(re.findall(r"\w+", _spelled(name)))


@lru_cache(maxsize=1024)
def _names_of(tag: str) -> tuple[str, ...]:
    language = _parsed(tag)
    if language is None:
        return ()
    return _english(tag), language.autonym()


def _english(tag: str) -> str:
    language = _parsed(tag)
    return tag if language is None else language.display_name("en")
