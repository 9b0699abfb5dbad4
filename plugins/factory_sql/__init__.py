"""Text-to-SQL over SQLite databases: the task, its sources, guarded execution, contenders and metrics."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugins of this package."""
    from factory_sql.execution_accuracy import ExecutionAccuracy
    from factory_sql.sources import SqlGrammarSource, SqlGrammarSynthesizer, SqlPairSource
    from factory_sql.task import SqlGenerator
    from factory_sql.unguarded_contenders import PromptedUnguarded, TunedUnguarded

    return [
        SqlGenerator, SqlGrammarSource, SqlPairSource, SqlGrammarSynthesizer, ExecutionAccuracy, TunedUnguarded,
        PromptedUnguarded,
    ]
