"""Compare two contenders' answers to the same frozen rows: won, lost and tied rows, and the paired difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, cast

from factory.bundle.delivered import find_exporting_contender
from factory.bundle.manifest import find_manifest
from factory.errors import FactoryError, InputError
from factory.evaluation import paired_tests, statistics
from factory.evaluation.seed_tests import measure_seeds
from factory.plan.seed_names import name_seed
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RunView
from factory.runs.specialists import find_run_outputs

if TYPE_CHECKING:
    from factory.api import Row, Task
    from factory.registry.registry import Registry

WON, LOST, TIED = "won", "lost", "tied"
CONFIDENCE = 0.95
"""Confidence of the interval if the run has no gate."""
MAX_ROW_LETTERS = 400
"""Length limit of a row, and of an answer, if its task cannot render it."""


@dataclass(frozen=True)
class ContenderResults:
    """One contender's answers in one run."""

    run_outputs: RunOutputs
    contender: str

    @property
    def label(self) -> str:
        """The contender as `RUN:contender`."""
        return f"{self.run_outputs.run.id}:{self.contender}"

    @cached_property
    def scores(self) -> dict[str, tuple[str, Mapping[str, float]]]:
        """Row id → (group, values by metric)."""
        rows = self.run_outputs.read_stage_lines("score", f"{self.contender}.jsonl")
        return {r["id"]: (r.get("group", ""), r["values"]) for r in rows}

    @cached_property
    def seed_scores(self) -> list[dict[str, Mapping[str, float]]]:
        """Row id → values by metric, for each seed of a contender of which `scores` are the means; [] for one seed."""
        seeds = self.run_outputs.read_stage_json("score").get("seeds", {}).get(self.contender, {})
        files = (f"{name_seed(self.contender, int(seed))}.jsonl" for seed in sorted(seeds, key=int))
        return [{r["id"]: r["values"] for r in self.run_outputs.read_stage_lines("score", file)} for file in files]

    def choose_row_metric(self) -> str:
        """Return the metric that decides, or the first of the rows if that is a total over all of them."""
        deciding = str(self.run_outputs.read_gate().get("metric", ""))
        metrics = next(iter(self.scores.values()), ("", {}))[1]
        total = self.run_outputs.read_stage_json("score").get("total", "") if deciding not in metrics else ""
        return deciding if deciding and deciding != total else next(iter(metrics), "")

    @cached_property
    def answers(self) -> dict[str, Any]:
        """Row id → the contender's output."""
        lines = self.run_outputs.read_stage_lines(f"answer[{self.contender}]", "answers.jsonl")
        return {line["id"]: line["output"] for line in lines}


@dataclass(frozen=True, slots=True)
class RowResult:
    """The two scores of a row; `result` is won, lost or tied for A."""

    id: str
    group: str
    a: float
    b: float
    result: str
    seeds: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """The scores of each seed of A and of B; empty of a side with one seed."""

    @property
    def difference(self) -> float:
        return paired_tests.subtract_score(self.a, self.b)


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
    binary: bool
    has_enough_groups: bool
    """Whether the rows are of enough groups to call a side better."""
    one_sided_rows: int
    """Number of rows that only one side answered."""

    def count_rows(self, result: str) -> int:
        return sum(row.result == result for row in self.rows)

    def compute_side_mean(self, side: str) -> float:
        """Return the mean of `a` or `b` over the rows."""
        return sum(row.a if side == "a" else row.b for row in self.rows) / len(self.rows)

    def select_strongest(self, result: str, limit: int) -> list[RowResult]:
        """Return the rows of one result with the largest differences, ordered by id on a tie."""
        rows = [row for row in self.rows if row.result == result]
        return sorted(rows, key=lambda row: (-abs(row.difference), row.id))[:limit]


def load_contender_results(home: Path, text: str) -> ContenderResults:
    """Load the results of `RUN:contender`; `RUN` alone means its tuned model, `NAME@VERSION` what that delivers.

    A run may be named by its specialist (the newest run). Raises InputError for an unknown one.
    """
    name, _, contender = text.partition(":")
    evidence = find_run_outputs(home, name)
    delivered = find_exporting_contender(find_manifest(evidence.find_stage_folder("bundle"))) if "@" in name else ""
    known = evidence.list_contenders(seeds=True)
    contender = contender or delivered or find_tuned_contender(evidence.run)
    if contender not in known:
        raise InputError(f"{evidence.run.id} has no contender {contender!r}; it has {', '.join(known) or 'none'}")
    results = ContenderResults(evidence, contender)
    if not results.scores:
        raise InputError(f"{results.label} has no scores: the build stopped before, or `factory gc` removed them")
    return results


def find_tuned_contender(run: RunView) -> str:
    """Return the name of the contender with the trained adapter, from the run's plan."""
    config: Mapping[str, Any] = next((s.get("config", {}) for s in run.plan if s.get("name") == "bundle"), {})
    return str(config.get("tuned", "tuned"))


