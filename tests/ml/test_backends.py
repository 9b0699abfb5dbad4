"""The two backends compute the same: what one trains and answers, the other would, up to rounding."""

from __future__ import annotations

import json
from collections.abc import Callable
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

from factory.api import Adapter, Base, FitJob, Grammar, Message, TrainingArgs
from factory.api.training_args import BackendChoice
from factory.ml.cpu import backend as cpu
from factory.ml.hf import backend as hf
from factory.ml.kit import load_kit

TEXTS = [[2, 7, 9, 3], [2, 5, 3], [2, 8, 11, 12, 6, 3]]
SEGMENTS = [[0, 0, 1, 1], [0, 1, 1], [0, 0, 0, 1, 1, 1]]
CHATS, STARTS = [[0, 40, 41, 50, 51, 1], [0, 40, 42, 60, 1], [0, 40, 43, 44, 45, 46, 61, 1]], [3, 3, 6]
TOLERANCE = 1e-5
HEADS = ("classifier", "pooler")


def fit_job(base: Base, folder: Path, **settings: Any) -> FitJob:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True)
    return FitJob(
        seed=7, report=Voice(), root=folder, rows=[], validation=[], base=base, task=None,  # type: ignore[arg-type]
        adapter=Adapter(rank=4, alpha=8), train=TrainingArgs(precision="fp32", **settings),
        out=folder / "out", work=folder / "work",
    )


@pytest.fixture
def encoder(tmp_path: Path) -> Base:
    build_encoder(tmp_path / "encoder")
    return Base(tmp_path / "encoder" / "model", "tiny", "1", "d", "MIT")


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    for module in (cpu, hf):
        monkeypatch.setattr(module, "choose_inference_dtype", lambda: torch.float32)
    return tiny_decoder(tmp_path / "decoder")


def take_vectors(kit: Any, model: nn.Module) -> Tensor:
    return torch.cat(kit.compute_hidden_states(model, kit.build_text_batch(TEXTS)))


def take_scores(kit: Any, model: nn.Module) -> Tensor:
    logits: Tensor = kit.compute_head_logits(model, kit.build_text_batch(TEXTS, SEGMENTS))
    return logits


def take_completions(kit: Any, model: nn.Module) -> Tensor:
    logits, targets = kit.compute_completion_logits(model, kit.build_completion_batch(CHATS, STARTS))
    # The order of the texts in a batch is the backend's own: sorted by the target and its loss, they have one.
    losses = functional.cross_entropy(logits, targets, reduction="none").tolist()
    order = sorted(range(len(targets)), key=lambda place: (int(targets[place]), round(losses[place], 4)))
    return logits[order]


def take_answers(kit: Any, model: nn.Module) -> Tensor:
    prompts = [text[:start] for text, start in zip(CHATS, STARTS, strict=True)]
    answers = [[text[start:], [70, 71, start, 1]] for text, start in zip(CHATS, STARTS, strict=True)]
    logprobs: Tensor = kit.compute_sequence_logprobs(model, kit.build_answer_batch(prompts, answers))
    return logprobs


def compute(choice: BackendChoice, base: Base, folder: Path, outputs: Callable[..., Tensor], **kind: Any) -> Any:
    """The outputs, the loss and the gradients of a model with an imagined training, by PEFT's names."""
    kit = load_kit(choice)
    learner: Any = kit.create_learner(fit_job(base, folder), **kind)
    tensors = learner.collect_adapter_tensors()
    torch.manual_seed(3)
    for name, tensor in sorted(tensors.items()):
        if name.endswith("lora_B.weight"):
            tensor.copy_(0.1 * torch.randn(tensor.shape))
    learner.begin_step()
    found = outputs(kit, learner.model)
    loss = (found * torch.linspace(-1, 1, found.numel()).view(found.shape)).mean()
    loss.backward()
    gradients = {
        name.replace(".default", "").replace("lora_A.weight", "lora_A").replace("lora_B.weight", "lora_B"): value.grad
        for name, value in learner.model.named_parameters() if value.requires_grad
    }
    return found.detach(), loss.detach(), gradients, tensors


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        (take_vectors, {}), (take_scores, {"labels": 3, "modules_to_save": HEADS}),
        (take_completions, {"causal": True}), (take_answers, {"causal": True}),
    ],
    ids=["encoder", "encoder-with-head", "decoder", "decoder-with-answers"],
)
def test_logits_loss_and_gradients_agree(
    outputs: Callable[..., Tensor], kind: dict[str, Any], encoder: Base, decoder: Base, tmp_path: Path
) -> None:
    base = decoder if "causal" in kind else encoder
    packed, loss, gradients, tensors = compute("cpu", base, tmp_path / "cpu", outputs, **kind)
    padded, other_loss, other_gradients, other_tensors = compute("hf", base, tmp_path / "hf", outputs, **kind)
    assert (packed - padded).abs().max() <= TOLERANCE
    assert float(loss) == pytest.approx(float(other_loss), abs=TOLERANCE)
    assert tensors.keys() == other_tensors.keys()
    assert all(torch.equal(tensors[name], other_tensors[name]) for name in tensors), "both draw the same adapters"
    assert gradients.keys() == other_gradients.keys()
    for name, gradient in gradients.items():
        assert gradient.norm() > 0, f"{name} learns nothing"
        assert (gradient - other_gradients[name]).norm() <= TOLERANCE * gradient.norm() + 1e-9, name


