"""The contract of `providers/base.py` as tests that every provider joins.

Joining is one class derived from `Conformance` that says how the provider's documents write things down; each
test then plays the service, well and badly behaved, on real sockets.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.errors import (
    BlockedError,
    DocumentChangedError,
    LostError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransferCutError,
    TransientError,
    UncertainError,
)
from daemon.languages import Route
from daemon.providers.base import (
    Accepted,
    Attempt,
    Failed,
    Fetched,
    Intent,
    Lost,
    Provider,
    Ready,
    Running,
)
from tests.providers.world import JOB, KEY, PAGE, Reply, Row, World, open_provider
from tests.rawserver import (
    Exchange,
    RawServer,
    Script,
    answer,
    break_off,
    hang_up,
    head,
    in_turn,
    message,
    raw,
    silence,
)
from tests.sessions import refused_port, texts_of

RESULT = b"Bonjour le monde.\n" * 1000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
# Each example is one more request in the same world; that several providers inherit the test is meant.
ON_THE_WIRE = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
RETRY_AFTER = {"0": 0.0, "7": 7.0, "-3": 0.0, "315360000": 315_360_000.0, "soon": None, "": None}
NEVER_WHOLE = [
    hang_up,
    break_off,
    raw(head(200, {"content-length": "1000"}) + b"{"),
    raw(head(200, {"transfer-encoding": "chunked"}) + b"1\r\n{\r\n"),
]
BROKEN = [Reply(500), Reply(502, b"<html>Bad Gateway</html>"), Reply(503), Reply(504), Reply(302), Reply(999)]
MANY_BLOCKS = 32 << 20


class Joining(ABC):
    """What a provider tells the suite about itself."""

    kind: ClassVar[type[Provider]]
    configured: ClassVar[Mapping[str, Any]] = {}
    route: ClassVar[Route]
    drop: ClassVar[tuple[str, bytes]]
    """Name and content of a file that the service takes."""
    words: ClassVar[Sequence[str]]
    """The documented words for "not finished"."""
    done: ClassVar[str]
    documented: ClassVar[Sequence[Row]]
    own_results: ClassVar[bool] = False
    """Results lie at the service itself and are fetched with the key."""
    streams: ClassVar[bool] = True
    """Documents go up as they are, of any size."""

    @abstractmethod
    def verb_of(self, exchange: Exchange) -> str:
        """`submit`, `status`, `fetch`, or a word of the provider's own."""

    @abstractmethod
    def taken(self, ref: object) -> Reply:
        """The documented answer to a submission that was taken."""

    @abstractmethod
    def state(self, word: object) -> Reply:
        """The documented status with this word in it, and no result."""

    @abstractmethod
    def ready(self, url: object) -> Reply:
        """The documented status of a finished job whose result is at `url`."""

    @abstractmethod
    def failed(self, reason: str) -> Reply:
        """The documented status of a failed job."""

    def statuses(self, replies: Mapping[str, Reply]) -> Script:
        """What polls of several jobs are answered with, by reference."""

        def script(exchange: Exchange) -> None:
            ref = next(ref for ref in replies if f"/{ref}" in exchange.target)
            replies[ref].script(exchange)

        return script

    # -- what follows from it -------------------------------------------------------------------------------

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[World]:
        with World(self.kind, self.verb_of, tmp_path, **self.configured) as one:
            one.replies = {
                "submit": self.taken("ref-1").script,
                "status": self.ready(f"{one.storage.origin}/result").script,
                "fetch": answer(200, RESULT),
            }
            yield one

    @pytest.fixture
    def hasty(self, tmp_path: Path) -> Iterator[World]:
        """A world whose provider does not wait long."""
        with World(self.kind, self.verb_of, tmp_path, **self.configured, timeout={"connect": 2.0, "read": 0.3}) as one:
            yield one

    def submit(self, world: World) -> Accepted:
        return world.submit(*self.drop, self.route)

    def outcome(self, world: World, verb: str) -> object:
        """What comes of a verb: what it returns, or the error that it raises or returns."""
        doing: dict[str, Callable[[], object]] = {
            "submit": lambda: self.submit(world),
            "status": lambda: world.look("ref-1"),
            "fetch": lambda: world.fetch("ref-1")[0],
            "check": world.provider.check,
        }
        try:
            found = doing[verb]()
        except ServiceError as error:
            return error
        return found.error if isinstance(found, (Failed, Lost)) else found

    def play(self, world: World, verb: str, script: Script) -> object:
        """The outcome of a verb whose request is answered so."""
        world.replies["status" if verb == "check" else verb] = script
        return self.outcome(world, verb)


