"""Two sets of answers to the same frozen rows, row by row: won, lost, tied, and the paired difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from factory.errors import FactoryError, InputError
from factory.runs import run_view, specialists
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RunView

if TYPE_CHECKING:
    from factory.api import Answer, Row, Task
    from factory.evaluation.statistics import ConfidenceInterval
    from factory.registry.registry import Registry

WON, LOST, TIED = "won", "lost", "tied"
TIE_TOLERANCE = 1e-9
"""A difference below this is rounding."""
CONFIDENCE, RESAMPLES, SEED = 0.95, 10_000, 7
"""Of the interval, when a run's gate does not say."""
MAX_ROW_LETTERS = 400
"""Letters of a row that are shown when its task can not show it."""


@dataclass(frozen=True)
class ContenderResults:
    """One contender's answers in one run."""

    run_outputs: RunOutputs
    contender: str

    @property
    def label(self) -> str:
        """`RUN:contender`."""
        return f"{self.run_outputs.run.id}:{self.contender}"

    @cached_property
    def scores(self) -> dict[str, tuple[str, Mapping[str, float]]]:
        """Row id → (group, values by metric)."""
        rows = self.run_outputs.read_stage_lines("score", f"{self.contender}.jsonl")
        return {r["id"]: (r.get("group", ""), r["values"]) for r in rows}

    @cached_property
    def answers(self) -> dict[str, Any]:
        """Row id → what the contender put out."""
        return {
            r["id"]: r["output"]
            for r in self.run_outputs.read_stage_lines(f"answer[{self.contender}]", "answers.jsonl")
        }


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row's two scores, and who won it as seen from A."""

    id: str
    group: str
    a: float
    b: float
    result: str

    @property
    def difference(self) -> float:
        """A − B in the metric."""
        return self.a - self.b


@dataclass(frozen=True, slots=True)
class ContenderComparison:
    """A against B on the rows that both answered. The difference is A − B in the metric, with its interval."""

    a: ContenderResults
    b: ContenderResults
    metric: str
    rows: list[RowResult]
    difference: float
    low: float
    high: float
    confidence: float
    one_sided_rows: int
    """Rows that only one side answered."""

    def count_rows(self, result: str) -> int:
        """Rows of one result."""
        return sum(row.result == result for row in self.rows)

    def compute_side_mean(self, side: str) -> float:
        """The mean of `a` or `b` over the rows."""
        return sum(row.a if side == "a" else row.b for row in self.rows) / len(self.rows)

    def select_strongest(self, result: str, limit: int) -> list[RowResult]:
        """The rows of one result with the largest difference first; by id where they are equal."""
        chosen = [row for row in self.rows if row.result == result]
        return sorted(chosen, key=lambda r: (-abs(r.difference), r.id))[:limit]


def load_contender_pair(home: Path, a: str, b: str) -> tuple[ContenderResults, ContenderResults]:
    """What `A` and `B` mean, each a run (its tuned model) or RUN:contender. Raises InputError for what is not there."""
    return load_contender_results(home, a), load_contender_results(home, b)


def load_contender_results(home: Path, text: str) -> ContenderResults:
    """`RUN` or `RUN:contender` → that contender's answers; without one, the contender with the adapter.

    A run may be named by its specialist (the newest run) or by `NAME@VERSION`.
    """
    named, _, contender = text.partition(":")
    run = run_view.find_run(home, specialists.find_version(home, named).run if "@" in named else named)
    evidence = RunOutputs(home, run)
    known = evidence.list_contenders()
    chosen = contender or find_tuned_contender(run)
    if chosen not in known:
        raise InputError(f"{run.id} has no contender {chosen!r}; it has {', '.join(known) or 'none'}")
    found = ContenderResults(evidence, chosen)
    if not found.scores:
        raise InputError(f"{found.label} has no scores: the build did not get there, or the store was cleared")
    return found


def find_tuned_contender(run: RunView) -> str:
    """The contender that carries the adapter, as the gate's plan says."""
    config: Mapping[str, Any] = next((s.get("config", {}) for s in run.plan if s.get("name") == "bundle"), {})
    return str(config.get("tuned", "tuned"))


def compare_contenders(a: ContenderResults, b: ContenderResults, metric: str = "") -> ContenderComparison:
    """Pair the rows and compare. The metric is the gate's of A's run unless one is named."""
    chosen = metric or str(a.run_outputs.read_stage_json("gate").get("metric", "")) or _pick_first_metric(a)
    _require_common_metric(chosen, a, b)
    sign = 1.0 if _is_higher_better(a, chosen) else -1.0
    common = [row for row in a.scores if row in b.scores]
    if not common:
        raise InputError(f"{a.label} and {b.label} answered no row in common: their test rows differ")
    rows = [_score_row_pair(row, a, b, chosen, sign) for row in common]
    confidence = float(a.run_outputs.read_stage_json("gate").get("confidence", CONFIDENCE))
    found = _estimate_paired_difference(a, rows, confidence)
    left_out = len(a.scores.keys() ^ b.scores.keys())
    return ContenderComparison(a, b, chosen, rows, found.mean, found.low, found.high, confidence, left_out)


