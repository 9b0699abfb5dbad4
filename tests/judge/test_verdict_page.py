"""One view of a verdict, three renderers: CLI, TUI and report show the same numbers and the same words."""

import html
import json
import re
import shutil
from pathlib import Path

import click
import pytest
from fake_runs import fake_run
from tui_parts import NOW
from verdict_parts import verdict

from factory.cli.verdict_panel import format_verdict_panel
from factory.evaluation.look_confidence import describe_looks
from factory.evaluation.slices import Slice
from factory.report.run_page import render_run_page
from factory.runs.run_outputs import GATE_FILE, RunOutputs
from factory.runs.run_view import find_run
from factory.spec.fields import Gate
from factory.tui.snapshot import take_snapshot
from factory.views.elements import Interval, draw_interval_bar
from factory.views.formatting import format_recorded_text
from factory.views.verdict import BUNDLE_REMOVED, VerdictView, build_verdict_json, build_verdict_view
from factory.views.verdict_tables import build_slices_table

FORGOT = {
    "suite": "arithmetic", "n": 60, "base": 0.55, "tuned": 0.35, "difference": -0.2, "low": -0.31, "high": -0.09,
    "smallest_fall": 0.16,
}
PROBE = {"kind": "general", "suites": [FORGOT], "drift": {"perplexity_ratio": 1.25}, "tolerance": 0.02}
LOOKS = {"number": 7, "confidence": 0.95, "finding": describe_looks(0.95, 7)}
GATES = {
    "SHIP": lambda: {**verdict({"bm25": -0.2, "untuned": -0.1}), "looks": LOOKS},
    "NO_SHIP": lambda: verdict({"bm25": 0.2, "untuned": -0.1}, Gate(margin=0.05), probes=[PROBE]),
    "INSUFFICIENT_EVIDENCE": lambda: verdict({"bm25": -0.01, "untuned": -0.1}),
}
RESULTS = {
    "SHIP": {"bm25": "▲ tuned is better", "untuned": "▲ tuned is better"},
    "NO_SHIP": {"bm25": "▼ tuned is worse", "untuned": "▲ tuned is better"},
    "INSUFFICIENT_EVIDENCE": {"bm25": "= within the noise", "untuned": "▲ tuned is better"},
}


def judged(home: Path, gate: dict) -> RunOutputs:
    """A run whose gate decided so, with the scores of the contenders that it compared."""
    outputs = RunOutputs(home, find_run(home, fake_run(home, verdict=gate["verdict"])))
    mean = gate["tuned"]["mean"]
    scores = {"tuned": gate["tuned"]} | {
        c["baseline"]: {"mean": mean - c["difference"], "low": mean - c["high"], "high": mean - c["low"], "n": c["n"]}
        for c in gate["comparisons"]
    }
    score = {
        "metrics": [{"name": gate["metric"], "what": "a number", "higher_is_better": True}],
        "contenders": {name: {gate["metric"]: value} for name, value in scores.items()},
        "totals": {name: {"macro_f1": value["mean"] / 2} for name, value in scores.items()},
    }
    for stage, file, content in (("gate", GATE_FILE, gate), ("score", "score.json", score)):
        folder = outputs.find_stage_folder(stage)
        assert folder is not None
        (folder / file).write_text(json.dumps(content))
    return outputs


def render_three_ways(outputs: RunOutputs) -> dict[str, str]:
    """The page as CLI, TUI and report show it: text with single blanks."""
    marked = render_run_page(outputs).replace("<code>", "`").replace("</code>", "`")
    report = re.sub(r"<style>.*?</style>|<[^>]+>", " ", marked, flags=re.DOTALL)
    texts = {
        "cli": click.unstyle(format_verdict_panel(outputs)),
        "tui": take_snapshot(outputs.home, "verdict", [outputs.run.id], NOW).render(260),
        "report": html.unescape(report),
    }
    return {name: " ".join(text.split()) for name, text in texts.items()}


def list_facts(page: VerdictView) -> list[str]:
    """What every renderer has to show of a page: sentences, and the formatted numbers of its tables."""
    texts = [cell.text for table in (page.contenders, page.totals, page.forgetting) for row in table.rows
             for cell, column in zip(row.cells, table.columns, strict=True)
             if not isinstance(cell, Interval) and column.name not in ("rows", "p")]
    return [" ".join(text.split()) for text in (page.sentence, page.next_step, page.looks, *page.drift, *texts) if text]


@pytest.mark.parametrize("word", GATES)
def test_three_renderers_show_one_view(tmp_path: Path, word: str) -> None:
    gate = GATES[word]()
    assert gate["verdict"] == word
    outputs = judged(tmp_path, gate)
    page = build_verdict_view(outputs)
    facts, shown = list_facts(page), render_three_ways(outputs)
    assert len(facts) > 20
    assert {name: [fact for fact in facts if fact not in text] for name, text in shown.items()} == {
        "cli": [], "tui": [], "report": [],
    }
    # What the view says is what the gate found.
    results = {row.key: row.values[-1] for row in page.gains.rows}
    assert results == RESULTS[word]
    for comparison in gate["comparisons"]:
        row = next(row for row in page.gains.rows if row.key == comparison["baseline"])
        counts = f"{comparison['won']}/{comparison['lost']}/{comparison['tied']}"
        assert (row.values[1], row.values[5]) == (comparison["difference"], counts)


