"""The label that means "none of these": its score and probability, what the model answers, and its metrics."""

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from classify_parts import NOISE, SPEC, base, project, rows
from tiny_parts import Voice

from factory.api import Adapter, Artifact, Base, FitJob, ModelJob, Provenance, Row, TrainingArgs
from factory.ml.kit import load_kit
from factory_classify.classification_objective import ClassificationObjective
from factory_classify.classifier_files import read_bundle_labels, read_head
from factory_classify.label_answers import compute_softmax, pick_best_label
from factory_classify.none_score import NoneScore, find_open_set, fit_none_score
from factory_classify.task import Classifier

TASK = Classifier(none="other")
OBJECTIVE = ClassificationObjective(max_length=16)
LABELS = ("card", "money_transfer", "other", "طقس")


def strangers(count: int, first: int = 0) -> list[Row]:
    """Rows of no label: only words that every label has."""
    draw, here = random.Random(first), Provenance("parts")
    texts = (" ".join(draw.sample(NOISE, 3 + number % 3)) for number in range(count))
    return [Row(f"n{first + i}", {"text": text, "label": "other"}, here) for i, text in enumerate(texts)]


def fit_job(student: Base, folder: Path, train: list[Row], validation: list[Row]) -> FitJob:
    (folder / "out").mkdir(parents=True), (folder / "work").mkdir()
    return FitJob(
        7, Voice(), folder, kit_loader=load_kit, rows=train, validation=validation, base=student, task=TASK,
        adapter=Adapter(rank=4), out=folder / "out", work=folder / "work",
        train=TrainingArgs(epochs=3, batch_size=8, learning_rate=5e-3, precision="fp32"),
    )


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(base(tmp_path_factory.mktemp("student") / "base"), "tiny/bert", "1", "d" * 64, "MIT")


@pytest.fixture(scope="module")
def fitted(student: Base, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    every, none = rows(120), strangers(36)
    job = fit_job(student, tmp_path_factory.mktemp("fit"), every[40:] + none[12:], every[:40] + none[:12])
    return SimpleNamespace(facts=OBJECTIVE.fit(job).facts, out=job.out, notes=job.report.notes)


def asked(student: Base, folder: Path) -> ModelJob:
    return ModelJob(7, Voice(), Path(), kit_loader=load_kit, rows=rows(30, seed=9) + strangers(18, 100), base=student,
                    task=TASK, artifact=Artifact("adapter", folder, student))


def test_the_probability_of_none_follows_from_its_own_odds_and_a_score_of_the_others() -> None:
    logits = np.log([[1.0, 2.0, 3.0], [4.0, 2.0, 2.0]])  # the label is the second one
    same = NoneScore("other", "odds", 1.0, 0.0, 0.0).replace_logit(logits, 1)
    assert same.tolist() == [pytest.approx(row) for row in logits.tolist()]
    energy = compute_softmax(NoneScore("other", "energy", 1.0, 1.0, np.log(2)).replace_logit(logits, 1))
    # Odds of 2 : 4 and 2 : 6, times 2, over the sum of the others: 1/4 and 1/9.
    assert energy[:, 1].tolist() == pytest.approx([1 / 5, 1 / 10])
    assert (energy[:, 0] / energy[:, 2]).tolist() == pytest.approx([1 / 3, 2])
    unsure = compute_softmax(NoneScore("other", "probability", 0.0, 1.0, 0.0).replace_logit(logits, 1))
    assert unsure[:, 1].tolist() == pytest.approx([4 / 7, 3 / 5])  # odds of 4 : 3 and 6 : 4


def draw_logits(draw: np.random.Generator, count: int, known: bool, seen: bool) -> np.ndarray:
    """Logits of eight labels and of the one for none of them, last: a known text has one high logit."""
    logits = draw.normal(size=(count, 9))
    if known:
        logits[np.arange(count), np.arange(count) % 8] += 6
    logits[:, 8] += 5 * seen - 1
    return logits


def test_unforeseen_kinds_are_told_better_than_by_one_more_class_and_foreseen_ones_as_well() -> None:
    from sklearn.metrics import roc_auc_score

    draw, right = np.random.default_rng(0), np.array([*(np.arange(80) % 8), *([8] * 20)])
    validation = np.concatenate([draw_logits(draw, 80, True, False), draw_logits(draw, 20, False, True)])
    open_set = find_open_set("other", [*map(str, range(8)), "other"], right.tolist(), 0.0)
    assert open_set is not None and (open_set.index, open_set.share, open_set.expected) == (8, 0.2, 0.2)
    score, losses = fit_none_score(open_set, validation, right)
    assert score is not None and score.score == min(losses, key=losses.__getitem__) != "odds"

    def rank(logits: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
        both = np.concatenate([inside, logits])
        found = (compute_softmax(each)[:, 8] for each in (both, score.replace_logit(both, 8)))
        truth = np.repeat([0, 1], [len(inside), len(logits)])
        return tuple(float(roc_auc_score(truth, values)) for values in found)

    inside = draw_logits(draw, 400, True, False)
    before, after = rank(draw_logits(draw, 400, False, False), inside)
    assert 1 - after < (1 - before) / 2
    before, after = rank(draw_logits(draw, 400, False, True), inside)
    assert after > before - 0.005


def test_another_share_in_use_shifts_the_log_odds() -> None:
    draw, right = np.random.default_rng(0), np.array([*(np.arange(80) % 8), *([8] * 20)])
    logits = np.concatenate([draw_logits(draw, 80, True, False), draw_logits(draw, 20, False, True)])
    names = [*map(str, range(8)), "other"]
    usual, rare = (
        fit_none_score(find_open_set("other", names, right.tolist(), share), logits, right)[0] for share in (0.0, 0.02)
    )
    assert usual is not None and rare is not None
    assert usual.offset - rare.offset == pytest.approx(np.log(0.2 / 0.8) - np.log(0.02 / 0.98), abs=2e-6)
    assert replace(rare, offset=usual.offset) == usual


def test_few_rows_leave_one_more_class_and_no_row_is_refused() -> None:
    open_set = find_open_set("other", ("a", "b", "other"), [0, 1, 2, 2], 0.0)
    assert open_set is not None
    assert fit_none_score(open_set, np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 2])) == (None, {})
    assert find_open_set("", ("a", "b"), [0, 1], 0.0) is None
    with pytest.raises(ValueError, match=r"no training row has the label 'other', which task\.none names"):
        find_open_set("other", ("a", "b"), [0, 1], 0.0)


