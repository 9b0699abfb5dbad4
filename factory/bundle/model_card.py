"""The model card: the verdict first, then the numbers with their intervals, then what it can not do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from factory.bundle import usage_examples
from factory.bundle.licence_notes import format_source_licences
from factory.text.templates import render

VERDICT_SENTENCES = {
    "SHIP": "the tuned model beats every baseline, by more than chance explains.",
    "NO_SHIP": "the tuned model is not shown to beat the best baseline. Do not deploy it in its place.",
    "PROMPTING_IS_ENOUGH": "a prompted model does as well. Tuning buys nothing here.",
    "INSUFFICIENT_EVIDENCE": "the test rows are too few to tell the tuned model from the best baseline.",
}
HUB_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "BSD-3-Clause": "bsd-3-clause", "CC-BY-4.0": "cc-by-4.0"}


def render_model_card(manifest: Mapping[str, Any], score: Mapping[str, Any], gather: Mapping[str, Any]) -> str:
    """The README.md of a bundle, with the metadata that the Hub reads."""
    gate = manifest["gate"]
    return render(files("factory.bundle").joinpath("card.md").read_text(encoding="utf-8"), {
        "metadata": _render_hub_metadata(manifest, score),
        "name": manifest["name"],
        "verdict": gate["verdict"],
        "verdict_text": VERDICT_SENTENCES.get(gate["verdict"], "see the reasons."),
        "reasons": _render_bullets(gate.get("reasons", [])),
        "rank": manifest["rank"],
        "modules": manifest["modules"],
        "base": manifest["base"]["id"],
        "task": manifest["task"]["kind"],
        "objective": manifest["objective"]["kind"],
        "test_rows": manifest["rows"]["test"],
        "confidence": f"{score.get('confidence', 0.95):.0%}",
        "metric": gate["metric"],
        "table": _render_contender_table(score, gate["metric"]),
        "tuned": manifest["tuned"],
        "comparisons": _render_comparison_table(gate.get("comparisons", [])),
        "usage": usage_examples.render_usage_example(manifest["loader"], manifest["base"]["id"]),
        "data": _describe_training_data(manifest, gather),
        "limits": _render_bullets(_list_limitations(manifest)),
    })


def _render_hub_metadata(manifest: Mapping[str, Any], score: Mapping[str, Any]) -> str:
    """The YAML block that the Hub indexes."""
    import yaml

    loader, means = manifest["loader"], score["contenders"][manifest["tuned"]]
    licence = manifest["base"]["licence"]
    pipeline = usage_examples.get_pipeline_tag(loader)
    result = {
        "task": {"type": pipeline, "name": manifest["task"]["kind"]},
        "dataset": {"type": manifest["name"], "name": f"{manifest['name']}, frozen test rows", "split": "test"},
        "metrics": [{"type": name, "value": round(value["mean"], 6)} for name, value in sorted(means.items())],
    }
    head = {
        "base_model": manifest["base"]["id"], "base_model_relation": "adapter",
        "license": HUB_LICENCES.get(licence, "other"), "library_name": usage_examples.get_library_name(loader),
        "pipeline_tag": pipeline,
        "tags": sorted({"lora", "peft", "specialist-factory", manifest["task"]["kind"]}),
        "model-index": [{"name": manifest["name"], "results": [result]}],
    }
    if head["license"] == "other":
        head["license_name"] = licence
    return str(yaml.safe_dump(head, sort_keys=True, allow_unicode=True, width=120)).rstrip()


def _render_contender_table(score: Mapping[str, Any], metric: str) -> str:
    """A line a contender, best first; the deciding metric leads."""
    names = [metric, *sorted(m["name"] for m in score["metrics"] if m["name"] != metric)]
    lower = {m["name"] for m in score["metrics"] if not m.get("higher_is_better", True)}
    sign = 1 if metric in lower else -1
    ranked = sorted(score["contenders"].items(), key=lambda item: (sign * item[1][metric]["mean"], item[0]))
    rows = [[name, *(_format_mean_interval(values.get(metric_)) for metric_ in names)] for name, values in ranked]
    return _render_markdown_table(["contender", *names], rows)


def _format_mean_interval(value: Mapping[str, Any] | None) -> str:
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" if value else "–"


def _render_comparison_table(comparisons: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        [c["baseline"], f"{c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]", f"{c['p']:.2g}",
         f"{c['won']} / {c['lost']} / {c['tied']}"]
        for c in comparisons
    ]
    return _render_markdown_table(["baseline", "difference", "p", "won / lost / tied"], rows)


def _render_markdown_table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _render_bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _describe_training_data(manifest: Mapping[str, Any], gather: Mapping[str, Any]) -> str:
    """Where the rows come from and what was checked between training and test rows."""
    sources = [
        f"{source['kind']}: {source['rows']} rows ({format_source_licences(source)})" for source in gather["sources"]
    ]
    proof = manifest["leakage"]
    if proof:
        groups, exact, near = (proof.get(name, 0) for name in ("test_groups_in_training", "exact", "near"))
        meant = f", {proof['semantic']} that mean the same" if proof.get("semantic_threshold") else ""
        sources.append(
            f"In the training rows: {groups} test groups, {exact} exact and {near} near duplicates of frozen rows"
            f"{meant} (`factory/leakage.json`)"
        )
    if manifest.get("review"):
        sources.append(describe_review(manifest["review"]))
    return _render_bullets(sources)


def describe_review(review: Mapping[str, Any]) -> str:
    """What experts said of the training rows, in a sentence."""
    count, rows = review["reviewed"], review["rows"]
    if not count:
        return f"None of the {rows} training rows was reviewed by an expert"
    kappa = review.get("kappa")
    agreed = f"; {review['reviewers']} reviewers agree with Cohen's κ {kappa:.2f}" if kappa is not None else ""
    return (
        f"{count} of {rows} training rows were reviewed by experts ({review['share']:.1%}): {review['acceptance']:.1%} "
        f"acceptable as they were, {review['edited']} edited, {review['rejected']} dropped{agreed}"
    )


def _list_limitations(manifest: Mapping[str, Any]) -> list[str]:
    gate, base = manifest["gate"], manifest["base"]
    metric = gate["metric"]
    change = manifest.get("facts", {}).get("change", "never")
    limits = [f"Judged on {gate['tuned']['n']} rows of one kind of data; nothing is known about other data."]
    smallest = gate.get("minimum_detectable_effect")
    if change != "never":
        limits.append(f"The facts behind its answers change {change}; it knows what was true when it was trained.")
    if smallest:
        limits.append(f"A difference in {metric} below {smallest:.3f} could not have been seen with so many rows.")
    ceiling = gate.get("ceiling")
    if isinstance(ceiling, (int, float)):
        limits.append(f"No answer can score above {ceiling:.3f} in {metric}: the rows' candidates do not allow it.")
    if base.get("note"):
        limits.append(f"The base it was trained on: {base['note']}. The hub's weights answer a little differently.")
    if base["id"].startswith(("local/", "wheel/")):
        limits.append(f"`{base['id']}` is on no hub: adapter_config.json must be told where the base lies.")
    return limits
