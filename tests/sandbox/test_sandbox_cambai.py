"""The simulated CAMB.AI answers as the service's pages say, and its own client can talk to it."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from camb.client import CambAI
from camb.core.api_error import ApiError
from camb.errors.unprocessable_entity_error import UnprocessableEntityError

from daemon.sandbox.child import Running, start

TEXTS = ["Hello world", "Dear {name}"]
FRENCH = ["[fr-fr] Ĥéļļö ŵöŕļđ", "Đéáŕ {name}"]
BODY = {"source_language": 1, "target_language": 76, "texts": TEXTS}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("cambai")) as running:
        yield running


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    base, key = sandbox.base_url("cambai"), {"x-api-key": "sandbox-key"}
    with httpx.Client(base_url=base, headers=key, trust_env=False) as client:
        yield client


@pytest.fixture
def sdk(sandbox: Running) -> Iterator[CambAI]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        yield CambAI(base_url=sandbox.base_url("cambai"), api_key="sandbox-key", httpx_client=client)


def submit(http: httpx.Client, project: str = "note.txt", **fields: Any) -> httpx.Response:
    return http.post("/translate", json={**BODY, "project_name": project, **fields})


def task_of(http: httpx.Client, project: str = "note.txt", **fields: Any) -> str:
    return str(submit(http, project, **fields).json()["task_id"])


def status(http: httpx.Client, task: str) -> httpx.Response:
    return http.get(f"/translate/{task}")


def run_of(http: httpx.Client, project: str = "note.txt") -> int:
    run: int = status(http, task_of(http, project)).json()["run_id"]
    return run


def several(http: httpx.Client, runs: object) -> httpx.Response:
    return http.post("/translation-results", json={"run_ids": runs})


def ended(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = look()
        if found.status != "PENDING":
            return found
    raise AssertionError("the task did not end")


# -- with the vendor's own client -----------------------------------------------------------------------------


def test_own_client_translates(sdk: CambAI) -> None:
    """The vendor's client creates a task, sees it succeed and gets its texts, in the order they were sent."""
    created = sdk.translation.create_translation(
        texts=TEXTS,
        source_language=1,
        target_language=76,
        formality=1,
        gender=0,
        age=30,
        chosen_dictionaries=[4],
        project_name="report.docx",
    )
    found = ended(lambda: sdk.translation.get_translation_task_status(created["task_id"]))
    result = sdk.translation.get_translation_result(found.run_id)

    assert found.status == "SUCCESS"
    assert result.texts == FRENCH


def test_own_client_fetches_several_results(sdk: CambAI) -> None:
    """The bulk answer is the bare map that the vendor's client reads."""
    runs = []
    for word in ("one", "two", "three"):
        created = sdk.translation.create_translation(texts=[word], source_language=1, target_language=54)
        runs.append(sdk.translation.get_translation_task_status(created["task_id"]).run_id)
    results = sdk.translation.get_translation_results(run_ids=[run for run in runs if run is not None])

    assert {run: one.texts for run, one in results.items()} == {
        str(run): [text] for run, text in zip(runs, ["[es-es] öñé", "[es-es] ţŵö", "[es-es] ţĥŕéé"], strict=True)
    }


def test_own_client_reads_the_languages(sdk: CambAI) -> None:
    """Both lists have the documented entries."""
    sources, targets = sdk.languages.get_source_languages(), sdk.languages.get_target_languages()

    assert {one.id: one.short_name for one in sources}[1] == "en-us"
    assert {one.id: one.short_name for one in targets}[76] == "fr-fr"
    assert all(one.language for one in targets)


def test_own_client_reads_a_failure(sdk: CambAI) -> None:
    """A failed task shows its word, its reason and its message to the vendor's client."""
    created = sdk.translation.create_translation(
        texts=TEXTS, source_language=1, target_language=76, project_name="note~nested.txt"
    )
    found = sdk.translation.get_translation_task_status(created["task_id"])

    assert (found.status, found.run_id) == ("ERROR", None)
    assert found.exception_reason == "PROCESSING_ERROR"
    assert found.message == {"message": "The texts could not be translated.", "stage": "translation"}


def test_own_client_reads_a_complaint(sdk: CambAI) -> None:
    """A wrong body is the 422 that the vendor's client takes apart."""
    with pytest.raises(UnprocessableEntityError) as caught:
        sdk.translation.create_translation(texts=[], source_language=1, target_language=76)

    [detail] = caught.value.body.detail or []

    assert (list(detail.loc), detail.type) == (["body", "texts"], "list_type")


def test_own_client_cannot_read_wrapped_results(sdk: CambAI) -> None:
    """With ~wrapped the answer has the form that the vendor's client does not know."""
    runs = []
    for word in ("one", "two"):
        created = sdk.translation.create_translation(
            texts=[word], source_language=1, target_language=54, project_name="note~wrapped.txt"
        )
        runs.append(sdk.translation.get_translation_task_status(created["task_id"]).run_id)

    with pytest.raises(ValueError, match="validation error"):
        sdk.translation.get_translation_results(run_ids=[run for run in runs if run is not None])