def test_reasons_and_the_rule_are_those_of_the_gate(tmp_path: Path) -> None:
    gate = GATES["NO_SHIP"]()
    shown = render_three_ways(judged(tmp_path, gate))
    for reason in gate["reasons"]:
        assert all(format_recorded_text(" ".join(reason.split())) in text for text in shown.values())
    rule = "interval of the paired difference to every other contender must lie above a margin of 0.050."
    assert rule in shown["tui"] and rule in shown["report"]
    assert all("▼ forgot" in text and "perplexity_ratio 1.250" in text for text in shown.values())


def test_contenders_are_ranked_by_the_direction_of_the_metric(tmp_path: Path) -> None:
    outputs = judged(tmp_path, GATES["SHIP"]())
    assert [row.key for row in build_verdict_view(outputs).contenders.rows] == ["tuned", "untuned", "bm25"]
    file = outputs.find_stage_folder("score") / "score.json"
    score = json.loads(file.read_text())
    score["metrics"][0]["higher_is_better"] = False
    file.write_text(json.dumps(score))
    assert [row.key for row in build_verdict_view(outputs).contenders.rows] == ["bm25", "untuned", "tuned"]


def test_a_contender_that_is_only_shown_has_no_gain_and_is_not_tuned(tmp_path: Path) -> None:
    gate = GATES["SHIP"]()
    outputs = judged(tmp_path, gate)
    (outputs.find_stage_folder("gate") / GATE_FILE).write_text(
        json.dumps({**gate, "comparisons": [c for c in gate["comparisons"] if c["baseline"] != "untuned"]})
    )
    rows = {row.key: row for row in build_verdict_view(outputs).contenders.rows}
    assert rows["untuned"].values[5] is None and rows["untuned"].cells[0].tone == ""
    assert rows["tuned"].cells[0].tone == "strong"
    assert [row.key for row in build_verdict_view(outputs).gains.rows] == ["bm25"]


def test_a_run_without_a_gate_says_its_state(tmp_path: Path) -> None:
    outputs = RunOutputs(tmp_path, find_run(tmp_path, fake_run(tmp_path, end=False)))
    page = build_verdict_view(outputs)
    assert (page.verdict, page.rule, page.contenders.rows, page.gains.rows) == ("", "", (), ())
    assert "its process died" in page.sentence
    assert format_verdict_panel(outputs) == ""
    assert page.sentence in render_run_page(outputs)
    assert build_verdict_json(outputs)["gate"] == {}


def test_a_bundle_that_was_deleted_is_missed_by_all(tmp_path: Path) -> None:
    outputs = judged(tmp_path, GATES["SHIP"]())
    assert not any(BUNDLE_REMOVED in text for text in render_three_ways(outputs).values())
    shutil.rmtree(outputs.find_stage_folder("bundle").parent)
    assert all(BUNDLE_REMOVED in text for text in render_three_ways(outputs).values())


def test_an_interval_is_drawn_to_scale() -> None:
    assert draw_interval_bar(Interval(0.0, 0.5, 1.0, (0.0, 1.0)), 9) == "├───●───┤"
    assert draw_interval_bar(Interval(0.5, 0.5, 0.5, (0.0, 1.0)), 3) == " ● "
    assert draw_interval_bar(Interval(0.5, 0.75, 1.0, (-1.0, 1.0), (0.0,)), 9) == "    ┊ ├●┤"
    assert draw_interval_bar(Interval(-3.0, 0.5, 3.0, (0.0, 1.0), (0.0, 2.0)), 9) == "├───●───┤"


def test_slices_tell_the_sides_by_name_and_losses_first() -> None:
    def part(value: str, difference: float, p: float) -> Slice:
        bounds = (difference - 0.1, difference + 0.1)
        return Slice("length", value, 20, 0.5, 0.5 - difference, difference, *bounds, p, 5, 3)

    parts = [part("short", 0.2, 0.01), part("medium", -0.02, 0.7), part("long", -0.3, 0.001)]
    table = build_slices_table(parts, 0.95, "tuned", "bm25")
    assert [column.name for column in table.columns][2:5] == ["tuned", "bm25", "gain of tuned"]
    assert [(row.values[0], row.values[-1]) for row in table.rows] == [
        ("length: long", "▼ tuned is worse"),
        ("length: medium", "= within the noise"),
        ("length: short", "▲ tuned is better"),
    ]
    assert build_slices_table([], 0.95, "tuned", "bm25").empty_text == "no slices to compare with bm25"
    assert build_slices_table(None, 0.95, "tuned", "bm25").empty_text == "computing slices …"
