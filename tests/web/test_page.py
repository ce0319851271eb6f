"""The page: the right things in the right order, safe whatever a file is called, in both languages, at any size."""

import re
import string
import time
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.clock import stamp
from daemon.job import State
from daemon.web import texts
from daemon.web.model import Look
from daemon.web.render import policy, render
from daemon.web.texts import TEXTS
from tests.web.looks import NOON, Parsed, account, delivered, failed, html, job, look, provider, shown

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>.docx"
LATER = stamp(NOON + timedelta(minutes=5))
CLOSED = account(door="closed", code="account.key", since=stamp(NOON), next_try=LATER)
BOTH = pytest.mark.parametrize("live", [False, True], ids=["file", "live"])
LANGUAGES = pytest.mark.parametrize("language", sorted(TEXTS))


def busy() -> Look:
    """Something in every section."""
    return look(
        [
            job(1, "sent.docx", State.SUBMITTING),
            job(2, "there.docx", State.IN_FLIGHT),
            job(3, "one.docx"),
            job(4, "two.docx", provider="other"),
        ],
        [delivered(5, "done.docx", cost=2.5), failed(6, "bad.xyz")],
        reasons={job(4).id: ("account.key", LATER), job(2).id: ("service.unreachable", LATER)},
        providers=[provider(), provider("other", account=CLOSED)],
        paused=[{"path": "inbox/acme/de", "by": "inbox/acme/de/STOP.txt", "since": stamp(NOON), "files": 2}],
        resting=[{"path": "inbox/acme/fr/new.docx", "since": stamp(NOON), "code": "settling"}],
        resting_total=1,
        ignored=[{"path": "inbox/stray.txt", "why": "lies nowhere", "code": "no_language"}],
        ignored_total=1,
    )


class TestForm:
    """What a browser and a screen reader find."""

    @LANGUAGES
    @BOTH
    def test_it_is_whole(self, language: str, live: bool) -> None:
        """Every element is closed, every id there once, and whatever points to one finds it."""
        found = Parsed(html(busy(), language, live=live))

        assert found.problems == []
        assert found.all("html") == [{"lang": language}]
        assert [len(found.all(tag)) for tag in ("h1", "main", "header", "footer", "nav", "title")] == [1] * 6

    @BOTH
    def test_tables_say_what_their_cells_are(self, live: bool) -> None:
        """Each heading has a scope, and each cell a label for a narrow screen, where the headings are not seen."""
        found = Parsed(html(busy(), live=live))

        assert {one.get("scope") for one in found.all("th")} == {"col", "row"}
        assert all(one["data-label"] for one in found.all("td"))
        assert all(one.get("role") for tag in ("th", "td", "tr") for one in found.all(tag))

    def test_the_first_link_leads_to_the_content(self) -> None:
        """Whoever uses the keyboard skips the overview."""
        found = Parsed(html(busy()))

        assert found.all("a")[0]["href"] == "#content"
        assert found.all("main")[0]["id"] == "content"

    def test_signs_are_no_words(self) -> None:
        """Every drawn sign is hidden from screen readers; the word beside it says the same."""
        found = Parsed(html(busy(), live=True))

        assert all(one.get("aria-hidden") == "true" or one.get("role") == "img" for one in found.all("svg"))

    def test_the_file_needs_nothing_else(self) -> None:
        """No script, nothing from elsewhere, and a policy of its own that would not let either in."""
        found = Parsed(html(busy()))
        sources = [one[key] for _, one in found.tags for key in ("src", "href", "action") if key in one]
        policies = [one["content"] for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]

        assert found.all("script") == []
        assert not [one for one in sources if ":" in one and not one.startswith("data:image/svg+xml,")]
        assert policies == [policy(live=False)]
        assert "'unsafe" not in policies[0]

    def test_the_live_page_links_to_no_file(self) -> None:
        """A browser would look for the outbox on the server; there the path is shown."""
        found = Parsed(html(busy(), live=True))

        assert found.links == []
        assert "outbox/acme/fr/done.docx" in found.text

    def test_every_class_has_its_style(self) -> None:
        """Also those that stand for a level or a state."""
        text = html(busy(), live=True)
        css = text[text.index("<style>") : text.index("</style>")]
        used = {name for _, one in Parsed(text).tags for name in one.get("class", "").split()}

        assert {name for name in used if f".{name}" not in css} <= {"label", "word"}


