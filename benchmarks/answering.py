"""Answering prompts: naive loops over `generate` and forward passes against the factory's decoder.

Same base, one thread and fp32 on both sides, so that greedy answers must be identical.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import torch
from one_run import build_training_job
from transformers import AutoModelForCausalLM, AutoTokenizer

from factory.api import Message, Row, Task
from factory.ml.cpu import packed_attention
from factory.ml.cpu.decoder import PackedDecoder

MAX_NEW_TOKENS = 32
LABELS = ("question about a person", "question about a place", "question about a time", "question about a number",
          "question about a reason", "question about a thing")


def build_few_shot_prompts(task: Task, shots: Sequence[Row], rows: Sequence[Row]) -> list[list[Message]]:
    """Return few-shot chats: the task's system message, the shots as turns, then the row."""
    prompts = []
    for row in rows:
        system, *question = task.render_messages(row)
        turns = [
            turn for shot in shots
            for turn in (*task.render_messages(shot)[1:], Message("assistant", task.render_target(shot)))
        ]
        prompts.append([system, *turns, *question])
    return prompts


def measure_cpu_time(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call, and its result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def generate_naively(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]]) -> list[str]:
    """Generate one prompt at a time, as most scripts do."""
    texts = []
    for ids in prompts:
        tokens = torch.tensor([list(ids)])
        output = model.generate(
            tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=MAX_NEW_TOKENS,
            pad_token_id=tokenizer.eos_token_id,
        )
        texts.append(tokenizer.decode(output[0, len(ids) :], skip_special_tokens=True))
    return texts


@torch.inference_mode()
def choose_naively(model: Any, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]]) -> list[int]:
    """Return the index of the most likely choice per prompt; each choice is scored with its whole prompt."""
    chosen = []
    for prompt in prompts:
        sums = []
        for choice in choices:
            logprobs = model(torch.tensor([[*prompt, *choice]])).logits[0].log_softmax(-1)
            sums.append(sum(float(logprobs[len(prompt) - 1 + i, token]) for i, token in enumerate(choice)))
        chosen.append(max(range(len(choices)), key=sums.__getitem__))
    return chosen


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/query-rewriter.yaml"))
@click.option("--rows", default=48, help="prompts")
@click.option("--shots", default=4, help="shots in each prompt")
def main(spec: Path, rows: int, shots: int) -> None:
    """Print the ratio of CPU seconds, naive over factory, for free text and for one of a few labels."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        job = build_training_job(spec, Path(folder))
        task, train, test = job.load_task(), job.open_input_rows("curate", "train.jsonl"), job.open_input_rows(
            "freeze", "validation.jsonl"
        )
        base = job.load_base().folder
    tokenizer = AutoTokenizer.from_pretrained(base)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    decoder = PackedDecoder(packed_attention.load_causal_model(base, torch.float32), tokenizer)
    prompts = [decoder.tokenize_chat(chat) for chat in build_few_shot_prompts(task, train[:shots], test[:rows])]
    slow, texts = measure_cpu_time(lambda: generate_naively(plain, tokenizer, prompts))
    fast, ours = measure_cpu_time(lambda: decoder.generate_texts(prompts, MAX_NEW_TOKENS))
    print_speedup("text", slow, fast, sum(a == b.text for a, b in zip(texts, ours, strict=True)), len(texts))
    choices = [decoder.tokenize_answer(label) for label in LABELS]
    slower, picked = measure_cpu_time(lambda: choose_naively(plain, prompts, choices))
    faster, weights = measure_cpu_time(lambda: decoder.compute_choice_logprobs(prompts, [choices] * len(prompts)))
    same = sum(a == max(range(len(b)), key=b.__getitem__) for a, b in zip(picked, weights, strict=True))
    print_speedup("labels", slower, faster, same, len(picked))
    click.echo(f"together: {(slow + slower) / (fast + faster):.1f}×")


def print_speedup(what: str, slow: float, fast: float, same: int, count: int) -> None:
    """Print one ratio and the number of identical answers."""
    click.echo(f"{what}: {slow:.1f} s against {fast:.1f} s, {slow / fast:.1f}×; {same} of {count} answers identical")


if __name__ == "__main__":
    main()
