"""Query rewriters: the task, a source of conversations, its baselines and its metrics."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """All that a query rewriter brings."""
    from factory_rewrite.contenders import Concatenate, Copy
    from factory_rewrite.conversations import Conversations
    from factory_rewrite.recall import Recall
    from factory_rewrite.rewriting import Rewriting
    from factory_rewrite.task import QueryRewriter

    return [Concatenate, Conversations, Copy, QueryRewriter, Recall, Rewriting]
