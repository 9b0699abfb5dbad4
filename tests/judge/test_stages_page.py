"""One view of a run's stages: CLI, TUI and report show the same times, memory and reasons."""

import html
import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fake_runs import fake_run
from tui_parts import NOW

from factory.cli.app import app
from factory.report.run_page import render_run_page
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import CACHED, FAILED, RUNNING, RunView, StageView, find_run
from factory.store.outputs import META_FILE, Store
from factory.tui.snapshot import take_snapshot
from factory.views.elements import ShareBar, Table, Text
from factory.views.run_stages import build_stages_table, read_stage_costs


def read_cells(table: Table, stage: str) -> dict[str, object]:
    row = next(row for row in table.rows if row.key == stage)
    return dict(zip((column.key or column.name for column in table.columns), row.cells, strict=True))


def test_a_cached_stage_shows_what_the_run_spent_that_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    run = find_run(tmp_path, fake_run(tmp_path))
    place = Store(tmp_path).locate_output("base", run.stages["base"].key)
    cost = {"stage": "base", "seconds": 75.0, "cpu_seconds": 140.0, "peak_mib": 2048}
    cost["made_by"] = "20261101-000000-icd-aaaa"
    (place.final_folder / META_FILE).write_text(json.dumps(cost))
    outputs = RunOutputs(tmp_path, run)
    shown = {
        "cli": click.unstyle(CliRunner().invoke(app, ["show", run.id]).output),
        "tui": take_snapshot(tmp_path, "run", [run.id], NOW).render(160),
        "report": html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", render_run_page(outputs), flags=re.DOTALL)),
    }
    table = build_stages_table(run, NOW, read_stage_costs(outputs))
    assert read_cells(table, "base")["took"] == Text("1 min 15 s")
    for name in ("cli", "report"):
        line = " ".join(shown[name].split())
        assert "cached 1 min 15 s 2 min 20 s 2.0 GiB from run 20261101-000000-icd-aaaa" in line
    for text in shown.values():
        assert "done 20 s 1.2 s 812.0 MiB missing: no earlier run of this spec had this stage" in " ".join(text.split())


def test_a_running_stage_shows_its_progress_and_a_failed_one_its_error() -> None:
    stages = [
        StageView("base", "k1", CACHED),
        StageView("train", "k2", RUNNING, why="new", started=100.0, done=120, total=300, unit="steps", rate=4.0),
        StageView("score", "k3", FAILED, why="new", error="no such metric", seconds=2.0),
    ]
    table = build_stages_table(RunView("run", stages={stage.name: stage for stage in stages}), 130.0)
    train = read_cells(table, "train")
    assert train["state"] == ShareBar(0.4, " 40%", "run")
    assert (train["took"], train["why it ran"]) == (Text("30 s"), Text("120/300 steps, 4.0/s, 45 s left", "run"))
    assert read_cells(table, "score")["why it ran"] == Text("no such metric", "bad")
    assert read_cells(table, "base")["took"] == Text("")
    # Bars compare times: score took 2 of the 30 seconds of train so far.
    assert read_cells(table, "score")["time bar"] == ShareBar(2.0 / 30.0)
