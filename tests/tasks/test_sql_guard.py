"""A dozen ways to do harm with SQL, or to ask for what is not there; none gets past the guard."""

import sqlite3
from pathlib import Path

import pytest
from sql_parts import LIBRARY, SHOP, library

from factory_sql import guard
from factory_sql.database import QueryRefusedError, SqliteDatabase, open_database

BOMB = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
ATTACKS = {
    "DELETE FROM books": "DELETE",
    "UPDATE books SET price = 0": "UPDATE",
    "INSERT INTO books VALUES (9, 'x', 1, 1, 1)": "INSERT",
    "DROP TABLE books": "DROP",
    "CREATE TABLE more AS SELECT * FROM books": "CREATE",
    "PRAGMA query_only = OFF": "PRAGMA",
    "ATTACH DATABASE '/tmp/other.db' AS other": "ATTACH",
    "VACUUM INTO '/tmp/copy.db'": "SELECT is allowed",
    "SELECT 1; DROP TABLE books": "expected one statement, got 2",
    "WITH gone AS (DELETE FROM books RETURNING *) SELECT * FROM gone": "reading",
    "SELECT load_extension('/tmp/evil.so')": "load_extension",
    "SELECT writefile('/tmp/x', 'y')": "writefile",
    "SELECT randomblob(1000000000)": "randomblob",
    "SELECT sql FROM sqlite_master": "no such table: sqlite_master",
    "SELECT name FROM pragma_table_info('books')": "no such table",
    "SELECT salary FROM authors": "no such column: salary",
    "SELECT books.name FROM books": "no such column: books.name",
    "SELECT authors.name FROM books": "not in FROM: authors",
    "SELECT title FROM magazines": "no such table: magazines",
    "SELEC title FROM books": "",
    "": "expected one statement, got none",
}


@pytest.fixture
def books(tmp_path: Path) -> SqliteDatabase:
    return open_database(library(tmp_path))


@pytest.mark.parametrize("sql", ATTACKS, ids=lambda sql: sql[:30] or "nothing")
def test_the_guard_refuses_with_the_reason_in_one_line(sql: str, books: SqliteDatabase) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        guard.run_guarded_sql(sql, books)
    assert ATTACKS[sql] in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("sql", [sql for sql in ATTACKS if sql and not sql.startswith("SELECT")])
def test_the_connection_refuses_by_itself_what_the_guard_might_miss(sql: str, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(LIBRARY)
    before = path.read_bytes()
    with pytest.raises(QueryRefusedError):
        open_database(path).run(sql)
    assert path.read_bytes() == before


def test_a_statement_that_never_ends_is_stopped_at_the_same_step(books: SqliteDatabase) -> None:
    with pytest.raises(QueryRefusedError, match="too long"):
        guard.run_guarded_sql(BOMB, books)
    assert guard.run_guarded_sql(BOMB.replace("FROM n) S", "FROM n WHERE i < 500) S"), books).rows == ((500,),)


def test_a_huge_result_is_cut_at_the_limit(books: SqliteDatabase) -> None:
    result = guard.run_guarded_sql(
        "SELECT a.id FROM books AS a CROSS JOIN books AS b CROSS JOIN books AS c", books, rows=10
    )
    assert len(result.rows) == 10 and result.truncated


def test_what_only_reads_passes(books: SqliteDatabase) -> None:
    said = "```sql\nSELECT b.title FROM books b JOIN authors a ON b.author_id = a.id WHERE a.country = \"Norway\";\n```"
    assert {title for (title,) in guard.run_guarded_sql(said, books).rows} == {"Fjord", "Delta"}
    nested = "SELECT name FROM authors WHERE NOT EXISTS (SELECT 1 FROM books WHERE books.author_id = authors.id)"
    assert guard.run_guarded_sql(nested, books).rows == (("Rosa Vidal",),)
    common = "WITH dear AS (SELECT title AS t FROM books WHERE price > 10) SELECT t FROM dear ORDER BY t"
    assert guard.run_guarded_sql(common, books).rows == (("Fjord",), ("Quartz",))
    assert guard.run_guarded_sql("SELECT RANK() OVER (ORDER BY price) FROM books", books).rows == ((1,), (2,), (3,))


def test_a_script_opens_no_other_file(tmp_path: Path) -> None:
    script = tmp_path / "sly.sql"
    script.write_text(f"ATTACH '{tmp_path / 'other.db'}' AS other; CREATE TABLE other.t (a);")
    with pytest.raises(ValueError, match=r"sly\.sql"):
        open_database(script)
    assert not (tmp_path / "other.db").exists()
    assert open_database(SHOP).schema.tables["orders"].foreign_keys[0].table == "customers"
