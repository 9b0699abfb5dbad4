"""Reference answers of a bundle by peft and transformers alone; only the decoding constraint (guide) is ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from factory.api.jobs import ModelJob
from factory.api.rows import Answer, Guide, ReferenceAnswers, Row

GENERATION_FILES = ("generation_config.json",)
GENERATION_BATCH_SIZE = 16
"""Rows per call of `generate`."""
GUIDE_TOP_K = 96
"""Number of most likely tokens that are checked against a guide, as in the factory's own decoding."""


def copy_generation_files(model: Path, bundle: Path) -> None:
    """Copy the files that generation needs besides the adapter and the tokenizer."""
    for name in GENERATION_FILES:
        if (model / name).is_file():
            shutil.copyfile(model / name, bundle / name)


def generate_with_transformers(job: ModelJob, limit: int, library: str) -> ReferenceAnswers:
    """Answer greedily with `model.generate`, in batches; `job.adapter` is the bundle, None means the untuned base."""
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
    answers: list[Answer] = []
    for start in range(0, len(job.rows), GENERATION_BATCH_SIZE):
        rows = job.rows[start : start + GENERATION_BATCH_SIZE]
        texts = _generate_row_batch(model, tokenizer, job, rows, limit)
        answers += [Answer(row.id, text) for row, text in zip(rows, texts, strict=True)]
    adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
    return ReferenceAnswers(tuple(answers), adapted, library)


def _generate_row_batch(model: Any, tokenizer: Any, job: ModelJob, rows: Sequence[Row], limit: int) -> list[str]:
    """Generate answers for a batch of rows, padded on the left."""
    turns = [
        [{"role": message.role, "content": message.content} for message in job.task.render_messages(row)]
        for row in rows
    ]
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    start = inputs["input_ids"].shape[1]
    guides = [job.task.build_guide(row, job.tables) for row in rows]
    generated = model.generate(
        **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.pad_token_id,
        logits_processor=[_build_guide_processor(tokenizer, guides, start)] if any(guides) else [],
    )
    return [str(tokenizer.decode(ids, skip_special_tokens=True)) for ids in generated[:, start:]]


def _build_guide_processor(tokenizer: Any, guides: Sequence[Guide | None], start: int) -> Callable[[Any, Any], Any]:
    """Return a logits processor that allows each row only its most likely token that the guide accepts."""

    def process(ids: Any, scores: Any) -> Any:
        masked = scores.clone()
        for row, guide in enumerate(guides):
            generated = ids[row, start:].tolist()
            # A row that has ended is padded with end-of-turn tokens and needs no guide any more.
            if guide is not None and tokenizer.eos_token_id not in generated:
                masked[row] = float("-inf")
                masked[row, _find_allowed_token(tokenizer, guide, generated, scores[row])] = 0.0
        return masked

    return process


def _find_allowed_token(tokenizer: Any, guide: Guide, generated: list[int], scores: Any) -> int:
    """Return the most likely token that the guide accepts, or end-of-turn if none of the top tokens is accepted."""
    special = frozenset(tokenizer.all_special_ids)
    for token in scores.topk(min(GUIDE_TOP_K, len(scores))).indices.tolist():
        ends = token == tokenizer.eos_token_id
        text = tokenizer.decode(generated if ends else [*generated, token], skip_special_tokens=True)
        if (ends or token not in special) and guide(text, ends):
            return int(token)
    return int(tokenizer.eos_token_id)
