"""Batches at the service: submitting one, looking at some, and finding one whose id was never told.

Every request is built from the configured endpoint; of an address in an answer the id alone, or the query alone,
is taken.
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
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
    moment_of,
    moment_text,
    next_page,
)
from daemon.replies import Answer
from daemon.transport import Session

BATCHES = "/translator/document/batches"
_MOST_PAGES = 200
_MOST_KNOWN = 10_000


def bears(document: Document, token: str) -> bool:
    """Whether a document's source was called after this attempt."""
    return f".{token}." in document.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What a list of batches has brought."""

    batch: str | None
    final: bool
    """False where none was found and some batch has not shown its documents yet."""
    now: datetime | None
    """What time it is by the service's own clock, if it says so."""


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
            for job in chain.from_iterable(map(_jobs_in, self._pages({"ids": ",".join(ids)}))):
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

    def find(self, token: str, begin: datetime, end: datetime | None = None, *, besides: str = "") -> Search:
        """The batch whose source bears this token, created between two moments of the service's clock.

        Without `end`: until now. Raises ServiceError; also when the list has no end, because then nothing is proven.
        """
        filters = {"createdDateTimeUtcStart": moment_text(begin)}
        if end is not None:
            filters["createdDateTimeUtcEnd"] = moment_text(end)
        jobs: list[Job] = []
        now: datetime | None = None
        for page in self._pages(filters):
            jobs += _jobs_in(page)
            now = now or moment_of(page)
        likely = begin if end is None else begin + (end - begin) / 2
        final = True
        for job in sorted(jobs, key=lambda job: abs((job.created or likely) - likely)):
            if job.id == besides or not _within(job.created, begin, end):
                continue
            names = self._names(job.id)
            if any(f".{token}." in name for name in names):
                return Search(batch=job.id, final=True, now=now)
            # A batch that says it has translated something, and shows nothing, may be ours.
            shows_all = bool(names) or (job.ended and not job.translated and job.word != SUCCEEDED)
            final = final and shows_all
        return Search(batch=None, final=final, now=now)

    def _names(self, batch: str) -> Collection[str]:
        known = self._sources.get(batch)
        if known is None:
            known = frozenset(document.name for document in self.documents(batch))
            if known:
                self.remember(batch, known)
        return known

    def _pages(self, filters: Mapping[str, str]) -> Iterator[Answer]:
        """The pages of a list of batches, as far as they are wanted. Raises ServiceError."""
        query: str | None = urlencode({"api-version": self._api_version, **filters}, safe=",")
        for _ in range(_MOST_PAGES):
            answer = self._get(f"{BATCHES}?{query}")
            body = answer.json()
            if answer.status != 200 or entries_in(body) is None:
                raise fault_of(answer, submit=False)
            yield answer
            query = next_page(body, self._api_version)
            if query is None:
                return
        raise TransientError("service.unreadable", "a list of batches without an end")

    def _address(self, below: str = "") -> str:
        return f"{BATCHES}{below}?{urlencode({'api-version': self._api_version})}"

    def _get(self, path: str) -> Answer:
        return self._session.call("status", "GET", path)


def _jobs_in(page: Answer) -> list[Job]:
    return [job for job in map(job_in, entries_in(page.json()) or ()) if job is not None]


def _within(moment: datetime | None, begin: datetime, end: datetime | None) -> bool:
    """Whether a batch belongs into a list, also one of a service that does not filter; when in doubt it does."""
    return moment is None or (begin <= moment and (end is None or moment <= end))


def _step(batch: str) -> str:
    """An id as one step of a path, whatever a journal may hold."""
    return quote(batch, safe="").replace(".", "%2E")
