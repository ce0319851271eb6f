"""The only room that knows apprise: says whether an address is one, and sends one message to it.

Addresses are secrets as a whole: they hold keys and passwords. Nothing that apprise says about them leaves this
room, what it logs ends here (`_Ear`), and a failure is told in words of our own. Its library is loaded when the
first address is looked at, so that those who notify nobody need not have it.

A send blocks as long as the service likes; whoever calls it brings a thread and a limit.
"""

import logging
import re
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from daemon import extras

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

MISSING: Final = "apprise is not installed"
INSTALL: Final = extras.install("notify")

_SCHEME = re.compile(r"([a-z0-9]{2,20})://.", re.IGNORECASE)
_ANSWERED = re.compile(r"\berror=([1-5][0-9]{2})\b")
_CUT_OFF = re.compile(r"connection error|timed? ?out|socket", re.IGNORECASE)
# They log addresses, the first at every level, the others where something is retried or at debug.
_TALKATIVE: Final = ("apprise", "urllib3", "requests", "slixmpp", "paho")
# Of the asset, as far as this version knows it: no files beside, no links to pictures, nothing in the text is
# interpreted, no redirects with our words, and no threads of its own (interpreters wait for those at their end).
_SETTINGS: Final = {
    "app_id": "babeldrop",
    "app_desc": "babeldrop",
    "app_url": "",
    "async_mode": False,
    "http_redirects": False,
    "image_url_logo": "",
    "image_url_mask": "",
    "interpret_emojis": False,
    "interpret_escapes": False,
    "pem_autogen": False,
    "pgp_autogen": False,
    "secure_logging": True,
}


class CourierError(Exception):
    """A message that was not sent; says why in a few words, without the address."""


def installed() -> bool:
    """Whether the library is there."""
    try:
        import apprise  # noqa: F401, PLC0415  heavy, and not always installed
    except ImportError:
        return False
    return True


def unusable(url: str) -> str | None:
    """What is wrong with an address as far as can be said offline, without repeating it; None: nothing."""
    try:
        _open(url)
    except CourierError as error:
        return str(error)
    return None


def send(url: str, title: str, body: str, *, good: bool) -> None:
    """Send one plain text. Raises CourierError."""
    try:
        service = _open(url)
        from apprise import NotifyFormat, NotifyType  # noqa: PLC0415  as above

        kind = NotifyType.SUCCESS if good else NotifyType.WARNING
        _EAR.begin()
        sent = service.notify(title=title, body=body, notify_type=kind, body_format=NotifyFormat.TEXT)
    except CourierError:
        raise
    except Exception as error:  # noqa: BLE001  of a hundred services each breaks in its own way
        # Its text may hold the address, and so may its traceback.
        raise CourierError(f"apprise broke ({type(error).__name__})") from None
    if not sent:
        raise CourierError(_EAR.heard())


class _Ear(logging.Handler):
    """Where the libraries' log ends: of each thread it keeps in a word of ours why the last send failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()

    def begin(self) -> None:
        self._of_thread.why = ""

    def heard(self) -> str:
        return getattr(self._of_thread, "why", "") or "the service did not take it"

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  a library's mistake in its own log is nobody's business
            return
        if answered := _ANSWERED.search(text):
            self._of_thread.why = f"the service answered {answered[1]}"
        elif _CUT_OFF.search(text) and not getattr(self._of_thread, "why", ""):
            self._of_thread.why = "no connection to the service, or no answer from it"


_EAR: Final = _Ear()


@cache
def _silence() -> None:
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.addHandler(_EAR)
    # Below a warning nothing is even put into words.
    logging.getLogger("apprise").setLevel(logging.WARNING)


def _open(url: str) -> "Apprise":
    """A sender to exactly this address. Raises CourierError."""
    _silence()
    try:
        from apprise import Apprise  # noqa: PLC0415  heavy, and not always installed
    except ImportError:
        raise CourierError(f"{MISSING}: {INSTALL}") from None
    if _SCHEME.match(url) is None:
        raise CourierError("no address with a scheme")
    try:
        # Not `add(url)`, which takes a text apart at commas and spaces.
        service = Apprise.instantiate(url, asset=_asset())
    except Exception as error:  # noqa: BLE001  as above
        raise CourierError(f"apprise broke ({type(error).__name__})") from None
    if service is None:
        raise CourierError("no address that apprise knows, or not a whole one")
    sender = Apprise(asset=_asset())
    sender.add(service)
    return sender


@cache
def _asset() -> "AppriseAsset":
    from apprise import AppriseAsset, PersistentStoreMode  # noqa: PLC0415  as above

    settings: dict[str, Any] = {name: value for name, value in _SETTINGS.items() if hasattr(AppriseAsset, name)}
    if hasattr(AppriseAsset, "_service_timeout"):
        # A limit of its own would bring threads that cannot be left behind; the caller has one.
        settings["service_timeout"] = 0
    return AppriseAsset(storage_mode=PersistentStoreMode.MEMORY, **settings)
