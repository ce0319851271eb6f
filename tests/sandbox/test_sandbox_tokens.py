"""Every token does what its line in the table says, at every service that it concerns."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running, start
from daemon.sandbox.misbehave import TOKENS

CONTENT = b"Hello world, how are you today?\n"
LIMITS = {"voicecheap.status": "none", "voicecheap.jobs": "none"}
FORMS = {
    "gpttranslator": {"sourceLang": "en", "targetLang": "fr", "model": "gpt-4.1-mini-2025-04-14"},
    "voicecheap": {"targetLanguage": "french"},
}
SUBMIT = {"gpttranslator": "/v1/translation/document-translation/api", "voicecheap": "/v1/translate"}


@dataclass
class Service:
    """One service as a test sees it, with the differences between the two put away."""

    name: str
    http: httpx.Client
    sandbox: Running

    def submit(self, stem: str) -> httpx.Response:
        file = (f"{stem}.txt", CONTENT) if self.name == "gpttranslator" else (f"{stem}.mp4", CONTENT, "video/mp4")
        return self.http.post(SUBMIT[self.name], data=FORMS[self.name], files={"file": file})

    def taken(self, stem: str) -> str:
        body = self.submit(stem).json()
        return str(body["projectId"] if self.name == "voicecheap" else body["data"]["translationId"])

    def status(self, ref: str) -> httpx.Response:
        if self.name == "voicecheap":
            return self.http.get(f"/v1/translate/{ref}/status")
        return self.http.get(f"/v1/translation/document-translation-status/{ref}")

    def words(self, ref: str, looks: int) -> list[str]:
        """What the next looks show; an id that is not known shows as 404."""
        answers = [self.status(ref) for _ in range(looks)]
        key = "status" if self.name == "voicecheap" else "translationStatus"
        return [answer.json().get(key, str(answer.status_code)) for answer in answers]

    @property
    def done(self) -> str:
        return "success" if self.name == "voicecheap" else "completed"

    @property
    def running(self) -> str:
        return "processing" if self.name == "voicecheap" else "active"

    def url(self, ref: str) -> str:
        body = self.status(ref).json()
        return str(body["translatedVideoUrl"] if self.name == "voicecheap" else body["data"]["documentUrl"])

    def fetch(self, ref: str) -> httpx.Response:
        return self.get(self.url(ref))

    def get(self, url: str) -> httpx.Response:
        """Download as the service wants it: the key goes to the API's origin alone."""
        if self.name == "gpttranslator":
            return self.http.get(url)
        return httpx.get(url, trust_env=False)

    @property
    def good_result(self) -> bytes:
        return CONTENT if self.name == "voicecheap" else "[fr] Ĥéļļö ŵöŕļđ, ĥöŵ áŕé ýöü ţöđáý?\n".encode()

    def entry(self) -> dict[str, Any]:
        return self.sandbox.ledger()[-1]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("tokens"), limits=LIMITS) as running:
        yield running


def service_of(sandbox: Running, name: str) -> Iterator[Service]:
    key = {"x-api-key": "sandbox-key"}
    with httpx.Client(base_url=sandbox.base_url(name), headers=key, trust_env=False) as http:
        yield Service(name, http, sandbox)


@pytest.fixture(params=["gpttranslator", "voicecheap"])
def service(request: pytest.FixtureRequest, sandbox: Running) -> Iterator[Service]:
    yield from service_of(sandbox, request.param)


@pytest.fixture
def gpttranslator(sandbox: Running) -> Iterator[Service]:
    yield from service_of(sandbox, "gpttranslator")


@pytest.fixture
def voicecheap(sandbox: Running) -> Iterator[Service]:
    yield from service_of(sandbox, "voicecheap")


@pytest.fixture
def doctranslate(sandbox: Running) -> Iterator[httpx.Client]:
    """The third service, for the tokens that are its own; what the others do to it is tested beside it."""
    key = {"authorization": "Bearer sandbox-key"}
    with httpx.Client(base_url=sandbox.base_url("doctranslate"), headers=key, trust_env=False) as http:
        yield http


