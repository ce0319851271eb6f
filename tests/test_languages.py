"""Language folders: what is taken, what is only suggested, and that nothing said is ever replaced."""

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langcodes import Language, tag_distance

from daemon.languages import (
    LanguageTable,
    Route,
    UnknownLanguageError,
    canonical,
    names,
    route_for,
)

# Four kinds of service: codes (a part of Azure's list), numbers (CAMB.AI's), names with other source codes
# (VoiceCheap's), and one that tells only the form of its codes (GPTTranslator's).
AZURE = """
    af ar bs cs da de en es fa fil fr fr-ca he hr id it iu iu-Latn ja ku kmr mn-Cyrl mn-Mong ms nb ne nl prs
    pt pt-pt ru run sr-Cyrl sr-Latn sv to tr uk yue zh-Hans zh-Hant
"""
CODES = LanguageTable(targets={tag: tag for tag in AZURE.split()})
NUMBERS = LanguageTable(
    targets={
        "EN_US": "1",
        "EN_GB": "35",
        "ES_ES": "54",
        "ES_MX": "58",
        "FIL_PH": "72",
        "FR_CA": "74",
        "FR_FR": "76",
        "NB_NO": "105",
        "PT_BR": "111",
        "PT_PT": "112",
        "ZH_CN": "139",
        "ZH_CN_HENAN": "140",
        "ZH_TW": "146",
        "TL_PH": "151",
    }
)
NAMES = LanguageTable(
    targets={
        "cmn": "mandarin",
        "de": "german",
        "en": "english",
        "en-GB": "british english",
        "es": "spanish",
        "fil": "tagalog",
        "fr": "french",
        "fr-CA": "french canadian",
        "no": "norwegian",
        "nl": "dutch",
        "pt": "portuguese",
        "pt-BR": "brazilian portuguese",
        "pt-PT": "portuguese",
        "zh": "mandarin",
    },
    sources={"de": "de", "en": "en", "fr": "fr", "zh": "zh"},
)
FORM = LanguageTable(targets={}, form=r"(?=.{2,10}\Z)[a-zA-Z]+(-[a-zA-Z]+)?", detects_source=False)
WORDS = LanguageTable(targets={"new": "newari", "old": "mochi", "run": "rundi", "in": "indonesian", "fr": "french"})
TABLES = {"codes": CODES, "numbers": NUMBERS, "names": NAMES, "form": FORM, "words": WORDS}


def route(folder: str, table: LanguageTable, listed: Collection[str] = (), source: str | None = None) -> Route:
    return route_for(folder, table=table, listed=listed, default_source=source)


def outcome(
    folder: str, table: LanguageTable, listed: Collection[str] = (), source: str | None = None
) -> Route | UnknownLanguageError:
    try:
        return route(folder, table, listed, source)
    except UnknownLanguageError as error:
        return error


def refused(folder: str, table: LanguageTable, source: str | None = None) -> UnknownLanguageError:
    error = outcome(folder, table, source=source)
    assert isinstance(error, UnknownLanguageError)
    return error


@pytest.mark.parametrize(
    ("folder", "table", "target", "wire"),
    [
        ("fr", CODES, "fr", "fr"),
        ("FR", CODES, "fr", "fr"),
        ("fr-FR", CODES, "fr", "fr"),
        ("fr_ca", CODES, "fr-CA", "fr-ca"),
        ("no", CODES, "nb", "nb"),
        ("iw", CODES, "he", "he"),
        ("pt-BR", CODES, "pt", "pt"),
        ("zh-CN", CODES, "zh-Hans", "zh-Hans"),
        ("zh", CODES, "zh-Hans", "zh-Hans"),
        ("zh_tw", CODES, "zh-Hant", "zh-Hant"),
        ("zh-yue", CODES, "yue", "yue"),
        ("fil", CODES, "fil", "fil"),
        ("tl", CODES, "fil", "fil"),
        ("fa-AF", CODES, "fa-AF", "prs"),
        ("sr", CODES, "sr-Cyrl", "sr-Cyrl"),
        ("mn", CODES, "mn-Cyrl", "mn-Cyrl"),
        ("iu", CODES, "iu", "iu"),
        ("to", CODES, "to", "to"),
        ("fr", NUMBERS, "fr-FR", "76"),
        ("en", NUMBERS, "en-US", "1"),
        ("no", NUMBERS, "nb-NO", "105"),
        ("pt", NUMBERS, "pt-BR", "111"),
        ("pt-pt", NUMBERS, "pt-PT", "112"),
        ("zh-Hans", NUMBERS, "zh-CN", "139"),
        ("zh-Hant", NUMBERS, "zh-TW", "146"),
        ("fil", NUMBERS, "fil-PH", "72"),
        ("tl-PH", NUMBERS, "fil-PH", "151"),
        ("nb", NAMES, "no", "norwegian"),
        ("zh-CN", NAMES, "zh", "mandarin"),
        ("cmn", NAMES, "cmn", "mandarin"),
        ("PT_br", NAMES, "pt-BR", "brazilian portuguese"),
        ("fr-ca", NAMES, "fr-CA", "french canadian"),
    ],
)
def test_taken(folder: str, table: LanguageTable, target: str, wire: str) -> None:
    """A folder means the service's own tag, or one that only says less or more of the same."""
    assert Route(source=None, target=target, target_wire=wire) == route(folder, table)


