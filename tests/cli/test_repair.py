"""`repair`: a journal that cannot be read becomes one that can, and nobody pays twice for it."""

import json
import os
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from daemon import journal, kernel, records
from daemon.cli.repair import repair
from daemon.job import Job, State
from tests.cli.home import Home

APP = Typer()
APP.command()(repair)


def run(home: Home, *arguments: str) -> tuple[int, list[str], str]:
    home.book.close()
    done = CliRunner().invoke(APP, [*arguments, "-c", os.fspath(home.config)])
    return done.exit_code, done.stdout.splitlines(), done.stderr


def path_of(home: Home) -> Path:
    return home.state / "journal.jsonl"


def destroy(home: Home, line: int) -> bytes:
    """Make one line unreadable (the first is 1); returns the whole file."""
    lines = path_of(home).read_bytes().split(b"\n")
    lines[line - 1] = lines[line - 1][:-9] + b"?" + lines[line - 1][-8:]
    path_of(home).write_bytes(b"\n".join(lines))
    return b"\n".join(lines)


def line_of(home: Home, job: str, event: str) -> int:
    lines = path_of(home).read_bytes().split(b"\n")
    found = [records.decode(line) for line in lines]
    return next(n for n, one in enumerate(found, 1) if one and (one["job"], one["event"]) == (job, event))


def jobs(home: Home) -> dict[str, Job]:
    """What the next start would find. Raises StateError when it would refuse."""
    book, found, _ = journal.load(os.fspath(home.state), home.clock)
    book.close()
    return {job.id: job for job in found}


def test_a_sound_journal_is_left_alone(home: Home) -> None:
    """Exit code 0, with --yes as well, and not a byte is written."""
    home.claim("a.txt")
    before = path_of(home).read_bytes()

    looked = run(home)
    done = run(home, "--yes")

    assert looked == done == (0, [f"{path_of(home)} is sound: 3 lines."], "")
    assert path_of(home).read_bytes() == before


def test_an_unfinished_line_is_no_damage(home: Home) -> None:
    """The next start cuts it off by itself."""
    home.claim("a.txt")
    with path_of(home).open("ab") as file:
        file.write(b'{"seq":4,"at":"2026')

    code, out, _ = run(home)

    assert code == 0
    assert out[1] == "Its last 19 bytes were never finished; the next start cuts them off."


def test_without_yes_everything_is_told_and_nothing_is_changed(home: Home) -> None:
    """What is damaged, what can be kept, what becomes of which job; exit code 1."""
    flies, waits = home.claim("flies.docx"), home.claim("sub/waits.docx")
    home.send(flies, "12345")
    lost, safe = home.claim("lost.docx"), home.claim("safe.docx")
    data = destroy(home, line_of(home, lost, "claimed"))

    code, out, err = run(home)

    line = line_of(home, flies, "accepted") + 1
    assert (code, err) == (1, "")
    assert out == [
        f"{path_of(home)}, line {line}: the line cannot be read, and later lines say that it was durable.",
        "6 records can be kept, 1 line cannot be read.",
        "1 job can go on from the record.",
        "1 job can go on by asking the service again, which costs nothing.",
        "1 job may have been sent without a record and will fail as submit.uncertain:",
        f"  gpttranslator/fr/sub/waits.docx, job {waits}",
        "1 file in processing/ without a record will fail as well.",
        "Nothing was changed. With --yes it is done, as long as no daemon runs.",
    ]
    assert path_of(home).read_bytes() == data
    assert sorted(os.listdir(home.state)) == ["journal.jsonl"]
    assert safe


