"""Builds of training courses with real models to a verdict: interrupted and not, certified, and asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
name: course
task: assistant
models: {student: ./base}
data:
  sources: [{kind: jsonl, file: pairs.jsonl, columns: [prompt, chosen, rejected], licence: CC0-1.0}]
  split: {test: 24, validation: 8}
objective:
  - kind: language-modelling
    max_length: 64
    max_new_tokens: 8
    rows: {sources: [{kind: jsonl, file: documents.jsonl, columns: [text], licence: CC0-1.0}]}
    train: {epochs: 2}
  - {kind: completion, max_new_tokens: 8}
  - {kind: dpo, max_new_tokens: 8, train: {learning_rate: 5.0e-3}}
adapter: {rank: 4, alpha: 8}
train: {epochs: 6, batch_size: 4, learning_rate: 1.0e-2, checkpoint_every: 5, precision: fp32}
gate: {guards: []} # of 24 rows, no guard can exclude a fall of 0.1
budget: {threads: 1}
"""
THINGS = ("sun", "moon", "star", "sky", "sea", "air", "fog", "ice", "dew", "mud")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tiny_decoder(tmp_path / "base")
    pairs = [
        {"prompt": f"say {THINGS[n % 10]} {n}", "chosen": f"{THINGS[n % 10]}!",
         "rejected": f"no {THINGS[n % 10]}, no." if n % 2 else "no"}
        for n in range(80)
    ]
    documents = [{"text": f"The {one} and the {other} are far. " * 4} for one in THINGS for other in THINGS[:4]]
    for name, records in (("pairs", pairs), ("documents", documents)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "course.yaml").write_text(SPEC)
    return tmp_path / "course.yaml"


def build(spec: Path, home: Path, *settings: str) -> tuple[int, list[str]]:
    """A build to its end, however long a busy machine takes: the exit code, and the lines of standard error."""
    process = builds.start(spec, home, *settings)
    _, said = process.communicate()
    return process.returncode, said.splitlines()


def read_output(home: Path, stage: str, name: str) -> dict[str, Any]:
    (file,) = (home / "store" / stage).glob(f"*/output/{name}")
    return dict(read_json(file))


def test_a_course_that_is_killed_in_its_second_step_ends_with_the_same_bundle(spec: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    code, said = build(spec, whole)
    assert code in (0, 2, 3), said
    killed = builds.start(spec, halves)
    builds.until(lambda: "train[1]" in (builds.finished(halves) if list(halves.glob("runs/*/*.jsonl")) else [])
                 and list(halves.glob("store/train/*.part/**/checkpoint-*/complete.json")), seconds=600)
    killed.kill()
    builds.ended(killed)
    builds.until(lambda: not builds.living(halves))
    assert len(list(halves.glob("store/train/*/output/train.json"))) == 1, "killed in the middle of the second step"
    code, said = build(spec, halves)
    assert code in (0, 2, 3) and any("train[2]: resuming training from step" in line for line in said)
    assert "train[1]" not in builds.ran(halves)
    assert builds.digest(halves) == builds.digest(whole)

    gate = read_output(whole, "gate", "gate.json")
    assert [(step["objective"], step["before"]) for step in gate["steps"]] == [
        ("language-modelling", "untuned"), ("completion", "tuned step 1"), ("dpo", "tuned step 2"),
    ]
    assert read_output(whole, "certify", "certify.json")["largest_difference"] < 1e-2
    (folder,) = (whole / "store" / "bundle").glob("*/output")
    manifest, golden = bundle.load_manifest(folder), bundle.read_golden(folder)
    assert [step["objective"] for step in manifest["steps"]] == ["language-modelling", "completion", "dpo"]
    perplexity = manifest["steps"][0]["training"]["facts"]
    assert perplexity["perplexity of held-out documents after"] < perplexity["perplexity of held-out documents before"]
    assert manifest["steps"][0]["leakage"]["near"] == 0 and "data" not in manifest["steps"][1]
    done = subprocess.run(
        [sys.executable, "-m", "factory", "try", "course", "--query", golden.rows[0]["prompt"], "--json"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "FACTORY_HOME": str(whole)}, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reply"]["output"] == golden.answers[golden.rows[0].id].output


@pytest.mark.parametrize("backend", ["cpu", "hf"])
@pytest.mark.parametrize("name", ["sft-then-dpo", "continued-pretraining"])
def test_the_examples_build_to_a_verdict_under_smoke_with_either_backend(
    name: str, backend: str, tmp_path: Path
) -> None:
    example = ROOT / "specs" / "examples" / f"{name}.yaml"
    code, said = build(example, tmp_path, "--profile", "smoke", "--set", f"train.backend={backend}")
    assert code in (0, 2, 3), said
    trained = [read_json(file)["facts"]["backend"] for file in tmp_path.glob("store/train/*/output/train.json")]
    assert trained == [backend, backend]
    assert len(read_output(tmp_path, "gate", "gate.json")["steps"]) == 2
    assert read_output(tmp_path, "certify", "certify.json")["tolerance"] > 0
