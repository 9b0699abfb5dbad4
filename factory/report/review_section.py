"""What experts said of the training rows: how many they saw, what they would accept, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from factory.report import svg
from factory.report.html import Child, Markup, join_markup, render_element, render_fact_list, render_html_table
from factory.views import formatting

MAX_STRATUM_VALUES, MIN_REVIEWED_ROWS = 12, 3
"""Values of one part that are shown, and the reviewed rows that each needs to say anything."""
STRATUM_TITLES = {"label": "answer", "source": "source", "generator": "generator", "score": "judge's score", "doubt": "doubt"}


def render_review_summary(found: Mapping[str, Any]) -> Markup:
    """All about the review; nothing when none was asked for."""
    if not found:
        return Markup("")
    if not found.get("reviewed"):
        held = f" {found['held']} doubtful ones are held back until one does." if found.get("held") else ""
        return render_element("p", f"No expert has looked at these rows yet.{held}", class_="warn")
    low, high = found["interval"]
    said = render_element(
        "p", f"{found['reviewed']:,} of {found['rows']:,} rows were reviewed ({formatting.format_percent(found['share'])}): "
        f"{found['accepted']} accepted, {found['edited']} edited, {found['rejected']} rejected.",
    )
    kappa = found.get("kappa")
    pairs: list[tuple[str, Child]] = [
        ("acceptable as they were", formatting.format_percent(round(found["acceptance"], 3))),
        (f"{formatting.format_percent(found['confidence'])} interval of those reviewed",
         f"{formatting.format_percent(round(low, 3))} to {formatting.format_percent(round(high, 3))}"),
        ("reviewers", found["reviewers"]), ("Cohen's κ", formatting.format_number(kappa, 2) if kappa is not None else ""),
        ("rows on which they differ", found["disputed"] if found["reviewers"] > 1 else ""),
        ("doubtful rows held back", found.get("held") or ""),
        ("decisions about rows that are not here", found["elsewhere"] or ""),
    ]
    return join_markup(said, render_fact_list(pairs), _render_reviewer_pairs(found), _render_review_strata(found))


def _render_reviewer_pairs(found: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [
        [f"{pair['a']} and {pair['b']}", pair["rows"], pair["agreed"], formatting.format_number(pair["kappa"], 2)]
        for pair in found["pairs"]
    ]
    heads: list[Child] = ["reviewers", "rows of both", "alike", "Cohen's κ"]
    return render_html_table(heads, rows, numbers=(1, 2, 3)) if rows else Markup("")


def _render_review_strata(found: Mapping[str, Any]) -> Markup:
    """Acceptance by label, source, generator, judge's score and doubt, with Wilson's interval."""
    tables = []
    for part, lines in groupby(found["strata"], key=lambda line: str(line["part"])):
        rows: list[list[Child]] = [
            [line["value"], line["reviewed"], formatting.format_percent(round(line["acceptance"], 3)),
             svg.draw_interval(line["interval"][0], line["acceptance"], line["interval"][1], (0.0, 1.0))]
            for line in lines if line["reviewed"] >= MIN_REVIEWED_ROWS
        ][:MAX_STRATUM_VALUES]
        if len(rows) > 1:
            heads: list[Child] = [STRATUM_TITLES.get(part, part), "reviewed", "accepted", "0 to 100 %"]
            tables += [render_element("h3", f"By {STRATUM_TITLES.get(part, part)}"), render_html_table(heads, rows, numbers=(1, 2))]
    return join_markup(*tables)
