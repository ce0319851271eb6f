"""Sidecars and their sentences: the documented form, clean words for every code, and no code without words."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import daemon
from daemon import disk, errors, messages, names, sidecar
from daemon.errors import RejectedError, ServiceError, TransientError
from daemon.job import Job
from daemon.languages import Route
from daemon.providers.answers import fault
from daemon.replies import Answer
from tests.lives import START, Step, accepted, claimed, lived, submitting

ROUTE = Route(source="en", target="fr", source_wire="en", target_wire="fr")
FACTS = {
    "provider": "VoiceCheap",
    "inbox": "inbox/voicecheap/es",
    "reason": "The sound is too low.",
    "size": "41,000,000",
    "limit": "40,000,000 bytes",
    "extension": ".xyz",
    "extensions": ".mp3, .mp4",
    "suggestions": " (perhaps es-419)",
    "remote_id": "abc123",
    "deadline": "24 hours",
}


def failed_job(name: str = "sub/talk.mp4", *steps: Step) -> Job:
    error = RejectedError(
        "provider.failed",
        "Could not transcribe the audio. Try again.",
        provider_code="TRANSCRIPTION_FAILED",
        http_status=200,
    )
    said = sidecar.error_of(error, stage="poll", provider="VoiceCheap", inbox="inbox/voicecheap/es")
    return lived([claimed(name, "voicecheap"), *steps, ("failed", {"error": said})])


def written(folder: Path, job: Job) -> bytes:
    """A sidecar as it lies on disk."""
    parent = disk.open_root(str(folder))
    disk.write_json(parent, "x.error.json", sidecar.story(job, kind="voicecheap", route=ROUTE), 0o644)
    disk.close(parent)
    return (folder / "x.error.json").read_bytes()


# -- the form -------------------------------------------------------------------------------------------------------


def test_the_documented_form() -> None:
    """Every key of the schema, in its order, plain words first."""
    job = failed_job("sub/talk.mp4", submitting(), accepted(ref="abc123", cost=1.5))

    expected = {
        "what_happened": "VoiceCheap could not translate the file: Could not transcribe the audio. Try again.",
        "what_to_do": "Check the file, then move the file back into inbox/voicecheap/es to try again.",
        "file": "talk.mp4",
        "provider": "voicecheap",
        "kind": "voicecheap",
        "source_language": "en",
        "target_language": "fr",
        "error": {
            "code": "provider.failed",
            "stage": "poll",
            "retryable": False,
            "http_status": 200,
            "provider_code": "TRANSCRIPTION_FAILED",
            "provider_message": "Could not transcribe the audio. Try again.",
        },
        "job": "01hzy0000000000a",
        "remote_id": "abc123",
        "attempts": 1,
        "cost": 1.5,
        "dropped_at": "2026-01-31T07:59:58.250Z",
        "submitted_at": "2026-01-31T08:00:02.000Z",
        "failed_at": "2026-01-31T08:00:04.000Z",
        "sha256": "5e2f",
        "size": 12,
        "schema": 1,
    }

    # As texts, because the order is documented, too.
    assert json.dumps(sidecar.story(job, kind="voicecheap", route=ROUTE)) == json.dumps(expected)


def test_what_is_not_known_is_null() -> None:
    """A drop that was never sent has no reference, hash or cost; the folder says what was wanted."""
    story = sidecar.story(failed_job(), kind="voicecheap", route=None)
    empty = {key for key, value in story.items() if value is None}

    assert empty == {"source_language", "remote_id", "cost", "submitted_at", "sha256"}
    assert (story["target_language"], story["attempts"]) == ("fr", 0)


def test_several_references() -> None:
    """Every part's reference is named, so that a person can ask for each."""
    parts = [submitting(0, 2), accepted(0, "a"), submitting(1, 2), accepted(1, "b")]

    assert sidecar.story(failed_job("x.mp4", *parts), kind="k", route=ROUTE)["remote_id"] == "a, b"


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    """Its bytes appear as escapes, with all of them in hexadecimal beside; the file on disk is UTF-8."""
    story = json.loads(written(tmp_path, failed_job("sub/b\udcffd.mp4")).decode("utf-8"))

    assert (story["file"], story["file_hex"]) == (r"b\xffd.mp4", b"b\xffd.mp4".hex())
    assert list(story)[2:5] == ["file", "file_hex", "provider"]


