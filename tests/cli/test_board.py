"""What the board says beside its table: trouble first, budgets, ages, paused folders, and all of it in any width."""

from datetime import timedelta
from typing import Any

import pytest

from daemon.cli import standing
from daemon.clock import stamp
from daemon.errors import ConfigError, RejectedError
from tests.cli.home import NOON, Home, account
from tests.cli.test_status import lines, report, row


def budget(**changes: Any) -> dict[str, Any]:
    """A row as the daemon tells it."""
    return {
        "provider": "gpttranslator",
        "unit": "credits",
        "month": "2026-11",
        "per_month": 200,
        "spent": 163.42,
        "documents": 301,
        "in_flight": 0,
        "unknown": 0,
        "state": "warning",
        "held_until": None,
        **changes,
    }


# -- what comes first ---------------------------------------------------------------------------------------


def test_a_configuration_that_is_not_taken_is_told_with_its_mistake(home: Home) -> None:
    """The daemon goes on with the older one, and whoever edited the file finds out why."""
    with home.running(config_problem="config.yaml, line 3: expected a duration"):
        found, told = lines(home), report(home)

    assert found[1] == (
        "The configuration was changed, but the daemon goes on with the one before: "
        "config.yaml, line 3: expected a duration"
    )
    assert told["config_problem"] == ["config.yaml, line 3: expected a duration"]


@pytest.mark.parametrize("mistake", ["colour: red\n", "\tno: yaml [\n"])
def test_a_daemon_is_seen_also_when_its_file_has_got_a_mistake(home: Home, mistake: str) -> None:
    """It goes on with what it has read before, and an operator needs the status exactly then."""
    home.claim("report.docx")
    with home.config.open("a") as file:
        file.write(mistake)
    with home.running():
        found, told = lines(home), report(home)

    assert found[0].startswith("babeldrop is running")
    assert found[1].startswith("The configuration was changed, but the daemon goes on with the one before: ")
    assert "`babeldrop check`" in found[1]
    assert told["root"] == str(home.root)
    assert [(row["name"], row["configured"]) for row in told["providers"]] == [
        ("gpttranslator", True),
        ("voicecheap", True),
    ]
    assert told["providers"][0]["waiting"] == 1


def test_a_status_that_could_not_be_written_is_told_with_its_age(home: Home) -> None:
    """On a full disk the file stays as it was, and what it tells is no more than what was."""
    with home.running():
        fresh = lines(home)
        home.clock.advance(200)
        old = lines(home)

    assert fresh[1] == ""
    assert old[1] == (
        "What follows is of today at 12:00, 3 min ago: the daemon could not write its status since. "
        f"See whether {home.state} has room, and the log."
    )


def test_a_mistake_is_all_there_is_to_tell_when_no_daemon_runs(home: Home) -> None:
    """Nobody knows then what the file meant."""
    home.tell()
    home.config.write_text(home.config.read_text() + "colour: red\n")

    with pytest.raises(ConfigError, match="colour: unknown key"):
        home.look()


def test_notifications_that_fail_are_told(home: Home) -> None:
    """Since when and why; nothing is said while they work."""
    with home.running(notify={"failing_since": home.at(-600), "why": "json: refused", "sent": 3, "pending": 1}):
        failing = lines(home)
    with home.running(notify={"failing_since": None, "why": None, "sent": 3, "pending": 0}):
        fine = lines(home)

    assert failing[1] == "Notifications have not been sent since today at 11:50 (10 min): json: refused"
    assert fine[1] == ""


def test_what_a_daemon_that_is_gone_said_last_is_told_as_such(home: Home) -> None:
    """Why an account was closed, that the share was away, that a budget was spent: all in the past tense."""
    closed = account("voicecheap", door="closed", reason="account.key", since=home.at(-720), next_try=home.at(180))
    spent = budget(spent=201, state="spent", held_until=home.at(9 * 86400 + 43200))
    home.tell(
        accounts=[account("gpttranslator"), closed],
        share={"there": False, "why": "no marker", "since": home.at(-60)},
        budget=[spent],
    )
    home.clock.advance(3600)

    found, told = lines(home), report(home)

    assert found[0].startswith("babeldrop is not running. It was last heard of today at 12:00, 1 h ago;")
    assert found[1:4] == [
        "When it was last heard of, the share was away: no marker.",
        (
            "When it was last heard of, nothing was submitted for voicecheap since today at 11:48 (12 min): "
            "VoiceCheap does not accept the key. The administrator has to renew the key; files wait."
        ),
        (
            "When it was last heard of, nothing was submitted for gpttranslator: Budget of 2026-11: 201 of 200 credits "
            "spent (100 %). Nothing new is submitted until 1 Dec at 00:00, or until per_month is raised."
        ),
    ]
    assert told["last_told"]["at"] == stamp(NOON)
    assert [one["account"] for one in told["providers"]] == [None, None]


