"""Learning from preferences: the task, the objectives for pairs and for thumbs, their metrics and a baseline."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugins of this package."""
    from factory_preference.assistant import Assistant
    from factory_preference.by_length import ByLength
    from factory_preference.dpo import DPO
    from factory_preference.embedding_difference import EmbeddingDifference
    from factory_preference.kto import KTO
    from factory_preference.preference_metrics import PreferenceMetrics
    from factory_preference.reward_architectures import DecoderReward
    from factory_preference.reward_metrics import PairwiseMetrics
    from factory_preference.reward_task import RewardModel
    from factory_preference.thumbs_metrics import ThumbsMetrics

    return [
        DPO, KTO, Assistant, ByLength, DecoderReward, EmbeddingDifference, PairwiseMetrics, PreferenceMetrics,
        RewardModel, ThumbsMetrics,
    ]
