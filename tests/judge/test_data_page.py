"""One view of a run's data: TUI and report show the funnel, the proof and the checks that `factory data` computes."""

import html
import re
from pathlib import Path

import click
from fake_runs import fake_run
from tui_parts import NOW

from factory.cli.output import format_table
from factory.report.run_page import render_run_page
from factory.runs.profile import FunnelStep, read_funnel
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.tui.snapshot import take_snapshot
from factory.views.data import build_funnel_table, build_preflight_table, describe_leakage
from factory.views.elements import ShareBar, Text

CHECKS = [
    {"check": "truncated", "rows": 2, "share": 0.001, "limit": 0.02, "passed": True, "examples": []},
    {"check": "conflict", "rows": 9, "share": 0.09, "limit": 0.01, "passed": False,
     "examples": [{"row": "t1", "text": "two labels"}]},
]


def test_three_renderers_show_one_funnel(tmp_path: Path) -> None:
    outputs = RunOutputs(tmp_path, find_run(tmp_path, fake_run(tmp_path)))
    table = build_funnel_table(read_funnel(outputs))
    assert [row.values[1:4] for row in table.rows][-2:] == [("exact", "−30", 2150), ("leakage", "−15", 2135)]
    report = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", render_run_page(outputs), flags=re.DOTALL)
    tui = take_snapshot(tmp_path, "run", [outputs.run.id], NOW).render(160)
    proof = "No training row matches a held-out row (frozen)."
    for text in (html.unescape(report), tui, f"{click.unstyle(format_table(table))} {proof}"):
        words = " ".join(re.sub("[█▏▎▍▌▋▊▉·]+", " ", text).split())
        for row in table.rows:
            stage, step, change, rows, _, why = row.values
            assert f"{stage} {step} {change} {rows:,} {why}".strip() in words
        assert proof in words


def test_a_step_names_its_licences_and_its_commonest_reasons() -> None:
    steps = [
        FunnelStep("gather", "csv", 100, added=100, note="MIT"),
        FunnelStep("curate", "length", 75, dropped=25, reasons={"too short": 12, "too long": 9, "empty": 3, "odd": 1}),
    ]
    gathered, filtered = build_funnel_table(steps).rows
    assert gathered.cells[-1] == Text("MIT", "dim")
    assert filtered.cells[-2:] == (ShareBar(0.75, tone="run"), Text("too short 12, too long 9, empty 3, 1 more", "dim"))


def test_the_check_that_failed_comes_first_with_an_example() -> None:
    first, second = build_preflight_table({"checks": CHECKS}).rows
    assert (first.cells[0], first.values[-1]) == (Text("✗ failed", "bad"), "t1: two labels")
    assert (second.key, second.cells[0]) == ("truncated", Text("✓ passed", "good"))


def test_a_leak_is_said_with_its_number() -> None:
    leaky = {"test_groups_in_training": 0, "exact": 2, "near": 1, "semantic": 0}
    assert describe_leakage(leaky) == Text("Leakage: 3 training rows too similar to held-out rows (frozen).", "bad")
    assert describe_leakage(None) == Text("")
