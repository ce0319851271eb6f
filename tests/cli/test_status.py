"""What `status` says: alive or not, what waits and why, and never something stale as if it were now."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from daemon import kernel
from daemon.cli import reading, standing
from daemon.cli.board import render
from daemon.cli.status import status
from daemon.errors import RejectedError, StateError
from tests.cli.home import NOON, Home, account, printed


def report(home: Home) -> dict[str, Any]:
    scene = home.look()
    ended = reading.ended_since(scene.state, standing.midnight(scene.now), scene.now)
    return standing.report(scene, {**ended, **reading.jobs(scene.state)}.values())


def lines(home: Home, width: int = 500) -> list[str]:
    return printed(render(report(home)), width)


def row(found: list[str], provider: str) -> list[str]:
    """The cells of a provider's row in the table."""
    return next(line for line in found if line.startswith(provider)).split()[1:]


# -- alive or not -------------------------------------------------------------------------------------------


def test_a_running_daemon_is_told_by_its_lock(home: Home) -> None:
    """Process, start and age in the first line."""
    with home.running():
        found = lines(home)

    assert found[0] == "babeldrop is running (pid 4711), started today at 08:12, 3 h 48 min ago."


def test_what_a_former_process_has_told_is_never_shown_as_live(home: Home) -> None:
    """The old status stays behind after a kill; only the journal and its time are used."""
    with home.running(resting=[{"path": "inbox/gpttranslator/fr/a.txt", "since": home.at(0), "why": "open"}]):
        pass
    home.clock.advance(7500)

    found = lines(home)
    told = report(home)

    assert found[0] == (
        "babeldrop is not running. It was last heard of today at 12:00, 2 h 5 min ago; what follows is what its "
        "journal says, and it goes on from there when it is started."
    )
    assert not any("Resting" in line for line in found)
    assert (told["running"], told["pid"], told["share"], told["resting"]) == (False, None, None, None)
    assert told["providers"][0]["account"] is None


def test_a_process_that_has_not_told_yet_does_not_inherit_what_the_last_one_told(home: Home) -> None:
    """Between its lock and its first status, a status file is of somebody else."""
    with home.running():
        pass
    path = home.state / "status.json"
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
    lock = kernel.lock(os.fspath(home.state / "lock"))
    assert lock is not None

    found = lines(home)

    os.close(lock)
    assert found[0] == "babeldrop has just been started and has not told yet how it stands; look again in a second."


def test_a_state_that_never_saw_a_daemon_says_so(tmp_path: Path) -> None:
    """A configuration is enough: no state, no journal, no lock, and none is made."""
    home = Home(tmp_path)
    home.book.close()
    for name in os.listdir(home.state):
        (home.state / name).unlink()
    home.state.rmdir()

    found = lines(home)

    assert found[0] == "babeldrop is not running, and has not run with this configuration yet."
    assert not home.state.exists()


def test_asking_for_the_lock_neither_takes_nor_makes_it(home: Home) -> None:
    """A daemon can start while others look, and looking leaves nothing behind."""
    path = os.fspath(home.state / "lock")

    before = kernel.is_locked(path)
    made = os.path.exists(path)
    lock = kernel.lock(path)
    assert lock is not None
    held = [kernel.is_locked(path) for _ in range(3)]
    os.close(lock)
    after = kernel.is_locked(path)
    again = kernel.lock(path)
    assert again is not None
    os.close(again)

    assert (before, made, held, after) == (False, False, [True] * 3, False)


# -- the share and the accounts -----------------------------------------------------------------------------


def test_a_share_that_is_away_is_told_first(home: Home) -> None:
    """Why, and since when as far as it is told."""
    share = {"there": False, "why": "/srv/translate has no marker of ours (.babeldrop)", "since": home.at(-720)}
    with home.running(share=share):
        found = lines(home)

    assert found[1] == (
        "The share has been away since today at 11:48 (12 min): /srv/translate has no marker of ours (.babeldrop). "
        f"Nothing is touched until {home.root} is back."
    )


