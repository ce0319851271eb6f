"""What services have in common that take a document whole, in one request, and tell an address of its result.

A provider extends this with `submit`, `_look` and `_receive`. Addresses stay in memory only: they may be signed.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.errors import LostError, ServiceError
from daemon.languages import Route
from daemon.originals import Original
from daemon.providers.base import Attempt, Fetched, Look, Part
from daemon.spool import Sink


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a result lies, and its extension where the service told it."""

    url: str
    extension: str | None = None


class WholeDocuments:
    """The verbs of `Provider` that are the same for all of them. Used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: dict[str, Address] = {}

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        return [Part(index=0, of=1, document=document, route=route, attempt=attempt)]

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        looks: dict[str, Look | ServiceError] = {}
        for ref in refs:
            try:
                looks[ref] = self._look(ref)
            except ServiceError as error:
                looks[ref] = error
        return looks

    def _look(self, ref: str) -> Look:
        """Ask for one status, and `_remember` the address of a result. Raises ServiceError."""
        raise AssertionError(f"{type(self).__name__} has no look of its own for {ref}")

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        return [self._fetch_one(ref, sink) for ref, sink in wanted]

    def _fetch_one(self, ref: str, sink: Sink) -> Fetched | ServiceError:
        try:
            if self._address(ref) is None:
                self._look(ref)
            address = self._address(ref)
            if address is None:
                return LostError("result.gone", "the status shows no address of the result any more")
            told = self._receive(address, sink)
        except ServiceError as error:
            return error
        if isinstance(told, ServiceError):
            # Answered, and not with the result: the next look may tell another address.
            self._forget(ref)
        return told

    def _receive(self, address: Address, sink: Sink) -> Fetched | ServiceError:
        """Bring a result into its sink; an error that is returned says that the address is of no use."""
        raise AssertionError(f"{type(self).__name__} cannot receive {address.extension} into {sink.size}")

    def assemble(self, document: Original, results: Sequence[bytes]) -> bytes:
        del document
        return results[0]

    def clean_up(self, refs: Iterable[str]) -> None:
        """Nothing is deleted at the service: only the memory of addresses is dropped."""
        for ref in refs:
            self._forget(ref)

    def _address(self, ref: str) -> Address | None:
        with self._lock:
            return self._addresses.get(ref)

    def _remember(self, ref: str, address: Address) -> None:
        with self._lock:
            self._addresses[ref] = address

    def _forget(self, ref: str) -> None:
        with self._lock:
            self._addresses.pop(ref, None)
