"""Both places in a real browser, over a real daemon and simulated services: what a person sees happen.

Screenshots are kept where $BABELDROP_SCREENSHOTS names a folder.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.child import Running
from daemon.sandbox.samples import write_samples
from daemon.web.render import render
from tests.e2e.site import Daemon, Site, sandbox_in, wait_for
from tests.web.looks import showcase, shown

pytestmark = pytest.mark.long

_BINARIES = ("chromium", "chromium-browser", "google-chrome")
_CHROMIUM = next(filter(None, map(shutil.which, _BINARIES)), None)
_DRIVER = shutil.which("chromedriver")
_SWITCHES = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
)
_WIDE, _NARROW = 1100, 390
BOTH = pytest.mark.parametrize("place", ["live", "file"])


class Browser:
    """One window, with what a test asks of it."""

    def __init__(self, profile: Path) -> None:
        webdriver = pytest.importorskip("selenium.webdriver")
        service = pytest.importorskip("selenium.webdriver.chrome.service")
        options = webdriver.ChromeOptions()
        options.binary_location = _CHROMIUM
        for switch in [*_SWITCHES.split(), f"--user-data-dir={profile}"]:
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=service.Service(_DRIVER))
        self.driver.set_page_load_timeout(60)
        self.look(_WIDE)

    def look(self, width: int, *, dark: bool = False, height: int = 900) -> None:
        """What kind of screen it has."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, url: str) -> None:
        self.driver.get(url)
        # What was said about an earlier page, whose service may have gone.
        self.complaints()

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def section(self, name: str) -> str:
        """What a person reads in the section of a heading; empty when there is none."""
        script = "const h = document.getElementById(arguments[0]); return h ? h.closest('section').innerText : ''"
        return str(self.run(script, name))

    def await_in(self, section: str, words: str, seconds: float = 60.0, *, place: str = "live") -> None:
        """Wait until the live page shows something by itself, or the file when somebody loads it again."""

        def there() -> bool:
            if place == "file":
                self.driver.refresh()
            return words in self.section(section)

        wait_for(there, f"{words!r} in {section}", seconds)

    def complaints(self) -> list[str]:
        """What the browser has against the page: scripts that broke, things that the policy kept out."""
        return [line["message"] for line in self.driver.get_log("browser") if "favicon.ico" not in line["message"]]

    def picture(self, name: str) -> None:
        folder = os.environ.get("BABELDROP_SCREENSHOTS")
        if folder:
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if _CHROMIUM is None or _DRIVER is None:
        assert not os.environ.get("CI"), "CI needs Chromium (Debian: chromium, chromium-driver)"
        pytest.skip("no Chromium with its driver here (Debian: chromium, chromium-driver)")
    if os.environ.get("CI"):
        import selenium  # noqa: F401, PLC0415  elsewhere its absence skips these tests, here it is an error
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.driver.quit()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Running]:
    # Slow enough to be seen on its way, whatever else the machine does.
    with sandbox_in(tmp_path, pace=(8.0, 12.0)) as running:
        yield running


class Office:
    """A daemon with both places, and samples to drop."""

    def __init__(self, base: Path, sandbox: Running, more: str = "") -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.site = Site(base, sandbox, more=f"web: {{listen: '127.0.0.1:{port}'}}\n{more}")
        self.url = f"http://127.0.0.1:{port}/"
        self.file = self.site.root / "STATUS.html"
        self.samples = write_samples(base / "samples")

    def start(self) -> Daemon:
        return self.site.daemon().started()

    def address(self, place: str) -> str:
        """Where a browser finds the page, once it is there."""
        if place == "live":
            return self.url
        wait_for(self.file.exists, "STATUS.html")
        return self.file.as_uri()

    def drop(self, kind: str, path: str) -> None:
        target = self.site.inbox(path)
        aside = target.parent / ".coming"
        shutil.copy(self.samples[kind], aside)
        aside.rename(target)


