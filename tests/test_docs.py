"""What users rely on is documented, and the documents do not drift from the program."""

import re
from pathlib import Path

import pytest

from daemon import messages
from daemon.job import EVENTS

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


def test_every_error_code_has_its_row() -> None:
    """`docs/errors.md` holds the catalogue's table, word for word."""
    assert error_table() in (HERE / "docs/errors.md").read_text()


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_of_the_journal_is_documented(event: str) -> None:
    """Each event that can stand in the journal has a row in `docs/journal.md`."""
    assert re.search(rf"^\|.*`{event}`.*\|", (HERE / "docs/journal.md").read_text(), re.MULTILINE)


def test_every_command_is_in_the_readme() -> None:
    """The README's table names each command of the program."""
    from daemon.cli import app

    text = (HERE / "README.md").read_text()
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")

        assert f"`babeldrop {name}" in text, name


def test_the_readmes_test_command_is_what_ci_calls() -> None:
    """CI runs the very line that the README gives."""
    [line] = [line for line in (HERE / "README.md").read_text().splitlines() if "python -m pytest" in line]

    assert "pip install -q -e '.[test]'" in line
    assert "README.md" in (HERE / ".ci/run").read_text()
