"""What notifications say, in English and German: a title and a plain text of bounded length.

Names of files are other people's words: characters that services for messages give a meaning (mentions, links,
emphasis) are replaced by look-alikes, so that nobody writes a message by naming a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daemon import names
from daemon.digest import Failures, Item, Message
from daemon.messages import Texts

_MOST_NAME: Final = 120
_MOST_WHY: Final = 300
_MOST_PROVIDERS: Final = 10
_ACTIVE: Final = str.maketrans({"@": "＠", "<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "*": "∗", "|": "¦"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One notification. `good`: it tells of nothing but ends."""

    title: str
    body: str
    good: bool


@dataclass(frozen=True, slots=True)
class _Words:
    titles: Mapping[str, str]
    lines: Mapping[str, str]
    failed: tuple[str, str]
    failed_since: tuple[str, str]
    beside: tuple[str, str]
    more: tuple[str, str]
    more_news: tuple[str, str]
    units: Mapping[str, str]
    """What costs are counted in, where the configuration's own word is not this language's."""
    reasons: Mapping[str, str]
    """Why the share is away, as far as this program says it and not the system."""
    by_itself: str
    late: str
    lost: tuple[str, str]
    test: tuple[str, str]


_EN = _Words(
    titles={
        "share_away began": "the share is away",
        "share_away ended": "the share is back",
        "share_away passed": "the share was away",
        "blocked began": "{provider} takes no files",
        "blocked ended": "{provider} takes files again",
        "blocked passed": "{provider} took no files for a while",
        "budget.warning began": "80 % of the budget for {provider} is used",
        "budget.warning after budget.spent": "the budget for {provider} has room again",
        "budget.spent began": "the budget for {provider} is used up",
        "budget ended": "the budget for {provider} has room again",
        "budget passed": "the budget for {provider} was nearly used up for a while",
    },
    lines={
        "share_away began": "The folder {root} has been away since {at}: {why}. Nothing is lost and nothing is "
        "written; work goes on by itself when it is back. Check the server and the mount.",
        "share_away ended": "The folder {root} has been back since {at}. It was away for {length}; work goes on.",
        "share_away passed": "The folder {root} was away for {length}, from {at}.",
        "share_away often": "The folder {root} was away {times} times since {at}, for {length} in all.",
        "blocked began": "{provider} has taken no files since {at}. {why} {to_do}",
        "blocked ended": "{provider} has taken files again since {at}, after {length}. What waited goes on.",
        "blocked passed": "{provider} took no files for {length}, from {at}. {why}",
        "blocked often": "{provider} took no files {times} times since {at}, for {length} in all. {why}",
        "budget.warning began": "{spent} of {per_month} {unit} for {provider} are used this month. New files wait once "
        "{per_month} are reached.",
        "budget.warning after budget.spent": "The budget for {provider} has room again: {spent} of {per_month} "
        "{unit} are used this month. What waited goes on.",
        "budget.spent began": "{spent} of {per_month} {unit} for {provider} are used this month. New files wait until "
        "the next month, or a higher per_month under budget.",
        "budget ended": "The budget for {provider} has had room again since {at}.",
        "budget passed": "The budget for {provider} was nearly or fully used for {length}, from {at}.",
    },
    failed=("1 file failed", "{count} files failed"),
    failed_since=("1 file failed at {at}: {counts}.", "{count} files failed since {at}: {counts}."),
    beside=(
        "Beside it lies a file {name}.error.json that says what to do.",
        "Beside each lies a file {name}.error.json that says what to do.",
    ),
    more=("- and 1 more", "- and {count} more"),
    more_news=(" (and 1 more)", " (and {count} more)"),
    units={},
    reasons={},
    by_itself="Files wait, and go on by themselves.",
    late="This message is from {at}; it could not be sent earlier.",
    lost=("1 earlier message could not be sent.", "{count} earlier messages could not be sent."),
    test=("a test", "This is a test. Notifications from {root} arrive here."),
)

