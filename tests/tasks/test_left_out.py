"""Few rows: each is left out of one training that tells what to choose, and the model that is kept learns from all."""

import os
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from classify_parts import SPEC, base, rows
from safetensors.numpy import load_file
from tiny_parts import Voice

from factory.api import Adapter, Base, FitJob, Provenance, Row, TrainingArgs, TrainResult
from factory.api.synthetic_rows import make_synthetic_row
from factory.errors import SpecError
from factory.ml.kit import load_kit
from factory.registry.registry import load_installed_registry
from factory.spec.layers import resolve_spec
from factory_classify.classification_objective import ClassificationObjective
from factory_classify.cross_validation import plan_held_out, split_folds
from factory_classify.head_training import choose_interpolation
from factory_classify.logistic_head import choose_inverse_penalty, fit_logistic_head, predict_left_out
from factory_classify.task import Classifier

TASK = Classifier()
OBJECTIVE = ClassificationObjective(max_length=16)


@dataclass
class Stopwatch(Voice):
    """Remembers the steps, and ends the process' work at one of them, as Ctrl-C would."""

    stop_at: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[int, int]] = []

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        if unit != "steps":
            return
        self.steps.append((done, total))
        if done == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(base(tmp_path_factory.mktemp("student") / "base"), "tiny/bert", "1", "d" * 64, "MIT")


def fit_job(student: Base, folder: Path, report: Stopwatch) -> FitJob:
    every, (out, work) = rows(60), (folder / "out", folder / "work")
    for each in (out, work):
        each.mkdir(parents=True, exist_ok=True)
    return FitJob(
        7, report, out, kit_loader=load_kit, rows=every[15:], validation=every[:15], base=student, task=TASK,
        adapter=Adapter(rank=4), out=out, work=work,
        train=TrainingArgs(epochs=2, batch_size=12, learning_rate=5e-3, precision="fp32", checkpoint_every=2),
    )


def read_weights(folder: Path) -> dict[str, list[float]]:
    files = sorted(folder.rglob("*.safetensors"))
    assert len(files) == 2
    return {f"{file.name}:{name}": value.ravel().tolist()
            for file in files for name, value in load_file(file).items()}


def test_every_row_is_left_out_once_and_every_label_is_alike_in_each_part() -> None:
    every = rows(60)
    labels = [(number % 3,) for number in range(60)]
    folds = split_folds(TASK, every, labels, 5)
    assert sorted(chain.from_iterable(fold.left_out.tolist() for fold in folds)) == list(range(60))
    for fold in folds:
        assert sorted([*fold.trained, *fold.left_out]) == list(range(60))
        assert np.bincount([labels[each][0] for each in fold.left_out]).tolist() == [4, 4, 4]


def test_rows_of_one_text_or_group_are_left_out_together_and_a_synthetic_row_with_its_source_unjudged() -> None:
    plain = rows(40)
    copy = replace(plain[0], id="copy", columns={**plain[0].columns, "text": plain[0]["text"].upper()})
    grouped = [replace(row, group="thread") for row in plain[3:6]]
    made = make_synthetic_row("paraphrase", {"text": "send it abroad now", "label": "card"}, [plain[1]])
    again = make_synthetic_row("noise", {"text": "sned it abraod now", "label": "card"}, [made])
    every = [*plain[:3], *grouped, *plain[6:], copy, made, again]
    place = {row.id: number for number, row in enumerate(every)}
    folds = split_folds(TASK, every, [(0,) if row["label"] == "card" else (1,) for row in every], 5)
    judged = set(chain.from_iterable(fold.left_out.tolist() for fold in folds))
    assert judged == {*range(len(every))} - {place[made.id], place[again.id]}
    for fold in folds:
        trained = {*fold.trained.tolist()}
        for family in ([plain[0].id, "copy"], [row.id for row in grouped], [plain[1].id, made.id, again.id]):
            assert len({place[name] in trained for name in family}) == 1