def test_a_living_daemon_has_no_last_words(home: Home) -> None:
    """What it says now stands where it belongs."""
    with home.running():
        told = report(home)

    assert told["last_told"] is None


def test_a_status_of_another_version_is_read_as_far_as_it_goes(home: Home) -> None:
    """A daemon that was not restarted after an upgrade tells less, and nothing breaks."""
    home.tell()
    path = home.state / "status.json"
    path.write_text('{"at": "2026-11-21T12:00:00.000Z", "schema": 1}')

    found = lines(home)

    assert found[0].startswith("babeldrop is not running. It was last heard of today at 12:00")


# -- providers ----------------------------------------------------------------------------------------------


def test_a_budget_says_what_is_spent_and_what_is_not_known_yet(home: Home) -> None:
    """Of how much, in which month, with the documents under way whose cost comes later."""
    with home.running(budget=[budget(in_flight=3)]):
        found, told = lines(home), report(home)

    assert (
        "  Budget of 2026-11: 163.42 of 200 credits spent (82 %), and 3 documents under way of unknown cost."
    ) in found
    assert told["providers"][0]["budget"]["spent"] == 163.42
    assert told["providers"][1]["budget"] is None


def test_a_spent_budget_says_until_when_nothing_is_sent(home: Home) -> None:
    """The overshoot is shown as it is."""
    until = stamp(NOON + timedelta(days=9, hours=12))
    job = home.claim("one.txt")
    waiting = [{"job": job, "why": "budget.spent", "until": until}]
    with home.running(budget=[budget(spent=212.5, state="spent", held_until=until)], waiting=waiting):
        found = lines(home)

    assert (
        "  Budget of 2026-11: 212.5 of 200 credits spent (106 %). Nothing new is submitted until 1 Dec at 00:00, or "
        "until per_month is raised."
    ) in found
    assert "  1 file waits for that (fr/one.txt, dropped 1 s ago)." in found


def test_files_behind_a_closed_account_are_told_with_it_and_not_again(home: Home) -> None:
    """One sentence says why; the files are counted under it, whether the daemon has met them or not."""
    first = home.claim("one.txt")
    home.claim("two.txt")
    closed = account("gpttranslator", door="closed", reason="account.key", since=home.at(-720), next_try=home.at(60))
    waiting = [{"job": first, "why": "account.closed", "until": home.at(2)}]
    with home.running(accounts=[closed, account("voicecheap")], waiting=waiting, waiting_total=1):
        found, told = lines(home), report(home)

    assert "  2 files wait for that (the longest is fr/one.txt, dropped 2 s ago)." in found
    assert not any("for their turn" in line for line in found)
    (waits,) = told["providers"][0]["waits"]
    assert (waits["code"], waits["jobs"], waits["next_try"]) == ("account.key", 2, home.at(60))


def test_the_oldest_that_is_not_sent_is_named_with_its_reason(home: Home) -> None:
    """By its drop, not by its claim; one that the service has is older and does not count."""
    home.send(home.claim("flies.txt"), "1")
    job = home.claim("waits.txt", after_s=600)
    home.claim("later.txt")
    with home.running(waiting=[{"job": job, "why": "service.unreachable", "until": home.at(9)}]):
        oldest = report(home)["providers"][0]["oldest"]

    assert (oldest["job"], oldest["file"], oldest["code"]) == (job, "fr/waits.txt", "service.unreachable")
    assert (oldest["sentence"], oldest["next_try"]) == ("GPTTranslator cannot be reached.", home.at(9))


def test_the_next_poll_has_a_column_while_something_is_in_flight(home: Home) -> None:
    """In whole seconds, and `now` for a moment that has come."""
    with home.running(next_polls={"gpttranslator": home.at(3.4), "voicecheap": home.at(-1)}):
        some = lines(home)
    with home.running(next_polls={"gpttranslator": None, "voicecheap": None}):
        none = lines(home)

    assert row(some, "gpttranslator")[-2:] == ["in", "4", "s"][-2:]
    assert row(some, "voicecheap")[-1] == "now"
    assert not any("next poll" in line for line in none)


def test_more_waiting_jobs_than_are_listed_are_counted_for_what_they_wait(home: Home) -> None:
    """The status lists the first 500; those behind them are no files whose turn has not come."""
    jobs = [home.claim(f"{number}.txt") for number in range(6)]
    home.claim("its turn will come.txt")
    waiting = [{"job": job, "why": "service.unreachable", "until": home.at(5)} for job in jobs[:2]]
    reasons = [{"provider": "gpttranslator", "why": "service.unreachable", "jobs": 6, "unsent": 6}]
    with home.running(waiting=waiting, waiting_total=6, reasons=reasons):
        waits = report(home)["providers"][0]["waits"]

    assert [(one["code"], one["jobs"]) for one in waits] == [("service.unreachable", 6), (None, 1)]
    assert waits[0]["longest"]["file"] == "fr/0.txt"


