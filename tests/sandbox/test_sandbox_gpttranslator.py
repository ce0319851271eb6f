"""The simulated GPTTranslator answers as the service's page says, word for word."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from daemon.sandbox.child import Running, start

SUBMIT = "/v1/translation/document-translation/api"
STATUS = "/v1/translation/document-translation-status"
DOWNLOAD = "/v1/translation/download-document"
FORM = {"sourceLang": "en", "targetLang": "fr", "model": "gpt-4.1-mini-2025-04-14"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("gpttranslator")) as running:
        yield running


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    base, key = sandbox.base_url("gpttranslator"), {"x-api-key": "sandbox-key"}
    with httpx.Client(base_url=base, headers=key, trust_env=False) as client:
        yield client


def submit(
    http: httpx.Client, name: str = "note.txt", content: bytes = b"Hello", key: str | None = None, **form: str
) -> httpx.Response:
    headers = {"x-api-key": key} if key is not None else {}
    return http.post(SUBMIT, data=FORM | form, files={"file": (name, content)}, headers=headers)


def ref_of(answer: httpx.Response) -> str:
    return str(answer.json()["data"]["translationId"])


def ended(look: Callable[[], httpx.Response], words: list[str]) -> httpx.Response:
    """Ask until the job is completed, noting every new word on the way."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = look()
        word = answer.json()["translationStatus"]
        if word not in words:
            words.append(word)
        if word in ("completed", "failed"):
            return answer
    raise AssertionError(f"the job did not end, seen: {words}")


def complaint(status: int, text: str, message: str | None = None) -> dict[str, Any]:
    return {"error": text, "message": message or text, "data": None, "statusCode": status}


def test_submission_is_answered_as_documented(http: httpx.Client) -> None:
    """A good submission gets 201 and the documented body, whose id is an opaque string."""
    answer = submit(http)

    assert answer.status_code == 201
    assert answer.json() == {
        "message": "Document translation added successfully",
        "data": {"translationId": ref_of(answer)},
        "error": None,
        "statusCode": 201,
    }


def test_document_comes_back_translated(http: httpx.Client) -> None:
    """The completed status names a URL with an id of its own; with the key it gives the translated file."""
    ref = ref_of(submit(http, "note.txt", b"Hello world\n"))
    status = ended(lambda: http.get(f"{STATUS}/{ref}"), [])
    url = status.json()["data"]["documentUrl"]
    result = http.get(url)

    assert status.json() == {
        "message": "Translation status fetched successfully",
        "translationStatus": "completed",
        "data": {"documentUrl": url},
        "error": None,
        "statusCode": 200,
    }
    assert re.fullmatch(rf"{http.base_url}{DOWNLOAD[1:]}/[0-9a-f]{{24}}", url)
    assert ref not in url.rpartition("/")[2]
    assert result.status_code == 200
    assert result.headers["content-type"].startswith("text/plain")
    assert result.headers["content-disposition"] == 'attachment; filename="note.txt"'
    assert result.text == "[fr] Ĥéļļö ŵöŕļđ\n"


def test_source_can_be_downloaded_too(http: httpx.Client) -> None:
    """With fileType=source the download is the file as it was submitted."""
    ref = ref_of(submit(http, "note.txt", b"Hello world\n"))
    url = ended(lambda: http.get(f"{STATUS}/{ref}"), []).json()["data"]["documentUrl"]

    assert http.get(url, params={"fileType": "source"}).content == b"Hello world\n"


def test_document_without_segmenter_comes_back_as_it_went(http: httpx.Client) -> None:
    """A PDF comes back byte for byte."""
    content = b"%PDF-1.7 not really"
    ref = ref_of(submit(http, "paper.pdf", content))
    url = ended(lambda: http.get(f"{STATUS}/{ref}"), []).json()["data"]["documentUrl"]

    assert http.get(url).content == content


def test_broken_document_fails(http: httpx.Client) -> None:
    """A document that cannot be opened is taken, and its job fails with a reason."""
    ref = ref_of(submit(http, "letter.docx", b"this is no archive"))
    status = ended(lambda: http.get(f"{STATUS}/{ref}"), [])

    assert status.status_code == 200
    assert status.json() == {
        "message": "Translation status fetched successfully",
        "translationStatus": "failed",
        "data": None,
        "error": "The document could not be read. It may be damaged.",
        "statusCode": 200,
    }


