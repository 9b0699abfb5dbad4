"""Expert review of the training rows: coverage, acceptance rate, and agreement between reviewers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from factory.views.elements import Column, Interval, Table, TableRow, Text, make_text_row
from factory.views.formatting import format_count, format_number, format_percent

MAX_STRATUM_VALUES, MIN_REVIEWED_ROWS = 12, 3
"""Maximum number of values shown per stratum, and the reviewed rows a value needs to be shown."""
STRATUM_TITLES = {
    "label": "answer", "source": "source", "generator": "generator", "score": "judge's score", "doubt": "doubt",
}
PAIR_COLUMNS = (
    Column("reviewers"), *(Column(name, align_right=True) for name in ("shared rows", "agreed", "Cohen's κ")),
)


@dataclass(frozen=True, slots=True)
class ReviewView:
    """What a review found; the summary is empty if the spec asks for no review."""

    summary: Text
    facts: Mapping[str, str] = field(default_factory=dict)
    pairs: Table = field(default_factory=lambda: Table(PAIR_COLUMNS))
    """The agreement of each two reviewers."""
    strata: Mapping[str, Table] = field(default_factory=dict)
    """Title → acceptance by label, source, generator, judge's score or doubt, with Wilson's interval."""


def build_review_view(review: Mapping[str, Any]) -> ReviewView:
    """Return the view of review.json."""
    if not review.get("reviewed"):
        held = format_count(review["held"], "doubtful row") if review.get("held") else ""
        withheld = f" {held} withheld until reviewed." if held else ""
        return ReviewView(Text(f"No expert has reviewed these rows yet.{withheld}" if review else "", "warn"))
    summary = (
        f"{review['reviewed']:,} of {format_count(review['rows'], 'row')} reviewed "
        f"({format_percent(review['share'])}): {review['accepted']} accepted, {review['edited']} edited, "
        f"{review['rejected']} rejected."
    )
    pairs = tuple(
        make_text_row(f"{pair['a']} and {pair['b']}", pair["rows"], pair["agreed"], format_number(pair["kappa"], 2))
        for pair in review["pairs"]
    )
    return ReviewView(Text(summary), _list_facts(review), Table(PAIR_COLUMNS, pairs), _build_strata_tables(review))


def _list_facts(review: Mapping[str, Any]) -> Mapping[str, str]:
    low, high = (format_percent(round(bound, 3)) for bound in review["interval"])
    kappa = review.get("kappa")
    facts = {
        "accepted unchanged": format_percent(round(review["acceptance"], 3)),
        f"{format_percent(review['confidence'])} interval of the acceptance rate": f"{low} to {high}",
        "reviewers": review["reviewers"],
        "Cohen's κ": format_number(kappa, 2) if kappa is not None else "",
        "rows with disagreement": review["disputed"] if review["reviewers"] > 1 else "",
        "doubtful rows withheld": review.get("held") or "",
        "decisions on rows that no longer exist": review["elsewhere"] or "",
    }
    return {name: str(value) for name, value in facts.items() if value != ""}


def _build_strata_tables(review: Mapping[str, Any]) -> Mapping[str, Table]:
    tables = {}
    for part, lines in groupby(review["strata"], key=lambda line: str(line["part"])):
        title = STRATUM_TITLES.get(part, part)
        shown = [line for line in lines if line["reviewed"] >= MIN_REVIEWED_ROWS][:MAX_STRATUM_VALUES]
        numbers = (Column("reviewed", align_right=True), Column("accepted", align_right=True))
        if len(shown) > 1:  # a single value says what the whole says
            tables[title] = Table((Column(title), *numbers, Column("0 to 100 %")), tuple(map(_make_stratum_row, shown)))
    return tables


def _make_stratum_row(line: Mapping[str, Any]) -> TableRow:
    low, high = line["interval"]
    share = format_percent(round(line["acceptance"], 3))
    interval = Interval(low, line["acceptance"], high, (0.0, 1.0))
    return make_text_row(str(line["value"]), line["reviewed"], share, interval)