def data_of(http: httpx.Client, stem: str) -> Any:
    """What the first look at a new task of Doctranslate has under `data`."""
    answer = http.post("/v1/translate/document", data={"dest_lang": "fr"}, files={"file": (f"{stem}.pdf", CONTENT)})
    return http.get(f"/v1/result/{answer.json()['data']['task_id']}").json()["data"]


def test_every_token_has_its_test() -> None:
    """No word of the table is without a test here that is called after it."""
    tests = [name for name in globals() if name.startswith("test_token_")]

    assert [word for word in TOKENS if not any(name.startswith(f"test_token_{word}_") for name in tests)] == []


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500, 502, 503])
def test_token_http_refuses(service: Service, code: int) -> None:
    """The submission is answered with the wanted code and is not taken."""
    answer, entry = service.submit(f"note~http-{code}.job1-1"), service.entry()

    assert answer.status_code == code
    assert (entry["accepted"], entry["answered"], entry["remote_id"]) == (False, code, None)


def test_token_http_means_503(service: Service) -> None:
    """Without a number the refusal is a proxy's page with 503."""
    answer = service.submit("note~http")

    assert answer.status_code == 503
    assert "Service Temporarily Unavailable" in answer.text


def test_times_end_the_misbehaviour(service: Service) -> None:
    """With x2 the same file is refused twice and then taken, whatever follows the token in its name."""
    codes = [service.submit(f"note~http-503x2.job1-{attempt}").status_code for attempt in (1, 2, 3)]

    assert codes[:2] == [503, 503]
    assert codes[2] in (200, 201)


def test_token_accepted_bills_and_says_503(service: Service) -> None:
    """The answer is 503 or the wanted code, yet the ledger shows that the submission was taken."""
    first, one = service.submit("note~accepted"), service.entry()
    second, two = service.submit("note~accepted-500"), service.entry()

    assert (first.status_code, second.status_code) == (503, 500)
    assert [(entry["accepted"], entry["answered"]) for entry in (one, two)] == [(True, 503), (True, 500)]
    assert service.words(one["remote_id"], 1) == [service.done]


def test_token_lost_closes_the_connection(service: Service) -> None:
    """The connection ends without an answer, yet the submission was taken."""
    with pytest.raises(httpx.RemoteProtocolError):
        service.submit("note~lost")

    entry = service.entry()

    assert (entry["accepted"], entry["answered"]) == (True, None)
    assert service.words(entry["remote_id"], 1) == [service.done]


def test_token_hang_withholds_the_answer(service: Service) -> None:
    """No answer comes while the client waits; with a number the connection closes after so many seconds."""
    service.http.timeout = httpx.Timeout(2)
    with pytest.raises(httpx.ReadTimeout):
        service.submit("note~hang")
    entry = service.entry()
    service.http.timeout = httpx.Timeout(20)
    with pytest.raises(httpx.RemoteProtocolError):
        service.submit("note~hang-1")

    assert (entry["accepted"], entry["answered"]) == (True, None)
    assert service.entry()["accepted"] is True


def test_token_fail_ends_the_job(service: Service) -> None:
    """The job fails, in the documented shape and with a reason."""
    answer = service.status(service.taken("note~fail"))
    reason = answer.json()["error"]

    assert answer.status_code == 200
    if service.name == "voicecheap":
        assert answer.json()["status"] == "failed"
        assert reason == {
            "code": "TRANSCRIPTION_FAILED",
            "message": "Could not transcribe the audio. Please ensure the audio quality is sufficient.",
        }
    else:
        assert answer.json()["translationStatus"] == "failed"
        assert reason == "The document could not be read. It may be damaged."


def test_token_nested_spells_the_keys_literally(voicecheap: Service) -> None:
    """The failure's keys are `error.code` and `error.message`, as the page's schema has them."""
    body = voicecheap.status(voicecheap.taken("note~nested")).json()

    assert body["status"] == "failed"
    assert set(body["error"]) == {"error.code", "error.message"}


def test_token_slow_takes_its_time(service: Service) -> None:
    """The job with a number of seconds is not done before they are over."""
    began = time.monotonic()
    ref = service.taken("note~slow-1")
    while service.words(ref, 1) != [service.done] and time.monotonic() < began + 20:
        pass

    assert 1.0 <= time.monotonic() - began < 20