def test_the_file_is_for_people(tmp_path: Path) -> None:
    """Indented, in the letters that people know."""
    text = written(tmp_path, failed_job("sub/Übung.mp4")).decode("utf-8")

    assert text.startswith('{\n  "what_happened": "VoiceCheap')
    assert '"file": "Übung.mp4"' in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("name", ["talk.mp4", "Übung.mp4", "b\udcffd.mp4", "a\nb.mp4", 'q"uote.mp4'])
def test_our_own_sidecars_are_known(tmp_path: Path, name: str) -> None:
    """By their content: it says whose job it is."""
    data = written(tmp_path, failed_job(name))

    assert sidecar.job_of(data) == "01hzy0000000000a"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'"what_happened"',
        b'{"schema": 1}',
        b'{"schema": 2, "what_happened": "x", "job": "a"}',
        b'{"schema": 1, "what_happened": "x", "job": 7}',
        b'{"schema": 1, "what_happened": "x"',
        b"[" * 100_000,
    ],
)
def test_other_files_are_not_ours(data: bytes) -> None:
    """A document that looks like a sidecar is translated like any other."""
    assert sidecar.job_of(data) is None


# -- what a service says --------------------------------------------------------------------------------------------


def test_foreign_words_are_cleaned_and_bounded() -> None:
    """No control character and no endless text gets into a sidecar, whichever way it comes."""
    error = TransientError(
        "service.error", "\x1b[31mbad\x1b[0m\u202e\n" + "x" * 5000, provider_code="E" * 500, facts={"limit": "\x07{x}"}
    )
    said = sidecar.error_of(error, stage="submit", provider="A\x00zure", inbox="inbox/az\nure/fr")
    texts = [value for value in said.values() if isinstance(value, str)]

    assert max(map(len, texts)) < 700
    assert all(names.clean(text, 10_000) == text for text in texts)
    assert (len(said["provider_message"]), len(said["provider_code"])) == (500, 100)
    assert said["what_happened"].startswith("A zure answers with an error of its own: bad x")


def test_words_in_braces_stay_words() -> None:
    """A service cannot reach into the sentences."""
    said = sidecar.error_of(
        RejectedError("submit.rejected", "{inbox} {0} {provider.__class__}"), stage="s", provider="P", inbox="I"
    )

    assert said["what_happened"] == "P did not take the file: {inbox} {0} {provider.__class__}."


def test_facts_of_the_error_count_most() -> None:
    """What is known nearer to the cause replaces what is known in general."""
    error = RejectedError("deadline.passed", facts={"deadline": "24 hours"})
    said = sidecar.error_of(error, stage="poll", provider="P", inbox="I", facts={"deadline": "?", "remote_id": "r7"})

    assert said["what_happened"] == "P accepted the file but has not finished it within 24 hours."
    assert "job r7." in said["what_to_do"]
    assert (said["provider_message"], said["provider_code"], said["http_status"]) == (None, None, None)


# -- the catalogue --------------------------------------------------------------------------------------------------

_UNCLEAN = re.compile(r"[{}]|  |\s[.,:;!](?!\w)|\.\.|[!?…:,;]\.|\(\)|: *$")


def assert_clean(sentence: str) -> None:
    """One or two plain sentences that begin and end like such."""
    assert re.fullmatch(r"[A-Z?].*[.!?…]", sentence), sentence
    assert not _UNCLEAN.search(sentence), sentence


