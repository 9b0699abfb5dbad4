"""The synthesizer `zelo`: who is asked what, what a file may say, and targets that mean the same for every query."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rerank_parts import BASE, HERE, Voice

from factory.api import ChatRequest, ChatResponse, Row, RowsJob
from factory_rerank.task import Reranker
from factory_rerank.zelo.pairwise import QueryComparisons, adjust_levels, anchor_levels
from factory_rerank.zelo.zelo import Zelo

WORTHS = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4]
"""Worth of the ten documents of a query: `w3` is a text that the judge below finds three times as good as `w1`."""


class Worth:
    """A judge that reads the worth of a text and is sure, but takes the first of two alike, and may fail at some."""

    model = "worth"

    def __init__(self, failing: str = "") -> None:
        self.asked: list[str] = []
        self.failing = failing

    def ask(self, asks: Iterable[ChatRequest], report: object = None) -> Iterator[ChatResponse]:
        for ask in asks:
            said = ask.messages[-1].content
            self.asked.append(said)
            a, b = (int(said.partition(f"Document {side}:\nw")[2].split()[0]) for side in "AB")
            failed = "no answer" if self.failing and self.failing in said else ""
            yield ChatResponse("A" if a >= b else "B", error=failed)


def job(judge: Worth, rows: list[Row], root: Path = Path()) -> RowsJob:
    documents = {
        f"{row.id}-{i}": Row(f"{row.id}-{i}", {"text": f"w{worth + row['bonus']} {row.id}-{i}"}, HERE)
        for row in rows for i, worth in enumerate(WORTHS)
    }
    return RowsJob(7, Voice(), root, {"documents": documents}, teacher_factory=lambda alias: judge, rows=rows,
                   base=BASE,
                   task=Reranker())


def queries(count: int = 3, bonus: dict[int, int] | None = None) -> list[Row]:
    """Queries of ten candidates each; all documents of some are better by a bonus."""
    return [
        Row(f"q{n}", {"query": f"query {n}", "bonus": (bonus or {}).get(n, 0), "relevant": {},
                      "candidates": [f"q{n}-{i}" for i in range(10)]}, HERE)
        for n in range(count)
    ]


def made(zelo: Zelo, work: RowsJob) -> list[Row]:
    return list(zelo.synthesize(work))


def test_targets_follow_the_judge_and_stay_between_0_and_1() -> None:
    for row in made(Zelo(), job(Worth(), queries())):
        targets = [row["targets"][f"{row.id}-{i}"] for i in range(10)]
        assert {*np.argsort(targets)[-4:]} == {6, 7, 8, 9} and np.argmax(targets) == 9
        assert min(targets) >= 0 and max(targets) <= 1 and targets[9] - max(targets[:6]) > 0.3
        assert row.provenance.detail["targets"]["judge"] == "worth"


def test_every_pair_is_asked_in_both_orders_and_a_bias_to_a_place_is_a_tie() -> None:
    judge = Worth()
    work = job(judge, queries(1))
    (row,) = made(Zelo(cycles=2, top_cycles=0, cross_query_cycles=0), work)
    assert len(judge.asked) == 2 * 2 * 10 and row.provenance.detail["targets"]["judgements"] == 20
    assert all(said.replace("Document A", "Document _").count("Document") == 2 for said in judge.asked)
    useless = [row["targets"][f"q0-{i}"] for i in range(6)]
    assert max(useless) - min(useless) < 0.15  # all alike to the judge, though it always says A
    assert any("decided by position alone" in note for note in work.report.notes)


def test_the_second_stage_compares_the_provisional_best() -> None:
    judge = Worth()
    made(Zelo(cycles=3, top=5, top_cycles=2, cross_query_cycles=0), job(judge, queries(1)))
    last = judge.asked[60:]
    assert len(last) == 2 * 2 * 5
    seen = {word.partition("-")[2] for said in last for word in said.split() if word.startswith("q0-")}
    assert {"9", "8", "7", "6"} <= seen and len(seen) == 5


def test_an_edit_of_one_row_asks_nothing_new_of_the_others() -> None:
    one, other = Worth(), Worth()
    rows = queries()
    made(Zelo(cross_query_cycles=0), job(one, rows))
    made(Zelo(cross_query_cycles=0), job(other, [rows[0], rows[1].with_columns(query="edited"), rows[2]]))
    fresh = set(other.asked) - set(one.asked)
    assert fresh and all("edited" in said for said in fresh)


def test_comparisons_between_queries_lift_the_one_whose_documents_are_all_better() -> None:
    rows = queries(6, bonus={2: 9})
    blind, seeing = (made(Zelo(cross_query_cycles=count), job(Worth(), rows)) for count in (0, 6))
    gaps = [np.mean([*some[2]["targets"].values()]) - np.mean([*some[1]["targets"].values()])
            for some in (blind, seeing)]
    assert abs(gaps[0]) < 0.1 < gaps[1]


def test_the_floor_of_a_query_stays_put_however_many_good_documents_it_has() -> None:
    few, many = (QueryComparisons(queries(1)[0], [f"d{i}" for i in range(40)]) for _ in range(2))
    few.scores, many.scores = [0.0] * 35 + [3.0] * 5, [0.0] * 20 + [3.0] * 20
    for contest in (few, many):
        mean = float(np.mean(contest.scores))
        contest.scores = [score - mean for score in contest.scores]
        contest.pairs = [(i, i + 1) for i in range(39)]
    anchor_levels([few, many])
    assert few.compute_global_score(0) == pytest.approx(
        many.compute_global_score(0)
    ) and few.compute_global_score(39) == pytest.approx(many.compute_global_score(39))
    adjust_levels([few, many], [((0, 39), (1, 39))] * 9, [1.0] * 9, "thurstone")
    assert few.compute_global_score(39) > many.compute_global_score(39)


def test_requests_that_fail_are_counted_and_judgements_go_without() -> None:
    work = job(Worth(failing="q0-9"), queries(1))
    (row,) = made(Zelo(cross_query_cycles=0), work)
    assert "q0-9" not in row["targets"] and len(row["targets"]) == 9  # nothing that was judged connects it
    assert any("failed: 28;" in note for note in work.report.notes)
    assert work.report.notes[-1].endswith("documents without a target, as no judgement connects them: 1")


def write(folder: Path, *records: dict[str, object]) -> Zelo:
    (folder / "pairs.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return Zelo(judgements=Path("pairs.jsonl"))


def test_a_file_of_judgements_needs_no_judge(tmp_path: Path) -> None:
    ring = [{"query_id": "q0", "a": f"q0-{i}", "b": f"q0-{i + 1}", "winner": "b"} for i in range(3)]
    shares = [{"query_id": "q1", "a": "q1-0", "b": "q1-1", "p": p} for p in (0.9, 0.7)]
    zelo = write(tmp_path, *ring, *shares, {"query_id": "q9", "a": "x", "b": "y", "winner": "tie"},
                 {"query_id": "q0", "b_query_id": "q1", "a": "q0-3", "b": "q1-0", "winner": "q0-3"})
    judge = Worth()
    work = job(judge, queries(3), tmp_path)
    first, second, third = made(zelo, work)
    assert zelo.get_required_models() == () and Zelo().get_required_models() == ("judge",) and judge.asked == []
    assert sorted(first["targets"], key=first["targets"].get) == ["q0-0", "q0-1", "q0-2", "q0-3"]
    assert second["targets"]["q1-0"] > second["targets"]["q1-1"] and third["targets"] == {}
    assert work.report.notes[0] == (
        "pairs.jsonl: judgements across queries: 1; skipped: 1 (not a training row), 0 (unknown document)"
    )


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"query_id": "q0", "a": "x"}, "b: no such field; available: a, query_id"),
        ({"query_id": "q0", "a": "x", "b": "y", "p": 1.2}, "p: expected a share from 0 to 1, got 1.2"),
        ({"query_id": "q0", "a": "x", "b": "y", "winner": "z"}, "winner: expected 'x', 'y' or 'tie', got 'z'"),
        ({"query_id": "q0", "a": "x", "b": "y"}, "p: no such field; a judgement needs p or winner"),
        ({"query_id": "q0", "a": "x", "b": "x", "p": 1}, "b: 'x' is compared with itself"),
        ({"query_id": True, "a": "x", "b": "y", "p": 1}, "query_id: expected an id, got True"),
    ],
)
def test_a_wrong_judgement_is_named_by_its_line(tmp_path: Path, record: dict[str, object], said: str) -> None:
    zelo = write(tmp_path, {"query_id": "q0", "a": "q0-1", "b": "q0-2", "p": 1}, record)
    with pytest.raises(ValueError, match=r"pairs\.jsonl:2: ") as caught:
        made(zelo, job(Worth(), queries(1), tmp_path))
    assert str(caught.value) == f"pairs.jsonl:2: {said}"


def test_a_wrong_judgement_can_be_skipped(tmp_path: Path) -> None:
    zelo = write(tmp_path, {"query_id": "q0", "a": "q0-1", "b": "q0-2", "p": 1}, {"query_id": "q0"})
    skipped: list[str] = []
    (row,) = made(zelo, replace(job(Worth(), queries(1), tmp_path), bad_record_handler=skipped.append))
    assert len(skipped) == 1 and len(row["targets"]) == 2
