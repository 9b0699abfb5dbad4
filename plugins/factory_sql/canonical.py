"""One way to write each statement, so that equal ones look equal and a small model learns one style."""

from __future__ import annotations

from sqlglot import exp

from factory_sql.database import RefusedError
from factory_sql.parse import Scope, find, parse, plain, scopes, strings, written
from factory_sql.schema import Schema


def canonical(sql: str, schema: Schema) -> str:
    """The statement in the one style. Raises RefusedError for what does not parse or names what is not there."""
    tree = parse(sql)
    found = scopes(tree, schema)
    strings(tree, found)
    owners = {id(column): find(scope, column) for scope in found for column in scope.columns}
    renamed = {} if _crossed(found, owners) else _names(found)
    for scope in found:
        _columns(scope, owners, renamed, schema)
    for scope in found:
        _sources(scope, renamed, schema)
    _tidy(tree)
    return written(tree)


def same(one: str, other: str, schema: Schema) -> bool:
    """Whether two statements are one tree but for case, aliases and quotes."""
    try:
        return canonical(one, schema).lower() == canonical(other, schema).lower()
    except RefusedError:
        return False


def construct(sql: str) -> str:
    """What kind of statement it is: nested (a set operation too), join, group, or simple."""
    try:
        tree = parse(sql)
    except RefusedError:
        return "none"
    if isinstance(tree, exp.SetOperation) or len(list(tree.find_all(exp.Select))) > 1:
        return "nested"
    if tree.args.get("joins"):
        return "join"
    return "group" if tree.args.get("group") else "simple"


def ordered(sql: str) -> bool:
    """Whether the order of its rows is part of the answer."""
    return bool(parse(sql).args.get("order"))


def _crossed(found: list[Scope], owners: dict[int, tuple[Scope, str] | None]) -> bool:
    """Whether an inner SELECT asks for a column of an outer one whose table it has as well: aliases must stay."""
    for scope in found:
        inner = set(scope.tables.values())
        for column in scope.columns:
            owner = owners[id(column)]
            if owner and owner[0] is not scope and owner[0].tables.get(owner[1]) in inner:
                return True
    return False


def _names(found: list[Scope]) -> dict[tuple[int, str], str]:
    """(scope, alias) → the table's own name, where the table stands once in its FROM."""
    renamed = {}
    for scope in found:
        names = list(scope.tables.values())
        renamed.update({(id(scope), alias): name for alias, name in scope.tables.items() if names.count(name) == 1})
    return renamed


def _columns(
    scope: Scope, owners: dict[int, tuple[Scope, str] | None], renamed: dict[tuple[int, str], str], schema: Schema
) -> None:
    """Spell every column of a scope; say its table where there is a choice."""
    for column in scope.columns:
        owner = owners[id(column)]
        if owner is None:
            continue
        around, source = owner
        table = around.tables.get(source)
        if table and column.name != "*":
            plain(column.this, schema.column(table, column.name))
        alone = around is scope and len(scope.sources) == 1
        column.set("table", None if alone else _identifier(renamed.get((id(around), source), source)))


def _sources(scope: Scope, renamed: dict[tuple[int, str], str], schema: Schema) -> None:
    """Spell every table of a scope, without its alias where the name will do."""
    for node in scope.select.find_all(exp.Table):
        alias = (node.alias or node.name).lower()
        if node.find_ancestor(exp.Select) is not scope.select or alias not in scope.tables:
            continue
        plain(node.this, scope.tables[alias])
        if (id(scope), alias) in renamed or (len(scope.sources) == 1 and not scope.parent and not node.alias):
            node.set("alias", None)


def _identifier(name: str) -> exp.Identifier:
    made = exp.Identifier(this=name, quoted=False)
    plain(made, name)
    return made


def _tidy(tree: exp.Expression) -> None:
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