class TestContent:
    """What is said, and where."""

    def test_what_needs_somebody_comes_first(self) -> None:
        """Then what is under way, what waits, and what is done."""
        text = Parsed(html(busy())).text
        files = ["bad.xyz", "sent.docx", "there.docx", "one.docx", "two.docx", "new.docx", "stray.txt", "done.docx"]

        assert sorted(files, key=text.index) == files

    def test_a_failure_says_why_what_to_do_and_where_it_lies(self) -> None:
        """In the words of its sidecar."""
        found = Parsed(html(look(ended=[failed(1, "a b/bad.xyz")])))

        assert "Acme does not translate xyz files. Save it as one of these and drop it again: docx, pdf." in found.text
        assert found.links == ["failed/acme/fr/a%20b/"]

    def test_a_failure_is_told_in_the_language_of_the_page(self) -> None:
        """As far as the journal has its facts, whatever the language was when it happened."""
        error = {"code": "drop.empty", "what_happened": "The file is empty.", "what_to_do": "?", "facts": {}}
        found = Parsed(html(look(ended=[failed(1, error={**error, "facts": {"inbox": "inbox/acme/fr"}})]), "de"))

        assert "Die Datei ist leer." in found.text

    def test_a_failure_that_was_tried_again_is_no_matter_any_more(self) -> None:
        """Its file is on its way once more, or was delivered since."""
        again = look([job(3, "first.xyz")], [failed(1, "first.xyz"), failed(2, "second.xyz")])
        since = look((), [failed(1, "first.xyz"), delivered(2, "first.xyz")])

        assert [one.file.name for one in shown(again).failed.rows] == ["second.xyz"]
        assert shown(since).failed.total == 0

    def test_results_are_linked_from_the_share(self) -> None:
        """Relative to the root, percent-encoded byte by byte, under the name they were given."""
        ended = [delivered(1, "Übersicht #1 50%?.docx", published="Übersicht #1 50%? (2).docx", folder="pt-BR")]
        found = Parsed(html(look(ended=ended)))

        assert found.links == ["outbox/acme/pt-BR/%C3%9Cbersicht%20%231%2050%25%3F%20%282%29.docx"]

    def test_waiting_files_stand_by_service_and_reason_with_their_place(self) -> None:
        """The place counts all that wait for the same service, whatever they wait for."""
        alive = [job(1, "a.docx"), job(2, "b.docx"), job(3, "c.docx")]
        first, second = shown(look(alive, reasons={job(1).id: ("account.window", LATER)})).groups

        assert (first.heading, [row.place for row in first.files.rows]) == ("Acme: 1 file waits", [1])
        assert first.sentence.endswith("Next try: 12:05.")
        assert (second.heading, [row.place for row in second.files.rows]) == ("Acme: 2 files wait", [2, 3])
        assert second.sentence == "Each is sent when its turn comes."

    def test_the_usual_time_is_told_only_when_it_is_known(self) -> None:
        """Five deliveries make a habit; before that nothing is promised."""
        here = job(50, state=State.IN_FLIGHT)
        ended = [
            delivered(number, f"{number}.docx", submitted_at=NOON - timedelta(minutes=4 + number))
            for number in range(5)
        ]

        assert shown(look([here], ended[:4])).working.rows[0].usual == ""
        assert shown(look([here], ended)).working.rows[0].usual == "4 to 6 minutes"

    @pytest.mark.parametrize(
        ("language", "told"),
        [
            ("en", "Each is sent when its turn comes. Once sent, a file usually takes 4 to 6 minutes."),
            (
                "de",
                f"{TEXTS['de']['group.turn']} Einmal gesendet, dauert eine Datei sonst 4 bis 6 Minuten.",
            ),
        ],
    )
    def test_who_waits_reads_how_long_it_usually_takes(self, language: str, told: str) -> None:
        """As far as it is known of that service; another one says nothing of it."""
        ended = [
            delivered(number, f"{number}.docx", submitted_at=NOON - timedelta(minutes=4 + number))
            for number in range(5)
        ]
        mine, other = shown(look([job(50), job(51, "b.docx", provider="other")], ended), language).groups

        assert mine.sentence == told
        assert told.startswith(other.sentence)
        assert len(other.sentence) < len(told)

    def test_what_takes_longer_than_usual_is_said(self) -> None:
        """At twice the upper end of the usual."""
        quick = [delivered(number, f"{number}.docx", submitted_at=NOON - timedelta(seconds=90)) for number in range(5)]
        rows = [job(50, state=State.IN_FLIGHT), job(51, state=State.IN_FLIGHT, submitted_at=NOON)]

        assert [row.longer for row in shown(look(rows, quick)).working.rows] == [True, False]

    def test_a_delay_at_the_service_is_told_beside_the_file(self) -> None:
        """With when it is tried again."""
        (row,) = shown(
            look([job(2, state=State.IN_FLIGHT)], reasons={job(2).id: ("service.unreachable", LATER)})
        ).working.rows

        assert row.note == ("Acme cannot be reached. Next try: 12:05.")

    @pytest.mark.parametrize(
        ("seen", "level", "headline"),
        [
            (look(), "idle", "Nothing is waiting"),
            (look([job(1)]), "wait", "Files are waiting"),
            (look([job(1, state=State.IN_FLIGHT)]), "work", "Everything is on its way"),
            (look(ended=[failed(1)]), "alert", "1 matter needs somebody"),
            (look(ended=[failed(1), failed(2, "b")]), "alert", "2 matters need somebody"),
            (look(share={"there": False, "why": "gone", "since": None}), "stop", "The folder is out of reach"),
            (look(providers=[provider(account=CLOSED)]), "alert", "1 matter needs somebody"),
        ],
    )
    def test_the_headline_says_what_is_worst(self, seen: Look, level: str, headline: str) -> None:
        """One sentence that a person can read from the door."""
        assert (shown(seen).level, shown(seen).headline) == (level, headline)


