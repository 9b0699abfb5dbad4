"""What a database holds, as the guard, the guide, the grammar and the prompt see it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from factory_sql.identifiers import singularise_word, split_identifier


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A column that points to a column of another table; `guessed` when the names say so and the database does not."""

    column: str
    table: str
    target_column: str
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table or a view: its columns with their declared types, its primary key, and its keys to other tables."""

    name: str
    columns: Mapping[str, str]
    primary_key: str = ""
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSchema:
    """Tables by name, in the database's order. Names are found whatever their case."""

    tables: Mapping[str, TableSchema]
    lowered: Mapping[str, TableSchema] = field(init=False, compare=False, repr=False)
    columns: Mapping[str, Mapping[str, str]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lowered", {name.lower(): table for name, table in self.tables.items()})
        names = {low: {name.lower(): name for name in table.columns} for low, table in self.lowered.items()}
        object.__setattr__(self, "columns", names)

    def get_table_schema(self, name: str) -> TableSchema | None:
        return self.lowered.get(name.lower())

    def get_spelled_column(self, table: str, name: str) -> str:
        """The column's name as the database spells it, or nothing when the table has none such."""
        return self.columns.get(table.lower(), {}).get(name.lower(), "")

    def iter_foreign_keys(self) -> Iterator[tuple[TableSchema, ForeignKey]]:
        """Every key, with the table that has it."""
        for table in self.tables.values():
            for key in table.foreign_keys:
                yield table, key

    def to_json(self) -> dict[str, Any]:
        """The form that a side table holds."""
        return {
            name: {
                "columns": dict(table.columns), "primary": table.primary_key,
                "keys": [[key.column, key.table, key.target_column, key.guessed] for key in table.foreign_keys],
            }
            for name, table in self.tables.items()
        }

    @classmethod
    def from_json(cls, payload: Mapping[str, Any], order: list[str] | None = None) -> DatabaseSchema:
        tables = {
            name: TableSchema(name, payload[name]["columns"], payload[name]["primary"],
                        tuple(ForeignKey(*key) for key in payload[name]["keys"]))
            for name in order or payload
        }
        return cls(tables)


def read_database_schema(connection: sqlite3.Connection) -> DatabaseSchema:
    """The schema of an open database. Keys come from the database; where it declares none at all, from names."""
    listed = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    )
    tables = {name: _read_table_schema(connection, name) for (name,) in listed.fetchall()}
    if any(table.foreign_keys for table in tables.values()):
        return DatabaseSchema(tables)
    return DatabaseSchema({name: _add_guessed_keys(table, tables) for name, table in tables.items()})


def _read_table_schema(connection: sqlite3.Connection, name: str) -> TableSchema:
    quoted = name.replace('"', '""')
    facts = connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
    primary = [column for _, column, _, _, _, place in facts if place]
    columns = {column: kind.upper() for _, column, kind, _, _, _ in facts}
    keys = connection.execute(f'PRAGMA foreign_key_list("{quoted}")').fetchall()
    single = [key for key in keys if sum(other[0] == key[0] for other in keys) == 1]
    found = [ForeignKey(_match_column_case(columns, key[3]), key[2], key[4] or "") for key in reversed(single)]
    return TableSchema(name, columns, primary[0] if len(primary) == 1 else "", tuple(_resolve_key_targets(connection, found)))


def _match_column_case(columns: Mapping[str, str], name: str) -> str:
    return next((column for column in columns if column.lower() == name.lower()), name)


def _resolve_key_targets(connection: sqlite3.Connection, keys: list[ForeignKey]) -> Iterator[ForeignKey]:
    """The keys whose table and column are really there, a key without a column pointing to the primary key."""
    for key in keys:
        real = connection.execute("SELECT name FROM sqlite_master WHERE lower(name) = lower(?)", [key.table]).fetchone()
        if real is None:
            continue
        quoted = real[0].replace('"', '""')
        facts = connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
        named = [column for _, column, *_ in facts if column.lower() == key.target_column.lower()]
        target = named or [column for _, column, _, _, _, place in facts if place]
        if target:
            yield ForeignKey(key.column, real[0], target[0])


def _add_guessed_keys(table: TableSchema, tables: Mapping[str, TableSchema]) -> TableSchema:
    """A column called as another table's primary key, or as that table and `id`, points to it."""
    keys = []
    for column in table.columns:
        found = next((other for other in tables.values() if other is not table and _is_named_like_key(column, other)), None)
        if found is not None and column != table.primary_key:
            keys.append(ForeignKey(column, found.name, _get_key_column(found), guessed=True))
    return TableSchema(table.name, table.columns, table.primary_key, tuple(keys))


def _get_key_column(table: TableSchema) -> str:
    """The column by which others know a table: its primary key, else its first column."""
    return table.primary_key or next(iter(table.columns))


def _is_named_like_key(column: str, table: TableSchema) -> bool:
    """Whether a column is called as the key of a table: `customer_id`, or as its own name for it."""
    noun = [*split_identifier(table.name)[:-1], singularise_word(split_identifier(table.name)[-1])]
    target = _get_key_column(table)
    own = column.lower() == target.lower() != "id"
    return split_identifier(column) == [*noun, "id"] or (own and (bool(table.primary_key) or split_identifier(target)[: len(noun)] == noun))