def test_token_slow_means_a_minute(voicecheap: Service) -> None:
    """Without a number the job takes a minute, as the service's estimate says."""
    body = voicecheap.submit("note~slow").json()

    assert body["estimatedDuration"] == 60


def test_token_stuck_never_ends(service: Service) -> None:
    """Every look shows the job running, in a sandbox where others end at once."""
    assert service.words(service.taken("note~stuck"), 20) == [service.running] * 20


def test_token_queue_shows_all_its_words(gpttranslator: Service) -> None:
    """The first looks show the words of the queue, then the job is done."""
    words = gpttranslator.words(gpttranslator.taken("note~queue"), 6)

    assert words == ["waiting", "prioritized", "delayed", "paused", "waiting-children", "completed"]


def test_token_odd_shows_an_unknown_word(service: Service) -> None:
    """Two looks, or as many as wanted, show a word that no document knows."""
    assert service.words(service.taken("note~odd"), 3) == ["polishing", "polishing", service.done]
    assert service.words(service.taken("note~odd-1"), 2) == ["polishing", service.done]


def test_token_back_goes_backwards_once(service: Service) -> None:
    """The second look is behind the first; then the job is done."""
    ref = service.taken("note~back")
    bodies = [service.status(ref).json() for _ in range(3)]

    if service.name == "voicecheap":
        assert bodies[0]["dubbingProgress"] > bodies[1]["dubbingProgress"]
        assert bodies[2]["status"] == "success"
    else:
        assert [body["translationStatus"] for body in bodies] == ["active", "waiting", "completed"]


def test_token_gone_denies_the_id_early(service: Service) -> None:
    """The first look, or as many as wanted, is a 404; then the job is there."""
    assert service.words(service.taken("note~gone"), 2) == ["404", service.done]
    assert service.words(service.taken("note~gone-3"), 4) == ["404", "404", "404", service.done]


def test_token_vanish_denies_the_id_for_ever(service: Service) -> None:
    """The submission was taken, and every look is a 404."""
    assert service.words(service.taken("note~vanish"), 10) == ["404"] * 10


def test_token_flat_puts_the_record_into_data(doctranslate: httpx.Client) -> None:
    """The looks show status, address and name directly under `data`."""
    running, done = data_of(doctranslate, "note~flat~stuck"), data_of(doctranslate, "note~flat")

    assert running == {"status": "processing"}
    assert set(done) == {"status", "url_download", "name_file"}
    assert done["status"] == "done"


def test_token_bare_shows_no_record(doctranslate: httpx.Client) -> None:
    """A task that runs has no record, in three manners; one that is done has it."""
    manners = ["bare", "bare-1", "bare-2"]

    assert [data_of(doctranslate, f"note~{one}~stuck") for one in manners] == [{}, None, {"status": None}]
    assert [data_of(doctranslate, f"note~{one}~vanish") for one in manners] == [{}, None, {"status": None}]
    assert all(len(data_of(doctranslate, f"note~{one}")) == 2 for one in manners)


def test_token_audio_gives_sound_alone(voicecheap: Service) -> None:
    """The success of a film names no film, only the sound."""
    body = voicecheap.status(voicecheap.taken("film~audio")).json()

    assert body["status"] == "success"
    assert "translatedVideoUrl" not in body
    assert httpx.get(body["translatedAudioUrl"], trust_env=False).content == CONTENT


@pytest.mark.parametrize("word", ["html", "empty", "wrong"])
def test_bad_downloads_last_as_long_as_wanted(service: Service, word: str) -> None:
    """Without a number every download is bad, with ~word-1 the second is good."""
    always, once = service.taken(f"note~{word}"), service.taken(f"note~{word}-1")

    assert [service.fetch(always).content == service.good_result for _ in range(3)] == [False] * 3
    assert [service.fetch(once).content == service.good_result for _ in range(2)] == [False, True]