class TestNotices:
    """What keeps more than one file."""

    @pytest.mark.parametrize(
        ("seen", "kind", "words"),
        [
            (
                look(share={"there": False, "why": "/srv has no marker", "since": stamp(NOON)}),
                "stop",
                ["/srv/translate has been out of reach since 12:00", "goes on by itself", "/srv has no marker."],
            ),
            (look(stopped=True), "stop", ["was stopped at 12:00", "The administrator can start"]),
            (
                look(providers=[provider(account=CLOSED)]),
                "alert",
                ["Acme has taken no files since 12:00", "has to renew the key", "Next try: 12:05."],
            ),
            (
                look(providers=[provider(account={**CLOSED, "door": "trial", "code": "service.unreachable"})]),
                "wait",
                ["cannot be reached", "as a trial"],
            ),
            (
                look(providers=[provider(account=account(paused_until=LATER))]),
                "wait",
                ["asked for a pause until 12:05", "go on by themselves"],
            ),
            (
                look(providers=[provider("gone", configured=False, account=None, waiting=2)]),
                "alert",
                ["gone is not in the configuration any more"],
            ),
            (
                look(paused=[{"path": "inbox/acme/de", "by": "STOP.txt", "since": stamp(NOON), "files": 1}]),
                "pause",
                ["inbox/acme/de has been paused since 12:00", "until the file STOP.txt in it is removed"],
            ),
            (look(config_problem=["line 3: unknown key"]), "alert", ["has a mistake", "line 3: unknown key"]),
            (
                look(notify={"failing_since": stamp(NOON), "why": "no route"}),
                "alert",
                ["cannot be sent", "no route"],
            ),
        ],
        ids=["away", "stopped", "key", "trial", "throttled", "removed", "paused", "configuration", "notify"],
    )
    def test_each_says_what_happened_and_what_follows(self, seen: Look, kind: str, words: list[str]) -> None:
        """In plain words, with the moment."""
        (notice,) = shown(seen).notices
        text = f"{notice.title}. {notice.text}"

        assert notice.kind == kind
        assert [one for one in words if one not in text] == []

    @pytest.mark.parametrize(
        ("state", "until", "words"),
        [
            ("warning", None, "163.42 of 200 credits are spent"),
            ("spent", "2026-12-01T00:00:00.000Z", "New files wait until 1 Dec 00:00, or until the administrator"),
            ("spent", None, "New files wait until the administrator raises the budget"),
        ],
    )
    def test_a_budget_says_how_much_is_left_and_when_it_goes_on(
        self, state: str, until: str | None, words: str
    ) -> None:
        """From four fifths on, and when it is used up."""
        budget = {"unit": "credits", "per_month": 200, "spent": 163.42, "state": state, "held_until": until}
        (notice,) = shown(look(providers=[provider(budget=budget)])).notices

        assert words in notice.text

    def test_what_keeps_files_until_somebody_acts_is_told_above_them(self) -> None:
        """A full disk is no affair of one file, and the page must not say that everything is under way."""
        full = {"code": "disk.full", "jobs": 1, "next_try": None}
        busy = {"code": "service.error", "jobs": 1, "next_try": None}
        found = shown(look(providers=[provider(ready=1, waits=[full, busy])]))
        (notice,) = found.notices

        assert (notice.kind, notice.title) == ("alert", "Files for Acme cannot go on")
        assert "too little room" in notice.text
        assert found.headline == "1 matter needs somebody"

    def test_a_budget_with_room_says_nothing(self) -> None:
        """As does an account that is open."""
        budget = {"unit": "credits", "per_month": 200, "spent": 3, "state": "ok", "held_until": None}

        assert shown(look(providers=[provider(budget=budget)])).notices == []

    def test_the_worst_comes_first(self) -> None:
        """A share that is away stands above an account, and that above a pause."""
        seen = look(
            share={"there": False, "why": "gone", "since": None},
            providers=[provider(account=CLOSED)],
            paused=[{"path": "inbox", "since": stamp(NOON)}],
        )

        assert [one.kind for one in shown(seen).notices] == ["stop", "alert", "pause"]