def classes(outcomes: Sequence[object]) -> set[type]:
    return {type(one) for one in outcomes}


class SubmitTests(Joining):
    def test_submission_gives_its_reference(self, world: World) -> None:
        """The documented answer is acceptance, by one request that carries key, name and document."""
        accepted = self.submit(world)
        sent = world.asked("submit")

        assert accepted.ref == "ref-1"
        assert len(sent) == 1
        assert KEY in sent[0].head.decode()
        if self.streams:
            assert self.drop[1] in sent[0].body
            assert f".{JOB}-1.".encode() in sent[0].body

    @pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 299])
    def test_any_success_with_a_reference_is_acceptance(self, world: World, status: int) -> None:
        """Which of the codes of success a service answers with is its own affair: the reference is what counts."""
        taken = self.taken("ref-1")
        told = self.play(world, "submit", Reply(status, taken.body, taken.headers).script)

        assert isinstance(told, Accepted)
        assert told.ref is not None

    def test_a_reference_bears_the_mark_of_its_part(self, world: World) -> None:
        """By it an accepted part is told from parts that are cut in another way."""
        accepted = self.submit(world)
        attempt = Attempt(job=JOB, number=2, sent_name="x.txt", accepted=(accepted.ref,))
        [part] = world.provider.prepare(world.original(*self.drop), self.route, attempt)

        assert part.mark in (accepted.ref or "")

    def test_throttling_is_proof_of_refusal(self, world: World) -> None:
        """429 with any body and any Retry-After pauses the account and never leaves doubt."""
        told = {text: self.play(world, "submit", answer(429, b"<html>", {"retry-after": text})) for text in RETRY_AFTER}
        bare = self.play(world, "submit", answer(429))

        assert classes([*told.values(), bare]) == {ThrottledError}
        assert {text: getattr(one, "retry_after_s", ...) for text, one in told.items()} == RETRY_AFTER

    def test_other_proofs_of_refusal_need_no_body(self, world: World) -> None:
        """401, 402, 403, 413, 415 and 422 say "not taken" whatever comes with them."""
        told = {code: self.play(world, "submit", answer(code, b"<html>")) for code in (401, 402, 403, 413, 415, 422)}

        assert {type(told[code]) for code in (401, 402, 403)} == {BlockedError}
        assert {type(told[code]) for code in (413, 415, 422)} == {RejectedError}

    def test_other_answers_leave_doubt(self, world: World) -> None:
        """Server errors, redirects, pages, unknown shapes: nobody can say what became of the document."""
        odd = [
            PAGE,
            Reply(200),
            Reply(201, {}),
            Reply(200, []),
            Reply(200, {"data": None}),
            Reply(202),
            Reply(202, {}),
            Reply(204),
        ]
        odd += [Reply(code, b"<html>") for code in (400, 404, 405, 408, 409, 410, 425, 431, 451, 529)]
        odd += [Reply(code, {"message": "Cannot POST", "error": "Not Found", "code": "X"}) for code in (404, 408, 409)]
        told = [self.play(world, "submit", reply.script) for reply in [*BROKEN, *odd]]

        assert classes(told) == {UncertainError}

    @pytest.mark.parametrize("ref", [None, "", " ", "a\nb", "\ud800", "x" * 5000, True, {}, [1], 1.5])
    def test_reference_that_is_none_leaves_doubt(self, world: World, ref: object) -> None:
        """An acceptance under a reference that cannot be asked for is none that can be relied upon."""
        told = self.play(world, "submit", self.taken(ref).script)

        assert isinstance(told, UncertainError)

    @pytest.mark.parametrize("script", NEVER_WHOLE)
    def test_lost_answer_leaves_doubt(self, world: World, script: Script) -> None:
        """The document is out and no whole answer came: it may have been taken and billed. Asked once."""
        told = self.play(world, "submit", script)

        assert isinstance(told, UncertainError)
        assert len(world.asked("submit")) == 1

    def test_silence_leaves_doubt(self, hasty: World) -> None:
        """No answer within the allowed silence is no answer."""
        told = self.play(hasty, "submit", silence)

        assert isinstance(told, UncertainError)

    @pytest.mark.parametrize("act", [Exchange.reset, Exchange.close])
    def test_connection_dropped_in_the_body_is_no_acceptance(
        self, world: World, act: Callable[[Exchange], None]
    ) -> None:
        """The last block was never given out, so another try cannot pay twice."""
        self.needs_streams()

        def script(exchange: Exchange) -> None:
            exchange.read(1 << 20)
            act(exchange)

        world.replies["submit"] = script
        with pytest.raises(TransientError):
            world.submit(self.drop[0], MANY_BLOCKS, self.route)

    def test_error_in_the_middle_of_the_body_is_no_acceptance(self, world: World) -> None:
        """A gateway that gives up early has not seen the end: proven, although a 502 by itself is not."""
        self.needs_streams()

        def script(exchange: Exchange) -> None:
            exchange.read(1 << 20)
            exchange.send(message(502, b"<html>"))
            exchange.reset()

        world.replies["submit"] = script
        with pytest.raises(TransientError) as caught:
            world.submit(self.drop[0], MANY_BLOCKS, self.route)

        assert caught.value.http_status == 502

    def test_change_and_stop_are_no_acceptance(self, world: World) -> None:
        """A document that changes under the upload, and a daemon that stops, are told as such."""
        self.needs_streams()

        def change(exchange: Exchange) -> None:
            exchange.read(1 << 20)
            (world.folder / self.drop[0]).write_bytes(b"other")
            exchange.read()

        def stop(exchange: Exchange) -> None:
            exchange.read(1 << 20)
            world.stopping.set()
            exchange.read()

        world.replies["submit"] = in_turn(change, stop)
        with pytest.raises(DocumentChangedError):
            world.submit(self.drop[0], MANY_BLOCKS, self.route)
        with pytest.raises(TransferCutError):
            world.submit(f"second {self.drop[0]}", MANY_BLOCKS, self.route)

    def test_preparing_is_repeatable(self, world: World) -> None:
        """The same document gives the same parts, and the first is the first."""
        attempt = Attempt(job=JOB, number=1, sent_name="x.txt")
        document = world.original(*self.drop)
        first, second = (world.provider.prepare(document, self.route, attempt) for _ in range(2))

        assert list(first) == list(second)
        assert [(part.index, part.of) for part in first] == [(index, len(first)) for index in range(len(first))]

    def needs_streams(self) -> None:
        if not self.streams:
            pytest.skip("its submissions are too small to be cut")


