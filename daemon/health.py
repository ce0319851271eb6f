"""Is somebody needed? Decided from the view's facts alone, for `/healthz`, metrics and alarms.

Never green while files silently wait. A file may wait for a service, a window or a full account as long as that
goes on by itself; what only a person can end, and what should have gone on long ago, is `failing`. Sentences
name no files, because they may be read without a login.

    ok        nothing to say
    degraded  something is not as it should be, and goes on by itself; still 200
    failing   a person is needed, or nobody can tell that work goes on: 503
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from daemon import messages
from daemon.clock import moment, seconds_between
from daemon.stability import Reason as Resting

SHARE_S = 300.0
"""A share that comes back within this time has only hiccupped."""
STUCK_S = 900.0
"""What goes on by itself here, on disk and share, has done so by then."""
OUTAGE_S = 3600.0
"""So long a service may be away before somebody should know."""
WORKING_S = 6 * 3600.0
"""No single transfer takes longer."""
DAY_S = 86400.0
"""Whatever the reason: a file that has waited for so long is not forgotten in a queue."""
_NO_KEY = "There is no key for {provider}."
_TO_DO: Mapping[str, str] = {
    "disk.full": "Make room there.",
    "folder.trouble": "Look at the disk or the share; the log names the folder.",
    "drop.unreadable": "Look at the disk or the share; the log names the file.",
    "provider.removed": "Put it back.",
    "internal.error": "Please report what stands there.",
}
_HELD_UP: Mapping[str, str] = {
    "claimed": "A file for {provider} has waited for {age} and is not handed over.",
    "submitting": "A file for {provider} has been on its way to it for {age}.",
    "in_flight": "A file has been at {provider} for {age}, longer than its deadline.",
}
_SCAN_LEAST_S = 60.0
_FIRST_SCAN_S = 300.0

NEEDS_A_PERSON = frozenset({"account.key", "account.no_key", "account.blocked"})
"""Why an account is closed until somebody acts."""
QUEUES = frozenset({"account.window", "account.closed", "account.throttled", "account.full"})
"""A job that waits its turn; whether the turn comes is judged by its account and by what moves."""
AT_THE_SERVICE = frozenset(
    {"service.unreachable", "service.error", "service.unreadable", "submit.uncertain", "submit.asking"}
    | {"provider.lost", "result.gone", "result.cut", "result.wrong", "result.empty"}
)
"""Asked again until it works; not for ever without a word."""
HERE = frozenset({"drop.changing", "drop.busy", "share.away", "daemon.stopping"})
"""Over when a program lets go of a file, or the share is back."""
SETTLING = frozenset({"", *(reason.value for reason in Resting)})
"""A drop that is not complete yet. Every code that is named nowhere is a person's."""


