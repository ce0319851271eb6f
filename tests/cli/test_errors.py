"""Expected errors are sentences on standard error, with the exit code that was promised."""

import errno
import os

import pytest
import typer

from daemon.cli.errors import exits
from daemon.errors import ConfigError, Problem, ShareAwayError, StateError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StateError("another babeldrop is at work"), "another babeldrop is at work\n"),
        (ShareAwayError("/srv has no marker"), "/srv has no marker\n"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x/y"), "/x/y: No such file or directory\n"),
        (
            ConfigError([Problem(message="wrong", path="root", file="c.yaml", line=3)]),
            "c.yaml:3: root: wrong\n1 problem; nothing was done.\n",
        ),
    ],
)
def test_what_an_administrator_can_mend_is_said_without_a_traceback(
    error: Exception, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the sentence alone."""
    with pytest.raises(typer.Exit) as left, exits():
        raise error

    assert left.value.exit_code == 2
    assert capsys.readouterr().err == sentence


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (
            errno.ENOSPC,
            (
                "No space left on device. "
                "Make room on the disk of `state` and on that of `root`, and start again; nothing was lost.\n"
            ),
        ),
        (
            errno.EIO,
            "Input/output error. The disk or the share is in trouble; nothing was lost, start again later.\n",
        ),
    ],
)
def test_what_passes_has_another_code_and_says_what_to_do(
    number: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1: the service may be started again as it is."""
    with pytest.raises(typer.Exit) as left, exits():
        raise OSError(number, os.strerror(number))

    assert left.value.exit_code == 1
    assert capsys.readouterr().err == sentence


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)), ValueError("a mistake")])
def test_other_errors_go_on(error: Exception) -> None:
    """A reader that has left (`| head`) is no error of ours, and a mistake of ours needs its traceback."""
    with pytest.raises(type(error)), exits():
        raise error
