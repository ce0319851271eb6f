"""The documents for whoever changes, reads or shares: held against the program where that is cheap."""

import ast
import inspect
import os
import re
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon import job, records, sidecar
from daemon.app import _SILENT_S
from daemon.config_sections import Outbox, Watch
from daemon.errors import RejectedError
from daemon.folders import PRIVATE
from daemon.policy import SHARE_LOOK_S
from daemon.providers.base import Provider
from daemon.setup.house import _ROOT_MODE, _TOPS
from daemon.stability import Settle
from tests.shares.mounts import program
from tests.test_architecture import BESIDE, modules, ring, top

DOCS = Path(__file__).parent.parent / "docs"
ROOMS = {1: "Ring 1, pure", 2: "Ring 2, edges", 3: "Ring 3, shell", 4: "Beside"}


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of the same or a higher level."""
    level = text[: text.index(f" {heading}\n")].rpartition("\n")[2]
    rest = text.partition(f"\n{level} {heading}\n")[2]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of every table."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip()[1:-1].split("|")]


@pytest.mark.parametrize("where", ROOMS)
def test_every_module_has_its_place_in_the_architecture(where: int) -> None:
    """Each module of the package stands exactly once among the rooms of its ring."""
    told = section(text_of("architecture.md"), ROOMS[where])
    named = Counter(name for row in rows(told) for name in re.findall(r"`([\w.]+)`", row[0]))
    known = {name or "daemon" for name in modules() if where == (4 if top(name) == BESIDE else ring(name))}

    assert named == dict.fromkeys(known, 1)


def test_paths_that_the_documents_name_are_there() -> None:
    """Files and folders of the project that stand in a text as code are there (links are held by `test_docs`)."""
    home = DOCS.parent
    for path in [*sorted(DOCS.glob("*.md")), home / "CONTRIBUTING.md"]:
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"`((?:tests|daemon|systemd|docs)/[\w./]+)`", text)

        assert [name for name in named if not (home / name).exists()] == [], path.name


# -- the journal ----------------------------------------------------------------------------------------------------


def event_rows() -> Mapping[str, set[str]]:
    """The events of `docs/journal.md`, each with every word that its row shows as code."""
    found: dict[str, set[str]] = {}
    for row in rows(text_of("journal.md")):
        if len(row) == 3:
            for event in re.findall(r"`(\w+)`", row[0]):
                found.setdefault(event, set()).update(re.findall(r"`(\w+)`", row[1]))
    return found


def written() -> Iterator[tuple[str, str]]:
    """(event, key) of every key that a call in the package writes by its name; the key "" for the event itself."""
    for tree in modules().values():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("record", "append", "note"):
                continue
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if texts and (node.keywords or texts[0] in job.EVENTS or node.func.attr == "note"):
                yield texts[0], ""
                yield from ((texts[0], word.arg) for word in node.keywords if word.arg)


def read() -> set[str]:
    """Every key of an event that the fold of a job looks at."""
    found: list[ast.expr] = []
    for node in ast.walk(modules()["job"]):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("event.data", "data"):
            found.append(node.slice)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "event.data.get":
            found.append(node.args[0])
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "event.data":
            found.append(node.left)
    return {str(one.value) for one in found if isinstance(one, ast.Constant)}


def test_every_key_that_is_written_is_in_the_row_of_its_event() -> None:
    """Whoever reads the journal finds each key that a call names, where the document tells of that event."""
    told = event_rows()
    missing = {(event, key) for event, key in written() if event not in told or (key and key not in told[event])}

    assert {event for event, _ in written()} >= job.EVENTS - {"closed"}
    assert missing == set()


def test_every_key_that_the_fold_reads_is_documented() -> None:
    """What makes a job of the journal's lines is known to people who do the same with jq."""
    told = {key for keys in event_rows().values() for key in keys}

    assert {"unit", "cost", "from", "billed", "part", "of"} <= read()
    assert read() - told == set()


def test_every_key_of_an_error_is_documented() -> None:
    """The object under `failed` has no key that the document does not name."""
    error = sidecar.error_of(RejectedError("deadline.passed"), stage="poll", provider="P", inbox="inbox/p/fr")

    assert [key for key in error if f"`{key}`" not in text_of("journal.md")] == []


def test_every_stage_at_which_a_job_fails_is_documented() -> None:
    """What can stand under `stage` is what the steps call themselves."""
    stages = {
        str(one.value)
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fail"
        for one in node.args[2:3]
        if isinstance(one, ast.Constant)
    }

    assert stages >= {"claim", "poll"}
    assert [stage for stage in stages if f"`{stage}`" not in text_of("journal.md")] == []


_JOB = "01m7zvwtweab28x3"
_EVENTS: tuple[tuple[str | None, str, dict[str, object]], ...] = (
    (None, "opened", {"schema": 1, "state": "s", "root": "r", "kept": 0}),
    (_JOB, "claimed", {"provider": "doctranslate", "folder": "fr", "name": "report.docx"}),
    (_JOB, "submitting", {"part": 0, "of": 1, "attempt": 1, "sha256": "0", "route": "en-to-fr", "unit": "credits"}),
    (_JOB, "accepted", {"part": 0, "ref": "17", "cost": 1.5}),
    (_JOB, "delivered", {"name": "report.docx"}),
    (f"{_JOB[:-1]}4", "failed", {"error": {"code": "submit.uncertain", "provider_message": "it hung up"}}),
    (f"{_JOB[:-1]}5", "claimed", {"provider": "doctranslate", "folder": "fr", "name": "later.docx"}),
)


