"""The configuration: what is read, what is refused, and with which place and words."""

import os
import stat
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, model_validator

from daemon import config
from daemon import providers as registry
from daemon.config import Config, load, missing_keys, secret_values
from daemon.errors import ConfigError, Problem
from daemon.settings import Poll, ProviderSettings, Rate, Secret, parse_duration, parse_size

EXAMPLE = Path(__file__).parents[1] / "config.example.yaml"


class Paper(ProviderSettings):
    """A kind that needs an option."""

    kind: str = "paper"
    base_url: str = "https://api.paper.example"

    @model_validator(mode="after")
    def _model(self) -> Self:
        if not self.options.get("model"):
            raise ValueError("options.model is required")
        return self


class Film(ProviderSettings):
    """A kind with a key of its own, and with a second secret deep inside."""

    kind: str = "film"
    base_url: str = "https://api.film.example"
    result: Literal["video", "audio"] = "video"
    storage: dict[str, Secret] = {}  # noqa: RUF012  pydantic copies it


KINDS: dict[str, type[ProviderSettings]] = {"paper": Paper, "film": Film}

BASE = """\
root: {folder}/root
state: {folder}/state
originals: archive
archive_for: 30d
outbox:
  file_mode: "0664"
  folder_mode: "2775"
watch:
  observer: auto
  settle: auto
  rescan: 30s
  ignore: []
log:
  level: info
  format: auto
providers:
  paper:
    api_key: {{env: BABEL_KEY}}
    source_language: en
    languages: [fr, pt-BR]
    poll: {{every: 3s, at_most: 30s}}
    rate: {{requests: 60, per: 60s}}
    max_in_flight: 10
    max_bytes: 40MB
    deadline: 24h
    options: {{model: m}}
  clips:
    kind: film
    base_url: https://api.film.example
    api_key: {{env: BABEL_KEY}}
    languages: [es]
    result_hosts: []
    timeout: {{connect: 10s, read: 60s}}
    result: video
  third:
    kind: film
    api_key: {{env: BABEL_KEY}}
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABEL_KEY", "canary-key")
    monkeypatch.delenv("BABEL_ABSENT", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str | bytes, *, keys: bool = True) -> Config:
    file = folder / "babeldrop.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file, kinds=KINDS, keys=keys)


def refused(folder: Path, text: str | bytes, *, keys: bool = True) -> list[Problem]:
    with pytest.raises(ConfigError) as raised:
        read(folder, text, keys=keys)
    return raised.value.problems


def base(folder: Path, *changes: tuple[str, str]) -> str:
    """The valid file with some of its lines replaced."""
    text = BASE.format(folder=folder)
    for old, new in changes:
        assert f"\n{old}\n" in f"\n{text}", old

        text = f"\n{text}".replace(f"\n{old}\n", f"\n{new}\n", 1).removeprefix("\n")
    return text


class TestWhatIsRead:
    def test_every_value_arrives(self, folder: Path) -> None:
        """Paths, durations in seconds, sizes in bytes and modes as numbers stand in the models."""
        found = read(folder, base(folder))

        assert (found.root, found.state) == (folder / "root", folder / "state")
        assert (found.archive_for, found.watch.rescan, found.watch.settle) == (30 * 86400, 30, "auto")
        assert (found.outbox.file_mode, found.outbox.folder_mode) == (0o664, 0o2775)
        assert found.provider("paper").max_bytes == 40_000_000
        assert found.provider("paper").poll == Poll(every=3.0, at_most=30.0)
        assert found.warnings == ()

    def test_the_kind_is_the_name_of_the_folder_unless_told(self, folder: Path) -> None:
        """An entry without `kind` has its name's; another name may carry any kind, also the same twice."""
        found = read(folder, base(folder))

        assert {name: entry.kind for name, entry in found.providers.items()} == {
            "paper": "paper",
            "clips": "film",
            "third": "film",
        }
        assert isinstance(found.provider("clips"), Film)
        assert found.provider("third").base_url == "https://api.film.example"

    def test_an_unknown_provider_is_a_key_error(self, folder: Path) -> None:
        """Asking for an entry that is not there raises, rather than giving something like it."""
        found = read(folder, base(folder))

        with pytest.raises(KeyError):
            found.provider("nobody")

    def test_nothing_is_created(self, folder: Path) -> None:
        """Loading leaves the disk as it was: no root, no state, no marker."""
        read(folder, base(folder))

        assert [entry.name for entry in folder.iterdir()] == ["babeldrop.yaml"]

    def test_a_configuration_does_not_change(self, folder: Path) -> None:
        """Nobody assigns a setting at run time."""
        found = read(folder, base(folder))

        with pytest.raises(ValidationError):
            found.originals = "delete"  # type: ignore[misc]  # this is what is refused

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("null", None),
            ("~", None),
            ("documented", "documented"),
            ("{requests: 5, per: 1m}", Rate(requests=5, per=60.0)),
            (
                "{submit: {requests: 1, per: 2s}, status: {requests: 3, per: 500ms}}",
                {"submit": Rate(requests=1, per=2.0), "status": Rate(requests=3, per=0.5)},
            ),
        ],
    )
    def test_the_forms_of_a_rate(self, folder: Path, written: str, expected: object) -> None:
        """None, the documented windows, one window over everything, or windows by verb."""
        found = read(folder, base(folder, ("    rate: {requests: 60, per: 60s}", f"    rate: {written}")))

        assert found.provider("paper").rate == expected

    def test_the_rate_is_the_documented_one_by_default(self, folder: Path) -> None:
        """An entry that says nothing about rates takes the service's documents."""
        assert read(folder, base(folder)).provider("third").rate == "documented"

    @pytest.mark.parametrize("written", ["2s", "1500ms", "0.5s", "10m"])
    def test_the_settle_time_may_be_fixed(self, folder: Path, written: str) -> None:
        """A duration takes the place of `auto`."""
        found = read(folder, base(folder, ("  settle: auto", f"  settle: {written}")))

        assert found.watch.settle == parse_duration(written)

    def test_addresses_are_brought_to_one_form(self, folder: Path) -> None:
        """Case of the host and a last slash make no second account."""
        text = base(folder, ("    base_url: https://api.film.example", "    base_url: HTTPS://API.Film.example/v1/"))

        assert read(folder, text).provider("clips").base_url == "https://api.film.example/v1"

    @pytest.mark.parametrize(
        "written",
        [
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://localhost:1",
            "http://[::1]:8080",
            "https://h.example:8443/x",
        ],
    )
    def test_plain_http_is_for_this_machine(self, folder: Path, written: str) -> None:
        """Loopback addresses may be plain http, so that the simulated services can be used."""
        text = base(folder, ("    base_url: https://api.film.example", f"    base_url: {written}"))

        assert read(folder, text).provider("clips").base_url == written

    def test_form_fields_are_the_texts_that_stand_in_the_file(self, folder: Path) -> None:
        """`true`, `5`, `1.50` and `010` reach the service as they were written."""
        text = base(folder, ("    options: {model: m}", "    options: {model: m, a: true, b: 5, c: 1.50, d: 010}"))

        assert read(folder, text).provider("paper").options == {
            "model": "m",
            "a": "true",
            "b": "5",
            "c": "1.50",
            "d": "010",
        }


