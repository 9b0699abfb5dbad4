"""Comparison of two to six contenders, of one run or several: by metric, by spec value, and row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.errors import READ_ERRORS, FactoryError, InputError
from factory.evaluation import compare
from factory.evaluation.compare import ContenderComparison, ContenderResults, FrozenRowViewer
from factory.evaluation.slices import Slice, compare_slices
from factory.runs.run_outputs import RunOutputs, find_deciding_comparison

if TYPE_CHECKING:
    from factory.registry.registry import Registry

MIN_SIDES, MAX_SIDES = 2, 6
"""Number of contenders that can be compared at once."""
MAX_RIVALS = 3


@dataclass(frozen=True, slots=True)
class SpecDifference:
    """A spec value that differs between the runs: for each side the value and where it came from."""

    path: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MetricScore:
    """One metric: every side's mean, the first side compared with each, and the winner."""

    metric: str
    means: tuple[float | None, ...]
    comparisons: tuple[ContenderComparison | None, ...]
    higher_is_better: bool
    winner: int | None
    """Index of the side whose lead over every other one is significant; None when there is none."""


@dataclass
class Comparison:
    """The sides of a comparison; the others are compared with the first."""

    sides: Sequence[ContenderResults]
    registry: Registry | None = None
    """The plugins with which rows are rendered; by default those that are installed."""
    chosen_metric: str = ""
    scores: list[MetricScore] = field(default_factory=list)
    pairs: dict[tuple[int, int, str], ContenderComparison] = field(default_factory=dict)

    @cached_property
    def row_viewer(self) -> FrozenRowViewer:
        """Renders the held-out test rows (frozen) as text."""
        return FrozenRowViewer(self.sides[0].run_outputs, self.registry)

    @cached_property
    def labels(self) -> list[str]:
        """Short names that distinguish the sides: contenders within one run, else specialists, else both."""
        runs = [side.run_outputs.run for side in self.sides]
        contenders = [side.contender for side in self.sides]
        if len({run.id for run in runs}) == 1:
            return contenders
        # A run id starts with the date; its time of day tells runs of one specialist apart.
        unique = len({run.name for run in runs}) == len(runs)
        names = [run.name if unique and run.name else f"{run.name} {run.id[9:15]}" for run in runs]
        if len(set(contenders)) == 1:
            return names
        return [f"{name}:{contender}" for name, contender in zip(names, contenders, strict=True)]

    @property
    def metric(self) -> str:
        """The chosen metric, else that of the gate if rows have it, else the first that was scored."""
        return self.chosen_metric or self.sides[0].choose_row_metric()

    def compare_pair(self, a: int, b: int, metric: str = "") -> ContenderComparison:
        """Compare side `a` with side `b`, once. Raises InputError when they share no row or metric."""
        key = (a, b, metric or self.metric)
        if key not in self.pairs:
            self.pairs[key] = compare.compare_contenders(self.sides[a], self.sides[b], key[2])
        return self.pairs[key]

    def find_pair(self, a: int, b: int, metric: str = "") -> ContenderComparison | None:
        """Return what `compare_pair` does, or None when the sides share nothing."""
        try:
            return self.compare_pair(a, b, metric)
        except FactoryError:
            return None

    def score_metrics(self) -> Iterator[MetricScore]:
        """Score all metrics, the deciding one first. A generator, because each bootstrap takes a while."""
        names = list(next(iter(self.sides[0].scores.values()), ("", {}))[1])
        for metric in sorted(names, key=lambda name: name != self.metric):
            score = self._score_metric(metric)
            self.scores.append(score)
            yield score

    def _score_metric(self, metric: str) -> MetricScore:
        values = [[v[metric] for _, v in side.scores.values() if metric in v] for side in self.sides]
        means = tuple(sum(v) / len(v) if v else None for v in values)
        with_first = tuple(None if b == 0 else self.find_pair(0, b, metric) for b in range(len(self.sides)))
        metrics = self.sides[0].run_outputs.read_stage_json("score").get("metrics", [])
        higher = all(m.get("higher_is_better", True) for m in metrics if m.get("name") == metric)
        return MetricScore(metric, means, with_first, higher, self._find_winner(metric, means, higher))

    def _find_winner(self, metric: str, means: Sequence[float | None], higher: bool) -> int | None:
        """Return the best side if the interval of its lead over every other side excludes zero."""
        # Without a mean for every side nobody can be ahead of all others.
        ranked = [(mean, index) for index, mean in enumerate(means) if mean is not None]
        if len(ranked) < len(self.sides):
            return None
        best = (max if higher else min)(ranked)[1]
        # Lazy: each pair takes a bootstrap, and the first without a significant lead decides.
        pairs = (self.find_pair(best, other, metric) for other in range(len(self.sides)) if other != best)
        return best if all(
            pair and pair.has_enough_groups and (pair.low > 0 if higher else pair.high < 0) for pair in pairs
        ) else None

    @cached_property
    def spec_differences(self) -> list[SpecDifference]:
        """Values in which the resolved specs differ, in the order of the first spec."""
        specs = [{v.get("path", ""): v for v in side.run_outputs.run.resolved} for side in self.sides]
        paths = dict.fromkeys(path for spec in specs for path in spec)
        rows = [SpecDifference(path, tuple(_format_spec_value(spec.get(path)) for spec in specs)) for path in paths]
        return [row for row in rows if len({value for value, _ in row.values}) > 1]


