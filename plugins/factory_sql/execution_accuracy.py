"""Execution accuracy: whether generated SQL returns the rows of the reference SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_sql import guard
from factory_sql.database import MAX_RESULT_ROWS, QueryRefusedError, QueryResult, open_database
from factory_sql.databases_table import DATABASES_TABLE
from factory_sql.query_results import has_answer_values, has_same_rows


@dataclass(frozen=True, slots=True)
class ExecutionJudgement:
    """Scores of one answer, each 0 or 1; `gold_is_empty` if the reference result says nothing."""

    execution: float
    valid: float
    exact: float
    gold_is_empty: bool
    reason: str = ""


class ExecutionAccuracy(Eval):
    """Runs the generated and the reference statement under the guard and compares their rows.

    Rows are compared as multisets, and in order only if the reference orders them; then also where its ORDER BY leaves
    rows tied. Columns are compared in their order and without their names. Numbers are equal up to rounding, whether
    integer or float; a number and its digits as text differ. All rows count, also of long results.

    A reference result without a row, or with a single row of zeros and nulls, says nothing: any statement that finds
    nothing returns it too. There the statement must also name every table, column and value that the reference
    names; `empty_gold` counts such rows, and `execution_nonempty` is over the others.
    """

    kind = "execution"
    version = 3
    columns = ("sql", "db")
    output_type = "text"
    primary_metric = "execution"
    metrics = (
        Metric(
            "execution", "whether the query returns the rows of the reference query: columns in its order, duplicates "
            "counted, in order if the reference orders them; where it finds nothing, all that it names must be named",
            binary=True,
        ),
        Metric("valid", "whether the query passes the guard and runs", binary=True),
        Metric("exact", "whether the query equals the reference but for aliases, quotes, case of names", binary=True),
    )

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, judgement in self._judge_rows(job):
            yield Scores(row.id, {"execution": judgement.execution, "valid": judgement.valid, "exact": judgement.exact})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        judgements = [judgement for _, judgement in self._judge_rows(job)]
        nonempty = [judgement.execution for judgement in judgements if not judgement.gold_is_empty]
        mean = sum(nonempty) / max(len(nonempty), 1)
        return {"empty_gold": len(judgements) - len(nonempty), "execution_nonempty": mean}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        from factory_sql.canonical_sql import classify_construct

        kinds: dict[str, list[ExecutionJudgement]] = defaultdict(list)
        for row, judgement in self._judge_rows(job):
            kinds[classify_construct(row["sql"])].append(judgement)
        reasons = Counter(item.reason for judgements in kinds.values() for item in judgements if item.reason)
        refused = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:10]
        return {
            "constructs": [_summarise_construct(kind, kinds[kind]) for kind in sorted(kinds)],
            "refused": [{"reason": reason, "rows": count} for reason, count in refused],
        }

    def _judge_rows(self, job: ScoreJob) -> Iterator[tuple[Row, ExecutionJudgement]]:
        for row in job.rows:
            answer = job.answers.get(row.id)
            if answer is None:
                raise ValueError(f"row {row.id!r} has no answer")
            database = job.root / job.tables[DATABASES_TABLE][row["db"]]["file"]
            yield row, judge_sql(database, row["sql"], str(answer.output))


def _summarise_construct(kind: str, judgements: Sequence[ExecutionJudgement]) -> dict[str, Any]:
    count = len(judgements)
    means = {name: round(sum(getattr(item, name) for item in judgements) / count, 4) for name in ("execution", "valid")}
    return {"construct": kind, "rows": count, **means}


@lru_cache(maxsize=100_000)
def judge_sql(file: Path, gold: str, answer: str) -> ExecutionJudgement:
    """Judge an answer by the reference statement, once per process. Raises ValueError if the reference does not run."""
    from factory_sql.canonical_sql import has_row_order, is_same_statement, names_all_values

    database = open_database(file)
    try:
        expected = _run_reference(file, gold)
    except QueryRefusedError as error:
        raise ValueError(f"the reference query {gold!r} does not run: {error}") from error
    says_nothing = not has_answer_values(expected)
    sql = guard.extract_sql(answer)
    try:
        result = guard.run_guarded_sql(sql, database, max(MAX_RESULT_ROWS, len(expected.rows)))
    except QueryRefusedError as error:
        # Names follow the colon; without them, equal reasons can be counted.
        return ExecutionJudgement(0.0, 0.0, 0.0, says_nothing, str(error).split(":")[0][:60])
    matches = has_same_rows(expected, result, has_row_order(gold))
    if says_nothing:
        matches = matches and names_all_values(sql, gold, database.schema)
    exact = float(is_same_statement(gold, sql, database.schema))
    return ExecutionJudgement(float(matches), 1.0, exact, says_nothing)


def _run_reference(file: Path, sql: str) -> QueryResult:
    """Return all rows of the reference; only results of usual length are cached."""
    result = _run_cached_query(file, sql)
    return guard.run_for_comparison(sql, open_database(file)) if result.truncated else result


@lru_cache(maxsize=10_000)
def _run_cached_query(file: Path, sql: str) -> QueryResult:
    return guard.run_guarded_sql(sql, open_database(file))
