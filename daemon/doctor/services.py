"""The services: each one's key and languages, asked at no cost and through the daemon's own way to it.

One small request a provider (CAMB.AI: two), never repeated. A daemon at work does not know of it, so at worst one
of its own requests is asked to wait a little.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from daemon.clock import Clock
from daemon.config import Config
from daemon.desks import Desk, open_desks
from daemon.doctor.findings import Area, Finding, Notebook
from daemon.errors import BlockedError, NoRoomError, ServiceError, ThrottledError
from daemon.languages import UnknownLanguageError, route_for

if TYPE_CHECKING:
    from daemon.settings import Secret

_SECTION = "Services"
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY")
# What the ways to fail are called by the libraries below, what that means, and what usually helps.
_REASONS = (
    (
        ("certificate", "ssl", "tls"),
        "its certificate is not trusted",
        "Check this machine's clock and CA certificates; a proxy that opens TLS has to let this host through.",
    ),
    (
        ("name or service not known", "name resolution", "no address", "nodename"),
        "its name cannot be looked up",
        "Check base_url, and this machine's DNS.",
    ),
    (("refused",), "nothing listens at its address", "Check base_url and the port."),
    (("timeout", "timed out"), "it does not answer in time", "Let this machine connect to it (firewall)."),
    (("unreachable", "no route"), "there is no way to it", "Check this machine's network."),
)


def try_services(
    config: Config, clock: Clock, *, unreadable: Callable[[str], str | None] = lambda _: None
) -> list[Finding]:
    """Ask every service. `unreadable(provider)` says why the daemon's user could not read a key that is there."""
    desks = open_desks(config.providers, clock, threading.Event(), lambda *_: False)
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(desks))) as pool:
            answers = list(pool.map(_ask, desks.values()))
    finally:
        for desk in desks.values():
            desk.close()
            desk.session.close()
    findings: list[Finding] = []
    for desk, error in zip(desks.values(), answers, strict=True):
        closed = unreadable(desk.name)
        # A key that nobody can read is told as one that is not there.
        nowhere = isinstance(error, BlockedError) and error.code == "account.no_key"
        findings += _key(desk, error) if closed is None or nowhere else _closed(desk, closed)
        findings += _languages(desk)
    return findings


def _ask(desk: Desk) -> ServiceError | NoRoomError | None:
    try:
        desk.provider.check()
    except (ServiceError, NoRoomError) as error:
        return error
    return None


def _key(desk: Desk, error: ServiceError | NoRoomError | None) -> list[Finding]:
    unreached = error is not None and not isinstance(error, (BlockedError, ThrottledError, NoRoomError))
    book = Notebook(Area.SERVICE if unreached else Area.ACCOUNT, _SECTION)
    subject, title, address = desk.name, desk.title, desk.settings.base_url
    facts = {"kind": desk.settings.kind, "address": address, "code": getattr(error, "code", None)}
    if error is None:
        book.good(subject, f"{title} answers, and takes the key", **facts)
    elif isinstance(error, BlockedError):
        what, do = _blocked(desk, error)
        book.problem(subject, what, do, **facts)
    elif isinstance(error, (ThrottledError, NoRoomError)):
        what = f"{title} cannot be asked now: its limit of requests is reached"
        book.warning(subject, what, "Try again in some minutes.", **facts)
    else:
        what, do = _unreached(title, address, error)
        book.problem(subject, what, do, **facts)
    return book.findings


def _blocked(desk: Desk, error: BlockedError) -> tuple[str, str]:
    """What keeps the account from working, and what to do."""
    words = f": {error.provider_message}" if error.provider_message else ""
    # A kind that signs in otherwise has none.
    key: Secret | None = desk.settings.api_key
    where = key.where if key is not None else "the sign-in"
    if error.code == "account.no_key":
        if key is not None and key.credential:
            do = "Put it where LoadCredential= of the unit says; outside of the service say which folder that is: "
            return f"there is no key{words}", do + "CREDENTIALS_DIRECTORY=FOLDER babeldrop doctor."
        return f"there is no key{words}", f"Put the key into {where}."
    if error.code == "account.key":
        return f"{desk.title} does not accept the key{words}", f"Renew the key in {where}."
    return f"{desk.title} does not let the account work{words}", f"Look into the account at {desk.title}."


def _unreached(title: str, address: str, error: ServiceError) -> tuple[str, str]:
    said = error.provider_message or str(error)
    if error.http_status is not None:
        what = f"{title} does not answer as it should (HTTP {error.http_status}): {said}"
        return what, f"Check base_url ({address}); if it is right, the service is in trouble: try again later."
    reason, do = next(
        ((reason, do) for words, reason, do in _REASONS if any(word in said.lower() for word in words)),
        ("it cannot be reached", "Check base_url and this machine's network."),
    )
    return f"{title} at {address}: {reason} ({said})", do + _proxy()


def _proxy() -> str:
    named = [name for name in _PROXIES if os.environ.get(name)]
    if not named:
        return ""
    return f" {named[0]} is set, and babeldrop uses no proxy: it needs a direct way."


def _closed(desk: Desk, why: str) -> list[Finding]:
    book = Notebook(Area.ACCOUNT, _SECTION)
    do = "Give the file to the daemon's user, mode 0600."
    book.problem(desk.name, f"the daemon's user cannot read the key: {why}", do, kind=desk.settings.kind)
    return book.findings


def _languages(desk: Desk) -> list[Finding]:
    """Whether the service knows the language of each configured folder, as far as its list tells."""
    book = Notebook(Area.CONFIGURATION, _SECTION)
    table = desk.capabilities.languages
    doubtful = [folder for folder in desk.settings.languages if _doubt(desk, folder)]
    subject = f"{desk.name} languages"
    refused = {folder: why for folder in desk.settings.languages if (why := _refusal(desk, folder))}
    for folder, why in refused.items():
        do = f"Take {folder} off `languages`, or mend `source_language`."
        book.problem(subject, f"every file in {folder} would fail: {why}", do, folder=folder)
    if refused:
        return book.findings
    count = len(desk.settings.languages)
    facts = {"folders": list(desk.settings.languages), "doubtful": sorted(doubtful), "known": len(table.targets)}
    if doubtful:
        what = f"passed on as they are, because {desk.title} does not list them: {', '.join(sorted(doubtful))}"
        do = f"Compare with `babeldrop languages {desk.name}`."
        book.warning(subject, what, do, **facts)
    else:
        book.good(subject, f"all {count} folders are known" if count != 1 else "its folder is known", **facts)
    return book.findings


def _refusal(desk: Desk, folder: str) -> str | None:
    """Why no file of a configured folder will be sent, such as a target that is the source as well."""
    settings = desk.settings
    table = desk.capabilities.languages
    try:
        route_for(folder, table=table, listed=settings.languages, default_source=settings.source_language)
    except UnknownLanguageError as error:
        return str(error)
    return None


def _doubt(desk: Desk, folder: str) -> bool:
    try:
        route_for(folder, table=desk.capabilities.languages, listed=(), default_source=desk.settings.source_language)
    except UnknownLanguageError:
        return True
    return False
