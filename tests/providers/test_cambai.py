"""CAMB.AI over real sockets: what goes out, how every documented answer is taken, and the document put together."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from daemon.errors import (
    BlockedError,
    LostError,
    NoRoomError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from daemon.languages import Route, route_for
from daemon.originals import Original
from daemon.providers.base import Attempt, Failed, Fetched, Intent, Look, Lost, Part, Ready, Running, Unknown
from daemon.providers.cambai import CambAi
from daemon.providers.cambai_settings import Settings
from daemon.providers.cambai_texts import Reference
from daemon.sandbox.child import Running as Sandbox
from daemon.sandbox.child import start
from daemon.settings import Rate
from daemon.spool import Spool
from tests.rawserver import Exchange, RawServer, Script, answer, break_off, hang_up
from tests.sessions import session

KEY = "sandbox-key"
SUBMITTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JOB = "01jd3k5m7p9r1t3v"
TEXT = b"Hello world.\n\nDear {name}, how are you?\n"
FRENCH = "[fr-fr] Ĥéļļö ŵöŕļđ.\n\nĐéáŕ {name}, ĥöŵ áŕé ýöü?\n".encode()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with start(tmp_path_factory.mktemp("cambai")) as running:
        yield running


class House:
    """A provider at a service, with a folder for what is dropped and for what comes back."""

    def __init__(self, folder: Path, base_url: str, *, windows: Mapping[str, Rate] | None = None, **more: Any) -> None:
        self.folder = folder
        self._open = ExitStack()
        known = {"base_url": base_url, "api_key": KEY, "source_language": "en", **more}
        self.settings = Settings.model_validate(known)
        way = session(base_url, windows=windows, auth=lambda: CambAi.credentials(self.settings))
        self.provider = CambAi(self.settings, self._open.enter_context(way))
        self.spool = Spool(str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def original(self, content: bytes, name: str = "note.txt") -> Original:
        path = self.folder / name
        path.write_bytes(content)
        original = Original(os.open(path, os.O_RDONLY), name, lambda: False)
        self._open.callback(original.close)
        return original

    def route(self, folder: str = "fr") -> Route:
        table = self.provider.capabilities.languages
        return route_for(folder, table=table, listed=(), default_source=self.settings.source_language)

    def prepare(
        self, content: bytes = TEXT, name: str = "note.txt", folder: str = "fr", accepted: Sequence[str | None] = ()
    ) -> list[Part]:
        stem, _, extension = name.rpartition(".")
        attempt = Attempt(job=JOB, number=1, sent_name=f"{stem}.{JOB}-1.{extension}", accepted=tuple(accepted))
        return list(self.provider.prepare(self.original(content, name), self.route(folder), attempt))

    def submit(self, content: bytes = TEXT, name: str = "note.txt") -> list[str]:
        """The references of all parts of a document."""
        refs = [self.provider.submit(part, None).ref for part in self.prepare(content, name)]
        return [ref for ref in refs if ref is not None]

    def look(self, ref: str) -> Look | ServiceError:
        return self.provider.poll([ref])[ref]

    def ready(self, ref: str) -> str:
        look = self.look(ref)
        assert isinstance(look, Ready), look
        assert look.ref is not None
        return look.ref

    def fetch(self, *refs: str) -> list[bytes | ServiceError]:
        """What each of the references gives, fetched with one call."""
        with ExitStack() as open_sinks:
            sinks = [open_sinks.enter_context(self.spool.sink("job", index)) for index in range(len(refs))]
            answers = self.provider.fetch(list(zip(refs, sinks, strict=True)))
            for sink, one in zip(sinks, answers, strict=True):
                if isinstance(one, Fetched):
                    sink.finish()
        return [self.spool.part("job", index) if isinstance(one, Fetched) else one for index, one in enumerate(answers)]

    def through(self, content: bytes, name: str = "note.txt") -> bytes:
        """The whole way of one document."""
        results = self.fetch(*(self.ready(ref) for ref in self.submit(content, name)))
        whole = [result for result in results if isinstance(result, bytes)]
        assert len(whole) == len(results), results
        return self.provider.assemble(self.original(content, name), whole)


@pytest.fixture
def house(tmp_path: Path, sandbox: Sandbox) -> Iterator[House]:
    with House(tmp_path, sandbox.base_url("cambai")) as one:
        yield one


def site(**answers: Script) -> Script:
    """One script for each path; the key is its first two words, `get_translate` for `GET /translate/7`."""

    def script(exchange: Exchange) -> None:
        path = exchange.target.strip("/").split("/")[0].replace("-", "_")
        answers[f"{exchange.method.lower()}_{path}"](exchange)

    return script


def sent(server: RawServer) -> list[tuple[str, str]]:
    return [(one.method, one.target) for one in server.requests]


def body_of(exchange: Exchange) -> Any:
    return json.loads(bytes(exchange.body))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[..., tuple[House, RawServer]]]:
    """A provider at a server that answers as a test says."""
    with ExitStack() as stack:

        def build(script: Script, **more: Any) -> tuple[House, RawServer]:
            server = stack.enter_context(RawServer(script))
            return stack.enter_context(House(tmp_path, server.origin, **more)), server

        yield build


At = Callable[..., tuple[House, RawServer]]


def ready_refs(*runs: int, texts: int = 1) -> list[str]:
    return [str(Reference.of(f"task-{run}", ["Hello"] * texts, 3000, 100).with_run(run)) for run in runs]


# -- through the simulated service ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("note.txt", TEXT, FRENCH),
        ("note.md", b"# Hello\n\nSee [it](https://e.org/a).\n", "# [fr-fr] Ĥéļļö\n\nŠéé [íţ](https://e.org/a).\n".encode()),
        ("a.srt", b"1\n00:01 --> 00:02\nHi you\n", "1\n00:01 --> 00:02\n[fr-fr] Ĥí ýöü\n".encode()),
        ("a.json", b'{"key": "Hello", "n": 1}', b'{"key": "[fr-fr] \\u0124\\u00e9\\u013c\\u013c\\u00f6", "n": 1}'),
        ("a.html", b"<p>Hello <b>you</b></p>", "<p>[fr-fr] Ĥéļļö <b>ýöü</b></p>".encode("ascii", "xmlcharrefreplace")),
    ],
)  # fmt: skip
def test_document_comes_back_translated(house: House, name: str, content: bytes, expected: bytes) -> None:
    """A document of each kind goes out as texts and comes back with everything else in its place."""
    assert house.through(content, name) == expected


def test_word_document_comes_back_translated(house: House) -> None:
    """A Word document keeps its archive and gets the translated text."""
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    xml = f'<w:document xmlns:w="{space}"><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p></w:body></w:document>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("word/document.xml", xml)
        archive.writestr("word/other.bin", b"\0\1")
    with zipfile.ZipFile(io.BytesIO(house.through(packed.getvalue(), "note.docx"))) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}

    assert found["word/document.xml"].decode() == xml.replace("Hello", "[fr-fr] Ĥéļļö")
    assert found["word/other.bin"] == b"\0\1"


def test_one_task_is_one_line_in_the_ledger(house: House, sandbox: Sandbox) -> None:
    """A small document is one task under the name that is sent, and costs the characters that were sent."""
    [part] = house.prepare()
    accepted = house.provider.submit(part, None)
    entry = sandbox.ledger()[-1]

    assert entry["file"] == f"note.{JOB}-1.txt"
    assert (entry["accepted"], entry["source"], entry["target"]) == (True, "1", "76")
    assert (accepted.ref or "").startswith(f"{entry['remote_id']};texts=2;limit=3000;check=")
    assert accepted.cost == len("Hello world.") + len("Dear {name}, how are you?")


def test_long_document_is_several_tasks(tmp_path: Path, sandbox: Sandbox) -> None:
    """Beyond the limits a document becomes several tasks, and one document again."""
    content = b"First line here.\nSecond line here.\nThird one. And a very long fourth. Fifth.\n"
    with House(tmp_path, sandbox.base_url("cambai"), max_texts=2, max_characters=34) as house:
        before = len(sandbox.ledger())
        translated = house.through(content)
        entries = sandbox.ledger()[before:]

    assert [entry["file"] for entry in entries] == [f"note.{JOB}-1.txt ({number} of 3)" for number in (1, 2, 3)]
    assert translated.decode().replace("[fr-fr] ", "") == (
        "Fíŕšţ ļíñé ĥéŕé.\nŠéçöñđ ļíñé ĥéŕé.\nŢĥíŕđ öñé. Áñđ á véŕý ļöñĝ föüŕţĥ. Fífţĥ.\n"
    )


def test_same_parts_after_a_restart(tmp_path: Path, sandbox: Sandbox) -> None:
    """Preparing the same document again gives the same tasks."""
    content = b"".join(b"Line number %d is here. And it goes on. \n" % number for number in range(50))
    with House(tmp_path, sandbox.base_url("cambai"), max_texts=7, max_characters=100) as house:
        first, second = house.prepare(content), house.prepare(content)

    assert [part.payload for part in first] == [part.payload for part in second]
    assert [(part.index, part.of) for part in first] == [(index, len(first)) for index in range(len(first))]
    assert all(len(part.payload.texts) <= 7 and sum(map(len, part.payload.texts)) <= 100 for part in first)


def test_a_document_goes_on_as_it_was_cut(tmp_path: Path, sandbox: Sandbox) -> None:
    """With other limits in the settings the parts still missing are those of the first cut, and fit the paid ones."""
    content = b"".join(b"Line number %d is here. And it goes on.\n" % number for number in range(30))
    with House(tmp_path, sandbox.base_url("cambai"), max_texts=4, max_characters=100) as house:
        first = house.prepare(content)
        paid = [house.provider.submit(first[index], None).ref for index in (0, 2)]
        ready = [house.ready(ref or "") for ref in paid]
    with House(tmp_path, sandbox.base_url("cambai"), max_texts=5, max_characters=120) as house:
        anew = house.prepare(content)
        second = house.prepare(content, accepted=[None, None, ready[1], *[None] * (len(first) - 3)])
        rest = [house.ready(house.provider.submit(part, None).ref or "") for part in second]
        results = [house.fetch(ref)[0] for ref in [ready[0], rest[1], ready[1], *rest[3:]]]
        whole = house.provider.assemble(house.original(content), [one for one in results if isinstance(one, bytes)])

    assert [part.payload for part in second] == [part.payload for part in first]
    assert [part.payload.texts for part in anew] != [part.payload.texts for part in first]
    assert whole.count(b"\n") == content.count(b"\n")


def test_a_mark_tells_what_fits(house: House, tmp_path: Path, sandbox: Sandbox) -> None:
    """A reference bears the mark of its own texts under its own limits, also when it has been told its run."""
    content = b"One line here.\nTwo lines here.\nThree lines.\n"
    with House(tmp_path, sandbox.base_url("cambai"), max_texts=1) as small:
        parts = small.prepare(content)
        ref = small.ready(small.provider.submit(parts[1], None).ref or "")
    others = [*house.prepare(content), *house.prepare(b"Two lines here?\n")]

    assert [part.mark in ref for part in parts] == [False, True, False]
    assert [part.mark in ref for part in others] == [False, False]


@pytest.mark.parametrize("ref", ["task-1", "t;texts=3", "t;texts=3;limit=3000;check=1a2b3c4d", ";;limit=0;most=x"])
def test_a_reference_that_tells_no_limits_leaves_them_to_the_settings(house: House, ref: str) -> None:
    """What was written by hand or before limits were kept is no reason to stop; whether it fits is seen by its mark."""
    [usual], [part] = house.prepare(), house.prepare(accepted=[ref])

    assert part.payload == usual.payload
    assert part.mark not in ref


def test_results_of_several_documents_come_together(house: House, sandbox: Sandbox) -> None:
    """Results of three documents are fetched with one request and stay apart."""
    refs = [house.ready(house.submit(word)[0]) for word in (b"One\n", b"Two\n", b"Three\n")]
    before = sandbox.requests()["cambai"]["fetch"]["count"] if "fetch" in sandbox.requests()["cambai"] else 0
    results = [json.loads(one)["texts"] for one in house.fetch(*refs) if isinstance(one, bytes)]

    assert results == [["[fr-fr] Öñé"], ["[fr-fr] Ţŵö"], ["[fr-fr] Ţĥŕéé"]]
    assert sandbox.requests()["cambai"]["fetch"]["count"] == before + 1


@pytest.mark.parametrize(
    ("token", "requests"),
    [("alone", 2), ("wrapped", 1), ("groups", 4), ("groups-3", 1), ("html-1", 2)],
)
def test_a_bad_one_costs_nobody_its_result(house: House, sandbox: Sandbox, token: str, requests: int) -> None:
    """What is missing in a bulk answer, or makes it refused, is asked for alone; the others are there."""
    names = [f"one~{token}.txt", "two.txt", "three.txt"]
    refs = [house.ready(house.submit(b"Words\n", name)[0]) for name in names]
    before = sandbox.requests()["cambai"].get("fetch", {"count": 0})["count"]
    results = house.fetch(*refs)

    assert [isinstance(one, bytes) for one in results] == [token != "html-1", True, True]
    assert sandbox.requests()["cambai"]["fetch"]["count"] == before + requests


def test_misbehaving_result_is_fetched_again(house: House) -> None:
    """A page instead of texts is an error that can be tried again, and then the texts are there."""
    ref = house.ready(house.submit(TEXT, "note~html-1.txt")[0])
    [first], [second] = house.fetch(ref), house.fetch(ref)

    assert isinstance(first, TransientError)
    assert first.code == "result.wrong"
    assert isinstance(second, bytes)


def test_wrong_count_is_never_a_shifted_document(house: House) -> None:
    """A result with one text less is an error, alone and among others, which come."""
    refs = [house.ready(house.submit(TEXT, name)[0]) for name in ("a~short.txt", "b.txt", "c.txt")]
    [alone], [grouped, *others] = house.fetch(refs[0]), house.fetch(*refs)

    for error in (alone, grouped):
        assert isinstance(error, TransientError)
        assert (error.code, error.provider_message) == ("result.wrong", "1 texts came back for 2")
    assert all(isinstance(one, bytes) for one in others)


def test_lost_placeholder_keeps_its_sentence(house: House) -> None:
    """A text that came back without its placeholder stays in the original's language."""
    assert house.through(TEXT, "note~lossy.txt") == "[fr-fr] Ĥéļļö ŵöŕļđ.\n\nDear {name}, how are you?\n".encode()


