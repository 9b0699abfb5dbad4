"""What SQL is worth: whether it gives what the right one gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_sql.database import QueryRefusedError, QueryResult, SqliteDatabase, open_database
from factory_sql.databases_table import DATABASES_TABLE


@dataclass(frozen=True, slots=True)
class ExecutionJudgement:
    """One answer against its gold: each of the three is 0 or 1; `empty` when the gold gives no rows."""

    execution: float
    valid: float
    exact: float
    gold_is_empty: bool
    reason: str = ""


class ExecutionAccuracy(Eval):
    """Runs the statement that was said and the right one, both under the guard, and compares their rows.

    Rows are compared with how often they stand, in order only where the right statement orders. A right statement that
    gives no rows is easily met by a wrong one: such rows are counted apart.
    """

    kind = "execution"
    columns = ("sql", "db")
    output_type = "text"
    primary_metric = "execution"
    metrics = (
        Metric("execution", "whether it gives the rows that the right statement gives", binary=True),
        Metric("valid", "whether the guard lets it pass and it runs", binary=True),
        Metric("exact", "whether it is the right statement, but for case, aliases and quotes", binary=True),
    )

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, judged in self._judge_rows(job):
            yield Scores(row.id, {"execution": judged.execution, "valid": judged.valid, "exact": judged.exact})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        found = [judged for _, judged in self._judge_rows(job)]
        filled = [judged.execution for judged in found if not judged.gold_is_empty]
        return {"empty_gold": len(found) - len(filled), "execution_nonempty": sum(filled) / max(len(filled), 1)}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        from factory_sql.canonical_sql import classify_construct

        kinds: dict[str, list[ExecutionJudgement]] = defaultdict(list)
        reasons: dict[str, int] = defaultdict(int)
        for row, judged in self._judge_rows(job):
            kinds[classify_construct(row["sql"])].append(judged)
            if judged.reason:
                reasons[judged.reason] += 1
        refused = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:10]
        return {
            "constructs": [_summarise_construct(kind, kinds[kind]) for kind in sorted(kinds)],
            "refused": [{"reason": reason, "rows": count} for reason, count in refused],
        }

    def _judge_rows(self, job: ScoreJob) -> Iterator[tuple[Row, ExecutionJudgement]]:
        for row in job.rows:
            answer = job.answers.get(row.id)
            if answer is None:
                raise ValueError(f"row {row.id!r} has no answer")
            yield row, judge_sql(job.root / job.tables[DATABASES_TABLE][row["db"]]["file"], row["sql"], str(answer.output))


def _summarise_construct(kind: str, found: Sequence[ExecutionJudgement]) -> dict[str, Any]:
    means = {name: round(sum(getattr(each, name) for each in found) / len(found), 4) for name in ("execution", "valid")}
    return {"construct": kind, "rows": len(found), **means}


@lru_cache(maxsize=100_000)
def judge_sql(file: Path, gold: str, said: str) -> ExecutionJudgement:
    """One statement against the right one, run once a process. Raises ValueError when the right one does not run."""
    from factory_sql import guard
    from factory_sql.canonical_sql import has_row_order, is_same_statement
    from factory_sql.query_results import has_same_rows

    found: SqliteDatabase = open_database(file)
    try:
        right = _run_cached_query(file, gold)
    except QueryRefusedError as reason:
        raise ValueError(f"the right statement {gold!r} does not run: {reason}") from reason
    sql = guard.extract_sql(said)
    try:
        got = guard.run_guarded_sql(sql, found)
    except QueryRefusedError as reason:
        return ExecutionJudgement(0.0, 0.0, 0.0, not right.rows, _generalise_reason(str(reason)))
    met = float(has_same_rows(right, got, has_row_order(gold)))
    return ExecutionJudgement(met, 1.0, float(is_same_statement(gold, sql, found.schema)), not right.rows)


def _generalise_reason(reason: str) -> str:
    """A reason without the names in it, so that equal ones can be counted."""
    if reason.startswith("there is no "):
        return " ".join(reason.split()[:4])
    return reason.split(":")[0][:60]


@lru_cache(maxsize=10_000)
def _run_cached_query(file: Path, sql: str) -> QueryResult:
    from factory_sql import guard

    return guard.run_guarded_sql(sql, open_database(file))
