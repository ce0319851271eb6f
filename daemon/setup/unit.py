"""The systemd unit, fitted to the answers: the one that comes with the program, with other paths and names.

Whatever else that unit says (its sandbox above all) stays as it is, and so do its reasons.
"""

import os
import sys
from importlib import resources
from pathlib import Path

import daemon
from daemon.setup.answers import Answers, credential_file

NAME = "babeldrop.service"
_STATES = "/var/lib/"
_HOMES = ("/home", "/root", "/run/user")
_SCRATCH = ("/tmp", "/var/tmp")  # noqa: S108  folders that a unit may hide, not files of ours

_HEAD = """\
# babeldrop, fitted by `babeldrop init` to {config}. Put it into place with
#   install -m 0644 {unit} /etc/systemd/system/{name}
#   systemctl daemon-reload && systemctl enable --now babeldrop
"""


def template() -> str:
    """The unit as it comes with the program: of an installed wheel, else of the checkout."""
    installed = resources.files(daemon).joinpath("data", NAME)
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(daemon.__file__).parent.parent / "systemd" / NAME).read_text(encoding="utf-8")


def program() -> list[str]:
    """What starts this very installation."""
    beside = Path(sys.executable).with_name("babeldrop")
    return [str(beside)] if beside.is_file() else [sys.executable, "-m", "daemon"]


def render(answers: Answers, group: str, text: str | None = None) -> str:
    """The unit for answers of which none is missing; `group` is the user's own."""
    unit = _Unit(template() if text is None else text)
    root, state = str(answers.root), str(answers.state)
    unit.put("ExecStart", [_command([*program(), "run", "-c", str(answers.config)])])
    unit.put("User", [answers.user or ""])
    unit.put("Group", [group])
    names = dict.fromkeys(entry.key.credential for entry in answers.entries if entry.key and entry.key.credential)
    handed = [f"{name}:{_unquoted(credential_file(answers.folder, name))}" for name in names]
    unit.put("LoadCredential", handed, after="ExecStart")
    variables = any(entry.key and entry.key.env for entry in answers.entries)
    unit.put(
        "EnvironmentFile", [f"-{_unquoted(answers.folder / 'environment')}"] if variables else [], after="ExecStart"
    )
    writable = [f"-{root}"]
    own = os.path.relpath(state, _STATES)
    if state.startswith(_STATES):
        unit.put("StateDirectory", [own])
    else:
        writable.append(state)
        unit.put("StateDirectory", [])
        unit.put("StateDirectoryMode", [])
    unit.put("ReadWritePaths", [" ".join(map(_quoted, writable))])
    _uncover(unit, answers, root, state)
    head = _HEAD.format(config=answers.config, unit=answers.folder / NAME, name=NAME)
    return head + "\n" + unit.text()


def _uncover(unit: "_Unit", answers: Answers, root: str, state: str) -> None:
    """Take away what would hide a folder that the daemon needs, and say why."""
    files = [entry.key.file for entry in answers.entries if entry.key and entry.key.file]
    needed = [root, state, str(answers.config), program()[0], *files]
    if _any_below(needed, _HOMES):
        unit.put("ProtectHome", ["read-only"], why="Relaxed: a folder of home directories holds what the daemon needs.")
    if _any_below(needed, _SCRATCH):
        unit.put("PrivateTmp", ["no"], why="Relaxed: what the daemon needs lies in a folder for temporary files.")


def _any_below(paths: list[str], tops: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for path in paths for top in tops)


class _Unit:
    """The lines of a unit, without the comment that it begins with."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        self._lines = lines[first:]

    def put(self, key: str, values: list[str], *, after: str = "", why: str = "") -> None:
        """Give a key these values and no other, where it stands, else behind the last line of another key.

        What the comment above it says goes with a key that goes, and makes room for another reason; values that were
        examples (`#Key=`) go in any case.
        """
        self._lines = [line for line in self._lines if not line.startswith(f"#{key}=")]
        at = self._numbers(key)
        place = at[0] if at else (self._numbers(after) or [len(self._lines) - 1])[-1] + 1
        gone = set(at)
        if at and (why or not values):
            while self._lines[place - 1].startswith("#"):
                place -= 1
                gone.add(place)
        told = [f"# {why}"] if why else []
        rest = [line for number, line in enumerate(self._lines[place:], place) if number not in gone]
        self._lines = self._lines[:place] + told + [f"{key}={value}" for value in values] + rest

    def _numbers(self, key: str) -> list[int]:
        return [number for number, line in enumerate(self._lines) if line.startswith(f"{key}=")]

    def text(self) -> str:
        return "\n".join(self._lines).strip() + "\n"


def _unquoted(path: Path) -> str:
    """A path to the end of its line: `%` begins a specifier there, quotes would be part of it."""
    return str(path).replace("%", "%%")


def _quoted(text: str) -> str:
    """A path among words."""
    doubled = text.replace("%", "%%")
    if not any(one in doubled for one in " \t\"'\\;"):
        return doubled
    escaped = doubled.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _command(words: list[str]) -> str:
    """A command line; a `$` would be a variable."""
    return " ".join(_quoted(word.replace("$", "$$")) for word in words)
