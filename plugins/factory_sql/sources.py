"""Where questions with SQL come from: people, or the grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, RowsJob, Source, SpecBlock, Synthesizer, read_numbered_jsonl
from factory_sql.database import QueryRefusedError, SqliteDatabase, open_database
from factory_sql.databases_table import DATABASES_TABLE, build_database_row, locate_database, open_row_database
from factory_sql.question_grammar import CONSTRUCT_SHARES, QuestionSqlPair, generate_sql_pairs


class ConstructShares(SpecBlock):
    """How often each kind of statement is tried, as parts of a whole."""

    simple: float = Field(CONSTRUCT_SHARES["simple"], ge=0, description="of one table, not grouped")
    group: float = Field(CONSTRUCT_SHARES["group"], ge=0, description="of one table, grouped")
    join: float = Field(CONSTRUCT_SHARES["join"], ge=0, description="of two or three tables, joined along their keys")
    nested: float = Field(CONSTRUCT_SHARES["nested"], ge=0, description="with a SELECT inside, or two as sets")


class SqlFieldNames(SpecBlock):
    """How the fields are called in the file."""

    question: str = Field("question", description="the question")
    sql: str = Field("sql", description="the SQL that answers it")
    db: str = Field("db", description="the database, where there is more than one")
    split: str = Field("split", description="train, validation or test, where the file says it")


class SqlGrammarSource(Source):
    """Questions and SQL that a grammar writes for one database: each runs, has an answer, and stands once.

    A row's group is its SQL, so that no statement of the test rows stands in training.
    """

    kind = "sql-grammar"
    output_columns = ("question", "sql", "db")
    tables = (DATABASES_TABLE,)

    database: Annotated[Path, Input()] = Field(description="a .sqlite file or a .sql script, relative to the spec")
    name: str = Field("", description="how rows call the database; by default as its file is called")
    count: int = Field(2000, ge=1, le=100_000, description="questions, at most")
    seed: int = Field(7, ge=0, description="seed of the grammar")
    shares: ConstructShares = Field(ConstructShares(), description="how often each kind of statement is tried")
    licence: str = Field("", description="licence of the database, for the bundle's notes")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        found, name = open_database(job.root / self.database), self.name or self.database.stem
        yield build_database_row(name, self.database, found, self.licence)
        made = 0
        for pair in generate_sql_pairs(found, self.count, f"{self.seed} {name}", self.shares.model_dump()):
            yield build_grammar_row(name, made, pair, self.licence)
            made += 1
        if made < self.count:
            job.report.note(f"{self.database.name}: the grammar found {made} questions of {self.count}", warning=True)


class SqlGrammarSynthesizer(Synthesizer):
    """Training rows by the grammar, for every database that training rows ask."""

    kind = "sql-grammar"
    columns = ("db",)

    count: int = Field(50, ge=1, le=100_000, description="questions for each database, at most")
    seed: int = Field(11, ge=0, description="seed of the grammar")
    shares: ConstructShares = Field(ConstructShares(), description="how often each kind of statement is tried")

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        if job.task is None:
            raise ValueError("the grammar's rows are prepared by the task, and there is none")
        made: list[Row] = []
        names = sorted({str(row["db"]) for row in job.rows})
        for done, name in enumerate(names, 1):
            found = open_row_database(job.root, job.tables[DATABASES_TABLE][name])
            for number, pair in enumerate(generate_sql_pairs(found, self.count, f"{self.seed} {name}", self.shares.model_dump())):
                made.append(build_grammar_row(name, number, pair, "", "more"))
            job.report.report_progress(done, len(names), "databases")
        work = RowsJob(seed=job.seed, report=job.report, root=job.root, tables=job.tables, kit_loader=job.kit_loader,
                       models=job.models, rows=made, base=job.base, task=job.task)
        yield from job.task.prepare(work)


def build_grammar_row(name: str, number: int, pair: QuestionSqlPair, licence: str, mark: str = "grammar") -> Row:
    """A pair as a row."""
    origin = Provenance(name, licence=licence, generator="sql-grammar", detail={"construct": pair.construct})
    columns = {"question": pair.question, "sql": pair.sql, "db": name}
    return Row(f"{name}-{mark}-{number:05}", columns, origin, group=f"{name}: {pair.sql}")


class SqlPairSource(Source):
    """Questions with SQL that people wrote, one JSON object a line, over databases that lie beside them.

    SQL is brought into one style where that changes no answer. A row whose SQL does not run is left out and counted.
    """

    kind = "sql-pairs"
    output_columns = ("question", "sql", "db")
    tables = (DATABASES_TABLE,)

    file: Annotated[Path, Input()] = Field(description="questions, JSONL, relative to the spec")
    databases: Annotated[Path, Input()] = Field(description="one database, or the folder of databases, by name")
    fields: SqlFieldNames = Field(SqlFieldNames(), description="how the file calls its fields")
    splits: dict[str, str] = Field({}, description="the file's splits → train, validation or test; others stay")
    group: Literal["db", "sql"] = Field("sql", description="rows that stay together: of one database, or of one SQL")
    canonical: bool = Field(True, description="bring SQL into the one style")
    licence: str = Field("", description="licence of the collection, for the bundle's notes")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        files: dict[str, Path] = {}
        failed: list[str] = []
        for line, record in read_numbered_jsonl(job.root / self.file, str(self.file), job.report_bad_record):
            place = f"{self.file}:{line}"
            name = str(record.get(self.fields.db) or self.databases.stem)
            try:
                found = files.get(name) or _locate_row_database(job.root, self.databases, name, place)
                question, sql = (_require_sql_text(record, field, place) for field in (self.fields.question, self.fields.sql))
            except ValueError as error:
                job.report_bad_record(str(error))
                continue
            if name not in files:
                files[name] = found
                yield build_database_row(name, found, open_database(job.root / found), self.licence)
            try:
                sql = self._canonicalise_if_equivalent(sql, open_database(job.root / found))
            except QueryRefusedError as reason:
                failed.append(f"{place}: {reason}")
                continue
            yield self._build_pair_row(line, {"question": question, "sql": sql, "db": name}, record)
        if failed:
            job.report.note(f"{len(failed)} rows left out, their SQL does not run; first {failed[0]}", warning=True)

    def _build_pair_row(self, line: int, columns: dict[str, str], record: Mapping[str, Any]) -> Row:
        split = str(record.get(self.fields.split) or "")
        group = columns["db"] if self.group == "db" else f"{columns['db']}: {columns['sql']}"
        origin = Provenance(str(self.file), line, self.licence)
        return Row(f"{self.file.stem}-{line:06}", columns, origin, group, self.splits.get(split, split))

    def _canonicalise_if_equivalent(self, sql: str, found: SqliteDatabase) -> str:
        """The SQL in the one style, when it then still gives the same rows; else as it was, when that runs."""
        from factory_sql import guard
        from factory_sql.canonical_sql import canonicalise_sql, has_row_order
        from factory_sql.query_results import has_same_rows

        if not self.canonical:
            guard.run_guarded_sql(sql, found)
            return sql
        styled = canonicalise_sql(sql, found.schema)
        gold = found.run(sql)
        return styled if has_same_rows(gold, guard.run_guarded_sql(styled, found), has_row_order(styled)) else sql


def _locate_row_database(root: Path, where: Path, name: str, place: str) -> Path:
    try:
        return locate_database(root, where, name)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _require_sql_text(record: Mapping[str, Any], field: str, place: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{place}: {field}: text is wanted; there are {', '.join(sorted(record))}")
    return value.strip()
