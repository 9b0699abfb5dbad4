"""The language of SQL is finite, and a function gets as many arguments as SQLite takes."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sql_parts import SHOP

from factory.api import Grammar
from factory_sql.database import AGGREGATES, FUNCTION_ARITIES, open_database
from factory_sql.sql_grammar import build_sql_grammar

ORDERS = "SELECT {} FROM orders"


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return build_sql_grammar(open_database(SHOP).schema)


@pytest.fixture(scope="module")
def shop() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(Path(SHOP).read_text(encoding="utf-8"))
    return connection


def compiles(shop: sqlite3.Connection, sql: str) -> bool:
    try:
        shop.execute(f"EXPLAIN {sql}")
    except sqlite3.Error:
        return False
    return True


@pytest.mark.parametrize("name", sorted(FUNCTION_ARITIES))
def test_a_function_gets_as_many_arguments_as_it_takes(name: str, grammar: Grammar, shop: sqlite3.Connection) -> None:
    least, most = FUNCTION_ARITIES[name]
    for count in range(10):
        sql = ORDERS.format(f"{name.upper()}({', '.join(['value'] * count)})")
        assert grammar.accepts(sql) == (least <= count <= most), sql
        assert compiles(shop, sql) or not grammar.accepts(sql), sql


def test_distinct_and_star_stand_where_sqlite_takes_them(grammar: Grammar, shop: sqlite3.Connection) -> None:
    for name in FUNCTION_ARITIES:
        distinct, star = (ORDERS.format(f"{name}({inside})") for inside in ("DISTINCT value", "*"))
        assert grammar.accepts(distinct) == (name in AGGREGATES) and grammar.accepts(star) == (name == "count")
        assert all(compiles(shop, sql) for sql in (distinct, star) if grammar.accepts(sql))
        assert not grammar.accepts(ORDERS.format(f"{name}(DISTINCT value, value)"))


@pytest.mark.parametrize(("build", "most"), [
    (lambda number: ORDERS.format("(" * number + "value" + ")" * number), 6),
    (lambda number: ORDERS.format(", ".join(["value"] * number)), 32),
    (lambda number: f"{ORDERS.format('value')} WHERE {' AND '.join(['value > 1'] * number)}", 12),
    (lambda number: f"{ORDERS.format('value')} WHERE id IN ({', '.join(map(str, range(number)))})", 32),
    (lambda number: ORDERS.format("+".join(["value"] * number)), 8),
    (lambda number: " UNION ".join([ORDERS.format("value")] * number), 12),
])
def test_lists_chains_and_brackets_come_to_an_end(build: Callable[[int], str], most: int, grammar: Grammar) -> None:
    assert grammar.accepts(build(most)) and not grammar.accepts_prefix(build(most + 1))


@pytest.mark.parametrize(
    ("sql", "accepted"),
    [
        ("SELECT name FROM customers WHERE id - 1 > 2", True), ("SELECT name FROM customers WHERE id-1 > 2", True),
        ("SELECT name FROM customers WHERE id - -1 > 2", True), ("SELECT name FROM customers WHERE id --1 > 2", False),
        ("SELECT name FROM customers AS c", True), ("SELECT name FROM customers c AS d", False),
    ],
)
def test_no_two_minus_signs_begin_a_comment_and_no_table_has_two_aliases(
    sql: str, accepted: bool, grammar: Grammar
) -> None:
    assert grammar.accepts(sql) == accepted
