"""One catalogue of everything that can be said about a file or an account: what happened, what to do.

The keys are the stable words of `error.code`. Sentences are for the person who dropped the file; facts in
braces come from the error and the job. `retryable` says whether trying again as it is can help.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.stability import Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    what_happened: str
    what_to_do: str
    retryable: bool


_AGAIN = "move the file back into {inbox} to try again."
_WAITS = "Nothing for you: the file waits and goes on by itself."

CATALOGUE: Mapping[str, Message] = {
    # -- the drop itself
    "drop.empty": Message(
        what_happened="The file is empty.",
        what_to_do="Check that it was copied completely, then put it into {inbox} again.",
        retryable=False,
    ),
    "drop.too_large": Message(
        what_happened="The file has {size} bytes; {provider} takes at most {limit}.",
        what_to_do="Split or shrink the file, then put the smaller files into {inbox}.",
        retryable=False,
    ),
    "drop.type": Message(
        what_happened="{provider} does not translate {extension} files.",
        what_to_do="Save it as one of these and drop it again: {extensions}.",
        retryable=False,
    ),
    "drop.unreadable": Message(
        what_happened="The file could not be read: {reason}.",
        what_to_do="Ask the administrator to check its permissions, then " + _AGAIN,
        retryable=True,
    ),
    "drop.damaged": Message(
        what_happened="The file cannot be read as a document{because}.",
        what_to_do="Open it in its program, save it anew, and put that into {inbox}.",
        retryable=False,
    ),
    "drop.no_text": Message(
        what_happened="There is no text to translate in the file.",
        what_to_do="Check that its text is text and not a picture, then put it into {inbox} again.",
        retryable=False,
    ),
    "drop.gone": Message(
        what_happened="The file was taken out of processing/ before it could be sent.",
        what_to_do="Put it into {inbox} again if it should be translated.",
        retryable=False,
    ),
    "language.unknown": Message(
        what_happened="{reason}",
        what_to_do="Move the file into a folder that names a language {provider} knows{suggestions}.",
        retryable=False,
    ),
    # -- the submission
    "submit.rejected": Message(
        what_happened="{provider} did not take the file{because}.",
        what_to_do="Change what it names, then " + _AGAIN,
        retryable=False,
    ),
    "submit.uncertain": Message(
        what_happened="Nobody can say whether {provider} has taken the file (and will bill it){because}.",
        what_to_do="Look into the account at {provider}. If it is not there, " + _AGAIN,
        retryable=True,
    ),
    "submit.parts": Message(
        what_happened="The settings for {provider} changed while the file was being handed over in parts.",
        what_to_do="To send it anew, " + _AGAIN,
        retryable=True,
    ),
    # -- the job at the service
    "provider.failed": Message(
        what_happened="{provider} could not translate the file{because}.",
        what_to_do="Check the file, then " + _AGAIN,
        retryable=False,
    ),
    "provider.lost": Message(
        what_happened="{provider} no longer knows the job it had accepted ({remote_id}).",
        what_to_do="Ask {provider} about it, or " + _AGAIN,
        retryable=True,
    ),
    "deadline.passed": Message(
        what_happened="{provider} accepted the file but has not finished it within {deadline}.",
        what_to_do="Ask {provider} about job {remote_id}. When you move the file back into {inbox}, the old "
        "job is asked first.",
        retryable=True,
    ),
    "result.unusable": Message(
        what_happened="{provider} says that the translation is ready, but it could not be fetched whole{because}.",
        what_to_do="When you move the file back into {inbox}, the paid result is asked for first.",
        retryable=True,
    ),
    # -- the account: files wait
    "account.key": Message(
        what_happened="{provider} does not accept the key{because}.",
        what_to_do="The administrator has to renew the key; files wait.",
        retryable=True,
    ),
    "account.no_key": Message(
        what_happened="There is no key for {provider}: {reason}.",
        what_to_do="The administrator has to provide the key; files wait.",
        retryable=True,
    ),
    "account.blocked": Message(
        what_happened="{provider} does not let the account work{because}.",
        what_to_do="The administrator has to look into the account (subscription, credit, quota); files wait.",
        retryable=True,
    ),
    "account.throttled": Message(
        what_happened="{provider} asks to send less.",
        what_to_do=_WAITS,
        retryable=True,
    ),
    "account.full": Message(
        what_happened="{provider} has as many jobs of this account under way as it allows.",
        what_to_do=_WAITS,
        retryable=True,
    ),
    # -- the way to the service
    "service.unreachable": Message(
        what_happened="{provider} cannot be reached{because}.", what_to_do=_WAITS, retryable=True
    ),
    "service.error": Message(
        what_happened="{provider} answers with an error of its own{because}.",
        what_to_do=_WAITS,
        retryable=True,
    ),
    "service.unreadable": Message(
        what_happened="{provider} answers with something that its documents do not describe{because}.",
        what_to_do=_WAITS,
        retryable=True,
    ),
    # -- fetching the result: asked again, then result.unusable
    "result.gone": Message(what_happened="The link to the result no longer works.", what_to_do=_WAITS, retryable=True),
    "result.cut": Message(what_happened="The result did not arrive whole{because}.", what_to_do=_WAITS, retryable=True),
    "result.wrong": Message(
        what_happened="What came is no {extension} file{because}.", what_to_do=_WAITS, retryable=True
    ),
    "result.empty": Message(what_happened="The result is empty.", what_to_do=_WAITS, retryable=True),
    "result.too_large": Message(
        what_happened="The result is larger than {limit} bytes.", what_to_do=_WAITS, retryable=True
    ),
    "result.refused": Message(
        what_happened="The result lies at an address that is not allowed{because}.",
        what_to_do="The administrator can allow it with result_hosts.",
        retryable=True,
    ),
}

WAITING: Mapping[str, str] = {
    **{reason.value: reason.sentence for reason in Reason},
    "share.away": "The share is away; nothing is touched until it is back.",
    "drop.changing": "Somebody has written to the file after it was taken; it rests again.",
    "drop.busy": "Another program has the file open for writing.",
    "drop.unreadable": "The file cannot be read for now; the disk or the share is in trouble.",
    "account.window": "As many requests as the service allows have been sent; there is room again soon.",
    "account.closed": "Submissions are stopped until the account is known to work.",
    "submit.uncertain": "{provider} gave no clear answer to a submission; no other one follows until it works.",
    "result.wrong": "What came is not the document{because}.",
    "result.too_large": "The result is larger than allowed.",
    "submit.asking": "The daemon was stopped while it was being handed over; it is found out what became of it.",
    "provider.lost": "{provider} does not know the job just now; it is asked again before that is believed.",
    "disk.full": "There is too little room in the state folder for the result; it is fetched when there is more.",
    "folder.trouble": "A folder or a disk is in trouble; the result is kept and brought there later.",
    "daemon.stopping": "babeldrop is stopping; the next start goes on with it.",
    "provider.removed": "Its provider is no longer in the configuration.",
    "internal.error": "babeldrop made a mistake of its own, which stands in its log.",
}
"""Why a file or an account waits, as far as it is no failure: further codes, and other words for some of above."""

_FOR_A_PERSON = frozenset({"account.key", "account.no_key", "account.blocked", "result.refused"})

LEFT_ALONE: Mapping[str, str] = {
    "link": "a symbolic link, never followed",
    "other": "no regular file",
    "linked": "it has several names (hard links)",
    "deep": "too many folders deep",
}
"""Why something in an inbox is never taken, whatever its name."""


# A service's words may end a sentence by themselves.
_SECOND_STOP = re.compile(r"(?<=[!?…])\.")


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def render(code: str, facts: Mapping[str, str]) -> tuple[str, str]:
    """The two sentences of a code, with the facts filled in: (what happened, what to do).

    `reason` also fills `{because}`, as `: reason`, and is dropped where nothing is known.
    """
    message = CATALOGUE[code]
    known = _known(facts)
    return _sentence(message.what_happened, known), _sentence(message.what_to_do, known)


def waiting(code: str, facts: Mapping[str, str]) -> str:
    """Why something waits, in one sentence, with the facts filled in.

    A code may carry words of its own behind a colon (`result.cut: its end is missing`); one that is not known
    here, from another version's status, is repeated as it is.
    """
    word, _, reason = code.partition(": ")
    template = WAITING.get(word) or (CATALOGUE[word].what_happened if word in CATALOGUE else None)
    if template is None:
        return _sentence("{code}", _Facts(code=code))
    return _sentence(template, _known({**facts, **({"reason": reason} if reason else {})}))


def for_a_person(code: str) -> str | None:
    """What a person has to do before something that waits goes on; None where it goes on by itself."""
    return CATALOGUE[code].what_to_do if code in _FOR_A_PERSON else None


def duration(seconds: float) -> str:
    """A length of time in the largest unit that leaves no long fraction: `24 hours`, `90 seconds`."""
    for unit, size in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= 2 * size and (seconds / size).is_integer():
            return f"{seconds / size:g} {unit}s"
    return f"{seconds:g} seconds"


def _known(facts: Mapping[str, str]) -> _Facts:
    known = _Facts(facts)
    reason = facts.get("reason", "").strip().rstrip(" .,:;")
    known["because"] = f": {reason}" if reason else ""
    known["reason"] = reason or "no reason was given"
    known.setdefault("suggestions", "")
    return known


def _sentence(template: str, facts: _Facts) -> str:
    text = _SECOND_STOP.sub("", template.format_map(facts).strip())
    if text and text[-1] not in ".!?…":
        text += "."
    return text[:1].upper() + text[1:]
