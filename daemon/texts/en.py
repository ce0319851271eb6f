"""English: the language of the journal's phrases, of logs and of commands."""

from typing import Final

from daemon.texts import Language

_AGAIN = "move the file back into {inbox} to try again."
_WAITS = "Nothing for you: the file waits and goes on by itself."

ENGLISH: Final = Language(
    tag="en",
    messages={
        # -- the drop itself
        "drop.empty": (
            "The file is empty.",
            "Check that it was copied completely, then put it into {inbox} again.",
        ),
        "drop.too_large": (
            "The file is {size}; {provider} takes at most {limit}.",
            "Split or shrink the file, then put the smaller files into {inbox}.",
        ),
        "drop.type": (
            "{provider} does not translate {extension} files.",
            "Save it as one of these and drop it again: {extensions}.",
        ),
        "drop.unreadable": (
            "The file could not be read: {reason}.",
            "Ask the administrator to check its permissions, then " + _AGAIN,
        ),
        "drop.damaged": (
            "The file cannot be read as a document{because}.",
            "Open it in its program, save it anew, and put that into {inbox}.",
        ),
        "drop.no_text": (
            "There is no text to translate in the file.",
            "Check that its text is text and not a picture, then put it into {inbox} again.",
        ),
        "drop.gone": (
            "The file was taken out of processing/ before it could be sent.",
            "Put it into {inbox} again if it should be translated.",
        ),
        "drop.withdrawn": (
            "The file was withdrawn before it was sent: somebody put {sign} into {inbox}.",
            "If it should be translated after all, remove {sign} and move the file back into {inbox}.",
        ),
        "language.unknown": (
            "{reason}",
            "Move the file into a folder that names a language {provider} knows{suggestions}.",
        ),
        # -- the submission
        "submit.rejected": (
            "{provider} did not take the file{because}.",
            "Change what it names, then " + _AGAIN,
        ),
        "submit.uncertain": (
            "Nobody can say whether {provider} has taken the file (and will bill it){because}.",
            "Look into the account at {provider}. If it is not there, " + _AGAIN,
        ),
        "submit.parts": (
            "The settings for {provider} changed while the file was being handed over in parts.",
            "To send it anew, " + _AGAIN,
        ),
        # -- the job at the service
        "provider.failed": (
            "{provider} could not translate the file{because}.",
            "Check the file, then " + _AGAIN,
        ),
        "provider.lost": (
            "{provider} no longer knows the job it had accepted ({remote_id}).",
            "Ask {provider} about it, or " + _AGAIN,
        ),
        "deadline.passed": (
            "{provider} accepted the file but has not finished it within {deadline}.",
            (
                "Ask {provider} about job {remote_id}. When you move the file back into {inbox}, the old job is asked "
                "first."
            ),
        ),
        "result.unusable": (
            "{provider} says that the translation is ready, but it could not be fetched whole{because}.",
            "When you move the file back into {inbox}, the paid result is asked for first.",
        ),
        # -- the account: files wait
        "account.key": (
            "{provider} does not accept the key{because}.",
            "The administrator has to renew the key; files wait.",
        ),
        "account.no_key": (
            "There is no key for {provider}: {reason}.",
            "The administrator has to provide the key; files wait.",
        ),
        "account.blocked": (
            "{provider} does not let the account work{because}.",
            "The administrator has to look into the account (subscription, credit, quota); files wait.",
        ),
        "account.throttled": ("{provider} asks to send less.", _WAITS),
        "account.full": ("{provider} has as many jobs of this account under way as it allows.", _WAITS),
        # -- the way to the service
        "service.unreachable": ("{provider} cannot be reached{because}.", _WAITS),
        "service.error": ("{provider} answers with an error of its own{because}.", _WAITS),
        "service.unreadable": (
            "{provider} answers with something that its documents do not describe{because}.",
            _WAITS,
        ),
        # -- fetching the result: asked again, then result.unusable
        "result.gone": ("The link to the result no longer works.", _WAITS),
        "result.cut": ("The result did not arrive whole{because}.", _WAITS),
        "result.wrong": ("What came is no {extension} file{because}.", _WAITS),
        "result.empty": ("The result is empty.", _WAITS),
        "result.too_large": ("The result is larger than {limit}.", _WAITS),
        "result.refused": (
            "The result lies at an address that is not allowed{because}.",
            "The administrator can allow it with result_hosts.",
        ),
    },
    waiting={
        # -- in the inbox
        "settling": "Waiting for the file to stay unchanged.",
        "empty": "The file is empty; waiting for its content.",
        "open": "Still open for writing in another program.",
        "no_end": "The end of the document is missing; waiting for the rest of it.",
        "folder.stopped": "A file called STOP holds its folder; the file is taken when that is removed.",
        # -- after the claim
        "share.away": "The share is away; nothing is touched until it is back.",
        "drop.changing": "Somebody has written to the file after it was taken; it rests again.",
        "drop.busy": "Another program has the file open for writing.",
        "drop.unreadable": "The file cannot be read for now; the disk or the share is in trouble.",
        "account.window": "As many requests as the service allows have been sent; there is room again soon.",
        "budget.spent": "This month's budget for {provider} is spent; it goes on next month, or with a higher one.",
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
    },
    left_alone={
        "link": "a symbolic link, never followed",
        "other": "no regular file",
        "linked": "it has several names (hard links)",
        "deep": "too many folders deep",
        "no_language": "not in a language folder: inbox/<provider>/<lang>/",
        "no_provider": "no provider of this name is configured",
        "unreadable": "cannot be read{because}",
        "immovable": "cannot be moved{because}",
        "withdrawn": "withdrawn by {reason} beside it; it is taken when that is removed",
        "too_late": "it comes too late: the service has the file already, and its translation goes on",
    },
    units={
        "day": ("day", "days"),
        "hour": ("hour", "hours"),
        "minute": ("minute", "minutes"),
        "second": ("second", "seconds"),
    },
    no_reason="no reason was given",
    thousands=",",
    decimal=".",
)
