"""An adapter answers when it is judged as PEFT, which loads the bundle, lets it answer: in every variant of LoRA."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_decoder import tiny_decoder
from tiny_parts import base
from torch import Tensor
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

from factory.api import Artifact, Base
from factory.ml.adapter_merge import merge_adapter
from factory.ml.cpu import backend
from factory.ml.kit import load_kit

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"query|q_proj": 2}, "alpha_pattern": {"value|v_proj": 40}},
    "rslora-patterns": {"use_rslora": True, "rank_pattern": {"query|q_proj": 16}, "alpha_pattern": {"value|v_proj": 5}},
    "some-layers": {"layers_to_transform": [1]},
    "bias": {"bias": "lora_only"},
}
ENCODER_LAYERS, DECODER_LAYERS = ["query", "value", "intermediate.dense"], ["q_proj", "v_proj", "down_proj"]
IDS = [[2, 7, 9, 3], [2, 5, 3], [2, 8, 11, 12, 6, 3]]
variants = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def encoder_base(tmp_path: Path) -> Base:
    base(tmp_path / "encoder")
    return Base(tmp_path / "encoder" / "model", "tiny", "1", "d", "MIT")


@pytest.fixture
def decoder_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    monkeypatch.setattr(backend, "choose_inference_dtype", lambda: torch.float32)
    return tiny_decoder(tmp_path / "decoder")


def trained(model: Any, folder: Path, **settings: Any) -> Path:
    """Save an adapter with PEFT, every weight of it changed by an imagined training."""
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, **settings))
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    tuned.save_pretrained(folder)
    return folder


@torch.no_grad()
def compute_with_peft(model: Any, adapter: Path, output: str, ids: list[list[int]] = IDS) -> list[Tensor]:
    tuned: Any = PeftModel.from_pretrained(model, str(adapter))
    return [getattr(tuned(input_ids=torch.tensor([text])), output)[0] for text in ids]


def find_gap(mine: Any, theirs: Any) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(mine, theirs, strict=True))


@variants
def test_an_encoder_with_an_adapter_answers_as_in_peft(variant: str, encoder_base: Base, tmp_path: Path) -> None:
    def load() -> Any:
        return AutoModel.from_pretrained(encoder_base.folder)

    adapter = trained(
        load(), tmp_path / "adapter", task_type="FEATURE_EXTRACTION", target_modules=ENCODER_LAYERS, **VARIANTS[variant]
    )
    artifact = Artifact("adapter", adapter, encoder_base)
    mine = load_kit().load_encoder(encoder_base, artifact).compute_token_vectors(IDS)
    theirs = compute_with_peft(load(), adapter, "last_hidden_state")
    assert find_gap(mine, theirs) <= 1e-5
    assert find_gap(load_kit().load_encoder(encoder_base).compute_token_vectors(IDS), theirs) > 0.01


@variants
def test_a_classifier_keeps_the_head_that_was_saved_with_it(variant: str, encoder_base: Base, tmp_path: Path) -> None:
    def load() -> Any:
        return AutoModelForSequenceClassification.from_pretrained(encoder_base.folder, num_labels=3)

    adapter = trained(
        load(), tmp_path / "adapter", task_type="SEQ_CLS", target_modules=ENCODER_LAYERS,
        modules_to_save=["classifier", "pooler"], **VARIANTS[variant],
    )
    encoder = load_kit().load_encoder(encoder_base, Artifact("adapter", adapter, encoder_base), labels=3)
    mine = encoder.compute_pair_logits([(text, [0] * len(text)) for text in IDS])
    assert find_gap(mine, compute_with_peft(load(), adapter, "logits")) <= 1e-5


@variants
def test_a_decoder_weighs_answers_as_in_peft(variant: str, decoder_base: Base, tmp_path: Path) -> None:
    def load() -> Any:
        return AutoModelForCausalLM.from_pretrained(decoder_base.folder, dtype=torch.float32)

    adapter = trained(
        load(), tmp_path / "adapter", task_type="CAUSAL_LM", target_modules=DECODER_LAYERS, **VARIANTS[variant]
    )
    prompt, choices = [0, 40, 41, 42], [[50, 51, 1], [60, 1]]
    judged = load_kit().load_decoder(decoder_base, Artifact("adapter", adapter, decoder_base))
    mine = judged.compute_token_logits([prompt + choice for choice in choices])
    theirs = compute_with_peft(load(), adapter, "logits", [prompt + choice for choice in choices])
    assert find_gap(mine, theirs) <= 1e-5
    first, second = judged.compute_choice_logprobs([prompt], [choices])[0]
    wanted = [
        sum(float(logits[len(prompt) - 1 + step].log_softmax(-1)[token]) for step, token in enumerate(choice))
        for logits, choice in zip(theirs, choices, strict=True)
    ]
    assert first - second == pytest.approx(wanted[0] - wanted[1], abs=1e-3)


def test_a_merge_changes_the_adapted_layers_alone_and_draws_no_random_numbers(
    encoder_base: Base, tmp_path: Path
) -> None:
    model = AutoModel.from_pretrained(encoder_base.folder)
    adapter = trained(
        AutoModel.from_pretrained(encoder_base.folder), tmp_path / "adapter", target_modules=ENCODER_LAYERS
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    assert merge_adapter(model, adapter) == 6
    after, draw = model.state_dict(), torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(draw, torch.rand(3))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert list(after) == list(before)
    assert len(changed) == 6
    assert all(name.endswith(("query.weight", "value.weight", "intermediate.dense.weight")) for name in changed)


def test_an_adapter_that_peft_would_load_in_part_is_refused(encoder_base: Base, tmp_path: Path) -> None:
    def load() -> Any:
        return AutoModelForSequenceClassification.from_pretrained(encoder_base.folder, num_labels=3)

    adapter = trained(load(), tmp_path / "adapter", task_type="SEQ_CLS", target_modules=ENCODER_LAYERS)
    file = adapter / "adapter_model.safetensors"
    whole = load_file(file)
    down = next(name for name in whole if name.endswith("0.attention.self.query.lora_A.weight"))
    head = next(name for name in whole if name.endswith("classifier.weight"))
    for broken, complaint in [
        ({**whole, "base_model.model.other.lora_A.weight": torch.zeros(4, 32)}, r"has weights for 'other\.lora_A"),
        ({name.replace("query", "asker"): value for name, value in whole.items()}, "asker"),
        ({name: value for name, value in whole.items() if name != down}, r"no weights for .*0\.attention\.self\.query"),
        ({name: value for name, value in whole.items() if name != head}, r"no weights for 'classifier\.weight'"),
        ({**whole, head: torch.zeros(2, 32)}, r"(?s)does not fit this base.*classifier"),
    ]:
        save_file(broken, file)
        with pytest.raises(ValueError, match=complaint):
            merge_adapter(load(), adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["asker"]}))
    with pytest.raises(ValueError, match="does not fit this base: No modules were targeted"):
        merge_adapter(load(), adapter)
