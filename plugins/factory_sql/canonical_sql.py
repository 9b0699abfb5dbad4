"""Canonical SQL: equal statements are written equally, and a small model has one style to learn."""

from __future__ import annotations

import re

from sqlglot import exp

from factory_sql import sql_parser
from factory_sql.database import QueryRefusedError
from factory_sql.schema import DatabaseSchema
from factory_sql.sql_parser import SelectScope, parse_select, set_identifier_name

TEXT_LITERAL = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[^'"]+""")
"""A string literal, a quoted name, or all up to the next of them."""


def canonicalise_sql(sql: str, schema: DatabaseSchema) -> str:
    """Rewrite a statement in the canonical style. Raises QueryRefusedError if it is invalid."""
    tree = parse_select(sql)
    scopes = sql_parser.collect_select_scopes(tree, schema)
    sql_parser.convert_quoted_strings(tree, scopes)
    owners = {id(column): sql_parser.resolve_column(scope, column) for scope in scopes for column in scope.columns}
    renamed = {} if _has_shadowed_reference(scopes, owners) else _map_aliases_to_tables(scopes)
    for scope in scopes:
        _qualify_columns(scope, owners, renamed, schema)
    for scope in scopes:
        _unalias_tables(scope, renamed, schema)
    _drop_redundant_syntax(tree)
    return sql_parser.render_sql(tree)


def is_same_statement(first: str, second: str, schema: DatabaseSchema) -> bool:
    """Whether two statements are equal except for aliases, quotes and the case of names; texts keep theirs."""
    try:
        return _fold_names(canonicalise_sql(first, schema)) == _fold_names(canonicalise_sql(second, schema))
    except QueryRefusedError:
        return False


def names_all_values(sql: str, gold: str, schema: DatabaseSchema) -> bool:
    """Whether a statement names every table, column and value of the reference, however it is put together."""
    try:
        return _collect_named_values(sql, schema) >= _collect_named_values(gold, schema)
    except QueryRefusedError:
        return False


def _collect_named_values(sql: str, schema: DatabaseSchema) -> set[tuple[str, str | float]]:
    tree = parse_select(_fold_names(canonicalise_sql(sql, schema)))
    named: set[tuple[str, str | float]] = {("name", node.name) for node in tree.find_all(exp.Table, exp.Column)}
    for value in tree.find_all(exp.Literal):
        named.add(("text", value.this) if value.is_string else ("number", float(value.this)))
    return named


def _fold_names(sql: str) -> str:
    """Lower all but the string literals of a canonical statement, whose names have no quotes or double ones."""
    return TEXT_LITERAL.sub(lambda match: match[0] if match[0].startswith("'") else match[0].lower(), sql)


def classify_construct(sql: str) -> str:
    """Classify a statement as nested (set operations included), join, group, simple, or none if it does not parse."""
    try:
        tree = parse_select(sql)
    except QueryRefusedError:
        return "none"
    if isinstance(tree, exp.SetOperation) or len(list(tree.find_all(exp.Select))) > 1:
        return "nested"
    if tree.args.get("joins"):
        return "join"
    return "group" if tree.args.get("group") else "simple"


def has_row_order(sql: str) -> bool:
    """Whether the statement orders its rows, so that their order is part of the answer."""
    return bool(parse_select(sql).args.get("order"))


def _has_shadowed_reference(scopes: list[SelectScope], owners: dict[int, tuple[SelectScope, str] | None]) -> bool:
    """Whether an inner SELECT refers to an outer table that it reads itself; aliases must then stay."""
    for scope in scopes:
        for column in scope.columns:
            owner = owners[id(column)]
            if owner and owner[0] is not scope and owner[0].tables.get(owner[1]) in scope.tables.values():
                return True
    return False


def _map_aliases_to_tables(scopes: list[SelectScope]) -> dict[tuple[int, str], str]:
    """Map (scope id, alias) to the table's own name, for tables that occur once in their FROM."""
    return {
        (id(scope), alias): name
        for scope in scopes for alias, name in scope.tables.items() if [*scope.tables.values()].count(name) == 1
    }


def _qualify_columns(
    scope: SelectScope, owners: dict[int, tuple[SelectScope, str] | None], renamed: dict[tuple[int, str], str],
    schema: DatabaseSchema,
) -> None:
    """Spell the columns of a scope like the schema, qualified only where several sources are in scope."""
    for column in scope.columns:
        owner = owners[id(column)]
        if owner is None:
            continue
        owner_scope, source = owner
        table = owner_scope.tables.get(source)
        if table and column.name != "*" and (name := schema.get_spelled_column(table, column.name)):
            set_identifier_name(column.this, name)
        column.set("db", None)
        qualifier = None
        if owner_scope is not scope or len(scope.sources) > 1:
            qualifier = exp.Identifier()
            set_identifier_name(qualifier, renamed.get((id(owner_scope), source), source))
        column.set("table", qualifier)


def _unalias_tables(scope: SelectScope, renamed: dict[tuple[int, str], str], schema: DatabaseSchema) -> None:
    """Spell the tables of a scope like the schema, without aliases where the name is enough."""
    for node in scope.select.find_all(exp.Table):
        alias = (node.alias or node.name).lower()
        if node.find_ancestor(exp.Select) is not scope.select or alias not in scope.tables:
            continue
        set_identifier_name(node.this, scope.tables[alias])
        node.set("db", None)
        if (id(scope), alias) in renamed or (len(scope.sources) == 1 and not scope.parent and not node.alias):
            node.set("alias", None)


def _drop_redundant_syntax(tree: exp.Expression) -> None:
    """Drop INNER and ASC, and turn a join without a condition into a cross join."""
    for join in tree.find_all(exp.Join):
        if join.args.get("kind") == "INNER":
            join.set("kind", None)
        if join.args.get("on") == exp.true() and not join.side:
            join.set("on", None)
            join.set("kind", "CROSS")
    for ordered in tree.find_all(exp.Ordered):
        if ordered.args.get("desc") is False:
            ordered.set("desc", None)
