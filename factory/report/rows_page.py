"""The rows of a spec as one HTML file for an expert: what came, what went and why, how the rest is spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from factory import __version__
from factory.report import svg
from factory.report.funnel_table import render_funnel_table
from factory.report.html import (
    Child,
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
)
from factory.report.review_section import render_review_summary
from factory.report.run_page import render_html_document
from factory.runs.profile import DataProfile, Distribution, FunnelStep, Histogram, RowSample
from factory.runs.profile.funnel import generalise_reason
from factory.views import formatting


def render_rows_page(portrait: DataProfile) -> str:
    """The whole document; what is not made yet is left out."""
    parts = {
        ("funnel", "From sources to training rows"): _render_profile_funnel(portrait),
        ("spread", "How the rows are spread"): _render_distributions(portrait.distributions),
        ("kept", "Rows that stay"): join_markup(*map(_render_sample_card, portrait.training_samples)),
        ("dropped", "Rows that went"): _render_dropped_samples(portrait.removal_samples),
        ("review", "What experts said"): render_review_summary(portrait.run_outputs.read_stage_json("review")),
        ("leakage", "Test rows in training"): _render_leakage_summary(portrait),
        ("sources", "Sources and licences"): _render_sources_overview(portrait.run_outputs.read_stage_json("gather").get("sources", [])),
    }
    there = {name: body for name, body in parts.items() if body}
    links = render_element("nav", *(render_element("a", title, href=f"#{anchor}") for anchor, title in there))
    said = join_markup(_render_rows_header(portrait), links, *(render_section(title, anchor, body) for (anchor, title), body in there.items()))
    return render_html_document(f"{portrait.run_outputs.run.name}: its rows", said, f"Made by factory {__version__} from the store.")


def _render_rows_header(portrait: DataProfile) -> Markup:
    name, count = portrait.run_outputs.run.name, len(portrait.rows)
    return render_element(
        "header",
        render_element("h1", render_element("b", name), render_element("span", f"{portrait.task.kind} · its training rows", class_="meta")),
        render_element("p", _describe_funnel(portrait.funnel, count), class_="lead"),
    )


def _describe_funnel(steps: Sequence[FunnelStep], count: int) -> str:
    """The funnel in a sentence."""
    gathered = sum(step.added for step in steps if step.stage == "gather")
    frozen = sum(step.dropped for step in steps if step.stage == "freeze")
    made = sum(step.added for step in steps if step.stage == "synthesize")
    gone = sum(step.dropped for step in steps if step.stage in ("curate", "review"))
    parts = [
        f"{gathered:,} rows came from the sources", f"{frozen:,} of them were put aside for the test",
        f"{made:,} were made" if made else "", f"{gone:,} were dropped" if gone else "none was dropped",
    ]
    return f"{formatting.join_names([part for part in parts if part])}: {count:,} rows are left to learn from."


def _render_profile_funnel(portrait: DataProfile) -> Markup:
    tests = portrait.run_outputs.read_stage_json("curate").get("tests", [])
    return join_markup(render_funnel_table(portrait.funnel), _render_data_tests(tests)) if portrait.funnel else Markup("")


def _render_data_tests(tests: Sequence[Mapping[str, Any]]) -> Markup:
    """What the spec demands of its data, and what was found."""
    rows: list[list[Child]] = [
        [test.get("metric", ""), formatting.format_number(test.get("value")),
         ", ".join(f"{name} {test[name]:g}" for name in ("min", "max") if test.get(name) is not None),
         test.get("facts", "")]
        for test in tests
    ]
    heads: list[Child] = ["metric", "found", "asked", ""]
    return join_markup(render_element("h3", "What the spec asks of them"), render_html_table(heads, rows, numbers=(1,))) if rows else Markup("")


def _render_distributions(spreads: Sequence[Distribution]) -> Markup:
    return render_element("div", *map(_render_distribution, spreads), class_="spreads") if spreads else Markup("")


def _render_distribution(spread: Distribution) -> Markup:
    if isinstance(spread, Histogram):
        unit = f" {spread.unit}" if spread.unit else ""
        said = f"median {spread.median:g}, 95 % up to {spread.p95:g}, most {spread.most:g}{unit}"
        drawn = svg.draw_histogram([(each.name, each.rows) for each in spread.bins], f"{spread.title}: {said}")
    else:
        left, rest = spread.others
        said = formatting.format_count(len(spread.values) + left, "value") + (f"; {left} more have {rest:,} rows" if left else "")
        most = max([rows for _, rows in spread.values] or [1])
        cells: list[list[Child]] = [
            [name, f"{rows:,}", svg.draw_bar(rows / most, f"{name}: {rows:,}", width=110)] for name, rows in spread.values
        ]
        drawn = render_html_table(["", "", ""], cells, numbers=(1,))
    caption = render_element("figcaption", spread.title, render_element("span", said, class_="soft meta"))
    return render_element("figure", caption, drawn)


def _render_sample_card(sample: RowSample) -> Markup:
    """One row; beside it the row that it repeats, when there is one."""
    head = render_element("h4", sample.id, " ", render_element("span", sample.origin, class_="tag") if sample.origin else None)
    if not sample.twin:
        return render_element("div", head, render_element("pre", sample.text), class_="row plain")
    twin = render_element("div", render_element("span", f"repeats {sample.twin}", class_="side"), render_element("pre", sample.twin_text or "not here"))
    own = render_element("div", render_element("span", sample.why, class_="side"), render_element("pre", sample.text))
    return render_element("div", head, render_element("div", own, twin, class_="pair"), class_="row")


def _render_dropped_samples(samples: Sequence[RowSample]) -> Markup:
    """Samples under their step and reason."""
    parts = []
    for step, found in groupby(samples, key=lambda sample: sample.step):
        parts.append(render_element("h3", step))
        for why, same in groupby(found, key=lambda sample: generalise_reason(sample.why)):
            parts += [render_element("p", why, class_="soft"), *map(_render_sample_card, same)]
    return join_markup(*parts)


def _render_leakage_summary(portrait: DataProfile) -> Markup:
    proof = portrait.leakage
    if not proof:
        return Markup("")
    names = ("test_groups_in_training", "exact", "near", "semantic")
    left = sum(int(proof.get(name, 0)) for name in names)
    said = f"{left} training rows are too close to test rows." if left else "Nothing of the test rows is in training."
    gone = ", ".join(f"{name} {count}" for name, count in (proof.get("dropped") or {}).items() if count)
    pairs: list[tuple[str, Child]] = [
        ("dropped on the way", gone or "none"), ("similarity that is too near", proof.get("threshold")),
        ("test texts that stood in training rows, as they came", proof.get("repeats")),
    ]
    return join_markup(render_element("p", said, class_="bad" if left else "good"), render_fact_list(pairs))


def _render_sources_overview(sources: Sequence[Mapping[str, Any]]) -> Markup:
    rows: list[list[Child]] = [
        [source.get("kind", ""), f"{source.get('rows', 0):,}",
         ", ".join(f"{name} {count:,}" for name, count in source.get("tables", {}).items()),
         ", ".join(source.get("licences", [])) or render_element("span", "not stated", class_="warn"), _render_skipped_records(source)]
        for source in sources
    ]
    heads: list[Child] = ["source", "rows", "side tables", "licence", "skipped"]
    return render_html_table(heads, rows, numbers=(1,)) if rows else Markup("")


def _render_skipped_records(source: Mapping[str, Any]) -> Markup:
    """Records that were wrong and passed over: how many, and the first of them."""
    found = source.get("skipped") or {}
    if not found.get("rows"):
        return Markup("")
    return join_markup(render_element("b", f"{found['rows']:,} "), "; ".join(str(text) for text in found.get("first", [])))
