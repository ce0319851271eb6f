"""`retry` moves failed originals back, and nothing else, and never over anything."""

import os
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from daemon.cli.retry import retry
from daemon.errors import RejectedError
from tests.cli.home import Home

APP = Typer()
APP.command()(retry)


def run(home: Home, *arguments: str) -> tuple[int, list[str], list[str]]:
    """Exit code, lines of standard output, lines of standard error."""
    done = CliRunner().invoke(APP, [*arguments, "-c", os.fspath(home.config)])
    return done.exit_code, done.stdout.splitlines(), done.stderr.splitlines()


def failed(home: Home, name: str, provider: str = "gpttranslator", folder: str = "fr", code: str = "") -> str:
    """A failed original with its sidecar; returns its path below the root."""
    job = home.claim(name, provider, folder)
    return home.fail(job, RejectedError(code or "provider.failed"))


def test_a_failed_original_goes_back_where_it_came_from(home: Home) -> None:
    """Same provider, language and sub-folder; the sidecar waits for the next claim."""
    path = failed(home, "letters/may/report.docx")

    code, out, err = run(home, os.fspath(home.root / path))

    assert (code, err) == (0, [])
    assert out == ["failed/gpttranslator/fr/letters/may/report.docx is back in inbox/gpttranslator/fr/letters/may/"]
    assert (home.root / "inbox/gpttranslator/fr/letters/may/report.docx").read_bytes() == b"text\n"
    assert not (home.root / path).exists()
    assert (home.root / f"{path}.error.json").exists()


def test_no_daemon_and_no_state_are_needed(home: Home) -> None:
    """Whoever may write in the root may retry; the daemon's own records are closed to them."""
    path = failed(home, "report.docx")
    home.book.close()
    home.state.rename(home.state.with_name("elsewhere"))

    code, _, _ = run(home, path)

    assert code == 0
    assert (home.root / "inbox/gpttranslator/fr/report.docx").exists()


def test_nothing_is_overwritten(home: Home) -> None:
    """A name that is taken in the inbox stops this file alone."""
    one, other = failed(home, "one.docx"), failed(home, "other.docx")
    home.file("inbox/gpttranslator/fr/one.docx", b"newer\n")

    code, out, err = run(home, one, other)

    assert code == 1
    taken = "inbox/gpttranslator/fr/one.docx exists, and nothing is overwritten."
    assert err == [f"failed/gpttranslator/fr/one.docx was not moved: {taken}"]
    assert out == ["failed/gpttranslator/fr/other.docx is back in inbox/gpttranslator/fr/", "1 file moved back, 1 not."]
    assert (home.root / "inbox/gpttranslator/fr/one.docx").read_bytes() == b"newer\n"
    assert (home.root / one).exists()


def test_a_glob_names_sidecars_as_well(home: Home) -> None:
    """`failed/gpttranslator/fr/*`: each original once, no sidecar moved, also where its name was cut."""
    failed(home, "one.docx")
    failed(home, "x" * 250 + ".docx")
    folder = home.root / "failed/gpttranslator/fr"
    given = sorted(os.fspath(path) for path in folder.iterdir())

    code, out, _ = run(home, *given)

    assert (len(given), code) == (4, 0)
    assert out[-1] == "2 files moved back."
    assert len([path for path in folder.iterdir() if path.name.endswith(".error.json")]) == 2
    assert len(list((home.root / "inbox/gpttranslator/fr").iterdir())) == 2


def test_a_sidecar_alone_stands_for_its_original(home: Home) -> None:
    """What a person sees in the folder and clicks on is often the explanation."""
    path = failed(home, "report.docx")

    code, _, _ = run(home, f"{path}.error.json")

    assert code == 0
    assert not (home.root / path).exists()


@pytest.mark.parametrize(
    "path",
    [
        "inbox/gpttranslator/fr/a.txt",
        "failed/a.txt",
        "failed/gpttranslator/a.txt",
        "failed/gpttranslator/fr/../../../outbox/gpttranslator/fr/a.txt",
        "/etc/hostname",
        "outbox/gpttranslator/fr/a.txt",
    ],
)
def test_only_what_lies_in_failed_is_moved(home: Home, path: str) -> None:
    """Other places are refused by name, whatever lies there."""
    home.file("inbox/gpttranslator/fr/a.txt")
    home.file("outbox/gpttranslator/fr/a.txt")
    home.file("failed/gpttranslator/a.txt")

    code, out, err = run(home, path)

    assert (code, out) == (1, [])
    assert err == [f"{path} does not lie in failed/<provider>/<lang>/ of {home.root}."]
    assert (home.root / "outbox/gpttranslator/fr/a.txt").exists()