class Level(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is not as it should be: a stable word for programs, a sentence for people."""

    code: str
    level: Level
    sentence: str
    provider: str = ""
    """Whose matter it is; empty: everybody's."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is to be said; no reason at all is `ok`."""

    reasons: tuple[Reason, ...]

    @property
    def level(self) -> Level:
        levels = {reason.level for reason in self.reasons}
        return next((one for one in (Level.FAILING, Level.DEGRADED) if one in levels), Level.OK)

    @property
    def ok(self) -> bool:
        return self.level is not Level.FAILING

    @property
    def code(self) -> int:
        """The HTTP status of `/healthz`."""
        return 200 if self.ok else 503

    @property
    def sentences(self) -> list[str]:
        return [reason.sentence for reason in self.reasons]

    def as_json(self) -> dict[str, Any]:
        rows = [asdict(reason) | {"provider": reason.provider or None} for reason in self.reasons]
        return {"status": self.level.value, "reasons": rows}


def health(facts: Mapping[str, Any]) -> Health:
    """The judgement over `View.facts()`; what is missing there is taken for not known, never for good."""
    look = _Look(facts)
    rules = (_helpers, _share, _scan, _accounts, _waits, _still, _states, _inbox, _budget, _beside)
    found = [reason for rule in rules for reason in rule(look)]
    return Health(tuple(sorted(found, key=lambda reason: reason.level is not Level.FAILING)))


class _Look:
    """The facts, with ages instead of moments."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.measured: Mapping[str, Any] = facts.get("measured") or {}
        self.now = moment(facts["at"])

    def age(self, text: str | None) -> float | None:
        """Seconds since a moment; None for one that never was."""
        return seconds_between(moment(text), self.now) if text else None

    def is_older(self, text: str | None, seconds: float) -> bool:
        age = self.age(text)
        return age is not None and age > seconds

    def rows(self, name: str) -> Iterable[Mapping[str, Any]]:
        return self.measured.get(name) or ()

    def title(self, provider: str) -> str:
        title: str = (self.facts.get("titles") or {}).get(provider, provider)
        return title

    def alive(self, provider: str) -> int:
        """Jobs of a provider that have not ended."""
        return sum(row["count"] for row in self.rows("jobs") if row["provider"] == provider)

    def account(self, provider: str) -> Mapping[str, Any]:
        rows = self.facts.get("accounts") or ()
        return next((row for row in rows if provider in row["providers"]), {})


def _failing(code: str, sentence: str, provider: str = "") -> Reason:
    return Reason(code, Level.FAILING, sentence, provider)


def _degraded(code: str, sentence: str, provider: str = "") -> Reason:
    return Reason(code, Level.DEGRADED, sentence, provider)


def files(count: int, verb: str = "wait") -> str:
    """`1 file waits`, `3 files wait`."""
    return f"{count} file {verb}s" if count == 1 else f"{count} files {verb}"


def length(seconds: float) -> str:
    """About how long: whole minutes, hours or days."""
    for unit, size in (("day", DAY_S), ("hour", 3600.0)):
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {unit}s"
    minutes = max(1, int(seconds / 60))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


# -- the daemon itself ---------------------------------------------------------------------------------------------


def _helpers(look: _Look) -> Iterator[Reason]:
    stalled = look.facts.get("stalled") or ()
    if stalled:
        who = ", ".join(stalled)
        yield _failing("helper.stalled", f"A part of the daemon makes no progress ({who}). Restart babeldrop.")
    if not look.measured:
        yield _failing("facts.missing", "Nobody can tell what the daemon does. See the log; restart babeldrop.")
    problem = look.facts.get("config_problem")
    if problem:
        yield _degraded(
            "config.refused",
            "The changed configuration was refused and the old one is in force. See `babeldrop check`.",
        )


def _share(look: _Look) -> Iterator[Reason]:
    share = look.facts.get("share") or {}
    if share.get("there"):
        return
    age = look.age(share.get("since"))
    told = f"The share is away{f' for {length(age)}' if age is not None else ''}; nothing is taken or delivered."
    if age is None or age > SHARE_S:
        yield _failing("share.away", f"{told} Bring it back; babeldrop goes on by itself.")
    else:
        yield _degraded("share.away", told)


def _scan(look: _Look) -> Iterator[Reason]:
    if not (look.facts.get("share") or {}).get("there"):
        return
    scan = look.measured.get("scan") or {}
    every_s = float((look.facts.get("detector") or {}).get("scan_s") or 0.0)
    last, patience = scan.get("at"), max(_SCAN_LEAST_S, 3 * every_s) + float(scan.get("seconds") or 0.0)
    if last is None:
        last, patience = look.facts.get("started_at"), max(_FIRST_SCAN_S, patience)
    age = look.age(last)
    if age is None or age > patience:
        since = f" for {length(age)}" if age is not None else ""
        yield _failing("scan.late", f"The inboxes have not been looked through{since}. See the log; restart babeldrop.")


# -- jobs and accounts ---------------------------------------------------------------------------------------------


def _accounts(look: _Look) -> Iterator[Reason]:
    for row in look.facts.get("accounts") or ():
        if row["door"] == "open":
            continue
        title, who = look.title(row["providers"][0]), ",".join(row["providers"])
        code: str = row["reason"] or "account.closed"
        waiting = sum(map(look.alive, row["providers"]))
        why = (
            _NO_KEY.format(provider=title) if code == "account.no_key" else messages.waiting(code, {"provider": title})
        )
        wait = f" {files(waiting)}." if waiting else ""
        if row["door"] == "trial" and not (waiting and look.is_older(row["since"], OUTAGE_S)):
            yield _degraded(code, f"{title} answers again; the next file shows whether it works.{wait}", who)
        elif row["door"] == "closed" and code in NEEDS_A_PERSON:
            yield _failing(code, f"{why}{wait} {_to_do(code, title)}", who)
        elif waiting and look.is_older(row["since"], OUTAGE_S):
            age = length(look.age(row["since"]) or 0.0)
            yield _failing(code, f"{title} has taken nothing for {age}. {why}{wait}", who)
        else:
            yield _degraded(code, f"{why}{wait} It is tried again by itself.", who)


def _waits(look: _Look) -> Iterator[Reason]:
    held = {row["provider"] for row in look.facts.get("budget") or () if row.get("held_until")}
    for row in look.rows("waits"):
        code, title = row["why"], look.title(row["provider"])
        if code == "budget.spent" and row["provider"] in held:
            # Told with its numbers below.
            continue
        why = messages.waiting(code, {"provider": title})
        told = f"{files(row['jobs'])} at {title}: {why}"
        account = look.account(row["provider"])
        if code in QUEUES or (account.get("door") == "closed" and account.get("reason") == code):
            # What closed the account is told with the account, for all its files.
            continue
        if code not in AT_THE_SERVICE | HERE:
            yield _failing(code, f"{told} {_to_do(code, title)}".rstrip(), row["provider"])
        elif look.is_older(row["since"], STUCK_S if code in HERE else OUTAGE_S):
            yield _failing(code, f"{told} So for {length(look.age(row['since']) or 0.0)}.", row["provider"])


def _to_do(code: str, title: str) -> str:
    if code in messages.CATALOGUE:
        return messages.render(code, {"provider": title})[1]
    return _TO_DO.get(code, "See `babeldrop status`.")


def _still(look: _Look) -> Iterator[Reason]:
    """Work is there, nothing forbids it, and yet nothing moves: neither a job nor a byte nor an answer."""
    for row in look.rows("providers"):
        name = row["name"]
        account, waiting = look.account(name), look.alive(name)
        paused = account.get("paused_until")
        excused = account.get("door") == "closed" or (paused and moment(paused) > look.now)
        full = any(room["room"] == 0 for room in look.rows("rooms") if room["provider"] == name)
        if not waiting or excused or full or not (look.facts.get("share") or {}).get("there"):
            continue
        last = row["moved"] or look.facts.get("started_at")
        patience = max(STUCK_S, 3 * row["poll_s"])
        if look.is_older(last, patience):
            age = length(look.age(last) or 0.0)
            yield _failing(
                "provider.still",
                f"Nothing has moved at {look.title(name)} for {age} although {files(waiting)}. "
                "See `babeldrop status` and the log.",
                name,
            )


def _states(look: _Look) -> Iterator[Reason]:
    deadlines = {row["name"]: row["deadline_s"] for row in look.rows("providers")}
    for row in look.rows("oldest"):
        state, name = row["state"], row["provider"]
        limit = {"claimed": DAY_S, "in_flight": deadlines.get(name, DAY_S) + STUCK_S}.get(state, WORKING_S)
        if look.is_older(row["since"], limit):
            told = _HELD_UP.get(state, "A file of {provider} has not been brought to its end for {age}.")
            age = length(look.age(row["since"]) or 0.0)
            yield _failing(
                "job.old", f"{told.format(provider=look.title(name), age=age)} See `babeldrop status`.", name
            )


# -- the inboxes ---------------------------------------------------------------------------------------------------


def _inbox(look: _Look) -> Iterator[Reason]:
    withdrawn = look.facts.get("withdrawn_total") or 0
    ignored = (look.facts.get("ignored_total") or 0) - withdrawn
    if withdrawn:
        told = f"{files(withdrawn, 'lie')} in the inboxes as somebody asked with a .cancel."
        yield _degraded("drop.withdrawn", f"{told} `babeldrop status` says which.")
    if ignored > 0:
        lie = "file or folder in the inboxes is" if ignored == 1 else "files or folders in the inboxes are"
        yield _failing("drop.ignored", f"{ignored} {lie} left alone. `babeldrop status` says which and why.")
    for row in look.rows("resting"):
        why, lie = row["why"], f"{files(row['files'])} in the inboxes"
        if why == "folder.stopped" and not look.is_older(row["since"], DAY_S):
            yield _degraded(why, f"{lie}: {messages.waiting(why, {})} `babeldrop status` says which.")
        elif why not in SETTLING:
            yield _failing(why, f"{lie}: {messages.waiting(why, {})} `babeldrop status` says which.")
        elif look.is_older(row["since"], STUCK_S):
            age = length(look.age(row["since"]) or 0.0)
            yield _failing(
                "drop.resting", f"{lie}, the longest unchanged for {age}: {messages.waiting(why or 'settling', {})}"
            )
    stopped = look.facts.get("stopped") or ()
    if stopped and not any(row["why"] == "folder.stopped" for row in look.rows("resting")):
        yield _degraded("folder.stopped", "A folder is held by a file called STOP; nothing waits in it yet.")
    if look.is_older(look.measured.get("unclaimed_since"), DAY_S):
        yield _failing(
            "drop.resting", "A file has been in the inboxes for more than a day. `babeldrop status` says why."
        )


# -- what stands beside the work -----------------------------------------------------------------------------------


def _budget(look: _Look) -> Iterator[Reason]:
    for row in look.facts.get("budget") or ():
        if row.get("held_until"):
            yield _failing(
                "budget.spent",
                f"The month's budget of {row['per_month']} {row['unit']} for {look.title(row['provider'])} is spent; "
                "new files wait until next month. Raise `budget` and reload to go on earlier.",
                row["provider"],
            )


def _beside(look: _Look) -> Iterator[Reason]:
    if (look.facts.get("notify") or {}).get("failing_since"):
        yield _degraded("notify.failing", "Notifications cannot be sent. See `babeldrop status`.")
