"""Learning from pairs and thumbs: what is learnt, from where it starts, and what preflight finds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from preference_parts import PAIR_TASK, PAIRS, THUMBS, asked, fitting, pair, thumb

from factory.api import Base, Row
from factory_preference.dpo import DPO
from factory_preference.kto import KTO
from factory_preference.preference_metrics import compare_answers
from factory_preference.preference_objective import build_preference_batch

pytestmark = pytest.mark.usefixtures("exact")


def found(base: Base, rows: list[Row], **fields: Any) -> dict[str, list[str]]:
    """Check → the rows that it named."""
    checks: dict[str, list[str]] = {}
    objective = KTO(**fields) if "good" in rows[0].columns else DPO(**fields)
    for finding in objective.audit(asked(base, rows)):
        checks.setdefault(finding.check, []).append(finding.row)
    return checks


@pytest.mark.parametrize("fields", [
    {}, {"loss": "ipo"}, {"loss": "robust", "label_smoothing": 0.1}, {"sft_weight": 0.5},
], ids=["sigmoid", "ipo", "robust", "with-sft"])
def test_dpo_learns_what_was_chosen(fields: dict[str, Any], base: Base, tmp_path: Path) -> None:
    objective, job = DPO(max_new_tokens=8, **fields), fitting(base, PAIRS, tmp_path)
    assert objective.fit(job).steps == 24
    answers = list(objective.answer(asked(base, PAIRS, job.out)))
    assert [compare_answers(row, answer) for row, answer in zip(PAIRS, answers, strict=True)] == [1.0] * 8
    gains = [answer.details["chosen"] for answer in answers]
    assert (min(gains) > 0) if fields.get("sft_weight") else (max(gains) > -50)


def test_kto_learns_from_thumbs_without_pairs(base: Base, tmp_path: Path) -> None:
    objective, job = KTO(max_new_tokens=8), fitting(base, THUMBS, tmp_path, epochs=20)
    objective.fit(job)
    scores = {answer.id: answer.details["given"] for answer in objective.answer(asked(base, THUMBS, job.out))}
    good, bad = ([scores[row.id] for row in THUMBS if row["good"] is thumb] for thumb in (True, False))
    assert min(good) > max(bad)


def test_the_reference_is_the_model_that_training_starts_from(base: Base, tmp_path: Path) -> None:
    objective, job = DPO(), fitting(base, PAIRS, tmp_path)
    decoder, learner = job.kit.load_decoder(base), job.kit.create_learner(job, causal=True)
    examples = objective._add_reference(objective.build_examples(PAIRS, PAIR_TASK, decoder), learner, job)
    prompts, answers = [each.prompt for each in examples], [each.answers for each in examples]
    plain = decoder.compute_choice_logprobs(prompts, answers)
    for example, own in zip(examples, plain, strict=True):
        assert example.reference == pytest.approx(own, abs=1e-4)
    batch = build_preference_batch(examples[:4], job)
    logprobs = job.kit.compute_sequence_logprobs(learner.model, batch.texts)
    reference = logprobs.new_tensor([example.reference for example in batch.examples])
    assert logprobs.tolist() == reference.tolist(), "a new adapter changes nothing"
    loss = objective.compute_preference_loss(logprobs, reference, batch.examples)
    assert loss.item() == pytest.approx(math.log(2)), "the loss of a coin"
    assert learner.model.training


def test_a_model_that_learnt_nothing_prefers_nothing_and_the_base_has_a_preference_of_its_own(
    base: Base, tmp_path: Path
) -> None:
    objective, job = DPO(max_new_tokens=4), fitting(base, PAIRS, tmp_path, learning_rate=1e-30)
    objective.fit(job)
    for row, answer in zip(PAIRS, objective.answer(asked(base, PAIRS, job.out)), strict=True):
        assert answer.details["chosen"] == answer.details["rejected"] == 0.0
        assert compare_answers(row, answer) == 0.0
    own = next(objective.answer(asked(base, PAIRS)))
    assert own.details["chosen"] == own.details["chosen_per_token"] < 0
    question = PAIR_TASK.build_query_row({"query": "say sun"})
    assert next(objective.answer(asked(base, [question], job.out))).details == {}


def test_the_loss_on_validation_rows_picks_the_weights(base: Base, tmp_path: Path) -> None:
    job = fitting(base, PAIRS[:6], tmp_path, tuple(PAIRS[6:]), keep="best", epochs=4)
    facts = DPO(max_new_tokens=8).fit(job).facts
    losses = {int(step): loss for step, loss in facts["validation_losses"].items()}
    assert sorted(losses) == [2, 4, 6, 8]
    assert losses[facts["kept_step"]] == min(losses.values()) < math.log(2)


@pytest.mark.parametrize(
    ("rows", "fields", "checks"),
    [
        (PAIRS, {}, {}),
        (THUMBS, {}, {}),
        ([pair("same", "say", "Sun", "sun ")], {}, {"identical_pair": ["same"]}),
        ([pair("echo", "say sun", "Say sun", "no")], {}, {"answer_is_prompt": ["echo"]}),
        ([pair("a", "say", "sun", "moon"), pair("b", "say", "moon", "sun")], {}, {"opposite_pair": ["b", "b"]}),
        ([thumb("a", "say", "sun", True), thumb("b", "say", "sun", False)], {}, {"opposite_pair": ["b"]}),
        ([pair("cut", "say", "sun", "moon" * 30)], {"max_length": 100}, {"truncated": ["cut"]}),
        ([pair("a", "say", "sun", "x"), pair("b", "say", "moon", "x")], {}, {}),
    ],
    ids=["pairs", "thumbs", "same", "echo", "both ways", "two thumbs", "cut", "two answers"],
)
def test_preflight_finds_judgements_that_teach_nothing(
    rows: list[Row], fields: dict[str, Any], checks: dict[str, list[str]], base: Base
) -> None:
    assert found(base, rows, **fields) == checks


def test_preflight_says_what_length_alone_explains(base: Base) -> None:
    job = asked(base, [pair(f"r{n}", f"say {n}", "a long answer", "short") for n in range(20)])
    list(DPO().audit(job))
    (note,) = job.report.notes  # type: ignore[attr-defined]
    assert note.startswith("the longer answer is the better one in 100 % of couples (correlation of length with the")
    assert "by-length" in note


@pytest.mark.parametrize("fields", [{"loss": "robust"}, {"label_smoothing": 0.1}], ids=["robust", "sigmoid"])
def test_only_the_robust_loss_takes_pairs_to_be_the_wrong_way_round(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="label_smoothing"):
        DPO(**fields)