@pytest.mark.parametrize("code", messages.CATALOGUE)
@pytest.mark.parametrize("left_out", [None, "all", *FACTS])
def test_every_code_has_clean_sentences(code: str, left_out: str | None) -> None:
    """With all facts, without any, and without each one."""
    facts = {} if left_out == "all" else {key: value for key, value in FACTS.items() if key != left_out}
    for sentence in messages.render(code, facts):
        assert_clean(sentence)


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("It is broken.", ": It is broken."),
        ("It is broken", ": It is broken."),
        ("It is broken!", ": It is broken!"),
        ("Is it broken?", ": Is it broken?"),
        ("and so on…", ": and so on…"),
        ("and so on...", ": and so on."),
        ("Error:", ": Error."),
        ("spaced . ", ": spaced."),
        ("", "."),
        ("   ", "."),
        (" . ", "."),
    ],
)
def test_reasons_end_the_sentence_once(reason: str, end: str) -> None:
    """However a service ends its words, ours end with one mark."""
    happened, _ = messages.render("submit.rejected", {"provider": "P", "reason": reason})

    assert happened == f"P did not take the file{end}"


@given(st.sampled_from(sorted(messages.CATALOGUE)), st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_words_end_as_a_sentence(code: str, words: str) -> None:
    """No words of a service leave a sentence without its end, or with two."""
    error = ServiceError(code, words)
    happened = sidecar.error_of(error, stage="s", provider="P", inbox="I", facts=FACTS)["what_happened"]

    assert re.search(r"[.!?…]$", happened)
    assert not re.search(r"[.!?…]\.$|\s\.$", happened)


def test_waiting_has_words_too() -> None:
    """Every reason to wait is one clean sentence; an unknown one of a newer version is repeated."""
    for code in [*messages.WAITING, *messages.CATALOGUE]:
        for facts in ({}, FACTS):
            assert_clean(messages.waiting(code, facts))

    assert messages.waiting("moon.full", {}) == "Moon.full."
    assert messages.waiting("result.cut: too short", {}) == "The result did not arrive whole: too short."


# -- no code without words, no words without code -------------------------------------------------------------------

_PACKAGE = Path(daemon.__file__).parent
_SERVICE_ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ServiceError)
}
_CODE = re.compile(rf"(?:{'|'.join(sorted({code.split('.')[0] for code in messages.CATALOGUE}))})\.[a-z_]+")


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(_PACKAGE.rglob("*.py")):
        inside = path.relative_to(_PACKAGE).as_posix()
        if not inside.startswith(("sandbox/", "texts/")) and inside != "messages.py":
            yield inside, ast.parse(path.read_text())


def _texts(tree: ast.AST) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_code_that_is_raised_has_words() -> None:
    """The first argument of each service error is a key of the catalogue, wherever it is made."""
    raised: dict[str, str] = {}
    computed: list[str] = []
    for path, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SERVICE_ERRORS:
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    raised[str(code.value)] = path
                else:
                    computed.append(path)
        if path.startswith("providers/"):
            # Adapters choose between codes; every word there that looks like one is one.
            raised |= dict.fromkeys(filter(_CODE.fullmatch, _texts(tree)), path)

    assert {code: path for code, path in raised.items() if code not in messages.CATALOGUE} == {}
    assert [path for path in computed if not path.startswith("providers/")] == []
    assert len(raised) > 15


def test_every_code_of_an_answer_has_words() -> None:
    """Whatever status a service answers with, there is something to say about it."""
    answers = [Answer(status=status, headers={}, body=b"") for status in range(100, 1000)]
    codes = {
        fault(answer, submit=submit, documented=documented).code
        for answer in answers
        for submit in (True, False)
        for documented in (True, False)
    }

    assert codes <= messages.CATALOGUE.keys()
    assert len(codes) > 5


def test_no_words_without_a_code() -> None:
    """What the catalogue says, something can raise."""
    used = set().union(*(_texts(tree) for _, tree in _sources()))

    assert messages.CATALOGUE.keys() - used == set()
    assert messages.WAITING.keys() - used == set()


def test_the_moment_of_the_failure(tmp_path: Path) -> None:
    """The sidecar is written later than the failure, after a restart perhaps, and says when it was."""
    job = replace(failed_job(), last_at=START + timedelta(hours=3))

    assert json.loads(written(tmp_path, job))["failed_at"] == "2026-01-31T11:00:00.000Z"
