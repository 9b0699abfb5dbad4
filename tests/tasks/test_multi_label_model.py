"""The encoder with a sigmoid for each label, on a random BERT: where it starts, its thresholds, and its bundle."""

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
from classify_parts import base
from multi_label_parts import LABELS, project, rows, scored, task
from tiny_parts import Voice

from factory.api import Adapter, AnswerJob, Artifact, Base, FitJob, ModelJob, TrainingArgs
from factory.api.label_sets import list_given_labels
from factory.data.rows import open_rows
from factory.ml.kit import load_kit
from factory_classify.classifier_files import read_bundle_labels
from factory_classify.embedding_baselines import Linear
from factory_classify.label_thresholds import read_label_thresholds
from factory_classify.multi_label_metrics import MultiLabelMetrics
from factory_classify.multi_label_objective import MultiLabelObjective
from factory_classify.one_vs_rest import compute_sigmoid

OBJECTIVE = MultiLabelObjective(max_length=16)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(base(tmp_path_factory.mktemp("student") / "base"), "tiny/bert", "1", "d" * 64, "MIT")


def fit_job(student: Base, folder: Path, epochs: int = 3) -> FitJob:
    every, (out, work) = rows(160), (folder / "out", folder / "work")
    out.mkdir(), work.mkdir()
    return FitJob(
        7, Voice(), out, kit_loader=load_kit, rows=every[60:], validation=every[:60], base=student, task=task(),
        adapter=Adapter(rank=4), out=out, work=work,
        train=TrainingArgs(epochs=epochs, batch_size=8, learning_rate=5e-3, precision="fp32"),
    )


