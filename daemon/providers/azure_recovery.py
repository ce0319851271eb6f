"""What became of a batch whose id was never told: found by its source, or proven absent, or nobody can say.

To find a batch is proof by itself. To find none proves something only where it would have been in the list, and no
clock of this machine has a part in that: it may be wrong, or have been wrong when the document was submitted. A
batch is created after its original was uploaded; so everything since the upload is looked through, which the
storage dates (`x-ms-creation-time`), and the storage's clock has to agree with the service's (`Date`).
"""

from datetime import timedelta

from daemon import names
from daemon.errors import ServiceError
from daemon.providers.azure_batch import Batches, Search
from daemon.providers.azure_storage import Blobs, Uploaded
from daemon.providers.base import Absent, AskAgain, Found, Intent, Recovery, Unknown

# An absence is proven by two looks at the list this far apart.
_APART_S = 60.0
_SOON_S, _ASK_FOR_S = 5.0, 3600.0
# The two clocks of Azure's may differ by so much; batches from a little more before the upload are looked into.
_AGREE, _EARLIER = timedelta(minutes=1), timedelta(minutes=5)
# Without an upload to go by: so far around the submission, by our clock.
_AROUND = timedelta(hours=1)
# What may be said of a list that cannot be had: asking again would not help.
_NO_LIST = frozenset({400, 404, 405, 410})


def recover(batches: Batches, blobs: Blobs, intent: Intent) -> Recovery:
    """See `Provider.recover`. Raises ServiceError when nobody can be asked now."""
    uploaded, trouble = _uploaded(blobs, intent.attempt.sent_name)
    try:
        search = _search(batches, intent, uploaded)
    except ServiceError as error:
        if error.http_status in _NO_LIST:
            return Unknown()
        raise
    if search.batch is not None:
        return Found(ref=f"{search.batch}/{intent.attempt.sent_name}")
    if trouble is not None:
        raise trouble
    if not search.final and intent.asked_for_s < _ASK_FOR_S:
        # Some batch has not begun, and may be the one.
        return AskAgain(after_s=_SOON_S if intent.asked_for_s < _APART_S else _APART_S)
    if intent.asked_for_s < _APART_S:
        return AskAgain(after_s=_APART_S - intent.asked_for_s)
    return Absent() if search.final and _covers(search, uploaded) else Unknown()


def _uploaded(blobs: Blobs, name: str) -> tuple[Uploaded | None, ServiceError | None]:
    """The original in the storage. A storage that cannot be asked keeps no batch from being found."""
    try:
        return blobs.uploaded(name), None
    except ServiceError as error:
        return None, error


def _search(batches: Batches, intent: Intent, uploaded: Uploaded | None) -> Search:
    token = names.token(intent.attempt.job, intent.attempt.number)
    if uploaded is not None and uploaded.at is not None:
        return batches.find(token, uploaded.at - _EARLIER)
    return batches.find(token, intent.submitted_at - _AROUND, intent.submitted_at + _AROUND)


def _covers(search: Search, uploaded: Uploaded | None) -> bool:
    """Whether the batch would have been in the list.

    Without its source this was no batch of ours: it may have gone before storage was configured.
    """
    if uploaded is None or uploaded.at is None or uploaded.now is None or search.now is None:
        return False
    return abs(search.now - uploaded.now) <= _AGREE and uploaded.at - uploaded.now <= _AGREE
