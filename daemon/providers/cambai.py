"""CAMB.AI: lists of texts, not files (its pages "Create Translation" and following, and camb-sdk 1.6.6).

A document is taken apart here, its texts go out as one or several tasks, and what comes back is put into their
places. A task is accepted under a `task_id`; when it has succeeded its status tells a `run_id`, under which
the texts are fetched: three to five runs with one request, whatever documents they belong to, else one by one.

The documents contradict each other about how many runs a group may have and how its answer is wrapped, and
are silent about limits and prices; every such point is read tolerantly here or is a setting. Films and
recordings are not taken: the service dubs what lies at a public address, and takes no upload of it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from daemon.errors import (
    BlockedError,
    LostError,
    NoRoomError,
    RejectedError,
    ServiceError,
    ThrottledError,
    TransientError,
)
from daemon.languages import Route
from daemon.originals import Original
from daemon.providers.answers import fault, judge_check, reference, said
from daemon.providers.base import (
    Accepted,
    Attempt,
    Capabilities,
    Failed,
    Fetched,
    Intent,
    Look,
    Lost,
    Part,
    Ready,
    Recovery,
    Running,
    Unknown,
)
from daemon.providers.cambai_languages import BUILT_IN, Entry, read_list, table
from daemon.providers.cambai_settings import Settings
from daemon.providers.cambai_texts import Reference, check_of, cut, joined
from daemon.replies import Answer
from daemon.segments import EXTENSIONS, NotSegmentableError, Segmented, take_apart
from daemon.segments.split import group
from daemon.settings import ProviderSettings
from daemon.spool import Sink
from daemon.transport import Session

# FAILED is in no page, but the vendor's own samples look for it.
_FAILED = frozenset({"ERROR", "TIMEOUT", "PAYMENT_REQUIRED", "FAILED"})
_STATES = _FAILED | {"PENDING", "SUCCESS"}
# "Between 2 and 5" says the page of grouped results four times, and once that fewer than 3 are rejected.
_SMALLEST_GROUP, _LARGEST_GROUP = 3, 5
_RUN = re.compile(r"[1-9][0-9]{0,17}")
# Documents are taken apart in memory.
_MOST_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class _Task:
    """One task as it is sent, and what is kept of it but for its id."""

    source: int | str
    target: int | str
    texts: tuple[str, ...]
    kept: Reference


class CambAi:
    """See the module's text."""

    kind: ClassVar[str] = "cambai"
    title: ClassVar[str] = "CAMB.AI"
    settings_type: ClassVar[type[ProviderSettings]] = Settings

    def __init__(self, settings: ProviderSettings, session: Session) -> None:
        assert isinstance(settings, Settings)
        self._settings = settings
        self._session = session
        self.capabilities = self.facts(settings)

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        """Rates, sizes and the number of tasks under way are documented nowhere and come from the settings."""
        assert isinstance(settings, Settings)
        return Capabilities(
            extensions=EXTENSIONS,
            languages=table(BUILT_IN, BUILT_IN, by_id=settings.language_ids == "int"),
            max_bytes=settings.max_bytes or _MOST_BYTES,
            fetch_batch=_LARGEST_GROUP if settings.bulk_results else 1,
            poll_every_s=5.0,
            poll_at_most_s=30.0,
            max_in_flight=settings.max_in_flight or 10,
            # A success whose run is not told yet is still on its way.
            running_words=frozenset({"pending", "success"}),
            learns_languages=True,
            assembles=True,
            costs="characters",
        )

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        return {"x-api-key": settings.api_key.read()}

    # -- out ------------------------------------------------------------------------------------------------

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        source, target = self._language(route.source_wire or "auto"), self._language(route.target_wire)
        limit, most = self._limits(attempt)
        texts = [piece.sent for piece in cut(_taken_apart(document).texts, limit) if piece.wanted]
        if not texts:
            raise RejectedError("drop.no_text")
        groups = [tuple(texts[at] for at in one) for one in group(texts, most, limit)]
        tasks = [_Task(source, target, one, Reference.of("", one, limit, most)) for one in groups]
        same = partial(Part, of=len(tasks), document=document, route=route, attempt=attempt)
        return [same(index=index, mark=task.kept.mark, payload=task) for index, task in enumerate(tasks)]

    def _limits(self, attempt: Attempt) -> tuple[int, int]:
        """The most characters and texts of a task: of a document of which some are accepted, those it began with."""
        begun = next((Reference.read(ref) for ref in attempt.accepted if ref is not None), Reference(task=""))
        return begun.limit or self._settings.max_characters, begun.most or self._settings.max_texts

    def _language(self, wire: str) -> int | str:
        """The id in its documented type; an administrator may list an id as the name of a folder."""
        if wire.isascii() and wire.isdigit():
            return int(wire)
        if self._settings.language_ids == "str":
            return wire
        raise RejectedError("language.unknown", f"“{wire}” is none of the languages that {self.title} has a number for")

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        del sink
        task: _Task = part.payload
        answer = self._session.submit_json(
            "/translate",
            {
                "source_language": task.source,
                "target_language": task.target,
                "texts": list(task.texts),
                **self._settings.fields,
                "project_name": self._project(part),
            },
        )
        body = answer.json()
        task_id = reference(body.get("task_id")) if isinstance(body, dict) else None
        if answer.status // 100 == 2 and task_id is not None:
            ref = task.kept.with_task(task_id)
            return Accepted(ref=str(ref), cost=float(sum(map(len, task.texts))))
        # The one error body of the documents belongs to 422; under 400 it says the same.
        documented = answer.status == 400 and isinstance(body, dict) and isinstance(body.get("detail"), list)
        raise fault(answer, submit=True, documented=documented)

    def _project(self, part: Part) -> str:
        """Shown in the vendor's studio: lets a person find a submission whose answer was lost."""
        prefix = self._settings.options.get("project_name")
        number = f" ({part.index + 1} of {part.of})" if part.of > 1 else ""
        return f"{prefix} {part.attempt.sent_name}{number}" if prefix else f"{part.attempt.sent_name}{number}"

    # -- how it goes ----------------------------------------------------------------------------------------

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        looks: dict[str, Look | ServiceError] = {}
        for ref in refs:
            try:
                looks[ref] = self._look(Reference.read(ref))
            except LostError as error:
                looks[ref] = Lost(error=error)
            except ServiceError as error:
                looks[ref] = error
        return looks

    def _look(self, ref: Reference) -> Look:
        """A task whose run was told before is looked at by its result: the service may have forgotten the task."""
        if ref.run is not None:
            self._alone(ref.run)
            return Ready()
        answer = self._session.call("status", "GET", f"/translate/{ref.task}")
        body = answer.json()
        state = body.get("status") if isinstance(body, dict) else None
        # The state outranks the HTTP code, but `{"status": "error"}` under a 503 is what many gateways say.
        if isinstance(state, str) and (answer.status < 400 or state.strip() in _STATES):
            return _read(ref, state.strip().upper(), body, answer.status)
        raise _lost(answer, "provider.lost") or fault(answer, submit=False)

    # -- back -----------------------------------------------------------------------------------------------

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        refs = [Reference.read(ref) for ref, _ in wanted]
        results = self._results(list(dict.fromkeys(ref.run for ref in refs if ref.run is not None)))
        return [_keep(ref, results, sink) for ref, (_, sink) in zip(refs, wanted, strict=True)]

    def _results(self, runs: list[int]) -> Mapping[int, list[str] | ServiceError]:
        """The texts of every run, or why they did not come. Raises NoRoomError when none of them came."""
        found: dict[int, list[str] | ServiceError] = {}
        if self._settings.bulk_results and _SMALLEST_GROUP <= len(runs) <= _LARGEST_GROUP:
            found |= self._together(runs)
        for run in runs:
            if run in found:
                continue
            try:
                found[run] = self._alone(run)
            except ServiceError as error:
                found[run] = error
            except NoRoomError:
                if not any(isinstance(one, list) for one in found.values()):
                    raise
                found[run] = TransientError("account.throttled", "no room in the request window")
        return found

    def _together(self, runs: list[int]) -> Mapping[int, list[str] | ServiceError]:
        """What one request gives of several runs; those that are missing in it are asked for alone."""
        try:
            answer = self._session.call("fetch", "POST", "/translation-results", body={"run_ids": runs})
        except TransientError:
            return {}
        error = fault(answer, submit=False)
        if answer.status in (401, 402) or isinstance(error, ThrottledError):
            return dict.fromkeys(runs, error)
        body = answer.json() if answer.status == 200 else None
        if isinstance(body, Mapping) and isinstance(body.get("results"), Mapping):
            body = body["results"]
        by_run = body if isinstance(body, Mapping) else {}
        found = {run: _texts_in(by_run.get(str(run))) for run in runs}
        return {run: texts for run, texts in found.items() if texts is not None}

    def _alone(self, run: int) -> list[str]:
        answer = self._session.call("fetch", "GET", f"/translation-result/{run}")
        texts = _texts_in(answer.json()) if answer.status == 200 else None
        if texts is not None:
            return texts
        if answer.status == 200:
            raise TransientError("result.wrong", "the answer holds no list of texts", http_status=200)
        raise _lost(answer, "result.gone") or fault(answer, submit=False)

    def assemble(self, document: Original, results: Sequence[bytes]) -> bytes:
        parts = [json.loads(result) for result in results]
        source = _taken_apart(document)
        pieces = cut(source.texts, parts[0]["limit"])
        sent = [piece.sent for piece in pieces if piece.wanted]
        translations: list[str] = []
        for part in parts:
            until = len(translations) + len(part["texts"])
            if check_of(sent[len(translations) : until]) != part["check"]:
                raise RejectedError("result.unusable", "the original is no longer the text that was sent")
            translations += part["texts"]
        if len(translations) != len(sent):
            raise RejectedError("result.unusable", f"{len(translations)} texts came back for {len(sent)}")
        texts, used = joined(source.texts, pieces, iter(translations))
        if not used:
            raise RejectedError("result.unusable", "every text came back empty or without its placeholders")
        return source.rebuild(texts)

    # -- around ---------------------------------------------------------------------------------------------

    def clean_up(self, refs: Iterable[str]) -> None:
        """The service documents no way to delete anything."""

    def recover(self, intent: Intent) -> Recovery:
        """The service documents no list of tasks to look the name up in."""
        del intent
        return Unknown()

    def check(self) -> None:
        """The two lists of languages want the key and cost nothing; what they tell is used from then on."""
        targets, sources = self._list("/target-languages"), self._list("/source-languages")
        known = table(targets, sources, by_id=self._settings.language_ids == "int")
        if known != self.capabilities.languages:
            self.capabilities = replace(self.capabilities, languages=known)

    def _list(self, path: str) -> tuple[Entry, ...]:
        """One of the lists; the built-in one where the service tells something that cannot be read."""
        answer = self._session.call("check", "GET", path)
        body = answer.json()
        if answer.status != 200 or not isinstance(body, list) or not any(isinstance(one, dict) for one in body):
            judge_check(answer, fault(answer, submit=False), documented=False)
        return read_list(body) or BUILT_IN


