"""The result of a build as terminal text: the verdict page, and how to try the bundle."""

from __future__ import annotations

import shlex
from pathlib import Path

from factory.cli import output
from factory.cli.output import fill_line, format_table, style_bold, style_dim
from factory.evaluation.compare import FrozenRowViewer
from factory.events import Verdict
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting
from factory.views.verdict import SUMMARY_COLUMNS, build_verdict_view


def format_verdict_panel(evidence: RunOutputs) -> str:
    """Return the verdict with its evidence as text; empty if the run did not reach a verdict."""
    page = build_verdict_view(evidence)
    if not page.verdict:
        return ""
    verdict = Verdict.from_word(page.verdict)
    badge = output.format_badge(f" {verdict.facts.title} ", verdict.facts.tone)
    notes = [fill_line(text) for text in (page.sentence, page.delivered, page.next_step, page.warning) if text]
    lines = [
        f"{badge} {style_bold(evidence.run.name)} {style_dim(evidence.run.id)}", *notes, "",
        style_dim("contenders (baselines and candidates) on the held-out test rows (frozen)"),
        format_table(page.contenders.select(SUMMARY_COLUMNS)),
    ]
    lines += [style_dim(page.ceiling)] if page.ceiling else []
    lines += [style_dim(fill_line(text)) for text in (*page.seeds, page.looks) if text]
    for table in (page.steps, page.totals, page.forgetting):
        lines += ["", format_table(table)] if table.rows else []
    lines += [style_dim(formatting.clean_line(", ".join(page.drift)))] if page.drift else []
    # With SHIP, the sentence has said it all.
    reasons = () if verdict.ships else page.reasons
    lines += ["", *(fill_line(reason, "- ", "  ") for reason in reasons)]
    return "\n".join([*lines, *([""] if reasons else []), *_format_bundle_lines(evidence)])


def _format_bundle_lines(evidence: RunOutputs) -> list[str]:
    folder = evidence.find_stage_folder("bundle")
    if folder is None:
        return []
    path = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return [
        f"{style_bold('bundle')}  {path}", f"{style_bold('report')}  factory report {evidence.run.id}",
        *_format_try_command(evidence),
    ]


def _format_try_command(evidence: RunOutputs) -> list[str]:
    """Return a `factory try` command with an example from the test rows; empty if the task has no query, and for a
    smoke build, which is no version: the command would ask another bundle."""
    if evidence.run.is_smoke:
        return []
    question = FrozenRowViewer(evidence).build_example_question()
    query = formatting.clean_line(question.pop("query", ""))
    line = f"factory try {evidence.run.name} --query {shlex.quote(query)}"
    for name, value in question.items():
        column = f"{name}={formatting.clean_line(formatting.format_text_or_json(value))}"
        line += f" --with {shlex.quote(column)}" if value else ""
    return [f"{style_bold('try')}     {line}"] if query else []