class DocumentedTests(Joining):
    def test_documented_errors_mean_what_they_say(self, world: World) -> None:
        """Every error body of the documents is taken for the class that tells what must follow."""
        found = []
        where = world.server if self.own_results else world.storage
        for row in self.documented:
            world.provider.clean_up(["ref-1"])
            world.replies["status"] = self.ready(f"{where.origin}/result").script
            told = self.play(world, row.verb, row.reply.script)
            code = told.code if isinstance(told, ServiceError) else None
            if (type(told) if told is not None else None) is not row.means or (row.code and code != row.code):
                found.append((row.verb, row.reply.status, row.reply.body, repr(told)))

        assert found == []

    def test_every_verb_has_documented_errors(self) -> None:
        """The table covers submission, status, result and check."""
        assert {row.verb for row in self.documented} == {"submit", "status", "fetch", "check"}


class PollTests(Joining):
    def test_running_words_run(self, world: World) -> None:
        """Documented words, unknown ones, odd spellings, and a state that goes backwards all mean "running"."""
        words = [*self.words, "polishing", *reversed(self.words), f" {self.words[0].upper()} ", ""]
        told = [self.play(world, "status", self.state(word).script) for word in words]

        assert classes(told) == {Running}
        assert [one.word for one in told if isinstance(one, Running)] == [word.strip().lower() for word in words]
        assert set(self.words) <= world.provider.capabilities.running_words

    def test_finished_is_ready(self, world: World) -> None:
        """A finished job with an address of its result is ready, however often it is asked."""
        told = [world.look("ref-1") for _ in range(2)]

        assert classes(told) == {Ready}

    def test_back_from_finished_runs_again(self, world: World) -> None:
        """Even a job that was finished once is taken at its present word."""
        first = world.look("ref-1")
        second = self.play(world, "status", self.state(self.words[0]).script)

        assert (type(first), type(second)) == (Ready, Running)

    @pytest.mark.parametrize("url", [None, "", 7, [], {}])
    def test_finished_without_an_address_keeps_running(self, world: World, url: object) -> None:
        """The address may lag behind the word: asked again, until the deadline."""
        told = self.play(world, "status", self.ready(url).script)

        assert isinstance(told, Running)

    def test_failure_tells_the_reason(self, world: World) -> None:
        """A job that the service calls failed is failed, with the service's own words."""
        world.replies["status"] = self.failed("The sound was too quiet.").script
        told = world.look("ref-1")

        assert isinstance(told, Failed)
        assert told.error.code == "provider.failed"
        assert told.error.provider_message == "The sound was too quiet."

    @pytest.mark.parametrize("status", [400, 402, 404, 429, 500, 503])
    def test_state_in_the_body_outranks_the_code(self, world: World, status: int) -> None:
        """A documented state counts, whatever HTTP code it comes under."""
        failed, done = self.failed("No."), self.ready(f"{world.storage.origin}/result")
        told = [
            self.play(world, "status", Reply(status, reply.body).script)
            for reply in (failed, done, self.state(self.words[0]))
        ]

        assert [type(told[0]), type(told[1]), type(told[2])] == [RejectedError, Ready, Running]

    def test_answers_without_a_state_tell_nothing_of_the_job(self, world: World) -> None:
        """Pages, broken answers and server errors are trouble on the way: the job stays in flight."""
        replies = [*BROKEN, PAGE, Reply(200), Reply(200, []), Reply(200, {}), Reply(200, "done"), Reply(408)]
        replies += [Reply(500, {"error": "Internal server error"}), self.state(None), self.state(7), self.state([])]
        told = [self.play(world, "status", reply.script) for reply in replies]
        told += [self.play(world, "status", script) for script in NEVER_WHOLE]

        assert classes(told) == {TransientError}

    def test_status_is_throttled_in_every_form(self, world: World) -> None:
        """429 on a status pauses the account for as long as was asked."""
        told = {text: self.play(world, "status", answer(429, b"", {"retry-after": text})) for text in RETRY_AFTER}

        assert classes(list(told.values())) == {ThrottledError}
        assert {text: getattr(one, "retry_after_s", ...) for text, one in told.items()} == RETRY_AFTER

    def test_bad_entry_hides_no_other(self, world: World) -> None:
        """Of several jobs each has its own answer, in whatever order they are asked for."""
        bad = {"ref-a": self.state(self.words[0]), "ref-b": Reply(500), "ref-c": self.failed("No."), "ref-d": PAGE}
        world.replies["status"] = self.statuses({**bad, "ref-e": self.ready(f"{world.storage.origin}/result")})
        refs = ["ref-e", "ref-d", "ref-c", "ref-b", "ref-a"]
        told = world.provider.poll(refs)

        assert set(told) == set(refs)
        assert [type(told[ref]) for ref in refs] == [Ready, TransientError, Failed, TransientError, Running]

    def test_id_unknown_early_and_late_is_lost(self, world: World) -> None:
        """An id that the service does not know is told as lost; whether that is final, the engine decides."""
        lost = next(row.reply for row in self.documented if row.verb == "status" and row.means is LostError)
        world.replies["status"] = in_turn(
            lost.script, self.state(self.words[0]).script, lost.script, self.ready(f"{world.storage.origin}/x").script
        )
        told = [type(world.look("ref-1")) for _ in range(4)]

        assert told == [Lost, Running, Lost, Ready]

    @pytest.mark.parametrize("ref", ["../../elsewhere", "a?b=c", "a#b", "a/b", "a b", "ä€", "%2e%2e", "x" * 70_000])
    def test_reference_stays_one_step_of_the_path(self, world: World, ref: str) -> None:
        """Whatever a service calls a job, asking for it asks for a status and for nothing else."""
        told = world.look(ref)
        depth = {seen.target.count("/") for seen in world.server.requests}
        usual = world.look("ref-1")

        assert isinstance(usual, Ready)
        assert isinstance(told, (Ready, TransientError))
        assert depth <= {world.server.requests[-1].target.count("/")}
        assert [seen.target for seen in world.server.requests if "?" in seen.target] == []

    @ON_THE_WIRE
    @given(body=JSON, status=st.sampled_from([200, 200, 400, 404, 500]))
    def test_no_answer_breaks_a_poll(self, world: World, body: object, status: int) -> None:
        """Any JSON under any code is a look or an error of the service, never anything else."""
        told = self.play(world, "status", Reply(status, json.dumps(body).encode()).script)

        assert isinstance(told, (Running, Ready, ServiceError))

    @ON_THE_WIRE
    @given(data=st.data())
    def test_no_value_in_a_status_breaks_a_poll(self, world: World, data: st.DataObject) -> None:
        """The same holds for documented fields with values that nobody documented."""
        replies = [self.state(self.words[0]), self.failed("No."), self.ready("x")]
        body = json.loads(json.dumps(data.draw(st.sampled_from(replies)).body))
        for field in data.draw(st.lists(st.sampled_from(sorted(body)), unique=True)):
            body[field] = data.draw(JSON | st.just(10**400))
        told = self.play(world, "status", Reply(200, json.dumps(body).encode()).script)

        assert isinstance(told, (Running, Ready, ServiceError))


