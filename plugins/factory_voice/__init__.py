"""Brand voice: the task, what says how much of the voice and of the meaning an answer has, and the plain answer."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """All that a brand's voice brings."""
    from factory_voice.contenders import Neutral
    from factory_voice.onbrand import Voice
    from factory_voice.task import BrandVoice

    return [BrandVoice, Neutral, Voice]
