"""One App after another: what a reload does when something is in its way."""

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import config
from daemon.app import App
from daemon.config import Config
from daemon.errors import StateError
from daemon.service import ANSWERS_WITHIN_S, Service, begin_anew, changes
from daemon.supervisor import Supervisor
from tests.clocks import FakeClock

_TEXT = """\
root: {base}/share
state: {base}/state
providers:
  voicecheap: {{api_key: a-key-of-the-tests, languages: [es]}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(_TEXT.format(base=tmp_path))
    return path


def test_changes_are_told_by_key_and_by_provider(path: Path) -> None:
    """What differs is named; another spelling of the same, a comment or another order is no change."""
    old = config.load(path)
    text = path.read_text()
    path.write_text(f"# A comment.\nlanguage: en\n{text}")

    assert changes(old, config.load(path)) == []

    path.write_text(text.replace("[es]", "[es, fr]") + "  cambai: {api_key: k-of-tests, source_language: en}\n")

    assert changes(old, config.load(path)) == ["providers.voicecheap", "providers.cambai"]

    path.write_text(text.replace("a-key-of-the-tests", "another-key") + "language: de\nwatch: {rescan: 10s}\n")

    assert changes(old, config.load(path)) == ["watch", "language", "providers.voicecheap"]


class _App:
    """An App that lives through the turns it is given, and takes down what is asked of it."""

    def __init__(self, settings: Config, story: list[str], turns: list[Callable[[], object]], *, drains: bool) -> None:
        self.config = settings
        self._story = story
        self._turns = turns
        self._drains = drains
        self.view = SimpleNamespace(config_problem=None)
        self.intake = SimpleNamespace(resting=[])
        tally = SimpleNamespace(go_on=lambda _: None)
        self.shop = SimpleNamespace(desks={}, counts=Counter(), ended=Counter(), away=None, tally=tally)
        self.submitting = 0
        self.held = False
        self.ended = False

    def start(self) -> None:
        self._story.append(f"start {self.config.language}")

    def run(self, until: Callable[[], bool]) -> None:
        while self._turns and not self.ended:
            self._turns.pop(0)()
            if until():
                return

    def stop(self) -> bool:
        self._story.append("stop")
        return self._drains

    def poke(self) -> None:
        self._story.append("poke")

    def hold_submissions(self, *, hold: bool) -> None:
        self.held = hold

    def request_stop(self) -> None:
        self.ended = True


class _Table:
    """A Service over such Apps, with a configuration file that a test can change."""

    def __init__(self, path: Path, *, drains: bool = True) -> None:
        self.path = path
        self.story: list[str] = []
        self.turns: list[Callable[[], object]] = []
        self.clock = FakeClock()
        self.refused: set[str] = set()
        self.captured = LogCapture()
        log = structlog.wrap_logger(None, [self.captured], structlog.make_filtering_bound_logger(0))
        self._drains = drains
        self.service = Service(
            config.load(path),
            lambda: config.load(path),
            self._open,
            Supervisor(self.clock, log, {}),
            self.clock,
            log,
            anew=self._begin_anew,
        )

    def _open(self, settings: Config) -> App:
        if settings.language in self.refused:
            raise StateError("the state cannot be opened")
        return cast("App", _App(settings, self.story, self.turns, drains=self._drains))

    def _begin_anew(self) -> None:
        self.story.append("anew")

    @property
    def app(self) -> Any:
        return self.service.app

    def rewrite(self, more: str) -> Callable[[], None]:
        def rewrite() -> None:
            self.path.write_text(_TEXT.format(base=self.path.parent) + more)
            self.service.request_poke()

        return rewrite

    def run(self, *turns: Callable[[], object]) -> list[str]:
        self.turns += turns
        self.service.run()
        return self.story


def _nothing() -> None:
    """A turn in which nobody does anything."""


def test_changed_configuration_ends_one_app_and_starts_another(path: Path) -> None:
    """The new App works over the new configuration; the old one was stopped first."""
    table = _Table(path)

    assert table.run(table.rewrite("language: de\n"), _nothing, _nothing) == ["start en", "stop", "start de"]
    assert table.app.config.language == "de"


def test_unchanged_configuration_has_everything_tried_at_once(path: Path) -> None:
    """As a person expects who has mended a key or a network."""
    table = _Table(path)

    assert table.run(table.rewrite(""), _nothing) == ["start en", "poke"]


def test_reload_waits_for_the_answers_of_submissions(path: Path) -> None:
    """None is started meanwhile, and none is left without anybody to hear it."""
    table = _Table(path)
    held = []

    def submit() -> None:
        table.app.submitting = 1

    def look() -> None:
        held.append((table.app.held, list(table.story)))

    def answer() -> None:
        table.app.submitting = 0

    story = table.run(submit, table.rewrite("language: de\n"), _nothing, look, answer, _nothing)

    assert held == [(True, ["start en"])]
    assert story == ["start en", "stop", "start de"]


def test_answer_that_does_not_come_holds_a_reload_up_only_so_long(path: Path) -> None:
    """An upload of hours is cut in the end, and begun again: that costs nothing."""
    table = _Table(path)

    def submit() -> None:
        table.app.submitting = 1

    later = [lambda: table.clock.advance(ANSWERS_WITHIN_S - 1.0), lambda: table.clock.advance(2.0), _nothing]

    assert table.run(submit, table.rewrite("language: de\n"), *later) == ["start en", "stop", "start de"]


def test_mistake_while_a_new_configuration_waits_takes_it_back(path: Path) -> None:
    """The file as it is now is what counts: submissions go on under the old configuration."""
    table = _Table(path)

    def submit() -> None:
        table.app.submitting = 1

    story = table.run(submit, table.rewrite("language: de\n"), _nothing, table.rewrite("language: elvish\n"), _nothing)

    assert story == ["start en"]
    assert table.app.held is False
    assert "language" in table.app.view.config_problem


def test_file_that_is_no_yaml_any_more_is_told_with_its_line(path: Path) -> None:
    """There is no key to name then."""
    table = _Table(path)

    table.run(table.rewrite("\tx: [\n"), _nothing)

    assert re.fullmatch(
        r"a problem in \S+, line \d+; `babeldrop check` tells what is wrong", table.app.view.config_problem
    )


@pytest.mark.parametrize("key", ["root", "state"])
def test_other_folders_need_a_restart(path: Path, key: str) -> None:
    """The daemon does not walk from one root to another; it says what to do, until the file is as it was."""
    table = _Table(path)
    text = path.read_text()

    def elsewhere() -> None:
        path.write_text(text.replace(f"/{ {'root': 'share', 'state': 'state'}[key] }\n", "/elsewhere\n"))
        table.service.request_poke()

    problems: list[str | None] = []

    def look() -> None:
        problems.append(table.app.view.config_problem)

    story = table.run(elsewhere, look, table.rewrite(""), look)

    assert problems == [f"{key} was changed, which needs a restart", None]
    assert story == ["start en", "poke"]


def test_configuration_that_cannot_be_opened_brings_the_old_one_back(path: Path) -> None:
    """A file without mistakes may still not work; then the daemon goes on as before, and says why."""
    table = _Table(path)
    table.refused = {"de"}

    assert table.run(table.rewrite("language: de\n"), _nothing, _nothing) == ["start en", "stop", "start en"]
    assert table.app.view.config_problem == "the state cannot be opened"


def test_step_that_hangs_makes_the_process_begin_anew(path: Path) -> None:
    """Two Apps never share a house: threads that cannot be ended go with their process."""
    table = _Table(path, drains=False)

    assert table.run(table.rewrite("language: de\n"), _nothing, _nothing)[:3] == ["start en", "stop", "anew"]


def test_process_begins_anew_with_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words again, but for what was asked for once."""
    replaced: list[list[str]] = []
    before = signal.getsignal(signal.SIGHUP)
    monkeypatch.setattr(os, "execv", lambda _, words: replaced.append(words))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "daemon", "run", "--take-over", "-c", "x"])
    try:
        begin_anew()
        ignored = signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert replaced == [["python", "-m", "daemon", "run", "-c", "x"]]
    assert ignored is signal.SIG_IGN


def test_stop_asked_for_between_two_apps_is_heard(path: Path) -> None:
    """The signal that comes while no App is there ends the next one at once."""
    table = _Table(path)
    opened = table._open

    def opens(settings: Config) -> App:
        app = opened(settings)
        if settings.language == "de":
            table.service.request_stop()
        return app

    table.service._open_app = opens

    assert table.run(table.rewrite("language: de\n"), _nothing, _nothing) == ["start en", "stop", "start de"]
    assert table.app.ended
