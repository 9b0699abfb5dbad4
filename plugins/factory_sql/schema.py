"""Schema of a database: tables, columns and keys, as the guard, the decoder, the grammar and the prompt use them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from factory_sql.identifiers import quote_identifier, singularise_word, split_identifier


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to a column of another table; `guessed` if inferred from names and not declared."""

    column: str
    table: str
    target_column: str
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table or view: columns with their declared types, primary key, and foreign keys."""

    name: str
    columns: Mapping[str, str]
    primary_key: str = ""
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSchema:
    """Tables by name, in the database's order; lookups ignore case."""

    tables: Mapping[str, TableSchema]
    lowered: Mapping[str, TableSchema] = field(init=False, compare=False, repr=False)
    columns: Mapping[str, Mapping[str, str]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lowered", {name.lower(): table for name, table in self.tables.items()})
        names = {low: {name.lower(): name for name in table.columns} for low, table in self.lowered.items()}
        object.__setattr__(self, "columns", names)

    def get_spelled_column(self, table: str, name: str) -> str:
        """Return a column's name as the database spells it, or an empty string if the table lacks it."""
        return self.columns.get(table.lower(), {}).get(name.lower(), "")

    def iter_foreign_keys(self) -> Iterator[tuple[TableSchema, ForeignKey]]:
        """Yield every foreign key with its table."""
        for table in self.tables.values():
            for key in table.foreign_keys:
                yield table, key

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form stored in the side table."""
        return {
            name: {
                "columns": dict(table.columns), "primary": table.primary_key,
                "keys": [[key.column, key.table, key.target_column, key.guessed] for key in table.foreign_keys],
            }
            for name, table in self.tables.items()
        }

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> DatabaseSchema:
        return cls({
            name: TableSchema(name, item["columns"], item["primary"], tuple(ForeignKey(*key) for key in item["keys"]))
            for name, item in payload.items()
        })


def read_database_schema(connection: sqlite3.Connection) -> DatabaseSchema:
    """Read the schema of an open database. If no table declares a foreign key, keys are guessed from names."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    )
    tables = {name: _read_table_schema(connection, name) for (name,) in names.fetchall()}
    if any(table.foreign_keys for table in tables.values()):
        return DatabaseSchema(tables)
    return DatabaseSchema({name: _add_guessed_keys(table, tables) for name, table in tables.items()})


def _read_table_schema(connection: sqlite3.Connection, name: str) -> TableSchema:
    info = connection.execute(f"PRAGMA table_info({quote_identifier(name)})").fetchall()
    primary = [column for _, column, _, _, _, position in info if position]
    columns = {column: kind.upper() for _, column, kind, _, _, _ in info}
    spelled = {column.lower(): column for column in reversed(columns)}
    keys = connection.execute(f"PRAGMA foreign_key_list({quote_identifier(name)})").fetchall()
    # SQLite lists a composite key as one row per column, with the same id.
    single = [key for key in keys if sum(other[0] == key[0] for other in keys) == 1]
    declared = [ForeignKey(spelled.get(key[3].lower(), key[3]), key[2], key[4] or "") for key in reversed(single)]
    foreign_keys = tuple(_resolve_key_targets(connection, declared))
    return TableSchema(name, columns, primary[0] if len(primary) == 1 else "", foreign_keys)


def _resolve_key_targets(connection: sqlite3.Connection, keys: list[ForeignKey]) -> Iterator[ForeignKey]:
    """Yield keys whose target exists; a key without a target column points to the primary key."""
    for key in keys:
        real = connection.execute("SELECT name FROM sqlite_master WHERE lower(name) = lower(?)", [key.table]).fetchone()
        if real is None:
            continue
        info = connection.execute(f"PRAGMA table_info({quote_identifier(real[0])})").fetchall()
        declared = [column for _, column, *_ in info if column.lower() == key.target_column.lower()]
        target = declared or [column for _, column, _, _, _, position in info if position]
        if target:
            yield ForeignKey(key.column, real[0], target[0])


def _add_guessed_keys(table: TableSchema, tables: Mapping[str, TableSchema]) -> TableSchema:
    """Guess foreign keys: a column named like another table's primary key, or like that table and `id`."""
    keys = []
    for column in table.columns:
        others = (other for other in tables.values() if other is not table)
        target = next((other for other in others if _is_named_like_key(column, other)), None)
        if target is not None and column != table.primary_key:
            keys.append(ForeignKey(column, target.name, _get_key_column(target), guessed=True))
    return TableSchema(table.name, table.columns, table.primary_key, tuple(keys))


def _get_key_column(table: TableSchema) -> str:
    """Return the primary key of a table, or its first column."""
    return table.primary_key or next(iter(table.columns))


def _is_named_like_key(column: str, table: TableSchema) -> bool:
    """Whether a column is named like the key of a table: `customer_id`, or the name of its key column."""
    noun = [*split_identifier(table.name)[:-1], singularise_word(split_identifier(table.name)[-1])]
    if split_identifier(column) == [*noun, "id"]:
        return True
    target = _get_key_column(table)
    # Without a primary key, the first column is only trusted if it begins with the table's name.
    is_key = bool(table.primary_key) or split_identifier(target)[: len(noun)] == noun
    return column.lower() == target.lower() != "id" and is_key
