"""The bundle as peft and transformers answer it, without anything of the factory's decoding but the guide."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from factory.api.jobs import ModelJob
from factory.api.rows import Answer, Guide, ReferenceAnswers, Row

GENERATION_FILES = ("generation_config.json",)
GENERATION_BATCH_SIZE = 16
"""Rows that are answered at once."""
GUIDE_TOP_K = 96
"""How many of the likeliest tokens a guide is asked about, as in the factory's own decoding."""


def copy_generation_files(model: Path, bundle: Path) -> None:
    """Copy what generation needs beside the adapter and the tokenizer."""
    for name in GENERATION_FILES:
        if (model / name).is_file():
            shutil.copyfile(model / name, bundle / name)


def generate_with_transformers(job: ModelJob, limit: int, library: str) -> ReferenceAnswers:
    """Greedy answers of `generate`, a few rows at once; `job.adapter` is the bundle, None the base by itself."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(job.adapter or job.base.folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if job.adapter:
        from peft import AutoPeftModelForCausalLM

        model: Any = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    found: list[Answer] = []
    for at in range(0, len(job.rows), GENERATION_BATCH_SIZE):
        rows = job.rows[at : at + GENERATION_BATCH_SIZE]
        said = _generate_row_batch(model, tokenizer, job, rows, limit)
        found += [Answer(row.id, text) for row, text in zip(rows, said, strict=True)]
    adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
    return ReferenceAnswers(tuple(found), adapted, library)


def _generate_row_batch(model: Any, tokenizer: Any, job: ModelJob, rows: Sequence[Row], limit: int) -> list[str]:
    """What `generate` says to some rows, padded on the left."""
    turns = [[{"role": message.role, "content": message.content} for message in job.task.render_messages(row)] for row in rows]
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    start = inputs["input_ids"].shape[1]
    guides = [job.task.build_guide(row, job.tables) for row in rows]
    made = model.generate(
        **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.pad_token_id,
        logits_processor=[_build_guide_processor(tokenizer, guides, start)] if any(guides) else [],
    )
    return [str(tokenizer.decode(ids, skip_special_tokens=True)) for ids in made[:, start:]]


def _build_guide_processor(tokenizer: Any, guides: Sequence[Guide | None], start: int) -> Callable[[Any, Any], Any]:
    """A logits processor that leaves each row the likeliest token that its guide allows."""

    def process(ids: Any, scores: Any) -> Any:
        only = scores.clone()
        for row, guide in enumerate(guides):
            said = ids[row, start:].tolist()
            if guide is not None and tokenizer.eos_token_id not in said:
                only[row] = float("-inf")
                only[row, _find_allowed_token(tokenizer, guide, said, scores[row])] = 0.0
        return only

    return process


def _find_allowed_token(tokenizer: Any, guide: Guide, said: list[int], scores: Any) -> int:
    mute = frozenset(tokenizer.all_special_ids)
    for token in scores.topk(min(GUIDE_TOP_K, len(scores))).indices.tolist():
        ends = token == tokenizer.eos_token_id
        text = tokenizer.decode(said if ends else [*said, token], skip_special_tokens=True)
        if (ends or token not in mute) and guide(text, ends):
            return int(token)
    return int(tokenizer.eos_token_id)
