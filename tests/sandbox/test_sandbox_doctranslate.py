"""The simulated Doctranslate answers as the service's pages say, word for word where they have words."""

import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from daemon.sandbox.child import Running, start
from daemon.sandbox.samples import letter

PDF = b"%PDF-1.7 not really"
ENVELOPE = {"data", "errors", "error_description", "start_time", "end_time", "status"}
DATES = {"start_date": "2020-01-01 00:00:00", "end_date": "2099-12-31 23:59:59"}
NO_KEY = {"detail": "Not authenticated"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("doctranslate")) as running:
        yield running


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    with client_of(sandbox, {"authorization": "Bearer sandbox-key"}) as client:
        yield client
    sandbox.end_outages()


def client_of(sandbox: Running, headers: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=sandbox.base_url("doctranslate"), headers=headers, trust_env=False)


def submit(
    http: httpx.Client,
    name: str = "note.pdf",
    content: bytes = PDF,
    *,
    version: str = "v1",
    form: Mapping[str, str] | None = None,
) -> httpx.Response:
    data = {"dest_lang": "fr", **(form or {})}
    return http.post(f"/{version}/translate/document", data=data, files={"file": (name, content)})


def ref_of(answer: httpx.Response) -> str:
    return str(answer.json()["data"]["task_id"])


def result(http: httpx.Client, ref: str) -> httpx.Response:
    return http.get(f"/v1/result/{ref}")


def record(http: httpx.Client, name: str = "note.pdf", content: bytes = PDF) -> dict[str, Any]:
    """The record of a new task, as its first look shows it."""
    ref = ref_of(submit(http, name, content))
    found: dict[str, Any] = result(http, ref).json()["data"][ref]
    return found


def history(http: httpx.Client, keyword: str = "", page: int = 1, size: int = 100, **dates: str) -> list[Any]:
    query: dict[str, str | int] = {"page": page, "page_size": size, "keyword": keyword}
    answer = http.post("/user/history", params=query, json=DATES | dates)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["data"]
    return found


def bare_get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> list[Any]:
    """Every answer until the wanted one, that one included."""
    seen = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        seen.append(look())
        if wanted(seen[-1]):
            return seen
    raise AssertionError(f"never came, last: {seen[-1]}")


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_submission_is_answered_as_documented(http: httpx.Client, version: str) -> None:
    """Under every prefix a good submission gets 200 and a task of 32 hexadecimal digits, known under each."""
    answer = submit(http, version=version)
    body = answer.json()

    assert answer.status_code == 200
    assert set(body) == ENVELOPE
    assert re.fullmatch(r"[0-9a-f]{32}", ref_of(answer))
    assert body["data"] == {"task_id": ref_of(answer)}
    assert (body["errors"], body["error_description"], body["status"]) == ([], "", "success")
    assert {http.get(f"/{one}/result/{ref_of(answer)}").status_code for one in ("v1", "v2", "v3")} == {200}


