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

import torch
from classify_parts import base, project, rows
from tiny_parts import Voice

from factory.api import Adapter, Artifact, Base, FitJob, ModelJob, TrainingArgs
from factory.ml.kit import load_kit
from factory_classify import head_init
from factory_classify.after_training import _fold_temperature, _interpolate_weights
from factory_classify.classification_objective import ClassificationObjective, read_bundle_labels
from factory_classify.label_answers import pick_best_label
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


def test_the_pooler_starts_as_the_mean_and_the_head_as_centroids(student: Base) -> None:
    every = rows(60)
    plain, headed, model = (load_kit().load_encoder(student, labels=labels) for labels in (0, 3, 3))
    ids = plain.tokenize_texts([row["text"] for row in every], 16)
    labels = torch.tensor([number % 3 for number in range(60)])
    head_init.initialise_head(model.model, plain, headed, ids, labels, mean=True)
    said = model.compute_pair_logits([(text, [0] * len(text)) for text in ids]).argmax(1)
    vectors = plain.compute_token_vectors(ids)
    pooled = model.model.bert.pooler.dense(torch.stack([text[0] for text in vectors]))
    means = torch.stack([text.mean(0) for text in vectors])
    assert torch.cosine_similarity(pooled, means).min() > 0.95
    assert (said == labels).float().mean() > 0.5  # of a random BERT's mean, without a step of training


def test_of_many_long_texts_a_part_of_each_label_is_enough_to_start_from() -> None:
    ids, labels = [[1] * 10] * 90, [number % 3 for number in range(89)] + [3]
    assert head_init.sample_texts_by_label(ids, labels) == list(range(90))
    chosen = head_init.sample_texts_by_label(ids, labels, max_tokens=300)
    assert len(chosen) == 31 and [sum(labels[row] == label for row in chosen) for label in range(4)] == [10, 10, 10, 1]


def test_it_learns_and_its_answers_are_calibrated_probabilities(student: Base, fitted: tuple[Path, dict]) -> None:
    out, facts = fitted
    job = asked(student, out)
    answers = list(OBJECTIVE.answer(job))
    assert sum(pick_best_label(answer)[0] == row["label"] for answer, row in zip(answers, job.rows, strict=True)) >= 32
    assert read_bundle_labels(out) == ("card", "money_transfer", "طقس")
    assert facts["kept"] == float(min(facts["tried"], key=lambda share: facts["tried"][share]))
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
    for one, other in zip(theirs.answers, ours, strict=True):
        assert one.output == pytest.approx(other.output, abs=1e-4)
    assert json.loads((bundle / "labels" / "config.json").read_text())["abstain_below"] == fitted[1]["abstain"]["below"]


def test_untuned_it_answers_by_the_names_of_the_labels(student: Base) -> None:
    answers = list(OBJECTIVE.answer(asked(student, None)))
    assert all(abs(sum(answer.output.values()) - 1) < 1e-5 and len(answer.output) == 3 for answer in answers)


def test_half_a_fit_is_half_an_update_and_the_mean_of_two_heads() -> None:
    names = [f"{name}.weight" for name in ("classifier", "bert.pooler.dense", "bert.layer.lora_A", "bert.layer.lora_B")]
    learned = {f"base_model.model.{name}": torch.full((2, 2), 4.0) for name in names}
    start = {name: torch.full((2, 2), 2.0) for name in names[:2]}
    half = list(_fold_temperature(_interpolate_weights(learned, start, 0.5), 3.0).values())
    assert [float(value[0, 0]) for value in half] == [1.0, 3.0, 4.0, 2.0]


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
    built = subprocess.run([sys.executable, "-m", "factory", "build", str(spec)], capture_output=True, text=True)
    assert "certify: done" in built.stdout + built.stderr
    bundles = sorted((tmp_path / "home").rglob("exports/merged/config.json"))
    config = json.loads(bundles[0].read_text())
    assert config["id2label"] == {"0": "card", "1": "money_transfer", "2": "طقس"}
    (scored,) = (tmp_path / "home").rglob("output/score.json")
    totals = json.loads(scored.read_text())["totals"]
    below = json.loads(next((tmp_path / "home").rglob("labels/config.json")).read_text())["abstain_below"]
    assert totals["tuned"]["bundle_threshold"] == pytest.approx(below, abs=1e-6)
    assert "bundle_coverage" in totals["tuned"] and "bundle_coverage" not in totals["centroid"]