def test_own_client_meets_a_bad_key(sandbox: Running) -> None:
    """A key that is not good is an error to the vendor's client."""
    with httpx.Client(trust_env=False) as client:
        sdk = CambAI(base_url=sandbox.base_url("cambai"), api_key="wrong", httpx_client=client)
        with pytest.raises(ApiError) as caught:
            sdk.languages.get_target_languages()

    assert caught.value.status_code == 401


# -- submissions ----------------------------------------------------------------------------------------------


def test_submission_stands_in_the_ledger(http: httpx.Client, sandbox: Running) -> None:
    """The ledger knows a submission by its project's name and the hash of its texts."""
    task = task_of(http, "letter.abc-1.docx")
    entry = sandbox.ledger()[-1]
    content = json.dumps(TEXTS).encode()

    assert (entry["service"], entry["accepted"], entry["answered"]) == ("cambai", True, 200)
    assert (entry["file"], entry["remote_id"]) == ("letter.abc-1.docx", task)
    assert (entry["sha256"], entry["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (entry["source"], entry["target"]) == ("1", "76")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"texts": None}, "texts"),
        ({"texts": "Hello"}, "texts"),
        ({"texts": [1]}, "texts"),
        ({"source_language": None}, "source_language"),
        ({"target_language": 137}, "target_language"),
        ({"target_language": "auto"}, "target_language"),
        ({"target_language": True}, "target_language"),
        ({"project_name": "ab"}, "project_name"),
        ({"project_name": "a" * 256}, "project_name"),
        ({"project_description": "ab"}, "project_description"),
        ({"formality": 3}, "formality"),
        ({"gender": 3}, "gender"),
        ({"age": "30"}, "age"),
        ({"folder_id": 1.5}, "folder_id"),
        ({"chosen_dictionaries": 4}, "chosen_dictionaries"),
    ],
)
def test_wrong_fields_are_refused(http: httpx.Client, sandbox: Running, wrong: dict[str, Any], field: str) -> None:
    """A field that is missing or wrong gets the documented 422 with its place, and nothing is taken."""
    answer = http.post("/translate", json={**BODY, **wrong})
    [detail] = answer.json()["detail"]

    assert answer.status_code == 422
    assert detail["loc"] == ["body", field]
    assert sandbox.ledger()[-1]["accepted"] is False


@pytest.mark.parametrize("language", [76, "76", "fr-fr", "FR-FR"])
def test_languages_are_numbers_or_tags(http: httpx.Client, language: object) -> None:
    """Ids are taken, and the tags of the newer client; the source may be left to the service."""
    assert submit(http, target_language=language, source_language="auto").status_code == 200


def test_no_json_is_refused(http: httpx.Client) -> None:
    """A body that is no JSON object has no fields."""
    assert http.post("/translate", content=b"texts=Hello").status_code == 422
    assert http.post("/translate", json=["Hello"]).status_code == 422


def test_larger_texts_than_allowed_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a limit of bytes longer texts get 413, and nothing of them is kept."""
    folder = tmp_path_factory.mktemp("small")
    with start(folder, limits={"cambai.bytes": "10"}) as running, httpx.Client(trust_env=False) as client:
        client.headers = httpx.Headers({"x-api-key": "sandbox-key"})
        codes = [
            client.post(f"{running.base_url('cambai')}/translate", json={**BODY, "texts": [text]}).status_code
            for text in ("123456", "1234567")
        ]
        kept = [path.read_bytes() for path in folder.iterdir() if path.name not in ("ledger.jsonl", "sandbox.log")]

    assert codes == [200, 413]
    assert kept == [b'["123456"]']


@pytest.mark.parametrize(
    ("key", "code"), [("wrong", 401), ("", 401), ("sandbox-blocked", 403), ("sandbox-orphan", 402)]
)
def test_bad_key_is_refused_everywhere(http: httpx.Client, key: str, code: int) -> None:
    """Every path wants a good key."""
    headers = {"x-api-key": key}
    answers = [
        http.post("/translate", json=BODY, headers=headers),
        http.get("/translate/1", headers=headers),
        http.get("/translation-result/1", headers=headers),
        http.post("/translation-results", json={"run_ids": [1, 2]}, headers=headers),
        http.get("/source-languages", headers=headers),
        http.get("/target-languages", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [code] * 6
    assert all(isinstance(answer.json()["detail"], str) for answer in answers)


def test_job_advances_with_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Polling sees PENDING until the task is done."""
    with (
        start(tmp_path_factory.mktemp("slow"), pace=(0.4, 0.6)) as running,
        httpx.Client(base_url=running.base_url("cambai"), headers={"x-api-key": "sandbox-key"}) as http,
    ):
        task = task_of(http)
        words = [status(http, task).json()["status"]]
        while words[-1] == "PENDING":
            words.append(status(http, task).json()["status"])

    assert words[0] == "PENDING"
    assert words[-1] == "SUCCESS"


