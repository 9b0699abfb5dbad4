"""Training all weights: both backends compute the same, plain transformers loads what is written, bf16 is judged as it
is saved, and an interrupted training ends in the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_decoder import tiny_decoder
from tiny_parts import Voice
from tiny_parts import base as build_encoder
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from factory.api import Adapter, Artifact, Base, FitJob, TrainingArgs
from factory.api.training_args import BackendChoice
from factory.identity import digest_folder_files
from factory.ml.kit import load_kit

TEXTS = [[2, 7, 9, 3], [2, 5, 3], [2, 8, 11, 12, 6, 3]]
CHATS, STARTS = [[0, 40, 41, 50, 51, 1], [0, 40, 42, 60, 1], [0, 40, 43, 44, 45, 46, 61, 1]], [3, 3, 6]
FULL = Adapter(kind="full")


def fit_job(base: Base, folder: Path, adapter: Adapter = FULL, **settings: Any) -> FitJob:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return FitJob(
        seed=7, report=Voice(), root=folder, rows=[], validation=[], base=base, task=None,  # type: ignore[arg-type]
        adapter=adapter, train=TrainingArgs(**{"epochs": 4, "batch_size": 2, **settings}), out=folder / "out",
        work=folder / "work",
    )


@pytest.fixture
def decoder(tmp_path: Path) -> Base:
    return tiny_decoder(tmp_path / "decoder")


@pytest.fixture
def encoder(tmp_path: Path) -> Base:
    build_encoder(tmp_path / "encoder")
    return Base(tmp_path / "encoder" / "model", "tiny", "1", "d", "MIT")


def train_decoder(choice: BackendChoice, job: FitJob, stop: type[Exception] | None = None, rows: int = 3) -> Any:
    """Train on the chats; with `stop`, that is raised in the loss of the sixth step."""
    kit: Any = load_kit(choice)
    calls: list[int] = []

    def collate(places: list[int]) -> Any:
        return kit.build_completion_batch([CHATS[n] for n in places], [STARTS[n] for n in places])

    def compute_loss(model: nn.Module, batch: Any) -> Tensor:
        calls.append(0)
        if stop is not None and len(calls) == 6:
            raise stop
        return functional.cross_entropy(*kit.compute_completion_logits(model, batch))

    learner = kit.create_learner(job, causal=True)
    return kit.fit(learner, range(3), collate, compute_loss, job, task_type="CAUSAL_LM", validation=range(rows))


def compute_gradients(choice: BackendChoice, base: Base, folder: Path, causal: bool) -> dict[str, Tensor]:
    kit: Any = load_kit(choice)
    learner = kit.create_learner(fit_job(base, folder), causal=causal)
    if causal:
        loss = functional.cross_entropy(*kit.compute_completion_logits(
            learner.model, kit.build_completion_batch(CHATS, STARTS)))
    else:
        vectors = kit.compute_hidden_states(learner.model, kit.build_text_batch(TEXTS))
        loss = torch.cat(vectors).pow(3).mean()
    loss.backward()
    return {name: value.grad for name, value in learner.model.named_parameters() if value.requires_grad}


@pytest.mark.parametrize("causal", [True, False], ids=["decoder", "encoder"])
def test_both_backends_give_every_weight_the_same_gradient(
    causal: bool, decoder: Base, encoder: Base, tmp_path: Path
) -> None:
    base = decoder if causal else encoder
    packed, plain = (compute_gradients(name, base, tmp_path / name, causal) for name in ("cpu", "hf"))  # type: ignore[arg-type]
    assert packed.keys() == plain.keys() and len(packed) >= 20
    for name, gradient in packed.items():
        assert gradient is not None and gradient.norm() > 0, f"{name} learns nothing"
        assert (gradient - plain[name]).norm() <= 1e-5 * gradient.norm() + 1e-8, name


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_what_was_trained_loads_in_plain_transformers_and_gives_the_same_logits(
    choice: BackendChoice, decoder: Base, tmp_path: Path
) -> None:
    job = fit_job(decoder, tmp_path / choice)
    result = train_decoder(choice, job)
    untuned = AutoModelForCausalLM.from_pretrained(decoder.folder)
    plain = AutoModelForCausalLM.from_pretrained(job.out)
    assert (result.artifact, result.modules, result.steps) == ("weights", 0, 8)
    assert result.trainable == result.parameters == sum(value.numel() for value in plain.parameters())
    ours = load_kit(choice).load_decoder(decoder, Artifact("weights", job.out, decoder)).compute_token_logits(CHATS)
    for ids, logits in zip(CHATS, ours, strict=True):
        theirs = plain(torch.tensor([ids])).logits[0]
        assert (logits - theirs).abs().max() < 1e-4
        assert (logits - untuned(torch.tensor([ids])).logits[0]).abs().max() > 0.1
    assert AutoTokenizer.from_pretrained(job.out)("abc") == AutoTokenizer.from_pretrained(decoder.folder)("abc")


def test_a_tied_head_stays_tied_and_both_backends_train_alike(decoder: Base, tmp_path: Path) -> None:
    jobs = {name: fit_job(decoder, tmp_path / name) for name in ("cpu", "hf")}
    trained = {}
    for name, job in jobs.items():
        train_decoder(name, job)  # type: ignore[arg-type]
        trained[name] = load_file(job.out / "model.safetensors")
    assert "lm_head.weight" not in trained["cpu"] and trained["cpu"].keys() == trained["hf"].keys()
    assert all((value - trained["hf"][name]).abs().max() < 2e-4 for name, value in trained["cpu"].items())


def test_bf16_is_rounded_before_anything_is_judged(decoder: Base, tmp_path: Path) -> None:
    exact, rounded = fit_job(decoder, tmp_path / "fp32"), fit_job(decoder, tmp_path / "bf16")
    rounded = replace(rounded, adapter=Adapter(kind="full", save="bf16"))
    train_decoder("cpu", exact)
    result = train_decoder("cpu", rounded)
    wide, narrow = (load_file(job.out / "model.safetensors") for job in (exact, rounded))
    assert all(torch.equal(value.to(torch.bfloat16), narrow[name]) for name, value in wide.items())
    assert all(value.dtype == torch.bfloat16 for value in narrow.values())
    losses = result.facts["validation_loss"]
    assert losses["fp32"] != losses["bf16"] and losses["bf16"] == pytest.approx(losses["fp32"], abs=0.1)
    assert f"{losses['bf16']:.4f} in bf16, as judged and served" in rounded.report.notes[-1]  # type: ignore[attr-defined]
    answered = load_kit("cpu").load_decoder(decoder, Artifact("weights", rounded.out, decoder), exact=True)
    plain = AutoModelForCausalLM.from_pretrained(rounded.out, dtype=torch.float32)(torch.tensor(CHATS[:1])).logits[0]
    assert torch.allclose(answered.compute_token_logits(CHATS[:1])[0], plain, atol=1e-4)


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_an_interrupted_training_ends_in_the_same_bytes(choice: BackendChoice, decoder: Base, tmp_path: Path) -> None:
    whole = fit_job(decoder, tmp_path / "whole", checkpoint_every=2)
    train_decoder(choice, whole)
    broken = fit_job(decoder, tmp_path / "broken", checkpoint_every=2)
    with pytest.raises(KeyError):
        train_decoder(choice, broken, stop=KeyError)
    resumed = fit_job(decoder, tmp_path / "broken", checkpoint_every=2)
    train_decoder(choice, resumed)
    assert any("resuming training from step 4 of 8" in note for note in resumed.report.notes)  # type: ignore[attr-defined]
    assert digest_folder_files(resumed.out) == digest_folder_files(whole.out)


def test_an_encoder_with_a_head_is_a_model_that_transformers_loads(encoder: Base, tmp_path: Path) -> None:
    kit: Any = load_kit("cpu")
    job = fit_job(encoder, tmp_path / "out")
    learner = kit.create_learner(job, modules_to_save=("classifier",), labels=1)

    def compute_loss(model: nn.Module, batch: Any) -> Tensor:
        logits: Tensor = kit.compute_head_logits(model, batch)
        return logits.square().mean()

    kit.fit(
        learner, TEXTS, kit.build_text_batch, compute_loss, job, modules_to_save=("classifier",), task_type="SEQ_CLS",
    )
    plain = AutoModelForSequenceClassification.from_pretrained(job.out)
    loaded = kit.load_encoder(encoder, Artifact("weights", job.out, encoder), labels=1)
    ours = loaded.compute_pair_logits([(ids, [0] * len(ids)) for ids in TEXTS])
    theirs = torch.stack([plain(torch.tensor([ids])).logits[0] for ids in TEXTS])
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert plain.config.hidden_dropout_prob == AutoModel.from_pretrained(encoder.folder).config.hidden_dropout_prob
