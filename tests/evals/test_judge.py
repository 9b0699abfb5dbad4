"""A judge of known bias: its bias is found, ties are ties, and the win rate at equal lengths is corrected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from eval_parts import write_rows
from judge_parts import build_judged_job, judge_by
from loopback import Play, serving

from factory_evals.judge import Judge
from factory_evals.judge_bias import fit_logistic

pytest.importorskip("openai")
ROWS = write_rows(*["right"] * 40)


def is_longer(number: int, first: str, second: str) -> bool:
    return len(first) > len(second)


def list_wins(job: object) -> list[float]:
    return [scores.values["judge_win"] for scores in Judge().score(job)]  # type: ignore[arg-type]


def test_an_answer_wins_loses_or_ties_in_both_orders_and_one_text_is_not_judged(tmp_path: Path) -> None:
    with serving(otherwise=judge_by(lambda number, first, second: first == "good" or second == "bad")) as server:
        texts, tuned = ["good", "bad", "tuned", "so-so"], ["tuned"] * 4
        job = build_judged_job(server, tmp_path, ROWS[:4], texts, tuned)
        # Of so-so and tuned, the judge prefers the second one each time: a contradiction.
        assert list_wins(job) == [1.0, 0.0, 0.5, 0.5]
        assert len(server.asked) == 6
        (line,) = Judge().build_tables(job)["judged comparisons"]
        assert line == {
            "won": 1, "lost": 1, "tied": 2, "contradictions": 1, "same text": 1, "no valid reply": 0,
        }
        assert Judge().compute_totals(job)["judge_prefers_first"] == pytest.approx(2 / 6)
        assert len(server.asked) == 6, "what was judged is not asked again"
        list_wins(build_judged_job(server, tmp_path, ROWS[:4], texts, tuned))
        assert len(server.asked) == 6, "the cache knows it in another build too"


def test_the_bias_of_a_judge_of_positions_is_found_and_decides_nothing(tmp_path: Path) -> None:
    # On 30 of 40 rows it takes what stands first, on the others the longer answer.
    with serving(otherwise=judge_by(lambda n, first, second: n < 30 or is_longer(n, first, second))) as server:
        job = build_judged_job(server, tmp_path, ROWS, ["a longer answer"] * 40, ["short"] * 40)
        assert list_wins(job) == [0.5] * 30 + [1.0] * 10
        totals = Judge().compute_totals(job)
        assert totals["judge_prefers_first"] == (60 + 10) / 80
        assert totals["judge_decided_by_position"] == 0.75
        assert totals["judge_prefers_longer"] == 1.0


def test_the_win_rate_of_a_judge_of_lengths_is_corrected(tmp_path: Path) -> None:
    # The answer is longer on 30 of 40 rows; the longer one wins on four rows of five, whatever it says.
    texts = ["x" * 30 if n < 30 else "x" * 10 for n in range(40)]
    with serving(otherwise=judge_by(lambda n, one, two: is_longer(n, one, two) == (n % 5 != 0))) as server:
        job = build_judged_job(server, tmp_path, ROWS, texts, ["y" * 20] * 40)
        assert sum(list_wins(job)) / 40 == 26 / 40
        totals = Judge().compute_totals(job)
        assert totals["judge_prefers_longer"] == 0.8
        assert totals["judge_win_at_equal_length"] == pytest.approx(0.5, abs=1e-3)


def test_a_better_answer_still_wins_at_equal_length(tmp_path: Path) -> None:
    # It wins on 27 of 30 rows where it is longer and on 6 of 10 where it is shorter: odds of 9 and 1.5.
    texts = ["x" * 30 if n < 30 else "x" * 10 for n in range(40)]
    with serving(otherwise=judge_by(lambda n, one, two: ("x" in one) == (n < 27 or 30 <= n < 36))) as server:
        job = build_judged_job(server, tmp_path, ROWS, texts, ["y" * 20] * 40)
        odds = (9 * 1.5) ** 0.5
        rate = Judge().compute_totals(job)["judge_win_at_equal_length"]
        assert rate == pytest.approx(odds / (1 + odds), abs=1e-3)
        assert rate < sum(list_wins(job)) / 40


def test_the_regression_is_that_of_statsmodels() -> None:
    import statsmodels.api as sm

    draw = np.random.default_rng(7)
    inputs = np.tanh(draw.normal(0.4, 1, 300))
    wins = draw.choice([0.0, 0.5, 1.0], 300) * 0.4 + 0.6 * (draw.random(300) < 1 / (1 + np.exp(-0.3 - inputs)))
    theirs = sm.GLM(wins, sm.add_constant(inputs), family=sm.families.Binomial()).fit().params
    assert fit_logistic(inputs, wins) == pytest.approx(tuple(theirs), abs=1e-4)


def test_agreement_with_people_is_shown_where_rows_have_a_rejected_answer(tmp_path: Path) -> None:
    rows = [row.with_columns(rejected="longer and wrong" if n % 4 else "no") for n, row in enumerate(ROWS)]
    with serving(otherwise=judge_by(is_longer)) as server:
        job = build_judged_job(server, tmp_path, rows, ["same"] * 40, ["same"] * 40)
        assert Judge().compute_totals(job)["judge_agreement"] == 0.25
        assert Judge().build_tables(job)["judge and people"] == [
            {"people chose": "all", "pairs": 40, "agreement": 0.25},
            {"people chose": "the shorter answer", "pairs": 30, "agreement": 0.0},
            {"people chose": "the longer answer", "pairs": 10, "agreement": 1.0},
        ]


def test_without_tuned_an_answer_is_held_against_the_right_one_and_tuned_against_itself(tmp_path: Path) -> None:
    with serving(otherwise=judge_by(lambda n, first, second: first == "right" or second == "wrong")) as server:
        job = build_judged_job(server, tmp_path, ROWS[:2], ["right", "wrong"])
        assert list_wins(job) == [0.5, 0.0]
        tuned = build_judged_job(server, tmp_path, ROWS[:2], ["a", "b"], ["a", "b"])
        assert list_wins(tuned) == [0.5, 0.5] and len(server.asked) == 2
        assert Judge().compute_totals(tuned) == {"judge_win_at_equal_length": 0.5}


def test_a_reply_that_is_neither_is_a_tie_and_a_judge_that_never_replies_is_an_error(tmp_path: Path) -> None:
    with serving(otherwise=lambda body: Play("A" if "text 0" in str(body["messages"]) else "maybe")) as server:
        job = build_judged_job(server, tmp_path, ROWS[:2], ["x", "x"], ["y", "y"])
        assert list_wins(job) == [0.5, 0.5]
        (line,) = Judge().build_tables(job)["judged comparisons"]
        assert (line["no valid reply"], line["contradictions"]) == (1, 1)
        with pytest.raises(ValueError, match="the judge 'judge' has no valid answer to any of 1 pairs"):
            list_wins(build_judged_job(server, tmp_path, ROWS[1:2], ["other"], ["y"]))


def test_criteria_are_told_and_enter_the_key(tmp_path: Path) -> None:
    with serving(otherwise=judge_by(is_longer)) as server:
        job = build_judged_job(server, tmp_path, ROWS[:1], ["x"], ["yy"])
        list(Judge(criteria="Shorter is better.").score(job))
        assert "Shorter is better." in server.asked[0].text and "text 0" in server.asked[0].text
    assert Judge(criteria="Be brief.").compute_identity(tmp_path) != Judge().compute_identity(tmp_path)