def test_a_closed_account_says_why_since_when_and_when_it_is_tried_again(home: Home) -> None:
    """One sentence under the provider's name; the provider that works has none."""
    closed = account("voicecheap", door="closed", reason="account.key", since=home.at(-720), next_try=home.at(180.5))
    with home.running(accounts=[account("gpttranslator"), closed]):
        found = lines(home)

    at = found.index("voicecheap")
    assert found[at + 1] == (
        "  No file is submitted since today at 11:48 (12 min): VoiceCheap does not accept the key. "
        "The administrator has to renew the key; files wait. Tried again in 3 min."
    )
    assert "gpttranslator" not in found


def test_a_half_open_account_and_a_pause_are_told(home: Home) -> None:
    """The trial has no time, the pause has an end."""
    trial = account(
        "voicecheap",
        door="trial",
        reason="service.unreachable",
        since=home.at(-30),
        paused_until=home.at(20),
    )
    with home.running(accounts=[account("gpttranslator", paused_until=home.at(-1)), trial]):
        found = lines(home)

    at = found.index("voicecheap")
    assert found[at + 1 : at + 3] == [
        "  No file is submitted since today at 11:59 (30 s): VoiceCheap cannot be reached. The next file goes alone, as a trial.",  # noqa: E501  one line of output
        "  Nothing is sent for 20 s, as the service asked.",
    ]
    assert "gpttranslator" not in found


# -- jobs ---------------------------------------------------------------------------------------------------


def test_the_table_counts_jobs_by_where_they_are(home: Home) -> None:
    """Waiting, submitting, in flight, ready, and what ended today, for each provider."""
    home.claim("waits.txt")
    home.submit(home.claim("goes.txt"))
    home.send(home.claim("flies.txt"), "1")
    banked = home.claim("banked.txt")
    home.send(banked, "2")
    home.bank(banked, "banked.txt")
    done = home.claim("done.txt")
    home.send(done, "3")
    home.bank(done, "done.txt")
    home.deliver(done, "done.txt")
    bad = home.claim("bad.txt", "voicecheap", "es")
    home.fail(bad, RejectedError("provider.failed"))

    found = lines(home)

    header = "provider       waiting  submitting  in flight  ready  delivered today  failed today"
    assert header in found
    assert row(found, "gpttranslator") == ["1", "1", "1", "1", "1", "0"]
    assert row(found, "voicecheap") == ["0", "0", "0", "0", "0", "1"]


def test_yesterday_is_not_today(home: Home) -> None:
    """What ended before the reader's midnight is counted no more."""
    done = home.claim("done.txt")
    home.send(done, "3")
    home.bank(done, "done.txt")
    home.deliver(done, "done.txt")
    home.fail(home.claim("bad.txt"), RejectedError("provider.failed"))
    home.clock.advance(12 * 3600)

    found = lines(home)

    assert row(found, "gpttranslator")[4:] == ["0", "0"]


def test_what_ended_today_counts_wherever_its_records_are(home: Home) -> None:
    """A compaction moves ended jobs out of the journal; they have been delivered all the same."""
    for name in ("one.txt", "two.txt"):
        job = home.claim(name)
        home.send(job, name)
        home.bank(job, name)
        home.deliver(job, name)
    moved = home.book.compact()
    job = home.claim("three.txt")
    home.send(job, "3")
    home.bank(job, "three.txt")
    home.deliver(job, "three.txt")

    found = lines(home)

    assert moved == 2
    assert row(found, "gpttranslator")[4] == "3"


def test_jobs_that_wait_for_the_same_reason_are_told_together(home: Home) -> None:
    """How many, the longest of them and its age, the reason in words, the next try."""
    first = home.claim("report.docx")
    home.clock.advance(600)
    second = home.claim("sub/letter.docx")
    waiting = [
        {"job": first, "why": "service.unreachable", "until": home.at(45)},
        {"job": second, "why": "service.unreachable", "until": home.at(20)},
    ]
    with home.running(waiting=waiting, waiting_total=2):
        found = lines(home)

    assert (
        "  2 files wait (the longest is fr/report.docx, dropped 10 min ago): GPTTranslator cannot be reached. "
        "Tried again in 20 s."
    ) in found


