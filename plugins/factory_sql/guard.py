"""The one guard of evaluation, trying and serving: SQL is parsed, its names are checked, then it runs under limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from factory_sql.database import ALLOWED, ROWS, STEPS, Database, RefusedError, Result
from factory_sql.schema import Schema

if TYPE_CHECKING:
    from sqlglot import exp

    from factory_sql.parse import Scope

FENCE = re.compile(r"```(?:\w+\n|\n)?(.*?)(?:```|$)", re.DOTALL)


def extract(text: str) -> str:
    """The statement in what a model said: out of its fence, if it has one, and without the last semicolon."""
    fenced = FENCE.search(text)
    return (fenced.group(1) if fenced else text).strip().rstrip(";").strip()


def check(sql: str, schema: Schema) -> str:
    """The statement as it may be run. Raises RefusedError, with the reason in one line."""
    from sqlglot import exp

    from factory_sql import parse

    tree = parse.parse(sql)
    found = parse.scopes(tree, schema)
    parse.strings(tree, found)
    for scope in found:
        for column in scope.columns:
            _check_column(scope, column)
    for function in tree.find_all(exp.Func):
        _check_function(function)
    return sql


def _check_column(scope: Scope, column: exp.Column) -> None:
    from factory_sql.parse import find

    if column.name == "*" or find(scope, column) is not None:
        return
    if column.table and not any(column.table.lower() in around.sources for around in scope.chain()):
        raise RefusedError(f"{column.table} stands in no FROM here")
    if column.table or not any(column.name.lower() in around.aliases for around in scope.chain()):
        names = " or ".join(scope.tables.values()) or "what it reads"
        raise RefusedError(f"there is no column {column.sql('sqlite')} in {names}")


def _check_function(function: exp.Func) -> None:
    from sqlglot import exp

    if isinstance(function, exp.Connector | exp.Binary | exp.Case | exp.Cast | exp.Exists | exp.If | exp.Collate):
        return
    written = function.sql("sqlite")
    name = written.partition("(")[0].strip().lower()
    if re.fullmatch(r"\w+", name) and name not in ALLOWED and "(" in written:
        raise RefusedError(f"the function {name} is not allowed")


def run(sql: str, database: Database, rows: int = ROWS, steps: int = STEPS) -> Result:
    """Run a statement that the guard lets pass. Raises RefusedError, with the reason in one line."""
    return database.run(check(extract(sql), database.schema), rows, steps)
