"""What decides what the daemon does is out of other people's reach, or nothing is started."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import config_safety
from daemon.config import Config, load, seen_values
from daemon.errors import ConfigError, Problem

_ENTRY = """\
providers:
  gpttranslator:
    api_key: {key}
    source_language: en
    languages: [fr]
    options: {{model: gpt-4.1-mini}}
"""
_IN_THE_FILE = "a-key-of-the-tests"


class Place:
    """A folder with `config.yaml`; root and state are `share` and `state` in it unless told."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.file = base / "config.yaml"
        self.write()

    def write(self, *, root: str = "", state: str = "", key: str = "{env: SAFETY_KEY}") -> None:
        head = f"root: {root or self.base / 'share'}\nstate: {state or self.base / 'state'}\n"
        self.file.write_text(head + _ENTRY.format(key=key))
        self.file.chmod(0o600)

    def load(self, file: Path | None = None) -> Config:
        return load(file or self.file)

    def refused(self, file: Path | None = None) -> list[Problem]:
        with pytest.raises(ConfigError) as raised:
            self.load(file)
        return raised.value.problems

    def key(self, content: str = "a-key-in-a-file", mode: int = 0o600) -> Path:
        path = self.base / "key"
        path.write_text(content)
        path.chmod(mode)
        return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("SAFETY_KEY", "a-key-of-the-tests")
    return Place(tmp_path)


def _bind(monkeypatch: pytest.MonkeyPatch, second: Path, first: Path) -> None:
    """Let one folder show the identity of another, as a bind mount does; mounting itself takes privileges."""
    real = config_safety._status

    def look(path: str) -> os.stat_result | None:
        steps = os.path.relpath(path, second)
        return real(path if steps.startswith("..") else os.path.normpath(os.path.join(first, steps)))

    monkeypatch.setattr(config_safety, "_status", look)


class TestOverlap:
    @pytest.mark.parametrize(
        ("root", "state", "path", "says"),
        [
            ("a", "a", "state", "is the same folder as root"),
            ("a", "a/b", "state", "lies inside root"),
            ("a/b", "a", "root", "lies inside state"),
            ("a", "link", "state", "is the same folder as root"),
            ("a", "link/b/c", "state", "lies inside root"),
            ("link/b", "a", "root", "lies inside state"),
            ("a", "deep/link/x", "state", "lies inside root"),
        ],
    )
    def test_root_and_state_hold_neither_each_other(
        self, place: Place, root: str, state: str, path: str, says: str
    ) -> None:
        """Whichever lies in which, and whatever links lead there; each with file and line."""
        (place.base / "a" / "b").mkdir(parents=True)
        (place.base / "deep").mkdir()
        (place.base / "link").symlink_to("a")
        (place.base / "deep/link").symlink_to(place.base / "link")
        place.write(root=f"{place.base}/{root}", state=f"{place.base}/{state}")
        [problem] = place.refused()

        assert (problem.path, problem.message) == (path, says)
        assert (problem.file, problem.line) == (str(place.file), 1 if path == "root" else 2)

    @pytest.mark.parametrize(
        ("root", "state", "says"),
        [
            ("a", "b", "is the same folder as root"),
            ("a", "b/state", "lies inside root"),
            ("b/share", "a", "lies inside state"),
            ("a/share", "b/share/state", "lies inside root"),
        ],
    )
    def test_a_bind_mount_is_no_way_round(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, root: str, state: str, says: str
    ) -> None:
        """Two paths without any link between them may still be one folder: their identity is compared."""
        (place.base / "a/share").mkdir(parents=True)
        (place.base / "b").mkdir()
        place.write(root=f"{place.base}/{root}", state=f"{place.base}/{state}")
        _bind(monkeypatch, place.base / "b", place.base / "a")

        assert [one.message for one in place.refused()] == [says]

    @pytest.mark.parametrize("path", ["/srv/x/../y", "/.."])
    def test_steps_upwards_are_refused(self, place: Place, path: str) -> None:
        """A path with `..` says something else as soon as a link stands in it."""
        place.write(state=path)
        [problem] = place.refused()

        assert problem.path == "state"
        assert "an absolute path without .." in str(problem)

    def test_the_whole_disk_is_no_root(self, place: Place) -> None:
        """Everything lies inside `/`, the state and the program as well."""
        place.write(root="/")

        assert {one.message for one in place.refused()} == {
            "lies inside root",
            "the configuration file lies inside root",
            "the program lies inside root",
        }

    def test_the_configuration_may_not_lie_in_the_share(self, place: Place) -> None:
        """Neither the file nor the link that leads to it: whoever replaces either decides what is read."""
        share = place.base / "share"
        share.mkdir()
        (share / "link.yaml").symlink_to(place.file)
        [problem] = place.refused(share / "link.yaml")

        assert problem.message == "the configuration file lies inside root"

        (share / "config.yaml").write_text(place.file.read_text())
        (place.base / "outside.yaml").symlink_to(share / "config.yaml")
        [problem] = place.refused(place.base / "outside.yaml")

        assert problem.message == "the configuration file lies inside root"

    def test_a_key_may_not_lie_in_the_share(self, place: Place) -> None:
        """A link inside the share is as good as a file there."""
        (place.base / "share").mkdir()
        (place.base / "share/key").symlink_to(place.key())
        place.write(key=f"{{file: {place.base}/share/key}}")
        [problem] = place.refused()

        assert (problem.path, problem.line) == ("providers.gpttranslator.api_key", 5)
        assert problem.message == "the key's file lies inside root"


