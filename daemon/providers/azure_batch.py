"""Batches at the service: submitting one, looking at some, and finding one whose id was never told.

Every request is built from the configured endpoint; of an address in an answer the id alone, or the query alone,
is taken.
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from daemon.errors import BlockedError, ServiceError, ThrottledError, TransientError
from daemon.providers.azure_wire import (
    SUCCEEDED,
    Document,
    Job,
    document_in,
    entries_in,
    fault_of,
    job_id,
    job_in,
    moment_text,
    next_page,
)
from daemon.replies import Answer
from daemon.transport import Session

BATCHES = "/translator/document/batches"
# Two clocks may differ; a batch this far from its submission is another one.
_WINDOW = timedelta(hours=1)
_MOST_PAGES = 200
_MOST_KNOWN = 10_000


def bears(document: Document, token: str) -> bool:
    """Whether a document's source was called after this attempt."""
    return f".{token}." in document.name


class Batches:
    """The batches of one resource. Used from several threads."""

    def __init__(self, api_version: str, session: Session, *, bulk: bool) -> None:
        self._api_version = api_version
        self._session = session
        self._bulk = bulk
        self._lock = threading.Lock()
        self._sources: dict[str, frozenset[str]] = {}

    def submit(self, document: Mapping[str, Any]) -> str:
        """Start a batch of one input; returns its id. Raises what `Provider.submit` may raise."""
        answer = self._session.submit_json(self._address(), {"inputs": [document]})
        found = job_id(answer.headers)
        if 200 <= answer.status < 300 and found:
            return found
        raise fault_of(answer, submit=True)

    def listed(self, ids: Collection[str]) -> dict[str, Job]:
        """Those batches that one list shows; for the others each has to be asked for.

        Pages of 2026 no longer document the filter by id. A list that shows others is not filtered, one that is
        refused cannot be: neither is asked for again. Raises ServiceError when nobody can be asked now.
        """
        found: dict[str, Job] = {}
        if not self._bulk:
            return found
        try:
            for job in self._list({"ids": ",".join(ids)}):
                if job.id not in ids:
                    self._bulk = False
                    break
                found[job.id] = job
        except ServiceError as error:
            if isinstance(error, BlockedError | ThrottledError) or (error.http_status or 500) >= 500:
                raise
            self._bulk = False
        return found

    def job(self, batch: str) -> Job:
        """One batch. Raises LostError when the service does not know it, and other ServiceErrors."""
        answer = self._get(self._address(f"/{_step(batch)}"))
        found = job_in(answer.json(), asked=batch, again_s=answer.retry_after_s)
        if found is None:
            raise fault_of(answer, submit=False)
        return found

    def documents(self, batch: str) -> list[Document]:
        """The documents of a batch, up to a page of them; ours have one. Raises ServiceError."""
        answer = self._get(self._address(f"/{_step(batch)}/documents"))
        entries = entries_in(answer.json())
        if answer.status != 200 or entries is None:
            raise fault_of(answer, submit=False)
        return [document for document in map(document_in, entries) if document is not None]

    def remember(self, batch: str, names: Collection[str]) -> None:
        """Keep in mind which sources a batch has: that never changes, and need not be asked for again."""
        with self._lock:
            self._sources[batch] = frozenset(names)
            if len(self._sources) > _MOST_KNOWN:
                del self._sources[next(iter(self._sources))]

    def find(self, token: str, moment: datetime, besides: str = "") -> tuple[str | None, bool]:
        """The batch whose source bears this token, submitted about this moment; and whether the answer is final.

        Not final is an answer without a batch while some batch does not show its documents yet. Raises
        ServiceError; also when the list has no end, because then nothing is proven.
        """
        begin, end = moment - _WINDOW, moment + _WINDOW
        filters = {"createdDateTimeUtcStart": moment_text(begin), "createdDateTimeUtcEnd": moment_text(end)}
        jobs = [job for job in self._list(filters) if job.created is None or begin <= job.created <= end]
        final = True
        for job in sorted(jobs, key=lambda job: abs((job.created or moment) - moment)):
            if job.id == besides:
                continue
            names = self._names(job.id)
            if any(f".{token}." in name for name in names):
                return job.id, True
            # A batch that says it has translated something, and shows nothing, may be ours.
            shows_all = bool(names) or (job.ended and not job.translated and job.word != SUCCEEDED)
            final = final and shows_all
        return None, final

    def _names(self, batch: str) -> Collection[str]:
        known = self._sources.get(batch)
        if known is None:
            known = frozenset(document.name for document in self.documents(batch))
            if known:
                self.remember(batch, known)
        return known

    def _list(self, filters: Mapping[str, str]) -> Iterator[Job]:
        """The batches of a list, page by page, as far as they are wanted. Raises ServiceError."""
        query: str | None = urlencode({"api-version": self._api_version, **filters}, safe=",")
        for _ in range(_MOST_PAGES):
            answer = self._get(f"{BATCHES}?{query}")
            body = answer.json()
            entries = entries_in(body)
            if answer.status != 200 or entries is None:
                raise fault_of(answer, submit=False)
            yield from (job for job in map(job_in, entries) if job is not None)
            query = next_page(body, self._api_version)
            if query is None:
                return
        raise TransientError("service.unreadable", "a list of batches without an end")

    def _address(self, below: str = "") -> str:
        return f"{BATCHES}{below}?{urlencode({'api-version': self._api_version})}"

    def _get(self, path: str) -> Answer:
        return self._session.call("status", "GET", path)


def _step(batch: str) -> str:
    """An id as one step of a path, whatever a journal may hold."""
    return quote(batch, safe="").replace(".", "%2E")
