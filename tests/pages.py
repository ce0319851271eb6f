"""The documents as tests read them: where they are, their sections and the rows of their tables."""

import re
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent.parent

LEAST: Mapping[str, Mapping[str, object]] = {
    "azure": {
        "base_url": "https://name.cognitiveservices.azure.com",
        "storage": {"source": {"env": "SOURCE"}, "target": {"env": "TARGET"}},
    },
    "cambai": {"source_language": "en"},
    "gpttranslator": {"source_language": "en", "options": {"model": "gpt-4.1-mini-2025-04-14"}},
}
"""The least that an entry of each kind needs, besides its key."""


def sections(page: str) -> dict[str, str]:
    """The text under each heading of a page, up to the next one."""
    parts = re.split(r"^#+ (.+)$", (HERE / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> dict[str, list[str]]:
    """The cells behind the first one of each row that begins with a name in code."""
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in found}