class TestWriters:
    @pytest.mark.parametrize("mode", [0o602, 0o606, 0o646, 0o666, 0o777])
    def test_a_configuration_that_everybody_can_change(self, place: Place, mode: int) -> None:
        """It names the file and the command that mends it."""
        place.file.chmod(mode)
        [problem] = place.refused()

        assert str(problem).startswith(f"{place.file}:1: others could change this file: chmod go-w {place.file}")

    def test_a_configuration_that_a_group_can_change(self, place: Place) -> None:
        """Where users have a group each their own may write; any other one may not."""
        place.file.chmod(0o660)

        assert place.load().root == place.base / "share"

        if os.geteuid() != 0:
            pytest.skip("giving a file to a group of others takes root")
        os.chown(place.file, 0, 4321)
        [problem] = place.refused()

        assert f"chmod go-w {place.file}" in problem.message

        os.chown(place.file, 4321, 4321)

        assert place.load().root == place.base / "share", "a user without a name has the group of the same number"

    def test_a_folder_in_which_everybody_can_put_another_file(self, place: Place) -> None:
        """Also one further up; where the folder is sticky, as /tmp is, nobody can."""
        below = place.base / "open/etc"
        below.mkdir(parents=True)
        below.parent.chmod(0o777)
        (below / "config.yaml").write_text(place.file.read_text())
        [problem] = place.refused(below / "config.yaml")

        assert problem.message == f"others could change this file: chmod o-w {below.parent}"

        below.parent.chmod(0o1777)

        assert place.load(below / "config.yaml").root == place.base / "share"

    def test_a_link_in_an_open_folder(self, place: Place) -> None:
        """Whoever may replace the link chooses the configuration."""
        (place.base / "open").mkdir()
        (place.base / "open").chmod(0o777)
        (place.base / "open/config.yaml").symlink_to(place.file)

        assert [one.message for one in place.refused(place.base / "open/config.yaml")] == [
            f"others could change this file: chmod o-w {place.base}/open"
        ]

    def test_a_state_that_everybody_can_change(self, place: Place) -> None:
        """The journal says what was paid; one that is not there yet is made private."""
        (place.base / "state").mkdir()
        (place.base / "state").chmod(0o777)
        [problem] = place.refused()

        assert (problem.path, problem.line) == ("state", 2)
        assert f"chmod o-w {place.base}/state" in problem.message

    def test_a_key_that_everybody_can_change(self, place: Place) -> None:
        """Another key is another account: documents would be sent to whoever put it there."""
        key = place.key(mode=0o606)
        place.write(key=f"{{file: {key}}}")
        [problem] = place.refused()

        assert str(problem).startswith(
            f"{place.file}:5: providers.gpttranslator.api_key: others could change the key: chmod go-w {key}"
        )
        assert "a-key-in-a-file" not in str(problem)


class TestReaders:
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
    def test_a_key_that_others_can_read_is_warned_about(self, place: Place, mode: int) -> None:
        """It works, as a key in the configuration itself does; the harm would be done already."""
        key = place.key(mode=mode)
        place.write(key=f"{{file: {key}}}")

        assert [f"others can read file {key} (chmod 600)" in one for one in place.load().warnings] == [True]

    def test_a_key_in_a_configuration_that_others_can_read(self, place: Place) -> None:
        """The warning says so; it does not show the key."""
        place.write(key=_IN_THE_FILE)
        [private] = place.load().warnings
        place.file.chmod(0o644)
        [open_to_others] = place.load().warnings

        assert "others can read" not in private
        assert "which others can read" in open_to_others
        assert _IN_THE_FILE not in private + open_to_others