def test_nothing_but_lost_placeholders_is_an_error(house: House) -> None:
    """A document of which nothing came back usable is not delivered as its own translation."""
    with pytest.raises(RejectedError) as caught:
        house.through(b"Dear {name}\n", "note~lossy.txt")

    assert caught.value.code == "result.unusable"


@pytest.mark.parametrize(
    ("token", "code", "words"),
    [
        ("fail", "PROCESSING_ERROR", "The texts could not be translated."),
        ("fail-408", "TIMEOUT", "The texts could not be translated."),
        ("fail-500", "INTERNAL_ERROR", "The texts could not be translated."),
        ("nested", "PROCESSING_ERROR", "The texts could not be translated."),
    ],
)
def test_failed_task_tells_why(house: House, token: str, code: str, words: str) -> None:
    """A task that the service calls failed is failed, with the service's reason and words."""
    look = house.look(house.submit(TEXT, f"note~{token}.txt")[0])

    assert isinstance(look, Failed)
    assert isinstance(look.error, RejectedError)
    assert (look.error.code, look.error.provider_code) == ("provider.failed", code)
    assert look.error.provider_message == words


def test_unpaid_task_blocks_the_account(house: House) -> None:
    """PAYMENT_REQUIRED fails the task and says that the account is to blame."""
    look = house.look(house.submit(TEXT, "note~fail-402.txt")[0])

    assert isinstance(look, Failed)
    assert isinstance(look.error, BlockedError)
    assert (look.error.code, look.error.provider_code) == ("account.blocked", "PAYMENT_REQUIRED")


