"""`status --watch`: in place on a terminal, on change in a pipe, and reading no more of the journal than is new."""

import contextlib
import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from daemon.cli import board, reading, standing, watching
from daemon.cli.watching import Follower, Window, draw, tell_changes
from daemon.errors import ConfigError, RejectedError, StateError
from tests.cli.home import Home, printed

REPO = Path(__file__).parents[2]


class Rounds:
    """Lets each of some things happen before the next look, then ends."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self._left = list(happenings)

    def __call__(self) -> bool:
        """One more, as long as something is to happen."""
        if not self._left:
            return False
        self._left.pop(0)()
        return True


def nothing() -> None:
    """Nothing happens."""


def plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200, color_system=None), out


# -- following ----------------------------------------------------------------------------------------------


def test_a_follower_sees_what_everybody_sees(home: Home) -> None:
    """After every event, a compaction, and a journal that was begun anew, as if it read all of it each time."""
    follower = Follower(home.config)
    seen = []

    def same() -> None:
        mine, fresh = follower.look(), board.look(home.config)
        for one in (mine, fresh):
            one.pop("at")
            one.pop("ages")
        seen.append(mine == fresh)

    same()
    job = home.claim("one.txt")
    same()
    home.send(job, "1")
    other = home.claim("two.txt")
    same()
    home.bank(job, "one.txt")
    home.deliver(job, "one.txt")
    home.fail(other, RejectedError("provider.failed"))
    same()
    home.book.compact()
    same()
    home.claim("three.txt")
    same()
    (home.state / "journal.jsonl").unlink()
    same()

    assert seen == [True] * 7


def test_only_what_was_appended_is_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of ten thousand jobs is folded once."""
    folds: list[int] = []
    real = reading.fold

    def counted(path: str, data: bytes) -> object:
        folds.append(len(data))
        return real(path, data)

    monkeypatch.setattr(reading, "fold", counted)
    follower = Follower(home.config)
    for number in range(5):
        home.send(home.claim(f"{number}.txt"), str(number))
        told = follower.look()

    assert len(folds) == 1
    assert told["providers"][0]["in_flight"] == 5


def test_a_line_that_is_being_written_waits_for_its_end(home: Home) -> None:
    """Half a line is no damage, and is read when it is whole."""
    follower = Follower(home.config)
    follower.look()
    home.claim("one.txt")
    path = home.state / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    half = follower.look()["providers"][0]["waiting"]
    path.write_bytes(whole)
    then = follower.look()["providers"][0]["waiting"]

    assert (half, then) == (0, 1)


def test_damage_is_told_as_it_is_without_watching(home: Home) -> None:
    """With the line and the way out."""
    follower = Follower(home.config)
    home.claim("one.txt")
    follower.look()
    with (home.state / "journal.jsonl").open("ab") as journal:
        journal.write(b"nonsense\n")
    home.claim("two.txt")
    home.claim("three.txt")

    with pytest.raises(StateError, match="`babeldrop repair` shows what can be done"):
        follower.look()


# -- in a pipe ----------------------------------------------------------------------------------------------


def test_a_pipe_is_told_only_what_changed(home: Home) -> None:
    """Time alone is no news, however often it is looked."""
    console, out = plain()
    again = Rounds(nothing, nothing, lambda: home.claim("one.txt"), nothing)

    tell_changes(Follower(home.config), console, again)

    assert out.getvalue().count("babeldrop is not running") == 2
    assert "wait" in out.getvalue().split("babeldrop is not running")[2]


def test_moments_that_move_are_no_news(home: Home) -> None:
    """The next poll comes every few seconds; that is nothing to tell a file about."""
    console, out = plain()
    home.send(home.claim("one.txt"), "1")
    with home.running(next_polls={"gpttranslator": home.at(3)}):
        again = Rounds(lambda: home.tell(next_polls={"gpttranslator": home.at(6)}))
        tell_changes(Follower(home.config), console, again)

    assert out.getvalue().count("babeldrop is running") == 1


