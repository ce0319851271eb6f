"""Azure joins the suite, but for its tests of results that lie at a told address: they lie in the storage here."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

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
from daemon.languages import Route
from daemon.originals import Original
from daemon.providers.azure import Azure
from daemon.providers.base import Accepted, Attempt, Failed, Fetched, Look, Ready, Refused, Running
from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running as Sandbox
from tests.providers.conformance import (
    NEVER_WHOLE,
    CheckTests,
    DocumentedTests,
    Joining,
    PollTests,
    QuietTests,
    SubmitTests,
)
from tests.providers.in_sandbox import GOOD, InSandbox, Visit
from tests.providers.world import JOB, KEY, Reply, Row, World, open_provider
from tests.rawserver import Exchange, answer
from tests.sessions import texts_of

NAME = f"report.{JOB}-1.txt"
BATCH, DONE, BROKEN = (str(uuid.uuid5(uuid.NAMESPACE_OID, word)) for word in ("batch", "done", "broken"))
SIGNATURE = "sv=2021-12-02&sp=rwdl&sig=secret-signature"
WITH_KEY = ("submit", "status", "check")


def said(status: int, code: str | int, inner: str | None = None) -> Reply:
    """The documented frame of an error."""
    error: dict[str, Any] = {"code": code, "message": f"Something about {code}"}
    if inner:
        error["innerError"] = {"code": inner, "message": f"Something about {inner}"}
    return Reply(status, {"error": error})


ROWS = (
    *(Row(verb, said(401, "Unauthorized", "Unauthorized"), BlockedError, "account.key") for verb in WITH_KEY),
    *(Row(verb, said(401, "401"), BlockedError, "account.key") for verb in WITH_KEY),
    *(Row(verb, said(403, "403"), BlockedError, "account.blocked") for verb in WITH_KEY),
    *(Row(verb, said(429, "RequestRateTooHigh"), ThrottledError, "account.throttled") for verb in WITH_KEY),
    Row("submit", said(400, "InvalidRequest", "InvalidRequest"), RejectedError, "submit.rejected"),
    Row("submit", said(400, "InvalidArgument"), RejectedError, "submit.rejected"),
    Row("submit", said(400, 400000), RejectedError, "submit.rejected"),
    Row("submit", said(400, "InvalidRequest", "InvalidDocumentAccessLevel"), BlockedError, "account.blocked"),
    Row("submit", said(400, "InvalidRequest", "InvalidTargetDocumentAccessLevel"), BlockedError, "account.blocked"),
    Row("submit", said(404, "ResourceNotFound"), BlockedError, "account.blocked"),
    Row("submit", said(500, "InternalServerError"), UncertainError, "submit.uncertain"),
    Row("submit", said(503, "ServiceUnavailable", "ServiceTemporaryUnavailable"), UncertainError, "submit.uncertain"),
    Row("status", said(404, "ResourceNotFound"), LostError, "provider.lost"),
    Row("status", said(400, "InvalidRequest"), TransientError, "service.unreadable"),
    Row("status", said(500, "InternalServerError"), TransientError, "service.error"),
    Row("status", said(503, "ServiceUnavailable"), TransientError, "service.error"),
    Row("fetch", Reply(404, b"<Error/>", {"x-ms-error-code": "BlobNotFound"}), LostError, "result.gone"),
    Row("fetch", Reply(403, b"<Error/>", {"x-ms-error-code": "AuthenticationFailed"}), BlockedError, "account.blocked"),
    Row("fetch", Reply(503, b"<Error/>", {"x-ms-error-code": "ServerBusy"}), TransientError, "service.error"),
    Row("check", Reply(200, {"value": []}), None),
    Row("check", said(404, "ResourceNotFound"), BlockedError, "account.blocked"),
    Row("check", said(400, "InvalidRequest"), BlockedError, "account.blocked"),
    Row("check", said(500, "InternalServerError"), TransientError),
)


def documents(exchange: Exchange) -> None:
    """A batch that is done has a document; what is wrong with a broken one its status says."""
    path = f"https://acct.blob.core.windows.net/source/in/report..{JOB}-1.txt"
    found = [{"sourcePath": path, "status": "Succeeded", "to": "fr", "id": DONE}] if DONE in exchange.target else []
    answer(200, {"value": found})(exchange)


class AzureWorld(World):
    """The storage keeps nothing: what is written is taken, what is read is what the test says."""

    def _store(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            self.replies["fetch"](exchange)
        else:
            answer({"PUT": 201, "DELETE": 202}.get(exchange.method, 404))(exchange)

    def look(self, ref: str) -> Look | ServiceError:
        return super().look(f"{ref}/{NAME}")


class Joined(Joining):
    kind = Azure
    # Read anew each time, and set as soon as it is known where the storage listens.
    configured: ClassVar[Mapping[str, Any]] = {
        "storage": {"source": {"env": "AZURE_TEST_SOURCE"}, "target": {"env": "AZURE_TEST_TARGET"}},
        "bulk_status": False,
    }
    route = Route(source="en", source_wire="en", target="fr", target_wire="fr")
    drop = ("report.txt", b"Good morning, everybody.\n")
    words = ("notstarted", "running", "cancelling", "canceling")
    done = "succeeded"
    documented = ROWS
    streams = False

    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        yield from self.worlds(tmp_path, monkeypatch)

    @pytest.fixture
    def hasty(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        yield from self.worlds(tmp_path, monkeypatch, timeout={"connect": 2.0, "read": 0.3})

    def worlds(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Iterator[World]:
        with AzureWorld(self.kind, self.verb_of, folder, **self.configured, **more) as one:
            for side in ("source", "target"):
                monkeypatch.setenv(f"AZURE_TEST_{side.upper()}", f"{one.storage.origin}/{side}?{SIGNATURE}")
            one.replies = {
                "submit": self.taken("ref-1").script,
                "status": self.ready(None).script,
                "documents": documents,
                "fetch": answer(200, b"Bonjour.\n"),
            }
            yield one

    def verb_of(self, exchange: Exchange) -> str:
        if exchange.method == "POST":
            return "submit"
        return "documents" if "/documents" in exchange.target else "status"

    def taken(self, ref: object) -> Reply:
        found = BATCH if ref == "ref-1" else str(ref).encode("ascii", "replace").decode()[:100].replace("\n", "")
        return Reply(202, b"", {"operation-location": f"https://x.example/translator/document/batches/{found}"})

    def state(self, word: object, batch: str = BATCH, error: object = None) -> Reply:
        moments = {"createdDateTimeUtc": "2026-03-26T00:00:00Z", "lastActionDateTimeUtc": "2026-03-26T01:00:00Z"}
        summary = {"total": 1, "failed": 0, "success": 0, "inProgress": 0, "totalCharacterCharged": 0}
        body = {"id": batch, **moments, "status": word, "summary": summary}
        return Reply(200, body if error is None else body | {"error": error})

    def ready(self, url: object) -> Reply:
        del url
        return self.state("Succeeded", DONE)

    def failed(self, reason: str) -> Reply:
        return self.state("Failed", BROKEN, {"code": "InvalidRequest", "message": reason})


class TestConformance(Joined, SubmitTests, DocumentedTests, PollTests, CheckTests, QuietTests):
    def test_submission_gives_its_reference(self, world: World) -> None:
        """The reference holds the batch's id and the name; the document goes to the storage, the key does not."""
        accepted = self.submit(world)
        [sent] = world.asked("submit")
        stored = world.storage.request()

        assert accepted == Accepted(ref=f"{BATCH}/{NAME}")
        assert KEY in sent.head.decode()
        assert (stored.method, stored.target) == ("PUT", f"/source/in/{NAME}?{SIGNATURE}")
        assert stored.headers["x-ms-blob-type"] == "BlockBlob"
        assert bytes(stored.body) == self.drop[1]
        assert KEY not in stored.head.decode()

    @pytest.mark.parametrize("url", [None])
    def test_finished_without_an_address_keeps_running(self, world: World, url: object) -> None:
        """A list of documents may lag behind the word, where the counts say that one was translated."""
        del url
        body: Any = self.state("Succeeded").body
        body["summary"]["success"] = 1
        world.replies["status"] = answer(200, body)

        assert world.look("ref-1") == Running()

    @pytest.mark.parametrize("ref", ["../../elsewhere", "a?b=c", "a#b", "a b", "ä€", "%2e%2e", "x" * 70_000])
    def test_reference_stays_one_step_of_the_path(self, world: World, ref: str) -> None:
        """Whatever a journal holds, asking for it asks for a status and for nothing else."""
        told = world.provider.poll([ref])[ref]
        usual = world.look("ref-1")
        targets = [seen.target for seen in world.server.requests if "/documents" not in seen.target]

        assert isinstance(usual, Ready)
        assert isinstance(told, (Ready, Running, TransientError))
        assert {target.count("/") for target in targets} == {4}
        assert {target.partition("?")[2] for target in targets} == {"api-version=2024-05-01"}

    def test_no_error_shows_a_signature(self, world: World) -> None:
        """The addresses of the containers are in no error, whatever the storage or the service does with them."""
        signed = f"Cannot read {world.storage.origin}/source/in/x.txt?{SIGNATURE} as it is"
        wordy = (Reply(400, {"error": {"code": "X", "message": signed}}), Reply(500, signed.encode()))
        told = [self.play(world, "fetch", one) for one in [*NEVER_WHOLE, answer(403), answer(500), answer(302)]]
        told += [self.play(world, "submit", reply.script) for reply in wordy]
        told.append(self.play(world, "status", self.failed(signed).script))
        errors = [one for one in told if isinstance(one, ServiceError)]

        assert len(errors) == len(told)
        assert [one for one in errors if "secret-signature" in texts_of(one)] == []
        assert "/source/in/x.txt as it is" in str(errors[-1])

    def test_clean_up_is_silent_and_repeatable(self, world: World) -> None:
        """Both blobs are deleted by their signatures, as often as wanted, and the service is not asked."""
        ref = f"{BATCH}/{NAME}"
        world.provider.clean_up([ref])
        world.provider.clean_up([ref, ref])
        world.provider.clean_up([])
        sent = [(one.method, one.target.partition("?")[0]) for one in world.storage.requests]

        assert sent == [("DELETE", f"/source/in/{NAME}"), ("DELETE", f"/target/out/{NAME}")] * 3
        assert world.server.requests == []


