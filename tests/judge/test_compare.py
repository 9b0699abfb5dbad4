import json

import pytest
from fake_runs import fake_run

from factory.api import Metric
from factory.data.rows import read_jsonl
from factory.errors import InputError
from factory.evaluation import compare
from factory.evaluation.comparison import load_comparison
from factory.evaluation.gate import decide_verdict
from factory.runs import run_view
from factory.runs.run_outputs import RunOutputs
from factory.spec.fields import Gate


def test_two_contenders_of_one_run_row_by_row(tmp_path):
    run = fake_run(tmp_path, lift=0.2)
    found = load_comparison(tmp_path, [run, f"{run}:bm25"]).compare_pair(0, 1)
    assert found.a.contender == "tuned"
    assert sum(found.count_rows(r) for r in (compare.WON, compare.LOST, compare.TIED)) == len(found.rows) == 40
    assert found.difference == pytest.approx(found.compute_side_mean("a") - found.compute_side_mean("b"))
    assert found.low < found.difference < found.high
    assert all(row.a > row.b for row in found.rows if row.result == compare.WON)


def test_the_strongest_rows_come_first(tmp_path):
    fake_run(tmp_path)
    found = load_comparison(tmp_path, ["icd", "icd:bm25"]).compare_pair(0, 1)
    shown = [abs(row.difference) for row in found.select_strongest(compare.LOST, 3)]
    assert len(shown) == 3
    assert shown == sorted(shown, reverse=True)


def test_a_contender_against_itself_is_tied_throughout(tmp_path):
    fake_run(tmp_path)
    found = load_comparison(tmp_path, ["icd:bm25", "icd:bm25"]).compare_pair(0, 1)
    assert found.count_rows(compare.TIED) == 40
    assert (found.low, found.difference, found.high) == (0, 0, 0)


def test_two_builds_are_compared_on_the_rows_they_share(tmp_path):
    fake_run(tmp_path, "20261120-010000-icd-aaaa", n=30)
    fake_run(tmp_path, "20261121-010000-icd-bbbb", n=40, salt="new", lift=0.3)
    found = load_comparison(tmp_path, ["bbbb", "aaaa"]).compare_pair(0, 1)
    assert len(found.rows) == 30
    assert found.one_sided_rows == 10
    assert found.difference > 0


def test_what_can_not_be_compared_is_said(tmp_path):
    fake_run(tmp_path)
    fake_run(tmp_path, "20261121-010000-icd-dead", end=False, salt="new")
    with pytest.raises(InputError, match="no contender 'bm52'"):
        compare.load_contender_results(tmp_path, "0f3a:bm52")
    with pytest.raises(InputError, match="has no scores"):
        compare.load_contender_results(tmp_path, "dead")
    with pytest.raises(InputError, match=r"has no metric 'f1'; it has ndcg@10, mrr@10"):
        load_comparison(tmp_path, ["0f3a", "0f3a:bm25"]).compare_pair(0, 1, "f1")


def test_a_row_shows_though_its_task_is_not_installed(tmp_path):
    run = run_view.find_run(tmp_path, fake_run(tmp_path))
    shelf = compare.FrozenRowViewer(RunOutputs(tmp_path, run))
    shelf.__dict__["task"] = None
    assert shelf.show("q0") == "Kinking and stricture of ureter"
    assert shelf.show("nobody") == "nobody"


def test_what_both_sides_begin_with_is_said_once(tmp_path):
    run = fake_run(tmp_path)
    found = load_comparison(tmp_path, [run, f"{run}:bm25"])
    shelf = found.row_viewer
    shelf.__dict__["task"] = None
    shared, (left, right) = shelf.show_side_by_side("q0", found.sides)
    assert shared == ""
    assert left != right
    assert left.startswith("Kinking and stricture of ureter → [")


def test_the_comparison_is_the_one_of_the_gate(tmp_path):
    run = fake_run(tmp_path, lift=0.1)
    pair = load_comparison(tmp_path, [run, f"{run}:bm25"]).sides
    score = pair[0].run_outputs.find_stage_folder("score")
    for name, shift in {"tuned": 0.1 + 0.2, "bm25": 0.3}.items():
        for side in pair:
            if side.contender == name:
                values = [(i, 1.0 if name == "tuned" and i < 8 else shift) for i in range(40)]
                lines = [{"id": f"q{i}", "group": "", "values": {"ndcg@10": value}} for i, value in values]
                (score / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = load_comparison(tmp_path, [run, f"{run}:bm25"]).compare_pair(0, 1)
    lines = {side.contender: list(read_jsonl(score / f"{side.contender}.jsonl")) for side in (found.a, found.b)}
    gate = decide_verdict(lines, Metric("ndcg@10", "a number"), Gate())["comparisons"][0]
    counts = tuple(found.count_rows(result) for result in (compare.WON, compare.LOST, compare.TIED))
    assert counts == (gate["won"], gate["lost"], gate["tied"]) == (8, 0, 32)
    assert (found.low, found.difference, found.high) == (gate["low"], gate["difference"], gate["high"])
