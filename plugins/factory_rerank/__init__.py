"""Rerankers: the task, its objectives, its baselines and its metrics."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugins of this package."""
    from factory_rerank.bi_encoder import BiEncoder, BiEncoderTargets
    from factory_rerank.cross_encoder import CrossEncoder, CrossEncoderTargets
    from factory_rerank.first_stage_baselines import Bm25Baseline, CosineBaseline, HybridBaseline
    from factory_rerank.late_interaction import LateInteraction, LateInteractionTargets
    from factory_rerank.learning_to_rank import LearningToRank
    from factory_rerank.pointwise import Pointwise, PointwiseTargets
    from factory_rerank.ranking_metrics import RankingMetrics
    from factory_rerank.task import Reranker
    from factory_rerank.zelo.zelo import Zelo

    return [
        BiEncoder, BiEncoderTargets, Bm25Baseline, CosineBaseline, CrossEncoder, CrossEncoderTargets, HybridBaseline,
        LateInteraction, LateInteractionTargets, LearningToRank, Pointwise, PointwiseTargets, RankingMetrics, Reranker,
        Zelo,
    ]
