"""The reranker's data: candidates and signals, the audit, negatives, and who answers by a signal alone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rerank_parts import BASE, DOCUMENTS, HERE, HashKit, Voice, documents, job, queries

from factory.api import Answer, AnswerJob, ChatRequest, ChatResponse, Row
from factory.errors import InputError
from factory_rerank.first_stage_baselines import Bm25Baseline, CosineBaseline, HybridBaseline
from factory_rerank.first_stage_retrieval import Bm25Index, search_first_stage, select_top_positions
from factory_rerank.task import Reranker
from factory_synth.hard_negatives import HardNegatives


def prepared(**fields: object) -> list[Row]:
    return list(Reranker(**{"top_k": 2, **fields}).prepare(job(queries())))


def test_candidates_are_the_best_of_both_searches_with_aligned_signals() -> None:
    first = prepared()[0]
    assert first["candidates"][0] == "N13.5" and 2 <= len(first["candidates"]) <= 4
    assert {len(values) for values in first["signals"].values()} == {len(first["candidates"])}
    assert first["signals"]["hybrid"] == sorted(first["signals"]["hybrid"], reverse=True)


@pytest.mark.parametrize("fusion", ["scores", "ranks"])
def test_preparing_twice_gives_the_same_rows(fusion: str) -> None:
    assert prepared(fusion=fusion) == prepared(fusion=fusion)


def test_a_query_that_shares_no_word_still_has_candidates() -> None:
    last = prepared()[3]
    assert last["query"] == "Bronchial spasm" and set(last["signals"]["bm25"]) == {0.0} and len(last["candidates"]) == 2


def test_preparing_looks_at_no_label() -> None:
    blind = [row.with_columns(relevant={}) for row in queries()]
    made = list(Reranker(top_k=2).prepare(job(blind)))
    assert [row["candidates"] for row in made] == [row["candidates"] for row in prepared()]


def test_templates_reach_the_search() -> None:
    shifted = Reranker(top_k=1, query_template="asthma asthma asthma {query}")
    assert all("J45.9" in row["candidates"] for row in shifted.prepare(job(queries())))
    assert shifted.get_templates()["document"] == "{text}"


def test_the_best_of_equal_scores_are_the_first() -> None:
    assert select_top_positions(np.array([1.0, 3.0, 3.0, 0.0, 3.0]), 2) == [1, 2]
    assert select_top_positions(np.array([0.5, 1.0]), 9) == [1, 0]


def test_texts_without_words_score_nothing() -> None:
    assert Bm25Index(["", "the of"]).score_documents("stone").tolist() == [0.0, 0.0]
    assert Bm25Index(["stone"]).score_documents("").tolist() == [0.0]
    nothing = np.zeros((0, 4), dtype=np.float32)
    assert list(search_first_stage([], ["a"], nothing, np.ones((1, 4), dtype=np.float32), 5, "scores", 0.5)) == []


def test_the_audit_names_what_is_missing_empty_and_out_of_reach() -> None:
    rows = prepared()
    broken = [
        rows[0].with_columns(relevant={"N99.9": 1}), rows[1].with_columns(query=" "),
        rows[3].with_columns(candidates=["E11.9"]), rows[2],
        replace(rows[2], id="e").with_columns(relevant={**rows[2]["relevant"], "blank": 1}),
        replace(rows[2], id="f").with_columns(relevant={"blank": 1}, candidates=["blank"]),
    ]
    work = job(broken)
    blank = Row("blank", {"text": " "}, rows[0].provenance, table="documents")
    work = replace(work, tables={"documents": {**work.tables["documents"], "blank": blank}})
    found = [(finding.check, finding.row, finding.text) for finding in Reranker().audit(work)]
    assert found == [
        ("missing", "a", "relevant, but not in the corpus: 'N99.9'"),
        ("unreachable", "a", "relevant, but not among the candidates: 'N99.9'"),
        ("empty", "b", "no text in the query"),
        ("unreachable", "d", "relevant, but not among the candidates: 'J45.9'"),
        ("empty_document", "e", "relevant, but without text: 'blank'"),
        ("empty_document", "f", "relevant, but without text: 'blank'"),
    ]


@pytest.mark.parametrize(("columns", "said"), [
    ({"relevant": ["E11.9"]}, "relevant: expected grades by document id, such as {'d1': 1}, got list"),
    ({"relevant": {"E11.9": "high"}}, "relevant: the grade of 'E11.9' is 'high'; write a number"),
    ({"relevant": {"E11.9": 1}, "irrelevant": "N20.0"}, "irrelevant: expected a list of document ids"),
])
def test_judgements_of_another_type_are_refused_with_their_row(columns: dict[str, object], said: str) -> None:
    rows = [queries()[0], replace(queries()[1], columns={**queries()[1].columns, **columns})]
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        list(Reranker().prepare(job(rows)))
    assert str(caught.value).startswith(f"{HERE.source}:")


def test_a_row_is_shown_with_its_best_documents() -> None:
    row = prepared()[1].with_columns(candidates=["E11.9", "N20.0"])
    shown = Reranker().describe_row(row, {"documents": documents()}, Answer("b", [0.9, 0.1]))
    assert shown == f"Kidney stone\n  1. E11.9 {DOCUMENTS['E11.9']}\n  2. *N20.0 {DOCUMENTS['N20.0']}"
    assert "not among the candidates" not in shown
    assert Reranker().describe_row(
        row.with_columns(candidates=["E11.9"]), {"documents": documents()}, Answer("b", [1.0])
    ).endswith(
        "  *not among the candidates: 'N20.0'"
    )


def test_signals_answer_by_themselves() -> None:
    rows = prepared()
    work = AnswerJob(
        7, Voice(), Path(), {"documents": documents()}, HashKit, rows=rows, train=[], validation=[], base=BASE,
        # type: ignore[arg-type]
        task=Reranker(), objective=None, artifact=None,
    )
    for contender in (Bm25Baseline(), CosineBaseline(), HybridBaseline()):
        answers = list(contender.answer(work))
        assert [answer.output for answer in answers] == [row["signals"][contender.kind] for row in rows]


def test_documents_of_families_that_training_does_not_know_are_no_negatives() -> None:
    row = listed("a", {"N20.0": 1}, {"N20.0": 0.9, "J45.9": 0.5, "E11.9": 0.4})
    rows = [replace(row, group="N20"), replace(row, group="E11")]
    (made, _) = HardNegatives(count=1).synthesize(job(rows))
    assert made["negatives"] == ["E11.9"]
    (made, _) = HardNegatives(count=1, unseen="use").synthesize(job(rows))
    assert made["negatives"] == ["J45.9"]


def listed(name: str, relevant: dict[str, int], cosines: dict[str, float], **more: object) -> Row:
    columns = {"query": "Kidney stone", "relevant": relevant, "candidates": list(cosines), **more}
    return Row(name, {**columns, "signals": {"cosine": list(cosines.values())}}, HERE)


def test_negatives_keep_their_distance_from_the_positive() -> None:
    voice = Voice()
    cosines = {"N13.5": 0.99, "N20.0": 0.8, "N13.1": 0.77, "E11.9": 0.5, "J45.9": 0.2, "E10.9": 0.1}
    (made,) = HardNegatives(count=2, unseen="use").synthesize(job([listed("a", {"N20.0": 1}, cosines)], voice))
    assert made["negatives"] == ["E11.9", "J45.9"]
    assert voice.notes == [
        "candidates whose cosine exceeds 0.95 of the positive's: 2 rejected; rows with fewer than 2 negatives: 0 of 1"
    ]


def test_documents_judged_irrelevant_come_first() -> None:
    row = listed("a", {"N20.0": 1}, {"N13.5": 0.6, "N20.0": 0.8}, irrelevant=["J45.9"])
    (made,) = HardNegatives(unseen="use").synthesize(job([row]))
    assert made["negatives"] == ["J45.9", "N13.5"]


def test_a_positive_that_no_list_holds_is_embedded() -> None:
    row = listed("a", {"N20.0": 1}, {"N13.5": 0.9, "E11.9": 0.05})
    (made,) = HardNegatives(count=2, unseen="use").synthesize(job([row]))
    query, document = HashKit().embed(BASE, ["Kidney stone", DOCUMENTS["N20.0"]])
    assert 0.05 < float(query @ document) < 0.9 and made["negatives"] == ["E11.9"]


def test_a_positive_that_is_nowhere_gives_no_negatives() -> None:
    (made,) = HardNegatives(unseen="use").synthesize(job([listed("a", {"X": 1}, {"N13.5": 0.9})]))
    assert made["negatives"] == []


def test_negatives_can_come_by_words_or_by_meaning() -> None:
    cosines = {"N13.5": 0.5, "N20.0": 0.8, "N13.1": 0.2, "E11.9": 0.7}
    row = listed("a", {"N20.0": 1}, cosines)
    row = row.with_columns(signals={"cosine": list(cosines.values()), "bm25": [1.0, 9.0, 3.0, 2.0]})
    found = {
        by: HardNegatives(rank_by=by, unseen="use").synthesize(job([row])) for by in ("hybrid", "bm25", "cosine")
    }  # type: ignore[arg-type]
    assert {by: next(made)["negatives"] for by, made in found.items()} == {
        "hybrid": ["N13.5", "N13.1", "E11.9"], "bm25": ["N13.1", "E11.9", "N13.5"],
        "cosine": ["E11.9", "N13.5", "N13.1"],
    }


class Knows:
    """A judge for whom whatever speaks of diabetes answers, and who has no word on asthma."""

    model = "knows"

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, asks: Iterable[ChatRequest], report: object = None) -> Iterator[ChatResponse]:
        for ask in asks:
            self.asked += 1
            said = ask.messages[-1].content
            yield ChatResponse("yes" if "diabetes" in said else "no", error="no answer" if "asthma" in said else "")


def test_a_guard_keeps_answers_from_being_negatives() -> None:
    voice, judge = Voice(), Knows()
    cosines = {"N20.0": 0.9, "E11.9": 0.6, "N13.5": 0.5, "J45.9": 0.4, "E10.9": 0.3, "N13.1": 0.2}
    row = listed("a", {"N20.0": 1}, cosines, irrelevant=["E10.9"])
    work = replace(job([row], voice), teacher_factory=lambda alias: judge)
    (made,) = HardNegatives(count=3, unseen="use", ask_judge=True).synthesize(work)
    assert made["negatives"] == ["E10.9", "N13.5", "N13.1"]  # the first was judged by a person: nobody is asked
    assert judge.asked == 4 and HardNegatives(
        ask_judge=True
    ).get_required_models() == ("judge",) and HardNegatives().get_required_models() == ()
    assert voice.notes[1] == (
        "candidates judged: 4; rejected because the judge takes them for answers: 1, because it gave no answer: 1"
    )
