"""The log: one pipe, no keys in it, and never in the way of who writes to it."""

import base64
import io
import json
import logging
import os
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemon import log
from daemon.log import REDACTED, redact

# With characters that URLs, JSON and base64 write differently.
CANARY = 'canary/+&"key\\1=='


class Pipe(io.StringIO):
    """Remembers what was written, and may be a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "apscheduler")}
    # A server that was set up in this process has given its own loggers handlers and levels.
    for name in ("uvicorn", "uvicorn.error"):
        server = logging.getLogger(name)
        server.handlers.clear()
        server.setLevel(logging.NOTSET)
        server.propagate = True
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


@pytest.fixture
def pipe() -> Pipe:
    stream = Pipe()
    log.configure("info", "json", stream, lambda: [CANARY])
    return stream


def one(pipe: Pipe) -> dict[str, Any]:
    [line] = pipe.lines()
    return line


class TestLines:
    def test_a_line_is_a_json_object_in_a_fixed_order(self, pipe: Pipe) -> None:
        """`at`, `level`, `event` come first, then the fields as they were bound."""
        structlog.get_logger().bind(job="j1").warning("job.delivered", size=3, name="ä.docx", cost=None)

        assert list(one(pipe).items())[1:] == [
            ("level", "warning"),
            ("event", "job.delivered"),
            ("job", "j1"),
            ("size", 3),
            ("name", "ä.docx"),
            ("cost", None),
        ]
        assert next(iter(one(pipe))) == "at"

    def test_the_moment_is_utc(self, pipe: Pipe) -> None:
        """ISO 8601 with milliseconds and a Z."""
        structlog.get_logger().info("x.y")
        at = one(pipe)["at"]

        assert at.endswith("Z")
        assert datetime.fromisoformat(at).utcoffset() is not None
        assert len(at) == len("2026-01-02T03:04:05.678Z")

    def test_bound_context_is_part_of_the_line(self, pipe: Pipe) -> None:
        """What a thread bound for the time of its work stands in every line of it."""
        with structlog.contextvars.bound_contextvars(job="j2"):
            structlog.get_logger().info("part.submitted")

        assert one(pipe)["job"] == "j2"

    def test_the_head_cannot_be_forged_by_fields(self, pipe: Pipe) -> None:
        """A field named like the moment or the level does not replace it."""
        structlog.get_logger().info("x.y", at="yesterday", level="debug")

        assert one(pipe)["level"] == "info"
        assert one(pipe)["at"] != "yesterday"

    def test_levels_below_the_chosen_one_are_silent(self) -> None:
        """Ours and the libraries' alike."""
        stream = Pipe()
        log.configure("warning", "json", stream)
        structlog.get_logger().info("x.y")
        logging.getLogger("watchdog").info("hello")
        structlog.get_logger().error("x.z")

        assert [line["event"] for line in stream.lines()] == ["x.z"]

    @pytest.mark.parametrize("name", ["apscheduler.scheduler", "watchdog.observers", "httpx", "uvicorn.error"])
    def test_libraries_use_the_same_pipe(self, pipe: Pipe, name: str) -> None:
        """What a library logs is a line like ours, with its logger and its text."""
        logging.getLogger(name).warning("took %d ms", 5)
        line = one(pipe)

        assert list(line)[:3] == ["at", "level", "event"]
        assert (line["level"], line["event"]) == ("warning", "library.message")
        assert (line["logger"], line["message"]) == (name, "took 5 ms")

    @pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "apscheduler.executors.default"])
    def test_talkative_libraries_are_heard_from_warning_on(self, name: str) -> None:
        """Even at debug: they would log addresses, headers, and every run of every timer."""
        stream = Pipe()
        log.configure("debug", "json", stream)
        logging.getLogger(name).info("HTTP Request: GET https://example.org/?sig=abc")
        logging.getLogger("watchdog").debug("heard")

        assert [line["message"] for line in stream.lines()] == ["heard"]

    def test_configuring_again_replaces_the_pipe(self, pipe: Pipe) -> None:
        """Nothing is written twice, and foreign handlers stay."""
        foreign = logging.NullHandler()
        logging.getLogger().addHandler(foreign)
        second = Pipe()
        log.configure("info", "json", second)
        structlog.get_logger().info("x.y")

        assert (pipe.getvalue(), len(second.lines())) == ("", 1)
        assert foreign in logging.getLogger().handlers

    def test_standard_error_is_the_target_unless_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Standard output belongs to what commands print."""
        log.configure()
        structlog.get_logger().info("x.y")
        printed = capsys.readouterr()

        assert printed.out == ""
        assert json.loads(printed.err)["event"] == "x.y"

    @pytest.mark.parametrize(
        ("form", "terminal", "is_json"),
        [
            ("auto", False, True),
            ("auto", True, False),
            ("console", False, False),
            ("json", True, True),
        ],
    )
    def test_the_console_is_for_people(self, form: Any, terminal: bool, is_json: bool) -> None:
        """On a terminal there is no JSON; elsewhere there is nothing else; both can be asked for."""
        stream = Pipe(terminal=terminal)
        log.configure("info", form, stream)
        structlog.get_logger().info("job.delivered", job="j1")
        text = stream.getvalue()

        assert text.startswith("{") == is_json
        assert "job.delivered" in text
        assert ("\x1b[" in text) == (terminal and not is_json)

    def test_the_console_shows_the_traceback_as_text(self) -> None:
        """Lines of it stay lines; the values of variables do not appear."""
        stream = Pipe()
        log.configure("info", "console", stream)
        hidden_variable = "value-of-a-variable"
        try:
            int(hidden_variable[:5])
        except ValueError:
            structlog.get_logger().exception("job.failed")

        assert "\nTraceback (most recent call last):\n" in stream.getvalue()
        assert "'value-of-a-variable'" not in stream.getvalue()

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("caf\udce9", "caf\\xe9"),
            (b"\xff\x00", "\\xff\\x00"),
            (float("nan"), "nan"),
            (PurePosixPath("/a/b"), "/a/b"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("two\nlines", "two\nlines"),
            ({1}, [1]),
            ((1, "x"), [1, "x"]),
            (ValueError("why"), "ValueError('why')"),
            ({"a": {"b": [True, None, 1.5]}}, {"a": {"b": [True, None, 1.5]}}),
        ],
    )
    def test_values_become_plain(self, pipe: Pipe, value: object, shown: object) -> None:
        """Every value has a form in JSON; nothing in it moves a cursor."""
        structlog.get_logger().info("x.y", value=value)

        assert one(pipe)["value"] == shown

    def test_a_value_without_end_ends(self, pipe: Pipe) -> None:
        """A mapping that holds itself is cut."""
        loop: dict[str, object] = {}
        loop["again"] = loop
        structlog.get_logger().info("x.y", loop=loop)

        assert "{...}" in json.dumps(one(pipe))

    def test_a_console_line_cannot_be_forged(self) -> None:
        """A file's name with a line break stays in its line."""
        stream = Pipe()
        log.configure("info", "console", stream)
        structlog.get_logger().info("x.y\nforged", name="a\n2026 [error] forged")

        assert len(stream.getvalue().splitlines()) == 1


