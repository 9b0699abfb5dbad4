"""Expert review of the training rows: coverage, acceptance rate, and agreement between reviewers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from factory.report import svg
from factory.report.html import Child, Markup, join_markup, render_element, render_fact_list, render_html_table
from factory.views import formatting

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
        withheld = f" {facts['held']} doubtful rows are withheld until they are reviewed." if facts.get("held") else ""
        return render_element("p", f"No expert has reviewed these rows yet.{withheld}", class_="warn")
    low, high = facts["interval"]
    share = formatting.format_percent(facts["share"])
    intro = render_element(
        "p", f"{facts['reviewed']:,} of {facts['rows']:,} rows were reviewed ({share}): "
        f"{facts['accepted']} accepted, {facts['edited']} edited, {facts['rejected']} rejected.",
    )
    kappa = facts.get("kappa")
    pairs: list[tuple[str, Child]] = [
        ("accepted unchanged", formatting.format_percent(round(facts["acceptance"], 3))),
        (f"{formatting.format_percent(facts['confidence'])} interval of the acceptance rate",
         f"{formatting.format_percent(round(low, 3))} to {formatting.format_percent(round(high, 3))}"),
        ("reviewers", facts["reviewers"]),
        ("Cohen's κ", formatting.format_number(kappa, 2) if kappa is not None else ""),
        ("rows with disagreement", facts["disputed"] if facts["reviewers"] > 1 else ""),
        ("doubtful rows withheld", facts.get("held") or ""),
        ("decisions on rows that no longer exist", facts["elsewhere"] or ""),
    ]
    return join_markup(intro, render_fact_list(pairs), _render_reviewer_pairs(facts), _render_review_strata(facts))


def _render_reviewer_pairs(facts: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [
        [f"{pair['a']} and {pair['b']}", pair["rows"], pair["agreed"], formatting.format_number(pair["kappa"], 2)]
        for pair in facts["pairs"]
    ]
    heads: list[Child] = ["reviewers", "shared rows", "agreed", "Cohen's κ"]
    return render_html_table(heads, rows, numbers=(1, 2, 3)) if rows else Markup("")


def _render_review_strata(facts: Mapping[str, Any]) -> Markup:
    """Render acceptance by label, source, generator, judge's score and doubt, with Wilson intervals."""
    tables = []
    for stratum, lines in groupby(facts["strata"], key=lambda line: str(line["part"])):
        rows: list[list[Child]] = [
            [line["value"], line["reviewed"], formatting.format_percent(round(line["acceptance"], 3)),
             svg.draw_interval(line["interval"][0], line["acceptance"], line["interval"][1], (0.0, 1.0))]
            for line in lines if line["reviewed"] >= MIN_REVIEWED_ROWS
        ][:MAX_STRATUM_VALUES]
        if len(rows) > 1:
            title = STRATUM_TITLES.get(stratum, stratum)
            heads: list[Child] = [title, "reviewed", "accepted", "0 to 100 %"]
            tables += [render_element("h3", f"By {title}"), render_html_table(heads, rows, numbers=(1, 2))]
    return join_markup(*tables)
