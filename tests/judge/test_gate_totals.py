"""Totals as the deciding metric: macro F1, corpus BLEU and chrF, by resampling the statistic itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classify_parts import scored
from places import ROOT
from tiny_parts import Voice

from factory.api import Answer, Provenance, Row, ScoreJob
from factory.data.rows import read_json, write_json, write_jsonl, write_rows
from factory.evaluation.totals import SLOW_RESAMPLES, TotalScores, resample_total
from factory.registry.registry import Registry
from factory.spec.fields import Gate
from factory.stages import gate, score
from factory.stages.job import StageJob
from factory_classify.classification_metrics import ClassificationMetrics
from factory_rewrite.rewrite_metrics import RewriteMetrics

LABELS = ("a", "b", "c")


class Uncounted(ClassificationMetrics):
    """Macro F1 without counts: it is computed anew for each resample."""

    kind = "uncounted"

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        return ()


def answers(seed: int, hit: float, right: list[str]) -> list[dict[str, float]]:
    draw = np.random.default_rng(seed)
    said = [label if draw.random() < hit else str(draw.choice(LABELS)) for label in right]
    return [{label: float(label == one) for label in LABELS} for one in said]


def labels(n: int = 90) -> list[str]:
    return [LABELS[(i % 10) // 4] for i in range(n)]  # of ten rows four are a, four b and two c


def test_macro_f1_is_resampled_by_its_counts_as_by_its_definition() -> None:
    from sklearn.metrics import f1_score

    right, clusters = labels(), [f"g{i // 3}" for i in range(90)]
    job = scored(answers(1, 0.5, right), right)
    counted = resample_total(ClassificationMetrics(), "macro_f1", job, clusters, (SLOW_RESAMPLES, 7))
    anew = resample_total(Uncounted(), "macro_f1", job, clusters, (10_000, 7))
    said = [max(job.answers[row.id].output, key=job.answers[row.id].output.get) for row in job.rows]
    assert counted.total == pytest.approx(f1_score(right, said, average="macro"))
    assert len(anew.resampled) == SLOW_RESAMPLES
    assert np.allclose(counted.resampled, anew.resampled) and anew.values == pytest.approx(counted.values)
    assert np.mean(list(counted.values.values())) == pytest.approx(counted.total)
    # The error by the jackknife is that by the bootstrap.
    groups = np.array(list(counted.values.values())).reshape(30, 3).mean(axis=1)
    assert groups.std(ddof=1) / 30**0.5 == pytest.approx(np.std(counted.resampled), rel=0.15)


def test_corpus_scores_are_resampled_as_sacrebleu_scores_them() -> None:
    rows = [Row(f"r{i}", {"rewrite": f"when does ferry {i} leave the harbour in winter"}, Provenance("here"))
            for i in range(12)]
    said = {row.id: Answer(row.id, f"when does ferry {i} sail{' in winter' * (i % 3)}") for i, row in enumerate(rows)}
    job = ScoreJob(7, Voice(), Path(), {}, rows=rows, answers=said)
    totals = RewriteMetrics().compute_totals(job)
    for name in ("corpus_bleu", "corpus_chrf"):
        counts = np.array(RewriteMetrics().list_total_counts(name, job))
        draws = np.array([[1] * 12, [2, 0, 3, *[1] * 7, 0, 0]])
        whole, part = RewriteMetrics().compute_total_from_counts(name, draws @ counts)
        drawn = ScoreJob(7, Voice(), Path(), {}, rows=[rows[i] for i, n in enumerate(draws[1]) for _ in range(n)],
                         answers=said)
        assert whole == pytest.approx(totals[name])
        assert part == pytest.approx(RewriteMetrics().compute_totals(drawn)[name])
        assert whole != pytest.approx(part)


def test_macro_f1_decides_from_the_answers_to_the_verdict(tmp_path: Path) -> None:
    # Who never says the rare label is more often right, and has the lower macro F1.
    right = labels(120)
    rare = [{label: float(label == ("b" if one == "c" else one)) for label in LABELS} for one in right]
    sides = {"tuned": answers(3, 0.75, right), "majority": rare}
    rows = [Row(f"r{i:03}", {"text": f"text {i}", "label": label}, Provenance("here")) for i, label in enumerate(right)]
    inputs = {name: tmp_path / name for name in ("freeze", "curate", "gather", *(f"answer[{side}]" for side in sides))}
    for folder in (*inputs.values(), tmp_path / "look"):
        folder.mkdir()
    for place in ("freeze/test.jsonl", "freeze/validation.jsonl", "curate/train.jsonl"):
        write_rows(tmp_path / place, rows if place == "freeze/test.jsonl" else [])
    write_json(tmp_path / "gather" / "gather.json", {"sources": []})
    write_json(tmp_path / "curate" / "curate.json", {"leakage": {}})
    write_json(tmp_path / "look" / "look.json", {"number": 1})
    for side, outputs in sides.items():
        lines = [{"id": row.id, "output": output} for row, output in zip(rows, outputs, strict=True)]
        write_jsonl(inputs[f"answer[{side}]"] / "answers.jsonl", lines)
        write_json(inputs[f"answer[{side}]"] / "answer.json", {"facts": {}})

    def run(stage: Any, name: str, config: dict[str, Any], given: dict[str, Path]) -> Path:
        out = tmp_path / f"out of {name} {len(list(tmp_path.iterdir()))}"
        out.mkdir()
        stage.run(StageJob(name, config, given, out, *[tmp_path] * 3, Voice(), Registry.from_classes(
            [ClassificationMetrics])))
        return out

    def decide(metric: str) -> dict[str, Any]:
        settings = Gate(metric=metric, resamples=1000)
        total = {"total": {"metric": metric, "resamples": 1000, "seed": 7}} if metric == "macro_f1" else {}
        evals = {"evals": [{"kind": "classification"}], "text": "text", "seed": 7, **total}
        made = run(score, "score", evals, inputs)
        config = {"gate": settings.model_dump(mode="json"), "prompted": [], "shown": []}
        given = {"score": made, "curate": inputs["curate"], "look": tmp_path / "look"}
        found = read_json(run(gate, "gate", config, given) / "gate.json")
        return {**found, "score": read_json(made / "score.json")}

    by_total, by_rows = decide("macro_f1"), decide("accuracy")
    shown = by_total["score"]["contenders"]["tuned"]["macro_f1"]
    assert shown["mean"] == by_total["score"]["totals"]["tuned"]["macro_f1"] == by_total["tuned"]["mean"]
    (only,), (other,) = by_total["comparisons"], by_rows["comparisons"]
    gain = shown["mean"] - by_total["score"]["totals"]["majority"]["macro_f1"]
    assert only["difference"] == pytest.approx(gain, abs=2e-6) and only["low"] > 0
    assert (by_total["verdict"], by_rows["verdict"]) == ("SHIP", "INSUFFICIENT_EVIDENCE")
    assert other["low"] < 0 and "macro_f1" not in by_rows["score"]["contenders"]["tuned"]
    assert TotalScores(0.5, {"r": 0.5}, [0.5]).round_numbers().resampled == [0.5]


@pytest.mark.parametrize("name", [
    "total, macro F1 of 5 uneven labels, 100 rows", "total, macro F1 of 5 even labels, 100 rows in 20 groups",
    "total, F1 over spans, 20 rows",
])
def test_equal_totals_ship_as_seldom_as_promised(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gate_rules_simulation as simulation

    (setting,) = [setting for setting in simulation.list_rule_settings() if setting.name == name]
    assert max(simulation.simulate_rule(setting, 400, 500)) <= simulation.compute_limit(400)
