"""What SQL is worth: whether it gives what the right one gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_sql.database import Database, RefusedError, Result, database
from factory_sql.tables import DATABASES


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer against its gold: each of the three is 0 or 1; `empty` when the gold gives no rows."""

    execution: float
    valid: float
    exact: float
    empty: bool
    why: str = ""


class Execution(Eval):
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
        for row, judged in self._judged(job):
            yield Scores(row.id, {"execution": judged.execution, "valid": judged.valid, "exact": judged.exact})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        found = [judged for _, judged in self._judged(job)]
        filled = [judged.execution for judged in found if not judged.empty]
        return {"empty_gold": len(found) - len(filled), "execution_nonempty": sum(filled) / max(len(filled), 1)}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        from factory_sql.canonical import construct

        kinds: dict[str, list[Judged]] = defaultdict(list)
        reasons: dict[str, int] = defaultdict(int)
        for row, judged in self._judged(job):
            kinds[construct(row["sql"])].append(judged)
            if judged.why:
                reasons[judged.why] += 1
        refused = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:10]
        return {
            "constructs": [_line(kind, kinds[kind]) for kind in sorted(kinds)],
            "refused": [{"reason": reason, "rows": count} for reason, count in refused],
        }

    def _judged(self, job: ScoreJob) -> Iterator[tuple[Row, Judged]]:
        for row in job.rows:
            answer = job.answers.get(row.id)
            if answer is None:
                raise ValueError(f"row {row.id!r} has no answer")
            yield row, judge(job.root / job.tables[DATABASES][row["db"]]["file"], row["sql"], str(answer.output))


def _line(kind: str, found: Sequence[Judged]) -> dict[str, Any]:
    means = {name: round(sum(getattr(each, name) for each in found) / len(found), 4) for name in ("execution", "valid")}
    return {"construct": kind, "rows": len(found), **means}


@lru_cache(maxsize=100_000)
def judge(file: Path, gold: str, said: str) -> Judged:
    """One statement against the right one, run once a process. Raises ValueError when the right one does not run."""
    from factory_sql import guard
    from factory_sql.canonical import ordered, same
    from factory_sql.results import equal

    found: Database = database(file)
    try:
        right = _run(file, gold)
    except RefusedError as reason:
        raise ValueError(f"the right statement {gold!r} does not run: {reason}") from reason
    sql = guard.extract(said)
    try:
        got = guard.run(sql, found)
    except RefusedError as reason:
        return Judged(0.0, 0.0, 0.0, not right.rows, _kind(str(reason)))
    met = float(equal(right, got, ordered(gold)))
    return Judged(met, 1.0, float(same(gold, sql, found.schema)), not right.rows)


def _kind(reason: str) -> str:
    """A reason without the names in it, so that equal ones can be counted."""
    if reason.startswith("there is no "):
        return " ".join(reason.split()[:4])
    return reason.split(":")[0][:60]


@lru_cache(maxsize=10_000)
def _run(file: Path, sql: str) -> Result:
    from factory_sql import guard

    return guard.run(sql, database(file))
