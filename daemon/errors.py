"""What can go wrong, classed by what must follow.

BabeldropError
├── ConfigError          several problems at once; nothing started (exit 2)
├── StateError           journal, lock or ownership forbids the start (exit 2)
├── ShareAwayError       the root's marker is not there: freeze, infer nothing, write nothing
├── DocumentChangedError the original changed under our hands: it rests again
├── TransferCutError     we stopped an upload before its last block: proven not accepted
├── NoRoomError          the account's window is full; holds when to come back
└── ServiceError         what a service, or the way to it, made of a request
    ├── RejectedError    this file, for good
    ├── BlockedError     the whole account: key, credit, quota; files wait visibly
    ├── ThrottledError   until a moment; the account pauses
    ├── CapacityError    wait for own jobs to end
    ├── TransientError   worth another try; on a submit: *proven* not accepted
    ├── UncertainError   nobody can say whether a submission was taken (and billed)
    └── LostError        the service no longer knows the id, or the result is gone

Raised by a submit, every class but UncertainError means "proven not accepted".
"""

from dataclasses import dataclass


class BabeldropError(Exception):
    """Everything this package raises on purpose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in a configuration, with its place and what was expected there."""

    message: str
    expected: str = ""
    path: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line or "")) if part)
        where = f"{place}: " if place else ""
        path = f"{self.path}: " if self.path else ""
        expected = f" ({self.expected})" if self.expected else ""
        return f"{where}{path}{self.message}{expected}"


class ConfigError(BabeldropError):
    """All problems of a configuration, found in one run."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StateError(BabeldropError):
    """The state folder, its journal or the root's ownership forbids the start."""


class ShareAwayError(BabeldropError):
    """The root shows no marker: the share is not there, whatever its mount point looks like."""


class DocumentChangedError(BabeldropError):
    """Somebody wrote to the original after it was hashed."""


class TransferCutError(BabeldropError):
    """The daemon is stopping; the last block of the upload was never sent."""


class NoRoomError(BabeldropError):
    """The account may not send this request yet. `until` is a monotonic moment in seconds."""

    def __init__(self, until: float) -> None:
        super().__init__(f"no room in the request window until {until:.1f}")
        self.until = until


class ServiceError(BabeldropError):
    """A request that did not do what it was sent for.

    `code` is a key of `messages.CATALOGUE`; `provider_code` and `provider_message` are the service's own
    words, already cleaned; `retry_after_s` is what the service asked for, in seconds.
    """

    def __init__(
        self,
        code: str,
        provider_message: str | None = None,
        *,
        provider_code: str | None = None,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        facts: dict[str, str] | None = None,
    ) -> None:
        super().__init__(": ".join(part for part in (code, provider_message) if part))
        self.code = code
        self.provider_message = provider_message
        self.provider_code = provider_code
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.facts = facts or {}


class RejectedError(ServiceError):
    """This file will never be taken as it is."""


class BlockedError(ServiceError):
    """The account cannot submit until a person has acted."""


class ThrottledError(ServiceError):
    """Too many requests."""


class CapacityError(ServiceError):
    """The account has as many jobs under way as the service allows."""


class TransientError(ServiceError):
    """Try again later; raised by a submit it means that the service cannot have taken it."""


class UncertainError(ServiceError):
    """The submission may or may not have been taken."""


class LostError(ServiceError):
    """The service does not know the id any more, or the result is no longer there."""
