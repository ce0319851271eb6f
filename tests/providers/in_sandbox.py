"""Whole conversations with the simulated services, whose ledger tells the truth about money and keys."""

import os
from collections.abc import Iterator, Sequence
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
from daemon.originals import Original
from daemon.providers.base import Accepted, Attempt, Failed, Fetched, Look, Lost, Provider, Ready, Running
from daemon.sandbox.child import Running as Sandbox
from daemon.sandbox.child import start
from daemon.spool import Spool
from tests.providers.conformance import Joining
from tests.providers.world import JOB, open_provider

GOOD = "sandbox-key-of-this-test"


class Visit:
    """One provider at the sandbox."""

    def __init__(self, joined: Joining, sandbox: Sandbox, folder: Path, provider: Provider, stack: ExitStack) -> None:
        self.provider = provider
        self._joined = joined
        self._sandbox = sandbox
        self._folder = folder
        self._stack = stack
        self._fetches = 0

    def submit(self, tokens: str = "") -> Accepted:
        """Submit the provider's own sample, with these tokens in its name."""
        name, content = self._joined.drop
        extension = names.extension(name)
        path = self._folder / f"sample{tokens}.{extension}"
        path.write_bytes(content)
        original = Original(os.open(path, os.O_RDONLY), path.name, lambda: False)
        self._stack.callback(original.close)
        attempt = Attempt(job=JOB, number=1, sent_name=names.sent_name(path.name, JOB, 1))
        return self.provider.submit(self.provider.prepare(original, self._joined.route, attempt)[0], None)

    def taken(self, tokens: str = "") -> str:
        ref = self.submit(tokens).ref
        assert ref is not None
        return ref

    def looks(self, ref: str, count: int) -> list[Look | ServiceError]:
        return [self.provider.poll([ref])[ref] for _ in range(count)]

    def fetch(self, ref: str) -> tuple[Fetched | ServiceError, bytes]:
        self._fetches += 1
        sink = self._stack.enter_context(Spool(str(self._folder)).sink("job", self._fetches))
        outcome = self.provider.fetch([(ref, sink)])[0]
        return outcome, sink.read_at(0, sink.size)

    def entry(self) -> dict[str, Any]:
        """The latest line of the ledger."""
        return self._sandbox.ledger()[-1]


