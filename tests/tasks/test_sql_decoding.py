"""Constrained decoding: what is let through, and what is not even begun."""

from pathlib import Path
from random import Random

import pytest
from sql_parts import library

from factory.api import Grammar
from factory_sql.database import open_database
from factory_sql.schema import DatabaseSchema, TableSchema
from factory_sql.sql_grammar import build_sql_grammar
from factory_sql.sql_parser import parse_select

BEGUN = [
    "", "SEL", "SELECT ti", "SELECT title, pri", "SELECT COUNT(*) FR", "SELECT AVG(price) FROM boo",
    "SELECT authors.name FROM books JOIN auth", "SELECT title FROM books WHERE price > 1",
    "SELECT title FROM books WHERE title = 'it''s", "SELECT name FROM authors WHERE id NOT IN (SELECT auth",
]
INVENTED = [
    "DELETE", "```sql", "Here is", "SELECT salary", "SELECT title FROM magaz", "SELECT books.name",
    "SELECT title FROM books WHERE country", "SELECT title FROM books WHERE WHERE", "SELECT title name",
    "SELECT authors.name FROM books WHERE", "SELECT (title))",
    "SELECT title FROM books.", "SELECT title FROM books OR JOIN", "SELECT title AS from F", "sElEcT",
    "SELECT COUNT title", "SELECT load_ext", "SELECT title  FROM", "SELECT title;",
    "SELECT title FROM books LIMIT pri", "SELECT title FROM books ORDER price",
]
UNFINISHED = [
    "SELECT title", "SELECT COUNT(* FROM books", "SELECT title FROM books WHERE",
    "SELECT title FROM books WHERE title = 'Fj",
    "SELECT title FROM boo", "SELECT title FROM authors", "SELECT authors.name FROM books",
    "SELECT title FROM books JOIN authors ON",
]


@pytest.fixture
def grammar(tmp_path: Path) -> Grammar:
    return build_sql_grammar(open_database(library(tmp_path)).schema)


@pytest.mark.parametrize("text", BEGUN)
def test_a_statement_may_begin_so(text: str, grammar: Grammar) -> None:
    assert grammar.accepts_prefix(text)


@pytest.mark.parametrize("text", INVENTED)
def test_what_the_schema_or_the_language_has_not_is_not_begun(text: str, grammar: Grammar) -> None:
    assert not grammar.accepts_prefix(text)


@pytest.mark.parametrize("text", UNFINISHED)
def test_it_ends_only_where_it_parses_and_every_name_is_there(text: str, grammar: Grammar) -> None:
    assert not grammar.accepts(text)


@pytest.mark.parametrize("text", [
    "SELECT title FROM books WHERE price = (SELECT MAX(price) FROM books)",
    "SELECT T1.name FROM authors AS T1 JOIN books AS T2 ON T2.author_id = T1.id GROUP BY T1.name",
    "SELECT title FROM books ORDER BY year DESC, title LIMIT 3",
    "select count(*) from books where title like '%it''s%';",
    "SELECT name FROM authors WHERE NOT EXISTS (SELECT 1 FROM books WHERE books.author_id = authors.id)",
])
def test_it_ends_when_it_is_whole(text: str, grammar: Grammar) -> None:
    assert grammar.accepts(text) and parse_select(text.rstrip(";"))


def test_whatever_is_written_parses(grammar: Grammar) -> None:
    """Random walks over pieces of SQL: what the grammar lets end is a statement."""
    pieces = ["SELECT", " ", "title", "name", ",", "(", ")", "FROM", "books", "authors", ".", "WHERE", "=", "'x'", "3",
              "AS", "JOIN", "ON", "id", "COUNT", "*", "IN", "NOT", "ORDER BY", "DESC", "LIMIT", "T1", "UNION", "-"]
    draw = Random(5)
    ended = 0
    for _ in range(60):
        text = ""
        for _ in range(40):
            on = [piece for piece in draw.sample(pieces, len(pieces)) if grammar.accepts_prefix(text + piece)]
            if not on:
                break
            text += on[0]
            if grammar.accepts(text):
                assert parse_select(text), text
                ended += 1
    assert ended > 10


def test_names_that_need_quotes_get_them() -> None:
    table = TableSchema("order details", {"Unit Price": "REAL", "group": "TEXT", "größe": "REAL"})
    grammar = build_sql_grammar(DatabaseSchema({"order details": table}))
    assert grammar.accepts('SELECT "Unit Price", größe FROM "order details" WHERE "group" IS NOT NULL')
    assert not grammar.accepts_prefix("SELECT group,")
