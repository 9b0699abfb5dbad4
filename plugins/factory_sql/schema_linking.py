"""Schema linking: render the schema for a prompt, reduced to the tables that matter to the question."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from factory_sql.database import SqliteDatabase
from factory_sql.identifiers import quote_identifier, singularise_words, split_identifier
from factory_sql.schema import DatabaseSchema, TableSchema
from factory_sql.sql_parser import quote_identifier_if_needed

MAX_COLUMN_VALUES = 2000
MAX_MATCH_LENGTH = 40
TABLE_NAME_WEIGHT, COLUMN_NAME_WEIGHT, VALUE_WEIGHT = 3.0, 1.0, 2.0
"""Weight of a question word in a table name, in a column name, and as a value."""


def render_schema_prompt(database: SqliteDatabase, question: str, tokens: int, values: bool = True) -> str:
    """Render the tables most relevant to a question, within about `tokens` tokens, in the database's order.

    The two most relevant tables may take twice as many. In `customers(id, name, city 'Berlin') orders(id, customer_id
    -> customers)` an arrow is a foreign key, and a text after a column is one of its values that the question mentions.
    """
    matches = match_question_values(database, question) if values else {}
    schema = database.schema
    texts = {name: _render_table_schema(table, schema, matches) for name, table in schema.tables.items()}
    if sum(map(estimate_schema_tokens, texts.values())) <= tokens:
        return " ".join(texts.values())
    chosen: set[str] = set()
    spent = 0
    for rank, name in enumerate(_rank_tables(schema, question, matches)):
        if chosen and spent + estimate_schema_tokens(texts[name]) > (tokens if rank > 1 else 2 * tokens):
            break
        chosen.add(name)
        spent += estimate_schema_tokens(texts[name])
    return " ".join(text for name, text in texts.items() if name in chosen)


def estimate_schema_tokens(text: str) -> int:
    """Estimate the tokens of a text: one per six letters of a word, and one per digit or sign."""
    return sum(1 + (len(part) - 1) // 6 for part in re.findall(r"[A-Za-z]+|\d|[^\w\s]", text))


def match_question_values(database: SqliteDatabase, question: str) -> dict[tuple[str, str], str]:
    """Map (table, column) to its longest text value that the question contains as whole words, ignoring case."""
    words = f" {_join_lowercase_words(question)} "
    matches: dict[tuple[str, str], str] = {}
    for column, value, normal in read_text_values(database):
        if f" {normal} " in words and len(value) > len(matches.get(column, "")):
            matches[column] = value
    return matches


def _join_lowercase_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@lru_cache(maxsize=256)
def read_text_values(database: SqliteDatabase) -> tuple[tuple[tuple[str, str], str, str], ...]:
    """Read the text values of a database as ((table, column), value, lower-case words)."""
    rows = []
    for table in database.schema.tables.values():
        for column in table.columns:
            name, source = quote_identifier(column), quote_identifier(table.name)
            sql = f"SELECT DISTINCT {name} FROM {source} WHERE typeof({name}) = 'text' ORDER BY {name}"
            for (value,) in database.sample_rows(sql, MAX_COLUMN_VALUES):
                if 1 < len(value) <= MAX_MATCH_LENGTH and re.search(r"[^\W\d]", value):
                    rows.append(((table.name, column), value, _join_lowercase_words(value)))
    return tuple(rows)


def _rank_tables(schema: DatabaseSchema, question: str, matches: dict[tuple[str, str], str]) -> list[str]:
    """Rank tables by the question's words in their name, columns and values, weighted by how rare a word is."""
    words = set(singularise_words(question))
    names = {name: set(singularise_words(" ".join(split_identifier(name)))) for name in schema.tables}
    columns = {
        name: set(singularise_words(" ".join(word for column in table.columns for word in split_identifier(column))))
        for name, table in schema.tables.items()
    }
    frequency = Counter(word for name in names for word in names[name] | columns[name])
    scores = {}
    for position, (name, stems) in enumerate(names.items()):
        in_name = sum(TABLE_NAME_WEIGHT / frequency[word] ** 0.5 for word in stems & words) / len(stems) ** 0.5
        in_columns = sum(COLUMN_NAME_WEIGHT / frequency[word] for word in columns[name] & words)
        in_values = sum(VALUE_WEIGHT for table, _ in matches if table == name)
        scores[name] = (-(in_name + in_columns + in_values), position)
    relevant = sum(score < -TABLE_NAME_WEIGHT / 2 for score, _ in scores.values())
    return _promote_bridge_tables(schema, sorted(scores, key=lambda name: scores[name]), relevant)


def _promote_bridge_tables(schema: DatabaseSchema, ranked: list[str], relevant: int) -> list[str]:
    """Move tables that join two relevant ones right behind the `relevant` first tables."""
    neighbours: dict[str, set[str]] = {name: set() for name in schema.tables}
    for table, key in schema.iter_foreign_keys():
        neighbours[table.name].add(key.table)
        neighbours.setdefault(key.table, set()).add(table.name)
    heads = ranked[:relevant]
    bridges = [name for name in ranked[relevant:] if len(neighbours[name] & set(heads[:3])) > 1]
    return [*heads, *bridges, *(name for name in ranked[relevant:] if name not in bridges)]


def _render_table_schema(table: TableSchema, schema: DatabaseSchema, matches: dict[tuple[str, str], str]) -> str:
    """Render one table: `orders(id, customer_id -> customers, status 'shipped')`."""
    keys = {key.column: key for key in table.foreign_keys}
    parts = []
    for column in table.columns:
        text = quote_identifier_if_needed(column)
        if key := keys.get(column):
            target = schema.lowered.get(key.table.lower())
            text += f" -> {quote_identifier_if_needed(key.table)}"
            if target is None or target.primary_key != key.target_column:
                text += f".{quote_identifier_if_needed(key.target_column)}"
        if (table.name, column) in matches:
            text += f" '{matches[table.name, column]}'"
        parts.append(text)
    return f"{quote_identifier_if_needed(table.name)}({', '.join(parts)})"
