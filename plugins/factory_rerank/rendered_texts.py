"""Model inputs of a job, rendered by the templates of the task."""

from __future__ import annotations

from dataclasses import replace

from factory.api import AnswerJob, FitJob, ModelJob, render


def render_side_documents(job: ModelJob | FitJob | AnswerJob) -> dict[str, str]:
    """Return document id → rendered text, for the whole side table."""
    template = job.task.get_templates()["document"]
    return {name: render(template, row.columns) for name, row in job.tables["documents"].items()}


def replace_frozen_rows(job: ModelJob) -> ModelJob:
    """Return the job with test and validation rows as training rows without mined negatives: of their documents, the
    relevant ones should not be truncated."""
    return replace(job, rows=[row.with_columns(negatives=[], targets=dict(row["relevant"])) for row in job.rows])


def render_queries(job: ModelJob | FitJob) -> list[str]:
    """Return the rendered query of each row."""
    template = job.task.get_templates()["query"]
    return [render(template, row.columns) for row in job.rows]
