"""Profile of a database beyond its schema: kinds of columns, sample values, and joins, for the question grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from factory_sql.database import QueryRefusedError, SqliteDatabase
from factory_sql.identifiers import split_identifier, verbalise_identifier
from factory_sql.schema import DatabaseSchema, TableSchema

ColumnKind = Literal["key", "category", "name", "number", "date", "other"]
DATE_PATTERN = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
SAMPLE_ROWS = 400
MAX_CATEGORIES = 40
MAX_VALUE_LENGTH = 32
CODE_WORDS = ("year", "code", "num", "number", "no", "zip", "phone", "zipcode")
"""Last words of column names whose numbers are codes and must not be summed."""

NUMERIC_TYPES = ("INT", "REAL", "NUM", "DEC", "FLOA", "DOUB")


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column: the kind of its values, a sorted sample of distinct values, and its name in plain English."""

    table: str
    name: str
    kind: ColumnKind
    values: tuple[Any, ...]
    distinct_count: int
    non_null_count: int
    null_count: int
    singular_noun: str
    plural_noun: str

    @property
    def sql(self) -> str:
        """The quoted column, qualified by its table."""
        return f'{quote_identifier(self.table)}.{quote_identifier(self.name)}'


@dataclass(frozen=True, slots=True)
class TableProfile:
    """A table with its columns, and its name in plain English, singular and plural."""

    name: str
    row_count: int
    columns: tuple[ColumnProfile, ...]
    singular_noun: str
    plural_noun: str

    @property
    def sql(self) -> str:
        return quote_identifier(self.name)

    def get_columns_of_kind(self, *kinds: ColumnKind) -> list[ColumnProfile]:
        """Return the columns of these kinds."""
        return [column for column in self.columns if column.kind in kinds]

    def get_column_profile(self, name: str) -> ColumnProfile:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class ForeignKeyLink:
    """A join: many rows of `child` point to one row of `parent`. `role` is what the child calls its parent;
    `is_only_key` is whether the child has no other key to that table."""

    child: TableProfile
    parent: TableProfile
    child_column: str
    parent_column: str
    role: str
    is_only_key: bool

    @property
    def join_condition(self) -> str:
        child, parent = quote_identifier(self.child_column), quote_identifier(self.parent_column)
        return f"{self.child.sql}.{child} = {self.parent.sql}.{parent}"


@dataclass(frozen=True, slots=True)
class DatabaseProfile:
    """Non-empty tables, and the joins between them."""

    tables: Mapping[str, TableProfile]
    links: tuple[ForeignKeyLink, ...]


def quote_identifier(name: str) -> str:
    """Put a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def profile_database(database: SqliteDatabase) -> DatabaseProfile:
    """Profile every table and column of a database."""
    schema = database.schema
    tables = {name: _profile_table(database, schema, table) for name, table in schema.tables.items()}
    filled = {name: table for name, table in tables.items() if table.row_count and table.columns}
    links = []
    for table, key in schema.iter_foreign_keys():
        if table.name in filled and key.table in filled and key.table != table.name:
            is_only_key = sum(other.table == key.table for other in table.foreign_keys) == 1
            role_words = [part for part in split_identifier(key.column) if part not in ("id", *CODE_WORDS)]
            role = " ".join(role_words) or verbalise_identifier(key.table, "one")
            child, parent = filled[table.name], filled[key.table]
            links.append(ForeignKeyLink(child, parent, key.column, key.target_column, role, is_only_key))
    return DatabaseProfile(filled, tuple(links))


def _profile_table(database: SqliteDatabase, schema: DatabaseSchema, table: TableSchema) -> TableProfile:
    rows = _query_sample(database, f"SELECT COUNT(*) FROM {quote_identifier(table.name)}")
    columns = [_profile_column(database, schema, table, name) for name in table.columns]
    one, many = verbalise_identifier(table.name, "one"), verbalise_identifier(table.name, "many")
    return TableProfile(table.name, rows[0][0] if rows else 0, tuple(c for c in columns if c is not None), one, many)


def _query_sample(database: SqliteDatabase, sql: str) -> tuple[tuple[Any, ...], ...]:
    try:
        return database.run(sql, SAMPLE_ROWS).rows
    except QueryRefusedError:
        return ()


def _profile_column(
    database: SqliteDatabase, schema: DatabaseSchema, table: TableSchema, name: str
) -> ColumnProfile | None:
    column, source = quote_identifier(name), quote_identifier(table.name)
    counts = _query_sample(database, f"SELECT COUNT(DISTINCT {column}), COUNT({column}), COUNT(*) FROM {source}")
    if not counts or not counts[0][1]:
        return None
    distinct, filled, rows = counts[0]
    sample = _query_sample(
        database, f"SELECT DISTINCT {column} FROM {source} WHERE {column} IS NOT NULL ORDER BY {column}"
    )
    values = tuple(value for (value,) in sample)
    kind = _classify_column(schema, table, name, values, distinct / filled)
    # A column prefixed with its table, such as `cust_name` in `customer`, is called `name`.
    table_words, words = split_identifier(table.name), split_identifier(name)
    has_prefix = len(words) > 1 and len(table_words) == 1 and len(words[0]) > 2 and table_words[0].startswith(words[0])
    short = "_".join(words[1:]) if has_prefix else name
    return ColumnProfile(table.name, name, kind, values, distinct, filled, rows - filled,
                         verbalise_identifier(short), verbalise_identifier(short, "many"))


def _classify_column(
    schema: DatabaseSchema, table: TableSchema, name: str, values: tuple[Any, ...], distinct_share: float
) -> ColumnKind:
    """Classify a column by its name, keys and sample values."""
    is_target = any(key.table == table.name and key.target_column == name for _, key in schema.iter_foreign_keys())
    last_word = split_identifier(name)[-1]
    if name == table.primary_key or is_target or any(key.column == name for key in table.foreign_keys) \
            or last_word in ("id", "ids"):
        return "key"
    if all(isinstance(value, int | float) for value in values):
        return "number" if len(values) > 2 and last_word not in CODE_WORDS else "other"
    if not all(isinstance(value, str) and 0 < len(value) <= MAX_VALUE_LENGTH and value == value.strip()
               for value in values):
        return "other"
    if all(DATE_PATTERN.fullmatch(value) for value in values):
        return "date"
    is_numeric = any(mark in table.columns[name] for mark in NUMERIC_TYPES)
    if is_numeric or any(_is_unsuitable_value(value) for value in values):
        return "other"
    return "category" if len(values) <= MAX_CATEGORIES and (distinct_share < 0.6 or len(values) <= 3) else "name"


def _is_unsuitable_value(value: str) -> bool:
    """Whether a value cannot be quoted in a question as it is."""
    return "\n" in value or '"' in value or "�" in value or value.replace(".", "").replace("-", "").isdigit()
