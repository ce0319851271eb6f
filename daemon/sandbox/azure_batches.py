"""How one batch of the simulated Azure looks: its word, its counts, its document and its error.

A batch has one document here. What it shows is computed from its job, whose looks are counted, and is kept, so
that its document is asked for without another look.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from daemon.sandbox.jobs import Job, Look, Phase

ENDED = frozenset({"Succeeded", "Failed", "ValidationFailed", "Cancelled", "Canceled"})
_WAITING = "NotStarted"
_SPELLINGS = ("Cancelled", "Canceled")
_UNDER_WAY = {Phase.WAITING: _WAITING, Phase.ACTIVE: "Running", Phase.ODD: "Polishing"}
_MESSAGES = {
    "InvalidDocumentAccessLevel": "Cannot access source document location with the current permissions.",
    "InvalidTargetDocumentAccessLevel": "Cannot access target document location with the current permissions.",
    "TargetFileAlreadyExists": "Target file already exists.",
    "NoTranslatableText": "The document does not have any translatable text.",
    "InvalidDocument": "The document could not be read. It may be damaged.",
}


@dataclass(kw_only=True, slots=True)
class Batch:
    """One batch. `source` is an address without its signature, `target` one with it."""

    job: Job
    source: str
    target: str
    readable: bool
    word: str = _WAITING
    code: str | None = None
    """Why it failed, as the innermost error says."""
    stopped: bool = False
    looked: bool = False
    written: bool = False
    changed_ms: int = 0
    progress: float = 0.0

    def show(self, look: Look, now_ms: int) -> None:
        """Take up what a look at the job has shown; the result is written already, where there is one."""
        before = self.word
        self.looked, self.progress = True, look.progress
        self.word, code = self._state(look)
        self.code = self.code or code
        self.changed_ms = now_ms if self.word != before or not self.changed_ms else self.changed_ms

    def _state(self, look: Look) -> tuple[str, str | None]:
        """The word, and the code of the error that is told with it."""
        if self.stopped:
            return _SPELLINGS[0], None
        if "queue" in self.job.manners and look.before < 2:
            return (_WAITING, "Running")[look.before], None
        if look.phase in _UNDER_WAY:
            return _UNDER_WAY[look.phase], None
        return self._end(look)

    def _end(self, look: Look) -> tuple[str, str | None]:
        manners = self.job.manners
        if not self.readable or "invalid" in manners:
            return "ValidationFailed", "InvalidDocumentAccessLevel"
        if "cancel" in manners:
            return _SPELLINGS[min(manners.number("cancel", 0), 1)], None
        if "partly" in manners:
            return "Succeeded", "NoTranslatableText"
        if look.phase is Phase.FAILED:
            return "Failed", "InvalidDocument" if self.job.broken else "NoTranslatableText"
        unwritten = {None: "Succeeded", "InvalidTargetDocumentAccessLevel": "ValidationFailed"}
        return unwritten.get(self.code, "Failed"), None

    @property
    def deliverable(self) -> bool:
        """Whether a job that is done has a result for the target."""
        wanted = self.readable and not self.stopped and not self.written
        return wanted and not {"invalid", "cancel", "partly", "absent", "unlisted"} & set(self.job.manners.words)

    @property
    def document_word(self) -> str:
        return "Failed" if self.code else self.word

    def status(self) -> dict[str, Any]:
        """The documented body, in its older spelling where a token asks for it."""
        listed, failed = "unlisted" not in self.job.manners, self.code is not None
        done = self.word == "Succeeded" and not failed and listed
        total = 0 if self.word in (_WAITING, "ValidationFailed") or not listed else 1
        stopped = self.word in _SPELLINGS
        body = {
            "translationId" if "nested" in self.job.manners else "id": self.job.ref,
            **self._times(),
            "status": self.word,
            "summary": {
                "total": total,
                "failed": int(failed and total > 0),
                "success": int(done),
                "inProgress": int(total > 0 and self.word not in ENDED),
                "notYetStarted": 0,
                "cancelled": int(stopped),
                "totalCharacterCharged": self.job.upload.size if done else 0,
            },
        }
        if failed and self.word != "Succeeded":
            body["error"] = self._error("Operation")
        return body

    def documents(self) -> list[dict[str, Any]]:
        """The documents: none before the batch begins, and none where its containers could not be reached."""
        if self.word in (_WAITING, "ValidationFailed") or "unlisted" in self.job.manners:
            return []
        done = self.document_word == "Succeeded"
        body: dict[str, Any] = {"path": self.target.partition("?")[0]} if done else {}
        body |= {
            "sourcePath": self.source,
            **self._times(),
            "status": self.document_word,
            "to": self.job.target,
            "progress": 1 if done else round(self.progress, 2),
            "id": f"{int(self.job.ref[:8], 16) ^ 1:08x}{self.job.ref[8:]}",
            "characterCharged": self.job.upload.size if done else 0,
        }
        return [body | {"error": self._error("Document")} if self.code else body]

    def _times(self) -> dict[str, str]:
        return {
            "createdDateTimeUtc": moment(self.job.created_ms),
            "lastActionDateTimeUtc": moment(self.changed_ms or self.job.created_ms),
        }

    def _error(self, target: str) -> dict[str, Any]:
        message = _MESSAGES[self.code or "InvalidDocument"]
        inner = "innererror" if "nested" in self.job.manners else "innerError"
        return {
            "code": "InvalidRequest",
            "message": message,
            "target": target,
            inner: {"code": self.code, "message": message},
        }


def moment(milliseconds: int) -> str:
    """UTC with seven digits behind the second, as the service's traffic shows it."""
    when = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}0000Z"
