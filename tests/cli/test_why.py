"""What `why` tells of a file: its whole story, wherever it is, in sentences a person can act upon."""

import json
import os
from pathlib import Path

import pytest
import typer

from daemon.cli.telling import Told, tell
from daemon.cli.why import why
from daemon.errors import RejectedError
from tests.cli.home import Home, account

PATH = "inbox/gpttranslator/fr/report.docx"
HEAD = "report.docx, gpttranslator to fr, job {job}"


def told(home: Home, path: str) -> Told:
    return tell(home.look(), path)


def delivered(home: Home, name: str = "report.docx", result: str | None = None) -> str:
    """A job from drop to archive, with its cost."""
    job = home.claim(name)
    home.submit(job)
    home.accept(job, "12345")
    home.clock.advance(95)
    home.bank(job, result or name, cost=3.0)
    home.deliver(job, result or name)
    return job


# -- ended --------------------------------------------------------------------------------------------------


def test_a_delivered_file_has_its_whole_story(home: Home) -> None:
    """Dropped, taken, sent under which name, done after how long, what it cost, where it lies."""
    with home.running():
        job = delivered(home)
        found = told(home, f"{home.root}/inbox/gpttranslator/fr/report.docx")

    assert found.heading == HEAD.format(job=job)
    assert found.sentences == [
        f"It was dropped as {PATH} (2.66 kB) today at 12:00:00, and taken out of the inbox 1 s later.",
        f"It was sent to GPTTranslator today at 12:00:01 as report.{job}-1.docx; the service calls it 12345.",
        "The service was done after 1 min.",
        "The result (7 bytes) was fetched and checked today at 12:01:36.",
        "It reports a cost of 3.",
        "The translation was delivered today at 12:01:36 as outbox/gpttranslator/fr/report.docx. It lies there now.",
        "The original is in archive/gpttranslator/fr/report.docx.",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "inbox/gpttranslator/fr/report.docx",
        "outbox/gpttranslator/fr/report (2).docx",
        "archive/gpttranslator/fr/report.docx",
        "processing/gpttranslator/fr/{job}/report.docx",
        "{root}/outbox/gpttranslator/fr/report (2).docx",
        "report.docx",
        "report (2).docx",
        "{job}",
    ],
)
def test_a_job_is_found_by_every_place_it_has_been_in(home: Home, path: str) -> None:
    """Inbox, processing, outbox, archive, from the root or absolute, by name alone, by its id."""
    job = delivered(home, result="report (2).docx")

    found = told(home, path.format(root=home.root, job=job))

    assert found.heading == HEAD.format(job=job)
    assert found.known