@BOTH
def test_a_dropped_file_appears_moves_and_ends(browser: Browser, tmp_path: Path, sandbox: Running, place: str) -> None:
    """It comes up under "In progress", then under "Done today"; nobody has to touch the live page for that."""
    office = Office(tmp_path, sandbox)
    with office.start() as daemon:
        browser.open(office.address(place))
        browser.await_in("working", "Nothing is being translated.", place=place)
        browser.run("window.unchanged = true")
        office.drop("docx", "gpttranslator/fr/Quarterly report.docx")
        browser.await_in("working", "Quarterly report.docx", place=place)
        browser.await_in("working", "being translated", place=place)
        browser.await_in("done", "outbox/gpttranslator/fr/Quarterly report.docx", place=place)
        headline = browser.run("return document.getElementById('headline').textContent")
        same = browser.run("return window.unchanged")
        complaints = browser.complaints()
        code = daemon.stop()

    assert (headline, same, code) == ("Nothing is waiting", True if place == "live" else None, 0)
    assert complaints == []


def test_a_failure_shows_its_reason_and_the_next_step(browser: Browser, tmp_path: Path, sandbox: Running) -> None:
    """In both places, in the sidecar's words; and in the language of the office."""
    office = Office(tmp_path, sandbox, "language: de")
    with office.start() as daemon:
        browser.open(office.url)
        office.drop("docx", "gpttranslator/fr/notes.xyz")
        browser.await_in("needs", "notes.xyz")
        story = office.site.failed()["gpttranslator/fr/notes.xyz"]
        live = browser.section("needs")
        wait_for(lambda: "notes.xyz" in office.file.read_text(), "the failure in the file")
        browser.open(office.file.as_uri())
        there = browser.section("needs")
        daemon.stop()

    for text in (live, there):
        assert story["what_happened"] in text
        assert story["what_to_do"] in text
        assert "Was zu tun ist" in text


def test_the_file_opens_results_and_tells_of_the_end(browser: Browser, tmp_path: Path, sandbox: Running) -> None:
    """From the share without a server: its links lead into the outbox, and the last page says that it is the last."""
    office = Office(tmp_path, sandbox)
    with office.start() as daemon:
        office.drop("md", "gpttranslator/de/Übersicht #1 50%.md")
        wait_for(lambda: office.site.files("outbox"), "the result")
        wait_for(lambda: "outbox/" in office.file.read_text() and "bersicht" in office.file.read_text(), "the link")
        browser.open(office.file.as_uri())
        href = browser.run("return document.querySelector('#done').closest('section').querySelector('a').href")
        browser.open(href)
        result = browser.run("return document.body.innerText")
        daemon.stop()
    browser.open(office.file.as_uri())
    scripts = browser.run("return document.scripts.length")

    assert len(result) > 20
    assert "babeldrop was stopped" in browser.section("needs")
    assert (scripts, browser.complaints()) == (0, [])


def test_a_service_that_stopped_is_seen_on_the_open_page(browser: Browser, tmp_path: Path, sandbox: Running) -> None:
    """What is shown then is called old; when it is back the page follows again."""
    office = Office(tmp_path, sandbox)
    with office.start() as daemon:
        browser.open(office.url)
        daemon.kill()
    wait_for(lambda: browser.run("return !document.getElementById('lost').hidden"), "the warning")
    with office.start() as daemon:
        wait_for(lambda: browser.run("return document.getElementById('lost').hidden"), "the page to follow again")
        daemon.stop()

    assert browser.run("return getComputedStyle(document.getElementById('lost')).display") == "none"