def test_job_advances_with_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Polling sees the job waiting, active and completed, in this order."""
    with (
        start(tmp_path_factory.mktemp("slow"), pace=(0.4, 0.6)) as running,
        httpx.Client(base_url=running.base_url("gpttranslator"), headers={"x-api-key": "sandbox-key"}) as http,
    ):
        ref = ref_of(submit(http))
        words: list[str] = []
        ended(lambda: http.get(f"{STATUS}/{ref}"), words)

    assert words == ["waiting", "active", "completed"]


@pytest.mark.parametrize(
    ("key", "status", "text"),
    [
        ("wrong", 401, "Invalid api key"),
        ("", 401, "Invalid api key"),
        ("wrong-400", 400, "Invalid api key"),
        ("sandbox-blocked", 400, "User not found or user is not active"),
        ("sandbox-orphan", 400, "Organization Id not found for the user"),
    ],
)
def test_bad_key_is_refused_everywhere(http: httpx.Client, key: str, status: int, text: str) -> None:
    """Submission, status and download answer a bad key with the documented body, 400 variants included."""
    answers = [
        submit(http, key=key),
        http.get(f"{STATUS}/12345", headers={"x-api-key": key}),
        http.get(f"{DOWNLOAD}/65f0d3f6f0a1c91234567890", headers={"x-api-key": key}),
    ]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert all(answer.json() == complaint(status, text) for answer in answers)


@pytest.mark.parametrize(
    "form",
    [
        {"sourceLang": ""},
        {"targetLang": "f"},
        {"targetLang": "zh_CN"},
        {"targetLang": "es-419"},
        {"targetLang": "sr-Cyrl-RS"},
        {"targetLang": "abcde-fghijk"},
        {"model": "whatever"},
    ],
)
def test_wrong_fields_meet_the_middleware(http: httpx.Client, form: dict[str, str]) -> None:
    """A language outside the documented form, or no model, gets 400 with nothing but `error`."""
    answer = submit(http, "note.txt", b"Hello", None, **form)

    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("language", ["fr", "zh-Hans", "pt-BR"])
def test_documented_language_forms_are_taken(http: httpx.Client, language: str) -> None:
    """Letters, with or without a region or script of letters, are taken."""
    assert submit(http, targetLang=language).status_code == 201


def test_missing_file_is_refused(http: httpx.Client) -> None:
    """A form without a file gets the documented complaint."""
    text = "No file uploaded. Please upload a file for translation."
    answer = http.post(SUBMIT, data=FORM, files={"other": ("note.txt", b"Hello")})

    assert answer.status_code == 400
    assert answer.json() == complaint(400, text)


@pytest.mark.parametrize("name", ["page.htm", "old.doc", "film.mp4", "noextension"])
def test_wrong_type_is_refused(http: httpx.Client, name: str) -> None:
    """An extension that is not listed gets the documented list."""
    answer = submit(http, name)

    assert answer.status_code == 400
    assert answer.json() == complaint(
        400,
        "Invalid file type. Please upload one of: "
        "docx, xlsx, pdf, pptx, srt, vtt, xml, json, yaml, yml, csv, txt, md, html, eml.",
    )


def test_unknown_job_is_not_found(http: httpx.Client) -> None:
    """A status of an id that was never given out is the documented 404."""
    answer = http.get(f"{STATUS}/99999999")

    assert answer.status_code == 404
    assert answer.json() == complaint(404, "Translation job not found", "The requested translation job does not exist.")


def test_status_needs_an_id(http: httpx.Client) -> None:
    """A status without an id is the documented 400."""
    answer = http.get(f"{STATUS}/")

    assert answer.status_code == 400
    assert answer.json() == complaint(400, "Queue ID is required", "Queue ID is required to fetch translation status")


def test_foreign_job_is_hidden(http: httpx.Client) -> None:
    """Another account gets neither the status nor the result of a job."""
    ref = ref_of(submit(http))
    url = ended(lambda: http.get(f"{STATUS}/{ref}"), []).json()["data"]["documentUrl"]
    other = {"x-api-key": "sandbox-other"}
    status, result = http.get(f"{STATUS}/{ref}", headers=other), http.get(url, headers=other)

    assert status.status_code == 401
    assert status.json() == complaint(
        401,
        "Unauthorized access to translation status",
        "You do not have permission to access the status of this translation job.",
    )
    assert result.json() == {"error": "Translation not found or you do not have permission to access it"}


def test_result_cannot_be_reached_by_the_jobs_id(http: httpx.Client) -> None:
    """The id of the submission opens no download."""
    answer = http.get(f"{DOWNLOAD}/{ref_of(submit(http))}")

    assert answer.status_code == 400
    assert answer.json() == {"error": "Invalid translation ID"}


def test_larger_file_than_allowed_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a limit of bytes a longer file gets 413, and one that just fits is taken."""
    with (
        start(tmp_path_factory.mktemp("small"), limits={"gpttranslator.bytes": "5"}) as running,
        httpx.Client(base_url=running.base_url("gpttranslator"), headers={"x-api-key": "sandbox-key"}) as http,
    ):
        codes = [submit(http, content=b"12345").status_code, submit(http, content=b"123456").status_code]

    assert codes == [201, 413]


@pytest.mark.parametrize("name", ['say "hi".txt', "şöyle.txt", "../../etc/note.txt", "a\\b.txt"])
def test_strange_names_do_no_harm(http: httpx.Client, sandbox: Running, name: str) -> None:
    """A name that no header and no path can carry is taken, kept out of both, and stands in the ledger."""
    ref = ref_of(submit(http, name))
    url = ended(lambda: http.get(f"{STATUS}/{ref}"), []).json()["data"]["documentUrl"]
    disposition = http.get(url).headers["content-disposition"]

    assert re.fullmatch(r'attachment; filename="[^"\\\\/]+\.txt"', disposition)
    assert sandbox.ledger()[-1]["accepted"] is True


def test_other_files_of_a_form_are_not_kept(http: httpx.Client, sandbox: Running) -> None:
    """Files under other fields than the documented one leave nothing in the sandbox's folder."""
    before = set(sandbox.folder.iterdir())
    files = {"file": ("note.txt", b"Hello"), "other": ("more.txt", b"more")}
    http.post(SUBMIT, data=FORM, files=files)
    kept = [path.read_bytes() for path in set(sandbox.folder.iterdir()) - before]

    assert kept == [b"Hello"]


@pytest.mark.parametrize("code", [402, 200])
def test_business_rule_fails_as_documented(http: httpx.Client, code: int) -> None:
    """With ~fail-402 and ~fail-200 the failure is the documented one, under this HTTP code."""
    answer = http.get(f"{STATUS}/{ref_of(submit(http, f'note~fail-{code}.txt'))}")

    assert answer.status_code == code
    assert answer.json() == {
        "message": "Translation status fetched successfully",
        "translationStatus": "failed",
        "data": None,
        "error": "only subscribed users are allowed to use this model",
        "statusCode": 402,
    }