def test_programs_get_one_object_a_line(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json --watch`: the whole report at every change."""
    console, _ = plain()

    tell_changes(Follower(home.config), console, Rounds(lambda: home.claim("one.txt")), as_json=True)

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["providers"][0]["waiting"] for one in told] == [0, 1]


def test_a_configuration_in_the_middle_of_an_edit_does_not_end_the_watch(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once; at the first look it is an error like everywhere."""
    console, out = plain()
    good = home.config.read_text()

    def spoil() -> None:
        home.config.write_text("root: [")

    def mend() -> None:
        home.config.write_text(good)
        home.claim("one.txt")

    tell_changes(Follower(home.config), console, Rounds(spoil, nothing, mend))
    spoil()

    assert capsys.readouterr().err.count("It cannot be looked at just now: ") == 1
    assert out.getvalue().count("babeldrop is not running") == 2
    with pytest.raises(ConfigError):
        tell_changes(Follower(home.config), console, Rounds())


def rest_of(terminal: int) -> bytes:
    """What is written until the other side is closed, which ends a terminal with an error."""
    seen = b""
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 65536):
            seen += data
    os.close(terminal)
    return seen


# -- on a terminal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [5, 9, 40])
def test_a_window_shows_as_much_as_fits_and_counts_the_rest(home: Home, height: int) -> None:
    """The last line says how many are hidden; nothing does where all fit."""
    whole = printed(board.render(board.look(home.config)), 80)
    out = io.StringIO()
    console = Console(file=out, width=80, height=height, color_system=None)
    options = console.options.update(height=height)

    lines = console.render_lines(Window(board.render(board.look(home.config))), options)
    shown = ["".join(segment.text for segment in line).rstrip() for line in lines]

    assert len(shown) == height
    if height < len(whole):
        assert shown[:-1] == whole[: height - 1]
        assert shown[-1] == f"… {len(whole) - height + 1} lines more; they need a taller window."
    else:
        assert shown[: len(whole)] == whole


def test_drawing_keeps_what_was_seen_last_while_there_is_trouble(home: Home) -> None:
    """The trouble stands above it once, and goes with its cause."""
    out = io.StringIO()
    console = Console(file=out, width=100, height=30, force_terminal=True, color_system=None)
    good = home.config.read_text()

    def spoil() -> None:
        home.config.write_text("root: [")

    draw(Follower(home.config), console, Rounds(spoil, nothing, lambda: home.config.write_text(good)))

    screens = out.getvalue().split("\x1b[H")
    assert ["cannot be looked at" in one for one in screens[-4:]] == [False, True, True, False]
    assert all("gpttranslator" in one for one in screens[-4:])


def test_on_a_real_terminal_it_ends_with_ctrl_c_and_leaves_the_terminal_as_it_was(home: Home) -> None:
    """Exit code 0, the other screen is left, the cursor is back, and the last board stays."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 80, 0, 0))
    command = [sys.executable, "-m", "daemon", "status", "--watch", "-c", os.fspath(home.config)]
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.fspath(REPO)}
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, cwd=REPO, env=environment, start_new_session=True
    )
    os.close(side)
    seen = b""
    while b"gpttranslator" not in seen:
        seen += os.read(main, 65536)
    process.send_signal(signal.SIGINT)
    seen += rest_of(main)

    assert process.wait(30) == 0
    assert seen.startswith(b"\x1b[?1049h")
    assert seen.rindex(b"\x1b[?1049l") > seen.rindex(b"\x1b[?1049h")
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"babeldrop is not running" in seen[seen.rindex(b"\x1b[?1049l") :]
    assert b"\x1b[2J" not in seen
    assert b"Traceback" not in seen


def test_in_a_pipe_it_ends_with_sigterm_as_quietly(home: Home) -> None:
    """One snapshot, and exit code 0."""
    command = [sys.executable, "-m", "daemon", "status", "--watch", "-c", os.fspath(home.config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPO, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    second = process.stdout.readline()
    process.terminate()
    rest, errors = process.communicate(timeout=30)

    assert first.startswith("today at ")
    assert second.startswith("babeldrop is not running")
    assert (process.returncode, errors) == (0, "")
    assert "\x1b" not in rest


def test_what_is_restless_is_known_to_the_report() -> None:
    """A key that nobody writes any more would hide nothing."""
    assert [key for key in watching._RESTLESS if key not in (standing.__doc__ or "")] == []
