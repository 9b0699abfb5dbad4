"""A classifier is refreshed: the version that is served answers by its own model, labels and settings."""

import json
from pathlib import Path
from typing import Any

import pytest
from classify_parts import base, project
from safetensors.numpy import load_file, save_file
from toy_builds import build, events
from toy_project import resolved

from factory.errors import SpecError
from factory.runs.incumbents import attach_incumbents
from factory.store.outputs import Store

RING = ("--set", "contenders=[tuned, majority, incumbent]", "--set", "targets=[]")


def outputs(home: Path, contender: str) -> dict[str, Any]:
    """Row id → answer of a contender in the newest run."""
    key = next(event.key for event in events(home) if getattr(event, "stage", "") == f"answer[{contender}]")
    lines = (Store(home).locate_output("answer", key).output / "answers.jsonl").read_text().splitlines()
    return {row["id"]: row["output"] for row in map(json.loads, lines)}


def test_a_version_answers_as_it_does_when_it_is_served(toy: Path, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "intents"
    folder.mkdir()
    spec = project(folder)
    code, said = build(spec, home, *RING)
    assert code == 0, said
    served = outputs(home, "tuned")

    # More rows, one more label, and another base: nothing of it is the version's own.
    (folder / "rows.jsonl").open("a").writelines(
        json.dumps({"text": f"lost my card {word} today please", "label": "lost"}) + "\n" for word in "abcdefghijklmnop"
    )
    weights = base(folder / "other") / "model.safetensors"
    save_file({name: 1.1 * tensor for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    code, said = build(spec, home, *RING, "--set", "models.student=./other", "--set", "train.epochs=1")
    assert code in (0, 2, 3), said
    answered = outputs(home, "incumbent")
    shared = served.keys() & answered.keys()
    # Other rows beside it in a batch change the last digit that is written.
    assert len(shared) > 20 and all(answered[row] == pytest.approx(served[row], abs=1e-5) for row in shared)
    assert {len(output) for output in answered.values()} == {3}
    assert {len(output) for output in outputs(home, "tuned").values()} == {4}

    # A specialist of another task is no rival, whatever it answers.
    ring = "contenders=[tuned, commonest, {kind: incumbent, specialist: tiny-classifier}]"
    other, registry = resolved(toy, ring)
    with pytest.raises(SpecError) as caught:
        attach_incumbents(other, registry, home)
    assert "contenders[2]: tiny-classifier@1 is of the task 'classifier', this spec of 'toy'" in str(caught.value)
