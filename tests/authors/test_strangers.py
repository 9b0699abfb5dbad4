"""Three packages as strangers write them, installed as theirs are: they conform, and one decides a verdict."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import places
import pytest
import strangers
import tiny_retrieval
import toy_builds as builds

from factory.data.rows import read_json
from factory.testing import Case, find_faults
from factory.testing import assert_builds as built

PACKAGES = ("first_hit", "glossary", "label_smoothing")
WORDS = "cat,puss\noak,tree\n"
CASES = {"stranger_glossary": Case(fields={"file": "words.csv"}, files={"words.csv": WORDS})}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return strangers.installed(tmp_path_factory.mktemp("strangers"), PACKAGES)


@pytest.fixture
def here(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same on the path of this process and of its children."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    return site


@pytest.mark.parametrize("package", PACKAGES)
def test_a_strangers_package_is_short_and_imports_the_contract_alone(package: str) -> None:
    (file,) = (places.PACKAGES / package).glob("stranger_*/__init__.py")
    text = file.read_text("utf-8")
    named = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert len(text.splitlines()) <= 80
    assert {name for name in named if name and name.startswith("factory")} == {"factory.api"}


def test_what_is_installed_is_listed_with_its_version(here: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "factory", "plugins", "--json"], capture_output=True, text=True, check=True
    )
    found = {one["kind"]: one["package"] for one in json.loads(run.stdout)["plugins"]}
    assert found["first-hit"] == "stranger-first-hit 0.3.0" and found["glossary"] == "stranger-glossary 0.3.0"
    assert found["smoothed"] == "stranger-label-smoothing 0.3.0"


@pytest.mark.parametrize("package", ["stranger_first_hit", "stranger_glossary"])
def test_a_strangers_plugin_keeps_the_contract_and_builds(here: Path, package: str) -> None:
    (kind,) = importlib.import_module(package).factory_plugins()
    assert find_faults(kind, CASES.get(package)) == []
    assert built(kind, CASES.get(package)) in {"SHIP", "NO_SHIP", "INSUFFICIENT_EVIDENCE"}


@pytest.mark.slow
def test_a_strangers_objective_learns_resumes_and_is_certified(here: Path) -> None:
    (kind,) = importlib.import_module("stranger_label_smoothing").factory_plugins()
    assert find_faults(kind) == []
    assert built(kind) in {"SHIP", "NO_SHIP", "INSUFFICIENT_EVIDENCE"}


def test_a_strangers_metric_decides_a_verdict(here: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    spec = tiny_retrieval.project(tmp_path / "project")
    spec.write_text(spec.read_text() + "evaluate: [ranking, {kind: first-hit, depth: 4}]\n")
    spec.write_text(spec.read_text().replace("gate: {", "gate: {metric: effort, "))
    code, said = builds.build(spec, tmp_path / "home", PYTHONPATH=os.environ["PYTHONPATH"], OMP_NUM_THREADS="1")
    assert code in (0, 2, 3), said
    (file,) = (tmp_path / "home").glob("store/gate/*/output/gate.json")
    gate = read_json(file)
    assert gate["metric"] == "effort" and all(0 <= gate["tuned"][name] <= 1 for name in ("low", "mean", "high"))
