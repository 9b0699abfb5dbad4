"""Guard of evaluation, trying and serving: SQL is parsed, its names are checked, and it runs under limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from factory_sql.clock_functions import CLOCK_REFUSAL, CLOCK_WORDS, DATE_FUNCTIONS
from factory_sql.database import (
    ALLOWED_FUNCTIONS,
    MAX_COMPARED_ROWS,
    MAX_RESULT_ROWS,
    QueryRefusedError,
    QueryResult,
    SqliteDatabase,
)
from factory_sql.schema import DatabaseSchema

if TYPE_CHECKING:
    from sqlglot import exp

    from factory_sql.sql_parser import SelectScope

CODE_FENCE = re.compile(r"```(?:\w+\n|\n)?(.*?)(?:```|$)", re.DOTALL)


def extract_sql(text: str) -> str:
    """Extract the statement from a model's answer, without code fence and final semicolon."""
    fenced = CODE_FENCE.search(text)
    return (fenced.group(1) if fenced else text).strip().rstrip(";").strip()


def check_sql(sql: str, schema: DatabaseSchema) -> str:
    """Return the statement if it may be run. Raises QueryRefusedError with the reason in one line."""
    from sqlglot import exp

    from factory_sql import sql_parser

    tree = sql_parser.parse_select(sql)
    scopes = sql_parser.collect_select_scopes(tree, schema)
    sql_parser.convert_quoted_strings(tree, scopes)
    for scope in scopes:
        for column in scope.columns:
            _check_column_exists(scope, column)
    for function in tree.find_all(exp.Func):
        _check_function_allowed(function)
    return sql


def _check_column_exists(scope: SelectScope, column: exp.Column) -> None:
    from factory_sql.sql_parser import resolve_column

    if column.name == "*" or resolve_column(scope, column) is not None:
        return
    if column.table and not any(column.table.lower() in outer.sources for outer in scope.iter_enclosing_scopes()):
        raise QueryRefusedError(f"not in FROM: {column.table}")
    if column.table or not any(column.name.lower() in outer.aliases for outer in scope.iter_enclosing_scopes()):
        names = " or ".join(scope.tables.values()) or "its sources"
        raise QueryRefusedError(f"no such column: {column.sql('sqlite')} in {names}")


def _check_function_allowed(function: exp.Func) -> None:
    from sqlglot import exp

    if isinstance(function, exp.Connector | exp.Binary | exp.Case | exp.Cast | exp.Exists | exp.If | exp.Collate):
        return
    sql = function.sql("sqlite")
    name = sql.partition("(")[0].strip().lower()
    if isinstance(function, exp.CurrentDate | exp.CurrentTime | exp.CurrentTimestamp) or _names_clock(function, name):
        raise QueryRefusedError(CLOCK_REFUSAL)
    if re.fullmatch(r"\w+", name) and name not in ALLOWED_FUNCTIONS and "(" in sql:
        raise QueryRefusedError(f"function not allowed: {name}")


def _names_clock(function: exp.Func, name: str) -> bool:
    """Whether a date function has no argument, or a word for the clock among its texts."""
    from sqlglot import exp

    texts = tuple(literal.this for literal in function.find_all(exp.Literal) if literal.is_string)
    has_clock_word = any(text.strip().lower() in CLOCK_WORDS for text in texts)
    return name in DATE_FUNCTIONS and (has_clock_word or function.sql("sqlite").endswith("()"))


def run_guarded_sql(sql: str, database: SqliteDatabase, rows: int = MAX_RESULT_ROWS) -> QueryResult:
    """Run a statement if it passes the guard. Raises QueryRefusedError with the reason in one line."""
    return database.run(check_sql(extract_sql(sql), database.schema), rows)


def run_for_comparison(sql: str, database: SqliteDatabase) -> QueryResult:
    """Run a statement like `run_guarded_sql` and return all its rows; more than can be compared are refused."""
    result = run_guarded_sql(sql, database, MAX_COMPARED_ROWS)
    if result.truncated:
        raise QueryRefusedError(f"it returns more than {MAX_COMPARED_ROWS:,} rows, too many to compare")
    return result