def _format_spec_value(entry: dict[str, Any] | None) -> tuple[str, str]:
    """Return the text of a resolved spec value, and its origin with the line."""
    if entry is None:
        return "–", ""
    value = entry.get("value")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = f" line {entry['line']}" if entry.get("line") else ""
    return text, f"{entry.get('origin', '')}{line}"


def load_comparison(
    home: Path, names: Sequence[str], registry: Registry | None = None, metric: str = ""
) -> Comparison:
    """Load what runs, specialists or RUN:contender name; a single run is split into its contenders.

    Raises InputError for an unknown name, and for fewer than two or more than six sides.
    """
    names = list(names) or ["latest"]
    if len(names) == 1 and ":" not in names[0]:
        first = compare.load_contender_results(home, names[0])
        rivals = select_rivals(first.run_outputs, first.contender)
        sides = [first, *(ContenderResults(first.run_outputs, rival) for rival in rivals)]
    elif MIN_SIDES <= len(names) <= MAX_SIDES:
        sides = [compare.load_contender_results(home, name) for name in names]
    else:
        raise InputError(f"`compare` takes {MIN_SIDES} to {MAX_SIDES} runs or contenders, not {len(names)}")
    return Comparison(sides, registry, metric)


def select_rivals(outputs: RunOutputs, tuned: str) -> list[str]:
    """Return at most three contenders to compare with `tuned`: the deciding baseline, prompted, untuned, the rest."""
    scores = outputs.find_intact_folder("score") or Path()
    scored = [c for c in outputs.list_contenders() if c != tuned and (scores / f"{c}.jsonl").is_file()]
    deciding = str(find_deciding_comparison(outputs.read_gate()).get("baseline", ""))
    # The interesting ones first: `dict.fromkeys` keeps the first of each name.
    order = [deciding, *(c for c in scored if c.startswith("prompted")), "untuned", *scored]
    rivals = [c for c in dict.fromkeys(order) if c in scored][:MAX_RIVALS]
    if not rivals:
        raise InputError(f"run {outputs.run.id} has no scored contender (baseline or candidate) besides {tuned}")
    return rivals


def load_deciding_comparison(outputs: RunOutputs) -> ContenderComparison | None:
    """Compare the tuned model with the deciding baseline; None without one, or when the rows cannot be read."""
    try:
        baseline = str(find_deciding_comparison(outputs.read_gate()).get("baseline", ""))
        tuned = ContenderResults(outputs, compare.find_tuned_contender(outputs.run))
        return compare.compare_contenders(tuned, ContenderResults(outputs, baseline)) if baseline else None
    except READ_ERRORS:
        return None


def load_slices(pair: ContenderComparison | None) -> list[Slice]:
    """Compare both sides on every slice of their rows; [] when rows or task cannot be read."""
    try:
        return compare_slices(pair, FrozenRowViewer(pair.a.run_outputs)) if pair else []
    except READ_ERRORS:
        return []
