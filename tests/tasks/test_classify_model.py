"""The encoder with a head, on a random BERT: where it starts, what a temperature does to its file, and its bundle."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from classify_parts import base, project, rows
from tiny_parts import Voice

from factory.api import Adapter, AnswerJob, Artifact, Base, FitJob, ModelJob, TrainingArgs
from factory.data.rows import open_rows
from factory.ml.kit import load_kit
from factory_classify.classification_objective import ClassificationObjective
from factory_classify.classifier_files import read_bundle_labels
from factory_classify.embedding_baselines import Linear
from factory_classify.head_training import interpolate_heads, scale_update
from factory_classify.label_answers import compute_softmax, pick_best_label
from factory_classify.logistic_head import LogisticHead
from factory_classify.sentence_head import Heads
from factory_classify.task import Classifier

OBJECTIVE = ClassificationObjective(max_length=16)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(base(tmp_path_factory.mktemp("student") / "base"), "tiny/bert", "1", "d" * 64, "MIT")


@pytest.fixture(scope="module")
def fitted(student: Base, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out, work, every = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("work"), rows(120)
    train = TrainingArgs(epochs=3, batch_size=8, learning_rate=5e-3, precision="fp32")
    result = OBJECTIVE.fit(FitJob(
        7, Voice(), out, kit_loader=load_kit, rows=every[40:], validation=every[:40], base=student,
        task=Classifier(), adapter=Adapter(rank=4), train=train, out=out, work=work,
    ))
    return out, dict(result.facts)


def asked(student: Base, folder: Path | None) -> ModelJob:
    return ModelJob(7, Voice(), Path(), kit_loader=load_kit, rows=rows(40, seed=9), base=student,
                    task=Classifier(), artifact=Artifact("adapter", folder, student) if folder else None)


def test_without_the_update_it_is_the_linear_baseline(student: Base, tmp_path: Path) -> None:
    """A share of 0 keeps the start: the regression on embeddings of all rows, at a temperature of its own."""
    every = rows(120)
    job = FitJob(
        7, Voice(), tmp_path, kit_loader=load_kit, rows=every[40:], validation=every[:40], base=student,
        task=Classifier(), adapter=Adapter(rank=4), out=tmp_path / "out", work=tmp_path / "work",
        train=TrainingArgs(epochs=1, batch_size=8, learning_rate=5e-3, precision="fp32"),
    )
    job.out.mkdir(), job.work.mkdir()
    start = ClassificationObjective(max_length=16, interpolation=[0.0])
    facts = start.fit(job).facts
    assert facts["kept"] == 0.0
    asking = asked(student, job.out)
    answers = AnswerJob(
        7, Voice(), Path(), kit_loader=load_kit, rows=asking.rows, validation=every[:40], train=every[40:],
        base=student, task=Classifier(), objective=start, artifact=None,
    )
    linear = [list(answer.output.values()) for answer in Linear().answer(answers)]
    scores = start.compute_logits(asking, job.out) * facts["temperature"]
    assert compute_softmax(scores / answers.facts["temperature"]) == pytest.approx(np.array(linear), abs=1e-3)


def test_it_learns_and_its_answers_are_calibrated_probabilities(student: Base, fitted: tuple[Path, dict]) -> None:
    out, facts = fitted
    job = asked(student, out)
    answers = list(OBJECTIVE.answer(job))
    assert sum(pick_best_label(answer)[0] == row["label"] for answer, row in zip(answers, job.rows, strict=True)) >= 32
    assert read_bundle_labels(out) == ("card", "money_transfer", "طقس")
    assert facts["kept"] >= float(min(facts["tried"], key=lambda share: facts["tried"][share]))
    assert facts["validation"]["after"]["nll"] <= facts["validation"]["before"]["nll"]
    assert 0 <= facts["abstain"]["coverage"] <= 1


def test_transformers_loads_it_with_its_labels_and_answers_alike(
    student: Base, fitted: tuple[Path, dict], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(student.folder, bundle, ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    shutil.copytree(fitted[0], bundle, dirs_exist_ok=True)
    OBJECTIVE.export_files(asked(student, fitted[0]), bundle)
    named = json.loads((bundle / "adapter_config.json").read_text())
    (bundle / "adapter_config.json").write_text(json.dumps({**named, "base_model_name_or_path": str(student.folder)}))
    theirs, ours = OBJECTIVE.generate_reference_answers(asked(student, bundle)), list(
        OBJECTIVE.answer(asked(student, fitted[0]))
    )
    assert theirs.modules == 12
    assert (bundle / "modules.json").is_file()
    for one, other in zip(theirs.answers, ours, strict=True):
        assert one.output == pytest.approx(other.output, abs=1e-4)
    assert json.loads((bundle / "labels" / "config.json").read_text())["abstain_below"] == fitted[1]["abstain"]["below"]


def test_untuned_it_answers_by_the_names_of_the_labels(student: Base) -> None:
    answers = list(OBJECTIVE.answer(asked(student, None)))
    assert all(abs(sum(answer.output.values()) - 1) < 1e-5 and len(answer.output) == 3 for answer in answers)


def test_half_a_fit_is_half_an_update_and_the_mean_of_two_heads() -> None:
    learned = {f"layer.{name}.weight": torch.full((2, 2), 4.0) for name in ("lora_A", "lora_B")}
    assert [float(value[0, 0]) for value in scale_update(learned, 0.5).values()] == [4.0, 2.0]
    heads = tuple(LogisticHead(np.full((2, 2), value), np.full(2, value)) for value in (2.0, 4.0))
    half = interpolate_heads(Heads(*heads), 0.5)
    assert half.weight.tolist() == [[3.0, 3.0], [3.0, 3.0]] and half.bias.tolist() == [3.0, 3.0]


def test_half_way_to_trained_weights_is_half_way_from_the_bases_and_equal_ones_stay() -> None:
    base = {"a.weight": torch.tensor([[3.0, 4.0], [0.0, 2.0]]), "same": torch.tensor([0.1, 0.7])}
    trained = {"a.weight": torch.tensor([[5.0, 4.0], [0.0, 4.0]]), "same": base["same"], "new.weight": torch.ones(1)}
    half = scale_update(trained, 0.5, base)
    assert half["a.weight"].tolist() == [[4.0, 4.0], [0.0, 3.0]]
    assert torch.equal(half["same"], base["same"]) and half["new.weight"].tolist() == [1.0]
    lengths = {"base_model.model.a.lora_magnitude_vector": torch.tensor([7.0, 4.0])}  # of the base: 5 and 2
    assert [value.tolist() for value in scale_update(lengths, 0.5, base).values()] == [[6.0, 3.0]]


def test_long_texts_are_found_before_training(student: Base) -> None:
    objective, job = ClassificationObjective(max_length=8), asked(student, None)
    long = [row.with_columns(text=row["text"] + " card" * 9) for row in job.rows[:1]]
    assert not list(objective.audit(job))
    assert [each.text for each in objective.audit(replace(job, rows=long))] == ["16 tokens exceed max_length (8)"]


@pytest.mark.slow
def test_a_build_ends_in_a_certified_bundle_and_the_merged_export_has_the_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    spec = project(tmp_path / "project")
    command = [sys.executable, "-m", "factory", "build", str(spec), "--deliver", "tuned"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert "certify: done" in built.stdout + built.stderr
    (merged,) = (path.parent for path in (tmp_path / "home").rglob("exports/merged/modules.json"))
    config = json.loads((merged / "labels" / "config.json").read_text())
    labels = config["id2label"]
    assert labels == {"0": "card", "1": "money_transfer", "2": "طقس"}
    (scored,) = (tmp_path / "home").rglob("output/score.json")
    totals = json.loads(scored.read_text())["totals"]
    assert totals["tuned"]["bundle_threshold"] == pytest.approx(config["abstain_below"], abs=1e-6)
    assert "bundle_coverage" in totals["tuned"] and "bundle_coverage" not in totals["centroid"]
    from sentence_transformers import SentenceTransformer

    store = tmp_path / "home" / "store"
    texts = {row.id: row["text"] for row in open_rows(next(store.glob("freeze/*/output/test.jsonl")))}
    model = SentenceTransformer(str(merged), device="cpu")
    tuned = next(
        answers for answers in store.glob("answer/*/output/answers.jsonl")
        if json.loads((answers.parent / "answer.json").read_text())["contender"] == "tuned"
    )
    for answer in map(json.loads, tuned.read_text().splitlines()):
        found = model.encode(texts[answer["id"]], convert_to_tensor=True).softmax(-1)
        assert found.tolist() == pytest.approx([answer["output"][label] for label in labels.values()], abs=1e-4)
    assert "SentenceTransformer(folder)" in (merged.parents[1] / "README.md").read_text()