def test_paths_count_from_where_they_are_typed_and_through_links_above(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`why report.docx` in the outbox, also when the way there leads over a link of the administrator's."""
    job = delivered(home)
    (tmp_path / "link").symlink_to(home.root)
    monkeypatch.chdir(tmp_path / "link" / "outbox" / "gpttranslator" / "fr")

    found = told(home, "report.docx")

    assert found.heading == HEAD.format(job=job)


def test_a_result_that_somebody_took_is_said_to_be_gone(home: Home) -> None:
    """Where it was put and that it is not there any more; with the share away nobody can say."""
    job = delivered(home)
    (home.root / "outbox/gpttranslator/fr/report.docx").unlink()

    gone = told(home, job).sentences
    (home.root / ".babeldrop").unlink()
    away = told(home, job).sentences

    put = "The translation was delivered today at 12:01:36 as outbox/gpttranslator/fr/report.docx."
    assert f"{put} It is not there any more: somebody took it, or gave it another name." in gone
    assert f"{put} Whether it lies there now cannot be seen, because the share is away." in away


def test_files_of_the_same_name_are_told_newest_first(home: Home) -> None:
    """The story is of the latest; the earlier ones have a line each."""
    first = delivered(home)
    home.clock.advance(60)
    second = delivered(home)

    found = told(home, "inbox/gpttranslator/fr/report.docx")

    assert found.heading == HEAD.format(job=second)
    assert found.sentences[-2:] == [
        "Files of the same name:",
        f"  today at 12:01:36: delivered as report.docx, job {first}",
    ]


def test_history_is_asked_as_well(home: Home) -> None:
    """A job that a compaction has moved out of the journal is still known."""
    job = delivered(home)
    home.book.compact()

    found = told(home, "outbox/gpttranslator/fr/report.docx")

    assert found.heading == HEAD.format(job=job)


def test_a_failed_file_says_why_and_how_to_try_again(home: Home) -> None:
    """What happened, what to do, and a command to copy; asked by its original or by its sidecar."""
    job = home.claim("the report.docx")
    home.send(job, "12345")
    failed = home.fail(job, RejectedError("provider.failed", "The document is damaged."))

    by_original, by_sidecar = told(home, failed), told(home, f"{failed}.error.json")

    assert by_original == by_sidecar
    assert by_original.sentences[2:] == [
        "It failed today at 12:00:01: GPTTranslator could not translate the file: The document is damaged.",
        "Check the file, then move the file back into inbox/gpttranslator/fr to try again.",
        "The original is in failed/. This puts it back into the inbox:",
        f"  babeldrop retry -c {home.config} 'failed/gpttranslator/fr/the report.docx'",
    ]


def test_a_numbered_original_in_failed_is_known_by_its_sidecar(home: Home) -> None:
    """The second failure of one name lies there as `… (2)`, and each tells its own story."""
    first, second = home.claim("a.txt"), home.claim("a.txt")
    one = home.fail(first, RejectedError("provider.failed", "The first reason."))
    other = home.fail(second, RejectedError("provider.failed", "The second reason."))

    found = told(home, other)

    assert (one, other) == ("failed/gpttranslator/fr/a.txt", "failed/gpttranslator/fr/a (2).txt")
    assert found.heading.endswith(second)
    assert f"  babeldrop retry -c {home.config} 'failed/gpttranslator/fr/a (2).txt'" in found.sentences
    assert told(home, one).heading.endswith(first)


def test_what_is_refused_for_its_name_is_not_offered_again(home: Home) -> None:
    """A command that can only fail again is none to copy."""
    job = home.claim("song.docx", folder="klingon")
    home.fail(job, RejectedError("language.unknown", "“klingon” is no language."), stage="claim")

    found = told(home, job)

    assert not any("babeldrop retry" in sentence for sentence in found.sentences)


def test_a_sidecar_speaks_for_itself_when_the_journal_does_not_know_its_job(home: Home) -> None:
    """A state that was made anew knows nothing; the sidecar still says what happened."""
    note = {"what_happened": "It was too long.", "what_to_do": "Cut it.", "job": "0" * 16, "schema": 1}
    home.file("failed/gpttranslator/fr/a.txt")
    home.file("failed/gpttranslator/fr/a.txt.error.json", json.dumps(note).encode())

    found = told(home, "failed/gpttranslator/fr/a.txt")

    assert found.sentences == [
        "It was too long.",
        "Cut it.",
        "So its sidecar says; the journal has no record of it.",
    ]
    assert found.known


# -- under way ----------------------------------------------------------------------------------------------


def last(home: Home, job: str) -> str:
    return told(home, job).sentences[-1]


def test_each_stage_of_a_living_job_has_its_sentence(home: Home) -> None:
    """Waiting for its turn, being handed over, at the service, safe on this machine."""
    job = home.claim("report.docx")
    with home.running():
        said = [last(home, job)]
        home.submit(job)
        said.append(last(home, job))
        home.accept(job, "12345")
        home.clock.advance(180)
        said.append(last(home, job))
        home.bank(job, "report.docx")
        said.append(last(home, job))

    assert said == [
        "It waits for its turn to be sent.",
        "It is being handed over.",
        "The service is at work on it, for 3 min so far.",
        "The translation is safe on this machine and goes to the outbox next.",
    ]


def test_a_job_that_waits_says_for_what_and_until_when(home: Home) -> None:
    """The reason in words, and the next try."""
    job = home.claim("report.docx")
    home.send(job, "12345")
    waiting = [{"job": f"{job}.0", "why": "service.unreachable", "until": home.at(42)}]
    with home.running(waiting=waiting):
        said = last(home, job)

    assert said == "It waits. GPTTranslator cannot be reached. It is tried again in 42 s."


def test_a_job_behind_a_closed_account_says_what_closed_it(home: Home) -> None:
    """Not that the account is closed, but why and when it is tried again; a job in flight does not care."""
    waits, flies = home.claim("waits.docx"), home.claim("flies.docx")
    home.send(flies, "12345")
    closed = account("gpttranslator", door="closed", reason="account.blocked", next_try=home.at(600))
    with home.running(accounts=[closed], waiting=[{"job": waits, "why": "account.closed", "until": home.at(1)}]):
        said = [last(home, waits), last(home, flies)]

    assert said[0] == (
        "It waits. GPTTranslator does not let the account work. The administrator has to look into the account "
        "(subscription, credit, quota); files wait. It is tried again in 10 min."
    )
    assert said[1] == "The service is at work on it, for 0 s so far."


def test_a_job_of_a_removed_provider_waits_for_its_return(home: Home) -> None:
    """Nobody is asked about it any more, and it is not forgotten."""
    job = home.claim("report.docx", "azure", "it")
    with home.running():
        said = last(home, job)

    assert said == "It waits. Its provider is no longer in the configuration."


def test_without_a_daemon_nothing_is_said_about_now(home: Home) -> None:
    """What it waited for when the last one lived is no news; what the next start does is."""
    job = home.claim("report.docx")
    home.tell(waiting=[{"job": job, "why": "service.unreachable", "until": home.at(42)}])
    before = last(home, job)
    home.submit(job)
    between = last(home, job)

    assert before == "babeldrop is not running; the job goes on from here when it is started."
    assert between == (
        "babeldrop is not running. It was stopped while the file was being handed over, so at the next start the "
        "service is asked what became of it; nothing is sent twice."
    )


def test_a_document_in_several_parts_says_how_many_were_sent(home: Home) -> None:
    """Each part is a request of its own, with a reference of its own."""
    job = home.claim("book.docx")
    home.submit(job, part=0, of=3)
    home.accept(job, "a1")
    home.submit(job, part=1, of=3)
    home.accept(job, "b2", part=1)

    found = told(home, job)

    assert found.sentences[1] == (
        "It was sent to “gpttranslator” in 2 of 3 parts from today at 12:00:01 on; the service calls it a1, b2."
    )


def test_what_was_paid_before_is_told_as_such(home: Home) -> None:
    """Nothing was sent: the reference of an earlier attempt is asked."""
    job = home.claim("report.docx")
    home.record(job, "accepted", part=0, ref="old7", sha256="ab" * 32, route="en-to-fr", **{"from": "0" * 16})

    found = told(home, job)

    assert found.sentences[1] == (
        "Its translation had been paid for before, so “gpttranslator” was asked for that one today at 12:00:01; the "
        "service calls it old7."
    )


# -- still in the inbox -------------------------------------------------------------------------------------


def why_there(home: Home, path: str) -> list[str]:
    return told(home, path).sentences


def test_a_resting_file_says_why_and_since_when(home: Home) -> None:
    """As the living daemon tells it."""
    path = "inbox/gpttranslator/fr/big.docx"
    home.file(path)
    with home.running(resting=[{"path": path, "since": home.at(-8), "why": "no_end"}]):
        said = why_there(home, path)

    assert said == [
        "It has rested for 8 s. The end of the document is missing; waiting for the rest of it.",
        "If its end does not come, it is taken after a minute all the same, with a warning in the log.",
    ]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("inbox/a.docx", "It lies in inbox/, where nothing is taken: files go into inbox/<provider>/<lang>/."),
        (
            "inbox/gpttranslator/a.docx",
            "It lies in inbox/gpttranslator/, where nothing is taken: files go into inbox/<provider>/<lang>/.",
        ),
        (
            "inbox/deepl/fr/a.docx",
            "No provider called “deepl” is configured; there are: gpttranslator, voicecheap.",
        ),
        ("inbox/gpttranslator/fr/.a.docx", "It is left alone because of its name: hidden."),
        ("inbox/gpttranslator/fr/~$a.docx", "It is left alone because of its name: lock of an office program."),
        (
            "inbox/gpttranslator/fr/draft-1.docx",
            "It is left alone because of its name: matches draft-* of watch.ignore.",
        ),
        (
            "inbox/gpttranslator/fr/@eaDir/a.docx",
            "It is left alone because of the folder @eaDir: made by a storage device.",
        ),
    ],
)
def test_a_file_that_is_not_taken_says_which_rule_keeps_it(home: Home, path: str, sentence: str) -> None:
    """The same rules as the daemon's, also while none runs."""
    home.file(path)

    said = why_there(home, path)

    assert said == [sentence]