@pytest.mark.parametrize("task_type", ["FEATURE_EXTRACTION", "CAUSAL_LM"])
def test_both_train_alike_and_write_the_same_files(
    task_type: str, encoder: Base, decoder: Base, tmp_path: Path
) -> None:
    causal = task_type == "CAUSAL_LM"

    def train(choice: BackendChoice) -> Path:
        kit: Any = load_kit(choice)
        job = fit_job(decoder if causal else encoder, tmp_path / choice, epochs=4, batch_size=2, learning_rate=1e-3)
        learner = kit.create_learner(job, causal=causal)

        def collate(places: list[int]) -> Any:
            if causal:
                return kit.build_completion_batch([CHATS[n] for n in places], [STARTS[n] for n in places])
            return kit.build_text_batch([TEXTS[n] for n in places])

        def compute_loss(model: nn.Module, batch: Any) -> Tensor:
            if causal:
                return functional.cross_entropy(*kit.compute_completion_logits(model, batch))
            means = [vectors.mean(0) for vectors in kit.compute_hidden_states(model, batch)]
            return torch.stack(means).square().mean()

        result = kit.fit(learner, range(3), collate, compute_loss, job, task_type=task_type)
        assert result.steps == 8
        assert result.facts["backend"] == choice
        assert any(f"backend {choice!r}" in note for note in job.report.notes)  # type: ignore[attr-defined]
        return job.out

    packed, plain = train("cpu"), train("hf")
    configs = [json.loads((folder / "adapter_config.json").read_text()) for folder in (packed, plain)]
    assert configs[0] == configs[1]
    tensors, others = (load_file(folder / "adapter_model.safetensors") for folder in (packed, plain))
    assert tensors.keys() == others.keys()
    assert any(tensor.abs().max() > 1e-3 for name, tensor in tensors.items() if "lora_B" in name), "something is learnt"
    for name, tensor in tensors.items():
        assert (tensor - others[name]).abs().max() <= 1e-4, name


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_both_generate_the_same_texts_with_and_without_a_grammar(temperature: float, decoder: Base) -> None:
    grammars = [None, Grammar('start: "sun" | "moon"'), None]
    texts = []
    for choice in ("cpu", "hf"):
        model = load_kit(choice).load_decoder(decoder)
        prompts = [model.tokenize_chat([Message("user", text)]) for text in ("a", "which one is larger?", "tell me")]
        texts.append(model.generate_texts(prompts, 12, grammars, temperature=temperature, seeds=[5, 6, 7]))
    assert texts[0] == texts[1]
    assert texts[0][1].text in ("sun", "moon") and texts[0][1].finished


def test_both_score_answers_alike(decoder: Base) -> None:
    prompts, choices = [[0, 40, 41], [0, 42, 43, 44, 45]], [[[50, 51, 1], [60, 1]], [[70, 1], [70, 71, 72, 1]]]
    packed, plain = (load_kit(choice).load_decoder(decoder) for choice in ("cpu", "hf"))
    for mine, theirs in zip(
        packed.compute_choice_logprobs(prompts, choices), plain.compute_choice_logprobs(prompts, choices), strict=True
    ):
        assert mine == pytest.approx(theirs, abs=1e-4)
    answers = [own[0] for own in choices]
    for mine, theirs in zip(
        packed.compute_answer_logprobs(prompts, answers), plain.compute_answer_logprobs(prompts, answers), strict=True
    ):
        assert mine == pytest.approx(theirs, abs=1e-4)


def test_a_text_is_shown_token_by_token_while_it_is_generated(decoder: Base) -> None:
    from dataclasses import replace

    shown: dict[str, list[str]] = {"cpu": [], "hf": []}
    for choice, texts in shown.items():
        model: Any = load_kit(choice).load_decoder(decoder)  # type: ignore[arg-type]
        prompt = model.tokenize_chat([Message("user", "tell me")])
        (whole,) = replace(model, on_text=texts.append).generate_texts([prompt], 6, [Grammar('start: /[a-c]{4}/')])
        assert texts[3] == whole.text and len(whole.text) == 4
        assert [len(text) for text in texts[:4]] == [1, 2, 3, 4]
    assert shown["cpu"][:4] == shown["hf"][:4]
