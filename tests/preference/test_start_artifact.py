"""A step of training goes on from what the step before made: one adapter over the untouched base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from preference_parts import PAIR_TASK, PAIRS, fitting
from safetensors.torch import load_file

from factory.api import Adapter, Artifact, Base, FitJob, TrainingArgs
from factory.api.training_args import BackendChoice
from factory.ml.kit import load_kit
from factory_objectives.completion import Completion
from factory_preference.dpo import DPO

pytestmark = pytest.mark.usefixtures("exact")

WEIGHTS = "adapter_model.safetensors"
STILL = TrainingArgs(epochs=1, batch_size=4, learning_rate=1e-30, precision="fp32")
"""Settings of a training that changes nothing."""


@pytest.fixture
def taught(base: Base, tmp_path: Path) -> Artifact:
    """An adapter that learnt the chosen answers."""
    job = fitting(base, PAIRS, tmp_path / "taught", epochs=4)
    Completion().fit(job)
    return Artifact("adapter", job.out, base)


def go_on(base: Base, taught: Artifact, folder: Path, choice: BackendChoice = "cpu") -> FitJob:
    job = fitting(base, PAIRS, folder)
    return replace(job, start=taught, train=STILL, kit_loader=lambda: load_kit(choice))


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_at_step_0_it_is_the_artifact_that_it_starts_from(
    choice: BackendChoice, base: Base, taught: Artifact, tmp_path: Path
) -> None:
    job = go_on(base, taught, tmp_path, choice)
    objective, learner = DPO(), job.kit.create_learner(job, causal=True)
    examples = objective.build_examples(PAIRS, PAIR_TASK, job.kit.load_decoder(base))
    prompts, answers = [each.prompt for each in examples], [each.answers for each in examples]
    own = job.kit.load_decoder(base, taught, exact=True).compute_choice_logprobs(prompts, answers)
    plain = job.kit.load_decoder(base, exact=True).compute_choice_logprobs(prompts, answers)
    assert own[0][0] > plain[0][0] + 1, "it learnt the answer"
    reference = [each.reference for each in objective._add_reference(examples, learner, job)]
    assert [pytest.approx(row, abs=1e-4) for row in own] == reference, "dpo is held to the start, not to the bare base"
    with torch.no_grad():
        learner.begin_step()
        first = job.kit.compute_sequence_logprobs(learner.model, job.kit.build_answer_batch(prompts, answers))
    assert [pytest.approx(row, abs=1e-4) for row in own] == first.tolist()


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_it_stays_one_adapter_with_the_weights_it_had(
    choice: BackendChoice, base: Base, taught: Artifact, tmp_path: Path
) -> None:
    job = go_on(base, taught, tmp_path, choice)
    DPO().fit(job)
    before, after = load_file(taught.folder / WEIGHTS), load_file(job.out / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    moving = replace(job, train=job.train.model_copy(update={"learning_rate": 0.01}), out=tmp_path / "moved")
    moving.out.mkdir()
    DPO().fit(replace(moving, work=tmp_path / "again"))
    moved = load_file(moving.out / WEIGHTS)
    assert {name: value.shape for name, value in moved.items()} == {name: value.shape for name, value in before.items()}
    assert not any(torch.equal(before[name], moved[name]) for name in before)


@pytest.mark.parametrize(
    ("adapter", "kind", "said"),
    [
        (Adapter(rank=8, alpha=8), "adapter", "has rank 4, adapter.rank is 8; use one"),
        (Adapter(rank=4, alpha=16), "adapter", "has alpha 8, adapter.alpha is 16; use one"),
        (Adapter(rank=4, alpha=8), "head", "from an adapter, not from an artifact of the kind 'head'"),
    ],
    ids=["rank", "alpha", "kind"],
)
def test_what_it_cannot_start_from_is_refused_in_a_line(
    adapter: Adapter, kind: str, said: str, base: Base, taught: Artifact, tmp_path: Path
) -> None:
    start = replace(taught, kind=kind)  # type: ignore[arg-type]
    job = replace(go_on(base, start, tmp_path), adapter=adapter)
    with pytest.raises(ValueError, match=said) as refusal:
        job.kit.create_learner(job, causal=True)
    assert "\n" not in str(refusal.value)
    other = replace(base, digest="other", id="another")
    job = go_on(base, replace(taught, base=other), tmp_path / "other")
    with pytest.raises(ValueError, match="is of another, not of"):
        job.kit.create_learner(job, causal=True)
