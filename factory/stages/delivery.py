"""What a build delivers: the artifact of training, or one that another contender exports; and who answers with it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from factory.api import TEST, TRAIN, VALIDATION, AnswerJob, Artifact, DeployableContender, Objective, Task, TrainResult
from factory.data.rows import read_json
from factory.errors import InputError, PluginError
from factory.evaluation.delivery import DeliveryChoice, choose_delivery
from factory.registry.registry import Registry
from factory.spec.fields import DELIVER_BEST
from factory.stages.job import StageJob, guard_plugin_call, read_resolved_base

DEPLOYABLE = "deployable"
"""The part of a config with the blocks of the contenders that can be deployed, by kind."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What goes into the bundle. `responder` answers with the artifact; `base_stage` resolved its base; `training` is
    what training counted, or the export of a contender."""

    choice: DeliveryChoice
    artifact: Artifact
    responder: Objective
    base_stage: str
    training: Mapping[str, Any]
    is_trained: bool


def prepare_delivery(job: StageJob) -> Delivery:
    """Choose what to deliver by the verdict, and let a contender other than tuned export its artifact."""
    tuned, deployable = job.config["tuned"], job.config.get(DEPLOYABLE, {})
    gate, score = (read_json(job.inputs[stage] / f"{stage}.json") for stage in ("gate", "score"))
    names = [name for name in deployable if f"answer[{name}]" in job.inputs]
    choice = choose_delivery(job.config.get("deliver", DELIVER_BEST), tuned, gate, score, names)
    if choice.contender == tuned:
        training = read_json(job.inputs["train"] / "train.json")
        return Delivery(choice, job.load_artifact(), job.load_objective(), "base", training, True)
    contender = _make_deployable(job.registry, deployable[choice.contender])
    responder = load_responder(job.registry, job.config, choice.contender, job.load_task())
    alias = contender.get_base_alias()
    base_stage = f"base[{alias}]" if alias else "base"
    artifact, training = _export_artifact(job, contender, base_stage)
    return Delivery(choice, artifact, responder, base_stage, training, False)


def _export_artifact(job: StageJob, contender: DeployableContender, base_stage: str) -> tuple[Artifact, dict[str, Any]]:
    """Let a contender write its artifact, with the facts that it recorded beside its answers."""
    out = job.work / "delivered"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    facts = read_json(job.inputs[f"answer[{contender.kind}]"] / "answer.json").get("facts") or {}
    rows, train, validation = (
        job.open_input_rows(stage, f"{part}.jsonl")
        for stage, part in (("freeze", TEST), ("curate", TRAIN), ("freeze", VALIDATION))
    )
    work = AnswerJob(
        **job.build_job_fields(), rows=rows, train=train, validation=validation, base=job.load_base(),
        task=job.load_task(), objective=job.load_objective(), artifact=None, facts=dict(facts),
    )
    with guard_plugin_call(contender, rows, train, validation, work.tables):
        result = contender.export_artifact(work, out)
    if not isinstance(result, TrainResult):
        raise PluginError(f"contender {contender.kind!r}: export_artifact must return a TrainResult")
    artifact = Artifact(result.artifact, out, read_resolved_base(job.inputs[base_stage]))
    if problem := artifact.find_problem():
        raise PluginError(f"contender {contender.kind!r}: {problem.replace('fit', 'export_artifact')}")
    return artifact, asdict(result)


def _make_deployable(registry: Registry, block: Mapping[str, Any]) -> DeployableContender:
    """Create the contender of a block of `deployable`."""
    return cast(DeployableContender, registry.make_plugin("contender", block))


def load_responder(registry: Registry, config: Mapping[str, Any], contender: str, task: Task) -> Objective:
    """Return the objective that answers for a bundle: that of the config, or of the contender that it delivers.

    `contender` is empty for what was trained. Raises InputError if the contender can no longer be deployed.
    """
    if not contender:
        return cast(Objective, registry.make_plugin("objective", config["objective"]))
    responder = _make_deployable(registry, config[DEPLOYABLE][contender]).find_responder(task)
    if responder is None:
        raise InputError(f"the contender {contender!r} can no longer be deployed; build this version again")
    return responder
