"""GPTTranslator joins the suite; and what is its own (document "Document Translation API")."""

from typing import ClassVar

import pytest

from daemon.errors import BlockedError, LostError, RejectedError, ServiceError, TransientError, UncertainError
from daemon.languages import Route
from daemon.providers.base import Failed, Fetched, Running
from daemon.providers.gpttranslator import GptTranslator
from tests.providers.conformance import Conformance, Joining
from tests.providers.in_sandbox import InSandbox
from tests.providers.world import KEY, Reply, Row, World
from tests.rawserver import Exchange, answer


def said(status: int, error: str, message: str | None = None) -> Reply:
    """The longer one of the two documented shapes."""
    body = {"error": error, "message": message or error, "data": None, "statusCode": status}
    return Reply(status, body)


def short(status: int, error: str) -> Reply:
    """The shape of the middleware's and of the download's errors."""
    return Reply(status, {"error": error})


NO_FILE = "No file uploaded. Please upload a file for translation."
WRONG_TYPE = "Invalid file type. Please upload one of: docx, xlsx, pdf, pptx, srt, vtt, xml, json, yaml, yml, csv, txt."
ACCOUNT = ("Invalid api key", "User not found or user is not active", "Organization Id not found for the user")
FAILING = "An error occurred while processing the document translation request. Please try again later."
FOREIGN = said(401, "Unauthorized access to translation status", "You do not have permission to access the status.")
MISSING = said(404, "Translation job not found", "The requested translation job does not exist.")
ACTIVE = "Translation is currently active. Please wait for completion."
NOT_FOUND = "Translation not found or you do not have permission to access it"

ROWS = (
    Row("submit", short(400, "Invalid model type. Please enter a valid model type e.g. …"), RejectedError),
    Row("submit", said(400, NO_FILE), RejectedError, "submit.rejected"),
    Row("submit", said(400, WRONG_TYPE), RejectedError, "submit.rejected"),
    Row("submit", said(500, "Internal server error", FAILING), UncertainError),
    *(Row(verb, said(401, ACCOUNT[0]), BlockedError, "account.key") for verb in ("submit", "status", "fetch", "check")),
    *(
        Row(verb, said(400, words), BlockedError, "account.key")
        for words in ACCOUNT
        for verb in ("submit", "status", "fetch", "check")
    ),
    Row(
        "status", said(400, "Queue ID is required", "Queue ID is required to fetch translation status"), TransientError
    ),
    Row("status", MISSING, LostError, "provider.lost"),
    Row("status", said(401, "Unauthorized", "You are not authorized to access this resource."), BlockedError),
    Row("status", FOREIGN, RejectedError, "provider.failed"),
    Row("status", said(500, "Internal server error", FAILING), TransientError, "service.error"),
    *(Row("fetch", short(status, "Invalid translation ID"), LostError, "result.gone") for status in (200, 400, 404)),
    *(Row("fetch", short(status, NOT_FOUND), LostError, "result.gone") for status in (200, 400, 401, 403, 404)),
    *(Row("fetch", short(status, ACTIVE), TransientError, "result.gone") for status in (200, 400, 404, 409, 425, 500)),
    *(Row("fetch", short(status, "Translated file not available"), LostError, "result.gone") for status in (200, 404)),
    Row("check", MISSING, None),
    Row("check", FOREIGN, None),
    Row("check", said(400, "Queue ID is required"), None),
    Row("check", said(500, "Internal server error", FAILING), TransientError),
)


class Joined(Joining):
    kind = GptTranslator
    configured: ClassVar = {"options": {"model": "gpt-4.1-mini-2025-04-14"}, "source_language": "en"}
    route = Route(source="en", source_wire="en", target="fr", target_wire="fr")
    drop = ("report.txt", b"Good morning, everybody.\n")
    words = ("waiting", "active", "delayed", "paused", "prioritized", "waiting-children", "stuck", "unknown")
    done = "completed"
    documented = ROWS
    own_results = True

    def verb_of(self, exchange: Exchange) -> str:
        if exchange.method == "POST":
            return "submit"
        return "status" if "-status/" in exchange.target else "fetch"

    def taken(self, ref: object) -> Reply:
        message = "Document translation added successfully"
        return Reply(201, {"message": message, "data": {"translationId": ref}, "error": None, "statusCode": 201})

    def state(self, word: object, data: object = None, error: object = None) -> Reply:
        message = "Translation status fetched successfully"
        body = {"message": message, "translationStatus": word, "data": data, "error": error, "statusCode": 200}
        return Reply(200, body)

    def ready(self, url: object) -> Reply:
        return self.state(self.done, {"documentUrl": url})

    def failed(self, reason: str) -> Reply:
        return self.state("failed", error=reason)