def test_foreign_task_is_unknown(http: httpx.Client) -> None:
    """Another account finds neither the task nor its run."""
    other = {"x-api-key": "sandbox-other"}
    task = task_of(http)
    run, mine = status(http, task).json()["run_id"], run_of(http)
    together = http.post("/translation-results", json={"run_ids": [run, mine]}, headers=other)

    assert http.get(f"/translate/{task}", headers=other).status_code == 404
    assert http.get(f"/translation-result/{run}", headers=other).status_code == 404
    assert together.json() == {}


# -- results --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [[1], [1, 2, 3, 4, 5, 6], [7, 7], [1, 0], [1, -2], ["1", "2"], [1, True], 12, None])
def test_wrong_groups_are_refused(http: httpx.Client, runs: object) -> None:
    """A group is two to five different positive numbers."""
    answer = several(http, runs)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "run_ids"]


def test_unknown_run_is_left_out_of_a_group(http: httpx.Client) -> None:
    """What nobody knows is missing in the answer, the others are there."""
    run = run_of(http)

    assert several(http, [run, 999_999_999]).json() == {str(run): {"texts": FRENCH}}


def test_unknown_run_is_not_found(http: httpx.Client) -> None:
    """A run of nobody is 404, what is no number 422."""
    assert http.get("/translation-result/999999999").status_code == 404
    assert http.get("/translation-result/abc").status_code == 422


def test_result_is_not_to_be_had_by_the_task(http: httpx.Client) -> None:
    """The run has a number that is told by the status alone."""
    task = task_of(http)
    before = http.get(f"/translation-result/{int(task[:8], 16)}").status_code
    run = status(http, task).json()["run_id"]

    assert before == 404
    assert http.get(f"/translation-result/{run}").json() == {"texts": FRENCH}


# -- tokens that other services have too, as they look here ---------------------------------------------------


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 422, 429, 500, 503])
def test_refusals_have_their_code(http: httpx.Client, sandbox: Running, code: int) -> None:
    """With ~http-N the submission is refused with this code and not taken; a 422 has the documented body."""
    answer = submit(http, f"note~http-{code}.txt")

    assert answer.status_code == code
    assert sandbox.ledger()[-1]["accepted"] is False
    if code == 422:
        assert set(answer.json()["detail"][0]) == {"loc", "msg", "type"}


def test_times_end_the_misbehaviour(http: httpx.Client) -> None:
    """With x1 the same texts are refused once, whatever follows the token in the project's name."""
    codes = [submit(http, f"note~http-503x1.job-{attempt}.txt").status_code for attempt in (1, 2)]

    assert codes == [503, 200]


def test_lost_answer_is_billed(http: httpx.Client, sandbox: Running) -> None:
    """With ~lost no answer comes, and the ledger shows that the texts were taken."""
    with pytest.raises(httpx.RemoteProtocolError):
        submit(http, "note~lost.txt")

    assert (sandbox.ledger()[-1]["accepted"], sandbox.ledger()[-1]["answered"]) == (True, None)


@pytest.mark.parametrize(
    ("token", "word", "reason"),
    [
        ("fail", "ERROR", "PROCESSING_ERROR"),
        ("fail-402", "PAYMENT_REQUIRED", "PAYMENT_REQUIRED"),
        ("fail-408", "TIMEOUT", None),
        ("fail-500", "FAILED", "INTERNAL_ERROR"),
    ],
)
def test_failures_have_their_word(http: httpx.Client, token: str, word: str, reason: str | None) -> None:
    """A task fails with each of the words that are documented or looked for by samples."""
    body = status(http, task_of(http, f"note~{token}.txt")).json()

    assert body == {"status": word, "exception_reason": reason, "message": "The texts could not be translated."}


def test_statuses_misbehave(http: httpx.Client) -> None:
    """Unknown ids, odd words, a success without its run: as the tokens say, one after the other."""
    task = task_of(http, "note~gone~odd-2~early-4.txt")
    looks = [status(http, task) for _ in range(5)]

    assert [look.status_code for look in looks] == [404, 200, 200, 200, 200]
    assert [look.json().get("status") for look in looks[1:]] == ["POLISHING", "SUCCESS", "SUCCESS", "SUCCESS"]
    assert [("run_id" in look.json()) for look in looks[1:]] == [False, False, False, True]


@pytest.mark.parametrize("token", ["html-1", "wrong-1", "empty-1"])
def test_spoilt_result_is_left_out_of_a_group(http: httpx.Client, token: str) -> None:
    """A result that comes spoilt alone is missing where several are fetched, until it is good."""
    run, good = run_of(http, f"note~{token}.txt"), run_of(http)
    before = several(http, [run, good]).json()
    alone = http.get(f"/translation-result/{run}")
    after = several(http, [run, good]).json()

    assert list(before) == [str(good)]
    assert alone.content != json.dumps({"texts": FRENCH}).encode()
    assert after == {str(run): {"texts": FRENCH}, str(good): {"texts": FRENCH}}


def test_absent_result_is_nowhere(http: httpx.Client) -> None:
    """With ~absent the run is told and never found."""
    run, good = run_of(http, "note~absent.txt"), run_of(http)

    assert http.get(f"/translation-result/{run}").status_code == 404
    assert list(several(http, [run, good]).json()) == [str(good)]
