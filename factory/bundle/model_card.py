"""The model card and the licence notes of a bundle, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from factory.bundle import usage_examples
from factory.bundle.delivered import describe_delivery, find_exporting_contender
from factory.data.leakage import count_remaining_leaks
from factory.data.licences import UNKNOWN_LICENCE
from factory.events import Verdict
from factory.text.articles import add_article
from factory.text.templates import render

HUB_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "BSD-3-Clause": "bsd-3-clause", "CC-BY-4.0": "cc-by-4.0"}


def render_model_card(manifest: Mapping[str, Any], score: Mapping[str, Any], gather: Mapping[str, Any]) -> str:
    """Return the README.md of a bundle, with the metadata that the Hub reads."""
    gate = manifest["gate"]
    return render(files("factory.bundle").joinpath("card.md").read_text(encoding="utf-8"), {
        "metadata": _render_hub_metadata(manifest, score),
        "verdict_text": Verdict.from_word(gate["verdict"]).facts.finding,
        "reasons": _render_bullets([*gate.get("reasons", []), *_describe_seeds(gate), *_describe_looks(gate)]),
        **{name: manifest[name] for name in ("name", "tuned")},
        "what": _describe_what_it_is(manifest),
        **{name: gate[name] for name in ("verdict", "metric")},
        "test_rows": manifest["rows"]["test"],
        "confidence": f"{score.get('confidence', 0.95):.0%}",
        "table": _render_contender_table(score, gate["metric"]),
        "comparisons": _render_comparison_table(gate.get("comparisons", [])) + _render_steps(gate),
        "usage": usage_examples.render_usage_example(
            manifest["loader"], manifest["base"]["id"], manifest.get("answers", ""),
            open_set="none" in manifest["training"].get("facts", {}),
            artifact=manifest["artifact"],
        ),
        "data": _describe_training_data(manifest, gather),
        "limits": _render_bullets(_list_limitations(manifest)),
    })


def _render_hub_metadata(manifest: Mapping[str, Any], score: Mapping[str, Any]) -> str:
    """Return the YAML block that the Hub indexes."""
    import yaml

    contender = find_exporting_contender(manifest) or manifest["tuned"]
    loader, means = manifest["loader"], score["contenders"][contender]
    licence = manifest["base"]["licence"]
    pipeline = usage_examples.get_pipeline_tag(loader, manifest.get("answers", ""))
    result = {
        "task": {"type": pipeline, "name": manifest["task"]["kind"]},
        "dataset": {"type": manifest["name"], "name": f"{manifest['name']}, frozen test rows", "split": "test"},
        "metrics": [{"type": name, "value": round(value["mean"], 6)} for name, value in sorted(means.items())],
    }
    is_adapter = manifest["artifact"] == "adapter"
    relation = {} if find_exporting_contender(manifest) else {
        "base_model_relation": "adapter" if is_adapter else "finetune"
    }
    head = {
        "base_model": manifest["base"]["id"], **relation,
        "license": HUB_LICENCES.get(licence, "other"), "library_name": usage_examples.get_library_name(loader),
        "pipeline_tag": pipeline,
        "tags": sorted({*(("lora", "peft") if is_adapter else ()), "specialist-factory", manifest["task"]["kind"]}),
        "model-index": [{"name": manifest["name"], "results": [result]}],
    }
    if head["license"] == "other":
        head["license_name"] = licence
    return str(yaml.safe_dump(head, sort_keys=True, allow_unicode=True, width=120)).rstrip()


def _describe_objectives(manifest: Mapping[str, Any]) -> str:
    """Return the objective, or those of all steps of a training course in their order."""
    steps = [str(step["objective"]) for step in manifest.get("steps", ())]
    return " → ".join(steps) or str(manifest["objective"]["kind"])


def _describe_seeds(gate: Mapping[str, Any]) -> list[str]:
    """Return what several seeds say, and which one the bundle has; empty for one seed."""
    return list(gate.get("seeds", {}).get("findings", ()))


def _describe_looks(gate: Mapping[str, Any]) -> list[str]:
    """Return how often the test rows were judged, if the gate says so."""
    return [gate["looks"]["finding"]] if "looks" in gate else []


def _describe_what_it_is(manifest: Mapping[str, Any]) -> str:
    """Return what the bundle carries, for which task, and if the verdict does not say it, why."""
    task, delivered = f"the task\n`{manifest['task']['kind']}`", manifest.get("delivered", {})
    if contender := find_exporting_contender(manifest):
        text = (
            f"What the contender `{contender}` answers by, for {task}: {describe_delivery(manifest)}, "
            f"`{manifest['base']['id']}`. Nothing of the base is trained"
        )
    else:
        text = f"{_describe_artifact_kind(manifest)}, trained for {task} with the objective"
        text += f" `{_describe_objectives(manifest)}`"
    return f"{text}. Delivered, as: {delivered['reason']}" if delivered else text


def _describe_artifact_kind(manifest: Mapping[str, Any]) -> str:
    """Return what training made, and for which base."""
    kind, base = manifest["artifact"], manifest["base"]["id"]
    if kind == "adapter":
        served = {"nf4": " in 4 bits (NF4)", "bf16": " in 16 bits (bf16)"}.get(manifest.get("serve_precision", ""), "")
        return f"A LoRA adapter (rank {manifest['rank']}, {manifest['modules']} layers) for `{base}`{served}"
    if manifest.get("trained") == "head":
        return f"A new head on the frozen weights of `{base}`, which are in the folder too"
    what = "A whole model: all weights of" if kind == "weights" else f"{add_article(kind).capitalize()} for"
    return f"{what} `{base}`"


def _render_contender_table(score: Mapping[str, Any], metric: str) -> str:
    """Return a table with a line per contender, best first, and a column per metric, the deciding one first."""

    def format_interval(value: Mapping[str, Any] | None) -> str:
        return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" if value else "–"

    columns = [metric, *sorted(m["name"] for m in score["metrics"] if m["name"] != metric)]
    lower = {m["name"] for m in score["metrics"] if not m.get("higher_is_better", True)}
    sign = 1 if metric in lower else -1
    ranked = sorted(score["contenders"].items(), key=lambda item: (sign * item[1][metric]["mean"], item[0]))
    rows = [[name, *(format_interval(values.get(column)) for column in columns)] for name, values in ranked]
    return _render_markdown_table(["contender", *columns], rows)


def _render_comparison_table(comparisons: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        [c["baseline"], f"{c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]", f"{c['p']:.2g}",
         f"{c['won']} / {c['lost']} / {c['tied']}"]
        for c in comparisons
    ]
    return _render_markdown_table(["baseline", "difference", "p", "won / lost / tied"], rows)


def _render_steps(gate: Mapping[str, Any]) -> str:
    """Return what each step of a training course was worth, after a blank line; empty for a single objective."""
    rows = [
        [f"{step['step']}: {step['objective']}", step["before"], f"{step['difference']:+.3f} [{step['low']:+.3f}, "
         f"{step['high']:+.3f}]", f"{step['p']:.2g}"]
        for step in gate.get("steps", ()) if "low" in step
    ]
    table = _render_markdown_table(["step", "over", "difference", "p"], rows)
    return f"\n\nWhat each step of training was worth:\n\n{table}" if rows else ""


def _render_markdown_table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _render_bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _describe_training_data(manifest: Mapping[str, Any], gather: Mapping[str, Any]) -> str:
    """Describe the sources of the rows, the leakage between training and test rows, and the experts' review."""
    lines = [f"{source['kind']}: {source['rows']} rows ({_format_licences(source)})" for source in gather["sources"]]
    proof = manifest["leakage"]
    if proof:
        groups, exact, near = (proof.get(name, 0) for name in ("test_groups_in_training", "exact", "near"))
        similar = f", {proof['semantic']} of similar meaning" if proof.get("semantic_threshold") else ""
        lines.append(
            f"In the training rows: {groups} test groups, {exact} exact and {near} near duplicates of frozen rows"
            f"{similar} (`factory/leakage.json`)"
        )
    for number, step in enumerate(manifest.get("steps", ()), 1):
        if own := step.get("leakage"):
            leaked = count_remaining_leaks(own)
            lines.append(f"Step {number} has rows of its own: {leaked} of them are too similar to frozen rows")
    if manifest.get("review"):
        lines.append(_describe_expert_review(manifest["review"]))
    return _render_bullets(lines)