class FetchTests(Joining):
    def test_result_arrives_and_may_be_fetched_again(self, world: World) -> None:
        """The result is what the service sent, each time."""
        world.look("ref-1")
        told = [world.fetch("ref-1") for _ in range(2)]

        assert [(type(one), content) for one, content in told] == [(Fetched, RESULT)] * 2

    def test_result_is_found_after_a_restart(self, world: World) -> None:
        """A provider that remembers nothing asks for the status first."""
        told, content = world.fetch("ref-1")

        assert isinstance(told, Fetched)
        assert content == RESULT

    def test_no_credential_leaves_the_origin(self, world: World) -> None:
        """A result on another host is fetched without the key."""
        told, _ = world.fetch("ref-1")
        sent = world.storage.request()

        assert isinstance(told, Fetched)
        assert KEY not in sent.head.decode()

    @pytest.mark.parametrize("url", ["http://10.0.0.1/x", "https://127.0.0.1/x", "ftp://x/y", "nothing", "/x", "\n"])
    def test_address_that_is_not_allowed_is_never_asked(self, world: World, url: str) -> None:
        """No address of a service leads a request into our own network."""
        world.replies["status"] = self.ready(url).script
        told, _ = world.fetch("ref-1")

        assert isinstance(told, LostError)
        assert told.code == "result.refused"

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_address_that_has_expired_is_asked_for_anew(self, world: World, status: int) -> None:
        """What a storage host refuses blocks no account: the status gives a fresh address."""
        world.replies["fetch"] = in_turn(
            answer(status, b"<Error><Code>AccessDenied</Code></Error>"), answer(200, RESULT)
        )
        gone, _ = world.fetch("ref-1")
        fresh = self.play(world, "status", self.ready(f"{world.storage.origin}/fresh").script)
        told, content = world.fetch("ref-1")

        assert isinstance(gone, LostError)
        assert gone.code == "result.gone"
        assert isinstance(fresh, Ready)
        assert isinstance(told, Fetched)
        assert (content, world.storage.requests[-1].target) == (RESULT, "/fresh")

    @pytest.mark.parametrize(
        "script",
        [*NEVER_WHOLE, raw(head(200) + RESULT), raw(head(200, {"content-length": str(len(RESULT) + 1)}) + RESULT)],
    )
    def test_cut_result_is_no_result(self, world: World, script: Script) -> None:
        """A body that breaks off is told, whether or not it said how long it would be; the next try is whole."""
        world.look("ref-1")
        told = self.play(world, "fetch", script)
        world.replies["fetch"] = answer(200, RESULT)
        again, content = world.fetch("ref-1")

        assert isinstance(told, TransientError)
        assert told.code == "result.cut"
        assert isinstance(again, Fetched)
        assert content == RESULT

    def test_trouble_at_the_storage_is_tried_again(self, world: World) -> None:
        """Server errors and redirects are no results and no end."""
        told = [self.play(world, "fetch", reply.script) for reply in [*BROKEN, Reply(206, RESULT), Reply(204)]]

        assert classes(told) == {TransientError}

    def test_page_under_200_stays_what_it_is(self, world: World) -> None:
        """A page where a document was expected is an error, or handed on unchanged for the type to be checked."""
        world.replies["fetch"] = PAGE.script
        told, content = world.fetch("ref-1")

        assert isinstance(told, ServiceError) or content == PAGE.body
        assert getattr(told, "extension", None) != "html"

    def test_bad_entry_costs_no_other(self, world: World) -> None:
        """Of several results each has its own outcome, in the order asked for."""
        statuses = {
            "ref-a": self.ready(f"{world.storage.origin}/a"),
            "ref-b": self.ready("http://10.0.0.1/b"),
            "ref-c": self.ready(f"{world.storage.origin}/c"),
        }
        world.replies["status"] = self.statuses(statuses)
        sinks = [world.sink() for _ in statuses]
        told = world.provider.fetch(list(zip(statuses, sinks, strict=True)))

        assert [type(one) for one in told] == [Fetched, LostError, Fetched]
        assert [sink.size for sink in sinks] == [len(RESULT), 0, len(RESULT)]

    def test_job_that_has_ended_meanwhile_has_no_result(self, world: World) -> None:
        """When the status shows no address any more, the status is what has to be asked."""
        for reply in (self.failed("No."), self.state(self.words[0])):
            told = self.play(world, "status", reply.script)
            fetched, _ = world.fetch("ref-1")

            assert not isinstance(told, Ready)
            assert isinstance(fetched, LostError)
            assert fetched.code == "result.gone"

    def test_stop_cuts_a_fetch(self, world: World) -> None:
        """A daemon that ends does not wait for the rest."""

        def script(exchange: Exchange) -> None:
            exchange.read()
            world.stopping.set()
            exchange.send(message(200, RESULT))

        world.replies["fetch"] = script
        with pytest.raises(TransferCutError):
            world.fetch("ref-1")