@pytest.mark.parametrize(
    ("folder", "table", "suggestions"),
    [
        # Another region, script or variant is another language to its readers.
        ("pt-PT", LanguageTable(targets={"pt-BR": ""}), ("pt-BR",)),
        ("fr-BE", CODES, ("fr", "fr-ca")),
        ("fr", LanguageTable(targets={"fr-CA": ""}), ("fr-CA",)),
        ("fr-CA", LanguageTable(targets={"fr": ""}), ("fr",)),
        ("es-MX", CODES, ("es",)),
        ("es-MX", LanguageTable(targets={"es-419": ""}), ("es-419",)),
        ("zh-HK", CODES, ("zh-Hant", "zh-Hans")),
        ("zh-TW", NAMES, ("zh",)),
        ("sr-Latn", LanguageTable(targets={"sr": ""}), ("sr",)),
        ("zh-CN-henan", CODES, ()),
        ("ca-valencia", LanguageTable(targets={"ca": ""}), ("ca",)),
        # Neighbours are suggested, strangers are not.
        ("nn", CODES, ("nb",)),
        ("uk", LanguageTable(targets={"ru": "ru"}), ()),
        # Codes of three letters are too often words.
        ("fra", CODES, ("fr", "fr-ca")),
        ("cat", LanguageTable(targets={"ca": "", "es": ""}), ("ca", "es")),
        ("cmn", CODES, ("zh-Hans",)),
        # No tags at all.
        ("french", CODES, ("fr", "fr-ca")),
        ("frnch", CODES, ("fr", "fr-ca")),
        ("german", CODES, ("de",)),
        ("Deutsch", NAMES, ("de", "nl")),
        ("Fran\u00e7ais", CODES, ("fr", "fr-ca")),
        ("chinese", CODES, ("zh-Hans", "zh-Hant")),
        ("French Canadian", NAMES, ("fr-CA",)),
        ("canadian french", NAMES, ("fr-CA",)),
        ("mandarin", NAMES, ("cmn", "zh")),
        ("to-fr", CODES, ("fr", "fr-ca")),
        ("english", NUMBERS, ("EN_US", "EN_GB")),
        ("", CODES, ()),
        ("fr ", CODES, ("fr", "fr-ca")),
        ("fr-u-co-phonebk", CODES, ("fr", "fr-ca")),
        ("../../etc", CODES, ()),
        ("\udcff\udcfe", CODES, ()),
        ("x" * 100_000, CODES, ()),
        ("\u017fr", CODES, ("sr-Cyrl", "sr-Latn")),
        # Only the form is known: two letters, and a region where the language is spoken.
        ("auto", FORM, ()),
        ("to-DE", FORM, ("de",)),
        ("es-419", FORM, ("es",)),
    ],
)
def test_refused_with_suggestions(folder: str, table: LanguageTable, suggestions: tuple[str, ...]) -> None:
    """What is not surely a language of the service is not translated; the nearest names are suggested."""
    error = refused(folder, table)

    assert suggestions == error.suggestions
    assert folder == error.folder
    assert "no language that this service translates into" in str(error)