def test_success_without_its_run_is_not_ready(house: House) -> None:
    """A success that tells no run yet is looked at again, and is no unknown word."""
    [ref] = house.submit(TEXT, "note~early-2.txt")
    looks = [house.look(ref) for _ in range(2)]

    assert looks == [Running(word="success")] * 2
    assert "success" in house.provider.capabilities.running_words
    assert house.ready(ref).startswith(f"{ref};run=")


def test_odd_words_mean_running(house: House) -> None:
    """A word of no document is told, in small letters, and means that the task goes on."""
    [ref] = house.submit(TEXT, "note~odd-1.txt")

    assert house.look(ref) == Running(word="polishing")
    assert isinstance(house.look(ref), Ready)


def test_unknown_task_is_lost(house: House) -> None:
    """A reference that the service does not know is lost, whether the task was or never was."""
    [ref] = house.submit(TEXT, "note~vanish.txt")

    assert isinstance(house.look(ref), Lost)
    assert isinstance(house.look("no-such-task"), Lost)


def test_one_bad_reference_hides_no_other(house: House) -> None:
    """A batch of looks has an entry for each reference."""
    [good], bad = house.submit(), "no-such-task"
    looks = house.provider.poll([bad, good])

    assert isinstance(looks[bad], Lost)
    assert isinstance(looks[good], Ready)


