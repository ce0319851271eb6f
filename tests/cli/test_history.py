"""What `history` tells of what has ended: every job with its cost, sums that add up, no formulas."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.cli.spending import Choice, cells, ended, month
from daemon.errors import RejectedError
from tests.cli.home import Home

SUMS_HEADER = ["month", "provider", "folder", "delivered", "failed", "documents", "unknown", "cost", "unit"]


def run(home: Home, *arguments: str, code: int = 0) -> str:
    """What the command prints."""
    home.book.close()
    result = CliRunner().invoke(app, ["history", "-c", str(home.config), *arguments])

    assert result.exit_code == code, result.output

    return result.output


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def sent(home: Home, name: str, folder: str = "fr", **unit: Any) -> str:
    job = home.claim(name, folder=folder)
    facts = {"sha256": "ab" * 32, "route": "en-to-fr"}
    home.record(job, "submitting", part=0, of=1, attempt=1, **facts, **unit)
    home.accept(job, f"ref-{name}")
    return job


def delivered(home: Home, name: str = "report.docx", cost: float | None = 3.5, folder: str = "fr") -> str:
    job = sent(home, name, folder, unit="credits")
    told = {} if cost is None else {"cost": cost}
    home.record(job, "ready", part=0, **told)
    home.result(f"{job}.result")
    home.record(job, "banked", hash="cd" * 32, size=7, name="r.docx")
    home.deliver(job, "r.docx")
    return job


# -- one line a job -------------------------------------------------------------------------------------------


def test_csv_has_a_line_for_each_ended_job(home: Home) -> None:
    """With its place, its end, its cost and what the service called it; what is under way is no history."""
    job = delivered(home)
    home.fail(sent(home, "bad.docx"), RejectedError("provider.failed", "no"))
    home.claim("waiting.docx")
    found = rows(run(home, "--csv"))
    [first, second] = found

    assert [row["file"] for row in found] == ["report.docx", "bad.docx"]
    assert (first["state"], first["error"], first["cost"], first["unit"]) == ("delivered", "", "3.5", "credits")
    assert (first["job"], first["remote_id"], first["seconds"]) == (job, "ref-report.docx", "1.0")
    assert (first["provider"], first["folder"], first["month"]) == ("gpttranslator", "fr", "2026-11")
    assert (second["state"], second["error"], second["cost"]) == ("failed", "provider.failed", "")


def test_json_has_an_object_on_each_line(home: Home) -> None:
    """Numbers are numbers, what is not known is null."""
    delivered(home)
    [line] = run(home, "--json").splitlines()
    row = json.loads(line)

    assert (row["at"], row["cost"], row["error"], row["attempts"]) == ("2026-11-21T12:00:01.000Z", 3.5, None, 1)


def test_jobs_that_were_put_away_are_told_once(home: Home) -> None:
    """From the history and from the journal, also when a crash has left some in both."""
    delivered(home, "old.docx")
    before = (home.state / "journal.jsonl").read_bytes()
    home.book.compact()
    delivered(home, "new.docx")
    after = (home.state / "journal.jsonl").read_bytes()
    found = [row["file"] for row in rows(run(home, "--csv"))]
    (home.state / "journal.jsonl").write_bytes(before)
    twice = [row["file"] for row in rows(run(home, "--csv"))]

    assert (found, twice) == (["old.docx", "new.docx"], ["old.docx"])
    assert after != before


@pytest.mark.parametrize("name", ["=1+1.docx", "+cmd.docx", "-2.docx", "@SUM(A1).docx", "\tx.docx"])
def test_no_name_becomes_a_formula(home: Home, name: str) -> None:
    """A name that a spreadsheet would run gets an apostrophe in the CSV, and stays as it is in JSON."""
    delivered(home, name)
    [row] = rows(run(home, "--csv"))
    told = json.loads(run(home, "--json"))

    assert row["file"][0] not in "=+-@\t"
    assert row["file"].lstrip("'") == told["file"]


def test_names_of_any_bytes_can_be_read_back() -> None:
    """Commas, quotes and line ends are quoted as CSV has it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(cells([{"file": 'a,"b"\nc', "cost": 1}], ["file", "cost"]))

    assert rows(out.getvalue()) == [{"file": 'a,"b"\nc', "cost": "1"}]


# -- choosing -------------------------------------------------------------------------------------------------


def test_month_is_that_of_the_handing_over_and_since_that_of_the_end(home: Home) -> None:
    """What was handed over in November and ended in December is November's cost, and ended in December."""
    late = sent(home, "late.docx", unit="credits")
    delivered(home, "early.docx")
    home.clock.advance(timedelta(days=20).total_seconds())
    home.record(late, "ready", part=0, cost=1.0)
    home.result(f"{late}.result")
    home.record(late, "banked", hash="cd" * 32, size=7, name="r.docx")
    home.deliver(late, "r.docx")

    def files(*arguments: str) -> list[str]:
        return sorted(row["file"] for row in rows(run(home, "--csv", *arguments)))

    assert files("--month", "2026-11") == ["early.docx", "late.docx"]
    assert files("--month", "2026-12") == []
    assert files("--since", "2026-12") == ["late.docx"]
    assert files("--since", "2026-11-21") == ["early.docx", "late.docx"]
    assert files("--since", "2026-11-22", "--month", "2026-11") == ["late.docx"]
    assert files("--provider", "voicecheap") == []


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "11/2026", "--"])
def test_what_is_no_month_is_refused_in_words(home: Home, wrong: str) -> None:
    """Exit code 2, and how a month is written."""
    assert "a month is written 2026-01" in run(home, f"--month={wrong}", code=2)
    assert "a day is written 2026-01-31" in run(home, f"--since={wrong}", code=2)


