"""One view of what a build cost: CLI, TUI and report show the same time, memory, requests, tokens and money."""

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
from factory.llm import LEDGER_FILE
from factory.report.run_page import render_run_page
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.tui.snapshot import take_snapshot
from factory.views.cost import build_answer_costs_table, build_requests_table, describe_build_cost, measure_build_cost

START = 1_795_312_000.0
COST = "1 min 01 s, CPU 18 s, memory 812.0 MiB; 3 requests, 250 tokens, cost 0.03"


def asked(number: int, at: float, by: str, tokens: int, cost: float, build: str = "icd") -> list[dict]:
    """Both lines of one attempt, as the ledger keeps them."""
    sent = {"at": at, "build": build, "id": f"a{number}", "status": "sent", "model": "big", "host": "h", "by": by}
    end = {"at": at + 1, "build": build, "id": f"a{number}", "status": "ok", "tokens_in": tokens, "tokens_out": 10}
    return [sent, {**end, "cost": cost, "seconds": 2.0}]


@pytest.fixture
def outputs(tmp_path: Path) -> RunOutputs:
    """A run during which two plugins asked one model; earlier, later, and for another build, others did."""
    lines = [
        *asked(1, START + 5, "labels", 90, 0.01), *asked(2, START + 6, "labels", 90, 0.01),
        *asked(3, START + 7, "paraphrase", 40, 0.01), *asked(4, START - 60, "labels", 999, 9.0),
        *asked(5, START + 600, "labels", 999, 9.0), *asked(6, START + 8, "labels", 999, 9.0, build="other"),
        *asked(7, START + 9, "labels", 999, 9.0)[:1],
    ]
    (tmp_path / LEDGER_FILE).parent.mkdir(parents=True)
    (tmp_path / LEDGER_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return RunOutputs(tmp_path, find_run(tmp_path, fake_run(tmp_path, at=START)))


def test_requests_are_those_of_the_run_and_the_dearest_come_first(outputs: RunOutputs) -> None:
    cost = measure_build_cost(outputs)
    assert describe_build_cost(cost) == COST
    assert [row.values for row in build_requests_table(cost).rows] == [
        ("labels", "big", 2, 180, 20, 0.02, 4.0), ("paraphrase", "big", 1, 40, 10, 0.01, 2.0),
    ]
    assert cost.to_json()["requests"][0]["by"] == "labels"


def test_three_renderers_show_one_cost(outputs: RunOutputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(outputs.home))
    shown = {
        "cli": click.unstyle(CliRunner().invoke(app, ["show", outputs.run.id]).output),
        "tui": take_snapshot(outputs.home, "verdict", [outputs.run.id], NOW).render(160),
        "report": html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", render_run_page(outputs), flags=re.DOTALL)),
    }
    assert [name for name, text in shown.items() if COST not in " ".join(text.split())] == []
    for name in ("cli", "report"):
        assert "paraphrase big 1 40 10 0.01 2.0 s" in " ".join(shown[name].split())
    answers = [row.values[:2] for row in build_answer_costs_table(outputs).rows]
    assert [name for name, _ in answers] == ["tuned", "untuned", "bm25", "hybrid"]


def test_a_build_that_asked_nobody_names_no_requests(tmp_path: Path) -> None:
    cost = measure_build_cost(RunOutputs(tmp_path, find_run(tmp_path, fake_run(tmp_path))))
    assert describe_build_cost(cost) == COST.partition(";")[0]
    assert build_requests_table(cost).empty_text == "no model was asked"