def test_known_run_is_looked_at_by_its_result(house: House, sandbox: Sandbox) -> None:
    """A reference whose run is known is ready while its result is there, whatever became of the task."""
    known = house.ready(house.submit()[0])
    forgotten = str(Reference.read(known.replace(Reference.read(known).task, "forgotten")))
    gone = str(Reference.read(known).with_run(999_999_999))
    before = sandbox.requests()["cambai"]["status"]["count"]

    assert house.look(forgotten) == Ready()
    assert isinstance(house.look(gone), Lost)
    assert sandbox.requests()["cambai"]["status"]["count"] == before


@pytest.mark.parametrize("token", ["absent", "absent~alone"])
def test_gone_result_is_lost(house: House, token: str) -> None:
    """A result that is not there says that the status should be asked again."""
    ref = house.ready(house.submit(TEXT, f"note~{token}.txt")[0])
    [error] = house.fetch(ref)

    assert isinstance(error, LostError)
    assert error.code == "result.gone"


def test_task_without_a_run_has_no_result(house: House) -> None:
    """A reference whose run was never told gives nothing, and no request."""
    [error] = house.fetch(house.submit()[0])

    assert isinstance(error, LostError)


def test_results_outlive_other_settings(tmp_path: Path, sandbox: Sandbox) -> None:
    """What was sent under other limits is put together as it was sent."""
    base, content = sandbox.base_url("cambai"), b"First one. Second one. Third one.\n"
    with House(tmp_path, base, max_characters=12) as before:
        results = [one for one in before.fetch(*map(before.ready, before.submit(content))) if isinstance(one, bytes)]
        expected = before.provider.assemble(before.original(content), results)
    with House(tmp_path, base, max_characters=3000) as after:
        found = after.provider.assemble(after.original(content), results)

    assert len(results) == 3
    assert found == expected


def test_changed_original_is_never_mixed_up(house: House) -> None:
    """A result is not put into a document with other texts, though it has as many of them."""
    [result] = house.fetch(house.ready(house.submit(b"One\nTwo\n")[0]))
    assert isinstance(result, bytes)
    with pytest.raises(RejectedError, match="no longer the text that was sent"):
        house.provider.assemble(house.original(b"Two\nOne\n"), [result])
    with pytest.raises(RejectedError, match="2 texts came back for 3"):
        house.provider.assemble(house.original(b"One\nTwo\nThree\n"), [result])
    with pytest.raises(RejectedError, match="no longer the text that was sent"):
        house.provider.assemble(house.original(b"One\n"), [result])


