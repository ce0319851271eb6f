"""What is said in each language: every text in all of them, with the same facts, in sentences that are whole."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import daemon
from daemon import messages, sidecar
from daemon.config import Config
from daemon.errors import RejectedError, ServiceError
from daemon.messages import TEXTS, Texts
from daemon.texts.de_phrases import PHRASES
from tests.test_sidecar import FACTS

GERMAN, ENGLISH = TEXTS["de"], TEXTS["en"]
OTHERS = [texts for tag, texts in TEXTS.items() if tag != "en"]
_PLACE = re.compile(r"\{\w+\}")


def texts_of(texts: Texts) -> dict[str, str]:
    """Every template of a language under a key of its own."""
    words = texts.words
    return {
        **{f"happened {code}": happened for code, (happened, _) in words.messages.items()},
        **{f"to do {code}": to_do for code, (_, to_do) in words.messages.items()},
        **{f"waiting {code}": text for code, text in words.waiting.items()},
        **{f"left {code}": text for code, text in words.left_alone.items()},
        **{f"unit {unit}": " ".join(pair) for unit, pair in words.units.items()},
        "no reason": words.no_reason,
    }


# -- complete -------------------------------------------------------------------------------------------------------


def test_every_setting_of_the_language_has_its_texts() -> None:
    """What `language:` takes is what there is."""
    assert set(TEXTS) == set(get_args(Config.model_fields["language"].annotation))


@pytest.mark.parametrize("texts", OTHERS, ids=lambda texts: texts.language)
def test_languages_say_the_same(texts: Texts) -> None:
    """Every text is there in each language, in the same order, with the same facts in it, and in other words."""
    english, other = texts_of(ENGLISH), texts_of(texts)

    assert list(english) == list(other)
    assert {key for key in english if english[key] == other[key] != "{reason}"} == set()
    for key, text in english.items():
        assert set(_PLACE.findall(text)) == set(_PLACE.findall(other[key])), key
    assert [one.retryable for one in ENGLISH.catalogue.values()] == [one.retryable for one in texts.catalogue.values()]


@pytest.mark.parametrize("english", PHRASES)
def test_phrases_keep_what_stands_in_them(english: str) -> None:
    """Each place of the English phrase is there once in the German one, and comes back as it was."""
    places = _PLACE.findall(english)
    filled = english.format_map({place[1:-1]: f"<{place[1:-1]}>" for place in places})
    said = GERMAN.phrase(filled)

    assert sorted(places) == sorted(_PLACE.findall(PHRASES[english]))
    assert all(f"<{place[1:-1]}>" in said for place in places)
    assert said != filled


# What only an administrator reads, or a library says: told as it is.
_AS_IT_IS = (
    re.compile(r"HTTP \{\}|\{\}"),
    re.compile(r"\{\}: what stands in \{\} is no address of a container with a signature \(sig=\)"),
    re.compile(r"\{\}: \{\}"),
)
_ERRORS = {"NotSegmentableError", *(one.__name__ for one in ServiceError.__subclasses__())}
_HOME = Path(daemon.__file__).parent


def own_reasons() -> Iterator[tuple[str, str]]:
    """(file, phrase) of every reason that this program gives itself, with `{}` for what is put in."""
    for path in sorted(_HOME.rglob("*.py")):
        inside = path.relative_to(_HOME).as_posix()
        if inside.startswith("sandbox/"):
            continue
        tree = ast.parse(path.read_text())
        named = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ERRORS:
                position = 0 if node.func.id == "NotSegmentableError" else 1
                given = [*node.args[position : position + 1], *_reasons_in(node)]
                yield from ((inside, text) for one in given if (text := _text(one, named)) is not None)


def _reasons_in(call: ast.Call) -> Iterator[ast.expr]:
    """What stands under `reason` in the facts of an error."""
    for keyword in call.keywords:
        if keyword.arg == "facts" and isinstance(keyword.value, ast.Dict):
            pairs = zip(keyword.value.keys, keyword.value.values, strict=True)
            yield from (value for key, value in pairs if getattr(key, "value", "") == "reason")


def _text(node: ast.expr, named: dict[str, ast.expr]) -> str | None:
    if isinstance(node, ast.Name) and node.id in named:
        node = named[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def test_every_reason_of_our_own_is_said_in_german() -> None:
    """A German sentence does not end in an English one, unless a service or a library has said it."""
    known = {_PLACE.sub("{}", english) for english in PHRASES}
    found = list(own_reasons())

    assert len(found) > 40
    assert {
        (file, text) for file, text in found if text not in known and not any(one.fullmatch(text) for one in _AS_IT_IS)
    } == set()


# -- sentences ------------------------------------------------------------------------------------------------------

_UNCLEAN = re.compile(r"[{}]|  |\s[.,:;!](?!\w)|\.\.|[!?…:,;]\.|\(\)|: *$")


@pytest.mark.parametrize("code", messages.CATALOGUE)
@pytest.mark.parametrize("left_out", [None, "all", *FACTS])
def test_german_sentences_are_clean(code: str, left_out: str | None) -> None:
    """With all facts, without any, and without each one."""
    facts = {} if left_out == "all" else {key: value for key, value in FACTS.items() if key != left_out}
    for sentence in (*GERMAN.render(code, facts), GERMAN.waiting(code, facts)):
        assert re.fullmatch(r"[A-ZÄÖÜ?„].*[.!?…]", sentence), sentence
        assert not _UNCLEAN.search(sentence), sentence


@pytest.mark.parametrize("code", messages.WAITING)
def test_german_reasons_to_wait_are_clean(code: str) -> None:
    """One sentence each."""
    for facts in ({}, FACTS):
        said = GERMAN.waiting(code, facts)

        assert re.fullmatch(r"[A-ZÄÖÜ?].*[.]", said)
        assert not _UNCLEAN.search(said), said


def test_german_is_german() -> None:
    """Umlauts and quotes as they are written, polite forms, and no word of English that has one of its own."""
    everything = " ".join([*texts_of(GERMAN).values(), *PHRASES.values()])

    assert not re.search(r"\b(fuer|ueber|koenn|moecht|pruef|aender|zurueck|Schluessel)", everything, re.IGNORECASE)
    assert not re.search(r"[“‘]\w|\"|\w”", everything)
    assert everything.count("„") == everything.count("“")
    assert not re.search(r"\b(du|dein|deine|ihr habt)\b", everything)
    english = r"\b(file|files|account|job|key|provider|server|download|upload|folder|inbox ordner|daemon|timeout)\b"
    assert not re.search(english, re.sub(_PLACE, "", everything), re.IGNORECASE)


@pytest.mark.parametrize(
    ("code", "facts", "happened", "to_do"),
    [
        (
            "drop.too_large",
            {"size": "41,000,000", "limit": "40,000,000 bytes"},
            "Die Datei ist 41 MB groß; Azure nimmt höchstens 40 MB an.",
            "Teilen oder verkleinern Sie die Datei, und legen Sie die kleineren Dateien in inbox/azure/fr ab.",
        ),
        (
            "drop.type",
            {"extension": "nameless", "extensions": ".docx, .pdf"},
            "Dateien dieser Art übersetzt Azure nicht: ohne Dateiendung.",
            "Speichern Sie die Datei in einem dieser Formate, und legen Sie sie noch einmal ab: .docx, .pdf.",
        ),
        (
            "language.unknown",
            {
                "reason": "“frnch” is no language that this service translates into.",
                "suggestions": " (perhaps fr, fr-CA)",
            },
            "„frnch“ ist keine Sprache, in die dieser Dienst übersetzt.",
            (
                "Verschieben Sie die Datei in einen Ordner mit dem Namen einer Sprache, die Azure kennt (vielleicht "
                "fr, fr-CA)."
            ),
        ),
        (
            "drop.unreadable",
            {"reason": "Permission denied"},
            "Die Datei konnte nicht gelesen werden: keine Berechtigung.",
            (
                "Bitten Sie die Systemverwaltung, die Zugriffsrechte zu prüfen. Danach verschieben Sie die Datei "
                "zurück nach inbox/azure/fr, um es erneut zu versuchen."
            ),
        ),
        (
            "deadline.passed",
            {"deadline": "24 hours", "remote_id": "r7"},
            "Azure hat die Datei angenommen, ist aber nicht rechtzeitig fertig geworden (Frist: 24 Stunden).",
            (
                "Fragen Sie Azure nach dem Auftrag r7. Wenn Sie die Datei zurück nach inbox/azure/fr verschieben, wird "
                "zuerst der alte Auftrag abgefragt."
            ),
        ),
        (
            "account.no_key",
            {"reason": "cannot read file /run/key: Permission denied"},
            (
                "Für Azure gibt es keinen Schlüssel: die vorgesehene Stelle ist nicht lesbar (file /run/key): keine "
                "Berechtigung."
            ),
            "Die Systemverwaltung muss den Schlüssel bereitstellen; so lange warten die Dateien.",
        ),
        (
            "provider.failed",
            {"reason": "The document is protected."},
            "Azure konnte die Datei nicht übersetzen: The document is protected.",
            (
                "Prüfen Sie die Datei. Danach verschieben Sie die Datei zurück nach inbox/azure/fr, um es erneut zu "
                "versuchen."
            ),
        ),
    ],
)
def test_in_german(code: str, facts: dict[str, str], happened: str, to_do: str) -> None:
    """Numbers, lengths, reasons and suggestions of our own are German too; a service is quoted."""
    known = {"provider": "Azure", "inbox": "inbox/azure/fr", **facts}

    assert GERMAN.render(code, known) == (happened, to_do)


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (86400.0, "24 hours", "24 Stunden"),
        (172800.0, "2 days", "2 Tage"),
        (90.0, "90 seconds", "90 Sekunden"),
        (1.5, "1.5 seconds", "1,5 Sekunden"),
        (1.0, "1 second", "1 Sekunde"),
        (120.0, "2 minutes", "2 Minuten"),
        (0.0, "0 seconds", "0 Sekunden"),
    ],
)
def test_lengths_of_time(seconds: float, english: str, german: str) -> None:
    """In the largest unit that leaves no long fraction; an English one is also understood as a fact."""
    assert ENGLISH.duration(seconds) == english
    assert GERMAN.duration(seconds) == german
    assert f"(Frist: {german})" in GERMAN.render("deadline.passed", {"deadline": english})[0]


@pytest.mark.parametrize(
    ("size", "limit", "english", "german"),
    [
        (40_000_001, 40_000_000, ("40.1 MB", "40 MB"), ("40,1 MB", "40 MB")),
        (20_000_000_001, 20_000_000_000, ("20,000.1 MB", "20,000 MB"), ("20.000,1 MB", "20.000 MB")),
        (1_000_000, 999_999, ("1 MB", "999,999 bytes"), ("1 MB", "999.999 Byte")),
        (301, 300, ("301 bytes", "300 bytes"), ("301 Byte", "300 Byte")),
    ],
)
def test_sizes(size: int, limit: int, english: tuple[str, str], german: tuple[str, str]) -> None:
    """In MB from one MB on; a file that is too large by a byte is not told to be as large as is allowed."""
    facts = {"provider": "Azure", "size": f"{size:,}", "limit": f"{limit:,} bytes"}

    assert ENGLISH.render("drop.too_large", facts)[0] == "The file is {}; Azure takes at most {}.".format(*english)
    assert GERMAN.render("drop.too_large", facts)[0] == "Die Datei ist {} groß; Azure nimmt höchstens {} an.".format(
        *german
    )
    assert f"larger than {english[1]}." in ENGLISH.render("result.too_large", {"limit": f"{limit:,}"})[0]


@given(st.sampled_from(sorted(TEXTS)), st.sampled_from(sorted(messages.CATALOGUE)), st.text(max_size=60))
def test_any_words_of_a_service_are_quoted(language: str, code: str, words: str) -> None:
    """They neither break a sentence nor reach into it, in any language."""
    error = ServiceError(code, words, facts={"deadline": words, "limit": words, "suggestions": words})
    said = sidecar.error_of(error, stage="s", provider="P", inbox="I", texts=TEXTS[language])

    assert re.search(r"[.!?…]$", said["what_happened"])
    assert TEXTS[language].told(said) == (said["what_happened"], said["what_to_do"])


# -- told later, in another language --------------------------------------------------------------------------------


def test_a_failure_can_be_told_in_another_language() -> None:
    """The journal keeps the facts, so that the log speaks English where sidecars speak German."""
    error = RejectedError("drop.too_large", facts={"size": "41,000,000", "limit": "40,000,000 bytes"})
    kept = sidecar.error_of(error, stage="claim", provider="Azure", inbox="inbox/azure/fr", texts=GERMAN)

    assert kept["what_happened"].startswith("Die Datei ist 41 MB groß")
    assert messages.told(kept) == (
        "The file is 41 MB; Azure takes at most 40 MB.",
        "Split or shrink the file, then put the smaller files into inbox/azure/fr.",
    )


@pytest.mark.parametrize("error", [{"code": "drop.empty"}, {"code": "moon.full", "facts": {}}])
def test_a_failure_of_another_version_is_told_as_it_was(error: dict[str, object]) -> None:
    """Without facts, or with a code from elsewhere, the sentences of that time stand."""
    assert messages.told({**error, "what_happened": "So it was.", "what_to_do": "Do."}) == ("So it was.", "Do.")
    assert messages.told(error) == ("?", "")


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_what_is_left_alone_is_told_with_its_reason(texts: Texts) -> None:
    """As the end of a sentence; a code of another version is repeated as it is."""
    said = [texts.left_alone(code) for code in texts.words.left_alone]

    assert all((text and text[-1].isalnum()) or text[-1] in ")/" for text in said)
    assert texts.left_alone("withdrawn: a.txt.cancel").count("a.txt.cancel") == 1
    assert texts.left_alone("unreadable: Permission denied").endswith(texts.phrase("Permission denied"))
    assert texts.left_alone("moon.full") == "moon.full"
