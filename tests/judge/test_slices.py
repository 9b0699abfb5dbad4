"""Where two builds differ: parts of the test set, and a word only outside the noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fake_runs import fake_run

from factory.api import Answer, Provenance, Row, RowsJob, Task
from factory.evaluation import compare
from factory.evaluation.compare import FrozenRowViewer
from factory.evaluation.comparison import load_comparison
from factory.evaluation.slices import compare_slices


class Sliced(Task):
    """Rows are told apart by the last digit of their id, and by whether it is even."""

    kind = "reranker"

    def get_templates(self) -> dict[str, str]:
        return {}

    def audit(self, job: RowsJob) -> Any:
        yield from ()

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        return row.id

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        number = int(row["number"])
        return {"half": "first" if number < 20 else "second", "few": "rare" if number < 3 else "common"}


def shelf(found: compare.ContenderComparison) -> FrozenRowViewer:
    made = FrozenRowViewer(found.a.run_outputs)
    made.__dict__["task"] = Sliced()
    made.__dict__["rows"] = {
        result.id: Row(result.id, {"number": place}, Provenance("here")) for place, result in enumerate(found.rows)
    }
    return made


def test_slices_have_paired_intervals_and_small_ones_are_left_out(tmp_path: Any) -> None:
    run = fake_run(tmp_path, lift=0.3)
    found = load_comparison(tmp_path, [run, f"{run}:bm25"]).compare_pair(0, 1)
    parts = compare_slices(found, shelf(found))
    assert [(part.slice, part.value, part.n) for part in parts] == [
        ("half", "first", 20), ("half", "second", 20), ("few", "common", 37),
    ]
    for part in parts:
        assert part.low < part.difference < part.high
        assert part.difference == pytest.approx(part.mean_a - part.mean_b, abs=1e-5)
        assert part.won + part.lost <= part.n
    assert all(0 < part.p <= 1 for part in parts)


def test_few_groups_prove_nothing_and_many_have_no_floor(tmp_path: Any) -> None:
    run = fake_run(tmp_path, lift=0.3)
    found = load_comparison(tmp_path, [run, f"{run}:bm25"]).compare_pair(0, 1)

    def grouped(count: int) -> compare.ContenderComparison:
        lost = [(0.2 + 0.01 * (i % 7), 0.9) for i in range(40)]
        rows = [
            compare.RowResult(row.id, f"g{i % count}", *lost[i], compare.LOST) for i, row in enumerate(found.rows)
        ]
        return replace(found, rows=rows)

    # Three slices of ten groups: the floor of a bootstrap is 0.0064, that of a sign-flip test over them 2 / 2 ** 10.
    few, many = grouped(4), grouped(10)
    assert {part.p for part in compare_slices(few, shelf(few))} == {1.0}
    assert max(part.p for part in compare_slices(many, shelf(many))) < 3 * 2 / 2**10


def test_equal_answers_are_different_in_no_slice(tmp_path: Any) -> None:
    fake_run(tmp_path)
    found = load_comparison(tmp_path, ["icd:bm25", "icd:bm25"]).compare_pair(0, 1)
    assert {part.p for part in compare_slices(found, shelf(found))} == {1.0}
