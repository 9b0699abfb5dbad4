"""One way to write each statement, so that equal ones look equal and a small model learns one style."""

from __future__ import annotations

from sqlglot import exp

from factory_sql.database import QueryRefusedError
from factory_sql.schema import DatabaseSchema
from factory_sql.sql_parser import (
    SelectScope,
    collect_select_scopes,
    convert_quoted_strings,
    parse_select,
    render_sql,
    resolve_column,
    set_identifier_name,
)


def canonicalise_sql(sql: str, schema: DatabaseSchema) -> str:
    """The statement in the one style. Raises RefusedError for what does not parse or names what is not there."""
    tree = parse_select(sql)
    found = collect_select_scopes(tree, schema)
    convert_quoted_strings(tree, found)
    owners = {id(column): resolve_column(scope, column) for scope in found for column in scope.columns}
    renamed = {} if _has_shadowed_reference(found, owners) else _map_aliases_to_tables(found)
    for scope in found:
        _qualify_columns(scope, owners, renamed, schema)
    for scope in found:
        _unalias_tables(scope, renamed, schema)
    _drop_redundant_syntax(tree)
    return render_sql(tree)


def is_same_statement(one: str, other: str, schema: DatabaseSchema) -> bool:
    """Whether two statements are one tree but for case, aliases and quotes."""
    try:
        return canonicalise_sql(one, schema).lower() == canonicalise_sql(other, schema).lower()
    except QueryRefusedError:
        return False


def classify_construct(sql: str) -> str:
    """What kind of statement it is: nested (a set operation too), join, group, or simple."""
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
    """Whether the order of its rows is part of the answer."""
    return bool(parse_select(sql).args.get("order"))


def _has_shadowed_reference(found: list[SelectScope], owners: dict[int, tuple[SelectScope, str] | None]) -> bool:
    """Whether an inner SELECT asks for a column of an outer one whose table it has as well: aliases must stay."""
    for scope in found:
        inner = set(scope.tables.values())
        for column in scope.columns:
            owner = owners[id(column)]
            if owner and owner[0] is not scope and owner[0].tables.get(owner[1]) in inner:
                return True
    return False


def _map_aliases_to_tables(found: list[SelectScope]) -> dict[tuple[int, str], str]:
    """(scope, alias) → the table's own name, where the table stands once in its FROM."""
    renamed = {}
    for scope in found:
        names = list(scope.tables.values())
        renamed.update({(id(scope), alias): name for alias, name in scope.tables.items() if names.count(name) == 1})
    return renamed


def _qualify_columns(
    scope: SelectScope, owners: dict[int, tuple[SelectScope, str] | None], renamed: dict[tuple[int, str], str], schema: DatabaseSchema
) -> None:
    """Spell every column of a scope; say its table where there is a choice."""
    for column in scope.columns:
        owner = owners[id(column)]
        if owner is None:
            continue
        around, source = owner
        table = around.tables.get(source)
        if table and column.name != "*":
            set_identifier_name(column.this, schema.get_spelled_column(table, column.name))
        alone = around is scope and len(scope.sources) == 1
        column.set("table", None if alone else _build_identifier(renamed.get((id(around), source), source)))


def _unalias_tables(scope: SelectScope, renamed: dict[tuple[int, str], str], schema: DatabaseSchema) -> None:
    """Spell every table of a scope, without its alias where the name will do."""
    for node in scope.select.find_all(exp.Table):
        alias = (node.alias or node.name).lower()
        if node.find_ancestor(exp.Select) is not scope.select or alias not in scope.tables:
            continue
        set_identifier_name(node.this, scope.tables[alias])
        if (id(scope), alias) in renamed or (len(scope.sources) == 1 and not scope.parent and not node.alias):
            node.set("alias", None)


def _build_identifier(name: str) -> exp.Identifier:
    made = exp.Identifier(this=name, quoted=False)
    set_identifier_name(made, name)
    return made


def _drop_redundant_syntax(tree: exp.Expression) -> None:
    """Leave out what says nothing, INNER and ASC; a join on nothing is a cross join."""
    for join in tree.find_all(exp.Join):
        if join.args.get("kind") == "INNER":
            join.set("kind", None)
        if join.args.get("on") == exp.true() and not join.side:
            join.set("on", None)
            join.set("kind", "CROSS")
    for one in tree.find_all(exp.Ordered):
        if one.args.get("desc") is False:
            one.set("desc", None)