def test_done_task_is_shown_under_its_id(http: httpx.Client, sandbox: Running) -> None:
    """The record has the documented keys, beside a `status` that is null, in an envelope that says success."""
    ref = ref_of(submit(http, "note.docx", letter()))
    answer = result(http, ref)
    body = answer.json()
    task = body["data"][ref]

    assert answer.status_code == 200
    assert set(body) == ENVELOPE
    assert body["status"] == "success"
    assert body["data"] == {ref: task, "status": None}
    assert {key: task[key] for key in ("task_id", "type", "status", "filename", "dest_lang", "translation_type")} == {
        "task_id": ref,
        "type": "document",
        "status": "done",
        "filename": None,
        "dest_lang": "fr",
        "translation_type": "Document",
    }
    assert re.fullmatch(r"note_fr_\d{10}\.docx", task["file_name"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", task["datetime"])
    assert 0 < task["cost"] < 10
    assert task["url_download"].startswith(f"{sandbox.addresses.results}/doctranslate/doctranslator-production/")


def test_times_are_naive_and_seven_hours_ahead(http: httpx.Client) -> None:
    """All times are those of UTC+7 and do not say so."""
    body = result(http, ref_of(submit(http))).json()
    told = datetime.fromisoformat(body["start_time"])
    ahead = told - datetime.now(UTC).replace(tzinfo=None)

    assert told.tzinfo is None
    assert abs(ahead - timedelta(hours=7)) < timedelta(minutes=1)


def test_link_is_signed_and_wants_no_key(http: httpx.Client, sandbox: Running) -> None:
    """The link carries a signature as object stores write it and gives the document to anybody who has it."""
    url = record(http, "note.docx", letter())["url_download"]
    answer = bare_get(url)
    query = parse_qs(urlsplit(url).query)
    text = zipfile.ZipFile(io.BytesIO(answer.content)).read("word/document.xml").decode()

    assert query["X-Amz-Expires"] == ["604800"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert re.fullmatch(r"[0-9a-f]{64}", query["X-Amz-Signature"][0])
    assert re.fullmatch(r"\d{8}T\d{6}Z", query["X-Amz-Date"][0])
    assert answer.status_code == 200
    assert "[fr] Á ļéţţéŕ" in text
    assert sandbox.leaks() == []


@pytest.mark.parametrize("extension", ["pdf", "pptx", "xlsx"])
def test_other_formats_come_back_as_they_went(http: httpx.Client, extension: str) -> None:
    """What has no segmenter comes back byte for byte, under its own extension."""
    task = record(http, f"paper.{extension}", b"bytes of some kind")

    assert task["file_name"].endswith(f".{extension}")
    assert bare_get(task["url_download"]).content == b"bytes of some kind"


def test_other_signatures_open_nothing(http: httpx.Client) -> None:
    """Without its signature, with another one or for another file a link is refused in XML."""
    url = record(http)["url_download"]
    wrong = [url.partition("?")[0], f"{url}0", url.replace("note_fr", "other_fr")]
    answers = [bare_get(one) for one in wrong]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert all(b"<Code>SignatureDoesNotMatch</Code>" in answer.content for answer in answers)


def test_failed_task_comes_flat_under_400(http: httpx.Client) -> None:
    """The failure is flat, has no reason and costs nothing, under 400 in an envelope that says success."""
    ref = ref_of(submit(http, "note~fail.pdf"))
    answer = result(http, ref)
    body = answer.json()
    task = body["data"]

    assert answer.status_code == 400
    assert (body["errors"], body["error_description"], body["status"]) == ([], "", "success")
    assert (task["status"], task["success"], task["type"], task["cost"]) == ("failed", False, "fail_task", 0)
    assert task["task_id"] == ref
    assert re.fullmatch(r"note~fail_\d{10}\.pdf", task["file_name"])
    assert task["filename"] == task["file_name"]
    assert "url_download" not in task


def test_broken_document_fails(http: httpx.Client) -> None:
    """A document that cannot be opened is taken, and its task fails."""
    answer = result(http, ref_of(submit(http, "letter.docx", b"this is no archive")))

    assert answer.status_code == 400
    assert answer.json()["data"]["status"] == "failed"


def test_task_advances_with_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """While the task runs its record says so and has no link; then it is done."""
    with (
        start(tmp_path_factory.mktemp("slow"), pace=(0.4, 0.6)) as running,
        client_of(running, {"x-api-key": "sandbox-key"}) as http,
    ):
        ref = ref_of(submit(http))
        seen = until(lambda: result(http, ref).json()["data"][ref], lambda task: task["status"] == "done")

    assert {task["status"] for task in seen[:-1]} == {"processing"}
    assert {task["url_download"] for task in seen[:-1]} == {None}


def test_unknown_and_foreign_tasks_look_the_same(sandbox: Running, http: httpx.Client) -> None:
    """An id that was never given out, and one of another account, are a request error without a record."""
    ref = ref_of(submit(http))
    with client_of(sandbox, {"x-api-key": "sandbox-other"}) as other:
        answers = [result(http, "0" * 32), result(other, ref)]

    for answer in answers:
        assert answer.status_code == 400
        assert answer.json()["data"] == {}
        assert answer.json()["errors"] == ["Error"]


# -- keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sandbox-key"},
        {"authorization": "bearer sandbox-key"},
        {"x-api-key": "sandbox-key"},
        {"X-Api-Key": "sandbox-key", "authorization": "Basic sandbox"},
    ],
)
def test_both_headers_carry_the_key(sandbox: Running, headers: dict[str, str]) -> None:
    """A bearer token and a key in X-API-Key are taken, and are the same account."""
    with client_of(sandbox, {"x-api-key": "sandbox-key"}) as known, client_of(sandbox, headers) as http:
        ref = ref_of(submit(known))
        answer = result(http, ref)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 401, NO_KEY),
        ({"authorization": "Bearer wrong"}, 401, NO_KEY),
        ({"authorization": "Bearer"}, 401, NO_KEY),
        ({"authorization": "sandbox-key"}, 401, NO_KEY),
        ({"x-api-key": "wrong"}, 401, NO_KEY),
        ({"authorization": "Bearer wrong", "x-api-key": "sandbox-key"}, 401, NO_KEY),
        ({"x-api-key": "sandbox-blocked"}, 403, {"detail": "Not enough credits"}),
        ({"x-api-key": "sandbox-orphan"}, 403, {"detail": "The API needs a Team plan"}),
    ],
)
def test_bad_key_is_refused_everywhere(
    sandbox: Running, headers: dict[str, str], status: int, body: dict[str, str]
) -> None:
    """Submission, result and history answer a missing or wrong key with the documented 401."""
    with client_of(sandbox, headers) as http:
        answers = [submit(http), result(http, "0" * 32), http.post("/user/history", json=DATES)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(status, body)] * 3


