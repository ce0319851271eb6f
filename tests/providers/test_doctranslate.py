"""Doctranslate joins the suite; and what is its own (pages "Get result", "Document Translation", "User History")."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon import names
from daemon.errors import (
    BlockedError,
    LostError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from daemon.languages import Route, UnknownLanguageError, route_for
from daemon.providers.base import (
    Accepted,
    AskAgain,
    Attempt,
    Failed,
    Fetched,
    Found,
    Intent,
    Lost,
    Ready,
    Recovery,
    Running,
    Unknown,
)
from daemon.providers.doctranslate import Doctranslate, Settings
from daemon.sandbox.samples import letter
from tests.providers.conformance import JSON, RESULT, Conformance, Joining, classes
from tests.providers.in_sandbox import InSandbox, Visit
from tests.providers.world import JOB, KEY, PAGE, Reply, Row, World
from tests.rawserver import Exchange, hang_up, in_turn

TASK = "7be10528f259430381daa6885bbb11a9"
ROUTE = Route(source=None, target="fr", target_wire="fr")
TIMES = {"start_time": "2025-05-22 15:41:31.451406", "end_time": "2025-05-22 15:41:31.451933"}
NO_SERVER = "Error while sending message. Please check server!"
NO_KEY = Reply(401, {"detail": "Not authenticated"})
NOT_FOUND = Reply(404, {"detail": "Not Found"})
DENIED = Reply(
    403, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', {"content-type": "application/xml"}
)


def envelope(data: object, status: int = 200, reason: str = "") -> Reply:
    """What is around every answer of the service; its own `status` says "success" whatever happened."""
    return Reply(status, {"data": data, "errors": [], "error_description": reason, **TIMES, "status": "success"})


def refusal(text: str) -> Reply:
    return Reply(400, {"data": {}, "errors": ["Error"], "error_description": text, **TIMES})


def task(**more: object) -> dict[str, object]:
    """The record of the seed, without its link."""
    return {
        "task_id": "ref-1",
        "url_download": None,
        "type": "document",
        "status": "done",
        "file_name": "test_truyen_16_en_1747902169.docx",
        "filename": None,
        "cost": 0.54,
        "dest_lang": "en",
        "translation_type": "Document",
        "datetime": "2025-05-22 15:41:29.098340",
        **more,
    }


def keyed(record: object, ref: str = "ref-1") -> Reply:
    """Shape A: the record under its id, beside a key that is no state."""
    return envelope({ref: record, "status": None})


WITH_KEY = ("submit", "status", "check")
ROWS = (
    *(Row(verb, NO_KEY, BlockedError, "account.key") for verb in WITH_KEY),
    *(Row(verb, Reply(403, {"detail": "No credits"}), BlockedError, "account.blocked") for verb in WITH_KEY),
    Row("submit", refusal(NO_SERVER), TransientError, "service.error"),
    Row("submit", refusal("The type is not supported."), RejectedError, "submit.rejected"),
    Row("status", refusal("The task does not exist."), LostError, "provider.lost"),
    Row("status", NOT_FOUND, LostError, "provider.lost"),
    Row("status", refusal(NO_SERVER), TransientError, "service.error"),
    Row("fetch", DENIED, LostError, "result.gone"),
    Row("fetch", Reply(400, DENIED.body), LostError, "result.gone"),
    Row("check", refusal("The task does not exist."), None),
    Row("check", refusal(NO_SERVER), None),
    Row("check", envelope({}), None),
    Row("check", envelope(None), None),
    Row("check", NOT_FOUND, None),
    Row("check", Reply(422, {"detail": [{"msg": "not an id"}]}), None),
)


class Joined(Joining):
    kind = Doctranslate
    route = ROUTE
    drop = ("report.docx", b"PK\x03\x04 and so on")
    words = ("processing",)
    done = "done"
    documented = ROWS

    def verb_of(self, exchange: Exchange) -> str:
        path = urlsplit(exchange.target).path
        if path == "/user/history":
            return "history"
        if exchange.method == "POST":
            return "submit"
        return "status" if "/result/" in path else "fetch"

    def taken(self, ref: object) -> Reply:
        return envelope({"task_id": ref})

    def state(self, word: object) -> Reply:
        return keyed(task(status=word))

    def ready(self, url: object) -> Reply:
        return keyed(task(url_download=url))

    def failed(self, reason: str) -> Reply:
        return envelope(task(status="failed", success=False, type="fail_task", cost=0), 400, reason)


class TestConformance(Joined, Conformance):
    """The suite, and what only this service does."""

    def test_answers_without_a_state_tell_nothing_of_the_job(self, world: World) -> None:
        """As in the suite, but that a record without a state is one that runs: nobody says how those look."""
        replies = [Reply(500), Reply(502, b"<html>"), PAGE, Reply(200), Reply(200, []), Reply(200, {}), Reply(408)]
        replies += [Reply(200, "done"), Reply(500, {"error": "Oh"}), self.state(7), self.state([]), self.state({})]
        told = [self.play(world, "status", reply.script) for reply in replies]
        silent = self.play(world, "status", self.state(None).script)

        assert classes(told) == {TransientError}
        assert silent == Running()

    # -- the submission -------------------------------------------------------------------------------------

    def test_submission_has_the_documented_fields(self, world: World) -> None:
        """The usual fields go out; the source only when it is known."""
        self.submit(world)
        known = Route(source="vi", source_wire="vi", target="zh-Hans", target_wire="zh-cn")
        world.submit("paper.pdf", b"%PDF-", known)
        first, second = ((sent, fields_of(sent)) for sent in world.asked("submit"))

        assert first[0].target == "/v1/translate/document"
        assert first[1] == {
            "dest_lang": "fr",
            "file_type": "application/docx",
            "process_mode": "replace",
            "translate_type": "Professional",
        }
        assert f'name="file"; filename="report.{JOB}-1.docx"'.encode() in first[0].body
        assert b"content-type: application/vnd.openxmlformats-officedocument.wordprocessingml" in first[0].body
        assert second[1] == first[1] | {
            "dest_lang": "zh-cn",
            "original_lang": "vi",
            "file_type": "application/pdf",
        }

    @pytest.mark.parametrize(
        ("style", "expected"),
        [
            ("application/ext", "application/pptx"),
            ("mime", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
            ("ext", "pptx"),
            ("omit", None),
        ],
    )
    def test_spelling_of_the_type_is_a_setting(self, tmp_path: Path, style: str, expected: str | None) -> None:
        """D4: the field file_type is spelt as configured, or left out."""
        with World(self.kind, self.verb_of, tmp_path, file_type_style=style) as world:
            world.replies = {"submit": self.taken("x").script}
            world.submit("slides.pptx", b"PK\x03\x04", ROUTE)
            sent = fields_of(world.server.request())

        assert sent.get("file_type") == expected

    @pytest.mark.parametrize("version", ["v1", "v2", "v3"])
    def test_prefix_of_all_paths_is_a_setting(self, tmp_path: Path, version: str) -> None:
        """D5: submission, result and check go to the configured version; the history has none."""
        with World(self.kind, self.verb_of, tmp_path, api_version=version) as world:
            world.replies = {
                "submit": self.taken("ref-1").script,
                "status": self.state("processing").script,
                "history": listing([]),
            }
            self.submit(world)
            world.look("ref-1")
            world.provider.check()
            world.provider.recover(intent())
            targets = [urlsplit(seen.target).path for seen in world.server.requests]

        assert targets == [
            f"/{version}/translate/document",
            f"/{version}/result/ref-1",
            f"/{version}/result/{'0' * 32}",
            "/user/history",
        ]

    def test_every_documented_option_is_sent(self, tmp_path: Path) -> None:
        """Options go out as they are written, over the defaults; the mode is a key of its own."""
        options = {
            "style_mode": "1",
            "translate_type": "Paraphrase",
            "is_translate_images": "true",
            "tone": "Formal",
            "domain": "Law",
            "bilingual_text_style__font": "Arial",
            "bilingual_text_style__color": "#ff0000",
            "dictionary": '{"a": "b"}',
            "custom_prompt": "Be brief — always.",
            "output_format": "auto",
            "glossary_id": "7",
            "terminology_strategy": "strict",
        }
        more: dict[str, Any] = {"process_mode": "append_reverse", "api_version": "v3", "options": options}
        with World(self.kind, self.verb_of, tmp_path, **more) as world:
            world.replies = {"submit": self.taken("x").script}
            self.submit(world)
            sent = fields_of(world.server.request())

        assert sent == options | {
            "dest_lang": "fr",
            "file_type": "application/docx",
            "process_mode": "append_reverse",
        }

    @pytest.mark.parametrize("status", [400, 409, 500])
    def test_id_is_acceptance_under_any_code(self, world: World, status: int) -> None:
        """A service that gives out an id has the document, whatever it says besides."""
        told = self.play(world, "submit", envelope({"task_id": TASK, "status": "failed"}, status).script)

        assert told == Accepted(ref=TASK)

    # -- the key --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("auth", "header"), [("bearer", "authorization"), ("api_key", "x-api-key")])
    def test_key_goes_into_the_configured_header(self, tmp_path: Path, auth: str, header: str) -> None:
        """D1: a bearer token unless the newer header is asked for; never both."""
        with World(self.kind, self.verb_of, tmp_path, auth=auth) as world:
            world.replies = {"status": self.state("processing").script}
            world.provider.check()
            sent = world.server.request().headers

        assert sent[header] == (f"Bearer {KEY}" if auth == "bearer" else KEY)
        assert {"authorization", "x-api-key"} & sent.keys() == {header}

    def test_token_is_read_anew(self, tmp_path: Path) -> None:
        """D1: after a 401 the next request carries what stands in the file by then."""
        token = tmp_path / "token"
        token.write_text("yesterdays-token\n")
        with World(self.kind, self.verb_of, tmp_path, api_key={"file": str(token)}) as world:
            world.replies = {"status": in_turn(NO_KEY.script, self.state("processing").script)}
            with pytest.raises(BlockedError) as caught:
                world.provider.check()
            token.write_text("todays-token\n")
            world.provider.check()
            sent = [seen.headers["authorization"] for seen in world.server.requests]

        assert caught.value.code == "account.key"
        assert sent == ["Bearer yesterdays-token", "Bearer todays-token"]

    # -- the shapes of a status -----------------------------------------------------------------------------

    def test_seed_of_a_done_task(self, world: World) -> None:
        """Shape A, as the seed shows it: ready, with what it cost, and the format its name tells."""
        told = self.play(world, "status", keyed(task(url_download=f"{world.storage.origin}/a?X-Amz-Expires=1")).script)
        fetched, content = world.fetch("ref-1")

        assert told == Ready(cost=0.54)
        assert (fetched, content) == (Fetched(extension="docx"), RESULT)
        assert world.storage.requests[-1].target == "/a?X-Amz-Expires=1"

    def test_seed_of_a_failed_task(self, world: World) -> None:
        """Shape B, D3: flat, under HTTP 400, in an envelope that says success, and without any reason."""
        data = task(
            task_id=TASK,
            status="failed",
            success=False,
            type="fail_task",
            cost=0,
            file_name="test_truyen_16_1747902169.docx",
            filename="test_truyen_16_1747902169.docx",
        )
        del data["url_download"]
        world.replies["status"] = envelope(data, 400).script
        told = world.look(TASK)

        assert isinstance(told, Failed)
        assert (told.error.code, told.error.provider_message, told.error.http_status) == ("provider.failed", None, 400)
        assert told.cost == 0.0

    @pytest.mark.parametrize(
        "data",
        [
            {"status": "failed"},
            {"success": False, "task_id": "ref-1"},
            {"type": "fail_task", "task_id": "ref-1"},
            {"ref-1": {"status": " FAILED "}},
            {"ref-1": {"status": "aborted", "success": False}},
            {"0": {"status": "failed"}, "status": None},
        ],
    )
    @pytest.mark.parametrize("status", [200, 400])
    def test_failure_is_seen_in_every_shape(self, world: World, data: object, status: int) -> None:
        """One of its three marks is enough, keyed or flat, under any code."""
        world.replies["status"] = envelope(data, status).script

        assert isinstance(world.look("ref-1"), Failed)

    @pytest.mark.parametrize(
        "data",
        [
            {"ref-1": {"url_download": "{url}"}},
            {"ref-1": {"status": "done", "url_download": "{url}"}, "status": None},
            {"other": {"status": "done", "url_download": "{url}"}, "status": None},
            {"a": {"task_id": "other"}, "b": {"task_id": "ref-1", "url_download": "{url}"}},
            {"status": "done", "url_download": "{url}", "name_file": "a.docx"},
            {"url_download": "{url}"},
            {"status": "finished", "url_download": "{url}"},
        ],
    )
    def test_success_is_seen_in_every_shape(self, world: World, data: dict[str, Any]) -> None:
        """Keyed by the id or by another one, flat as in 2024, with or without its word: a link is a success."""
        filled = {key: filled_in(value, f"{world.storage.origin}/x") for key, value in data.items()}
        told = self.play(world, "status", envelope(filled).script)
        fetched, content = world.fetch("ref-1")

        assert isinstance(told, Ready)
        assert isinstance(fetched, Fetched)
        assert content == RESULT

    @pytest.mark.parametrize(
        "data",
        [
            None,
            {},
            [],
            "",
            {"status": None},
            {"ref-1": None, "status": None},
            {"ref-1": {}},
            {"ref-1": {"status": "processing"}},
            {"ref-1": {"status": "processing", "url_download": "https://example.org/half"}},
            {"status": "processing"},
            {"task_id": "ref-1"},
            {"a": {"task_id": "x", "url_download": "u"}, "b": {"task_id": "y", "url_download": "v"}},
        ],
    )
    def test_no_answer_is_patience(self, world: World, data: object) -> None:
        """D2: without a record, with an empty one, or with the documented word, a task runs.

        The envelope's own "success" is no state, and of two foreign records none is ours.
        """
        world.replies["status"] = envelope(data).script

        assert isinstance(world.look("ref-1"), Running)

    def test_request_error_is_lost(self, world: World) -> None:
        """Shape E on a result: asked again a few times by the engine, then told with the service's words."""
        world.replies["status"] = refusal("The task does not exist.").script
        told = world.look("ref-1")

        assert isinstance(told, Lost)
        assert told.error.provider_message == "The task does not exist."

    @pytest.mark.parametrize(
        ("cost", "expected"),
        [(0.54, 0.54), (2, 2.0), (0, 0.0), (None, None), ("1", None), (True, None), (-1, None), (10**400, None)],
    )
    def test_cost_is_a_number_of_credits(self, world: World, cost: object, expected: float | None) -> None:
        """What a task cost is told with its success; nonsense is not told."""
        world.replies["status"] = keyed(task(url_download="https://example.org/x", cost=cost)).script

        assert world.look("ref-1") == Ready(cost=expected)
        assert world.provider.capabilities.costs == "credits"

    @pytest.mark.parametrize(
        ("more", "path", "expected"),
        [
            ({"file_name": "a_en_1.DOCX"}, "x", "docx"),
            ({"file_name": "a_en_1.docx"}, "x.pdf", "docx"),
            ({"file_name": None, "name_file": "b.xlsx"}, "x", "xlsx"),
            ({"file_name": "v1.final"}, "output/docx/a.docx?X-Amz-Signature=a.pdf", "docx"),
            ({"file_name": 7}, "x", None),
            ({"file_name": "a.html"}, "x", None),
        ],
    )
    def test_format_of_the_result_is_told(
        self, world: World, more: dict[str, object], path: str, expected: str | None
    ) -> None:
        """Its name in the record says which format came, else the address; an unknown one is not told."""
        url = f"{world.storage.origin}/{path}"
        world.replies["status"] = keyed(task(url_download=url, **more)).script
        told, _ = world.fetch("ref-1")

        assert told == Fetched(extension=expected)

    # -- recovery -------------------------------------------------------------------------------------------

    def recover(self, world: World, *items: object, **more: Any) -> Recovery:
        world.replies["history"] = listing(list(items))
        return world.provider.recover(intent(**more))

    def test_history_is_asked_as_documented(self, world: World) -> None:
        """By POST, from page 1, for the job's id, in naive times of UTC+7 from a day before its claim."""
        self.recover(world)
        [sent] = world.asked("history")
        claimed = datetime.fromtimestamp(names.job_time_ms(JOB) / 1000, UTC)
        body = sent.body.decode()

        assert sent.method == "POST"
        assert parse_qs(urlsplit(sent.target).query) == {"page": ["1"], "page_size": ["100"], "keyword": [JOB]}
        assert f'"start_date":"{claimed - timedelta(hours=17):%Y-%m-%d %H:%M:%S}"' in body
        assert '"end_date":"2099-12-31 23:59:59"' in body

    @pytest.mark.parametrize(
        "name",
        [
            f"report.{JOB}-1.docx",
            f"report.{JOB}-1_fr_1747902169.docx",
            f"5_1709782940_report.{JOB}-1.docx",
            f"report_{JOB}-1_fr.docx",
            f"older.01hzy0000000000a-1_fr_17.{JOB}-1_de_17.docx",
        ],
    )
    def test_token_alone_finds_a_submission(self, world: World, name: str) -> None:
        """Whatever the service puts around our token, the item is ours; its own number is no task's id."""
        told = self.recover(world, item("other.docx"), item(name))

        assert told == Found(ref=f"{JOB}-1")

    @pytest.mark.parametrize(
        "name",
        [
            "report.docx",
            f"report.{JOB}-2.docx",
            f"report.{JOB}-11.docx",
            f"report.{JOB}.docx",
            f"report.a{JOB}-1.docx",
            f"report.{JOB}-1.01hzy0000000000a-1_fr_17.docx",
            None,
            7,
        ],
    )
    def test_near_misses_are_not_ours(self, world: World, name: object) -> None:
        """Another attempt, a longer number, a part of a word, or a result of ours that was dropped again."""
        first, last = self.recover(world, item(name)), self.recover(world, item(name), asked_for_s=3600.0)

        assert isinstance(first, AskAgain)
        assert last == Unknown()

    def test_listed_id_of_a_task_is_used(self, world: World) -> None:
        """Should an item name its task, the result is asked by that."""
        told = self.recover(world, item(f"report.{JOB}-1.docx") | {"task_id": TASK})

        assert told == Found(ref=TASK)

    def test_absence_proves_nothing(self, world: World) -> None:
        """Not being listed is no news: asked again for half an hour, then nobody can say."""
        told = [self.recover(world, asked_for_s=seconds) for seconds in (0.0, 1799.0, 1800.0, 1e9)]

        assert told == [AskAgain(after_s=60.0), AskAgain(after_s=60.0), Unknown(), Unknown()]

    def test_every_page_is_searched(self, world: World) -> None:
        """A history that finds more than asked for is searched page by page until one brings nothing new."""
        pages = [[item(f"{page}-{number}.docx") for number in range(3)] for page in range(3)]
        mine = [item(f"report.{JOB}-1.docx")]
        world.replies["history"] = in_turn(*(listing(page) for page in [*pages, mine]))
        found = world.provider.recover(intent())
        asked = [parse_qs(urlsplit(seen.target).query)["page"] for seen in world.asked("history")]
        world.replies["history"] = listing(pages[0])
        same = world.provider.recover(intent())

        assert found == Found(ref=f"{JOB}-1")
        assert asked == [["1"], ["2"], ["3"], ["4"]]
        assert isinstance(same, AskAgain)
        assert len(world.asked("history")) == 6

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(403, {"detail": "Forbidden"}),
            NOT_FOUND,
            Reply(405, {"detail": "Method Not Allowed"}),
            Reply(422, {"detail": []}),
            refusal("page_size is too large"),
        ],
    )
    def test_history_that_is_not_open_says_nothing(self, world: World, reply: Reply) -> None:
        """An account without a history cannot be asked, and waiting would not help."""
        world.replies["history"] = reply.script

        assert world.provider.recover(intent()) == Unknown()

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (NO_KEY, BlockedError),
            (refusal(NO_SERVER), TransientError),
            (Reply(500), TransientError),
            (Reply(429), ThrottledError),
            (PAGE, TransientError),
            (envelope(None), TransientError),
        ],
    )
    def test_history_in_trouble_is_asked_again(self, world: World, reply: Reply, error: type[ServiceError]) -> None:
        """An old token, an outage, a page: the answer is still to come, and nothing is decided."""
        world.replies["history"] = reply.script
        with pytest.raises(error):
            world.provider.recover(intent())

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=JSON | st.lists(st.fixed_dictionaries({}, optional={"file_name": JSON, "id": JSON, "task_id": JSON})))
    def test_no_history_breaks_a_recovery(self, world: World, data: object) -> None:
        """Any JSON in place of the list, or in its items, leaves the question open and finds nothing."""
        world.replies["history"] = Reply(200, json.dumps({"data": data}).encode()).script
        try:
            told: object = world.provider.recover(intent())
        except TransientError as error:
            told = error

        assert isinstance(told, (AskAgain, TransientError))

    def test_unreachable_history_is_asked_again(self, world: World) -> None:
        """The same when nobody answers."""
        world.replies["history"] = hang_up
        with pytest.raises(TransientError):
            world.provider.recover(intent())

    def test_found_submission_is_looked_at_in_the_history(self, world: World) -> None:
        """Its number opens no result, so it runs until its item has a link, and costs what stands there."""
        ref, name = f"{JOB}-1", f"report.{JOB}-1_fr_17.docx"
        linked = item(name) | {"url_download": f"{world.storage.origin}/x", "cost": 2}
        world.replies["history"] = in_turn(listing([]), listing([item(name)]), listing([linked]))
        told = [world.look(ref) for _ in range(3)]
        fetched, content = world.fetch(ref)

        assert told == [Running(), Running(), Ready(cost=2.0)]
        assert (fetched, content) == (Fetched(extension="docx"), RESULT)
        assert world.asked("status") == []

    @pytest.mark.parametrize(("ref", "verb"), [("z" * 16 + "-1", "history"), ("abcdefghijklmnop-1", "status")])
    def test_odd_references_are_asked_for(self, world: World, ref: str, verb: str) -> None:
        """A token from the year 37000 is looked for all the same; what is no job's token is a task's id."""
        world.replies |= {"history": listing([]), "status": envelope({}).script}
        told = world.look(ref)

        assert told == Running()
        assert len(world.asked(verb)) == len(world.server.requests) == 1

    def test_oldest_of_several_is_ours(self, world: World) -> None:
        """Somebody ran the task again on the vendor's pages: the first one is what we sent."""
        name, origin = f"report.{JOB}-1", world.storage.origin
        again = item(f"{name}_de.docx") | {"datetime": "2025-05-22 16:00:00", "url_download": f"{origin}/again"}
        first = item(f"{name}_fr.docx") | {"datetime": "2025-05-22 15:00:00", "url_download": f"{origin}/first"}
        found = self.recover(world, again, first)
        told, _ = world.fetch(f"{JOB}-1")

        assert found == Found(ref=f"{JOB}-1")
        assert isinstance(told, Fetched)
        assert world.storage.requests[-1].target == "/first"


