"""A kind of stage is one entry of the table, and its module: plans, builds and displays follow."""

import importlib
import json
import re
from pathlib import Path

import pytest
from house_parts import ask, changed_package, on_path
from places import ROOT
from toy_builds import build, ran

from factory.plan.builder import PlanBuilder
from factory.plan.stage_kinds import STAGE_KINDS, find_stage_kind
from factory.runs.estimate import estimate_stage
from factory.spec.fields import Models

ENTRY = '''\
    StageKind(
        "census", 3, "count the labels of the training rows", seconds=(4, 9), mib=(50, 60),
        planner="census:add_census", module="census",
    ),
'''
MODULE = '''\
"""Counts the labels of the curated rows."""

import json
from collections import Counter


def add_census(builder, resolved):
    builder.add_stage("census", ["curate"], field="label")


def run(job):
    rows = job.open_input_rows("curate", "train.jsonl")
    counts = Counter(row.columns[job.config["field"]] for row in rows)
    (job.out / "census.json").write_text(json.dumps(counts, sort_keys=True))
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with one entry more, in front of preflight, and beside it the module of that entry."""
    folder = tmp_path_factory.mktemp("changed")
    (folder / "census.py").write_text(MODULE)
    before = '    StageKind(\n        "preflight", '
    return changed_package(folder, "plan/stage_kinds.py", before, ENTRY)


def test_a_further_kind_is_planned_run_explained_and_shown(package: Path, toy: Path, tmp_path: Path) -> None:
    spec, home = toy / "toy.yaml", tmp_path / "home"
    home.mkdir()
    planned = json.loads(ask(package, home, "plan", str(spec), "--json"))["stages"]
    place = [stage["name"] for stage in planned].index("census")
    assert planned[place - 1]["name"] == "settings" and planned[place + 1]["name"] == "preflight"
    assert (planned[place]["estimate"]["least"], planned[place]["estimate"]["mib_most"]) == (4, 60)

    assert build(spec, home, PYTHONPATH=on_path(package))[0] == 0
    assert "census" in ran(home)
    (counts,) = home.glob("store/census/*/output/census.json")
    assert sorted(json.loads(counts.read_text())) == ["cat", "dog", "owl"]

    assert "census would not run: cached" in ask(package, home, "why", str(spec), "census")
    assert re.search(r"^census +done ", ask(package, home, "show", "toy"), re.MULTILINE)
    assert "✓ census" in ask(package, home, "tui", "--once", "run", "toy")
    ask(package, home, "report", "toy", "--out", "page.html")
    assert "count the labels of the training rows" in (home / "page.html").read_text()


def test_every_kind_names_a_planner_and_a_module_that_exist() -> None:
    for kind in STAGE_KINDS:
        module, _, function = kind.planner_path.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), kind
        assert callable(importlib.import_module(kind.module_path).run), kind


def test_the_readme_tells_of_every_kind_in_the_order_of_the_table() -> None:
    section = (ROOT / "factory" / "README.md").read_text().partition("## The stages of a plan")[2].partition("\n## ")[0]
    assert re.findall(r"\*\*([a-z_]+)(?:\[…\])?\*\*", section) == [kind.name for kind in STAGE_KINDS]


def test_a_kind_outside_the_table_is_refused_in_a_plan_but_not_in_a_journal() -> None:
    builder = PlanBuilder(ROOT, Models(student="./base"))
    with pytest.raises(ValueError, match="'teleport' is not in the table of stage kinds"):
        builder.add_stage("teleport[far]")
    assert (find_stage_kind("teleport[far]").title, estimate_stage("teleport[far]", "toy", "", []).most) == ("", 3600)
