"""Our adapters against PEFT's: the same outputs, the same gradients, the same files."""

import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tiny_decoder import tiny_decoder
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BertConfig, BertForSequenceClassification, BertModel

from factory.api import Adapter, Base, FitJob, NoOpReporter, TrainingArgs
from factory.ml.adapter_files import save_adapter
from factory.ml.adapter_merge import merge_adapter
from factory.ml.checkpoints import collect_trainable_parameters
from factory.ml.cpu.lora import LoraLearner, LoraLinear, attach_lora
from factory.ml.cpu.packing import keep_first_tokens_only
from factory.ml.encoder import chunk_by_length, iterate_chunks, pad_token_ids
from factory.ml.kit import load_kit

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}
ADAPTER = Adapter(rank=4, alpha=8)
TOKENS, MASK = pad_token_ids([[2, 7, 9, 3], [2, 5, 3], [2, 8, 11, 12, 30, 3]])


def tiny() -> BertModel:
    torch.manual_seed(0)
    return BertModel(BertConfig(**SIZES), add_pooling_layer=False)


def ours(model: nn.Module) -> dict[str, LoraLinear]:
    """The model with our adapters, B drawn too so that the update is not nothing."""
    layers = attach_lora(model, ADAPTER, torch.float32)
    for layer in layers.values():
        nn.init.normal_(layer.lora_B, std=0.1)
        layer.stack.refresh()
    return layers


def saved(model: nn.Module, layers: dict[str, LoraLinear], folder: Path, task_type: str = "FEATURE_EXTRACTION") -> Path:
    save_adapter(
        LoraLearner(model, layers, None), ADAPTER, folder, base="org/tiny", modules_to_save=(), task_type=task_type
    )
    return folder


def hidden(model: nn.Module) -> Tensor:
    return model(input_ids=TOKENS, attention_mask=MASK).last_hidden_state * MASK.unsqueeze(-1)


def test_outputs_and_gradients_equal_pefts_to_a_hundred_thousandth(tmp_path: Path) -> None:
    model = tiny()
    layers = ours(model)
    theirs = PeftModel.from_pretrained(tiny(), str(saved(model, layers, tmp_path)), is_trainable=True)
    mine, other = hidden(model), hidden(theirs)
    assert torch.allclose(mine, other, atol=1e-5)
    aim = torch.randn(mine.shape)
    (mine * aim).sum().backward()
    (other * aim).sum().backward()
    found = {name: p.grad for name, p in theirs.named_parameters() if p.requires_grad}
    assert len(found) == 2 * len(layers) == 24
    for name, layer in layers.items():
        for side in ("A", "B"):
            wanted = found[f"base_model.model.{name}.lora_{side}.default.weight"]
            gap = (getattr(layer, f"lora_{side}").grad - wanted).norm() / wanted.norm()
            assert gap <= 1e-5, (name, side, float(gap))


def test_a_base_that_is_loaded_with_its_pooler_carries_no_more_adapters(tmp_path: Path) -> None:
    model = tiny()
    folder = saved(model, ours(model), tmp_path)
    whole = PeftModel.from_pretrained(BertModel(BertConfig(**SIZES)), str(folder))
    assert [name for name, module in whole.named_modules() if hasattr(module, "lora_A") and "pooler" in name] == []
    assert sum(hasattr(module, "lora_A") for module in whole.modules()) == 12


def test_query_key_and_value_are_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = ours(tiny())
    stacks = {id(layer.stack) for layer in layers.values()}
    assert len(layers) == 12
    assert len(stacks) == 8


def test_a_merged_adapter_answers_as_the_trained_model(tmp_path: Path) -> None:
    model = tiny()
    layers = ours(model)
    plain = tiny()
    assert merge_adapter(plain, saved(model, layers, tmp_path)) == 12
    assert torch.allclose(hidden(plain), hidden(model), atol=1e-5)


def test_an_adapter_of_another_base_is_refused_not_ignored(tmp_path: Path) -> None:
    model = tiny()
    saved(model, ours(model), tmp_path)
    small = BertModel(BertConfig(**{**SIZES, "num_hidden_layers": 1}), add_pooling_layer=False)
    with pytest.raises(ValueError, match=r"encoder\.layer\.1"):
        merge_adapter(small, tmp_path)


