"""A provider entry at work: its adapter, its account, its way to the service, and what waits for it.

Each desk has pools of its own: two for transfers (uploads; downloads and moves of files) and one for control
(status calls), so that a large upload delays neither polls nor deliveries, nor anything of another service.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from daemon.accounts import Account
from daemon.agenda import Agenda
from daemon.clock import Clock
from daemon.languages import LanguageTable, Route, UnknownLanguageError, route_for
from daemon.providers import KINDS
from daemon.providers.base import Capabilities, Provider
from daemon.settings import ProviderSettings, Rate, Secret
from daemon.transport import Session

TRANSFERS = 8
CONTROLS = 4
_MOST_ROUTES = 1000
# langcodes fills what it knows of a tag in the sight of all threads, so only one may ask at a time.
_ROUTING = threading.Lock()


@dataclass(slots=True)
class Lanes:
    """What waits for which kind of step. Jobs wait to be settled (a submission of which nobody knows), submitted
    or finished, parts to be looked at or fetched; a part's key is `<job>.<part>`.
    """

    settle: Agenda = field(default_factory=Agenda)
    submit: Agenda = field(default_factory=Agenda)
    poll: Agenda = field(default_factory=Agenda)
    fetch: Agenda = field(default_factory=Agenda)
    finish: Agenda = field(default_factory=Agenda)


@dataclass(slots=True, kw_only=True)
class Desk:
    name: str
    settings: ProviderSettings
    provider: Provider
    account: Account
    session: Session
    lanes: Lanes
    uploads: ThreadPoolExecutor
    downloads: ThreadPoolExecutor
    controls: ThreadPoolExecutor
    _routes: dict[str, tuple[LanguageTable, Route | UnknownLanguageError]] = field(default_factory=dict)

    @property
    def capabilities(self) -> Capabilities:
        return self.provider.capabilities

    @property
    def title(self) -> str:
        return self.provider.title

    @property
    def unit(self) -> dict[str, str]:
        """What the service counts costs in, for the journal; nothing where it reports none."""
        return {"unit": self.capabilities.costs} if self.capabilities.costs else {}

    def route(self, folder: str) -> Route:
        """What a language folder asks for. Raises UnknownLanguageError."""
        table = self.capabilities.languages
        known = self._routes.get(folder)
        found = known[1] if known is not None and known[0] is table else self._find_route(folder)
        if len(self._routes) < _MOST_ROUTES:
            self._routes[folder] = (table, found)
        if isinstance(found, UnknownLanguageError):
            raise UnknownLanguageError(found.folder, str(found), found.suggestions)
        return found

    def _find_route(self, folder: str) -> Route | UnknownLanguageError:
        try:
            with _ROUTING:
                return route_for(
                    folder,
                    table=self.capabilities.languages,
                    listed=self.settings.languages,
                    default_source=self.settings.source_language,
                )
        except UnknownLanguageError as error:
            return error

    @property
    def poll_every_s(self) -> float:
        return self.settings.poll.every or self.capabilities.poll_every_s

    @property
    def poll_at_most_s(self) -> float:
        return max(self.poll_every_s, self.settings.poll.at_most or self.capabilities.poll_at_most_s)

    def close(self) -> None:
        for pool in (self.uploads, self.downloads, self.controls):
            pool.shutdown(wait=False, cancel_futures=True)


def open_desks(
    providers: Mapping[str, ProviderSettings],
    clock: Clock,
    stopping: threading.Event,
    was_active: Callable[[str, float], bool],
) -> dict[str, Desk]:
    """A desk for each configured provider; those with the same origin and key share an account.

    `was_active(provider, seconds)` says whether requests may have been sent for a provider within that time
    before this start: then its windows begin full.
    """
    members: dict[str, list[str]] = {}
    for name, settings in providers.items():
        members.setdefault(_account_name(name, settings), []).append(name)
    desks: dict[str, Desk] = {}
    for account_name, names in members.items():
        account = _open_account(account_name, {name: providers[name] for name in names}, clock, was_active)
        for name in names:
            desks[name] = _open_desk(name, providers[name], account, clock, stopping)
    return desks


def _open_account(
    name: str,
    members: Mapping[str, ProviderSettings],
    clock: Clock,
    was_active: Callable[[str, float], bool],
) -> Account:
    """The account of one or several entries; where their limits differ the narrower ones count."""
    windows: dict[str, Rate] = {}
    limits: list[int] = []
    for settings in members.values():
        facts = KINDS[settings.kind].facts(settings)
        for verb, rate in _windows(settings, facts).items():
            if verb not in windows or rate.requests / rate.per < windows[verb].requests / windows[verb].per:
                windows[verb] = rate
        if facts.max_in_flight is not None:
            limits.append(facts.max_in_flight)
    longest = max((rate.per for rate in windows.values()), default=0.0)
    full = any(was_active(member, longest) for member in members)
    return Account(name, windows, min(limits, default=None), clock, full=full)


def _open_desk(
    name: str, settings: ProviderSettings, account: Account, clock: Clock, stopping: threading.Event
) -> Desk:
    kind = KINDS[settings.kind]
    session = Session(settings, account, clock, partial(kind.credentials, settings), stopping)
    return Desk(
        name=name,
        settings=settings,
        provider=kind(settings, session),
        account=account,
        session=session,
        lanes=Lanes(),
        uploads=ThreadPoolExecutor(TRANSFERS, thread_name_prefix=f"{name}-upload"),
        downloads=ThreadPoolExecutor(TRANSFERS, thread_name_prefix=f"{name}-download"),
        controls=ThreadPoolExecutor(CONTROLS, thread_name_prefix=f"{name}-control"),
    )


def _windows(settings: ProviderSettings, facts: Capabilities) -> dict[str, Rate]:
    """The windows in force: the documented ones, with the configured ones over them."""
    if settings.rate == "documented":
        return dict(facts.windows)
    if settings.rate is None:
        return {}
    if isinstance(settings.rate, Rate):
        return {"*": settings.rate}
    return {**facts.windows, **{str(verb): rate for verb, rate in settings.rate.items()}}


def _account_name(name: str, settings: ProviderSettings) -> str:
    if settings.account:
        return settings.account
    # A kind that signs in otherwise has none, and shares its account by name alone.
    secret: Secret | None = settings.api_key
    try:
        key = secret.read() if secret is not None else ""
    except LookupError:
        key = ""
    if not key:
        return name
    same = hashlib.sha256(f"{settings.base_url}\n{key}".encode()).hexdigest()
    return f"key {same[:12]}"