def test_what_is_not_there_or_no_file_is_said_so(home: Home) -> None:
    """A folder, a link, and nothing at all."""
    home.file("failed/gpttranslator/fr/folder/a.txt")
    (home.root / "failed/gpttranslator/fr/link.txt").symlink_to("/etc/hostname")

    code, out, err = run(home, *(f"failed/gpttranslator/fr/{name}" for name in ("folder", "link.txt", "none.txt")))

    assert (code, out) == (1, ["0 files moved back, 3 not."])
    assert err == [
        "failed/gpttranslator/fr/folder is no regular file.",
        "failed/gpttranslator/fr/link.txt is no regular file.",
        "failed/gpttranslator/fr/none.txt is not there.",
    ]


def test_no_link_is_followed_on_either_way(home: Home, tmp_path: Path) -> None:
    """A folder in failed/ or in the inbox that leads elsewhere moves nothing in or out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (home.root / "failed/gpttranslator").mkdir(parents=True)
    (home.root / "failed/gpttranslator/fr").symlink_to(outside)
    path = failed(home, "a.txt", folder="de")
    (home.root / "inbox/gpttranslator").mkdir(parents=True)
    (home.root / "inbox/gpttranslator/de").symlink_to(outside)

    code, out, err = run(home, "failed/gpttranslator/fr/secret.txt", path)

    assert (code, out) == (1, ["0 files moved back, 2 not."])
    assert [line.partition(" was not moved: ")[0] for line in err] == ["failed/gpttranslator/fr/secret.txt", path]
    assert [one.name for one in outside.iterdir()] == ["secret.txt"]
    assert (home.root / path).exists()


def test_a_root_without_its_marker_is_a_share_that_is_away(home: Home) -> None:
    """Below an empty mount point nothing is made and nothing is moved."""
    path = failed(home, "a.txt")
    (home.root / ".babeldrop").unlink()

    code, out, err = run(home, path)

    assert (code, out) == (2, [])
    assert err == [f"{home.root} has no marker (.babeldrop): the share is away, or no daemon has been here"]
    assert (home.root / path).exists()


def test_all_moves_everything_that_failed(home: Home) -> None:
    """Every provider, language and sub-folder; sidecars and hidden files stay."""
    failed(home, "a.txt")
    failed(home, "sub/b.txt", folder="de")
    failed(home, "c.mp4", "voicecheap", "es")
    home.file("failed/gpttranslator/fr/.hidden")

    code, out, _ = run(home, "--all")

    assert code == 0
    assert out[-1] == "3 files moved back."
    left = [path.name for path in (home.root / "failed").rglob("*") if path.is_file()]
    assert sorted(left) == [".hidden", "a.txt.error.json", "b.txt.error.json", "c.mp4.error.json"]


def test_all_can_be_narrowed_to_a_provider_and_a_reason(home: Home) -> None:
    """After an outage: only what failed for that reason, only there."""
    failed(home, "a.txt", code="submit.uncertain")
    failed(home, "b.txt", code="provider.failed")
    failed(home, "c.mp4", "voicecheap", "es", code="submit.uncertain")

    code, out, _ = run(home, "--all", "--provider", "gpttranslator", "--code", "submit.uncertain")

    assert code == 0
    assert out == ["failed/gpttranslator/fr/a.txt is back in inbox/gpttranslator/fr/", "1 file moved back."]


@pytest.mark.parametrize("arguments", [[], ["--all", "a.txt"], ["--code", "x", "a.txt"], ["--provider", "x"]])
def test_files_or_all_and_not_both(home: Home, arguments: list[str]) -> None:
    """A retry of everything never happens by accident."""
    failed(home, "a.txt")

    code, out, err = run(home, *arguments)

    assert (code, out) == (2, [])
    assert err == ["Name files, or say --all; --provider and --code belong to --all."]
