"""Reference answers of a bundle by peft and transformers alone; only the decoding constraint is ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from factory.api.grammar import Grammar, GrammarState, start_grammars
from factory.api.jobs import ModelJob
from factory.api.rows import Answer, ReferenceAnswers, Row

GENERATION_FILES = ("generation_config.json",)
GENERATION_BATCH_SIZE = 16
"""Rows per call of `generate`."""


def copy_generation_files(model: Path, bundle: Path) -> None:
    """Copy the files that generation needs besides the artifact and the tokenizer."""
    for name in GENERATION_FILES:
        if (model / name).is_file() and not (bundle / name).exists():
            shutil.copyfile(model / name, bundle / name)


def generate_with_transformers(job: ModelJob, limit: int, library: str) -> ReferenceAnswers:
    """Answer greedily with `model.generate`, in batches; without an artifact, by the untuned base."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str((job.artifact or job.base).folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if job.artifact is not None and job.artifact.kind == "adapter":
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
    grammars = [job.task.build_grammar(row, job.tables) for row in rows]
    ends = model.generation_config.eos_token_id
    end_ids = frozenset({tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None})
    generated = model.generate(
        **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.pad_token_id,
        logits_processor=[_build_grammar_processor(tokenizer, grammars, start, end_ids)] if any(grammars) else [],
    )
    return [str(tokenizer.decode(ids, skip_special_tokens=True)) for ids in generated[:, start:]]


def _build_grammar_processor(
    tokenizer: Any, grammars: Sequence[Grammar | None], start: int, end_ids: frozenset[int]
) -> Callable[[Any, Any], Any]:
    """Return a logits processor of `generate` that keeps each row in the language of its grammar."""
    states: list[GrammarState | None] = []

    def process(ids: Any, scores: Any) -> Any:
        masked = scores.clone()
        if ids.shape[1] == start:
            states[:] = start_grammars(grammars, tokenizer, end_ids, scores.shape[-1])
        for row, state in enumerate(states):
            if state is None:
                continue
            last = int(ids[row, -1]) if ids.shape[1] > start else None
            if last in end_ids:
                states[row] = None  # what follows is padding
                continue
            if last is not None:
                state.consume_token(last)
            masked[row] = state.mask_logits(scores[row])
        return masked

    return process