class TestConformance(Joined, Conformance):
    """The suite, and what only this service does."""

    def test_submission_has_the_documented_fields(self, world: World) -> None:
        """Path, fields and their bare values are the documented ones; results are never asked for by the id."""
        self.submit(world)
        sent = world.asked("submit")[0]
        text = sent.body.decode()

        assert sent.target == "/v1/translation/document-translation/api"
        for name, value in (("sourceLang", "en"), ("targetLang", "fr"), ("model", "gpt-4.1-mini-2025-04-14")):
            assert f'name="{name}"\r\n\r\n{value}\r\n' in text
        assert 'name="file"; filename="report.0123456789abcdef-1.txt"\r\ncontent-type: text/plain\r\n' in text

    def test_own_document_url_gets_the_key(self, world: World) -> None:
        """The address in the status is followed as it is, with the key, when it is of the service's origin."""
        url = "/v1/translation/download-document/65f0d3f6f0a1c91234567890"
        world.replies["status"] = self.ready(world.server.origin + url).script
        told, _ = world.fetch("ref-1")
        sent = world.asked("fetch")

        assert isinstance(told, Fetched)
        assert [(one.target, one.headers["x-api-key"]) for one in sent] == [(url, KEY)]

    @pytest.mark.parametrize("code", [200, 402])
    def test_business_rule_fails_the_job_under_either_code(self, world: World, code: int) -> None:
        """The documented failure counts as the job's, whether HTTP says 200 or 402 with it."""
        reason = "only subscribed users are allowed to use this model"
        body = {"message": "Translation status fetched successfully", "translationStatus": "failed"}
        world.replies["status"] = answer(code, {**body, "data": None, "error": reason, "statusCode": 402})
        told = world.look("ref-1")

        assert isinstance(told, Failed)
        assert (told.error.provider_message, told.error.provider_code) == (reason, "402")
        assert told.error.http_status == code

    @pytest.mark.parametrize("error", [None, "", {}, {"message": "The document is damaged."}])
    def test_generic_sentence_is_no_reason(self, world: World, error: object) -> None:
        """That the status was fetched successfully is not why a job failed."""
        world.replies["status"] = self.state("failed", error=error).script
        told = world.look("ref-1")

        assert isinstance(told, Failed)
        assert told.error.provider_message == ("The document is damaged." if error and error != "" else None)

    def test_json_document_is_no_error(self, world: World) -> None:
        """A translated .json may look like an error: the documented Content-Disposition says that it is a file."""
        body = {"error": "Übersetzung nicht gefunden"}
        world.replies["fetch"] = answer(200, body, {"content-disposition": 'attachment; filename="x.json"'})
        told, content = world.fetch("ref-1")

        assert isinstance(told, Fetched)
        assert content == b'{"error": "\\u00dcbersetzung nicht gefunden"}'

    @pytest.mark.parametrize(
        "body", [{"error": "x", "save": "y"}, {"error": ""}, {"message": "x"}, ["error"], {}, {"error": "x" * 5000}]
    )
    def test_json_that_is_no_documented_error_is_a_document(self, world: World, body: object) -> None:
        """Without that header only the documented shapes of an error are taken for one."""
        world.replies["fetch"] = answer(200, body)
        told, _ = world.fetch("ref-1")

        assert isinstance(told, Fetched)

    def test_undocumented_error_under_200_is_not_delivered(self, world: World) -> None:
        """An error of unknown words is tried again, never taken for the document."""
        world.replies["fetch"] = answer(200, {"error": "Something else", "statusCode": 500, "data": None})
        told, _ = world.fetch("ref-1")

        assert isinstance(told, TransientError)

    def test_reason_is_the_sentence_for_people(self, world: World) -> None:
        """Of the two texts of an error the longer sentence is shown, not the title."""
        told = self.play(world, "submit", said(400, "Bad Request", "The file has no text in it.").script)

        assert isinstance(told, ServiceError)
        assert told.provider_message == "The file has no text in it."

    def test_list_of_reasons_becomes_a_sentence(self, world: World) -> None:
        """A message that is a list of texts is shown as such."""
        reply = Reply(400, {"error": "Bad Request", "message": ["model is wrong", "file is wrong"]})
        told = self.play(world, "submit", reply.script)

        assert isinstance(told, RejectedError)
        assert told.provider_message == "model is wrong; file is wrong"

    def test_number_as_a_reference_is_taken(self, world: World) -> None:
        """The id looks like a queue's number, and may be one."""
        world.replies["submit"] = self.taken(12345).script

        assert self.submit(world).ref == "12345"

    def test_foreign_words_run_and_are_told(self, world: World) -> None:
        """A word of another queue is kept for the warning."""
        told = self.play(world, "status", self.state("Stalled ").script)

        assert told == Running(word="stalled")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "options.model is required"),
        ({"model": ""}, "options.model is required"),
        ({"model": "m", "apiKey": "x", "Tone": "y"}, "unknown Tone, apiKey"),
    ],
)
def test_form_fields_are_checked_before_anything_starts(options: dict[str, str], complaint: str) -> None:
    """The model, whose list nobody documents, has to be named; fields that the service does not know are refused."""
    settings = {"kind": "gpttranslator", "api_key": "key", "source_language": "en", "options": options}
    with pytest.raises(ValueError, match=complaint):
        GptTranslator.settings_type.model_validate(settings)


class TestInSandbox(Joined, InSandbox):
    service = "gpttranslator"
    blocked_keys = ("wrong", "wrong-400", "sandbox-blocked", "sandbox-orphan")