@pytest.mark.parametrize(
    ("folder", "wire"),
    [
        ("fr", "fr"),
        ("NO", "no"),
        ("iw", "he"),
        ("tl", "tl"),
        ("fil", "tl"),
        ("FIL_ph", "tl-PH"),
        ("EN_gb", "en-GB"),
        ("pt-BR", "pt-BR"),
        ("zh_hans", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("zh-Hant-TW", "zh-Hant"),
        ("sr-Cyrl-RS", "sr-Cyrl"),
        ("de-AT", "de-AT"),
    ],
)
def test_form(folder: str, wire: str) -> None:
    """A service that tells only a form gets the canonical tag, made to fit where nothing is lost."""
    assert wire == route(folder, FORM, source="cs").target_wire


@pytest.mark.parametrize("folder", ["new", "OLD", "run", "in"])
def test_everyday_words_are_no_languages(folder: str) -> None:
    """A folder called `new` is not Newari, even at a service that has it, unless it is listed."""
    error = refused(folder, WORDS)

    assert "languages:" in str(error)
    assert folder.lower() not in error.suggestions
    assert WORDS.targets[folder.lower()] == route(folder, WORDS, listed=[folder]).target_wire


@pytest.mark.parametrize("folder", ["new", "old", "in", "to-do", "tmp", "bin", "out", "doc", "job", "zip"])
def test_everyday_words_where_any_code_would_do(folder: str) -> None:
    """They are none either where only the form of the codes is known."""
    assert "languages:" in str(refused(folder, FORM, source="en"))


@pytest.mark.parametrize(
    ("folder", "table", "suggestions"),
    [
        ("br", FORM, ("pt-BR", "pt", "pt-PT")),
        ("BR", NUMBERS, ("PT_BR", "PT_PT")),
        ("kr", FORM, ("ko",)),
        ("se", CODES, ("sv",)),
        ("ee", LanguageTable(targets={"ee": "ewe", "et": "estonian"}), ("et",)),
        ("tw", CODES, ("zh-Hant", "zh-Hans")),
    ],
)
def test_codes_of_countries_are_no_rare_languages(
    folder: str, table: LanguageTable, suggestions: tuple[str, ...]
) -> None:
    """Who writes `br` means Brazil and hardly ever Breton: only what is listed is paid for."""
    error = refused(folder, table, source="en")

    assert "rather the code of a country" in str(error)
    assert "languages:" in str(error)
    assert error.suggestions == suggestions
    assert route(folder, table, listed=[folder], source="en").target_wire.lower() in {folder.lower(), "ewe"}


@pytest.mark.parametrize(
    ("folder", "suggested"),
    [("cn", "zh-Hans"), ("jp", "ja"), ("gr", "el"), ("cz", "cs"), ("dk", "da"), ("ua", "uk"), ("vn", "vi")],
)
def test_codes_of_countries_lead_to_their_languages(folder: str, suggested: str) -> None:
    """A country's code that is no language is refused with the one that was meant."""
    error = refused(folder, FORM, source="en")

    assert "no language that this service translates into" in str(error)
    assert suggested in error.suggestions


@pytest.mark.parametrize("folder", ["ar", "be", "ca", "et", "is", "it", "my", "no", "sl", "so", "sv", "to", "uk"])
def test_common_languages_stay_what_they_are(folder: str) -> None:
    """A code that is a country's or an English word, too, is taken where its language is a usual target."""
    assert route(folder, FORM, source="en").target_wire == folder


def test_a_source_is_no_country_either() -> None:
    """Both sides of a pair are guarded, and the suggestion keeps the other one."""
    error = refused("kr-to-fr", FORM)

    assert error.suggestions == ("ko-to-fr",)


@pytest.mark.parametrize(
    ("folder", "listed", "table", "target", "wire"),
    [
        ("french canadian", ["french canadian"], NAMES, "french canadian", "french canadian"),
        ("French_Canadian", ["french-canadian"], NAMES, "french-canadian", "french-canadian"),
        ("54", ["54"], NUMBERS, "54", "54"),
        ("es-419", ["es-419"], LanguageTable(targets={"es": "es"}), "es-419", "es-419"),
        ("tmp", ["tmp"], CODES, "tyj", "tmp"),
        # What the service's table knows is sent as the table says.
        ("FR", ["fr"], NUMBERS, "fr-FR", "76"),
        ("cmn", ["cmn"], CODES, "zh-Hans", "zh-Hans"),
        ("uk", ["uk"], LanguageTable(targets={"ru": "ru"}), "uk", "uk"),
        ("e\u0301tranger", ["\u00c9tranger"], CODES, "\u00c9tranger", "\u00c9tranger"),
    ],
)
def test_listed_names_are_passed_on(
    folder: str, listed: list[str], table: LanguageTable, target: str, wire: str
) -> None:
    """An administrator's word counts: a listed name goes to the service as it was listed."""
    assert Route(source=None, target=target, target_wire=wire) == route(folder, table, listed)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("en-to-fr", Route(source="en", source_wire="en", target="fr", target_wire="french")),
        (
            "ZH_cn-TO-pt_BR",
            Route(source="zh", source_wire="zh", target="pt-BR", target_wire="brazilian portuguese"),
        ),
        ("de_to_no", Route(source="de", source_wire="de", target="no", target_wire="norwegian")),
    ],
)
def test_pairs(folder: str, expected: Route) -> None:
    """`<source>-to-<target>` names both, each in the form that the service wants on that side."""
    assert expected == route(folder, NAMES, source="fr")