class TestForeignWords:
    """Names and services' words are anybody's."""

    @BOTH
    def test_nothing_in_a_name_is_markup(self, live: bool) -> None:
        """Wherever a name, a folder, a reason or a service's word is shown, it is text."""
        error = {"code": "?", "what_happened": EVIL, "what_to_do": EVIL}
        seen = look(
            [job(1, EVIL), job(2, EVIL, State.IN_FLIGHT, folder=EVIL), job(3, provider=EVIL)],
            [delivered(4, EVIL, cost=1), failed(5, EVIL, error=error)],
            reasons={job(1).id: (EVIL, None), job(2).id: (f"result.cut: {EVIL}", None)},
            providers=[provider(account=account(door="closed", code=EVIL, since=stamp(NOON)))],
            share={"there": False, "why": EVIL, "since": None},
            config_problem=[EVIL],
            notify={"failing_since": stamp(NOON), "why": EVIL},
            paused=[{"path": EVIL, "by": EVIL, "since": stamp(NOON)}],
            resting=[{"path": EVIL, "since": stamp(NOON), "code": EVIL}],
            ignored=[{"path": EVIL, "why": EVIL, "code": None}],
        )
        text = html(seen, live=live)
        found = Parsed(text)

        assert found.problems == []
        assert found.all("img") == []
        assert len(found.all("script")) == int(live)
        assert "alert(1)</script>" not in text

    def test_what_cannot_be_seen_is_shown(self) -> None:
        """Control characters, changes of the reading direction, and bytes that are no UTF-8."""
        name = "evil\u202excod.exe\x1b[31m\nnext caf\udce9.docx"
        text = html(look([job(1, name)], [delivered(2, name), failed(3, name)]))

        assert "evil\\xe2\\x80\\xaexcod.exe\\x1b[31m\\x0anext caf\\xe9.docx" in text
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\ud800-\udfff]", text)

    def test_half_a_pair_of_surrogates_does_not_keep_the_page_from_being_made(self) -> None:
        """Some service's JSON had it, and the journal keeps it."""
        error = {"code": "?", "what_happened": "half \ud83d of it", "what_to_do": ""}

        assert "half " in html(look(ended=[failed(1, error=error)]))

    def test_names_of_another_direction_stay_in_their_place(self) -> None:
        """Each name is isolated, so that one in Arabic does not turn what stands beside it."""
        assert "<bdi>تقرير.docx</bdi>" in html(look([job(1, "تقرير.docx")]))

    def test_long_names_and_texts_lose_their_middle(self) -> None:
        """The beginning and the ending of a name are what tells it; a link that no browser takes is left out."""
        name = "/".join(["d" * 200] * 15) + "/" + "n" * 200 + ".docx"
        error = {"code": "?", "what_happened": "w" * 10_000, "what_to_do": ""}
        text = html(look([job(1, name)], [delivered(2, name, published="n" * 200 + ".docx"), failed(3, error=error)]))

        assert re.search(">n{79,80}…n{35}.docx<", text)
        assert len(text) < 60_000
        assert Parsed(text).links == ["failed/acme/fr/"]


