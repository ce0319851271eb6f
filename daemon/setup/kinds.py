"""What has to be known about a service before an entry for it can be written: asked of its adapter's facts."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.languages import LanguageTable, UnknownLanguageError, route_for
from daemon.providers import KINDS
from daemon.settings import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """The facts of one kind of provider that decide which questions are asked."""

    kind: str
    title: str
    extensions: tuple[str, ...]
    address: bool
    """Whether the service has no address of its own, because every customer has another."""
    source: bool
    """Whether it has to be told the language of the originals."""
    options: Mapping[str, str]
    """The form fields it cannot do without, each with a good first choice."""
    languages: LanguageTable
    costs: str | None
    """The unit in which it reports what a job cost."""

    def doubt(self, folder: str, source: str | None) -> str | None:
        """Why a language folder would not be taken, with nearer names; None: it would."""
        try:
            route_for(folder, table=self.languages, listed=(), default_source=source)
        except UnknownLanguageError as error:
            near = f" Nearest: {', '.join(error.suggestions)}." if error.suggestions else ""
            return f"{error}{near}"
        return None


def needs_of(kind: str) -> Needs:
    """The facts of a kind. Raises KeyError when there is none of that name."""
    provider = KINDS[kind]
    fields = provider.settings_type.model_fields
    nobody = Secret(value="-")
    least = provider.settings_type.model_construct(kind=kind, base_url="https://localhost", api_key=nobody)
    facts = provider.facts(least)
    return Needs(
        kind=kind,
        title=provider.title,
        extensions=tuple(sorted(facts.extensions)),
        address=fields["base_url"].is_required(),
        source=not facts.languages.detects_source,
        options=provider.settings_type.needed_options,
        languages=facts.languages,
        costs=facts.costs,
    )


def all_needs() -> list[Needs]:
    """Every kind, by name."""
    return [needs_of(kind) for kind in sorted(KINDS)]
