"""The eval of a brand's voice: what wins, and what does not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from voice_parts import TEST, TRAIN, VALIDATION, scoring

from factory.api import Row
from factory_voice.style_classifier import StyleClassifier
from factory_voice.text_tokens import collect_word_ngrams, count_figures, split_folded_words
from factory_voice.voice_metrics import (
    VoiceMetrics,
    compute_copied_share,
    compute_figure_agreement,
    compute_length_error,
)

EVAL = VoiceMetrics(unrelated_cosine=0.1, same_cosine=0.7)


def mean(metric: str, said: Callable[[Row], str]) -> float:
    scores = [each.values[metric] for each in EVAL.score(scoring([said(row) for row in TEST]))]
    return sum(scores) / len(scores)


def test_the_reference_beats_the_plain_answer_a_canned_phrase_and_a_costume() -> None:
    reference = mean("on_brand", lambda row: row["answer"])
    assert reference > 0.7
    assert mean("on_brand", lambda row: row["neutral"]) < reference / 2
    assert mean("on_brand", lambda row: "Ahoy, friend. Your bundle sets sail, says the crew.") < reference / 2
    assert mean("on_brand", lambda row: f"Ahoy, friend. {row['neutral']}") < reference - 0.2
    assert mean("on_brand", lambda row: TRAIN[0]["answer"]) < reference / 2


def test_greetings_beyond_the_length_of_the_reference_earn_nothing() -> None:
    padding, neutral = "Ahoy, friend. " * 9, TEST[0]["neutral"]
    assert mean("on_brand", lambda row: padding + row["neutral"]) < mean("on_brand", lambda row: row["answer"]) - 0.3
    limits = [0, 0, len(neutral.split())]
    plain, whole, capped = StyleClassifier(TRAIN).predict_voice([neutral, padding + neutral, padding + neutral], limits)
    assert whole > 0.5 > capped == pytest.approx(plain)


def test_nothing_said_is_worth_nothing() -> None:
    for blank in ("", " \n"):
        assert mean("on_brand", lambda row, text=blank: text) == mean("voice", lambda row, text=blank: text) == 0
        assert mean("length_off", lambda row, text=blank: text) == 1


def test_a_changed_figure_counts_though_the_meaning_is_near() -> None:
    wrong = [
        row["answer"].replace(*sorted(count_figures(row["answer"])), "99") for row in TEST
    ]  # type: ignore[call-arg]
    scores = [each.values for each in EVAL.score(scoring(wrong))]
    assert [each["figures"] for each in scores] == [0, 0] == [each["on_brand"] for each in scores]
    assert min(each["meaning"] for each in scores) > 0.5


def test_figures_agree_when_none_is_lost_and_none_is_added() -> None:
    assert set(count_figures("0 to 1,200.50 m at 9:30, then 3.")) == {"0", "1200.5", "9:30", "3"}
    assert compute_figure_agreement(count_figures(""), count_figures("none")) == 1
    assert compute_figure_agreement(count_figures("1 and 2"), count_figures("1")) == 0.5


@pytest.mark.parametrize(("one", "other", "agreement"), [
    ("£1,000", "1000", 1), ("10.50", "10.5", 1), ("10.0", "10", 1), ("555-1234", "5551234", 1),
    ("\u22125 °C", "-5 °C", 1),
    ("0800-123-456", "0800123456", 1), ("from 2010-2012", "2010 to 2012", 1), ("room A-5", "room 5", 1),
    ("-5", "5", 0), ("10 and 10", "10", 0.5), ("1,000", "1,00", 0), ("1.2.30", "1.2.3", 0), ("9:30", "9:3", 0),
    ("2024-02-29", "29.02.2024", 0), ("10.50 and 3", "3 and 10.5", 1), ("1,234,567", "1234567", 1),
])
def test_a_figure_has_one_form_its_sign_and_its_count(one: str, other: str, agreement: float) -> None:
    assert compute_figure_agreement(count_figures(one), count_figures(other)) == agreement


def test_style_is_fitted_on_training_rows_and_shown_with_its_auc() -> None:
    totals = EVAL.compute_totals(scoring([row["answer"] for row in TEST]))
    assert totals["style_auc"] == StyleClassifier(TRAIN).compute_style_auc(VALIDATION) == 1.0
    assert totals["length_ratio"] == 1.0 and totals["reference"] > 0.7
    assert "style_auc" not in EVAL.compute_totals(replace(scoring([row["answer"] for row in TEST]), validation=()))


def test_a_greeting_around_plain_sentences_is_less_voice_than_sentences_in_it() -> None:
    row, style = TEST[0], StyleClassifier(TRAIN)
    plain, costume, whole = style.predict_voice([row["neutral"], f"Ahoy, friend. {row['neutral']}", row["answer"]])
    assert plain < costume < whole and costume < 0.5


def test_copying_is_the_share_of_long_runs_that_training_answers_have() -> None:
    known = collect_word_ngrams(split_folded_words(TRAIN[0]["answer"]), 8)
    assert compute_copied_share(TRAIN[0]["answer"].upper(), known) == 1
    assert compute_copied_share("Ahoy, friend.", known) == compute_copied_share("", known) == 0
    assert mean("copied", lambda row: row["answer"]) < 0.2 < mean("copied", lambda row: TRAIN[0]["answer"])


def test_length_is_held_against_the_reference() -> None:
    assert compute_length_error("a b c", "a b c d") == 0.25 == compute_length_error("a b c d e", "a b c d")


def test_a_range_that_is_none_and_rows_without_answers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unrelated_cosine \(0.9\) must be below same_cosine"):
        VoiceMetrics(unrelated_cosine=0.9)
    with pytest.raises(ValueError, match="'knife-1' has no answer"):
        list(EVAL.score(replace(scoring(["", ""]), answers={})))
    with pytest.raises(ValueError, match="needs training rows"):
        StyleClassifier([])
