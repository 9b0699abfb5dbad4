"""What counts as the same answer, and what the eval makes of many."""

from pathlib import Path

import pytest
from sql_parts import library

from factory.api import Answer, NoOpReporter, Provenance, Row, ScoreJob
from factory_sql.database import open_database
from factory_sql.databases_table import build_database_row
from factory_sql.execution_accuracy import ExecutionAccuracy

SAME = [
    ("SELECT title FROM books", "SELECT title FROM books ORDER BY price DESC", 1),
    ("SELECT title FROM books ORDER BY price", "SELECT title FROM books ORDER BY price DESC", 0),
    ("SELECT title FROM books ORDER BY price", "SELECT title FROM books ORDER BY year * 100 + price", 0),
    ("SELECT author_id FROM books", "SELECT DISTINCT author_id FROM books", 0),
    ("SELECT year FROM books", "SELECT year FROM books WHERE id > 0", 1),
    ("SELECT COUNT(*) FROM books", "SELECT COUNT(*) * 1.0 FROM books", 1),
    ("SELECT title, year FROM books", "SELECT year, title FROM books", 0),
    ("SELECT title FROM books", "SELECT titel FROM books", 0),
    ("SELECT title FROM books", "The books are Fjord and Delta.", 0),
    ("SELECT title FROM books WHERE price > 99", "SELECT name FROM authors WHERE id > 99", 0),
]


def job(folder: Path, pairs: list[tuple[str, str]]) -> ScoreJob:
    path = library(folder)
    rows = [Row(f"r{n}", {"question": "?", "sql": gold, "db": "library"}, Provenance("t"))
            for n, (gold, _) in enumerate(pairs)]
    answers = {f"r{n}": Answer(f"r{n}", said) for n, (_, said) in enumerate(pairs)}
    tables = {"databases": {"library": build_database_row("library", Path(path.name), open_database(path), "")}}
    return ScoreJob(seed=7, report=NoOpReporter(), root=folder, tables=tables, rows=rows, answers=answers)


@pytest.mark.parametrize(("gold", "said", "met"), SAME, ids=range(len(SAME)))
def test_results_are_equal_as_multisets_and_in_order_where_the_gold_orders(
    gold: str, said: str, met: int, tmp_path: Path
) -> None:
    (scores,) = ExecutionAccuracy().score(job(tmp_path, [(gold, said)]))
    assert scores.values["execution"] == met


NOTHING = [
    ("SELECT title FROM books WHERE price > 99", "SELECT title FROM books WHERE 99 < books.price", 1),
    ("SELECT title FROM books WHERE price > 99", "SELECT title FROM books WHERE price = 99", 1),
    ("SELECT title FROM books WHERE price > 99", "SELECT title FROM books WHERE price > 98", 0),
    ("SELECT title FROM books WHERE price > 99", "SELECT title FROM books WHERE 0", 0),
    ("SELECT title FROM books WHERE title = 'Ada'", "SELECT B.title FROM books AS B WHERE B.title IN ('Ada')", 1),
    ("SELECT title FROM books WHERE title = 'Ada'", "SELECT title FROM books WHERE title = 'ada'", 0),
    ("SELECT COUNT(*) FROM books WHERE year = 1999", "SELECT COUNT(*) FROM books WHERE 0", 0),
    ("SELECT COUNT(*) FROM books WHERE year = 1999", "SELECT COUNT(id) FROM books WHERE year = 1999", 1),
    ("SELECT COUNT(*) FROM books WHERE year = 1999", "SELECT COUNT(*) FROM books WHERE year = 1999.0", 1),
    ("SELECT MAX(price) FROM books WHERE year = 1999", "SELECT NULL", 0),
    (
        "SELECT name FROM authors WHERE id IN (SELECT author_id FROM books WHERE price > 99)",
        "SELECT name FROM authors JOIN books ON authors.id = author_id WHERE price > 99", 1,
    ),
]


@pytest.mark.parametrize(("gold", "said", "met"), NOTHING, ids=range(len(NOTHING)))
def test_where_the_gold_finds_nothing_only_what_names_as_much_is_right(
    gold: str, said: str, met: int, tmp_path: Path
) -> None:
    work = job(tmp_path, [(gold, said), (gold, gold)])
    assert [scores.values["execution"] for scores in ExecutionAccuracy().score(work)] == [met, 1]
    assert ExecutionAccuracy().compute_totals(work)["empty_gold"] == 2


def test_an_empty_gold_is_counted_apart(tmp_path: Path) -> None:
    work = job(tmp_path, [SAME[-1][:2], SAME[0][:2], SAME[7][:2]])
    assert ExecutionAccuracy().compute_totals(work) == {"empty_gold": 1, "execution_nonempty": 0.5}


def test_valid_and_exact_stand_beside_execution(tmp_path: Path) -> None:
    said = "select T1.Title from Books T1 where T1.price > 10;"
    gold = "SELECT title FROM books WHERE price > 10"
    work = job(tmp_path, [(gold, said), (gold, "DROP TABLE books")])
    first, second = ExecutionAccuracy().score(work)
    assert first.values == {"execution": 1, "valid": 1, "exact": 1}
    assert second.values == {"execution": 0, "valid": 0, "exact": 0}


def test_tables_tell_constructs_and_reasons(tmp_path: Path) -> None:
    work = job(tmp_path, [("SELECT MAX(price) FROM books", "SELECT MAX(cost) FROM books"),
                          ("SELECT year FROM books GROUP BY year", "SELECT year FROM books GROUP BY 1")])
    tables = ExecutionAccuracy().build_tables(work)
    assert [line["construct"] for line in tables["constructs"]] == ["group", "simple"]
    assert tables["refused"] == [{"reason": "no such column", "rows": 1}]
    with pytest.raises(ValueError, match="the reference query"):
        list(ExecutionAccuracy().score(job(tmp_path, [("SELECT nothing FROM books", "SELECT 1")])))