_WRONG = [
    ("api_key: KEY", "api_key: {KEY}"),
    ("api_key: KEY", "api_key: {KEY: x}"),
    ("api_key: KEY", "api_key: {env: KEY}"),
    ("api_key: KEY", "api_key: {file: KEY}"),
    ("api_key: KEY", "api_key: [KEY]"),
    ("api_key: KEY", "api_key: {value: KEY, env: X}"),
    ("api_key: KEY", "api_key: !secret KEY"),
    ("api_key: KEY", "api_key: KEY oops: {"),
    ("api_key: KEY", "api_key: KEY\n    - KEY"),
    ("api_key: KEY", "api_key: KEY\n    api_key: KEY"),
    ("api_key: KEY", "api_kee: KEY"),
    ("api_key: KEY", "api_key: KEY\n    base_url: KEY"),
    ("api_key: KEY", "api_key: KEY\n    result_hosts: [KEY]"),
    ("api_key: KEY", "api_key: KEY\n    kind: KEY"),
    ("api_key: KEY", "api_key: KEY\n    deadline: KEY"),
    ("api_key: KEY", "api_key: KEY\n    rate: KEY"),
    ("providers:", "originals: KEY\nproviders:"),
]


@pytest.mark.parametrize(("good", "wrong"), _WRONG)
def test_a_key_in_a_wrong_place_is_not_shown(place: Place, good: str, wrong: str) -> None:
    """However it is spelt, and whatever stands beside it: no message repeats it."""
    key = "sk-/QqCanaryQq+7=="
    place.write(key="KEY")
    text = place.file.read_text()

    assert good in text

    place.file.write_text(text.replace(good, wrong, 1).replace("KEY", f'"{key}"').replace(f'{{"{key}"}}', f"{{{key}}}"))
    problems = place.refused()

    assert "QqCanaryQq" not in "".join(map(str, problems))


def test_a_slip_in_the_form_of_a_secret_is_shown(place: Place) -> None:
    """What is nearly one of the known words is none's key, and is named."""
    place.write(key="{evn: SAFETY_KEY}")

    assert any(one.path.endswith("api_key.evn") and "'env'" in str(one) for one in place.refused())


@pytest.mark.parametrize("command", ["check", "run", "once"])
def test_everything_is_told_in_one_run_and_nothing_is_started(place: Place, command: str) -> None:
    """Exit code 2, each mistake with its place and its remedy, no folder made, no mode changed."""
    key = place.key(mode=0o666)
    place.write(root=f"{place.base}/share", state=f"{place.base}/share/state", key=f"{{file: {key}}}")
    place.file.chmod(0o666)
    before = sorted(place.base.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "daemon", command, "-c", str(place.file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )

    assert done.returncode == 2
    assert "3 problems; nothing was done." in done.stderr
    for line, words in {
        1: "others could change this file: chmod go-w",
        2: "state: lies inside root",
        5: "others could change the key: chmod go-w",
    }.items():
        assert re.search(rf"^{re.escape(str(place.file))}:{line}: .*{words}", done.stderr, re.MULTILINE), done.stderr
    assert sorted(place.base.rglob("*")) == before
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o666


@pytest.mark.skipif(os.geteuid() != 0, reason="it is about root")
def test_root_is_told_to_be_somebody_else(place: Place) -> None:
    """`check` says that the daemon needs no more than a user of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "check", "-c", str(place.file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )

    assert done.returncode == 0, done.stderr
    assert "warning: this is root; the daemon needs no more than a user of its own" in done.stderr


def test_the_example_of_a_unit_makes_no_core_dump() -> None:
    """A dump of the process would hold the keys."""
    unit = Path(__file__).parents[1] / "systemd/babeldrop.service"

    assert "\nLimitCORE=0\n" in unit.read_text(encoding="utf-8")


def test_a_key_that_was_renewed_is_hidden_like_the_one_before(place: Place) -> None:
    """The log knows every key from the moment it is read, without reading any file for each line."""
    key = place.key("the-first-key")
    place.write(key=f"{{file: {key}}}")
    found = place.load()
    known = seen_values(found)
    place.key("the-second-key")
    found.provider("gpttranslator").api_key.read()
    key.unlink()

    assert known() == {"the-first-key", "the-second-key"}
    assert "the-first-key" not in repr(found) + repr(found.provider("gpttranslator").api_key)
