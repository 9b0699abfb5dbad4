"""Builds of reward models to a verdict: interrupted and not, certified, and asked; and the example in specs/."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toy_builds as builds
from places import ROOT
from tiny_decoder import tiny_decoder

from factory import bundle
from factory.data.rows import read_json

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
THINGS = ("sun", "moon", "star", "sky", "sea", "air", "fog", "ice", "dew", "mud")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tiny_decoder(tmp_path / "base")
    # Length tells nothing: the worse answer is longer in every other row.
    lines = [
        {"prompt": f"say {THINGS[n % 10]} {n}", "chosen": f"{THINGS[n % 10]}!",
         "rejected": f"no {THINGS[n % 10]}, no." if n % 2 else "no"}
        for n in range(80)
    ]
    (tmp_path / "rewards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "rewards.yaml").write_text(SPEC)
    return tmp_path / "rewards.yaml"


def build(spec: Path, home: Path) -> list[str]:
    """A build to its end, however long a busy machine takes: the lines of standard error."""
    process = builds.start(spec, home)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return said.splitlines()


def test_a_killed_training_goes_on_to_the_same_model_which_is_certified_and_rewards(spec: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    build(spec, whole)
    killed = builds.start(spec, halves)
    builds.until(lambda: list(halves.glob("store/train/**/checkpoint-*/complete.json")))
    killed.kill()
    builds.ended(killed)
    builds.until(lambda: not builds.living(halves))
    assert not list(halves.glob("store/train/*/output/train.json")), "killed in the middle of training"
    assert any("resuming training from step" in line for line in build(spec, halves))
    assert builds.digest(halves) == builds.digest(whole)

    (score,), (certificate,) = ((whole / "store" / each).glob(f"*/output/{each}.json") for each in ("score", "certify"))
    assert read_json(score)["contenders"]["tuned"]["pair_accuracy"]["mean"] == 1.0
    assert {"pair_accuracy_shorter", "pair_accuracy_longer", "ece"} == read_json(score)["totals"]["tuned"].keys()
    assert read_json(certificate)["largest_difference"] < 1e-2
    (folder,) = (whole / "store" / "bundle").glob("*/output")
    golden = bundle.read_golden(folder)
    first = golden.rows[0]
    done = subprocess.run(
        [sys.executable, "-m", "factory", "try", "rewards", "--query", first["prompt"],
         "--with", f"answers={json.dumps(first['answers'])}", "--json"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "FACTORY_HOME": str(whole)}, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reply"]["output"] == pytest.approx(golden.answers[first.id].output, abs=1e-4)


@pytest.mark.parametrize("backend", ["cpu", "hf"])
def test_the_example_builds_to_a_verdict_under_smoke_with_either_backend(backend: str, tmp_path: Path) -> None:
    example = ROOT / "specs" / "examples" / "reward-model.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "factory", "build", str(example), "--profile", "smoke",
         "--set", f"train.backend={backend}"],
        capture_output=True, text=True, env={**os.environ, "FACTORY_HOME": str(tmp_path)}, check=False,
    )
    assert done.returncode in {0, 2, 3}, done.stderr
    (trained,) = (tmp_path / "store" / "train").glob("*/output/train.json")
    assert read_json(trained)["facts"]["backend"] == backend
