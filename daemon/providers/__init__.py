"""The registry of kinds: one line a provider."""

from collections.abc import Mapping

from daemon.providers.azure import Azure
from daemon.providers.base import Provider
from daemon.providers.cambai import CambAi
from daemon.providers.doctranslate import Doctranslate
from daemon.providers.gpttranslator import GptTranslator
from daemon.providers.voicecheap import VoiceCheap

KINDS: Mapping[str, type[Provider]] = {
    Azure.kind: Azure,
    CambAi.kind: CambAi,
    Doctranslate.kind: Doctranslate,
    GptTranslator.kind: GptTranslator,
    VoiceCheap.kind: VoiceCheap,
}
