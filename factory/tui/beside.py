"""Two to six sets of answers: which is better in what, where their specs differ, and what each said to a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.errors import FactoryError, InputError
from factory.evaluation import compare
from factory.evaluation.compare import ContenderComparison, ContenderResults, FrozenRowViewer
from factory.runs import run_view
from factory.runs.run_outputs import RunOutputs
from factory.views.formatting import find_deciding_comparison

LEAST, MOST = 2, 6
"""Sets of answers that are compared at once."""
LETTERS = "ABCDEF"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the spec in which runs differ: for each side the value and who said it."""

    path: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Score:
    """One metric: the mean of each side over its rows, each side against the first, and the winner if there is one."""

    metric: str
    means: tuple[float | None, ...]
    against: tuple[ContenderComparison | None, ...]
    higher: bool
    """Whether more is better."""
    winner: int | None
    """Index of the side whose lead over every other is outside the noise; None when there is none."""


@dataclass
class Beside:
    """The sides, the first of which is the one that the others are held against."""

    sides: Sequence[ContenderResults]
    scores: list[Score] = field(default_factory=list)
    pairs: dict[tuple[int, int, str], ContenderComparison] = field(default_factory=dict)

    @cached_property
    def shelf(self) -> FrozenRowViewer:
        """The test rows in words."""
        return FrozenRowViewer(self.sides[0].run_outputs)

    @cached_property
    def labels(self) -> list[str]:
        """What tells the sides apart: the contender alone when all are of one run, else the specialist too."""
        ids = {side.run_outputs.run.id for side in self.sides}
        names = [side.run_outputs.run.name for side in self.sides]
        if len(ids) == 1:
            return [side.contender for side in self.sides]
        contenders = {side.contender for side in self.sides}
        told = [_told(side, len(set(names)) == len(names)) for side in self.sides]
        return told if len(contenders) == 1 else [f"{t}:{s.contender}" for t, s in zip(told, self.sides, strict=True)]

    @property
    def metric(self) -> str:
        """The deciding metric."""
        return compare_metric(self.sides[0])

    def pair(self, a: int, b: int, metric: str = "") -> ContenderComparison:
        """Side `a` against side `b`, remembered. Raises InputError when they have no row or metric in common."""
        key = (a, b, metric or self.metric)
        if key not in self.pairs:
            self.pairs[key] = compare.compare_contenders(self.sides[a], self.sides[b], key[2])
        return self.pairs[key]

    def work(self) -> Iterator[Score]:
        """Score metric after metric, the deciding one first: each takes a while."""
        names = list(next(iter(self.sides[0].scores.values()), ("", {}))[1])
        for metric in sorted(names, key=lambda name: name != self.metric):
            made = self._score(metric)
            self.scores.append(made)
            yield made

    def _score(self, metric: str) -> Score:
        means = tuple(_mean(side, metric) for side in self.sides)
        against = tuple(None if b == 0 else self.maybe(0, b, metric) for b in range(len(self.sides)))
        return Score(metric, means, against, _higher(self.sides[0], metric), self._winner(metric, means))

    def maybe(self, a: int, b: int, metric: str = "") -> ContenderComparison | None:
        """As `pair`; None when there is nothing to pair."""
        try:
            return self.pair(a, b, metric)
        except FactoryError:
            return None

    def _winner(self, metric: str, means: Sequence[float | None]) -> int | None:
        """The best side, if its lead over each other one is outside the noise."""
        higher = _higher(self.sides[0], metric)
        there = [(mean, place) for place, mean in enumerate(means) if mean is not None]
        if len(there) < len(self.sides):
            return None
        best = (max if higher else min)(there)[1]
        for other in range(len(self.sides)):
            found = self.maybe(best, other, metric) if other != best else None
            if other != best and (found is None or not (found.low > 0 if higher else found.high < 0)):
                return None
        return best

    @cached_property
    def fields(self) -> list[Field]:
        """Where the specs differ, in the order of the first."""
        told = [{v.get("path", ""): v for v in side.run_outputs.run.resolved} for side in self.sides]
        paths = dict.fromkeys(path for values in told for path in values)
        rows = [Field(path, tuple(_said(values.get(path)) for values in told)) for path in paths]
        return [row for row in rows if len({value for value, _ in row.values}) > 1]

    def said(self, row: str) -> tuple[str, list[str]]:
        """What the texts of all sides begin with, and the rest of each."""
        texts = [self.shelf.show(row, side).splitlines() for side in self.sides]
        shortest = min(map(len, texts))
        same = next((i for i in range(shortest) if len({text[i] for text in texts}) > 1), shortest)
        return "\n".join(texts[0][:same]), ["\n".join(text[same:]).strip("\n") for text in texts]


