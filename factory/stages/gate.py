"""Compare the tuned model with every baseline on the same rows, and decide the verdict."""

from __future__ import annotations

from factory.api import Metric
from factory.data.leakage import count_remaining_leaks
from factory.data.rows import read_json, read_jsonl, write_json
from factory.evaluation.gate import decide_verdict
from factory.evaluation.look_confidence import compute_look_confidence, describe_looks
from factory.review import find_review_refusals
from factory.spec.fields import Gate
from factory.stages.job import StageJob


def run(job: StageJob) -> None:
    """Write `gate.json`: the verdict, its comparisons and its reasons."""
    stated, look = Gate(**job.config["gate"]), read_json(job.inputs["look"] / "look.json")["number"]
    gate = stated.model_copy(update={"confidence": compute_look_confidence(stated.confidence, look)})
    scored = read_json(job.inputs["score"] / "score.json")
    metrics = {metric["name"]: Metric(**metric) for metric in scored["metrics"]}
    compared = [name for name in scored["contenders"] if name not in job.config["shown"]]
    rows = {name: list(read_jsonl(job.inputs["score"] / f"{name}.jsonl")) for name in compared}
    probes = [
        read_json(folder / "forgetting.json") for role, folder in job.inputs.items() if role.startswith("forgetting[")
    ]
    leaks = count_remaining_leaks(read_json(job.inputs["curate"] / "curate.json")["leakage"])
    metric = metrics[gate.metric or scored["primary"]]
    refused: list[str] = []
    if required := job.config.get("review"):
        review = read_json(job.inputs["curate"] / "review.json")
        refused = find_review_refusals(review, required["share"], required["acceptance"])
    verdict = decide_verdict(
        rows, metric, gate, prompted=job.config["prompted"], leaked=leaks, probes=probes, refused=refused
    )
    looks = {"number": look, "confidence": stated.confidence, "finding": describe_looks(stated.confidence, look)}
    write_json(job.out / "gate.json", {**verdict, "looks": looks})
