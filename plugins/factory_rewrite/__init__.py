"""Query rewriting: the task, a source of dialogues, baselines and metrics."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugins of this package."""
    from factory_rewrite.conversations import Conversations
    from factory_rewrite.recall import Recall
    from factory_rewrite.rewrite_baselines import ConcatenateBaseline, CopyBaseline
    from factory_rewrite.rewrite_metrics import RewriteMetrics
    from factory_rewrite.task import QueryRewriter

    return [ConcatenateBaseline, Conversations, CopyBaseline, QueryRewriter, Recall, RewriteMetrics]