def test_links_and_second_names_are_left_alone_and_say_so(home: Home) -> None:
    """They are told by what they are, not by where they lead."""
    original = home.file("inbox/gpttranslator/fr/a.docx")
    os.link(original, original.with_name("b.docx"))
    original.with_name("c.docx").symlink_to("/etc/passwd")

    said = [why_there(home, f"inbox/gpttranslator/fr/{name}.docx") for name in "bc"]

    assert said == [
        ["It is left alone: it has several names (hard links)."],
        ["It is left alone: a symbolic link, never followed."],
    ]


def test_a_folder_that_is_a_link_is_not_entered(home: Home, tmp_path: Path) -> None:
    """Nothing behind it is looked at, and the sentence says why."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.docx").write_text("x")
    (home.root / "inbox/gpttranslator").mkdir(parents=True)
    (home.root / "inbox/gpttranslator/fr").symlink_to(tmp_path / "elsewhere")

    found = told(home, "inbox/gpttranslator/fr/a.docx")

    assert found.sentences[0] == (
        "A folder on the way is a symbolic link or another file system, and is never entered."
    )
    assert not found.known


def test_a_folder_that_is_no_language_is_named_with_its_neighbours(home: Home) -> None:
    """Before the file fails, and while no daemon runs to fail it."""
    path = "inbox/gpttranslator/frnech/a.docx"
    home.file(path, b"")

    said = why_there(home, path)

    assert said[0] == (
        "Its folder is no language of gpttranslator: “frnech” is no language that this service translates into. "
        "Near to it: fr, fr-CA. When it is taken, it fails for that."
    )
    assert said[2:] == ["babeldrop is not running; it looks at the file when it is started."]


def test_our_own_sidecar_in_an_inbox_is_no_document(home: Home) -> None:
    """It came along when somebody moved everything back."""
    job = home.claim("a.txt")
    failed = home.fail(job, RejectedError("provider.failed"))
    note = (home.root / f"{failed}.error.json").read_bytes()
    home.file("inbox/gpttranslator/fr/a.txt.error.json", note)

    said = why_there(home, "inbox/gpttranslator/fr/a.txt.error.json")

    assert said == ["It is left alone: a note that babeldrop wrote itself, about a file that failed."]


def test_what_the_daemon_says_about_a_file_comes_first(home: Home) -> None:
    """It may know what no rule tells: a folder that is closed to it, a share that is away."""
    path = "inbox/gpttranslator/fr/a.docx"
    home.file(path)
    with home.running(ignored=[{"path": path, "why": "cannot be moved: Permission denied"}]):
        left = why_there(home, path)
    with home.running(share={"there": False, "why": "gone"}):
        away = why_there(home, path)
    with home.running():
        unseen = why_there(home, path)

    assert left == ["It is left alone: cannot be moved: Permission denied."]
    assert away == ["The share is away; nothing is touched until it is back."]
    assert unseen[1:] == ["The daemon has not noticed it yet; all folders are searched every 30 s."]


def test_a_drop_of_a_name_that_was_here_before_tells_of_both(home: Home) -> None:
    """First what lies there now, then what became of the earlier one."""
    job = delivered(home)
    home.file("inbox/gpttranslator/fr/report.docx")

    found = told(home, "inbox/gpttranslator/fr/report.docx")

    assert found.heading == "inbox/gpttranslator/fr/report.docx"
    assert found.sentences[1:] == [
        "babeldrop is not running; it looks at the file when it is started.",
        "Files of the same name before it:",
        f"  today at 12:01:36: delivered as report.docx, job {job}",
    ]


# -- nobody knows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("inbox/gpttranslator/fr/never.docx", "Nothing lies there, and the journal has no record of such a file."),
        ("outbox/gpttranslator/fr/own.docx", "The journal has no record of it: babeldrop did not put it there."),
        (
            "processing/gpttranslator/fr/0123456789abcdef/own.docx",
            "It was taken out of the inbox, but there is no record of it; the next start takes care of it.",
        ),
        (
            "outbox/gpttranslator/fr",
            "This is a folder; name a file in it. `babeldrop status` shows what waits everywhere.",
        ),
    ],
)
def test_a_file_nobody_knows_is_said_to_be_unknown(home: Home, path: str, sentence: str) -> None:
    """Whether it lies there or not."""
    home.file("outbox/gpttranslator/fr/own.docx")
    home.file("processing/gpttranslator/fr/0123456789abcdef/own.docx")

    found = told(home, path)

    assert found.sentences == [sentence]
    assert not found.known


def test_the_command_prints_the_story_and_leaves_with_one_for_strangers(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe gets a line a sentence; exit code 1 only when nobody knows the file."""
    job = delivered(home)

    why("report.docx", home.config)
    out = capsys.readouterr().out.splitlines()
    with pytest.raises(typer.Exit) as left:
        why("/etc/passwd", home.config)

    assert out[0] == HEAD.format(job=job)
    assert out[3] == "  The service was done after 1 min."
    assert left.value.exit_code == 1
    assert capsys.readouterr().out.splitlines()[0] == "Nobody knows /etc/passwd."


