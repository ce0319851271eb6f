"""The simulated VoiceCheap answers as the service's pages say, and keeps their limits."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from daemon.sandbox.child import Running, start
from daemon.sandbox.clip import sunrise

FILM = sunrise()
NO_WINDOWS = {"voicecheap.status": "none", "voicecheap.jobs": "none"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("voicecheap"), limits=NO_WINDOWS) as running:
        yield running


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    with client_of(sandbox) as client:
        yield client


def client_of(sandbox: Running, key: str = "vc_sandbox") -> httpx.Client:
    return httpx.Client(base_url=sandbox.base_url("voicecheap"), headers={"x-api-key": key}, trust_env=False)


def submit(
    http: httpx.Client, name: str = "film.mp4", content: bytes = FILM, kind: str = "video/mp4", **form: str
) -> httpx.Response:
    return http.post("/v1/translate", data={"targetLanguage": "spanish"} | form, files={"file": (name, content, kind)})


def status_of(http: httpx.Client, ref: str) -> httpx.Response:
    return http.get(f"/v1/translate/{ref}/status")


def ref_of(answer: httpx.Response) -> str:
    return str(answer.json()["projectId"])


def until(look: Callable[[], httpx.Response], wanted: Callable[[httpx.Response], bool]) -> httpx.Response:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = look()
        if wanted(answer):
            return answer
    raise AssertionError(f"never came, last: {answer.status_code} {answer.text}")


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_submission_is_answered_as_documented(http: httpx.Client) -> None:
    """A good submission gets 200, a project id and an estimate."""
    answer = submit(http)
    body = answer.json()

    assert answer.status_code == 200
    assert body["success"] is True
    assert set(body) == {"success", "message", "projectId", "estimatedDuration"}


def test_film_comes_back_from_the_other_origin_without_a_key(http: httpx.Client, sandbox: Running) -> None:
    """The success names two URLs on the results' origin, which give the film without any key."""
    body = status_of(http, ref_of(submit(http, projectName="A sunrise", originalLanguage="en"))).json()
    with httpx.Client(trust_env=False) as bare:
        film = bare.get(body["translatedVideoUrl"])
        sound = bare.get(body["translatedAudioUrl"])
        source = bare.get(body["originalVideoUrl"])

    assert body["status"] == "success"
    assert body["projectName"] == "A sunrise"
    assert (body["originalLanguage"], body["targetLanguage"]) == ("en", "spanish")
    assert body["createdAt"] > 1e12
    assert body["translatedVideoUrl"].startswith(f"{sandbox.addresses.results}/voicecheap/translated/")
    assert sandbox.addresses.results != sandbox.addresses.api
    assert (film.headers["content-type"], film.content) == ("video/mp4", FILM)
    assert (sound.headers["content-type"], sound.content) == ("audio/mp4", FILM)
    assert source.content == FILM


def test_recording_comes_back_as_sound_alone(http: httpx.Client) -> None:
    """A recording has no film as result, and keeps its bytes and its extension."""
    body = status_of(http, ref_of(submit(http, "talk.mp3", b"sound", "audio/mpeg"))).json()

    assert "translatedVideoUrl" not in body
    assert ".mp3?" in body["translatedAudioUrl"]
    assert httpx.get(body["translatedAudioUrl"], trust_env=False).content == b"sound"


def test_progress_grows_while_processing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Polling sees the documented progress fields grow until the success, which has none."""
    seen: list[dict[str, Any]] = []
    limits = {"voicecheap.status": "none"}
    with (
        start(tmp_path_factory.mktemp("slow"), pace=(0.4, 0.6), limits=limits) as running,
        client_of(running) as http,
    ):
        ref = ref_of(submit(http))

        def look() -> httpx.Response:
            answer = status_of(http, ref)
            seen.append(answer.json())
            return answer

        until(look, lambda answer: answer.json()["status"] == "success")
    dubbing = [body["dubbingProgress"] for body in seen[:-1]]

    assert {body["status"] for body in seen[:-1]} == {"processing"}
    assert dubbing == sorted(dubbing)
    assert dubbing[0] < dubbing[-1] <= 100
    assert "dubbingProgress" not in seen[-1]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", (401, "MISSING_API_KEY")),
        ("wrong", (401, "INVALID_API_KEY")),
        ("vc_wrong", (401, "INVALID_API_KEY")),
        ("sandbox-blocked", (403, "INSUFFICIENT_CREDITS")),
        ("vc_sandbox-blocked", (403, "INSUFFICIENT_CREDITS")),
        ("sandbox-orphan", (403, "SUBSCRIPTION_REQUIRED")),
    ],
)
def test_bad_key_is_refused_everywhere(sandbox: Running, key: str, expected: tuple[int, str]) -> None:
    """Submission, status and deletion answer a bad key with the documented code."""
    with client_of(sandbox, key) as http:
        answers = [submit(http), status_of(http, "abc"), http.delete("/v1/translate/abc")]

    assert [code_of(answer) for answer in answers] == [expected] * 3


@pytest.mark.parametrize("key", ["sandbox-key", "sandbox-anything", "vc_sandbox", "vc_sandbox_2"])
def test_good_keys_are_taken(sandbox: Running, key: str) -> None:
    """Every key that begins as agreed is good."""
    with client_of(sandbox, key) as http:
        answer = submit(http)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"targetLanguage": "klingon"}, "INVALID_TARGET_LANGUAGE"),
        ({"targetLanguage": "Spanish"}, "INVALID_TARGET_LANGUAGE"),
        ({"originalLanguage": "English"}, "VALIDATION_ERROR"),
        ({"subtitles": "yes"}, "INVALID_BOOLEAN_VALUE"),
        ({"translationTimeSkips": "[{"}, "INVALID_JSON_FORMAT"),
    ],
)
def test_wrong_fields_are_named(http: httpx.Client, form: dict[str, str], code: str) -> None:
    """A wrong field gets 400, the documented code, and its name in the details."""
    answer = submit(http, "film.mp4", FILM, "video/mp4", **form)

    assert code_of(answer) == (400, code)
    assert answer.json()["details"]["field"] == next(iter(form))


def test_wrong_files_are_refused(http: httpx.Client) -> None:
    """No file, a file of another type and an empty file get their documented codes."""
    nothing = http.post("/v1/translate", data={"targetLanguage": "spanish"}, files={"other": ("a", b"b")})
    answers = [nothing, submit(http, "note.txt", b"text", "text/plain"), submit(http, content=b"")]

    assert [code_of(answer) for answer in answers] == [
        (400, "FILE_REQUIRED"),
        (400, "INVALID_FILE_TYPE"),
        (400, "DURATION_DETECTION_FAILED"),
    ]


def test_foreign_and_unknown_projects_are_closed(sandbox: Running, http: httpx.Client) -> None:
    """Another account's project is forbidden, an unknown one is not found."""
    ref = ref_of(submit(http))
    with client_of(sandbox, "sandbox-other") as other:
        foreign = status_of(other, ref)
    unknown = status_of(http, "abc123-def456-ghi789")

    assert foreign.json() == {"code": "FORBIDDEN", "message": "You don't have access to this project"}
    assert foreign.status_code == 403
    assert unknown.json() == {"code": "PROJECT_NOT_FOUND", "message": "The specified project does not exist"}
    assert unknown.status_code == 404


