"""One view of a curve: CLI, TUI and report draw the same points with the same words."""

import html
import math
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fake_runs import fake_run
from tui_parts import NOW

from factory.cli.app import app
from factory.cli.braille_plot import plot_braille
from factory.report.run_page import render_run_page
from factory.report.svg import draw_chart
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.tui.rich_text import to_plain_text
from factory.tui.snapshot import take_snapshot
from factory.tui.views.totals_view import plot_reliability
from factory.tui.widgets.curves import CurveStyle, render_text
from factory.views.curves import build_metric_curve, build_reliability_curve, build_training_curve
from factory.views.elements import Curve

BINS = [{"confidence": c, "accuracy": a, "rows": 9} for c, a in ((0.0, 0.1), (0.5, 0.5), (1.0, 0.9))]


def test_three_renderers_draw_the_training_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    outputs = RunOutputs(tmp_path, find_run(tmp_path, fake_run(tmp_path)))
    curve = build_training_curve(outputs)
    assert (len(curve.points), curve.points[0]) == (60, (0, 2.7))
    assert (curve.title, curve.summary) == (
        "training loss by step", "training loss: 2.700 at step 0, 0.537 at step 295",
    )
    report = html.unescape(render_run_page(outputs))
    assert f"<title>{curve.summary}</title>" in report and "Training loss by step, with its moving average." in report
    shown = click.unstyle(CliRunner().invoke(app, ["show", outputs.run.id]).output)
    assert f"{curve.title}\n{plot_braille(curve)}" in shown and shown.count("2.7 │⢣") == 1
    assert "loss by step, smoothed" in take_snapshot(tmp_path, "run", [outputs.run.id], NOW).render(160)


def test_a_curve_leaves_out_what_is_not_finite_and_may_be_empty() -> None:
    curve = build_metric_curve("grad_norm", [(1, math.nan), (2, 4.0), (3, math.inf), (4, 0.0)], "11-22")
    assert curve == Curve("11-22", ((2, 4.0), (4, 0.0)), "step", "grad norm", curve.summary)
    assert curve.summary == "grad norm: 4.000 at step 2, 0.000 at step 4"
    assert '<path d="M48 10 L708 210" class="raw"/>' in draw_chart(curve)
    empty = build_metric_curve("loss", [(1, math.nan)])
    assert (empty.points, empty.summary, draw_chart(empty)) == ((), "", "")
    assert render_text([empty], CurveStyle(), 40, 10) == ""
    assert render_text([build_metric_curve("loss", [(1, 0.0), (2, 0.0)])], CurveStyle(log=True), 40, 10) == ""


def test_calibration_is_a_curve_beside_the_diagonal() -> None:
    curve = build_reliability_curve(BINS)
    assert curve is not None and curve.points == ((0.0, 0.1), (0.5, 0.5), (1.0, 0.9))
    assert build_reliability_curve([*BINS, {"class": "a", "f1": 0.5}]) is None
    drawn = draw_chart(curve)
    assert '<line x1="6" y1="214" x2="214" y2="6" class="mark"/>' in drawn and drawn.count("<circle") == 3
    title, *rows, axis, names = map(to_plain_text, plot_reliability(curve))
    assert title == "accuracy by confidence; the diagonal is perfect calibration"
    assert [row.index("●") - 5 for row in rows if "●" in row] == [30, 15, 0]
    assert names.split() == ["0", "confidence", "1"] and axis.endswith("─" * 31)
