"""SQL as a syntax tree: parsing, resolution of names in the schema, and rendering in the canonical style.

The style is short, so that a small model can learn it: upper-case keywords, names as the database spells them, no alias
where the table's name is enough, and columns qualified only where there are several sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from factory_sql.database import MAX_STATEMENT_LENGTH, QueryRefusedError
from factory_sql.identifiers import quote_identifier
from factory_sql.schema import DatabaseSchema

QUERY_TYPES = (exp.Select, exp.SetOperation)
MAIN_DATABASE = "main"
"""SQLite's name of the database itself, which may stand before a table."""
ROW_ID_NAMES = frozenset(("rowid", "_rowid_", "oid"))
"""Names of the row number that tables have beside their columns."""
PLAIN_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
RESERVED_WORDS = frozenset((
    "add", "all", "alter", "and", "as", "asc", "between", "by", "case", "cast", "check", "collate", "column", "commit",
    "constraint", "create", "cross", "current_date", "current_time", "current_timestamp", "default", "delete", "desc",
    "distinct", "drop", "else", "end", "escape", "except", "exists", "foreign", "from", "full", "glob", "group",
    "having", "if", "in", "index", "inner", "insert", "intersect", "into", "is", "isnull", "join", "left", "like",
    "limit", "natural", "not", "notnull", "null", "offset", "on", "or", "order", "outer", "primary", "references",
    "right", "rowid", "select", "set", "table", "then", "to", "transaction", "trigger", "union", "unique", "update",
    "using", "values", "view", "virtual", "when", "where", "with",
))


@dataclass(slots=True)
class SelectScope:
    """One SELECT: its sources with their columns (None: any), tables by alias, own column nodes, and outer SELECT."""

    select: exp.Expression
    sources: dict[str, frozenset[str] | None]
    tables: dict[str, str]
    columns: list[exp.Column]
    aliases: frozenset[str]
    parent: SelectScope | None = None

    def iter_enclosing_scopes(self) -> Iterator[SelectScope]:
        """Yield this scope and the enclosing ones, from the inside out."""
        scope: SelectScope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class _SqlStyleGenerator(SQLite.Generator):  # type: ignore[misc]
    """Renders `x NOT IN (…)` and `x IS NOT NULL`, as people write them, and not `NOT x IN (…)`."""

    def not_sql(self, expression: exp.Not) -> str:
        inner = expression.this
        for kind, sign in ((exp.In, " IN ("), (exp.Like, " LIKE "), (exp.Between, " BETWEEN "), (exp.Is, " IS ")):
            if isinstance(inner, kind):
                head = str(self.sql(inner, "this"))
                rest = str(self.sql(inner))[len(head):]
                return head + rest.replace(sign, f"{sign}NOT " if kind is exp.Is else f" NOT{sign}", 1)
        return str(super().not_sql(expression))


def parse_select(sql: str) -> exp.Expression:
    """Parse one read-only statement. Raises QueryRefusedError if it is invalid, not alone, or of another kind."""
    if len(sql) > MAX_STATEMENT_LENGTH:
        raise QueryRefusedError(f"the statement is longer than {MAX_STATEMENT_LENGTH} characters")
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="sqlite") if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        message = re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")[0].rstrip(".")[:120]
        raise QueryRefusedError(f"not valid SQL: {message}") from error
    if len(trees) != 1:
        raise QueryRefusedError(f"expected one statement, got {len(trees) or 'none'}")
    tree: exp.Expression = trees[0]
    while isinstance(tree, exp.Subquery):
        tree = tree.this
    if not isinstance(tree, QUERY_TYPES):
        raise QueryRefusedError(f"only SELECT is allowed, got {tree.key.upper()}")
    bad = next((node for node in tree.walk() if isinstance(node, exp.DDL | exp.DML | exp.Command | exp.Pragma)
                and not isinstance(node, QUERY_TYPES)), None)
    if bad is not None or tree.find(exp.Into):
        raise QueryRefusedError(f"only reading is allowed, got {bad.key.upper() if bad is not None else 'INTO'}")
    return tree


