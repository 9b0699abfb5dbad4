"""The metrics of the label that means "none of these", and what a spec's task says of it elsewhere."""

from pathlib import Path

import numpy as np
import pytest
from classify_parts import SPEC, base, rows, scored

from factory.api import Metric, Provenance, Row, ScoreJob
from factory.errors import SpecError
from factory.evaluation.paired_tests import run_paired_tests
from factory.registry.registry import Registry
from factory.spec.layers import ResolvedSpec, resolve_spec
from factory.stages.value_checks import compute_row_scores
from factory_classify.classification_metrics import ClassificationMetrics, OpenSetMetrics
from factory_classify.classification_objective import ClassificationObjective
from factory_classify.task import Classifier

METRICS = OpenSetMetrics(none="other")
NAMES = ("a", "b", "other")


def random_answers(seed: int, count: int = 80) -> ScoreJob:
    draw = np.random.default_rng(seed)
    shares = np.round(draw.dirichlet([1, 1, 1], count), 2)
    shares[:, 0] = 1 - shares[:, 1:].sum(axis=1)
    right = [NAMES[i] for i in np.random.default_rng(1).integers(0, 3, count)]
    return scored([dict(zip(NAMES, each, strict=True)) for each in shares.tolist()], right)


def list_values(job: ScoreJob, name: str) -> np.ndarray:
    values = compute_row_scores(METRICS, job)
    return np.array([values[row.id][name] for row in job.rows])


def test_means_of_the_rows_are_the_metrics_of_scikit_learn() -> None:
    from sklearn.metrics import precision_score, recall_score, roc_auc_score

    job = random_answers(2)
    shares = np.array([[job.answers[row.id].output[name] for name in NAMES] for row in job.rows])
    right, predicted = [row["label"] for row in job.rows], [NAMES[i] for i in shares.argmax(axis=1)]
    said, none = [one == "other" for one in predicted], [one == "other" for one in right]
    hits = [found == one for found, one in zip(predicted, right, strict=True) if one != "other"]
    assert list_values(job, "in_scope_accuracy").mean() == pytest.approx(np.mean(hits))
    assert list_values(job, "none_recall").mean() == pytest.approx(recall_score(none, said))
    assert len(set(shares[:, 2])) < len(shares)  # there are ties
    assert list_values(job, "none_auroc").mean() == pytest.approx(roc_auc_score(none, shares[:, 2]))
    totals = METRICS.compute_totals(job)
    assert totals["none_precision"] == pytest.approx(precision_score(none, said))
    for name in ("in_scope_accuracy", "none_recall", "none_auroc"):
        assert totals[name] == list_values(job, name).mean()


def test_the_variance_of_the_mean_is_that_of_delong_and_of_the_share() -> None:
    one, other = random_answers(2, 90), random_answers(3, 90)
    none = np.array([row["label"] == "other" for row in one.rows])

    def place(job: ScoreJob) -> tuple[np.ndarray, np.ndarray]:
        scores = np.array([job.answers[row.id].output["other"] for row in job.rows])
        psi = (scores[none][:, None] > scores[~none]) + 0.5 * (scores[none][:, None] == scores[~none])
        return psi.mean(axis=1), psi.mean(axis=0)

    (first, second), (third, fourth) = place(one), place(other)
    delong = np.var(first - third) / none.sum() + np.var(second - fourth) / (~none).sum()
    difference = list_values(one, "none_auroc") - list_values(other, "none_auroc")
    assert np.var(difference) / len(difference) == pytest.approx(delong)
    hits = list_values(one, "none_recall")
    recall = hits.mean()
    assert np.var(hits) / len(hits) == pytest.approx(recall * (1 - recall) / none.sum())
    (test,) = run_paired_tests([difference.tolist()], [row.id for row in one.rows], 0.95)
    reach = (test.interval.high - test.interval.low) / 2
    assert reach == pytest.approx(1.96 * delong**0.5, rel=0.05)


def test_rows_of_one_side_have_no_such_metrics() -> None:
    job = scored([{"a": 0.9, "b": 0.1}] * 4, ["a", "b", "a", "b"])
    with pytest.raises(ValueError, match=r"no test row has the label .other., which task\.none names"):
        METRICS.compute_totals(job)
    every = scored([{"a": 0.9, "b": 0.1}] * 4, ["other"] * 4)
    with pytest.raises(ValueError, match="every test row has the label 'other'"):
        METRICS.compute_totals(every)
    silent = scored([{"a": 0.9, "b": 0.1}] * 4, ["a", "b", "other", "other"])
    values = {name: list_values(silent, name).mean() for name in ("in_scope_accuracy", "none_recall", "none_auroc")}
    assert values == {"in_scope_accuracy": 0.5, "none_recall": 0.0, "none_auroc": 0.5}
    assert "none_precision" not in METRICS.compute_totals(silent)


def test_rows_in_and_out_of_scope_are_slices() -> None:
    inside, outside = rows(1)[0], Row("n", {"text": "please now", "label": "other"}, Provenance("parts"))
    task = Classifier(none="other")
    assert [task.get_row_slices(row)["scope"] for row in (inside, outside)] == ["in scope", "none of these"]
    assert "scope" not in Classifier().get_row_slices(outside)


def resolve(folder: Path, **changes: str) -> ResolvedSpec:
    text = SPEC
    for old, new in changes.items():
        text = text.replace(f"{old}: ", f"{old}: {new} # ", 1)
    (folder / "tiny.yaml").write_text(text)
    return resolve_spec(folder / "tiny.yaml", registry=Registry.load())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base(tmp_path / "base")
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "label": "b"}\n')
    return tmp_path


def test_a_task_with_the_label_has_its_metrics_by_default_and_the_gate_may_guard_them(folder: Path) -> None:
    guards = "[{metric: none_recall, within: 0.1}, {metric: none_auroc, within: 0.1}]"
    resolved = resolve(folder, task="{kind: classifier, none: other}", gate=f"{{guards: {guards}}}")
    (metrics,) = resolved.evals
    assert [metric.name for metric in metrics.metrics[3:]] == ["in_scope_accuracy", "none_recall", "none_auroc"]
    assert metrics.to_block()["none"] == resolved.task.to_block()["none"] == "other"
    with pytest.raises(SpecError, match="no eval reports 'none_auroc'"):
        resolve(folder, gate="{guards: [{metric: none_auroc, within: 0.1}]}")


def test_the_label_changes_no_key_where_it_is_not_set(folder: Path) -> None:
    plain = resolve(folder)
    assert all(isinstance(metric, Metric) for metric in ClassificationMetrics.metrics) and len(plain.evals) == 1
    assert type(plain.task) is Classifier and type(plain.evals[0]) is ClassificationMetrics
    for block in (plain.task, plain.objective, *plain.evals):
        fields = block.compute_identity(folder)["fields"]
        assert "none" not in fields and "none_share" not in fields
    assert Classifier(none="other").compute_identity(folder)["fields"]["none"] == "other"
    assert ClassificationObjective(none_share=0.1).compute_identity(folder)["fields"]["none_share"] == 0.1
