"""The log: one pipe for our own events and for the libraries', without keys, and never in the way.

An event is a stable dotted word (`job.delivered`) with bound fields; what a library logs is the event
`library.message`. On a terminal a line is for people, elsewhere it is one JSON object: `at` (UTC, ISO 8601),
`level`, `event`, then the fields; a field with one of these three names is dropped.

Keys are taken out of the whole record, field by field, tracebacks and their causes included: a filter on
messages would miss those. Whatever goes wrong with the log's target, the caller does not hear of it.
"""

import contextlib
import functools
import json
import logging
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from daemon import names, spellings

REDACTED: Final = "[redacted]"

# At INFO httpx logs every request with its whole address and APScheduler every run of every timer; at DEBUG
# httpcore logs headers.
_QUIET: Final = ("httpx", "httpcore", "apscheduler")
_DEEPEST: Final = 6

_HEADERS = r"x-api-key|ocp-apim-subscription-key|document[-_]key|x-amz-security-token"
_WHOLE_LINE = r"(?:proxy-)?authorization|(?:set-)?cookie"
_NAMES = r"api[-_]?key|password|client[-_]secret|(?:access|refresh|id|auth)[-_]token"
# Azure's shared access signatures are many short parameters (se=, sp=, sv=, skoid=, …) around `sig`.
_QUERY = rf"sig|signature|s[eiprstv]|spr|srt|sk[a-z]{{1,3}}|x-(?:amz|goog)-[a-z0-9-]+|expires|token|key|{_NAMES}"
_BETWEEN = r"""\\?["']?\s{0,3}[:=,]\s{0,3}(?:b?\\?["'])?"""
_SECRET_FIELD = re.compile(f"{_HEADERS}|{_WHOLE_LINE}|{_NAMES}", re.IGNORECASE)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"""((?:[?&;]|%3F|%26|\\u0026)(?:{_QUERY})(?:=|%3D))(?:(?!%26)[^&\s"'<>\\])+""",
        rf"""((?<![\w.-])(?:sig|signature|x-amz-signature|x-goog-signature|{_NAMES})=\\?["']?)[^&\s"'<>\\]+""",
        rf"""((?<![\w-])(?:{_WHOLE_LINE}){_BETWEEN})[^"'\r\n\\]+""",
        rf"""((?<![\w-])(?:{_HEADERS}){_BETWEEN})[^\s"',;\\]+""",
        rf"""(["'](?:{_NAMES})\\?["']\s{{0,3}}[:,]\s{{0,3}}\\?["'])[^"'\\]+""",
    )
)


def configure(
    level: str = "info",
    format: Literal["auto", "console", "json"] = "auto",  # noqa: A002  the configuration's own word
    stream: TextIO | None = None,
    secrets: Callable[[], Iterable[str]] = tuple,
) -> None:
    """Send everything that is logged in this process to `stream`, by default standard error.

    Standard output is left to what commands print. `level` is `debug`, `info`, `warning` or `error`;
    `secrets` is asked at every record for the keys known now, so it should answer from memory. May be called
    again; the last call counts.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    target = sys.stderr if stream is None else stream
    terminal = _is_terminal(target)
    render = _console(colours=terminal) if format == "console" or (format == "auto" and terminal) else _json
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Pipe)]:
        root.removeHandler(old)
    root.addHandler(_Pipe(target, render, secrets))
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: logging.getLogger("babeldrop"),
        cache_logger_on_first_use=False,
    )


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, in any of the forms they travel in, and without what looks like one.

    Forms are the plain value, URL-quoted, JSON-escaped and base64 (also inside a longer base64 text); what
    looks like a secret are signatures in addresses and the values of headers that carry keys. Values shorter
    than four characters are not looked for.
    """
    known = spellings.pattern(frozenset(secrets))
    if known:
        text = known.sub(REDACTED, text)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{REDACTED}", text)
    return text


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False  # closed already


class _Pipe(logging.Handler):
    """Writes records, ours and the libraries', as one line each; swallows what the target does."""

    def __init__(self, stream: TextIO, render: Processor, secrets: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self._stream = stream
        self._render = render
        self._secrets = secrets
        self.setFormatter(
            ProcessorFormatter(
                processors=[
                    structlog.processors.StackInfoRenderer(),
                    structlog.processors.format_exc_info,
                    self._without_secrets,
                    render,
                ]
            )
        )

    def _without_secrets(self, _logger: object, _name: str, event: EventDict) -> EventDict:
        record = event.pop("_record")
        text = event.pop("event")
        if not event.pop("_from_structlog"):
            event.update(logger=record.name, message=text)
            text = "library.message"
        secrets = frozenset(self._secrets())
        fields: dict[str, Any] = _clean(event, functools.partial(redact, secrets=secrets))
        return _head(record) | {"event": names.shown(redact(str(text), secrets))} | _without_head(fields)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001  a field that cannot be shown stops nobody's work
            known = {"event": "log.unprintable", "logger": record.name, "reason": type(error).__name__}
            line = str(self._render(None, "", _head(record) | known))
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        # Closed, full, the reader gone: there is nobody left to tell.
        with contextlib.suppress(Exception):
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()


def _head(record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {"at": moment.replace("+00:00", "Z"), "level": record.levelname.lower()}


def _without_head(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ("at", "level", "event")}


def _clean(value: object, hide: Callable[[str], str], depth: int = 0) -> Any:
    """The value out of plain types alone, every text in it without secrets and fit for a terminal."""
    if value is None or isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int):
        return value if hide(str(value)) == str(value) else REDACTED
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {
            _text(name, hide): REDACTED if _is_secret(name) else _clean(item, hide, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)) and depth < _DEEPEST:
        items = list(value)
        if len(items) == 2 and _is_secret(items[0]):
            return [_text(items[0], hide), REDACTED]  # a header, as HTTP libraries keep them
        return [_clean(item, hide, depth + 1) for item in items]
    return _text(value, hide)


def _is_secret(name: object) -> bool:
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    return isinstance(text, str) and _SECRET_FIELD.fullmatch(text) is not None


def _text(value: object, hide: Callable[[str], str]) -> str:
    if isinstance(value, (bytes, bytearray)):
        text = value.decode("utf-8", "backslashreplace")
    else:
        try:
            text = repr(value) if isinstance(value, BaseException) else str(value)
        except Exception:  # noqa: BLE001  somebody else's __str__
            text = f"<{type(value).__name__}>"
    return "\n".join(names.shown(line) for line in hide(text).split("\n"))


def _json(_logger: object, _name: str, event: EventDict) -> str:
    return json.dumps(event)


def _console(*, colours: bool) -> Processor:
    # The traceback is text already; the default would draw it anew, with the values of all variables.
    return structlog.dev.ConsoleRenderer(
        colors=colours,
        sort_keys=False,
        timestamp_key="at",
        exception_formatter=structlog.dev.plain_traceback,
    )
