"""What an entry of the kind `azure` understands besides the usual keys."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from daemon.providers import azure_entra
from daemon.providers.azure_storage import Storage
from daemon.providers.base import counted_in
from daemon.settings import Budget, ProviderSettings, Secret


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", text):
        raise ValueError("the short name of a region, such as westeurope")
    return text


def _version(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-preview)?", text):
        raise ValueError("a version of the interface, such as 2024-05-01")
    return text


class Settings(ProviderSettings):
    """`base_url` is the resource's own endpoint, `https://NAME.cognitiveservices.azure.com`.

    One of `api_key` and `entra: true` says who asks; `region` goes with the key of a regional resource.
    `bulk_status` asks for many batches at once. `options` are the service's `category` and, without `storage`,
    `allowFallback`.
    """

    kind: str = "azure"
    # Wider than elsewhere: who signs in with Entra ID has no key.
    api_key: Secret | None = None  # type: ignore[assignment]  # see above
    region: Annotated[str, AfterValidator(_region)] | None = None
    entra: bool = False
    storage: Storage | None = None
    api_version: Annotated[str, AfterValidator(_version)] = "2024-05-01"
    bulk_status: bool = True
    budget: Annotated[Budget | None, counted_in("Azure AI Translator", "characters")] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = []
        if self.entra == (self.api_key is not None):
            problems.append("needs either api_key or entra: true")
        if self.entra and not azure_entra.installed():
            problems.append(f"entra: true needs an optional package: {azure_entra.EXTRA}")
        known = {"category"} if self.storage else {"category", "allowFallback"}
        problems += self.unknown_options(known, "batches know" if self.storage else "the service knows")
        if self.storage is None and self.budget is not None and self.budget.unit == "characters":
            problems.append("budget: without storage the service reports no characters; unit has to be documents")
        if problems:
            raise ValueError("; ".join(problems))
        return self