@pytest.fixture(scope="module")
def fitted(student: Base, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    job = fit_job(student, tmp_path_factory.mktemp("fitted"))
    return job.out, dict(OBJECTIVE.fit(job).facts)


def asked(student: Base, folder: Path | None) -> ModelJob:
    return ModelJob(7, Voice(), Path(), kit_loader=load_kit, rows=rows(45, seed=9), base=student, task=task(),
                    artifact=Artifact("adapter", folder, student) if folder else None)


def test_without_the_update_it_is_the_linear_baseline(student: Base, tmp_path: Path) -> None:
    """A share of 0 keeps the start: the one-vs-rest regression of `linear`, with a calibration of its own."""
    job, start = fit_job(student, tmp_path, epochs=1), MultiLabelObjective(max_length=16, interpolation=[0.0])
    strange = [job.validation[0].with_columns(label=["new", *job.validation[0]["label"]]), *job.validation[1:]]
    facts = start.fit(replace(job, validation=strange)).facts
    assert facts["kept"] == 0.0
    notes: list[str] = job.report.notes  # type: ignore[attr-defined]
    assert "validation rows have labels without training rows: new" in notes
    asking = asked(student, job.out)
    answers = AnswerJob(
        7, Voice(), Path(), kit_loader=load_kit, rows=asking.rows, validation=job.validation, train=job.rows,
        base=student, task=task(), objective=start, artifact=None,
    )
    linear = [[answer.output[label][0] for label in LABELS] for answer in Linear().answer(answers)]
    scores = (start.compute_logits(asking, job.out) - facts["offset"]) / facts["scale"]
    theirs = answers.facts["scale"] * scores + answers.facts["offset"]
    assert compute_sigmoid(theirs) == pytest.approx(np.array(linear), abs=5e-3)


def test_it_learns_sets_and_writes_the_threshold_of_each_label(student: Base, fitted: tuple[Path, dict]) -> None:
    out, facts = fitted
    job = asked(student, out)
    outputs = [answer.output for answer in OBJECTIVE.answer(job)]
    scores = MultiLabelMetrics().score(scored(outputs, [row["label"] for row in job.rows]))
    assert np.mean([score.values["example_f1"] for score in scores]) > 0.85
    assert {0, 1, 2} <= {len(list_given_labels(output)) for output in outputs}
    assert read_bundle_labels(out) == LABELS == tuple(outputs[0])
    assert read_label_thresholds(out) == [pair[1] for pair in outputs[0].values()]
    # Each of the 100 training and 60 validation rows was left out of one training.
    frequent = [label for label in LABELS if sum(label in row["label"] for row in rows(160)) >= 20]
    assert facts["thresholds"]["own"] == len(frequent) == 3 and facts["thresholds"]["rows"] == 160
    assert facts["kept"] >= float(min(facts["tried"], key=lambda share: facts["tried"][share]))


def test_sentence_transformers_loads_it_and_answers_alike(
    student: Base, fitted: tuple[Path, dict], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(student.folder, bundle, ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    shutil.copytree(fitted[0], bundle, dirs_exist_ok=True)
    OBJECTIVE.export_files(asked(student, fitted[0]), bundle)
    named = json.loads((bundle / "adapter_config.json").read_text())
    (bundle / "adapter_config.json").write_text(json.dumps({**named, "base_model_name_or_path": str(student.folder)}))
    theirs = OBJECTIVE.generate_reference_answers(asked(student, bundle))
    ours = list(OBJECTIVE.answer(asked(student, fitted[0])))
    assert theirs.modules == 12
    for one, other in zip(theirs.answers, ours, strict=True):
        assert one.output.keys() == other.output.keys()
        for label, pair in other.output.items():
            assert one.output[label] == pytest.approx(pair, abs=1e-4)


def test_untuned_it_gives_the_one_label_whose_name_is_nearest(student: Base) -> None:
    answers = list(OBJECTIVE.answer(asked(student, None)))
    for answer in answers:
        (given,) = list_given_labels(answer.output)
        assert answer.output[given][0] == max(pair[0] for pair in answer.output.values())
    unlabelled = replace(asked(student, None), rows=[row for row in rows(9) if not row["label"]])
    assert [answer.output for answer in OBJECTIVE.answer(unlabelled)] == [{}] * 3


def test_without_validation_rows_every_threshold_is_a_half(student: Base, tmp_path: Path) -> None:
    job = replace(fit_job(student, tmp_path, epochs=1), validation=[])
    MultiLabelObjective(max_length=16, choose_on="validation").fit(job)
    assert read_label_thresholds(job.out) == [0.5] * 3
    assert "no rows to choose on" in job.report.notes[-1]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no training row has a label"):
        OBJECTIVE.fit(replace(job, rows=[row for row in job.rows if not row["label"]]))


@pytest.mark.slow
def test_a_build_from_csv_ends_in_a_certified_bundle_that_answers_as_its_card_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    spec, store = project(tmp_path / "project"), tmp_path / "home" / "store"
    command = [sys.executable, "-m", "factory", "build", str(spec), "--deliver", "tuned"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert "certify: done" in built.stdout + built.stderr, built.stderr[-2000:]
    (merged,) = (path.parent for path in (tmp_path / "home").rglob("exports/merged/modules.json"))
    from sentence_transformers import SentenceTransformer

    config = json.loads((merged / "labels" / "config.json").read_text())
    model = SentenceTransformer(str(merged), device="cpu")
    frozen = {row.id: row for row in open_rows(next(store.glob("freeze/*/output/test.jsonl")))}
    counts = [len(row["label"]) for row in frozen.values()]
    assert {*counts} == {0, 1, 2}
    by_kind = {json.loads(file.read_text())["contender"]: file.parent for file in store.glob("answer/*/*/answer.json")}
    assert by_kind.keys() == {"tuned", "linear", "centroid", "knn", "tfidf", "majority", "untuned"}
    for answer in map(json.loads, (by_kind["tuned"] / "answers.jsonl").read_text().splitlines()):
        probabilities = model.encode(frozen[answer["id"]]["text"], convert_to_tensor=True).sigmoid().tolist()
        for number, (probability, threshold) in enumerate(zip(probabilities, config["thresholds"], strict=True)):
            pair = answer["output"][config["id2label"][str(number)]]
            assert [probability, threshold] == pytest.approx(pair, abs=1e-4)
    assert ".sigmoid()" in (merged.parents[1] / "README.md").read_text()
    (score,) = map(json.loads, (file.read_text() for file in store.glob("score/*/output/score.json")))
    assert {"micro_f1", "macro_f1", "ece"} <= score["totals"]["tuned"].keys()
