"""One view of runs, of specialists and of a comparison: CLI and TUI show the same, and the CLI needs no TUI for it."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fake_runs import fake_run
from tui_parts import NOW, SHIPPED, home_of_three

from factory.cli.app import app
from factory.evaluation.comparison import load_comparison
from factory.report.run_page import render_run_page
from factory.runs.run_index import RunIndex, RunSummary
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.tui.snapshot import take_snapshot
from factory.views.compare import build_row_view, describe_counts
from factory.views.elements import Interval, Text, extract_plain_text
from factory.views.runs import build_runs_list, build_runs_table, describe_outcome


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    return home_of_three(tmp_path)


def run(*arguments: str) -> str:
    """What a command prints, with single blanks."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return " ".join(click.unstyle(result.output).split())


def test_a_list_of_runs_is_one_table_by_id_or_by_specialist(home: Path) -> None:
    runs = RunIndex(home).refresh().list_runs()
    table, listed = build_runs_table(runs, NOW), build_runs_list(runs, NOW)
    assert [row.values[:2] for row in table.rows] == [("voice", "dead"), ("icd", "finished"), ("icd", "finished")]
    assert table.rows[0].cells[1] == (Text("† dead", "bad"), Text("(torn)", "warn"))
    assert (table.rows[0].values[2], table.rows[1].values[2]) == ("8/16 train", "")
    # All gains stand on one scale, with zero in its middle.
    scales = {cell.scale for row in table.rows for cell in row.cells if isinstance(cell, Interval)}
    assert len(scales) == 1 and sum(scales.pop()) == 0.0
    printed = run("runs")
    for row in listed.rows:
        shown = [extract_plain_text(cell) for cell in row.cells[:-1]]  # the age depends on the clock
        assert " ".join(" ".join(text for text in shown if text).split()) in printed


def test_what_a_run_came_to_is_advice_or_what_went_wrong() -> None:
    assert describe_outcome(RunSummary("r", verdict="SHIP")).startswith("ship it")
    failed = RunSummary("r", exit_code=70, stage="train", error="out of memory")
    assert describe_outcome(failed) == "This build failed. train: out of memory"
    assert "its process died" in describe_outcome(RunSummary("r", pid=2**30))


def test_specialists_and_their_lineage_are_the_same_in_both(home: Path) -> None:
    printed, once = run("specialists", "icd@1"), take_snapshot(home, "specialists", ["icd@1"], NOW).render(160)
    for fact in ("icd@1 ▲ SHIP shipped", f"built by run {SHIPPED}", "data icd10: 2,600 rows (licence not stated)",
                 "test rows 40", "try it factory try icd@1 --query '…'"):
        assert fact in printed and fact in " ".join(once.split())
    listed = json.loads(CliRunner().invoke(app, ["specialists", "--json"]).output)
    assert listed == json.loads(json.dumps(take_snapshot(home, "specialists", [], NOW).data))


def test_three_sides_are_compared_by_metric_spec_and_row(home: Path) -> None:
    fake_run(home, "20261122-031000-icd-2c3d", salt="two", lift=0.3, at=NOW - 60)
    names = ["icd", f"{SHIPPED}:bm25", f"{SHIPPED}:tuned"]
    comparison = load_comparison(home, names)
    pair = comparison.compare_pair(0, 1)
    counts = " ".join(extract_plain_text(describe_counts(pair)).split())
    printed, once = run("compare", *names, "--rows", "1"), take_snapshot(home, "compare", names, NOW).render(200)
    for text in (printed, " ".join(once.split())):
        assert counts in text and "the specs are identical" in text and "mrr@10" in text
    row = pair.select_strongest("lost", 1)[0]
    shown = build_row_view(comparison.row_viewer, row.id, comparison.sides, pair.metric)
    assert [answer.letter for answer in shown.answers] == ["A", "B", "C"]
    assert [answer.score for answer in shown.answers[:2]] == [f"{row.a:.3f}", f"{row.b:.3f}"]
    for answer in shown.answers:
        assert " ".join(f"{answer.letter} {answer.score} {answer.text}".split()) in printed
    data = json.loads(CliRunner().invoke(app, ["compare", *names, "--json"]).output)
    assert [score["metric"] for score in data["metrics"]] == ["ndcg@10", "mrr@10"] and len(data["rows"]) == 40


def test_the_report_counts_rows_as_the_comparison_does(home: Path) -> None:
    outputs = RunOutputs(home, find_run(home, SHIPPED))
    pair = load_comparison(home, [SHIPPED, f"{SHIPPED}:untuned"]).compare_pair(0, 1)
    assert extract_plain_text(describe_counts(pair, "Tuned against untuned")) in render_run_page(outputs)


@pytest.mark.parametrize("command", ["runs", "specialists", "compare latest latest:bm25 latest:untuned", "show latest"])
def test_the_command_line_does_without_the_terminal_interface(tmp_path: Path, command: str) -> None:
    fake_run(tmp_path)
    code = (
        f"import sys; from factory.cli import run_command_line; code = run_command_line({command.split()!r}); "
        "print(code, [name for name in sys.modules if name.startswith(('factory.tui', 'textual'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"FACTORY_HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
