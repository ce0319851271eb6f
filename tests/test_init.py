"""`init`: from answers to a set-up that works, by options and by questions, and safe to repeat."""

import getpass
import os
import pty
import select
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon import config, disk, kernel
from daemon.cli import app
from daemon.providers import KINDS
from daemon.sandbox.child import Running, start
from daemon.setup import answers as reading
from daemon.setup import notes, unit
from daemon.setup.answers import SYSTEM, Answers
from daemon.setup.configuration import render
from tests.e2e.site import Site

KEY = "sandbox-key-of-a-set-up"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    with start(tmp_path / "services", pace=(0.1, 0.3)) as running:
        yield running


def init(*arguments: object) -> tuple[int, str]:
    """Exit code and everything said, without a terminal."""
    done = CliRunner().invoke(app, ["init", *map(str, arguments)])
    return done.exit_code, done.output


def options(home: Path, address: str = "http://127.0.0.1:1") -> list[str]:
    key = home / "key"
    home.mkdir(exist_ok=True)
    key.write_text(KEY)
    key.chmod(0o600)
    return [
        *("--root", str(home / "share"), "--state", str(home / "state"), "--language", "de"),
        *("--provider", "gpttranslator:fr,no", "--source", "gpttranslator=en"),
        *("--address", f"gpttranslator={address}", "--key", f"gpttranslator=file:{key}"),
    ]


