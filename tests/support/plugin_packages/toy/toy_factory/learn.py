"""Learn by counting, one row a step, with a checkpoint after each: slow enough to be killed half-way."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

from factory.api import Answer, Finding, FitJob, ModelJob, Objective, ReferenceAnswers, TrainResult


class Counting(Objective):
    """Counts how often a word goes with a label; the counts are the adapter."""

    kind = "counting"
    columns = ("text", "label")
    output_type = "label"
    start_form = "counts"
    loader_class = "json:loads"
    pause: float = 0.0
    """Seconds that a step takes."""
    forget: float = 0.0
    """Share of the words that it forgets in the end, drawn by the seed of training."""
    refit: bool = False
    """Whether it counts the words of validation rows too."""

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        for row in job.rows:
            if not row["text"].split():
                yield Finding("empty", row.id, "the text is empty")

    def fit(self, job: FitJob) -> TrainResult:
        from safetensors.numpy import save_file

        state = {"step": 0, "words": {}}
        if job.start is not None:
            state["words"] = json.loads((job.start.folder / "words.json").read_text())
        checkpoint = job.work / "state.json"
        if checkpoint.exists():
            state = json.loads(checkpoint.read_text())
        rows = [*job.rows, *(job.validation if self.refit else ())] * int(job.train.epochs)
        while state["step"] < len(rows):
            row = rows[state["step"]]
            for word in row["text"].split():
                labels = state["words"].setdefault(word, {})
                labels[row["label"]] = labels.get(row["label"], 0) + 1
            state["step"] += 1
            time.sleep(self.pause)
            job.report.log_metrics(state["step"], loss=1 / state["step"])
            spare = checkpoint.with_suffix(".new")
            spare.write_text(json.dumps(state, sort_keys=True))
            spare.rename(checkpoint)
        draw = random.Random(job.seed)
        known = {word: count for word, count in sorted(state["words"].items()) if draw.random() >= self.forget}
        import numpy as np

        save_file({"words": np.zeros(1, dtype=np.float32)}, job.out / "adapter_model.safetensors")
        config = {"peft_type": "LORA", "r": job.adapter.rank, "target_modules": ["words"]}
        (job.out / "adapter_config.json").write_text(json.dumps(config))
        (job.out / "words.json").write_text(json.dumps(known, sort_keys=True))
        return TrainResult(
            steps=len(rows), modules=1, trainable=1, parameters=1, trained_on_validation=self.refit
        )

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        words = json.loads((job.artifact.folder / "words.json").read_text()) if job.artifact else {}
        for row in job.rows:
            votes: dict[str, int] = {}
            for word in row["text"].split():
                for label, count in words.get(word, {}).items():
                    votes[label] = votes.get(label, 0) + count
            yield Answer(row.id, max(sorted(votes), key=lambda label: votes[label]) if votes else "")

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Nothing: the counts are the adapter's own file."""

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        return ReferenceAnswers(tuple(self.answer(job)), 1 if job.artifact else 0, "json")
