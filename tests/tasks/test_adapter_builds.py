"""Builds that train all weights, or a head alone: to a verdict, certified, asked, and the same after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from classify_parts import project
from safetensors.numpy import load_file
from transformers import AutoModel

from factory import bundle
from factory.data.rows import read_json
from factory.events import Measured

pytestmark = pytest.mark.slow
OPEN = ("--set", "adapter.rank=auto", "--set", "targets=[]", "--set", "train.checkpoint_every=5", "--deliver", "tuned")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("project"))


def choose(kind: str) -> tuple[str, ...]:
    return ("--set", f"adapter.kind={kind}", *OPEN)


def read_output(home: Path, stage: str) -> dict[str, Any]:
    (file,) = home.glob(f"store/{stage}/*/output/{stage}.json")
    return dict(read_json(file))


@pytest.mark.parametrize("kind", ["full", "head"])
def test_a_classifier_is_built_to_a_verdict_certified_and_asked(kind: str, spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, lines = builds.build(spec, home, *choose(kind))
    assert code in (0, 2, 3), lines
    certificate, trained = read_output(home, "certify"), read_output(home, "train")
    assert certificate["passed"] and certificate["modules"] == 0
    assert certificate["largest_difference"] < 1e-4, "what is judged is what ships"
    assert trained["artifact"] == "weights"
    assert trained["trainable"] == (3 * 32 + 3 if kind == "head" else trained["parameters"] - 32 * 32 - 32)
    (folder,) = home.glob("store/bundle/*/output")
    manifest = bundle.load_manifest(folder)
    assert (manifest["artifact"], manifest["trained"]) == ("weights", kind) and "rank" not in manifest
    plain, base = AutoModel.from_pretrained(folder).state_dict(), AutoModel.from_pretrained(spec.parent / "base")
    same = [name for name, value in base.state_dict().items() if value.equal(plain[name])]
    assert len(same) == (len(plain) if kind == "head" else 2), "the pooler, which a classifier passes by"
    assert {*load_file(folder / "3_Dense" / "model.safetensors")} == {"linear.weight", "linear.bias"}
    card = (folder / "README.md").read_text()
    assert ("A new head on the frozen weights of" if kind == "head" else "A whole model: all weights of") in card
    done = subprocess.run(
        [sys.executable, "-m", "factory", "try", "tiny-classifier", "--query", "send my account", "--json"],
        capture_output=True, text=True, cwd=spec.parent, env={**builds.os.environ, "FACTORY_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    assert {*json.loads(done.stdout)["reply"]["output"]} == {"card", "money_transfer", "طقس"}


def test_a_kill_while_all_weights_are_trained_changes_nothing(spec: Path, tmp_path: Path) -> None:
    undisturbed, home = tmp_path / "undisturbed", tmp_path / "home"
    assert builds.build(spec, undisturbed, *choose("full"))[0] in (0, 2, 3)
    measured = [n for n, event in enumerate(builds.events(undisturbed)) if isinstance(event, Measured)]
    code, _ = builds.faulty(spec, home, f"event:{measured[len(measured) // 2]}", *choose("full"))
    assert code == -signal.SIGKILL
    assert builds.build(spec, home, *choose("full"))[0] in (0, 2, 3)
    assert builds.digest(home) == builds.digest(undisturbed)
