"""The rows of a training step that has sources of its own: all of them train, beside the frozen rows of the spec.

Documents, which no contender answers, have validation rows of their own, by which the step is measured; the frozen rows
of the spec are then all test rows to them, so that training rows are compared with both.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from factory import identity
from factory.api import TEST, TRAIN, VALIDATION, Row
from factory.data.rows import read_json, write_json, write_rows
from factory.data.split import resolve_split_part, split_rows
from factory.errors import InputError
from factory.plan.step_names import list_step_stages
from factory.spec.fields import Split
from factory.stages.job import StageJob

DOCUMENTS = "documents"
"""In the config of a stage of a step: its training rows are documents, which the task knows nothing of."""


def trains_on_documents(job: StageJob) -> bool:
    """Return whether the training rows of a stage are documents, and no rows of the task."""
    return bool(job.config.get(DOCUMENTS))


def run_step(job: StageJob) -> None:
    """Write `train.jsonl`, `validation.jsonl`, `test.jsonl` and `freeze.json`, as for the rows of a spec.

    Raises InputError if no row is left to train on.
    """
    rows, is_documents = job.open_input_rows("prepare", "rows.jsonl"), trains_on_documents(job)
    held_out = _choose_held_out(job, rows) if is_documents else set[int]()
    counts = {TRAIN: write_rows(job.out / f"{TRAIN}.jsonl", _iterate_training_rows(rows, held_out))}
    if not counts[TRAIN]:
        raise InputError("a step of training has no rows to train on; all of its rows are test or validation rows")
    if is_documents:
        kept = (replace(rows[index], split=VALIDATION) for index in sorted(held_out))
        counts[VALIDATION] = write_rows(job.out / f"{VALIDATION}.jsonl", kept)
        counts[TEST] = _copy_frozen_rows(job, TEST, (TEST, VALIDATION))
    else:
        counts |= {part: _copy_frozen_rows(job, part, (part,)) for part in (TEST, VALIDATION)}
    digests = {part: identity.digest_file(job.out / f"{part}.jsonl") for part in (VALIDATION, TEST)}
    facts: dict[str, Any] = {"counts": counts, "digests": digests, "own_split": sum(bool(row.split) for row in rows)}
    write_json(job.out / "freeze.json", facts)


def read_leakage_proofs(inputs: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Return role → the leakage proof of the rows that were trained on: `curate`, and of each step with own rows."""
    roles = ["curate", *list_step_stages(inputs, "curate")]
    return {role: read_json(inputs[role] / "curate.json")["leakage"] for role in roles}


def _iterate_training_rows(rows: Sequence[Row], held_out: set[int]) -> Iterator[Row]:
    """Yield the rows that may train: those that their source calls test or validation rows are left out."""
    for index, row in enumerate(rows):
        if index not in held_out and (not row.split or resolve_split_part(row) == TRAIN):
            yield replace(row, split=TRAIN)


def _choose_held_out(job: StageJob, rows: Sequence[Row]) -> set[int]:
    """Return the places of the documents by which the step is measured, drawn by group as validation rows are."""
    settings = Split(**job.config["split"]).model_copy(update={"test": 0, "stratify": "", "renew": 0})
    return {*split_rows(rows, settings, job.config["text"])[VALIDATION]}


def _copy_frozen_rows(job: StageJob, part: str, sources: Sequence[str]) -> int:
    """Write parts of the frozen rows of the spec as they are, and return how many rows these are."""
    with (job.out / f"{part}.jsonl").open("wb") as out:
        for source in sources:
            with (job.inputs["frozen"] / f"{source}.jsonl").open("rb") as file:
                shutil.copyfileobj(file, out)
    return sum(len(job.open_input_rows("frozen", f"{source}.jsonl")) for source in sources)