class TestYaml:
    @pytest.mark.parametrize(
        "word", ["no", "on", "off", "yes", "NO", "22:30", "010", "0x1f", "2026-01-02", "1_000", "1e3", "="]
    )
    def test_plain_words_stay_words(self, folder: Path, word: str) -> None:
        """`no` is Norwegian; times, dates and octal numbers are texts."""
        found = read(folder, base(folder, ("    languages: [es]", f"    languages: [{word}, es]")))

        assert found.provider("clips").languages == [word, "es"]
        assert type(found.provider("clips").languages[0]) is str

    def test_anchors_and_aliases_are_read(self, folder: Path) -> None:
        """A value may be written once and used twice."""
        text = base(
            folder,
            ("    languages: [fr, pt-BR]", "    languages: &them [fr, pt-BR]"),
            ("    languages: [es]", "    languages: *them"),
        )

        assert read(folder, text).provider("clips").languages == ["fr", "pt-BR"]

    def test_a_byte_order_mark_is_no_part_of_the_text(self, folder: Path) -> None:
        """Editors on Windows put one there."""
        found = read(folder, b"\xef\xbb\xbf" + base(folder).encode())

        assert found.originals == "archive"

    @pytest.mark.parametrize(
        ("text", "line", "says"),
        [
            ("", 1, "empty"),
            ("# nothing\n\n", 1, "empty"),
            ("- a\n- b\n", 1, "no mapping"),
            ("just text", 1, "no mapping"),
            ("root: /a\n---\nroot: /b\n", 2, "another document"),
            ("root: /a\nwatch:\n\tsettle: 5s\n", 3, "never tabs"),
            ("root: /a\nstate: [\n", 3, "not YAML"),
            ('root: "\\U00110000"\n', None, "character"),
            ('root: "\\UFFFFFFFF"\n', None, "character"),
            ("root: /a\nstate: \x01\n", 2, "character"),
            ("root: *nobody\n", 1, "undefined alias"),
            ("root: " + "[" * 5000, None, "nested"),
            (b"root: /a\n# caf\xe9\n", 2, "UTF-8"),
            ("root: /a".encode("utf-16"), 1, "UTF-8"),
            ("#" * 300_000, None, "too large"),
        ],
    )
    def test_what_is_no_configuration_at_all(
        self, folder: Path, text: str | bytes, line: int | None, says: str
    ) -> None:
        """A file that cannot be read as one mapping is one problem, with its line where there is one."""
        problems = refused(folder, text)

        assert len(problems) == 1
        assert problems[0].file == str(folder / "babeldrop.yaml")
        assert problems[0].line == line
        assert says in str(problems[0])

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("!!python/object/apply:os.system [true]", "tag"),
            ("!!python/name:os.system", "tag"),
            ("!secret key", "tag"),
            ("!!binary aGk=", "tag"),
            ("!!int nine", "tag"),
            ("!!set {a, b}", "tag"),
            ('"a\\0b"', "control character"),
            ('"\\ud800"', "control character"),
            ("&loop {a: *loop}", "loops"),
            ("{? [a, b] : c}", "plain text"),
            ("{<<: {a: b}}", "merge"),
        ],
    )
    def test_what_yaml_could_do_besides(self, folder: Path, value: str, says: str) -> None:
        """Tags, loops, merge keys and characters that no text has are refused with their line."""
        problems = refused(folder, base(folder, ("originals: archive", f"originals: {value}")))

        assert any(one.line == 3 and says in str(one) for one in problems)

    def test_aliases_unfold_within_bounds(self, folder: Path) -> None:
        """Nine lists of nine aliases each would be a thousand million values; the reading stops early."""
        levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]
        problems = refused(folder, "l0: &l0 [x]\n" + "\n".join(levels))

        assert "too many values" in str(problems[0])

    def test_a_file_that_is_not_there(self, folder: Path) -> None:
        """The missing file is named."""
        with pytest.raises(ConfigError, match=r"/none\.yaml: cannot read the file: No such file"):
            load(folder / "none.yaml", kinds=KINDS)

    @pytest.mark.parametrize("path", ["", "a\0b", "/"])
    def test_paths_that_name_no_file(self, path: str) -> None:
        """Whatever was given as a file's name ends in a sentence."""
        with pytest.raises(ConfigError, match="cannot read the file"):
            load(path, kinds=KINDS)


