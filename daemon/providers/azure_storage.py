"""The two containers through which documents travel: written to and read from by address and signature (SAS).

A blob is called after the name that was sent, which no other attempt has, so nothing is ever overwritten but by
the same bytes. The names lie below `in/` and `out/`, so that both containers may also be one.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from daemon import names
from daemon.errors import BlockedError, LostError, ServiceError, TransientError
from daemon.originals import Original
from daemon.providers.azure_wire import moment_in, moment_of, moment_text
from daemon.replies import Answer
from daemon.settings import Model, Secret
from daemon.spool import Sink
from daemon.transport import Session

# The pages' "legacy file types": what is translated comes back in the newer format.
_BECOMES = {
    **dict.fromkeys(("doc", "odt", "rtf"), "docx"),
    **dict.fromkeys(("xls", "ods"), "xlsx"),
    **dict.fromkeys(("ppt", "odp"), "pptx"),
}
_VERSION = {"x-ms-version": "2021-12-02"}
_WRITE = {**_VERSION, "x-ms-blob-type": "BlockBlob", "content-type": "application/octet-stream"}
_HTTP = re.compile(r"https?")
_MOST_RESULT = 2_000_000_000
# "Create SAS tokens": the service wants reading and listing at the source, writing and listing at the target. The
# rest is ours: we write, look for and delete originals, fetch and delete translations.
_PERMITS = {"r": "reading", "w": "writing", "d": "deleting", "l": "listing"}


class Storage(Model):
    """Two containers, each by its address with a signature: `https://ACCOUNT.blob.core.windows.net/NAME?…&sig=…`.

    The signatures permit reading, writing, deleting and listing (`sp=rwdl`): the service uses them, too.
    """

    source: Secret
    target: Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """An original in its container: when it came there, and what time it is, both by the storage's own clock.

    None is what the storage does not tell. Real ones do (`x-ms-creation-time`, `Date`).
    """

    at: datetime | None
    now: datetime | None


class Blobs:
    """What lies in the containers. The settings are read anew each time; their hosts may be private ones."""

    def __init__(self, storage: Storage, session: Session) -> None:
        self._storage = storage
        self._session = session

    def source(self, name: str) -> str:
        """The signed address of an original. Raises BlockedError when there is no usable setting."""
        return self._address(self._storage.source, "storage.source", f"in/{name}")

    def target(self, name: str) -> str:
        """The signed address of its translation. Raises BlockedError when there is no usable setting."""
        return self._address(self._storage.target, "storage.target", f"out/{_translated(name)}")

    def put(self, name: str, document: Original) -> None:
        """Upload an original; repeatable. Raises TransientError and BlockedError, and what reading it raises."""
        address = self.source(name)
        answer = self._session.store(address, document, _WRITE)
        if answer.status != 201:
            raise _fault(answer, "storage.source", address)

    def uploaded(self, name: str) -> Uploaded | None:
        """The original if it was uploaded and is still there. Raises TransientError and BlockedError."""
        address = self.source(name)
        answer = self._session.outside("HEAD", address, _VERSION)
        if answer.status not in (200, 404):
            raise _fault(answer, "storage.source", address)
        found = Uploaded(at=moment_of(answer, "x-ms-creation-time"), now=moment_of(answer))
        return found if answer.status == 200 else None

    def fetch(self, name: str, sink: Sink) -> str:
        """Download a translation; returns its extension. Raises LostError when it is not there."""
        address = self.target(name)
        answer = self._session.download(address, sink, most=_MOST_RESULT)
        if answer.status == 404:
            raise LostError("result.gone", "no such blob", provider_code=_code(answer), http_status=404)
        if answer.status != 200:
            raise _fault(answer, "storage.target", address)
        return names.extension(_translated(name))

    def forget(self, name: str) -> None:
        """Delete an original and its translation; repeatable. Raises the first error after trying both."""
        errors: list[ServiceError] = []
        for address_of, setting in ((self.source, "storage.source"), (self.target, "storage.target")):
            try:
                address = address_of(name)
                answer = self._session.outside("DELETE", address, _VERSION)
                if answer.status not in (200, 202, 404):
                    raise _fault(answer, setting, address)
            except ServiceError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def check(self) -> None:
        """Read what the signatures permit, then look for blobs that cannot be there.

        Raises BlockedError when a signature lacks a letter, has ended or is refused, TransientError when the
        storage does not answer.
        """
        for address, setting in ((self.source("none"), "storage.source"), (self.target("none"), "storage.target")):
            lacking = _lacking(address)
            if lacking:
                raise BlockedError("account.blocked", f"{setting}: its signature (SAS) does not permit {lacking}")
            answer = self._session.outside("HEAD", address, _VERSION)
            missing = _code(answer) == "ContainerNotFound"
            if answer.status not in (200, 404) or missing or _ended(answer, address):
                raise _fault(answer, setting, address)

    def _address(self, secret: Secret, setting: str, path: str) -> str:
        """The address of a blob; its host is one that the administrator wrote, and therefore permitted."""
        try:
            container = urlsplit(secret.read())
            port = container.port or (443 if container.scheme == "https" else 80)
        except LookupError as error:
            raise BlockedError("account.no_key", f"{setting}: {error}") from None
        except ValueError:
            # What is wrong with it may be shown by no error: it is signed.
            raise _unusable(secret, setting) from None
        host, folder = container.hostname, container.path.rstrip("/")
        if not host or not folder or not _HTTP.fullmatch(container.scheme) or "sig" not in parse_qs(container.query):
            raise _unusable(secret, setting)
        self._session.permit(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return f"{container.scheme}://{container.netloc}{folder}/{path}?{container.query}"


def _translated(name: str) -> str:
    extension = names.extension(name)
    return f"{name.removesuffix(extension)}{_BECOMES.get(extension, extension)}"


def _unusable(secret: Secret, setting: str) -> BlockedError:
    words = f"{setting}: what stands in {secret.where} is no address of a container with a signature (sig=)"
    return BlockedError("account.no_key", words)


def _code(answer: Answer) -> str | None:
    """The storage's own word for an error: a header, because the body may be empty (HEAD) and is XML."""
    return answer.headers.get("x-ms-error-code")


