"""Looks at a daemon that nobody runs: jobs in every state, a report around them, and what is wrong with a page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from daemon.clock import stamp
from daemon.errors import RejectedError
from daemon.job import Job, PartState, State
from daemon.sidecar import error_of
from daemon.web.model import Look, Page, page
from daemon.web.past import Past
from daemon.web.render import render
from daemon.web.words import Words
from tests.builders import job_id

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FAILURE = {
    "code": "drop.type",
    "stage": "claim",
    "retryable": False,
    "what_happened": "Acme does not translate xyz files.",
    "what_to_do": "Save it as one of these and drop it again: docx, pdf.",
}


def job(number: int, name: str = "report.docx", state: State = State.CLAIMED, **more: Any) -> Job:
    """One that was dropped ten minutes before noon, and submitted five minutes before, where its state says so."""
    known: dict[str, Any] = {
        "id": job_id(number),
        "provider": "acme",
        "folder": "fr",
        "name": name,
        "size": 1,
        "mtime_ns": 1,
        "inode": 1,
        "dropped_at": NOON - timedelta(minutes=10),
        "claimed_at": NOON - timedelta(minutes=9),
        "last_at": NOON - timedelta(minutes=1),
        "state": state,
    }
    if state not in (State.CLAIMED, State.FAILED):
        known["submitted_at"] = NOON - timedelta(minutes=5)
    return Job(**{**known, **more})


def delivered(number: int, name: str = "report.docx", *, cost: float | None = None, **more: Any) -> Job:
    known = {"delivered_at": NOON - timedelta(minutes=1), "published": name, "closed_as": State.DELIVERED}
    if cost is not None:
        known |= {"parts": (PartState(cost=cost),), "unit": "credits"}
    return job(number, name, State.CLOSED, **{**known, **more})


def failed(number: int, name: str = "report.xyz", **more: Any) -> Job:
    return job(number, name, State.CLOSED, **{"error": FAILURE, "closed_as": State.FAILED, **more})


def provider(name: str = "acme", **more: Any) -> dict[str, Any]:
    """A provider's row in the report, of one about which there is nothing to say."""
    counts = dict.fromkeys(("waiting", "submitting", "in_flight", "ready", "delivered_today", "failed_today"), 0)
    return {"name": name, "configured": True, **counts, "account": account(), "budget": None, **more}


def account(**more: Any) -> dict[str, Any]:
    known = {"door": "open", "code": None, "sentence": None, "since": None, "next_try": None, "paused_until": None}
    return {**known, "in_flight": 0, **more}


def look(
    alive: Sequence[Job] = (),
    ended: Sequence[Job] = (),
    *,
    reasons: Mapping[str, tuple[str, str | None]] | None = None,
    stopped: bool = False,
    paused: Sequence[Mapping[str, Any]] = (),
    **report: Any,
) -> Look:
    """A look at noon; `report` are keys of the report."""
    past = Past()
    past.load(ended, NOON)
    known = {
        "root": "/srv/translate",
        "started_at": stamp(NOON),
        "config_problem": [],
        "share": {"there": True, "why": None, "since": None},
        "stopped": paused,
        "notify": None,
        "providers": [provider()],
        "resting": [],
        "resting_total": 0,
        "ignored": [],
        "ignored_total": 0,
    }
    return Look(
        now=NOON,
        report={**known, **report},
        reasons=reasons or {},
        titles={"acme": "Acme"},
        alive=alive,
        ended=past.today(NOON),
        failed=past.failed(NOON, alive),
        usual=past.usual(),
        days=past.days(NOON),
        stopped=stopped,
    )


def shown(seen: Look, language: str = "en") -> Page:
    return page(seen, Words(language))


def html(seen: Look, language: str = "en", *, live: bool = False) -> str:
    return render(shown(seen, language), live=live).decode()


TITLES = {"doctranslate": "Doctranslate", "gpttranslator": "GPTTranslator", "voicecheap": "VoiceCheap"}


