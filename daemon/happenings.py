"""What a snapshot of status.json says about the things that people are told of: share, accounts, budgets."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from daemon.clock import moment
from daemon.digest import SETTLE_S, UNSURE, Key, Seen, Trouble

_SHARE: Final[Key] = ("share_away", "root")
_NEEDS_A_PERSON: Final = frozenset({"account.key", "account.no_key", "account.blocked"})


def seen_in(snapshot: Mapping[str, Any], used: Collection[str], wall: datetime, patience_s: float) -> Seen:
    """How everything stands.

    `used` are the providers whose account was needed since the start: one that nobody has used yet looks open,
    and may be as closed as it was. A closed one that may open by itself counts after `patience_s`.
    """
    share = snapshot["share"]
    found: dict[Key, Trouble | Literal["unsure"] | None] = {_SHARE: None}
    if not share["there"]:
        # Its sentence names the root already.
        root = str(snapshot.get("root", ""))
        why = str(share["why"]).rstrip(".").removeprefix(f"{root}: ")
        facts = {"why": f"it {why.removeprefix(f'{root} ')}" if why.startswith(f"{root} ") else why}
        found[_SHARE] = Trouble(code="share_away", since=_since(share["since"], wall), facts=facts)
    found.update(_accounts(snapshot, used, wall, patience_s))
    for row in snapshot.get("budget") or []:
        found["budget", row["provider"]] = _budget(row, snapshot["titles"], wall)
    return found


def _accounts(
    snapshot: Mapping[str, Any], used: Collection[str], wall: datetime, patience_s: float
) -> Iterator[tuple[Key, Trouble | Literal["unsure"] | None]]:
    for row in snapshot["accounts"]:
        providers = row["providers"]
        # The account's own name may change with its key.
        key: Key = ("blocked", "+".join(sorted(providers)))
        if row["door"] == "open":
            yield key, None if any(name in used for name in providers) else UNSURE
        else:
            titles = ", ".join(_title(name, snapshot["titles"]) for name in providers)
            code = str(row["reason"] or "account.closed")
            settle_s = SETTLE_S if code in _NEEDS_A_PERSON else max(SETTLE_S, patience_s)
            since = _since(row["since"], wall)
            yield key, Trouble(code=code, since=since, facts={"provider": titles}, settle_s=settle_s)


def _budget(row: Mapping[str, Any], titles: Mapping[str, str], wall: datetime) -> Trouble | None:
    if row["state"] == "ok":
        return None
    numbers = {name: _number(row[name]) for name in ("spent", "per_month")}
    facts = {"provider": _title(row["provider"], titles), "unit": str(row["unit"]), **numbers}
    return Trouble(code=f"budget.{row['state']}", since=wall, facts=facts)


def _number(value: float) -> str:
    """At most two digits behind the point; thousands with a comma."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _title(name: str, titles: Mapping[str, str]) -> str:
    """A provider as people know it: by its service, and by its folder where that has another name."""
    title = titles.get(name, name)
    return title if title.casefold() == name.casefold() else f"{title} ({name})"


def _since(text: str | None, wall: datetime) -> datetime:
    return moment(text) if text else wall
