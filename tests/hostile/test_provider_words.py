"""What a service says, on its whole way to a person: log, sidecar, status and the story of a file."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hostile.cases import NASTY
from tests.hostile.services import KEY, Case, Services, configuration, failed, forbidden, state
from tests.rawserver import Exchange, answer, in_turn, message

_LONGEST_LINE = 4000
ODD_REFERENCE = "\x1b[31mref\u202e"


def _odd_reference(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(message(201, {"data": {"translationId": ODD_REFERENCE}}))


WORDS = {
    "refused": Case(tricks={"submit": lambda *_: answer(422, {"error": NASTY, "message": NASTY, "code": NASTY})}),
    "megabytes": Case(tricks={"submit": lambda *_: answer(422, {"error": NASTY * 10})}),
    "repeats-the-key": Case(tricks={"submit": lambda *_: answer(422, {"error": f"{KEY} {NASTY} {KEY}"})}),
    "failed": Case(tricks={"status": lambda *_: answer(200, failed(NASTY))}),
    "odd-word": Case(
        tricks={"status": lambda *_: in_turn(answer(200, state("po\x1b[31ml\u202eish\r\n")), answer(400, failed("x")))}
    ),
    "odd-reference": Case(tricks={"submit": lambda *_: _odd_reference}),
    "odd-header": Case(tricks={"submit": lambda *_: answer(422, b"", {"retry-after": "\x9b31m", "x": "\x85\xa0\xff"})}),
}


class Shown:
    """One run of the program to its end, and what it and two commands after it have shown."""

    def __init__(self, base: Path, form: str) -> None:
        services = Services(WORDS)
        with ExitStack() as stack:
            services.start(stack)
            self._config = configuration(base, services, log={"level": "debug", "format": form})
            self.texts = [self._run("once"), self._run("status")]
        self.texts.append(self._run("why", str(base / "share/failed/refused/fr/report.txt")))
        self.stories = [json.loads(path.read_text()) for path in (base / "share/failed").rglob("*.error.json")]
        self.raw = [path.read_text() for path in (base / "share/failed").rglob("*.error.json")]
        self.journal = (base / "state/journal.jsonl").read_text()

    def _run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "daemon", command, "-c", str(self._config), *arguments],
            capture_output=True,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "COLUMNS": "200"},
        )
        return (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module", params=["console", pytest.param("json", marks=pytest.mark.long)])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("words"), request.param)


def test_words_of_a_service_reach_people_clean(shown: Shown) -> None:
    """Neither terminal nor file gets a control character, a sequence, or a change of direction out of a service."""
    stories = [str(text) for story in shown.stories for text in (*story.values(), *story["error"].values())]

    assert len(shown.stories) == len(WORDS)
    assert forbidden([*shown.texts, *stories, *shown.raw, shown.journal]) == []


def test_words_of_a_service_are_cut(shown: Shown) -> None:
    """Ten megabytes of reason are a sentence in the sidecar and a line in the log."""
    lines = [line for text in (*shown.texts, shown.journal) for line in text.splitlines()]

    assert max(map(len, lines)) < _LONGEST_LINE
    assert max(map(len, shown.raw)) < 2 * _LONGEST_LINE


def test_words_of_a_service_bring_no_key(shown: Shown) -> None:
    """Also where the service repeats it."""
    assert [text[:200] for text in (*shown.texts, *shown.raw, shown.journal) if KEY in text] == []
    assert any("[redacted]" in text for text in shown.raw)