# -- ages ---------------------------------------------------------------------------------------------------


def test_ages_count_from_when_things_came_where_they_are(home: Home) -> None:
    """A backlog that was sent a minute ago is young at the service, and what rests counts from when it was seen."""
    job = home.claim("flies.txt")
    home.clock.advance(7200)
    home.send(job, "1")
    home.claim("waits.txt")
    home.clock.advance(120)
    resting = [{"path": "inbox/voicecheap/es/a.mp4", "since": home.at(-30), "why": "open"}]
    with home.running(resting=resting, resting_total=1):
        found = lines(home)

    at = found.index("How long files have been where they are")
    assert [line.split() for line in found[at + 1 : at + 6]] == [
        ["provider", "state", "total", "1m", "5m", "15m", "1h", "6h", "1d", "older"],
        ["gpttranslator", "waiting", "1", "0", "1", "0", "0", "0", "0", "0"],
        ["in", "flight", "1", "0", "1", "0", "0", "0", "0", "0"],
        ["voicecheap", "resting", "1", "1", "0", "0", "0", "0", "0", "0"],
        ["total", "3", "1", "2", "0", "0", "0", "0", "0"],
    ]


def test_there_are_no_ages_of_nothing(home: Home) -> None:
    """An empty house has no histogram."""
    job = home.claim("done.txt")
    home.fail(job, RejectedError("provider.failed"))

    found = lines(home)

    assert report(home)["ages"] is None
    assert "How long files have been where they are" not in found


# -- folders ------------------------------------------------------------------------------------------------


def test_paused_folders_are_listed_with_what_waits_in_them(home: Home) -> None:
    """What has to be removed stands there; the files in them are not listed once more as resting."""
    stopped = [
        {"path": "inbox/gpttranslator/fr", "by": "STOP", "since": home.at(-60), "files": 2},
        {"path": "inbox/voicecheap", "by": "stop.txt", "since": home.at(-5), "files": 0},
    ]
    resting = [
        {"path": f"inbox/gpttranslator/fr/{name}", "since": home.at(-9), "why": why}
        for name, why in {"a.txt": "folder.stopped", "b.txt": "folder.stopped", "c.txt": "open"}.items()
    ]
    with home.running(stopped=stopped, resting=resting, resting_total=3):
        found = lines(home)

    at = found.index("Paused folders (2)")
    assert found[at + 1 :] == [
        "  inbox/gpttranslator/fr since today at 11:59 (1 min): 2 files wait there; remove STOP there to go on.",
        "  inbox/voicecheap since today at 11:59 (5 s): remove stop.txt there to go on.",
        "",
        "Resting in the inbox (1)",
        "  inbox/gpttranslator/fr/c.txt (9 s): Still open for writing in another program.",
    ]


# -- any width ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_width_shows_everything_and_nothing_sticks_out(home: Home, width: int) -> None:
    """A table where it fits, with heads of two lines where that helps, else a line for each provider."""
    home.send(home.claim("flies.txt"), "1")
    home.claim("a report with a name that is longer than the window is wide.txt")
    closed = account("voicecheap", door="closed", reason="account.key", since=home.at(-720), next_try=home.at(180))
    with home.running(
        accounts=[account("gpttranslator"), closed],
        budget=[budget(in_flight=1)],
        next_polls={"gpttranslator": home.at(7), "voicecheap": None},
    ):
        found = lines(home, width)

    assert max(map(len, found)) <= width
    if width > 40:
        assert row(found, "gpttranslator") == ["1", "0", "1", "0", "0", "0", "in", "7", "s"]
    else:
        assert found[3:6] == [
            "gpttranslator: 1 waiting, 1 in flight,",
            "next poll in 7 s",
            "voicecheap: nothing to do",
        ]
        assert "gpttranslator, waiting: 1 up to 1m" in found
    assert "in flight" in " ".join(found).replace("  ", " ") or "flight" in " ".join(found)


def test_control_characters_in_what_the_daemon_told_do_not_reach_the_terminal(home: Home) -> None:
    """Names come escaped from it, and its other words are cleaned here."""
    with home.running(config_problem="bad\x1b[2Jkey", share={"there": False, "why": "gone\x1b]0;x\x07", "since": None}):
        found = "\n".join(lines(home))

    assert "\x1b" not in found
    assert "\x07" not in found


def test_every_key_of_a_living_report_is_documented(home: Home) -> None:
    """Programs read the object, so each of its words stands in the module's head."""
    home.send(home.claim("one.txt"), "1")
    home.claim("two.txt")
    with home.running(budget=[budget()]):
        told = report(home)

    documented = standing.__doc__ or ""
    rows = (told, told["providers"][0], told["providers"][0]["account"], told["ages"], told["ages"]["rows"][0])
    assert [key for one in rows for key in one if key not in documented] == []
