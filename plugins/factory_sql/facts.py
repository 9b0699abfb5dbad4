"""What a grammar needs to know of a database beyond its schema: kinds of columns, values that occur, ways to join."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from factory_sql.database import Database, RefusedError
from factory_sql.schema import Schema, Table
from factory_sql.words import said, words

Kind = Literal["key", "category", "name", "number", "date", "other"]
DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
SAMPLE = 400
FEW = 40
SHORT = 32
CODES = ("year", "code", "num", "number", "no", "zip", "phone", "zipcode")
"""Last words of names whose numbers are not to be summed."""

NUMERIC = ("INT", "REAL", "NUM", "DEC", "FLOA", "DOUB")


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column of a table: what kind of values it has, some of them (distinct, sorted), and how people call it."""

    table: str
    name: str
    kind: Kind
    values: tuple[Any, ...]
    distinct: int
    filled: int
    empty: int
    one: str
    many: str

    @property
    def sql(self) -> str:
        """The column with its table, quoted."""
        return f'{quoted(self.table)}.{quoted(self.name)}'


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table with its columns, and how people call one of its rows and many."""

    name: str
    rows: int
    columns: tuple[ColumnFacts, ...]
    one: str
    many: str

    @property
    def sql(self) -> str:
        return quoted(self.name)

    def of(self, *kinds: Kind) -> list[ColumnFacts]:
        """Its columns of these kinds."""
        return [column for column in self.columns if column.kind in kinds]

    def column(self, name: str) -> ColumnFacts:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class Link:
    """A way to join: many rows of `child` point to one row of `parent`, by these columns. `role` is what the child
    calls its parent; `sole` whether the child has no other key to that table."""

    child: TableFacts
    parent: TableFacts
    column: str
    target: str
    role: str
    sole: bool

    @property
    def on(self) -> str:
        return f"{self.child.sql}.{quoted(self.column)} = {self.parent.sql}.{quoted(self.target)}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Tables that have rows, and the links between them."""

    tables: Mapping[str, TableFacts]
    links: tuple[Link, ...]


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def learn(database: Database) -> Facts:
    """Look at every column of a database."""
    schema = database.schema
    tables = {name: _table(database, schema, table) for name, table in schema.tables.items()}
    filled = {name: table for name, table in tables.items() if table.rows and table.columns}
    links = []
    for table, key in schema.links():
        if table.name in filled and key.table in filled and key.table != table.name:
            sole = sum(other.table == key.table for other in table.keys) == 1
            role = " ".join(part for part in words(key.column) if part not in ("id", *CODES)) or said(key.table, "one")
            links.append(Link(filled[table.name], filled[key.table], key.column, key.target, role, sole))
    return Facts(filled, tuple(links))


def _table(database: Database, schema: Schema, table: Table) -> TableFacts:
    rows = _rows(database, f"SELECT COUNT(*) FROM {quoted(table.name)}")
    columns = [_column(database, schema, table, name) for name in table.columns]
    one, many = said(table.name, "one"), said(table.name, "many")
    return TableFacts(table.name, rows[0][0] if rows else 0, tuple(c for c in columns if c is not None), one, many)


def _rows(database: Database, sql: str) -> tuple[tuple[Any, ...], ...]:
    try:
        return database.run(sql, SAMPLE).rows
    except RefusedError:
        return ()


def _column(database: Database, schema: Schema, table: Table, name: str) -> ColumnFacts | None:
    column, source = quoted(name), quoted(table.name)
    counts = _rows(database, f"SELECT COUNT(DISTINCT {column}), COUNT({column}), COUNT(*) FROM {source}")
    if not counts or not counts[0][1]:
        return None
    distinct, filled, rows = counts[0]
    found = _rows(database, f"SELECT DISTINCT {column} FROM {source} WHERE {column} IS NOT NULL ORDER BY {column}")
    values = tuple(value for (value,) in found)
    kind = _kind(schema, table, name, values, distinct / filled)
    own, parts = words(table.name), words(name)
    prefixed = len(parts) > 1 and len(own) == 1 and len(parts[0]) > 2 and own[0].startswith(parts[0])
    short = "_".join(parts[1:]) if prefixed else name
    return ColumnFacts(table.name, name, kind, values, distinct, filled, rows - filled,
                       said(short), said(short, "many"))


def _kind(schema: Schema, table: Table, name: str, values: tuple[Any, ...], fresh: float) -> Kind:
    """What a column's values are for; `fresh` is the share of them that are distinct."""
    pointed = any(key.table == table.name and key.target == name for _, key in schema.links())
    if name == table.primary or pointed or any(key.column == name for key in table.keys) \
            or words(name)[-1] in ("id", "ids"):
        return "key"
    if all(isinstance(value, int | float) for value in values):
        return "number" if len(values) > 2 and words(name)[-1] not in CODES else "other"
    if not all(isinstance(value, str) and 0 < len(value) <= SHORT and value == value.strip() for value in values):
        return "other"
    if all(DATE.fullmatch(value) for value in values):
        return "date"
    if any(mark in table.columns[name] for mark in NUMERIC) or any(_odd(value) for value in values):
        return "other"
    return "category" if len(values) <= FEW and (fresh < 0.6 or len(values) <= 3) else "name"


def _odd(value: str) -> bool:
    """Whether a value could not stand in a question as it is."""
    return "\n" in value or '"' in value or "�" in value or value.replace(".", "").replace("-", "").isdigit()
