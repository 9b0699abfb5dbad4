"""Collect the basis of `factory advise`: statistics of the training rows, and the baseline trials."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

from factory.advise.rules import MIN_ROWS_PER_LABEL
from factory.advise.survey import ContenderEstimate, Survey
from factory.api import TRAIN
from factory.api.label_sets import LABEL_SETS, list_row_labels
from factory.data.rows import read_json, write_json
from factory.review import RowContent
from factory.stages.job import StageJob

MAX_COUNTED_LABELS = 500
"""With more distinct answers, they are counted as texts, not labels."""


def run(job: StageJob) -> None:
    """Write `advice.json`."""
    task = job.load_task()
    content = RowContent.from_task(task)
    inputs, answers, synthetic, count = array("L"), array("L"), 0, 0
    labels: Counter[str] = Counter()
    for count, row in enumerate(job.open_input_rows("curate", f"{TRAIN}.jsonl"), 1):  # noqa: B007
        inputs.append(_count_nested_words(content.select_inputs(row).values()))
        answers.append(_count_nested_words(content.select_answer(row).values()))
        synthetic += bool(row.provenance.generator)
        if task.output_type == LABEL_SETS:
            labels.update(list_row_labels(task, row))
        elif task.output_type == "labels" or len(labels) <= MAX_COUNTED_LABELS:
            labels["; ".join(map(str, content.select_answer(row).values()))] += 1
    has_labels = task.output_type in ("labels", LABEL_SETS) or (1 < len(labels) <= min(MAX_COUNTED_LABELS, count // 4))
    counts = labels if has_labels else Counter[str]()
    trials = [
        ContenderEstimate(**read_json(folder / "baseline_trial.json"))
        for role, folder in job.inputs.items() if role.startswith("baseline_trial[")
    ]
    write_json(job.out / "advice.json", Survey(
        rows=count, validation=read_json(job.inputs["freeze"] / "freeze.json")["counts"]["validation"],
        made=round(synthetic / count, 6) if count else 0.0, labels=len(counts), rarest=min(counts.values(), default=0),
        thin=sum(rows < MIN_ROWS_PER_LABEL for rows in counts.values()),
        input_words=_compute_length_quantiles(inputs), answer_words=_compute_length_quantiles(answers),
        change=job.config["change"], metric=job.config["metric"], higher_is_better=job.config["higher_is_better"],
        legs=tuple(trials),
    ).to_json())


def _count_nested_words(value: object) -> int:
    """Count the words of a text, or of all texts in a nested collection."""
    if isinstance(value, str):
        return len(value.split())
    return sum(map(_count_nested_words, value)) if isinstance(value, Iterable) else 0


def _compute_length_quantiles(lengths: Sequence[int]) -> tuple[int, int]:
    """Return the median and the 95th percentile; zeros for no lengths."""
    if not lengths:
        return (0, 0)
    ordered = sorted(lengths)
    return ordered[(len(ordered) - 1) // 2], ordered[int(0.95 * (len(ordered) - 1))]
