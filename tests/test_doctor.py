"""`doctor`: really tries, says what to do, and tells by its exit code where the trouble is."""

import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from daemon import config, disk, kernel
from daemon.cli import app
from daemon.clock import SystemClock
from daemon.doctor import machine, services
from daemon.doctor.examination import examine
from daemon.doctor.findings import Area, Finding, Level, Notebook, exit_code
from daemon.doctor.trials import PREFIX
from daemon.sandbox.child import Running, start
from tests.e2e.site import Site, wait_for

NOBODY = 65534


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("services"), pace=(0.1, 0.3)) as running:
        yield running


@pytest.fixture(autouse=True)
def lease_signal() -> Iterator[None]:
    """As the command itself does it."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.fixture
def home(sandbox: Running) -> Iterator[Path]:
    """A finished set-up, where other users can come to it."""
    folder = Path(tempfile.mkdtemp(prefix="doctor-"))
    folder.chmod(0o755)
    set_up(folder / "site", sandbox.base_url("gpttranslator"))
    yield folder / "site"
    shutil.rmtree(folder)


def set_up(folder: Path, address: str, key: str = "sandbox-key-of-the-doctor") -> None:
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(key)
    (folder / "key").chmod(0o600)
    arguments = ["--yes", "--provider", "gpttranslator:fr,de", "--source", "gpttranslator=en"]
    arguments += ["--address", f"gpttranslator={address}", "--key", f"gpttranslator=file:{folder / 'key'}"]
    done = CliRunner().invoke(app, ["init", str(folder), *arguments])
    assert done.exit_code == 0, done.output


def look(home: Path) -> dict[str, Finding]:
    """By subject, what was found."""
    return {one.subject: one for one in examine(home / "config.yaml", SystemClock())}


def code(found: dict[str, Finding]) -> int:
    return exit_code(found.values())


def files(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*")}


def test_a_good_set_up_has_no_problem_and_is_left_as_it_was(home: Path) -> None:
    """Every folder was tried, the service has taken the key, and nothing of the trying is left."""
    before = files(home)

    found = look(home)

    assert [one for one in found.values() if one.level is Level.PROBLEM] == []
    assert code(found) == 0
    for folder in ("inbox/gpttranslator/fr", "inbox/gpttranslator/de"):
        assert (found[folder].level, found[folder].facts["event"]) == (Level.GOOD, True)
    for subject in ("processing", "outbox", "failed", "archive", "marker", "state", "clock", "gpttranslator"):
        assert found[subject].level is Level.GOOD, found[subject]
    assert found["root"].facts["detector"]["events"] == "inotify"
    assert files(home) == before


def test_who_may_not_watch_the_writers_of_others_is_told_what_that_means(home: Path) -> None:
    """Without CAP_LEASE only time tells whether somebody else still writes; a longer rest that was chosen is fine."""
    for path in [home, *home.rglob("*")] if os.geteuid() == 0 else []:
        os.chown(path, NOBODY, NOBODY)
    found = look(home)["read leases"]
    text = (home / "config.yaml").read_text()
    (home / "config.yaml").write_text(text + "\nwatch: {settle: 30s}\n")
    chosen = look(home)["read leases"]

    assert (found.level, "watch.settle" in found.do, "5 s of rest" in found.what) == (Level.WARNING, True, True)
    assert (chosen.level, "30 s of rest" in chosen.what) == (Level.GOOD, True)


def test_a_folder_that_is_not_there_is_a_warning(home: Path) -> None:
    """The daemon makes it at its next start, so nothing is broken."""
    (home / "share/inbox/gpttranslator/de/_README.txt").unlink()
    (home / "share/inbox/gpttranslator/de").rmdir()

    found = look(home)

    assert found["inbox/gpttranslator/de"].level is Level.WARNING
    assert "next start" in found["inbox/gpttranslator/de"].do
    assert code(found) == 0


def test_a_folder_that_the_daemon_may_not_write_to_is_told_with_owner_and_remedy(home: Path) -> None:
    """Tried with the rights of the user that owns the state, also when root asks."""
    if os.geteuid() == 0:
        for path in [home, *home.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
    (home / "share/outbox").chmod(0o555)

    found = look(home)

    assert found["outbox"].level is Level.PROBLEM
    assert "cannot create" in found["outbox"].what
    assert "mode 0555" in found["outbox"].what
    assert found["outbox"].do
    assert found["inbox/gpttranslator/fr"].level is Level.GOOD
    assert code(found) == Area.FOLDERS
    (home / "share/outbox").chmod(0o755)


def test_an_inbox_on_another_file_system_is_told_before_the_first_claim_fails(home: Path) -> None:
    """A claim is a rename, and that ends at the border of a file system; a link out of the root is none either."""
    inbox = home / "share/inbox/gpttranslator/fr"
    shutil.rmtree(inbox)
    inbox.symlink_to(home)

    found = look(home)

    assert found["inbox/gpttranslator/fr"].level is Level.PROBLEM
    assert "link" in found["inbox/gpttranslator/fr"].what
    assert code(found) == Area.FOLDERS


def test_what_people_may_do_follows_from_the_modes(home: Path) -> None:
    """Whoever is in the group drops and takes; an inbox that is closed to the group is told."""
    group = next(subject for subject in look(home) if subject.startswith("members of the group"))
    good = look(home)[group]
    (home / "share/inbox/gpttranslator/fr").chmod(0o2755)
    closed = look(home)[group]
    (home / "share/processing").chmod(0o755)
    open_to_all = look(home)["everybody else"]

    assert good.facts == {"drop": True, "take_results": True, "retry": True, "look_into_processing": False}
    assert (good.level, closed.level) == (Level.GOOD, Level.WARNING)
    assert not closed.facts["drop"]
    assert open_to_all.level is Level.WARNING
    assert "processing" in open_to_all.what


def test_a_wrong_key_is_a_matter_of_the_account(home: Path) -> None:
    """The service was reached and refused: renew the key; everything else is looked at as well."""
    (home / "key").write_text("not-a-good-key")

    found = look(home)

    assert found["gpttranslator"].level is Level.PROBLEM
    assert "does not accept the key" in found["gpttranslator"].what
    assert str(home / "key") in found["gpttranslator"].do
    assert code(found) == Area.ACCOUNT
    assert "not-a-good-key" not in str(found)


def test_a_key_that_is_not_there_is_a_matter_of_the_account(home: Path) -> None:
    """The configuration itself is right, and is said to be."""
    (home / "key").unlink()

    found = look(home)

    assert "there is no key" in found["gpttranslator"].what
    assert found["file"].level is Level.GOOD
    assert code(found) == Area.ACCOUNT


def test_a_credential_is_found_where_the_unit_takes_it_from(home: Path) -> None:
    """Outside of the service nobody hands it over; `init` has said in which folder it waits."""
    path = home / "config.yaml"
    path.write_text(re.sub(r"api_key: .*", "api_key: {credential: gpt}", path.read_text()))
    without = look(home)
    (home / "credentials").mkdir(mode=0o700)
    (home / "credentials/gpt").write_text("sandbox-key-of-the-doctor")
    with_it = look(home)

    assert "CREDENTIALS_DIRECTORY" in without["gpttranslator"].do
    assert code(without) == Area.ACCOUNT
    assert with_it["gpttranslator"].level is Level.GOOD
    assert "CREDENTIALS_DIRECTORY" not in os.environ


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_key_that_only_root_can_read_is_told(home: Path) -> None:
    """It works for root, who asks, and would not for the daemon."""
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    os.chown(home / "key", 0, 0)

    found = look(home)

    assert "daemon's user cannot read the key" in found["gpttranslator"].what
    assert code(found) == Area.ACCOUNT


def test_a_service_that_does_not_answer_has_its_own_exit_code(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was tried, why it failed, and that a proxy of the environment is not used."""
    path = home / "config.yaml"
    path.write_text(re.sub(r"base_url: .*", "base_url: http://127.0.0.1:1", path.read_text()))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")

    found = look(home)

    assert "nothing listens at its address" in found["gpttranslator"].what
    assert "HTTPS_PROXY is set" in found["gpttranslator"].do
    assert code(found) == Area.SERVICE


