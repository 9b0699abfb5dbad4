"""Constrained decoding: what is let through, and what is not even begun."""

from pathlib import Path
from random import Random

import pytest
from sql_parts import library

from factory_sql.constrained_decoding import SqlDecodingGuide
from factory_sql.database import open_database

BEGUN = [
    "", "SEL", "SELECT ti", "SELECT title, pri", "SELECT COUNT(*) FR", "SELECT AVG(price) FROM boo",
    "SELECT authors.name FROM books JOIN auth", "SELECT title FROM books WHERE price > 1",
    "SELECT title FROM books WHERE title = 'it''s", "SELECT name FROM authors WHERE id NOT IN (SELECT auth",
]
INVENTED = [
    "DELETE", "```sql", "Here is", "SELECT salary", "SELECT title FROM magaz", "SELECT books.name",
    "SELECT title FROM authors",
    "SELECT title FROM books WHERE country", "SELECT title FROM books WHERE WHERE", "SELECT title name",
    "SELECT authors.name FROM books WHERE", "SELECT (title))",
    "SELECT title FROM books JOIN books", "SELECT title FROM books.",
    "SELECT COUNT title", "SELECT load_ext", "SELECT title  FROM", "SELECT title;",
    "SELECT title FROM books LIMIT pri", "SELECT title FROM books ORDER price",
]
UNFINISHED = [
    "SELECT title", "SELECT COUNT(* FROM books", "SELECT title FROM books WHERE",
    "SELECT title FROM books WHERE title = 'Fj",
    "SELECT title FROM boo", "SELECT authors.name FROM books", "SELECT title FROM books JOIN authors ON",
]


@pytest.fixture
def guide(tmp_path: Path) -> SqlDecodingGuide:
    return SqlDecodingGuide(open_database(library(tmp_path)).schema)


@pytest.mark.parametrize("text", BEGUN)
def test_a_statement_may_begin_so(text: str, guide: SqlDecodingGuide) -> None:
    assert guide(text, False)


@pytest.mark.parametrize("text", INVENTED)
def test_what_the_schema_or_the_language_has_not_is_not_begun(text: str, guide: SqlDecodingGuide) -> None:
    assert not guide(text, False)


@pytest.mark.parametrize("text", UNFINISHED)
def test_it_ends_only_where_it_parses_and_every_name_is_there(text: str, guide: SqlDecodingGuide) -> None:
    assert not guide(text, True)


def test_it_ends_when_it_is_whole(guide: SqlDecodingGuide) -> None:
    assert guide("SELECT title FROM books WHERE price = (SELECT MAX(price) FROM books)", True)
    assert guide("SELECT T1.name FROM authors AS T1 JOIN books AS T2 ON T2.author_id = T1.id GROUP BY T1.name", True)
    assert guide("SELECT title FROM books ORDER BY year DESC, title LIMIT 3", True)


def test_whatever_is_said_the_guide_answers(guide: SqlDecodingGuide) -> None:
    """Random walks over pieces of SQL: no text makes the guide fail, and what it lets end runs."""
    pieces = ["SELECT", " ", "title", "name", ",", "(", ")", "FROM", "books", "authors", ".", "WHERE", "=", "'x'", "3",
              "AS", "JOIN", "ON", "id", "COUNT", "*", "IN", "NOT", "ORDER BY", "DESC", "LIMIT", "T1", "UNION", "-"]
    draw = Random(5)
    ended = 0
    for _ in range(60):
        text = ""
        for _ in range(40):
            on = [piece for piece in draw.sample(pieces, len(pieces)) if guide(text + piece, False)]
            if not on:
                break
            text += on[0]
            ended += guide(text, True)
    assert ended > 10
