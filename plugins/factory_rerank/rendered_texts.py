"""Model inputs of a job, rendered by the templates of the task."""

from __future__ import annotations

from factory.api import AnswerJob, FitJob, ModelJob, render


def render_side_documents(job: ModelJob | FitJob | AnswerJob) -> dict[str, str]:
    """Return document id → rendered text, for the whole side table."""
    template = job.task.get_templates()["document"]
    return {name: render(template, row.columns) for name, row in job.tables["documents"].items()}


def render_queries(job: ModelJob | FitJob) -> list[str]:
    """Return the rendered query of each row."""
    template = job.task.get_templates()["query"]
    return [render(template, row.columns) for row in job.rows]
