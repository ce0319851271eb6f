"""What a service translates into, as a table for people and as lines for programs."""

import os
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from daemon.cli import languages as module
from daemon.cli.languages import languages
from daemon.languages import LanguageTable
from daemon.providers import KINDS
from tests.cli.home import Home, printed

APP = Typer()
APP.command()(languages)


def run(path: Path, provider: str) -> tuple[int, list[str], str]:
    done = CliRunner().invoke(APP, [provider, "-c", os.fspath(path)])
    return done.exit_code, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_tells_its_languages_without_a_configuration(tmp_path: Path, kind: str) -> None:
    """Three columns between tabs, sorted by folder name, no key and no file needed."""
    code, out, err = run(tmp_path / "none.yaml", kind)

    rows = [line.split("\t") for line in out]
    assert (code, err) == (0, "")
    assert {len(row) for row in rows} == {3}
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert any(row[1].startswith("French") for row in rows)


def test_a_configured_name_stands_for_its_kind(home: Home) -> None:
    """Two entries of one kind can be called as one likes."""
    home.config.write_text(home.config.read_text().replace("  voicecheap:", "  dubbing:\n    kind: voicecheap"))

    code, out, _ = run(home.config, "dubbing")

    assert code == 0
    assert "es\tSpanish\tspanish" in out


def test_an_unknown_name_is_answered_with_the_known_ones(home: Home) -> None:
    """Names of the configuration and kinds alike."""
    code, out, err = run(home.config, "deepl")

    assert (code, out) == (2, [])
    assert err == f"No provider “deepl”; there are: {', '.join(sorted({'gpttranslator', 'voicecheap', *KINDS}))}.\n"


def test_a_configuration_that_cannot_be_read_matters_only_for_its_own_names(tmp_path: Path) -> None:
    """A kind is known by itself; for another name the mistakes are told."""
    path = tmp_path / "broken.yaml"
    path.write_text("nonsense")

    kind, _, _ = run(path, "voicecheap")
    other, _, err = run(path, "dubbing")

    assert (kind, other) == (0, 2)
    assert err.startswith(f"{path}:1: ")


def test_a_service_that_tells_only_a_form_is_explained() -> None:
    """What follows from the form, that the source has to be told, and what was listed by hand."""
    table = LanguageTable(targets={}, form="[a-z]{2}", detects_source=False)

    said = module.sentences("GPTTranslator", table, ["fr", "tlh"])

    assert said[0] == (
        "GPTTranslator documents only the form of its language codes, no list. Every language with a two-letter code "
        "is taken for one of its own, also with a script or with a region where it is spoken, as in pt-BR, and sent "
        "as it is; what the service then makes of it is told when a file comes back."
    )
    assert said[1:] == [
        "GPTTranslator has to be told the language of the originals: `source_language:`, or a folder en-to-fr.",
        "Listed in the configuration, and passed on as they are: fr, tlh.",
        "Folders may be written in any case and with _ for -. Other tags that mean the same are taken, too.",
    ]


def test_a_service_with_a_list_says_what_it_translates_from() -> None:
    """Sources of its own are counted; a service that takes its targets as sources says nothing."""
    table = LanguageTable(targets={"fr": "french"}, sources={"en": "english", "de": "german"})

    said = module.sentences("VoiceCheap", table, [])

    assert said[0] == "It translates from 2 languages; a folder named en-to-fr says which."


def test_the_table_is_readable_on_a_terminal() -> None:
    """One row a language, aligned."""
    shown = printed(module.table_of([("fr", "French", "french"), ("zh-Hans", "Chinese (Simplified)", "mandarin")]), 80)

    assert shown == [
        "folder   language              sent to the service",
        "fr       French                french",
        "zh-Hans  Chinese (Simplified)  mandarin",
    ]
