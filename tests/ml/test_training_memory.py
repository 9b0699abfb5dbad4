"""What a training takes: counted by hand for a small model, and published sizes for large ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from factory.models.training_memory import (
    LIBRARIES,
    LOGIT_COPIES,
    OVERHEAD,
    ModelShape,
    TrainingSize,
    estimate_training_memory,
    read_model_shape,
)

SMALL = ModelShape(
    layers=2, width=8, intermediate=16, vocabulary=100, heads=2, key_value_heads=1, head_size=4, gated=True, tied=True
)
LLAMA_CONFIG = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "vocab_size": 49152, "hidden_act": "silu", "tie_word_embeddings": True,
}


def test_the_parameters_of_a_block_are_those_of_its_linear_layers() -> None:
    # query and output 8 by 8, key and value 8 by 4, gate, up and down 8 by 16
    assert SMALL.linear_parameters == 2 * (2 * 64 + 2 * 32 + 3 * 128)
    assert SMALL.parameters == SMALL.linear_parameters + 800
    assert replace(SMALL, tied=False).parameters == SMALL.linear_parameters + 1600
    # rank times (in + out) of each: 16, 12, 12, 16, and 24 three times
    assert SMALL.count_adapter_parameters(3) == 2 * 3 * (16 + 12 + 12 + 16 + 3 * 24)


@pytest.mark.parametrize(("shape", "billions"), [
    (ModelShape(30, 576, 1536, 49152, 9, 3, 64), 0.1345),
    (ModelShape(24, 896, 4864, 151936, 14, 2, 64), 0.494),
    (ModelShape(28, 3584, 18944, 152064, 28, 4, 128, tied=False), 7.615),
    (ModelShape(80, 8192, 29568, 152064, 64, 8, 128, tied=False), 72.7),
], ids=["smollm2-135m", "qwen2.5-0.5b", "qwen2.5-7b", "qwen2.5-72b"])
def test_models_have_the_published_number_of_parameters(shape: ModelShape, billions: float) -> None:
    assert shape.parameters / 1e9 == pytest.approx(billions, rel=0.003)


def test_each_method_takes_what_it_keeps() -> None:
    size = TrainingSize("lora", tokens=10, answer_tokens=4, rank=3, number_bytes=2, kept_bytes=2)
    lora, full, head, qlora = (estimate_training_memory(SMALL, replace(size, method=method)) for method in (
        "lora", "full", "head", "qlora"
    ))
    assert lora.weights == SMALL.linear_parameters * 4 + 800 * 2
    assert lora.trained == SMALL.count_adapter_parameters(3) * 16
    assert lora.activations == pytest.approx(OVERHEAD * 2 * 10 * 2 * (8 * 8 + 4 * 4 + 4 * 16))
    assert lora.logits == LOGIT_COPIES * 4 * 100 * 4
    assert lora.total == LIBRARIES + lora.weights + lora.trained + lora.activations + lora.logits
    assert (full.weights, full.trained) == (0, SMALL.parameters * 16)
    assert (head.trained, head.activations) == (0, lora.activations / 2)
    assert qlora.weights == pytest.approx(SMALL.linear_parameters * (0.5159 + 2) + 800 * 2)


def test_plain_layers_keep_the_steps_of_norms_and_the_inputs_of_adapters() -> None:
    size = TrainingSize("lora", tokens=10, number_bytes=2, plain=True)
    plain, packed = (estimate_training_memory(SMALL, replace(size, plain=plain)).activations for plain in (True, False))
    # inputs of the seven linear layers of a block: six of 8 numbers, one of 16
    assert plain - packed == pytest.approx(2 * 10 * 4 * (OVERHEAD * 4 * 8 + 6 * 8 + 16))


def test_recomputed_blocks_keep_their_inputs_alone() -> None:
    size = TrainingSize("lora", tokens=10, number_bytes=2, checkpointing=True)
    kept = estimate_training_memory(SMALL, size).activations
    one_block = estimate_training_memory(SMALL, replace(size, checkpointing=False)).activations / 2
    assert kept == pytest.approx(one_block + 2 * 8 * 2 * 10)


def test_the_shape_is_read_from_a_configuration_or_not_at_all(tmp_path: Path) -> None:
    assert read_model_shape(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_CONFIG))
    assert read_model_shape(tmp_path) == ModelShape(30, 576, 1536, 49152, 9, 3, 64)
    bert = {**LLAMA_CONFIG, "hidden_act": "gelu", "model_type": "bert", "num_key_value_heads": None}
    (tmp_path / "config.json").write_text(json.dumps(bert))
    assert read_model_shape(tmp_path) == ModelShape(30, 576, 1536, 49152, 9, 9, 64, gated=False)
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": "large"}))
    assert read_model_shape(tmp_path) is None