class Mistake(NamedTuple):
    """One line of the valid file replaced; the problem is in the new line that carries `#!`."""

    old: str
    new: str
    path: str
    says: str


MISTAKES = [
    Mistake("originals: archive", "originals: delet #!", "originals", "'delet' (expected archive or delete)"),
    Mistake("archive_for: 30d", "archive_far: 30d #!", "archive_far", "did you mean 'archive_for'?"),
    Mistake("state: {folder}/state", "state: {folder}/root/state #!", "state", "lies inside root"),
    Mistake('  file_mode: "0664"', "  file_mode: 0664 #!", "outbox.file_mode", "quote it"),
    Mistake('  folder_mode: "2775"', '  folder_mode: "0577" #!', "outbox.folder_mode", "the owner"),
    Mistake("  observer: auto", "  observer: inotfy #!", "watch.observer", "auto or inotify or polling"),
    Mistake("  settle: auto", "  settle: 5 #!", "watch.settle", "auto, or a duration"),
    Mistake("  rescan: 30s", "  rescan: 30s\n  rescan: 60s #!", "watch.rescan", "line {previous} already"),
    Mistake("  ignore: []", "  ignore:\n    - '*.bak'\n    - '' #!", "watch.ignore[1]", "not empty"),
    Mistake("  level: info", "  level: info\n  colour: red #!", "log.colour", "one of format, level"),
    Mistake("  format: auto", "  format: #!", "log.format", "found nothing"),
    Mistake(
        "    api_key: {{env: BABEL_KEY}}",
        "    api_key: {{env: BABEL_ABSENT}} #!",
        "providers.paper.api_key",
        "no key in",
    ),
    Mistake("    source_language: en", "    source_language: a/b #!", "providers.paper.source_language", "slash"),
    Mistake(
        "    languages: [fr, pt-BR]",
        "    languages:\n      - pt-BR\n      - pt_br #!",
        "providers.paper.languages[1]",
        "same folder as 'pt-BR'",
    ),
    Mistake(
        "    poll: {{every: 3s, at_most: 30s}}",
        "    poll: {{every: 3s, at_most: 2s}} #!",
        "providers.paper.poll",
        "longest",
    ),
    Mistake(
        "    rate: {{requests: 60, per: 60s}}",
        "    rate:\n      sumbit: {{requests: 1, per: 1s}} #!",
        "providers.paper.rate.sumbit",
        "did you mean 'submit'?",
    ),
    Mistake(
        "    max_in_flight: 10",
        "    max_in_flight: 0 #!",
        "providers.paper.max_in_flight",
        "found 0 (expected a number above",
    ),
    Mistake("    max_bytes: 40MB", "    max_bytes: 40 megabytes #!", "providers.paper.max_bytes", "a size such as"),
    Mistake(
        "    deadline: 24h",
        "    deadline: 1 day #!",
        "providers.paper.deadline",
        "'1 day' (expected a duration",
    ),
    Mistake("    kind: film", "    kind: flim #!", "providers.clips.kind", "did you mean 'film'?"),
    Mistake(
        "    base_url: https://api.film.example",
        "    base_url: http://api.film.example #!",
        "providers.clips.base_url",
        "http is for this machine alone",
    ),
    Mistake(
        "    result_hosts: []",
        "    result_hosts: [https://x.example] #!",
        "providers.clips.result_hosts[0]",
        "host:port",
    ),
    Mistake(
        "    timeout: {{connect: 10s, read: 60s}}",
        "    timeout:\n      conect: 1s #!",
        "providers.clips.timeout.conect",
        "did you mean 'connect'?",
    ),
    Mistake("    result: video", "    result: music #!", "providers.clips.result", "video or audio"),
    Mistake("  third:", "  Paper: #!", "providers.Paper", "overlap with those of 'paper'"),
    Mistake("    options: {{model: m}}", "#", "providers.paper", "options.model is required"),
]


