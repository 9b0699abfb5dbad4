"""The rows of a spec as one HTML file for an expert: what came, what went and why, how the rest is spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from factory import __version__
from factory.portrait import Histogram, DataProfile, RowSample, Distribution, FunnelStep
from factory.portrait.steps import generalise_reason
from factory.report import svg, words
from factory.report.funnel import funnel
from factory.report.html import Child, Markup, facts, join, section, table, tag
from factory.report.page import document
from factory.report.reviewed import review


def page(portrait: DataProfile) -> str:
    """The whole document; what is not made yet is left out."""
    parts = {
        ("funnel", "From sources to training rows"): _funnel(portrait),
        ("spread", "How the rows are spread"): _spreads(portrait.distributions),
        ("kept", "Rows that stay"): join(*map(_card, portrait.training_samples)),
        ("dropped", "Rows that went"): _dropped(portrait.removal_samples),
        ("review", "What experts said"): review(portrait.run_outputs.read_stage_json("review")),
        ("leakage", "Test rows in training"): _leakage(portrait),
        ("sources", "Sources and licences"): _sources(portrait.run_outputs.read_stage_json("gather").get("sources", [])),
    }
    there = {name: body for name, body in parts.items() if body}
    links = tag("nav", *(tag("a", title, href=f"#{anchor}") for anchor, title in there))
    said = join(_head(portrait), links, *(section(title, anchor, body) for (anchor, title), body in there.items()))
    return document(f"{portrait.run_outputs.run.name}: its rows", said, f"Made by factory {__version__} from the store.")


def _head(portrait: DataProfile) -> Markup:
    name, count = portrait.run_outputs.run.name, len(portrait.rows)
    return tag(
        "header",
        tag("h1", tag("b", name), tag("span", f"{portrait.task.kind} · its training rows", class_="meta")),
        tag("p", _lead(portrait.funnel, count), class_="lead"),
    )


def _lead(steps: Sequence[FunnelStep], count: int) -> str:
    """The funnel in a sentence."""
    gathered = sum(step.added for step in steps if step.stage == "gather")
    frozen = sum(step.dropped for step in steps if step.stage == "freeze")
    made = sum(step.added for step in steps if step.stage == "synthesize")
    gone = sum(step.dropped for step in steps if step.stage in ("curate", "review"))
    parts = [
        f"{gathered:,} rows came from the sources", f"{frozen:,} of them were put aside for the test",
        f"{made:,} were made" if made else "", f"{gone:,} were dropped" if gone else "none was dropped",
    ]
    return f"{words.listed([part for part in parts if part])}: {count:,} rows are left to learn from."


def _funnel(portrait: DataProfile) -> Markup:
    tests = portrait.run_outputs.read_stage_json("curate").get("tests", [])
    return join(funnel(portrait.funnel), _tests(tests)) if portrait.funnel else Markup("")


def _tests(tests: Sequence[Mapping[str, Any]]) -> Markup:
    """What the spec demands of its data, and what was found."""
    rows: list[list[Child]] = [
        [test.get("metric", ""), words.number(test.get("value")),
         ", ".join(f"{name} {test[name]:g}" for name in ("min", "max") if test.get(name) is not None),
         test.get("facts", "")]
        for test in tests
    ]
    heads: list[Child] = ["metric", "found", "asked", ""]
    return join(tag("h3", "What the spec asks of them"), table(heads, rows, numbers=(1,))) if rows else Markup("")


def _spreads(spreads: Sequence[Distribution]) -> Markup:
    return tag("div", *map(_spread, spreads), class_="spreads") if spreads else Markup("")


def _spread(spread: Distribution) -> Markup:
    if isinstance(spread, Histogram):
        unit = f" {spread.unit}" if spread.unit else ""
        said = f"median {spread.median:g}, 95 % up to {spread.p95:g}, most {spread.most:g}{unit}"
        drawn = svg.columns([(each.name, each.rows) for each in spread.bins], f"{spread.title}: {said}")
    else:
        left, rest = spread.others
        said = words.count(len(spread.values) + left, "value") + (f"; {left} more have {rest:,} rows" if left else "")
        most = max([rows for _, rows in spread.values] or [1])
        cells: list[list[Child]] = [
            [name, f"{rows:,}", svg.bar(rows / most, f"{name}: {rows:,}", width=110)] for name, rows in spread.values
        ]
        drawn = table(["", "", ""], cells, numbers=(1,))
    caption = tag("figcaption", spread.title, tag("span", said, class_="soft meta"))
    return tag("figure", caption, drawn)


def _card(sample: RowSample) -> Markup:
    """One row; beside it the row that it repeats, when there is one."""
    head = tag("h4", sample.id, " ", tag("span", sample.origin, class_="tag") if sample.origin else None)
    if not sample.twin:
        return tag("div", head, tag("pre", sample.text), class_="row plain")
    twin = tag("div", tag("span", f"repeats {sample.twin}", class_="side"), tag("pre", sample.twin_text or "not here"))
    own = tag("div", tag("span", sample.why, class_="side"), tag("pre", sample.text))
    return tag("div", head, tag("div", own, twin, class_="pair"), class_="row")


def _dropped(samples: Sequence[RowSample]) -> Markup:
    """Samples under their step and reason."""
    parts = []
    for step, found in groupby(samples, key=lambda sample: sample.step):
        parts.append(tag("h3", step))
        for why, same in groupby(found, key=lambda sample: generalise_reason(sample.why)):
            parts += [tag("p", why, class_="soft"), *map(_card, same)]
    return join(*parts)


def _leakage(portrait: DataProfile) -> Markup:
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
    return join(tag("p", said, class_="bad" if left else "good"), facts(pairs))


def _sources(sources: Sequence[Mapping[str, Any]]) -> Markup:
    rows: list[list[Child]] = [
        [source.get("kind", ""), f"{source.get('rows', 0):,}",
         ", ".join(f"{name} {count:,}" for name, count in source.get("tables", {}).items()),
         ", ".join(source.get("licences", [])) or tag("span", "not stated", class_="warn"), _skipped(source)]
        for source in sources
    ]
    heads: list[Child] = ["source", "rows", "side tables", "licence", "skipped"]
    return table(heads, rows, numbers=(1,)) if rows else Markup("")


def _skipped(source: Mapping[str, Any]) -> Markup:
    """Records that were wrong and passed over: how many, and the first of them."""
    found = source.get("skipped") or {}
    if not found.get("rows"):
        return Markup("")
    return join(tag("b", f"{found['rows']:,} "), "; ".join(str(text) for text in found.get("first", [])))
