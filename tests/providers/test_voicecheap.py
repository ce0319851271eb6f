"""VoiceCheap joins the suite; and what is its own (pages "Get Translation Status" and "Start Translation")."""

import json
from typing import Any

import pytest

from daemon.errors import (
    BlockedError,
    CapacityError,
    LostError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from daemon.languages import Route
from daemon.providers.base import Failed, Fetched, Ready, Running
from daemon.providers.voicecheap import VoiceCheap
from tests.providers.conformance import Conformance, Joining
from tests.providers.in_sandbox import InSandbox
from tests.providers.world import Reply, Row, World
from tests.rawserver import Exchange, answer


def error(status: int, code: str, field: str | None = None) -> Reply:
    """The documented shape, with details where the page shows them."""
    body: dict[str, Any] = {"code": code, "message": f"Something about {code}"}
    if field:
        body["details"] = {"field": field, "reason": "is wrong"}
    return Reply(status, body)


REFUSALS = (
    "FILE_REQUIRED INVALID_FILE_TYPE FILE_TOO_LARGE DURATION_DETECTION_FAILED VIDEO_TOO_LONG "
    "INVALID_TARGET_LANGUAGE VALIDATION_ERROR INVALID_BOOLEAN_VALUE INVALID_JSON_FORMAT"
)
WITH_KEY = ("submit", "status", "check")
DENIED = Reply(
    403, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', {"content-type": "application/xml"}
)

ROWS = (
    *(Row("submit", error(400, code, "file"), RejectedError, "submit.rejected") for code in REFUSALS.split()),
    *(
        Row(verb, error(401, code), BlockedError, "account.key")
        for code in ("MISSING_API_KEY", "INVALID_API_KEY")
        for verb in WITH_KEY
    ),
    *(
        Row(verb, error(403, code), BlockedError, "account.blocked")
        for code in ("API_ACCESS_REQUIRED", "SUBSCRIPTION_REQUIRED", "INSUFFICIENT_CREDITS")
        for verb in WITH_KEY
    ),
    Row("submit", error(403, "FORBIDDEN"), RejectedError, "submit.rejected"),
    Row("submit", error(429, "CONCURRENT_TRANSLATION_LIMIT_REACHED"), CapacityError, "account.full"),
    Row("submit", error(429, "RATE_LIMIT_EXCEEDED"), ThrottledError, "account.throttled"),
    Row("submit", error(500, "INTERNAL_ERROR"), UncertainError, "submit.uncertain"),
    Row("status", error(403, "FORBIDDEN"), RejectedError, "provider.failed"),
    Row("status", error(404, "PROJECT_NOT_FOUND"), LostError, "provider.lost"),
    Row("status", error(429, "RATE_LIMIT_EXCEEDED"), ThrottledError, "account.throttled"),
    Row("status", error(500, "INTERNAL_ERROR"), TransientError, "service.error"),
    Row("fetch", DENIED, LostError, "result.gone"),
    Row("fetch", Reply(404, DENIED.body), LostError, "result.gone"),
    Row("check", error(404, "PROJECT_NOT_FOUND"), None),
    Row("check", error(403, "FORBIDDEN"), None),
    Row("check", error(400, "VALIDATION_ERROR"), None),
    Row("check", error(429, "RATE_LIMIT_EXCEEDED"), ThrottledError),
    Row("check", error(500, "INTERNAL_ERROR"), TransientError),
)


class Joined(Joining):
    kind = VoiceCheap
    route = Route(source=None, target="es", target_wire="spanish")
    drop = ("talk.mp4", b"\0\0\0\x18ftypmp42 and so on")
    words = ("processing",)
    done = "success"
    documented = ROWS

    def verb_of(self, exchange: Exchange) -> str:
        if exchange.method == "POST":
            return "submit"
        return "status" if exchange.target.endswith("/status") else "fetch"

    def taken(self, ref: object) -> Reply:
        return Reply(200, {"success": True, "message": "Started", "projectId": ref, "estimatedDuration": 123})

    def state(self, word: object, **more: object) -> Reply:
        body = {
            "projectId": "abc123-def456-ghi789",
            "projectName": "My Spanish Translation",
            "originalVideoUrl": "https://storage.voicecheap.ai/...",
            "originalLanguage": "en",
            "targetLanguage": "spanish",
            "duration": 125.5,
            "createdAt": 1702234567890,
            "status": word,
        }
        return Reply(200, body | more)

    def ready(self, url: object) -> Reply:
        return self.state(self.done, translatedVideoUrl=url, translatedAudioUrl=url)

    def failed(self, reason: str) -> Reply:
        return self.state("failed", error={"code": "TRANSCRIPTION_FAILED", "message": reason})


class TestConformance(Joined, Conformance):
    """The suite, and what only this service does."""

    def test_submission_has_the_documented_fields(self, world: World) -> None:
        """The target goes out as a name, the source stays out unless it is known, the token names the project."""
        self.submit(world)
        known = Route(source="en", source_wire="en", target="fr-CA", target_wire="french canadian")
        world.submit(*self.drop, known)
        first, second = (sent.body.decode() for sent in world.asked("submit"))

        assert world.asked("submit")[0].target == "/v1/translate"
        assert 'name="targetLanguage"\r\n\r\nspanish\r\n' in first
        assert "originalLanguage" not in first
        assert 'name="projectName"\r\n\r\ntalk.0123456789abcdef-1.mp4\r\n' in first
        assert 'name="file"; filename="talk.0123456789abcdef-1.mp4"\r\ncontent-type: video/mp4\r\n' in first
        assert 'name="originalLanguage"\r\n\r\nen\r\n' in second
        assert 'name="targetLanguage"\r\n\r\nfrench canadian\r\n' in second

    @pytest.mark.parametrize(
        ("told", "cost"),
        [(125.5, 125.5), (60, 60.0), (0, 0.0), (-1, None), ("125", None), (True, None), (None, None), (1e300, None)],
    )
    def test_result_costs_the_seconds_of_its_film(self, world: World, told: object, cost: object) -> None:
        """The service tells no price, but the length that prices are made of; nonsense is not told."""
        url = "https://storage.voicecheap.ai/a.mp4"
        world.replies["status"] = self.state(self.done, translatedVideoUrl=url, duration=told).script
        look = world.look("ref-1")

        assert isinstance(look, Ready)
        assert look.cost == cost
        assert world.provider.capabilities.costs == "seconds"

    @pytest.mark.parametrize("keys", [("code", "message"), ("error.code", "error.message")])
    def test_both_spellings_of_the_reason_are_read(self, world: World, keys: tuple[str, str]) -> None:
        """The example has plain keys, the schema literal ones with a dot; both tell code and message."""
        reason = dict(zip(keys, ("TRANSCRIPTION_FAILED", "Could not transcribe."), strict=True))
        for more in ({"error": reason}, {f"error.{key}".replace("error.error", "error"): reason[key] for key in keys}):
            world.replies["status"] = self.state("failed", **more).script
            told = world.look("ref-1")

            assert isinstance(told, Failed)
            assert (told.error.provider_code, told.error.provider_message) == tuple(reason.values())

    @pytest.mark.parametrize(
        ("wanted", "offered", "expected"),
        [
            ("video", {"translatedVideoUrl": "v", "translatedAudioUrl": "a"}, "v"),
            ("audio", {"translatedVideoUrl": "v", "translatedAudioUrl": "a"}, "a"),
            ("video", {"translatedAudioUrl": "a"}, "a"),
            ("video", {"translatedVideoUrl": "", "translatedAudioUrl": "a"}, "a"),
            ("video", {"translatedVideoUrl": None, "translatedAudioUrl": "a"}, "a"),
            ("audio", {"translatedVideoUrl": "v"}, "v"),
            ("video", {"translatedVideoUrl": "v", "lipSync": {"videoUrl": "l", "status": "COMPLETED"}}, "l"),
            ("video", {"translatedVideoUrl": "v", "lipSync": {"lipSync.videoUrl": "l"}}, "l"),
            ("video", {"translatedVideoUrl": "v", "lipSync.videoUrl": "l"}, "l"),
            ("video", {"translatedVideoUrl": "v", "lipSync": {"videoUrl": None, "status": "PENDING"}}, "v"),
            ("video", {"translatedVideoUrl": "v", "lipSync": None}, "v"),
            ("audio", {"translatedAudioUrl": "a", "lipSync": {"videoUrl": "l"}}, "a"),
        ],
    )
    def test_wanted_result_is_chosen(
        self, wanted: str, offered: dict[str, Any], expected: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """The setting says which result is taken; where that one is missing the other one is."""
        folder = tmp_path_factory.mktemp("world")
        with World(self.kind, self.verb_of, folder, result=wanted) as world:
            base = f"{world.storage.origin}/"
            text = json.dumps(offered)
            for short in ("v", "a", "l"):
                text = text.replace(f'"{short}"', f'"{base}{short}"')
            world.replies = {"status": self.state("success", **json.loads(text)).script, "fetch": answer(200, b"x")}
            told, _ = world.fetch("ref-1")

        assert isinstance(told, Fetched)
        assert [seen.target for seen in world.storage.requests] == [f"/{expected}"]

    @pytest.mark.parametrize(
        ("path", "media", "expected"),
        [
            ("x.mp4", "video/mp4", "mp4"),
            ("x.mp4", "audio/mp4", "m4a"),
            ("x", "audio/x-m4a; codecs=mp4a", "m4a"),
            ("x", "Video/QuickTime", "mov"),
            ("x.mp3?sig=a/b.exe", "application/octet-stream", "mp3"),
            ("x.MP3", "", "mp3"),
            ("x.exe", "application/octet-stream", None),
            ("x", "text/html", None),
            ("x.mp4/..%2f..%2fetc", "", None),
        ],
    )
    def test_format_of_the_result_is_told(self, world: World, path: str, media: str, expected: str | None) -> None:
        """The type of the answer says which format came, else the address; what neither knows is not told."""
        world.replies["status"] = self.ready(f"{world.storage.origin}/{path}").script
        world.replies["fetch"] = answer(200, b"sound", {"content-type": media})
        told, _ = world.fetch("ref-1")

        assert told == Fetched(extension=expected)

    @pytest.mark.parametrize("word", ["error", "unauthorized", "fail"])
    def test_status_word_of_an_error_is_no_state(self, world: World, word: str) -> None:
        """Under an error's code an unknown word is the error's own: a wrong key must not look like patience."""
        told = self.play(world, "status", Reply(401, {"status": word, "message": "Invalid key"}).script)
        lost = self.play(world, "status", Reply(404, {"status": word, "message": "Unknown"}).script)

        assert isinstance(told, BlockedError)
        assert isinstance(lost, LostError)

    @pytest.mark.parametrize(
        ("steps", "expected"),
        [
            ({}, None),
            ({"translationAndTranscriptionProgress": 100, "dubbingProgress": 0}, 0.5),
            ({"translationAndTranscriptionProgress": 40}, 0.2),
            ({"translationAndTranscriptionProgress": 100, "dubbingProgress": 100}, 1.0),
            ({"translationAndTranscriptionProgress": 900, "dubbingProgress": 900}, 1.0),
            ({"translationAndTranscriptionProgress": -5}, 0.0),
            ({"dubbingProgress": 10**400}, 0.5),
            ({"dubbingProgress": float("nan")}, None),
            ({"dubbingProgress": True}, None),
            ({"dubbingProgress": "50"}, None),
        ],
    )
    def test_progress_is_a_share(self, world: World, steps: dict[str, Any], expected: float | None) -> None:
        """The newer pages' percentages become a number from 0 to 1; nonsense becomes none."""
        told = self.play(world, "status", self.state("processing", **steps).script)

        assert told == Running(word="processing", progress=expected)

    def test_full_account_is_no_throttling(self, world: World) -> None:
        """As many jobs as allowed is capacity, also on a status, and whatever Retry-After says."""
        reply = error(429, "CONCURRENT_TRANSLATION_LIMIT_REACHED")
        told = self.play(world, "submit", answer(429, reply.body, {"retry-after": "60"}))

        assert isinstance(told, CapacityError)
        assert isinstance(told, ServiceError)


def test_documented_limits_are_the_defaults() -> None:
    """30 statuses and 10 deletions a minute, the older page's 5 jobs, 20 GB; settings go before them."""
    settings = {"kind": "voicecheap", "api_key": "key"}
    usual = VoiceCheap.facts(VoiceCheap.settings_type.model_validate(settings))
    chosen = VoiceCheap.facts(VoiceCheap.settings_type.model_validate({**settings, "max_in_flight": 10}))

    assert {verb: (rate.requests, rate.per) for verb, rate in usual.windows.items()} == {
        "status": (30, 60.0),
        "submit": (10, 60.0),
        "delete": (10, 60.0),
    }
    assert (usual.max_in_flight, chosen.max_in_flight, usual.max_bytes) == (5, 10, 20_000_000_000)
    assert (usual.poll_every_s, usual.poll_at_most_s) == (10.0, 30.0)


class TestInSandbox(Joined, InSandbox):
    service = "voicecheap"
    blocked_keys = ("wrong", "sandbox-blocked", "sandbox-orphan")
