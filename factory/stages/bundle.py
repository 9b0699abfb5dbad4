"""Write the bundle: the artifact in the layout of plain libraries, model card, evidence, and target exports."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from factory import bundle, identity
from factory.api import TEST, TRAIN, Artifact, ExportJob, ModelJob, Target, Task
from factory.api.artifact import get_artifact_loader
from factory.data.rows import read_json, read_jsonl
from factory.errors import InputError
from factory.events import Verdict
from factory.plan.step_names import name_step
from factory.stages.delivery import Delivery, prepare_delivery
from factory.stages.job import StageJob, guard_plugin_call
from factory.stages.step_rows import read_leakage_proofs
from factory.stages.train import load_adapter_block

EVIDENCE_STAGES = ("gather", "freeze", "curate", "score", "gate")
"""Stages whose JSON goes into the bundle, beside what training counted."""
ROW_STAGES = ("gather", "freeze", "curate")
"""Stages whose output has the rows of which a bundle quotes some."""


def run(job: StageJob) -> None:
    """Write the bundle; its manifest lists the digest of every file."""
    task, delivery = job.load_task(), prepare_delivery(job)
    evidence = _collect_bundle_evidence(job, delivery, task)
    lines = read_jsonl(job.inputs[f"answer[{delivery.choice.contender}]"] / "answers.jsonl")
    answers = {line["id"]: line["output"] for line in lines}
    bundle.copy_artifact_files(job.out, evidence.artifact)
    fields = job.build_job_fields()
    with guard_plugin_call(delivery.responder):
        work = ModelJob(**fields, rows=(), base=delivery.artifact.base, task=task, artifact=delivery.artifact)
        delivery.responder.export_files(work, job.out)
    test_rows = job.open_input_rows("freeze", f"{TEST}.jsonl")
    facts = bundle.write_bundle_evidence(job.out, evidence, test_rows, job.read_side_tables(), answers)
    _export_to_targets(job, delivery, facts)
    # Paths that must not occur in the bundle's files; short ones such as /tmp are not telling.
    private = [path for path in (job.out, job.home, job.root, *job.inputs.values()) if len(path.parts) > 2]
    manifest = bundle.finish_bundle(job.out, evidence, facts, private, _find_told_paths(job, private))
    if not delivery.is_trained:
        job.report.note(f"delivered: {bundle.describe_delivery(manifest)}")
    job.report.note(f"bundle {manifest['digest'][:12]}: {len(manifest['files'])} files")


def _find_told_paths(job: StageJob, paths: Iterable[Path]) -> set[Path]:
    """Return the paths that rows or the spec contain: a specialist of log files may well be about this project."""
    searched = {path: json.dumps(str(path), ensure_ascii=False)[1:-1].encode() for path in paths}
    spec = identity.encode_canonical(job.config["spec"])  # its own files may have absolute names
    told = {path for path, text in searched.items() if path == job.root and text in spec}
    for role in ROW_STAGES:
        for file in sorted(job.inputs[role].rglob("*.jsonl")) if role in job.inputs else ():
            with file.open("rb") as lines:
                for line in lines:
                    told |= {path for path, text in searched.items() if text in line}
    return told


def _collect_bundle_evidence(job: StageJob, delivery: Delivery, task: Task) -> bundle.BundleInputs:
    base, objective = read_json(job.inputs[delivery.base_stage] / "base.json"), delivery.responder
    outputs = {role: read_json(job.inputs[role] / f"{role}.json") for role in EVIDENCE_STAGES}
    spec = copy.deepcopy(dict(job.config["spec"]))
    # The resolved source of the base: a local path means nothing on another machine.
    student = read_json(job.inputs["base"] / "base.json")["source"]
    spec["models"] = {**spec.get("models", {}), "student": student}
    return bundle.BundleInputs(
        name=job.config["name"],
        task={"kind": task.kind, "version": task.version},
        objective={
            "objective": {"kind": objective.kind, "version": objective.version},
            "answers": objective.output_type if delivery.is_trained else task.output_type,
            "loader": get_artifact_loader(objective.loader_class, delivery.artifact.kind),
            "heads": sorted(objective.modules_to_save),
        },
        settings=_describe_artifact(delivery.artifact, job.config["adapter"]),
        templates=task.get_templates(),
        spec=spec, tuned=job.config["tuned"], base=base,
        model=job.inputs[delivery.base_stage] / "model", artifact=delivery.artifact, train=delivery.training,
        delivered=_describe_choice(delivery, outputs["gate"]),
        data={**outputs["freeze"]["digests"], TRAIN: identity.digest_file(job.inputs["curate"] / f"{TRAIN}.jsonl")},
        steps=_collect_steps(job),
        targets=tuple(block["kind"] for block in job.config["targets"]),
        review=_summarise_expert_review(job),
        **outputs,
    )


def _describe_choice(delivery: Delivery, gate: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was delivered and why; {} for tuned that ships, of which the verdict has said it all."""
    is_plain = delivery.is_trained and Verdict.from_word(gate["verdict"]).ships
    return {} if is_plain else {**delivery.choice.to_json(), "base_stage": delivery.base_stage}


