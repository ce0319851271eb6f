"""Documents that nobody else has, names with and without tokens of misbehaviour, and what a result must be."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.sandbox.localise import localise, pseudo
from daemon.sandbox.samples import document
from daemon.segments import EXTENSIONS, NotSegmentableError, take_apart

FOLDERS: Mapping[str, Sequence[str]] = {
    "gpttranslator": ("fr", "de"),
    "voicecheap": ("es", "it"),
    "doctranslate": ("vi", "ja"),
    "azure": ("pt-PT", "fr"),
    "cambai": ("it", "de"),
}
_EXTENSIONS: Mapping[str, Sequence[str]] = {
    "gpttranslator": ("txt", "md", "docx", "srt"),
    "voicecheap": ("mp3",),
    "doctranslate": ("docx", "pdf"),
    "azure": ("txt", "docx"),
    "cambai": ("txt", "md"),
}
# What ends by itself within a minute: no token that stays for ever.
_EVERYWHERE = (
    "~http-413x1 ~http-429x2 ~http-503x1 ~accepted-500x1 ~accepted-503x1 ~lostx1 ~lost ~hang-8x1 ~slow-3 ~slow-6"
)
# Not at Doctranslate: a task that was found again is known by its place in a history alone, which shows one that
# has failed like one under way (it waits for its deadline), and which does not count as a look at the task.
_NOT_IN_A_HISTORY = "~fail ~failx1 ~nested ~odd ~odd-5 ~back"
# Not at services that are asked by their list: one that hides what was taken proves an absence that is none. Nor
# `~unlisted`: a single batch that never shows its document could be the lost one of everybody after it, who then
# ask for as long as asking is worth it, and in an hour there are many.
_NOT_IN_A_LIST = "~vanish ~gone ~gone-2"
_ASKED_BY_LIST = frozenset({"azure", "doctranslate"})
_TOKENS: Mapping[str, str] = {
    "gpttranslator": "~queue ~early ~expired ~expired-2 ~html-1 ~empty-1 ~cut-1 ~wrong-1 ~fail-402x1",
    "voicecheap": "~expired ~expired-2 ~html-1 ~empty-1 ~cut-1",
    "doctranslate": "~flat ~bare ~bare-1 ~bare-2 ~expired ~html-1 ~empty-1 ~cut-1",
    "azure": "~queue ~header ~header-2 ~header-3 ~header-4x1 ~after-2 ~invalidx1 ~cancel ~partly ~pages",
    "cambai": "~early ~short-1 ~alone ~wrapped ~groups-3 ~fail-402x1 ~html-1 ~empty-1 ~cut-1",
}
_WORDS = "lighthouse keeper letter garden dawn basket ladder pears window harbour {name} rain"
_STEMS = ("report", "notes for Zoë", "日本語", "a b  c", "x" * 180, "minutes (2)", "über.die.Brücke", "-dash")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """Something to be dropped: the provider, the path below its folder, and the bytes."""

    provider: str
    folder: str
    name: str
    data: bytes

    @property
    def path(self) -> str:
        return f"inbox/{self.provider}/{self.folder}/{self.name}"


def make(serial: str, dice: random.Random, extension: str | None = None) -> Drop:
    """A document whose bytes hold its serial, so that it is the only one of its kind; of a format, if one is wanted."""
    provider = dice.choice([one for one in FOLDERS if extension in (None, *_EXTENSIONS[one])])
    extension = extension or dice.choice(_EXTENSIONS[provider])
    tokens = f"{_EVERYWHERE} {_TOKENS[provider]}".split()
    tokens += _NOT_IN_A_HISTORY.split() if provider != "doctranslate" else []
    tokens += _NOT_IN_A_LIST.split() if provider not in _ASKED_BY_LIST else []
    token = "" if dice.random() < 0.55 else dice.choice(tokens)
    stem = dice.choice(_STEMS) if dice.random() < 0.3 else f"text {serial}"
    below = dice.choice(("", "", "", "sub/", "sub/deep er/"))
    return Drop(
        provider=provider,
        folder=dice.choice(FOLDERS[provider]),
        name=f"{below}{stem}{token}.{extension}",
        data=_bytes(extension, serial, dice),
    )


def _bytes(extension: str, serial: str, dice: random.Random) -> bytes:
    size = dice.choice((3, 30, 300, 3000))
    if extension == "mp3":
        return b"ID3\x04\x00\x00\x00\x00\x00\x00" + serial.encode() + dice.randbytes(size * 300)
    if extension == "pdf":
        return b"%PDF-1.4\n% " + serial.encode() + b"\n" + b"% some more\n" * size + b"%%EOF\n"
    lines = [f"Number {serial} of all."]
    lines += [" ".join(dice.choices(_WORDS.split(), k=9)) + "." for _ in range(max(1, size // 9))]
    if extension == "docx":
        return document(*(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in lines))
    if extension == "srt":
        cues = [f"{at}\n00:00:{at % 60:02},000 --> 00:00:{at % 60:02},900\n{line}\n" for at, line in enumerate(lines)]
        return "\n".join(cues).encode()
    return ("\n\n" if extension == "md" else "\n").join([*lines, ""]).encode()


def is_result(result: bytes, original: bytes, *, extension: str, provider: str, targets: Sequence[str]) -> bool:
    """Whether these bytes are what the services make of an original, sent to one of the targets."""
    if extension not in EXTENSIONS:
        return result == original
    if provider != "cambai":
        return any(result == localise(original, extension, target) for target in targets)
    try:
        wanted, found = take_apart(original, extension).texts, take_apart(result, extension).texts
    except NotSegmentableError:
        return False
    return len(wanted) == len(found) and all(
        got == pseudo(sent) or (got.startswith("[") and got.partition("] ")[2] == pseudo(sent))
        for sent, got in zip(wanted, found, strict=True)
    )