# -- the form -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {"dest_lang": ""},
        {"dest_lang": "French"},
        {"dest_lang": "zh-CN"},
        {"original_lang": "EN"},
        {"file_type": "application/docx"},
        {"process_mode": "prepend"},
        {"process_mode": "append_reverse"},
        {"style_mode": "many"},
        {"translate_type": "Poetic"},
        {"is_translate_images": "perhaps"},
        {"tone": "Angry"},
        {"dictionary": "{"},
        {"bilingual_text_style__color": "red"},
    ],
)
def test_wrong_fields_are_refused(http: httpx.Client, form: dict[str, str]) -> None:
    """A value that the pages do not know gets a 400 that names the field, and nothing is taken."""
    answer = submit(http, form=form)
    body = answer.json()

    assert answer.status_code == 400
    assert (body["data"], body["errors"]) == ({}, ["Error"])
    assert next(iter(form)) in body["error_description"]
    assert "status" not in body


@pytest.mark.parametrize(
    "form",
    [
        {"dest_lang": "zh-cn", "original_lang": "vi"},
        {"file_type": "application/pdf"},
        {"file_type": "PDF"},
        {"file_type": "pdf"},
        {"process_mode": "append", "bilingual_text_style__color": "red", "bilingual_text_style__font": "Arial"},
        {"style_mode": "1", "translate_type": "Paraphrase", "is_translate_images": "true", "tone": "Friendly"},
        {"domain": "Law", "dictionary": '{"a": "b"}', "custom_prompt": "Be brief."},
    ],
)
def test_documented_fields_are_taken(http: httpx.Client, form: dict[str, str]) -> None:
    """Every documented field is taken with a documented value."""
    assert submit(http, form=form).status_code == 200


def test_newer_versions_know_one_mode_more(http: httpx.Client) -> None:
    """The second and third version take append_reverse, which the first refuses."""
    form = {"process_mode": "append_reverse"}
    codes = [submit(http, version=one, form=form).status_code for one in ("v1", "v2", "v3")]

    assert codes == [400, 200, 200]


@pytest.mark.parametrize(("name", "content"), [("note.txt", b"text"), ("noextension", b"text"), ("empty.pdf", b"")])
def test_wrong_files_are_refused(http: httpx.Client, name: str, content: bytes) -> None:
    """Another type of file, and one without a byte, get a 400."""
    assert submit(http, name, content).status_code == 400