def test_a_label_that_one_part_would_take_away_is_never_left_out() -> None:
    every = [*rows(30), Row("odd", {"text": "what is this", "label": "rare"}, Provenance("parts"))]
    labels = [*((number % 3,) for number in range(30)), (3,)]
    folds = split_folds(TASK, every, labels, 5)
    assert all(30 in fold.trained and 30 not in fold.left_out for fold in folds)
    assert sum(len(fold.left_out) for fold in folds) == 30


def test_what_is_left_out_depends_on_the_number_of_rows() -> None:
    def plan(count: int, choose_on: str = "auto") -> tuple[list[int], bool]:
        made = [Row(f"r{number}", {"text": f"text {number}"}, Provenance("parts")) for number in range(count)]
        found = plan_held_out(choose_on, TASK, made, [(number % 2,) for number in range(count)], 100)  # type: ignore[arg-type]
        return [len(fold.left_out) for fold in found.folds], found.refit

    assert plan(499) == ([100, 100, 100, 100, 99], True)
    assert plan(500) == ([100], True)
    assert plan(9000) == ([1000], True)
    assert plan(40_000) == ([1000], False)  # a fortieth is not worth a second training
    assert plan(499, "validation") == plan(9000, "validation") == ([100], False)
    assert plan(499, "part") == ([100], True) and plan(9000, "folds")[0] == [1800] * 5
    assert plan(1) == ([], True)


def test_the_model_that_is_kept_learns_from_all_rows(student: Base, tmp_path: Path) -> None:
    report = Stopwatch()
    result = OBJECTIVE.fit(fit_job(student, tmp_path, report))
    assert result.trained_on_validation and result.facts["rows"] == 60
    assert result.facts["validation"]["rows"] == 60
    # Five trainings of 48 rows and one of 60, in batches of 12, twice over.
    assert report.steps == [(done, 5 * 8 + 10) for done in range(1, 51)]
    assert any("trained on all 60 rows" in note and "chosen on 60 of them" in note for note in report.notes)
    held = ClassificationObjective(max_length=16, choose_on="validation")
    alone = held.fit(fit_job(student, tmp_path / "held", Stopwatch()))
    assert not alone.trained_on_validation and (alone.facts["rows"], alone.facts["validation"]["rows"]) == (45, 15)
    best = fit_job(student, tmp_path / "best", Stopwatch())
    kept = OBJECTIVE.fit(replace(best, train=best.train.model_copy(update={"keep": "best"})))
    assert not kept.trained_on_validation and kept.facts["rows"] == 45 and "kept_step" in kept.facts


@pytest.mark.parametrize("stop_at", [3, 19, 45])
def test_a_killed_training_goes_on_where_it_was_and_ends_in_the_same_weights(
    student: Base, tmp_path: Path, stop_at: int
) -> None:
    whole = OBJECTIVE.fit(fit_job(student, tmp_path / "whole", Stopwatch()))
    with pytest.raises(KeyboardInterrupt):
        OBJECTIVE.fit(fit_job(student, tmp_path / "killed", Stopwatch(stop_at=stop_at)))
    report = Stopwatch()
    resumed: TrainResult = OBJECTIVE.fit(fit_job(student, tmp_path / "killed", report))
    assert resumed.facts == whole.facts
    assert read_weights(tmp_path / "killed" / "out") == read_weights(tmp_path / "whole" / "out")
    # A checkpoint every two steps: of the 50 steps, at most the step at hand was done twice.
    assert report.steps[0][0] >= stop_at - 1


def test_a_torn_record_of_a_finished_part_is_made_again(student: Base, tmp_path: Path) -> None:
    whole = OBJECTIVE.fit(fit_job(student, tmp_path / "whole", Stopwatch()))
    with pytest.raises(KeyboardInterrupt):
        OBJECTIVE.fit(fit_job(student, tmp_path / "torn", Stopwatch(stop_at=19)))
    (record,) = (tmp_path / "torn" / "work").glob("left-out-0.npz")
    record.write_bytes(record.read_bytes()[:-40])
    assert OBJECTIVE.fit(fit_job(student, tmp_path / "torn", Stopwatch())).facts == whole.facts


