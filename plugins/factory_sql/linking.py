"""The schema as a prompt has it: short, and of a large one the tables that the question speaks of."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from factory_sql.database import Database, RefusedError
from factory_sql.facts import quoted
from factory_sql.parse import spelled
from factory_sql.schema import Schema, Table
from factory_sql.words import stems, words

VALUES = 2000
LONGEST = 40
NAMED, HELD, VALUED = 3.0, 1.0, 2.0
"""What a word of the question is worth when it is in a table's name, in a column's, or a value of one."""


def schema_text(database: Database, question: str, tokens: int, values: bool = True) -> str:
    """The tables that matter to a question, within about so many tokens, in the database's order.

    The two that matter most may take twice as many.

    `customers(id, name, city 'Berlin') orders(id, customer_id -> customers)`: an arrow is a key, a text after a column
    is a value of it that the question holds.
    """
    found = matches(database, question) if values else {}
    texts = {name: _text(table, database.schema, found) for name, table in database.schema.tables.items()}
    if sum(map(cost, texts.values())) <= tokens:
        return " ".join(texts.values())
    chosen: set[str] = set()
    spent = 0
    for place, name in enumerate(_ranked(database.schema, question, found)):
        if chosen and spent + cost(texts[name]) > (tokens if place > 1 else 2 * tokens):
            break
        chosen.add(name)
        spent += cost(texts[name])
    return " ".join(text for name, text in texts.items() if name in chosen)


def cost(text: str) -> int:
    """About how many tokens a text has: a piece of a word for every six letters, one for every sign."""
    return sum(1 + (len(part) - 1) // 6 for part in re.findall(r"[A-Za-z]+|\d|[^\w\s]", text))


def matches(database: Database, question: str) -> dict[tuple[str, str], str]:
    """(table, column) → its longest text value that stands in the question as whole words, whatever the case."""
    asked = f" {_spaced(question)} "
    found: dict[tuple[str, str], str] = {}
    for place, value, spaced in texts_of(database):
        if f" {spaced} " in asked and len(value) > len(found.get(place, "")):
            found[place] = value
    return found


def _spaced(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@lru_cache(maxsize=256)
def texts_of(database: Database) -> tuple[tuple[tuple[str, str], str, str], ...]:
    """The text values of a database, each with its table and column, and with nothing but spaces between its words."""
    found = []
    for table in database.schema.tables.values():
        for column in table.columns:
            name = quoted(column)
            sql = f"SELECT DISTINCT {name} FROM {quoted(table.name)} WHERE typeof({name}) = 'text' ORDER BY {name}"
            try:
                values = [value for (value,) in database.run(sql, VALUES).rows]
            except RefusedError:
                values = []
            found += [((table.name, column), value, _spaced(value)) for value in values
                      if 1 < len(value) <= LONGEST and re.search("[^\\W\\d]", value)]
    return tuple(found)


def _ranked(schema: Schema, question: str, found: dict[tuple[str, str], str]) -> list[str]:
    """Tables, the most spoken of first; a word that many tables have says little of each."""
    asked = set(stems(question))
    names = {name: set(stems(" ".join(words(name)))) for name in schema.tables}
    held = {name: {stem for column in table.columns for stem in stems(" ".join(words(column)))}
            for name, table in schema.tables.items()}
    common = Counter(word for name in names for word in names[name] | held[name])
    scores = {}
    for place, name in enumerate(schema.tables):
        named = sum(NAMED / common[word] ** 0.5 for word in names[name] & asked) / len(names[name]) ** 0.5
        inside = sum(HELD / common[word] for word in held[name] & asked)
        valued = sum(VALUED for table, _ in found if table == name)
        scores[name] = (-(named + inside + valued), place)
    ranked = sorted(scores, key=lambda name: scores[name])
    return _bridged(schema, ranked, sum(1 for name in ranked if scores[name][0] < -NAMED / 2))


def _bridged(schema: Schema, ranked: list[str], spoken: int) -> list[str]:
    """The ranking with a table that joins two spoken-of ones right after them."""
    near: dict[str, set[str]] = {name: set() for name in schema.tables}
    for table, key in schema.links():
        near[table.name].add(key.table)
        near.setdefault(key.table, set()).add(table.name)
    heads = ranked[:spoken]
    bridges = [name for name in ranked[spoken:] if len(near[name] & set(heads[:3])) > 1]
    return [*heads, *bridges, *(name for name in ranked[spoken:] if name not in bridges)]


def _text(table: Table, schema: Schema, found: dict[tuple[str, str], str]) -> str:
    """One table: `orders(id, customer_id -> customers, status 'shipped')`."""
    keys = {key.column: key for key in table.keys}
    parts = []
    for column in table.columns:
        text = spelled(column)
        if column in keys:
            key = keys[column]
            target = schema.table(key.table)
            whole = target is None or target.primary != key.target
            text += f" -> {spelled(key.table)}{f'.{spelled(key.target)}' if whole else ''}"
        if (table.name, column) in found:
            text += f" '{found[table.name, column]}'"
        parts.append(text)
    return f"{spelled(table.name)}({', '.join(parts)})"