def names(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_set_up_by_options_checks_runs_and_translates(tmp_path: Path, sandbox: Running) -> None:
    """`init`, `check`, a drop, `once`: the translation is there, and the notes were neither sent nor moved."""
    home = tmp_path / "home"
    site = Site(tmp_path, sandbox)
    made = site.command("init", str(home), *options(home, sandbox.base_url("gpttranslator")))
    again = site.command("check", "-c", str(home / "config.yaml"))
    (home / "share/inbox/gpttranslator/fr/letter.txt").write_text("Dear all\n")
    once = site.command("once", "-c", str(home / "config.yaml"), "--for", "60s")

    assert (made.returncode, again.returncode, once.returncode) == (0, 0, 0), made.stderr + again.stderr + once.stderr
    assert "letter.txt" in names(home / "share/outbox/gpttranslator/fr")
    assert names(home / "share/inbox") == {
        "gpttranslator",
        "gpttranslator/fr",
        f"gpttranslator/fr/{notes.NAME}",
        "gpttranslator/no",
        f"gpttranslator/no/{notes.NAME}",
    }
    assert len(sandbox.ledger()) == 1


def test_the_folders_have_the_modes_and_the_group_of_the_share(tmp_path: Path) -> None:
    """People of the group drop, take and retry; the daemon's own folders are closed."""
    home = tmp_path / "home"
    group = "daemon" if os.geteuid() == 0 else ""

    code, said = init(home, *options(home), "--group", group)

    assert code == 0, said
    share = home / "share"
    assert {mode(share / path) for path in ("inbox/gpttranslator/fr", "outbox", "failed", "archive")} == {0o2775}
    assert (mode(share), mode(share / "processing"), mode(home / "state")) == (0o2755, 0o700, 0o700)
    if group:
        assert {(share / path).group() for path in ("inbox/gpttranslator/no", "outbox", "failed")} == {group}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders for somebody else")
def test_made_by_root_everything_belongs_to_the_user_of_the_daemon() -> None:
    """The share may know that user alone, so its folders are made with that user's rights; the rest is read by it."""
    folder = Path(tempfile.mkdtemp(prefix="init-"))
    folder.chmod(0o755)
    home = folder / "home"
    try:
        code, said = init(home, *options(home), "--user", "nobody", "--group", "daemon")
        made = [path for top in ("share", "state") for path in [home / top, *(home / top).rglob("*")]]

        assert code == 0, said
        assert {path.owner() for path in made} == {"nobody"}
        assert {path.group() for path in made if path.is_dir() and "share" in path.parts} == {"daemon"}
        assert mode(home / "config.yaml") == 0o640
        assert "usermod -aG daemon nobody" in said
        assert os.geteuid() == 0
    finally:
        shutil.rmtree(folder)


def test_without_a_terminal_it_says_which_answers_are_missing(tmp_path: Path) -> None:
    """Exit code 2, every missing option at once, and nothing is made."""
    code, said = init(tmp_path / "home", "--provider", "gpttranslator:fr", "--provider", "azure:de")

    assert code == 2
    for option in ("--root", "--state", "--key gpttranslator=", "--source gpttranslator=", "--address azure=", "--yes"):
        assert option in said
    assert not (tmp_path / "home").exists()


def test_defaults_do_not_guess_what_only_a_person_knows(tmp_path: Path) -> None:
    """`--yes` chooses folders and the key's place, but neither the originals' language nor an address."""
    code, said = init(tmp_path / "home", "--yes", "--provider", "gpttranslator:fr", "--provider", "azure:de")

    missing = [line.split("=")[0].strip() for line in said.splitlines() if line.startswith("  --")]

    assert (code, missing) == (2, ["--source gpttranslator", "--address azure"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--provider", "gpttranslater:fr"), "gpttranslator"),
        (("--provider", "voicecheap:fra"), "Nearest: fr"),
        (("--provider", "voicecheap:fr,FR"), "twice"),
        (("--provider", "voicecheap"), "voicecheap:fr,es"),
        (("--provider", "voicecheap:fr", "--key", "voicecheap=sk-123456"), "never the key itself"),
        (("--provider", "voicecheap:fr", "--key", "azure=env:KEY"), "no --provider"),
        (("--provider", "voicecheap:fr", "--address", "voicecheap=http://example.org"), "https"),
        (("--language", "fr"), "en or de"),
    ],
)
def test_a_wrong_answer_is_refused_with_what_was_expected(tmp_path: Path, wrong: Sequence[str], words: str) -> None:
    """Nothing is made, and a key that was typed in the wrong place is not repeated."""
    code, said = init(tmp_path / "home", "--yes", *wrong)

    assert code == 2
    assert words in " ".join(said.replace("│", " ").split())
    assert "sk-123456" not in said
    assert not (tmp_path / "home").exists()


def test_an_unknown_group_comes_with_the_command_that_makes_it(tmp_path: Path) -> None:
    """What only root may do is said, not done."""
    home = tmp_path / "home"

    code, said = init(home, *options(home), "--group", "no-such-group")

    assert code == 2
    assert "groupadd no-such-group" in said
    assert names(home) == {"key"}


def test_a_finished_set_up_is_left_as_it_is_and_completed(tmp_path: Path) -> None:
    """The configuration is never overwritten; folders and notes that are missing come back, and all that is said."""
    home = tmp_path / "home"
    init(home, *options(home))
    path = home / "config.yaml"
    path.write_text(path.read_text().replace('[fr, "no"]', "[fr, de]"))
    note = home / "share/inbox/gpttranslator/fr" / notes.NAME
    note.write_text("ours")
    before = path.read_bytes()

    code, said = init(home, "--root", "/elsewhere")

    assert code == 0, said
    assert path.read_bytes() == before
    assert note.read_text() == "ours"
    assert (home / "share/inbox/gpttranslator/de" / notes.NAME).is_file()
    assert f"there  {path}" in said
    assert f"made   {home}/share/inbox/gpttranslator/de/\n" in said
    assert f"there  {home}/share/inbox/gpttranslator/fr/\n" in said


def test_beside_a_running_daemon_only_what_is_not_its_own_is_done(tmp_path: Path) -> None:
    """Its lock and journal stay its own; a folder that it has not made yet is told, with what makes it."""
    home = tmp_path / "home"
    init(home, *options(home))
    path = home / "config.yaml"
    path.write_text(path.read_text().replace('[fr, "no"]', "[fr, de]"))
    lock = kernel.lock(os.fspath(home / "state/lock"))
    assert lock is not None
    try:
        code, said = init(home)
    finally:
        disk.close(lock)

    assert code == 0, said
    assert f"later  {home}/share/inbox/gpttranslator/de/" in said
    assert not (home / "share/inbox/gpttranslator/de").exists()


def test_a_root_of_another_state_is_refused_and_no_configuration_left(tmp_path: Path) -> None:
    """Two daemons would work on one share."""
    first, second = tmp_path / "first", tmp_path / "second"
    init(first, *options(first))

    code, said = init(second, *options(second), "--root", first / "share")

    assert code == 2
    assert "belongs to another state" in said
    assert not (second / "config.yaml").exists()


def test_a_key_that_is_not_there_yet_is_asked_for_at_the_end(tmp_path: Path) -> None:
    """The set-up is made all the same, and the command that puts the key into its place is shown."""
    code, said = init(tmp_path / "home", "--yes", "--provider", "voicecheap:es", "--key", "voicecheap=credential:vc")

    assert code == 0, said
    assert f"/dev/stdin {tmp_path}/home/credentials/vc" in said
    assert "credential: vc" in (tmp_path / "home/config.yaml").read_text()


# -- questions --------------------------------------------------------------------------------------------------


class Terminal:
    """`babeldrop` on a terminal, and somebody who reads before typing."""

    def __init__(self, *arguments: str) -> None:
        self.said = ""
        self._terminal, theirs = pty.openpty()
        command = [sys.executable, "-m", "daemon", *arguments]
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)

    def answer(self, prompt: str, typed: str) -> None:
        """Read until the prompt stands there, then type."""
        start = len(self.said)
        while prompt not in self.said[start:]:
            assert self._read(), self.said
        os.write(self._terminal, f"{typed}\n".encode())

    def end(self) -> int:
        """Read to the end, and the exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return self._process.wait(60.0)

    def _read(self) -> bool:
        """Something more; the bound is for a hung test."""
        assert select.select([self._terminal], [], [], 60.0)[0], self.said
        try:
            block = os.read(self._terminal, 4096)
        except OSError:
            # The other side is gone.
            return False
        self.said += block.decode(errors="replace")
        return bool(block)


def test_the_questions_lead_to_a_configuration_that_loads(tmp_path: Path) -> None:
    """Only what the service needs is asked; a wrong answer is explained and asked again; the key is never shown."""
    home = tmp_path / "home"
    terminal = Terminal("init", str(home), "--user", getpass.getuser())

    for prompt, typed in [
        ("The folder that people see", ""),
        ("own records", ""),
        ("Which of them", "deepl"),
        ("Which of them", "gpttranslator"),
        ("language of the originals [en]: ", "en"),
        ("Languages to translate into", "fra"),
        ("Languages to translate into", "fr, es"),
        ("setting model", ""),
        ("Where the key is kept [file]: ", ""),
        # With its last space: then the terminal shows nothing any more.
        ("(not shown; Enter: later): ", KEY),
        ("Share group", "-"),
        ("Language of notes", "de"),
        ("make the folders?", "y"),
    ]:
        terminal.answer(prompt, typed)
    code = terminal.end()

    assert code == 0, terminal.said
    assert KEY not in terminal.said
    assert "Nearest: fr" in terminal.said
    entry = config.load(home / "config.yaml").providers["gpttranslator"]
    assert (entry.languages, entry.source_language, entry.api_key.read()) == (["fr", "es"], "en", KEY)
    assert mode(home / "gpttranslator.key") == 0o600
    note = (home / "share/inbox/gpttranslator/es" / notes.NAME).read_text("utf-8-sig")
    assert "Spanisch (es)" in note


def test_saying_no_leaves_nothing(tmp_path: Path) -> None:
    """The last question is the one that counts."""
    home = tmp_path / "home"
    arguments = ["--root", str(tmp_path / "r"), "--state", str(tmp_path / "s"), "--provider", "voicecheap:es"]
    terminal = Terminal(
        "init", str(home), *arguments, "--key", "voicecheap=env:VC", "--group", "", "--user", "root", "--language", "en"
    )
    terminal.answer("make the folders?", "n")

    assert terminal.end() == 1
    assert list(tmp_path.iterdir()) == []


# -- the parts --------------------------------------------------------------------------------------------------


def _answers(folder: Path, **more: str) -> Answers:
    entries = []
    for kind in KINDS:
        entry = reading.languages(reading.provider(f"{kind}:fr"))
        address = "https://me.example.org" if entry.needs.address else None
        entries.append(replace(entry, address=address, source="en" if entry.needs.source else None))
    return Answers(folder=folder, entries=tuple(entries), **more).with_defaults()


def test_every_kind_of_service_gets_an_entry_that_loads(tmp_path: Path) -> None:
    """What a kind needs is known from its facts, so a new one is asked for in the right way, too."""
    path = tmp_path / "config.yaml"
    answers = _answers(tmp_path, root=str(tmp_path / "a share"), state=str(tmp_path / "no"))
    path.write_text(render(answers))

    loaded = config.load(path, keys=False)

    assert set(loaded.providers) == set(KINDS)
    assert loaded.root == tmp_path / "a share"
    assert answers.missing() == []


def test_the_unit_has_the_paths_the_keys_and_the_group() -> None:
    """Everything else in it is the unit that comes with the program, with its reasons."""
    text = unit.render(_answers(SYSTEM, group="office"), "babeldrop")
    lines = text.splitlines()

    assert f"ExecStart={' '.join(unit.program())} run -c /etc/babeldrop/config.yaml" in lines
    assert "StateDirectory=babeldrop" in lines
    assert "ReadWritePaths=-/srv/translate" in lines
    credentials = [line.partition("=")[2] for line in lines if line.startswith("LoadCredential=")]
    assert credentials == [f"{kind}:/etc/babeldrop/credentials/{kind}" for kind in KINDS]
    kept = [line for line in unit.template().splitlines() if "=" in line and not line.startswith("#")]
    fitted = (
        "ExecStart",
        "LoadCredential",
        "User",
        "Group",
        "ReadWritePaths",
        "PrivateTmp",
        "ProtectHome",
    )
    assert [line for line in kept if not line.startswith(fitted) and line not in lines] == []


def test_the_unit_writes_strange_paths_as_systemd_reads_them() -> None:
    """A percent sign begins a specifier there, and a blank ends a word."""
    answers = _answers(Path("/etc/babel drop"), root="/srv/100% ours", state="/data/b")

    lines = unit.render(answers, "staff").splitlines()

    assert 'ReadWritePaths="-/srv/100%% ours" /data/b' in lines
    assert not any(line.startswith("StateDirectory") for line in lines)
    assert [line for line in lines if line.startswith("ExecStart=") and '"/etc/babel drop/config.yaml"' in line]


def test_a_folder_of_somebodys_home_is_not_hidden_by_the_unit() -> None:
    """The sandbox would show the daemon an empty folder; what is relaxed says why."""
    text = unit.render(_answers(SYSTEM, root="/home/ana/share", state="/var/lib/babeldrop"), "ana")

    assert "\n# Relaxed: a folder of home directories holds what the daemon needs.\nProtectHome=read-only\n" in text
    assert "ProtectHome=tmpfs" not in text
    assert "ReadWritePaths=-/home/ana/share" in text


def test_what_goes_from_the_unit_takes_its_words_with_it() -> None:
    """No sentence about credentials, a state folder or a closed home stands where there is none."""
    entry = replace(reading.languages(reading.provider("voicecheap:fr")), key=reading.key("env:KEY"))
    answers = Answers(folder=SYSTEM, entries=(entry,), root="/home/ana/share", state="/data/b").with_defaults()
    text = unit.render(answers, "ana")

    assert not any(word in text for word in ("Credential", "StateDirectory", "`state:`", "ProtectHome=tmpfs"))
    assert "EnvironmentFile=-/etc/babeldrop/environment" in text
    assert "Credentials are read by systemd" in unit.render(_answers(SYSTEM), "babeldrop")


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_note_says_where_things_are(language: str) -> None:
    """In the language of the office, with the folders of this inbox."""
    text = notes.note(language, provider="azure", folder="pt-BR", title="Azure", extensions={"pdf"}, page=True).decode()

    assert all(
        one in text for one in ("outbox/azure/pt-BR", "failed/azure/pt-BR", "pdf", ".cancel", "STOP", "STATUS.html")
    )
    assert "{" not in text