def _signed(address: str, key: str) -> str | None:
    """What a signature says in the open; with a stored access policy (`si`) less of it stands there."""
    return parse_qs(urlsplit(address).query).get(key, [None])[0]


def _lacking(address: str) -> str:
    """What a signature would have to permit, and does not; where a stored policy says it, nobody can tell here."""
    permitted = _signed(address, "sp")
    lacking = [letter for letter in _PERMITS if permitted is not None and letter not in permitted]
    named = ", ".join(f"{_PERMITS[letter]} ({letter})" for letter in lacking)
    return f"{named}: sp= has to hold {''.join(_PERMITS)}" if named else ""


def _ended(answer: Answer, address: str) -> str:
    """When a signature ended, if it has: by the clock of the storage, which is the one that counts."""
    now, end = moment_of(answer), moment_in(_signed(address, "se"))
    return moment_text(end) if now is not None and end is not None and end <= now else ""


def _fault(answer: Answer, setting: str, address: str) -> ServiceError:
    """Storage is an account's matter: what it refuses, it refuses to every document."""
    status, code, ended = answer.status, _code(answer), _ended(answer, address)
    words = f"{setting}: HTTP {status}{f' {code}' if code else ''}"
    kind: type[ServiceError] = BlockedError
    word = "account.blocked"
    if status in (408, 409, 429) or status >= 500 or (status < 400 and not ended):
        kind, word = TransientError, "service.error"
    elif ended:
        words = f"{setting}: its signature (SAS) ended at {ended} and has to be renewed"
    return kind(word, words, provider_code=code, http_status=status, retry_after_s=answer.retry_after_s)