def collect_select_scopes(tree: exp.Expression, schema: DatabaseSchema) -> list[SelectScope]:
    """Collect the scopes of all SELECTs of a statement, outer ones first, with their sources and columns."""
    ctes = {cte.alias.lower(): _list_output_names(cte.this) if not cte.args["alias"].columns else None
            for cte in tree.find_all(exp.CTE)}
    scopes: dict[int, SelectScope] = {}
    # Breadth first, so that the enclosing scope exists before the inner one refers to it.
    for select in tree.find_all(exp.Select, bfs=True):
        outer = select.find_ancestor(exp.Select)
        aliases = frozenset(output.alias.lower() for output in select.expressions if isinstance(output, exp.Alias))
        scopes[id(select)] = SelectScope(select, {}, {}, [], aliases, scopes.get(id(outer)))
    for node in tree.find_all(exp.Table, exp.Subquery):
        scope = scopes.get(id(node.find_ancestor(exp.Select)))
        if scope is not None:
            _add_scope_source(scope, node, ctes, schema)
    for column in tree.find_all(exp.Column):
        scope = scopes.get(id(column.find_ancestor(exp.Select)))
        # The ORDER BY of a set operation uses the output names of its first SELECT.
        if scope is not None and isinstance(column.find_ancestor(exp.Select, exp.SetOperation), exp.Select):
            scope.columns.append(column)
    return list(scopes.values())


def _add_scope_source(
    scope: SelectScope, node: exp.Expression, ctes: Mapping[str, frozenset[str] | None], schema: DatabaseSchema
) -> None:
    """Add a table or derived table of the FROM to its scope."""
    if isinstance(node, exp.Subquery):
        if isinstance(node.parent, exp.From | exp.Join):
            scope.sources[node.alias.lower()] = _list_output_names(node.this)
        return
    name, alias = node.name.lower(), (node.alias or node.name).lower()
    table = schema.lowered.get(name)
    if name in ctes:
        scope.sources[alias] = ctes[name]
    elif table is None or str(node.db).lower() not in ("", MAIN_DATABASE):
        raise QueryRefusedError(f"no such table: {node.sql('sqlite')}")
    else:
        scope.sources[alias] = frozenset(schema.columns[name])
        scope.tables[alias] = table.name


def _list_output_names(query: exp.Expression) -> frozenset[str] | None:
    """Return the output names of a query; None if a star hides them."""
    if not isinstance(query, QUERY_TYPES) or query.is_star:
        return None
    return frozenset(name.lower() for name in query.named_selects)


def resolve_column(scope: SelectScope, column: exp.Column) -> tuple[SelectScope, str] | None:
    """Resolve a column to a scope and the name of its source there; None if it does not exist."""
    table, name = column.table.lower(), column.name.lower()
    for outer in scope.iter_enclosing_scopes():
        for source, columns in outer.sources.items():
            is_row_id = name in ROW_ID_NAMES and source in outer.tables
            if table in ("", source) and (columns is None or name in columns or is_row_id):
                return outer, source
        if table and table in outer.sources:
            return None
    return None


def convert_quoted_strings(tree: exp.Expression, scopes: list[SelectScope]) -> None:
    """Turn double-quoted names that no source has into string literals, as SQLite does."""
    for scope in scopes:
        for column in list(scope.columns):
            is_quoted = not column.table and column.this.args.get("quoted")
            if is_quoted and column.name.lower() not in scope.aliases and resolve_column(scope, column) is None:
                scope.columns.remove(column)
                column.replace(exp.Literal.string(column.name))


def render_sql(tree: exp.Expression) -> str:
    """Render a tree as a statement in the canonical style."""
    return str(_SqlStyleGenerator(dialect="sqlite").generate(tree, copy=True))


def quote_identifier_if_needed(name: str) -> str:
    """Return a name as SQL needs it, in double quotes only if necessary."""
    is_plain = PLAIN_IDENTIFIER.fullmatch(name) and name.lower() not in RESERVED_WORDS
    return name if is_plain else quote_identifier(name)


def set_identifier_name(identifier: exp.Expression, name: str) -> None:
    """Set the name of an identifier, with quotes only if necessary."""
    identifier.set("this", name)
    identifier.set("quoted", quote_identifier_if_needed(name) != name)