# -- before anything is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [("note.txt", b"\n 42 \n"), ("a.json", b'{"n": 1, "u": "https://example.com"}'), ("a.md", b"```\ncode\n```\n")],
)
def test_document_without_text_is_refused(house: House, sandbox: Sandbox, name: str, content: bytes) -> None:
    """A document in which there is nothing to translate costs nothing."""
    before = len(sandbox.ledger())
    with pytest.raises(RejectedError) as caught:
        house.prepare(content, name)

    assert caught.value.code == "drop.no_text"
    assert len(sandbox.ledger()) == before


@pytest.mark.parametrize(("name", "content"), [("a.docx", b"no archive"), ("a.json", b"{"), ("a.txt", b"a\0b")])
def test_damaged_document_is_refused(house: House, name: str, content: bytes) -> None:
    """A document that cannot be taken apart is refused, with the reason."""
    with pytest.raises(RejectedError) as caught:
        house.prepare(content, name)

    assert caught.value.code == "drop.damaged"
    assert caught.value.provider_message


def test_language_without_a_number_is_refused(house: House) -> None:
    """A listed name that has no number cannot be sent as one."""
    route = Route(source="en-US", source_wire="1", target="fr-LU", target_wire="fr-LU")
    attempt = Attempt(job=JOB, number=1, sent_name="note.txt")
    with pytest.raises(RejectedError) as caught:
        house.provider.prepare(house.original(TEXT), route, attempt)

    assert caught.value.code == "language.unknown"
    assert "fr-LU" in (caught.value.provider_message or "")


# -- what goes out --------------------------------------------------------------------------------------------


def test_body_is_the_documented_one(at: At) -> None:
    """Numbers for languages, the texts in order, the options in their types, the document's name at the end."""
    house, server = at(
        site(post_translate=answer(200, {"task_id": "t-1"})),
        options={"project_name": "Inbox", "formality": 1, "chosen_dictionaries": "4, 5", "folder_id": "7"},
    )
    [ref] = house.submit()
    request = server.request()

    assert (request.method, request.target, request.headers["x-api-key"]) == ("POST", "/translate", KEY)
    assert body_of(request) == {
        "source_language": 1,
        "target_language": 76,
        "texts": ["Hello world.", "Dear {name}, how are you?"],
        "project_name": f"Inbox note.{JOB}-1.txt",
        "formality": 1,
        "chosen_dictionaries": [4, 5],
        "folder_id": 7,
    }
    assert ref.startswith("t-1;")


def test_tags_are_sent_by_setting(at: At) -> None:
    """With language_ids: str locale tags go out, and `auto` where no source is configured."""
    house, server = at(site(post_translate=answer(200, {"task_id": 7})), language_ids="str", source_language=None)
    [ref] = house.submit()
    body = body_of(server.request())

    assert (body["source_language"], body["target_language"]) == ("auto", "fr-fr")
    assert ref.startswith("7;")


def test_half_a_surrogate_pair_can_be_sent(at: At) -> None:
    """A text that UTF-8 has no form for is sent without what cannot be sent."""
    house, server = at(site(post_translate=answer(200, {"task_id": "t"})))
    house.submit(b'{"a": "Hi \\ud83d there"}', "a.json")

    assert body_of(server.request())["texts"] == ["Hi ? there"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"detail": "no"}, BlockedError, "account.key"),
        (402, {"detail": "no"}, BlockedError, "account.blocked"),
        (403, {"detail": "no"}, BlockedError, "account.blocked"),
        (413, b"<html>", RejectedError, "submit.rejected"),
        (422, {"detail": [{"loc": ["body"], "msg": "Too long"}]}, RejectedError, "submit.rejected"),
        (400, {"detail": [{"loc": ["body"], "msg": "no", "type": "x"}]}, RejectedError, "submit.rejected"),
        (400, {"detail": "no"}, UncertainError, "submit.uncertain"),
        (404, b"", UncertainError, "submit.uncertain"),
        (429, b"slow down", ThrottledError, "account.throttled"),
        (500, {"detail": "oops"}, UncertainError, "submit.uncertain"),
        (502, b"<html>", UncertainError, "submit.uncertain"),
        (200, {}, UncertainError, "submit.uncertain"),
        (200, {"task_id": None}, UncertainError, "submit.uncertain"),
        (200, {"task_id": ""}, UncertainError, "submit.uncertain"),
        (200, ["t-1"], UncertainError, "submit.uncertain"),
        (200, b"ok", UncertainError, "submit.uncertain"),
        (307, b"", UncertainError, "submit.uncertain"),
    ],
)  # fmt: skip
def test_every_answer_to_a_submission_has_its_class(
    at: At, status: int, body: object, kind: type[ServiceError], code: str
) -> None:
    """Only what is proof of a refusal counts as one; a success without an id is none."""
    house, server = at(site(post_translate=answer(status, body)))
    with pytest.raises(kind) as caught:
        house.submit()

    assert caught.value.code == code
    assert sent(server) == [("POST", "/translate")]


