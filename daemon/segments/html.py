"""HTML: one span for each text between tags, and for the few attributes that people read.

The pages of the world are not well-formed, so nothing is built: markup is found from left to right, an open
end runs to the end of the page (as in a browser), and what is no text is never touched. Translators see text
without entities and on one line; a changed text is escaped anew.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from html import escape, unescape

from daemon.segments.placeholders import has_words
from daemon.segments.splice import Span, trim

# In this form no alternative fails once it has begun, so that no input makes it look at anything twice.
_MARKUP = re.compile(
    r"""
      <!--(?:>|->|(?s:.*?)(?:--!?>|\Z))
    | <[!?][^>]*+(?:>|\Z)
    | <(?P<slash>/?)(?P<name>[A-Za-z][^\s/>]*+)
      (?P<attributes>(?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+)?+)*+)(?:>|\Z)
    """,
    re.VERBOSE | re.ASCII,
)
_ATTRIBUTE = re.compile(
    r"""
      ([^\s/>=]++)
      (?:\s*+=\s*+(?:"(?P<double>[^"]*+)"?|'(?P<single>[^']*+)'?|(?P<bare>[^\s>"'][^\s>]*+)))?+
    """,
    re.VERBOSE | re.ASCII,
)
_SPACES = re.compile(r"[ \t\r\n\f]+")


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


BLOCKS = _names(
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li link main menu meta nav ol p picture "
    "pre search section source summary table tbody td tfoot th thead title tr ul"
)
_RAW = _names("script style textarea xmp iframe noembed noframes")
_UNTOUCHED = _RAW | _names("code pre kbd samp template math")
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_ENDED_BY = {
    "p": BLOCKS - {"head", "html", "body", "link", "meta", "source", "picture"},
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "td": {"td", "th", "tr"},
    "th": {"td", "th", "tr"},
    "tr": {"tr"},
    "option": {"option", "optgroup"},
}
_READ_BY_PEOPLE = frozenset(("alt", "title", "placeholder", "aria-label"))


def spans(source: str) -> list[Span[str]]:
    """In the order of the page. Elements with `translate="no"` or the class `notranslate` have none."""
    found: list[Span[str]] = []
    elements = _Elements()
    at = 0
    while markup := _MARKUP.search(source, at):
        if elements.translatable:
            found += _text(source, at, markup.start())
        at = markup.end()
        name = (markup["name"] or "").lower()
        if markup["slash"]:
            elements.close(name)
        elif name:
            attributes = _attributes(source, *markup.span("attributes"))
            if elements.open(name, attributes):
                found += _readable(name, attributes)
            if name in _RAW:
                at = _end_of_raw(source, at, name)
    if elements.translatable:
        found += _text(source, at, len(source))
    return found


@dataclass(frozen=True, slots=True)
class _Value:
    """The value of an attribute: its place within the quotes, if it has any."""

    start: int
    end: int
    text: str
    quoted: bool

    def span(self) -> Span[str]:
        lead, text, trail = trim(self.text)
        write = partial(_write_value, lead=lead, trail=trail, quoted=self.quoted)
        return Span(start=self.start, end=self.end, text=text, write=write)


class _Elements:
    """What is open, and whether it may be translated; ends that pages leave out are put in."""

    def __init__(self) -> None:
        self._open: list[tuple[str, bool]] = []
        self._names: Counter[str] = Counter()

    @property
    def translatable(self) -> bool:
        return self._open[-1][1] if self._open else True

    def open(self, name: str, attributes: dict[str, _Value]) -> bool:
        """Enter an element; whether it is, with its attributes, to be translated."""
        while self._open and name in _ENDED_BY.get(self._open[-1][0], ()):
            self._pop()
        wish = attributes["translate"].text.lower() if "translate" in attributes else None
        classes = attributes["class"].text.split() if "class" in attributes else []
        translatable = self.translatable
        if wish == "no" or "notranslate" in classes or name in _UNTOUCHED:
            translatable = False
        elif wish in {"yes", ""}:
            translatable = True
        if name not in _VOID:
            self._open.append((name, translatable))
            self._names[name] += 1
        return translatable

    def close(self, name: str) -> None:
        if self._names[name]:
            while self._pop() != name:
                pass

    def _pop(self) -> str:
        name, _ = self._open.pop()
        self._names[name] -= 1
        return name


def _attributes(source: str, start: int, end: int) -> dict[str, _Value]:
    """By name in small letters; of two with one name the first counts."""
    found: dict[str, _Value] = {}
    for match in _ATTRIBUTE.finditer(source, start, end):
        form = match.lastgroup
        if form:
            inner = match.span(form)
            found.setdefault(match[1].lower(), _Value(*inner, unescape(match[form]), form != "bare"))
    return found


def _readable(name: str, attributes: dict[str, _Value]) -> list[Span[str]]:
    wanted = set(_READ_BY_PEOPLE)
    if name == "meta" and "name" in attributes and attributes["name"].text.lower() == "description":
        wanted.add("content")
    return [value.span() for key, value in attributes.items() if key in wanted and has_words(value.text)]


def _text(source: str, start: int, end: int) -> list[Span[str]]:
    raw = source[start:end]
    before, core, _ = trim(raw)
    lead, text, trail = trim(_SPACES.sub(_on_one_line, unescape(core)))
    if not has_words(text):
        return []
    start += len(before)
    write = partial(_write, lead=lead, trail=trail)
    return [Span(start=start, end=start + len(core), text=text, write=write)]


def _write(text: str, lead: str, trail: str) -> str:
    return escape(lead + text + trail, quote=False)


def _write_value(text: str, lead: str, trail: str, quoted: bool) -> str:
    """A value without quotes gets them."""
    written = escape(lead + text + trail)
    return written if quoted else f'"{written}"'


def _on_one_line(spaces: re.Match[str]) -> str:
    return " " if "\n" in spaces[0] or "\r" in spaces[0] else spaces[0]


def _end_of_raw(source: str, at: int, name: str) -> int:
    end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII).search(source, at)
    return end.start() if end else len(source)
