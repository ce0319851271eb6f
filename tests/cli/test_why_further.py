"""More of what `why` tells: relatives of a job, names that fit several files, and files that lie in an inbox."""

import json
import os
from pathlib import Path

import pytest
import typer

from daemon.cli.why import why
from daemon.errors import RejectedError
from tests.cli.home import Home, account
from tests.cli.test_why import delivered, told

AT = "inbox/gpttranslator/fr"


def sentences(home: Home, path: str) -> list[str]:
    return told(home, path).sentences


# -- what is found by what ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", ["a7c2:9", "a7c2:9;run=12", "text.one-1.txt", "fr/text.txt", "gpttranslator/fr/text.txt"]
)
def test_a_job_is_found_by_the_names_of_the_service_and_by_the_end_of_its_path(home: Home, given: str) -> None:
    """A reference as a whole or one of its parts, and what `status` shows as a file."""
    job, other = home.claim("text.txt"), home.claim("else.txt")
    home.send(job, "a7c2:9;run=12/text.one-1.txt" if given != "a7c2:9;run=12" else given)
    home.send(other, "b")

    found = told(home, given)

    assert (found.kind, found.job.id if found.job else None) == ("job", job)


def test_a_name_of_several_files_lists_them_with_their_ids(home: Home) -> None:
    """Those that lie in an inbox by path, those that were taken by job; none is chosen by chance."""
    first = delivered(home)
    second = home.claim("report.docx", folder="de")
    home.fail(second, RejectedError("provider.failed"))
    home.file("inbox/voicecheap/es/report.docx")

    found = told(home, "report.docx")

    assert (found.kind, found.known, found.heading) == ("candidates", True, "3 files called report.docx")
    assert found.sentences == [
        "  inbox/voicecheap/es/report.docx: lies in the inbox",
        f"  inbox/gpttranslator/de/report.docx, today at 12:01:37: failed (provider.failed), job {second}",
        f"  inbox/gpttranslator/fr/report.docx, today at 12:01:36: delivered as report.docx, job {first}",
        "Ask for one of them by its path or by its job's id.",
    ]


def test_a_name_that_only_lies_in_an_inbox_is_found_there(home: Home) -> None:
    """From whatever folder it is typed, however deep it lies, by its name or as it is shown."""
    name = os.fsdecode(b"caf\xe9.txt")
    home.file(f"{AT}/deep/er/{name}")

    raw, shown = told(home, name), told(home, r"caf\xe9.txt")

    assert raw.heading == shown.heading == rf"{AT}/deep/er/caf\xe9.txt"
    assert raw.kind == shown.kind == "drop"


def test_a_result_and_an_archived_original_say_what_they_are(home: Home) -> None:
    """Whoever finds one in the folders learns of which document it is."""
    delivered(home, result="report (2).docx")

    result = sentences(home, "outbox/gpttranslator/fr/report (2).docx")
    original = sentences(home, "archive/gpttranslator/fr/report.docx")

    assert result[0] == f"This is the translation of {AT}/report.docx."
    assert original[0] == "This is the original of a translation that was delivered."
    assert result[1:] == original[1:]


# -- relatives ----------------------------------------------------------------------------------------------


def test_a_file_that_was_tried_again_tells_so_from_both_ends(home: Home) -> None:
    """The failed one names the next and offers nothing more; the next one names the one before."""
    first = home.claim("a.txt")
    home.send(first, "1")
    failed = home.fail(first, RejectedError("deadline.passed"))
    (home.root / failed).rename(home.root / f"{failed}.gone")
    home.clock.advance(60)
    second = home.claim("a.txt")
    home.send(second, "2")

    before, after = sentences(home, first), sentences(home, second)

    assert before[-1] == f"It was tried again: today at 12:01:02: in flight, job {second}."
    assert not any("babeldrop retry" in sentence for sentence in before)
    assert after[1] == f"It had been tried before, and failed today at 12:00:01: job {first}."


def test_another_file_of_the_same_name_is_no_relative(home: Home) -> None:
    """Next month's report is no second attempt at this one."""
    first = home.claim("a.txt")
    home.fail(first, RejectedError("provider.failed"))
    home.clock.advance(60)
    path = home.root / "processing"
    second = home.claim("a.txt")
    known = home.book.get(second)

    assert known is not None
    assert path.exists()
    assert not any("tried" in sentence and second in sentence for sentence in sentences(home, first))


