"""Tokens in a file's name that make a service misbehave.

A token is written `~word`, `~word-number` or with `xN` behind it (`~fail`, `~slow-30`, `~http-503x2`),
anywhere in the name, several of them if wanted: `report~http-429x1~slow-30.docx`. What the number means is
told with each word. `xN` means: only the first N times that these bytes come from this account under a name
that begins like this one; after that the service behaves. Other words mean nothing: ordinary names with a
tilde are safe.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

TOKENS: dict[str, str] = {
    "http": "the submission is answered with HTTP 503 and not taken; ~http-429: another code",
    "accepted": "the submission is taken and billed, yet answered with HTTP 503; ~accepted-500: another code",
    "lost": "the submission is taken and billed; the connection closes without an answer",
    "hang": "the submission is taken and billed; no answer comes for an hour; ~hang-5: for 5 seconds",
    "fail": "the job ends as failed; gpttranslator: ~fail-402, ~fail-200: by a business rule, with that code; "
    "cambai: ~fail-402 PAYMENT_REQUIRED, ~fail-408 TIMEOUT, ~fail-500 FAILED",
    "nested": "the job ends as failed; voicecheap spells the reason's keys error.code and error.message, "
    "cambai sends its message as an object, azure writes innererror and translationId",
    "slow": "the job takes a minute; ~slow-30: 30 seconds",
    "stuck": "the job stays running for ever",
    "queue": "gpttranslator, azure: the first looks show every word of its queue, one after the other",
    "odd": "the first two looks show a status word that is in no document; ~odd-5: the first five",
    "back": "the second look is less advanced than the first",
    "gone": "the first look says that the id is unknown; ~gone-3: the first three",
    "vanish": "the id is unknown for ever, though the submission was taken",
    "flat": "doctranslate: the looks have its older shape, without the record's key",
    "bare": "doctranslate: no look has a record before the end, data is {}; ~bare-1: null; ~bare-2: {status: null}",
    "audio": "voicecheap: the result is there as sound only, also of a film",
    "html": "the result is an HTML page under code 200; ~html-1: only the first download",
    "empty": "the result has no bytes; ~empty-1: only the first download",
    "cut": "the result breaks off half-way; ~cut-1: only the first download",
    "wrong": "the result is a picture, whatever was sent; ~wrong-1: only the first download",
    "absent": "the result is not there, though the status says that it is",
    "early": "gpttranslator: the first download says that the job is still active; ~early-2: the first two; "
    "cambai: the first success tells no run",
    "expired": "the result's first address has expired, the next status has another; ~expired-2: two of them",
    "short": "cambai: the result has one text less than were sent; ~short-1: only the first download",
    "lossy": "cambai: the result has lost its placeholders",
    "alone": "cambai: the result is missing where several are fetched at once",
    "wrapped": "cambai: where several results are fetched at once they stand under `results`",
    "header": "azure: the id comes as …/document/ID; ~header-2: behind the query; ~header-3: in Location; "
    "~header-4: not at all",
    "after": "azure: every status asks for 30 seconds with Retry-After; ~after-5: for 5",
    "invalid": "azure: the job ends as ValidationFailed, as if its source could not be read",
    "cancel": "azure: the job ends as Cancelled; ~cancel-1: as Canceled",
    "partly": "azure: the job succeeds although its document has failed",
    "unlisted": "azure: the job succeeds although it lists no document",
    "pages": "azure: lists come in pages of one, continued under @nextLink",
    "groups": "cambai: several results at once are refused for ever; ~groups-3: unless there are three of them",
}

_TOKEN = re.compile(r"~(?P<word>[a-z]+)(?:-(?P<number>\d{1,6}))?(?:x(?P<times>\d{1,6}))?(?![A-Za-z0-9-])")


@dataclass(frozen=True, slots=True)
class Manners:
    """How the service treats one submission: the words that apply to it, each with its number."""

    words: Mapping[str, int | None] = field(default_factory=dict)

    def __contains__(self, word: str) -> bool:
        return word in self.words

    def number(self, word: str, default: int) -> int:
        """The number of a word: 0 when the word is absent, the default when it stands alone."""
        if word not in self.words:
            return 0
        number = self.words[word]
        return default if number is None else number

    def applies(self, word: str, before: int) -> bool:
        """Whether a word without number, or with a number above `before`, is there."""
        return word in self.words and (self.words[word] is None or before < self.number(word, 0))


class Memory:
    """Counts how often a file came, for the tokens that hold only so many times."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()

    def manners(self, service: str, account: str, name: str, sha256: str) -> Manners:
        """What the tokens in this name mean for this submission, which counts as one more."""
        found = [token for token in _TOKEN.finditer(name) if token["word"] in TOKENS]
        if not found:
            return Manners()
        # The name beyond the last token changes with every attempt.
        identity = (service, account, name[: found[-1].end()], sha256)
        before = self._seen[identity]
        self._seen[identity] += 1
        return Manners(
            {
                token["word"]: int(token["number"]) if token["number"] else None
                for token in found
                if token["times"] is None or before < int(token["times"])
            }
        )
