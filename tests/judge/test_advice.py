"""Each verdict ends with one sentence that can be acted upon; a smoke build is told from a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_runs import fake_run

from factory.cli.verdict_panel import format_verdict_panel
from factory.errors import InputError
from factory.runs.run_index import RunIndex
from factory.runs.run_view import find_run
from factory.runs.specialists import find_run_outputs, find_version, list_versions
from factory.views.advice import describe_next_step
from factory.views.runs import build_runs_table
from factory.views.verdict import build_verdict_view


def compared(baseline: str, difference: float, half: float = 0.05) -> dict[str, Any]:
    return {"baseline": baseline, "difference": difference, "low": difference - half, "high": difference + half}


def advise(verdict: str, *comparisons: dict[str, Any], **more: Any) -> str:
    best = min(comparisons, key=lambda each: each["difference"])["baseline"]
    return describe_next_step({"verdict": verdict, "comparisons": comparisons, "best_baseline": best, **more})


def test_the_contender_that_wins_is_named() -> None:
    said = advise("NO_SHIP", compared("majority", 0.3), compared("centroid", -0.2), compared("knn", -0.1))
    shown = "`factory compare RUN:tuned RUN:centroid` shows the rows that tuned loses"
    assert said == f"Use centroid; {shown}."


def test_where_no_contender_wins_the_rule_that_failed_is_named() -> None:
    said = advise("NO_SHIP", compared("majority", 0.3), reasons=["tuned forgot: spelling fell"])
    assert said == "Use the current solution; mend this first: tuned forgot: spelling fell."


@pytest.mark.parametrize(("settle", "said"), [
    ({"count": 420, "unit": "rows", "is_capped": False}, "About 420 test rows would be needed to decide "
     "(data.split.test); until then use bm25, the best baseline."),
    ({"count": 40, "unit": "groups", "is_capped": False}, "About 40 groups of test rows would be needed to decide "
     "(data.split.test); until then use bm25, the best baseline."),
    ({"count": 5, "unit": "seeds", "is_capped": False}, "About 5 seeds (train.seeds) would be needed to decide; until "
     "then use bm25, the best baseline."),
    ({"count": 1600, "unit": "rows", "is_capped": True}, "More than 1,600 test rows would be needed to decide: "
     "use bm25, which does as well for all that these rows show."),
])
def test_what_would_decide_is_said_with_its_field(settle: dict[str, Any], said: str) -> None:
    gate = {"n_to_settle": settle["count"], "settle": settle}
    assert advise("INSUFFICIENT_EVIDENCE", compared("bm25", 0.01), compared("untuned", 0.2), **gate) == said


def test_no_verdict_is_without_advice() -> None:
    assert advise("SHIP", compared("bm25", 0.2)).startswith("Deploy the bundle, and add the contender `incumbent`")
    assert advise("PROMPTING_IS_ENOUGH", compared("prompted", -0.2)).startswith("Prompting the base model is enough: ")
    assert advise("INSUFFICIENT_EVIDENCE", compared("bm25", 0.01)) == (
        "Add test rows (data.split.test); until then use bm25, the best baseline.")


def test_a_smoke_build_says_so_and_is_no_version(tmp_path: Path) -> None:
    run = fake_run(tmp_path, "20261121-010000-icd-aaaa", profile="smoke")
    assert list_versions(tmp_path) == []
    with pytest.raises(InputError, match="no specialist 'icd'; it has smoke builds only, which are no versions"):
        find_version(tmp_path, "icd")
    assert build_verdict_view(find_run_outputs(tmp_path, run)).warning.startswith("A smoke build: few rows and little")
    (row,) = build_runs_table(RunIndex(tmp_path).refresh().list_runs(), 0.0).rows
    assert "▲ SHIP (smoke)" in row.values
    build = fake_run(tmp_path, "20261122-010000-icd-bbbb")
    assert [version.number for version in list_versions(tmp_path)] == [1]
    # The name means the version: after a smoke build, `try` would ask another bundle.
    shown = [format_verdict_panel(find_run_outputs(tmp_path, each)) for each in (run, build)]
    assert ["factory try icd" in page for page in shown] == [False, True]


def test_latest_is_the_newest_finished_build(tmp_path: Path) -> None:
    build = fake_run(tmp_path, "20261121-010000-icd-aaaa")
    fake_run(tmp_path, "20261122-010000-icd-bbbb", end=False)
    assert find_run(tmp_path, "latest").id == build
