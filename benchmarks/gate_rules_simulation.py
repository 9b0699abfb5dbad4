"""How often the rules of the gate err: floor, target, guards, match and totals, judged by the gate's own functions.

In every setting the truth lies exactly on the edge: tuned is worth the floor, a prompted contender is worth the
target, tuned has fallen by what a guard allows, or two contenders have the same total. A rule that is then met is a
false `SHIP` (of a target, a false `PROMPTING_IS_ENOUGH`); one that fails is a wrong `NO_SHIP`. Either should happen in
at most 2.5 % of builds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import numpy as np
from entry import run_main

from factory.api import Answer, Eval, Metric, Provenance, Row, ScoreJob
from factory.api.jobs import Reporter
from factory.evaluation.gate import decide_verdict
from factory.evaluation.match import judge_match
from factory.evaluation.rules import RuleJudge, RuleState
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.totals import resample_total
from factory.spec.fields import Gate, Guard, Match
from factory_classify.classification_metrics import ClassificationMetrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ERROR_RATE = 0.025
SCORE = Metric("score", "a number from 0 to 1")
RIGHT = Metric("right", "whether it is right", binary=True)
WITHIN = 0.02
DrawAnswers = Callable[[np.random.Generator, int], tuple[list[str], list[Any], list[Any]]]


@dataclass(frozen=True)
class RuleSetting:
    """Builds of one kind: `judge(generator, resamples)` draws one and says whether met, and whether failed."""

    name: str
    judge: Callable[[np.random.Generator, int], tuple[bool, bool]]


def make_rows(values: Sequence[float] | Floats, metric: Metric, groups: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return scored rows as the stage `score` writes them."""
    names = groups or [""] * len(values)
    return [
        {"id": f"r{i:05}", "group": names[i], "values": {metric.name: float(value)}} for i, value in enumerate(values)
    ]


def make_judge(
    metric: Metric, gate: Gate, scores: Mapping[str, Sequence[float] | Floats], *, prompted: Sequence[str] = (),
    groups: Sequence[str] = (), slices: Mapping[str, Mapping[str, str]] | None = None,
) -> RuleJudge:
    """Return the judge of a build with these scores."""
    rows = {name: make_rows(values, metric, groups) for name, values in scores.items()}
    table = ScoreTable(rows, slices or {}, {metric.name: metric})
    return RuleJudge(gate, metric, table, prompted, "untuned")


def make_floor(
    name: str, truth: float, draw: Callable[[np.random.Generator], Floats], *, metric: Metric = SCORE,
    groups: Sequence[str] = (),
) -> RuleSetting:
    """Return a setting in which tuned is worth its floor."""

    def judge(generator: np.random.Generator, resamples: int) -> tuple[bool, bool]:
        made = make_judge(metric, Gate(floor=truth, resamples=resamples), {"tuned": draw(generator)}, groups=groups)
        state = made.judge_floor(truth).state
        return state is RuleState.MET, state is RuleState.FAILED

    return RuleSetting(f"floor, {name}", judge)


def make_binary_floor(rows: int, truth: float) -> RuleSetting:
    """Return a setting of right and wrong answers."""
    name = f"binary, {rows} rows, {truth:g} right"
    return make_floor(name, truth, lambda g: (g.random(rows) < truth).astype(float), metric=RIGHT)


def make_grouped_floor(name: str, sizes: Sequence[int]) -> RuleSetting:
    """Return a setting of scores whose groups differ as much as their rows do."""
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]

    def draw(generator: np.random.Generator) -> Floats:
        shared = np.repeat(generator.normal(0, 0.1, len(sizes)), sizes)
        return np.asarray(0.6 + shared + generator.normal(0, 0.1, len(groups)))

    return make_floor(name, 0.6, draw, groups=groups)


def make_target(prompted: int, rows: int = 100, truth: float = 0.8) -> RuleSetting:
    """Return a setting in which every prompted contender is worth the target."""
    names = [f"prompted{number}" for number in range(prompted)]

    def judge(generator: np.random.Generator, resamples: int) -> tuple[bool, bool]:
        scores = {name: (generator.random(rows) < truth).astype(float) for name in ("tuned", *names)}
        made = make_judge(RIGHT, Gate(target=truth, resamples=resamples), scores, prompted=names)
        return made.judge_target(truth).state is RuleState.ENOUGH, False

    return RuleSetting(f"target, {prompted} prompted, {rows} rows", judge)


