"""Open a review session for a spec, over the curated training rows in the store."""

from __future__ import annotations

from pathlib import Path

from factory import review
from factory.api import TRAIN, VALIDATION
from factory.data.rows import open_rows, read_side_tables
from factory.errors import InputError
from factory.plan.builder import Plan
from factory.spec.fields import Review
from factory.spec.layers import ResolvedSpec
from factory.store.integrity import require_intact
from factory.store.outputs import Store


def require_review_settings(resolved: ResolvedSpec) -> Review:
    """Return data.review. Raises InputError with an example if the spec has none."""
    if resolved.spec.data.review is None:
        example = f"review: {{file: {resolved.spec.name}.review.jsonl, share: 0.05, acceptance: 0.9}}"
        raise InputError(f"{resolved.file}: data.review is missing; add it, such as `{example}`")
    return resolved.spec.data.review


def open_review_session(
    resolved: ResolvedSpec, plan: Plan, home: Path, reviewer: str, rows: int = 0
) -> review.ReviewSession:
    """Open the session of one reviewer over `rows` training rows, by default the share in the spec.

    Raises InputError if the spec has no data.review, or the rows do not exist yet.
    """
    settings, store, task = require_review_settings(resolved), Store(home), resolved.task
    curated = store.locate_output("curate", plan["curate"].key)
    if not curated.is_complete:
        raise InputError(f"the training rows of {resolved.spec.name} do not exist yet; run `factory data SPEC`")
    sources = [store.locate_output(stage, plan[stage].key) for stage in ("gather", "freeze")]
    for stage_output in (curated, *sources):
        require_intact(stage_output)
    gathered, frozen = (source.output for source in sources)
    train, validation = open_rows(curated.output / f"{TRAIN}.jsonl"), open_rows(frozen / f"{VALIDATION}.jsonl")
    content = review.RowContent.from_task(task)
    count = rows or review.compute_sample_size(len(train), settings.share)
    items = review.build_review_queue(train, content, count, resolved.spec.data.split.seed)
    choices = frozenset([*task.list_choices(train), *task.list_choices(validation)])
    return review.ReviewSession(
        resolved.root / settings.file, reviewer, items, task, read_side_tables(gathered), content, choices
    )
