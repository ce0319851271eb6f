"""Names: of what is sent, delivered and left behind, and how names and foreign texts are shown to people.

A name is the text that Python makes of a file's bytes: UTF-8, where every byte that does not fit stands as a
surrogate (U+DC80 to U+DCFF). Lengths are counted in the bytes of the file system, 255 for one name on Linux.

Nothing here raises for a strange name; job ids are the only argument that has to be right.
"""

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

NAME_LIMIT: Final = 255
"""Bytes in one name, on every file system Linux is served from."""

_HOLDS = "a sign that holds the folder, no document"
_NEVER_TOUCHED = (
    ("~$*", "lock of an office program"),
    (".~lock.*#", "lock of an office program"),
    (".*", "hidden"),
    ("*.tmp", "still being written by another program"),
    ("*.part", "still being written by another program"),
    ("*.partial", "still being written by another program"),
    ("*.crdownload", "still being written by another program"),
    ("thumbs.db", "made by a file manager"),
    ("desktop.ini", "made by a file manager"),
    ("@eadir", "made by a storage device"),
    ("_readme.txt", "the note that says how this folder works"),
    ("*.cancel", "a sign that withdraws a file, no document"),
    ("*.cancel.txt", "a sign that withdraws a file, no document"),
)

STOPS: Final = ("STOP", "STOP.txt")
"""Names that hold a folder, as they are documented; a file manager may have added the extension."""
CANCELS: Final = (".cancel", ".cancel.txt")
"""What follows a drop's name in the name of the sign that withdraws it."""

_EXTENSION = re.compile(r"[A-Za-z0-9]{1,16}")
_NUMBER = re.compile(r" \([0-9]{1,9}\)\Z")
_UNSENDABLE = re.compile(r"[^A-Za-z0-9._~-]|^[.-]+")
_SENT_STEM_LIMIT = 60

# Crockford's base 32: digits and letters in ASCII order, so that ids sort like the moments they hold.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_JOB_ID = re.compile(f"[{_DIGITS}]{{16}}")
_TIME_DIGITS, _RANDOM_DIGITS = 10, 6

# One format under several spellings; m4a and mp4 are not among them, one is the sound of the other.
_SPELLINGS = (
    {"jpg", "jpeg"},
    {"htm", "html"},
    {"tif", "tiff"},
    {"yml", "yaml"},
    {"mpg", "mpeg"},
    {"xlf", "xliff"},
)
_SAME_FORMAT = {one: min(group) for group in _SPELLINGS for one in group}

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSHOWABLE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff{_BIDI}\ud800-\udfff]")
_INVISIBLE = re.compile(f"[\ufeff{_BIDI}]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# ECMA-48: control sequences, operating system commands (window titles, links), then what remains of either.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]"
)
_JOINER = "\u200d"


def never_touched(name: str, ignore: Iterable[str] = ()) -> str | None:
    """Why a name in an inbox is left alone, in words; None when it is not.

    For files and for folders alike. `ignore` are the administrator's patterns, written as for a shell. Case
    does not matter: many names come from systems where it never does.
    """
    folded = name.casefold()
    for pattern, reason in _NEVER_TOUCHED:
        if fnmatchcase(folded, pattern):
            return reason
    if is_stop(name):
        return _HOLDS
    for pattern in ignore:
        if fnmatchcase(folded, pattern.casefold()):
            return f"matches {shown(pattern)} of watch.ignore"
    return None


def is_stop(name: str) -> bool:
    """Whether a name in an inbox holds its folder. `stop.txt` may well be a document; written small it is one."""
    return name in STOPS or name.casefold() == "stop"


def withdrawn_by(name: str) -> str | None:
    """The drop (as `alike` says it) that a sign withdraws by its name; None when it is no such sign."""
    folded = alike(name)
    for ending in reversed(CANCELS):
        if folded.endswith(ending) and len(folded) > len(ending):
            return folded.removesuffix(ending)
    return None


def is_sign(name: str) -> bool:
    """Whether a name in an inbox steers what happens to others."""
    return is_stop(name) or withdrawn_by(name) is not None


def alike(name: str) -> str:
    """A name in a form that does not tell upper from lower case, nor one spelling of an accent from the other."""
    return unicodedata.normalize("NFC", name.casefold())


def extension(name: str) -> str:
    """What follows the last dot, lower-case; empty when that is none (`.profile`, `v1.final text`)."""
    return _parts(name)[1][1:].lower()


def sent_name(name: str, job: str, attempt: int) -> str:
    """The name under which a document is uploaded: `<stem>.<job>-<attempt>.<ext>`.

    Every service takes its characters (`[A-Za-z0-9._~-]`, not beginning with a dot or a dash), and the token
    between the dots is what a recovery looks for.
    """
    stem, suffix = _parts(name)
    plain = _UNSENDABLE.sub("_", stem)[:_SENT_STEM_LIMIT]
    return f"{plain or '_'}.{token(job, attempt)}{suffix.lower()}"


