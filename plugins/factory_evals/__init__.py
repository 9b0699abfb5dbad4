"""Evals of answers that are texts, for any task: likeness to the right answer, valid JSON, and a judge's preference."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the evals of this package."""
    from factory_evals.chrf import Chrf
    from factory_evals.embedding_similarity import EmbeddingSimilarity
    from factory_evals.exact_match import ExactMatch
    from factory_evals.json_answers import JSONAnswers
    from factory_evals.judge import Judge
    from factory_evals.rouge import Rouge

    return [Chrf, EmbeddingSimilarity, ExactMatch, JSONAnswers, Judge, Rouge]
