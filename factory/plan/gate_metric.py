"""What the gate judges: its metric, of rows or a total over all of them, with its eval; and whose answers it times."""

from __future__ import annotations

from typing import Any

from factory.api import Eval, Metric
from factory.spec.layers import ResolvedSpec


def choose_gate_eval(resolved: ResolvedSpec) -> Eval:
    """Return the eval of the gate's metric, which also scores validation rows for contenders that tune settings."""
    evals = [plugin for plugin in resolved.evals if plugin.metrics]
    name = resolved.spec.gate.metric
    known = ((plugin, {m.name for m in (*plugin.metrics, *plugin.total_metrics)}) for plugin in evals)
    return next((plugin for plugin, names in known if name in names), evals[0])


def choose_row_metric(resolved: ResolvedSpec) -> Metric:
    """Return the metric by which rows are scored: the gate's, or the eval's primary one if a total decides."""
    judge = choose_gate_eval(resolved)
    return next(m for m in judge.metrics if m.name == (get_row_metric(resolved) or judge.primary_metric))


def get_row_metric(resolved: ResolvedSpec) -> str:
    """Return the gate's metric as the spec states it; "", the eval's primary one, if a total decides."""
    return "" if find_gate_total(resolved) else resolved.spec.gate.metric


def find_gate_total(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return the total that decides and how it is resampled; {} if a metric of rows decides."""
    gate = resolved.spec.gate
    is_total = gate.metric in {metric.name for plugin in resolved.evals for metric in plugin.total_metrics}
    return {"metric": gate.metric, "resamples": gate.resamples, "seed": gate.seed} if is_total else {}


def build_score_parts(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return what scoring needs beside evals, where it does: the total that decides, the task, and who tuned is."""
    total, evals = find_gate_total(resolved), resolved.evals
    return {
        **({"total": total} if total else {}),
        **({"task": resolved.task} if any(plugin.uses_task for plugin in evals) else {}),
        **({"tuned": choose_tuned_contender(resolved)} if any(each.compares_with_tuned for each in evals) else {}),
    }


def choose_tuned_contender(resolved: ResolvedSpec) -> str:
    """Return the kind of the contender that the gate judges, and the bundle ships."""
    return next(contender.kind for contender in resolved.contenders if contender.uses_artifact and contender.in_gate)


def list_timed_contenders(resolved: ResolvedSpec) -> list[str]:
    """Return tuned and the contender that it shall match, if the spec limits the share of its cost or latency."""
    match = resolved.spec.gate.match
    is_limited = match is not None and (match.cost is not None or match.latency is not None)
    return [choose_tuned_contender(resolved), match.contender] if match and is_limited else []