class AzureVisit(Visit):
    """Every submission is an attempt of its own: what lies at a target already is not overwritten."""

    def submit(self, tokens: str = "") -> Accepted:
        number = 1 + len(self._sandbox.ledger())
        name, content = f"sample{tokens}.txt", self._joined.drop[1]
        (self._folder / name).write_bytes(content)
        original = Original(os.open(self._folder / name, os.O_RDONLY), name, lambda: False)
        self._stack.callback(original.close)
        attempt = Attempt(job=JOB, number=number, sent_name=names.sent_name(name, JOB, number))
        return self.provider.submit(self.provider.prepare(original, self._joined.route, attempt)[0], None)


class TestInSandbox(Joined, InSandbox):
    service = "azure"
    blocked_keys = ("wrong", "sandbox-blocked")

    @contextmanager
    def visiting(self, sandbox: Sandbox, folder: Path, key: str = GOOD) -> Iterator[Visit]:
        with ExitStack() as stack:
            storage = {side: container_url(sandbox.addresses, side) for side in ("source", "target")}
            provider, session = open_provider(self.kind, sandbox.base_url(self.service), key=key, storage=storage)
            stack.callback(session.close)
            yield AzureVisit(self, sandbox, folder, provider, stack)
        assert sandbox.leaks() == []

    def test_whole_conversation(self, visit: Visit, good_result: bytes) -> None:
        """Uploaded, submitted, looked at, fetched, cleaned up: one paid submission of these very bytes."""
        ref = visit.taken()
        looks = visit.looks(ref, 2)
        told, content = visit.fetch(ref)
        visit.provider.clean_up([ref])
        gone, _ = visit.fetch(ref)
        entry = visit.entry()

        assert looks == [Ready(cost=float(len(self.drop[1])))] * 2
        assert told == Fetched(extension="txt")
        assert content == good_result != b""
        assert isinstance(gone, LostError)
        assert ref == f"{entry['remote_id']}/{entry['file']}"
        assert (entry["accepted"], entry["size"]) == (True, len(self.drop[1]))
        assert (entry["source"], entry["target"]) == ("en", "fr")
        assert entry["file"].startswith(f"sample.{JOB}-")

    @pytest.mark.parametrize("token", ["~lost", "~accepted", "~accepted-500", "~header-4"])
    def test_acceptance_without_a_word_is_uncertain(self, visit: Visit, token: str) -> None:
        """The service took and billed it, and we do not know: said once, and sent once."""
        with pytest.raises(UncertainError):
            visit.submit(token)
        entry = visit.entry()

        assert entry["accepted"] is True
        assert isinstance(visit.looks(f"{entry['remote_id']}/{entry['file']}", 1)[0], Ready)

    def test_expired_address_is_followed_by_a_fresh_one(self, visit: Visit, good_result: bytes) -> None:
        """Addresses never change here; what was fetched wrongly is fetched again from the same one."""
        ref = visit.taken("~html-1")
        _, first = visit.fetch(ref)
        told, second = visit.fetch(ref)

        assert isinstance(told, Fetched)
        assert first != second == good_result

    @pytest.mark.parametrize("token", ["", "~header", "~header-2", "~header-3"])
    def test_id_is_found_in_every_header(self, visit: Visit, token: str) -> None:
        """Wherever an answer names the id, the batch is asked for at the documented address."""
        ref = visit.taken(token)

        assert ref.partition("/")[0] == visit.entry()["remote_id"]
        assert isinstance(visit.looks(ref, 1)[0], Ready)

    @pytest.mark.parametrize(
        ("token", "code", "message"),
        [
            ("~fail", "NoTranslatableText", "The document does not have any translatable text."),
            ("~nested", "NoTranslatableText", "The document does not have any translatable text."),
            ("~partly", "NoTranslatableText", "The document does not have any translatable text."),
            ("~unlisted", "succeeded", "the service lists no document in this batch"),
            ("~cancel", "cancelled", "the job was cancelled at the service"),
            ("~cancel-1", "canceled", "the job was cancelled at the service"),
        ],
    )
    def test_failures_tell_the_innermost_reason(self, visit: Visit, token: str, code: str, message: str) -> None:
        """Failed, cancelled in both spellings, succeeded without its document: failed, and it says why."""
        told = visit.looks(visit.taken(token), 1)[0]

        assert isinstance(told, Failed)
        assert (told.error.code, told.error.provider_code) == ("provider.failed", code)
        assert told.error.provider_message == message

    def test_refused_access_is_no_failure(self, visit: Visit) -> None:
        """A batch that could not even be begun was not taken after all, and says what has to be done."""
        told = visit.looks(visit.taken("~invalid"), 1)[0]

        assert isinstance(told, Refused)
        assert (told.error.code, told.error.provider_code) == ("account.blocked", "InvalidDocumentAccessLevel")
        assert str(told.error.provider_message).startswith("storage.source: Cannot access source document location")