def test_deletion_is_final(http: httpx.Client) -> None:
    """A deleted project is unknown afterwards, and so are its results."""
    ref = ref_of(submit(http))
    url = status_of(http, ref).json()["translatedVideoUrl"]
    answer = http.delete(f"/v1/translate/{ref}")

    assert answer.json() == {"success": True, "message": "Project deleted successfully", "projectId": ref}
    assert status_of(http, ref).status_code == 404
    assert http.delete(f"/v1/translate/{ref}").status_code == 404
    assert httpx.get(url, trust_env=False).status_code == 404


def test_results_want_their_signature(http: httpx.Client) -> None:
    """A result's address without its signature, or with another, is refused in XML."""
    url = status_of(http, ref_of(submit(http))).json()["translatedVideoUrl"]
    bare = httpx.get(url.partition("?")[0], trust_env=False)
    wrong = httpx.get(f"{url}0", trust_env=False)

    assert [bare.status_code, wrong.status_code] == [403, 403]
    assert b"<Code>SignatureDoesNotMatch</Code>" in wrong.content


def test_status_requests_are_limited_as_documented(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The 31st status request of an account within a minute is refused; another account is not concerned."""
    with start(tmp_path_factory.mktemp("limits")) as running, client_of(running) as http:
        ref = ref_of(submit(http))
        answers = [status_of(http, ref) for _ in range(31)]
        with client_of(running, "sandbox-other") as other:
            others = status_of(other, ref)

    assert {answer.status_code for answer in answers[:30]} == {200}
    assert answers[30].status_code == 429
    assert answers[30].json() == {
        "code": "RATE_LIMIT_EXCEEDED",
        "message": "Too many requests (limit: 30 requests per minute)",
    }
    assert code_of(others) == (403, "FORBIDDEN")


def test_deletions_are_limited_as_documented(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The eleventh deletion within a minute is refused."""
    with start(tmp_path_factory.mktemp("limits")) as running, client_of(running) as http:
        codes = [http.delete("/v1/translate/abc").status_code for _ in range(11)]

    assert codes == [404] * 10 + [429]


def test_window_slides(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A shorter window refuses in its turn and has room again when it has passed."""
    limits = {"voicecheap.status": "3/0.5s"}
    with start(tmp_path_factory.mktemp("window"), limits=limits) as running, client_of(running) as http:
        ref = ref_of(submit(http))
        began = time.monotonic()
        codes = [status_of(http, ref).status_code for _ in range(4)]
        again = until(lambda: status_of(http, ref), lambda answer: answer.status_code == 200)
        waited = time.monotonic() - began

    assert codes == [200, 200, 200, 429]
    assert again.json()["status"] == "success"
    assert waited >= 0.5


def test_sixth_job_at_once_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Five jobs of an account may run; a sixth is refused until one of them is gone."""
    with start(tmp_path_factory.mktemp("jobs"), pace=(600, 600)) as running, client_of(running) as http:
        refs = [ref_of(submit(http)) for _ in range(5)]
        sixth = submit(http)
        with client_of(running, "sandbox-other") as other:
            others = submit(other)
        http.delete(f"/v1/translate/{refs[0]}")
        after = submit(http)
        accepted = [entry["accepted"] for entry in running.ledger()]

    assert code_of(sixth) == (429, "CONCURRENT_TRANSLATION_LIMIT_REACHED")
    assert (others.status_code, after.status_code) == (200, 200)
    assert accepted == [True] * 5 + [False, True, True]


def test_ended_jobs_leave_room(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs that are done do not count against the limit."""
    with start(tmp_path_factory.mktemp("jobs")) as running, client_of(running) as http:
        codes = [submit(http).status_code for _ in range(7)]

    assert codes == [200] * 7


def test_too_large_film_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A film above the limit of bytes gets the documented code."""
    with (
        start(tmp_path_factory.mktemp("size"), limits={"voicecheap.bytes": "10"}) as running,
        client_of(running) as http,
    ):
        answer = submit(http)

    assert code_of(answer) == (400, "FILE_TOO_LARGE")
