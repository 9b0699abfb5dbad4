"""Plugins for conformance builds: a source, and a task with its plugins for each output type, without any model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from factory.api import (
    Answer,
    AnswerJob,
    Contender,
    Eval,
    Finding,
    FitJob,
    Input,
    Job,
    Metric,
    ModelJob,
    Objective,
    Plugin,
    Provenance,
    ReferenceAnswers,
    Row,
    RowsJob,
    ScoreJob,
    Scores,
    Source,
    Task,
    TrainResult,
    hookimpl,
    read_numbered_jsonl,
)
from factory.api.label_sets import LABEL_SETS, build_certain_output

TEMPLATES = {
    "labels": {"text": "{text}", "system": "Say what it is.", "prompt": "{text}", "target": "{label}"},
    LABEL_SETS: {"text": "{text}", "system": "Say what it is.", "prompt": "{text}", "target": "{label}"},
    "ranking": {"query": "{query}", "document": "{text}", "text": "{query}"},
    "text": {"text": "{question}", "system": "Answer.", "prompt": "{question}", "target": "{answer}"},
}


class WorldSource(Source):
    """Reads rows and side tables in the kit's format."""

    kind = "world-rows"

    file: Annotated[Path, Input()] = Field(description="JSONL file with the rows")
    columns: list[str] = Field(description="columns of the rows")
    side_tables: list[str] = Field([], description="side tables in the file")

    @property
    def output_columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of its rows."""
        return tuple(self.columns)

    @property
    def tables(self) -> tuple[str, ...]:  # type: ignore[override]
        """The side tables that it fills."""
        return tuple(self.side_tables)

    def iter_rows(self, job: Job) -> Iterator[Row]:
        for number, value in read_numbered_jsonl(job.root / self.file, str(self.file)):
            origin = Provenance(str(self.file), number, licence="CC0-1.0")
            yield Row(value["id"], value["columns"], origin, value.get("group", ""), table=value.get("table", ""))


class WorldTask(Task):
    """A task of one output type over the kit's rows."""

    columns: ClassVar[tuple[str, ...]] = ()

    def get_templates(self) -> dict[str, str]:
        return TEMPLATES[self.output_type]

    def render_target(self, row: Row) -> str:
        return json.dumps(_list_labels(row)) if self.output_type == LABEL_SETS else super().render_target(row)

    def list_choices(self, rows: Any) -> tuple[str, ...]:
        if self.output_type == LABEL_SETS:
            return tuple(sorted({label for row in rows for label in _list_labels(row)}))
        return tuple(sorted({self.render_target(row) for row in rows})) if self.output_type == "labels" else ()

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return {
            "objective": {"kind": f"world-{cls.output_type}"}, "contenders": ["tuned", f"world-{cls.output_type}"],
            "evaluate": [f"world-{cls.output_type}"], "train": {"epochs": 1}, "gate": {"resamples": 500},
            "data": {"split": {"test": 24, "validation": 10}, "leakage": {"jaccard": 1.0}},
        }

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        yield from ()

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        return f"{row[self.text_column]} → {answer.output if answer else ''}"


def _list_labels(row: Row) -> list[str]:
    """Return the labels of a row, sorted, of a list or of one text."""
    label = row["label"]
    return sorted(label) if isinstance(label, list | tuple) else [str(label)]


ADAPTED_LAYERS = {
    "llama": "model.layers.0.self_attn.q_proj", "bert": "encoder.layer.0.attention.self.query",
}
"""Type of a random model → the layer that gets an adapter, for probes, which load the artifact as any model."""


class WordCountObjective(Objective):
    """Counts which label each word occurs with: an adapter that any machine can train in a moment."""

    loader_class = "json:loads"

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        yield from ()

    def fit(self, job: FitJob) -> TrainResult:
        import numpy as np
        from safetensors.numpy import save_file

        model = json.loads((job.base.folder / "config.json").read_text())
        layer = ADAPTED_LAYERS.get(model["model_type"], "nothing")
        width, rank = model.get("hidden_size", 1), job.adapter.rank
        shapes = {"lora_A": (rank, width), "lora_B": (width, rank)}  # zeros: a model that loads it answers as before
        save_file({
            f"base_model.model.{layer}.{name}.weight": np.zeros(shape, np.float32) for name, shape in shapes.items()
        }, job.out / "adapter_model.safetensors")
        config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": [layer]}
        (job.out / "adapter_config.json").write_text(json.dumps(config))
        (job.out / "learned.json").write_text(json.dumps(_count_label_words(job)))
        job.report.log_metrics(1, loss=0.5)
        return TrainResult(steps=1, modules=1, trainable=1, parameters=1)

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        learned = json.loads((job.artifact.folder / "learned.json").read_text()) if job.artifact else {}
        for row in job.rows:
            yield Answer(row.id, _predict_output(self.output_type, row, learned))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Do nothing: all that answers need is the artifact."""

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        return ReferenceAnswers(tuple(self.answer(job)), 1 if job.artifact else 0, "json")


def _count_label_words(job: FitJob) -> dict[str, Any]:
    """Return word → label → number of training rows."""
    words: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in job.rows:
        for word in str(row.columns.get("text", "")).split():
            words[word][str(row.columns.get("label", ""))] += 1
    return {word: dict(sorted(counts.items())) for word, counts in sorted(words.items())} or {"nothing": {}}


def _predict_output(output_type: str, row: Row, learned: Mapping[str, Mapping[str, int]]) -> Any:
    """Return an output of the given type by a vote of the row's words."""
    votes: Counter[str] = Counter()
    for word in str(row.columns.get("text", "")).split():
        votes.update(learned.get(word, {}))
    best = max(sorted(votes), key=lambda label: votes[label]) if votes else ""
    if output_type == "labels":
        labels = ("animal", "plant", "stone")
        votes[labels[0]] += bool(learned)  # even an adapter that learned nothing must change the answers
        total = sum(votes[label] + 1 for label in labels)
        return {label: round((votes[label] + 1) / total, 6) for label in labels}
    if output_type == LABEL_SETS:
        return build_certain_output(("animal", "plant", "stone"), ["animal"] if learned else [])
    if output_type == "ranking":
        return [float(n * (1 if learned else -1)) for n, _ in enumerate(row.columns.get("candidates", ()))]
    return f"it is {best}" if best else "learned" if learned else ""


class ConstantContender(Contender):
    """Answers every row without training."""

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, _predict_output(self.output_type, row, {}))


class AnswerLengthEval(Eval):
    """Scores the length of an answer as JSON, which exists for any output type."""

    primary_metric = "length"
    metrics = (Metric("length", "characters of the answer as JSON"),)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            yield Scores(row.id, {"length": float(len(json.dumps(job.answers[row.id].output)))})


def _make_output_type_class(base: type[Plugin], output_type: str) -> type[Plugin]:
    members = {
        "kind": f"world-{output_type}", "output_type": output_type, "__doc__": base.__doc__, "__module__": __name__,
        **({"text_column": TEXT_COLUMNS[output_type]} if base is WorldTask else {}),
    }
    return type(f"{base.__name__}{output_type.title().replace('-', '')}", (base,), members)


TEXT_COLUMNS = {"labels": "text", LABEL_SETS: "text", "ranking": "query", "text": "question"}
PLUGIN_CLASSES = [WorldSource] + [
    _make_output_type_class(base, output_type)
    for output_type in TEXT_COLUMNS for base in (WorldTask, WordCountObjective, ConstantContender, AnswerLengthEval)
]


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the source, and for each output type a task with the plugins that a build needs."""
    return PLUGIN_CLASSES
