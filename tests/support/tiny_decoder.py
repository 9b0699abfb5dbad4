"""A decoder small enough for unit tests: two layers of a random Llama, a byte-level tokenizer, a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from factory.api import Base, FitJob, TrainResult

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|im_start|>", "<|im_end|>"]


def tiny_decoder(folder: Path, *, seed: int = 0, layers: int = 2, hidden: int = 48) -> Base:
    """Write the model to a folder; two query heads share a key head, as in the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*SPECIAL, *letters])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", bos_token="<|im_start|>", chat_template=TEMPLATE,
        additional_special_tokens=SPECIAL,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return Base(folder, "tiny/decoder", "0", "tiny", "CC0-1.0")


def fit_texts(kit: Any, learner: Any, texts: list[list[int]], unseen: list[list[int]], job: FitJob) -> TrainResult:
    """Teach a learner to go on from the first two tokens of texts, and measure it on others."""

    def collate(rows: list[list[int]]) -> Any:
        return kit.build_completion_batch(rows, [2 for _ in rows])

    def compute_loss(model: Any, batch: Any) -> torch.Tensor:
        return functional.cross_entropy(*kit.compute_completion_logits(model, batch))

    result: TrainResult = kit.fit(learner, texts, collate, compute_loss, job, task_type="CAUSAL_LM", validation=unseen)
    return result