class CheckTests(Joining):
    def test_unreachable_service_is_not_good(self) -> None:
        """Nobody listens: the check says so, and blocks nothing."""
        provider, session = open_provider(self.kind, f"http://127.0.0.1:{refused_port()}", **self.configured)
        with pytest.raises(TransientError) as caught:
            provider.check()
        session.close()

        assert caught.value.code == "service.unreachable"

    def test_only_the_service_itself_says_that_a_key_is_good(self, world: World) -> None:
        """Pages, gateways, redirects and strangers' answers open no account to submissions."""
        replies = [*BROKEN, PAGE, Reply(404, b"<html>Not Found</html>"), Reply(200), Reply(200, {}), Reply(200, [])]
        told = [self.play(world, "check", reply.script) for reply in replies]
        told += [self.play(world, "check", script) for script in NEVER_WHOLE]

        assert classes(told) == {TransientError}

    def test_throttled_check_is_not_good(self, world: World) -> None:
        """A service that asks to send less is not asked for a trial."""
        told = self.play(world, "check", answer(429))

        assert isinstance(told, ThrottledError)

    def test_check_costs_nothing(self, world: World) -> None:
        """No check submits anything."""
        self.outcome(world, "check")

        assert world.asked("submit") == []

    def test_missing_key_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a key the account is blocked, and nothing is sent."""
        monkeypatch.setenv("BABELDROP_TEST_KEY", "")
        with RawServer(answer(200)) as server:
            provider, session = open_provider(
                self.kind, server.origin, **{**self.configured, "api_key": {"env": "BABELDROP_TEST_KEY"}}
            )
            with pytest.raises(BlockedError) as caught:
                provider.check()
            session.close()

        assert caught.value.code == "account.no_key"
        assert server.connections == 0


class QuietTests(Joining):
    def test_no_error_shows_the_key(self, world: World) -> None:
        """Not even a service that repeats the key in its answers brings it into an error."""
        wordy = {"message": f"Bad key {KEY}", "error": f"Bad key {KEY}", "code": KEY}
        replies = [Reply(code, wordy) for code in (200, 400, 401, 403, 404, 422, 500)]
        replies += [Reply(code, f"<html>{KEY}</html>".encode()) for code in (200, 400, 401, 500)]
        told = [self.play(world, verb, one.script) for verb in ("submit", "status", "check") for one in replies]
        world.replies["status"] = self.failed(f"Bad key {KEY}").script
        told.append(self.outcome(world, "status"))
        world.replies["status"] = self.ready(f"{world.server.origin}/v1/translation/download-document/x").script
        told += [self.play(world, "fetch", one.script) for one in replies[1:]]
        errors = [one for one in told if isinstance(one, ServiceError)]

        assert len(errors) > 20
        assert [one for one in errors if KEY in texts_of(one) or KEY in str(one.provider_code)] == []

    def test_no_error_shows_a_signature(self, world: World) -> None:
        """The address of a result, which may be signed, is in no error either."""
        signed = f"{world.storage.origin}/x?X-Amz-Signature=secret-signature"
        told = []
        for script in [*NEVER_WHOLE, answer(403), answer(500), answer(302)]:
            world.replies["status"] = self.ready(signed).script
            world.look("ref-1")
            told.append(self.play(world, "fetch", script))
        world.replies["status"] = self.ready(signed.replace("http:", "gopher:")).script
        world.look("ref-1")
        told.append(self.outcome(world, "fetch"))

        assert all(isinstance(one, ServiceError) for one in told)
        assert [one for one in told if isinstance(one, ServiceError) and "secret-signature" in texts_of(one)] == []

    def test_clean_up_is_silent_and_repeatable(self, world: World) -> None:
        """Cleaning up twice, of things unknown, and at a service that is down, disturbs nobody."""
        world.look("ref-1")
        world.provider.clean_up(["ref-1"])
        world.provider.clean_up(["ref-1", "never-seen"])
        world.provider.clean_up([])
        told, content = world.fetch("ref-1")

        assert isinstance(told, Fetched)
        assert content == RESULT

    def test_recovery_submits_nothing(self, world: World) -> None:
        """Asking what became of a submission is no submission."""
        if world.provider.capabilities.recoverable:
            pytest.skip("it asks the service; its own tests say how")
        attempt = Attempt(job=JOB, number=1, sent_name=f"report.{JOB}-1.txt")
        intent = Intent(attempt=attempt, part=0, route=self.route, submitted_at=datetime.now(UTC), sha256="0" * 64)
        told = world.provider.recover(intent)

        assert type(told).__name__ == "Unknown"
        assert world.server.requests == []


class Conformance(SubmitTests, DocumentedTests, PollTests, FetchTests, CheckTests, QuietTests):
    """Everything that a provider promises."""