class TestInSandbox(Joined, InSandbox):
    service = "doctranslate"
    drop = ("letter.docx", letter())
    blocked_keys = ("wrong", "sandbox-blocked", "sandbox-orphan")

    @pytest.mark.parametrize("token", ["~lost", "~accepted", "~accepted-500"])
    def test_acceptance_without_a_word_is_uncertain(self, visit: Visit, token: str) -> None:
        """As in the suite, but that this service also tells what it has billed."""
        with pytest.raises(UncertainError):
            visit.submit(token)
        entry = visit.entry()
        [look] = visit.looks(entry["remote_id"], 1)

        assert entry["accepted"] is True
        assert isinstance(look, Ready)
        assert look.cost


def fields_of(sent: Exchange) -> dict[str, str]:
    """The fields of a form, without its file."""
    boundary = sent.headers["content-type"].partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n") for part in bytes(sent.body).split(b"--" + boundary)]
    plain = [(head.decode(), value) for head, _, value in parts if b"name=" in head and b"filename=" not in head]
    return {head.partition('name="')[2].partition('"')[0]: value[:-2].decode() for head, value in plain}


def filled_in(value: object, url: str) -> object:
    if isinstance(value, dict):
        return {key: filled_in(inner, url) for key, inner in value.items()}
    return url if value == "{url}" else value


