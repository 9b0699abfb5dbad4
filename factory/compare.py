"""Two sets of answers to the same frozen rows, row by row: won, lost, tied, and the paired difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from factory import runs, specialists
from factory.errors import FactoryError, InputError
from factory.evidence import Evidence
from factory.runs import RunView

if TYPE_CHECKING:
    from factory.api import Answer, Row, Task
    from factory.data.stats import Interval
    from factory.plugins import Registry

WON, LOST, TIED = "won", "lost", "tied"
TIE = 1e-9
"""A difference below this is rounding."""
CONFIDENCE, RESAMPLES, SEED = 0.95, 10_000, 7
"""Of the interval, when a run's gate does not say."""
PLAIN = 400
"""Letters of a row that are shown when its task can not show it."""


@dataclass(frozen=True)
class Side:
    """One contender's answers in one run."""

    evidence: Evidence
    contender: str

    @property
    def label(self) -> str:
        """`RUN:contender`."""
        return f"{self.evidence.run.id}:{self.contender}"

    @cached_property
    def scores(self) -> dict[str, tuple[str, Mapping[str, float]]]:
        """Row id → (group, values by metric)."""
        rows = self.evidence.lines("score", f"{self.contender}.jsonl")
        return {r["id"]: (r.get("group", ""), r["values"]) for r in rows}

    @cached_property
    def answers(self) -> dict[str, Any]:
        """Row id → what the contender put out."""
        return {r["id"]: r["output"] for r in self.evidence.lines(f"answer[{self.contender}]", "answers.jsonl")}


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
class Comparison:
    """A against B on the rows that both answered. The difference is A − B in the metric, with its interval."""

    a: Side
    b: Side
    metric: str
    rows: list[RowResult]
    difference: float
    low: float
    high: float
    confidence: float
    left_out: int
    """Rows that only one side answered."""

    def count(self, result: str) -> int:
        """Rows of one result."""
        return sum(row.result == result for row in self.rows)

    def mean(self, side: str) -> float:
        """The mean of `a` or `b` over the rows."""
        return sum(row.a if side == "a" else row.b for row in self.rows) / len(self.rows)

    def strongest(self, result: str, limit: int) -> list[RowResult]:
        """The rows of one result with the largest difference first; by id where they are equal."""
        chosen = [row for row in self.rows if row.result == result]
        return sorted(chosen, key=lambda r: (-abs(r.difference), r.id))[:limit]


def sides(home: Path, a: str, b: str) -> tuple[Side, Side]:
    """What `A` and `B` mean, each a run (its tuned model) or RUN:contender. Raises InputError for what is not there."""
    return side(home, a), side(home, b)


def side(home: Path, text: str) -> Side:
    """`RUN` or `RUN:contender` → that contender's answers; without one, the contender with the adapter.

    A run may be named by its specialist (the newest run) or by `NAME@VERSION`.
    """
    named, _, contender = text.partition(":")
    run = runs.find(home, specialists.find(home, named).run if "@" in named else named)
    evidence = Evidence(home, run)
    known = evidence.contenders()
    chosen = contender or tuned(run)
    if chosen not in known:
        raise InputError(f"{run.id} has no contender {chosen!r}; it has {', '.join(known) or 'none'}")
    found = Side(evidence, chosen)
    if not found.scores:
        raise InputError(f"{found.label} has no scores: the build did not get there, or the store was cleared")
    return found


def tuned(run: RunView) -> str:
    """The contender that carries the adapter, as the gate's plan says."""
    config: Mapping[str, Any] = next((s.get("config", {}) for s in run.plan if s.get("name") == "bundle"), {})
    return str(config.get("tuned", "tuned"))


def compare(a: Side, b: Side, metric: str = "") -> Comparison:
    """Pair the rows and compare. The metric is the gate's of A's run unless one is named."""
    chosen = metric or str(a.evidence.facts("gate").get("metric", "")) or _first_metric(a)
    _refuse_unknown(chosen, a, b)
    sign = 1.0 if _higher_is_better(a, chosen) else -1.0
    common = [row for row in a.scores if row in b.scores]
    if not common:
        raise InputError(f"{a.label} and {b.label} answered no row in common: their test rows differ")
    rows = [_row(row, a, b, chosen, sign) for row in common]
    confidence = float(a.evidence.facts("gate").get("confidence", CONFIDENCE))
    found = _interval(a, rows, confidence)
    left_out = len(a.scores.keys() ^ b.scores.keys())
    return Comparison(a, b, chosen, rows, found.mean, found.low, found.high, confidence, left_out)


