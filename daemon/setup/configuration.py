"""The configuration that `init` leaves: short, with a sentence at each setting, and what is worth knowing besides."""

import json
import re

from daemon import extras
from daemon.setup.answers import Answers, Entry

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*|https?://[A-Za-z0-9/._:-]*[A-Za-z0-9/]")
# Other readers of YAML take these for something else.
_TAKEN = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null"})

_HEAD = """\
# babeldrop, written by `babeldrop init`. From now on this file is yours.
#
# Try a change:       babeldrop check -c {config}
# Look at everything: babeldrop doctor -c {config}
# Make it count:      systemctl reload babeldrop
#
# What is not here keeps its default; docs/configuration.md has every setting.
# Durations are written 500ms, 2s, 5m, 24h, 30d.

# The folder that people see: inbox, outbox, failed, archive. It may be a network share.
root: {root}

# The daemon's own records. On a local disk, and not inside root.
state: {state}

# The language of what people read: notes beside failed files, pages.
language: {language}

# What becomes of an original when its translation was delivered: archive or delete; and how long it is kept there.
originals: archive
# archive_for: 30d

# Modes of what the daemon creates. The 2 in front keeps the folders' group, {group}, for everything below them.
outbox: {{file_mode: "0664", folder_mode: "2775"}}

# A status page on this machine, with metrics (/metrics) and health (/healthz).
# web: {{listen: 127.0.0.1:8787}}

# Who is told of what needs a person; each url is written like api_key below. An optional package is needed:
# {install}
# notify: {{urls: [{{credential: mail}}], quiet: "22:00-06:00"}}

# The translation services. Each entry is a folder under inbox/, by the same name.
providers:
"""


def render(answers: Answers) -> str:
    """The text of `config.yaml` for answers of which none is missing."""
    assert answers.root is not None
    assert answers.state is not None
    head = _HEAD.format(
        config=answers.config,
        root=_value(answers.root),
        state=_value(answers.state),
        language=answers.language,
        install=extras.install("notify"),
        group=answers.group or "the one that the inbox has",
    )
    return head + "\n".join(_entry(one) for one in answers.entries)


def _entry(entry: Entry) -> str:
    needs = entry.needs
    lines = [f"  {_value(entry.name)}:", f"    # {needs.title} takes {' '.join(needs.extensions)}."]
    if entry.name != needs.kind:
        lines.append(f"    kind: {needs.kind}")
    if entry.address:
        lines.append(f"    base_url: {_value(entry.address)}")
    assert entry.key is not None
    [(place, where)] = [(name, value) for name, value in entry.key if value is not None]
    lines.append(f"    api_key: {{{place}: {_value(where)}}}")
    if entry.source:
        lines.append("    # The language of the documents; a folder named de-to-fr says another one.")
        lines.append(f"    source_language: {_value(entry.source)}")
    lines.append("    # The folders to create. Further ones are taken when the service knows their language.")
    lines.append(f"    languages: [{', '.join(map(_value, entry.languages))}]")
    if entry.options:
        options = ", ".join(f"{_value(name)}: {_value(text)}" for name, text in entry.options.items())
        lines.append("    # The service's own form fields.")
        lines.append(f"    options: {{{options}}}")
    if needs.costs:
        lines.append("    # What may be spent in a calendar month, in the unit that the service reports.")
        lines.append(f"    # budget: {{per_month: 1000, unit: {needs.costs}}}")
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    """A text that every reader of YAML takes for this very text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    return json.dumps(text, ensure_ascii=False)
