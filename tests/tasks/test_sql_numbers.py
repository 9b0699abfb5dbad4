"""Equal results and equal statements: numbers of both kinds, long results, the case of texts, what a gold may call."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from factory.api import Job, NoOpReporter
from factory_sql import database as limits
from factory_sql import guard
from factory_sql.canonical_sql import canonicalise_sql, is_same_statement
from factory_sql.database import QueryRefusedError, SqliteDatabase, open_database
from factory_sql.execution_accuracy import judge_sql
from factory_sql.query_results import has_same_rows
from factory_sql.sources import SqlPairSource

NUMBERS = [
    ("SELECT 1234567", "SELECT 1234567.0", 1),
    ("SELECT 999999", "SELECT 999999.0", 1),
    ("SELECT sum(i) FROM n", "SELECT total(i) FROM n", 1),
    ("SELECT 1234567.0", "SELECT 1234571.0", 0),
    ("SELECT 1000000.25", "SELECT 1000003.75", 0),
    ("SELECT 0.1 + 0.2", "SELECT 0.3", 1),
    ("SELECT 1234567890123456789", "SELECT 1234567890123456788", 0),
    ("SELECT 12345678901234", "SELECT 12345678901234.0", 1),
    ("SELECT 1", "SELECT '1'", 0),
    ("SELECT 1.0", "SELECT NULL", 0),
    ("SELECT 7, 0", "SELECT 7, 1e-12", 1),
    ("SELECT 2.5, 'a' UNION ALL SELECT 3, 'b'", "SELECT 3.0, 'b' UNION ALL SELECT 2.5, 'a'", 1),
    ("SELECT 2.5, 'a' UNION ALL SELECT 3, 'b'", "SELECT 3.0, 'a' UNION ALL SELECT 2.5, 'b'", 0),
    ("SELECT 0.1234567890125 UNION ALL SELECT 7", "SELECT 7 UNION ALL SELECT 0.12345678901249999", 1),
]
LONG = [
    ("SELECT id FROM big WHERE id < 3000", "SELECT id FROM big WHERE id < 4000", 0),
    ("SELECT s FROM big", "SELECT s FROM big ORDER BY id DESC", 1),
    ("SELECT id FROM big ORDER BY id", "SELECT id FROM big ORDER BY id DESC", 0),
    ("SELECT id FROM big", "SELECT id FROM big WHERE id < 4999", 0),
    ("SELECT id FROM big WHERE id < 10", "SELECT id FROM big", 0),
    ("SELECT id FROM big", "SELECT id + (id = 4000) FROM big", 0),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("db") / "numbers.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript("""
            CREATE TABLE n (i INTEGER, day TEXT); INSERT INTO n VALUES (1234500, '2024-02-29'), (67, 'now');
            CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (5, 'Ann'), (9, 'bob');
            CREATE TABLE big (id INTEGER, s TEXT);
            WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < 4999)
            INSERT INTO big SELECT i, 's' || i FROM k;
        """)
    return path


@pytest.fixture
def numbers(path: Path) -> SqliteDatabase:
    return open_database(path)


@pytest.mark.parametrize(("gold", "said", "met"), [*NUMBERS, *LONG])
def test_results_are_equal_as_evaluators_of_the_field_say(gold: str, said: str, met: int, path: Path) -> None:
    judged = judge_sql(path, gold, said)
    assert (judged.execution, judged.valid) == (met, 1)


def test_a_cut_result_equals_nothing(numbers: SqliteDatabase) -> None:
    cut = numbers.run("SELECT id FROM big", 10)
    assert cut.truncated and not has_same_rows(cut, cut, False)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("SELECT id FROM people WHERE name = 'Ann'", "select ID from People where NAME = 'Ann'", True),
    ("SELECT id FROM people WHERE name = 'Ann'", "SELECT id FROM people WHERE name = 'ann'", False),
    ("SELECT id FROM people WHERE name = 'It''s Ann'", "SELECT ID FROM people WHERE name = 'It''s Ann'", True),
    ('SELECT id FROM people WHERE name = "Ann"', "SELECT id FROM people WHERE name = 'ANN'", False),
    ('SELECT id AS "The Id" FROM people', 'SELECT id AS "the id" FROM people', True),
])
def test_exact_ignores_the_case_of_names_and_not_of_texts(
    one: str, other: str, same: bool, numbers: SqliteDatabase
) -> None:
    assert is_same_statement(one, other, numbers.schema) == same


@pytest.mark.parametrize(("sql", "rows"), [
    ("SELECT rowid FROM people WHERE name = 'bob'", ((9,),)),
    ("SELECT P._rowid_ FROM people AS P JOIN n ON n.i = 67 AND P.id = 5", ((5,),)),
    ("SELECT main.people.name FROM main.people WHERE main.people.id = 5", (("Ann",),)),
    ("SELECT json_extract('{\"a\": [1, 2]}', '$.a[1]')", ((2,),)),
    ("SELECT printf('%.2f', 2.5), format('%d', 7), hex('A'), quote('a'), char(65), unicode('A'), sign(-3)",
     (("2.50", "7", "41", "'a'", "A", 65, -1),)),
    ("SELECT percent_rank() OVER (ORDER BY id), nth_value(name, 1) OVER (ORDER BY id) FROM people",
     ((0.0, "Ann"), (1.0, "Ann"))),
    ("SELECT unixepoch('2024-02-29'), date(day), strftime('%Y', day) FROM n LIMIT 1",
     ((1709164800, "2024-02-29", "2024"),)),
    ("SELECT date('2024-01-31', '+1 month'), julianday('2000-01-01')", (("2024-03-02", 2451544.5),)),
])
def test_a_gold_may_call_what_is_deterministic(sql: str, rows: object, path: Path) -> None:
    assert guard.run_guarded_sql(sql, open_database(path)).rows == rows
    assert judge_sql(path, sql, canonicalise_sql(sql, open_database(path).schema)).execution == 1


@pytest.mark.parametrize("sql", [
    "SELECT date('now')", "SELECT julianday('NOW')", "SELECT date()", "SELECT time('now', '-1 day')",
    "SELECT strftime('%Y', 'now')", "SELECT strftime('%s')", "SELECT datetime(0, 'unixepoch', 'localtime')",
    "SELECT CURRENT_DATE", "SELECT CURRENT_TIMESTAMP", "SELECT i FROM n WHERE day < date('now', '-1 year')",
    "SELECT date('n' || 'ow')", "SELECT date(day) FROM n", "SELECT unixepoch('now')",
])
def test_no_result_changes_with_the_day(sql: str, numbers: SqliteDatabase) -> None:
    with pytest.raises(QueryRefusedError, match="reads the clock or the time zone"):
        guard.run_guarded_sql(sql, numbers)


def test_random_stays_refused(numbers: SqliteDatabase) -> None:
    with pytest.raises(QueryRefusedError, match="function not allowed: random"):
        guard.run_guarded_sql("SELECT random()", numbers)


def double(text: str, times: int) -> str:
    """An expression of a long string by nested `replace`: each level makes it ten times as long."""
    for _ in range(times):
        text = f"replace({text}, 'a', 'aaaaaaaaaa')"
    return text


def test_a_function_on_long_strings_does_not_outrun_the_clock(
    numbers: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(QueryRefusedError, match="too big"):
        guard.run_guarded_sql(f"SELECT instr({double(repr('a' * 9), 5)}, 'b')", numbers)
    monkeypatch.setattr(limits, "MAX_QUERY_SECONDS", 0.5)
    haystack, needle = double("'aaaaaa'", 4), double("'aaa'", 4)
    columns = ", ".join(f"instr(h, n || 'b{number}' || k)" for number in range(150))
    attack = f"WITH w AS (SELECT {haystack} AS h, {needle} AS n) SELECT {columns} FROM w, (SELECT id AS k FROM big)"
    started = time.process_time()
    with pytest.raises(QueryRefusedError, match="too long"):
        guard.run_guarded_sql(attack, numbers)
    assert time.process_time() - started < 15  # without the limits: an hour


def test_a_large_result_is_refused_while_it_is_fetched(numbers: SqliteDatabase) -> None:
    columns = ", ".join(f"x || {number}" for number in range(50))
    with pytest.raises(QueryRefusedError, match="the result is larger than 16 MB"):
        guard.run_guarded_sql(f"SELECT {columns} FROM (SELECT {double(repr('a' * 9), 4)} AS x), big", numbers)


def test_sqlite_takes_a_gibibyte_at_most(numbers: SqliteDatabase) -> None:
    assert numbers.schema and sqlite3.connect(":memory:").execute("PRAGMA hard_heap_limit").fetchone() == (2**30,)


def test_a_long_statement_is_refused_before_it_is_parsed(numbers: SqliteDatabase) -> None:
    for sql in ("SELECT " + " OR ".join(["1"] * 20_000), f"SELECT 1 IN ({', '.join(['1'] * 100_000)})"):
        with pytest.raises(QueryRefusedError, match="longer than 20000 characters"):
            guard.run_guarded_sql(sql, numbers)
        with pytest.raises(QueryRefusedError, match="longer than 20000 characters"):
            numbers.run(sql)


def test_the_source_leaves_out_what_can_not_be_judged(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_COMPARED_ROWS", 4000)
    golds = ["SELECT id FROM big", "SELECT date('now')", "SELECT id FROM big WHERE id < 3000"]
    lines = (json.dumps({"question": "which?", "sql": sql, "db": "numbers"}) + "\n" for sql in golds)
    (tmp_path / "pairs.jsonl").write_text("".join(lines))
    for canonical in (True, False):
        source = SqlPairSource(file=tmp_path / "pairs.jsonl", databases=path, canonical=canonical)
        rows = [row for row in source.iter_rows(Job(7, NoOpReporter(), Path("/"))) if not row.table]
        assert [row["sql"] for row in rows] == golds[2:]
