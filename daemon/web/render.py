"""Makes HTML of the page: one template, a style sheet and a small script, all of them inside the page itself.

Whatever comes from file names and services is escaped by the template; what may run or style is named in the
policy by its hash, so that even a mistake there could do nothing.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from markupsafe import Markup

from daemon.web import charts, past
from daemon.web.model import Page

GENERATOR = b'<meta name="generator" content="babeldrop">'
"""Stands near the beginning of every page, so that a file can be told to be one."""

# The sign in the browser's tab: a form for each level, so that colour alone says nothing.
_SIGNS = {
    "idle": ("#17673a", "M9 16.5l5 5 9-10.5"),
    "work": ("#1b5891", "M16 9v7l5 3"),
    "wait": ("#775000", "M10 9h12M10 23h12M12 9l8 14M20 9l-8 14"),
    "alert": ("#a3242b", "M16 8v10M16 22.5v.5"),
    "stop": ("#a3242b", "M11 11l10 10M21 11L11 21"),
}


def render(page: Page, *, live: bool) -> bytes:
    """The page as HTML. `live` is the one that a server shows: it follows by itself and has charts."""
    look = page.look
    drawn = charts.charts(look.days, look.titles, page.words, page.now) if live else []
    text = _template().render(
        page=page,
        live=live,
        words=page.words,
        t=page.words.say,
        now_iso=page.now.astimezone().isoformat(timespec="seconds"),
        clock=f"{page.now.astimezone():%H:%M:%S}",
        tiles=_tiles(page),
        charts=drawn,
        width=charts.WIDTH,
        days=past.DAYS,
        failed_days=past.FAILED_DAYS,
        sign=_sign(page.level),
        policy=policy(live=False),
        css=Markup(_source("page.css")),  # noqa: S704  a file of this package
        script=Markup(_source("page.js")),  # noqa: S704  a file of this package
    )
    # Half a pair of surrogates, from somebody's JSON, is no UTF-8.
    return text.encode("utf-8", "backslashreplace")


@cache
def policy(*, live: bool) -> str:
    """The Content-Security-Policy: nothing but the page's own style sheet and, of the live one, its own script."""
    rules = ["default-src 'none'", f"style-src {_hash(_source('page.css'))}", "img-src data:"]
    rules += [f"script-src {_hash(_source('page.js'))}", "connect-src 'self'"] if live else []
    rules += ["base-uri 'none'", "form-action 'none'"]
    # A meta element must not say who may frame the page; a header has to.
    return "; ".join([*rules, "frame-ancestors 'none'"] if live else rules)


def _tiles(page: Page) -> list[tuple[str, str, int]]:
    """The overview: a section's name, its level, and how many are in it."""
    needs = sum(one.kind in ("stop", "alert") for one in page.notices) + page.failed.total
    return [
        ("needs", "alert", needs),
        ("working", "work", page.working.total),
        ("waiting", "wait", page.waiting + page.resting.total),
        ("done", "idle", page.done.total),
    ]


def _sign(level: str) -> str:
    colour, form = _SIGNS[level]
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="8" fill="{colour}"/><path d="{form}" fill="none" stroke="#fff" '
        'stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )
    return f"data:image/svg+xml,{quote(drawing)}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=DictLoader({"page": _source("page.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page")


@cache
def _source(name: str) -> str:
    return resources.files("daemon.web").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