def classifiers() -> Iterator[BertForSequenceClassification]:
    for _ in range(2):
        torch.manual_seed(1)
        yield BertForSequenceClassification(BertConfig(**SIZES, num_labels=1))


def test_reading_the_first_token_alone_changes_no_score_and_no_gradient() -> None:
    whole, spared = classifiers()
    keep_first_tokens_only(spared)
    for model in (whole, spared):
        model(input_ids=TOKENS, attention_mask=MASK).logits.sum().backward()
    assert torch.allclose(whole(input_ids=TOKENS).logits, spared(input_ids=TOKENS).logits, atol=1e-6)
    pairs = zip(whole.parameters(), spared.parameters(), strict=True)
    assert all(torch.allclose(a.grad, b.grad, atol=1e-5) for a, b in pairs if a.grad is not None)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_base_of_bf16_is_held_in_bf16_and_taught_to_the_last_bit_as_in_fp32(precision: str, tmp_path: Path) -> None:
    def teach(folder: Path, held: torch.dtype) -> list[Tensor]:
        job = FitJob(
            seed=7, report=NoOpReporter(), root=tmp_path, rows=[], validation=[], task=None, adapter=ADAPTER,  # type: ignore[arg-type]
            base=Base(folder, "tiny", "0", "d", "MIT"), train=TrainingArgs(precision=precision),  # type: ignore[arg-type]
            out=tmp_path, work=tmp_path,
        )
        learner = load_kit().create_learner(job, causal=True)
        torch.manual_seed(2)
        for layer in learner.lora_layers.values():
            assert layer.weight.dtype == held
            nn.init.normal_(layer.lora_B, std=0.1)
            layer.stack.refresh()
        batch = load_kit().build_completion_batch([[0, 40, 41, 50, 51, 1], [0, 40, 42, 60, 1]], [3, 3])
        logits, tokens = load_kit().compute_completion_logits(learner.model, batch)
        nn.functional.cross_entropy(logits, tokens).backward()
        return [logits, *(value.grad for value in collect_trainable_parameters(learner.model).values())]  # type: ignore[list-item]

    narrow = AutoModelForCausalLM.from_pretrained(tiny_decoder(tmp_path / "drawn").folder, dtype=torch.bfloat16)
    for name, model in (("narrow", narrow), ("wide", deepcopy(narrow).float())):
        shutil.copytree(tmp_path / "drawn", tmp_path / name)
        model.save_pretrained(tmp_path / name)
    small, large = teach(tmp_path / "narrow", torch.bfloat16), teach(tmp_path / "wide", torch.float32)
    assert len(small) == 1 + 2 * 14
    assert all(torch.equal(one, other) for one, other in zip(small, large, strict=True))


def test_dropout_is_pefts_and_off_in_evaluation() -> None:
    model = tiny()
    layers = attach_lora(model, Adapter(rank=4, alpha=8, dropout=0.5), torch.float32)
    for layer in layers.values():
        nn.init.normal_(layer.lora_B, std=0.1)
        layer.stack.refresh()
    assert torch.equal(hidden(model.eval()), hidden(model))
    assert not torch.equal(hidden(model.train()), hidden(model))


def test_the_longest_texts_come_first_so_that_freed_memory_fits_those_that_follow() -> None:
    lengths = [7, 30, 12, 5, 41, 12, 18]
    cut = [[lengths[index] for index in chunk] for chunk in iterate_chunks(lengths, 40, None, "texts", max_rows=2)]
    assert cut == [[41], [30], [12, 18], [12], [5, 7]]


def test_chunks_hold_texts_of_like_length_and_every_text_once() -> None:
    lengths = [5, 40, 6, 38, 7, 5]
    cut = list(chunk_by_length(lengths, 80))
    assert sorted(index for chunk in cut for index in chunk) == [0, 1, 2, 3, 4, 5]
    assert all(max(lengths[i] for i in chunk) * len(chunk) <= 80 for chunk in cut)
    assert cut[-1] == [3, 1]


def test_the_peft_library_sees_a_plain_lora_config(tmp_path: Path) -> None:
    model = tiny()
    config = LoraConfig.from_pretrained(str(saved(model, ours(model), tmp_path)))
    assert (config.r, config.lora_alpha, config.base_model_name_or_path) == (4, 8, "org/tiny")
    assert len(get_peft_model(tiny(), config).targeted_module_names) == 12
