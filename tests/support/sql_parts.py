"""A small database and what the SQL tests make of it."""

from pathlib import Path

from places import ROOT

from factory.api import Job, NoOpReporter, Row, RowsJob

SHOP = ROOT / "specs" / "sql-generator" / "shop.sql"
LIBRARY = """\
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER REFERENCES authors, price REAL, year INTEGER);
INSERT INTO authors VALUES (1, 'Ada Berg', 'Norway'), (2, 'Omar Sato', 'Japan'), (3, 'Rosa Vidal', 'Spain');
INSERT INTO books VALUES (1, 'Fjord', 1, 12.5, 2001), (2, 'Delta', 1, 8.0, 2010), (3, 'Quartz', 2, 20.0, 2010);
"""


def library(folder: Path) -> Path:
    """The script of two tables, in a folder."""
    path = folder / "library.sql"
    path.write_text(LIBRARY)
    return path


def gathered(source, root: Path) -> tuple[list[Row], dict[str, dict[str, Row]]]:
    """What a source gives: rows, and side tables."""
    rows = list(source.iter_rows(Job(7, NoOpReporter(), root)))
    tables: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.table:
            tables.setdefault(row.table, {})[row.id] = row
    return [row for row in rows if not row.table], tables


def prepared(task, rows: list[Row], tables: dict[str, dict[str, Row]], root: Path) -> list[Row]:
    """The rows as the task completes them."""
    return list(task.prepare(RowsJob(seed=7, report=NoOpReporter(), root=root, tables=tables, rows=rows, task=task)))
