"""The text-to-SQL task: write the query that answers a question about a SQLite database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Grammar, Provenance, Row, RowsJob, Schedule, Tables, Task, is_blank
from factory_sql.database import QueryRefusedError
from factory_sql.databases_table import DATABASES_TABLE, get_opened_database, open_row_database
from factory_sql.guard import check_sql, extract_sql, run_guarded_sql
from factory_sql.query_results import render_result_table
from factory_sql.schema import DatabaseSchema

MAX_SHOWN_RESULT_ROWS = 8
"""Maximum number of result rows shown with an answer."""

SQL_DEFAULTS: dict[str, Any] = {
    "objective": "completion",
    "data": {"curate": [{"kind": "exact", "text_columns": ["input"]}]},
    "contenders": ["tuned", "tuned-unguarded", "prompted", "prompted-unguarded", "nearest"],
    "evaluate": ["execution"],
    "targets": ["peft"],
    "train": {"learning_rate": 1e-3},
}
SMOKE_PROFILE: dict[str, Any] = {
    "data": {"limit": 96, "split": {"test": 24, "validation": 12}},
    "contenders": [
        "tuned", "tuned-unguarded", {"kind": "prompted", "shots": [0, 2], "selection": ["fixed"], "validation_rows": 6},
    ],
    "gate": {"resamples": 2000},
}
"""Checks that a spec runs from start to end; the verdict is meaningless."""


class SqlGenerator(Task):
    """Answers a question with one SELECT, given the relevant schema in the prompt.

    When guarded, decoding is constrained to names of the schema and to statements that parse. Every statement runs
    read-only, with limits on work and rows.
    """

    kind = "sql-generator"
    columns = ("question", "sql", "db")
    added_columns = ("schema", "input")
    tables = (DATABASES_TABLE,)
    output_type = "text"
    schedule = Schedule(steps=100, least_epochs=1, most_epochs=6, batch_size=16)
    text_column = "input"

    schema_tokens: int = Field(
        160, ge=16, description="approximate token budget of the schema; of a larger one, the relevant tables are shown"
    )
    values: bool = Field(True, description="show column values that the question mentions")
    guarded: bool = Field(True, description="constrain decoding to the schema and to valid SQL")
    system_template: str = Field("Answer with one SQLite query.", description="template of the system message")
    prompt_template: str = Field("{schema}\n{question}", description="template of the prompt, over the row's columns")
    target_template: str = Field("{sql}", description="template of the target, over the row's columns")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return SQL_DEFAULTS

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": SMOKE_PROFILE}

    def get_templates(self) -> dict[str, str]:
        return {"system": self.system_template, "prompt": self.prompt_template, "target": self.target_template}

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Add the schema, reduced to the question, and an input that is unique per question and database."""
        from factory_sql.schema_linking import render_schema_prompt

        for done, row in enumerate(job.rows, 1):
            name = _choose_database_name(row, job.tables)
            database = open_row_database(job.root, job.tables[DATABASES_TABLE][name])
            schema = render_schema_prompt(database, row["question"], self.schema_tokens, self.values)
            job.report.report_progress(done, len(job.rows))
            yield row.with_columns(db=name, schema=schema, input=f"{name}: {row['question']}")

    def build_grammar(self, row: Row, tables: Tables) -> Grammar | None:
        if not self.guarded:
            return None
        from factory_sql.sql_grammar import get_sql_grammar

        return get_sql_grammar(tables[DATABASES_TABLE][row["db"]]["schema"])

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        from factory_sql.schema_linking import estimate_schema_tokens

        for row in job.rows:
            if empty := [name for name in ("question", "sql") if is_blank(row[name])]:
                yield Finding("empty", row.id, f"{empty[0]} is empty")
                continue
            try:
                database = open_row_database(job.root, job.tables[DATABASES_TABLE][row["db"]])
                run_guarded_sql(row["sql"], database)
            except QueryRefusedError as reason:
                yield Finding("missing", row.id, f"the SQL does not run: {reason}")
            tokens = estimate_schema_tokens(row["schema"])
            if tokens > 2 * self.schema_tokens:
                limit = f"more than twice schema_tokens ({self.schema_tokens})"
                yield Finding("truncated", row.id, f"the schema takes about {tokens} tokens, {limit}")

    def describe_row(self, row: Row, tables: Tables, answer: Answer | None) -> str:
        """Describe a row by its question and database, the reference SQL, and the answer."""
        lines = [f"{row['db']}: {row['question']}", f"reference: {row['sql']}"]
        return "\n  ".join([*lines, f"answer: {answer.output}"] if answer else lines)

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        from factory_sql.canonical_sql import classify_construct

        return {"construct": classify_construct(row["sql"]), "schema": row["db"]}

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        columns = {"question": inputs["query"], "sql": "", "db": "", **inputs}
        return Row("question", columns, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        return {"query": row["question"], "db": row["db"]}

    def format_answer(self, row: Row, tables: Tables, answer: Answer) -> str:
        """Return the SQL with the first rows of its result, or with the reason why the guard refuses it.

        It runs on the database that this process opened to prepare the question.
        """
        sql, entry = extract_sql(str(answer.output)), tables[DATABASES_TABLE][row["db"]]
        database = get_opened_database(entry)
        try:
            if database is None:
                return check_sql(sql, DatabaseSchema.from_json(json.loads(entry["schema"])))
            return f"{sql}\n\n{render_result_table(run_guarded_sql(sql, database), MAX_SHOWN_RESULT_ROWS)}"
        except QueryRefusedError as reason:
            return f"{sql}\nrefused: {reason}"


def _choose_database_name(row: Row, tables: Tables) -> str:
    """Return the row's database, or the only one. Raises ValueError that lists the available ones."""
    databases, name = tables[DATABASES_TABLE], str(row.columns.get("db", ""))
    if not name and len(databases) == 1:
        return next(iter(databases))
    if name not in databases:
        problem = f"no database {name!r}" if name else "there are several databases, so `db` must name one"
        raise ValueError(f"{problem}; available: {', '.join(sorted(databases)[:10])}")
    return name