def _estimate_paired_difference(
    a: ContenderResults, rows: Sequence[RowResult], confidence: float
) -> ConfidenceInterval:
    """The mean difference with its interval, drawn as the gate of A's run draws its own: the same numbers come out."""
    from factory.evaluation import statistics

    plan = next((s for s in a.run_outputs.run.plan if s.get("name") == "gate"), {})
    gate: Mapping[str, Any] = plan.get("config", {}).get("gate", {})
    data = statistics.group_by_cluster([row.difference for row in rows], [row.group or row.id for row in rows])
    (means,) = statistics.bootstrap_means([data], int(gate.get("resamples", RESAMPLES)), int(gate.get("seed", SEED)))
    return statistics.estimate_mean(data, means, confidence).interval


def _score_row_pair(row: str, a: ContenderResults, b: ContenderResults, metric: str, sign: float) -> RowResult:
    group, ours = a.scores[row]
    left, right = float(ours[metric]), float(b.scores[row][1][metric])
    better = sign * (left - right)
    result = TIED if abs(better) <= TIE_TOLERANCE else WON if better > 0 else LOST
    return RowResult(row, group, left, right, result)


def _pick_first_metric(a: ContenderResults) -> str:
    return next(iter(next(iter(a.scores.values()))[1]), "")


def _require_common_metric(metric: str, *both: ContenderResults) -> None:
    for one in both:
        known = list(next(iter(one.scores.values()))[1])
        if metric not in known:
            raise InputError(f"{one.label} was not scored by {metric!r}; it was by {', '.join(known)}")


def _is_higher_better(a: ContenderResults, metric: str) -> bool:
    metrics = a.run_outputs.read_stage_json("score").get("metrics", [])
    return all(m.get("higher_is_better", True) for m in metrics if m.get("name") == metric)


@dataclass
class FrozenRowViewer:
    """The test rows of a run in words: each through its task, or as its bare columns when the task is not installed."""

    run_outputs: RunOutputs
    registry: Registry | None = None

    @cached_property
    def task(self) -> Task | None:
        """The task of the run's plan, or None when its plugin is not here."""
        from factory.registry.registry import load_installed_registry

        plan = self.run_outputs.run.plan
        block = next((s["config"]["task"] for s in plan if "task" in s.get("config", {})), None)
        try:
            made: Any = (self.registry or load_installed_registry()).make_plugin("task", block) if block else None
        except FactoryError:
            return None
        return made  # type: ignore[no-any-return]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Row id → frozen test row."""
        from factory.api import Row

        return {r["id"]: Row.from_json(r) for r in self.run_outputs.read_stage_lines("freeze", "test.jsonl")}

    @cached_property
    def tables(self) -> dict[str, dict[str, Row]]:
        """The side tables that the sources filled."""
        from factory.api import Row

        gathered = self.run_outputs.find_stage_folder("gather")
        files = sorted((gathered / "tables").glob("*.jsonl")) if gathered else []
        lines = {f.stem: self.run_outputs.read_stage_lines("gather", f"tables/{f.name}") for f in files}
        return {table: {r["id"]: Row.from_json(r) for r in found} for table, found in lines.items()}

    def build_example_question(self) -> dict[str, Any]:
        """What a person would ask to get the first test row; empty when the rows, or the task, are not there."""
        row = next(iter(self.rows.values()), None)
        if self.task is None or row is None:
            return {}
        try:
            return dict(self.task.extract_query(row))
        except Exception:  # a stranger's task must not cost the verdict
            return {}

    def show(self, row: str, side: ContenderResults | None = None) -> str:
        """A row, with what a contender said to it, for a person."""
        from factory.api import Answer

        found = self.rows.get(row)
        if found is None:
            return row
        answer = Answer(row, side.answers[row]) if side and row in side.answers else None
        return self._render_frozen_row(found, answer)

    def show_side_by_side(self, row: str, a: ContenderResults, b: ContenderResults) -> tuple[str, str, str]:
        """What both sides' texts begin with, line by line, and then the rest of each."""
        left, right = self.show(row, a).splitlines(), self.show(row, b).splitlines()
        same = next(
            (i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), min(len(left), len(right))
        )
        first, second, third = left[:same], left[same:], right[same:]
        return "\n".join(first), dedent("\n".join(second)), dedent("\n".join(third))

    def _render_frozen_row(self, row: Row, answer: Answer | None) -> str:
        if self.task is not None:
            try:
                return self.task.describe_row(row, self.tables, answer)
            except Exception:  # a stranger's `show` must not cost the comparison
                pass
        plain = {name: value for name, value in row.columns.items() if isinstance(value, str | int | float)}
        said = f" → {str(answer.output)[:MAX_ROW_LETTERS]}" if answer else ""
        return f"{' · '.join(map(str, plain.values()))[:MAX_ROW_LETTERS]}{said}"