def item(name: object) -> dict[str, object]:
    """An item of the history as its page shows it."""
    return {
        "id": 26524,
        "file_name": name,
        "url_download": "",
        "translation_type": "Document",
        "datetime": "2024-03-07 04:44:11",
        "cost": 1,
        "credit": 1,
        "dest_lang": "fr",
        "share_url": "",
    }


def listing(items: list[Any]) -> Any:
    return envelope(items).script


def intent(asked_for_s: float = 0.0) -> Intent:
    attempt = Attempt(job=JOB, number=1, sent_name=names.sent_name("report.docx", JOB, 1))
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return Intent(attempt=attempt, part=0, route=ROUTE, submitted_at=moment, sha256="0" * 64, asked_for_s=asked_for_s)


# -- settings and languages ---------------------------------------------------------------------------------


def configured(**more: object) -> Settings:
    return Settings.model_validate({"api_key": KEY, **more})


def test_defaults_are_those_of_the_seed() -> None:
    """Without further words: bearer token, first version, application/docx, and the text replaced."""
    usual = configured()

    assert usual.base_url == "https://doctranslate-api.doctranslate.io"
    assert (usual.auth, usual.api_version, usual.file_type_style, usual.process_mode) == (
        "bearer",
        "v1",
        "application/ext",
        "replace",
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"options": {"tune": "Formal"}}, "unknown tune"),
        ({"options": {"dest_lang": "fr"}}, "unknown dest_lang"),
        ({"options": {"process_mode": "append"}}, "unknown process_mode"),
        ({"options": {"glossary_id": "7"}, "api_version": "v2"}, "unknown glossary_id; v2 of the service"),
        ({"process_mode": "append_reverse"}, "needs api_version v2 or v3"),
        ({"options": {"bilingual_text_style__font": "Arial"}}, "needs process_mode append"),
        ({"options": {"dictionary": "{a: b}"}}, "dictionary is not JSON"),
        ({"auth": "basic"}, "bearer"),
        ({"api_version": "v4"}, "v3"),
        ({"file_type_style": "docx"}, "omit"),
    ],
)
def test_wrong_settings_are_explained(given: Mapping[str, object], says: str) -> None:
    """Whatever the service would refuse for certain is refused before the start."""
    with pytest.raises(ValidationError, match=says):
        configured(**given)


