"""The schema as a prompt has it: short, and of a large one the tables that the question speaks of."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from factory_sql.database import QueryRefusedError, SqliteDatabase
from factory_sql.db_profile import quote_identifier
from factory_sql.identifiers import singularise_words, split_identifier
from factory_sql.schema import DatabaseSchema, TableSchema
from factory_sql.sql_parser import quote_identifier_if_needed

MAX_COLUMN_VALUES = 2000
MAX_MATCH_LENGTH = 40
TABLE_NAME_WEIGHT, COLUMN_NAME_WEIGHT, VALUE_WEIGHT = 3.0, 1.0, 2.0
"""What a word of the question is worth when it is in a table's name, in a column's, or a value of one."""


def render_schema_prompt(database: SqliteDatabase, question: str, tokens: int, values: bool = True) -> str:
    """The tables that matter to a question, within about so many tokens, in the database's order.

    The two that matter most may take twice as many.

    `customers(id, name, city 'Berlin') orders(id, customer_id -> customers)`: an arrow is a key, a text after a column
    is a value of it that the question holds.
    """
    found = match_question_values(database, question) if values else {}
    texts = {name: _render_table_schema(table, database.schema, found) for name, table in database.schema.tables.items()}
    if sum(map(estimate_schema_tokens, texts.values())) <= tokens:
        return " ".join(texts.values())
    chosen: set[str] = set()
    spent = 0
    for place, name in enumerate(_rank_tables(database.schema, question, found)):
        if chosen and spent + estimate_schema_tokens(texts[name]) > (tokens if place > 1 else 2 * tokens):
            break
        chosen.add(name)
        spent += estimate_schema_tokens(texts[name])
    return " ".join(text for name, text in texts.items() if name in chosen)


def estimate_schema_tokens(text: str) -> int:
    """About how many tokens a text has: a piece of a word for every six letters, one for every sign."""
    return sum(1 + (len(part) - 1) // 6 for part in re.findall(r"[A-Za-z]+|\d|[^\w\s]", text))


def match_question_values(database: SqliteDatabase, question: str) -> dict[tuple[str, str], str]:
    """(table, column) → its longest text value that stands in the question as whole words, whatever the case."""
    asked = f" {_join_lowercase_words(question)} "
    found: dict[tuple[str, str], str] = {}
    for place, value, spaced in read_text_values(database):
        if f" {spaced} " in asked and len(value) > len(found.get(place, "")):
            found[place] = value
    return found


def _join_lowercase_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@lru_cache(maxsize=256)
def read_text_values(database: SqliteDatabase) -> tuple[tuple[tuple[str, str], str, str], ...]:
    """The text values of a database, each with its table and column, and with nothing but spaces between its words."""
    found = []
    for table in database.schema.tables.values():
        for column in table.columns:
            name = quote_identifier(column)
            sql = f"SELECT DISTINCT {name} FROM {quote_identifier(table.name)} WHERE typeof({name}) = 'text' ORDER BY {name}"
            try:
                values = [value for (value,) in database.run(sql, MAX_COLUMN_VALUES).rows]
            except QueryRefusedError:
                values = []
            found += [((table.name, column), value, _join_lowercase_words(value)) for value in values
                      if 1 < len(value) <= MAX_MATCH_LENGTH and re.search("[^\\W\\d]", value)]
    return tuple(found)


def _rank_tables(schema: DatabaseSchema, question: str, found: dict[tuple[str, str], str]) -> list[str]:
    """Tables, the most spoken of first; a word that many tables have says little of each."""
    asked = set(singularise_words(question))
    names = {name: set(singularise_words(" ".join(split_identifier(name)))) for name in schema.tables}
    held = {name: {stem for column in table.columns for stem in singularise_words(" ".join(split_identifier(column)))}
            for name, table in schema.tables.items()}
    common = Counter(word for name in names for word in names[name] | held[name])
    scores = {}
    for place, name in enumerate(schema.tables):
        named = sum(TABLE_NAME_WEIGHT / common[word] ** 0.5 for word in names[name] & asked) / len(names[name]) ** 0.5
        inside = sum(COLUMN_NAME_WEIGHT / common[word] for word in held[name] & asked)
        valued = sum(VALUE_WEIGHT for table, _ in found if table == name)
        scores[name] = (-(named + inside + valued), place)
    ranked = sorted(scores, key=lambda name: scores[name])
    return _promote_bridge_tables(schema, ranked, sum(1 for name in ranked if scores[name][0] < -TABLE_NAME_WEIGHT / 2))


def _promote_bridge_tables(schema: DatabaseSchema, ranked: list[str], spoken: int) -> list[str]:
    """The ranking with a table that joins two spoken-of ones right after them."""
    near: dict[str, set[str]] = {name: set() for name in schema.tables}
    for table, key in schema.iter_foreign_keys():
        near[table.name].add(key.table)
        near.setdefault(key.table, set()).add(table.name)
    heads = ranked[:spoken]
    bridges = [name for name in ranked[spoken:] if len(near[name] & set(heads[:3])) > 1]
    return [*heads, *bridges, *(name for name in ranked[spoken:] if name not in bridges)]


def _render_table_schema(table: TableSchema, schema: DatabaseSchema, found: dict[tuple[str, str], str]) -> str:
    """One table: `orders(id, customer_id -> customers, status 'shipped')`."""
    keys = {key.column: key for key in table.foreign_keys}
    parts = []
    for column in table.columns:
        text = quote_identifier_if_needed(column)
        if column in keys:
            key = keys[column]
            target = schema.get_table_schema(key.table)
            whole = target is None or target.primary_key != key.target_column
            text += f" -> {quote_identifier_if_needed(key.table)}{f'.{quote_identifier_if_needed(key.target_column)}' if whole else ''}"
        if (table.name, column) in found:
            text += f" '{found[table.name, column]}'"
        parts.append(text)
    return f"{quote_identifier_if_needed(table.name)}({', '.join(parts)})"
