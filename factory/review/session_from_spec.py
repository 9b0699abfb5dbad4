"""From a spec to a reviewer's desk: the training rows that curation left, in the store, and the file of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from factory import review
from factory.api import TRAIN, VALIDATION, Row, Task
from factory.data.rows import open_rows, read_rows
from factory.errors import InputError
from factory.plan.builder import Plan
from factory.spec.fields import Review
from factory.spec.layers import ResolvedSpec
from factory.store.outputs import Store


def require_review_settings(resolved: ResolvedSpec) -> Review:
    """What the spec asks of experts. Raises InputError, with what to write, when it asks nothing."""
    if resolved.spec.data.review is None:
        raise InputError(
            f"{resolved.file}: data.review: missing; say where decisions go, such as "
            f"`review: {{file: {resolved.spec.name}.review.jsonl, share: 0.05, acceptance: 0.9}}`"
        )
    return resolved.spec.data.review


def open_review_session(
    resolved: ResolvedSpec, plan: Plan, home: Path, reviewer: str, rows: int = 0
) -> review.ReviewSession:
    """The desk of one reviewer over rows that are made already; `rows` of them, or as many as the spec's share.

    Raises InputError when the spec asks for no review, or the rows are not there.
    """
    settings, store = require_review_settings(resolved), Store(home)
    curated = store.locate_output("curate", plan["curate"].key)
    if not curated.is_complete:
        raise InputError(f"the training rows of {resolved.spec.name} are not made yet; `factory data SPEC` makes them")
    train = open_rows(curated.output / f"{TRAIN}.jsonl")
    content = review.RowContent.from_task(resolved.task)
    count = rows or review.compute_sample_size(len(train), settings.share)
    items = review.build_review_queue(train, content, count, resolved.spec.data.split.seed)
    tables = store.locate_output("gather", plan["gather"].key).output / "tables"
    return review.ReviewSession(
        resolved.root / settings.file, reviewer, items, resolved.task,
        {file.stem: {row.id: row for row in read_rows(file)} for file in sorted(tables.glob("*.jsonl"))}, content,
        _collect_answer_choices(resolved.task, train, store.locate_output("freeze", plan["freeze"].key).output),
    )


def _collect_answer_choices(task: Task, train: Sequence[Row], frozen: Path) -> frozenset[str]:
    """The answers that there are, where they are few: an edited one must be among them."""
    return frozenset(task.list_choices(train)) | frozenset(task.list_choices(open_rows(frozen / f"{VALIDATION}.jsonl")))
