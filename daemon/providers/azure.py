"""Azure AI Translator, document translation: batches through blob storage, or one document a request.

With `storage` configured every document is a batch of its own: uploaded to the source container, translated by
the service into the target container, fetched from there, deleted in both. Without it documents go one by one
in a request that is answered with the translation: smaller ones, of fewer types, and what became of a lost
answer nobody can ask.

A reference is `<id of the batch>/<name that was sent>`: both blobs are called after that name. Blobs of jobs
that failed stay where they are; a lifecycle rule of the storage account clears them away.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlencode

from daemon.errors import (
    BlockedError,
    LostError,
    NoRoomError,
    ServiceError,
    TransientError,
    UncertainError,
)
from daemon.languages import LanguageTable, Route
from daemon.originals import Original
from daemon.providers import azure_entra, azure_recovery
from daemon.providers.answers import judge_check
from daemon.providers.azure_batch import Batches, bears
from daemon.providers.azure_languages import TARGETS
from daemon.providers.azure_settings import Settings
from daemon.providers.azure_storage import Blobs
from daemon.providers.azure_wire import RUNNING, SUCCEEDED, Document, Job, entries_in, failure, fault_of, no_access
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
    Refused,
    Running,
    Unknown,
)
from daemon.settings import ProviderSettings
from daemon.spool import Sink
from daemon.transport import Session

_OFFICE = "application/vnd.openxmlformats-officedocument"
# "Synchronous supported document formats": another type of the part is answered with 415.
_MEDIA = {
    "txt": "text/plain",
    "tsv": "text/tab-separated-values",
    "tab": "text/tab-separated-values",
    "csv": "text/csv",
    "html": "text/html",
    "htm": "text/html",
    "mhtml": "message/rfc822",
    "mht": "message/rfc822",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "msg": "application/vnd.ms-outlook",
    "xlf": "application/xliff+xml",
    "xliff": "application/xliff+xml",
}
# "Batch document supported formats"; xml and dita stand on the overview page alone.
_BATCHED = frozenset(_MEDIA) | set(
    "pdf doc odt rtf xls ods ppt odp markdown mdown mkdn md mkd mdwn mdtxt mdtext rmd xml dita".split()  # noqa: SIM905  a row of words reads better than a column
)
_AT_ONCE_BYTES, _BATCHED_BYTES = 10_000_000, 40_000_000
_BULK = 50
# Around the moment of a batch whose target existed, the one that wrote it is looked for.
_WINDOW = timedelta(hours=1)
_TAKEN = "TargetFileAlreadyExists"


class Azure:
    """See the module's text."""

    kind: ClassVar[str] = "azure"
    title: ClassVar[str] = "Azure AI Translator"
    settings_type: ClassVar[type[ProviderSettings]] = Settings

    def __init__(self, settings: ProviderSettings, session: Session) -> None:
        assert isinstance(settings, Settings)
        self._settings = settings
        self._session = session
        self._blobs = Blobs(settings.storage, session) if settings.storage else None
        self._batches = Batches(settings.api_version, session, bulk=settings.bulk_status)
        self.capabilities = self.facts(settings)

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        """Sizes and types from the pages "service limits" and "overview"; rates are documented in characters."""
        assert isinstance(settings, Settings)
        batched = settings.storage is not None
        return Capabilities(
            extensions=_BATCHED if batched else frozenset(_MEDIA),
            languages=LanguageTable(targets=TARGETS),
            max_bytes=settings.max_bytes or (_BATCHED_BYTES if batched else _AT_ONCE_BYTES),
            poll_batch=_BULK if settings.bulk_status else 1,
            blocking=not batched,
            poll_every_s=5.0,
            poll_at_most_s=60.0,
            max_in_flight=settings.max_in_flight,
            running_words=RUNNING,
            recoverable=batched,
            # The page of the other way, "translate document", tells nothing of characters charged.
            costs="characters" if batched else None,
        )

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        assert isinstance(settings, Settings)
        region = {"ocp-apim-subscription-region": settings.region} if settings.region else {}
        if settings.api_key is None:
            return {"authorization": f"Bearer {azure_entra.token()}", **region}
        return {"ocp-apim-subscription-key": settings.api_key.read(), **region}

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        if self._blobs is not None:
            self._blobs.put(attempt.sent_name, document)
        return [Part(index=0, of=1, document=document, route=route, attempt=attempt)]

    # -- submit ---------------------------------------------------------------------------------------------

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        if self._blobs is not None:
            return self._as_batch(part, self._blobs)
        assert sink is not None, "a blocking service gets a sink"
        return self._at_once(part, sink)

    def _as_batch(self, part: Part, blobs: Blobs) -> Accepted:
        name, route = part.attempt.sent_name, part.route
        source = {"sourceUrl": blobs.source(name)}
        if route.source_wire:
            source["language"] = route.source_wire
        target = {"targetUrl": blobs.target(name), "language": route.target_wire, **self._settings.options}
        try:
            batch = self._batches.submit({"storageType": "File", "source": source, "targets": [target]})
        except UncertainError:
            raise
        except (ServiceError, NoRoomError):
            # The next attempt has another name: nobody would ever look for this blob.
            with contextlib.suppress(ServiceError):
                blobs.forget(name)
            raise
        self._batches.remember(batch, [name])
        return Accepted(ref=f"{batch}/{name}")

    def _at_once(self, part: Part, sink: Sink) -> Accepted:
        route = part.route
        query = {"api-version": self._settings.api_version, "targetLanguage": route.target_wire}
        if route.source_wire:
            query["sourceLanguage"] = route.source_wire
        answer = self._session.submit(
            f"/translator/document:translate?{urlencode({**query, **self._settings.options})}",
            fields={},
            file_field="document",
            sent_name=part.attempt.sent_name,
            media_type=_MEDIA[part.document.extension],
            original=part.document,
            sink=sink,
        )
        if answer.status != 200:
            raise fault_of(answer, submit=True)
        if not sink.size:
            raise UncertainError("submit.uncertain", "an answer without a document", http_status=answer.status)
        return Accepted(ref=None)

    # -- poll -----------------------------------------------------------------------------------------------

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        known = self._batches.listed({_batch(ref) for ref in refs}) if len(refs) > 1 else {}
        looks: dict[str, Look | ServiceError] = {}
        # What is known to be running costs no further request.
        for ref in sorted(refs, key=lambda ref: _batch(ref) not in known or known[_batch(ref)].ended):
            try:
                looks[ref] = self._look(ref, known.get(_batch(ref)))
            except LostError as error:
                looks[ref] = Lost(error=error)
            except ServiceError as error:
                looks[ref] = error
            except NoRoomError:
                if not looks:
                    raise
                # The others are looked at next time; what was learned is not lost.
                break
        return looks

    def _look(self, ref: str, job: Job | None = None, *, twins: bool = True) -> Look:
        batch, token = _batch(ref), _token(ref)
        self._batches.remember(batch, [_name(ref)])
        job = job or self._batches.job(batch)
        if not job.ended:
            return Running(word=job.word, again_s=job.again_s)
        document = self._document(job, token)
        if document is not None and document.word == SUCCEEDED:
            return Ready(cost=job.cost if document.cost is None else document.cost)
        if job.word == SUCCEEDED and document is None and job.translated:
            # One was translated, and the list does not show it yet.
            return Running()
        if job.word == SUCCEEDED and document is not None and not document.ended:
            return Running(word=document.word, progress=document.progress)
        if twins and document is None and job.locked_out:
            return Refused(error=no_access(job.fault))
        return self._twin(ref, job, document) if twins else _failed(job, document)

    def _document(self, job: Job, token: str) -> Document | None:
        """Ours in a batch that has ended. A batch that failed says why, also where its list cannot be had."""
        try:
            return next((one for one in self._batches.documents(job.id) if bears(one, token)), None)
        except ServiceError:
            if job.word == SUCCEEDED or job.fault.code is None:
                raise
            return None

    def _twin(self, ref: str, job: Job, document: Document | None) -> Look:
        """A failure. But a target that exists although its name is ours alone says that the request came through
        twice: then the other batch counts.
        """
        failed = _failed(job, document)
        found = None
        if failed.error.provider_code == _TAKEN and job.created is not None:
            begin, end = job.created - _WINDOW, job.created + _WINDOW
            found = self._batches.find(_token(ref), begin, end, besides=job.id).batch
        if found is None:
            return failed
        other = f"{found}/{_name(ref)}"
        look = self._look(other, twins=False)
        return Ready(ref=other, cost=look.cost) if isinstance(look, Ready) else look

    # -- fetch, and what follows ----------------------------------------------------------------------------

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        return [self._fetch_one(_name(ref), sink) for ref, sink in wanted]

    def _fetch_one(self, name: str, sink: Sink) -> Fetched | ServiceError:
        if self._blobs is None:
            return TransientError("result.gone", "storage, where the translation lies, is not configured any more")
        try:
            return Fetched(extension=self._blobs.fetch(name, sink))
        except ServiceError as error:
            return error

    def assemble(self, document: Original, results: Sequence[bytes]) -> bytes:
        del document
        return results[0]

    def clean_up(self, refs: Iterable[str]) -> None:
        if self._blobs is not None:
            for ref in refs:
                self._blobs.forget(_name(ref))

    def recover(self, intent: Intent) -> Recovery:
        return Unknown() if self._blobs is None else azure_recovery.recover(self._batches, self._blobs, intent)

    def check(self) -> None:
        query = urlencode({"api-version": self._settings.api_version, "type": "document"})
        answer = self._session.call("check", "GET", f"/translator/document/formats?{query}")
        if answer.status != 200 or entries_in(answer.json()) is None:
            error = fault_of(answer, submit=False)
            if error.provider_code is not None and answer.status in (400, 404):
                # The service itself speaks, but not at this address or in this version.
                raise BlockedError("account.blocked", error.provider_message, http_status=answer.status)
            judge_check(answer, error, documented=False)
        if self._blobs is not None:
            self._blobs.check()


def _failed(job: Job, document: Document | None) -> Failed:
    if document is None:
        reason = failure(job.word, job.fault, "the service lists no document in this batch")
        return Failed(error=reason, cost=job.cost)
    told = document.fault if document.fault.code else job.fault
    word = document.word if document.ended else job.word
    cost = job.cost if document.cost is None else document.cost
    return Failed(error=failure(word, told, "the service gives no reason"), cost=cost)


def _batch(ref: str) -> str:
    return ref.partition("/")[0]


def _name(ref: str) -> str:
    return ref.partition("/")[2]


def _token(ref: str) -> str:
    """`<job>-<attempt>`, which stands before the extension."""
    return ref.split(".")[-2] if ref.count(".") > 1 else _name(ref)