def make_guards(name: str, falls: Sequence[float], rows: int, *, binary: bool = False) -> RuleSetting:
    """Return a setting of a slice with a guard for each fall; met are those of `WITHIN`, which may not be excluded."""
    slices = {f"r{i:05}": {"part": str(i // rows)} for i in range(rows * len(falls))}
    guards = [Guard(slice=f"part={number}", within=WITHIN) for number in range(len(falls))]

    def judge(generator: np.random.Generator, resamples: int) -> tuple[bool, bool]:
        scores = _draw_falls(generator, falls, rows, binary)
        made = make_judge(RIGHT if binary else SCORE, Gate(resamples=resamples), scores, slices=slices)
        states = [result.state for result in made.judge_guards(guards)]
        edge = [state for state, fall in zip(states, falls, strict=True) if fall == WITHIN]
        return RuleState.MET in edge, RuleState.FAILED in edge

    return RuleSetting(f"guards, {name}, {rows} rows each", judge)


def _draw_falls(generator: np.random.Generator, falls: Sequence[float], rows: int, binary: bool) -> dict[str, Floats]:
    if not binary:
        fall = np.repeat(np.asarray(falls), rows)
        base = generator.normal(0.6, 0.1, len(fall))
        return {"tuned": base - fall + generator.normal(0, 0.1, len(fall)), "untuned": base}
    lost = np.concatenate([
        generator.choice([1, 0, -1], rows, p=[0.06 + fall / 2, 0.88, 0.06 - fall / 2]) for fall in falls
    ])
    return {"tuned": (lost < 1).astype(float), "untuned": (lost > -1).astype(float)}


def make_match(rows: int) -> RuleSetting:
    """Return a setting in which tuned is worse than the contender to match by what the rule allows."""
    gate = Gate(match=Match(contender="untuned", within=WITHIN))

    def judge(generator: np.random.Generator, resamples: int) -> tuple[bool, bool]:
        made = make_judge(SCORE, gate, _draw_falls(generator, [WITHIN], rows, False))
        wanted = cast(Match, gate.match)
        state = judge_match(wanted, gate.model_copy(update={"resamples": resamples}), SCORE, made.table, {}).state
        return state is RuleState.MET, state is RuleState.FAILED

    return RuleSetting(f"match, {rows} rows", judge)


class SpanF1(Eval):
    """F1 over spans: twice the spans found, over the spans found, missed and made up. Answers are these counts."""

    kind = "span-f1"
    total_metrics = (Metric("span_f1", "F1 over all spans"),)

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        sums = np.array([job.answers[row.id].output for row in job.rows]).sum(axis=0)[None, :]
        return {"span_f1": float(self.compute_total_from_counts("span_f1", sums)[0])}

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        return [job.answers[row.id].output for row in job.rows]

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        found, wrong = np.asarray(sums, dtype=float).T
        return 2 * found / np.maximum(2 * found + wrong, 1)


def make_job(rows: Sequence[Row], outputs: Sequence[Any]) -> ScoreJob:
    """Return the job of an eval over these answers."""
    answers = {row.id: Answer(row.id, output) for row, output in zip(rows, outputs, strict=True)}
    return ScoreJob(7, cast(Reporter, None), Path(), {}, rows=rows, answers=answers)


def make_total(
    name: str, plugin: Eval, rows: int, draw: DrawAnswers, *, group: int = 1,
) -> RuleSetting:
    """Return a setting of two contenders with the same total; `draw` gives labels, and the answers of both."""
    (metric,) = plugin.total_metrics
    clusters = [f"g{i // group:04}" for i in range(rows)]

    def judge(generator: np.random.Generator, resamples: int) -> tuple[bool, bool]:
        labels, *outputs = draw(generator, rows)
        drawn = [Row(f"r{i:05}", {"label": label}, Provenance("drawn")) for i, label in enumerate(labels)]
        totals = {
            name: resample_total(plugin, metric.name, make_job(drawn, answers), clusters, (resamples, 7))
            for name, answers in zip(("tuned", "untuned"), outputs, strict=True)
        }
        scored = {name: make_rows([0.0] * rows, SCORE, clusters) for name in totals}
        table = ScoreTable(scored, {}, {metric.name: metric}, metric.name, totals)
        verdict = decide_verdict(table, metric, Gate(resamples=resamples))["verdict"]
        return verdict == "SHIP", verdict == "NO_SHIP"

    size = f"{rows} rows" + (f" in {rows // group} groups" if group > 1 else "")
    return RuleSetting(f"total, {name}, {size}", judge)


def draw_labels(shares: Sequence[float], hit: float) -> DrawAnswers:
    """Return a draw of labels with these shares, of which both contenders get `hit` right, independently."""
    names = [f"l{number}" for number in range(len(shares))]

    def answer(generator: np.random.Generator, labels: Sequence[str]) -> list[dict[str, float]]:
        return [
            {label if generator.random() < hit else str(generator.choice(names)): 1.0} for label in labels
        ]

    def draw(generator: np.random.Generator, rows: int) -> tuple[list[str], list[Any], list[Any]]:
        labels = generator.choice(names, rows, p=shares).tolist()
        return labels, answer(generator, labels), answer(generator, labels)

    return draw


def draw_spans(generator: np.random.Generator, rows: int) -> tuple[list[str], list[Any], list[Any]]:
    """Return counts of spans: texts have 0 to 6, of which 70 % are found."""
    spans = generator.integers(0, 7, rows)
    tuned, untuned = (
        np.stack([generator.binomial(spans, 0.7), generator.poisson(1, rows)], axis=1).tolist() for _ in range(2)
    )
    return [""] * rows, tuned, untuned


def list_rule_settings() -> list[RuleSetting]:
    """Return all settings, the truth on the edge in each."""
    binary = [make_binary_floor(n, p) for n in (20, 100, 500) for p in (0.3, 0.6, 0.9, 0.97)]
    numbers = [
        make_floor(f"beta of 8 and 2, {n} rows", 0.8, lambda g, n=n: g.beta(8, 2, n)) for n in (20, 100)
    ]
    groups = [make_grouped_floor("10 groups", [5] * 10), make_grouped_floor("12 uneven groups", [*range(1, 25, 2)])]
    targets = [make_target(count) for count in (1, 3)]
    guards = [
        make_guards("1 on the edge", [WITHIN], 100), make_guards("3 on the edge", [WITHIN] * 3, 100),
        make_guards("1 of 3 on the edge", [WITHIN, -0.1, -0.1], 100),
        make_guards("1 on the edge, binary", [WITHIN], 200, binary=True),
        make_guards("3 on the edge, binary", [WITHIN] * 3, 200, binary=True),
    ]
    even, uneven, judged = [0.2] * 5, [0.5, 0.2, 0.15, 0.1, 0.05], ClassificationMetrics()
    totals = [
        make_total("macro F1 of 5 even labels", judged, 100, draw_labels(even, 0.6)),
        make_total("macro F1 of 5 uneven labels", judged, 100, draw_labels(uneven, 0.6)),
        make_total("macro F1 of 5 uneven labels", judged, 300, draw_labels(uneven, 0.6)),
        make_total("macro F1 of 5 even labels", judged, 100, draw_labels(even, 0.6), group=5),
        make_total("F1 over spans", SpanF1(), 100, draw_spans), make_total("F1 over spans", SpanF1(), 20, draw_spans),
    ]
    return [*binary, *numbers, *groups, *targets, *guards, make_match(20), make_match(100), *totals]


def simulate_rule(setting: RuleSetting, builds: int, resamples: int, seed: int = 1) -> tuple[float, float]:
    """Return the shares of builds in which the rule was met, and in which it failed."""
    generator = np.random.default_rng([seed, len(setting.name)])
    judged = [setting.judge(generator, resamples) for _ in range(builds)]
    return sum(met for met, _ in judged) / builds, sum(failed for _, failed in judged) / builds


def compute_limit(builds: int) -> float:
    """Return the promised error with two standard errors of the simulation."""
    return ERROR_RATE + 2 * (ERROR_RATE * (1 - ERROR_RATE) / builds) ** 0.5


@click.command()
@click.option("--builds", default=2000, help="builds of each setting")
@click.option("--resamples", default=1000, help="bootstrap resamples")
def main(builds: int, resamples: int) -> None:
    """Print a table of all settings as Markdown."""
    click.echo("| rule, with the truth on its edge | false met | wrong failed | |")
    click.echo("|---|---|---|---|")
    for setting in list_rule_settings():
        met, failed = simulate_rule(setting, builds, resamples)
        faults = [word for word, share in (("met", met), ("failed", failed)) if share > compute_limit(builds)]
        click.echo(f"| {setting.name} | {met:.3f} | {failed:.3f} | {', '.join(faults) or 'as promised'} |")


if __name__ == "__main__":
    run_main(main)
