"""Builds from judged answers to a verdict: interrupted and not, certified, and asked; and the examples in specs/."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from places import ROOT
from tiny_decoder import tiny_decoder

from factory import bundle
from factory.data.rows import read_json

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
THINGS = ("sun", "moon", "star", "sky", "sea", "air", "fog", "ice", "dew", "mud")
KINDS = {
    "pairs": ("assistant", "[prompt, chosen, rejected]", "dpo"),
    "thumbs": ("{kind: assistant, feedback: thumbs}", "[prompt, answer, good]", "kto"),
}


def list_records(name: str) -> Iterator[dict[str, Any]]:
    for number in range(80):
        thing, good = THINGS[number % 10], number // 2 % 2 == 0
        # Length tells nothing: the worse answer is longer in every other row.
        prompt, right, wrong = f"say {thing} {number}", f"{thing}!", f"no {thing}, no." if number % 2 else "no"
        if name == "pairs":
            yield {"prompt": prompt, "chosen": right, "rejected": wrong}
        else:
            yield {"prompt": prompt, "answer": right if good else wrong, "good": good}


@pytest.fixture(params=KINDS)
def spec(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    name = request.param
    text = SPEC.replace("NAME", name)
    for slot, value in zip(("TASK", "COLUMNS", "OBJECTIVE"), KINDS[name], strict=True):
        text = text.replace(slot, value)
    tiny_decoder(tmp_path / "base")
    (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in list_records(name)))
    (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path / f"{name}.yaml"


def read_output(home: Path, stage: str, name: str) -> dict[str, Any]:
    (file,) = (home / "store" / stage).glob(f"*/output/{name}")
    return dict(read_json(file))


def build(spec: Path, home: Path) -> tuple[int, list[str]]:
    """A build to its end, however long a busy machine takes: the exit code, and the lines of standard error."""
    process = builds.start(spec, home)
    _, said = process.communicate()
    return process.returncode, said.splitlines()


def test_a_killed_training_goes_on_to_the_same_model_which_is_certified_and_answers(spec: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    code, said = build(spec, whole)
    assert code == 0, said
    killed = builds.start(spec, halves)
    builds.until(lambda: list(halves.glob("store/train/**/checkpoint-*/complete.json")))
    killed.kill()
    builds.ended(killed)
    builds.until(lambda: not builds.living(halves))
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
    done = subprocess.run(
        [sys.executable, "-m", "factory", "try", spec.stem, "--query", golden.rows[0]["prompt"], "--json"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "FACTORY_HOME": str(whole)}, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reply"]["output"] == golden.answers[golden.rows[0].id].output


@pytest.mark.parametrize("backend", ["cpu", "hf"])
@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_the_examples_build_to_a_verdict_under_smoke_with_either_backend(
    name: str, backend: str, tmp_path: Path
) -> None:
    example = ROOT / "specs" / "examples" / f"{name}.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "factory", "build", str(example), "--profile", "smoke",
         "--set", f"train.backend={backend}"],
        capture_output=True, text=True, env={**os.environ, "FACTORY_HOME": str(tmp_path)}, check=False,
    )
    assert done.returncode in {0, 2, 3}, done.stderr
    assert read_output(tmp_path, "train", "train.json")["facts"]["backend"] == backend
    assert read_output(tmp_path, "certify", "certify.json")["tolerance"] > 0