def test_with_yes_the_next_start_finds_a_journal_that_pays_nothing_twice(home: Home) -> None:
    """What was accepted flies on, what may have been sent has failed, what has no record is uncertain."""
    flies, waits = home.claim("flies.docx"), home.claim("waits.docx")
    home.send(flies, "12345")
    lost, safe = home.claim("lost.docx"), home.claim("safe.docx")
    data = destroy(home, line_of(home, lost, "claimed"))

    code, out, _ = run(home, "--yes")

    found = jobs(home)
    (aside,) = home.state.glob("journal.jsonl.damaged-*")
    assert code == 0
    assert out[-2:] == [
        f"The damaged journal is kept as {aside}.",
        "The journal is repaired; the daemon can be started.",
    ]
    assert aside.read_bytes() == data
    assert {job: one.state for job, one in found.items()} == {
        flies: State.IN_FLIGHT,
        waits: State.FAILED,
        safe: State.CLAIMED,
    }
    assert found[waits].error == {
        "code": "submit.uncertain",
        "stage": "repair",
        "retryable": True,
        "http_status": None,
        "provider_code": None,
        "provider_message": None,
        "what_happened": "Nobody can say whether “gpttranslator” has taken the file (and will bill it): the record of "
        "what was sent is damaged.",
        "what_to_do": "Look into the account at “gpttranslator”. If it is not there, move the file back into "
        "inbox/gpttranslator/fr to try again.",
        "facts": {
            "provider": "“gpttranslator”",
            "inbox": "inbox/gpttranslator/fr",
            "reason": "the record of what was sent is damaged",
            "remote_id": "?",
        },
    }


@pytest.mark.parametrize("line", [2, 3])
def test_the_repaired_journal_treats_files_without_a_record_as_taken_over(home: Home, line: int) -> None:
    """Root and state still belong together; the next start adopts nothing it does not know."""
    home.claim("a.docx")
    home.claim("b.docx")
    destroy(home, line)

    run(home, "--yes")

    book, _, torn = journal.load(os.fspath(home.state), home.clock)
    book.close()
    assert (book.identity, book.rooted, book.taking_over, torn) == (home.identity, True, True, 0)


def test_a_repaired_journal_is_sound_and_can_be_written_on(home: Home) -> None:
    """Numbers go on behind everything that was ever read; a compaction works as ever."""
    home.claim("a.docx")
    safe = home.claim("b.docx")
    destroy(home, 3)
    run(home, "--yes")

    code, out, _ = run(home)
    book, _, _ = journal.load(os.fspath(home.state), home.clock)
    book.append(safe, "failed", error={"code": "drop.gone"})
    book.append(safe, "closed")
    book.close()
    again, _, _ = journal.load(os.fspath(home.state), home.clock)
    moved = again.compact()
    again.close()

    assert (code, out) == (0, [f"{path_of(home)} is sound: 5 lines."])
    assert moved == 1
    assert run(home)[0] == 0


def test_a_delivered_job_is_not_delivered_again(home: Home) -> None:
    """Its end is lost, but its original has left processing/ and its result the spool."""
    banked, flown = home.claim("banked.docx"), home.claim("flown.docx")
    for job, name in ((banked, "banked.docx"), (flown, "flown.docx")):
        home.send(job, name)
    home.bank(banked, "banked.docx")
    home.claim("between.docx")
    between = path_of(home).read_bytes().count(b"\n")
    home.deliver(banked, "banked.docx")
    home.bank(flown, "flown.docx")
    home.deliver(flown, "flown.docx")
    home.claim("last.docx")
    whole = path_of(home).read_bytes().split(b"\n")
    path_of(home).write_bytes(b"\n".join([*whole[:between], b"?", *whole[-2:]]))

    code, out, _ = run(home, "--yes")

    found = jobs(home)
    assert code == 0
    assert "1 job must have been delivered, because the result has left the spool." in out
    assert "1 job must have ended in the lost lines, because the original has left processing/." in out
    assert (found[banked].closed_as, found[flown].closed_as) == (State.DELIVERED, State.FAILED)
    assert found[flown].keeps_what_was_paid