def test_missing_file_is_refused(http: httpx.Client) -> None:
    """A form without a file gets a 400."""
    answer = http.post("/v1/translate/document", data={"dest_lang": "fr"}, files={"other": ("note.pdf", PDF)})

    assert answer.status_code == 400
    assert answer.json()["error_description"] == "A file is required."


def test_larger_file_than_allowed_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a limit of bytes a longer file gets 413."""
    with (
        start(tmp_path_factory.mktemp("small"), limits={"doctranslate.bytes": "5"}) as running,
        client_of(running, {"x-api-key": "sandbox-key"}) as http,
    ):
        codes = [submit(http, content=b"12345").status_code, submit(http, content=b"123456").status_code]

    assert codes == [200, 413]


# -- the history --------------------------------------------------------------------------------------------


def test_history_lists_tasks_by_numbers_of_its_own(http: httpx.Client) -> None:
    """An item has the documented keys; its id is no task's, its price and link are those of the task."""
    ref = ref_of(submit(http, "one-of-a-kind.pdf"))
    [item] = history(http, "one-of-a-kind")
    task = result(http, ref).json()["data"][ref]

    assert isinstance(item["id"], int)
    assert item == {
        "id": item["id"],
        "file_name": task["file_name"],
        "url_download": task["url_download"],
        "translation_type": "Document",
        "datetime": task["datetime"][:19],
        "cost": task["cost"],
        "credit": task["cost"],
        "dest_lang": "fr",
        "share_url": "",
    }
    assert result(http, str(item["id"])).status_code == 400


def test_history_is_paged_with_the_newest_first(http: httpx.Client) -> None:
    """Pages begin with 1; behind the last one there is nothing."""
    for number in range(5):
        submit(http, f"paged{number}.pdf")
    pages = [[item["file_name"][:6] for item in history(http, "paged", page, 2)] for page in (1, 2, 3, 4)]

    assert pages == [["paged4", "paged3"], ["paged2", "paged1"], ["paged0"], []]


def test_history_is_bounded_by_time(http: httpx.Client) -> None:
    """Only tasks between the two dates, in UTC+7, are listed."""
    submit(http, "timely.pdf")
    here = datetime.now(UTC) + timedelta(hours=7)
    before, after = (f"{here + timedelta(minutes=by):%Y-%m-%d %H:%M:%S}" for by in (-5, 5))

    assert len(history(http, "timely", start_date=before, end_date=after)) == 1
    assert history(http, "timely", end_date=before) == []
    assert history(http, "timely", start_date=after) == []


def test_history_shows_everything_but_others(sandbox: Running, http: httpx.Client) -> None:
    """Running and failed tasks are listed without a link, those of other accounts and unknown ones are not."""
    for stem in ("all~stuck", "all~fail", "all~vanish", "all~gone"):
        submit(http, f"{stem}.pdf")
    with client_of(sandbox, {"x-api-key": "sandbox-other"}) as other:
        others = history(other, "all")
    items = history(http, "all")

    assert others == []
    assert [item["file_name"].rpartition("_")[0] for item in items] == ["all~fail", "all~stuck"]
    assert {item["url_download"] for item in items} == {""}


def test_history_is_no_look_at_the_task(http: httpx.Client) -> None:
    """Reading the history does not use up the looks that a token counts."""
    ref = ref_of(submit(http, "shy~gone.pdf"))
    history(http, "shy")

    assert [result(http, ref).status_code for _ in range(2)] == [400, 200]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"page": "0"}, DATES),
        ({"page_size": "0"}, DATES),
        ({"page": "one"}, DATES),
        ({}, {}),
        ({}, []),
        ({}, DATES | {"start_date": "2024-03-07"}),
        ({}, DATES | {"end_date": "2024-03-07T04:44:11Z"}),
    ],
)
def test_history_is_particular(http: httpx.Client, query: dict[str, str], body: object) -> None:
    """Pages begin with 1, and both dates are needed in the documented form."""
    assert http.post("/user/history", params=query, json=body).status_code == 400


