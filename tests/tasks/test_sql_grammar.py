"""The grammar, on the shop and on a database without a single declared key."""

import runpy
import sqlite3
from pathlib import Path

import pytest
from sql_parts import ROOT, SHOP, library

from factory_sql import guard
from factory_sql.canonical import canonical, construct, same
from factory_sql.database import Database, RefusedError, database
from factory_sql.grammar import SHAPES, pairs
from factory_sql.guide import SqlGuide
from factory_sql.linking import cost, schema_text
from factory_sql.words import plural, said, singular


@pytest.fixture(scope="module")
def shop() -> Database:
    return database(SHOP)


def test_the_shop_is_what_its_script_writes(tmp_path: Path) -> None:
    module = runpy.run_path(str(ROOT / "specs" / "sql-generator" / "make_shop.py"))
    module["main"](tmp_path / "shop.sql")
    assert (tmp_path / "shop.sql").read_bytes() == SHOP.read_bytes()


def test_the_same_seed_writes_the_same_questions(shop: Database) -> None:
    first = list(pairs(shop, 200, "a"))
    assert first == list(pairs(shop, 200, "a")) != list(pairs(shop, 200, "b"))
    assert len({pair.sql for pair in first}) == len({pair.question for pair in first}) == 200


def test_every_statement_runs_has_an_answer_and_is_in_the_one_style(shop: Database) -> None:
    made = list(pairs(shop, 600, "c"))
    for pair in made:
        assert guard.run(pair.sql, shop).rows, pair
        assert canonical(pair.sql, shop.schema) == pair.sql
        assert construct(pair.sql) == pair.construct
    assert {pair.construct for pair in made} == set(SHAPES)


def test_decoding_may_write_every_statement_of_the_grammar_token_by_token(shop: Database) -> None:
    guide = SqlGuide(shop.schema)
    for pair in pairs(shop, 150, "d"):
        refused = [end for end in range(len(pair.sql) + 1) if not guide(pair.sql[:end], False)]
        assert not refused, pair.sql[: refused[0]]
        assert guide(pair.sql, True)


def test_keys_that_nobody_declared_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plain.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(library(tmp_path).read_text().replace(" REFERENCES authors", ""))
    schema = database(path).schema
    assert [(table.name, key.column, key.table, key.guessed) for table, key in schema.links()] == [
        ("books", "author_id", "authors", True)
    ]
    assert any("JOIN" in pair.sql for pair in pairs(database(path), 40, "e"))


def test_sql_of_people_is_brought_into_one_style(tmp_path: Path) -> None:
    schema = database(library(tmp_path)).schema
    theirs = 'select T2.NAME from Books as T1 inner join authors T2 on T1.author_id=T2.id where t1.title != "Fjord"'
    ours = "SELECT authors.name FROM books JOIN authors ON books.author_id = authors.id WHERE books.title <> 'Fjord'"
    assert canonical(theirs, schema) == ours and same(theirs, ours, schema)
    twice = "SELECT a.title FROM books AS a JOIN books AS b ON a.year = b.year WHERE b.title = 'Delta'"
    assert canonical(twice, schema) == twice
    said = canonical("select title from books where id not in (select 1) and year is not null order by id asc", schema)
    assert said == "SELECT title FROM books WHERE id NOT IN (SELECT 1) AND year IS NOT NULL ORDER BY id"
    with pytest.raises(RefusedError):
        canonical("select title from magazines", schema)


def test_a_prompt_has_the_tables_that_are_asked_about(shop: Database) -> None:
    text = schema_text(shop, "How many orders of customers in Berlin are pending?", 60)
    assert text.startswith("customers(id, name, email, city 'Berlin', country") and "status 'pending'" in text
    assert cost(text) <= 60 and "employees(" not in text
    assert "order_items(id, order_id -> orders" in schema_text(shop, "anything", 1000)


def test_names_are_said_as_people_say_them() -> None:
    assert said("OrderDate") == said("order_date") == "order date"
    assert [plural(word) for word in ("city", "status", "box", "person", "orders", "day")] == [
        "cities", "statuses", "boxes", "people", "orders", "days"
    ]
    assert [singular(word) for word in ("cities", "boxes", "address", "reviews", "people")] == [
        "city", "box", "address", "review", "person"
    ]