def compare_contenders(a: ContenderResults, b: ContenderResults, metric: str = "") -> ContenderComparison:
    """Pair the rows and compare them by `metric`, by default that of the gate of A's run."""
    gate = a.run_outputs.read_gate()
    metric = metric or a.choose_row_metric()
    for side in (a, b):
        known = list(next(iter(side.scores.values()))[1])
        if metric not in known:
            raise InputError(f"{side.label} has no metric {metric!r}; it has {', '.join(known)}")
    metrics = a.run_outputs.read_stage_json("score").get("metrics", [])
    facts: Mapping[str, Any] = next((m for m in metrics if m.get("name") == metric), {})
    higher_is_better = bool(facts.get("higher_is_better", True))
    rows = [_score_row_pair(row, a, b, metric, higher_is_better) for row in a.scores if row in b.scores]
    if not rows:
        raise InputError(f"{a.label} and {b.label} have no test rows in common")
    # With the settings of the gate of A's run, the interval is the one that gate.json has.
    plan = next((stage for stage in a.run_outputs.run.plan if stage.get("name") == "gate"), {})
    settings: Mapping[str, Any] = plan.get("config", {}).get("gate", {})
    confidence, binary = float(gate.get("confidence", CONFIDENCE)), bool(facts.get("binary", False))
    draws = (int(settings.get("resamples", statistics.RESAMPLES)), int(settings.get("seed", statistics.SEED)))
    result = compare_rows(rows, confidence, binary, draws)
    interval = result.interval
    # A contender differs from itself by nothing, of which no sample needs to persuade.
    low, high = (0.0, 0.0) if a.label == b.label else (interval.low, interval.high)
    unpaired = len(a.scores.keys() ^ b.scores.keys())
    return ContenderComparison(
        a, b, metric, rows, interval.mean, low, high, confidence, binary, result.has_enough_groups, unpaired
    )


def compare_rows(
    rows: Sequence[RowResult], confidence: float, binary: bool,
    draws: tuple[int, int] = (statistics.RESAMPLES, statistics.SEED),
) -> paired_tests.TestedDifference:
    """Return the test of A − B on these rows: the gate's own, at a margin of 0."""
    clusters = [row.group or row.id for row in rows]
    by_seed = (list(zip(*(row.seeds[side] for row in rows), strict=True)) for side in (0, 1))
    (result,) = paired_tests.run_paired_tests(
        [[row.difference for row in rows]], clusters, confidence, binary=binary,
        span=paired_tests.compute_span([row.a for row in rows], [row.b for row in rows]), draws=draws,
        seeds=[part for values in by_seed for part in measure_seeds(values, clusters)],
    )
    return result


def _score_row_pair(
    row: str, a: ContenderResults, b: ContenderResults, metric: str, higher_is_better: bool
) -> RowResult:
    group, values = a.scores[row]
    left, right = float(values[metric]), float(b.scores[row][1][metric])
    gain = paired_tests.subtract_score(left, right) * (1 if higher_is_better else -1)
    seeds = (
        tuple(float(scores[row][metric]) for scores in a.seed_scores),
        tuple(float(scores[row][metric]) for scores in b.seed_scores),
    )
    return RowResult(row, group, left, right, WON if gain > 0 else LOST if gain < 0 else TIED, seeds)


@dataclass
class FrozenRowViewer:
    """Renders the frozen test rows of a run through its task, or as plain columns if the task is not installed."""

    run_outputs: RunOutputs
    registry: Registry | None = None

    @cached_property
    def task(self) -> Task | None:
        """The task of the run's plan, or None if its plugin is not installed."""
        from factory.registry.registry import load_installed_registry

        plan = self.run_outputs.run.plan
        block = next((s["config"]["task"] for s in plan if "task" in s.get("config", {})), None)
        try:
            registry = self.registry or load_installed_registry()
            return cast("Task", registry.make_plugin("task", block)) if block else None
        except FactoryError:
            return None

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Row id → frozen test row."""
        from factory.api import Row

        return {r["id"]: Row.from_json(r) for r in self.run_outputs.read_stage_lines("freeze", "test.jsonl")}

    @cached_property
    def tables(self) -> dict[str, dict[str, Row]]:
        """The side tables of the sources."""
        from factory.data.rows import read_side_tables

        folder = self.run_outputs.find_intact_folder("gather")
        return read_side_tables(folder) if folder else {}

    def build_example_question(self) -> dict[str, Any]:
        """Return the query of the first test row; empty if there is none, or its task is not installed."""
        return self.extract_question(next(iter(self.rows), ""))

    def extract_question(self, row: str) -> dict[str, Any]:
        """Return the query of a test row; empty if it is unknown, or its task is not installed."""
        if self.task is None or row not in self.rows:
            return {}
        try:
            return dict(self.task.extract_query(self.rows[row]))
        except Exception:  # a plugin's fault must not hide the verdict or end a comparison
            return {}

    def show(self, row: str, side: ContenderResults | None = None) -> str:
        """Return a row as text, with a contender's answer."""
        from factory.api import Answer

        frozen = self.rows.get(row)
        if frozen is None:
            return row
        answer = Answer(row, side.answers[row]) if side and row in side.answers else None
        if self.task is not None:
            with suppress(Exception):  # a plugin's fault must not end the comparison
                return self.task.describe_row(frozen, self.tables, answer)
        values = [str(value) for value in frozen.columns.values() if isinstance(value, str | int | float)]
        output = f" → {str(answer.output)[:MAX_ROW_LETTERS]}" if answer else ""
        return f"{' · '.join(values)[:MAX_ROW_LETTERS]}{output}"

    def show_side_by_side(self, row: str, sides: Sequence[ContenderResults]) -> tuple[str, list[str]]:
        """Return the lines that the texts of all sides begin with, and the rest of each."""
        texts = [self.show(row, side).splitlines() for side in sides]
        # Ends with the shortest text; what all begin with is shown once.
        same = list(takewhile(lambda lines: len(set(lines)) == 1, zip(*texts, strict=False)))
        rest = [dedent("\n".join(text[len(same):])).strip("\n") for text in texts]
        return "\n".join(lines[0] for lines in same), rest
