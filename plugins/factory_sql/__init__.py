"""Questions to SQLite databases: the task, its grammar, its guard, and what SQL is worth."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The plugins of this package."""
    from factory_sql.execution_accuracy import ExecutionAccuracy
    from factory_sql.sources import SqlGrammarSource, SqlGrammarSynthesizer, SqlPairSource
    from factory_sql.task import SqlGenerator
    from factory_sql.unguarded_contenders import PromptedUnguarded, TunedUnguarded

    return [SqlGenerator, SqlGrammarSource, SqlPairSource, SqlGrammarSynthesizer, ExecutionAccuracy, TunedUnguarded, PromptedUnguarded]
