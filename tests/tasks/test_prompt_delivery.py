"""A prompt is delivered: its bundle answers as the contender did, here and with plain transformers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_builds
from classify_parts import project
from house_parts import ask
from places import ROOT
from prompted_parts import Moody, Shouting, exact, job, rows, shouted
from tiny_decoder import tiny_decoder
from toy_builds import build

from factory.api import Answer, AnswerJob, Artifact, Base, ReferenceJob
from factory.bundle import load_manifest, verify_bundle
from factory.runs.specialists import find_version
from factory.stages.certify_texts import TextEvidence, certify_texts
from factory.stages.job import load_toolbox
from factory_contenders.few_shot import FixedExamples
from factory_contenders.prompt_responder import PromptResponder
from factory_contenders.prompted import Frontier, Prompted
from factory_contenders.saved_prompt import read_examples

MOODS = (("oh no", "sad"), ("yes!", "glad"), ("alas", "sad"), ("hurray", "glad"))


def deploy(contender: Prompted, work: AnswerJob, folder: Path) -> tuple[list[Answer], dict[str, Any], ReferenceJob]:
    """The contender's answers, the facts of its export, and the job of its artifact over the same rows."""
    answers = list(contender.answer(work))
    result = contender.export_artifact(work, folder)
    assert result.artifact == "prompt"
    bundled = ReferenceJob(
        seed=work.seed, report=work.report, root=work.root, kit_loader=work.kit_loader, rows=work.rows, base=work.base,
        task=work.task, artifact=Artifact("prompt", folder, work.base),
        judged_answers={answer.id: answer for answer in answers},
    )
    return answers, dict(result.facts), bundled


def prepare(base: Base, labels: bool) -> AnswerJob:
    parts = {
        "rows": rows("t", *MOODS[:2]), "train": rows("r", *MOODS, *MOODS), "validation": rows("v", *MOODS[2:]),
    } if labels else {"rows": shouted("t", "owl", "pig")}
    work = job(Moody() if labels else Shouting(), **parts)
    return replace(work, base=base, kit_loader=load_toolbox, validation_scorer=exact)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize(("shots", "selection"), [(0, "fixed"), (2, "fixed"), (2, "nearest")])
def test_a_saved_prompt_answers_as_the_contender_and_is_certified(
    tmp_path: Path, labels: bool, shots: int, selection: str
) -> None:
    work, folder = prepare(tiny_decoder(tmp_path / "base"), labels), tmp_path / "prompt"
    folder.mkdir()
    contender = Prompted(shots=[shots], selection=[selection], max_new_tokens=6)
    answers, facts, bundled = deploy(contender, work, folder)
    responder = contender.find_responder(work.task)
    assert isinstance(responder, PromptResponder)
    assert list(responder.answer(bundled)) == answers
    assert len(read_examples(folder)) == (0 if not shots else shots if selection == "fixed" else len(work.train))

    judged = list(responder.score_judged_answers(bundled))
    tuned = responder.generate_reference_answers(bundled)
    untuned = responder.generate_reference_answers(replace(bundled, artifact=None))
    evidence = TextEvidence(judged, tuned.scored, untuned.scored, tuned.greedy)
    certificate = certify_texts(evidence, may_equal_base=facts["is_plain"])
    assert (certificate["change"] == 0) is facts["is_plain"] is (shots == 0 and not labels)


def test_the_plain_library_reads_the_saved_examples_in_their_order(tmp_path: Path) -> None:
    work, folder = prepare(tiny_decoder(tmp_path / "base"), labels=False), tmp_path / "prompt"
    folder.mkdir()
    contender = Prompted(shots=[2], selection=["fixed"], max_new_tokens=6)
    _, _, bundled = deploy(contender, work, folder)
    own = PromptResponder().generate_reference_answers(bundled)
    assert PromptResponder().generate_reference_answers(bundled) == own
    lines = (folder / "examples.jsonl").read_text().splitlines(keepends=True)
    (folder / "examples.jsonl").write_text("".join(reversed(lines)))
    assert PromptResponder().generate_reference_answers(bundled).scored != own.scored
    assert FixedExamples(read_examples(folder)).select_nearest(work.rows, 1) == [[read_examples(folder)[-1]]] * 2


def test_what_needs_another_machine_is_not_deployed() -> None:
    endpoint = {"model": "m", "base_url": "http://localhost:1/v1"}
    assert Frontier(endpoint=endpoint).find_responder(Shouting()) is None
    assert Prompted(similarity="embedder").find_responder(Shouting()) is None
    assert Prompted(similarity="embedder", shots=[0]).find_responder(Shouting()) is not None
    assert (Prompted(model="prompter").get_base_alias(), Prompted().get_base_alias()) == ("prompter", "")


def test_a_prompt_for_another_model_than_the_student_serves_from_its_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_builds, "PATIENCE", 900.0)  # a build imports torch several times
    spec, home = project(tmp_path), tmp_path / "home"
    tiny_decoder(tmp_path / "talker")
    code, lines = build(
        spec, home, "--deliver", "prompted", "--set", "models.prompter=./talker", "--set", "train.epochs=1",
        "--set", "objective={kind: classification, max_length: 16, choose_on: validation, interpolation: [0.0]}",
        "--set", "contenders=[tuned, majority, {kind: prompted, model: prompter, shots: [2], selection: [nearest]}]",
    )
    assert code == 0, lines  # tuned ships all the same
    version = find_version(home, "tiny-classifier")
    manifest = load_manifest(version.bundle)
    # Its base is the model that was prompted, not the encoder that was trained.
    assert manifest["artifact"] == "prompt" and manifest["architecture"] == "LlamaForCausalLM"
    assert verify_bundle(version.bundle) == []
    shown = " ".join(ask(ROOT, home, "show", "latest").split())
    assert "a prompt with the 2 nearest examples for the untuned base" in shown
    row = next(json.loads(line) for line in (version.bundle / "factory/golden.jsonl").read_text().splitlines())
    label = max(row["output"], key=row["output"].get)
    answer = ask(ROOT, home, "try", "tiny-classifier", "--query", row["row"]["columns"]["text"])
    assert f"{label} {row['output'][label]:.2f}" in answer
    # The verdict is about tuned: no version is `shipped` for it that carries another contender.
    assert "shipped" not in ask(ROOT, home, "specialists", "tiny-classifier")
    shutil.rmtree(home)
