"""Questions to SQLite databases: the task, its grammar, its guard, and what SQL is worth."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The plugins of this package."""
    from factory_sql.contenders import PromptedUnguarded, TunedUnguarded
    from factory_sql.execution import Execution
    from factory_sql.sources import MoreSql, SqlGrammar, SqlPairs
    from factory_sql.task import SqlGenerator

    return [SqlGenerator, SqlGrammar, SqlPairs, MoreSql, Execution, TunedUnguarded, PromptedUnguarded]