def test_results_that_were_paid_for_are_put_where_no_start_removes_them(home: Home) -> None:
    """A whole result in the spool whose job is lost would be cleared away as nobody's."""
    lost, kept = home.claim("lost.docx"), home.claim("kept.docx")
    home.send(kept, "1")
    home.bank(kept, "kept.docx")
    home.result(f"{lost}.result", b"paid\n")
    home.result(f"{lost}.0.part", b"a try\n")
    destroy(home, line_of(home, lost, "claimed"))

    _, out, _ = run(home, "--yes")

    (rescued,) = home.state.glob("rescued-*")
    assert f"In the spool was what no job fetches any more and somebody paid for: 1 result, now in {rescued}." in out
    assert (rescued / f"{lost}.result").read_bytes() == b"paid\n"
    assert (home.state / "spool" / f"{kept}.result").exists()


def test_a_lost_header_is_made_anew_from_the_marker(home: Home) -> None:
    """Both places hold the ids of state and root, so one of them may be lost."""
    job = home.claim("a.docx")
    home.send(job, "1")
    destroy(home, 1)

    code, _, _ = run(home, "--yes")

    assert code == 0
    assert jobs(home)[job].refs == ("1",)


def test_an_impossible_event_is_damage_as_well(home: Home) -> None:
    """Whole lines that make no sense stop the start, too."""
    job = home.claim("a.docx")
    odd = records.encode(4, "2026-11-21T12:00:00.000Z", job, "ready", {"part": 0}, 3)
    with path_of(home).open("ab") as file:
        file.write(odd)

    code, out, _ = run(home)
    done, _, _ = run(home, "--yes")

    assert (code, done) == (1, 0)
    assert out[0].startswith(f"{path_of(home)}: record 4: ")
    assert jobs(home)[job].state is State.FAILED


def test_nothing_is_repaired_while_a_daemon_runs(home: Home) -> None:
    """The lock is taken for the whole of it."""
    home.claim("a.docx")
    home.claim("b.docx")
    data = destroy(home, 3)
    with home.running():
        code, _, err = run(home, "--yes")

    assert (code, err) == (2, "A daemon is at work with this state; stop it first.\n")
    assert path_of(home).read_bytes() == data
    assert not kernel.is_locked(os.fspath(home.state / "lock"))


def test_nothing_is_decided_while_the_share_is_away(home: Home) -> None:
    """Without processing/ nobody can say what has ended."""
    home.claim("a.docx")
    home.claim("b.docx")
    data = destroy(home, 3)
    (home.root / ".babeldrop").unlink()

    looked = run(home)
    done = run(home, "--yes")

    assert looked[0] == done[0] == 2
    assert done[2] == f"{home.root} has no marker (.babeldrop): the share is away, or no daemon has been here\n"
    assert path_of(home).read_bytes() == data


def test_a_root_of_another_state_is_not_judged_by(home: Home) -> None:
    """Its processing/ says nothing about these jobs."""
    home.claim("a.docx")
    home.claim("b.docx")
    destroy(home, 3)
    (home.root / ".babeldrop").write_text(json.dumps({"babeldrop": 1, "root": "r", "state": "another"}))

    code, _, err = run(home, "--yes")

    assert (code, err) == (2, f"{home.root} belongs to another state (another)\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_files_of_the_daemon_keep_their_owner(home: Home) -> None:
    """As another user, root included, the new journal would be closed to the daemon."""
    home.claim("a.docx")
    home.claim("b.docx")
    data = destroy(home, 3)
    os.chown(home.state, 1234, -1)

    code, _, err = run(home, "--yes")

    os.chown(home.state, 0, -1)
    assert code == 2
    assert err == f"{home.state} can be read by its owner alone; run this as the daemon's user.\n"
    assert path_of(home).read_bytes() == data


def test_no_journal_and_a_file_that_is_none_are_told_apart_from_damage(home: Home) -> None:
    """There is nothing to repair in either."""
    home.book.close()
    path_of(home).write_bytes(b"no")
    nonsense = run(home)
    path_of(home).unlink()
    missing = run(home)

    assert nonsense[0] == missing[0] == 2
    assert nonsense[2] == f"{path_of(home)} has no header line: it was never a journal. Move it away to start anew.\n"
    assert missing[2] == f"{path_of(home)}: No such file or directory\n"