def test_two_forms_at_once_are_refused(home: Home) -> None:
    """One file cannot be both."""
    assert "cannot both" in run(home, "--csv", "--json", code=2)


def test_only_the_files_that_may_matter_are_read() -> None:
    """Each is named by the month in which its jobs ended."""
    since = datetime(2026, 3, 31, 23, 0, tzinfo=UTC)

    assert Choice(month="2026-02", since=since).first_file == "2026-03"
    assert Choice().first_file == ""
    assert month("2026-1") == "2026-01"


# -- sums -----------------------------------------------------------------------------------------------------


def test_sums_by_month_provider_and_folder(home: Home) -> None:
    """What was delivered, failed and handed over, what it cost, and for how much the service told no cost."""
    for name, cost in (("a.docx", 0.1), ("b.docx", 0.2)):
        delivered(home, name, cost)
    home.fail(sent(home, "c.docx", unit="credits"), RejectedError("deadline.passed"))
    home.fail(home.claim("d.exe"), RejectedError("drop.type"))
    delivered(home, "e.docx", 4, folder="de")
    out = list(csv.reader(io.StringIO(run(home, "--csv", "--sums"))))

    assert out == [
        SUMS_HEADER,
        ["2026-11", "gpttranslator", "de", "1", "0", "1", "0", "4", "credits"],
        ["2026-11", "gpttranslator", "fr", "2", "2", "3", "1", "0.3", "credits"],
    ]


def test_costs_in_two_units_have_two_rows_and_are_counted_once(home: Home) -> None:
    """An entry that once belonged to another service."""
    delivered(home, "a.docx", 2)
    job = sent(home, "b.docx", unit="characters")
    home.record(job, "ready", part=0, cost=900)
    home.result(f"{job}.result")
    home.record(job, "banked", hash="cd" * 32, size=7, name="r.docx")
    home.deliver(job, "r.docx")
    found = rows(run(home, "--csv", "--sums"))

    assert [(row["cost"], row["unit"], row["documents"]) for row in found] == [
        ("2", "credits", "2"),
        ("900", "characters", "0"),
    ]


# -- for people -----------------------------------------------------------------------------------------------


def test_tables_show_the_latest_jobs_and_the_sums(home: Home) -> None:
    """Each row on a line of its own in a pipe, markup in a name stays text, and several folders have a sum."""
    delivered(home, "[bold]a.docx", 1234567.5)
    delivered(home, "b.docx", 1, folder="de")
    lines = run(home).splitlines()

    assert lines[1].split() == [
        "2026-11-21",
        "12:00",
        "gpttranslator/fr",
        "[bold]a.docx",
        "delivered",
        "1",
        "s",
        "1,234,567.5",
        "credits",
    ]
    assert [line.split()[2:] for line in lines[-3:]] == [
        ["(all)", "2", "0", "2", "1,234,568.5", "credits"],
        ["de", "1", "0", "1", "1", "credits"],
        ["fr", "1", "0", "1", "1,234,567.5", "credits"],
    ]


def test_of_many_jobs_a_table_has_the_latest(home: Home) -> None:
    """It says how many there are, and how to get them all."""
    for number in range(53):
        delivered(home, f"{number}.docx")
    lines = run(home).splitlines()

    assert lines[0] == "The latest 50 of 53 jobs; --csv has them all."
    assert "0.docx" not in [word for line in lines for word in line.split()]
    assert "3.docx" in lines[2]
    assert "52.docx" in lines[51]


def test_nothing_has_ended(home: Home) -> None:
    """A new installation, also before its first start."""
    told = run(home)
    os.remove(home.state / "journal.jsonl")

    assert (told, run(home), rows(run(home, "--csv"))) == ("Nothing has ended.\n", "Nothing has ended.\n", [])
    assert run(home, "--csv", "--sums").splitlines() == [",".join(SUMS_HEADER)]


def test_a_long_history_takes_no_memory(home: Home) -> None:
    """Only what the reader is in the middle of is held: the first line comes before the last is read."""
    for number in range(3):
        delivered(home, f"{number}.docx")
    home.book.compact()
    jobs = ended(home.look().config, Choice())
    first = next(jobs).name

    assert (first, [job.name for job in jobs]) == ("0.docx", ["1.docx", "2.docx"])


def test_a_reader_that_goes_away_ends_it_quietly(home: Home) -> None:
    """`history --csv | head -1` leaves no traceback."""
    for number in range(40):
        delivered(home, f"{number}.docx")
    home.book.close()
    command = f"{sys.executable} -m daemon history --csv -c {home.config} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd=Path.cwd())

    assert (result.stdout.count("\n"), result.stderr) == (1, "")
