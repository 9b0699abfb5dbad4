"""Several seeds: choose the one that is bundled by validation rows, and hand on its artifact."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from factory.api import TRAIN, VALIDATION, Contender, Row
from factory.data.rows import read_json, write_json
from factory.evaluation.statistics import DIGITS
from factory.plan.seed_names import name_training
from factory.stages.answer import answer_by_contender, build_validation_scorer
from factory.stages.job import StageJob


@dataclass(frozen=True, slots=True)
class ChosenSeed:
    """The seed that is bundled, and the mean of `metric` over the validation rows by seed; empty without such rows."""

    bundled: int
    metric: str
    validation: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the choice as in train.json."""
        return {"bundled": self.bundled, "metric": self.metric, "validation": self.validation}


def run_choice(job: StageJob) -> None:
    """Write the artifact and `train.json` of the seed that is best on validation rows, and why it was chosen."""
    chosen = choose_seed(job)
    folder = job.inputs[name_training(chosen.bundled)]
    shutil.copytree(folder, job.out, dirs_exist_ok=True)
    write_json(job.out / "train.json", {**read_json(folder / "train.json"), "seeds": chosen.to_json()})


def choose_seed(job: StageJob) -> ChosenSeed:
    """Let the model of each seed answer the validation rows; of equal ones the first is chosen. Test rows are not read.

    Validation rows that a seed was trained on tell nothing: the first seed is chosen. The metric is the gate's, or if a
    total decides, the eval's primary one.
    """
    seeds, metric = job.config["seeds"], job.load_deciding_metric()[1]
    rows = job.open_input_rows("freeze", f"{VALIDATION}.jsonl")
    results = (read_json(job.inputs[name_training(seed)] / "train.json") for seed in seeds)
    if not rows or any(result.get("trained_on_validation") for result in results):
        return ChosenSeed(seeds[0], metric.name, {})
    scores = {seed: _score_seed(job, seed, rows) for seed in seeds}
    sign = 1 if metric.higher_is_better else -1  # a validation score is better if higher, whatever the metric
    shown = {str(seed): round(sign * score, DIGITS) for seed, score in scores.items()}
    return ChosenSeed(max(seeds, key=lambda seed: scores[seed]), metric.name, shown)


def _score_seed(job: StageJob, seed: int, rows: Sequence[Row]) -> float:
    """Return the mean score of a seed's answers to the validation rows."""
    contender = cast(Contender, job.make_plugin("contender", job.config["contender"]))
    # As the stage that answers the test rows sees its inputs: with this seed's training alone.
    inputs = {**job.inputs, "train": job.inputs[name_training(seed)]}
    own = replace(job, inputs=inputs, config={**job.config, "seed": seed})
    answers, _ = answer_by_contender(own, contender, rows, rows, own.load_artifact())
    return build_validation_scorer(own, own.open_input_rows("curate", f"{TRAIN}.jsonl"))(rows, answers)