def _describe_expert_review(review: Mapping[str, Any]) -> str:
    count, rows, kappa = review["reviewed"], review["rows"], review.get("kappa")
    if not count:
        return f"None of the {rows} training rows was reviewed by an expert"
    agreement = f"; {review['reviewers']} reviewers agree with Cohen's κ {kappa:.2f}" if kappa is not None else ""
    return (
        f"{count} of {rows} training rows were reviewed by experts ({review['share']:.1%}): {review['acceptance']:.1%} "
        f"accepted unchanged, {review['edited']} edited, {review['rejected']} dropped{agreement}"
    )


def _list_limitations(manifest: Mapping[str, Any]) -> list[str]:
    gate, base = manifest["gate"], manifest["base"]
    metric, change = gate["metric"], manifest.get("facts", {}).get("change", "never")
    limits = [f"Tested on {gate['tuned']['n']} rows of one kind of data; quality on other data is unknown."]
    if change != "never":
        limits.append(f"The facts behind its answers change {change}; the model knows those of its training rows.")
    if smallest := gate.get("minimum_detectable_effect"):
        limits.append(f"This many rows cannot reliably show a difference in {metric} below {smallest:.3f}.")
    ceiling = gate.get("ceiling")
    if isinstance(ceiling, (int, float)):
        limits.append(f"No answer can score above {ceiling:.3f} in {metric}: the candidates of the rows limit it.")
    if base.get("note"):
        limits.append(f"Base used in training: {base['note']}. The weights on the Hub give slightly different answers.")
    if manifest["artifact"] == "adapter" and base["id"].startswith(("local/", "wheel/")):
        limits.append(f"`{base['id']}` is not on the Hub: set the path of the base model in adapter_config.json.")
    elif manifest["artifact"] in ("head", "prompt") and base["id"].startswith(("local/", "wheel/")):
        limits.append(f"`{base['id']}` is not on the Hub: give the path of the base model in its place.")
    return limits


