"""Which keys are good, and what is wrong with the others.

    sandbox-key       good, as is every key that begins with sandbox- or vc_sandbox
    sandbox-blocked   not let in: an inactive user (gpttranslator, 400), an account without credits (the others, 403)
    sandbox-orphan    without organisation (gpttranslator, 400), subscription (voicecheap, 403), plan (doctranslate,
                      403) or payment (cambai, 402)
    anything else     wrong: 401; gpttranslator says so with 400 when the key ends in -400

Every good key is an account of its own. The ledger knows an account by a hash, never by its key.
"""

import hashlib
from enum import Enum


class Standing(Enum):
    """What a service thinks of a key."""

    GOOD = "good"
    MISSING = "missing"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    ORPHANED = "orphaned"


def standing(key: str | None) -> Standing:
    """Judge a key by its name alone."""
    if not key:
        return Standing.MISSING
    name = key.removeprefix("vc_")
    if name.startswith("sandbox-blocked"):
        return Standing.BLOCKED
    if name.startswith("sandbox-orphan"):
        return Standing.ORPHANED
    if key.startswith(("sandbox-", "vc_sandbox")):
        return Standing.GOOD
    return Standing.UNKNOWN


def account_of(key: str | None) -> str:
    """A short name for the account behind a key, from which the key cannot be read."""
    return hashlib.sha256((key or "").encode("utf-8", "surrogateescape")).hexdigest()[:12]
