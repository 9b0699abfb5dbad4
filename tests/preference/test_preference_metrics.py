"""The metrics of preferences: what wins, what does not, and the rivals that need no model."""

from __future__ import annotations

from pathlib import Path

import pytest
from preference_parts import PAIR_TASK, PAIRS, THUMB_TASK, THUMBS, pair, score_each, scoring
from tiny_parts import Voice

from factory.api import Answer, AnswerJob, Row, RowsJob
from factory.errors import InputError
from factory_preference.answer_soundness import is_sound
from factory_preference.assistant import Assistant
from factory_preference.by_length import ByLength
from factory_preference.judged_answers import compute_auc
from factory_preference.preference_metrics import PreferenceMetrics
from factory_preference.thumbs_metrics import ThumbsMetrics

EVAL, THUMB_EVAL = PreferenceMetrics(), ThumbsMetrics()


def values(metric: str, rows: list[Row], answers: list[Answer]) -> list[float]:
    return [scores.values[metric] for scores in EVAL.score(scoring(rows, answers))]


def test_the_answer_that_gains_more_is_preferred_and_a_tie_is_wrong() -> None:
    answers = score_each([(1.0, 0.5), (0.5, 1.0), (0.0, 0.0), (-1.0, -9.0)])
    for metric in ("preference", "preference_per_token"):
        assert values(metric, PAIRS[:4], answers) == [1, 0, 0, 1]


def test_a_long_answer_does_not_win_per_token_by_its_length() -> None:
    details = {"chosen": 6.0, "chosen_per_token": 0.1, "rejected": 4.0, "rejected_per_token": 0.4}
    answer = [Answer("p0", "Yes.", details=details)]
    assert values("preference", PAIRS[:1], answer) == [1] and values("preference_per_token", PAIRS[:1], answer) == [0]


def test_a_text_is_a_preference_if_it_is_one_of_the_two_and_else_a_coin() -> None:
    texts = ["Sun!", "no moon.", "perhaps", ""]
    answers = [Answer(row.id, text) for row, text in zip(PAIRS, texts, strict=False)]
    assert values("preference", PAIRS[:4], answers) == [1, 0, 0.5, 0.5]
    assert values("sound", PAIRS[:4], answers) == [1, 1, 1, 0]


@pytest.mark.parametrize(("text", "sound"), [
    ("Choose the link in the mail within one hour.", True), ("", False), (" \n", False), ("How do I log in?", False),
    ("I can help. " * 20, False), ("no " * 9, True), ("1. one\n2. two\n3. three\n4. four\n5. five\n6. six\n" * 2, True),
    ("a" * 200, False),
])
def test_a_loop_a_blank_and_an_echo_are_no_answers(text: str, sound: bool) -> None:
    assert is_sound(text, "How do I log in?") is sound


def test_preferences_are_told_by_the_length_of_the_better_answer() -> None:
    rows = [pair("a", "?", "longer one", "short"), pair("b", "?", "short", "longer one"), pair("c", "?", "as", "is")]
    answers = [Answer(row.id, "ok", details=each.details) for row, each in zip(
        rows, score_each([(1, 0), (0, 1), (1, 0)]), strict=True
    )]
    job = scoring(rows, answers)
    assert EVAL.compute_totals(job) == {"preference_shorter": 0.0, "preference_longer": 1.0}
    tables = EVAL.build_tables(job)
    assert [line["pairs"] for line in tables["length of the better answer"]] == [1, 1]
    assert tables["scores of given answers"] == [
        {"answer": "chosen", "mean score": 0.6667}, {"answer": "rejected", "mean score": 0.3333}
    ]
    assert [PAIR_TASK.get_row_slices(row)["better answer"] for row in rows] == ["longer", "shorter", "as long"]


def test_thumbs_are_ranked_and_whoever_finds_all_good_is_a_coin() -> None:
    def rate(scores: list[float]) -> tuple[float, float]:
        answers = [Answer(row.id, "ok", details={"given": score}) for row, score in zip(THUMBS, scores, strict=True)]
        job = scoring(THUMBS, answers)
        agreements = [each.values["agreement"] for each in THUMB_EVAL.score(job)]
        return THUMB_EVAL.compute_totals(job)["auc"], sum(agreements) / len(agreements)

    assert rate([float(row["good"]) - 5 for row in THUMBS]) == (1.0, 1.0)
    assert rate([-float(row["good"]) for row in THUMBS]) == (0.0, 0.5 * 0)
    assert rate([3.0] * 8) == (0.5, 0.5)
    texts = scoring(THUMBS, [Answer(row.id, "ok") for row in THUMBS])
    assert THUMB_EVAL.compute_totals(texts) == {"auc": 0.5}


def test_the_share_of_couples_counts_ties_half() -> None:
    assert compute_auc([1, 2, 2, 3], [False, False, True, True]) == pytest.approx(3.5 / 4)
    assert compute_auc([1, 2], [True, True]) == 0.5


def test_length_prefers_what_training_rows_prefer() -> None:
    def answer(train: list[Row], rows: list[Row]) -> list[Answer]:
        task = THUMB_TASK if "good" in rows[0].columns else PAIR_TASK
        return list(ByLength().answer(AnswerJob(
            seed=7, report=Voice(), root=Path(), rows=rows, train=train, validation=[], base=None,  # type: ignore[arg-type]
            task=task, objective=None, artifact=None,  # type: ignore[arg-type]
        )))

    assert [each.output for each in answer(PAIRS, PAIRS[:2])] == ["sun!", "moon!"], "the shorter ones"
    turned = [pair(row.id, row["prompt"], row["rejected"], row["chosen"]) for row in PAIRS]
    assert [each.output for each in answer(turned, PAIRS[:2])] == ["no sun.", "no moon."]
    assert values("preference", PAIRS[:2], answer(PAIRS, PAIRS[:2])) == [1, 1]
    assert THUMB_EVAL.compute_totals(scoring(THUMBS, answer(THUMBS, THUMBS)))["auc"] > 0.9


def test_a_row_may_have_a_system_message_and_an_input() -> None:
    row = pair("a", "Translate.", "Sonne", "Mond", system="Be brief.", input="sun")
    assert [(each.role, each.content) for each in Assistant().render_messages(row)] == [
        ("system", "Be brief."), ("user", "Translate.\n\nsun")
    ]
    assert [each.role for each in Assistant().render_messages(PAIRS[0])] == ["user"]
    query = Assistant().build_query_row(dict(Assistant().extract_query(row)))
    assert Assistant().render_messages(query) == Assistant().render_messages(row)


@pytest.mark.parametrize(("value", "good"), [(True, True), ("up", True), (0, False), (" False", False)])
def test_a_thumb_has_several_spellings(value: object, good: bool) -> None:
    row = Row("a", {**THUMBS[0].columns, "good": value}, THUMBS[0].provenance)
    (prepared,) = THUMB_TASK.prepare(RowsJob(7, Voice(), Path(), rows=[row]))
    assert prepared["good"] is good


def test_a_question_needs_no_thumb() -> None:
    question = THUMB_TASK.build_query_row({"query": "say sun"})
    assert list(THUMB_TASK.prepare(RowsJob(7, Voice(), Path(), rows=[question]))) == [question]


def test_a_thumb_that_is_none_is_refused() -> None:
    row = Row("a", {**THUMBS[0].columns, "good": "meh"}, THUMBS[0].provenance)
    with pytest.raises(InputError, match="'meh' is no thumb"):
        list(THUMB_TASK.prepare(RowsJob(7, Voice(), Path(), rows=[row])))
