"""What users rely on is documented, and the documents do not drift from the program."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import messages, metrics
from daemon.doctor.findings import Area
from daemon.job import EVENTS, State
from daemon.languages import LanguageTable
from daemon.providers import KINDS
from daemon.providers.base import Capabilities
from daemon.sandbox.child import start
from daemon.texts.en import ENGLISH
from tests.e2e.site import wait_for
from tests.pages import HERE, LEAST, rows, sections
from tests.shell import commands, options, problem, shell_lines

PAGES = [HERE / "README.md", HERE / "CHANGELOG.md", HERE / "CONTRIBUTING.md", *sorted((HERE / "docs").glob("*.md"))]


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


def provider_table() -> str:
    """The README's table of providers, made of their capabilities."""
    rows = [
        "| | files | largest | languages | limits | asked every | cost known | lost answer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, provider in sorted(KINDS.items()):
        least = {"kind": kind, "api_key": {"env": "KEY"}, **LEAST.get(kind, {})}
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


# -- commands -------------------------------------------------------------------------------------------------------


_COMMANDS = sections("docs/commands.md")
_CODES = rows(_COMMANDS["Exit codes"])


def test_every_command_is_in_the_readme() -> None:
    """The README's table names each command of the program, in one row."""
    text = (HERE / "README.md").read_text()
    named = re.findall(r"^\| `babeldrop (\w+).*\|$", text, re.MULTILINE)

    assert sorted(named) == sorted(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_documented(name: str) -> None:
    """Each command has its section with a row for each of its options, and for no other."""
    section = _COMMANDS[name]
    named = {word for word in rows(section) if word.startswith("-")}

    assert f"`babeldrop {name}" in section
    assert named == options(name) - {"--config", "-c", "--help", "-h"}


def test_every_command_has_its_exit_codes() -> None:
    """The table of exit codes has one row a command, and what a command says of itself is in it."""
    assert set(_CODES) == set(commands())
    for name, help_text in commands().items():
        codes = [int(code) for code in re.findall(r"(?:[Ee]xit code |; |;\n)(\d)(?=:)", help_text)]

        assert all(_CODES[name][code] for code in codes), name


def test_the_exit_codes_of_doctor_are_those_of_its_findings() -> None:
    """Each area that a finding may have is a column of the table with words in it."""
    assert all(_CODES["doctor"][area.value] for area in Area)


def test_every_state_and_every_reason_is_documented() -> None:
    """Each state of a job has its row, and each reason to wait that is no error code."""
    rows = re.findall(r"^\| `([\w.]+)` \|", _COMMANDS["States"], re.MULTILINE)

    assert {*State, *ENGLISH.waiting} - set(messages.CATALOGUE) <= set(rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_can_be_typed(page: Path) -> None:
    """Each line with `babeldrop` in a document names a command that there is, with options and arguments it takes."""
    wrong = [f"{line}: {why}" for line in shell_lines(page.read_text()) if (why := problem(line))]

    assert wrong == []


def test_a_line_that_cannot_be_typed_is_found() -> None:
    """The check before this one sees commands and options that there are not, behind whatever stands before them."""
    text = "`babeldrop statsu` and\n```sh\nsudo FOO=1 /opt/bin/babeldrop run --forever\nls && babeldrop why\n```\n"
    lines = list(shell_lines(text))

    assert lines == [["run", "--forever"], ["why"], ["statsu"]]
    assert all(map(problem, lines))


# -- the rest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link is a file of the project, and what stands behind # is one of its headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        if "://" in target:
            continue
        found = (page.parent / path).resolve() if path else page

        assert found.is_file(), target
        assert not heading or heading in map(_anchor, _headings(found)), target


def _headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_document_is_linked_from_the_readme() -> None:
    """Whoever reads the README finds each document."""
    linked = (HERE / "README.md").read_text() + (HERE / "CONTRIBUTING.md").read_text()
    for page in (HERE / "docs").glob("*.*"):
        assert f"(docs/{page.name}" in linked, page.name


@pytest.mark.parametrize("row", metrics.CATALOGUE, ids=lambda row: row.name)
def test_every_metric_is_documented(row: metrics.Row) -> None:
    """Each metric has its row in `docs/metrics.md`."""
    assert f"| `{row.shown}` |" in (HERE / "docs/metrics.md").read_text()


def _fenced(language: str, containing: str) -> str:
    """The README's block of that language with these words in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (HERE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    [found] = [block for block in blocks if containing in block]
    return str(found)


@pytest.mark.long
def test_the_transcript_is_what_the_demo_prints(tmp_path: Path) -> None:
    """Each line of the README's transcript comes out of the demo, but for the folder's name and the line left out."""
    shown = [line for line in _fenced("text", "Simulated services are up").splitlines() if "…" not in line]
    command = [sys.executable, "-m", "daemon", "demo", str(tmp_path / "demo")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout.splitlines()

    assert shown[0].startswith("Everything happens in ")
    assert [line for line in shown[1:] if line not in printed] == []


@pytest.mark.long
def test_the_lines_for_trying_it_work_as_they_stand(tmp_path: Path) -> None:
    """Who types the README's lines beside a sandbox, where `.venv` is, has a folder that translates."""
    lines = _fenced("sh", "sandbox-key")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(HERE)}
    with start(tmp_path / "services", pace=(0.2, 0.4)) as sandbox:
        typed = lines.replace("http://127.0.0.1:8750", sandbox.addresses.api)
        *before, run = typed.strip().splitlines()
        for line in before:
            subprocess.run(["bash", "-c", line], check=True, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL)
        with subprocess.Popen(["bash", "-c", f"exec {run}"], env=environment, cwd=tmp_path) as daemon:
            try:
                share = tmp_path / "translate/share"
                (share / "inbox/gpttranslator/fr/report.txt").write_text("Good morning.\n")
                wait_for((share / "outbox/gpttranslator/fr/report.txt").is_file, "the translation")
            finally:
                daemon.terminate()

    assert daemon.returncode == 0
    assert (share / "archive/gpttranslator/fr/report.txt").read_text() == "Good morning.\n"


def test_the_readmes_test_command_is_what_ci_calls() -> None:
    """CI runs the very line that the README gives."""
    [line] = [line for line in (HERE / "README.md").read_text().splitlines() if "python -m pytest" in line]

    assert "pip install -q -e '.[test]'" in line
    assert "README.md" in (HERE / ".ci/run").read_text()


def test_the_dashboard_is_json() -> None:
    """What Grafana is to import can be read."""
    assert json.loads((HERE / "docs/grafana.json").read_text())["panels"]