# -- misbehaviour that all services share -------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500, 502, 503])
def test_refusals_are_not_taken(http: httpx.Client, sandbox: Running, code: int) -> None:
    """A wanted code refuses the submission, and the ledger knows it."""
    answer, entry = submit(http, f"note~http-{code}.pdf"), sandbox.ledger()[-1]

    assert answer.status_code == code
    assert (entry["service"], entry["accepted"], entry["answered"]) == ("doctranslate", False, code)


def test_documented_400_speaks_of_the_server(http: httpx.Client, sandbox: Running) -> None:
    """The 400 of an outage at result and history is the one that is documented, word for word."""
    sandbox.outage("doctranslate", 400)
    bodies = [result(http, "0" * 32).json(), http.post("/user/history", json=DATES).json()]

    for body in bodies:
        assert (body["data"], body["errors"]) == ({}, ["Error"])
        assert body["error_description"] == "Error while sending message. Please check server!"


def test_lost_answer_is_in_ledger_and_history(http: httpx.Client, sandbox: Running) -> None:
    """A submission whose answer was lost was taken: the ledger has it, and the history finds it by its name."""
    with pytest.raises(httpx.RemoteProtocolError):
        submit(http, "note~lost.01jd3zyxwvutsrqp-1.pdf", form={"original_lang": "en"})
    entry = sandbox.ledger()[-1]
    [item] = history(http, "01jd3zyxwvutsrqp")

    assert (entry["accepted"], entry["answered"]) == (True, None)
    assert (entry["source"], entry["target"]) == ("en", "fr")
    assert bare_get(item["url_download"]).content == PDF


def test_odd_and_gone_looks(http: httpx.Client) -> None:
    """A word that no document knows, and a denied id, pass as for the other services."""
    ref = ref_of(submit(http, "note~gone~odd-2.pdf"))
    answers = [result(http, ref) for _ in range(3)]

    assert answers[0].status_code == 400
    assert [answer.json()["data"][ref]["status"] for answer in answers[1:]] == ["polishing", "done"]


@pytest.mark.parametrize(
    ("word", "content"), [("html-1", b"Please sign in"), ("wrong-1", b"\x89PNG"), ("empty-1", b"")]
)
def test_bad_downloads(http: httpx.Client, word: str, content: bytes) -> None:
    """The first download is bad as wanted, the second is good."""
    url = record(http, f"note~{word}.pdf")["url_download"]
    first, second = bare_get(url), bare_get(url)

    assert content in first.content
    assert first.content != PDF
    assert second.content == PDF


def test_expired_link_has_a_successor(http: httpx.Client) -> None:
    """The first link stays closed; the next look at the task has another one that opens."""
    ref = ref_of(submit(http, "note~expired.pdf"))
    old = result(http, ref).json()["data"][ref]["url_download"]
    denied = bare_get(old)
    fresh = result(http, ref).json()["data"][ref]["url_download"]

    assert denied.status_code == 403
    assert b"Request has expired" in denied.content
    assert fresh != old
    assert bare_get(fresh).content == PDF
    assert bare_get(old).status_code == 403


def test_absent_result_is_not_found(http: httpx.Client) -> None:
    """The link of a result that is not there leads to the object store's 404."""
    answer = bare_get(record(http, "note~absent.pdf")["url_download"])

    assert answer.status_code == 404
    assert b"<Code>NoSuchKey</Code>" in answer.content


@pytest.mark.parametrize("name", ['say "hi".pdf', "şöyle #1?.pdf", "../../etc/note.pdf", "a\\b%2f.pdf"])
def test_strange_names_do_no_harm(http: httpx.Client, name: str) -> None:
    """A name that no path can carry as it is still has a link that works."""
    assert bare_get(record(http, name)["url_download"]).content == PDF


def test_key_at_the_other_origin_is_a_leak(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A bearer token that reaches the results' origin is written down."""
    with (
        start(tmp_path_factory.mktemp("leak")) as running,
        client_of(running, {"authorization": "Bearer sandbox-key"}) as http,
    ):
        http.get(record(http)["url_download"])
        leaks = running.leaks()

    assert [leak["header"] for leak in leaks] == ["authorization"]