def test_complaint_of_the_service_is_told(at: At) -> None:
    """The message of the documented 422 is what people read."""
    detail = [{"loc": ["body", "texts"], "msg": "Too long", "type": "x"}, {"loc": [], "msg": "Too many", "type": "x"}]
    house, _ = at(site(post_translate=answer(422, {"detail": detail})))
    with pytest.raises(RejectedError, match="Too long; Too many"):
        house.submit()


@pytest.mark.parametrize("script", [hang_up, break_off])
def test_lost_answer_is_uncertain_and_not_repeated(at: At, script: Script) -> None:
    """When the connection ends without an answer nobody knows, and nothing is sent again."""
    house, server = at(script)
    with pytest.raises(UncertainError):
        house.submit()

    assert sent(server) == [("POST", "/translate")]


def test_refused_connection_is_not_sent(tmp_path: Path) -> None:
    """Where nobody listens nothing was taken."""
    with House(tmp_path, "http://127.0.0.1:9") as house, pytest.raises(TransientError):
        house.submit()


# -- statuses -------------------------------------------------------------------------------------------------


REF = "t-1;texts=2;limit=3000;check=00000000;most=100"


@pytest.mark.parametrize(
    ("status", "body", "look"),
    [
        (200, {"status": "PENDING"}, Running(word="pending")),
        (200, {"status": " pending "}, Running(word="pending")),
        (200, {"status": "SUCCESS", "run_id": 7}, Ready(ref=f"{REF};run=7")),
        (200, {"status": "success", "run_id": "7"}, Ready(ref=f"{REF};run=7")),
        (500, {"status": "SUCCESS", "run_id": 7}, Ready(ref=f"{REF};run=7")),
        (200, {"status": "SUCCESS", "run_id": None}, Running(word="success")),
        (200, {"status": "SUCCESS", "run_id": 0}, Running(word="success")),
        (200, {"status": "SUCCESS", "run_id": True}, Running(word="success")),
        (200, {"status": "SUCCESS", "run_id": "7/../8"}, Running(word="success")),
        (200, {"status": "QUEUED"}, Running(word="queued")),
        (200, {"status": ""}, Running(word="")),
    ],
)
def test_states_are_read(at: At, status: int, body: object, look: Look) -> None:
    """Each word has its meaning, whatever its case and the HTTP code above it."""
    house, server = at(site(get_translate=answer(status, body)))

    assert house.look(REF) == look
    assert sent(server) == [("GET", "/translate/t-1")]


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"status": "ERROR"}, "ERROR", "error"),
        ({"status": "TIMEOUT", "exception_reason": "NONE"}, "TIMEOUT", "timeout"),
        ({"status": "ERROR", "exception_reason": "SOURCE_TOO_LONG"}, "SOURCE_TOO_LONG", "source too long"),
        ({"status": "failed", "exception_reason": None, "message": "Sorry"}, "FAILED", "Sorry"),
        ({"status": "ERROR", "message": {"detail": "Sorry"}}, "ERROR", "Sorry"),
        ({"status": "ERROR", "message": {"étape": 3}}, "ERROR", '{"étape": 3}'),
        ({"status": "ERROR", "message": ""}, "ERROR", "error"),
        ({"status": "ERROR", "message": 3, "exception_reason": 4}, "ERROR", "error"),
    ],
)  # fmt: skip
def test_reasons_are_read(at: At, body: object, code: str, words: str) -> None:
    """A failure tells a code and words, whichever of its open fields are there."""
    house, _ = at(site(get_translate=answer(200, body)))
    look = house.look(REF)

    assert isinstance(look, Failed)
    assert (look.error.provider_code, look.error.provider_message) == (code, words)


@pytest.mark.parametrize(
    "body",
    [{"status": "PAYMENT_REQUIRED"}, {"status": "ERROR", "exception_reason": "PAYMENT_REQUIRED", "message": "Pay"}],
)
def test_payment_is_the_accounts_fault(at: At, body: object) -> None:
    """The word for missing credit blocks the account, as a status and as a reason."""
    house, _ = at(site(get_translate=answer(200, body)))
    look = house.look(REF)

    assert isinstance(look, Failed)
    assert isinstance(look.error, BlockedError)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"detail": "no"}, BlockedError),
        (429, b"", ThrottledError),
        (500, {"detail": "oops"}, TransientError),
        (200, b"<html>", TransientError),
        (200, {"run_id": 7}, TransientError),
        (200, {"status": 3}, TransientError),
        (503, {"status": "error", "message": "upstream"}, TransientError),
        (500, {"status": "QUEUED"}, TransientError),
    ],
)
def test_no_status_is_no_look(at: At, status: int, body: object, kind: type[ServiceError]) -> None:
    """An answer without a state says nothing about the task."""
    house, _ = at(site(get_translate=answer(status, body)))

    assert isinstance(house.look(REF), kind)