def test_a_left_out_row_is_predicted_by_a_regression_that_never_saw_it() -> None:
    draw, owners = np.random.default_rng(0), np.repeat(np.arange(3), 20)
    vectors = (draw.normal(size=(60, 6)) + 2 * np.eye(3, 6)[owners]).astype(np.float32)
    found = predict_left_out(vectors, owners, 1.0)
    logits, known = found.logits, found.known
    assert known.all() and (logits.argmax(axis=1) == owners).mean() > 0.7
    moved = vectors.copy()
    moved[7] *= -5  # its own logits change, but those of rows of its part do not
    others = predict_left_out(moved, owners, 1.0).logits
    assert not np.allclose(others[7], logits[7])
    assert fit_logistic_head(vectors, owners, 1.0).compute_logits(moved[7:8]) != pytest.approx(others[7:8])
    unchanged = np.isclose(others, logits).all(axis=1)
    assert 11 <= unchanged.sum() < 59
    single = np.concatenate([owners, [3]])
    found = predict_left_out(np.concatenate([vectors, vectors[:1]]), single, 1.0)
    assert found.logits.shape == (61, 4) and found.known.sum() == 60 and not found.known[60]


def test_the_penalty_is_the_one_that_scikit_learn_finds_best_and_its_predictions_are_kept() -> None:
    draw, owners = np.random.default_rng(1), np.repeat(np.arange(3), 20)
    vectors = (draw.normal(size=(60, 6)) + np.eye(3, 6)[owners]).astype(np.float32)
    c, accuracies, left_out = choose_inverse_penalty(vectors, owners)
    folds = StratifiedKFold(5, shuffle=True, random_state=7)
    models = {value: LogisticRegression(C=value, max_iter=1000) for value in accuracies}
    expected = {value: cross_val_score(model, vectors, owners, cv=folds).mean() for value, model in models.items()}
    assert accuracies == pytest.approx(expected) and accuracies[c] == max(accuracies.values()) == left_out.accuracy
    assert left_out.logits.tolist() == predict_left_out(vectors, owners, c).logits.tolist()


def test_of_weights_that_the_rows_do_not_tell_apart_the_trained_model_is_kept() -> None:
    start = np.array([0.5, 0.7, 0.6, 0.6])
    # 0.5 is better by 0.2 ± 0; 1.0 is worse than it by 0.05 with a standard error of 0.0645, and 0.7 by 0.05 ± 0.
    losses = {0.0: start, 0.5: start - 0.2, 0.7: start - 0.15, 1.0: start - 0.2 + np.array([0.2, -0.1, 0.0, 0.1])}
    assert choose_interpolation(losses) == 1.0
    assert choose_interpolation({**losses, 1.0: start - 0.2 + np.array([0.2, 0.1, 0.0, 0.1])}) == 0.5
    assert choose_interpolation({0.0: start, 0.3: start, 1.0: start}) == 1.0
    assert choose_interpolation({0.0: start[:1], 1.0: start[:1] + 0.1}) == 0.0


def test_the_best_weights_need_rows_that_are_not_trained_on(tmp_path: Path) -> None:
    base(tmp_path / "base")
    (tmp_path / "rows.jsonl").write_text('{"text": "a b", "label": "x"}\n')
    spec = tmp_path / "spec.yaml"
    registry = load_installed_registry()
    spec.write_text(SPEC.replace("max_length: 16}", "max_length: 16, choose_on: part}").replace(
        "epochs: 3,", "epochs: 3, keep: best,"))
    with pytest.raises(SpecError, match="the objective 'classification' measures no loss on validation rows as it is"):
        resolve_spec(spec, registry=registry)
    spec.write_text(SPEC.replace("epochs: 3,", "epochs: 3, keep: best,"))
    assert resolve_spec(spec, registry=registry).spec.train.keep == "best"