def _taken_apart(document: Original) -> Segmented:
    try:
        return take_apart(document.read(), document.extension)
    except NotSegmentableError as error:
        raise RejectedError("drop.damaged", str(error)) from None


def _read(ref: Reference, state: str, body: Mapping[str, Any], status: int) -> Look:
    if state in _FAILED:
        return Failed(error=_failure(state, body, status))
    run = str(body.get("run_id"))
    if state == "SUCCESS" and _RUN.fullmatch(run):
        return Ready(ref=str(ref.with_run(int(run))))
    return Running(word=state.lower())


def _failure(state: str, body: Mapping[str, Any], status: int) -> ServiceError:
    """`exception_reason` is an open list of words, `message` a text or an object; each may be missing."""
    reason = body.get("exception_reason")
    code = reason if isinstance(reason, str) and reason not in ("", "NONE") else state
    message = body.get("message")
    if isinstance(message, Mapping):
        message = said(message)[1] or json.dumps(message, ensure_ascii=False)
    words = said({"message": message})[1] or code.replace("_", " ").lower()
    if "PAYMENT_REQUIRED" in (code, state):
        return BlockedError("account.blocked", words, provider_code="PAYMENT_REQUIRED", http_status=status)
    return RejectedError("provider.failed", words, provider_code=code, http_status=status)


def _lost(answer: Answer, code: str) -> LostError | None:
    """An id that the service does not know, or that it does not even take for one."""
    error = fault(answer, submit=False)
    known = isinstance(error, LostError) or answer.status == 422
    return LostError(code, error.provider_message, http_status=answer.status) if known else None


def _texts_in(value: Any) -> list[str] | None:
    """The texts of one run: documented as `{"texts": […]}`, taken as a bare list too."""
    texts = value.get("texts") if isinstance(value, Mapping) else value
    return texts if isinstance(texts, list) and all(isinstance(text, str) for text in texts) else None


def _keep(ref: Reference, results: Mapping[int, list[str] | ServiceError], sink: Sink) -> Fetched | ServiceError:
    """Write a part's texts, with what is needed to put them into their places, unless one is missing."""
    if ref.run is None:
        return LostError("result.gone", "its run is not known")
    found = results[ref.run]
    if isinstance(found, ServiceError):
        return found
    if len(found) != ref.texts:
        return TransientError("result.wrong", f"{len(found)} texts came back for {ref.texts}")
    sink.restart()
    sink.write(json.dumps({"limit": ref.limit, "check": ref.check, "texts": found}).encode())
    return Fetched()