def applied(folder: Path, mistakes: list[Mistake]) -> tuple[str, list[tuple[str, int, str]]]:
    """The file with these mistakes, and path, line and words of the problem that each must give."""
    changes = [(one.old.format(folder=folder), one.new.format(folder=folder)) for one in mistakes]
    text = base(folder, *changes)
    lines = text.splitlines()
    expected = []
    for mistake, (_, new) in zip(mistakes, changes, strict=True):
        marked = next((line for line in new.splitlines() if line.endswith("#!")), "  paper:")
        line = lines.index(marked) + 1
        expected.append((mistake.path, line, mistake.says.format(previous=line - 1)))
    return text, expected


class TestMistakes:
    @pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.path)
    def test_one_mistake_is_one_problem(self, folder: Path, mistake: Mistake) -> None:
        """Each mistake alone is reported once, with file, line, path, and what was expected."""
        text, [(path, line, says)] = applied(folder, [mistake])
        problems = refused(folder, text)

        assert [(one.file, one.path, one.line) for one in problems] == [(str(folder / "babeldrop.yaml"), path, line)]
        assert says in str(problems[0])

    def test_all_mistakes_are_reported_in_one_run(self, folder: Path) -> None:
        """Mistakes of every sort in one file: nothing hides another, the report is sorted by line."""
        text, expected = applied(folder, MISTAKES)
        problems = refused(folder, text)

        assert sorted((one.path, one.line) for one in problems) == sorted((path, line) for path, line, _ in expected)
        for path, line, says in expected:
            assert any((one.path, one.line) == (path, line) and says in str(one) for one in problems), path
        assert [one.line for one in problems] == sorted(one.line or 0 for one in problems)

    def test_a_file_that_says_nearly_nothing(self, folder: Path) -> None:
        """All required keys are asked for at once."""
        problems = refused(folder, "providers: {paper: {}}")

        assert {one.path: one.message for one in problems} == {
            "root": "this key is missing",
            "state": "this key is missing",
            "providers.paper.api_key": "this key is missing",
            "providers.paper": "options.model is required",
        }
        assert {one.line for one in problems} == {1}

    @pytest.mark.parametrize(
        ("providers", "path", "says"),
        [
            ("{}", "providers", "no provider"),
            ("", "providers", "found nothing"),
            ("[paper]", "providers", "found a list"),
            ("{paper: }", "providers.paper", "found nothing"),
            ("{.hidden: {kind: film, api_key: k}}", "providers..hidden", "beginning with a dot"),
            ("{a/b: {kind: film, api_key: k}}", "providers.a/b", "without slash"),
            ("{..: {kind: film, api_key: k}}", "providers...", "cannot be a folder's"),
            ("{'': {kind: film, api_key: k}}", "providers.", "cannot be a folder's"),
            ("{" + "x" * 101 + ": {kind: film, api_key: k}}", "providers." + "x" * 101, "1 to 100"),
            (
                "{" + "語" * 90 + ": {kind: film, api_key: k}}",
                "providers." + "語" * 90,
                "cannot be a folder's",
            ),
            ("{deepl: {api_key: k}}", "providers.deepl.kind", "one of film, paper"),
            ("{film: {kind: [film], api_key: k}}", "providers.film.kind", "found a list"),
            ("{film: {kind: 5, api_key: k}}", "providers.film.kind", "found 5"),
            ("{film: {api_key: k, account: ''}}", "providers.film.account", "not empty"),
            ("{film: {api_key: k, account: 12}}", "providers.film.account", "put it in quotes"),
            ("{film: {api_key: k, rate: 60}}", "providers.film.rate", "documented, null"),
            ("{film: {api_key: k, rate: {}}}", "providers.film.rate", "at least one"),
            ("{film: {api_key: k, rate: {requests: 1}}}", "providers.film.rate.per", "missing"),
            (
                "{film: {api_key: k, rate: {requests: yes, per: 1s}}}",
                "providers.film.rate.requests",
                "whole number",
            ),
            ("{film: {api_key: k, max_bytes: 0B}}", "providers.film.max_bytes", "above 0"),
            ("{film: {api_key: k, deadline: 0s}}", "providers.film.deadline", "above zero"),
            ("{film: {api_key: k, deadline: 99999999d}}", "providers.film.deadline", "a duration"),
            ("{film: {api_key: k, options: {a: [b]}}}", "providers.film.options.a", "found a list"),
            ("{film: {api_key: k, languages: no}}", "providers.film.languages", "a list, such as"),
            ("{film: {api_key: k, languages: ['']}}", "providers.film.languages[0]", "1 to 100 characters"),
            ("{film: {api_key: k, languages: [&a 'fr', *a]}}", "providers.film.languages[1]", "same folder"),
            ("{film: {api_key: k, languages: [1]}}", "providers.film.languages[0]", "put it in quotes"),
        ],
    )
    def test_entries_that_are_none(self, folder: Path, providers: str, path: str, says: str) -> None:
        """Names, kinds and values of providers are held to what they must be."""
        text = f"root: {folder}/root\nstate: {folder}/state\nproviders: {providers}\n"
        problems = refused(folder, text)

        assert [(one.path, one.line) for one in problems] == [(path, 3)]
        assert says in str(problems[0])

    def test_an_entry_of_unknown_kind_shows_its_other_mistakes(self, folder: Path) -> None:
        """What every kind has in common is looked at although the kind is not known."""
        text = f"root: {folder}/root\nstate: {folder}/state\nproviders: {{deepl: {{deadline: 5, own: 1}}}}"

        assert [one.path for one in refused(folder, text)] == [
            "providers.deepl.api_key",
            "providers.deepl.deadline",
            "providers.deepl.kind",
        ]

    @pytest.mark.parametrize("old", ["budget: 5", "mail: {to: x}"])
    def test_keys_of_nobody_are_refused(self, folder: Path, old: str) -> None:
        """A key that nothing reads is a mistake, never ignored."""
        problems = refused(folder, base(folder) + old)

        assert [(one.path, one.message) for one in problems] == [(old.partition(":")[0], "unknown key")]

    @pytest.mark.parametrize(
        "address",
        [
            "api.film.example",
            "ftp://api.film.example",
            "https://",
            "https:///x",
            "https://user:canary@api.film.example",
            "https://api.film.example?sig=canary",
            "https://api.film.example/#canary",
            "https://api.film.example:0",
            "https://api.film.example:99999",
            "https://[::1",
            "https://[nonsense]",
            "https://-x.example",
            "'https://api film.example'",
            "https://exämple.org",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://[::2]",
            "http://127.999.0.1",
            "[https://api.film.example]",
        ],
    )
    def test_addresses_that_are_refused(self, folder: Path, address: str) -> None:
        """No plain http over a network, no user, query or fragment; what could hold a key is not repeated."""
        text, _ = applied(folder, [])
        text = text.replace("    base_url: https://api.film.example", f"    base_url: {address}")
        problems = refused(folder, text)

        assert [one.path for one in problems] == ["providers.clips.base_url"]
        assert "canary" not in str(problems[0])

    @pytest.mark.parametrize(
        "host", ["files.example.org", "FILES.example.org:8443", "127.0.0.1:9000", '"[::1]:9000"', "minio"]
    )
    def test_result_hosts(self, folder: Path, host: str) -> None:
        """A host, or a host with its port."""
        found = read(folder, base(folder, ("    result_hosts: []", f"    result_hosts: [{host}]")))

        assert found.provider("clips").result_hosts == [host.strip('"').lower()]

    @pytest.mark.parametrize(
        "mode", ["664", "2775", '"0999"', '"64"', '"0o664"', '"0060"', '"4664"', '"0775"', "rw-rw-r--"]
    )
    def test_file_modes_that_are_refused(self, folder: Path, mode: str) -> None:
        """A mode is octal and in quotes, the owner may read and write, nobody executes."""
        problems = refused(folder, base(folder, ('  file_mode: "0664"', f"  file_mode: {mode}")))

        assert [one.path for one in problems] == ["outbox.file_mode"]
        assert ("quote it" in str(problems[0])) == (not mode.startswith('"'))


