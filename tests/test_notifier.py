"""Notifications on their way: through real sockets, to services that work, fail, hang or are not there."""

import importlib.abc
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from daemon import courier, disk, log, notifier
from daemon.config import Config, load, secret_values, seen_values
from daemon.digest import SETTLE_S, Digest, Failures, Item, Message, Trouble
from daemon.errors import ConfigError
from daemon.folders import MARKER
from daemon.happenings import seen_in
from daemon.job import Job, State
from daemon.messages import TEXTS
from daemon.notifier import Notifier, try_all
from daemon.tidings import WORDS, compose, length, plain
from tests.clocks import FakeClock
from tests.rawserver import Exchange, RawServer, message

# What one of its plugins imports.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TOKEN = "QqNotifyCanary7Qq"
PASSWORD = "sesame-street"
_FILE = """\
root: {base}/share
state: {base}/state
language: {language}
notify:
  urls: [{urls}]
  digest: 10m
providers:
  cambai:
    api_key: {{env: NOTIFY_TEST_KEY}}
    source_language: en
    languages: [fr]
"""


def ok(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(message(200, b"ok"))


def broken(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(message(500, exchange.target.encode()))


class Post:
    """A notifier over addresses at servers of the test, its clock, its log, and the snapshot it is shown."""

    def __init__(self, base: Path, *servers: RawServer, language: str = "en", within_s: float = 60.0) -> None:
        self.base, self.servers, self.within_s = base, servers, within_s
        (base / "state").mkdir(exist_ok=True)
        urls = ", ".join(f'"json://user:{PASSWORD}@{one.host}/{TOKEN}?+key={TOKEN}x"' for one in servers)
        file = base / "config.yaml"
        file.write_text(_FILE.format(base=base, language=language, urls=urls))
        file.chmod(0o600)
        self.config: Config = load(file)
        self.clock = FakeClock()
        self.captured = LogCapture()
        self.snapshot: dict[str, Any] = {
            "share": {"there": True, "why": None, "since": None},
            "titles": {"cambai": "CAMB.AI"},
            "accounts": [{"providers": ["cambai"], "door": "open", "reason": None, "since": None}],
            "budget": [],
        }
        self.start()

    def start(self) -> None:
        """A new process."""
        logger = structlog.wrap_logger(None, [self.captured], structlog.make_filtering_bound_logger(0))
        self.notifier = Notifier(self.config, self.clock, logger, send_within_s=self.within_s)
        self.notifier.start()

    def away(self) -> None:
        self.snapshot["share"] = {"there": False, "why": "the disk is gone", "since": "2026-01-31T08:00:00.000Z"}

    def back(self) -> None:
        self.snapshot["share"] = {"there": True, "why": None, "since": None}

    def pass_(self, seconds: int, step: int = 1) -> None:
        """Time passes, with the heartbeat; every try to send comes to its end meanwhile, unless it hangs."""
        for _ in range(0, seconds, step):
            self.notifier.beat(lambda: self.snapshot)
            for target in self.notifier._targets:
                if target.attempt is not None:
                    target.attempt.join(10 if self.within_s == 60 else 0.05)
            self.clock.advance(step)
        self.notifier.beat(lambda: self.snapshot)

    @property
    def row(self) -> dict[str, Any]:
        """What status.json shows."""
        found = self.notifier.row()
        assert found is not None

        return found

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [dict(line) for line in self.captured.entries if line["event"] == event]

    def sent(self, server: int = 0) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.servers[server].requests if one.over.is_set() or one.whole]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_TEST_KEY", "a-key-of-the-tests")
    # Bodies go to loopback, whatever the machine says about proxies.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def _log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def failed_job(name: str = "report.docx", code: str = "provider.failed", **facts: str) -> Job:
    now = datetime(2026, 1, 31, 8, tzinfo=UTC)
    job = Job(
        id="0123456789abcdef",
        provider="cambai",
        folder="fr",
        name=name,
        size=1,
        mtime_ns=0,
        inode=1,
        dropped_at=now,
        claimed_at=now,
        last_at=now,
    )
    error = {"code": code, "facts": {"provider": "CAMB.AI", "inbox": "inbox/cambai/fr", "reason": "", **facts}}
    return replace(job, state=State.CLOSED, closed_as=State.FAILED, error=error)


class TestTelling:
    def test_a_share_that_goes_and_comes_back(self, tmp_path: Path, stack: ExitStack) -> None:
        """One message for each, as plain text, with what it means and how long it was."""
        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        post.away()
        post.pass_(720)
        post.back()
        post.pass_(720)
        first, second = post.sent()

        assert first["title"] == "babeldrop: the share is away"
        assert "the disk is gone" in first["message"]
        assert "goes on by itself" in first["message"]
        assert (first["type"], first["attachments"]) == ("warning", [])
        assert second["title"] == "babeldrop: the share is back"
        assert "It was away for 12 minutes" in second["message"]
        assert second["type"] == "success"
        assert post.row == {"failing_since": None, "why": None, "sent": 2, "pending": 0, "given_up": 0}

    @pytest.mark.parametrize(
        ("language", "why", "told"),
        [
            ("en", "/srv/x: Stale file handle", "since 09:00: Stale file handle."),
            ("en", "/srv/x does not answer", "since 09:00: it does not answer."),
            ("de", "/srv/x does not answer", "nicht erreichbar: er antwortet nicht."),
            ("de", f"/srv/x has no marker of ours ({MARKER})", "nicht erreichbar: ihm fehlt die Marke .babeldrop."),
        ],
    )
    def test_why_the_share_is_away(self, language: str, why: str, told: str) -> None:
        """In the language, and without naming the root twice; what the system says stays as it is."""
        wall = datetime(2026, 1, 31, 8, tzinfo=UTC)
        share = {"there": False, "why": why, "since": "2026-01-31T08:00:00.000Z"}
        seen = seen_in({"root": "/srv/x", "share": share, "accounts": [], "titles": {}}, (), wall, 0.0)
        digest = Digest(["share_away"], 900.0, None)
        local = wall.astimezone(timezone(timedelta(hours=1)))
        digest.step(seen, 0.0, local)
        message = digest.step(seen, SETTLE_S, local)
        assert message is not None

        assert told in compose(message, TEXTS[language], "/srv/x", local).body

    @pytest.mark.parametrize(
        ("language", "count", "said"),
        [("en", 1, "Beside it lies"), ("en", 2, "Beside each lies"), ("de", 1, "Daneben"), ("de", 2, "Neben jeder")],
    )
    def test_where_to_read_on(self, language: str, count: int, said: str) -> None:
        """One file is spoken of as one, and several as several."""
        at = datetime(2026, 1, 31, 8, tzinfo=UTC)
        failures = Failures(counts={"cambai": count}, first=(), since=at)
        body = compose(Message(items=(), failures=failures), TEXTS[language], "/srv/x", at).body

        assert said in body

    def test_failures_come_in_one_message(self, tmp_path: Path, stack: ExitStack) -> None:
        """With a count, the first few by place and reason, and where to read on; a withdrawn file is no news."""
        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        post.notifier.ended(failed_job("withdrawn.txt", "drop.withdrawn", sign="x.cancel"))
        for number in range(8):
            post.notifier.ended(failed_job(f"report-{number}.docx"))
        post.pass_(1200)
        [told] = post.sent()

        assert told["title"] == "babeldrop: 8 files failed"
        assert "cambai 8" in told["message"]
        assert "- failed/cambai/fr/report-0.docx: CAMB.AI could not translate the file." in told["message"]
        assert "- and 3 more" in told["message"]
        assert "withdrawn" not in told["message"]

    def test_in_german(self, tmp_path: Path, stack: ExitStack) -> None:
        """`language` decides, for the reasons as well."""
        post = Post(tmp_path, stack.enter_context(RawServer(ok)), language="de")
        post.notifier.ended(failed_job())
        post.snapshot["accounts"][0] |= {
            "door": "closed",
            "reason": "account.key",
            "since": "2026-01-31T07:58:00.000Z",
        }
        post.snapshot["budget"] = [
            {"provider": "cambai", "unit": "characters", "state": "spent", "spent": 1234.5, "per_month": 1000}
        ]
        post.pass_(700)
        blocked, failed = post.sent()

        assert blocked["title"] == "babeldrop: CAMB.AI (cambai) nimmt keine Dateien an (und 1 weitere Nachricht)"
        assert "1.234,5 von 1.000 Zeichen" in blocked["message"]
        assert failed["title"] == "babeldrop: 1 Datei ist gescheitert"
        assert "CAMB.AI konnte die Datei nicht übersetzen." in failed["message"]

    def test_an_account_that_nobody_used_yet_has_not_opened(self, tmp_path: Path, stack: ExitStack) -> None:
        """After a restart its door looks open; only work that went well, or a door seen closed, says more."""
        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        row = post.snapshot["accounts"][0]
        row |= {"door": "closed", "reason": "account.key", "since": "2026-01-31T08:00:00.000Z"}
        post.pass_(60)
        row |= {"door": "open", "reason": None, "since": None}
        post.notifier.stop()
        post.start()
        post.pass_(1000)
        assert [one["title"] for one in post.sent()] == ["babeldrop: CAMB.AI (cambai) takes no files"]
        post.notifier.ended(replace(failed_job(), closed_as=State.DELIVERED, error=None))
        post.pass_(60)

        assert [one["title"] for one in post.sent()][1:] == ["babeldrop: CAMB.AI (cambai) takes files again"]

    def test_a_name_writes_no_message(self, tmp_path: Path, stack: ExitStack) -> None:
        """Mentions, links and markup in a file's name mean nothing to a service; lines cannot be broken."""
        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        name = "@everyone <!here> [click](http://evil.example)\n\x1b[2J\u202efdp.*x*`y`.txt"
        post.notifier.ended(failed_job(name))
        post.pass_(700)
        [told] = post.sent()
        [line] = [line for line in told["message"].split("\n") if line.startswith("- ")]

        assert not set("@<>[]`*\x1b\u202e") & set(line)
        assert "://" not in line
        assert "everyone" in line


class TestTrouble:
    def test_a_service_that_fails_is_said_once_and_tried_again(self, tmp_path: Path, stack: ExitStack) -> None:
        """Visible in the log and in the status until it works; then the message says when it is from."""
        server = stack.enter_context(RawServer(broken))
        post = Post(tmp_path, server)
        post.away()
        post.pass_(3600, 5)
        row = post.row

        assert row["why"] == "notify.urls[0] (the configuration file): the service answered 500"
        assert row["failing_since"] is not None
        assert (row["sent"], row["pending"]) == (0, 1)
        assert 5 <= len(server.requests) <= 10
        assert [line["why"] for line in post.lines("notify.failed")] == ["the service answered 500"]
        server.script = ok
        post.pass_(3600, 5)
        [told] = [one for one in post.sent() if "could not be sent earlier" in one["message"]][-1:]

        assert told["title"] == "babeldrop: the share is away"
        assert post.row == {"failing_since": None, "why": None, "sent": 1, "pending": 0, "given_up": 0}
        assert len(post.lines("notify.works")) == 1

    def test_what_could_not_be_sent_for_a_day_is_counted(self, tmp_path: Path, stack: ExitStack) -> None:
        """The next message that arrives says how many are lost."""
        server = stack.enter_context(RawServer(broken))
        post = Post(tmp_path, server)
        post.away()
        post.pass_(3600, 60)
        post.back()
        post.pass_(25 * 3600, 60)
        assert post.row["given_up"] == 2
        server.script = ok
        before = len(server.requests)
        post.notifier.ended(failed_job())
        post.pass_(5000, 60)
        told = json.loads(server.requests[before].body)

        assert "2 earlier messages could not be sent." in told["message"]
        assert post.row["given_up"] == 0

    def test_a_long_outage_fills_no_memory(self, tmp_path: Path, stack: ExitStack) -> None:
        """The queue is bounded; what falls out of it is counted."""
        post = Post(tmp_path, stack.enter_context(RawServer(broken)))
        for _ in range(40):
            post.notifier.ended(failed_job())
            post.pass_(601, 601)
        row = post.row

        assert row["pending"] == 20
        assert row["pending"] + row["given_up"] == 40

    def test_a_service_that_hangs_holds_nobody_up(self, tmp_path: Path, stack: ExitStack) -> None:
        """The other address is served, the heartbeat goes on, few threads are left behind, and stop is quick."""

        def drips(exchange: Exchange) -> None:
            exchange.drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000, 0.05)

        hanging, good = stack.enter_context(RawServer(drips)), stack.enter_context(RawServer(ok))
        post = Post(tmp_path, hanging, good, within_s=5.0)
        post.away()
        post.pass_(40)
        assert good.request().whole
        post.pass_(86000, 500)
        threads = [one for one in threading.enumerate() if one.name == "notify"]

        assert len(post.sent(1)) == 1
        assert post.row["why"].endswith("no answer within 5 seconds")
        assert len(threads) <= 3
        assert all(one.daemon for one in threads)
        assert len(post.lines("notify.failed")) == 1

    def test_nobody_listens(self, tmp_path: Path) -> None:
        """A connection refused is a reason as well."""
        with RawServer(ok) as server:
            post = Post(tmp_path, server)
        post.away()
        post.pass_(60)

        assert post.row["why"].endswith("no connection to the service, or no answer from it")

    def test_redirects_are_not_followed(self, tmp_path: Path, stack: ExitStack) -> None:
        """What is told goes to the address that was configured, and nowhere else."""
        other = stack.enter_context(RawServer(ok))

        def elsewhere(exchange: Exchange) -> None:
            exchange.read()
            exchange.send(message(307, b"", {"location": f"{other.origin}/caught"}))

        post = Post(tmp_path, stack.enter_context(RawServer(elsewhere)))
        post.away()
        post.pass_(60)

        assert other.requests == []
        assert post.row["why"].endswith("the service answered 307")

    def test_nonsense_disturbs_nobody(self, tmp_path: Path, stack: ExitStack) -> None:
        """Neither a snapshot without its keys nor a damaged memory; each is said once."""
        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        (tmp_path / "state" / notifier.NAME).write_text("{")
        post.start()
        for _ in range(3):
            post.notifier.beat(dict)
        post.away()
        post.pass_(60)

        assert [line["why"] for line in post.lines("notify.broke")] == ["JSONDecodeError", "KeyError"]
        assert len(post.sent()) == 1

    def test_no_thread_is_to_be_had(self, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        """A message that nobody carried has not arrived: it is tried again."""

        def exhausted(_: object) -> None:
            raise RuntimeError("can't start new thread")

        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        post.away()
        with monkeypatch.context() as patch:
            patch.setattr(notifier.Attempt, "start", exhausted)
            patch.setattr(notifier.Attempt, "join", lambda *_: None)
            post.pass_(40)
            assert post.row["why"].endswith("no thread could be started")
            assert post.row["pending"] == 1
        post.pass_(120)

        assert len(post.sent()) == 1

    def test_a_disk_that_takes_nothing_stops_no_message(
        self, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was told is only not remembered."""

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        post = Post(tmp_path, stack.enter_context(RawServer(ok)))
        monkeypatch.setattr(disk, "write_json", full)
        post.away()
        post.pass_(120)

        assert len(post.sent()) == 1
        assert len(post.lines("notify.broke")) == 1


class TestRestart:
    def test_where_nobody_is_to_be_told_nothing_happens(self, tmp_path: Path, stack: ExitStack) -> None:
        """And what was remembered is forgotten: when `notify` comes back that would be old news."""
        server = stack.enter_context(RawServer(broken))
        post = Post(tmp_path, server)
        post.away()
        post.pass_(60)
        post.notifier.stop()
        before = len(server.requests)
        post.config = post.config.model_copy(update={"notify": None})
        post.start()
        post.notifier.ended(failed_job())
        post.pass_(2000)
        post.notifier.stop()

        assert post.notifier.row() is None
        assert len(server.requests) == before
        assert not (tmp_path / "state" / notifier.NAME).exists()

    def test_nothing_is_told_twice_and_nothing_is_lost(self, tmp_path: Path, stack: ExitStack) -> None:
        """What waits to be sent is sent by the next process, what was sent is not sent again."""
        server = stack.enter_context(RawServer(broken))
        post = Post(tmp_path, server)
        post.away()
        post.pass_(60)
        post.notifier.ended(failed_job())
        post.notifier.stop()
        before = len(server.requests)
        server.script = ok
        post.start()
        post.pass_(2000)
        post.notifier.stop()
        post.start()
        post.pass_(2000)
        titles = [json.loads(one.body)["title"] for one in server.requests[before:]]

        assert titles == ["babeldrop: the share is away", "babeldrop: 1 file failed"]

    def test_the_memory_is_the_owner_s_alone(self, tmp_path: Path, stack: ExitStack) -> None:
        """It holds names of files; an address is not in it."""
        post = Post(tmp_path, stack.enter_context(RawServer(broken)))
        post.away()
        post.pass_(60)
        path = tmp_path / "state" / notifier.NAME

        assert path.stat().st_mode & 0o777 == 0o600
        assert TOKEN not in path.read_text()
        assert PASSWORD not in path.read_text()


class TestSecrets:
    @pytest.mark.usefixtures("_log_as_it_was")
    def test_no_part_of_an_address_is_found_anywhere(self, tmp_path: Path, stack: ExitStack) -> None:
        """At the lowest level of the log, with a service that repeats what it was sent, and with none there."""
        server = stack.enter_context(RawServer(broken))
        with RawServer(ok) as gone:
            post = Post(tmp_path, server, gone)
        stream = io.StringIO()
        log.configure("debug", "json", stream, seen_values(post.config))
        post.away()
        post.pass_(3000, 10)
        tried = try_all(post.config)
        logging.getLogger("apprise").error("json://%s/%s", PASSWORD, TOKEN)
        logging.getLogger("urllib3.connectionpool").debug("POST /%s", TOKEN)
        assert stream.getvalue() == ""
        logging.getLogger("else.where").error("POST /%s?key=%sx as %s", TOKEN, TOKEN, PASSWORD)
        everything = [stream.getvalue(), str(post.captured.entries), str(post.row), str(tried)]

        assert len(server.requests) > 3
        assert all(everything)
        assert stream.getvalue().count(log.REDACTED) == 3
        for text in everything:
            assert TOKEN not in text
            assert PASSWORD not in text

    @pytest.mark.parametrize(
        ("url", "secret", "harmless"),
        [
            ("mailto://babeldrop:open-sesame@mail.example.org", "open-sesame", "mail.example.org"),
            ("mailto://babeldrop:open%2Dsesame@mail.example.org", "open-sesame", "babeldrop"),
            ("tgram://123456789:AAE7abc-DEF/42", "AAE7abc-DEF", "tgram"),
            ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "TIiajkdnlazkcOXrIdevi7FQ", "slack"),
            ("ntfys://ntfy1.example.org/a-topic-7", "a-topic-7", "ntfy1.example.org"),
            ("gotify://host/AbcdefG1?priority=high", "AbcdefG1", "priority"),
        ],
    )
    def test_what_is_secret_in_an_address(self, tmp_path: Path, url: str, secret: str, harmless: str) -> None:
        """Passwords and what looks like a key; words and hosts stay readable in the log."""
        file = tmp_path / "config.yaml"
        file.write_text(_FILE.format(base=tmp_path, language="en", urls=f'"{url}"'))
        known = secret_values(load(file, keys=False))

        assert log.redact(f"sent with {secret} to it", known) == f"sent with {log.REDACTED} to it" or secret in known
        assert log.redact(f"about {harmless}", known) == f"about {harmless}"

    def test_a_broken_service_s_words_are_not_repeated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An exception of a plugin may hold the address; only its name is told."""
        import apprise  # noqa: PLC0415  the library is loaded by those who need it

        def breaks(*_: object, **__: object) -> None:
            raise RuntimeError(f"cannot post to {TOKEN}")

        monkeypatch.setattr(apprise.Apprise, "notify", breaks)
        with pytest.raises(courier.CourierError) as raised:
            courier.send(f"json://127.0.0.1:9/{TOKEN}", "title", "body", good=True)

        assert str(raised.value) == "apprise broke (RuntimeError)"
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__


class TestConfiguration:
    @pytest.mark.parametrize(
        "url",
        [
            TOKEN,
            f"unknown://{TOKEN}",
            f"file:///{TOKEN}",
            f"http://127.0.0.1/{TOKEN}",
            f"https://example.org/{TOKEN}.yaml",
            f"slack://{TOKEN}",
            f"json://, json://127.0.0.1/{TOKEN}",
            f"include {TOKEN}",
        ],
    )
    def test_an_address_that_is_none_is_refused_and_not_repeated(self, tmp_path: Path, url: str) -> None:
        """Offline, with file and line; nor is a file or a page with more addresses read."""
        file = tmp_path / "config.yaml"
        file.write_text(_FILE.format(base=tmp_path, language="en", urls=f'"{url}"'))
        file.chmod(0o600)
        with pytest.raises(ConfigError) as raised:
            load(file)
        [problem] = raised.value.problems

        assert problem.path == "notify.urls[0]"
        assert problem.line == 5
        assert TOKEN not in str(raised.value)

    def test_without_the_library_it_is_a_problem_of_the_configuration(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`check` and the start say what to install; a daemon that is under way says so in its status."""
        with RawServer(ok) as server:
            post = Post(tmp_path, server)

            class Hidden(importlib.abc.MetaPathFinder):
                def find_spec(self, name: str, *_: object) -> None:
                    if name.partition(".")[0] == "apprise":
                        raise ModuleNotFoundError(name)

            for name in [name for name in sys.modules if name.partition(".")[0] == "apprise"]:
                monkeypatch.delitem(sys.modules, name)
            monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
            with pytest.raises(ConfigError) as raised:
                load(tmp_path / "config.yaml")
            post.away()
            post.pass_(60)

            assert "apprise is not installed" in str(raised.value)
            assert f"{Path(sys.executable).with_name('pip')} install '.[notify]' in the checkout" in str(raised.value)
            assert "apprise is not installed" in post.row["why"]
            assert server.requests == []

    def test_every_rule_about_secrets_holds_for_addresses(self, tmp_path: Path) -> None:
        """Missing ones, files in the root and files that others may write: all in one run with other mistakes."""
        (tmp_path / "share").mkdir()
        inside, open_ = tmp_path / "share" / "url", tmp_path / "open"
        for path in (inside, open_):
            path.write_text("json://127.0.0.1/x")
        inside.chmod(0o600)
        open_.chmod(0o666)
        urls = f"{{env: NOTIFY_ABSENT}}, {{file: {inside}}}, {{file: {open_}}}"
        file = tmp_path / "config.yaml"
        file.write_text(_FILE.format(base=tmp_path, language="en", urls=urls).replace("digest: 10m", "digest: soon"))
        file.chmod(0o600)
        with pytest.raises(ConfigError) as raised:
            load(file)
        found = {(one.path, one.message.partition(":")[0]) for one in raised.value.problems}

        assert found == {
            ("notify.urls[0]", "no key in environment variable NOTIFY_ABSENT"),
            ("notify.urls[1]", "the key's file lies inside root"),
            ("notify.urls[2]", "others could change the key"),
            ("notify.digest", "found 'soon'"),
        }
        assert "they would choose who is told" in str(raised.value)

    def test_warnings(self, tmp_path: Path) -> None:
        """An address in the file, one in a file that others read, and a page that is not for this machine alone."""
        open_ = tmp_path / "open"
        open_.write_text("json://127.0.0.1/x")
        open_.chmod(0o644)
        file = tmp_path / "config.yaml"
        text = _FILE.format(base=tmp_path, language="en", urls=f'"json://127.0.0.1/{TOKEN}", {{file: {open_}}}')
        file.write_text(f"web: {{listen: 0.0.0.0:8787}}\n{text}")
        file.chmod(0o600)
        web, inline, readable = load(file).warnings

        assert web.startswith(f"{file}:1: web.listen: everybody who reaches this machine")
        assert inline.startswith(f"{file}:6: notify.urls[0]: the key itself stands in the configuration file")
        assert f"others can read file {open_}" in readable
        assert TOKEN not in inline

    @pytest.mark.parametrize(
        ("listen", "warned"),
        [
            ("127.0.0.1:8787", False),
            ("127.8.8.8:1", False),
            ('"[::1]:8787"', False),
            ("localhost:8787", False),
            ("192.0.2.1:8787", True),
            ('"[::]:8787"', True),
            ("example.org:80", True),
        ],
    )
    def test_which_places_of_the_page_are_warned_about(self, tmp_path: Path, listen: str, warned: bool) -> None:
        """Those that others can reach."""
        file = tmp_path / "config.yaml"
        file.write_text(f"web: {{listen: {listen}}}\n" + _FILE.format(base=tmp_path, language="en", urls='"json://x"'))
        config = load(file, keys=False)

        assert any("web.listen" in line for line in config.warnings) is warned


class TestTrying:
    def test_each_address_is_tried_by_itself(self, tmp_path: Path, stack: ExitStack) -> None:
        """What `doctor` asks: where, whether it was taken, and why not."""
        servers = [stack.enter_context(RawServer(script)) for script in (ok, broken, lambda one: one.stall())]
        post = Post(tmp_path, *servers)
        found = try_all(post.config, within_s=2.0)

        assert [(good, why) for _, good, why in found] == [
            (True, ""),
            (False, "the service answered 500"),
            (False, "no answer within 2 seconds"),
        ]
        assert found[0][0] == "notify.urls[0] (the configuration file)"
        assert post.sent()[0]["title"] == "babeldrop: a test"


class TestTexts:
    def test_both_languages_say_everything(self) -> None:
        """The same rows with the same facts."""
        english, german = WORDS["en"], WORDS["de"]

        assert english.titles.keys() == german.titles.keys()
        assert english.lines.keys() == german.lines.keys()

    @pytest.mark.parametrize("language", ["en", "de"])
    @pytest.mark.parametrize("topic", ["share_away", "blocked", "budget"])
    @pytest.mark.parametrize("kind", ["began", "ended", "passed"])
    @pytest.mark.parametrize("times", [1, 3])
    def test_everything_that_can_happen_has_its_words(self, language: str, topic: str, kind: Any, times: int) -> None:
        """No fact is missing, no brace is left, and the text is bounded whatever is put in."""
        codes = {"share_away": ["share_away"], "blocked": ["account.key", "odd.one"]}
        facts = {"why": "x" * 9999} if topic == "share_away" else {"provider": "y" * 9999}
        for code in codes.get(topic, ["budget.warning", "budget.spent"]):
            if topic == "budget":
                facts |= {"unit": "credits", "spent": "1,234.5", "per_month": "1,000"}
            at = datetime(2026, 1, 31, 8, tzinfo=UTC)
            trouble = Trouble(code=code, since=at, facts=facts)
            for after in (None, "budget.spent"):
                item = Item(topic=topic, kind=kind, trouble=trouble, at=at, seconds=720, times=times, after=after)
                letter = compose(Message(items=(item,), failures=None), TEXTS[language], "/srv/translate", at)

                assert not set("{}") & set(letter.title + letter.body)
                assert 20 < len(letter.body) < 2000
                assert letter.good is (kind != "began")

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0 seconds"),
            (1.2, "1 second"),
            (90, "90 seconds"),
            (725, "12 minutes"),
            (7300, "2 hours"),
            (2e5, "2 days"),
        ],
    )
    def test_lengths(self, seconds: float, text: str) -> None:
        """In one unit, without fractions."""
        assert length(seconds, TEXTS["en"]) == text

    def test_other_people_s_words_are_bounded(self) -> None:
        """A name of any length takes no more than its line."""
        assert len(plain("a" * 5000)) == 120
