"""The SQL generator: writes the query that answers a question to a SQLite database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Guide, Provenance, Row, RowsJob, Tables, Task
from factory_sql import sql_defaults
from factory_sql.database import QueryRefusedError, SqliteDatabase
from factory_sql.databases_table import DATABASES_TABLE, get_opened_database, open_row_database
from factory_sql.schema import DatabaseSchema

MAX_SHOWN_RESULT_ROWS = 8
"""Rows of a result that a person is shown."""


class SqlGenerator(Task):
    """Answers a question with one SELECT, over the schema that stands before the question in the prompt.

    Under its guard, decoding is held to the names of the schema and to statements that parse. Every statement is run
    read-only, with limits on work and rows.
    """

    kind = "sql-generator"
    columns = ("question", "sql", "db")
    added_columns = ("schema", "input")
    tables = (DATABASES_TABLE,)
    output_type = "text"
    text_column = "input"

    schema_tokens: int = Field(
        160, ge=16, description="about so many tokens of schema in a prompt; of a larger one the tables asked about"
    )
    values: bool = Field(True, description="show the values that stand in the question beside their columns")
    guarded: bool = Field(True, description="hold decoding to the schema and to what parses")
    system_template: str = Field(sql_defaults.SYSTEM, description="the system message, over the row's columns")
    prompt_template: str = Field(sql_defaults.PROMPT, description="what is asked, over the row's columns")
    target_template: str = Field(sql_defaults.TARGET, description="what is to be said, over the row's columns")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return sql_defaults.SPEC

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return sql_defaults.PROFILES

    def get_templates(self) -> dict[str, str]:
        return {"system": self.system_template, "prompt": self.prompt_template, "target": self.target_template}

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Every row with its schema, cut to the question, and the input that tells it from others."""
        from factory_sql.schema_linking import render_schema_prompt

        for done, row in enumerate(job.rows, 1):
            name = _choose_database_name(row, job.tables)
            found = open_row_database(job.root, job.tables[DATABASES_TABLE][name])
            schema = render_schema_prompt(found, row["question"], self.schema_tokens, self.values)
            job.report.report_progress(done, len(job.rows))
            yield row.with_columns(db=name, schema=schema, input=f"{name}: {row['question']}")

    def build_guide(self, row: Row, tables: Tables) -> Guide | None:
        if not self.guarded:
            return None
        from factory_sql.constrained_decoding import get_sql_guide

        return get_sql_guide(tables[DATABASES_TABLE][row["db"]]["schema"])

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        from factory_sql.guard import run_guarded_sql
        from factory_sql.schema_linking import estimate_schema_tokens

        for row in job.rows:
            if not row["question"].strip() or not row["sql"].strip():
                yield Finding("empty", row.id, f"its {'SQL' if row['question'].strip() else 'question'} has no text")
                continue
            try:
                run_guarded_sql(row["sql"], _open_question_database(job, row))
            except QueryRefusedError as reason:
                yield Finding("missing", row.id, f"its SQL does not run: {reason}")
            if estimate_schema_tokens(row["schema"]) > 2 * self.schema_tokens:
                yield Finding("truncated", row.id, f"a single table takes about {estimate_schema_tokens(row['schema'])} tokens of schema")

    def describe_row(self, row: Row, tables: Tables, answer: Answer | None) -> str:
        """The question with its database, then the SQL that is right and what was said."""
        parts = [f"{row['db']}: {row['question']}", f"right: {row['sql']}"]
        return "\n  ".join([*parts, f"said:  {answer.output}"] if answer else parts)

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        from factory_sql.canonical_sql import classify_construct

        return {"construct": classify_construct(row["sql"]), "schema": row["db"]}

    def build_query_row(self, asked: Mapping[str, Any]) -> Row:
        columns = {"question": asked["query"], "sql": "", "db": "", **asked}
        return Row("question", columns, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        return {"query": row["question"], "db": row["db"]}

    def format_answer(self, row: Row, tables: Tables, answer: Answer) -> str:
        """The SQL with the first rows that it gives, or the reason why the guard does not let it pass.

        It is run on the database that the question was prepared with.
        """
        from factory_sql.guard import check_sql, extract_sql, run_guarded_sql
        from factory_sql.query_results import render_result_table

        sql, entry = extract_sql(str(answer.output)), tables[DATABASES_TABLE][row["db"]]
        found = get_opened_database(entry)
        try:
            check_sql(sql, DatabaseSchema.from_json(json.loads(entry["schema"])))
            return f"{sql}\n\n{render_result_table(run_guarded_sql(sql, found), MAX_SHOWN_RESULT_ROWS)}" if found else sql
        except QueryRefusedError as reason:
            return f"{sql}\nrefused: {reason}"


def _open_question_database(job: RowsJob, row: Row) -> SqliteDatabase:
    return open_row_database(job.root, job.tables[DATABASES_TABLE][row["db"]])


def _choose_database_name(row: Row, tables: Tables) -> str:
    """The row's database, or the only one there is. Raises ValueError with those that there are."""
    known = tables[DATABASES_TABLE]
    name = str(row.columns.get("db", ""))
    if not name and len(known) == 1:
        return next(iter(known))
    if name not in known:
        said = f"there is no database {name!r}" if name else "say which database is asked, by db"
        raise ValueError(f"{said}; there are {', '.join(sorted(known)[:10])}")
    return name
