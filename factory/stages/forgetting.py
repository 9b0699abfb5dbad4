"""Measure forgetting: base and tuned model answer items unrelated to the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from factory.api import Probe, ProbeJob, ProbeResult
from factory.data.rows import write_json, write_jsonl
from factory.errors import PluginError
from factory.evaluation import statistics
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

CONFIDENCE = 0.95


def run(job: StageJob) -> None:
    """Write `items.jsonl`, and `forgetting.json` with the means of each suite and their paired difference."""
    probe = cast(Probe, job.make_plugin("eval", job.config["probe"]))
    work = ProbeJob(**job.build_job_fields(), base=job.load_base(), artifact=job.load_artifact())
    with guard_plugin_call(probe):
        items = list(iterate_checked_values(probe, "probe", probe.probe(work), ProbeResult))
        drift = {name: round(float(value), statistics.DIGITS) for name, value in probe.compute_drift(work).items()}
    if not items:
        raise PluginError(f"eval {probe.kind!r}: no items; check its suites")
    write_jsonl(job.out / "items.jsonl", (
        {"id": item.id, "suite": item.suite, "base": item.base, "tuned": item.tuned} for item in items
    ))
    suites = [
        _summarise_probe_suite(name, [item for item in items if item.suite == name], job.seed)
        for name in dict.fromkeys(item.suite for item in items)
    ]
    write_json(job.out / "forgetting.json", {
        "kind": probe.kind, "suites": suites, "drift": drift, "tolerance": probe.tolerance, "confidence": CONFIDENCE,
    })


def _summarise_probe_suite(name: str, items: Sequence[ProbeResult], seed: int) -> dict[str, Any]:
    """Return the means of one suite, and tuned - base with its interval."""
    result = statistics.compute_mean_interval(
        [item.tuned - item.base for item in items], [item.id for item in items], CONFIDENCE, seed=seed
    )
    base, tuned = (sum(getattr(item, side) for item in items) / len(items) for side in ("base", "tuned"))
    return {
        "suite": name, "n": len(items), "base": round(base, statistics.DIGITS), "difference": result.mean,
        "tuned": round(tuned, statistics.DIGITS), "low": result.low, "high": result.high,
    }
