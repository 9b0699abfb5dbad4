"""A classifier whose tuned model is no better than a regression: that is bundled, and serves like a trained one."""

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import toy_builds
from classify_parts import project
from house_parts import ask
from places import ROOT
from toy_builds import build, ran

from factory.bundle import load_manifest, verify_bundle
from factory.errors import SpecError
from factory.registry.registry import Registry
from factory.runs.specialists import assign_alias, find_version
from factory.spec.layers import resolve_spec

START_ONLY = ("objective={kind: classification, max_length: 16, choose_on: validation, interpolation: [0.0]}",)
RING = (*START_ONLY, "train.epochs=1", "contenders=[tuned, linear, centroid, majority]")
"""With interpolation 0, tuned is the regression that it starts from."""


def options(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def read_answers(home: Path, contender: str) -> dict[str, Any]:
    """Row id → output of the only build's contender."""
    files = [file for file in home.glob("store/answer/*/output/answer.json")
             if json.loads(file.read_text())["contender"] == contender]
    lines = (files[0].parent / "answers.jsonl").read_text().splitlines()
    return {row["id"]: row["output"] for row in map(json.loads, lines)}


def run_usage_example(card: str, folder: Path, base: Path, text: str) -> str:
    """What the Python of a model card prints."""
    code = card.split("```python\n")[1].split("```")[0].replace("PATH_OF_THIS_FOLDER", str(folder))
    code = re.sub('"local/[^"]*"', json.dumps(str(base)), code).replace('"a text"', json.dumps(text))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    return printed.getvalue()


def test_the_best_baseline_is_delivered_and_serves_like_a_trained_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_builds, "PATIENCE", 900.0)  # each build imports torch several times
    spec, home = project(tmp_path), tmp_path / "home"
    code, lines = build(spec, home, *options(*RING))
    assert code == 3, lines
    version = find_version(home, "tiny-classifier")
    manifest = load_manifest(version.bundle)
    assert manifest["artifact"] == "head" and manifest["delivered"]["contender"] == "linear"
    assert verify_bundle(version.bundle) == []
    assert sum(file.stat().st_size for file in version.bundle.glob("head.*")) == manifest["delivered"]["bytes"] < 2000
    (certificate,) = home.glob("store/certify/*/output/certify.json")
    assert {"contender": "linear", "passed": True}.items() <= json.loads(certificate.read_text()).items()

    shown = " ".join(ask(ROOT, home, "show", "latest").split())
    assert "Delivered: linear (1.000 accuracy), a head of " in shown and "on the frozen base" in shown
    listed = " ".join(ask(ROOT, home, "specialists", "tiny-classifier").split())
    assert "delivers linear (1.000 accuracy), a head of " in listed
    row = next(json.loads(line) for line in (version.bundle / "factory/golden.jsonl").read_text().splitlines())
    label = max(row["output"], key=row["output"].get)
    text, probability = row["row"]["columns"]["text"], row["output"][label]
    assert read_answers(home, "linear")[row["row"]["id"]] == row["output"]
    assert f"{label} {probability:.2f}" in ask(ROOT, home, "try", "tiny-classifier", "--query", text)
    printed = run_usage_example((version.bundle / "README.md").read_text(), version.bundle, tmp_path / "base", text)
    assert printed.split()[0] == label and float(printed.split()[1]) == pytest.approx(probability, abs=1e-5)

    # Another choice is another bundle of the same training, and versions of any kind take an alias in turn.
    code, lines = build(spec, home, *options(*RING), "--deliver", "centroid")
    assert code == 3 and ran(home) == ["bundle", "certify"], lines
    second = find_version(home, "tiny-classifier@2")
    assert load_manifest(second.bundle)["delivered"]["reason"] == "the spec says deliver: centroid"
    compared = ask(ROOT, home, "compare", "tiny-classifier@1", "tiny-classifier@2")
    assert ":linear" in compared.splitlines()[0] and ":centroid" in compared.splitlines()[1]
    for name in ("tiny-classifier@1", "tiny-classifier@2", "tiny-classifier@1"):
        assert assign_alias(home, name, "live").bundle == find_version(home, "tiny-classifier@live").bundle

    # As incumbent, it answers by its head.
    ring = (*START_ONLY, "train.epochs=2", "contenders=[tuned, linear, {kind: incumbent, alias: live}]")
    code, lines = build(spec, home, *options(*ring))
    assert code in (2, 3), lines
    answered, judged = read_answers(home, "incumbent"), read_answers(home, "linear")
    assert answered.keys() == judged.keys()
    assert all(answered[row] == pytest.approx(judged[row], abs=1e-5) for row in judged)


def test_what_can_not_be_deployed_is_refused_before_a_build(tmp_path: Path) -> None:
    spec, registry = project(tmp_path), Registry.load()
    for name, problem in (("knn", "the contender 'knn' can not be deployed"), ("lineer", "did you mean 'linear'?")):
        with pytest.raises(SpecError) as caught:
            resolve_spec(spec, overrides=(f"deliver={name}",), registry=registry)
        assert problem in str(caught.value)
