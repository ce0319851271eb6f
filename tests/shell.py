"""Command lines in documents: what they ask `babeldrop` for, and whether it can be asked for."""

import re
import shlex
from collections.abc import Iterator

import typer.main
from typer.core import TyperGroup, TyperOption

from daemon.cli import app

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:sudo )?babeldrop [^`]+)`")
_BEFORE = re.compile(r"\$|sudo|--|env|[A-Z_]+=.*")
_SHELLS = ("sh", "console", "")


def _group() -> TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def commands() -> dict[str, str]:
    """Each command with what it says of itself."""
    return {name: command.help or "" for name, command in _group().commands.items()}


def options(name: str) -> set[str]:
    """The options of a command, each in every spelling."""
    return {word for one in _group().commands[name].params if isinstance(one, TyperOption) for word in one.opts}


def shell_lines(text: str) -> Iterator[list[str]]:
    """The words behind `babeldrop` of each command in a page: from blocks for the shell, then from within sentences."""
    for language, block in _FENCE.findall(text):
        if language in _SHELLS:
            for line in block.replace("\\\n", " ").splitlines():
                yield from _asked(line)
    for code in _INLINE.findall(_FENCE.sub("", text)):
        yield from _asked(re.sub(r"[][]|…", "", code))


def _asked(line: str) -> Iterator[list[str]]:
    """What a line asks babeldrop for, in each of its simple commands."""
    if "babeldrop" not in line:
        return
    reader = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()")
    reader.whitespace_split = True
    simple: list[list[str]] = [[]]
    for word in reader:
        if set(word) <= set(";&|()"):
            simple.append([])
        else:
            simple[-1].append(word)
    for words in simple:
        rest = _behind(words)
        cut = next((number for number, word in enumerate(rest or []) if word in ("<", ">", ">>")), None)
        if rest is not None:
            yield rest[:cut]


def _behind(words: list[str]) -> list[str] | None:
    """The words behind `babeldrop`, whoever is asked to start it; None: another command."""
    start = next((number for number, word in enumerate(words) if not _BEFORE.fullmatch(word)), len(words))
    if words[start:][:2] == ["runuser", "-u"]:
        start = words.index("--") + 1
    elif words[start:][:1] == ["systemd-run"]:
        start = next(number for number, word in enumerate(words) if word.endswith("/bin/babeldrop"))
    named = words[start:][:1]
    return words[start + 1 :] if named and named[0].rpartition("/")[2] == "babeldrop" else None


def problem(words: list[str]) -> str | None:
    """Why these words behind `babeldrop` would be refused; None: they would not."""
    group = _group()
    if words[:1] in (["--version"], ["--help"], ["COMMAND"]):
        return None
    command = group.commands.get(words[0]) if words else None
    if command is None:
        return "no such command"
    if "--help" in words:
        return None
    try:
        command.make_context(words[0], words[1:])
    except SystemExit:
        return "refused"
    except Exception as error:  # noqa: BLE001  what typer refuses words with has no public name
        return str(error) or type(error).__name__
    return None