@pytest.mark.parametrize("status", [404, 410, 422])
def test_unknown_id_is_lost(at: At, status: int) -> None:
    """An id that the service does not know, or does not take for one, is lost."""
    house, _ = at(site(get_translate=answer(status, {"detail": "no"})))

    assert isinstance(house.look(REF), Lost)


# -- results --------------------------------------------------------------------------------------------------


def alone(exchange: Exchange) -> None:
    """Any run asked for alone has one text, which is its number."""
    answer(200, {"texts": [exchange.target.rpartition("/")[2]]})(exchange)


def texts_in(results: list[bytes | ServiceError]) -> list[object]:
    return [json.loads(one)["texts"] if isinstance(one, bytes) else one for one in results]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_groups_have_three_to_five(at: At, count: int) -> None:
    """Three to five results are one request, one or two are asked for alone."""
    runs = list(range(11, 11 + count))
    together = answer(200, {str(run): {"texts": [str(run)]} for run in runs})
    house, server = at(site(post_translation_results=together, get_translation_result=alone))
    results = house.fetch(*ready_refs(*runs))

    assert texts_in(results) == [[str(run)] for run in runs]
    if count >= 3:
        assert sent(server) == [("POST", "/translation-results")]
        assert body_of(server.request()) == {"run_ids": runs}
    else:
        assert sent(server) == [("GET", f"/translation-result/{run}") for run in runs]


def test_bulk_can_be_switched_off(at: At) -> None:
    """With bulk_results: false every result is asked for alone."""
    house, server = at(site(get_translation_result=alone), bulk_results=False)

    assert texts_in(house.fetch(*ready_refs(1, 2, 3))) == [["1"], ["2"], ["3"]]
    assert {method for method, _ in sent(server)} == {"GET"}


@pytest.mark.parametrize(
    "body",
    [
        {"1": {"texts": ["1"]}, "2": {"texts": ["2"]}, "3": {"texts": ["3"]}},
        {"results": {"1": {"texts": ["1"]}, "2": {"texts": ["2"]}, "3": {"texts": ["3"]}}},
        {"results": {"3": ["3"], "1": ["1"], "2": ["2"]}},
        {"2": {"texts": ["2"], "more": 1}, "1": ["1"], "3": ["3"], "9": {"texts": ["9"]}},
    ],
)
def test_every_form_of_a_bulk_answer_is_read(at: At, body: object) -> None:
    """The bare map and the one under `results`, objects and bare lists, in any order."""
    house, server = at(site(post_translation_results=answer(200, body)))

    assert texts_in(house.fetch(*ready_refs(1, 2, 3))) == [["1"], ["2"], ["3"]]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body", [{}, [], {"results": None}, {"results": []}, {"1": None, "2": {}, "3": {"texts": [1]}}, b"<html>", "texts"]
)
def test_what_is_missing_is_asked_for_alone(at: At, body: object) -> None:
    """A bulk answer that has none of the texts leads to a request for each."""
    house, server = at(site(post_translation_results=answer(200, body), get_translation_result=alone))

    assert texts_in(house.fetch(*ready_refs(1, 2, 3))) == [["1"], ["2"], ["3"]]
    assert len(server.requests) == 4


@pytest.mark.parametrize("script", [*(answer(status, b"") for status in (400, 403, 404, 422, 500)), hang_up])
def test_refused_group_is_asked_for_one_by_one(at: At, script: Script) -> None:
    """Whatever keeps a group from coming, one bad run in it costs the others nothing."""

    def some(exchange: Exchange) -> None:
        (answer(404, {"detail": "no"}) if exchange.target.endswith("/2") else alone)(exchange)

    house, _ = at(site(post_translation_results=script, get_translation_result=some))
    first, second, third = texts_in(house.fetch(*ready_refs(1, 2, 3)))

    assert (first, third) == (["1"], ["3"])
    assert isinstance(second, LostError)


@pytest.mark.parametrize(("status", "kind"), [(401, BlockedError), (402, BlockedError), (429, ThrottledError)])
def test_what_holds_for_all_is_not_asked_again(at: At, status: int, kind: type[ServiceError]) -> None:
    """A bad key and too many requests are no reason for more requests."""
    house, server = at(site(post_translation_results=answer(status, b"")))
    results = house.fetch(*ready_refs(1, 2, 3))

    assert all(isinstance(one, kind) for one in results)
    assert len(server.requests) == 1


