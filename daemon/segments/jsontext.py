"""JSON: the values that are strings with words in them; keys and formatting stay.

White space at the ends of a value stays outside its text. A changed value is escaped anew, in plain ASCII
when the file is.
"""

import json
import re
from functools import partial

from daemon.segments.placeholders import has_words
from daemon.segments.splice import NotSegmentableError, Span, trim

# In a document that json has read, this finds exactly its strings; one with a colon behind it is a key.
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?')
_SURROGATE = re.compile("[\ud800-\udfff]")


def spans(source: str) -> list[Span[str]]:
    """Raises NotSegmentableError when this is no JSON."""
    try:
        json.loads(source, parse_int=str)  # Python refuses to count as far as JSON may
    except RecursionError:
        raise NotSegmentableError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise NotSegmentableError(f"this is no valid JSON: {error}") from None
    ascii_only = source.isascii()
    found = []
    for match in _STRING.finditer(source):
        if match[2] is None:
            lead, text, trail = trim(json.loads(f'"{match[1]}"') if "\\" in match[1] else match[1])
            if has_words(text):
                write = partial(_write, lead=lead, trail=trail, ascii_only=ascii_only)
                found.append(Span(start=match.start(1), end=match.end(1), text=text, write=write))
    return found


def _write(text: str, lead: str, trail: str, ascii_only: bool) -> str:
    written = json.dumps(lead + text + trail, ensure_ascii=ascii_only)[1:-1]
    # Half a pair can be written in JSON, but not in UTF-8.
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", written)
