"""Evals of texts by their right answers: published values, the libraries' own, and what is not the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from eval_parts import build_job, build_job_of, list_scores, write_rows
from pydantic import ValidationError
from rerank_parts import BASE, HashKit
from sacrebleu.metrics import CHRF

from factory_evals.chrf import Chrf
from factory_evals.embedding_similarity import EmbeddingSimilarity
from factory_evals.exact_match import ExactMatch
from factory_evals.json_answers import JSONAnswers
from factory_evals.rouge import Rouge

PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("right", "answer", "expected"),
    [  # what the tests of rouge-score 0.1.2 state, after ROUGE-1.5.5
        ("testing one two", "testing", {"rouge_1": 1 / 2}),
        ("testing one two", "testing one", {"rouge_1": 4 / 5, "rouge_2": 2 / 3, "rouge_l": 4 / 5}),
        ("testing one two", "testing two", {"rouge_l": 4 / 5}),
        ("first text", "text first", {"rouge_1": 1.0, "rouge_2": 0.0, "rouge_l": 0.5}),
        ("testing one two", "", {"rouge_1": 0.0, "rouge_2": 0.0, "rouge_l": 0.0}),
        ("First sentence. Second Sentence.", "Second sentence. First Sentence.", {"rouge_l": 0.5}),
    ],
)
def test_rouge_has_the_published_values(right: str, answer: str, expected: dict[str, float]) -> None:
    (scores,) = list_scores(Rouge(), [(right, answer)])
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


def test_rouge_counts_a_word_as_often_as_both_texts_have_it_and_reads_any_letters() -> None:
    assert list_scores(Rouge(), [("the cat the hat", "the the the the")])[0]["rouge_1"] == 0.5
    assert list_scores(Rouge(), [("паром идёт", "Паром, идёт!")])[0]["rouge_l"] == 1.0


def test_chrf_is_sacrebleus_of_rows_and_of_all_rows_together() -> None:
    rights, texts = ["The ferry runs at six.", "Naïve"], ["A ferry runs at 6.", "nai\u0308ve"]
    for plugin in (Chrf(), Chrf(beta=1), Chrf(word_order=2)):
        theirs, job = CHRF(beta=plugin.beta, word_order=plugin.word_order), build_job(write_rows(*rights), texts)
        sentence = theirs.sentence_score(texts[0], [rights[0]]).score / 100
        assert next(iter(plugin.score(job))).values == {"chrf": pytest.approx(sentence)}
        corpus = theirs.corpus_score([texts[0], "naïve"], [rights]).score
        assert plugin.compute_totals(job) == {"corpus_chrf": pytest.approx(corpus)}
        sums = np.asarray(plugin.list_total_counts("corpus_chrf", job)).sum(axis=0)[None, :]
        assert plugin.compute_total_from_counts("corpus_chrf", sums) == [pytest.approx(corpus)]


def test_an_exact_match_forgives_case_and_punctuation_but_no_sign_unless_it_is_strict() -> None:
    pairs = [("Oslo", "oslo."), ("-5", "5"), ("3.5", " 3.5 "), ("a b", "a  b"), ("Oslo", "Bergen")]
    assert [each["exact_match"] for each in list_scores(ExactMatch(), pairs)] == [1, 0, 1, 1, 0]
    assert [each["exact_match"] for each in list_scores(ExactMatch(strict=True), pairs)] == [0, 0, 1, 0, 0]


def test_similarity_is_the_cosine_of_the_embedders_vectors_and_a_blank_has_none() -> None:
    pairs = [("one two", "one two"), ("one two", "three four"), ("one two", "  ")]
    scores = list_scores(
        EmbeddingSimilarity(), pairs, kit_loader=HashKit, models={"embedder": BASE},
    )
    same, other, blank = (each["similarity"] for each in scores)
    vectors = HashKit().embed(BASE, ["one two", "three four"])
    assert (same, other) == (pytest.approx(1), pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6))
    assert blank == 0 and other < 0.9


def test_json_is_valid_by_the_schema_and_equal_as_a_value() -> None:
    right = '{"name": "Ada", "age": 1}'
    answers = {
        '{"age": 1.0, "name": "Ada"}': (1, 1), '{"name": "Bo", "age": 1}': (0, 1), '{"name": 7}': (0, 0),
        '{"name": "Ada", "age": true}': (0, 1), f"Here it is: {right}": (0, 0), '{"name": "Ada", "age": NaN}': (0, 0),
        "[" * 100_000: (0, 0), "": (0, 0),
    }
    scores = list_scores(JSONAnswers(json_schema=PERSON), [(right, text) for text in answers])
    assert [(each["json_match"], each["json_valid"]) for each in scores] == list(answers.values())
    job = build_job(write_rows(right, right, right), ['{"name": 7}', "no", "neither"])
    assert JSONAnswers(json_schema=PERSON).build_tables(job) == {"invalid JSON": [
        {"reason": "not JSON: Expecting value", "rows": 2}, {"reason": "not valid by properties/name/type", "rows": 1},
    ]}


def test_a_right_answer_that_is_no_json_is_an_error_of_the_data() -> None:
    with pytest.raises(ValueError, match="the right answer 'Ada' is not JSON"):
        list_scores(JSONAnswers(), [("Ada", '"Ada"')])


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "objekt"}, "no JSON Schema at type"), ({"properties": {"a": {"type": 3}}}, "at properties/a/type"),
        ({"$ref": "http://schemas.example/a.json"}, "must be to a place of the schema itself"),
        ({"items": {"$ref": "#/$defs/thing"}}, "has no '#/\\$defs/thing'"),
    ],
)
def test_a_schema_that_is_none_is_refused_before_anything_is_built(schema: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        JSONAnswers(json_schema=schema)
    assert JSONAnswers(json_schema={"$defs": {"thing": {}}, "items": {"$ref": "#/$defs/thing"}}).json_schema


def test_a_row_without_an_answer_or_an_answer_that_is_no_text_is_named() -> None:
    rows = write_rows("A", "B")
    for plugin in (ExactMatch(), Chrf(), Rouge(), JSONAnswers(), EmbeddingSimilarity()):
        job = build_job(rows[:1], ["A"])
        with pytest.raises(ValueError, match="row 'r1' has no answer"):
            list(plugin.score(build_job_of(rows, job)))
        with pytest.raises(ValueError, match="expected a text as answer, got a dict"):
            list(plugin.score(build_job(rows[:1], [{"A": math.nan}])))  # type: ignore[list-item]