def test_a_name_with_bytes_that_are_no_text_can_be_asked_for(home: Home) -> None:
    """It is shown escaped, and the command to copy names the same file."""
    name = os.fsdecode(b"caf\xe9 one.txt")
    job = home.claim(name)
    home.fail(job, RejectedError("provider.failed"))

    found = told(home, f"failed/gpttranslator/fr/{name}")

    assert found.heading == rf"caf\xe9 one.txt, gpttranslator to fr, job {job}"
    assert found.sentences[-1] == rf"  babeldrop retry -c {home.config} $'failed/gpttranslator/fr/caf\xe9 one.txt'"


def test_a_file_is_told_of_also_when_the_configuration_has_got_a_mistake(home: Home) -> None:
    """The daemon goes on with what it read before; what cannot be told for that is said."""
    with home.running():
        job = delivered(home)
        home.config.write_text(home.config.read_text() + "colour: red\n")
        found = told(home, "report.docx")

    assert found.heading == HEAD.format(job=job)
    assert found.sentences[-1].startswith("The configuration file has a mistake, so not all can be told: ")
    assert "colour: unknown key" in found.sentences[-1]


def test_a_submission_that_was_not_taken_is_not_the_one_that_counts(home: Home) -> None:
    """Sent when the service took it, and done so long after that; what was refused an hour before is another try."""
    job = home.claim("report.docx")
    home.submit(job)
    home.record(job, "refused", part=0, why="service.unreachable")
    home.clock.advance(3600)
    home.submit(job, attempt=2)
    home.accept(job, "12345")
    home.clock.advance(95)
    home.bank(job, "report.docx", cost=1234567.0)
    home.deliver(job, "report.docx")
    sentences = told(home, job).sentences

    assert (
        f"It was sent to GPTTranslator today at 13:00:01, at attempt 2, as report.{job}-2.docx; "
        "the service calls it 12345." in [one.replace("“gpttranslator”", "GPTTranslator") for one in sentences]
    )
    assert "The service was done after 1 min." in sentences
    assert "It reports a cost of 1,234,567." in sentences