class TestFolders:
    @pytest.mark.parametrize("value", ["translate", "./x", "~/x", "/srv/../etc", "C:\\x", "5", "[/a]"])
    def test_paths_are_absolute(self, folder: Path, value: str) -> None:
        """A relative path would mean another folder under systemd than in a shell."""
        problems = refused(folder, base(folder, (f"root: {folder}/root", f"root: {value}")))

        assert [one.path for one in problems] == ["root"]
        assert "an absolute path" in str(problems[0])

    @pytest.mark.parametrize(
        ("root", "state", "path", "says"),
        [
            ("/a", "/a", "state", "same folder"),
            ("/a", "/a/b/c", "state", "inside root"),
            ("/a/b", "/a", "root", "inside state"),
            ("/a", "//a/./b/", "state", "inside root"),
        ],
    )
    def test_root_and_state_are_apart(self, folder: Path, root: str, state: str, path: str, says: str) -> None:
        """Neither lies in the other, however it is spelt."""
        text = base(
            folder,
            (f"root: {folder}/root", f"root: {folder}{root}"),
            (
                f"state: {folder}/state",
                f"state: {folder}{state.removeprefix('/')}" if state[1] == "/" else f"state: {folder}{state}",
            ),
        )
        problems = refused(folder, text)

        assert [one.path for one in problems] == [path]
        assert says in str(problems[0])

    def test_names_that_only_begin_alike_are_apart(self, folder: Path) -> None:
        """`/srv/translate-state` is not inside `/srv/translate`."""
        found = read(folder, base(folder, (f"state: {folder}/state", f"state: {folder}/root-state")))

        assert found.state == folder / "root-state"

    def test_links_are_followed_before_folders_are_compared(self, folder: Path) -> None:
        """A state that leads into root by a link is inside root."""
        (folder / "root").mkdir()
        (folder / "state").symlink_to(folder / "root")

        assert "same folder" in str(refused(folder, base(folder))[0])

    def test_what_decides_may_not_lie_in_the_share(self, folder: Path) -> None:
        """The configuration and key files inside root could be changed by everybody who may drop files."""
        (folder / "key").write_text("canary-key")
        (folder / "key").chmod(0o600)
        text = base(folder, (f"root: {folder}/root", f"root: {folder}"), (f"state: {folder}/state", "state: /nowhere"))
        text = text.replace("api_key: {env: BABEL_KEY}", f"api_key: {{file: {folder}/key}}", 1)

        assert [(one.path, one.message) for one in refused(folder, text)] == [
            ("root", "the configuration file lies inside root"),
            ("providers.paper.api_key", "the key's file lies inside root"),
        ]

    def test_the_program_may_not_lie_in_the_share(self, folder: Path) -> None:
        """Nobody who may drop files may change the code that runs."""
        code = Path(config.__file__).resolve().parents[1]
        text = base(folder, (f"root: {folder}/root", f"root: {code}"))

        assert [one.message for one in refused(folder, text)] == ["the program lies inside root"]