class InSandbox(Joining):
    """Joined by every provider whose service is simulated; `service` is its name there."""

    service: ClassVar[str]
    blocked_keys: ClassVar[Sequence[str]]

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
        limits = {f"voicecheap.{what}": "none" for what in ("status", "submit", "jobs")}
        with start(tmp_path_factory.mktemp("sandbox"), limits=limits) as running:
            yield running

    @contextmanager
    def visiting(self, sandbox: Sandbox, folder: Path, key: str = GOOD) -> Iterator[Visit]:
        with ExitStack() as stack:
            hosts = [sandbox.addresses.results_host]
            provider, session = open_provider(
                self.kind, sandbox.base_url(self.service), key=key, result_hosts=hosts, **self.configured
            )
            stack.callback(session.close)
            yield Visit(self, sandbox, folder, provider, stack)
        assert sandbox.leaks() == []

    @pytest.fixture
    def visit(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Visit]:
        with self.visiting(sandbox, tmp_path) as one:
            yield one

    @pytest.fixture
    def good_result(self, visit: Visit) -> bytes:
        told, content = visit.fetch(visit.taken())
        assert isinstance(told, Fetched)
        return content

    def test_whole_conversation(self, visit: Visit, good_result: bytes) -> None:
        """Submitted, looked at, fetched: the ledger shows one paid submission of these very bytes."""
        ref = visit.taken()
        looks = visit.looks(ref, 2)
        told, content = visit.fetch(ref)
        visit.provider.clean_up([ref])
        entry = visit.entry()

        assert [type(look) for look in looks] == [Ready, Ready]
        assert isinstance(told, Fetched)
        assert content == good_result != b""
        assert (entry["accepted"], entry["remote_id"], entry["size"]) == (True, ref, len(self.drop[1]))
        assert (entry["source"], entry["target"]) == (self.route.source_wire, self.route.target_wire)
        assert f".{JOB}-1." in entry["file"]

    @pytest.mark.parametrize(
        ("token", "expected"),
        [
            ("~odd", [Running, Running, Ready]),
            ("~back", [Running, Running, Ready]),
            ("~gone-2", [Lost, Lost, Ready]),
            ("~vanish", [Lost] * 4),
            ("~stuck", [Running] * 4),
            ("~fail", [Failed, Failed]),
        ],
    )
    def test_looks_at_odd_jobs(self, visit: Visit, token: str, expected: list[type]) -> None:
        """Odd words, steps backwards, ids that lag or vanish, and failures are what they are."""
        told = visit.looks(visit.taken(token), len(expected))

        assert [type(look) for look in told] == expected

    @pytest.mark.parametrize("token", ["~lost", "~accepted", "~accepted-500"])
    def test_acceptance_without_a_word_is_uncertain(self, visit: Visit, token: str) -> None:
        """The service took and billed it, and we do not know: said once, and sent once."""
        with pytest.raises(UncertainError):
            visit.submit(token)
        entry = visit.entry()

        assert entry["accepted"] is True
        assert isinstance(visit.provider.poll([entry["remote_id"]])[entry["remote_id"]], Ready)

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (400, RejectedError),
            (401, BlockedError),
            (403, BlockedError),
            (413, RejectedError),
            (415, RejectedError),
            (429, ThrottledError),
            (500, UncertainError),
            (502, UncertainError),
            (503, UncertainError),
            (504, UncertainError),
            (529, UncertainError),
        ],
    )
    def test_refusals_are_classed(self, visit: Visit, code: int, expected: type[ServiceError]) -> None:
        """What the service did not take is told apart from what nobody can tell."""
        with pytest.raises(expected):
            visit.submit(f"~http-{code}")

        assert visit.entry()["accepted"] is False

    def test_reset_submission_is_never_a_refusal_of_the_file(self, visit: Visit, sandbox: Sandbox) -> None:
        """A connection that breaks says nothing about the file."""
        sandbox.outage(self.service, "reset", verbs=["submit"])
        with pytest.raises((TransientError, UncertainError)):
            visit.submit()
        sandbox.end_outages()

        assert visit.entry()["accepted"] is False

    def test_result_that_broke_off_is_whole_the_next_time(self, visit: Visit, good_result: bytes) -> None:
        """Half a result is none, and nothing of it stays in the whole one."""
        ref = visit.taken("~cut-1")
        (first, _), (second, content) = visit.fetch(ref), visit.fetch(ref)

        assert isinstance(first, TransientError)
        assert first.code == "result.cut"
        assert isinstance(second, Fetched)
        assert content == good_result

    def test_expired_address_is_followed_by_a_fresh_one(self, visit: Visit, good_result: bytes) -> None:
        """The address that was given first does not work: the status tells another."""
        ref = visit.taken("~expired")
        visit.looks(ref, 1)
        first, _ = visit.fetch(ref)
        look = visit.looks(ref, 1)[0]
        second, content = visit.fetch(ref)

        assert isinstance(first, LostError)
        assert first.code == "result.gone"
        assert isinstance(look, Ready)
        assert isinstance(second, Fetched)
        assert content == good_result

    def test_absent_result_is_gone(self, visit: Visit) -> None:
        """A job that is finished without a result is asked about again."""
        told, _ = visit.fetch(visit.taken("~absent"))

        assert isinstance(told, LostError)
        assert told.code == "result.gone"

    def test_good_key_is_good(self, visit: Visit, sandbox: Sandbox) -> None:
        """A check with a good key says nothing, and submits nothing."""
        before = len(sandbox.ledger())
        visit.provider.check()

        assert len(sandbox.ledger()) == before

    def test_bad_keys_block(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """Wrong keys and blocked accounts are told by check, submission and status alike."""
        found: list[str] = []
        for key in self.blocked_keys:
            with self.visiting(sandbox, tmp_path, key) as visit:
                for attempt in (visit.provider.check, visit.submit):
                    with pytest.raises(BlockedError) as caught:
                        attempt()
                    found.append(str(caught.value))
                assert isinstance(visit.looks("1", 1)[0], BlockedError)

        assert len(found) == 2 * len(self.blocked_keys)
        assert [text for text in found if "sandbox-" in text] == []

    def test_outages_of_a_status_are_transient(self, visit: Visit, sandbox: Sandbox) -> None:
        """A service that is down tells nothing about a job, and the check says that it is down."""
        ref = visit.taken()
        told: list[object] = []
        for status in (500, 502, 503, "reset"):
            sandbox.outage(self.service, status, verbs=["status", "fetch"])
            told += visit.looks(ref, 1)
            told.append(visit.fetch(ref)[0])
            with pytest.raises(TransientError):
                visit.provider.check()
            sandbox.end_outages()
        after = visit.looks(ref, 1)[0]

        assert {type(one) for one in told} == {TransientError}
        assert isinstance(after, Ready)