def _told(side: ContenderResults, by_name: bool) -> str:
    run = side.run_outputs.run
    return run.name if by_name and run.name else f"{run.name} {run.id[9:15]}"


def _mean(side: ContenderResults, metric: str) -> float | None:
    found = [values[metric] for _, values in side.scores.values() if metric in values]
    return sum(found) / len(found) if found else None


def _higher(side: ContenderResults, metric: str) -> bool:
    metrics = side.run_outputs.read_stage_json("score").get("metrics", [])
    return all(m.get("higher_is_better", True) for m in metrics if m.get("name") == metric)


def _said(value: dict[str, Any] | None) -> tuple[str, str]:
    import json

    if value is None:
        return "–", ""
    shown = value.get("value")
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    where = f" line {value['line']}" if value.get("line") else ""
    return text, f"{value.get('origin', '')}{where}"


def compare_metric(side: ContenderResults) -> str:
    """The metric of the gate, or the first that was scored."""
    first = next(iter(next(iter(side.scores.values()), ("", {}))[1]), "")
    return str(side.run_outputs.read_stage_json("gate").get("metric") or first)


def beside(home: Path, texts: Sequence[str]) -> Beside:
    """The sides that runs, specialists or RUN:contender name. One run alone is taken apart into its contenders.

    Raises InputError for what is not there, and for less than two or more than six.
    """
    wanted = list(texts) or ["latest"]
    if len(wanted) == 1 and ":" not in wanted[0]:
        first = compare.load_contender_results(home, wanted[0])
        return Beside([first, *(ContenderResults(first.run_outputs, name) for name in rivals(first.run_outputs, first.contender))])
    if not LEAST <= len(wanted) <= MOST:
        raise InputError(f"{LEAST} to {MOST} runs or contenders can be compared, not {len(wanted)}")
    return Beside([compare.load_contender_results(home, text) for text in wanted])


def rivals(evidence: RunOutputs, tuned: str) -> list[str]:
    """Whom to hold a run's own model against: what decided, the prompted, the untuned, then the rest; three at most."""
    known = [
        c
        for c in evidence.list_contenders()
        if c != tuned and (evidence.find_stage_folder("score") or Path()).joinpath(f"{c}.jsonl").is_file()
    ]
    first = str(find_deciding_comparison(evidence.read_stage_json("gate")).get("baseline", ""))
    order = [first, *(c for c in known if c.startswith("prompted")), "untuned", *known]
    chosen = [c for c in dict.fromkeys(order) if c in known][:3]
    if not chosen:
        raise InputError(f"{evidence.run.id} has nothing to compare its {tuned} with")
    return chosen


def words_apart(ours: str, theirs: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts in pieces, each with whether the other text has it not; words are compared, not letters."""
    a, b = (_tokens(text) for text in (ours, theirs))
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if i2 > i1:
            left.append(("".join(a[i1:i2]), tag != "equal"))
        if j2 > j1:
            right.append(("".join(b[j1:j2]), tag != "equal"))
    return left, right


def _tokens(text: str) -> list[str]:
    import re

    return re.findall(r"\w+|\s+|[^\w\s]", text)


def evidence_of(home: Path, text: str) -> RunOutputs:
    """The evidence of the run that a text means."""
    from factory.runs import specialists

    return RunOutputs(home, run_view.find_run(home, specialists.find_version(home, text).run if "@" in text else text))