def test_a_service_in_trouble_is_no_matter_of_the_key(home: Path, sandbox: Running) -> None:
    """A 503 says nothing about the account."""
    sandbox.outage("gpttranslator", 503)
    try:
        found = look(home)
    finally:
        sandbox.end_outages()

    assert "HTTP 503" in found["gpttranslator"].what
    assert code(found) == Area.SERVICE


def test_mistakes_in_the_configuration_come_first(home: Path) -> None:
    """Each with its line; nothing else is tried on the grounds of a file that cannot be read."""
    path = home / "config.yaml"
    path.write_text(path.read_text().replace("originals: archive", "originals: keep"))

    found = examine(path, SystemClock())

    assert [one.level for one in found] == [Level.PROBLEM]
    assert "originals" in found[0].what
    assert exit_code(found) == Area.CONFIGURATION


def test_a_share_that_is_away_is_told_by_its_missing_marker(home: Path) -> None:
    """The empty mount point looks like a folder, and is none of ours."""
    (home / "share/.babeldrop").unlink()

    found = look(home)

    assert "the share is away" in found["marker"].what
    assert found["root"].facts["detector"] is None
    assert code(found) == Area.FOLDERS


def test_a_root_that_is_not_there_does_not_hide_the_rest(home: Path) -> None:
    """State and services are looked at all the same."""
    shutil.rmtree(home / "share")

    found = look(home)

    assert "is not there" in found["root"].what
    assert found["gpttranslator"].level is Level.GOOD
    assert found["state"].level is Level.GOOD
    assert code(found) == Area.FOLDERS


