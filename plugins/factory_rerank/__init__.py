"""Rerankers: the task, its objectives, its baselines and its metrics."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """All that a reranker brings."""
    from factory_rerank.bi_encoder import BiEncoder
    from factory_rerank.contenders import Bm25, Cosine, Hybrid
    from factory_rerank.cross_encoder import CrossEncoder
    from factory_rerank.late_interaction import LateInteraction
    from factory_rerank.ranking import Ranking
    from factory_rerank.task import Reranker

    return [BiEncoder, Bm25, Cosine, CrossEncoder, Hybrid, LateInteraction, Ranking, Reranker]
