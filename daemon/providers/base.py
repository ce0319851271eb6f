"""The contract between the engine and a translation service.

The engine asks facts (`Capabilities`), never names. Each verb below says what must be true afterwards, which
errors it raises and whether it may be repeated; retries, rate windows, budgets and journal are the engine's,
a provider's duty is to say *what kind* of failure it saw (`daemon.errors`).

Everything a provider sends goes through the `Session` it was built with; it never opens a socket itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pydantic import AfterValidator

from daemon.costs import DOCUMENTS
from daemon.errors import BlockedError, ServiceError
from daemon.languages import LanguageTable, Route
from daemon.originals import Original
from daemon.settings import Budget, ProviderSettings, Rate
from daemon.spool import Sink
from daemon.transport import Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """Frozen facts about a service as its documents (and the settings over them) state them."""

    extensions: frozenset[str]
    """Lower-case, without the dot."""
    languages: LanguageTable
    max_bytes: int | None = None
    poll_batch: int = 1
    fetch_batch: int = 1
    blocking: bool = False
    """The answer to a submit is the result itself."""
    poll_every_s: float = 5.0
    poll_at_most_s: float = 60.0
    windows: Mapping[str, Rate] = field(default_factory=dict)
    """By verb; the key `*` counts every request sent with the key."""
    max_in_flight: int | None = None
    running_words: frozenset[str] = frozenset()
    """The documented words that mean "not finished"; any other one means it too, and is warned of once."""
    learns_languages: bool = False
    """`check` brings the service's own list of languages: asked for once at the start."""
    recoverable: bool = False
    assembles: bool = False
    """Results have to be put together locally, even when there is only one part."""
    costs: str | None = None
    """The unit in which the service reports what a job cost; None when it does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try to submit one part of one job."""

    job: str
    number: int
    sent_name: str
    """`<stem>.<job>-<attempt>.<ext>`: the token that recovery matches, and nothing else."""
    accepted: tuple[str | None, ...] = ()
    """The references of the parts that the service has taken already, by index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One billable request of a job. `payload` is the provider's own and never leaves it."""

    index: int
    of: int
    document: Original
    route: Route
    attempt: Attempt
    mark: str = ""
    """Stands in every reference of this very part: what is cut in another way has another one. Empty where a
    document is always cut in the same way, or not at all.
    """
    payload: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The service took the part. `ref` is None when the result came with the answer (blocking)."""

    ref: str | None
    cost: float | None = None
    extension: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    progress: float | None = None
    """0 to 1 when told."""
    word: str = ""
    """The service's own status word, folded; for people, and to warn once of an unknown one."""
    again_s: float | None = None
    """How long the service asked to be left alone about this job."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    ref: str | None = None
    """A new reference (such as a run id) when fetching needs one."""
    cost: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    error: ServiceError
    """The service itself calls the job failed, whatever else the error may mean for the account."""
    cost: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """The service says it does not know the reference."""

    error: ServiceError


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """The service did not take the part after all, and says so itself: proven that nothing was begun or billed.

    That is the account's matter and not the file's: the part is submitted again, under its next attempt, when
    the account is open.
    """

    error: BlockedError


Look = Running | Ready | Failed | Lost | Refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    extension: str | None = None
    """Lower-case, without the dot, when the service told the result's format."""
    cost: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What is known of a submission whose answer is missing."""

    attempt: Attempt
    part: int
    route: Route
    submitted_at: datetime
    sha256: str
    asked_for_s: float = 0.0
    """Seconds since this process asked for it first; two looks far enough apart may prove an absence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Absent:
    """Proven: the service's list is complete and the submission is not in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unknown:
    """Nobody can say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskAgain:
    """Not to be found yet: ask once more after so many seconds."""

    after_s: float


Recovery = Found | Absent | AskAgain | Unknown


def counted_in(title: str, *units: str) -> AfterValidator:
    """Refuses a budget in a unit that a service does not report; documents can always be counted."""

    def check(budget: Budget | None) -> Budget | None:
        known = (*units, DOCUMENTS)
        if budget is None or budget.unit in known:
            return budget
        told = f"{title} reports {' or '.join(units)}" if units else f"{title} does not report what a document costs"
        raise ValueError(f"{told}; unit has to be {' or '.join(known)}, not '{budget.unit}'")

    return AfterValidator(check)


class Provider(Protocol):
    """One file a provider. Instances are used from several threads at once."""

    kind: ClassVar[str]
    title: ClassVar[str]
    """The service's name as people write it."""
    settings_type: ClassVar[type[ProviderSettings]]
    capabilities: Capabilities

    def __init__(self, settings: ProviderSettings, session: Session) -> None: ...

    @classmethod
    def facts(cls, settings: ProviderSettings) -> Capabilities:
        """The capabilities under these settings, without talking to anybody."""

    @classmethod
    def credentials(cls, settings: ProviderSettings) -> Mapping[str, str]:
        """The headers that carry the key, read anew. Raises LookupError when there is no key."""

    def prepare(self, document: Original, route: Route, attempt: Attempt) -> Sequence[Part]:
        """Cut the document into billable parts; most return one.

        Free of charge and repeatable: the same document gives the same parts, and one of which parts are
        accepted goes on as it was cut for them, whatever the settings say now. Raises RejectedError when the
        document cannot be sent at all; TransientError and BlockedError when preparing needs the network.
        """

    def submit(self, part: Part, sink: Sink | None) -> Accepted:
        """Send exactly one billable request; never repeated by anything below this call.

        Afterwards the service has the part under the returned reference, or (blocking services, which alone
        get a sink) the whole result is in it. Raises UncertainError when nobody can say; every other ServiceError,
        DocumentChangedError and TransferCutError mean that the service has *not* taken it.
        """

    def poll(self, refs: Sequence[str]) -> Mapping[str, Look | ServiceError]:
        """Look at up to `poll_batch` jobs; one entry a reference, so that a bad one never hides the others.

        An unknown status word is Running. May be repeated. Raises ServiceError only when the request as a
        whole failed.
        """

    def fetch(self, wanted: Sequence[tuple[str, Sink]]) -> Sequence[Fetched | ServiceError]:
        """Put up to `fetch_batch` results into their sinks, in the order asked for; may be repeated.

        One bad entry never loses the others. LostError says that the result is gone or its link has
        expired and the status should be asked again.
        """

    def assemble(self, document: Original, results: Sequence[bytes]) -> bytes:
        """Make one file of the results of all parts; local and repeatable.

        Called only when the capabilities say `assembles`.
        """

    def clean_up(self, refs: Iterable[str]) -> None:
        """Remove what the service keeps for us; repeatable; a failure fails no job.

        Called after `banked`, for failed jobs whose references are of no use, and after a part was `Refused`.
        """

    def recover(self, intent: Intent) -> Recovery:
        """Ask the service what became of a submission, by the name token alone."""

    def check(self) -> None:
        """Ask at no cost whether the key is good. Raises BlockedError when it is not, TransientError when
        nobody answered; returns when the service would talk to us.
        """