def nested(value: object) -> object:
    return {"outer": [{"inner": (value, {"deep": [value]})}], value: 1}


def chained() -> None:
    try:
        dict[str, str]()[CANARY]
    except KeyError as error:
        raise RuntimeError(f"with {CANARY}") from error


def during() -> None:
    try:
        dict[str, str]()[CANARY]
    except KeyError:
        int(CANARY)


def noted() -> None:
    error = ValueError("plain")
    error.add_note(f"note {CANARY}")
    raise ExceptionGroup("several", [error, OSError(5, "no", CANARY)])


class Talkative:
    def __repr__(self) -> str:
        return f"Talkative({CANARY})"


class TestSecrets:
    @pytest.mark.parametrize(
        "value",
        [
            CANARY,
            f"before{CANARY}after",
            CANARY.encode(),
            bytearray(CANARY.encode()),
            nested(CANARY),
            nested(CANARY.encode()),
            Talkative(),
            [Talkative()],
            ValueError(CANARY),
            urllib.parse.quote(CANARY),
            urllib.parse.quote_plus(CANARY),
            urllib.parse.quote(CANARY, safe="").lower(),
            json.dumps({"a": CANARY}),
            json.dumps({"a": CANARY}).replace("/", "\\/"),
            json.dumps({"a": CANARY}).replace("&", "\\u0026").replace("+", "\\u002b").replace('\\"', "\\u0022"),
            repr({"a": CANARY}),
            base64.b64encode(CANARY.encode()).decode(),
            base64.b64encode(f"user:{CANARY}".encode()).decode(),
            base64.urlsafe_b64encode(f"me:{CANARY}:x".encode()),
            f"https://h.example/{urllib.parse.quote(CANARY, safe='')}/x",
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("form", ["json", "console"])
    def test_a_known_key_appears_in_no_field(self, value: object, form: Any) -> None:
        """As a value, inside one, as bytes, nested, in an object's repr, quoted, escaped or encoded."""
        stream = Pipe()
        log.configure("info", form, stream, lambda: [CANARY])
        structlog.get_logger().info("x.y", value=value)
        text = stream.getvalue()

        assert REDACTED in text
        self.clean_of_canary(text)

    def clean_of_canary(self, text: str) -> None:
        assert "canary" not in text
        assert "%2B%26%22key" not in text.upper()
        for shift in ("", "x", "xy"):
            middle = base64.b64encode(f"{shift}{CANARY}".encode()).decode()[4:-4]

            assert middle not in text

    @pytest.mark.parametrize("fail", [chained, during, noted])
    @pytest.mark.parametrize("form", ["json", "console"])
    def test_a_known_key_appears_in_no_traceback(self, fail: Callable[[], None], form: Any) -> None:
        """Neither in the message nor in causes, contexts, notes and groups, whoever logs it."""
        stream = Pipe()
        log.configure("info", form, stream, lambda: [CANARY])
        for logger in (structlog.get_logger(), logging.getLogger("apscheduler")):
            try:
                fail()
            except Exception:
                logger.exception("it.failed")

        assert stream.getvalue().count("Traceback") >= 2
        self.clean_of_canary(stream.getvalue())

    def test_a_known_key_appears_in_no_event_and_no_message(self, pipe: Pipe) -> None:
        """Also where a key was made part of the word itself, or of a library's arguments."""
        structlog.get_logger().info(f"x.{CANARY}")
        logging.getLogger("uvicorn").warning("%s and %r", CANARY, {"k": CANARY})
        logging.getLogger("uvicorn").warning("with stack %s", CANARY, stack_info=True)

        self.clean_of_canary(pipe.getvalue())
        assert len(pipe.lines()) == 3

    def test_keys_are_asked_for_at_every_record(self) -> None:
        """A renewed key is hidden from the moment it is known."""
        stream, known = Pipe(), ["first-key"]
        log.configure("info", "json", stream, lambda: known)
        structlog.get_logger().info("x.y", value="first-key second-key")
        known.append("second-key")
        structlog.get_logger().info("x.y", value="first-key second-key")

        assert [line["value"] for line in stream.lines()] == [
            f"{REDACTED} second-key",
            f"{REDACTED} {REDACTED}",
        ]

    def test_a_key_of_digits_is_hidden_as_a_number_too(self) -> None:
        """A key that somebody logged as an int."""
        stream = Pipe()
        log.configure("info", "json", stream, lambda: ["123456789"])
        structlog.get_logger().info("x.y", value=123456789, other=5)

        assert (one(stream)["value"], one(stream)["other"]) == (REDACTED, 5)

    @pytest.mark.parametrize(
        "field", ["x-api-key", "X-API-Key", "api_key", "Authorization", "Ocp-Apim-Subscription-Key", "Cookie"]
    )
    def test_fields_that_carry_keys_are_hidden_by_name(self, pipe: Pipe, field: str) -> None:
        """As a field, in a mapping, and in the pairs that HTTP libraries keep."""
        pairs = [(field, "unknown1"), (field.encode(), b"unknown2")]
        structlog.get_logger().info("x.y", headers={field: "unknown3"}, raw=pairs, **{field: "unknown4"})

        assert "unknown" not in pipe.getvalue()
        assert one(pipe)[field] == REDACTED

    def test_unshowable_secrets_lose_the_line_not_the_key(self) -> None:
        """When the keys cannot be had, nothing of the record is written but that it was."""

        def broken() -> list[str]:
            raise OSError("key store away")

        stream = Pipe()
        log.configure("info", "json", stream, broken)
        structlog.get_logger().error("x.y", value=CANARY)

        assert one(stream)["event"] == "log.unprintable"
        assert (one(stream)["level"], one(stream)["reason"]) == ("error", "OSError")
        self.clean_of_canary(stream.getvalue())


class TestRedact:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "GET https://h/b?sv=2024&sig=aB%2Bc%3D HTTP",
                f"GET https://h/b?sv={REDACTED}&sig={REDACTED} HTTP",
            ),
            ("https://h/b?page=2&se=2026-01-01&x=1", f"https://h/b?page=2&se={REDACTED}&x=1"),
            ("'https://h/b?X-Amz-Signature=abc'", f"'https://h/b?X-Amz-Signature={REDACTED}'"),
            ("?a=1&amp;X-Amz-Credential=abc", f"?a=1&amp;X-Amz-Credential={REDACTED}"),
            ('{"u": "https://h/?a=1\\u0026sig=abc"}', f'{{"u": "https://h/?a=1\\u0026sig={REDACTED}"}}'),
            ("next=https%3A%2F%2Fh%3Fsig%3Dabc%26a%3D1", f"next=https%3A%2F%2Fh%3Fsig%3D{REDACTED}%26a%3D1"),
            ("target b'/x?token=abc'", f"target b'/x?token={REDACTED}'"),
            ("sig=abc&sv=1", f"sig={REDACTED}&sv={REDACTED}"),
            ("x-api-key: abc", f"x-api-key: {REDACTED}"),
            ("X-Api-Key: bcd, Accept: */*", f"X-Api-Key: {REDACTED}, Accept: */*"),
            ("Authorization: Bearer abc.def", f"Authorization: {REDACTED}"),
            ("authorization=Basic YTpi\nnext", f"authorization={REDACTED}\nnext"),
            ("{'authorization': 'Bearer abc'}", f"{{'authorization': '{REDACTED}'}}"),
            ("[(b'X-API-Key', b'abc')]", f"[(b'X-API-Key', b'{REDACTED}')]"),
            ('{"document_key": "abc", "a": 1}', f'{{"document_key": "{REDACTED}", "a": 1}}'),
            ('"{\\"x-api-key\\": \\"abc\\"}"', f'"{{\\"x-api-key\\": \\"{REDACTED}\\"}}"'),
            ('{"access_token": "abc"}', f'{{"access_token": "{REDACTED}"}}'),
            ("Client(api_key='abc')", f"Client(api_key='{REDACTED}')"),
        ],
    )
    def test_what_looks_like_a_secret_goes(self, text: str, expected: str) -> None:
        """Signatures in addresses and the values of key headers, in the spellings libraries print them in."""
        assert redact(text, []) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "providers.paper.api_key: the key itself stands in the configuration file",
            "no key in environment variable GPTTRANSLATOR_API_KEY",
            "https://h.example/a?page=2&size=10",
            "report.01h2x3-1.docx is 12 MB; sign here",
            "design=modern; cosig=1",
        ],
    )
    def test_ordinary_words_stay(self, text: str) -> None:
        """Messages for people are not mangled."""
        assert redact(text, ["", "abc"]) == text

    def test_a_key_that_begins_like_another_is_hidden_whole(self) -> None:
        """No rest of the longer one stays."""
        assert (
            redact("secret-key-and-more secret-key", ["secret-key", "secret-key-and-more"]) == f"{REDACTED} {REDACTED}"
        )

    @given(
        secret=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[]"), min_size=12),
        before=st.binary(max_size=7),
        after=st.binary(max_size=7),
    )
    def test_no_form_survives(self, secret: str, before: bytes, after: bytes) -> None:
        """Whatever the key and whatever stands around it, none of its forms is left."""
        encoded = base64.b64encode(before + secret.encode() + after).decode()
        forms = [secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1]]
        hidden = redact(" ".join([*forms, encoded]), [secret])

        assert not [form for form in forms if form.lower() in hidden.lower()]
        assert encoded not in hidden
        assert hidden.count(REDACTED) >= 4

    @given(st.text(), st.lists(st.text(min_size=4), max_size=3))
    def test_any_text_is_taken(self, text: str, secrets: list[str]) -> None:
        """No text and no key makes it fail, and a text without either is left alone."""
        assert isinstance(redact(text, secrets), str)
        assert redact("nothing to hide", []) == "nothing to hide"

    def test_long_texts_cost_little(self) -> None:
        """Texts built to mislead patterns are worked off in one go each, not again for every character."""
        for piece in ("?", "?sig", "&sv=", "authorization", "x-api-key ", "'", "%26"):
            text = piece * (200_000 // len(piece))

            assert len(redact(text, ["canary-key"])) > 0


class TestTargets:
    def test_a_closed_target_is_nobody_s_trouble(self) -> None:
        """Logging to a closed stream does not raise."""
        stream = Pipe()
        log.configure("info", "json", stream)
        stream.close()
        structlog.get_logger().info("x.y")
        logging.getLogger("watchdog").warning("hello")

        assert stream.closed

    def test_a_stream_closed_beforehand(self) -> None:
        """Not even configuring raises."""
        stream = Pipe()
        stream.close()
        log.configure("info", "auto", stream)
        structlog.get_logger().info("x.y")

        assert stream.closed

    def test_a_reader_that_went_away(self) -> None:
        """EPIPE stays here, also the second time."""
        reading, writing = os.pipe()
        os.close(reading)
        stream = os.fdopen(writing, "w", encoding="utf-8")
        log.configure("info", "json", stream)
        structlog.get_logger().info("x.y")
        structlog.get_logger().info("x.y")

        with pytest.raises(BrokenPipeError):
            stream.close()

    def test_a_full_disk(self) -> None:
        """ENOSPC stays here."""
        stream = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115  closing it fails, which is asserted
        log.configure("info", "json", stream)
        structlog.get_logger().info("x.y")

        with pytest.raises(OSError, match="No space"):
            stream.close()

    def test_a_target_that_knows_ascii_only(self, tmp_path: Path) -> None:
        """A line with other letters is written with escapes instead of being lost."""
        with open(tmp_path / "log", "w", encoding="ascii") as stream:
            log.configure("info", "console", stream)
            structlog.get_logger().info("x.y", name="übel")

        assert "name=\\xfcbel" in (tmp_path / "log").read_text()

    def test_a_value_that_cannot_be_shown(self, pipe: Pipe) -> None:
        """Neither a broken `__str__` nor a library's wrong arguments stop the work that logs them."""

        class Broken:
            def __str__(self) -> str:
                raise RuntimeError("no text")

        root = logging.getLogger()
        root.handlers = [handler for handler in root.handlers if isinstance(handler, log._Pipe)]  # pytest's would raise
        structlog.get_logger().info("x.y", value=Broken())
        logging.getLogger("watchdog").warning("%d and %d", "one")  # noqa: PLE1206  the mistake is meant

        assert [line["event"] for line in pipe.lines()] == ["x.y", "log.unprintable"]
        assert pipe.lines()[0]["value"] == "<Broken>"

    def test_a_target_without_encoding(self) -> None:
        """Whatever can be written to will do."""
        written: list[str] = []

        class Plain:
            isatty = staticmethod(lambda: False)
            write = staticmethod(written.append)
            flush = staticmethod(lambda: None)

        target: Any = Plain()
        stream: TextIO = target
        log.configure("info", "json", stream)
        structlog.get_logger().info("x.y")

        assert json.loads(written[0])["event"] == "x.y"
