"""The language tables of the providers: what a folder's name becomes on the wire."""

import re

import pytest

from daemon.languages import UnknownLanguageError, names, route_for
from daemon.providers.gpttranslator import GptTranslator
from daemon.providers.voicecheap import VoiceCheap
from daemon.settings import ProviderSettings

ADDRESS = {"base_url": "https://api.example.com", "api_key": "key"}
VOICECHEAP = VoiceCheap.facts(VoiceCheap.settings_type.model_validate({"kind": "voicecheap", **ADDRESS})).languages
GPT_SETTINGS: ProviderSettings = GptTranslator.settings_type.model_validate(
    {"kind": "gpttranslator", **ADDRESS, "options": {"model": "m"}, "source_language": "en"}
)
GPTTRANSLATOR = GptTranslator.facts(GPT_SETTINGS).languages

# Page "translate", newest version, with "american english" of the version before.
DOCUMENTED = frozenset(
    " ".join(name.split())
    for name in """afrikaans, albanian, amharic, arabic, armenian, assamese, azerbaijani, basque, belarusian,
    bengali, bosnian, bulgarian, catalan, croatian, czech, danish, dutch, english, british english, american english,
    estonian, finnish, french, french canadian, galician, german, greek, gujarati, hebrew, hindi, hungarian,
    icelandic, indonesian, irish, italian, japanese, kannada, kazakh, khmer, korean, lao, latvian, lithuanian,
    macedonian, malay, malayalam, mandarin, marathi, mongolian, nepali, norwegian, persian, polish, portuguese,
    brazilian portuguese, punjabi, romanian, russian, serbian, slovak, slovenian, spanish, swahili, swedish, tagalog,
    tamil, telugu, thai, turkish, ukrainian, urdu, vietnamese, welsh, yoruba, zulu""".split(",")  # noqa: SIM905  eighty names read better than a column of them
)
FORM = re.compile(r"[a-zA-Z]+(-[a-zA-Z]+)?")


def voicecheap(folder: str, *, listed: tuple[str, ...] = (), source: str | None = None) -> tuple[str, str | None]:
    route = route_for(folder, table=VOICECHEAP, listed=listed, default_source=source)
    return route.target_wire, route.source_wire


def gpttranslator(folder: str, *, listed: tuple[str, ...] = ()) -> tuple[str, str | None]:
    route = route_for(folder, table=GPTTRANSLATOR, listed=listed, default_source=GPT_SETTINGS.source_language)
    return route.target_wire, route.source_wire


def test_every_tag_goes_out_as_a_documented_name() -> None:
    """Each tag of the table is taken as a folder and sent as a name from the vendor's page."""
    sent = {tag: voicecheap(tag)[0] for tag in VOICECHEAP.targets}

    assert {tag: name for tag, name in sent.items() if name not in DOCUMENTED} == {}
    assert sent == dict(VOICECHEAP.targets)


def test_every_documented_name_has_a_folder() -> None:
    """No language of the page is out of reach, and the list for people shows each."""
    shown = {wire for _, _, wire in names(VOICECHEAP)}

    assert shown == set(VOICECHEAP.targets.values()) == DOCUMENTED


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("no", "norwegian"),
        ("nb-NO", "norwegian"),
        ("pt_br", "brazilian portuguese"),
        ("PT-PT", "portuguese"),
        ("en-us", "american english"),
        ("fr-CA", "french canadian"),
        ("zh-CN", "mandarin"),
        ("iw", "hebrew"),
    ],
)
def test_usual_spellings_are_understood(folder: str, name: str) -> None:
    """Case, underscores and old codes lead to the same name."""
    assert voicecheap(folder)[0] == name


@pytest.mark.parametrize("folder", ["zh-Hant", "zh-TW", "es-419", "eo", "new", "spanish", "old", "pt-AO"])
def test_what_is_not_surely_meant_is_refused(folder: str) -> None:
    """A script, region or word that the service does not have is never replaced by a neighbour."""
    with pytest.raises(UnknownLanguageError):
        voicecheap(folder)


def test_listed_names_are_passed_through() -> None:
    """A name that the administrator lists goes out as it is, whatever the table knows."""
    assert voicecheap("canadian french", listed=("canadian french",))[0] == "canadian french"


def test_sources_are_short_codes() -> None:
    """The source goes out as an ISO code, never as a name, and stays out when it is not known."""
    sent = {tag: voicecheap("es" if tag != "es" else "fr", source=tag)[1] for tag in VOICECHEAP.targets}

    assert voicecheap("es") == ("spanish", None)
    assert voicecheap("en-to-es") == ("spanish", "en")
    assert {tag: code for tag, code in sent.items() if not code or not re.fullmatch("[a-z]{2}", code)} == {}
    assert {
        tag: code for tag, code in sent.items() if code and code.partition("-")[0] not in (tag[:2], "no", "tl", "zh")
    } == {}


@pytest.mark.parametrize(
    ("folder", "sent"),
    [
        ("fr", "fr"),
        ("pt-BR", "pt-BR"),
        ("pt_br", "pt-BR"),
        ("zh-Hans", "zh-Hans"),
        ("ZH-hans", "zh-Hans"),
        ("fil", "tl"),
        ("sr-Cyrl-RS", "sr-Cyrl"),  # the form has no room for three subtags; two of them say the same
    ],
)
def test_form_takes_languages(folder: str, sent: str) -> None:
    """Codes of the documented form go out as tags, with the source that the settings name."""
    assert gpttranslator(folder) == (sent, "en")


@pytest.mark.parametrize(
    "folder", ["new", "old", "kr", "br", "es-419", "sr-Latn-RS-x-a", "french", "qq", "x", "toolong", "fr-"]
)
def test_form_refuses_the_rest(folder: str) -> None:
    """Everyday words, digits, three subtags and what is no language are not guessed into one."""
    with pytest.raises(UnknownLanguageError):
        gpttranslator(folder)


def test_everything_offered_has_the_documented_form() -> None:
    """Whatever is shown as a language of the service passes the service's own rule."""
    offered = [wire for _, _, wire in names(GPTTRANSLATOR)]

    assert len(offered) > 100
    assert [wire for wire in offered if not FORM.fullmatch(wire) or not 2 <= len(wire) <= 10] == []


def test_source_is_required() -> None:
    """The service detects nothing: a configuration without the source is refused with a sentence."""
    with pytest.raises(ValueError, match="source_language is required"):
        GptTranslator.settings_type.model_validate({"kind": "gpttranslator", **ADDRESS, "options": {"model": "m"}})
