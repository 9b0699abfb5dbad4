"""Builds of reward models to a verdict: interrupted and not, certified, and asked; and the example in specs/."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toy_builds as builds
from build_parts import ask, build, build_example, kill_when, list_pairs, read_output, write_lines
from tiny_decoder import tiny_decoder

from factory import bundle

pytestmark = pytest.mark.slow
SPEC = """\
apiVersion: factory/v1
name: rewards
task: reward-model
models: {student: ./base}
data:
  sources: [{kind: jsonl, file: rewards.jsonl, columns: [prompt, chosen, rejected], licence: CC0-1.0}]
  split: {test: 24, validation: 8}
objective: reward
contenders: [tuned, untuned, by-length]
adapter: {rank: 4, alpha: 8}
train: {epochs: 16, batch_size: 4, learning_rate: 5.0e-3, keep: best, checkpoint_every: 10}
budget: {threads: 1}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tiny_decoder(tmp_path / "base")
    write_lines(tmp_path / "rewards.jsonl", list_pairs())
    (tmp_path / "rewards.yaml").write_text(SPEC)
    return tmp_path / "rewards.yaml"


def test_a_killed_training_goes_on_to_the_same_model_which_is_certified_and_rewards(spec: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    code, said = build(spec, whole)
    assert code == 0, said
    kill_when(spec, halves, lambda: list(halves.glob("store/train/**/checkpoint-*/complete.json")))
    assert not list(halves.glob("store/train/*/output/train.json")), "killed in the middle of training"
    code, said = build(spec, halves)
    assert code == 0 and any("resuming training from step" in line for line in said)
    assert builds.digest(halves) == builds.digest(whole)

    score, certificate = (read_output(whole, each, f"{each}.json") for each in ("score", "certify"))
    assert score["contenders"]["tuned"]["pair_accuracy"]["mean"] == 1.0
    assert {"pair_accuracy_shorter", "pair_accuracy_longer", "ece"} == score["totals"]["tuned"].keys()
    assert certificate["largest_difference"] < 1e-2
    (folder,) = (whole / "store" / "bundle").glob("*/output")
    golden = bundle.read_golden(folder)
    first = golden.rows[0]
    rewards = ask("rewards", whole, tmp_path, first["prompt"], "--with", f"answers={json.dumps(first['answers'])}")
    assert rewards == pytest.approx(golden.answers[first.id].output, abs=1e-4)


@pytest.mark.parametrize("backend", ["cpu", "hf"])
def test_the_example_builds_to_a_verdict_under_smoke_with_either_backend(backend: str, tmp_path: Path) -> None:
    build_example("reward-model", backend, tmp_path)
    assert read_output(tmp_path, "train", "train.json")["facts"]["backend"] == backend
