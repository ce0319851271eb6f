"""`languages`: what a service translates into: folder name, English name, and what is sent for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.errors import BAD_CONFIGURATION, exits
from daemon.cli.running import DEFAULT, ConfigPath

if TYPE_CHECKING:
    from rich.table import Table

    from daemon.languages import LanguageTable
    from daemon.settings import ProviderSettings


def languages(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="A name of the configuration, or a kind.")],
    config: ConfigPath = DEFAULT,
) -> None:
    """The languages of a service. In a pipe: folder name, English name and what is sent, between tabs."""
    from daemon.cli import screen
    from daemon.languages import names
    from daemon.providers import KINDS

    with exits():
        settings = _settings(provider, config)
        kind = KINDS[settings.kind]
        table = kind.facts(settings).languages
        rows = names(table)
        console = screen.console()
        if not console.is_terminal:
            for row in rows:
                typer.echo("\t".join(row))
            return
        console.print(table_of(rows))
        for sentence in sentences(kind.title, table, settings.languages):
            console.print()
            screen.say(console, sentence)


def _settings(provider: str, path: Path) -> "ProviderSettings":
    """The entry of that name; of a kind without one what it comes with. Raises ConfigError and typer.Exit."""
    from daemon import config
    from daemon.errors import ConfigError
    from daemon.providers import KINDS
    from daemon.settings import Secret

    known = set(KINDS)
    try:
        entries = config.load(path, keys=False).providers
    except ConfigError:
        if provider not in KINDS:
            raise
    else:
        if provider in entries:
            return entries[provider]
        known |= set(entries)
    if provider not in KINDS:
        typer.echo(f"No provider “{provider}”; there are: {', '.join(sorted(known))}.", err=True)
        raise typer.Exit(BAD_CONFIGURATION)
    nobody = Secret(value="-")
    return KINDS[provider].settings_type.model_construct(kind=provider, base_url="https://localhost", api_key=nobody)


def table_of(rows: list[tuple[str, str, str]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("folder", "language", "sent to the service"):
        table.add_column(title)
    for row in rows:
        table.add_row(*row)
    return table


def sentences(title: str, table: "LanguageTable", listed: list[str]) -> list[str]:
    """What the rows do not say."""
    said = []
    if table.form is not None:
        said.append(
            f"{title} documents only the form of its language codes, no list. Every language with a two-letter code "
            "is taken for one of its own, also with a script or with a region where it is spoken, as in pt-BR, and "
            "sent as it is; what the service then makes of it is told when a file comes back."
        )
    if table.sources is not None:
        said.append(f"It translates from {len(table.sources)} languages; a folder named en-to-fr says which.")
    if not table.detects_source:
        said.append(f"{title} has to be told the language of the originals: `source_language:`, or a folder en-to-fr.")
    if listed:
        said.append(f"Listed in the configuration, and passed on as they are: {', '.join(listed)}.")
    said.append("Folders may be written in any case and with _ for -. Other tags that mean the same are taken, too.")
    return said
