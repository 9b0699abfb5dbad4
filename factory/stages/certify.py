"""Certification: load the bundle with a plain library in a fresh process, and compare it with the judged model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import factory
from factory import bundle, models
from factory.api import Answer, Artifact, Base, ReferenceJob, ScoredAnswer
from factory.bundle.golden import GoldenRows
from factory.data.rows import read_json, write_json
from factory.errors import CertificationError
from factory.stages.certify_texts import TextEvidence, certify_texts
from factory.stages.delivery import load_responder
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values, read_resolved_base

AnyAnswer = TypeVar("AnyAnswer", Answer, ScoredAnswer)

NUMBER_TOLERANCE = 0.02
"""Largest accepted difference of numbers, as a share of the largest number. The judged model may have run in bfloat16,
whose 8 bits of precision add up to about 1 %; the plain library runs in float32."""


def run(job: StageJob) -> None:
    """Write `certify.json`. Raises CertificationError with the first check that failed."""
    folder = job.inputs["bundle"]
    problems = bundle.verify_bundle(folder)
    if problems:
        raise CertificationError(f"the bundle was changed after it was written: {problems[0]}")
    golden, manifest = bundle.read_golden(folder), bundle.load_manifest(folder)
    contender = bundle.find_exporting_contender(manifest)
    reply, modules = _answer_in_fresh_process(job, folder), manifest["modules"]
    # An adapter that was not applied at all, or not to every layer, can still give close answers: check it first.
    require_all_modules(reply["modules"], modules)
    if "texts" in reply:
        scored = {name: list(map(ScoredAnswer.from_json, texts)) for name, texts in reply["texts"].items()}
        artifact = job.load_artifact()
        if contender:
            artifact = bundle.open_bundle_artifact(folder, _load_bundle_base(job, manifest))
        judged = _score_judged_texts(job, golden, contender, artifact)
        facts = certify_texts(TextEvidence(judged=judged, **scored), may_equal_base=_is_plain_prompt(manifest))
    else:
        gated = [golden.answers[row.id].output for row in golden.rows]
        facts = certify_answers(gated, reply["tuned"], reply["untuned"])
    changed = {"contender": contender} if contender else {"adapter_changes_answers": True}
    write_json(job.out / "certify.json", {
        **facts, **changed, "modules": modules, "passed": True, "rows": len(golden.rows), "library": reply["library"],
    })


def _is_plain_prompt(manifest: Mapping[str, Any]) -> bool:
    """Whether the bundle carries a prompt that adds nothing to what the untuned base is asked anyway."""
    return manifest.get("artifact") == "prompt" and bool(manifest["training"].get("facts", {}).get("is_plain"))


def require_all_modules(modules: int, expected: int) -> None:
    """Raise CertificationError unless the plain library applied the adapter to all layers that training did."""
    if modules != expected:
        raise CertificationError(f"the plain library applied the adapter to {modules} layers, not to {expected}")


def certify_answers(gated: Sequence[Any], tuned: Sequence[Any], untuned: Sequence[Any]) -> dict[str, Any]:
    """Return the facts of a certificate from the answers of the bundle, the untuned base, and the judged model
    (`gated`).

    Raises CertificationError if the bundle is not the judged model, or its adapter has no effect.
    """
    scale = _find_largest_number(gated) or 1.0
    gap, change = (compute_answer_difference(tuned, other) / scale for other in (gated, untuned))
    if change == 0.0:
        raise CertificationError("the adapter does not change the answers: the plain library loaded the base alone")
    if gap > NUMBER_TOLERANCE:
        raise CertificationError(
            f"the bundle's answers to the golden rows differ from the judged model's by {gap:.2%}, over "
            f"{NUMBER_TOLERANCE:.0%}"
        )
    # A weak adapter changes answers less than the tolerance: within it, the base itself would pass.
    if gap > change:
        raise CertificationError(
            f"the bundle's answers are nearer to the untuned base ({change:.2%}) than to the judged model ({gap:.2%})"
        )
    return {"largest_difference": round(gap, 8), "tolerance": NUMBER_TOLERANCE, "change": round(change, 8)}


def compute_answer_difference(one: Any, other: Any) -> float:
    """Return the largest difference of two answers. Values that are not numbers count 0 if equal, else at least 1."""
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(float(one) - float(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        return max((compute_answer_difference(one[name], other[name]) for name in one), default=0.0)
    if _is_json_list(one) and _is_json_list(other) and len(one) == len(other):
        return max(map(compute_answer_difference, one, other), default=0.0)
    return 0.0 if one == other else max(1.0, _find_largest_number(one), _find_largest_number(other))


def _is_json_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _find_largest_number(value: Any) -> float:
    """Return the largest absolute number in a JSON value; 0 if there is none."""
    if isinstance(value, (int, float)):
        return abs(float(value))
    children = value.values() if isinstance(value, Mapping) else value if _is_json_list(value) else ()
    return max(map(_find_largest_number, children), default=0.0)


def _load_bundle_base(job: StageJob, manifest: Mapping[str, Any]) -> Base:
    return read_resolved_base(job.inputs[bundle.find_base_stage(manifest)])


def _answer_in_fresh_process(job: StageJob, folder: Path) -> dict[str, Any]:
    """Answer the golden rows in a fresh interpreter, with and without the artifact."""
    base = _load_bundle_base(job, bundle.load_manifest(folder))
    work = job.work / "certify"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    snapshot = models.create_hub_cache(base.folder, base.id, work / "hub")
    request = {
        "config": dict(job.config), "bundle": str(folder.resolve()), "base": str(snapshot.resolve()),
        "root": str(job.root.resolve()), "reply": str(work / "reply.json"),
        "plugins": [str(folder.resolve()) for folder in job.registry.folders],
        "base_facts": {"id": base.id, "revision": base.revision, "digest": base.digest, "licence": base.licence},
    }
    (work / "request.json").write_text(json.dumps(request))
    with (work / "log").open("wb") as log:
        code = subprocess.run(
            [sys.executable, "-m", "factory.stages.certify_child", str(work / "request.json")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work,
            env=_build_offline_environment(work / "hub"), check=False,
        ).returncode
    if code != 0:
        lines = [line for line in (work / "log").read_text(errors="replace").splitlines() if line.strip()]
        raise CertificationError(f"the plain library could not load the bundle: {lines[-1] if lines else code}")
    reply: dict[str, Any] = read_json(work / "reply.json")
    return reply


def _build_offline_environment(hub: Path) -> dict[str, str]:
    """Return an environment in which hub ids resolve to the resolved base, and downloads are off."""
    # The child runs in another folder: relative entries must become absolute.
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(Path(factory.__file__).parents[1]), *(os.path.abspath(path) for path in entries if path)]
    offline = {
        "HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return {**{k: v for k, v in os.environ.items() if k != "SENTENCE_TRANSFORMERS_HOME"}, **offline}


def _score_judged_texts(job: StageJob, golden: GoldenRows, contender: str, artifact: Artifact) -> list[ScoredAnswer]:
    """Score the judged model's texts by that model: the base with the adapter before it was bundled, or a prompt."""
    objective = load_responder(job.registry, job.config, contender, job.load_task())
    fields = {**job.build_job_fields(), "tables": golden.tables}
    with guard_plugin_call(objective):
        work = ReferenceJob(
            **fields, rows=golden.rows, base=artifact.base, task=job.load_task(), artifact=artifact,
            judged_answers=golden.answers,
        )
        values = objective.score_judged_answers(work)
        scored = list(iterate_checked_values(objective, "score_judged_answers", values, ScoredAnswer))
    return sort_by_row(scored, [row.id for row in golden.rows])


def sort_by_row(answers: Iterable[AnyAnswer], ids: Sequence[str]) -> list[AnyAnswer]:
    """Return answers in the order of the row ids. Raises CertificationError for a row without an answer."""
    by_id = {answer.id: answer for answer in answers}
    missing = [name for name in ids if name not in by_id]
    if missing:
        raise CertificationError(f"row {missing[0]!r} has no answer")
    return [by_id[name] for name in ids]