def test_the_questions_to_the_journal_have_answers(tmp_path: Path) -> None:
    """Each line for jq in the document works as it stands, and finds what it says."""
    if program("jq") is None:
        assert os.environ.get("CI") != "true", "CI needs jq"
        pytest.skip("no jq here")
    for name in ("journal.jsonl", "history/2026-01.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        lines = [records.encode(seq, "2026-01-31T09:12:04.118Z", *what, seq) for seq, what in enumerate(_EVENTS, 1)]
        (tmp_path / name).write_bytes(b"".join(lines))
    [block] = examples("journal.md", "sh")
    asked = [line.replace("tail -F", "cat") for line in block.splitlines() if "jq " in line]
    told = [
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for line in asked
    ]

    assert [(done.returncode, done.stderr) for done in told] == [(0, "")] * len(asked)
    assert [line for line, done in zip(asked, told, strict=True) if not done.stdout.strip()] == []
    assert f"{_JOB}\t1.5\tcredits\n" in [done.stdout for done in told]


def examples(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)


# -- the example of a provider ---------------------------------------------------------------------------------------

_ADAPTER, _JOINING = examples("providers.md", "python")


def executed(code: str, name: str, **known: object) -> dict[str, object]:
    """What a piece of code defines, as a module of its own would."""
    space: dict[str, object] = {"__name__": __name__, **known}
    exec(compile(code, name, "exec", dont_inherit=True), space)
    return space


QUILL: Any = executed(_ADAPTER, "the adapter in providers.md")["Quill"]
JOINED: Any = executed(_JOINING, "the tests in providers.md", Quill=QUILL)["TestConformance"]


def test_the_example_of_a_provider_has_every_verb() -> None:
    """The adapter in the document has each verb of the contract, with the contract's own parameters."""
    verbs = [name for name, value in vars(Provider).items() if callable(value) and not name.startswith("_")]
    verbs += [name for name, value in vars(Provider).items() if isinstance(value, classmethod)]

    assert {name: _parameters(QUILL, name) for name in verbs} == {name: _parameters(Provider, name) for name in verbs}
    assert {name for name, *_ in rows(section(text_of("providers.md"), "What is asked of it"))} == {
        "verb",
        *(f"`{name}`" for name in verbs),
    }


def _parameters(kind: object, verb: str) -> list[str]:
    return list(inspect.signature(getattr(kind, verb)).parameters)


@pytest.mark.long
class TestTheExampleOfAProvider(JOINED):  # type: ignore[misc]  # it comes from a document
    """It joins the suite as it stands in the document."""


# -- shares ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shares() -> str:
    return text_of("shares.md")


def test_the_example_of_a_samba_share_is_one(tmp_path: Path) -> None:
    """Samba's own checker knows every key of it, and finds no two that contradict each other, also with the lines for
    Macs.
    """
    checker = program("testparm")
    if checker is None:
        assert os.environ.get("CI") != "true", "CI needs testparm (Debian: samba)"
        pytest.skip("no testparm here (Debian: samba)")
    whole, macs, *_ = examples("shares.md", "ini")
    for text in (whole, whole + macs):
        file = tmp_path / "smb.conf"
        file.write_text(text)
        done = subprocess.run([checker, "-s", str(file)], capture_output=True, text=True, check=False, timeout=60)
        wrong = [line for line in done.stderr.splitlines() if re.search("unknown|invalid|ignoring|error", line.lower())]

        assert done.returncode == 0, done.stderr
        assert wrong == []
        assert "[translate]" in done.stdout


def test_the_times_of_shares_are_the_programs(shares: str) -> None:
    """How long a drop rests, and how soon a share is missed, are the numbers of the code."""
    table = {row[0]: row[1:] for row in rows(section(shares, "How fast what is noticed"))}
    local, mounted, late = Settle.on(network=False), Settle.on(network=True), Settle.on(network=True, late=True)
    rested, away = table["it is complete when it has rested for"], table["the share is away"]

    assert rested[0] == f"{local.quick_s:g} s with a lease, else {local.slow_s:g} s"
    assert [cell.split(" s")[0] for cell in rested[1:]] == [f"{mounted.slow_s:g}", f"{late.slow_s:g}"]
    assert away[:2] == [f"{SHARE_LOOK_S:g} s", f"{SHARE_LOOK_S:g} s; one that hangs: {_SILENT_S:g} s"]
    assert f"({Watch().rescan:g} s)" in table["a new file"][0]


def test_the_modes_of_shares_are_those_that_are_made(shares: str) -> None:
    """What the document shows of the root and its folders is what the program makes."""
    modes = {
        line.split()[3]: line.split()[0] for line in section(shares, "Modes and groups").splitlines() if "drwx" in line
    }
    made = {"": _ROOT_MODE, "/processing": PRIVATE, **dict.fromkeys(_TOPS, Outbox().folder_mode)}

    assert modes == {
        f"/srv/translate{'/' * (top in _TOPS)}{top}": stat.filemode(stat.S_IFDIR | mode) for top, mode in made.items()
    }