def test_same_run_twice_is_asked_for_once(at: At) -> None:
    """Two jobs that wait for the same paid result both get it from one request."""
    house, server = at(site(get_translation_result=alone))

    assert texts_in(house.fetch(*ready_refs(7, 7))) == [["7"], ["7"]]
    assert sent(server) == [("GET", "/translation-result/7")]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, {"detail": "no"}, LostError, "result.gone"),
        (410, b"", LostError, "result.gone"),
        (422, {"detail": [{"msg": "no"}]}, LostError, "result.gone"),
        (401, {"detail": "no"}, BlockedError, "account.key"),
        (429, b"", ThrottledError, "account.throttled"),
        (500, b"", TransientError, "service.error"),
        (200, b"<html>", TransientError, "result.wrong"),
        (200, b"", TransientError, "result.wrong"),
        (200, {"texts": None}, TransientError, "result.wrong"),
        (200, {"texts": ["1", None]}, TransientError, "result.wrong"),
        (200, {"texts": []}, TransientError, "result.wrong"),
        (200, {"texts": ["1", "2"]}, TransientError, "result.wrong"),
    ],
)
def test_every_answer_to_a_fetch_has_its_class(
    at: At, status: int, body: object, kind: type[ServiceError], code: str
) -> None:
    """Only a whole list of as many texts as were sent is a result."""
    house, _ = at(site(get_translation_result=answer(status, body)))
    [error] = house.fetch(*ready_refs(1))

    assert isinstance(error, kind)
    assert error.code == code


def test_full_window_loses_nothing_that_came(at: At) -> None:
    """When the account's window is full the results that came are kept, the others come later."""
    house, _ = at(site(get_translation_result=alone), windows={"fetch": Rate(requests=1, per=60.0)})
    first, second = texts_in(house.fetch(*ready_refs(1, 2)))

    assert first == ["1"]
    assert isinstance(second, TransientError)
    with pytest.raises(NoRoomError):
        house.fetch(*ready_refs(1, 2))


# -- the key, the languages, the rest -------------------------------------------------------------------------


def test_languages_are_learnt(house: House) -> None:
    """After a check the service's own lists are used, in place of the built-in one."""
    before = house.provider.capabilities
    house.provider.check()
    after = house.provider.capabilities

    assert "fr-LU" not in before.languages.targets
    assert after.languages.targets["fr-LU"] == "152"
    assert house.route("fr-LU").target_wire == "152"
    assert (after.fetch_batch, after.assembles) == (before.fetch_batch, before.assembles)


def test_learnt_languages_stay_the_same(house: House) -> None:
    """A second check that tells the same changes nothing, so that what was found out by routes stays known."""
    house.provider.check()
    once = house.provider.capabilities
    house.provider.check()

    assert house.provider.capabilities is once


def test_built_in_list_is_the_fall_back(at: At) -> None:
    """Lists whose entries cannot be read prove that the key is good, and leave the built-in list as it is."""
    script = answer(200, [{"number": 1, "name": "French"}])
    house, server = at(site(get_source_languages=script, get_target_languages=script))
    house.provider.check()

    assert house.route().target_wire == "76"
    assert sorted(sent(server)) == [("GET", "/source-languages"), ("GET", "/target-languages")]


@pytest.mark.parametrize("script", [answer(200, b"<html>"), answer(200, {}), answer(200, []), answer(404, b"")])
def test_no_list_is_no_proof(at: At, script: Script) -> None:
    """What is no list at all says nothing about the key, and the built-in list stays."""
    house, _ = at(site(get_source_languages=script, get_target_languages=script))
    with pytest.raises(TransientError):
        house.provider.check()

    assert house.route().target_wire == "76"


def test_the_two_lists_are_two(at: At) -> None:
    """Sources and targets may differ."""
    house, _ = at(
        site(
            get_source_languages=answer(200, [{"id": 1, "short_name": "en-us"}]),
            get_target_languages=answer(200, [{"id": 700, "short_name": "fr-fr"}]),
        )
    )
    house.provider.check()
    found = house.route()

    assert (found.source_wire, found.target_wire) == ("1", "700")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, BlockedError), (402, BlockedError), (403, BlockedError), (429, ThrottledError), (503, TransientError)],
)
def test_check_tells_what_is_wrong(at: At, status: int, kind: type[ServiceError]) -> None:
    """A check fails where the service would not work for the key."""
    script = answer(status, {"detail": "no"})
    house, _ = at(site(get_source_languages=script, get_target_languages=script))
    with pytest.raises(kind):
        house.provider.check()


def test_check_costs_nothing(house: House, sandbox: Sandbox) -> None:
    """A check submits nothing."""
    before = len(sandbox.ledger())
    house.provider.check()

    assert len(sandbox.ledger()) == before


def test_nothing_can_be_recovered_or_removed(house: House) -> None:
    """The service has no list to look into and nothing to delete, and is not asked."""
    now = house.provider
    attempt = Attempt(job=JOB, number=1, sent_name="note.txt")
    intent = Intent(attempt=attempt, part=0, route=house.route(), submitted_at=SUBMITTED, sha256="")
    now.clean_up(["t-1"])

    assert now.recover(intent) == Unknown()
    assert not now.capabilities.recoverable
