"""The forms in which a secret travels: plain, quoted for an address, escaped for JSON, and as base64."""

import base64
import functools
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

# Shorter ones would take words out of the text everywhere; no service has such keys.
SHORTEST = 4
_SHORTEST_BASE64 = 8
# What some writers of JSON escape besides: these may be dangerous in HTML.
_MARKUP = frozenset("\"&'+<>`")


@functools.lru_cache(maxsize=64)
def pattern(secrets: frozenset[str], shortest: int = SHORTEST) -> re.Pattern[str] | None:
    """Finds these secrets in any of their forms, also inside a longer base64 text; None when there are none.

    Secrets of less than `shortest` characters are not looked for.
    """
    forms = {form for secret in secrets if len(secret) >= shortest for form in _forms(secret)}
    # The longest first: a key may begin like another one.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None


def _forms(secret: str) -> Iterator[str]:
    escaped = json.dumps(secret)[1:-1]
    yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (escaped, escaped.replace("/", "\\/"), repr(secret)[1:-1])
    yield "".join(f"\\u{ord(one):04x}" if one in _MARKUP else json.dumps(one)[1:-1] for one in secret)
    for shift in range(3):
        # Three characters hold four bytes; with `shift` bytes before it the key begins elsewhere in them. The
        # characters at both ends that also depend on other bytes are left out.
        data = b"\0" * shift + secret.encode("utf-8", "surrogatepass")
        whole = slice((0, 2, 3)[shift], len(data) * 8 // 6)
        for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
            if len(encoded[whole]) >= _SHORTEST_BASE64:
                yield encoded[whole].decode()
