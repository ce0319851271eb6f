"""What stands above everything on the page: what keeps more than one file, in plain words, and whom it needs."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from daemon import health
from daemon.clock import moment
from daemon.web.words import Words, shown

if TYPE_CHECKING:
    from daemon.web.model import Look

_MOST_TEXT = 600
_MOST_NOTICES = 20
# What passes by itself, and what has a notice of its own.
_TOLD = health.QUEUES | health.AT_THE_SERVICE | health.HERE | {"budget.spent", "provider.removed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """`kind`: `stop` (nothing goes on), `alert` (needs somebody), `pause` (somebody wants it), `wait` (passes)."""

    kind: str
    title: str
    text: str


def notices(look: "Look", words: Words) -> Iterator[Notice]:
    """Everything that is to be said, what is worst first; of very many the first twenty."""
    told = [*_whole(look, words), *_providers(look, words), *_paused(look, words)]
    order = ("stop", "alert", "pause", "wait")
    yield from sorted(told, key=lambda one: order.index(one.kind))[:_MOST_NOTICES]


def _whole(look: "Look", words: Words) -> Iterator[Notice]:
    """What concerns the daemon or the root as a whole."""
    share = look.report["share"]
    if look.stopped:
        title = words.say("stopped", time=words.when(look.now, look.now))
        yield Notice(kind="stop", title=title, text=words.say("stopped_text"))
    elif share is not None and not share["there"]:
        root, since = shown(str(look.report["root"])), _moment(share["since"])
        title = words.say("away_since", root=root, time=words.when(since, look.now)) if since else ""
        yield Notice(
            kind="stop",
            title=title or words.say("away", root=root),
            text=words.say("away_text", why=shown(words.texts.phrase(str(share["why"])).rstrip("."), _MOST_TEXT)),
        )
    problems = look.report["config_problem"] or []
    if problems:
        why = shown(" ".join(map(str, problems)), _MOST_TEXT)
        yield Notice(kind="alert", title=words.say("config"), text=words.say("config_text", why=why))
    notify = look.report.get("notify") or {}
    if notify.get("failing_since"):
        why = shown(str(notify.get("why") or "?"), _MOST_TEXT)
        yield Notice(kind="alert", title=words.say("notify"), text=words.say("notify_text", why=why))


def _providers(look: "Look", words: Words) -> Iterator[Notice]:
    """What concerns one service: its account, its budget, or that it is not configured any more."""
    for row in look.report["providers"]:
        service = look.title(row["name"])
        busy = row["waiting"] + row["submitting"] + row["in_flight"] + row["ready"]
        if not row["configured"] and busy:
            title = words.say("removed", service=service)
            yield Notice(kind="alert", title=title, text=words.say("removed_text"))
        yield from _account(row["account"], service, look, words)
        yield from _budget(row.get("budget"), service, look, words)
        yield from _held(row, service, look, words)


def _held(row: Mapping[str, Any], service: str, look: "Look", words: Words) -> Iterator[Notice]:
    """What keeps files beside account and budget and does not pass by itself, such as a full disk."""
    for waits in row.get("waits") or ():
        code = waits["code"]
        if code and code not in _TOLD and not code.startswith("account."):
            text = f"{reason(code, service, words)} {again(waits['next_try'], look.now, words)}".strip()
            yield Notice(kind="alert", title=words.say("held", service=service), text=shown(text, _MOST_TEXT))


def _account(account: Mapping[str, Any] | None, service: str, look: "Look", words: Words) -> Iterator[Notice]:
    if account is None:
        return
    paused = _moment(account["paused_until"])
    if account["door"] == "open":
        if paused is not None and paused > look.now:
            title = words.say("throttled", service=service, time=words.when(paused, look.now))
            yield Notice(kind="wait", title=title, text=words.say("throttled_text"))
        return
    since = _moment(account["since"]) or look.now
    trial = account["door"] == "trial"
    then = words.say("trial") if trial else again(account["next_try"], look.now, words)
    code = account["code"] or ""
    text = f"{reason(code, service, words)} {then}".strip()
    yield Notice(
        kind="alert" if to_do(code, words) else "wait",
        title=words.say("closed", service=service, time=words.when(since, look.now)),
        text=shown(text, _MOST_TEXT),
    )


def _budget(budget: Mapping[str, Any] | None, service: str, look: "Look", words: Words) -> Iterator[Notice]:
    if budget is None or budget.get("state") not in ("warning", "spent"):
        return
    facts = {"spent": budget["spent"], "cap": budget["per_month"], "unit": words.unit(str(budget["unit"]))}
    if budget["state"] == "warning":
        title = words.say("budget_near", service=service)
        yield Notice(kind="wait", title=title, text=words.say("budget_near_text", **facts))
        return
    until = _moment(budget.get("held_until"))
    text = (
        words.say("budget_spent_text", **facts, time=words.when(until, look.now))
        if until
        else words.say("budget_spent_open", **facts)
    )
    yield Notice(kind="alert", title=words.say("budget_spent", service=service), text=text)


def _paused(look: "Look", words: Words) -> Iterator[Notice]:
    for row in look.report.get("stopped") or []:
        since = _moment(row.get("since")) or look.now
        sign = shown(os.path.basename(str(row.get("by") or "STOP")))
        title = words.say("paused", folder=shown(str(row["path"])), time=words.when(since, look.now))
        yield Notice(kind="pause", title=title, text=words.say("paused_text", sign=sign))


def reason(code: str, service: str, words: Words) -> str:
    """Why something waits, and what a person has to do about it, in the page's language."""
    if not code:
        return ""
    said = words.texts.waiting(code, {"provider": service})
    return " ".join(filter(None, (shown(said, _MOST_TEXT), to_do(code, words))))


def to_do(code: str, words: Words) -> str | None:
    """What a person has to do about what waits; None where it goes on by itself, or the code is not known here."""
    return words.texts.for_a_person(code) if code in words.texts.catalogue else None


def again(until: str | None, now: datetime, words: Words) -> str:
    """When something is tried again, as a sentence; nothing for never."""
    at = _moment(until)
    if at is None:
        return ""
    return words.say("again_at", time=words.when(at, now)) if at > now else words.say("again_now")


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None
