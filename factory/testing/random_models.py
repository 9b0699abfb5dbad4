"""Random models of two layers that accept any text, so that objectives can be tested in seconds without network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factory.api import Base
from factory.testing.case import LABEL_WORDS, LABELS, NOISE_WORDS

HIDDEN_SIZE = 32
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_random_base(folder: Path, output_type: str) -> Base:
    """Return a tiny base for an output type, created on the first call: a decoder for text, else an encoder."""
    kind = "decoder" if output_type == "text" else "encoder"
    base_folder = folder / kind
    if not (base_folder / "config.json").is_file():
        base_folder.mkdir(parents=True, exist_ok=True)
        (_write_random_decoder if kind == "decoder" else _write_random_encoder)(base_folder)
    return Base(base_folder, f"example/{kind}", "1", "0" * 64, "CC0-1.0")


def _write_random_encoder(folder: Path) -> None:
    """Write a random BERT whose vocabulary is the kit's words, and single letters for all others."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(code) for code in range(33, 127)]
    words = [*LABELS, *NOISE_WORDS, *(word for label in LABELS for word in LABEL_WORDS[label]), *letters]
    vocabulary = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *(f"##{c}" for c in letters)])
    torch.manual_seed(0)
    BertModel(BertConfig(
        vocab_size=len(vocabulary), hidden_size=HIDDEN_SIZE, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=2 * HIDDEN_SIZE, max_position_embeddings=256,
    )).save_pretrained(folder)
    vocabulary_file = folder / "vocab.txt"
    vocabulary_file.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab=str(vocabulary_file)).save_pretrained(folder)


def _write_random_decoder(folder: Path) -> None:
    """Write a random byte-level Llama with a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|im_start|>", "<|im_end|>"]
    vocabulary = {token: n for n, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    raw: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=special[1], bos_token=special[0], chat_template=CHAT_TEMPLATE,
        additional_special_tokens=special,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=HIDDEN_SIZE, intermediate_size=2 * HIDDEN_SIZE, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, initializer_range=0.2,
    )).save_pretrained(folder)
