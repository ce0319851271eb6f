"""CAMB.AI joins the suite, but for its tests of files that lie at an address: results are lists of texts here."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from daemon.errors import BlockedError, LostError, RejectedError, ThrottledError, TransientError, UncertainError
from daemon.languages import Route
from daemon.providers.base import Fetched, Ready, Running
from daemon.providers.cambai import CambAi
from daemon.providers.cambai_texts import Reference
from tests.providers.conformance import CheckTests, DocumentedTests, PollTests, QuietTests, SubmitTests
from tests.providers.world import KEY, Reply, Row, World
from tests.rawserver import Exchange

LINES = ("Hello world.", "How are you?")
INVALID = Reply(422, {"detail": [{"loc": ["body", "texts"], "msg": "Field required", "type": "missing"}]})
DETAIL = {"detail": "Something"}
READY = str(Reference.of("ref-1", LINES, 3000, 100).with_run(7))

WITH_KEY = ("submit", "status", "fetch", "check")
ROWS = (
    *(Row(verb, Reply(401, DETAIL), BlockedError, "account.key") for verb in WITH_KEY),
    *(Row(verb, Reply(403, DETAIL), BlockedError, "account.blocked") for verb in WITH_KEY),
    *(Row(verb, Reply(429, DETAIL), ThrottledError, "account.throttled") for verb in WITH_KEY),
    Row("submit", INVALID, RejectedError, "submit.rejected"),
    Row("submit", Reply(500, DETAIL), UncertainError, "submit.uncertain"),
    Row("status", Reply(404, DETAIL), LostError, "provider.lost"),
    Row("status", INVALID, LostError, "provider.lost"),
    Row("status", Reply(500, DETAIL), TransientError, "service.error"),
    Row("fetch", Reply(404, DETAIL), LostError, "result.gone"),
    Row("fetch", INVALID, LostError, "result.gone"),
    Row("fetch", Reply(500, DETAIL), TransientError, "service.error"),
    Row("check", Reply(200, [{"id": 76, "language": "French", "short_name": "fr-fr"}]), None),
    Row("check", Reply(500, DETAIL), TransientError),
)


class TestConformance(SubmitTests, DocumentedTests, PollTests, CheckTests, QuietTests):
    kind = CambAi
    configured: ClassVar[Mapping[str, Any]] = {"source_language": "en"}
    route = Route(source="en-US", source_wire="1", target="fr-FR", target_wire="76")
    drop = ("report.txt", "\n".join(LINES).encode())
    words = ("pending",)
    done = "success"
    documented = ROWS
    streams = False

    def verb_of(self, exchange: Exchange) -> str:
        if exchange.method == "POST":
            return "submit"
        return "fetch" if "/translation-result/" in exchange.target else "status"

    def taken(self, ref: object) -> Reply:
        return Reply(200, {"task_id": ref})

    def state(self, word: object) -> Reply:
        """Under an error's code only the documented spelling is a state."""
        return Reply(200, {"status": "PENDING" if word == "pending" else word})

    def ready(self, url: object) -> Reply:
        """The run takes the place of an address."""
        return Reply(200, {"status": "SUCCESS", "run_id": 7 if str(url).startswith("http") else url})

    def failed(self, reason: str) -> Reply:
        return Reply(200, {"status": "ERROR", "exception_reason": "NONE", "message": reason})

    def outcome(self, world: World, verb: str) -> object:
        """Only what was ready before is fetched, and its reference holds the run."""
        return world.fetch(READY)[0] if verb == "fetch" else super().outcome(world, verb)

    def test_submission_gives_its_reference(self, world: World) -> None:
        """The reference holds the service's id and what was sent; the request carries the key and the name."""
        accepted = self.submit(world)
        [sent] = world.asked("submit")

        assert accepted.ref == READY.removesuffix(";run=7")
        assert KEY in sent.head.decode()
        assert json.loads(bytes(sent.body))["texts"] == list(LINES)

    @pytest.mark.parametrize("run", [None, "", "seven", -7, 7.5, True, [], {}])
    def test_finished_without_an_address_keeps_running(self, world: World, run: object) -> None:
        """The run may lag behind the word: asked again, until the deadline."""
        told = self.play(world, "status", self.ready(run).script)

        assert isinstance(told, Running)

    def test_clean_up_is_silent_and_repeatable(self, world: World) -> None:
        """Cleaning up asks nobody, and the result is still there."""
        world.replies["fetch"] = Reply(200, {"texts": ["Bonjour.", "Ça va ?"]}).script
        world.provider.clean_up([READY, "never-seen"])
        world.provider.clean_up([])
        told, content = world.fetch(READY)

        assert isinstance(told, Fetched)
        assert json.loads(content)["texts"] == ["Bonjour.", "Ça va ?"]
        assert len(world.server.requests) == 1

    def test_finished_names_its_run(self, world: World) -> None:
        """What is kept of a finished task is enough to fetch its result."""
        assert world.look(READY.removesuffix(";run=7")) == Ready(ref=READY)
