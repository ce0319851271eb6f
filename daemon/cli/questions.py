"""The questions that `init` asks on a terminal: only what the options have not answered, each with what it means."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import typer

from daemon.setup import answers as reading
from daemon.setup import people
from daemon.setup.answers import Answers, Entry
from daemon.setup.kinds import all_needs

_PLACES = {"credential": "a systemd credential", "file": "a file of the daemon's own", "env": "an environment variable"}


def ask(known: Answers) -> Answers:
    """Everything that is still open. Raises typer.Abort on Ctrl-C or the end of the input."""
    defaults = reading.defaults_for(known.folder)
    typer.echo(
        f"The configuration, keys and a systemd unit go to {known.folder}. Enter takes what stands in brackets.\n"
    )
    root = known.root or _ask("The folder that people see, may be a network share", defaults["root"], reading.path)
    state = known.state or _ask("The daemon's own records, on a local disk", defaults["state"], reading.path)
    entries = known.entries or _services()
    answered = replace(known, root=root, state=state, entries=tuple(_entry(one, known) for one in entries))
    group = known.group
    if group is None:
        typer.echo("\nA group may share the folders: its members drop files and take results.")
        group = _ask("Share group, - for none", "-", _group)
    language = known.language or _ask("Language of notes and pages, en or de", "en", _language)
    return replace(answered, group=group, user=known.user or _user(defaults["user"]), language=language)


def _ask(text: str, default: str | None, read: Callable[[str], Any]) -> Any:
    """Ask until the answer can be read."""

    def convert(typed: str) -> Any:
        try:
            return read(typed)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return typer.prompt(text, default=default, value_proc=convert)


def _group(text: str) -> str:
    name = "" if text.strip() == "-" else text.strip()
    people.who("", name)
    return name


def _language(text: str) -> str:
    if text.strip().lower() not in ("en", "de"):
        raise ValueError("Expected en or de.")
    return text.strip().lower()


def _user(default: str) -> str:
    if not default:
        return ""

    def known(text: str) -> str:
        return people.who(text.strip(), "").name

    return str(_ask("The user that the daemon runs as", default, known))


def _services() -> tuple[Entry, ...]:
    typer.echo("\nThe services:")
    known = all_needs()
    for one in known:
        shown = " ".join(one.extensions[:8]) + (" …" if len(one.extensions) > 8 else "")
        typer.echo(f"  {one.kind:<14} {one.title}: {shown}")

    def read(text: str) -> tuple[Entry, ...]:
        names = dict.fromkeys(one.strip() for one in text.split(",") if one.strip())
        if not names:
            raise ValueError("Expected at least one service.")
        return tuple(reading.provider(name) for name in names)

    return tuple(_ask("Which of them, with commas between", None, read))


def _entry(entry: Entry, answers: Answers) -> Entry:
    """Everything about one service."""
    needs = entry.needs
    typer.echo(f"\n{needs.title}")
    address, source = entry.address, entry.source
    if needs.address and address is None:
        address = _ask("  Its address, which is your own there (https://…)", None, reading.address)
    if needs.source and source is None:
        source = _ask("  The language of the originals", "en", reading.source)
    entry = replace(entry, address=address, source=source)
    if not entry.languages:
        entry = _ask("  Languages to translate into, with commas between", None, lambda text: _languages(entry, text))
    options = {
        name: entry.options.get(name) or _ask(f"  Its setting {name}", default, str.strip)
        for name, default in needs.options.items()
    }
    return _key(replace(entry, options={**entry.options, **options}), answers)


def _languages(entry: Entry, text: str) -> Entry:
    named = tuple(one.strip() for one in text.split(",") if one.strip())
    return reading.languages(replace(entry, languages=named))


def _key(entry: Entry, answers: Answers) -> Entry:
    """Where the key is, and the key itself where it has no place yet; typed hidden."""
    if entry.key is None:
        standard = reading.default_key(answers.folder, entry.name)
        for place, words in _PLACES.items():
            typer.echo(f"    {place:<11} {words}")
        place = _ask("  Where the key is kept", "credential" if standard.credential else "file", _place)
        if place == "env":
            variable = f"{entry.name}_API_KEY".upper().replace("-", "_")
            return replace(entry, key=_ask("  Its variable", variable, lambda text: reading.key(f"env:{text.strip()}")))
        entry = replace(entry, key=reading.key_in(answers.folder, entry.name, place))
    if entry.key is None or reading.has_key(answers.folder, entry.key):
        return entry
    typed = typer.prompt(
        "  The key (not shown; Enter: later)", default="", show_default=False, hide_input=True, value_proc=_typed
    )
    return replace(entry, typed=typed or None)


def _place(text: str) -> str:
    if text.strip() not in _PLACES:
        raise ValueError(f"Expected {', '.join(_PLACES)}.")
    return text.strip()


def _typed(text: str) -> str:
    try:
        return reading.typed_key(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
