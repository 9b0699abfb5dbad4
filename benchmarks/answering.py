"""Answering prompts: loops over `generate` and forward passes, one by one and in padded batches, against the factory's
decoder.

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
from entry import run_main
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


def generate_in_batches(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], size: int) -> list[str]:
    """Generate for `size` prompts of like length at a time, padded on the left, as careful scripts do."""
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    texts = [""] * len(prompts)
    for first in range(0, len(order), size):
        chunk = order[first : first + size]
        longest = max(len(prompts[index]) for index in chunk)
        padding = [longest - len(prompts[index]) for index in chunk]
        tokens = torch.tensor([
            [tokenizer.eos_token_id] * pad + list(prompts[index]) for pad, index in zip(padding, chunk, strict=True)
        ])
        mask = (torch.arange(longest) >= torch.tensor(padding)[:, None]).long()
        output = model.generate(
            tokens, attention_mask=mask, do_sample=False, max_new_tokens=MAX_NEW_TOKENS,
            pad_token_id=tokenizer.eos_token_id,
        )
        for index, ids in zip(chunk, output[:, longest:], strict=True):
            texts[index] = tokenizer.decode(ids, skip_special_tokens=True)
    return texts


@torch.inference_mode()
def choose_in_batches(model: Any, prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]]) -> list[int]:
    """Return the index of the most likely choice per prompt; the choices of a prompt are one padded batch."""
    chosen, longest = [], max(map(len, choices))
    for prompt in prompts:
        tokens = torch.tensor([[*prompt, *choice, *[0] * (longest - len(choice))] for choice in choices])
        places = torch.arange(tokens.shape[1])
        mask = (places < torch.tensor([len(prompt) + len(choice) for choice in choices])[:, None]).long()
        kept = torch.arange(len(prompt) - 1, tokens.shape[1] - 1)
        logprobs = model(tokens, attention_mask=mask, logits_to_keep=kept).logits.log_softmax(-1)
        sums = [
            float(logprobs[row, range(len(choice)), list(choice)].sum()) for row, choice in enumerate(choices)
        ]
        chosen.append(max(range(len(choices)), key=sums.__getitem__))
    return chosen


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
@click.option("--batch", default=8, help="prompts in a padded batch")
def main(spec: Path, rows: int, shots: int, batch: int) -> None:
    """Print the ratio of CPU seconds, script over factory, for free text and for one of a few labels."""
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
    fast, ours = measure_cpu_time(lambda: decoder.generate_texts(prompts, MAX_NEW_TOKENS))
    choices = [decoder.tokenize_answer(label) for label in LABELS]
    faster, weights = measure_cpu_time(lambda: decoder.compute_choice_logprobs(prompts, [choices] * len(prompts)))
    texts, picked = [answer.text for answer in ours], [max(range(len(row)), key=row.__getitem__) for row in weights]
    scripts: dict[str, tuple[Callable[[], list[str]], Callable[[], list[int]]]] = {
        "one by one": (
            lambda: generate_naively(plain, tokenizer, prompts), lambda: choose_naively(plain, prompts, choices)
        ),
        f"in batches of {batch}": (
            lambda: generate_in_batches(plain, tokenizer, prompts, batch),
            lambda: choose_in_batches(plain, prompts, choices),
        ),
    }
    for title, (generate, choose) in scripts.items():
        slow, their_texts = measure_cpu_time(generate)
        print_speedup(f"text, {title}", slow, fast, count_equal(texts, their_texts), len(texts))
        slower, their_choices = measure_cpu_time(choose)
        print_speedup(f"labels, {title}", slower, faster, count_equal(picked, their_choices), len(picked))
        click.echo(f"together, {title}: {(slow + slower) / (fast + faster):.1f}×")


def count_equal(mine: Sequence[Any], theirs: Sequence[Any]) -> int:
    """Return how many answers are identical."""
    return sum(a == b for a, b in zip(mine, theirs, strict=True))


def print_speedup(what: str, slow: float, fast: float, same: int, count: int) -> None:
    """Print one ratio and the number of identical answers."""
    click.echo(f"{what}: {slow:.1f} s against {fast:.1f} s, {slow / fast:.1f}×; {same} of {count} answers identical")


if __name__ == "__main__":
    run_main(main)