def test_it_answers_with_the_probability_of_none(student: Base, fitted: SimpleNamespace) -> None:
    assert read_bundle_labels(fitted.out) == LABELS and fitted.facts["labels"] == len(read_head(fitted.out).bias) == 4
    config = json.loads((fitted.out / "labels" / "config.json").read_text())["none"]
    assert {name: value for name, value in config.items() if name != "logit"} == fitted.facts["none"]
    assert config["logit"].startswith("logsumexp(other logits) + odds_scale * odds + score_scale * score + offset, ")
    assert any(note.startswith("the probability of 'other' follows from its own logit") for note in fitted.notes)
    job = asked(student, fitted.out)
    answers = list(OBJECTIVE.answer(job))
    assert all(sum(answer.output.values()) == pytest.approx(1, abs=1e-5) for answer in answers)
    right = [pick_best_label(answer)[0] == row["label"] for answer, row in zip(answers, job.rows, strict=True)]
    assert sum(right[:30]) >= 24 and sum(right[30:]) >= 14
    assert fitted.facts["validation"]["rows"] == 156
    said = [TASK.format_answer(row, {}, answer) for row, answer in zip(job.rows, answers, strict=True)]
    assert sum(text.startswith("none of these ") for text in said[30:]) >= 14


def test_plain_libraries_read_the_same_probabilities_by_the_code_on_the_card(
    student: Base, fitted: SimpleNamespace, tmp_path: Path
) -> None:
    from factory.bundle.usage_examples import FOLDER_PLACEHOLDER, render_usage_example

    bundle = tmp_path / "bundle"
    shutil.copytree(student.folder, bundle, ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    shutil.copytree(fitted.out, bundle, dirs_exist_ok=True)
    OBJECTIVE.export_files(asked(student, fitted.out), bundle)
    named = json.loads((bundle / "adapter_config.json").read_text())
    (bundle / "adapter_config.json").write_text(json.dumps({**named, "base_model_name_or_path": str(student.folder)}))
    job, ours = asked(student, bundle), list(OBJECTIVE.answer(asked(student, fitted.out)))
    for one, other in zip(OBJECTIVE.generate_reference_answers(job).answers, ours, strict=True):
        assert one.output == pytest.approx(other.output, abs=1e-4)
    example = render_usage_example(OBJECTIVE.loader_class, "tiny/bert", "labels", open_set=True)
    text = job.rows[-1]["text"]
    code = example.replace(FOLDER_PLACEHOLDER, str(bundle)).replace('"a text"', json.dumps(text))
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    label, probability = pick_best_label(ours[-1])
    assert printed[0] == label == "other" and float(printed[1]) == pytest.approx(probability, abs=1e-4)


@pytest.mark.slow
def test_a_build_with_rows_of_none_is_certified_scored_and_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    spec, guards = project(tmp_path / "project"), "[{metric: none_auroc, against: linear, within: 0.5}]"
    spec.write_text(
        SPEC.replace("task: classifier", "task: {kind: classifier, none: other}")
        .replace("gate: {", f"gate: {{guards: {guards}, ")
    )
    with (spec.parent / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(row.columns)) + "\n" for row in strangers(60))
    command = [sys.executable, "-m", "factory", "build", str(spec), "--deliver", "tuned"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert "certify: done" in built.stdout + built.stderr
    (file,) = (tmp_path / "home").rglob("output/score.json")
    contenders = json.loads(file.read_text())["contenders"]
    for name in ("tuned", "linear"):
        assert {"accuracy", "in_scope_accuracy", "none_recall", "none_auroc"} <= contenders[name].keys()
    assert contenders["tuned"]["in_scope_accuracy"]["mean"] > 0.7 < contenders["tuned"]["none_auroc"]["mean"]
    (file,) = (tmp_path / "home").rglob("output/gate.json")
    assert "none_auroc did not fall by 0.5 against linear" in file.read_text()
    assert 'config["none"]' in next((tmp_path / "home").rglob("output/README.md")).read_text()