def test_what_a_reader_has_open_stays_open(browser: Browser, tmp_path: Path, sandbox: Running) -> None:
    """A table that was opened, and the place of the keyboard, outlast what comes in."""
    office = Office(tmp_path, sandbox)
    with office.start() as daemon:
        office.drop("docx", "gpttranslator/fr/first.xyz")
        browser.open(office.url)
        browser.await_in("needs", "first.xyz")
        browser.await_in("charts", "1 failed")
        browser.run("document.getElementById('summary-1').click(); document.getElementById('summary-1').focus()")
        office.drop("docx", "gpttranslator/fr/second.xyz")
        browser.await_in("needs", "second.xyz")
        browser.await_in("charts", "2 failed")
        is_open = browser.run("return document.getElementById('numbers-1').open")
        focus = browser.run("return document.activeElement.id")
        daemon.stop()

    assert (is_open, focus) == (True, "summary-1")


@BOTH
def test_every_screen(browser: Browser, tmp_path: Path, sandbox: Running, place: str) -> None:
    """Light, dark and narrow: nothing is cut off or needs to be pushed sideways, and the keyboard reaches all."""
    office = Office(tmp_path, sandbox)
    with office.start() as daemon:
        for kind, path in (
            ("docx", "gpttranslator/fr/Quarterly report.docx"),
            ("md", "gpttranslator/de/Handbook.md"),
            ("srt", "gpttranslator/fr/Interview.srt"),
            ("docx", "gpttranslator/fr/contract.xyz"),
        ):
            office.drop(kind, path)
        wait_for(lambda: len(office.site.files("outbox")) == 3 and office.site.failed(), "four ends")
        office.drop("mp4", "voicecheap/es/Welcome talk.mp4")
        office.drop("docx", "gpttranslator/fr/Annual report.docx")
        browser.open(office.address(place))
        browser.await_in("working", "Annual report.docx", place=place)
        browser.await_in("done", "Handbook.md", place=place)
        widths = _screens(browser, f"daemon-{place}")
        stacked = browser.run("return getComputedStyle(document.querySelector('#done ~ table td')).display")
        browser.look(_WIDE)
        first = _first_stop(browser)
        complaints = browser.complaints()
        daemon.stop()

    assert widths == {"light": _WIDE, "dark": _WIDE, "narrow": _NARROW}
    assert (stacked, first) == ("block", "skip")
    assert complaints == []


def test_the_pictures_of_the_documents(browser: Browser, tmp_path: Path) -> None:
    """A day in an office as docs/images/ shows it: STATUS.html on every screen, and the live page with its charts."""
    places = {"page": tmp_path / "STATUS.html", "live": tmp_path / "live.html"}
    for name, place in places.items():
        place.write_bytes(render(shown(showcase()), live=name == "live"))
    browser.open(places["page"].as_uri())
    widths = _screens(browser, "page")
    browser.open(places["live"].as_uri())
    _look_at_all(browser, _WIDE)
    browser.picture("page-live")

    assert widths == {"light": _WIDE, "dark": _WIDE, "narrow": _NARROW}
    assert browser.section("charts")


def _screens(browser: Browser, name: str) -> dict[str, int]:
    """How wide the page is on each screen, at its full height; dark is really dark."""
    widths, grounds = {}, set()
    for screen, width, dark in (("light", _WIDE, False), ("dark", _WIDE, True), ("narrow", _NARROW, False)):
        _look_at_all(browser, width, dark=dark)
        browser.picture(f"{name}-{screen}")
        grounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        widths[screen] = browser.run("return document.documentElement.scrollWidth")
    assert len(grounds) == 2
    return widths


def _look_at_all(browser: Browser, width: int, *, dark: bool = False) -> None:
    """A screen as high as the page is at that width."""
    browser.look(width, dark=dark)
    height = browser.run("return Math.ceil(document.body.getBoundingClientRect().bottom)")
    browser.look(width, dark=dark, height=height)


def _first_stop(browser: Browser) -> str:
    """What the first Tab reaches, if it can be seen there."""
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    for kind in ("rawKeyDown", "keyUp"):
        browser.driver.execute_cdp_cmd(
            "Input.dispatchKeyEvent", {"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        )
    seen = browser.run("return document.activeElement.getBoundingClientRect().top >= 0")
    return str(browser.run("return document.activeElement.className")) if seen else ""