def _interval(a: Side, rows: Sequence[RowResult], confidence: float) -> Interval:
    """The mean difference with its interval, drawn as the gate of A's run draws its own: the same numbers come out."""
    from factory.data import stats

    plan = next((s for s in a.evidence.run.plan if s.get("name") == "gate"), {})
    gate: Mapping[str, Any] = plan.get("config", {}).get("gate", {})
    data = stats.sample([row.difference for row in rows], [row.group or row.id for row in rows])
    (means,) = stats.bootstrap([data], int(gate.get("resamples", RESAMPLES)), int(gate.get("seed", SEED)))
    return stats.estimate(data, means, confidence).interval


def _row(row: str, a: Side, b: Side, metric: str, sign: float) -> RowResult:
    group, ours = a.scores[row]
    left, right = float(ours[metric]), float(b.scores[row][1][metric])
    better = sign * (left - right)
    result = TIED if abs(better) <= TIE else WON if better > 0 else LOST
    return RowResult(row, group, left, right, result)


def _first_metric(a: Side) -> str:
    return next(iter(next(iter(a.scores.values()))[1]), "")


def _refuse_unknown(metric: str, *both: Side) -> None:
    for one in both:
        known = list(next(iter(one.scores.values()))[1])
        if metric not in known:
            raise InputError(f"{one.label} was not scored by {metric!r}; it was by {', '.join(known)}")


def _higher_is_better(a: Side, metric: str) -> bool:
    metrics = a.evidence.facts("score").get("metrics", [])
    return all(m.get("higher_is_better", True) for m in metrics if m.get("name") == metric)


@dataclass
class Shelf:
    """The test rows of a run in words: each through its task, or as its bare columns when the task is not installed."""

    evidence: Evidence
    registry: Registry | None = None

    @cached_property
    def task(self) -> Task | None:
        """The task of the run's plan, or None when its plugin is not here."""
        from factory.plugins import load_installed_registry

        plan = self.evidence.run.plan
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

        return {r["id"]: Row.from_json(r) for r in self.evidence.lines("freeze", "test.jsonl")}

    @cached_property
    def tables(self) -> dict[str, dict[str, Row]]:
        """The side tables that the sources filled."""
        from factory.api import Row

        gathered = self.evidence.folder("gather")
        files = sorted((gathered / "tables").glob("*.jsonl")) if gathered else []
        lines = {f.stem: self.evidence.lines("gather", f"tables/{f.name}") for f in files}
        return {table: {r["id"]: Row.from_json(r) for r in found} for table, found in lines.items()}

    def example(self) -> dict[str, Any]:
        """What a person would ask to get the first test row; empty when the rows, or the task, are not there."""
        row = next(iter(self.rows.values()), None)
        if self.task is None or row is None:
            return {}
        try:
            return dict(self.task.extract_query(row))
        except Exception:  # a stranger's task must not cost the verdict
            return {}

    def show(self, row: str, side: Side | None = None) -> str:
        """A row, with what a contender said to it, for a person."""
        from factory.api import Answer

        found = self.rows.get(row)
        if found is None:
            return row
        answer = Answer(row, side.answers[row]) if side and row in side.answers else None
        return self._shown(found, answer)

    def beside(self, row: str, a: Side, b: Side) -> tuple[str, str, str]:
        """What both sides' texts begin with, line by line, and then the rest of each."""
        left, right = self.show(row, a).splitlines(), self.show(row, b).splitlines()
        same = next(
            (i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), min(len(left), len(right))
        )
        first, second, third = left[:same], left[same:], right[same:]
        return "\n".join(first), dedent("\n".join(second)), dedent("\n".join(third))

    def _shown(self, row: Row, answer: Answer | None) -> str:
        if self.task is not None:
            try:
                return self.task.describe_row(row, self.tables, answer)
            except Exception:  # a stranger's `show` must not cost the comparison
                pass
        plain = {name: value for name, value in row.columns.items() if isinstance(value, str | int | float)}
        said = f" → {str(answer.output)[:PLAIN]}" if answer else ""
        return f"{' · '.join(map(str, plain.values()))[:PLAIN]}{said}"
