"""What is to be said of a file that lies in an inbox now: why it is not taken, or not taken yet.

What the living daemon says comes first; without one the same pure rules are asked as it asks itself.
"""

import contextlib
import os

from daemon import disk, messages, names
from daemon.cli import places, words
from daemon.cli.places import Spot
from daemon.cli.reading import Scene
from daemon.clock import moment
from daemon.errors import BabeldropError, ShareAwayError
from daemon.folders import Place


def about(scene: Scene, spot: Spot, entry: disk.Entry) -> list[str]:
    """Why the file is still there, in sentences."""
    if spot.place is None:
        return _nowhere(spot, entry)
    never = _never(scene, spot.place, entry)
    if never is not None:
        return [never]
    told = _told(scene, spot)
    language = _language(scene, spot.place)
    return [*([language] if language else []), told]


def _nowhere(spot: Spot, entry: disk.Entry) -> list[str]:
    if entry.kind == "folder":
        return ["This is a folder; name a file in it."]
    where = "inbox/<provider>/<lang>/"
    return [f"It lies in {words.quoted(os.path.dirname(spot.path))}/, where nothing is taken: files go into {where}."]


def _never(scene: Scene, place: Place, entry: disk.Entry) -> str | None:
    """Why it is never taken, as long as nothing changes."""
    if place.provider not in scene.config.providers:
        known = ", ".join(scene.config.providers)
        return f"No provider called “{names.shown(place.provider)}” is configured; there are: {known}."
    if entry.kind == "folder":
        return "This is a folder; name a file in it."
    for name in (place.folder, *place.name.split("/")):
        reason = names.never_touched(name, scene.config.watch.ignore)
        if reason is not None:
            whose = "its name" if name == place.base else f"the folder {words.quoted(name)}"
            return f"It is left alone because of {whose}: {reason}."
    odd = _odd(entry)
    if odd is not None:
        return f"It is left alone: {messages.LEFT_ALONE[odd]}."
    if _own_sidecar(scene, place):
        return "It is left alone: a note that babeldrop wrote itself, about a file that failed."
    return None


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


def _told(scene: Scene, spot: Spot) -> str:
    """What the living daemon says about it, or what will happen when one lives."""
    if not scene.running:
        return "babeldrop is not running; it looks at the file when it is started."
    live = scene.live or {}
    path = names.shown(spot.path)
    for row in live.get("ignored", []):
        if row["path"] == path:
            return f"It is left alone: {row['why']}."
    if live and not live["share"]["there"]:
        return messages.waiting("share.away", {})
    for row in live.get("resting", []):
        if row["path"] == path:
            reason = messages.waiting(row["why"], {}) if row["why"] else "It was noticed just now."
            return f"It has rested for {words.since(moment(row['since']), scene.now)}. {reason}"
    every = live.get("detector", {}).get("scan_s")
    often = f"; all folders are searched every {words.age(every)}" if every else ""
    return f"The daemon has not noticed it yet{often}."


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
