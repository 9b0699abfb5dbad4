"""Expert review of the training rows: coverage, acceptance rate, and agreement between reviewers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from factory.report import svg
from factory.report.html import (
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_subsection,
)
from factory.views import formatting
from factory.views.elements import Interval

MAX_STRATUM_VALUES, MIN_REVIEWED_ROWS = 12, 3
"""Maximum number of values shown per stratum, and the reviewed rows a value needs to be shown."""
STRATUM_TITLES = {
    "label": "answer", "source": "source", "generator": "generator", "score": "judge's score", "doubt": "doubt",
}


def render_review_summary(facts: Mapping[str, Any]) -> Markup:
    """Render the review summary; empty if the spec asks for none."""
    if not facts:
        return Markup("")
    if not facts.get("reviewed"):
        held = formatting.format_count(facts["held"], "doubtful row") if facts.get("held") else ""
        withheld = f" {held} withheld until reviewed." if held else ""
        return render_element("p", f"No expert has reviewed these rows yet.{withheld}", class_="warn")
    low, high = (formatting.format_percent(round(bound, 3)) for bound in facts["interval"])
    intro = (
        f"{facts['reviewed']:,} of {formatting.format_count(facts['rows'], 'row')} reviewed "
        f"({formatting.format_percent(facts['share'])}): {facts['accepted']} accepted, {facts['edited']} edited, "
        f"{facts['rejected']} rejected."
    )
    kappa = facts.get("kappa")
    summary = render_fact_list({
        "accepted unchanged": formatting.format_percent(round(facts["acceptance"], 3)),
        f"{formatting.format_percent(facts['confidence'])} interval of the acceptance rate": f"{low} to {high}",
        "reviewers": facts["reviewers"],
        "Cohen's κ": formatting.format_number(kappa, 2) if kappa is not None else "",
        "rows with disagreement": facts["disputed"] if facts["reviewers"] > 1 else "",
        "doubtful rows withheld": facts.get("held") or "",
        "decisions on rows that no longer exist": facts["elsewhere"] or "",
    })
    rows = [
        [f"{pair['a']} and {pair['b']}", pair["rows"], pair["agreed"], formatting.format_number(pair["kappa"], 2)]
        for pair in facts["pairs"]
    ]
    pairs = render_html_table(["reviewers", "shared rows", "agreed", "Cohen's κ"], rows, numbers=(1, 2, 3))
    return join_markup(render_element("p", intro), summary, pairs, _render_review_strata(facts))


def _render_review_strata(facts: Mapping[str, Any]) -> Markup:
    """Render acceptance by label, source, generator, judge's score and doubt, with Wilson intervals."""
    tables = []
    for stratum, lines in groupby(facts["strata"], key=lambda line: str(line["part"])):
        rows = [
            [line["value"], line["reviewed"], formatting.format_percent(round(line["acceptance"], 3)),
             svg.draw_interval(Interval(line["interval"][0], line["acceptance"], line["interval"][1], (0.0, 1.0)))]
            for line in lines if line["reviewed"] >= MIN_REVIEWED_ROWS
        ][:MAX_STRATUM_VALUES]
        if len(rows) > 1:
            title = STRATUM_TITLES.get(stratum, stratum)
            table = render_html_table([title, "reviewed", "accepted", "0 to 100 %"], rows, numbers=(1, 2))
            tables.append(render_subsection(f"By {title}", table))
    return join_markup(*tables)