def showcase() -> Look:
    """A day in an office, as the documents show it: real services, what they report, and the catalogue's sentences."""
    closed = account(door="closed", code="account.key", since=stamp(NOON - timedelta(minutes=20)))
    closed["next_try"] = stamp(NOON + timedelta(minutes=10))
    alive = [
        _mine(310, "Contract of sale.docx", State.IN_FLIGHT, submitted_at=NOON - timedelta(minutes=3)),
        _mine(311, "Brochure, spring.pptx", State.IN_FLIGHT, submitted_at=NOON - timedelta(minutes=1), folder="pt-BR"),
        job(312, "Interview with the director.mp4", provider="voicecheap", folder="es"),
        job(313, "Welcome talk.mp4", provider="voicecheap", folder="es"),
    ]
    minutes = "inbox/gpttranslator/fr/Minutes.docx"
    known = look(
        alive,
        [*_before(), *_today(), _refused(300, "Floor plan.dwg")],
        reasons={one.id: ("account.key", closed["next_try"]) for one in alive[2:]},
        providers=[provider("doctranslate"), provider("gpttranslator"), provider("voicecheap", account=closed)],
        resting=[{"path": minutes, "since": stamp(NOON - timedelta(seconds=4)), "code": "open"}],
        resting_total=1,
    )
    return replace(known, titles=TITLES)


def _mine(number: int, name: str, state: State, **more: Any) -> Job:
    return job(number, name, state, **{"provider": "gpttranslator", **more})


def _before() -> list[Job]:
    """The two weeks until yesterday, quieter on two of the days."""
    jobs = []
    for number in range(100, 190):
        ago = 1 + number % 13
        if ago in (6, 7):
            continue
        service: dict[str, Any] = {"provider": "gpttranslator"}
        if number % 5 == 0:
            service = {"provider": "voicecheap", "folder": "es", "cost": 90.0 + 40 * (number % 7), "unit": "seconds"}
        elif number % 5 == 1:
            service = {"provider": "doctranslate", "cost": 2.0 + number % 7}
        at = NOON - timedelta(days=ago)
        times: dict[str, Any] = {"delivered_at": at, "submitted_at": at - timedelta(minutes=3 + number % 4)}
        times |= {"dropped_at": at - timedelta(minutes=4 + number % 9), "last_at": at - timedelta(hours=number % 3)}
        jobs.append(delivered(number, f"{number}.docx", **service, **times))
    late = [
        _refused(number, f"{number}.dwg", last_at=NOON - timedelta(days=8 + number % 5)) for number in range(200, 212)
    ]
    return jobs + late


def _today() -> list[Job]:
    names = ("Annual report 2026.docx", "Safety instructions.pdf", "Price list.xlsx", "Invitation.docx", "Manual.md")
    jobs = []
    for number, name in enumerate(names, 1):
        at, took = NOON - timedelta(minutes=11 * number), timedelta(minutes=5 + number % 4)
        ended: dict[str, Any] = {"delivered_at": at + took, "last_at": at + took}
        service: dict[str, Any] = {"provider": "gpttranslator"}
        if name.endswith(".xlsx"):
            service = {"provider": "doctranslate", "cost": 3.5}
        jobs.append(
            delivered(number, name, dropped_at=at, submitted_at=at + timedelta(minutes=1), **service, **ended),
        )
    return jobs


def _refused(number: int, name: str, **more: Any) -> Job:
    """A drop of a type that GPTTranslator does not translate, told as the engine tells it."""
    known = ".csv, .docx, .eml, .html, .json, .md, .pdf, .pptx, .srt, .txt, .vtt, .xlsx, .xml, .yaml, .yml"
    error = RejectedError("drop.type", facts={"extension": ".dwg", "extensions": known})
    told = error_of(error, stage="claim", provider="GPTTranslator", inbox="inbox/gpttranslator/fr")
    return failed(number, name, provider="gpttranslator", error=told, **more)


_VOID = frozenset({"meta", "link", "br", "path", "circle", "rect", "use"})


class Parsed(HTMLParser):
    """A page taken apart. `problems` says what a browser would have had to guess, and what leads nowhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.problems: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.problems += [f"{tag} is never closed" for tag in self._open]
        self._follow()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"an attribute twice in {tag}")
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"{tag} is closed where it is not open")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        """What a person reads, a space between two pieces."""
        return " ".join(filter(None, self.texts))

    @property
    def links(self) -> list[str]:
        """Where a person can go from here, outside of the page itself."""
        return [one["href"] for one in self.all("a") if not one.get("href", "#").startswith("#")]

    def _follow(self) -> None:
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        if len(ids) != len(set(ids)):
            self.problems.append("an id twice")
        for tag, attributes in self.tags:
            wanted = [*attributes.get("aria-labelledby", "").split()]
            href = attributes.get("href", "")
            wanted += [href[1:]] if href.startswith("#") else []
            self.problems += [f"{tag} leads to #{one}, which is not there" for one in wanted if one not in ids]