def test_it_works_beside_a_running_daemon_and_takes_nothing_from_it(home: Path) -> None:
    """The lock is the daemon's, and the journal is as it was."""
    journal = home / "state/journal.jsonl"
    before = journal.read_bytes()
    lock = kernel.lock(os.fspath(home / "state/lock"))
    assert lock is not None
    try:
        found = look(home)
    finally:
        disk.close(lock)

    assert found["process"].facts == {"running": True}
    assert code(found) == 0
    assert journal.read_bytes() == before


def test_what_a_killed_doctor_has_left_is_removed_by_the_next(home: Path) -> None:
    """Its own hidden files only, and only when nobody can still be at it."""
    inbox = home / "share/inbox/gpttranslator/fr"
    old, new, foreign = inbox / f"{PREFIX}old", inbox / f"{PREFIX}new", inbox / ".hidden"
    for path in (old, new, foreign):
        path.touch()
    os.utime(old, (1, 1))

    look(home)

    assert (old.exists(), new.exists(), foreign.exists()) == (False, True, True)


def test_a_state_in_memory_is_fine(sandbox: Running) -> None:
    """As far as locks and renames go it is a local disk."""
    if kernel.file_system("/dev/shm") != "tmpfs":
        pytest.skip("no tmpfs at /dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir="/dev/shm"))
    try:
        set_up(folder / "site", sandbox.base_url("gpttranslator"))

        found = look(folder / "site")
    finally:
        shutil.rmtree(folder)

    assert found["state"].facts["file_system"] == "tmpfs"
    assert found["state"].level is Level.GOOD


def test_limits_that_cannot_be_seen_are_no_trouble(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandboxed service sees no /proc/sys."""
    monkeypatch.setattr(machine, "_LIMITS", os.fspath(home / "nowhere"))

    found = look(home)["event limits"]

    assert found.level is Level.GOOD
    assert found.facts["max_user_watches"] is None


def test_limits_that_do_not_suffice_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder of the inboxes needs a watch; the search finds what has none."""
    (home / "limits").mkdir()
    (home / "limits/max_user_watches").write_text("3\n")
    monkeypatch.setattr(machine, "_LIMITS", os.fspath(home / "limits"))

    found = look(home)["event limits"]

    assert (found.level, found.facts["needed_watches"]) == (Level.WARNING, 4)
    assert "max_user_watches" in found.do


def test_an_account_that_cannot_be_asked_now_is_a_warning(home: Path, sandbox: Running) -> None:
    """Too many requests says nothing about key and service."""
    sandbox.outage("gpttranslator", 429)
    try:
        found = look(home)
    finally:
        sandbox.end_outages()

    assert found["gpttranslator"].level is Level.WARNING
    assert code(found) == 0


def test_a_listed_language_that_the_service_does_not_list_is_a_warning(home: Path) -> None:
    """It is passed on as the administrator wishes, and worth a look."""
    path = home / "config.yaml"
    path.write_text(path.read_text().replace("[fr, de]", "[fr, klingon]"))

    [found] = [one for one in examine(path, SystemClock()) if one.subject == "gpttranslator languages"]

    assert found.level is Level.WARNING
    assert found.facts["doubtful"] == ["klingon"]


def test_a_folder_whose_files_would_all_fail_is_a_problem(home: Path) -> None:
    """The language of the originals is no target, whatever the list of folders says."""
    path = home / "config.yaml"
    path.write_text(path.read_text().replace("source_language: en", "source_language: de"))

    [found] = [one for one in examine(path, SystemClock()) if one.subject == "gpttranslator languages"]

    assert found.level is Level.PROBLEM
    assert "every file in de would fail" in found.what
    assert "source_language" in found.do


def test_nothing_is_spent(home: Path, sandbox: Running) -> None:
    """The services see no submission."""
    before = len(sandbox.ledger())

    services.try_services(config.load(home / "config.yaml"), SystemClock())

    assert len(sandbox.ledger()) == before


def test_the_exit_code_is_of_what_has_to_be_mended_first() -> None:
    """Warnings do not count; a folder comes before an account, and an account before a service."""
    folders, accounts, away = (Notebook(area, "x") for area in (Area.FOLDERS, Area.ACCOUNT, Area.SERVICE))
    folders.warning("a", "b", "c")
    away.problem("a", "b", "c")

    assert exit_code([*folders.findings]) == 0
    assert exit_code([*folders.findings, *away.findings]) == 5
    accounts.problem("a", "b", "c")
    assert exit_code([*away.findings, *accounts.findings, *folders.findings]) == 4


# -- the command ------------------------------------------------------------------------------------------------


def _printed(home: Path, sandbox: Running, *arguments: str) -> tuple[int, str, str]:
    (home / "other").mkdir()
    done = Site(home / "other", sandbox).command("doctor", "-c", str(home / "config.yaml"), *arguments)
    return done.returncode, done.stdout, done.stderr


def test_json_is_one_object_with_stable_keys(home: Path, sandbox: Running) -> None:
    """What the module documents, and nothing on standard error."""
    returned, out, err = _printed(home, sandbox, "--json")
    told: dict[str, Any] = json.loads(out)

    assert (returned, err) == (0, "")
    assert set(told) == {"schema", "config", "at", "exit_code", "good", "warnings", "problems", "findings"}
    assert (told["schema"], told["exit_code"], told["problems"]) == (1, 0, 0)
    for one in told["findings"]:
        assert set(one) == {"level", "area", "section", "subject", "what", "do", "facts"}
        assert one["level"] in ("good", "warning", "problem")
        assert one["area"] in ("configuration", "folders", "account", "service")
        assert (one["do"] is None) == (one["level"] == "good")


def test_in_a_pipe_each_finding_is_a_line(home: Path, sandbox: Running) -> None:
    """Its level in front, what to do behind an arrow, and the sum at the end."""
    (home / "key").write_text("not-a-good-key")

    returned, out, err = _printed(home, sandbox)
    *lines, last = out.splitlines()

    assert (returned, err) == (4, "")
    assert all(line.startswith(("good: ", "warning: ", "problem: ")) for line in lines)
    assert [line for line in lines if line.startswith("problem: gpttranslator:") and " -> " in line]
    assert last.startswith("1 problem")


def test_a_daemon_at_work_does_not_notice_it(tmp_path: Path, sandbox: Running) -> None:
    """What is tried is hidden from it: no drop, no warning, nothing in its way."""
    site = Site(tmp_path, sandbox)
    with site.daemon() as running:
        running.started()
        wait_for((site.root / "inbox/gpttranslator/fr").is_dir, "the folders")
        done = site.command("doctor", "-c", str(site.config), "--json")
        told = json.loads(done.stdout)

        assert done.returncode == 0, done.stdout
        assert [one["facts"]["running"] for one in told["findings"] if one["subject"] == "process"] == [True]
        assert running.stop() == 0
        quiet = ("daemon.root", "config.warning")
        assert [line for line in running.lines() if line["level"] != "info" and line["event"] not in quiet] == []
    assert site.jobs() == {}
