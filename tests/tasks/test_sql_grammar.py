"""The grammar, on the shop and on a database without a single declared key."""

import runpy
import sqlite3
from pathlib import Path

import pytest
from sql_parts import ROOT, SHOP, library

from factory_sql import guard
from factory_sql.canonical_sql import canonicalise_sql, classify_construct, is_same_statement
from factory_sql.database import QueryRefusedError, SqliteDatabase, open_database
from factory_sql.identifiers import pluralise_word, singularise_word, verbalise_identifier
from factory_sql.question_grammar import TEMPLATES_BY_CONSTRUCT, generate_sql_pairs
from factory_sql.schema_linking import estimate_schema_tokens, render_schema_prompt
from factory_sql.sql_grammar import build_sql_grammar


@pytest.fixture(scope="module")
def shop() -> SqliteDatabase:
    return open_database(SHOP)


def test_the_shop_is_what_its_script_writes(tmp_path: Path) -> None:
    module = runpy.run_path(str(ROOT / "specs" / "sql-generator" / "make_shop.py"))
    module["main"](tmp_path / "shop.sql")
    assert (tmp_path / "shop.sql").read_bytes() == SHOP.read_bytes()


def test_the_same_seed_writes_the_same_questions(shop: SqliteDatabase) -> None:
    first = list(generate_sql_pairs(shop, 200, "a"))
    assert first == list(generate_sql_pairs(shop, 200, "a")) != list(generate_sql_pairs(shop, 200, "b"))
    assert len({pair.sql for pair in first}) == len({pair.question for pair in first}) == 200


def test_every_statement_runs_has_an_answer_and_is_in_the_one_style(shop: SqliteDatabase) -> None:
    made = list(generate_sql_pairs(shop, 600, "c"))
    for pair in made:
        assert guard.run_guarded_sql(pair.sql, shop).rows, pair
        assert canonicalise_sql(pair.sql, shop.schema) == pair.sql
        assert classify_construct(pair.sql) == pair.construct
    assert {pair.construct for pair in made} == set(TEMPLATES_BY_CONSTRUCT)


def test_decoding_may_write_every_statement_of_the_grammar_token_by_token(shop: SqliteDatabase) -> None:
    grammar = build_sql_grammar(shop.schema)
    for pair in generate_sql_pairs(shop, 150, "d"):
        refused = [end for end in range(len(pair.sql) + 1) if not grammar.accepts_prefix(pair.sql[:end])]
        assert not refused, pair.sql[: refused[0]]
        assert grammar.accepts(pair.sql)


def test_keys_that_nobody_declared_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plain.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(library(tmp_path).read_text().replace(" REFERENCES authors", ""))
    schema = open_database(path).schema
    assert [(table.name, key.column, key.table, key.guessed) for table, key in schema.iter_foreign_keys()] == [
        ("books", "author_id", "authors", True)
    ]
    assert any("JOIN" in pair.sql for pair in generate_sql_pairs(open_database(path), 40, "e"))


def test_sql_of_people_is_brought_into_one_style(tmp_path: Path) -> None:
    schema = open_database(library(tmp_path)).schema
    theirs = 'select T2.NAME from Books as T1 inner join authors T2 on T1.author_id=T2.id where t1.title != "Fjord"'
    ours = "SELECT authors.name FROM books JOIN authors ON books.author_id = authors.id WHERE books.title <> 'Fjord'"
    assert canonicalise_sql(theirs, schema) == ours and is_same_statement(theirs, ours, schema)
    twice = "SELECT a.title FROM books AS a JOIN books AS b ON a.year = b.year WHERE b.title = 'Delta'"
    assert canonicalise_sql(twice, schema) == twice
    said = canonicalise_sql(
        "select title from books where id not in (select 1) and year is not null order by id asc", schema
    )
    assert said == "SELECT title FROM books WHERE id NOT IN (SELECT 1) AND year IS NOT NULL ORDER BY id"
    with pytest.raises(QueryRefusedError):
        canonicalise_sql("select title from magazines", schema)


def test_a_prompt_has_the_tables_that_are_asked_about(shop: SqliteDatabase) -> None:
    text = render_schema_prompt(shop, "How many orders of customers in Berlin are pending?", 60)
    assert text.startswith("customers(id, name, email, city 'Berlin', country") and "status 'pending'" in text
    assert estimate_schema_tokens(text) <= 60 and "employees(" not in text
    assert "order_items(id, order_id -> orders" in render_schema_prompt(shop, "anything", 1000)


def test_names_are_said_as_people_say_them() -> None:
    assert verbalise_identifier("OrderDate") == verbalise_identifier("order_date") == "order date"
    assert [pluralise_word(word) for word in ("city", "status", "box", "person", "orders", "day")] == [
        "cities", "statuses", "boxes", "people", "orders", "days"
    ]
    assert [singularise_word(word) for word in ("cities", "boxes", "address", "reviews", "people")] == [
        "city", "box", "address", "review", "person"
    ]