def test_token_html_gives_a_page(service: Service) -> None:
    """The download is a sign-in page under 200."""
    result = service.fetch(service.taken("note~html"))

    assert (result.status_code, result.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Please sign in" in result.text


def test_token_empty_gives_no_bytes(service: Service) -> None:
    """The download is whole, of the right type, and has no bytes."""
    result = service.fetch(service.taken("note~empty"))

    assert (result.status_code, result.headers["content-length"], result.content) == (200, "0", b"")
    assert "html" not in result.headers["content-type"]


def test_token_wrong_gives_a_picture(service: Service) -> None:
    """The download is a PNG."""
    result = service.fetch(service.taken("note~wrong"))

    assert (result.status_code, result.headers["content-type"]) == (200, "image/png")
    assert result.content.startswith(b"\x89PNG\r\n\x1a\n")


def test_token_cut_breaks_off(service: Service) -> None:
    """The head promises the whole result and half of it comes; with ~cut-1 the next download is whole."""
    url = service.url(service.taken("note~cut-1"))
    headers = service.http.headers if service.name == "gpttranslator" else None
    received: list[bytes] = []
    with httpx.Client(headers=headers, trust_env=False) as http, http.stream("GET", url) as result:
        promised = int(result.headers["content-length"])
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(result.iter_raw())

    assert promised == len(service.good_result)
    assert b"".join(received) == service.good_result[: promised // 2]
    assert service.get(url).content == service.good_result


def test_token_absent_gives_nothing(service: Service) -> None:
    """The status is a success, and its address leads nowhere."""
    ref = service.taken("note~absent")

    assert service.words(ref, 1) == [service.done]
    assert service.fetch(ref).status_code == 404


def test_token_early_asks_for_patience(gpttranslator: Service) -> None:
    """The first download is the documented complaint about an active job; the second is good."""
    ref = gpttranslator.taken("note~early")
    first, second = gpttranslator.fetch(ref), gpttranslator.fetch(ref)

    assert first.json() == {"error": "Translation is currently active. Please wait for completion."}
    assert first.status_code == 400
    assert second.content == gpttranslator.good_result


def test_token_expired_needs_a_fresh_address(service: Service) -> None:
    """The first address stays closed however often it is tried; the next status has one that is good."""
    ref = service.taken("note~expired")
    old = service.url(ref)
    codes = [service.get(old).status_code for _ in range(2)]
    fresh = service.url(ref)

    assert codes == [403, 403]
    assert fresh != old
    assert service.get(fresh).content == service.good_result
    assert service.get(old).status_code == 403


def test_tokens_combine(service: Service) -> None:
    """Several tokens in one name all hold."""
    ref = service.taken("note~gone~odd-2~html-1")

    assert service.words(ref, 3) == ["404", "polishing", service.done]
    assert b"Please sign in" in service.fetch(ref).content
    assert service.fetch(ref).content == service.good_result


# -- CAMB.AI: lists of texts, results by the run ---------------------------------------------------------------


@pytest.fixture
def cambai(sandbox: Running) -> Iterator[httpx.Client]:
    key = {"x-api-key": "sandbox-key"}
    with httpx.Client(base_url=sandbox.base_url("cambai"), headers=key, trust_env=False) as http:
        yield http


def run_of(cambai: httpx.Client, stem: str) -> int:
    body = {"source_language": 1, "target_language": 76, "texts": ["Hello {name}", "world"], "project_name": stem}
    task = cambai.post("/translate", json=body).json()["task_id"]
    run: int = cambai.get(f"/translate/{task}").json()["run_id"]
    return run


def texts_of(cambai: httpx.Client, run: int) -> list[str]:
    texts: list[str] = cambai.get(f"/translation-result/{run}").json()["texts"]
    return texts


def together(cambai: httpx.Client, *runs: int) -> httpx.Response:
    return cambai.post("/translation-results", json={"run_ids": runs})


def test_token_short_loses_a_text(cambai: httpx.Client) -> None:
    """The result has one text less, alone and with others; with ~short-1 the next one has all."""
    always, once = run_of(cambai, "note~short"), run_of(cambai, "note~short-1")

    assert [len(texts_of(cambai, always)) for _ in range(2)] == [1, 1]
    assert [len(texts_of(cambai, once)) for _ in range(2)] == [1, 2]
    assert len(together(cambai, always, once).json()[str(always)]["texts"]) == 1


def test_token_lossy_loses_placeholders(cambai: httpx.Client) -> None:
    """The result has all texts, without what stands in braces."""
    assert texts_of(cambai, run_of(cambai, "note~lossy")) == ["[fr-fr] Ĥéļļö ", "ŵöŕļđ"]


def test_token_alone_is_missing_among_others(cambai: httpx.Client) -> None:
    """The result is left out of a bulk answer and is good when asked for alone."""
    run, other = run_of(cambai, "note~alone"), run_of(cambai, "note")

    assert list(together(cambai, run, other).json()) == [str(other)]
    assert texts_of(cambai, run) == ["[fr-fr] Ĥéļļö {name}", "ŵöŕļđ"]


def test_token_wrapped_puts_results_under_a_key(cambai: httpx.Client) -> None:
    """The bulk answer has the form of the page's prose instead of the bare map."""
    run, other = run_of(cambai, "note~wrapped"), run_of(cambai, "note")
    body = together(cambai, run, other).json()

    assert list(body) == ["results"]
    assert set(body["results"]) == {str(run), str(other)}


def test_token_groups_are_refused(cambai: httpx.Client) -> None:
    """A group with this result is 422; with ~groups-3 only one of two is."""
    never, three = run_of(cambai, "note~groups"), run_of(cambai, "note~groups-3")
    one, two = run_of(cambai, "note"), run_of(cambai, "note")

    assert together(cambai, never, one, two).status_code == 422
    assert [together(cambai, three, one).status_code, together(cambai, three, one, two).status_code] == [422, 200]


# -- Azure: batches from container to container ----------------------------------------------------------------

BATCHES = "/translator/document/batches"
VERSION = {"api-version": "2024-05-01"}


@pytest.fixture
def azure(sandbox: Running) -> Iterator[httpx.Client]:
    key = {"ocp-apim-subscription-key": "sandbox-key"}
    with httpx.Client(base_url=sandbox.base_url("azure"), headers=key, params=VERSION, trust_env=False) as http:
        yield http


def batch_of(sandbox: Running, azure: httpx.Client, stem: str) -> tuple[httpx.Response, str]:
    """The answer to a new batch, and its id."""
    urls = []
    for side in ("source", "target"):
        address, _, signature = container_url(sandbox.addresses, side).partition("?")
        urls.append(f"{address}/{stem}.{len(sandbox.ledger())}.txt?{signature}")
    httpx.put(urls[0], content=CONTENT, headers={"x-ms-blob-type": "BlockBlob"}, trust_env=False)
    target = {"targetUrl": urls[1], "language": "fr"}
    one = {"storageType": "File", "source": {"sourceUrl": urls[0]}, "targets": [target]}
    answer = azure.post(BATCHES, json={"inputs": [one]})
    return answer, str(sandbox.ledger()[-1]["remote_id"])


def words_of(azure: httpx.Client, batch: str, looks: int) -> list[str]:
    return [azure.get(f"{BATCHES}/{batch}").json()["status"] for _ in range(looks)]


def test_azure_has_the_common_tokens(sandbox: Running, azure: httpx.Client) -> None:
    """Steps back, odd words, the words of the queue: in the words of this service."""
    tokens = ("back", "odd", "queue", "stuck", "fail")
    seen = {one: words_of(azure, batch_of(sandbox, azure, f"note~{one}")[1], 3) for one in tokens}

    assert seen == {
        "back": ["Running", "NotStarted", "Succeeded"],
        "odd": ["Polishing", "Polishing", "Succeeded"],
        "queue": ["NotStarted", "Running", "Succeeded"],
        "stuck": ["Running"] * 3,
        "fail": ["Failed"] * 3,
    }


def test_token_header_moves_the_id(sandbox: Running, azure: httpx.Client) -> None:
    """The id stands in the older form of the address, behind its query, in the other header, or nowhere."""
    found = {}
    for token in ("header", "header-2", "header-3", "header-4"):
        answer, batch = batch_of(sandbox, azure, f"note~{token}")
        headers = {name: answer.headers[name] for name in ("operation-location", "location") if name in answer.headers}
        found[token] = [(name, value.partition("/document")[2].replace(batch, "ID")) for name, value in headers.items()]

    assert found == {
        "header": [("operation-location", "/ID?api-version=2024-05-01")],
        "header-2": [("operation-location", "/batches?api-version=2024-05-01/ID")],
        "header-3": [("location", "/batches/ID?api-version=2024-05-01")],
        "header-4": [],
    }


def test_token_after_asks_for_patience(sandbox: Running, azure: httpx.Client) -> None:
    """Status, documents and lists say Retry-After; without the token nothing does."""
    batches = [batch_of(sandbox, azure, f"note~{token}")[1] for token in ("after~stuck", "after-5", "slow-0")]
    waits = [azure.get(f"{BATCHES}/{batch}").headers.get("retry-after") for batch in batches]

    assert waits == ["30", "5", None]
    assert azure.get(f"{BATCHES}/{batches[1]}/documents").headers["retry-after"] == "5"
    assert azure.get(BATCHES, params={"ids": batches[0]}).headers["retry-after"] == "30"


def test_token_invalid_fails_the_validation(sandbox: Running, azure: httpx.Client) -> None:
    """The batch is refused after it was taken, without a document."""
    batch = batch_of(sandbox, azure, "note~invalid")[1]
    body = azure.get(f"{BATCHES}/{batch}").json()

    assert (body["status"], body["summary"]["total"]) == ("ValidationFailed", 0)
    assert body["error"]["innerError"]["code"] == "InvalidDocumentAccessLevel"


def test_token_cancel_ends_in_both_spellings(sandbox: Running, azure: httpx.Client) -> None:
    """The batch ends as if somebody had cancelled it."""
    spellings = [words_of(azure, batch_of(sandbox, azure, f"note~{one}")[1], 1)[0] for one in ("cancel", "cancel-1")]

    assert spellings == ["Cancelled", "Canceled"]


def test_token_partly_succeeds_without_the_document(sandbox: Running, azure: httpx.Client) -> None:
    """The batch succeeds, its only document has failed."""
    batch = batch_of(sandbox, azure, "note~partly")[1]
    body = azure.get(f"{BATCHES}/{batch}").json()
    [document] = azure.get(f"{BATCHES}/{batch}/documents").json()["value"]

    assert (body["status"], body["summary"]["failed"], body["summary"]["success"]) == ("Succeeded", 1, 0)
    assert (document["status"], document["error"]["innerError"]["code"]) == ("Failed", "NoTranslatableText")


def test_token_unlisted_succeeds_with_nothing(sandbox: Running, azure: httpx.Client) -> None:
    """The batch succeeds, and no document was ever in it."""
    batch = batch_of(sandbox, azure, "note~unlisted")[1]
    body = azure.get(f"{BATCHES}/{batch}").json()

    assert (body["status"], body["summary"]["total"]) == ("Succeeded", 0)
    assert azure.get(f"{BATCHES}/{batch}/documents").json() == {"value": []}


def test_token_nested_spells_the_older_keys(sandbox: Running, azure: httpx.Client) -> None:
    """Azure then writes translationId and innererror."""
    body = azure.get(f"{BATCHES}/{batch_of(sandbox, azure, 'note~nested')[1]}").json()

    assert "id" not in body
    assert "translationId" in body
    assert body["error"]["innererror"]["code"] == "NoTranslatableText"


def test_token_pages_cuts_lists(sandbox: Running) -> None:
    """Lists of this account come one by one, and go on under the other key."""
    key = {"ocp-apim-subscription-key": "sandbox-pages"}
    with httpx.Client(base_url=sandbox.base_url("azure"), headers=key, params=VERSION, trust_env=False) as azure:
        batches = [batch_of(sandbox, azure, stem)[1] for stem in ("note~pages", "note")]
        first = azure.get(BATCHES).json()
        second = httpx.get(first["@nextLink"], headers=key, trust_env=False).json()

    assert [one["id"] for one in first["value"] + second["value"]] == batches[::-1]
    assert not {"nextLink", "@nextLink"} & set(second)