def _collect_steps(job: StageJob) -> list[dict[str, Any]]:
    """Return the objective of each step of training, what it counted, and of rows of its own their digest and proof."""
    proofs, collected = read_leakage_proofs(job.inputs), list[dict[str, Any]]()
    for number, step in enumerate(job.config.get("steps", []), 1):
        trained = job.inputs.get(name_step("train", number), job.inputs["train"])
        facts = {"objective": step["objective"], "training": read_json(trained / "train.json")}
        if (curated := name_step("curate", number)) in proofs:
            digest = identity.digest_file(job.inputs[curated] / f"{TRAIN}.jsonl")
            facts |= {"data": digest, "leakage": proofs[curated]}
        collected.append(facts)
    return collected


def _describe_artifact(artifact: Artifact, adapter: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kind of an artifact and, of an adapter, the settings that targets ask for."""
    if artifact.kind != "adapter":
        trained = {"trained": adapter["kind"]} if artifact.kind == "weights" else {}
        return {"artifact": artifact.kind, **trained}
    settings = {name: adapter[name] for name in ("rank", "alpha")}
    return {"artifact": artifact.kind, **settings, **load_adapter_block(adapter).list_extras()}


def _summarise_expert_review(job: StageJob) -> dict[str, Any]:
    """Return the review without the names of reviewers; empty without a review."""
    file = job.inputs["curate"] / "review.json"
    if not file.is_file():
        return {}
    facts = read_json(file)
    pairs = [{name: pair[name] for name in ("rows", "agreed", "kappa")} for pair in facts["pairs"]]
    return {**{name: value for name, value in facts.items() if name != "strata"}, "pairs": pairs}


def _export_to_targets(job: StageJob, delivery: Delivery, facts: Mapping[str, Any]) -> None:
    """Let every target write its export; those that can not serve what another contender exported are left out.

    Raises InputError if one cannot serve what was trained.
    """
    for block in job.config["targets"]:
        target = cast(Target, job.make_plugin("target", block))
        reason = target.explain_refusal(facts)
        if reason and not delivery.is_trained:
            job.report.note(f"target {target.kind!r} is left out: {reason}")
            continue
        if reason:
            raise InputError(f"target {target.kind!r}: {reason}")
        out = job.out / "exports" / target.kind
        out.mkdir(parents=True)
        with guard_plugin_call(target):
            fields = job.build_job_fields()
            target.export(ExportJob(**fields, bundle=job.out, base=delivery.artifact.base, manifest=facts, out=out))
        if not any(out.iterdir()):
            out.rmdir()
            if not any(out.parent.iterdir()):
                out.parent.rmdir()
