"""`init`: from a few answers to a set-up that works: configuration, folders, notes for people, systemd unit."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.errors import BAD_CONFIGURATION, exits

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.errors import Problem
    from daemon.setup.answers import Answers, Entry
    from daemon.setup.house import Done
    from daemon.setup.people import Who

_Many = list[str] | None


def init(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Where configuration, keys and unit are put; /etc/babeldrop by default."),
    ] = None,
    root: Annotated[str | None, typer.Option("--root", metavar="PATH", help="The folder that people see.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="PATH", help="The daemon's own records, on a local disk.")
    ] = None,
    provider: Annotated[
        _Many,
        typer.Option(
            "--provider",
            metavar="KIND:LANGS",
            help="A service and its languages, such as gpttranslator:fr,es; NAME=KIND:LANGS names its folder. Repeat.",
        ),
    ] = None,
    key: Annotated[
        _Many,
        typer.Option("--key", metavar="NAME=WHERE", help="Its key: file:/PATH, env:VARIABLE or credential:NAME."),
    ] = None,
    source: Annotated[
        _Many, typer.Option("--source", metavar="NAME=LANG", help="The language of the originals, if it needs that.")
    ] = None,
    address: Annotated[
        _Many, typer.Option("--address", metavar="NAME=URL", help="The service's address, if it is your own there.")
    ] = None,
    option: Annotated[
        _Many, typer.Option("--option", metavar="NAME.FIELD=VALUE", help="A form field of the service, such as model.")
    ] = None,
    group: Annotated[str | None, typer.Option("--group", metavar="NAME", help="Who shares the folders.")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="Who the daemon runs as.")] = None,
    language: Annotated[str | None, typer.Option("--language", metavar="en|de", help="Of notes and pages.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", metavar="", help="Ask nothing: take the defaults for what is not given.")
    ] = False,
) -> None:
    """Set it up: a few questions, then a checked configuration, the folders and a systemd unit.

    Every answer can be given as an option; without a terminal they have to be (or --yes takes the defaults).
    Nothing that is there is overwritten: on a finished set-up it adds what is missing and says what is there.
    """
    from daemon.setup.answers import SYSTEM, Answers

    # What is made has its modes from us; the folders that lead there are to be passed through.
    os.umask(0o022)
    with exits():
        answers = Answers(folder=(folder or SYSTEM).expanduser().absolute())
        if answers.config.exists():
            _again(answers)
            return
        answers = _answered(answers, root=root, state=state, group=group, user=user, language=language)
        entries = _entries(provider or [], key=key, source=source, address=address, option=option)
        answers = replace(answers, entries=tuple(entries))
        _build(_complete(answers, yes=yes))


# -- answers ----------------------------------------------------------------------------------------------------


def _answered(answers: "Answers", **given: str | None) -> "Answers":
    """The plain options. Raises typer.BadParameter."""
    from daemon.setup import answers as reading

    for name in ("root", "state"):
        text = given[name]
        if text is not None:
            given[name] = _read(f"--{name}", reading.path, text)
    if given["language"] not in (None, "en", "de"):
        raise typer.BadParameter("Expected en or de.", param_hint="--language")
    return replace(answers, **given)  # type: ignore[arg-type]  # every field that is given here may be None or a text


def _entries(provider: list[str], **given: _Many) -> list["Entry"]:
    """The providers with what the other options say of them. Raises typer.BadParameter."""
    from daemon.setup import answers as reading

    known: dict[str, Entry] = {}
    for text in provider:
        entry = _read("--provider", lambda one: reading.languages(reading.provider(one)), text)
        if entry.name in known:
            raise typer.BadParameter(
                f"{entry.name} is there twice; NAME=KIND:LANGS names one.", param_hint="--provider"
            )
        known[entry.name] = entry
    readers: dict[str, Callable[[str], Any]] = {
        "key": reading.key,
        "source": reading.source,
        "address": reading.address,
    }
    for what, read in readers.items():
        for text in given[what] or []:
            name, _, value = text.partition("=")
            known[name] = replace(_one_of(known, name, f"--{what}"), **{what: _read(f"--{what}", read, value)})
    for text in given["option"] or []:
        place, _, value = text.partition("=")
        name, _, field = place.rpartition(".")
        entry = _one_of(known, name, "--option")
        known[name] = replace(entry, options={**entry.options, field: value})
    return list(known.values())


def _one_of(known: dict[str, "Entry"], name: str, option: str) -> "Entry":
    if name not in known:
        there = ", ".join(known) or "none"
        raise typer.BadParameter(f"{name!r} is no --provider that was given ({there}).", param_hint=option)
    return known[name]


def _read(option: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _complete(answers: "Answers", *, yes: bool) -> "Answers":
    """Nothing missing any more, by questions or defaults. Raises typer.Exit with the options that are."""
    from daemon.cli import questions

    if not yes and sys.stdin.isatty():
        answers = questions.ask(answers)
        typer.echo()
        typer.confirm(f"Write {answers.config} and make the folders?", default=True, abort=True)
    elif yes:
        answers = answers.with_defaults()
    missing = answers.missing()
    if missing:
        typer.echo("Nothing was made. Without a terminal to ask on, these options are missing:", err=True)
        for one in missing:
            typer.echo(f"  {one}", err=True)
        if not yes:
            typer.echo("--yes takes the default for what has one.", err=True)
        raise typer.Exit(BAD_CONFIGURATION)
    return answers.with_defaults()


# -- making -----------------------------------------------------------------------------------------------------


def _build(answers: "Answers") -> None:
    from daemon.setup import house, unit

    user = _who(answers)
    answers = replace(answers, user=user.name)
    try:
        house.folder_ready(answers.folder)
    except PermissionError:
        raise _refused(
            f"{answers.folder} is not yours to make. Run this as root, or name a folder of your own."
        ) from None
    with house.drafted(answers, user) as draft:
        house.checked(draft)
        for done in house.make_keys(answers, user):
            _tell(done)
        config, missing = house.checked(draft)
        for done in house.furnish(config, user):
            _tell(done)
        house.settle(draft, answers.config)
    typer.echo(f"made   {answers.config} (checked)")
    _tell(house.make_unit(answers.folder / unit.NAME, unit.render(answers, user.group)))
    joins = [] if user.is_member else [f"usermod -aG {answers.group} {user.name}"]
    _next(answers.folder, config, missing, joins)


def _who(answers: "Answers") -> "Who":
    """The daemon's user, whom we may act for. Raises typer.Exit."""
    from daemon.setup.people import who

    try:
        user = who(answers.user or "", answers.group or "")
    except ValueError as error:
        raise _refused(str(error)) from None
    if os.geteuid() not in (0, user.uid):
        raise _refused(f"Only root can set it up for {user.name}; or leave --user away.")
    if os.geteuid() != 0 and user.share not in (None, os.getegid(), *os.getgroups()):
        join = f"usermod -aG {answers.group} {user.name}"
        raise _refused(f"You are not in the group {answers.group}. Let root do this, then sign in again: {join}")
    return user


