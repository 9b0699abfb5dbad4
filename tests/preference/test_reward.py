"""Reward models: what is learnt by either backend, what the metrics say, and the baselines to beat."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from preference_parts import pair
from reward_parts import REWARDED, TASK, ask_rewards, fit_rewards, score_margins, with_answers
from tiny_decoder import tiny_decoder
from tiny_parts import Voice
from transformers import AutoModelForSequenceClassification

from factory.api import AnswerJob, Base, Objective, ReferenceJob, RowsJob
from factory.api.training_args import BackendName
from factory.ml.encoder import load_encoder
from factory.ml.kit import load_kit
from factory.testing.random_models import build_random_base
from factory_preference.by_length import ByLength
from factory_preference.embedding_difference import EmbeddingDifference, fit_difference_weights
from factory_preference.reward import RewardObjective, build_reward_collator
from factory_preference.reward_architectures import DecoderReward, EncoderReward
from factory_preference.reward_metrics import PairwiseMetrics

BACKENDS: tuple[BackendName, ...] = ("cpu", "hf")
OBJECTIVES = {"decoder": DecoderReward(), "encoder": EncoderReward(architecture="encoder")}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Base]:
    folder = tmp_path_factory.mktemp("bases")
    return {"decoder": tiny_decoder(folder / "decoder"), "encoder": build_random_base(folder, "labels")}


def compute_rewards(objective: RewardObjective, base: Base, folder: Path, backend: BackendName) -> torch.Tensor:
    """The rewards of all pairs in training, before the first step."""
    job = fit_rewards(base, folder, backend)
    learner = job.kit.create_learner(job, modules_to_save=objective.modules_to_save, labels=1)
    learner.begin_step()  # type: ignore[attr-defined]
    batch = build_reward_collator(job)(objective._build_examples(job, REWARDED))
    return job.kit.compute_head_logits(learner.model, batch.texts).detach()


@pytest.mark.parametrize("architecture", OBJECTIVES)
def test_both_backends_give_the_same_rewards_and_learn_what_was_chosen(
    architecture: str, bases: dict[str, Base], tmp_path: Path
) -> None:
    objective, base = OBJECTIVES[architecture], bases[architecture]
    first, second = (compute_rewards(objective, base, tmp_path / f"{name}-start", name) for name in BACKENDS)
    assert torch.allclose(first, second, atol=1e-5) and first.std() > 0
    for backend in BACKENDS:
        job = fit_rewards(base, tmp_path / backend, backend, epochs=40)
        result = objective.fit(job)
        assert result.facts["backend"] == backend and result.modules > 0
        asked = ask_rewards(base, REWARDED, job.out, backend)
        answers = {answer.id: answer for answer in objective.answer(asked)}
        scored = replace(score_margins([0.0] * 8), answers=answers)
        assert [each.values["pair_accuracy"] for each in PairwiseMetrics().score(scored)] == [1.0] * 8


def test_the_plain_library_gives_a_decoders_rewards(bases: dict[str, Base], tmp_path: Path) -> None:
    objective, job = DecoderReward(), fit_rewards(bases["decoder"], tmp_path)
    objective.fit(job)
    asked = ask_rewards(bases["decoder"], REWARDED, job.out)
    ours = np.array([answer.output for answer in objective.answer(asked)])
    merged = job.kit.load_encoder(bases["decoder"], asked.artifact, labels=1)
    merged.model.save_pretrained(tmp_path / "merged")  # type: ignore[attr-defined]
    merged.tokenizer.save_pretrained(tmp_path / "merged")  # type: ignore[attr-defined]
    plain = replace(asked, artifact=None, base=replace(asked.base, folder=tmp_path / "merged"))
    fields = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    found = objective.generate_reference_answers(ReferenceJob(**fields, judged_answers={}))
    assert np.array([answer.output for answer in found.answers]) == pytest.approx(ours, abs=1e-4)


def test_a_base_of_the_other_architecture_is_refused(bases: dict[str, Base]) -> None:
    for wanted, other in (("decoder", "encoder"), ("encoder", "decoder")):
        asked = ask_rewards(bases[other], REWARDED, None)
        with pytest.raises(ValueError, match=f"but .* is of the other kind; set `architecture: {other}`"):
            OBJECTIVES[wanted].count_tokens(asked)
        assert OBJECTIVES[other].count_tokens(asked).texts_per_example == 2


def test_a_head_reads_the_last_token_though_the_base_pads_with_it(tmp_path: Path) -> None:
    base = tiny_decoder(tmp_path / "base")
    model = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=1)
    model.config.pad_token_id = 1  # the end of turn, as of SmolLM2
    model.save_pretrained(tmp_path / "base")
    loaded = load_encoder(base.folder, labels=1)
    short, long = [5, 6, 1], [5, 6, 7, 8, 9, 1]
    alone = [loaded.compute_pair_logits([(ids, [0] * len(ids))])[0, 0] for ids in (short, long)]
    together = loaded.compute_pair_logits([(short, [0] * 3), (long, [0] * 6)])[:, 0]
    assert torch.allclose(torch.stack(alone), together, atol=1e-5)
    with torch.inference_mode():
        hidden = loaded.model.model(torch.tensor([short])).last_hidden_state[0, -1]
        assert loaded.model.score(hidden)[0] == pytest.approx(float(alone[0]), abs=1e-5)


def test_the_loss_is_that_of_bradley_and_terry_with_rewards_held_around_zero() -> None:
    rewards = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    plain = (math.log1p(math.exp(-1)) + math.log1p(math.exp(2))) / 2
    assert float(DecoderReward().compute_reward_loss(rewards)) == pytest.approx(plain)
    assert float(DecoderReward(center=0.1).compute_reward_loss(rewards)) == pytest.approx(plain + 0.1 * (1 + 4) / 2)


def test_pairs_are_scored_by_margin_length_and_calibration() -> None:
    job = score_margins([2.0, 1.0, 0.0, -1.0])
    scores = [dict(each.values) for each in PairwiseMetrics().score(job)]
    assert [each["pair_accuracy"] for each in scores] == [1.0, 1.0, 0.5, 0.0]
    assert [each["pair_nll"] for each in scores] == pytest.approx([
        math.log1p(math.exp(-margin)) for margin in (2, 1, 0, -1)
    ])
    # One bin of four pairs: the mean confidence beside 2.5 of 4 right.
    confidence = sum(1 / (1 + math.exp(-margin)) for margin in (2, 1, 0, 1)) / 4
    totals = PairwiseMetrics().compute_totals(job)
    # Every chosen answer here, such as "sun!" beside "no sun.", is the shorter one.
    assert totals == {"pair_accuracy_shorter": 0.625, "ece": pytest.approx(abs(confidence - 0.625))}
    assert PairwiseMetrics().build_tables(job)["length of the better answer"] == [
        {"better answer": "shorter", "pairs": 4, "pair_accuracy": 0.625}
    ]


def test_rewards_are_asked_of_answers_in_an_order_that_tells_nothing() -> None:
    rows = [pair("a", "say it", "b", "a"), pair("b", "say it", "a", "b")]
    prepared = list(TASK.prepare(RowsJob(7, Voice(), Path(), rows=rows)))
    assert [row["answers"] for row in prepared] == [["a", "b"], ["a", "b"]]
    assert [TASK.build_expected_output(row) for row in prepared] == [[0.0, 1.0], [1.0, 0.0]]
    question = TASK.build_query_row({"query": "say it", "answer": "a"})
    assert question["answers"] == ["a"] and list(TASK.prepare(RowsJob(7, Voice(), Path(), rows=[question])))
    with pytest.raises(ValueError, match="answer: expected the text to reward"):
        TASK.build_query_row({"query": "say it"})


def build_contest(base: Base, words: list[tuple[str, str]]) -> AnswerJob:
    """A job in which the same pairs are to learn from and to reward."""
    rows = [with_answers(pair(f"p{n}", f"say {n}", *each)) for n, each in enumerate(words)]
    return AnswerJob(
        seed=7, report=Voice(), root=Path(), kit_loader=partial(load_kit, "auto"), rows=rows, train=rows,
        validation=[], base=base, task=TASK, objective=Objective(), artifact=None,
    )


def test_the_baselines_know_lengths_and_embeddings(bases: dict[str, Base]) -> None:
    job = build_contest(bases["encoder"], [("owl owl owl", "fern")] * 10 + [("bear", "moss moss")] * 8)
    by_length = [answer.output for answer in ByLength().answer(job)]
    assert by_length[0] == [4.0, 11.0] and job.facts["prefers"] == "longer"
    rewards = [dict(zip(row["answers"], answer.output, strict=True)) for row, answer in zip(
        job.rows, EmbeddingDifference().answer(job), strict=True)]
    assert all(own[row["chosen"]] > own[row["rejected"]] for row, own in zip(job.rows, rewards, strict=True))


def test_the_regression_weighs_differences_as_scikit_learn_does_all_pairs_in_both_orders() -> None:
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(3)
    differences = draw.normal(size=(10, 4)) + np.array([1.0, 0.0, 0.0, 0.0])
    plain = LogisticRegression(fit_intercept=False).fit(
        np.concatenate([differences, -differences]), np.repeat([1, 0], 10)
    )
    assert fit_difference_weights(differences) == pytest.approx(plain.coef_[0], abs=1e-3)
    assert fit_difference_weights(np.tile(differences, (3, 1)))[0] > 0
