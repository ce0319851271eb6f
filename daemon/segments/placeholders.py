"""What inside a text is not language: placeholders, tags, code, addresses.

`protected` finds it, so that a translator can be kept from it; `has_words` tells whether anything else is
left. Every pattern goes forward only: a long text that never ends what it began costs one pass.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter

_MARKS = re.compile(
    r"""
      <!--(?s:.*?)(?:-->|\Z)                                # comment
    | <(code|kbd|samp)\b[^<>]*>[^<]*</\1>                   # code between tags
    | <(?:/?[A-Za-z]|[!?])[^<>]*>                           # tag, <https://…>
    | <\d[\d:.]*>                                           # time inside a cue
    | &(?:\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});
    | \{\{[^{}]*\}\} | \{[:%][^{}]*\} | \{[^{}\s]*\}        # {{ var }} {% if %} {: .class} {name} {0:>8}
    | \$\{[^{}]*\} | \$[A-Za-z_]\w*
    | %(?:\(\w*\)|\d+\$)?[-+\#0]*\d*(?:\.\d+)?(?:hh|h|ll|l|L|q|j|z|t)?[diouxXeEfFgGcrsa@]
    | \[\^[^\[\]\s]+\]                                      # footnote
    | \]\[[^\[\]]*\]                                        # name of a link's target
    | \]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+(?:"[^"]*"|'[^']*'))?\)
    """,
    re.VERBOSE,
)
_ADDRESSES = re.compile(
    r"""
      (?:\b[A-Za-z][A-Za-z0-9+.-]{1,20}://|\bwww\.|\bmailto:)(?:[^\s<>"'`()\[\]{}]|\([^\s<>()]*\))+(?<![.,;:!?*])
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+
    """,
    re.VERBOSE,
)
_TICKS = re.compile(r"`+")
# A text of this one word is a name for machines. What could be a word of a language is not listed.
_TECHNICAL = re.compile(
    r"""
      (?:[A-Za-z]:|~|\.{1,2})?(?:[\\/][\w.@%+~-]+)+[\\/]?   # /usr/bin  ./a/b  C:\Temp
    | [\w-]+(?:[./\\][\w-]+)*\.[a-z0-9]{2,4}                # img/logo.png  example.com
    | [A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)+                      # snake_case
    | (?=[^\d]*\d)[0-9A-Fa-f-]{8,}                          # hash, UUID
    | \#[0-9A-Fa-f]{3,8}                                    # colour
    | \d[\dTZ:.+-]*                                         # moment
    | v?\d+(?:\.\w+)+                                       # version
    """,
    re.VERBOSE,
)


def protected(text: str) -> list[tuple[int, int]]:
    """Ranges `(start, end)` that a translator must not change, in order and apart from each other.

    `{name}`, `{{ var }}`, `%s`, `%(name)d`, `$VAR`, `${VAR}`, tags, entities, `inline code`, addresses of
    pages and of mail, and the targets of Markdown links.
    """
    found = _code(text) + [match.span() for match in _MARKS.finditer(text)]
    if "@" in text or "://" in text or "www." in text or "mailto:" in text:
        found += [match.span() for match in _ADDRESSES.finditer(text)]
    apart: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def is_inside(at: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether a cut at this place would go through one of the ranges, which are in order."""
    index = bisect_left(ranges, at, key=itemgetter(0)) - 1
    return index >= 0 and at < ranges[index][1]


def has_words(text: str) -> bool:
    """Whether there is anything to translate: a letter outside what is protected, in no name for machines."""
    if _TECHNICAL.fullmatch(text.strip()):
        return False
    at = 0
    for start, end in protected(text):
        if any(map(str.isalpha, text[at:start])):
            return True
        at = end
    return any(map(str.isalpha, text[at:]))


def _code(text: str) -> list[tuple[int, int]]:
    """Code between equally long runs of backticks; a run that finds no partner is a backtick."""
    ticks = [match.span() for match in _TICKS.finditer(text)]
    partner: dict[int, int] = {}
    last: dict[int, int] = {}
    for index in range(len(ticks) - 1, -1, -1):
        length = ticks[index][1] - ticks[index][0]
        if length in last:
            partner[index] = last[length]
        last[length] = index
    found = []
    index = 0
    while index < len(ticks):
        start = ticks[index][0]
        if index in partner and not text.endswith("\\", 0, start):
            index = partner[index]
            found.append((start, ticks[index][1]))
        index += 1
    return found
