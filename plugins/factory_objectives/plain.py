"""The bundle as peft and transformers answer it, without anything of the factory's decoding but the guide."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from factory.api import Answer, Guide, ModelJob, PlainAnswers

SETTINGS = ("generation_config.json",)


def layout(model: Path, bundle: Path) -> None:
    """Copy what generation needs beside the adapter and the tokenizer."""
    for name in SETTINGS:
        if (model / name).is_file():
            shutil.copyfile(model / name, bundle / name)


def answers(job: ModelJob, limit: int, library: str) -> PlainAnswers:
    """Greedy answers of `generate`, one row at a time; `job.adapter` is the bundle, None the base by itself."""
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
    found = []
    for row in job.rows:
        turns = [{"role": message.role, "content": message.content} for message in job.task.messages(row)]
        inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        start = inputs["input_ids"].shape[1]
        guide = job.task.guide(row, job.tables)
        made = model.generate(
            **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.eos_token_id,
            logits_processor=[_guided(tokenizer, guide, start)] if guide else [],
        )
        found.append(Answer(row.id, tokenizer.decode(made[0, start:], skip_special_tokens=True)))
    adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
    return PlainAnswers(tuple(found), adapted, library)


def _guided(tokenizer: Any, guide: Guide, start: int) -> Callable[[Any, Any], Any]:
    """A logits processor that leaves the likeliest token that the guide allows."""
    mute = frozenset(tokenizer.all_special_ids)

    def process(ids: Any, scores: Any) -> Any:
        said = ids[0, start:].tolist()
        for token in scores[0].argsort(descending=True)[:1024].tolist():
            text = tokenizer.decode(said if token in mute else [*said, token], skip_special_tokens=True)
            if (token == tokenizer.eos_token_id or token not in mute) and guide(text, token in mute):
                break
        else:
            token = tokenizer.eos_token_id
        only = scores.new_full(scores.shape, float("-inf"))
        only[0, token] = 0.0
        return only

    return process
