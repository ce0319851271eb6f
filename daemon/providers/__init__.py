"""The registry of kinds: one line a provider."""

from collections.abc import Mapping

from daemon.providers.base import Provider
from daemon.providers.gpttranslator import GptTranslator
from daemon.providers.voicecheap import VoiceCheap

KINDS: Mapping[str, type[Provider]] = {
    GptTranslator.kind: GptTranslator,
    VoiceCheap.kind: VoiceCheap,
}