class TestSecrets:
    def one(self, folder: Path, written: str, *, keys: bool = True) -> Config:
        return read(folder, base(folder).replace("{env: BABEL_KEY}", written, 1), keys=keys)

    def test_from_a_file(self, folder: Path) -> None:
        """The line break that every editor adds is no part of the key."""
        (folder / "key").write_text("from-file\n")
        (folder / "key").chmod(0o600)
        found = self.one(folder, f"{{file: {folder}/key}}")

        assert found.provider("paper").api_key.read() == "from-file"
        assert found.warnings == ()

    def test_from_a_systemd_credential(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A credential is a file in the folder that systemd names."""
        (folder / "paper-key").write_text("from-systemd")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))

        assert self.one(folder, "{credential: paper-key}").provider("paper").api_key.read() == "from-systemd"

    def test_a_renewed_key_is_found(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A secret is read when it is needed, not when the file was loaded."""
        found = self.one(folder, "{env: BABEL_KEY}")
        monkeypatch.setenv("BABEL_KEY", "renewed")

        assert found.provider("paper").api_key.read() == "renewed"
        assert secret_values(found) == {"renewed"}

    def test_in_the_file_itself_it_works_and_is_warned_about(self, folder: Path) -> None:
        """A literal key is taken; the warning has file and line and does not show it."""
        found = self.one(folder, "canary-literal")
        line = base(folder).splitlines().index("    api_key: {env: BABEL_KEY}") + 1

        assert found.provider("paper").api_key.read() == "canary-literal"
        assert [one.partition(" the key itself")[0] for one in found.warnings] == [
            f"{folder}/babeldrop.yaml:{line}: providers.paper.api_key:"
        ]
        assert "canary" not in "".join(found.warnings) + repr(found)

    def test_a_key_file_that_others_can_read_is_warned_about(self, folder: Path) -> None:
        """The file's mode is looked at, group and others alike."""
        (folder / "key").write_text("k")
        (folder / "key").chmod(0o640)
        found = self.one(folder, f"{{file: {folder}/key}}")

        assert [f"others can read file {folder}/key (chmod 600)" in one for one in found.warnings] == [True]
        assert stat.S_IMODE(os.stat(folder / "key").st_mode) == 0o640

    @pytest.mark.parametrize(
        ("written", "says"),
        [
            ("{env: BABEL_ABSENT}", "no key in environment variable BABEL_ABSENT"),
            ("{file: /nowhere/key}", "cannot read file /nowhere/key: No such file"),
            ("{file: /}", "cannot read file /: Is a directory"),
            ("{credential: paper}", "$CREDENTIALS_DIRECTORY is not set"),
            ("clé", "cannot be sent in a header"),
            ("'  '", "no key in the configuration file"),
        ],
    )
    def test_a_key_that_is_not_there(self, folder: Path, written: str, says: str) -> None:
        """It is a problem of the load, or of `missing_keys` where the load was told to leave it."""
        with pytest.raises(ConfigError) as raised:
            self.one(folder, written)
        [later] = missing_keys(self.one(folder, written, keys=False))

        assert raised.value.problems == [later]
        assert (later.path, later.line) == ("providers.paper.api_key", 18)
        assert says in later.message

    def test_bytes_that_are_no_text_are_no_key(self, folder: Path) -> None:
        """Neither the error nor what it came from shows them."""
        (folder / "key").write_bytes(b"canary\xff")
        with pytest.raises(ConfigError) as raised:
            self.one(folder, f"{{file: {folder}/key}}")

        assert "is not UTF-8" in str(raised.value)
        assert "canary" not in str(raised.value)

    @pytest.mark.parametrize(
        "written",
        [
            "{}",
            "''",
            "null",
            "[canary-key]",
            "1234567890123",
            "{env: A, file: /canary-key}",
            "{value: 1234567890123}",
            "{env: canary-key}",
            "{credential: ../canary-key}",
            "{credential: ..}",
            "{file: canary-key}",
            "{environment: canary-key}",
            "{env: ''}",
        ],
    )
    def test_forms_that_are_refused_without_showing_the_key(self, folder: Path, written: str) -> None:
        """Whoever put the key in a wrong place does not find it in the log."""
        problems = refused(folder, base(folder).replace("{env: BABEL_KEY}", written, 1))

        assert {one.line for one in problems} == {18}
        assert all(one.path.startswith("providers.paper.api_key") for one in problems)
        assert "canary" not in "".join(map(str, problems))
        assert "1234567890123" not in "".join(map(str, problems))

    def test_secrets_are_found_wherever_they_stand(self, folder: Path) -> None:
        """A kind's own secrets are checked and known like `api_key`."""
        text = base(folder, ("    result: video", "    storage: {source: canary-sas, target: {env: BABEL_ABSENT}}"))
        found = read(folder, text, keys=False)

        assert [one.path for one in missing_keys(found)] == ["providers.clips.storage.target"]
        assert secret_values(found) == {"canary-key", "canary-sas"}
        assert len(found.warnings) == 1


class TestValues:
    @given(st.text())
    def test_a_duration_is_seconds_or_refused(self, text: str) -> None:
        """No text whatever gives anything but a number above zero or ValueError."""
        try:
            seconds = parse_duration(text)
        except ValueError:
            seconds = 1.0

        assert isinstance(seconds, float)
        assert 0 < seconds <= 36_500 * 86_400

    @given(st.integers(1, 10**5), st.sampled_from(["ms", "s", "m", "h"]))
    def test_durations_have_their_unit(self, number: int, unit: str) -> None:
        """The number counts units."""
        factor = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]

        assert parse_duration(f"{number}{unit}") == pytest.approx(number * factor)

    @given(st.from_regex(r"[0-9]{1,400}(\.[0-9]{1,9})? ?(B|kB|MB|GB|TB)?", fullmatch=True))
    def test_a_size_is_bytes_or_refused(self, text: str) -> None:
        """Sizes that no disk has are refused rather than overflowing."""
        try:
            size = parse_size(text)
        except ValueError:
            size = 0

        assert isinstance(size, int)
        assert 0 <= size < 10**24