class TestSize:
    """Right for a thousand jobs, and for ten thousand."""

    @BOTH
    def test_a_thousand_of_everything(self, live: bool) -> None:
        """Each list has a bound and says how many more there are; the page is small and quickly made."""
        rows = [
            {"path": f"inbox/acme/fr/{number}.txt", "since": stamp(NOON), "code": "settling"} for number in range(500)
        ]
        seen = look(
            [job(number, f"w{number}") for number in range(1000)]
            + [job(number, f"f{number}", State.IN_FLIGHT) for number in range(1000, 2000)],
            [delivered(number, f"d{number}") for number in range(2000, 3000)]
            + [failed(number, f"x{number}") for number in range(3000, 4000)],
            resting=rows,
            resting_total=1000,
            ignored=[{**row, "why": "so", "code": None} for row in rows],
            ignored_total=1000,
        )
        html(seen, live=live)
        start = time.process_time()
        text = html(seen, live=live)
        took = time.process_time() - start

        assert Parsed(text).text.count("and 950 more") == 6
        assert len(text) < 300_000
        assert took < 1.0

    def test_many_reasons_share_the_room(self) -> None:
        """Forty groups list a few files each."""
        alive = [job(number, f"{number}.txt", provider=f"p{number % 40}") for number in range(2000)]
        page = shown(look(alive))

        assert sum(len(group.files.rows) for group in page.groups) == 200
        assert sum(group.files.total for group in page.groups) == 2000


class TestLanguages:
    """English and German."""

    def test_both_are_complete(self) -> None:
        """The same texts with the same facts, none of them empty."""

        def facts(text: str) -> set[str | None]:
            return {name for _, name, _, _ in string.Formatter().parse(text) if name}

        english, german = TEXTS["en"], TEXTS["de"]

        assert english.keys() == german.keys()
        assert [key for key in english if facts(english[key]) != facts(german[key])] == []
        assert [key for language in TEXTS.values() for key in language if not language[key].strip()] == []

    def test_every_text_is_used(self) -> None:
        """A text that nobody shows would be translated in vain."""
        home = Path(texts.__file__).parent
        code = " ".join(
            path.read_text() for path in home.iterdir() if path.suffix in (".py", ".html") and path.name != "texts.py"
        )
        made = ("state.", "notice.", "unit.", "minute", "hour", "headline.")

        assert [key for key in TEXTS["en"] if f'"{key}"' not in code and not key.startswith(made)] == []

    def test_german_pages_speak_german(self) -> None:
        """Headings, states, reasons, numbers and dates."""
        text = Parsed(html(busy(), "de", live=True)).text

        for words in (
            "Um 2 Sachen muss sich jemand kümmern",
            "wird übersetzt",
            "Samstag, 21. November 2026",
            "2,5 Credits",
        ):
            assert words in text
        for words in ("Waiting", "needs", "administrator", "delivered", "Next"):
            assert words not in text


class TestColours:
    """Contrast, in both schemes."""

    @pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
    @pytest.mark.parametrize("on", ["ground", "card", "shade"])
    def test_every_colour_of_text_can_be_read(self, scheme: int, on: str) -> None:
        """At least 4.5 to 1 on whatever it may stand on (WCAG 2.2, 1.4.3)."""
        text = html(look())
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", re.findall(r":root \{([^}]*)\}", text)[scheme]))
        weak = {
            name: round(contrast(colours[name], colours[on]), 2)
            for name in colours.keys() - {"ground", "card", "shade", "line"}
            if contrast(colours[name], colours[on]) < 4.5
        }

        assert weak == {}


def contrast(one: str, other: str) -> float:
    """The ratio that WCAG defines."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_times_are_the_machines_own() -> None:
    """Today by the clock, yesterday by its name, others by their date; each with its full moment for programs."""
    ages = [timedelta(minutes=5), timedelta(days=1), timedelta(days=3), timedelta(days=400)]
    page = shown(look([job(number, dropped_at=NOON - age) for number, age in enumerate(ages)]))
    (group,) = page.groups

    assert [row.file.at for row in group.files.rows] == [
        "11:55",
        "yesterday 12:00",
        "18 Nov 12:00",
        "17 Oct 2025 12:00",
    ]
    assert group.files.rows[0].file.at_iso == "2026-11-21T11:55:00+00:00"


def test_the_same_look_makes_the_same_bytes() -> None:
    """A share's copy is replaced only when something has changed."""
    assert render(shown(busy()), live=False) == render(shown(busy()), live=False)
