"""Builds from judged answers to a verdict: interrupted and not, certified, and asked; and the examples in specs/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from build_parts import ask, build, build_example, kill_when, list_pairs, read_output, write_lines
from tiny_decoder import tiny_decoder

from factory import bundle

pytestmark = pytest.mark.slow
SPEC = """\
apiVersion: factory/v1
name: NAME
task: TASK
models: {student: ./base}
data:
  sources: [{kind: jsonl, file: NAME.jsonl, columns: COLUMNS, licence: CC0-1.0}]
  split: {test: 24, validation: 8}
objective: {kind: OBJECTIVE, max_new_tokens: 8}
adapter: {rank: 4, alpha: 8}
train: {epochs: 16, batch_size: 4, learning_rate: 5.0e-3, keep: best, checkpoint_every: 10}
gate: {guards: []} # of 24 rows, no guard can exclude a fall of 0.1
budget: {threads: 1}
"""
KINDS = {
    "pairs": ("assistant", "[prompt, chosen, rejected]", "dpo"),
    "thumbs": ("{kind: assistant, feedback: thumbs}", "[prompt, answer, good]", "kto"),
}


def list_records(name: str) -> list[dict[str, Any]]:
    pairs = list_pairs()
    if name == "pairs":
        return pairs
    good = [number // 2 % 2 == 0 for number in range(len(pairs))]
    return [
        {"prompt": pair["prompt"], "answer": pair["chosen" if is_good else "rejected"], "good": is_good}
        for pair, is_good in zip(pairs, good, strict=True)
    ]


@pytest.fixture(params=KINDS)
def spec(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    name = request.param
    text = SPEC.replace("NAME", name)
    for slot, value in zip(("TASK", "COLUMNS", "OBJECTIVE"), KINDS[name], strict=True):
        text = text.replace(slot, value)
    tiny_decoder(tmp_path / "base")
    write_lines(tmp_path / f"{name}.jsonl", list_records(name))
    (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path / f"{name}.yaml"


def test_a_killed_training_goes_on_to_the_same_model_which_is_certified_and_answers(spec: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    code, said = build(spec, whole)
    assert code == 0, said
    kill_when(spec, halves, lambda: list(halves.glob("store/train/**/checkpoint-*/complete.json")))
    assert not list(halves.glob("store/train/*/output/train.json")), "killed in the middle of training"
    code, said = build(spec, halves)
    assert code == 0 and any("resuming training from step" in line for line in said)
    assert builds.digest(halves) == builds.digest(whole)

    score, gate = read_output(whole, "score", "score.json"), read_output(whole, "gate", "gate.json")
    assert gate["metric"] == ("preference" if spec.stem == "pairs" else "auc")
    assert score["contenders"]["tuned"][gate["metric"]]["mean"] == 1.0
    assert {name for name in score["contenders"]} == {"tuned", "untuned", "by-length"}
    assert read_output(whole, "certify", "certify.json")["largest_difference"] < 1e-2
    assert "kept_step" in read_output(whole, "train", "train.json")["facts"]
    (folder,) = (whole / "store" / "bundle").glob("*/output")
    golden = bundle.read_golden(folder)
    said = ask(spec.stem, whole, tmp_path, golden.rows[0]["prompt"])
    assert said == golden.answers[golden.rows[0].id].output


@pytest.mark.parametrize("backend", ["cpu", "hf"])
@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_the_examples_build_to_a_verdict_under_smoke_with_either_backend(
    name: str, backend: str, tmp_path: Path
) -> None:
    build_example(name, backend, tmp_path)
    assert read_output(tmp_path, "train", "train.json")["facts"]["backend"] == backend
    assert read_output(tmp_path, "certify", "certify.json")["tolerance"] > 0
