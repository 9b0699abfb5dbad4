"""Builds of training courses with real models to a verdict: interrupted and not, certified, and asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_builds as builds
from build_parts import THINGS, ask, build, build_example, kill_when, list_pairs, read_output, write_lines
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


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tiny_decoder(tmp_path / "base")
    documents = [{"text": f"The {one} and the {other} are far. " * 4} for one in THINGS for other in THINGS[:4]]
    for name, records in (("pairs", list_pairs()), ("documents", documents)):
        write_lines(tmp_path / f"{name}.jsonl", records)
    (tmp_path / "course.yaml").write_text(SPEC)
    return tmp_path / "course.yaml"


def test_a_course_that_is_killed_in_its_second_step_ends_with_the_same_bundle(spec: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    code, said = build(spec, whole)
    assert code in (0, 2, 3), said
    kill_when(
        spec, halves, lambda: "train[1]" in (builds.finished(halves) if list(halves.glob("runs/*/*.jsonl")) else [])
        and list(halves.glob("store/train/*.part/**/checkpoint-*/complete.json")), seconds=600,
    )
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
    answer = ask("course", whole, tmp_path, golden.rows[0]["prompt"])
    assert answer == golden.answers[golden.rows[0].id].output


@pytest.mark.parametrize("backend", ["cpu", "hf"])
@pytest.mark.parametrize("name", ["sft-then-dpo", "continued-pretraining"])
def test_the_examples_build_to_a_verdict_under_smoke_with_either_backend(
    name: str, backend: str, tmp_path: Path
) -> None:
    build_example(name, backend, tmp_path)
    trained = [read_json(file)["facts"]["backend"] for file in tmp_path.glob("store/train/*/output/train.json")]
    assert trained == [backend, backend]
    assert len(read_output(tmp_path, "gate", "gate.json")["steps"]) == 2
    assert read_output(tmp_path, "certify", "certify.json")["tolerance"] > 0