def test_parts_that_wait_count_as_their_job(home: Home) -> None:
    """A job in flight of which nothing can be heard is told as one file, by the latest of its moments."""
    job = home.claim("book.docx")
    home.submit(job, of=2)
    home.accept(job, "1")
    waiting = [
        {"job": f"{job}.0", "why": "service.error", "until": home.at(5)},
        {"job": f"{job}.1", "why": "result.cut: its end is missing", "until": home.at(40)},
    ]
    with home.running(waiting=waiting, waiting_total=2):
        found = lines(home)

    assert (
        "  1 file waits (fr/book.docx, dropped 1 s ago): The result did not arrive whole: its end is missing. "
        "Tried again in 40 s."
    ) in found


def test_files_whose_turn_has_not_come_wait_without_a_reason(home: Home) -> None:
    """With as many jobs under way as allowed, the others simply stand in line."""
    home.claim("one.txt")
    home.clock.advance(59)
    home.claim("two.txt")
    with home.running():
        alive = lines(home)
    dead = lines(home)

    assert "  2 files wait for their turn (the longest is fr/one.txt, dropped 1 min ago)." in alive
    assert "  2 files wait (the longest is fr/one.txt, dropped 1 min ago)." in dead


def test_a_provider_that_left_the_configuration_keeps_its_row(home: Home) -> None:
    """Its jobs are not forgotten, and it is said what they wait for."""
    home.send(home.claim("old.txt", "azure", "it"), "1")

    found = lines(home)

    assert row(found, "azure") == ["0", "0", "1", "0", "0", "0"]
    assert "  It is not in the configuration any more; its jobs wait until it is." in found


# -- the inboxes --------------------------------------------------------------------------------------------


def test_files_that_rest_and_files_left_alone_are_listed_with_their_reasons(home: Home) -> None:
    """Each with its path, its age and a sentence."""
    resting = [
        {"path": "inbox/gpttranslator/fr/big.pdf", "since": home.at(-8), "why": "open"},
        {"path": "inbox/gpttranslator/fr/new.pdf", "since": home.at(0), "why": ""},
    ]
    ignored = [{"path": "inbox/readme.txt", "why": "not in a language folder: inbox/<provider>/<lang>/"}]
    with home.running(resting=resting, resting_total=2, ignored=ignored, ignored_total=1):
        found = lines(home)

    assert found[-6:] == [
        "Resting in the inbox (2)",
        "  inbox/gpttranslator/fr/big.pdf (8 s): Still open for writing in another program.",
        "  inbox/gpttranslator/fr/new.pdf (0 s): Just noticed.",
        "",
        "Left alone in the inbox (1)",
        "  inbox/readme.txt: not in a language folder: inbox/<provider>/<lang>/",
    ]


def test_a_long_list_is_cut_and_says_so(home: Home) -> None:
    """Ten rows for people; the object has as many as the daemon told."""
    resting = [
        {"path": f"inbox/gpttranslator/fr/{number}.pdf", "since": home.at(-8), "why": "settling"}
        for number in range(25)
    ]
    with home.running(resting=resting, resting_total=700):
        found = lines(home)
        told = report(home)

    assert sum("Waiting for the file to stay unchanged." in line for line in found) == 10
    assert found[-1] == "  … and 690 more; --json lists them."
    assert len(told["resting"]) == 25


