"""Brand voice: the task, its metrics, and the neutral baseline."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugins of this package."""
    from factory_voice.neutral_baseline import NeutralBaseline
    from factory_voice.task import BrandVoice
    from factory_voice.voice_metrics import VoiceMetrics

    return [BrandVoice, NeutralBaseline, VoiceMetrics]