def test_an_inherited_result_names_the_job_that_paid(home: Home) -> None:
    """What the file before it has paid is asked for, and not paid again."""
    first = home.claim("a.txt")
    home.send(first, "77")
    home.fail(first, RejectedError("deadline.passed"))
    second = home.claim("a.txt")
    facts = {"sha256": "ab" * 32, "route": "en-to-fr"}
    home.record(second, "accepted", part=0, ref="77", **{"from": first}, **facts)

    said = sentences(home, second)

    assert any(
        sentence.startswith(f"Its translation had been paid for before by job {first}, so ") for sentence in said
    )


def test_a_cost_has_its_unit_where_the_service_tells_one(home: Home) -> None:
    """Characters are no credits."""
    job = home.claim("a.txt")
    home.submit(job)
    home.record(job, "accepted", part=0, ref="1", cost=1250, unit="characters")

    assert "It reports a cost of 1,250 characters." in sentences(home, job)


# -- under way ----------------------------------------------------------------------------------------------


def test_a_job_in_flight_says_when_it_is_asked_about_next(home: Home) -> None:
    """From the lanes of the living daemon."""
    job = home.claim("a.txt")
    home.send(job, "1")
    home.clock.advance(30)
    with home.running(polls=[{"job": "0" * 16 + ".0", "at": home.at(1)}, {"job": f"{job}.0", "at": home.at(4)}]):
        said = sentences(home, job)[-1]

    assert said == "The service is at work on it, for 30 s so far. It is asked again in 4 s."


def test_what_closed_the_account_when_the_daemon_last_told_is_repeated(home: Home) -> None:
    """As something of the past, before what the next start does; a job in flight does not care."""
    waits, flies = home.claim("waits.txt"), home.claim("flies.txt")
    home.send(flies, "1")
    closed = account("gpttranslator", door="closed", reason="account.key", since=home.at(-720))
    home.tell(accounts=[closed])
    home.clock.advance(60)

    said, other = sentences(home, waits), sentences(home, flies)

    assert said[-2:] == [
        (
            "When babeldrop was last heard of, today at 12:00, nothing was submitted for gpttranslator: "
            "GPTTranslator does not accept the key. The administrator has to renew the key; files wait."
        ),
        "babeldrop is not running; the job goes on from here when it is started.",
    ]
    assert not any("last heard of" in sentence for sentence in other)


# -- in the inbox -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "age_s", "sentence"),
    [
        (
            b"",
            9999,
            (
                "The file is empty; waiting for its content. If nothing is written into it, it is taken after a "
                "minute, and fails as empty."
            ),
        ),
        (
            b"half of it",
            9999,
            (
                "The end of the document is missing; waiting for the rest of it. If its end does not come, it is taken "
                "after a minute all the same, with a warning in the log."
            ),
        ),
        (b"%PDF-1.4 %%EOF", 9999, "It has not changed for 2 h 46 min, and looks complete."),
        (
            b"%PDF-1.4 %%EOF",
            3,
            "It was changed 3 s ago. It is taken when it has stayed unchanged for long enough.",
        ),
    ],
)
def test_without_a_daemon_the_file_itself_says_what_is_missing(
    home: Home, content: bytes, age_s: float, sentence: str
) -> None:
    """The same proofs as the daemon asks for, as far as they can be seen from outside."""
    target = home.file(f"{AT}/a.pdf", content)
    home.clock.advance(target.stat().st_ctime - home.clock.now().timestamp() + age_s)

    said = sentences(home, f"{AT}/a.pdf")

    assert said == [sentence, "babeldrop is not running; it looks at the file when it is started."]


def test_a_file_that_a_full_status_does_not_list_is_judged_by_itself(home: Home) -> None:
    """Only the first 500 stand there; the others are not unknown for that."""
    home.file(f"{AT}/a.docx", b"half")
    resting = [{"path": f"{AT}/other.docx", "since": home.at(-8), "why": "open"}]
    with home.running(resting=resting, resting_total=800):
        said = sentences(home, f"{AT}/a.docx")

    assert said[0].startswith("The end of the document is missing; waiting for the rest of it.")
    assert said[1] == "The daemon lists the 1 that have rested longest of 800 files, and it is none of these."


@pytest.mark.parametrize("sign", ["a.docx.cancel", "A.DOCX.cancel.txt"])
def test_a_withdrawn_file_names_the_sign_beside_it(home: Home, sign: str) -> None:
    """And the sign says what it does when it is asked itself."""
    home.file(f"{AT}/a.docx")
    home.file(f"{AT}/{sign}")

    drop, itself = sentences(home, f"{AT}/a.docx"), sentences(home, f"{AT}/{sign}")

    assert drop[0] == f"It is withdrawn by {AT}/{sign}; it is taken when that is removed."
    assert itself == [
        (
            f"It is a sign, no document: it withdraws {sign[:6]} beside it, as long as that has not been sent. "
            "Remove it when you do not need it any more."
        )
    ]