_DE = _Words(
    titles={
        "share_away began": "die Freigabe ist nicht erreichbar",
        "share_away ended": "die Freigabe ist wieder erreichbar",
        "share_away passed": "die Freigabe war nicht erreichbar",
        "blocked began": "{provider} nimmt keine Dateien an",
        "blocked ended": "{provider} nimmt wieder Dateien an",
        "blocked passed": "{provider} nahm zeitweise keine Dateien an",
        "budget.warning began": "80 % des Budgets für {provider} sind verbraucht",
        "budget.warning after budget.spent": "das Budget für {provider} hat wieder Luft",
        "budget.spent began": "das Budget für {provider} ist aufgebraucht",
        "budget ended": "das Budget für {provider} hat wieder Luft",
        "budget passed": "das Budget für {provider} war zeitweise fast aufgebraucht",
    },
    lines={
        "share_away began": "Der Ordner {root} ist seit {at} nicht erreichbar: {why}. Nichts geht verloren, es "
        "wird nichts geschrieben. Ist er wieder da, geht es von selbst weiter. Bitte Server und Einbindung prüfen.",
        "share_away ended": "Der Ordner {root} ist seit {at} wieder da. Er war {length} nicht erreichbar; die "
        "Arbeit geht weiter.",
        "share_away passed": "Der Ordner {root} war {length} nicht erreichbar, ab {at}.",
        "share_away often": "Der Ordner {root} war seit {at} {times}-mal nicht erreichbar, zusammen {length}.",
        "blocked began": "{provider} nimmt seit {at} keine Dateien an. {why} {to_do}",
        "blocked ended": "{provider} nimmt seit {at} wieder Dateien an, nach {length}. Was wartete, geht weiter.",
        "blocked passed": "{provider} nahm {length} keine Dateien an, ab {at}. {why}",
        "blocked often": "{provider} nahm seit {at} {times}-mal keine Dateien an, zusammen {length}. {why}",
        "budget.warning began": "Für {provider} sind in diesem Monat {spent} von {per_month} {unit} verbraucht. Sind "
        "{per_month} erreicht, warten neue Dateien.",
        "budget.warning after budget.spent": "Das Budget für {provider} hat wieder Luft: In diesem Monat sind "
        "{spent} von {per_month} {unit} verbraucht. Was wartete, geht weiter.",
        "budget.spent began": "Für {provider} sind in diesem Monat {spent} von {per_month} {unit} verbraucht. Neue "
        "Dateien warten bis zum nächsten Monat oder auf ein höheres per_month unter budget.",
        "budget ended": "Das Budget für {provider} hat seit {at} wieder Luft.",
        "budget passed": "Das Budget für {provider} war {length} fast oder ganz verbraucht, ab {at}.",
    },
    failed=("1 Datei ist gescheitert", "{count} Dateien sind gescheitert"),
    failed_since=(
        "1 Datei ist um {at} gescheitert: {counts}.",
        "{count} Dateien sind seit {at} gescheitert: {counts}.",
    ),
    beside=(
        "Daneben liegt eine Datei {name}.error.json, die sagt, was zu tun ist.",
        "Neben jeder liegt eine Datei {name}.error.json, die sagt, was zu tun ist.",
    ),
    more=("- und 1 weitere", "- und {count} weitere"),
    more_news=(" (und 1 weitere Nachricht)", " (und {count} weitere Nachrichten)"),
    units={"credits": "Credits", "characters": "Zeichen", "seconds": "Sekunden", "documents": "Dokumenten"},
    reasons={
        "it has no marker of ours (.babeldrop)": "ihm fehlt die Marke .babeldrop",
        "it does not answer": "er antwortet nicht",
    },
    by_itself="Die Dateien warten und gehen von selbst weiter.",
    late="Diese Nachricht ist von {at}; sie konnte nicht früher gesendet werden.",
    lost=(
        "1 frühere Nachricht konnte nicht gesendet werden.",
        "{count} frühere Nachrichten konnten nicht gesendet werden.",
    ),
    test=("ein Test", "Dies ist ein Test. Hier kommen Nachrichten von {root} an."),
)
WORDS: Final[Mapping[str, _Words]] = {"en": _EN, "de": _DE}


