"""Sources of questions with SQL: files of human questions, and the question grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, RowsJob, Source, SpecBlock, Synthesizer, read_numbered_jsonl
from factory_sql import guard
from factory_sql.database import MAX_COMPARED_ROWS, QueryRefusedError, SqliteDatabase, open_database
from factory_sql.databases_table import DATABASES_TABLE, build_database_row, locate_database, open_row_database
from factory_sql.draft_pairs import draft_pair_fields, is_database_file
from factory_sql.query_results import has_same_rows
from factory_sql.question_grammar import CONSTRUCT_SHARES, QuestionSqlPair, generate_sql_pairs


class ConstructShares(SpecBlock):
    """Relative weight of each construct."""

    simple: float = Field(CONSTRUCT_SHARES["simple"], ge=0, description="one table, not grouped")
    group: float = Field(CONSTRUCT_SHARES["group"], ge=0, description="one table, grouped")
    join: float = Field(CONSTRUCT_SHARES["join"], ge=0, description="two or three tables, joined along foreign keys")
    nested: float = Field(CONSTRUCT_SHARES["nested"], ge=0, description="a nested SELECT, or a set operation")


class SqlFieldNames(SpecBlock):
    """Names of the fields in the file."""

    question: str = Field("question", description="field of the question")
    sql: str = Field("sql", description="field of the SQL that answers it")
    db: str = Field("db", description="field of the database's name, if there are several")
    split: str = Field("split", description="field of the split, if the file has one")


class SqlGrammarSource(Source):
    """Generates questions with SQL for one database: each runs, has an answer, and occurs once.

    A row's group is its SQL, so that no statement occurs both in training and in the held-out test rows.
    """

    kind = "sql-grammar"
    inspected_rows = 5
    output_columns = ("question", "sql", "db")
    tables = (DATABASES_TABLE,)

    database: Annotated[Path, Input()] = Field(description="a .sqlite file or .sql script, relative to the spec")
    name: str = Field("", description="name of the database in rows; empty for the file's name")
    count: int = Field(2000, ge=1, le=100_000, description="maximum number of questions")
    seed: int = Field(7, ge=0, description="random seed")
    shares: ConstructShares = Field(ConstructShares(), description="relative weight of each construct")
    licence: str = Field("", description="licence of the database, for the bundle's notes")

    @classmethod
    def draft_fields(cls, data: Path) -> Mapping[str, Any]:
        return {"database": data} if is_database_file(data) else {}

    def iter_rows(self, job: Job) -> Iterator[Row]:
        database, name = open_database(job.root / self.database), self.name or self.database.stem
        yield build_database_row(name, self.database, database, self.licence)
        number = 0
        pairs = generate_sql_pairs(database, self.count, f"{self.seed} {name}", self.shares.model_dump())
        for number, pair in enumerate(pairs, 1):
            yield build_grammar_row(name, number - 1, pair, self.licence)
        if number < self.count:
            job.report.note(f"{self.database.name}: generated {number} of {self.count} questions", warning=True)


class SqlGrammarSynthesizer(Synthesizer):
    """Generates training rows from the question grammar, for every database of the training rows."""

    kind = "sql-grammar"
    columns = ("db",)

    count: int = Field(50, ge=1, le=100_000, description="maximum number of questions per database")
    seed: int = Field(11, ge=0, description="random seed")
    shares: ConstructShares = Field(ConstructShares(), description="relative weight of each construct")

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        if job.task is None:
            raise ValueError("the task prepares the synthetic rows, but this job has no task")
        rows: list[Row] = []
        names, shares = sorted({str(row["db"]) for row in job.rows}), self.shares.model_dump()
        for done, name in enumerate(names, 1):
            database = open_row_database(job.root, job.tables[DATABASES_TABLE][name])
            for number, pair in enumerate(generate_sql_pairs(database, self.count, f"{self.seed} {name}", shares)):
                rows.append(build_grammar_row(name, number, pair, "", "more"))
            job.report.report_progress(done, len(names), "databases")
        yield from job.task.prepare(replace(job, rows=rows))


def build_grammar_row(name: str, number: int, pair: QuestionSqlPair, licence: str, mark: str = "grammar") -> Row:
    """Build a row from a pair."""
    origin = Provenance(name, licence=licence, generator="sql-grammar", detail={"construct": pair.construct})
    columns = {"question": pair.question, "sql": pair.sql, "db": name}
    return Row(f"{name}-{mark}-{number:05}", columns, origin, group=f"{name}: {pair.sql}")


class SqlPairSource(Source):
    """Reads questions with SQL, one JSON object per line, and the databases that they query.

    SQL is made canonical where that does not change its result. Rows whose SQL does not run, reads the clock or
    returns more than 100,000 rows are dropped and reported.
    """

    kind = "sql-pairs"
    version = 2
    inspected_rows = 100
    output_columns = ("question", "sql", "db")
    tables = (DATABASES_TABLE,)

    file: Annotated[Path, Input()] = Field(description="questions, JSONL, relative to the spec")
    databases: Annotated[Path, Input()] = Field(description="one database, or a folder of databases named as in rows")
    fields: SqlFieldNames = Field(SqlFieldNames(), description="names of the fields in the file")
    splits: dict[str, str] = Field({}, description="split in the file → train, validation or test; others stay")
    group: Literal["db", "sql"] = Field("sql", description="group rows by database or by SQL; a group is never split")
    canonical: bool = Field(True, description="rewrite SQL in the canonical style")
    licence: str = Field("", description="licence of the collection, for the bundle's notes")

    @classmethod
    def draft_fields(cls, data: Path) -> Mapping[str, Any]:
        return draft_pair_fields(data, SqlFieldNames().model_dump())

    def iter_rows(self, job: Job) -> Iterator[Row]:
        files: dict[str, Path] = {}
        failed: list[str] = []
        for line, record in read_numbered_jsonl(job.root / self.file, str(self.file), job.report_bad_record):
            where = f"{self.file}:{line}"
            name = str(record.get(self.fields.db) or self.databases.stem)
            try:
                file = files.get(name) or locate_database(job.root, self.databases, name)
                question, sql = (_require_sql_text(record, field) for field in (self.fields.question, self.fields.sql))
            except ValueError as error:
                job.report_bad_record(f"{where}: {error}")
                continue
            if name not in files:
                files[name] = file
                yield build_database_row(name, file, open_database(job.root / file), self.licence)
            try:
                sql = self._canonicalise_if_equivalent(sql, open_database(job.root / file))
            except QueryRefusedError as reason:
                failed.append(f"{where}: {reason}")
                continue
            yield self._build_pair_row(line, {"question": question, "sql": sql, "db": name}, record)
        if failed:
            subject = "1 row was dropped" if len(failed) == 1 else f"{len(failed)} rows were dropped"
            job.report.note(f"{subject} because the SQL does not run; the first: {failed[0]}", warning=True)

    def _build_pair_row(self, line: int, columns: dict[str, str], record: Mapping[str, Any]) -> Row:
        split = str(record.get(self.fields.split) or "")
        group = columns["db"] if self.group == "db" else f"{columns['db']}: {columns['sql']}"
        origin = Provenance(str(self.file), line, self.licence)
        return Row(f"{self.file.stem}-{line:06}", columns, origin, group, self.splits.get(split, split))

    def _canonicalise_if_equivalent(self, sql: str, database: SqliteDatabase) -> str:
        """Return the canonical SQL if it gives the same rows, else the original. Raises QueryRefusedError."""
        from factory_sql.canonical_sql import canonicalise_sql, has_row_order

        if not self.canonical:
            guard.run_for_comparison(sql, database)
            return sql
        canonical = canonicalise_sql(sql, database.schema)
        expected, result = database.run(sql, MAX_COMPARED_ROWS), guard.run_for_comparison(canonical, database)
        return canonical if has_same_rows(expected, result, has_row_order(canonical)) else sql


def _require_sql_text(record: Mapping[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{field}: expected a text; available fields: {', '.join(sorted(record)) or 'none'}")
    return value.strip()
