"""Everything that is said about files and accounts, one module a language; how it is rendered is in `messages`.

A text is a template: facts in braces come from the error and the job. What a service or the system says by itself
is shown as it is; what this program says inside a sentence (a reason) is a phrase of its own, English in the
journal, and other languages bring a row for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """What one language says, and how it writes what is put in between."""

    tag: str
    messages: Mapping[str, tuple[str, str]]
    """By `error.code`: what happened (for the person who dropped the file), and what to do."""
    waiting: Mapping[str, str]
    """Why a file or an account waits, as far as it is no failure; further codes, and other words for some of them."""
    left_alone: Mapping[str, str]
    """Why something in an inbox is not taken, as the end of a sentence; what the system says follows a colon."""
    units: Mapping[str, tuple[str, str]]
    """`day`, `hour`, `minute`, `second`: one and several of it."""
    no_reason: str
    """Stands for a reason that nobody gave, where a sentence cannot do without."""
    thousands: str
    decimal: str
    phrases: Mapping[str, str] = field(default_factory=dict)
    """What this program says inside a sentence: the English template and its words here, with the same places."""