def _refused(why: str) -> typer.Exit:
    typer.echo(f"Nothing was made. {why}", err=True)
    return typer.Exit(BAD_CONFIGURATION)


def _again(answers: "Answers") -> None:
    """A set-up that is there already: its configuration counts, whatever was asked for now."""
    from daemon import disk
    from daemon.setup import house, people, unit

    typer.echo(f"there  {answers.config}: it is yours, and nothing in it is changed; what it asks for is looked after.")
    config, missing = house.checked(answers.config)
    state = os.fspath(config.state)
    owner = people.by_uid(Path(state).stat().st_uid) if disk.is_there(state) else None
    root = Path(config.root)
    share = (root / "inbox").stat().st_gid if (root / "inbox").is_dir() else None
    user = owner or people.who("", "")
    for done in house.furnish(config, replace(user, share=share)):
        _tell(done)
    path = answers.folder / unit.NAME
    typer.echo(f"{'there ' if path.exists() else 'absent'} {path}")
    _next(answers.folder, config, missing, [])


def _tell(done: "Done") -> None:
    word = "later" if done.made is None else "made " if done.made else "there"
    typer.echo(f"{word}  {done.what}")


def _next(folder: Path, config: "Config", missing: list["Problem"], joins: list[str]) -> None:
    """What to type now."""
    from daemon.setup import house, unit

    program = shlex.quote(sys.argv[0]) if os.path.sep in sys.argv[0] else "babeldrop"
    named = shlex.quote(str(folder / "config.yaml"))
    steps = house.keys_to_come(folder, config) if missing else []
    steps += [("Let the daemon's user into the share's group:", one) for one in joins]
    steps.append(("See whether everything works, at no cost:", f"{program} doctor -c {named}"))
    if (folder / unit.NAME).exists():
        place = f"/etc/systemd/system/{unit.NAME}"
        steps.append(("Install the service:", f"install -m 0644 {shlex.quote(str(folder / unit.NAME))} {place}"))
        steps.append(("and start it:", "systemctl daemon-reload && systemctl enable --now babeldrop"))
    if not house.uses_credentials(config):
        steps.append(("Or run it by hand, as the daemon's user:", f"{program} run -c {named}"))
    first, entry = next(iter(config.providers.items()))
    inbox = Path(config.root, "inbox", first, *entry.languages[:1])
    steps.append((f"Then drop a document into {inbox}/ and find it in outbox/ a little later.", ""))
    typer.echo("\nNext:")
    for number, (words, command) in enumerate(steps, 1):
        typer.echo(f"  {number}. {words}")
        if command:
            typer.echo(f"       {command}")