def test_tongan_is_a_language() -> None:
    """The code `to` is told from the word between two codes."""
    assert [(one.source, one.target) for one in (route("en-to-to", CODES), route("to-to-en", CODES))] == [
        ("en", "to"),
        ("to", "en"),
    ]


def test_listed_pairs() -> None:
    """A listed pair is taken apart, and so is a pair with a listed side."""
    whole = route("en-to-french canadian", NAMES, listed=["en-to-french canadian"])
    side = route("klingon-to-fr", NAMES, listed=["klingon"])

    assert (whole.source_wire, whole.target_wire) == ("en", "french canadian")
    assert (side.source_wire, side.target_wire) == ("klingon", "french")


def test_default_source() -> None:
    """The configured source is sent in the service's form, or as it is where the service has none."""
    assert (route("fr", NAMES, source="zh-CN").source, route("fr", NAMES, source="zh-CN").source_wire) == (
        "zh",
        "zh",
    )
    assert route("fr", NAMES, source="esperanto").source_wire == "esperanto"


def test_unknown_source() -> None:
    """The error names the side that is wrong and repeats the other in its suggestions."""
    error = refused("englsh-to-fr", NAMES)

    assert str(error) == "“englsh” is no language that this service translates from."
    assert error.suggestions == ("en-to-fr",)


def test_unknown_target_of_a_pair() -> None:
    """Suggestions for the target keep the source as it was written."""
    error = refused("EN-to-frnch", NAMES)

    assert str(error) == "“frnch” is no language that this service translates into."
    assert error.suggestions == ("EN-to-fr", "EN-to-fr-CA")


@pytest.mark.parametrize(
    ("folder", "source"),
    [("fr-to-fr", None), ("pt-to-pt-BR", None), ("no-to-nb", None), ("en", "en"), ("EN_us", "en")],
)
def test_same_language_twice(folder: str, source: str | None) -> None:
    """There is nothing to translate from a language into itself."""
    assert "already" in str(refused(folder, FORM, source=source))


def test_varieties_may_be_translated() -> None:
    """British into American English is a translation."""
    varieties = LanguageTable(targets={"en": "en", "en-GB": "en-GB"})

    assert (route("en-GB-to-en", varieties).source, route("en-GB-to-en", varieties).target) == ("en-GB", "en")


def test_source_that_has_to_be_told() -> None:
    """Where a service does not detect the source, a folder without one is refused with a way out."""
    error = refused("fr", FORM)

    assert "has to be told" in str(error)
    assert error.suggestions == ("en-to-fr",)


@pytest.mark.parametrize("table", [CODES, NUMBERS, NAMES], ids=["codes", "numbers", "names"])
def test_every_own_language_is_taken(table: LanguageTable) -> None:
    """Every tag in a service's own list is a folder that reaches exactly its wire form."""
    assert {tag: route(tag, table).target_wire for tag in table.targets if tag != "run"} == {
        tag: wire for tag, wire in table.targets.items() if tag != "run"
    }


def test_names() -> None:
    """The list for people has tag, English name and wire form, in the order of the tags."""
    assert names(LanguageTable(targets={"pt-BR": "brazilian portuguese", "de": "german"})) == [
        ("de", "German", "german"),
        ("pt-BR", "Portuguese (Brazil)", "brazilian portuguese"),
    ]


