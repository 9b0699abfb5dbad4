"""SQL as a tree: parsed, its names found in the schema, and written in one style.

The style is short, for a small model must learn it: capitals for keywords, names as the database spells them, no alias
where the table's name will do, a column's table said only where there is more than one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from factory_sql.database import QueryRefusedError
from factory_sql.schema import DatabaseSchema

QUERY_TYPES = (exp.Select, exp.SetOperation)
PLAIN_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
SQL_KEYWORDS = frozenset((
    "all", "and", "as", "asc", "between", "by", "case", "cast", "collate", "cross", "desc", "distinct", "else", "end",
    "escape", "except", "exists", "from", "full", "glob", "group", "having", "in", "inner", "intersect", "is", "join",
    "left", "like", "limit", "natural", "not", "null", "offset", "on", "or", "order", "outer", "right", "select",
    "then", "union", "using", "values", "when", "where", "with",
))
RESERVED_WORDS = SQL_KEYWORDS | frozenset((
    "add", "alter", "check", "column", "commit", "constraint", "create", "default", "delete", "drop", "foreign", "if",
    "index", "insert", "into", "isnull", "notnull", "primary", "references", "set", "table", "to", "transaction",
    "trigger", "unique", "update", "values", "virtual", "view", "rowid", "current_date", "current_time",
    "current_timestamp",
))


@dataclass(slots=True)
class SelectScope:
    """One SELECT: the names in its FROM → the columns of each (None: any), its own column nodes, the SELECT around."""

    select: exp.Expression
    sources: dict[str, frozenset[str] | None]
    tables: dict[str, str]
    columns: list[exp.Column]
    aliases: frozenset[str]
    parent: SelectScope | None = None

    def iter_enclosing_scopes(self) -> Iterator[SelectScope]:
        """This scope and those around it, from the inside out."""
        scope: SelectScope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class _SqlStyleGenerator(SQLite.Generator):  # type: ignore[misc]
    """`x NOT IN (…)` and `x IS NOT NULL`, as people write them, not `NOT x IN (…)`."""

    def not_sql(self, expression: exp.Not) -> str:
        inner = expression.this
        for kind, sign in ((exp.In, " IN ("), (exp.Like, " LIKE "), (exp.Between, " BETWEEN "), (exp.Is, " IS ")):
            if isinstance(inner, kind):
                head = str(self.sql(inner, "this"))
                rest = str(self.sql(inner))[len(head):]
                said = rest.replace(sign, f"{sign}NOT " if kind is exp.Is else f" NOT{sign}", 1)
                return head + said
        return str(super().not_sql(expression))


def parse_select(sql: str) -> exp.Expression:
    """The tree of one reading statement. Raises RefusedError for what does not parse, for two, and for other kinds."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="sqlite") if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise QueryRefusedError(f"it does not parse: {_shorten_parser_error(error)}") from error
    if len(trees) != 1:
        raise QueryRefusedError(f"{len(trees)} statements where one is wanted" if trees else "no statement at all")
    tree: exp.Expression = trees[0]
    while isinstance(tree, exp.Subquery):
        tree = tree.this
    if not isinstance(tree, QUERY_TYPES):
        raise QueryRefusedError(f"{tree.key.upper()} where only SELECT is allowed")
    bad = next((node for node in tree.walk() if isinstance(node, exp.DDL | exp.DML | exp.Command | exp.Pragma)
                and not isinstance(node, QUERY_TYPES)), None)
    if bad is not None or tree.find(exp.Into):
        raise QueryRefusedError(f"{bad.key.upper() if bad is not None else 'INTO'} where only reading is allowed")
    return tree


def _shorten_parser_error(error: Exception) -> str:
    return re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")[0].rstrip(".")[:120]


def collect_select_scopes(tree: exp.Expression, schema: DatabaseSchema) -> list[SelectScope]:
    """Every SELECT of a statement, the outer ones first, with what its columns can mean."""
    common = {cte.alias.lower(): _list_output_names(cte.this) if not cte.args["alias"].columns else None
              for cte in tree.find_all(exp.CTE)}
    found: dict[int, SelectScope] = {}
    for select in tree.find_all(exp.Select, bfs=True):
        around = select.find_ancestor(exp.Select)
        aliases = frozenset(one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias))
        found[id(select)] = SelectScope(select, {}, {}, [], aliases, found.get(id(around)))
    for node in tree.find_all(exp.Table, exp.Subquery):
        scope = found.get(id(node.find_ancestor(exp.Select)))
        if scope is not None:
            _add_scope_source(scope, node, common, schema)
    for column in tree.find_all(exp.Column):
        scope = found.get(id(column.find_ancestor(exp.Select)))
        if scope is not None and not _is_set_order_column(column):
            scope.columns.append(column)
    return list(found.values())


def _is_set_order_column(column: exp.Column) -> bool:
    """Whether a column stands in the ORDER BY of a UNION, whose names are those of its first SELECT."""
    near = column.find_ancestor(exp.Select, exp.SetOperation)
    return isinstance(near, exp.SetOperation)


def _add_scope_source(scope: SelectScope, node: exp.Expression, common: Mapping[str, frozenset[str] | None], schema: DatabaseSchema) -> None:
    """Put a table or a derived table of the FROM into the scope."""
    if isinstance(node, exp.Subquery):
        if isinstance(node.parent, exp.From | exp.Join):
            scope.sources[node.alias.lower()] = _list_output_names(node.this)
        return
    name, alias = node.name.lower(), (node.alias or node.name).lower()
    table = schema.get_table_schema(name)
    if name in common:
        scope.sources[alias] = common[name]
    elif table is None or node.args.get("db"):
        raise QueryRefusedError(f"there is no table {node.sql('sqlite')}")
    else:
        scope.sources[alias] = frozenset(schema.columns[name])
        scope.tables[alias] = table.name


def _list_output_names(query: exp.Expression) -> frozenset[str] | None:
    """The names of what a query gives; None when a star hides them."""
    if not isinstance(query, QUERY_TYPES) or query.is_star:
        return None
    return frozenset(name.lower() for name in query.named_selects)


def resolve_column(scope: SelectScope, column: exp.Column) -> tuple[SelectScope, str] | None:
    """Where a column comes from: the scope and the name in its FROM; None when nowhere."""
    table, name = column.table.lower(), column.name.lower()
    for around in scope.iter_enclosing_scopes():
        for source, columns in around.sources.items():
            if table in ("", source) and (columns is None or name in columns):
                return around, source
        if table and table in around.sources:
            return None
    return None


def convert_quoted_strings(tree: exp.Expression, found: list[SelectScope]) -> None:
    """Make text of every name in double quotes that no table has, as SQLite does."""
    for scope in found:
        for column in list(scope.columns):
            if not column.table and column.this.args.get("quoted") and resolve_column(scope, column) is None \
                    and column.name.lower() not in scope.aliases:
                scope.columns.remove(column)
                column.replace(exp.Literal.string(column.name))


def render_sql(tree: exp.Expression) -> str:
    """The statement of a tree, in the one style."""
    return str(_SqlStyleGenerator(dialect="sqlite").generate(tree, copy=True))


def quote_identifier_if_needed(name: str) -> str:
    """A name as SQL has it: in double quotes where it needs them."""
    return name if PLAIN_IDENTIFIER.fullmatch(name) and name.lower() not in RESERVED_WORDS else '"' + name.replace('"', '""') + '"'


def set_identifier_name(identifier: exp.Expression, name: str) -> None:
    """Spell an identifier so, with quotes only where it needs them."""
    identifier.set("this", name)
    identifier.set("quoted", quote_identifier_if_needed(name) != name)
