"""Brand voice: the task, what says how much of the voice and of the meaning an answer has, and the plain answer."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """All that a brand's voice brings."""
    from factory_voice.neutral_baseline import NeutralBaseline
    from factory_voice.task import BrandVoice
    from factory_voice.voice_metrics import VoiceMetrics

    return [BrandVoice, NeutralBaseline, VoiceMetrics]