class TestAnything:
    """Whatever stands in a file, loading gives a configuration or ConfigError."""

    def survives(self, folder: Path, content: bytes) -> None:
        (folder / "fuzz.yaml").write_bytes(content)
        try:
            load(folder / "fuzz.yaml", kinds=KINDS)
            problems = None
        except ConfigError as error:
            problems = error.problems

        assert problems is None or all(one.message for one in problems)
        assert problems != []

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(content=st.binary())
    def test_any_bytes(self, folder: Path, content: bytes) -> None:
        """Bytes of any kind."""
        self.survives(folder, content)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(text=st.text(alphabet=st.sampled_from("ab01:-?[]{}&*!|>'\"%@`#, \n\t\\xUu~=<.")))
    @example(text="a: &a [*a]")
    @example(text='"\\UFFFFFFFF": 1')
    @example(text="%TAG ! tag:x,2000:\n--- !<tag> a")
    def test_any_text_of_yaml_characters(self, folder: Path, text: str) -> None:
        """Texts out of the characters that mean something to YAML."""
        self.survives(folder, text.encode())

    values = st.recursive(
        st.sampled_from(["null", "no", "5", "-1", "30s", "/a", "''", '"\\0"', '"\\ud800"', "!x y", "film", "1e999"]),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
            | st.dictionaries(st.sampled_from(["env", "file", "requests", "per", "a", "kind"]), inner, max_size=3).map(
                lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
            )
        ),
        max_leaves=4,
    )

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        edits=st.lists(st.tuples(st.integers(0, 35), values | st.just(None)), min_size=1, max_size=6),
    )
    def test_any_value_in_the_place_of_any_other(self, folder: Path, edits: list[tuple[int, str | None]]) -> None:
        """A valid file in which lines lost their value, got another, or went."""
        lines = base(folder).splitlines()
        for index, value in edits:
            key = lines[index].partition(":")[0]
            lines[index] = "" if value is None else f"{key}: {value}"
        self.survives(folder, "\n".join(lines).encode())


