"""An artifact that is no adapter: a whole model goes from training to the bundle, is certified, asked and compared."""

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
from places import PACKAGES
from tiny_decoder import tiny_decoder

from factory import bundle
from factory.data.rows import read_json
from factory.testing import Case
from factory.testing.conformance import find_trial_faults
from factory.testing.hash_seeds import observe_plugin

pytestmark = pytest.mark.slow

WHOLE = PACKAGES / "whole"
WORDS = ("sun", "moon", "star", "sky", "sea", "air")
SPEC = """\
apiVersion: factory/v1
name: sayer
task: saying
models: {student: ./base}
data:
  sources: [{kind: jsonl, file: rows.jsonl, columns: [text, word], licence: CC0-1.0}]
  split: {test: 30, validation: 6}
evaluate: [same-word, {kind: general, own: false, blimp: pairs.jsonl, tolerance: 1}]
train: {epochs: 8, learning_rate: 3.0e-3}
budget: {threads: 1}
"""


def write(file: Path, *records: dict[str, str]) -> None:
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture(scope="module")
def sayer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The spec of a project whose objective trains whole weights, in a home of its own."""
    folder = tmp_path_factory.mktemp("sayer")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(WHOLE))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(WHOLE), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("FACTORY_HOME", str(folder / "home"))
        patch.setenv("OMP_NUM_THREADS", "1")
        tiny_decoder(folder / "base")
        write(folder / "rows.jsonl", *({"text": f"say {WORDS[n % 6]} {n}", "word": WORDS[n % 6]} for n in range(96)))
        write(folder / "pairs.jsonl", *({"good": f"He runs {n}.", "bad": f"He run {n}."} for n in range(12)))
        (folder / "sayer.yaml").write_text(SPEC)
        yield folder / "sayer.yaml"


@pytest.fixture(scope="module")
def built(sayer: Path) -> Path:
    """The bundle of a build that went through every stage."""
    code, said = builds.build(sayer, sayer.parent / "home")
    assert code == 0, said
    (folder,) = (sayer.parent / "home" / "store" / "bundle").glob("*/output")
    return folder


def run(sayer: Path, *arguments: str) -> dict[str, Any]:
    """The JSON that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "factory", *arguments, "--json"], capture_output=True, text=True, cwd=sayer.parent
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def read_output(sayer: Path, stage: str, name: str) -> dict[str, Any]:
    (file,) = (sayer.parent / "home" / "store" / stage).glob(f"*/output/{name}")
    return dict(read_json(file))


def test_the_bundle_is_the_whole_model_and_says_so(built: Path) -> None:
    manifest = bundle.load_manifest(built)
    assert manifest["artifact"] == manifest["training"]["artifact"] == "weights"
    assert manifest["modules"] == 0 and "rank" not in manifest
    assert [path.name for path in sorted(built.glob("*.safetensors"))] == ["model.safetensors"]
    assert bundle.verify_bundle(built) == []
    card = (built / "README.md").read_text()
    assert f"A whole model: all weights of `{manifest['base']['id']}`, trained for the task" in card
    assert "base_model_relation: finetune" in card and "peft" not in card and "LoRA" not in card
    assert "AutoModelForCausalLM.from_pretrained(folder)" in card


def test_the_probe_and_a_plain_library_saw_the_trained_weights(sayer: Path, built: Path) -> None:
    assert read_output(sayer, "forgetting", "forgetting.json")["drift"]["kl"] > 0.1
    certificate = read_output(sayer, "certify", "certify.json")
    assert certificate["library"] == "transformers:AutoModelForCausalLM" and certificate["rows"] == 16
    assert certificate["modules"] == 0 and certificate["largest_difference"] < 0.6 < certificate["tolerance"]


def test_a_person_gets_the_judged_answers_and_the_comparison_has_the_judged_mean(sayer: Path, built: Path) -> None:
    golden = bundle.read_golden(built)
    for row in golden.rows[:2]:
        said = run(sayer, "try", "sayer", "--query", row["text"])
        assert said["reply"]["output"] == golden.answers[row.id].output
    compared = run(sayer, "compare", "latest", "latest:untuned")
    gate = bundle.load_manifest(built)["gate"]
    assert gate["verdict"] == "SHIP" and compared["n"] == 30
    assert (compared["mean_a"], compared["difference"]) == pytest.approx((gate["tuned"]["mean"],) * 2, abs=1e-6)


def test_a_target_for_adapters_refuses_in_a_line_and_nothing_is_trained_again(sayer: Path, built: Path) -> None:
    home = sayer.parent / "home"
    code, said = builds.build(sayer, home, "--set", "targets=[peft]")
    assert code == 64
    assert said[-1] == "bundle: target 'peft': peft loads adapters, not weights; the bundle itself loads", said
    assert builds.ran(home) == ["bundle"]


def test_an_objective_of_whole_weights_keeps_the_contract(sayer: Path) -> None:
    from whole_weights import WholeCompletion

    assert find_trial_faults(WholeCompletion, Case(), observe_plugin(WholeCompletion, Case())) == []


def test_the_rank_was_chosen_by_the_tokens_of_the_answers(sayer: Path, built: Path) -> None:
    (rows,) = (sayer.parent / "home" / "store" / "curate").glob("*/output/train.jsonl")
    words = [json.loads(line)["columns"]["word"] for line in rows.read_text().splitlines()]
    tokens = sum(len(word) + 1 for word in words)  # a token for each letter, and the end of turn
    settings = read_output(sayer, "settings", "settings.json")
    assert settings["chosen"]["adapter"] == {"rank": 8}
    assert settings["reasons"]["adapter.rank"].endswith(f" parameters, for {tokens:,} tokens of completions")