def compose(message: Message, texts: Texts, root: str, local: datetime) -> Letter:
    """The text of a message. `local` is now in the machine's zone, in which all times are told."""
    words = WORDS[texts.language]
    headlines, paragraphs = [], []
    for item in message.items:
        facts = _facts(item, texts, root, local)
        headlines.append(words.titles[_row(item, words.titles)].format_map(facts))
        paragraphs.append(words.lines[_row(item, words.lines)].format_map(facts).strip())
    if message.failures is not None:
        count = sum(message.failures.counts.values())
        headlines.append(_many(words.failed, count))
        paragraphs.append(_failures(message.failures, count, words, local))
    more = len(headlines) - 1
    title = headlines[0] + (_many(words.more_news, more) if more else "")
    good = message.failures is None and all(item.kind != "began" for item in message.items)
    return Letter(title=f"babeldrop: {title}", body="\n\n".join(paragraphs), good=good)


def trial(language: str, root: str) -> Letter:
    """A message that only wants to arrive."""
    title, body = WORDS[language].test
    return Letter(title=f"babeldrop: {title}", body=body.format(root=plain(root)), good=True)


def with_history(body: str, language: str, *, lost: int, late: str | None) -> str:
    """The text with what the reader has to know of earlier ones: so many were given up, and when this one is from."""
    words = WORDS[language]
    notes = [words.late.format(at=late)] if late else []
    if lost:
        notes.append(_many(words.lost, lost))
    return "\n\n".join([body, *notes])


def told(at: datetime, local: datetime) -> str:
    """A moment as people say it: the hour, with the day where that is another one."""
    here = at.astimezone(local.tzinfo)
    return f"{here:%H:%M}" if here.date() == local.date() else f"{here:%Y-%m-%d %H:%M}"


def length(seconds: float, texts: Texts) -> str:
    """A length of time in one unit, without fractions: `12 minutes`."""
    size = next((size for size in (86400.0, 3600.0, 60.0) if seconds >= 2 * size), 1.0)
    return texts.duration(round(seconds / size) * size)


def plain(text: str, most: int = _MOST_NAME) -> str:
    """Other people's words, without what moves cursors or means something to a service for messages."""
    shown = names.shown(" ".join(text.split())).translate(_ACTIVE).replace("://", ":⁄⁄")
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _row(item: Item, rows: Mapping[str, str]) -> str:
    """The name of the text for an item: by its trouble's code, or else by its topic."""
    kinds = [*(["often"] if item.times > 1 else []), *([f"after {item.after}"] if item.after else []), item.kind]
    choices = [f"{about} {kind}" for kind in kinds for about in (item.trouble.code, item.topic)]
    return next(one for one in choices if one in rows)


def _facts(item: Item, texts: Texts, root: str, local: datetime) -> dict[str, str]:
    code, facts = item.trouble.code, item.trouble.facts
    # The share says itself why it is away; of an account the catalogue knows what its code means.
    words = WORDS[texts.language]
    why = words.reasons.get(facts["why"], facts["why"]) if "why" in facts else texts.waiting(code, facts)
    shown = {name: plain(value) for name, value in facts.items()}
    if "unit" in facts:
        shown["unit"] = words.units.get(facts["unit"], shown["unit"])
        shown |= {name: texts.number(facts[name]) for name in ("spent", "per_month")}
    return {
        **shown,
        "why": plain(why, _MOST_WHY),
        "to_do": texts.for_a_person(code) or words.by_itself,
        "root": plain(root),
        "at": told(item.at, local),
        "length": length(item.seconds, texts),
        "times": str(item.times),
    }


def _failures(failures: Failures, count: int, words: _Words, local: datetime) -> str:
    ranked = sorted(failures.counts.items(), key=lambda row: (-row[1], row[0]))
    counts = [f"{plain(provider)} {number}" for provider, number in ranked[:_MOST_PROVIDERS]]
    head = _many(words.failed_since, count, at=told(failures.since, local), counts=", ".join(counts))
    lines = [f"- {plain(one.path)}: {plain(one.why, _MOST_WHY)}" for one in failures.first]
    left = count - len(failures.first)
    if left > 0:
        lines.append(_many(words.more, left))
    return "\n".join([head, *lines, _many(words.beside, count, name="‹name›")])


def _many(texts: tuple[str, str], count: int, **facts: str) -> str:
    return texts[count != 1].format(count=count, **facts)