def test_all_problems_are_told_at_once() -> None:
    """Several mistakes in one entry are one round of mending."""
    with pytest.raises(ValidationError) as caught:
        configured(process_mode="append_reverse", options={"tune": "x", "dictionary": "{"})

    assert all(word in str(caught.value) for word in ("unknown tune", "needs api_version", "is not JSON"))


@pytest.mark.parametrize(
    ("folder", "wire"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("vi", "vi"),
        ("ja", "ja"),
        ("zh", "zh-cn"),
        ("zh_CN", "zh-cn"),
        ("zh-Hans", "zh-cn"),
        ("fr", "fr"),
        ("pt-BR", "pt"),
    ],
)
def test_folders_become_lower_case_codes(folder: str, wire: str) -> None:
    """Documented codes and the usual two letters are sent in lower case."""
    table = Doctranslate.facts(configured()).languages

    assert route_for(folder, table=table, listed=[], default_source=None).target_wire == wire


@pytest.mark.parametrize("folder", ["zh-TW", "zh-Hant", "fr-CA", "pt-PT", "yue", "new"])
def test_undocumented_codes_are_not_guessed(folder: str) -> None:
    """A region or script is never dropped and never invented; listed, it is passed on as it stands."""
    table = Doctranslate.facts(configured()).languages
    with pytest.raises(UnknownLanguageError):
        route_for(folder, table=table, listed=[], default_source=None)

    assert (
        route_for(folder.lower(), table=table, listed=[folder.lower()], default_source=None).target_wire
        == folder.lower()
    )


def test_pair_of_languages_names_the_source() -> None:
    """Both sides of a pair are sent; without one the service detects the source."""
    table = Doctranslate.facts(configured()).languages
    route = route_for("zh-CN-to-en", table=table, listed=[], default_source=None)

    assert (route.source_wire, route.target_wire) == ("zh-cn", "en")
    assert table.detects_source