class TestExample:
    """`config.example.yaml` is the list of all settings."""

    # What an example says in the place of the administrator.
    own = frozenset(
        {
            "root",
            "state",
            "kind",
            "base_url",
            "api_key",
            "source_language",
            "languages",
            "options",
            "providers",
        }
    )

    def differences(self, model: BaseModel, at: str = "") -> list[str]:
        found = []
        for name, field in type(model).model_fields.items():
            value: Any = getattr(model, name)
            if name not in model.model_fields_set:
                found.append(f"{at}{name} is missing")
            if isinstance(value, BaseModel) and not isinstance(value, Secret):
                found += self.differences(value, f"{at}{name}.")
            elif name not in self.own and value != field.get_default(call_default_factory=True):
                found.append(f"{at}{name} is not the default")
        return found

    def test_it_holds_every_key_with_its_default(self) -> None:
        """A new setting has to appear there, and a changed default has to be changed there."""
        found = load(EXAMPLE, keys=False)

        assert self.differences(found) == []
        assert self.differences(found.provider("gpttranslator")) == []
        assert set(found.providers) == set(registry.KINDS)
        for entry in found.providers.values():
            own = set(type(entry).model_fields) - set(ProviderSettings.model_fields)

            assert own <= entry.model_fields_set
            assert [one for one in self.differences(entry) if "not the default" in one] == []

    def test_it_wants_nothing_but_the_keys(self) -> None:
        """Taken as it is, only the two keys are missing."""
        with pytest.raises(ConfigError) as raised:
            load(EXAMPLE)

        assert [one.path for one in raised.value.problems] == [
            f"providers.{name}.api_key" for name in ("gpttranslator", "voicecheap", "doctranslate", "cambai", "azure")
        ]