def test_a_narrow_terminal_wraps_and_keeps_every_word(home: Home) -> None:
    """Eighty columns are enough for everything."""
    job = home.claim("a file with a rather long name for a report about something.docx")
    closed = account("voicecheap", door="closed", reason="account.key", since=home.at(-720), next_try=home.at(180.5))
    with home.running(
        waiting=[{"job": job, "why": "account.window", "until": home.at(3)}],
        accounts=[account("gpttranslator"), closed],
        resting=[{"path": "inbox/gpttranslator/fr/" + "long name " * 9 + ".pdf", "since": home.at(-8), "why": "open"}],
        resting_total=1,
    ):
        found = lines(home, 80)
        wide = lines(home, 500)

    assert max(map(len, found)) <= 80
    assert sorted("".join(found).replace(" ", "")) == sorted("".join(wide).replace(" ", ""))


# -- as a program sees it -----------------------------------------------------------------------------------


def test_the_object_is_complete_without_a_daemon(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints every documented key; what only a living process knows is null."""
    home.claim("one.txt")

    status(home.config, as_json=True)

    told = json.loads(capsys.readouterr().out)
    documented = standing.__doc__ or ""
    row = told["providers"][0]
    assert all(key in documented for key in (*told, *row, *row["waits"][0], *row["oldest"], *told["ages"]))
    assert [key for key, value in told.items() if value is None] == [
        "pid",
        "started_at",
        "noted_at",
        "share",
        "stopped",
        "notify",
        "detector",
        "resting",
        "resting_total",
        "ignored",
        "ignored_total",
        "last_told",
    ]
    assert [key for key, value in row.items() if value is None] == ["next_poll", "budget", "account"]
    assert told["providers"][0]["waits"][0]["longest"]["file"] == "fr/one.txt"


def test_a_pipe_gets_plain_lines(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """No colours, nothing wrapped, the table aligned."""
    home.claim("one.txt")

    status(home.config)

    found = capsys.readouterr().out.splitlines()
    assert found[0] == "babeldrop is not running, and has not run with this configuration yet."
    assert "gpttranslator        1           0          0      0                0             0" in found


def test_a_damaged_journal_is_told_with_the_way_out(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The daemon refuses to start with it, so whoever looks for the reason finds it here."""
    home.claim("one.txt")
    home.claim("two.txt")
    path = home.state / "journal.jsonl"
    whole = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*whole[:2], whole[2][:-9] + b"x" + whole[2][-8:], *whole[3:]]))

    with pytest.raises(typer.Exit) as left:
        status(home.config)

    assert left.value.exit_code == 2
    assert capsys.readouterr().err == (
        f"{path}, line 3: the line cannot be read, and later lines say that it was durable. `babeldrop repair` shows "
        "what can be done.\n"
    )


def test_a_closed_state_says_whose_it_is(home: Home) -> None:
    """Somebody else's 0700 folder: the sentence names the user to become."""
    sentence = reading.not_yours(os.fspath(home.state))

    owner = home.state.owner()
    assert sentence == f"{home.state} can be read by its owner alone; run this as {owner}."
    assert issubclass(StateError, Exception)


def test_mistakes_in_a_provider_do_not_hide_the_state(home: Home) -> None:
    """Keys of single kinds are read by nobody here, so a wrong one does not keep anybody from looking."""
    home.config.write_text(home.config.read_text() + "    no_such_key: 1\n    kind: nothing_known\n")

    found = lines(home)

    assert row(found, "voicecheap") == ["0"] * 6


@pytest.mark.parametrize("command", ["status", "why", "retry"])
def test_reading_commands_start_without_heavy_libraries(home: Home, command: str) -> None:
    """Neither the way to the services nor scheduler nor watcher is imported."""
    arguments = {"status": [], "why": ["nothing.txt"], "retry": ["failed/gpttranslator/fr/nothing.txt"]}[command]
    script = (
        "import sys, typer\n"
        f"from daemon.cli.{command} import {command}\n"
        "app = typer.Typer(); app.command()(" + command + ")\n"
        f"try: app({[*arguments, '-c', str(home.config)]!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'httpx', 'apscheduler', 'watchdog', 'structlog', 'uvicorn'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_reader_decides_what_today_is() -> None:
    """Midnight is the local one."""
    begins = standing.midnight(NOON)

    assert begins == NOON - timedelta(hours=12)
