"""The entries of a configuration that let it work with the simulated services."""

from daemon.sandbox.addresses import Addresses
from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.server import SERVICES

_ENTRIES = """\
providers:
  gpttranslator:
    base_url: {gpttranslator}
    api_key: sandbox-key
    source_language: en
    languages: [fr, de]
    poll: {{every: 500ms, at_most: 2s}}
    options: {{model: gpt-4.1-mini-2025-04-14}}
  voicecheap:
    base_url: {voicecheap}
    api_key: vc_sandbox
    languages: [es]
    poll: {{every: 2s, at_most: 4s}}
    result_hosts: ["{results}"]
  doctranslate:
    base_url: {doctranslate}
    api_key: sandbox-key
    languages: [vi]
    poll: {{every: 1s, at_most: 2s}}
    result_hosts: ["{results}"]
  azure:
    base_url: {azure}
    api_key: sandbox-key
    languages: [pt-PT]
    poll: {{every: 1s, at_most: 2s}}
    storage: {{source: "{source}", target: "{target}"}}
  cambai:
    base_url: {cambai}
    api_key: sandbox-key
    source_language: en
    languages: [it]
    poll: {{every: 1s, at_most: 2s}}
"""


def entries(addresses: Addresses) -> str:
    """A whole `providers:` block, ready to be pasted."""
    return _ENTRIES.format(
        source=container_url(addresses, "source"),
        target=container_url(addresses, "target"),
        **{service.name: addresses.base_url(service.name) for service in SERVICES},
        results=addresses.results_host,
    )