def _format_licences(source: Mapping[str, Any]) -> str:
    return ", ".join(source.get("licences") or [source.get("licence") or UNKNOWN_LICENCE])


def render_licence_notes(
    base: Mapping[str, Any], gather: Mapping[str, Any], curate: Mapping[str, Any], artifact: str = "adapter"
) -> str:
    """Return LICENSES.md: the licences of the base, the sources and the training rows, and the generators used.

    `artifact` is the kind of what the bundle carries: a prompt quotes training rows.
    """
    quoting = "`factory/golden.jsonl`" + (" and the prompt with its examples" if artifact == "prompt" else "")
    verb = "contain" if artifact == "prompt" else "contains"
    rows = [
        ["base", f"{base['id']} ({base['source']})", base["licence"]],
        *(["rows", source["kind"], _format_licences(source)] for source in gather["sources"]),
        *(["training rows", f"{count:,} rows, or the rows they were made from", licence]
          for licence, count in curate.get("licences", {}).items()),
        *(["synthetic rows", f"{count:,} by {generator}", "that of the rows they were made from; terms of the model"]
          for generator, count in curate.get("generators", {}).items()),
    ]
    return "\n".join([
        "# Licences", "",
        "The artifact was trained from the base and the rows below. Their licences apply to it as far as they cover",
        "derived works; `unknown` means that no licence was stated, not that everything is allowed.", "",
        _render_markdown_table(["part", "source", "licence"], rows),
        "", f"{quoting} {verb} a few of those rows, with the side-table rows that they refer to.", "",
    ])
