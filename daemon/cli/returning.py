"""Failed originals go back into their inboxes; the next look at these claims them as new attempts.

What is moved lies under `failed/` of the configured root and nowhere else, no link is followed, nothing is
overwritten. The sidecar stays: it goes when the new attempt is claimed.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import typer

from daemon import disk, names
from daemon.cli import places, reading, words
from daemon.config import Config
from daemon.folders import Place

_DEEPEST = 40


def put_back(path: Path, files: list[str] | None, *, provider: str | None, code: str | None) -> tuple[int, int]:
    """Move what is named, or without names everything that failed there and so, and say what was done.

    Returns how many were moved, and how many not. Raises ConfigError and ShareAwayError.
    """
    settings = reading.load(path)
    moved = kept = 0
    with places.opened(os.fspath(settings.root)) as root:
        for place in list(named(root, settings, files) if files else failed(root, provider, code)):
            trouble = place if isinstance(place, str) else _move(root, place, settings.outbox.folder_mode)
            if trouble is not None:
                kept += 1
                typer.echo(trouble, err=True)
            elif isinstance(place, Place):
                moved += 1
                typer.echo(f"{words.quoted(place.path('failed'))} is back in {words.quoted(place.within('inbox'))}/")
    return moved, kept


def named(root: int, settings: Config, files: Iterable[str]) -> Iterator[Place | str]:
    """The failed originals that somebody means, each once; for what is none a sentence that says so."""
    seen: set[Place] = set()
    for given in files:
        spot = places.below_root(os.fspath(settings.root), given)
        if spot is None or spot.top != "failed" or spot.place is None:
            yield f"{words.quoted(given)} does not lie in failed/<provider>/<lang>/ of {settings.root}."
            continue
        place = spot.place
        with contextlib.suppress(OSError), disk.folder(root, place.within("failed")) as here:
            # A glob names the sidecars, too.
            place = replace(place, name=os.path.join(place.sub, places.original_of(here, place.base)))
        if place not in seen:
            seen.add(place)
            yield place


def _move(root: int, place: Place, folder_mode: int) -> str | None:
    """Move one original from `failed/` into its inbox, durably. Returns a sentence when it was not moved."""
    path, target = words.quoted(place.path("failed")), words.quoted(place.path("inbox"))
    try:
        with disk.folder(root, place.within("failed")) as source:
            entry = disk.Entry(place.base, disk.lstat(source, place.base))
            if entry.kind != "file":
                return f"{path} is no regular file." if entry.stat else f"{path} is not there."
            with disk.folder_made(root, place.within("inbox"), folder_mode) as into:
                disk.rename_noreplace(source, place.base, into, place.base)
                disk.sync_folder(into)
                disk.sync_folder(source)
    except FileNotFoundError:
        return f"{path} is not there."
    except FileExistsError:
        return f"{path} was not moved: {target} exists, and nothing is overwritten."
    except OSError as error:
        return f"{path} was not moved: {error.strerror}."
    return None


def failed(root: int, provider: str | None, code: str | None) -> Iterator[Place]:
    """Every original in `failed/`, of one provider or failed for one reason when these are given."""
    with contextlib.suppress(FileNotFoundError), disk.folder(root, "failed") as top:
        for path in _originals(top, "failed", code):
            place = places.spot_of(path).place
            if place is not None and provider in (None, place.provider):
                yield place


def _originals(here: int, at: str, code: str | None) -> Iterator[str]:
    """The paths of what is no sidecar of ours, in one folder and below it."""
    entries = sorted(disk.list_folder(here), key=lambda one: one.name)
    codes = {}
    sidecars = set()
    for entry in entries:
        note = places.note_at(here, entry.name) if places.may_be_sidecar(entry.name) else None
        if note is not None:
            sidecars.add(entry.name)
            codes[places.original_of(here, entry.name)] = note.get("error", {}).get("code")
    for entry in entries:
        path = os.path.join(at, entry.name)
        if entry.name in sidecars or names.never_touched(entry.name) is not None:
            # In an inbox it would only lie there.
            continue
        if entry.kind == "folder" and path.count("/") < _DEEPEST:
            with disk.folder(here, entry.name) as below:
                yield from _originals(below, path, code)
        elif entry.kind == "file" and code in (None, codes.get(entry.name)):
            yield path
