"""What is to be said of a file that lies in an inbox now: why it is not taken, or not taken yet.

What the living daemon says comes first; where it says nothing the same pure rules are asked as it asks itself.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from daemon import disk, formats, messages, names
from daemon.cli import places, words
from daemon.cli.places import Spot
from daemon.cli.reading import Scene
from daemon.clock import moment
from daemon.errors import BabeldropError, ShareAwayError
from daemon.folders import Place

_JUST_NOW_S = 60.0
_WHAT_IS_MISSING: Mapping[str, str] = {
    "settling": "It is taken when it has stayed unchanged for long enough{settle}.",
    "open": "It is taken when that program closes it.",
    "empty": "If nothing is written into it, it is taken after a minute, and fails as empty.",
    "no_end": "If its end does not come, it is taken after a minute all the same, with a warning in the log.",
}


def about(scene: Scene, spot: Spot, entry: disk.Entry) -> list[str]:
    """Why the file is still there, in sentences."""
    if spot.place is None:
        return _nowhere(spot, entry)
    never = _never(scene, spot.place, entry)
    if never is not None:
        return [never]
    language, held = _language(scene, spot.place), _held(scene, spot.place)
    said = [*([language] if language else []), *([held] if held else [])]
    return [*said, *_told(scene, spot, entry, held=held is not None)]


# -- what is never taken ------------------------------------------------------------------------------------


def _nowhere(spot: Spot, entry: disk.Entry) -> list[str]:
    if entry.kind == "folder":
        return ["This is a folder; name a file in it."]
    name = os.path.basename(spot.path)
    if names.is_stop(name):
        return [_stops(os.path.dirname(spot.path))]
    reason = names.never_touched(name)
    if reason is not None:
        return [f"It is left alone because of its name: {reason}."]
    where = "inbox/<provider>/<lang>/"
    return [f"It lies in {words.quoted(os.path.dirname(spot.path))}/, where nothing is taken: files go into {where}."]


def _stops(folder: str) -> str:
    shown = words.quoted(folder)
    return f"It is a sign, no document: as long as it lies there, nothing is taken from {shown} and the folders in it."


def _never(scene: Scene, place: Place, entry: disk.Entry) -> str | None:
    """Why it is never taken, as long as nothing changes."""
    if place.provider not in scene.config.providers:
        known = ", ".join(scene.config.providers)
        return f"No provider called “{names.shown(place.provider)}” is configured; there are: {known}."
    if entry.kind == "folder" and not names.is_sign(place.base):
        return "This is a folder; name a file in it."
    return _sign(place) or _named(scene, place) or _unfit(scene, place, entry)


def _named(scene: Scene, place: Place) -> str | None:
    """The rule for names that leaves it, or a folder that it lies in, alone."""
    for name in (place.folder, *place.name.split("/")):
        reason = names.never_touched(name, scene.config.watch.ignore)
        if reason is not None:
            whose = "its name" if name == place.base else f"the folder {words.quoted(name)}"
            return f"It is left alone because of {whose}: {reason}."
    return None


def _unfit(scene: Scene, place: Place, entry: disk.Entry) -> str | None:
    """What it is instead of a document."""
    odd = _odd(entry)
    if odd is not None:
        return f"It is left alone: {messages.left_alone(odd)}."
    if _own_sidecar(scene, place):
        return "It is left alone: a note that babeldrop wrote itself, about a file that failed."
    return None


def _sign(place: Place) -> str | None:
    """What a file does that steers others by its name."""
    if names.is_stop(place.base):
        return _stops(place.within("inbox"))
    ending = next((one for one in reversed(names.CANCELS) if place.base.casefold().endswith(one)), None)
    if names.withdrawn_by(place.base) is None or ending is None:
        return None
    withdrawn = words.quoted(place.base[: -len(ending)])
    return (
        f"It is a sign, no document: it withdraws {withdrawn} beside it, as long as that has not been sent. "
        "Remove it when you do not need it any more."
    )


def _odd(entry: disk.Entry) -> str | None:
    if entry.kind != "file":
        return entry.kind
    return "linked" if entry.stat is not None and entry.stat.st_nlink > 1 else None


def _own_sidecar(scene: Scene, place: Place) -> bool:
    inbox = place.within("inbox")
    with (
        contextlib.suppress(ShareAwayError, OSError),
        places.opened(scene.root) as root,
        disk.folder(root, inbox) as at,
    ):
        return places.note_at(at, place.base) is not None
    return False


# -- signs beside and above it ------------------------------------------------------------------------------


def _held(scene: Scene, place: Place) -> str | None:
    """The sign that withdraws it, or that holds one of the folders it lies in."""
    with contextlib.suppress(ShareAwayError, OSError), places.opened(scene.root) as root:
        folder = place.within("inbox")
        for name in _names(root, folder):
            if names.withdrawn_by(name) == names.alike(place.base):
                sign = words.quoted(os.path.join(folder, name))
                return f"It is withdrawn by {sign}; it is taken when that is removed."
        while folder:
            for name in filter(names.is_stop, _names(root, folder)):
                sign = words.quoted(os.path.join(folder, name))
                return f"Its folder is held by {sign}; it is taken when that is removed."
            folder = os.path.dirname(folder)
    return None


def _names(root: int, folder: str) -> list[str]:
    with contextlib.suppress(OSError), disk.folder(root, folder) as here:
        return disk.names_in(here)
    return []


# -- what is not taken yet ----------------------------------------------------------------------------------


def _told(scene: Scene, spot: Spot, entry: disk.Entry, *, held: bool) -> Iterator[str]:
    """What the living daemon says about it, or what will happen when one lives."""
    if not scene.running:
        if not held:
            yield from _by_itself(scene, spot, entry)
        yield "babeldrop is not running; it looks at the file when it is started."
        return
    live = scene.live or {}
    path = names.shown(spot.path)
    left = next((row for row in live.get("ignored", []) if row["path"] == path), None)
    rests = next((row for row in live.get("resting", []) if row["path"] == path), None)
    if live and not live["share"]["there"]:
        yield messages.waiting("share.away", {})
    elif held:
        return
    elif left is not None:
        yield f"It is left alone: {left['why']}."
    elif rests is not None:
        yield from _rests(scene, rests)
    else:
        yield from _by_itself(scene, spot, entry)
        yield _unlisted(live)


def _rests(scene: Scene, row: Mapping[str, Any]) -> Iterator[str]:
    """Since when it rests, why, and which proof of its being complete is missing."""
    reason = messages.waiting(row["why"], {}) if row["why"] else "It was noticed just now."
    yield f"It has rested for {words.since(moment(row['since']), scene.now)}. {reason}"
    missing = _WHAT_IS_MISSING.get(row["why"])
    if missing is not None:
        yield missing.format(settle=_settle(scene))


def _settle(scene: Scene) -> str:
    told = ((scene.live or {}).get("detector") or {}).get("settle")
    return f" ({told})" if told else ""


def _unlisted(live: Mapping[str, Any]) -> str:
    """Why the daemon says nothing of it."""
    listed, total = len(live.get("resting", [])), live.get("resting_total") or 0
    if total > listed:
        return f"The daemon lists the {listed:,} that have rested longest of {total:,} files, and it is none of these."
    every = (live.get("detector") or {}).get("scan_s")
    often = f"; all folders are searched every {words.age(every)}" if every else ""
    return f"The daemon has not noticed it yet{often}."


def _by_itself(scene: Scene, spot: Spot, entry: disk.Entry) -> Iterator[str]:
    """What the file itself shows of whether it is complete; whether it is open elsewhere cannot be seen."""
    assert entry.stat is not None
    changed = max(entry.stat.st_mtime, entry.stat.st_ctime)
    age = max(0.0, scene.now.timestamp() - changed)
    if not entry.stat.st_size:
        yield f"{messages.waiting('empty', {})} {_WHAT_IS_MISSING['empty']}"
    elif _shows_end(scene, spot, entry.stat.st_size) is False:
        yield f"{messages.waiting('no_end', {})} {_WHAT_IS_MISSING['no_end']}"
    elif age < _JUST_NOW_S:
        yield f"It was changed {words.age(age)} ago. {_WHAT_IS_MISSING['settling'].format(settle=_settle(scene))}"
    else:
        yield f"It has not changed for {words.age(age)}, and looks complete."


def _shows_end(scene: Scene, spot: Spot, size: int) -> bool | None:
    """Whether it has the end of its format; None where that has none, or the file cannot be read from here."""
    with contextlib.suppress(ShareAwayError, OSError), places.opened(scene.root) as root:
        descriptor = disk.open_file(root, spot.path)
        try:
            kind = names.extension(os.path.basename(spot.path))
            return formats.shows_end(kind, size, lambda offset, length: disk.read(descriptor, length, offset))
        finally:
            disk.close(descriptor)
    return None


# -- its folder ---------------------------------------------------------------------------------------------


def _language(scene: Scene, place: Place) -> str | None:
    """What is wrong with the language folder. Only a name that is not listed needs the adapter's own list."""
    listed = scene.config.providers[place.provider].languages
    if place.folder in listed:
        return None
    from daemon import config
    from daemon.languages import UnknownLanguageError, route_for
    from daemon.providers import KINDS

    try:
        settings = config.load(scene.config.origin.file, keys=False).providers[place.provider]
        table = KINDS[settings.kind].facts(settings).languages
        route_for(place.folder, table=table, listed=listed, default_source=settings.source_language)
    except UnknownLanguageError as error:
        near = f" Near to it: {', '.join(error.suggestions)}." if error.suggestions else ""
        return f"Its folder is no language of {place.provider}: {error}{near} When it is taken, it fails for that."
    except BabeldropError:
        # The configuration has mistakes of its own, which `check` tells.
        return None
    return None
