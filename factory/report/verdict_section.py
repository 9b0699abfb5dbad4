"""First part of the run report: the verdict, the contenders, and how the gate decided."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from factory.events import Verdict
from factory.report.elements import render_table
from factory.report.html import (
    Child,
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
    render_subsection,
)
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting
from factory.views.verdict import SCORE_COLUMNS, VerdictView


def render_verdict_header(page: VerdictView, evidence: RunOutputs) -> Markup:
    """Render the verdict badge, the verdict in a sentence, the next step, and the facts of the run."""
    run, verdict = evidence.run, page.verdict or evidence.run.state.upper()
    day = time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(run.started))
    profile = f"profile {run.profile}" if run.profile else ""
    meta = [run.task, profile, day, formatting.format_seconds(run.seconds), f"factory {run.factory}"]
    tone = Verdict.from_word(page.verdict).facts.tone if page.verdict else ""
    badge = render_element("span", verdict.replace("_", " "), class_=f"badge {tone}".rstrip())
    return render_element(
        "header",
        render_element("h1", badge, render_element("b", run.name), render_element("span", run.id, class_="meta")),
        render_element("p", page.sentence, class_="lead"),
        *(render_element("p", text) for text in (page.next_step, page.warning) if text),
        render_element("p", " · ".join(part for part in meta if part), class_="meta"),
    )


def render_contenders_section(page: VerdictView, evidence: RunOutputs) -> Markup:
    """Render every contender in the deciding metric on one scale, then in all metrics."""
    if not page.contenders.rows:
        return Markup("")
    meaning = f": {page.metric_meaning}" if page.metric_meaning else ""
    ranked = [row.key for row in page.contenders.rows]
    return render_section(
        "Contenders (baselines and candidates)", "contenders",
        render_element("p", render_element("b", page.metric), meaning, class_="soft"),
        render_table(page.contenders.select(SCORE_COLUMNS)),
        render_element("p", page.ceiling, class_="soft") if page.ceiling else None,
        _render_all_metrics(evidence.read_stage_json("score"), ranked),
    )


def _render_all_metrics(score: Mapping[str, Any], ranked: list[str]) -> Markup:
    names = [m["name"] for m in score.get("metrics", [])]
    if len(names) < 2:
        return Markup("")

    def render_mean(value: Mapping[str, float] | None) -> Child:
        if value is None:
            return "–"
        half_width = formatting.format_number((value["high"] - value["low"]) / 2)
        spread = render_element("span", f" ±{half_width}", class_="soft")
        return join_markup(formatting.format_number(value["mean"]), spread)

    rows = [[c, *(render_mean(score["contenders"][c].get(name)) for name in names)] for c in ranked]
    table = render_html_table(["contender", *names], rows, numbers=range(1, len(names) + 1))
    return render_subsection("All metrics", table)


def render_gate_section(page: VerdictView) -> Markup:
    """Render how the gate decided: each paired difference against zero and the margin, and its limits."""
    if not page.rule:
        return Markup("")
    return render_section(
        "How the gate decided", "gate", render_element("p", page.rule, class_="soft"),
        render_table(page.gains),
        render_element("ul", *(render_element("li", reason) for reason in page.reasons)) if page.reasons else None,
        render_fact_list(page.limits),
    )
