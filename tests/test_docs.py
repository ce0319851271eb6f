"""What users rely on is documented, and the documents do not drift from the program."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon import messages
from daemon.cli import app
from daemon.job import EVENTS
from daemon.languages import LanguageTable
from daemon.providers import KINDS
from daemon.providers.base import Capabilities

HERE = Path(__file__).parent.parent


def error_table() -> str:
    """The table of `docs/errors.md`, made of the catalogue."""
    rows = ["| code | what happened | what to do | trying again as it is can help |", "|---|---|---|---|"]
    for code, message in messages.CATALOGUE.items():
        cells = [_plain(message.what_happened), _plain(message.what_to_do), "yes" if message.retryable else "no"]
        rows.append(f"| `{code}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def _plain(template: str) -> str:
    text = re.sub(r"\{(because|suggestions)\}", "", template)
    text = re.sub(r"\{(\w+)\}", lambda found: f"*{found[1].replace('_', ' ')}*", text)
    return text[:1].upper() + text[1:]


# The least that an entry of each kind needs.
_LEAST: Mapping[str, Mapping[str, object]] = {
    "azure": {
        "base_url": "https://name.cognitiveservices.azure.com",
        "storage": {"source": {"env": "SOURCE"}, "target": {"env": "TARGET"}},
    },
    "cambai": {"source_language": "en"},
    "gpttranslator": {"source_language": "en", "options": {"model": "gpt-4.1-mini-2025-04-14"}},
}


def provider_table() -> str:
    """The README's table of providers, made of their capabilities."""
    rows = [
        "| | files | largest | languages | limits | asked every | cost known | lost answer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, provider in sorted(KINDS.items()):
        least = {"kind": kind, "api_key": {"env": "KEY"}, **_LEAST.get(kind, {})}
        facts = provider.facts(provider.settings_type.model_validate(least))
        cells = [
            f"**{provider.title}** `{kind}`",
            " ".join(sorted(facts.extensions)),
            f"{facts.max_bytes / 1e6:,.0f} MB" if facts.max_bytes else "not documented",
            _languages(facts.languages),
            _limits(facts),
            f"{facts.poll_every_s:g} to {facts.poll_at_most_s:g} s",
            facts.costs or "no",
            "found again" if facts.recoverable else "a person decides",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _languages(table: LanguageTable) -> str:
    if table.form is None:
        return f"{len(table.targets)} tags"
    own = f"{len(table.targets)} tags, and " if table.targets else ""
    return f"{own}any with a two-letter code"


def _limits(facts: Capabilities) -> str:
    windows = [f"{rate.requests} × {verb} in {rate.per:g} s" for verb, rate in sorted(facts.windows.items())]
    return "; ".join([f"{facts.max_in_flight} under way", *windows] if facts.max_in_flight else windows) or "–"


def test_the_table_of_providers_is_made_of_their_capabilities() -> None:
    """The README's table says what the engine is told, word for word."""
    assert provider_table() in (HERE / "README.md").read_text()


def test_every_error_code_has_its_row() -> None:
    """`docs/errors.md` holds the catalogue's table, word for word."""
    assert error_table() in (HERE / "docs/errors.md").read_text()


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_of_the_journal_is_documented(event: str) -> None:
    """Each event that can stand in the journal has a row in `docs/journal.md`."""
    assert re.search(rf"^\|.*`{event}`.*\|", (HERE / "docs/journal.md").read_text(), re.MULTILINE)


def test_every_command_is_in_the_readme() -> None:
    """The README's table names each command of the program."""
    text = (HERE / "README.md").read_text()
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")

        assert f"`babeldrop {name}" in text, name


def test_the_readmes_test_command_is_what_ci_calls() -> None:
    """CI runs the very line that the README gives."""
    [line] = [line for line in (HERE / "README.md").read_text().splitlines() if "python -m pytest" in line]

    assert "pip install -q -e '.[test]'" in line
    assert "README.md" in (HERE / ".ci/run").read_text()
