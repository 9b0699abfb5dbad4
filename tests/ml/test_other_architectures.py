"""Models that the packed kernels do not know train and answer by the public libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_decoder import tiny_decoder
from tiny_parts import WORDS, Voice
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from factory.api import Adapter, Artifact, Base, FitJob, Grammar, TrainingArgs
from factory.ml.cpu.backend import PackedBackend
from factory.ml.hf import backend as hf
from factory.ml.hf.backend import TransformersBackend
from factory.ml.kit import choose_backend, load_kit

CHATS, STARTS = [[0, 40, 41, 50, 51, 1], [0, 40, 42, 60, 1]], [3, 3]
PAIRS = [([2, 7, 9, 3], [0, 0, 0, 0]), ([2, 5, 3], [0, 0, 0])]


def save_decoder(folder: Path, build: Any) -> Base:
    """A random model of another architecture, with the tokenizer of the tiny decoder."""
    base = tiny_decoder(folder)
    torch.manual_seed(1)
    model: PreTrainedModel = build(len(AutoTokenizer.from_pretrained(folder)))
    (folder / "config.json").unlink()
    (folder / "generation_config.json").unlink()
    model.save_pretrained(folder)
    return base


def build_gpt2(vocabulary: int) -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(
        vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=2, n_positions=256, bos_token_id=0, eos_token_id=1,
        initializer_range=0.2,
    ))


def build_windowed_mistral(vocabulary: int) -> PreTrainedModel:
    """A known architecture whose attention is not plain: tokens see three others."""
    return MistralForCausalLM(MistralConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=3, bos_token_id=0, eos_token_id=1, initializer_range=0.2,
    ))


decoders = pytest.mark.parametrize("build", [build_gpt2, build_windowed_mistral])


def save_encoder(folder: Path, name: str) -> Base:
    sizes = {"vocab_size": 5 + len(WORDS), "max_position_embeddings": 40}
    torch.manual_seed(1)
    if name == "distilbert":
        config = DistilBertConfig(**sizes, dim=32, n_layers=2, n_heads=2, hidden_dim=64)
        model: PreTrainedModel = DistilBertModel(config)
    else:
        model = RobertaModel(RobertaConfig(
            **sizes, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, pad_token_id=0,
        ))
    model.save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    return Base(folder, f"tiny/{name}", "1", name, "MIT")


def fit_job(base: Base, folder: Path) -> FitJob:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True)
    return FitJob(
        seed=7, report=Voice(), root=folder, rows=[], validation=[], base=base, task=None,  # type: ignore[arg-type]
        adapter=Adapter(rank=4, alpha=8), out=folder / "out", work=folder / "work",
        train=TrainingArgs(precision="fp32", epochs=20, batch_size=2, learning_rate=1e-2),
    )


@decoders
def test_auto_takes_the_libraries_and_cpu_is_refused_in_one_line(build: Any, tmp_path: Path) -> None:
    base = save_decoder(tmp_path / "base", build)
    architecture = AutoConfig.from_pretrained(base.folder).model_type
    assert isinstance(choose_backend("auto", base.folder, causal=True), TransformersBackend)
    with pytest.raises(ValueError, match=rf"train\.backend is cpu, but .*{architecture}.*; use auto or hf"):
        load_kit("cpu").load_decoder(base)


def test_auto_takes_the_packed_kernels_on_a_cpu_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_decoder(tmp_path)
    for device, backend in (("cpu", PackedBackend), ("cuda", TransformersBackend)):
        monkeypatch.setattr("factory.ml.kit.choose_device", lambda kind=device: torch.device(kind))
        assert isinstance(choose_backend("auto", base.folder, causal=True), backend)
    assert isinstance(choose_backend("hf", base.folder, causal=True), TransformersBackend)


@decoders
def test_a_decoder_learns_its_answers_and_is_judged_as_it_is_bundled(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hf, "choose_inference_dtype", lambda: torch.float32)
    base = save_decoder(tmp_path / "base", build)
    kit, job = load_kit(), fit_job(base, tmp_path)
    learner = kit.create_learner(job, causal=True)
    losses: list[float] = []

    def collate(places: list[int]) -> Any:
        return kit.build_completion_batch([CHATS[n] for n in places], [STARTS[n] for n in places])

    def compute_loss(model: nn.Module, batch: Any) -> Tensor:
        loss = functional.cross_entropy(*kit.compute_completion_logits(model, batch))
        losses.append(float(loss.detach()))
        return loss

    kit.fit(learner, range(2), collate, compute_loss, job, task_type="CAUSAL_LM")
    assert losses[-1] < 0.5 * losses[0]
    judged = kit.load_decoder(base, Artifact("adapter", job.out, base))
    from peft import PeftModel

    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.folder), str(job.out)).eval()
    for ids, logits in zip(CHATS, judged.compute_token_logits(CHATS), strict=True):
        assert (logits - plain(input_ids=torch.tensor([ids])).logits[0]).abs().max() <= 1e-4
    untuned = kit.load_decoder(base).compute_token_logits(CHATS[:1])[0]
    assert (judged.compute_token_logits(CHATS[:1])[0] - untuned).abs().max() > 0.1


@decoders
def test_prompts_of_several_lengths_are_answered_as_one_at_a_time(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hf, "choose_inference_dtype", lambda: torch.float32)
    model = load_kit().load_decoder(save_decoder(tmp_path / "base", build))
    prompts = [[0, 40, 41], [0, 42, 43, 44, 45, 46, 47], [0, 48]]
    together = model.generate_texts(prompts, 8)
    assert together == [model.generate_texts([prompt], 8)[0] for prompt in prompts]
    (held,) = model.generate_texts(prompts[:1], 8, [Grammar('start: "sun" | "moon"')])
    assert held.finished and held.text in ("sun", "moon")


def test_a_new_layer_that_would_not_be_saved_is_refused(tmp_path: Path) -> None:
    job = fit_job(save_encoder(tmp_path / "base", "distilbert"), tmp_path)
    with pytest.raises(ValueError, match=r"a distilbert has a new layer, 'pre_classifier', .* saves classifier"):
        load_kit().create_learner(job, labels=2, modules_to_save=("classifier",))


@pytest.mark.parametrize("name", ["distilbert", "roberta"])
def test_an_encoder_with_a_head_learns_and_is_judged_as_it_is_bundled(name: str, tmp_path: Path) -> None:
    base = save_encoder(tmp_path / "base", name)
    kit, job = load_kit(), fit_job(base, tmp_path)
    heads = ("classifier", "pre_classifier")
    learner = kit.create_learner(job, labels=2, modules_to_save=heads)

    def compute_loss(model: nn.Module, batch: Any) -> Tensor:
        return functional.cross_entropy(kit.compute_head_logits(model, batch), torch.tensor([0, 1]))

    kit.fit(
        learner, PAIRS, lambda pairs: kit.build_text_batch([ids for ids, _ in PAIRS]), compute_loss, job,
        modules_to_save=heads, task_type="SEQ_CLS",
    )
    logits = kit.load_encoder(base, Artifact("adapter", job.out, base), labels=2).compute_pair_logits(PAIRS)
    assert logits.argmax(-1).tolist() == [0, 1]
    from peft import PeftModel

    plain = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=2)
    loaded = PeftModel.from_pretrained(plain, str(job.out)).eval()
    for (ids, _), mine in zip(PAIRS, logits, strict=True):
        assert (mine - loaded(input_ids=torch.tensor([ids])).logits[0]).abs().max() <= 1e-4
