"""Profile of a database beyond its schema: kinds of columns, sample values, and joins, for the question grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from factory_sql.database import SqliteDatabase
from factory_sql.identifiers import quote_identifier, split_identifier, verbalise_identifier
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
    null_count: int
    singular_noun: str
    plural_noun: str

    @property
    def sql(self) -> str:
        """The quoted column, qualified by its table."""
        return f"{quote_identifier(self.table)}.{quote_identifier(self.name)}"


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


@lru_cache(maxsize=256)
def profile_database(database: SqliteDatabase) -> DatabaseProfile:
    """Profile every table and column of a database, once per process."""
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
    rows = database.sample_rows(f"SELECT COUNT(*) FROM {quote_identifier(table.name)}", 1)
    columns = [_profile_column(database, schema, table, name) for name in table.columns]
    singular, plural = verbalise_identifier(table.name, "one"), verbalise_identifier(table.name, "many")
    filled = tuple(column for column in columns if column is not None)
    return TableProfile(table.name, rows[0][0] if rows else 0, filled, singular, plural)


def _profile_column(
    database: SqliteDatabase, schema: DatabaseSchema, table: TableSchema, name: str
) -> ColumnProfile | None:
    column, source = quote_identifier(name), quote_identifier(table.name)
    counts = database.sample_rows(f"SELECT COUNT(DISTINCT {column}), COUNT({column}), COUNT(*) FROM {source}", 1)
    if not counts or not counts[0][1]:
        return None
    distinct, filled, rows = counts[0]
    distinct_sql = f"SELECT DISTINCT {column} FROM {source} WHERE {column} IS NOT NULL ORDER BY {column}"
    values = tuple(value for (value,) in database.sample_rows(distinct_sql, SAMPLE_ROWS))
    kind = _classify_column(schema, table, name, values, distinct / filled)
    # A column prefixed with its table, such as `cust_name` in `customer`, is called `name`.
    table_words, words = split_identifier(table.name), split_identifier(name)
    has_prefix = len(words) > 1 and len(table_words) == 1 and len(words[0]) > 2 and table_words[0].startswith(words[0])
    short = "_".join(words[1:]) if has_prefix else name
    singular, plural = verbalise_identifier(short), verbalise_identifier(short, "many")
    return ColumnProfile(table.name, name, kind, values, distinct, rows - filled, singular, plural)


def _classify_column(
    schema: DatabaseSchema, table: TableSchema, name: str, values: tuple[Any, ...], distinct_share: float
) -> ColumnKind:
    """Classify a column by its name, keys and sample values."""
    is_target = any(key.table == table.name and key.target_column == name for _, key in schema.iter_foreign_keys())
    is_foreign, last_word = any(key.column == name for key in table.foreign_keys), split_identifier(name)[-1]
    if name == table.primary_key or is_target or is_foreign or last_word in ("id", "ids"):
        return "key"
    if all(isinstance(value, int | float) for value in values):
        return "number" if len(values) > 2 and last_word not in CODE_WORDS else "other"
    texts = [value for value in values if isinstance(value, str) and 0 < len(value) <= MAX_VALUE_LENGTH]
    if len(texts) < len(values) or any(text != text.strip() for text in texts):
        return "other"
    if all(DATE_PATTERN.fullmatch(text) for text in texts):
        return "date"
    # A question quotes a value as it is: without line breaks, quotes, broken characters, and not as a number.
    has_marks = any(mark in text for text in texts for mark in ("\n", '"', "�"))
    has_numbers = any(text.replace(".", "").replace("-", "").isdigit() for text in texts)
    if has_marks or has_numbers or any(mark in table.columns[name] for mark in NUMERIC_TYPES):
        return "other"
    return "category" if len(values) <= MAX_CATEGORIES and (distinct_share < 0.6 or len(values) <= 3) else "name"