def token(job: str, attempt: int) -> str:
    """What tells one attempt of one job from everything else at a service."""
    return f"{job}-{attempt}"


def result_name(original: str, returned: str | None) -> str:
    """The original's name; the extension changes only when the service returned another format.

    `returned` is a service's word: what is no plain extension counts as not told.
    """
    stem, suffix = _parts(original)
    told = extension(f"x.{(returned or '').removeprefix('.')}")
    own = suffix[1:].lower()
    if not told or _SAME_FORMAT.get(told, told) == _SAME_FORMAT.get(own, own):
        return original
    return f"{stem}.{told}"


def numbered(name: str, number: int) -> str:
    """The n-th choice for a name that must not overwrite anything: `report (2).docx`.

    It can be too long for the file system; `fit` puts that right and keeps the number.
    """
    stem, suffix = _parts(name)
    return f"{stem} ({number}){suffix}" if number > 1 else name


def fit(name: str, suffix: str, job: str, limit: int = NAME_LIMIT) -> str:
    """`name` and `suffix` in at most `limit` bytes.

    A name too long for its suffix loses characters at the end of its stem, never a part of one and never the
    accent of a letter it keeps. There it ends in `~<job>`; a number and the extension stay behind that, so
    that numbered names stay different: `very lo~<job> (2).docx`. The limit has to leave room for this ending.
    """
    if len(_encoded(name + suffix)) <= limit:
        return name + suffix
    stem, own = _parts(name)
    number = _NUMBER.search(stem)
    ending = f"~{job}{number[0] if number else ''}{own}{suffix}"
    return _cut(stem[: number.start()] if number else stem, limit - len(_encoded(ending))) + ending


def sidecar_name(name: str, job: str) -> str:
    """The name of the file that says why `name` failed."""
    return fit(name, ".error.json", job)


def job_id(now_ms: int, random: int) -> str:
    """Sixteen letters and digits that sort by time: 50 bits of Unix milliseconds, 30 bits of chance."""
    moment = min(max(now_ms, 0), 32**_TIME_DIGITS - 1)
    return _digits(moment, _TIME_DIGITS) + _digits(random % 32**_RANDOM_DIGITS, _RANDOM_DIGITS)


def is_job_id(text: str) -> bool:
    return _JOB_ID.fullmatch(text) is not None


def job_time_ms(job: str) -> int:
    """The Unix milliseconds in a job's id. Raises ValueError when it is none."""
    if not is_job_id(job):
        raise ValueError(f"no job id: {shown(job)}")
    moment = 0
    for digit in job[:_TIME_DIGITS]:
        moment = moment * 32 + _DIGITS.index(digit)
    return moment


def shown(name: str) -> str:
    r"""A name as it may stand in messages, on terminals and in pages.

    What would move the cursor, turn the reading direction or break a line appears as the bytes it is made of,
    `\xNN`, and so do bytes that are no UTF-8.
    """
    return _UNSHOWABLE.sub(lambda found: "".join(f"\\x{byte:02x}" for byte in _encoded(found[0])), name)


def hex_of(name: str) -> str | None:
    """The bytes of a name that is no UTF-8, in hexadecimal; None when its text says all."""
    return _encoded(name).hex() if _SURROGATE.search(name) else None


def clean(text: str, limit: int) -> str:
    """A service's words in at most `limit` characters, safe for sidecars, logs and terminals.

    Terminal sequences, control characters and changes of the reading direction go, white space becomes one
    space each, and a text that was cut ends in `…`.
    """
    plain = _CONTROL.sub(" ", _TERMINAL.sub("", text))
    plain = _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", plain))
    words = " ".join(plain.split())
    if len(words) <= limit:
        return words
    return words[: limit - 1].rstrip() + "…" if limit > 0 else ""


def _parts(name: str) -> tuple[str, str]:
    """The stem, and the extension with its dot in the spelling it has."""
    stem, _, suffix = name.rpartition(".")
    if stem.strip(".") and _EXTENSION.fullmatch(suffix):
        return stem, f".{suffix}"
    return name, ""


def _cut(text: str, room: int) -> str:
    """The longest beginning within `room` bytes that ends between two characters as people see them."""
    end = used = 0
    for character in text:
        used += len(_encoded(character))
        if used > room:
            break
        end += 1
    while 0 < end < len(text) and (_clings(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    return text[:end]


def _clings(character: str) -> bool:
    """Whether it belongs to the character before it: accents, variation selectors, skin tones, joiners."""
    return (
        unicodedata.category(character).startswith("M")
        or character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a pair comes from somebody's JSON, never from a disk; it only has to be counted and shown.
        return text.encode("utf-8", "surrogatepass")


def _digits(number: int, count: int) -> str:
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(count)))