def test_names_of_a_form() -> None:
    """Where only a form is known the list has what fits it, and each of its tags is taken."""
    rows = names(FORM)

    assert len(rows) > 180
    assert ("fr", "French", "fr") in rows
    assert ("zh-Hant", "Chinese (Traditional)", "zh-Hant") in rows
    assert all(route(tag, FORM, source="cv").target_wire == tag for tag, *_ in rows if tag != "cv")


tables = st.sampled_from(list(TABLES.values()))
languages = "no nb nn fr zh cmn yue sr sh pt en uk ru es fil tl mn de iw he in new to und"
regions = "FR CA CN TW HK PT BR US GB 419 RS PH TO"
tags = st.tuples(
    st.sampled_from(languages.split()),
    st.one_of(st.just(""), st.sampled_from(["Hans", "Hant", "Latn", "Cyrl", "Mong"])),
    st.one_of(st.just(""), st.sampled_from(regions.split())),
).map(lambda chosen: "-".join(filter(None, chosen)))
pairs = st.tuples(tags, tags).map("-to-".join)
folders = st.one_of(
    tags,
    pairs,
    st.text(st.characters(), max_size=40),
    st.text("-_toenfr./", max_size=20),
    st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


@settings(deadline=None)  # The first suggestion loads the names of all languages.
@given(
    folder=folders,
    table=tables,
    listed=st.lists(folders.filter(bool), max_size=3),
    source=st.one_of(st.none(), folders),
)
def test_any_text_is_a_language_or_refused(
    folder: str, table: LanguageTable, listed: list[str], source: str | None
) -> None:
    """No name of a folder raises anything but the one error, whose sentence can be printed."""
    found = outcome(folder, table, listed, source)
    if isinstance(found, Route):
        assert found.target
        assert (found.source is None) == (found.source_wire is None)
    else:
        assert str(found) == str(found).encode("utf-8").decode("utf-8")
        assert len(found.suggestions) <= 3


@settings(deadline=None)
@given(tag=tags, table=tables)
def test_never_another_language_region_or_script(tag: str, table: LanguageTable) -> None:
    """What is taken is at distance 1 at most, and no script or region that was said is another afterwards."""
    found = outcome(tag, table, source="cv")
    if isinstance(found, UnknownLanguageError):
        return
    said, taken = Language.get(tag), Language.get(found.target).maximize()

    assert tag_distance(tag, found.target) <= 1
    assert said.script in {None, taken.script}
    assert said.territory in {None, taken.territory}


@settings(deadline=None)
@given(folder=st.one_of(tags, pairs), table=tables, data=st.data())
def test_case_and_underscores_do_not_matter(folder: str, table: LanguageTable, data: st.DataObject) -> None:
    """However the letters of a tag are written, the answer is the same."""
    odd = "".join(data.draw(st.sampled_from([one.lower(), one.upper(), "_" if one == "-" else one])) for one in folder)
    plain, other = outcome(folder, table), outcome(odd, table)

    assert plain == other or (isinstance(plain, UnknownLanguageError) and isinstance(other, type(plain)))


@settings(deadline=None)
@given(folder=folders, table=tables)
def test_suggestions_are_taken(folder: str, table: LanguageTable) -> None:
    """Whoever follows a suggestion for a target is understood."""
    found = outcome(folder, table, source="cv")
    if isinstance(found, UnknownLanguageError) and "translates into" in str(found):
        assert all(isinstance(outcome(one, table, source="cv"), Route) for one in found.suggestions)


@given(st.one_of(tags, folders))
def test_canonical_is_final(tag: str) -> None:
    """The canonical spelling of a canonical tag is itself."""
    once = canonical(tag)

    assert once is None or once == canonical(once)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("EN_us", "en-US"), ("zh-hans-cn", "zh-Hans-CN"), ("iw", "he"), ("eng", "en"), ("en-UK", "en-GB")]
    + [(one, None) for one in ("french", "xx", "auto", "fr ", "", "fr--FR", "\ud800", "a" * 100)],
)
def test_canonical(tag: str, expected: str | None) -> None:
    """Registered tags have one spelling, everything else has none."""
    assert expected == canonical(tag)
