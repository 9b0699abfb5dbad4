"""Measure forgetting: base and tuned model answer items unrelated to the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from factory.api import Probe, ProbeJob, ProbeResult
from factory.data.rows import write_json, write_jsonl
from factory.errors import PluginError
from factory.evaluation import paired_tests, statistics
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

CONFIDENCE = 0.95


def run(job: StageJob) -> None:
    """Write `items.jsonl`, and `forgetting.json` with the means of each suite, their difference and the power."""
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
    """Return the means of one suite, tuned - base with its interval, and the smallest fall seen with `POWER`."""
    scores = [[item.base for item in items], [item.tuned for item in items]]
    base, tuned = (statistics.round_number(sum(side) / len(items)) for side in scores)
    (result,) = paired_tests.run_paired_tests(
        [[paired_tests.subtract_score(item.tuned, item.base) for item in items]], [item.id for item in items],
        CONFIDENCE, binary=all(value in (0, 1) for side in scores for value in side),
        span=paired_tests.compute_span(*scores), draws=(statistics.RESAMPLES, seed),
    )
    fall = result.test.compute_detectable_effect(CONFIDENCE, statistics.POWER)
    return {
        "suite": name, "n": len(items), "base": base, "difference": result.interval.mean, "tuned": tuned,
        "low": result.interval.low, "high": result.interval.high, "smallest_fall": statistics.round_number(fall),
    }