@pytest.mark.parametrize("folder", ["inbox", "inbox/gpttranslator", AT, f"{AT}/sub"])
def test_a_file_in_a_paused_folder_names_what_pauses_it(home: Home, folder: str) -> None:
    """Wherever above it that lies, with a daemon and without."""
    home.file(f"{AT}/sub/a.docx")
    home.file(f"{folder}/STOP")

    without = sentences(home, f"{AT}/sub/a.docx")
    with home.running():
        living = sentences(home, f"{AT}/sub/a.docx")
    sign = sentences(home, f"{folder}/STOP")

    held = f"Its folder is held by {folder}/STOP; it is taken when that is removed."
    assert without == [held, "babeldrop is not running; it looks at the file when it is started."]
    assert living == [held]
    assert sign == [
        f"It is a sign, no document: as long as it lies there, nothing is taken from {folder} and the folders in it."
    ]


def test_an_office_lock_beside_the_folders_is_left_alone_for_its_name(home: Home) -> None:
    """Not told to be in the wrong place: it is never taken anywhere."""
    home.file("inbox/gpttranslator/~$a.docx")

    assert sentences(home, "inbox/gpttranslator/~$a.docx") == [
        "It is left alone because of its name: lock of an office program."
    ]


# -- for programs -------------------------------------------------------------------------------------------


def test_the_object_holds_the_sentences_and_the_job(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """What people read, and the facts behind it; names that are no text stand escaped."""
    name = os.fsdecode(b"caf\xe9.txt")
    job = home.claim(name)
    home.send(job, "12345")
    with home.running(waiting=[{"job": f"{job}.0", "why": "service.unreachable", "until": home.at(5)}]):
        why(name, home.config, as_json=True)

    told_of = json.loads(capsys.readouterr().out)
    assert (told_of["schema"], told_of["known"], told_of["kind"]) == (1, True, "job")
    assert (told_of["asked"], told_of["path"]) == (r"caf\xe9.txt", rf"{AT}/caf\xe9.txt")
    assert told_of["sentences"][0].startswith("It was dropped as ")
    about = told_of["job"]
    assert (about["id"], about["state"], about["alive"], about["refs"]) == (job, "in_flight", True, ["12345"])
    assert about["waits"]["code"] == "service.unreachable"
    assert about["waits"]["sentence"] == "GPTTranslator cannot be reached."


def test_an_unknown_file_is_an_object_too(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """With the same exit code as in words."""
    with pytest.raises(typer.Exit) as left:
        why("never.txt", home.config, as_json=True)

    told_of = json.loads(capsys.readouterr().out)
    assert left.value.exit_code == 1
    assert (told_of["known"], told_of["kind"], told_of["job"], told_of["others"]) == (False, "unknown", None, [])


def test_words_of_a_service_do_not_steer_the_terminal(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """References and what an older journal kept of an error are somebody else's texts."""
    job = home.claim("a.txt")
    home.send(job, "ref\x1b[2J")
    error = {
        "code": "x.y",
        "stage": "poll",
        "retryable": True,
        "what_happened": "bad\x1b]0;x\x07",
        "what_to_do": "\x9b",
    }
    home.record(job, "failed", error=error)

    why(job, home.config)

    out = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)


def test_a_very_full_inbox_is_not_searched_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is then told to be unknown rather than late; its path still finds it."""
    monkeypatch.setattr("daemon.cli.places._MOST_LOOKED_AT", 5)
    for number in range(20):
        home.file(f"{AT}/{number}.txt")

    found = [told(home, f"{number}.txt") for number in range(20)]
    by_path = told(home, f"{AT}/19.txt")

    assert 0 < sum(one.known for one in found) < 20
    assert by_path.known


def test_paths_that_lead_elsewhere_are_unknown(home: Home, tmp_path: Path) -> None:
    """A file beside the root is nobody's business."""
    (tmp_path / "other.txt").write_text("x")

    assert not told(home, os.fspath(tmp_path / "other.txt")).known


@pytest.mark.parametrize("name", [".babeldrop", "STATUS.html"])
def test_what_babeldrop_keeps_in_the_root_is_its_own(home: Home, name: str) -> None:
    """Nobody has to wonder who put it there, or whether it may go."""
    if name != ".babeldrop":
        home.file(name)

    found = told(home, os.fspath(home.root / name))

    assert found.known
    assert not any("did not put it there" in sentence for sentence in found.sentences)
